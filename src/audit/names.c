/* SPDX-License-Identifier: MIT */
#include "audit/names.h"

#include <stdio.h>
#include <string.h>

void names_init(struct audit_names *names)
{
    memset(names, 0, sizeof(*names));
    pthread_mutex_init(&names->lock, NULL);
}

void names_destroy(struct audit_names *names)
{
    pthread_mutex_destroy(&names->lock);
}

static time_t now(void)
{
    struct timespec time = {0, 0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return time.tv_sec;
}

static bool recall(struct audit_names *names, struct names_entry *entry, uint32_t id,
                   char name[NAMES_LENGTH])
{
    pthread_mutex_lock(&names->lock);
    bool known = entry->known && entry->id == id && entry->until >= now();
    if (known) {
        memcpy(name, entry->name, NAMES_LENGTH);
    }
    pthread_mutex_unlock(&names->lock);
    return known;
}

static void remember(struct audit_names *names, struct names_entry *entry, uint32_t id,
                     const char name[NAMES_LENGTH])
{
    pthread_mutex_lock(&names->lock);
    entry->known = true;
    entry->id = id;
    entry->until = now() + NAMES_SECONDS;
    memcpy(entry->name, name, NAMES_LENGTH);
    pthread_mutex_unlock(&names->lock);
}

static bool look_up(struct audit_names *names, struct names_entry *entry, uint32_t id,
                    bool (*ask)(uint32_t id, char name[IDENTITY_NAME]), char name[NAMES_LENGTH])
{
    char found[IDENTITY_NAME];

    if (names != NULL && recall(names, entry, id, name)) {
        return name[0] != '\0';
    }
    memset(name, 0, NAMES_LENGTH);
    if (ask(id, found)) {
        snprintf(name, NAMES_LENGTH, "%.*s", NAMES_LENGTH - 1, found);
    }
    if (names != NULL) {
        remember(names, entry, id, name);
    }
    return name[0] != '\0';
}

bool names_user(struct audit_names *names, uid_t uid, char name[NAMES_LENGTH])
{
    struct names_entry *entry = names != NULL ? &names->users[uid % NAMES_SLOTS] : NULL;
    return look_up(names, entry, uid, identity_user_name, name);
}

bool names_group(struct audit_names *names, gid_t gid, char name[NAMES_LENGTH])
{
    struct names_entry *entry = names != NULL ? &names->groups[gid % NAMES_SLOTS] : NULL;
    return look_up(names, entry, gid, identity_group_name, name);
}
