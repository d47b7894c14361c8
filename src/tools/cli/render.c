/* SPDX-License-Identifier: MIT */
/*
 * Prints instances in MOF for `miguard run`.
 *
 * render_mof() prints an instance by its elements, in the order of its class. Every text of the
 * instance passes print_safe(), since a provider may write anything. Only the functions of MI.h are
 * used.
 *
 * A value is printed by print_scalar(), an array by print_array(), an embedded instance by
 * print_instance() again, one level further in. The provider's instances have come through the
 * host, which copies them and limits their nesting, so the recursion here ends. What the form
 * cannot show, such as a char16 outside of ASCII, is written as the escape that MOF has for it.
 *
 * The output is meant to be read by people and by MOF compilers: one property a line, arrays broken
 * at LINE_WIDTH, strings with the escapes of MOF.
 */
#include "tools/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"

/* Columns: where arrays are broken, and of one level. */
enum { LINE_WIDTH = 100, INDENT = 4 };

/* The index is the number of MI_Result in MI.h. */
const char *result_name(MI_Result result)
{
    static const char *const names[] = {
        "OK",
        "FAILED",
        "ACCESS_DENIED",
        "INVALID_NAMESPACE",
        "INVALID_PARAMETER",
        "INVALID_CLASS",
        "NOT_FOUND",
        "NOT_SUPPORTED",
        "CLASS_HAS_CHILDREN",
        "CLASS_HAS_INSTANCES",
        "INVALID_SUPERCLASS",
        "ALREADY_EXISTS",
        "NO_SUCH_PROPERTY",
        "TYPE_MISMATCH",
        "QUERY_LANGUAGE_NOT_SUPPORTED",
        "INVALID_QUERY",
        "METHOD_NOT_AVAILABLE",
        "METHOD_NOT_FOUND",
        NULL, /* 18 and 19 are not used */
        NULL,
        "NAMESPACE_NOT_EMPTY",
        "INVALID_ENUMERATION_CONTEXT",
        "INVALID_OPERATION_TIMEOUT",
        "PULL_HAS_BEEN_ABANDONED",
        "PULL_CANNOT_BE_ABANDONED",
        "FILTERED_ENUMERATION_NOT_SUPPORTED",
        "CONTINUATION_ON_ERROR_NOT_SUPPORTED",
        "SERVER_LIMITS_EXCEEDED",
        "SERVER_IS_SHUTTING_DOWN",
    };
    size_t index = (size_t)result;

    return index < sizeof(names) / sizeof(names[0]) && names[index] != NULL ? names[index]
                                                                            : "UNKNOWN";
}

/* The digits of one field at text, without a NUL. A number that is not possible there (a provider
 * may write anything) becomes asterisks, by which CIM marks what is not known (DSP0004, 5.2.4):
 * digits cut from it would look like a value. Returns the end. */
static char *datetime_field(char *text, int digits, unsigned number, unsigned least, unsigned most)
{
    bool possible = number >= least && number <= most;

    for (int i = digits - 1; i >= 0; i--) {
        text[i] = possible ? (char)('0' + number % 10) : '*';
        number /= 10;
    }
    return text + digits;
}

/* hhmmss.mmmmmm, which both kinds have. */
static char *time_fields(char *text, unsigned hours, unsigned minutes, unsigned seconds,
                         unsigned microseconds)
{
    text = datetime_field(text, 2, hours, 0, 23);
    text = datetime_field(text, 2, minutes, 0, 59);
    text = datetime_field(text, 2, seconds, 0, 59);
    *text++ = '.';
    return datetime_field(text, 6, microseconds, 0, 999999);
}

/* 25 characters in each case. */
void datetime_text(const MI_Datetime *datetime, char text[26])
{
    const MI_Timestamp *moment = &datetime->u.timestamp;
    const MI_Interval *span = &datetime->u.interval;
    char *end = text;

    if (datetime->isTimestamp) {
        unsigned offset = moment->utc < 0 ? 0U - (unsigned)moment->utc : (unsigned)moment->utc;
        unsigned days = moment->month < 1 || moment->month > 12
                            ? 31
                            : civil_days_in_month(moment->year, moment->month);
        end = datetime_field(end, 4, moment->year, 0, 9999);
        end = datetime_field(end, 2, moment->month, 1, 12);
        end = datetime_field(end, 2, moment->day, 1, days);
        end = time_fields(end, moment->hour, moment->minute, moment->second, moment->microseconds);
        *end++ = moment->utc < 0 ? '-' : '+';
        end = datetime_field(end, 3, offset, 0, 999);
    } else {
        end = datetime_field(end, 8, span->days, 0, 99999999);
        end = time_fields(end, span->hours, span->minutes, span->seconds, span->microseconds);
        end = stpcpy(end, ":000");
    }
    *end = '\0';
}

