/* SPDX-License-Identifier: MIT */
/*
 * No decision without its record (invariant 7): everything that the library answers itself, in
 * place of the host or the provider, is in this table, and each row requires exactly one record
 * with its action, operation and reason. Not decisions are answers about arguments that nobody
 * could serve: an output that is NULL, a starter without an operation.
 *
 * What the policy decides is in tests/live/policy_gateway_test.c, what a wait changes in
 * tests/table/wait_test.c, the application in tests/table/application_use_test.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { SOMEBODY = 12345 };

static struct stub_host *host;
static MI_Context *context, *ended;
static MI_Session session, stale_session, forged_session;
static MI_Application application, stale_application;
static MI_Operation operation, stale_operation;

static MI_Operation start(MI_Session *of, MI_OperationCallbacks *callbacks)
{
    MI_Operation started = MI_OPERATION_NULL;
    MI_Session_EnumerateInstances(of, 0, NULL, "root/test", "Test", MI_FALSE, callbacks, &started);
    return started;
}

/* ---- contexts -----------------------------------------------------------------------------------
 */

static void get_session_of_none(void)
{
    MI_Session none;
    (void)!miguard_get_local_session(NULL, &none);
}

static void get_session_of_the_host(void)
{
    MI_Session none;
    (void)!miguard_get_local_session(&host->context, &none);
}

static void get_session_of_ended(void)
{
    MI_Session none;
    (void)MI_Context_GetLocalSession(ended, &none);
}

static void get_session_of_copy(void)
{
    MI_Context copy = *context;
    MI_Session none;
    (void)MI_Context_GetLocalSession(&copy, &none);
}

static void end_while_a_session_is_taken(void *data)
{
    (void)data;
    (void)MI_Context_PostResult(ended, MI_RESULT_OK);
}

static void session_while_its_context_ends(void)
{
    MI_Session none;
    struct stub_host *other = stub_host_new();

    if (miguard_guard_context(&other->context, &ended) == MI_RESULT_OK) {
        other->in_local_session = end_while_a_session_is_taken;
        (void)MI_Context_GetLocalSession(ended, &none);
    }
}

static void post_result(void)
{
    (void)MI_Context_PostResult(ended, MI_RESULT_OK);
}

static void post_error(void)
{
    (void)MI_Context_PostError(ended, 1, "MI", "late");
}

static void post_instance(void)
{
    (void)ended->ft->PostInstance(ended, NULL);
}

static void new_instance(void)
{
    MI_Instance *instance = NULL;
    (void)MI_Context_NewDynamicInstance(ended, "C", 0, &instance);
}

static void ask_canceled(void)
{
    MI_Boolean flag = MI_FALSE;
    (void)ended->ft->Canceled(ended, &flag);
}

static void register_cancel(void)
{
    (void)ended->ft->RegisterCancel(ended, NULL, NULL);
}

static void lifecycle(void)
{
    MI_LifecycleIndicationContext *none = NULL;
    (void)ended->ft->GetLifecycleIndicationContext(ended, &none);
}

static void guard_ended(void)
{
    MI_Context *again = NULL;
    (void)!miguard_guard_context(ended, &again);
}

/* ---- sessions -----------------------------------------------------------------------------------
 */

static void start_forged(void)
{
    (void)start(&forged_session, NULL);
}

static void start_stale(void)
{
    (void)start(&stale_session, NULL);
}

static void start_null(void)
{
    MI_Operation none;
    session.ft->TestConnection(NULL, 0, NULL, &none);
}

static void start_as_somebody_else(void)
{
    (void)raw_setfsuid(SOMEBODY);
    (void)start(&session, NULL);
    (void)raw_setfsuid(0);
}

/* A table as it is when all of its objects are in use; gives what it was. No other thread uses one
 * here. */
static struct slots fill_up(struct slots *table)
{
    const struct slots before = *table;

    table->limit = 0;
    for (size_t i = 0; i < sizeof(table->shards) / sizeof(table->shards[0]); i++) {
        table->shards[i].free_first = table->shards[i].free_last = UINT32_MAX;
        table->shards[i].free_count = 0;
        table->shards[i].fresh = table->shards[i].fresh_end;
    }
    return before;
}

