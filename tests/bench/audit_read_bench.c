/* SPDX-License-Identifier: MIT */
/*
 * miguard audit search against jq(1) and grep(1): the same question about the same generated log,
 * in turn, and against ripgrep, DuckDB (npm's @duckdb/node-api, by NODE_PATH) and ausearch(8) where
 * they are installed, the last over events of its own form; against pread(2) and memmem(3) alone,
 * which is what this machine allows, and against looking for newlines alone, below which nothing
 * can be that counts lines; packed logs against each other; what is asked by number against all of
 * the log; one processor against all; and the memory that search takes for few and for many
 * records. The log lies in the page cache: how fast the disk is does not show. OUT names the folder
 * of the command.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/command.h"
#include "bench/measure.h"
#include "support/audit_generate.h"

enum { RECORDS = 1000000, FEW = 10000, JQ_RECORDS = 50000, VARIED_RECORDS = 200000, ROUNDS = 7 };

/* Four questions, and for each three rows in this order; then the rest. */
enum { CLASS, USER, REFUSALS, TEXT, QUESTIONS };
enum { JQ, GREP, RIPGREP, PEERS };
enum {
    LAST = QUESTIONS * PEERS,
    SEQUENCE,
    TIME,
    EXPLAIN,
    THREADS_SEARCH,
    THREADS_REPORT,
    THREADS_EXPORT,
    CEF,
    OCSF,
    MEMORY,
    MACHINE,
    NEWLINES,
    VARIED,
    ZSTD_GZ,
    ZSTD_PLAIN,
    DUCKDB,
    AUSEARCH
};

#define PAGE_CACHE "reading from a disk: the log is in the page cache"
#define QUESTION_ROWS(question, key, what, rg)                                                     \
    [(question)*PEERS +                                                                            \
        JQ] = {.name = "read." key "-jq",                                                          \
               .goal = 0.2,                                                                        \
               .first = "audit search for " what,                                                  \
               .second = "jq with the same filter",                                                \
               .unit = "ns",                                                                       \
               .leaves_out = PAGE_CACHE "; more records than 50,000, since jq "                    \
                                        "takes minutes for them",                                  \
               .full = true},                                                                      \
        [(question)*PEERS + GREP] = {.name = "read." key "-grep",                                  \
                                     .goal = BENCH_NO_GOAL,                                        \
                                     .first = "audit search for " what,                            \
                                     .second = "grep -F of the text that a record has then",       \
                                     .unit = "ns",                                                 \
                                     .leaves_out =                                                 \
                                         PAGE_CACHE "; that grep also finds the text in "          \
                                                    "other members",                               \
                                     .full = true},                                                \
        [(question)*PEERS + RIPGREP] = {.name = "read." key "-rg",                                 \
                                        .goal = (rg),                                              \
                                        .first = "audit search for " what,                         \
                                        .second = "ripgrep of the text that a record has then",    \
                                        .unit = "ns",                                              \
                                        .leaves_out =                                              \
                                            PAGE_CACHE "; that ripgrep also finds the text "       \
                                                       "in other members",                         \
                                        .full = true}
#define PART_ROW(key, what)                                                                        \
    {                                                                                              \
        .name = "read." key, .goal = 0.2, .first = "audit " what, .second = "the same, --whole",   \
        .unit = "ns", .leaves_out = PAGE_CACHE "; the search for a log's files", .full = true      \
    }
#define THREADS_ROW(key, what)                                                                     \
    {                                                                                              \
        .name = "read.threads-" key, .goal = 1 / 1.8, .first = "audit " what ", all processors",   \
        .second = "the same, one processor", .unit = "ns",                                         \
        .leaves_out = PAGE_CACHE "; more processors than two", .full = true                        \
    }
#define EXPORT_ROW(key)                                                                            \
    {                                                                                              \
        .name = "read.export-" key, .goal = 1.5,                                                   \
        .first = "audit export to " key ", one processor", .second = "the same to ecs",            \
        .unit = "ns", .leaves_out = PAGE_CACHE "; what takes the export", .full = true             \
    }

