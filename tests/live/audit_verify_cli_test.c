/* SPDX-License-Identifier: MIT */
/*
 * `miguard audit verify` as an administrator meets it. Commands are for sh(1), in a folder of the
 * test's own: $M is the command, $H the head of key.jsonl, $L its last number, $Z 64 zeros.
 *
 * key.jsonl has a key and three files, lost.jsonl a key and losses, plain.jsonl none, long.jsonl is
 * plain with 500 records, live.jsonl was written by the log itself and has its state beside it.
 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file/file.h"
#include "support/chain_log.h"
#include "support/output_fits.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { OUTPUT = 65536 };

static char folder[64];
static pid_t owner;

/* ---- the files ------------------------------------------------------------------------------ */

static void save_key(const char *name, const struct chain_key *key)
{
    char text[CHAIN_KEY_TEXT_SIZE];

    chain_key_text(key, text);
    chain_log_append(name, text, strlen(text));
    ck_assert_int_eq(chmod(name, 0600), 0);
}

static void make_keyed(void)
{
    struct chain_log log;
    struct chain_key other;
    char hash[CHAIN_HEX_SIZE], head[128], last[32];

    chain_log_begin(&log, "./key.jsonl", true);
    log.rotate_every = 40;
    chain_log_fill(&log, 100);
    save_key("key", &log.first);
    chain_hex(log.head.hash, hash);
    snprintf(last, sizeof(last), "%llu", (unsigned long long)log.head.sequence);
    snprintf(head, sizeof(head), "%s:%s", last, hash);
    setenv("H", head, 1);
    setenv("L", last, 1);
    chain_key_new(&other);
    save_key("other.key", &other);
}

static void make_others(void)
{
    struct chain_log log;

    chain_log_begin(&log, "lost.jsonl", true);
    chain_log_fill(&log, 10);
    chain_log_lose(&log, AUDIT_LOSS_NO_SPACE, 1200, 0, 0);
    save_key("lost.key", &log.first);
    chain_log_begin(&log, "plain.jsonl", false);
    chain_log_fill(&log, 10);
    chain_log_begin(&log, "long.jsonl", false);
    chain_log_fill(&log, 500);
    chain_log_begin(&log, "one.jsonl", false);
    chain_log_lose(&log, AUDIT_LOSS_NO_SPACE, 1, 0, 0);
    chain_log_append("empty.jsonl", "", 0);
}

static void make_live(const char *name, bool keyed)
{
    char path[128];
    struct chain_key key;
    struct audit *audit = NULL;
    struct miguard_error error = {0};

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct sink_settings file = SINK_FILE_DEFAULT(path);
    const struct audit_settings settings = {&file, 1, 0, NULL};
    file.sync = AUDIT_SYNC_NONE;
    if (keyed) {
        chain_key_new(&key);
        save_key("live.key", &key);
        ck_assert_msg(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, &error) == MIGUARD_OK, "%s",
                      error.detail);
    }
    ck_assert_msg(audit_open(&settings, &audit, &error) == MIGUARD_OK, "%s", error.detail);
    for (uint64_t i = 0; i < 10; i++) {
        struct audit_event event = chain_log_event(i);
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
}

