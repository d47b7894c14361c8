/* SPDX-License-Identifier: MIT */
/*
 * `miguard audit report | explain | suggest | export` as a reviewer meets them: arguments in; exit
 * status, stdout and stderr out. In a command $T is a folder of the test's own.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/audit_generate.h"
#include "support/output_fits.h"
#include "support/review_line.h"

enum { OUTPUT = 1 << 20 };

static char folder[] = "/tmp/miguard-review-test.XXXXXX";

struct output {
    int status;
    char out[OUTPUT], err[OUTPUT];
};

static struct output output;

static void slurp(const char *name, char *buffer)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    buffer[fread(buffer, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
}

/* $M is the command. */
static void run(const char *command)
{
    char line[4096], command_path[512];
    const char *out = getenv("OUT");

    snprintf(command_path, sizeof(command_path), "%s/miguard", out != NULL ? out : "build");
    int length = snprintf(line, sizeof(line), "T=%s; M=%s; export TZ=UTC; { %s; } >$T/out 2>$T/err",
                          folder, command_path, command);
    ck_assert(length > 0 && length < (int)sizeof(line));
    int status = system(line);
    ck_assert(WIFEXITED(status));
    output.status = WEXITSTATUS(status);
    slurp("out", output.out);
    slurp("err", output.err);
}

/* ---- the logs --------------------------------------------------------------------------------*/

