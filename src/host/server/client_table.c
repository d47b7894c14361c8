/* SPDX-License-Identifier: MIT */
/*
 * What a client program links against besides the inline functions of MI.h: an application without
 * a server. It makes instances and options; sessions come from miguard_host_session().
 *
 * MI.h finds all tables through mi_clientFT_V1, and its inline functions call every slot without
 * checking it. So each table is complete: slots without a service zero their outputs and answer
 * NOT_SUPPORTED, or INVALID_PARAMETER where the object cannot exist.
 */
#include "host/server/host.h"

#include <string.h>

#include "base/fork.h"
#include "host/object/object.h"
#include "host/serial/serial.h"

/* A hosted provider is never made, so every handle is invalid. */
static MI_Result close_hosted_provider(MI_HostedProvider *provider)
{
    (void)provider;
    return MI_RESULT_INVALID_PARAMETER;
}

/* GetApplication of an invalid handle: the output is zeroed. */
static MI_Result hosted_provider_application(MI_HostedProvider *provider,
                                             MI_Application *application)
{
    (void)provider;
    if (application != NULL) {
        memset(application, 0, sizeof(*application));
    }
    return MI_RESULT_INVALID_PARAMETER;
}

/* MapErrorToMiErrorCategory: the category that a CIM_Error for this code would have. */
static MI_ErrorCategory map_error(const MI_Char *type, MI_Uint32 code)
{
    MI_ErrorCategory category = MI_ERRORCATEGORY_NOT_SPECIFIED;
    MI_Instance *error = NULL;
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type found;

    if (error_instance_new(error_result_from(code, type), code, type, NULL, &error) !=
        MI_RESULT_OK) {
        return category;
    }
    if (instance_element_find(error, MI_T("error_Category"), &value, &found, &flags) ==
            MI_RESULT_OK &&
        found == MI_UINT16 && (flags & MI_FLAG_NULL) == 0) {
        category = (MI_ErrorCategory)value.uint16;
    }
    instance_delete(error);
    return category;
}

/* CimErrorFromErrorCode: the caller owns the instance. */
static MI_Result error_from_code(MI_Uint32 code, const MI_Char *type, const MI_Char *message,
                                 MI_Instance **error)
{
    if (error == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *error = NULL;
    return error_instance_new(error_result_from(code, type), code, type, message, error);
}

static const MI_HostedProviderFT hosted_provider_ft = {
    .Close = close_hosted_provider,
    .GetApplication = hosted_provider_application,
};

static const MI_UtilitiesFT utilities_ft = {
    .MapErrorToMiErrorCategory = map_error,
    .CimErrorFromErrorCode = error_from_code,
};

/* The tables of options are known once the first of each kind has been made. */
static pthread_mutex_t client_lock = PTHREAD_MUTEX_INITIALIZER;

FORK_OWNER(client_owner, .rank = FORK_CLIENT, .lock = &client_lock);

static MI_ClientFT_V1 client_ft = {
    .applicationFT = &application_ft,
    .sessionFT = &session_ft,
    .operationFT = &operation_ft,
    .hostedProviderFT = &hosted_provider_ft,
    .serializerFT = &serializer_ft,
    .deserializerFT = &deserializer_ft,
    .utilitiesFT = &utilities_ft,
};

/* The API defines the name, and that it is not const. */
MI_EXPORT const MI_ClientFT_V1 *mi_clientFT_V1 = &client_ft;

/* Fills the three tables in client_ft that are static in object/options.c, by making one object of
 * each kind. The caller holds client_lock. The last table is set last, so that a failure is tried
 * again. */
static MI_Result learn_option_tables(void)
{
    MI_OperationOptions operation;
    MI_DestinationOptions destination;
    MI_SubscriptionDeliveryOptions delivery;

    MI_Result result = operation_options_new(MI_FALSE, &operation);
    if (result == MI_RESULT_OK) {
        client_ft.operationOptionsFT = operation.ft;
        operation.ft->Delete(&operation);
        result = destination_options_new(&destination);
    }
    if (result == MI_RESULT_OK) {
        client_ft.destinationOptionsFT = destination.ft;
        destination.ft->Delete(&destination);
        result = delivery_options_new(MI_SubscriptionDeliveryType_Pull, &delivery);
    }
    if (result == MI_RESULT_OK) {
        client_ft.subscribeDeliveryOptionsFT = delivery.ft;
        delivery.ft->Delete(&delivery);
    }
    return result;
}

/* The entry point of MI.h. flags must be 0. SERVER_LIMITS_EXCEEDED without memory. */
MI_Result MI_Application_InitializeV1(MI_Uint32 flags, const MI_Char *application_id,
                                      MI_Instance **extended_error, MI_Application *application)
{
    ENTRY_UNCANCELLED;
    (void)application_id;
    if (extended_error != NULL) {
        *extended_error = NULL;
    }
    if (application == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(application, 0, sizeof(*application));
    if (flags != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    pthread_mutex_lock(&client_lock);
    MI_Result result =
        client_ft.subscribeDeliveryOptionsFT == NULL ? learn_option_tables() : MI_RESULT_OK;
    pthread_mutex_unlock(&client_lock);
    if (result == MI_RESULT_OK) {
        *application = application_handle();
    }
    return result;
}
