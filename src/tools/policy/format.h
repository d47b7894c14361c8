/* SPDX-License-Identifier: MIT */
/*
 * The canonical form of one policy file. Linked into the command and the tests only, never into the
 * library.
 *
 * Keys stand in the order of miguard-policy(5), two blanks deeper for each level. Lists and the
 * mappings within a rule or test are written on one line when they fit 100 columns and no comment
 * stands inside. Text in quotes stays in quotes. Comments stay before, or behind, what they were
 * before or behind; of several empty lines one is kept.
 */
#ifndef TOOLS_POLICY_FORMAT_H
#define TOOLS_POLICY_FORMAT_H

#include "base/text.h"
#include "policy/diagnostic.h"
#include "policy/draft.h"

/*
 * Appends the canonical form of source to *ret_text. What was made is read again before it is given
 * out: a file of which a comment would be lost, or whose form would change once more, is refused.
 * Whether it means the same is for format_same() to say.
 *
 * Errors: NO_MEMORY; BAD_POLICY: *findings says where and why.
 */
MIGUARD_CHECKED enum miguard_status format_policy(const char *name, const char *source,
                                                  size_t length, struct text *ret_text,
                                                  struct diagnostics *findings);

/* One file of a set, as it was read. */
struct format_source {
    const char *name, *text;
    size_t length;
};

/*
 * (format_merge.c) Appends one policy file in the canonical form that says what the files say one
 * after the other: settings of later files replace, rules, tests and clients append, lists join.
 * Comments stay with what they belong to; those of a setting that was replaced go with it, and what
 * stands on top or at the end of a file does so in the result, in the order of the files.
 *
 * Each source must be a policy. Whether the result means the same is for the caller to prove.
 * Errors as above.
 */
MIGUARD_CHECKED enum miguard_status format_merge(const struct format_source *sources, size_t count,
                                                 const char *name, struct text *ret_text,
                                                 struct diagnostics *findings);

/* Whether two drafts are the same in all but the places. */
bool format_same(const struct policy_draft *a, const struct policy_draft *b);

#endif
