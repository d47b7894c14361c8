/* SPDX-License-Identifier: MIT */
/*
 * Which class an instance has and a class derives from: one of the text, one that the caller gave,
 * or the callback's. The callback is asked last, and once for each name.
 */
#include "base/entry.h"
#include "host/serial/read.h"

void serial_in_end(struct serial_in *in)
{
    for (struct made_class *at = in->made; at != NULL; at = at->next) {
        (void)MI_Class_Delete(at->item);
    }
    for (struct made_value *at = in->values; at != NULL; at = at->next) {
        value_release(at->type, &at->value);
    }
    arena_release(&in->arena);
}

bool serial_has_classes(const struct serial_in *in)
{
    return in->classes.count > 0 || in->classes.needed != NULL || in->document->class_count > 0;
}

/* The class is owned from now on, also after a failure. */
static bool own_class(struct serial_in *in, MI_Class *item)
{
    struct made_class *made = arena_take(&in->arena, 1, sizeof(*made));

    if (made == NULL) {
        (void)MI_Class_Delete(item);
        return serial_no_memory(in);
    }
    made->item = item;
    made->next = in->made;
    in->made = made;
    return true;
}

/* NULL: not there. */
static const MI_ClassDecl *find_known(const struct serial_in *in, const char *name)
{
    for (const struct made_class *at = in->made; at != NULL; at = at->next) {
        if (decl_name_equal(at->item->classDecl->name, name)) {
            return at->item->classDecl;
        }
    }
    for (MI_Uint32 i = 0; i < in->classes.count; i++) {
        const MI_ClassDecl *decl = class_declaration(in->classes.given[i]);
        if (decl != NULL && decl_name_equal(decl->name, name)) {
            return decl;
        }
    }
    return NULL;
}

/* The last one of that name, as with instances. */
static const struct mof_class *find_in_text(const struct serial_in *in, const char *name)
{
    const struct mof_class *found = NULL;

    for (const struct mof_class *at = in->document->classes; at != NULL; at = at->next) {
        found = decl_name_equal(at->name, name) ? at : found;
    }
    return found;
}

/* What the callback gives is the deserializer's, in any case. */
static bool ask(struct serial_in *in, const char *name, unsigned line, unsigned column,
                const MI_ClassDecl **ret_decl)
{
    MI_Class *item = NULL;

    MI_Result result = in->classes.needed(in->classes.context, in->classes.server,
                                          in->classes.name_space, name, &item);
    if (result != MI_RESULT_OK) {
        return serial_refuse(in, result, line, column,
                             "the class %.60s was asked for and not given", name);
    }
    if (class_declaration(item) == NULL || !decl_name_equal(item->classDecl->name, name)) {
        if (item != NULL && item->ft != NULL) {
            (void)MI_Class_Delete(item);
        }
        return serial_refuse(in, MI_RESULT_INVALID_PARAMETER, line, column,
                             "what was given for the class %.60s is not that class", name);
    }
    if (!own_class(in, item)) {
        return false;
    }
    *ret_decl = item->classDecl;
    return true;
}

/* A class of the text, with its superclass if that is known. */
static bool make_class(struct serial_in *in, const struct mof_class *from,
                       const MI_ClassDecl **ret_decl)
{
    const struct mof_class *text = NULL;
    const MI_ClassDecl *parent = NULL;
    MI_Class *item = NULL;

    if (in->parents == DECL_MAX_DEPTH) {
        return serial_refuse(in, MI_RESULT_INVALID_SUPERCLASS, from->line, from->column,
                             "the superclasses of %.60s have no end", from->name);
    }
    if (from->superclass != NULL) {
        parent = find_known(in, from->superclass);
        text = parent == NULL ? find_in_text(in, from->superclass) : NULL;
    }
    in->parents++;
    bool good = text == NULL || make_class(in, text, &parent);
    in->parents--;
    if (!good || !serial_build_class(in, from, parent, &item) || !own_class(in, item)) {
        return false;
    }
    *ret_decl = item->classDecl;
    return true;
}

bool serial_find_class(struct serial_in *in, const char *name, unsigned line, unsigned column,
                       const MI_ClassDecl **ret_decl)
{
    const struct mof_class *text = NULL;

    *ret_decl = find_known(in, name);
    if (*ret_decl != NULL) {
        return true;
    }
    text = find_in_text(in, name);
    if (text != NULL) {
        return make_class(in, text, ret_decl);
    }
    return in->classes.needed == NULL || ask(in, name, line, column, ret_decl);
}

/* ---- the class that a text is about -----------------------------------------------------------
 */

static bool has_inherited(const struct mof_class *from)
{
    for (const struct mof_feature *at = from->features; at != NULL; at = at->next) {
        if (at->inherited) {
            return true;
        }
    }
    return false;
}

/* The superclass: given, else another one of the text, else asked for, unless the text has its
 * elements. Without anybody to ask the text is taken for the whole class. */
static bool find_parent(struct serial_in *in, const struct mof_class *from, MI_Class *given,
                        const MI_ClassDecl **ret_parent)
{
    const struct mof_class *text = NULL;

    if (given != NULL) {
        *ret_parent = class_declaration(given);
        return decl_name_equal((*ret_parent)->name, from->superclass) ||
               serial_refuse(in, MI_RESULT_INVALID_SUPERCLASS, from->line, from->column,
                             "%.60s derives from %.60s, not from the class %.60s that was given",
                             from->name, from->superclass == NULL ? "no class" : from->superclass,
                             (*ret_parent)->name);
    }
    if (from->superclass == NULL) {
        return true;
    }
    text = find_in_text(in, from->superclass);
    if (text != NULL && text != from) {
        return make_class(in, text, ret_parent);
    }
    return in->classes.needed == NULL || has_inherited(from) ||
           ask(in, from->superclass, from->line, from->column, ret_parent);
}

bool serial_read_class(struct serial_in *in, MI_Class *parent, MI_Class **ret_class)
{
    const struct mof_class *last = in->document->classes;
    const MI_ClassDecl *decl = NULL;

    if (last == NULL) {
        return serial_refuse(in, MI_RESULT_INVALID_PARAMETER, 1, 1, "the text has no class");
    }
    while (last->next != NULL) {
        last = last->next;
    }
    return find_parent(in, last, parent, &decl) && serial_build_class(in, last, decl, ret_class);
}
