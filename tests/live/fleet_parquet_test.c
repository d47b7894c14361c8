/* SPDX-License-Identifier: MIT */
/*
 * `miguard audit export --format parquet` with the real library of DuckDB, which src/deps.sh gets
 * with NEED_DUCKDB=1: every row is read back by DuckDB and compared with `audit search --json`, and
 * whatever fails leaves the file that was there before.
 *
 * Commands are for sh(1) in a folder of the test's own: $M is the command, $D the library, and
 * `ask SQL` runs a statement, by this program itself. log has records of a chain, odd such as no
 * column can hold, and names as an attacker would have them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/duckdb_sql.h"
#include "support/steps.h"

static char folder[64];

/* ---- asking DuckDB --------------------------------------------------------------------------- */

/* The rows of one statement, a line each; before it there may be a schema, and "--" between them.
 */
static int ask(const char *library, const char *sql)
{
    char whole[65536];
    bool good = true;

    steps_need(duckdb_sql_begin(library), library);
    if (strncmp(sql, "CREATE", 6) == 0) {
        const char *end = strstr(sql, "\n--\n");
        steps_need(end != NULL && (size_t)(end - sql) < sizeof(whole), sql);
        snprintf(whole, sizeof(whole), "%.*s", (int)(end - sql), sql);
        good = duckdb_sql_run(whole);
        sql = end + 4;
    }
    snprintf(whole, sizeof(whole),
             "COPY (%s) TO '/dev/stdout' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER "
             "'|')",
             sql);
    good = good && duckdb_sql_run(whole);
    duckdb_sql_end();
    return good ? 0 : 1;
}

/* ---- the steps ------------------------------------------------------------------------------- */

#define X "$M audit export --format parquet "
#define E X "--duckdb \"$D\" --output out.parquet "
/* A field of the line as JSON has it, against its column. */
#define SAME(path, column)                                                                         \
    "json_extract_string(line, '$." path "') IS DISTINCT FROM CAST(" column " AS VARCHAR)"

