/* SPDX-License-Identifier: MIT */
/*
 * The classes of lifecycle indications, as the CIM schema names them (DSP1054): CIM_InstIndication
 * and the five that derive from it.
 *
 * They are declared here, since no module serves them: the host makes their instances of what
 * providers post. One struct has the fields of all classes; each class lists those it has, and the
 * common ones stand first.
 */
#include "host/server/lifecycle.h"

#include <time.h>

#include "base/civil.h"
#include "host/object/instance_internal.h"
#include "host/object/object.h"

/* Name, first and last letter in lower case for its code, kind of field, type, class. */
#define PROPERTIES(X)                                                                              \
    X(IndicationTime, 'i', 'e', Datetime, MI_DATETIME, "CIM_Indication")                           \
    X(SourceInstance, 's', 'e', Instance, MI_INSTANCE, "CIM_InstIndication")                       \
    X(PreviousInstance, 'p', 'e', Instance, MI_INSTANCE, "CIM_InstModification")                   \
    X(MethodName, 'm', 'e', String, MI_STRING, "CIM_InstMethodCall")                               \
    X(MethodParameters, 'm', 's', Instance, MI_INSTANCE, "CIM_InstMethodCall")                     \
    X(ReturnValue, 'r', 'e', String, MI_STRING, "CIM_InstMethodCall")                              \
    X(PreCall, 'p', 'l', Boolean, MI_BOOLEAN, "CIM_InstMethodCall")

/* decl_name_code() as a constant expression. */
#define NAME_CODE(name, first, last) ((first) << 16 | (last) << 8 | (sizeof(name) - 1))

struct inst_indication {
    MI_Instance instance;
#define FIELD(name, first, last, kind, type, class_name) MI_Const##kind##Field name;
    PROPERTIES(FIELD)
#undef FIELD
};

#define PROPERTY(property, first, last, kind, kind_type, class_name)                               \
    static const MI_PropertyDecl property##_decl = {                                               \
        .flags = MI_FLAG_PROPERTY | MI_FLAG_READONLY,                                              \
        .code = NAME_CODE(#property, first, last),                                                 \
        .name = #property,                                                                         \
        .type = (kind_type),                                                                       \
        .offset = offsetof(struct inst_indication, property),                                      \
        .origin = (class_name),                                                                    \
        .propagator = (class_name),                                                                \
    };
PROPERTIES(PROPERTY)
#undef PROPERTY

static const MI_PropertyDecl *const common_properties[] = {&IndicationTime_decl,
                                                           &SourceInstance_decl};
static const MI_PropertyDecl *const modification_properties[] = {
    &IndicationTime_decl, &SourceInstance_decl, &PreviousInstance_decl};
static const MI_PropertyDecl *const method_call_properties[] = {
    &IndicationTime_decl,   &SourceInstance_decl, &MethodName_decl,
    &MethodParameters_decl, &ReturnValue_decl,    &PreCall_decl};

#define CLASS(class_name, last, list)                                                              \
    .flags = MI_FLAG_CLASS | MI_FLAG_INDICATION, .code = NAME_CODE(class_name, 'c', last),         \
    .name = (class_name), .properties = (list), .numProperties = sizeof(list) / sizeof((list)[0]), \
    .size = sizeof(struct inst_indication)

static const MI_ClassDecl indication_decl = {CLASS("CIM_InstIndication", 'n', common_properties)};

#define DERIVED                                                                                    \
    .superClass = "CIM_InstIndication", .superClassDecl = (MI_ClassDecl *)&indication_decl

/* By the bit of the type. */
static const MI_ClassDecl class_decls[] = {
    {CLASS("CIM_InstCreation", 'n', common_properties), DERIVED},
    {CLASS("CIM_InstModification", 'n', modification_properties), DERIVED},
    {CLASS("CIM_InstDeletion", 'n', common_properties), DERIVED},
    {CLASS("CIM_InstRead", 'd', common_properties), DERIVED},
    {CLASS("CIM_InstMethodCall", 'l', method_call_properties), DERIVED},
};

enum { CLASSES = sizeof(class_decls) / sizeof(class_decls[0]) };

