/* SPDX-License-Identifier: MIT */
/*
 * What bounds a request of the embedded server: flow control between a provider and a slow client,
 * time-outs of providers that never return, limits, and nested requests from many threads.
 */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

/* As operation_step.c has it: one more result is with the client, and one is on its way. */
enum { AHEAD = 1024 + 2 };

static char ids[256];
static atomic_uint posted, taken, most_ahead;
static atomic_bool go_on, provider_left;
static atomic_int last_post;
static unsigned wanted_posts;
static bool ignores_cancel;
static pthread_t poster;

static void reset(unsigned posts)
{
    wanted_posts = posts;
    ignores_cancel = false;
    atomic_store(&posted, 0);
    atomic_store(&taken, 0);
    atomic_store(&most_ahead, 0);
    atomic_store(&go_on, false);
    atomic_store(&provider_left, false);
    atomic_store(&last_post, MI_RESULT_OK);
}

static void await_flag(atomic_bool *flag)
{
    for (int i = 0; i < 60000 && !atomic_load(flag); i++) {
        nap(1);
    }
    ck_assert(atomic_load(flag));
}

/* The posts of 100,000 stay more than two windows (AHEAD). */
static unsigned scaled(unsigned full)
{
    return getenv("EMULATED") != NULL ? full / 40 : getenv("QUICK") != NULL ? full / 20 : full;
}

/* Posts until it has posted all or is refused. */
static void post_all(MI_Context *context)
{
    MI_Result result = MI_RESULT_OK;

    while (result == MI_RESULT_OK && atomic_load(&posted) < wanted_posts) {
        MI_Boolean cancelled = MI_FALSE;
        result = post_widget(context, &widget_decl, "p", atomic_load(&posted));
        unsigned ahead = atomic_fetch_add(&posted, 1) + 1 - atomic_load(&taken);
        if (ahead > atomic_load(&most_ahead)) {
            atomic_store(&most_ahead, ahead);
        }
        if (!ignores_cancel &&
            (MI_Context_Canceled(context, &cancelled) != MI_RESULT_OK || cancelled)) {
            break;
        }
    }
    atomic_store(&last_post, (int)result);
    MI_Context_PostResult(context, result);
    atomic_store(&provider_left, true);
}

static void *post_all_on_thread(void *context)
{
    post_all(context);
    return NULL;
}

/* Until the provider's function has returned no other thread may be able to fetch, so that a post
 * does not wait. */
static void *post_all_after_return(void *argument)
{
    const struct context *context = argument;
    bool in_slot = true;

    while (in_slot) {
        nap(1);
        pthread_mutex_lock(&context->operation->lock);
        in_slot = context->in_slot;
        pthread_mutex_unlock(&context->operation->lock);
    }
    post_all(argument);
    return NULL;
}

static void enumerate_posts(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    post_all(context);
}

static void enumerate_posts_later(MI_Context *context, const MI_PropertySet *set,
                                  MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    pthread_create(&poster, NULL, post_all_after_return, context);
}

/* A thread of its own posts, and the function waits for it. */
static void enumerate_waits_for_poster(MI_Context *context, const MI_PropertySet *set,
                                       MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    pthread_create(&poster, NULL, post_all_on_thread, context);
    pthread_join(poster, NULL);
}

static void get_posts_later(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    pthread_create(&poster, NULL, post_all_after_return, context);
}

/* ---- a client that is called back --------------------------------------------------------- */

static atomic_uint finals, late_calls;
static atomic_int final_result, final_category;
static atomic_bool final_message;
static unsigned pause_after; /* the client pauses when it has as many */
static bool close_then;

static int category_of(const MI_Instance *details)
{
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    if (details == NULL || MI_Instance_GetElement(details, "error_Category", &value, &type, NULL,
                                                  NULL) != MI_RESULT_OK) {
        return -1;
    }
    return type == MI_UINT16 ? value.uint16 : -1;
}

static void on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                        MI_Boolean more, MI_Result result, const MI_Char *message,
                        const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)context;
    (void)acknowledge;
    atomic_fetch_add(&late_calls, atomic_load(&finals) > 0 ? 1 : 0);
    if (instance != NULL && atomic_fetch_add(&taken, 1) + 1 == pause_after) {
        nap(100);
        if (close_then) {
            MI_Operation_Close(operation);
        }
    }
    if (!more) {
        atomic_store(&final_result, (int)result);
        atomic_store(&final_category, category_of(details));
        atomic_store(&final_message, message != NULL && strstr(message, "time-out") != NULL);
        atomic_fetch_add(&finals, 1);
    }
}

