/* SPDX-License-Identifier: MIT */
/*
 * `miguard audit metrics`: what it counts, that counters do not go back, and that promtool takes
 * the text. Commands are for sh(1), in a folder of the test's own: $M is the command, a.jsonl has
 * 2,000 records, b.jsonl the 2,000 behind them, own.jsonl was written by the log itself.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/audit_generate.h"
#include "support/chain_log.h"
#include "support/output_fits.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { OUTPUT = 1 << 18 };

static char folder[64];
static pid_t owner;
static char out[OUTPUT], err[OUTPUT];

static void make_logs(void)
{
    const struct generate first = {.seed = 1, .count = 2000};
    const struct generate second = {.seed = 2,
                                    .count = 2000,
                                    .sequence = 2001,
                                    .start = GENERATE_START + 2000 * INT64_C(1000000000)};
    struct chain_log log;
    char text[CHAIN_KEY_TEXT_SIZE];

    ck_assert(audit_generate("a.jsonl", &first));
    ck_assert(audit_generate("b.jsonl", &second));
    ck_assert(chain_init());
    chain_log_begin(&log, "own.jsonl", true);
    chain_log_fill(&log, 20);
    chain_log_lose(&log, AUDIT_LOSS_NO_SPACE, 12, 0, 0);
    chain_key_text(&log.first, text);
    chain_log_append("key", text, strlen(text));
    ck_assert_int_eq(chmod("key", 0600), 0);
}

static void make_folder(void)
{
    char command[512];
    char *whole = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);

    ck_assert_ptr_nonnull(whole);
    snprintf(command, sizeof(command), "%s/miguard", whole);
    free(whole);
    setenv("M", command, 1);
    strcpy(folder, "/tmp/miguard-metrics-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    owner = getpid();
    make_logs();
}

static void remove_folder(void)
{
    char command[128];

    if (owner == getpid()) {
        ck_assert_int_eq(chdir("/"), 0);
        snprintf(command, sizeof(command), "rm -rf '%s'", folder);
        ck_assert_int_eq(system(command), 0);
    }
}

static void read_text(const char *name, char text[OUTPUT])
{
    FILE *file = fopen(name, "re");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
}

static int sh(const char *command)
{
    char line[2048];

    snprintf(line, sizeof(line), "{ %s\n} > out 2> err < /dev/null", command);
    int status = system(line);
    read_text("out", out);
    read_text("err", err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define METRICS "$M audit metrics "
#define SUM     "| awk '/^miguard_audit_calls_total/ {n += $NF} END {print n + 0}'"

static const struct {
    const char *command;
    int status;
    const char *out, *err; /* parts; "": nothing; NULL: anything */
} rows[] = {
    {METRICS "--help", 0, "usage: miguard audit metrics", ""},
    {METRICS "a.jsonl | grep '^miguard_audit_records_total '", 0,
     "miguard_audit_records_total 2000\n", ""},
    {METRICS "a.jsonl | grep '^miguard_audit_head_sequence'", 0, "\"} 2000\n", ""},
    {METRICS "--head own.jsonl | grep '^miguard_audit_head_info'", 0,
     "miguard_audit_head_info{sequence=\"", ""},
    {METRICS "a.jsonl | grep head_info", 1, "", ""},
    {METRICS "own.jsonl | grep '^miguard_audit_lost'", 0,
     "miguard_audit_lost_records_total{sink=\"file\",cause=\"no-space\"} 12\n", ""},
    /* as a report counts */
    {"a=$(" METRICS
     "a.jsonl b.jsonl | sed -n 's/^miguard_audit_calls_total{decision=\"deny\".*} //p' "
     "| awk '{n += $1} END {print n}'); "
     "b=$($M audit report --json a.jsonl b.jsonl | grep -o '\"refused\":[0-9]*' | head -n 1 | "
     "cut -d: -f2); [ \"$a\" = \"$b\" ] && echo same",
     0, "same\n", ""},
    /* a counter goes on, and does not go back when a file is gone */
    {METRICS "--checkpoint c1 a.jsonl > 1; " METRICS "--checkpoint c1 a.jsonl > 2; cmp 1 2 && "
             "echo same",
     0, "same\n", ""},
    {METRICS "--checkpoint c2 a.jsonl > /dev/null; " METRICS
             "--checkpoint c2 a.jsonl b.jsonl > 1; " METRICS
             "a.jsonl b.jsonl | sort > 2; sort 1 | cmp - 2 && echo same",
     0, "same\n", ""},
    {METRICS "--checkpoint c3 a.jsonl > /dev/null; " METRICS "--checkpoint c3 b.jsonl " SUM
             " > 1; " METRICS "a.jsonl b.jsonl " SUM " | cmp - 1 && echo same",
     0, "same\n", ""},
    {"echo x > c4; " METRICS "--checkpoint c4 a.jsonl", 3, "", "c4: not a checkpoint"},
    {"$M audit search --count --checkpoint c5 a.jsonl; " METRICS "--checkpoint c5 a.jsonl", 3, NULL,
     "c5: not a checkpoint"},
    {"echo '{\"miguard-metrics\":2}' > c6; " METRICS "--checkpoint c6 a.jsonl", 3, "",
     "c6: not a checkpoint"},
    /* what is verified */
    {METRICS "own.jsonl | grep -c verify", 1, "0\n", ""},
    {METRICS "--verify --key key own.jsonl | grep 'result=\"intact-so-far\"'", 0,
     "miguard_audit_verify_result{result=\"intact-so-far\"} 1\n", ""},
    {METRICS "--verify --key key own.jsonl | grep -c 'verify_result.* 0$'", 0, "3\n", ""},
    {METRICS "--verify own.jsonl | grep 'result=\"unproven\"'", 0, "} 1\n", ""},
    {"sed 3d own.jsonl > cut.jsonl; " METRICS "--verify --key key cut.jsonl | "
     "grep 'result=\"tampered\"'",
     0, "} 1\n", ""},
    {METRICS
     "--checkpoint c7 --verify --key key own.jsonl > 1; " METRICS
     "--checkpoint c7 own.jsonl > 2; grep verify 1 | sort > 3; grep verify 2 | sort | cmp - 3 "
     "&& echo kept",
     0, "kept\n", ""},
    {METRICS "--verify --key none own.jsonl", 3, "miguard_audit_records_total",
     "none: No such file"},
    {METRICS "--key key own.jsonl", 2, "", "--key needs --verify"},
    /* the file for the collector */
    {METRICS "--textfile m.prom a.jsonl; stat -c %a m.prom; ls | grep -c 'm.prom'", 0, "644\n1\n",
     ""},
    {METRICS "a.jsonl | cmp - m.prom; " METRICS "--textfile m.prom a.jsonl; " METRICS
             "a.jsonl | cmp - m.prom && echo same",
     0, "same\n", NULL},
    {METRICS "--textfile m.txt a.jsonl", 2, "", "the name must end in .prom"},
    {METRICS "--textfile none/m.prom a.jsonl", 3, "", "none/m.prom: cannot be written"},
    {"mkdir -p d.prom; " METRICS "--textfile d.prom a.jsonl", 3, "", "not a regular file"},
    {METRICS "--checkpoint c - < a.jsonl", 2, "", "--checkpoint needs files"},
    {METRICS "a.jsonl > /dev/full", 3, "", "cannot be written"},
    {METRICS "none.jsonl", 3, "", "none.jsonl: No such file"},
    {METRICS "--json a.jsonl | grep -o '\"records\":[0-9]*'", 0, "\"records\":2000\n", ""},
    {"{ cat a.jsonl; echo nothing; } > bad.jsonl; " METRICS
     "bad.jsonl | grep malformed_lines_total",
     0, "miguard_audit_malformed_lines_total 1\n", NULL},
    /* names of others */
    {"printf '%s\\n' "
     "'{\"miguard\":{\"operation\":\"x\",\"provider\":\"a\\\"b\\\\\\\\c\\u001b\\n}\","
     "\"decision\":\"deny\"},\"event\":{\"action\":\"session-use\",\"reason\":\"policy\"}}' > "
     "w.jsonl; " METRICS "w.jsonl | grep provider=",
     0, "provider=\"a\\\"b\\\\\\\\c\\\\x001B\\\\x000A}\"} 1\n", ""},
    {"for i in $(seq 2000); do echo '{\"miguard\":{\"operation\":\"x\",\"provider\":\"p'$i'\","
     "\"decision\":\"deny\"},\"event\":{\"action\":\"session-use\",\"reason\":\"policy\"}}'; done "
     "> "
     "f.jsonl; " METRICS "f.jsonl > 1; grep -c provider= 1; cat 1 " SUM,
     0, "257\n2000\n", ""},
};

