/* SPDX-License-Identifier: MIT */
#include "review/verify_lines.h"
#include "base/alloc.h"
#include "review/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beside the longest line there is room enough that the rest of one is seldom moved. */
enum { BUFFER = 2 * RECORD_MAX_LINE, CHUNK = 256 * 1024 };

bool lines_open(int fd, struct lines *ret_lines)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    *ret_lines = (struct lines){0};
    if (own < 0) {
        return false;
    }
    lseek(own, 0, SEEK_SET);
    ret_lines->file = gzdopen(own, "rb"); /* gives out what is not compressed as it stands */
    if (ret_lines->file == NULL) {
        close(own);
        return false;
    }
    ret_lines->buffer = base_alloc(1, BUFFER);
    return ret_lines->buffer != NULL;
}

void lines_close(struct lines *lines)
{
    if (lines->file != NULL) {
        gzclose(lines->file);
    }
    base_free(lines->buffer);
    *lines = (struct lines){0};
}

void lines_again(struct lines *lines)
{
    gzclearerr(lines->file);
    lines->ended = false;
}

/* More behind lines->end. LINES_LINE when there is. */
static enum lines_result fill(struct lines *lines)
{
    int error = Z_OK;

    if (lines->begin > 0 && BUFFER - lines->end < CHUNK) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    int got = gzread(lines->file, lines->buffer + lines->end, CHUNK);
    if (got > 0) {
        lines->end += (size_t)got;
        return LINES_LINE;
    }
    const char *text = gzerror(lines->file, &error);
    if (got == 0 && error == Z_OK) {
        lines->ended = true;
        return LINES_END;
    }
    if (error == Z_ERRNO) {
        return errno == EINTR ? LINES_LINE : LINES_FAILED;
    }
    /* zlib puts "<fd:8>: " before it, since it was given no name. */
    const char *colon = text[0] == '<' ? strstr(text, ">: ") : NULL;
    snprintf(lines->fault, sizeof(lines->fault), "%s", colon != NULL ? colon + 3 : text);
    lines->ended = true;
    return LINES_DAMAGED;
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
