/* SPDX-License-Identifier: MIT */
/*
 * An instance from MOF, as `miguard run` prints one.
 *
 * run_mof_add() goes through the properties of the tree that host/mof has read. The class is asked
 * for first, as any client can: a value that does not fit the declared type is refused here, where
 * its line and column are known, and a string that is a reference is read as the path of an object.
 * Without the class (it is not served, or the server does not give it) the texts go to the host as
 * they are, which converts or refuses them.
 */
#include "tools/cli/run_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

/* The walk through one input. */
struct walk {
    MI_Application *application;
    const struct run_shape *shape;
    const char *source; /* the name of the input */
    unsigned levels;
    /* Of a path: where the string stands, since the places in it are its own. NULL: no path. */
    const struct mof_value *path;
};

/* One value and what it is for. */
struct slot {
    const char *name;
    MI_Type type;
    bool known; /* the type is that of the class */
};

static int add_properties(struct walk *walk, const struct mof_instance *from, const char *method,
                          MI_Instance *to);

/* ---- messages ---------------------------------------------------------------------------------
 */

static int out_of_memory(void)
{
    return complain(CLI_UNABLE, "out of memory");
}

/* "FILE:LINE:COLUMN: TEXT", where the string stands for what is inside of a path. */
__attribute__((format(printf, 4, 5))) static int wrong_at(const struct walk *walk, unsigned line,
                                                          unsigned column, const char *format, ...)
{
    char *text = NULL;
    va_list list;

    va_start(list, format);
    int length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0) {
        return out_of_memory();
    }
    int status = walk->path == NULL
                     ? complain(CLI_USAGE, "%s:%u:%u: %s", walk->source, line, column, text)
                     : complain(CLI_USAGE, "%s:%u:%u: the path, at its character %u: %s",
                                walk->source, walk->path->line, walk->path->column, column, text);
    free(text);
    return status;
}

static int refused(const struct walk *walk, const struct mof_value *value, const char *name,
                   MI_Result result)
{
    return wrong_at(walk, value->line, value->column, "%s: %s (%d)", name, result_name(result),
                    (int)result);
}

/* ---- types ------------------------------------------------------------------------------------
 */

MI_Class *run_class_new(const struct run_shape *shape, const char *class_name)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Class *item = NULL;
    MI_Class *copy = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    MI_Session_GetClass(shape->session, 0, NULL, shape->name_space, class_name, NULL, &operation);
    while (more && copy == NULL &&
           MI_Operation_GetClass(&operation, &item, &more, &result, NULL, NULL) == MI_RESULT_OK) {
        if (item != NULL) {
            (void)MI_Class_Clone(item, &copy);
        }
    }
    MI_Operation_Close(&operation);
    return copy;
}

/* The type of a property, or of a parameter of method. False: the class has no such one. */
static bool find_type(const MI_Class *item, const char *method, const char *name, MI_Type *ret_type)
{
    MI_ParameterSet parameters = {0};
    MI_QualifierSet qualifiers = {0};
    MI_Boolean exists = MI_FALSE;
    MI_Char *class_name = NULL;
    MI_Value value;
    MI_Uint32 flags = 0, index = 0;

    if (method == NULL) {
        return MI_Class_GetElement(item, name, &value, &exists, ret_type, &class_name, &qualifiers,
                                   &flags, &index) == MI_RESULT_OK;
    }
    return MI_Class_GetMethod(item, method, &qualifiers, &parameters, &index) == MI_RESULT_OK &&
           MI_ParameterSet_GetParameter(&parameters, name, ret_type, &class_name, &qualifiers,
                                        &index) == MI_RESULT_OK;
}

/* As MOF writes them (DSP0004), in the order of MI_Type; the last two with what is given for them.
 */
