/* SPDX-License-Identifier: MIT */
/*
 * Locks and fork(2).
 *
 * A child of fork(2) has only the thread that called it: a lock that another thread held would
 * never be given back there, and what another thread was changing would stay half changed. So each
 * owner of a lock that a child can come to registers it here with its rank; all are taken before a
 * fork, in the order of their ranks, and given back behind it on both sides. The handlers of
 * pthread_atfork(3) are taken once, here, for the whole library.
 *
 * Owners register before main() or dlopen(3) of the library returns, and so before any of their
 * locks can be held. A lock that lies in an object need not be registered where a child cannot
 * reach the object: it is named by a handle, or knows the epoch of its process, and is refused
 * before its lock is touched. tests/table/fork_locks_test.c lists these, and finds a lock that is
 * neither.
 *
 * What calls clone(2) itself, or _Fork(3), runs no handlers. In its child the library refuses what
 * was handed out before (base/process.h); its locks are free only where no other thread held them.
 */
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The order in which locks are taken: a thread that holds one takes only those that stand behind
 * it. Two of one rank are never held together. */
enum fork_rank {
    /* libmiguard */
    FORK_DROP,
    FORK_GUARD,
    FORK_STORE,
    FORK_GATE,
    FORK_GATE_REPORT,
    FORK_SWITCHES,
    FORK_MODULES,
    FORK_CONTEXT_INDEX,
    FORK_CONTEXT_SPACE,
    /* libmiguard-host */
    FORK_CLIENT,
    FORK_HOST_CONTEXTS,
    /* either */
    FORK_SLOTS,
    FORK_AUDIT,
    FORK_ONCE,
    FORK_PROCESS /* last: behind it in the child everything has its new epoch */
};

/* What has locks. A pointer that is NULL is left out. before and after run in the process that
 * forks, in_child in place of after in the child. */
struct fork_owner {
    enum fork_rank rank;
    pthread_mutex_t *lock; /* taken and given back where the functions are not there */
    void (*before)(void);
    void (*after)(void);
    void (*in_child)(void);
    struct fork_owner *next;
};

void fork_register(struct fork_owner *owner);

/* False: a handler could not be taken, and nothing may be handed out that a child must not have. */
bool fork_is_watched(void);

/* At file scope: registers an owner with these members. 101 is the first priority that is not the
 * C library's: it comes before constructors of the program, which may call the library. */
#define FORK_OWNER(name, ...)                                                                      \
    __attribute__((constructor(101))) static void name##_register(void)                            \
    {                                                                                              \
        static struct fork_owner name = {__VA_ARGS__};                                             \
        fork_register(&name);                                                                      \
    }                                                                                              \
    _Static_assert(1, "")

/* As pthread_once(3), which need not end in a child that was forked in the middle of it. The lock
 * is to be registered with FORK_ONCE; function takes no lock and calls nothing that loads. */
struct fork_once {
    pthread_mutex_t lock;
    atomic_bool done;
};

#define FORK_ONCE_INIT                                                                             \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

void fork_do_first(struct fork_once *once, void (*function)(void));

static inline void fork_do_once(struct fork_once *once, void (*function)(void))
{
    if (!atomic_load_explicit(&once->done, memory_order_acquire)) {
        fork_do_first(once, function);
    }
}

#endif
