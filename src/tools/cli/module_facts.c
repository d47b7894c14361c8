/* SPDX-License-Identifier: MIT */
/*
 * What a provider module declares, as JSON: the command prints it, or renders it as text.
 *
 * Everything is read through the module's own pointers. It is called in a child process
 * (module_child.c), where a wrong one ends only the child.
 */
#include "tools/cli/module_facts.h"

#include <dlfcn.h>
#include <string.h>

#include "tools/cli/cli.h"

/* One bit of a set of flags, and what it is called. */
struct flag_name {
    MI_Uint32 bit;
    const char *name;
};

/* As in MI.h, MI_MODULE_FLAG_... */
static const struct flag_name module_flags[] = {
    {MI_MODULE_FLAG_STANDARD_QUALIFIERS, "standard-qualifiers"},
    {MI_MODULE_FLAG_DESCRIPTIONS, "descriptions"},
    {MI_MODULE_FLAG_VALUES, "values"},
    {MI_MODULE_FLAG_MAPPING_STRINGS, "mapping-strings"},
    {MI_MODULE_FLAG_BOOLEANS, "booleans"},
    {MI_MODULE_FLAG_CPLUSPLUS, "cplusplus"},
    {MI_MODULE_FLAG_LOCALIZED, "localized"},
    {MI_MODULE_FLAG_FILTER_SUPPORT, "filter-support"},
    {0, NULL},
};

/* Of classes, properties, methods and parameters: those that change how an element is used. */
static const struct flag_name element_flags[] = {
    {MI_FLAG_ASSOCIATION, "association"},
    {MI_FLAG_INDICATION, "indication"},
    {MI_FLAG_ABSTRACT, "abstract"},
    {MI_FLAG_TERMINAL, "terminal"},
    {MI_FLAG_KEY, "key"},
    {MI_FLAG_IN, "in"},
    {MI_FLAG_OUT, "out"},
    {MI_FLAG_REQUIRED, "required"},
    {MI_FLAG_STATIC, "static"},
    {MI_FLAG_STREAM, "stream"},
    {MI_FLAG_READONLY, "read-only"},
    {0, NULL},
};

/* In the order of MI_Type, as MOF writes them (DSP0004). */
static const char *const type_names[] = {
    "boolean", "uint8",  "sint8",  "uint16", "sint16",   "uint32", "sint32",    "uint64",
    "sint64",  "real32", "real64", "char16", "datetime", "string", "reference", "instance",
};

static json_t *flag_list(MI_Uint32 flags, const struct flag_name *names)
{
    json_t *list = json_array();

    for (; names->name != NULL; names++) {
        if ((flags & names->bit) != 0) {
            json_array_append_new(list, json_string(names->name));
        }
    }
    return list;
}

/* A text of the module may be any bytes; null where it is missing. */
static json_t *text_of(const char *text)
{
    char *valid = text != NULL ? valid_utf8(text) : NULL;
    json_t *json = valid != NULL ? json_string(valid) : json_null();

    free(valid);
    return json;
}

/* ---- elements ------------------------------------------------------------------------------- */

/* "string[]", "uint32[8]", or "MG_File ref" for a reference and "MG_File" for an instance. */
static json_t *type_text(MI_Uint32 type, const char *class_name, MI_Uint32 subscript)
{
    char text[160], size[16] = "";
    MI_Uint32 scalar = type & ~(MI_Uint32)MI_ARRAY;
    bool typed = class_name != NULL && (scalar == MI_REFERENCE || scalar == MI_INSTANCE);

    if ((type & MI_ARRAY) != 0 && subscript != 0) {
        snprintf(size, sizeof(size), "%u", (unsigned)subscript);
    }
    if (scalar >= sizeof(type_names) / sizeof(type_names[0])) {
        snprintf(text, sizeof(text), "type %u", (unsigned)type);
    } else {
        snprintf(text, sizeof(text), "%s%s%s%s%s", typed ? class_name : type_names[scalar],
                 typed && scalar == MI_REFERENCE ? " ref" : "", (type & MI_ARRAY) != 0 ? "[" : "",
                 size, (type & MI_ARRAY) != 0 ? "]" : "");
    }
    return text_of(text);
}

/* Of properties too: a parameter is the beginning of one. */
static json_t *element(const MI_ParameterDecl *decl)
{
    if (decl == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o}", "name", text_of(decl->name), "type",
                     type_text(decl->type, decl->className, decl->subscript), "flags",
                     flag_list(decl->flags, element_flags));
}

