/* SPDX-License-Identifier: MIT */
/*
 * Which file a piece of memory was mapped from. dlopen(3) gives a library that is mapped already
 * when its name is the same, though the file of that name may be another one by now.
 *
 * /proc/self/maps and /proc/self/fd have the name of a file in the same words, and mark what was
 * removed. Devices and inodes are not compared: in maps they are those of the file system below an
 * overlay.
 */
#include "shim/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"

/* Bytes of a line of maps: numbers, and a path. */
enum { LINE_MOST = PATH_MAX + 256 };

/* The part of a file that was read and not looked at yet. */
struct line_reader {
    int fd;
    size_t length;
    char bytes[LINE_MOST];
};

/* Takes the next line, without its end; false at the end of the file. A line that is too long is
 * cut. */
static bool next_line(struct line_reader *reader, char line[LINE_MOST])
{
    for (;;) {
        char *end = memchr(reader->bytes, '\n', reader->length);
        size_t size = end != NULL ? (size_t)(end - reader->bytes) : reader->length;
        if (end != NULL || reader->length == sizeof(reader->bytes)) {
            size -= size == sizeof(reader->bytes);
            memcpy(line, reader->bytes, size);
            line[size++] = '\0';
            reader->length -= size;
            memmove(reader->bytes, reader->bytes + size, reader->length);
            return true;
        }
        ssize_t got = read(reader->fd, reader->bytes + reader->length,
                           sizeof(reader->bytes) - reader->length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        reader->length += got > 0 ? (size_t)got : 0;
    }
}

/* "7f00-7f01 r--p 00000000 00:1d 1234    /path": the path when the address is within. */
static const char *path_of_line(const char *line, uintptr_t address)
{
    unsigned long from, to;
    int at = 0;

    if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &at) != 2 || at == 0) {
        return NULL;
    }
    return address >= from && address < to ? line + at : NULL;
}

static bool find_mapping(int maps, uintptr_t address, const char *wanted)
{
    struct line_reader reader = {.fd = maps};
    char line[LINE_MOST];

    while (next_line(&reader, line)) {
        const char *path = path_of_line(line, address);
        if (path != NULL) {
            return strcmp(path, wanted) == 0;
        }
    }
    return false;
}

bool mapping_is_of(const void *address, int fd)
{
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    int maps = descriptor_open(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);

    if (length <= 0 || maps < 0) {
        if (maps >= 0) {
            close(maps);
        }
        return false;
    }
    path[length] = '\0';
    bool found = find_mapping(maps, (uintptr_t)address, path);
    close(maps);
    return found;
}
