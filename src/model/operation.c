/* SPDX-License-Identifier: MIT */
/* Names of the operations, for policies, records and the command. */
#include "model/operation.h"

#include <string.h>

/* By number; a row of the map that is added is here, too. */
static const char *const names[OPERATION_COUNT] = {
#define OPERATION_NAME(NAME, name, ...) [OPERATION_##NAME] = name,
    OPERATION_MAP(OPERATION_NAME)
#undef OPERATION_NAME
};

const char *operation_name(enum operation operation)
{
    return (unsigned)operation < OPERATION_COUNT ? names[operation] : "unknown";
}

static const unsigned char carried[OPERATION_COUNT] = {
#define OPERATION_CARRIES(NAME, name, CARRIES, ...) [OPERATION_##NAME] = CARRIES_##CARRIES,
    OPERATION_MAP(OPERATION_CARRIES)
#undef OPERATION_CARRIES
};

unsigned operation_carries(enum operation operation)
{
    return (unsigned)operation < OPERATION_COUNT ? carried[operation] : CARRIES_NOTHING;
}

/* ---- groups ----------------------------------------------------------------------------------
 */

enum group {
    GROUP_NONE,
#define GROUP_ENUM(GROUP, ...) GROUP_##GROUP,
    OPERATION_GROUP_MAP(GROUP_ENUM)
#undef GROUP_ENUM
};

static const unsigned char group_of[OPERATION_COUNT] = {
#define OPERATION_GROUP(NAME, name, CARRIES, GROUP) [OPERATION_##NAME] = GROUP_##GROUP,
    OPERATION_MAP(OPERATION_GROUP)
#undef OPERATION_GROUP
};

const char *const operation_groups[] = {
#define GROUP_WORD(GROUP, word, also) word,
    OPERATION_GROUP_MAP(GROUP_WORD)
#undef GROUP_WORD
        NULL};

static uint32_t members(enum group group, enum group also)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if (group_of[i] != GROUP_NONE && (group_of[i] == group || group_of[i] == also)) {
            found |= UINT32_C(1) << i;
        }
    }
    return found;
}

bool operation_group(const char *name, uint32_t *ret_operations)
{
#define GROUP_IS(GROUP, word, also)                                                                \
    if (strcmp(name, word) == 0) {                                                                 \
        *ret_operations = members(GROUP_##GROUP, GROUP_##also);                                    \
        return true;                                                                               \
    }
    OPERATION_GROUP_MAP(GROUP_IS)
#undef GROUP_IS
    return false;
}

bool action_name_valid(const char *name)
{
    enum operation operation;
    size_t length = 0;

    while (name != NULL && length <= ACTION_NAME_MAX && action_name_byte(name[length])) {
        length++;
    }
    return length > 0 && length <= ACTION_NAME_MAX && name[length] == '\0' &&
           !operation_from_name(name, &operation);
}

bool operation_from_name(const char *name, enum operation *ret_operation)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if (name != NULL && strcmp(name, names[i]) == 0) {
            *ret_operation = (enum operation)i;
            return true;
        }
    }
    return false;
}
