/* SPDX-License-Identifier: MIT */
/* The classes of lifecycle indications (lifecycle_class.c): what a client reads, and selects by. */
#ifndef HOST_SERVER_LIFECYCLE_H
#define HOST_SERVER_LIFECYCLE_H

#include <MI.h>

struct decl_copy;

/* What one indication says; each pointer may be NULL. Borrowed. */
struct lifecycle_event {
    MI_Uint32 type; /* one of MI_LIFECYCLE_INDICATION_... */
    const MI_Instance *source, *previous, *parameters;
    const MI_Char *method, *return_value;
    const struct decl_copy *copies; /* of the module that reports it */
    MI_Boolean before_call;         /* of a method call */
};

/* The class of this name, and the types whose indications are of it or derive from it; NULL for
 * every other name. */
const MI_ClassDecl *lifecycle_class(const char *name, MI_Uint32 *ret_types);

/* An instance of the class of the event's type, with copies of all it says and the present time.
 * The caller owns it. SERVER_LIMITS_EXCEEDED, or the errors of instance_copy(). */
MI_Result lifecycle_instance(const struct lifecycle_event *event, MI_Instance **ret_instance);

#endif
