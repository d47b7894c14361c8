/* SPDX-License-Identifier: MIT */
/*
 * Switching a thread to a target and back, adoptions for callbacks, and the rehearsal of a drop.
 * Called by programs, the gateway, the gate and the drop.
 *
 * A switch: switch_up() -> push() -> become_target() reads and proves the original (state_capture)
 * unless it is known (is_as_undone), derives the expected identity (target_expected), and become()
 * refuses, changes (switch_apply), reads back (state_check) and, on failure, restores. The way
 * back: switch_down() -> undo(), which reverts the known changes, or restore_thread(), which
 * searches. An adoption is a level that also is a barrier. All levels of a thread are in its struct
 * switch_stack.
 */
#include "switch/switch.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/pin.h"
#include "base/process.h"
#include "base/signals.h"
#include "identity/change.h"
#include "identity/kernel.h"
#include "identity/read.h"
#include "identity/witness.h"
#include "switch/alive.h"
#include "switch/apply.h"
#include "switch/copy.h"
#include "switch/restore.h"
#include "switch/state.h"
#include "switch/target.h"

/* Components that no system call of this thread can change and restore. */
#define UNCHANGEABLE ((miguard_components)COMPONENTS_THAT_STAY)

#define LOCK_BITS (SECURE_ALL_LOCKS)

/* In the permitted set: the steps make all of that effective (apply.c, raise_caps()). */
static bool has_cap(const struct miguard_identity *identity, uint32_t capability)
{
    return (identity->cap[IDENTITY_CAP_PERMITTED] >> capability & 1) != 0;
}

/* Without the capability an id can be set only to one that the thread has. That applies to the fs
 * id, too, which every change of the others overwrites. */
static bool ids_remain(const uid_t original[IDENTITY_IDS], const uid_t target[IDENTITY_IDS])
{
    if (memcmp(original, target, IDENTITY_IDS * sizeof(*original)) == 0) {
        return true;
    }
    for (int i = 0; i < IDENTITY_IDS; i++) {
        if (original[i] != target[IDENTITY_R] && original[i] != target[IDENTITY_E] &&
            original[i] != target[IDENTITY_S]) {
            return false;
        }
    }
    return true;
}

/* A new inheritable capability must be in the bounding set, and without CAP_SETPCAP also in the
 * permitted one (capset(2)). */
static bool can_inherit_again(const struct miguard_identity *original, uint64_t lost)
{
    uint64_t bounding = 0;
    uint32_t count = 0;

    return read_bounding(0, &bounding, &count) && (lost & ~bounding) == 0 &&
           (has_cap(original, CAP_SETPCAP) || (lost & ~original->cap[IDENTITY_CAP_PERMITTED]) == 0);
}

/*
 * A switch that could not be undone would end in an abort later; so it is refused at its start. The
 * permitted set is the same before and after, so it allows the same changes in both directions.
 */
static const char *no_way_back(const struct miguard_identity *original,
                               const struct miguard_identity *target, miguard_components changes)
{
    if ((changes & UNCHANGEABLE) != 0) {
        return "the permitted or bounding set, no_new_privs, user namespace or LSM label differs";
    }
    if (((original->securebits ^ target->securebits) & LOCK_BITS) != 0) {
        return "a locked securebit cannot be unlocked again";
    }
    if ((original->securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0 &&
        (original->cap[IDENTITY_CAP_AMBIENT] & ~target->cap[IDENTITY_CAP_AMBIENT]) != 0) {
        return "an ambient capability that is given up could not be raised again";
    }
    uint64_t lost =
        original->cap[IDENTITY_CAP_INHERITABLE] & ~target->cap[IDENTITY_CAP_INHERITABLE];
    if (lost != 0 && !can_inherit_again(original, lost)) {
        return "an inheritable capability that is given up could not be regained";
    }
    return NULL;
}

/* The same for changes that need a capability that the thread does not have. */
static const char *no_privilege(const struct miguard_identity *original,
                                const struct miguard_identity *target)
{
    if (!has_cap(original, CAP_SETUID) && !ids_remain(original->uid, target->uid)) {
        return "without CAP_SETUID there is no way back to the present uids";
    }
    if (!has_cap(original, CAP_SETGID) && !ids_remain(original->gid, target->gid)) {
        return "without CAP_SETGID there is no way back to the present gids";
    }
    return NULL;
}

/* Whether setting the fs id works, which the way back needs: tested with its current value. */
static bool fs_id_sticks(const uid_t original[IDENTITY_IDS], const uid_t target[IDENTITY_IDS],
                         long (*set)(uid_t))
{
    const uid_t fs = original[IDENTITY_FS];

    return fs == original[IDENTITY_E] ||
           memcmp(original, target, IDENTITY_IDS * sizeof(*original)) == 0 || set(fs) == (long)fs;
}

/* A call that a filter of system calls denies and that only the way back needs, or whose failure
 * would be noticed only there; or NULL. */
static const char *dead_call(const struct miguard_identity *original,
                             const struct miguard_identity *target)
{
    const uint64_t *cap = original->cap;
    bool passes_root = switch_any_root(original->uid) != switch_any_root(target->uid);
    uint64_t lost = cap[IDENTITY_CAP_AMBIENT] & ~target->cap[IDENTITY_CAP_AMBIENT];

    if ((passes_root || cap[IDENTITY_CAP_EFFECTIVE] != cap[IDENTITY_CAP_PERMITTED] ||
         cap[IDENTITY_CAP_INHERITABLE] != target->cap[IDENTITY_CAP_INHERITABLE]) &&
        !alive_capset()) {
        return "capset";
    }
    if ((lost != 0 || (passes_root && cap[IDENTITY_CAP_AMBIENT] != 0)) && !alive_ambient()) {
        return "PR_CAP_AMBIENT_RAISE";
    }
    if (!fs_id_sticks(original->uid, target->uid, identity_kernel.setfsuid)) {
        return "setfsuid";
    }
    return fs_id_sticks(original->gid, target->gid, identity_kernel.setfsgid) ? NULL : "setfsgid";
}

/* ---- there and back ----------------------------------------------------------------------
 *
 * From the first read to the last the thread's signals are blocked: no handler of the program, and
 * none of glibc for another thread's setuid(3), sees it half switched or changes what was read. A
 * way back proceeds even without that: a thread that stays switched is worse.
 */

/* A way there is refused then; nothing has changed yet. */
static enum miguard_status signals_not_blocked(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_SYSTEM, errno, "rt_sigprocmask",
                     "signals cannot be blocked for the time of the switch");
}

