/* SPDX-License-Identifier: MIT */
/*
 * The files of a log: NAME, and what was rotated from it as NAME.1, NAME.2.gz, NAME.3.zst and so
 * on. Names only make a file a candidate. What is in it decides whose it is, and where it stands:
 * the chain and the number of its first record. Writer and readers ask here, so that they cannot
 * differ.
 */
#ifndef AUDIT_FILE_FAMILY_H
#define AUDIT_FILE_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A writer uses numbers up to this. Dates (log.20261127) are below it and do no harm; a number near
 * 2^64 would wrap. */
#define FAMILY_LAST_NUMBER UINT64_C(999999999999)

/* By the end of its name: what gzip(1) and zstd(1) make of a file. A truth value: not 0 is packed.
 */
enum family_packed { FAMILY_PLAIN, FAMILY_GZIP, FAMILY_ZSTD, FAMILY_PACKINGS };

struct family_member {
    uint64_t number; /* NAME.number; of no meaning for NAME itself */
    bool current;    /* NAME itself */
    enum family_packed packed;
};

/* What was found in one look at the folder, in order. It may be old by the time it is used: each
 * file is proved again when it is opened. */
struct family {
    struct family_member *list;
    size_t count, capacity;
};

/* All names in the folder: NAME, then by number, a packed file behind the plain one. Moves the
 * offset of folder. False and errno: it cannot be read, or memory ran out. Release with
 * family_release() in any case. */
MIGUARD_CHECKED bool family_list(int folder, const char *name, struct family *ret_family);
/* The list is empty afterwards; harmless on one that is. */
void family_release(struct family *family);

/* NAME.3, NAME.3.gz or NAME.3.zst into buffer. */
void family_name(const char *name, const struct family_member *member, char *buffer, size_t size);

/* The lowest number from first on that no file has. */
uint64_t family_free(const struct family *family, uint64_t first);

/* Where a record stands. */
struct family_place {
    uint64_t chain, sequence;
    bool begins; /* nothing is before it in its chain */
};

/* Of one line without its newline; false: it has no place. */
MIGUARD_CHECKED bool family_line(const char *line, size_t length, struct family_place *ret_place);

/* Of the first and the last whole line that is a record with a place in a chain; or false. */
MIGUARD_CHECKED bool family_first(const char *bytes, size_t length, struct family_place *ret_place);
MIGUARD_CHECKED bool family_last(const char *bytes, size_t length, struct family_place *ret_place);

/* As much as holds any record. */
enum { FAMILY_WINDOW = 64 * 1024, FAMILY_LARGE_WINDOW = 2 * 1024 * 1024 };

/* The first record of a plain file in the folder, which is opened without following a link or
 * waiting for a FIFO. False: it is not a regular file, cannot be read, or holds no record. */
MIGUARD_CHECKED bool family_read_first(int folder, const char *name,
                                       struct family_place *ret_place);

#endif