static MI_OperationCallbacks callbacks = {.instanceResult = on_instance};

static void reset_client(unsigned pause, bool close)
{
    atomic_store(&finals, 0);
    atomic_store(&late_calls, 0);
    pause_after = pause;
    close_then = close;
}

static void await_final(void)
{
    for (int i = 0; i < 60000 && atomic_load(&finals) == 0; i++) {
        nap(1);
    }
    ck_assert_uint_eq(atomic_load(&finals), 1);
}

/* ---- flow control -------------------------------------------------------------------------- */

enum { SYNC, ASYNC };

static const struct {
    int way;
    bool get;
    void (*enumerate)(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only);
    void (*on_get)(MI_Context *context, const struct widget *widget);
} flows[] = {
    {SYNC, false, enumerate_posts, NULL},
    {SYNC, false, enumerate_posts_later, NULL},
    {SYNC, false, enumerate_waits_for_poster, NULL},
    {SYNC, true, NULL, get_posts_later},
    {ASYNC, false, enumerate_posts, NULL},
    {ASYNC, false, enumerate_posts_later, NULL},
    {ASYNC, true, NULL, get_posts_later},
};

static void start_flow(int row, MI_Operation *operation)
{
    MI_OperationCallbacks *back = flows[row].way == ASYNC ? &callbacks : NULL;

    hooks.enumerate = flows[row].enumerate;
    hooks.get = flows[row].on_get;
    if (flows[row].get) {
        MI_Instance *instance = key("T_Widget", "a");
        MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, back, operation);
        MI_Instance_Delete(instance);
        return;
    }
    MI_Session_EnumerateInstances(&session, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL, SPACE,
                                  "T_Widget", MI_FALSE, back, operation);
}

/* Counts and orders what comes; with pause, sleeps once in the middle. */
static MI_Result fetch_all(MI_Operation *operation, unsigned pause)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    while (more) {
        ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
        if (instance != NULL) {
            ck_assert_uint_eq(number(instance, "Count"), atomic_load(&taken));
            if (atomic_fetch_add(&taken, 1) + 1 == pause) {
                nap(100);
            }
        }
    }
    return result;
}

/* However slow the client is, the provider is ahead of it by no more than the window. */
START_TEST(test_slow_client)
{
    unsigned posts = scaled(100000);
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host());
    reset(posts);
    reset_client(500, false);
    start_flow(_i, &operation);
    if (flows[_i].way == ASYNC) {
        await_final();
        ck_assert_int_eq(atomic_load(&final_result), MI_RESULT_OK);
    } else {
        nap(100);
        ck_assert_int_eq(fetch_all(&operation, 500), MI_RESULT_OK);
    }
    ck_assert_uint_eq(atomic_load(&taken), posts);
    ck_assert_uint_le(atomic_load(&most_ahead), AHEAD);
    MI_Operation_Close(&operation);
    await_flag(&provider_left);
    ck_assert(no_operation_left());
    ck_assert_uint_eq(atomic_load(&late_calls), 0);
    stop_host();
}
END_TEST

/* A provider that posts for ever ends when its client goes: by Close, or with its session. */
START_TEST(test_posts_for_ever)
{
    int row = _i / 2;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more;
    MI_Result result;

    ck_assert(start_host());
    reset(UINT32_MAX);
    reset_client(10, _i % 2 == 0);
    start_flow(row, &operation);
    if (flows[row].way == SYNC) {
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(
                MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                MI_RESULT_OK);
            atomic_fetch_add(&taken, 1);
        }
        if (_i % 2 == 0) {
            ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        }
    }
    if (_i % 2 != 0) {
        nap(20);
        ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    }
    await_flag(&provider_left);
    ck_assert_int_eq(atomic_load(&last_post), MI_RESULT_OK); /* it did nothing wrong */
    ck_assert_uint_le(atomic_load(&most_ahead), AHEAD);
    if (flows[row].way == ASYNC) {
        await_final(); /* with what the provider posted in the end */
    }
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

