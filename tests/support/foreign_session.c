/* SPDX-License-Identifier: MIT */
/* MI_Session of the foreign host: the check of who calls, and the start of operations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include "support/foreign_inside.h"

enum { CLOSE, GET_APPLICATION, FIRST_STARTER };

static struct foreign_host *host_of(const MI_Session *session)
{
    return (struct foreign_host *)session->reserved2;
}

/* The session of this handle; NULL when it is closed or unknown. Under the lock. */
static struct foreign_session *find_session(struct foreign_host *host, uint64_t version)
{
    struct foreign_session *found = host->local.version == version ? &host->local : NULL;

    for (unsigned i = 0; i < host->client_count && found == NULL; i++) {
        found = host->clients[i].version == version ? &host->clients[i] : NULL;
    }
    return found != NULL && found->open ? found : NULL;
}

bool foreign_is_local(const struct foreign_host *host, uint64_t version)
{
    return host->local.version == version;
}

/* The real ids only, as the peer. Under the lock. */
MI_Result foreign_check(struct foreign_host *host, uint64_t version)
{
    const struct foreign_session *session = find_session(host, version);

    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (session->uid != getuid() || session->gid != getgid()) {
        atomic_fetch_add(&host->counts.refused, 1);
        return MI_RESULT_ACCESS_DENIED;
    }
    return MI_RESULT_OK;
}

static void count_slot(const MI_Session *session, unsigned slot)
{
    struct foreign_host *host = host_of(session);

    if (foreign_is_local(host, session->reserved1)) {
        atomic_fetch_add(&host->counts.session[slot], 1);
    }
}

