/* SPDX-License-Identifier: MIT */
/*
 * Records switches, drops, the gate and the providers of shims. It is called after the event, so a
 * record that cannot be written refuses nothing; it is counted as lost, like any other.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gate/gate.h"
#include "guard/guard.h"
#include "switch/peer.h"
#include "switch/switch.h"
#include "switch/uring.h"

/* Space for every step with its error, so that no reason is cut. */
enum { ATTEMPT_SIZE = 512 };

/* Successes are recorded where the policy lists `when`, failures where it lists deny. Without a
 * policy only failures are recorded. */
static bool is_recorded(const struct guard *guard, bool denied, unsigned when)
{
    return (store_audited(&guard->store) & (denied ? POLICY_AUDIT_DENY : when)) != 0;
}

/* The step that failed and why, after what was attempted. */
static void append_error(char attempt[ATTEMPT_SIZE], const struct miguard_error *error)
{
    size_t length = strlen(attempt);

    if (error != NULL) {
        snprintf(attempt + length, ATTEMPT_SIZE - length, "%s%s: %s", length > 0 ? ": " : "",
                 error->step,
                 error->detail[0] != '\0' ? error->detail : miguard_status_text(error->status));
    }
}

/* ---- providers ------------------------------------------------------------------------------
 */

void guard_note_module(struct guard *guard, const char *provider, bool refused, const char *what)
{
    const struct audit_event event = {
        .action = AUDIT_ACTION_MODULE_LOAD,
        .denied = refused,
        .provider = provider,
        .attempt = what,
    };

    if (guard->audit != NULL && is_recorded(guard, refused, POLICY_AUDIT_OPEN)) {
        (void)!audit_write(guard->audit, &event);
    }
}

/* ---- switches and the drop ----------------------------------------------------------------- */

/* UNDONE has its own record and does not come here. */
static enum audit_action action_of(enum switch_kind kind)
{
    return kind == SWITCH_KIND_TO     ? AUDIT_ACTION_SWITCH
           : kind == SWITCH_KIND_BACK ? AUDIT_ACTION_RESTORE
                                      : AUDIT_ACTION_DROP;
}

/*
 * A callback or request left its thread switched. The thread was restored, so nothing is refused;
 * but code that forgets to switch back is recorded where the policy lists either. A thread that
 * could not be restored serves nothing more: that is a refusal.
 */
static void record_undone(struct guard *guard, const struct switch_note *note)
{
    char attempt[ATTEMPT_SIZE];
    const bool denied = note->status != MIGUARD_OK;
    const struct audit_event event = {
        .action = AUDIT_ACTION_RESTORE,
        .denied = denied,
        .reason = denied ? AUDIT_REASON_NOT_RESTORED : AUDIT_REASON_LEFT_SWITCHED,
        .mismatch = note->found,
        .attempt = attempt,
        .bound = denied ? note->to : note->from,
        .current = denied ? note->from : note->to,
        .call_site = note->site,
    };

    if (!is_recorded(guard, denied, POLICY_AUDIT_SWITCH | POLICY_AUDIT_DENY)) {
        return;
    }
    snprintf(attempt, sizeof(attempt), "%s %s: %u switches left behind",
             note->request ? "request" : "callback", note->jumped ? "left by longjmp" : "over",
             note->left);
    append_error(attempt, note->error);
    (void)!audit_write(guard->audit, &event);
}

/* from is what the thread was, to what it should become. The current identity is read anew: after a
 * failure only that shows what the thread is now. */
static void record_switch(struct guard *guard, const struct switch_note *note)
{
    char attempt[ATTEMPT_SIZE] = "";
    struct miguard_identity current;
    struct audit_event event = {
        .action = action_of(note->kind),
        .denied = note->status != MIGUARD_OK,
        .bound = note->from,
        .call_site = note->site,
        .peer_pid = note->peer != NULL ? note->peer->pid : 0,
        .peer_label = note->peer != NULL ? note->peer->label : NULL,
    };

    if (event.denied) {
        event.reason = note->status == MIGUARD_DENIED ? AUDIT_REASON_CLIENT_DENIED
                                                      : AUDIT_REASON_SWITCH_FAILED;
        event.attempt = attempt;
        if (note->to != NULL) {
            snprintf(attempt, sizeof(attempt), "to uid %u, gid %u", note->to->uid[IDENTITY_E],
                     note->to->gid[IDENTITY_E]);
        }
        append_error(attempt, note->error);
    }
    bool captured = identity_capture_to_record(&current) == MIGUARD_OK;
    event.current = captured ? &current : event.denied ? note->from : note->to;
    (void)!audit_write(guard->audit, &event);
    if (captured) {
        identity_release(&current);
    }
}

/* The list of threads costs as much as a switch. Such a thread stays, so it is enough to look for
 * it now and then: one that came since the last look is found by a later switch. */
enum { POLLER_LOOK_MS = 100 };

static bool is_time_to_look(void)
{
    static _Atomic int64_t next_look;
    int64_t now = clock_now_ms(), due = atomic_load_explicit(&next_look, memory_order_relaxed);

    return now >= due && atomic_compare_exchange_strong(&next_look, &due, now + POLLER_LOOK_MS);
}

