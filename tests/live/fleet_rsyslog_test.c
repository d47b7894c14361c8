/* SPDX-License-Identifier: MIT */
/*
 * The recipes of policy/fleet/rsyslog with the real rsyslogd: each host is a machine of its own
 * (support/fleet_site.h) with a writer that has a file and a syslog sink, and rsyslogd sends both
 * by RELP over TLS, to a collector and to a second one for heads. What a collector has is loaded
 * into PostgreSQL meanwhile. Writers, senders, collectors, the loader and the database are killed
 * and started again in between, the link of hosts is cut, and the queue of one host is full. Then
 * every record that a writer was told is written is in the store and in the database, with the same
 * bytes, and `miguard fleet verify` says so; and it finds what is removed, edited and put into
 * another order there, and counts it.
 *
 * The configurations are those that are shipped; only names and places of certificates, and the
 * size of one queue, are those of the test. HOSTS, RECORDS (of each), ROUNDS (of what goes wrong),
 * PATIENCE (seconds) and PAIRS (of the comparison with rsyslog alone) in the environment make it
 * larger: make check-fleet.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_rsyslog.h"

/* They do not wait where those of imfile do (queue.fullDelayMark); there is one each minute. */
enum { LINES_OF_IMMARK = 2 };

/* Of whom what goes wrong is told below. */
enum { KILLED, REWRITTEN, ENDED, FULL, HOSTS_LEAST, HOSTS_MOST = 24, QUEUE_OF_FULL = 1500 };

struct host {
    struct site_machine machine;
    pid_t sender, writer;
    unsigned long *acknowledged, expected;
    bool came;
};

static unsigned hosts = HOSTS_LEAST, rounds = 1, pairs;
static unsigned long records = 3000;
static double patience = 120; /* seconds */
static bool database;
static struct host host[HOSTS_MOST];
static struct site_machine collector_machine, heads_machine;
static pid_t collector, heads, loader;

static void read_sizes(void)
{
    const char *values[] = {getenv("HOSTS"), getenv("RECORDS"), getenv("PATIENCE"),
                            getenv("ROUNDS"), getenv("PAIRS")};

    hosts = values[0] != NULL ? (unsigned)atoi(values[0]) : hosts;
    records = values[1] != NULL ? strtoul(values[1], NULL, 10) : records;
    patience = values[2] != NULL ? atof(values[2]) : patience;
    rounds = values[3] != NULL ? (unsigned)atoi(values[3]) : rounds;
    pairs = values[4] != NULL ? (unsigned)atoi(values[4]) : pairs;
    site_need(hosts >= HOSTS_LEAST && hosts <= HOSTS_MOST && records >= 1000, "HOSTS and RECORDS");
}

/* ---- machines -------------------------------------------------------------------------------- */

/* One rsyslogd for both: what they have in common is said once. */
static void join(const struct site_machine *machine)
{
    site_need(site_shellf("cd %s && { cat host-file.conf; grep -v '^global\\|omrelp\" tls.tlslib' "
                          "host-syslog.conf; } >all.conf",
                          machine->name) == 0,
              site_out);
}

static void make_host(unsigned i)
{
    char name[48], log[96];
    struct host *at = &host[i];

    snprintf(name, sizeof(name), "web%u.example", i + 1);
    site_machine_start(&at->machine, name);
    site_link(&collector_machine, &at->machine, 0, 2 * i);
    site_link(&heads_machine, &at->machine, 1, 2 * i + 1);
    snprintf(log, sizeof(log), "%s/log/miguard/audit.log", name);
    site_log(&at->machine, log);
    snprintf(name, sizeof(name), "web%u", i + 1);
    rsyslog_configure("host-file", &at->machine, name, 2 * i);
    rsyslog_configure("host-syslog", &at->machine, name, 2 * i);
    join(&at->machine);
}

static void make_all(void)
{
    char text[16];
    unsigned long *counters = site_shared(HOSTS_MOST);

    rsyslog_find();
    site_open("fleet-rs");
    snprintf(text, sizeof(text), "%u", hosts);
    setenv("COUNT", text, 1);
    rsyslog_certificates("collector heads $(seq -f web%g $COUNT)");
    site_machine_start(&collector_machine, "collector.example");
    site_machine_start(&heads_machine, "heads.example");
    rsyslog_configure("collector", &collector_machine, "collector", 0);
    rsyslog_configure("heads", &heads_machine, "heads", 0);
    for (unsigned i = 0; i < hosts; i++) {
        host[i].acknowledged = &counters[i];
        make_host(i);
    }
    /* The queue of this one holds few records: the rest waits in its log. */
    site_need(site_shellf("sed -i 's/queue.fullDelayMark=\"[0-9]*\"/queue.fullDelayMark=\"%u\"/' "
                          "%s/all.conf && grep 'fullDelayMark=\"%u\"' %s/all.conf",
                          QUEUE_OF_FULL, host[FULL].machine.name, QUEUE_OF_FULL,
                          host[FULL].machine.name) == 0,
              "host-file.conf has no queue.fullDelayMark");
}

