/* SPDX-License-Identifier: MIT */
/*
 * A state that is damaged, cut or overwritten must not make its log unusable: it is set aside,
 * under a name of its own, and a new one goes on from what can be known.
 *
 * - Where a head in it is whole and belongs to the log, that goes on, key and all.
 * - Otherwise from the log itself: the number and hash of its last record. A chain without a key
 *   goes on behind it. The key of one that had a key is lost, and a chain without a key begins,
 *   whose first record names the hash of the last one before it. A policy that wants a key refuses
 *   that.
 *
 * The first record under the new state says so. Its facts are kept in the state until it is
 * written, so that a kill does not take it away.
 *
 *     lock the file    lock the mutex in it    link it to NAME.state.damaged-N    write the new one
 *     overwrite the first bytes of the old    rename the new one over the name
 *
 * There is a state at every moment, and at most one that writers take for one: they look at the
 * first bytes each time that they have locked it (file_lock_state()).
 *
 * file_set_state_aside() -> set_aside(): stop_writers(), judge(), choose_head(), check_choice(),
 * replace().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file_internal.h"

/* Damaged states of one log that are kept. A log that has so many needs an administrator, and its
 * state is refused. */
enum { NUMBERS = 999 };

/* All that is known about the damaged state while it is replaced. */
struct aside {
    struct log_file *file;
    const char *path;
    char name[FILE_NAME_SIZE], other[FILE_NAME_SIZE]; /* of the state, and set aside */
    int fd;
    struct stat status;
    struct state_shared *shared; /* NULL: too short to be mapped */
    bool locked, killed;         /* a writer died with the lock */
    enum state_damage damage;
    enum state_key key;
    struct state_head head;
    unsigned number;
};

/* A step failed and nothing is changed: the damaged state stays under its name. */
static enum miguard_status system_error(const struct aside *aside, const char *step,
                                        struct miguard_error *reterr)
{
    int error = errno;

    return error_set(reterr, MIGUARD_SYSTEM, error, step, "%.80s.state is damaged, and %.60s: %s",
                     aside->path, "cannot be set aside", strerrordesc_np(error));
}

/* NAME.state.damaged-N. */
static void name_number(const struct log_file *file, unsigned number, char name[FILE_NAME_SIZE])
{
    char suffix[40];

    snprintf(suffix, sizeof(suffix), "state.damaged-%u", number);
    file_sibling(file, suffix, name);
}

/* ---- what lies there ------------------------------------------------------------------------- */

/* A writer killed here has left it with its second name. A second name of any other kind stays, and
 * state_check_file() then refuses the state. */
static void drop_second_name(struct aside *aside)
{
    struct stat other;

    for (unsigned i = 1; i <= NUMBERS && aside->status.st_nlink > 1; i++) {
        name_number(aside->file, i, aside->other);
        int found =
            file_calls.fstatat(aside->file->folder, aside->other, &other, AT_SYMLINK_NOFOLLOW);
        if (found != 0 && errno == ENOENT) {
            return;
        }
        if (found == 0 && other.st_ino == aside->status.st_ino &&
            other.st_dev == aside->status.st_dev) {
            (void)file_calls.unlinkat(aside->file->folder, aside->other, 0);
            (void)file_calls.fstat(aside->fd, &aside->status);
        }
    }
}

/* Writers that use it finish first. Where its lock cannot be taken they get a moment: after each
 * step they see that it is not a state any more. */
