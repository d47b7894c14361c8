/* SPDX-License-Identifier: MIT */
/*
 * A file server over a unix socket. Each request is served as the peer of its connection, so the
 * kernel decides what it may open, as it would for the peer itself. What this file knows of that is
 * identity.h.
 *
 * cc -o fileserver fileserver.c identity_miguard.c $(pkg-config --cflags --libs miguard) -pthread
 *
 * Requests, as many as a client likes on one connection; a path is relative to --root:
 *     READ path\n                        OK length\n and the content
 *     WRITE path length\n and content    OK 0\n
 *     REMOVE path\n                      OK 0\n
 * or ERROR and the kernel's word, or REFUSED and the guard's, each a line.
 *
 * The main thread accepts and binds. The threads of a pool wait for requests (EPOLLONESHOT: one
 * thread for a connection at a time), serve them as the peer, and come home. A thread that cannot
 * come home ends, and the main thread, which never switches, starts another.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "identity.h"

/* Bounds of a request, of a turn of one connection, and of the server. */
enum { LINE = 2048, CONTENT = 65536, TURN = 64, CONNECTIONS = 4096, THREADS = 64 };

struct connection {
    int socket;
    struct peer *peer;
    struct connection *next, **before; /* in server.connections */
    bool ending;                       /* closed after this turn */
    bool more;                         /* its turn is over, and there may be whole requests left */
    atomic_uint turns; /* orders the memory of one thread's turn before that of the next one's */
    size_t in_used, out_used, out_sent;
    char in[LINE + CONTENT], out[LINE + CONTENT];
};

struct worker {
    pthread_t thread;
    bool started; /* thread must be joined */
    atomic_bool running;
};

static struct {
    int listener, epoll, root, signals;
    int stop;   /* an eventfd that wakes all threads of the pool */
    int events; /* an eventfd: a thread of the pool has ended */
    atomic_uint connection_count;
    pthread_mutex_t lock; /* of connections, and of waiting against closing */
    struct connection *connections;
    struct worker workers[THREADS];
    int thread_count;
    void (*plugin)(void);
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .thread_count = 4, .root = -1};

