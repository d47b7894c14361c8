/* SPDX-License-Identifier: MIT */
/*
 * Locks and fork(2).
 *
 * A child of fork(2) has only the thread that called it. A lock that another thread held would
 * never be released there, and what that thread was changing would stay half changed. So each owner
 * of a lock that a child can reach registers it here with its rank. All are taken before a fork, in
 * the order of their ranks, and released after it on both sides. The handlers of pthread_atfork(3)
 * are installed once, here, for the whole library.
 *
 * Owners register before main() starts or dlopen(3) of the library returns, and so before any of
 * their locks can be held. A lock inside an object need not be registered where a child cannot
 * reach the object: the object is named by a handle, or knows the epoch of its process, and is
 * refused before its lock is touched. tests/table/fork_locks_test.c lists these locks and fails for
 * a lock that is neither registered nor listed.
 *
 * A direct clone(2) or _Fork(3) runs no handlers. Its child runs them late, when it first asks for
 * its epoch (fork_catch_up()). A lock that another thread held, such as a thread of the library's
 * own, is found then: nothing would release it, and what it protects may be half changed. Such a
 * process is stuck (base/process.h): the library refuses everything there.
 */
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The order in which locks are taken: a thread that holds one takes only those further down. Two of
 * the same rank are never held together. */
enum fork_rank {
    /* libmiguard */
    FORK_DROP,
    FORK_GUARD,
    FORK_STORE,
    FORK_FRONT_ENDS,
    FORK_GATE,
    FORK_GATE_REPORT,
    FORK_SWITCHES,
    FORK_MODULES,
    FORK_CLIENT_SOURCE,
    FORK_CONTEXT_INDEX,
    FORK_CONTEXT_SPACE,
    FORK_LEFT_OPEN,
    FORK_HOST_SESSIONS,
    /* libmiguard-host */
    FORK_CLIENT,
    FORK_HOST_CONTEXTS,
    /* either */
    FORK_SLOTS,
    FORK_AUDIT,
    FORK_ONCE,
    FORK_PROCESS /* last: released after it, everything in the child has the new epoch */
};

/* An owner of locks. A NULL pointer is skipped. before and after run in the process that forks;
 * in_child runs instead of after in the child. */
struct fork_owner {
    enum fork_rank rank;
    pthread_mutex_t *lock; /* taken after before(), released ahead of after() */
    void (*before)(void);
    void (*after)(void);
    void (*in_child)(void);
    struct fork_owner *next;
};

void fork_register(struct fork_owner *owner);

/* How before() takes a lock. */
void fork_take(pthread_mutex_t *lock);

/* Whether this thread is between the handlers. Another library's handler may ask for the epoch
 * there, in a child whose locks this thread still holds. */
bool fork_is_under_way(void);

/* In a child that was made without the handlers: runs them now, by the only thread that knows of
 * it. False: a lock is held by a thread that the child does not have. */
bool fork_catch_up(void);

/* False: the handlers could not be installed, and nothing may be handed out that a child must not
 * use. */
bool fork_is_watched(void);

/* At file scope: registers an owner with these members. 101 is the first priority that is not
 * reserved for the C library, and runs before the program's own constructors, which may call the
 * library. */
#define FORK_OWNER(name, ...)                                                                      \
    __attribute__((constructor(101))) static void name##_register(void)                            \
    {                                                                                              \
        static struct fork_owner name = {__VA_ARGS__};                                             \
        fork_register(&name);                                                                      \
    }                                                                                              \
    _Static_assert(1, "")

/* Like pthread_once(3), which may never finish in a child that was forked while it ran. The lock
 * must be registered with FORK_ONCE; function takes no lock and loads no library. */
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