void foreign_host_session(struct foreign_host *host, MI_Session *ret_session)
{
    pthread_mutex_lock(&host->lock);
    if (host->client_count == FOREIGN_CLIENTS) {
        abort();
    }
    struct foreign_session *session = &host->clients[host->client_count++];
    *session = (struct foreign_session){++host->versions, true, getuid(), getgid()};
    *ret_session = (MI_Session){session->version, (ptrdiff_t)host, &foreign_session_ft};
    pthread_mutex_unlock(&host->lock);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* What a starter is given besides the request. */
struct start {
    unsigned slot;
    MI_Session *session;
    MI_Uint32 flags;
    enum foreign_kind kind;
    MI_OperationCallbacks *callbacks;
    MI_Operation *operation;
};

static void copy_name(char to[FOREIGN_NAME], const char *from)
{
    snprintf(to, FOREIGN_NAME, "%s", from != NULL ? from : "");
}

static bool has_callback(const struct start *start)
{
    const MI_OperationCallbacks *callbacks = start->callbacks;

    return callbacks != NULL &&
           (start->kind == KIND_INSTANCE     ? callbacks->instanceResult != NULL
            : start->kind == KIND_INDICATION ? callbacks->indicationResult != NULL
                                             : callbacks->classResult != NULL);
}

/* An operation that has failed already: filled in, and called back on this thread. */
static void fail_start(const struct start *start, MI_Result code)
{
    MI_Operation operation = {start->session->reserved1, start->session->reserved2,
                              foreign_error_table(code)};
    MI_OperationCallbacks *callbacks = start->callbacks;

    if (start->operation != NULL) {
        *start->operation = operation;
    }
    if (!has_callback(start)) {
        return;
    }
    if (start->kind == KIND_INSTANCE) {
        callbacks->instanceResult(&operation, callbacks->callbackContext, NULL, MI_FALSE, code,
                                  NULL, NULL, NULL);
    } else if (start->kind == KIND_INDICATION) {
        callbacks->indicationResult(&operation, callbacks->callbackContext, NULL, NULL, NULL,
                                    MI_FALSE, code, NULL, NULL, NULL);
    } else {
        callbacks->classResult(&operation, callbacks->callbackContext, NULL, MI_FALSE, code, NULL,
                               NULL, NULL);
    }
}

/* A slot from the free list, which never shrinks. Under the lock. */
static struct foreign_operation *new_operation(struct foreign_host *host)
{
    struct foreign_operation *operation = host->free_operations;

    if (operation != NULL) {
        host->free_operations = operation->next;
    } else {
        operation = calloc(1, sizeof(*operation));
        if (operation == NULL) {
            abort();
        }
        operation->next_of_all = host->all_operations;
        host->all_operations = operation;
    }
    struct foreign_operation *next_of_all = operation->next_of_all;
    memset(operation, 0, sizeof(*operation));
    operation->next_of_all = next_of_all;
    operation->host = host;
    operation->last = &operation->first;
    operation->version = ++host->versions;
    atomic_fetch_add(&host->counts.open_operations, 1);
    return operation;
}

/* The connection of an operation. select(2) knows no larger numbers. */
static void connect_operation(struct foreign_operation *operation)
{
    operation->descriptor = eventfd(0, EFD_CLOEXEC);
    if (operation->descriptor < 0 || operation->descriptor >= FD_SETSIZE) {
        foreign_die(operation->host, "more descriptors than select(2) knows");
    }
}

static void fill_operation(struct foreign_operation *operation, const struct start *start,
                           const struct foreign_request *request)
{
    operation->session = *start->session;
    operation->kind = start->kind;
    operation->of_client = !foreign_is_local(operation->host, start->session->reserved1);
    operation->asynchronous = has_callback(start);
    operation->manual = (start->flags & MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS) != 0;
    if (start->callbacks != NULL) {
        operation->callbacks = *start->callbacks;
    }
    operation->started_ms = foreign_now_ms();
    operation->request = *request;
    operation->request.instance = foreign_instance_clone(request->instance);
    operation->request.parameters = foreign_instance_clone(request->parameters);
    /* The handle, the provider's side, and the delivery. */
    operation->pins = operation->asynchronous ? 3 : 2;
    connect_operation(operation);
}

/* To the agent, or to the end when no class serves it. */
static void dispatch(struct foreign_operation *operation)
{
    switch (operation->request.verb) {
    case VERB_SUBSCRIBE: /* delivers nothing until it is cancelled */
        return;
    case VERB_TEST:
        foreign_finish(operation, MI_RESULT_OK, NULL, NULL);
        return;
    case VERB_CLASS:
        foreign_finish(operation, MI_RESULT_NOT_SUPPORTED, NULL, NULL);
        return;
    default:
        break;
    }
    if (foreign_plan(operation)) {
        loop_post(foreign_agent_of(operation), foreign_run_part, operation);
    } else {
        foreign_finish(operation, MI_RESULT_INVALID_CLASS, NULL, NULL);
    }
}

/* The parameters first, then who calls: the peer's order. */
static void start(const struct start *start, const struct foreign_request *request, bool complete)
{
    struct foreign_host *host = host_of(start->session);

    count_slot(start->session, start->slot);
    if (start->operation != NULL) {
        memset(start->operation, 0, sizeof(*start->operation));
    }
    pthread_mutex_lock(&host->lock);
    MI_Result result = !complete || start->operation == NULL ? MI_RESULT_INVALID_PARAMETER
                       : foreign_host_died(host) != NULL
                           ? MI_RESULT_FAILED
                           : foreign_check(host, start->session->reserved1);
    struct foreign_operation *operation = result == MI_RESULT_OK ? new_operation(host) : NULL;
    if (operation != NULL) {
        fill_operation(operation, start, request);
        *start->operation = foreign_handle(operation);
    }
    pthread_mutex_unlock(&host->lock);
    if (operation == NULL) {
        fail_start(start, result);
    } else {
        dispatch(operation);
    }
}

/* A slot: its number, its verb and kind, whether it has all it needs, and its names. */
#define PARAMETERS(...)                                                                            \
    (MI_Session * session, MI_Uint32 flags, MI_OperationOptions * options,                         \
     const MI_Char *name_space, __VA_ARGS__, MI_OperationCallbacks *callbacks,                     \
     MI_Operation *operation)

#define STARTER(function, number, its_verb, its_kind, complete, parameters, ...)                   \
    static void MI_CALL function parameters                                                        \
    {                                                                                              \
        struct foreign_request request = {.verb = (its_verb)};                                     \
        const struct start call = {                                                                \
            FIRST_STARTER + (number), session, flags, its_kind, callbacks, operation};             \
        copy_name(request.name_space, name_space);                                                 \
        foreign_options_read(&request.options, options);                                           \
        __VA_ARGS__;                                                                               \
        start(&call, &request, complete);                                                          \
    }

static const MI_Char *class_of(const MI_Instance *instance)
{
    return instance != NULL && instance->classDecl != NULL ? instance->classDecl->name : NULL;
}

#define OF_INSTANCE                                                                                \
    copy_name(request.class_name, class_of(instance)),                                             \
        request.instance = (MI_Instance *)(uintptr_t)instance
STARTER(session_get, 0, VERB_GET, KIND_INSTANCE, instance != NULL,
        PARAMETERS(const MI_Instance *instance), OF_INSTANCE)
STARTER(session_modify, 1, VERB_MODIFY, KIND_INSTANCE, instance != NULL,
        PARAMETERS(const MI_Instance *instance), OF_INSTANCE)
STARTER(session_create, 2, VERB_CREATE, KIND_INSTANCE, instance != NULL,
        PARAMETERS(const MI_Instance *instance), OF_INSTANCE)
STARTER(session_delete, 3, VERB_DELETE, KIND_INSTANCE, instance != NULL,
        PARAMETERS(const MI_Instance *instance), OF_INSTANCE)
STARTER(session_invoke, 4, VERB_INVOKE, KIND_INSTANCE, method != NULL,
        PARAMETERS(const MI_Char *class_name, const MI_Char *method, const MI_Instance *instance,
                   const MI_Instance *parameters),
        copy_name(request.class_name, class_name != NULL ? class_name : class_of(instance)),
        copy_name(request.method, method), request.instance = (MI_Instance *)(uintptr_t)instance,
        request.parameters = (MI_Instance *)(uintptr_t)parameters)
STARTER(session_enumerate, 5, VERB_ENUMERATE, KIND_INSTANCE, ((void)keys_only, true),
        PARAMETERS(const MI_Char *class_name, MI_Boolean keys_only),
        copy_name(request.class_name, class_name))

/* "select * from CLASS ...", without its condition: the peer filters by itself. */
static void class_of_query(char to[FOREIGN_NAME], const MI_Char *query)
{
    char name[FOREIGN_NAME] = "";

    if (query == NULL || sscanf(query, "%*s %*s %*s %127s", name) != 1) {
        name[0] = '\0';
    }
    copy_name(to, name);
}

STARTER(session_query, 6, VERB_ENUMERATE, KIND_INSTANCE, dialect != NULL && query != NULL,
        PARAMETERS(const MI_Char *dialect, const MI_Char *query),
        class_of_query(request.class_name, query))
STARTER(session_associators, 7, VERB_ASSOCIATORS, KIND_INSTANCE,
        ((void)keys_only, instance != NULL),
        PARAMETERS(const MI_Instance *instance, const MI_Char *association,
                   const MI_Char *result_class, const MI_Char *role, const MI_Char *result_role,
                   MI_Boolean keys_only),
        copy_name(request.class_name, association), copy_name(request.result_class, result_class),
        copy_name(request.role, role), copy_name(request.result_role, result_role),
        request.instance = (MI_Instance *)(uintptr_t)instance)
STARTER(session_references, 8, VERB_REFERENCES, KIND_INSTANCE, ((void)keys_only, instance != NULL),
        PARAMETERS(const MI_Instance *instance, const MI_Char *result_class, const MI_Char *role,
                   MI_Boolean keys_only),
        copy_name(request.class_name, result_class), copy_name(request.role, role),
        request.instance = (MI_Instance *)(uintptr_t)instance)
STARTER(session_subscribe, 9, VERB_SUBSCRIBE, KIND_INDICATION,
        ((void)delivery, dialect != NULL && query != NULL),
        PARAMETERS(const MI_Char *dialect, const MI_Char *query,
                   const MI_SubscriptionDeliveryOptions *delivery),
        class_of_query(request.class_name, query))
STARTER(session_get_class, 10, VERB_CLASS, KIND_CLASS, true, PARAMETERS(const MI_Char *class_name),
        copy_name(request.class_name, class_name))
STARTER(session_enumerate_classes, 11, VERB_CLASS, KIND_CLASS, ((void)names_only, true),
        PARAMETERS(const MI_Char *class_name, MI_Boolean names_only),
        copy_name(request.class_name, class_name))

static void MI_CALL session_test(MI_Session *session, MI_Uint32 flags,
                                 MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    const struct foreign_request request = {.verb = VERB_TEST};
    const struct start call = {FIRST_STARTER + 12, session,   flags,
                               KIND_INSTANCE,      callbacks, operation};

    start(&call, &request, true);
}

/* ---- the two others -------------------------------------------------------------------------- */

/* The owner closes it for all. */
static MI_Result MI_CALL session_close(MI_Session *session, void *context,
                                       void(MI_CALL *callback)(void *))
{
    struct foreign_host *host = host_of(session);

    count_slot(session, CLOSE);
    pthread_mutex_lock(&host->lock);
    MI_Result result = foreign_check(host, session->reserved1);
    if (result == MI_RESULT_OK) {
        find_session(host, session->reserved1)->open = false;
    }
    pthread_mutex_unlock(&host->lock);
    if (result == MI_RESULT_OK && callback != NULL) {
        callback(context);
    }
    return result;
}

/* Without a check. */
static MI_Result MI_CALL session_get_application(MI_Session *session, MI_Application *application)
{
    count_slot(session, GET_APPLICATION);
    *application =
        (MI_Application){session->reserved1, session->reserved2, &foreign_application_ft};
    return MI_RESULT_OK;
}

const MI_SessionFT foreign_session_ft = {
    .Close = session_close,
    .GetApplication = session_get_application,
    .GetInstance = session_get,
    .ModifyInstance = session_modify,
    .CreateInstance = session_create,
    .DeleteInstance = session_delete,
    .Invoke = session_invoke,
    .EnumerateInstances = session_enumerate,
    .QueryInstances = session_query,
    .AssociatorInstances = session_associators,
    .ReferenceInstances = session_references,
    .Subscribe = session_subscribe,
    .GetClass = session_get_class,
    .EnumerateClasses = session_enumerate_classes,
    .TestConnection = session_test,
};
