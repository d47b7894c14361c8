/* SPDX-License-Identifier: MIT */
/*
 * CIM_Error: what a failed operation reports beyond its result.
 *
 * The class is declared here as a generator would declare it: one list of properties
 * (CIM_ERROR_PROPERTIES) becomes the struct, the property declarations and their array, so that the
 * three cannot differ. error_instance_new() makes an instance of it like of any other class.
 *
 * The text of a result is English and stays the same, so that programs may compare it; the number
 * is in CIMStatusCode. A message that a provider gives is passed on as it is.
 */
#include "host/object/object.h"

#include "base/text.h"
#include "host/object/instance_internal.h"

/* The class: name, first and last letter in lower case for its code, kind of field, type. The last
 * three are used by MI clients beside the standard ones (DSP0223 and the CIM schema). */
#define CIM_ERROR_PROPERTIES(X)                                                                    \
    X(ErrorType, 'e', 'e', Uint16, MI_UINT16)                                                      \
    X(OtherErrorType, 'o', 'e', String, MI_STRING)                                                 \
    X(OwningEntity, 'o', 'y', String, MI_STRING)                                                   \
    X(MessageID, 'm', 'd', String, MI_STRING)                                                      \
    X(Message, 'm', 'e', String, MI_STRING)                                                        \
    X(MessageArguments, 'm', 's', StringA, MI_STRINGA)                                             \
    X(PerceivedSeverity, 'p', 'y', Uint16, MI_UINT16)                                              \
    X(ProbableCause, 'p', 'e', Uint16, MI_UINT16)                                                  \
    X(ProbableCauseDescription, 'p', 'n', String, MI_STRING)                                       \
    X(RecommendedActions, 'r', 's', StringA, MI_STRINGA)                                           \
    X(ErrorSource, 'e', 'e', String, MI_STRING)                                                    \
    X(ErrorSourceFormat, 'e', 't', Uint16, MI_UINT16)                                              \
    X(OtherErrorSourceFormat, 'o', 't', String, MI_STRING)                                         \
    X(CIMStatusCode, 'c', 'e', Uint32, MI_UINT32)                                                  \
    X(CIMStatusCodeDescription, 'c', 'n', String, MI_STRING)                                       \
    X(error_Category, 'e', 'y', Uint16, MI_UINT16)                                                 \
    X(error_Code, 'e', 'e', Uint32, MI_UINT32)                                                     \
    X(error_Type, 'e', 'e', String, MI_STRING)

/* decl_name_code() as a constant expression. */
#define NAME_CODE(name, first, last) ((first) << 16 | (last) << 8 | (sizeof(name) - 1))

/* The instance struct, whose offsets the declarations use. */
struct cim_error {
    MI_Instance instance;
#define FIELD(name, first, last, kind, type) MI_Const##kind##Field name;
    CIM_ERROR_PROPERTIES(FIELD)
#undef FIELD
};

#define PROPERTY(property, first, last, kind, kind_type)                                           \
    static const MI_PropertyDecl property##_decl = {                                               \
        .flags = MI_FLAG_PROPERTY | MI_FLAG_READONLY,                                              \
        .code = NAME_CODE(#property, first, last),                                                 \
        .name = #property,                                                                         \
        .type = (kind_type),                                                                       \
        .offset = offsetof(struct cim_error, property),                                            \
        .origin = "CIM_Error",                                                                     \
        .propagator = "CIM_Error",                                                                 \
    };
CIM_ERROR_PROPERTIES(PROPERTY)
#undef PROPERTY

static const MI_PropertyDecl *const cim_error_properties[] = {
#define ENTRY(name, first, last, kind, type) &name##_decl,
    CIM_ERROR_PROPERTIES(ENTRY)
#undef ENTRY
};

static const MI_ClassDecl cim_error_decl = {
    .flags = MI_FLAG_CLASS,
    .code = NAME_CODE("CIM_Error", 'c', 'r'),
    .name = "CIM_Error",
    .properties = cim_error_properties,
    .numProperties = sizeof(cim_error_properties) / sizeof(cim_error_properties[0]),
    .size = sizeof(struct cim_error),
};

/* Values of CIM_Error.ErrorType. */
enum {
    ERROR_TYPE_COMMUNICATIONS = 2,
    ERROR_TYPE_SOFTWARE = 4,
    ERROR_TYPE_SECURITY = 7,
    ERROR_TYPE_OVERSUBSCRIPTION = 8,
    ERROR_TYPE_UNAVAILABLE = 9,
    ERROR_TYPE_UNSUPPORTED = 10,
};

/* What is known about each MI_Result: its text, and how CIM_Error classifies it. Indexed by the
 * result; 18 and 19 are unused numbers and stay without a text. */
