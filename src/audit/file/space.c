/* SPDX-License-Identifier: MIT */
/*
 * Room for records. Blocks beyond the end are allocated ahead (KEEP_SIZE: the size of the file
 * stays what was written), so that there is always room left to record that records were lost, and
 * a full disk is met here and not in the middle of a record. file.c calls it before each record.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "audit/file/file_internal.h"

enum {
    STEP = 1024 * 1024,
    AHEAD = 32 * 1024, /* so that "full" is reported before the first loss */
    LOW_PERCENT = 90,
    NORMAL_PERCENT = 85,
};

/* ---- the limit of the process -----------------------------------------------------------------
 */

/*
 * setrlimit(2) may change RLIMIT_FSIZE at any time, and the kernel looks at it with each write, so
 * nothing is ever written beyond it, whatever is known here. What it is known for is the tail of
 * the file that is kept free for reports of losses. Records of FILE_LIMIT_EVERY locks are a part of
 * that tail: so often it is read, and before each refusal because of it.
 */
void file_read_limit(struct log_file *file)
{
    struct rlimit limit;

    file->size_limit =
        file_calls.getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY
            ? UINT64_MAX
            : limit.rlim_cur;
}

/* False is never said by an old limit: one that was lifted must not hold up a record. */
static bool within_limit(struct log_file *file, uint64_t end)
{
    if (end > file->size_limit) {
        file_read_limit(file);
    }
    return end <= file->size_limit;
}

/* ---- the space ------------------------------------------------------------------------------- */

/* As df(1) has it: what is kept for root counts neither as used nor as free. */
static unsigned percent_used(const struct statvfs *space)
{
    uint64_t used = space->f_blocks - space->f_bfree;
    uint64_t all = used + space->f_bavail;

    return all == 0 ? 100 : (unsigned)((used * 100 + all - 1) / all);
}

/* A step that has its record is not reported again before the space was normal. least is what the
 * caller has met already; below it the percentage decides. Between NORMAL_PERCENT and LOW_PERCENT
 * the step stays as it is, so that a disk at the limit does not make a record each time. */
static void look(struct log_file *file, enum space_step least, struct space_due *ret_due)
{
    static const char *const names[] = {"normal", "low", "full", "flooded"};
    enum space_step now = state_head(&file->state)->space_step, next = least;
    struct statvfs space;

    if (file_calls.fstatvfs(file->fd, &space) != 0) {
        return;
    }
    (void)state_prove(&file->state);
    unsigned percent = percent_used(&space);
    file->space_looked = true;
    if (next == SPACE_NORMAL && percent >= LOW_PERCENT) {
        next = SPACE_LOW;
    }
    if (next > now || (next == SPACE_NORMAL && now > SPACE_NORMAL && percent < NORMAL_PERCENT)) {
        ret_due->some = true;
        ret_due->step = next;
        ret_due->facts = (struct audit_space){
            .step = names[next],
            .available = (uint64_t)space.f_bavail * space.f_frsize,
            .used_percent = percent,
        };
    }
}

/* fallocate(2) may be interrupted by a signal on a slow file system. */
static int allocate(int fd, uint64_t from, uint64_t length)
{
    int result;

    do {
        result = file_calls.fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)length);
    } while (result != 0 && errno == EINTR);
    return result;
}

/* Large steps first, and smaller ones as the disk fills. Any error but a lack of room ends it. */
bool file_allocate(int fd, uint64_t from, uint64_t least, uint64_t *ret_to,
                   enum audit_loss *ret_loss)
{
    const uint64_t steps[] = {STEP, STEP / 4, least};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i] < least) {
            continue;
        }
        if (allocate(fd, from, steps[i]) == 0) {
            *ret_to = from + steps[i];
            return true;
        }
        if (errno == EOPNOTSUPP || errno == ENOSYS) {
            *ret_to = UINT64_MAX; /* then write(2) reports it, and the tail is a hope */
            return true;
        }
        if (file_loss_of(errno) != AUDIT_LOSS_NO_SPACE) {
            break;
        }
    }
    *ret_loss = file_loss_of(errno);
    return false;
}

/* Allocates from where blocks end now to at least `to`, and notes in the head how far they reach.
 * Nothing when they reach so far already. */
static bool extend(struct log_file *file, uint64_t to, enum audit_loss *ret_loss)
{
    const struct state_head *head = state_head(&file->state);
    uint64_t from = head->reserved > head->size ? head->reserved : head->size, reached = 0;

    if (to <= from) {
        return true;
    }
    bool allocated = file_allocate(file->fd, from, to - from, &reached, ret_loss);
    (void)state_prove(&file->state);
    if (!allocated) {
        return false;
    }
    state_begin(&file->state)->reserved = reached;
    state_commit(&file->state);
    return true;
}

/* A limit on the size of files is a full disk, and leaves room for the tail as well. Where the file
 * would end with the record and all that must still fit behind it. */
static uint64_t end_of(const struct log_file *file, size_t length, bool may_use_tail)
{
    return state_head(&file->state)->size + length + (may_use_tail ? 0 : FILE_TAIL);
}

/* The usual case costs no system call: what was allocated a step before still suffices. */
void file_allocate_ahead(struct log_file *file, size_t length, bool may_use_tail,
                         struct space_due *ret_due)
{
    uint64_t need = end_of(file, length, may_use_tail);
    enum audit_loss loss = AUDIT_LOSS_NO_SPACE;
    bool limited = !within_limit(file, need);

    if (!limited && file->space_looked && state_head(&file->state)->reserved >= need + AHEAD) {
        return;
    }
    bool ahead = !limited && extend(file, need + AHEAD, &loss);
    if (ret_due != NULL && (ahead || loss == AUDIT_LOSS_NO_SPACE)) {
        look(file, ahead ? SPACE_NORMAL : SPACE_FULL, ret_due);
    }
}

/* The record itself must fit, and for an ordinary one the tail behind it: the tail stays free for
 * the records that report what was lost. */
bool file_make_room(struct log_file *file, size_t length, bool may_use_tail,
                    struct space_due *ret_due, enum audit_loss *ret_loss)
{
    uint64_t need = end_of(file, length, may_use_tail);
    enum audit_loss loss = AUDIT_LOSS_NO_SPACE;

    if (within_limit(file, need) &&
        (state_head(&file->state)->reserved >= need || extend(file, need, &loss))) {
        return true;
    }
    if (ret_due != NULL && loss == AUDIT_LOSS_NO_SPACE) {
        look(file, SPACE_FLOODED, ret_due);
    }
    *ret_loss = loss;
    return false;
}

/* In the head, so that another process does not report the same step. */
void file_space_reported(struct log_file *file, const struct space_due *due)
{
    state_begin(&file->state)->space_step = due->step;
    state_commit(&file->state);
}
