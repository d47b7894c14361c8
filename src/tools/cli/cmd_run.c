/* SPDX-License-Identifier: MIT */
/*
 * miguard run: one request to provider modules behind the guard.
 *
 * make_request() goes through the steps in their order: configure() opens the log and loads the
 * policy, close_gate() closes the gate, serve() makes the host, load_all() its modules, ask_as()
 * becomes the user, and run_ask() makes the request and prints the answer. Each step returns an
 * exit status, and the first that is not CLI_YES ends it.
 *
 * The command is a client of the library like any other program: it uses miguard_configure(),
 * miguard_host_...() and the inline functions of MI.h, and has no way past the guard. What it
 * prints of a provider is made safe for a terminal.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/log_place.h"
#include "tools/cli/policy_open.h"
#include "tools/cli/run_ask.h"
#include "tools/cli/run_request.h"
#include "tools/cli/run_trace.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const gate_scopes[] = {
    [RUN_GATE_THREAD] = "thread", [RUN_GATE_PROCESS] = "process", NULL};

static const struct option_row options[] = {
    LIST("--module", "FILE.so", struct run_request, modules, "a provider module; serves NAMESPACE"),
    TEXT("--as", "USER", struct run_request, as_user,
         "become USER (name, uid or +uid) before the request, which is then also USER's"),
    TEXT("--client", "USER", struct run_request, client,
         "the request is from USER: what miguard_context_client() gives a provider"),
    TEXT("--audit", "FILE", struct run_request, audit_file,
         "where to record what the guard decides; the default is the log of the policy, and for "
         "users who cannot write that miguard/audit.jsonl in $XDG_STATE_HOME or ~/.local/state"),
    TEXT("--policy", "FILE|DIR", struct run_request, policy,
         "the policy, in place of $MIGUARD_POLICY and that in /etc/miguard"),
    WORD("--gate", gate_scopes, struct run_request, gate,
         "from then on the kernel lets only the library change credentials (miguard-gate(7)); "
         "without it, as the policy says; what it refuses is recorded with its call site"),
    FLAG("--report", struct run_request, report,
         "close that gate (without --gate that of the process), and serve nothing where what it "
         "refuses cannot be recorded"),
    FLAG("--no-report", struct run_request, no_report,
         "do not record it: refuse only, as a policy's gate does without report: true",
         .needs = "--gate", .excludes = "--report"),
    LIST("--key", "KEY=VALUE", struct run_request, keys_given,
         "invoke: a key of the instance whose method it is; none for a static one"),
    TEXT("--language", "WQL|CQL", struct run_request, language,
         "query, subscribe: the language; without it WQL"),
    TEXT("--association", "CLASS", struct run_request, association,
         "associators: only by this association class and those that derive from it"),
    TEXT("--result-class", "CLASS", struct run_request, result_class,
         "associators: only objects of this class; references: only associations of it"),
    TEXT("--role", "NAME", struct run_request, role,
         "associators, references: only where the object is in the reference NAME"),
    TEXT("--result-role", "NAME", struct run_request, result_role,
         "associators: only where the result is in the reference NAME"),
    TEXT("--input", "FILE|-", struct run_request, input,
         "read properties or parameters from an instance in MOF or a JSON object, as they are "
         "printed; KEY=VALUE adds to them"),
    NUMBER("--timeout", "SECONDS", struct run_request, timeout, 1, 864000,
           "end the operation after SECONDS", .noun = "number of seconds"),
    NUMBER("--count", "N", struct run_request, count, 1, UINT64_MAX,
           "subscribe: end after N indications; it is a failure when the time is over before"),
    LIST("--flag", "FLAG", struct run_request, flags_given,
         "an operation flag: no-rtti, basic-rtti, standard-rtti, full-rtti, localized-qualifiers, "
         "expensive-properties, polymorphism-shallow, polymorphism-deep-base-props-only, "
         "report-operation-started"),
    LIST("--option", "NAME=VALUE", struct run_request, options_given,
         "a custom option for the provider"),
    FLAG("--json", struct run_request, json,
         "print one JSON object per instance and line; errors as JSON on stderr"),
    FLAG("--table", struct run_request, table,
         "print one line per instance, one column per property that has a value",
         .excludes = "--json"),
    FLAG("--trace", struct run_request, trace,
         "print each call that crosses the guard on stderr: time, thread, its effective ids, the "
         "answer and how long it took; with --json as objects"),
};

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
static int configure(const struct run_request *request)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char *path = NULL;

    config.policy = policy_path(request->policy);
    config.audit_file = request->audit_file;
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
static bool reports_by_default(const struct run_request *request)
{
    const struct miguard_gate_options present = miguard_gate_state();
    const bool closed =
        present.scope == MIGUARD_GATE_THREAD || present.scope == MIGUARD_GATE_PROCESS;

    return closed ? present.report != 0 : !request->no_report;
}

/*
 * Before any provider is loaded, so that not even its constructors can change credentials. Who
 * tries is recorded, unlike by a policy's default: no thread of this host blocks SIGSYS, which
 * would make a refusal the end of the process (miguard-gate(7), "WHO TRIED").
 */
