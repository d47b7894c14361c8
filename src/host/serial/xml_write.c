/* SPDX-License-Identifier: MIT */
/*
 * Instances and classes as CIM-XML (DSP0201, DSP0203).
 *
 * An embedded instance is a string to CIM-XML: its own text, escaped once for each level that it
 * stands in. The attribute MODIFIED is that of MI, which an element that was set has, and one
 * that was not lacks. Characters that XML 1.0 has no form for are NOT_SUPPORTED: a reader has to
 * refuse the whole text.
 */
#include "base/utf8.h"
#include "host/serial/write.h"

static void write_instance(struct serial_out *out, const MI_Instance *instance);
static void write_reference(struct serial_out *out, const MI_Instance *reference);

/* ---- text -------------------------------------------------------------------------------------
 */

/* Char of XML 1.0 (2.2). */
static bool is_xml_character(uint32_t code)
{
    return code >= 0x20 ? code != 0xFFFE && code != 0xFFFF
                        : code == '\t' || code == '\n' || code == '\r';
}

/* Blanks that are not spaces would be changed on reading (XML 1.0, 2.11 and 3.3.3). */
static const char *xml_escape(uint32_t code)
{
    switch (code) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

static void write_escaped(struct serial_out *out, const char *string, size_t all)
{
    uint32_t code = 0;

    for (size_t at = 0, step; at < all; at += step) {
        step = utf8_next(string + at, all - at, &code);
        if (step == 0 || !is_xml_character(code)) {
            serial_fail(out, MI_RESULT_NOT_SUPPORTED);
            return;
        }
        const char *escape = xml_escape(code);
        if (escape != NULL) {
            text_append(&out->text, escape);
        } else {
            text_append_bytes(&out->text, string + at, step);
        }
    }
}

static void write_char16(struct serial_out *out, const void *value)
{
    char bytes[VALUE_CHAR16_SIZE];
    size_t length = value_char16_text(value, bytes);

    write_escaped(out, bytes, length); /* half of a surrogate pair is not UTF-8 */
}

static void write_datetime(struct serial_out *out, const void *value)
{
    char text[26];

    if (serial_datetime(out, value, text)) {
        text_append(&out->text, text);
    }
}

/* The text of the instance becomes that of a value. */
static void write_embedded(struct serial_out *out, const MI_Instance *instance)
{
    struct serial_out inner = {.nest = out->nest};

    write_instance(&inner, instance);
    out->nest.instances = inner.nest.instances;
    if (serial_goes_on(&inner)) {
        write_escaped(out, inner.text.data, inner.text.length);
    }
    serial_fail(out, inner.result);
    text_release(&inner.text);
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

/* What stands between the tags; not for a reference, which has elements. */
static void write_content(struct serial_out *out, MI_Type type, const void *value)
{
    switch (type) {
    case MI_CHAR16:
        write_char16(out, value);
        break;
    case MI_DATETIME:
        write_datetime(out, value);
        break;
    case MI_STRING:
        write_escaped(out, serial_string_in(value), strlen(serial_string_in(value)));
        break;
    case MI_INSTANCE:
        write_embedded(out, serial_instance_in(value));
        break;
    default:
        write_number(out, type, value);
        break;
    }
}

static void write_scalar(struct serial_out *out, MI_Type type, const void *value)
{
    if (type == MI_REFERENCE) {
        write_reference(out, serial_instance_in(value));
        return;
    }
    text_append(&out->text, "<VALUE>");
    write_content(out, type, value);
    text_append(&out->text, "</VALUE>");
}

static void write_value(struct serial_out *out, MI_Type type, const void *value)
{
    const MI_Array *array = value;

    if (!type_is_array(type)) {
        write_scalar(out, type, value);
        return;
    }
    serial_fail(out, value_array_limits(type, array));
    text_append(&out->text, "<VALUE.ARRAY>");
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < array->size; i++) {
        const void *element = serial_array_element(type, array, i);
        if (element == NULL) {
            text_append(&out->text, "<VALUE.NULL/>");
        } else {
            write_scalar(out, type_scalar(type), element);
        }
    }
    text_append(&out->text, "</VALUE.ARRAY>");
}

/* ---- references -------------------------------------------------------------------------------
 */

static void write_key_value(struct serial_out *out, MI_Type type, const MI_Value *value)
{
    if (type_is_array(type) || type == MI_INSTANCE) { /* a key is neither */
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return;
    }
    if (type == MI_REFERENCE) {
        write_reference(out, value->reference);
        return;
    }
    text_format(&out->text, "<KEYVALUE VALUETYPE=\"%s\" TYPE=\"%s\">",
                type == MI_BOOLEAN                                              ? "boolean"
                : type == MI_STRING || type == MI_DATETIME || type == MI_CHAR16 ? "string"
                                                                                : "numeric",
                serial_type_name(type));
    write_content(out, type, value);
    text_append(&out->text, "</KEYVALUE>");
}

static void write_key(struct serial_out *out, const MI_Instance *reference, MI_Uint32 index)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    serial_fail(out, instance_element_at(reference, index, &name, &value, &type, &flags));
    if (out->result == MI_RESULT_OK && (flags & MI_FLAG_KEY) != 0 && (flags & MI_FLAG_NULL) == 0) {
        text_format(&out->text, "<KEYBINDING NAME=\"%s\">", serial_name(out, name));
        write_key_value(out, type, &value);
        text_append(&out->text, "</KEYBINDING>");
    }
}

