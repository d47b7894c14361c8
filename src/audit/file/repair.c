/* SPDX-License-Identifier: MIT */
/*
 * Finding the current file, and making head and file agree after a writer was killed, the system
 * went down, or the log was removed, cut or replaced.
 *
 * What is longer than the head says was written by a writer who was killed before the head said so:
 * whole records that continue the chain are taken over; the rest is a torn record. What is shorter
 * has lost records; the chain goes on from the head, never from what is left in the file, so that a
 * cut stays visible.
 *
 * file_settle() takes a copy of the head; find_and_repair() asks look() where the file is that the
 * head stands in, and goes on from file to file until that is the current one. In each, agree()
 * takes over what is behind the head (adopt()) or counts what is missing (continue_after_loss()).
 * The copy is committed at the end, so that a kill in between leaves the state as it was, and the
 * next writer repairs again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "base/limit.h"
#include "model/record_limits.h"

/* The end of a file is looked for in the last 64 KiB, and if that has no whole record in so much
 * that the longest one fits. MAX_STEPS bounds the walk through rotated files. */
enum { SMALL_WINDOW = 64 * 1024, LARGE_WINDOW = 2 * RECORD_MAX_LINE, MAX_STEPS = 100000 };

/* A copy of what the state says, changed here and written back in one step (state_commit_all()): a
 * kill in the middle of a repair leaves the state as it was, and the next writer repairs again. */
struct repair {
    struct log_file *file;
    struct state_head head;
    struct state_loss pending;
    uint64_t lost_total[AUDIT_LOSS_COUNT];
    uint32_t dirty;
    uint64_t synced, unsynced_first, unsynced_last; /* as the state had them */
    bool aside_reported; /* the record about a state that was set aside is there */
    int64_t now;
    enum audit_loss loss; /* why it failed */
    const char *problem;
};

/* Always false, to be returned. problem is for an administrator, loss for the count. */
static bool fail(struct repair *repair, enum audit_loss loss, const char *problem)
{
    repair->loss = loss;
    repair->problem = problem;
    return false;
}

/* ---- reading back ---------------------------------------------------------------------------- */

/* As in family.c: a line may hold a NUL. */
static const char *find(const char *line, size_t length, const char *what)
{
    return memmem(line, length, what, strlen(what));
}

