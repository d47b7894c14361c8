/* SPDX-License-Identifier: MIT */
/* Names of the operations, for policies, records and the command. */
#include "model/operation.h"

#include <string.h>

/* By number; a row of the map that is added is here, too. */
static const char *const names[OPERATION_COUNT] = {
#define OPERATION_NAME(NAME, name) [OPERATION_##NAME] = name,
    OPERATION_MAP(OPERATION_NAME)
#undef OPERATION_NAME
};

const char *operation_name(enum operation operation)
{
    return (unsigned)operation < OPERATION_COUNT ? names[operation] : "unknown";
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
