/* SPDX-License-Identifier: MIT */
/*
 * What reaches a terminal: every command that shows what somebody else wrote, once on a terminal of
 * the test's own and once into a pipe. On the terminal nothing hidden stands as it is; into a pipe
 * the formats for programs say exactly what the log says.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

/* C1, DEL, direction, no width, separators, a tag, and what sets a colour. JSON lets all but the
 * last stand as they are. */
#define HOSTILE                                                                                    \
    "a\xC2\x85\xC2\x9B"                                                                            \
    "31m\x7F"                                                                                      \
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"                           \
    "\u061c\u200b\u200c\u200d\u2060\ufeff\u2028\u2029\U000e0041z"

static char folder[] = "/tmp/miguard-terminal-XXXXXX";
static char output[1 << 20];
static size_t output_length;

static const char *const commands[] = {
    "audit search %s/log",
    "audit search --format json %s/log",
    "audit search --format csv %s/log",
    "audit explain d-1 %s/log",
    "audit explain --json d-1 %s/log",
    "audit report %s/log",
    "audit report --json %s/log",
    "audit report --html - %s/log",
    "audit suggest %s/log",
    "audit export --format ecs %s/log",
    "audit export --format ocsf %s/log",
    "audit export --format cef %s/log",
    "audit export --format rfc5424 %s/log",
    "audit verify %s/log",
    "audit verify --json %s/log",
    "audit search %s/bad",
    "audit verify %s/bad",
    "audit search %s/" HOSTILE,
    "policy check %s/policy.yaml",
    "policy show --policy %s/policy.yaml",
    "policy show --json --policy %s/policy.yaml",
    "policy explain --policy %s/policy.yaml --user 0 --class " HOSTILE,
    "policy fmt --check %s/policy.yaml",
    "policy check %s/" HOSTILE,
    "doctor --policy %s/" HOSTILE,
    "run --module %s/" HOSTILE " enumerate root/test X",
    HOSTILE,
};

