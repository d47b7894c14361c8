/* SPDX-License-Identifier: MIT */
/*
 * That a thread is given back as who it was: for pools of threads, event loops and any server that
 * runs foreign code (a plug-in, a PAM module, a library that switches by itself).
 *
 * A home is who a thread is at its start. After each request the thread is compared with it, and
 * what the request left is changed back:
 *
 *     struct miguard_home *home;                      once, before the pool starts:
 *     miguard_home_capture(&home, &error)
 *
 *     for (;;) {                                      on each thread of the pool:
 *         serve(next_request());
 *         if (miguard_home_return(home, NULL, NULL, &error) != MIGUARD_OK) {
 *             break;                                  ends the thread; start another one elsewhere
 *         }
 *     }
 *
 * Every component of an identity is compared (miguard/identity.h), or those that the policy names
 * which was in force at the capture (`compare:`, miguard-policy(5)). Behind the gate
 * (miguard-gate(7)) a thread that has not changed is known without a system call, because only the
 * library can change it. A change and its way back are a change, too: the next comparison reads
 * everything once.
 *
 * Sources of the rules: credentials(7), capabilities(7); nptl(7) for why one thread of a process
 * can differ from the others.
 */
#ifndef MIGUARD_HOME_H
#define MIGUARD_HOME_H

#include "identity.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable; any number of threads may use one at a time. */
struct miguard_home;

/*
 * Remembers who the calling thread is. All threads of a pool are alike, so one home serves them
 * all; a thread that differs from the others is noticed at its first check.
 *
 * Errors: INVALID_ARGUMENT (ret_home is NULL), BAD_STATE (the thread is switched or serves a
 * callback, so this is not who it is at home; or another copy of the library is in use), and those
 * of miguard_identity_capture(). *ret_home is untouched on failure. Needs no privilege. Thread
 * safe. Not async-signal safe: it allocates.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_home_capture(struct miguard_home **ret_home,
                                                                     struct miguard_error *reterr);

/*
 * Whether the calling thread is at home: it equals home in every component that is compared, and no
 * switch of it is left. Changes nothing. Use it before a thread is given back where
 * miguard_home_return() would be too late or too much, and before a thread of foreign origin is
 * used.
 *
 * Errors: NOT_VERIFIED (it differs; reterr.detail names the components), BAD_STATE (it equals home,
 * but switches are not undone: reterr.detail has their number), UNREADABLE (a component cannot be
 * read, which counts as different), INVALID_ARGUMENT (home is NULL). Needs no privilege. Thread
 * safe. Not async-signal safe.
 *
 * After miguard_drop() no thread is at the home of before: capture a new one. In a forked child a
 * home of the parent stays valid, and nothing that the parent knew is used: the child's first check
 * reads everything.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_home_check(const struct miguard_home *home,
                                                                   struct miguard_error *reterr);

/*
 * The end of a request: whatever it left, the calling thread is home afterwards, verified in what
 * is compared, or an error is returned.
 *
 * Switches by miguard_switch_to() that were not undone are removed. A thread that still differs,
 * because something called setresuid(2), setfsuid(2), setgroups(2), capset(2) or prctl(2) directly,
 * is restored like a thread whose switch is undone. *ret_found has the components in which it
 * differed and *ret_switches the number of switches that were left; both may be NULL and are 0 for
 * a thread that was home. They are written with an error, too. What was found is recorded with the
 * reason left-switched, where the policy audits "switch" or "deny"; what could not be changed back
 * with the reason not-restored.
 *
 * After an error the thread is not known to be home: serve nothing more on it and end it. A thread
 * that it starts would inherit its identity, so start the next one from elsewhere. The process is
 * not aborted, because the caller learns of it in time, unlike in miguard_switch_back().
 *
 * Errors:
 *   NOT_VERIFIED   it cannot be changed back; reterr.detail names the components. No call restores
 *                  a smaller permitted or bounding set, no_new_privs, another user namespace or LSM
 *                  label; then nothing is tried. Root that left uid 0 directly, without keep-caps,
 *                  lost its permitted set in that way (capabilities(7)).
 *   BAD_STATE      a MIGUARD_SWITCHED block, miguard::switched or miguard_call_as() of this thread
 *                  has not ended, or a callback runs. Nothing was changed: code of the block would
 *                  continue under another identity. After a longjmp(3) out of such a block call
 *                  miguard_switch_home(0), then this again.
 *   UNREADABLE     the thread cannot be read, so nothing is known of it
 *   NO_MEMORY      the thread has changed, and there is no memory for its way back
 *   INVALID_ARGUMENT  home is NULL
 *
 * Needs in the permitted set what the way back needs: miguard_switch_to() lists it. Thread safe:
 * only the calling thread changes. Not async-signal safe. On a thread that did not change it
 * allocates nothing.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_home_return(const struct miguard_home *home,
                                                                    miguard_components *ret_found,
                                                                    unsigned *ret_switches,
                                                                    struct miguard_error *reterr);

/* Releases a home, which no thread may use any more. NULL is allowed. */
MIGUARD_API void miguard_home_free(struct miguard_home *home);

#ifdef __cplusplus
}
#endif

#endif
