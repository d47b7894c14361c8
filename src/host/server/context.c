/* SPDX-License-Identifier: MIT */
/*
 * The memory of contexts, and how they end.
 *
 * base/slots.h cannot be used here: a provider names its context by address and may do so long
 * after the end, while the memory is being prepared for another request. So a context has a state
 * word that only atomic operations touch, and 1,024 contexts stay free before the first is reused.
 *
 * The life of a context: context_new() takes it from the pool and sets STATE_LIVE with one pin;
 * each call of a slot pins it for its duration; context_finish() clears STATE_LIVE, once; and when
 * the last pin goes, context_unpin() puts it at the end of the queue of free ones. A late post
 * finds memory with STATE_LIVE cleared, or, after 1,024 further requests at the earliest, another
 * request.
 */
#include "base/clock.h"
#include "host/server/host.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "base/process.h"
#include "host/object/object.h"

enum {
    PER_CHUNK = 256,
    MAX_CHUNKS = (MIGUARD_HOST_MAX_CONTEXTS + PER_CHUNK - 1) / PER_CHUNK,
    RESTING = 1024, /* free contexts that are kept back */
};

/* The state: alive, and the number of pins. */
#define STATE_LIVE 0x80000000u
#define STATE_PINS 0x7FFFFFFFu

/* Never freed: a late post must find memory even after its host is gone. */
static struct {
    pthread_mutex_t lock; /* for everything but reading chunks */
    _Atomic(struct context *) chunks[MAX_CHUNKS];
    atomic_uint chunk_count;
    uint32_t used; /* contexts that were ever handed out */
    struct context *free_first, **free_end;
    uint32_t free_count;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .free_end = &pool.free_first};

FORK_OWNER(pool_owner, .rank = FORK_HOST_CONTEXTS, .lock = &pool.lock);

/* Adds a chunk, or returns false at the limit or without memory. Chunks stay where they are, so
 * at_address() reads them without the lock. The caller holds the lock. */
static bool grow(void)
{
    unsigned count = atomic_load(&pool.chunk_count);
    if (count == MAX_CHUNKS) {
        return false;
    }
    struct context *chunk = base_alloc(PER_CHUNK, sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    for (size_t i = 0; i < PER_CHUNK; i++) {
        /* Once and never again: the inline functions of MI.h read ft without checking the state. */
        chunk[i].base.ft = &context_ft.known;
        chunk[i].lifecycle.ft = &lifecycle_ft;
        pthread_mutex_init(&chunk[i].lock, NULL);
        clock_cond_init(&chunk[i].changed);
    }
    atomic_store(&pool.chunks[count], chunk);
    atomic_store(&pool.chunk_count, count + 1);
    return true;
}

/* The context that has been free for the longest time; NULL when all are in use. The caller holds
 * the lock. */
static struct context *take_resting(void)
{
    struct context *context = pool.free_first;
    if (context != NULL) {
        pool.free_first = context->next_free;
        if (pool.free_first == NULL) {
            pool.free_end = &pool.free_first;
        }
        pool.free_count--;
    }
    return context;
}

/* A free context: a fresh one as long as fewer than RESTING are free, so that an address is reused
 * as late as possible. */
static struct context *take(void)
{
    struct context *context = NULL;

    pthread_mutex_lock(&pool.lock);
    bool fresh = pool.free_count < RESTING &&
                 (pool.used < atomic_load(&pool.chunk_count) * PER_CHUNK || grow());
    if (fresh) {
        context = &atomic_load(&pool.chunks[pool.used / PER_CHUNK])[pool.used % PER_CHUNK];
        pool.used++;
    } else {
        context = take_resting();
    }
    pthread_mutex_unlock(&pool.lock);
    return context;
}

/* To the end of the queue. */
static void put_to_rest(struct context *context)
{
    pthread_mutex_lock(&pool.lock);
    context->next_free = NULL;
    *pool.free_end = context;
    pool.free_end = &context->next_free;
    pool.free_count++;
    pthread_mutex_unlock(&pool.lock);
}

/* Those that are neither fresh nor free: live ones, and ended ones that are still pinned. */
uint32_t context_in_use(void)
{
    pthread_mutex_lock(&pool.lock);
    uint32_t count = pool.used - pool.free_count;
    pthread_mutex_unlock(&pool.lock);
    return count;
}

/* The state is stored last, with release order: each thread that pins the context sees it
 * complete. */
struct context *context_new(enum context_kind kind, struct module *module,
                            struct provider *provider, struct operation *operation)
{
    uint64_t epoch = process_epoch();
    struct context *context = epoch == 0 ? NULL : take();

    if (context == NULL) {
        return NULL;
    }
    context->epoch = epoch;
    context->kind = kind;
    context->host = module->host;
    context->module = module;
    context->provider = provider;
    context->operation = operation;
    atomic_fetch_add(&module->users, 1);
    context->depth = operation == NULL ? dispatch_depth() : operation->depth + 1;
    context->session = NULL;
    context->cancel = NULL;
    context->cancel_data = NULL;
    context->in_slot = true;
    context->self = NULL;
    context->posted = false;
    context->result = MI_RESULT_OK;
    if (operation == NULL) {
        host_retain(context->host);
    } else {
        operation_pin(operation);
    }
    atomic_store_explicit(&context->state, STATE_LIVE | 1, memory_order_release);
    return context;
}

/* Reads memory only at an address that a context has. */
static struct context *at_address(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    unsigned count = atomic_load_explicit(&pool.chunk_count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++) {
        struct context *chunk = atomic_load_explicit(&pool.chunks[i], memory_order_relaxed);
        uintptr_t offset = at - (uintptr_t)chunk;
        if (offset < PER_CHUNK * sizeof(*chunk) && offset % sizeof(*chunk) == 0) {
            return &chunk[offset / sizeof(*chunk)];
        }
    }
    return NULL;
}

/* The pin and the check for STATE_LIVE are one atomic step; a pin that was added first could revive
 * a context on its way to the pool. */
struct context *context_pin(const MI_Context *address)
{
    struct context *context = at_address(address);
    if (context == NULL) {
        return NULL;
    }
    uint32_t state = atomic_load_explicit(&context->state, memory_order_acquire);
    do {
        if ((state & STATE_LIVE) == 0) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&context->state, &state, state + 1,
                                                    memory_order_acquire, memory_order_acquire));
    if (context->epoch != process_epoch()) {
        /* After a fork, the request belongs to the parent, which will answer it. */
        context_unpin(context);
        return NULL;
    }
    return context;
}

