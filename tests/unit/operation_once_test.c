/* SPDX-License-Identifier: MIT */
/*
 * One close, one acknowledgement, one answer, one final: whatever two threads do at once, the host
 * is asked once. The host here has no table of handles: it frees an operation in its Close, and a
 * second Close, or a Cancel behind it, uses freed memory, which AddressSanitizer and
 * ThreadSanitizer see, and malloc(3) mostly.
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/stub_host.h"

/* ---- the host ----------------------------------------------------------------------------------
 */

static struct {
    atomic_ulong started, closed, cancelled, acknowledged, answered, asked;
    atomic_int refuse_closes; /* so many Closes are answered with no */
    MI_OperationCallbacks callbacks;
    MI_Operation latest;
} bare;

struct bare_operation {
    int uses;
};

static struct bare_operation *bare_of(const MI_Operation *operation)
{
    return (struct bare_operation *)(uintptr_t)operation->reserved2;
}

static MI_Result MI_CALL bare_close(MI_Operation *operation)
{
    bare_of(operation)->uses++;
    if (atomic_fetch_sub(&bare.refuse_closes, 1) > 0) {
        return MI_RESULT_FAILED;
    }
    atomic_fetch_add(&bare.closed, 1);
    free(bare_of(operation));
    return MI_RESULT_OK;
}