static void write_instance_name(struct serial_out *out, const MI_Instance *reference)
{
    MI_Uint32 count = instance_element_count(reference);

    text_format(&out->text, "<INSTANCENAME CLASSNAME=\"%s\">",
                serial_name(out, instance_class_name(reference)));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < count; i++) {
        write_key(out, reference, i);
    }
    text_append(&out->text, "</INSTANCENAME>");
}

/* One NAMESPACE for each part of the name. */
static void write_local_path(struct serial_out *out, const char *name_space)
{
    text_append(&out->text, "<LOCALNAMESPACEPATH>");
    for (const char *at = name_space, *end; at != NULL; at = end == NULL ? NULL : end + 1) {
        end = strchr(at, '/');
        text_append(&out->text, "<NAMESPACE NAME=\"");
        write_escaped(out, at, end == NULL ? strlen(at) : (size_t)(end - at));
        text_append(&out->text, "\"/>");
    }
    text_append(&out->text, "</LOCALNAMESPACEPATH>");
}

/* The namespace, with its server when there is one. */
static void write_place(struct serial_out *out, const char *server, const char *name_space)
{
    if (server == NULL) {
        write_local_path(out, name_space);
        return;
    }
    text_append(&out->text, "<NAMESPACEPATH><HOST>");
    write_escaped(out, server, strlen(server));
    text_append(&out->text, "</HOST>");
    write_local_path(out, name_space);
    text_append(&out->text, "</NAMESPACEPATH>");
}

static void write_reference(struct serial_out *out, const MI_Instance *reference)
{
    const char *path = reference->nameSpace == NULL    ? NULL
                       : reference->serverName == NULL ? "LOCALINSTANCEPATH"
                                                       : "INSTANCEPATH";

    if (!nest_enter(&out->nest)) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    text_append(&out->text, "<VALUE.REFERENCE>");
    if (path != NULL) {
        text_format(&out->text, "<%s>", path);
        write_place(out, reference->serverName, reference->nameSpace);
    }
    write_instance_name(out, reference);
    if (path != NULL) {
        text_format(&out->text, "</%s>", path);
    }
    text_append(&out->text, "</VALUE.REFERENCE>");
    nest_leave(&out->nest);
}

/* ---- instances --------------------------------------------------------------------------------
 */

/* PROPERTY, by the type. DSP0201 has no element for an array of references. */
static const char *property_tag(struct serial_out *out, MI_Type type)
{
    if (type == MI_REFERENCEA) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
    }
    return type == MI_REFERENCE  ? "PROPERTY.REFERENCE"
           : type_is_array(type) ? "PROPERTY.ARRAY"
                                 : "PROPERTY";
}

static void write_type(struct serial_out *out, MI_Type type)
{
    const char *name = serial_type_name(type);

    if (name != NULL) {
        text_format(&out->text, " TYPE=\"%s\"", name);
    }
}

