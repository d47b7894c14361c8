/* SPDX-License-Identifier: MIT */
/*
 * Rotation: NAME becomes NAME.G, and G counts up for ever, so that no file ever changes its name
 * again and no program that reads one loses its place.
 *
 *     make NAME.new    link NAME to NAME.G    rename NAME.new to NAME    set the head
 *
 * There is a NAME at every moment, and after a kill between any two steps repair.c knows by the
 * inodes how far it came. What cannot be done now is postponed: the file grows, nothing is lost.
 *
 * file_rotate_if_due() -> rotate(): make_new(), finish_old(), rename_new(), trim_old(),
 * begin_new(), and look_round() for what `keep` removes and for files that are not the log's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"

/* Each try lists the folder: more than one only when names are taken meanwhile. */
enum { NAME_TRIES = 8 };

/* ---- whether --------------------------------------------------------------------------------- */

/* length is that of the record to come: a file is rotated before it grows beyond the limit. A file
 * that holds one record only is not, or a record longer than the limit would rotate for ever. */
static bool is_due(const struct log_file *file, size_t length, int64_t now)
{
    const struct state_head *head = state_head(&file->state);
    const struct sink_settings *settings = &file->settings;
    int64_t age = now - head->file_start;

    if (head->rotate_asked != 0) {
        return true;
    }
    if (head->sequence <= head->file_after + 1) {
        return false; /* it holds nothing but the record that it began with */
    }
    return (settings->rotate_bytes != 0 && head->size + length > settings->rotate_bytes) ||
           (settings->rotate_seconds != 0 && age >= (int64_t)settings->rotate_seconds * 1000000000);
}

/*
 * A thread with another identity may take none of the steps below: each is a change of the folder,
 * which the kernel grants by the identity of the thread and not by a descriptor, not even one of
 * the new file (audit_rotate_test measures it). A process that has other threads has the background
 * thread. In one that has not, files are rotated early by who may, so that what is written until
 * the identity is back has room; what needs more makes the file longer, since a record is worth
 * more than a file's size, and the record that begins the next one says by how much.
 */
size_t file_rotate_ahead(const struct log_file *file)
{
    enum { MOST = 64 * 1024 };
    uint64_t quarter = file->settings.rotate_bytes / 4;

    return quarter < MOST ? (size_t)quarter : MOST;
}

