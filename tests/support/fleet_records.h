/* SPDX-License-Identifier: MIT */
/*
 * The collected store of a fleet, of any size: a log for each host, chained and sealed by the code
 * that writes records, over some days. What is in it is known beforehand, so that two stores of the
 * same numbers differ in their chains, keys and ids alone.
 */
#ifndef SUPPORT_FLEET_RECORDS_H
#define SUPPORT_FLEET_RECORDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fleet_records {
    const char *store, *keys; /* folders that are there: STORE/web1.example/audit.log, KEYS/... */
    unsigned hosts;
    uint64_t records; /* of all hosts; seals, starts and losses are among them */
    int64_t end;      /* seconds since 1970 of the last record */
    unsigned days;    /* before it, over which the records of each host are spread evenly */
    atomic_ullong written;
};

/* By a process for each processor. In memory that these share, if written is to be read meanwhile.
 * Aborts a process that cannot; false: one did. */
bool fleet_records_write(struct fleet_records *records);

/* A user of whom one record in a thousand is, on every host. */
const char *fleet_records_user(void);

#endif
