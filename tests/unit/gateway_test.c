/* SPDX-License-Identifier: MIT */
/* The gateway over a host that only counts: how sessions are had, how refusals are delivered, what
 * ends with a context, and under whose identity callbacks run. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { SOMEBODY = 12345 };

static struct stub_host *host;
static MI_Context *context;

static void set_up(void)
{
    log_start();
    host = stub_host_new();
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
}

static void tear_down(void)
{
    if (context != NULL) {
        MI_Context_PostResult(context, MI_RESULT_OK);
    }
    ck_assert_uint_eq(slots_in_use(&guarded_operations), 0);
    ck_assert_uint_eq(slots_in_use(&guarded_sessions), 0);
    ck_assert_uint_eq(slots_in_use(&guarded_contexts), 0);
    stub_host_free(host);
    log_remove();
}

static MI_Session take(void)
{
    MI_Session session = MI_SESSION_NULL;
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_OK);
    return session;
}

static MI_Operation start(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_EnumerateInstances(session, 0, NULL, "root/test", "Test", MI_FALSE, NULL,
                                  &operation);
    return operation;
}

static bool is_zero(const void *object, size_t size)
{
    const unsigned char *bytes = object;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool need_root(void)
{
    static bool said;
    if (geteuid() == 0) {
        return true;
    }
    if (!said) {
        printf("skip: changing credentials needs root\n");
        said = true;
    }
    return false;
}

/* ---- getting a session ------------------------------------------------------------------- */

