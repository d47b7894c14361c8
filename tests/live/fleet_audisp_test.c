/* SPDX-License-Identifier: MIT */
/*
 * The recipe of policy/fleet/audisp with the real programs: a writer with a file and the kernel
 * sink, auditd with audisp-remote on its machine, and a second auditd on the collector, each a
 * machine of its own (support/fleet_site.h). The collector's auditd and the plugin are killed and
 * the link is cut in between. Then what the collector has are heads: `miguard fleet verify` proves
 * by them the log of the host up to its last record, and finds that the end of it was removed.
 *
 * There is one auditd to a kernel, so one host writes, and the test takes nobody's.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/sink/audit_netlink.h"
#include "support/fleet_site.h"
#include "support/kernel_audit.h"

static struct site_machine host, collector_machine;
static pid_t auditd, collector;
static unsigned long *acknowledged;
static char recipes[4096];

/* False with the reason printed. */
static bool possible(void)
{
    const char *why = NULL;

    if (!site_possible() ||
        system("command -v auditd >/dev/null && command -v audisp-remote >/dev/null") != 0) {
        why = "it needs root, ip, nsenter, auditd and audisp-remote";
    } else {
        why = kernel_audit_taken();
    }
    if (why != NULL) {
        printf("skip: records by audisp-remote: %s\n0 passed, 0 failed, 1 skipped\n", why);
    }
    return why == NULL;
}

/* ---- machines -------------------------------------------------------------------------------- */

static void configure_auditd(const struct site_machine *machine, const char *more)
{
    site_need(site_shellf("mkdir -p %s/etc/plugins.d && cat >%s/etc/auditd.conf <<END\n"
                          "write_logs = yes\nlog_file = /var/log/miguard/kernel.log\nlog_group = "
                          "root\nlog_format = RAW\nflush = SYNC\nmax_log_file = 8\nnum_logs = "
                          "2\nmax_log_file_action = IGNORE\nspace_left = 2\nspace_left_action = "
                          "IGNORE\nadmin_space_left = 1\nadmin_space_left_action = "
                          "IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = "
                          "IGNORE\nplugin_dir = %s/%s/etc/plugins.d\n%s\nEND\nchmod 640 "
                          "%s/etc/auditd.conf",
                          machine->name, machine->name, site_folder, machine->name, more,
                          machine->name) == 0,
              site_out);
}

/* The plugin has one place for its configuration, which is covered on that machine alone. */
static void make_all(void)
{
    site_need(realpath("policy/fleet/audisp", recipes) != NULL, "recipes");
    site_open("fleet-au");
    acknowledged = site_shared(1);
    site_machine_start(&collector_machine, "collector.example");
    site_machine_start(&host, "web1.example");
    site_link(&collector_machine, &host, 0, 0);
    site_log(&host, "web1.example/log/miguard/audit.log");
    configure_auditd(&host, "local_events = yes\nname_format = HOSTNAME");
    /* What the README says, and no events of its own: the kernel has one auditd. */
    site_need(site_shellf("sed -n 's/^    \\(tcp_.*\\)/\\1/p' %s/README", recipes) == 0, site_out);
    char more[512];
    snprintf(more, sizeof(more), "local_events = no\nname_format = NONE\n%.400s", site_out);
    configure_auditd(&collector_machine, more);
    site_need(site_shellf(
                  "sed 's/^remote_server = .*/remote_server = 10.77.0.1/; "
                  "s|/var/spool/audit|/var/lib/miguard|; s/^queue_depth = .*/queue_depth = 2000/' "
                  "%s/audisp-remote.conf "
                  ">web1.example/remote.conf && chmod 640 web1.example/remote.conf && mkdir "
                  "web1.example/lib/miguard && sed 's/^active *=.*/active = yes/' "
                  "/etc/audit/plugins.d/au-remote.conf >web1.example/etc/plugins.d/au-remote.conf "
                  "&& chmod 640 web1.example/etc/plugins.d/* && nsenter -t %d -m mount --bind "
                  "%s/web1.example/remote.conf /etc/audit/audisp-remote.conf",
                  recipes, (int)host.holder, site_folder) == 0,
              site_out);
}

