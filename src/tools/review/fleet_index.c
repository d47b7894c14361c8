/* SPDX-License-Identifier: MIT */
/*
 * Sorts the places of a store's records, for fleet.c: runs are sorted in memory and written to a
 * temporary file; fleet_index_next() merges them. A store that fits into one run needs no file.
 */
#include "tools/review/fleet_index.h"
#include "base/alloc.h"
#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* BUFFERED: entries of a run in memory while runs are merged. */
enum { BUFFERED = 512, FIRST_ROOM = 4096 };

/* One run in the temporary file. */
struct fleet_run {
    uint64_t at, left; /* in the file, in entries: the next to be read, and how many there are */
    struct fleet_entry *buffer;
    size_t next, used; /* in the buffer */
};

/* ---- the order ------------------------------------------------------------------------------ */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Heads stand before the records of their chain, so that they are all known when the first record
 * comes. */
static int compare_entries(const struct fleet_entry *a, const struct fleet_entry *b)
{
    int order = compare_numbers(a->chain, b->chain);

    order = order != 0 ? order : compare_numbers(a->length != 0, b->length != 0);
    order = order != 0 ? order : compare_numbers(a->sequence, b->sequence);
    if (order != 0 || a->length == 0) {
        return order != 0 ? order : memcmp(a->of.head, b->of.head, sizeof(a->of.head));
    }
    order = compare_numbers(a->file, b->file);
    return order != 0 ? order : compare_numbers(a->of.record.offset, b->of.record.offset);
}

/* For qsort(3). */
static int compare_for_sort(const void *a, const void *b)
{
    return compare_entries(a, b);
}

static void sort_held(struct fleet_index *index)
{
    if (index->used > 1) {
        qsort(index->list, index->used, sizeof(*index->list), compare_for_sort);
    }
}

/* ---- the temporary file --------------------------------------------------------------------- */

static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "fleet", NULL);
}

/* O_TMPFILE has no name that another could take. Folders of file systems without it get a file
 * whose name is removed at once. */