static const struct result_meaning {
    const char *text; /* NULL: not a result */
    unsigned char error_type;
    unsigned char category;
} meanings[] = {
    [MI_RESULT_OK] = {"ok", ERROR_TYPE_SOFTWARE, MI_ERRORCATEGORY_NOT_SPECIFIED},
    [MI_RESULT_FAILED] = {"failed", ERROR_TYPE_SOFTWARE, MI_ERRORCATEGORY_NOT_SPECIFIED},
    [MI_RESULT_ACCESS_DENIED] = {"access denied", ERROR_TYPE_SECURITY,
                                 MI_ERRORCATEGORY_ACCESS_DENIED},
    [MI_RESULT_INVALID_NAMESPACE] = {"invalid namespace", ERROR_TYPE_SOFTWARE,
                                     MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_INVALID_PARAMETER] = {"invalid parameter", ERROR_TYPE_SOFTWARE,
                                     MI_ERRORCATEGORY_INVALID_ARGUMENT},
    [MI_RESULT_INVALID_CLASS] = {"invalid class", ERROR_TYPE_SOFTWARE,
                                 MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_NOT_FOUND] = {"not found", ERROR_TYPE_SOFTWARE, MI_ERRORCATEGORY_OBJECT_NOT_FOUND},
    [MI_RESULT_NOT_SUPPORTED] = {"not supported", ERROR_TYPE_UNSUPPORTED,
                                 MI_ERRORCATEGORY_NOT_IMPLEMENTED},
    [MI_RESULT_CLASS_HAS_CHILDREN] = {"class has children", ERROR_TYPE_SOFTWARE,
                                      MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_CLASS_HAS_INSTANCES] = {"class has instances", ERROR_TYPE_SOFTWARE,
                                       MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_INVALID_SUPERCLASS] = {"invalid superclass", ERROR_TYPE_SOFTWARE,
                                      MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_ALREADY_EXISTS] = {"already exists", ERROR_TYPE_SOFTWARE,
                                  MI_ERRORCATEGORY_RESOURCE_EXISTS},
    [MI_RESULT_NO_SUCH_PROPERTY] = {"no such property", ERROR_TYPE_SOFTWARE,
                                    MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_TYPE_MISMATCH] = {"type mismatch", ERROR_TYPE_SOFTWARE,
                                 MI_ERRORCATEGORY_INVALID_TYPE},
    [MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED] = {"query language not supported",
                                                ERROR_TYPE_UNSUPPORTED,
                                                MI_ERRORCATEGORY_NOT_IMPLEMENTED},
    [MI_RESULT_INVALID_QUERY] = {"invalid query", ERROR_TYPE_SOFTWARE,
                                 MI_ERRORCATEGORY_SYNTAX_ERROR},
    [MI_RESULT_METHOD_NOT_AVAILABLE] = {"method not available", ERROR_TYPE_UNSUPPORTED,
                                        MI_ERRORCATEGORY_NOT_IMPLEMENTED},
    [MI_RESULT_METHOD_NOT_FOUND] = {"method not found", ERROR_TYPE_SOFTWARE,
                                    MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_NAMESPACE_NOT_EMPTY] = {"namespace not empty", ERROR_TYPE_SOFTWARE,
                                       MI_ERRORCATEGORY_METADATA_ERROR},
    [MI_RESULT_INVALID_ENUMERATION_CONTEXT] = {"invalid enumeration context",
                                               ERROR_TYPE_COMMUNICATIONS,
                                               MI_ERRORCATEGORY_INVALID_OPERATION},
    [MI_RESULT_INVALID_OPERATION_TIMEOUT] = {"invalid operation timeout", ERROR_TYPE_SOFTWARE,
                                             MI_ERRORCATEGORY_INVALID_ARGUMENT},
    [MI_RESULT_PULL_HAS_BEEN_ABANDONED] = {"pull has been abandoned", ERROR_TYPE_COMMUNICATIONS,
                                           MI_ERRORCATEGORY_OPERATION_STOPPED},
    [MI_RESULT_PULL_CANNOT_BE_ABANDONED] = {"pull cannot be abandoned", ERROR_TYPE_COMMUNICATIONS,
                                            MI_ERRORCATEGORY_INVALID_OPERATION},
    [MI_RESULT_FILTERED_ENUMERATION_NOT_SUPPORTED] = {"filtered enumeration not supported",
                                                      ERROR_TYPE_UNSUPPORTED,
                                                      MI_ERRORCATEGORY_NOT_IMPLEMENTED},
    [MI_RESULT_CONTINUATION_ON_ERROR_NOT_SUPPORTED] = {"continuation on error not supported",
                                                       ERROR_TYPE_UNSUPPORTED,
                                                       MI_ERRORCATEGORY_NOT_IMPLEMENTED},
    [MI_RESULT_SERVER_LIMITS_EXCEEDED] = {"server limits exceeded", ERROR_TYPE_OVERSUBSCRIPTION,
                                          MI_ERRORCATEGORY_LIMITS_EXCEEDED},
    [MI_RESULT_SERVER_IS_SHUTTING_DOWN] = {"server is shutting down", ERROR_TYPE_UNAVAILABLE,
                                           MI_ERRORCATEGORY_RESOURCE_UNAVAILABLE},
};

/* Whether code is a member of MI_Result. */
static bool result_known(MI_Uint32 code)
{
    return code < sizeof(meanings) / sizeof(meanings[0]) && meanings[code].text != NULL;
}