static void start_above_the_limit(void)
{
    const struct slots before = fill_up(&guarded_operations);
    (void)start(&session, NULL);
    guarded_operations = before;
}

static void open_above_the_limit(void)
{
    struct stub_host *other = stub_host_new();
    MI_Context *fresh = NULL;
    MI_Session none;

    if (miguard_guard_context(&other->context, &fresh) == MI_RESULT_OK) {
        const struct slots before = fill_up(&guarded_sessions);
        (void)MI_Context_GetLocalSession(fresh, &none);
        guarded_sessions = before;
        (void)MI_Context_PostResult(fresh, MI_RESULT_OK);
    }
}

static void start_behind_the_end(void)
{
    void *object = NULL;

    if (slots_acquire(&guarded_sessions,
                      (struct slots_handle){session.reserved1, (uint64_t)session.reserved2},
                      &object) == SLOTS_OK) {
        struct guarded_session *found = object;
        found->context->ended = true; /* as another thread that is ending it has just set it */
        (void)start(&session, NULL);
        found->context->ended = false;
        slots_release(&guarded_sessions, object);
    }
}

static void close_session(void)
{
    (void)MI_Session_Close(&session, NULL, NULL);
}

static void close_stale_session(void)
{
    (void)MI_Session_Close(&stale_session, NULL, NULL);
}

static void stale_get_application(void)
{
    MI_Application none;
    (void)MI_Session_GetApplication(&stale_session, &none);
}

static void use_stale_application(void)
{
    MI_Instance *instance = NULL;
    (void)MI_Application_NewInstance(&stale_application, "C", NULL, &instance);
}

static void close_application(void)
{
    (void)application.ft->Close(&application);
}

static void new_session_by_application(void)
{
    MI_Session none;
    (void)MI_Application_NewSession(&application, NULL, NULL, NULL, NULL, NULL, &none);
}

/* ---- operations
 * ----------------------------------------------------------------------------------- */

static void get_stale(void)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    (void)MI_Operation_GetInstance(&stale_operation, &instance, &more, &result, NULL, NULL);
}

static void close_twice(void)
{
    MI_Operation copy = stale_operation;
    (void)MI_Operation_Close(&copy);
}

static void close_null(void)
{
    (void)operation.ft->Close(NULL);
}

static void cancel_closed(void)
{
    (void)MI_Operation_Cancel(&stale_operation, MI_REASON_NONE);
}

static void session_of_closed(void)
{
    MI_Session none;
    (void)MI_Operation_GetSession(&stale_operation, &none);
}

static void acknowledge_null(void)
{
    (void)guarded_operation_acknowledge(NULL);
}

static void answer_prompt_null(void)
{
    (void)guarded_operation_answer_prompt(NULL, MI_OperationCallback_ResponseType_Yes);
}

static void answer_error_forged(void)
{
    MI_Operation forged = operation;
    forged.reserved2 ^= 1;
    (void)guarded_operation_answer_error(&forged, MI_OperationCallback_ResponseType_Yes);
}

static void acknowledge_nothing(void)
{
    MI_Operation copy = operation;
    (void)guarded_operation_acknowledge(&copy);
}

static void leave_open(void)
{
    struct stub_host *other = stub_host_new();
    MI_Context *fresh = NULL;
    MI_Session of = MI_SESSION_NULL;

    if (miguard_guard_context(&other->context, &fresh) == MI_RESULT_OK &&
        MI_Context_GetLocalSession(fresh, &of) == MI_RESULT_OK) {
        (void)start(&of, NULL);
        (void)MI_Context_PostResult(fresh, MI_RESULT_OK);
    }
}

/* ---- callbacks
 * ------------------------------------------------------------------------------------ */

static unsigned told; /* calls that reached the provider */

static void MI_CALL on_instance(MI_Operation *of, void *data, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)of, (void)data, (void)instance, (void)more, (void)result, (void)message, (void)details;
    (void)acknowledge;
    told++;
}

static void MI_CALL on_prompt(MI_Operation *of, void *data, const MI_Char *message,
                              MI_PromptType type,
                              MI_Result(MI_CALL *answer)(MI_Operation *,
                                                         MI_OperationCallback_ResponseType))
{
    (void)of, (void)data, (void)message, (void)type, (void)answer;
    told++;
}

