/* SPDX-License-Identifier: MIT */
/*
 * Users and groups: names, ids, ranges of ids. What looks like a number is one.
 */
#include <errno.h>
#include <string.h>

#include "policy/schema.h"

/* ---- names, each looked up once -------------------------------------------------------------- */

uint32_t schema_hash(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

static struct known_name *look_up(const struct reader *reader, const char *name, bool group)
{
    struct load *load = reader->load;
    struct known_name **list = &load->names[schema_hash(name) % KNOWN_NAME_LISTS];

    for (struct known_name *known = *list; known != NULL; known = known->next) {
        if (known->group == group && strcmp(known->name, name) == 0) {
            return known;
        }
    }
    struct known_name *known = arena_take(&load->scratch, 1, sizeof(*known));
    if (known == NULL) {
        load->failed = true;
        return NULL;
    }
    known->name = name; /* of a node, which lives as long */
    known->group = group;
    known->error =
        group ? nss_group(name, &known->id) : nss_user(name, 0, &load->scratch, &known->user);
    if (known->error == ENOMEM) {
        load->failed = true;
        return NULL;
    }
    if (!group) {
        known->id = known->user.uid;
    }
    known->next = *list;
    *list = known;
    return known;
}

static void tell_name_error(const struct reader *reader, const struct node *node, bool group,
                            int error)
{
    const char *what = group ? "group" : "user";

    if (error == ENOENT) {
        schema_value_error(reader, node,
                           "unknown %s \"%s\"; give a name that this system knows, or an id", what,
                           node->text);
    } else {
        schema_value_error(reader, node, "%s \"%s\" cannot be looked up: %s; give its id instead",
                           what, node->text, strerrordesc_np(error));
    }
}

/* NULL after an error. */
static const struct known_name *known_or_error(const struct reader *reader, const struct node *node,
                                               bool group)
{
    const struct known_name *known = look_up(reader, node->text, group);

    if (known == NULL || known->error == 0) {
        return known;
    }
    tell_name_error(reader, node, group, known->error);
    return NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool is_digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return length > 0;
}

static bool read_id(const struct reader *reader, const struct node *node, const char *digits,
                    size_t length, uint32_t *ret_id)
{
    uint64_t id = 0;

    if (length > 1 && digits[0] == '0') {
        schema_value_error(reader, node,
                           "id \"%.*s\" begins with 0; write it without leading zeros", (int)length,
                           digits);
        return false;
    }
    for (size_t i = 0; i < length && id <= UINT32_MAX; i++) {
        id = id * 10 + (uint64_t)(digits[i] - '0');
    }
    if (id > UINT32_MAX) {
        schema_value_error(reader, node, "id %.*s does not fit in 32 bits; the largest id is %u",
                           (int)length, digits, UINT32_MAX - 1);
        return false;
    }
    if (id == UINT32_MAX) {
        schema_value_error(reader, node, "id %u is -1, which is nobody's; the largest id is %u",
                           UINT32_MAX, UINT32_MAX - 1);
        return false;
    }
    *ret_id = (uint32_t)id;
    return true;
}

/* Digits and dashes, beginning with either: no name, even where a system has such a name. */
static bool looks_like_number(const char *text)
{
    return text[strspn(text, "0123456789-")] == '\0';
}

static bool parse_range(const struct reader *reader, const struct node *node,
                        struct draft_range *range)
{
    const char *text = node->text, *dash = strchr(text, '-');

    if (dash == NULL) {
        if (!read_id(reader, node, text, strlen(text), &range->first)) {
            return false;
        }
        range->last = range->first;
        return true;
    }
    if (dash == text && is_digits(dash + 1, strlen(dash + 1))) {
        schema_value_error(reader, node, "\"%s\" is no id; ids go from 0 to %u", text,
                           UINT32_MAX - 1);
        return false;
    }
    if (!is_digits(text, (size_t)(dash - text)) || !is_digits(dash + 1, strlen(dash + 1))) {
        schema_value_error(reader, node, "\"%s\" is no range; give both ends, as in 1000-1999",
                           text);
        return false;
    }
    if (!read_id(reader, node, text, (size_t)(dash - text), &range->first) ||
        !read_id(reader, node, dash + 1, strlen(dash + 1), &range->last)) {
        return false;
    }
    if (range->first > range->last) {
        schema_value_error(reader, node, "the range \"%s\" is reversed; did you mean \"%u-%u\"?",
                           text, range->last, range->first);
        return false;
    }
    return true;
}

bool schema_read_range(const struct reader *reader, const struct node *node, bool group,
                       struct draft_range *ret_range)
{
    struct draft_range range = {.text = schema_keep_text(reader, node, group ? "group" : "user")};

    if (range.text == NULL) {
        return false;
    }
    if (looks_like_number(node->text)) {
        if (!parse_range(reader, node, &range)) {
            return false;
        }
    } else {
        const struct known_name *known = known_or_error(reader, node, group);
        if (known == NULL) {
            return false;
        }
        range.first = range.last = known->id;
    }
    *ret_range = range;
    return true;
}

/* A single id out of what may look like a range. */
static bool read_single(const struct reader *reader, const struct node *node, uint32_t *ret_id)
{
    struct draft_range range;

    if (!parse_range(reader, node, &range)) {
        return false;
    }
    if (strchr(node->text, '-') != NULL) {
        schema_value_error(reader, node, "a range cannot stand here; give one name or id");
        return false;
    }
    *ret_id = range.first;
    return true;
}

bool schema_read_user(const struct reader *reader, const struct node *node,
                      struct nss_user *ret_user)
{
    const char *text = schema_read_text(reader, node, "user");

    if (text == NULL) {
        return false;
    }
    if (!looks_like_number(text)) {
        const struct known_name *known = known_or_error(reader, node, false);
        if (known != NULL) {
            *ret_user = known->user;
        }
        return known != NULL;
    }
    uint32_t uid;
    if (!read_single(reader, node, &uid)) {
        return false;
    }
    int error = nss_user(NULL, uid, &reader->load->scratch, ret_user);
    if (error == ENOMEM) {
        reader->load->failed = true;
        return false;
    }
    if (error != 0) {
        *ret_user = (struct nss_user){.uid = uid};
    }
    return true;
}

bool schema_read_group(const struct reader *reader, const struct node *node, uint32_t *ret_gid)
{
    const char *text = schema_read_text(reader, node, "group");

    if (text == NULL) {
        return false;
    }
    if (looks_like_number(text)) {
        return read_single(reader, node, ret_gid);
    }
    const struct known_name *known = known_or_error(reader, node, true);
    if (known != NULL) {
        *ret_gid = known->id;
    }
    return known != NULL;
}
