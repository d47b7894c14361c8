/* SPDX-License-Identifier: MIT */
/*
 * The elements of CIM-XML (DSP0201, DSP0203) to the tree of host/mof/mof.h.
 *
 * Only the form is looked at here: which element may stand where, and which attribute it needs.
 * Each step returns false after it has set the error. An embedded instance is a text of its own
 * within a value; instances and references within each other have one limit of depth, so the
 * recursion ends.
 */
#include "host/serial/xml.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

struct xml_document {
    struct mof_document base; /* first: what is given out */
    struct arena arena;
};

struct reader {
    struct arena *arena;
    struct mof_error *error;
    unsigned depth;  /* instances and references within each other */
    size_t embedded; /* bytes of texts within texts */
};

static bool read_instance(struct reader *reader, const struct xml_element *element,
                          struct mof_instance **ret_instance);
static bool read_reference(struct reader *reader, const struct xml_element *element,
                           const struct mof_instance **ret_instance);

/* ---- errors and attributes --------------------------------------------------------------------
 */

__attribute__((format(printf, 3, 4))) static bool
fail(struct reader *reader, const struct xml_element *at, const char *format, ...)
{
    va_list list;

    *reader->error = (struct mof_error){.line = at->line, .column = at->column};
    va_start(list, format);
    vsnprintf(reader->error->text, sizeof(reader->error->text), format, list);
    va_end(list);
    return false;
}

static bool fail_limit(struct reader *reader, const struct xml_element *at, const char *text)
{
    fail(reader, at, "%s", text);
    reader->error->limit = true;
    return false;
}

static bool out_of_memory(struct reader *reader)
{
    *reader->error = (struct mof_error){.text = "out of memory"};
    return false;
}

static bool is(const struct xml_element *element, const char *name)
{
    return element != NULL && strcmp(element->name, name) == 0;
}

static bool fail_child(struct reader *reader, const struct xml_element *element, const char *wanted)
{
    return fail(reader, element, "%s is needed here, not the element %.60s", wanted, element->name);
}

/* NULL: it is not there. */
static const char *attribute(const struct xml_element *element, const char *name)
{
    for (const char *const *at = element->attributes; *at != NULL; at += 2) {
        if (strcmp(at[0], name) == 0) {
            return at[1];
        }
    }
    return NULL;
}

static bool needed_attribute(struct reader *reader, const struct xml_element *element,
                             const char *name, const char **ret_value)
{
    *ret_value = attribute(element, name);
    return *ret_value != NULL ||
           fail(reader, element, "the element %.60s needs the attribute %s", element->name, name);
}

/* "true" in any case of letters, as the open host writes it, too. */
static bool is_true(const char *value)
{
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "TRUE") == 0);
}

static bool take_type(struct reader *reader, const struct xml_element *element, const char *word,
                      enum mof_type *ret_type)
{
    for (unsigned type = MOF_TYPE_BOOLEAN; type <= MOF_TYPE_STRING; type++) {
        if (strcmp(mof_type_words[type], word) == 0) {
            *ret_type = (enum mof_type)type;
            return true;
        }
    }
    return fail(reader, element, "%.40s is no type; one is uint8, string, datetime, and so on",
                word);
}

/* TYPE, and EmbeddedObject, which makes an instance of a string. */
static bool read_type(struct reader *reader, const struct xml_element *element,
                      enum mof_type *ret_type)
{
    const char *word = NULL;

    if (!needed_attribute(reader, element, "TYPE", &word) ||
        !take_type(reader, element, word, ret_type)) {
        return false;
    }
    if (*ret_type == MOF_TYPE_STRING && (attribute(element, "EmbeddedObject") != NULL ||
                                         attribute(element, "EMBEDDEDOBJECT") != NULL)) {
        *ret_type = MOF_TYPE_INSTANCE;
    }
    return true;
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* The text of a value is a text with one element by itself. */
static bool read_embedded(struct reader *reader, const struct xml_element *element,
                          struct mof_value *value)
{
    const size_t length = strlen(element->text);
    const struct xml_element *root = NULL;
    struct mof_instance *instance = NULL;
    struct mof_error error;
    size_t used = 0;

