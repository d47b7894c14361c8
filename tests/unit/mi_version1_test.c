/* SPDX-License-Identifier: MIT */
/* What a module compiled for version 1 of the MI API sees: the same without the newest slot. */
#define MI_API_VERSION 1
#include <MI.h>
#include <MI.h> /* a second time, as providers do */
#include <check.h>
#include <stdlib.h>

/* Would be an error if MI.h declared a function of this name. */
enum { MI_Context_GetLifecycleIndicationContext = 1 };

START_TEST(context_table_ends_with_write_error)
{
    ck_assert_uint_eq(sizeof(MI_ContextFT), 240);
    ck_assert_uint_eq(offsetof(MI_ContextFT, WriteError) + sizeof(void (*)(void)), 240);
    ck_assert_int_eq(MI_Context_GetLifecycleIndicationContext, 1);
}
END_TEST

START_TEST(version_is_1_0_0)
{
    ck_assert_uint_eq(MI_VERSION, 0x00010000);
    ck_assert_uint_eq(MI_MAKE_VERSION(1, 2, 3), 0x00010203);
    ck_assert_int_eq(MI_MAJOR, 1);
    ck_assert_int_eq(MI_MINOR, 0);
    ck_assert_int_eq(MI_REVISION, 0);
}
END_TEST

START_TEST(everything_else_is_as_in_version_2)
{
    ck_assert_uint_eq(sizeof(MI_Context), 32);
    ck_assert_uint_eq(sizeof(MI_Instance), 64);
    ck_assert_uint_eq(sizeof(MI_SessionFT), 120);
    ck_assert_uint_eq(sizeof(MI_OperationFT), 48);
    ck_assert_uint_eq(sizeof(MI_ProviderFT), 112);
    ck_assert_uint_eq(sizeof(MI_LifecycleIndicationContextFT), 112);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("MI.h version 1");
    TCase *layout = tcase_create("layout");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, layout);
    tcase_add_test(layout, context_table_ends_with_write_error);
    tcase_add_test(layout, version_is_1_0_0);
    tcase_add_test(layout, everything_else_is_as_in_version_2);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
