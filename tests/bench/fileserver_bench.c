/* SPDX-License-Identifier: MIT */
/*
 * Requests per second of the example file server (tests/examples/fileserver): with the library,
 * gated, with the gate of the bounding set and without one, against the same server with identities
 * by hand. All run at a time and are asked in turn, round by round; a ratio is of the two rounds
 * beside each other. By hand 13 of the 18 components are compared, so the library is measured with
 * these alone, too ("same components").
 *
 * One at a time: each client waits for its answer before it asks again, so each request is a switch
 * and a way back. Together: each client sends 32 requests before it reads, which a server may serve
 * in one switch.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "support/raw.h"

enum { ROUNDS = 41, CLIENTS = 4, REQUESTS = 250, TOGETHER = 32, FIRST_UID = 40000 };
enum { BY_HAND, SAME_COMPONENTS, UNGATED, BOUNDING, GATED, SERVERS };

/* What compares more components than the server by hand has no goal: each request then asks for
 * facts that the other side never looks at. Without a gate 80 of its 162 system calls ask a root
 * thread for its bounding set, one bit each (the kernel has no other call); with `scope: bounding`
 * these are gone, and the rest of the five further components stays. Rows of the same components
 * have a goal, and so have gated ones, whose check makes no system call whatever it compares. */
#define SERVER_ROW(key, how, what, most)                                                           \
    {                                                                                              \
        .name = "server." key, .goal = (most), .first = "a request " how ", " what,                \
        .second = "the same, identities by hand", .unit = "ns",                                    \
        .leaves_out =                                                                              \
            "a network: clients and servers share the processors; files that are not in "          \
            "the page cache; refusals"                                                             \
    }

/* A row for each server but the one by hand, in their order; one at a time, then together. */
static const struct bench_row server_rows[] = {
    SERVER_ROW("alone-same", "at a time", "same components, ungated", 1),
    SERVER_ROW("alone-ungated", "at a time", "all components, ungated", BENCH_NO_GOAL),
    SERVER_ROW("alone-bounding", "at a time", "all components, scope: bounding", BENCH_NO_GOAL),
    SERVER_ROW("alone-gated", "at a time", "all components, gated", 1),
    SERVER_ROW("together-same", "of 32 together", "same components, ungated", 1),
    SERVER_ROW("together-ungated", "of 32 together", "all components, ungated", BENCH_NO_GOAL),
    SERVER_ROW("together-bounding", "of 32 together", "all components, scope: bounding",
               BENCH_NO_GOAL),
    SERVER_ROW("together-gated", "of 32 together", "all components, gated", 1),
};

struct running {
    pid_t process;
    char socket[128];
    int connections[CLIENTS];
};

static const char *base;
static struct running servers[SERVERS];

/* ---- the servers -------------------------------------------------------------------------------
 */

