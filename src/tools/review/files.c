/* SPDX-License-Identifier: MIT */
/*
 * Finds the files of a log, rotated and packed ones among them, and puts them in order. read.c,
 * verify.c and `miguard audit follow` begin with it.
 *
 * log_parts_find() lists the folder (list), reads the first and last record of each file (examine),
 * decides which belong to the log by their chain (choose, gather) and sorts (in_order). Names are
 * not trusted: anyone may put a file NAME.7 beside a log. A file that does not belong is kept as a
 * stray, with the reason, so that it is reported and not silently left out.
 */
#include "tools/review/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "base/alloc.h"
#include "tools/review/unpack.h"

/* ---- looking into a file ----------------------------------------------------------------------
 */

/* Holds what was read of any file. */
struct buffer {
    char *bytes;
    size_t size; /* the largest of the windows that was needed */
    bool no_memory;
};

/* So much of an end is read, until a record is found in it: of a log with many files the first is
 * what takes the time. */
static const unsigned windows[] = {8 * 1024, FAMILY_WINDOW, FAMILY_LARGE_WINDOW};
enum { WINDOWS = sizeof(windows) / sizeof(windows[0]) };

/* Grows only, and without keeping the bytes: each reader fills it anew. */
static bool make_room(struct buffer *buffer, size_t size)
{
    if (size > buffer->size) {
        base_free(buffer->bytes);
        buffer->bytes = base_alloc(1, size);
        buffer->size = buffer->bytes != NULL ? size : 0;
        buffer->no_memory |= buffer->bytes == NULL;
    }
    return size <= buffer->size;
}

/* From the beginning, whatever was read of fd before. False: it is not packed, or memory is out. */
static bool open_packed(struct buffer *buffer, int fd, struct unpack_file *ret_file)
{
    char magic[UNPACK_MAGIC];
    ssize_t got = pread(fd, magic, sizeof(magic), 0);
    enum unpack_kind kind = got > 0 ? unpack_kind(magic, (size_t)got) : UNPACK_PLAIN;

    if (kind == UNPACK_PLAIN || lseek(fd, 0, SEEK_SET) < 0) {
        return false;
    }
    bool opened = unpack_file_open(ret_file, fd, kind);
    buffer->no_memory |= !opened;
    return opened;
}

/* Fills the buffer from `length` on, up to size. Damage is an end: what came before it counts. */
static size_t fill_packed(struct buffer *buffer, struct unpack_file *file, size_t length,
                          size_t size)
{
    ssize_t got = 1;

    while (length < size && got > 0) {
        got = unpack_file_read(file, buffer->bytes + length, size - length);
        buffer->no_memory |= file->end == UNPACK_NO_MEMORY; /* also behind what came out */
        length += got > 0 ? (size_t)got : 0;
    }
    return length;
}

/* Plain or packed, whatever it is called. A window that ends inside of the first record finds none,
 * and find_first() tries a larger one. */
static bool read_first(struct buffer *buffer, int fd, unsigned size, struct family_place *ret_place)
{
    ssize_t got = make_room(buffer, size) ? pread(fd, buffer->bytes, size, 0) : -1;
    struct unpack_file file;

    if (got > 0 && unpack_kind(buffer->bytes, (size_t)got) != UNPACK_PLAIN) {
        got = 0;
        if (open_packed(buffer, fd, &file)) {
            got = (ssize_t)fill_packed(buffer, &file, 0, size);
            unpack_file_close(&file);
        }
    }
    return got > 0 && family_first(buffer->bytes, (size_t)got, ret_place);
}

/* Only the end of the file is read: the current file of a busy log is large. A record longer than
 * the window is found by the larger one. */
static bool read_last(struct buffer *buffer, int fd, uint64_t size, size_t window,
                      struct family_place *ret_place)
{
    size_t length = size < window ? (size_t)size : window;
    ssize_t got = make_room(buffer, length)
                      ? pread(fd, buffer->bytes, length, (off_t)(size - (uint64_t)length))
                      : -1;

