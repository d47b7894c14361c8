/* SPDX-License-Identifier: MIT */
/*
 * One request of `miguard run`: on a host of this process, or by a server.
 *
 * On a host, open_session() says who the request is from, ask_as() becomes the user, and run_ask()
 * makes the request and prints the answer. A shell makes many requests on one host; each gets a
 * session of its own, as MI demands it for each identity.
 */
#include "tools/cli/run_once.h"

#include "tools/cli/run_ask.h"
#include "tools/cli/run_connect.h"

static int ask(const struct run_request *request, MI_Session *session, struct pollfd end)
{
    const struct run_until until = {end, request->verb == RUN_SUBSCRIBE ? request->timeout : 0};

    return run_ask(request, session, end.fd < 0 ? NULL : &until);
}

/*
 * With --as the thread becomes that user after the session was opened, makes the request, and
 * switches back. Whether the session may then be used is the policy's affair, and the exit status
 * shows it. A failed way back is an error even after a good answer: the process is then not what it
 * was.
 */
static int ask_as(const struct run_request *request, MI_Session *session, struct pollfd end)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};

    if (request->as_user == NULL) {
        return ask(request, session, end);
    }
    if (miguard_target_user(request->as_user, &target, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, request->as_user, &error);
    }
    enum miguard_status switched = miguard_switch_to(target, &error);
    miguard_target_free(target);
    if (switched != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "this user cannot be become", &error);
    }
    int status = ask(request, session, end);
    if (miguard_switch_back(&error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the way back", &error);
    }
    return status;
}

/*
 * Who the request is from: --client, or the user of --as. Without either the session has no client,
 * and a provider that asks for one is answered NOT_SUPPORTED: the command runs as its user, but
 * that is also what the host runs as, which is never given as a client.
 */
static int open_session(const struct run_request *request, struct miguard_host *host,
                        MI_Session *ret_session)
{
    const char *user = request->client != NULL ? request->client : request->as_user;
    struct miguard_target *client = NULL;
    struct miguard_error error = {0};
    enum miguard_status status;

    if (user == NULL) {
        status = miguard_host_session(host, ret_session, &error);
    } else if (miguard_target_user(user, &client, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, user, &error);
    } else {
        status = miguard_host_session_for(host, client, ret_session, &error);
    }
    miguard_target_free(client);
    return status == MIGUARD_OK ? CLI_YES : complain_error(CLI_UNABLE, "the session", &error);
}

/* The session is opened as the user who runs the command. */
static int ask_host(const struct run_request *request, struct miguard_host *host, struct pollfd end)
{
    MI_Session session = MI_SESSION_NULL;
    int status = open_session(request, host, &session);

    if (status == CLI_YES) {
        status = ask_as(request, &session, end);
        MI_Session_Close(&session, NULL, NULL);
    }
    return status;
}

/* A connection for each request: a server closes one on which nothing is asked. */
static int ask_server(const struct run_request *request, struct pollfd end)
{
    struct run_connection *connection = NULL;
    int status = run_connect(request->connect, &connection);

    if (status == CLI_YES) {
        status = run_connection_ask(connection, request, end.fd);
    }
    run_connection_close(connection);
    return status;
}

int run_once(const struct run_request *request, struct miguard_host *host, struct pollfd end)
{
    return host == NULL ? ask_server(request, end) : ask_host(request, host, end);
}