/* Fills as much of buffer as there is. -1 and errno. */
static ssize_t read_at(int fd, char *buffer, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = file_calls.pread(fd, buffer + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* The hash that a line ends in; false: it ends otherwise. */
static bool line_hash(const char *line, size_t length, unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    const size_t end = sizeof(AUDIT_LINE_END) - 1, hex = CHAIN_HEX_SIZE - 1;

    return length > end + hex && memcmp(line + length - end, AUDIT_LINE_END, end) == 0 &&
           chain_parse_hex(line + length - end - hex, hex, ret_hash);
}

/* No value can hold a bare quote, so that the name is found only where it is one. A number beyond
 * 64 bits is refused and not cut. */
static bool line_sequence(const char *line, size_t length, uint64_t *ret_sequence)
{
    static const char name[] = "\"sequence\":";
    const char *at = find(line, length, name);
    uint64_t sequence = 0;

    if (at == NULL) {
        return false;
    }
    for (at += sizeof(name) - 1; at < line + length && *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(sequence, 10, &sequence) ||
            __builtin_add_overflow(sequence, (uint64_t)(*at - '0'), &sequence)) {
            return false;
        }
    }
    *ret_sequence = sequence;
    return sequence > 0;
}

/* The number behind a name; base 10 or 16. */
static bool number_behind(const char *line, size_t length, const char *name, int base,
                          uint64_t *ret_number)
{
    const char *at = find(line, length, name);
    char digits[24] = "", *end;

    if (at == NULL) {
        return false;
    }
    at += strlen(name);
    size_t left = (size_t)(line + length - at);
    memcpy(digits, at, left < sizeof(digits) - 1 ? left : sizeof(digits) - 1);
    *ret_number = strtoull(digits, &end, base);
    return end != digits;
}

/* A line with everything that a new state needs to go on behind it. */
static bool chained_line(const char *line, size_t length, struct file_last *ret_last)
{
    return line_sequence(line, length, &ret_last->sequence) &&
           line_hash(line, length, ret_last->hash) &&
           number_behind(line, length, "\"chain\":{\"id\":\"", 16, &ret_last->chain_id) &&
           number_behind(line, length, "\"epoch\":", 10, &ret_last->epoch);
}

/* From the end backwards, line by line. The first line may be a part, which then has no beginning
 * but may hold all that is looked for. */
static bool last_chained_in(const char *bytes, size_t length, struct file_last *ret_last)
{
    const char *end = memrchr(bytes, '\n', length);

    while (end != NULL) {
        const char *before = memrchr(bytes, '\n', (size_t)(end - bytes));
        const char *line = before != NULL ? before + 1 : bytes;
        if (chained_line(line, (size_t)(end - line), ret_last)) {
            return true;
        }
        end = before;
    }
    return false;
}

/* The last whole record in bytes. */
static bool last_in(const char *bytes, size_t length, uint64_t *ret_sequence,
                    unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    const char *end = memrchr(bytes, '\n', length);

    while (end != NULL) {
        const char *before = memrchr(bytes, '\n', (size_t)(end - bytes));
        const char *line = before != NULL ? before + 1 : bytes;
        if (line_sequence(line, (size_t)(end - line), ret_sequence)) {
            memset(ret_hash, 0, CHAIN_HASH_SIZE);
            (void)line_hash(line, (size_t)(end - line), ret_hash);
            return true;
        }
        end = before;
    }
    return false;
}

/* What is looked for at the end of a file. */
struct looking {
    bool chained;
    bool failed; /* it could not be looked for */
    struct file_last last;
};

/* With its chain for a state that is lost, by its number alone otherwise. */
static bool look_in(struct looking *looking, const char *bytes, size_t length)
{
    return looking->chained ? last_chained_in(bytes, length, &looking->last)
                            : last_in(bytes, length, &looking->last.sequence, looking->last.hash);
}

/* False: not found. looking->failed keeps "cannot be read" apart from "is not there", since the
 * first must not be taken for an empty log. */
static bool look_at_end(int fd, struct looking *looking)
{
    static const size_t windows[] = {SMALL_WINDOW, LARGE_WINDOW};
    struct stat status;
    bool found = false;

    if (file_calls.fstat(fd, &status) != 0) {
        looking->failed = true;
        return false;
    }
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]) && !found; i++) {
        uint64_t size = (uint64_t)status.st_size;
        size_t window = size < windows[i] ? (size_t)size : windows[i];
        char *bytes = base_alloc(window + 1, 1);
        ssize_t got = bytes == NULL ? -1 : read_at(fd, bytes, window, size - window);
        looking->failed |= got < 0 || (size_t)got < window;
        found = got > 0 && look_in(looking, bytes, (size_t)got);
        base_free(bytes);
    }
    return found;
}

/* A record without a chain counts, with the hash 0. */
bool file_last_record(int fd, uint64_t *ret_sequence, unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    struct looking looking = {.chained = false};
    bool found = look_at_end(fd, &looking);

    if (found) {
        *ret_sequence = looking.last.sequence;
        memcpy(ret_hash, looking.last.hash, CHAIN_HASH_SIZE);
    }
    return found;
}

/* Found is enough for true, even when one of the windows could not be read. */
bool file_last_chained(int fd, bool *ret_found, struct file_last *ret_last)
{
    struct looking looking = {.chained = true};

    *ret_found = look_at_end(fd, &looking);
    if (*ret_found) {
        *ret_last = looking.last;
    }
    return *ret_found || !looking.failed;
}

/* Does the file have, where the head ends, what the head ends in? A head without a hash (no record
 * yet, or a state that was lost) is held by every file. */
