/* SPDX-License-Identifier: MIT */
/*
 * That each entry point begins with ENTRY_UNCANCELLED: every public function that the libraries
 * export, and every function in the tables that are handed to a provider, a client or a host. They
 * are called with nothing but zeros, which each must stand, and what is looked at is whether the
 * first lines have disabled cancellation, and whether errno, which is changed just then, is what it
 * was when they return. What is new in a list or a table is found by itself.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "miguard/host.h"
#include "miguard/shim.h"
#include "support/entry_points.h"
#include "support/log.h"

/* ---- the line seen from outside ---------------------------------------------------------------
 */

static __thread const void *first_disabled_at; /* where, since the last call began */
static __thread unsigned disabled;

/* In place of the C library's. */
int pthread_setcancelstate(int state, int *old)
{
    static int (*real)(int, int *);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_setcancelstate");
    }
    if (state == PTHREAD_CANCEL_DISABLE) {
        errno = EUCLEAN; /* as a call further down leaves it */
        disabled++;
        first_disabled_at =
            first_disabled_at != NULL ? first_disabled_at : __builtin_return_address(0);
    }
    return real(state, old);
}

/* A function that another one calls may begin with the line, too: so it must be near. Where a
 * sanitizer has its code in between, the number alone counts. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define NEAR UINTPTR_MAX
#else
#define NEAR 400
#endif

typedef uintptr_t (*any_function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                                  uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                                  uintptr_t);

/* A structure that is returned in memory, and as large as any. */
struct large {
    char bytes[256];
};
typedef struct large (*structure_function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t);

/* More arguments than any has. Where a structure that is returned goes is the machine's choice: the
 * first argument on x86-64, a register of its own on aarch64. */
