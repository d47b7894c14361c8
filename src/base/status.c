/* SPDX-License-Identifier: MIT */
/* Names and texts of the statuses, and how a failure fills struct miguard_error. Called by every
 * fallible function. */
#include "miguard/status.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *miguard_status_name(enum miguard_status status)
{
    switch (status) {
#define STATUS_NAME(number, name, text)                                                            \
    case MIGUARD_##name:                                                                           \
        return #name;
        MIGUARD_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    }
    return "UNKNOWN";
}

const char *miguard_status_text(enum miguard_status status)
{
    switch (status) {
#define STATUS_TEXT(number, name, text)                                                            \
    case MIGUARD_##name:                                                                           \
        return text;
        MIGUARD_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

/* Cuts at a whole character and marks the cut. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof("...");

    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) {
        end--;
    }
    memcpy(text + end, "...", sizeof("..."));
}

enum miguard_status error_set(struct miguard_error *reterr, enum miguard_status status,
                              int system_errno, const char *step, const char *format, ...)
{
    if (reterr == NULL) {
        return status;
    }
    memset(reterr, 0, sizeof(*reterr));
    reterr->status = status;
    reterr->system_errno = system_errno;
    snprintf(reterr->step, sizeof(reterr->step), "%s", step);
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(reterr->detail, sizeof(reterr->detail), format, arguments);
        va_end(arguments);
        if (length >= (int)sizeof(reterr->detail)) {
            mark_cut(reterr->detail, sizeof(reterr->detail));
        }
    }
    return status;
}

/* In the order of what says most. */
static const char *error_detail(const struct miguard_error *error)
{
    const char *detail = error->detail[0] != '\0'   ? error->detail
                         : error->system_errno != 0 ? strerrordesc_np(error->system_errno)
                                                    : NULL;

    return detail != NULL ? detail : "";
}

size_t miguard_error_text(const struct miguard_error *error, char *buffer, size_t size)
{
    static const struct miguard_error none = {.status = MIGUARD_OK};
    char text[MIGUARD_ERROR_TEXT_SIZE];

    error = error != NULL ? error : &none;
    const char *detail = error_detail(error);
    int written =
        snprintf(text, sizeof(text), "%s (%s)%s%s%s%s", miguard_status_text(error->status),
                 miguard_status_name(error->status), error->step[0] != '\0' ? ": " : "",
                 error->step, detail[0] != '\0' ? ": " : "", detail);
    size_t length = written > 0 ? strlen(text) : 0, end = length;

    if (size > 0) {
        end = end < size ? end : size - 1;
        while (end > 0 && end < length && ((unsigned char)text[end] & 0xC0) == 0x80) {
            end--;
        }
        memcpy(buffer, text, end);
        buffer[end] = '\0';
    }
    return length;
}