START_TEST(metrics_row)
{
    int status = sh(rows[_i].command);

    ck_assert_msg(status == rows[_i].status && output_fits(out, rows[_i].out) &&
                      output_fits(err, rows[_i].err),
                  "%s\n  exit %d, expected %d\n  stdout:\n%.1500s\n  stderr:\n%.800s",
                  rows[_i].command, status, rows[_i].status, out, err);
}
END_TEST

/* ---- the format ------------------------------------------------------------------------------ */

/*
 * The rules of the text format that matter here, since promtool is not everywhere: HELP and TYPE
 * before the samples of each name and once, samples of one name together, no sample twice, label
 * values escaped, and a counter's name ends in _total.
 */
static const char checker[] =
    "awk '"
    "/^# HELP / { if (help[$3]++) bad(\"HELP twice\"); next }"
    "/^# TYPE / { if (type[$3] != \"\" || !help[$3]) bad(\"TYPE\"); type[$3] = $4; "
    "  if (($4 == \"counter\") != ($3 ~ /_total$/)) bad(\"name of a counter\"); now = $3; next }"
    "/^miguard_[a-z_]+(\\{([a-z_]+=\"([^\"\\\\]|\\\\[\\\\\"n])*\",?)+\\})? -?[0-9]+(\\.[0-9]+)?$/ {"
    "  name = $0; sub(/[{ ].*/, \"\", name); if (name != now) bad(\"not below its TYPE\");"
    "  key = $0; sub(/ [^ ]*$/, \"\", key); if (seen[key]++) bad(\"twice\"); samples++; next }"
    "{ bad(\"no line of the format\") }"
    "function bad(what) { print FILENAME \":\" NR \": \" what \": \" $0; failed = 1 }"
    "END { exit failed || samples < 3 }' ";

