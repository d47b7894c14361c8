/* SPDX-License-Identifier: MIT */
/* Operation, destination and delivery options: names, types, handles, credentials. */
#include "host/object/object.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL "__MI_OPERATIONOPTIONS_CHANNEL"

static MI_OperationOptions operation(void)
{
    MI_OperationOptions options = {0};
    ck_assert_int_eq(operation_options_new(MI_FALSE, &options), MI_RESULT_OK);
    return options;
}

/* ---- setting (reference G.3): "number" is a uint32, "text" a string, "span" an interval - */

enum setter { STRING, NUMBER, INTERVAL, CUSTOM_STRING, CUSTOM_NUMBER, CUSTOM_ARRAY };

static const struct {
    enum setter setter;
    const char *name;
    bool value; /* false: NULL where there can be */
    MI_Uint32 flags;
    MI_Result result;
} settings[] = {
    {STRING, "new", true, 0, MI_RESULT_OK},
    {NUMBER, "new", true, 0, MI_RESULT_OK},
    {INTERVAL, "new", true, 0, MI_RESULT_OK},
    {CUSTOM_STRING, "new", true, 0, MI_RESULT_OK},
    {CUSTOM_ARRAY, "new", true, 0, MI_RESULT_OK},
    {STRING, "new", true, 1, MI_RESULT_INVALID_PARAMETER},
    {NUMBER, "new", true, 1, MI_RESULT_INVALID_PARAMETER},
    {INTERVAL, "new", true, 1, MI_RESULT_INVALID_PARAMETER},
    {CUSTOM_STRING, "new", true, 1, MI_RESULT_INVALID_PARAMETER},
    {STRING, NULL, true, 0, MI_RESULT_INVALID_PARAMETER},
    {NUMBER, NULL, true, 0, MI_RESULT_INVALID_PARAMETER},
    {INTERVAL, NULL, true, 0, MI_RESULT_INVALID_PARAMETER},
    {CUSTOM_STRING, NULL, true, 0, MI_RESULT_INVALID_PARAMETER},
    {STRING, "", true, 0, MI_RESULT_INVALID_PARAMETER},
    {STRING, "new", false, 0, MI_RESULT_INVALID_PARAMETER},
    {INTERVAL, "new", false, 0, MI_RESULT_INVALID_PARAMETER},
    {CUSTOM_STRING, "new", false, 0, MI_RESULT_INVALID_PARAMETER},
    {STRING, "TEXT", true, 0, MI_RESULT_OK},
    {STRING, "number", true, 0, MI_RESULT_TYPE_MISMATCH},
    {NUMBER, "text", true, 0, MI_RESULT_TYPE_MISMATCH},
    {INTERVAL, "text", true, 0, MI_RESULT_TYPE_MISMATCH},
    {CUSTOM_NUMBER, "number", true, 0, MI_RESULT_OK},
    {CUSTOM_ARRAY, "number", true, 0, MI_RESULT_TYPE_MISMATCH},
    {NUMBER, CHANNEL, true, 0, MI_RESULT_OK},
    {NUMBER, CHANNEL, true, 1, MI_RESULT_OK},
    {NUMBER, CHANNEL, true, 2, MI_RESULT_INVALID_PARAMETER},
    {CUSTOM_NUMBER, CHANNEL, true, 0, MI_RESULT_INVALID_PARAMETER},
};

static MI_Result set(MI_OperationOptions *options, int row)
{
    const MI_OperationOptionsFT *ft = options->ft;
    const char *name = settings[row].name;
    MI_Uint32 flags = settings[row].flags;
    MI_Interval span = {.hours = 2};
    MI_Value text = {.string = (char *)(uintptr_t) "value"};
    MI_Value number = {.uint32 = 2};
    MI_Uint8 bytes[] = {1, 2};
    MI_Value array = {.uint8a = {bytes, 2}};
    bool value = settings[row].value;

    switch (settings[row].setter) {
    case STRING:
        return ft->SetString(options, name, value ? "value" : NULL, flags);
    case NUMBER:
        return ft->SetNumber(options, name, 2, flags);
    case INTERVAL:
        return ft->SetInterval(options, name, value ? &span : NULL, flags);
    case CUSTOM_STRING:
        return ft->SetCustomOption(options, name, MI_STRING, value ? &text : NULL, MI_FALSE, flags);
    case CUSTOM_NUMBER:
        return ft->SetCustomOption(options, name, MI_UINT32, &number, MI_FALSE, flags);
    default:
        return ft->SetCustomOption(options, name, MI_UINT8A, &array, MI_FALSE, flags);
    }
}

