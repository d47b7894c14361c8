/* SPDX-License-Identifier: MIT */
/* The steps that change a thread from one identity to another (apply.h). Called by the switch, and
 * in part by the drop. */
#include "switch/apply.h"

#include <errno.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "identity/kernel.h"
#include "identity/read.h"

/*
 * The steps start from `from` and track their own changes, so none reads the kernel. state_check()
 * verifies the result once at the end.
 */
struct step {
    const struct miguard_identity *from, *to;
    miguard_components changes;
    enum switch_order order;
    struct miguard_error *reterr;
    uint64_t effective; /* the effective set, as the steps so far leave it */
    bool kept;          /* PR_SET_KEEPCAPS was set */
    bool raised;        /* the effective set was changed */
};

typedef enum miguard_status (*step_function)(struct step *step);

/* The components that one call sets together: where one of them changes, the call is made. */
enum {
    CHANGES_UIDS = MIGUARD_COMPONENT_RUID | MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_SUID,
    CHANGES_GIDS = MIGUARD_COMPONENT_RGID | MIGUARD_COMPONENT_EGID | MIGUARD_COMPONENT_SGID,
    CHANGES_CAPS = MIGUARD_COMPONENT_CAP_EFFECTIVE | MIGUARD_COMPONENT_CAP_PERMITTED |
                   MIGUARD_COMPONENT_CAP_INHERITABLE | MIGUARD_COMPONENT_CAP_AMBIENT,
};

/* Whether any of these must change. */
static bool changes(const struct step *step, miguard_components components)
{
    return (step->changes & components) != 0;
}

/* EAGAIN is setresuid(2) at RLIMIT_NPROC: as much a refusal as EPERM. */
static enum miguard_status step_result(const struct step *step, long result, const char *name)
{
    if (result >= 0) {
        return MIGUARD_OK;
    }
    int error = (int)-result;
    enum miguard_status status = MIGUARD_SYSTEM;
    const char *text = strerrordesc_np(error);
    if (error == EPERM || error == EAGAIN) {
        status = MIGUARD_NOT_PERMITTED;
        text = error == EPERM ? text : "the user has as many processes as RLIMIT_NPROC allows";
    } else if (error == ENOMEM) {
        status = MIGUARD_NO_MEMORY;
    } else if (error == EINVAL) {
        text = "an id that this user namespace does not map, or a value the kernel does not know";
    }
    return error_set(step->reterr, status, error, name, "%s", text != NULL ? text : "");
}

/* The kernel has each set in two halves of 32 bits (capset(2)). The answer is the kernel's: 0 or a
 * negative errno. */
long switch_set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return identity_kernel.capset(&header, data);
}

/* Needs no privilege: a thread may always raise what it has as permitted (capset(2)). The permitted
 * and inheritable sets are those of `from`. */
static enum miguard_status make_permitted_effective(struct step *step)
{
    const uint64_t *cap = step->from->cap;
    step->raised = true;
    step->effective = cap[IDENTITY_CAP_PERMITTED];
    return step_result(step,
                       switch_set_caps(cap[IDENTITY_CAP_PERMITTED], cap[IDENTITY_CAP_PERMITTED],
                                       cap[IDENTITY_CAP_INHERITABLE]),
                       "capset (raise)");
}

bool switch_has_id(const uid_t have[IDENTITY_IDS], uid_t id)
{
    return have[IDENTITY_R] == id || have[IDENTITY_E] == id || have[IDENTITY_S] == id;
}

bool switch_has_ids(const uid_t have[IDENTITY_IDS], const uid_t wanted[IDENTITY_FS])
{
    return switch_has_id(have, wanted[IDENTITY_R]) && switch_has_id(have, wanted[IDENTITY_E]) &&
           switch_has_id(have, wanted[IDENTITY_S]);
}

uint64_t switch_effective_after(uid_t from_euid, uid_t to_euid, uint32_t securebits,
                                uint64_t effective, uint64_t permitted)
{
    if ((securebits & SECBIT_NO_SETUID_FIXUP) != 0 || (from_euid == 0) == (to_euid == 0)) {
        return effective;
    }
    return to_euid == 0 ? permitted : 0;
}

/* On the way back the uids are the first step that needs a privilege. It needs none where the
 * thread has each of the ids already, most often as its saved one (setresuid(2)), and then the
 * kernel itself raises all that is permitted. A thread that has other ids by now is refused, and
 * the search restores it. */
static bool uids_raise(const struct step *step)
{
    const struct miguard_identity *from = step->from;
    const uid_t *to = step->to->uid;
    const uint64_t permitted = from->cap[IDENTITY_CAP_PERMITTED];

    return step->order == SWITCH_BACK && changes(step, CHANGES_UIDS) &&
           switch_effective_after(from->uid[IDENTITY_E], to[IDENTITY_E], from->securebits,
                                  step->effective, permitted) == permitted &&
           switch_has_ids(from->uid, to);
}

/* Makes all permitted capabilities effective: the steps need them. The last step sets the effective
 * set of the target. */
