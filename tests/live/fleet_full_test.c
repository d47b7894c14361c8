/* SPDX-License-Identifier: MIT */
/*
 * Disks that are full on the way of records: the spool of a host, the store of the collector, the
 * tablespace of PostgreSQL, the folder for heads. Each is a tmpfs of the test's own that is too
 * small, and grows later. Nothing that was acknowledged is lost silently: what is missing meanwhile
 * is what `miguard fleet verify` counts, number by number, and when there is room again all of it
 * comes. rsyslog 8.2302 itself loses records with a spool or a store that is full: there the README
 * says what brings them back, and store-space.sh keeps a store from being full.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_rsyslog.h"

enum { RECORDS = 1500, GUARDED = 4000, LEAST = 2048 };

static struct site_machine collector_machine, host;
static pid_t collector, sender;
static unsigned long *acknowledged;

/* Mounts are of this process and its machines from here on, and end with them. */
static void make_mounts_ours(void)
{
    site_need(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0,
              "mounts");
}

static void make_disk(const char *folder, const char *size)
{
    site_need(site_shellf("mkdir -p %s && mount -t tmpfs -o size=%s,mode=0755 small %s", folder,
                          size, folder) == 0,
              site_out);
}

static void resize_disk(const char *folder, const char *size)
{
    site_need(site_shellf("mount -o remount,size=%s %s", size, folder) == 0, site_out);
}

static void make_all(void)
{
    rsyslog_find();
    site_open("fleet-fu");
    site_need(mkdir("bin", 0700) == 0, "bin");
    make_mounts_ours();
    rsyslog_certificates("collector web1");
    make_disk("collector.example/lib", "64m");
    make_disk("web1.example/lib", "64m");
    site_machine_start(&collector_machine, "collector.example");
    rsyslog_configure("collector", &collector_machine, "collector", 0);
    site_machine_start(&host, "web1.example");
    site_link(&collector_machine, &host, 0, 0);
    site_log(&host, "web1.example/log/miguard/audit.log");
    rsyslog_configure("host-file", &host, "web1", 0);
    acknowledged = site_shared(1);
}

