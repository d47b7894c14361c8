/* SPDX-License-Identifier: MIT */
/*
 * From values to text, for serializers and for clients that want strings alone. value_text.c reads
 * each of these texts back. Nothing here depends on the locale of the process.
 */
#include "host/object/object.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/real.h"
#include "host/object/instance_internal.h"

/* realValue of MOF needs a point, and a number without one would be read as an integer where no
 * class says what it is. */
static bool real_with_point(double value, char text[VALUE_NUMBER_SIZE])
{
    char plain[REAL_TEXT_SIZE];

    if (!isfinite(value)) {
        return false;
    }
    (void)real_text(value, plain);
    size_t before = strcspn(plain, ".eE");
    const char *point = plain[before] == '.' ? "" : ".0";
    snprintf(text, VALUE_NUMBER_SIZE, "%.*s%s%s", (int)before, plain, point, plain + before);
    return true;
}

static bool signed_text(MI_Type type, const MI_Value *value, char text[VALUE_NUMBER_SIZE])
{
    const long long number = type == MI_SINT8    ? value->sint8
                             : type == MI_SINT16 ? value->sint16
                             : type == MI_SINT32 ? value->sint32
                                                 : value->sint64;
    snprintf(text, VALUE_NUMBER_SIZE, "%lld", number);
    return true;
}

bool value_number_text(MI_Type type, const void *from, char text[VALUE_NUMBER_SIZE])
{
    MI_Value value = {0};

    memcpy(&value, from, value_element_size(type));
    switch (type) {
    case MI_BOOLEAN:
        snprintf(text, VALUE_NUMBER_SIZE, "%s", value.boolean ? "TRUE" : "FALSE");
        return true;
    case MI_REAL32:
        return real_with_point((double)value.real32, text);
    case MI_REAL64:
        return real_with_point(value.real64, text);
    case MI_SINT8:
    case MI_SINT16:
    case MI_SINT32:
    case MI_SINT64:
        return signed_text(type, &value, text);
    default: /* the bytes above the value are 0 */
        snprintf(text, VALUE_NUMBER_SIZE, "%llu",
                 (unsigned long long)(type == MI_UINT8    ? value.uint8
                                      : type == MI_UINT16 ? value.uint16
                                      : type == MI_UINT32 ? value.uint32
                                                          : value.uint64));
        return true;
    }
}

size_t value_char16_text(const void *from, char text[VALUE_CHAR16_SIZE])
{
    MI_Char16 code = 0;
    size_t length = 0;

    memcpy(&code, from, sizeof(code));
    if (code < 0x80) {
        text[length++] = (char)code;
    } else if (code < 0x800) {
        text[length++] = (char)(0xC0 | code >> 6);
        text[length++] = (char)(0x80 | (code & 0x3F));
    } else {
        text[length++] = (char)(0xE0 | code >> 12);
        text[length++] = (char)(0x80 | (code >> 6 & 0x3F));
        text[length++] = (char)(0x80 | (code & 0x3F));
    }
    text[length] = '\0';
    return length;
}

/* The reader decides what a character is: it refuses 0 and one half of a surrogate pair. */
static bool char16_has_text(const char *text)
{
    MI_Char16 read_back = 0;

    return value_from_text(MI_CHAR16, text, &read_back) == MI_RESULT_OK;
}

bool value_to_text(MI_Type type, const void *from, char text[VALUE_NUMBER_SIZE])
{
    MI_Datetime datetime;

    switch (type) {
    case MI_DATETIME:
        memcpy(&datetime, from, sizeof(datetime));
        return value_datetime_text(&datetime, text);
    case MI_CHAR16:
        (void)value_char16_text(from, text);
        return char16_has_text(text);
    case MI_STRING:
    case MI_REFERENCE:
    case MI_INSTANCE:
        return false; /* a string is one already, and an instance has no text of its own */
    default:
        return !type_is_array(type) && value_size(type) != 0 && value_number_text(type, from, text);
    }
}
