/* SPDX-License-Identifier: MIT */
/* Inside the library: adopting a kept identity on a thread that serves it, and restoring the
 * thread; and what the audit log records about the switches of a provider. */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include <stdatomic.h>
#include <time.h>

#include "identity/identity.h"
#include "miguard/switch.h"

/* One adoption to undo, in the frame of the function that makes it. Zeroed: nothing to undo. */
struct switch_frame {
    uint64_t serial;
    unsigned level;
};

/*
 * Makes the calling thread exactly *identity, storing its former identity, also when it is equal.
 * This is a barrier: until switch_restore() the public functions cannot reach the thread's earlier
 * switches. *frame must be in the frame of a function that runs until switch_restore(), since its
 * address shows an adoption that longjmp(3) jumped over.
 *
 * Errors as miguard_switch_to(), NOT_SUPPORTED when the thread could not return from there, and
 * TOO_DEEP; the thread is then unchanged.
 */
MIGUARD_CHECKED enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                                 struct switch_frame *frame,
                                                 struct miguard_error *reterr);

/*
 * Undoes switch_adopt(): compares all components, restores them whatever the thread's state is, and
 * calls the hook when switches were left behind or something else had been changed
 * (SWITCH_KIND_UNDONE). Aborts the process when that fails (invariant 5). Does nothing for a zeroed
 * frame or a second time: it can be a cleanup attribute.
 */
void switch_restore(struct switch_frame *frame);

/*
 * Undoes adoptions whose function never came back because longjmp(3) left it. Called where the
 * library is entered and the thread's identity matters; costs nothing without adoptions.
 *
 * here is where the frame of the entered function begins. If the landing function of the jump calls
 * it directly, it is above everything that was jumped over, so nothing is missed; the deeper the
 * function, the more may be missed, until a shallower one is entered. It is not the frame's
 * address: on aarch64 that is the other end of the frame, below all that the function keeps there.
 */
void switch_settle_at(const void *here);
#define switch_settle() switch_settle_at(__builtin_dwarf_cfa())

/* ---- for the audit log ------------------------------------------------------------------- */

enum switch_kind { SWITCH_KIND_TO = 1, SWITCH_KIND_BACK, SWITCH_KIND_DROP, SWITCH_KIND_UNDONE };

/* The last switch of this thread, there or back, that a public function made and that succeeded. */
struct switch_last {
    enum switch_kind kind; /* 0: no switch yet */
    const void *site;      /* where the public function was called: an address in the caller */
    struct timespec time;  /* CLOCK_REALTIME */
    uint64_t count;        /* the number of switches of this thread, including this one */
};
struct switch_last switch_last(void);

struct switch_peer;

/* What happened; everything is borrowed for the call. Of an identity only the components in `known`
 * are valid; NULL when it is not known. */
struct switch_note {
    enum switch_kind kind;
    enum miguard_status status;
    const struct miguard_error *error; /* NULL on success */
    const struct miguard_identity *from, *to;
    const struct switch_peer *peer; /* of TO: whose target it is (peer.h), or NULL */
    const void *site; /* of UNDONE: of the first switch that was left behind, or NULL */
    unsigned left;    /* of UNDONE: the number of switches */
    miguard_components
        found;    /* of UNDONE: the components that differed from the adoption, or home */
    bool jumped;  /* of UNDONE: the function that adopted never returned */
    bool request; /* of UNDONE: at the end of a request (switch_go_home()); it can fail,
                     a callback's cannot */
};

/* ---- for pools of threads (gate/home.c) ---------------------------------------------------- */

/* What a request left on its thread. */
struct switch_leftover {
    miguard_components found; /* in which it differed from its home */
    unsigned switches;
};

/* Who a thread is at home, and by which components that is decided. */
struct switch_home {
    const struct miguard_identity *identity;
    miguard_components compared;
};

/*
 * Makes the calling thread home again, in what is compared and without switches, or returns an
 * error, after which it must end (miguard_home_return() has the errors). Calls the hook
 * (SWITCH_KIND_UNDONE) when something had to be undone or could not be. *ret_left is set in any
 * case. site is the caller of the public function.
 */