    reader->embedded += length;
    if (reader->embedded > XML_MAX_EMBEDDED) {
        return fail_limit(reader, element, "embedded instances have more than 64 MiB of text");
    }
    if (!xml_parse(reader->arena, element->text, length, &root, &used, &error)) {
        return error.line == 0 ? out_of_memory(reader)
                               : fail(reader, element, "the embedded instance: %.150s", error.text);
    }
    if (!is(root, "INSTANCE") || element->text[used + strspn(element->text + used, " \t\r\n")]) {
        return fail(reader, element, "the text of an embedded instance is one element INSTANCE");
    }
    if (!read_instance(reader, root, &instance)) {
        /* Places in it are its own. */
        reader->error->line = reader->error->line == 0 ? 0 : element->line;
        reader->error->column = element->column;
        return false;
    }
    value->kind = MOF_INSTANCE;
    value->instance = instance;
    return true;
}

static bool read_char16(struct reader *reader, const struct xml_element *element,
                        struct mof_value *value)
{
    const size_t length = strlen(element->text);
    uint32_t code = 0;

    if (length == 0 || utf8_next(element->text, length, &code) != length || code > 0xFFFF) {
        return fail(reader, element, "a char16 is one character up to U+FFFF");
    }
    value->kind = MOF_CHAR;
    value->character = (uint16_t)code;
    return true;
}

/* Digits and a sign; anything else that is a number is a real. */
static enum mof_kind number_kind(const char *text)
{
    return text[strspn(text, "+-0123456789")] == '\0' ? MOF_INTEGER : MOF_REAL;
}

/* What stands between the tags of VALUE or KEYVALUE. */
static bool read_content(struct reader *reader, const struct xml_element *element,
                         enum mof_type type, struct mof_value *value)
{
    if (element->first != NULL) {
        return fail_child(reader, element->first, "text");
    }
    value->text = element->text;
    switch (type) {
    case MOF_TYPE_BOOLEAN:
        value->kind = MOF_BOOLEAN;
        return true;
    case MOF_TYPE_CHAR16:
        return read_char16(reader, element, value);
    case MOF_TYPE_STRING:
    case MOF_TYPE_DATETIME:
        value->kind = MOF_STRING;
        return true;
    case MOF_TYPE_INSTANCE:
        return read_embedded(reader, element, value);
    case MOF_TYPE_REAL32:
    case MOF_TYPE_REAL64:
        value->kind = MOF_REAL;
        return true;
    case MOF_TYPE_UNKNOWN:
        value->kind = number_kind(element->text);
        return true;
    default:
        value->kind = MOF_INTEGER;
        return true;
    }
}

/* VALUE, VALUE.NULL or VALUE.REFERENCE. */
static bool read_scalar(struct reader *reader, const struct xml_element *element,
                        enum mof_type type, struct mof_value *value)
{
    value->line = element->line;
    value->column = element->column;
    if (is(element, "VALUE.NULL")) {
        value->kind = MOF_NULL;
        return true;
    }
    if (type == MOF_TYPE_REFERENCE) {
        value->kind = MOF_INSTANCE;
        return is(element, "VALUE.REFERENCE") ? read_reference(reader, element, &value->instance)
                                              : fail_child(reader, element, "VALUE.REFERENCE");
    }
    return is(element, "VALUE") ? read_content(reader, element, type, value)
                                : fail_child(reader, element, "VALUE");
}

static bool read_array(struct reader *reader, const struct xml_element *element, enum mof_type type,
                       struct mof_value *value)
{
    const struct mof_value **link = &value->items;

