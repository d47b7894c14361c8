/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a log, plain or packed: every line comes out once, with its place, and a reader that
 * goes on at a mark gives exactly the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/review/read.h"
#include "tools/review/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

struct outcome {
    uint64_t lines; /* records and broken ones */
    bool failed, unfinished;
};

/* stop: after so many lines, the mark there goes to *ret_mark. */
static struct outcome read_log(const char *path, const struct read_mark *from, uint64_t stop,
                               struct read_mark *ret_mark, bool *ret_marked)
{
    struct outcome outcome = {0, false, false};
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    const char *what = NULL;
    uint64_t line = from == NULL ? 0 : from->line, offset = 0;

    must(read_open(&path, 1, READ_BY_TIME, &reader, NULL) == MIGUARD_OK);
    read_keep_marks(reader);
    must(from == NULL || read_resume(reader, 0, from, 1) == READ_RESUMED);
    while (outcome.lines < stop) {
        enum read_result result = read_next(reader, &record, &place, &what);
        if (result == READ_END) {
            break;
        }
        if (result == READ_FAILED) {
            outcome.failed = true;
            continue;
        }
        must(place.line == ++line && (outcome.lines == 0 || place.offset > offset));
        offset = place.offset;
        outcome.unfinished = result == READ_BROKEN && strstr(what, "is not finished") != NULL;
        outcome.lines++;
    }
    *ret_marked = read_mark(reader, 0, ret_mark);
    read_close(reader);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct read_mark mark, end;
    bool marked = false;
    char path[64];
    uint64_t lines = 0;
    int fd = memfd_create("log", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct outcome whole = read_log(path, NULL, UINT64_MAX, &end, &marked);
    if (unpack_kind((const char *)data, size) == UNPACK_PLAIN) {
        for (size_t i = 0; i < size; i++) {
            lines += data[i] == '\n' || i + 1 == size;
        }
        must(whole.lines == lines && !whole.failed);
    }
    uint64_t half = whole.lines / 2;
    if (half > 0) {
        struct outcome first = read_log(path, NULL, half, &mark, &marked);
        must(first.lines == half);
        if (marked && mark.line == half) {
            struct outcome rest = read_log(path, &mark, UINT64_MAX, &end, &marked);
            must(first.lines + rest.lines == whole.lines);
        }
    }
    close(fd);
    return 0;
}
