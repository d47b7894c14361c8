/* SPDX-License-Identifier: MIT */
/*
 * The functions of operation, destination and delivery options (reference G.3 and G.4). Each setter
 * and its getter: set, replaced, read, not there, stored with another type, deleted.
 */
#include "rows.h"

#include <string.h>

#include "host/object/object.h"

#define OPERATION   "__MI_OPERATIONOPTIONS_"
#define DESTINATION "__MI_DESTINATIONOPTIONS_"
#define DELIVERY    "__MI_SUBSCRIPTIONDELIVERYOPTIONS_"

/* Empty options; others with the same names in other types; and deleted ones. */
static MI_OperationOptions operation, operation_other, operation_gone;
static MI_DestinationOptions destination, destination_other, destination_gone;
static MI_SubscriptionDeliveryOptions delivery, delivery_other, delivery_gone;

static MI_Interval ten_seconds = {.seconds = 10};
static MI_Datetime later = {
    .isTimestamp = MI_TRUE,
    .u = {.timestamp = {.year = 2030, .month = 2, .day = 3, .hour = 4, .minute = 5, .second = 6}}};

/* 30 February: refused when it is set, as in an instance. */
static MI_Datetime no_day = {.isTimestamp = MI_TRUE,
                             .u = {.timestamp = {.year = 2030, .month = 2, .day = 30}}};

static bool same_text(const MI_Char *read, const MI_Char *set)
{
    return read != NULL && strcmp(read, set) == 0;
}

static bool same_interval(MI_Interval read, const MI_Interval *set)
{
    return memcmp(&read, set, sizeof(read)) == 0;
}

static bool same_datetime(MI_Datetime read, const MI_Datetime *set)
{
    return memcmp(&read, set, sizeof(read)) == 0;
}

static bool same_number(MI_Uint32 read, MI_Uint32 set)
{
    return read == set;
}

/* X is the set of options: operation, destination, delivery. OTHER stores NAME with another type.
 */
