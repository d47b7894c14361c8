/* SPDX-License-Identifier: MIT */
/* Which records a condition asks for, and the times that people name. */
#include "model/event.h"
#include "model/record_limits.h"
#include "tools/review/query.h"
#include "tools/review/query_time.h"
#include "tools/review/record_complete.h"
#include "tools/review/saved.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- conditions -------------------------------------------------------------------------------
 */

static const char refusal[] =
    "{\"@timestamp\":\"2026-03-01T12:00:00.000000Z\",\"message\":\"the \\\"thread\\\" is \\u00c4\","
    "\"host\":{\"name\":\"Host.example\"},\"process\":{\"pid\":1234,\"executable\":\"/usr/bin/x\","
    "\"name\":\"x\",\"thread\":{\"id\":1235},\"user\":{\"id\":\"33\",\"name\":\"www-data\"},"
    "\"real_user\":{\"id\":\"7\",\"name\":\"lp\"},\"saved_user\":{\"id\":\"8\",\"name\":\"mail\"},"
    "\"group\":{\"id\":\"34\",\"name\":\"backup\"}},\"user\":{\"id\":\"0\",\"name\":\"root\","
    "\"group\":{\"id\":\"1\",\"name\":\"daemon\"}},\"rule\":{\"name\":\"web \\\"x\\\"\"},"
    "\"miguard\":{\"operation\":\"GetInstance\",\"provider\":\"libweb.so\","
    "\"namespace\":\"root/"
    "cimv2\",\"class\":\"CIM_Process\",\"method\":\"Terminate\",\"keys\":[\"Handle=4711\",\"Name="
    "J\\u00fcrgen\"],\"decision\":\"deny\","
    "\"context_id\":\"00000000000000ab\",\"session_id\":\"ffffffffffffffff\","
    "\"mismatch\":[\"euid\",\"cap-effective\"],\"loginuid\":1000},"
    "\"event\":{\"id\":\"00ff-17\",\"sequence\":17,\"code\":\"MG101E\",\"action\":\"session-use\","
    "\"reason\":\"identity-mismatch\"}}";

static const char permitted[] =
    "{\"@timestamp\":\"2026-03-01T12:00:01Z\",\"miguard\":{\"decision\":\"allow\","
    "\"would_deny\":true},\"event\":{\"action\":\"switch\"}}";

static const char own[] =
    "{\"miguard\":{\"operation\":\"admin.Delete\",\"provider\":\"fileserver\",\"resource\":\"/srv/"
    "caf\\u00e9\",\"object\":\"Inode 17 \\\"x\\\"\",\"decision\":\"deny\"}}";

/* Of format 3, which leaves out what other members say. */
#define SHORT(process, cred)                                                                       \
    "{\"@timestamp\":\"2026-03-01T12:00:00.000000Z\",\"process\":{\"pid\":1234,\"executable\":"    \
    "\"/usr/bin/x\"" process                                                                       \
    "},\"user\":{\"id\":\"33\",\"name\":\"www-data\",\"group\":{\"id\":\"34\","                    \
    "\"name\":\"backup\"}},\"miguard\":{\"format\":3,\"cred\":{\"bound\":{}" cred                  \
    "}},\"event\":{\"id\":\"0000000000001234-7\",\"action\":\"session-use\","                      \
    "\"outcome\":\"failure\",\"reason\":\"identity-mismatch\"}}"
static const char brief[] = SHORT("", "");
static const char brief_other[] = SHORT(",\"user\":{\"id\":\"7\"},\"group\":{\"id\":\"8\"}", "");
static const char brief_unknown[] = SHORT("", ",\"current\":null");