static const char *const type_names[] = {
    "boolean: TRUE or FALSE",
    "uint8: a number from 0 to 255",
    "sint8: a number from -128 to 127",
    "uint16: a number from 0 to 65535",
    "sint16: a number from -32768 to 32767",
    "uint32: a number from 0 to 4294967295",
    "sint32: a number from -2147483648 to 2147483647",
    "uint64: a number from 0 to 18446744073709551615",
    "sint64: a number from -9223372036854775808 to 9223372036854775807",
    "real32: a number",
    "real64: a number",
    "char16: one character, as 'c'",
    "datetime: \"yyyymmddhhmmss.mmmmmm+uuu\" or \"ddddddddhhmmss.mmmmmm:000\"",
    "string",
    "reference: \"CLASS.KEY=VALUE\", instance of or $alias",
    "instance: instance of or $alias",
};

const char *run_type_text(MI_Type type)
{
    return (unsigned)type <= MI_INSTANCE ? type_names[type] : "value of an unknown type";
}

/* Whether the digits are those of the type, which has `bits` of them. */
static bool fits_integer(const char *text, unsigned bits, bool is_signed)
{
    const bool negative = *text == '-';
    const uint64_t highest = UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0));
    uint64_t number = strtoull(text + (negative ? 1 : 0), NULL, 10);

    return negative ? is_signed && number <= highest + 1 : number <= highest;
}

/* 14 digits, a point, six digits, then the offset of a moment or the :000 of an interval. Whether
 * the numbers are possible is the host's to say. */
static bool fits_datetime(const char *text)
{
    static const char form[] = "dddddddddddddd.ddddddsddd";
    size_t at = 0;

    for (; form[at] != '\0' && text[at] != '\0'; at++) {
        bool digit = text[at] >= '0' && text[at] <= '9';
        bool fits = form[at] == 'd'   ? digit
                    : form[at] == '.' ? text[at] == '.'
                                      : strchr("+-:", text[at]) != NULL;
        if (!fits) {
            return false;
        }
    }
    return form[at] == '\0' && text[at] == '\0';
}

static bool is_signed_type(MI_Type type)
{
    return type == MI_SINT8 || type == MI_SINT16 || type == MI_SINT32 || type == MI_SINT64;
}

static bool fits_type(MI_Type type, const struct mof_value *value)
{
    static const unsigned char bits[] = {
        [MI_UINT8] = 8,   [MI_SINT8] = 8,   [MI_UINT16] = 16, [MI_SINT16] = 16,
        [MI_UINT32] = 32, [MI_SINT32] = 32, [MI_UINT64] = 64, [MI_SINT64] = 64};

    switch (type) {
    case MI_BOOLEAN:
        return value->kind == MOF_BOOLEAN;
    case MI_REAL32:
    case MI_REAL64:
        return value->kind == MOF_REAL || value->kind == MOF_INTEGER;
    case MI_CHAR16:
        return value->kind == MOF_CHAR;
    case MI_DATETIME:
        return value->kind == MOF_STRING && fits_datetime(value->text);
    case MI_STRING:
        return value->kind == MOF_STRING;
    case MI_REFERENCE:
        return value->kind == MOF_STRING || value->kind == MOF_INSTANCE;
    case MI_INSTANCE:
        return value->kind == MOF_INSTANCE;
    default:
        return value->kind == MOF_INTEGER &&
               fits_integer(value->text, bits[type], is_signed_type(type));
    }
}

static int check_one(const struct walk *walk, const struct slot *slot,
                     const struct mof_value *value)
{
    const MI_Type type = scalar_type(slot->type);

    if (!slot->known || value->kind == MOF_NULL || fits_type(type, value)) {
        return CLI_YES;
    }
    return wrong_at(walk, value->line, value->column, "%s is a %s", slot->name,
                    run_type_text(type));
}

