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

/* What observer.product always is, and repeat.count where it is left out. */
#define RECORD_PRODUCT "\"miguard\""
#define RECORD_ONCE    "1"

#endif