#define PAIR(TYPE, X, SET, GET, OUT, VALUE, SAME, OTHER)                                           \
    do {                                                                                           \
        OUT out;                                                                                   \
        memset(&out, 0, sizeof(out));                                                              \
        NO_HANDLE(TYPE, SET, VALUE);                                                               \
        NO_HANDLE(TYPE, GET, &out);                                                                \
        ROW(NO_SUCH_PROPERTY, GET, "not set", &X, &out);                                           \
        ROW(OK, SET, "first", &X, VALUE);                                                          \
        ROW(OK, SET, "replaced", &X, VALUE);                                                       \
        ROW(OK, GET, "what was set", &X, &out);                                                    \
        EFFECT(SAME(out, VALUE));                                                                  \
        EFFECT((OTHER) == MI_RESULT_OK);                                                           \
        ROW(TYPE_MISMATCH, SET, "stored with another type", &X##_other, VALUE);                    \
        ROW(TYPE_MISMATCH, GET, "stored with another type", &X##_other, &out);                     \
        ROW(INVALID_PARAMETER, SET, "deleted options", &X##_gone, VALUE);                          \
        ROW(INVALID_PARAMETER, GET, "deleted options", &X##_gone, &out);                           \
    } while (0)

#define NUMBER_TOO(TYPE, X, NAME) TYPE##_SetNumber(&X##_other, NAME, 1 FLAGS_##X)
#define STRING_TOO(TYPE, X, NAME) TYPE##_SetString(&X##_other, NAME, "x" FLAGS_##X)
#define FLAGS_operation           , 0
#define FLAGS_delivery            , 0
#define FLAGS_destination

#define TEXT(TYPE, X, SET, GET, NAME)                                                              \
    PAIR(TYPE, X, TYPE##_##SET, TYPE##_##GET, const MI_Char *, "text", same_text,                  \
         NUMBER_TOO(TYPE, X, NAME));                                                               \
    ROW(INVALID_PARAMETER, TYPE##_##SET, "no value", &X, NULL)

#define WHOLE(TYPE, X, SET, GET, OUT, VALUE, NAME)                                                 \
    PAIR(TYPE, X, TYPE##_##SET, TYPE##_##GET, OUT, VALUE, same_number, STRING_TOO(TYPE, X, NAME))

#define SPAN(TYPE, X, SET, GET, NAME)                                                              \
    PAIR(TYPE, X, TYPE##_##SET, TYPE##_##GET, MI_Interval, &ten_seconds, same_interval,            \
         NUMBER_TOO(TYPE, X, NAME));                                                               \
    ROW(INVALID_PARAMETER, TYPE##_##SET, "no value", &X, NULL)

static void start(void)
{
    MI_OperationOptions gone;
    MI_DestinationOptions destination_copy;
    MI_SubscriptionDeliveryOptions delivery_copy;

    operation_options_new(MI_FALSE, &operation);
    operation_options_new(MI_FALSE, &operation_other);
    operation_options_new(MI_FALSE, &operation_gone);
    destination_options_new(&destination);
    destination_options_new(&destination_other);
    destination_options_new(&destination_gone);
    delivery_options_new(MI_SubscriptionDeliveryType_Pull, &delivery);
    delivery_options_new(MI_SubscriptionDeliveryType_Pull, &delivery_other);
    delivery_options_new(MI_SubscriptionDeliveryType_Pull, &delivery_gone);

    /* A copy of the handle goes stale with the options. */
    gone = operation_gone;
    destination_copy = destination_gone;
    delivery_copy = delivery_gone;
    MI_OperationOptions_Delete(&gone);
    MI_DestinationOptions_Delete(&destination_copy);
    ROW(OK, MI_SubscriptionDeliveryOptions_Delete, "live options", &delivery_copy);
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_Delete, "a stale copy",
        &(MI_SubscriptionDeliveryOptions){delivery_gone.reserved1, delivery_gone.reserved2,
                                          delivery_gone.ft});
    NO_HANDLE(MI_SubscriptionDeliveryOptions, MI_SubscriptionDeliveryOptions_Delete);
}

/* These two return nothing: what became of the options says whether they were deleted. */
static void deletion_rows(void)
{
    MI_OperationOptions none = MI_OPERATIONOPTIONS_NULL;
    MI_DestinationOptions no_destination = MI_DESTINATIONOPTIONS_NULL;
    MI_Uint32 count = 0;

    VOID_ROW(OK, MI_OperationOptions_Delete, "a copy is stale then",
             MI_OperationOptions_GetOptionCount(&operation_gone, &count) ==
                     MI_RESULT_INVALID_PARAMETER
                 ? MI_RESULT_OK
                 : MI_RESULT_FAILED);
    MI_OperationOptions_Delete(&operation_gone);
    MI_OperationOptions_Delete(&none);
    MI_OperationOptions_Delete(NULL);
    VOID_ROW(INVALID_PARAMETER, MI_OperationOptions_Delete, "stale, without a table, none: ignored",
             MI_OperationOptions_GetOptionCount(&none, &count));
    VOID_ROW(OK, MI_DestinationOptions_Delete, "a copy is stale then",
             MI_DestinationOptions_GetOptionCount(&destination_gone, &count) ==
                     MI_RESULT_INVALID_PARAMETER
                 ? MI_RESULT_OK
                 : MI_RESULT_FAILED);
    MI_DestinationOptions_Delete(&no_destination);
    MI_DestinationOptions_Delete(NULL);
    VOID_ROW(INVALID_PARAMETER, MI_DestinationOptions_Delete, "without a table, none: ignored",
             MI_DestinationOptions_GetOptionCount(&no_destination, &count));
}

static void operation_pairs(void)
{
    WHOLE(MI_OperationOptions, operation, SetWriteErrorMode, GetWriteErrorMode, MI_CallbackMode,
          MI_CALLBACKMODE_INQUIRE, OPERATION "WRITEERRORMODE");
    WHOLE(MI_OperationOptions, operation, SetPromptUserMode, GetPromptUserMode, MI_CallbackMode,
          MI_CALLBACKMODE_IGNORE, OPERATION "PROMPTUSERMODE");
    WHOLE(MI_OperationOptions, operation, SetUseMachineID, GetUseMachineID, MI_Boolean, MI_TRUE,
          OPERATION "USE_MACHINE_ID");
    TEXT(MI_OperationOptions, operation, SetResourceUriPrefix, GetResourceUriPrefix,
         OPERATION "RESOURCE_URI_PREFIX");
    TEXT(MI_OperationOptions, operation, SetResourceUri, GetResourceUri, OPERATION "RESOURCE_URI");
    SPAN(MI_OperationOptions, operation, SetTimeout, GetTimeout, OPERATION "TIMEOUT");
}

static void destination_pairs(void)
{
#define NUMBER_OF(NAME, OUT, VALUE, OPTION)                                                        \
    WHOLE(MI_DestinationOptions, destination, Set##NAME, Get##NAME, OUT, VALUE, DESTINATION OPTION)
#define TEXT_OF(NAME, OPTION)                                                                      \
    TEXT(MI_DestinationOptions, destination, Set##NAME, Get##NAME, DESTINATION OPTION)
    SPAN(MI_DestinationOptions, destination, SetTimeout, GetTimeout, DESTINATION "TIMEOUT");
    NUMBER_OF(CertCACheck, MI_Boolean, MI_TRUE, "CERT_CA_CHECK");
    NUMBER_OF(CertCNCheck, MI_Boolean, MI_TRUE, "CERT_CN_CHECK");
    NUMBER_OF(CertRevocationCheck, MI_Boolean, MI_TRUE, "CERT_REVOCATION_CHECK");
    NUMBER_OF(PacketPrivacy, MI_Boolean, MI_TRUE, "PACKET_PRIVACY");
    NUMBER_OF(PacketIntegrity, MI_Boolean, MI_TRUE, "PACKET_INTEGRITY");
    TEXT_OF(PacketEncoding, "PACKET_ENCODING");
    TEXT_OF(DataLocale, "DATA_LOCALE");
    TEXT_OF(UILocale, "UI_LOCALE");
    NUMBER_OF(MaxEnvelopeSize, MI_Uint32, 512, "MAX_ENVELOPE_SIZE");
    NUMBER_OF(MaxElements, MI_Uint32, 40, "MAX_ELEMENTS");
    NUMBER_OF(EncodePortInSPN, MI_Boolean, MI_TRUE, "ENCODE_PORT_IN_SPN");
    TEXT_OF(HttpUrlPrefix, "HTTP_URL_PREFIX");
    NUMBER_OF(DestinationPort, MI_Uint32, 5986, "DESTINATION_PORT");
    TEXT_OF(TrustedCertsDir, "TRUSTED_CERTS_DIR");
    TEXT_OF(CertFile, "CERT_FILE");
    TEXT_OF(PrivateKeyFile, "PRIVATE_KEY_FILE");
    TEXT_OF(Transport, "TRANSPORT");
    TEXT_OF(ProxyType, "PROXY_TYPE");
    NUMBER_OF(SslOptions, MI_Uint32, 3, "SSL_OPTIONS");
    NUMBER_OF(ImpersonationType, MI_DestinationOptions_ImpersonationType,
              MI_DestinationOptions_ImpersonationType_Identify, "IMPERSONATION_TYPE");
}

static void delivery_pairs(void)
{
#define DELIVERED(KIND, NAME, OPTION)                                                              \
    KIND(MI_SubscriptionDeliveryOptions, delivery, Set##NAME, Get##NAME, DELIVERY OPTION)
#define DELIVERED_NUMBER(NAME, OPTION)                                                             \
    WHOLE(MI_SubscriptionDeliveryOptions, delivery, Set##NAME, Get##NAME, MI_Uint32, 7,            \
          DELIVERY OPTION)
    DELIVERED(SPAN, MaximumLatency, "SET_MAXIMUM_LATENCY");
    DELIVERED(SPAN, HeartbeatInterval, "SET_HEARTBEAT_INTERVAL");
    DELIVERED(SPAN, DeliveryRetryInterval, "SET_DELIVERY_RETRY_INTERVAL");
    DELIVERED(TEXT, Bookmark, "SET_BOOKMARK");
    DELIVERED(TEXT, DeliveryDestination, "SET_DELIVERY_DESTINATION");
    DELIVERED_NUMBER(DeliveryPortNumber, "SET_DELIVERY_PORT_NUMBER");
    DELIVERED_NUMBER(DeliveryRetryAttempts, "SET_DELIVERY_RETRY_ATTEMPTS");
    PAIR(MI_SubscriptionDeliveryOptions, delivery, MI_SubscriptionDeliveryOptions_SetExpirationTime,
         MI_SubscriptionDeliveryOptions_GetExpirationTime, MI_Datetime, &later, same_datetime,
         NUMBER_TOO(MI_SubscriptionDeliveryOptions, delivery, DELIVERY "SET_EXPIRATION_TIME"));
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_SetExpirationTime, "30 February",
        &delivery, &no_day);
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_SetExpirationTime, "no value", &delivery,
        NULL);
}

/* ---- options by their names ------------------------------------------------------------------ */

/* SET and GET by name, with VALUE; BAD is a value of another type's setter under "other". */
#define NAMED(TYPE, X, SET, GET, OUT, VALUE, SAME, OTHER, ...)                                     \
    do {                                                                                           \
        OUT out;                                                                                   \
        MI_Uint32 index = 99;                                                                      \
        (void)index;                                                                               \
        memset(&out, 0, sizeof(out));                                                              \
        NO_HANDLE(TYPE, SET, "own-" #SET, VALUE FLAGS_##X);                                        \
        NO_HANDLE(TYPE, GET, "own-" #SET, &out, __VA_ARGS__);                                      \
        ROW(NO_SUCH_PROPERTY, GET, "not set", &X, "own-" #SET, &out, __VA_ARGS__);                 \
        ROW(OK, SET, "a new name", &X, "own-" #SET, VALUE FLAGS_##X);                              \
        ROW(OK, SET, "the name in other letters", &X, "OWN-" #SET, VALUE FLAGS_##X);               \
        ROW(OK, GET, "what was set", &X, "own-" #SET, &out, __VA_ARGS__);                          \
        EFFECT(SAME(out, VALUE));                                                                  \
        EFFECT(index < 99);                                                                        \
        EFFECT((OTHER) == MI_RESULT_OK);                                                           \
        ROW(TYPE_MISMATCH, SET, "stored with another type", &X, "other-" #SET, VALUE FLAGS_##X);   \
        ROW(TYPE_MISMATCH, GET, "stored with another type", &X, "other-" #SET, &out, __VA_ARGS__); \
        ROW(INVALID_PARAMETER, SET, "no name", &X, NULL, VALUE FLAGS_##X);                         \
        ROW(INVALID_PARAMETER, GET, "no name", &X, NULL, &out, __VA_ARGS__);                       \
        ROW(INVALID_PARAMETER, SET, "deleted options", &X##_gone, "n", VALUE FLAGS_##X);           \
        ROW(INVALID_PARAMETER, GET, "deleted options", &X##_gone, "n", &out, __VA_ARGS__);         \
    } while (0)

static void named_rows(void)
{
    NAMED(MI_OperationOptions, operation, MI_OperationOptions_SetString,
          MI_OperationOptions_GetString, const MI_Char *, "v", same_text,
          MI_OperationOptions_SetNumber(&operation, "other-MI_OperationOptions_SetString", 1, 0),
          &index, NULL);
    NAMED(MI_OperationOptions, operation, MI_OperationOptions_SetNumber,
          MI_OperationOptions_GetNumber, MI_Uint32, 5, same_number,
          MI_OperationOptions_SetString(&operation, "other-MI_OperationOptions_SetNumber", "t", 0),
          &index, NULL);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetString, "no value", &operation, "n", NULL, 0);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetString, "flags", &operation, "n", "v", 1);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetNumber, "flags", &operation, "n", 1, 1);

    NAMED(MI_DestinationOptions, destination, MI_DestinationOptions_SetString,
          MI_DestinationOptions_GetString, const MI_Char *, "v", same_text,
          MI_DestinationOptions_SetNumber(&destination, "other-MI_DestinationOptions_SetString", 1),
          &index);
    NAMED(
        MI_DestinationOptions, destination, MI_DestinationOptions_SetNumber,
        MI_DestinationOptions_GetNumber, MI_Uint32, 5, same_number,
        MI_DestinationOptions_SetString(&destination, "other-MI_DestinationOptions_SetNumber", "t"),
        &index);
    ROW(INVALID_PARAMETER, MI_DestinationOptions_SetString, "no value", &destination, "n", NULL);

#define DELIVERED_AS(KIND, OUT, VALUE, SAME)                                                       \
    NAMED(MI_SubscriptionDeliveryOptions, delivery, MI_SubscriptionDeliveryOptions_Set##KIND,      \
          MI_SubscriptionDeliveryOptions_Get##KIND, OUT, VALUE, SAME,                              \
          MI_SubscriptionDeliveryOptions_SetNumber(                                                \
              &delivery, "other-MI_SubscriptionDeliveryOptions_Set" #KIND, 1, 0),                  \
          &index, NULL);                                                                           \
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_Set##KIND, "no value", &delivery, "n",   \
        NULL, 0);                                                                                  \
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_Set##KIND, "flags", &delivery, "n",      \
        VALUE, 1)
    DELIVERED_AS(String, const MI_Char *, "v", same_text);
    DELIVERED_AS(DateTime, MI_Datetime, &later, same_datetime);
    DELIVERED_AS(Interval, MI_Interval, &ten_seconds, same_interval);
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_SetDateTime, "30 February", &delivery,
        "d", &no_day, 0);
    NAMED(MI_SubscriptionDeliveryOptions, delivery, MI_SubscriptionDeliveryOptions_SetNumber,
          MI_SubscriptionDeliveryOptions_GetNumber, MI_Uint32, 5, same_number,
          MI_SubscriptionDeliveryOptions_SetString(
              &delivery, "other-MI_SubscriptionDeliveryOptions_SetNumber", "t", 0),
          &index, NULL);
    ROW(INVALID_PARAMETER, MI_SubscriptionDeliveryOptions_SetNumber, "flags", &delivery, "n", 1, 1);
}

/* Counting, reading at an index and by a name, cloning. */
#define WALK(TYPE, X, NAME)                                                                        \
    do {                                                                                           \
        MI_Uint32 count = 0, index = 99, flags = 0;                                                \
        const MI_Char *name = NULL;                                                                \
        MI_Value value;                                                                            \
        MI_Type type = MI_BOOLEAN;                                                                 \
        TYPE clone;                                                                                \
        NO_HANDLE(TYPE, TYPE##_GetOptionCount, &count);                                            \
        ROW(OK, TYPE##_GetOptionCount, "some", &X, &count);                                        \
        EFFECT(count > 2);                                                                         \
        ROW(INVALID_PARAMETER, TYPE##_GetOptionCount, "nowhere to answer", &X, NULL);              \
        ROW(INVALID_PARAMETER, TYPE##_GetOptionCount, "deleted options", &X##_gone, &count);       \
        NO_HANDLE(TYPE, TYPE##_GetOptionAt, 0, &name, &value, &type, &flags);                      \
        ROW(OK, TYPE##_GetOptionAt, "the last", &X, count - 1, &name, &value, &type, &flags);      \
        EFFECT(name != NULL);                                                                      \
        ROW(INVALID_PARAMETER, TYPE##_GetOptionAt, "one too far", &X, count, &name, &value, &type, \
            &flags);                                                                               \
        ROW(INVALID_PARAMETER, TYPE##_GetOptionAt, "no type", &X, 0, &name, &value, NULL, &flags); \
        NO_HANDLE(TYPE, TYPE##_GetOption, NAME, &value, &type, &index, &flags);                    \
        ROW(OK, TYPE##_GetOption, "by its name", &X, NAME, &value, &type, &index, &flags);         \
        EFFECT(type == MI_UINT32 && index < count);                                                \
        ROW(NO_SUCH_PROPERTY, TYPE##_GetOption, "not set", &X, "absent", &value, &type, &index,    \
            &flags);                                                                               \
        ROW(INVALID_PARAMETER, TYPE##_GetOption, "no name", &X, NULL, &value, &type, &index,       \
            &flags);                                                                               \
        ROW(INVALID_PARAMETER, TYPE##_GetOption, "no type", &X, NAME, &value, NULL, &index,        \
            &flags);                                                                               \
        NO_HANDLE(TYPE, TYPE##_Clone, &clone);                                                     \
        EFFECT(clone.ft == NULL);                                                                  \
        ROW(INVALID_PARAMETER, TYPE##_Clone, "nowhere to answer", &X, NULL);                       \
        ROW(INVALID_PARAMETER, TYPE##_Clone, "deleted options", &X##_gone, &clone);                \
        EFFECT(clone.ft == NULL);                                                                  \
        ROW(OK, TYPE##_Clone, "all of them", &X, &clone);                                          \
        EFFECT(TYPE##_GetOptionCount(&clone, &index) == MI_RESULT_OK && index == count);           \
        TYPE##_Delete(&clone);                                                                     \
    } while (0)

static void walk_rows(void)
{
    WALK(MI_OperationOptions, operation, "own-MI_OperationOptions_SetNumber");
    WALK(MI_DestinationOptions, destination, "own-MI_DestinationOptions_SetNumber");
    WALK(MI_SubscriptionDeliveryOptions, delivery, "own-MI_SubscriptionDeliveryOptions_SetNumber");
}

/* ---- what only one kind has ------------------------------------------------------------------ */

static void prompt_rows(void)
{
    MI_CallbackMode mode = MI_CALLBACKMODE_REPORT;
    MI_Boolean answer = MI_FALSE;
    MI_OperationOptions fresh;

    operation_options_new(MI_FALSE, &fresh);
    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_SetPromptUserRegularMode,
              MI_CALLBACKMODE_REPORT, MI_TRUE);
    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_GetPromptUserRegularMode, &mode, &answer);
    ROW(NO_SUCH_PROPERTY, MI_OperationOptions_GetPromptUserRegularMode, "not set", &fresh, &mode,
        &answer);
    ROW(OK, MI_OperationOptions_SetPromptUserRegularMode, "with an answer", &fresh,
        MI_CALLBACKMODE_INQUIRE, MI_TRUE);
    ROW(OK, MI_OperationOptions_GetPromptUserRegularMode, "what was set", &fresh, &mode, &answer);
    EFFECT(mode == MI_CALLBACKMODE_INQUIRE && answer == MI_TRUE);
    ROW(TYPE_MISMATCH, MI_OperationOptions_SetPromptUserRegularMode, "stored with another type",
        &operation_other, MI_CALLBACKMODE_INQUIRE, MI_TRUE);
    ROW(TYPE_MISMATCH, MI_OperationOptions_GetPromptUserRegularMode, "stored with another type",
        &operation_other, &mode, &answer);
    MI_OperationOptions_Delete(&fresh);
}

static void architecture_rows(void)
{
    MI_ProviderArchitecture width = MI_PROVIDER_ARCHITECTURE_32BIT;
    MI_Boolean required = MI_FALSE;

    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_SetProviderArchitecture,
              MI_PROVIDER_ARCHITECTURE_64BIT, MI_TRUE);
    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_GetProviderArchitecture, &width, &required);
    ROW(NO_SUCH_PROPERTY, MI_OperationOptions_GetProviderArchitecture, "not set", &operation,
        &width, &required);
    ROW(OK, MI_OperationOptions_SetProviderArchitecture, "required", &operation,
        MI_PROVIDER_ARCHITECTURE_64BIT, MI_TRUE);
    ROW(OK, MI_OperationOptions_GetProviderArchitecture, "what was set", &operation, &width,
        &required);
    EFFECT(width == MI_PROVIDER_ARCHITECTURE_64BIT && required == MI_TRUE);
    MI_OperationOptions_SetString(&operation_other, OPERATION "PROVIDER_ARCHITECTURE", "x", 0);
    ROW(TYPE_MISMATCH, MI_OperationOptions_SetProviderArchitecture, "stored with another type",
        &operation_other, MI_PROVIDER_ARCHITECTURE_64BIT, MI_TRUE);
    ROW(TYPE_MISMATCH, MI_OperationOptions_GetProviderArchitecture, "stored with another type",
        &operation_other, &width, &required);
}

static bool has_channel(const MI_Uint32 *channels, MI_Uint32 count, MI_Uint32 channel)
{
    for (MI_Uint32 i = 0; i < count; i++) {
        if (channels[i] == channel) {
            return true;
        }
    }
    return false;
}

static void channel_rows(void)
{
    MI_Uint32 channels[4] = {9, 9, 9, 9}, count = 0, flags = 0;

    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_EnableChannel, 1);
    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_DisableChannel, 1);
    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_GetEnabledChannels, channels, 4, &count,
              &flags);
    ROW(OK, MI_OperationOptions_EnableChannel, "verbose", &operation,
        MI_WRITEMESSAGE_CHANNEL_VERBOSE);
    ROW(OK, MI_OperationOptions_EnableChannel, "debug", &operation, MI_WRITEMESSAGE_CHANNEL_DEBUG);
    ROW(OK, MI_OperationOptions_DisableChannel, "debug", &operation, MI_WRITEMESSAGE_CHANNEL_DEBUG);
    ROW(OK, MI_OperationOptions_GetEnabledChannels, "all but debug", &operation, channels, 4,
        &count, &flags);
    EFFECT(has_channel(channels, count, MI_WRITEMESSAGE_CHANNEL_VERBOSE));
    EFFECT(!has_channel(channels, count, MI_WRITEMESSAGE_CHANNEL_DEBUG));
    ROW(FAILED, MI_OperationOptions_GetEnabledChannels, "room for none", &operation, channels, 0,
        &count, &flags);
    EFFECT(count > 0);
    ROW(INVALID_PARAMETER, MI_OperationOptions_EnableChannel, "deleted options", &operation_gone,
        1);
    ROW(INVALID_PARAMETER, MI_OperationOptions_DisableChannel, "deleted options", &operation_gone,
        1);
    ROW(INVALID_PARAMETER, MI_OperationOptions_GetEnabledChannels, "nowhere to count", &operation,
        channels, 4, NULL, &flags);
}

static void custom_rows(void)
{
    MI_Value value = {.uint16 = 3};

    NO_HANDLE(MI_OperationOptions, MI_OperationOptions_SetCustomOption, "c", MI_UINT16, &value,
              MI_FALSE);
    ROW(OK, MI_OperationOptions_SetCustomOption, "a number of 16 bits", &operation, "c", MI_UINT16,
        &value, MI_TRUE);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetCustomOption, "no name", &operation, NULL,
        MI_UINT16, &value, MI_TRUE);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetCustomOption, "no value", &operation, "d",
        MI_UINT16, NULL, MI_TRUE);
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetCustomOption, "no such type", &operation, "d",
        (MI_Type)77, &value, MI_TRUE);
    value.datetime = no_day;
    ROW(INVALID_PARAMETER, MI_OperationOptions_SetCustomOption, "30 February", &operation, "d",
        MI_DATETIME, &value, MI_TRUE);
    ROW(TYPE_MISMATCH, MI_OperationOptions_SetCustomOption, "stored with another type", &operation,
        "c", MI_UINT8, &value, MI_TRUE);
}

#define USER                                                                                       \
    {                                                                                              \
        .authenticationType = MI_AUTH_TYPE_BASIC, .credentials.usernamePassword = {                \
            .domain = "d",                                                                         \
            .username = "u",                                                                       \
            .password = "secret"                                                                   \
        }                                                                                          \
    }

/* Credentials: ADD is the function that adds them. */
#define CREDENTIALS(TYPE, X, ADD)                                                                  \
    do {                                                                                           \
        MI_UserCredentials user = USER, nobody = USER, got;                                        \
        MI_Uint32 count = 99, flags = 0, length = 0;                                               \
        const MI_Char *name = NULL;                                                                \
        MI_Char password[32] = "";                                                                 \
        nobody.authenticationType = MI_AUTH_TYPE_DIGEST;                                           \
        nobody.credentials.usernamePassword.username = NULL;                                       \
        NO_HANDLE(TYPE, ADD, &user);                                                               \
        NO_HANDLE(TYPE, TYPE##_GetCredentialsCount, &count);                                       \
        NO_HANDLE(TYPE, TYPE##_GetCredentialsAt, 0, &name, &got, &flags);                          \
        NO_HANDLE(TYPE, TYPE##_GetCredentialsPasswordAt, 0, &name, password, 32, &length, &flags); \
        ROW(OK, ADD, "a user and a password", &X, &user);                                          \
        ROW(FAILED, ADD, "the same type again", &X, &user);                                        \
        ROW(INVALID_PARAMETER, ADD, "none", &X, NULL);                                             \
        ROW(INVALID_PARAMETER, ADD, "no user name", &X, &nobody);                                  \
        ROW(OK, TYPE##_GetCredentialsCount, "one", &X, &count);                                    \
        EFFECT(count >= 1);                                                                        \
        ROW(INVALID_PARAMETER, TYPE##_GetCredentialsCount, "nowhere to answer", &X, NULL);         \
        ROW(OK, TYPE##_GetCredentialsAt, "the first", &X, 0, &name, &got, &flags);                 \
        EFFECT(same_text(got.credentials.usernamePassword.password, "******"));                    \
        EFFECT(same_text(got.credentials.usernamePassword.username, "u"));                         \
        ROW(NO_SUCH_PROPERTY, TYPE##_GetCredentialsAt, "one too far", &X, count, &name, &got,      \
            &flags);                                                                               \
        ROW(OK, TYPE##_GetCredentialsPasswordAt, "the first", &X, 0, &name, password, 32, &length, \
            &flags);                                                                               \
        EFFECT(same_text(password, "secret"));                                                     \
        ROW(NO_SUCH_PROPERTY, TYPE##_GetCredentialsPasswordAt, "one too far", &X, count, &name,    \
            password, 32, &length, &flags);                                                        \
    } while (0)

static void credential_rows(void)
{
    CREDENTIALS(MI_DestinationOptions, destination,
                MI_DestinationOptions_AddDestinationCredentials);
    CREDENTIALS(MI_DestinationOptions, destination, MI_DestinationOptions_AddProxyCredentials);
    CREDENTIALS(MI_SubscriptionDeliveryOptions, delivery,
                MI_SubscriptionDeliveryOptions_AddDeliveryCredentials);
}

void options_rows(void)
{
    start();
    deletion_rows();
    operation_pairs();
    destination_pairs();
    delivery_pairs();
    named_rows();
    prompt_rows();
    architecture_rows();
    channel_rows();
    custom_rows();
    credential_rows();
    walk_rows();
    MI_OperationOptions_Delete(&operation);
    MI_OperationOptions_Delete(&operation_other);
    MI_DestinationOptions_Delete(&destination);
    MI_DestinationOptions_Delete(&destination_other);
    MI_SubscriptionDeliveryOptions_Delete(&delivery);
    MI_SubscriptionDeliveryOptions_Delete(&delivery_other);
}