static bool complain(const char *what)
{
    fprintf(stderr, "fileserver: %s: %s\n", what, strerror(errno));
    return false;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* One line; what is in it must not make two. */
static void answer(struct connection *connection, const char *kind, const char *text)
{
    int length = snprintf(connection->out, LINE, "%s %s", kind, text);

    for (int i = 0; i < length; i++) {
        if (connection->out[i] == '\n') {
            connection->out[i] = ' ';
        }
    }
    connection->out[length] = '\n';
    connection->out_used = (size_t)length + 1;
}

static void answer_errno(struct connection *connection)
{
    answer(connection, "ERROR", strerror(errno));
}

/* False when the client is gone. What does not fit its socket now is sent later. */
static bool flush_answer(struct connection *connection)
{
    while (connection->out_sent < connection->out_used) {
        ssize_t sent = send(connection->socket, connection->out + connection->out_sent,
                            connection->out_used - connection->out_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        connection->out_sent += (size_t)sent;
    }
    connection->out_used = connection->out_sent = 0;
    return true;
}

/* ---- files, as the peer ------------------------------------------------------------------------
 *
 * The kernel checks each of these calls with the rights of the peer. What it cannot know is that
 * this is not the peer's own process: /proc/self, reached through a link below the root, would be
 * the server's, and open for each of its threads. So no link is followed, and no step leads up.
 */

/* The folder of path below the root, and in *ret_name the last part. -1 and errno on failure. */
static int open_folder(char *path, const char **ret_name)
{
    int folder = fcntl(server.root, F_DUPFD_CLOEXEC, 0);
    char *next;

    for (char *name = path; folder >= 0; name = next) {
        next = strchr(name, '/');
        if (*name == '\0' || *name == '/' || strcmp(name, "..") == 0 ||
            strncmp(name, "../", 3) == 0) {
            close(folder);
            errno = EINVAL;
            return -1;
        }
        if (next == NULL) {
            *ret_name = name;
            return folder;
        }
        *next++ = '\0';
        int below = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        close(folder);
        errno = saved;
        folder = below;
    }
    return -1;
}

/* A regular file. A pipe is not waited for, a device not used. */
static int open_file(char *path, int flags)
{
    const char *name;
    struct stat status;
    int folder = open_folder(path, &name);

    if (folder < 0) {
        return -1;
    }
    int file = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    int saved = errno;
    close(folder);
    errno = saved;
    if (file >= 0 && (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(file);
        errno = EINVAL;
        return -1;
    }
    return file;
}

static void serve_read(struct connection *connection, char *path)
{
    char head[32], *content = connection->out + LINE;
    size_t length = 0;
    ssize_t got = -1;
    int file = open_file(path, O_RDONLY);

    while (file >= 0 && (got = read(file, content + length, CONTENT - length)) > 0) {
        length += (size_t)got;
    }
    if (file < 0 || got < 0) {
        answer_errno(connection);
    } else if (length == CONTENT) { /* or more: the bound is of requests and answers */
        answer(connection, "ERROR", strerror(EFBIG));
    } else {
        int head_length = snprintf(head, sizeof(head), "OK %zu\n", length);
        connection->out_sent = LINE - (size_t)head_length;
        memcpy(connection->out + connection->out_sent, head, (size_t)head_length);
        connection->out_used = LINE + length;
    }
    if (file >= 0) {
        close(file);
    }
}

static void serve_write(struct connection *connection, char *path, const char *content,
                        size_t length)
{
    int file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    ssize_t written = 0;

    for (size_t done = 0; file >= 0 && done < length && written >= 0; done += (size_t)written) {
        written = write(file, content + done, length - done);
    }
    if (file < 0 || written < 0) {
        answer_errno(connection);
    } else {
        answer(connection, "OK", "0");
    }
    if (file >= 0) {
        close(file);
    }
}

static void serve_remove(struct connection *connection, char *path)
{
    const char *name;
    int folder = open_folder(path, &name);

    if (folder < 0 || unlinkat(folder, name, 0) != 0) {
        answer_errno(connection);
    } else {
        answer(connection, "OK", "0");
    }
    if (folder >= 0) {
        close(folder);
    }
}

/* ---- requests ----------------------------------------------------------------------------------
 */

struct request {
    enum identity_action action;
    char *path;
    size_t line, length; /* of the line with its end, and of the content */
};

/* The length at the end of a line of WRITE, which is cut off. False: not a number, or too large. */
static bool take_length(char *path, size_t *ret_length)
{
    char *space = strrchr(path, ' '), *end;

    if (space == NULL || space[1] < '0' || space[1] > '9') {
        return false;
    }
    errno = 0;
    unsigned long length = strtoul(space + 1, &end, 10);
    if (errno != 0 || *end != '\0' || length > CONTENT) {
        return false;
    }
    *space = '\0';
    *ret_length = length;
    return true;
}

/* Cuts line, which ends in 0, into a request. */
static bool parse_request(char *line, struct request *ret_request)
{
    static const char *const words[] = {"READ ", "WRITE ", "REMOVE "}; /* enum identity_action */

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);
        if (strncmp(line, words[i], length) == 0) {
            ret_request->action = (enum identity_action)i;
            ret_request->path = line + length;
            ret_request->length = 0;
            return i != IDENTITY_WRITE || take_length(line + length, &ret_request->length);
        }
    }
    return false;
}

static void serve_request(struct connection *connection, const struct request *request)
{
    char why[IDENTITY_WHY];

    if (!identity_may(connection->peer, request->action, request->path, why)) {
        answer(connection, "REFUSED", why);
    } else if (request->action == IDENTITY_READ) {
        serve_read(connection, request->path);
    } else if (request->action == IDENTITY_WRITE) {
        serve_write(connection, request->path, connection->in + request->line, request->length);
    } else {
        serve_remove(connection, request->path);
    }
}

/* Serves the first request if all of it has come. A line that is not a request ends the
 * connection: where the next one begins is not known. */
static bool serve_next(struct connection *connection)
{
    struct request request;
    size_t searched = connection->in_used < LINE ? connection->in_used : LINE;
    char *end = memchr(connection->in, '\n', searched), line[LINE];

    if (end == NULL && searched < LINE) {
        return false;
    }
    if (end != NULL) {
        request.line = (size_t)(end - connection->in) + 1;
        memcpy(line, connection->in, request.line);
        line[request.line - 1] = '\0';
    }
    if (end == NULL || strlen(line) + 1 != request.line || !parse_request(line, &request)) {
        answer(connection, "ERROR", "malformed request");
        connection->ending = true;
        return true;
    }
    size_t whole = request.line + request.length;
    if (connection->in_used < whole) {
        return false;
    }
    serve_request(connection, &request);
    memmove(connection->in, connection->in + whole, connection->in_used - whole);
    connection->in_used -= whole;
    return true;
}

/* What identity_serve() runs: as the peer, at most TURN requests of those that have come. */
static void serve_turn(void *argument)
{
    struct connection *connection = argument;

    connection->more = false;
    for (int served = 0; !connection->ending;) {
        if (!flush_answer(connection)) {
            connection->ending = true;
        } else if (connection->out_used > 0) {
            return;
        } else if (served == TURN) {
            connection->more = true;
            return;
        } else if (serve_next(connection)) {
            served++;
        } else {
            ssize_t got = recv(connection->socket, connection->in + connection->in_used,
                               sizeof(connection->in) - connection->in_used, 0);
            if (got < 0 && errno == EAGAIN) {
                return;
            }
            connection->ending = got == 0 || (got < 0 && errno != EINTR);
            connection->in_used += got > 0 ? (size_t)got : 0;
        }
    }
    (void)flush_answer(connection);
}

/* ---- connections -------------------------------------------------------------------------------
 */

static void close_connection(struct connection *connection)
{
    pthread_mutex_lock(&server.lock);
    *connection->before = connection->next;
    if (connection->next != NULL) {
        connection->next->before = connection->before;
    }
    pthread_mutex_unlock(&server.lock);
    close(connection->socket);
    identity_release(connection->peer);
    free(connection);
    atomic_fetch_sub(&server.connection_count, 1);
}

/* Waits for the client: for more requests, or until it takes the answer. A connection with requests
 * left from its turn is ready at once, since its socket can be written. Another thread may have it
 * before epoll_ctl(2) returns: the lock lets it close the socket only afterwards, and nothing here
 * touches the connection any more. */
static bool wait_for(struct connection *connection, int operation)
{
    bool ready = connection->out_used > 0 || connection->more;
    struct epoll_event event = {.events = (ready ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
                                .data.ptr = connection};

    atomic_fetch_add_explicit(&connection->turns, 1, memory_order_release);
    pthread_mutex_lock(&server.lock);
    bool waits = epoll_ctl(server.epoll, operation, connection->socket, &event) == 0;
    pthread_mutex_unlock(&server.lock);
    return waits;
}

static void greet(int socket, const char *kind, const char *why)
{
    char line[IDENTITY_WHY + 16];
    int length = snprintf(line, sizeof(line), "%s %s\n", kind, why);

    (void)!send(socket, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(socket);
}

static void accept_one(void)
{
    static unsigned number;
    char name[32], why[IDENTITY_WHY] = "too many connections";
    int socket = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (socket < 0) {
        return;
    }
    struct connection *connection = NULL;
    if (atomic_load(&server.connection_count) < CONNECTIONS) {
        connection = calloc(1, sizeof(*connection));
    }
    if (connection == NULL) {
        greet(socket, "ERROR", why);
        return;
    }
    snprintf(name, sizeof(name), "connection %u", ++number);
    connection->socket = socket;
    connection->peer = identity_bind(socket, name, why);
    if (connection->peer == NULL) {
        greet(socket, "REFUSED", why);
        free(connection);
        return;
    }
    pthread_mutex_lock(&server.lock);
    connection->next = server.connections;
    connection->before = &server.connections;
    if (connection->next != NULL) {
        connection->next->before = &connection->next;
    }
    server.connections = connection;
    pthread_mutex_unlock(&server.lock);
    atomic_fetch_add(&server.connection_count, 1);
    if (!wait_for(connection, EPOLL_CTL_ADD)) {
        close_connection(connection);
    }
}

/* ---- the pool ----------------------------------------------------------------------------------
 */

/* False: this thread must end. */
static bool serve_connection(struct connection *connection)
{
    char why[IDENTITY_WHY];

    (void)atomic_load_explicit(&connection->turns, memory_order_acquire);
    if (!identity_serve(connection->peer, serve_turn, connection, why)) {
        if (connection->out_used == 0) { /* another answer is not half sent */
            answer(connection, "REFUSED", why);
        }
        (void)flush_answer(connection);
        connection->ending = true;
    }
    if (server.plugin != NULL) {
        server.plugin();
    }
    bool home = identity_home(why);
    if (!home) {
        fprintf(stderr, "fileserver: a thread ends: %s\n", why);
    }
    if (!home || connection->ending || !wait_for(connection, EPOLL_CTL_MOD)) {
        close_connection(connection);
    }
    return home;
}

static void *work(void *argument)
{
    struct worker *self = argument;
    bool home = true;

    while (home) {
        struct epoll_event event;
        int count = epoll_wait(server.epoll, &event, 1, -1);
        if (count == 1 && event.data.ptr == NULL) {
            break;
        }
        if (count == 1) {
            home = serve_connection(event.data.ptr);
        }
    }
    atomic_store(&self->running, false);
    (void)!write(server.events, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

/* Starts what does not run, on the main thread: a new thread is who its creator is. */
static bool fill_pool(void)
{
    for (int i = 0; i < server.thread_count; i++) {
        struct worker *worker = &server.workers[i];
        if (atomic_load(&worker->running)) {
            continue;
        }
        if (worker->started) {
            pthread_join(worker->thread, NULL);
        }
        atomic_store(&worker->running, true);
        worker->started = pthread_create(&worker->thread, NULL, work, worker) == 0;
        if (!worker->started) {
            return complain("a thread");
        }
    }
    return true;
}

static void run(void)
{
    struct pollfd wait[] = {
        {server.signals, POLLIN, 0}, {server.listener, POLLIN, 0}, {server.events, POLLIN, 0}};
    uint64_t ended;

    for (;;) {
        if (poll(wait, 3, -1) < 0) {
            continue;
        }
        if (wait[0].revents != 0) {
            return;
        }
        if (wait[1].revents != 0) {
            accept_one();
        }
        if (wait[2].revents != 0 && read(server.events, &ended, sizeof(ended)) > 0 &&
            !fill_pool()) {
            return;
        }
    }
}

static void end_pool(void)
{
    (void)!write(server.stop, &(uint64_t){1}, sizeof(uint64_t));
    for (int i = 0; i < server.thread_count; i++) {
        if (server.workers[i].started) {
            pthread_join(server.workers[i].thread, NULL);
        }
    }
    while (server.connections != NULL) {
        close_connection(server.connections);
    }
}

/* ---- set-up ------------------------------------------------------------------------------------
 */

static bool listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return complain(path);
    }
    strcpy(address.sun_path, path);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0); /* anyone may connect: the kernel says who it is */
    bool bound = bind(server.listener, (struct sockaddr *)&address, sizeof(address)) == 0;
    int saved = errno;
    umask(mask);
    errno = saved;
    return (bound && listen(server.listener, SOMAXCONN) == 0) || complain(path);
}

/* Signals are blocked before any thread starts, and read by the main thread. */
static bool prepare(void)
{
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = NULL};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    server.signals = signalfd(-1, &set, SFD_CLOEXEC);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.stop = eventfd(0, EFD_CLOEXEC);
    server.events = eventfd(0, EFD_CLOEXEC);
    return (server.signals >= 0 && server.events >= 0 &&
            epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.stop, &stop) == 0) ||
           complain("epoll");
}

