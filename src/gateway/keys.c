/* SPDX-License-Identifier: MIT */
/*
 * The keys of the instance that a call is about, for records. They are read when the call is made:
 * its record may be written much later, and the provider owns the instance and may have freed it by
 * then. Nothing is allocated.
 *
 * The provider's own instance is read through its function table, which is the host's code or the
 * provider's. So this runs before the guard checks the thread, never between the check and the
 * host.
 *
 * call_keys_read() walks over the properties (count_of, key_at), writes each key as "name=value"
 * into a buffer of its own (keep_key) and appends it while the record has room (keep). Values are
 * cut as all texts of records are (identity/cut.h).
 */
#include <string.h>

#include "base/real.h"
#include "gateway/gateway.h"

/* A bound for a count from a function table that is not the library's. */
enum { MAX_ELEMENTS = 1024 };

/* One property, as GetElementAt() gives it. The pointers belong to the instance. */
struct element {
    const MI_Char *name;
    MI_Value value;
    MI_Type type;
    MI_Uint32 flags;
};

/* ---- reading an instance --------------------------------------------------------------------- */

/* X(TYPE, member of MI_Value) */
#define SCALAR_MAP(X)                                                                              \
    X(BOOLEAN, boolean)                                                                            \
    X(UINT8, uint8)                                                                                \
    X(SINT8, sint8)                                                                                \
    X(UINT16, uint16)                                                                              \
    X(SINT16, sint16)                                                                              \
    X(UINT32, uint32)                                                                              \
    X(SINT32, sint32)                                                                              \
    X(UINT64, uint64)                                                                              \
    X(SINT64, sint64)                                                                              \
    X(REAL32, real32)                                                                              \
    X(REAL64, real64)                                                                              \
    X(CHAR16, char16)                                                                              \
    X(DATETIME, datetime)                                                                          \
    X(STRING, string)                                                                              \
    X(REFERENCE, reference)                                                                        \
    X(INSTANCE, instance)

/* The size of a field's value; 0 for an array, which cannot be a key (DSP0004). Only for instances
 * without a function table. */
static size_t size_of(MI_Type type)
{
    switch (type) {
#define SIZE_ROW(TYPE, member)                                                                     \
    case MI_##TYPE:                                                                                \
        return sizeof(((MI_Value *)NULL)->member);
        SCALAR_MAP(SIZE_ROW)
#undef SIZE_ROW
    default:
        return 0;
    }
}

/* For a struct that was filled in by hand and has no function table: a field consists of the value,
 * a flag whether it exists, and flags of the host. The layout is that of MI.h's field structs.
 * Reads by memcpy(3), because the field may have any alignment. */
static bool field_at(const MI_Instance *instance, MI_Uint32 index, struct element *ret_element)
{
    const MI_PropertyDecl *property = instance->classDecl->properties[index];
    MI_Boolean exists = MI_FALSE;

    if (property == NULL) {
        return false;
    }
    const char *field = (const char *)instance + property->offset;
    size_t size = size_of((MI_Type)property->type);
    *ret_element = (struct element){
        .name = property->name, .type = (MI_Type)property->type, .flags = property->flags};
    memcpy(&exists, field + size, size > 0 ? sizeof(exists) : 0);
    if (exists == MI_FALSE) {
        ret_element->flags |= MI_FLAG_NULL;
    } else {
        memcpy(&ret_element->value, field, size);
    }
    return true;
}

/* The number of properties that are looked at; 0 for NULL and for an instance that cannot be
 * read. */
static MI_Uint32 count_of(const MI_Instance *instance)
{
    MI_Uint32 count = 0;

    if (instance == NULL) {
        return 0;
    }
    if (instance->ft == NULL) {
        const MI_ClassDecl *decl = instance->classDecl;
        count = decl != NULL && decl->properties != NULL ? decl->numProperties : 0;
    } else if (instance->ft->GetElementCount == NULL || instance->ft->GetElementAt == NULL ||
               instance->ft->GetElementCount(instance, &count) != MI_RESULT_OK) {
        return 0;
    }
    return count < MAX_ELEMENTS ? count : MAX_ELEMENTS;
}

