/* SPDX-License-Identifier: MIT */
#include "support/stub_host.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"

static const MI_SessionFT stub_session_ft;
static const MI_OperationFT stub_operation_ft;
static const MI_ApplicationFT stub_application_ft;

/* An instance of no class in particular: nobody looks into it. */
static MI_Instance an_instance;
static MI_Class a_class;

static struct stub_host *host_of_session(const MI_Session *session)
{
    return (struct stub_host *)(uintptr_t)session->reserved2;
}

static struct stub_operation *operation_of(const MI_Operation *operation)
{
    return (struct stub_operation *)(uintptr_t)operation->reserved2;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void start(MI_Session *session, MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    struct stub_host *host = host_of_session(session);
    unsigned index = atomic_fetch_add(&host->operation_count, 1) % STUB_MAX_OPERATIONS;
    struct stub_operation *stub = &host->operations[index];

    atomic_fetch_add(&host->reached, 1);
    stub->host = host;
    stub->callbacks = callbacks != NULL ? *callbacks : (MI_OperationCallbacks){0};
    stub->asynchronous = callbacks != NULL &&
                         (callbacks->instanceResult != NULL ||
                          callbacks->indicationResult != NULL || callbacks->classResult != NULL);
    atomic_store(&stub->items_left, host->items);
    atomic_store(&stub->cancelled, false);
    atomic_store(&stub->closed, false);
    *operation = (MI_Operation){0, (ptrdiff_t)(uintptr_t)stub, &stub_operation_ft};
}

struct stub_operation *stub_latest(struct stub_host *host)
{
    unsigned count = atomic_load(&host->operation_count);
    return count == 0 ? NULL : &host->operations[(count - 1) % STUB_MAX_OPERATIONS];
}

static MI_Result next_result(MI_Operation *operation, bool *ret_item, MI_Boolean *more,
                             MI_Result *result, const MI_Char **message,
                             const MI_Instance **details)
{
    struct stub_operation *stub = operation_of(operation);
    atomic_fetch_add(&stub->host->reached, 1);
    if (stub->host->before_result != NULL) {
        stub->host->before_result(stub->host->before_result_data);
    }
    *ret_item = atomic_load(&stub->items_left) > 0 && !atomic_load(&stub->cancelled);
    if (*ret_item) {
        atomic_fetch_sub(&stub->items_left, 1);
    }
    if (more != NULL) {
        *more = *ret_item;
    }
    if (result != NULL) {
        *result = MI_RESULT_OK;
    }
    if (message != NULL) {
        *message = NULL;
    }
    if (details != NULL) {
        *details = NULL;
    }
    return stub->host->get_answer;
}

static MI_Result MI_CALL operation_get_instance(MI_Operation *operation,
                                                const MI_Instance **instance, MI_Boolean *more,
                                                MI_Result *result, const MI_Char **message,
                                                const MI_Instance **details)
{
    bool item = false;
    MI_Result answer = next_result(operation, &item, more, result, message, details);
    *instance = item ? &an_instance : NULL;
    return answer;
}

static MI_Result MI_CALL operation_get_indication(MI_Operation *operation,
                                                  const MI_Instance **instance,
                                                  const MI_Char **bookmark, const MI_Char **machine,
                                                  MI_Boolean *more, MI_Result *result,
                                                  const MI_Char **message,
                                                  const MI_Instance **details)
{
    (void)bookmark;
    (void)machine;
    return operation_get_instance(operation, instance, more, result, message, details);
}

static MI_Result MI_CALL operation_get_class(MI_Operation *operation, const MI_Class **object,
                                             MI_Boolean *more, MI_Result *result,
                                             const MI_Char **message, const MI_Instance **details)
{
    bool item = false;
    MI_Result answer = next_result(operation, &item, more, result, message, details);
    *object = item ? &a_class : NULL;
    return answer;
}

static MI_Result MI_CALL operation_close(MI_Operation *operation)
{
    struct stub_operation *stub = operation_of(operation);
    atomic_fetch_add(&stub->host->reached, 1);
    if (atomic_exchange(&stub->closed, true)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    atomic_fetch_add(&stub->host->closed, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL operation_cancel(MI_Operation *operation, MI_CancellationReason reason)
{
    struct stub_operation *stub = operation_of(operation);
    (void)reason;
    atomic_fetch_add(&stub->host->reached, 1);
    atomic_fetch_add(&stub->host->cancelled, 1);
    atomic_store(&stub->cancelled, true);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL operation_get_session(MI_Operation *operation, MI_Session *session)
{
    struct stub_operation *stub = operation_of(operation);
    atomic_fetch_add(&stub->host->reached, 1);
    *session = (MI_Session){0, (ptrdiff_t)(uintptr_t)stub->host, &stub_session_ft};
    return MI_RESULT_OK;
}

static const MI_OperationFT stub_operation_ft = {
    .Close = operation_close,
    .Cancel = operation_cancel,
    .GetSession = operation_get_session,
    .GetInstance = operation_get_instance,
    .GetIndication = operation_get_indication,
    .GetClass = operation_get_class,
};

/* ---- callbacks ------------------------------------------------------------------------------- */

static MI_Result MI_CALL acknowledge(MI_Operation *operation)
{
    struct stub_host *host = operation_of(operation)->host;
    atomic_fetch_add(&host->reached, 1);
    atomic_fetch_add(&host->acknowledged, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL answer_prompt(MI_Operation *operation,
                                       MI_OperationCallback_ResponseType response)
{
    struct stub_host *host = operation_of(operation)->host;
    (void)response;
    atomic_fetch_add(&host->reached, 1);
    atomic_fetch_add(&host->prompts_answered, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL answer_error(MI_Operation *operation,
                                      MI_OperationCallback_ResponseType response)
{
    struct stub_host *host = operation_of(operation)->host;
    (void)response;
    atomic_fetch_add(&host->reached, 1);
    atomic_fetch_add(&host->errors_answered, 1);
    return MI_RESULT_OK;
}

static MI_Operation handle_of(struct stub_operation *stub)
{
    return (MI_Operation){0, (ptrdiff_t)(uintptr_t)stub, &stub_operation_ft};
}

void stub_fire(struct stub_operation *stub, bool more, bool manual)
{
    const MI_OperationCallbacks *callbacks = &stub->callbacks;
    MI_Operation handle = handle_of(stub);
    void *context = callbacks->callbackContext;
    MI_Result(MI_CALL * ack)(MI_Operation *) = manual ? acknowledge : NULL;

    if (callbacks->instanceResult != NULL) {
        callbacks->instanceResult(&handle, context, more ? &an_instance : NULL, more, MI_RESULT_OK,
                                  NULL, NULL, ack);
    } else if (callbacks->indicationResult != NULL) {
        callbacks->indicationResult(&handle, context, more ? &an_instance : NULL, NULL, NULL, more,
                                    MI_RESULT_OK, NULL, NULL, ack);
    } else if (callbacks->classResult != NULL) {
        callbacks->classResult(&handle, context, more ? &a_class : NULL, more, MI_RESULT_OK, NULL,
                               NULL, ack);
    }
}

void stub_ask(struct stub_operation *stub)
{
    MI_Operation handle = handle_of(stub);
    stub->callbacks.promptUser(&handle, stub->callbacks.callbackContext, "go on?",
                               MI_PROMPTTYPE_NORMAL, answer_prompt);
}

void stub_report(struct stub_operation *stub)
{
    MI_Operation handle = handle_of(stub);
    stub->callbacks.writeError(&handle, stub->callbacks.callbackContext, &an_instance,
                               answer_error);
}

void stub_chatter(struct stub_operation *stub)
{
    MI_Operation handle = handle_of(stub);
    stub->callbacks.writeMessage(&handle, stub->callbacks.callbackContext, 0, "working");
    stub->callbacks.writeProgress(&handle, stub->callbacks.callbackContext, "a", "b", "c", 50, 1);
}

/* ---- sessions ---------------------------------------------------------------------------- */

static MI_Result MI_CALL session_close(MI_Session *session, void *context,
                                       void(MI_CALL *callback)(void *))
{
    atomic_fetch_add(&host_of_session(session)->reached, 1);
    atomic_fetch_add(&host_of_session(session)->closed, 1);
    if (callback != NULL) {
        callback(context);
    }
    return MI_RESULT_OK;
}

static MI_Result MI_CALL session_get_application(MI_Session *session, MI_Application *application)
{
    atomic_fetch_add(&host_of_session(session)->reached, 1);
    *application = (MI_Application){0, session->reserved2, &stub_application_ft};
    return MI_RESULT_OK;
}

#define STARTER(function, ...)                                                                     \
    static void MI_CALL function(MI_Session *session, MI_Uint32 flags,                             \
                                 MI_OperationOptions *options, const MI_Char *name_space,          \
                                 __VA_ARGS__, MI_OperationCallbacks *callbacks,                    \
                                 MI_Operation *operation)                                          \
    {                                                                                              \
        host_of_session(session)->name_space = name_space;                                         \
        start(session, callbacks, operation);                                                      \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
STARTER(session_instance, const MI_Instance *instance)
STARTER(session_invoke, const MI_Char *class_name, const MI_Char *method,
        const MI_Instance *instance, const MI_Instance *parameters)
STARTER(session_enumerate, const MI_Char *class_name, MI_Boolean keys_only)
STARTER(session_query, const MI_Char *dialect, const MI_Char *query)
STARTER(session_associators, const MI_Instance *keys, const MI_Char *a, const MI_Char *b,
        const MI_Char *c, const MI_Char *d, MI_Boolean keys_only)
STARTER(session_references, const MI_Instance *keys, const MI_Char *a, const MI_Char *b,
        MI_Boolean keys_only)
STARTER(session_subscribe, const MI_Char *dialect, const MI_Char *query,
        const MI_SubscriptionDeliveryOptions *delivery)
STARTER(session_get_class, const MI_Char *class_name)
#pragma GCC diagnostic pop

static void MI_CALL session_test(MI_Session *session, MI_Uint32 flags,
                                 MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    (void)flags;
    host_of_session(session)->name_space = NULL;
    start(session, callbacks, operation);
}

static const MI_SessionFT stub_session_ft = {
    .Close = session_close,
    .GetApplication = session_get_application,
    .GetInstance = session_instance,
    .ModifyInstance = session_instance,
    .CreateInstance = session_instance,
    .DeleteInstance = session_instance,
    .Invoke = session_invoke,
    .EnumerateInstances = session_enumerate,
    .QueryInstances = session_query,
    .AssociatorInstances = session_associators,
    .ReferenceInstances = session_references,
    .Subscribe = session_subscribe,
    .GetClass = session_get_class,
    .EnumerateClasses = session_enumerate,
    .TestConnection = session_test,
};

/* ---- application and context ------------------------------------------------------------- */

static MI_Result MI_CALL application_close(MI_Application *application)
{
    struct stub_host *host = (struct stub_host *)(uintptr_t)application->reserved2;
    atomic_fetch_add(&host->closed, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL application_new_instance(MI_Application *application, const MI_Char *name,
                                                  const MI_ClassDecl *decl, MI_Instance **instance)
{
    (void)application;
    (void)name;
    (void)decl;
    *instance = &an_instance;
    return MI_RESULT_OK;
}

static const MI_ApplicationFT stub_application_ft = {
    .Close = application_close,
    .NewInstance = application_new_instance,
};

/* The context is the first member of the host, so its address is the host's. */
static struct stub_host *host_of_context(const MI_Context *context)
{
    return (struct stub_host *)(uintptr_t)context;
}

static MI_Result MI_CALL context_get_local_session(const MI_Context *context, MI_Session *session)
{
    struct stub_host *host = host_of_context(context);
    atomic_fetch_add(&host->local_sessions, 1);
    if (host->in_local_session != NULL) {
        host->in_local_session(host->in_local_session_data);
    }
    if (host->local_session_result == MI_RESULT_OK) {
        *session = (MI_Session){0, (ptrdiff_t)(uintptr_t)host, &stub_session_ft};
    }
    return host->local_session_result;
}

static MI_Result MI_CALL context_post_result(MI_Context *context, MI_Result result)
{
    host_of_context(context)->posted = result;
    atomic_fetch_add(&host_of_context(context)->final_posts, 1);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL context_post_error(MI_Context *context, MI_Uint32 code,
                                            const MI_Char *type, const MI_Char *message)
{
    struct stub_host *host = host_of_context(context);

    snprintf(host->posted_message, sizeof(host->posted_message), "%s", message);
    return context_post_result(context,
                               strcmp(type, "MI") == 0 ? (MI_Result)code : MI_RESULT_FAILED);
}

static MI_Result MI_CALL context_post_cim_error(MI_Context *context, const MI_Instance *error)
{
    (void)error;
    return context_post_result(context, MI_RESULT_FAILED);
}

static MI_Result MI_CALL context_post_instance(MI_Context *context, const MI_Instance *instance)
{
    (void)instance;
    atomic_fetch_add(&host_of_context(context)->posts, 1);
    return MI_RESULT_OK;
}

static const MI_ContextFT stub_context_ft = {
    .PostResult = context_post_result,
    .PostError = context_post_error,
    .PostCimError = context_post_cim_error,
    .PostInstance = context_post_instance,
    .GetLocalSession = context_get_local_session,
};

struct stub_host *stub_host_new(void)
{
    struct stub_host *host = calloc(1, sizeof(*host));
    if (host == NULL) {
        abort();
    }
    host->context.ft = &stub_context_ft;
    host->items = 1;
    return host;
}

/* What was left open may still be ended by a thread of the library. */
void stub_host_settle(void)
{
    for (int ms = 0; ms < 2000 && !left_open_idle(); ms++) {
        usleep(1000);
    }
}

void stub_host_free(struct stub_host *host)
{
    stub_host_settle();
    free(host);
}
