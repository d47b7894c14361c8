/* SPDX-License-Identifier: MIT */
/*
 * `miguard audit search` and `follow` as a user meets them. Commands are for sh(1), in a folder of
 * the test's own: $M is the command; a.jsonl and b.jsonl are two generated logs.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/audit_generate.h"
#include "support/output_fits.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { OUTPUT = 65536 };

static char folder[64];

static void make_folder(void)
{
    const struct generate first = {.seed = 1, .count = 2000};
    const struct generate second = {.seed = 2,
                                    .count = 2000,
                                    .sequence = 2001,
                                    .start = GENERATE_START + 2000 * INT64_C(1000000000)};
    char path[128], command[512];
    static char *whole; /* found once: without CK_FORK the next test begins elsewhere */

    strcpy(folder, "/tmp/miguard-audit-cli-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    if (whole == NULL) {
        whole = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);
    }
    ck_assert_ptr_nonnull(whole);
    snprintf(command, sizeof(command), "%s/miguard", whole);
    setenv("M", command, 1);
    setenv("TZ", "UTC0", 1);
    snprintf(path, sizeof(path), "%s/a.jsonl", folder);
    ck_assert(audit_generate(path, &first));
    snprintf(path, sizeof(path), "%s/b.jsonl", folder);
    ck_assert(audit_generate(path, &second));
    ck_assert_int_eq(chdir(folder), 0);
    /* In full, as json shows them, so that what is shown can be compared with the log. */
    ck_assert_int_eq(system("for log in a b; do cp $log.jsonl $log.short && $M audit search "
                            "--format json $log.short > $log.jsonl || exit 1; done"),
                     0);
}