/* Code of others that runs on the pool's threads after each turn: after_request(). */
static bool load_plugin(const char *path)
{
    void *module = dlopen(path, RTLD_NOW);

    if (module != NULL) {
        *(void **)&server.plugin = dlsym(module, "after_request");
    }
    if (server.plugin == NULL) {
        fprintf(stderr, "fileserver: %s\n", dlerror());
    }
    return server.plugin != NULL;
}

static int usage(void)
{
    fputs(
        "usage: fileserver --socket PATH --root DIR [--policy FILE] [--audit FILE] [--threads N]\n"
        "                  [--gate] [--plugin FILE]\n",
        stderr);
    return 2;
}

int main(int count, char **arguments)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},  {"root", required_argument, NULL, 'r'},
        {"policy", required_argument, NULL, 'p'},  {"audit", required_argument, NULL, 'a'},
        {"threads", required_argument, NULL, 't'}, {"plugin", required_argument, NULL, 'l'},
        {"gate", no_argument, NULL, 'g'},          {NULL, 0, NULL, 0}};
    struct identity_options identity = {NULL, NULL, false};
    const char *path = NULL, *root = NULL, *plugin = NULL;
    char why[IDENTITY_WHY];

    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            path = optarg;
            break;
        case 'r':
            root = optarg;
            break;
        case 'p':
            identity.policy = optarg;
            break;
        case 'a':
            identity.audit = optarg;
            break;
        case 't':
            server.thread_count = atoi(optarg);
            break;
        case 'l':
            plugin = optarg;
            break;
        case 'g':
            identity.gate = true;
            break;
        default:
            return usage();
        }
    }
    if (path == NULL || root == NULL || optind != count || server.thread_count < 1 ||
        server.thread_count > THREADS) {
        return usage();
    }
    server.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (server.root < 0) {
        complain(root);
        return 1;
    }
    if (!identity_start(&identity, why)) {
        fprintf(stderr, "fileserver: %s\n", why);
        return 1;
    }
    if ((plugin != NULL && !load_plugin(plugin)) || !prepare() || !listen_at(path)) {
        return 1;
    }
    if (fill_pool()) {
        run();
    }
    end_pool();
    unlink(path);
    return 0;
}