static const struct {
    const char *record, *option, *value;
    bool matches;
} conditions[] = {
    {brief, "--decision", "deny", true},
    {brief, "--decision", "allow", false},
    {brief, "--code", "MG101E", true},
    {brief, "--code", "MG101I", false},
    {brief, "--current-user", "www-data", true},
    {brief, "--current-user", "33", true},
    {brief, "--group", "backup", true},
    {brief_other, "--current-user", "7", true},
    {brief_other, "--current-user", "www-data", false},
    {brief_other, "--current-user", "33", false},
    {brief_unknown, "--current-user", "www-data", false},
    {brief_unknown, "--current-user", "33", false},
    {brief_unknown, "--user", "33", true},
    {brief, "--executable", "x", true},
    {brief, "--executable", "bin/x", false},
    {brief, "--tid", "1234", true},
    {brief, "--text", "under another IDENTITY", true},
    {brief, "--text", "MG101E", true},
    {brief, "--text", "allow", false},
    {refusal, "--user", "root", true},
    {refusal, "--user", "0", true},
    {refusal, "--user", "www-data", true},
    {refusal, "--user", "33", true},
    {refusal, "--user", "www*", true},
    {refusal, "--user", "?ww-data", true},
    {refusal, "--user", "lp", false},
    {refusal, "--user", "ROOT", false},
    {refusal, "--user", "roo", false},
    {refusal, "--user", "roott", false},
    {refusal, "--bound-user", "root", true},
    {refusal, "--bound-user", "www-data", false},
    {refusal, "--current-user", "33", true},
    {refusal, "--current-user", "root", false},
    {refusal, "--any-user", "lp", true},
    {refusal, "--any-user", "8", true},
    {refusal, "--any-user", "1000", true},
    {refusal, "--any-user", "1001", false},
    {refusal, "--group", "daemon", true},
    {refusal, "--group", "34", true},
    {refusal, "--group", "root", false},
    {refusal, "--provider", "libweb.so", true},
    {refusal, "--provider", "lib*.so", true},
    {refusal, "--provider", "LIBWEB.SO", false},
    {refusal, "--provider", "*", true},
    {permitted, "--provider", "*", false},
    {refusal, "--class", "cim_process", true},
    {refusal, "--class", "CIM_*s", true},
    {refusal, "--class", "CIM_*x", false},
    {refusal, "--method", "terminate", true},
    {refusal, "--method", "Term*", true},
    {refusal, "--method", "Term", false},
    {permitted, "--method", "*", false},
    {refusal, "--text", "TERMINATE", true},
    {refusal, "--text", "4711", true},
    {refusal, "--text", "handle=47", true},
    {refusal, "--text", "Name=J\u00FCrgen", true},
    {refusal, "--text", "Handle=4712", false},
    {refusal, "--namespace", "ROOT\\CIMV2", true},
    {refusal, "--namespace", "root/*", true},
    {refusal, "--namespace", "root", false},
    {refusal, "--operation", "getinstance", true},
    {refusal, "--operation", "Get*", true},
    {refusal, "--operation", "Invoke", false},
    {refusal, "--decision", "deny", true},
    {refusal, "--decision", "allow", false},
    {refusal, "--decision", "would-deny", false},
    {permitted, "--decision", "would-deny", true},
    {permitted, "--decision", "allow", false},
    {permitted, "--decision", "deny", false},
    {refusal, "--reason", "identity-mismatch", true},
    {refusal, "--reason", "identity-*", true},
    {refusal, "--reason", "policy", false},
    {refusal, "--component", "euid", true},
    {refusal, "--component", "cap-*", true},
    {refusal, "--component", "groups", false},
    {permitted, "--component", "euid", false},
    {refusal, "--rule", "web \"x\"", true},
    {refusal, "--rule", "web*", true},
    {refusal, "--rule", "web", false},
    {refusal, "--session", "ffffffffffffffff", true},
    {refusal, "--session", "FFFFFFFFFFFFFFFF", true},
    {refusal, "--session", "fffffffffffffff", false},
    {refusal, "--context", "ab", true},
    {refusal, "--context", "0AB", true},
    {refusal, "--context", "a", false},
    {permitted, "--context", "0", false},
    {refusal, "--pid", "1234", true},
    {refusal, "--pid", "1-9999", true},
    {refusal, "--pid", "1235", false},
    {refusal, "--tid", "1235", true},
    {refusal, "--executable", "x", true},
    {refusal, "--executable", "/usr/*", true},
    {refusal, "--executable", "/usr/*/y", false},
    {refusal, "--host", "host.EXAMPLE", true},
    {refusal, "--host", "other", false},
    {refusal, "--action", "session-use", true},
    {refusal, "--action", "switch", false},
    {refusal, "--code", "mg101e", true},
    {refusal, "--code", "MG*I", false},
    {refusal, "--id", "00ff-17", true},
    {refusal, "--id", "00ff-1", false},
    {refusal, "--sequence", "17", true},
    {refusal, "--sequence", "16-17", true},
    {refusal, "--sequence", "18-19", false},
    {refusal, "--sequence", "0-16", false},
    {refusal, "--text", "THREAD", true},
    {refusal, "--text", "\"thread\" IS \xC3\x84", true},
    {refusal, "--text", "identity-MIS", true},
    {refusal, "--text", "cap-eff", true},
    {refusal, "--text", "executable", false}, /* a member's name */
    {refusal, "--text", "1234", false},       /* no text */
    {refusal, "--text", "u00c4", false},
    {refusal, "--text", "root\",\"", false},
    {refusal, "--start", "2026-03-01T12:00:00Z", true},
    {refusal, "--start", "2026-03-01T12:00:00.000001Z", false},
    {refusal, "--end", "2026-03-01T12:00:00Z", true},
    {refusal, "--end", "2026-03-01T12:00Z", true},
    {permitted, "--end", "2026-03-01T12:00:00Z", false},
    {permitted, "--end", "2026-03-01T12:00Z", true},
    {refusal, "--end", "2026-03-01T11:59Z", false},
    {refusal, "--start", "now", false},
    {own, "--operation", "admin.delete", true},
    {own, "--operation", "admin.*", true},
    {own, "--operation", "delete", false},
    {own, "--operation", "Get*", false},
    {own, "--resource", "/srv/caf\xC3\xA9", true},
    {own, "--resource", "/srv/*", true},
    {own, "--resource", "/SRV/*", false},
    {own, "--resource", "/srv", false},
    {own, "--object", "inode 17", true},
    {own, "--object", "\"X\"", true},
    {own, "--object", "inode*", false}, /* a text, no pattern */
    {own, "--object", "inode 18", false},
    {own, "--text", "/srv/caf\xC3\xA9", true},
    {own, "--text", "INODE", true},
    {own, "--provider", "fileserver", true},
    {refusal, "--resource", "*", false},
    {refusal, "--object", "o", false},
    {"{}", "--start", "2026-03-01", false},
    {"{}", "--text", "x", false},
    {"{\"process\":{\"user\":{\"name\":\"r\\u006fot\"}}}", "--user", "root", true},
    {"{\"rule\":{\"name\":\"a\\\\b\"}}", "--rule", "a\\b", true},
};

