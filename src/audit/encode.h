/* SPDX-License-Identifier: MIT */
/*
 * An event as one line of JSON, in ECS 9 names (model/record_fields.h). The log calls it for every
 * record, the tests and the benchmarks for lines of their own.
 */
#ifndef AUDIT_ENCODE_H
#define AUDIT_ENCODE_H

#include "base/text.h"
#include "identity/identity.h"
#include "model/event.h"

/* Nanoseconds since 1970, the time of records. */
int64_t audit_now(void);

/* The same for when a process began, from clock ticks since boot; 0 when it is not known. */
int64_t audit_start_time(uint64_t ticks_since_boot);

struct audit_names;
struct audit_memory;

/* Who writes. Constant while a process lives, but for the number. */
struct audit_stamp {
    uint64_t entity; /* this process, among all that ever write to the log */
    uint64_t number; /* of this record in this process; one that was lost had a number, too */
    int64_t now;     /* when the call was made, in nanoseconds since 1970; 0: now */
    struct audit_names *names; /* NULL: every name is looked up */
    const struct identity_process *process;
    const char *host_name, *boot_id;
    struct audit_memory *memory; /* NULL: every piece is made anew (memory.h) */
};

/* The event.id of a stamp: the entity in hex, "-" and the number. No lock, no allocation. */
void audit_id(const struct audit_stamp *stamp, char id[AUDIT_ID_SIZE]);

/* Where the record stands in the log; made under the log's lock. */
struct audit_place {
    uint64_t sequence; /* 0: the file did not take it, only other sinks have it; not written */
    uint64_t chain_id; /* 0: without a file, and so without a chain: no chain or hash is written */
    uint64_t epoch;
    const char *previous; /* hash of the record before, in hex */
    uint64_t repeats;     /* 1: the record itself; more: how many refusals it stands for */
    int64_t first, last;  /* with more than 1: when; nanoseconds since 1970 */
    /* Of the records of the file from this number on, each is at most so many milliseconds older
     * than any before it (file/order.c); since 0: it is not said. */
    uint64_t since, late_ms;
};

/*
 * One line of JSON without its newline, in ECS 9 names, in two halves:
 *
 *     body  {"@timestamp":...,"host":...,...,"miguard":{...
 *     tail  ,"repeat":{...},"order":{...},"chain":{...}},"event":{...,"hash":"
 *
 * and then the hash itself and AUDIT_LINE_END. Without a chain the line has no hash and ends
 * after the tail in AUDIT_LINE_END less its quote. The body may wait a moment for names
 * (names.h), and is written without the log's lock; the tail is written under it.
 */
#define AUDIT_LINE_END "\"}}"
void audit_encode_body(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp);
/* What all records of a process have in common, from "host" into "process": for audit_memory. */
void audit_encode_origin(struct text *text, const struct audit_stamp *stamp);

/* Gives a finished body another time, for a record that is kept and written later. */
void audit_set_time(char *body, size_t length, int64_t time);

/* The time that a body, or a line, begins with, as it stands there: texts of this form have the
 * order of their times. NULL: it begins with none that audit_encode_body() writes. */
enum { AUDIT_TIME_LENGTH = 27 };
const char *audit_time_text(const char *body, size_t length);
/* In microseconds since 1970. False: it is no time. */
bool audit_time_parse(const char text[AUDIT_TIME_LENGTH], int64_t *ret_time);

/* Appends the tail to a body that is in text already. Needs no allocation beyond what text grows
 * by. Like every append, a failure stays set in text->failed. */
void audit_encode_tail(struct text *text, const struct audit_event *event, const char *id,
                       const struct audit_place *place);

#endif
