/* SPDX-License-Identifier: MIT */
/*
 * From text to values, for keys and properties that arrive as strings.
 *
 * Nothing here depends on the locale of the process: a client's "1.5" must not become 1 because the
 * host program runs in German. The whole text must be the value; blanks do not belong to one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtod_l(3) */
#endif

#include "host/object/object.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/object/instance_internal.h"

/* ASCII only; isdigit(3) depends on the locale. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The value of a digit up to 15, or -1. */
static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* decimalValue or hexValue of MOF (DSP0004, annex A): [+-]digits or [+-]0xdigits. */
static bool parse_integer(const char *text, bool *ret_negative, MI_Uint64 *ret_magnitude)
{
    bool negative = *text == '-';
    unsigned base = 10;
    MI_Uint64 magnitude = 0;

    if (*text == '-' || *text == '+') {
        text++;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        int digit = hex_digit(*text);
        if (digit < 0 || (unsigned)digit >= base) {
            return false;
        }
        if (magnitude > (UINT64_MAX - (unsigned)digit) / base) {
            return false;
        }
        magnitude = magnitude * base + (unsigned)digit;
    }
    *ret_negative = negative;
    *ret_magnitude = magnitude;
    return true;
}

/* The range is that of the type, two's complement. A value out of it is refused, not truncated: it
 * would name another object. Negative numbers are not accepted for unsigned types, but -0 is 0. */
static bool integer_from_text(MI_Type type, const char *text, void *to)
{
    size_t size = value_element_size(type);
    bool is_signed =
        type == MI_SINT8 || type == MI_SINT16 || type == MI_SINT32 || type == MI_SINT64;
    MI_Uint64 highest = UINT64_MAX >> (64 - 8 * size + (is_signed ? 1 : 0));
    bool negative = false;
    MI_Uint64 magnitude = 0;

    if (!parse_integer(text, &negative, &magnitude)) {
        return false;
    }
    if (negative) {
        MI_Uint64 lowest = is_signed ? highest + 1 : 0;
        if (magnitude > lowest) {
            return false;
        }
        magnitude = 0 - magnitude;
    } else if (magnitude > highest) {
        return false;
    }
    /* Two's complement: the value is in the low bytes, whatever the sign. */
    switch (size) {
    case 1:
        memcpy(to, &(MI_Uint8){(MI_Uint8)magnitude}, size);
        break;
    case 2:
        memcpy(to, &(MI_Uint16){(MI_Uint16)magnitude}, size);
        break;
    case 4:
        memcpy(to, &(MI_Uint32){(MI_Uint32)magnitude}, size);
        break;
    default:
        memcpy(to, &magnitude, size);
        break;
    }
    return true;
}

/* The first character that is not a digit. */
static const char *skip_digits(const char *text)
{
    while (is_digit(*text)) {
        text++;
    }
    return text;
}

/* [+-] digits [. digits] [e[+-]digits], with a digit before or after the point. strtod(3) alone
 * would also take hexadecimal floats, infinities, NaN and leading blanks. */
static bool real_form(const char *text)
{
    if (*text == '-' || *text == '+') {
        text++;
    }
    const char *point = skip_digits(text);
    const char *end = point;
    if (*point == '.') {
        end = skip_digits(point + 1);
        if (point == text && end == point + 1) {
            return false;
        }
    } else if (point == text) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1;
        if (*exponent == '-' || *exponent == '+') {
            exponent++;
        }
        end = skip_digits(exponent);
        if (end == exponent) {
            return false;
        }
    }
    return *end == '\0';
}

/* Overflow is refused; a value too small becomes 0 or a subnormal number, as strtod(3) rounds it.
 * The form is checked first, by real_form(), since strtod(3) takes more than a CIM real. */
static MI_Result real_from_text(MI_Type type, const char *text, void *to)
{
    MI_Value value = {0};
    bool fits;

    if (!real_form(text)) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    /* The C locale object is static in glibc; the process's locale is neither read nor set. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    if (type == MI_REAL32) {
        value.real32 = strtof_l(text, NULL, plain);
        fits = isfinite(value.real32);
    } else {
        value.real64 = strtod_l(text, NULL, plain);
        fits = isfinite(value.real64);
    }
    freelocale(plain);
    if (!fits) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    memcpy(to, &value, value_element_size(type));
    return MI_RESULT_OK;
}

/* "true" and "false" in any case, as MOF has them (DSP0004, annex A); numbers are not booleans. */
static bool boolean_from_text(const char *text, void *to)
{
    MI_Boolean value = MI_FALSE;

    if (decl_name_equal(text, "true")) {
        value = MI_TRUE;
    } else if (!decl_name_equal(text, "false")) {
        return false;
    }
    memcpy(to, &value, sizeof(value));
    return true;
}

/* One character of the basic plane in UTF-8 becomes its code; char16 cannot hold another. */
static bool char16_from_text(const char *text, void *to)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = strlen(text);
    unsigned code = 0;

    if (length == 1 && bytes[0] < 0x80) {
        code = bytes[0];
    } else if (length == 2 && (bytes[0] & 0xE0) == 0xC0 && (bytes[1] & 0xC0) == 0x80) {
        code = (bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu);
        if (code < 0x80) {
            return false;
        }
    } else if (length == 3 && (bytes[0] & 0xF0) == 0xE0 && (bytes[1] & 0xC0) == 0x80 &&
               (bytes[2] & 0xC0) == 0x80) {
        code = (bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
        if (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF)) {
            return false;
        }
    } else {
        return false;
    }
    memcpy(to, &(MI_Char16){(MI_Char16)code}, sizeof(MI_Char16));
    return true;
}

