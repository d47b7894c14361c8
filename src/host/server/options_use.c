/* SPDX-License-Identifier: MIT */
/*
 * What the host itself reads from the options of an operation. MI has no operation option for the
 * locale; those of destination options are used, as a local session has no destination.
 *
 * operation_take_options() clones the client's options once at the start and reads from the clone
 * the modes, the time-out and the default answer. The rest is looked up when it is needed: channels
 * by context_write.c, custom options and locales by context_table.c.
 */
#include "host/server/host.h"

#include <string.h>

#include "host/object/object.h"

#define OPTION_PREFIX "__MI_"
#define CHANNEL       "__MI_OPERATIONOPTIONS_CHANNEL"
#define TIMEOUT       "__MI_OPERATIONOPTIONS_TIMEOUT"
#define ERROR_MODE    "__MI_OPERATIONOPTIONS_WRITEERRORMODE"
#define PROMPT_MODE   "__MI_OPERATIONOPTIONS_PROMPTUSERMODE"
#define PROMPT_ANSWER "__MI_OPERATIONOPTIONS_PROMPTUSERMODEREGULAR_ACKVALUE"
#define UI_LOCALE     "__MI_DESTINATIONOPTIONS_UI_LOCALE"
#define DATA_LOCALE   "__MI_DESTINATIONOPTIONS_DATA_LOCALE"

/* A longer time-out is refused: the kernel's clock cannot represent every interval. */
static const uint64_t longest_timeout_ms = (uint64_t)100000 * 24 * 3600 * 1000;

