/* SPDX-License-Identifier: MIT */
/* Lists the files of a log and finds the first and last record in them. Called by the log file and
 * by the commands that read logs. */
#include "audit/file/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "base/hex.h"

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const endings[FAMILY_PACKINGS] = {
    [FAMILY_PLAIN] = "", [FAMILY_GZIP] = ".gz", [FAMILY_ZSTD] = ".zst"};

/* Only as a writer would spell it: 7, not 07 or +7. */
static bool is_member(const char *entry, const char *name, struct family_member *ret_member)
{
    size_t length = strlen(name);
    char *end = NULL;

    if (strncmp(entry, name, length) != 0) {
        return false;
    }
    if (entry[length] == '\0') {
        *ret_member = (struct family_member){.current = true};
        return true;
    }
    const char *digits = entry + length + 1;
    if (entry[length] != '.' || *digits < '0' || *digits > '9' ||
        (*digits == '0' && digits[1] >= '0' && digits[1] <= '9')) {
        return false;
    }
    errno = 0;
    uint64_t number = strtoull(digits, &end, 10);
    enum family_packed packed = FAMILY_PLAIN;
    while (packed < FAMILY_PACKINGS && strcmp(end, endings[packed]) != 0) {
        packed++;
    }
    *ret_member = (struct family_member){.number = number, .packed = packed};
    return errno == 0 && packed < FAMILY_PACKINGS;
}

/* Doubles the list. False with ENOMEM. */
static bool add(struct family *family, const struct family_member *member)
{
    if (family->count == family->capacity) {
        size_t capacity = family->capacity == 0 ? 16 : family->capacity * 2;
        struct family_member *list = base_resize(family->list, capacity, sizeof(*list));
        if (list == NULL) {
            errno = ENOMEM;
            return false;
        }
        family->list = list;
        family->capacity = capacity;
    }
    family->list[family->count++] = *member;
    return true;
}

/* For qsort(3): NAME first, then by number, a plain file before the packed one. */
static int by_number(const void *a, const void *b)
{
    const struct family_member *x = a, *y = b;

    if (x->current != y->current) {
        return x->current ? -1 : 1;
    }
    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return (int)x->packed - (int)y->packed;
}

/* qsort(3) is undefined for a NULL array, which an empty list has. */
static void sort(struct family *family)
{
    if (family->count > 1) {
        qsort(family->list, family->count, sizeof(*family->list), by_number);
    }
}

/* getdents64(2) on the descriptor and not opendir(3), which needs a descriptor of its own. The
 * offset goes back to the start first, since it is shared with those who listed before. */
bool family_list(int folder, const char *name, struct family *ret_family)
{
    _Alignas(struct dirent64) char buffer[8192];
    struct family_member member;
    ssize_t got;

    *ret_family = (struct family){0};
    if (lseek(folder, 0, SEEK_SET) < 0) {
        return false;
    }
    while ((got = file_calls.getdents(folder, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            if (is_member(entry->d_name, name, &member) && !add(ret_family, &member)) {
                return false;
            }
            at += entry->d_reclen;
        }
    }
    sort(ret_family);
    return got == 0;
}

/* Also after a family_list() that failed in the middle. */
void family_release(struct family *family)
{
    base_free(family->list);
    *family = (struct family){0};
}

/* The reverse of is_member(): what that accepts is spelled so again. */
void family_name(const char *name, const struct family_member *member, char *buffer, size_t size)
{
    if (member->current) {
        snprintf(buffer, size, "%s", name);
    } else {
        snprintf(buffer, size, "%s.%llu%s", name, (unsigned long long)member->number,
                 endings[member->packed]);
    }
}

/* Not one that only a packed file has either: gzip -d would put the plain file beside another. */
uint64_t family_free(const struct family *family, uint64_t first)
{
    uint64_t found = first;

    for (size_t i = 0; i < family->count; i++) { /* in order */
        if (!family->list[i].current && family->list[i].number == found) {
            found++;
        }
    }
    return found;
}

/* ---- what is in them ------------------------------------------------------------------------- */

/* memmem(3) and not strstr(3): a line of a file may hold a NUL. */
static const char *find(const char *line, size_t length, const char *what)
{
    return memmem(line, length, what, strlen(what));
}

/* An id of 16 hex digits, as write_id() of encode.c writes it. */
static bool parse_hex(const char *text, const char *end, uint64_t *ret_value)
{
    unsigned char bytes[sizeof(*ret_value)];
    uint64_t value = 0;

    if (end < text || !hex_take_bytes(text, (size_t)(end - text), bytes, sizeof(bytes))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        value = value << 8 | bytes[i];
    }
    *ret_value = value;
    return true;
}

/* Sequence numbers begin with 1, so 0 and a number beyond 64 bits are refused. */
static bool parse_number(const char *text, const char *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (; text < end && *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return false;
        }
    }
    *ret_value = value;
    return value > 0;
}

/* No value can hold a bare quote, so that the names are found only where they are names. */
bool family_line(const char *line, size_t length, struct family_place *ret_place)
{
    static const char chain[] = "\"chain\":{\"id\":\"", sequence[] = "\"sequence\":";
    static const char none[] =
        "\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"";
    const char *end = line + length;
    const char *id = find(line, length, chain), *number = find(line, length, sequence);

    if (length < 2 || line[0] != '{' || line[length - 1] != '}' || id == NULL || number == NULL ||
        !parse_hex(id + sizeof(chain) - 1, end, &ret_place->chain) ||
        !parse_number(number + sizeof(sequence) - 1, end, &ret_place->sequence)) {
        return false;
    }
    ret_place->begins = find(id, (size_t)(end - id), none) != NULL;
    return true;
}

/* Lines that are not records (torn ones, or what others put there) are passed over. A last line
 * without a newline is not whole and does not count. */
bool family_first(const char *bytes, size_t length, struct family_place *ret_place)
{
    const char *end = bytes + length, *newline;

    while ((newline = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
        if (family_line(bytes, (size_t)(newline - bytes), ret_place)) {
            return true;
        }
        bytes = newline + 1;
    }
    return false;
}

/* Backwards from the last newline, with the same rules. */
bool family_last(const char *bytes, size_t length, struct family_place *ret_place)
{
    const char *end = memrchr(bytes, '\n', length);

    while (end != NULL) {
        const char *before = memrchr(bytes, '\n', (size_t)(end - bytes));
        const char *line = before != NULL ? before + 1 : bytes;
        if (family_line(line, (size_t)(end - line), ret_place)) {
            return true;
        }
        end = before;
    }
    return false;
}

/* Reads the first size bytes, or all of a shorter file, and takes the first record in them. */
static bool first_within(int fd, size_t size, struct family_place *ret_place)
{
    char *bytes = base_alloc(size, 1);
    size_t done = 0;

    while (bytes != NULL && done < size) {
        ssize_t got = file_calls.pread(fd, bytes + done, size - done, (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        done += (size_t)got;
    }
    bool found = bytes != NULL && family_first(bytes, done, ret_place);
    base_free(bytes);
    return found;
}

/* A small window holds nearly every first record; the large one holds the longest that can be. */
bool family_read_first(int folder, const char *name, struct family_place *ret_place)
{
    struct stat status;
    int fd = file_calls.openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    bool found =
        file_calls.fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (first_within(fd, FAMILY_WINDOW, ret_place) ||
         (status.st_size > FAMILY_WINDOW && first_within(fd, FAMILY_LARGE_WINDOW, ret_place)));
    file_calls.close(fd);
    return found;
}