static void write_file(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void set_up(void)
{
    static char log[16384];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(log, sizeof(log),
             "{\"@timestamp\":\"2026-03-01T12:00:00.000000Z\",\"message\":\"%1$s\","
             "\"host\":{\"name\":\"%1$s\",\"boot\":{\"id\":\"%1$s\"}},\"process\":{\"pid\":7,"
             "\"entity_id\":\"%1$s\",\"executable\":\"%1$s\",\"name\":\"%1$s\",\"thread\":{"
             "\"id\":7,\"name\":\"%1$s\"},\"user\":{\"id\":\"%1$s\",\"name\":\"%1$s\"}},"
             "\"user\":{\"id\":\"%1$s\",\"name\":\"%1$s\"},\"rule\":{\"name\":\"%1$s\","
             "\"reference\":\"%1$s\",\"description\":\"%1$s\"},\"event\":{\"id\":\"d-1\","
             "\"sequence\":1,\"code\":\"%1$s\",\"action\":\"use\",\"outcome\":\"failure\","
             "\"reason\":\"%1$s\"},\"miguard\":{\"decision\":\"deny\",\"operation\":\"%1$s\","
             "\"session_id\":\"%1$s\",\"class\":\"%1$s\",\"namespace\":\"%1$s\","
             "\"provider\":\"%1$s\",\"mismatch\":[\"%1$s\"],\"policy\":{\"detail\":\"%1$s\"},"
             "\"call_site\":{\"module\":\"%1$s\",\"symbol\":\"%1$s\"}}}\n",
             HOSTILE);
    write_file("log", log);
    write_file("bad", "\xc0\x80\x1b[31m\xff" HOSTILE "\n");
    write_file("policy.yaml", "version: 1\nrules: [{name: \"" HOSTILE "\", decision: alow}]\n");
}

static void tear_down(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void gather(int fd)
{
    ssize_t got;

    output_length = 0;
    do {
        got = read(fd, output + output_length, sizeof(output) - 1 - output_length);
        output_length += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    output[output_length] = '\0';
    close(fd);
}

static void run(const char *format, bool on_terminal)
{
    char command[4096], arguments[2048];
    const char *out = getenv("OUT");
    int fds[2], terminal = -1;

    snprintf(arguments, sizeof(arguments), format, folder);
    snprintf(command, sizeof(command), "NO_COLOR=1 exec %s/miguard %s", out != NULL ? out : "build",
             arguments);
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = on_terminal ? forkpty(&terminal, NULL, NULL, NULL) : fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (!on_terminal) {
            dup2(fds[1], STDOUT_FILENO);
        }
        close(fds[0]);
        close(fds[1]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    gather(on_terminal ? terminal : fds[0]);
    if (on_terminal) {
        close(fds[0]);
    }
    waitpid(child, NULL, 0);
}

/* A hidden character that stands as it is, or 0xFFFFFFFF. The terminal itself makes CR LF of LF,
 * and so CR CR LF of the CR LF of CSV. */
static uint32_t hidden_in_output(void)
{
    for (size_t i = 0; i < output_length;) {
        unsigned char c = (unsigned char)output[i];
        size_t length = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        uint32_t code = length <= 1 ? c : c & (0x7FU >> length);
        for (size_t k = 1; k < length; k++) {
            code = code << 6 | ((unsigned char)output[i + k] & 0x3FU);
        }
        bool line_end = code == '\n' || (code == '\r' && strchr("\r\n", output[i + 1]) != NULL);
        if (length == 0 || (text_is_hidden(code) && !line_end)) {
            return code;
        }
        i += length;
    }
    return UINT32_MAX;
}

START_TEST(nothing_hidden_reaches_a_terminal)
{
    run(commands[_i], true);
    ck_assert_msg(output_length > 0, "%s: no output", commands[_i]);
    uint32_t code = hidden_in_output();
    ck_assert_msg(code == UINT32_MAX, "%s: U+%04X in: %.999s", commands[_i], code, output);
}
END_TEST

static const char *const json_commands[] = {
    "audit search --format json %s/log",
    "audit export --format ecs %s/log",
    "audit export --format ocsf %s/log",
};

/* On a terminal and into a pipe: the same value, character for character. */
START_TEST(json_says_what_the_log_says)
{
    for (int terminal = 0; terminal < 2; terminal++) {
        run(json_commands[_i], terminal);
        json_t *record = json_loads(output, 0, NULL);
        ck_assert_msg(record != NULL, "%s: no JSON: %s", json_commands[_i], output);
        const char *message = json_string_value(json_object_get(record, "message"));
        ck_assert_str_eq(message, HOSTILE);
        json_decref(record);
    }
}
END_TEST

START_TEST(syslog_holds_the_record)
{
    for (int terminal = 0; terminal < 2; terminal++) {
        run("audit export --format rfc5424 %s/log", terminal);
        json_t *record = json_loads(strstr(output, "{\"@timestamp"), 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(record, "message")), HOSTILE);
        json_decref(record);
    }
}
END_TEST

static const struct {
    const char *text;
    bool marked;
} cells[] = {
    {"=1+1", true},    {" =1", true},     {"\u3000=1", true}, {"\u00a0 @x", true},
    {"\uff1d1", true}, {"\uff0b1", true}, {"\uff0d1", true},  {" \uff201", true},
    {"1=1", false},    {" plain", false}, {"\uff1a", false},
};

START_TEST(csv_marks_formulas)
{
    char line[256], cell[64];

    snprintf(line, sizeof(line), "{\"message\":\"%s\"}\n", cells[_i].text);
    write_file("cell", line);
    run("audit search --format csv %s/cell", false);
    snprintf(cell, sizeof(cell), "\"%s%s\"", cells[_i].marked ? "'" : "", cells[_i].text);
    ck_assert_msg(strstr(output, cell) != NULL, "%s: %s", cell, output);
}
END_TEST

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
    Suite *suite = suite_create("output on a terminal");
    TCase *tcase = tcase_create("output on a terminal");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, nothing_hidden_reaches_a_terminal, 0, LENGTH(commands));
    tcase_add_loop_test(tcase, json_says_what_the_log_says, 0, LENGTH(json_commands));
    tcase_add_test(tcase, syslog_holds_the_record);
    tcase_add_loop_test(tcase, csv_marks_formulas, 0, LENGTH(cells));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