/* Nothing is refused: the ring may be the host's own, out of the provider's reach; deny_io_uring of
 * the gate excludes it. Recorded once for each such thread. */
static void record_poller(struct guard *guard, const struct switch_note *note)
{
    static _Atomic pid_t recorded, harmless[URING_HARMLESS];
    char attempt[ATTEMPT_SIZE], name[URING_NAME_SIZE];
    const struct audit_event event = {
        .action = AUDIT_ACTION_SWITCH,
        .reason = AUDIT_REASON_IO_URING,
        .attempt = attempt,
        .bound = note->from,
        .current = note->to,
        .call_site = note->site,
    };

    pid_t poller = uring_find_poller(harmless);
    if (poller == 0 || atomic_exchange(&recorded, poller) == poller ||
        !uring_is_thread(poller, name)) {
        return;
    }
    snprintf(attempt, sizeof(attempt), "beside thread %d (%s), which polls an io_uring", poller,
             name);
    (void)!audit_write(guard->audit, &event);
}

/* What a record costs is paid for only where one is written: the buffers for it are cleared, too.
 */
static void record_kind(struct guard *guard, const struct switch_note *note)
{
    const bool denied = note->status != MIGUARD_OK;

    if (note->kind == SWITCH_KIND_UNDONE) {
        record_undone(guard, note);
    } else if (is_recorded(guard, denied, POLICY_AUDIT_SWITCH)) {
        record_switch(guard, note);
    }
    if (note->kind == SWITCH_KIND_TO && !denied &&
        is_recorded(guard, false, POLICY_AUDIT_SWITCH | POLICY_AUDIT_DENY) &&
        !gate_excludes_uring() && is_time_to_look()) {
        record_poller(guard, note);
    }
}

/* The hook of every public switch: without a lock where the guard is set up (guard_enter_open()).
 */
static void on_switch(const struct switch_note *note)
{
    struct guard *guard = guard_enter_if_open();

    if (guard != NULL) {
        record_kind(guard, note);
        guard_leave(guard);
    }
}

/* ---- the gate -------------------------------------------------------------------------------- */

static const char *scope_text(enum miguard_gate_scope scope)
{
    return scope == MIGUARD_GATE_PROCESS    ? "the process"
           : scope == MIGUARD_GATE_BOUNDING ? "the bounding set of all threads"
                                            : "the thread";
}

void observe_gate_closed(struct guard *guard, const struct gate_note *note)
{
    char attempt[ATTEMPT_SIZE] = "";
    struct audit_event event = {
        .action = AUDIT_ACTION_GATE,
        .denied = note->status != MIGUARD_OK,
        .attempt = attempt,
        .call_site = note->site,
    };

    if (guard->audit == NULL ||
        !is_recorded(guard, event.denied, POLICY_AUDIT_OPEN | POLICY_AUDIT_SWITCH)) {
        return;
    }
    if (note->options != NULL) {
        snprintf(attempt, sizeof(attempt), "close it for %s, refuse by %s, report %s%s",
                 scope_text(note->options->scope),
                 note->options->action == MIGUARD_GATE_KILL ? "kill" : "EPERM",
                 note->options->report != 0 ? "yes" : "no",
                 note->options->deny_io_uring != 0 ? ", io_uring denied" : "");
    }
    if (event.denied) {
        event.reason = AUDIT_REASON_GATE_FAILED;
        append_error(attempt, note->error);
    }
    (void)!audit_write(guard->audit, &event);
}

/* A gate that the program closes. One that the policy closes is recorded by setup.c. */
static void on_gate_closed(const struct gate_note *note)
{
    struct guard *guard = guard_enter_if_open();

    if (guard != NULL) {
        observe_gate_closed(guard, note);
        guard_leave(guard);
    }
}

/* Runs on the gate's background thread, so the other thread's identity cannot be read, only its id.
 * The text has the call with its arguments, and how many refusals before it were lost. */
static void record_stray(struct guard *guard, const struct gate_stray *stray)
{
    char attempt[ATTEMPT_SIZE];
    const struct audit_event event = {
        .action = AUDIT_ACTION_GATE,
        .denied = true,
        .reason = AUDIT_REASON_GATE,
        .attempt = attempt,
        .call_site = stray->call_site,
        .tid = stray->tid,
    };

    gate_stray_text(stray, attempt, sizeof(attempt));
    size_t length = strlen(attempt);
    if (stray->lost > 0 && length < sizeof(attempt)) {
        snprintf(attempt + length, sizeof(attempt) - length,
                 "; %llu more before it came too fast to be recorded",
                 (unsigned long long)stray->lost);
    }
    (void)!audit_write(guard->audit, &event);
}

/* On the gate's background thread, one at a time; may wait for the log. */
static void on_stray(const struct gate_stray *stray)
{
    struct guard *guard = guard_enter_if_open();

    if (guard == NULL) {
        return;
    }
    if (is_recorded(guard, true, 0)) {
        record_stray(guard, stray);
    }
    guard_leave(guard);
}

void observe_all(void)
{
    static const struct switch_hooks hooks = {
        .switched = on_switch, .stray = on_stray, .gate_closed = on_gate_closed};
    switch_set_hooks(&hooks);
}
