/* SPDX-License-Identifier: MIT */
/* Instances and options of the foreign host. Written from the reference of the API alone. */
#include "support/foreign_object.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What belongs to an instance besides its own memory; reserved[0] points here. */
struct store {
    struct piece {
        struct piece *next;
        MI_Instance *embedded; /* a copy that is freed with this one; or NULL */
    } * pieces;
    bool on_heap;
    MI_ClassDecl decl; /* of a dynamic instance */
    MI_PropertyDecl elements[FOREIGN_ELEMENTS];
    const MI_PropertyDecl *list[FOREIGN_ELEMENTS];
};

enum { ARRAY = 16, FIELD_ROOM = 48, INTERNAL_SIZE = sizeof(MI_Instance) };

static void *must_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static struct store *store_of(const MI_Instance *instance)
{
    return (struct store *)instance->reserved[0];
}

/* Memory that is freed with the instance. */
static void *piece_of(MI_Instance *instance, size_t size)
{
    struct piece *piece = must_alloc(sizeof(*piece) + size + 1);
    struct store *store = store_of(instance);

    piece->next = store->pieces;
    store->pieces = piece;
    return piece + 1;
}

static MI_Char *text_of(MI_Instance *instance, const MI_Char *text)
{
    return text != NULL ? strcpy(piece_of(instance, strlen(text)), text) : NULL;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static size_t value_size(MI_Uint32 type)
{
    static const unsigned char sizes[ARRAY] = {
        [MI_BOOLEAN] = 1,   [MI_UINT8] = 1,
        [MI_SINT8] = 1,     [MI_UINT16] = 2,
        [MI_SINT16] = 2,    [MI_UINT32] = 4,
        [MI_SINT32] = 4,    [MI_UINT64] = 8,
        [MI_SINT64] = 8,    [MI_REAL32] = 4,
        [MI_REAL64] = 8,    [MI_CHAR16] = 2,
        [MI_STRING] = 8,    [MI_INSTANCE] = 8,
        [MI_REFERENCE] = 8, [MI_DATETIME] = sizeof(MI_Datetime)};

    return type >= ARRAY ? sizeof(MI_Array) : sizes[type];
}

/* A declaration's elements: those of a method are shorter, and begin alike. */
static const MI_ParameterDecl *element_at(const MI_Instance *instance, MI_Uint32 index)
{
    return (const MI_ParameterDecl *)(const void *)instance->classDecl->properties[index];
}

static MI_Uint32 count_of(const MI_Instance *instance)
{
    return instance->classDecl->numProperties;
}

/* A streamed parameter has no place. */
static bool has_place(const MI_Instance *instance, MI_Uint32 index)
{
    return element_at(instance, index)->offset <
           (store_of(instance) != NULL && instance->classDecl == &store_of(instance)->decl
                ? INTERNAL_SIZE + FOREIGN_ELEMENTS * FIELD_ROOM
                : instance->classDecl->size);
}

static char *field_at(const MI_Instance *instance, MI_Uint32 index)
{
    return (char *)(uintptr_t)instance + element_at(instance, index)->offset;
}

static MI_Boolean *exists_at(const MI_Instance *instance, MI_Uint32 index)
{
    size_t size = value_size(element_at(instance, index)->type);
    return (MI_Boolean *)(void *)(field_at(instance, index) + size);
}

static bool is_null(const MI_Instance *instance, MI_Uint32 index)
{
    return !has_place(instance, index) || !*exists_at(instance, index);
}

static MI_Uint32 find_element(const MI_Instance *instance, const MI_Char *name)
{
    MI_Uint32 index = 0;

    while (index < count_of(instance) && strcasecmp(element_at(instance, index)->name, name) != 0) {
        index++;
    }
    return index;
}

/* A deep copy of one value that is no array, into the memory of the instance. */
static void copy_scalar(MI_Instance *instance, MI_Uint32 type, char *to, const char *from)
{
    memcpy(to, from, value_size(type));
    if (type == MI_STRING) {
        MI_Char *text = text_of(instance, *(MI_Char *const *)(const void *)from);
        memcpy(to, &text, sizeof(text));
    } else if (type == MI_INSTANCE || type == MI_REFERENCE) {
        MI_Instance *clone = foreign_instance_clone(*(MI_Instance *const *)(const void *)from);
        (void)piece_of(instance, 0);
        store_of(instance)->pieces->embedded = clone;
        memcpy(to, &clone, sizeof(clone));
    }
}

static void copy_value(MI_Instance *instance, MI_Uint32 type, char *to, const MI_Value *value)
{
    const char *from = (const char *)value;
    size_t size = value_size(type & ~(MI_Uint32)ARRAY);

    if ((type & ARRAY) == 0) {
        copy_scalar(instance, type, to, from);
        return;
    }
    MI_Array array = {NULL, value->array.size};
    array.data = piece_of(instance, array.size * size);
    for (MI_Uint32 i = 0; value->array.data != NULL && i < array.size; i++) {
        copy_scalar(instance, type & ~(MI_Uint32)ARRAY, (char *)array.data + i * size,
                    (const char *)value->array.data + i * size);
    }
    memcpy(to, &array, sizeof(array));
}

static MI_Result set_at(MI_Instance *instance, MI_Uint32 index, const MI_Value *value, MI_Type type,
                        MI_Uint32 flags)
{
    if (index >= count_of(instance) || !has_place(instance, index)) {
        return MI_RESULT_FAILED;
    }
    bool null = value == NULL || (flags & MI_FLAG_NULL) != 0 ||
                (type == MI_STRING && value->string == NULL);
    if (!null && (MI_Uint32)type != element_at(instance, index)->type) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    *exists_at(instance, index) = !null;
    if (null) {
        memset(field_at(instance, index), 0, value_size(element_at(instance, index)->type));
    } else if ((flags & MI_FLAG_BORROW) != 0) {
        memcpy(field_at(instance, index), value, value_size((MI_Uint32)type));
    } else {
        copy_value(instance, (MI_Uint32)type, field_at(instance, index), value);
    }
    return MI_RESULT_OK;
}

/* ---- making and ending ----------------------------------------------------------------------- */

void foreign_instance_construct(const MI_ClassDecl *decl, MI_Instance *instance)
{
    memset(instance, 0, decl->size);
    instance->ft = &foreign_instance_ft;
    instance->classDecl = decl;
    instance->reserved[0] = (ptrdiff_t)must_alloc(sizeof(struct store));
}

MI_Instance *foreign_instance_make(const MI_ClassDecl *decl)
{
    MI_Instance *instance = must_alloc(decl->size);

    foreign_instance_construct(decl, instance);
    store_of(instance)->on_heap = true;
    return instance;
}

MI_Instance *foreign_instance_new(const MI_Char *class_name, MI_Uint32 flags)
{
    MI_Instance *instance = must_alloc(INTERNAL_SIZE + FOREIGN_ELEMENTS * FIELD_ROOM);
    struct store *store = must_alloc(sizeof(*store));

    store->on_heap = true;
    store->decl.flags = flags == 0 ? MI_FLAG_CLASS : flags;
    store->decl.properties = store->list;
    store->decl.size = INTERNAL_SIZE;
    instance->ft = &foreign_instance_ft;
    instance->classDecl = &store->decl;
    instance->reserved[0] = (ptrdiff_t)store;
    store->decl.name = text_of(instance, class_name);
    return instance;
}

static MI_Result MI_CALL instance_end(MI_Instance *instance);

void foreign_instance_free(MI_Instance *instance)
{
    if (instance != NULL) {
        (void)instance_end(instance);
    }
}

static MI_Result MI_CALL instance_end(MI_Instance *instance)
{
    struct store *store = store_of(instance);

    if (store == NULL) {
        return MI_RESULT_OK;
    }
    bool on_heap = store->on_heap;
    for (struct piece *piece = store->pieces, *next = NULL; piece != NULL; piece = next) {
        next = piece->next;
        foreign_instance_free(piece->embedded);
        free(piece);
    }
    free(store);
    instance->reserved[0] = 0;
    if (on_heap) {
        free(instance);
    }
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_add(MI_Instance *instance, const MI_Char *name,
                                      const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    struct store *store = store_of(instance);

    if (name == NULL || *name == '\0') {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Uint32 index = find_element(instance, name);
    if (index < count_of(instance)) {
        return MI_RESULT_ALREADY_EXISTS;
    }
    if (instance->classDecl != &store->decl || index == FOREIGN_ELEMENTS) {
        return MI_RESULT_FAILED;
    }
    store->elements[index] = (MI_PropertyDecl){
        .flags = (flags & (MI_FLAG_KEY | MI_FLAG_IN | MI_FLAG_OUT | MI_FLAG_READONLY)) |
                 MI_FLAG_PROPERTY,
        .name = text_of(instance, name),
        .type = (MI_Uint32)type,
        .offset = INTERNAL_SIZE + index * FIELD_ROOM};
    store->list[index] = &store->elements[index];
    store->decl.numProperties++;
    return set_at(instance, index, value, type, flags);
}

/* Copies the elements of from that instance has, or all where instance is dynamic. */
static void copy_elements(MI_Instance *instance, const MI_Instance *from)
{
    bool dynamic = instance->classDecl == &store_of(instance)->decl;

    for (MI_Uint32 i = 0; i < count_of(from); i++) {
        const MI_ParameterDecl *element = element_at(from, i);
        MI_Value value;

        memset(&value, 0, sizeof(value));
        bool null = is_null(from, i);
        if (!null) {
            memcpy(&value, field_at(from, i), value_size(element->type));
        }
        MI_Uint32 index = find_element(instance, element->name);
        if (index < count_of(instance)) {
            (void)set_at(instance, index, null ? NULL : &value, (MI_Type)element->type, 0);
        } else if (dynamic) {
            (void)instance_add(instance, element->name, null ? NULL : &value,
                               (MI_Type)element->type, element->flags & MI_FLAG_KEY);
        }
    }
    instance->nameSpace = text_of(instance, from->nameSpace);
    instance->serverName = text_of(instance, from->serverName);
}

static bool is_dynamic(const MI_Instance *instance)
{
    return instance->ft == &foreign_instance_ft && store_of(instance) != NULL &&
           instance->classDecl == &store_of(instance)->decl;
}

MI_Instance *foreign_instance_clone(const MI_Instance *from)
{
    if (from == NULL) {
        return NULL;
    }
    MI_Instance *to = is_dynamic(from)
                          ? foreign_instance_new(from->classDecl->name, from->classDecl->flags)
                          : foreign_instance_make(from->classDecl);
    copy_elements(to, from);
    return to;
}

MI_Instance *foreign_instance_inbound(const MI_ClassDecl *decl, const MI_Instance *from)
{
    MI_Instance *to = foreign_instance_make(decl);

    copy_elements(to, from);
    return to;
}

/* ---- the other slots ------------------------------------------------------------------------- */

static MI_Result MI_CALL instance_clone(const MI_Instance *self, MI_Instance **clone)
{
    *clone = foreign_instance_clone(self);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_is_a(const MI_Instance *self, const MI_ClassDecl *decl,
                                       MI_Boolean *flag)
{
    const MI_ClassDecl *at = self->classDecl;

    *flag = at == decl;
    while (!*flag && at != NULL && (at->flags & MI_FLAG_METHOD) == 0) {
        at = at->superClassDecl;
        *flag = at == decl;
    }
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_class_name(const MI_Instance *self, const MI_Char **name)
{
    *name = self->classDecl->name;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_set_space(MI_Instance *self, const MI_Char *name_space)
{
    self->nameSpace = text_of(self, name_space);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_space(const MI_Instance *self, const MI_Char **name_space)
{
    *name_space = self->nameSpace;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_count(const MI_Instance *self, MI_Uint32 *count)
{
    *count = count_of(self);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_set(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                                      MI_Type type, MI_Uint32 flags)
{
    MI_Uint32 index = name != NULL ? find_element(self, name) : UINT32_MAX;
    return index >= count_of(self) ? MI_RESULT_NO_SUCH_PROPERTY
                                   : set_at(self, index, value, type, flags);
}

static MI_Result MI_CALL instance_get_at(const MI_Instance *self, MI_Uint32 index,
                                         const MI_Char **name, MI_Value *value, MI_Type *type,
                                         MI_Uint32 *flags)
{
    if (index >= count_of(self)) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    const MI_ParameterDecl *element = element_at(self, index);
    if (name != NULL) {
        *name = element->name;
    }
    if (type != NULL) {
        *type = (MI_Type)element->type;
    }
    if (flags != NULL) {
        *flags = element->flags | (is_null(self, index) ? MI_FLAG_NULL : 0);
    }
    if (value != NULL) {
        memset(value, 0, sizeof(*value));
        if (!is_null(self, index)) {
            memcpy(value, field_at(self, index), value_size(element->type));
        }
    }
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_get(const MI_Instance *self, const MI_Char *name, MI_Value *value,
                                      MI_Type *type, MI_Uint32 *flags, MI_Uint32 *ret_index)
{
    MI_Uint32 index = name != NULL ? find_element(self, name) : UINT32_MAX;

    if (index >= count_of(self)) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    if (ret_index != NULL) {
        *ret_index = index;
    }
    return instance_get_at(self, index, NULL, value, type, flags);
}

static MI_Result MI_CALL instance_clear_at(MI_Instance *self, MI_Uint32 index)
{
    return set_at(self, index, NULL, MI_BOOLEAN, MI_FLAG_NULL);
}

static MI_Result MI_CALL instance_clear(MI_Instance *self, const MI_Char *name)
{
    return instance_set(self, name, NULL, MI_BOOLEAN, MI_FLAG_NULL);
}

static MI_Result MI_CALL instance_server(const MI_Instance *self, const MI_Char **name)
{
    *name = self->serverName;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_set_server(MI_Instance *self, const MI_Char *name)
{
    self->serverName = text_of(self, name);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL instance_class(const MI_Instance *self, MI_Class **object)
{
    (void)self;
    *object = NULL;
    return MI_RESULT_NOT_SUPPORTED;
}

const MI_InstanceFT foreign_instance_ft = {
    .Clone = instance_clone,
    .Destruct = instance_end,
    .Delete = instance_end,
    .IsA = instance_is_a,
    .GetClassName = instance_class_name,
    .SetNameSpace = instance_set_space,
    .GetNameSpace = instance_space,
    .GetElementCount = instance_count,
    .AddElement = instance_add,
    .SetElement = instance_set,
    .SetElementAt = set_at,
    .GetElement = instance_get,
    .GetElementAt = instance_get_at,
    .ClearElement = instance_clear,
    .ClearElementAt = instance_clear_at,
    .GetServerName = instance_server,
    .SetServerName = instance_set_server,
    .GetClass = instance_class,
};

/* ---- keys ------------------------------------------------------------------------------------ */

static bool same_value(const MI_Instance *a, MI_Uint32 at_a, const MI_Instance *b, MI_Uint32 at_b)
{
    MI_Uint32 type = element_at(a, at_a)->type;
    const char *of_a = field_at(a, at_a), *of_b = field_at(b, at_b);

    if (type != element_at(b, at_b)->type || (type & ARRAY) != 0) {
        return false;
    }
    if (type == MI_STRING) {
        return strcmp(*(MI_Char *const *)(const void *)of_a,
                      *(MI_Char *const *)(const void *)of_b) == 0;
    }
    if (type == MI_INSTANCE || type == MI_REFERENCE) {
        return foreign_instance_same_keys(*(MI_Instance *const *)(const void *)of_a,
                                          *(MI_Instance *const *)(const void *)of_b);
    }
    return memcmp(of_a, of_b, value_size(type)) == 0;
}

bool foreign_instance_same_keys(const MI_Instance *a, const MI_Instance *b)
{
    unsigned keys = 0;

    for (MI_Uint32 i = 0; i < count_of(a); i++) {
        if ((element_at(a, i)->flags & MI_FLAG_KEY) == 0) {
            continue;
        }
        MI_Uint32 other = find_element(b, element_at(a, i)->name);
        if (other == count_of(b) || is_null(a, i) || is_null(b, other) ||
            !same_value(a, i, b, other)) {
            return false;
        }
        keys++;
    }
    return keys > 0;
}

bool foreign_instance_has_keys(const MI_Instance *instance)
{
    for (MI_Uint32 i = 0; i < count_of(instance); i++) {
        if ((element_at(instance, i)->flags & MI_FLAG_KEY) != 0 && is_null(instance, i)) {
            return false;
        }
    }
    return true;
}

/* ---- options --------------------------------------------------------------------------------- */

static struct foreign_options *options_of(const MI_OperationOptions *options)
{
    return (struct foreign_options *)options->reserved2;
}

static void MI_CALL options_delete(MI_OperationOptions *options)
{
    free(options_of(options));
    memset(options, 0, sizeof(*options));
}

static MI_Result MI_CALL options_set_custom(MI_OperationOptions *options, const MI_Char *name,
                                            MI_Type type, const MI_Value *value,
                                            MI_Boolean must_comply, MI_Uint32 flags)
{
    struct foreign_options *all = options_of(options);

    (void)must_comply;
    if (name == NULL || value == NULL || flags != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    if (all->count == FOREIGN_OPTIONS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    snprintf(all->options[all->count].name, sizeof(all->options[0].name), "%s", name);
    all->options[all->count].type = type;
    all->options[all->count].value = *value;
    if (type == MI_STRING) {
        snprintf(all->options[all->count].text, sizeof(all->options[0].text), "%s", value->string);
    }
    all->count++;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL options_set_string(MI_OperationOptions *options, const MI_Char *name,
                                            const MI_Char *text, MI_Uint32 flags)
{
    MI_Value value;

    value.string = (MI_Char *)(uintptr_t)text;
    return options_set_custom(options, name, MI_STRING, text != NULL ? &value : NULL, MI_FALSE,
                              flags);
}

static MI_Result MI_CALL options_set_number(MI_OperationOptions *options, const MI_Char *name,
                                            MI_Uint32 number, MI_Uint32 flags)
{
    MI_Value value;

    value.uint32 = number;
    return options_set_custom(options, name, MI_UINT32, &value, MI_FALSE, flags);
}

static MI_Result MI_CALL options_count(const MI_OperationOptions *options, MI_Uint32 *count)
{
    *count = options_of(options)->count;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL options_at(const MI_OperationOptions *options, MI_Uint32 index,
                                    const MI_Char **name, MI_Value *value, MI_Type *type,
                                    MI_Uint32 *flags)
{
    const struct foreign_options *all = options_of(options);

    if (index >= all->count) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    *name = all->options[index].name;
    *value = all->options[index].value;
    *type = all->options[index].type;
    if (*type == MI_STRING) {
        value->string = (MI_Char *)(uintptr_t)all->options[index].text;
    }
    if (flags != NULL) {
        *flags = 0;
    }
    return MI_RESULT_OK;
}

/* What no test asks for stays NULL here: this host has such slots. */
static const MI_OperationOptionsFT foreign_options_ft = {
    .Delete = options_delete,
    .SetString = options_set_string,
    .SetNumber = options_set_number,
    .SetCustomOption = options_set_custom,
    .GetOptionCount = options_count,
    .GetOptionAt = options_at,
};

void foreign_options_read(struct foreign_options *to, const MI_OperationOptions *options)
{
    if (options != NULL && options->ft == &foreign_options_ft) {
        *to = *options_of(options);
    } else {
        memset(to, 0, sizeof(*to));
    }
}

/* ---- the application ------------------------------------------------------------------------- */

static MI_Result MI_CALL application_close(MI_Application *application)
{
    (void)application;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL application_new_instance(MI_Application *application, const MI_Char *name,
                                                  const MI_ClassDecl *decl, MI_Instance **instance)
{
    (void)application;
    if (name == NULL && decl == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *instance = decl != NULL ? foreign_instance_make(decl) : foreign_instance_new(name, 0);
    return MI_RESULT_OK;
}

static MI_Result MI_CALL application_new_options(MI_Application *application, MI_Boolean strict,
                                                 MI_OperationOptions *options)
{
    (void)application;
    (void)strict;
    *options = (MI_OperationOptions){0, (ptrdiff_t)must_alloc(sizeof(struct foreign_options)),
                                     &foreign_options_ft};
    return MI_RESULT_OK;
}

/* The other slots are NULL, as a peer's out-of-memory application has them. */
const MI_ApplicationFT foreign_application_ft = {
    .Close = application_close,
    .NewInstance = application_new_instance,
    .NewOperationOptions = application_new_options,
};
