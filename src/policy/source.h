/* SPDX-License-Identifier: MIT */
/*
 * The text of one policy file and the errors in it.
 */
#ifndef POLICY_SOURCE_H
#define POLICY_SOURCE_H

#include <stdarg.h>

#include "policy/diagnostic.h"

/* A text and where it came from; lives as long as the load. */
struct policy_source {
    const char *name;
    const char *text;
    size_t length;
};

/*
 * Whether the text may be parsed at all: not too large, valid UTF-8, no character that must not be
 * in a policy (character_fault()). The first of each line is reported. libyaml would find some of
 * them, but without their place, and reads U+2028 and its like as line ends.
 */
bool source_check(const struct policy_source *source, struct diagnostics *errors);

/* An error at a place of a source, with the source line. line 0: the file as a whole. */
void source_error(const struct policy_source *source, struct diagnostics *errors, unsigned line,
                  unsigned column, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with a list of arguments, for other functions of this form. */
void source_error_list(const struct policy_source *source, struct diagnostics *errors,
                       unsigned line, unsigned column, const char *format, va_list arguments)
    __attribute__((format(printf, 5, 0)));

#endif
