/* SPDX-License-Identifier: MIT */
/*
 * What MOF and XML have in common on the way out: the qualifiers that flags stand for, and the
 * classes that an instance brings with it.
 */
#include "host/serial/write.h"

#include <string.h>

void serial_fail(struct serial_out *out, MI_Result result)
{
    if (out->result == MI_RESULT_OK) {
        out->result = result;
    }
}

bool serial_datetime(struct serial_out *out, const void *value, char text[26])
{
    MI_Datetime datetime;

    memcpy(&datetime, value, sizeof(datetime));
    if (!value_datetime_text(&datetime, text)) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return false;
    }
    return true;
}

bool serial_goes_on(struct serial_out *out)
{
    if (out->text.failed || out->text.length > SERIAL_MAX_BYTES) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    }
    return out->result == MI_RESULT_OK;
}

/* ---- values -----------------------------------------------------------------------------------
 */

const void *serial_array_element(MI_Type type, const MI_Array *array, MI_Uint32 index)
{
    const char *element = (const char *)array->data + index * value_element_size(type);

    return value_is_null(type_scalar(type), element) ? NULL : element;
}

const MI_Instance *serial_instance_in(const void *value)
{
    const MI_Instance *instance = NULL;

    memcpy(&instance, value, sizeof(instance));
    return instance;
}

const char *serial_string_in(const void *value)
{
    const char *text = NULL;

    memcpy(&text, value, sizeof(text));
    return text;
}

const char *serial_name(struct serial_out *out, const char *name)
{
    if (decl_name_legal(name)) {
        return name;
    }
    serial_fail(out, MI_RESULT_NOT_SUPPORTED);
    return "";
}

const char *serial_type_name(MI_Type type)
{
    /* In the order of MI_Type. */
    static const char *const names[] = {
        "boolean", "uint8",  "sint8",  "uint16", "sint16",   "uint32", "sint32", "uint64",
        "sint64",  "real32", "real64", "char16", "datetime", "string", NULL,     "string",
    };

    return names[type_scalar(type)];
}

/* ---- qualifiers -------------------------------------------------------------------------------
 */

const struct serial_flag_word serial_flag_words[] = {
    {"Association", MI_FLAG_ASSOCIATION},
    {"Indication", MI_FLAG_INDICATION},
    {"Abstract", MI_FLAG_ABSTRACT},
    {"Terminal", MI_FLAG_TERMINAL},
    {"Key", MI_FLAG_KEY},
    {"In", MI_FLAG_IN},
    {"Out", MI_FLAG_OUT},
    {"Required", MI_FLAG_REQUIRED},
    {"Static", MI_FLAG_STATIC},
    {"Expensive", MI_FLAG_EXPENSIVE},
    {"Stream", MI_FLAG_STREAM},
    {"Read", MI_FLAG_READONLY},
    {NULL, 0},
};

static bool has_qualifier(const struct serial_qualified *of, const char *name)
{
    for (MI_Uint32 i = 0; i < of->count; i++) {
        if (decl_name_equal(of->qualifiers[i]->name, name)) {
            return true;
        }
    }
    return false;
}

/* The class is named by EmbeddedInstance; of any class is EmbeddedObject (DSP0004, 5.6.3). */
static void visit_embedded(struct serial_out *out, const struct serial_qualified *of,
                           serial_visit visit, MI_Uint32 *index)
{
    static const MI_Boolean yes = MI_TRUE;
    const MI_Qualifier named = {"EmbeddedInstance", MI_STRING, 0, &of->class_name};
    const MI_Qualifier any = {"EmbeddedObject", MI_BOOLEAN, 0, &yes};

    if (type_scalar(of->type) == MI_INSTANCE && !has_qualifier(of, named.name) &&
        !has_qualifier(of, any.name)) {
        visit(out, of->class_name != NULL ? &named : &any, (*index)++);
    }
}

void serial_each_qualifier(struct serial_out *out, const struct serial_qualified *of,
                           serial_visit visit)
{
    static const MI_Boolean yes = MI_TRUE;
    MI_Uint32 index = 0;

    for (const struct serial_flag_word *word = serial_flag_words; word->name != NULL; word++) {
        const MI_Qualifier implied = {word->name, MI_BOOLEAN, 0, &yes};
        if ((of->flags & word->flag) != 0 && !has_qualifier(of, word->name)) {
            visit(out, &implied, index++);
        }
    }
    visit_embedded(out, of, visit, &index);
    for (MI_Uint32 i = 0; i < of->count; i++) {
        visit(out, of->qualifiers[i], index++);
    }
}

struct serial_qualified serial_qualified_class(const MI_ClassDecl *decl)
{
    return (struct serial_qualified){decl->qualifiers, decl->numQualifiers, decl->flags, MI_STRING,
                                     NULL};
}