/* False for a property that is not a key, has no name or cannot be read. */
static bool key_at(const MI_Instance *instance, MI_Uint32 index, struct element *ret_element)
{
    memset(ret_element, 0, sizeof(*ret_element));
    bool read =
        instance->ft == NULL
            ? field_at(instance, index, ret_element)
            : instance->ft->GetElementAt(instance, index, &ret_element->name, &ret_element->value,
                                         &ret_element->type, &ret_element->flags) == MI_RESULT_OK;

    return read && ret_element->name != NULL && ret_element->name[0] != '\0' &&
           (ret_element->flags & MI_FLAG_KEY) != 0;
}

/* ---- values as text -------------------------------------------------------------------------- */

/* For texts of the library and of the instance; both end with a NUL. */
static void add_text(struct cut *cut, const char *text)
{
    cut_add(cut, text, strlen(text));
}

/* Numbers are written here and not by printf(3): this runs with every call, allowed or not. At
 * least `width` digits, with zeros in front. */
static void add_digits(struct cut *cut, uint64_t value, unsigned width)
{
    char digits[20];
    size_t at = sizeof(digits);

    for (; value != 0 || width > 0; value /= 10) {
        digits[--at] = (char)('0' + value % 10);
        width -= width > 0;
    }
    cut_add(cut, digits + at, sizeof(digits) - at);
}

static void add_unsigned(struct cut *cut, uint64_t value)
{
    add_digits(cut, value, 1);
}

