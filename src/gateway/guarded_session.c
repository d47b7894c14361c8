/* SPDX-License-Identifier: MIT */
/*
 * MI_Session, guarded: each slot that starts an operation asks the guard first.
 *
 * Each starter fills in a struct start (START) and runs it (RUN): begin_start() finds the session,
 * reads names and keys, asks the guard and makes the operation; the host's starter runs;
 * finish_start() releases what it needed. A refused start is delivered as an operation of its own
 * (refused.c).
 */
#include <stddef.h>
#include <string.h>

#include "gateway/gateway.h"

/* The wrappers of MI.h stop a NULL handle; a direct call through the table does not, and gets the
 * answer for an invalid handle. */
static uint64_t name_of(const MI_Session *handle)
{
    return handle != NULL ? handle->reserved1 : 0;
}

/* Pins the session of this handle. */
static enum slots_verdict acquire_session(const MI_Session *handle,
                                          struct guarded_session **ret_session)
{
    void *object = NULL;
    if (handle == NULL) {
        return SLOTS_FORGED;
    }
    enum slots_verdict verdict = slots_acquire(
        &guarded_sessions, (struct slots_handle){handle->reserved1, (uint64_t)handle->reserved2},
        &object);
    *ret_session = object;
    return verdict;
}

/* For ON_LEAVING: NULL when the pin went elsewhere. */
static void unpin_session(struct guarded_session *const *session)
{
    if (*session != NULL) {
        slots_release(&guarded_sessions, *session);
    }
}

/* ---- starting an operation ----------------------------------------------------------------- */

/* One start on its way through the guard. The first part is set by START and the second by
 * begin_start(). It lives on the stack of the slot. */
struct start {
    enum operation operation;
    enum result_kind kind;
    MI_Session *handle;
    struct cim_written written;
    const MI_Instance *instance; /* whose keys are recorded; or NULL */
    const MI_OperationCallbacks *callbacks;
    MI_Operation *ret_operation;
    const void *call_site;

    struct guarded_session *session;
    struct guarded_operation *on;
    MI_OperationCallbacks inner_callbacks;
    size_t slot;                  /* of the host's starter in its table */
    const char *inner_name_space; /* what the host is given */
    uint64_t contexts;            /* that were guarded on this thread before the host's starter */
};

/* Delivers the refusal; its record has been written by then. */
static void refuse(const struct start *start, const struct refusal *refusal)
{
    refused_deliver(refusal, start->handle, start->kind, start->callbacks, start->ret_operation);
}

/* The caller gave no place for the operation. Not recorded as a refusal: the guard has allowed the
 * call, and it is only not made. */
static void refuse_parameter(const struct start *start)
{
    const struct refusal refusal = refusal_new(GUARD_INVALID, AUDIT_REASON_NONE, 0);
    refuse(start, &refusal);
}

/* Refuses a call that was allowed but cannot be made, with its own record. */
static void refuse_recorded(const struct start *start, const struct cim_names *names,
                            const struct audit_keys *keys, enum audit_reason reason,
                            enum guard_answer answer)
{
    const struct guard_call call = {.operation = start->operation,
                                    .binding = &start->session->binding,
                                    .names = names,
                                    .keys = keys,
                                    .call_site = start->call_site};
    struct refusal refusal;

    guard_refuse(&call, AUDIT_ACTION_SESSION_USE, reason, answer, &refusal);
    refuse(start, &refusal);
}

/* Such an operation is asynchronous: the host delivers into the callback. */
static bool has_result_callback(const struct start *start)
{
    const MI_OperationCallbacks *callbacks = start->callbacks;
    return callbacks != NULL &&
           (start->kind == RESULT_INSTANCE     ? callbacks->instanceResult != NULL
            : start->kind == RESULT_INDICATION ? callbacks->indicationResult != NULL
                                               : callbacks->classResult != NULL);
}

/* A fresh operation of start->session with two pins: the handle's, and the caller's until
 * finish_start(). False when the context ended meanwhile or a limit was reached; the refusal is
 * delivered by then. Publishing and listing are one step under the context's lock: an ending
 * context either finds the operation in the list or has ended before, and then it is not
 * started. */
