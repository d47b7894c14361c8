/* SPDX-License-Identifier: MIT */
/*
 * Operation, destination and delivery options: three kinds of one list.
 *
 * The structs are handles that callers copy by value, so a copy may outlive the object. They are
 * names in a handle table: a stale, copied or forged one is not found and is INVALID_PARAMETER, and
 * so is one that was inherited through a fork, like everything that this library handed out.
 *
 * The body of every slot is ON_LIST: it pins the list by its handle, so that a Delete on another
 * thread cannot free it meanwhile, and unpins it after the call. The three kinds differ in their MI
 * types only, so the slots are defined by macros.
 */
#include "host/object/object.h"

#include "base/slots.h"
#include "host/object/instance_internal.h"
#include "host/object/option_list.h"

/* Options objects of all three kinds that may exist at one time in the process: a program that
 * never deletes its options gets SERVER_LIMITS_EXCEEDED instead of using up the memory. */
enum { OPTIONS_MAX_OBJECTS = 65536 };

/* The slot table's destructor: runs when the last pin is released after Delete. */
static void list_destroy(void *object)
{
    option_list_release(object);
}

static struct slots lists =
    SLOTS_INIT(sizeof(struct option_list), list_destroy, OPTIONS_MAX_OBJECTS);

/* The list that the two words of a handle name, pinned, if it is of this kind; else NULL. No memory
 * is read through the handle itself. */
static struct option_list *list_pin(enum option_kind kind, MI_Uint64 reserved1, ptrdiff_t reserved2)
{
    struct slots_handle handle = {reserved1, (uint64_t)reserved2};
    void *object = NULL;

    if (slots_acquire(&lists, handle, &object) != SLOTS_OK) {
        return NULL;
    }
    struct option_list *list = object;
    if (list->kind != kind) {
        slots_release(&lists, list);
        return NULL;
    }
    return list;
}

/* NULL is ignored. */
static void list_unpin(struct option_list *list)
{
    if (list != NULL) {
        slots_release(&lists, list);
    }
}

/* An unpublished, empty list, pinned for its maker; NULL without memory or at
 * OPTIONS_MAX_OBJECTS. */
static struct option_list *list_new(enum option_kind kind)
{
    struct option_list *list = slots_new(&lists, NULL);

    if (list != NULL) {
        list->kind = kind;
    }
    return list;
}

/* From here on the handle works; releases the maker's pin. */
static struct slots_handle list_publish(struct option_list *list)
{
    struct slots_handle handle = slots_publish(&lists, list);

    slots_release(&lists, list);
    return handle;
}

/* A copy that is not published yet, or NULL with the reason. An object that was never published is
 * destroyed by its last pin alone, so a failure half-way frees what was copied. */
static struct option_list *list_clone(const struct option_list *from, MI_Result *ret_result)
{
    struct option_list *copy = list_new(from->kind);

    if (copy == NULL) {
        *ret_result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
        return NULL;
    }
    *ret_result = option_list_copy(from, copy);
    if (*ret_result != MI_RESULT_OK) {
        slots_release(&lists, copy);
        return NULL;
    }
    return copy;
}