/* ---- processes ------------------------------------------------------------------------------- */

static void start_collector(void)
{
    collector = rsyslog_start(&collector_machine, "collector");
}

static void start_heads(void)
{
    heads = rsyslog_start(&heads_machine, "heads");
}

static void start_sender(struct host *at)
{
    at->sender = rsyslog_start_sender(&at->machine, "all");
}

/* rsyslogd reads from its socket: what is sent now is not refused. */
static void wait_for_socket(const struct host *at)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    double until = site_seconds() + 60;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/miguard/syslog", at->machine.name);
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        site_need(site_seconds() < until, address.sun_path);
        site_nap(20);
    }
    close(fd);
}

static void start_writer(struct host *at, unsigned long count)
{
    at->writer = rsyslog_write(&at->machine, true, count, 10, at->acknowledged);
    at->expected += count;
}

static void wait_for_writers(void)
{
    for (unsigned i = 0; i < hosts; i++) {
        int status = 0;
        waitpid(host[i].writer, &status, 0);
        host[i].writer = 0;
        site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void write_all(unsigned long count)
{
    for (unsigned i = 0; i < hosts; i++) {
        wait_for_socket(&host[i]);
    }
    for (unsigned i = 0; i < hosts; i++) {
        start_writer(&host[i], count);
    }
}

/* ---- the database ---------------------------------------------------------------------------- */

#define LOAD "$M audit load --to \"$U\" " RSYSLOG_STORE "/*/audit.log"

static void start_database(void)
{
    database = rsyslog_database("from the store into PostgreSQL");
    if (!database) {
        return;
    }
    site_check("tables", site_shell("echo >none; $M audit load --create --to \"$U\" none; ask=; "
                                    ". ./start; [ \"$(count)\" = 0 ]") == 0);
}

/* Loads what has come, again and again. */
static void start_loader(void)
{
    if (database) {
        loader =
            site_start(&collector_machine, "loader.log", "while :; do " LOAD "; sleep 0.5; done");
    }
}

/* The shell that loops, and the loader that it runs. */
static void kill_loader(void)
{
    if (loader > 0) {
        (void)site_shellf("kill -9 %d $(cat /proc/%d/task/%d/children)", (int)loader, (int)loader,
                          (int)loader);
        waitpid(loader, NULL, 0);
        loader = 0;
    }
}

/* ---- what goes wrong while records are written ----------------------------------------------- */

/* Nobody is told: packets are gone, and with a collector that is killed meanwhile the other end
 * does not even know of the connection. */
static void cut(bool down, bool all)
{
    for (unsigned i = all ? 0 : FULL; i < (all ? hosts : FULL + 1); i++) {
        site_link_set(&host[i].machine, 0, !down);
        site_link_set(&host[i].machine, 1, !down);
    }
}

/* The database is killed with the loader, and the loader alone. */
static void disturb_database(void)
{
    if (!database) {
        return;
    }
    kill_loader();
    start_loader();
    site_need(site_shell(". ./start; down; up") == 0, "the database does not come back");
    kill_loader();
    start_loader();
}

/* As many as it may hold, less the batches that are in the hands of the worker and of imfile; the
 * rest is in the log. */
static void check_full(void)
{
    double until = site_seconds() + 20;
    unsigned long held = 0;

    do {
        site_nap(50);
        (void)site_shellf("sed -n 's/^+iQueueSize:2:[0-9]*:\\([0-9]*\\):/\\1/p' "
                          "%s/lib/rsyslog/miguard.qi",
                          host[FULL].machine.name);
        held = strtoul(site_out, NULL, 10);
    } while (held < QUEUE_OF_FULL * 3 / 4 && site_seconds() < until);
    site_check("the queue of a host is full, and not more than that",
               held >= QUEUE_OF_FULL * 3 / 4 && held <= QUEUE_OF_FULL + LINES_OF_IMMARK);
}

static void disturb(void)
{
    cut(true, false);
    site_nap(700);
    site_end(&collector, SIGKILL);
    site_end(&host[ENDED].sender, SIGTERM);
    start_sender(&host[ENDED]);
    site_nap(700);
    start_collector();
    site_nap(500);
    site_end(&host[KILLED].sender, SIGKILL);
    site_nap(200);
    start_sender(&host[KILLED]);
    site_end(&host[REWRITTEN].writer, SIGKILL);
    host[REWRITTEN].expected = *host[REWRITTEN].acknowledged;
    start_writer(&host[REWRITTEN], records / 2);
    cut(true, true);
    site_nap(500);
    site_end(&heads, SIGTERM);
    site_end(&collector, SIGTERM);
    site_nap(300);
    site_end(&host[KILLED].sender, SIGKILL);
    site_nap(700);
    start_sender(&host[KILLED]);
    start_collector();
    start_heads();
    disturb_database();
    check_full();
    cut(false, true);
}

/* ---- what came ------------------------------------------------------------------------------- */

/* All lines of the host are in the store, and no others. Looks first whether there can be enough:
 * sorting is long. */
static bool all_came(struct host *at)
{
    at->came =
        at->came ||
        site_shellf(RSYSLOG_WRITTEN
                    "[ $(cat " RSYSLOG_STORE "/%s/audit.log | wc -l) -ge $(written %s | wc "
                    "-l) ] && written %s | sort -S 200M >sent && sort -S 200M -u " RSYSLOG_STORE
                    "/%s/audit.log >came && cmp sent came",
                    at->machine.name, at->machine.name, at->machine.name, at->machine.name) == 0;
    return at->came;
}

/* A look takes its time, and the next comes after as long again. */
static bool wait_for_all(double most)
{
    double until = site_seconds() + most;

    for (unsigned i = 0; i < hosts; i++) {
        for (double before = site_seconds(); !all_came(&host[i]); before = site_seconds()) {
            if (site_seconds() > until) {
                site_shellf("wc -l sent came; comm -3 sent came | cut -c 1-200 | head; grep -v "
                            "librelp %s/all.log | tail -n 20",
                            host[i].machine.name);
                return false;
            }
            rsyslog_end_silent(&host[i].machine, 12);
            site_nap(300 + (unsigned)(1000 * (site_seconds() - before)));
        }
    }
    return true;
}

/* The last record of each host is among the heads. */
static bool heads_came(double most)
{
    double until = site_seconds() + most;

    while (site_shell("for host in web*.example; do hash=$(tail -n 1 $host/log/miguard/audit.log | "
                      "sed 's/.*\"hash\":\"\\([0-9a-f]*\\)\"}}$/\\1/'); tail -n 1000 "
                      "heads.example/lib/miguard-heads/$host | grep -q \"hash=.$hash\" || exit 1; "
                      "done") != 0) {
        if (site_seconds() > until) {
            return false;
        }
        site_nap(500);
    }
    return true;
}

/* The second channel loses what is in a socket when rsyslogd is killed, or when a busy machine
 * takes too long to read it. A later head covers it: it comes with the next record. */
static bool write_until_heads_come(void)
{
    double until = site_seconds() + patience;

    for (double window = 20; site_seconds() < until; window *= 2) {
        write_all(20);
        wait_for_writers();
        if (heads_came(window)) {
            return true;
        }
    }
    site_shell("wc -l heads.example/lib/miguard-heads/* web*/log/miguard/audit.log; tail -n 5 "
               "web*/all.log");
    return false;
}

#define VERIFY "$M fleet verify --keys keys --heads heads.example/lib/miguard-heads --folders "

/* What the writer was told is written, without the records that the log adds by itself. A writer
 * that is killed may have written one of which it was not told. */
static void check_acknowledged(const struct host *at, unsigned kills)
{
    site_shellf("sort -u " RSYSLOG_STORE "/%s/audit.log | grep -c '\"action\":\"session-use\"'",
                at->machine.name);
    unsigned long stored = strtoul(site_out, NULL, 10);
    site_check("every acknowledged record is in the store, and one more for each kill at most",
               stored >= *at->acknowledged && stored <= *at->acknowledged + kills);
    site_check("the writer was told of all", *at->acknowledged == at->expected);
}

static void judge(void)
{
    double begin = site_seconds();
    site_check("every line is in the store, and no other", wait_for_all(patience));
    printf("# all lines came, %.1f s after the last head\n", site_seconds() - begin);
    for (unsigned i = 0; i < hosts; i++) {
        check_acknowledged(&host[i], i == REWRITTEN ? rounds : 0);
    }
    double from = site_seconds();
    site_check("fleet verify", site_shell(VERIFY RSYSLOG_STORE " >verified") == 0);
    double taken = site_seconds() - from;
    site_shell("tail -n 1 verified");
    printf("# fleet verify, %.1f s: %.400s", taken, site_out);
    site_check("one line for each host",
               site_shell("grep -c '^web[0-9]*.example: intact: ' verified") == 0 &&
                   (unsigned)atoi(site_out) == hosts);
}

/* Each of a store of its own with this one host. */
#define OF(store, name) "mkdir " store " && cp -r " RSYSLOG_STORE "/" name " " store " && "

static void tamper(void)
{
    site_check(
        "removed, and counted",
        site_shell(OF(
            "a",
            "web1.example") "sed -i "
                            "'/\"sequence\":\\(17\\|2[0-4]\\|900\\),/d' a/*/audit.log; " VERIFY
                            "a | grep '^web1.example: tampered: .*; deleted 17, 20 to 24, 900'") ==
            0);
    site_check("the numbers in JSON",
               site_shell("command -v jq >/dev/null || exit 0; " VERIFY
                          "--json a | jq -e '[.chains[] | select(.host == \"web1.example\") | "
                          ".missing] == [7]'") == 0);
    site_check("edited",
               site_shell(OF(
                   "b", "web2.example") "sed -i '/\"sequence\":18,/s/Web_Server/Web_server/' "
                                        "b/*/audit.log; " VERIFY
                                        "b | grep '^web2.example: tampered: .*; edited 18'") == 0);
    site_check("in another order",
               site_shell("mkdir -p c/web3.example && tac " RSYSLOG_STORE "/web3.example/audit.log "
                          ">c/web3.example/audit.log; " VERIFY
                          "c | grep '^web3.example: intact: .* out of order'") == 0);
    site_check("in the folder of another",
               site_shell(OF("d", "web1.example") "mv d/web1.example d/web2.example && " VERIFY
                                                  "d | grep '^web1.example: .*; foreign-host'") ==
                   0);
    site_check(
        "cut",
        site_shell(OF("e", "web1.example") "sort -u e/*/audit.log >f && grep -v -F \"$(tail -n 1 "
                                           "web1.example/log/miguard/audit.log)\" f "
                                           ">e/web1.example/audit.log; " VERIFY
                                           "e | grep '^web1.example: tampered: .*; cut '") == 0);
    (void)site_shell("rm -rf a b c d e f");
}

/* Each record once, and what comes out of there is proved, too. */
static void judge_database(void)
{
    if (!database) {
        return;
    }
    kill_loader();
    double from = site_seconds();
    site_check("into PostgreSQL", site_shell(LOAD) == 0);
    printf("# audit load, the rest: %.1f s: %.200s", site_seconds() - from, site_out);
    site_check("each record is there once",
               site_shell(RSYSLOG_WRITTEN
                          ". ./start; [ \"$(count)\" = \"$(written web*.example | wc "
                          "-l)\" ] && [ \"$(ask -c 'SELECT count(DISTINCT (chain, sequence)) FROM "
                          "miguard.records')\" = \"$(count)\" ]") == 0);
    site_check("what comes out of it is proved",
               site_shell(". ./start; ask -c 'SELECT line FROM miguard.records' >lines; $M fleet "
                          "verify --keys keys --heads heads.example/lib/miguard-heads lines; r=$?; "
                          "rm lines; exit $r") == 0);
    site_shell(". ./start; ask -c 'DELETE FROM miguard.records WHERE sequence IN (17, 20, 21)'; "
               "ask -f \"$R/../postgresql/gaps.sql\"");
    site_check("gaps in the database are counted",
               site_shell(". ./start; ask -f \"$R/../postgresql/gaps.sql\" >gaps; [ $(grep -c "
                          "'|17|17|1$' gaps) = $COUNT ] && [ $(grep -c '|20|21|2$' gaps) = $COUNT "
                          "] && [ $(wc -l <gaps) = $((2 * COUNT)) ]") == 0);
    (void)site_shell(". ./start; down");
}

/* ---- beside rsyslog alone -------------------------------------------------------------------- */

/* The lines of one log, each by a write(2) of its own, into a file that no miguard knows: what the
 * sender does with it is rsyslog without us. */
static pid_t write_plain(const struct host *at, const char *lines)
{
    char command[512];

    snprintf(command, sizeof(command),
             "cd %s && exec stdbuf -oL sed -n p $(ls %s.[0-9]* 2>/dev/null) %s "
             ">>/var/log/miguard/audit.log",
             site_folder, lines, lines);
    return site_start(&at->machine, "plain.log", command);
}

static off_t bytes_of(const char *command)
{
    site_need(site_shell(command) == 0, site_out);
    return strtoll(site_out, NULL, 10);
}

/* Seconds until the store has all bytes of the log of the host, from the first one on; how long
 * after the last one was written is in *ret_lag. */
static double transported(const struct host *at, pid_t writer, double *ret_lag)
{
    struct stat stored = {0};
    char command[512], copy[128];
    double from = site_seconds(), until = from + patience;

    snprintf(command, sizeof(command), RSYSLOG_WRITTEN "written %.47s | wc -c", at->machine.name);
    snprintf(copy, sizeof(copy), RSYSLOG_STORE "/%s/audit.log", at->machine.name);
    waitpid(writer, NULL, 0);
    double written = site_seconds();
    off_t sent = bytes_of(command);
    while ((stat(copy, &stored) != 0 || stored.st_size < sent) && site_seconds() < until) {
        site_nap(5);
    }
    site_check("all was transported", stored.st_size == sent);
    *ret_lag = site_seconds() - written;
    return site_seconds() - from;
}

/* A host with the file recipe alone, one after the other, and the same collector. */
static double one_side(unsigned number, const char *lines, double *ret_lag)
{
    char name[48], log[96];
    struct host at = {.acknowledged = site_shared(1)};

    snprintf(name, sizeof(name), "side%u.example", number);
    site_machine_start(&at.machine, name);
    site_link(&collector_machine, &at.machine, 0, 100 + 2 * number);
    rsyslog_configure("host-file", &at.machine, "web1", 100 + 2 * number);
    snprintf(log, sizeof(log), "%s/log/miguard/audit.log", name);
    if (lines == NULL) {
        site_log(&at.machine, log);
    }
    chain_log_append(log, "", 0);
    at.sender = rsyslog_start(&at.machine, "host-file");
    site_nap(1000); /* it has started */
    pid_t writer = lines == NULL ? rsyslog_write(&at.machine, false, records, 0, at.acknowledged)
                                 : write_plain(&at, lines);
    double taken = transported(&at, writer, ret_lag);
    site_end(&at.sender, SIGKILL);
    return taken;
}

/* Records that a writer makes, signs into the chain and writes, against the same lines that sed(1)
 * copies; both by the same recipe to the same collector. What is left out: the provider's call and
 * the second sink. */
static void compare_with_plain(void)
{
    if (pairs == 0) {
        return;
    }
    double ratio = site_compare(one_side, pairs, records, "rsyslog alone");
    (void)site_shell("rm -r " RSYSLOG_STORE "/side* keys/side*");
    site_check("0.8 of the throughput of rsyslog alone", ratio >= 0.8);
}

static void print_sizes(void)
{
    site_shell(RSYSLOG_WRITTEN
               "written web*.example | wc -lc; cat " RSYSLOG_STORE "/*/audit.log | wc -l; cat "
               "heads.example/lib/miguard-heads/* | wc -lc; du -sk pg/data | cut -f 1; grep -h "
               "'\"records-lost\"' web*/log/miguard/audit.log | wc -l");
    for (char *at = site_out; (at = strchr(at, '\n')) != NULL;) {
        *at = ' ';
    }
    printf("# records and bytes in the logs, lines in the store, lines and bytes of heads, KiB of "
           "PostgreSQL with its journal, records-lost: %.200s\n",
           site_out);
}

static void finish(void)
{
    kill_loader();
    for (unsigned i = 0; i < hosts; i++) {
        site_end(&host[i].writer, SIGKILL);
        site_end(&host[i].sender, SIGKILL);
    }
    site_end(&collector, SIGKILL);
    site_end(&heads, SIGKILL);
    site_close();
}

int main(void)
{
    read_sizes();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!rsyslog_possible()) {
        puts("skip: records by rsyslog: it needs root, ip, nsenter, rsyslogd with RELP, openssl");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    start_database();
    start_collector();
    start_heads();
    compare_with_plain();
    for (unsigned i = 0; i < hosts; i++) {
        start_sender(&host[i]);
    }
    start_loader();
    double from = site_seconds();
    write_all(records);
    for (unsigned i = 0; i < rounds; i++) {
        disturb();
    }
    wait_for_writers();
    double written = site_seconds();
    site_check("the heads came the other way", write_until_heads_come());
    judge();
    printf("# %u hosts: written in %.1f s, all there and verified %.1f s later\n", hosts,
           written - from, site_seconds() - written);
    print_sizes();
    tamper();
    judge_database();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
