/* SPDX-License-Identifier: MIT */
/* The identities of a record, and its full form: both with every component, and all ids of the
 * process. */
#ifndef TOOLS_REVIEW_RECORD_EXPAND_H
#define TOOLS_REVIEW_RECORD_EXPAND_H

#include "base/text.h"
#include "identity/identity.h"
#include "tools/review/record.h"

/*
 * Makes the line of format 1 from one of format 2 or 3, in *text (which the caller releases; it
 * starts empty), and parses it into *ret_full, which points into text. The hash stays that of the
 * line as it stands in the log. A record of another format, or whose identities are not in the form
 * of audit/record_identity.h, is given as it is. False: out of memory.
 */
MIGUARD_CHECKED bool record_expand(const struct record *record, struct text *text,
                                   struct record *ret_full);

/*
 * What one thread remembers of the records before, so that the next of the same kind is made
 * sooner: their lines, and their identities in full. NULL is allowed as an expander: nothing is
 * remembered.
 */
struct record_expander;
/* NULL: out of memory. */
struct record_expander *record_expander_new(void);
void record_expander_free(struct record_expander *expander);
/* An empty text for record_expand_next(), which keeps its memory from record to record; own without
 * an expander. */
struct text *record_expander_line(struct record_expander *expander, struct text *own);
/* As record_expand(). */
MIGUARD_CHECKED bool record_expand_next(struct record_expander *expander,
                                        const struct record *record, struct text *text,
                                        struct record *ret_full);

/* The two identities of a record. What they have in common lies in bound. */
struct record_identities {
    struct miguard_identity bound, current;
    bool has_bound, has_current;
};

/* False: they are not in the form of audit/record_identity.h, or memory is out. To be released in
 * either case. */
MIGUARD_CHECKED bool record_identities_read(const struct record *record,
                                            struct record_identities *ret_both,
                                            bool *ret_no_memory);
void record_identities_release(struct record_identities *both);

#endif
