/* SPDX-License-Identifier: MIT */
/*
 * Senders of the rsyslog recipe whose collector goes away without a word: the link is cut, the
 * collector is killed, and both come back. Nothing on the wire tells the host that the other end of
 * its connection is gone. Each host is at another place then: in the handshake of TLS, with a full
 * window, with its last records sent and not acknowledged, and with an idle connection. All of them
 * must go on by themselves: the first one by relp-silent.sh, the second by the timeout of omrelp,
 * the third by the line that hosts send each minute. Measured without these (rsyslog 8.2302,
 * librelp 1.11): never, 90 seconds, not before the next record.
 *
 * PATIENCE (seconds) in the environment is how long that may take.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_rsyslog.h"

enum { HANDSHAKE, WINDOW, LAST, IDLE, HOSTS };

static const char ss_without_kill[] = "#!/bin/sh\n[ $1 = -HtinO ] && echo '0 0 10.0.0.1:4000 "
                                      "10.0.0.2:20514 ts lastrcv:30000 rto:1'\n";

/* first: records before the collector goes; then: while it does not answer any more. */
struct host {
    const char *place;
    unsigned first, then;
    struct site_machine machine;
    pid_t sender;
    unsigned long *acknowledged;
    double came; /* seconds after the collector was back; 0: not yet */
};

static struct host host[HOSTS] = {
    [HANDSHAKE] = {"in the handshake of TLS", 0, 50},
    [WINDOW] = {"with a full window", 10, 300},
    [LAST] = {"with its last records on the way", 10, 10},
    [IDLE] = {"with an idle connection", 10, 0},
};
static struct site_machine collector_machine;
static pid_t collector;
static double patience = 75;

static void make_all(void)
{
    unsigned long *counters = site_shared(HOSTS);

    rsyslog_find();
    site_open("fleet-st");
    site_need(mkdir("bin", 0700) == 0, "bin");
    rsyslog_certificates("collector web1 web2 web3 web4");
    site_machine_start(&collector_machine, "collector.example");
    rsyslog_configure("collector", &collector_machine, "collector", 0);
    for (unsigned i = 0; i < HOSTS; i++) {
        char certificate[16], name[48], log[96];
        struct host *at = &host[i];
        snprintf(certificate, sizeof(certificate), "web%u", i + 1);
        snprintf(name, sizeof(name), "%s.example", certificate);
        site_machine_start(&at->machine, name);
        site_link(&collector_machine, &at->machine, 0, i);
        snprintf(log, sizeof(log), "%s/log/miguard/audit.log", name);
        site_log(&at->machine, log);
        rsyslog_configure("host-file", &at->machine, certificate, i);
        at->acknowledged = &counters[i];
    }
}

static void start_collector(void)
{
    collector = rsyslog_start(&collector_machine, "collector");
}

static void write_records(const struct host *at, unsigned count)
{
    int status = 0;
    pid_t writer = rsyslog_write(&at->machine, false, count, 0, at->acknowledged);

    waitpid(writer, &status, 0);
    site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool all_came(const struct host *at)
{
    return site_shellf(RSYSLOG_WRITTEN "written %s >sent; sort -u " RSYSLOG_STORE
                                       "/%s/audit.log >came && sort sent | cmp -s - came",
                       at->machine.name, at->machine.name) == 0;
}

static void wait_until_came(const struct host *at)
{
    double until = site_seconds() + 60;

    while (!all_came(at)) {
        site_need(site_seconds() < until, "nothing comes");
        site_nap(200);
    }
}

/* The kernel of the collector has the connection; it does not need the collector for that. */
static void wait_for_connection(const struct host *at)
{
    double until = site_seconds() + 60;

    while (site_shellf("nsenter -t %d -n ss -Htn state established dport = :20514 | grep -q .",
                       (int)at->machine.holder) != 0) {
        site_need(site_seconds() < until, "no connection");
        site_nap(20);
    }
}

static void set_links(bool up)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        site_link_set(&host[i].machine, 0, up);
    }
}

static void lose_collector(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        if (host[i].first > 0) {
            host[i].sender = rsyslog_start_sender(&host[i].machine, "host-file");
            write_records(&host[i], host[i].first);
        }
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        if (host[i].first > 0) {
            wait_until_came(&host[i]);
        }
    }
    kill(collector, SIGSTOP);
    for (unsigned i = 0; i < HOSTS; i++) {
        if (host[i].then > 0) {
            write_records(&host[i], host[i].then);
        }
        if (host[i].first == 0) {
            host[i].sender = rsyslog_start_sender(&host[i].machine, "host-file");
            wait_for_connection(&host[i]);
        }
    }
    site_nap(3000); /* they have sent what they may */
    set_links(false);
    site_end(&collector, SIGKILL);
    site_nap(
        5000); /* longer than an unanswered ARP request keeps what the kernel says at its end */
    set_links(true);
    start_collector();
}

static void judge(void)
{
    double from = site_seconds(), until = from + patience;
    unsigned missing = HOSTS;

    write_records(&host[IDLE], 10);
    while (missing > 0 && site_seconds() < until) {
        missing = 0;
        rsyslog_end_silent(&host[HANDSHAKE].machine, 12);
        for (unsigned i = 0; i < HOSTS; i++) {
            if (host[i].came == 0 && all_came(&host[i])) {
                host[i].came = site_seconds() - from;
            }
            missing += host[i].came == 0;
        }
        site_nap(1000);
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        printf("# %s: %.1f s\n", host[i].place, host[i].came);
        site_shellf("tail -n 20 %s/host-file.log; nsenter -t %d -n ss -tnoi dport = :20514",
                    host[i].machine.name, (int)host[i].machine.holder);
        site_check(host[i].place, host[i].came > 0);
    }
}

/* One that an old kernel cannot end is named; no ss(8) at all is no success. */
static void judge_unable(void)
{
    chain_log_append("bin/ss", ss_without_kill, sizeof(ss_without_kill) - 1);
    int status = site_shell("chmod +x bin/ss; PATH=$PWD/bin:$PATH sh \"$R/relp-silent.sh\" 20");
    site_check("a connection that cannot be ended is named",
               status == 1 && strstr(site_out, "10.0.0.1:4000 to 10.0.0.2:20514: ") != NULL &&
                   strstr(site_out, "restart rsyslog") != NULL);
    status = site_shell("PATH=$PWD/bin:$PATH sh \"$R/relp-silent.sh\" 40");
    site_check("younger ones are left alone", status == 0 && site_out[0] == '\0');
    site_check("no ss", site_shell("PATH=/nowhere /bin/sh \"$R/relp-silent.sh\"; [ $? = 3 ]") == 0);
}

static void finish(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        site_end(&host[i].sender, SIGKILL);
    }
    site_end(&collector, SIGKILL);
    site_close();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    patience = getenv("PATIENCE") != NULL ? atof(getenv("PATIENCE")) : patience;
    if (!rsyslog_possible()) {
        puts("skip: senders that stall: it needs root, ip, nsenter, rsyslogd with RELP, openssl");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    start_collector();
    lose_collector();
    judge();
    judge_unable();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