static void remove_folder(void)
{
    char command[128];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static char *read_text(const char *path)
{
    static char texts[2][OUTPUT];
    static int turn;
    char *text = texts[turn = !turn];
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
    return text;
}

static const char *out, *err;

static int sh(const char *command)
{
    char line[2048];

    snprintf(line, sizeof(line), "{ %s\n} > out 2> err", command);
    int status = system(line);
    out = read_text("out");
    err = read_text("err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *command, int status, const char *out_part, const char *err_part)
{
    int found = sh(command);

    ck_assert_msg(found == status && output_fits(out, out_part) && output_fits(err, err_part),
                  "%s\n  exit %d, expected %d\n  stdout, expected '%s':\n%.1500s\n  stderr, "
                  "expected '%s':\n%.1500s",
                  command, found, status, out_part, out, err_part, err);
}

/* ---- searching --------------------------------------------------------------------------------
 */

#define OWN_LINE                                                                                   \
    "printf '%s\\n' '{\"miguard\":{\"operation\":\"upload\",\"provider\":\"fs\",\"resource\":"     \
    "\"/srv/a\\u001b\",\"object\":\"inode 17\"}}' > o; "

static const struct {
    const char *command;
    int status;
    const char *out, *err;
} rows[] = {
    {"$M audit search --help", 0, "--checkpoint FILE", ""},
    {"$M audit search -h", 0, "--component NAME", ""},
    {"$M audit follow --help", 0, "usage: miguard audit follow", ""},
    {"$M audit search --count a.jsonl b.jsonl", 0, "4000\n", ""},
    {"$M audit search --count a.jsonl ./a.jsonl", 0, "2000\n", ""},
    {"$M audit search --count --class MG_Needle a.jsonl", 0, "2\n", ""},
    {"$M audit search --class=MG_Needle --first 1 a.jsonl", 0, "REFUSED       session-", ""},
    {"$M audit search --class MG_Needle --first 1 a.jsonl", 0, "-> 54321", ""},
    {"$M audit search --class MG_Needle --first 1 a.jsonl", 0,
     "identity-mismatch: the session was taken under another identity; it differs in ", ""},
    {"$M audit search --sequence 1000 a.jsonl", 0, "2026-03-01 00:16:39.000000  REFUSED", ""},
    {"$M audit search --count --start 2026-03-01T00:00:10Z --end 2026-03-01T00:00:19Z a.jsonl", 0,
     "10\n", ""},
    {"$M audit search --count --user nobody --user 54321 a.jsonl", 0, "\n", ""},
    {"$M audit search --class MG_None a.jsonl", 1, "", ""},
    {"$M audit search --count --class MG_None a.jsonl", 1, "0\n", ""},
    {"$M audit search --format csv --class MG_None a.jsonl", 1, "", ""},
    {"$M audit search --format csv --last 1 b.jsonl", 0, "timestamp,event.sequence,", ""},
    {"$M audit search --format csv --last 1 b.jsonl", 0, "Z\",\"4000\",\"", ""},
    {"$M audit search --color always --sequence 1000 a.jsonl", 0, "\033[1;31mREFUSED", ""},
    {"gzip -c a.jsonl > a.gz; $M audit search --count b.jsonl a.gz", 0, "4000\n", ""},
    {"cat a.jsonl | $M audit search --count -", 0, "2000\n", ""},
    {"gzip -c a.jsonl | $M audit search --count - b.jsonl", 0, "4000\n", ""},
    {"$M audit search none.jsonl", 3, "", "none.jsonl: No such file"},
    {"$M audit search .", 3, "", ". is a folder"},
    {"$M audit search --reason identity-mismach a.jsonl", 2, "",
     "--reason 'identity-mismach' is unknown; did you mean identity-mismatch?"},
    {"$M audit search --operation GetInstanc a.jsonl", 1, "", "did you mean GetInstance?"},
    {"$M audit search --operation upload a.jsonl", 1, "", ""},
    {"$M audit search --operation getinstance --first 1 a.jsonl", 0, "GetInstance", ""},
    {"$M audit search --operation 'a b' a.jsonl", 2, "", "is not a name of an operation or action"},
    {"$M audit search --resource '/srv/*' --object x a.jsonl", 1, "", ""},
    {OWN_LINE "$M audit search --operation upload --resource '/srv/*' --object INODE o", 0,
     "  upload  /srv/a\\x001B  ", ""},
    {OWN_LINE "$M audit search --text inode o", 0, "inode 17", ""},
    {OWN_LINE "$M audit search --format csv --operation upload o", 0,
     "\"/srv/a\\x001B\",\"inode 17\"", ""},
    /* negation, or, saved queries */
    {"$M audit search --count --class MG_Needle --or --sequence 5-7 a.jsonl", 0, "5\n", ""},
    {"$M audit search --count --not --class MG_Needle a.jsonl", 0, "1998\n", ""},
    {"$M audit search --count --not --sequence 1-1990 --not --class MG_Needle a.jsonl", 0, "9\n",
     ""},
    {"a=$($M audit search --count --decision deny a.jsonl); "
     "b=$($M audit search --count --not --decision deny a.jsonl); echo $((a + b))",
     0, "2000\n", ""},
    {"$M audit search --count --saved refusals a.jsonl | cmp - b-count; "
     "$M audit search --count --decision deny a.jsonl > b-count; "
     "$M audit search --count --saved refusals a.jsonl | cmp - b-count && echo same",
     0, "same", "b-count"},
    {"$M audit search --not a.jsonl", 2, "", "--not needs a condition behind it"},
    {"$M audit search --class x --or a.jsonl", 2, "",
     "--or needs a condition before it and one behind it"},
    {"$M audit search --not=1 --class x a.jsonl", 2, "", "--not takes no value"},
    {"$M audit search --saved no-such a.jsonl", 2, "", "'no-such' is no saved query; see miguard"},
    {"$M audit search --saved ../x a.jsonl", 2, "", "is not a name"},
    {"mkdir -p q; printf '# mine\n--sequence=5\n' > q/mine.query; "
     "MIGUARD_QUERIES=q $M audit search --count --saved mine a.jsonl",
     0, "1\n", ""},
    {"mkdir -p q; printf '# mine\n--sequnce=5\n' > q/bad.query; "
     "MIGUARD_QUERIES=q $M audit search --saved bad a.jsonl",
     2, "", "q/bad.query:2: --sequnce is not a condition"},
    {"mkdir -p q/no.query; MIGUARD_QUERIES=q $M audit search --saved no a.jsonl", 3, "",
     "q/no.query: Is a directory"},
    {"mkdir -p q; printf '# mine\033[31m\n--sequence=5\n' > q/mine.query; "
     "MIGUARD_QUERIES=q $M audit queries | grep -c '^mine .*mine.x001B.31m .q/mine.query.$'",
     0, "1\n", ""},
    {"$M audit queries --json", 0,
     "{\"name\":\"refusals\",\"about\":\"all calls that were refused\"", ""},
    /* what is printed of a record, and in which order */
    {"$M audit search --fields sequence,class --sequence 4-5 --json a.jsonl", 0,
     "{\"event.sequence\":4,\"miguard.class\":\"", ""},
    {"$M audit search --fields event.sequence,miguard.decision --sequence 1000 a.jsonl", 0,
     "1000\tdeny\n", ""},
    {"$M audit search --fields sequence,class --format csv --sequence 4 a.jsonl", 0,
     "event.sequence,miguard.class\r\n\"4\",\"", ""},
    {OWN_LINE "$M audit search --fields resource,provider o", 0, "/srv/a\\x001B\tfs\n", ""},
    {"$M audit search --fields process.real_user.id --first 1 a.short", 0, "\n", ""},
    {"$M audit search --fields usr.name a.jsonl", 2, "",
     "'usr.name' is no field; did you mean user.name?"},
    {"$M audit search --fields sequence,,class a.jsonl", 2, "", "'' is no field"},
    {"$M audit search --sort -sequence --first 2 --fields sequence a.jsonl | tr '\n' ' '", 0,
     "2000 1999 ", ""},
    {"$M audit search --sort=sequence --last 2 --fields sequence b.jsonl a.jsonl | tr '\n' ' '", 0,
     "3999 4000 ", ""},
    {"$M audit search --sort user.id --fields user.id a.jsonl | sort -n -c && echo sorted", 0,
     "sorted", ""},
    {"$M audit search --sort sequence --sequence 9000 a.jsonl", 1, "", ""},
    {"$M audit search --sort sequenc a.jsonl", 2, "", "--sort 'sequenc' is no field"},
    {"$M audit search --sort sequence --count a.jsonl", 2, "", "--sort or --count, not both"},
    {"$M audit search --json --sequence 4 a.jsonl | cmp - b4; $M audit search --format json "
     "--sequence 4 a.jsonl > b4; $M audit search --json --sequence 4 a.jsonl | cmp - b4 && echo "
     "same",
     0, "same", "b4"},
    {"$M audit search --json --count --class MG_Needle a.jsonl", 0, "{\"count\":2}\n", ""},
    {"$M audit search --json --format csv a.jsonl", 2, "", "--json or --format, not both"},
    {"$M audit follow --fields nonsense a.jsonl", 2, "", "'nonsense' is no field"},
    /* a record of the log about itself is no call that was allowed */
    {"printf '%s\n' "
     "'{\"miguard\":{\"decision\":\"allow\"},\"event\":{\"action\":\"audit-start\"}}' > s; "
     "$M audit search s",
     0, "recorded      audit-start", ""},
    {"printf '%s\n' "
     "'{\"miguard\":{\"decision\":\"allow\"},\"event\":{\"action\":\"audit-start\"}}' > s; "
     "$M audit search --decision allow s",
     1, "", ""},
    {"printf '%s\n' "
     "'{\"miguard\":{\"decision\":\"allow\"},\"event\":{\"action\":\"audit-start\"}}' > s; "
     "$M audit search --no-starts s",
     1, "", ""},
    {"a=$($M audit search --decision allow --fields repeat.count a.jsonl | awk '{n += $1 > 0 ? $1 "
     ": 1} "
     "END {print n + 0}'); b=$($M audit report --json a.jsonl | grep -o '\"allowed\":[0-9]*' | "
     "head -n 1 | cut -d: -f2); [ \"$a\" = \"$b\" ] && echo same $a",
     0, "same", ""},
    {"$M audit search --start tomorrow a.jsonl", 2, "", "'tomorrow' is not a time"},
    {"$M audit search --reasn x a.jsonl", 2, "", "did you mean --reason?"},
    {"$M audit search --user", 2, "", "--user needs a value: GLOB"},
    {"$M audit search --format", 2, "", "--format needs a value: text, json or csv"},
    {"$M audit search --decision x", 2, "", "known words: allow, deny or would-deny"},
    {"$M audit search --start x", 2, "", "2h (ago) and words: now, recent, "},
    {"$M audit export", 2, "", "--format is required: ecs, ocsf, cef, rfc5424 or parquet; see"},
    {"$M audit search --format xml a.jsonl", 2, "",
     "--format 'xml' is unknown; use text, json or csv"},
    {"$M audit search --format jsn a.jsonl", 2, "", "did you mean json?"},
    {"$M audit search --color sometimes a.jsonl", 2, "", "--color 'sometimes' is unknown"},
    {"$M audit search --first 0 a.jsonl", 2, "", "--first '0' is not a number from 1 to 1000000"},
    {"$M audit search --last x a.jsonl", 2, "", "--last 'x' is not a number"},
    {"$M audit search --first 1 --last 1 a.jsonl", 2, "", "not both"},
    {"$M audit search --first 1 --count a.jsonl", 2, "", "--first or --count, not both"},
    {"$M audit search --count --last 1 a.jsonl", 2, "", "--last or --count, not both"},
    {"$M audit search --count=1 a.jsonl", 2, "", "--count takes no value"},
    {"$M audit search --checkpoint c - < a.jsonl", 2, "", "--checkpoint needs files"},
    {"$M audit search a.jsonl > /dev/full", 3, "", "cannot be written: No space left"},
    {"$M audit init --continue --aside new.jsonl", 2, "", "--aside or --continue, not both"},
    {"$M audit follow a.jsonl b.jsonl", 2, "", "unexpected argument 'b.jsonl'"},
    {"$M audit follow -n x a.jsonl", 2, "", "-n 'x' is not a number from 0 to 100000"},
    {"$M audit follow -", 2, "", "cannot be followed"},
    {"$M audit follow .", 3, "", "it is not a regular file"},
    {"$M audit follow --format jso a.jsonl", 2, "", "did you mean json?"},
};

START_TEST(search_row)
{
    make_folder();
    expect(rows[_i].command, rows[_i].status, rows[_i].out, rows[_i].err);
    remove_folder();
}
END_TEST

START_TEST(json_is_the_line_itself)
{
    make_folder();
    expect("$M audit search --format json a.jsonl | cmp - a.jsonl", 0, "", "");
    expect("cat a.short b.jsonl | $M audit search --format json - | wc -l", 0, "4000\n", "");
    expect("$M audit search --format json b.jsonl a.jsonl > both; cat a.jsonl b.jsonl | cmp - both",
           0, "", "");
    expect("$M audit search --format json --last 7 b.jsonl > last; tail -n 7 b.jsonl | cmp - last",
           0, "", "");
    expect(
        "$M audit search --format json --first 7 a.jsonl > first; head -n 7 a.jsonl | cmp - first",
        0, "", "");
    remove_folder();
}
END_TEST

/* The log of the policy, with its rotated files. */
START_TEST(log_of_the_policy)
{
    make_folder();
    expect("mv a.jsonl b.jsonl.2 && gzip b.jsonl.2 && printf 'version: 1\\naudit:\\n  sinks:\\n"
           "    - file: { path: %s/b.jsonl }\\n' \"$PWD\" > policy.yaml && "
           "MIGUARD_POLICY=$PWD/policy.yaml $M audit search --count",
           0, "4000\n", "");
    expect("echo 'version: 9' > policy.yaml; MIGUARD_POLICY=$PWD/policy.yaml $M audit search", 3,
           "", "name a FILE");
    expect("echo 'version: 9' > policy.yaml; MIGUARD_POLICY=$PWD/policy.yaml $M audit follow", 3,
           "", "name a FILE");
    remove_folder();
}
END_TEST

START_TEST(broken_lines_are_told)
{
    make_folder();
    expect(
        "head -n 3 a.jsonl > c; echo '{\"x\":' >> c; head -n 1 b.jsonl >> c; printf '{\"y' >> c; "
        "$M audit search --count c",
        0, "4\n",
        "c:4: the record is cut off, at byte 6\nmiguard: c:6: a string is not closed, "
        "at byte 4; the line is not finished\nmiguard: 2 lines are no records\n");
    expect("$M audit search --class MG_None c", 3, "", "2 lines are no records");
    expect("$M audit search --class MG_None --last 2 c", 3, "", "2 lines are no records");
    expect("seq 150 > c; $M audit search c", 3, "", "150 lines are no records");
    ck_assert_ptr_nonnull(strstr(err, "c:100: "));
    ck_assert_ptr_null(strstr(err, "c:101: "));
    expect("head -c 300 /dev/zero | gzip -c | head -c 20 > c; $M audit search c", 3, "",
           "c: it is damaged");
    expect("$M audit search --count c a.jsonl", 3, "2000\n", "c: it is damaged");
    remove_folder();
}
END_TEST

/* What a forged line holds reaches neither the terminal nor a spreadsheet's formulas. */
START_TEST(hostile_values)
{
    make_folder();
    expect(
        "printf '%s\\n' '{\"rule\":{\"name\":\"=1+\\\"1\\\"\",\"reference\":\"@x\"},\"miguard\":{"
        "\"class\":\"\\u001b[2J\\r\\nforged\",\"namespace\":\"-2\",\"provider\":\"+3\","
        "\"decision\":\"deny\"},\"event\":{\"reason\":\"a,b\"}}' > c; "
        "$M audit search --format csv c",
        0, "\"'=1+\"\"1\"\"\",\"'@x\"", "");
    ck_assert_ptr_nonnull(strstr(out, "\"'-2\",\"\\x001B[2J\\x000D\\x000Aforged\",,,\"'+3\""));
    ck_assert_ptr_nonnull(strstr(out, "\"a,b\""));
    expect("$M audit search c", 0, ":\\x001B[2J\\x000D\\x000Aforged", "");
    ck_assert_ptr_null(strchr(out, '\033'));
    remove_folder();
}
END_TEST

/* A terminal by script(1), where it is installed. */
START_TEST(on_a_terminal)
{
    make_folder();
    if (sh("command -v script") != 0) {
        printf("skip: colour on a terminal: script(1) is not installed\n");
        remove_folder();
        return;
    }
    expect("printf '%b\\n' '{\"message\":\"\\0177\\0302\\0233\\0342\\0200\\0256x\"}' > c", 0, "",
           "");
    expect("script -qec \"$M audit search --format json c\" /dev/null < /dev/null", 0,
           "{\"message\":\"\\u007f\\u009b\\u202ex\"}", "");
    expect(
        "NO_COLOR= script -qec \"$M audit search --sequence 1000 a.jsonl\" /dev/null < /dev/null",
        0, "\033[1;31mREFUSED", "");
    expect("NO_COLOR=1 script -qec \"$M audit search --sequence 1000 a.jsonl\" /dev/null < "
           "/dev/null",
           0, "  REFUSED", "");
    remove_folder();
}
END_TEST

/* ---- checkpoints ------------------------------------------------------------------------------
 */

#define SEARCH "$M audit search --format json --checkpoint point "

START_TEST(checkpoint_goes_on)
{
    make_folder();
    expect("head -n 900 a.jsonl > log; " SEARCH "log | wc -l", 0, "900\n", "");
    expect(SEARCH "log", 1, "", "");
    expect("tail -n +901 a.jsonl >> log; " SEARCH "log | wc -l", 0, "1100\n", "");
    expect("mv log log.1; head -n 10 b.jsonl > log; " SEARCH "log.1 log | wc -l", 0, "10\n", "");
    expect("gzip log.1; tail -n +11 b.jsonl >> log; " SEARCH "log.1.gz log | wc -l", 0, "1990\n",
           "");
    expect(SEARCH "log.1.gz log", 1, "", "");
    expect("test $(ls point* | wc -l) = 1 && grep -c miguard-checkpoint point", 0, "1\n", "");
    remove_folder();
}
END_TEST

/* Piece by piece, each record once and in order, over both files. */
START_TEST(checkpoint_by_pieces)
{
    make_folder();
    expect("while " SEARCH "--first 333 a.jsonl b.jsonl >> all; do :; done; "
           "cat a.jsonl b.jsonl | cmp - all",
           0, "", "");
    remove_folder();
}
END_TEST

START_TEST(checkpoint_and_change)
{
    make_folder();
    expect("cp a.jsonl log; " SEARCH "log | wc -l", 0, "2000\n", "");
    expect("head -n 5 a.jsonl > log; " SEARCH "log | wc -l", 0, "5\n",
           "log: it was cut or rewritten since the checkpoint");
    expect("cp b.jsonl log; " SEARCH "log | wc -l", 0, "2000\n", "");
    for (int i = 0; i < 5; i++) {
        static const char *const damage[] = {
            "echo garbage > point", "truncate -s 40 point", "truncate -s 0 point",
            "sed -i 's/\"last\":\"./\"last\":\"g/' point", "sed -i 's/:2,/:3,/' point"};
        ck_assert_int_eq(sh(damage[i]), 0);
        ck_assert_int_eq(sh("cp point kept"), 0);
        expect(SEARCH "log", 3, "", "point: not a checkpoint, or a damaged one");
        expect("cmp point kept", 0, "", "");
        expect("rm point; " SEARCH "log | wc -l", 0, "2000\n", "");
    }
    remove_folder();
}
END_TEST

/* Nothing counts as reported that did not get out, and no search is lost for a bad place. */
START_TEST(checkpoint_and_output)
{
    make_folder();
    expect(SEARCH "a.jsonl > /dev/full", 3, "", "cannot be written");
    expect("test ! -e point", 0, "", "");
    expect(SEARCH "a.jsonl | wc -l", 0, "2000\n", "");
    expect("cp point kept; " SEARCH "b.jsonl > /dev/full", 3, "", "cannot be written");
    expect("cmp point kept", 0, "", "");
    expect("$M audit search --count --checkpoint none/point a.jsonl", 3, "2000\n",
           "none/point: the checkpoint cannot be written: No such file");
    expect("$M audit search --count --checkpoint a.jsonl/x a.jsonl", 3, "",
           "a.jsonl/x: Not a directory");
    expect("mkdir d; $M audit search --count --checkpoint d a.jsonl", 3, "", "d: ");
    remove_folder();
}
END_TEST

/* ---- following --------------------------------------------------------------------------------
 */

static pid_t start_follow(const char *options)
{
    char command[512];
    pid_t child = fork();

    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        snprintf(command, sizeof(command), "exec $M audit follow %s > shown 2> told", options);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(child, 0);
    return child;
}

/* Until the command succeeds; a minute is for ever. */
static void wait_until(const char *command)
{
    const struct timespec pause = {0, 20000000};

    for (int i = 0; i < 3000; i++) {
        if (sh(command) == 0) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("%s: never; %.300s", command, read_text("told"));
}

static void end_follow(pid_t child)
{
    int status = 0;

    ck_assert_int_eq(kill(child, SIGINT), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
}

START_TEST(follow_over_rotation)
{
    make_folder();
    ck_assert_int_eq(sh("head -n 100 a.jsonl > log"), 0);
    pid_t child = start_follow("-n 5 --format json log");
    wait_until("head -n 100 a.jsonl | tail -n 5 | cmp -s - shown");
    kill(child, SIGSTOP); /* it is to find all of this at once */
    ck_assert_int_eq(sh("sed -n 101,200p a.jsonl >> log; mv log log.1; sed -n 201,300p a.jsonl > "
                        "log; mv log.1 log.2; mv log log.1; sed -n 301,400p a.jsonl > log"),
                     0);
    kill(child, SIGCONT);
    wait_until("sed -n 96,400p a.jsonl | cmp -s - shown");
    ck_assert_int_eq(sh("sed -n 401,500p a.jsonl >> log"), 0);
    wait_until("sed -n 96,500p a.jsonl | cmp -s - shown");
    end_follow(child);
    expect("cat told", 0, "", "");
    remove_folder();
}
END_TEST

START_TEST(follow_what_happens)
{
    make_folder();
    pid_t child = start_follow("-n 0 --format json --class MG_Needle log");
    wait_until("grep -q 'log: No such file or directory; waiting for it' told");
    ck_assert_int_eq(sh("cp a.jsonl new; mv new log"), 0);
    wait_until("grep MG_Needle a.jsonl | cmp -s - shown");
    ck_assert_int_eq(sh("echo broken >> log; printf '{\"a\"' >> log"), 0);
    wait_until("grep -q 'log:2001: no JSON object' told");
    ck_assert_int_eq(sh("head -c 0 b.jsonl > log; : wait for it to be seen"), 0);
    wait_until("grep -q 'log: the file was cut; reading it from its beginning' told");
    ck_assert_int_eq(sh("head -c 3000000 /dev/zero | tr '\\0' x >> log; echo >> log"), 0);
    wait_until("grep -q 'log:1: a line longer than 1 MiB' told");
    ck_assert_int_eq(sh("cat b.jsonl >> log"), 0);
    wait_until("cat a.jsonl b.jsonl | grep MG_Needle | cmp -s - shown");
    ck_assert_int_eq(sh("printf '{\"unfinished' >> log; rm log; head -n 1000 a.jsonl > log"), 0);
    wait_until("cat a.jsonl b.jsonl a.jsonl | grep MG_Needle | head -n 5 | cmp -s - shown");
    wait_until("grep -q 'log: a new file, and the one before it is gone' told");
    /* The same, with the new file found while it is still empty. */
    ck_assert_int_eq(sh("rm log; : > log; sleep 1; head -n 1000 a.jsonl > log"), 0);
    wait_until("cat a.jsonl b.jsonl a.jsonl | grep MG_Needle | head -n 5 > all;"
               " head -n 1000 a.jsonl | grep MG_Needle >> all; cmp -s all shown");
    wait_until("test $(grep -c 'log: a new file, and the one before it is gone' told) = 2");
    end_follow(child);
    remove_folder();
}
END_TEST

/* Both zstd(1) and its library are optional. */
static bool lacks_zstd(void)
{
    if (sh("command -v zstd && ldd $M | grep libzstd") == 0) {
        return false;
    }
    printf("skip: logs that zstd(1) packed: it is not installed, or miguard was built without "
           "libzstd\n");
    return true;
}

START_TEST(packed_with_zstd)
{
    make_folder();
    if (lacks_zstd()) {
        remove_folder();
        return;
    }
    expect("zstd -q a.jsonl -o a.zst; $M audit search --count b.jsonl a.zst", 0, "4000\n", "");
    expect("zstd -qc a.jsonl | $M audit search --count - b.jsonl", 0, "4000\n", "");
    expect("$M audit search --format json --class MG_Needle a.jsonl > plain; $M audit search "
           "--format json --class MG_Needle a.zst | cmp - plain",
           0, "", "");
    expect("$M audit report --json a.jsonl | sed s/a.jsonl/a.zst/ > plain; $M audit report --json "
           "a.zst | cmp - plain",
           0, "", "");
    expect("head -n 700 a.jsonl | zstd -qc > c; tail -n +701 a.jsonl | gzip >> d; "
           "tail -n +701 a.jsonl | zstd -qc >> c; $M audit search --count c d",
           0, "3300\n", "");
    expect("head -c 30000 a.zst > c; $M audit search --class MG_None c", 3, "",
           "c: it is damaged: the packed data end too early");
    expect("(cat a.zst; echo x) > c; $M audit search --count c", 3, "2000\n", "c: it is damaged: ");
    expect("mv a.jsonl b.jsonl.2 && zstd -q --rm b.jsonl.2 && printf 'version: 1\naudit:\n  "
           "sinks:\n    - file: { path: %s/b.jsonl }\n' \"$PWD\" > policy.yaml && "
           "MIGUARD_POLICY=$PWD/policy.yaml $M audit search --count",
           0, "4000\n", "");
    /* Rotated and packed while it is followed. */
    ck_assert_int_eq(sh("head -n 100 b.jsonl > log"), 0);
    pid_t child = start_follow("-n 5 --format json log");
    wait_until("head -n 100 b.jsonl | tail -n 5 | cmp -s - shown");
    kill(child, SIGSTOP);
    ck_assert_int_eq(sh("mv log log.1; sed -n 101,200p b.jsonl > log.2; zstd -q --rm log.2; "
                        "sed -n 201,300p b.jsonl > log"),
                     0);
    kill(child, SIGCONT);
    wait_until("sed -n 96,300p b.jsonl | cmp -s - shown");
    end_follow(child);
    remove_folder();
}
END_TEST

/* "log" of more than 16 MiB, with a line that is no record at its beginning and near its end, and
 * "next", which goes on behind it. */
static void make_large(void)
{
    const struct generate most = {.seed = 3, .count = 18000};
    const struct generate next = {.seed = 4,
                                  .count = 300,
                                  .sequence = 18001,
                                  .start = GENERATE_START + 18000 * INT64_C(1000000000)};

    ck_assert(audit_generate("most", &most) && audit_generate("next", &next));
    ck_assert_int_eq(sh("(echo broken; head -n -5 most; echo broken; tail -n 5 most) > log;"
                        "test $(stat -c %s log) -gt $((1 << 24)) || exit 1;"
                        "for f in most next; do $M audit search --format json $f > $f.full; done"),
                     0);
}

/* Bytes that the process has read so far; 0: it may not be asked. */
static unsigned long bytes_read(pid_t process)
{
    char path[64];
    unsigned long bytes = 0;

    snprintf(path, sizeof(path), "/proc/%d/io", (int)process);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "rchar: %lu", &bytes) != 1) {
        bytes = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

/* Only the end is read, and what comes is followed as in a small log. */
START_TEST(follow_large)
{
    make_folder();
    make_large();
    pid_t child = start_follow("-n 3 --format json log");
    wait_until("tail -n 3 most.full | cmp -s - shown");
    ck_assert_uint_lt(bytes_read(child), 1UL << 22);
    ck_assert_int_eq(sh("head -n 100 next >> log; mv log log.1; sed -n 101,200p next > log"), 0);
    wait_until("(tail -n 3 most.full; head -n 200 next.full) | cmp -s - shown");
    ck_assert_int_eq(sh("echo broken >> log"), 0);
    wait_until("grep -q '^miguard.*log:101: no JSON object' told");
    end_follow(child);
    expect("grep -c 'log: byte .*: no JSON object' told", 0, "1\n", "");
    expect("grep -c 'no JSON object' told", 0, "2\n", "");
    /* What is rare is looked for in all of it, and the line at its beginning is met then. */
    child = start_follow("-n 100 --format json --id 0000000000001234-18100 log.1");
    wait_until("sed -n 100p next.full | cmp -s - shown");
    end_follow(child);
    expect("grep -c 'log.1:1: no JSON object' told", 0, "1\n", "");
    remove_folder();
}
END_TEST

START_TEST(follow_large_from_a_checkpoint)
{
    make_folder();
    make_large();
    pid_t child = start_follow("-n 0 --checkpoint place --format json log");
    wait_until("test -s place");
    end_follow(child);
    ck_assert_int_eq(sh("head -n 100 next >> log"), 0);
    child = start_follow("--checkpoint place --format json log");
    wait_until("head -n 100 next.full | cmp -s - shown");
    ck_assert_uint_lt(bytes_read(child), 1UL << 22);
    end_follow(child);
    /* The line near the end may be met again, and is where the place is looked for. */
    expect("grep -v 'log: byte .*: no JSON object' told", 1, "", "");
    remove_folder();
}
END_TEST

static Suite *suite(void)
{
    Suite *whole = suite_create("audit_cli");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 300);
    tcase_add_loop_test(all, search_row, 0, LENGTH(rows));
    tcase_add_test(all, json_is_the_line_itself);
    tcase_add_test(all, log_of_the_policy);
    tcase_add_test(all, packed_with_zstd);
    tcase_add_test(all, broken_lines_are_told);
    tcase_add_test(all, hostile_values);
    tcase_add_test(all, on_a_terminal);
    tcase_add_test(all, checkpoint_goes_on);
    tcase_add_test(all, checkpoint_by_pieces);
    tcase_add_test(all, checkpoint_and_change);
    tcase_add_test(all, checkpoint_and_output);
    tcase_add_test(all, follow_over_rotation);
    tcase_add_test(all, follow_what_happens);
    tcase_add_test(all, follow_large);
    tcase_add_test(all, follow_large_from_a_checkpoint);
    suite_add_tcase(whole, all);
    return whole;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