/* Buffers that are too large for a call stack. */
struct buffers {
    gid_t groups[IDENTITY_MAX_GROUPS];
    struct restore_room search;
    struct miguard_identity verified; /* the latest that was read back and was as expected */
    gid_t verified_groups[IDENTITY_MAX_GROUPS];
    uint64_t verified_at; /* the count of changes plus 1 at that time; 0: nothing is */
};

/* The hook may want a lock that a stopped thread or the interrupted code holds. Then the alarm ends
 * the process, which is aborted anyway. */
static void end_by_alarm(unsigned seconds)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    (void)sigaction(SIGALRM, &by_default, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)alarm(seconds);
}

/* Records why and ends the process. The note is recorded first, because abort(3) does not
 * return. */
static _Noreturn void abort_with_note(enum switch_kind kind, const struct miguard_identity *to,
                                      const char *step, const char *why)
{
    struct miguard_error error;

    (void)error_set(&error, MIGUARD_NOT_VERIFIED, 0, step, "%s; the process is aborted", why);
    end_by_alarm(2);
    switch_note(&(struct switch_note){
        .kind = kind, .status = MIGUARD_NOT_VERIFIED, .error = &error, .to = to});
    (void)alarm(0);
    abort();
}

void switch_abort(enum switch_kind kind, const struct miguard_identity *to)
{
    abort_with_note(kind, to, kind == SWITCH_KIND_DROP ? "drop" : "way back",
                    "no call that is still permitted restores this thread");
}

/* The flag was toggled to find out whether a filter falsifies what is read (witness.h). */
static void abort_for_keep_caps(void)
{
    abort_with_note(SWITCH_KIND_BACK, NULL, "PR_SET_KEEPCAPS",
                    "the flag was toggled for a test, and restoring it was denied");
}

/* Invariant 5: a thread that is not known to be restored must not continue, and neither may its
 * process, whose other code relies on the old identity. */
static void restore_or_abort(const struct miguard_identity *original, struct buffers *buffers)
{
    if (!restore_thread(original, buffers->groups, &buffers->search)) {
        switch_abort(SWITCH_KIND_BACK, original);
    }
}

/* The usual steps leave uid 0 altogether before they know that capset(2) will work, and then could
 * not return; so this case is left to the search, which tests first. */
static bool may_strand(const struct miguard_identity *left, const struct miguard_identity *original)
{
    return switch_any_root(left->uid) && !switch_any_root(original->uid);
}

static bool (*_Atomic the_seal)(void);

void switch_set_seal(bool (*is_sealed)(void))
{
    atomic_store(&the_seal, is_sealed);
}

/* Behind the gate of the process, on the thread that owns the memory: a child of vfork(2) shares
 * it, and what it is must not be taken for what its parent is. */
static bool is_sealed(void)
{
    bool (*ask)(void) = atomic_load_explicit(&the_seal, memory_order_acquire);

    return ask != NULL && ask();
}

/* state_check(), which keeps what it read when it is as expected. An odd count is a change under
 * way that a handler of SIGSYS interrupted. */
static miguard_components read_back(const struct miguard_identity *from,
                                    const struct miguard_identity *expected,
                                    struct buffers *buffers)
{
    const uint64_t count = identity_change_count;

    buffers->verified_at = 0;
    miguard_components differing =
        state_check(from, expected, &buffers->verified, buffers->verified_groups);
    if (differing == 0 && is_sealed()) {
        buffers->verified_at = count + 1;
    }
    return differing;
}

/*
 * The usual way back: nothing has changed since the switch left the thread as `left`, so its
 * changes are reverted without reading. The read-back verifies that.
 *
 * filtered: a filter may answer for the kernel. Then the effective ids are read before, so that
 * the fs ids are proved by their change, and the file need not be read (state_check()). Without a
 * filter that would be two calls for nothing: the kernel's answers are its own, and state_check()
 * asks itself whether a filter came since the switch began.
 */
static bool undo(const struct miguard_identity *original, const struct miguard_identity *left,
                 miguard_components changes, bool filtered, struct buffers *buffers)
{
    const struct miguard_identity *from = filtered && state_has_effective_ids(left) ? left : NULL;

    buffers->verified_at = 0;
    return !may_strand(left, original) &&
           switch_apply(left, original, changes, SWITCH_BACK, NULL) == MIGUARD_OK &&
           read_back(from, original, buffers) == 0;
}

/* The usual way back, then the search, then the end of the process. */
static void undo_or_abort(const struct miguard_identity *original,
                          const struct miguard_identity *left, miguard_components changes,
                          bool filtered, struct buffers *buffers)
{
    if (!undo(original, left, changes, filtered, buffers)) {
        restore_or_abort(original, buffers);
    }
}

/* A capability that the target must keep and this thread does not have, into name; or NULL. The
 * lowest one when there are more. */
static const char *missing_cap(const struct miguard_identity *original,
                               const struct miguard_identity *expected, char name[64])
{
    uint64_t missing =
        expected->cap[IDENTITY_CAP_EFFECTIVE] & ~original->cap[IDENTITY_CAP_PERMITTED];
    if (missing == 0) {
        return NULL;
    }
    const char *known = capng_capability_to_name((unsigned)__builtin_ctzll(missing));
    snprintf(name, 64, "cap_%s", known != NULL ? known : "unknown");
    return name;
}