/* The same question as is_due() with file_rotate_ahead() as the length, but for size alone. */
bool file_rotate_near(const struct log_file *file)
{
    const struct state_head *head = state_head(&file->state);
    uint64_t limit = file->settings.rotate_bytes;

    return limit != 0 && head->sequence > head->file_after + 1 &&
           head->size + file_rotate_ahead(file) > limit;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The head, after calls of the system that the state may have been cut in. */
static const struct state_head *head_now(struct log_file *file)
{
    (void)state_prove(&file->state);
    return state_head(&file->state);
}

/* The new file under its working name, with room for the records that it begins with. One that an
 * earlier rotation left under that name is removed: nothing was ever written to it. */
static bool make_new(struct log_file *file, int *ret_fd, struct stat *ret_status,
                     uint64_t *ret_reserved)
{
    enum audit_loss loss;
    char name[FILE_NAME_SIZE];

    file_sibling(file, "new", name);
    bool made = file_create(file, name, ret_fd, ret_status);
    if (!made && errno == EEXIST && file_calls.unlinkat(file->folder, name, 0) == 0) {
        made = file_create(file, name, ret_fd, ret_status);
    }
    if (!made) {
        return false;
    }
    if (!file_allocate(*ret_fd, 0, 2 * FILE_TAIL, ret_reserved, &loss)) {
        file_calls.unlinkat(file->folder, name, 0);
        file_calls.close(*ret_fd);
        return false;
    }
    return true;
}

/* Anything that has the name counts, a link as well. */
static bool exists(struct log_file *file, const char *name)
{
    struct stat status;

    return file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The number for the current file, when the one that comes next is taken. It is set in
 * the head first, which is where repair.c looks for it. */
static bool choose_free(struct log_file *file)
{
    uint64_t from = head_now(file)->generation;
    struct family family;

    from = from == 0 || from > FAMILY_LAST_NUMBER ? 1 : from; /* counted over the end, once */
    bool listed = family_list(file->folder, file->name, &family);
    uint64_t chosen = listed ? family_free(&family, from) : 0;
    family_release(&family);
    if (!listed || chosen > FAMILY_LAST_NUMBER) {
        return false;
    }
    (void)state_prove(&file->state);
    for (uint64_t i = from; i < chosen && i < from + STATE_FILES; i++) {
        file->state.shared->files[i % STATE_FILES] = (struct state_file){0}; /* not the log's */
    }
    state_begin(&file->state)->generation = chosen;
    state_commit(&file->state);
    return true;
}

/* Is the number before us free, packed or not? What has it already may be the current file. */
static bool is_taken(struct log_file *file)
{
    char packed[FILE_NAME_SIZE + 4];
    uint64_t generation = head_now(file)->generation;

    for (enum family_packed i = FAMILY_GZIP; i < FAMILY_PACKINGS; i++) {
        const struct family_member member = {.number = generation, .packed = i};
        family_name(file->name, &member, packed, sizeof(packed));
        if (exists(file, packed)) {
            return true;
        }
    }
    return generation == 0 || generation > FAMILY_LAST_NUMBER;
}

/* Gives the current file its second name. True also when it has that name already: an earlier
 * rotation came so far and was killed. */
static bool link_old(struct log_file *file)
{
    char name[FILE_NAME_SIZE];
    struct stat status;

    for (int i = 0; i < NAME_TRIES; i++) {
        file_rotated_name(file, head_now(file)->generation, name);
        bool taken = is_taken(file);
        if (!taken && file_calls.linkat(file->folder, file->name, file->folder, name, 0) == 0) {
            return true;
        }
        if (!taken && errno != EEXIST) {
            return false;
        }
        if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            (uint64_t)status.st_ino == file->inode) {
            return true;
        }
        if (!choose_free(file)) {
            return false;
        }
    }
    return false;
}

/* The two steps that change names. When the second fails the first is taken back, so that the file
 * has one name again. */
static bool rename_new(struct log_file *file)
{
    char name[FILE_NAME_SIZE], rotated[FILE_NAME_SIZE];

    file_sibling(file, "new", name);
    if (link_old(file)) {
        if (file_calls.renameat(file->folder, name, file->folder, file->name) == 0) {
            return true;
        }
        file_rotated_name(file, head_now(file)->generation, rotated);
        file_calls.unlinkat(file->folder, rotated, 0);
    }
    file_calls.unlinkat(file->folder, name, 0);
    return false;
}

/* Flushes the outgoing file, but not with `sync: none`. trim_old() frees its spare blocks. */
static void finish_old(struct log_file *file)
{
    if (file->settings.sync == AUDIT_SYNC_NONE) {
        return;
    }
    bool synced = file_calls.fdatasync(file->fd) == 0;
    uint64_t sequence = head_now(file)->sequence;
    if (synced) {
        file_note_synced(file->state.shared, sequence);
    } else {
        file_note_unsynced(file->state.shared, sequence);
    }
}

/* Never shorter than it is: what others put behind our last record stays for who looks into it. */
static void trim_old(struct log_file *file)
{
    struct stat status;

    if (file_calls.fstat(file->fd, &status) != 0) {
        file_note_rotated(file, head_now(file), NULL);
        return;
    }
    (void)file_calls.ftruncate(file->fd, status.st_size); /* else some blocks are spare */
    bool known = file_calls.fstat(file->fd, &status) == 0;
    file_note_rotated(file, head_now(file), known ? &status : NULL);
}

/* From here on the head stands in the new file, which is empty. */
static void begin_new(struct log_file *file, uint64_t inode, uint64_t reserved, int64_t now)
{
    struct state_head *head = state_begin(&file->state);

    head->generation++;
    head->inode = inode;
    head->size = 0;
    head->reserved = reserved;
    head->file_after = head->sequence;
    head->file_start = now;
    head->rotate_asked = 0;
    state_commit(&file->state);
}

/* ---- `keep` ---------------------------------------------------------------------------------- */

/* What is known of the file that this log was rotated to under a number, copied into room; NULL:
 * nothing. */
static const struct state_file *noted(struct log_file *file, uint64_t number,
                                      struct state_file *room)
{
    uint64_t generation = head_now(file)->generation;

    *room = file->state.shared->files[number % STATE_FILES];
    return number + STATE_FILES > generation && room->last != 0 ? room : NULL;
}

/* The very file that was rotated, as it was then: no need to read it. */
static bool is_unchanged(const struct stat *status, const struct state_file *note)
{
    return S_ISREG(status->st_mode) && (uint64_t)status->st_ino == note->inode &&
           (uint64_t)status->st_size == note->size && status->st_mtim.tv_sec == note->changed;
}

/* By what is in it, unless it is the very file. The chain of its first record is enough: a file is
 * of one chain. */
static bool is_our_plain(struct log_file *file, const char *name, const struct state_file *note)
{
    struct family_place place;
    struct stat status;

    if (note != NULL && note->inode != 0 &&
        file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        is_unchanged(&status, note)) {
        return true;
    }
    return family_read_first(file->folder, name, &place) && place.chain == head_now(file)->chain_id;
}

/*
 * A packed file's chain is inside, and a writer must not unpack, with its rights, what another user
 * may have put there. What gzip(1) and zstd(1) leave outside has to do: they keep the time of the
 * last change, gzip(1) ends in the length of what was packed (RFC 1952), and zstd(1) begins with it
 * (RFC 8878, 3.1.1.1). Where one is not what the rotated file had, the file is not taken for ours,
 * and stays.
 */

/* The least of a packed file, of head and tail. */
enum { PACKED_HEAD = 18 };

/* Little-endian. */
static uint64_t read_length(const unsigned char *bytes, size_t size)
{
    uint64_t length = 0;

    while (size-- > 0) {
        length = length << 8 | bytes[size];
    }
    return length;
}

static bool holds_gzip(int fd, off_t size, const unsigned char head[PACKED_HEAD], uint64_t length)
{
    unsigned char tail[4] = {0};

    return memcmp(head, "\x1F\x8B\x08", 3) == 0 &&
           file_calls.pread(fd, tail, sizeof(tail), size - (off_t)sizeof(tail)) ==
               (ssize_t)sizeof(tail) &&
           (uint32_t)read_length(tail, sizeof(tail)) == (uint32_t)length;
}

/* Of the first frame, which zstd(1) makes of the whole file. Behind the magic number and the
 * descriptor stand the window, unless the frame is a single segment, the number of a dictionary,
 * and the length, if at all. */
static bool holds_zstd(const unsigned char head[PACKED_HEAD], uint64_t length)
{
    static const uint8_t dictionary[] = {0, 1, 2, 4}, sizes[] = {0, 2, 4, 8};
    bool single = (head[4] & 0x20) != 0;
    size_t size = head[4] >> 6 == 0 && single ? 1 : sizes[head[4] >> 6];
    size_t at = 5 + (single ? 0U : 1U) + dictionary[head[4] & 3];

    return memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0 && size > 0 &&
           read_length(head + at, size) + (size == 2 ? 256 : 0) == length;
}

static bool holds_packed(int fd, enum family_packed packed, const struct state_file *note)
{
    unsigned char head[PACKED_HEAD] = {0};
    struct stat status;

    if (file_calls.fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size < PACKED_HEAD || status.st_mtim.tv_sec != note->changed ||
        file_calls.pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head)) {
        return false;
    }
    return packed == FAMILY_ZSTD ? holds_zstd(head, note->size)
                                 : holds_gzip(fd, status.st_size, head, note->size);
}

