/* SPDX-License-Identifier: MIT */
/* A host whose tables have nothing but what it must have: each slot that is NULL there is answered,
 * and none is jumped to. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "miguard.h"
#include "support/log.h"

/* ---- the host -------------------------------------------------------------------------------- */

static unsigned final_posts;
static const MI_SessionFT session_ft;
static const MI_ApplicationFT application_ft;

static MI_Result MI_CALL post_result(MI_Context *context, MI_Result result)
{
    (void)context;
    (void)result;
    final_posts++;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL get_local_session(const MI_Context *context, MI_Session *session)
{
    (void)context;
    *session = (MI_Session){1, 2, &session_ft};
    return MI_RESULT_OK;
}

static MI_Result MI_CALL get_application(MI_Session *session, MI_Application *application)
{
    (void)session;
    *application = (MI_Application){1, 2, &application_ft};
    return MI_RESULT_OK;
}

static const MI_ContextFT context_ft = {.PostResult = post_result,
                                        .GetLocalSession = get_local_session};
static const MI_SessionFT session_ft = {.GetApplication = get_application};
static const MI_ApplicationFT application_ft; /* nothing */

static MI_Context host_context = {.ft = &context_ft};
static MI_Context *context;
static MI_Session session;

static void begin(void)
{
    log_start();
    final_posts = 0;
    ck_assert_int_eq(miguard_guard_context(&host_context, &context), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_OK);
}

static void end(void)
{
    log_remove();
}

/* ---- the tables ------------------------------------------------------------------------------ */

START_TEST(a_context)
{
    MI_Instance *instance = (MI_Instance *)&host_context;
    MI_Boolean flag = MI_TRUE;
    MI_Uint32 number = 7;
    const MI_Char *text = "left";
    MI_Char locale[MI_MAX_LOCALE_SIZE] = "left";

    const MI_Result results[] = {
        MI_Context_PostInstance(context, instance),
        MI_Context_PostIndication(context, instance, 0, NULL),
        MI_Context_RequestUnload(context),
        MI_Context_RefuseUnload(context),
        MI_Context_NewDynamicInstance(context, "A", 0, &instance),
        MI_Context_GetLocale(context, MI_LOCALE_TYPE_REQUESTED_UI, locale),
        MI_Context_RegisterCancel(context, NULL, NULL),
        MI_Context_GetStringOption(context, "a", &text),
        MI_Context_GetNumberOption(context, "a", &number),
        MI_Context_WriteMessage(context, 0, "a"),
        MI_Context_WriteProgress(context, "a", "b", "c", 1, 2),
        MI_Context_ShouldProcess(context, "a", "b", &flag),
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        ck_assert_msg(results[i] == MI_RESULT_NOT_SUPPORTED, "call %zu: %d", i, (int)results[i]);
    }
    ck_assert(instance == NULL && text == NULL && number == 0 && flag == MI_FALSE);
    ck_assert_str_eq(locale, "");
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
}
END_TEST

/* The request must end: what the host cannot be posted becomes a result. */
START_TEST(a_final_post)
{
    ck_assert_int_eq(_i == 0 ? MI_Context_PostError(context, 1, "MI", "why")
                             : MI_Context_PostCimError(context, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(final_posts, 1);
}
END_TEST

START_TEST(a_session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    const MI_Char *message = NULL;

    if (_i == 0) {
        MI_Session_TestConnection(&session, 0, NULL, &operation);
    } else {
        MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "A", MI_FALSE, NULL,
                                      &operation);
    }
    ck_assert_int_eq(
        MI_Operation_GetInstance(&operation, &instance, &more, &result, &message, NULL),
        MI_RESULT_OK);
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert(!more && strstr(message, "the host itself refused") != NULL);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    ck_assert_int_eq(log_count("session-use", "host-refused"), 1);
}
END_TEST

START_TEST(an_application)
{
    MI_Application application;
    MI_Instance *instance = (MI_Instance *)&host_context;
    MI_OperationOptions options;
    MI_Serializer serializer;

    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    ck_assert_int_eq(MI_Application_NewInstance(&application, "A", NULL, &instance),
                     MI_RESULT_NOT_SUPPORTED);
    ck_assert_ptr_null(instance);
    ck_assert_int_eq(MI_Application_NewOperationOptions(&application, MI_FALSE, &options),
                     MI_RESULT_NOT_SUPPORTED);
    ck_assert_int_eq(
        MI_Application_NewSerializer(&application, 0, (MI_Char *)(uintptr_t) "x", &serializer),
        MI_RESULT_NOT_SUPPORTED);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("null slots");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_context);
    tcase_add_loop_test(tests, a_final_post, 0, 2);
    tcase_add_loop_test(tests, a_session, 0, 2);
    tcase_add_test(tests, an_application);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