static int close_gate(const struct run_request *request)
{
    struct miguard_gate_options closing = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (request->gate == RUN_GATE_BY_POLICY && !request->report) {
        return CLI_YES;
    }
    closing.scope = request->gate == RUN_GATE_THREAD ? MIGUARD_GATE_THREAD : MIGUARD_GATE_PROCESS;
    closing.report = request->report || reports_by_default(request);
    enum miguard_status status = miguard_gate_close(&closing, &error);
    if (status == MIGUARD_NOT_SUPPORTED && closing.report != 0 && !request->report) {
        closing.report = 0; /* not on this architecture; the record of the gate says "report no" */
        status = miguard_gate_close(&closing, &error);
    }
    if (status == MIGUARD_OK) {
        return CLI_YES;
    }
    return complain_error(CLI_UNABLE, "the gate cannot be closed (see miguard doctor)", &error);
}

/* ---- who asks ------------------------------------------------------------------------------- */

/* SIGINT and SIGTERM end a subscription in order, as a descriptor: no handler runs, and the
 * provider is asked to stop. They are blocked from the start, before there is any other thread. */
static bool end_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    return sigaddset(ret_set, SIGINT) == 0 && sigaddset(ret_set, SIGTERM) == 0;
}

static void block_end_signals(const struct run_request *request)
{
    sigset_t set;

    if (request->verb == RUN_SUBSCRIBE && end_signals(&set)) {
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
}

static int ask(const struct run_request *request, MI_Session *session)
{
    sigset_t set;

    if (request->verb != RUN_SUBSCRIBE || !end_signals(&set)) {
        return run_ask(request, session, NULL);
    }
    struct run_until until = {{.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN},
                              request->timeout};
    if (until.event.fd < 0) {
        return complain(CLI_UNABLE, "signals cannot be waited for: %s", strerror(errno));
    }
    int status = run_ask(request, session, &until);
    close(until.event.fd);
    return status;
}

/*
 * With --as the thread becomes that user after the session was opened, makes the request, and
 * switches back. Whether the session may then be used is the policy's affair, and the exit status
 * shows it. A failed way back is an error even after a good answer: the process is then not what it
 * was.
 */
static int ask_as(const struct run_request *request, MI_Session *session)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};

    if (request->as_user == NULL) {
        return ask(request, session);
    }
    if (miguard_target_user(request->as_user, &target, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, request->as_user, &error);
    }
    enum miguard_status switched = miguard_switch_to(target, &error);
    miguard_target_free(target);
    if (switched != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "this user cannot be become", &error);
    }
    int status = ask(request, session);
    if (miguard_switch_back(&error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the way back", &error);
    }
    return status;
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
static int load_all(const struct run_request *request, struct miguard_host *host)
{
    for (size_t i = 0; i < request->modules.count; i++) {
        int status = load(host, request->modules.items[i], request->name_space);
        if (status != CLI_YES) {
            return status;
        }
    }
    return CLI_YES;
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
static int ask_host(const struct run_request *request, struct miguard_host *host)
{
    MI_Session session = MI_SESSION_NULL;
    int status = load_all(request, host);

    if (status != CLI_YES) {
        return status;
    }
    status = open_session(request, host, &session);
    if (status != CLI_YES) {
        return status;
    }
    status = ask_as(request, &session);
    MI_Session_Close(&session, NULL, NULL);
    return status;
}

/* The host wraps each module by miguard_wrap_module(): nothing reaches a provider, and no provider
 * a session, but through the guard. miguard_host_free() waits for providers that still run. */
static int serve(const struct run_request *request)
{
    static const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;
    struct miguard_host_options hosting = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    struct miguard_error error = {0};

    if (miguard_host_new(&hosting, &host, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    if (miguard_host_set_clients(host, &clients, &error) != MIGUARD_OK) {
        miguard_host_free(host);
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    miguard_set_client_source(miguard_host_context_client, host);
    int status = ask_host(request, host);
    miguard_set_client_source(NULL, NULL);
    miguard_host_free(host);
    return status;
}

/* A later step never runs after a failed earlier one: no provider is loaded with an open gate or
 * without a log. */
static int make_request(const struct run_request *request)
{
    block_end_signals(request);
    int status = configure(request);
    if (status != CLI_YES) {
        return status;
    }
    status = close_gate(request);
    if (status != CLI_YES) {
        return status;
    }
    if (request->trace) {
        run_trace_begin(request->json);
    }
    status = serve(request);
    run_trace_end();
    return status;
}

/* The gate is set before parsing, since 0 is a word of --gate. */
static int run_run(const struct command_line *line)
{
    struct run_request request = {.gate = RUN_GATE_BY_POLICY, .out = stdout, .err = stderr};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = run_request_read(line, &request);
        if (status == CLI_YES) {
            status = make_request(&request);
        }
    }
    run_request_release(&request);
    return status;
}

COMMAND(miguard, run) = {
    .about = "Loads provider modules behind the guard, makes one request and prints the answer in "
             "MOF. OPERATION is get, enumerate, create, modify, delete, invoke (which needs "
             "METHOD), query (with the QUERY in place of the class), subscribe (with a query "
             "or the class; prints indications until SIGINT), associators, references, class, "
             "classes and list (in full or the names only, of all classes or of those "
             "below CLASS) or test-connection. KEY=VALUE is a key or property, for invoke a "
             "parameter; the value is "
             "converted to the type that the class declares. A KEY given more than once, or as "
             "KEY[]=VALUE, is an array.",
    .exits = "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the request could not be "
             "made.",
    .operand = OPERANDS("OPERATION NAMESPACE [CLASS|QUERY] [METHOD] [KEY=VALUE]...",
                        struct run_request, operands),
    OPTIONS(options),
    .run = run_run,
};
