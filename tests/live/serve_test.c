/* SPDX-License-Identifier: MIT */
/*
 * miguard serve: who is served as whom, what hostile and slow clients can do, the socket, and the
 * end.
 *
 * The clients are this test's own, so that they can send anything; what the command makes of an
 * answer is in the rows of `run --connect`.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PATIENCE_MS = 60000, ANSWER = 65536, MAX_WORDS = 40 };

static unsigned passed, failed, skipped;
static char folder[] = "/run/miguard-serve-test.XXXXXX";
static bool is_root;

static void check(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s\n", what);
    }
}

static const char *out_folder(void)
{
    const char *out = getenv("OUT");

    return out != NULL ? out : "build";
}

static void pause_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* ---- programs ------------------------------------------------------------------------------- */

/* $P: the example providers, $T: the folder of this test. */
static void expand(const char *text, char *to, size_t size)
{
    size_t at = 0;

    to[0] = '\0';
    for (; *text != '\0' && at < size; text++) {
        if (text[0] == '$' && (text[1] == 'P' || text[1] == 'T')) {
            at +=
                (size_t)snprintf(to + at, size - at, "%s%s", text[1] == 'P' ? out_folder() : folder,
                                 text[1] == 'P' ? "/providers" : "");
            text++;
        } else {
            at += (size_t)snprintf(to + at, size - at, "%c", *text);
        }
    }
}

static size_t split(char *text, char **words)
{
    char *save = NULL;
    size_t count = 0;

    for (char *word = strtok_r(text, " ", &save); word != NULL && count < MAX_WORDS;
         word = strtok_r(NULL, " ", &save)) {
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

struct program {
    pid_t pid;
    int out; /* its stdout and stderr */
    char text[ANSWER];
    size_t length;
};

/* passed_fd: becomes descriptor 3, as systemd passes one; -1: none. uid 0: stays. */
static void start(struct program *program, const char *command, uid_t uid, int passed_fd)
{
    char text[2048], path[512], pid[32], *words[MAX_WORDS + 1];
    int ends[2];

    expand(command, text, sizeof(text));
    snprintf(path, sizeof(path), "%s/miguard", out_folder());
    words[0] = path;
    split(text, words + 1);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        exit(3);
    }
    program->length = 0;
    program->text[0] = '\0';
    program->pid = fork();
    if (program->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        if (passed_fd >= 0) {
            snprintf(pid, sizeof(pid), "%d", (int)getpid());
            dup2(passed_fd, 3);
            fcntl(3, F_SETFD, 0);
            setenv("LISTEN_PID", pid, 1);
            setenv("LISTEN_FDS", "1", 1);
        }
        if (uid != 0 && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 ||
                         setresuid(uid, uid, uid) != 0)) {
            _exit(126);
        }
        execv(path, words);
        _exit(127);
    }
    close(ends[1]);
    program->out = ends[0];
}

/* Reads its output until `wanted` is there, or it ends. */
static bool await_text(struct program *program, const char *wanted)
{
    while (strstr(program->text, wanted) == NULL) {
        struct pollfd event = {.fd = program->out, .events = POLLIN};
        if (poll(&event, 1, PATIENCE_MS) <= 0) {
            return false;
        }
        ssize_t got = read(program->out, program->text + program->length,
                           sizeof(program->text) - 1 - program->length);
        if (got <= 0) {
            return false;
        }
        program->length += (size_t)got;
        program->text[program->length] = '\0';
    }
    return true;
}