START_TEST(bad_arguments_give_no_session)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Context forged = *context;

    ck_assert_int_eq(MI_Context_PostResult(&forged, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->final_posts, 0);
    ck_assert_int_eq(miguard_get_local_session(context, NULL), MI_RESULT_INVALID_PARAMETER);
    memset(&session, 0xAA, sizeof(session));
    ck_assert_int_eq(miguard_get_local_session(NULL, &session), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&session, sizeof(session)));
    memset(&session, 0xAA, sizeof(session));
    ck_assert_int_eq(miguard_get_local_session(&host->context, &session),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_int_eq(log_count("session-open", "handle-forged"), 2);
    forged.reserved[1] ^= 1;
    memset(&session, 0xAA, sizeof(session));
    ck_assert_int_eq(MI_Context_GetLocalSession(&forged, &session), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_uint_eq(host->local_sessions, 0);
}
END_TEST

START_TEST(bad_arguments_guard_no_context)
{
    MI_Context *guarded = context;
    MI_Context without_table = {0};

    ck_assert_int_eq(miguard_guard_context(&host->context, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(miguard_guard_context(NULL, &guarded), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(guarded);
    ck_assert_int_eq(miguard_guard_context(&without_table, &guarded), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(miguard_guard_context(context, &guarded), MI_RESULT_OK);
    ck_assert_ptr_eq(guarded, context);
}
END_TEST

START_TEST(one_identity_has_one_session)
{
    MI_Session first = take(), second = take();
    ck_assert_mem_eq(&first, &second, sizeof(first));
    ck_assert_uint_eq(host->local_sessions, 1);
    ck_assert_int_eq(log_count("session-open", "identity-match"), 1);
}
END_TEST

static void take_as_somebody(void *data)
{
    MI_Session *session = data;
    if (!raw_setfsuid(SOMEBODY) || MI_Context_GetLocalSession(context, session) != MI_RESULT_OK) {
        memset(session, 0, sizeof(*session));
    }
}

START_TEST(another_identity_has_another_session)
{
    MI_Session mine = take(), other;
    if (!need_root()) {
        return;
    }
    raw_on_thread(take_as_somebody, &other);
    ck_assert_ptr_nonnull(other.ft);
    ck_assert(other.reserved1 != mine.reserved1);
    ck_assert_uint_eq(host->local_sessions, 2);
}
END_TEST

START_TEST(the_host_may_refuse)
{
    MI_Session session = MI_SESSION_NULL;
    host->local_session_result = MI_RESULT_NOT_SUPPORTED;
    memset(&session, 0xAA, sizeof(session));
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_NOT_SUPPORTED);
    ck_assert(is_zero(&session, sizeof(session)));
}
END_TEST

/* The log is at its size limit: nothing can be recorded, so nothing is given out. */
START_TEST(what_cannot_be_recorded_is_not_given_out)
{
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit none = {0, before.rlim_max};
    MI_Session session = MI_SESSION_NULL;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    memset(&session, 0xAA, sizeof(session));
    MI_Result result = MI_Context_GetLocalSession(context, &session);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(result, MI_RESULT_ACCESS_DENIED);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_uint_eq(host->local_sessions, 0);
    take();
    ck_assert_int_eq(log_count("records-lost", NULL), 1);
}
END_TEST

/* ---- how a refusal is delivered ---------------------------------------------------------- */

static MI_Operation refused_operation(void)
{
    MI_Session session = take();
    session.reserved2 ^= 1;
    return start(&session);
}

START_TEST(a_refused_start_leaves_a_real_operation)
{
    MI_Operation operation = refused_operation(), copy = operation;
    MI_Session session = MI_SESSION_NULL;

    ck_assert_ptr_nonnull(operation.ft);
    for (int kind = 0; kind < 3; kind++) {
        for (int again = 0; again < 2; again++) {
            const MI_Instance *instance = (const MI_Instance *)&operation, *details = instance;
            const MI_Class *object = (const MI_Class *)&operation;
            const MI_Char *message = NULL, *bookmark = "x", *machine = "x";
            MI_Boolean more = MI_TRUE;
            MI_Result result = MI_RESULT_OK;
            MI_Result answer =
                kind == 0   ? MI_Operation_GetInstance(&operation, &instance, &more, &result,
                                                       &message, &details)
                : kind == 1 ? MI_Operation_GetIndication(&operation, &instance, &bookmark, &machine,
                                                         &more, &result, &message, &details)
                            : MI_Operation_GetClass(&operation, &object, &more, &result, &message,
                                                    &details);
            ck_assert_int_eq(answer, MI_RESULT_OK);
            ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
            ck_assert(!more);
            ck_assert_ptr_null(kind == 2 ? (const void *)object : (const void *)instance);
            ck_assert_ptr_null(details);
            ck_assert_ptr_nonnull(message);
        }
    }
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Operation_GetSession(&operation, &session), MI_RESULT_OK);
    MI_Session forged =
        take(); /* what was given is given back, and not what would have been right */
    forged.reserved2 ^= 1;
    ck_assert_mem_eq(&session, &forged, sizeof(session));
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert(is_zero(&operation, sizeof(operation)));
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Close(&copy), MI_RESULT_OK);
    ck_assert_uint_eq(host->reached, 0);
}
END_TEST

START_TEST(a_refused_operation_with_garbage_in_it_stays_refused)
{
    MI_Operation operation = refused_operation();
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;

    for (ptrdiff_t garbage = 0; garbage < 1 << 13; garbage++) {
        MI_Result result = MI_RESULT_OK;
        operation.reserved2 = garbage;
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        ck_assert_int_ne(result, MI_RESULT_OK);
    }
}
END_TEST

struct seen {
    int calls;
    MI_Result result;
    bool data, acknowledge;
    char message[256];
    uid_t fsuid;
    MI_Operation operation;
    MI_Result(MI_CALL *ack)(MI_Operation *);
};

static void MI_CALL see(MI_Operation *operation, void *data, const MI_Instance *instance,
                        MI_Boolean more, MI_Result result, const MI_Char *message,
                        const MI_Instance *details, MI_Result(MI_CALL *ack)(MI_Operation *))
{
    struct seen *seen = data;
    (void)more;
    seen->calls++;
    seen->result = result;
    seen->data = instance != NULL || details != NULL;
    seen->acknowledge = ack != NULL;
    seen->ack = ack;
    seen->fsuid = (uid_t)syscall(SYS_setfsuid, -1);
    seen->operation = *operation;
    snprintf(seen->message, sizeof(seen->message), "%s", message != NULL ? message : "");
}

static MI_OperationCallbacks callbacks_to(struct seen *seen)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    callbacks.callbackContext = seen;
    callbacks.instanceResult = see;
    return callbacks;
}

/* The wrappers of MI.h stop NULL; who calls through the tables meets the same answer here. */
START_TEST(null_handles_are_refused)
{
    MI_Session session = take(), out = session;
    MI_Operation operation = start(&session), refused = refused_operation();
    MI_Application application;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    unsigned long reached = host->reached;

    ck_assert_int_eq(session.ft->GetApplication(&session, &application), MI_RESULT_OK);
    ck_assert_int_eq(session.ft->Close(NULL, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(session.ft->GetApplication(NULL, &application), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(session.ft->GetApplication(&session, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(guarded_application_ft.Close(NULL), MI_RESULT_INVALID_PARAMETER);
    MI_Operation started = MI_OPERATION_NULL;
    session.ft->TestConnection(NULL, 0, NULL, &started);
    MI_Operation_GetInstance(&started, &instance, &more, &result, NULL, NULL);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
    const MI_OperationFT *const tables[] = {operation.ft, refused.ft};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(tables[i]->Close(NULL), MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_ne(tables[i]->Cancel(NULL, MI_REASON_NONE), MI_RESULT_OK);
        ck_assert_int_eq(tables[i]->GetSession(NULL, &out), MI_RESULT_INVALID_PARAMETER);
        tables[i]->GetInstance(NULL, &instance, &more, &result, NULL, NULL);
        ck_assert_int_ne(result, MI_RESULT_OK);
    }
    ck_assert_uint_eq(host->reached, reached);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
}
END_TEST

START_TEST(a_refused_start_calls_back_once_and_at_once)
{
    struct seen seen = {0};
    MI_OperationCallbacks callbacks = callbacks_to(&seen);
    MI_Session session = take();
    MI_Operation operation = MI_OPERATION_NULL;

    session.reserved1 ^= 1u << 3;
    MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, &callbacks, &operation);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert_int_eq(seen.result, MI_RESULT_INVALID_PARAMETER);
    ck_assert(!seen.data && !seen.acknowledge);
    ck_assert_ptr_nonnull(operation.ft);
    MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, &callbacks, NULL);
    ck_assert_int_eq(seen.calls, 2);
    MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, NULL, NULL);
    ck_assert_uint_eq(host->reached, 0);
}
END_TEST

START_TEST(a_start_without_operation_is_refused)
{
    struct seen seen = {0};
    MI_OperationCallbacks callbacks = callbacks_to(&seen);
    MI_Session session = take();

    MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, &callbacks, NULL);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert_int_eq(seen.result, MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->reached, 0);
}
END_TEST

static void use_as_somebody(void *data)
{
    struct seen *seen = data;
    MI_OperationCallbacks callbacks = callbacks_to(seen);
    MI_Session session = take();
    MI_Operation operation = MI_OPERATION_NULL;
    if (raw_setfsuid(SOMEBODY)) {
        MI_Session_GetInstance(&session, 0, NULL, "root/test", NULL, &callbacks, &operation);
    }
}

START_TEST(the_message_names_components_and_no_values)
{
    struct seen seen = {0};
    if (!need_root()) {
        return;
    }
    raw_on_thread(use_as_somebody, &seen);
    ck_assert_int_eq(seen.result, MI_RESULT_ACCESS_DENIED);
    ck_assert_ptr_nonnull(strstr(seen.message, "fsuid"));
    ck_assert_ptr_nonnull(strstr(seen.message, "cap-effective"));
    ck_assert_ptr_null(strstr(seen.message, "12345"));
    ck_assert_ptr_null(strstr(seen.message, "root"));
    ck_assert_ptr_nonnull(strstr(seen.message, "rule \"default\" at built-in"));
    ck_assert_ptr_nonnull(strstr(seen.message, log_last("event.id")));
}
END_TEST

/* ---- results ----------------------------------------------------------------------------- */

/* What the provider passes on with a result only reaches its client with the sentence; another
 * result, and that of another request, does not. */
START_TEST(the_client_is_given_the_sentence)
{
    static const struct {
        bool refused;
        MI_Result result;
        bool sentence;
    } rows[] = {
        {true, MI_RESULT_ACCESS_DENIED, true},
        {true, MI_RESULT_OK, false},
        {true, MI_RESULT_FAILED, false},
        {false, MI_RESULT_ACCESS_DENIED, false},
    };

    if (!need_root()) {
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MI_Session session = take();
        host->posted_message[0] = '\0';
        if (rows[i].refused) {
            ck_assert(raw_setresuid((uid_t)-1, SOMEBODY, (uid_t)-1));
            (void)start(&session);
            ck_assert(raw_setresuid((uid_t)-1, 0, (uid_t)-1));
        }
        ck_assert_int_eq(MI_Context_PostResult(context, rows[i].result), MI_RESULT_OK);
        ck_assert_int_eq(host->posted, rows[i].result);
        ck_assert_int_eq(strstr(host->posted_message, "euid, fsuid") != NULL, rows[i].sentence);
        ck_assert_int_eq(strstr(host->posted_message, "; decision ") != NULL, rows[i].sentence);
        ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    }
}
END_TEST

START_TEST(results_come_through)
{
    MI_Session session = take(), again;
    host->items = 2;
    MI_Operation operation = start(&session);
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    int items = 0;

    while (more) {
        ck_assert_int_eq(
            MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
            MI_RESULT_OK);
        items += instance != NULL;
    }
    ck_assert_int_eq(items, 2);
    ck_assert_int_eq(result, MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_GetSession(&operation, &again), MI_RESULT_OK);
    ck_assert_mem_eq(&session, &again, sizeof(session));
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, NULL, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
    MI_Operation copy = operation;
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&copy), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Cancel(&copy, MI_REASON_NONE), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_GetSession(&copy, &again), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&again, sizeof(again)));
    ck_assert_int_eq(MI_Operation_GetInstance(&copy, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* While one thread waits in Get*, another makes the whole process somebody else. */
static void *broadcast(void *data)
{
    uid_t uid = (uid_t)(uintptr_t)data;
    return seteuid(uid) == 0 ? data : NULL;
}

static void broadcast_somebody(void *data)
{
    pthread_t thread;
    int *times = data;
    if ((*times)-- > 0 && pthread_create(&thread, NULL, broadcast, (void *)SOMEBODY) == 0) {
        pthread_join(thread, NULL);
    }
}

START_TEST(a_result_that_comes_for_somebody_else_is_kept)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    int times = 1;
    if (!need_root()) {
        return;
    }
    MI_Session session = take();
    MI_Operation operation = start(&session);
    host->before_result = broadcast_somebody;
    host->before_result_data = &times;
    MI_Result answer = MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    uid_t was = geteuid();
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(was, SOMEBODY);
    ck_assert_int_eq(answer, MI_RESULT_ACCESS_DENIED);
    ck_assert_int_eq(result, MI_RESULT_ACCESS_DENIED);
    ck_assert_ptr_null(instance);
    unsigned long reached = host->reached;
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_ptr_nonnull(instance);
    ck_assert(more);
    ck_assert_uint_eq(host->reached, reached);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
}
END_TEST

/* ---- the end of a context ---------------------------------------------------------------- */

START_TEST(nothing_outlives_its_context)
{
    MI_Session session = take(), other;
    MI_Operation operation = start(&session);
    MI_Context *ended = context;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    context = NULL;
    ck_assert_uint_eq(host->final_posts, 1);
    stub_host_settle(); /* closed on a thread, after the post */
    ck_assert_uint_eq(host->cancelled, 1);
    ck_assert_uint_eq(host->closed, 1);
    ck_assert_int_eq(log_count("operation-reaped", "left-open"), 1);

    unsigned long reached = host->reached;
    ck_assert_int_eq(MI_Context_PostResult(ended, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostInstance(ended, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_GetLocalSession(ended, &other), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&other, sizeof(other)));
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    MI_Operation refused = start(&session);
    MI_Operation_GetInstance(&refused, &instance, &more, &result, NULL, NULL);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->reached, reached);
    ck_assert_uint_eq(host->final_posts, 1);
    ck_assert_int_eq(log_count(NULL, "handle-stale"), 6);
}
END_TEST

static void end_context(void *data)
{
    MI_Context_PostResult(data, MI_RESULT_OK);
}

/* Another thread may post the result while this one takes its session. */
START_TEST(a_session_that_is_taken_while_its_context_ends_is_none)
{
    MI_Session session = MI_SESSION_NULL;
    host->in_local_session = end_context;
    host->in_local_session_data = context;
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &session), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_uint_eq(host->final_posts, 1);
    context = NULL;
}
END_TEST

