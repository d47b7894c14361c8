/* SPDX-License-Identifier: MIT */
/*
 * A relay between hosts and collector that was broken into: it has a certificate that both trust,
 * and a real rsyslogd that takes records by RELP over TLS and sends them on. Between the two sed(1)
 * does what an intruder would: it removes one record, edits a byte of another, lets two change
 * places, exchanges the numbers of two, sends one twice and one in the name of another host, and
 * keeps the last ones of a host to itself. `miguard fleet verify` names each with its host and
 * number; the host that the relay left alone is intact. A line that came twice is a duplicate and
 * no forgery, and a database has it once.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/chain_log.h"
#include "support/fleet_rsyslog.h"

enum { FORGED, CUT, ALONE, HOSTS, RECORDS = 80 };

struct host {
    struct site_machine machine;
    pid_t sender;
};

static struct host host[HOSTS];
static struct site_machine collector_machine, relay_machine;
static pid_t collector, relay, intruder;

/* What comes goes to the file "came", and what is in the file "goes" is sent on, with its head. */
static const char relay_conf[] =
    "global(maxMessageSize=\"1m\" workDirectory=\"/var/lib/rsyslog\"\n"
    "       parser.escapeControlCharactersOnReceive=\"off\")\n"
    "module(load=\"imrelp\" ruleset=\"in\" tls.tlslib=\"openssl\")\n"
    "module(load=\"omrelp\" tls.tlslib=\"openssl\")\n"
    "module(load=\"imfile\" mode=\"inotify\")\n"
    "template(name=\"goes\" type=\"string\" string=\"%%msg%%\\n\")\n"
    "input(type=\"imrelp\" port=\"20514\" maxDataSize=\"1m\" tls=\"on\" "
    "tls.caCert=\"%s/tls/ca.pem\" "
    "tls.myCert=\"%s/tls/relay.pem\" tls.myPrivKey=\"%s/tls/relay.key\" tls.authMode=\"name\" "
    "tls.permittedPeer=[\"*.example\"])\n"
    "ruleset(name=\"in\" queue.type=\"Direct\") {\n"
    "    action(type=\"omfile\" file=\"/var/lib/miguard/came\" "
    "template=\"RSYSLOG_SyslogProtocol23Format\")\n}\n"
    "input(type=\"imfile\" file=\"/var/lib/miguard/goes\" tag=\"relay\" ruleset=\"out\" "
    "escapeLF=\"off\")\n"
    "ruleset(name=\"out\") {\n"
    "    action(type=\"omrelp\" target=\"10.77.%u.1\" port=\"20514\" template=\"goes\" tls=\"on\" "
    "tls.caCert=\"%s/tls/ca.pem\" tls.myCert=\"%s/tls/relay.pem\" "
    "tls.myPrivKey=\"%s/tls/relay.key\" tls.authMode=\"name\" "
    "tls.permittedPeer=\"collector.example\" action.resumeRetryCount=\"-1\")\n}\n";

/* For sed -u: what is done to lines of each host. */
static const char intrusion[] =
    "/\"web1.example\"/{\n"
    "/\"sequence\":17,/d\n"                                          /* removed */
    "/\"sequence\":18,/s/Web_Server/Web_server/\n"                   /* edited */
    "/\"sequence\":30,/{h;d}\n"                                      /* 30 behind 31 */
    "/\"sequence\":31,/G\n"                                          /* */
    "/\"sequence\":40,/p\n"                                          /* twice */
    "/\"sequence\":50,/{s/\"sequence\":50,/\"sequence\":51,/;b\n}\n" /* each has the number of */
    "/\"sequence\":51,/s/\"sequence\":51,/\"sequence\":50,/\n"       /* the other */
    "/\"sequence\":60,/s/ web1.example / web2.example /\n"           /* sent by another */
    "}\n"
    "/\"web2.example\"/{\n"
    "/\"sequence\":7[0-9],/d\n" /* the end is gone */
    "/\"sequence\":8[0-9],/d\n"
    "}\n";

static void make_relay(void)
{
    char text[8192];
    const char *at = site_folder;

    site_machine_start(&relay_machine, "relay.example");
    site_link(&collector_machine, &relay_machine, 0, HOSTS);
    int length = snprintf(text, sizeof(text), relay_conf, at, at, at, HOSTS, at, at, at);
    chain_log_append("relay.example/relay.conf", text, (size_t)length);
    chain_log_append("relay.example/intrusion", intrusion, sizeof(intrusion) - 1);
    site_need(site_shell("mkdir relay.example/lib/miguard && cd relay.example/lib/miguard && "
                         ": >came && : >goes") == 0,
              site_out);
}

/* The recipe, to the relay: that is what a site with one would write. */
static void make_host(unsigned i)
{
    char name[48], log[96], folder[16];
    struct host *at = &host[i];

    snprintf(folder, sizeof(folder), "web%u", i + 1);
    snprintf(name, sizeof(name), "%s.example", folder);
    site_machine_start(&at->machine, name);
    site_link(&relay_machine, &at->machine, 0, i);
    snprintf(log, sizeof(log), "%s/log/miguard/audit.log", name);
    site_log(&at->machine, log);
    rsyslog_configure("host-file", &at->machine, folder, i);
    site_need(site_shellf("sed -i 's/permittedPeer=\"collector.example\"/permittedPeer=\""
                          "relay.example\"/' %s/host-file.conf",
                          name) == 0,
              site_out);
}