    value->kind = MOF_ARRAY;
    value->line = element->line;
    value->column = element->column;
    for (const struct xml_element *at = element->first; at != NULL; at = at->next) {
        struct mof_value *item = arena_take(reader->arena, 1, sizeof(*item));
        if (item == NULL) {
            return out_of_memory(reader);
        }
        if (!read_scalar(reader, at, type, item)) {
            return false;
        }
        *link = item;
        link = &item->next;
        value->count++;
    }
    return true;
}

/* The one value that may stand at the end of a property or qualifier; without any it is NULL. */
static bool read_optional_value(struct reader *reader, const struct xml_element *owner,
                                const struct xml_element *element, enum mof_type type,
                                struct mof_value *value)
{
    value->kind = MOF_NULL;
    value->line = owner->line;
    value->column = owner->column;
    if (element == NULL) {
        return true;
    }
    if (element->next != NULL) {
        return fail(reader, element->next, "the element %.60s has one value", owner->name);
    }
    return is(element, "VALUE.ARRAY") ? read_array(reader, element, type, value)
                                      : read_scalar(reader, element, type, value);
}

/* ---- references -------------------------------------------------------------------------------
 */

/* The parts of a namespace with '/' between them. */
static bool read_name_space(struct reader *reader, const struct xml_element *element,
                            const char **ret_name)
{
    size_t length = 0;
    const char *part = NULL;

    if (!is(element, "LOCALNAMESPACEPATH") || element->first == NULL) {
        return fail_child(reader, element, "LOCALNAMESPACEPATH with NAMESPACE");
    }
    for (const struct xml_element *at = element->first; at != NULL; at = at->next) {
        if (!is(at, "NAMESPACE")) {
            return fail_child(reader, at, "NAMESPACE");
        }
        if (!needed_attribute(reader, at, "NAME", &part)) {
            return false;
        }
        length += strlen(part) + 1;
    }
    char *name = arena_take(reader->arena, length + 1, 1), *to = name;
    if (name == NULL) {
        return out_of_memory(reader);
    }
    for (const struct xml_element *at = element->first; at != NULL; at = at->next) {
        to = stpcpy(to, at == element->first ? "" : "/");
        to = stpcpy(to, attribute(at, "NAME"));
    }
    *ret_name = name;
    return true;
}

/* NAMESPACEPATH or LOCALNAMESPACEPATH. */
static bool read_place(struct reader *reader, const struct xml_element *element,
                       struct mof_instance *instance)
{
    if (!is(element, "NAMESPACEPATH")) {
        return read_name_space(reader, element, &instance->name_space);
    }
    const struct xml_element *host = element->first;
    if (!is(host, "HOST") || host->next == NULL) {
        return fail(reader, element, "NAMESPACEPATH has HOST and LOCALNAMESPACEPATH");
    }
    instance->server = host->text;
    return read_name_space(reader, host->next, &instance->name_space);
}

/* The value of a key: by TYPE, else by VALUETYPE, which knows three kinds. */
static bool read_key_value(struct reader *reader, const struct xml_element *element,
                           struct mof_property *key)
{
    const char *word = attribute(element, "TYPE"), *kind = attribute(element, "VALUETYPE");

