/* SPDX-License-Identifier: MIT */
/*
 * How much memory the values of an instance take: for limits, so an estimate is enough.
 *
 * The walk reads as a copy does, and ends where a copy would: at the limits of struct nest.
 */
#include "host/object/object.h"

#include "host/object/instance_internal.h"
#include "miguard/host.h"

_Static_assert(NEST_MAX_DEPTH == MIGUARD_HOST_MAX_DEPTH, "the limit that the header documents");

/* For each instance and each element, about what this host keeps beside the value itself. */
enum { COST_INSTANCE = 256, COST_ELEMENT = 48 };

static size_t size_of_instance(const MI_Instance *instance, size_t most, struct nest *nest);

/* What one value of a scalar type has outside of itself. */
static size_t size_of_scalar(MI_Type type, const void *value, size_t most, struct nest *nest)
{
    const void *pointer = NULL;

    if (type != MI_STRING && !type_is_instance(type)) {
        return 0;
    }
    memcpy(&pointer, value, sizeof(pointer));
    if (pointer == NULL) {
        return 0;
    }
    return type == MI_STRING ? strnlen(pointer, most) + 1 : size_of_instance(pointer, most, nest);
}

/* Stops as soon as the sum is above `most`: an array of unknown origin may be of any size. */
static size_t size_of_array(MI_Type type, const MI_Array *array, size_t most, struct nest *nest)
{
    MI_Type scalar = type_scalar(type);
    size_t each = value_size(scalar);
    size_t sum = each * array->size;

    if (value_array_limits(type, array) != MI_RESULT_OK || !value_owns_memory(scalar)) {
        return sum;
    }
    for (MI_Uint32 i = 0; i < array->size && sum <= most; i++) {
        const unsigned char *at = (const unsigned char *)array->data + i * each;
        sum += size_of_scalar(scalar, at, most - sum, nest);
    }
    return sum;
}

/* At a limit of nest the instance counts as larger than anything: its copy fails as well. */
static size_t size_of_instance(const MI_Instance *instance, size_t most, struct nest *nest)
{
    MI_Uint32 count = instance_element_count(instance);
    size_t sum = COST_INSTANCE;

    if (!nest_enter(nest)) {
        return SIZE_MAX / 2;
    }
    for (MI_Uint32 i = 0; i < count && sum <= most; i++) {
        MI_Uint32 flags = 0;
        MI_Value value;
        MI_Type type;
        sum += COST_ELEMENT;
        if (instance_element_at(instance, i, NULL, &value, &type, &flags) != MI_RESULT_OK ||
            (flags & MI_FLAG_NULL) != 0 || sum > most) {
            continue;
        }
        sum += type_is_array(type) ? size_of_array(type, &value.array, most - sum, nest)
                                   : size_of_scalar(type, &value, most - sum, nest);
    }
    nest_leave(nest);
    return sum;
}

bool instance_fits(const MI_Instance *instance, size_t most, size_t *ret_size)
{
    struct nest nest = {0};
    size_t size = size_of_instance(instance, most, &nest);

    if (size > most) {
        return false;
    }
    *ret_size = size;
    return true;
}
