/* SPDX-License-Identifier: MIT */
/* Starts the journal's programs by the recipe of policy/fleet/journal; called by tests of it. */
#include "support/fleet_journal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"

char journal_recipe[4096];

bool journal_possible(const char *what)
{
    if (site_possible() &&
        system("command -v openssl >/dev/null && command -v journalctl >/dev/null && ls "
               "/lib/systemd/systemd-journald /lib/systemd/systemd-journal-upload "
               "/lib/systemd/systemd-journal-remote >/dev/null 2>&1") == 0) {
        return true;
    }
    printf("skip: %s: it needs root, ip, nsenter, openssl, systemd-journald, "
           "systemd-journal-upload and systemd-journal-remote\n",
           what);
    return false;
}

void journal_find(void)
{
    site_need(realpath("policy/fleet/journal", journal_recipe) != NULL, "recipe");
    setenv("R", journal_recipe, 1);
}

void journal_certificates(unsigned links)
{
    static const char command[] =
        "mkdir tls && cd tls && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out "
        "ca.pem -days 2 -subj /CN=ca 2>/dev/null && for name in collector host; do openssl req "
        "-newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name.example "
        "2>/dev/null && { printf 'subjectAltName=DNS:%%s.example' $name; for i in $(seq 0 %u); do "
        "printf ',IP:10.77.%%s.1' $i; done; echo; } >ext && openssl x509 -req -in $name.csr -CA "
        "ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem 2>/dev/null || "
        "exit 1; done";

    site_need(site_shellf(command, links) == 0, site_out);
}

/* ---- configurations -------------------------------------------------------------------------- */

/* Debian 12 builds systemd-journal-remote without what looks at the certificates of others. */
static bool trusts(const char *program)
{
    return site_shellf("/lib/systemd/%s --trust=/dev/null --version", program) == 0;
}

/* The machine has an /etc/systemd of its own, with this file of the recipe. */
static void configure(const struct site_machine *machine, const char *conf, const char *address,
                      bool with_trust)
{
    const char *name = machine->name;

    site_need(site_shellf("mkdir %s/etc && sed -e \"s|/run/credentials/[^/]*|$PWD/tls|; "
                          "s|/etc/miguard/fleet|$PWD/tls|; "
                          "s|collector.example|%s|\" '%s/%s' >%s/etc/%s && nsenter -t %d -m mount "
                          "--bind $PWD/%s/etc /etc/systemd",
                          name, address, journal_recipe, conf, name, conf, (int)machine->holder,
                          name) == 0,
              site_out);
    site_need(with_trust ||
                  site_shellf("sed -i /^TrustedCertificateFile=/d %s/etc/%s", name, conf) == 0,
              site_out);
}

void journal_configure_upload(const struct site_machine *machine, const char *address)
{
    configure(machine, "journal-upload.conf", address, trusts("systemd-journal-upload"));
}

void journal_configure_remote(const struct site_machine *machine)
{
    static bool said;
    bool trusted = trusts("systemd-journal-remote");

    configure(machine, "journal-remote.conf", "", trusted);
    if (!trusted && !said) {
        puts("skip: certificates of hosts: this systemd-journal-remote cannot look at them");
        said = true;
    }
}

/* "flushed": journald writes to the disk from the beginning, as it does on a machine that has
 * started. */
void journal_make_host(struct journal_host *host, const char *name,
                       const struct site_machine *collector, unsigned link)
{
    char text[128];

    /* Audit= without a value: with "no" journald turns the kernel's audit off, for all of the
     * machine (journald.conf(5)), and another test may be using it. */
    site_machine_start(&host->machine, name);
    host->link = link;
    site_link(collector, &host->machine, 0, link);
    site_need(site_shellf("cd %s && mkdir -p run/systemd/journal log/journal "
                          "lib/systemd/journal-upload run/systemd/journald.conf.d && touch "
                          "run/systemd/journal/flushed && printf '[Journal]\\nStorage=persistent\\n"
                          "ForwardToSyslog=no\\nReadKMsg=no\\nRateLimitIntervalSec=0\\nAudit=\\n' "
                          ">run/systemd/journald.conf.d/miguard.conf",
                          name) == 0,
              site_out);
    snprintf(text, sizeof(text), "%s/log/miguard/audit.log", name);
    site_log(&host->machine, text);
    snprintf(text, sizeof(text), "10.77.%u.1", link);
    journal_configure_upload(&host->machine, text);
}

