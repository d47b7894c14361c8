/* SPDX-License-Identifier: MIT */
/*
 * What reaches a terminal: a log from elsewhere holds, in each of its texts, everything that moves
 * a cursor, hides or turns round what is shown. Each command of the log prints it on a terminal
 * that this test makes, and none of that may come out; what the commands print into a pipe must
 * still be the log's own, byte for byte or as JSON.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "support/audit_generate.h"

static char folder[64], command_path[4096];

/* One of each kind. */
static const char *const hidden[] = {
    "\x7F",         "\xC2\x80",     "\xC2\x85",
    "\xC2\x9B",     "\xC2\x9F",     "\xC2\xAD",
    "\xD8\x9C",     "\xE1\xA0\x8E", "\xE2\x80\x8B",
    "\xE2\x80\x8D", "\xE2\x80\x8E", "\xE2\x80\x8F",
    "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAE",
    "\xE2\x81\xA0", "\xE2\x81\xA6", "\xE2\x81\xA9",
    "\xEF\xBB\xBF", "\xEF\xBF\xB9", "\xF3\xA0\x81\x81",
};

/* Texts that a reader shows; a place that is a name of the schema stays as it is. */
static const char *const places[] = {
    "\"message\":\"",    "\"host\":{\"name\":\"",
    "\"executable\":\"", "\"thread\":{\"id\":19533,\"name\":\"",
    "\"provider\":\"",   "\"namespace\":\"",
    "\"class\":\"",      "\"reason\":\"",
    "\"operation\":\"",  "\"user\":{\"id\":\"",
    "\"name\":\"",
};

static void spoil(const char *from, const char *to)
{
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    char *line = NULL;
    size_t room = 0;

    ck_assert(in != NULL && out != NULL);
    for (unsigned number = 0; getline(&line, &room, in) > 0; number++) {
        const char *place = places[number % (sizeof(places) / sizeof(places[0]))];
        char *found = strstr(line, place);
        if (found == NULL) {
            fputs(line, out);
            continue;
        }
        found += strlen(place);
        fprintf(out, "%.*s", (int)(found - line), line);
        for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
            fputs(hidden[i], out);
        }
        fputs(found, out);
    }
    free(line);
    ck_assert(fclose(in) == 0 && fclose(out) == 0);
}

static void set_up(void)
{
    const struct generate generate = {.seed = 7, .count = 200};
    char path[128], spoiled[128];

    strcpy(folder, "/tmp/miguard-terminal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *whole = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);
    ck_assert_ptr_nonnull(whole);
    snprintf(command_path, sizeof(command_path), "%s/miguard", whole);
    free(whole);
    snprintf(path, sizeof(path), "%s/plain", folder);
    snprintf(spoiled, sizeof(spoiled), "%s/log.jsonl", folder);
    ck_assert(audit_generate(path, &generate));
    spoil(path, spoiled);
    ck_assert_int_eq(chdir(folder), 0);
    setenv("M", command_path, 1);
    setenv("NO_COLOR", "1", 1); /* the command's own colours are no hostile bytes */
    setenv("TZ", "UTC0", 1);
}

static void tear_down(void)
{
    char command[128];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- on a terminal ------------------------------------------------------------------------------
 */

static void run_on_terminal(const char *command, struct text *ret_output)
{
    char buffer[4096];
    int terminal = -1, status = -1;
    ssize_t length;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while ((length = read(terminal, buffer, sizeof(buffer))) > 0) { /* EIO at its end */
        text_append_bytes(ret_output, buffer, (size_t)length);
    }
    close(terminal);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) < 2, "%s: %d", command, status);
}

static const char *const commands[] = {
    "$M audit search log.jsonl",
    "$M audit search --format json log.jsonl",
    "$M audit search --format csv log.jsonl",
    "$M audit explain 0000000000001234-3 log.jsonl",
    "$M audit explain --json 0000000000001234-3 log.jsonl",
    "$M audit explain 0000000000001234-9 log.jsonl",
    "$M audit report log.jsonl",
    "$M audit report --json log.jsonl",
    "$M audit report --html - log.jsonl",
    "$M audit export --format ecs log.jsonl",
    "$M audit export --format ocsf log.jsonl",
    "$M audit export --format cef log.jsonl",
    "$M audit export --format rfc5424 log.jsonl",
    "$M audit suggest log.jsonl",
    "$M audit verify log.jsonl; true",
    "$M audit verify --json log.jsonl; true",
};

START_TEST(nothing_hidden_reaches_a_terminal)
{
    struct text output = TEXT_EMPTY;

    run_on_terminal(commands[_i], &output);
    ck_assert_msg(output.length > 20, "%s prints too little", commands[_i]);
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        ck_assert_msg(strstr(output.data, hidden[i]) == NULL, "%s: character %zu", commands[_i], i);
    }
    text_release(&output);
}
END_TEST

