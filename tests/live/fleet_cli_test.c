/* SPDX-License-Identifier: MIT */
/*
 * `miguard fleet verify` as an administrator meets it: what is printed, and the exit status.
 * Commands are for sh(1), in a folder of the test's own: $M is the command. one/ has the log of
 * web1 in a folder of its name, heads its head, keys/ its key; two/ has that and the log of web2 in
 * one file, with record 7 of web2 missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/steps.h"

static char folder[64];

/* ---- the files ------------------------------------------------------------------------------ */

static void save_key(const char *name, const struct chain_key *key)
{
    char text[CHAIN_KEY_TEXT_SIZE];

    chain_key_text(key, text);
    chain_log_append(name, text, strlen(text));
    steps_need(chmod(name, 0600) == 0, name);
}

static void save_head(const char *name, const struct chain_log *log)
{
    char hash[CHAIN_HEX_SIZE], line[256];

    chain_hex(log->head.hash, hash);
    snprintf(line, sizeof(line), "%016llx %llu:%s\n", (unsigned long long)log->head.chain_id,
             (unsigned long long)log->head.sequence, hash);
    chain_log_append(name, line, strlen(line));
}

/* Each a chain of its own. */
static void make_log_of(const char *name, const char *host)
{
    struct chain_log log;

    chain_log_begin(&log, name, true);
    log.stamp.host_name = host;
    chain_log_fill(&log, 5);
}

static void make_files(void)
{
    struct chain_log log;

    steps_need(mkdir("one", 0700) == 0 && mkdir("one/web1", 0700) == 0 && mkdir("two", 0700) == 0 &&
                   mkdir("keys", 0700) == 0 && mkdir("both", 0700) == 0 &&
                   mkdir("empty", 0700) == 0,
               folder);
    chain_log_begin(&log, "one/web1/audit.log", true);
    log.stamp.host_name = "web1";
    chain_log_fill(&log, 20);
    save_key("keys/web1.key", &log.first);
    save_key("both/web1.key", &log.first);
    save_head("heads", &log);
    chain_log_begin(&log, "two/all", true);
    log.stamp.host_name = "web2";
    chain_log_fill(&log, 20);
    save_key("both/web2.key", &log.first);
    save_head("heads", &log);
    make_log_of("web", "web");
    make_log_of("web.a", "web.a");
    make_log_of("web.a.again", "web.a");
    make_log_of("web.b", "web.b");
    steps_need(system("sed -i 7d two/all && cat one/web1/audit.log >> two/all") == 0, "sed");
}

static void make_folder(void)
{
    char command[512];
    const char *build = getenv("OUT");
    char *whole = realpath(build != NULL ? build : "build", NULL);

    steps_need(whole != NULL, "OUT");
    snprintf(command, sizeof(command), "%s/miguard", whole);
    free(whole);
    setenv("M", command, 1);
    setenv("TZ", "UTC", 1);
    strcpy(folder, "/tmp/miguard-fleet-cli-XXXXXX");
    steps_need(mkdtemp(folder) != NULL && chdir(folder) == 0, folder);
    make_files();
}

/* ---- the rows ------------------------------------------------------------------------------- */

/* Two logs in the folder web. */
#define SHARED(one, other)                                                                         \
    "rm -rf 7; mkdir -p 7/web; cp " one " 7/web/1.log; cp " other " 7/web/2.log; " F               \
    "--folders 7 | "
#define F    "$M fleet verify "
#define H    "$M fleet heads "
#define GOOD F "--keys keys --heads heads one"