static void write_records(unsigned count, unsigned pause)
{
    int status = 0;
    pid_t writer = rsyslog_write(&host, false, count, pause, acknowledged);

    waitpid(writer, &status, 0);
    site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what came ------------------------------------------------------------------------------- */

#define COMPARE                                                                                    \
    RSYSLOG_WRITTEN                                                                                \
    "written web1.example | sort >sent; cat " RSYSLOG_STORE                                        \
    "/*/audit.log 2>/dev/null | sort -u >came; comm -23 sent came | wc -l >gap; "

#define VERIFY                                                                                     \
    "tail -n 1 web1.example/log/miguard/audit.log >head; $M fleet verify --keys keys --heads "     \
    "head "

/* What is written and not in the store, and what `fleet verify` says of it, are the same number;
 * that is given back. */
static unsigned long missing(const char *when)
{
    site_check(when, site_shell(COMPARE VERIFY
                                "--json " RSYSLOG_STORE
                                " >verified; jq -e --argjson gap $(cat gap) '.missing == $gap' "
                                "verified >/dev/null || { cat gap; head -c 2000 verified; false; "
                                "}") == 0);
    site_need(site_shell("cat gap") == 0, "gap");
    return strtoul(site_out, NULL, 10);
}

static void check_all_came(const char *what)
{
    double until = site_seconds() + 90;
    bool good;

    do {
        site_nap(500);
        good = site_shell(COMPARE "[ $(cat gap) = 0 ]") == 0;
    } while (!good && site_seconds() < until);
    site_check(what, good && site_shell(VERIFY RSYSLOG_STORE) == 0);
}

/* Until nothing comes and nothing goes any more. */
static void wait_for_quiet(const char *file)
{
    unsigned long before = 0, now = 1, same = 0;

    for (double until = site_seconds() + 60; same < 6 && site_seconds() < until;) {
        site_nap(500);
        site_shellf("cat %s 2>/dev/null | wc -c", file);
        now = strtoul(site_out, NULL, 10);
        same = now > 0 && now == before ? same + 1 : 0;
        before = now;
    }
}

/* As the README says: what the queue had is sent again from the log. */
static void begin_queue_anew(void)
{
    site_end(&sender, SIGKILL);
    site_need(site_shell("rm -f web1.example/lib/rsyslog/miguard.* && : >web1.example/"
                         "host-file.log") == 0,
              site_out);
    sender = rsyslog_start_sender(&host, "host-file");
}

/* ---- the disks ------------------------------------------------------------------------------- */

/* The collector is down, and what waits does not fit. */
static void judge_spool(void)
{
    resize_disk("web1.example/lib", "1m");
    sender = rsyslog_start_sender(&host, "host-file");
    write_records(RECORDS, 0);
    wait_for_quiet("web1.example/lib/rsyslog/miguard.0*");
    resize_disk("web1.example/lib", "64m");
    collector = rsyslog_start(&collector_machine, "collector");
    wait_for_quiet(RSYSLOG_STORE "/*/audit.log");
    printf("# the spool was full: of %d records rsyslogd lost %lu\n", RECORDS,
           missing("a full spool: what is missing is counted"));
    begin_queue_anew();
    check_all_came("with room in the spool and a new queue all came");
    site_check("and the queue is on the disk again",
               site_shell("! grep 'emergency' web1.example/host-file.log") == 0);
}

/* What is free is as much as it has now and that many KiB. */
static void leave_room(unsigned long kib)
{
    char size[32];

    site_shell("df -Pk collector.example/lib | awk 'NR == 2 { print $3 }'");
    snprintf(size, sizeof(size), "%luk", strtoul(site_out, NULL, 10) + kib);
    resize_disk("collector.example/lib", size);
}

static void judge_store(void)
{
    leave_room(200);
    write_records(RECORDS, 0);
    wait_for_quiet(RSYSLOG_STORE "/*/audit.log");
    site_nap(2000);
    printf("# the store was full: of %d records rsyslogd lost %lu\n", RECORDS,
           missing("a full store: what is missing is counted"));
    resize_disk("collector.example/lib", "64m");
    begin_queue_anew();
    check_all_came("with room in the store all came, sent again");
}

/* What miguard-store-space.service runs each 10 seconds; systemctl(1) is the test. */
static void guard_store(void)
{
    int status = site_shellf("PATH=$PWD/bin:$PATH RUNTIME_DIRECTORY=$PWD sh \"$R/store-space.sh\" "
                             "collector.example/lib %d syslog.socket rsyslog.service",
                             LEAST);

    site_check("store-space.sh", status == 0);
    if (site_shell("tail -n 1 calls | grep '^stop syslog.socket rsyslog.service$'") == 0) {
        site_end(&collector, SIGTERM);
    } else if (collector == 0) {
        collector = rsyslog_start(&collector_machine, "collector");
    }
}

static void judge_guarded(void)
{
    static const char systemctl[] = "#!/bin/sh\necho \"$@\" >>calls\n";
    double until = site_seconds() + 60;
    int status = 0;

    chain_log_append("bin/systemctl", systemctl, sizeof(systemctl) - 1);
    site_need(site_shell("chmod +x bin/systemctl; echo begin >calls") == 0, site_out);
    leave_room(LEAST + 1024);
    pid_t writer = rsyslog_write(&host, false, GUARDED, 10, acknowledged);
    while (waitpid(writer, &status, WNOHANG) == 0 || collector != 0) {
        guard_store();
        site_nap(100);
        site_need(site_seconds() < until, "the collector is not stopped");
    }
    unsigned long waits = missing("a guarded store: what waits is counted");
    printf("# the store is nearly full, and the collector stopped: %lu of %d records wait\n", waits,
           GUARDED);
    site_check("some wait", waits > 0);
    site_check("and the disk was never full",
               site_shell("[ $(grep -c 'No space' collector.example/collector.log) = $(cat "
                          "nospace) ]") == 0);
    resize_disk("collector.example/lib", "64m");
    guard_store();
    site_check("it is started again", collector != 0 && access("miguard-store-is-full", F_OK) != 0);
    check_all_came("with room in the store all came, by themselves");
}

static void judge_tablespace(void)
{
    if (!rsyslog_database("a tablespace that is full")) {
        return;
    }
    make_disk("pg/small", "2m");
    site_need(site_shell("chown --reference=pg/data pg/small") == 0, site_out);
    site_need(
        site_shell(". ./start; ask -c \"CREATE TABLESPACE small LOCATION '$PWD/pg/small'\" && "
                   "ask -c 'ALTER ROLE miguard SET default_tablespace = small'") == 0,
        site_out);
    int status = site_shell("$M audit load --create --to \"$U\" " RSYSLOG_STORE "/*/audit.log");
    site_check("a full tablespace is said",
               status == 3 && strstr(site_out, "No space left") != NULL);
    site_check("and what is there is there once",
               site_shell(". ./start; n=$(count); echo $n; [ $n -lt $(sort -u came | wc -l) ]") ==
                   0);
    resize_disk("pg/small", "256m");
    site_check("with room each record is there once",
               site_shell("$M audit load --to \"$U\" " RSYSLOG_STORE
                          "/*/audit.log; . ./start; [ \"$(count)\" = $(wc -l <sent) ]") == 0);
    (void)site_shell(". ./start; down");
}

/* The signature finds room and the list does not; then neither stays, or the next try would say
 * that it exists. */
static void judge_heads(void)
{
    static const char heads[] =
        "$M fleet heads --keys keys --heads head --output full/list --sign a.key " RSYSLOG_STORE;

    make_disk("full", "12k");
    site_need(site_shell("$M key create --no-password a && head -c 4096 /dev/zero >full/one") == 0,
              site_out);
    for (unsigned free = 0; free < 2; free++) {
        site_need(free == 0 ? site_shell("head -c 8192 /dev/zero >full/two; :") == 0
                            : site_shell("head -c 4096 /dev/zero >full/two") == 0,
                  site_out);
        int status = site_shell(heads);
        site_check("a folder that is full is said",
                   status == 3 && strstr(site_out, "No space left") != NULL);
        site_check("and nothing is left there", site_shell("ls full >names; printf 'one\\ntwo\\n' "
                                                           "| cmp - names") == 0);
    }
    site_check("with room it is written", site_shell("rm full/*") == 0 && site_shell(heads) == 0);
    site_check("and proves", site_shell("$M fleet verify --keys keys --heads full/list --signed-by "
                                        "a.pub " RSYSLOG_STORE) == 0);
    site_check("a pipe that is full",
               site_shell("$M fleet heads --keys keys --heads head " RSYSLOG_STORE
                          " >/dev/full; [ $? = 3 ]") == 0);
}

static void finish(void)
{
    site_end(&sender, SIGKILL);
    site_end(&collector, SIGKILL);
    (void)site_shell("umount -l collector.example/lib web1.example/lib full pg/small");
    site_close();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!rsyslog_possible() || system("command -v jq >/dev/null") != 0) {
        puts("skip: full disks: it needs root, ip, nsenter, jq, rsyslogd with RELP, openssl");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    judge_spool();
    judge_store();
    site_shell("grep -c 'No space' collector.example/collector.log >nospace");
    judge_guarded();
    judge_tablespace();
    judge_heads();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