static const struct bench_row read_rows[] = {
    QUESTION_ROWS(CLASS, "class", "a class, 1 record in 1,000", 2),
    QUESTION_ROWS(USER, "user", "a user, 1 record in 1,000", 2),
    QUESTION_ROWS(REFUSALS, "refusals", "refusals, 1 record in 4", BENCH_NO_GOAL),
    QUESTION_ROWS(TEXT, "text", "any text, in 10,000 records", BENCH_NO_GOAL),
    [LAST] = PART_ROW("last", "search --last 10"),
    [SEQUENCE] = PART_ROW("sequence", "search --sequence"),
    [TIME] = PART_ROW("time", "search --start --end"),
    [EXPLAIN] = PART_ROW("explain", "explain ID"),
    [THREADS_SEARCH] = THREADS_ROW("search", "search"),
    [THREADS_REPORT] = THREADS_ROW("report", "report"),
    [THREADS_EXPORT] = THREADS_ROW("export", "export to cef"),
    [CEF] = EXPORT_ROW("cef"),
    [OCSF] = EXPORT_ROW("ocsf"),
    [MEMORY] = {.name = "read.memory",
                .goal = 1.1,
                .first = "peak memory of a search in 1,000,000 records",
                .second = "the same in 10,000",
                .unit = "KiB",
                .leaves_out = "the page cache, which the kernel takes back",
                .exact = true,
                .full = true},
    [MACHINE] = {.name = "read.class-memmem",
                 .goal = 1.5,
                 .first = "audit search for a class, one processor",
                 .second = "pread(2) of the log, and memmem(3) of the text",
                 .unit = "ns",
                 .leaves_out = PAGE_CACHE "; memmem(3) looks at no line: a broken one is not "
                                          "found, and the text in another member is",
                 .full = true},
    [NEWLINES] = {.name = "read.class-newlines",
                  .goal = 2,
                  .first = "audit search for a class, one processor",
                  .second = "pread(2) of the log, and memchr(3) of each newline",
                  .unit = "ns",
                  .leaves_out = PAGE_CACHE "; that the other side finds nothing, neither the class "
                                           "nor a line that is no record",
                  .full = true},
    [VARIED] = {.name = "read.varied-rg",
                .goal = BENCH_NO_GOAL,
                .first = "audit search for a class among thousands of users, groups and classes",
                .second = "ripgrep of the text that a record has then",
                .unit = "ns",
                .leaves_out =
                    PAGE_CACHE "; that ripgrep also finds the text in other members; many "
                               "providers: beyond 1,024 combinations of how long the names "
                               "are a line costs up to four times as much; more "
                               "records than 200,000, which would hide what it costs to "
                               "learn their kinds",
                .full = true},
    [ZSTD_GZ] = {.name = "read.zstd-gz",
                 .goal = 0.8,
                 .first = "audit search for a class in 50,000 records, packed by zstd -3",
                 .second = "the same, packed by gzip -6",
                 .unit = "ns",
                 .leaves_out = PAGE_CACHE "; the time to pack them",
                 .full = true},
    [ZSTD_PLAIN] = {.name = "read.zstd-plain",
                    .goal = BENCH_NO_GOAL,
                    .first = "audit search for a class in 50,000 records, packed by zstd -3",
                    .second = "the same log, not packed",
                    .unit = "ns",
                    .leaves_out =
                        PAGE_CACHE ", where a packed one takes a tenth of the place; a "
                                   "packed log is read by one processor, a plain one by all",
                    .full = true},
    [DUCKDB] = {.name = "read.class-duckdb",
                .goal = 1,
                .first = "audit search for a class, 1 record in 1,000",
                .second = "DuckDB's read_json_objects with the same filter",
                .unit = "ns",
                .leaves_out = PAGE_CACHE "; the start of node, some 0.1 s",
                .full = true},
    [AUSEARCH] = {.name = "read.user-ausearch",
                  .goal = 1,
                  .first = "audit search for a user in 50,000 records",
                  .second = "ausearch for a user in 50,000 events of USER_CMD",
                  .unit = "ns",
                  .leaves_out = PAGE_CACHE "; that an event has 180 bytes and a record 1,300",
                  .full = true},
};

