/* SPDX-License-Identifier: MIT */
/*
 * The hosts that a store has records of, and whose clock differs from that of the others. A
 * collector writes records of several hosts into one file in the order in which they came, so each
 * has neighbours to compare it with. A file of one host shows nothing.
 */
#ifndef TOOLS_REVIEW_FLEET_CLOCK_H
#define TOOLS_REVIEW_FLEET_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NEIGHBOURS: the hosts that wrote last. HOSTS_MOST: a forged store must not take all memory. */
enum { FLEET_NEIGHBOURS = 16, FLEET_HOSTS_MOST = 1 << 20 };

struct fleet_host {
    char *name;
    uint64_t file, arrival; /* of its last record; arrival 0: none yet */
    int64_t time;
    uint64_t compared, ahead, behind; /* how often */
    int64_t offset;                   /* when it last differed: positive is ahead */
};

struct fleet_hosts {
    struct fleet_host *list;
    size_t count;
    size_t *table; /* by hash of the name: index + 1, or 0 */
    size_t table_size;
    size_t recent[FLEET_NEIGHBOURS]; /* of the file at hand, the last one first */
    size_t recent_count;
    uint64_t file, arrivals;
    int64_t slack; /* nanoseconds */
};

/* A new file begins. */
void fleet_hosts_file(struct fleet_hosts *hosts, uint64_t file);
/* The next record that came. False: out of memory, or too many hosts. */
bool fleet_hosts_see(struct fleet_hosts *hosts, const char *name, int64_t time);
void fleet_hosts_release(struct fleet_hosts *hosts);

/* How far its clock differs from that of the others, in nanoseconds, when it did so for most of its
 * records; 0: it does not, or nothing is known. A host whose records always come late looks as if
 * it were behind. */
int64_t fleet_host_offset(const struct fleet_hosts *hosts, const char *name);

#endif
