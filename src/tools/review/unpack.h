/* SPDX-License-Identifier: MIT */
/*
 * What gzip(1) or zstd(1) packed, piece by piece, for the readers of logs (read.c, verify_lines.c,
 * files.c, `miguard audit follow`). The first half reads no file: the caller puts what it has read
 * into `input` and says how much that was.
 *
 * It is not gzread(3) of zlib, which passes over bytes behind the packed data that are not packed
 * data; here they are damage, since no writer of logs puts them there. A file may be several packed
 * one after the other (RFC 1952, section 2.2; RFC 8878, section 3.1).
 */
#ifndef TOOLS_REVIEW_UNPACK_H
#define TOOLS_REVIEW_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <zlib.h>

/* Which program packed a file. */
enum unpack_kind { UNPACK_PLAIN, UNPACK_GZIP, UNPACK_ZSTD };

/* The state of one packed file. Zeroed: not open. For one thread. */
struct unpack {
    enum unpack_kind kind;
    z_stream stream;            /* of gzip */
    struct ZSTD_DCtx_s *zstd;   /* of zstd */
    unsigned char *input;       /* NULL: not open */
    size_t input_at, input_end; /* zstd: what is left of it */
    bool whole;                 /* what was unpacked so far could be all */
    bool full;                  /* zstd may hold more than there was room for */
};

/* What a step came to. */
enum unpack_result {
    UNPACK_MORE, /* some was unpacked, or none yet */
    UNPACK_END,
    UNPACK_DAMAGED,
    UNPACK_NO_MEMORY,
};

/* How many bytes unpack_kind() looks at; with fewer, at the end of a file, it says what it can. */
enum { UNPACK_MAGIC = 4 };
/* Whether the first bytes of a file say that it is packed: 1F 8B, 28 B5 2F FD, or those of a frame
 * that zstd passes over, with which no record begins. */
enum unpack_kind unpack_kind(const char *bytes, size_t length);

/* The first bytes become its input, of which `size` bytes are read at once; size is not less than
 * length. False when memory is out. */
bool unpack_open(struct unpack *unpack, enum unpack_kind kind, const char *bytes, size_t length,
                 size_t size);
/* One that is not open, or zeroed, is allowed. */
void unpack_close(struct unpack *unpack);

/* Whether the caller must read into input before the next unpack_step(). */
bool unpack_is_empty(const struct unpack *unpack);

/* length 0: there is no more. END or DAMAGED then, else MORE. fault is set with DAMAGED only. */
enum unpack_result unpack_feed(struct unpack *unpack, size_t length, const char **ret_fault);

/* Unpacks into out. DAMAGED only when nothing came out: what stands before the damage comes first.
 * *ret_fault is set with it, and lives as long as the unpack. */
enum unpack_result unpack_step(struct unpack *unpack, char *out, size_t room, size_t *ret_length,
                               const char **ret_fault);

/* ---- a file ---------------------------------------------------------------------------------- */

/* A packed file that is read with read(2) from where its descriptor stands. Zeroed: not open. */
struct unpack_file {
    int fd; /* the caller's */
    struct unpack unpack;
    enum unpack_result end; /* what came last */
    const char *fault;      /* with UNPACK_DAMAGED */
};

/* fd stands at its beginning. False when memory is out. */
bool unpack_file_open(struct unpack_file *file, int fd, enum unpack_kind kind);
void unpack_file_close(struct unpack_file *file);
/* As read(2); 0 also where the data are damaged, and file->fault says so then. Memory that runs out
 * is -1 with ENOMEM. */
ssize_t unpack_file_read(struct unpack_file *file, char *buffer, size_t size);

#endif