/* Its exit status, with all of its output read; -1: it was killed. */
static int finish(struct program *program)
{
    int status = 0;

    (void)await_text(program, "\1 never");
    close(program->out);
    waitpid(program->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SERVE                                                                                      \
    "serve --audit $T/audit.jsonl --module $P/file.so --module $P/orchard.so --module "            \
    "$P/ticker.so "

/* A server with these options more. False, after a message, when it does not listen. */
static bool start_server(struct program *server, const char *more)
{
    char command[1024];

    snprintf(command, sizeof(command), SERVE "--socket $T/socket --access all %s", more);
    start(server, command, 0, -1);
    if (await_text(server, "listening on ")) {
        return true;
    }
    printf("FAIL the server does not start: %s\n", server->text);
    failed++;
    (void)finish(server);
    return false;
}

static void stop_server(struct program *server, const char *what)
{
    kill(server->pid, SIGTERM);
    int status = finish(server);
    if (status != 0) {
        printf("the server ends with %d: %s\n", status, server->text);
    }
    check(status == 0, what);
}

/* ---- a client ------------------------------------------------------------------------------- */

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

static bool read_all(int fd, void *bytes, size_t length)
{
    char *at = bytes;

    while (length > 0) {
        ssize_t got = recv(fd, at, length, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        length -= (size_t)got;
    }
    return true;
}

static bool send_frame(int fd, char kind, const void *bytes, size_t length)
{
    char head[5] = {kind, (char)(length >> 24), (char)(length >> 16), (char)(length >> 8),
                    (char)length};

    return send(fd, head, sizeof(head), MSG_NOSIGNAL) == (ssize_t)sizeof(head) &&
           (length == 0 || send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length);
}

/* An answer: all text of both kinds, and the exit status; -1: the connection ended before. */
struct answer {
    int status;
    char text[ANSWER];
    size_t length;
};

/* One frame into the answer. '\0': the connection ended. */
static char read_frame(int fd, struct answer *answer)
{
    static unsigned char bytes[65536];
    unsigned char head[5];

    if (!read_all(fd, head, sizeof(head))) {
        return '\0';
    }
    size_t length = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    if (length > sizeof(bytes) || !read_all(fd, bytes, length)) {
        return '\0';
    }
    size_t room = sizeof(answer->text) - 1 - answer->length;
    size_t taken = length < room ? length : room;
    memcpy(answer->text + answer->length, bytes, head[0] == 'X' ? 0 : taken);
    answer->length += head[0] == 'X' ? 0 : taken;
    answer->text[answer->length] = '\0';
    if (head[0] == 'X') {
        answer->status = bytes[0];
    }
    return (char)head[0];
}

static void read_answer(int fd, struct answer *answer)
{
    char kind;

    *answer = (struct answer){.status = -1};
    do {
        kind = read_frame(fd, answer);
    } while (kind != '\0' && kind != 'X');
}

/* A connection that was greeted; -1: it was not. */
static int open_client(struct answer *answer)
{
    int fd = connect_to("socket");

    *answer = (struct answer){.status = -1};
    for (char kind = 'E'; fd >= 0 && kind != 'M';) {
        kind = read_frame(fd, answer);
        if (kind == '\0' || kind == 'X') {
            close(fd);
            fd = -1;
        }
    }
    return fd;
}

/* The words have blanks between them. */
static bool send_words(int fd, const char *text)
{
    char expanded[1024];

    expand(text, expanded, sizeof(expanded));
    size_t length = strlen(expanded) + 1;
    for (size_t i = 0; i < length; i++) {
        expanded[i] = expanded[i] == ' ' ? '\0' : expanded[i];
    }
    return send_frame(fd, 'W', expanded, length);
}

static void ask(int fd, const char *words, struct answer *answer)
{
    *answer = (struct answer){.status = -1};
    if (send_words(fd, words) && send_frame(fd, 'R', NULL, 0)) {
        read_answer(fd, answer);
    }
}

/* Whether a new client is served. */
static bool serves(void)
{
    static struct answer answer;
    int fd = open_client(&answer);

    if (fd < 0) {
        return false;
    }
    ask(fd, "get root/test MG_Tree Name=oak", &answer);
    close(fd);
    return answer.status == 0 && strstr(answer.text, "Height = 21;") != NULL;
}

/* The same, once others have ended. */
static bool serves_soon(void)
{
    for (int i = 0; i < PATIENCE_MS / 50; i++) {
        if (serves()) {
            return true;
        }
        pause_ms(50);
    }
    return false;
}

/* ---- who is served as whom ------------------------------------------------------------------ */

enum { FIRST_ID = 30000, IDENTITIES = 50 };

/* Each identity has a group of its own, and a file that only this group can read. */
static bool become(unsigned i)
{
    gid_t groups[] = {FIRST_ID + 1000 + i, FIRST_ID + 2000};
    uid_t id = FIRST_ID + i;

    return setgroups(2, groups) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;
}

static void make_group_files(void)
{
    char path[128];

    for (unsigned i = 0; i < IDENTITIES; i++) {
        snprintf(path, sizeof(path), "%s/g%u", folder, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || fchown(fd, 0, FIRST_ID + 1000 + i) != 0 || fchmod(fd, 0640) != 0) {
            check(false, "a file for the group");
        }
        close(fd);
    }
}

/* One request, the i-th of an identity. */
static bool right_answer(int fd, unsigned identity, unsigned turn, struct answer *answer)
{
    char words[128], uid[64];
    unsigned other = turn % 2 == 0 ? identity : (identity + 1 + turn / 2) % IDENTITIES;

    snprintf(words, sizeof(words), "get root/test MG_File Path=$T/g%u", other);
    ask(fd, words, answer);
    if (other != identity) {
        return answer->status == 1 && strstr(answer->text, "ACCESS_DENIED (2)") != NULL;
    }
    snprintf(uid, sizeof(uid), "ServedAsUid = %u;\n    ServedAsGid = %u;", FIRST_ID + identity,
             FIRST_ID + identity);
    return answer->status == 0 && strstr(answer->text, uid) != NULL;
}

/* As an own process: exits with the number of wrong answers. */
static void be_identity(unsigned identity, unsigned requests)
{
    static struct answer answer;
    unsigned wrong = 0;

    if (!become(identity)) {
        _exit(255);
    }
    int fd = open_client(&answer);
    for (unsigned i = 0; i < requests; i++) {
        bool good = fd >= 0 && right_answer(fd, identity, i, &answer);
        if (!good && wrong == 0) {
            printf("identity %u, request %u: %d: %.300s\n", identity, i, answer.status,
                   answer.text);
            fflush(stdout);
        }
        wrong += !good;
    }
    _exit(wrong < 254 ? (int)wrong : 254);
}

static void many_identities(void)
{
    const unsigned requests = getenv("QUICK") != NULL ? 20 : 200;
    struct program server;
    pid_t children[IDENTITIES];
    unsigned wrong = 0;

    if (!is_root) {
        printf("skip: %u identities: only root can serve and be others\n", IDENTITIES);
        skipped++;
        return;
    }
    make_group_files();
    if (!start_server(&server, "--max-clients 64")) {
        return;
    }
    fflush(stdout);
    for (unsigned i = 0; i < IDENTITIES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            be_identity(i, requests);
        }
    }
    for (unsigned i = 0; i < IDENTITIES; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        wrong += WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 1;
    }
    printf("%u identities, %u requests each: %u wrong answers\n", IDENTITIES, requests, wrong);
    check(wrong == 0, "each identity is served as itself");
    stop_server(&server, "the server ends well after many identities");
}

/* A root without a capability is not served with the server's. */
static void root_without_capabilities(void)
{
    static struct answer answer;
    struct program server;
    int status = 0;

    if (!is_root) {
        printf("skip: root without capabilities: only root\n");
        skipped++;
        return;
    }
    if (!start_server(&server, "")) {
        return;
    }
    char path[128];
    snprintf(path, sizeof(path), "%s/of-another", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check(file >= 0 && fchown(file, FIRST_ID, FIRST_ID) == 0, "a file of another user");
    close(file);
    int fd = open_client(&answer);
    ask(fd, "get root/test MG_File Path=$T/of-another", &answer);
    check(answer.status == 0, "root reads the file of another user");
    close(fd);
    snprintf(path, sizeof(path), "%s/miguard", out_folder());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char socket_path[128], key[160];
        snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
        snprintf(key, sizeof(key), "Path=%s/of-another", folder);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDERR_FILENO);
        execlp("setpriv", "setpriv", "--bounding-set=-all", "--inh-caps=-all", path, "run",
               "--connect", socket_path, "get", "root/test", "MG_File", key, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        printf("skip: root without capabilities: setpriv is missing\n");
        skipped++;
    } else {
        check(WIFEXITED(status) && WEXITSTATUS(status) == 1,
              "root without capabilities does not read it");
    }
    stop_server(&server, "the server ends well after a root without capabilities");
}

/* A server that is not root serves its own user, and refuses another. */
static void unprivileged_server(void)
{
    static struct answer answer;
    struct program server;
    char path[128];
    int status = 0;

    snprintf(path, sizeof(path), "%s/own", folder);
    if (!is_root || mkdir(path, 0755) != 0 || chown(path, FIRST_ID, FIRST_ID) != 0) {
        printf("skip: a server without root, and another user: only root\n");
        skipped++;
        return;
    }
    start(&server,
          "serve --audit $T/own/audit.jsonl --module $P/orchard.so --socket $T/own/socket "
          "--access all",
          FIRST_ID, -1);
    if (!await_text(&server, "listening on ")) {
        printf("skip: a server without root: it does not start: %s\n", server.text);
        skipped++;
        (void)finish(&server);
        return;
    }
    fflush(stdout);
    for (unsigned i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            uid_t id = FIRST_ID + i;
            if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 ||
                setresuid(id, id, id) != 0) {
                _exit(100);
            }
            int fd = connect_to("own/socket");
            answer.status = -1;
            bool greeted = fd >= 0 && read_frame(fd, &answer) == 'M';
            if (greeted) {
                ask(fd, "get root/test MG_Tree Name=oak", &answer);
            }
            bool refused = answer.status == 3 &&
                           strstr(answer.text, "the server cannot take on your identity") != NULL;
            _exit(i == 0 ? answer.status : refused ? 0 : 101);
        }
        waitpid(child, &status, 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              i == 0 ? "a server without root serves its own user"
                     : "a server without root refuses another user");
    }
    stop_server(&server, "a server without root ends well");
}

