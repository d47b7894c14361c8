/* SPDX-License-Identifier: MIT */
/*
 * A log file (audit/file/file.h) and sinks (audit/sink/sink_ops.h) that fail when a test says so,
 * in place of the library's: to be included by one file of a test, which is linked before the
 * library. It writes real lines, appends them to a real file, and keeps the state in memory that
 * forked children share.
 */
#ifndef SUPPORT_FAKE_FILE_H
#define SUPPORT_FAKE_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/file/file.h"

enum { FAKE_WORKS = -1 };

/* FAKE_WORKS, or the enum audit_loss that each such call fails with. */
static int fake_lock = FAKE_WORKS, fake_append = FAKE_WORKS, fake_sync = FAKE_WORKS;
static int fake_appends_left = -1; /* then fake_append_after; -1: no limit */
static int fake_append_after = AUDIT_LOSS_NO_SPACE;
static unsigned fake_syncs, fake_maintained;
static bool fake_background;

struct state_shared {
    pthread_mutex_t lock;
    struct state_loss pending[STATE_SINKS];
    uint64_t lost_total[AUDIT_LOSS_COUNT];
    struct state_repeat repeats[STATE_REPEATS];
    int64_t repeats_until;
    uint64_t sequence;
    unsigned char hash[CHAIN_HASH_SIZE];
};

struct log_file {
    int fd;
    struct log_state state;
    pthread_mutex_t background_lock;
    pthread_cond_t background_call;
    bool background;
};

static struct state_shared *fake_shared(int fd)
{
    pthread_mutexattr_t attributes;
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    bool fresh = fd < 0 || lseek(fd, 0, SEEK_END) == 0;

    if (fd >= 0 && ftruncate(fd, sizeof(struct state_shared)) != 0) {
        abort();
    }
    struct state_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, flags, fd, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    if (fresh) {
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&shared->lock, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    return shared;
}

static struct log_state fake_state(struct state_shared *shared)
{
    return (struct log_state){.shared = shared,
                              .fd = -1,
                              .pending = shared->pending,
                              .lost_total = shared->lost_total,
                              .repeats = shared->repeats,
                              .repeats_until = &shared->repeats_until};
}

enum miguard_status state_open_private(struct log_state *ret_state)
{
    *ret_state = fake_state(fake_shared(-1));
    return MIGUARD_OK;
}

void state_close(struct log_state *state)
{
    munmap(state->shared, sizeof(*state->shared));
}

bool state_lock(struct log_state *state, bool *ret_waited)
{
    *ret_waited = false;
    int error = pthread_mutex_lock(&state->shared->lock);
    if (error == EOWNERDEAD) {
        error = pthread_mutex_consistent(&state->shared->lock);
    }
    return error == 0;
}

void state_unlock(struct log_state *state)
{
    pthread_mutex_unlock(&state->shared->lock);
}

/* What makes the logs of a fleet is linked with every test; no test with this file makes one. */
enum miguard_status file_init(const char *path, const struct chain_key *key,
                              enum file_earlier earlier, char ret_aside[PATH_MAX],
                              struct miguard_error *reterr)
{
    (void)path;
    (void)key;
    (void)earlier;
    (void)ret_aside;
    (void)reterr;
    return MIGUARD_NOT_SUPPORTED;
}

enum miguard_status file_open(const struct sink_settings *settings, struct log_process *process,
                              struct log_file **ret_file, struct miguard_error *reterr)
{
    (void)process;
    (void)reterr;
    char state_path[512];

