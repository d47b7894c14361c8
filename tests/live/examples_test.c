/* SPDX-License-Identifier: MIT */
/*
 * The example file server (tests/examples/fileserver), run as a user would: 10,000 acts of 50
 * identities at a time, what it must refuse, a plug-in that leaves its thread as another, a server
 * without privilege. Each client is a thread that becomes its identity by raw calls before it
 * connects. What is counted as wrong is what a client sees and what the files say afterwards.
 *
 * FILESERVER=path tests that server in place of the built one, CK_RUN_CASE=acts only the acts.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/raw.h"

enum { IDENTITIES = 50, ACTS = 10000, FIRST_UID = 40000, FIRST_GID = 50000 };
enum { MEMBERS = 60000, GUESTS = 60001 }; /* a group of the even ones, and of the odd ones */
enum { CONNECTIONS = 4 };                 /* of each identity, one after another */
enum { WITH_PLUGIN = 2000 };

static uid_t uid_of(int i)
{
    return (uid_t)(FIRST_UID + i);
}

static gid_t gid_of(int i)
{
    return (gid_t)(FIRST_GID + i);
}

/* ---- a place for one server -------------------------------------------------------------------
 */

/* Below /run: others can write /tmp, where a policy is refused. */
static char base[64], socket_path[96], root_path[96], policy_path[96], audit_path[96],
    said_path[96];
static pid_t server;

static const char policy[] = "version: 1\n"
                             "rules:\n"
                             "  - name: guests-remove-nothing\n"
                             "    match: {provider: fileserver, group: 60001, action: remove}\n"
                             "    decision: deny\n"
                             "    reason: ask a member\n";

static void put(const char *path, const char *text, uid_t uid, gid_t gid, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchown(fd, uid, gid), 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void below(char path[96], const char *name)
{
    snprintf(path, 96, "%s/%s", base, name);
}

static void make_place(const char *parent)
{
    snprintf(base, sizeof(base), "%s/miguard-examples.XXXXXX", parent);
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(chmod(base, 0755), 0);
    below(socket_path, "socket");
    below(root_path, "root");
    below(policy_path, "policy.yaml");
    below(audit_path, "audit.jsonl");
    below(said_path, "said");
    ck_assert_int_eq(mkdir(root_path, 0755), 0);
    put(policy_path, policy, geteuid(), getegid(), 0644);
}

/* A folder for each identity, which only it can open, and a file for the members. */
static void make_files(void)
{
    char path[160];

    for (int i = 0; i < IDENTITIES; i++) {
        snprintf(path, sizeof(path), "%s/u%d", root_path, i);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(chown(path, uid_of(i), gid_of(i)), 0);
    }
    snprintf(path, sizeof(path), "%s/shared", root_path);
    put(path, "for members", 0, MEMBERS, 0640);
}

static void remove_place(void)
{
    char command[128];

    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        server = 0;
    }
    if (base[0] != '\0') {
        snprintf(command, sizeof(command), "rm -rf %s", base);
        ck_assert_int_eq(system(command), 0);
        base[0] = '\0';
    }
}