/* Whether the switch may be tried; changes nothing. */
static enum miguard_status may_become(const struct miguard_identity *original,
                                      const struct miguard_identity *expected,
                                      miguard_components changes, struct miguard_error *reterr)
{
    char name[64];
    const char *why = no_way_back(original, expected, changes);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "way back", "%s", why);
    }
    why = no_privilege(original, expected);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "way back", "%s", why);
    }
    why = missing_cap(original, expected, name);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "capabilities",
                         "%s must be kept, but this thread's permitted set lacks it", why);
    }
    why = dead_call(original, expected);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_PERMITTED, 0, why,
                         "the way back needs this call, and a filter of system calls denies it");
    }
    return MIGUARD_OK;
}

/* Changes the thread from original to expected and verifies that, or restores it. changes are the
 * components in which the two differ. */
static enum miguard_status become(const struct miguard_identity *original,
                                  const struct miguard_identity *expected,
                                  miguard_components changes, struct buffers *buffers,
                                  struct miguard_error *reterr)
{
    if (changes == 0) {
        return MIGUARD_OK;
    }
    enum miguard_status status = may_become(original, expected, changes, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    status = switch_apply(original, expected, changes, SWITCH_THERE, reterr);
    if (status == MIGUARD_OK) {
        miguard_components differing = read_back(original, expected, buffers);
        if (differing == 0) {
            return MIGUARD_OK;
        }
        status =
            error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "read-back", "%s is not the requested one",
                      miguard_component_name(differing & (~differing + 1)));
    }
    restore_or_abort(original, buffers);
    return status;
}

/* ---- state of each thread ---------------------------------------------------------------- */

/* The number of simultaneous adoptions of one thread: callbacks may be nested that deeply in calls
 * that callbacks make. */
enum { ADOPTIONS = 112, LEVELS = MIGUARD_SWITCH_DEPTH + ADOPTIONS };

/* One switch that is not undone; or an adoption, which is a barrier: code under it neither sees nor
 * undoes the levels below, and its own levels above are undone with it. */
struct level {
    struct miguard_identity original; /* of a switch: its groups are in the stack */
    struct miguard_identity left;     /* the resulting identity; of a switch: without groups */
    miguard_components changes;       /* between the two */
    bool filtered;      /* not known to be without a filter of system calls when it began */
    uint64_t serial;    /* of its scope or frame; 0: without one */
    uint64_t undone_at; /* original was verified, see is_as_undone(); 0: it was not */
    uint64_t undone_in; /* the epoch of that, gated or not; 0: it was not */
    const void *site;   /* the caller of the switch */
    const struct switch_frame *frame; /* of an adoption, else NULL */
    unsigned below;                   /* of an adoption: the barrier and the switches under it */
    unsigned switches;
};

/* Large, since a thread may have 65,536 groups at each switch; but only written pages
 * take memory. */
struct switch_stack {
    unsigned depth;      /* levels in use */
    unsigned switches;   /* those of them that are not adoptions */
    unsigned barrier;    /* the level of the latest adoption, from 1, or 0 */
    uintptr_t low, high; /* the thread's own call stack; 0: not determined yet, or not known */
    struct level levels[LEVELS];
    struct buffers buffers;
    gid_t groups[MIGUARD_SWITCH_DEPTH][IDENTITY_MAX_GROUPS];
};

