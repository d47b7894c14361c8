/* SPDX-License-Identifier: MIT */
/*
 * What a record leaves out since format 3, because event.action, event.outcome and event.reason say
 * it: for the sinks and the readers, which give it again.
 */
#ifndef MODEL_RECORD_DERIVED_H
#define MODEL_RECORD_DERIVED_H

#include <stdbool.h>
#include <stddef.h>

/* Constant JSON, with quotes and brackets; NULL: not known. */
struct record_derived {
    const char *message, *category, *type, *code, *decision;
};

/* From the JSON of the three members, with their quotes. at is NULL where one is absent. */
struct record_word {
    const char *at;
    size_t length;
};
struct record_derived record_derive(struct record_word action, struct record_word outcome,
                                    struct record_word reason);

/* Calls visit() with each text that record_derive() may give until one is true, and says whether
 * one was: so a reader knows that no record can have what it looks for in them. */
typedef bool record_derived_visit(void *context, const char *text);
bool record_derived_any(record_derived_visit *visit, void *context);

/* What observer.product always is, and repeat.count where it is left out. */
#define RECORD_PRODUCT "\"miguard\""
#define RECORD_ONCE    "1"

#endif