static void MI_CALL on_error(MI_Operation *of, void *data, MI_Instance *error,
                             MI_Result(MI_CALL *answer)(MI_Operation *,
                                                        MI_OperationCallback_ResponseType))
{
    (void)of, (void)data, (void)error, (void)answer;
    told++;
}

static void MI_CALL on_message(MI_Operation *of, void *data, MI_Uint32 channel,
                               const MI_Char *message)
{
    (void)of, (void)data, (void)channel, (void)message;
    told++;
}

static struct stub_operation *asynchronous;

static void make_asynchronous(void)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_instance,
                                       .promptUser = on_prompt,
                                       .writeError = on_error,
                                       .writeMessage = on_message};
    (void)start(&session, &callbacks);
    asynchronous = stub_latest(host);
}

static void fire_prompt(void)
{
    stub_ask(asynchronous);
}

static void fire_error(void)
{
    stub_report(asynchronous);
}

static void fire_message(void)
{
    MI_Operation of = MI_OPERATION_NULL;
    asynchronous->callbacks.writeMessage(&of, asynchronous->callbacks.callbackContext, 0, "m");
}

static void fire_result(void)
{
    stub_fire(asynchronous, true, false);
}

static void (*fire)(void);

/* A thread with no_new_privs cannot become the session's identity: it could not come back. */
static void on_thread_that_cannot_adopt(void *data)
{
    (void)data;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    fire();
}

static void adopt_nothing(void (*what)(void))
{
    make_asynchronous();
    fire = what;
    told = 0;
    raw_on_thread(on_thread_that_cannot_adopt, NULL);
}

static void prompt_without_adoption(void)
{
    adopt_nothing(fire_prompt);
}

static void error_without_adoption(void)
{
    adopt_nothing(fire_error);
}

static void message_without_adoption(void)
{
    adopt_nothing(fire_message);
}

static void result_without_adoption(void)
{
    adopt_nothing(fire_result);
}

static void second_final(void)
{
    make_asynchronous();
    stub_fire(asynchronous, false, false);
    stub_fire(asynchronous, false, true);
}

static void callback_of_nothing(void)
{
    MI_Operation of = MI_OPERATION_NULL;
    make_asynchronous();
    asynchronous->callbacks.writeMessage(&of, (void *)(uintptr_t)0x7FFF00000001u, 0, "m");
}

/* ---- the table
 * ------------------------------------------------------------------------------------ */