static void run_server(int number)
{
    char program[256], audit[128], root[128], policy[128];
    const char *out = getenv("OUT");
    const char *arguments[16] = {program,     "--socket", servers[number].socket, "--root", root,
                                 "--threads", "2"};
    int count = 7;

    snprintf(program, sizeof(program), "%s/examples/fileserver%s", out != NULL ? out : "build",
             number == BY_HAND ? "_by_hand" : "");
    snprintf(root, sizeof(root), "%s/root", base);
    snprintf(audit, sizeof(audit), "%s/audit%d", base, number);
    snprintf(policy, sizeof(policy), "%s/policy%s", base,
             number == SAME_COMPONENTS ? "-same"
             : number == BOUNDING      ? "-bounding"
                                       : "");
    if (number != BY_HAND) {
        arguments[count++] = "--policy";
        arguments[count++] = policy;
        arguments[count++] = "--audit";
        arguments[count++] = audit;
    }
    if (number == GATED) {
        arguments[count++] = "--gate";
    }
    execv(program, (char **)arguments);
    _exit(98);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A connection belongs to who connects: a thread of that identity. */
struct connecting {
    int server, client;
};

static void connect_as_client(void *argument)
{
    const struct connecting *connecting = argument;
    const uid_t uid = (uid_t)(FIRST_UID + connecting->client);
    struct running *running = &servers[connecting->server];

    if (!raw_become(uid, uid)) {
        abort();
    }
    running->connections[connecting->client] = connect_to(running->socket);
}

static bool start_server(int number)
{
    struct running *running = &servers[number];
    int fd = -1;

    snprintf(running->socket, sizeof(running->socket), "%s/socket%d", base, number);
    fflush(NULL);
    running->process = fork();
    if (running->process == 0) {
        run_server(number);
    }
    for (int i = 0; fd < 0 && i < 1000; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        fd = connect_to(running->socket);
    }
    close(fd);
    for (int client = 0; client < CLIENTS; client++) {
        raw_on_thread(connect_as_client, &(struct connecting){number, client});
        if (running->connections[client] < 0) {
            return false;
        }
    }
    return true;
}

static void end_servers(void)
{
    for (int i = 0; i < SERVERS; i++) {
        kill(servers[i].process, SIGTERM);
        waitpid(servers[i].process, NULL, 0);
    }
}

/* ---- the clients --------------------------------------------------------------------------------
 */

/* Each client reads a file of its own, of this size. */
enum { CONTENT = 1024, ANSWER = CONTENT + sizeof("OK 1024\n") - 1 };

struct client {
    pthread_t thread;
    int number, connection, together;
};

static void *ask(void *argument)
{
    struct client *client = argument;
    static __thread char answers[ANSWER * TOGETHER];
    char requests[32 * TOGETHER];
    size_t used = 0;

    for (int i = 0; i < client->together; i++) {
        used += (size_t)snprintf(requests + used, sizeof(requests) - used, "READ u%d/file\n",
                                 client->number);
    }
    for (int done = 0; done < REQUESTS; done += client->together) {
        const size_t wanted = ANSWER * (size_t)client->together;
        if (send(client->connection, requests, used, MSG_NOSIGNAL) != (ssize_t)used ||
            recv(client->connection, answers, wanted, MSG_WAITALL) != (ssize_t)wanted ||
            memcmp(answers, "OK 1024\n", 8) != 0) {
            fprintf(stderr, "bench: the file server answers %.60s\n", answers);
            abort();
        }
    }
    return NULL;
}

/* Nanoseconds for a request of one round. */
static double round_of(int server, int together)
{
    struct client clients[CLIENTS];
    double start = nanoseconds();

    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){
            .number = i, .connection = servers[server].connections[i], .together = together};
        if (pthread_create(&clients[i].thread, NULL, ask, &clients[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    return (nanoseconds() - start) / (CLIENTS * REQUESTS);
}

static void compare_servers(int together, const struct bench_row *rows)
{
    double times[SERVERS];

    for (int i = -1; i < bench_rounds(ROUNDS); i++) { /* -1 warms up */
        for (int k = 0; k < SERVERS; k++) {
            int server = (i + k + SERVERS) % SERVERS; /* none is always the first */
            times[server] = round_of(server, together);
        }
        for (int k = BY_HAND + 1; k < SERVERS && i >= 0; k++) {
            bench_pair(&rows[k - 1], times[k], times[BY_HAND]);
        }
    }
}

static void write_file(const char *path, const char *content, size_t size, uid_t uid)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, content, size) != (ssize_t)size || fchown(fd, uid, uid) != 0) {
        abort();
    }
    close(fd);
}

static void make_files(void)
{
    static char content[CONTENT];
    static const char policy[] = "version: 1\n";
    static const char same[] =
        "version: 1\n"
        "compare: [ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid, groups,\n"
        "          cap-effective, cap-permitted, cap-inheritable, securebits]\n";
    static const char bounding[] = "version: 1\ngate: { scope: bounding }\n";
    char path[128];

    snprintf(path, sizeof(path), "%s/policy", base);
    write_file(path, policy, sizeof(policy) - 1, 0);
    snprintf(path, sizeof(path), "%s/policy-same", base);
    write_file(path, same, sizeof(same) - 1, 0);
    snprintf(path, sizeof(path), "%s/policy-bounding", base);
    write_file(path, bounding, sizeof(bounding) - 1, 0);
    snprintf(path, sizeof(path), "%s/root", base);
    mkdir(path, 0755);
    for (int i = 0; i < CLIENTS; i++) {
        const uid_t uid = (uid_t)(FIRST_UID + i);
        snprintf(path, sizeof(path), "%s/root/u%d", base, i);
        if (mkdir(path, 0700) != 0 || chown(path, uid, uid) != 0) {
            abort();
        }
        snprintf(path, sizeof(path), "%s/root/u%d/file", base, i);
        write_file(path, content, sizeof(content), uid);
    }
}

BENCH_GROUP_DECLARE(server);

static void run_server_rows(void)
{
    base = geteuid() == 0 ? bench_folder("/run") : NULL;
    if (base == NULL) {
        bench_skip_all(&bench_group_server, "needs root");
        return;
    }
    chmod(base, 0755);
    make_files();
    bool started = true;
    for (int i = 0; i < SERVERS; i++) {
        started = start_server(i) && started;
    }
    if (started) {
        compare_servers(1, &server_rows[0]);
        compare_servers(TOGETHER, &server_rows[SERVERS - 1]);
    } else {
        bench_skip_all(&bench_group_server, "a server cannot be started");
    }
    end_servers();
}

BENCH_GROUP(server, server_rows, run_server_rows);