static void make_all(void)
{
    rsyslog_find();
    site_open("fleet-re");
    rsyslog_certificates("collector relay web1 web2 web3");
    site_machine_start(&collector_machine, "collector.example");
    rsyslog_configure("collector", &collector_machine, "collector", 0);
    make_relay();
    for (unsigned i = 0; i < HOSTS; i++) {
        make_host(i);
    }
    collector = rsyslog_start(&collector_machine, "collector");
    relay = rsyslog_start(&relay_machine, "relay");
    intruder = site_start(&relay_machine, "relay.example/intruder.log",
                          "cd /var/lib/miguard && tail -n +1 -f came | sed -u -f "
                          "\"$OLDPWD/relay.example/intrusion\" >>goes");
}

static void write_all(void)
{
    unsigned long *acknowledged = site_shared(HOSTS);
    int status = 0;

    for (unsigned i = 0; i < HOSTS; i++) {
        pid_t writer = rsyslog_write(&host[i].machine, false, RECORDS, 0, &acknowledged[i]);
        waitpid(writer, &status, 0);
        site_check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
        host[i].sender = rsyslog_start_sender(&host[i].machine, "host-file");
    }
}

/* What each host wrote has come to the relay, and what the relay sends has come to the store. */
static bool wait_for_all(void)
{
    double until = site_seconds() + 90;

    while (
        site_shell(
            RSYSLOG_WRITTEN
            "records() { grep -o '{\"version\".*\\|{\"time\".*\\|{\".*' | sort -u; }; "
            "written web*.example | sort >written && records <relay.example/lib/miguard/came "
            "| cmp - written && records <relay.example/lib/miguard/goes >goes && cat " RSYSLOG_STORE
            "/*/audit.log | sort -u | cmp - goes") != 0) {
        if (site_seconds() > until) {
            return false;
        }
        site_nap(300);
    }
    return true;
}

/* The last record of each host is its head, as it came another way. */
#define VERIFY                                                                                     \
    "for host in web*.example; do tail -n 1 $host/log/miguard/audit.log; done >heads; $M fleet "   \
    "verify --keys keys --heads heads "

static void found(const char *what, const char *pattern)
{
    site_check(what, site_shellf("grep '%s' verified || { cat verified; exit 1; }", pattern) == 0);
}

static void judge(void)
{
    site_check("all came through the relay", wait_for_all());
    site_check("fleet verify fails",
               site_shell(VERIFY "--folders --findings " RSYSLOG_STORE " >verified") == 1);
    site_shell("cat verified");
    found("removed", "^web1.example: tampered: .*; deleted 17[;,]");
    found("edited, and the numbers of two exchanged",
          "^web1.example: tampered: .*; edited 18, 50, 51[;,]");
    found("removed, and no other", "^web1.example: .*, 1 missing, ");
    found("in another order", "^web1.example: .*, 2 out of order (first 31)");
    found("in the name of another",
          "^web1.example: .*; foreign-host (1, first in [^ ]*/web2.example/");
    found("the end is gone", "^web2.example: tampered: .*; cut 7[0-9] to ");
    found("the other is proved", "^web3.example: intact: .* proved up to ");
}

/* As many as there are lines too many: rsyslogd may have sent some again, too. */
static void judge_twice(void)
{
    site_check("sent twice", site_shell("[ $(grep -c '\"sequence\":40,' " RSYSLOG_STORE
                                        "/web1.example/audit.log) -ge 2 ]") == 0);
    found("and that is a duplicate", "^web1.example: .*, [0-9]* duplicates\\{0,1\\}, ");
    if (site_shell("command -v jq") == 0) {
        site_check("counted as such",
                   site_shell(VERIFY "--json " RSYSLOG_STORE " >verified; all=$(cat " RSYSLOG_STORE
                                     "/*/audit.log | wc -l); once=$(cat " RSYSLOG_STORE
                                     "/*/audit.log | sort -u | wc -l); jq -e \".duplicates == $all "
                                     "- $once\" verified && jq -e '.chains[] | select(.host == "
                                     "\"web1.example\") | .first_reordered == 31' verified") == 0);
    }
}

static void judge_database(void)
{
    if (!rsyslog_database("what came twice into PostgreSQL")) {
        return;
    }
    site_check("the database has it once",
               site_shell("$M audit load --create --to \"$U\" " RSYSLOG_STORE
                          "/*/audit.log; . ./start; [ \"$(count \"WHERE sequence = 40 AND host = "
                          "'web1.example'\")\" = 1 ]") == 0);
    (void)site_shell(". ./start; down");
}

static void finish(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        site_end(&host[i].sender, SIGKILL);
    }
    (void)site_shellf("kill -9 $(cat /proc/%d/task/%d/children)", (int)intruder, (int)intruder);
    site_end(&intruder, SIGKILL);
    site_end(&relay, SIGKILL);
    site_end(&collector, SIGKILL);
    site_close();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!rsyslog_possible()) {
        puts("skip: a relay that forges: it needs root, ip, nsenter, rsyslogd with RELP, openssl");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    make_all();
    write_all();
    judge();
    judge_twice();
    judge_database();
    finish();
    printf("%u passed, %u failed\n", site_passed, site_failed);
    return site_failed != 0;
}