static const struct row {
    void (*decide)(void);
    const char *name, *action, *operation, *reason;
    bool root;
} rows[] = {
#define ROW(function, action, operation, reason)                                                   \
    {                                                                                              \
        function, #function, action, operation, reason, false                                      \
    }
#define ROOT(function, action, operation, reason)                                                  \
    {                                                                                              \
        function, #function, action, operation, reason, true                                       \
    }
    ROW(get_session_of_none, "session-open", "GetLocalSession", "handle-forged"),
    ROW(get_session_of_the_host, "session-open", "GetLocalSession", "handle-forged"),
    ROW(get_session_of_ended, "session-open", "GetLocalSession", "handle-stale"),
    ROW(get_session_of_copy, "session-open", "GetLocalSession", "handle-forged"),
    ROW(session_while_its_context_ends, "session-open", "GetLocalSession", "handle-stale"),
    ROW(open_above_the_limit, "session-open", "GetLocalSession", "limit-reached"),
    ROW(post_result, "session-use", "ContextCall", "handle-stale"),
    ROW(post_error, "session-use", "ContextCall", "handle-stale"),
    ROW(post_instance, "session-use", "ContextCall", "handle-stale"),
    ROW(new_instance, "session-use", "ContextCall", "handle-stale"),
    ROW(ask_canceled, "session-use", "ContextCall", "handle-stale"),
    ROW(register_cancel, "session-use", "ContextCall", "handle-stale"),
    ROW(lifecycle, "session-use", "ContextCall", "handle-stale"),
    ROW(guard_ended, "session-use", "ContextCall", "handle-stale"),
    ROW(start_forged, "session-use", "EnumerateInstances", "handle-forged"),
    ROW(start_stale, "session-use", "EnumerateInstances", "handle-stale"),
    ROW(start_null, "session-use", "TestConnection", "handle-forged"),
    ROOT(start_as_somebody_else, "session-use", "EnumerateInstances", "identity-mismatch"),
    ROW(start_above_the_limit, "session-use", "EnumerateInstances", "limit-reached"),
    ROW(start_behind_the_end, "session-use", "EnumerateInstances", "context-ended"),
    ROW(close_session, "session-close-refused", "SessionClose", "local-session-close"),
    ROW(close_stale_session, "session-use", "SessionClose", "handle-stale"),
    ROW(stale_get_application, "session-use", "GetApplication", "handle-stale"),
    ROW(use_stale_application, "session-use", "GetApplication", "handle-stale"),
    ROW(close_application, "session-use", "ApplicationClose", "application-restricted"),
    ROW(new_session_by_application, "session-use", "ApplicationNewSession",
        "application-restricted"),
    ROW(get_stale, "session-use", "OperationGetInstance", "handle-stale"),
    ROW(close_twice, "session-use", "OperationClose", "handle-stale"),
    ROW(close_null, "session-use", "OperationClose", "handle-forged"),
    ROW(cancel_closed, "session-use", "OperationCancel", "handle-stale"),
    ROW(session_of_closed, "session-use", "OperationGetSession", "handle-stale"),
    ROW(acknowledge_null, "session-use", "Acknowledge", "handle-forged"),
    ROW(answer_prompt_null, "session-use", "AnswerPrompt", "handle-forged"),
    ROW(answer_error_forged, "session-use", "AnswerError", "handle-forged"),
    ROW(acknowledge_nothing, "session-use", "Acknowledge", "handle-stale"),
    ROW(leave_open, "operation-reaped", "EnumerateInstances", "left-open"),
    ROOT(prompt_without_adoption, "session-callback", "Callback", "cannot-adopt"),
    ROOT(error_without_adoption, "session-callback", "Callback", "cannot-adopt"),
    ROOT(message_without_adoption, "session-callback", "Callback", "cannot-adopt"),
    ROOT(result_without_adoption, "session-callback", "Callback", "cannot-adopt"),
    ROW(second_final, "session-callback", "Callback", "handle-stale"),
    ROW(callback_of_nothing, "session-use", "Callback", "handle-stale"),
};

static bool set_up(void)
{
    struct stub_host *other = stub_host_new();

    host = stub_host_new();
    if (miguard_guard_context(&other->context, &ended) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(ended, &stale_session) != MI_RESULT_OK ||
        MI_Session_GetApplication(&stale_session, &stale_application) != MI_RESULT_OK ||
        MI_Context_PostResult(ended, MI_RESULT_OK) != MI_RESULT_OK ||
        miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK ||
        MI_Session_GetApplication(&session, &application) != MI_RESULT_OK) {
        return false;
    }
    forged_session = session;
    forged_session.reserved2 ^= 1;
    operation = start(&session, NULL);
    stale_operation = start(&session, NULL);
    MI_Operation closed = stale_operation;
    return MI_Operation_Close(&closed) == MI_RESULT_OK;
}

/* In a process of its own, with a log of its own. */
static bool try_row(void *data)
{
    const struct row *row = data;

    log_start();
    if (!set_up()) {
        return false;
    }
    long before = log_count(row->action, row->reason);
    row->decide();
    long records = log_count(row->action, row->reason) - before;
    bool good = records == 1 && log_mentions(row->operation) > 0;
    if (row->decide != session_while_its_context_ends && row->decide != leave_open &&
        row->decide != result_without_adoption && row->decide != open_above_the_limit) {
        good = good && strcmp(log_last("miguard.operation"), row->operation) == 0;
    }
    if (!good) {
        printf("FAIL: %s: %ld records of %s, %s; the last is of %s\n", row->name, records,
               row->action, row->reason, log_last("miguard.operation"));
    }
    return good;
}

int main(void)
{
    unsigned passed = 0, failed = 0, skipped = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].root && geteuid() != 0) {
            printf("skip: %s: needs root\n", rows[i].name);
            skipped++;
            continue;
        }
        bool good = raw_in_child(try_row, (void *)&rows[i]);
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