/* The options that this host acts on. */
static bool is_honoured(const char *name)
{
    static const char *const names[] = {CHANNEL,       TIMEOUT,   ERROR_MODE, PROMPT_MODE,
                                        PROMPT_ANSWER, UI_LOCALE, DATA_LOCALE};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (decl_name_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* False past the end and for an operation without options. */
static bool option_at(const MI_OperationOptions *options, MI_Uint32 index, const char **ret_name,
                      MI_Value *ret_value, MI_Type *ret_type, MI_Uint32 *ret_flags)
{
    return options->ft != NULL && options->ft->GetOptionAt(options, index, ret_name, ret_value,
                                                           ret_type, ret_flags) == MI_RESULT_OK;
}

/* An option that must be honoured and is unknown makes the operation fail. */
static MI_Result check_required(const MI_OperationOptions *options)
{
    MI_Uint32 flags = 0;
    const char *name = NULL;
    MI_Value value;
    MI_Type type;

    for (MI_Uint32 i = 0; option_at(options, i, &name, &value, &type, &flags); i++) {
        if ((flags & MI_FLAG_REQUIRED) != 0 && !is_honoured(name)) {
            return MI_RESULT_NOT_SUPPORTED;
        }
    }
    return MI_RESULT_OK;
}

/* An option with an unknown number counts as missing. */
static MI_CallbackMode mode_option(const MI_OperationOptions *options, const char *name,
                                   MI_CallbackMode otherwise)
{
    MI_Uint32 number = 0;
    bool found = options->ft->GetNumber(options, name, &number, NULL, NULL) == MI_RESULT_OK;
    return found && number <= MI_CALLBACKMODE_IGNORE ? (MI_CallbackMode)number : otherwise;
}

/* In milliseconds, rounded up so that a short time-out does not become 0, which means no
 * time-out. */
static MI_Result timeout_option(const MI_OperationOptions *options, uint64_t *ret_milliseconds)
{
    MI_Interval interval;

    *ret_milliseconds = 0;
    if (options->ft->GetInterval(options, TIMEOUT, &interval, NULL, NULL) != MI_RESULT_OK) {
        return MI_RESULT_OK;
    }
    uint64_t seconds =
        (((uint64_t)interval.days * 24 + interval.hours) * 60 + interval.minutes) * 60 +
        interval.seconds;
    uint64_t milliseconds = seconds * 1000 + ((uint64_t)interval.microseconds + 999) / 1000;
    if (milliseconds > longest_timeout_ms) {
        return MI_RESULT_INVALID_OPERATION_TIMEOUT;
    }
    *ret_milliseconds = milliseconds;
    return MI_RESULT_OK;
}

/* The defaults are those that MI.h documents: errors are reported, prompts are asked, and the
 * answer without a client is yes. */
MI_Result operation_take_options(struct operation *operation, const MI_OperationOptions *options)
{
    MI_Uint32 number = 0;

    operation->error_mode = MI_CALLBACKMODE_REPORT;
    operation->prompt_mode = MI_CALLBACKMODE_INQUIRE;
    operation->prompt_default = MI_TRUE;
    if (options == NULL || options->ft == NULL) {
        return MI_RESULT_OK;
    }
    if (!operation_options_valid(options)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_OperationOptions *own = &operation->options;
    MI_Result result = options->ft->Clone(options, own);
    if (result != MI_RESULT_OK) {
        own->ft = NULL;
        return result;
    }
    operation->error_mode = mode_option(own, ERROR_MODE, operation->error_mode);
    operation->prompt_mode = mode_option(own, PROMPT_MODE, operation->prompt_mode);
    if (own->ft->GetNumber(own, PROMPT_ANSWER, &number, NULL, NULL) == MI_RESULT_OK) {
        operation->prompt_default = number != 0 ? MI_TRUE : MI_FALSE;
    }
    result = timeout_option(own, &operation->timeout_ms);
    return result == MI_RESULT_OK ? check_required(own) : result;
}

/* Read from the copy of the options, which does not change: no lock is needed. Without options
 * every channel is taken; with them those that they enable. */
bool operation_channel_enabled(const struct operation *operation, MI_Uint32 channel)
{
    const MI_OperationOptions *options = &operation->options;
    MI_Value value;
    MI_Type type;

    if (options->ft == NULL ||
        options->ft->GetOption(options, CHANNEL, &value, &type, NULL, NULL) != MI_RESULT_OK) {
        return true;
    }
    for (MI_Uint32 i = 0; i < value.uint32a.size; i++) {
        if (value.uint32a.data[i] == channel) {
            return true;
        }
    }
    return false;
}

/* Options whose name begins with the prefix of the MI are for the host and are skipped. ret_name
 * NULL only asks whether there is such an option. */
bool operation_custom_option(const struct operation *operation, MI_Uint32 index,
                             const char **ret_name, MI_Type *ret_type, MI_Value *ret_value)
{
    MI_Uint32 flags = 0;
    const char *name = NULL;
    MI_Value value;
    MI_Type type;

    for (MI_Uint32 i = 0; option_at(&operation->options, i, &name, &value, &type, &flags); i++) {
        if (strncmp(name, OPTION_PREFIX, strlen(OPTION_PREFIX)) == 0) {
            continue;
        }
        if (index > 0) {
            index--;
            continue;
        }
        if (ret_name != NULL) {
            *ret_name = name;
            *ret_type = type;
            *ret_value = value;
        }
        return true;
    }
    return false;
}

/* A locale that does not fit is treated as missing rather than cut. */
bool operation_locale(const struct operation *operation, MI_LocaleType type, MI_Char *ret_locale)
{
    bool data = type == MI_LOCALE_TYPE_REQUESTED_DATA || type == MI_LOCALE_TYPE_CLOSEST_DATA;
    const MI_OperationOptions *options = &operation->options;
    const char *locale = NULL;

    if (options->ft == NULL ||
        options->ft->GetString(options, data ? DATA_LOCALE : UI_LOCALE, &locale, NULL, NULL) !=
            MI_RESULT_OK ||
        strlen(locale) >= MI_MAX_LOCALE_SIZE) {
        return false;
    }
    memcpy(ret_locale, locale, strlen(locale) + 1);
    return true;
}