/* ---- processes ------------------------------------------------------------------------------- */

static pid_t start_auditd(const struct site_machine *machine)
{
    char command[512], log[96];

    snprintf(command, sizeof(command), "rm -f /run/auditd.pid; exec auditd -n -c %s/%s/etc",
             site_folder, machine->name);
    snprintf(log, sizeof(log), "%.47s/auditd.log", machine->name);
    return site_start(machine, log, command);
}

static void wait_for_auditd(void)
{
    struct audit_status status = {0};

    for (int i = 0; i < 400 && status.pid == 0; i++) {
        site_nap(50);
        (void)kernel_audit_ask(&status);
    }
    site_shell("cat web1.example/auditd.log");
    site_need(status.pid != 0, site_out);
}

static void write_records(unsigned long count)
{
    struct sink_settings sinks[] = {SINK_FILE_DEFAULT("/var/log/miguard/audit.log"),
                                    {.kind = SINK_KERNEL}};
    const struct audit_settings settings = {sinks, 2, 0, NULL};
    int status;

    pid_t writer = site_write(&host, &settings, count, 10, acknowledged);
    waitpid(writer, &status, 0);
    site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what came ------------------------------------------------------------------------------- */

#define HEADS  "collector.example/log/miguard/kernel.log"
#define VERIFY "$M fleet verify --keys keys --heads " HEADS " "

/* audisp-remote (3.0.9) that found nobody a few times waits for the next event, and for nothing
 * else. A host has one now and then; here it is that of auditctl(8). */
static bool head_came(double most)
{
    double until = site_seconds() + most;

    while (
        site_shell("hash=$(tail -n 1 web1.example/log/miguard/audit.log | sed "
                   "'s/.*\"hash\":\"\\([0-9a-f]*\\)\"}}$/\\1/'); grep -q \"hash=.$hash\" " HEADS) !=
        0) {
        if (site_seconds() > until) {
            site_shell("tail -n 3 " HEADS
                       "; tail -n 20 */auditd.log; ls -l web1.example/lib/miguard; "
                       "wc -l */log/miguard/*");
            return false;
        }
        site_shell("auditctl -m next");
        site_nap(1000);
    }
    return true;
}

static void finish(void)
{
    site_end(&auditd, SIGTERM);
    site_end(&collector, SIGKILL);
    kernel_audit_restore();
    site_close();
}

int main(void)
{
    if (!possible()) {
        return 0;
    }
    make_all();
    collector = start_auditd(&collector_machine);
    auditd = start_auditd(&host);
    wait_for_auditd();
    write_records(200);
    site_check("heads come", head_came(60));
    site_end(&collector, SIGKILL);
    write_records(100);
    collector = start_auditd(&collector_machine);
    site_check("heads come after the collector was killed", head_came(90));
    site_link_set(&host, 0, false);
    write_records(100);
    site_shell("kill -9 $(pgrep -P $(cat web1.example/run/auditd.pid) audisp-remote)");
    site_link_set(&host, 0, true);
    write_records(20);
    site_check("heads come after the link was cut", head_came(90));
    site_check("fleet verify: up to the last record",
               site_shell(VERIFY "web1.example/log/miguard/audit.log | grep '^web1.example: "
                                 "intact: '") == 0);
    printf("# %.160s\n", site_out);
    site_shell("grep -c TRUSTED_APP " HEADS "; wc -l <web1.example/log/miguard/audit.log");
    for (char *at = site_out; (at = strchr(at, '\n')) != NULL;) {
        *at = ' ';
    }
    printf("# heads at the collector, and records: %.100s\n", site_out);
    site_check("the end was removed",
               site_shell("sed '$d' web1.example/log/miguard/audit.log >cut; " VERIFY
                          "cut | grep '^web1.example: tampered: .*; cut '") == 0);
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