    snprintf(state_path, sizeof(state_path), "%s.state", settings->path);
    int fd = open(settings->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    int state_fd = open(state_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct log_file *file = calloc(1, sizeof(*file));
    if (fd < 0 || state_fd < 0 || file == NULL) {
        abort();
    }
    file->state = fake_state(fake_shared(state_fd));
    close(state_fd);
    file->fd = fd;
    pthread_mutex_init(&file->background_lock, NULL);
    pthread_cond_init(&file->background_call, NULL);
    *ret_file = file;
    return MIGUARD_OK;
}

void file_close(struct log_file *file)
{
    close(file->fd);
    state_close(&file->state);
    pthread_mutex_destroy(&file->background_lock);
    pthread_cond_destroy(&file->background_call);
    free(file);
}

bool file_lock(struct log_file *file, enum audit_loss *ret_loss)
{
    if (fake_lock != FAKE_WORKS) {
        *ret_loss = (enum audit_loss)fake_lock;
        return false;
    }
    bool waited;
    return state_lock(&file->state, &waited);
}

void file_unlock(struct log_file *file)
{
    state_unlock(&file->state);
}

struct log_state *file_state(struct log_file *file)
{
    return &file->state;
}

static int fake_append_now(void)
{
    if (fake_append != FAKE_WORKS || fake_appends_left < 0) {
        return fake_append;
    }
    return fake_appends_left-- > 0 ? FAKE_WORKS : fake_append_after;
}

bool file_append(struct log_file *file, struct batch *batch, const struct file_record *record,
                 enum audit_loss *ret_loss)
{
    struct text *ret_line = &batch->line;
    char hex[CHAIN_HEX_SIZE];
    struct state_shared *shared = file->state.shared;
    char previous[CHAIN_HEX_SIZE];
    struct audit_place place = {.sequence = shared->sequence + 1,
                                .chain_id = 1,
                                .previous = previous,
                                .repeats = record->repeats,
                                .first = record->first,
                                .last = record->last};
    int failure = fake_append_now();

    chain_hex(shared->hash, previous);
    text_clear(ret_line);
    text_append_bytes(ret_line, record->body, record->body_length);
    audit_encode_tail(ret_line, record->event, record->id, &place);
    if (failure != FAKE_WORKS || ret_line->failed) {
        *ret_loss = ret_line->failed ? AUDIT_LOSS_NO_MEMORY : (enum audit_loss)failure;
        return false;
    }
    chain_hash(&(struct chain_key){.present = false}, ret_line->data, ret_line->length,
               shared->hash);
    chain_hex(shared->hash, hex);
    text_append(ret_line, hex);
    text_append(ret_line, AUDIT_LINE_END "\n");
    if (ret_line->failed ||
        write(file->fd, ret_line->data, ret_line->length) != (ssize_t)ret_line->length) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    ret_line->data[--ret_line->length] = '\0';
    shared->sequence++;
    if (record->event->lost != NULL && strcmp(record->event->lost->sink, "file") == 0) {
        memset(&shared->pending[SINK_FILE], 0, sizeof(shared->pending[SINK_FILE]));
    }
    const struct sink_record placed = {ret_line->data, ret_line->length, record->event,
                                       record->id,     shared->sequence, hex,
                                       record->repeats};
    batch_add_placed(batch, &placed);
    return true;
}

bool file_sync(struct log_file *file, uint64_t sequence, enum audit_loss *ret_loss)
{
    (void)file;
    (void)sequence;
    __atomic_add_fetch(&fake_syncs, 1, __ATOMIC_RELAXED);
    if (fake_sync != FAKE_WORKS) {
        *ret_loss = (enum audit_loss)fake_sync;
    }
    return fake_sync == FAKE_WORKS;
}

void file_maintain(struct log_file *file, struct batch *batch)
{
    (void)file;
    (void)batch;
    __atomic_add_fetch(&fake_maintained, 1, __ATOMIC_RELAXED);
}

void file_set_background(struct log_file *file, bool present)
{
    pthread_mutex_lock(&file->background_lock);
    file->background = present;
    __atomic_store_n(&fake_background, present, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&file->background_call);
    pthread_mutex_unlock(&file->background_lock);
}

/* Impatient, so that a test need not wait. */
bool file_background_wait(struct log_file *file, unsigned milliseconds)
{
    struct timespec until;

    (void)milliseconds;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&file->background_lock);
    int error = 0;
    while (file->background && error == 0) {
        error = pthread_cond_clockwait(&file->background_call, &file->background_lock,
                                       CLOCK_MONOTONIC, &until);
    }
    bool goes_on = file->background;
    pthread_mutex_unlock(&file->background_lock);
    return goes_on;
}

void file_fork_lock(struct log_file *file)
{
    bool waited;

    pthread_mutex_lock(&file->background_lock);
    (void)!state_lock(&file->state, &waited);
}

void file_fork_unlock(struct log_file *file, bool child)
{
    if (child) { /* the parent unlocks what both share */
        file->background = false;
        pthread_cond_init(&file->background_call, NULL);
    } else {
        state_unlock(&file->state);
    }
    pthread_mutex_unlock(&file->background_lock);
}

#endif
