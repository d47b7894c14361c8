/* SPDX-License-Identifier: MIT */
/* Inside the library: adopting a kept identity on a thread that serves it, and coming back; and
 * what the audit log wants to know of the switches that a provider makes. */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include <stdatomic.h>
#include <time.h>

#include "identity/identity.h"
#include "miguard/switch.h"

/* One way back, in the frame of the function that takes it. Zeroed means: nothing to undo. */
struct switch_frame {
    uint64_t serial;
    unsigned level;
};

/*
 * Makes the calling thread exactly *identity, remembering what it was, also when it is that
 * already. This is a barrier: until switch_restore() the thread's earlier switches are out of reach
 * of the public functions. *frame must lie in the frame of a function that runs until
 * switch_restore(), since by its address an adoption is known that longjmp(3) jumped over.
 *
 * Errors as miguard_switch_to(), NOT_SUPPORTED when the thread could not come back from there, and
 * TOO_DEEP; the thread is then unchanged.
 */
MIGUARD_CHECKED enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                                 struct switch_frame *frame,
                                                 struct miguard_error *reterr);

/*
 * Undoes switch_adopt(): compares all components, restores them whatever the thread is by then,
 * and tells the observer when switches were left behind or something else had been changed
 * (SWITCH_KIND_UNDONE). Aborts the process when that fails (invariant 5). Nothing happens on a
 * zeroed frame, and the second time: it can be a cleanup attribute.
 */
void switch_restore(struct switch_frame *frame);

/*
 * Undoes adoptions whose function never came back, since longjmp(3) left it. Called where the
 * library is entered and it matters who the thread is; costs nothing where nothing is adopted.
 *
 * here is the frame of the function that is entered. In one that the landing function of the jump
 * calls itself it lies above all that was jumped over, so there nothing is missed; the deeper the
 * function, the more may be, until a shallower one is entered.
 */
void switch_settle_at(const void *here);
#define switch_settle() switch_settle_at(__builtin_frame_address(0))

/* ---- for the audit log ------------------------------------------------------------------- */

enum switch_kind { SWITCH_KIND_TO = 1, SWITCH_KIND_BACK, SWITCH_KIND_DROP, SWITCH_KIND_UNDONE };

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
    const void *site;         /* of UNDONE: of the first switch that was left behind, or NULL */
    unsigned left;            /* of UNDONE: how many switches */
    miguard_components found; /* of UNDONE: in what the thread was not as it was adopted */
    bool jumped;              /* of UNDONE: the function that adopted never came back */
};

struct gate_stray;
struct gate_note;

/*
 * What the guard above wants to know of this thread's switches and of the gate; registered once,
 * all of it. A member that is NULL is not called.
 *
 * switched: of each public switch, back and drop, whether it succeeded or not; on the thread that
 * switched, when that is over: the identity is then the new one or, after a failure, the old one,
 * never half of each.
 * stray: of each refused call under a gate with report; on a thread of the library's own, one call
 * at a time, with no lock held: it may block, lock and allocate, but not switch. In a forked child
 * it is called only after that closed its gate again.
 * gate_closed: of each miguard_gate_close() that closed one or failed; on the thread that asked,
 * without a lock.
 */
struct switch_hooks {
    void (*switched)(const struct switch_note *note);
    void (*stray)(const struct gate_stray *stray);
    void (*gate_closed)(const struct gate_note *note);
};

/* hooks has static storage; NULL: none. Thread safe. */
void switch_set_hooks(const struct switch_hooks *hooks);
const struct switch_hooks *switch_hooks(void); /* never NULL */

/* ---- for the gate (gate.c) ----------------------------------------------------------------- */

/*
 * Around what gives no_new_privs to all threads. False when one of them has a switch or adoption
 * that is not undone and began without no_new_privs: its way back would end in an abort. After true
 * no switch begins until switch_let_go(), which must follow at once: others wait for it. So it is
 * for a thread of the library's own, whose signals are blocked, since a handler that switches would
 * wait for ever; and only one holds at a time.
 */
MIGUARD_CHECKED bool switch_hold(void);
void switch_let_go(void);

/* ---- for the drop (drop.c) --------------------------------------------------------------- */

struct miguard_target;

/* Whether the calling thread has a switch or adoption that is not undone, or is making one. Can be
 * asked in a signal handler. */
bool switch_is_busy(void);

/* How many switches of the calling thread are not undone, also those below an adoption, which
 * miguard_switch_depth() does not count. */
unsigned switch_count(void);

/* Goes to target and comes back at once. *ret_original is what the thread is, with groups in the
 * buffer of IDENTITY_MAX_GROUPS that is given. The errors are those of miguard_switch_to(). */
MIGUARD_CHECKED enum miguard_status switch_rehearse(const struct miguard_target *target,
                                                    struct miguard_identity *ret_original,
                                                    gid_t *groups, struct miguard_error *reterr);

/*
 * What is called before a drop stops the other threads, and after it, however it ended: before ends
 * threads that no signal reaches, since they block them all for the program's sake. Both are called
 * on the dropping thread with no lock of this library but that of the drop, before in this order
 * and after in the reverse: the gate waits for an observer, which takes the lock that the guard
 * holds from its before to its after.
 */
enum drop_pauser { DROP_PAUSER_GATE, DROP_PAUSER_GUARD, DROP_PAUSER_COUNT };

struct drop_pause {
    void (*before)(void);
    void (*after)(void);
};

/* pause has static storage. Thread safe; not during a drop of this process. */
void drop_set_pause(enum drop_pauser who, const struct drop_pause *pause);

/* Remembers what succeeded and calls the hook. */
void switch_note(const struct switch_note *note);

/* Tells the observer that a thread, which was to be `to`, is not and cannot be made so, and aborts
 * the process (invariant 5). It ends also where the observer does not come back. */
_Noreturn void switch_abort(enum switch_kind kind, const struct miguard_identity *to);

#endif