static void require(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static FILE *create(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    require(file != NULL, path);
    return file;
}

/* Of format 3: a session that is opened and refused, in the form of the log. */
static void write_short(void)
{
    static const char line[] =
        "{\"@timestamp\":\"2026-03-01T11:00:0%u.000000Z\",\"host\":{\"name\":\"h\"},\"observer\":{"
        "\"version\":\"0.1.0\"},\"process\":{\"pid\":77,\"executable\":\"/usr/bin/x\"},\"user\":{"
        "\"id\":\"4242\",\"group\":{\"id\":\"0\"}},\"miguard\":{\"format\":3,\"session_id\":"
        "\"00000000000000bb\",\"cred\":{\"bound\":{}}},\"event\":{\"id\":\"00000000000000aa-%u\","
        "\"sequence\":%u,\"action\":\"%s\",\"outcome\":\"%s\",\"reason\":\"%s\"}}\n";
    FILE *file = create("short.jsonl");

    fprintf(file, line, 1, 1, 1, "session-open", "success", "identity-match");
    fprintf(file, line, 2, 2, 2, "session-use", "failure", "policy");
    fclose(file);
}

static void write_logs(void)
{
    char path[256];
    FILE *small = create("small.jsonl"), *broken = create("broken.jsonl");

    fprintf(small, "%s\n",
            review_line(&(struct review_line){
                .action = "session-open", .allowed = true, .sequence = 1, .mismatch = ""}));
    fprintf(small, "%s\n",
            review_line(&(struct review_line){.as_user = 65534,
                                              .repeats = 41,
                                              .sequence = 2,
                                              .time = "2026-03-01T12:30:00.000000Z"}));
    fprintf(small, "%s\n",
            review_line(
                &(struct review_line){.reason = "handle-forged", .mismatch = "", .sequence = 23}));
    fclose(small);
    fprintf(broken, "%s\nno record\n", review_line(&(struct review_line){0}));
    fclose(broken);
    fclose(create("empty.jsonl"));
    write_short();
    snprintf(path, sizeof(path), "%s/big.jsonl", folder);
    require(audit_generate(path, &(struct generate){.seed = 3, .count = 2000}), path);
    snprintf(path, sizeof(path), "%s/fifo", folder);
    require(mkfifo(path, 0600) == 0, path);
}

/* ---- rows ------------------------------------------------------------------------------------*/

static const struct {
    const char *command;
    int status;
    const char *out, *err; /* NULL: nothing in particular; "": nothing at all */
} rows[] = {
    {"$M audit report --help", 0, "usage: miguard audit report", ""},
    {"$M audit explain --help", 0, "usage: miguard audit explain", ""},
    {"$M audit suggest --help", 0, "usage: miguard audit suggest", ""},
    {"$M audit export --help", 0, "usage: miguard audit export", ""},
    {"$M audit report $T/small.jsonl", 0, "  refused                     42", ""},
    {"$M audit report --user 65534 $T/small.jsonl", 0, "  refused                     41", ""},
    {"$M audit report --json $T/small.jsonl", 0, "\"refused\":42", ""},
    {"$M audit report --format=json $T/small.jsonl", 0, "\"refused\":42", ""},
    {"$M audit report - <$T/small.jsonl", 0, "  refused                     42", ""},
    {"gzip -c $T/small.jsonl >$T/small.gz && $M audit report $T/small.gz", 0,
     "  refused                     42", ""},
    {"$M audit report --top 1 $T/big.jsonl", 0, "others: ", ""},
    {"$M audit report $T/empty.jsonl", 1, "0 records", ""},
    {"$M audit report $T/broken.jsonl", 0, "  broken lines                 1", "broken.jsonl:2:"},
    {"$M audit report $T/none.jsonl", 3, "", "none.jsonl"},
    {"$M audit report --top 0 $T/small.jsonl", 2, "", "--top '0' is not a number from 1 to 1000"},
    {"$M audit report --top", 2, "", "--top needs a value"},
    {"$M audit report --format xml", 2, "", "--format 'xml' is unknown"},
    {"$M audit report --json --html x", 2, "", "--html or --json, not both"},
    {"$M audit report --format text --json", 2, "", "--json or --format, not both"},
    {"$M audit report --html= $T/small.jsonl", 2, "", "--html needs the name"},
    {"$M audit report --htlm x", 2, "", "did you mean --html?"},
    {"$M audit report --reason polcy $T/small.jsonl", 2, "", "did you mean policy?"},
    {"$M audit report --html - $T/small.jsonl", 0, "</html>", ""},
    {"$M audit report --html $T/p.html $T/small.jsonl && stat -c %a $T/p.html", 0, "600", ""},
    {"$M audit report --html $T/none/p.html $T/small.jsonl", 3, "", "none/p.html: cannot be"},
    {"$M audit report --html $T/fifo $T/small.jsonl", 3, "", "not a regular file"},
    {"$M audit report $T/small.jsonl >/dev/full", 3, "", "standard output cannot be written"},
    {"$M audit export --format ecs $T/big.jsonl >/dev/full", 3, "", "cannot be written"},
    {"$M audit explain 00000000000000aa-23 $T/small.jsonl", 0, "handle-forged: no such handle", ""},
    {"$M audit explain '#2' $T/small.jsonl", 0, "The same was refused 41 times", ""},
    {"$M audit explain '#2' $T/small.jsonl", 0, "The session was opened at", ""},
    {"$M audit explain 00000000000000aa-2 $T/small.jsonl", 0, "refused 41 times", ""},
    {"$M audit explain 00000000000000aa-23 $T/small.jsonl $T/small.jsonl", 0, "handle-forged", ""},
    {"$M audit explain - $T/small.jsonl", 1, "", "no such record"},
    {"$M audit explain '#2' - <$T/small.jsonl", 0, "standard input can be read only once", ""},
    {"$M audit explain --json '#23' $T/small.jsonl", 0, "\"reason\":\"handle-forged\"", ""},
    {"$M audit explain --json '#2' $T/short.jsonl", 0,
     "\"open\":{\"@timestamp\":\"2026-03-01T11:00:01.000000Z\",\"message\":\"the thread is who "
     "took the "
     "session\",\"ecs\":",
     ""},
    {"$M audit explain --json '#2' $T/short.jsonl", 0,
     "\"current\":{\"ruid\":{\"id\":4242},\"euid\":{\"id\":4242}", ""},
    {"$M audit explain '#2' $T/short.jsonl", 0, "The session was opened at", ""},
    {"$M audit explain 0000 $T/small.jsonl", 1, "", "3 records begin so"},
    {"$M audit explain nothing $T/small.jsonl", 1, "", "nothing: no such record"},
    {"$M audit explain", 2, "", "which record?"},
    {"$M audit explain '#x' $T/small.jsonl", 2, "", "'#x' is not a record"},
    {"$M audit explain --jsn x", 2, "", "did you mean --json?"},
    {"$M audit explain x $T/none.jsonl", 3, "", "none.jsonl"},
    {"$M audit suggest $T/small.jsonl", 0, "as-user: [65534]", ""},
    {"$M audit suggest $T/small.jsonl", 0, "1 refused call without a rule: no such handle", ""},
    {"$M audit suggest $T/big.jsonl | $M policy check -", 0, "ok: ", NULL},
    {"$M audit suggest --reason handle-forged $T/small.jsonl", 1, "version: 1", ""},
    {"$M audit suggest --as deny", 2, "", "unknown option --as"},
    {"$M audit search --format json $T/big.jsonl >$T/full.jsonl && "
     "$M audit export --format ecs $T/big.jsonl | sed 's/,\"related\":{[^{}]*}}$/}/' | "
     "cmp - $T/full.jsonl",
     0, "", ""},
    {"cmp -s $T/big.jsonl $T/full.jsonl", 1, "", ""},
    {"grep -q 'ruid' $T/full.jsonl", 0, "", ""},
    {"$M audit export --format ocsf $T/big.jsonl | wc -l", 0, "2000", ""},
    {"$M audit export --format cef $T/big.jsonl | grep -vc '^CEF:0|miguard|'", 1, "0", ""},
    {"$M audit export --format rfc5424 $T/big.jsonl | grep -vc '^<8[0-9]>1 2026-'", 1, "0", ""},
    {"$M audit export --format rfc5424 $T/big.jsonl | grep -c '\\[miguard@32473 '", 0, "2000", ""},
    {"$M audit export --format rfc5424 --enterprise 4711 $T/big.jsonl | grep -c '\\[miguard@4711 '",
     0, "2000", ""},
    {"$M audit export --format rfc5424 --enterprise 0 $T/big.jsonl", 2, "",
     "'0' is not a number from 1 to 4294967295"},
    {"$M audit export --format ecs $T/big.jsonl | grep -c '\"related\":{\"user\":\\[\"'", 0, "2000",
     ""},
    /* what is new since the last report, and whether the log is intact */
    {"rm -f $T/seen; $M audit report --since-checkpoint $T/seen --json $T/big.jsonl | grep -o "
     "'\"records\":[0-9]*' | head -n 1; $M audit report --since-checkpoint $T/seen --json "
     "$T/big.jsonl | grep -o '\"records\":[0-9]*' | head -n 1",
     0, "\"records\":2000\n\"records\":0\n", ""},
    {"rm -f $T/seen; head -n 1500 $T/big.jsonl > $T/part.jsonl; $M audit report --since-checkpoint "
     "$T/seen $T/part.jsonl >/dev/null; tail -n 500 $T/big.jsonl >> $T/part.jsonl; $M audit report "
     "--since-checkpoint $T/seen --html - $T/part.jsonl | grep -o '500</b><small>read for this "
     "report\\|only what is new since the last report'",
     0, "only what is new since the last report\n500</b><small>read for this report\n", ""},
    {"rm -f $T/seen; $M audit report --since-checkpoint $T/seen $T/big.jsonl >/dev/full; "
     "[ ! -e $T/seen ] && echo not noted",
     0, "not noted\n", "cannot be written"},
    {"$M audit report --since-checkpoint $T/seen - < $T/big.jsonl", 2, "",
     "--since-checkpoint needs files"},
    {"$M audit report --since-checkpoint /dev/null $T/big.jsonl", 3, "", "not a checkpoint"},
    {"$M audit report --key x $T/big.jsonl", 2, "", "--key needs --verify"},
    {"$M audit report --verify --key $T/none $T/big.jsonl", 3, "", "none: No such file"},
    {"$M audit report --verify --json $T/big.jsonl | grep -o "
     "'\"verified\":{\"answer\":\"[a-z-]*\"'",
     0, "\"answer\":\"tampered\"", ""},
    {"$M audit report --verify --html - $T/big.jsonl | grep -c 'The log was tampered with</span>'",
     0, "1\n", ""},
    {"$M audit export --format ocfs x", 2, "", "did you mean ocsf?"},
    {"$M audit export $T/big.jsonl", 2, "", "--format is required"},
    {"$M audit export --format ecs $T/empty.jsonl", 1, "", ""},
    {"$M audit export --mapping", 0, "actor.process.euid", ""},
};

START_TEST(test_rows)
{
    run(rows[_i].command);
    ck_assert_msg(output.status == rows[_i].status, "%s: %d\n%s", rows[_i].command, output.status,
                  output.err);
    const char *const wanted[] = {rows[_i].out, rows[_i].err};
    const char *const found[] = {output.out, output.err};
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(output_fits(found[i], wanted[i]), "%s: %.2000s", rows[_i].command, found[i]);
    }
}
END_TEST