struct serial_qualified serial_qualified_method(const MI_MethodDecl *method)
{
    return (struct serial_qualified){method->qualifiers, method->numQualifiers, method->flags,
                                     MI_STRING, NULL};
}

struct serial_qualified serial_qualified_parameter(const MI_ParameterDecl *parameter)
{
    return (struct serial_qualified){parameter->qualifiers, parameter->numQualifiers,
                                     parameter->flags, (MI_Type)parameter->type,
                                     parameter->className};
}

struct serial_qualified serial_qualified_property(const MI_PropertyDecl *property)
{
    return (struct serial_qualified){property->qualifiers, property->numQualifiers, property->flags,
                                     (MI_Type)property->type, property->className};
}

/* ---- classes ----------------------------------------------------------------------------------
 */

const char *serial_superclass(const MI_ClassDecl *decl)
{
    return decl->superClass == NULL && decl->superClassDecl != NULL ? decl->superClassDecl->name
                                                                    : decl->superClass;
}

bool serial_is_local(const MI_ClassDecl *decl, const char *propagator)
{
    return propagator == NULL || decl_name_equal(propagator, decl->name);
}

const char *serial_return_type(struct serial_out *out, const MI_MethodDecl *method)
{
    const MI_Type type = (MI_Type)method->returnType;

    if (value_size(type) == 0 || type_is_array(type) || type_is_instance(type)) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return "";
    }
    return serial_type_name(type);
}

bool serial_is_return(const MI_ParameterDecl *parameter)
{
    return decl_name_equal(parameter->name, "MIReturn");
}

/* The classes that were written, by the declarations of the instances. */
struct written_classes {
    const MI_ClassDecl *decls[256];
    unsigned count;
    serial_write_class write;
};

/* Whether each element of one is an element of the other with the same type. */
static bool elements_are_in(const MI_ClassDecl *some, const MI_ClassDecl *all)
{
    struct decl_element one, other;
    MI_Uint32 at = 0;

    for (MI_Uint32 i = 0; i < decl_element_count(some); i++) {
        if (!decl_element_at(some, i, &one) || !decl_element_find(all, one.name, &at) ||
            !decl_element_at(all, at, &other) || other.type != one.type) {
            return false;
        }
    }
    return true;
}

static void write_class_once(struct serial_out *out, struct written_classes *written,
                             const MI_Instance *instance)
{
    const MI_ClassDecl *decl = instance->classDecl;

    if (decl == NULL || decl_fault(decl) != NULL) {
        serial_fail(out, MI_RESULT_NOT_SUPPORTED);
        return;
    }
    for (unsigned i = 0; i < written->count; i++) {
        if (decl_name_equal(written->decls[i]->name, decl->name)) {
            if (!elements_are_in(decl, written->decls[i])) {
                serial_fail(out, MI_RESULT_NOT_SUPPORTED);
            }
            return;
        }
    }
    if (written->count == sizeof(written->decls) / sizeof(written->decls[0])) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    written->decls[written->count++] = decl;
    written->write(out, decl, true);
}

static void write_classes_in(struct serial_out *out, struct written_classes *written,
                             const MI_Instance *instance);

static void write_classes_of_value(struct serial_out *out, struct written_classes *written,
                                   MI_Type type, const MI_Value *value)
{
    if (!type_is_instance(type_scalar(type))) {
        return;
    }
    if (!type_is_array(type)) {
        write_classes_in(out, written, value->instance);
        return;
    }
    serial_fail(out, value_array_limits(type, &value->array));
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < value->array.size; i++) {
        if (value->instancea.data[i] != NULL) {
            write_classes_in(out, written, value->instancea.data[i]);
        }
    }
}

static void write_classes_in(struct serial_out *out, struct written_classes *written,
                             const MI_Instance *instance)
{
    MI_Uint32 count = instance_element_count(instance);

    if (!nest_enter(&out->nest)) {
        serial_fail(out, MI_RESULT_SERVER_LIMITS_EXCEEDED);
        return;
    }
    write_class_once(out, written, instance);
    for (MI_Uint32 i = 0; serial_goes_on(out) && i < count; i++) {
        MI_Value value = {0};
        MI_Type type = MI_BOOLEAN;
        MI_Uint32 flags = 0;
        serial_fail(out, instance_element_at(instance, i, NULL, &value, &type, &flags));
        if (out->result == MI_RESULT_OK && (flags & MI_FLAG_NULL) == 0) {
            write_classes_of_value(out, written, type, &value);
        }
    }
    nest_leave(&out->nest);
}

void serial_classes_of(struct serial_out *out, const MI_Instance *instance,
                       serial_write_class write)
{
    struct written_classes written = {.write = write};

    write_classes_in(out, &written, instance);
}