static bool holds_head(int fd, const struct state_head *head)
{
    static const unsigned char none[CHAIN_HASH_SIZE];
    char tail[CHAIN_HEX_SIZE - 1 + sizeof(AUDIT_LINE_END) + 1];
    const size_t length = sizeof(tail) - 1;
    unsigned char hash[CHAIN_HASH_SIZE];

    if (head->size == 0 || memcmp(head->hash, none, sizeof(none)) == 0) {
        return true;
    }
    tail[0] = '"'; /* line_hash() wants a line that is longer than its end */
    return head->size > length &&
           read_at(fd, tail + 1, length, head->size - length) == (ssize_t)length &&
           tail[length] == '\n' && line_hash(tail, length, hash) &&
           chain_hash_equal(hash, head->hash);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Adds to what is pending for the file and to the totals. When the records were lost is not known,
 * so the time is that of the repair. */
static void count(struct repair *repair, enum audit_loss cause, uint64_t number)
{
    if (number == 0) {
        return;
    }
    repair->pending.by_cause[cause] += number;
    repair->lost_total[cause] += number;
    repair->pending.first = repair->pending.first == 0 ? repair->now : repair->pending.first;
    repair->pending.last = repair->now;
}

/* Is it known that the disk had this one? What a failed sync had to make durable was not, whatever
 * a later one said (sync.c). */
static bool was_synced(const struct repair *repair, uint64_t sequence)
{
    uint64_t first = repair->unsynced_first;

    return sequence <= repair->synced &&
           (first == 0 || sequence < first || sequence > repair->unsynced_last);
}

/* The records from first to the head are gone. A crash takes only what was not synced. */
static void count_missing(struct repair *repair, uint64_t first)
{
    uint64_t last = repair->head.sequence, crashed = 0;

    if (first > last) {
        return;
    }
    for (uint64_t i = last; (repair->dirty & STATE_REBOOT) != 0 && i >= first; i--) {
        crashed += !was_synced(repair, i);
    }
    count(repair, AUDIT_LOSS_CRASH, crashed);
    count(repair, AUDIT_LOSS_CUT, last - first + 1 - crashed);
    if (repair->pending.first_sequence == 0 || first < repair->pending.first_sequence) {
        repair->pending.first_sequence = first;
    }
    repair->pending.last_sequence = last;
}

/* ---- what is longer than the head ------------------------------------------------------------ */

static bool continues(const struct state_head *head, const char *line, size_t length)
{
    char hex[CHAIN_HEX_SIZE], expected[256];
    uint64_t sequence = 0;

    chain_hex(head->hash, hex);
    snprintf(expected, sizeof(expected),
             "\"chain\":{\"id\":\"%016llx\",\"epoch\":%llu,\"prev\":\"%s\"}",
             (unsigned long long)head->chain_id, (unsigned long long)head->epoch, hex);
    return find(line, length, expected) != NULL && line_sequence(line, length, &sequence) &&
           sequence == head->sequence + 1;
}

/* Takes over a record of a writer who was killed before the head said that it is there. */
static bool adopt_line(struct repair *repair, const char *line, size_t length)
{
    const size_t behind = sizeof(AUDIT_LINE_END) - 1 + CHAIN_HEX_SIZE - 1;
    unsigned char written[CHAIN_HASH_SIZE], right[CHAIN_HASH_SIZE];

    if (!line_hash(line, length, written) || !continues(&repair->head, line, length)) {
        return false;
    }
    chain_hash(&repair->head.key, line, length - behind, right);
    if (!chain_hash_equal(written, right)) {
        return false;
    }
    (void)state_prove(&repair->file->state); /* it was read for some time */
    const struct state_order order =
        file_order_next(&repair->file->state, &repair->head, line, length);
    file_order_keep(&repair->file->state, &repair->head, &order, right);
    file_advance(&repair->head, right, length + 1,
                 find(line, length, "\"action\":\"audit-seal\"") != NULL, repair->now);
    if (find(line, length, "\"action\":\"records-lost\"") != NULL &&
        find(line, length, "\"lost\":{\"sink\":\"file\"") != NULL) {
        memset(&repair->pending, 0, sizeof(repair->pending));
    }
    repair->aside_reported |= find(line, length, "\"action\":\"audit-state-set-aside\"") != NULL;
    return true;
}

/* Goes through whole lines; gives how many bytes they are. */
static size_t adopt_lines(struct repair *repair, const char *bytes, size_t length, uint64_t *torn)
{
    size_t done = 0;
    const char *end;

    while ((end = memchr(bytes + done, '\n', length - done)) != NULL) {
        size_t line = (size_t)(end - bytes) - done;
        if (!adopt_line(repair, bytes + done, line)) {
            *torn += line > 0;
            repair->head.size += line + 1;
        }
        done += line + 1;
    }
    return done;
}

/* So that no record is glued to a torn one. */
static bool end_line(struct repair *repair, int fd)
{
    if (!limit_allows_file(repair->head.size + 1)) {
        return fail(repair, AUDIT_LOSS_NO_SPACE, "a torn record cannot be ended");
    }
    while (file_calls.write(fd, "\n", 1) != 1) {
        if (errno != EINTR) {
            return fail(repair, file_loss_of(errno), "a torn record cannot be ended");
        }
    }
    repair->head.size++;
    return true;
}

/* A writer leaves at most one torn record. Any other malformed line was put there by someone and
 * must not be counted as an ordinary loss. */
static void count_torn(struct repair *repair, uint64_t torn)
{
    if (torn > 0 && (repair->dirty & STATE_REBOOT) != 0) {
        count(repair, AUDIT_LOSS_CRASH, torn);
    } else if (torn > 0 && (repair->dirty & STATE_KILLED) != 0) {
        count(repair, AUDIT_LOSS_KILLED, 1);
    }
}

/* Bytes without a newline: a part of what is longer than any record, or the end. There, nothing but
 * the newline may lack. False: a newline has to be written. */
static bool adopt_end(struct repair *repair, const char *bytes, size_t length, uint64_t size,
                      uint64_t *torn)
{
    if (repair->head.size + length < size) {
        repair->head.size += length;
        return true;
    }
    if (adopt_line(repair, bytes, length)) {
        repair->head.size--; /* the newline comes next */
    } else {
        repair->head.size += length;
        (*torn)++;
    }
    return false;
}

/* Goes through what is behind the head, in blocks of at most one longest record. A block without a
 * newline is a part of a line, or the end. */
static bool adopt(struct repair *repair, int fd, uint64_t size)
{
    uint64_t more = size - repair->head.size, torn = 0;
    size_t room = more < RECORD_MAX_LINE ? (size_t)more : RECORD_MAX_LINE;
    char *bytes = base_alloc(room + 1, 1);
    bool whole = true;

    if (bytes == NULL) {
        return fail(repair, AUDIT_LOSS_NO_MEMORY, "out of memory");
    }
    while (repair->head.size < size && whole) {
        ssize_t got = read_at(fd, bytes, room, repair->head.size);
        if (got <= 0) {
            base_free(bytes);
            return fail(repair, AUDIT_LOSS_IO_ERROR, "it cannot be read");
        }
        if (adopt_lines(repair, bytes, (size_t)got, &torn) == 0) {
            whole = adopt_end(repair, bytes, (size_t)got, size, &torn);
        }
    }
    base_free(bytes);
    count_torn(repair, torn);
    return whole || end_line(repair, fd);
}

/* ---- what is shorter, or another ------------------------------------------------------------- */

/* The numbers go on behind the head. Those between the last record that is left and the head are
 * counted as missing. */
static bool continue_after_loss(struct repair *repair, int fd, uint64_t size)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    uint64_t last = 0;
    char end = '\n';

    if (!file_last_record(fd, &last, hash) || last < repair->head.file_after) {
        last = repair->head.file_after;
    }
    count_missing(repair, last + 1);
    repair->head.size = size;
    repair->head.reserved = 0;
    if (size > 0 && read_at(fd, &end, 1, size - 1) != 1) {
        return fail(repair, AUDIT_LOSS_IO_ERROR, "it cannot be read");
    }
    return end == '\n' || end_line(repair, fd);
}