static json_t *properties(const MI_ClassDecl *decl)
{
    json_t *list = json_array();

    for (MI_Uint32 i = 0; decl->properties != NULL && i < decl->numProperties; i++) {
        const void *property = decl->properties[i];
        json_array_append_new(list, element(property));
    }
    return list;
}

static json_t *parameters(const MI_MethodDecl *decl)
{
    json_t *list = json_array();

    for (MI_Uint32 i = 0; decl->parameters != NULL && i < decl->numParameters; i++) {
        const MI_ParameterDecl *parameter = decl->parameters[i];
        /* The value that a method returns is declared as a parameter of this name, too. */
        if (parameter == NULL || parameter->name == NULL ||
            strcmp(parameter->name, "MIReturn") != 0) {
            json_array_append_new(list, element(parameter));
        }
    }
    return list;
}

static json_t *methods(const MI_ClassDecl *decl)
{
    json_t *list = json_array();

    for (MI_Uint32 i = 0; decl->methods != NULL && i < decl->numMethods; i++) {
        const MI_MethodDecl *method = decl->methods[i];
        json_array_append_new(
            list, method == NULL
                      ? json_null()
                      : json_pack("{s:o, s:o, s:o, s:o, s:b}", "name", text_of(method->name),
                                  "returns", type_text(method->returnType, NULL, 0), "flags",
                                  flag_list(method->flags, element_flags), "parameters",
                                  parameters(method), "implemented", method->function != NULL));
    }
    return list;
}

/* ---- classes and the module ------------------------------------------------------------------ */

/* What a provider serves: the slots that it fills in. NULL for a class without a provider, as a
 * superclass or an embedded one. */
static json_t *operations(const MI_ProviderFT *table)
{
    json_t *list = json_array();

    if (table == NULL) {
        json_decref(list);
        return json_null();
    }
#define SLOT(Slot, name)                                                                           \
    if (table->Slot != NULL) {                                                                     \
        json_array_append_new(list, json_string(name));                                            \
    }
    SLOT(GetInstance, "get")
    SLOT(EnumerateInstances, "enumerate")
    SLOT(CreateInstance, "create")
    SLOT(ModifyInstance, "modify")
    SLOT(DeleteInstance, "delete")
    SLOT(AssociatorInstances, "associators")
    SLOT(ReferenceInstances, "references")
    SLOT(EnableIndications, "indications")
    SLOT(Subscribe, "subscribe")
    SLOT(Invoke, "invoke")
#undef SLOT
    return list;
}

static json_t *class_facts(const MI_ClassDecl *decl)
{
    if (decl == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", text_of(decl->name), "superclass",
                     text_of(decl->superClass), "flags", flag_list(decl->flags, element_flags),
                     "operations", operations(decl->providerFT), "properties", properties(decl),
                     "methods", methods(decl));
}

static json_t *classes(const MI_SchemaDecl *schema)
{
    json_t *list = json_array();

    for (MI_Uint32 i = 0; schema != NULL && schema->classDecls != NULL && i < schema->numClassDecls;
         i++) {
        json_array_append_new(list, class_facts(schema->classDecls[i]));
    }
    return list;
}

static json_t *version_text(MI_Uint32 version)
{
    char text[48];

    snprintf(text, sizeof(text), "%u.%u.%u", (unsigned)(version >> 16),
             (unsigned)(version >> 8 & 0xFF), (unsigned)(version & 0xFF));
    return json_string(text);
}

/* A wrapped module is the library's copy, whose Load is a function of the library. */
static bool is_wrapped(const MI_Module *module)
{
    Dl_info info;
    const void *load = (const void *)(uintptr_t)module->Load;
    bool known = load != NULL && dladdr(load, &info) != 0 && info.dli_fname != NULL;
    const char *slash = known ? strrchr(info.dli_fname, '/') : NULL;

    return known && strncmp(slash != NULL ? slash + 1 : info.dli_fname, "libmiguard.so", 13) == 0;
}

/* Declarations of another layout cannot be walked through: only what stands first is said. */
json_t *module_facts(const MI_Module *module)
{
    bool readable = module->charSize == sizeof(MI_Char) && module->version >> 16 == MI_MAJOR;

    return json_pack("{s:o, s:o, s:i, s:o, s:b, s:b, s:o}", "version",
                     version_text(module->version), "generator",
                     version_text(module->generatorVersion), "char_size", (int)module->charSize,
                     "flags", flag_list(module->flags, module_flags), "wrapped", is_wrapped(module),
                     "dynamic", readable && module->dynamicProviderFT != NULL, "classes",
                     readable ? classes(module->schemaDecl) : json_null());
}
