/* SPDX-License-Identifier: MIT */
/*
 * When, where and how often a provider completes its request, under both hosts: within the call or
 * after it, on the request's thread or another one, never, twice, by two threads at once, and
 * beside posts of a third. The foreign host frees a context within its final post, and overwrites
 * it: what looks there afterwards is found by AddressSanitizer and valgrind. Each request that is
 * completed has one answer, the host gets one final post, and nothing is left.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"

enum { WAIT_MS = 4000 };

static unsigned passed, failed;
static const char *current;

static void check(bool good, const struct running_host *host, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s host, %s: %s\n", host->kind->name, current, what);
    }
}

/* ---- the ways -------------------------------------------------------------------------------- */

static pthread_t second, third;
static MI_Context *_Atomic context_of_request;
static pthread_barrier_t together;
static atomic_int ok, refused; /* final posts of the provider, by their answer */

static enum final_kind kind_of_final;

static MI_Result post_cim_error(MI_Context *context)
{
    MI_Instance *error = NULL;
    MI_Value value;

    if (MI_Context_NewDynamicInstance(context, "CIM_Error", 0, &error) != MI_RESULT_OK) {
        return MI_Context_PostCimError(context, NULL);
    }
    value.uint32 = MI_RESULT_NOT_FOUND;
    MI_Instance_AddElement(error, "CIMStatusCode", &value, MI_UINT32, 0);
    MI_Result answer = MI_Context_PostCimError(context, error);
    MI_Instance_Delete(error);
    return answer;
}

static void post_final(MI_Context *context)
{
    char why[] = "gone"; /* on the stack: a post that waits needs a copy */
    MI_Result answer =
        kind_of_final == FINAL_RESULT ? MI_Context_PostResult(context, MI_RESULT_OK)
        : kind_of_final == FINAL_ERROR
            ? MI_Context_PostError(context, MI_RESULT_NOT_FOUND, MI_RESULT_TYPE_MI, why)
            : post_cim_error(context);
    memset(why, 'x', sizeof(why) - 1);

    atomic_fetch_add(&ok, answer == MI_RESULT_OK);
    atomic_fetch_add(&refused, answer == MI_RESULT_INVALID_PARAMETER);
}

/* Every slot that a host answers by its context, on one that may be over. */
static void post_in_vain(MI_Context *context)
{
    MI_Instance *instance = NULL;
    MI_Boolean flag = MI_FALSE;
    MI_Session session;

    if (MI_Context_NewDynamicInstance(context, "L_Front", 0, &instance) == MI_RESULT_OK) {
        MI_Context_PostInstance(context, instance);
        MI_Instance_Delete(instance);
    }
    MI_Context_Canceled(context, &flag);
    MI_Context_RefuseUnload(context);
    MI_Context_RequestUnload(context);
    MI_Context_WriteMessage(context, 0, "late");
    MI_Context_ShouldProcess(context, "a", "b", &flag);
    MI_Context_GetLocalSession(context, &session);
}

static void *complete(void *data)
{
    post_final(data);
    return NULL;
}

static void *complete_late(void *data)
{
    usleep(3000);
    return complete(data);
}

static void *complete_together(void *data)
{
    pthread_barrier_wait(&together);
    return complete(data);
}

static void *post_together(void *data)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < 5; i++) {
        post_in_vain(data);
    }
    return NULL;
}

static void within(MI_Context *context)
{
    post_final(context);
}

static void on_another_thread(MI_Context *context)
{
    pthread_create(&second, NULL, complete, context);
    pthread_join(second, NULL);
}

static void after_the_return(MI_Context *context)
{
    pthread_create(&second, NULL, complete_late, context);
    pthread_detach(second);
}

static void twice(MI_Context *context)
{
    post_final(context);
    post_final(context);
    post_in_vain(context);
}

static void twice_by_two(MI_Context *context)
{
    pthread_create(&second, NULL, complete, context);
    pthread_join(second, NULL);
    post_final(context);
    post_in_vain(context);
}

static void by_two_at_once(MI_Context *context)
{
    pthread_barrier_init(&together, NULL, 2);
    pthread_create(&second, NULL, complete_together, context);
    pthread_create(&third, NULL, complete_together, context);
    pthread_join(second, NULL);
    pthread_join(third, NULL);
    pthread_barrier_destroy(&together);
}

static void beside_posts(MI_Context *context)
{
    pthread_barrier_init(&together, NULL, 2);
    pthread_create(&second, NULL, complete_together, context);
    pthread_create(&third, NULL, post_together, context);
    pthread_join(second, NULL);
    pthread_join(third, NULL);
    pthread_barrier_destroy(&together);
}

/* The session of an ended request, used in the next one. */
static MI_Session stashed;
static MI_Result with_stashed;

static void stash_and_use(MI_Context *context)
{
    MI_Operation operation = MI_OPERATION_NULL;

    if (stashed.ft != NULL) {
        nested_start(context, &stashed, "L_Back", false, 0, NULL, &operation);
        with_stashed = nested_finish(&operation, NULL, NULL);
    }
    MI_Context_GetLocalSession(context, &stashed);
    post_final(context);
}

static void never(MI_Context *context)
{
    atomic_store(&context_of_request, context);
}

