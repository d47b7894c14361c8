/* SPDX-License-Identifier: MIT */
/*
 * Maps, locks, makes and reads the state of a log. Called by the rest of the log file, and for a
 * log without a file, which has its state in private memory.
 *
 * Changing: state_begin() copies the head, the caller changes the copy, state_commit() makes it
 * hold. What lies outside the heads changes by a redo (state_commit_all()).
 *
 * Opening: state_open() locks the file with flock(2), judges it, and maps it. Making: make() writes
 * a whole state under NAME.state.new and renames it; a draft (state_draft()) becomes a state by one
 * store.
 *
 * Using: state_lock(), and state_prove() after each call that may take its time, since the file may
 * be cut. When it was, detach() puts private memory in the place of the mapping, and the state is
 * gone.
 */
#include "audit/file/log_state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limit.h"
#include "identity/read.h"

#define MAGIC "MGSTATE"
#define DRAFT "MGDRAFT" /* see state_draft() */
#define ASIDE "MGASIDE" /* no state any more; see state_aside.c */
/* OPEN_TRIES: how often a name may come to mean another file between open and lock. READ_TRIES: a
 * reader without the lock may meet a head that is being written each time. */
enum { STATE_VERSION = 2, OPEN_TRIES = 16, READ_TRIES = 1000 };

/* What one record changes is written back as one page, so that a power cut finds it together. */
_Static_assert(offsetof(struct state_shared, files) <= 4096, "one page");

/* ---- heads ----------------------------------------------------------------------------------- */