    return got > 0 && family_last(buffer->bytes, (size_t)got, ret_place);
}

/* The last record of a packed file is known only when all of it was unpacked. */
static bool read_packed_last(struct buffer *buffer, int fd, struct family_place *ret_place)
{
    enum { HALF = FAMILY_LARGE_WINDOW / 2 };
    struct unpack_file file;
    size_t length = 0;

    if (!make_room(buffer, FAMILY_LARGE_WINDOW) || !open_packed(buffer, fd, &file)) {
        return false;
    }
    for (size_t before = 1; before != length;) {
        if (length > HALF) {
            memmove(buffer->bytes, buffer->bytes + length - HALF, HALF);
            length = HALF;
        }
        before = length;
        length = fill_packed(buffer, &file, length, length + HALF);
    }
    unpack_file_close(&file);
    return length > 0 && family_last(buffer->bytes, length, ret_place);
}

/* The size of a packed file says little of what is in it. */
static bool find_first(struct buffer *buffer, int fd, uint64_t size, struct family_place *ret_place)
{
    bool found = false;

    for (int i = 0; i < WINDOWS && !found && (i < 2 || size > windows[i - 1]); i++) {
        found = read_first(buffer, fd, windows[i], ret_place);
    }
    return found;
}

static bool find_last(struct buffer *buffer, int fd, uint64_t size, struct family_place *ret_place)
{
    bool found = false;

    for (int i = 0; i < WINDOWS && !found; i++) {
        found = read_last(buffer, fd, size, windows[i], ret_place);
    }
    return found;
}

/* The first and the last record. Without a last one, the first stands for it: both then name the
 * same chain. */
static void look_into(struct buffer *buffer, struct log_part *part, int fd)
{
    part->known = find_first(buffer, fd, part->size, &part->first);
    if (!part->known || part->packed || !find_last(buffer, fd, part->size, &part->last)) {
        part->last = part->first;
    }
}

/* O_NOFOLLOW: a link could lead to any file that the caller may read. O_NONBLOCK: the open of a
 * FIFO would wait for its writer. */