/* The handle and all its copies become invalid. Exactly one of two concurrent calls gets OK. */
static MI_Result list_delete(enum option_kind kind, MI_Uint64 reserved1, ptrdiff_t reserved2)
{
    struct option_list *list = list_pin(kind, reserved1, reserved2);

    if (list == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    bool ours = slots_retire(&lists, list);
    slots_release(&lists, list);
    return ours ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER;
}

/* The body of each slot: find the list, return the result of call, release it. */
#define ON_LIST(KIND, call)                                                                        \
    struct option_list *list =                                                                     \
        self == NULL ? NULL : list_pin(KIND, self->reserved1, self->reserved2);                    \
    MI_Result result = list == NULL ? MI_RESULT_INVALID_PARAMETER : (call);                        \
    list_unpin(list);                                                                              \
    return result

/* The slots that all three have. */
#define DEFINE_COMMON(NAME, TYPE, KIND)                                                            \
    static MI_Result NAME##_set_string(TYPE *self, const MI_Char *name, const MI_Char *value,      \
                                       MI_Uint32 flags)                                            \
    {                                                                                              \
        ON_LIST(KIND, option_set_string(list, name, value, flags));                                \
    }                                                                                              \
    static MI_Result NAME##_set_number(TYPE *self, const MI_Char *name, MI_Uint32 value,           \
                                       MI_Uint32 flags)                                            \
    {                                                                                              \
        ON_LIST(KIND, option_set_number(list, name, value, flags));                                \
    }                                                                                              \
    static MI_Result NAME##_set_interval(TYPE *self, const MI_Char *name,                          \
                                         const MI_Interval *value, MI_Uint32 flags)                \
    {                                                                                              \
        ON_LIST(KIND, option_set_interval(list, name, value, flags));                              \
    }                                                                                              \
    static MI_Result NAME##_get_string(const TYPE *self, const MI_Char *name,                      \
                                       const MI_Char **value, MI_Uint32 *index, MI_Uint32 *flags)  \
    {                                                                                              \
        ON_LIST(KIND, option_get_string(list, name, value, index, flags));                         \
    }                                                                                              \
    static MI_Result NAME##_get_number(const TYPE *self, const MI_Char *name, MI_Uint32 *value,    \
                                       MI_Uint32 *index, MI_Uint32 *flags)                         \
    {                                                                                              \
        ON_LIST(KIND, option_get_number(list, name, value, index, flags));                         \
    }                                                                                              \
    static MI_Result NAME##_get_interval(const TYPE *self, const MI_Char *name,                    \
                                         MI_Interval *value, MI_Uint32 *index, MI_Uint32 *flags)   \
    {                                                                                              \
        ON_LIST(KIND, option_get_interval(list, name, value, index, flags));                       \
    }                                                                                              \
    static MI_Result NAME##_get_count(const TYPE *self, MI_Uint32 *count)                          \
    {                                                                                              \
        ON_LIST(KIND, option_get_count(list, count));                                              \
    }                                                                                              \
    static MI_Result NAME##_get_at(const TYPE *self, MI_Uint32 index, const MI_Char **name,        \
                                   MI_Value *value, MI_Type *type, MI_Uint32 *flags)               \
    {                                                                                              \
        ON_LIST(KIND, option_get_at(list, index, name, value, type, flags));                       \
    }                                                                                              \
    static MI_Result NAME##_get(const TYPE *self, const MI_Char *name, MI_Value *value,            \
                                MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags)                 \
    {                                                                                              \
        ON_LIST(KIND, option_get(list, name, value, type, index, flags));                          \
    }

/* The slots of the two kinds that hold credentials. */
#define DEFINE_CREDENTIALS(NAME, TYPE, KIND)                                                       \
    static MI_Result NAME##_add_credentials(                                                       \
        TYPE *self, const MI_Char *name, const MI_UserCredentials *credentials, MI_Uint32 flags)   \
    {                                                                                              \
        ON_LIST(KIND, credentials_add(list, name, credentials, flags));                            \
    }                                                                                              \
    static MI_Result NAME##_credentials_count(const TYPE *self, MI_Uint32 *count)                  \
    {                                                                                              \
        ON_LIST(KIND, credentials_get_count(list, count));                                         \
    }                                                                                              \
    static MI_Result NAME##_credentials_at(const TYPE *self, MI_Uint32 index,                      \
                                           const MI_Char **name, MI_UserCredentials *credentials,  \
                                           MI_Uint32 *flags)                                       \
    {                                                                                              \
        ON_LIST(KIND, credentials_get_at(list, index, name, credentials, flags));                  \
    }                                                                                              \
    static MI_Result NAME##_password_at(const TYPE *self, MI_Uint32 index, const MI_Char **name,   \
                                        MI_Char *password, MI_Uint32 length,                       \
                                        MI_Uint32 *password_length, MI_Uint32 *flags)              \
    {                                                                                              \
        ON_LIST(KIND, credentials_get_password_at(list, index, name, password, length,             \
                                                  password_length, flags));                        \
    }

