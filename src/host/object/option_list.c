/* SPDX-License-Identifier: MIT */
/*
 * The list of named options behind the three kinds of options (option_list.h). Called
 * by options.c.
 *
 * Every setter checks its arguments and calls set(), which adds or replaces; every getter finds the
 * option by name and type. Names are compared without regard to case, and the search is linear,
 * since a list has few options. The one exception is the channel option of operations: SetNumber
 * with its name adds a channel to the array of the enabled ones, or takes it out.
 *
 * Flags of an option are those that GetOption reports. Setters accept 0 only, as MI.h demands, but
 * for a channel, where the flag is the setting itself.
 */
#include "host/object/option_list.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* The one option of all message channels: an array of the enabled ones, in the order in which they
 * were enabled (MI_OperationOptions_EnableChannel). */
#define CHANNEL_NAME     "__MI_OPERATIONOPTIONS_CHANNEL"
#define CHANNEL_DISABLED 1u

/* The list can be used again afterwards. */
void option_list_release(struct option_list *list)
{
    for (MI_Uint32 i = 0; i < list->option_count; i++) {
        base_free(list->options[i].name);
        value_release(list->options[i].type, &list->options[i].value);
    }
    base_free(list->options);
    list->options = NULL;
    list->option_count = 0;
    list->option_capacity = 0;
    credentials_release(list);
}

/* The option called name, or NULL. */
static struct option *find_option(const struct option_list *list, const char *name)
{
    for (MI_Uint32 i = 0; i < list->option_count; i++) {
        if (decl_name_equal(list->options[i].name, name)) {
            return &list->options[i];
        }
    }
    return NULL;
}

/* Only operation options have channels; elsewhere the name is an ordinary one. */
static bool is_channel(const struct option_list *list, const char *name)
{
    return list->kind == OPTIONS_OPERATION && decl_name_equal(name, CHANNEL_NAME);
}

/* Room for one more option. Options move with the array, so pointers from find_option() end here.
 */
