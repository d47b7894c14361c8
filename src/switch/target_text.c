/* SPDX-License-Identifier: MIT */
/*
 * Who a target is, as text, as JSON and as ids. Called by programs.
 *
 * A target of a user, ids or a peer shows only what it says itself: what else the thread will be
 * depends on the thread (target_expected()). A target of an identity is shown as that identity.
 */
#include <string.h>

#include "base/entry.h"
#include "base/error.h"
#include "base/text.h"
#include "identity/identity.h"
#include "switch/target.h"

/* ---- the parts ------------------------------------------------------------------------------- */

/* The target in the form of an identity that knows only these, for the functions that describe
 * one. The effective set stands for the capabilities that were chosen. */
enum {
    SAYS_UID = MIGUARD_COMPONENT_EUID,
    SAYS_GID = MIGUARD_COMPONENT_EGID,
    SAYS_GROUPS = MIGUARD_COMPONENT_GROUPS,
    SAYS_CAPS = MIGUARD_COMPONENT_CAP_EFFECTIVE,
};

static struct miguard_identity said_by(const struct miguard_target *target)
{
    struct miguard_identity said = {.tag = IDENTITY_TAG,
                                    .known = SAYS_UID | SAYS_GID | SAYS_GROUPS | SAYS_CAPS,
                                    .groups = target->identity.groups,
                                    .group_count = target->identity.group_count};

    said.uid[IDENTITY_E] = target->identity.uid[0];
    said.gid[IDENTITY_E] = target->identity.gid[0];
    said.cap[IDENTITY_CAP_EFFECTIVE] = target->caps;
    return said;
}

/* Root without a choice of capabilities has all that the thread permits. */
static bool has_all_permitted(const struct miguard_target *target)
{
    return target->identity.uid[0] == 0 && !target->has_caps;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* In the columns of miguard_identity_describe(). */
static void add_line(struct text *text, const char *name, const char *value)
{
    text_format(text, "%-16s %s\n", name, value);
}

static void add_component(struct text *text, const char *name, const struct miguard_identity *said,
                          miguard_components component)
{
    text_format(text, "%-16s ", name);
    identity_component_text(text, said, component);
    text_append(text, "\n");
}

static void describe_peer(struct text *text, const struct switch_peer *peer)
{
    if (peer->pid != 0) {
        text_format(text, "%-16s %d\n", "peer-pid", peer->pid);
    }
    if (peer->label != NULL) {
        add_line(text, "peer-label", peer->label);
    }
}

static void describe(struct text *text, const struct miguard_target *target)
{
    const struct miguard_identity said = said_by(target);

    add_component(text, "uid", &said, SAYS_UID);
    add_component(text, "gid", &said, SAYS_GID);
    if (target->keep_groups) {
        add_line(text, "groups", "keep");
    } else {
        add_component(text, "groups", &said, SAYS_GROUPS);
    }
    if (has_all_permitted(target)) {
        add_line(text, "capabilities", "permitted");
    } else {
        add_component(text, "capabilities", &said, SAYS_CAPS);
    }
    if (target->peer != NULL) {
        describe_peer(text, target->peer);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void write_peer(struct text *text, const struct switch_peer *peer)
{
    text_json_open(text, "peer", '{');
    if (peer->pid != 0) {
        text_json_unsigned(text, "pid", (uint64_t)peer->pid);
    }
    if (peer->label != NULL) {
        text_json_string(text, "label", peer->label);
    }
    text_json_close(text, '}');
}

static void write_json(struct text *text, const struct miguard_target *target)
{
    const struct miguard_identity said = said_by(target);

    identity_component_json(text, "uid", &said, SAYS_UID);
    identity_component_json(text, "gid", &said, SAYS_GID);
    if (target->keep_groups) {
        text_json_string(text, "groups", "keep");
    } else {
        identity_component_json(text, "groups", &said, SAYS_GROUPS);
    }
    if (has_all_permitted(target)) {
        text_json_string(text, "capabilities", "permitted");
    } else {
        identity_component_json(text, "capabilities", &said, SAYS_CAPS);
    }
    if (target->peer != NULL) {
        write_peer(text, target->peer);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

/* A NULL buffer of size 0 asks for the length alone. */
static bool arguments_sound(const struct miguard_target *target, const char *buffer, size_t size,
                            const size_t *ret_length)
{
    return target != NULL && ret_length != NULL && (buffer != NULL || size == 0);
}

enum miguard_status miguard_target_describe(const struct miguard_target *target, char *buffer,
                                            size_t size, size_t *ret_length)
{
    ENTRY_UNCANCELLED;
    struct text text = TEXT_EMPTY;

    if (!arguments_sound(target, buffer, size, ret_length)) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    if (target->exact) {
        return miguard_identity_describe(&target->identity, buffer, size, ret_length);
    }
    describe(&text, target);
    return text_hand_out(&text, buffer, size, ret_length);
}

enum miguard_status miguard_target_to_json(const struct miguard_target *target, char *buffer,
                                           size_t size, size_t *ret_length)
{
    ENTRY_UNCANCELLED;
    struct text text = TEXT_EMPTY;

    if (!arguments_sound(target, buffer, size, ret_length)) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    text_json_open(&text, NULL, '{');
    if (target->exact) {
        text_json_open(&text, "identity", '{');
        identity_write_json(&text, &target->identity, true);
        text_json_close(&text, '}');
    } else {
        write_json(&text, target);
    }
    text_json_close(&text, '}');
    return text_hand_out(&text, buffer, size, ret_length);
}

enum miguard_status miguard_target_uid(const struct miguard_target *target, uid_t *ret_uid)
{
    ENTRY_UNCANCELLED;

    if (target == NULL || ret_uid == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    *ret_uid = target->identity.uid[target->exact ? IDENTITY_E : 0];
    return MIGUARD_OK;
}

enum miguard_status miguard_target_gid(const struct miguard_target *target, gid_t *ret_gid)
{
    ENTRY_UNCANCELLED;

    if (target == NULL || ret_gid == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    *ret_gid = target->identity.gid[target->exact ? IDENTITY_E : 0];
    return MIGUARD_OK;
}

enum miguard_status miguard_target_groups(const struct miguard_target *target,
                                          struct miguard_groups *ret_groups)
{
    ENTRY_UNCANCELLED;

    if (target == NULL || ret_groups == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    memset(ret_groups, 0, sizeof(*ret_groups));
    if (target->keep_groups) {
        ret_groups->choice = MIGUARD_GROUPS_KEEP;
        return MIGUARD_OK;
    }
    ret_groups->count = target->identity.group_count;
    ret_groups->list = ret_groups->count > 0 ? target->identity.groups : NULL;
    ret_groups->choice = ret_groups->count > 0 ? MIGUARD_GROUPS_LIST : MIGUARD_GROUPS_CLEAR;
    return MIGUARD_OK;
}