static void stop_writers(struct aside *aside)
{
    const struct timespec moment = {0, 20000000};
    void *at = MAP_FAILED;

    if (aside->status.st_size >= (off_t)sizeof(*aside->shared)) {
        at = file_calls.mmap(NULL, sizeof(*aside->shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                             aside->fd, 0);
    }
    aside->shared = at == MAP_FAILED ? NULL : at;
    if (aside->shared != NULL && state_is_whole_file(aside->fd) && state_has_lock(aside->shared)) {
        int error = state_wait_for(&aside->shared->mutex);
        if (error == EOWNERDEAD) {
            pthread_mutex_consistent(&aside->shared->mutex);
            aside->killed = true;
        }
        aside->locked = error == 0 || error == EOWNERDEAD;
    }
    if (!aside->locked) {
        nanosleep(&moment, NULL);
    }
}

/* The size first: what is shorter than a state must not be touched in the mapping. */
static enum state_damage judge(const struct aside *aside)
{
    enum state_damage damage = state_judge_size(aside->fd, &aside->status);

    return damage == STATE_SOUND && aside->shared != NULL ? state_judge(aside->shared)
           : damage == STATE_SOUND                        ? STATE_SIZE
                                                          : damage;
}

/* ---- what goes on ---------------------------------------------------------------------------- */

/* False: it is there, and cannot be read. A file that is not there has no last record, which is an
 * answer. */
static bool last_in(struct log_file *file, const char *name, struct stat *ret_status,
                    bool *ret_found, struct file_last *ret_last)
{
    const char *problem = NULL;
    int fd = -1;

    *ret_found = false;
    if (!file_open_name(file, name, &fd, ret_status, &problem)) {
        return errno == ENOENT;
    }
    bool read = file_last_chained(fd, ret_found, ret_last);
    file_calls.close(fd);
    return read;
}

/* The last record of the log: in its current file, or when that has none yet in the one before. */
static bool last_of_log(struct log_file *file, struct state_head *head, uint64_t highest,
                        bool *ret_found, struct file_last *ret_last)
{
    char rotated[FILE_NAME_SIZE];
    struct stat status = {0}, ignored;

    bool read = last_in(file, file->name, &status, ret_found, ret_last);
    head->inode = status.st_ino;
    head->size = (uint64_t)status.st_size;
    if (read && !*ret_found && highest > 0) {
        file_rotated_name(file, highest, rotated);
        read = last_in(file, rotated, &ignored, ret_found, ret_last);
        head->file_after = *ret_found ? ret_last->sequence : 0;
    }
    return read;
}

/* *ret_known false: nothing shows that there was a log. False: what may show it cannot be read, and
 * nothing is concluded from that. */
static bool choose_head(struct aside *aside, bool *ret_known)
{
    const struct chain_key none = {.present = false};
    struct state_head *head = &aside->head, old = {0};
    struct file_last last = {0};
    uint64_t highest = 0;
    bool found = false, whole = false;

    if (!file_first_head(aside->file, &none, head, &highest) ||
        !last_of_log(aside->file, head, highest, &found, &last) ||
        !state_salvage(aside->fd, &whole, &old)) {
        return false;
    }
    *ret_known = found || whole;
    if (whole && (!found || old.chain_id == last.chain_id)) {
        memcpy(head, &old, sizeof(*head));
        chain_key_wipe(&old.key);
        aside->key = head->key.present ? STATE_KEY_KEPT : STATE_KEY_NONE;
        return true;
    }
    chain_key_wipe(&old.key);
    *ret_known = found;
    head->sequence = last.sequence;
    memcpy(head->hash, last.hash, sizeof(head->hash));
    aside->key = !found || last.epoch != 0 ? STATE_KEY_LOST : STATE_KEY_NONE;
    if (found && last.epoch == 0) {
        head->chain_id = last.chain_id;
        head->oldest = 1;
    }
    return true;
}

/* What must not be replaced at all. */
static enum miguard_status check_choice(const struct aside *aside, bool known,
                                        struct miguard_error *reterr)
{
    if (aside->damage == STATE_UNFINISHED || aside->damage == STATE_VERSION_OTHER ||
        (aside->damage == STATE_EMPTY && !known)) {
        return state_refuse(aside->damage, aside->path, reterr);
    }
    if (aside->file->settings.chain_required && !aside->head.key.present) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "state",
                         "%.60s.state is damaged, and %s; the policy wants a key (chain: "
                         "required): run miguard audit init --aside",
                         aside->path,
                         aside->key == STATE_KEY_LOST ? "the key of the chain is lost with it"
                                                      : "its chain has no key");
    }
    return MIGUARD_OK;
}

/* ---- replacing it ---------------------------------------------------------------------------- */

/* linkat(2) fails where the name is taken, so that no earlier damaged state is lost. */
static bool link_aside(struct aside *aside)
{
    for (unsigned i = 1; i <= NUMBERS; i++) {
        name_number(aside->file, i, aside->other);
        if (file_calls.linkat(aside->file->folder, aside->name, aside->file->folder, aside->other,
                              0) == 0) {
            aside->number = i;
            return true;
        }
        if (errno != EEXIST) {
            return false;
        }
    }
    return false;
}