/* Without a note (a file older than the last STATE_FILES) it cannot be known, and the file
 * stays. */
static bool is_our_packed(struct log_file *file, const char *name, enum family_packed packed,
                          const struct state_file *note)
{
    int fd = note == NULL || note->size == 0
                 ? -1
                 : file_calls.openat(file->folder, name,
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    bool ours = holds_packed(fd, packed, note);
    file_calls.close(fd);
    return ours;
}

/* The one question before a file is removed: names alone prove nothing, since any program may have
 * made a file of such a name. */
static bool is_ours(struct log_file *file, const struct family_member *member)
{
    struct state_file room;
    const struct state_file *note = noted(file, member->number, &room);
    char name[FILE_NAME_SIZE + 4];

    if (member->current || member->number >= head_now(file)->generation) {
        return false;
    }
    family_name(file->name, member, name, sizeof(name));
    return member->packed ? is_our_packed(file, name, member->packed, note)
                          : is_our_plain(file, name, note);
}

/* The clock alone cannot decide when files are rotated within a tick. Remembers the last
 * FILE_STRAYS of them in this process. */
static bool was_reported(struct log_file *file, uint64_t inode)
{
    for (int i = 0; i < FILE_STRAYS; i++) {
        if (file->strays_reported[i] == inode) {
            return true;
        }
    }
    file->strays_reported[file->strays_at++ % FILE_STRAYS] = inode;
    return false;
}

/* Adds it to the list for the next audit-rotate; one that does not fit is counted all the same. */
static void name_stray(struct log_file *file, const struct family_member *member)
{
    size_t length = strlen(file->stray);
    char name[FILE_NAME_SIZE + 4];
    struct stat status;

    family_name(file->name, member, name, sizeof(name));
    if (file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        was_reported(file, (uint64_t)status.st_ino)) {
        return;
    }
    if (length + strlen(name) + 3 < sizeof(file->stray)) {
        snprintf(file->stray + length, sizeof(file->stray) - length, "%s%s", length > 0 ? ", " : "",
                 name);
    }
    file->stray_files++;
}

/* The last record of a file of ours; false: it is not known, and then the file is better kept than
 * removed without a word. */
static bool last_of(struct log_file *file, const struct family_member *member, uint64_t *ret_last)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    char name[FILE_NAME_SIZE];
    const char *problem = NULL;
    struct stat status;
    int fd = -1;
    struct state_file room;
    const struct state_file *note = noted(file, member->number, &room);

    if (note != NULL) {
        *ret_last = note->last;
        return true;
    }
    family_name(file->name, member, name, sizeof(name));
    if (member->packed || !file_open_name(file, name, &fd, &status, &problem)) {
        return false;
    }
    bool known = file_last_record(fd, ret_last, hash);
    file_calls.close(fd);
    return known && *ret_last <= head_now(file)->file_after;
}