__attribute__((no_sanitize("undefined"))) static void call(any_function function, bool structure)
{
    first_disabled_at = NULL;
    disabled = 0;
    if (structure) {
        structure_function same = NULL;
        memcpy(&same, &function, sizeof(same));
        (void)same(0, 0, 0, 0);
        return;
    }
    (void)function(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void check(const char *name, any_function function, bool structure, uintptr_t near)
{
    uintptr_t start = 0;
    int state = PTHREAD_CANCEL_ENABLE;

    memcpy(&start, &function, sizeof(start));
    errno = ENOTTY;
    call(function, structure);
    ck_assert_msg(errno == ENOTTY, "%s leaves errno %d", name, errno);
    ck_assert_msg(disabled > 0, "%s does not begin with ENTRY_UNCANCELLED", name);
    ck_assert_msg((uintptr_t)first_disabled_at - start < near,
                  "%s: the first ENTRY_UNCANCELLED is that of a function it calls", name);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    ck_assert_msg(state == PTHREAD_CANCEL_ENABLE, "%s leaves cancellation disabled", name);
}

/* ---- what is exported -------------------------------------------------------------------------
 */

/* They hold nothing and wait for nothing: a constant, a name, a word of memory. */
static const char *const harmless[] = {
    "miguard_component_name",
    "miguard_component_from_name",
    "miguard_status_name",
    "miguard_status_text",
    "miguard_error_text",
    "miguard_version",
    "miguard_switch_depth",
    "miguard_keep",
    "miguard_revoke",
    "miguard_set_tracer",
    "miguard_binding_number",
    "miguard_binding_identity",
    "miguard_identity_known",
    "miguard_identity_compare",
    "miguard_host_provider_calls",
    "mi_clientFT_V1",
};

static bool is_harmless(const char *name)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        if (strcmp(harmless[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing else in here has the linker take these. */
void *volatile linked[] = {
    (void *)(uintptr_t)miguard_target_describe,     (void *)(uintptr_t)miguard_home_capture,
    (void *)(uintptr_t)miguard_target_session,      (void *)(uintptr_t)miguard_wrap_module,
    (void *)(uintptr_t)miguard_context_client,      (void *)(uintptr_t)miguard_target_thread,
    (void *)(uintptr_t)miguard_host_context_client, (void *)(uintptr_t)miguard_bind,
    (void *)(uintptr_t)miguard_front_end_register,  (void *)(uintptr_t)miguard_shim_main};

/* The starters of the host have one function behind them all. */
#define FAR UINTPTR_MAX

/* These look first whether there is anything to do, and hold nothing then. Of what comes behind
 * that a compiler may make a function of its own. */
static uintptr_t near_of(const char *name)
{
    bool looks =
        strcmp(name, "miguard_home_check") == 0 || strcmp(name, "miguard_home_return") == 0;

    return looks ? FAR : NEAR;
}

static void check_exports(const char *list, unsigned at_least)
{
    char name[128];
    unsigned count = 0;
    FILE *file = fopen(list, "r");

    ck_assert_msg(file != NULL, "run from the top folder");
    while (fscanf(file, "%127s", name) == 1) {
        any_function function = NULL;
        if (is_harmless(name)) {
            continue;
        }
        *(void **)&function = dlsym(RTLD_DEFAULT, name);
        ck_assert_msg(function != NULL, "%s is not in this program", name);
        bool structure =
            strcmp(name, "miguard_gate_state") == 0 || strcmp(name, "miguard_scope_enter") == 0;
        check(name, function, structure, near_of(name));
        count++;
    }
    (void)fclose(file);
    ck_assert_uint_ge(count, at_least);
}

START_TEST(public_functions_are_not_cancelled)
{
    check_exports("tests/data/exports-miguard.txt", 25);
}
END_TEST

START_TEST(public_functions_of_the_host_are_not_cancelled)
{
    check_exports("tests/data/exports-miguard-host.txt", 6);
}
END_TEST

/* ---- tables -----------------------------------------------------------------------------------
 */

static void check_table(const char *name, const void *table, size_t size, uintptr_t near)
{
    const char *at = table;

    for (size_t i = 0; i < size / sizeof(any_function); i++) {
        any_function function = NULL;
        char slot[64];
        memcpy(&function, at + i * sizeof(function), sizeof(function));
        snprintf(slot, sizeof(slot), "slot %zu of %s", i, name);
        ck_assert_msg(function != NULL, "%s is empty", slot);
        check(slot, function, false, near);
    }
}

#define CHECK_TABLE(table, near) check_table(#table, &(table), sizeof(table), near)

START_TEST(guarded_tables_are_not_cancelled)
{
    MI_Operation refused = MI_OPERATION_NULL;
    MI_Session nothing = {0, 0, &guarded_session_ft};
    struct scene scene;

    log_start_once();
    ck_assert(scene_make(&scene));
    CHECK_TABLE(guarded_session_ft, NEAR);
    CHECK_TABLE(guarded_operation_ft, NEAR);
    CHECK_TABLE(guarded_application_ft, NEAR);
    check_table("guarded_context_ft", scene.context->ft, sizeof(*scene.context->ft), NEAR);
    MI_Session_TestConnection(&nothing, 0, NULL, &refused);
    check_table("refused_operation_ft", refused.ft, sizeof(*refused.ft), NEAR);
    check("acknowledgement", (any_function)(void (*)(void))scene.acknowledge, false, NEAR);
    check("prompt answer", (any_function)(void (*)(void))scene.answer_prompt, false, NEAR);
    check("error answer", (any_function)(void (*)(void))scene.answer_error, false, NEAR);
    scene_end(&scene);
}
END_TEST

/* With the context 0 there is no operation, and nobody is called. */
START_TEST(callbacks_from_a_host_are_not_cancelled)
{
    struct guarded_operation all = {.asynchronous = true};
    const enum result_kind kinds[] = {RESULT_INSTANCE, RESULT_INDICATION, RESULT_CLASS};
    unsigned count = 0;

    memset(&all.callbacks, 0xFF, sizeof(all.callbacks)); /* it is only asked what there is */
    for (size_t kind = 0; kind < 3; kind++) {
        const MI_OperationCallbacks table = callback_table(&all, 0, kinds[kind]);
        const char *at = (const char *)&table;
        for (size_t i = sizeof(void *); i < sizeof(table); i += sizeof(void *)) {
            any_function function = NULL;
            memcpy(&function, at + i, sizeof(function));
            if (function != NULL) {
                check("a callback", function, false, NEAR);
                count++;
            }
        }
    }
    ck_assert_uint_eq(count, 3 * 6);
}
END_TEST

extern const MI_ContextFT context_ft; /* the host's */

START_TEST(tables_of_the_host_are_not_cancelled)
{
    CHECK_TABLE(*mi_clientFT_V1->sessionFT, FAR);
    CHECK_TABLE(*mi_clientFT_V1->operationFT, FAR);
    CHECK_TABLE(*mi_clientFT_V1->serializerFT, FAR);
    CHECK_TABLE(*mi_clientFT_V1->deserializerFT, FAR);
    CHECK_TABLE(context_ft, FAR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entry");
    TCase *tests = tcase_create("entry");

    tcase_add_test(tests, public_functions_are_not_cancelled);
    tcase_add_test(tests, public_functions_of_the_host_are_not_cancelled);
    tcase_add_test(tests, guarded_tables_are_not_cancelled);
    tcase_add_test(tests, callbacks_from_a_host_are_not_cancelled);
    tcase_add_test(tests, tables_of_the_host_are_not_cancelled);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