/* ---- memory -------------------------------------------------------------------------------- */

static long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* Instances of 20 properties. */
static void enumerate_wide(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    MI_Instance *wide = NULL;
    MI_Result result = MI_Context_NewDynamicInstance(context, "T_Widget", 0, &wide);
    MI_Value value = {.string = (MI_Char *)(uintptr_t) "k"};
    (void)set;
    (void)keys_only;

    result = MI_Instance_AddElement(wide, "Id", &value, MI_STRING, MI_FLAG_KEY);
    for (unsigned i = 1; i < 20 && result == MI_RESULT_OK; i++) {
        char name[16];
        snprintf(name, sizeof(name), "P%u", i);
        value.string = (MI_Char *)(uintptr_t) "some text of a usual length";
        result = MI_Instance_AddElement(wide, name, &value, MI_STRING, 0);
    }
    while (result == MI_RESULT_OK && atomic_fetch_add(&posted, 1) < wanted_posts) {
        result = MI_Context_PostInstance(context, wide);
    }
    MI_Instance_Delete(wide);
    MI_Context_PostResult(context, result);
}

/* The client of the next test: called back or fetching, and as slow as it is. A slow one leaves its
 * provider waiting all the time. */
static const struct {
    int way;
    bool slow;
} paces[] = {{SYNC, false}, {SYNC, true}, {ASYNC, false}, {ASYNC, true}};

static bool slow_pace;
static long first_kib, early_kib, most_kib;

static void take_wide(const MI_Instance *instance)
{
    unsigned count = atomic_fetch_add(&taken, 1) + 1;

    ck_assert_ptr_nonnull(instance);
    if (slow_pace && count % 1024 == 0) {
        nap(1);
    }
    if (slow_pace && count == wanted_posts / 8) {
        nap(300);
    }
    if (count % 4096 == 0) {
        long now = resident_kib();
        early_kib = count <= wanted_posts / 4 ? now : early_kib;
        most_kib = now > most_kib ? now : most_kib;
    }
}

static void on_wide(MI_Operation *operation, void *context, const MI_Instance *instance,
                    MI_Boolean more, MI_Result result, const MI_Char *message,
                    const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    if (more) {
        take_wide(instance);
    } else {
        pause_after = 0;
        on_instance(operation, context, NULL, more, result, message, details, acknowledge);
    }
}

static MI_Result fetch_wide(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    while (more) {
        ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
        if (instance != NULL) {
            take_wide(instance);
        }
    }
    return result;
}

