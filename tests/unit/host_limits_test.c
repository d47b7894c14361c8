/* SPDX-License-Identifier: MIT */
/*
 * The limits of the embedded server that are of the process (miguard/host.h): each can be used up
 * to its last one, the next is refused with SERVER_LIMITS_EXCEEDED before a provider is called, and
 * what is given back can be used again. Those of one operation or instance are in host_flow_test.c
 * and host_instance_test.c, nesting is in host_operation_test.c.
 */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

static char ids[64];

static MI_Result only_result(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_ptr_null(instance);
    ck_assert(!more);
    return result;
}

/* ---- operations in flight ------------------------------------------------------------------ */

static unsigned finals;
static MI_Result final_result;

static void on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                        MI_Boolean more, MI_Result result, const MI_Char *message,
                        const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)instance, (void)message, (void)details;
    (void)acknowledge;
    finals += !more;
    final_result = result;
}

static MI_Operation open_operations[MIGUARD_HOST_MAX_OPERATIONS + 1];

/* Each is open until it is closed; one more, with and without a callback, and after a Close. */
START_TEST(test_operations)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_instance};
    unsigned count = 0;

    ck_assert(start_host());
    while (operation_in_use() < MIGUARD_HOST_MAX_OPERATIONS) {
        MI_Session_TestConnection(&session, 0, NULL, &open_operations[count++]);
        ck_assert_uint_eq(operation_in_use(), count);
    }
    ck_assert_uint_eq(count, MIGUARD_HOST_MAX_OPERATIONS);
    for (int async = 0; async < 2; async++) {
        MI_Operation refused = MI_OPERATION_NULL;
        MI_Instance *instance = key("T_Widget", "a");
        MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, async ? &callbacks : NULL,
                               &refused);
        MI_Instance_Delete(instance);
        if (!async) {
            ck_assert_int_eq(only_result(&refused), MI_RESULT_SERVER_LIMITS_EXCEEDED);
        }
        ck_assert_int_eq(MI_Operation_Close(&refused), MI_RESULT_OK);
        ck_assert_uint_eq(finals, (unsigned)async);
    }
    ck_assert_int_eq(final_result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 0);

    /* Those that are open are whole, and the place of one that is closed can be used. */
    ck_assert_int_eq(only_result(&open_operations[0]), MI_RESULT_OK);
    ck_assert_int_eq(only_result(&open_operations[count - 1]), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&open_operations[--count]), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 1);
    while (count > 0) {
        ck_assert_int_eq(MI_Operation_Close(&open_operations[--count]), MI_RESULT_OK);
    }
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

/* ---- sessions ------------------------------------------------------------------------------ */

static MI_Result local_result;

static void get_asks_session(MI_Context *context, const struct widget *widget)
{
    MI_Session local;

    local_result = MI_Context_GetLocalSession(context, &local);
    MI_Context_PostResult(context, post_widget(context, &widget_decl, widget->Id.value, 1));
}

static MI_Session sessions[MIGUARD_HOST_MAX_SESSIONS];

START_TEST(test_sessions)
{
    unsigned count = 0;
    MI_Session other;

    ck_assert(start_host());
    hooks.get = get_asks_session;
    while (session_in_use() < MIGUARD_HOST_MAX_SESSIONS) {
        ck_assert_int_eq(miguard_host_session(host, &sessions[count++], NULL), MIGUARD_OK);
    }
    ck_assert_uint_eq(count, MIGUARD_HOST_MAX_SESSIONS - 1);
    ck_assert_int_eq(miguard_host_session(host, &other, NULL), MIGUARD_NO_MEMORY);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(local_result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_int_eq(MI_Session_Close(&sessions[--count], NULL, NULL), MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(local_result, MI_RESULT_OK);
    stop_host(); /* with all that are open */
    ck_assert_uint_eq(session_in_use(), 0);
}
END_TEST

/* ---- contexts ------------------------------------------------------------------------------ */

static struct context *contexts[MIGUARD_HOST_MAX_CONTEXTS];

START_TEST(test_contexts)
{
    unsigned count = 0;

    ck_assert(start_host());
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    while (context_in_use() < MIGUARD_HOST_MAX_CONTEXTS) {
        contexts[count] =
            context_new(CONTEXT_PROVIDER_LOAD, host->catalogue->modules[0], NULL, NULL);
        ck_assert_ptr_nonnull(contexts[count++]);
    }
    ck_assert_uint_eq(count, MIGUARD_HOST_MAX_CONTEXTS);
    ck_assert_ptr_null(context_new(CONTEXT_PROVIDER_LOAD, host->catalogue->modules[0], NULL, NULL));
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    /* A Load needs one, too. */
    ck_assert_int_eq(get(&session, "T_Gadget", "g1", ids, sizeof(ids)),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 1);
    context_close(&contexts[--count]);
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    while (count > 0) {
        context_close(&contexts[--count]);
    }
    ck_assert_uint_eq(context_in_use(), 0);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host limits");
    TCase *tests = tcase_create("limits");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_operations);
    tcase_add_test(tests, test_sessions);
    tcase_add_test(tests, test_contexts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