static const struct way {
    const char *name;
    void (*front)(MI_Context *context);
    int refused; /* final posts that are one too many */
    int rounds;
    enum final_kind kind; /* what is posted */
} ways[] = {
    {"within the call", within, 0, 5, FINAL_RESULT},
    {"on another thread", on_another_thread, 0, 5, FINAL_RESULT},
    {"after the return", after_the_return, 0, 5, FINAL_RESULT},
    {"twice", twice, 1, 5, FINAL_RESULT},
    {"twice, by two threads", twice_by_two, 1, 5, FINAL_RESULT},
    {"by two threads at once", by_two_at_once, 1, 100, FINAL_RESULT},
    {"beside posts of another thread", beside_posts, 0, 100, FINAL_RESULT},
    {"an error beside posts", beside_posts, 0, 100, FINAL_ERROR},
    {"an error object beside posts", beside_posts, 0, 100, FINAL_CIM_ERROR},
};

/* ---- what must hold -------------------------------------------------------------------------- */

static void settle(const struct running_host *host)
{
    for (int ms = 0; ms < WAIT_MS &&
                     (slots_in_use(&guarded_contexts) > 0 || slots_in_use(&guarded_sessions) > 0);
         ms++) {
        usleep(1000);
    }
    check(slots_in_use(&guarded_contexts) == 0, host, "a context is left");
    check(slots_in_use(&guarded_sessions) == 0, host, "a session is left");
}

/* A client may have its answer before the provider's call has returned. */
static void wait_for_posts(int accepted, int too_many)
{
    for (int ms = 0;
         ms < WAIT_MS && (atomic_load(&ok) != accepted || atomic_load(&refused) != too_many);
         ms++) {
        usleep(1000);
    }
}

static void try_way(struct running_host *host, const struct way *way)
{
    const struct foreign_counts *counts =
        host->foreign != NULL ? foreign_host_counts(host->foreign) : NULL;
    unsigned long posts = counts != NULL ? counts->final_posts : 0;
    MI_Result expected = way->kind == FINAL_RESULT ? MI_RESULT_OK : MI_RESULT_NOT_FOUND;
    static char text[4096];
    bool answered = true;

    current = way->name;
    kind_of_final = way->kind;
    nested_front = way->front;
    atomic_store(&ok, 0);
    atomic_store(&refused, 0);
    for (int i = 0; i < way->rounds; i++) {
        MI_Result result = hosts_ask(host, &nested_ask, text, sizeof(text));
        answered = answered && result == expected &&
                   (way->kind != FINAL_ERROR || strstr(text, "message gone\n") != NULL);
    }
    wait_for_posts(way->rounds, way->rounds * way->refused);
    settle(host);
    check(answered, host, "a request is not answered");
    check(atomic_load(&ok) == way->rounds, host, "not one final post is accepted");
    check(atomic_load(&refused) == way->rounds * way->refused, host, "a second one is");
    check(counts == NULL || counts->final_posts - posts == (unsigned long)way->rounds, host,
          "the host gets more than one final post");
}

static void try_stash(struct running_host *host)
{
    unsigned long reached = host->foreign != NULL ? foreign_host_reached(host->foreign) : 0;

    current = "a session kept beyond its request";
    kind_of_final = FINAL_RESULT;
    nested_front = stash_and_use;
    stashed = (MI_Session)MI_SESSION_NULL;
    with_stashed = MI_RESULT_OK;
    (void)hosts_ask(host, &nested_ask, NULL, 0);
    (void)hosts_ask(host, &nested_ask, NULL, 0);
    check(with_stashed == MI_RESULT_INVALID_PARAMETER, host, "is served");
    check(host->foreign == NULL || foreign_host_reached(host->foreign) == reached, host,
          "comes to the host");
}

static void *ask_in_vain(void *host)
{
    (void)hosts_ask(host, &nested_ask, NULL, 0);
    return NULL;
}

/* The request stays open until the provider completes it; the others go on. */
static void try_never(struct running_host *host)
{
    pthread_t thread;

    current = "never";
    nested_front = never;
    atomic_store(&context_of_request, NULL);
    pthread_create(&thread, NULL, ask_in_vain, host);
    for (int ms = 0; ms < WAIT_MS && atomic_load(&context_of_request) == NULL; ms++) {
        usleep(1000);
    }
    usleep(20000); /* until it has returned */
    nested_front = within;
    check(hosts_ask(host, &nested_ask, NULL, 0) == MI_RESULT_OK, host, "others are not served");
    for (int ms = 0; ms < WAIT_MS && slots_in_use(&guarded_contexts) > 1; ms++) {
        usleep(1000); /* the other one's provider is on its way out of its final post */
    }
    check(slots_in_use(&guarded_contexts) == 1, host, "not one context is open");
    check(MI_Context_PostResult(atomic_load(&context_of_request), MI_RESULT_OK) == MI_RESULT_OK,
          host, "it cannot be completed any more");
    pthread_join(thread, NULL);
    settle(host);
}

int main(void)
{
    struct running_host host;

    log_start();
    for (int kind = 0; kind < HOSTS; kind++) {
        if (!host_kinds[kind].start(&host, nested_modules, NESTED_MODULES, miguard_wrap_module)) {
            printf("0 passed, 1 failed\n");
            return 1;
        }
        kind_of_final = FINAL_RESULT;
        nested_front = within; /* loads the modules, which post, too */
        atomic_store(&ok, 0);
        atomic_store(&refused, 0);
        (void)hosts_ask(&host, &nested_ask, NULL, 0);
        wait_for_posts(1, 0);
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            try_way(&host, &ways[i]);
        }
        try_stash(&host);
        try_never(&host);
        host_kinds[kind].stop(&host);
    }
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