/* ---- hostile clients ------------------------------------------------------------------------ */

static const struct {
    const char *name, *bytes;
    size_t length;
    const char *reason; /* in the answer; NULL: the client goes without waiting for one */
} hostile[] = {
    {"nothing", "", 0, NULL},
    {"half a head", "W\0\0", 3, NULL},
    {"half of the words", "W\0\0\0\7get\0", 9, NULL},
    {"a huge length", "W\x7F\xFF\xFF\xFF", 5, "too long"},
    {"the longest length", "W\xFF\xFF\xFF\xFFget", 8, "too long"},
    {"one byte too long", "W\0\1\0\1", 5, "too long"},
    {"no kind of frame", "Z\0\0\0\1x", 6, "no frame"},
    {"a kind of the server", "O\0\0\0\1x", 6, "no frame"},
    {"a NUL as kind", "\0\0\0\0\1x", 6, "no frame"},
    {"HTTP", "GET / HTTP/1.1\r\n\r\n", 18, "no frame"},
    {"empty words", "W\0\0\0\0", 5, "too long"},
    {"words without an end", "W\0\0\0\3get", 8, "needs a NUL"},
    {"words twice", "W\0\0\0\4get\0W\0\0\0\4get\0", 18, "come once"},
    {"input before words", "I\0\0\0\1x", 6, "before its input"},
    {"empty input", "W\0\0\0\4get\0I\0\0\0\0", 14, "too long"},
    {"no words", "R\0\0\0\0", 5, "needs words"},
    {"a complete request that is not empty", "R\0\0\0\1x", 6, "no frame"},
    {"no operation", "W\0\0\0\4xyz\0R\0\0\0\0", 14, "unknown operation"},
    {"an empty word", "W\0\0\0\1\0R\0\0\0\0", 11, "unknown operation"},
    {"help", "W\0\0\0\7--help\0R\0\0\0\0", 17, "does not print help"},
    {"short help", "W\0\0\0\3-h\0R\0\0\0\0", 13, "does not print help"},
    {"an option of the command", "W\0\0\0\x0D--as\0nobody\0\0R\0\0\0\0", 23, "unknown option --as"},
    {"a module", "W\0\0\0\x0F--module\0x.so\0\0R\0\0\0\0", 25, "unknown option --module"},
    {"input without --input", "W\0\0\0\x17list\0root/test\0MG_Tree\0I\0\0\0\1xR\0\0\0\0", 39,
     "no --input"},
};