static const struct step
    steps[] =
        {
            {"no file", X "--duckdb \"$D\" log", 2, "", "needs --output FILE"},
            {"no library", X "--output x log", 2, "",
             "needs --duckdb LIBRARY, the path of libduckdb.so"},
            {"for another format", "$M audit export --format cef --output x log", 2, "",
             "--output and --duckdb are for --format parquet"},
            {"a library without a path", X "--duckdb libduckdb.so --output x log", 3, "",
             "needs a path, such as ./libduckdb.so"},
            {"a missing library", X "--duckdb ./none.so --output x log", 3, "",
             "cannot be loaded: ./none.so"},
            {"no library at all", "echo text >text.so; " X "--duckdb ./text.so --output x log", 3,
             "", "cannot be loaded: "},
            {"another library",
             "l=$(ls /lib/*/libz.so.1 /usr/lib/*/libz.so.1 /usr/lib64/libz.so.1 2>/dev/null | head "
             "-n "
             "1); " X "--duckdb \"$l\" --output x log",
             3, "", "is not the library of DuckDB: it has no duckdb_library_version"},
            {"another version",
             "{ sed -n 's/^    X([^,]*, \\([a-z0-9_]*\\),.*/\\1/p' \"$F\" | sed "
             "'s/.*/void duckdb_&(void) {}/' | grep -v library_version; echo 'const char "
             "*duckdb_library_version(void) { return \"v2.0.0\"; }'; } >fake.c && ${CC:-cc} "
             "-shared -fPIC "
             "-o fake.so fake.c && " X "--duckdb ./fake.so --output x log",
             3, "", "./fake.so is DuckDB v2.0.0; version 1 is needed"},
            {"nothing was made", "ls x* 2>/dev/null", 2, "", ""},
            {"no folder", X "--duckdb \"$D\" --output none/x log", 3, "", "none/x: No such file"},
            {"no log", E "missing", 3, "", "missing: No such file"},
            {"not put into place", "ls out.parquet* 2>/dev/null", 2, "", ""},
            {"written", E "log && stat -c %a out.parquet && ls out.parquet*", 0,
             "600\nout.parquet\n", ""},
            {"by the environment", "MIGUARD_DUCKDB=\"$D\" " X "--output \"it's.parquet\" log", 0,
             "", ""},
            {"every line, byte for byte, in its order",
             "ask \"SELECT line FROM 'out.parquet'\" | cmp - log", 0, "", ""},
            {"the number of rows is that of search",
             "[ $($M audit search --json log | wc -l) = $(ask \"SELECT count(*) FROM "
             "'out.parquet'\") ]",
             0, "", ""},
            /* clang-format off */
    {"each row is that of audit search --json",
     "$M audit search --json log >found && ask \"SELECT count(*) FROM (SELECT *, row_number() OVER "
     "() AS n FROM (SELECT * EXCLUDE (line) FROM 'out.parquet')) AS p FULL JOIN (SELECT json AS "
     "line, row_number() OVER () AS n FROM read_ndjson_objects('found')) AS s USING (n) WHERE "
     SAME("host.name", "host") " OR "
     SAME("event.action", "action") " OR "
     SAME("event.reason", "reason") " OR "
     SAME("user.name", "user_name") " OR "
     SAME("user.id", "user_id") " OR "
     SAME("miguard.provider", "provider") " OR "
     SAME("miguard.class", "class") " OR "
     SAME("miguard.decision", "decision") " OR "
     SAME("event.sequence", "sequence") " OR "
     SAME("miguard.chain.id", "chain") " OR "
     SAME("event.id", "event_id") " OR "
     SAME("process.pid", "pid") " OR "
     "CAST(json_extract_string(line, '$.\\\"@timestamp\\\"') AS TIMESTAMP) IS DISTINCT FROM time\"",
     0, "0\n", ""},
            /* clang-format on */
            {"a list is a list",
             "ask \"SELECT DISTINCT mismatch[1] || mismatch[2] FROM 'out.parquet' WHERE decision = "
             "'deny'\"",
             0, "euidfsuid\n", ""},
            {"what no column can hold",
             E "odd && ask \"SELECT count(*), count(sequence), max(sequence), count(host), "
               "min(time) FROM "
               "'out.parquet'\"",
             0, "3|3|7|3|1970-01-01 00:00:00\n", ""},
            {"names are as they are",
             "ask \"SELECT line FROM 'out.parquet' ORDER BY line\" >a; LC_ALL=C sort odd | cmp - "
             "a; ask "
             "\"SELECT host FROM 'out.parquet' WHERE sequence = 7\"",
             0, "o'brien\"; <b>\n", ""},
            {"only what is asked for",
             E "--decision deny log && ask \"SELECT DISTINCT decision FROM 'out.parquet'\"", 0,
             "deny\n", ""},
            {"none",
             E "--user nosuch log; r=$?; ask \"SELECT count(*) FROM 'out.parquet'\"; [ $r = 1 ]", 0,
             "0\n", ""},
            {"the schema reads it",
             "ask \"$($M fleet schema --for duckdb)\n--\nSELECT count(DISTINCT host) FROM "
             "miguard.records\"",
             0, "1\n", ""},
            {"its questions are those of the report",
             "ask \"$($M fleet schema --for duckdb)\n--\nSELECT sum(refusals)::BIGINT FROM "
             "miguard.refused()\" >a; $M audit search --count --decision deny log | cmp - a",
             0, "", ""},
            {"each can be asked",
             "for q in refused new_kinds first_seen policy_versions lost host_time host_users "
             "provider_rules \"one_user('root', days := 2)\"; do q=${q%)}; case $q in *'('*) ;; *) "
             "q=\"$q(\" "
             ";; esac; ask \"$($M fleet schema --for duckdb)\n--\nSELECT count(*) > 0 FROM "
             "miguard.$q)\" "
             "|| "
             "echo \"$q\"; done | tr '\\n' ' '",
             0, "true true true false false true true true true ", ""},
            {"days and another now",
             "ask \"$($M fleet schema --for duckdb)\n--\nSELECT count(*) FROM miguard.refused(days "
             ":= 1, "
             "moment := TIMESTAMP '2030-01-01')\"",
             0, "0\n", ""},
            /* what fails leaves what was there */
            {"the file is replaced at once", E "log && cp out.parquet kept", 0, "", ""},
            {"a broken line is said and left out",
             "cp log torn; echo garbage >>torn; " E
             "torn; ask \"SELECT line FROM 'out.parquet'\" | cmp - "
             "log",
             0, "", "1 line is no record"},
            {"a packed log that is damaged",
             "cp kept out.parquet; gzip -c log | head -c 20000 >cut.gz; " E
             "cut.gz; r=$?; cmp kept out.parquet; ls -d out.parquet*; exit $r",
             3, "out.parquet\n", "cut.gz"},
            {"the disk is full",
             "trap '' XFSZ; ( ulimit -f 200; " E
             "log; echo \"status $?\" >&2 ); cmp kept out.parquet && ls "
             "-d out.parquet*",
             0, "out.parquet\n", "status 3"},
            {"it is killed", "timeout -s KILL 0.1 " E "log log log log; cmp kept out.parquet", 0,
             "", NULL},
            {"and the next one works", E "log && cmp kept out.parquet", 0, NULL, ""},
};

