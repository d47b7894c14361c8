/* SPDX-License-Identifier: MIT */
/*
 * Turns what a provider posts into what its client receives.
 *
 * result_new() is called for every posted instance, on the provider's thread and without a lock.
 * The copy is all that the client ever sees: it depends neither on the provider's memory nor on its
 * module.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* The name under which generated code keeps the return value, and the one that clients use. */
#define RETURN_INSIDE  MI_T("MIReturn")
#define RETURN_OUTSIDE MI_T("ReturnValue")

/* A class is ended through its own table. */
void result_free(struct result *result)
{
    if (result == NULL) {
        return;
    }
    instance_delete(result->instance);
    if (result->class_item != NULL) {
        result->class_item->ft->Delete(result->class_item);
    }
    base_free(result->bookmark);
    base_free(result);
}

/* Whether a parameter of a method's declaration is one that is streamed. */
static bool is_streamed(const MI_ClassDecl *decl, MI_Uint32 index)
{
    return decl != NULL && (decl->flags & MI_FLAG_METHOD) != 0 && index < decl->numProperties &&
           (decl->properties[index]->flags & MI_FLAG_STREAM) != 0 &&
           decl->properties[index]->offset == UINT32_MAX;
}

/* Instances within it may be the module's, too. */
static MI_Result append_output(MI_Instance *copy, const char *name, MI_Type type,
                               const MI_Value *value, const struct decl_copy *copies)
{
    MI_Type scalar = (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
    MI_Value taken;

    if (scalar != MI_INSTANCE && scalar != MI_REFERENCE) {
        return instance_append_element(copy, name, value, type, 0);
    }
    MI_Result result = value_take(type, value, copies, &taken);
    if (result == MI_RESULT_OK) {
        result = instance_append_element(copy, name, &taken, type, 0);
        value_release(type, &taken);
    }
    return result;
}

/* Copies output parameters and the return value, without pure inputs, into a dynamic instance named
 * after the method: its client must not depend on the module's declaration. */
static MI_Result copy_output(const char *method, const MI_Instance *posted,
                             const struct decl_copy *copies, MI_Instance **ret_instance)
{
    MI_Uint32 count = instance_element_count(posted);
    MI_Instance *copy = NULL;
    MI_Result result = instance_new_dynamic(method, MI_FLAG_METHOD, &copy);

    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < count; i++) {
        const char *name = NULL;
        MI_Uint32 flags = 0;
        MI_Value value;
        MI_Type type;
        if (is_streamed(posted->classDecl, i)) {
            continue; /* it has no place in the instance */
        }
        result = instance_element_at(posted, i, &name, &value, &type, &flags);
        if (result != MI_RESULT_OK || ((flags & MI_FLAG_IN) != 0 && (flags & MI_FLAG_OUT) == 0)) {
            continue;
        }
        bool is_null = (flags & MI_FLAG_NULL) != 0;
        name = decl_name_equal(name, RETURN_INSIDE) ? RETURN_OUTSIDE : name;
        result = is_null ? instance_append_element(copy, name, NULL, type, MI_FLAG_NULL)
                         : append_output(copy, name, type, &value, copies);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(copy);
        return result;
    }
    *ret_instance = copy;
    return MI_RESULT_OK;
}

/* What the provider posted may lie in its own memory and end with its context, so it is always
 * copied. */
static MI_Result copy_posted(const struct request *request, const MI_Instance *posted,
                             const struct decl_copy *copies, MI_Instance **ret_instance)
{
    if (request->kind == REQUEST_INVOKE) {
        return copy_output(request->method_name, posted, copies, ret_instance);
    }
    MI_Instance *copy = NULL;
    MI_Result result =
        copies == NULL ? instance_copy(posted, &copy) : instance_take(posted, copies, &copy);
    if (result == MI_RESULT_OK && request->project) {
        result = instance_project(copy, request->set, true);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(copy);
        return result;
    }
    *ret_instance = copy;
    return MI_RESULT_OK;
}

/* The namespace is that of the request, whatever the provider wrote: the client could not use
 * another one for its next request. */
MI_Result result_new(const struct request *request, const MI_Instance *posted,
                     const struct decl_copy *copies, struct result **ret_result)
{
    size_t size = 0;

    if (!instance_fits(posted, MIGUARD_HOST_MAX_INSTANCE_BYTES, &size)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    struct result *item = base_alloc(1, sizeof(*item));
    if (item == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    item->size = sizeof(*item) + size;
    MI_Result result = copy_posted(request, posted, copies, &item->instance);
    if (result == MI_RESULT_OK) {
        result = item->instance->ft->SetNameSpace(item->instance, request->name_space);
    }
    if (result != MI_RESULT_OK) {
        result_free(item);
        return result;
    }
    *ret_result = item;
    return MI_RESULT_OK;
}

/* Last, when the instance is whole: what was streamed belongs to it, too. The texts of numbers are
 * larger than the numbers, so that the size is looked at again. */
MI_Result result_as_wanted(const struct request *request, struct result *item)
{
    MI_Instance *texts = NULL;
    size_t size = 0;

    if (!request->texts) {
        return MI_RESULT_OK;
    }
    MI_Result result = instance_texts(item->instance, &texts);
    if (result != MI_RESULT_OK) {
        return result;
    }
    instance_delete(item->instance);
    item->instance = texts;
    if (!instance_fits(texts, MIGUARD_HOST_MAX_INSTANCE_BYTES, &size)) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    item->size = sizeof(*item) + size;
    return MI_RESULT_OK;
}