/* Never 0 and never repeated in this process: it names one scope or adoption. */
static uint64_t new_serial(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

/* Only an adoption's identities own memory; a switch's groups are in the stack itself. */
static void release_level(struct level *level)
{
    if (level->frame != NULL) {
        identity_release(&level->original);
        identity_release(&level->left);
    }
}

/* The initial-exec model: reading this in a signal handler must not make the loader allocate. */
static __thread struct {
    struct switch_stack *stack;
    volatile sig_atomic_t busy; /* switches and adoptions that are not undone or just made */
    enum { UNASKED, UNSET, SET } no_new_privs; /* at the first switch; SET is permanent */
    struct switch_last last;
} thread __attribute__((tls_model("initial-exec")));

/* The key exists only for its destructor, which releases the stack at the end of the thread. */
static pthread_key_t stack_key;
static struct fork_once stack_once = FORK_ONCE_INIT;
static bool stack_ready;

/* ---- threads that must not get no_new_privs now ---------------------------------------------- */

/* A way back restores the thread's former state, and no_new_privs is part of that: a thread that
 * gets it while it is switched can only abort. So switches that began without it are counted, and a
 * thread that would spread it blocks new ones while it checks and acts. */
static atomic_uint strandable;
static _Atomic uint64_t holding; /* the epoch of the process while one thread holds, or 0 */

/* A holder of another epoch is the parent's thread, which does not exist here. Polls: the holder
 * must let go at once (switch.h). */
static void wait_for_holder(void)
{
    uint64_t holder = atomic_load(&holding);

    while (holder != 0 && holder == process_epoch()) {
        nanosleep(&(struct timespec){0, 20000}, NULL);
        holder = atomic_load(&holding);
    }
}

/* Read once for each thread, so that the count goes up and down alike. A thread that gets
 * no_new_privs later is counted unnecessarily, which only refuses more. */
static bool is_strandable(void)
{
    uint32_t no_new_privs = 0;

    if (thread.no_new_privs == UNASKED) {
        thread.no_new_privs = read_no_new_privs(&no_new_privs) && no_new_privs != 0 ? SET : UNSET;
    }
    return thread.no_new_privs == UNSET;
}

/* A forked child has only the calling thread of its parent. */
static void recount_in_child(void)
{
    atomic_store(&strandable, thread.no_new_privs == UNSET ? (unsigned)thread.busy : 0U);
    atomic_store(&holding, 0);
}

FORK_OWNER(switches_owner, .rank = FORK_SWITCHES, .in_child = recount_in_child);
FORK_OWNER(stack_owner, .rank = FORK_ONCE, .lock = &stack_once.lock);

/* Says first that it holds, and looks then, as set_busy() does from its side. A process without an
 * epoch cannot distinguish its holder from its parent's, and so holds nothing. */
bool switch_hold(void)
{
    const uint64_t epoch = process_epoch();

    atomic_store(&holding, epoch);
    if (epoch != 0 && atomic_load(&strandable) == 0) {
        return true;
    }
    atomic_store(&holding, 0);
    return false;
}

/* Those that wait look again within 20 microseconds and more (wait_for_holder()). */
void switch_let_go(void)
{
    atomic_store(&holding, 0);
}

/* ---- the stack of each thread -------------------------------------------------------------- */

/* At thread exit: the identity ends with the thread, so only the memory is released. */
static void unmap_stack(void *memory)
{
    struct switch_stack *stack = memory;

    if (thread.no_new_privs == UNSET) {
        atomic_fetch_sub(&strandable, (unsigned)thread.busy);
    }
    thread.stack = NULL;
    while (stack->depth > 0) {
        release_level(&stack->levels[--stack->depth]);
    }
    munmap(stack, sizeof(struct switch_stack));
}

/* Once in the process. Where no key is left, no thread has a stack, and each switch is refused. */
static void make_stack_key(void)
{
    stack_ready = pthread_key_create(&stack_key, unmap_stack) == 0;
}

/* This thread's stack, mapped at its first switch, or NULL. It is kept until the thread ends: a
 * later switch then allocates nothing. */
static struct switch_stack *stack_for_thread(void)
{
    if (thread.stack != NULL) {
        return thread.stack;
    }
    if (!pin_in_memory() || !fork_is_watched()) {
        return NULL;
    }
    fork_do_once(&stack_once, make_stack_key);
    if (!stack_ready) {
        return NULL;
    }
    void *stack = mmap(NULL, sizeof(struct switch_stack), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) {
        return NULL;
    }
    if (pthread_setspecific(stack_key, stack) != 0) {
        munmap(stack, sizeof(struct switch_stack));
        return NULL;
    }
    thread.stack = stack;
    return stack;
}

bool switch_is_busy(void)
{
    return thread.busy != 0;
}

/* Called before the thread's state is read, and after it is restored. Counts first and waits then:
 * of a holder and a beginner at least one sees the other. */
static void set_busy(bool busy)
{
    if (!busy) {
        atomic_fetch_sub(&strandable, is_strandable() ? 1U : 0U);
        thread.busy = thread.busy - 1;
        return;
    }
    thread.busy = thread.busy + 1;
    if (is_strandable()) {
        atomic_fetch_add(&strandable, 1);
        wait_for_holder();
    }
}

/* Removes the latest switch, whose thread is restored. */
static void pop(struct switch_stack *stack)
{
    stack->depth--;
    stack->switches--;
    set_busy(false);
}

/* ---- the hooks --------------------------------------------------------------------------- */

/* All members NULL: a caller need not distinguish "no hooks" from "no such hook". */
static const struct switch_hooks no_hooks;
static const struct switch_hooks *_Atomic the_hooks;

/* The function for witness.c is set with the hooks: without them there is no log to record the
 * abort in. */
void switch_set_hooks(const struct switch_hooks *hooks)
{
    atomic_store(&the_hooks, hooks);
    witness_before_abort(abort_for_keep_caps);
}

/* Acquire: who sees the address sees what the functions behind it need. */
const struct switch_hooks *switch_hooks(void)
{
    const struct switch_hooks *hooks = atomic_load_explicit(&the_hooks, memory_order_acquire);
    return hooks != NULL ? hooks : &no_hooks;
}

const struct miguard_identity *switch_verified(void)
{
    const struct switch_stack *stack = thread.stack;

    return stack != NULL && stack->buffers.verified_at == identity_change_count + 1
               ? &stack->buffers.verified
               : NULL;
}

struct switch_last switch_last(void)
{
    return thread.last;
}

/* Only a switch that was made is the last one of its thread. The hook gets failures and ways back,
 * too. */
void switch_note(const struct switch_note *note)
{
    if (note->status == MIGUARD_OK && note->kind != SWITCH_KIND_UNDONE) {
        thread.last.kind = note->kind;
        thread.last.site = note->site;
        thread.last.count++;
        clock_gettime(CLOCK_REALTIME, &thread.last.time);
    }
    const struct switch_hooks *hooks = switch_hooks();
    if (hooks->switched != NULL) {
        hooks->switched(note);
    }
}

/* ---- adopting, for the gateway ----------------------------------------------------------- */

/* Finds the thread's own call stack; once, since for the main thread glibc reads /proc for it.
 * Frames on another stack (of a signal, of a coroutine) are not judged by their address. */
static void find_call_stack(struct switch_stack *stack)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    if (stack->high != 0 || pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        stack->low = (uintptr_t)low;
        stack->high = stack->low + size;
    }
    (void)pthread_attr_destroy(&attributes);
}

/* Fills level with the thread's identity and the one to adopt, and their difference. */
static enum miguard_status fill_adoption(const struct miguard_identity *identity,
                                         struct level *level, struct miguard_error *reterr)
{
    bool equal = identity_check(identity, MIGUARD_COMPONENTS_ALL, NULL) == 0;
    enum miguard_status status = identity_copy(identity, &level->left);

    if (status != MIGUARD_OK) {
        return error_set(reterr, status, 0, "adopt", NULL);
    }
    status = equal ? identity_copy(identity, &level->original)
                   : identity_capture(&level->original, reterr);
    if (status != MIGUARD_OK) {
        identity_release(&level->left);
        return equal ? error_set(reterr, status, 0, "adopt", NULL) : status;
    }
    level->changes = miguard_identity_compare(&level->original, &level->left);
    return MIGUARD_OK;
}

/* Pushes an adoption; *frame is set only when the thread has become the identity. The caller has
 * checked that there is room, and blocks signals. */
static enum miguard_status adopt_level(const struct miguard_identity *identity,
                                       struct switch_stack *stack, struct switch_frame *frame,
                                       struct miguard_error *reterr)
{
    struct level *level = &stack->levels[stack->depth];