/* The facts for the record are packed into dirty of the new state (STATE_ASIDE_...), which is
 * published with it in one step. */
static enum miguard_status replace(struct aside *aside, struct miguard_error *reterr)
{
    if (!link_aside(aside)) {
        return system_error(aside, "link", reterr);
    }
    const struct state_replaced replaced = {
        .fd = aside->fd,
        .device = aside->status.st_dev,
        .inode = aside->status.st_ino,
        .dirty = STATE_ASIDE | STATE_LOOK | (aside->killed ? STATE_KILLED : STATE_CLEAN) |
                 (uint32_t)aside->damage << STATE_ASIDE_FOUND |
                 (uint32_t)aside->key << STATE_ASIDE_KEY | aside->number << STATE_ASIDE_NUMBER,
    };
    enum miguard_status status = state_create(aside->file->folder, aside->name, aside->path,
                                              &aside->head, NULL, &replaced, reterr);
    if (status != MIGUARD_OK) {
        (void)file_calls.unlinkat(aside->file->folder, aside->other, 0);
    }
    return status;
}

/* With the file locked. OK and nothing done when another process has replaced it meanwhile. */
static enum miguard_status set_aside(struct aside *aside, struct miguard_error *reterr)
{
    drop_second_name(aside);
    enum miguard_status status = state_check_file(&aside->status, aside->path, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    stop_writers(aside);
    /* Looked at anew: it may have been cut while its lock was waited for. */
    if (file_calls.fstat(aside->fd, &aside->status) != 0) {
        return system_error(aside, "fstat", reterr);
    }
    aside->damage = judge(aside);
    if (aside->damage == STATE_SOUND) {
        return MIGUARD_OK;
    }
    bool known = false;
    if (!choose_head(aside, &known)) {
        return system_error(aside, "read", reterr);
    }
    status = check_choice(aside, known, reterr);
    return status == MIGUARD_OK ? replace(aside, reterr) : status;
}

/* The file's lock is held throughout, which every program takes that opens the state, and the mutex
 * in it where it can be locked. The key is wiped on every way out. */
enum miguard_status file_set_state_aside(struct log_file *file, const char *path,
                                         struct miguard_error *reterr)
{
    struct aside aside = {.file = file, .path = path};

    file_sibling(file, "state", aside.name);
    aside.fd = state_open_locked(file->folder, aside.name, 0, &aside.status);
    if (aside.fd < 0) {
        return errno == ENOENT ? MIGUARD_OK : system_error(&aside, "open", reterr);
    }
    enum miguard_status status = set_aside(&aside, reterr);
    chain_key_wipe(&aside.head.key);
    if (aside.locked) {
        pthread_mutex_unlock(&aside.shared->mutex);
    }
    if (aside.shared != NULL) {
        munmap(aside.shared, sizeof(*aside.shared));
    }
    file_calls.close(aside.fd);
    return status;
}

/* ---- the record about it --------------------------------------------------------------------- */

/* Unpacks the facts. They lie in memory that others map: numbers out of range get a word, not an
 * index. */
bool file_aside_is_due(struct log_file *file, struct aside_due *ret_due)
{
    static const char *const found[] = {[STATE_SIZE] = "size",
                                        [STATE_CONTENT] = "content",
                                        [STATE_LOCK] = "lock",
                                        [STATE_HEADS] = "heads",
                                        [STATE_EMPTY] = "empty"};
    static const char *const keys[] = {"none", "kept", "lost", "lost"};
    uint32_t facts = atomic_load(&file->state.shared->dirty);
    unsigned damage = facts >> STATE_ASIDE_FOUND & 7;

    if ((facts & STATE_ASIDE) == 0) {
        return false;
    }
    name_number(file, facts >> STATE_ASIDE_NUMBER, ret_due->name);
    ret_due->facts = (struct audit_set_aside){
        .found = damage >= STATE_SIZE && damage <= STATE_EMPTY ? found[damage] : "content",
        .key = keys[facts >> STATE_ASIDE_KEY & 3],
        .file = ret_due->name,
    };
    return true;
}

/* Clears everything of STATE_ASIDE and keeps what has to be repaired. */
void file_aside_reported(struct log_file *file)
{
    if (state_prove(&file->state)) {
        atomic_fetch_and(&file->state.shared->dirty, STATE_REPAIR);
    }
}
