/* SPDX-License-Identifier: MIT */
/* An identity as a value: whether it is valid, its copy and its release. Called wherever one is
 * kept. */
#include "identity/identity.h"

#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"

bool identity_valid(const struct miguard_identity *identity)
{
    return identity != NULL && identity->tag == IDENTITY_TAG;
}

void identity_release(struct miguard_identity *identity)
{
    base_free(identity->groups);
    base_free(identity->lsm_label);
    base_free(identity->user_names.texts);
    base_free(identity->group_names.texts);
    memset(identity, 0, sizeof(*identity));
}

/* The struct is copied first, and then each pointer in it is replaced; identity_release() on a
 * failure frees only what was allocated here, because a failed allocation leaves NULL. */
enum miguard_status identity_copy(const struct miguard_identity *from,
                                  struct miguard_identity *ret_identity)
{
    struct miguard_identity copy = *from;

    copy.user_names = copy.group_names = (struct identity_names){.known = false};
    copy.groups = base_alloc(from->group_count == 0 ? 1 : from->group_count, sizeof(gid_t));
    copy.lsm_label = base_copy_text(from->lsm_label);
    if (copy.groups == NULL || (from->lsm_label != NULL && copy.lsm_label == NULL)) {
        identity_release(&copy);
        memset(ret_identity, 0, sizeof(*ret_identity));
        return MIGUARD_NO_MEMORY;
    }
    if (from->group_count > 0) {
        memcpy(copy.groups, from->groups, from->group_count * sizeof(gid_t));
    }
    *ret_identity = copy;
    return MIGUARD_OK;
}

void miguard_identity_free(struct miguard_identity *identity)
{
    ENTRY_UNCANCELLED;
    if (identity != NULL) {
        identity_release(identity);
        base_free(identity);
    }
}
