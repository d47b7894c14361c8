/* SPDX-License-Identifier: MIT */
/*
 * The table of a session: 13 ways to start an operation, which differ in their arguments only.
 */
#include "host/server/host.h"

#include <string.h>

/* GetApplication: of a valid session only, so that a stale handle is not a way to any object. */
static MI_Result get_application(MI_Session *handle, MI_Application *application)
{
    ENTRY_UNCANCELLED;
    if (application == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(application, 0, sizeof(*application));
    struct session *session = session_acquire(handle);
    if (session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    session_release(session);
    *application = application_handle();
    return MI_RESULT_OK;
}

/* The four requests whose only argument is one instance. */
static void start_on_instance(enum request_kind kind, MI_Session *session, MI_Uint32 flags,
                              MI_OperationOptions *options, const MI_Char *name_space,
                              const MI_Instance *instance, MI_OperationCallbacks *callbacks,
                              MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = kind, .name_space = name_space, .instance = instance},
    };
    operation_start(&start);
}

/* GetInstance, ModifyInstance, CreateInstance and DeleteInstance. */
static void get_instance(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                         const MI_Char *name_space, const MI_Instance *instance,
                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    start_on_instance(REQUEST_GET, session, flags, options, name_space, instance, callbacks,
                      operation);
}

/* ModifyInstance. */
static void modify_instance(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                            const MI_Char *name_space, const MI_Instance *instance,
                            MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    start_on_instance(REQUEST_MODIFY, session, flags, options, name_space, instance, callbacks,
                      operation);
}

/* CreateInstance. */
static void create_instance(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                            const MI_Char *name_space, const MI_Instance *instance,
                            MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    start_on_instance(REQUEST_CREATE, session, flags, options, name_space, instance, callbacks,
                      operation);
}

/* DeleteInstance. */
static void delete_instance(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                            const MI_Char *name_space, const MI_Instance *instance,
                            MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    start_on_instance(REQUEST_DELETE, session, flags, options, name_space, instance, callbacks,
                      operation);
}

/* Invoke: the class is optional when there is an instance; check_invoke() in operation_new.c
 * decides. */
static void invoke(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                   const MI_Char *name_space, const MI_Char *class_name, const MI_Char *method_name,
                   const MI_Instance *instance, const MI_Instance *parameters,
                   MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_INVOKE,
                  .name_space = name_space,
                  .class_name = class_name,
                  .method_name = method_name,
                  .instance = instance,
                  .parameters = parameters},
    };
    operation_start(&start);
}

/* EnumerateInstances: keys_only is passed to the provider, and its results are reduced here too. */
static void enumerate_instances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                                const MI_Char *name_space, const MI_Char *class_name,
                                MI_Boolean keys_only, MI_OperationCallbacks *callbacks,
                                MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_ENUMERATE,
                  .name_space = name_space,
                  .class_name = class_name,
                  .keys_only = keys_only},
    };
    operation_start(&start);
}

/* QueryInstances: dialect and expression are required. */
static void query_instances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                            const MI_Char *name_space, const MI_Char *dialect,
                            const MI_Char *expression, MI_OperationCallbacks *callbacks,
                            MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_QUERY,
                  .name_space = name_space,
                  .dialect = dialect,
                  .expression = expression},
    };
    operation_start(&start);
}

/* AssociatorInstances: all filters are optional, the keys are not. */
static void associator_instances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                                 const MI_Char *name_space, const MI_Instance *keys,
                                 const MI_Char *association_class, const MI_Char *result_class,
                                 const MI_Char *role, const MI_Char *result_role,
                                 MI_Boolean keys_only, MI_OperationCallbacks *callbacks,
                                 MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_ASSOCIATORS,
                  .name_space = name_space,
                  .instance = keys,
                  .association_class = association_class,
                  .result_class = result_class,
                  .role = role,
                  .result_role = result_role,
                  .keys_only = keys_only},
    };
    operation_start(&start);
}

/* ReferenceInstances: likewise. */
static void reference_instances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                                const MI_Char *name_space, const MI_Instance *keys,
                                const MI_Char *result_class, const MI_Char *role,
                                MI_Boolean keys_only, MI_OperationCallbacks *callbacks,
                                MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_REFERENCES,
                  .name_space = name_space,
                  .instance = keys,
                  .result_class = result_class,
                  .role = role,
                  .keys_only = keys_only},
    };
    operation_start(&start);
}

/* Subscribe: an operation of the kind whose results are indications. It lasts until its client ends
 * it, or a provider. */
static void subscribe(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                      const MI_Char *name_space, const MI_Char *dialect, const MI_Char *expression,
                      const MI_SubscriptionDeliveryOptions *delivery,
                      MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INDICATION,
        .input = {.kind = REQUEST_SUBSCRIBE,
                  .name_space = name_space,
                  .dialect = dialect,
                  .expression = expression,
                  .delivery = delivery},
    };
    operation_start(&start);
}

/* GetClass: its one result is queued before the operation starts. */
static void get_class(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                      const MI_Char *name_space, const MI_Char *class_name,
                      MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_CLASS,
        .input = {.kind = REQUEST_CLASS, .name_space = name_space, .class_name = class_name},
    };
    operation_start(&start);
}

/* EnumerateClasses: no class name means every class, so no argument is required. */
static void enumerate_classes(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                              const MI_Char *name_space, const MI_Char *class_name,
                              MI_Boolean names_only, MI_OperationCallbacks *callbacks,
                              MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .options = options,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_CLASS,
        .input = {.kind = REQUEST_CLASSES,
                  .name_space = name_space,
                  .class_name = class_name,
                  .keys_only = names_only},
    };
    operation_start(&start);
}

/* TestConnection: has no options and no namespace; a local session that exists is connected. */
static void test_connection(MI_Session *session, MI_Uint32 flags, MI_OperationCallbacks *callbacks,
                            MI_Operation *operation)
{
    const struct operation_start start = {
        .session = session,
        .flags = flags,
        .callbacks = callbacks,
        .operation = operation,
        .kind = OPERATION_INSTANCE,
        .input = {.kind = REQUEST_TEST},
    };
    operation_start(&start);
}

const MI_SessionFT session_ft = {
    .Close = session_close,
    .GetApplication = get_application,
    .GetInstance = get_instance,
    .ModifyInstance = modify_instance,
    .CreateInstance = create_instance,
    .DeleteInstance = delete_instance,
    .Invoke = invoke,
    .EnumerateInstances = enumerate_instances,
    .QueryInstances = query_instances,
    .AssociatorInstances = associator_instances,
    .ReferenceInstances = reference_instances,
    .Subscribe = subscribe,
    .GetClass = get_class,
    .EnumerateClasses = enumerate_classes,
    .TestConnection = test_connection,
};
