/* SPDX-License-Identifier: MIT */
/*
 * Compares the times of records that stand near each other in a store, for fleet.c.
 *
 * A record is compared with the median of what other hosts wrote between the host's record before
 * and this one: that one must not be later than they are, and this one not earlier. Two others are
 * the least, since two hosts do not show which one is wrong. A queue that was filled while
 * the network was down makes some records late; only what holds for most of them is a clock.
 */
#include "tools/review/fleet_clock.h"
#include "base/alloc.h"

#include <string.h>

enum { OTHERS_LEAST = 2, FIRST_TABLE = 256 };

/* ---- names ---------------------------------------------------------------------------------- */

/* FNV-1a: the names are few, and a bad spread costs time only. */
static size_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    }
    return (size_t)hash;
}

/* Where it is, or where it belongs. The table is never full. */
static size_t *find_place(const struct fleet_hosts *hosts, const char *name)
{
    size_t at = hash_name(name) % hosts->table_size;

    while (hosts->table[at] != 0 && strcmp(hosts->list[hosts->table[at] - 1].name, name) != 0) {
        at = (at + 1) % hosts->table_size;
    }
    return &hosts->table[at];
}

/* Twice as large, and the list with it: half of the table stays free. */
static bool grow(struct fleet_hosts *hosts)
{
    size_t size = hosts->table_size == 0 ? FIRST_TABLE : 2 * hosts->table_size;
    struct fleet_host *list = base_resize(hosts->list, size / 2, sizeof(*list));
    size_t *table = base_alloc(size, sizeof(*table));

    hosts->list = list != NULL ? list : hosts->list;
    if (list == NULL || table == NULL) {
        base_free(table);
        return false;
    }
    base_free(hosts->table);
    hosts->table = table;
    hosts->table_size = size;
    for (size_t i = 0; i < hosts->count; i++) {
        *find_place(hosts, list[i].name) = i + 1;
    }
    return true;
}

/* NULL: no memory, or too many. */
static struct fleet_host *find_or_add(struct fleet_hosts *hosts, const char *name)
{
    if (hosts->count == hosts->table_size / 2 && !grow(hosts)) {
        return NULL;
    }
    size_t *place = find_place(hosts, name);
    if (*place != 0) {
        return &hosts->list[*place - 1];
    }
    char *copy = hosts->count < FLEET_HOSTS_MOST ? base_copy_text(name) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    hosts->list[hosts->count] = (struct fleet_host){.name = copy};
    *place = ++hosts->count;
    return &hosts->list[hosts->count - 1];
}

void fleet_hosts_release(struct fleet_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        base_free(hosts->list[i].name);
    }
    base_free(hosts->list);
    base_free(hosts->table);
    *hosts = (struct fleet_hosts){0};
}

/* ---- clocks --------------------------------------------------------------------------------- */

void fleet_hosts_file(struct fleet_hosts *hosts, uint64_t file)
{
    hosts->file = file;
    hosts->recent_count = 0;
}

/* The median of what others wrote behind this host's last record; false: too few did. */
static bool others_time(const struct fleet_hosts *hosts, const struct fleet_host *host,
                        int64_t *ret_time)
{
    int64_t times[FLEET_NEIGHBOURS];
    size_t count = 0;

    for (size_t i = 0; i < hosts->recent_count; i++) {
        const struct fleet_host *other = &hosts->list[hosts->recent[i]];
        if (other == host || other->arrival < host->arrival) {
            continue;
        }
        size_t at = count++;
        for (; at > 0 && times[at - 1] > other->time; at--) {
            times[at] = times[at - 1];
        }
        times[at] = other->time;
    }
    *ret_time = count > 0 ? times[count / 2] : 0;
    return count >= OTHERS_LEAST;
}

static void compare_clocks(struct fleet_hosts *hosts, struct fleet_host *host, int64_t time)
{
    int64_t others;

    if (host->arrival == 0 || host->file != hosts->file || !others_time(hosts, host, &others)) {
        return;
    }
    host->compared++;
    if (host->time - others > hosts->slack) {
        host->ahead++;
        host->offset = host->time - others;
    } else if (others - time > hosts->slack) {
        host->behind++;
        host->offset = time - others;
    }
}

/* To the front, in the place of the one that wrote longest ago. */
static void move_to_front(struct fleet_hosts *hosts, size_t host)
{
    size_t at = 0;

    while (at < hosts->recent_count && hosts->recent[at] != host) {
        at++;
    }
    if (at == hosts->recent_count) {
        hosts->recent_count += hosts->recent_count < FLEET_NEIGHBOURS;
        at = hosts->recent_count - 1;
    }
    memmove(&hosts->recent[1], &hosts->recent[0], at * sizeof(hosts->recent[0]));
    hosts->recent[0] = host;
}

bool fleet_hosts_see(struct fleet_hosts *hosts, const char *name, int64_t time)
{
    struct fleet_host *host = find_or_add(hosts, name);

    if (host == NULL) {
        return false;
    }
    compare_clocks(hosts, host, time);
    host->file = hosts->file;
    host->arrival = ++hosts->arrivals;
    host->time = time;
    move_to_front(hosts, (size_t)(host - hosts->list));
    return true;
}

int64_t fleet_host_offset(const struct fleet_hosts *hosts, const char *name)
{
    const size_t *place = hosts->table_size > 0 ? find_place(hosts, name) : NULL;

    if (place == NULL || *place == 0) {
        return 0;
    }
    const struct fleet_host *host = &hosts->list[*place - 1];
    return 2 * host->ahead > host->compared || 2 * host->behind > host->compared ? host->offset : 0;
}
