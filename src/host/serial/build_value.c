/* SPDX-License-Identifier: MIT */
/*
 * Values from the tree: of the type that the class or XML says, or of the one that the text of MOF
 * shows by itself.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "host/serial/read.h"
#include "host/serial/write.h"

/* ---- failures ---------------------------------------------------------------------------------
 */

bool serial_refuse(struct serial_in *in, MI_Result result, unsigned line, unsigned column,
                   const char *format, ...)
{
    const bool path = in->path_line != 0;
    int length = 0;
    va_list list;

    if (in->result != MI_RESULT_OK) {
        return false;
    }
    in->result = result;
    in->error.line = path ? in->path_line : line;
    in->error.column = path ? in->path_column : column;
    if (path) {
        length = snprintf(in->error.text, sizeof(in->error.text),
                          "the path, at its character %u: ", column);
    }
    va_start(list, format);
    vsnprintf(in->error.text + length, sizeof(in->error.text) - (size_t)length, format, list);
    va_end(list);
    return false;
}

bool serial_no_memory(struct serial_in *in)
{
    return serial_refuse(in, MI_RESULT_SERVER_LIMITS_EXCEEDED, 0, 0, "out of memory");
}

bool serial_failed(struct serial_in *in, MI_Result result, unsigned line, unsigned column,
                   const char *what)
{
    return serial_refuse(in, result, line, column,
                         result == MI_RESULT_SERVER_LIMITS_EXCEEDED
                             ? "%s: out of memory, or beyond a limit of the host"
                             : "%s is not valid",
                         what);
}

void serial_drop_instance(MI_Instance *const *instance)
{
    instance_delete(*instance);
}

/* ---- types ------------------------------------------------------------------------------------
 */

MI_Type serial_type_of(enum mof_type type, bool array)
{
    return (MI_Type)(((unsigned)type - 1) | (array ? (unsigned)MI_ARRAY : 0));
}

static const char *type_word(MI_Type scalar)
{
    return scalar == MI_REFERENCE  ? "reference"
           : scalar == MI_INSTANCE ? "instance"
                                   : serial_type_name(scalar);
}

static const char *kind_word(enum mof_kind kind)
{
    static const char *const words[] = {
        [MOF_NULL] = "NULL",
        [MOF_BOOLEAN] = "a boolean",
        [MOF_INTEGER] = "an integer",
        [MOF_REAL] = "a real",
        [MOF_CHAR] = "a character",
        [MOF_STRING] = "a string",
        [MOF_INSTANCE] = "an instance",
        [MOF_ARRAY] = "an array",
    };

    return words[kind];
}

static bool kind_fits(MI_Type scalar, enum mof_kind kind)
{
    switch (scalar) {
    case MI_BOOLEAN:
        return kind == MOF_BOOLEAN;
    case MI_REAL32:
    case MI_REAL64:
        return kind == MOF_REAL || kind == MOF_INTEGER;
    case MI_CHAR16:
        return kind == MOF_CHAR;
    case MI_DATETIME:
    case MI_STRING:
        return kind == MOF_STRING;
    case MI_REFERENCE:
        return kind == MOF_STRING || kind == MOF_INSTANCE;
    case MI_INSTANCE:
        return kind == MOF_INSTANCE;
    default:
        return kind == MOF_INTEGER;
    }
}

/* Signed unless a number needs the last bit: then only the other fits. */
static MI_Type integer_type(const struct mof_value *from)
{
    MI_Sint64 number = 0;

    return value_from_text(MI_SINT64, from->text, &number) == MI_RESULT_OK ? MI_SINT64 : MI_UINT64;
}

static MI_Type scalar_type_of(const struct mof_value *from)
{
    switch (from->kind) {
    case MOF_BOOLEAN:
        return MI_BOOLEAN;
    case MOF_INTEGER:
        return integer_type(from);
    case MOF_REAL:
        return MI_REAL64;
    case MOF_CHAR:
        return MI_CHAR16;
    case MOF_INSTANCE:
        return MI_INSTANCE;
    default:
        return MI_STRING;
    }
}

/* An integer among reals is one of them. */
static MI_Type wider(MI_Type a, MI_Type b)
{
    return a == MI_REAL64 || b == MI_REAL64   ? MI_REAL64
           : a == MI_UINT64 || b == MI_UINT64 ? MI_UINT64
                                              : a;
}

static bool is_number(MI_Type type)
{
    return type == MI_SINT64 || type == MI_UINT64 || type == MI_REAL64;
}

