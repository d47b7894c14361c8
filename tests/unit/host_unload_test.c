/* SPDX-License-Identifier: MIT */
/*
 * Providers of the embedded server that are unloaded when they have no requests (reference D.7),
 * and loaded again: what prevents it, on which thread, and that no request meets an unloaded
 * provider.
 */
#include "host_module.h"

#include <check.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/server/host.h"

enum { IDLE_MS = 30, LONG_ENOUGH_MS = 400 };

static char ids[256];

/* How often a word is in the trace. */
static unsigned times(const char *what)
{
    unsigned count = 0;

    pthread_mutex_lock(&trace_lock);
    for (const char *at = strstr(trace, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    pthread_mutex_unlock(&trace_lock);
    return count;
}

static void await_times(const char *what, unsigned count)
{
    for (int i = 0; i < 60000 && times(what) < count; i++) {
        nap(1);
    }
    ck_assert_uint_eq(times(what), count);
}

static void expect_get(MI_Result result)
{
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), result);
}

START_TEST(test_unload_and_reload)
{
    ck_assert(start_host_idle(2000, IDLE_MS));
    for (unsigned i = 1; i <= 3; i++) {
        expect_get(MI_RESULT_OK);
        ck_assert_uint_eq(times("widget-load"), i);
        await_times("widget-unload", i);
    }
    nap(5 * IDLE_MS); /* once for each Load */
    ck_assert_uint_eq(times("widget-unload"), 3);
    stop_host();
    ck_assert_uint_eq(times("widget-unload"), 3);
    ck_assert_uint_eq(times("module-load"), 1);
    ck_assert_uint_eq(times("module-unload"), 1);
}
END_TEST

/* The default, and never. */
START_TEST(test_not_idle_enough)
{
    ck_assert(start_host_idle(2000, _i == 0 ? 0 : MIGUARD_HOST_KEEP_LOADED));
    ck_assert_uint_eq(host->options.idle_unload_ms, _i == 0 ? 90000 : MIGUARD_HOST_KEEP_LOADED);
    ck_assert(host->idle_running == (_i == 0));
    expect_get(MI_RESULT_OK);
    nap(LONG_ENOUGH_MS);
    ck_assert_uint_eq(times("widget-unload"), 0);
    stop_host();
    ck_assert_uint_eq(times("widget-unload"), 1);
}
END_TEST

/* Each request counts anew. */
START_TEST(test_used_again_and_again)
{
    ck_assert(start_host_idle(2000, 3000));
    for (int i = 0; i < 20; i++) {
        expect_get(MI_RESULT_OK);
        nap(20);
    }
    ck_assert_uint_eq(times("widget-load"), 1);
    ck_assert_uint_eq(times("widget-unload"), 0);
    stop_host();
}
END_TEST

/* ---- what the provider says ---------------------------------------------------------------- */