void journal_set(const struct journal_host *host, const char *line)
{
    site_need(site_shellf("echo '%s' >>%s/run/systemd/journald.conf.d/miguard.conf", line,
                          host->machine.name) == 0,
              site_out);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void wait_for_file(const char *path)
{
    double until = site_seconds() + 60;

    while (access(path, F_OK) != 0) {
        site_need(site_seconds() < until, path);
        site_nap(20);
    }
}

void journal_start_journald(struct journal_host *host)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/journald.log", host->machine.name);
    host->journald = site_start(&host->machine, path, "exec /lib/systemd/systemd-journald");
    snprintf(path, sizeof(path), "%s/run/systemd/journal/socket", host->machine.name);
    wait_for_file(path);
}

void journal_start_upload(struct journal_host *host)
{
    char command[8192], log[128];

    snprintf(log, sizeof(log), "%s/upload.log", host->machine.name);
    snprintf(command, sizeof(command),
             "before=$(sed -n 's/^ExecStartPre=//p' '%s/systemd-journal-upload.service.d/"
             "miguard.conf'); while :; do $before; /lib/systemd/systemd-journal-upload "
             "--save-state; sleep 0.3; done",
             journal_recipe);
    host->upload = site_start(&host->machine, log, command);
}

void journal_kill_upload(struct journal_host *host)
{
    if (host->upload > 0) {
        (void)site_shellf("kill -9 %d $(cat /proc/%d/task/%d/children)", (int)host->upload,
                          (int)host->upload, (int)host->upload);
        waitpid(host->upload, NULL, 0);
    }
    host->upload = 0;
}

pid_t journal_start_remote(const struct site_machine *collector)
{
    char log[128];

    snprintf(log, sizeof(log), "%s/remote.log", collector->name);
    return site_start(collector, log,
                      "mkdir -p /var/log/journal/remote; exec /lib/systemd/systemd-journal-remote "
                      "--listen-https=0.0.0.0:19532 --output=/var/log/journal/remote");
}

void journal_start_writer(struct journal_host *host, unsigned long count, unsigned pause)
{
    struct sink_settings sinks[] = {SINK_FILE_DEFAULT("/var/log/miguard/audit.log"),
                                    {.kind = SINK_JOURNALD}};
    const struct audit_settings settings = {sinks, 2, 0, NULL};

    sinks[0].sync = AUDIT_SYNC_NONE;
    host->writer = site_write(&host->machine, &settings, count, pause, host->acknowledged);
}

void journal_end(struct journal_host *host)
{
    site_end(&host->writer, SIGKILL);
    journal_kill_upload(host);
    site_end(&host->journald, SIGKILL);
}

void journal_wait_for_connection(const struct journal_host *host)
{
    double until = site_seconds() + 60;

    while (site_shellf("nsenter -t %d -n ss -Htn state established dport = :19532 | grep -q .",
                       (int)host->machine.holder) != 0) {
        site_need(site_seconds() < until, "no connection");
        site_nap(20);
    }
    site_nap(200);
}

/* ---- what came ------------------------------------------------------------------------------- */

/* The collector has files of its own for each address. */
bool journal_came(const struct journal_host *host)
{
    const char *name = host->machine.name;

    return site_shellf("$R/collected.sh records %s/log/journal/*/*.journal* | sort >sent; "
                       "$R/collected.sh records " JOURNAL_STORE "remote-10.77.%u.2* "
                       "2>journalctl.err | sort -u >%s/arrived; [ -s sent ] && cmp sent %s/arrived",
                       name, host->link, name, name) == 0;
}

bool journal_is_counted(const char *name, enum journal_end_of_chain end)
{
    return site_shellf(
               "number() { sed 's/.*\"sequence\":\\([0-9]*\\),.*/\\1/' | sort -un; }; cat "
               "%s/log/miguard/audit.log* | number >all; grep '\"sequence\":' %s/arrived | number "
               ">had; last=$(tail -n 1 %s); missing=$(awk -v last=$last '$1 <= last' all | grep "
               "-vxFf had | wc -l); echo $missing; jq -e --argjson n $missing '.chains[] | "
               "select(.host == \"%s\") | .missing == $n' verified >/dev/null || { jq -c "
               "'.chains[]' verified | cut -c 1-600; exit 1; }",
               name, name, end == JOURNAL_TO_THE_LAST_HEAD ? "all" : "had", name) == 0;
}
