/* SPDX-License-Identifier: MIT */
/*
 * The recipe of policy/fleet/journal with the real programs: on each host, a machine of its own
 * (support/fleet_site.h), a writer with a file and a journald sink, systemd-journald and
 * systemd-journal-upload; on the collector systemd-journal-remote, by HTTP with certificates. The
 * upload, the collector and a writer are killed and started again in between, and the network is
 * cut. Then every record of each host is in the journals of the collector, with the same bytes, and
 * `miguard fleet verify` says so; it finds what is removed, edited and put into another order. On
 * one host journald is killed, too: what never came into its journal is counted exactly. A relay
 * that was broken into makes other journals of those that it got and sends them on: that is found.
 *
 * HOSTS, RECORDS (of each) and PATIENCE (seconds) in the environment make it larger, and PAIRS
 * compares it with the journal without us.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fleet_journal.h"

enum { KILLED, REWRITTEN, GAPS, HOSTS_LEAST, HOSTS_MOST = 24 };

static unsigned hosts = 8, pairs;
static unsigned long records = 600;
static double patience = 120; /* seconds */
static struct journal_host host[HOSTS_MOST];
static struct site_machine collector_machine;
static pid_t collector;

static void read_sizes(void)
{
    const char *more = getenv("HOSTS"), *each = getenv("RECORDS"), *wait = getenv("PATIENCE");
    const char *compared = getenv("PAIRS");

    hosts = more != NULL ? (unsigned)atoi(more) : hosts;
    records = each != NULL ? strtoul(each, NULL, 10) : records;
    patience = wait != NULL ? atof(wait) : patience;
    pairs = compared != NULL ? (unsigned)atoi(compared) : pairs;
    site_need(hosts >= HOSTS_LEAST && hosts <= HOSTS_MOST && records >= 300, "HOSTS and RECORDS");
}

/* ---- machines -------------------------------------------------------------------------------- */

