/* SPDX-License-Identifier: MIT */
/*
 * What gzip(1) packed, piece by piece, for the two readers of logs (read.c, verify_lines.c). It
 * reads no file: the caller puts what it has read into `input` and says how much that was.
 *
 * It is not gzread(3) of zlib, which passes over bytes behind the packed data that are not packed
 * data; here they are damage, since no writer of logs puts them there. A file may be several packed
 * one after the other (RFC 1952, section 2.2).
 */
#ifndef TOOLS_REVIEW_GZIP_H
#define TOOLS_REVIEW_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

/* The state of one packed file. Zeroed: not open. For one thread. */
struct gzip {
    z_stream stream;
    unsigned char *input; /* NULL: not open */
    bool whole;           /* what was unpacked so far could be all */
};

/* What a step came to. */
enum gzip_result {
    GZIP_MORE, /* some was unpacked, or none yet */
    GZIP_END,
    GZIP_DAMAGED,
    GZIP_NO_MEMORY,
};

/* Whether the first bytes of a file say that it is packed: 1F 8B, with which no record begins. */
bool gzip_is_packed(const char *bytes, size_t length);

/* The first bytes become its input, of which `size` bytes are read at once; size is not less than
 * length. False when memory is out. */
bool gzip_open(struct gzip *gzip, const char *bytes, size_t length, size_t size);
/* A gzip that is not open, or zeroed, is allowed. */
void gzip_close(struct gzip *gzip);

/* Whether the caller must read into input before the next gzip_unpack(). */
bool gzip_is_empty(const struct gzip *gzip);

/* length 0: there is no more. END or DAMAGED then, else MORE. fault is set with DAMAGED only. */
enum gzip_result gzip_feed(struct gzip *gzip, size_t length, const char **ret_fault);

/* Unpacks into out. DAMAGED only when nothing came out: what stands before the damage comes first.
 * *ret_fault is set with it, and lives as long as the gzip. */
enum gzip_result gzip_unpack(struct gzip *gzip, char *out, size_t room, size_t *ret_length,
                             const char **ret_fault);

#endif
