/* SPDX-License-Identifier: MIT */
#include "gateway/gateway.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/*
 * The default gateway: the one mutable global beside the handle tables. Contexts count as its
 * users; it can be replaced only while it has none.
 */
static struct {
    pthread_mutex_t lock;
    bool configured;
    unsigned users;
    struct gateway gateway;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .gateway = {.policy = &policy_builtin}};

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* A child of fork(2) has only the calling thread: a lock that another thread held would never be
 * released there. So they are all taken before and given back on both sides. */
static void before_fork(void)
{
    pthread_mutex_lock(&state.lock);
    pthread_mutex_lock(&guarded_contexts.lock);
    pthread_mutex_lock(&guarded_sessions.lock);
    pthread_mutex_lock(&guarded_operations.lock);
    if (state.gateway.audit != NULL) {
        audit_lock(state.gateway.audit);
    }
}

static void after_fork(void)
{
    if (state.gateway.audit != NULL) {
        audit_unlock(state.gateway.audit);
    }
    pthread_mutex_unlock(&guarded_operations.lock);
    pthread_mutex_unlock(&guarded_sessions.lock);
    pthread_mutex_unlock(&guarded_contexts.lock);
    pthread_mutex_unlock(&state.lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, after_fork);
}

/* Called with the lock held. A log that cannot be opened is tried again with the next context; in
 * between nothing is given out. */
static void set_up_default(void)
{
    if (!state.configured && state.gateway.audit == NULL) {
        (void)!audit_open(MIGUARD_AUDIT_FILE, &state.gateway.audit, NULL);
    }
}

struct gateway *gateway_enter(void)
{
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&state.lock);
    set_up_default();
    state.users++;
    pthread_mutex_unlock(&state.lock);
    return &state.gateway;
}

void gateway_leave(struct gateway *gateway)
{
    (void)gateway;
    pthread_mutex_lock(&state.lock);
    state.users--;
    pthread_mutex_unlock(&state.lock);
}

enum miguard_status miguard_configure(const struct miguard_config *config,
                                      struct miguard_error *reterr)
{
    struct audit *audit = NULL;

    if (config == NULL || config->size != sizeof(struct miguard_config)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "configure",
                         "start from MIGUARD_CONFIG_INIT");
    }
    pthread_once(&fork_once, watch_forks);
    const char *path = config->audit_file != NULL ? config->audit_file : MIGUARD_AUDIT_FILE;
    enum miguard_status status = audit_open(path, &audit, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    pthread_mutex_lock(&state.lock);
    bool busy = state.users > 0;
    if (!busy) {
        struct audit *old = state.gateway.audit;
        state.gateway.audit = audit;
        state.configured = true;
        audit = old;
    }
    pthread_mutex_unlock(&state.lock);
    audit_close(audit);
    if (busy) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "configure",
                         "a guarded context is alive; configure before the first request");
    }
    return MIGUARD_OK;
}

const char *miguard_version(void)
{
    return MIGUARD_VERSION;
}
