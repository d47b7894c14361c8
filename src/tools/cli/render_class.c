/* SPDX-License-Identifier: MIT */
/*
 * Prints classes for `miguard run class` and `classes`: the declaration in MOF, or what a program
 * needs of it in JSON.
 *
 * Only the functions of MI.h are used, and every text of the module passes print_safe() or
 * valid_utf8().
 */
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* In the order of MI_Type, as MOF writes them (DSP0004). An embedded instance is a string to MOF.
 */
const char *mof_type_name(MI_Type type)
{
    static const char *const names[] = {
        "boolean", "uint8",  "sint8",  "uint16", "sint16",   "uint32", "sint32", "uint64",
        "sint64",  "real32", "real64", "char16", "datetime", "string", "REF",    "string",
    };
    size_t index = (size_t)scalar_type(type);

    return index < COUNT(names) ? names[index] : "unknown";
}

/* What is written before a name, and, for an array, behind it. */
static void print_typed(FILE *stream, MI_Type type, const MI_Char *class_name, const MI_Char *name)
{
    if (scalar_type(type) == MI_REFERENCE && class_name != NULL) {
        print_safe(stream, class_name, false);
        fputc(' ', stream);
    }
    fprintf(stream, "%s ", mof_type_name(type));
    print_safe(stream, name, false);
    fputs((type & MI_ARRAY) != 0 ? "[]" : "", stream);
}

/* Qualifiers that a declaration may say by its flags alone, as hand-written ones do. */
static const struct {
    const char *name;
    MI_Uint32 flag;
} flag_words[] = {
    {"Association", MI_FLAG_ASSOCIATION},
    {"Indication", MI_FLAG_INDICATION},
    {"Abstract", MI_FLAG_ABSTRACT},
    {"Terminal", MI_FLAG_TERMINAL},
    {"Key", MI_FLAG_KEY},
    {"Required", MI_FLAG_REQUIRED},
    {"Static", MI_FLAG_STATIC},
    {"In", MI_FLAG_IN},
    {"Out", MI_FLAG_OUT},
    {"Stream", MI_FLAG_STREAM},
};

/* Whether one was printed. */
static bool print_flags(FILE *stream, const MI_QualifierSet *set, MI_Uint32 flags, int indent)
{
    bool any = false;
    MI_Value value;
    MI_Type type;

    for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
        if ((flags & flag_words[i].flag) != 0 &&
            MI_QualifierSet_GetQualifier(set, flag_words[i].name, &type, NULL, &value, NULL) !=
                MI_RESULT_OK) {
            fprintf(stream, any ? ", %*s%s" : "%*s[%s", any ? 0 : indent, "", flag_words[i].name);
            any = true;
        }
    }
    return any;
}

/* "[Key, Description("...")]" and the end, for what flags and set have; else nothing. */
static void print_qualifiers(FILE *stream, const MI_QualifierSet *set, MI_Uint32 flags, int indent,
                             const char *end)
{
    const MI_Char *name = NULL;
    MI_Uint32 count = 0;
    MI_Value value = {0};
    MI_Type type;
    bool any = print_flags(stream, set, flags, indent);

    if (MI_QualifierSet_GetQualifierCount(set, &count) != MI_RESULT_OK) {
        count = 0;
    }
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_QualifierSet_GetQualifierAt(set, i, &name, &type, NULL, &value) != MI_RESULT_OK) {
            continue;
        }
        fprintf(stream, any ? ", " : "%*s[", any ? 0 : indent, "");
        any = true;
        print_safe(stream, name, false);
        if (type != MI_BOOLEAN || !value.boolean) {
            fputc('(', stream);
            render_value(stream, type, &value);
            fputc(')', stream);
        }
    }
    if (any) {
        fprintf(stream, "]%s", end);
    }
}

static void print_property(FILE *stream, const MI_Class *item, MI_Uint32 index)
{
    MI_QualifierSet qualifiers = {0};
    MI_Char *class_name = NULL;
    MI_Boolean has_default = MI_FALSE;
    const MI_Char *name = NULL;
    MI_Uint32 flags = 0;
    MI_Value value = {0};
    MI_Type type;

    if (MI_Class_GetElementAt(item, index, &name, &value, &has_default, &type, &class_name,
                              &qualifiers, &flags) != MI_RESULT_OK) {
        return;
    }
    print_qualifiers(stream, &qualifiers, flags, 4, "\n");
    fputs("    ", stream);
    print_typed(stream, type, class_name, name);
    if (has_default) {
        fputs(" = ", stream);
        render_value(stream, type, &value);
    }
    fputs(";\n", stream);
}

/* The flags of a parameter, which its set does not give. */
static MI_Uint32 parameter_flags(const MI_MethodDecl *method, const MI_Char *name)
{
    for (MI_Uint32 i = 0; method != NULL && i < method->numParameters; i++) {
        if (strcmp(method->parameters[i]->name, name) == 0) {
            return method->parameters[i]->flags;
        }
    }
    return 0;
}