static const char *const texts[] = {
    "$M audit metrics --head --verify a.jsonl b.jsonl > t.prom",
    "$M audit metrics --head --verify --key key own.jsonl > t.prom",
    "$M audit metrics f.jsonl > t.prom",
    "$M audit metrics w.jsonl > t.prom",
};

START_TEST(format_row)
{
    char command[2048];

    (void)sh(rows[LENGTH(rows) - 1].command);
    (void)sh(rows[LENGTH(rows) - 2].command);
    ck_assert_int_eq(sh(texts[_i]), 0);
    snprintf(command, sizeof(command), "%s t.prom", checker);
    ck_assert_msg(sh(command) == 0, "%s: %s%s", texts[_i], out, err);
    if (sh("command -v promtool") == 0) {
        ck_assert_msg(sh("promtool check metrics < t.prom") == 0, "%s: %s%s", texts[_i], out, err);
    } else {
        printf("skip: promtool check metrics: there is no promtool here\n");
    }
}
END_TEST

/* The checker is one: each of these is refused. */
static const char *const wrong[] = {
    "sed 1d",
    "sed '/^# TYPE/d'",
    "sed 's/_total/_sum/'",
    "sed '$p'",
    "sed 's/\"deny\"/\"de\"ny\"/'",
    "sed '4s/$/ x y/'",
    "sed 's/ [0-9]*$/ many/'",
    "head -n 2",
};

START_TEST(checker_row)
{
    char command[2048];

    ck_assert_int_eq(sh("$M audit metrics a.jsonl > t.prom"), 0);
    snprintf(command, sizeof(command), "%s t.prom", checker);
    ck_assert_msg(sh(command) == 0, "%s%s", out, err);
    snprintf(command, sizeof(command), "%s t.prom > w.prom; %s w.prom", wrong[_i], checker);
    ck_assert_msg(sh(command) == 1, "%s: %s%s", wrong[_i], out, err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit metrics");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 300);
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, metrics_row, 0, LENGTH(rows));
    tcase_add_loop_test(tests, format_row, 0, LENGTH(texts));
    tcase_add_loop_test(tests, checker_row, 0, LENGTH(wrong));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
