/* SPDX-License-Identifier: MIT */
/* Logs of any length for tests and measurements, by the library's own encoder. */
#ifndef SUPPORT_AUDIT_GENERATE_H
#define SUPPORT_AUDIT_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

/* The time of the first record: 2026-03-01T00:00:00Z. */
#define GENERATE_START INT64_C(1772323200000000000)

struct generate {
    uint64_t seed;     /* the same seed, the same users, classes, refusals ... */
    uint64_t count;    /* records */
    uint64_t sequence; /* of the first; 0 counts as 1 */
    int64_t start;     /* of the first; 0: GENERATE_START */
    int64_t step;      /* nanoseconds between two; 0: a second */
    bool varied;       /* thousands of users, groups and classes, and not a few of each */
};

/*
 * Writes count sound records to the new file at path. About one in four is a refusal; every 1,000th
 * is a refusal for the class MG_Needle, by the user 54321. The hashes are made up: nothing here
 * can be verified as a chain. False after a message.
 */
bool audit_generate(const char *path, const struct generate *generate);

#endif
