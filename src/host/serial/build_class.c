/* SPDX-License-Identifier: MIT */
/*
 * Classes from the tree.
 *
 * A declaration is put together in the arena, with the elements of the superclass first, and
 * class_new() makes a copy of it once decl_fault() has found nothing wrong.
 */
#include "host/serial/read.h"
#include "host/serial/write.h"

/* The lists that a declaration points to while they grow. */
struct draft {
    const MI_PropertyDecl **properties;
    const MI_MethodDecl **methods;
    MI_Uint32 property_count, method_count, size;
    const MI_ClassDecl *parent;
    const char *class_name;
};

/* ---- values and qualifiers --------------------------------------------------------------------
 */

/* A value that lives as long as the draft. */
static bool keep_value(struct serial_in *in, const char *name, MI_Type type,
                       const struct mof_value *from, const void **ret_value)
{
    struct made_value *made = arena_take(&in->arena, 1, sizeof(*made));

    if (made == NULL) {
        return serial_no_memory(in);
    }
    if (type_is_instance(type_scalar(type))) {
        return serial_refuse(in, MI_RESULT_NOT_SUPPORTED, from->line, from->column,
                             "%.60s: an object as a default is not supported", name);
    }
    if (!serial_build_value(in, name, type, from, &made->value)) {
        return false;
    }
    made->type = type;
    made->next = in->values;
    in->values = made;
    *ret_value = &made->value;
    return true;
}

/* MOF says the type of a qualifier elsewhere; these are the ones of DSP0004 (5.6.3) that are not
 * what their values look like. */
static bool qualifier_type(struct serial_in *in, const struct mof_qualifier *from,
                           MI_Type *ret_type)
{
    static const char *const short_numbers[] = {"MaxLen", "MinLen", "Max", "Min"};

    if (from->type != MOF_TYPE_UNKNOWN) {
        *ret_type = serial_type_of(from->type, from->array);
        return true;
    }
    for (size_t i = 0; i < sizeof(short_numbers) / sizeof(short_numbers[0]); i++) {
        if (decl_name_equal(from->name, short_numbers[i]) && from->value.kind == MOF_INTEGER) {
            *ret_type = MI_UINT32;
            return true;
        }
    }
    return serial_infer_type(in, from->name, &from->value, ret_type);
}

static MI_Uint32 flavor_of(unsigned flavors)
{
    return ((flavors & MOF_ENABLE_OVERRIDE) != 0 ? MI_FLAG_ENABLEOVERRIDE : 0) |
           ((flavors & MOF_DISABLE_OVERRIDE) != 0 ? MI_FLAG_DISABLEOVERRIDE : 0) |
           ((flavors & MOF_RESTRICTED) != 0 ? MI_FLAG_RESTRICTED : 0) |
           ((flavors & MOF_TO_SUBCLASS) != 0 ? MI_FLAG_TOSUBCLASS : 0) |
           ((flavors & MOF_TRANSLATABLE) != 0 ? MI_FLAG_TRANSLATABLE : 0) |
           ((flavors & MOF_TO_INSTANCE) != 0 ? MI_FLAG_TOINSTANCE : 0);
}

static bool make_qualifier(struct serial_in *in, const struct mof_qualifier *from, MI_Qualifier *to)
{
    MI_Type type = MI_BOOLEAN;

    if (!qualifier_type(in, from, &type)) {
        return false;
    }
    to->name = from->name;
    to->type = (MI_Uint32)type;
    to->flavor = flavor_of(from->flavors);
    return from->value.kind == MOF_NULL ||
           keep_value(in, from->name, type, &from->value, &to->value);
}