static struct record parse(const char *line)
{
    struct record record;
    size_t offset = 0;
    const char *fault = record_parse(line, strlen(line), &record, &offset);

    ck_assert_msg(fault == NULL, "%s: %s at %zu", line, fault, offset);
    return record;
}

static void add(struct query *query, const char *option, const char *value)
{
    struct miguard_error error = {0};

    ck_assert_msg(query_add(query, option, value, &error) == MIGUARD_OK, "%s", error.detail);
}

/* A reader gives the fields that the query asks for, and no other. */
static bool matches_with_few(const struct query *query, const struct record *record)
{
    struct record few = {.line = record->line, .length = record->length};
    struct record_fields_wanted wanted;

    query_fields(query, &wanted);
    for (size_t i = 0; i < wanted.count; i++) {
        few.field[wanted.list[i]] = record->field[wanted.list[i]];
    }
    return query_matches(query, &few);
}

START_TEST(condition_row)
{
    struct query *query = query_new();
    struct record record = parse(conditions[_i].record);

    add(query, conditions[_i].option, conditions[_i].value);
    ck_assert_msg(query_matches(query, &record) == conditions[_i].matches, "%s %s",
                  conditions[_i].option, conditions[_i].value);
    ck_assert(matches_with_few(query, &record) == conditions[_i].matches);
    query_free(query);
}
END_TEST

/* ---- free text against a model ----------------------------------------------------------------
 */

enum { MOST_CHARACTERS = 12 };

/* A string as it stands in a line, with escapes here and there, and what it means. */
static char *random_string(char *at, char meaning[MOST_CHARACTERS + 1])
{
    static const char *const raw[] = {"a", "B", "/", "\\\"", "\\\\", "\\/", "\\u0061", "b", ":"};
    static const char means[] = "aB/\"\\/ab:";
    size_t length = (size_t)rand() % MOST_CHARACTERS;

    for (size_t i = 0; i < length; i++) {
        /* Half of the strings have no escape, as most have none. */
        size_t one = (size_t)rand() % (length % 2 == 0 ? 3 : sizeof(means) - 1);
        at = stpcpy(at, raw[one]);
        meaning[i] = means[one];
    }
    meaning[length] = '\0';
    return at;
}

/* A record of some members, of which one has a list; whether a value has the word in it. */
static bool random_record(char *line, const char *word)
{
    char meaning[MOST_CHARACTERS + 1];
    bool expected = false;
    char *at = stpcpy(line, "{\"x\":\"\"");

    for (int i = rand() % 6; i > 0; i--) {
        at += sprintf(at, "%s\"%.*s%d\"%s:%s", rand() % 2 == 0 ? "," : ", ", rand() % 4, "aBba", i,
                      rand() % 2 == 0 ? "" : " ", i % 3 == 0 ? "[\"a\",\"" : " \"");
        at = random_string(at, meaning);
        at = stpcpy(at, i % 3 == 0 ? "\"]" : "\"");
        expected = expected || strcasestr(meaning, word) != NULL ||
                   (i % 3 == 0 && strcasecmp(word, "a") == 0);
    }
    strcpy(at, "}");
    return expected;
}

START_TEST(random_texts)
{
    char line[2048];
    unsigned found = 0, count = getenv("QUICK") != NULL ? 4000 : 20000;

    srand(27);
    for (unsigned i = 0; i < count; i++) {
        char word[4] = "";
        for (int k = rand() % 3; k >= 0; k--) {
            word[strlen(word)] = "aBb/\"\\:A"[rand() % 8];
        }
        bool expected = random_record(line, word);
        struct query *query = query_new();
        struct record record = parse(line);
        add(query, "--text", word);
        ck_assert_msg(query_matches(query, &record) == expected, "%s in %s", word, line);
        query_free(query);
        found += expected;
    }
    ck_assert_uint_gt(found, count / 10);
    ck_assert_uint_lt(found, count / 10 * 9);
}
END_TEST

