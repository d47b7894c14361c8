/* SPDX-License-Identifier: MIT */
/*
 * The smallest host that can stand behind a guard: it counts what reaches it and answers what a
 * test wants. It serves every slot of a session and an operation, so that a table of all entry
 * points has something real behind each of them.
 */
#ifndef SUPPORT_STUB_HOST_H
#define SUPPORT_STUB_HOST_H

#include <MI.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { STUB_MAX_OPERATIONS = 16384 };

struct stub_operation {
    struct stub_host *host;
    MI_OperationCallbacks callbacks;
    bool asynchronous;
    atomic_int items_left; /* results before the final one */
    atomic_bool cancelled, closed;
};

struct stub_host {
    MI_Context context;   /* what a host hands to a provider */
    atomic_ulong reached; /* calls of session and operation slots, and answers to callbacks */
    atomic_ulong local_sessions, posts, final_posts;
    atomic_ulong acknowledged, prompts_answered, errors_answered, cancelled, closed;
    MI_Result posted;               /* the result of the final post */
    char posted_message[1024];      /* the text of a PostError; "" */
    const MI_Char *name_space;      /* what the latest starter was given; NULL for TestConnection */
    MI_Result local_session_result; /* what GetLocalSession answers; OK unless changed */
    int items;                      /* items of each operation started from now on */
    void (*in_local_session)(void *data); /* runs inside GetLocalSession; or NULL */
    void *in_local_session_data;
    void (*before_result)(void *data); /* runs inside each Get*, as if it had to wait; or NULL */
    void *before_result_data;
    MI_Result get_answer; /* of each Get*; OK unless changed */
    atomic_uint operation_count;
    struct stub_operation operations[STUB_MAX_OPERATIONS];
};

/* On the heap; the operations are reused round and round. */
struct stub_host *stub_host_new(void);
void stub_host_free(struct stub_host *host);

/* Waits until no operation that was left open is still being ended (gateway/left_open.c). */
void stub_host_settle(void);

/* The operation that was started last. */
struct stub_operation *stub_latest(struct stub_host *host);

/* Calls the result callback of an asynchronous operation in this thread: an item when more, else
 * the final one; acknowledged by the provider when manual. */
void stub_fire(struct stub_operation *operation, bool more, bool manual);

/* Calls the provider's prompt and error callback in this thread. */
void stub_ask(struct stub_operation *operation);
void stub_report(struct stub_operation *operation);
void stub_chatter(struct stub_operation *operation); /* message and progress */

#endif