static void write_element(struct serial_out *out, const MI_Instance *instance, MI_Uint32 index)
{
    const char *name = NULL;
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    serial_fail(out, instance_element_at(instance, index, &name, &value, &type, &flags));
    if (out->result != MI_RESULT_OK) {
        return;
    }
    const char *tag = property_tag(out, type);
    text_format(&out->text, "<%s NAME=\"%s\"", tag, serial_name(out, name));
    write_type(out, type);
    if (type_scalar(type) == MI_INSTANCE) {
        text_append(&out->text, " EmbeddedObject=\"instance\"");
    }
    text_append(&out->text, (flags & MI_FLAG_NOT_MODIFIED) == 0 ? " MODIFIED=\"TRUE\">" : ">");
    if ((flags & MI_FLAG_NULL) == 0 && out->result == MI_RESULT_OK) {
        write_value(out, type, &value);
    }
    text_format(&out->text, "</%s>", tag);
}

static void write_instance(struct serial_out *out, const MI_Instance *instance)
{
    MI_Uint32 count = instance_element_count(instance);

    if (!nest_enter(&out->nest)) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    text_format(&out->text, "<INSTANCE CLASSNAME=\"%s\">",
                serial_name(out, instance_class_name(instance)));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < count; i++) {
        write_element(out, instance, i);
    }
    text_append(&out->text, "</INSTANCE>");
    nest_leave(&out->nest);
}

/* One class of those that an instance brings with it. */
static void write_class_object(struct serial_out *out, const MI_ClassDecl *decl, bool deep)
{
    text_append(&out->text, "<VALUE.OBJECT>");
    xml_write_class(out, decl, deep);
    text_append(&out->text, "</VALUE.OBJECT>");
}

void xml_write_instance(struct serial_out *out, const MI_Instance *instance, bool with_class)
{
    if (!with_class) {
        write_instance(out, instance);
        return;
    }
    text_append(&out->text, "<CIM CIMVERSION=\"2.6.0\" DTDVERSION=\"2.3.1\"><DECLARATION>"
                            "<DECLGROUP>");
    if (instance->nameSpace != NULL) {
        write_place(out, instance->serverName, instance->nameSpace);
    }
    serial_classes_of(out, instance, write_class_object);
    text_append(&out->text, "<VALUE.OBJECT>");
    if (serial_goes_on(out)) {
        write_instance(out, instance);
    }
    text_append(&out->text, "</VALUE.OBJECT></DECLGROUP></DECLARATION></CIM>");
}

/* ---- classes ----------------------------------------------------------------------------------
 */

/* Only what the declaration says; an attribute that is missing has the default of DSP0201. */
static void write_flavor(struct serial_out *out, MI_Uint32 flavor, MI_Uint32 yes, MI_Uint32 no,
                         const char *attribute)
{
    if ((flavor & (yes | no)) != 0) {
        text_format(&out->text, " %s=\"%s\"", attribute, (flavor & yes) != 0 ? "true" : "false");
    }
}

static void write_flavors(struct serial_out *out, MI_Uint32 flavor)
{
    write_flavor(out, flavor, MI_FLAG_ENABLEOVERRIDE, MI_FLAG_DISABLEOVERRIDE, "OVERRIDABLE");
    write_flavor(out, flavor, MI_FLAG_TOSUBCLASS, MI_FLAG_RESTRICTED, "TOSUBCLASS");
    write_flavor(out, flavor, MI_FLAG_TOINSTANCE, 0, "TOINSTANCE");
    write_flavor(out, flavor, MI_FLAG_TRANSLATABLE, 0, "TRANSLATABLE");
}

static void write_qualifier(struct serial_out *out, const MI_Qualifier *qualifier, MI_Uint32 index)
{
    const MI_Type type = (MI_Type)qualifier->type;

    (void)index;
    if (type_is_instance(type_scalar(type))) { /* no qualifier is one */
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return;
    }
    text_format(&out->text, "<QUALIFIER NAME=\"%s\"", serial_name(out, qualifier->name));
    write_type(out, type);
    write_flavors(out, qualifier->flavor);
    text_append(&out->text, ">");
    if (qualifier->value != NULL && !value_is_null(type, qualifier->value)) {
        write_value(out, type, qualifier->value);
    }
    text_append(&out->text, "</QUALIFIER>");
}