static bool make_qualifiers(struct serial_in *in, const struct mof_qualifier *from,
                            const MI_Qualifier *const **ret_list, MI_Uint32 *ret_count)
{
    MI_Uint32 count = 0;

    for (const struct mof_qualifier *at = from; at != NULL; at = at->next) {
        count++;
    }
    const MI_Qualifier **list = arena_take(&in->arena, count, sizeof(*list));
    MI_Qualifier *made = arena_take(&in->arena, count, sizeof(*made));
    if (list == NULL || made == NULL) {
        return serial_no_memory(in);
    }
    for (MI_Uint32 i = 0; from != NULL; from = from->next, i++) {
        if (!make_qualifier(in, from, &made[i])) {
            return false;
        }
        list[i] = &made[i];
    }
    *ret_list = list;
    *ret_count = count;
    return true;
}

static const struct mof_qualifier *find_qualifier(const struct mof_qualifier *list,
                                                  const char *name)
{
    while (list != NULL && !decl_name_equal(list->name, name)) {
        list = list->next;
    }
    return list;
}

static bool is_true(const struct mof_qualifier *qualifier)
{
    return qualifier != NULL && qualifier->value.kind == MOF_BOOLEAN &&
           decl_name_equal(qualifier->value.text, "true");
}

/* The flags that qualifiers stand for. */
static MI_Uint32 flags_of(const struct mof_qualifier *list)
{
    MI_Uint32 flags = 0;

    for (const struct serial_flag_word *word = serial_flag_words; word->name != NULL; word++) {
        flags |= is_true(find_qualifier(list, word->name)) ? word->flag : 0;
    }
    return flags;
}

/* ---- types ------------------------------------------------------------------------------------
 */

/* A string with one of two qualifiers is an embedded instance. */
static MI_Type feature_type(const struct mof_feature *from, const char **ret_class_name)
{
    const struct mof_qualifier *named = find_qualifier(from->qualifiers, "EmbeddedInstance");
    const bool string = from->type == MOF_TYPE_STRING || from->type == MOF_TYPE_INSTANCE;

    *ret_class_name = from->class_name;
    if (string && named != NULL && named->value.kind == MOF_STRING) {
        *ret_class_name = named->value.text;
        return serial_type_of(MOF_TYPE_INSTANCE, from->array);
    }
    if (string && is_true(find_qualifier(from->qualifiers, "EmbeddedObject"))) {
        return serial_type_of(MOF_TYPE_INSTANCE, from->array);
    }
    return serial_type_of(from->type, from->array);
}

/* The place of the next field in the struct of `size` bytes: a multiple of 8 is right for any. */
static MI_Uint32 place_field(MI_Uint32 *size, MI_Type type)
{
    const MI_Uint32 offset = *size;

    *size = (offset + (MI_Uint32)value_size(type) + 2 + 7) & ~(MI_Uint32)7;
    return offset;
}

enum { FIRST_OFFSET = (sizeof(MI_Instance) + 7) & ~7U };

/* ---- methods ----------------------------------------------------------------------------------
 */

static bool make_parameter(struct serial_in *in, const struct mof_feature *from, MI_Uint32 *size,
                           MI_ParameterDecl *to)
{
    const MI_Type type = feature_type(from, &to->className);

    to->flags = MI_FLAG_PARAMETER | flags_of(from->qualifiers);
    to->code = decl_name_code(from->name);
    to->name = from->name;
    to->type = (MI_Uint32)type;
    to->subscript = from->subscript;
    to->offset = place_field(size, type);
    return make_qualifiers(in, from->qualifiers, &to->qualifiers, &to->numQualifiers);
}

static bool make_parameters(struct serial_in *in, const struct mof_feature *from, MI_MethodDecl *to)
{
    MI_Uint32 count = 0;

    for (const struct mof_feature *at = from; at != NULL; at = at->next) {
        count++;
    }
    const MI_ParameterDecl **list = arena_take(&in->arena, count, sizeof(*list));
    MI_ParameterDecl *made = arena_take(&in->arena, count, sizeof(*made));
    if (list == NULL || made == NULL) {
        return serial_no_memory(in);
    }
    to->size = FIRST_OFFSET;
    for (MI_Uint32 i = 0; from != NULL; from = from->next, i++) {
        if (!make_parameter(in, from, &to->size, &made[i])) {
            return false;
        }
        list[i] = &made[i];
    }
    to->parameters = list;
    to->numParameters = count;
    return true;
}