static void hostile_rows(void)
{
    static struct answer answer;

    for (size_t i = 0; i < COUNT(hostile); i++) {
        int fd = open_client(&answer);
        bool good = fd >= 0 && send(fd, hostile[i].bytes, hostile[i].length, MSG_NOSIGNAL) ==
                                   (ssize_t)hostile[i].length;
        if (good && hostile[i].reason != NULL) {
            read_answer(fd, &answer);
            good = answer.status == 2 && strstr(answer.text, hostile[i].reason) != NULL;
        }
        if (!good) {
            printf("%s: %d: %s\n", hostile[i].name, answer.status, answer.text);
        }
        check(good, hostile[i].name);
        close(fd);
    }
    check(serves(), "a good client is served after hostile ones");
}

static void too_many_words(void)
{
    static struct answer answer;
    char words[2050];
    int fd = open_client(&answer);

    for (size_t i = 0; i < sizeof(words); i += 2) {
        memcpy(words + i, "x", 2);
    }
    check(send_frame(fd, 'W', words, sizeof(words)), "1025 words are sent");
    read_answer(fd, &answer);
    check(answer.status == 2 && strstr(answer.text, "at most 1024 words") != NULL,
          "1025 words are refused");
    close(fd);
}

static void too_much_input(void)
{
    static struct answer answer;
    static char piece[65536];
    int fd = open_client(&answer);

    bool sending = send_words(fd, "get root/test MG_Tree --input -");
    memset(piece, ' ', sizeof(piece));
    for (int i = 0; i < 17 && sending; i++) {
        sending = send_frame(fd, 'I', piece, sizeof(piece));
    }
    read_answer(fd, &answer);
    check(answer.status == 2 && strstr(answer.text, "at most 1 MiB") != NULL,
          "more than 1 MiB of input is refused");
    close(fd);
}