static void write_qualifiers(struct serial_out *out, struct serial_qualified of)
{
    serial_each_qualifier(out, &of, write_qualifier);
}

/* ' REFERENCECLASS="..."' or ' TYPE="..."', and the size of an array that has one. */
static void write_typed(struct serial_out *out, MI_Type type, const char *class_name,
                        MI_Uint32 subscript)
{
    if (type_scalar(type) == MI_REFERENCE && class_name != NULL) {
        text_format(&out->text, " REFERENCECLASS=\"%s\"", serial_name(out, class_name));
    }
    write_type(out, type);
    if (type_is_array(type) && subscript != 0) {
        text_format(&out->text, " ARRAYSIZE=\"%u\"", subscript);
    }
}

static void write_property(struct serial_out *out, const MI_ClassDecl *decl,
                           const MI_PropertyDecl *property)
{
    const MI_Type type = (MI_Type)property->type;
    const char *tag = property_tag(out, type);

    text_format(&out->text, "<%s NAME=\"%s\"", tag, property->name);
    write_typed(out, type, property->className, property->subscript);
    if (property->origin != NULL) {
        text_format(&out->text, " CLASSORIGIN=\"%s\"", serial_name(out, property->origin));
    }
    text_append(&out->text,
                serial_is_local(decl, property->propagator) ? ">" : " PROPAGATED=\"true\">");
    write_qualifiers(out, serial_qualified_property(property));
    if (property->value != NULL && !value_is_null(type, property->value)) {
        write_value(out, type, property->value);
    }
    text_format(&out->text, "</%s>", tag);
}

static void write_parameter(struct serial_out *out, const MI_ParameterDecl *parameter)
{
    const MI_Type type = (MI_Type)parameter->type;
    const char *tag = type == MI_REFERENCE    ? "PARAMETER.REFERENCE"
                      : type == MI_REFERENCEA ? "PARAMETER.REFARRAY"
                      : type_is_array(type)   ? "PARAMETER.ARRAY"
                                              : "PARAMETER";

    text_format(&out->text, "<%s NAME=\"%s\"", tag, parameter->name);
    write_typed(out, type, parameter->className, parameter->subscript);
    text_append(&out->text, ">");
    write_qualifiers(out, serial_qualified_parameter(parameter));
    text_format(&out->text, "</%s>", tag);
}

static void write_method(struct serial_out *out, const MI_ClassDecl *decl,
                         const MI_MethodDecl *method)
{
    text_format(&out->text, "<METHOD NAME=\"%s\" TYPE=\"%s\"", method->name,
                serial_return_type(out, method));
    if (method->origin != NULL) {
        text_format(&out->text, " CLASSORIGIN=\"%s\"", serial_name(out, method->origin));
    }
    text_append(&out->text,
                serial_is_local(decl, method->propagator) ? ">" : " PROPAGATED=\"true\">");
    write_qualifiers(out, serial_qualified_method(method));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < method->numParameters; i++) {
        if (!serial_is_return(method->parameters[i])) {
            write_parameter(out, method->parameters[i]);
        }
    }
    text_append(&out->text, "</METHOD>");
}

void xml_write_class(struct serial_out *out, const MI_ClassDecl *decl, bool deep)
{
    const char *superclass = serial_superclass(decl);

    text_format(&out->text, "<CLASS NAME=\"%s\"", decl->name);
    if (superclass != NULL) {
        text_format(&out->text, " SUPERCLASS=\"%s\"", serial_name(out, superclass));
    }
    text_append(&out->text, ">");
    write_qualifiers(out, serial_qualified_class(decl));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < decl->numProperties; i++) {
        if (deep || serial_is_local(decl, decl->properties[i]->propagator)) {
            write_property(out, decl, decl->properties[i]);
        }
    }
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < decl->numMethods; i++) {
        if (deep || serial_is_local(decl, decl->methods[i]->propagator)) {
            write_method(out, decl, decl->methods[i]);
        }
    }
    text_append(&out->text, "</CLASS>");
}