/* Updates the head before unlink(2). A crash in between claims a removal that did not happen, which
 * is harmless; the other order makes `verify` report missing records. */
static void remove_rotated(struct log_file *file, const struct family_member *member)
{
    char name[FILE_NAME_SIZE + 4];
    uint64_t last = 0;

    if (!last_of(file, member, &last)) {
        return;
    }
    struct state_head *head = state_begin(&file->state);
    head->oldest = member->number + 1;
    if (last > head->removed_through) {
        head->removed_through = last;
    }
    state_commit(&file->state);
    family_name(file->name, member, name, sizeof(name));
    file->removed_files += file_calls.unlinkat(file->folder, name, 0) == 0;
}

/* Where the files with another number than that at first begin: a file, and what gzip(1) or
 * zstd(1) makes of it just now. first is the index of the first file with its number. */
static size_t next_number(const struct family *family, size_t first)
{
    size_t next = first + 1;

    while (next < family->count && !family->list[first].current &&
           family->list[next].number == family->list[first].number) {
        next++;
    }
    return next;
}

/* Numbers from head->oldest on, in order. Those below were looked at before. */
static bool in_question(struct log_file *file, const struct family_member *member)
{
    const struct state_head *head = head_now(file);

    return !member->current && member->number < head->generation &&
           (member->number >= head->oldest || head->oldest > head->generation);
}

/* Of the files with one number, from first to before end. */
static bool has_ours(struct log_file *file, const struct family *family, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (is_ours(file, &family->list[i])) {
            return true;
        }
    }
    return false;
}

/* What only has the number stays; it was not named while it could still become ours. */
static void remove_number(struct log_file *file, const struct family *family, size_t first,
                          size_t end)
{
    struct family_member ours[FAMILY_PACKINGS];
    size_t count = 0;

    for (size_t i = first; i < end; i++) {
        if (is_ours(file, &family->list[i]) && count < FAMILY_PACKINGS) {
            ours[count++] = family->list[i];
        } else {
            name_stray(file, &family->list[i]);
        }
    }
    for (size_t i = 0; i < count; i++) { /* updates the head: then they are not in question */
        remove_rotated(file, &ours[i]);
    }
}

/* `keep` counts numbers and not files: a file and what is being made of it are one. First all
 * are counted, then the lowest are removed until `keep` are left. */
static void remove_oldest(struct log_file *file, const struct family *family)
{
    uint64_t kept = 0;

    if (file->settings.keep == 0) {
        return;
    }
    for (size_t i = 0; i < family->count; i = next_number(family, i)) {
        kept += in_question(file, &family->list[i]) &&
                has_ours(file, family, i, next_number(family, i));
    }
    for (size_t i = 0; i < family->count && kept > file->settings.keep;
         i = next_number(family, i)) {
        size_t end = next_number(family, i);
        if (in_question(file, &family->list[i]) && has_ours(file, family, i, end)) {
            remove_number(file, family, i, end);
            kept--;
        }
    }
}

/* ---- what is not the log's ------------------------------------------------------------------- */

/* Is it what gzip(1) or zstd(1) has made of the file before it so far? It is not a stray while that
 * still writes it: it gets the right time only at the end. */
static bool may_become_ours(struct log_file *file, const struct family *family, size_t at)
{
    const struct family_member *member = &family->list[at];

    return member->packed && at > 0 && !family->list[at - 1].current &&
           family->list[at - 1].number == member->number && is_ours(file, &family->list[at - 1]);
}

/* Each is named in one record: in the first rotation after it came. since is when the file before
 * this one was begun; the kernel's own clock for a file may be a tick behind. */