/* Nothing is left beside the page, and a page that cannot be written leaves the old one. */
START_TEST(test_page_is_replaced_at_once)
{
    run("echo old >$T/q.html && $M audit report --html $T/q.html $T/small.jsonl && "
        "grep -c '</html>' $T/q.html && ls $T | grep -c '^q[.]html'");
    ck_assert_int_eq(output.status, 0);
    ck_assert_str_eq(output.out, "1\n1\n");
    run("echo old >$T/q.html; (ulimit -f 1; trap '' XFSZ; $M audit report --html $T/q.html "
        "$T/big.jsonl); echo $?; cat $T/q.html; ls $T | grep -c '^q[.]html'");
    ck_assert_str_eq(output.out, "3\nold\n1\n");
}
END_TEST

/* ---- explain, in a part of a large log ---------------------------------------------------------
 */

enum { PROCESSES = 4, LARGE = 10000, WIDE = 950 };

static uint64_t large_state;

static unsigned next_large(unsigned below)
{
    large_state = large_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(large_state >> 33) % below;
}

/* Half a log: records of several processes among each other, many of one time; at times a number
 * comes later than it should, a line is torn, or one is longer than a record can be looked for in;
 * the clock is set back once, when asked for. */
static void write_half(const char *name, unsigned *sequence, unsigned numbers[PROCESSES], bool back)
{
    FILE *file = create(name);
    unsigned clock = 7200 + (*sequence > 0 ? 600 : 0);

    for (unsigned i = 0; i < LARGE; i++) {
        const unsigned process = next_large(8) * next_large(PROCESSES) / 8;
        unsigned number = ++numbers[process];
        clock += next_large(20) == 0;
        clock -= back && i == LARGE / 2 ? 7000 : 0;
        if (i % 50 == 49) { /* it comes between numbers that are higher */
            number = number * 1000 + 999;
        }
        if (next_large(500) == 0) {
            fprintf(file, "{\"@timestamp\":\"2026-03-01T11:%s", i % 2 == 0 ? "\n" : "00\"}\n");
        }
        if (i % 4000 == 3999) {
            fprintf(file, "%*s\n", 3 * 1024 * 1024, "x");
        }
        fprintf(file,
                "{\"@timestamp\":\"2026-03-01T%02u:%02u:%02u.000000Z\",\"event\":{\"id\":"
                "\"%016x-%u\",\"sequence\":%u,\"action\":\"session-use\"},\"x\":\"%*s\"}\n",
                clock / 3600, clock / 60 % 60, clock % 60, 0xaa0 + process, number, ++*sequence,
                WIDE - 200, "");
    }
    fprintf(file, "{\"@timestamp\":\"2026-03-01T"); /* it is being written */
    fclose(file);
}

