/* SPDX-License-Identifier: MIT */
/*
 * `miguard run --shell`: scripts, as a table of lines and what they print, and a person at a
 * terminal, who edits, completes, interrupts and leaves.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

enum { OUTPUT = 1 << 17, SECONDS = 20 };

static char folder[] = "/run/miguard-shell-XXXXXX", build[400];
static pid_t owner;
static char out[OUTPUT];

static void make_folder(void)
{
    char *whole = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);

    ck_assert_ptr_nonnull(whole);
    snprintf(build, sizeof(build), "%s", whole);
    free(whole);
    if (mkdtemp(folder) == NULL) { /* without privilege: serve makes no socket below /tmp */
        snprintf(folder, sizeof(folder), "/tmp/miguard-shell-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
    }
    ck_assert_int_eq(chmod(folder, 0755), 0);
    owner = getpid();
}

static void remove_folder(void)
{
    static const char *const names[] = {"log", "in", "out", "socket", "tree.mof"};
    char path[64];

    if (owner != getpid()) {
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static bool said(const char *part)
{
    return strstr(out, part) != NULL;
}

static void write_file(const char *name, const char *bytes, size_t length)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- scripts ----------------------------------------------------------------------------------
 */

#define ORCHARD "--module $P/orchard.so --shell"
#define TICKER  "--module $P/ticker.so --shell"

/* Standard output and error together; $P: the providers, $T: the folder of this test. */
static int run_script(const char *options, const char *lines, size_t length)
{
    char command[2048];

    write_file("in", lines, length);
    snprintf(command, sizeof(command),
             "P=%s/providers T=%s; timeout 60 %s/miguard run %s %s <$T/in 2>&1", build, folder,
             build, strstr(options, "--connect") != NULL ? "" : "--audit $T/log", options);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    out[fread(out, 1, sizeof(out) - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
    const char *options, *lines;
    int status;
    const char *part, *other; /* of what is printed; NULL: nothing at all */
} scripts[] = {
    {ORCHARD " root/test", "", 0, NULL, NULL},
    {ORCHARD " root/test", "\n   \n# list\n", 0, NULL, NULL},
    {ORCHARD " root/test", "list\n", 0, "MG_Plant\nMG_Tree\n", NULL},
    {ORCHARD " root/test", "list", 0, "MG_Plant\nMG_Tree\n", NULL},
    {ORCHARD, "use root/test\nlist\n", 0, "MG_Plant\nMG_Tree\n", NULL},
    {ORCHARD, "list\n", 2, "there is no namespace yet; choose one with: use NAMESPACE",
     "line 1 was not done"},
    {ORCHARD " root/test", "use other\nclass MG_Tree\nuse ROOT/TEST\nlist\n", 1,
     "INVALID_NAMESPACE", "MG_Plant\n"},
    {ORCHARD, "use root/a\nuse root/b\nlist\n", 0, "MG_Tree\n", NULL},
    {ORCHARD " root/test", "use\n", 2, "use: the namespace is missing", NULL},
    {ORCHARD " root/test", "use ''\n", 2, "use: the namespace is missing", NULL},
    {ORCHARD " root/test", "use a b\n", 2, "use: what is 'b'?", NULL},
    {ORCHARD " root/test", "get MG_Tree Name=oak\n", 0, "Height = 21", NULL},
    {ORCHARD " root/test", "get MG_Tree 'Name=o'ak --json\n", 0, "\"Height\":21", NULL},
    {ORCHARD " root/test --json", "get MG_Tree Name=oak\n", 0, "\"Height\":21", NULL},
    {ORCHARD " root/test --json", "get MG_Tree Name=oak --table\n", 0, "Name  Height", NULL},
    {ORCHARD " root/test --table", "list\n", 0, "Class     Superclass\nMG_Plant  -\n", NULL},
    {ORCHARD " root/test", "query \"SELECT Name FROM MG_Fruit WHERE Weight < 100\"\n", 0, "acorn",
     NULL},
    {ORCHARD " root/test", "enumerate MG_Tree --flag no-rtti\n", 1, "NOT_SUPPORTED (7)",
     "Height = \"21.0\""},
    {ORCHARD " root/test --json", "get MG_Tree Name=oak --flag no-rtti\n", 0, "\"Height\":\"21.0\"",
     NULL},
    {ORCHARD " root/test --json", "get MG_Tree Name=oak\n", 0, "\"Height\":21.0", NULL},
    {ORCHARD " root/test --flag no-rtti --option a=b --timeout 50",
     "get MG_Tree Name=oak --flag expensive-properties --option c=d\n", 0, "oak", NULL},
    {ORCHARD " root/test", "test-connection\n", 0, NULL, NULL},
    {ORCHARD " root/test", "get MG_Tree Name=none\nlist\n", 1, "NOT_FOUND (6)", "MG_Plant\n"},
    {ORCHARD " root/test", "bogus\nlist\n", 2, "unknown operation 'bogus'", "MG_Plant\n"},
    {ORCHARD " root/test", "gte MG_Tree\n", 2, "did you mean get?", NULL},
    {ORCHARD " root/test", "get\n", 2, "the class is missing", NULL},
    {ORCHARD " root/test", "--json\n", 2, "the operation is missing", NULL},
    {ORCHARD " root/test", "get MG_Tree --help\n", 2, "the word is help", NULL},
    {ORCHARD " root/test", "get MG_Tree --json --table Name=oak\n", 2, "not both", NULL},
    {ORCHARD " root/test", "get 'MG_Tree\n", 2, "the quotation that begins at byte 5 has no end",
     NULL},
    {ORCHARD " root/test", "get MG_Tree \\\n", 2, "ends with a backslash", NULL},
    {ORCHARD " root/test", "create MG_Tree --input -\n", 2, "would read the lines of the shell",
     NULL},
    {ORCHARD " root/test", "create MG_Tree --input $T/none\n", 3, "No such file", NULL},
    {ORCHARD " root/test", "quit\nbogus\n", 0, NULL, NULL},
    {ORCHARD " root/test", "exit now\nexit\nbogus\n", 2, "exit: what is 'now'?", NULL},
    {ORCHARD " root/test", "help\n", 0, "use NAMESPACE", "invoke CLASS METHOD"},
    {ORCHARD " root/test", "as nobody\nas\nlist\n", 0, "MG_Tree\n", NULL},
    {ORCHARD " root/test", "as no-such-user-here\nlist\n", 3, "no-such-user-here", NULL},
    {TICKER " root/test", "subscribe MG_Tick --count 2\nlist\n", 0, "Number = ", "MG_Source\n"},
    {ORCHARD " a b", "list\n", 2, "there is only a namespace; what is 'b'?", NULL},
    {ORCHARD " a --flag bogus", "list\n", 2, "unknown flag 'bogus'", NULL},
    {ORCHARD " a --count 3", "list\n", 2, "--shell", NULL},
    {ORCHARD " a --input -", "list\n", 2, "--shell", NULL},
    {"--shell a", "list\n", 2, "--module is required, or --connect", NULL},
    {"--shell --connect $T/none", "use a\nlist\n", 3, "No such file", NULL},
    {"--shell --connect $T/none", "as root\n", 2, "the server knows you by the socket", NULL},
    {"--module $T/none.so --shell", "list\n", 3, "none.so", NULL},
};

START_TEST(script)
{
    int status = run_script(scripts[_i].options, scripts[_i].lines, strlen(scripts[_i].lines));

    ck_assert_msg(status == scripts[_i].status, "exit status %d: %s", status, out);
    ck_assert_msg(scripts[_i].part == NULL ? out[0] == '\0' : said(scripts[_i].part), "%s", out);
    ck_assert_msg(scripts[_i].other == NULL || said(scripts[_i].other), "%s", out);
    ck_assert_msg(strchr(out, 27) == NULL && !said("> "), "a prompt in a script: %s", out);
}
END_TEST

/* A line that cannot be one is refused whole, and the next is read. */
START_TEST(lines_that_cannot_be_read)
{
    static char lines[70000];

    memset(lines, 'x', sizeof(lines));
    strcpy(lines + 65537, "\nlist\n");
    ck_assert_int_eq(run_script(ORCHARD " root/test", lines, 65537 + 6), 2);
    ck_assert_msg(said("a line has at most 65536 bytes") && said("MG_Plant"), "%s", out);
    ck_assert_int_eq(run_script(ORCHARD " root/test", "li\0st\nlist\n", 11), 2);
    ck_assert_msg(said("has a NUL") && said("MG_Plant"), "%s", out);
    ck_assert_int_eq(run_script(ORCHARD " root/test", "get MG_Tree Name=\xFF\x1B[2J\nlist\n", 27),
                     1);
    ck_assert_msg(said("MG_Plant") && strchr(out, 27) == NULL, "%s", out);
}
END_TEST

/* Nobody reads the answers: the shell ends, and does not go on with the rest. */
START_TEST(output_that_is_full)
{
    char command[2048];

    write_file("in", "list\ncreate MG_Tree Name=late\n", 31);
    snprintf(command, sizeof(command),
             "%s/miguard run --audit %s/log --module %s/providers/orchard.so --shell root/test "
             "<%s/in 2>&1 >/dev/full",
             build, folder, build, folder);
    FILE *pipe = popen(command, "re");
    out[fread(out, 1, sizeof(out) - 1, pipe)] = '\0';
    ck_assert_int_eq(WEXITSTATUS(pclose(pipe)), 3);
    ck_assert_msg(said("cannot be written") && !said("line 2"), "%s", out);
}
END_TEST

/* ---- a person ----------------------------------------------------------------------------------
 */

struct person {
    int terminal, side;
    pid_t child;
    size_t length;
    struct termios before;
};

static void sit_down(struct person *person, const char *module)
{
    struct winsize size = {.ws_row = 40, .ws_col = 100};
    char file[512], log_path[64], program[512];

    snprintf(program, sizeof(program), "%s/miguard", build);
    snprintf(file, sizeof(file), "%s/providers/%s", build, module);
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    *person = (struct person){.terminal = -1};
    ck_assert_int_eq(openpty(&person->terminal, &person->side, NULL, NULL, &size), 0);
    ck_assert_int_eq(tcgetattr(person->side, &person->before), 0);
    person->child = fork();
    ck_assert_int_ge(person->child, 0);
    if (person->child == 0) {
        close(person->terminal);
        login_tty(person->side);
        setenv("TERM", "xterm", 1);
        setenv("HOME", "/nonexistent", 1);
        execl(program, "miguard", "run", "--audit", log_path, "--module", file, "--shell",
              "root/test", (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(fcntl(person->terminal, F_SETFL, O_NONBLOCK), 0);
    out[0] = '\0';
}

static void type(const struct person *person, const char *text)
{
    ck_assert_int_eq(write(person->terminal, text, strlen(text)), (ssize_t)strlen(text));
}

/* Until the part came; out keeps what came behind it. */
static void see(struct person *person, const char *part)
{
    time_t end = time(NULL) + SECONDS;
    char *found;

    while ((found = strstr(out, part)) == NULL) {
        ssize_t got =
            read(person->terminal, out + person->length, sizeof(out) - 1 - person->length);
        person->length += got > 0 ? (size_t)got : 0;
        out[person->length] = '\0';
        ck_assert_msg(time(NULL) < end, "'%s' did not come: %s", part, out);
        if (got <= 0) { /* at once when there is more */
            (void)poll(&(struct pollfd){.fd = person->terminal, .events = POLLIN}, 1, 20);
        }
    }
    person->length -= (size_t)(found - out) + strlen(part);
    memmove(out, found + strlen(part), person->length + 1);
}

/* Whether it edits, and makes signals of keys. */
static struct termios modes_of(const struct person *person)
{
    struct termios modes;

    ck_assert_int_eq(tcgetattr(person->side, &modes), 0);
    return modes;
}

/* The end, and the terminal as it was. */
static void leave(struct person *person, int status)
{
    time_t end = time(NULL) + SECONDS;
    int ended = 0;
    char rest[512];

    while (waitpid(person->child, &ended, WNOHANG) == 0) {
        ck_assert_msg(time(NULL) < end, "the shell did not end");
        (void)!read(person->terminal, rest, sizeof(rest));
        usleep(20000);
    }
    ck_assert_msg(WIFEXITED(ended) && WEXITSTATUS(ended) == status, "%x", (unsigned)ended);
    struct termios after = modes_of(person);
    ck_assert_uint_eq(person->before.c_lflag, after.c_lflag);
    ck_assert_uint_eq(person->before.c_iflag, after.c_iflag);
    close(person->side);
    close(person->terminal);
}

static bool has_libedit(void)
{
    return system("ldconfig -p 2>/dev/null | grep -q libedit.so.2") == 0;
}

START_TEST(requests_of_a_person)
{
    struct person person;

    sit_down(&person, "orchard.so");
    see(&person, "root/test> ");
    type(&person, "list\r");
    see(&person, "MG_Bears\r\n");
    see(&person, "root/test> ");
    type(&person, "bogus\r");
    see(&person, "unknown operation 'bogus'");
    see(&person, "root/test> ");
    type(&person, "as nobody\r");
    see(&person, "root/test (as nobody)> ");
    type(&person, "as\r");
    see(&person, "root/test> ");
    type(&person, "use root/\033\x1b[2Jother\r"); /* keys, not text */
    see(&person, "> ");
    if (_i == 0) {
        type(&person, "\003quit\r");
    } else {
        type(&person, "\003\004");
    }
    leave(&person, 0);
}
END_TEST

/* Tab: operations, classes, keys; what is left of a name, whatever its case. */
START_TEST(completion)
{
    struct person person;

    if (!has_libedit()) {
        puts("skip: there is no libedit here");
        return;
    }
    sit_down(&person, "orchard.so");
    see(&person, "root/test> ");
    type(&person, "enu\tmg_b\t\r");
    see(&person, "instance of MG_Bears");
    see(&person, "root/test> ");
    type(&person, "get MG_Tr\tn\toak\r");
    see(&person, "Height = 21");
    see(&person, "root/test> ");
    type(&person, "class MG_\t");
    see(&person, "MG_Plant  MG_Tree  MG_Fruit  MG_Bears");
    type(&person, "\003");
    see(&person, "root/test> ");
    type(&person, "list --ta\t\r");
    see(&person, "Superclass");
    see(&person, "root/test> ");
    type(&person, "use other\r");
    see(&person, "other> ");
    type(&person, "use root\t\r");
    see(&person, "root/test> ");
    type(&person, "quit\r");
    leave(&person, 0);
}
END_TEST

/* ^C drops a line, ends a request that runs, and never the shell. */
START_TEST(interrupts)
{
    struct person person;

    sit_down(&person, "ticker.so");
    see(&person, "root/test> ");
    for (int i = 0; i < 5; i++) {
        type(&person, "bogus words\003");
        see(&person, "root/test> ");
        type(&person, "subscribe MG_Tick\r");
        see(&person, "Number = ");
        while ((modes_of(&person).c_lflag & ISIG) == 0) {
            usleep(1000);
        }
        type(&person, "\003");
        see(&person, "root/test> ");
    }
    kill(person.child, SIGINT); /* from elsewhere, while nothing runs */
    type(&person, "\003list\r");
    see(&person, "MG_Source");
    see(&person, "> ");
    type(&person, "quit\r");
    leave(&person, 0);
}
END_TEST

/* The shell and who reads what it prints take turns on one processor, so that the prompt is often
 * seen before the shell does anything else. ^C has to be a key by then: as a signal it
 * would not be read, and no new prompt came. */
START_TEST(interrupts_at_once)
{
    struct person person;
    cpu_set_t one;
    int count = getenv("QUICK") != NULL ? 40 : 200;

    if (!has_libedit()) {
        puts("skip: there is no libedit here");
        return;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof(one), &one); /* of this test, which has its own process */
    sit_down(&person, "orchard.so");
    see(&person, "root/test> ");
    for (int i = 0; i < count; i++) {
        ck_assert_msg((modes_of(&person).c_lflag & ISIG) == 0, "prompt %d", i);
        type(&person, "bogus words\003");
        see(&person, "root/test> ");
    }
    type(&person, "quit\r");
    leave(&person, 0);
}
END_TEST

/* ---- by a server --------------------------------------------------------------------------------
 */

START_TEST(by_a_server)
{
    static const char lines[] = "list\nget MG_Tree Name=oak --json\nget MG_Tree Name=none\nlist\n";
    char command[1024], path[64];

    if (strncmp(folder, "/tmp", 4) == 0) {
        puts("skip: no folder for a socket without privilege");
        return;
    }
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(command, sizeof(command),
             "exec %s/miguard serve --audit %s/log --socket %s --module %s/providers/orchard.so "
             ">/dev/null 2>&1",
             build, folder, path, build);
    pid_t server = fork();
    if (server == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 3000 && access(path, F_OK) != 0; i++) {
        usleep(20000);
    }
    usleep(200000);
    ck_assert_msg(run_script("--connect $T/socket --shell root/test", lines, strlen(lines)) == 1,
                  "%s", out);
    ck_assert_msg(said("MG_Plant\n") && said("\"Height\":21") && said("NOT_FOUND"), "%s", out);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run --shell");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 600);
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, script, 0, (int)(sizeof(scripts) / sizeof(scripts[0])));
    tcase_add_test(tests, lines_that_cannot_be_read);
    tcase_add_test(tests, output_that_is_full);
    tcase_add_loop_test(tests, requests_of_a_person, 0, 2);
    tcase_add_test(tests, completion);
    tcase_add_test(tests, interrupts);
    tcase_add_test(tests, interrupts_at_once);
    tcase_add_test(tests, by_a_server);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
