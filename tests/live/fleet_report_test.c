/* SPDX-License-Identifier: MIT */
/*
 * `miguard fleet report` over the files of hosts, and over the same records in a real PostgreSQL
 * (support/fleet_database.h): both must give the same answers, byte for byte. Names are those of an
 * attacker: quotes of SQL and HTML, control characters, letters that run from right to left.
 *
 * Commands are for sh(1) in a folder of the test's own: $M is the command, $U the database; store/
 * has the files, FIX what stands for now.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_database.h"
#include "support/steps.h"

static char folder[64];
static unsigned skipped;

static bool shell(const char *command)
{
    return system(command) == 0;
}

/* ---- the store ------------------------------------------------------------------------------- */

/* Names as they stand in JSON. */
static const char *const names[] = {
    "root",
    "o'brien; DROP TABLE miguard.records --",
    "<script>alert(1)</script>&amp;\\\"",
    "\\u001b[31mred\\u0007",
    "",
    "\\u202egnp.exe",
    "a\\tb\\nc\\\\d",
    "\xD7\x90\xD7\x91 \xE2\x82\xAC",
    "$1 :days %s %n {} []",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* 2026-03-DAY at a time that differs for each record. */
static void add_time(struct text *text, unsigned day, unsigned number)
{
    text_format(text, "{\"@timestamp\":\"2026-03-%02uT%02u:%02u:%02u.%06uZ\"", day, number % 24,
                number * 7 % 60, number * 13 % 60, number * 101 % 1000000);
}

static void add_record(struct text *text, unsigned day, unsigned i, const char *decision)
{
    add_time(text, day, i);
    text_format(text,
                ",\"event\":{\"id\":\"e%u-%u\",\"sequence\":%u,\"action\":\"session-use\","
                "\"reason\":\"%s\"},\"host\":{\"name\":\"%s\"},\"user\":{\"id\":\"%u\"",
                day, i, i + 1, i % 4 == 0 ? "identity-mismatch" : "policy", names[i / 2 % NAMES],
                1000 + i % 5);
    if (i % 6 != 5) { /* others have no name */
        text_format(text, ",\"name\":\"%s\"", names[i % NAMES]);
    }
    text_format(text,
                "},\"rule\":{\"name\":\"%s\"},\"miguard\":{\"decision\":\"%s\",\"operation\":"
                "\"get-instance\",\"provider\":\"lib%s.so\"",
                names[i / 3 % NAMES], decision, day == 10 && i % 10 == 3 ? "new" : names[i % 3]);
    text_append(text, i % 7 == 0   ? ",\"repeat\":{\"count\":18446744073709551615}"
                      : i % 8 == 0 ? ",\"repeat\":{\"count\":9223372036854775807}"
                      : i % 5 == 0 ? ",\"repeat\":{\"count\":40}"
                                   : "");
    text_append(text, "}}\n");
}

static void add_policy(struct text *text, unsigned day, unsigned host, const char *action,
                       const char *hash)
{
    add_time(text, day, host);
    text_format(text,
                ",\"event\":{\"sequence\":%u,\"action\":\"%s\"},\"host\":{\"name\":\"%s\"},"
                "\"miguard\":{",
                1000 + host, action, names[host]);
    if (hash != NULL) {
        text_format(text, "\"policy\":{\"hash\":\"%s\"}", hash);
    }
    text_append(text, "}}\n");
}

static void add_loss(struct text *text, unsigned day, unsigned host, const char *count)
{
    add_time(text, day, host);
    text_format(text,
                ",\"event\":{\"sequence\":%u,\"action\":\"records-lost\"},\"host\":{\"name\":"
                "\"%s\"},\"miguard\":{\"lost\":{\"sink\":\"file\",\"cause\":\"disk-full\"%s%s}}}\n",
                2000 + host, names[host], count[0] != '\0' ? ",\"count\":" : "", count);
}

/* The same at the same time on hosts whose names are in another order by letters than by bytes:
 * B, a, b, and A twice. */
static void add_ties(struct text *text)
{
    static const char *const hosts[] = {"b", "A", "a", "B", "A"};

    for (unsigned i = 0; i < 5; i++) {
        add_time(text, 10, 5);
        text_format(text,
                    ",\"event\":{\"sequence\":%u,\"action\":\"session-use\",\"reason\":\"policy\"},"
                    "\"host\":{\"name\":\"%s\"},\"user\":{\"name\":\"tie\"},\"miguard\":{"
                    "\"decision\":\"deny\",\"operation\":\"tie\",\"provider\":\"%s.so\"}}\n",
                    5000 - i, hosts[i], "tie");
        add_time(text, 10, 6);
        text_format(text,
                    ",\"event\":{\"sequence\":%u,\"action\":\"policy-load\"},\"host\":{\"name\":"
                    "\"%s\"},\"miguard\":{\"policy\":{\"hash\":\"tie\"}}}\n",
                    6000 + i, hosts[i]);
    }
}

static void add_all(struct text *text)
{
    add_ties(text);
    for (unsigned day = 8; day <= 10; day++) {
        for (unsigned i = 0; i < 90; i++) {
            add_record(text, day, i, i % 3 == 0 ? "allow" : "deny");
        }
    }
    for (unsigned host = 0; host < NAMES; host++) {
        add_policy(text, 8, host, "policy-load", host % 3 == 0 ? NULL : "aaaa");
        add_policy(text, 9, host, "audit-start", host % 4 == 0 ? NULL : "bbbb");
        add_loss(text, 9 + host % 2, host,
                 host == 3   ? ""
                 : host == 4 ? "18446744073709551615"
                             : "7");
    }
    /* No time, no host, no user: what others leave out. */
    text_append(text, "{\"event\":{\"sequence\":1},\"miguard\":{\"decision\":\"deny\"}}\n{}\n");
}

/* Some lines came twice, and the second file is packed. */
static void make_store(void)
{
    struct text text = TEXT_EMPTY;

    add_all(&text);
    steps_need(!text.failed && mkdir("store", 0755) == 0, "store");
    chain_log_append("store/all", text.data, text.length);
    text_release(&text);
    steps_need(
        shell("head -n 120 store/all | tail -n 40 >store/again; sed -n '100,$p' store/all >rest; "
              "sed -i '100,$d' store/all; gzip rest && mv rest.gz store/rest.gz; cp -r store "
              "broken; printf "
              "'{\"host\":{\"name\":\"a\\\\u0000b\"}}\\n{\"host\":\"\\377\"}\\n{\"torn' "
              ">broken/more; cat store/all >all.log; zcat store/rest.gz "
              ">>all.log"),
        "files");
    setenv("FIX", "--at 2026-03-10T23:59:59.999Z", 1);
}

static void find_command(void)
{
    char path[512];
    const char *build = getenv("OUT");
    char *whole = realpath(build != NULL ? build : "build", NULL);

    steps_need(whole != NULL, "build");
    snprintf(path, sizeof(path), "%s/miguard", whole);
    setenv("M", path, 1);
    setenv("TZ", "UTC", 1);
    free(whole);
    strcpy(folder, "/tmp/miguard-fleet-report-XXXXXX");
    steps_need(mkdtemp(folder) != NULL && chdir(folder) == 0 && chmod(folder, 0711) == 0, folder);
    chain_log_append("start", fleet_database, sizeof(fleet_database) - 1);
}

/* ---- over files ------------------------------------------------------------------------------ */

#define R "$M fleet report "
#define S R "--from store $FIX "

static const struct step of_files[] = {
    {"help", R "--help", 0, "usage: miguard fleet report ", ""},
    {"no store", R, 2, "", "--from is required: STORE"},
    {"an empty store", R "--from ''", 2, "", "--from is empty"},
    {"a store that is not there", R "--from none", 3, "", "none: No such file or directory"},
    {"a database and a folder", R "--from store --from postgresql:///x", 2, "",
     "a database is the only store"},
    {"no such question", S "--ask what", 2, "", "--ask 'what' must be one of refused, "},
    {"a question that needs a user", S "--ask one-user", 2, "", "--ask one-user needs --user"},
    {"a time", R "--from store --at never", 2, "", "--at 'never' is not a time"},
    {"days", S "--days 0", 2, "", "--days"},
    {"before 1970", R "--from store --at 1970-01-02 --days 9", 2, "", "go back beyond 1970"},
    {"a user that is not UTF-8", S "--user \"$(printf 'a\\377')\"", 2, "", "--user is not UTF-8"},
    {"both forms", S "--json --html x", 2, "", "--html"},
    {"a page without a name", S "--html ''", 2, "", "--html needs the name of a file"},
    {"text", S, 0, "Who was refused on which hosts\n", ""},
    {"a table", S "--ask policy-versions", 0, "  bbbb            6  2026-03-09 ", ""},
    {"built-in", S "--ask policy-versions", 0, "  (built-in)      1  2026-03-08 ", ""},
    {"no terminal is moved",
     S "--user root | grep -c \"$(printf '[\\001-\\010\\013-\\037\\177]')\"", 1, "0\n", ""},
    {"nothing to say", R "--from store --at 2030-01-01 --ask refused", 0, "Nothing was refused.",
     ""},
    {"rows are left out, and it says so", S "--top 1 --ask refused", 0, " more; --top and --json",
     ""},
    {"equal counts: by the bytes of names",
     S "--ask refused --json --top 100 | grep -o '\"user\":\"tie\",\"host\":\"[^\"]*\"' | cut -d "
       "'\"' "
       "-f 8 | tr '\\n' ' '",
     0, "A B a b ", ""},
    {"seen at one time: the first name",
     S "--ask first-seen --json | grep -o '\"tie\",\"provider\":\"tie"
       ".so\",[^}]*\"host\":\"A\"' | wc -l",
     0, "1\n", ""},
    {"new kinds", S "--ask new-kinds --json | grep -o 'libnew.so' | sort | uniq -c | wc -l", 0,
     "1\n", ""},
    {"what came twice counts once",
     "mkdir -p once; cp all.log once/all; for q in refused lost host-users; do " S
     "--json --ask $q | sed 's/,\"read\".*//' >a; " R
     "--from once $FIX --json --ask $q | sed 's/,\"read\".*//' | cmp - a || exit 1; done",
     0, "", ""},
    {"more than one place",
     R "--from store/all --from store/rest.gz $FIX --json --ask refused | "
       "grep -c '\"files\":2'",
     0, "1\n", ""},
    {"lines that are no records", R "--from broken $FIX --ask lost", 3, "Lost records\n",
     "3 lines are no record: miguard fleet verify names them"},
    {"a page", S "--user root --html page && stat -c %a page", 0, "600\n", ""},
    {"no markup from names", "grep -c '<script>alert' page", 1, "0\n", ""},
    {"names are there", "grep -c '&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;' page", 0,
     NULL, ""},
    {"the page loads nothing", "grep -nE '<script|<link|<img|src=|@import|url\\(' page", 1, "", ""},
    {"a page to a full disk", S "--html - >/dev/full", 3, "", "standard output cannot be written"},
    {"JSON to a full disk", S "--json >/dev/full", 3, "", "standard output cannot be written"},
    {"a page into no folder", S "--html none/page", 3, "", "none/page"},
    {"JSON is JSON",
     "command -v jq >/dev/null || exit 0; " S
     "--json --user root | jq -e '.refused.rows[0].refusals "
     ">= 9223372036854775807 and (.[\"one-user\"].rows | length) > 0' >/dev/null",
     0, "", ""},
};

/* ---- over PostgreSQL ------------------------------------------------------------------------- */

#define P R "--from \"$U\" $FIX "
#define SAME(options)                                                                              \
    "sed 's/,\"read\".*/}/' >b <<X\n$(" S "--json " options ")\nX\n" P "--json " options           \
    " | cmp - b"

static const struct step of_database[] = {
    {"no tables yet", P, 3, "", "has no tables of miguard"},
    {"loaded", "$M audit load --create --to \"$U\" all.log", 0, NULL, NULL},
    {"both say the same", SAME(""), 0, "", ""},
    {"of one user", SAME("--user root --days 3"), 0, "", ""},
    {"of a user whose name is SQL",
     SAME("--user \"o'brien; DROP TABLE miguard.records --\" --days 2"), 0, "", ""},
    {"of a user whose name is a variable", SAME("--user '$1 :days %s %n {} []' --days 2"), 0, "",
     ""},
    {"of many days", SAME("--days 300"), 0, "", ""},
    {"of a day with nothing", SAME("--at 2030-01-01"), 0, "", ""},
    {"times do not depend on the session",
     "PGTZ=Asia/Kolkata PGDATESTYLE=German " P "--json >a; " P "--json | cmp - a", 0, "", ""},
    /* In a zone where one day has 23 hours, days are those of UTC. */
    {"days do not depend on the session",
     "T='--at 2026-03-09T01:30:00Z --json'; PGTZ=America/New_York " R "--from \"$U\" $T >a; " R
     "--from \"$U\" $T | cmp - a",
     0, "", ""},
    {"text", P "--user root", 0, "One user on all hosts\n", ""},
    {"a page of the database", P "--html page2 && grep -c '<dd>PostgreSQL</dd>' page2", 0, "1\n",
     ""},
    {"nothing is written",
     "ask -c 'REVOKE ALL ON ALL TABLES IN SCHEMA miguard FROM PUBLIC; CREATE ROLE reader LOGIN; "
     "GRANT USAGE ON SCHEMA miguard TO reader; GRANT SELECT ON miguard.records, miguard.schema TO "
     "reader'; U2=$(echo \"$U\" | sed 's/user=miguard/user=reader/'); " R
     "--from \"$U2\" $FIX --json >a; " P "--json | cmp - a",
     0, "", ""},
    {"another version", "ask -c 'UPDATE miguard.schema SET version = 77'; " P, 3, "",
     "the tables have version 77, and this miguard reads 1"},
    {"no such database", R "--from \"${U%%/postgres*}/none?${U#*\\?}\"", 3, "",
     "database \"none\" does not exist"},
    {"it is down", "down; " P, 3, "", "pg/socket"},
};

static void run_database(void)
{
    char url[256];

    if (!shell(FLEET_DATABASE_POSSIBLE)) {
        puts("skip: questions to PostgreSQL: postgresql is not installed");
        skipped++;
        return;
    }
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s/pg/socket&user=miguard", folder);
    setenv("U", url, 1);
    steps_need(shell(". ./start; make_database"), "initdb");
    for (size_t i = 0; i < sizeof(of_database) / sizeof(of_database[0]); i++) {
        steps_run(". ./start;", &of_database[i]);
    }
    (void)shell(". ./start; down; true");
}

int main(void)
{
    char command[128];

    find_command();
    make_store();
    for (size_t i = 0; i < sizeof(of_files) / sizeof(of_files[0]); i++) {
        steps_run(". ./start;", &of_files[i]);
    }
    run_database();
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", folder);
    steps_need(getenv("KEEP") != NULL || shell(command), command);
    printf("%u passed, %u failed, %u skipped\n", steps_passed, steps_failed, skipped);
    return steps_failed != 0;
}