static void make_all(void)
{
    unsigned long *counters = site_shared(HOSTS_MOST);

    journal_find();
    site_open("fleet-jr");
    journal_certificates(hosts + 2 + 2 * pairs);
    site_machine_start(&collector_machine, "collector.example");
    journal_configure_remote(&collector_machine);
    for (unsigned i = 0; i < hosts; i++) {
        char name[32];
        host[i].acknowledged = &counters[i];
        snprintf(name, sizeof(name), "web%u.example", i + 1);
        journal_make_host(&host[i], name, &collector_machine, i);
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

/* On all hosts. */
static void write_records_of(unsigned long count)
{
    for (unsigned i = 0; i < hosts; i++) {
        journal_start_writer(&host[i], count, 10);
    }
    for (unsigned i = 0; i < hosts; i++) {
        int status = 0;
        waitpid(host[i].writer, &status, 0);
        host[i].writer = 0;
        site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* The link is cut before the collector ends: what was sent since then has an end in the collector
 * that is gone. */
static void write_and_disturb(void)
{
    write_records_of(records / 3);
    journal_wait_for_connection(&host[REWRITTEN]);
    site_link_set(&host[REWRITTEN].machine, 0, false);
    journal_kill_upload(&host[KILLED]);
    write_records_of(records / 3);
    journal_start_writer(&host[REWRITTEN], 1000000, 10);
    site_nap(100);
    site_end(&host[REWRITTEN].writer, SIGKILL);
    site_end(&collector, SIGKILL);
    site_end(&host[GAPS].journald, SIGKILL);
    write_records_of(records / 6);
    journal_start_journald(&host[GAPS]);
    journal_start_upload(&host[KILLED]);
    collector = journal_start_remote(&collector_machine);
    site_link_set(&host[REWRITTEN].machine, 0, true);
    write_records_of(records / 6);
    journal_wait_for_connection(&host[KILLED]);
    site_end(&collector, SIGTERM);
    site_nap(300);
    collector = journal_start_remote(&collector_machine);
}

/* ---- what came ------------------------------------------------------------------------------- */

static bool wait_for_all(void)
{
    double until = site_seconds() + patience;

    for (unsigned i = 0; i < hosts;) {
        if (journal_came(&host[i])) {
            i++;
        } else if (site_seconds() > until) {
            site_shellf("wc -l sent */arrived */log/miguard/audit.log; tail -n 8 %s/upload.log "
                        "collector.example/remote.log %s/journald.log; cat journalctl.err; ls -R "
                        "%s/log collector.example/log",
                        host[i].machine.name, host[i].machine.name, host[i].machine.name);
            return false;
        } else {
            site_nap(500);
        }
    }
    return true;
}

/* What collected.sh makes of names: journals of web1, and one of web2 that was put aside. */
static void judge_names(void)
{
    site_need(site_shell("mkdir odd && cp " JOURNAL_STORE
                         "remote-10.77.0.2.journal odd/x.journal && "
                         "cp odd/x.journal 'odd/a[b]*{c,d}.journal' && cp " JOURNAL_STORE
                         "remote-10.77.1.2.journal odd/x@1.journal && cp odd/x@1.journal "
                         "odd/abc.journal") == 0,
              site_out);
    site_check("the name of a file is no pattern of others",
               site_shell("$R/collected.sh records 'odd/a[b]*{c,d}.journal' >one; [ -s one ] && ! "
                          "grep '\"name\":\"web2.example\"' one") == 0);
    site_check("what was put aside comes first",
               site_shell("$R/collected.sh records odd/x.journal odd/x@1.journal >one; head -n 1 "
                          "one | grep '\"name\":\"web2.example\"' && tail -n 1 one | grep "
                          "'\"name\":\"web1.example\"'") == 0);
    site_check(
        "others are read where one cannot be",
        site_shell("$R/collected.sh records odd/missing.journal odd/x.journal >one; [ $? -eq "
                   "3 ] && [ -s one ]") == 0);
    site_check("no more is asked for than records and heads",
               site_shell("$R/collected.sh all odd/x.journal >one; [ $? -eq 2 ] && ! [ -s one ] && "
                          "$R/collected.sh --help | grep usage") == 0);
    (void)site_shell("rm -r odd one");
}

static void judge(void)
{
    site_check("every record of the hosts is at the collector, byte by byte", wait_for_all());
    site_check("all files are read",
               site_shell("$R/collected.sh records " JOURNAL_STORE "*.journal* >store") == 0);
    judge_names();
    (void)site_shell(JOURNAL_VERIFY "store >verified");
    site_shell("tail -n 1 verified");
    printf("# %.300s", site_out);
}

static bool has_jq(void)
{
    return site_shell("command -v jq") == 0;
}

/* Nothing, most often, but for the host whose journald was killed. */
static void judge_gaps(void)
{
    if (!has_jq()) {
        puts("skip: gaps by numbers: jq is not installed");
        return;
    }
    site_shell(JOURNAL_VERIFY "--json store >verified");
    for (unsigned i = 0; i < hosts; i++) {
        site_check("what never came into the journal is counted",
                   journal_is_counted(host[i].machine.name, JOURNAL_TO_THE_LAST_ARRIVED));
        site_check("and there was some", i != GAPS || atoi(site_out) > 0);
    }
}

static void tamper(void)
{
    site_check("heads of the journal prove the store of another way",
               site_shell("$R/collected.sh heads " JOURNAL_STORE
                          "*.journal* >heads && for host in web*.example; do cat $(ls "
                          "$host/log/miguard/audit.log.[0-9]* 2>/dev/null) "
                          "$host/log/miguard/audit.log; done >a && " JOURNAL_VERIFY
                          "--heads heads a") == 0);
    site_check(
        "removed",
        site_shell("sed '/\"name\":\"web1.example\".*\"sequence\":17,/d; "
                   "/\"sequence\":17,.*\"name\":\"web1.example\"/d' store >a; " JOURNAL_VERIFY
                   "a | grep '^web1.example: tampered: .*; deleted 17'") == 0);
    site_check(
        "edited",
        site_shell("sed '/\"sequence\":18,/s/Web_Server/Web_server/' store >a; " JOURNAL_VERIFY
                   "a | grep '^web2.example: tampered: .*; edited 18'") == 0);
    site_check("in another order", site_shell("tac store >a; " JOURNAL_VERIFY
                                              "a | grep '^web1.example: .* out of order'") == 0);
    site_need(remove("a") == 0 && remove("store") == 0, "remove");
}

/* ---- a relay that was broken into ------------------------------------------------------------ */

/* It has the journals that hosts sent to it, and makes others of them: sed(1) removes the record of
 * one entry and edits that of another. */
static void forge_journals(void)
{
    site_check(
        "the relay makes journals of its own",
        site_shell("mkdir -p relay.example/log/journal relay.example/lib/systemd/journal-upload && "
                   "for file in " JOURNAL_STORE
                   "remote-10.77.[0-3].2*; do journalctl -q --file $file -t "
                   "miguard -o export -a; done | sed -e "
                   "'/\"web1.example\"/{/^MIGUARD_RECORD=.*\"sequence\":17,/d}' -e "
                   "'/\"web2.example\"/{/\"sequence\":18,/s/Web_Server/Web_server/}' "
                   ">forged && "
                   "/lib/systemd/systemd-journal-remote -o "
                   "relay.example/log/journal/forged.journal "
                   "forged && sed -n 's/^MIGUARD_RECORD=//p' forged | sort -u >sent") == 0);
}

static void wait_for_forged(void)
{
    double until = site_seconds() + patience;
    bool good;

    do {
        site_nap(500);
        good = site_shell("$R/collected.sh records second.example/log/journal/remote/*.journal* "
                          ">behind 2>journalctl.err; sort -u behind | cmp - sent") == 0;
    } while (!good && site_seconds() < until);
    site_check("all that the relay sends comes, and nothing else", good);
}

/* The collector behind the relay is a new one. */
static void judge_relay(void)
{
    struct site_machine relay, second;
    char address[32];

    site_machine_start(&second, "second.example");
    site_machine_start(&relay, "relay.example");
    site_link(&second, &relay, 0, hosts);
    snprintf(address, sizeof(address), "10.77.%u.1", hosts);
    forge_journals();
    journal_configure_upload(&relay, address);
    journal_configure_remote(&second);
    pid_t behind = journal_start_remote(&second);
    struct journal_host sender = {
        .upload = site_start(&relay, "relay.log",
                             "while :; do /lib/systemd/systemd-journal-upload --save-state "
                             "--directory=/var/log/journal; sleep 0.3; done")};
    wait_for_forged();
    (void)site_shell(JOURNAL_VERIFY "behind >verified");
    site_check("removed on the way",
               site_shell("grep '^web1.example: tampered: .*; deleted 17' verified") == 0);
    site_check("edited on the way",
               site_shell("grep '^web2.example: tampered: .*; edited 18' verified") == 0);
    journal_kill_upload(&sender);
    site_end(&behind, SIGKILL);
}

/* ---- a journal that is full ------------------------------------------------------------------ */

static void wait_for_host(const struct journal_host *at)
{
    double until = site_seconds() + patience;

    while (!journal_came(at) && site_seconds() < until) {
        site_nap(500);
    }
    site_check("what is left in the journal comes", journal_came(at));
}

/* journald removes the oldest entries for room, sent or not: these numbers are missing, and are
 * counted, and no others. */
static void judge_full_journal(void)
{
    struct journal_host at = {.acknowledged = site_shared(1)};

    journal_make_host(&at, "full.example", &collector_machine, hosts + 1);
    journal_set(&at, "SystemMaxUse=6M");
    journal_set(&at, "SystemMaxFileSize=1M");
    journal_start_journald(&at);
    journal_start_writer(&at, 3000, 10);
    waitpid(at.writer, NULL, 0);
    at.writer = 0;
    journal_start_upload(&at);
    wait_for_host(&at);
    site_check(
        "it is said that some are missing",
        site_shell(JOURNAL_VERIFY "full.example/arrived | grep '^full.example: .*missing'") == 0);
    if (has_jq()) {
        site_shell(JOURNAL_VERIFY "--json full.example/arrived >verified");
        site_check("the removed ones are counted",
                   journal_is_counted("full.example", JOURNAL_TO_THE_LAST_ARRIVED));
        site_check("and there were some", atoi(site_out) > 0);
    }
    journal_end(&at);
}

/* ---- beside the journal without us ----------------------------------------------------------- */

/* So many lie in one file of the log, whose lines the other side sends. */
static unsigned long side_records(void)
{
    enum { MOST = 20000 };

    return records < MOST ? records : MOST;
}

/* Each line of the log is the MESSAGE of an entry: who has no journald sink and sends the same
 * text. systemd.io/JOURNAL_NATIVE_PROTOCOL. */
static pid_t write_plain(const struct journal_host *at, const char *log)
{
    static char line[65536], entry[sizeof(line) + 128];
    struct sockaddr_un address = {AF_UNIX, "/run/systemd/journal/socket"};
    pid_t child = fork();

    site_need(child >= 0, "fork");
    if (child != 0) {
        return child;
    }
    FILE *file = fopen(log, "r");
    site_enter(&at->machine);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        int length = snprintf(entry, sizeof(entry), "SYSLOG_IDENTIFIER=plain\nMESSAGE=%s", line);
        if (sendto(fd, entry, (size_t)length, 0, (struct sockaddr *)&address, sizeof(address)) !=
            length) {
            _exit(1);
        }
    }
    _exit(file == NULL);
}

static unsigned long entries_of(const char *files, ...) __attribute__((format(printf, 1, 2)));

static unsigned long entries_of(const char *files, ...)
{
    char names[256];
    va_list arguments;

    va_start(arguments, files);
    vsnprintf(names, sizeof(names), files, arguments);
    va_end(arguments);
    (void)site_shellf("for file in %s; do journalctl --header --file $file 2>/dev/null; done | awk "
                      "'/^Entry objects:/ { n += $3 } END { print n + 0 }'",
                      names);
    return strtoul(site_out, NULL, 10);
}

/* Seconds until the collector has what the journal of a new host has, from the first entry on. */
static double one_side(unsigned number, const char *lines, double *ret_lag)
{
    const unsigned link = hosts + 2 + number;
    struct journal_host at = {.acknowledged = site_shared(1)};
    char name[32];

    snprintf(name, sizeof(name), "side%u.example", number);
    journal_make_host(&at, name, &collector_machine, link);
    journal_start_journald(&at);
    journal_start_upload(&at);
    journal_wait_for_connection(&at);
    double from = site_seconds(), until = from + patience;
    if (lines == NULL) {
        journal_start_writer(&at, side_records(), 0);
    } else {
        at.writer = write_plain(&at, lines);
    }
    waitpid(at.writer, NULL, 0);
    double written = site_seconds();
    unsigned long there = 0, sent = entries_of("%s/log/journal/*/*.journal*", name);
    while (there < sent && site_seconds() < until) {
        site_nap(50);
        there = entries_of(JOURNAL_STORE "remote-10.77.%u.2*", link);
        sent = entries_of("%s/log/journal/*/*.journal*", name);
    }
    double taken = site_seconds() - from;
    site_check("all was transported", there >= sent && sent >= side_records());
    *ret_lag = taken - (written - from);
    journal_end(&at);
    return taken;
}

/* Records that a writer makes, signs into the chain and writes to its file and to journald with the
 * fields that one searches for, against the same lines as messages of a program that does nothing
 * else. */
static void compare_with_plain(void)
{
    if (pairs > 0) {
        (void)site_compare(one_side, pairs, side_records(), "the journal without us");
    }
}

static void finish(void)
{
    for (unsigned i = 0; i < hosts; i++) {
        journal_end(&host[i]);
    }
    site_end(&collector, SIGKILL);
    site_close();
}

int main(void)
{
    read_sizes();
    if (!journal_possible("records by the journal")) {
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    collector = journal_start_remote(&collector_machine);
    for (unsigned i = 0; i < hosts; i++) {
        journal_start_journald(&host[i]);
        journal_start_upload(&host[i]);
    }
    double from = site_seconds();
    write_and_disturb();
    double written = site_seconds();
    judge();
    printf("# %u hosts: written in %.1f s, all there and verified %.1f s later\n", hosts,
           written - from, site_seconds() - written);
    judge_gaps();
    tamper();
    judge_relay();
    judge_full_journal();
    compare_with_plain();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
