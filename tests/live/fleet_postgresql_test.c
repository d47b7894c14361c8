/* SPDX-License-Identifier: MIT */
/*
 * Records of three hosts in a real PostgreSQL, which the test starts in its own folder and on its
 * own socket, as another user, since it does not run as root: loaded twice, loaded on, edited,
 * removed, with a loader that is killed and a database that goes down in between. Each record is
 * there once, and the saved questions answer.
 *
 * Commands are for sh(1) in that folder: $M is the command, $U the database, $S the folder of
 * questions, $N the number of records, `count WHAT` asks for a number.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_database.h"
#include "support/steps.h"

enum { OTHER = 65534 };

static char folder[64];

static bool shell(const char *command)
{
    return system(command) == 0;
}

/* ---- the logs and the database --------------------------------------------------------------- */

static const char *const hosts[] = {"web1", "web2", "web3"};
static struct chain_log logs[3];

static void make_logs(uint64_t records)
{
    char name[128], text[CHAIN_KEY_TEXT_SIZE], number[32];
    uint64_t all = 0;

    steps_need(mkdir("keys", 0700) == 0, "keys");
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s.log", hosts[i]);
        chain_log_begin(&logs[i], name, true);
        logs[i].stamp.host_name = hosts[i];
        chain_log_fill(&logs[i], records);
        all += logs[i].head.sequence;
        snprintf(name, sizeof(name), "keys/%s.key", hosts[i]);
        chain_key_text(&logs[i].first, text);
        chain_log_append(name, text, strlen(text));
        steps_need(chmod(name, 0600) == 0, name);
    }
    snprintf(number, sizeof(number), "%llu", (unsigned long long)all);
    setenv("N", number, 1);
}

static void make_database(void)
{
    char url[256], path[512];
    const char *build = getenv("OUT"), *source = "policy/fleet/postgresql";
    char *whole = realpath(build != NULL ? build : "build", NULL), *sql = realpath(source, NULL);

    steps_need(whole != NULL && sql != NULL, source);
    snprintf(path, sizeof(path), "%s/miguard", whole);
    setenv("M", path, 1);
    setenv("S", sql, 1);
    setenv("TZ", "UTC", 1);
    free(whole);
    free(sql);
    strcpy(folder, "/tmp/miguard-fleet-pg-XXXXXX");
    steps_need(mkdtemp(folder) != NULL && chdir(folder) == 0 && chmod(folder, 0711) == 0, folder);
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s/pg/socket&user=miguard", folder);
    setenv("U", url, 1);
    chain_log_append("start", fleet_database, sizeof(fleet_database) - 1);
    steps_need(shell(". ./start; make_database"), "initdb");
}

/* ---- the steps ------------------------------------------------------------------------------- */

#define LOAD   "$M audit load --to \"$U\" "
#define LOGS   "web1.log web2.log web3.log"
#define ALL    "[ \"$(count)\" = $N ]"
#define ASK(q) "ask -f \"$S/" q ".sql\""
/* The names of saved questions in whose plans more than 12 rows go through for each record, with
 * how many: what takes the square of the records has hundreds. No time is measured. Half of the
 * records are a day old then, and the other half are refusals of a new kind. */
#define ROWS_OF_PLANS                                                                              \
    "now=$(ask -c \"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY time) + interval '1 day' "  \
    "FROM miguard.records\"); for q in \"$S\"/*.sql; do sed \"s/now()/timestamptz '$now'/; "       \
    "0,/^SELECT/s//EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT/\" \"$q\" | ask -v user=root "  \
    "-f - | awk -v n=$N -v q=\"${q##*/}\" 'match($0, /rows=[0-9.]+ loops=[0-9]+/) { "              \
    "split(substr($0, RSTART, RLENGTH), a, /[= ]/); loops = a[4]; rows += a[2] * loops; seen++ } " \
    "/Rows Removed by/ { rows += $NF * loops } END { if (seen == 0 || rows > 12 * n) print q, "    \
    "rows / n }'; done"

