/* SPDX-License-Identifier: MIT */
/*
 * miguard serve: provider modules behind the guard, for the local clients of a unix socket.
 *
 * serve_all() goes through the steps: the socket is made, which no client can connect to yet; the
 * log, the policy, the gate and the modules are set up as for `miguard run`; then it listens, and
 * each connection becomes a thread of serve_client.c, until SIGTERM or SIGINT.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/run_host.h"
#include "tools/cli/serve_client.h"
#include "tools/cli/serve_socket.h"

enum access { ACCESS_OWNER, ACCESS_GROUP, ACCESS_ALL };

static const char *const access_words[] = {"owner", "group", "all", NULL};

struct request {
    struct run_hosting hosting;
    const char *socket, *name_space;
    enum access access;
    uint64_t clients, of_user, idle, drain;
};

static const struct option_row options[] = {
    TEXT("--socket", "PATH", struct request, socket,
         "the socket to make; only root and you may be able to change the folders above it; not "
         "with a socket that systemd passes"),
    WORD("--access", access_words, struct request, access,
         "who may connect: you, your group, or all; the default is owner"),
    TEXT("--namespace", "NAME", struct request, name_space,
         "the namespace that the modules serve; the default is every one"),
    RUN_HOSTING_OPTIONS(struct request, "a provider module"),
    NUMBER("--max-clients", "N", struct request, clients, 1, 1024, "clients at a time",
           .preset = 64),
    NUMBER("--max-per-user", "N", struct request, of_user, 1, 1024, "clients of one user",
           .preset = 16),
    NUMBER("--idle", "SECONDS", struct request, idle, 1, 86400,
           "close a connection without a request for so long", .preset = 300),
    NUMBER("--drain", "SECONDS", struct request, drain, 1, 3600,
           "how long requests may go on after SIGTERM", .preset = 10),
};

/* ---- serving ----------------------------------------------------------------------------------
 */

/* What accept(2) cannot help: it would fail again at once, so others get the time to end. */
static bool is_lasting(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_one(struct serve *serve, int listener)
{
    const struct timespec pause = {0, 100000000};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        serve_client_accept(serve, fd);
    } else if (is_lasting(errno)) {
        nanosleep(&pause, NULL);
    }
}

/* Until a signal comes. */
static int accept_all(struct serve *serve, int listener, int signals)
{
    struct pollfd events[] = {{.fd = listener, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};

    for (;;) {
        if (poll(events, 2, -1) < 0 && errno != EINTR) {
            return complain(CLI_UNABLE, "poll: %s", strerror(errno));
        }
        if (events[1].revents != 0) {
            return CLI_YES;
        }
        if (events[0].revents != 0) {
            accept_one(serve, listener);
        }
    }
}

/* They stay blocked in all threads. */
static int open_signals(int *ret_fd)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd >= 0 ? CLI_YES
                        : complain(CLI_UNABLE, "signals cannot be waited for: %s", strerror(errno));
}

/* The line on stdout is for scripts: from then on clients can connect. */
static int listen_and_serve(const struct request *request, struct serve_socket *socket,
                            struct serve *serve, int signals)
{
    static const mode_t modes[] = {
        [ACCESS_OWNER] = 0600, [ACCESS_GROUP] = 0660, [ACCESS_ALL] = 0666};
    int status = serve_socket_listen(socket, modes[request->access]);

    if (status != CLI_YES) {
        return status;
    }
    fputs("listening on ", stdout);
    print_safe(stdout, request->socket != NULL ? request->socket : "the socket of systemd", false);
    fputc('\n', stdout);
    fflush(stdout);
    status = accept_all(serve, socket->fd, signals);
    serve_socket_close(socket);
    return status;
}

/* A provider that does not return keeps its host: the process ends without the clean-up that would
 * wait for it for ever. */
static int drain(struct serve *serve)
{
    if (serve_drain(serve)) {
        run_host_close(serve->host);
        return CLI_YES;
    }
    complain(CLI_NO, "%" PRIu64 " requests did not end: their providers do not return",
             serve->count);
    fflush(stdout);
    _exit(CLI_NO);
}

static int serve_host(const struct request *request, struct serve_socket *socket, int signals)
{
    struct serve serve = {.most_clients = request->clients,
                          .most_of_user = request->of_user,
                          .idle_seconds = request->idle,
                          .drain_seconds = request->drain};
    int status = run_host_prepare(&request->hosting);

    if (status == CLI_YES) {
        status = run_host_open(&request->hosting, request->name_space, &serve.host);
    }
    if (status != CLI_YES) {
        return status;
    }
    status = serve_new(&serve);
    if (status != CLI_YES) {
        run_host_close(serve.host);
        return status;
    }
    status = listen_and_serve(request, socket, &serve, signals);
    int ended = drain(&serve);
    return status == CLI_YES ? ended : status;
}

/* The signals are blocked first: no later thread may take them. */
static int serve_all(const struct request *request)
{
    struct serve_socket socket = {.fd = -1, .folder = -1};
    int signals = -1;
    int status = open_signals(&signals);

    if (status == CLI_YES) {
        status = request->socket != NULL ? serve_socket_make(request->socket, &socket)
                                         : serve_socket_take(&socket);
    }
    if (status == CLI_YES) {
        status = serve_host(request, &socket, signals);
        serve_socket_close(&socket);
    }
    if (signals >= 0) {
        close(signals);
    }
    return status;
}

static int check(const struct command_line *line, const struct request *request)
{
    if (request->hosting.modules.count == 0) {
        return wrong_usage(line, "--module is required; see %s --help", line->name);
    }
    if (request->socket == NULL && !serve_socket_is_passed()) {
        return wrong_usage(line, "--socket is required; see %s --help", line->name);
    }
    return request->socket != NULL && serve_socket_is_passed()
               ? wrong_usage(line, "--socket, or a socket that systemd passes, not both")
               : CLI_YES;
}

static int run_serve(const struct command_line *line)
{
    struct request request = {.hosting = RUN_HOSTING_INIT};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = check(line, &request);
        if (status == CLI_YES) {
            status = serve_all(&request);
        }
    }
    word_list_release(&request.hosting.modules);
    return status;
}

COMMAND(miguard, serve) = {
    .about =
        "Serves provider modules behind the guard over a unix socket, until SIGTERM or SIGINT. "
        "Each request is served with the uid, gid and groups of the process that connected, "
        "which miguard run --connect does. Only root can serve other users than itself.",
    .exits = "Exit status: 0 ended by a signal, 1 requests did not end, 2 wrong usage, 3 nothing "
             "could be served.",
    OPTIONS(options),
    .run = run_serve,
};
