/* SPDX-License-Identifier: MIT */
/*
 * What the first line of each entry point does, and how a function ends that is not returned from.
 *
 * A thread may be cancelled at any cancellation point (pthreads(7)): at the write(2) of a record,
 * with the log's lock held, which nobody would give back. So no thread is cancelled inside the
 * library: each public function, each function in a table that is handed to a provider or a host,
 * and each callback begins with
 *
 *     ENTRY_UNCANCELLED;
 *
 * A request that comes meanwhile stays pending, and is acted upon when the library has returned: at
 * the next cancellation point or, with the asynchronous type, when the line is undone. The state
 * that the caller had comes back however the function is left. A pair costs about 7 ns.
 *
 * errno is the caller's as well, and what the line keeps too: a host that looks at it after a call
 * of its own must not find what the library has met meanwhile. Errors are in struct miguard_error.
 *
 * That leaves pthread_exit(3) and C++ exceptions, which come out of a callback or a provider and
 * unwind the library's frames. No lock is held while such code runs; what else is held is a
 * variable with ON_LEAVING, which cleans up as it does on return. The library is compiled with
 * -fexceptions, without which the compiler leaves the clean-up out.
 *
 * longjmp(3) cleans nothing up: libmiguard(3) says that nobody may jump over the library.
 */
#ifndef BASE_ENTRY_H
#define BASE_ENTRY_H

#include <errno.h>
#include <pthread.h>

/* For a variable: calls function with its address when its scope is left, also by unwinding. That
 * is a use, which clang does not see. */
#define ON_LEAVING(function) __attribute__((cleanup(function), unused))

#define ENTRY_UNCANCELLED struct entry_state entry_state ON_LEAVING(entry_leave) = entry_enter()

struct entry_state {
    int cancel;
    int error;
};

static inline struct entry_state entry_enter(void)
{
    struct entry_state state = {PTHREAD_CANCEL_ENABLE, errno};
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state.cancel);
    return state;
}

/* Last of all that a function does: a pending request of the asynchronous type is acted upon in
 * here. */
static inline void entry_leave(const struct entry_state *state)
{
    errno = state->error;
    if (state->cancel != PTHREAD_CANCEL_DISABLE) {
        (void)pthread_setcancelstate(state->cancel, NULL);
    }
}

#endif
