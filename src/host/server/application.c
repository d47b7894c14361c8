/* SPDX-License-Identifier: MIT */
/*
 * The application of a session, and that of a program without a server.
 *
 * It makes what a request needs (instances, classes, options). It has no state: a provider that
 * closes it cannot take anything from another user of it.
 */
#include "host/server/host.h"

#include <string.h>

#include "host/object/object.h"
#include "host/serial/serial.h"

/* Close: the caller's handle ends and nothing else. Nothing is owned, and a provider must not be
 * able to end what others use. */
static MI_Result close_application(MI_Application *application)
{
    if (application == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(application, 0, sizeof(*application));
    return MI_RESULT_OK;
}

/* NewSession: a remote session, which this host does not make. The outputs are zeroed, so that a
 * caller that ignores the result has a handle that answers INVALID_PARAMETER. */
static MI_Result new_session(MI_Application *application, const MI_Char *protocol,
                             const MI_Char *destination, MI_DestinationOptions *options,
                             MI_SessionCallbacks *callbacks, MI_Instance **extended_error,
                             MI_Session *session)
{
    (void)protocol;
    (void)destination;
    (void)options;
    (void)callbacks;
    if (extended_error != NULL) {
        *extended_error = NULL;
    }
    if (application == NULL || session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(session, 0, sizeof(*session));
    return MI_RESULT_NOT_SUPPORTED;
}

/* NewHostedProvider: modules are added by the program, through miguard_host_add(). */
static MI_Result new_hosted_provider(MI_Application *application, const MI_Char *name_space,
                                     const MI_Char *name, MI_MainFunction main_function,
                                     MI_Instance **extended_error, MI_HostedProvider *provider)
{
    (void)name_space;
    (void)name;
    (void)main_function;
    if (extended_error != NULL) {
        *extended_error = NULL;
    }
    if (application == NULL || provider == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(provider, 0, sizeof(*provider));
    return MI_RESULT_NOT_SUPPORTED;
}

/* What is wrong with a caller's declaration, which is checked like that of a module; NULL if
 * nothing is. It may be that of a method, whose parameters are wanted. */
static const char *given_fault(const MI_ClassDecl *decl)
{
    return (decl->flags & MI_FLAG_METHOD) == 0
               ? decl_fault(decl)
               : decl_method_fault((const MI_MethodDecl *)(const void *)decl);
}

/* NewInstance: static when a declaration is given, else dynamic. */
static MI_Result new_instance(MI_Application *application, const MI_Char *class_name,
                              const MI_ClassDecl *decl, MI_Instance **instance)
{
    if (instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = NULL;
    if (application == NULL || (class_name == NULL && decl == NULL) ||
        (decl != NULL && given_fault(decl) != NULL) ||
        (decl == NULL && !decl_name_legal(class_name))) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return decl != NULL ? instance_new(decl, instance)
                        : instance_new_dynamic(class_name, 0, instance);
}

/* The three option slots zero the output first: no failure leaves a handle. */
static MI_Result new_destination_options(MI_Application *application,
                                         MI_DestinationOptions *options)
{
    if (options == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(options, 0, sizeof(*options));
    return application == NULL ? MI_RESULT_INVALID_PARAMETER : destination_options_new(options);
}

/* NewOperationOptions: must_understand makes every custom option one that the server must
 * honour. */
static MI_Result new_operation_options(MI_Application *application, MI_Boolean must_understand,
                                       MI_OperationOptions *options)
{
    if (options == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(options, 0, sizeof(*options));
    return application == NULL ? MI_RESULT_INVALID_PARAMETER
                               : operation_options_new(must_understand, options);
}

/* NewSubscriptionDeliveryOptions: for Subscribe, which delivers by pull. */
static MI_Result new_delivery_options(MI_Application *application, MI_SubscriptionDeliveryType type,
                                      MI_SubscriptionDeliveryOptions *options)
{
    if (options == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(options, 0, sizeof(*options));
    return application == NULL ? MI_RESULT_INVALID_PARAMETER : delivery_options_new(type, options);
}

/* NewSerializer: NOT_SUPPORTED for a name that is no format. */
static MI_Result new_serializer(MI_Application *application, MI_Uint32 flags, MI_Char *format,
                                MI_Serializer *serializer)
{
    if (serializer == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(serializer, 0, sizeof(*serializer));
    return application == NULL || flags != 0 || format == NULL ? MI_RESULT_INVALID_PARAMETER
                                                               : serializer_new(format, serializer);
}

/* NewDeserializer: as new_serializer(). */
static MI_Result new_deserializer(MI_Application *application, MI_Uint32 flags, MI_Char *format,
                                  MI_Deserializer *deserializer)
{
    if (deserializer == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(deserializer, 0, sizeof(*deserializer));
    return application == NULL || flags != 0 || format == NULL
               ? MI_RESULT_INVALID_PARAMETER
               : deserializer_new(format, deserializer);
}

/* The elements of a class, with their defaults. Dynamic, because the class may be deleted before
 * it. */
static MI_Result copy_elements(const MI_Instance *from, MI_Instance *to)
{
    MI_Result result = MI_RESULT_OK;
    MI_Uint32 count = instance_element_count(from);

    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < count; i++) {
        const char *name = NULL;
        MI_Uint32 flags = 0;
        MI_Value value;
        MI_Type type;
        result = instance_element_at(from, i, &name, &value, &type, &flags);
        if (result == MI_RESULT_OK) {
            bool is_null = (flags & MI_FLAG_NULL) != 0;
            result = to->ft->AddElement(to, name, is_null ? NULL : &value, type,
                                        flags & (MI_FLAG_NULL | MI_FLAG_KEY));
        }
    }
    return result;
}

/* A static instance of the class gives the defaults; its elements then go into a dynamic one. */
static MI_Result instance_of_class(const MI_ClassDecl *decl, MI_Instance **ret_instance)
{
    MI_Instance *template = NULL;
    MI_Instance *made = NULL;

    MI_Result result = instance_new(decl, &template);
    if (result == MI_RESULT_OK) {
        instance_apply_defaults(template);
        result = instance_new_dynamic(decl->name, 0, &made);
    }
    if (result == MI_RESULT_OK) {
        result = copy_elements(template, made);
    }
    instance_delete(template);
    if (result != MI_RESULT_OK) {
        instance_delete(made);
        return result;
    }
    *ret_instance = made;
    return MI_RESULT_OK;
}

/* NewInstanceFromClass: without a class it is a dynamic instance of that name. */
static MI_Result new_instance_from_class(MI_Application *application, const MI_Char *class_name,
                                         const MI_Class *class_object, MI_Instance **instance)
{
    if (class_object == NULL) {
        return new_instance(application, class_name, NULL, instance);
    }
    if (instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = NULL;
    const MI_ClassDecl *decl = class_object->classDecl;
    if (application == NULL || decl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return instance_of_class(decl, instance);
}

/* NewClass: refers to the caller's declaration if that is static, else copies it. */
static MI_Result new_class(MI_Application *application, const MI_ClassDecl *decl,
                           const MI_Char *name_space, const MI_Char *server,
                           MI_Class **class_object)
{
    if (class_object == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *class_object = NULL;
    if (application == NULL || decl == NULL || decl_fault(decl) != NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return class_new(decl, name_space, server, class_object);
}

const MI_ApplicationFT application_ft = {
    .Close = close_application,
    .NewSession = new_session,
    .NewHostedProvider = new_hosted_provider,
    .NewInstance = new_instance,
    .NewDestinationOptions = new_destination_options,
    .NewOperationOptions = new_operation_options,
    .NewSubscriptionDeliveryOptions = new_delivery_options,
    .NewSerializer = new_serializer,
    .NewDeserializer = new_deserializer,
    .NewInstanceFromClass = new_instance_from_class,
    .NewClass = new_class,
};

/* The words only have to differ from those of a zeroed handle; the table is what works. */
MI_Application application_handle(void)
{
    return (MI_Application){.reserved1 = 1, .ft = &application_ft};
}