static void passed_descriptors(void)
{
    static struct answer answer;
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char frame[] = "W\0\0\0\4get";
    struct iovec data = {frame, sizeof(frame)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int fd = open_client(&answer), ends[2];

    memset(&control, 0, sizeof(control));
    if (pipe2(ends, O_CLOEXEC) != 0) {
        exit(3);
    }
    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &ends[1], sizeof(int));
    check(sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(frame), "a descriptor is passed");
    close(ends[1]);
    read_answer(fd, &answer);
    check(answer.status == 2 && strstr(answer.text, "descriptors are not taken") != NULL,
          "descriptors are refused");
    struct pollfd event = {.fd = ends[0], .events = POLLIN};
    check(poll(&event, 1, PATIENCE_MS) == 1 && (event.revents & POLLHUP) != 0,
          "the passed descriptor is closed by the server");
    close(ends[0]);
    close(fd);
}

/* Several requests at once wait in the socket, and are answered in their order. */
static void pipelined(void)
{
    static struct answer answer;
    int fd = open_client(&answer);
    bool good = true;

    for (int i = 0; i < 20; i++) {
        good = good &&
               send_words(fd, i % 2 == 0 ? "get root/test MG_Tree Name=oak"
                                         : "list root/test MG_Plum") &&
               send_frame(fd, 'R', NULL, 0);
    }
    for (int i = 0; i < 20; i++) {
        read_answer(fd, &answer);
        good = good && answer.status == (i % 2 == 0 ? 0 : 1);
    }
    check(good, "requests that are sent at once are answered in their order");
    close(fd);
}

static long resident_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "VmRSS: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* Clients that ask for what does not end, and read nothing. */
static void never_reading(const struct program *server)
{
    enum { CLIENTS = 6 };
    static struct answer answer;
    int fds[CLIENTS];

    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = open_client(&answer);
        check(send_words(fds[i], "enumerate root/test MG_Source") &&
                  send_frame(fds[i], 'R', NULL, 0),
              "an enumeration without end begins");
    }
    pause_ms(2000);
    long before = resident_kib(server->pid);
    pause_ms(getenv("QUICK") != NULL ? 2000 : 6000);
    long after = resident_kib(server->pid);
    printf("%d clients that never read: %ld KiB, later %ld KiB\n", CLIENTS, before, after);
    check(before > 0 && after < before + 4096, "the server does not grow with what is not read");
    check(serves(), "a good client is served beside those that never read");
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
}