/* MOF has no NaN and no infinity (DSP0004, annex A: realValue); NULL with a comment says what stood
 * there and can be compiled. */
static void print_real(FILE *stream, double value, int digits)
{
    if (isfinite(value)) {
        fprintf(stream, "%.*g", digits, value);
    } else {
        fprintf(stream, "NULL /* %s */",
                isnan(value) ? "NaN"
                : value > 0  ? "Infinity"
                             : "-Infinity");
    }
}

/* ---- one value ---------------------------------------------------------------------------- */

static void print_instance(FILE *stream, const MI_Instance *instance, int indent, bool terse);

/* A MOF string (DSP0004, annex A): with the escapes of print_safe(). */
static void print_quoted(FILE *stream, const char *text)
{
    fputc('"', stream);
    print_safe(stream, text, true);
    fputc('"', stream);
}

/* As MOF writes it (DSP0004, annex A). A real has as many digits as bring back the same number: 9
 * for 32 bits, 17 for 64. A char16 beyond printable ASCII is its code, since one half of a
 * surrogate pair is not a character. A datetime and a reference are strings in MOF. */
static void print_scalar(FILE *stream, MI_Type type, const MI_Value *value, int indent)
{
    char text[26];

    switch (type) {
    case MI_BOOLEAN:
        fputs(value->boolean ? "TRUE" : "FALSE", stream);
        break;
    case MI_UINT8:
        fprintf(stream, "%u", value->uint8);
        break;
    case MI_SINT8:
        fprintf(stream, "%d", value->sint8);
        break;
    case MI_UINT16:
        fprintf(stream, "%u", value->uint16);
        break;
    case MI_SINT16:
        fprintf(stream, "%d", value->sint16);
        break;
    case MI_UINT32:
        fprintf(stream, "%u", value->uint32);
        break;
    case MI_SINT32:
        fprintf(stream, "%d", value->sint32);
        break;
    case MI_UINT64:
        fprintf(stream, "%llu", value->uint64);
        break;
    case MI_SINT64:
        fprintf(stream, "%lld", value->sint64);
        break;
    case MI_REAL32:
        print_real(stream, (double)value->real32, 9);
        break;
    case MI_REAL64:
        print_real(stream, value->real64, 17);
        break;
    case MI_CHAR16:
        fprintf(stream,
                value->char16 >= 0x20 && value->char16 < 0x7F && value->char16 != '\'' &&
                        value->char16 != '\\'
                    ? "'%c'"
                    : "'\\x%04X'",
                value->char16);
        break;
    case MI_DATETIME:
        datetime_text(&value->datetime, text);
        print_quoted(stream, text);
        break;
    case MI_STRING:
        print_quoted(stream, value->string);
        break;
    case MI_REFERENCE: {
        char *reference = reference_text(value->reference);
        print_quoted(stream, reference == NULL ? "" : reference);
        free(reference);
        break;
    }
    default:
        print_instance(stream, value->instance, indent, false);
        break;
    }
}

/* ---- arrays ------------------------------------------------------------------------------- */

/* How many characters print_scalar() would write, for the line break. An embedded instance has
 * lines of its own and counts as nothing. Without memory the width is 0: then only the break is in
 * the wrong place. */
static size_t scalar_width(MI_Type type, const MI_Value *value)
{
    char *text = NULL;
    size_t width = 0;
    FILE *memory = type == MI_INSTANCE ? NULL : open_memstream(&text, &width);

    if (memory != NULL) {
        print_scalar(memory, type, value, 0);
        fclose(memory);
        free(text);
    }
    return width;
}

