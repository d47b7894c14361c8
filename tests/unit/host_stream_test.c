/* SPDX-License-Identifier: MIT */
/*
 * Streamed output parameters of the embedded server (reference E, WriteStreamParameter): to a
 * client that takes them part by part, and joined for one that does not.
 */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

enum { PARTS = 2000, EACH = 3 };

/* ---- the provider ---------------------------------------------------------------------------- */

static bool on_a_thread;
static MI_Result bad_name, bad_type, no_value, after_end;

static MI_Result write_lines(MI_Context *context, const char *text, MI_Uint32 flags)
{
    MI_Char *lines[EACH] = {(MI_Char *)(uintptr_t)text, (MI_Char *)(uintptr_t) "x",
                            (MI_Char *)(uintptr_t) "y"};
    MI_Value value = {.stringa = {lines, EACH}};

    return MI_Context_WriteStreamParameter(context, "Lines", &value, MI_STRINGA, flags);
}

static void *stream_all(void *argument)
{
    MI_Context *context = argument;
    MI_Result result = MI_RESULT_OK;
    MI_Value number_value = {.uint32 = 1};
    struct add out;

    bad_name = MI_Context_WriteStreamParameter(context, "MIReturn", &number_value, MI_UINT32A, 0);
    bad_type = MI_Context_WriteStreamParameter(context, "Lines", &number_value, MI_UINT32, 0);
    no_value = MI_Context_WriteStreamParameter(context, "Lines", NULL, MI_STRINGA, 0);
    for (unsigned i = 0; i < PARTS && result == MI_RESULT_OK; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%u", i);
        result = write_lines(context, text, i + 1 < PARTS ? 0 : MI_FLAG_NULL);
        memset(text, '!', sizeof(text) - 1); /* it was taken, or copied */
    }
    after_end = write_lines(context, "late", 0);
    if (result == MI_RESULT_OK &&
        MI_Context_ConstructParameters(context, &watch_decl, &out.instance) == MI_RESULT_OK) {
        out.MIReturn.value = 7;
        out.MIReturn.exists = MI_TRUE;
        result = MI_Context_PostInstance(context, &out.instance);
        MI_Instance_Destruct(&out.instance);
    }
    MI_Context_PostResult(context, result);
    return NULL;
}

static pthread_t streamer;

static void watch(void *self, MI_Context *context, const MI_Char *name_space,
                  const MI_Char *class_name, const MI_Char *method_name,
                  const MI_Instance *instance, const MI_Instance *parameters)
{
    (void)self, (void)name_space, (void)class_name, (void)method_name, (void)instance;
    (void)parameters;
    if (on_a_thread) {
        pthread_create(&streamer, NULL, stream_all, context);
    } else {
        stream_all(context);
    }
}

static atomic_uint parts, wrong, finals;

static void set_up(bool thread)
{
    atomic_store(&parts, 0);
    atomic_store(&wrong, 0);
    atomic_store(&finals, 0);
    watch_decl.function = watch;
    watch_decl.code = code_of("Watch");
    stream_decl.code = code_of("Lines");
    on_a_thread = thread;
    ck_assert(start_host());
}

static void tear_down(void)
{
    if (on_a_thread) {
        pthread_join(streamer, NULL);
    }
    ck_assert_int_eq(bad_name, MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(bad_type, MI_RESULT_TYPE_MISMATCH);
    ck_assert_int_eq(no_value, MI_RESULT_INVALID_PARAMETER);
    for (int i = 0; i < 60000 && operation_in_use() > 0; i++) {
        nap(1);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    stop_host();
}

/* ---- joined ---------------------------------------------------------------------------------- */

START_TEST(test_joined)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    set_up(_i != 0);
    MI_Session_Invoke(&session, 0, NULL, SPACE, "T_Widget", "Watch", NULL, NULL, NULL, &operation);
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_ptr_nonnull(instance);
    ck_assert_uint_eq(number(instance, "ReturnValue"), 7);
    ck_assert_int_eq(MI_Instance_GetElement(instance, "Lines", &value, &type, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRINGA);
    ck_assert_uint_eq(value.stringa.size, PARTS * EACH);
    for (unsigned i = 0; i < PARTS; i++) {
        ck_assert_uint_eq(strtoul(value.stringa.data[i * EACH], NULL, 10), i);
        ck_assert_str_eq(value.stringa.data[i * EACH + 2], "y");
    }
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(after_end, MI_RESULT_INVALID_PARAMETER);
    tear_down();
}
END_TEST

/* ---- part by part ---------------------------------------------------------------------------- */

static bool acknowledge_at_once;

static void on_part(MI_Operation *operation, void *context, const MI_Char *name, MI_Type type,
                    const MI_Value *value, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)context;
    unsigned i = atomic_load(&parts);
    bool good = strcmp(name, "Lines") == 0 && type == MI_STRINGA && value->stringa.size == EACH &&
                (i == PARTS || strtoul(value->stringa.data[0], NULL, 10) == i);
    atomic_fetch_add(&wrong, !good || (acknowledge != NULL) != acknowledge_at_once);
    atomic_fetch_add(&parts, 1);
    if (acknowledge != NULL) {
        acknowledge(operation);
    }
}

static void on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                      MI_Boolean more, MI_Result result, const MI_Char *message,
                      const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)context, (void)message, (void)details;
    if (!more) {
        MI_Value value;
        bool good =
            result == MI_RESULT_OK && number(instance, "ReturnValue") == 7 &&
            MI_Instance_GetElement(instance, "Lines", &value, NULL, NULL, NULL) != MI_RESULT_OK;
        atomic_fetch_add(&wrong, !good);
        if (acknowledge != NULL) {
            acknowledge(operation);
        }
        atomic_fetch_add(&finals, 1);
    }
}

/* By bits: on a thread of the provider, called back with the result, with acknowledgements. */
START_TEST(test_part_by_part)
{
    bool async = (_i & 2) != 0;
    MI_OperationCallbacks callbacks = {.streamedParameterResult = on_part,
                                       .instanceResult = async ? on_result : NULL};
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    acknowledge_at_once = (_i & 4) != 0;
    set_up((_i & 1) != 0);
    MI_Session_Invoke(&session, acknowledge_at_once ? MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS : 0,
                      NULL, SPACE, "T_Widget", "Watch", NULL, NULL, &callbacks, &operation);
    if (async) {
        for (int i = 0; i < 60000 && atomic_load(&finals) == 0; i++) {
            nap(1);
        }
        ck_assert_uint_eq(atomic_load(&finals), 1);
    } else {
        ck_assert_int_eq(
            MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
            MI_RESULT_OK);
        ck_assert_uint_eq(number(instance, "ReturnValue"), 7);
    }
    ck_assert_uint_eq(atomic_load(&parts), PARTS + 1); /* it may write after the end it marked */
    ck_assert_uint_eq(atomic_load(&wrong), 0);
    MI_Operation_Close(&operation);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host stream");
    TCase *tests = tcase_create("stream");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_joined, 0, 2);
    tcase_add_loop_test(tests, test_part_by_part, 0, 8);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
