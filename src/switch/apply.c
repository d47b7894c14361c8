/* SPDX-License-Identifier: MIT */
#include "switch/apply.h"

#include <errno.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "identity/kernel.h"
#include "identity/read.h"

struct step {
    const struct miguard_identity *to;
    miguard_components changes;
    struct miguard_error *reterr;
};

typedef enum miguard_status (*step_function)(const struct step *step);

enum {
    CHANGES_UIDS = MIGUARD_COMPONENT_RUID | MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_SUID,
    CHANGES_GIDS = MIGUARD_COMPONENT_RGID | MIGUARD_COMPONENT_EGID | MIGUARD_COMPONENT_SGID,
};

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
    return error_set(step->reterr,
                     error == EPERM || error == EAGAIN ? MIGUARD_NOT_PERMITTED : MIGUARD_SYSTEM,
                     error, name, "%s", strerrordesc_np(error));
}

static long set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return identity_kernel.capset(&header, data);
}

/* Makes all that is permitted effective: the steps need it, and a change of the effective uid
 * clears it. The last step sets what is really wanted. */
static enum miguard_status raise_caps(const struct step *step)
{
    uint64_t cap[IDENTITY_CAP_SETS];

    if (!read_caps(cap)) {
        return error_set(step->reterr, MIGUARD_UNREADABLE, 0, "capget", NULL);
    }
    if (cap[IDENTITY_CAP_EFFECTIVE] == cap[IDENTITY_CAP_PERMITTED]) {
        return MIGUARD_OK;
    }
    return step_result(step,
                       set_caps(cap[IDENTITY_CAP_PERMITTED], cap[IDENTITY_CAP_PERMITTED],
                                cap[IDENTITY_CAP_INHERITABLE]),
                       "capset (raise)");
}

/* Leaving uid 0 altogether would clear the permitted set, and with it the way back
 * (capabilities(7), "Effect of user ID changes on capabilities"). */
static enum miguard_status keep_caps(const struct step *step)
{
    const uid_t *uid = step->to->uid;
    if (!changes(step, CHANGES_UIDS) || uid[IDENTITY_R] == 0 || uid[IDENTITY_E] == 0 ||
        uid[IDENTITY_S] == 0) {
        return MIGUARD_OK;
    }
    return step_result(step, identity_kernel.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS");
}

static enum miguard_status set_groups(const struct step *step)
{
    if (!changes(step, MIGUARD_COMPONENT_GROUPS)) {
        return MIGUARD_OK;
    }
    return step_result(step, identity_kernel.setgroups(step->to->group_count, step->to->groups),
                       "setgroups");
}

static enum miguard_status set_gids(const struct step *step)
{
    const gid_t *gid = step->to->gid;
    if (!changes(step, CHANGES_GIDS)) {
        return MIGUARD_OK;
    }
    return step_result(step,
                       identity_kernel.setresgid(gid[IDENTITY_R], gid[IDENTITY_E], gid[IDENTITY_S]),
                       "setresgid");
}

static enum miguard_status set_uids(const struct step *step)
{
    const uid_t *uid = step->to->uid;
    if (!changes(step, CHANGES_UIDS)) {
        return MIGUARD_OK;
    }
    return step_result(step,
                       identity_kernel.setresuid(uid[IDENTITY_R], uid[IDENTITY_E], uid[IDENTITY_S]),
                       "setresuid");
}

/* An fs id follows the effective one whenever that is set (credentials(7)), so it needs a call of
 * its own only where it is to be another. setfsuid(2) does not fail; the read-back tells. */
static enum miguard_status set_fs_ids(const struct step *step)
{
    const uid_t *uid = step->to->uid;
    const gid_t *gid = step->to->gid;
    long result = 0;

    if (gid[IDENTITY_FS] != gid[IDENTITY_E] ||
        (changes(step, MIGUARD_COMPONENT_FSGID) && !changes(step, CHANGES_GIDS))) {
        result = identity_kernel.setfsgid(gid[IDENTITY_FS]);
    }
    if (result < 0) {
        return step_result(step, result, "setfsgid");
    }
    if (uid[IDENTITY_FS] != uid[IDENTITY_E] ||
        (changes(step, MIGUARD_COMPONENT_FSUID) && !changes(step, CHANGES_UIDS))) {
        result = identity_kernel.setfsuid(uid[IDENTITY_FS]);
    }
    return step_result(step, result, "setfsuid");
}

/* keep-caps alone can be changed without privilege; any other bit needs CAP_SETPCAP. */
static enum miguard_status set_securebits(const struct step *step)
{
    uint32_t now = 0, to = step->to->securebits;

    if (!read_securebits(&now)) {
        return error_set(step->reterr, MIGUARD_UNREADABLE, 0, "PR_GET_SECUREBITS", NULL);
    }
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

static enum miguard_status set_final_caps(const struct step *step)
{
    const uint64_t *cap = step->to->cap;
    return step_result(step,
                       set_caps(cap[IDENTITY_CAP_EFFECTIVE], cap[IDENTITY_CAP_PERMITTED],
                                cap[IDENTITY_CAP_INHERITABLE]),
                       "capset");
}

/* Without inheritable capabilities the kernel has emptied the ambient set already. Only what
 * differs is set: raising is refused under SECBIT_NO_CAP_AMBIENT_RAISE, also what is raised. */
static enum miguard_status set_ambient(const struct step *step)
{
    const uint64_t *cap = step->to->cap;
    uint64_t now = 0;

    if (!read_ambient(cap[IDENTITY_CAP_INHERITABLE], step->to->cap_count, &now)) {
        return error_set(step->reterr, MIGUARD_UNREADABLE, 0, "PR_CAP_AMBIENT_IS_SET", NULL);
    }
    uint64_t differing = now ^ cap[IDENTITY_CAP_AMBIENT];
    for (uint32_t i = 0; i < step->to->cap_count; i++) {
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

enum miguard_status switch_apply(const struct miguard_identity *to, miguard_components changed,
                                 enum switch_order order, struct miguard_error *reterr)
{
    static const step_function there[] = {
        raise_caps, keep_caps,  set_groups,     set_gids,       set_uids,
        raise_caps, set_fs_ids, set_securebits, set_final_caps, set_ambient,
    };
    static const step_function back[] = {
        raise_caps, keep_caps,  set_uids,       raise_caps,     set_gids,
        set_groups, set_fs_ids, set_securebits, set_final_caps, set_ambient,
    };
    const struct step step = {to, changed, reterr};

    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        enum miguard_status status = (order == SWITCH_THERE ? there : back)[i](&step);
        if (status != MIGUARD_OK) {
            return status;
        }
    }
    return MIGUARD_OK;
}