/* ---- into a pipe --------------------------------------------------------------------------------
 */

static void read_all(const char *command, struct text *ret_output)
{
    char buffer[4096];
    size_t length;
    FILE *stream = popen(command, "r");

    ck_assert_ptr_nonnull(stream);
    while ((length = fread(buffer, 1, sizeof(buffer), stream)) > 0) {
        text_append_bytes(ret_output, buffer, length);
    }
    pclose(stream);
}

/* Records are read in full (miguard-audit-record(5)); what is full already comes as it is, byte for
 * byte. */
START_TEST(a_pipe_gets_the_bytes_of_the_log)
{
    ck_assert_int_eq(system("$M audit search --format json log.jsonl > full.jsonl"), 0);
    ck_assert_int_eq(system("$M audit search --format json full.jsonl | cmp -s - full.jsonl"), 0);
    ck_assert_int_eq(system("[ \"$(wc -l <full.jsonl)\" = \"$(wc -l <log.jsonl)\" ]"), 0);
}
END_TEST

/* On a terminal and into a pipe a program reads the same. */
START_TEST(the_escapes_are_exact)
{
    static const char *const formats[] = {"search --format json", "export --format ecs",
                                          "export --format ocsf"};
    char command[256];
    struct text terminal = TEXT_EMPTY, pipe = TEXT_EMPTY;

    snprintf(command, sizeof(command), "$M audit %s log.jsonl", formats[_i]);
    run_on_terminal(command, &terminal);
    read_all(command, &pipe);
    char *left = terminal.data, *right = pipe.data;
    unsigned lines = 0;
    for (char *a = strsep(&left, "\n"), *b = strsep(&right, "\n");
         a != NULL && b != NULL && *b != '\0';
         a = strsep(&left, "\n"), b = strsep(&right, "\n"), lines++) {
        json_t *seen = json_loads(a, 0, NULL), *read = json_loads(b, 0, NULL);
        ck_assert_msg(seen != NULL && read != NULL, "%s: line %u", formats[_i], lines);
        ck_assert_msg(json_equal(seen, read), "%s: line %u", formats[_i], lines);
        json_decref(seen);
        json_decref(read);
    }
    ck_assert_uint_ge(lines, 100);
    text_release(&terminal);
    text_release(&pipe);
}
END_TEST

/* ---- what a spreadsheet takes for a formula
 * ------------------------------------------------------ */

static const struct {
    const char *value;
    bool marked;
} cells[] = {
    {"=1+1", true},
    {"+1", true},
    {"-1", true},
    {"@x", true},
    {" =1", true},
    {"  \\t=1", true},
    {"\xC2\xA0=1", true},
    {"\xE3\x80\x80=1", true},
    {"\xE2\x80\x8B=1", true},
    {"\xEF\xBC\x9D"
     "1",
     true},
    {"\xEF\xBC\x8B"
     "1",
     true},
    {"\xEF\xBC\x8D"
     "1",
     true},
    {"\xEF\xBC\xA0"
     "x",
     true},
    {" \xEF\xBC\x9D"
     "1",
     true},
    {"\xE2\x88\x92"
     "1",
     true},
    {"1=1", false},
    {" x", false},
    {"a@b", false},
};

START_TEST(formulas_are_marked)
{
    struct text output = TEXT_EMPTY;
    char command[512];
    char *line = NULL;
    size_t room = 0;
    FILE *in = fopen("plain", "r"), *out = fopen("cell.jsonl", "w");

    ck_assert(in != NULL && out != NULL && getline(&line, &room, in) > 0);
    const char *place = strstr(line, "\"provider\":\"");
    ck_assert_ptr_nonnull(place);
    place += strlen("\"provider\":\"");
    fprintf(out, "%.*s%s%s", (int)(place - line), line, cells[_i].value, strchr(place, '"'));
    ck_assert(fclose(in) == 0 && fclose(out) == 0);
    free(line);
    snprintf(command, sizeof(command), "$M audit search --format csv cell.jsonl | tail -n 1");
    read_all(command, &output);
    bool marked = strstr(output.data, ",\"'") != NULL;
    ck_assert_msg(marked == cells[_i].marked, "%s: %s", cells[_i].value, output.data);
    text_release(&output);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tcase = tcase_create("terminal");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, nothing_hidden_reaches_a_terminal, 0,
                        sizeof(commands) / sizeof(commands[0]));
    tcase_add_test(tcase, a_pipe_gets_the_bytes_of_the_log);
    tcase_add_loop_test(tcase, the_escapes_are_exact, 0, 3);
    tcase_add_loop_test(tcase, formulas_are_marked, 0, sizeof(cells) / sizeof(cells[0]));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
