/* SPDX-License-Identifier: MIT */
/*
 * How much of a value from outside a record keeps, in bytes of UTF-8. A longer value is cut, with a
 * mark (identity/cut.h). Values of a closed set are not listed. A search for a long value cuts it
 * in the same way.
 */
#ifndef MODEL_RECORD_LIMITS_H
#define MODEL_RECORD_LIMITS_H

#include <stddef.h>

#include "identity/cut.h"

enum {
    AUDIT_MAX_NAME = 256,  /* file names and user names in use are shorter */
    AUDIT_MAX_CIM = 128,   /* a policy cannot name a longer class or method */
    AUDIT_MAX_KEY = 64,    /* the name of a key */
    AUDIT_MAX_VALUE = 128, /* its value */
    AUDIT_MAX_TEXT = 1024, /* a path; a policy's texts are of 256 characters */
    AUDIT_MAX_DETAIL = 4096,
};

/* The longest line of a log, with its newline, that is a record. */
enum { RECORD_MAX_LINE = 1024 * 1024 };

/*
 * The keys of the instance that a call is about: each is "Name=value", or "Name" where there is no
 * value or it must not be recorded, with a NUL. A "=" or "%" in a name is %3D or %25. There is room
 * for the keys of real classes, and for any single one, however much of it has to be escaped. Keys
 * without room are counted.
 */
enum { AUDIT_KEYS_SIZE = 2048 };

struct audit_keys {
    /* Of all items, each with its NUL. */
    size_t length;
    size_t escaped; /* bytes that the items take in a record */
    /* Keys that found no room. The record says how many, so that a reader does not take the list
     * for complete. */
    unsigned omitted;
    char items[AUDIT_KEYS_SIZE];
};

#endif
