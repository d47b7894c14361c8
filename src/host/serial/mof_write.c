/* SPDX-License-Identifier: MIT */
/*
 * Instances and classes as MOF (DSP0004, annex A).
 *
 * An embedded instance is written in place ("instance of CLASS {...}"), as host/mof reads it and
 * the command prints it; a reference is the string of an object path. What MOF has no form for
 * (NaN, an impossible datetime, a text that is not UTF-8) is NOT_SUPPORTED rather than something
 * that looks like a value.
 */
#include "base/utf8.h"
#include "host/serial/write.h"

enum { INDENT = 4 };

static void write_instance(struct serial_out *out, const MI_Instance *instance, int indent);
static void write_scalar(struct serial_out *out, MI_Type type, const void *value, int indent);

static void blanks(struct serial_out *out, int count)
{
    text_format(&out->text, "%*s", count, "");
}

/* ---- strings ----------------------------------------------------------------------------------
 */

/* An escape of four digits cannot take the character behind it for a digit of its own. */
static void write_escape(struct text *text, uint32_t code)
{
    if (code >= 0x10000) {
        text_format(text, "\\x%04X\\x%04X", 0xD800 + ((code - 0x10000) >> 10),
                    0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
        text_format(text, "\\x%04X", code);
    }
}

static void write_character(struct text *text, const char *bytes, size_t length, uint32_t code)
{
    static const char codes[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = code < 0x80 && code != 0 ? strchr(codes, (int)code) : NULL;

    if (found != NULL) {
        text_format(text, "\\%c", letters[found - codes]);
    } else if (text_is_hidden(code)) {
        write_escape(text, code);
    } else {
        text_append_bytes(text, bytes, length);
    }
}

static void write_quoted(struct serial_out *out, const char *string)
{
    const size_t all = strlen(string);
    uint32_t code = 0;

    text_append(&out->text, "\"");
    for (size_t at = 0, step; at < all; at += step) {
        step = utf8_next(string + at, all - at, &code);
        if (step == 0) {
            serial_fail(out, MI_RESULT_NOT_SUPPORTED);
            return;
        }
        write_character(&out->text, string + at, step, code);
    }
    text_append(&out->text, "\"");
}

/* Letters and digits as they are; all else, one half of a surrogate pair too, by its number. */
static void write_char16(struct serial_out *out, const void *value)
{
    MI_Char16 code = 0;

    memcpy(&code, value, sizeof(code));
    if (code > ' ' && code < 0x7F && code != '\'' && code != '\\') {
        text_format(&out->text, "'%c'", (char)code);
    } else {
        text_format(&out->text, "'\\x%04X'", (unsigned)code);
    }
}

/* ---- references -------------------------------------------------------------------------------
 */

static void write_key(struct serial_out *out, const MI_Instance *reference, MI_Uint32 index,
                      char *separator)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    serial_fail(out, instance_element_at(reference, index, &name, &value, &type, &flags));
    if (out->result != MI_RESULT_OK || (flags & MI_FLAG_KEY) == 0 || (flags & MI_FLAG_NULL) != 0) {
        return;
    }
    if (type_is_array(type) || type == MI_INSTANCE) { /* a key is neither */
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return;
    }
    text_format(&out->text, "%c%s=", *separator, serial_name(out, name));
    write_scalar(out, type, &value, 0);
    *separator = ',';
}

/* A namespace or server that has one of these signs would end elsewhere when the path is read. */
static void check_place(struct serial_out *out, const char *place, const char *signs)
{
    if (place != NULL && (*place == '\0' || strpbrk(place, signs) != NULL)) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
    }
}

/* [//SERVER/][NAMESPACE:]CLASS.KEY=VALUE,... (DSP0004, 8.2.5) */
static void write_path(struct serial_out *out, const MI_Instance *reference)
{
    MI_Uint32 count = instance_element_count(reference);
    char separator = '.';

    check_place(out, reference->nameSpace, ":.=\"");
    check_place(out, reference->serverName, "/");
    if (reference->nameSpace != NULL && reference->serverName != NULL) {
        text_format(&out->text, "//%s/", reference->serverName);
    }
    if (reference->nameSpace != NULL) {
        text_format(&out->text, "%s:", reference->nameSpace);
    }
    text_append(&out->text, serial_name(out, instance_class_name(reference)));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < count; i++) {
        write_key(out, reference, i, &separator);
    }
    text_append(&out->text, separator == '.' ? "=@" : "");
}