static void print_file(const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");

    for (int i = 0; file != NULL && i < 20 && fgets(line, sizeof(line), file) != NULL; i++) {
        printf("    %s", line);
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* How many lines of a file hold both texts. */
static long lines_with(const char *path, const char *first, const char *second)
{
    static char line[65536];
    long count = 0;
    FILE *file = fopen(path, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, first) != NULL && strstr(line, second) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

/* ---- the server ---------------------------------------------------------------------------------
 */

static int connect_to_server(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char *built(const char *name)
{
    static char path[256];
    const char *out = getenv("OUT");

    snprintf(path, sizeof(path), "%s/examples/%s", out != NULL ? out : "build", name);
    return path;
}

static void run_server(const char *program, const char *const more[], uid_t uid)
{
    const char *arguments[24] = {program, "--socket", socket_path, "--root", root_path};
    int count = 5;

    while (more != NULL && *more != NULL) {
        arguments[count++] = *more++;
    }
    int said = open(said_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(said, 2);
    if (uid != geteuid() && !raw_become(uid, uid)) {
        _exit(99);
    }
    execv(program, (char **)arguments);
    _exit(98);
}

/* Waits until it listens, or is gone. */
static bool start_as(const char *program, const char *const more[], uid_t uid)
{
    fflush(NULL);
    server = fork();
    if (server == 0) {
        run_server(program, more, uid);
    }
    for (int i = 0; i < 3000; i++) {
        int fd = connect_to_server();
        if (fd >= 0) {
            close(fd);
            return true;
        }
        if (waitpid(server, NULL, WNOHANG) == server) {
            server = 0;
            return false;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return false;
}

static void start(const char *program, const char *const more[])
{
    bool started = start_as(program, more, geteuid());

    if (!started) {
        print_file(said_path);
    }
    ck_assert(started);
}

/* An orderly end: everything is released, which the sanitizers look at. */
static void stop(void)
{
    int status = -1;

    kill(server, SIGTERM);
    ck_assert_int_eq(waitpid(server, &status, 0), server);
    server = 0;
    if (status != 0) {
        print_file(said_path);
    }
    ck_assert_int_eq(status, 0);
}

/* ---- a client -----------------------------------------------------------------------------------
 */

enum { ANSWER = 70000 };

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The line of an answer, without its end, and the content of an OK behind it. The count of bytes of
 * content, or -1. */
static long receive(int fd, char *line, size_t size, char *content)
{
    size_t used = 0;

    while (used + 1 < size && recv(fd, line + used, 1, 0) == 1 && line[used] != '\n') {
        used++;
    }
    line[used] = '\0';
    if (strncmp(line, "OK ", 3) != 0) {
        return -1;
    }
    long length = strtol(line + 3, NULL, 10);
    if (length > 0 &&
        (length >= ANSWER || recv(fd, content, (size_t)length, MSG_WAITALL) != length)) {
        snprintf(line, size, "cut off");
        return -1;
    }
    content[length] = '\0';
    return length;
}

/* What a client is answered: the line, and what was read. */
struct answer {
    char line[2048];
    char content[ANSWER];
};

static const char *ask(int fd, struct answer *answer, const char *request)
{
    answer->line[0] = answer->content[0] = '\0';
    if (!send_all(fd, request, strlen(request)) ||
        (receive(fd, answer->line, sizeof(answer->line), answer->content) < 0 &&
         answer->line[0] == '\0')) {
        snprintf(answer->line, sizeof(answer->line), "no answer");
    }
    return answer->line;
}

static bool is_answer(const struct answer *answer, const char *beginning)
{
    return strncmp(answer->line, beginning, strlen(beginning)) == 0;
}

/* ---- 10,000 acts --------------------------------------------------------------------------------
 */

static int wanted = ACTS;
static atomic_int acts, wrong, refused, denied;

static void expect(bool good, int i, const char *request, const struct answer *answer)
{
    atomic_fetch_add(&acts, 1);
    if (!good && atomic_fetch_add(&wrong, 1) < 10) {
        printf("wrong: identity %d: %s -> %s %s\n", i, request, answer->line, answer->content);
    }
}

/* Acts 0 to 9 of a round. with_policy: the server has one. */
static void act(int fd, int i, int number, bool with_policy, struct answer *answer)
{
    const char *denial = "ERROR Permission denied";
    char request[256], content[64];
    bool good;

    snprintf(content, sizeof(content), "act %d of uid %u", number / 10, uid_of(i));
    switch (number % 10) {
    case 0:
    case 3:
        snprintf(request, sizeof(request), "WRITE u%d/f%d %zu\n%s", i, number % 2, strlen(content),
                 content);
        good = strcmp(ask(fd, answer, request), "OK 0") == 0;
        break;
    case 5:
    case 7: /* another's file: for the kernel to refuse */
        snprintf(request, sizeof(request), "READ u%d/f0\n", (i + 1 + number % 7) % IDENTITIES);
        good = strcmp(ask(fd, answer, request), denial) == 0;
        atomic_fetch_add(&denied, good);
        break;
    case 6: /* by a group that the peer has, or has not */
        snprintf(request, sizeof(request), "READ shared\n");
        ask(fd, answer, request);
        good = i % 2 == 0 ? strcmp(answer->content, "for members") == 0 : is_answer(answer, denial);
        break;
    case 8: /* by a rule of the policy */
        snprintf(request, sizeof(request), "REMOVE u%d/f0\n", i);
        ask(fd, answer, request);
        good = i % 2 == 0 || !with_policy ? strcmp(answer->line, "OK 0") == 0
                                          : is_answer(answer, "REFUSED ") &&
                                                strstr(answer->line, "guests-remove-nothing") &&
                                                strstr(answer->line, "ask a member");
        atomic_fetch_add(&refused, is_answer(answer, "REFUSED "));
        break;
    case 9:
        snprintf(request, sizeof(request), "WRITE u%d/new %d\n", (i + 2) % IDENTITIES, 0);
        good = strcmp(ask(fd, answer, request), denial) == 0;
        break;
    default: /* 1, 2, 4: what was written before, and nothing else */
        snprintf(request, sizeof(request), "READ u%d/f%d\n", i, number % 10 == 4);
        ask(fd, answer, request);
        good = strcmp(answer->content, content) == 0;
    }
    expect(good, i, request, answer);
}

struct client {
    pthread_t thread;
    int number;
    bool with_policy;
};

static void *be_a_client(void *argument)
{
    const struct client *client = argument;
    const int i = client->number, rounds = wanted / IDENTITIES / CONNECTIONS;
    const gid_t groups[] = {i % 2 == 0 ? MEMBERS : GUESTS};
    struct answer *answer = malloc(sizeof(*answer));

    if (answer == NULL || !raw_setgroups(1, groups) ||
        !raw_setresgid(gid_of(i), gid_of(i), gid_of(i)) ||
        !raw_setresuid(uid_of(i), uid_of(i), uid_of(i))) {
        abort();
    }
    for (int connection = 0; connection < CONNECTIONS; connection++) {
        int fd = connect_to_server();
        for (int k = 0; k < rounds; k++) {
            act(fd, i, k, client->with_policy, answer);
        }
        close(fd);
    }
    free(answer);
    return NULL;
}

/* Every file belongs to its identity, and is where it should be. */
static void check_files(void)
{
    char path[160];
    struct stat status;

    for (int i = 0; i < IDENTITIES; i++) {
        snprintf(path, sizeof(path), "%s/u%d/f1", root_path, i);
        ck_assert_int_eq(stat(path, &status), 0);
        ck_assert_uint_eq(status.st_uid, uid_of(i));
        ck_assert_uint_eq(status.st_gid, gid_of(i));
        snprintf(path, sizeof(path), "%s/u%d/new", root_path, i);
        ck_assert_int_eq(access(path, F_OK), -1);
    }
}

static void all_act(bool with_policy)
{
    struct client clients[IDENTITIES];

    for (int i = 0; i < IDENTITIES; i++) {
        clients[i] = (struct client){.number = i, .with_policy = with_policy};
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, be_a_client, &clients[i]), 0);
    }
    for (int i = 0; i < IDENTITIES; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    if (atomic_load(&wrong) != 0) {
        print_file(said_path);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_eq(atomic_load(&acts), wanted);
    ck_assert_int_eq(atomic_load(&denied), wanted / 5);
    ck_assert_int_eq(atomic_load(&refused), with_policy ? wanted / 20 : 0);
    check_files();
}

/* Without root no folder is at hand that only this user can write, as a policy must lie in: then
 * the standard one applies. */
static const char *const *options(void)
{
    static const char *words[6];

    words[0] = "--audit";
    words[1] = audit_path;
    words[2] = geteuid() == 0 ? "--policy" : NULL;
    words[3] = policy_path;
    return words;
}

static const char *where(void)
{
    return geteuid() == 0 ? "/run" : "/tmp";
}

static const char *fileserver(void)
{
    const char *other = getenv("FILESERVER");
    return other != NULL ? other : built("fileserver");
}

static bool root(const char *what)
{
    if (geteuid() != 0) {
        printf("skip: %s: needs root\n", what);
    }
    return geteuid() == 0;
}

static void with_records(bool gate)
{
    const char *const more[] = {
        "--policy", policy_path, "--audit", audit_path, gate ? "--gate" : NULL, NULL};

    if (!root("10,000 acts")) {
        return;
    }
    make_place("/run");
    make_files();
    start(fileserver(), more);
    all_act(true);
    stop();
    /* One more connection: the one that found the server listening. */
    ck_assert_int_eq(
        lines_with(audit_path, "\"action\":\"session-open\"", "\"object\":\"connection "),
        IDENTITIES * CONNECTIONS + 1);
    ck_assert_int_ge(lines_with(audit_path, "guests-remove-nothing", "\"operation\":\"remove\""),
                     IDENTITIES / 2);
}

START_TEST(fifty_identities_act_and_none_wrongly)
{
    with_records(false);
}
END_TEST

START_TEST(the_same_behind_the_gate)
{
    with_records(true);
}
END_TEST

/* What it is compared with is right as well. */
START_TEST(the_same_by_hand)
{
    if (!root("10,000 acts by hand")) {
        return;
    }
    make_place("/run");
    make_files();
    start(built("fileserver_by_hand"), NULL);
    all_act(false);
    stop();
}
END_TEST

/* ---- a plug-in that leaves its thread as another ----------------------------------------------
 */

static const struct {
    const char *how;
    bool gate, by_hand, comes_back;
} plugins[] = {
    {"fsuid", false, false, true},     {"euid", false, false, true},
    {"groups", false, false, true},    {"permitted", false, false, false},
    {"fsuid", true, false, true},      {"permitted", true, false, true},
    {"fsuid", false, true, true},      {"euid", false, true, true},
    {"permitted", false, true, false},
};

START_TEST(a_thread_that_is_left_switched_is_caught)
{
    const bool by_hand = plugins[_i].by_hand;
    char plugin[256];
    const char *const more[] = {"--plugin",
                                plugin,
                                "--policy",
                                policy_path,
                                "--audit",
                                audit_path,
                                plugins[_i].gate ? "--gate" : NULL,
                                NULL};
    const char *const alone[] = {"--plugin", plugin, NULL};

    if (!root("a plug-in") || (by_hand && getenv("FILESERVER") != NULL)) {
        return;
    }
    snprintf(plugin, sizeof(plugin), "%s", built("plugin.so"));
    make_place("/run");
    make_files();
    wanted = WITH_PLUGIN;
    setenv("PLUGIN", plugins[_i].how, 1);
    setenv("PLUGIN_EVERY", "10", 1);
    start(by_hand ? built("fileserver_by_hand") : fileserver(), by_hand ? alone : more);
    if (plugins[_i].comes_back) {
        all_act(!by_hand);
    } else {
        /* Its thread ends, and its connection with it; what is served is served rightly. */
        struct answer *answer = calloc(1, sizeof(*answer));
        for (int k = 0; k < 40; k++) {
            int fd = connect_to_server();
            ask(fd, answer, "READ shared\n");
            ck_assert_msg(strcmp(answer->content, "for members") == 0 ||
                              strcmp(answer->line, "no answer") == 0,
                          "%s", answer->line);
            close(fd);
        }
        free(answer);
        ck_assert_int_ge(lines_with(said_path, "a thread ends", ""), 3);
    }
    stop();
    if (!by_hand) {
        long found = lines_with(audit_path, "\"reason\":\"left-switched\"", "");
        long lost = lines_with(audit_path, "\"reason\":\"not-restored\"", "");
        ck_assert_int_eq(found > 0, !plugins[_i].gate && plugins[_i].comes_back);
        ck_assert_int_eq(lost > 0, !plugins[_i].comes_back);
    }
}
END_TEST

/* ---- a server without privilege ---------------------------------------------------------------
 */

struct asking {
    uid_t uid; /* wholly, unless it is the caller's */
    struct answer answer;
};

static void *ask_on_a_thread(void *argument)
{
    struct asking *asking = argument;

    if (asking->uid != geteuid() && !raw_become(asking->uid, asking->uid)) {
        abort();
    }
    int fd = connect_to_server();
    ask(fd, &asking->answer, "READ file\n");
    close(fd);
    return NULL;
}

static const struct answer *ask_as(uid_t uid)
{
    static struct asking asking;
    pthread_t thread;

    asking.uid = uid;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_on_a_thread, &asking), 0);
    pthread_join(thread, NULL);
    return &asking.answer;
}

START_TEST(without_privilege_it_serves_itself_only)
{
    const bool as_root = geteuid() == 0;
    const uid_t uid = as_root ? uid_of(1) : geteuid();
    const char *cannot = "REFUSED the kernel refused the change";
    char path[160];

    make_place(where());
    snprintf(path, sizeof(path), "%s/file", root_path);
    put(path, "for all", geteuid(), getegid(), 0644);
    ck_assert(!as_root || (chown(base, uid, uid) == 0 && chown(policy_path, uid, uid) == 0));
    ck_assert(start_as(fileserver(), options(), uid));
    ck_assert_str_eq(ask_as(uid)->content, "for all");
    if (as_root) {
        ck_assert_msg(is_answer(ask_as(uid_of(2)), cannot), "%s", ask_as(uid_of(2))->line);
        ck_assert_msg(is_answer(ask_as(0), cannot), "%s", ask_as(0)->line);
        ck_assert_str_eq(ask_as(0)->content, "");
    }
    stop();
}
END_TEST

/* ---- requests ----------------------------------------------------------------------------------
 */

static const struct {
    const char *request, *answer;
} requests[] = {
    {"READ\n", "ERROR malformed request"},
    {"read file\n", "ERROR malformed request"},
    {"WRITE file\n", "ERROR malformed request"},
    {"WRITE file -1\n", "ERROR malformed request"},
    {"WRITE file 65537\n", "ERROR malformed request"},
    {"WRITE file 99999999999999999999\n", "ERROR malformed request"},
    {"READ \n", "ERROR Invalid argument"},
    {"READ /etc/passwd\n", "ERROR Invalid argument"},
    {"READ ../said\n", "ERROR Invalid argument"},
    {"READ u0/../../said\n", "ERROR Invalid argument"},
    {"REMOVE ..\n", "ERROR Invalid argument"},
    {"READ link/environ\n", "ERROR Not a directory"},
    {"READ pipe\n", "ERROR Invalid argument"},
    {"WRITE pipe 1\nx", "ERROR No such device or address"},
    {"READ u0\n", "ERROR Invalid argument"},
    {"READ missing\n", "ERROR No such file or directory"},
    {"WRITE with space 2\nab", "OK 0"},
};

START_TEST(a_request_is_bounded_and_leads_nowhere_else)
{
    static struct answer answer;
    char path[160], line[4096];

    make_place(where());
    snprintf(path, sizeof(path), "%s/u0", root_path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/link", root_path);
    ck_assert_int_eq(symlink("/proc/self", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", root_path);
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    start(fileserver(), options());
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = connect_to_server();
        ask(fd, &answer, requests[i].request);
        ck_assert_msg(strcmp(answer.line, requests[i].answer) == 0, "%s: %s", requests[i].request,
                      answer.line);
        close(fd);
    }
    memset(line, 'x', sizeof(line) - 1);
    memcpy(line, "READ ", 5);
    int fd = connect_to_server();
    ask(fd, &answer, line);
    ck_assert_str_eq(answer.line, "ERROR malformed request");
    close(fd);
    stop();
}
END_TEST

/* Many at once, more than a turn has, and one in pieces. */
START_TEST(requests_may_come_together_or_in_pieces)
{
    enum { MANY = 200 };
    static struct answer answer;
    const char pieces[] = "WRITE f 3\nabcREAD f\n";

    make_place(where());
    start(fileserver(), options());
    int fd = connect_to_server();
    for (const char *piece = pieces; *piece != '\0'; piece++) {
        ck_assert(send_all(fd, piece, 1));
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    receive(fd, answer.line, sizeof(answer.line), answer.content);
    receive(fd, answer.line, sizeof(answer.line), answer.content);
    ck_assert_str_eq(answer.content, "abc");
    for (int i = 0; i < MANY; i++) {
        ck_assert(send_all(fd, "READ f\n", 7));
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(receive(fd, answer.line, sizeof(answer.line), answer.content), 3);
    }
    close(fd);
    stop();
}
END_TEST

START_TEST(a_broken_policy_stops_it)
{
    const char *const more[] = {"--policy", policy_path, "--audit", audit_path, NULL};

    make_place(where());
    put(policy_path, "version: 1\nrules: maybe\n", geteuid(), getegid(), 0644);
    ck_assert(!start_as(fileserver(), more, geteuid()));
    ck_assert_int_ge(lines_with(said_path, "fileserver: a policy file has errors", ""), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("examples");
    TCase *many = tcase_create("acts"), *all = tcase_create("rest");
    SRunner *runner = srunner_create(suite);

    signal(SIGPIPE, SIG_IGN);
    tcase_add_checked_fixture(many, NULL, remove_place);
    tcase_add_checked_fixture(all, NULL, remove_place);
    tcase_set_timeout(many, 300);
    tcase_set_timeout(all, 300);
    tcase_add_test(many, fifty_identities_act_and_none_wrongly);
    tcase_add_test(many, the_same_behind_the_gate);
    if (getenv("FILESERVER") == NULL) {
        tcase_add_test(many, the_same_by_hand);
    }
    tcase_add_loop_test(all, a_thread_that_is_left_switched_is_caught, 0,
                        sizeof(plugins) / sizeof(plugins[0]));
    tcase_add_test(all, without_privilege_it_serves_itself_only);
    tcase_add_test(all, a_request_is_bounded_and_leads_nowhere_else);
    tcase_add_test(all, requests_may_come_together_or_in_pieces);
    tcase_add_test(all, a_broken_policy_stops_it);
    suite_add_tcase(suite, many);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