/* Names of types compare like CIM names. The number of another system says nothing as an MI_Result,
 * so it is FAILED, but 0 is success in each of them. An unknown or missing type is FAILED even with
 * code 0. */
MI_Result error_result_from(MI_Uint32 code, const char *type)
{
    static const char *const foreign[] = {MI_RESULT_TYPE_HRESULT, MI_RESULT_TYPE_WIN32,
                                          MI_RESULT_TYPE_ERRNO, MI_RESULT_TYPE_WINRM};

    if (decl_name_equal(type, MI_RESULT_TYPE_MI)) {
        return result_known(code) ? (MI_Result)code : MI_RESULT_FAILED;
    }
    /* Zero is success in each of these; their other numbers mean nothing as an MI_Result: errno 2
     * is not ACCESS_DENIED. */
    for (size_t i = 0; code == 0 && i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (decl_name_equal(type, foreign[i])) {
            return MI_RESULT_OK;
        }
    }
    return MI_RESULT_FAILED;
}

/* The content of a CIM_Error before it is stored. severity and cause stay 0, "unknown". */
struct error_values {
    MI_Uint16 error_type, severity, cause, category;
    MI_Uint32 status, code;
    const char *owner, *message_id, *message, *description, *type;
};

/* By name rather than by struct member, so that `exists` and ownership are right. The setter
 * copies. */
static MI_Result fill(MI_Instance *error, const struct error_values *values)
{
    const struct {
        const char *name;
        MI_Type type;
        const void *value;
    } elements[] = {
        {"ErrorType", MI_UINT16, &values->error_type},
        {"OwningEntity", MI_STRING, &values->owner},
        {"MessageID", MI_STRING, &values->message_id},
        {"Message", MI_STRING, &values->message},
        {"PerceivedSeverity", MI_UINT16, &values->severity},
        {"ProbableCause", MI_UINT16, &values->cause},
        {"CIMStatusCode", MI_UINT32, &values->status},
        {"CIMStatusCodeDescription", MI_STRING, &values->description},
        {"error_Category", MI_UINT16, &values->category},
        {"error_Code", MI_UINT32, &values->code},
        {"error_Type", MI_STRING, &values->type},
    };
    MI_Result result = MI_RESULT_OK;

    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]) && result == MI_RESULT_OK; i++) {
        result =
            instance_set_element(error, elements[i].name, elements[i].value, elements[i].type, 0);
    }
    return result;
}

/* A result that is not a known code is described as FAILED; `code` and `type` keep what was
 * posted. */
MI_Result error_instance_new(MI_Result result, MI_Uint32 code, const char *type,
                             const char *message, MI_Instance **ret_instance)
{
    MI_Uint32 status = result_known((MI_Uint32)result) ? (MI_Uint32)result : MI_RESULT_FAILED;
    const struct result_meaning *meaning = &meanings[status];
    struct text message_id = TEXT_EMPTY;
    MI_Instance *error = NULL;

    if (ret_instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    type = type == NULL ? MI_RESULT_TYPE_MI : type;
    text_format(&message_id, "%s %u", type, code);
    if (message_id.failed) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    /* An MI_Result has the number of the CIM status code with the same meaning (DSP0223, 5.6.2). */
    const struct error_values values = {
        .error_type = meaning->error_type,
        .category = meaning->category,
        .status = status,
        .code = code,
        .owner = "miguard",
        .message_id = message_id.data,
        .message = message == NULL ? meaning->text : message,
        .description = meaning->text,
        .type = type,
    };
    MI_Result made = instance_new(&cim_error_decl, &error);
    if (made == MI_RESULT_OK) {
        made = fill(error, &values);
    }
    text_release(&message_id);
    if (made != MI_RESULT_OK) {
        instance_delete(error);
        return made;
    }
    *ret_instance = error;
    return MI_RESULT_OK;
}

MI_Result error_instance_timeout(const char *message, MI_Instance **ret_instance)
{
    const MI_Uint16 category = MI_ERRORCATEGORY_OPERATION_TIMEOUT;
    MI_Instance *error = NULL;
    MI_Value value;

    MI_Result result =
        error_instance_new(MI_RESULT_FAILED, MI_RESULT_FAILED, NULL, message, &error);
    if (result == MI_RESULT_OK) {
        value.uint16 = category;
        result = instance_set_element(error, "error_Category", &value, MI_UINT16, 0);
    }
    if (result != MI_RESULT_OK) {
        instance_delete(error);
        return result;
    }
    *ret_instance = error;
    return MI_RESULT_OK;
}

/* Status 0 does not denote an error: a posted error is a failure. */
MI_Result error_instance_result(const MI_Instance *error)
{
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;

    if (instance_element_find(error, "CIMStatusCode", &value, &type, &flags) != MI_RESULT_OK ||
        type != MI_UINT32 || (flags & MI_FLAG_NULL) != 0 || value.uint32 == MI_RESULT_OK ||
        !result_known(value.uint32)) {
        return MI_RESULT_FAILED;
    }
    return (MI_Result)value.uint32;
}