START_TEST(setting)
{
    MI_OperationOptions options = operation();
    const MI_Interval span = {.days = 1};
    MI_Uint32 before = 0;
    MI_Uint32 after = 0;
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "number", 1, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetString(&options, "text", "old", 0), MI_RESULT_OK);
    ck_assert_int_eq(options.ft->SetInterval(&options, "span", &span, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_GetOptionCount(&options, &before), MI_RESULT_OK);
    ck_assert_int_eq(set(&options, _i), settings[_i].result);
    ck_assert_int_eq(MI_OperationOptions_GetOptionCount(&options, &after), MI_RESULT_OK);
    if (settings[_i].result != MI_RESULT_OK) {
        const MI_Char *text = NULL;
        MI_Uint32 number = 0;
        ck_assert_uint_eq(before, after);
        ck_assert_int_eq(MI_OperationOptions_GetString(&options, "text", &text, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_str_eq(text, "old");
        ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "number", &number, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_uint_eq(number, 1);
    }
    MI_OperationOptions_Delete(&options);
}
END_TEST

START_TEST(getting)
{
    MI_OperationOptions options = operation();
    const MI_Interval span = {.days = 1, .minutes = 5};
    MI_Interval got_span = {0};
    const MI_Char *text = "?";
    MI_Uint32 number = 0;
    MI_Uint32 index = 99;
    MI_Uint32 flags = 99;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "number", 1, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&options, "Number", 42, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetString(&options, "text", "old", 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetString(&options, "text", "new", 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &span), MI_RESULT_OK);

    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "NUMBER", &number, &index, &flags),
                     MI_RESULT_OK);
    ck_assert_uint_eq(number, 42);
    ck_assert_uint_eq(index, 1); /* behind the channels */
    ck_assert_uint_eq(flags, 0);
    ck_assert_int_eq(MI_OperationOptions_GetString(&options, "text", &text, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(text, "new");
    ck_assert_int_eq(MI_OperationOptions_GetTimeout(&options, &got_span), MI_RESULT_OK);
    ck_assert_int_eq(memcmp(&span, &got_span, sizeof(span)), 0);

    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "text", &number, NULL, NULL),
                     MI_RESULT_TYPE_MISMATCH);
    ck_assert_int_eq(MI_OperationOptions_GetString(&options, "number", &text, NULL, NULL),
                     MI_RESULT_TYPE_MISMATCH);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(options.ft->GetInterval(&options, "text", &got_span, NULL, NULL),
                     MI_RESULT_TYPE_MISMATCH);
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "nobody", &number, NULL, NULL),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "number", NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, NULL, &number, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_OperationOptions_GetString(&options, "text", NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_OperationOptions_GetString(&options, NULL, &text, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);

    ck_assert_int_eq(MI_OperationOptions_GetOptionAt(&options, 2, &name, &value, &type, &flags),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "text");
    ck_assert_int_eq(type, MI_STRING);
    ck_assert_str_eq(value.string, "new");
    ck_assert_int_eq(MI_OperationOptions_GetOptionAt(&options, 4, &name, &value, &type, &flags),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(name);
    ck_assert_int_eq(MI_OperationOptions_GetOptionAt(&options, 0, NULL, &value, &type, &flags),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "number", &value, &type, &index, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(value.uint32, 42);
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "nobody", &value, &type, NULL, NULL),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "number", NULL, &type, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    MI_OperationOptions_Delete(&options);
}
END_TEST

START_TEST(custom_options)
{
    MI_OperationOptions options = operation();
    char text[] = "custom";
    char *data[] = {text};
    MI_Value value = {.stringa = {data, 1}};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(&options, "c", MI_STRINGA, &value, MI_TRUE),
        MI_RESULT_OK);
    text[0] = 'X';
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "c", &value, &type, NULL, &flags),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRINGA);
    ck_assert_str_eq(value.stringa.data[0], "custom");
    ck_assert_uint_eq(flags, MI_FLAG_REQUIRED);
    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(&options, "c", MI_STRINGA, &value, MI_FALSE),
        MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "c", &value, &type, NULL, &flags),
                     MI_RESULT_OK);
    ck_assert_uint_eq(flags, 0);
    ck_assert_int_eq(options.ft->SetCustomOption(&options, "d", (MI_Type)32, &value, MI_FALSE, 0),
                     MI_RESULT_INVALID_PARAMETER);
    MI_OperationOptions_Delete(&options);

    /* every custom option must be understood, if the options as a whole say so */
    ck_assert_int_eq(operation_options_new(MI_TRUE, &options), MI_RESULT_OK);
    value.uint32 = 1;
    ck_assert_int_eq(
        MI_OperationOptions_SetCustomOption(&options, "c", MI_UINT32, &value, MI_FALSE),
        MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_GetOption(&options, "c", &value, &type, NULL, &flags),
                     MI_RESULT_OK);
    ck_assert_uint_eq(flags, MI_FLAG_REQUIRED);
    MI_OperationOptions_Delete(&options);
}
END_TEST

