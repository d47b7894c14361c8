/* SPDX-License-Identifier: MIT */
/*
 * The lines of one file of a log, for the verifier. It is not read.c because a verifier must know
 * what that hides on purpose: whether the last line has its newline, and how a file that is being
 * written goes on behind what was its end.
 */
#ifndef TOOLS_REVIEW_VERIFY_LINES_H
#define TOOLS_REVIEW_VERIFY_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/review/unpack.h"

/* One file being read. Zeroed: closed. */
struct lines {
    int fd; /* its own, when open */
    bool open;
    bool packed; /* with gzip(1) or zstd(1) */
    bool damaged;
    struct unpack unpack;
    uint64_t taken; /* bytes as they lie on the disk */
    char *buffer;
    size_t begin, end; /* what is read and not yet given out */
    uint64_t line;     /* of the last line given out, from 1 */
    uint64_t bytes;    /* given out */
    bool ended;        /* for now: a file that grows goes on after lines_again() */
    bool skipping;     /* in a line that is too long */
    char fault[64];    /* LINES_DAMAGED: what is wrong */
};

/* What lines_next() found. */
enum lines_result {
    LINES_LINE,
    LINES_TOO_LONG, /* a line of more than RECORD_MAX_LINE bytes, passed over */
    LINES_REST,     /* the bytes behind the last newline, once nothing more comes */
    LINES_END,
    LINES_DAMAGED, /* the compressed data are not what was compressed */
    LINES_FAILED,  /* errno says why */
};

/* From the beginning of the file, which it does not own. False: no memory. */
bool lines_open(int fd, struct lines *ret_lines);
/* After lines_open(): goes on behind so many bytes and lines of a plain file, which others read. */
void lines_skip(struct lines *lines, uint64_t bytes, uint64_t count);
/* Also after a failed lines_open(), and twice. */
void lines_close(struct lines *lines);

/* The line is without its newline and valid until the next call. LINES_REST takes nothing out.
 * After LINES_END and LINES_REST it gives the same again until lines_again(). */
enum lines_result lines_next(struct lines *lines, const char **ret_line, size_t *ret_length);

/* Looks for more behind what was the end, unless the file is damaged there. */
void lines_again(struct lines *lines);

/* How much of the file was read, as it lies on the disk. */
uint64_t lines_read(const struct lines *lines);

#endif