/* Makes the head agree with a file that it belongs to. */
static bool agree(struct repair *repair, int fd)
{
    struct stat status;

    if (file_calls.fstat(fd, &status) != 0) {
        return fail(repair, file_loss_of(errno), "it cannot be looked at");
    }
    uint64_t size = (uint64_t)status.st_size;
    if (size < repair->head.size || (repair->dirty != 0 && !holds_head(fd, &repair->head))) {
        return continue_after_loss(repair, fd, size);
    }
    return size == repair->head.size || adopt(repair, fd, size);
}

/* ---- where the file is ----------------------------------------------------------------------- */

/* Where the file is that the head stands in: under the log's name, under its rotated name, packed,
 * gone without a successor, gone with another file in its place, or not visible to this thread. */
enum whereabouts { HERE, ROTATED, PACKED, NOWHERE, ANOTHER, NOT_FOR_US };

/* 0: not found, or not visible to this thread. */
static uint64_t inode_of(const struct log_file *file, const char *name)
{
    struct stat status;

    return file_calls.fstatat(file->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0
               ? (uint64_t)status.st_ino
               : 0;
}

/* Does the file begin with the record that follows the head? */
static bool holds_next(const struct repair *repair, const char *name)
{
    struct family_place place;

    return family_read_first(repair->file->folder, name, &place) &&
           place.chain == repair->head.chain_id && place.sequence == repair->head.sequence + 1;
}

/* Was the file packed with gzip(1) or zstd(1) between the end of a writer who was killed in a
 * rotation and the next one? What is in it we cannot see; but the current file goes on behind the
 * head, so that a verifier misses every record that should be in the packed one and is not. */
static bool was_packed(const struct repair *repair, const struct stat *current)
{
    const struct log_file *file = repair->file;
    char rotated[FILE_NAME_SIZE], packed[FILE_NAME_SIZE + 4];
    struct stat status;

    file_rotated_name(file, repair->head.generation, rotated);
    bool there = false;
    for (enum family_packed i = FAMILY_GZIP; i < FAMILY_PACKINGS && !there; i++) {
        const struct family_member member = {.number = repair->head.generation, .packed = i};
        family_name(file->name, &member, packed, sizeof(packed));
        there = file_calls.fstatat(file->folder, packed, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(status.st_mode) && status.st_size > 0;
    }
    return repair->head.inode != 0 && inode_of(file, rotated) == 0 && there &&
           (current->st_size == 0 || holds_next(repair, file->name));
}

/* By inodes: names alone do not say how far a rotation came. */
static enum whereabouts look(const struct repair *repair)
{
    const struct log_file *file = repair->file;
    char rotated[FILE_NAME_SIZE];
    struct stat status;

    int found = file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW);
    if (found != 0 && errno != ENOENT) {
        return file->inode == repair->head.inode ? HERE : NOT_FOR_US;
    }
    if (found == 0 && (uint64_t)status.st_ino == repair->head.inode) {
        return HERE;
    }
    file_rotated_name(file, repair->head.generation, rotated);
    if (repair->head.inode != 0 && inode_of(file, rotated) == repair->head.inode) {
        return ROTATED;
    }
    return found != 0 ? NOWHERE : was_packed(repair, &status) ? PACKED : ANOTHER;
}

/* The head stands at the beginning of a file that holds nothing of the log yet. */
static void begin_file(struct repair *repair, uint64_t inode)
{
    repair->head.inode = inode;
    repair->head.size = 0;
    repair->head.reserved = 0;
    repair->head.file_after = repair->head.sequence;
    repair->head.file_start = repair->now;
    repair->head.rotate_asked = 0;
}

/* A kill in the middle of a rotation leaves a second name or an unfinished new file. The second
 * name is removed only while the first is the same file. */
static void clear_leftovers(struct repair *repair)
{
    const struct log_file *file = repair->file;
    char name[FILE_NAME_SIZE];

    file_sibling(file, "new", name);
    (void)file_calls.unlinkat(file->folder, name, 0);
    file_rotated_name(file, repair->head.generation, name);
    if (inode_of(file, name) == repair->head.inode &&
        inode_of(file, file->name) == repair->head.inode) {
        (void)file_calls.unlinkat(file->folder, name, 0);
    }
}

/* The usual case: the name is right, and at most the descriptor is that of the file before. */
static bool repair_here(struct repair *repair)
{
    struct log_file *file = repair->file;
    struct stat status;
    int fd = -1;

    if (file->inode != repair->head.inode) {
        if (!file_open_name(file, file->name, &fd, &status, &repair->problem)) {
            return fail(repair, AUDIT_LOSS_REMOVED, repair->problem);
        }
        if (!file_take(file, fd, (uint64_t)status.st_ino)) {
            return fail(repair, AUDIT_LOSS_REMOVED, "the descriptor cannot be replaced");
        }
    }
    if ((repair->dirty & (STATE_KILLED | STATE_REBOOT)) != 0) {
        clear_leftovers(repair);
    }
    return agree(repair, file->fd);
}

/* The number of the file that goes on, by what is in it: one that has the next number need not be
 * the log's. Where none does, the current file goes on, and gets the next number. */
static uint64_t next_generation(const struct repair *repair)
{
    const struct log_file *file = repair->file;
    uint64_t next = repair->head.generation + 1;
    char name[FILE_NAME_SIZE + 4];
    struct family family;

    bool listed = family_list(file->folder, file->name, &family);
    for (size_t i = 0; i < family.count && listed; i++) {
        const struct family_member *member = &family.list[i];
        family_name(file->name, member, name, sizeof(name));
        if (!member->current && !member->packed && member->number > repair->head.generation &&
            holds_next(repair, name)) {
            next = member->number;
            break;
        }
    }
    family_release(&family);
    return next;
}

/* status: of the file that the head stood in; NULL: it was packed, and is not known. */
static void go_to_next(struct repair *repair, const struct stat *status)
{
    struct log_file *file = repair->file;
    char name[FILE_NAME_SIZE];

    file_note_rotated(file, &repair->head, status);
    repair->head.generation = next_generation(repair);
    file_rotated_name(file, repair->head.generation, name);
    uint64_t next = holds_next(repair, name) ? inode_of(file, name) : 0;
    begin_file(repair, next != 0 ? next : inode_of(file, file->name));
}

/* The head points into a rotated file: a writer was killed during the rotation, or the head on disk
 * is older than the rotation. What follows is in the next generation, or the current file. The file
 * is opened by its rotated name, made to agree like the current one, and noted for `keep`. */
static bool step_on(struct repair *repair)
{
    struct log_file *file = repair->file;
    char name[FILE_NAME_SIZE];
    struct stat status;
    int fd = -1;

    file_rotated_name(file, repair->head.generation, name);
    if (!file_open_name(file, name, &fd, &status, &repair->problem)) {
        return fail(repair, AUDIT_LOSS_REMOVED, repair->problem);
    }
    bool agreed = agree(repair, fd);
    bool known = file_calls.fstat(fd, &status) == 0; /* agree() may have ended a line */
    file_calls.close(fd);
    if (agreed) {
        go_to_next(repair, known ? &status : NULL);
    }
    return agreed;
}

/* The log was removed. Its records are counted as missing, and the chain goes on in a new file. */
static bool begin_anew(struct repair *repair)
{
    struct log_file *file = repair->file;
    struct stat status;
    int fd = -1;

    if (!file_create(file, file->name, &fd, &status)) {
        return fail(repair,
                    errno == EACCES || errno == EPERM ? AUDIT_LOSS_REMOVED : file_loss_of(errno),
                    "it is gone and cannot be made");
    }
    count_missing(repair, repair->head.file_after + 1);
    begin_file(repair, (uint64_t)status.st_ino);
    return file_take(file, fd, (uint64_t)status.st_ino) ||
           fail(repair, AUDIT_LOSS_REMOVED, "the descriptor cannot be replaced");
}

/* Another file has the name. One with the same content (a copy, a restored backup) takes the place
 * of the old; anything else is set aside by a rotation, so that it stays for who looks into it. */
static bool take_another(struct repair *repair)
{
    struct log_file *file = repair->file;
    struct stat status;
    int fd = -1;

    if (!file_open_name(file, file->name, &fd, &status, &repair->problem)) {
        return fail(repair, AUDIT_LOSS_REMOVED, repair->problem);
    }
    bool same = repair->head.size > 0 && (uint64_t)status.st_size >= repair->head.size &&
                holds_head(fd, &repair->head);
    if (!file_take(file, fd, (uint64_t)status.st_ino)) {
        return fail(repair, AUDIT_LOSS_REMOVED, "the descriptor cannot be replaced");
    }
    repair->head.inode = (uint64_t)status.st_ino;
    repair->head.reserved = 0;
    if (same) {
        return agree(repair, file->fd);
    }
    if (!continue_after_loss(repair, file->fd, (uint64_t)status.st_size)) {
        return false;
    }
    if (status.st_size == 0) {
        begin_file(repair, (uint64_t)status.st_ino);
    }
    repair->head.rotate_asked = status.st_size > 0;
    return true;
}

/* Each step moves the head at least one file on, until it stands in the current one. */
static bool find_and_repair(struct repair *repair)
{
    for (int i = 0; i < MAX_STEPS; i++) {
        switch (look(repair)) {
        case HERE:
            return repair_here(repair);
        case ROTATED:
            if (!step_on(repair)) {
                return false;
            }
            break;
        case PACKED:
            go_to_next(repair, NULL);
            break;
        case NOWHERE:
            return begin_anew(repair);
        case ANOTHER:
            return take_another(repair);
        case NOT_FOR_US:
            return fail(repair, AUDIT_LOSS_REMOVED, "its folder cannot be searched");
        }
    }
    return fail(repair, AUDIT_LOSS_REMOVED, "its files are in no order");
}

/* Works on a copy, writes it back as one, and clears the reasons for the repair last: after a kill
 * before that it is done again. */
bool file_settle(struct log_file *file, enum audit_loss *ret_loss, const char **ret_problem)
{
    struct state_shared *shared = file->state.shared;
    struct repair repair = {.file = file,
                            .dirty = atomic_load(&shared->dirty) & STATE_REPAIR,
                            .synced = atomic_load(&shared->synced),
                            .unsynced_first = atomic_load(&shared->unsynced_first),
                            .unsynced_last = atomic_load(&shared->unsynced_last),
                            .now = audit_now(),
                            .loss = AUDIT_LOSS_REMOVED};

    bool good = state_sound(&file->state) || fail(&repair, AUDIT_LOSS_IO_ERROR, "no head is whole");
    if (good) {
        memcpy(&repair.head, state_head(&file->state), sizeof(repair.head));
        memcpy(&repair.pending, &shared->pending[SINK_FILE], sizeof(repair.pending));
        memcpy(repair.lost_total, shared->lost_total, sizeof(repair.lost_total));
        good = find_and_repair(&repair);
    }
    if (good) {
        state_commit_all(&file->state, &repair.head, &repair.pending, repair.lost_total);
        atomic_fetch_and(&shared->dirty,
                         repair.aside_reported ? STATE_CLEAN : ~(uint32_t)STATE_REPAIR);
        atomic_store(&file->after, repair.head.file_after);
        atomic_store(&file->written, repair.head.sequence);
    } else {
        *ret_loss = repair.loss;
        if (ret_problem != NULL) {
            *ret_problem = repair.problem;
        }
    }
    chain_key_wipe(&repair.head.key);
    return good;
}