    *level = (struct level){
        .frame = frame, .below = stack->barrier, .switches = stack->switches, .filtered = true};
    set_busy(true);
    enum miguard_status status = fill_adoption(identity, level, reterr);
    if (status != MIGUARD_OK) {
        set_busy(false);
        return status;
    }
    status = become(&level->original, &level->left, level->changes, &stack->buffers, reterr);
    if (status != MIGUARD_OK) {
        release_level(level);
        set_busy(false);
        return status;
    }
    level->serial = new_serial();
    stack->depth++;
    stack->barrier = stack->depth;
    *frame = (struct switch_frame){level->serial, stack->depth};
    return MIGUARD_OK;
}

enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                 struct switch_frame *frame, struct miguard_error *reterr)
{
    struct signals signals;

    memset(frame, 0, sizeof(*frame));
    if (!identity_valid(identity)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "adopt", "no identity");
    }
    switch_settle();
    enum miguard_status status = copy_claim(reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    struct switch_stack *stack = stack_for_thread();
    if (stack == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "adopt", NULL);
    }
    if (stack->depth - stack->switches == ADOPTIONS) {
        return error_set(reterr, MIGUARD_TOO_DEEP, 0, "adopt", "%d callbacks are nested",
                         ADOPTIONS);
    }
    find_call_stack(stack);
    if (!signals_block(&signals)) {
        return signals_not_blocked(reterr);
    }
    status = adopt_level(identity, stack, frame, reterr);
    signals_restore(&signals);
    return status;
}

/* Restores everything, also components that can only be compared: if one of those differs it cannot
 * be restored. found: the components in which the thread differs from how the adoption left it. If
 * it is 0, reverting the adoption's changes is enough, and nothing else can differ. */
static void unadopt_or_abort(const struct level *level, miguard_components found,
                             struct buffers *buffers)
{
    const miguard_components rest = MIGUARD_COMPONENTS_ALL & ~STATE_COMPONENTS;

    if (found == 0 && (level->changes == 0 || undo(&level->original, &level->left, level->changes,
                                                   level->filtered, buffers))) {
        return;
    }
    restore_or_abort(&level->original, buffers);
    if (identity_check(&level->original, rest, NULL) != 0) {
        switch_abort(SWITCH_KIND_BACK, &level->original);
    }
}

/* Removes the levels from `at` on. */
static void remove_levels(struct switch_stack *stack, unsigned at)
{
    const struct level level = stack->levels[at - 1];

    while (stack->depth > at) {
        release_level(&stack->levels[--stack->depth]);
        set_busy(false);
    }
    stack->depth--;
    set_busy(false);
    stack->switches = level.switches;
    stack->barrier = level.below;
}

/*
 * Undoes the adoption at level `at`, and everything above it: whatever the thread's state is, it is
 * restored completely. The note reports switches that were left behind, other changes, and a call
 * that never came back (jumped).
 */
static void unadopt(struct switch_stack *stack, unsigned at, bool jumped)
{
    struct level level = stack->levels[at - 1];
    struct miguard_identity now = {.tag = 0};
    struct signals signals;
    struct switch_note note = {.kind = SWITCH_KIND_UNDONE,
                               .status = MIGUARD_OK,
                               .to = &level.original,
                               .left = stack->switches - level.switches,
                               .jumped = jumped};

    (void)signals_block(&signals);
    for (unsigned above = at; above < stack->depth && note.site == NULL; above++) {
        note.site = stack->levels[above].site;
    }
    note.found = identity_check(&level.left, MIGUARD_COMPONENTS_ALL, NULL);
    if (note.found != 0 && state_read(&now, stack->buffers.groups) == 0) {
        now.known &= ~(miguard_components)MIGUARD_COMPONENT_GROUPS;
        now.groups = NULL; /* the buffer is reused */
        now.group_count = 0;
        note.from = &now;
    }
    unadopt_or_abort(&level, note.found, &stack->buffers);
    remove_levels(stack, at);
    signals_restore(&signals);
    if (note.left > 0 || note.found != 0 || jumped) {
        switch_note(&note);
    }
    release_level(&level);
}

/* A serial of 0 says that the frame has nothing to restore: it did not adopt, or is restored. */
void switch_restore(struct switch_frame *frame)
{
    struct switch_stack *stack = thread.stack;

    if (frame->serial == 0) {
        return;
    }
    /* Called on another thread, or the level was removed as jumped over: the thread's proper
     * identity is not known any more (invariant 5). */
    if (stack == NULL || frame->level > stack->depth ||
        stack->levels[frame->level - 1].serial != frame->serial) {
        switch_abort(SWITCH_KIND_BACK, NULL);
    }
    unadopt(stack, frame->level, false);
    frame->serial = 0;
}

/*
 * Whether longjmp(3) left the function that adopted. Its frame is on the call stack while it runs,
 * so it is above the frames of everything that it calls; and it still holds its serial number.
 */
static __attribute__((no_sanitize("address"))) bool
was_jumped_over(const struct switch_stack *stack, const struct level *level, uintptr_t here)
{
    uintptr_t frame = (uintptr_t)level->frame;

    if (frame < stack->low || frame >= stack->high || here < stack->low || here >= stack->high) {
        return false;
    }
    return here > frame || level->frame->serial != level->serial;
}

/* From the latest adoption down. The lowest that was jumped over ends, and all above it with it. */
void switch_settle_at(const void *here)
{
    struct switch_stack *stack = thread.stack;
    unsigned gone = 0;

    for (unsigned at = stack == NULL ? 0 : stack->barrier; at != 0;
         at = stack->levels[at - 1].below) {
        if (was_jumped_over(stack, &stack->levels[at - 1], (uintptr_t)here)) {
            gone = at;
        }
    }
    if (gone != 0) {
        unadopt(stack, gone, true);
    }
}

/* ---- the end of a request ---------------------------------------------------------------- */

/* A block or an adoption that has not ended: its code continues after this call, and must not do so
 * under another identity. */