static bool make_operation(struct start *start, const struct cim_names *names,
                           const struct audit_keys *keys)
{
    struct guarded_operation *on = slots_new(&guarded_operations, NULL);
    if (on == NULL) {
        refuse_recorded(start, names, keys, AUDIT_REASON_LIMIT_REACHED, GUARD_LIMIT);
        return false;
    }
    slots_pin(&guarded_sessions, start->session);
    on->session = start->session;
    on->id = slots_handle_of(&guarded_operations, on).name;
    on->started_by = start->operation;
    on->names = *names;
    call_keys_copy(&on->keys, keys);
    if (start->callbacks != NULL) {
        on->callbacks = *start->callbacks;
    }
    on->asynchronous = has_result_callback(start);
    atomic_store(&on->host_calls, 1); /* the starter */

    pthread_mutex_lock(&start->session->context->lock);
    bool ended = start->session->context->ended;
    if (!ended) {
        slots_publish(&guarded_operations, on);
        slots_pin(&guarded_operations, on);
        on->next = start->session->operations;
        on->link = &start->session->operations;
        if (on->next != NULL) {
            on->next->link = &on->next;
        }
        start->session->operations = on;
    }
    pthread_mutex_unlock(&start->session->context->lock);
    if (ended) {
        slots_release(&guarded_operations, on);
        refuse_recorded(start, names, keys, AUDIT_REASON_CONTEXT_ENDED, GUARD_INVALID);
        return false;
    }
    start->on = on;
    return true;
}

/*
 * The host gets the namespace in the form that was decided on, so that it need not normalise the
 * spelling in the same way as the guard. The operation holds it, since a host may keep the pointer
 * while the operation runs. A namespace that has that form already, and one that could not be read
 * but is allowed because no rule depends on it, is passed on unchanged.
 */
static const char *name_space_for_host(const struct start *start)
{
    const struct cim_names *names = &start->on->names;
    const char *written = start->written.name_space;
    bool same = (names->unreadable & CALL_UNREADABLE_SPACE) != 0 || written == NULL ||
                strcmp(written, names->name_space) == 0;

    return same ? written : names->name_space;
}

/* A table of a host that has nothing but Close, as that of the open peer where memory ran out. */
static bool host_lacks(const struct start *start)
{
    void (*slot)(void) = NULL;

    memcpy(&slot, (const char *)start->session->inner.ft + start->slot, sizeof(slot));
    return slot == NULL;
}

/* True when the host may be called: then start->session->inner, start->inner_callbacks and
 * start->on->inner are ready, and finish_start() must follow. The order: check the session; read
 * what is requested, which a refusal records as well; ask the guard; and only then make anything.
 */
static bool begin_start(struct start *start)
{
    struct refusal refusal;

    enum slots_verdict verdict = acquire_session(start->handle, &start->session);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(start->operation, verdict, name_of(start->handle), start->call_site,
                            &refusal);
        refuse(start, &refusal);
        return false;
    }
    struct guarded_session *pinned ON_LEAVING(unpin_session) = start->session;
    struct cim_names names;
    struct audit_keys keys;
    cim_names_read(&names, &start->written);
    call_keys_read(&keys, start->instance, binding_keys_mode(&start->session->binding));
    const struct guard_call call = {.operation = start->operation,
                                    .binding = &start->session->binding,
                                    .names = &names,
                                    .keys = &keys,
                                    .call_site = start->call_site};
    bool started = false;
    if (!guard_use(&call, &refusal)) {
        guarded_context_note_refusal(start->session->context, &refusal);
        refuse(start, &refusal);
    } else if (start->ret_operation == NULL) {
        refuse_parameter(start);
    } else if (host_lacks(start)) {
        refuse_recorded(start, &names, &keys, AUDIT_REASON_HOST_REFUSED, GUARD_LIMIT);
    } else {
        started = make_operation(start, &names, &keys);
    }
    if (!started) {
        return false;
    }
    pinned = NULL; /* finish_start() unpins it */
    if (start->on->asynchronous) {
        slots_pin(&guarded_operations, start->on); /* until the final callback */
    }
    start->contexts = guarded_context_count();
    start->inner_name_space = name_space_for_host(start);
    start->inner_callbacks = callback_table(start->on, start->on->id, start->kind);
    /* The first callback may come before the starter returns: the caller's handle must be there. */
    *start->ret_operation = guarded_operation_public(start->on);
    return true;
}