MIGUARD_CHECKED enum miguard_status switch_go_home(const struct switch_home *home, const void *site,
                                                   struct switch_leftover *ret_left,
                                                   struct miguard_error *reterr);

struct gate_stray;
struct gate_note;

/*
 * The events of switches and of the gate that the guard above wants; all registered at once. A NULL
 * member is not called.
 *
 * switched: of each public switch, back and drop, whether it succeeded or not; on the thread that
 * switched, when that is over: the identity is then the new one or, after a failure, the old one,
 * never half of each.
 * stray: of each refused call under a gate with report; on a thread of the library's own, one call
 * at a time, with no lock held: it may block, lock and allocate, but not switch. In a forked child
 * it is called only after the child closed its gate again.
 * gate_closed: of each miguard_gate_close() that closed one or failed; on the thread that asked,
 * without a lock.
 */
struct switch_hooks {
    void (*switched)(const struct switch_note *note);
    void (*stray)(const struct gate_stray *stray);
    void (*gate_closed)(const struct gate_note *note);
};

/* hooks has static storage; NULL: no hooks. Thread safe. */
void switch_set_hooks(const struct switch_hooks *hooks);
const struct switch_hooks *switch_hooks(void); /* never NULL */

/* ---- for the gate (gate.c) ----------------------------------------------------------------- */

/*
 * Used around an action that gives no_new_privs to all threads. False when one of them has a switch
 * or adoption that is not undone and began without no_new_privs: its way back would end in an
 * abort. After true no switch begins until switch_let_go(), which must follow at once: others wait
 * for it. So it is only for a thread of the library's own whose signals are blocked, since a
 * handler that switches would wait forever; and only one thread holds at a time.
 */
MIGUARD_CHECKED bool switch_hold(void);
void switch_let_go(void);

/* Sets the function that answers whether nothing but this library can change the calling thread in
 * what a switch changes and no_new_privs. NULL: no function. Thread safe. */
void switch_set_seal(bool (*is_sealed)(void));

/* What the calling thread's latest switch or way back read back from the kernel (STATE_COMPONENTS)
 * behind the gate of the process, where the library has changed nothing since; or NULL. For a
 * caller that has asked for the gate of this thread. Valid until the thread's next switch.
 * Async-signal safe. */
const struct miguard_identity *switch_verified(void);

/* ---- for the drop (drop.c) --------------------------------------------------------------- */

struct miguard_target;

/* Whether the calling thread has a switch or adoption that is not undone, or is making one.
 * Async-signal safe. */
bool switch_is_busy(void);

/* The number of switches of the calling thread that are not undone, including those below an
 * adoption, which miguard_switch_depth() does not count. */
unsigned switch_count(void);

/* Switches to target and back at once. *ret_original is the thread's identity, with groups in the
 * given buffer of IDENTITY_MAX_GROUPS. The errors are those of miguard_switch_to(). */
MIGUARD_CHECKED enum miguard_status switch_rehearse(const struct miguard_target *target,
                                                    struct miguard_identity *ret_original,
                                                    gid_t *groups, struct miguard_error *reterr);

/*
 * Called before a drop stops the other threads, and after it, however it ended: before ends threads
 * that no signal reaches, since they block all signals for the program's sake. Both are called
 * on the dropping thread with no lock of this library but that of the drop, before in this order
 * and after in the reverse: the gate waits for an observer, which takes the lock that the guard
 * holds from its before to its after.
 */
enum drop_pauser { DROP_PAUSER_GATEWAY, DROP_PAUSER_GATE, DROP_PAUSER_GUARD, DROP_PAUSER_COUNT };

struct drop_pause {
    void (*before)(void);
    void (*after)(void);
};

/* pause has static storage. Thread safe; not during a drop of this process. */
void drop_set_pause(enum drop_pauser who, const struct drop_pause *pause);

/* Stores the last success and calls the hook. */
void switch_note(const struct switch_note *note);

/* Calls the hook with the note that a thread, which should be `to`, is not and cannot be made so,
 * and aborts the process (invariant 5). Also ends it when the hook does not return. */
_Noreturn void switch_abort(enum switch_kind kind, const struct miguard_identity *to);

#endif