static void add_signed(struct cut *cut, int64_t value)
{
    if (value < 0) {
        add_text(cut, "-");
    }
    add_unsigned(cut, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* "=" ends a name in a record, so within a name it is written as %3D. */
static void add_name(struct cut *cut, const char *name)
{
    while (*name != '\0') {
        size_t plain = strcspn(name, "=%");
        cut_add(cut, name, plain);
        name += plain;
        if (*name != '\0') {
            add_text(cut, *name == '=' ? "%3D" : "%25");
            name++;
        }
    }
}

/* The string form of DSP0004. */
static void add_timestamp(struct cut *cut, const MI_Timestamp *at)
{
    add_digits(cut, at->year, 4);
    add_digits(cut, at->month, 2);
    add_digits(cut, at->day, 2);
    add_digits(cut, at->hour, 2);
    add_digits(cut, at->minute, 2);
    add_digits(cut, at->second, 2);
    add_text(cut, ".");
    add_digits(cut, at->microseconds, 6);
    add_text(cut, at->utc < 0 ? "-" : "+");
    add_digits(cut, (uint64_t)(at->utc < 0 ? -(int64_t)at->utc : (int64_t)at->utc), 3);
}

static void add_interval(struct cut *cut, const MI_Interval *length)
{
    add_digits(cut, length->days, 8);
    add_digits(cut, length->hours, 2);
    add_digits(cut, length->minutes, 2);
    add_digits(cut, length->seconds, 2);
    add_text(cut, ".");
    add_digits(cut, length->microseconds, 6);
    add_text(cut, ":000");
}

static void add_datetime(struct cut *cut, const MI_Datetime *datetime)
{
    if (datetime->isTimestamp) {
        add_timestamp(cut, &datetime->u.timestamp);
    } else {
        add_interval(cut, &datetime->u.interval);
    }
}

static void add_real(struct cut *cut, double real)
{
    char text[REAL_TEXT_SIZE];

    (void)real_text(real, text);
    add_text(cut, text);
}

static void add_reference(struct cut *cut, const MI_Instance *instance, bool nested);

/* The value without quotes. Within a reference, nested is true, which ends a cycle of
 * references. */
static void add_value(struct cut *cut, const struct element *element, bool nested)
{
    const MI_Value *value = &element->value;

    switch (element->type) {
    case MI_BOOLEAN:
        add_text(cut, value->boolean ? "true" : "false");
        return;
    case MI_UINT8:
        add_unsigned(cut, value->uint8);
        return;
    case MI_SINT8:
        add_signed(cut, value->sint8);
        return;
    case MI_UINT16:
        add_unsigned(cut, value->uint16);
        return;
    case MI_SINT16:
        add_signed(cut, value->sint16);
        return;
    case MI_UINT32:
        add_unsigned(cut, value->uint32);
        return;
    case MI_SINT32:
        add_signed(cut, value->sint32);
        return;
    case MI_UINT64:
        add_unsigned(cut, value->uint64);
        return;
    case MI_SINT64:
        add_signed(cut, value->sint64);
        return;
    case MI_REAL32:
        add_real(cut, (double)value->real32);
        return;
    case MI_REAL64:
        add_real(cut, value->real64);
        return;
    case MI_CHAR16:
        add_unsigned(cut, value->char16);
        return;
    case MI_DATETIME:
        add_datetime(cut, &value->datetime);
        return;
    case MI_STRING:
        add_text(cut, value->string);
        return;
    case MI_REFERENCE:
    case MI_INSTANCE:
        add_reference(cut, value->reference, nested);
        return;
    default:
        add_text(cut, "(array)");
    }
}

/* A key without a value is recorded by its name alone. A NULL pointer counts as no value, whatever
 * the flags say. */
static bool has_value(const struct element *element)
{
    bool pointer =
        element->type == MI_STRING || element->type == MI_REFERENCE || element->type == MI_INSTANCE;

    return (element->flags & MI_FLAG_NULL) == 0 && !(pointer && element->value.string == NULL);
}

/* Class.Name=value,... For a reference within a reference only the class is written. The separator
 * is "." before the first key and "," before the others (DSP0004, object paths). */
static void add_reference(struct cut *cut, const MI_Instance *instance, bool nested)
{
    const MI_ClassDecl *decl = instance->classDecl;
    const char *separator = ".";
    struct element key;

    add_text(cut, decl != NULL && decl->name != NULL ? decl->name : "(class unknown)");
    MI_Uint32 count = nested ? 0 : count_of(instance);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (key_at(instance, i, &key)) {
            add_text(cut, separator);
            add_name(cut, key.name);
            if (has_value(&key)) {
                add_text(cut, "=");
                add_value(cut, &key, true);
            }
            separator = ",";
        }
    }
}

/* ---- the keys -------------------------------------------------------------------------------- */

/* An upper bound: a control character becomes six in a record, a hidden one of two or three bytes
 * as many, one of four bytes twelve (base/text.h). Counted here once, so that a record of many keys
 * need not be measured when it is written. */
static size_t escaped_length(const char *item)
{
    size_t length = 3; /* its quotes and comma */

    for (; *item != '\0'; item++) {
        unsigned char byte = (unsigned char)*item;
        length += byte < 0x20 || byte == 0x7F   ? 6
                  : byte == '"' || byte == '\\' ? 2
                  : byte >= 0x80                ? 3
                                                : 1;
    }
    return length;
}

/* Adds the item unless the record would get too long; then it is counted as omitted. */
static void keep(struct audit_keys *keys, const char *item)
{
    size_t size = strlen(item) + 1, escaped = escaped_length(item);

    if (keys->escaped + escaped > AUDIT_KEYS_SIZE) { /* otherwise items has room for it, too */
        keys->omitted++;
        return;
    }
    memcpy(keys->items + keys->length, item, size);
    keys->length += size;
    keys->escaped += escaped;
}

/* The name, and with value "=" and the value; each is cut on its own, so that a long name leaves
 * room for the value. */
static void keep_key(struct audit_keys *keys, const struct element *key, bool value)
{
    char item[CUT_SIZE(AUDIT_MAX_KEY) + CUT_SIZE(AUDIT_MAX_VALUE)];
    struct cut cut;

    cut_begin(&cut, item, AUDIT_MAX_KEY);
    add_name(&cut, key->name);
    size_t length = cut_end(&cut);
    if (value && has_value(key)) {
        item[length++] = '=';
        cut_begin(&cut, item + length, AUDIT_MAX_VALUE);
        add_value(&cut, key, false);
        (void)cut_end(&cut);
    }
    keep(keys, item);
}

/* The mode is the policy's: no keys, names only, or names with values. */
void call_keys_read(struct audit_keys *keys, const MI_Instance *instance, enum audit_keys_mode mode)
{
    struct element key;

    keys->length = keys->escaped = 0;
    keys->omitted = 0;
    MI_Uint32 count = mode == AUDIT_KEYS_NONE ? 0 : count_of(instance);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (key_at(instance, i, &key)) {
            keep_key(keys, &key, mode == AUDIT_KEYS_ALL);
        }
    }
}

/* items is the last member, so everything before its used part is one piece of memory. */
void call_keys_copy(struct audit_keys *to, const struct audit_keys *from)
{
    memcpy(to, from, offsetof(struct audit_keys, items) + from->length);
}
