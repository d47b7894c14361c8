/* SPDX-License-Identifier: MIT */
/*
 * Machines of a fleet for tests that start real daemons: each has a name, /var/lib, /var/log, /run
 * and a network of its own, in namespaces that end with the test. Configurations that are shipped
 * run in them with the paths that they name. All files lie in one folder, NAME/lib, NAME/log and
 * NAME/run, where the test sees them. The network is one link from machine to machine, with
 * addresses that exist nowhere else, and it can be cut.
 *
 * A test that uses this is one process without threads. Commands are for sh(1) in the folder: $M is
 * the command miguard.
 */
#ifndef SUPPORT_FLEET_SITE_H
#define SUPPORT_FLEET_SITE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "audit/audit.h"

enum { SITE_OUTPUT = 65536 };

struct site_machine {
    char name[48];
    pid_t holder; /* a process that does nothing: it holds the namespaces */
};

extern char site_folder[64];
extern char site_out[SITE_OUTPUT]; /* of the last command */
extern unsigned site_passed, site_failed;

/* Ends the test: it cannot be run. */
void site_need(bool good, const char *what);

/* One check; a failed one prints what and site_out. */
void site_check(const char *what, bool good);

/* The exit status of command; what it prints is in site_out. */
int site_shell(const char *command);
int site_shellf(const char *format, ...) __attribute__((format(printf, 1, 2)));

void site_nap(unsigned milliseconds);
double site_seconds(void);

/* False: namespaces are not to be had here. */
bool site_possible(void);

/* Makes the folder and goes there. prefix is a part of its name. */
void site_open(const char *prefix);
/* Ends all machines and removes the folder. */
void site_close(void);

void site_machine_start(struct site_machine *machine, const char *name);

/* Link number n of the site, 0 to 255: machine gets 10.77.n.2 on the device eth0 and, for the
 * second one, eth1 ...; to gets 10.77.n.1. */
void site_link(const struct site_machine *to, const struct site_machine *machine, unsigned device,
               unsigned n);
/* Takes the link away or brings it back, as a cable that is pulled. */
void site_link_set(const struct site_machine *machine, unsigned device, bool up);

/* In a child: becomes a process of the machine. */
void site_enter(const struct site_machine *machine);

/* Starts command, for sh(1), on the machine; what it prints is added to the file log. The process
 * is the program itself when command begins with exec. */
pid_t site_start(const struct site_machine *machine, const char *log, const char *command);

/* Sends the signal and waits for the end. */
void site_end(pid_t *process, int number);

/* A writer of records on the machine with these sinks, which are named by their paths there. Each
 * record that the log acknowledged is counted in *acknowledged, which site_shared() gave. After
 * every 50 it waits pause milliseconds, so that what happens to the others happens meanwhile. */
pid_t site_write(const struct site_machine *machine, const struct audit_settings *settings,
                 unsigned long count, unsigned pause, unsigned long *acknowledged);

/* One host that sends as many records, and how long that takes in seconds; lines: those of this
 * log, without us. The time between the last record written and the last one received goes into
 * *ret_lag. */
typedef double site_side(unsigned number, const char *lines, double *ret_lag);

/*
 * Pairs of sides, in turn: with us, and the same lines without us by the program that is named.
 * Each side has a host side<number>.example, whose log is where site_log() makes it. Prints the
 * rates, and gives the median of our throughput against the other; PAIRS of it are 1 to 32.
 */
double site_compare(site_side *side, unsigned pairs, unsigned long records, const char *without);

/* Memory that writers share with the test, all zero. */
unsigned long *site_shared(size_t count);

/* Makes a key for the machine, keys/NAME.key, and a log at path, as seen by the test. */
void site_log(const struct site_machine *machine, const char *path);

#endif