/* With --whole and without: the same. */
static void ask_both(const char *id, const char *files)
{
    char command[512];

    snprintf(command, sizeof(command),
             "$M audit explain --json --whole '%s' %s 2>/dev/null >$T/whole; a=$?;"
             "$M audit explain --json '%s' %s 2>/dev/null >$T/part; b=$?; cmp $T/whole $T/part;"
             "[ $a = $b ] && cat $T/part && exit $a; echo $a $b; exit 9",
             id, files, id, files);
    run(command);
    ck_assert_msg(output.status <= 3 && strstr(output.out, "differ") == NULL, "%s: %s", id,
                  output.out);
}

START_TEST(explain_part_is_whole)
{
    unsigned sequence = 0, numbers[PROCESSES] = {0}, found = 0;
    const char *files = _i % 3 == 0 ? "$T/second.jsonl $T/first.jsonl" : "$T/large.jsonl";
    char id[64];

    large_state = (uint64_t)_i + 5;
    write_half("first.jsonl", &sequence, numbers, _i % 2 == 1);
    write_half("second.jsonl", &sequence, numbers, false);
    run("cat $T/first.jsonl $T/second.jsonl >$T/large.jsonl");
    for (unsigned i = 0; i < 30; i++) {
        const unsigned process = next_large(PROCESSES), number = next_large(numbers[process] + 50);
        snprintf(id, sizeof(id), "%016x-%u", 0xaa0 + process, number);
        ask_both(id, files);
        found += output.status == 0;
        snprintf(id, sizeof(id), "%016x-%u999", 0xaa0 + process, number);
        ask_both(id, files);
        snprintf(id, sizeof(id), "#%u", next_large(sequence + 50));
        ask_both(id, files);
        found += output.status == 0;
    }
    ck_assert_uint_gt(found, 30);
    run("rm $T/first.jsonl $T/second.jsonl $T/large.jsonl $T/whole $T/part");
}
END_TEST

