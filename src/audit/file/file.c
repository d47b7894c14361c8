/* SPDX-License-Identifier: MIT */
/*
 * Locking and appending; opening is in file_open.c.
 *
 * A record is one write(2) at the end of the file, under the lock; then the head says that it is
 * there. In between, a kill leaves a record that the head does not know: repair.c takes it over.
 *
 * The state is mapped, and a touch of it raises SIGBUS when its file was cut. So fstat(2) on its
 * descriptor proves its size when the lock was taken, and again after each call that may take its
 * time (state_prove()). What is left is a cut between such a proof and the loads and stores that
 * follow it without a system call. Only root and the user who writes the log can make it: the state
 * is mode 0600, in a folder of the same kind. Reading and writing the state instead, under
 * flock(2), has no such rest, and costs four calls more for each record, as much as all of its
 * others.
 */
#include "audit/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "tools/review/record.h"

/* ---- names and errors ------------------------------------------------------------------------ */

void file_sibling(const struct log_file *file, const char *suffix, char buffer[FILE_NAME_SIZE])
{
    snprintf(buffer, FILE_NAME_SIZE, "%.*s.%s", NAME_MAX, file->name, suffix);
}

void file_rotated_name(const struct log_file *file, uint64_t generation,
                       char buffer[FILE_NAME_SIZE])
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)generation);
    file_sibling(file, digits, buffer);
}

enum audit_loss file_loss_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return AUDIT_LOSS_NO_SPACE;
    case EROFS:
        return AUDIT_LOSS_READ_ONLY;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return AUDIT_LOSS_NO_MEMORY;
    case EACCES:
    case EPERM:
    case ENOENT:
        return AUDIT_LOSS_REMOVED;
    default:
        return AUDIT_LOSS_IO_ERROR;
    }
}

static void close_keeping_errno(int fd)
{
    int error = errno;

    file_calls.close(fd);
    errno = error;
}

int file_open_away(int folder, const char *name, int flags, mode_t mode)
{
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd = descriptor_away(file_calls.openat(folder, name, flags, mode));
    descriptor_give_low(&low);
    return fd;
}

/* ---- the files of a log ---------------------------------------------------------------------- */

static const char *wrong_log(const struct log_file *file, const struct stat *status)
{
    if (!S_ISREG(status->st_mode)) {
        return "is no regular file";
    }
    if (status->st_uid != file->uid && status->st_uid != 0) {
        return "belongs to somebody else; a log belongs to root or to the user who writes it";
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "is writable by others than its owner; right would be mode 0640";
    }
    return NULL;
}

bool file_open_name(struct log_file *file, const char *name, int *ret_fd, struct stat *ret_status,
                    const char **ret_problem)
{
    /* O_NONBLOCK so that a FIFO put there cannot hold us up; it has no effect on a regular file. */
    int fd = file_open_away(file->folder, name,
                            O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0) {
        *ret_problem =
            errno == ELOOP ? "is a symbolic link; name the file itself" : strerrordesc_np(errno);
        return false;
    }
    if (file_calls.fstat(fd, ret_status) != 0) {
        *ret_problem = strerrordesc_np(errno);
        close_keeping_errno(fd);
        return false;
    }
    *ret_problem = wrong_log(file, ret_status);
    if (*ret_problem != NULL) {
        file_calls.close(fd);
        errno = EINVAL;
        return false;
    }
    *ret_fd = fd;
    return true;
}

/* The group first: a wrong one must not read it for a moment. The mode is set apart from the umask,
 * which must neither widen nor narrow it. A thread that is somebody else at present could make a
 * file that belongs to that user, who could then write it. */
static bool finish_new(const struct log_file *file, int fd, struct stat *ret_status)
{
    if ((file->settings.has_gid &&
         file_calls.fchown(fd, (uid_t)-1, (gid_t)file->settings.gid) != 0) ||
        file_calls.fchmod(fd, 0640) != 0 || file_calls.fstat(fd, ret_status) != 0) {
        return false;
    }
    if (ret_status->st_uid != file->uid && ret_status->st_uid != 0) {
        errno = EACCES;
        return false;
    }
    return true;
}