int fleet_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    char name[4096];

    folder = folder != NULL && folder[0] == '/' ? folder : "/var/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) {
        return fd;
    }
    if ((size_t)snprintf(name, sizeof(name), "%s/miguard-XXXXXX", folder) >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

static enum miguard_status temporary_failed(struct miguard_error *reterr)
{
    int error = errno;
    return error_set(reterr, MIGUARD_SYSTEM, error, "write",
                     "the temporary file in $TMPDIR or /var/tmp: %s", strerror(error));
}

/* Behind the runs before it. */
static bool write_run(const struct fleet_index *index, uint64_t at)
{
    const char *bytes = (const char *)index->list;
    size_t size = index->used * sizeof(*index->list);

    if (lseek(index->file, (off_t)(at * sizeof(*index->list)), SEEK_SET) < 0) {
        return false;
    }
    for (size_t done = 0; done < size;) {
        ssize_t written = write_quietly(index->file, bytes + done, size - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* What is held becomes one more run. */
static enum miguard_status end_run(struct fleet_index *index, struct miguard_error *reterr)
{
    struct fleet_run *runs = base_resize(index->runs, index->run_count + 1, sizeof(*index->runs));
    uint64_t at = 0;

    if (runs == NULL) {
        return no_memory(reterr);
    }
    index->runs = runs;
    if (index->run_count == FLEET_RUNS_MOST) {
        return error_set(reterr, MIGUARD_LIMIT, 0, "fleet",
                         "there are more than 1,073,741,824 "
                         "records");
    }
    for (size_t i = 0; i < index->run_count; i++) {
        at += runs[i].left;
    }
    if (index->file < 0) {
        index->file = fleet_temporary();
    }
    sort_held(index);
    if (index->file < 0 || !write_run(index, at)) {
        return temporary_failed(reterr);
    }
    runs[index->run_count++] = (struct fleet_run){.at = at, .left = index->used};
    index->used = 0;
    return MIGUARD_OK;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* More of the run into its buffer. False and errno; a file that is too short is EIO. */
static bool read_more(const struct fleet_index *index, struct fleet_run *run)
{
    size_t wanted = run->left < BUFFERED ? (size_t)run->left : BUFFERED;
    size_t size = wanted * sizeof(*run->buffer);
    off_t from = (off_t)(run->at * sizeof(*run->buffer));

    for (size_t done = 0; done < size;) {
        ssize_t got =
            pread(index->file, (char *)run->buffer + done, size - done, from + (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return false;
        }
        done += (size_t)got;
    }
    run->next = 0;
    run->used = wanted;
    run->at += wanted;
    run->left -= wanted;
    return true;
}

static bool run_before(const struct fleet_run *a, const struct fleet_run *b)
{
    return compare_entries(&a->buffer[a->next], &b->buffer[b->next]) < 0;
}

/* The run at `at` goes down to its place in the heap. */
static void sift(struct fleet_index *index, size_t at)
{
    struct fleet_run *runs = index->runs;

    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < index->run_count; child++) {
            least = run_before(&runs[child], &runs[least]) ? child : least;
        }
        if (least == at) {
            return;
        }
        struct fleet_run held = runs[at];
        runs[at] = runs[least];
        runs[least] = held;
        at = least;
    }
}

/* With the first call: what is held is sorted, and with runs becomes the last of them. */
static enum miguard_status begin_merge(struct fleet_index *index, struct miguard_error *reterr)
{
    index->next = 0;
    if (index->run_count == 0) {
        sort_held(index);
        return MIGUARD_OK;
    }
    enum miguard_status status = index->used > 0 ? end_run(index, reterr) : MIGUARD_OK;
    base_free(index->list);
    index->list = NULL;
    for (size_t i = 0; i < index->run_count && status == MIGUARD_OK; i++) {
        index->runs[i].buffer = base_alloc(BUFFERED, sizeof(*index->runs[i].buffer));
        status = index->runs[i].buffer == NULL        ? no_memory(reterr)
                 : !read_more(index, &index->runs[i]) ? temporary_failed(reterr)
                                                      : MIGUARD_OK;
    }
    for (size_t i = index->run_count; i-- > 0 && status == MIGUARD_OK;) {
        sift(index, i);
    }
    return status;
}

/* The first of the run that is on top of the heap. */
static enum miguard_status take_top(struct fleet_index *index, struct fleet_entry *ret_entry,
                                    struct miguard_error *reterr)
{
    struct fleet_run *top = &index->runs[0];

    *ret_entry = top->buffer[top->next++];
    if (top->next == top->used && top->left > 0 && !read_more(index, top)) {
        return temporary_failed(reterr);
    }
    if (top->next == top->used) {
        base_free(top->buffer);
        *top = index->runs[--index->run_count];
        index->runs[index->run_count].buffer = NULL;
    }
    sift(index, 0);
    return MIGUARD_OK;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* merging is index->next: SIZE_MAX until the first is taken. */
enum miguard_status fleet_index_open(struct fleet_index *index, size_t run,
                                     struct miguard_error *reterr)
{
    *index = (struct fleet_index){.file = -1, .room = run != 0 ? run : FLEET_RUN, .next = SIZE_MAX};
    index->list =
        base_alloc(index->room < FIRST_ROOM ? index->room : FIRST_ROOM, sizeof(*index->list));
    return index->list != NULL ? MIGUARD_OK : no_memory(reterr);
}

void fleet_index_close(struct fleet_index *index)
{
    for (size_t i = 0; i < index->run_count; i++) {
        base_free(index->runs[i].buffer);
    }
    base_free(index->runs);
    base_free(index->list);
    if (index->file >= 0) {
        close(index->file);
    }
    *index = (struct fleet_index){.file = -1};
}

/* The list is FIRST_ROOM entries at first and doubles, up to a whole run; the next run finds it so.
 */
static bool make_room(struct fleet_index *index)
{
    bool full = index->run_count == 0 && index->used >= FIRST_ROOM &&
                (index->used & (index->used - 1)) == 0;
    size_t room = 2 * index->used < index->room ? 2 * index->used : index->room;

    if (!full) {
        return true;
    }
    struct fleet_entry *list = base_resize(index->list, room, sizeof(*list));
    index->list = list != NULL ? list : index->list;
    return list != NULL;
}

enum miguard_status fleet_index_add(struct fleet_index *index, const struct fleet_entry *entry,
                                    struct miguard_error *reterr)
{
    if (index->used == index->room) {
        enum miguard_status status = end_run(index, reterr);
        if (status != MIGUARD_OK) {
            return status;
        }
    }
    if (!make_room(index)) {
        return no_memory(reterr);
    }
    index->list[index->used++] = *entry;
    return MIGUARD_OK;
}

enum miguard_status fleet_index_next(struct fleet_index *index, struct fleet_entry *ret_entry,
                                     bool *ret_end, struct miguard_error *reterr)
{
    if (index->next == SIZE_MAX) {
        enum miguard_status status = begin_merge(index, reterr);
        if (status != MIGUARD_OK) {
            return status;
        }
    }
    if (index->list != NULL) {
        *ret_end = index->next == index->used;
        *ret_entry = *ret_end ? *ret_entry : index->list[index->next++];
        return MIGUARD_OK;
    }
    *ret_end = index->run_count == 0;
    return *ret_end ? MIGUARD_OK : take_top(index, ret_entry, reterr);
}