/* The operation first, which itself pins the session. */
static void unpin_start(struct start **start)
{
    slots_release(&guarded_operations, (*start)->on);
    slots_release(&guarded_sessions, (*start)->session);
}

/* Runs also when a callback within the host's starter unwinds it. */
static void finish_start(struct start **start)
{
    struct start *pinned ON_LEAVING(unpin_start) = *start;

    if (guarded_context_count() != pinned->contexts) { /* the host called the provider within */
        atomic_store(&pinned->on->begun, true);
        atomic_store(&pinned->on->within, true);
    }
    guarded_operation_started(pinned->on);
}

/* The class name in the instance's declaration; NULL where that is missing. */
static const char *class_of(const MI_Instance *instance)
{
    return instance != NULL && instance->classDecl != NULL ? instance->classDecl->name : NULL;
}

/* An instance whose class only the host could determine. It is reported to the policy as hidden: a
 * class is never guessed. */
static bool hides_class(const MI_Instance *instance)
{
    const char *name = class_of(instance);
    return instance != NULL && (name == NULL || *name == '\0');
}

/* The arguments after `of` are further fields of struct cim_written. Expanded in the slot itself,
 * so that the return address is that of the provider's call. */
#define START(code, result, space, of, ...)                                                        \
    {                                                                                              \
        .operation = (code), .kind = (result), .handle = session,                                  \
        .written = {.operation = (code), .name_space = (space), ##__VA_ARGS__}, .instance = (of),  \
        .callbacks = callbacks, .ret_operation = operation,                                        \
        .call_site = __builtin_return_address(0),                                                  \
    }

#define INSTANCE_CLASS(instance)                                                                   \
    .classes = {class_of(instance)}, .class_hidden = hides_class(instance)

/* Runs the host's starter of this slot when the guard allows it. The clean-up of `started` runs
 * after the host's starter, however that is left. */
#define RUN(Slot, ...)                                                                             \
    ENTER_SLOT;                                                                                    \
    start.slot = offsetof(MI_SessionFT, Slot);                                                     \
    if (begin_start(&start)) {                                                                     \
        struct start *started ON_LEAVING(finish_start) = &start;                                   \
        MI_Session *inner = &started->session->inner;                                              \
        inner->ft->Slot(inner, __VA_ARGS__, &started->inner_callbacks, &started->on->inner);       \
    }

/* The starters, in the order of the table. Each names its operation for the policy, the kind of its
 * results, the instance whose keys are recorded, and every class that it concerns. */
static void MI_CALL guarded_get_instance(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationOptions *options, const MI_Char *name_space,
                                         const MI_Instance *instance,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    struct start start = START(OPERATION_GET_INSTANCE, RESULT_INSTANCE, name_space, instance,
                               INSTANCE_CLASS(instance));
    RUN(GetInstance, flags, options, start.inner_name_space, instance)
}

static void MI_CALL guarded_modify_instance(MI_Session *session, MI_Uint32 flags,
                                            MI_OperationOptions *options, const MI_Char *name_space,
                                            const MI_Instance *instance,
                                            MI_OperationCallbacks *callbacks,
                                            MI_Operation *operation)
{
    struct start start = START(OPERATION_MODIFY_INSTANCE, RESULT_INSTANCE, name_space, instance,
                               INSTANCE_CLASS(instance));
    RUN(ModifyInstance, flags, options, start.inner_name_space, instance)
}

static void MI_CALL guarded_create_instance(MI_Session *session, MI_Uint32 flags,
                                            MI_OperationOptions *options, const MI_Char *name_space,
                                            const MI_Instance *instance,
                                            MI_OperationCallbacks *callbacks,
                                            MI_Operation *operation)
{
    struct start start = START(OPERATION_CREATE_INSTANCE, RESULT_INSTANCE, name_space, instance,
                               INSTANCE_CLASS(instance));
    RUN(CreateInstance, flags, options, start.inner_name_space, instance)
}

static void MI_CALL guarded_delete_instance(MI_Session *session, MI_Uint32 flags,
                                            MI_OperationOptions *options, const MI_Char *name_space,
                                            const MI_Instance *instance,
                                            MI_OperationCallbacks *callbacks,
                                            MI_Operation *operation)
{
    struct start start = START(OPERATION_DELETE_INSTANCE, RESULT_INSTANCE, name_space, instance,
                               INSTANCE_CLASS(instance));
    RUN(DeleteInstance, flags, options, start.inner_name_space, instance)
}

/* A method of an instance concerns the named class and the instance's own: a rule may name
 * either. */
static void MI_CALL guarded_invoke(MI_Session *session, MI_Uint32 flags,
                                   MI_OperationOptions *options, const MI_Char *name_space,
                                   const MI_Char *class_name, const MI_Char *method,
                                   const MI_Instance *instance, const MI_Instance *parameters,
                                   MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    bool named = class_name != NULL && *class_name != '\0';
    struct start start =
        START(OPERATION_INVOKE, RESULT_INSTANCE, name_space, instance,
              .classes = {named ? class_name : class_of(instance), class_of(instance)},
              .class_hidden = hides_class(instance), .method = method);
    RUN(Invoke, flags, options, start.inner_name_space, class_name, method, instance, parameters)
}

static void MI_CALL guarded_enumerate_instances(MI_Session *session, MI_Uint32 flags,
                                                MI_OperationOptions *options,
                                                const MI_Char *name_space,
                                                const MI_Char *class_name, MI_Boolean keys_only,
                                                MI_OperationCallbacks *callbacks,
                                                MI_Operation *operation)
{
    struct start start = START(OPERATION_ENUMERATE_INSTANCES, RESULT_INSTANCE, name_space, NULL,
                               .classes = {class_name});
    RUN(EnumerateInstances, flags, options, start.inner_name_space, class_name, keys_only)
}

/* The classes are in the query, and are read from it (model, cim_names_read()). */
static void MI_CALL guarded_query_instances(MI_Session *session, MI_Uint32 flags,
                                            MI_OperationOptions *options, const MI_Char *name_space,
                                            const MI_Char *dialect, const MI_Char *query,
                                            MI_OperationCallbacks *callbacks,
                                            MI_Operation *operation)
{
    struct start start = START(OPERATION_QUERY_INSTANCES, RESULT_INSTANCE, name_space, NULL,
                               .dialect = dialect, .query = query);
    RUN(QueryInstances, flags, options, start.inner_name_space, dialect, query)
}

/* Three classes: that of the instance, the association, and the wanted results. */
static void MI_CALL guarded_associator_instances(
    MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options, const MI_Char *name_space,
    const MI_Instance *keys, const MI_Char *association, const MI_Char *result_class,
    const MI_Char *role, const MI_Char *result_role, MI_Boolean keys_only,
    MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    struct start start = START(OPERATION_ASSOCIATOR_INSTANCES, RESULT_INSTANCE, name_space, keys,
                               .classes = {class_of(keys), association, result_class},
                               .class_hidden = hides_class(keys));
    RUN(AssociatorInstances, flags, options, start.inner_name_space, keys, association,
        result_class, role, result_role, keys_only)
}

/* Two classes: that of the instance, and the association that is returned. */
static void MI_CALL guarded_reference_instances(
    MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options, const MI_Char *name_space,
    const MI_Instance *keys, const MI_Char *result_class, const MI_Char *role, MI_Boolean keys_only,
    MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    struct start start =
        START(OPERATION_REFERENCE_INSTANCES, RESULT_INSTANCE, name_space, keys,
              .classes = {class_of(keys), result_class}, .class_hidden = hides_class(keys));
    RUN(ReferenceInstances, flags, options, start.inner_name_space, keys, result_class, role,
        keys_only)
}

/* Delivers indications until it is cancelled; the classes are in the query. */
static void MI_CALL guarded_subscribe(MI_Session *session, MI_Uint32 flags,
                                      MI_OperationOptions *options, const MI_Char *name_space,
                                      const MI_Char *dialect, const MI_Char *query,
                                      const MI_SubscriptionDeliveryOptions *delivery,
                                      MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    struct start start = START(OPERATION_SUBSCRIBE, RESULT_INDICATION, name_space, NULL,
                               .dialect = dialect, .query = query);
    RUN(Subscribe, flags, options, start.inner_name_space, dialect, query, delivery)
}

static void MI_CALL guarded_get_class(MI_Session *session, MI_Uint32 flags,
                                      MI_OperationOptions *options, const MI_Char *name_space,
                                      const MI_Char *class_name, MI_OperationCallbacks *callbacks,
                                      MI_Operation *operation)
{
    struct start start =
        START(OPERATION_GET_CLASS, RESULT_CLASS, name_space, NULL, .classes = {class_name});
    RUN(GetClass, flags, options, start.inner_name_space, class_name)
}

static void MI_CALL guarded_enumerate_classes(MI_Session *session, MI_Uint32 flags,
                                              MI_OperationOptions *options,
                                              const MI_Char *name_space, const MI_Char *class_name,
                                              MI_Boolean names_only,
                                              MI_OperationCallbacks *callbacks,
                                              MI_Operation *operation)
{
    struct start start =
        START(OPERATION_ENUMERATE_CLASSES, RESULT_CLASS, name_space, NULL, .classes = {class_name});
    RUN(EnumerateClasses, flags, options, start.inner_name_space, class_name, names_only)
}

/* Has neither a namespace nor a class. */
static void MI_CALL guarded_test_connection(MI_Session *session, MI_Uint32 flags,
                                            MI_OperationCallbacks *callbacks,
                                            MI_Operation *operation)
{
    struct start start = START(OPERATION_TEST_CONNECTION, RESULT_INSTANCE, NULL, NULL);
    RUN(TestConnection, flags)
}

/* ---- the two slots that start nothing ------------------------------------------------------- */

/*
 * A provider must not close a local session (documentation of MI_Context_GetLocalSession). Nothing
 * is closed for any caller; but the caller may wait for the callback, so for a session that exists
 * it is called once.
 */
static MI_Result MI_CALL guarded_close(MI_Session *handle, void *completion_context,
                                       void(MI_CALL *completion_callback)(void *))
{
    ENTER_SLOT;
    const void *call_site = __builtin_return_address(0);
    struct guarded_session *session = NULL;
    struct refusal refusal;

    enum slots_verdict verdict = acquire_session(handle, &session);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(OPERATION_SESSION_CLOSE, verdict, name_of(handle), call_site, &refusal);
        return refused_result(&refusal);
    }
    const struct guard_call call = {
        .operation = OPERATION_SESSION_CLOSE, .binding = &session->binding, .call_site = call_site};
    if (guard_use(&call, &refusal)) {
        guard_refuse(&call, AUDIT_ACTION_SESSION_CLOSE, AUDIT_REASON_LOCAL_SESSION_CLOSE,
                     GUARD_INVALID, &refusal);
    }
    slots_release(&guarded_sessions, session);
    if (completion_callback != NULL) {
        completion_callback(completion_context);
    }
    return refused_result(&refusal);
}