static char log_file[96], few_file[96], jq_file[96], varied_file[96], events_file[96], out_file[96];

static long count_lines(const char *path)
{
    static char block[1 << 16];
    long lines = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    for (ssize_t got; (got = read(file, block, sizeof(block))) > 0;) {
        for (char *at = block; (at = memchr(at, '\n', (size_t)(block + got - at))) != NULL; at++) {
            lines++;
        }
    }
    close(file);
    return lines;
}

/* `miguard audit search` with this option. Its output goes to a file, as that of the other side
 * does: grep stops at the first match when it is /dev/null. */
static double search(const char *path, char *option, char *value)
{
    char *words[] = {command_miguard(), "audit", "search", "--format", "json", option, value,
                     (char *)path,      NULL};

    return command_run(words, out_file).time;
}

/* KiB that search took at the most, 0 when it cannot be known. */
static long peak_of(const char *path)
{
    char *words[] = {command_miguard(), "audit", "search", "--count", (char *)path, NULL};

    return command_run(words, NULL).peak;
}

/* Nanoseconds of `miguard audit` with these words; on one processor alone, or on all. taskset(1) is
 * of util-linux. */
static double ours(char *const words[], bool alone)
{
    char *all[16] = {(char *)"taskset", (char *)"-c", (char *)"0", command_miguard(),
                     (char *)"audit"};
    size_t count = 5;

    for (size_t i = 0; words[i] != NULL && count < 15; i++) {
        all[count++] = words[i];
    }
    return command_run(alone ? all : all + 3, NULL).time;
}

/* ---- what is read in part, and by several threads ----------------------------------------------
 */

struct question {
    int row;
    char *const *words, *const *other; /* the other side's */
    bool alone[2];                     /* a side has one processor */
};

static void measure_question(const struct question *question)
{
    const struct bench_row *row = &read_rows[question->row];
    cpu_set_t set;

    if (question->alone[0] != question->alone[1] &&
        (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 2)) {
        bench_skip(row, "there is one processor");
        return;
    }

    for (int i = -1; i < bench_rounds(ROUNDS) && bench_wants(row); i++) { /* -1 warms up */
        const double first = ours(question->words, question->alone[0]);
        const double second = ours(question->other, question->alone[1]);
        if (i >= 0) {
            bench_pair(row, first, second);
        }
    }
}

static void read_less(void)
{
#define WORDS(...)                                                                                 \
    (char *[])                                                                                     \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
    static char search[] = "search", export[] = "export", report[] = "report", last[] = "--last",
                ten[] = "10", sequence[] = "--sequence", numbers[] = "15000-15010",
                whole[] = "--whole", explain[] = "explain", id[] = "0000000000001234-15000",
                class[] = "--class", start[] = "--start", from[] = "2026-03-06T12:00:00Z",
                end[] = "--end", to[] = "2026-03-06T12:00:30Z", needle[] = "MG_Needle",
                format[] = "--format", cef[] = "cef", ocsf[] = "ocsf", ecs[] = "ecs";
    char **const by_class = WORDS(search, class, needle, log_file);
    char **const all = WORDS(report, log_file);
    char **const as_cef = WORDS(export, format, cef, log_file);
    char **const as_ecs = WORDS(export, format, ecs, log_file);
    const struct question questions[] = {
        {LAST, WORDS(search, last, ten, log_file), WORDS(search, last, ten, whole, log_file), {0}},
        {SEQUENCE,
         WORDS(search, sequence, numbers, log_file),
         WORDS(search, sequence, numbers, whole, log_file),
         {0}},
        {TIME,
         WORDS(search, start, from, end, to, log_file),
         WORDS(search, start, from, end, to, whole, log_file),
         {0}},
        {EXPLAIN, WORDS(explain, id, log_file), WORDS(explain, id, whole, log_file), {0}},
        {THREADS_SEARCH, by_class, by_class, {false, true}},
        {THREADS_REPORT, all, all, {false, true}},
        {THREADS_EXPORT, as_cef, as_cef, {false, true}},
        {CEF, as_cef, as_ecs, {true, true}},
        {OCSF, WORDS(export, format, ocsf, log_file), as_ecs, {true, true}},
    };

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        measure_question(&questions[i]);
    }
