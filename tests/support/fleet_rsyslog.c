/* SPDX-License-Identifier: MIT */
/* Starts rsyslogd by the recipes of policy/fleet/rsyslog; called by tests of them. */
#include "support/fleet_rsyslog.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/chain_log.h"
#include "support/fleet_database.h"

char rsyslog_recipes[4096];

bool rsyslog_possible(void)
{
    return site_possible() &&
           system("command -v rsyslogd >/dev/null && command -v openssl >/dev/null "
                  "&& ls /usr/lib*/rsyslog/imrelp.so /usr/lib/*/rsyslog/imrelp.so "
                  "2>/dev/null | grep -q .") == 0;
}

void rsyslog_find(void)
{
    site_need(realpath("policy/fleet/rsyslog", rsyslog_recipes) != NULL, "recipes");
    setenv("R", rsyslog_recipes, 1);
}

/* They are of today. */
void rsyslog_certificates(const char *names)
{
    site_need(
        site_shellf(
            "mkdir tls && cd tls && openssl req -x509 -newkey ec -pkeyopt "
            "ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca "
            "2>/dev/null && for name in %s; do openssl req -newkey ec -pkeyopt "
            "ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj "
            "/CN=$name.example 2>/dev/null && echo \"subjectAltName=DNS:$name.example\" >ext && "
            "openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            "-extfile ext -out $name.pem 2>/dev/null || exit 1; done",
            names) == 0,
        site_out);
}

void rsyslog_configure(const char *recipe, const struct site_machine *machine, const char *name,
                       unsigned n)
{
    site_need(site_shellf("sed -e \"s|/etc/miguard/fleet/host|$PWD/tls/%s|g; "
                          "s|/etc/miguard/fleet|$PWD/tls|g; s|/srv/miguard|/var/lib/miguard|; "
                          "s|target=\\\"collector.example\\\"|target=\\\"10.77.%u.1\\\"|; "
                          "s|target=\\\"heads.example\\\"|target=\\\"10.77.%u.1\\\"|; "
                          "s|immark\\\" interval=\\\"60\\\"|immark\\\" interval=\\\"%d\\\"|\" "
                          "'%s/%s.conf' >%s/%s.conf",
                          name, n, n + 1, RSYSLOG_ALIVE, rsyslog_recipes, recipe, machine->name,
                          recipe) == 0,
              site_out);
}

pid_t rsyslog_start(const struct site_machine *machine, const char *conf)
{
    char command[512], log[96];

    snprintf(log, sizeof(log), "%s/%s.log", machine->name, conf);
    snprintf(command, sizeof(command),
             "rm -f %s/%s.pid; exec rsyslogd -n -C -f %s/%s/%s.conf -i %s/%s/%s.pid", machine->name,
             conf, site_folder, machine->name, conf, site_folder, machine->name, conf);
    return site_start(machine, log, command);
}

pid_t rsyslog_start_sender(const struct site_machine *machine, const char *conf)
{
    site_need(site_shellf("eval \"$(sed -n \"s/^ExecStartPre=sh -c '\\(.*\\)'/\\1/p\" "
                          "'%s/rsyslog.service.d/miguard.conf' | sed "
                          "'s|/var/lib/rsyslog|%s/lib/rsyslog|')\"; ! ls %s/lib/rsyslog | grep "
                          "imfile-state",
                          rsyslog_recipes, machine->name, machine->name) == 0,
              site_out);
    return rsyslog_start(machine, conf);
}

pid_t rsyslog_write(const struct site_machine *machine, bool syslog, unsigned long count,
                    unsigned pause, unsigned long *acknowledged)
{
    struct sink_settings sinks[] = {
        SINK_FILE_DEFAULT("/var/log/miguard/audit.log"),
        {.kind = SINK_SYSLOG, .path = "/run/miguard/syslog", .facility = 13, .enterprise = 32473}};
    const struct audit_settings settings = {sinks, syslog ? 2 : 1, 0, NULL};

    sinks[0].sync = AUDIT_SYNC_NONE;
    return site_write(machine, &settings, count, pause, acknowledged);
}

void rsyslog_end_silent(const struct site_machine *machine, unsigned seconds)
{
    int status = site_shellf("nsenter -t %d -n sh '%s/relp-silent.sh' %u", (int)machine->holder,
                             rsyslog_recipes, seconds);

    site_check("relp-silent.sh", status == 0);
}

bool rsyslog_database(const char *what)
{
    char url[256];

    if (site_shell(FLEET_DATABASE_POSSIBLE) != 0) {
        printf("skip: %s: postgresql is not installed\n", what);
        return false;
    }
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s/pg/socket&user=miguard",
             site_folder);
    setenv("U", url, 1);
    chain_log_append("start", fleet_database, sizeof(fleet_database) - 1);
    site_need(chmod(site_folder, 0711) == 0 && site_shell(". ./start; make_database") == 0,
              site_out);
    return true;
}