/* Where an element of that name stands in the list, or its end. */
static MI_Uint32 method_place(const struct draft *draft, const char *name)
{
    MI_Uint32 at = 0;

    while (at < draft->method_count && !decl_name_equal(draft->methods[at]->name, name)) {
        at++;
    }
    return at;
}

/* In the place of one that the superclass has. */
static bool add_method(struct serial_in *in, struct draft *draft, const struct mof_feature *from)
{
    MI_MethodDecl *made = arena_take(&in->arena, 1, sizeof(*made));
    const MI_Uint32 place = method_place(draft, from->name);

    if (made == NULL) {
        return serial_no_memory(in);
    }
    made->flags = MI_FLAG_METHOD | flags_of(from->qualifiers);
    made->code = decl_name_code(from->name);
    made->name = from->name;
    made->returnType = (MI_Uint32)serial_type_of(from->type, false);
    made->origin = from->origin != NULL ? from->origin : draft->class_name;
    made->propagator = from->inherited ? made->origin : draft->class_name;
    draft->methods[place] = made;
    draft->method_count += place == draft->method_count;
    return make_qualifiers(in, from->qualifiers, &made->qualifiers, &made->numQualifiers) &&
           make_parameters(in, from->parameters, made);
}

/* ---- properties -------------------------------------------------------------------------------
 */

static MI_Uint32 property_place(const struct draft *draft, const char *name)
{
    MI_Uint32 at = 0;

    while (at < draft->property_count && !decl_name_equal(draft->properties[at]->name, name)) {
        at++;
    }
    return at;
}

static bool add_property(struct serial_in *in, struct draft *draft, const struct mof_feature *from)
{
    MI_PropertyDecl *made = arena_take(&in->arena, 1, sizeof(*made));
    const MI_Uint32 place = property_place(draft, from->name);

    if (made == NULL) {
        return serial_no_memory(in);
    }
    const MI_Type type = feature_type(from, &made->className);
    made->flags = MI_FLAG_PROPERTY | flags_of(from->qualifiers) |
                  (type_scalar(type) == MI_REFERENCE ? MI_FLAG_REFERENCE : 0);
    made->code = decl_name_code(from->name);
    made->name = from->name;
    made->type = (MI_Uint32)type;
    made->subscript = from->subscript;
    made->origin = from->origin != NULL ? from->origin : draft->class_name;
    made->propagator = from->inherited ? made->origin : draft->class_name;
    draft->properties[place] = made;
    draft->property_count += place == draft->property_count;
    return make_qualifiers(in, from->qualifiers, &made->qualifiers, &made->numQualifiers) &&
           (!from->has_default || from->value.kind == MOF_NULL ||
            keep_value(in, from->name, type, &from->value, &made->value));
}

/* ---- the class --------------------------------------------------------------------------------
 */

/* A copy that may have another place in the struct, and says where it comes from. */
static bool inherit(struct serial_in *in, struct draft *draft)
{
    const MI_ClassDecl *parent = draft->parent;

    for (MI_Uint32 i = 0; parent != NULL && i < parent->numProperties; i++) {
        MI_PropertyDecl *made = arena_take(&in->arena, 1, sizeof(*made));
        if (made == NULL) {
            return serial_no_memory(in);
        }
        *made = *parent->properties[i];
        made->propagator = made->propagator != NULL ? made->propagator : parent->name;
        draft->properties[draft->property_count++] = made;
    }
    for (MI_Uint32 i = 0; parent != NULL && i < parent->numMethods; i++) {
        MI_MethodDecl *made = arena_take(&in->arena, 1, sizeof(*made));
        if (made == NULL) {
            return serial_no_memory(in);
        }
        *made = *parent->methods[i];
        made->propagator = made->propagator != NULL ? made->propagator : parent->name;
        draft->methods[draft->method_count++] = made;
    }
    return true;
}