#undef WORDS
}

/* ---- against other programs ---------------------------------------------------------------------
 */

struct search_question {
    char *path, *option, *value, *filter, *pattern, *fixed;
};

/* A round of the row; false when the program is not installed. */
static bool compare_once(const struct bench_row *row, const struct search_question *question,
                         char *const words[], bool same_lines)
{
    const double own = search(question->path, question->option, question->value);
    const long own_lines = same_lines ? count_lines(out_file) : 0;
    const struct command_outcome other = command_run(words, out_file);

    if (other.status == 127) {
        bench_skip(row, "the other program is not installed");
        return false;
    }
    if (same_lines && own_lines != count_lines(out_file)) {
        fprintf(stderr, "bench: %s: %ld found, %ld by %s\n", row->name, own_lines,
                count_lines(out_file), words[0]);
        abort();
    }
    bench_pair(row, own, other.time);
    return true;
}

static void compare_with(int question, int peer, const struct search_question *asked)
{
    const struct bench_row *row = &read_rows[question * PEERS + peer];
    char *jq[] = {"jq", "-c", asked->filter, asked->path, NULL};
    char *grep[] = {"grep", asked->path == few_file ? "-Fi" : "-F", asked->fixed, asked->path,
                    NULL};
    char *rg[] = {"rg", "--no-config", "-N", asked->pattern, asked->path, NULL};
    char **const words[PEERS] = {jq, grep, rg};

    if (!bench_wants(row)) {
        return;
    }
    (void)search(asked->path, asked->option, asked->value); /* warms up */
    for (int i = 0; i < bench_rounds(ROUNDS); i++) {
        if (!compare_once(row, asked, words[peer], peer == JQ)) {
            return;
        }
    }
}

static void compare_all(void)
{
    struct search_question questions[QUESTIONS] = {
        [CLASS] = {log_file, "--class", "MG_Needle", "select(.miguard.class==\"MG_Needle\")",
                   "\"class\":\"MG_Needle\"", "\"class\":\"MG_Needle\""},
        [USER] = {log_file, "--user", "54321",
                  "select(.user.id==\"54321\" or .process.user.id==\"54321\")",
                  "\"user\":[{]\"id\":\"54321\"", "\"user\":{\"id\":\"54321\""},
        [REFUSALS] = {log_file, "--decision", "deny", "select(.event.outcome==\"failure\")",
                      "\"outcome\":\"failure\"", "\"outcome\":\"failure\""},
        [TEXT] = {few_file, "--text", "mg_needle",
                  "select(any(..|strings; test(\"mg_needle\"; \"i\")))", "[Mm][Gg]_[Nn][Ee]",
                  "mg_needle"},
    };

    for (int i = 0; i < QUESTIONS; i++) {
        struct search_question fewer = questions[i];
        fewer.path = i == TEXT ? few_file : jq_file;
        compare_with(i, JQ, &fewer);
        compare_with(i, GREP, &questions[i]);
        compare_with(i, RIPGREP, &questions[i]);
    }
}

/* How often a text stands in the block. */
static size_t count_text(const char *block, size_t length, const char *text)
{
    const char *end = block + length;
    size_t found = 0;

    for (const char *hit = block;
         (hit = memmem(hit, (size_t)(end - hit), text, strlen(text))) != NULL; hit++) {
        found++;
    }
    return found;
}