static void load_refuses(void **self, MI_Context *context)
{
    (void)self;
    ck_assert_int_eq(MI_Context_RefuseUnload(context), MI_RESULT_OK);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void get_requests_unload(MI_Context *context, const struct widget *widget)
{
    ck_assert_int_eq(MI_Context_RequestUnload(context), MI_RESULT_OK);
    MI_Context_PostResult(context, post_widget(context, &widget_decl, widget->Id.value, 1));
}

START_TEST(test_refuse_unload)
{
    ck_assert(start_host_idle(2000, IDLE_MS));
    hooks.load = load_refuses;
    expect_get(MI_RESULT_OK);
    ck_assert_int_eq(get(&session, "T_Gadget", "g1", ids, sizeof(ids)), MI_RESULT_OK);
    await_times("gadget-unload", 1); /* its neighbour's refusal is not its own */
    nap(LONG_ENOUGH_MS);
    ck_assert_uint_eq(times("widget-unload"), 0);
    if (_i == 0) {
        stop_host(); /* it does not prevent the end */
        ck_assert_uint_eq(times("widget-unload"), 1);
        return;
    }
    hooks.get = get_requests_unload;
    hooks.load = NULL; /* the refusal is one of the Load that made it */
    expect_get(MI_RESULT_OK);
    await_times("widget-unload", 1);
    hooks.get = NULL;
    expect_get(MI_RESULT_OK);
    await_times("widget-unload", 2);
    stop_host();
}
END_TEST

/* ---- requests that are open ---------------------------------------------------------------- */

static MI_Context *kept;

static void get_keeps(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
}

START_TEST(test_open_request)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = NULL;

    ck_assert(start_host_idle(2000, IDLE_MS));
    hooks.get = get_keeps;
    instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    if (_i != 0) {
        MI_Operation_Close(&operation); /* its client is gone: the provider has it still */
    }
    nap(LONG_ENOUGH_MS);
    ck_assert_uint_eq(times("widget-unload"), 0);
    ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_OK), MI_RESULT_OK);
    await_times("widget-unload", 1);
    stop_host();
}
END_TEST

/* ---- Unload itself ------------------------------------------------------------------------- */

static MI_Result own_class, other_class;

static void unload_asks(MI_Context *context)
{
    MI_Session local;
    char nested[64];

    if (MI_Context_GetLocalSession(context, &local) == MI_RESULT_OK) {
        own_class = get(&local, "T_Widget", "a", nested, sizeof(nested));
        other_class = get(&local, "T_Gadget", "g1", nested, sizeof(nested));
    }
    hooks.unload = NULL;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_unload_asks)
{
    ck_assert(start_host_idle(2000, IDLE_MS));
    own_class = other_class = MI_RESULT_NOT_FOUND;
    hooks.unload = unload_asks;
    expect_get(MI_RESULT_OK);
    await_times("widget-unload", 1);
    expect_get(MI_RESULT_OK); /* waits for the end of Unload */
    ck_assert_int_eq(own_class, MI_RESULT_FAILED);
    ck_assert_int_eq(other_class, MI_RESULT_OK);
    stop_host();
}
END_TEST

static void unload_silent(MI_Context *context)
{
    (void)context;
}

/* Its code may still run: it is neither asked nor unmapped any more. */
START_TEST(test_unload_silent)
{
    ck_assert(start_host_idle(100, IDLE_MS));
    hooks.unload = unload_silent;
    expect_get(MI_RESULT_OK);
    await_times("widget-unload", 1);
    expect_get(MI_RESULT_FAILED);
    stop_host();
    ck_assert_uint_eq(times("widget-unload"), 1);
    ck_assert_uint_eq(times("module-unload"), 0);
}
END_TEST

static void unload_slow(MI_Context *context)
{
    nap(200);
    note("slow-done");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_end_within_unload)
{
    ck_assert(start_host_idle(2000, IDLE_MS));
    hooks.unload = unload_slow;
    expect_get(MI_RESULT_OK);
    await_times("widget-unload", 1);
    stop_host();
    ck_assert_uint_eq(times("slow-done"), 1);
    ck_assert_uint_eq(times("widget-unload"), 1);
    ck_assert_uint_eq(times("module-unload"), 1);
}
END_TEST

/* Unload has the credentials of the program, whichever client was the last one. */
static long unloaded_as;

static void unload_as(MI_Context *context)
{
    unloaded_as = syscall(SYS_geteuid);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void *ask_as_another(void *unused)
{
    (void)unused;
    if (syscall(SYS_setresuid, 65534, 65534, 65534) == 0) {
        expect_get(MI_RESULT_OK);
    }
    return NULL;
}

START_TEST(test_credentials)
{
    pthread_t thread;

    ck_assert(start_host_idle(2000, IDLE_MS));
    unloaded_as = -1;
    hooks.unload = unload_as;
    if (geteuid() != 0) {
        printf("skip: credentials of Unload: needs root\n");
        stop_host();
        return;
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_as_another, NULL), 0);
    pthread_join(thread, NULL);
    await_times("widget-unload", 1);
    stop_host();
    ck_assert_int_eq(unloaded_as, 0);
}
END_TEST