bool file_create(struct log_file *file, const char *name, int *ret_fd, struct stat *ret_status)
{
    int fd = file_open_away(file->folder, name,
                            O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    if (!finish_new(file, fd, ret_status)) {
        int error = errno;
        file_calls.unlinkat(file->folder, name, 0);
        file_calls.close(fd);
        errno = error;
        return false;
    }
    *ret_fd = fd;
    return true;
}

static bool look_at(int fd, struct stat *ret_status)
{
    int result;

    do {
        result = file_calls.fstat(fd, ret_status);
    } while (result != 0 && errno == EINTR); /* some file systems of users */
    return result == 0;
}

bool file_mark_set(int fd, struct file_mark *ret_mark)
{
    struct stat status;

    if (!look_at(fd, &status)) {
        return false;
    }
    *ret_mark =
        (struct file_mark){status.st_dev, status.st_ino, status.st_mode & S_IFMT, status.st_uid};
    return true;
}

bool file_mark_looks(int fd, const struct file_mark *mark, struct stat *ret_status)
{
    if (fd < 0 || !look_at(fd, ret_status)) {
        return false;
    }
    errno = EBADF;
    return ret_status->st_dev == mark->device && ret_status->st_ino == mark->inode &&
           (ret_status->st_mode & S_IFMT) == mark->type;
}

bool file_mark_holds(int fd, const struct file_mark *mark)
{
    struct stat status;

    return file_mark_looks(fd, mark, &status);
}

/* What was right when it was opened need not be any more. One that came to be root's is better. */
static bool is_as_trusted(const struct stat *status, const struct file_mark *mark, mode_t others)
{
    return (status->st_uid == mark->owner || status->st_uid == 0) &&
           (status->st_mode & others) == 0;
}

/*
 * Before anything is read or written: are the descriptors still the log's? What is not is the
 * host's, and neither written to nor closed. The folder is opened again by the rules of the first
 * time, the file by its name in there when the log is made whole. A thread that may not open them
 * has the background thread do it.
 */
static bool reclaim(struct log_file *file, enum audit_loss *ret_loss)
{
    const mode_t others = S_IWGRP | S_IWOTH;
    struct stat status;

    if (!file_mark_looks(file->folder, &file->folder_mark, &status)) {
        file->folder = -1;
        if (!file_open_folder(file)) {
            *ret_loss = AUDIT_LOSS_REMOVED;
            return false;
        }
    } else if (!is_as_trusted(&status, &file->folder_mark, others)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
        return false;
    }
    if (file->fd < 0) {
        return true;
    }
    if (!file_mark_looks(file->fd, &file->fd_mark, &status)) {
        atomic_fetch_add(&file->turn, 1);
        file->fd = -1;
        file->inode = 0; /* of no file: file_settle() opens it */
    } else if (!is_as_trusted(&status, &file->fd_mark, others)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
        return false;
    }
    return true;
}

bool file_take(struct log_file *file, int fd, uint64_t inode)
{
    /* In this order for sync.c: who sees the new descriptor sees one of the two before it. */
    atomic_store(&file->after, UINT64_MAX);
    atomic_fetch_add(&file->turn, 1);
    /* A thread in fdatasync(2) holds the old file by itself; the number never means another. One
     * that is the host's by now stays the host's, and one that it closed may be fd again. */
    if (file->fd < 0 || file->fd == fd || !file_mark_holds(file->fd, &file->fd_mark)) {
        file->fd = fd;
    } else {
        int done = file_calls.dup3(fd, file->fd, O_CLOEXEC);
        close_keeping_errno(fd);
        if (done < 0) {
            return false;
        }
    }
    file->inode = inode;
    return file_mark_set(file->fd, &file->fd_mark);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

void file_set_keeper(struct log_file *file, bool present)
{
    pthread_mutex_lock(&file->keeper_lock);
    file->keeper = present;
    pthread_cond_broadcast(&file->keeper_asked);
    pthread_cond_broadcast(&file->keeper_answered);
    pthread_mutex_unlock(&file->keeper_lock);
}

void file_call_keeper(struct log_file *file)
{
    pthread_mutex_lock(&file->keeper_lock);
    file->asked++;
    pthread_cond_broadcast(&file->keeper_asked);
    pthread_mutex_unlock(&file->keeper_lock);
}

bool file_keeper_wait(struct log_file *file, unsigned milliseconds)
{
    struct timespec until = clock_after_ms(milliseconds);
    int error = 0;

    pthread_mutex_lock(&file->keeper_lock);
    while (file->keeper && file->asked == file->answered && error == 0) {
        error = pthread_cond_timedwait(&file->keeper_asked, &file->keeper_lock, &until);
    }
    bool present = file->keeper;
    pthread_mutex_unlock(&file->keeper_lock);
    return present;
}

/* Waits for the keeper's next round; called without any lock. */
static bool ask_keeper(struct log_file *file)
{
    struct timespec until = clock_after_ms(STATE_LOCK_SECONDS * 1000);
    int error = 0;

    pthread_mutex_lock(&file->keeper_lock);
    unsigned wanted = ++file->asked;
    pthread_cond_broadcast(&file->keeper_asked);
    while (file->keeper && (int)(file->answered - wanted) < 0 && error == 0) {
        error = pthread_cond_timedwait(&file->keeper_answered, &file->keeper_lock, &until);
    }
    bool answered = (int)(file->answered - wanted) >= 0;
    pthread_mutex_unlock(&file->keeper_lock);
    return answered;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* Under the local lock. The descriptor proves that it is still there; another state may have its
 * name by now, when its own is gone. */
static enum state_presence look_at_state(struct log_file *file, enum audit_loss *ret_loss)
{
    const struct log_state *state = &file->state;
    char name[FILE_NAME_SIZE];
    struct stat status, other;

    enum state_presence presence = state_look(state, &status);
    if (presence != STATE_THERE) {
        return presence;
    }
    if (!is_as_trusted(&status, &state->mark, S_IRWXG | S_IRWXO)) {
        *ret_loss = AUDIT_LOSS_UNTRUSTED;
    }
    file_sibling(file, "state", name);
    return status.st_nlink == 0 &&
                   file_calls.fstatat(file->folder, name, &other, AT_SYMLINK_NOFOLLOW) == 0
               ? STATE_ELSEWHERE
               : STATE_THERE;
}

/* A writer in another process may have set it aside, or something have overwritten it. */
static bool lock_one(struct log_file *file, enum audit_loss *ret_loss)
{
    struct log_state *state = &file->state;

    if (!state_is_one(state)) {
        state->gone = true;
        return false;
    }
    *ret_loss = AUDIT_LOSS_BUSY;
    if (!state_lock(state)) {
        return false;
    }
    if (state_prove(state) && state_is_one(state) && state_sound(state)) {
        return true;
    }
    state->gone = true;
    state_unlock(state);
    return false;
}

static bool has_key(const struct log_file *file, const char *path, struct miguard_error *reterr)
{
    if (!file->settings.chain_required || state_head(&file->state)->key.present) {
        return true;
    }
    (void)!error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                     "%.80s: the policy wants a chain with a key (chain: required), and this log "
                     "has none; run miguard audit init --aside, which moves it away",
                     path);
    return false;
}

/* Under the local lock. */
static bool lock_present(struct log_file *file, const char *path, enum audit_loss *ret_loss,
                         struct miguard_error *reterr)
{
    enum { TRIES = 4 };

    for (int i = 0; i < TRIES; i++) {
        *ret_loss = AUDIT_LOSS_REMOVED;
        enum state_presence presence = look_at_state(file, ret_loss);
        if (*ret_loss == AUDIT_LOSS_UNTRUSTED) {
            return false;
        }
        if (presence != STATE_THERE && file_open_state(file, path, reterr) != MIGUARD_OK) {
            return false;
        }
        if (presence != STATE_THERE && look_at_state(file, ret_loss) != STATE_THERE) {
            continue;
        }
        if (lock_one(file, ret_loss)) {
            *ret_loss = AUDIT_LOSS_REMOVED;
            bool good = has_key(file, path, reterr);
            if (!good) {
                state_unlock(&file->state);
            }
            return good;
        }
        if (!file->state.gone) {
            return false;
        }
    }
    return false;
}

static uint64_t size_limit(void)
{
    struct rlimit limit;

    return file_calls.getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY
               ? UINT64_MAX
               : limit.rlim_cur;
}

bool file_lock_state(struct log_file *file, const char *path, enum audit_loss *ret_loss,
                     struct miguard_error *reterr)
{
    if (state_wait_for(&file->local) != 0) {
        *ret_loss = AUDIT_LOSS_BUSY;
        return false;
    }
    file->size_limit = size_limit();
    if (!reclaim(file, ret_loss) || !lock_present(file, path, ret_loss, reterr)) {
        pthread_mutex_unlock(&file->local);
        return false;
    }
    return true;
}

void file_unlock(struct log_file *file)
{
    state_unlock(&file->state);
    pthread_mutex_unlock(&file->local);
}

/* Has somebody removed, replaced or cut the log? */
static void look_at_name(struct log_file *file)
{
    struct state_shared *shared = file->state.shared;
    struct stat status;

    if ((atomic_load(&shared->dirty) & STATE_REPAIR) != 0) {
        return;
    }
    int found = file_calls.fstatat(file->folder, file->name, &status, AT_SYMLINK_NOFOLLOW);
    int error = errno;
    (void)state_prove(&file->state);
    const struct state_head *head = state_head(&file->state);
    if (found == 0
            ? (uint64_t)status.st_ino != head->inode || (uint64_t)status.st_size != head->size
            : error == ENOENT) {
        atomic_fetch_or(&shared->dirty, STATE_LOOK);
    }
}

/* Locks, and makes the file the current one and whole. */
static bool lock_whole(struct log_file *file, enum audit_loss *ret_loss)
{
    if (!file_lock_state(file, file->name, ret_loss, NULL)) {
        return false;
    }
    if (++file->locks % FILE_LOOK_EVERY == 0) { /* a system call more, so not every time */
        look_at_name(file);
    }
    if ((atomic_load(&file->state.shared->dirty) & STATE_REPAIR) == STATE_CLEAN &&
        state_head(&file->state)->inode == file->inode) {
        return true;
    }
    if (file_settle(file, ret_loss, NULL)) {
        return true;
    }
    file_unlock(file);
    return false;
}

/* A thread with another identity than who opened the log may not rotate it. What it writes must not
 * make the file too long all the same, so it waits for the keeper, while there is room left. Where
 * the keeper cannot either, that is not waited for with each record. */
static bool leaves_it_to_keeper(struct log_file *file)
{
    if (!file_rotate_near(file) || geteuid() == file->uid ||
        (file->rotation_failed && file->locks % FILE_LOOK_EVERY != 0)) {
        return false;
    }
    pthread_mutex_lock(&file->keeper_lock);
    bool present = file->keeper;
    pthread_mutex_unlock(&file->keeper_lock);
    return present;
}

bool file_lock(struct log_file *file, enum audit_loss *ret_loss)
{
    if (!lock_whole(file, ret_loss)) {
        return *ret_loss == AUDIT_LOSS_REMOVED && ask_keeper(file) && lock_whole(file, ret_loss);
    }
    if (!leaves_it_to_keeper(file)) {
        return true;
    }
    file_unlock(file);
    atomic_store(&file->early, true);
    (void)ask_keeper(file);
    return lock_whole(file, ret_loss) ||
           (*ret_loss == AUDIT_LOSS_REMOVED && ask_keeper(file) && lock_whole(file, ret_loss));
}

struct log_state *file_state(struct log_file *file)
{
    return &file->state;
}

void file_fork_lock(struct log_file *file)
{
    pthread_mutex_lock(&file->local);
    pthread_mutex_lock(&file->sync_lock);
    pthread_mutex_lock(&file->keeper_lock);
}

void file_fork_unlock(struct log_file *file, bool child)
{
    if (child) { /* the threads that wait and lead stayed with the parent */
        file->keeper = false;
        file->syncing = false;
        file->waiting = file->crowd = 0;
        clock_cond_init(&file->keeper_asked);
        clock_cond_init(&file->keeper_answered);
        clock_cond_init(&file->sync_done);
    }
    pthread_mutex_unlock(&file->keeper_lock);
    pthread_mutex_unlock(&file->sync_lock);
    pthread_mutex_unlock(&file->local);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What is written of a record that cannot be finished is taken back; where that fails, the next
 * writer ends the line. Truncating also gives back the blocks beyond the end. */
static void take_back(struct log_file *file)
{
    uint64_t size = state_head(&file->state)->size;

    bool taken = file_calls.ftruncate(file->fd, (off_t)size) == 0;
    (void)state_prove(&file->state);
    if (!taken) {
        atomic_fetch_or(&file->state.shared->dirty, STATE_TORN);
        return;
    }
    state_begin(&file->state)->reserved = size;
    state_commit(&file->state);
}

/* A write at the limit fails, so nothing is written of what would not fit. file_make_room() has
 * looked before the first; one that came short may have met a limit that was set since. */
static bool within_limit(uint64_t end)
{
    struct rlimit limit;

    if (file_calls.getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        end > limit.rlim_cur) {
        errno = EFBIG;
        return false;
    }
    return true;
}

bool file_write(struct log_file *file, const char *bytes, size_t length, enum audit_loss *ret_loss)
{
    uint64_t end = state_head(&file->state)->size + length;
    size_t done = 0;

    while (done < length && (done == 0 || within_limit(end))) {
        ssize_t written = file_calls.write(file->fd, bytes + done, length - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            break;
        }
        done += (size_t)written;
    }
    if (done == length) {
        return true;
    }
    *ret_loss = file_loss_of(errno);
    (void)state_prove(&file->state);
    if (done > 0) {
        take_back(file);
    }
    return false;
}

void file_advance(struct state_head *head, const unsigned char hash[CHAIN_HASH_SIZE], size_t length,
                  bool is_seal, int64_t now)
{
    head->sequence++;
    memcpy(head->hash, hash, CHAIN_HASH_SIZE);
    chain_key_advance(&head->key);
    head->size += length;
    if (is_seal) {
        head->epoch++;
        head->epoch_records = 0;
        head->epoch_start = 0;
        return;
    }
    head->epoch_start = head->epoch_records == 0 ? now : head->epoch_start;
    head->epoch_records++;
}

/* A record that tells what the file lacks takes it off the account in the same step. */
static void set_head(struct log_file *file, const struct audit_event *event,
                     const unsigned char hash[CHAIN_HASH_SIZE], size_t length)
{
    static const struct state_loss nothing;
    struct log_state *state = &file->state;
    struct state_head *head = state_begin(state);

    file_advance(head, hash, length, event->action == AUDIT_ACTION_AUDIT_SEAL, audit_now());
    atomic_store(&file->written, head->sequence);
    if (event->action == AUDIT_ACTION_RECORDS_LOST && event->lost != NULL &&
        strcmp(event->lost->sink, "file") == 0) {
        struct state_head next;
        memcpy(&next, head, sizeof(next));
        state_commit_all(state, &next, &nothing, state->lost_total);
        chain_key_wipe(&next.key);
        return;
    }
    state_commit(state);
}

/* The line with its newline, and behind it the hash for whom it is told to. */
static bool make_line(struct log_file *file, const struct file_record *record, struct text *line,
                      unsigned char ret_hash[CHAIN_HASH_SIZE], size_t *ret_length)
{
    const struct state_head *head = state_head(&file->state);
    char hex[CHAIN_HEX_SIZE];
    struct audit_place place = {.sequence = head->sequence + 1,
                                .chain_id = head->chain_id,
                                .epoch = head->epoch,
                                .previous = hex,
                                .repeats = record->repeats,
                                .first = record->first,
                                .last = record->last};

    line->length = 0;
    line->failed = false;
    chain_hex(head->hash, hex);
    text_append_bytes(line, record->body, record->body_length);
    audit_encode_tail(line, record->event, record->id, &place);
    if (line->failed) {
        return false;
    }
    chain_hash(&head->key, line->data, line->length, ret_hash);
    chain_hex(ret_hash, hex);
    text_append(line, hex);
    text_append(line, AUDIT_LINE_END "\n");
    *ret_length = line->length;
    text_append_bytes(line, hex, sizeof(hex));
    return !line->failed;
}

static bool put(struct log_file *file, const struct file_record *record, struct text *ret_line,
                struct sink_record *ret_record, enum audit_loss *ret_loss)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    size_t length = 0;

    if (!make_line(file, record, ret_line, hash, &length)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    if (length > RECORD_MAX_LINE) {
        *ret_loss = AUDIT_LOSS_TOO_LARGE;
        return false;
    }
    if (!file_write(file, ret_line->data, length, ret_loss)) {
        return false;
    }
    set_head(file, record->event, hash, length);
    ret_line->length = length - 1;
    ret_line->data[length - 1] = '\0';
    *ret_record = (struct sink_record){.line = ret_line->data,
                                       .length = length - 1,
                                       .event = record->event,
                                       .id = record->id,
                                       .sequence = state_head(&file->state)->sequence,
                                       .hash = ret_line->data + length,
                                       .repeats = record->repeats};
    return true;
}

bool file_append_own(struct log_file *file, const struct audit_event *event,
                     enum audit_loss *ret_loss)
{
    char id[AUDIT_ID_SIZE] = "";
    struct sink_record told;

    file->own_body.length = 0;
    file->own_body.failed = false;
    file->own_body.comma = false;
    file->owner.encode(file->owner.context, event, &file->own_body, id);
    if (file->own_body.failed) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    struct file_record record = {.event = event,
                                 .body = file->own_body.data,
                                 .body_length = file->own_body.length,
                                 .id = id,
                                 .repeats = 1};
    bool before = file->in_own;
    file->in_own = true;
    bool done = file_make_room(file, record.body_length + FILE_TAIL_LENGTH, true, ret_loss) &&
                put(file, &record, &file->own_line, &told, ret_loss);
    file->in_own = before;
    if (done) {
        file->owner.written(file->owner.context, &told);
    }
    return done;
}

/* ---- epochs ---------------------------------------------------------------------------------- */

/* With a seal the page with the next key goes to the disk, so that what lies there is no older than
 * an epoch. Nothing waits for it: what the disk has is only ever too old, which repair.c knows. */
static bool seal_is_due(const struct log_file *file, int64_t now)
{
    const struct state_head *head = state_head(&file->state);
    const int64_t longest = (int64_t)CHAIN_EPOCH_SECONDS * 1000000000;

    return head->key.present && head->epoch_records != 0 &&
           (head->epoch_records >= CHAIN_EPOCH_RECORDS || now - head->epoch_start >= longest);
}

static void seal_if_due(struct log_file *file, int64_t now)
{
    enum { SEAL = 4096 }; /* more than it ever is */
    const struct audit_event seal = {.action = AUDIT_ACTION_AUDIT_SEAL};
    enum audit_loss ignored;

    if (!seal_is_due(file, now)) {
        return;
    }
    file_rotate_if_due(file, SEAL, now); /* the seal counts, too */
    if (!file_begin_rotated(file, &ignored)) {
        return;
    }
    if (file_append_own(file, &seal, &ignored) &&
        file_mark_holds(file->state.fd, &file->state.mark)) {
        sync_file_range(file->state.fd, 0, 4096, SYNC_FILE_RANGE_WRITE);
    }
}

/* ---- appending ------------------------------------------------------------------------------- */

/* What a process does with the identity that opened the log, before it takes another. */
static bool is_a_beginning(const struct audit_event *event)
{
    return event->action == AUDIT_ACTION_AUDIT_START || event->action == AUDIT_ACTION_SESSION_OPEN;
}

static bool is_about_the_log(const struct audit_event *event)
{
    return event->action == AUDIT_ACTION_RECORDS_LOST || event->action == AUDIT_ACTION_AUDIT_STOP;
}

bool file_append(struct log_file *file, const struct file_record *record, struct text *ret_line,
                 struct sink_record *ret_record, enum audit_loss *ret_loss)
{
    size_t length = record->body_length + FILE_TAIL_LENGTH;
    int64_t now = audit_now();

    if (length > RECORD_MAX_LINE) {
        *ret_loss = AUDIT_LOSS_TOO_LARGE;
        return false;
    }
    if (!file_tell_aside(file, ret_loss)) {
        return false;
    }
    seal_if_due(file, now);
    size_t ahead = is_a_beginning(record->event) ? file_rotate_ahead(file) : 0;
    file_rotate_if_due(file, length > ahead ? length : ahead, now);
    return file_begin_rotated(file, ret_loss) &&
           file_make_room(file, length, is_about_the_log(record->event), ret_loss) &&
           put(file, record, ret_line, ret_record, ret_loss);
}

void file_maintain(struct log_file *file)
{
    enum audit_loss ignored;

    pthread_mutex_lock(&file->keeper_lock);
    unsigned asked = file->asked;
    pthread_mutex_unlock(&file->keeper_lock);
    if (lock_whole(file, &ignored)) {
        int64_t now = audit_now();
        file->rotation_failed = false;
        (void)!file_tell_aside(file, &ignored);
        seal_if_due(file, now);
        file_rotate_if_due(file, atomic_exchange(&file->early, false) ? file_rotate_ahead(file) : 0,
                           now);
        if (!file_begin_rotated(file, &ignored)) {
            file->rotation_failed = true; /* the next record begins it */
        }
        file_unlock(file);
    }
    pthread_mutex_lock(&file->keeper_lock);
    file->answered = asked;
    pthread_cond_broadcast(&file->keeper_answered);
    pthread_mutex_unlock(&file->keeper_lock);
}
