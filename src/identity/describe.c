/* SPDX-License-Identifier: MIT */
/* Identities as text and JSON, for records, the command and programs. The functions append_SHAPE()
 * make text and json_SHAPE() make JSON; identity_component_text() and json_component() choose among
 * them by the rows of component.h. A text that runs out of memory stays failed, which
 * text_hand_out() reports. */
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

/* A name that cannot be resolved is left out. */
static bool name_of(struct text *text, uint32_t id, bool user, char name[DIRECTORY_NAME])
{
    enum directory_result result =
        directory_name(user ? DIRECTORY_USER : DIRECTORY_GROUP, id, DIRECTORY_FOREVER, name);

    text->failed |= result == DIRECTORY_NO_MEMORY;
    return result == DIRECTORY_FOUND;
}

/* ---- text ------------------------------------------------------------------------------ */

/* "1000(name)", as id(1) shows it; the number alone where the name cannot be resolved. */
static void append_id(struct text *text, uint32_t id, bool user)
{
    char name[DIRECTORY_NAME];
    text_format(text, "%u", id);
    if (name_of(text, id, user, name)) {
        text_format(text, "(%s)", name);
    }
}

/* All capabilities of this kernel. Without their number, every bit, so that nothing is "all" by
 * mistake. */
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

/* The names of <linux/securebits.h>, in lower case with hyphens. */
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

/* Each append_SHAPE() has the identity as a parameter, for the shapes that need its counts. */
static void append_securebits(struct text *text, const struct miguard_identity *identity,
                              uint32_t bits)
{
    const char *separator = "";
    (void)identity;

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

static void append_groups(struct text *text, const struct miguard_identity *identity,
                          const gid_t *groups)
{
    for (uint32_t i = 0; i < identity->group_count; i++) {
        text_append(text, i == 0 ? "" : " ");
        append_id(text, groups[i], false);
    }
    if (identity->group_count == 0) {
        text_append(text, "none");
    }
}

static void append_user(struct text *text, const struct miguard_identity *identity, uid_t id)
{
    (void)identity;
    append_id(text, id, true);
}

static void append_group(struct text *text, const struct miguard_identity *identity, gid_t id)
{
    (void)identity;
    append_id(text, id, false);
}

static void append_flag(struct text *text, const struct miguard_identity *identity, uint32_t flag)
{
    (void)identity;
    text_append(text, flag != 0 ? "yes" : "no");
}

static void append_number(struct text *text, const struct miguard_identity *identity,
                          uint64_t number)
{
    (void)identity;
    text_format(text, "%llu", (unsigned long long)number);
}

static void append_label(struct text *text, const struct miguard_identity *identity,
                         const char *label)
{
    (void)identity;
    text_append(text, label != NULL ? label : "none");
}

/* A component that was not read is shown as such and never as a value. */
void identity_component_text(struct text *text, const struct miguard_identity *identity,
                             miguard_components component)
{
    if ((identity->known & component) == 0) {
        text_append(text, "not known");
        return;
    }
    switch (component) {
#define APPEND(NAME, shape, member, ...)                                                           \
    case MIGUARD_COMPONENT_##NAME:                                                                 \
        append_##shape(text, identity, identity->member);                                          \
        break;
        COMPONENT_MAP(APPEND)
#undef APPEND
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

void identity_components_names(miguard_components components, char names[IDENTITY_NAMES_SIZE])
{
    size_t length = 0;

    names[0] = '\0';
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((components >> bit & 1) != 0 && length < IDENTITY_NAMES_SIZE) {
            length += (size_t)snprintf(names + length, IDENTITY_NAMES_SIZE - length, "%s%s",
                                       length > 0 ? ", " : "",
                                       miguard_component_name((miguard_components)1 << bit));
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------ */

/* {"id": 1000, "name": "..."}; without "name" where it cannot be resolved or is not wanted.
 * Resolving asks NSS, which may take long. */
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

/* What the functions of all shapes are given besides the value. */
struct json {
    struct text *text;
    const char *key;
    const struct miguard_identity *identity;
    bool names; /* of users and groups, too */
};

static void json_user(const struct json *json, uid_t id)
{
    json_id(json->text, json->key, id, true, json->names);
}

static void json_group(const struct json *json, gid_t id)
{
    json_id(json->text, json->key, id, false, json->names);
}

static void json_groups(const struct json *json, const gid_t *groups)
{
    text_json_open(json->text, json->key, '[');
    for (uint32_t i = 0; i < json->identity->group_count; i++) {
        json_id(json->text, NULL, groups[i], false, json->names);
    }
    text_json_close(json->text, ']');
}

/* The list of names; a bit without a name in this version of libcap-ng is CAP_n. */
static void json_caps(const struct json *json, uint64_t set)
{
    text_json_open(json->text, json->key, '[');
    for (uint32_t i = 0; i < 64; i++) {
        if ((set >> i & 1) != 0) {
            struct text name = TEXT_EMPTY;
            append_cap_name(&name, i);
            json->text->failed |= name.failed;
            text_json_string(json->text, NULL, name.failed ? "" : name.data);
            text_release(&name);
        }
    }
    text_json_close(json->text, ']');
}

static void json_securebits(const struct json *json, uint32_t bits)
{
    text_json_open(json->text, json->key, '[');
    for (size_t i = 0; i < sizeof(securebits) / sizeof(securebits[0]); i++) {
        if ((bits & securebits[i].bit) != 0) {
            text_json_string(json->text, NULL, securebits[i].name);
        }
    }
    text_json_close(json->text, ']');
}

static void json_flag(const struct json *json, uint32_t flag)
{
    text_json_boolean(json->text, json->key, flag != 0);
}

static void json_number(const struct json *json, uint64_t number)
{
    text_json_unsigned(json->text, json->key, number);
}

static void json_label(const struct json *json, const char *label)
{
    text_json_string(json->text, json->key, label);
}

static void json_component(const struct json *json, miguard_components component)
{
    const struct miguard_identity *identity = json->identity;

    switch (component) {
#define JSON(NAME, shape, member, ...)                                                             \
    case MIGUARD_COMPONENT_##NAME:                                                                 \
        json_##shape(json, identity->member);                                                      \
        break;
        COMPONENT_MAP(JSON)
#undef JSON
    }
}

void identity_component_json(struct text *text, const char *name,
                             const struct miguard_identity *identity, miguard_components component)
{
    json_component(&(struct json){text, name, identity, true}, component);
}

void identity_write_json(struct text *text, const struct miguard_identity *identity, bool names)
{
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        if ((identity->known & component) != 0) {
            json_component(&(struct json){text, miguard_component_name(component), identity, names},
                           component);
        }
    }
}

/* ---- public ---------------------------------------------------------------------------- */

/* A NULL buffer of size 0 asks for the length alone. */
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
        identity_component_text(&text, identity, component);
        text_append(&text, "\n");
    }
    return text_hand_out(&text, buffer, size, ret_length);
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
    return text_hand_out(&text, buffer, size, ret_length);
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
    identity_component_text(&text, identity, component);
    return text_hand_out(&text, buffer, size, ret_length);
}