_Static_assert(MI_LIFECYCLE_INDICATION_ALL == (1u << CLASSES) - 1, "a class for each type");

const MI_ClassDecl *lifecycle_class(const char *name, MI_Uint32 *ret_types)
{
    if (decl_name_equal(name, indication_decl.name)) {
        *ret_types = MI_LIFECYCLE_INDICATION_ALL;
        return &indication_decl;
    }
    for (unsigned i = 0; i < CLASSES; i++) {
        if (decl_name_equal(name, class_decls[i].name)) {
            *ret_types = 1u << i;
            return &class_decls[i];
        }
    }
    return NULL;
}

/* Without gmtime_r(3), which takes a lock of the C library. */
static MI_Datetime present_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    const struct civil_date date = civil_date((uint64_t)now.tv_sec / 86400);
    MI_Uint32 seconds = (MI_Uint32)(now.tv_sec % 86400);
    return (MI_Datetime){.isTimestamp = 1,
                         .u.timestamp = {.year = (MI_Uint32)date.year,
                                         .month = date.month,
                                         .day = date.day,
                                         .hour = seconds / 3600,
                                         .minute = seconds / 60 % 60,
                                         .second = seconds % 60,
                                         .microseconds = (MI_Uint32)(now.tv_nsec / 1000)}};
}

/* NULL leaves the property NULL. */
static MI_Result set_instance(MI_Instance *self, const char *name,
                              const struct lifecycle_event *event, const MI_Instance *value)
{
    MI_Instance *copy = NULL;
    MI_Value owned;

    if (value == NULL) {
        return MI_RESULT_OK;
    }
    /* By instance_take(): it is the provider's, and may have no table. */
    MI_Result result = instance_take(value, event->copies, &copy);
    if (result != MI_RESULT_OK) {
        return result;
    }
    owned.instance = copy;
    result = instance_set_element(self, name, &owned, MI_INSTANCE, 0);
    instance_delete(copy);
    return result;
}

static MI_Result set_text(MI_Instance *self, const char *name, const MI_Char *text)
{
    MI_Value value = {.string = (MI_Char *)(uintptr_t)text};

    return text == NULL ? MI_RESULT_OK : instance_set_element(self, name, &value, MI_STRING, 0);
}

static MI_Result set_call(MI_Instance *self, const struct lifecycle_event *event)
{
    MI_Value before = {.boolean = event->before_call};

    MI_Result result = set_text(self, "MethodName", event->method);
    if (result == MI_RESULT_OK) {
        result = set_instance(self, "MethodParameters", event, event->parameters);
    }
    if (result == MI_RESULT_OK) {
        result = set_text(self, "ReturnValue", event->return_value);
    }
    return result == MI_RESULT_OK ? instance_set_element(self, "PreCall", &before, MI_BOOLEAN, 0)
                                  : result;
}

static MI_Result fill(MI_Instance *self, const struct lifecycle_event *event)
{
    MI_Value now = {.datetime = present_time()};

    MI_Result result = instance_set_element(self, "IndicationTime", &now, MI_DATETIME, 0);
    if (result == MI_RESULT_OK) {
        result = set_instance(self, "SourceInstance", event, event->source);
    }
    if (result == MI_RESULT_OK && event->type == MI_LIFECYCLE_INDICATION_MODIFY) {
        result = set_instance(self, "PreviousInstance", event, event->previous);
    }
    if (result == MI_RESULT_OK && event->type == MI_LIFECYCLE_INDICATION_METHODCALL) {
        result = set_call(self, event);
    }
    return result;
}

MI_Result lifecycle_instance(const struct lifecycle_event *event, MI_Instance **ret_instance)
{
    MI_Instance *instance = NULL;
    unsigned bit = 0;

    while ((event->type & 1u << bit) == 0) {
        bit++;
    }
    MI_Result result = instance_new(&class_decls[bit], &instance);
    if (result == MI_RESULT_OK) {
        result = fill(instance, event);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(instance);
        return result;
    }
    *ret_instance = instance;
    return MI_RESULT_OK;
}