/* Not against an attacker, who could write it as well: against a page that is written in part. */
static uint64_t check_of(const struct state_head *head)
{
    const unsigned char *bytes = (const unsigned char *)head;
    uint64_t sum = UINT64_C(0x9e3779b97f4a7c15), word;

    for (size_t i = 0; i < offsetof(struct state_head, check); i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    return sum;
}

_Static_assert(offsetof(struct state_head, check) % sizeof(uint64_t) == 0, "whole words");

/* Memory that is all zero has no head either. */
static bool head_sound(const struct state_head *head)
{
    return head->check == check_of(head) && head->chain_id != 0;
}

/* Masked, since it comes from a file: whatever stands there, it is an index of two. */
static uint32_t current_index(const struct log_state *state)
{
    return atomic_load_explicit(&state->shared->current, memory_order_acquire) & 1;
}

/* Acquire, with the release in state_commit(): who sees the index sees the whole head. */
const struct state_head *state_head(const struct log_state *state)
{
    return &state->shared->head[current_index(state)];
}

/* See detach(). The copy has the key, and is wiped when the lock is released. */
static void keep_last(struct log_state *state)
{
    if (state->mapped) {
        memcpy(&state->last, state_head(state), sizeof(state->last));
    }
}

/* The other of the two heads. Nothing of it holds until state_commit(). */
struct state_head *state_begin(struct log_state *state)
{
    (void)state_prove(state);
    struct state_head *next = &state->shared->head[1 - current_index(state)];

    memcpy(next, state_head(state), sizeof(*next));
    return next;
}

/* One store makes the new head hold. Then the old one's key is wiped, since it could write the last
 * record anew. */
void state_commit(struct log_state *state)
{
    uint32_t old = current_index(state);
    struct state_head *next = &state->shared->head[1 - old];

    next->synced = atomic_load(&state->shared->synced);
    next->check = check_of(next);
    atomic_store_explicit(&state->shared->current, 1 - old, memory_order_release);
    chain_key_wipe(&state->shared->head[old].key);
    keep_last(state);
}

/* Copies what the redo says to its places; may be done any number of times. */
static void apply_redo(struct state_shared *shared)
{
    struct state_redo *redo = &shared->redo;

    memcpy(&shared->pending[SINK_FILE], &redo->pending, sizeof(redo->pending));
    memcpy(shared->lost_total, redo->lost_total, sizeof(redo->lost_total));
    memcpy(&shared->head[0], &redo->head, sizeof(redo->head));
    atomic_store_explicit(&shared->current, 0, memory_order_release);
    chain_key_wipe(&shared->head[1].key);
    atomic_store_explicit(&redo->valid, 0, memory_order_release);
    chain_key_wipe(&redo->head.key);
}

/* For what lies outside the heads. After the store to valid a kill changes nothing more:
 * state_sound() of the next writer applies it again. */
void state_commit_all(struct log_state *state, const struct state_head *head,
                      const struct state_loss *pending, const uint64_t lost_total[AUDIT_LOSS_COUNT])
{
    struct state_redo *redo = &state->shared->redo;

    (void)state_prove(state);
    memcpy(&redo->head, head, sizeof(*head));
    redo->head.synced = atomic_load(&state->shared->synced);
    redo->head.check = check_of(&redo->head);
    memcpy(&redo->pending, pending, sizeof(*pending));
    memcpy(redo->lost_total, lost_total, sizeof(redo->lost_total));
    atomic_store_explicit(&redo->valid, 1, memory_order_release);
    apply_redo(state->shared);
    keep_last(state);
}

/* After a power cut one of the heads may be torn. The other one then holds and is older, so the
 * file is looked through as after a reboot. */
bool state_sound(struct log_state *state)
{
    struct state_shared *shared = state->shared;
    uint32_t current = current_index(state);

    if (atomic_load(&shared->redo.valid) != 0 && head_sound(&shared->redo.head)) {
        apply_redo(shared);
        return true;
    }
    if (head_sound(&shared->head[current])) {
        return true;
    }
    if (!head_sound(&shared->head[1 - current])) {
        return false;
    }
    atomic_store(&shared->current, 1 - current);
    atomic_fetch_or(&shared->dirty, STATE_REBOOT);
    return true;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* Robust and shared between processes (pthread_mutexattr_setrobust(3)): a writer that is killed
 * with the lock leaves EOWNERDEAD to the next one. */
static void make_mutex(struct state_shared *shared)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

#ifdef __SANITIZE_THREAD__

/* gcc's ThreadSanitizer does not see that clocklock takes a lock, nor that timedlock takes one
 * whose owner died. */
int state_wait_for(pthread_mutex_t *mutex)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int error = pthread_mutex_trylock(mutex);

    for (int i = 0; error == EBUSY && i < STATE_LOCK_SECONDS * 1000; i++) {
        nanosleep(&pause, NULL);
        error = pthread_mutex_trylock(mutex);
    }
    return error == EBUSY ? ETIMEDOUT : error;
}

#else

/* Who holds it is done in microseconds, and to sleep and be woken takes longer. So it is tried a
 * few times first, and the processor offered in between: the holder may have to wait for it. */
static int try_for_a_moment(pthread_mutex_t *mutex)
{
    enum { TRIES = 40 };
    int error = pthread_mutex_trylock(mutex);

    for (int i = 1; i < TRIES && error == EBUSY; i++) {
        sched_yield();
        error = pthread_mutex_trylock(mutex);
    }
    return error;
}

int state_wait_for(pthread_mutex_t *mutex)
{
    int error = try_for_a_moment(mutex);

    if (error != EBUSY) {
        return error;
    }
    /* Not the time of day: that may be set back while we wait. */
    struct timespec until = clock_after_ms(STATE_LOCK_SECONDS * 1000);
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

#endif

/* What detach() needs is copied as soon as the lock is held: after a cut it can no longer be
 * read. */
bool state_lock(struct log_state *state, bool *ret_waited)
{
    struct state_shared *shared = state->shared;
    int error = pthread_mutex_trylock(&shared->mutex);

    *ret_waited = error == EBUSY;
    if (*ret_waited) {
        error = state_wait_for(&shared->mutex);
    }
    if (error == EOWNERDEAD) {
        /* Noted before the lock is made good, so that a second death cannot hide the first. */
        atomic_fetch_or(&shared->dirty, STATE_KILLED);
        pthread_mutex_consistent(&shared->mutex);
        error = 0;
    }
    if (error == 0 && state->mapped) {
        memcpy(state->held, &shared->mutex, sizeof(state->held));
        keep_last(state);
    }
    return error == 0;
}

/* The copy's key first: without the lock no key is kept outside the state. */
void state_unlock(struct log_state *state)
{
    chain_key_wipe(&state->last.key);
    pthread_mutex_unlock(&state->shared->mutex);
}

/* ---- whether it is still there --------------------------------------------------------------- */

/* By glibc's own layout (bits/struct_mutex.h); the two bits have no name in a public header. Other
 * C libraries are not asked. */
bool state_has_lock(const struct state_shared *shared)
{
#ifdef __GLIBC__
    /* What else would be waited for in a way that it does not have, or be asserted. */
    enum { ROBUST = 0x10, PROCESS_SHARED = 0x80 };
    return shared->mutex.__data.__kind == (ROBUST | PROCESS_SHARED);
#else
    (void)shared;
    return true;
#endif
}

/* A state that was set aside keeps its content but for the first bytes. */
bool state_is_one(const struct log_state *state)
{
    const struct state_shared *shared = state->shared;

    return !state->mapped || (!state->gone && memcmp(shared->magic, MAGIC, sizeof(MAGIC)) == 0 &&
                              shared->version == STATE_VERSION && shared->size == sizeof(*shared) &&
                              state_has_lock(shared));
}

/* A page behind the end of the file raises SIGBUS (mmap(2)). */
static bool is_whole_file(const struct stat *status)
{
    return status->st_size >= (off_t)sizeof(struct state_shared);
}

/* One fstat(2). Private memory is always there. */
enum state_presence state_look(const struct log_state *state, struct stat *ret_status)
{
    if (!state->mapped) {
        return STATE_THERE;
    }
    if (state->gone || !file_mark_looks(state->fd, &state->mark, ret_status)) {
        return STATE_ELSEWHERE;
    }
    return is_whole_file(ret_status) ? STATE_THERE : STATE_CUT;
}

/*
 * The file was cut, and a touch of what is mapped would raise SIGBUS in the host. In its place
 * comes memory of our own, with the lock as we hold it (it is in the thread's list of robust ones)
 * and the last head: so who is at work ends in order, what is in the log is whole, and nothing else
 * is changed. What is written to it is lost; the log reports what was.
 */
static void detach(struct log_state *state)
{
    void *at = mmap(state->shared, sizeof(*state->shared), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (at != MAP_FAILED) {
        memcpy(&state->shared->mutex, state->held, sizeof(state->held));
        memcpy(&state->shared->head[0], &state->last, sizeof(state->last));
        memcpy(&state->shared->head[1], &state->last, sizeof(state->last));
        state->gone = true;
    }
}

/*
 * A shorter way to the same answer, at half the cost of state_look(): what has as many bytes behind
 * its offset is not our file, or is as long, and neither is a state that was cut. The size is the
 * kernel's own, by which it decides about SIGBUS. Nothing moves the offset of the state's
 * descriptor; where it was moved, or the call is not allowed, the longer way is taken.
 */
static bool is_certainly_whole(const struct log_state *state)
{
    int bytes = 0;

    return state->mapped && !state->gone && file_calls.left(state->fd, &bytes) == 0 &&
           bytes >= (int)sizeof(struct state_shared);
}

/* Keeps errno, so that it can stand between a call and the look at its error. */
bool state_prove(struct log_state *state)
{
    struct stat status;
    int error = errno;

    if (!is_certainly_whole(state) && state_look(state, &status) == STATE_CUT) {
        detach(state);
    }
    errno = error;
    return !state->gone;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Code outside this folder uses the pointers and does not know struct state_shared. */
static void point_into(struct log_state *state, struct state_shared *shared, int fd)
{
    state->shared = shared;
    state->fd = fd;
    state->pending = shared->pending;
    state->lost_total = shared->lost_total;
    state->repeats = shared->repeats;
    state->repeats_until = &shared->repeats_until;
}

/* base_alloc() gives zeros: no losses and no repeats. */
enum miguard_status state_open_private(struct log_state *ret_state)
{
    struct state_shared *shared = base_alloc(1, sizeof(*shared));

    if (shared == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    /* Not robust: a forked child gives back what its parent's thread locked. */
    pthread_mutex_init(&shared->mutex, NULL);
    point_into(ret_state, shared, -1);
    return MIGUARD_OK;
}

/* A descriptor that is the program's by now is left alone. */
void state_close(struct log_state *state)
{
    if (state->shared == NULL) {
        return;
    }
    if (!state->mapped) {
        pthread_mutex_destroy(&state->shared->mutex);
        base_free(state->shared);
    } else {
        munmap(state->shared, sizeof(*state->shared));
        if (file_mark_holds(state->fd, &state->mark)) {
            file_calls.close(state->fd);
        }
    }
    state->shared = NULL;
}

/* Padded with zeros, since all 40 bytes are compared. Empty when /proc cannot be read. */
static void read_boot_id(char boot_id[40])
{
    memset(boot_id, 0, 40);
    if (read_proc_file("/proc/sys/kernel/random/boot_id", boot_id, 40) < 0) {
        boot_id[0] = '\0';
    }
}

/* For a state that is there and wrong, with what an administrator can do about it. */
static enum miguard_status refuse(struct miguard_error *reterr, const char *log, const char *what)
{
    return error_set(reterr, MIGUARD_BAD_STATE, 0, "state",
                     "%.60s.state %s; move it and the log away and run miguard audit init", log,
                     what);
}

/* From errno. A lack of room is AUDIT_FAILED, as it is for a first record. */
static enum miguard_status refuse_system(struct miguard_error *reterr, const char *log,
                                         const char *step)
{
    int error = errno;
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;

    return error_set(reterr, full ? MIGUARD_AUDIT_FAILED : MIGUARD_SYSTEM, error, step,
                     "%.120s.state: %s", log,
                     error == ELOOP ? "is a symbolic link; remove it" : strerrordesc_np(error));
}

/* NULL, or why a file is not a state of this user. With a second name it could be changed through a
 * folder that is not judged. */
static const char *wrong_file(const struct stat *status)
{
    if (!S_ISREG(status->st_mode)) {
        return "is not a regular file";
    }
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        return "belongs to another user";
    }
    if ((status->st_mode & 077) != 0) {
        return "is open to others than its owner (right is mode 0600)";
    }
    if (status->st_nlink > 1) {
        return "has a second name";
    }
    return NULL;
}

/* It is held only while a state is made. A process that is stopped just then must not hold up all
 * others. */
static bool lock_file(int fd)
{
    const struct timespec pause = {0, 10000000};

    for (int i = 0; i < STATE_LOCK_SECONDS * 100; i++) {
        if (file_calls.flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    errno = EBUSY;
    return false;
}

/* It may have been removed or renamed meanwhile: then the open file no longer has the name. */
static bool has_name(int folder, const char *name, const struct stat *status)
{
    struct stat now;

    return file_calls.fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_ino == status->st_ino && now.st_dev == status->st_dev;
}

/* The file of the name, locked. */
int state_open_locked(int folder, const char *name, int flags, struct stat *ret_status)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int fd = file_open_away(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags,
                                0600);
        if (fd < 0) {
            return -1;
        }
        if (!lock_file(fd) || file_calls.fstat(fd, ret_status) != 0) {
            int error = errno;
            file_calls.close(fd);
            errno = error;
            return -1;
        }
        if (has_name(folder, name, ret_status)) {
            return fd;
        }
        file_calls.close(fd);
    }
    errno = EBUSY;
    return -1;
}

/* at: where something of ours is mapped that it is to replace; NULL: anywhere. MAP_FIXED replaces
 * what is there in one step (mmap(2)). */
static struct state_shared *map(int fd, void *in_place)
{
    void *at = file_calls.mmap(in_place, sizeof(struct state_shared), PROT_READ | PROT_WRITE,
                               MAP_SHARED | (in_place != NULL ? MAP_FIXED : 0), fd, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    /* So that the key is not swapped out, where the limit allows; a swapped page leaks not through
     * the log but through the host. */
    (void)mlock(at, sizeof(struct state_shared));
    return at;
}

/* A lock that was held when the system went down is held for ever. A process that cannot read the
 * boot's id (no /proc) does not know of a boot: it must not replace a lock that others hold. The id
 * that it leaves in a state of its own is empty, and says nothing either. */
static void renew_after_boot(struct state_shared *shared, const char boot_id[40])
{
    if (boot_id[0] == '\0') {
        return;
    }
    if (shared->boot_id[0] == '\0') {
        memcpy(shared->boot_id, boot_id, sizeof(shared->boot_id));
    } else if (memcmp(boot_id, shared->boot_id, sizeof(shared->boot_id)) != 0) {
        make_mutex(shared);
        atomic_fetch_or(&shared->dirty, STATE_REBOOT);
        memcpy(shared->boot_id, boot_id, sizeof(shared->boot_id));
    }
}

/* A file that is longer is whole as well; its size is judged by state_judge_size(). */
bool state_is_whole_file(int fd)
{
    struct stat status;
    return file_calls.fstat(fd, &status) == 0 && is_whole_file(&status);
}

/* It cannot be known whether a key was asked for: going on without one could be a log that the
 * owner of the key takes for his. */
#define UNFINISHED                                                                                 \
    "is empty or was not finished (a full disk?): no chain was begun with it and no key printed"

/* No log was ever begun with it: nothing has to be moved away. */
static enum miguard_status refuse_draft(struct miguard_error *reterr, const char *log)
{
    return error_set(reterr, MIGUARD_BAD_STATE, 0, "state",
                     "%.60s.state: miguard audit init did not come to its end, and no chain is "
                     "begun; let it end, or run it again",
                     log);
}

/* Is a head whole? Tried again, since a writer may be at work. */
static bool has_head(const struct state_shared *shared)
{
    for (int i = 0; i < READ_TRIES; i++) {
        if (head_sound(&shared->head[0]) || head_sound(&shared->head[1]) ||
            (atomic_load(&shared->redo.valid) != 0 && head_sound(&shared->redo.head))) {
            return true;
        }
    }
    return false;
}

/* A crash may leave a file of the right size whose blocks were never written. */
static bool is_zero(const struct state_shared *shared)
{
    static const char nothing[sizeof(shared->magic)];
    return memcmp(shared->magic, nothing, sizeof(nothing)) == 0;
}

/* From the outside in: first bytes, version, lock, heads. A wrong version with a whole head is
 * damage, since the check of another version's head would hardly fit. */
enum state_damage state_judge(const struct state_shared *shared)
{
    if (is_zero(shared)) {
        return STATE_EMPTY;
    }
    if (memcmp(shared->magic, DRAFT, sizeof(DRAFT)) == 0) {
        return STATE_UNFINISHED;
    }
    if (memcmp(shared->magic, MAGIC, sizeof(MAGIC)) != 0) {
        return STATE_CONTENT;
    }
    if (shared->version != STATE_VERSION || shared->size != sizeof(*shared)) {
        return has_head(shared) ? STATE_CONTENT : STATE_VERSION_OTHER;
    }
    return !state_has_lock(shared) ? STATE_LOCK : !has_head(shared) ? STATE_HEADS : STATE_SOUND;
}

/* A state of another version has another size as a rule. Its first bytes say so, and it is refused
 * rather than set aside: a program of that version may be using it. */
enum state_damage state_judge_size(int fd, const struct stat *status)
{
    struct {
        char magic[8];
        uint32_t version;
    } first = {{0}, 0};

    if (status->st_size == sizeof(struct state_shared)) {
        return STATE_SOUND;
    }
    if (status->st_size == 0 || file_calls.pread(fd, &first, sizeof(first), 0) < 0) {
        return status->st_size == 0 ? STATE_EMPTY : STATE_SIZE;
    }
    if (memcmp(first.magic, DRAFT, sizeof(DRAFT)) == 0) {
        return STATE_UNFINISHED;
    }
    return memcmp(first.magic, MAGIC, sizeof(MAGIC)) == 0 && first.version != STATE_VERSION
               ? STATE_VERSION_OTHER
               : STATE_SIZE;
}

/* Not for SOUND, UNFINISHED and TWO_NAMES, which have messages of their own. */
static const char *damage_text(enum state_damage damage)
{
    static const char *const texts[] = {
        [STATE_SIZE] = "has the wrong size",
        [STATE_CONTENT] = "is not a state of a log",
        [STATE_LOCK] = "has a damaged lock",
        [STATE_HEADS] = "is damaged",
        [STATE_EMPTY] = UNFINISHED,
        [STATE_VERSION_OTHER] = "was written by another version",
    };
    return texts[damage];
}

/* Always an error, BAD_STATE. */
enum miguard_status state_refuse(enum state_damage damage, const char *log,
                                 struct miguard_error *reterr)
{
    return damage == STATE_UNFINISHED ? refuse_draft(reterr, log)
                                      : refuse(reterr, log, damage_text(damage));
}

/* Judged before a byte of it is read. */
enum miguard_status state_check_file(const struct stat *status, const char *log,
                                     struct miguard_error *reterr)
{
    const char *wrong = wrong_file(status);

    return wrong == NULL ? MIGUARD_OK : refuse(reterr, log, wrong);
}

/* fd is the state's from now on, in the place of the one before. */
static void take_fd(struct log_state *state, struct state_shared *shared, int fd,
                    const struct stat *status)
{
    /* One that was closed has left its number to the new one. */
    if (state->mapped && state->fd != fd && file_mark_holds(state->fd, &state->mark)) {
        file_calls.close(state->fd);
    }
    point_into(state, shared, fd);
    state->mapped = true;
    state->gone = false;
    state->mark = (struct file_mark){status->st_dev, status->st_ino, S_IFREG, status->st_uid};
}

/* Judged in a mapping of its own first. Only a sound state takes the place of the one that the log
 * has, at the same address, since pointers into it are all over the log. */
static enum miguard_status open_mapped(int fd, const struct stat *status, const char *log,
                                       struct log_state *state, enum state_damage *ret_damage,
                                       struct miguard_error *reterr)
{
    struct state_shared *shared = map(fd, NULL);
    struct stat now;
    char boot_id[40];

    if (shared == NULL) {
        return refuse_system(reterr, log, "mmap");
    }
    read_boot_id(boot_id);
    if (file_calls.fstat(fd, &now) != 0) {
        enum miguard_status failed = refuse_system(reterr, log, "fstat");
        munmap(shared, sizeof(*shared));
        return failed;
    }
    *ret_damage = is_whole_file(&now) ? state_judge(shared) : STATE_SIZE; /* cut just now */
    if (*ret_damage == STATE_SOUND) {
        renew_after_boot(shared, boot_id);
    }
    if (*ret_damage == STATE_SOUND && state->shared == NULL) {
        take_fd(state, shared, fd, status);
        return MIGUARD_OK;
    }
    munmap(shared, sizeof(*shared));
    if (*ret_damage != STATE_SOUND) {
        return state_refuse(*ret_damage, log, reterr);
    }
    /* In one step: other threads look at what was synced. */
    if (map(fd, state->shared) == NULL) {
        return refuse_system(reterr, log, "mmap");
    }
    take_fd(state, state->shared, fd, status);
    return MIGUARD_OK;
}

/* Under flock(2) until it is judged, so that no state that is being made is seen. The descriptor
 * stays open, without the lock. */
enum miguard_status state_open(int folder, const char *name, const char *log,
                               struct log_state *state, enum state_damage *ret_damage,
                               struct miguard_error *reterr)
{
    struct stat status;
    int fd = state_open_locked(folder, name, 0, &status);

    *ret_damage = STATE_SOUND;
    if (fd < 0) {
        return errno == ENOENT ? error_set(reterr, MIGUARD_NOT_FOUND, ENOENT, "open",
                                           "%.120s.state: not found", log)
                               : refuse_system(reterr, log, "open");
    }
    enum miguard_status result = state_check_file(&status, log, reterr);
    if (result != MIGUARD_OK && S_ISREG(status.st_mode) && status.st_nlink > 1) {
        *ret_damage = STATE_TWO_NAMES;
    }
    if (result == MIGUARD_OK) {
        *ret_damage = state_judge_size(fd, &status);
        result = *ret_damage == STATE_SOUND ? MIGUARD_OK : state_refuse(*ret_damage, log, reterr);
    }
    if (result == MIGUARD_OK) {
        result = open_mapped(fd, &status, log, state, ret_damage, reterr);
    }
    if (result == MIGUARD_OK) {
        file_calls.flock(fd, LOCK_UN);
    } else {
        file_calls.close(fd);
    }
    return result;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* For state_create() and state_draft(). magic makes the difference: no program takes a draft for a
 * state. */
struct making {
    int folder;
    const char *name, *log, *magic;
    const struct state_head *first;
    const struct state_loss *lost;
    const struct state_replaced *replaced; /* NULL: there must be no state */
};

/* In private memory, which is then written whole. The mutex is initialized there as well: what
 * makes it one are its bytes (see state_has_lock()). */
static void fill(struct state_shared *shared, const struct making *making)
{
    make_mutex(shared);
    shared->version = STATE_VERSION;
    shared->size = sizeof(*shared);
    read_boot_id(shared->boot_id);
    memcpy(&shared->head[0], making->first, sizeof(*making->first));
    shared->head[0].check = check_of(&shared->head[0]);
    if (making->lost != NULL) {
        shared->pending[SINK_FILE] = *making->lost;
        memcpy(shared->lost_total, making->lost->by_cause, sizeof(shared->lost_total));
        shared->dirty = STATE_LOOK;
    }
    if (making->replaced != NULL) {
        shared->dirty = making->replaced->dirty;
        shared->synced = making->first->synced;
    }
    memcpy(shared->magic, making->magic, sizeof(shared->magic));
}

/* A write(2) that writes nothing counts as a full disk. */
static bool write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t written = file_calls.write(fd, at, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return false;
        }
        at += written;
        length -= (size_t)written;
    }
    return true;
}

/* All of it on the disk, under its working name. With blocks of its own: a store into a mapping
 * that finds no space raises SIGBUS. */
static bool write_state(int fd, const struct state_shared *shared)
{
    struct stat status;

    /* What one who was killed has left. */
    if (file_calls.fstat(fd, &status) != 0 ||
        (status.st_size > 0 && file_calls.ftruncate(fd, 0) != 0)) {
        return false;
    }
    if (!limit_allows_file(sizeof(*shared))) {
        return false;
    }
    int error = file_calls.posix_fallocate(fd, 0, sizeof(*shared));
    if (error != 0) {
        errno = error;
        return false;
    }
    return file_calls.fchmod(fd, 0600) == 0 && write_all(fd, shared, sizeof(*shared)) &&
           file_calls.fsync(fd) == 0;
}

/* Some file systems have no fsync(2) for a folder. EROFS: a folder that cannot be written has
 * nothing to be flushed. */
static bool sync_folder(int folder)
{
    return file_calls.fsync(folder) == 0 || errno == EINVAL || errno == EROFS;
}

/* Who has the old one mapped must not use it any more when there is a new one. */
static bool retire(const struct state_replaced *replaced)
{
    return replaced == NULL || write_all(replaced->fd, ASIDE, sizeof(ASIDE));
}

/* One that replaces another stays also when the folder cannot be synced: the old one is retired. */
static bool publish(const struct making *making, const char *working, int fd,
                    const struct state_shared *shared)
{
    const char *made = working;
    bool done = write_state(fd, shared) && retire(making->replaced) &&
                file_calls.renameat(making->folder, working, making->folder, making->name) == 0;

    if (done) {
        made = making->name;
        done = sync_folder(making->folder) || making->replaced != NULL;
    }
    if (!done) {
        int error = errno;
        file_calls.unlinkat(making->folder, made, 0);
        errno = error;
    }
    return done;
}

/* Only the very file that was judged, never one that came in its place since. */
static bool may_be_replaced(const struct making *making, const struct stat *status)
{
    return making->replaced != NULL && status->st_dev == making->replaced->device &&
           status->st_ino == making->replaced->inode;
}

/* The working file, locked: who makes a state holds it, so that two do not make two. *ret_fd stays
 * -1 when there is a state meanwhile. */
static enum miguard_status open_working(const struct making *making, const char *working,
                                        int *ret_fd, struct miguard_error *reterr)
{
    enum miguard_status result = MIGUARD_OK;
    struct stat status;
    int fd = state_open_locked(making->folder, working, O_CREAT, &status);

    if (fd < 0) {
        return refuse_system(reterr, making->log, "open");
    }
    result = state_check_file(&status, making->log, reterr);
    if (result != MIGUARD_OK) {
        file_calls.close(fd);
        return result;
    }
    bool there =
        file_calls.fstatat(making->folder, making->name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && may_be_replaced(making, &status)) {
        *ret_fd = fd;
        return MIGUARD_OK;
    }
    if (there) {
        file_calls.unlinkat(making->folder, working, 0); /* another one made it */
    } else if (errno != ENOENT) { /* what cannot be looked at must not be replaced */
        result = refuse_system(reterr, making->log, "stat");
    } else {
        *ret_fd = fd;
        return MIGUARD_OK;
    }
    file_calls.close(fd);
    return result;
}

/* Everything or nothing: a state that could be seen half made would be taken for one without a
 * key. */
static enum miguard_status make(const struct making *making, int *ret_fd,
                                struct miguard_error *reterr)
{
    char working[FILE_NAME_SIZE + 8];

    *ret_fd = -1;
    snprintf(working, sizeof(working), "%s.new", making->name);
    struct state_shared *shared = base_alloc(1, sizeof(*shared));
    if (shared == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "state", NULL);
    }
    enum miguard_status result = open_working(making, working, ret_fd, reterr);
    if (*ret_fd >= 0) {
        fill(shared, making);
        if (!publish(making, working, *ret_fd, shared)) {
            result = refuse_system(reterr, making->log, "write");
            file_calls.close(*ret_fd);
            *ret_fd = -1;
        }
    }
    explicit_bzero(shared, sizeof(*shared));
    base_free(shared);
    return result;
}

/* The descriptor is closed: the caller opens the state by its name, as any other process does. */
enum miguard_status state_create(int folder, const char *name, const char *log,
                                 const struct state_head *first, const struct state_loss *lost,
                                 const struct state_replaced *replaced,
                                 struct miguard_error *reterr)
{
    const struct making making = {folder, name, log, MAGIC, first, lost, replaced};
    int fd = -1;
    enum miguard_status result = make(&making, &fd, reterr);

    if (fd >= 0) {
        file_calls.close(fd);
    }
    return result;
}

/* ---- a draft --------------------------------------------------------------------------------- */

/* Mapped at once: state_finish() then needs no call that can fail before its store. */
enum miguard_status state_draft(int folder, const char *name, const char *log,
                                const struct state_head *first, struct state_draft *ret_draft,
                                struct miguard_error *reterr)
{
    const struct making making = {folder, name, log, DRAFT, first, NULL, NULL};

    *ret_draft = (struct state_draft){.folder = folder, .name = name, .fd = -1};
    enum miguard_status result = make(&making, &ret_draft->fd, reterr);
    if (result != MIGUARD_OK) {
        return result;
    }
    if (ret_draft->fd < 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, EEXIST, "init",
                         "%.60s.state: another program made it just now", log);
    }
    ret_draft->shared = map(ret_draft->fd, NULL);
    if (ret_draft->shared == NULL) {
        result = refuse_system(reterr, log, "mmap");
        state_discard(ret_draft);
    }
    return result;
}

/* Closing gives the flock(2) back. */
static void release_draft(struct state_draft *draft)
{
    if (draft->shared != NULL) {
        munmap(draft->shared, sizeof(*draft->shared));
    }
    if (draft->fd >= 0) {
        file_calls.close(draft->fd);
    }
    draft->shared = NULL;
    draft->fd = -1;
}

/* A store, and so is taking it back: no failing call can come between that and the answer. */
bool state_finish(struct state_draft *draft)
{
    int result;

    memcpy(draft->shared->magic, MAGIC, sizeof(MAGIC));
    do {
        result = file_calls.fdatasync(draft->fd);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        memcpy(draft->shared->magic, DRAFT, sizeof(DRAFT));
        return false;
    }
    release_draft(draft);
    return true;
}

/* After state_finish() fd is -1, and nothing is removed. */
void state_discard(struct state_draft *draft)
{
    int error = errno;

    if (draft->fd >= 0) {
        file_calls.unlinkat(draft->folder, draft->name, 0); /* else it stays a draft */
        (void)file_calls.fsync(draft->folder);
    }
    release_draft(draft);
    errno = error;
}

/* The maker of a draft holds flock(2) while it is at work, so a draft that can be locked was
 * left. */
bool state_remove_draft(int folder, const char *name)
{
    char magic[sizeof(DRAFT)] = "";
    struct stat status;
    int fd = state_open_locked(folder, name, 0, &status);

    if (fd < 0) {
        return false;
    }
    bool removed = wrong_file(&status) == NULL &&
                   file_calls.pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
                   memcmp(magic, DRAFT, sizeof(DRAFT)) == 0 &&
                   file_calls.unlinkat(folder, name, 0) == 0;
    file_calls.close(fd);
    return removed;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Read and not mapped: the file may be cut at any time. The redo counts only when it is valid. Of
 * several whole heads the highest number holds. */
bool state_salvage(int fd, bool *ret_found, struct state_head *ret_head)
{
    const size_t length = offsetof(struct state_shared, files);
    struct state_shared *shared = base_alloc(1, sizeof(*shared));
    const struct state_head *best = NULL;

    *ret_found = false;
    ssize_t got = shared == NULL ? -1 : file_calls.pread(fd, shared, length, 0);
    if (got != (ssize_t)length) {
        base_free(shared);
        return got >= 0;
    }
    const struct state_head *heads[] = {&shared->head[0], &shared->head[1], &shared->redo.head};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        bool counts =
            head_sound(heads[i]) && heads[i]->chain_id != 0 && (i < 2 || shared->redo.valid != 0);
        best = counts && (best == NULL || heads[i]->sequence > best->sequence) ? heads[i] : best;
    }
    if (best != NULL) {
        memcpy(ret_head, best, sizeof(*ret_head));
    }
    explicit_bzero(shared, length);
    base_free(shared);
    *ret_found = best != NULL;
    return true;
}

/* The head that holds in a copy of the page; NULL: the copy was taken while it was written. */
static const struct state_head *head_in(const struct state_shared *shared)
{
    const struct state_head *head = &shared->head[shared->current & 1];

    if (shared->redo.valid != 0) {
        head = &shared->redo.head;
    }
    return head_sound(head) ? head : NULL;
}

/* *ret_wrong NULL and false: it is a draft. */
static bool copy_head(int fd, struct state_head *ret_head, const char **ret_wrong)
{
    const size_t length = offsetof(struct state_shared, files);
    struct state_shared *shared = base_alloc(1, sizeof(*shared));
    const struct state_head *head = NULL;

    *ret_wrong = shared == NULL ? "cannot be read: out of memory" : "is damaged";
    for (int i = 0; i < READ_TRIES && head == NULL && shared != NULL; i++) {
        ssize_t got = file_calls.pread(fd, shared, length, 0);
        if (got == 0) {
            *ret_wrong = UNFINISHED;
            break;
        }
        if (got == (ssize_t)length && memcmp(shared->magic, DRAFT, sizeof(DRAFT)) == 0) {
            *ret_wrong = NULL;
            break;
        }
        if (got != (ssize_t)length || memcmp(shared->magic, MAGIC, sizeof(MAGIC)) != 0 ||
            shared->version != STATE_VERSION) {
            *ret_wrong = "is not a state of a log";
            break;
        }
        head = head_in(shared);
    }
    if (head != NULL) {
        memcpy(ret_head, head, sizeof(*head));
        ret_head->synced = shared->synced;
        chain_key_wipe(&ret_head->key);
    }
    if (shared != NULL) {
        explicit_bzero(shared, length);
    }
    base_free(shared);
    return head != NULL;
}

/* Without a lock and without write access, for the commands that verify and report. The key is not
 * in what is returned. */
enum miguard_status state_read_head(int folder, const char *name, const char *log,
                                    struct state_head *ret_head, struct miguard_error *reterr)
{
    const char *wrong = NULL;
    struct state_head head;
    struct stat status;
    int fd = file_calls.openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0 && errno == ENOENT) {
        return error_set(reterr, MIGUARD_NOT_FOUND, ENOENT, "open", "%.120s.state: not found", log);
    }
    if (fd < 0) {
        return refuse_system(reterr, log, "open");
    }
    if (file_calls.fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        wrong = "is not a regular file";
    }
    bool read = wrong == NULL && copy_head(fd, &head, &wrong);
    file_calls.close(fd);
    if (!read && wrong == NULL) {
        return refuse_draft(reterr, log);
    }
    if (!read && strcmp(wrong, UNFINISHED) == 0) {
        return refuse(reterr, log, wrong);
    }
    if (!read) {
        return error_set(
            reterr, MIGUARD_BAD_STATE, 0, "state",
            "%.60s.state %s; who writes to the log next sets it aside, or says why not", log,
            wrong);
    }
    memcpy(ret_head, &head, sizeof(head));
    return MIGUARD_OK;
}
