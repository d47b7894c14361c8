/* SPDX-License-Identifier: MIT */
/* The name of a user or group that was probably meant by an unknown one, for the error of a policy.
 * Nothing is decided by it. Read in small pieces: no memory is taken for a suggestion. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/words.h"
#include "identity/directory.h"

/* Bytes of a file that are read, and how many slips are one: as in the keys of a policy. */
enum { MOST_READ = 1024 * 1024, PIECE = 4096, MOST_SLIPS = 2 };

/* The name at the beginning of a line, as it comes byte by byte. */
struct line {
    char name[DIRECTORY_NAME];
    size_t length;
    bool behind; /* its colon was read */
};

/* The search so far: a name replaces another only when it is nearer. */
struct nearest {
    const char *unknown;
    char *name;
    unsigned slips; /* of the next one, at most */
    bool found, exact;
};

static void try_name(struct nearest *nearest, const char *name)
{
    const char *const candidates[] = {name, NULL};

    for (unsigned slips = 0; slips <= nearest->slips && !nearest->exact; slips++) {
        if (words_nearest(nearest->unknown, candidates, slips, true) != NULL) {
            strcpy(nearest->name, name);
            nearest->found = true;
            nearest->exact = slips == 0;
            nearest->slips = slips == 0 ? 0 : slips - 1;
            return;
        }
    }
}

static void take_byte(struct nearest *nearest, struct line *line, char byte)
{
    if (byte == '\n') {
        *line = (struct line){.length = 0};
    } else if (!line->behind && byte == ':') {
        line->behind = true;
        line->name[line->length] = '\0';
        try_name(nearest, line->name);
    } else if (!line->behind && line->length + 1 < sizeof(line->name)) {
        line->name[line->length++] = byte;
    }
}

bool directory_nearest(enum directory_kind kind, const char *unknown, char name[DIRECTORY_NAME])
{
    struct nearest nearest = {.unknown = unknown, .name = name};
    struct line line = {.length = 0};
    int before = errno;
    char piece[PIECE];
    ssize_t got = 1;

    /* In a word of three letters one slip is much already (diagnostic.c). */
    nearest.slips = strlen(unknown) < 4 ? 1 : MOST_SLIPS;
    int fd = descriptor_open(AT_FDCWD, kind == DIRECTORY_GROUP ? "/etc/group" : "/etc/passwd",
                             O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    for (size_t all = 0; fd >= 0 && got > 0 && all < MOST_READ; all += (size_t)got) {
        got = read(fd, piece, sizeof(piece));
        for (ssize_t i = 0; i < got; i++) {
            take_byte(&nearest, &line, piece[i]);
        }
        got = got < 0 ? 0 : got;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = before;
    return nearest.found;
}