static size_t count_newlines(const char *block, size_t length)
{
    const char *end = block + length;
    size_t found = 0;

    for (const char *hit = block; (hit = memchr(hit, '\n', (size_t)(end - hit))) != NULL; hit++) {
        found++;
    }
    return found;
}

/* Nanoseconds for what a search cannot do without: the bytes, and one look at them. Without a text
 * it is for the newlines. */
static double read_and_find(const char *path, const char *text)
{
    enum { BLOCK = 256 * 1024 };
    static char block[BLOCK];
    const double start = nanoseconds();
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t found = 0;
    ssize_t got;

    for (off_t at = 0; (got = pread(file, block, BLOCK, at)) > 0; at += got) {
        found += text != NULL ? count_text(block, (size_t)got, text)
                              : count_newlines(block, (size_t)got);
    }
    close(file);
    if (found == 0) {
        abort();
    }
    return nanoseconds() - start;
}

static void compare_machine(int which, const char *text)
{
    char *words[] = {"search", "--class", "MG_Needle", log_file, NULL};
    const struct bench_row *row = &read_rows[which];

    for (int i = -1; i < bench_rounds(ROUNDS) && bench_wants(row); i++) { /* -1 warms up */
        const double own = ours(words, true);
        const double machine = read_and_find(log_file, text);
        if (i >= 0) {
            bench_pair(row, own, machine);
        }
    }
}

/* A log with as many kinds of records as one has that many users wrote. */
static void compare_varied(void)
{
    const struct generate varied = {.seed = 1, .count = VARIED_RECORDS, .varied = true};
    const struct search_question asked = {
        .path = varied_file, .option = "--class", .value = "MG_Needle"};
    char *rg[] = {"rg", "--no-config", "-N", "\"class\":\"MG_Needle\"", varied_file, NULL};
    const struct bench_row *row = &read_rows[VARIED];
    bool more = bench_wants(row);

    if (more && !audit_generate(varied_file, &varied)) {
        abort();
    }
    for (int i = 0; i < bench_rounds(ROUNDS) && more; i++) {
        more = compare_once(row, &asked, rg, true);
    }
    unlink(varied_file);
}

/* ---- packed logs -------------------------------------------------------------------------------
 */

static void compare_packed(void)
{
    char zst[112], gz[112];
    char *by_zstd[] = {"zstd", "-q", "-3", "-k", "-o", zst, jq_file, NULL};
    char *by_gzip[] = {"gzip", "-6", "-c", jq_file, NULL};
    const struct bench_row *row = &read_rows[ZSTD_GZ], *plain = &read_rows[ZSTD_PLAIN];
    bool more = bench_wants(row) || bench_wants(plain);

#ifndef HAVE_ZSTD
    bench_skip(row, "the command was built without libzstd");
    bench_skip(plain, "the command was built without libzstd");
    more = false;
#endif
    snprintf(zst, sizeof(zst), "%s.zst", jq_file);
    snprintf(gz, sizeof(gz), "%s.gz", jq_file);
    if (more && (command_run(by_zstd, NULL).status != 0 || command_run(by_gzip, gz).status != 0)) {
        bench_skip(row, "zstd or gzip is not installed");
        bench_skip(plain, "zstd is not installed");
        more = false;
    }
    for (int i = 0; i < bench_rounds(ROUNDS) && more; i++) {
        const double packed = search(zst, "--class", "MG_Needle");
        const long found = count_lines(out_file);
        bench_pair(row, packed, search(gz, "--class", "MG_Needle"));
        bench_pair(plain, packed, search(jq_file, "--class", "MG_Needle"));
        if (found != JQ_RECORDS / 1000) {
            fprintf(stderr, "bench: %s: %ld found\n", row->name, found);
            abort();
        }
    }
    unlink(zst);
    unlink(gz);
}

/* ---- other programs that parse
 * -------------------------------------------------------------------
 */

