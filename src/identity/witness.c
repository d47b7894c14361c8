/* SPDX-License-Identifier: MIT */
/* Confirms by second sources what a capture read (witness.h). Called by each capture and by the
 * switch's read-back. */
#include "identity/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/process.h"
#include "base/signals.h"
#include "identity/kernel.h"

/* ---- calls that must be refused -------------------------------------------------------------- */

/* The kernel refuses a negative size (getgroups(2)); an answer that is invented does not. */
static bool groups_alive(void)
{
    return identity_kernel.getgroups(-1, NULL) == -EINVAL;
}

/* The unused arguments must be 0 (prctl(2)), and here one is not. */
static bool no_new_privs_alive(void)
{
    return identity_kernel.prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0) == -EINVAL;
}

/* An empty inheritable set proves an empty ambient set, and then no call was made (read.h). */
static bool ambient_alive(const struct miguard_identity *identity)
{
    return identity->cap[IDENTITY_CAP_INHERITABLE] == 0 ||
           identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 64, 0, 0) == -EINVAL;
}

/* ---- securebits ------------------------------------------------------------------------------ */

/* Two calls read the same bit of the kernel. */
static bool keep_agrees(long securebits)
{
    return identity_kernel.prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) ==
           ((securebits & SECBIT_KEEP_CAPS) != 0);
}

/* Whether the read gives exactly these bits. */
static bool shows(long securebits)
{
    return identity_kernel.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == securebits;
}

/* Changes that one bit only; needs no capability. */
static long set_keep(long securebits)
{
    return identity_kernel.prctl(PR_SET_KEEPCAPS, (securebits & SECBIT_KEEP_CAPS) != 0, 0, 0, 0);
}

static void (*_Atomic before_abort)(void);

void witness_before_abort(void (*function)(void))
{
    atomic_store(&before_abort, function);
}

/* The function may record why; the process ends in either case. */
static _Noreturn void give_up(void)
{
    void (*function)(void) = atomic_load(&before_abort);

    if (function != NULL) {
        function();
    }
    abort();
}

/*
 * No argument of PR_GET_SECUREBITS makes the kernel refuse, and /proc status does not show the
 * bits. But any thread may change one of them, "keep capabilities", unless it is locked (EPERM).
 * The bit has an effect only when the effective user id leaves 0 (capabilities(7)), which this
 * thread does not do meanwhile. A bit that cannot be restored would do harm later, unnoticed: then
 * the process ends (invariant 5).
 */
static bool keep_caps_toggles(long securebits)
{
    const long turned = securebits ^ SECBIT_KEEP_CAPS;
    struct signals signals;

    if (!signals_block(&signals)) {
        return false;
    }
    long result = set_keep(turned);
    bool alive = result == 0 ? shows(turned)
                             : result == -EPERM && (securebits & SECBIT_KEEP_CAPS_LOCKED) != 0;
    if (result == 0 && set_keep(securebits) != 0 && set_keep(securebits) != 0) {
        give_up();
    }
    alive = alive && shows(securebits);
    signals_restore(&signals);
    return alive;
}

/* 0 means "no filter"; 2 a filter; a negative answer is a filter that denies the question
 * (PR_GET_SECCOMP of prctl(2)). */
bool witness_sees_filter(void)
{
    return identity_kernel.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}

/* The cheap questions first; toggling a flag is the last, and only where a filter could falsify the
 * reads. */
miguard_components witness_calls(const struct miguard_identity *identity, bool filtered)
{
    if (!groups_alive()) {
        return MIGUARD_COMPONENT_GROUPS;
    }
    if (!no_new_privs_alive()) {
        return MIGUARD_COMPONENT_NO_NEW_PRIVS;
    }
    if (!ambient_alive(identity)) {
        return MIGUARD_COMPONENT_CAP_AMBIENT;
    }
    if (!keep_agrees(identity->securebits) ||
        (filtered && !keep_caps_toggles(identity->securebits))) {
        return MIGUARD_COMPONENT_SECUREBITS;
    }
    return 0;
}

/* ---- /proc/thread-self/status ---------------------------------------------------------------- */

/* Read in pieces: with 65,536 groups the file has half a megabyte, and a capture may run on a small
 * stack. */
struct status {
    const struct miguard_identity *identity;
    int fd;
    char piece[512];
    size_t length, at;
    bool failed;

    miguard_components seen, differing;
    bool filtered;
};

/* The next character, or -1 at the end and after an error. */
static int next(struct status *status)
{
    if (status->at == status->length) {
        long result = identity_kernel.read(status->fd, status->piece, sizeof(status->piece));
        status->failed = status->failed || result < 0;
        status->at = 0;
        status->length = result > 0 ? (size_t)result : 0;
    }
    return status->at < status->length ? (unsigned char)status->piece[status->at++] : -1;
}

/* The next number of the line; false at its end, which is then consumed. */
static bool next_number(struct status *status, unsigned base, uint64_t *ret_number)
{
    uint64_t number = 0;
    bool any = false;

    for (int c = next(status);; c = next(status)) {
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 16;
        if (digit < base) {
            number = number * base + digit;
            any = true;
        } else if (any || c == '\n' || c < 0) {
            status->at -= any && c >= 0; /* the character after a number is read again */
            break;
        }
    }
    *ret_number = number;
    return any;
}

/* A component counts as seen even where it differs: an incomplete file and a different one are two
 * results. */
static void compare(struct status *status, miguard_components component, bool same)
{
    status->seen |= component;
    status->differing |= same ? 0 : component;
}

/* Also ends at the end of the file. */
static void skip_line(struct status *status)
{
    for (int c = next(status); c >= 0 && c != '\n';) {
        c = next(status);
    }
}

