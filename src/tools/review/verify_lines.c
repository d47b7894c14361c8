/* SPDX-License-Identifier: MIT */
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

void lines_close(struct lines *lines)
{
    if (lines->packed) {
        inflateEnd(&lines->stream);
    }
    if (lines->open) {
        close(lines->fd);
    }
    base_free(lines->input);
    base_free(lines->buffer);
    *lines = (struct lines){0};
}

/* What is damaged is so for good. */
void lines_again(struct lines *lines)
{
    lines->ended = lines->damaged;
}

uint64_t lines_read(const struct lines *lines)
{
    return lines->taken;
}

/* ---- packed files ---------------------------------------------------------------------------- */

static void *packed_alloc(void *context, unsigned count, unsigned size)
{
    (void)context;
    return base_alloc(count, size);
}

static void packed_free(void *context, void *block)
{
    (void)context;
    base_free(block);
}

static enum lines_result no_memory(void)
{
    errno = ENOMEM;
    return LINES_FAILED;
}

static enum lines_result damaged(struct lines *lines, const char *fault)
{
    snprintf(lines->fault, sizeof(lines->fault), "%s", fault);
    lines->ended = lines->damaged = true;
    return LINES_DAMAGED;
}

/* As read(2), without EINTR; what is not there yet is not an end for good. */
static ssize_t take(struct lines *lines, void *buffer, size_t size)
{
    ssize_t got;

    do {
        got = read(lines->fd, buffer, size);
    } while (got < 0 && errno == EINTR);
    lines->taken += got > 0 ? (uint64_t)got : 0;
    return got;
}

/* RFC 1952: a file begins with 1F 8B, and no record does. What is in the buffer is its input. */
static enum lines_result begin_packed(struct lines *lines)
{
    enum { GZIP_ONLY = 16 };

    lines->input = base_alloc(1, CHUNK + 1); /* and one that came before */
    lines->stream = (z_stream){.zalloc = packed_alloc, .zfree = packed_free};
    if (lines->input == NULL || inflateInit2(&lines->stream, MAX_WBITS + GZIP_ONLY) != Z_OK) {
        return no_memory();
    }
    memcpy(lines->input, lines->buffer, lines->end);
    lines->stream.next_in = lines->input;
    lines->stream.avail_in = (unsigned)lines->end;
    lines->end = 0;
    lines->packed = true;
    return LINES_LINE;
}

/* gzread(3) of zlib passes over what stands behind a member and is none; here it is damage, since
 * somebody put it there. A member may follow another. */
static enum lines_result after_member(struct lines *lines)
{
    z_stream *stream = &lines->stream;

    lines->whole = true;
    return inflateReset(stream) == Z_OK ? LINES_LINE : no_memory();
}

/* One step of inflate(); LINES_LINE also when it gave nothing yet. */
static enum lines_result unpack(struct lines *lines)
{
    z_stream *stream = &lines->stream;

    if (stream->avail_in == 0) {
        ssize_t got = take(lines, lines->input, CHUNK);
        if (got < 0) {
            return LINES_FAILED;
        }
        stream->next_in = lines->input;
        stream->avail_in = (unsigned)got;
        if (got == 0 && lines->whole) {
            lines->ended = true;
            return LINES_END;
        }
        if (got == 0) {
            return damaged(lines, "the packed data end too early");
        }
    }
    bool first = lines->whole;
    stream->next_out = (unsigned char *)lines->buffer + lines->end;
    stream->avail_out = CHUNK;
    int result = inflate(stream, Z_NO_FLUSH);
    size_t got = CHUNK - stream->avail_out;
    lines->end += got;
    lines->whole = false;
    if (result == Z_STREAM_END) {
        return after_member(lines);
    }
    if (result == Z_MEM_ERROR) {
        return no_memory();
    }
    /* What came out before the damage is given out first; zlib tells of it again. */
    if ((result == Z_DATA_ERROR || result == Z_NEED_DICT) && got == 0) {
        return damaged(lines, first                 ? "bytes behind the end of the packed data"
                              : stream->msg != NULL ? stream->msg
                                                    : "no packed data");
    }
    return LINES_LINE;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* More behind lines->end. LINES_LINE when there may be. */
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
    bool at_start = lines->taken == lines->end && lines->taken < 2;
    ssize_t got = take(lines, lines->buffer + lines->end, CHUNK);
    if (got < 0) {
        return LINES_FAILED;
    }
    lines->end += (size_t)got;
    if (at_start && lines->end >= 2 && memcmp(lines->buffer, "\x1F\x8B", 2) == 0) {
        return begin_packed(lines);
    }
    lines->ended = got == 0;
    return got == 0 ? LINES_END : LINES_LINE;
}

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
