/* SPDX-License-Identifier: MIT */
/*
 * Instances from the tree.
 *
 * With a class an instance has its elements, in its order and with its types; one that the text
 * does not have is NULL, since a default that the text does not have would be an invention. Without
 * a class it has what the text has.
 */
#include "base/entry.h"
#include "host/serial/read.h"

/* A value on its way into an instance, which takes a copy. */
struct partial_value {
    MI_Type type;
    MI_Value value;
};

static void drop_value(struct partial_value *partial)
{
    value_release(partial->type, &partial->value);
}

/* A key without a name (of XML) is that of a class with one key. */
static const struct mof_property *find_property(const struct mof_instance *from, const char *name,
                                                bool key)
{
    for (const struct mof_property *at = from->properties; at != NULL; at = at->next) {
        if (decl_name_equal(at->name, name) || (key && at->name[0] == '\0')) {
            return at;
        }
    }
    return NULL;
}

/* "Was never set" is a state of its own, which AddElement does not know. */
static void mark_unchanged(MI_Instance *to, const char *name)
{
    struct field field;
    MI_Uint32 index = 0;

    if (instance_field_find(to, name, &field, &index)) {
        *field.flags = 0;
    }
}

/* from NULL, or without a value: the element is NULL. */
static bool add_element(struct serial_in *in, const char *name, MI_Type type, MI_Uint32 flags,
                        const struct mof_property *from, MI_Instance *to)
{
    struct partial_value partial ON_LEAVING(drop_value) = {.type = type};
    const bool null = from == NULL || from->value.kind == MOF_NULL;

    if (!null && !serial_build_value(in, name, type, &from->value, &partial.value)) {
        return false;
    }
    MI_Result result = instance_append_element(to, name, null ? NULL : &partial.value, type,
                                               flags | (null ? MI_FLAG_NULL : 0));
    if (result != MI_RESULT_OK) {
        return serial_failed(in, result, from == NULL ? 0 : from->line,
                             from == NULL ? 0 : from->column, name);
    }
    if (from == NULL || from->unchanged) {
        mark_unchanged(to, name);
    }
    return true;
}

/* ---- with a class -----------------------------------------------------------------------------
 */

static MI_Uint32 count_keys(const MI_ClassDecl *decl)
{
    struct decl_element element;
    MI_Uint32 count = 0;

    for (MI_Uint32 i = 0; i < decl_element_count(decl); i++) {
        count += decl_element_at(decl, i, &element) && (element.flags & MI_FLAG_KEY) != 0;
    }
    return count;
}

/* A key without a name is checked when it is found to be one of the class. */
static bool check_unnamed(struct serial_in *in, const struct mof_property *at,
                          const MI_ClassDecl *decl)
{
    return (decl != NULL && count_keys(decl) == 1) ||
           serial_refuse(in, MI_RESULT_INVALID_PARAMETER, at->line, at->column,
                         "a key without a name needs a class with one key; KEYBINDING has a name");
}

/* Each property of the text must be one of the class, and of its type where the text says one. */
static bool check_properties(struct serial_in *in, const struct mof_instance *from,
                             const MI_ClassDecl *decl)
{
    for (const struct mof_property *at = from->properties; at != NULL; at = at->next) {
        struct decl_element element;
        MI_Uint32 index = 0;
        if (at->name[0] == '\0') {
            return check_unnamed(in, at, decl);
        }
        if (!decl_element_find(decl, at->name, &index) || !decl_element_at(decl, index, &element)) {
            return serial_refuse(in, MI_RESULT_NO_SUCH_PROPERTY, at->line, at->column,
                                 "the class %.60s has no property %.60s", decl->name, at->name);
        }
        if (at->type != MOF_TYPE_UNKNOWN && serial_type_of(at->type, at->array) != element.type) {
            return serial_refuse(in, MI_RESULT_TYPE_MISMATCH, at->line, at->column,
                                 "%.60s has another type than in the class %.60s", at->name,
                                 decl->name);
        }
    }
    return true;
}