static void make_folder(void)
{
    char command[512];
    const char *out = getenv("OUT");
    char *whole = realpath(out != NULL ? out : "build", NULL);

    ck_assert_ptr_nonnull(whole);
    snprintf(command, sizeof(command), "%s/miguard", whole);
    free(whole);
    setenv("M", command, 1);
    setenv("Z", "0000000000000000000000000000000000000000000000000000000000000000", 1);
    strcpy(folder, "/tmp/miguard-verify-cli-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    owner = getpid();
    ck_assert(chain_init());
    make_keyed();
    make_others();
    make_live("live.jsonl", true);
    make_live("free.jsonl", false);
    make_live("late.jsonl", false);
}

static void remove_folder(void)
{
    char command[128];

    if (owner != getpid()) {
        return;
    }
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- running it ----------------------------------------------------------------------------- */

static void read_text(const char *name, char text[OUTPUT])
{
    FILE *file = fopen(name, "re");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
}

static char out[OUTPUT], err[OUTPUT];

static int sh(const char *command)
{
    char line[2048];

    snprintf(line, sizeof(line), "{ %s\n} > out 2> err < /dev/null", command);
    int status = system(line);
    read_text("out", out);
    read_text("err", err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *command, int status, const char *out_part, const char *err_part)
{
    int found = sh(command);

    ck_assert_msg(found == status && output_fits(out, out_part) && output_fits(err, err_part),
                  "%s\n  exit %d, expected %d\n  stdout, expected '%s':\n%.1500s\n  stderr, "
                  "expected '%s':\n%.1500s",
                  command, found, status, out_part != NULL ? out_part : "*", out,
                  err_part != NULL ? err_part : "*", err);
}

/* ---- the rows ------------------------------------------------------------------------------- */

#define V             "$M audit verify "
#define KEYED         V "--key key "
#define NOT_CONSULTED "miguard: the state of the log was not consulted: "
#define ONLY_HEAD     "; whether its end is missing shows only with --head\n"

static const struct {
    const char *command;
    int status;
    const char *out, *err;
} rows[] = {
    /* usage */
    {V "--help", 0, "usage: miguard audit verify [--key FILE] [--head SEQ:HASH]...", ""},
    {V "-h", 0, "Exit status: 0 intact; 1 tampered with", ""},
    {V "--strcit key.jsonl", 2, "", "did you mean --strict?"},
    {V "--frobnicate key.jsonl", 2, "", "unknown option --frobnicate"},
    {V "--key", 2, "", "--key needs a value"},
    {V "key.jsonl --head", 2, "", "--head needs a value"},
    {V "--head $L key.jsonl", 2, "",
     "is not a head: the number of a record, a colon and 64 hex digits"},
    {V "--head 0:$Z key.jsonl", 2, "", "is not a head"},
    {V "--head +1:$Z key.jsonl", 2, "", "'+1:0"},
    {V "--head -1:$Z key.jsonl", 2, "", "'-1:0"},
    {V "--head ' 1:'$Z key.jsonl", 2, "", "is not a head"},
    {V "--head 1-$Z key.jsonl", 2, "", "is not a head"},
    {V "--head 1:${Z}0 key.jsonl", 2, "", "is not a head"},
    {V "--head 1:${Z%0} key.jsonl", 2, "", "is not a head"},
    {V "--head 1:${Z%0}A key.jsonl", 2, "", "is not a head"},
    {V "--head 18446744073709551616:$Z key.jsonl", 2, "", "is not a head"},
    {V "--head $H --head 7 key.jsonl", 2, "", "'7' is not a head"},
    {V "--head \"$(printf '\\033[31m')\" key.jsonl", 2, "", "'\\x001B[31m' is not a head"},

    /* the key */
    {KEYED "key.jsonl", 3, "intact as far as it goes: ", NOT_CONSULTED "it is missing" ONLY_HEAD},
    {KEYED "key.jsonl", 3, "sequence 1 to ", NULL},
    {KEYED "key.jsonl", 3, " 3 files, chain ", NULL},
    {KEYED "key.jsonl | grep -F \"head $H (keep it outside this host)\"", 0, NULL, NULL},
    {V "--key=key key.jsonl", 3, "intact as far as it goes: ", NULL},
    {"cat key | " V "--key - key.jsonl", 3, "intact as far as it goes: ", NULL},
    {"{ echo '# mine'; echo; cat key; } | " V "--key - key.jsonl", 3,
     "intact as far as it goes: ", NULL},
    {V "--key - key.jsonl", 2, "", "-: not a verification key: one line, miguard-audit-key-1:"},
    {"cp key.jsonl no.key; chmod 600 no.key; " V "--key no.key key.jsonl", 2, "",
     "no.key: not a verification key"},
    {V "--key /dev/zero key.jsonl", 2, "", "/dev/zero: not a verification key"},
    {V "--key none key.jsonl", 3, "", "none: No such file"},
    {V "--key . key.jsonl", 3, "", ".: Is a directory"},
    {V "--key other.key key.jsonl", 1, "alarm: wrong-key: ", NULL},
    {V "--key other.key plain.jsonl", 1, "alarm: wrong-key: ", NULL},
    {V "key.jsonl", 3,
     "unproven: the key is needed. Numbers and links fit, but not what the records say is proved: ",
     NOT_CONSULTED},
    {V "key.jsonl | grep -c 'keep it outside'", 1, "0\n", NULL},
    {V "plain.jsonl", 3,
     "intact as far as it goes, but without a key: who can write the file can make it anew: 10 "
     "records, sequence 1 "
     "to 10, 1 file, chain ",
     NOT_CONSULTED},
    {V "one.jsonl", 3, ": 1 record, sequence 1 to 1, 1 file, chain ", NULL},
    {V "long.jsonl long.jsonl", 3, ": 500 records, sequence 1 to 500, 1 file, chain ", NULL},
    {"mkdir big; cp long.jsonl big/; for i in 1 2 3 4 5 6 7 8 9; do cat long.jsonl; done "
     ">> big/long.jsonl; " V "big/long.jsonl",
     1, ":501: alarm: duplicated: ", NULL},

    /* who has the key can forge the log */
    {"cp key open.key; chmod 604 open.key; " V "--key open.key --head $H key.jsonl", 3, "",
     "open.key: is open to others than its owner (mode 0604; right is 0600)"},
    {"cp key open.key; chmod 640 open.key; " V "--key open.key --head $H key.jsonl", 3, "",
     "mode 0640"},
    {"cp key open.key; chmod 602 open.key; " V "--key open.key --head $H key.jsonl", 3, "",
     "mode 0602"},
    {"cp key open.key; chmod 644 open.key; " V "--key - --head $H key.jsonl < open.key", 3, "",
     "-: is open to others"},
    {"cp key open.key; chmod 644 open.key; ln -sf open.key l.key; " V "--key l.key key.jsonl", 3,
     "", "l.key: is open to others"},
    {"cp key shut.key; chmod 400 shut.key; " V "--key shut.key --head $H key.jsonl", 0,
     "intact: ", ""},

    /* heads */
    {KEYED "--head $H key.jsonl", 0, "the head of record ", ""},
    {KEYED "--head=$H --head $H key.jsonl", 0, " is the one that was kept\n", ""},
    {V "--head $H key.jsonl", 3, "is the one that was kept\n", ""},
    {KEYED "--head $L:$Z key.jsonl", 1, "alarm: head: record ", NULL},
    {KEYED "--head 1000:$Z key.jsonl", 1, "alarm: cut: ", NULL},
    {KEYED "--head $H --head 5:$Z key.jsonl", 1,
     "key.jsonl.1:5: alarm: head: record 5 is not the record with the head that was kept", ""},
    {V "--head $H plain.jsonl", 1, "alarm: cut: ", NULL},

    /* what is wrong */
    {"sed '3s/Web_Server/Web_server/' plain.jsonl > e.jsonl; " V "e.jsonl", 1,
     "e.jsonl:3: alarm: edited: record 3 is not as it was written [20", NULL},
    {"sed '3s/Web_Server/Web_server/' plain.jsonl > e.jsonl; " V "e.jsonl", 1,
     "\ntampered with: 1 alarm in ", NULL},
    {"sed 3d plain.jsonl > x.jsonl; " V "x.jsonl", 1, "x.jsonl:3: alarm: deleted: record 3 is ",
     NULL},
    {"sed '3d;6d' plain.jsonl > x.jsonl; " V "x.jsonl", 1, "\ntampered with: 2 alarms in ", NULL},
    {"sed 'n;d' long.jsonl > m.jsonl; " V "m.jsonl", 1,
     "\nand 149 more; in all: 249 deleted\ntampered with: 249 alarms in 250 records, ", NULL},
    {"echo nothing > w.jsonl; " V "w.jsonl", 1, "w.jsonl:1: alarm: broken: ", NULL},
    {"echo nothing > w.jsonl; " V "w.jsonl", 1, " in 0 records, 1 file\n", ""},
    {"rm -f x.jsonl; cp key.jsonl x.jsonl; " KEYED "x.jsonl", 1, "alarm: missing-start: ", NULL},

    /* losses */
    {V "--key lost.key lost.jsonl", 3, "loss: lost: 1200 records are declared as lost (no-space)",
     NULL},
    {V "--key lost.key lost.jsonl", 3, "\n1,200 records are declared as lost by the log itself\n",
     NULL},
    {V "--key lost.key --strict lost.jsonl", 1, "\nintact as far as it goes: ", NULL},
    {V "one.jsonl", 3, "\n1 record is declared as lost by the log itself\n", NULL},
    {V "--strict one.jsonl", 1, "loss: lost: 1 record is declared as lost", NULL},
    {KEYED "--strict key.jsonl", 3, "intact as far as it goes: ", NULL},
    {V "--strict lost.jsonl", 1, "unproven: the key is needed", NULL},

    /* files */
    {V "empty.jsonl", 3, "unproven: 0 records, 1 file\n", ""},
    {V "none.jsonl", 3, "", "miguard audit verify: "},
    {V "none/none.jsonl", 3, "", "none/: No such file"},
    {"mkdir d.jsonl; " V "d.jsonl", 3, "", "it is not a regular file"},
    {KEYED "key.jsonl key.jsonl.2 key.jsonl.1", 3, "3 files, ", NULL},
    {"mkdir g; cp key.jsonl* g; gzip g/key.jsonl.1; " KEYED "g/key.jsonl", 3, "3 files, ", NULL},
    {KEYED "-- key.jsonl", 3, "intact as far as it goes: ", NULL},
    {KEYED "--json key.jsonl > /dev/full", 3, "", "could not be written"},

    /* the log of the policy in force */
    {"printf 'version: 1\\naudit: {sinks: [{file: {path: %s/key.jsonl}}]}\\n' \"$PWD\" > p.yaml; "
     "MIGUARD_POLICY=$PWD/p.yaml " V "--key key",
     3, "intact as far as it goes: ", NOT_CONSULTED},
    {"printf 'version: x\\n' > q.yaml; MIGUARD_POLICY=$PWD/q.yaml " V "--key key", 3, "",
     "has errors; name a FILE"},

    /* the state beside the log */
    {V "--key live.key live.jsonl", 0, "intact: ", ""},
    {V "--key live.key --json live.jsonl", 0, "\"state_consulted\":true", ""},
    {"ln live.jsonl l.jsonl; " V "--key live.key l.jsonl live.jsonl", 0, " 1 file, chain ", ""},
    {"ln live.jsonl o.jsonl; " V "--key live.key live.jsonl o.jsonl", 0, " 1 file, chain ", ""},
    {"sed '$d' live.jsonl > c.jsonl; cp -p live.jsonl.state c.jsonl.state; " V
     "--key live.key c.jsonl",
     1, "alarm: cut: ", ""},
    {"sed '$d' live.jsonl > n.jsonl; " V "--key live.key n.jsonl", 3,
     "intact as far as it goes: 11 records, ", NOT_CONSULTED "it is missing" ONLY_HEAD},
    {"cp live.jsonl b.jsonl; echo x > b.jsonl.state; " V "--key live.key b.jsonl", 3,
     "intact as far as it goes: ", NOT_CONSULTED},
    {"cp live.jsonl b.jsonl; echo x > b.jsonl.state; " V "--key live.key b.jsonl", 3,
     "intact as far as it goes: ", "b.jsonl.state"},
    {"cp live.jsonl b.jsonl; echo x > b.jsonl.state; " V "--key live.key --json b.jsonl", 3,
     "\"state_consulted\":false", ""},
    {"sed '$d' live.jsonl > n.jsonl; " V "--key live.key --json n.jsonl", 3,
     "\"verdict\":\"unproven\"", ""},
    {"sed '$d' live.jsonl > n.jsonl; " V "--key live.key n.jsonl | grep -c '^intact: '", 1, "0\n",
     NULL},
    {"sed '$d' free.jsonl > n.jsonl; " V "n.jsonl", 3,
     "intact as far as it goes, but without a key: ", NOT_CONSULTED},
    {"sed '$d' live.jsonl > n.jsonl; H9=$(" V
     "--key live.key n.jsonl | sed 's/.*head //;s/ .*//'); " V "--key live.key --head $H9 n.jsonl",
     0, "\nthe head of record ", NULL},

    /* each log has its own, and any may be the one that is cut */
    {"sed '$d' free.jsonl > c.jsonl; cp -p free.jsonl.state c.jsonl.state; " V "live.jsonl c.jsonl",
     1, "alarm: cut: ", ""},
    {"sed '$d' live.jsonl > c.jsonl; cp -p live.jsonl.state c.jsonl.state; " V "free.jsonl c.jsonl",
     1, "alarm: cut: ", ""},
    {"sed '$d' free.jsonl > c.jsonl; cp -p free.jsonl.state c.jsonl.state; " V
     "live.jsonl c.jsonl late.jsonl",
     1, "alarm: cut: record ", ""},
    {V "free.jsonl plain.jsonl", 1, NULL, NOT_CONSULTED "it is missing" ONLY_HEAD},

    /* what is behind the packed data was put there by somebody */
    {"gzip -c live.jsonl > z; echo x >> z; " V "--key live.key z", 1,
     "bytes behind the end of the packed data", NULL},
    {"gzip -c live.jsonl > z; head -c 9 /dev/zero >> z; " V "--key live.key z", 1,
     "alarm: broken: ", NULL},
    {"head -n 1 live.jsonl | gzip > z; tail -n +2 live.jsonl | gzip >> z; " V "--key live.key z", 3,
     "intact as far as it goes: ", NULL},
    {"gzip -c live.jsonl | head -c 200 > z; " V "--key live.key z", 1, "tampered with: 1 alarm ",
     NULL},

    /* a message names the file */
    {"$M audit search /proc/self/mem", 3, "", "/proc/self/mem: it cannot be read further"},
    {V "/proc/self/mem", 3, "", "/proc/self/mem: "},

    /* names are outside text */
    {"w=$(printf 'w\\033[31m\\377.jsonl'); echo nothing > \"$w\"; " V "\"$w\"", 1, "w\\x001B[31m",
     NULL},
    {"w=$(printf 'w\\033[31m\\377.jsonl'); echo nothing > \"$w\"; " V "--json \"$w\"", 1,
     "w\\u001B[31m\357\277\275.jsonl\"", ""},
};

START_TEST(packed_with_zstd)
{
    if (system("command -v zstd > /dev/null && ldd $M | grep -q libzstd") != 0) {
        printf("skip: logs that zstd(1) packed: it is not installed, or miguard was built without "
               "libzstd\n");
        return;
    }
    expect("mkdir s; cp key.jsonl* s; zstd -q --rm s/key.jsonl.1; " KEYED "s/key.jsonl", 3,
           "3 files, ", NULL);
    expect("zstd -qc live.jsonl > z; echo more >> z; " V "--key live.key z", 1,
           "bytes behind the end of the packed data", NULL);
    expect("head -n 1 live.jsonl | zstd -q > z; tail -n +2 live.jsonl | zstd -q >> z; " V
           "--key live.key z",
           3, "intact as far as it goes: ", NULL);
    expect("zstd -qc live.jsonl | head -c 200 > z; " V "--key live.key z", 1,
           "tampered with: 1 alarm ", NULL);
}
END_TEST

START_TEST(test_row)
{
    expect(rows[_i].command, rows[_i].status, rows[_i].out, rows[_i].err);
    ck_assert_ptr_null(strchr(out, '\033'));
    ck_assert_ptr_null(strchr(err, '\033'));
}
END_TEST

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *report_of(const char *command, int status)
{
    expect(command, status, NULL, "");
    json_t *report = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(report != NULL, "%s", out);
    return report;
}

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_integer(value), "%s", name);
    return json_integer_value(value);
}

static const char *string(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_string(value), "%s", name);
    return json_string_value(value);
}