static enum miguard_status raise_caps(struct step *step)
{
    return step->effective == step->from->cap[IDENTITY_CAP_PERMITTED] || uids_raise(step)
               ? MIGUARD_OK
               : make_permitted_effective(step);
}

/* The id for files does not count: the kernel clears the permitted set when the other three leave 0
 * (capabilities(7)). */
bool switch_any_root(const uid_t uid[IDENTITY_IDS])
{
    return uid[IDENTITY_R] == 0 || uid[IDENTITY_E] == 0 || uid[IDENTITY_S] == 0;
}

/* Leaving uid 0 altogether would clear the permitted set, and the thread could not return
 * (capabilities(7), "Effect of user ID changes on capabilities"). */
static enum miguard_status keep_caps(struct step *step)
{
    if (!changes(step, CHANGES_UIDS) || !switch_any_root(step->from->uid) ||
        switch_any_root(step->to->uid) ||
        (step->from->securebits & (SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS)) != 0) {
        return MIGUARD_OK;
    }
    step->kept = true;
    long result = identity_kernel.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    /* The next step relies on it and could not be undone, so it is verified here once. */
    if (result >= 0 && identity_kernel.prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) != 1) {
        return error_set(step->reterr, MIGUARD_NOT_VERIFIED, 0, "PR_SET_KEEPCAPS",
                         "the call succeeded without effect");
    }
    return step_result(step, result, "PR_SET_KEEPCAPS");
}

/* The list is set as a whole; setgroups(2) needs CAP_SETGID, so it precedes the uids on the way
 * there and follows them on the way back. */
static enum miguard_status set_groups(struct step *step)
{
    if (!changes(step, MIGUARD_COMPONENT_GROUPS)) {
        return MIGUARD_OK;
    }
    return step_result(step, identity_kernel.setgroups(step->to->group_count, step->to->groups),
                       "setgroups");
}

/* All three in one call, so that no state in between exists. */
static enum miguard_status set_gids(struct step *step)
{
    const gid_t *gid = step->to->gid;
    if (!changes(step, CHANGES_GIDS)) {
        return MIGUARD_OK;
    }
    return step_result(step,
                       identity_kernel.setresgid(gid[IDENTITY_R], gid[IDENTITY_E], gid[IDENTITY_S]),
                       "setresgid");
}

/* The step that may take the capabilities away; keep_caps() and raise_caps_again() stand around
 * it. */
static enum miguard_status set_uids(struct step *step)
{
    const uid_t *uid = step->to->uid;
    if (!changes(step, CHANGES_UIDS)) {
        return MIGUARD_OK;
    }
    step->effective =
        switch_effective_after(step->from->uid[IDENTITY_E], uid[IDENTITY_E], step->from->securebits,
                               step->effective, step->from->cap[IDENTITY_CAP_PERMITTED]);
    return step_result(step,
                       identity_kernel.setresuid(uid[IDENTITY_R], uid[IDENTITY_E], uid[IDENTITY_S]),
                       "setresuid");
}

/* Setting the effective id also sets the fs id (credentials(7)), so the fs id needs its own call
 * only where it must differ. */
static bool needs_fsgid(const struct step *step)
{
    const gid_t *gid = step->to->gid;
    return changes(step, CHANGES_GIDS) ? gid[IDENTITY_FS] != gid[IDENTITY_E]
                                       : changes(step, MIGUARD_COMPONENT_FSGID);
}

/* As needs_fsgid(). */
static bool needs_fsuid(const struct step *step)
{
    const uid_t *uid = step->to->uid;
    return changes(step, CHANGES_UIDS) ? uid[IDENTITY_FS] != uid[IDENTITY_E]
                                       : changes(step, MIGUARD_COMPONENT_FSUID);
}

/* The securebits at this step, without reading them: only keep_caps() changed any. */
static uint32_t securebits_now(const struct step *step)
{
    return step->from->securebits | (step->kept ? (uint32_t)SECBIT_KEEP_CAPS : 0);
}

/* An effective uid that changes from 0 to another clears the effective set: it is raised again if a
 * later step needs it. On the way back it is always needed: groups and gids follow the uids
 * there. */
static enum miguard_status raise_caps_again(struct step *step)
{
    const struct miguard_identity *from = step->from, *to = step->to;

    if (!changes(step, CHANGES_UIDS) || from->uid[IDENTITY_E] != 0 || to->uid[IDENTITY_E] == 0) {
        return MIGUARD_OK;
    }
    bool needed = step->order == SWITCH_BACK || needs_fsuid(step) || needs_fsgid(step) ||
                  ((securebits_now(step) ^ to->securebits) & ~(uint32_t)SECBIT_KEEP_CAPS) != 0 ||
                  (to->cap[IDENTITY_CAP_INHERITABLE] & ~from->cap[IDENTITY_CAP_INHERITABLE]) != 0;
    return needed ? make_permitted_effective(step) : MIGUARD_OK;
}

