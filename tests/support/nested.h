/* SPDX-License-Identifier: MIT */
/*
 * Two provider modules for tests of nested requests, which know nothing of a guard:
 *
 *   L_Front   its GetInstance does what a test says (nested_front)
 *   L_Twin    of the same module, served by the same agent of the foreign host
 *   L_Back    of the other module, served by another agent
 *
 * The last two have the key Id, and a property that says as who they were served. GetInstance posts
 * one instance, EnumerateInstances three.
 */
#ifndef SUPPORT_NESTED_H
#define SUPPORT_NESTED_H

#include "support/hosts.h"

enum { NESTED_MODULES = 2 };
extern const struct hosted_module nested_modules[NESTED_MODULES];

/* Called with each request for L_Front; it posts the result, then or later. */
extern void (*nested_front)(MI_Context *context);

/* When not NULL: called with each request for L_Twin and L_Back in place of an answer. */
extern void (*nested_back)(MI_Context *context);

/* A request for L_Front. */
extern const struct ask nested_ask;

/* Starts a nested request on session, for L_Twin or L_Back; callbacks may be NULL. */
void nested_start(MI_Context *context, MI_Session *session, const char *class_name, bool enumerate,
                  MI_Uint32 flags, MI_OperationCallbacks *callbacks, MI_Operation *operation);

/* Reads a synchronous operation to its end and closes it. ret_message, of 512 bytes, and
 * ret_served_as may be NULL. */
MI_Result nested_finish(MI_Operation *operation, char *ret_message, MI_Uint32 *ret_served_as);

#endif