#define NAME_OF(NAME, name, ...) name,
static const char *const actions[] = {AUDIT_ACTION_MAP(NAME_OF)};
static const char *const reasons[] = {AUDIT_REASON_MAP(NAME_OF)};

/* What is left out of a line because other members say it: each text is found. */
static void each_constant_is_found(const struct record *record)
{
    char text[512];

    for (size_t i = 0; i < record_constant_count; i++) {
        const struct slice *slice = &record->field[record_constant_fields[i]];
        struct query *query = query_new();
        if (slice->length > 2) {
            snprintf(text, sizeof(text), "%.*s", (int)slice->length - 2, slice->at + 1);
            add(query, "--text", text);
            ck_assert_msg(query_matches(query, record), "%s", text);
            ck_assert_msg(matches_with_few(query, record), "%s", text);
        }
        query_free(query);
    }
}

START_TEST(constant_texts)
{
    char line[512];

    for (int i = 0; i < 2 * LENGTH(actions) * LENGTH(reasons); i++) {
        snprintf(line, sizeof(line),
                 "{\"miguard\":{\"format\":3},\"event\":{\"action\":\"%s\",\"outcome\":\"%s\","
                 "\"reason\":\"%s\"}}",
                 actions[i / 2 % LENGTH(actions)], i % 2 == 0 ? "success" : "failure",
                 reasons[i / 2 / LENGTH(actions)]);
        struct record record = parse(line);
        ck_assert_ptr_nonnull(record.field[RECORD_CODE].at);
        ck_assert_ptr_nonnull(record.field[RECORD_OBSERVER_PRODUCT].at);
        each_constant_is_found(&record);
    }
}
END_TEST

/* A name that the record lacks is looked up for records of this host alone: the host is asked. */
START_TEST(few_fields_and_a_later_name)
{
    struct query *query = query_new();
    struct utsname host;
    char line[512];

    ck_assert_int_eq(uname(&host), 0);
    snprintf(line, sizeof(line), "{\"host\":{\"name\":\"%s\"},\"user\":{\"id\":\"0\"}}",
             host.nodename);
    struct record record = parse(line);
    add(query, "--user", "root");
    ck_assert(query_matches(query, &record));
    ck_assert(matches_with_few(query, &record));
    query_free(query);
}
END_TEST

START_TEST(all_conditions_any_value)
{
    struct query *query = query_new();
    struct record record = parse(refusal);

    ck_assert(query_matches(query, &record));
    add(query, "--user", "nobody");
    ck_assert(!query_matches(query, &record));
    add(query, "--user", "mail");
    ck_assert(!query_matches(query, &record));
    add(query, "--user", "root");
    ck_assert(query_matches(query, &record));
    add(query, "--user", "lp");
    ck_assert(query_matches(query, &record));
    ck_assert(matches_with_few(query, &record));
    add(query, "--decision", "deny");
    ck_assert(query_matches(query, &record));
    add(query, "--pid", "1");
    ck_assert(!query_matches(query, &record));
    query_free(query);
    query_free(NULL);
}
END_TEST

/* Words of a command line: what begins with -- and takes a value has it behind it. */
static void add_words(struct query *query, const char *words)
{
    char copy[512], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        bool flag = strcmp(word, "--not") == 0 || strcmp(word, "--or") == 0 ||
                    strcmp(word, "--no-starts") == 0;
        add(query, word, flag ? NULL : strtok_r(NULL, " ", &save));
    }
}

static const char started[] =
    "{\"miguard\":{\"decision\":\"allow\"},\"event\":{\"action\":\"audit-start\",\"sequence\":4}}";
static const char refused_policy[] = "{\"miguard\":{\"decision\":\"deny\"},\"event\":{\"action\":"
                                     "\"policy-refused\",\"sequence\":5}}";
static const char open_allowed[] =
    "{\"miguard\":{\"decision\":\"allow\"},\"event\":{\"action\":\"session-open\",\"sequence\":6}}";

