/* SPDX-License-Identifier: MIT */
/* Opens the state of a log by its name, and makes one that is missing; called when a log is opened,
 * and by file_lock.c when the state is not the one any more. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/file/file_internal.h"

/* The last number in a file of a log whose state is gone. */
static uint64_t last_number(struct log_file *file, const char *name, struct stat *ret_status)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    const char *problem = NULL;
    uint64_t last = 0;
    int fd = -1;

    if (!file_open_name(file, name, &fd, ret_status, &problem)) {
        return 0;
    }
    bool found = file_last_record(fd, &last, hash);
    file_calls.close(fd);
    return found ? last : 0;
}

/*
 * A log whose state was removed. Refusing would let anyone who can remove it stop every program
 * that uses the log; so it goes on, with a chain of its own, and the break is reported: the next
 * number is taken for a record that may have been there, and counts as cut off. False: it is not
 * such a log.
 */
static bool go_on_without_state(struct log_file *file, struct state_head *head, uint64_t highest,
                                struct state_loss *ret_lost)
{
    char rotated[FILE_NAME_SIZE];
    struct stat status = {0};
    uint64_t last = last_number(file, file->name, &status);

    head->inode = status.st_ino;
    head->size = (uint64_t)status.st_size;
    if (last == 0 && highest > 0) {
        struct stat ignored;
        file_rotated_name(file, highest, rotated);
        last = last_number(file, rotated, &ignored);
    }
    if (head->size == 0 && highest == 0) {
        return false;
    }
    head->sequence = last + 1;
    head->file_after = head->sequence;
    *ret_lost = (struct state_loss){.by_cause[AUDIT_LOSS_CUT] = 1,
                                    .first = head->file_start,
                                    .last = head->file_start,
                                    .first_sequence = head->sequence,
                                    .last_sequence = head->sequence};
    return true;
}

/* A chain without a key begins: a key is made by `miguard audit init` only, which hands it over. A
 * folder that cannot be listed does not stop the log. */
static enum miguard_status make_state(struct log_file *file, const char *name, const char *path,
                                      struct miguard_error *reterr)
{
    const struct chain_key none = {.present = false};
    struct state_loss lost;
    struct state_head head;
    uint64_t highest = 0;

    (void)file_first_head(file, &none, &head, &highest); /* repair.c finds its files */
    bool goes_on = go_on_without_state(file, &head, highest, &lost);
    return state_create(file->folder, name, path, &head, goes_on ? &lost : NULL, NULL, reterr);
}

/* A missing state under chain: required is refused: going on without a key would be less than the
 * policy asks for. */
static enum miguard_status begin_state(struct log_file *file, const char *name, const char *path,
                                       struct miguard_error *reterr)
{
    if (file->settings.chain_required) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "chain",
                         "%.80s: the policy wants a chain with a key (chain: required), and none "
                         "was begun; run miguard audit init",
                         path);
    }
    return make_state(file, name, path, reterr);
}

/* Between two of the steps another process may take one, too. So each try looks anew. What is still
 * not a state after TRIES is refused with the last error. */
enum miguard_status file_open_state(struct log_file *file, const char *path,
                                    struct miguard_error *reterr)
{
    enum { TRIES = 4 };
    enum miguard_status status = MIGUARD_BAD_STATE;
    enum state_damage damage = STATE_SOUND;
    char name[FILE_NAME_SIZE];

    file_sibling(file, "state", name);
    for (int i = 0; i < TRIES; i++) {
        status = state_open(file->folder, name, path, &file->state, &damage, reterr);
        if (status == MIGUARD_OK || (status == MIGUARD_BAD_STATE && damage == STATE_SOUND)) {
            return status;
        }
        enum miguard_status mended =
            status == MIGUARD_NOT_FOUND   ? begin_state(file, name, path, reterr)
            : status == MIGUARD_BAD_STATE ? file_set_state_aside(file, path, reterr)
                                          : status;
        if (mended != MIGUARD_OK) {
            return mended;
        }
    }
    return status;
}
