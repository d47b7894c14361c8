/* SPDX-License-Identifier: MIT */
/*
 * User and group names for records, remembered for a while: NSS reads files or asks the network on
 * every question, and a burst of refusals asks for the same few ids again and again.
 */
#ifndef AUDIT_NAMES_H
#define AUDIT_NAMES_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "identity/identity.h"

enum { NAMES_SLOTS = 64, NAMES_SECONDS = 60, NAMES_LENGTH = IDENTITY_NAME };

struct names_entry {
    bool known; /* asked for; name is empty when NSS knows none */
    uint32_t id;
    time_t until;
    char name[NAMES_LENGTH];
};

struct audit_names {
    pthread_mutex_t lock; /* never held while NSS is asked */
    struct names_entry users[NAMES_SLOTS], groups[NAMES_SLOTS];
};

void names_init(struct audit_names *names);
void names_destroy(struct audit_names *names);

/* False when the id has no name. names may be NULL: then NSS is asked each time. */
bool names_user(struct audit_names *names, uid_t uid, char name[NAMES_LENGTH]);
bool names_group(struct audit_names *names, gid_t gid, char name[NAMES_LENGTH]);

#endif
