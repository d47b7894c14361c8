/* SPDX-License-Identifier: MIT */
/*
 * How much of a value from outside a record keeps, in bytes of UTF-8. What is longer is cut, with a
 * mark (identity/cut.h); what has a closed set of values is not in the list. Who searches a record
 * for a long value cuts it in the same way.
 */
#ifndef MODEL_RECORD_LIMITS_H
#define MODEL_RECORD_LIMITS_H

#include <stddef.h>

#include "identity/cut.h"

enum {
    AUDIT_MAX_NAME = 256,  /* no file name and no user name in use is longer */
    AUDIT_MAX_CIM = 128,   /* a longer class or method is none that a policy can name */
    AUDIT_MAX_KEY = 64,    /* the name of a key */
    AUDIT_MAX_VALUE = 128, /* its value */
    AUDIT_MAX_TEXT = 1024, /* a path; a policy's texts are of 256 characters */
    AUDIT_MAX_DETAIL = 4096,
};

/* The longest line of a log, with its newline, that is a record. */
enum { RECORD_MAX_LINE = 1024 * 1024 };

/*
 * The keys of the instance that a call is about: each is "Name=value", or "Name" where there is no
 * value or it is not to be recorded, with a NUL. A "=" or "%" in a name is %3D or %25. There is
 * room for what real classes have, and for any single one, however much of it has to be escaped;
 * what finds none is counted.
 */
enum { AUDIT_KEYS_SIZE = 2048 };

struct audit_keys {
    size_t length;
    size_t escaped; /* bytes that the items take in a record */
    unsigned omitted;
    char items[AUDIT_KEYS_SIZE];
};

#endif