START_TEST(test_flat_memory)
{
    MI_OperationCallbacks back = {.instanceResult = on_wide};
    MI_Operation operation = MI_OPERATION_NULL;
    bool async = paces[_i].way == ASYNC;

    ck_assert(start_host());
    bool checked = getenv("RUNNER") != NULL; /* by valgrind, whose own memory grows */
    reset(getenv("FULL") != NULL       ? 1000000
          : getenv("EMULATED") != NULL ? 4000
          : checked                    ? 10000
          : getenv("QUICK") != NULL    ? 30000
                                       : 100000);
    reset_client(0, false);
    slow_pace = paces[_i].slow;
    early_kib = most_kib = 0;
    first_kib = resident_kib();
    hooks.enumerate = enumerate_wide;
    MI_Session_EnumerateInstances(&session, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL, SPACE,
                                  "T_Widget", MI_FALSE, async ? &back : NULL, &operation);
    if (async) {
        await_final();
        ck_assert_int_eq(atomic_load(&final_result), MI_RESULT_OK);
    } else {
        ck_assert_int_eq(fetch_wide(&operation), MI_RESULT_OK);
    }
    ck_assert_uint_eq(atomic_load(&taken), wanted_posts);
    /* A sanitizer's quarantine and records are no growth of the server. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    printf("%u instances of 20 properties, %s, %s client: %ld KiB at a quarter, %ld KiB at most\n",
           wanted_posts, async ? "called back" : "fetched", slow_pace ? "slow" : "fast", early_kib,
           most_kib);
    ck_assert(checked || most_kib - early_kib <= 8 * 1024);
    ck_assert(checked || most_kib - first_kib <= 40 * 1024); /* the window */
#endif
    MI_Operation_Close(&operation);
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

/* Two that are each larger than the window: neither side waits for the other. */
static char *large;

static void make_large(size_t size)
{
    large = malloc(size + 1);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', size);
    large[size] = '\0';
}

static void enumerate_large(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    MI_Result result = MI_RESULT_OK;
    (void)set;
    (void)keys_only;

    while (result == MI_RESULT_OK && atomic_fetch_add(&posted, 1) < wanted_posts) {
        result = post_widget(context, &widget_decl, large, 1);
    }
    atomic_store(&last_post, (int)result);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void get_large(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    enumerate_large(context, NULL, MI_FALSE);
}

START_TEST(test_larger_than_window)
{
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host());
    reset(2);
    make_large(5u << 20);
    hooks.enumerate = enumerate_large;
    MI_Session_EnumerateInstances(&session, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL, SPACE,
                                  "T_Widget", MI_FALSE, NULL, &operation);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert(no_operation_left());
    free(large);
    stop_host();
}
END_TEST

/* On the thread of its client a provider cannot wait: the limit in bytes counts, and its request
 * fails although it reports success. */
START_TEST(test_result_bytes)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = NULL;

    ck_assert(start_host());
    reset(UINT32_MAX);
    make_large(1u << 20);
    hooks.get = get_large;
    instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    ck_assert_int_eq(atomic_load(&last_post), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_le(atomic_load(&posted), MIGUARD_HOST_MAX_RESULT_BYTES / (1u << 20) + 1);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert(no_operation_left());
    free(large);
    stop_host();
}
END_TEST

/* Small ones: their number counts before their bytes do. */
START_TEST(test_result_count)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = NULL;
    static char one[] = "x";

    ck_assert(start_host());
    reset(UINT32_MAX);
    large = one;
    hooks.get = get_large;
    instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    ck_assert_int_eq(atomic_load(&last_post), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(atomic_load(&posted), MIGUARD_HOST_MAX_RESULTS + 1);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

/* One instance, on its way in and out. */
START_TEST(test_instance_size)
{
    ck_assert(start_host());
    reset(1);
    make_large(MIGUARD_HOST_MAX_INSTANCE_BYTES);
    hooks.get = get_large;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_int_eq(atomic_load(&last_post), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 1);
    ck_assert_int_eq(get(&session, "T_Widget", large, ids, sizeof(ids)),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(miguard_host_provider_calls(host), 1);
    large[MIGUARD_HOST_MAX_INSTANCE_BYTES / 2] = '\0';
    reset(1);
    ck_assert_int_eq(get(&session, "T_Widget", large, ids, sizeof(ids)), MI_RESULT_OK);
    free(large);
    stop_host();
}
END_TEST

/* ---- time-outs ----------------------------------------------------------------------------- */

static atomic_int cancel_reason;
static atomic_bool saw_cancel;

static void on_cancel(MI_CancellationReason reason, void *data)
{
    (void)data;
    atomic_store(&cancel_reason, (int)reason);
}

/* Does not return until the test lets it, whatever happens to its request. */
static void stay(MI_Context *context)
{
    MI_Boolean cancelled = MI_FALSE;

    if (wanted_posts > 0) {
        post_widget(context, &widget_decl, "first", 1);
        MI_Context_RegisterCancel(context, on_cancel, NULL);
    }
    await_flag(&go_on);
    MI_Context_Canceled(context, &cancelled);
    atomic_store(&saw_cancel, cancelled != MI_FALSE);
    MI_Context_PostResult(context, MI_RESULT_OK);
    atomic_store(&provider_left, true);
}

static void get_stays(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    stay(context);
}

static void enumerate_stays(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    stay(context);
}

static void start_limited(bool enumerate, unsigned milliseconds, MI_OperationCallbacks *back,
                          MI_Operation *operation)
{
    MI_Interval interval = {.microseconds = milliseconds * 1000};
    MI_OperationOptions options;

    ck_assert_int_eq(MI_Application_NewOperationOptions(&application, MI_FALSE, &options),
                     MI_RESULT_OK);
    if (milliseconds > 0) {
        MI_OperationOptions_SetTimeout(&options, &interval);
    }
    if (enumerate) {
        MI_Session_EnumerateInstances(&session, 0, &options, SPACE, "T_Widget", MI_FALSE, back,
                                      operation);
    } else {
        MI_Instance *instance = key("T_Widget", "a");
        MI_Session_GetInstance(&session, 0, &options, SPACE, instance, back, operation);
        MI_Instance_Delete(instance);
    }
    MI_OperationOptions_Delete(&options);
}

static void start_with_timeout(bool enumerate, MI_OperationCallbacks *back, MI_Operation *operation)
{
    start_limited(enumerate, 100, back, operation);
}

static void expect_timed_out(MI_Operation *operation, unsigned items)
{
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Char *message = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    unsigned count = 0;

    while (more) {
        ck_assert_int_eq(
            MI_Operation_GetInstance(operation, &instance, &more, &result, &message, &details),
            MI_RESULT_OK);
        count += instance != NULL;
    }
    ck_assert_uint_eq(count, items);
    ck_assert_int_eq(result, MI_RESULT_FAILED);
    ck_assert_ptr_nonnull(message);
    ck_assert_ptr_nonnull(strstr(message, "time-out"));
    ck_assert_int_eq(category_of(details), MI_ERRORCATEGORY_OPERATION_TIMEOUT);
}

/* By bits: asynchronous, an enumeration, a provider that posts something and hears of the end. */
START_TEST(test_never_returns)
{
    bool async = (_i & 1) != 0, enumerate = (_i & 2) != 0, registers = (_i & 4) != 0;
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host());
    reset(registers);
    reset_client(0, false);
    atomic_store(&cancel_reason, -1);
    hooks.get = get_stays;
    hooks.enumerate = enumerate_stays;
    start_with_timeout(enumerate, async ? &callbacks : NULL, &operation);
    if (async) {
        await_final();
        ck_assert_int_eq(atomic_load(&final_result), MI_RESULT_FAILED);
        ck_assert_int_eq(atomic_load(&final_category), MI_ERRORCATEGORY_OPERATION_TIMEOUT);
        ck_assert(atomic_load(&final_message));
        /* The one object of a GetInstance is dropped: it comes with a success only. */
        ck_assert_uint_eq(atomic_load(&taken), registers);
    } else {
        expect_timed_out(&operation, registers);
    }
    ck_assert(!atomic_load(&provider_left));
    ck_assert_int_eq(atomic_load(&cancel_reason), registers ? MI_REASON_TIMEOUT : -1);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    atomic_store(&go_on, true);
    await_flag(&provider_left);
    ck_assert(atomic_load(&saw_cancel));
    ck_assert(no_operation_left());
    ck_assert_uint_eq(atomic_load(&finals), async);
    ck_assert_uint_eq(atomic_load(&late_calls), 0);
    stop_host();
}
END_TEST

/* ---- providers that ignore the end --------------------------------------------------------- */

enum { PATIENCE_MS = 100 };

static atomic_uint sessions_closed;

static void on_session_closed(void *unused)
{
    (void)unused;
    atomic_fetch_add(&sessions_closed, 1);
}

/* How the client ends it, each with a time within which it has what it needs. */
enum { BY_CANCEL, BY_CLOSE, BY_SESSION, BY_HOST, BY_TIMEOUT, WAYS };

static void end_by(int way, MI_Operation *operation)
{
    switch (way) {
    case BY_CANCEL:
        ck_assert_int_eq(MI_Operation_Cancel(operation, MI_REASON_NONE), MI_RESULT_OK);
        break;
    case BY_CLOSE:
        ck_assert_int_eq(MI_Operation_Close(operation), MI_RESULT_OK);
        break;
    case BY_SESSION:
        ck_assert_int_eq(MI_Session_Close(&session, NULL, on_session_closed), MI_RESULT_OK);
        break;
    case BY_HOST:
        stop_host();
        break;
    default:
        break; /* it was started with a time-out */
    }
}

/* What was posted before comes first. */
static void expect_failed(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    while (more) {
        ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
    }
    ck_assert_int_eq(result, MI_RESULT_FAILED);
}

/* The client has its end, whatever the provider does. */
static void expect_end(int way, bool async, MI_Operation *operation)
{
    if (async) {
        await_final();
        ck_assert(
            atomic_load(&final_result) == MI_RESULT_FAILED ||
            (way == BY_HOST && atomic_load(&final_result) == MI_RESULT_SERVER_IS_SHUTTING_DOWN));
    } else if (way == BY_CANCEL || way == BY_TIMEOUT) {
        expect_failed(operation);
    }
    for (int i = 0; way == BY_SESSION && i < 60000 && atomic_load(&sessions_closed) == 0; i++) {
        nap(1);
    }
    ck_assert_uint_eq(atomic_load(&sessions_closed), way == BY_SESSION);
}

/* The handle is the client's to close where it has not been. */
static void let_go(int way, MI_Operation *operation)
{
    if (way == BY_CANCEL || way == BY_TIMEOUT) {
        ck_assert_int_eq(MI_Operation_Close(operation), MI_RESULT_OK);
    }
}

/* Posts on and on, and looks at the answers only: they are refusals in the end. */
START_TEST(test_ignores_cancel)
{
    int row = _i / BY_HOST, way = _i % BY_HOST;
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host_with(PATIENCE_MS));
    reset(UINT32_MAX);
    ignores_cancel = true;
    reset_client(UINT32_MAX, false);
    atomic_store(&sessions_closed, 0);
    start_flow(row, &operation);
    nap(20);
    end_by(way, &operation);
    expect_end(way, flows[row].way == ASYNC, &operation);
    await_flag(&provider_left);
    ck_assert_int_eq(atomic_load(&last_post), MI_RESULT_INVALID_PARAMETER);
    let_go(way, &operation);
    ck_assert(no_operation_left());
    ck_assert_uint_eq(atomic_load(&late_calls), 0);
    stop_host();
}
END_TEST

/* Neither answers nor returns. By bits: asynchronous, an
 * enumeration, a provider with a cancel callback. */
START_TEST(test_never_ends)
{
    int way = _i / 8;
    bool async = (_i & 1) != 0, enumerate = (_i & 2) != 0;
    MI_Operation operation = MI_OPERATION_NULL;

    if (!async && !enumerate && way != BY_TIMEOUT) {
        return; /* it is on the thread of its client */
    }
    ck_assert(start_host_with(PATIENCE_MS));
    reset((_i & 4) != 0);
    reset_client(0, false);
    atomic_store(&sessions_closed, 0);
    hooks.get = get_stays;
    hooks.enumerate = enumerate_stays;
    start_limited(enumerate, way == BY_TIMEOUT ? PATIENCE_MS : 0, async ? &callbacks : NULL,
                  &operation);
    for (int i = 0; i < 60000 && miguard_host_provider_calls(host) == 0; i++) {
        nap(1);
    }
    end_by(way, &operation);
    expect_end(way, async, &operation);
    ck_assert(!atomic_load(&provider_left));
    let_go(way, &operation);
    if (_i % 2 == 0 && way != BY_HOST) {
        stop_host();
        ck_assert(!atomic_load(&provider_left));
    }
    atomic_store(&go_on, true);
    await_flag(&provider_left);
    ck_assert(no_operation_left());
    ck_assert_uint_eq(atomic_load(&finals), async);
    ck_assert_uint_eq(atomic_load(&late_calls), 0);
    if (host != NULL) {
        stop_host();
    } else {
        ck_assert_ptr_null(strstr(trace, "unload")); /* its code may have been running */
    }
}
END_TEST

/* The final result is there, and its provider keeps the thread that delivers it. */
static void get_answers_and_stays(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    MI_Context_PostResult(context, MI_RESULT_NOT_FOUND);
    await_flag(&go_on);
    atomic_store(&provider_left, true);
}

START_TEST(test_answers_and_stays)
{
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host_with(PATIENCE_MS));
    reset(0);
    reset_client(0, false);
    hooks.get = get_answers_and_stays;
    start_limited(false, _i == BY_TIMEOUT ? PATIENCE_MS : 0, &callbacks, &operation);
    nap(20);
    end_by(_i, &operation);
    await_final();
    ck_assert_int_eq(atomic_load(&final_result), MI_RESULT_NOT_FOUND);
    ck_assert(!atomic_load(&provider_left));
    let_go(_i, &operation);
    atomic_store(&go_on, true);
    await_flag(&provider_left);
    ck_assert(no_operation_left());
    ck_assert_uint_eq(atomic_load(&finals), 1);
    if (host != NULL) {
        stop_host();
    } else {
        ck_assert_ptr_null(strstr(trace, "unload"));
    }
}
END_TEST

