/* SPDX-License-Identifier: MIT */
/*
 * rsyslogd on the machines of a test (support/fleet_site.h), by the recipes of policy/fleet/rsyslog
 * as they are shipped: only names, addresses and the places of certificates become those of the
 * test, and what hosts send each minute they send each RSYSLOG_ALIVE seconds.
 */
#ifndef SUPPORT_FLEET_RSYSLOG_H
#define SUPPORT_FLEET_RSYSLOG_H

#include "support/fleet_site.h"

enum { RSYSLOG_ALIVE = 4 };

/* The folder of the recipes; rsyslog_find() sets it, and $R for the shell. */
extern char rsyslog_recipes[4096];

/* False: rsyslogd with RELP, openssl or what site_possible() needs is not there. */
bool rsyslog_possible(void);

/* To be called before site_open(), which goes elsewhere. */
void rsyslog_find(void);

/* A CA, and a certificate NAME.example for each of names, a list for sh(1): tls/NAME.{pem,key}. */
void rsyslog_certificates(const char *names);

/* RECIPE for a machine becomes MACHINE/RECIPE.conf. Its certificate is that of name; the collector
 * has link number n, and the one of heads the next one. */
void rsyslog_configure(const char *recipe, const struct site_machine *machine, const char *name,
                       unsigned n);

/* rsyslogd with MACHINE/CONF.conf. */
pid_t rsyslog_start(const struct site_machine *machine, const char *conf);

/* The same for a host, after what the drop-in of rsyslog.service does before each start. */
pid_t rsyslog_start_sender(const struct site_machine *machine, const char *conf);

/* A writer with a file sink and, if asked for, a syslog sink; see site_write(). */
pid_t rsyslog_write(const struct site_machine *machine, bool syslog, unsigned long count,
                    unsigned pause, unsigned long *acknowledged);

/* What miguard-relp-silent.service runs each minute, with as many seconds of patience. */
void rsyslog_end_silent(const struct site_machine *machine, unsigned seconds);

/* A PostgreSQL of the test's own in pg, $U for the shell and ./start as support/fleet_database.h
 * has it. False, with "skip: WHAT", where it is not installed. */
bool rsyslog_database(const char *what);

/* Where a collector has what came. */
#define RSYSLOG_STORE "collector.example/lib/miguard"

/* Everything that a host has written, also what was rotated; for sh(1). */
#define RSYSLOG_WRITTEN                                                                            \
    "written() { for host; do cat $(ls $host/log/miguard/audit.log.[0-9]* 2>/dev/null) "           \
    "$host/log/miguard/audit.log; done; }; "

#endif
