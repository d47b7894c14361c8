/* SPDX-License-Identifier: MIT */
/*
 * From refusals to policy rules, as YAML. A rule never allows a call that was not refused: each key
 * names exactly what was seen, and two rules become one only where they differ in one key, so that
 * the cross product of the keys holds no new combination. One thing no rule can say: a mismatch
 * covers calls that differ in fewer of its components as well.
 *
 * A call that lacks what no key can name the absence of (a namespace, a class, a provider) gets no
 * rule, unless its operation never has one; an own action of a daemon without a resource, unless no
 * record of that action has one.
 */
#ifndef TOOLS_REVIEW_SUGGEST_H
#define TOOLS_REVIEW_SUGGEST_H

#include "tools/review/export_text.h"

/* Each limit bounds memory or the file; what is beyond one gets no rule and is counted in a comment
 * of the file. */
enum {
    SUGGEST_CALLS = 4096, /* different calls that are remembered; of more only the number */
    SUGGEST_TEXT = 100,   /* bytes of a name: what is longer may not fit into a policy's pattern */
    SUGGEST_VALUES = 200, /* of one key */
    SUGGEST_RULES = 1000,
    SUGGEST_SIZE = 56 * 1024, /* bytes of rules: a policy file has 64 KiB at the most */
};

/* Owns what it remembers; for one thread. */
struct suggest;

/* NULL when memory is out. */
struct suggest *suggest_new(void); /* NULL out of memory */
void suggest_free(struct suggest *suggest);

/* A record that is not a refusal is passed over. False out of memory. A record must have been
 * parsed; nothing of it is kept but ids and names. */
bool suggest_add(struct suggest *suggest, const struct record *record);

/* A whole policy file: the warning, the rules, and as comments what no rule can mend. Gives how
 * many rules there are; SIZE_MAX out of memory. May be called once: it merges what was
 * remembered. */
size_t suggest_write(struct suggest *suggest, struct text *text);

#endif