static const struct {
    const char *command;
    int status;
    const char *out, *err; /* a part; NULL: anything, "": nothing */
} rows[] = {
    {"$M fleet --help", 0, "verify", ""},
    {F "--help", 0, "usage: miguard fleet verify ", ""},
    {F, 2, "", "FOLDER is missing"},
    {F "--silent one one", 2, "", "--silent 'one' is not a duration"},
    {F "--silent 1y one", 2, "", "is not a duration"},
    {F "--clock -5m one", 2, "", "--clock '-5m' is not a duration"},
    {F "--at never one", 2, "", "--at 'never' is not a time"},
    {F "--kyes keys one", 2, "", "did you mean --keys?"},
    {F "missing", 3, "", "missing: No such file or directory"},
    {F "--keys missing one", 3, "", "missing: No such file or directory"},
    {F "--heads missing one", 3, "", "missing: No such file or directory"},
    {F "empty", 3, "0 hosts, 0 chains: ", ""},
    /* web1 alone; web2 is in the heads */
    {"grep -v x heads | head -n 1 > h1; " F "--keys keys --heads h1 one", 0, "web1: intact: chain ",
     ""},
    {F "--keys keys --heads h1 one", 0, "1 host, 1 chain: 1 intact, 0 with alarms, 0 unproven; ",
     ""},
    {F "--keys keys --heads h1 one | grep -F \"$(cut -d ' ' -f 2 h1)\"", 0, "proved up to ", ""},
    {F "--keys keys --heads h1 --folders one", 0, "intact", ""},
    {"cp -r one/web1 one.web9 && mkdir -p 9 && mv one.web9 9/web9; " F
     "--keys keys --heads h1 --folders 9",
     1, "foreign-host (", ""},
    /* Hosts of other domains with the same first part; web and web.a may be one. */
    {SHARED("web.a", "web.b") "grep -c '; shared-folder (7/web/[12].log);'", 0, "2\n", ""},
    {F "--folders 7 >x; [ $? = 1 ] && ! grep 'tampered\\|foreign' x", 0, "", ""},
    {F "7 | grep -c shared", 1, "0\n", ""},
    {SHARED("web.a", "web.a.again") "grep -c shared", 1, "0\n", ""},
    {SHARED("web", "web.a") "grep -c shared", 1, "0\n", ""},
    {"rm -r 7; mkdir -p 7/web.a 7/web.b; cp web.a 7/web.a; cp web.b 7/web.b; " F
     "--folders 7 | grep -c shared",
     1, "0\n", ""},
    {"mkdir -p 8/web 9/web; cp web.a 8/web; cp web.b 9/web; " F "--folders 8 9 | grep -c shared", 1,
     "0\n", ""},
    {F "--keys keys one", 3, "web1: intact-so-far: ", ""},
    {F "--keys keys one", 3, "; no-head", ""},
    {F "--heads h1 one", 3, "web1: unproven: ", ""},
    {F "--heads h1 one", 3, "; no-key", ""},
    {GOOD, 1, "(unknown host): tampered: ", ""},
    {GOOD, 1, "never-heard", ""},
    {F "--keys both --heads heads one", 1, "web2: tampered: ", ""},
    {F "--keys both --heads heads two", 1, "; deleted 7\n", ""},
    {F "--keys both --heads heads two", 1, "web1: intact: ", ""},
    {F "--keys both --heads heads two", 1, "2 hosts, 2 chains: 1 intact, 1 with alarms, ", ""},
    {F "--keys both --heads heads --findings two", 1,
     "\n  two/all:7: alarm: deleted: record 7 is missing, with records before and behind it", ""},
    {F "--keys both --heads heads --silent 1h two", 1, NULL, ""},
    {F "--keys keys --heads h1 --silent 1h one", 0, "web1: intact", ""},
    {F "--keys keys --heads h1 --silent 1h --at 2099-01-01 one", 1, "; silent ", ""},
    {F "--keys keys --heads h1 --at 2020-01-01 one", 1, "; clock-ahead +", ""},
    /* a line that is no record */
    {"cp -r one bad; echo garbage >> bad/web1/audit.log; " F "--keys keys --heads h1 bad", 0,
     ": no record: ", ""},
    {F "--keys keys --heads h1 --strict bad", 1, "1 line that is no record", ""},
    {F "--keys keys --heads h1 \"$(printf 'b\\033d')\"", 3, "", "b\\x001Bd"},
    /* packed, and in parts */
    {"cp -r one packed; gzip packed/web1/audit.log; " F "--keys keys --heads h1 packed", 0,
     "web1: intact: ", ""},
    {"cp -r packed 2; gzip <packed/web1/audit.log.gz >2/web1/audit.log.gz; " F
     "--keys keys --heads h1 2",
     1, "never-heard", ""},
    {"mkdir parts; split -l 5 one/web1/audit.log parts/x; " F "--keys keys --heads h1 parts", 0,
     "5 files", ""},
    {F "--keys keys --heads h1 one parts", 0, " duplicates", ""},
    {"cp -r one later; sed -i 1,4d later/web1/audit.log; " F "--keys keys --heads h1 later", 1,
     "; missing-start 1 to 4", ""},
    {F "--keys keys --heads h1 --partial later", 0, "web1: intact: ", ""},
    {"cp -r one edited; sed -i '5s/Web_Server/Web_server/' edited/web1/audit.log; " F
     "--keys keys --heads h1 edited",
     1, "; edited 5", ""},
    /* keys */
    {"mkdir open; cp keys/* open; chmod 644 open/*; " F "--keys open one", 3, "",
     "is open to others than its owner"},
    {"mkdir nokey; (umask 077; echo no >nokey/a); " F "--keys nokey one", 2, "",
     "not a verification key"},
    {"mkdir other; cp both/web2.key other/web1.key; " F "--keys other --heads h1 one", 1,
     "; wrong-key", ""},
    /* lists of heads */
    {H "--help", 0, "usage: miguard fleet heads ", ""},
    {H, 2, "", "FOLDER is missing"},
    {H "--sign k one", 2, "", "--sign needs --output"},
    {H "--keys keys one | tail -n 1 | cut -d ' ' -f 1,2 | cmp - h1", 0, "", ""},
    {H "--keys keys one", 0, " web1\n", ""},
    {H "--keys both two", 1, " web1\n", "web2: chain "},
    {H "--keys both two | grep -c web2", 1, "0\n", NULL},
    {"$M key create --no-password site >/dev/null && $M key create --no-password else >/dev/null "
     "&& " H "--keys keys --output list --sign site.key one",
     0, "", ""},
    {H "--keys keys --output list --sign site.key one", 3, "",
     "exists; a list is never overwritten"},
    {F "--keys keys --heads list --signed-by site.pub one", 0, "web1: intact: ", ""},
    {F "--keys keys --heads list --signed-by else.pub --signed-by site.pub one", 0, "intact", ""},
    {F "--keys keys --heads list --signed-by else.pub one", 1, "", "list: signed by another key"},
    {F "--keys keys --signed-by site.pub one", 2, "", "--signed-by needs --heads"},
    {F "--keys keys --heads h1 --signed-by site.pub one", 3, "", "h1.minisig: "},
    {"cp list forged; cp list.minisig forged.minisig; sed -i 's/ [0-9]*:/ 1:/' forged; " F
     "--keys keys --heads forged --signed-by site.pub one",
     1, "", "forged: "},
    /* what was looked at is what is used: a pipe gives it once */
    {"mkfifo pipe && cp list.minisig pipe.minisig && { cat list >pipe & } && " F
     "--keys keys --heads pipe --signed-by site.pub one",
     0, "web1: intact: ", ""},
    {"command -v minisign >/dev/null || exit 0; minisign -Vm list -p site.pub", 0, NULL, ""},
    /* web1 writes its past anew, with a key that it still has: the list from before shows it */
    {"cp -r one anew; sed -n 1,9p one/web1/audit.log >anew/web1/audit.log; " H
     "--keys keys --heads list --signed-by site.pub anew",
     1, "", "web1: chain "},
    {H "--keys keys anew", 0, " 9:", ""},
    /* JSON */
    {"! command -v jq >/dev/null || " F
     "--keys both --heads heads --json two | jq -e '.verdict == \"alarm\" and .hosts == 2 and "
     ".missing == 1 and (.chains[1] | .host == \"web2\" and .kinds.deleted == 1 and "
     ".findings[0].first == 7 and .alarm) and (.chains[0] | .verdict == \"intact\" and .facts == "
     "[])'",
     0, NULL, ""},
    {F "--keys both --heads heads --json two", 1, "{\"verdict\":", ""},
};

int main(void)
{
    char command[128];

    make_folder();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct step step = {"fleet", rows[i].command, rows[i].status, rows[i].out,
                                  rows[i].err};
        steps_run("", &step);
    }
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", folder);
    steps_need(system(command) == 0, command);
    printf("%u passed, %u failed\n", steps_passed, steps_failed);
    return steps_failed != 0;
}