static bool yes(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_boolean(value), "%s", name);
    return json_is_true(value);
}

START_TEST(test_json_intact)
{
    json_t *report = report_of(KEYED "--json --head $H key.jsonl", 0);
    json_int_t last = atoll(getenv("L"));

    ck_assert_uint_eq(json_object_size(report), 19);
    ck_assert_str_eq(string(report, "verdict"), "intact");
    ck_assert(yes(report, "keyed") && yes(report, "proven") && !yes(report, "state_consulted"));
    ck_assert(yes(report, "end_proven"));
    ck_assert_uint_eq(strlen(string(report, "chain")), 16);
    ck_assert_str_eq(string(report, "head"), getenv("H"));
    ck_assert_int_eq(number(report, "first"), 1);
    ck_assert_int_eq(number(report, "last"), last);
    ck_assert_int_eq(number(report, "records"), last);
    ck_assert_int_eq(number(report, "anchored"), last);
    ck_assert_int_eq(number(report, "files"), 3);
    ck_assert_int_gt(number(report, "bytes"), 100 * last);
    ck_assert_int_eq(number(report, "lost") + number(report, "removed_through"), 0);
    ck_assert_int_eq(number(report, "alarms") + number(report, "losses"), 0);
    ck_assert_int_eq(number(report, "notices"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(report, "findings")), 0);
    json_decref(report);
}
END_TEST