static void print_parameters(FILE *stream, const MI_ParameterSet *parameters,
                             const MI_MethodDecl *method)
{
    MI_QualifierSet qualifiers = {0};
    MI_Char *class_name = NULL;
    const MI_Char *name = NULL;
    MI_Uint32 count = 0;
    MI_Type type = MI_UINT32;

    MI_ParameterSet_GetParameterCount(parameters, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_ParameterSet_GetParameterAt(parameters, i, &name, &type, &class_name, &qualifiers) ==
            MI_RESULT_OK) {
            fputs(i > 0 ? ", " : "", stream);
            print_qualifiers(stream, &qualifiers, parameter_flags(method, name), 0, " ");
            print_typed(stream, type, class_name, name);
        }
    }
}

static void print_method(FILE *stream, const MI_Class *item, MI_Uint32 index)
{
    MI_QualifierSet qualifiers = {0}, ignored = {0};
    MI_ParameterSet parameters = {0};
    const MI_ClassDecl *decl = item->classDecl;
    const MI_Char *name = NULL;
    MI_Type type = MI_UINT32;

    if (MI_Class_GetMethodAt(item, index, &name, &qualifiers, &parameters) != MI_RESULT_OK) {
        return;
    }
    const MI_MethodDecl *method =
        decl != NULL && index < decl->numMethods ? decl->methods[index] : NULL;
    MI_ParameterSet_GetMethodReturnType(&parameters, &type, &ignored);
    print_qualifiers(stream, &qualifiers, method == NULL ? 0 : method->flags, 4, "\n");
    fputs("    ", stream);
    print_typed(stream, scalar_type(type), NULL, name);
    fputc('(', stream);
    print_parameters(stream, &parameters, method);
    fputs(");\n", stream);
}

/* "class MG_Tree : MG_Plant {", the elements, "};" */
void render_class_mof(FILE *stream, const MI_Class *item)
{
    MI_QualifierSet qualifiers = {0};
    const MI_Char *name = NULL, *parent = NULL;
    MI_Uint32 properties = 0, methods = 0;

    MI_Class_GetClassName(item, &name);
    MI_Class_GetElementCount(item, &properties);
    MI_Class_GetMethodCount(item, &methods);
    if (MI_Class_GetClassQualifierSet(item, &qualifiers) == MI_RESULT_OK) {
        print_qualifiers(stream, &qualifiers, item->classDecl == NULL ? 0 : item->classDecl->flags,
                         0, "\n");
    }
    fputs("class ", stream);
    print_safe(stream, name == NULL ? "" : name, false);
    if (MI_Class_GetParentClassName(item, &parent) == MI_RESULT_OK && parent != NULL) {
        fputs(" : ", stream);
        print_safe(stream, parent, false);
    }
    fputs(" {\n", stream);
    for (MI_Uint32 i = 0; i < properties; i++) {
        print_property(stream, item, i);
    }
    for (MI_Uint32 i = 0; i < methods; i++) {
        print_method(stream, item, i);
    }
    fputs("};\n", stream);
}

/* NULL for NULL, which jansson makes null. */
static json_t *json_name(const MI_Char *text)
{
    char *valid = text == NULL ? NULL : valid_utf8(text);
    json_t *json = valid == NULL ? json_null() : json_string(valid);

    free(valid);
    return json;
}

static json_t *json_property(const MI_Class *item, MI_Uint32 index)
{
    MI_Char *class_name = NULL;
    const MI_Char *name = NULL;
    MI_Uint32 flags = 0;
    MI_Type type = MI_BOOLEAN;

    if (MI_Class_GetElementAt(item, index, &name, NULL, NULL, &type, &class_name, NULL, &flags) !=
        MI_RESULT_OK) {
        return json_null();
    }
    return json_pack("{s:o, s:s, s:b, s:b, s:o}", "name", json_name(name), "type",
                     mof_type_name(type), "array", (type & MI_ARRAY) != 0, "key",
                     (flags & MI_FLAG_KEY) != 0, "class", json_name(class_name));
}

/* A new reference; NULL out of memory. */
json_t *render_class_json(const MI_Class *item)
{
    const MI_Char *name = NULL, *parent = NULL, *method = NULL;
    json_t *properties = json_array(), *methods = json_array();
    MI_Uint32 count = 0;

    MI_Class_GetClassName(item, &name);
    if (MI_Class_GetParentClassName(item, &parent) != MI_RESULT_OK) {
        parent = NULL;
    }
    MI_Class_GetElementCount(item, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        json_array_append_new(properties, json_property(item, i));
    }
    count = 0;
    MI_Class_GetMethodCount(item, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Class_GetMethodAt(item, i, &method, NULL, NULL) == MI_RESULT_OK) {
            json_array_append_new(methods, json_name(method));
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "name", json_name(name), "superclass",
                     json_name(parent), "properties", properties, "methods", methods);
}
