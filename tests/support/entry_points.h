/* SPDX-License-Identifier: MIT */
/*
 * Every guarded function as a row: the 15 of a session, the 6 of an operation, and the answers to
 * callbacks. A table test runs all rows against one situation.
 */
#ifndef SUPPORT_ENTRY_POINTS_H
#define SUPPORT_ENTRY_POINTS_H

#include <MI.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/stub_host.h"

struct miguard_binding;

/* A session with operations in every state that a row may need, made under its own identity. */
struct scene {
    struct stub_host *host;
    MI_Context *context;
    MI_Session session;
    struct stub_operation *stub; /* the host's side of the asynchronous operation */
    MI_Operation synchronous;    /* live, with results to take */
    MI_Operation asynchronous;   /* live, has delivered one result that waits for acknowledgement */
    MI_Operation in_callback;    /* the copy that the callback was given */
    MI_Result(MI_CALL *acknowledge)(MI_Operation *);
    MI_Result(MI_CALL *answer_prompt)(MI_Operation *, MI_OperationCallback_ResponseType);
    MI_Result(MI_CALL *answer_error)(MI_Operation *, MI_OperationCallback_ResponseType);
    int callbacks;                   /* result callbacks that came */
    struct miguard_binding *binding; /* of support/fronts.h */
    uint64_t number;                 /* of the binding */
};

/* Makes a context, a session and operations under the calling thread's identity. False when no
 * session was given, or an operation was refused. */
bool scene_make(struct scene *scene);

/* Ends the context, under whatever identity the thread has. */
void scene_end(struct scene *scene);

enum entry_way { ENTRY_SYNC, ENTRY_ASYNC };

struct entry_point {
    const char *name;
    enum entry_way way;
    /* Makes the call and reports its answer: the function's own, or the result of the operation
     * it started. *ret_final_callbacks counts result callbacks that this call caused. */
    MI_Result (*call)(struct scene *scene, int *ret_final_callbacks);
    /* A use that ends the object it is used on: comes last when the use is allowed. */
    bool ends;
};

extern const struct entry_point entry_points[];
extern const unsigned entry_point_count;

#endif
