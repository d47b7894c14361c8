/* SPDX-License-Identifier: MIT */
/* Reads /proc/thread-self/status: the switch's source where a filter denies the calls that read. */
#include "identity/proc_status.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "identity/kernel.h"

/* Enough for "Uid:" with four ids. The rest of a longer line, such as that of the groups, is
 * skipped. */
enum { LINE = 96 };

/* The file, read in pieces: with 65,536 groups it has half a megabyte, and a switch must not
 * allocate. */
struct status_file {
    int fd;
    char piece[512];
    long length, at;
};

/* The next byte, or -1 at the end and after an error: then a line is missing and status_view_read()
 * returns false. */
static int next_character(struct status_file *file)
{
    if (file->at == file->length) {
        file->length = identity_kernel.read(file->fd, file->piece, sizeof(file->piece));
        file->at = 0;
    }
    return file->at < file->length ? (unsigned char)file->piece[file->at++] : -1;
}

/* One line without its newline, cut to LINE - 1 bytes. False at the end of the file. */
static bool next_line(struct status_file *file, char line[LINE])
{
    size_t length = 0;
    int c = next_character(file);

    if (c < 0) {
        return false;
    }
    for (; c >= 0 && c != '\n'; c = next_character(file)) {
        line[length] = (char)c;
        length += length < LINE - 1;
    }
    line[length] = '\0';
    return true;
}

/* Four numbers in the order of IDENTITY_R and so on. False when one is missing. */
static bool read_ids(const char *text, uint32_t ids[IDENTITY_IDS])
{
    for (int i = 0; i < IDENTITY_IDS; i++) {
        char *end = NULL;
        ids[i] = (uint32_t)strtoul(text, &end, 10);
        if (end == text) {
            return false;
        }
        text = end;
    }
    return true;
}

/* The bit of the line that was read, or 0. */
static unsigned read_line(struct status_view *view, const char *line)
{
    static const char *const sets[IDENTITY_CAP_SETS] = {
        "CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"};

    if (strncmp(line, "Uid:", 4) == 0) {
        return read_ids(line + 4, view->uid) ? 1U : 0U;
    }
    if (strncmp(line, "Gid:", 4) == 0) {
        return read_ids(line + 4, view->gid) ? 2U : 0U;
    }
    if (strncmp(line, "NoNewPrivs:", 11) == 0) {
        view->no_new_privs = (uint32_t)strtoul(line + 11, NULL, 10);
        return 4U;
    }
    for (unsigned i = 0; i < IDENTITY_CAP_SETS; i++) {
        if (strncmp(line, sets[i], 7) == 0) {
            view->cap[i] = strtoull(line + 7, NULL, 16);
            return 8U << i;
        }
    }
    return 0;
}

/* The bits of read_line() add up to a full mask only when every line was there. */
bool status_view_read(struct status_view *ret_view)
{
    struct status_file file = {.length = 0, .at = 0};
    char line[LINE];
    unsigned seen = 0;

    file.fd = (int)identity_kernel.open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    if (file.fd < 0) {
        return false;
    }
    while (next_line(&file, line)) {
        seen |= read_line(ret_view, line);
    }
    identity_kernel.close(file.fd);
    return seen == (8U << IDENTITY_CAP_SETS) - 1;
}
