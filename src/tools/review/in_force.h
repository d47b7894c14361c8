/* SPDX-License-Identifier: MIT */
/*
 * Which policy set each running process has in force, by the records of its log: a process writes
 * one when a set comes into force, one when a set is refused, and a forked child writes one of its
 * own.
 */
#ifndef TOOLS_REVIEW_IN_FORCE_H
#define TOOLS_REVIEW_IN_FORCE_H

#include <sys/types.h>

#include "tools/review/record.h"

/* Texts are on the heap, NULL where the record has none. Times are nanoseconds since 1970. */
struct in_force_process {
    uint64_t entity; /* process.entity_id */
    pid_t pid;
    char *name, *executable;
    int64_t started; /* as the record says; 0: it does not */
    bool certain;  /* false: a process of this pid and program runs, and began at another time: the
                    * clock was set, or it is another */
    bool known;    /* false: the record of the load is in no file any more */
    int64_t since; /* when this set came into force; loading the same again changes nothing */
    char *hash;    /* NULL: the built-in policy */
    char *files;   /* as the record names them */
    char *path;    /* that was asked for; NULL: the standard places */
    int64_t refused_at; /* when a newer set was refused; 0: none was */
    char *refused;      /* what was wrong with it */
};

/* False for a path that the record has cut (model/record_limits.h), or in which it has replaced
 * invalid UTF-8: then it cannot be compared with another, nor opened. */
bool in_force_is_whole(const char *path);

/* Owns its list and all texts; for one thread. */
struct in_force;

/* NULL out of memory. */
struct in_force *in_force_new(void);
/* NULL is allowed. Ends the list of in_force_list(). */
void in_force_free(struct in_force *in_force);

/* Takes notice of a record, in the order of time. False out of memory. Records without an entity
 * are passed over. */
bool in_force_add(struct in_force *in_force, const struct record *record);

/* The processes that still run, by pid; the list is in_force's. Asks /proc for each. No record is
 * added after it. */
struct in_force_process *in_force_list(struct in_force *in_force, size_t *ret_count);

#endif