static const struct step steps[] = {
    {"no tables yet", LOAD LOGS, 3, "", "has no tables of miguard; --create makes them"},
    {"loaded", LOAD "--create " LOGS, 0, " there before\n", ""},
    {"all are there", ALL, 0, "", ""},
    {"once more, from where it was", LOAD "--json " LOGS, 0,
     "{\"records\":0,\"new\":0,\"present\":0,\"broken\":0}\n", ""},
    {"once more, from the beginning", "ask -c 'DELETE FROM miguard.loaded'; " LOAD LOGS, 0,
     " 0 new, ", ""},
    {"still each is there once", ALL, 0, "", ""},
    {"bytes are as they were", "cat " LOGS " | sort >a; ask -f \"$S/lines.sql\" | sort | cmp - a",
     0, "", ""},
    {"verified from there", "ask -f \"$S/lines.sql\" >store; $M fleet verify --keys keys store", 3,
     "web3: intact-so-far: ", ""},
    {"columns are those of the record",
     "ask -c \"SELECT count(*) FROM miguard.records WHERE record->'event'->>'sequence' IS DISTINCT "
     "FROM sequence::text OR record->'host'->>'name' IS DISTINCT FROM host OR provider <> "
     "'libweb.so' OR decision IS NULL OR record->'miguard'->>'class' IS DISTINCT FROM class\"",
     0, "0\n", ""},
    {"a list is a list",
     "ask -c \"SELECT DISTINCT mismatch FROM miguard.records WHERE decision = 'deny'\"", 0,
     "{euid,fsuid}\n", ""},
    {"a day is a partition", "ask -c \"SELECT count(*) FROM miguard.records_other\"", 0, "0\n", ""},
    {"refused", ASK("refused"), 0, "root|web2|identity-mismatch|libweb.so|", ""},
    {"new kinds", ASK("new-kinds"), 0, "identity-mismatch|libweb.so|", ""},
    {"first seen", ASK("first-seen"), 0, "root|libweb.so|", ""},
    {"one user", "ask -v user=root -f \"$S/one-user.sql\" | grep -c Web_Server", 0, NULL, ""},
    {"policy versions", ASK("policy-versions"), 0, "", ""},
    {"lost", ASK("lost"), 0, "", ""},
    {"gaps", ASK("gaps"), 0, "", ""},
    {"silent", ASK("silent"), 0, "", ""},
    {"silent, of an instant", "ask -v hours=-1 -f \"$S/silent.sql\" | wc -l", 0, "3\n", ""},
    {"panels of the dashboard",
     "command -v jq >/dev/null || exit 0; jq -r '.panels[].targets[].rawSql' "
     "\"$S/../grafana/miguard.json\" | sed 's/$__timeFilter(time)/true/; "
     "s/$__timeGroupAlias(time, $__interval)/date_trunc(minute, time) AS time/; "
     "s/date_trunc(minute/date_trunc(\\x27minute\\x27/; s/$/;/' >panels; ask -f panels | grep -c "
     "'web2|identity-mismatch\\|libweb.so|'",
     0, NULL, ""},
    {"nothing was changed", ASK("changed"), 0, "", ""},
    {"a kind that is new",
     "ask -c \"UPDATE miguard.records SET rule = 'new' WHERE time >= (SELECT percentile_disc(0.5) "
     "WITHIN GROUP (ORDER BY time) FROM miguard.records)\"",
     0, "", ""},
    {"no question takes the square of the records", ROWS_OF_PLANS, 0, "", ""},
    {"nor when statistics are there", "ask -c 'ANALYZE miguard.records'; " ROWS_OF_PLANS, 0, "",
     ""},
    {"the kind is as before", "ask -c 'UPDATE miguard.records SET rule = NULL'", 0, "", ""},
    /* what happens on the way */
    {"one is removed",
     "ask -c \"DELETE FROM miguard.records WHERE host = 'web2' AND sequence = "
     "17\"; " ASK("gaps"),
     0, "|17|17|1\n", ""},
    {"and fleet verify finds it",
     "ask -f \"$S/lines.sql\" >store; $M fleet verify --keys keys store", 1, "; deleted 17; ", ""},
    {"it comes once more", "ask -c 'DELETE FROM miguard.loaded'; " LOAD LOGS, 0, " 1 new, ", ""},
    {"one is edited",
     "sed '1s/Web_Server/Web_server/' web1.log >edited; " LOAD "edited; " ASK("changed"), 0,
     "|1|2|", ""},
    {"and fleet verify finds it, too",
     "ask -f \"$S/lines.sql\" >store; $M fleet verify --keys keys store", 1,
     "web1: tampered: ", ""},
    {"it is taken out again",
     "ask -c \"DELETE FROM miguard.records WHERE class = 'Web_server'\"; " ALL, 0, "", ""},
    {"what JSON may hold and the database does not",
     "printf '%s\\n' '{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"x\":1e400000}' "
     "'{\"@timestamp\":\"2999-01-02T03:04:05Z\",\"event\":{\"sequence\":18446744073709551615}}' "
     "'{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"miguard\":{\"keys\":[\"a\\\"b\",\"c\\\\\\\\d\","
     "\"\\t{,}\"]}}' >odd; " LOAD
     "odd; ask -c \"SELECT count(*), count(record), max(sequence) FROM "
     "miguard.records WHERE chain = ''\"; ask -c \"SELECT keys FROM miguard.records WHERE keys IS "
     "NOT NULL AND chain = ''\"; ask -c \"SELECT line FROM miguard.records WHERE chain = ''\" | "
     "sort >b; sort odd | cmp - b; ask -c \"DELETE FROM miguard.records WHERE chain = ''\"",
     0, "3|2|0\n", ""},
    {"lines that are no records",
     "{ echo garbage; tail -n 1 web1.log; } >torn; " LOAD "torn; r=$?; " ALL "; [ $r = 3 ]", 0,
     "1 record read, 0 new, 1 there before", "torn:1: "},
    /* what fails */
    {"the loader is killed",
     "ask -c 'TRUNCATE miguard.records, miguard.loaded'; for i in 1 2 3 4 5 6 7 8; do timeout -s "
     "KILL 0.$i " LOAD LOGS " >/dev/null 2>&1; done; " LOAD LOGS " >/dev/null; " ALL,
     0, NULL, NULL},
    {"the database goes down and comes back",
     "ask -c 'TRUNCATE miguard.records, miguard.loaded'; { " LOAD LOGS "; echo $? >status; } "
     ">loader 2>&1 & while [ \"$(count)\" = 0 ]; do sleep 0.05; done; down; sleep 1; up; wait; "
     "cat loader; [ \"$(cat status)\" = 0 ] && " ALL,
     0, NULL, NULL},
    {"two at once",
     "ask -c 'TRUNCATE miguard.records, miguard.loaded'; for i in 1 2; do " LOAD LOGS
     " & done >/dev/null; wait; " ALL,
     0, NULL, ""},
    {"it is down", "down; " LOAD "--retry 0 " LOGS, 3, "", "pg/socket"},
    {"another version", "up; ask -c 'UPDATE miguard.schema SET version = 77'; " LOAD LOGS, 3, "",
     "the tables have version 77, and this miguard writes version 1"},
    {"no such database", "$M audit load --to \"${U%%/postgres*}/none?${U#*\\?}\" " LOGS, 3, "",
     "database \"none\" does not exist"},
    {"not a database", "$M audit load --to mysql://x " LOGS, 2, "",
     "is not postgresql://USER@HOST/DATABASE"},
};

static void finish(void)
{
    char command[128];

    (void)shell(". ./start; down; true");
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", folder);
    steps_need(shell(command), command);
}

int main(void)
{
    const char *quick = getenv("QUICK");

    if (!shell(FLEET_DATABASE_POSSIBLE)) {
        puts("skip: records in PostgreSQL: postgresql is not installed");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_database();
    make_logs(quick != NULL && quick[0] == '1' ? 4000 : 20000);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        steps_run(". ./start;", &steps[i]);
    }
    finish();
    printf("%u passed, %u failed\n", steps_passed, steps_failed);
    return steps_failed != 0;
}