/* ---- all ------------------------------------------------------------------------------------- */

static void set_path(const char *name, const char *path)
{
    char *whole = realpath(path, NULL);

    steps_need(whole != NULL, path);
    setenv(name, whole, 1);
    free(whole);
}

static void make_files(void)
{
    static const char odd[] =
        "{\"host\":{\"name\":\"a\\\\tb\"},\"event\":{\"sequence\":18446744073709551615}}\n"
        "{\"@timestamp\":\"2999-01-02T03:04:05.5Z\"}\n"
        "{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"host\":{\"name\":\"o'brien\\\"; <b>\"},"
        "\"event\":{\"sequence\":7},\"miguard\":{\"keys\":[\"a\\\"b\",\"c\\\\d\",\"\\t{,}\"]}}\n";
    struct chain_log log;
    const char *quick = getenv("QUICK");

    chain_log_begin(&log, "log", true);
    log.stamp.host_name = "web1";
    chain_log_fill(&log, quick != NULL && quick[0] == '1' ? 3000 : 20000);
    chain_log_append("odd", odd, sizeof(odd) - 1);
}

int main(int count, char **words)
{
    char path[512], command[128];
    const char *build = getenv("OUT"), *library = duckdb_sql_library();

    if (count == 3 && strcmp(words[1], "ask") == 0) {
        return ask(getenv("D"), words[2]);
    }
    if (access(library, R_OK) != 0) {
        puts("skip: Parquet files: the library of DuckDB is not there (NEED_DUCKDB=1 make deps)");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    snprintf(path, sizeof(path), "%s/miguard", build != NULL ? build : "build");
    set_path("M", path);
    set_path("D", library);
    set_path("F", "src/tools/cli/duckdb.c");
    set_path("SELF", words[0]);
    setenv("TZ", "UTC", 1);
    unsetenv("MIGUARD_DUCKDB");
    strcpy(folder, "/tmp/miguard-parquet-XXXXXX");
    steps_need(mkdtemp(folder) != NULL && chdir(folder) == 0, folder);
    make_files();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        steps_run("ask() { \"$SELF\" ask \"$1\"; };", &steps[i]);
    }
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", folder);
    steps_need(system(command) == 0, command);
    printf("%u passed, %u failed\n", steps_passed, steps_failed);
    return steps_failed != 0;
}