static MI_Result MI_CALL bare_cancel(MI_Operation *operation, MI_CancellationReason reason)
{
    (void)reason;
    bare_of(operation)->uses += 2; /* not atomic: a Close at the same time is a data race */
    atomic_fetch_add(&bare.cancelled, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL bare_get_instance(MI_Operation *operation, const MI_Instance **instance,
                                           MI_Boolean *more, MI_Result *result,
                                           const MI_Char **message, const MI_Instance **details)
{
    (void)operation, (void)message, (void)details;
    atomic_fetch_add(&bare.asked, 1);
    *instance = NULL;
    *more = MI_FALSE;
    *result = MI_RESULT_OK;
    return MI_RESULT_OK;
}

static const MI_OperationFT bare_operation_ft = {
    .Close = bare_close, .Cancel = bare_cancel, .GetInstance = bare_get_instance};

static void MI_CALL bare_enumerate(MI_Session *session, MI_Uint32 flags,
                                   MI_OperationOptions *options, const MI_Char *name_space,
                                   const MI_Char *class_name, MI_Boolean keys_only,
                                   MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    (void)session, (void)flags, (void)options, (void)name_space, (void)class_name, (void)keys_only;
    struct bare_operation *made = calloc(1, sizeof(*made));
    atomic_fetch_add(&bare.started, 1);
    *operation = (MI_Operation){0, (ptrdiff_t)(uintptr_t)made, &bare_operation_ft};
    bare.callbacks = callbacks != NULL ? *callbacks : (MI_OperationCallbacks){0};
    bare.latest = *operation;
}

static const MI_SessionFT bare_session_ft = {.EnumerateInstances = bare_enumerate};

static MI_Result MI_CALL bare_local_session(const MI_Context *context, MI_Session *session)
{
    (void)context;
    *session = (MI_Session){1, 1, &bare_session_ft};
    return MI_RESULT_OK;
}

static MI_Result MI_CALL bare_acknowledge(MI_Operation *operation)
{
    (void)operation;
    atomic_fetch_add(&bare.acknowledged, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL bare_answer(MI_Operation *operation,
                                     MI_OperationCallback_ResponseType response)
{
    (void)operation, (void)response;
    atomic_fetch_add(&bare.answered, 1);
    return MI_RESULT_OK;
}

/* ---- two threads -------------------------------------------------------------------------------
 */

static struct stub_host *host;
static MI_ContextFT context_ft;
static MI_Context *context;
static MI_Session session;
static MI_Operation operation;
static MI_OperationCallbacks callbacks;

static void set_up(void)
{
    log_start_with(60); /* refusals come by the thousand here */
    host = stub_host_new();
    context_ft = *host->context.ft;
    context_ft.GetLocalSession = bare_local_session;
    host->context.ft = &context_ft;
}

static void tear_down(void)
{
    ck_assert_uint_eq(slots_in_use(&guarded_operations), 0);
    ck_assert_uint_eq(slots_in_use(&guarded_sessions), 0);
    ck_assert_uint_eq(slots_in_use(&guarded_contexts), 0);
    ck_assert_uint_eq(atomic_load(&bare.started), atomic_load(&bare.closed));
    stub_host_free(host);
    log_remove();
}

static void open_context(void)
{
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_OK);
}

static void start(void)
{
    operation = (MI_Operation)MI_OPERATION_NULL;
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, &callbacks,
                                  &operation);
}

static MI_Result do_close(void)
{
    MI_Operation mine = operation;
    return MI_Operation_Close(&mine);
}

static MI_Result do_cancel(void)
{
    MI_Operation mine = operation;
    return MI_Operation_Cancel(&mine, MI_REASON_NONE);
}

static MI_Result do_get(void)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    MI_Operation mine = operation;
    MI_Result answer = MI_Operation_GetInstance(&mine, &instance, &more, &result, NULL, NULL);

    return answer != MI_RESULT_OK ? answer : result;
}

static MI_Result do_end(void)
{
    return MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result do_acknowledge(void)
{
    MI_Operation mine = operation;
    return guarded_operation_acknowledge(&mine);
}

static MI_Result do_prompt(void)
{
    MI_Operation mine = operation;
    return guarded_operation_answer_prompt(&mine, MI_OperationCallback_ResponseType_Yes);
}

static MI_Result do_error(void)
{
    MI_Operation mine = operation;
    return guarded_operation_answer_error(&mine, MI_OperationCallback_ResponseType_Yes);
}

static struct guarded_operation *pin_operation(void)
{
    void *object = NULL;

    ck_assert_int_eq(
        slots_acquire(&guarded_operations,
                      (struct slots_handle){operation.reserved1, (uint64_t)operation.reserved2},
                      &object),
        SLOTS_OK);
    return object;
}

typedef MI_Result (*act)(void);

static pthread_barrier_t barrier;

static struct {
    act act;
    MI_Result result;
} parts[2];

static void *take_part(void *part)
{
    size_t i = (size_t)part;
    pthread_barrier_wait(&barrier);
    parts[i].result = parts[i].act();
    return NULL;
}

/* How many of the two were answered with OK. */
static unsigned at_once(act one, act other)
{
    pthread_t threads[2];

    parts[0].act = one;
    parts[1].act = other;
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_part, (void *)i), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    return (parts[0].result == MI_RESULT_OK ? 1U : 0U) +
           (parts[1].result == MI_RESULT_OK ? 1U : 0U);
}

static int rounds(void)
{
    return getenv("QUICK") == NULL ? 1500 : 300;
}

/* ---- closing ------------------------------------------------------------------------------------
 */

START_TEST(one_of_two_closes_reaches_the_host)
{
    pthread_barrier_init(&barrier, NULL, 2);
    open_context();
    for (int i = 0; i < rounds(); i++) {
        start();
        ck_assert_uint_eq(at_once(do_close, do_close), 1);
        ck_assert_uint_eq(atomic_load(&bare.closed), atomic_load(&bare.started));
    }
    do_end();
}
END_TEST

START_TEST(a_cancel_is_over_before_the_close)
{
    pthread_barrier_init(&barrier, NULL, 2);
    open_context();
    for (int i = 0; i < rounds(); i++) {
        start();
        (void)at_once(do_close, do_cancel);
        ck_assert_int_eq(parts[0].result, MI_RESULT_OK);
        ck_assert_uint_eq(atomic_load(&bare.closed), atomic_load(&bare.started));
    }
    do_end();
}
END_TEST

START_TEST(a_context_ends_beside_a_close)
{
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < rounds(); i++) {
        open_context();
        start();
        (void)at_once(do_end, i % 2 == 0 ? do_close : do_cancel);
        ck_assert_int_eq(parts[0].result, MI_RESULT_OK);
        stub_host_settle();
        ck_assert_uint_eq(atomic_load(&bare.closed), atomic_load(&bare.started));
    }
}
END_TEST

