/* SPDX-License-Identifier: MIT */
/*
 * Gives verify.c the lines of one file, with what read.c hides: a missing newline, a growing end.
 *
 * lines_next() gives one line after the other out of a buffer that fill() reads into. An end is an
 * end for now: lines_again() lets it look once more. The buffer is never larger than BUFFER, so a
 * line without an end cannot take the memory.
 */
#include "tools/review/verify_lines.h"
#include "base/alloc.h"
#include "tools/review/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beside the longest line there is room enough that the rest of one is seldom moved. */
enum { BUFFER = 2 * RECORD_MAX_LINE, CHUNK = 256 * 1024 };

/* The descriptor is duplicated, and its offset shared: one reader at a time may use a file. */
bool lines_open(int fd, struct lines *ret_lines)
{
    *ret_lines = (struct lines){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (ret_lines->fd < 0) {
        return false;
    }
    lseek(ret_lines->fd, 0, SEEK_SET);
    ret_lines->open = true;
    ret_lines->buffer = base_alloc(1, BUFFER);
    return ret_lines->buffer != NULL;
}

/* Nothing was read yet, and no packed data begin here. */
void lines_skip(struct lines *lines, uint64_t bytes, uint64_t count)
{
    lseek(lines->fd, (off_t)bytes, SEEK_SET);
    lines->taken = lines->bytes = bytes;
    lines->line = count;
}

/* Safe for one that was opened in part. */
void lines_close(struct lines *lines)
{
    unpack_close(&lines->unpack);
    if (lines->open) {
        close(lines->fd);
    }
    base_free(lines->buffer);
    *lines = (struct lines){0};
}

/* What is damaged stays so. A packed file that has ended is asked again too, and answers the
 * same. */
void lines_again(struct lines *lines)
{
    lines->ended = lines->damaged;
}

/* Bytes of the file, which is fewer than what was given out when it is packed. */
uint64_t lines_read(const struct lines *lines)
{
    return lines->taken;
}

/* ---- packed files ---------------------------------------------------------------------------- */

/* errno, as for a failed read(2): LINES_FAILED has no other place for it. */
static enum lines_result no_memory(void)
{
    errno = ENOMEM;
    return LINES_FAILED;
}

/* The end of what can be read of this file. */
static enum lines_result damaged(struct lines *lines, const char *fault)
{
    snprintf(lines->fault, sizeof(lines->fault), "%s", fault);
    lines->ended = lines->damaged = true;
    return LINES_DAMAGED;
}

/* As read(2), without EINTR; what is not there yet is not a final end. taken counts for the
 * progress only. */
static ssize_t take(struct lines *lines, void *buffer, size_t size)
{
    ssize_t got;

    do {
        got = read(lines->fd, buffer, size);
    } while (got < 0 && errno == EINTR);
    lines->taken += got > 0 ? (uint64_t)got : 0;
    return got;
}

/* What is in the buffer is its input. The buffer holds the first bytes of the file, which are the
 * packed ones. */
static enum lines_result begin_packed(struct lines *lines, enum unpack_kind kind)
{
    /* and the bytes that came before */
    if (!unpack_open(&lines->unpack, kind, lines->buffer, lines->end, CHUNK + UNPACK_MAGIC)) {
        return no_memory();
    }
    lines->end = 0;
    lines->packed = true;
    return LINES_LINE;
}

/* One step; LINES_LINE also when it gave nothing yet. */
static enum lines_result unpack(struct lines *lines)
{
    struct unpack *packed = &lines->unpack;
    enum unpack_result result = UNPACK_MORE;
    const char *fault = NULL;
    size_t length = 0;

    if (unpack_is_empty(packed)) {
        ssize_t got = take(lines, packed->input, CHUNK);
        if (got < 0) {
            return LINES_FAILED;
        }
        result = unpack_feed(packed, (size_t)got, &fault);
    }
    if (result == UNPACK_MORE) {
        result = unpack_step(packed, lines->buffer + lines->end, CHUNK, &length, &fault);
        lines->end += length;
    }
    switch (result) {
    case UNPACK_NO_MEMORY:
        return no_memory();
    case UNPACK_DAMAGED:
        return damaged(lines, fault);
    case UNPACK_END:
        lines->ended = true;
        return LINES_END;
    default:
        return LINES_LINE;
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/*
 * The buffer is twice as long as the longest line, so that the rest of a line moves to its front
 * seldom. Less than CHUNK bytes of room is when it does.
 */

/* More behind lines->end. LINES_LINE when there may be. An end that is reached sets ended;
 * lines_next() does not ask again until lines_again(). */
static enum lines_result fill(struct lines *lines)
{
    if (lines->begin > 0 && BUFFER - lines->end < CHUNK) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->packed) {
        return unpack(lines);
    }
    bool at_start = lines->taken == lines->end && lines->taken < UNPACK_MAGIC;
    ssize_t got = take(lines, lines->buffer + lines->end, CHUNK);
    if (got < 0) {
        return LINES_FAILED;
    }
    lines->end += (size_t)got;
    enum unpack_kind kind =
        at_start && got > 0 ? unpack_kind(lines->buffer, lines->end) : UNPACK_PLAIN;
    if (kind != UNPACK_PLAIN) {
        return begin_packed(lines, kind);
    }
    lines->ended = got == 0;
    return got == 0 ? LINES_END : LINES_LINE;
}

/* Takes one line and its newline out. Of a line that was skipped only the end is left. */
static enum lines_result give(struct lines *lines, size_t length, const char **ret_line,
                              size_t *ret_length)
{
    enum lines_result result = lines->skipping ? LINES_TOO_LONG : LINES_LINE;

    *ret_line = lines->buffer + lines->begin;
    *ret_length = length;
    lines->begin += length + 1;
    lines->bytes += length + 1;
    lines->line++;
    lines->skipping = false;
    return result;
}

/* Drops what is read of a line that is too long. */
static void skip(struct lines *lines)
{
    lines->skipping = true;
    lines->bytes += lines->end - lines->begin;
    lines->begin = lines->end = 0;
}

/* looked: so much of what is held has no newline, and is not searched again. */
enum lines_result lines_next(struct lines *lines, const char **ret_line, size_t *ret_length)
{
    size_t looked = 0;

    for (;;) {
        size_t held = lines->end - lines->begin;
        const char *at = lines->buffer + lines->begin;
        const char *newline = held > looked ? memchr(at + looked, '\n', held - looked) : NULL;
        if (newline != NULL) {
            return give(lines, (size_t)(newline - at), ret_line, ret_length);
        }
        looked = held;
        if (held > RECORD_MAX_LINE) {
            skip(lines);
            looked = 0;
        }
        enum lines_result more = lines->ended ? LINES_END : fill(lines);
        if (more == LINES_LINE) {
            continue;
        }
        if (more == LINES_END && (held > 0 || lines->skipping)) {
            *ret_line = lines->buffer + lines->begin;
            *ret_length = lines->end - lines->begin;
            return LINES_REST;
        }
        return more;
    }
}
