/* SPDX-License-Identifier: MIT */
/* `miguard audit top` on a terminal and without one. */
#include <check.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "support/review_line.h"

enum { OUTPUT = 1 << 16 };

static char folder[] = "/tmp/miguard-top-XXXXXX", log_path[64], miguard[512];
static pid_t owner;
static char out[OUTPUT];

/* A refusal so many minutes ago. */
static void add_line(int minutes, const char *provider)
{
    time_t at = time(NULL) - 60 * minutes;
    char stamp[64];
    struct tm utc;

    gmtime_r(&at, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
    FILE *file = fopen(log_path, "ae");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\n", review_line(&(struct review_line){.time = stamp, .provider = provider}));
    ck_assert_int_eq(fclose(file), 0);
}

static void make_log(void)
{
    char *whole = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);

    ck_assert_ptr_nonnull(whole);
    snprintf(miguard, sizeof(miguard), "%s/miguard", whole);
    free(whole);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    owner = getpid();
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    for (int i = 300; i >= 100; i -= 10) {
        add_line(i, "old.so");
    }
    add_line(30, "new.so");
    add_line(1, "a\\u001b[31m\\u202ez.so");
}

static void remove_log(void)
{
    if (owner == getpid()) {
        unlink(log_path);
        rmdir(folder);
    }
}

static int run(const char *options)
{
    char command[1024];

    snprintf(command, sizeof(command), "%s audit top %s %s 2>&1", miguard, options, log_path);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    out[fread(out, 1, sizeof(out) - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool said(const char *part)
{
    return strstr(out, part) != NULL;
}

START_TEST(test_without_a_terminal)
{
    ck_assert_int_eq(run(""), 0);
    ck_assert_msg(said("last 60 minutes\nrefused 2  "), "%s", out);
    ck_assert(said("  new.so\n") && !said("old.so"));
    ck_assert(said("a\\x001B[31m\\x202Ez.so") && strchr(out, 27) == NULL);
    ck_assert_int_eq(run("--minutes 600"), 0);
    ck_assert_msg(said("refused 23  ") && said("  old.so\n"), "%s", out);
    ck_assert_int_eq(run("--minutes 600 --not --provider old.so"), 0);
    ck_assert_msg(said("refused 2  "), "%s", out);
    ck_assert_int_eq(run("--minutes 0"), 2);
    ck_assert_int_eq(run("none"), 3);
    ck_assert(said("none: No such file"));
    ck_assert_int_eq(run("--help"), 0);
    ck_assert(said("usage: miguard audit top"));
}
END_TEST

/* Reads until the part came, a minute at the most. */
static void read_until(int terminal, const char *part, size_t *length)
{
    for (int i = 0; i < 600; i++) {
        ssize_t got = read(terminal, out + *length, sizeof(out) - 1 - *length);
        *length += got > 0 ? (size_t)got : 0;
        out[*length] = '\0';
        if (said(part)) {
            return;
        }
        if (got <= 0) {
            usleep(100000);
        }
    }
    ck_abort_msg("'%s' did not come: %s", part, out);
}

/* How a user ends it: q, Ctrl-C or a signal. */
START_TEST(test_on_a_terminal)
{
    struct winsize size = {.ws_row = 12, .ws_col = 50};
    struct termios before, after;
    int terminal = -1, side = -1, status = 0;
    size_t length = 0;

    ck_assert_int_eq(openpty(&terminal, &side, NULL, NULL, &size), 0);
    ck_assert_int_eq(tcgetattr(side, &before), 0);
    pid_t child = fork();
    if (child == 0) {
        close(terminal);
        login_tty(side);
        execl(miguard, "miguard", "audit", "top", "--every", "1", log_path, (char *)NULL);
        _exit(127);
    }
    read_until(terminal, "new.so", &length);
    ck_assert_msg(strncmp(out, "\033[?1049h\033[?25l\033[H", 17) == 0, "%s", out);
    ck_assert(strstr(out, "\033[31m") == NULL);
    add_line(0, "later.so");
    read_until(terminal, "later.so", &length);
    /* No line is wider than the screen, which would break the next one. */
    for (const char *line = strstr(out, "\033[H"), *end; (end = strstr(line, "\r\n")) != NULL;
         line = end + 2) {
        ck_assert_int_le(end - line, 50 * 3 + 16);
    }
    if (_i == 0) {
        ck_assert_int_eq(write(terminal, "q", 1), 1);
    } else if (_i == 1) {
        ck_assert_int_eq(write(terminal, "\003", 1), 1);
    } else {
        kill(child, SIGTERM);
    }
    read_until(terminal, "\033[?25h\033[?1049l", &length);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    ck_assert_int_eq(tcgetattr(side, &after), 0);
    ck_assert_uint_eq(before.c_lflag, after.c_lflag);
    close(side);
    close(terminal);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit top");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 300);
    tcase_add_unchecked_fixture(tests, make_log, remove_log);
    tcase_add_test(tests, test_without_a_terminal);
    tcase_add_loop_test(tests, test_on_a_terminal, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