/* Exactly count digits. */
static bool take_digits(const char **text, unsigned count, MI_Uint32 *ret_number)
{
    MI_Uint32 number = 0;

    for (; count > 0; count--) {
        if (!is_digit(**text)) {
            return false;
        }
        number = number * 10 + (MI_Uint32)(**text - '0');
        (*text)++;
    }
    *ret_number = number;
    return true;
}

/* Exactly this character. */
static bool take_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

/* yyyymmddhhmmss.mmmmmmsutc (DSP0004, 5.2.4) */
static bool timestamp_from_text(const char *text, MI_Timestamp *ret_timestamp)
{
    MI_Timestamp t = {0};
    MI_Uint32 offset = 0;

    if (!take_digits(&text, 4, &t.year) || !take_digits(&text, 2, &t.month) ||
        !take_digits(&text, 2, &t.day) || !take_digits(&text, 2, &t.hour) ||
        !take_digits(&text, 2, &t.minute) || !take_digits(&text, 2, &t.second) ||
        !take_char(&text, '.') || !take_digits(&text, 6, &t.microseconds)) {
        return false;
    }
    char sign = *text;
    if ((sign != '+' && sign != '-') || !take_char(&text, sign) ||
        !take_digits(&text, 3, &offset) || *text != '\0') {
        return false;
    }
    t.utc = sign == '-' ? -(MI_Sint32)offset : (MI_Sint32)offset;
    *ret_timestamp = t;
    return value_datetime_possible(&(MI_Datetime){1, {.timestamp = t}});
}

/* ddddddddhhmmss.mmmmmm:000 */
static bool interval_from_text(const char *text, MI_Interval *ret_interval)
{
    MI_Interval i = {0};

    if (!take_digits(&text, 8, &i.days) || !take_digits(&text, 2, &i.hours) ||
        !take_digits(&text, 2, &i.minutes) || !take_digits(&text, 2, &i.seconds) ||
        !take_char(&text, '.') || !take_digits(&text, 6, &i.microseconds) ||
        strcmp(text, ":000") != 0) {
        return false;
    }
    *ret_interval = i;
    return value_datetime_possible(&(MI_Datetime){0, {.interval = i}});
}

/* A timestamp or an interval, each of exactly 25 characters (DSP0004, 5.2.4). Asterisks for unknown
 * digits are legal CIM, but an MI_Datetime has no room for "unknown", so they are refused. */
static bool datetime_from_text(const char *text, void *to)
{
    MI_Datetime value = {0};

    if (timestamp_from_text(text, &value.u.timestamp)) {
        value.isTimestamp = 1;
    } else if (!interval_from_text(text, &value.u.interval)) {
        return false;
    }
    memcpy(to, &value, sizeof(value));
    return true;
}

/* Each type has its function, which writes *to on success only. A string needs no conversion, but a
 * copy, so that the result is owned in every case. */
MI_Result value_from_text(MI_Type type, const char *text, void *to)
{
    bool fits = false;

    if (text == NULL || to == NULL || value_size(type) == 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    switch (type) {
    case MI_BOOLEAN:
        fits = boolean_from_text(text, to);
        break;
    case MI_UINT8:
    case MI_SINT8:
    case MI_UINT16:
    case MI_SINT16:
    case MI_UINT32:
    case MI_SINT32:
    case MI_UINT64:
    case MI_SINT64:
        fits = integer_from_text(type, text, to);
        break;
    case MI_REAL32:
    case MI_REAL64:
        return real_from_text(type, text, to);
    case MI_CHAR16:
        fits = char16_from_text(text, to);
        break;
    case MI_DATETIME:
        fits = datetime_from_text(text, to);
        break;
    case MI_STRING:
        return value_copy(MI_STRING, &text, to);
    default:
        break; /* an object or an array has no text form here */
    }
    return fits ? MI_RESULT_OK : MI_RESULT_TYPE_MISMATCH;
}