static bool in_block(const struct switch_stack *stack)
{
    unsigned at = 0;

    while (at < stack->depth && stack->levels[at].serial == 0) {
        at++;
    }
    return at < stack->depth;
}

/* The components that stay different; names them in *reterr. */
static enum miguard_status not_home(miguard_components differing, const char *why,
                                    struct miguard_error *reterr)
{
    char names[IDENTITY_NAMES_SIZE];

    identity_components_names(differing, names);
    return error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "home", "%s %s", names, why);
}

/* Where no call restores a component nothing is tried: the thread must end in any case, and until
 * then it should not regain more than it has. now: the thread, without groups. */
static enum miguard_status make_home(const struct switch_home *home,
                                     const struct miguard_identity *now, miguard_components found,
                                     struct buffers *buffers, struct miguard_error *reterr)
{
    if (found == 0) {
        return MIGUARD_OK;
    }
    if ((found & UNCHANGEABLE) != 0) {
        return not_home(found & UNCHANGEABLE, "cannot be changed back", reterr);
    }
    if (!undo(home->identity, now, found & STATE_COMPONENTS, true, buffers) &&
        !restore_thread(home->identity, buffers->groups, &buffers->search)) {
        return not_home(found, "cannot be changed back by any call that still works", reterr);
    }
    found = identity_check(home->identity, home->compared, NULL);
    return found == 0 ? MIGUARD_OK : not_home(found, "changed in between", reterr);
}

/* Reads the thread into *ret_now and makes it home. Signals are blocked. */
static enum miguard_status find_and_make_home(const struct switch_home *home,
                                              struct switch_stack *stack, struct switch_note *note,
                                              struct miguard_identity *ret_now,
                                              struct miguard_error *reterr)
{
    miguard_components unread = 0;
    char names[IDENTITY_NAMES_SIZE];

    note->found = identity_check(home->identity, home->compared, &unread);
    unread |= state_read(ret_now, stack->buffers.groups);
    if (unread != 0) {
        identity_components_names(unread, names);
        return error_set(reterr, MIGUARD_UNREADABLE, 0, "home", "%s cannot be read", names);
    }
    ret_now->known &= ~(miguard_components)MIGUARD_COMPONENT_GROUPS;
    ret_now->groups = NULL; /* the buffer is reused */
    ret_now->group_count = 0;
    note->from = ret_now;
    return make_home(home, ret_now, note->found, &stack->buffers, reterr);
}

/* A thread that cannot be made home keeps its levels: they are not undone. It counts as busy
 * meanwhile, because no_new_privs, given by another thread, would be in the way. */
static enum miguard_status go_home(const struct switch_home *home, struct switch_stack *stack,
                                   struct switch_note *note, struct miguard_identity *ret_now,
                                   struct miguard_error *reterr)
{
    struct signals signals;

    if (stack == NULL) {
        note->found = identity_check(home->identity, home->compared, NULL);
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "home", NULL);
    }
    (void)signals_block(&signals);
    set_busy(true);
    enum miguard_status status = find_and_make_home(home, stack, note, ret_now, reterr);
    while (status == MIGUARD_OK && stack->depth > 0) {
        pop(stack);
    }
    set_busy(false);
    signals_restore(&signals);
    return status;
}

enum miguard_status switch_go_home(const struct switch_home *home, const void *site,
                                   struct switch_leftover *ret_left, struct miguard_error *reterr)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    struct miguard_identity now = {.tag = 0};
    struct switch_stack *stack = stack_for_thread();
    struct switch_note note = {.kind = SWITCH_KIND_UNDONE, .to = home->identity, .request = true};

    if (stack != NULL && in_block(stack)) {
        note.kind = SWITCH_KIND_BACK;
        note.site = site;
        note.status =
            error_set(&error, MIGUARD_BAD_STATE, 0, "home",
                      "a block of this thread that switches, or a callback, has not ended; after a "
                      "longjmp out of a block, call miguard_switch_home(0) first");
    } else {
        note.left = stack != NULL ? stack->switches : 0;
        note.site = note.left > 0 ? stack->levels[0].site : NULL;
        note.status = go_home(home, stack, &note, &now, &error);
    }
    *ret_left = (struct switch_leftover){note.found, note.left};
    if (note.status != MIGUARD_OK) {
        note.error = &error;
        if (reterr != NULL) {
            *reterr = error;
        }
    }
    if (note.left > 0 || note.found != 0 || note.status != MIGUARD_OK) {
        switch_note(&note);
    }
    return note.status;
}

/* ---- the switches of this thread ------------------------------------------------- */

/* Also those that were made below an adoption, which miguard_switch_depth() leaves out: the code
 * that runs in it has not made them and cannot undo them. */
unsigned switch_count(void)
{
    return thread.stack == NULL ? 0 : thread.stack->switches;
}

unsigned miguard_switch_depth(void)
{
    const struct switch_stack *stack = thread.stack;

    if (stack == NULL) {
        return 0;
    }
    return stack->switches - (stack->barrier == 0 ? 0 : stack->levels[stack->barrier - 1].switches);
}

/* The components that a switch does not read must already agree with an identity target. */
static enum miguard_status rest_agrees(const struct miguard_target *target,
                                       struct miguard_error *reterr)
{
    const miguard_components rest = MIGUARD_COMPONENTS_ALL & ~STATE_COMPONENTS;
    if (target->exact && identity_check(&target->identity, rest, NULL) != 0) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "way back",
                         "the bounding set, user namespace or LSM label differs");
    }
    return MIGUARD_OK;
}

/*
 * Whether the thread is still what its last way back to this level made it. Behind the gate of the
 * process only the library changes a thread, and counts its changes (gate/gate.h). So while the
 * count is that at which the way back was verified there (read_back()), there is nothing to read
 * and nothing new to prove: the state was proved when the switch left it, and no one else can have
 * entered another user namespace or set no_new_privs since. A forked child has its parent's
 * credentials, memory and count.
 */
static bool is_as_undone(const struct level *level)
{
    return level->undone_at == identity_change_count + 1;
}