    key->value.line = element->line;
    key->value.column = element->column;
    if (is(element, "VALUE.REFERENCE")) {
        key->type = MOF_TYPE_REFERENCE;
        key->value.kind = MOF_INSTANCE;
        return read_reference(reader, element, &key->value.instance);
    }
    if (!is(element, "KEYVALUE")) {
        return fail_child(reader, element, "KEYVALUE or VALUE.REFERENCE");
    }
    if (word != NULL) {
        return take_type(reader, element, word, &key->type) &&
               read_content(reader, element, key->type, &key->value);
    }
    if (kind == NULL || strcmp(kind, "string") == 0) {
        return read_content(reader, element, MOF_TYPE_STRING, &key->value);
    }
    return strcmp(kind, "boolean") == 0
               ? read_content(reader, element, MOF_TYPE_BOOLEAN, &key->value)
           : strcmp(kind, "numeric") == 0
               ? read_content(reader, element, MOF_TYPE_UNKNOWN, &key->value)
               : fail(reader, element, "VALUETYPE is string, boolean or numeric");
}

/* KEYBINDING with a name, or a key alone, whose name only the class knows. */
static bool read_key(struct reader *reader, const struct xml_element *element,
                     struct mof_property *key)
{
    if (!is(element, "KEYBINDING")) {
        key->name = "";
        return element->next == NULL ? read_key_value(reader, element, key)
                                     : fail_child(reader, element, "KEYBINDING");
    }
    return needed_attribute(reader, element, "NAME", &key->name) &&
           (element->first != NULL ? read_key_value(reader, element->first, key)
                                   : fail(reader, element,
                                          "KEYBINDING has KEYVALUE or "
                                          "VALUE.REFERENCE"));
}

static bool has_property(const struct mof_instance *instance, const char *name)
{
    for (const struct mof_property *at = instance->properties; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A property at the end of the list, or the error that there are too many, or two. */
static bool add_property(struct reader *reader, const struct xml_element *element,
                         struct mof_instance *instance, struct mof_property *property,
                         const struct mof_property ***link)
{
    if (instance->count == MOF_MAX_FEATURES) {
        return fail_limit(reader, element, "an instance with more than 4096 properties");
    }
    if (has_property(instance, property->name)) {
        return fail(reader, element, "%.60s has a value before this", property->name);
    }
    **link = property;
    *link = &property->next;
    instance->count++;
    return true;
}

static struct mof_property *new_property(struct reader *reader, const struct xml_element *element)
{
    struct mof_property *property = arena_take(reader->arena, 1, sizeof(*property));

    if (property == NULL) {
        (void)out_of_memory(reader);
        return NULL;
    }
    property->line = element->line;
    property->column = element->column;
    return property;
}

static bool read_instance_name(struct reader *reader, const struct xml_element *element,
                               struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;

    if (!is(element, "INSTANCENAME")) {
        return fail_child(reader, element, "INSTANCENAME");
    }
    if (!needed_attribute(reader, element, "CLASSNAME", &instance->class_name)) {
        return false;
    }
    for (const struct xml_element *at = element->first; at != NULL; at = at->next) {
        struct mof_property *key = new_property(reader, at);
        if (key == NULL || !read_key(reader, at, key) ||
            !add_property(reader, at, instance, key, &link)) {
            return false;
        }
    }
    return true;
}

static struct mof_instance *new_instance(struct reader *reader, const struct xml_element *element)
{
    enum { MOST = MOF_MAX_DEPTH };
    struct mof_instance *instance = NULL;

    if (reader->depth == MOST) {
        (void)fail_limit(reader, element, "instances are nested more than 32 deep");
        return NULL;
    }
    instance = arena_take(reader->arena, 1, sizeof(*instance));
    if (instance == NULL) {
        (void)out_of_memory(reader);
        return NULL;
    }
    instance->line = element->line;
    instance->column = element->column;
    return instance;
}

/* INSTANCEPATH and LOCALINSTANCEPATH have a place before the name. */
static bool read_path(struct reader *reader, const struct xml_element *element,
                      struct mof_instance *instance)
{
    if (is(element, "INSTANCENAME")) {
        return read_instance_name(reader, element, instance);
    }
    if (!is(element, "INSTANCEPATH") && !is(element, "LOCALINSTANCEPATH")) {
        return fail_child(reader, element, "INSTANCEPATH, LOCALINSTANCEPATH or INSTANCENAME");
    }
    const struct xml_element *place = element->first;
    if (place == NULL || place->next == NULL) {
        return fail(reader, element, "%.60s has a namespace and INSTANCENAME", element->name);
    }
    return read_place(reader, place, instance) && read_instance_name(reader, place->next, instance);
}

static bool read_reference(struct reader *reader, const struct xml_element *element,
                           const struct mof_instance **ret_instance)
{
    struct mof_instance *instance = new_instance(reader, element);

    if (instance == NULL) {
        return false;
    }
    if (element->first == NULL) {
        return fail(reader, element, "VALUE.REFERENCE has a path");
    }
    reader->depth++;
    bool good = read_path(reader, element->first, instance);
    reader->depth--;
    *ret_instance = instance;
    return good;
}

/* ---- instances --------------------------------------------------------------------------------
 */

/* Qualifiers of an instance are not MI's. */
static const struct xml_element *skip_qualifiers(const struct xml_element *element)
{
    while (is(element, "QUALIFIER")) {
        element = element->next;
    }
    return element;
}

/* PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE: the type, and whether it is an array. */
static bool read_kind(struct reader *reader, const struct xml_element *element,
                      enum mof_type *ret_type, bool *ret_array)
{
    *ret_array = is(element, "PROPERTY.ARRAY");
    if (is(element, "PROPERTY.REFERENCE")) {
        *ret_type = MOF_TYPE_REFERENCE;
        return true;
    }
    return is(element, "PROPERTY") || *ret_array
               ? read_type(reader, element, ret_type)
               : fail_child(reader, element, "PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE");
}

static bool read_property(struct reader *reader, const struct xml_element *element,
                          struct mof_property *property)
{
    property->unchanged = !is_true(attribute(element, "MODIFIED"));
    return read_kind(reader, element, &property->type, &property->array) &&
           needed_attribute(reader, element, "NAME", &property->name) &&
           read_optional_value(reader, element, skip_qualifiers(element->first), property->type,
                               &property->value);
}

static bool read_properties(struct reader *reader, const struct xml_element *element,
                            struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;

    for (const struct xml_element *at = skip_qualifiers(element->first); at != NULL;
         at = at->next) {
        struct mof_property *property = new_property(reader, at);
        if (property == NULL || !read_property(reader, at, property) ||
            !add_property(reader, at, instance, property, &link)) {
            return false;
        }
    }
    return true;
}

static bool read_instance(struct reader *reader, const struct xml_element *element,
                          struct mof_instance **ret_instance)
{
    struct mof_instance *instance = new_instance(reader, element);

    if (instance == NULL ||
        !needed_attribute(reader, element, "CLASSNAME", &instance->class_name)) {
        return false;
    }
    reader->depth++;
    bool good = read_properties(reader, element, instance);
    reader->depth--;
    *ret_instance = instance;
    return good;
}

/* ---- classes ----------------------------------------------------------------------------------
 */

static unsigned flavor(const struct xml_element *element, const char *name, unsigned yes,
                       unsigned no)
{
    const char *value = attribute(element, name);

    return value == NULL ? 0 : is_true(value) ? yes : no;
}

static bool read_qualifier(struct reader *reader, const struct xml_element *element,
                           struct mof_qualifier *qualifier)
{
    qualifier->line = element->line;
    qualifier->column = element->column;
    qualifier->flavors = flavor(element, "OVERRIDABLE", MOF_ENABLE_OVERRIDE, MOF_DISABLE_OVERRIDE) |
                         flavor(element, "TOSUBCLASS", MOF_TO_SUBCLASS, MOF_RESTRICTED) |
                         flavor(element, "TOINSTANCE", MOF_TO_INSTANCE, 0) |
                         flavor(element, "TRANSLATABLE", MOF_TRANSLATABLE, 0);
    qualifier->array = is(element->first, "VALUE.ARRAY");
    return needed_attribute(reader, element, "NAME", &qualifier->name) &&
           read_type(reader, element, &qualifier->type) &&
           read_optional_value(reader, element, element->first, qualifier->type, &qualifier->value);
}

/* The qualifiers, which come first; *ret_rest is what follows them. */
static bool read_qualifiers(struct reader *reader, const struct xml_element *element,
                            const struct mof_qualifier **ret_list,
                            const struct xml_element **ret_rest)
{
    const struct mof_qualifier **link = ret_list;
    unsigned count = 0;

    for (; is(element, "QUALIFIER"); element = element->next) {
        struct mof_qualifier *qualifier = arena_take(reader->arena, 1, sizeof(*qualifier));
        if (qualifier == NULL) {
            return out_of_memory(reader);
        }
        if (++count > MOF_MAX_FEATURES) {
            return fail_limit(reader, element, "more than 4096 qualifiers");
        }
        if (!read_qualifier(reader, element, qualifier)) {
            return false;
        }
        *link = qualifier;
        link = &qualifier->next;
    }
    *ret_rest = element;
    return true;
}

/* ARRAYSIZE, or 0. */
static bool read_array_size(struct reader *reader, const struct xml_element *element,
                            unsigned *ret_size)
{
    const char *text = attribute(element, "ARRAYSIZE");

    if (text == NULL) {
        return true;
    }
    if (*text == '\0' || strlen(text) > 9 || text[strspn(text, "0123456789")] != '\0') {
        return fail(reader, element, "ARRAYSIZE is a number of up to 9 digits");
    }
    *ret_size = (unsigned)strtoul(text, NULL, 10);
    return true;
}

/* What properties and parameters have in common. */
static bool read_common(struct reader *reader, const struct xml_element *element,
                        struct mof_feature *feature, const struct xml_element **ret_rest)
{
    feature->line = element->line;
    feature->column = element->column;
    feature->class_name = attribute(element, "REFERENCECLASS");
    feature->origin = attribute(element, "CLASSORIGIN");
    feature->inherited = is_true(attribute(element, "PROPAGATED"));
    return needed_attribute(reader, element, "NAME", &feature->name) &&
           read_array_size(reader, element, &feature->subscript) &&
           read_qualifiers(reader, element->first, &feature->qualifiers, ret_rest);
}

static bool read_class_property(struct reader *reader, const struct xml_element *element,
                                struct mof_feature *feature)
{
    const struct xml_element *rest = NULL;

    if (!read_kind(reader, element, &feature->type, &feature->array) ||
        !read_common(reader, element, feature, &rest)) {
        return false;
    }
    feature->has_default = rest != NULL;
    return read_optional_value(reader, element, rest, feature->type, &feature->value);
}

static bool read_parameter(struct reader *reader, const struct xml_element *element,
                           struct mof_feature *parameter)
{
    const struct xml_element *rest = NULL;
    const bool reference = is(element, "PARAMETER.REFERENCE") || is(element, "PARAMETER.REFARRAY");

    parameter->array = is(element, "PARAMETER.ARRAY") || is(element, "PARAMETER.REFARRAY");
    if (!reference && !is(element, "PARAMETER") && !is(element, "PARAMETER.ARRAY")) {
        return fail_child(reader, element, "PARAMETER");
    }
    parameter->type = MOF_TYPE_REFERENCE;
    if ((!reference && !read_type(reader, element, &parameter->type)) ||
        !read_common(reader, element, parameter, &rest)) {
        return false;
    }
    return rest == NULL || fail_child(reader, rest, "nothing more");
}

static struct mof_feature *new_feature(struct reader *reader, const struct xml_element *element,
                                       unsigned count)
{
    struct mof_feature *feature = NULL;

    if (count > MOF_MAX_FEATURES) {
        (void)fail_limit(reader, element, "more than 4096 properties, methods or parameters");
        return NULL;
    }
    feature = arena_take(reader->arena, 1, sizeof(*feature));
    if (feature == NULL) {
        (void)out_of_memory(reader);
    }
    return feature;
}

static bool read_method(struct reader *reader, const struct xml_element *element,
                        struct mof_feature *method)
{
    const struct mof_feature **link = &method->parameters;
    const struct xml_element *rest = NULL;
    unsigned count = 0;

    method->method = true;
    if (!read_type(reader, element, &method->type) ||
        !read_common(reader, element, method, &rest)) {
        return false;
    }
    for (; rest != NULL; rest = rest->next) {
        struct mof_feature *parameter = new_feature(reader, rest, ++count);
        if (parameter == NULL || !read_parameter(reader, rest, parameter)) {
            return false;
        }
        *link = parameter;
        link = &parameter->next;
    }
    return true;
}

static bool read_class(struct reader *reader, const struct xml_element *element,
                       struct mof_class **ret_class)
{
    struct mof_class *item = arena_take(reader->arena, 1, sizeof(*item));
    const struct mof_feature **link = item == NULL ? NULL : &item->features;
    const struct xml_element *rest = NULL;
    unsigned count = 0;

    if (item == NULL) {
        return out_of_memory(reader);
    }
    item->line = element->line;
    item->column = element->column;
    item->superclass = attribute(element, "SUPERCLASS");
    if (!needed_attribute(reader, element, "NAME", &item->name) ||
        !read_qualifiers(reader, element->first, &item->qualifiers, &rest)) {
        return false;
    }
    for (; rest != NULL; rest = rest->next) {
        struct mof_feature *feature = new_feature(reader, rest, ++count);
        if (feature == NULL || !(is(rest, "METHOD") ? read_method(reader, rest, feature)
                                                    : read_class_property(reader, rest, feature))) {
            return false;
        }
        *link = feature;
        link = &feature->next;
    }
    *ret_class = item;
    return true;
}

/* ---- documents --------------------------------------------------------------------------------
 */

/* Where the next ones go. */
struct ends {
    const struct mof_instance **instance;
    const struct mof_class **item;
};

static bool read_object(struct reader *reader, const struct xml_element *element,
                        const struct mof_instance *place, struct mof_document *document,
                        struct ends *ends)
{
    struct mof_instance *instance = NULL;
    struct mof_class *item = NULL;

    if (document->count + document->class_count == MOF_MAX_INSTANCES) {
        return fail_limit(reader, element, "more than 1024 instances and classes");
    }
    if (is(element, "CLASS")) {
        if (!read_class(reader, element, &item)) {
            return false;
        }
        *ends->item = item;
        ends->item = &item->next;
        document->class_count++;
        return true;
    }
    if (!is(element, "INSTANCE")) {
        return fail_child(reader, element, "INSTANCE or CLASS");
    }
    if (!read_instance(reader, element, &instance)) {
        return false;
    }
    instance->name_space = place->name_space;
    instance->server = place->server;
    *ends->instance = instance;
    ends->instance = &instance->next;
    document->count++;
    return true;
}

/* What DECLGROUP has: a namespace, then objects. */
static bool read_group(struct reader *reader, const struct xml_element *group,
                       struct mof_document *document, struct ends *ends)
{
    const struct xml_element *at = group->first;
    struct mof_instance place = {0};

    if (is(at, "NAMESPACEPATH") || is(at, "LOCALNAMESPACEPATH")) {
        if (!read_place(reader, at, &place)) {
            return false;
        }
        at = at->next;
    }
    for (; at != NULL; at = at->next) {
        if (!is(at, "VALUE.OBJECT") || at->first == NULL) {
            return fail_child(reader, at, "VALUE.OBJECT with INSTANCE or CLASS");
        }
        if (!read_object(reader, at->first, &place, document, ends)) {
            return false;
        }
    }
    return true;
}

static bool read_root(struct reader *reader, const struct xml_element *root,
                      struct mof_document *document)
{
    const struct xml_element *declaration = root->first;
    const struct mof_instance nowhere = {0};
    struct ends ends = {&document->instances, &document->classes};

    if (!is(root, "CIM")) {
        return is(root, "INSTANCE") || is(root, "CLASS")
                   ? read_object(reader, root, &nowhere, document, &ends)
                   : fail_child(reader, root, "INSTANCE, CLASS or CIM");
    }
    if (!is(declaration, "DECLARATION") || !is(declaration->first, "DECLGROUP")) {
        return fail(reader, root, "CIM has DECLARATION, and that has DECLGROUP");
    }
    return read_group(reader, declaration->first, document, &ends);
}

bool xml_read(const char *text, size_t length, struct mof_document **ret_document, size_t *ret_used,
              struct mof_error *ret_error)
{
    const struct xml_element *root = NULL;

    *ret_error = (struct mof_error){.line = 1, .column = 1, .limit = true};
    if (length > MOF_MAX_BYTES) {
        snprintf(ret_error->text, sizeof(ret_error->text), "the text is longer than %d MiB",
                 MOF_MAX_BYTES >> 20);
        return false;
    }
    struct xml_document *document = base_alloc(1, sizeof(*document));
    struct reader reader = {.error = ret_error};
    if (document == NULL) {
        return out_of_memory(&reader);
    }
    reader.arena = &document->arena;
    if (!xml_parse(&document->arena, text, length, &root, ret_used, ret_error) ||
        !read_root(&reader, root, &document->base)) {
        xml_free(&document->base);
        return false;
    }
    *ret_document = &document->base;
    return true;
}

void xml_free(struct mof_document *document)
{
    struct xml_document *owner = (struct xml_document *)(void *)document;

    if (owner != NULL) {
        arena_release(&owner->arena);
        base_free(owner);
    }
}
