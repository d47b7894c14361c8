/* SPDX-License-Identifier: MIT */
/*
 * What the first line of each entry point does, and how a function cleans up when it is unwound.
 *
 * A thread may be cancelled at any cancellation point (pthreads(7)): at the write(2) of a record,
 * for example, while it holds the log's lock, which would then never be released. So no thread is
 * cancelled inside the library: each public function, each function in a table that is given to a
 * provider or a host, and each callback begins with
 *
 *     ENTRY_UNCANCELLED;
 *
 * A request that arrives meanwhile stays pending. It takes effect when the library has returned: at
 * the next cancellation point or, with the asynchronous type, when the state is restored. The
 * caller's state is restored however the function is left. A pair costs about 7 ns.
 *
 * The line also restores errno: a host that reads errno after a call of its own must not find an
 * error that the library met meanwhile. The library reports errors in struct miguard_error.
 *
 * Two cases remain: pthread_exit(3) and C++ exceptions, which leave a callback or a provider and
 * unwind the library's frames. No lock is held while such code runs. Anything else that is held is
 * a variable with ON_LEAVING, which cleans up as it does on return. The library is compiled with
 * -fexceptions, without which the compiler leaves that clean-up out.
 *
 * longjmp(3) runs no clean-up: libmiguard(3) forbids a jump over the library's frames.
 */
#ifndef BASE_ENTRY_H
#define BASE_ENTRY_H

#include <errno.h>
#include <pthread.h>

/* For a variable: calls function with its address when its scope is left, also by unwinding. The
 * clean-up is a use, which clang does not see: hence "unused". */
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

/* The last thing that a function does: a pending request of the asynchronous type takes effect in
 * here. */
static inline void entry_leave(const struct entry_state *state)
{
    errno = state->error;
    if (state->cancel != PTHREAD_CANCEL_DISABLE) {
        (void)pthread_setcancelstate(state->cancel, NULL);
    }
}

#endif