/* The level may have been used where more or fewer of those below were switches: then its groups
 * lie where another level writes its own. */
static bool has_own_groups(const struct switch_stack *stack, const struct level *level)
{
    return level->original.groups == stack->groups[stack->switches];
}

/* Without a gate the thread may have changed since the way back to this level; it is read. Where it
 * reads as it did then, that reading and this one are two with the same answer. */
static enum miguard_status capture_again(struct switch_stack *stack, struct level *level,
                                         bool *ret_same, struct miguard_error *reterr)
{
    const uint64_t epoch = process_epoch();

    *ret_same = false;
    if (epoch == 0 || level->undone_in != epoch) {
        return MIGUARD_OK;
    }
    level->original.tag = IDENTITY_TAG;
    return state_capture_again(&level->original, stack->buffers.groups, ret_same, &level->filtered,
                               reterr);
}

/* What the thread is before a switch, into the level, whose tag shows it even where the switch
 * fails. */
static enum miguard_status capture_original(struct switch_stack *stack, struct level *level,
                                            struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;
    bool same = false;

    if (has_own_groups(stack, level)) {
        if (is_as_undone(level)) {
            level->filtered = true; /* by the gate */
            level->original.tag = IDENTITY_TAG;
            return MIGUARD_OK;
        }
        status = capture_again(stack, level, &same, reterr);
    }
    level->undone_at = 0;
    level->undone_in = 0;
    if (!same) {
        status = state_capture(&level->original, stack->groups[stack->switches],
                               stack->buffers.groups, &level->filtered, reterr);
    }
    if (status != MIGUARD_OK) {
        level->original.tag = 0;
    }
    return status;
}

/* Fills the next level and becomes target. */
static enum miguard_status become_target(const struct miguard_target *target,
                                         struct switch_stack *stack,
                                         struct miguard_identity *ret_expected,
                                         struct miguard_error *reterr)
{
    struct level *level = &stack->levels[stack->depth];
    struct buffers *buffers = &stack->buffers;

    enum miguard_status status = capture_original(stack, level, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    *ret_expected = target_expected(target, &level->original);
    status = rest_agrees(target, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    level->changes = miguard_identity_compare(&level->original, ret_expected) & STATE_COMPONENTS;
    status = become(&level->original, ret_expected, level->changes, buffers, reterr);
    if (status == MIGUARD_OK) {
        level->left = *ret_expected;
        level->left.known &= ~(miguard_components)MIGUARD_COMPONENT_GROUPS;
        level->left.groups = NULL; /* the target's, which may be freed by then */
        level->left.group_count = 0;
    }
    return status;
}

/* What a switch, and the rehearsal of a drop, need before they read anything. NULL is a stack that
 * could not be allocated. */
static enum miguard_status check_room(const struct miguard_target *target,
                                      const struct switch_stack *stack,
                                      struct miguard_error *reterr)
{
    if (target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "switch", "target is NULL");
    }
    if (target->identify_only) {
        return error_set(reterr, MIGUARD_DENIED, 0, "switch",
                         "the policy lets this provider identify its client, and not act as it "
                         "(clients: may: identify)");
    }
    if (stack == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "switch", NULL);
    }
    if (stack->switches == MIGUARD_SWITCH_DEPTH) {
        return error_set(reterr, MIGUARD_TOO_DEEP, 0, "switch",
                         "%d switches are not undone; is a miguard_switch_back() missing?",
                         MIGUARD_SWITCH_DEPTH);
    }
    return MIGUARD_OK;
}

/* Adds the next level; the caller has checked that there is room. */
static enum miguard_status push(const struct miguard_target *target, struct switch_stack *stack,
                                uint64_t serial, const void *site,
                                struct miguard_identity *ret_expected, struct miguard_error *reterr)
{
    struct level *level = &stack->levels[stack->depth];
    struct signals signals;

    if (!signals_block(&signals)) {
        return signals_not_blocked(reterr);
    }
    set_busy(true);
    enum miguard_status status = become_target(target, stack, ret_expected, reterr);
    if (status == MIGUARD_OK) {
        level->serial = serial;
        level->site = site;
        level->frame = NULL;
        stack->depth++;
        stack->switches++;
    } else {
        set_busy(false);
    }
    signals_restore(&signals);
    return status;
}

/* serial: of its scope; 0: for miguard_switch_back(). */
static enum miguard_status switch_up(const struct miguard_target *target, uint64_t serial,
                                     const void *site, struct miguard_error *reterr)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    struct miguard_identity expected = {.tag = 0};
    struct level *level = NULL;
    enum miguard_status status = copy_claim(&error);
    struct switch_stack *stack = status == MIGUARD_OK ? stack_for_thread() : NULL;

    if (status == MIGUARD_OK) {
        status = check_room(target, stack, &error);
    }
    if (status == MIGUARD_OK) {
        level = &stack->levels[stack->depth];
        level->original.tag = 0;
        status = push(target, stack, serial, site, &expected, &error);
    }
    if (status != MIGUARD_OK && reterr != NULL) {
        *reterr = error;
    }
    switch_note(&(struct switch_note){
        .kind = SWITCH_KIND_TO,
        .status = status,
        .error = status == MIGUARD_OK ? NULL : &error,
        .from = level != NULL && identity_valid(&level->original) ? &level->original : NULL,
        .to = identity_valid(&expected) ? &expected : NULL,
        .peer = target != NULL ? target->peer : NULL,
        .site = site,
    });
    return status;
}

/*
 * Undoes the switches above `end` levels. A level that cannot be restored is skipped where another
 * is undone anyway: the search for the next starts from the thread's current state, and until it
 * succeeds neither a handler nor the hook sees the thread.
 */