/* setfsuid(2) does not report failure; the read-back detects it. */
static enum miguard_status set_fs_ids(struct step *step)
{
    long result = 0;

    if (needs_fsgid(step)) {
        result = identity_kernel.setfsgid(step->to->gid[IDENTITY_FS]);
    }
    if (result < 0) {
        return step_result(step, result, "setfsgid");
    }
    if (needs_fsuid(step)) {
        result = identity_kernel.setfsuid(step->to->uid[IDENTITY_FS]);
    }
    return step_result(step, result, "setfsuid");
}

/* keep-caps alone can be changed without privilege; any other bit needs CAP_SETPCAP. */
static enum miguard_status set_securebits(struct step *step)
{
    uint32_t now = securebits_now(step), to = step->to->securebits;

    if (now == to) {
        return MIGUARD_OK;
    }
    if (((now ^ to) & ~(uint32_t)SECBIT_KEEP_CAPS) == 0) {
        return step_result(
            step, identity_kernel.prctl(PR_SET_KEEPCAPS, (to & SECBIT_KEEP_CAPS) != 0, 0, 0, 0),
            "PR_SET_KEEPCAPS (back)");
    }
    return step_result(step, identity_kernel.prctl(PR_SET_SECUREBITS, to, 0, 0, 0),
                       "PR_SET_SECUREBITS");
}

/* Whether the sets are those of the target without a call: the kernel gave the effective set with
 * the uids, and the permitted one is kept. setfsuid(2) changes the effective set in a way that is
 * not followed here. */
static bool has_final_caps(const struct step *step)
{
    const uint64_t *from = step->from->cap, *to = step->to->cap;

    return !needs_fsuid(step) && step->effective == to[IDENTITY_CAP_EFFECTIVE] &&
           from[IDENTITY_CAP_INHERITABLE] == to[IDENTITY_CAP_INHERITABLE];
}

/* Skipped where no earlier step could have changed the sets and they must not change. */
static enum miguard_status set_final_caps(struct step *step)
{
    const uint64_t *cap = step->to->cap;
    if ((!step->raised && !changes(step, CHANGES_UIDS | CHANGES_CAPS | MIGUARD_COMPONENT_FSUID)) ||
        has_final_caps(step)) {
        return MIGUARD_OK;
    }
    return step_result(step,
                       switch_set_caps(cap[IDENTITY_CAP_EFFECTIVE], cap[IDENTITY_CAP_PERMITTED],
                                       cap[IDENTITY_CAP_INHERITABLE]),
                       "capset");
}

/* The only step that reads: the kernel decides which change of the uids empties the ambient set,
 * and only differing capabilities may be set, since SECBIT_NO_CAP_AMBIENT_RAISE refuses to raise
 * even one that is already raised. Without inheritable capabilities the kernel has emptied the set.
 */
static enum miguard_status set_ambient(struct step *step)
{
    const uint64_t *cap = step->to->cap;
    uint32_t count = step->to->cap_count != 0 ? step->to->cap_count : step->from->cap_count;
    uint64_t now = 0;

    if (!read_ambient(cap[IDENTITY_CAP_INHERITABLE], count, &now)) {
        return error_set(step->reterr, MIGUARD_UNREADABLE, 0, "PR_CAP_AMBIENT_IS_SET", NULL);
    }
    uint64_t differing = now ^ cap[IDENTITY_CAP_AMBIENT];
    for (uint32_t i = 0; i < count; i++) {
        if ((differing >> i & 1) == 0) {
            continue;
        }
        bool wanted = (cap[IDENTITY_CAP_AMBIENT] >> i & 1) != 0;
        long result = identity_kernel.prctl(
            PR_CAP_AMBIENT, wanted ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, i, 0, 0);
        if (result < 0) {
            return step_result(step, result, "PR_CAP_AMBIENT");
        }
    }
    return MIGUARD_OK;
}

/* Ids are set between raising the capabilities and setting the final ones: on the way there the
 * uids come last, because they may end the privilege to set the others; on the way back first,
 * because they may restore it. */
enum miguard_status switch_apply(const struct miguard_identity *from,
                                 const struct miguard_identity *to, miguard_components changed,
                                 enum switch_order order, struct miguard_error *reterr)
{
    static const step_function there[] = {
        raise_caps,       keep_caps,  set_groups,     set_gids,       set_uids,
        raise_caps_again, set_fs_ids, set_securebits, set_final_caps, set_ambient,
    };
    static const step_function back[] = {
        raise_caps, keep_caps,  set_uids,       raise_caps_again, set_gids,
        set_groups, set_fs_ids, set_securebits, set_final_caps,   set_ambient,
    };
    struct step step = {.from = from,
                        .to = to,
                        .changes = changed,
                        .order = order,
                        .reterr = reterr,
                        .effective = from->cap[IDENTITY_CAP_EFFECTIVE]};

    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        enum miguard_status status = (order == SWITCH_THERE ? there : back)[i](&step);
        if (status != MIGUARD_OK) {
            return status;
        }
    }
    return MIGUARD_OK;
}