/* Host and operation are read before the context is put back, since another thread may take it at
 * once. */
void context_unpin(struct context *context)
{
    if (atomic_fetch_sub_explicit(&context->state, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct miguard_host *host = context->host;
    struct operation *operation = context->operation;
    if (operation != NULL) {
        provider_leave(context->provider);
    }
    atomic_fetch_sub(&context->module->users, 1); /* before those that wait for it are woken */
    put_to_rest(context);
    if (operation == NULL) {
        host_release(host);
    } else {
        operation_release(operation);
    }
}

/* The form that ON_LEAVING calls, with a pointer to the variable. */
void context_let_go(struct context *const *context)
{
    if (*context != NULL) {
        context_unpin(*context);
    }
}

/* A pin keeps the memory, not the life: this may become false at any time. */
bool context_is_live(const struct context *context)
{
    return (atomic_load_explicit(&context->state, memory_order_acquire) & STATE_LIVE) != 0;
}

/* Clears STATE_LIVE. True for exactly one caller, whose result is the final one. */
static bool mark_ended(struct context *context)
{
    uint32_t before = atomic_fetch_and_explicit(&context->state, STATE_PINS, memory_order_acq_rel);
    return (before & STATE_LIVE) != 0;
}

/* The session ends with its context. */
static void end_session(struct context *context)
{
    pthread_mutex_lock(&context->lock);
    struct session *session = context->session;
    context->session = NULL;
    pthread_mutex_unlock(&context->lock);
    if (session != NULL) {
        session_end(session, MI_REASON_NONE);
        session_release(session);
    }
}

/* mark_ended() comes first: from then on every other slot of the provider is refused. The session
 * ends before the operation is informed, so that its client never sees a result while a request of
 * the provider is still open. */
MI_Result context_finish(struct context *context, MI_Result result, char *message,
                         MI_Instance *details)
{
    if (!mark_ended(context)) {
        base_free(message);
        instance_delete(details);
        return MI_RESULT_INVALID_PARAMETER;
    }
    end_session(context);
    if (context->operation != NULL) {
        operation_step_done(context->operation, context, result, message, details);
        return MI_RESULT_OK;
    }
    if (context->kind == CONTEXT_INDICATIONS || context->kind == CONTEXT_LIFECYCLE) {
        indication_over(context, result, message);
    }
    base_free(message);
    instance_delete(details);
    pthread_mutex_lock(&context->lock);
    context->posted = true;
    context->result = result;
    pthread_cond_broadcast(&context->changed);
    pthread_mutex_unlock(&context->lock);
    return MI_RESULT_OK;
}

/* When the time is over, mark_ended() decides between this thread and a late post: whichever ends
 * the context has the result. */
bool context_await(struct context *context, unsigned milliseconds, MI_Result *ret_result)
{
    struct timespec deadline = clock_after_ms(milliseconds);
    bool in_time = true;

    pthread_mutex_lock(&context->lock);
    while (!context->posted && in_time) {
        in_time = pthread_cond_timedwait(&context->changed, &context->lock, &deadline) != ETIMEDOUT;
    }
    bool posted = context->posted;
    pthread_mutex_unlock(&context->lock);

    if (!posted && mark_ended(context)) {
        end_session(context);
        return false;
    }
    /* Another thread has ended it, and is about to store the result. */
    pthread_mutex_lock(&context->lock);
    while (!context->posted) {
        pthread_cond_wait(&context->changed, &context->lock);
    }
    *ret_result = context->result;
    pthread_mutex_unlock(&context->lock);
    return true;
}

/* A final result may have been posted before; then this only releases the pin. */
void context_close(struct context *const *context)
{
    if (*context != NULL) {
        (void)context_finish(*context, MI_RESULT_FAILED, NULL, NULL);
        context_unpin(*context);
    }
}

/* in_slot is read under the operation's lock. */
static void abandon(struct context *context, struct miguard_host *host, bool running)
{
    struct operation *operation = context->operation;
    if (context->host != host || operation == NULL) {
        return;
    }
    pthread_mutex_lock(&operation->lock);
    bool idle = !context->in_slot;
    pthread_mutex_unlock(&operation->lock);
    if (idle || running) {
        atomic_store(&context->module->abandoned, true);
        context_finish(context, MI_RESULT_SERVER_IS_SHUTTING_DOWN, NULL, NULL);
    }
}

/* Each context is pinned while it is looked at, so that it cannot become another request's. */
void context_abandon(struct miguard_host *host, bool running)
{
    unsigned count = atomic_load(&pool.chunk_count);

    for (unsigned i = 0; i < count * PER_CHUNK; i++) {
        struct context *context = &atomic_load(&pool.chunks[i / PER_CHUNK])[i % PER_CHUNK];
        if (context_pin(&context->base) != NULL) {
            abandon(context, host, running);
            context_unpin(context);
        }
    }
}