static void switch_down(struct switch_stack *stack, unsigned end, const void *site)
{
    struct signals signals;
    bool lost = false;

    while (stack->depth > end) {
        struct level *level = &stack->levels[stack->depth - 1];
        if (!lost) {
            (void)signals_block(&signals);
        }
        bool restored =
            (!lost && undo(&level->original, &level->left, level->changes, level->filtered,
                           &stack->buffers)) ||
            restore_thread(&level->original, stack->buffers.groups, &stack->buffers.search);
        if (!restored && stack->depth == end + 1) {
            switch_abort(SWITCH_KIND_BACK, &level->original);
        }
        level->undone_at = stack->buffers.verified_at;
        level->undone_in = restored ? process_epoch() : 0;
        pop(stack);
        lost = !restored;
        if (restored) {
            signals_restore(&signals);
            switch_note(&(struct switch_note){.kind = SWITCH_KIND_BACK,
                                              .status = MIGUARD_OK,
                                              .from = &level->left,
                                              .to = &level->original,
                                              .site = site});
        }
    }
}

enum miguard_status miguard_switch_to(const struct miguard_target *target,
                                      struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    switch_settle();
    return switch_up(target, 0, __builtin_return_address(0), reterr);
}

/* Code under an adoption sees only its own switches; a switch of a block ends with the block
 * alone. */
static enum miguard_status may_go_back(const struct switch_stack *stack,
                                       struct miguard_error *reterr)
{
    if (stack == NULL || stack->depth == stack->barrier) {
        return error_set(reterr, MIGUARD_NOT_SWITCHED, 0, "switch back",
                         "this thread has no miguard_switch_to() to undo");
    }
    if (stack->levels[stack->depth - 1].serial != 0) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "switch back",
                         "the latest switch is that of a MIGUARD_SWITCHED block, which ends it; "
                         "after a longjmp out of one, call miguard_switch_home()");
    }
    return MIGUARD_OK;
}

/* A failure is recorded, too: it shows a switch and a way back that do not match. */
enum miguard_status miguard_switch_back(struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_error error = {.status = MIGUARD_OK};
    const void *site = __builtin_return_address(0);

    switch_settle();
    enum miguard_status status = may_go_back(thread.stack, &error);
    if (status == MIGUARD_OK) {
        switch_down(thread.stack, thread.stack->depth - 1, site);
        return MIGUARD_OK;
    }
    if (reterr != NULL) {
        *reterr = error;
    }
    switch_note(&(struct switch_note){
        .kind = SWITCH_KIND_BACK, .status = status, .error = &error, .site = site});
    return status;
}

/* Counts from the barrier, as miguard_switch_depth() does. */
unsigned miguard_switch_home(unsigned depth)
{
    ENTRY_UNCANCELLED;
    const void *site = __builtin_return_address(0);

    switch_settle();
    unsigned now = miguard_switch_depth();
    if (now <= depth) {
        return 0;
    }
    switch_down(thread.stack, thread.stack->depth - (now - depth), site);
    return now - depth;
}

/* ---- switches that end with a block ------------------------------------------------------ */

struct miguard_scope miguard_scope_enter(const struct miguard_target *target,
                                         enum miguard_status *ret_status,
                                         struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct miguard_scope scope = {0, 0, false};

    if (ret_status == NULL) {
        (void)error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "switch", "ret_status is NULL");
        return scope;
    }
    switch_settle();
    uint64_t serial = new_serial();
    *ret_status = switch_up(target, serial, __builtin_return_address(0), reterr);
    if (*ret_status == MIGUARD_OK) {
        scope = (struct miguard_scope){serial, thread.stack->depth, true};
    }
    return scope;
}

/* The serial number shows a scope that is not on this thread's stack: it was never entered, was
 * left already, or a jump into the block left it uninitialised. Code above an adoption must not end
 * a scope below it. */
void miguard_scope_leave(struct miguard_scope *scope)
{
    ENTRY_UNCANCELLED;
    switch_settle();
    struct switch_stack *stack = thread.stack;

    if (scope == NULL || stack == NULL || scope->serial == 0 || scope->level <= stack->barrier ||
        scope->level > stack->depth || stack->levels[scope->level - 1].serial != scope->serial) {
        return;
    }
    switch_down(stack, scope->level - 1, __builtin_return_address(0));
    scope->serial = 0;
    scope->inside = false;
}

/* Between the two lines that restore the caller's state the function runs as the caller does: it
 * can be cancelled, and errno is its own. */
enum miguard_status miguard_call_as(const struct miguard_target *target,
                                    void (*function)(void *argument), void *argument,
                                    struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (function == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "switch", "function is NULL");
    }
    switch_settle();
    const uint64_t serial = new_serial();
    enum miguard_status status = switch_up(target, serial, __builtin_return_address(0), reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    struct miguard_scope scope ON_LEAVING(miguard_scope_leave) = {serial, thread.stack->depth,
                                                                  true};
    entry_leave(&entry_state);
    function(argument);
    entry_state = entry_enter();
    return MIGUARD_OK;
}

/* ---- the rehearsal of a drop ------------------------------------------------------------- */

/* Uses the next level without pushing it, so a failure leaves the stack as it was. */
enum miguard_status switch_rehearse(const struct miguard_target *target,
                                    struct miguard_identity *ret_original, gid_t *groups,
                                    struct miguard_error *reterr)
{
    struct miguard_identity expected;
    struct signals signals;

    switch_settle();
    enum miguard_status status = copy_claim(reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    struct switch_stack *stack = stack_for_thread();
    status = check_room(target, stack, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    if (!signals_block(&signals)) {
        return signals_not_blocked(reterr);
    }
    struct level *level = &stack->levels[stack->depth];
    set_busy(true);
    status = become_target(target, stack, &expected, reterr);
    if (status == MIGUARD_OK) {
        undo_or_abort(&level->original, &level->left, level->changes, level->filtered,
                      &stack->buffers);
    }
    set_busy(false);
    signals_restore(&signals);
    if (status != MIGUARD_OK) {
        return status;
    }
    memcpy(groups, stack->groups[stack->switches], level->original.group_count * sizeof(gid_t));
    *ret_original = level->original;
    ret_original->groups = groups;
    return MIGUARD_OK;
}