START_TEST(channels)
{
    MI_OperationOptions options = operation();
    MI_Uint32 list[3] = {0};
    MI_Uint32 count = 9;
    MI_Uint32 flags = 9;
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(&options, list, 3, &count, &flags),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(flags, 0);
    ck_assert_int_eq(MI_OperationOptions_EnableChannel(&options, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_EnableChannel(&options, 1), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_EnableChannel(&options, 17), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_DisableChannel(&options, 1), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_DisableChannel(&options, 2), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(&options, list, 3, &count, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(list[0], 0);
    ck_assert_uint_eq(list[1], 17);
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(&options, list, 1, &count, NULL),
                     MI_RESULT_FAILED);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(&options, NULL, 0, &count, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(MI_OperationOptions_GetEnabledChannels(&options, list, 3, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    MI_OperationOptions_Delete(&options);
}
END_TEST

/* Handles are copied by value; the object they name is gone for all of them at once. */
START_TEST(handles)
{
    MI_OperationOptions options = operation();
    MI_OperationOptions copy = options;
    MI_OperationOptions clone = {0};
    MI_DestinationOptions other = {0};
    MI_Uint32 number = 0;

    ck_assert(operation_options_valid(&options));
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&copy, "n", 5, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&options, "n", &number, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_Clone(&options, &clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&copy, "n", 6, 0), MI_RESULT_OK);
    MI_OperationOptions_Delete(&options);
    ck_assert_ptr_null(options.ft);
    ck_assert(!operation_options_valid(&options));
    ck_assert(!operation_options_valid(&copy));
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&copy, "n", &number, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&copy, "n", 7, 0), MI_RESULT_INVALID_PARAMETER);
    MI_OperationOptions none = copy;
    ck_assert_int_eq(MI_OperationOptions_Clone(&copy, &none), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(none.ft);
    MI_OperationOptions_Delete(&copy); /* twice: nothing happens */
    ck_assert_int_eq(MI_OperationOptions_GetNumber(&clone, "n", &number, NULL, NULL), MI_RESULT_OK);
    ck_assert_uint_eq(number, 5);

    /* forged, and of another kind */
    MI_OperationOptions forged = clone;
    forged.reserved2++;
    ck_assert(!operation_options_valid(&forged));
    ck_assert_int_eq(destination_options_new(&other), MI_RESULT_OK);
    forged.reserved1 = other.reserved1;
    forged.reserved2 = other.reserved2;
    ck_assert(!operation_options_valid(&forged));
    ck_assert_int_eq(MI_OperationOptions_SetNumber(&forged, "n", 7, 0),
                     MI_RESULT_INVALID_PARAMETER);
    MI_DestinationOptions_Delete(&other);
    MI_OperationOptions_Delete(&clone);
    ck_assert(!operation_options_valid(NULL));
    ck_assert_int_eq(operation_options_new(MI_FALSE, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(destination_options_new(NULL), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

START_TEST(limits)
{
    MI_OperationOptions options = operation();
    char name[16];
    MI_Result result = MI_RESULT_OK;
    MI_Uint32 count = 0;
    for (unsigned i = 0; i < 2000 && result == MI_RESULT_OK; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        result = MI_OperationOptions_SetNumber(&options, name, i, 0);
    }
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_int_eq(MI_OperationOptions_GetOptionCount(&options, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 1024);
    MI_OperationOptions_Delete(&options);
}
END_TEST

/* ---- credentials (reference G.4) --------------------------------------------------------- */

static const struct {
    const char *name;
    MI_UserCredentials credentials;
    MI_Uint32 flags;
    MI_Result result;
} additions[] = {
    {"D", {"Default", {{NULL, "u", "p"}}}, 0, MI_RESULT_OK},
    {"D", {"Kerberos", {{"dom", "u", NULL}}}, 0, MI_RESULT_OK},
    {"D", {"ClientCerts", {.certificateThumbprint = "ab:cd"}}, 0, MI_RESULT_OK},
    {"D", {"NegoNoCreds", {{NULL, NULL, NULL}}}, 0, MI_RESULT_OK},
    {"D", {"Default", {{NULL, "u", "p"}}}, 1, MI_RESULT_INVALID_PARAMETER},
    {"D", {"Default", {{NULL, NULL, "p"}}}, 0, MI_RESULT_INVALID_PARAMETER},
    {"D", {"Default", {{NULL, "", "p"}}}, 0, MI_RESULT_INVALID_PARAMETER},
    {"D", {"ClientCerts", {.certificateThumbprint = NULL}}, 0, MI_RESULT_INVALID_PARAMETER},
    {"D", {"Telepathy", {{NULL, "u", "p"}}}, 0, MI_RESULT_INVALID_PARAMETER},
    {"D", {NULL, {{NULL, "u", "p"}}}, 0, MI_RESULT_INVALID_PARAMETER},
    {NULL, {"Default", {{NULL, "u", "p"}}}, 0, MI_RESULT_INVALID_PARAMETER},
    {"D", {"Basic", {{NULL, "u", "p"}}}, 0, MI_RESULT_FAILED}, /* there already */
    {"d", {"BASIC", {{NULL, "v", "q"}}}, 0, MI_RESULT_FAILED},
    {"E", {"Basic", {{NULL, "u", "p"}}}, 0, MI_RESULT_OK},
};

START_TEST(adding_credentials)
{
    static const MI_UserCredentials first = {MI_AUTH_TYPE_BASIC, {{"dom", "user", "secret"}}};
    MI_DestinationOptions options = {0};
    MI_Uint32 count = 0;
    ck_assert_int_eq(destination_options_new(&options), MI_RESULT_OK);
    ck_assert_int_eq(options.ft->AddCredentials(&options, "D", &first, 0), MI_RESULT_OK);
    ck_assert_int_eq(options.ft->AddCredentials(&options, "D", NULL, 0),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(options.ft->AddCredentials(&options, additions[_i].name,
                                                &additions[_i].credentials, additions[_i].flags),
                     additions[_i].result);
    ck_assert_int_eq(MI_DestinationOptions_GetCredentialsCount(&options, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, additions[_i].result == MI_RESULT_OK ? 2 : 1);
    MI_DestinationOptions_Delete(&options);
}
END_TEST

START_TEST(passwords_are_masked)
{
    char secret[] = "secret";
    const MI_UserCredentials mine = {MI_AUTH_TYPE_BASIC, {{"dom", "user", secret}}};
    const MI_UserCredentials certificate = {MI_AUTH_TYPE_CLIENT_CERTS,
                                            {.certificateThumbprint = "ab"}};
    MI_DestinationOptions options = {0};
    MI_DestinationOptions clone = {0};
    MI_UserCredentials got;
    const MI_Char *name = NULL;
    char buffer[7] = "";
    MI_Uint32 length = 0;
    MI_Uint32 flags = 9;

    ck_assert_int_eq(destination_options_new(&options), MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_AddDestinationCredentials(&options, &mine),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_DestinationOptions_AddProxyCredentials(&options, &certificate),
                     MI_RESULT_OK);
    memset(secret, 'x', 6);
    ck_assert_int_eq(MI_DestinationOptions_Clone(&options, &clone), MI_RESULT_OK);
    MI_DestinationOptions_Delete(&options);

    ck_assert_int_eq(MI_DestinationOptions_GetCredentialsAt(&clone, 0, &name, &got, &flags),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "__MI_DESTINATIONOPTIONS_DESTINATION_CREDENTIALS");
    ck_assert_str_eq(got.authenticationType, "Basic");
    ck_assert_str_eq(got.credentials.usernamePassword.username, "user");
    ck_assert_str_eq(got.credentials.usernamePassword.domain, "dom");
    ck_assert_str_eq(got.credentials.usernamePassword.password, "******");
    ck_assert_uint_eq(flags, 0);
    ck_assert_int_eq(MI_DestinationOptions_GetCredentialsAt(&clone, 1, &name, &got, &flags),
                     MI_RESULT_OK);
    ck_assert_str_eq(got.credentials.certificateThumbprint, "ab");
    ck_assert_int_eq(MI_DestinationOptions_GetCredentialsAt(&clone, 2, &name, &got, &flags),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_ptr_null(got.authenticationType);

    ck_assert_int_eq(MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 0, &name, buffer,
                                                                    sizeof(buffer), &length, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(buffer, "secret");
    ck_assert_uint_eq(length, 7);
    memset(buffer, 'z', sizeof(buffer));
    ck_assert_int_eq(
        MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 0, &name, buffer, 6, &length, NULL),
        MI_RESULT_FAILED);
    ck_assert_uint_eq(length, 7);
    ck_assert_int_eq(buffer[0], 'z');
    ck_assert_int_eq(
        MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 0, &name, NULL, 0, &length, NULL),
        MI_RESULT_OK);
    ck_assert_uint_eq(length, 7);
    ck_assert_int_eq(
        MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 1, &name, buffer, 7, &length, NULL),
        MI_RESULT_TYPE_MISMATCH);
    ck_assert_int_eq(
        MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 2, &name, buffer, 7, &length, NULL),
        MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(
        MI_DestinationOptions_GetCredentialsPasswordAt(&clone, 0, NULL, buffer, 7, &length, NULL),
        MI_RESULT_INVALID_PARAMETER);
    MI_DestinationOptions_Delete(&clone);
}
END_TEST

START_TEST(delivery)
{
    MI_SubscriptionDeliveryOptions options = {0};
    MI_SubscriptionDeliveryOptions clone = {0};
    MI_Datetime moment = {1, {.timestamp = {2026, 11, 22, 0, 0, 0, 0, 0}}};
    MI_Datetime got = {0};
    MI_Interval span = {.hours = 1};
    MI_UserCredentials credentials = {MI_AUTH_TYPE_DIGEST, {{NULL, "user", "secret"}}};
    MI_Uint32 count = 0;

    ck_assert_int_eq(delivery_options_new((MI_SubscriptionDeliveryType)0, &options),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(delivery_options_new(MI_SubscriptionDeliveryType_Pull, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(delivery_options_new(MI_SubscriptionDeliveryType_Push, &options),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_SetExpirationTime(&options, &moment),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_SetHeartbeatInterval(&options, &span),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_AddDeliveryCredentials(&options, &credentials),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Clone(&options, &clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Delete(&options), MI_RESULT_OK);
    ck_assert_ptr_null(options.ft);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_GetExpirationTime(&clone, &got), MI_RESULT_OK);
    ck_assert_uint_eq(got.u.timestamp.year, 2026);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_GetOptionCount(&clone, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_GetCredentialsCount(&clone, &count),
                     MI_RESULT_OK);
    ck_assert_uint_eq(count, 1);
    /* a moment is no interval */
    ck_assert_int_eq(clone.ft->SetDateTime(&clone, "m", &moment, 0), MI_RESULT_OK);
    ck_assert_int_eq(clone.ft->GetInterval(&clone, "m", &span, NULL, NULL),
                     MI_RESULT_TYPE_MISMATCH);
    ck_assert_int_eq(clone.ft->GetDateTime(&clone, "m", NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(clone.ft->SetDateTime(&clone, "m", NULL, 0), MI_RESULT_INVALID_PARAMETER);
    options = clone;
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Delete(&clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_SubscriptionDeliveryOptions_Delete(&options), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

static void all_filled(const void *table, size_t size)
{
    const void *slot = NULL;
    for (size_t i = 0; i < size; i += sizeof(slot)) {
        memcpy(&slot, (const char *)table + i, sizeof(slot));
        ck_assert_ptr_nonnull(slot);
    }
}

START_TEST(every_slot_is_there)
{
    MI_OperationOptions a = operation();
    MI_DestinationOptions b = {0};
    MI_SubscriptionDeliveryOptions c = {0};
    ck_assert_int_eq(destination_options_new(&b), MI_RESULT_OK);
    ck_assert_int_eq(delivery_options_new(MI_SubscriptionDeliveryType_Pull, &c), MI_RESULT_OK);
    all_filled(a.ft, sizeof(*a.ft));
    all_filled(b.ft, sizeof(*b.ft));
    all_filled(c.ft, sizeof(*c.ft));
    a.ft->Delete(NULL);
    b.ft->Delete(NULL);
    ck_assert_int_eq(c.ft->Delete(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(a.ft->Clone(NULL, &a), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(a.ft->Clone(&a, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(a.ft->SetNumber(NULL, "n", 1, 0), MI_RESULT_INVALID_PARAMETER);
    MI_OperationOptions_Delete(&a);
    MI_DestinationOptions_Delete(&b);
    (void)MI_SubscriptionDeliveryOptions_Delete(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host options");
    TCase *tcase = tcase_create("options");
    tcase_add_loop_test(tcase, setting, 0, (int)(sizeof(settings) / sizeof(settings[0])));
    tcase_add_test(tcase, getting);
    tcase_add_test(tcase, custom_options);
    tcase_add_test(tcase, channels);
    tcase_add_test(tcase, handles);
    tcase_add_test(tcase, limits);
    tcase_add_loop_test(tcase, adding_credentials, 0,
                        (int)(sizeof(additions) / sizeof(additions[0])));
    tcase_add_test(tcase, passwords_are_masked);
    tcase_add_test(tcase, delivery);
    tcase_add_test(tcase, every_slot_is_there);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