/* The provider's answer and the time-out come at about the same time: one end, whichever it is. */
static void get_slow(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    nap(99);
    for (int i = 0; i < 20 && post_widget(context, &widget_decl, "s", 1) == MI_RESULT_OK; i++) {
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

START_TEST(test_close_race)
{
    ck_assert(start_host());
    hooks.get = get_slow;
    for (unsigned i = 0; i < scaled(100); i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        reset_client(0, false);
        start_with_timeout(false, &callbacks, &operation);
        await_final();
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        ck_assert(no_operation_left());
        ck_assert_uint_eq(atomic_load(&late_calls), 0);
    }
    stop_host();
}
END_TEST

/* ---- nested requests ----------------------------------------------------------------------- */

enum { LEVELS = 16, THREADS = 16 };

static atomic_uint deepest_reached;

/* The next level by turns with GetInstance and an enumeration. */
static void nest(MI_Context *context)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Result result = MI_RESULT_OK;
    MI_Session local;
    char found[64];
    unsigned depth = dispatch_depth();

    if (depth < LEVELS) {
        result = MI_Context_GetLocalSession(context, &local);
        if (result == MI_RESULT_OK && depth % 2 == 0) {
            result = get(&local, "T_Widget", "n", found, sizeof(found));
        } else if (result == MI_RESULT_OK) {
            MI_Session_EnumerateInstances(&local, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL,
                                          SPACE, "T_Widget", MI_FALSE, NULL, &operation);
            result = drain(&operation, found, sizeof(found));
        }
    } else {
        atomic_fetch_add(&deepest_reached, 1);
    }
    if (result == MI_RESULT_OK) {
        result = post_widget(context, &widget_decl, "n", depth);
    }
    MI_Context_PostResult(context, result);
}

static void get_nests(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    nest(context);
}

static void enumerate_nests(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    nest(context);
}

static atomic_uint requests_left;

static void *ask_nested(void *wrong)
{
    char found[64];

    for (;;) {
        unsigned left = atomic_load(&requests_left);
        do {
            if (left == 0) {
                return NULL;
            }
        } while (!atomic_compare_exchange_weak(&requests_left, &left, left - 1));
        if (get(&session, "T_Widget", "n", found, sizeof(found)) != MI_RESULT_OK ||
            strcmp(found, "n ") != 0) {
            atomic_fetch_add((atomic_uint *)wrong, 1);
        }
    }
}

START_TEST(test_nested_storm)
{
    unsigned requests = scaled(10000);
    atomic_uint wrong = 0;
    pthread_t threads[THREADS];

    ck_assert(start_host());
    hooks.get = get_nests;
    hooks.enumerate = enumerate_nests;
    atomic_store(&deepest_reached, 0);
    atomic_store(&requests_left, requests);
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_nested, &wrong), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(atomic_load(&wrong), 0);
    ck_assert_uint_eq(atomic_load(&deepest_reached), requests);
    ck_assert(no_operation_left());
    ck_assert_uint_eq(miguard_host_provider_calls(host), (uint64_t)requests * LEVELS);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host flow");
    TCase *tests = tcase_create("flow"), *limits = tcase_create("limits");

    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_slow_client, 0, COUNT(flows));
    tcase_add_loop_test(tests, test_posts_for_ever, 0, 2 * COUNT(flows));
    tcase_add_loop_test(tests, test_flat_memory, 0, COUNT(paces));
    tcase_add_test(tests, test_larger_than_window);
    tcase_add_test(tests, test_result_bytes);
    tcase_add_test(tests, test_instance_size);
    tcase_add_loop_test(tests, test_never_returns, 0, 8);
    tcase_add_loop_test(tests, test_ignores_cancel, 0, BY_HOST * COUNT(flows));
    tcase_add_loop_test(tests, test_never_ends, 0, 8 * WAYS);
    tcase_add_loop_test(tests, test_answers_and_stays, 0, WAYS);
    tcase_add_test(tests, test_close_race);
    tcase_add_test(tests, test_nested_storm);
    suite_add_tcase(suite, tests);
    tcase_set_timeout(limits, 300);
    tcase_set_tags(limits, "values");
    tcase_add_test(limits, test_result_count);
    suite_add_tcase(suite, limits);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