static int open_entry(int folder, const char *entry)
{
    return openat(folder, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The file is opened again: examine() keeps none open, so that many files need no more than one
 * descriptor. A file that is gone by now keeps its first record as the last. */
static void examine_packed_last(struct buffer *buffer, int folder, const char *entry,
                                struct log_part *part)
{
    int fd = open_entry(folder, entry);

    if (fd >= 0) {
        (void)read_packed_last(buffer, fd, &part->last);
        close(fd);
    }
}

/* False: it is gone again. What may not be read may be the log's: its reader reports it. A missing
 * current file stays in the list, since its reader must report it. */
static bool examine(struct buffer *buffer, int folder, const char *entry, struct log_part *part)
{
    struct stat status;
    int fd = open_entry(folder, entry);

    if (fd < 0 && errno == ENOENT) {
        return part->current;
    }
    if (fd < 0) {
        part->stray = errno == ELOOP   ? "it is a symbolic link"
                      : errno == ENXIO ? "it is not a regular file"
                                       : NULL;
        return true;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        part->stray = "it is not a regular file";
    } else {
        part->size = (uint64_t)status.st_size;
        part->device = (uint64_t)status.st_dev;
        part->inode = (uint64_t)status.st_ino;
        look_into(buffer, part, fd);
        if (!part->known) {
            part->stray = "it begins with no record of a log";
        }
    }
    close(fd);
    return true;
}

/* ---- whose they are ---------------------------------------------------------------------------
 */

/*
 * A chain is known by its id, which every record has. From one chain that is certainly the log's
 * (anchor) the others follow: a file with a record of such a chain belongs, and brings the chain of
 * its other end. Packed files are asked for their last record only when that could matter.
 */

/* All that one log_parts_find() knows; the texts are the caller's. */
struct search {
    const char *log, *name; /* with its folder; without */
    int folder;
    struct buffer buffer;
    struct log_part *list;
    size_t count;
    /* own[i]: list[i] belongs to the log. */
    bool *own;
    uint64_t *chains; /* that are the log's, two for each part */
    size_t chain_count;
};

/* Linear: a log has a handful of chains, one for each time that its state was lost. */
static bool is_chain(const struct search *search, uint64_t chain)
{
    for (size_t i = 0; i < search->chain_count; i++) {
        if (search->chains[i] == chain) {
            return true;
        }
    }
    return false;
}

/* There is room for the first and the last of each part, and the anchor. */
static void add_chain(struct search *search, uint64_t chain)
{
    if (!is_chain(search, chain)) {
        search->chains[search->chain_count++] = chain;
    }
}

/* A writer that finds a log without its state begins a chain and goes on with the numbers.  */
static bool goes_on(const struct family_place *last, const struct family_place *first)
{
    return first->begins && first->sequence > 1 &&
           (last->sequence + 1 == first->sequence || last->sequence + 2 == first->sequence);
}

/* By its chain at either end, or because its numbers join a file that is known to belong. The
 * second rule is what carries over a chain that was begun anew. */
static bool belongs(const struct search *search, size_t at)
{
    const struct log_part *part = &search->list[at];

    if (is_chain(search, part->first.chain) || is_chain(search, part->last.chain)) {
        return true;
    }
    for (size_t i = 0; i < search->count; i++) {
        if (search->own[i] && search->list[i].known &&
            (goes_on(&part->last, &search->list[i].first) ||
             goes_on(&search->list[i].last, &part->first))) {
            return true;
        }
    }
    return false;
}

/* Until nothing is added: which chains are the log's follows from its files, and the other way
 * round. True: some with records are none of the log's. */
static bool gather(struct search *search)
{
    bool more = true, others = false;

    while (more) {
        more = others = false;
        for (size_t i = 0; i < search->count; i++) {
            if (search->own[i] || !search->list[i].known) {
                continue;
            }
            if (!belongs(search, i)) {
                others = true;
                continue;
            }
            search->own[i] = more = true;
            add_chain(search, search->list[i].first.chain);
            add_chain(search, search->list[i].last.chain);
        }
    }
    return others;
}

/* The chain by which the others are known: what is asked for, what the state says, what the current
 * file ends in, else what the newest number has. 0: no file shows one. */
static uint64_t anchor(const struct search *search, uint64_t asked)
{
    struct state_head head = {0};
    const struct log_part *newest = NULL;

    if (asked != 0) {
        return asked;
    }
    if (file_read_head(search->log, &head, NULL) == MIGUARD_OK && head.sequence > 0) {
        return head.chain_id;
    }
    for (size_t i = 0; i < search->count; i++) {
        const struct log_part *part = &search->list[i];
        if (part->known && part->current) {
            return part->last.chain;
        }
        if (part->known && part->number <= FAMILY_LAST_NUMBER &&
            (newest == NULL || part->number > newest->number)) {
            newest = part;
        }
    }
    return newest != NULL ? newest->last.chain : 0;
}

/* Reads packed files to their end, which is slow, and so only when some file has found no place by
 * its first record. */
static void gather_packed(struct search *search)
{
    char entry[NAME_MAX + 32];

    for (size_t i = 0; i < search->count; i++) {
        const struct family_member member = {.number = search->list[i].number,
                                             .packed = search->list[i].packed};
        if (search->list[i].packed) {
            family_name(search->name, &member, entry, sizeof(entry));
            examine_packed_last(&search->buffer, search->folder, entry, &search->list[i]);
            if (search->own[i]) {
                add_chain(search, search->list[i].last.chain);
            }
        }
    }
    (void)gather(search);
}

/* Fills own, and sets the reason of each stray. The current file always belongs: it is what the
 * caller named. */
static enum miguard_status choose(struct search *search, uint64_t asked)
{
    search->own = base_alloc(search->count, sizeof(*search->own));
    search->chains = base_alloc(2 * search->count + 2, sizeof(*search->chains));
    if (search->own == NULL || search->chains == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    add_chain(search, anchor(search, asked));
    for (size_t i = 0; i < search->count; i++) {
        struct log_part *part = &search->list[i];
        if (part->current && part->known) {
            search->own[i] = true;
            add_chain(search, part->first.chain);
            add_chain(search, part->last.chain);
        }
    }
    if (gather(search)) {
        gather_packed(search);
    }
    bool any = false;
    for (size_t i = 0; i < search->count; i++) {
        any |= search->list[i].known;
    }
    for (size_t i = 0; i < search->count; i++) {
        struct log_part *part = &search->list[i];
        if (part->current) {
            part->stray = NULL; /* whatever it is, it is what was asked for */
        } else if (!any && part->size > 0) {
            part->stray = NULL; /* no file has a chain: which are the log's is unknown */
        } else if (part->known && !search->own[i]) {
            part->stray = "its records are of another log";
        }
    }
    return MIGUARD_OK;
}

/* ---- the order --------------------------------------------------------------------------------
 */

/* Numbers go on over a chain that was begun anew. What has no record is the newest, or not known.
 * Strays stand last, where log_parts_find() counts them off. */
static int in_order(const void *a, const void *b)
{
    const struct log_part *x = a, *y = b;

    if ((x->stray != NULL) != (y->stray != NULL)) {
        return x->stray != NULL ? 1 : -1;
    }
    if (x->known != y->known) {
        return x->known ? -1 : 1;
    }
    if (x->known && x->first.sequence != y->first.sequence) {
        return x->first.sequence < y->first.sequence ? -1 : 1;
    }
    if (x->current != y->current) {
        return x->current ? 1 : -1;
    }
    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return (int)x->packed - (int)y->packed;
}

/* Of two that begin alike the longer one is the log; of a file and what packs it, the
 * file. The list is in order, so copies stand side by side. A copy is left out of reading; verify.c
 * decides for itself (is_twin). */
static void mark_copies(struct log_part *list, size_t count)
{
    size_t kept = 0;

    for (size_t i = 1; i < count; i++) {
        struct log_part *before = &list[kept], *part = &list[i];
        if (!part->known || !before->known || part->first.sequence != before->first.sequence ||
            part->first.chain != before->first.chain) {
            kept = i;
            continue;
        }
        bool better = (before->packed != FAMILY_PLAIN) != (part->packed != FAMILY_PLAIN)
                          ? before->packed != FAMILY_PLAIN
                          : part->size > before->size;
        (better ? before : part)->copy = true;
        kept = better ? i : kept;
    }
}

/* ---- files that are open ----------------------------------------------------------------------
 */

enum miguard_status log_ends_read(int fd, uint64_t size, struct log_ends *ret_ends)
{
    char magic[UNPACK_MAGIC];
    struct buffer buffer = {0};
    struct log_ends ends = {0};
    ssize_t got = pread(fd, magic, sizeof(magic), 0);

    ends.packed = got > 0 && unpack_kind(magic, (size_t)got) != UNPACK_PLAIN;
    bool found = find_first(&buffer, fd, size, &ends.first);
    ends.last = ends.first;
    found = found && (ends.packed || find_last(&buffer, fd, size, &ends.last));
    bool good = !buffer.no_memory && (!ends.packed || lseek(fd, 0, SEEK_SET) == 0);
    base_free(buffer.bytes);
    if (found && good) {
        *ret_ends = ends;
    }
    return buffer.no_memory ? MIGUARD_NO_MEMORY : found && good ? MIGUARD_OK : MIGUARD_NOT_FOUND;
}

/* Of a packed file the last record is not known. */
bool log_ends_follow(const struct log_ends *before, const struct log_ends *after)
{
    return before->last.sequence < after->first.sequence &&
           (before->last.chain == after->first.chain ||
            (!before->packed && goes_on(&before->last, &after->first)));
}

/* ---- all --------------------------------------------------------------------------------------
 */

/* One text for every place, as a caller can do nothing about the difference. */
static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "files", NULL);
}

/* Files are opened relative to this descriptor, so a folder that is renamed meanwhile does not mix
 * two logs. */
static enum miguard_status open_folder(struct search *search, struct miguard_error *reterr)
{
    size_t length = search->name == search->log ? 1 : (size_t)(search->name - search->log);
    char *path = base_alloc(1, length + 1);

    if (path == NULL) {
        return no_memory(reterr);
    }
    memcpy(path, search->name == search->log ? "." : search->log, length);
    search->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum miguard_status status =
        search->folder >= 0
            ? MIGUARD_OK
            : error_set(reterr, errno == ENOENT ? MIGUARD_NOT_FOUND : MIGUARD_SYSTEM, errno,
                        "opendir", "%s: %s", path, strerrordesc_np(errno));
    base_free(path);
    return status;
}

/* A file that vanished since the listing is no error: rotation removes files at any time. */
static bool add_part(struct search *search, const struct family_member *member)
{
    char entry[NAME_MAX + 32];
    struct log_part *part = &search->list[search->count];
    size_t length = strlen(search->log) + 32;

    *part = (struct log_part){
        .number = member->number, .packed = member->packed, .current = member->current};
    family_name(search->name, member, entry, sizeof(entry));
    if (!examine(&search->buffer, search->folder, entry, part)) {
        return true;
    }
    part->name = base_alloc(1, length);
    if (part->name == NULL) {
        return false;
    }
    family_name(search->log, member, part->name, length);
    search->count++;
    return true;
}

/* Every file whose name family_list() takes for the log's, with what examine() found in it. */
static enum miguard_status list(struct search *search, struct miguard_error *reterr)
{
    struct family family;
    enum miguard_status status = MIGUARD_OK;

    if (!family_list(search->folder, search->name, &family)) {
        status = errno == ENOMEM ? no_memory(reterr)
                                 : error_set(reterr, MIGUARD_SYSTEM, errno, "readdir", "%s: %s",
                                             search->log, strerrordesc_np(errno));
    } else if (family.count == 0) {
        status = error_set(reterr, MIGUARD_NOT_FOUND, ENOENT, "open", "%s: there is no such log",
                           search->log);
    } else if ((search->list = base_alloc(family.count, sizeof(*search->list))) == NULL) {
        status = no_memory(reterr);
    }
    for (size_t i = 0; i < family.count && status == MIGUARD_OK; i++) {
        status = add_part(search, &family.list[i]) ? MIGUARD_OK : no_memory(reterr);
    }
    family_release(&family);
    return status;
}

/* On failure nothing is left to release. The list has the log's own files first, then strays. */
enum miguard_status log_parts_find(const char *log, uint64_t chain, struct log_parts *ret_parts,
                                   struct miguard_error *reterr)
{
    const char *slash = strrchr(log, '/');
    struct search search = {.log = log, .name = slash == NULL ? log : slash + 1, .folder = -1};
    enum miguard_status status = open_folder(&search, reterr);

    if (status == MIGUARD_OK) {
        status = list(&search, reterr);
    }
    if (status == MIGUARD_OK && (choose(&search, chain) != MIGUARD_OK || search.buffer.no_memory)) {
        status = no_memory(reterr);
    }
    base_free(search.buffer.bytes);
    if (search.folder >= 0) {
        close(search.folder);
    }
    base_free(search.own);
    base_free(search.chains);
    struct log_parts parts = {.list = search.list, .strays = search.count};
    if (status != MIGUARD_OK) {
        log_parts_release(&parts);
        return status;
    }
    qsort(parts.list, search.count, sizeof(*parts.list), in_order);
    while (parts.count < search.count && parts.list[parts.count].stray == NULL) {
        parts.count++;
    }
    parts.strays = search.count - parts.count;
    mark_copies(parts.list, parts.count);
    *ret_parts = parts;
    return MIGUARD_OK;
}

/* The names of strays as well. */
void log_parts_release(struct log_parts *parts)
{
    for (size_t i = 0; i < parts->count + parts->strays; i++) {
        base_free(parts->list[i].name);
    }
    base_free(parts->list);
    *parts = (struct log_parts){0};
}
