/* SPDX-License-Identifier: MIT */
/*
 * Who makes the requests: the sessions of clients, and what their contexts say of them.
 *
 * A client is opaque here. That of a client's session is given by the embedding program and kept
 * with the session; that of a provider's request is asked for as the request starts
 * (operation_new.c) and kept with the operation. miguard_host_context_client() gives out copies.
 */
#include "base/error.h"
#include "host/server/host.h"

enum miguard_status miguard_host_set_clients(struct miguard_host *host,
                                             const struct miguard_host_clients *clients,
                                             struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (host == NULL || clients == NULL || clients->size != sizeof(*clients) ||
        clients->copy == NULL || clients->release == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host clients",
                         "a host, and MIGUARD_HOST_CLIENTS or such a table are needed");
    }
    if (host_is_inherited(host)) {
        return host_refuse_inherited("host clients", reterr);
    }
    if (host->clients.size != 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "host clients",
                         "the host has its functions for clients already");
    }
    host->clients = *clients;
    return MIGUARD_OK;
}

/* The new session keeps itself through its handle; the maker's pin is released. Takes over client
 * with success. */
static enum miguard_status open_session(struct miguard_host *host, struct miguard_target *client,
                                        MI_Session *ret_session, struct miguard_error *reterr)
{
    struct session *session = session_new(host, false, 0, client);
    if (session == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "host session", NULL);
    }
    *ret_session = session_handle(session);
    session_release(session);
    return MIGUARD_OK;
}

enum miguard_status miguard_host_session(struct miguard_host *host, MI_Session *ret_session,
                                         struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (host == NULL || ret_session == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host session",
                         "a host and a place for the session are needed");
    }
    return host_is_inherited(host) ? host_refuse_inherited("host session", reterr)
                                   : open_session(host, NULL, ret_session, reterr);
}

enum miguard_status miguard_host_session_for(struct miguard_host *host,
                                             const struct miguard_target *client,
                                             MI_Session *ret_session, struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_target *copy = NULL;

    if (host == NULL || client == NULL || ret_session == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "host session",
                         "a host, a client and a place for the session are needed");
    }
    if (host_is_inherited(host)) {
        return host_refuse_inherited("host session", reterr);
    }
    if (host->clients.copy == NULL) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "host session",
                         "miguard_host_set_clients() comes before the first client");
    }
    enum miguard_status status = host->clients.copy(client, &copy, reterr);
    if (status == MIGUARD_OK) {
        status = open_session(host, copy, ret_session, reterr);
        if (status != MIGUARD_OK) {
            host->clients.release(copy);
        }
    }
    return status;
}

/* ---- the client of a context ------------------------------------------------------------------
 */

/* What the host knows, in the life of a pinned context. NULL with the reason why not. */
static const struct miguard_target *known_client(const struct context *context,
                                                 const char **ret_why_not)
{
    const struct operation *operation = context->operation;

    if (operation == NULL) {
        *ret_why_not = "the host itself loads and unloads providers: that has no client";
        return NULL;
    }
    if (operation->session->local) {
        *ret_why_not = "who the provider was that made this request is not known";
        return operation->nested_client;
    }
    *ret_why_not = "the session was opened without a client; miguard_host_session_for() has one";
    return operation->session->client;
}

static enum miguard_status unknown_client(struct miguard_error *reterr, const char *why)
{
    return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "client", "%s", why);
}

enum miguard_status miguard_host_context_client(void *host, const MI_Context *address,
                                                struct miguard_target **ret_target,
                                                struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) = NULL;
    const char *why_not = NULL;

    if (ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "client", "ret_target is NULL");
    }
    *ret_target = NULL;
    context = context_pin(address);
    if (context == NULL) {
        return unknown_client(reterr, "not a live context of this server");
    }
    if (host != NULL && context->host != host) {
        return unknown_client(reterr, "a context of another server of this process");
    }
    const struct miguard_target *client = known_client(context, &why_not);
    return client != NULL ? context->host->clients.copy(client, ret_target, reterr)
                          : unknown_client(reterr, why_not);
}