bool serial_infer_type(struct serial_in *in, const char *name, const struct mof_value *from,
                       MI_Type *ret_type)
{
    bool known = false;
    MI_Type type = MI_STRING;

    if (from->kind != MOF_ARRAY) {
        *ret_type = scalar_type_of(from);
        return true;
    }
    for (const struct mof_value *at = from->items; at != NULL; at = at->next) {
        const MI_Type other = scalar_type_of(at);
        if (at->kind == MOF_NULL) {
            continue;
        }
        if (known && type != other && !(is_number(type) && is_number(other))) {
            return serial_refuse(in, MI_RESULT_TYPE_MISMATCH, at->line, at->column,
                                 "%.60s: not of the kind of the first element", name);
        }
        type = known ? wider(type, other) : other;
        known = true;
    }
    *ret_type = (MI_Type)((unsigned)type | MI_ARRAY);
    return true;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void drop_document(struct mof_document *const *document)
{
    mof_free(*document);
}

/* The string of MOF that is an object path. */
static bool build_path(struct serial_in *in, const struct mof_value *from,
                       MI_Instance **ret_instance)
{
    struct mof_document *document ON_LEAVING(drop_document) = NULL;
    const unsigned line = in->path_line, column = in->path_column;
    struct mof_error error;

    if (!mof_read_path(from->text, &document, &error)) {
        if (error.line == 0) {
            return serial_no_memory(in);
        }
        return serial_refuse(
            in, error.limit ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_INVALID_PARAMETER,
            from->line, from->column, "the path, at its character %u: %s", error.column,
            error.text);
    }
    if (line == 0) {
        in->path_line = from->line;
        in->path_column = from->column;
    }
    bool good = serial_build_instance(in, document->instances, true, ret_instance);
    in->path_line = line;
    in->path_column = column;
    return good;
}

static bool build_scalar(struct serial_in *in, const char *name, MI_Type type,
                         const struct mof_value *from, void *to)
{
    if (!kind_fits(type, from->kind)) {
        return serial_refuse(in, MI_RESULT_TYPE_MISMATCH, from->line, from->column,
                             "%.60s is of the type %s, which %s does not fit", name,
                             type_word(type), kind_word(from->kind));
    }
    if (type == MI_CHAR16) {
        const MI_Char16 character = from->character;
        memcpy(to, &character, sizeof(character));
        return true;
    }
    if (from->kind == MOF_INSTANCE) {
        return serial_build_instance(in, from->instance, type == MI_REFERENCE, to);
    }
    if (type == MI_REFERENCE) {
        return build_path(in, from, to);
    }
    MI_Result result = value_from_text(type, from->text, to);
    return result == MI_RESULT_OK ||
           (result == MI_RESULT_TYPE_MISMATCH
                ? serial_refuse(in, result, from->line, from->column,
                                "%.60s is of the type %s, which %.40s does not fit", name,
                                type_word(type), from->text)
                : serial_failed(in, result, from->line, from->column, name));
}

/* An array on its way: what is in it goes when the scope is left. */
struct partial_array {
    MI_Type type;
    MI_Array array;
};

static void drop_array(struct partial_array *partial)
{
    value_release(partial->type, &partial->array);
}

static bool build_array(struct serial_in *in, const char *name, MI_Type type,
                        const struct mof_value *from, MI_Value *ret_value)
{
    struct partial_array partial ON_LEAVING(drop_array) = {.type = type};
    const MI_Type scalar = type_scalar(type);
    const size_t size = value_element_size(type);

    if (type_is_instance(scalar) && from->count > ARRAY_MAX_INSTANCES) {
        return serial_refuse(in, MI_RESULT_SERVER_LIMITS_EXCEEDED, from->line, from->column,
                             "%.60s has more than %d instances", name, ARRAY_MAX_INSTANCES);
    }
    partial.array.data = from->count == 0 ? NULL : base_alloc(from->count, size);
    if (partial.array.data == NULL && from->count > 0) {
        return serial_no_memory(in);
    }
    for (const struct mof_value *at = from->items; at != NULL; at = at->next) {
        char *place = (char *)partial.array.data + partial.array.size * size;
        const bool null = at->kind == MOF_NULL && (scalar == MI_STRING || type_is_instance(scalar));
        if (!null && !build_scalar(in, name, scalar, at, place)) {
            return false;
        }
        partial.array.size++;
    }
    ret_value->array = partial.array;
    partial.array = (MI_Array){0};
    return true;
}

bool serial_build_value(struct serial_in *in, const char *name, MI_Type type,
                        const struct mof_value *from, MI_Value *ret_value)
{
    if (type_is_array(type) != (from->kind == MOF_ARRAY)) {
        return serial_refuse(in, MI_RESULT_TYPE_MISMATCH, from->line, from->column,
                             type_is_array(type) ? "%.60s is an array, and no single value"
                                                 : "%.60s is one value, and no array",
                             name);
    }
    return type_is_array(type) ? build_array(in, name, type, from, ret_value)
                               : build_scalar(in, name, type, from, ret_value);
}
