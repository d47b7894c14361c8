/* SPDX-License-Identifier: MIT */
#include <cap-ng.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "identity/directory.h"
#include "identity/identity.h"

/* ---- names ----------------------------------------------------------------------------- */

/* CAP_SYS_ADMIN and the like, as capabilities(7) writes them. */
static void append_cap_name(struct text *text, uint32_t capability)
{
    const char *name = capng_capability_to_name(capability);
    char upper[64] = "CAP_";
    size_t length = strlen(upper);

    if (name == NULL) {
        text_format(text, "CAP_%u", capability);
        return;
    }
    for (; *name != '\0' && length < sizeof(upper) - 1; name++) {
        upper[length++] = (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
    }
    upper[length] = '\0';
    text_append(text, upper);
}

/* A name that cannot be had is left out. */
static bool name_of(struct text *text, uint32_t id, bool user, char name[DIRECTORY_NAME])
{
    enum directory_result result =
        directory_name(user ? DIRECTORY_USER : DIRECTORY_GROUP, id, DIRECTORY_FOREVER, name);

    text->failed |= result == DIRECTORY_NO_MEMORY;
    return result == DIRECTORY_FOUND;
}

static bool is_user(miguard_components component)
{
    return component <= MIGUARD_COMPONENT_FSUID;
}

static uint32_t bit_of(miguard_components component)
{
    return (uint32_t)__builtin_ctz(component);
}

static uint32_t id_of(const struct miguard_identity *identity, miguard_components component)
{
    return is_user(component) ? identity->uid[bit_of(component)]
                              : identity->gid[bit_of(component) - IDENTITY_IDS];
}

static uint64_t caps_of(const struct miguard_identity *identity, miguard_components component)
{
    return identity->cap[bit_of(component) - bit_of(MIGUARD_COMPONENT_CAP_EFFECTIVE)];
}

/* ---- text ------------------------------------------------------------------------------ */

static void append_id(struct text *text, uint32_t id, bool user)
{
    char name[DIRECTORY_NAME];
    text_format(text, "%u", id);
    if (name_of(text, id, user, name)) {
        text_format(text, "(%s)", name);
    }
}

static uint64_t every_cap(const struct miguard_identity *identity)
{
    return identity->cap_count == 0 || identity->cap_count >= 64
               ? UINT64_MAX
               : ((uint64_t)1 << identity->cap_count) - 1;
}

/* "all", "none", the names, or "all but ..." where that is shorter. */
static void append_caps(struct text *text, const struct miguard_identity *identity, uint64_t set)
{
    uint64_t missing = every_cap(identity) & ~set;
    bool inverse = __builtin_popcountll(set) > __builtin_popcountll(missing);
    uint64_t listed = inverse ? missing : set;

    if (listed == 0) {
        text_append(text, inverse ? "all" : "none");
        return;
    }
    const char *separator = inverse ? "all but " : "";
    for (uint32_t i = 0; i < 64; i++) {
        if ((listed >> i & 1) != 0) {
            text_append(text, separator);
            append_cap_name(text, i);
            separator = " ";
        }
    }
}

static const struct {
    uint32_t bit;
    const char *name;
} securebits[] = {
    {SECBIT_NOROOT, "noroot"},
    {SECBIT_NOROOT_LOCKED, "noroot-locked"},
    {SECBIT_NO_SETUID_FIXUP, "no-setuid-fixup"},
    {SECBIT_NO_SETUID_FIXUP_LOCKED, "no-setuid-fixup-locked"},
    {SECBIT_KEEP_CAPS, "keep-caps"},
    {SECBIT_KEEP_CAPS_LOCKED, "keep-caps-locked"},
    {SECBIT_NO_CAP_AMBIENT_RAISE, "no-cap-ambient-raise"},
    {SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, "no-cap-ambient-raise-locked"},
};

static void append_securebits(struct text *text, uint32_t bits)
{
    const char *separator = "";

    for (size_t i = 0; i < sizeof(securebits) / sizeof(securebits[0]); i++) {
        if ((bits & securebits[i].bit) != 0) {
            text_format(text, "%s%s", separator, securebits[i].name);
            separator = " ";
        }
    }
    if (bits == 0) {
        text_append(text, "none");
    }
}

static void append_groups(struct text *text, const struct miguard_identity *identity)
{
    for (uint32_t i = 0; i < identity->group_count; i++) {
        text_append(text, i == 0 ? "" : " ");
        append_id(text, identity->groups[i], false);
    }
    if (identity->group_count == 0) {
        text_append(text, "none");
    }
}

static void append_component(struct text *text, const struct miguard_identity *identity,
                             miguard_components component)
{
    if ((identity->known & component) == 0) {
        text_append(text, "not known");
        return;
    }
    switch (component) {
    case MIGUARD_COMPONENT_GROUPS:
        append_groups(text, identity);
        break;
    case MIGUARD_COMPONENT_CAP_EFFECTIVE:
    case MIGUARD_COMPONENT_CAP_PERMITTED:
    case MIGUARD_COMPONENT_CAP_INHERITABLE:
    case MIGUARD_COMPONENT_CAP_AMBIENT:
    case MIGUARD_COMPONENT_CAP_BOUNDING:
        append_caps(text, identity, caps_of(identity, component));
        break;
    case MIGUARD_COMPONENT_SECUREBITS:
        append_securebits(text, identity->securebits);
        break;
    case MIGUARD_COMPONENT_NO_NEW_PRIVS:
        text_append(text, identity->no_new_privs != 0 ? "yes" : "no");
        break;
    case MIGUARD_COMPONENT_USER_NAMESPACE:
        text_format(text, "%llu", (unsigned long long)identity->user_namespace);
        break;
    case MIGUARD_COMPONENT_LSM_LABEL:
        text_append(text, identity->lsm_label != NULL ? identity->lsm_label : "none");
        break;
    default:
        append_id(text, id_of(identity, component), is_user(component));
        break;
    }
}

void identity_components_text(struct text *text, miguard_components components)
{
    const char *separator = "";

    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((components >> bit & 1) != 0) {
            text_format(text, "%s%s", separator,
                        miguard_component_name((miguard_components)1 << bit));
            separator = ", ";
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void json_id(struct text *text, const char *key, uint32_t id, bool user, bool names)
{
    char name[DIRECTORY_NAME];

    text_json_open(text, key, '{');
    text_json_unsigned(text, "id", id);
    if (names && name_of(text, id, user, name)) {
        text_json_string(text, "name", name);
    }
    text_json_close(text, '}');
}

static void json_caps(struct text *text, const char *key, uint64_t set)
{
    text_json_open(text, key, '[');
    for (uint32_t i = 0; i < 64; i++) {
        if ((set >> i & 1) != 0) {
            struct text name = TEXT_EMPTY;
            append_cap_name(&name, i);
            text->failed |= name.failed;
            text_json_string(text, NULL, name.failed ? "" : name.data);
            text_release(&name);
        }
    }
    text_json_close(text, ']');
}

static void json_securebits(struct text *text, const char *key, uint32_t bits)
{
    text_json_open(text, key, '[');
    for (size_t i = 0; i < sizeof(securebits) / sizeof(securebits[0]); i++) {
        if ((bits & securebits[i].bit) != 0) {
            text_json_string(text, NULL, securebits[i].name);
        }
    }
    text_json_close(text, ']');
}

static void json_groups(struct text *text, const char *key, const struct miguard_identity *identity,
                        bool names)
{
    text_json_open(text, key, '[');
    for (uint32_t i = 0; i < identity->group_count; i++) {
        json_id(text, NULL, identity->groups[i], false, names);
    }
    text_json_close(text, ']');
}

static void json_component(struct text *text, const struct miguard_identity *identity,
                           miguard_components component, bool names)
{
    const char *key = miguard_component_name(component);

    switch (component) {
    case MIGUARD_COMPONENT_GROUPS:
        json_groups(text, key, identity, names);
        break;
    case MIGUARD_COMPONENT_CAP_EFFECTIVE:
    case MIGUARD_COMPONENT_CAP_PERMITTED:
    case MIGUARD_COMPONENT_CAP_INHERITABLE:
    case MIGUARD_COMPONENT_CAP_AMBIENT:
    case MIGUARD_COMPONENT_CAP_BOUNDING:
        json_caps(text, key, caps_of(identity, component));
        break;
    case MIGUARD_COMPONENT_SECUREBITS:
        json_securebits(text, key, identity->securebits);
        break;
    case MIGUARD_COMPONENT_NO_NEW_PRIVS:
        text_json_boolean(text, key, identity->no_new_privs != 0);
        break;
    case MIGUARD_COMPONENT_USER_NAMESPACE:
        text_json_unsigned(text, key, identity->user_namespace);
        break;
    case MIGUARD_COMPONENT_LSM_LABEL:
        text_json_string(text, key, identity->lsm_label);
        break;
    default:
        json_id(text, key, id_of(identity, component), is_user(component), names);
        break;
    }
}

void identity_write_json(struct text *text, const struct miguard_identity *identity, bool names)
{
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        if ((identity->known & component) != 0) {
            json_component(text, identity, component, names);
        }
    }
}

/* ---- public ---------------------------------------------------------------------------- */

static enum miguard_status hand_out(struct text *text, char *buffer, size_t size,
                                    size_t *ret_length)
{
    enum miguard_status status = text->failed ? MIGUARD_NO_MEMORY : MIGUARD_OK;
    if (status == MIGUARD_OK) {
        *ret_length = text_copy_out(text, buffer, size);
    }
    text_release(text);
    return status;
}

static bool arguments_sound(const struct miguard_identity *identity, const char *buffer,
                            size_t size, const size_t *ret_length)
{
    return identity_valid(identity) && ret_length != NULL && (buffer != NULL || size == 0);
}

enum miguard_status miguard_identity_describe(const struct miguard_identity *identity, char *buffer,
                                              size_t size, size_t *ret_length)
{
    ENTRY_UNCANCELLED;
    struct text text = TEXT_EMPTY;

    if (!arguments_sound(identity, buffer, size, ret_length)) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        text_format(&text, "%-16s ", miguard_component_name(component));
        append_component(&text, identity, component);
        text_append(&text, "\n");
    }
    return hand_out(&text, buffer, size, ret_length);
}

enum miguard_status miguard_identity_to_json(const struct miguard_identity *identity, char *buffer,
                                             size_t size, size_t *ret_length)
{
    ENTRY_UNCANCELLED;
    struct text text = TEXT_EMPTY;

    if (!arguments_sound(identity, buffer, size, ret_length)) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    text_json_open(&text, NULL, '{');
    identity_write_json(&text, identity, true);
    text_json_close(&text, '}');
    return hand_out(&text, buffer, size, ret_length);
}

enum miguard_status miguard_identity_component_text(const struct miguard_identity *identity,
                                                    miguard_components component, char *buffer,
                                                    size_t size, size_t *ret_length)
{
    ENTRY_UNCANCELLED;
    struct text text = TEXT_EMPTY;

    if (!arguments_sound(identity, buffer, size, ret_length) ||
        miguard_component_name(component) == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    append_component(&text, identity, component);
    return hand_out(&text, buffer, size, ret_length);
}