/* A request is cancelled when its client goes: its place is free again. */
static void closing_early(void)
{
    enum { CLIENTS = 8 }; /* of one user: all that are allowed */
    static struct answer answer;
    int fds[CLIENTS];

    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = open_client(&answer);
        for (int tries = 0; fds[i] < 0 && tries < PATIENCE_MS / 50; tries++) {
            pause_ms(50); /* the clients of the rows before end on their own threads */
            fds[i] = open_client(&answer);
        }
        check(send_words(fds[i], "get root/test MG_Source Name=x") &&
                  send_frame(fds[i], 'R', NULL, 0),
              "a request without an answer begins");
    }
    int more = open_client(&answer);
    check(more < 0 && answer.status == 3 &&
              strstr(answer.text, "too many clients of your user") != NULL,
          "a client beyond those of one user is refused");
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    check(serves_soon(), "what was closed early makes room");
}

static void hostile_clients(void)
{
    struct program server;

    if (!start_server(&server, "--max-per-user 8")) {
        return;
    }
    hostile_rows();
    too_many_words();
    too_much_input();
    passed_descriptors();
    pipelined();
    never_reading(&server);
    closing_early();
    stop_server(&server, "the server ends well after hostile clients");
}

static void limits(void)
{
    static struct answer answer;
    struct program server;

    if (!start_server(&server, "--max-clients 2 --idle 2")) {
        return;
    }
    int first = open_client(&answer), second = open_client(&answer), third = open_client(&answer);
    check(first >= 0 && second >= 0 && third < 0 && answer.status == 3 &&
              strstr(answer.text, "too many clients\n") != NULL,
          "a client beyond all is refused");
    read_answer(first, &answer);
    check(answer.status == 2 && strstr(answer.text, "no request came") != NULL,
          "a client without a request is closed");
    close(first);
    close(second);
    check(serves_soon(), "clients that were closed make room");
    stop_server(&server, "the server ends well after its limits");
}

/* ---- the end -------------------------------------------------------------------------------- */

static void drain(void)
{
    static struct answer answer;
    struct program server;
    struct stat facts;
    char path[128];

    if (!start_server(&server, "--drain 1")) {
        return;
    }
    int waiting = open_client(&answer), hanging = open_client(&answer),
        subscribed = open_client(&answer);
    check(send_words(hanging, "get root/test MG_Source Name=x") &&
              send_frame(hanging, 'R', NULL, 0) &&
              send_words(subscribed, "subscribe root/test MG_Tick") &&
              send_frame(subscribed, 'R', NULL, 0),
          "requests are under way");
    check(read_frame(subscribed, &answer) == 'O', "an indication comes");
    kill(server.pid, SIGTERM);
    read_answer(waiting, &answer);
    check(answer.status == 3 && strstr(answer.text, "the server ends") != NULL,
          "a client that waits is told of the end");
    read_answer(subscribed, &answer);
    check(answer.status == 0, "a subscription ends well with the server");
    read_answer(hanging, &answer);
    check(answer.status != 0, "a request that does not end is ended");
    check(finish(&server) == 0, "the server ends well, with requests under way");
    snprintf(path, sizeof(path), "%s/socket", folder);
    check(lstat(path, &facts) != 0 && errno == ENOENT, "the socket is removed");
    close(waiting);
    close(hanging);
    close(subscribed);
}

/* ---- the socket ----------------------------------------------------------------------------- */

/* A server that must not start. */
static void expect_no_server(const char *command, const char *reason)
{
    struct program server;

    start(&server, command, 0, -1);
    bool listening = await_text(&server, "listening on ");
    if (listening) {
        kill(server.pid, SIGKILL);
    }
    int status = finish(&server);
    bool good = !listening && status == 3 && strstr(server.text, reason) != NULL;
    if (!good) {
        printf("%s: %d: %s\n", command, status, server.text);
    }
    check(good, reason);
}