START_TEST(what_the_host_does_not_close_can_be_closed_again)
{
    open_context();
    start();
    atomic_store(&bare.refuse_closes, 2);
    ck_assert_int_eq(do_close(), MI_RESULT_FAILED);
    ck_assert_int_eq(do_close(), MI_RESULT_FAILED);
    ck_assert_int_eq(do_cancel(), MI_RESULT_OK);
    atomic_store(&bare.refuse_closes, 0);
    ck_assert_int_eq(do_close(), MI_RESULT_OK);
    ck_assert_int_eq(do_close(), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(do_cancel(), MI_RESULT_INVALID_PARAMETER);
    do_end();
}
END_TEST

/* A Close from within a Cancel would free what the host's Cancel still uses. */
static MI_Result MI_CALL cancel_that_closes(MI_Operation *inner, MI_CancellationReason reason)
{
    ck_assert_int_eq(do_close(), MI_RESULT_OK);
    ck_assert_int_eq(do_close(), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(do_get(), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(atomic_load(&bare.asked), 0);
    return bare_cancel(inner, reason);
}

START_TEST(a_close_from_within_a_cancel_comes_behind_it)
{
    const MI_OperationFT ft = {
        .Close = bare_close, .Cancel = cancel_that_closes, .GetInstance = bare_get_instance};

    open_context();
    start();
    struct guarded_operation *pinned = pin_operation();
    pinned->inner.ft = &ft;
    ck_assert_int_eq(do_cancel(), MI_RESULT_OK);
    slots_release(&guarded_operations, pinned);
    ck_assert_uint_eq(atomic_load(&bare.closed), 1);
    do_end();
}
END_TEST

/* ---- answers
 * ------------------------------------------------------------------------------------- */

static atomic_ulong results, finals, messages;

static void MI_CALL on_message(MI_Operation *handle, void *data, MI_Uint32 channel,
                               const MI_Char *message)
{
    (void)handle, (void)data, (void)channel, (void)message;
    atomic_fetch_add(&messages, 1);
}

static void MI_CALL on_instance(MI_Operation *handle, void *data, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)handle, (void)data, (void)instance, (void)result, (void)message, (void)details;
    (void)acknowledge;
    atomic_fetch_add(more ? &results : &finals, 1);
}

static void MI_CALL on_prompt(MI_Operation *handle, void *data, const MI_Char *message,
                              MI_PromptType type,
                              MI_Result(MI_CALL *answer)(MI_Operation *,
                                                         MI_OperationCallback_ResponseType))
{
    (void)handle, (void)data, (void)message, (void)type, (void)answer;
    atomic_fetch_add(&messages, 1);
}

static void MI_CALL on_error(MI_Operation *handle, void *data, MI_Instance *error,
                             MI_Result(MI_CALL *answer)(MI_Operation *,
                                                        MI_OperationCallback_ResponseType))
{
    (void)handle, (void)data, (void)error, (void)answer;
}

static void fire(MI_Boolean more)
{
    bare.callbacks.instanceResult(&bare.latest, bare.callbacks.callbackContext, NULL, more,
                                  MI_RESULT_OK, NULL, NULL, bare_acknowledge);
}

static void open_asynchronous(void)
{
    pthread_barrier_init(&barrier, NULL, 2);
    callbacks = (MI_OperationCallbacks){.instanceResult = on_instance,
                                        .writeMessage = on_message,
                                        .promptUser = on_prompt,
                                        .writeError = on_error};
    open_context();
    start();
}

START_TEST(one_of_two_answers_reaches_the_host)
{
    open_asynchronous();
    for (int i = 0; i < rounds(); i++) {
        fire(MI_TRUE);
        ck_assert_uint_eq(at_once(do_acknowledge, do_acknowledge), 1);
        ck_assert_int_eq(do_acknowledge(), MI_RESULT_INVALID_PARAMETER);
        ck_assert_uint_eq(atomic_load(&bare.acknowledged), (unsigned)i + 1);
        bare.callbacks.promptUser(&bare.latest, bare.callbacks.callbackContext, "?",
                                  MI_PROMPTTYPE_NORMAL, bare_answer);
        ck_assert_uint_eq(at_once(do_prompt, do_prompt), 1);
        bare.callbacks.writeError(&bare.latest, bare.callbacks.callbackContext, NULL, bare_answer);
        ck_assert_uint_eq(at_once(do_error, do_error), 1);
        ck_assert_uint_eq(atomic_load(&bare.answered), 2 * ((unsigned)i + 1));
    }
    fire(MI_FALSE);
    ck_assert_uint_eq(at_once(do_acknowledge, do_acknowledge), 1);
    ck_assert_int_eq(do_close(), MI_RESULT_OK);
    do_end();
}
END_TEST

START_TEST(a_final_comes_once_and_nothing_behind_it)
{
    open_asynchronous();
    fire(MI_TRUE);
    fire(MI_FALSE);
    fire(MI_FALSE); /* what no host should do */
    fire(MI_TRUE);
    ck_assert_uint_eq(atomic_load(&results), 1);
    ck_assert_uint_eq(atomic_load(&finals), 1);
    ck_assert_uint_eq(atomic_load(&bare.acknowledged), 2); /* those that reached nobody */
    ck_assert_int_eq(do_acknowledge(), MI_RESULT_OK);
    ck_assert_int_eq(do_close(), MI_RESULT_OK);
    do_end();
}
END_TEST

/* Data of somebody's request must not come behind its end. Of the final only the end is told. */
START_TEST(behind_the_end_of_the_context_only_the_end_is_told)
{
    open_asynchronous();
    bare.callbacks.writeMessage(&bare.latest, bare.callbacks.callbackContext, 0, "before");
    ck_assert_uint_eq(atomic_load(&messages), 1);
    do_end();
    bare.callbacks.writeMessage(&bare.latest, bare.callbacks.callbackContext, 0, "behind");
    bare.callbacks.promptUser(&bare.latest, bare.callbacks.callbackContext, "?",
                              MI_PROMPTTYPE_NORMAL, bare_answer);
    fire(MI_TRUE);
    ck_assert_uint_eq(atomic_load(&messages), 1);
    ck_assert_uint_eq(atomic_load(&results), 0);
    ck_assert_uint_eq(atomic_load(&bare.answered), 1); /* No, by the library */
    fire(MI_FALSE);
    fire(MI_FALSE);
    ck_assert_uint_eq(atomic_load(&finals), 1);
}
END_TEST

/* As for a session that is refused while the operation runs. */
START_TEST(what_the_library_acknowledged_the_provider_cannot)
{
    open_asynchronous();
    struct guarded_operation *pinned = pin_operation();
    atomic_store(&pinned->mute, true);
    fire(MI_TRUE);
    ck_assert_uint_eq(atomic_load(&results), 0);
    ck_assert_uint_eq(atomic_load(&bare.acknowledged), 1);
    ck_assert_int_eq(do_acknowledge(), MI_RESULT_INVALID_PARAMETER);
    fire(MI_FALSE);
    ck_assert_int_eq(do_acknowledge(), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(atomic_load(&bare.acknowledged), 2);
    slots_release(&guarded_operations, pinned);
    ck_assert_int_eq(do_close(), MI_RESULT_OK);
    do_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_of_two_closes_reaches_the_host,
        a_cancel_is_over_before_the_close,
        a_context_ends_beside_a_close,
        what_the_host_does_not_close_can_be_closed_again,
        a_close_from_within_a_cancel_comes_behind_it,
        one_of_two_answers_reaches_the_host,
        a_final_comes_once_and_nothing_behind_it,
        behind_the_end_of_the_context_only_the_end_is_told,
        what_the_library_acknowledged_the_provider_cannot,
    };
    Suite *suite = suite_create("once");
    TCase *tcase = tcase_create("once");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
