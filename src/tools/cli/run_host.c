/* SPDX-License-Identifier: MIT */
/*
 * The embedded server behind the guard: what `miguard run` and `miguard serve` set up alike.
 *
 * configure() opens the log and loads the policy, close_gate() closes the gate, and then
 * run_host_open() makes the host and loads its modules. The first step that fails ends it.
 */
#include "tools/cli/run_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/log_place.h"
#include "tools/cli/policy_open.h"

const char *const run_gate_scopes[] = {
    [RUN_GATE_THREAD] = "thread", [RUN_GATE_PROCESS] = "process", NULL};

/* ---- the audit log ------------------------------------------------------------------------ */

/* Where records go when not where the policy says: a user who cannot write there has a log of their
 * own, whose folders are made. *ret_path is NULL with CLI_YES when the policy's is used, else on
 * the heap. A policy that cannot be read is left to miguard_configure(), which reports it. */
static int find_log(const char *policy, char **ret_path)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    bool own = false;
    char *path = NULL;
    int status = CLI_YES;

    if (draft_load(&policy, policy != NULL ? 1 : 0, DRAFT_TRUST_ALL, &draft, &errors) ==
            MIGUARD_OK && /* else miguard_configure() reports it */
        log_sink(&draft->settings) != NULL) {
        path = log_place(log_sink(&draft->settings)->path, false, &own);
        if (path == NULL || (own && !log_place_make(path))) {
            status = complain(CLI_UNABLE,
                              "no place for the audit log: %s%s%s; name a file with "
                              "--audit",
                              path != NULL ? path : "", path != NULL ? ": " : "", strerror(errno));
        }
    }
    draft_free(draft);
    diagnostics_release(&errors);
    if (!own || status != CLI_YES) {
        free(path);
        path = NULL;
    }
    *ret_path = path;
    return status;
}

/* Before the thread becomes another user: the log belongs to the user who runs the command, and the
 * policy is read by that user. */
static int configure(const struct run_hosting *hosting)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char *path = NULL;

    config.policy = policy_path(hosting->policy);
    config.audit_file = hosting->audit_file;
    if (config.audit_file == NULL) {
        int status = find_log(config.policy, &path);
        if (status != CLI_YES) {
            return status;
        }
        config.audit_file = path;
    }
    enum miguard_status status = miguard_configure(&config, &error);
    free(path);
    if (status == MIGUARD_OK) {
        return CLI_YES;
    }
    /* The log, the gate that the policy wants, memory: the error knows which. */
    return complain_error(CLI_UNABLE,
                          error.status == MIGUARD_BAD_POLICY
                              ? "the policy cannot be used (see miguard policy check)"
                              : "nothing is served (see miguard doctor, and --audit)",
                          &error);
}

/* A gate that the policy has closed stays as it is. */
static bool reports_by_default(const struct run_hosting *hosting)
{
    const struct miguard_gate_options present = miguard_gate_state();
    const bool closed =
        present.scope == MIGUARD_GATE_THREAD || present.scope == MIGUARD_GATE_PROCESS;

    return closed ? present.report != 0 : !hosting->no_report;
}

/*
 * Before any provider is loaded, so that not even its constructors can change credentials. Who
 * tries is recorded, unlike by a policy's default: no thread of this host blocks SIGSYS, which
 * would make a refusal the end of the process (miguard-gate(7), "WHO TRIED").
 */
static int close_gate(const struct run_hosting *hosting)
{
    struct miguard_gate_options closing = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (hosting->gate == RUN_GATE_BY_POLICY && !hosting->report) {
        return CLI_YES;
    }
    closing.scope = hosting->gate == RUN_GATE_THREAD ? MIGUARD_GATE_THREAD : MIGUARD_GATE_PROCESS;
    closing.report = hosting->report || reports_by_default(hosting);
    enum miguard_status status = miguard_gate_close(&closing, &error);
    if (status == MIGUARD_NOT_SUPPORTED && closing.report != 0 && !hosting->report) {
        closing.report = 0; /* not on this architecture; the record of the gate says "report no" */
        status = miguard_gate_close(&closing, &error);
    }
    if (status == MIGUARD_OK) {
        return CLI_YES;
    }
    return complain_error(CLI_UNABLE, "the gate cannot be closed (see miguard doctor)", &error);
}

/* A later step never runs after a failed earlier one: no provider is loaded with an open gate or
 * without a log. */
int run_host_prepare(const struct run_hosting *hosting)
{
    int status = configure(hosting);

    return status == CLI_YES ? close_gate(hosting) : status;
}

/* ---- the host ----------------------------------------------------------------------------- */

/* A bare name would be looked for in the library path; here it means a file. */
static int load(struct miguard_host *host, const char *file, const char *name_space)
{
    struct miguard_error error = {0};
    char *path = NULL;

    if (asprintf(&path, "%s%s", strchr(file, '/') == NULL ? "./" : "", file) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    enum miguard_status status = miguard_host_load(host, path, name_space, &error);
    free(path);
    return status == MIGUARD_OK ? CLI_YES : complain_error(CLI_UNABLE, file, &error);
}

/* In the order given; the first that fails ends it. */
static int load_all(const struct run_hosting *hosting, const char *name_space,
                    struct miguard_host *host)
{
    for (size_t i = 0; i < hosting->modules.count; i++) {
        int status = load(host, hosting->modules.items[i], name_space);
        if (status != CLI_YES) {
            return status;
        }
    }
    return CLI_YES;
}

/* The host wraps each module by miguard_wrap_module(): nothing reaches a provider, and no provider
 * a session, but through the guard. */
int run_host_open(const struct run_hosting *hosting, const char *name_space,
                  struct miguard_host **ret_host)
{
    static const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;
    struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    struct miguard_error error = {0};

    if (miguard_host_new(&options, &host, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    if (miguard_host_set_clients(host, &clients, &error) != MIGUARD_OK) {
        miguard_host_free(host);
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    miguard_set_client_source(miguard_host_context_client, host);
    int status = load_all(hosting, name_space, host);
    if (status != CLI_YES) {
        run_host_close(host);
        return status;
    }
    *ret_host = host;
    return CLI_YES;
}

void run_host_close(struct miguard_host *host)
{
    if (host != NULL) {
        miguard_set_client_source(NULL, NULL);
        miguard_host_free(host);
    }
}