static const struct {
    const char *record, *words;
    bool matches;
} sets[] = {
    {refusal, "--not --user root", false},
    {refusal, "--not --user mail", true},
    {permitted, "--not --user root", true}, /* the field is missing */
    {refusal, "--not --user mail --not --user lp", true},
    {refusal, "--not --user mail --not --user root", false},
    {refusal, "--user root --user mail --not --user www-data", false},
    {refusal, "--user root --not --user mail", true},
    {refusal, "--not --provider * --provider *", false},
    {refusal, "--not --sequence 17", false},
    {refusal, "--not --sequence 18-20", true},
    {refusal, "--not --start 2026-03-02", true},
    {refusal, "--not --start 2026-02-02", false},
    {refusal, "--not --text terminate", false},
    {refusal, "--user mail --or --user root", true},
    {refusal, "--user root --or --user mail", true},
    {refusal, "--user lp --or --user mail", false},
    {refusal, "--user mail --decision deny --or --provider libweb.so", true},
    {refusal, "--provider libweb.so --user lp --or --user mail", false},
    {refusal, "--user lp --or --user mail --or --not --pid 1", true},
    {refusal, "--saved refusals", true},
    {refusal, "--saved mismatches --not --user root", false},
    {refusal, "--not --saved refusals", false},
    {refusal, "--not --saved would-deny", true},
    {refusal, "--saved would-deny --saved refusals", true},
    {permitted, "--saved would-deny", true},
    {refusal, "--no-starts", true},
    {started, "--no-starts", false},
    {refused_policy, "--no-starts", true},
    {started, "--not --no-starts", true},
    {refusal, "--not --no-starts", false},
    /* as a report counts */
    {started, "--decision allow", false},
    {permitted, "--decision allow", false},
    {permitted, "--decision would-deny", true},
    {permitted, "--decision *", true},
    {open_allowed, "--decision allow", true},
    {refused_policy, "--decision deny", true},
    {refusal, "--decision deny", true},
    {refusal, "--not --decision allow", true},
};

START_TEST(set_row)
{
    struct query *query = query_new();
    struct record record = parse(sets[_i].record);

    add_words(query, sets[_i].words);
    ck_assert_int_eq(query_end(query, NULL), MIGUARD_OK);
    ck_assert_msg(query_matches(query, &record) == sets[_i].matches, "%s", sets[_i].words);
    ck_assert_msg(matches_with_few(query, &record) == sets[_i].matches, "few: %s", sets[_i].words);
    query_free(query);
}
END_TEST

/* What is passed over holds nothing that is asked for. */
static const struct {
    const char *words;
    uint64_t first, last;
    bool start, end; /* there is one */
} bounds[] = {
    {"--sequence 5-9", 5, 9, false, false},
    {"--not --sequence 5-9", 0, UINT64_MAX, false, false},
    {"--sequence 5-9 --not --sequence 100", 5, 9, false, false},
    {"--sequence 5-9 --or --sequence 20", 5, 20, false, false},
    {"--sequence 5-9 --or --user root", 0, UINT64_MAX, false, false},
    {"--start 2026-03-01 --end 2026-03-02", 0, UINT64_MAX, true, true},
    {"--not --start 2026-03-01", 0, UINT64_MAX, false, false},
    {"--start 2026-03-01 --or --end 2026-03-02", 0, UINT64_MAX, false, false},
    {"--sequence 3-9 --saved refusals", 3, 9, false, false},
};

START_TEST(bounds_row)
{
    struct query *query = query_new();
    struct narrow_bounds found;

    add_words(query, bounds[_i].words);
    query_bounds(query, &found);
    ck_assert_uint_eq(found.first, bounds[_i].first);
    ck_assert_uint_eq(found.last, bounds[_i].last);
    ck_assert((found.start != INT64_MIN) == bounds[_i].start);
    ck_assert((found.end != INT64_MAX) == bounds[_i].end);
    query_free(query);
}
END_TEST

static const char *const slips[] = {"--not",
                                    "--or",
                                    "--user root --or",
                                    "--user root --or --not",
                                    "--not --not",
                                    "--or --user root",
                                    "--user a --or --or",
                                    "--not --or"};

START_TEST(slip_row)
{
    struct query *query = query_new();
    struct miguard_error error = {0};
    char copy[128], *save = NULL;
    enum miguard_status status = MIGUARD_OK;

    snprintf(copy, sizeof(copy), "%s", slips[_i]);
    for (char *word = strtok_r(copy, " ", &save); word != NULL && status == MIGUARD_OK;
         word = strtok_r(NULL, " ", &save)) {
        bool user = strcmp(word, "--user") == 0;
        status = query_add(query, word, user ? strtok_r(NULL, " ", &save) : NULL, &error);
    }
    status = status == MIGUARD_OK ? query_end(query, &error) : status;
    ck_assert_int_eq(status, MIGUARD_INVALID_ARGUMENT);
    ck_assert_msg(strstr(error.detail, "needs a condition") != NULL, "%s", error.detail);
    query_free(query);
}
END_TEST

/* ---- saved queries ----------------------------------------------------------------------------
 */

static const struct {
    const char *text, *what; /* NULL: no error, and the refusal matches */
} saved[] = {
    {"# mine\n--decision deny\n", NULL},
    {"  --provider=libweb.so  \n\n--not\n--user   mail\n", NULL},
    {"--user lp\n--or\n--user root", NULL},
    {"--text the \"thread\" is\n", NULL},
    {"--user lp\n--usr x\n", "mine.query:2: --usr is not a condition"},
    {"--reason identity\n", "mine.query:1: --reason 'identity' is not one of the known words"},
    {"--user root\n--not\n", "mine.query:2: --not needs a condition"},
    {"--saved refusals\n", "mine.query:1: refusals: a saved query cannot name another one"},
    {"--user\n", "mine.query:1: --user is not a condition"},
    {"rm -rf /\n", "mine.query:1: rm is not a condition"},
};