/* The path is a text by itself, which then becomes a string. */
static void write_reference(struct serial_out *out, const MI_Instance *reference)
{
    struct serial_out path = {.nest = out->nest};

    if (!nest_enter(&path.nest)) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    write_path(&path, reference);
    out->nest.instances = path.nest.instances;
    if (serial_goes_on(&path)) {
        write_quoted(out, path.text.data);
    }
    serial_fail(out, path.result);
    text_release(&path.text);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void write_datetime(struct serial_out *out, const void *value)
{
    char text[26];

    if (serial_datetime(out, value, text)) {
        text_format(&out->text, "\"%s\"", text);
    }
}

static void write_number(struct serial_out *out, MI_Type type, const void *value)
{
    char number[VALUE_NUMBER_SIZE];

    if (!value_number_text(type, value, number)) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return;
    }
    text_append(&out->text, number);
}

static void write_scalar(struct serial_out *out, MI_Type type, const void *value, int indent)
{
    switch (type) {
    case MI_CHAR16:
        write_char16(out, value);
        break;
    case MI_DATETIME:
        write_datetime(out, value);
        break;
    case MI_STRING:
        write_quoted(out, serial_string_in(value));
        break;
    case MI_REFERENCE:
        write_reference(out, serial_instance_in(value));
        break;
    case MI_INSTANCE:
        write_instance(out, serial_instance_in(value), indent);
        break;
    default:
        write_number(out, type, value);
        break;
    }
}

static void write_array(struct serial_out *out, MI_Type type, const MI_Array *array, int indent)
{
    serial_fail(out, value_array_limits(type, array));
    text_append(&out->text, "{");
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < array->size; i++) {
        const void *element = serial_array_element(type, array, i);
        text_append(&out->text, i > 0 ? ", " : "");
        if (element == NULL) {
            text_append(&out->text, "NULL");
        } else {
            write_scalar(out, type_scalar(type), element, indent);
        }
    }
    text_append(&out->text, "}");
}

static void write_value(struct serial_out *out, MI_Type type, const void *value, int indent)
{
    if (type_is_array(type)) {
        write_array(out, type, value, indent);
    } else {
        write_scalar(out, type, value, indent);
    }
}

/* ---- instances --------------------------------------------------------------------------------
 */

static void write_element(struct serial_out *out, const MI_Instance *instance, MI_Uint32 index,
                          int indent)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    serial_fail(out, instance_element_at(instance, index, &name, &value, &type, &flags));
    if (out->result != MI_RESULT_OK) {
        return;
    }
    blanks(out, indent);
    text_format(&out->text, "%s = ", serial_name(out, name));
    if ((flags & MI_FLAG_NULL) != 0) {
        text_append(&out->text, "NULL");
    } else {
        write_value(out, type, &value, indent);
    }
    text_append(&out->text, ";\n");
}

/* Up to the closing brace: what follows depends on where the instance stands. */
static void write_instance(struct serial_out *out, const MI_Instance *instance, int indent)
{
    MI_Uint32 count = instance_element_count(instance);

    if (!nest_enter(&out->nest)) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    text_format(&out->text, "instance of %s\n", serial_name(out, instance_class_name(instance)));
    blanks(out, indent);
    text_append(&out->text, "{\n");
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < count; i++) {
        write_element(out, instance, i, indent + INDENT);
    }
    blanks(out, indent);
    text_append(&out->text, "}");
    nest_leave(&out->nest);
}

void mof_write_instance(struct serial_out *out, const MI_Instance *instance, bool with_class)
{
    if (with_class) {
        serial_classes_of(out, instance, mof_write_class);
    }
    if (serial_goes_on(out)) {
        write_instance(out, instance, 0);
        text_append(&out->text, ";\n\n");
    }
}

/* ---- classes ----------------------------------------------------------------------------------
 */

static void write_flavors(struct serial_out *out, MI_Uint32 flavor)
{
    static const struct {
        MI_Uint32 flag;
        const char *name;
    } words[] = {
        {MI_FLAG_ENABLEOVERRIDE, "EnableOverride"}, {MI_FLAG_DISABLEOVERRIDE, "DisableOverride"},
        {MI_FLAG_RESTRICTED, "Restricted"},         {MI_FLAG_TOSUBCLASS, "ToSubclass"},
        {MI_FLAG_TRANSLATABLE, "Translatable"},     {MI_FLAG_TOINSTANCE, "ToInstance"},
    };
    const char *before = " : ";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((flavor & words[i].flag) != 0) {
            text_format(&out->text, "%s%s", before, words[i].name);
            before = " ";
        }
    }
}