/* Real, effective, saved and file system id; the component bits have the same order. */
static void read_ids(struct status *status, const uint32_t *ids, miguard_components first)
{
    uint64_t id = 0;

    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        bool there = next_number(status, 10, &id);
        compare(status, first << i, there && id == ids[i]);
        if (!there) {
            return;
        }
    }
    skip_line(status);
}

/* Binary search: the identity's groups are sorted. */
static bool has_group(const struct miguard_identity *identity, uint64_t group)
{
    uint32_t low = 0, high = identity->group_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (identity->groups[middle] < group) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < identity->group_count && identity->groups[low] == group;
}

/* The kernel sorts the groups by its own ids, not by the mapped ones that it shows. Duplicates of a
 * group are adjacent. */
static void read_groups_line(struct status *status)
{
    uint64_t group = 0, before = UINT64_MAX;
    uint32_t count = 0;
    bool all = true;

    while (next_number(status, 10, &group)) {
        count += group != before;
        all = all && has_group(status->identity, group);
        before = group;
    }
    compare(status, MIGUARD_COMPONENT_GROUPS, all && count == status->identity->group_count);
}

/* One number of a line. next_number() consumes the end of a line that has none, so only the other
 * case skips the rest. */
static void read_set(struct status *status, unsigned base, uint64_t expected,
                     miguard_components component)
{
    uint64_t value = 0;
    bool there = next_number(status, base, &value);

    compare(status, component, there && value == expected);
    if (there) {
        skip_line(status);
    }
}

/* Mode 0 alone means "no filter"; a line without a number counts as filtered. */
static void read_seccomp(struct status *status)
{
    uint64_t mode = 0;

    status->filtered = !next_number(status, 10, &mode) || mode != 0;
    if (mode != 0 || !status->filtered) {
        skip_line(status);
    }
}

/* By the name of a line; lines that are not compared are skipped. */
static void read_line(struct status *status, const char *name)
{
    const struct miguard_identity *identity = status->identity;
    static const struct {
        const char *name;
        unsigned set;
        miguard_components component;
    } sets[] = {
        {"CapInh", IDENTITY_CAP_INHERITABLE, MIGUARD_COMPONENT_CAP_INHERITABLE},
        {"CapPrm", IDENTITY_CAP_PERMITTED, MIGUARD_COMPONENT_CAP_PERMITTED},
        {"CapEff", IDENTITY_CAP_EFFECTIVE, MIGUARD_COMPONENT_CAP_EFFECTIVE},
        {"CapBnd", IDENTITY_CAP_BOUNDING, MIGUARD_COMPONENT_CAP_BOUNDING},
        {"CapAmb", IDENTITY_CAP_AMBIENT, MIGUARD_COMPONENT_CAP_AMBIENT},
    };

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (strcmp(name, sets[i].name) == 0) {
            read_set(status, 16, identity->cap[sets[i].set], sets[i].component);
            return;
        }
    }
    if (strcmp(name, "Uid") == 0) {
        read_ids(status, identity->uid, MIGUARD_COMPONENT_RUID);
    } else if (strcmp(name, "Gid") == 0) {
        read_ids(status, identity->gid, MIGUARD_COMPONENT_RGID);
    } else if (strcmp(name, "Groups") == 0) {
        read_groups_line(status);
    } else if (strcmp(name, "NoNewPrivs") == 0) {
        read_set(status, 10, identity->no_new_privs, MIGUARD_COMPONENT_NO_NEW_PRIVS);
    } else if (strcmp(name, "Seccomp") == 0) {
        read_seccomp(status);
    } else {
        skip_line(status);
    }
}

/* Reads the name before ":"; a line without one is skipped. False at the end of the file. */
static bool next_line(struct status *status)
{
    char name[16];
    size_t length = 0;
    int c = next(status);

    if (c < 0) {
        return false;
    }
    for (; c >= 0 && c != ':' && c != '\n'; c = next(status)) {
        name[length] = (char)c;
        length += length < sizeof(name) - 1;
    }
    name[length] = '\0';
    if (c == ':') {
        read_line(status, name);
    }
    return true;
}

/* Lines that every kernel since 4.14 has. */
#define SHOWN ((miguard_components)COMPONENTS_IN_STATUS)

/* One component for the message, because a capture names one. */
static miguard_components lowest(miguard_components components)
{
    return components & (~components + 1);
}

/* The epoch in which /proc status showed no filter for this thread. */
static __thread uint64_t unfiltered_epoch __attribute__((tls_model("initial-exec")));

/*
 * Reading /proc status takes half as long as the rest of a capture, and only a filter can falsify
 * the kernel's answers. So a thread without a filter is asked only whether it has one now. A filter
 * that was added since is seen unless it falsifies that answer, too: a sandbox is installed before
 * its program starts, and then the first look found it.
 */
static bool still_unfiltered(void)
{
    uint64_t epoch = process_epoch();
    return epoch != 0 && unfiltered_epoch == epoch && !witness_sees_filter();
}

miguard_components witness_all(const struct miguard_identity *identity, bool only_look)
{
    struct status status = {.identity = identity, .filtered = true};

    if (still_unfiltered()) {
        return witness_calls(identity, false);
    }
    status.fd = (int)identity_kernel.open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    if (status.fd >= 0) {
        while (next_line(&status)) {
        }
        identity_kernel.close(status.fd);
    }
    /* A file that was not read to its end, or is not the kernel's, proves nothing either way. */
    bool complete = status.fd >= 0 && !status.failed && status.seen == SHOWN;
    if (complete && status.differing != 0) {
        return lowest(status.differing);
    }
    unfiltered_epoch = complete && !status.filtered ? process_epoch() : 0;
    return witness_calls(identity, !only_look && (!complete || status.filtered));
}