static int check_value(const struct walk *walk, const struct slot *slot,
                       const struct mof_value *value)
{
    const bool array = (slot->type & MI_ARRAY) != 0;
    int status = CLI_YES;

    if (!slot->known || value->kind == MOF_NULL) {
        return CLI_YES;
    }
    if (array != (value->kind == MOF_ARRAY)) {
        return wrong_at(walk, value->line, value->column,
                        array ? "%s is an array: {...}" : "%s is one value, and no array",
                        slot->name);
    }
    if (!array) {
        return check_one(walk, slot, value);
    }
    for (const struct mof_value *at = value->items; at != NULL && status == CLI_YES;
         at = at->next) {
        status = check_one(walk, slot, at);
    }
    return status;
}

/* ---- objects ----------------------------------------------------------------------------------
 */

/* The caller deletes *ret_instance in any case. */
static int make_instance(struct walk *walk, const struct mof_value *value,
                         const struct mof_instance *from, MI_Instance **ret_instance)
{
    if (walk->levels == RUN_INPUT_LEVELS) {
        return wrong_at(walk, value->line, value->column, "instances are nested more than %d deep",
                        RUN_INPUT_LEVELS);
    }
    MI_Result result =
        MI_Application_NewInstance(walk->application, from->class_name, NULL, ret_instance);
    if (result != MI_RESULT_OK) {
        return refused(walk, value, from->class_name, result);
    }
    walk->levels++;
    int status = add_properties(walk, from, NULL, *ret_instance);
    walk->levels--;
    return status;
}

/* A reference that is a string. Places inside of it are given as those of its characters. */
static int make_reference(struct walk *walk, const struct mof_value *value,
                          MI_Instance **ret_instance)
{
    const struct mof_value *outer = walk->path;
    struct mof_document *document = NULL;
    struct mof_error error;

    walk->path = outer != NULL ? outer : value;
    int status = CLI_YES;
    if (mof_read_path(value->text, &document, &error)) {
        status = make_instance(walk, value, document->instances, ret_instance);
    } else {
        status =
            error.line == 0 ? out_of_memory() : wrong_at(walk, 1, error.column, "%s", error.text);
    }
    walk->path = outer;
    mof_free(document);
    return status;
}

static int make_object(struct walk *walk, const struct mof_value *value, MI_Instance **ret_instance)
{
    return value->kind == MOF_INSTANCE ? make_instance(walk, value, value->instance, ret_instance)
                                       : make_reference(walk, value, ret_instance);
}