/* ---- under load ---------------------------------------------------------------------------- */

enum { CLIENTS = 8 };

static atomic_bool is_loaded, over;
static atomic_int inside;
static atomic_uint wrong, loads, requests;

static void load_marks(void **self, MI_Context *context)
{
    (void)self;
    atomic_fetch_add(&wrong, atomic_load(&is_loaded) || atomic_load(&inside) > 0);
    atomic_fetch_add(&loads, 1);
    atomic_store(&is_loaded, true);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload_marks(MI_Context *context)
{
    atomic_fetch_add(&wrong, !atomic_load(&is_loaded) || atomic_load(&inside) > 0);
    atomic_store(&is_loaded, false);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void *answer_later(void *context)
{
    post_widget(context, &widget_decl, "late", 1);
    atomic_fetch_add(&wrong, !atomic_load(&is_loaded));
    atomic_fetch_sub(&inside, 1);
    MI_Context_PostResult(context, MI_RESULT_OK);
    return NULL;
}

static void get_marks(MI_Context *context, const struct widget *widget)
{
    pthread_t thread;

    atomic_fetch_add(&inside, 1);
    atomic_fetch_add(&wrong, !atomic_load(&is_loaded));
    if (widget->Id.value[0] == 'l' && pthread_create(&thread, NULL, answer_later, context) == 0) {
        pthread_detach(thread);
        return;
    }
    post_widget(context, &widget_decl, widget->Id.value, 1);
    atomic_fetch_add(&wrong, !atomic_load(&is_loaded));
    atomic_fetch_sub(&inside, 1);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void *ask_in_bursts(void *number_of)
{
    unsigned seed = (unsigned)(uintptr_t)number_of;
    char found[64];

    while (!atomic_load(&over)) {
        for (unsigned i = 0; i < seed % 7 + 1; i++) {
            const char *id = i % 4 == 3 ? "later" : "now";
            MI_Result result = get(&session, "T_Widget", id, found, sizeof(found));
            atomic_fetch_add(&wrong, result != MI_RESULT_OK || found[0] == '\0');
            atomic_fetch_add(&requests, 1);
        }
        nap(seed % 5);
        seed = seed * 1103515245u + 12345u;
    }
    return NULL;
}

START_TEST(test_under_load)
{
    unsigned least = getenv("EMULATED") != NULL ? 3 : getenv("QUICK") != NULL ? 30 : 300;
    pthread_t threads[CLIENTS];

    ck_assert(start_host_idle(20000, 1));
    hooks.load = load_marks;
    hooks.unload = unload_marks;
    hooks.get = get_marks;
    for (uintptr_t i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_in_bursts, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 60000 && atomic_load(&loads) < least; i++) {
        nap(1);
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(atomic_load(&wrong), 0);
    ck_assert_uint_ge(atomic_load(&loads), least);
    ck_assert_uint_ge(atomic_load(&requests), atomic_load(&loads));
    stop_host();
    ck_assert(!atomic_load(&is_loaded));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host unload");
    TCase *tests = tcase_create("unload");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_unload_and_reload);
    tcase_add_loop_test(tests, test_not_idle_enough, 0, 2);
    tcase_add_test(tests, test_used_again_and_again);
    tcase_add_loop_test(tests, test_refuse_unload, 0, 2);
    tcase_add_loop_test(tests, test_open_request, 0, 2);
    tcase_add_test(tests, test_unload_asks);
    tcase_add_test(tests, test_unload_silent);
    tcase_add_test(tests, test_end_within_unload);
    tcase_add_test(tests, test_credentials);
    tcase_add_test(tests, test_under_load);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
