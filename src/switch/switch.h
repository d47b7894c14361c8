/* SPDX-License-Identifier: MIT */
/* Inside the library: adopting a kept identity on a thread that serves it, and coming back; and
 * what the audit log wants to know of the switches that a provider makes. */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include <stdatomic.h>
#include <time.h>

#include "identity/identity.h"
#include "miguard/switch.h"

/* Room for one way back. Zeroed means: nothing to undo. */
struct switch_frame {
    struct miguard_identity original;
};

/*
 * Makes the calling thread exactly *identity, remembering in *frame what it was. Does nothing when
 * the thread has that identity already. Errors as miguard_switch_to(), and NOT_SUPPORTED when the
 * thread could not come back from there; the thread is then unchanged.
 */
MIGUARD_CHECKED enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                                 struct switch_frame *frame,
                                                 struct miguard_error *reterr);

/* Undoes switch_adopt(), verified; aborts the process when that fails (invariant 5). */
void switch_restore(struct switch_frame *frame);

/* ---- for the audit log ------------------------------------------------------------------- */

enum switch_kind { SWITCH_KIND_TO = 1, SWITCH_KIND_BACK, SWITCH_KIND_DROP };

/* The last switch of this thread, there or back, that a public function made and that succeeded. */
struct switch_last {
    enum switch_kind kind; /* 0: there was none */
    const void *site;      /* where the public function was called: an address in the caller */
    struct timespec time;  /* CLOCK_REALTIME */
    uint64_t count;        /* how many there were on this thread, this one included */
};
struct switch_last switch_last(void);

/* What happened, all of it borrowed for the call. Of an identity only what `known` says is there;
 * NULL when it was not found out. */
struct switch_note {
    enum switch_kind kind;
    enum miguard_status status;
    const struct miguard_error *error; /* NULL on success */
    const struct miguard_identity *from, *to;
    const void *site;
};

/*
 * Sets the one function that is told of each public switch, back and drop, whether it succeeded or
 * not. It is called on the thread that switched, when that is over: the identity is then the new
 * one or, after a failure, the old one, never half of each. NULL: nobody. Thread safe.
 */
void switch_observe(void (*observer)(const struct switch_note *note));

/* ---- for the drop (drop.c) --------------------------------------------------------------- */

struct miguard_target;

/* Whether the calling thread has a switch or adoption that is not undone, or is making one. Can be
 * asked in a signal handler. */
bool switch_is_busy(void);

/* Goes to target and comes back at once. *ret_original is what the thread is, with groups in the
 * buffer of IDENTITY_MAX_GROUPS that is given. The errors are those of miguard_switch_to(). */
MIGUARD_CHECKED enum miguard_status switch_rehearse(const struct miguard_target *target,
                                                    struct miguard_identity *ret_original,
                                                    gid_t *groups, struct miguard_error *reterr);

/*
 * Sets what is called before a drop stops the other threads, and after it, however it ended: before
 * ends threads that no signal reaches, since they block them all for the program's sake. Both are
 * called on the dropping thread with no lock of this library but that of the drop. NULL: nothing.
 */
void drop_prepare(void (*before)(void), void (*after)(void));

/* Remembers what succeeded and tells the observer. */
void switch_note(const struct switch_note *note);

#endif
