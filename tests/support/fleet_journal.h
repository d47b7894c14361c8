/* SPDX-License-Identifier: MIT */
/*
 * systemd's journal on the machines of a test (support/fleet_site.h), by the recipe of
 * policy/fleet/journal as it is shipped: systemd-journald and systemd-journal-upload on hosts,
 * systemd-journal-remote on a collector, by HTTP with certificates. Only names, addresses and the
 * places of certificates become those of the test.
 */
#ifndef SUPPORT_FLEET_JOURNAL_H
#define SUPPORT_FLEET_JOURNAL_H

#include "support/fleet_site.h"

struct journal_host {
    struct site_machine machine;
    unsigned link;
    pid_t journald, upload, writer;
    unsigned long *acknowledged;
};

/* The folder of the recipe; journal_find() sets it, and $R for the shell. */
extern char journal_recipe[4096];

/* False, with "skip: WHAT": the programs or what site_possible() needs are not there. */
bool journal_possible(const char *what);

/* To be called before site_open(), which goes elsewhere. */
void journal_find(void);

/* A CA and two certificates, tls/{collector,host}.{pem,key}; the collector's is good for the
 * addresses of that many links. */
void journal_certificates(unsigned links);

/* The configuration of the recipe in an /etc/systemd that the machine has alone. address: of the
 * collector. */
void journal_configure_upload(const struct site_machine *machine, const char *address);
void journal_configure_remote(const struct site_machine *machine);

/* A machine with a log, whose collector is at the other end of that link. */
void journal_make_host(struct journal_host *host, const char *name,
                       const struct site_machine *collector, unsigned link);
/* One line of journald.conf of this host, before it is started. */
void journal_set(const struct journal_host *host, const char *line);

void journal_start_journald(struct journal_host *host);
/* With what the drop-in of the recipe says: before each start, and again when the program ends,
 * which it does when the collector or the link is gone. */
void journal_start_upload(struct journal_host *host);
void journal_kill_upload(struct journal_host *host);
pid_t journal_start_remote(const struct site_machine *collector);

/* A writer with a file and a journald sink: host->writer. */
void journal_start_writer(struct journal_host *host, unsigned long count, unsigned pause);

/* Ends all processes of the host. */
void journal_end(struct journal_host *host);

/* A connection to the collector is there, and entries are on their way. */
void journal_wait_for_connection(const struct journal_host *host);

/* Where a collector has what came. A journal that is being written has its last entries from the
 * next look. */
#define JOURNAL_STORE "collector.example/log/journal/remote/"

/* Whether the collector has what the journal of the host has, byte by byte: a busy machine may have
 * kept a record from it, which the sink declares, and a writer that is killed may have told its
 * file alone. The records are in HOST/arrived, each once. */
bool journal_came(const struct journal_host *host);

/* What the log of the host has and HOST/arrived has not, by numbers, is what `fleet verify --json`
 * counted as missing in the file "verified". How many these are is in site_out. Without a head of
 * the last record it knows nothing of those behind the last one that arrived. */
enum journal_end_of_chain { JOURNAL_TO_THE_LAST_ARRIVED, JOURNAL_TO_THE_LAST_HEAD };
bool journal_is_counted(const char *name, enum journal_end_of_chain end);

#define JOURNAL_VERIFY "$M fleet verify --keys keys "

#endif