/* A boolean that is true needs no value. */
static void write_qualifier(struct serial_out *out, const MI_Qualifier *qualifier, MI_Uint32 index)
{
    const MI_Type type = (MI_Type)qualifier->type;
    const bool null = qualifier->value == NULL || value_is_null(type, qualifier->value);

    text_format(&out->text, "%s%s", index == 0 ? "[" : ", ", serial_name(out, qualifier->name));
    if (type_is_instance(type_scalar(type))) { /* no qualifier is one */
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
    } else if (null) {
        text_append(&out->text, "(NULL)");
    } else if (type_is_array(type)) {
        write_array(out, type, qualifier->value, 0);
    } else if (type != MI_BOOLEAN || !*(const MI_Boolean *)qualifier->value) {
        text_append(&out->text, "(");
        write_value(out, type, qualifier->value, 0);
        text_append(&out->text, ")");
    }
    write_flavors(out, qualifier->flavor);
}

/* With a line of their own, or with blanks behind them in the list of parameters. */
static void write_qualifiers(struct serial_out *out, struct serial_qualified of, int indent,
                             const char *behind)
{
    blanks(out, indent);
    const size_t before = out->text.length;
    serial_each_qualifier(out, &of, write_qualifier);
    text_append(&out->text, out->text.length > before ? behind : "");
}

/* "uint8 Name[4]", "CLASS REF Name". MOF has no reference to any class, which those of a dynamic
 * instance are: the root of the CIM schema stands for it. */
static void write_typed(struct serial_out *out, MI_Type type, const char *class_name,
                        const char *name, MI_Uint32 subscript)
{
    if (type_scalar(type) == MI_REFERENCE) {
        text_format(&out->text, "%s REF %s",
                    class_name == NULL ? "CIM_ManagedElement" : serial_name(out, class_name), name);
    } else {
        text_format(&out->text, "%s %s", serial_type_name(type), name);
    }
    if (type_is_array(type) && subscript != 0) {
        text_format(&out->text, "[%u]", subscript);
    } else if (type_is_array(type)) {
        text_append(&out->text, "[]");
    }
}

static void write_property(struct serial_out *out, const MI_PropertyDecl *property)
{
    const MI_Type type = (MI_Type)property->type;

    write_qualifiers(out, serial_qualified_property(property), INDENT, "]\n    ");
    write_typed(out, type, property->className, property->name, property->subscript);
    if (property->value != NULL && !value_is_null(type, property->value)) {
        text_append(&out->text, " = ");
        write_value(out, type, property->value, INDENT);
    }
    text_append(&out->text, ";\n");
}

static void write_method(struct serial_out *out, const MI_MethodDecl *method)
{
    const char *separator = "";

    write_qualifiers(out, serial_qualified_method(method), INDENT, "]\n    ");
    text_format(&out->text, "%s %s(", serial_return_type(out, method), method->name);
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < method->numParameters; i++) {
        const MI_ParameterDecl *parameter = method->parameters[i];
        if (!serial_is_return(parameter)) {
            text_append(&out->text, separator);
            write_qualifiers(out, serial_qualified_parameter(parameter), 0, "] ");
            write_typed(out, (MI_Type)parameter->type, parameter->className, parameter->name,
                        parameter->subscript);
            separator = ", ";
        }
    }
    text_append(&out->text, ");\n");
}

void mof_write_class(struct serial_out *out, const MI_ClassDecl *decl, bool deep)
{
    const char *superclass = serial_superclass(decl);

    write_qualifiers(out, serial_qualified_class(decl), 0, "]\n");
    text_format(&out->text, "class %s", decl->name);
    if (superclass != NULL) {
        text_format(&out->text, " : %s", superclass);
    }
    text_append(&out->text, "\n{\n");
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < decl->numProperties; i++) {
        if (deep || serial_is_local(decl, decl->properties[i]->propagator)) {
            write_property(out, decl->properties[i]);
        }
    }
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < decl->numMethods; i++) {
        if (deep || serial_is_local(decl, decl->methods[i]->propagator)) {
            write_method(out, decl->methods[i]);
        }
    }
    text_append(&out->text, "};\n\n");
}