/* Standard input is there once: with it all is read at once, and no record of it is missed. Broken
 * lines that several tries meet are counted once. */
START_TEST(explain_reads_what_is_there_once)
{
    FILE *file = create("large.jsonl");

    for (unsigned i = 1; i <= 4 * LARGE; i++) {
        fprintf(
            file,
            "%s{\"@timestamp\":\"2026-03-01T10:%02u:%02u.000000Z\",\"event\":{\"id\":"
            "\"0000000000000aa1-%u\",\"sequence\":%u,\"action\":\"session-use\"},\"x\":\"%*s\"}\n",
            i % 200 == 0 ? "{\"torn\n" : "", i / 1000, i / 20 % 60, 2 * i, i, WIDE, "");
    }
    fclose(file);
    run("printf '{\"@timestamp\":\"2026-03-01T10:00:00.000000Z\",\"event\":{\"id\":"
        "\"0000000000000bbb-1\",\"sequence\":2000,\"action\":\"session-use\"}}\\n' "
        ">$T/other.jsonl");
    run("cat $T/other.jsonl | $M audit explain '#2000' $T/large.jsonl - 2>&1 | grep '#2000'");
    ck_assert_msg(strstr(output.out, "2000: 2 records") != NULL, "%s", output.out);
    run("$M audit explain 0000000000000aa1-40001 $T/large.jsonl 2>&1 | tail -n 1");
    ck_assert_msg(strstr(output.out, " 200 lines are no records") != NULL, "%s", output.out);
    run("rm $T/large.jsonl $T/other.jsonl");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit review");
    TCase *tests = tcase_create("review");

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    write_logs();
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_rows, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(tests, explain_reads_what_is_there_once);
    tcase_add_loop_test(tests, explain_part_is_whole, 0, getenv("QUICK") != NULL ? 2 : 6);
    tcase_add_test(tests, test_page_is_replaced_at_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    char remove[128];
    snprintf(remove, sizeof(remove), "rm -rf %s", folder);
    return system(remove) == 0 && failed == 0 ? 0 : 1;
}
