/* SPDX-License-Identifier: MIT */
/*
 * The names of an identity, for policies with patterns of names. Asked when an object is bound, by
 * the guard, and never again: a use must not wait for a directory. What could not be asked stays
 * not known, and policy/match.c takes the strictest of what it could mean.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "identity/directory.h"
#include "identity/identity.h"

/* Patterns are written in UTF-8: two readers of other bytes may see two names. */
static bool is_text(const char *name)
{
    uint32_t code;
    size_t width = 1;

    for (; *name != '\0' && width > 0; name += width) {
        width = utf8_next(name, UTF8_MAX, &code);
    }
    return width > 0;
}

/* False: memory is out. */
static bool add_name(struct identity_names *names, size_t *length, const char *name)
{
    size_t size = strlen(name) + 1;
    char *larger = base_resize(names->texts, *length + size, 1);

    if (larger == NULL) {
        return false;
    }
    memcpy(larger + *length, name, size);
    *length += size;
    names->texts = larger;
    names->count++;
    return true;
}

/* One id. An id that has no entry has no name, which is an answer. */
static bool ask_name(struct directory_asker *asker, enum directory_kind kind, uint32_t id,
                     struct identity_names *names, size_t *length)
{
    struct directory_entry entry = {.name = NULL};
    enum directory_result result = directory_ask_id(asker, kind, id, &entry);
    bool good = result == DIRECTORY_NONE || (result == DIRECTORY_FOUND && is_text(entry.name) &&
                                             add_name(names, length, entry.name));

    directory_release(&entry);
    return good;
}

static void forget_names(struct identity_names *names)
{
    base_free(names->texts);
    *names = (struct identity_names){.known = false};
}

static void ask_user(struct directory_asker *asker, struct miguard_identity *identity)
{
    struct identity_names *names = &identity->user_names;
    size_t length = 0;

    names->known = (identity->known & MIGUARD_COMPONENT_EUID) != 0 &&
                   ask_name(asker, DIRECTORY_USER, identity->uid[IDENTITY_E], names, &length);
    if (!names->known) {
        forget_names(names);
    }
}

/* One that is not known could be the one that a rule is about. */
static void ask_groups(struct directory_asker *asker, struct miguard_identity *identity)
{
    const miguard_components needed = MIGUARD_COMPONENT_EGID | MIGUARD_COMPONENT_GROUPS;
    struct identity_names *names = &identity->group_names;
    size_t length = 0;
    bool known = (identity->known & needed) == needed &&
                 identity->group_count < IDENTITY_MAX_NAMED &&
                 ask_name(asker, DIRECTORY_GROUP, identity->gid[IDENTITY_E], names, &length);

    for (uint32_t i = 0; known && i < identity->group_count; i++) {
        known = identity->groups[i] == identity->gid[IDENTITY_E] ||
                ask_name(asker, DIRECTORY_GROUP, identity->groups[i], names, &length);
    }
    names->known = known;
    if (!known) {
        forget_names(names);
    }
}

void identity_ask_names(struct miguard_identity *identity, bool users, bool groups)
{
    struct directory_asker asker;

    if (!users && !groups) {
        return;
    }
    directory_begin(&asker, IDENTITY_NAMES_WAIT);
    if (users) {
        ask_user(&asker, identity);
    }
    if (groups) {
        ask_groups(&asker, identity);
    }
    directory_end(&asker);
}