static mode_t mode_of(const char *name)
{
    struct stat facts;
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return lstat(path, &facts) == 0 ? facts.st_mode & 0777 : 0;
}

static void socket_modes(void)
{
    static const struct {
        const char *words;
        mode_t mode;
    } rows[] = {
        {"--access all", 0666}, {"--access group", 0660}, {"--access owner", 0600}, {"", 0600}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct program server;
        char command[512];
        snprintf(command, sizeof(command), SERVE "--socket $T/modes %s", rows[i].words);
        mode_t before = umask(i % 2 == 0 ? 0 : 0777);
        start(&server, command, 0, -1);
        umask(before);
        check(await_text(&server, "listening on ") && mode_of("modes") == rows[i].mode,
              rows[i].words);
        stop_server(&server, "the server of one mode ends well");
    }
}

static void socket_places(void)
{
    struct program server;
    char path[128], open_path[160];

    if (!start_server(&server, "")) {
        return;
    }
    expect_no_server(SERVE "--socket $T/socket", "another server listens there");
    check(serves(), "a second server leaves the first alone");
    kill(server.pid, SIGKILL);
    check(finish(&server) == -1 && mode_of("socket") == 0666, "a killed server leaves its socket");
    if (!start_server(&server, "")) {
        return;
    }
    check(serves(), "a socket that was left is replaced");
    snprintf(path, sizeof(path), "%s/socket", folder);
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(file);
    stop_server(&server, "a server without its socket ends well");
    check(access(path, F_OK) == 0, "what is not its socket any more is not removed");
    expect_no_server(SERVE "--socket $T/socket", "is no socket");
    unlink(path);
    check(symlink("elsewhere", path) == 0, "a symbolic link");
    expect_no_server(SERVE "--socket $T/socket", "is no socket");
    unlink(path);
    snprintf(open_path, sizeof(open_path), "%s/open", folder);
    check(mkdir(open_path, 0700) == 0 && chmod(open_path, 01777) == 0, "a folder for all");
    expect_no_server(SERVE "--socket $T/open/socket", "writable by");
    expect_no_server(SERVE "--socket $T/nothing/socket", "No such file");
    expect_no_server(SERVE "--socket $T/", "the path of a socket in a folder is needed");
    expect_no_server("serve --audit $T/audit.jsonl --module $P/nothing.so --socket $T/socket",
                     "nothing.so");
    check(access(path, F_OK) != 0, "a server that does not start leaves no socket");
    rmdir(open_path);
}

/* As systemd passes one. */
static void passed_socket(void)
{
    struct program server;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
              listen(fd, 8) == 0,
          "a socket to pass");
    start(&server, SERVE, 0, fd);
    close(fd);
    check(await_text(&server, "listening on ") && serves(), "a passed socket is served");
    stop_server(&server, "a server of a passed socket ends well");
    check(access(address.sun_path, F_OK) == 0, "a passed socket is not removed");
    unlink(address.sun_path);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    start(&server, SERVE, 0, fd);
    close(fd);
    check(finish(&server) == 3 && strstr(server.text, "one listening unix") != NULL,
          "what is no socket is refused");
}

/* ---- run --connect -------------------------------------------------------------------------- */