static MI_Result reserve(struct option_list *list)
{
    if (list->option_count < list->option_capacity) {
        return MI_RESULT_OK;
    }
    if (list->option_capacity >= OPTIONS_MAX_ELEMENTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Uint32 capacity = list->option_capacity == 0 ? 8 : list->option_capacity * 2;
    struct option *options = base_resize(list->options, capacity, sizeof(*options));
    if (options == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    list->options = options;
    list->option_capacity = capacity;
    return MI_RESULT_OK;
}

/* Appends a copy of name and value; all or nothing. The caller has made sure that the name is not
 * there yet. */
static MI_Result add(struct option_list *list, const char *name, MI_Type type, const void *value,
                     MI_Uint32 flags)
{
    struct option option = {.type = type, .flags = flags};

    MI_Result result = reserve(list);
    if (result != MI_RESULT_OK) {
        return result;
    }
    option.name = base_copy_text(name);
    if (option.name == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    result = value_take(type, value, NULL, &option.value); /* options may outlive a module */
    if (result != MI_RESULT_OK) {
        base_free(option.name);
        return result;
    }
    list->options[list->option_count] = option;
    list->option_count++;
    return MI_RESULT_OK;
}

/* Gives an option a new value of the same type and new flags. The old value stays when the copy
 * fails. TYPE_MISMATCH, since a name with another type would be another option. */
static MI_Result replace(struct option *option, MI_Type type, const void *value, MI_Uint32 flags)
{
    MI_Value copy = {0};

    if (option->type != type) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    MI_Result result = value_take(type, value, NULL, &copy);
    if (result != MI_RESULT_OK) {
        return result;
    }
    value_release(type, &option->value);
    option->value = copy;
    option->flags = flags;
    return MI_RESULT_OK;
}

/* The body of every setter but the channels': a name occurs once. */
static MI_Result set(struct option_list *list, const char *name, MI_Type type, const void *value,
                     MI_Uint32 flags)
{
    struct option *option = find_option(list, name);

    return option == NULL ? add(list, name, type, value, flags)
                          : replace(option, type, value, flags);
}

/* An empty name could never be addressed. */
static bool bad_name(const char *name)
{
    return name == NULL || *name == '\0';
}

/* SetString: the value is copied. */
MI_Result option_set_string(struct option_list *list, const char *name, const char *value,
                            MI_Uint32 flags)
{
    if (bad_name(name) || value == NULL || flags != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return set(list, name, MI_STRING, &value, 0);
}

/* The position of the channel among the enabled ones; their number when it is not enabled. */
static MI_Uint32 find_channel(const MI_Uint32A *enabled, MI_Uint32 channel)
{
    MI_Uint32 at = 0;

    while (at < enabled->size && enabled->data[at] != channel) {
        at++;
    }
    return at;
}

/* Adds a channel behind the enabled ones. */
static MI_Result enable_channel(struct option *option, MI_Uint32 channel)
{
    MI_Uint32A *enabled = &option->value.uint32a;

    if (enabled->size >= OPTIONS_MAX_ELEMENTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    MI_Uint32 *data = base_resize(enabled->data, (size_t)enabled->size + 1, sizeof(*data));
    if (data == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    data[enabled->size] = channel;
    *enabled = (MI_Uint32A){data, enabled->size + 1};
    return MI_RESULT_OK;
}

/* flags, 0 elsewhere, says whether the channel is disabled. */
static MI_Result set_channel(struct option_list *list, MI_Uint32 channel, MI_Uint32 flags)
{
    struct option *option = find_option(list, CHANNEL_NAME);

    if (flags > CHANNEL_DISABLED || option == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Uint32A *enabled = &option->value.uint32a;
    MI_Uint32 at = find_channel(enabled, channel);
    if (flags == 0) {
        return at < enabled->size ? MI_RESULT_OK : enable_channel(option, channel);
    }
    if (at < enabled->size) {
        enabled->size--;
        memmove(&enabled->data[at], &enabled->data[at + 1],
                (enabled->size - at) * sizeof(*enabled->data));
    }
    return MI_RESULT_OK;
}

/* The option is always the first one. What MI.h calls the channels of people is enabled: warning,
 * verbose and debug. */
MI_Result option_list_preset(struct option_list *list)
{
    MI_Uint32 channels[] = {MI_WRITEMESSAGE_CHANNEL_WARNING, MI_WRITEMESSAGE_CHANNEL_VERBOSE,
                            MI_WRITEMESSAGE_CHANNEL_DEBUG};
    const MI_Uint32A enabled = {channels, sizeof(channels) / sizeof(channels[0])};

    return list->kind == OPTIONS_OPERATION ? add(list, CHANNEL_NAME, MI_UINT32A, &enabled, 0)
                                           : MI_RESULT_OK;
}

/* SetNumber, and the channels of operation options. */
MI_Result option_set_number(struct option_list *list, const char *name, MI_Uint32 value,
                            MI_Uint32 flags)
{
    if (is_channel(list, name)) {
        return set_channel(list, value, flags);
    }
    if (bad_name(name) || flags != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return set(list, name, MI_UINT32, &value, 0);
}

/* SetDateTime, which delivery options have. */
MI_Result option_set_datetime(struct option_list *list, const char *name, const MI_Datetime *value,
                              MI_Uint32 flags)
{
    if (bad_name(name) || value == NULL || flags != 0 ||
        (value->isTimestamp != 0 && !value_datetime_possible(value))) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return set(list, name, MI_DATETIME, value, 0);
}

/* SetInterval. Any span will do, such as 300 seconds: who uses it adds its parts. */
MI_Result option_set_interval(struct option_list *list, const char *name, const MI_Interval *value,
                              MI_Uint32 flags)
{
    if (value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Datetime datetime = {.isTimestamp = 0, .u.interval = *value};
    return option_set_datetime(list, name, &datetime, flags);
}

/* MI_FLAG_REQUIRED reports to readers that the server must understand the option. */
MI_Result option_set_custom(struct option_list *list, const char *name, MI_Type type,
                            const MI_Value *value, MI_Boolean must_comply, MI_Uint32 flags)
{
    bool required = must_comply != MI_FALSE || list->must_understand;

    if (bad_name(name) || value == NULL || value_size(type) == 0 || value_is_null(type, value) ||
        flags != 0 || is_channel(list, name) || !element_value_possible(value, type, 0)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return set(list, name, type, value, required ? MI_FLAG_REQUIRED : 0);
}

/* The two outputs that all getters share, each optional. */
static void give_place(const struct option_list *list, const struct option *option,
                       MI_Uint32 *index, MI_Uint32 *flags)
{
    if (index != NULL) {
        *index = (MI_Uint32)(option - list->options);
    }
    if (flags != NULL) {
        *flags = option->flags;
    }
}

/* By name and type; the result is that of the getter. *ret_option is borrowed until the list
 * changes. */
static MI_Result find_typed(const struct option_list *list, const char *name, MI_Type type,
                            const struct option **ret_option)
{
    const struct option *option = find_option(list, name);

    if (option == NULL) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (option->type != type) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    *ret_option = option;
    return MI_RESULT_OK;
}

/* GetString: *value is NULL on failure. */
MI_Result option_get_string(const struct option_list *list, const char *name, const char **value,
                            MI_Uint32 *index, MI_Uint32 *flags)
{
    const struct option *option = NULL;

    if (value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *value = NULL;
    if (name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_typed(list, name, MI_STRING, &option);
    if (result == MI_RESULT_OK) {
        *value = option->value.string;
        give_place(list, option, index, flags);
    }
    return result;
}

/* GetNumber: *value is unchanged on failure. */
MI_Result option_get_number(const struct option_list *list, const char *name, MI_Uint32 *value,
                            MI_Uint32 *index, MI_Uint32 *flags)
{
    const struct option *option = NULL;

    if (name == NULL || value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_typed(list, name, MI_UINT32, &option);
    if (result == MI_RESULT_OK) {
        *value = option->value.uint32;
        give_place(list, option, index, flags);
    }
    return result;
}

/* GetDateTime: a timestamp or an interval. */
MI_Result option_get_datetime(const struct option_list *list, const char *name, MI_Datetime *value,
                              MI_Uint32 *index, MI_Uint32 *flags)
{
    const struct option *option = NULL;

    if (name == NULL || value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_typed(list, name, MI_DATETIME, &option);
    if (result == MI_RESULT_OK) {
        *value = option->value.datetime;
        give_place(list, option, index, flags);
    }
    return result;
}

/* GetInterval: for options that SetInterval stored. */
MI_Result option_get_interval(const struct option_list *list, const char *name, MI_Interval *value,
                              MI_Uint32 *index, MI_Uint32 *flags)
{
    const struct option *option = NULL;

    if (name == NULL || value == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = find_typed(list, name, MI_DATETIME, &option);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (option->value.datetime.isTimestamp != 0) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    *value = option->value.datetime.u.interval;
    give_place(list, option, index, flags);
    return MI_RESULT_OK;
}

/* GetOptionCount: all channels are one option. */
MI_Result option_get_count(const struct option_list *list, MI_Uint32 *count)
{
    if (count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = list->option_count;
    return MI_RESULT_OK;
}

/* Writes as many bytes as the type has. */
static void give_value(const struct option *option, MI_Value *value, MI_Type *type)
{
    memcpy(value, &option->value, value_size(option->type));
    *type = option->type;
}

/* GetOptionAt: *name is NULL on failure. */
MI_Result option_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                        MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    if (name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = NULL;
    if (value == NULL || type == NULL || index >= list->option_count) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = list->options[index].name;
    give_value(&list->options[index], value, type);
    give_place(list, &list->options[index], NULL, flags);
    return MI_RESULT_OK;
}

/* GetOption: the value is borrowed from the list. */
MI_Result option_get(const struct option_list *list, const char *name, MI_Value *value,
                     MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags)
{
    if (name == NULL || value == NULL || type == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const struct option *option = find_option(list, name);
    if (option == NULL) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    give_value(option, value, type);
    give_place(list, option, index, flags);
    return MI_RESULT_OK;
}

/* With channels NULL only the count is returned. *count is correct also when length is too short,
 * which is FAILED. */
MI_Result option_get_channels(const struct option_list *list, const char *name, MI_Uint32 *channels,
                              MI_Uint32 length, MI_Uint32 *count, MI_Uint32 *flags)
{
    if (name == NULL || count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = 0;
    if (flags != NULL) {
        *flags = 0;
    }
    const struct option *option = find_option(list, name);
    if (option == NULL) {
        return MI_RESULT_OK;
    }
    if (!is_channel(list, name)) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    const MI_Uint32A *enabled = &option->value.uint32a;
    MI_Uint32 given = length < enabled->size ? length : enabled->size;
    if (channels != NULL && given > 0) {
        memcpy(channels, enabled->data, given * sizeof(*channels));
    }
    *count = enabled->size;
    return channels != NULL && enabled->size > length ? MI_RESULT_FAILED : MI_RESULT_OK;
}

/* to is zeroed memory or an empty list. add() keeps the flags, which the setters would refuse. */
MI_Result option_list_copy(const struct option_list *from, struct option_list *to)
{
    MI_Result result = MI_RESULT_OK;

    to->kind = from->kind;
    to->must_understand = from->must_understand;
    to->delivery = from->delivery;
    for (MI_Uint32 i = 0; i < from->option_count && result == MI_RESULT_OK; i++) {
        const struct option *option = &from->options[i];
        result = add(to, option->name, option->type, &option->value, option->flags);
    }
    return result == MI_RESULT_OK ? credentials_copy(from, to) : result;
}