/* A reference has the keys of the class, and what the text has besides. */
static bool fill_by_class(struct serial_in *in, const struct mof_instance *from,
                          const MI_ClassDecl *decl, bool reference, MI_Instance *to)
{
    if (!check_properties(in, from, decl)) {
        return false;
    }
    for (MI_Uint32 i = 0; i < decl_element_count(decl); i++) {
        struct decl_element element;
        if (!decl_element_at(decl, i, &element)) {
            continue;
        }
        const bool key = (element.flags & MI_FLAG_KEY) != 0;
        const struct mof_property *property = find_property(from, element.name, key);
        if (reference && !key && property == NULL) {
            continue;
        }
        if (!add_element(in, element.name, element.type, key ? MI_FLAG_KEY : 0, property, to)) {
            return false;
        }
    }
    return true;
}

/* ---- without ----------------------------------------------------------------------------------
 */

/* What a reference has are its keys. */
static bool fill_by_text(struct serial_in *in, const struct mof_instance *from, bool reference,
                         MI_Instance *to)
{
    for (const struct mof_property *at = from->properties; at != NULL; at = at->next) {
        MI_Type type = MI_STRING;
        if (at->name[0] == '\0') {
            return check_unnamed(in, at, NULL);
        }
        if (at->type != MOF_TYPE_UNKNOWN) {
            type = serial_type_of(at->type, at->array);
        } else if (!serial_infer_type(in, at->name, &at->value, &type)) {
            return false;
        }
        if (!add_element(in, at->name, type, reference ? MI_FLAG_KEY : 0, at, to)) {
            return false;
        }
    }
    return true;
}

/* ---- both -------------------------------------------------------------------------------------
 */

static bool set_place(struct serial_in *in, const struct mof_instance *from, MI_Instance *to)
{
    MI_Result result = MI_RESULT_OK;

    if (from->name_space != NULL) {
        result = to->ft->SetNameSpace(to, from->name_space);
    }
    if (result == MI_RESULT_OK && from->server != NULL) {
        result = to->ft->SetServerName(to, from->server);
    }
    return result == MI_RESULT_OK ||
           serial_failed(in, result, from->line, from->column, "the namespace");
}

static bool fill(struct serial_in *in, const struct mof_instance *from, const MI_ClassDecl *decl,
                 bool reference, MI_Instance **ret_instance)
{
    MI_Instance *made ON_LEAVING(serial_drop_instance) = NULL;
    const MI_Uint32 kinds = MI_FLAG_ASSOCIATION | MI_FLAG_INDICATION;

    MI_Result result =
        instance_new_dynamic(from->class_name, decl == NULL ? 0 : decl->flags & kinds, &made);
    if (result != MI_RESULT_OK) {
        return serial_failed(in, result, from->line, from->column, "the name of the class");
    }
    if (!set_place(in, from, made) ||
        !(decl != NULL ? fill_by_class(in, from, decl, reference, made)
                       : fill_by_text(in, from, reference, made))) {
        return false;
    }
    *ret_instance = made;
    made = NULL;
    return true;
}

bool serial_build_instance(struct serial_in *in, const struct mof_instance *from, bool reference,
                           MI_Instance **ret_instance)
{
    const MI_ClassDecl *decl = NULL;

    if (!nest_enter(&in->nest)) {
        return serial_refuse(in, MI_RESULT_SERVER_LIMITS_EXCEEDED, from->line, from->column,
                             "instances are nested more than %d deep, or there are more than %d",
                             NEST_MAX_DEPTH, NEST_MAX_INSTANCES);
    }
    bool good = serial_find_class(in, from->class_name, from->line, from->column, &decl);
    if (good && decl == NULL && serial_has_classes(in)) {
        good = serial_refuse(in, MI_RESULT_INVALID_PARAMETER, from->line, from->column,
                             "the class %.60s is neither in the text nor given", from->class_name);
    }
    good = good && fill(in, from, decl, reference, ret_instance);
    nest_leave(&in->nest);
    return good;
}