static const struct {
    const char *command;
    int status;
    const char *text;
} commands[] = {
    {"get root/test MG_Tree Name=oak", 0, "instance of MG_Tree {\n    Name = \"oak\";\n"},
    {"get root/test MG_Tree Name=oak --json", 0, "{\"Name\":\"oak\",\"Height\":21.0,"},
    {"enumerate root/test MG_Fruit --table", 0, "Name    Weight\nacorn   5\n"},
    {"get root/test MG_Tree Name=fig", 1, "miguard: NOT_FOUND (6)"},
    {"get root/test MG_Tree Name=fig --json", 1, "{\"result\":6,\"name\":\"NOT_FOUND\""},
    {"list root/test MG_Plant", 0, "MG_Tree\nMG_Fruit\n"},
    {"class root/test MG_Tree", 0, "class MG_Tree : MG_Plant {\n"},
    {"test-connection root/test", 0, ""},
    {"associators root/test MG_Tree Name=oak --role Tree", 0, "Name = \"acorn\";"},
    {"subscribe root/test MG_Tick --count 2 --json", 0, "{\"Number\":"},
    {"subscribe root/test MG_Tick --timeout 1", 0, "instance of MG_Tick"},
    {"get root/test MG_Source Name=x --timeout 1", 1, "miguard: FAILED (1)"},
    {"get root/test MG_Tree --input $T/in.mof", 0, "Height = 21;"},
    {"get root/test MG_Fruit --input $T/in.mof", 2,
     "/in.mof:1:1: an instance of MG_Fruit is needed, not of MG_Tree\n"},
    {"get root/test MG_Tree --input /nonexistent", 3, "No such file"},
    {"get root/test MG_Tree --module $P/orchard.so", 2, "--connect or --module, not both"},
    {"get root/test MG_Tree --as root", 2, "--connect or --as, not both"},
    {"gte root/test MG_Tree", 2, "did you mean get?"},
};

static void connected_commands(void)
{
    struct program server, client;
    char path[128];

    if (!start_server(&server, "")) {
        return;
    }
    snprintf(path, sizeof(path), "%s/in.mof", folder);
    FILE *file = fopen(path, "we");
    if (file != NULL) {
        fputs("instance of MG_Tree { Name = \"oak\"; };\n", file);
        fclose(file);
    }
    for (size_t i = 0; i < COUNT(commands); i++) {
        char command[512];
        snprintf(command, sizeof(command), "run --connect $T/socket %s", commands[i].command);
        start(&client, command, 0, -1);
        int status = finish(&client);
        bool good = status == commands[i].status && strstr(client.text, commands[i].text) != NULL;
        if (!good) {
            printf("%s: %d: %s\n", commands[i].command, status, client.text);
        }
        check(good, commands[i].command);
    }
    start(&client, "run --connect $T/socket subscribe root/test MG_Tick", 0, -1);
    check(await_text(&client, "};\n"), "an indication comes over the socket");
    kill(client.pid, SIGINT);
    check(finish(&client) == 0, "SIGINT ends a subscription over the socket");
    start(&client, "run --connect $T/nothing list root/test", 0, -1);
    check(finish(&client) == 3 && strstr(client.text, "No such file") != NULL, "no server");
    stop_server(&server, "the server of commands ends well");
}

/* A server that is hostile itself: it answers with what a terminal would obey. */
static void hostile_server(void)
{
    static const char answer[] = "M\0\0\0\x0Fmiguard-serve 1O\0\0\0\x0B\x1B[2Jx\xE2\x82\n\x9By\n"
                                 "X\0\0\0\1\7";
    struct program client;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/hostile", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listener >= 0 &&
              bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
              listen(listener, 1) == 0,
          "a hostile server listens");
    start(&client, "run --connect $T/hostile list root/test", 0, -1);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(answer) - 1,
          "a hostile server answers");
    int status = finish(&client);
    check(status == 3 && strchr(client.text, '\x1B') == NULL &&
              strstr(client.text, "\\x001B[2Jx") != NULL,
          "what a server sends is safe for a terminal");
    close(fd);
    start(&client, "run --connect $T/hostile list root/test", 0, -1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(send(fd, "O\xFF\xFF\xFF\xFF", 5, MSG_NOSIGNAL) == 5, "a hostile server sends a length");
    check(finish(&client) == 3 && strstr(client.text, "is no frame") != NULL,
          "a length of a server is refused");
    close(fd);
    close(listener);
    unlink(address.sun_path);
}

static void clean_up(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0) {
        printf("%s stays\n", folder);
    }
}

int main(void)
{
    is_root = geteuid() == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        printf("skip: miguard serve: no folder below /run\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    many_identities();
    root_without_capabilities();
    unprivileged_server();
    hostile_clients();
    limits();
    drain();
    socket_modes();
    socket_places();
    passed_socket();
    connected_commands();
    hostile_server();
    clean_up();
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