START_TEST(saved_row)
{
    struct query *query = query_new();
    struct record record = parse(refusal);
    struct miguard_error error = {0};
    char folder[] = "/tmp/miguard-saved-XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/mine.query", folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(saved[_i].text, file);
    fclose(file);
    setenv("MIGUARD_QUERIES", folder, 1);
    enum miguard_status status = query_add(query, "--saved", "mine", &error);
    unlink(path);
    rmdir(folder);
    if (saved[_i].what == NULL) {
        ck_assert_msg(status == MIGUARD_OK, "%s", error.detail);
        ck_assert(query_matches(query, &record) && matches_with_few(query, &record));
    } else {
        ck_assert_int_eq(status, MIGUARD_INVALID_ARGUMENT);
        ck_assert_msg(strstr(error.detail, saved[_i].what) != NULL, "%s", error.detail);
    }
    query_free(query);
}
END_TEST

static const char *const bad_names[] = {"../etc/passwd", "a/b",     "",   ".",
                                        "a.query",       "no-such", "x\n"};

START_TEST(saved_name_row)
{
    struct query *query = query_new();
    struct miguard_error error = {0};

    ck_assert_int_eq(query_add(query, "--saved", bad_names[_i], &error), MIGUARD_INVALID_ARGUMENT);
    query_free(query);
}
END_TEST

/* Those that are built in can be read. */
START_TEST(saved_are_listed)
{
    struct saved_query *list = NULL;
    size_t count = 0;

    setenv("MIGUARD_QUERIES", "/nowhere", 1);
    ck_assert(saved_list(&list, &count));
    ck_assert_uint_ge(count, 7);
    for (size_t i = 0; i < count; i++) {
        struct query *query = query_new();
        struct miguard_error error = {0};
        ck_assert(i == 0 || strcmp(list[i - 1].name, list[i].name) < 0);
        ck_assert_int_eq(strncmp(list[i].text, "# ", 2), 0);
        ck_assert_msg(query_add(query, "--saved", list[i].name, &error) == MIGUARD_OK, "%s",
                      error.detail);
        query_free(query);
    }
    saved_release(list, count);
}
END_TEST

static const struct {
    const char *option, *value, *what;
} wrong[] = {
    {"--start", "tomorow", "'tomorow' is not a time"},
    {"--start", "", "is not a time"},
    {"--end", "2026-02-30", "is not a time"},
    {"--pid", "x", "'x' is not a number"},
    {"--pid", "", "is not a number"},
    {"--pid", "-1", "is not a number"},
    {"--pid", "9-8", "is not a number"},
    {"--pid", "1-", "is not a number"},
    {"--sequence", "1-2-3", "is not a number"},
    {"--session", "xyz", "is not an id"},
    {"--session", "", "is not an id"},
    {"--session", "11112222333344445", "is not an id"},
    {"--reason", "identity", "is not one of the known words"},
    {"--reason", "z*", "is not one of the known words"},
    {"--operation", "Get Instance", "is not a name of an operation or action"},
    {"--operation", "", "is not a name of an operation or action"},
    {"--operation", "caf\xC3\xA9", "is not a name of an operation or action"},
    {"--object", "", "is empty"},
    {"--resource", "", "is empty"},
    {"--decision", "denied", "is not one of the known words"},
    {"--component", "uid", "is not one of the known words"},
    {"--action", "use", "is not one of the known words"},
    {"--code", "MG999E", "is not one of the known words"},
    {"--user", "", "is empty"},
    {"--text", "", "is empty"},
    {"--frob", "x", "--frob is not a condition"},
    {"--user", NULL, "--user is not a condition"},
};