START_TEST(test_json_unproven)
{
    json_t *report = report_of(V "--json key.jsonl", 3);

    ck_assert_str_eq(string(report, "verdict"), "unproven");
    ck_assert(yes(report, "keyed") && !yes(report, "proven"));
    ck_assert_int_eq(number(report, "anchored"), 0);
    ck_assert(!yes(report, "end_proven"));
    json_decref(report);
    report = report_of(V "--json empty.jsonl", 3);
    ck_assert_str_eq(string(report, "verdict"), "unproven");
    ck_assert_str_eq(string(report, "head"), "");
    ck_assert_int_eq(number(report, "records"), 0);
    json_decref(report);
}
END_TEST

START_TEST(test_json_findings)
{
    json_t *report = report_of(
        "sed '3s/Web_Server/Web_server/;5,6d' plain.jsonl > j.jsonl; " V "--json j.jsonl", 1);
    const json_t *findings = json_object_get(report, "findings");

    ck_assert_str_eq(string(report, "verdict"), "tampered");
    ck_assert_int_eq(number(report, "alarms"), 2);
    ck_assert_uint_eq(json_array_size(findings), 2);
    const json_t *edited = json_array_get(findings, 0), *deleted = json_array_get(findings, 1);
    ck_assert_str_eq(string(edited, "kind"), "edited");
    ck_assert_str_eq(string(edited, "severity"), "alarm");
    ck_assert_str_eq(string(edited, "file"), "j.jsonl");
    ck_assert_str_eq(string(edited, "message"), "record 3 is not as it was written");
    ck_assert_uint_eq(strlen(string(edited, "time")), strlen("2026-01-02T03:04:05Z"));
    ck_assert_int_eq(number(edited, "line"), 3);
    ck_assert_str_eq(string(deleted, "kind"), "deleted");
    ck_assert_int_eq(number(deleted, "line"), 5);
    ck_assert_int_eq(number(deleted, "first"), 5);
    ck_assert_int_eq(number(deleted, "last"), 6);
    ck_assert_int_eq(number(deleted, "count"), 2);
    json_decref(report);
}
END_TEST

START_TEST(test_json_losses)
{
    json_t *report = report_of(V "--json --key lost.key lost.jsonl", 3);
    const json_t *lost = json_array_get(json_object_get(report, "findings"), 0);

    ck_assert_int_eq(number(report, "losses"), 1);
    ck_assert_int_eq(number(report, "lost"), 1200);
    ck_assert_str_eq(string(lost, "severity"), "loss");
    ck_assert_int_eq(number(lost, "count"), 1200);
    json_decref(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("miguard audit verify");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 600);
    tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, packed_with_zstd);
    tcase_add_loop_test(tests, test_row, 0, LENGTH(rows));
    tcase_add_test(tests, test_json_intact);
    tcase_add_test(tests, test_json_unproven);
    tcase_add_test(tests, test_json_findings);
    tcase_add_test(tests, test_json_losses);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
