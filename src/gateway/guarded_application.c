/* SPDX-License-Identifier: MIT */
/*
 * The application behind a local session. A provider needs it to make instances and options.
 * Closing the server's application, opening sessions past the guard and hosting further providers
 * are denied. Its handle is the session's and ends with it.
 *
 * Each slot that makes something enters by enter_application(), which counts as a use of the
 * session, and forwards to the host's application (FORWARD). The three that a provider must not
 * have are answered by deny().
 */
#include <string.h>

#include "gateway/gateway.h"

/* Pins the session whose handle the application has. NULL is an invalid handle. */
static enum slots_verdict acquire_session(const MI_Application *handle,
                                          struct guarded_session **ret_session)
{
    struct slots_handle asked = {0, 0};
    if (handle != NULL) {
        asked = (struct slots_handle){handle->reserved1, (uint64_t)handle->reserved2};
    }
    void *object = NULL;
    enum slots_verdict verdict = slots_acquire(&guarded_sessions, asked, &object);
    *ret_session = object;
    return verdict;
}

/* The host's own application, while the session's pin is held. Objects that are made with it are
 * made for the session's identity, so each call counts as a use of the session. The policy is asked
 * about the application as such, which it allowed when the handle was handed out. */
static MI_Result enter_application(const MI_Application *handle, const void *call_site,
                                   struct guarded_session **ret_session, MI_Application *ret_inner)
{
    struct guarded_session *session = NULL;
    struct refusal refusal;

    enum slots_verdict verdict = acquire_session(handle, &session);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(OPERATION_GET_APPLICATION, verdict,
                            handle != NULL ? handle->reserved1 : 0, call_site, &refusal);
        return refused_result(&refusal);
    }
    *ret_session = session;
    const struct guard_call call = {.operation = OPERATION_GET_APPLICATION,
                                    .binding = &session->binding,
                                    .call_site = call_site};
    MI_Result result = guard_use(&call, &refusal)
                           ? MI_Session_GetApplication(&session->inner, ret_inner)
                           : refused_result(&refusal);
    if (result != MI_RESULT_OK) {
        slots_release(&guarded_sessions, session);
    }
    return result;
}

/* Outputs are cleared first: a caller that does not check the result must not use what was there
 * before. */
#define CLEARED(output) ((output) != NULL ? (void)memset((output), 0, sizeof(*(output))) : (void)0)

/* One slot that the host's application answers: guard, forward, release, and clear the output after
 * a failure. A host may leave a slot NULL. */
#define FORWARD(function, output, PARAMETERS, Slot, ...)                                           \
    static MI_Result MI_CALL function PARAMETERS                                                   \
    {                                                                                              \
        ENTER_SLOT;                                                                                \
        struct guarded_session *session = NULL;                                                    \
        MI_Application inner;                                                                      \
        CLEARED(output);                                                                           \
        MI_Result result =                                                                         \
            enter_application(application, __builtin_return_address(0), &session, &inner);         \
        if (result == MI_RESULT_OK) {                                                              \
            result = inner.ft->Slot != NULL ? inner.ft->Slot(&inner, __VA_ARGS__)                  \
                                            : MI_RESULT_NOT_SUPPORTED;                             \
            slots_release(&guarded_sessions, session);                                             \
        }                                                                                          \
        if (result != MI_RESULT_OK) {                                                              \
            CLEARED(output);                                                                       \
        }                                                                                          \
        return result;                                                                             \
    }

FORWARD(new_instance, instance,
        (MI_Application * application, const MI_Char *class_name, const MI_ClassDecl *decl,
         MI_Instance **instance),
        NewInstance, class_name, decl, instance)
FORWARD(new_destination_options, options,
        (MI_Application * application, MI_DestinationOptions *options), NewDestinationOptions,
        options)
FORWARD(new_operation_options, options,
        (MI_Application * application, MI_Boolean must_understand, MI_OperationOptions *options),
        NewOperationOptions, must_understand, options)