/* Making, copying and deleting; outputs are zeroed first, so that no failure leaves a handle. */
#define DEFINE_LIFE(NAME, TYPE, KIND, FT)                                                          \
    static void NAME##_give(TYPE *self, struct slots_handle handle)                                \
    {                                                                                              \
        self->reserved1 = handle.name;                                                             \
        self->reserved2 = (ptrdiff_t)handle.check;                                                 \
        self->ft = &(FT);                                                                          \
    }                                                                                              \
    static MI_Result NAME##_clone(const TYPE *self, TYPE *ret_copy)                                \
    {                                                                                              \
        MI_Result result = MI_RESULT_INVALID_PARAMETER;                                            \
        if (self == NULL || ret_copy == NULL) {                                                    \
            return result;                                                                         \
        }                                                                                          \
        struct option_list *list = list_pin(KIND, self->reserved1, self->reserved2);               \
        struct option_list *copy = list == NULL ? NULL : list_clone(list, &result);                \
        list_unpin(list);                                                                          \
        memset(ret_copy, 0, sizeof(*ret_copy));                                                    \
        if (copy != NULL) {                                                                        \
            NAME##_give(ret_copy, list_publish(copy));                                             \
        }                                                                                          \
        return result;                                                                             \
    }                                                                                              \
    static MI_Result NAME##_end(TYPE *self)                                                        \
    {                                                                                              \
        if (self == NULL) {                                                                        \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        MI_Result result = list_delete(KIND, self->reserved1, self->reserved2);                    \
        memset(self, 0, sizeof(*self));                                                            \
        return result;                                                                             \
    }

/* ---- operation options ----------------------------------------------------------------- */

static const MI_OperationOptionsFT operation_options_ft;

DEFINE_COMMON(operation, MI_OperationOptions, OPTIONS_OPERATION)
DEFINE_LIFE(operation, MI_OperationOptions, OPTIONS_OPERATION, operation_options_ft)

/* Delete returns nothing in this table: a stale handle is ignored. */
static void operation_delete(MI_OperationOptions *self)
{
    (void)operation_end(self);
}

/* SetCustomOption: only operation options have it. */
static MI_Result operation_set_custom(MI_OperationOptions *self, const MI_Char *name, MI_Type type,
                                      const MI_Value *value, MI_Boolean must_comply,
                                      MI_Uint32 flags)
{
    ON_LIST(OPTIONS_OPERATION, option_set_custom(list, name, type, value, must_comply, flags));
}

/* GetEnabledChannels: name is the channel option's. */
static MI_Result operation_get_channels(const MI_OperationOptions *self, const MI_Char *name,
                                        MI_Uint32 *channels, MI_Uint32 length, MI_Uint32 *count,
                                        MI_Uint32 *flags)
{
    ON_LIST(OPTIONS_OPERATION, option_get_channels(list, name, channels, length, count, flags));
}

static const MI_OperationOptionsFT operation_options_ft = {
    .Delete = operation_delete,
    .SetString = operation_set_string,
    .SetNumber = operation_set_number,
    .SetCustomOption = operation_set_custom,
    .GetString = operation_get_string,
    .GetNumber = operation_get_number,
    .GetOptionCount = operation_get_count,
    .GetOptionAt = operation_get_at,
    .GetOption = operation_get,
    .GetEnabledChannels = operation_get_channels,
    .Clone = operation_clone,
    .SetInterval = operation_set_interval,
    .GetInterval = operation_get_interval,
};

/* The list is complete before it is published, so that no thread sees it without
 * must_understand. */
MI_Result operation_options_new(MI_Boolean must_understand, MI_OperationOptions *ret_options)
{
    if (ret_options == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct option_list *list = list_new(OPTIONS_OPERATION);
    if (list == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    list->must_understand = must_understand != MI_FALSE;
    MI_Result result = option_list_preset(list);
    if (result != MI_RESULT_OK) {
        slots_release(&lists, list);
        return result;
    }
    operation_give(ret_options, list_publish(list));
    return MI_RESULT_OK;
}

/* By table and handle: options of another library, or a stale copy, must not be called through. */
bool operation_options_valid(const MI_OperationOptions *options)
{
    if (options == NULL || options->ft != &operation_options_ft) {
        return false;
    }
    struct option_list *list = list_pin(OPTIONS_OPERATION, options->reserved1, options->reserved2);
    list_unpin(list);
    return list != NULL;
}

/* ---- destination options --------------------------------------------------------------- */

static const MI_DestinationOptionsFT destination_options_ft;

DEFINE_COMMON(destination, MI_DestinationOptions, OPTIONS_DESTINATION)
DEFINE_CREDENTIALS(destination, MI_DestinationOptions, OPTIONS_DESTINATION)
DEFINE_LIFE(destination, MI_DestinationOptions, OPTIONS_DESTINATION, destination_options_ft)

/* Likewise ignores a stale handle. */
static void destination_delete(MI_DestinationOptions *self)
{
    (void)destination_end(self);
}

static const MI_DestinationOptionsFT destination_options_ft = {
    .Delete = destination_delete,
    .SetString = destination_set_string,
    .SetNumber = destination_set_number,
    .AddCredentials = destination_add_credentials,
    .GetString = destination_get_string,
    .GetNumber = destination_get_number,
    .GetOptionCount = destination_get_count,
    .GetOptionAt = destination_get_at,
    .GetOption = destination_get,
    .GetCredentialsCount = destination_credentials_count,
    .GetCredentialsAt = destination_credentials_at,
    .GetCredentialsPasswordAt = destination_password_at,
    .Clone = destination_clone,
    .SetInterval = destination_set_interval,
    .GetInterval = destination_get_interval,
};

/* As operation_options_new(). */
MI_Result destination_options_new(MI_DestinationOptions *ret_options)
{
    if (ret_options == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct option_list *list = list_new(OPTIONS_DESTINATION);
    if (list == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    destination_give(ret_options, list_publish(list));
    return MI_RESULT_OK;
}

/* ---- subscription delivery options ----------------------------------------------------- */

static const MI_SubscriptionDeliveryOptionsFT delivery_options_ft;

DEFINE_COMMON(delivery, MI_SubscriptionDeliveryOptions, OPTIONS_DELIVERY)
DEFINE_CREDENTIALS(delivery, MI_SubscriptionDeliveryOptions, OPTIONS_DELIVERY)
DEFINE_LIFE(delivery, MI_SubscriptionDeliveryOptions, OPTIONS_DELIVERY, delivery_options_ft)

/* SetDateTime, for the start of a delivery. */
static MI_Result delivery_set_datetime(MI_SubscriptionDeliveryOptions *self, const MI_Char *name,
                                       const MI_Datetime *value, MI_Uint32 flags)
{
    ON_LIST(OPTIONS_DELIVERY, option_set_datetime(list, name, value, flags));
}

/* GetDateTime. */
static MI_Result delivery_get_datetime(const MI_SubscriptionDeliveryOptions *self,
                                       const MI_Char *name, MI_Datetime *value, MI_Uint32 *index,
                                       MI_Uint32 *flags)
{
    ON_LIST(OPTIONS_DELIVERY, option_get_datetime(list, name, value, index, flags));
}

static const MI_SubscriptionDeliveryOptionsFT delivery_options_ft = {
    .SetString = delivery_set_string,
    .SetNumber = delivery_set_number,
    .SetDateTime = delivery_set_datetime,
    .SetInterval = delivery_set_interval,
    .AddCredentials = delivery_add_credentials,
    .Delete = delivery_end,
    .GetString = delivery_get_string,
    .GetNumber = delivery_get_number,
    .GetDateTime = delivery_get_datetime,
    .GetInterval = delivery_get_interval,
    .GetOptionCount = delivery_get_count,
    .GetOptionAt = delivery_get_at,
    .GetOption = delivery_get,
    .GetCredentialsCount = delivery_credentials_count,
    .GetCredentialsAt = delivery_credentials_at,
    .GetCredentialsPasswordAt = delivery_password_at,
    .Clone = delivery_clone,
};

MI_Result delivery_options_type(const MI_SubscriptionDeliveryOptions *options,
                                MI_SubscriptionDeliveryType *ret_type)
{
    struct option_list *list =
        options->ft == &delivery_options_ft
            ? list_pin(OPTIONS_DELIVERY, options->reserved1, options->reserved2)
            : NULL;

    if (list == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_type = list->delivery;
    list_unpin(list);
    return MI_RESULT_OK;
}

MI_Result delivery_options_new(MI_SubscriptionDeliveryType type,
                               MI_SubscriptionDeliveryOptions *ret_options)
{
    if (ret_options == NULL ||
        (type != MI_SubscriptionDeliveryType_Pull && type != MI_SubscriptionDeliveryType_Push)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct option_list *list = list_new(OPTIONS_DELIVERY);
    if (list == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    list->delivery = type;
    delivery_give(ret_options, list_publish(list));
    return MI_RESULT_OK;
}