START_TEST(wrong_row)
{
    struct query *query = query_new();
    struct record record = parse(refusal);
    struct miguard_error error = {0};

    ck_assert_int_eq(query_add(query, wrong[_i].option, wrong[_i].value, &error),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_msg(strstr(error.detail, wrong[_i].what) != NULL, "%s", error.detail);
    ck_assert(query_matches(query, &record)); /* nothing was added */
    query_free(query);
}
END_TEST

/* Who has a long value whole finds the record that keeps a part of it, and no other. */
START_TEST(long_values_are_cut_alike)
{
    static const struct {
        const char *option, *member;
        size_t limit;
    } cut[] = {{"--resource", "resource", AUDIT_MAX_TEXT}, {"--object", "object", AUDIT_MAX_NAME}};
    char whole[2000], other[2000], kept[CUT_SIZE(AUDIT_MAX_TEXT)], line[2000];
    struct query *query = query_new(), *elsewhere = query_new();

    memset(whole, 'x', sizeof(whole));
    whole[0] = _i == 1 ? '*' : 'x'; /* of a text it is a star, and no pattern */
    whole[sizeof(whole) - 1] = '\0';
    memcpy(other, whole, sizeof(whole));
    other[sizeof(other) - 2] = 'y';
    (void)cut_text(whole, cut[_i].limit, kept);
    snprintf(line, sizeof(line), "{\"miguard\":{\"%s\":\"%s\"}}", cut[_i].member, kept);
    struct record record = parse(line);
    add(query, cut[_i].option, whole);
    add(elsewhere, cut[_i].option, other);
    ck_assert(matches_with_few(query, &record));
    ck_assert(query_matches(query, &record));
    ck_assert(!query_matches(elsewhere, &record));
    query_free(query);
    query_free(elsewhere);
}
END_TEST

/* ---- times ------------------------------------------------------------------------------------
 */

#define SECOND INT64_C(1000000000)

/* Wednesday, 2026-04-01 13:30:00 in Berlin, three days after summer time began (29 March). */
static const int64_t now = INT64_C(1775043000) * SECOND;

static const struct {
    const char *text;
    const char *first, *last; /* local; last NULL: the same moment; first NULL: no time */
} times[] = {
    {"now", "2026-04-01 13:30:00", NULL},
    {"NOW", "2026-04-01 13:30:00", NULL},
    {"recent", "2026-04-01 13:20:00", NULL},
    {"30s", "2026-04-01 13:29:30", NULL},
    {"90m", "2026-04-01 12:00:00", NULL},
    {"2h", "2026-04-01 11:30:00", NULL},
    {"2H", "2026-04-01 11:30:00", NULL},
    {"3d", "2026-03-29 13:30:00", NULL},
    {"4d", "2026-03-28 12:30:00", NULL}, /* 96 hours, over the change */
    {"1w", "2026-03-25 12:30:00", NULL},
    {"today", "2026-04-01 00:00:00", "2026-04-01 23:59:59"},
    {"yesterday", "2026-03-31 00:00:00", "2026-03-31 23:59:59"},
    {"week-ago", "2026-03-25 00:00:00", "2026-03-25 23:59:59"},
    {"this-week", "2026-03-30 00:00:00", "2026-04-05 23:59:59"},
    {"this-month", "2026-04-01 00:00:00", "2026-04-30 23:59:59"},
    {"this-year", "2026-01-01 00:00:00", "2026-12-31 23:59:59"},
    {"2026-03-29", "2026-03-29 00:00:00", "2026-03-29 23:59:59"}, /* of 23 hours */
    {"2026-02-28", "2026-02-28 00:00:00", "2026-02-28 23:59:59"},
    {"2026-04-01T08:15", "2026-04-01 08:15:00", "2026-04-01 08:15:59"},
    {"2026-04-01 08:15", "2026-04-01 08:15:00", "2026-04-01 08:15:59"},
    {"2026-04-01t08:15:07", "2026-04-01 08:15:07", "2026-04-01 08:15:07"},
    {"2026-01-01T08:15:07Z", "2026-01-01 09:15:07", "2026-01-01 09:15:07"},
    {"2026-04-01T08:15Z", "2026-04-01 10:15:00", "2026-04-01 10:15:59"},
    {"2026-04-01T08:15-01:00", "2026-04-01 11:15:00", "2026-04-01 11:15:59"},
    {"2026-04-01T08:15:07+02:00", "2026-04-01 08:15:07", "2026-04-01 08:15:07"},
    {"2026-04-01Z", "2026-04-01 02:00:00", "2026-04-02 01:59:59"},
    {"", NULL, NULL},
    {"soon", NULL, NULL},
    {"2x", NULL, NULL},
    {"2", NULL, NULL},
    {"2hh", NULL, NULL},
    {"-2h", NULL, NULL},
    {"99999999999999999999s", NULL, NULL},
    {"9223372036854775807w", NULL, NULL},
    {"100000d", NULL, NULL}, /* before 1970 */
    {"2026-04-31", NULL, NULL},
    {"2026-4-1", NULL, NULL},
    {"2026-04-01T", NULL, NULL},
    {"2026-04-01T8:15", NULL, NULL},
    {"2026-04-01T08:15:07x", NULL, NULL},
    {"2026-04-01T08:15:07+2", NULL, NULL},
    {"2026-04-01T25:00", NULL, NULL},
    {"20260401", NULL, NULL},
    {"2026-04-01T08:15:07.123456789012345678901234567890123456789012345678901", NULL, NULL},
};

static void check_local(int64_t time, const char *expected, const char *text)
{
    time_t seconds = (time_t)(time / SECOND);
    struct tm local;
    char found[32];

    localtime_r(&seconds, &local);
    strftime(found, sizeof(found), "%Y-%m-%d %H:%M:%S", &local);
    ck_assert_msg(strcmp(found, expected) == 0, "%s: %s, expected %s", text, found, expected);
}

START_TEST(time_row)
{
    int64_t first = 1, last = 2;

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    bool good = query_time(times[_i].text, now, &first, &last);
    ck_assert_msg(good == (times[_i].first != NULL), "%s", times[_i].text);
    if (!good) {
        ck_assert(first == 1 && last == 2);
        return;
    }
    check_local(first, times[_i].first, times[_i].text);
    if (times[_i].last == NULL) {
        ck_assert_int_eq(first, last);
    } else {
        check_local(last, times[_i].last, times[_i].text);
        ck_assert_int_eq(last % SECOND, SECOND - 1);
        ck_assert_int_eq(first % SECOND, 0);
    }
}
END_TEST

START_TEST(parts_of_a_second)
{
    int64_t first = 0, last = 0;

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    ck_assert(query_time("2026-04-01T13:30:00.25", now, &first, &last));
    ck_assert_int_eq(first, now + SECOND / 4);
    ck_assert_int_eq(last, first);
    ck_assert(query_time("2026-04-01T11:30:00.000001Z", now, &first, &last));
    ck_assert_int_eq(first, now + 1000);
    ck_assert_int_eq(last, first);
    ck_assert(query_time("boot", now, &first, &last));
    ck_assert(first < now && last == first);
}
END_TEST

/* Each word of the list is one. */
/* A word at each place of strings of some lengths, in either case, and what is nearly that word. */
START_TEST(text_at_each_place)
{
    static const struct {
        const char *word, *text;
        bool found;
    } words[] = {
        {"mg_needle", "MG_Needle", true},
        {"mg_needle", "MG_Need1e", false},
        {"mg_needle", "NG_Needle", false},
        {"mg_needle", "MG_Needlf", false},
        {"mg_needle", "MG\x7fNeedle", false},
        {"[k", "[K", true},
        {"[k", "{k", false},
        {"k@", "k`", false},
        {"k@", "K@", true},
        {"@", "`", false},
        {"Q", "q", true},
        {"q", "Q", true},
        {"\xc3\xa4", "\xc3\xa4", true},
        {"\xc3\xa4", "\xe3\xa4", false},
        {"a/b", "A\\/B", true},
        {"a\tb", "A\\tB", true},
        {"a\\b", "A\\\\B", true},
        {"mg", "M\\u0047", true},
    };
    const char filler[] = "..........................................................";
    char line[256];

    for (size_t i = 0; i < LENGTH(words); i++) {
        struct query *query = query_new();
        struct record record;
        size_t at;
        ck_assert_int_eq(query_add(query, "--text", words[i].word, NULL), MIGUARD_OK);
        for (int before = 0; before < 40; before++) {
            for (int behind = 0; behind < 20; behind++) {
                snprintf(line, sizeof(line), "{\"miguard\":{\"class\":\"%.*s%s%.*s\"}}", before,
                         filler, words[i].text, behind, filler);
                const char *fault = record_parse(line, strlen(line), &record, &at);
                ck_assert_msg(fault == NULL || strstr(words[i].text, "\xe3") != NULL, "%s: %s",
                              line, fault);
                ck_assert_msg(fault != NULL || query_matches(query, &record) == words[i].found,
                              "%s in %s", words[i].word, line);
            }
        }
        query_free(query);
    }
}
END_TEST

START_TEST(each_word)
{
    int64_t first = 0, last = 0;

    for (int i = 0; query_time_words[i] != NULL; i++) {
        ck_assert_msg(query_time(query_time_words[i], now, &first, &last), "%s",
                      query_time_words[i]);
        ck_assert(first <= last);
    }
    ck_assert_ptr_eq(query_words("--start"), query_time_words);
    ck_assert_ptr_null(query_words("--user"));
    ck_assert_ptr_null(query_words("--frob"));
}
END_TEST

static Suite *suite(void)
{
    Suite *whole = suite_create("audit_query");
    TCase *all = tcase_create("all");

    tcase_add_loop_test(all, condition_row, 0, LENGTH(conditions));
    tcase_add_loop_test(all, set_row, 0, LENGTH(sets));
    tcase_add_loop_test(all, bounds_row, 0, LENGTH(bounds));
    tcase_add_loop_test(all, slip_row, 0, LENGTH(slips));
    tcase_add_loop_test(all, saved_row, 0, LENGTH(saved));
    tcase_add_loop_test(all, saved_name_row, 0, LENGTH(bad_names));
    tcase_add_test(all, saved_are_listed);
    tcase_add_test(all, few_fields_and_a_later_name);
    tcase_add_test(all, all_conditions_any_value);
    tcase_add_loop_test(all, long_values_are_cut_alike, 0, 2);
    tcase_add_loop_test(all, wrong_row, 0, LENGTH(wrong));
    tcase_add_loop_test(all, time_row, 0, LENGTH(times));
    tcase_add_test(all, parts_of_a_second);
    tcase_add_test(all, text_at_each_place);
    tcase_add_test(all, each_word);
    tcase_add_test(all, random_texts);
    tcase_add_test(all, constant_texts);
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