/* Prints the lines. 127, as for a program that is not there, without the module. */
static char duckdb_script[] =
    "let duck;"
    "try { duck = require('@duckdb/node-api'); } catch { process.exit(127); }"
    "(async () => {"
    "  const instance = await duck.DuckDBInstance.create(':memory:');"
    "  const connection = await instance.connect();"
    "  const rows = await connection.runAndReadAll(`select j from read_json_objects("
    "    '${process.argv[1]}', format = 'newline_delimited') t(j)"
    "    where j->>'$.miguard.class' = 'MG_Needle'`);"
    "  for (const row of rows.getRows()) console.log(row[0]);"
    "})();";

/* As many events as jq_file has records: user commands, which auditd writes for sudo. */
static bool make_events(void)
{
    static const unsigned users[] = {0, 1, 33, 1000, 65534};
    FILE *file = fopen(events_file, "we");

    for (unsigned i = 1; file != NULL && i <= JQ_RECORDS; i++) {
        fprintf(file,
                "type=USER_CMD msg=audit(%lld.000:%u): pid=%u uid=%u auid=1000 ses=1 "
                "msg='op=GetInstance class=MG_File exe=\"/usr/sbin/omiengine\" "
                "hostname=host.example addr=? terminal=? res=failed'\n",
                (long long)(GENERATE_START / 1000000000 + i), i, 1000 + i % 64,
                i % 1000 == 0 ? 54321 : users[i % 5]);
    }
    return file != NULL && fclose(file) == 0;
}

static void compare_others(void)
{
    char *duckdb[] = {"node", "-e", duckdb_script, log_file, NULL};
    char *ausearch[] = {"ausearch", "--input", events_file, "--uid", "54321", "--raw", NULL};
    const struct search_question class = {
        .path = log_file, .option = "--class", .value = "MG_Needle"};
    const struct search_question user = {.path = jq_file, .option = "--user", .value = "54321"};
    bool more = bench_wants(&read_rows[DUCKDB]);

    for (int i = 0; i < bench_rounds(ROUNDS) && more; i++) {
        more = compare_once(&read_rows[DUCKDB], &class, duckdb, true);
    }
    more = bench_wants(&read_rows[AUSEARCH]) && make_events();
    for (int i = 0; i < bench_rounds(ROUNDS) && more; i++) {
        more = compare_once(&read_rows[AUSEARCH], &user, ausearch, true);
    }
    unlink(events_file);
}

static void measure_memory(void)
{
    const long small = peak_of(few_file), large = peak_of(log_file);

    if (small == 0 || large == 0) {
        bench_skip(&read_rows[MEMORY], "this process may not trace another");
        return;
    }
    bench_pair(&read_rows[MEMORY], (double)large, (double)small);
}

static void run_read(void)
{
    const struct generate all = {.seed = 1, .count = RECORDS};
    const struct generate few = {.seed = 1, .count = FEW}, jq = {.seed = 1, .count = JQ_RECORDS};
    const char *folder = bench_folder("/tmp");

    if (folder == NULL) {
        abort();
    }
    snprintf(log_file, sizeof(log_file), "%s/log", folder);
    snprintf(few_file, sizeof(few_file), "%s/few", folder);
    snprintf(jq_file, sizeof(jq_file), "%s/jq", folder);
    snprintf(varied_file, sizeof(varied_file), "%s/varied", folder);
    snprintf(events_file, sizeof(events_file), "%s/events", folder);
    snprintf(out_file, sizeof(out_file), "%s/out", folder);
    if (!audit_generate(few_file, &few) || !audit_generate(jq_file, &jq) ||
        !audit_generate(log_file, &all)) {
        abort();
    }
    compare_all();
    compare_machine(MACHINE, "\"class\":\"MG_Needle\"");
    compare_machine(NEWLINES, NULL);
    compare_varied();
    compare_packed();
    compare_others();
    read_less();
    measure_memory();
}

BENCH_GROUP(read, read_rows, run_read);