/* Room for what the superclass has and all that the text has. */
static bool begin_draft(struct serial_in *in, struct draft *draft, const struct mof_class *from)
{
    size_t most = 0;

    for (const struct mof_feature *at = from->features; at != NULL; at = at->next) {
        most++;
    }
    const size_t properties = draft->parent == NULL ? 0 : draft->parent->numProperties;
    const size_t methods = draft->parent == NULL ? 0 : draft->parent->numMethods;
    draft->properties = arena_take(&in->arena, most + properties, sizeof(*draft->properties));
    draft->methods = arena_take(&in->arena, most + methods, sizeof(*draft->methods));
    if (draft->properties == NULL || draft->methods == NULL) {
        return serial_no_memory(in);
    }
    return inherit(in, draft);
}

/* A name that the text has twice would replace itself, as if the first were inherited. */
static bool check_twice(struct serial_in *in, const struct mof_class *from)
{
    for (const struct mof_feature *at = from->features; at != NULL; at = at->next) {
        for (const struct mof_feature *to = from->features; to != at; to = to->next) {
            if (to->method == at->method && decl_name_equal(to->name, at->name)) {
                return serial_refuse(in, MI_RESULT_INVALID_PARAMETER, at->line, at->column,
                                     "%.60s is declared before this", at->name);
            }
        }
    }
    return true;
}

/* The declarations of the draft are not const until they are given on. */
static void place_fields(struct draft *draft)
{
    draft->size = FIRST_OFFSET;
    for (MI_Uint32 i = 0; i < draft->property_count; i++) {
        MI_PropertyDecl *property = (MI_PropertyDecl *)(uintptr_t)draft->properties[i];
        property->offset = place_field(&draft->size, (MI_Type)property->type);
    }
}

static bool finish(struct serial_in *in, const struct mof_class *from, struct draft *draft,
                   MI_Class **ret_class)
{
    const MI_Uint32 kinds =
        MI_FLAG_ASSOCIATION | MI_FLAG_INDICATION | MI_FLAG_ABSTRACT | MI_FLAG_TERMINAL;
    MI_ClassDecl decl = {
        .flags = MI_FLAG_CLASS | (flags_of(from->qualifiers) & kinds),
        .code = decl_name_code(from->name),
        .name = from->name,
        .properties = draft->properties,
        .numProperties = draft->property_count,
        .size = draft->size,
        .superClass = from->superclass,
        .methods = draft->methods,
        .numMethods = draft->method_count,
        .owningClass = DECL_DYNAMIC_OWNER, /* so that it is copied */
    };

    if (!make_qualifiers(in, from->qualifiers, &decl.qualifiers, &decl.numQualifiers)) {
        return false;
    }
    const char *fault = decl_fault(&decl);
    if (fault != NULL) {
        return serial_refuse(in, MI_RESULT_INVALID_PARAMETER, from->line, from->column,
                             "the class %.60s: %s", from->name, fault);
    }
    MI_Result result = class_new(&decl, in->classes.name_space, in->classes.server, ret_class);
    return result == MI_RESULT_OK ||
           serial_failed(in, result, from->line, from->column, from->name);
}

bool serial_build_class(struct serial_in *in, const struct mof_class *from,
                        const MI_ClassDecl *parent, MI_Class **ret_class)
{
    struct draft draft = {.parent = parent, .class_name = from->name};

    if (decl_name_equal(from->name, from->superclass)) {
        return serial_refuse(in, MI_RESULT_INVALID_SUPERCLASS, from->line, from->column,
                             "%.60s derives from itself", from->name);
    }
    if (!check_twice(in, from) || !begin_draft(in, &draft, from)) {
        return false;
    }
    for (const struct mof_feature *at = from->features; at != NULL; at = at->next) {
        if (!(at->method ? add_method(in, &draft, at) : add_property(in, &draft, at))) {
            return false;
        }
    }
    place_fields(&draft);
    return finish(in, from, &draft, ret_class);
}
