/* SPDX-License-Identifier: MIT */
/*
 * Reads the bounding set as far as it can have changed (bounding.h). Called by each check.
 *
 * Three facts of the kernel, of its sources as of Linux 6.18, and of its manual pages:
 *
 * 1. Only two things write cred->cap_bset of a running thread. PR_CAPBSET_DROP takes one capability
 *    out (cap_prctl_drop); nothing puts one back (capabilities(7), "Capability bounding set"). And
 *    entering a user namespace, by unshare(2) or setns(2), fills the set (set_cred_user_ns;
 *    user_namespaces(7)). Both change the calling thread alone. execve(2) keeps the set and ends
 *    this library; fork(2) and clone(2) copy it to a new thread. The calls that act on other
 *    threads give them a filter or a keyring, and leave the rest of their credentials
 *    (seccomp_sync_threads, landlock_restrict_self, KEYCTL_SESSION_TO_PARENT). A debugger can make
 *    a thread do anything, also between a check and what it was for.
 *
 * 2. PR_CAPBSET_DROP needs CAP_SETPCAP effective in the thread's user namespace. What is effective
 *    is permitted, and the permitted set never grows while the thread stays in its namespace and
 *    runs this program: capset(2) refuses to add to it (cap_capset), a change of the uids only
 *    clears it, and keep-caps and the other securebits only prevent that (cap_emulate_setxuid;
 *    capabilities(7), "Effect of user ID changes on capabilities"); ambient capabilities must be
 *    permitted before. So where CAP_SETPCAP was not permitted when the set was read, the set cannot
 *    change any more.
 *
 * 3. A thread other than the leader of its group never enters another user namespace (check.c). The
 *    leader can while it is alone, but only downwards: setns(2) demands CAP_SYS_ADMIN in the
 *    namespace that is entered, and a thread has no capability in an ancestor of its own
 *    (user_namespaces(7), "Capabilities"). Its present namespace keeps the former ones alive, so
 *    their inode numbers are not used again (namespaces(7), "Namespace lifetime"). So a leader that
 *    is in the namespace in which its set was read never left it.
 *
 * 4. Behind a filter that refuses PR_CAPBSET_DROP (gate/gate_filter.c) only the library drops. A
 * filter is never taken away: a new thread and a child get it (seccomp(2); copy_seccomp),
 * execve(2) keeps it. The gate of the bounding set is given to all threads or to none
 * (SECCOMP_FILTER_FLAG_TSYNC; seccomp_sync_threads), and a thread that is being made meanwhile has
 * that of its maker or is found: both hold the same lock (sighand->siglock). It has the number of
 * prctl(2) of every entry that the kernel has for this program, and reads the option as the kernel
 * does. A user namespace can still be entered behind it, so what is said of the leader in 3 holds
 * there, too. Whether a thread has the filter is asked from the kernel, not concluded
 * (gate/gate.h).
 *
 * Hence what is kept: the set, read after the namespace (of a leader) and after the permitted set.
 * It is taken as it is where no drop was possible since: without CAP_SETPCAP (2), or behind a
 * filter that refuses the drop to all but the library, which counts its own (change.h). Otherwise
 * it is an upper bound (1), and only what is in it is asked for.
 *
 * It is kept for this thread in this process: in a forked child the epoch differs (base/process.h).
 * A child of vfork(2) or clone(CLONE_VM) that runs on the thread's memory has another thread id,
 * and is not gated for the gate, which compares the same.
 */
#include "identity/bounding.h"

#include <sys/prctl.h>

#include "base/process.h"
#include "identity/change.h"
#include "identity/kernel.h"

/* What is known of one thread. */
struct entry {
    uint64_t epoch; /* 0: nothing */
    uint64_t set;
    uint64_t user_namespace; /* in which it was read; 0: the thread cannot leave it */
    uint64_t drops;          /* by the library, before it was read */
    uint32_t count;          /* of capabilities that were asked for */
    pid_t tid;
    bool unprivileged; /* CAP_SETPCAP was not permitted */
    bool refused;      /* a filter refuses the drop to all but the library */
};

/* volatile: a signal handler of the thread may run between any two instructions. */
static __thread volatile struct entry known __attribute__((tls_model("initial-exec")));

/*
 * A handler may check between any two stores: while there is no epoch it finds nothing, and what it
 * keeps is then overwritten in part. So the set comes first and what makes it final last: a set of
 * the handler's, which is later, is never larger than this one, and final only if this one is;
 * then the two are equal, or of two namespaces.
 */
static void keep(const struct entry *entry)
{
    known.epoch = 0;
    known.set = entry->set;
    known.user_namespace = entry->user_namespace;
    known.count = entry->count;
    known.tid = entry->tid;
    known.drops = entry->drops;
    known.refused = entry->refused;
    known.unprivileged = entry->unprivileged;
    known.epoch = entry->epoch;
}

/* The facts that the entry needs to be about this thread, in the namespace that it is in now. */
static bool is_about(const struct entry *entry, const struct entry *now)
{
    return entry->epoch == now->epoch && entry->tid == now->tid && entry->count == now->count &&
           entry->user_namespace == now->user_namespace;
}

/* Whether nothing can have been taken out since. */
static bool is_final(const struct entry *entry)
{
    return entry->unprivileged || (entry->refused && entry->drops == identity_bounding_count);
}

/* Only those of `within`; the others are not in the set. */
static bool read_within(uint64_t within, uint32_t count, uint64_t *ret_set)
{
    uint64_t set = 0;

    for (uint32_t i = 0; i < count && i < 64; i++) {
        if ((within >> i & 1) == 0) {
            continue;
        }
        long result = identity_kernel.prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (result < 0 || result > 1) {
            return false;
        }
        set |= (uint64_t)result << i;
    }
    *ret_set = set;
    return true;
}

/* What there is to say of the thread before its set is read. False: no entry may be used or made.
 */
static bool describe_now(uint32_t count, const struct bounding_facts *facts, struct entry *ret_now)
{
    const bool stays = facts->gate == IDENTITY_GATED || !facts->leads;
    /* Who asked for the gate knows already that this is the thread that owns the entry. */
    const long tid = facts->gate == IDENTITY_UNGATED ? identity_kernel.gettid() : 0;

    *ret_now = (struct entry){.epoch = process_epoch(),
                              .user_namespace = stays ? 0 : facts->user_namespace,
                              .drops = identity_bounding_count,
                              .count = count,
                              .tid = (pid_t)tid,
                              .unprivileged = facts->lacks_setpcap,
                              .refused = facts->gate != IDENTITY_UNGATED};
    return ret_now->epoch != 0 && tid >= 0 && (stays || facts->user_namespace != 0);
}

bool bounding_read(uint32_t count, const struct bounding_facts *facts, uint64_t *ret_set)
{
    uint64_t within = UINT64_MAX;
    struct entry now;

    if (!describe_now(count, facts, &now)) {
        return read_within(within, count, ret_set);
    }
    const struct entry before = known;
    if (is_about(&before, &now)) {
        if (is_final(&before)) {
            *ret_set = before.set;
            return true;
        }
        within = before.set;
    }
    if (!read_within(within, count, &now.set)) {
        return false;
    }
    keep(&now);
    *ret_set = now.set;
    return true;
}
