/* SPDX-License-Identifier: MIT */
/*
 * miguard run: one request to provider modules behind the guard, or with --shell many.
 *
 * ask_own_host() goes through the steps in their order: run_host_prepare() opens the log, loads the
 * policy and closes the gate, run_host_open() makes the host and loads its modules, and run_once()
 * or run_shell() makes the request. Each step returns an exit status, and the first that is not
 * CLI_YES ends it.
 *
 * The command is a client of the library like any other program: it uses miguard_configure(),
 * miguard_host_...() and the inline functions of MI.h, and has no way past the guard. What it
 * prints of a provider is made safe for a terminal.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/run_host.h"
#include "tools/cli/run_once.h"
#include "tools/cli/run_request.h"
#include "tools/cli/run_shell.h"
#include "tools/cli/run_trace.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
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
    FLAG("--shell", struct run_request, shell,
         "read requests from standard input, one a line, without the namespace: see help there; "
         "the other options count for each",
         .excludes =
             "--key --language --association --result-class --role --result-role --input --count"),
    FLAG("--trace", struct run_request, trace,
         "print each call that crosses the guard on stderr: time, thread, its effective ids, the "
         "answer and how long it took; with --json as objects"),
};

/*
 * The signals that end a request in order, as a descriptor: no handler runs, and the provider is
 * asked to stop. They are blocked before there is any other thread. A single request other than a
 * subscription dies of them.
 */
static int open_end(const struct run_request *request, struct pollfd *ret_end)
{
    sigset_t set;

    if (request->verb != RUN_SUBSCRIBE && !request->shell) {
        return CLI_YES;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    if (!request->shell) {
        sigaddset(&set, SIGTERM);
    }
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ret_end =
        (struct pollfd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN};
    return ret_end->fd >= 0
               ? CLI_YES
               : complain(CLI_UNABLE, "signals cannot be waited for: %s", strerror(errno));
}

static int ask(const struct run_request *request, struct miguard_host *host, struct pollfd end)
{
    return request->shell ? run_shell(request, host, end) : run_once(request, host, end);
}

/* The modules of a shell without a namespace serve every one. */
static int ask_own_host(const struct run_request *request, struct pollfd end)
{
    struct miguard_host *host = NULL;
    int status = run_host_prepare(&request->hosting);

    if (status != CLI_YES) {
        return status;
    }
    if (request->trace) {
        run_trace_begin(request->json);
    }
    status = run_host_open(&request->hosting, request->name_space, &host);
    if (status == CLI_YES) {
        status = ask(request, host, end);
        run_host_close(host);
    }
    run_trace_end();
    return status;
}

static int make_request(const struct run_request *request)
{
    struct pollfd end = {.fd = -1};
    int status = open_end(request, &end);

    if (status != CLI_YES) {
        return status;
    }
    status = request->connect != NULL ? ask(request, NULL, end) : ask_own_host(request, end);
    if (end.fd >= 0) {
        close(end.fd);
    }
    return status;
}

/* The gate is set before parsing, since 0 is a word of --gate. */
static int run_run(const struct command_line *line)
{
    struct run_request request = {.hosting = RUN_HOSTING_INIT, .out = stdout, .err = stderr};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.shell ? run_request_read_shell(line, &request)
                               : run_request_read(line, &request);
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
             "KEY[]=VALUE, is an array. With --shell the only operand is the NAMESPACE, which may "
             "be left out.",
    .exits = "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the request could not be "
             "made. Of a --shell that does not read a terminal, the highest of its lines.",
    .operand = OPERANDS("OPERATION NAMESPACE [CLASS|QUERY] [METHOD] [KEY=VALUE]...",
                        struct run_request, operands),
    OPTIONS(options),
    .run = run_run,
};
