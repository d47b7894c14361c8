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
#include "tools/cli/run_ask.h"
#include "tools/cli/run_connect.h"
#include "tools/cli/run_host.h"
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

static const struct option_row options[] = {
    RUN_HOSTING_OPTIONS(struct run_request, "a provider module; serves NAMESPACE"),
    TEXT("--connect", "SOCKET", struct run_request, connect,
         "let the server of miguard serve make the request; it knows you by the socket",
         .excludes = "--module --audit --policy --gate --report --as --client --trace"),
    TEXT("--as", "USER", struct run_request, as_user,
         "become USER (name, uid or +uid) before the request, which is then also USER's"),
    TEXT("--client", "USER", struct run_request, client,
         "the request is from USER: what miguard_context_client() gives a provider"),
    RUN_REQUEST_OPTIONS,
    FLAG("--trace", struct run_request, trace,
         "print each call that crosses the guard on stderr: time, thread, its effective ids, the "
         "answer and how long it took; with --json as objects"),
};

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
static int ask_host(const struct run_request *request)
{
    struct miguard_host *host = NULL;
    MI_Session session = MI_SESSION_NULL;
    int status = run_host_open(&request->hosting, request->name_space, &host);

    if (status != CLI_YES) {
        return status;
    }
    status = open_session(request, host, &session);
    if (status == CLI_YES) {
        status = ask_as(request, &session);
        MI_Session_Close(&session, NULL, NULL);
    }
    run_host_close(host);
    return status;
}

/* By a server: nothing is set up here. */
static int ask_server(const struct run_request *request)
{
    struct run_connection *connection = NULL;
    int status = run_connect(request->connect, &connection);

    if (status == CLI_YES) {
        status = run_connection_ask(connection, request);
    }
    run_connection_close(connection);
    return status;
}

static int make_request(const struct run_request *request)
{
    if (request->connect != NULL) {
        return ask_server(request);
    }
    block_end_signals(request);
    int status = run_host_prepare(&request->hosting);
    if (status != CLI_YES) {
        return status;
    }
    if (request->trace) {
        run_trace_begin(request->json);
    }
    status = ask_host(request);
    run_trace_end();
    return status;
}

/* The gate is set before parsing, since 0 is a word of --gate. */
static int run_run(const struct command_line *line)
{
    struct run_request request = {.hosting = RUN_HOSTING_INIT, .out = stdout, .err = stderr};
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