/* Array types have one bit more (MI.h, MI_ARRAY). */
MI_Type scalar_type(MI_Type type)
{
    return (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
}

/* Values are copied out of the array by their size, since its elements are packed and an MI_Value
 * is larger; the rest of *ret_value is zero. The size is by the position of the type in MI.h.
 * False: the element is a NULL string or instance. */
bool array_element(MI_Type type, const MI_Array *array, MI_Uint32 index, MI_Value *ret_value)
{
    static const size_t sizes[] = {
        sizeof(MI_Boolean),  sizeof(MI_Uint8),  sizeof(MI_Sint8),  sizeof(MI_Uint16),
        sizeof(MI_Sint16),   sizeof(MI_Uint32), sizeof(MI_Sint32), sizeof(MI_Uint64),
        sizeof(MI_Sint64),   sizeof(MI_Real32), sizeof(MI_Real64), sizeof(MI_Char16),
        sizeof(MI_Datetime), sizeof(MI_Char *), sizeof(void *),    sizeof(void *),
    };
    MI_Type scalar = scalar_type(type);
    size_t size = sizes[(unsigned)scalar % (sizeof(sizes) / sizeof(sizes[0]))];

    memset(ret_value, 0, sizeof(*ret_value));
    memcpy(ret_value, (const char *)array->data + index * size, size);
    return scalar < MI_STRING || ret_value->string != NULL;
}

/* In braces, with line breaks where the next element would pass LINE_WIDTH. at is the column at
 * which the array begins, indent that of the property, from which the continuation lines are set
 * in. */
static void print_array(FILE *stream, MI_Type type, const MI_Array *array, int indent, size_t at)
{
    MI_Value value;

    fputc('{', stream);
    at++;
    for (MI_Uint32 i = 0; i < array->size; i++) {
        bool exists = array_element(type, array, i, &value);
        size_t width = exists ? scalar_width(scalar_type(type), &value) : strlen("NULL");
        if (i > 0) {
            fputc(',', stream);
            bool wraps = at + width + 3 > LINE_WIDTH;
            wraps ? fprintf(stream, "\n%*s", indent + INDENT, "") : fputc(' ', stream);
            at = wraps ? (size_t)(indent + INDENT) : at + 2;
        }
        if (exists) {
            print_scalar(stream, scalar_type(type), &value, indent);
        } else {
            fputs("NULL", stream);
        }
        at += width;
    }
    fputc('}', stream);
}

/* For a default or a qualifier, which stand inside of a line. */
void render_value(FILE *stream, MI_Type type, const MI_Value *value)
{
    if ((type & MI_ARRAY) != 0) {
        print_array(stream, type, &value->array, INDENT, INDENT);
    } else {
        print_scalar(stream, type, value, INDENT);
    }
}

/* ---- an instance -------------------------------------------------------------------------- */

/* One line, or more for an array or an embedded instance. */
static void print_property(FILE *stream, const MI_Char *name, MI_Type type, const MI_Value *value,
                           MI_Uint32 flags, int indent)
{
    fprintf(stream, "%*s", indent, "");
    print_safe(stream, name, false);
    fputs(" = ", stream);
    if ((flags & MI_FLAG_NULL) != 0) {
        fputs("NULL", stream);
    } else if ((type & MI_ARRAY) != 0) {
        print_array(stream, type, &value->array, indent, (size_t)indent + strlen(name) + 3);
    } else {
        print_scalar(stream, type, value, indent);
    }
    fputs(";\n", stream);
}

/* Without the semicolon, since an embedded instance is followed by that of its property. Results of
 * the calls are not needed: name and count stay NULL and 0. */
static void print_instance(FILE *stream, const MI_Instance *instance, int indent, bool terse)
{
    const MI_Char *name = NULL;
    MI_Uint32 count = 0, flags;
    MI_Value value;
    MI_Type type;

    MI_Instance_GetClassName(instance, &name);
    MI_Instance_GetElementCount(instance, &count);
    fputs("instance of ", stream);
    print_safe(stream, name == NULL ? "?" : name, false);
    fputs(" {\n", stream);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Instance_GetElementAt(instance, i, &name, &value, &type, &flags) == MI_RESULT_OK &&
            (!terse || (flags & MI_FLAG_NULL) == 0)) {
            print_property(stream, name, type, &value, flags, indent + INDENT);
        }
    }
    fprintf(stream, "%*s}", indent, "");
}

/* terse is for errors, whose class has many properties without a value. */
void render_mof(FILE *stream, const MI_Instance *instance, bool terse)
{
    print_instance(stream, instance, 0, terse);
    fputs(";\n", stream);
}

/* ---- references --------------------------------------------------------------------------- */

/* An untyped object path as in DSP0004: class name, then key=value with commas between. Keys
 * without a value and arrays are left out, since a key can be neither. The text is not escaped
 * beyond its strings: the caller prints it safely. */
char *reference_text(const MI_Instance *reference)
{
    char *text = NULL, separator = '.';
    size_t size = 0;
    const MI_Char *name = NULL;
    MI_Uint32 count = 0, flags;
    MI_Value value;
    MI_Type type;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL) {
        return NULL;
    }
    MI_Instance_GetClassName(reference, &name);
    fputs(name == NULL ? "?" : name, stream);
    MI_Instance_GetElementCount(reference, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Instance_GetElementAt(reference, i, &name, &value, &type, &flags) != MI_RESULT_OK ||
            (flags & MI_FLAG_KEY) == 0 || (flags & MI_FLAG_NULL) != 0 || (type & MI_ARRAY) != 0) {
            continue;
        }
        fprintf(stream, "%c%s=", separator, name);
        print_scalar(stream, type, &value, 0);
        separator = ',';
    }
    fclose(stream);
    return text;
}