/* Whether the value becomes an instance: it is one, or the path of one. */
static bool is_object(const struct slot *slot, const struct mof_value *value)
{
    return value->kind == MOF_INSTANCE ||
           (value->kind == MOF_STRING && slot->known && scalar_type(slot->type) == MI_REFERENCE);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static int add(const struct walk *walk, const struct slot *slot, const struct mof_value *place,
               MI_Value *value, MI_Type type, MI_Instance *to)
{
    MI_Result result =
        MI_Instance_AddElement(to, slot->name, value, type, value == NULL ? MI_FLAG_NULL : 0);

    return result == MI_RESULT_OK ? CLI_YES : refused(walk, place, slot->name, result);
}

static int add_one(struct walk *walk, const struct slot *slot, const struct mof_value *value,
                   MI_Instance *to)
{
    MI_Value made = {0};

    if (value->kind == MOF_NULL) {
        return add(walk, slot, value, NULL, MI_STRING, to);
    }
    if (value->kind == MOF_CHAR) {
        made.char16 = value->character;
        return add(walk, slot, value, &made, MI_CHAR16, to);
    }
    if (!is_object(slot, value)) {
        made.string = (MI_Char *)(uintptr_t)value->text;
        return add(walk, slot, value, &made, MI_STRING, to);
    }
    int status = make_object(walk, value, &made.instance);
    if (status == CLI_YES) {
        status = add(walk, slot, value, &made, MI_INSTANCE, to);
    }
    if (made.instance != NULL) {
        MI_Instance_Delete(made.instance);
    }
    return status;
}

/* The elements of an array of MI: of one kind, as the first one is. */
static int fill_array(struct walk *walk, const struct slot *slot, const struct mof_value *value,
                      MI_Type type, void *data)
{
    MI_Instance **instances = data;
    MI_Char **texts = data;
    MI_Char16 *characters = data;
    int status = CLI_YES;
    size_t i = 0;

    for (const struct mof_value *at = value->items; at != NULL && status == CLI_YES;
         at = at->next, i++) {
        bool object = is_object(slot, at), character = at->kind == MOF_CHAR;
        if (object != (type == MI_INSTANCEA) || character != (type == MI_CHAR16A) ||
            (at->kind == MOF_NULL && type != MI_STRINGA)) {
            return wrong_at(walk, at->line, at->column, "%s: not of the kind of the first element",
                            slot->name);
        }
        if (object) {
            status = make_object(walk, at, &instances[i]);
        } else if (character) {
            characters[i] = at->character;
        } else {
            texts[i] = (MI_Char *)(uintptr_t)at->text;
        }
    }
    return status;
}

static int add_array(struct walk *walk, const struct slot *slot, const struct mof_value *value,
                     MI_Instance *to)
{
    const MI_Type type = value->items == NULL             ? MI_STRINGA
                         : is_object(slot, value->items)  ? MI_INSTANCEA
                         : value->items->kind == MOF_CHAR ? MI_CHAR16A
                                                          : MI_STRINGA;
    void **data = calloc(value->count + 1, sizeof(void *));
    MI_Value made = {.array = {.data = data, .size = (MI_Uint32)value->count}};

    if (data == NULL) {
        return out_of_memory();
    }
    int status = fill_array(walk, slot, value, type, data);
    if (status == CLI_YES) {
        status = add(walk, slot, value, &made, type, to);
    }
    for (size_t i = 0; type == MI_INSTANCEA && i < value->count && data[i] != NULL; i++) {
        MI_Instance_Delete(data[i]);
    }
    free(data);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static int add_property(struct walk *walk, const MI_Class *item, const char *method,
                        const struct mof_property *property, MI_Instance *to)
{
    struct slot slot = {.name = property->name, .known = item != NULL};

    if (item != NULL && !find_type(item, method, property->name, &slot.type)) {
        const MI_Char *class_name = "the class";
        (void)MI_Class_GetClassName(item, &class_name);
        return wrong_at(walk, property->line, property->column, "%s has no %s %s",
                        method != NULL ? method : class_name,
                        method != NULL ? "parameter" : "property", property->name);
    }
    int status = check_value(walk, &slot, &property->value);
    if (status != CLI_YES) {
        return status;
    }
    return property->value.kind == MOF_ARRAY ? add_array(walk, &slot, &property->value, to)
                                             : add_one(walk, &slot, &property->value, to);
}

/* method: the instance is the parameters of it, a method of the class that was asked for. */
static int add_properties(struct walk *walk, const struct mof_instance *from, const char *method,
                          MI_Instance *to)
{
    MI_Class *item =
        run_class_new(walk->shape, method != NULL ? walk->shape->class_name : from->class_name);
    int status = CLI_YES;

    for (const struct mof_property *at = from->properties; at != NULL && status == CLI_YES;
         at = at->next) {
        status = add_property(walk, item, method, at, to);
    }
    if (item != NULL) {
        MI_Class_Delete(item);
    }
    return status;
}

/* The class of the instance is that of the request; that of parameters is any. */
int run_mof_add(MI_Application *application, const struct run_shape *shape,
                const struct run_input *input, MI_Instance *instance)
{
    struct walk walk = {.application = application, .shape = shape, .source = input->name};
    const struct mof_instance *meant = input->mof->instances;

    while (meant->next != NULL) {
        meant = meant->next;
    }
    if (shape->method == NULL && strcasecmp(meant->class_name, shape->class_name) != 0) {
        return wrong_at(&walk, meant->line, meant->column, "an instance of %s is needed, not of %s",
                        shape->class_name, meant->class_name);
    }
    return add_properties(&walk, meant, shape->method, instance);
}