FORWARD(new_delivery_options, options,
        (MI_Application * application, MI_SubscriptionDeliveryType type,
         MI_SubscriptionDeliveryOptions *options),
        NewSubscriptionDeliveryOptions, type, options)
FORWARD(new_serializer, serializer,
        (MI_Application * application, MI_Uint32 flags, MI_Char *format, MI_Serializer *serializer),
        NewSerializer, flags, format, serializer)
FORWARD(new_deserializer, deserializer,
        (MI_Application * application, MI_Uint32 flags, MI_Char *format,
         MI_Deserializer *deserializer),
        NewDeserializer, flags, format, deserializer)
FORWARD(new_instance_from_class, instance,
        (MI_Application * application, const MI_Char *class_name, const MI_Class *class_object,
         MI_Instance **instance),
        NewInstanceFromClass, class_name, class_object, instance)
FORWARD(new_class, class_object,
        (MI_Application * application, const MI_ClassDecl *decl, const MI_Char *name_space,
         const MI_Char *server, MI_Class **class_object),
        NewClass, decl, name_space, server, class_object)

/* Refused to every caller, whatever the identity, and recorded. The session is looked up all the
 * same: the record says whose it was, and a stale handle is refused as such. */
static MI_Result deny(const MI_Application *handle, enum operation operation, const void *call_site)
{
    struct guarded_session *session = NULL;
    struct refusal refusal;

    enum slots_verdict verdict = acquire_session(handle, &session);
    if (verdict != SLOTS_OK) {
        guard_refuse_handle(operation, verdict, handle != NULL ? handle->reserved1 : 0, call_site,
                            &refusal);
        return refused_result(&refusal);
    }
    const struct guard_call call = {
        .operation = operation, .binding = &session->binding, .call_site = call_site};
    guard_refuse(&call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_APPLICATION_RESTRICTED, GUARD_DENIED,
                 &refusal);
    slots_release(&guarded_sessions, session);
    return refused_result(&refusal);
}

/* The application belongs to the server; its end would take every provider with it. */
static MI_Result MI_CALL deny_close(MI_Application *application)
{
    ENTER_SLOT;
    return deny(application, OPERATION_APPLICATION_CLOSE, __builtin_return_address(0));
}

/* A session that the provider opens itself would bypass the guard. */
static MI_Result MI_CALL deny_session(MI_Application *application, const MI_Char *protocol,
                                      const MI_Char *destination, MI_DestinationOptions *options,
                                      MI_SessionCallbacks *callbacks, MI_Instance **error,
                                      MI_Session *session)
{
    ENTER_SLOT;
    (void)protocol;
    (void)destination;
    (void)options;
    (void)callbacks;
    if (error != NULL) {
        *error = NULL;
    }
    if (session != NULL) {
        memset(session, 0, sizeof(*session));
    }
    return deny(application, OPERATION_APPLICATION_NEW_SESSION, __builtin_return_address(0));
}

/* A further provider would run unguarded. */
static MI_Result MI_CALL deny_provider(MI_Application *application, const MI_Char *name_space,
                                       const MI_Char *name, MI_MainFunction main_function,
                                       MI_Instance **error, MI_HostedProvider *provider)
{
    ENTER_SLOT;
    (void)name_space;
    (void)name;
    (void)main_function;
    if (error != NULL) {
        *error = NULL;
    }
    if (provider != NULL) {
        memset(provider, 0, sizeof(*provider));
    }
    return deny(application, OPERATION_APPLICATION_NEW_PROVIDER, __builtin_return_address(0));
}

/* All slots of the table: one that is NULL would crash a caller of MI.h. */
const MI_ApplicationFT guarded_application_ft = {
    .Close = deny_close,
    .NewSession = deny_session,
    .NewHostedProvider = deny_provider,
    .NewInstance = new_instance,
    .NewDestinationOptions = new_destination_options,
    .NewOperationOptions = new_operation_options,
    .NewSubscriptionDeliveryOptions = new_delivery_options,
    .NewSerializer = new_serializer,
    .NewDeserializer = new_deserializer,
    .NewInstanceFromClass = new_instance_from_class,
    .NewClass = new_class,
};