/* The handle is the session's own with another table, so it ends with the session. */
static MI_Result MI_CALL guarded_get_application(MI_Session *handle, MI_Application *application)
{
    ENTER_SLOT;
    const void *call_site = __builtin_return_address(0);
    struct guarded_session *session = NULL;
    struct refusal refusal;

    if (application == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(application, 0, sizeof(*application));
    enum slots_verdict verdict = acquire_session(handle, &session);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(OPERATION_GET_APPLICATION, verdict, name_of(handle), call_site,
                            &refusal);
        return refused_result(&refusal);
    }
    const struct guard_call call = {.operation = OPERATION_GET_APPLICATION,
                                    .binding = &session->binding,
                                    .call_site = call_site};
    bool allowed = guard_use(&call, &refusal);
    slots_release(&guarded_sessions, session);
    if (!allowed) {
        return refused_result(&refusal);
    }
    *application = (MI_Application){handle->reserved1, handle->reserved2, &guarded_application_ft};
    return MI_RESULT_OK;
}

/* Every slot is set, so that each wrapper of MI.h may call it. */
const MI_SessionFT guarded_session_ft = {
    .Close = guarded_close,
    .GetApplication = guarded_get_application,
    .GetInstance = guarded_get_instance,
    .ModifyInstance = guarded_modify_instance,
    .CreateInstance = guarded_create_instance,
    .DeleteInstance = guarded_delete_instance,
    .Invoke = guarded_invoke,
    .EnumerateInstances = guarded_enumerate_instances,
    .QueryInstances = guarded_query_instances,
    .AssociatorInstances = guarded_associator_instances,
    .ReferenceInstances = guarded_reference_instances,
    .Subscribe = guarded_subscribe,
    .GetClass = guarded_get_class,
    .EnumerateClasses = guarded_enumerate_classes,
    .TestConnection = guarded_test_connection,
};
