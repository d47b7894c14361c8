/* SPDX-License-Identifier: MIT */
/* Lines of a log by hand, for what the encoder would not write so: every action with every reason,
 * hostile names, times of one's own. */
#ifndef SUPPORT_REVIEW_LINE_H
#define SUPPORT_REVIEW_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/review/record.h"

/* What stays NULL or 0 gets a value that an ordinary refusal has; "" leaves the member out. Texts
 * are put into JSON strings as they are, mismatch and the extras as JSON. */
struct review_line {
    const char *time;            /* 2026-03-01T12:00:00.000000Z */
    const char *action, *reason; /* session-use, identity-mismatch */
    bool allowed, would_deny;
    uint32_t user, as_user; /* 0 root, 0 root */
    const char *provider, *name_space, *class_name, *operation;
    const char *method;   /* "" when it is NULL */
    const char *mismatch; /* ["euid"] */
    uint64_t repeats, sequence;
    const char *host;
    const char *bound, *current;     /* members of an identity: "euid":{"id":0} */
    const char *in_miguard, *on_top; /* ,"lost":{...} */
};

/* The line without a newline; valid until the call after next. */
const char *review_line(const struct review_line *facts);

/* As a record that points into the line; fails the test when it is none. */
struct record review_record(const struct review_line *facts);

#endif
