/* SPDX-License-Identifier: MIT */
/* A record on its way: encoded, and then with its place in the log. Data only. */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"

/* Encoded without the lock of the log; it has no place yet. Everything is borrowed for the call
 * that gets it. */
struct file_record {
    const struct audit_event *event; /* for the tail: action, reason, denied */
    const char *body;
    size_t body_length;
    const char *id;
    /* How many refusals the record stands for, and when the first and last of them came
     * (nanoseconds since 1970); 1: only itself, and the times are not used. */
    uint64_t repeats;
    int64_t first, last;
};

/* Finished, as the sinks get it: borrowed for the call of a sink, which keeps nothing of it. */
struct sink_record {
    const char *line; /* the JSON as it stands in the file, without newline; NUL-terminated */
    size_t length;
    const struct audit_event *event;
    const char *id;    /* event.id */
    uint64_t sequence; /* in the file, or of this process without a file */
    const char *hash;  /* in hex; "" without a file. sequence:hash is an anchor of the chain */
    uint64_t repeats;
};

#endif
