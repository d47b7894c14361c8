/* SPDX-License-Identifier: MIT */
/*
 * The disk of the journal's collector is full, by the recipe of policy/fleet/journal and with the
 * real programs: a tmpfs of the test's own that is too small, and grows later.
 * systemd-journal-remote refuses what it cannot write, and the upload begins again until there is
 * room. Meanwhile `miguard fleet verify` counts what is missing, number by number, and when there
 * is room for the whole journal of the host all of it is there, with nothing done by hand.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fleet_journal.h"

#define DISK "collector.example/log"

enum { RECORDS = 1500, DISK_MIB = 10 };

static struct site_machine collector_machine;
static struct journal_host host;
static pid_t collector;

/* Mounts are of this process and its machines from here on, and end with them. */
static void make_all(void)
{
    journal_find();
    site_open("fleet-jf");
    site_need(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0,
              "mounts");
    journal_certificates(1);
    site_need(site_shellf("mkdir -p " DISK " && mount -t tmpfs -o size=%dm,mode=0755 small " DISK,
                          DISK_MIB) == 0,
              site_out);
    site_machine_start(&collector_machine, "collector.example");
    journal_configure_remote(&collector_machine);
    host.acknowledged = site_shared(1);
    journal_make_host(&host, "web1.example", &collector_machine, 0);
}

static void write_records(void)
{
    int status = 0;

    journal_start_writer(&host, RECORDS, 10);
    waitpid(host.writer, &status, 0);
    host.writer = 0;
    site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the disk -------------------------------------------------------------------------------- */

static void fill_disk(void)
{
    site_need(site_shell("head -c 100m /dev/zero >" DISK "/fill; df -Pk " DISK
                         " | awk 'NR == 2 { exit $4 > 0 }'") == 0,
              site_out);
}

/* That many KiB more than are in use now. */
static void leave_room(unsigned long kib)
{
    site_need(site_shellf("used=$(df -Pk " DISK " | awk 'NR == 2 { print $3 }'); mount -o "
                          "remount,size=$((used + %lu))k " DISK,
                          kib) == 0,
              site_out);
}

/* What the journal of the host takes. */
static unsigned long journal_kib(void)
{
    site_need(site_shell("du -sk web1.example/log/journal") == 0, site_out);
    return strtoul(site_out, NULL, 10);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static unsigned refusals(void)
{
    (void)site_shell("grep -c 'failed' web1.example/upload.log");
    return (unsigned)atoi(site_out);
}

/* Until the upload was refused that many times more. */
static void wait_for_refusals(unsigned more)
{
    unsigned before = refusals();
    double until = site_seconds() + 30;

    while (refusals() < before + more && site_seconds() < until) {
        site_nap(100);
    }
    site_check("the upload is refused", refusals() >= before + more);
}

static void check_all_came(const char *what)
{
    double until = site_seconds() + 90;
    bool good;

    do {
        site_nap(500);
        good = journal_came(&host);
    } while (!good && site_seconds() < until);
    site_check(what, good);
}

/* How many are missing, which `fleet verify` says as well. */
static int missing(const char *when)
{
    (void)journal_came(&host);
    (void)site_shell("tail -n 1 web1.example/log/miguard/audit.log >head; " JOURNAL_VERIFY
                     "--heads head --json web1.example/arrived >verified");
    site_check(when, journal_is_counted(host.machine.name, JOURNAL_TO_THE_LAST_HEAD));
    return atoi(site_out);
}

/* No process is started by hand from here on. */
static void judge_full(void)
{
    fill_disk();
    write_records();
    wait_for_refusals(3);
    int full = missing("a full disk: what is missing is counted");
    site_check("and some are", full > 0);
    leave_room(journal_kib() / 4);
    wait_for_refusals(3);
    int little = missing("too little room: what is missing is counted");
    site_check("and some are", little > 0);
    printf("# the collector's disk was full: %d of %d records waited; with room for a quarter of "
           "the host's journal %d did\n",
           full, RECORDS, little);
    leave_room(4 * journal_kib());
    check_all_came("with room for the whole journal all came, by themselves");
    int left = missing("what is missing now is counted");
    site_check("and is what never came into the journal",
               site_shellf("number() { sed -n 's/.*\"sequence\":\\([0-9]*\\),.*/\\1/p' | sort -un; "
                           "}; in=$(number <sent | wc -l) of=$(cat web1.example/log/miguard/"
                           "audit.log* | number | wc -l); echo %d of $of, not $in; [ $((of - in)) "
                           "-eq %d ]",
                           left, left) == 0);
    site_check("by the same collector", waitpid(collector, NULL, WNOHANG) == 0);
}

/* It begins with a disk that is full, as after a restart of the machine. */
static void judge_start(void)
{
    site_end(&collector, SIGTERM);
    site_need(site_shell("rm -f " DISK "/fill") == 0, site_out);
    fill_disk();
    collector = journal_start_remote(&collector_machine);
    write_records();
    wait_for_refusals(3);
    site_check("the collector was started on a full disk, and what is missing is counted",
               missing("started on a full disk: what is missing is counted") > 0);
    leave_room(4 * journal_kib());
    check_all_came("started on a full disk: with room all came");
}

/* ---- what is removed ------------------------------------------------------------------------- */

/* systemd-journal-remote 253 and later removes what it received, by default when that is a tenth of
 * the disk or 100 files. By now it is: what came in the beginning is there all the same, above. */
static void judge_limits(void)
{
    site_check("the recipe sets no limit on what is kept",
               site_shell("grep -x MaxUse=0 $R/journal-remote.conf && grep -x MaxFiles=0 "
                          "$R/journal-remote.conf") == 0);
    site_check(
        "nothing that came was removed",
        site_shell(
            "! grep 'Deleted archived' collector.example/remote.log && [ $(du -sk " JOURNAL_STORE
            " | cut -f 1) -gt $(($(df -Pk " DISK " | awk 'NR == 2 { print $2 }') / 10)) ]") == 0);
}

static void finish(void)
{
    journal_end(&host);
    site_end(&collector, SIGKILL);
    (void)site_shell("umount -l " DISK);
    site_close();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!journal_possible("a full disk of the journal's collector")) {
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    if (system("command -v jq >/dev/null") != 0) {
        puts("skip: a full disk of the journal's collector: jq is not installed");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    journal_start_journald(&host);
    collector = journal_start_remote(&collector_machine);
    journal_start_upload(&host);
    write_records();
    check_all_came("with room all came");
    judge_full();
    judge_start();
    judge_limits();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