static void note_strays(struct log_file *file, const struct family *family, int64_t since)
{
    const int64_t tick = 20000000;
    char name[FILE_NAME_SIZE + 4];
    struct stat status;

    for (size_t i = 0; i < family->count; i++) {
        const struct family_member *member = &family->list[i];
        family_name(file->name, member, name, sizeof(name));
        if (member->current ||
            file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            status.st_ctim.tv_sec * INT64_C(1000000000) + status.st_ctim.tv_nsec < since - tick ||
            is_ours(file, member) || may_become_ours(file, family, i)) {
            continue;
        }
        name_stray(file, member);
    }
}

/* Once for each rotation, whatever lies there. */
static void look_round(struct log_file *file, int64_t since)
{
    struct family family;

    if (family_list(file->folder, file->name, &family)) {
        note_strays(file, &family, since);
        remove_oldest(file, &family);
    }
    family_release(&family);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The steps at the top of this file. Until rename_new() a failure leaves everything as it was.
 * Under each `sync` but none, the folder is flushed before the old file is shortened and the head
 * moves on. */
static bool rotate(struct log_file *file, int64_t now)
{
    const struct state_head *head = head_now(file);
    /* What lay there before the first file of the log was begun has not been named either. */
    int64_t since = head->generation == head->oldest ? 0 : head->file_start;
    uint64_t limit = file->settings.rotate_bytes, size = head->size;
    struct stat status;
    uint64_t reserved = 0;
    int fd = -1;

    if (!make_new(file, &fd, &status, &reserved)) {
        return false;
    }
    finish_old(file);
    if (!rename_new(file)) {
        file_calls.close(fd);
        return false;
    }
    if (file->settings.sync != AUDIT_SYNC_NONE) {
        (void)file_calls.fsync(file->folder); /* else the disk has the old order of names */
    }
    trim_old(file);
    file->beyond = limit != 0 && size > limit ? size - limit : 0;
    begin_new(file, (uint64_t)status.st_ino, reserved, now);
    if (file_take(file, fd, (uint64_t)status.st_ino)) {
        atomic_store(&file->after, head_now(file)->file_after);
    }
    look_round(file, since);
    return true;
}

/* A failure is no error of the record: the file grows, and the background thread is called. */
void file_rotate_if_due(struct log_file *file, size_t length, int64_t now)
{
    struct stat status;

    /* A thread that has its own identity back can what it could not a moment ago. */
    if (!is_due(file, length, now) || (file->rotation_failed && file->failed_as == geteuid() &&
                                       file->locks % FILE_LOOK_EVERY != 0)) {
        return;
    }
    /* No other file may get the name: repair.c handles a current file that is not the log's. */
    int found = file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW);
    if (found == 0 && (uint64_t)status.st_ino == file->inode) {
        file->rotation_failed = !rotate(file, now);
    } else {
        int error = errno;
        file->rotation_failed = true;
        (void)state_prove(&file->state);
        atomic_fetch_or(&file->state.shared->dirty,
                        found == 0 || error == ENOENT ? STATE_LOOK : STATE_CLEAN);
    }
    if (file->rotation_failed) {
        file->failed_as = geteuid();
        file_call_background(file);
    }
    (void)state_prove(&file->state);
}

/* Due while the current file is empty and the log is not: also when the process that rotated was
 * killed before it wrote the record. The state needs no proof here: since the last one no call was
 * made, or it proved the state at its end. */
bool file_begins_rotated(struct log_file *file, struct rotated_due *ret_due,
                         enum audit_loss *ret_loss)
{
    const struct state_head *head = state_head(&file->state);
    struct stat status;

    ret_due->some = false;
    if (file->inode != head->inode) { /* the descriptor could not be replaced: not ours to write */
        *ret_loss = AUDIT_LOSS_REMOVED;
        return false;
    }
    if (head->size != 0 || head->sequence == 0) {
        return true;
    }
    ret_due->some = true;
    file_rotated_name(file, head->generation - 1, ret_due->previous);
    if (file_calls.fstatat(file->folder, ret_due->previous, &status, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT) {
        ret_due->previous[0] = '\0';
    }
    head = head_now(file);
    ret_due->facts = (struct audit_rotated){.previous = ret_due->previous,
                                            .removed_files = file->removed_files,
                                            .removed_through = head->removed_through,
                                            .beyond = file->beyond,
                                            .stray_files = file->stray_files,
                                            .stray = file->stray};
    return true;
}

/* What has been reported is counted from 0 again. */
void file_rotation_reported(struct log_file *file)
{
    file->removed_files = file->stray_files = file->beyond = 0;
    file->stray[0] = '\0';
}