/* What the library is when the policy in the standard places is broken from the start. */
START_TEST(without_a_policy_nothing_is_given_out)
{
    MI_Session session = MI_SESSION_NULL;
    struct guard *guard = guard_enter();
    const struct policy *kept = store_get(&guard->store);

    store_set(&guard->store, NULL);
    MI_Result result = MI_Context_GetLocalSession(context, &session);
    store_set(&guard->store, kept);
    policy_release(kept);
    guard_leave(guard);
    ck_assert_int_eq(result, MI_RESULT_ACCESS_DENIED);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_uint_eq(host->local_sessions, 0);
    ck_assert_int_eq(log_count("session-open", "no-policy"), 1);
}
END_TEST

START_TEST(each_final_post_ends_a_context)
{
    for (int way = 0; way < 3; way++) {
        MI_Context *guarded = NULL;
        ck_assert_int_eq(miguard_guard_context(&host->context, &guarded), MI_RESULT_OK);
        MI_Result result = way == 0   ? MI_Context_PostResult(guarded, MI_RESULT_FAILED)
                           : way == 1 ? MI_Context_PostError(guarded, 1, "MI", "no")
                                      : MI_Context_PostCimError(guarded, NULL);
        ck_assert_int_eq(result, MI_RESULT_OK);
        ck_assert_int_eq(MI_Context_PostResult(guarded, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    }
    ck_assert_uint_eq(host->final_posts, 3);
}
END_TEST

/* How many requests an old pointer must survive in a unit test; contexts_test.c has the millions.
 */
enum { LATER_REQUESTS = 10000 };

/* Every use of an ended context is refused, and nothing of it reaches the host. */
static void use_in_vain(MI_Context *old)
{
    MI_Session session;
    MI_Instance *instance = (MI_Instance *)(void *)&session;
    MI_Context *guarded = old;

    memset(&session, 0xAA, sizeof(session));
    ck_assert_int_eq(MI_Context_GetLocalSession(old, &session), MI_RESULT_INVALID_PARAMETER);
    ck_assert(is_zero(&session, sizeof(session)));
    ck_assert_int_eq(miguard_get_local_session(old, &session), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostInstance(old, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostResult(old, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostError(old, 1, "MI", "no"), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_NewDynamicInstance(old, "A", 0, &instance),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(instance);
    ck_assert_int_eq(miguard_guard_context(old, &guarded), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(guarded);
}

/* A pointer to an ended context never becomes another's. */
START_TEST(an_old_context_pointer_finds_no_new_context)
{
    MI_Context *old = context, *guarded = NULL;
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    context = NULL;
    for (int i = 0; i < LATER_REQUESTS; i++) {
        ck_assert_int_eq(miguard_guard_context(&host->context, &guarded), MI_RESULT_OK);
        ck_assert_ptr_ne(guarded, old);
        if (i % 1000 == 0) { /* each refusal is a record, and durable */
            use_in_vain(old);
        }
        ck_assert_int_eq(MI_Context_PostResult(guarded, MI_RESULT_OK), MI_RESULT_OK);
    }
    ck_assert_uint_eq(host->posts, 0);
    ck_assert_uint_eq(host->final_posts, 1 + LATER_REQUESTS);
    ck_assert_uint_eq(host->local_sessions, 0);
    ck_assert_int_eq(log_count("session-open", "handle-stale"), 2 * LATER_REQUESTS / 1000);
}
END_TEST

/* A context is its address: no copy, and no address beside it, is one. */
START_TEST(only_the_address_itself_is_the_context)
{
    MI_Context copy = *context;
    MI_Session session;
    MI_Context *const wrong[] = {&copy, (MI_Context *)(void *)((char *)context + 1), context + 1,
                                 (MI_Context *)(void *)((char *)context + sizeof(void *))};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const MI_ContextFT *table = context->ft;
        ck_assert_int_eq(table->GetLocalSession(wrong[i], &session), MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(table->PostResult(wrong[i], MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    }
    ck_assert_uint_eq(host->final_posts, 0);
    /* Stale where tests share a process and the neighbours were somebody's. */
    ck_assert_int_eq(log_count("session-open", "handle-forged") +
                         log_count("session-open", "handle-stale"),
                     sizeof(wrong) / sizeof(wrong[0]));
}
END_TEST

enum { FEW_SLOTS = 20 };

/* The handles of sessions and operations: what was given out stays stale until the tables are
 * spent, and then nothing more is given out. */
START_TEST(no_handle_is_given_out_twice)
{
    MI_Session first = take(), session = MI_SESSION_NULL;
    MI_Operation closed = start(&first);
    MI_Result result = MI_RESULT_OK;
    unsigned served = 0;

    slots_set_bounds(&guarded_sessions, FEW_SLOTS, 2);
    slots_set_bounds(&guarded_operations, 2 * FEW_SLOTS, 2);
    ck_assert_int_eq(MI_Operation_Close(&closed), MI_RESULT_OK);
    for (;; served++) {
        MI_Context_PostResult(context, MI_RESULT_OK);
        ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
        result = MI_Context_GetLocalSession(context, &session);
        if (result != MI_RESULT_OK) {
            break;
        }
        ck_assert_uint_ne(session.reserved1, first.reserved1);
        unsigned long reached = host->reached;
        MI_Operation refused = start(&first), operation = start(&session);
        ck_assert_uint_ne(operation.reserved1, closed.reserved1);
        ck_assert_int_eq(MI_Operation_Close(&closed), MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        ck_assert_int_eq(MI_Operation_Close(&refused), MI_RESULT_OK);
        ck_assert_uint_eq(host->reached, reached + 2); /* the start and the close of its own */
    }
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_gt(served, 0);
    ck_assert_uint_lt(served, 2 * SLOTS_PER_CHUNK); /* more than FEW_SLOTS were there before */
    ck_assert(slots_spent(&guarded_sessions));
}
END_TEST

/* When the addresses are used up nothing is guarded any more, and the log says why, once. */
START_TEST(no_address_is_given_out_twice_for_want_of_others)
{
    MI_Context *guarded = NULL, *first = context;
    unsigned count = 0;

    slots_set_bounds(&guarded_contexts, SLOTS_PER_CHUNK, 2);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    context = NULL;
    while (miguard_guard_context(&host->context, &guarded) == MI_RESULT_OK) {
        ck_assert_ptr_ne(guarded, first);
        ck_assert_int_eq(MI_Context_PostResult(guarded, MI_RESULT_OK), MI_RESULT_OK);
        count++;
    }
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_le(count, 2 * SLOTS_PER_CHUNK - 1);
    for (int i = 0; i < 3; i++) {
        guarded = first;
        ck_assert_int_eq(miguard_guard_context(&host->context, &guarded),
                         MI_RESULT_SERVER_LIMITS_EXCEEDED);
        ck_assert_ptr_null(guarded);
    }
    use_in_vain(first);
    ck_assert_int_eq(log_count("session-open", "contexts-spent"), 1);
}
END_TEST

/* ---- a host context that is guarded twice ------------------------------------------------ */

START_TEST(a_host_context_has_one_guard)
{
    MI_Context *again = NULL, *later = NULL;
    MI_Session session = take(), other = MI_SESSION_NULL;

    ck_assert_int_eq(miguard_guard_context(&host->context, &again), MI_RESULT_OK);
    ck_assert_ptr_eq(again, context);
    ck_assert_uint_eq(slots_in_use(&guarded_contexts), 1);
    ck_assert_int_eq(MI_Context_GetLocalSession(again, &other), MI_RESULT_OK);
    ck_assert_mem_eq(&session, &other, sizeof(session));
    ck_assert_int_eq(MI_Context_PostResult(again, MI_RESULT_OK), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->final_posts, 1);

    /* The host has its memory back, and uses it for another request. */
    ck_assert_int_eq(miguard_guard_context(&host->context, &later), MI_RESULT_OK);
    ck_assert_ptr_ne(later, context);
    use_in_vain(context);
    context = later;
}
END_TEST

START_TEST(other_host_contexts_have_other_guards)
{
    struct stub_host *others[50];
    MI_Context *guarded[50];

    for (int i = 0; i < 50; i++) {
        others[i] = stub_host_new();
        ck_assert_int_eq(miguard_guard_context(&others[i]->context, &guarded[i]), MI_RESULT_OK);
        for (int k = 0; k < i; k++) {
            ck_assert_ptr_ne(guarded[k], guarded[i]);
        }
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(MI_Context_PostResult(guarded[i], MI_RESULT_OK), MI_RESULT_OK);
        ck_assert_uint_eq(others[i]->final_posts, 1);
        stub_host_free(others[i]);
    }
    ck_assert_uint_eq(host->final_posts, 0);
}
END_TEST

/* Two modules with one host context: each has its guard, the host gets one final result.
 * _i: 0 it ends through the inner one, 1 through the outer one. */
START_TEST(two_providers_of_a_host_context_end_it_once)
{
    MI_Context *inner = NULL, *outer = NULL, *again = NULL;
    struct guarded_context *first = guarded_context_new(&host->context, "", &inner);

    ck_assert_ptr_eq(inner, context);
    guarded_context_release(first);
    struct guarded_context *second = guarded_context_new(&host->context, "b.so", &outer);
    ck_assert_ptr_ne(outer, inner);
    ck_assert_ptr_eq(second->host, inner);
    guarded_context_release(second);
    guarded_context_release(guarded_context_new(&host->context, "b.so", &again));
    ck_assert_ptr_eq(again, outer);
    ck_assert_uint_eq(slots_in_use(&guarded_contexts), 2);

    MI_Session session = MI_SESSION_NULL;
    ck_assert_int_eq(MI_Context_GetLocalSession(outer, &session), MI_RESULT_OK);
    ck_assert_int_eq(log_count("session-open", "identity-match"), 2); /* each asked its policy */
    ck_assert_int_eq(MI_Context_PostResult(_i == 0 ? inner : outer, MI_RESULT_OK), MI_RESULT_OK);
    ck_assert_uint_eq(host->final_posts, 1);
    ck_assert_int_eq(MI_Context_PostResult(inner, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostResult(outer, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostInstance(outer, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->final_posts, 1);
    ck_assert_uint_eq(host->posts, 0);
    context = NULL;
}
END_TEST

/* A provider whose host calls it with one context again, inside of a call or after it. */
static MI_Module *wrapped;
static void *wrapped_self;
static MI_Context *given[4];
static unsigned given_count, calls_inside;
static bool posts;

static void MI_CALL note_context(void *self, MI_Context *own, const MI_Char *space,
                                 const MI_Char *class_name, const MI_Instance *instance,
                                 const MI_PropertySet *properties)
{
    (void)self;
    given[given_count++] = own;
    if (calls_inside > 0) {
        calls_inside--;
        wrapped->dynamicProviderFT->GetInstance(wrapped_self, &host->context, space, class_name,
                                                instance, properties);
    }
    if (posts) {
        MI_Context_PostResult(own, MI_RESULT_OK);
    }
}

static void call_wrapped(unsigned inside, bool post)
{
    given_count = 0;
    calls_inside = inside;
    posts = post;
    wrapped->dynamicProviderFT->GetInstance(wrapped_self, &host->context, "root/test", "Test", NULL,
                                            NULL);
    ck_assert_uint_eq(given_count, inside + 1);
}

START_TEST(a_wrapped_provider_gets_one_guard_for_one_host_context)
{
    static const MI_ProviderFT provider = {.GetInstance = note_context};
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};
    struct stub_host *loader = stub_host_new();
    MI_Module_Self *self = NULL;

    MI_Context_PostResult(context, MI_RESULT_OK);
    context = NULL;
    wrapped = miguard_wrap_module(NULL, &module);
    ck_assert_ptr_nonnull(wrapped);
    wrapped->Load(&self, &loader->context);
    wrapped->dynamicProviderFT->Load(&wrapped_self, self, &loader->context);
    ck_assert_uint_eq(loader->final_posts, 2);

    host->final_posts = 0;
    call_wrapped(2, true); /* a call in a call in a call: all end it, one does */
    ck_assert_ptr_eq(given[0], given[1]);
    ck_assert_ptr_eq(given[1], given[2]);
    ck_assert_uint_eq(host->final_posts, 1);
    MI_Context *first = given[0];

    call_wrapped(0, false); /* the host's memory, another request */
    MI_Context *second = given[0];
    ck_assert_ptr_ne(second, first);
    call_wrapped(0, true); /* the same again before it has ended */
    ck_assert_ptr_eq(given[0], second);
    ck_assert_uint_eq(host->final_posts, 2);
    ck_assert_int_eq(MI_Context_PostResult(second, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    use_in_vain(first);
    use_in_vain(second);
    ck_assert_uint_eq(host->final_posts, 2);

    wrapped->dynamicProviderFT->Unload(wrapped_self, &loader->context);
    wrapped->Unload(self, &loader->context);
    stub_host_free(loader);
}
END_TEST

enum { GUARDING_THREADS = 8 };

static pthread_barrier_t guarding;
static int guard_rounds;
static MI_Context *guards[GUARDING_THREADS];

/* Each round all guard one host context at once, and all end it. */
static void *guard_and_end(void *argument)
{
    uintptr_t number = (uintptr_t)argument, ends = 0;

    for (int i = 0; i < guard_rounds; i++) {
        pthread_barrier_wait(&guarding);
        if (miguard_guard_context(&host->context, &guards[number]) != MI_RESULT_OK) {
            guards[number] = NULL;
        }
        pthread_barrier_wait(&guarding);
        if (guards[number] == NULL || guards[number] != guards[0]) {
            return NULL;
        }
        ends += MI_Context_PostResult(guards[number], MI_RESULT_OK) == MI_RESULT_OK;
    }
    return (void *)(ends + 1);
}

START_TEST(threads_that_guard_one_host_context_get_one_guard)
{
    pthread_t threads[GUARDING_THREADS];
    uintptr_t ends = 0;

    MI_Context_PostResult(context, MI_RESULT_OK);
    context = NULL;
    guard_rounds = getenv("QUICK") != NULL ? 100 : 2000;
    ck_assert_int_eq(pthread_barrier_init(&guarding, NULL, GUARDING_THREADS), 0);
    for (uintptr_t i = 0; i < GUARDING_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, guard_and_end, (void *)i), 0);
    }
    for (int i = 0; i < GUARDING_THREADS; i++) {
        void *count = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &count), 0);
        ck_assert_ptr_nonnull(count);
        ends += (uintptr_t)count - 1;
    }
    pthread_barrier_destroy(&guarding);
    ck_assert_uint_eq(ends, (uintptr_t)guard_rounds);
    ck_assert_uint_eq(host->final_posts, (unsigned long)guard_rounds + 1);
}
END_TEST

START_TEST(an_operation_left_open_still_gets_its_end_and_no_data)
{
    struct seen seen = {0};
    MI_OperationCallbacks callbacks = callbacks_to(&seen);
    MI_Session session = take();
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, &callbacks,
                                  &operation);
    struct stub_operation *stub = stub_latest(host);
    ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
    context = NULL;
    stub_fire(stub, true, false);
    ck_assert_int_eq(seen.calls, 0);
    stub_fire(stub, false, false);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert_int_eq(seen.result, MI_RESULT_FAILED);
    ck_assert(!seen.data);
    stub_fire(stub, false, false);
    ck_assert_int_eq(seen.calls, 1);
}
END_TEST

static int completions;

static void MI_CALL count_completion(void *data)
{
    (void)data;
    completions++;
}

START_TEST(closing_a_local_session_closes_nothing)
{
    MI_Session session = take();
    MI_Operation operation = start(&session);

    completions = 0;
    ck_assert_int_eq(MI_Session_Close(&session, NULL, count_completion),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(completions, 1);
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(log_count("session-close-refused", "local-session-close"), 2);
    ck_assert_uint_eq(host->closed, 0);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    MI_Operation next = start(&session);
    ck_assert_int_eq(MI_Operation_Close(&next), MI_RESULT_OK);
}
END_TEST

START_TEST(the_application_is_restricted)
{
    MI_Session session = take(), opened;
    MI_Application application;
    MI_Instance *instance = NULL, *error = (MI_Instance *)(void *)&session;
    MI_HostedProvider provider;

    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    ck_assert_int_eq(MI_Application_NewInstance(&application, "Test", NULL, &instance),
                     MI_RESULT_OK);
    ck_assert_ptr_nonnull(instance);
    memset(&opened, 0xAA, sizeof(opened));
    ck_assert_int_eq(
        MI_Application_NewSession(&application, NULL, NULL, NULL, NULL, &error, &opened),
        MI_RESULT_ACCESS_DENIED);
    ck_assert(is_zero(&opened, sizeof(opened)));
    ck_assert_ptr_null(error);
    ck_assert_int_eq(
        MI_Application_NewHostedProvider(&application, "a", "b", NULL, NULL, &provider),
        MI_RESULT_ACCESS_DENIED);
    ck_assert_int_eq(application.ft->Close(&application), MI_RESULT_ACCESS_DENIED);
    ck_assert_uint_eq(host->closed, 0);
    ck_assert_int_eq(log_count("session-use", "application-restricted"), 3);
    MI_Context_PostResult(context, MI_RESULT_OK);
    context = NULL;
    ck_assert_int_eq(MI_Application_NewInstance(&application, "Test", NULL, &instance),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(application.ft);
}
END_TEST

/* ---- fork -------------------------------------------------------------------------------- */

static MI_Session inherited;
static MI_Operation inherited_operation;

static bool child_cannot_use_it(void *data)
{
    MI_Context *own = NULL;
    MI_Session session = MI_SESSION_NULL;
    unsigned long reached = host->reached;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    (void)data;

    MI_Operation refused = start(&inherited);
    MI_Operation_GetInstance(&refused, &instance, &more, &result, NULL, NULL);
    return result == MI_RESULT_INVALID_PARAMETER &&
           MI_Operation_Close(&inherited_operation) == MI_RESULT_INVALID_PARAMETER &&
           MI_Context_PostResult(context, MI_RESULT_OK) == MI_RESULT_INVALID_PARAMETER &&
           MI_Context_GetLocalSession(context, &session) == MI_RESULT_INVALID_PARAMETER &&
           host->reached == reached && host->final_posts == 0 &&
           log_count(NULL, "handle-inherited") == 4 &&
           /* A context of the child's own serves it. */
           miguard_guard_context(&host->context, &own) == MI_RESULT_OK &&
           MI_Context_GetLocalSession(own, &session) == MI_RESULT_OK &&
           MI_Context_PostResult(own, MI_RESULT_OK) == MI_RESULT_OK;
}

START_TEST(a_child_inherits_nothing)
{
    inherited = take();
    inherited_operation = start(&inherited);
    ck_assert(raw_in_child(child_cannot_use_it, NULL));
    ck_assert_int_eq(MI_Operation_Close(&inherited_operation), MI_RESULT_OK);
}
END_TEST

/* ---- callbacks --------------------------------------------------------------------------- */

struct async {
    struct seen seen;
    struct stub_operation *stub;
    MI_Operation operation;
    const struct miguard_target *target;
    bool dropped, ready;
    uid_t fsuid_after;
};

static void start_async(struct async *async, MI_Uint32 flags)
{
    MI_OperationCallbacks callbacks = callbacks_to(&async->seen);
    MI_Session session = MI_SESSION_NULL;
    async->ready = MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
    if (async->ready) {
        MI_Session_EnumerateInstances(&session, flags, NULL, "root/test", "Test", MI_FALSE,
                                      &callbacks, &async->operation);
        async->stub = stub_latest(host);
    }
}

static void start_switched(void *data)
{
    struct async *async = data;
    if (async->dropped ? raw_become(SOMEBODY, SOMEBODY)
                       : miguard_switch_to(async->target, NULL) == MIGUARD_OK) {
        start_async(async, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS);
    }
    if (miguard_switch_depth() > 0) {
        (void)!miguard_switch_back(NULL);
    }
}

START_TEST(a_callback_runs_as_the_sessions_identity)
{
    struct async async = {0};
    struct miguard_target *target = NULL;
    if (!need_root()) {
        return;
    }
    ck_assert_int_eq(miguard_target_ids(SOMEBODY, SOMEBODY,
                                        &(struct miguard_groups){.choice = MIGUARD_GROUPS_CLEAR},
                                        &target, NULL),
                     MIGUARD_OK);
    async.target = target;
    raw_on_thread(start_switched, &async);
    ck_assert(async.ready);
    stub_fire(async.stub, true, true); /* on this thread, which is root */
    ck_assert_int_eq(async.seen.calls, 1);
    ck_assert(async.seen.data);
    ck_assert_int_eq(async.seen.result, MI_RESULT_OK);
    ck_assert_uint_eq(async.seen.fsuid, SOMEBODY);
    ck_assert_uint_eq(geteuid(), 0);
    ck_assert_uint_eq((uid_t)syscall(SYS_setfsuid, -1), 0);
    /* Outside the callback this thread is root again and must not acknowledge. */
    ck_assert_int_eq(async.seen.ack(&async.seen.operation), MI_RESULT_ACCESS_DENIED);
    ck_assert_uint_eq(host->acknowledged, 0);
    ck_assert_int_eq(miguard_switch_to(target, NULL), MIGUARD_OK);
    ck_assert_int_eq(async.seen.ack(&async.seen.operation), MI_RESULT_OK);
    ck_assert_int_eq(miguard_switch_back(NULL), MIGUARD_OK);
    ck_assert_uint_eq(host->acknowledged, 1);
    stub_fire(async.stub, false, false);
    ck_assert_int_eq(async.seen.calls, 2);
    miguard_target_free(target);
}
END_TEST

START_TEST(a_callback_that_cannot_have_the_identity_gives_no_data)
{
    struct async async = {.dropped = true};
    if (!need_root()) {
        return;
    }
    raw_on_thread(start_switched, &async);
    ck_assert(async.ready);
    stub_fire(async.stub, true, true);
    ck_assert_int_eq(async.seen.calls, 1);
    ck_assert(!async.seen.data && !async.seen.acknowledge);
    ck_assert_int_eq(async.seen.result, MI_RESULT_ACCESS_DENIED);
    ck_assert_int_eq(log_count("session-callback", "cannot-adopt"), 1);
    ck_assert_uint_eq(host->cancelled, 1);
    ck_assert_uint_eq(host->acknowledged, 1); /* in the provider's place, so that the host ends */
    stub_fire(async.stub, true, true);
    stub_fire(async.stub, false, true);
    ck_assert_int_eq(async.seen.calls, 1);
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

START_TEST(a_final_result_can_be_acknowledged_after_close)
{
    struct async async = {0};
    start_async(&async, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS);
    ck_assert(async.ready);
    stub_fire(async.stub, false, true);
    ck_assert_int_eq(MI_Operation_Close(&async.operation), MI_RESULT_OK);
    ck_assert_int_eq(async.seen.ack(NULL), MI_RESULT_INVALID_PARAMETER);
    MI_Operation forged = async.seen.operation;
    forged.reserved2 ^= 1;
    ck_assert_int_eq(async.seen.ack(&forged), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->acknowledged, 0);
    ck_assert_int_eq(async.seen.ack(&async.seen.operation), MI_RESULT_OK);
    ck_assert_int_eq(async.seen.ack(&async.seen.operation), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(host->acknowledged, 1);
}
END_TEST

/* ---- configuration ----------------------------------------------------------------------- */

START_TEST(the_gateway_is_not_changed_under_a_live_context)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error;
    char another[128];

    snprintf(another, sizeof(another), "%s-another", log_path());
    config.audit_file = another;
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_BAD_STATE);
    ck_assert_int_eq(miguard_configure(NULL, &error), MIGUARD_INVALID_ARGUMENT);
    config.size = 1;
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_str_eq(miguard_version(), MIGUARD_VERSION);
    take();
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_is_told)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    config.audit_file = "/proc/no/such/place";
    ck_assert_int_eq(miguard_configure(&config, &error), MIGUARD_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.detail, "/proc/no/such"));
    take();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        bad_arguments_give_no_session,
        bad_arguments_guard_no_context,
        one_identity_has_one_session,
        another_identity_has_another_session,
        the_host_may_refuse,
        what_cannot_be_recorded_is_not_given_out,
        a_refused_start_leaves_a_real_operation,
        a_refused_operation_with_garbage_in_it_stays_refused,
        null_handles_are_refused,
        a_refused_start_calls_back_once_and_at_once,
        a_start_without_operation_is_refused,
        the_message_names_components_and_no_values,
        the_client_is_given_the_sentence,
        results_come_through,
        a_result_that_comes_for_somebody_else_is_kept,
        nothing_outlives_its_context,
        a_session_that_is_taken_while_its_context_ends_is_none,
        without_a_policy_nothing_is_given_out,
        each_final_post_ends_a_context,
        an_old_context_pointer_finds_no_new_context,
        only_the_address_itself_is_the_context,
        a_host_context_has_one_guard,
        other_host_contexts_have_other_guards,
        a_wrapped_provider_gets_one_guard_for_one_host_context,
        threads_that_guard_one_host_context_get_one_guard,
        an_operation_left_open_still_gets_its_end_and_no_data,
        closing_a_local_session_closes_nothing,
        the_application_is_restricted,
        a_child_inherits_nothing,
        a_callback_runs_as_the_sessions_identity,
        a_callback_that_cannot_have_the_identity_gives_no_data,
        a_final_result_can_be_acknowledged_after_close,
        the_gateway_is_not_changed_under_a_live_context,
        a_log_that_cannot_be_opened_is_told,
    };
    Suite *suite = suite_create("gateway");
    TCase *tcase = tcase_create("gateway");
    tcase_set_timeout(tcase, 120); /* a hang; a busy machine takes longer than Check's 4 seconds */
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(tcase, tests[i]);
    }
    tcase_add_loop_test(tcase, two_providers_of_a_host_context_end_it_once, 0, 2);
    /* The last, since no session or context can be had after them where tests share a process. */
    tcase_add_test(tcase, no_handle_is_given_out_twice);
    tcase_add_test(tcase, no_address_is_given_out_twice_for_want_of_others);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
