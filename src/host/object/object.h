/* SPDX-License-Identifier: MIT */
/*
 * MI objects as the host makes them: instances, classes, property sets, options.
 *
 * Objects are plain heap objects owned by the caller that made them; nothing here depends on
 * requests, threads or modules. Names compare case-insensitively, as CIM demands (DSP0004, 5.2).
 */
#ifndef HOST_OBJECT_OBJECT_H
#define HOST_OBJECT_OBJECT_H

#include <MI.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- values (value.c) ------------------------------------------------------------------ */

/* The size of a value of this type in a field or MI_Value (16 for every array), 0 for an unknown
 * type; and the size of one array element. */
size_t value_size(MI_Type type);
size_t value_element_size(MI_Type type);

/* Deep copy of one value of type from *from to *to: only value_size(type) bytes of *from are read,
 * since a provider may pass less than a whole MI_Value. OK, SERVER_LIMITS_EXCEEDED, or
 * INVALID_PARAMETER for an unknown type. */
MI_Result value_copy(MI_Type type, const void *from, void *to);

/* Releases what value_copy() allocated and zeroes the value. */
void value_release(MI_Type type, void *value);

/* Key equality: the same type and content; strings case-sensitively, references by their keys. */
bool value_equal(MI_Type type, const void *a, const void *b);

/* From a string ("42", "true", "20261122091500.000000+000") to a typed scalar; TYPE_MISMATCH when
 * the text is not such a value. The result is owned like value_copy()'s. */
MI_Result value_from_text(MI_Type type, const char *text, void *to);

/* ---- declarations (decl.c) ------------------------------------------------------------- */

MI_Uint32 decl_name_code(const char *name);
bool decl_name_equal(const char *a, const char *b);
bool decl_name_legal(const char *name); /* a CIM identifier */

/* The flattened properties of a class declaration, or the parameters of a method declaration used
 * as one (flags has MI_FLAG_METHOD): only the fields that both have are read. */
struct decl_element {
    const char *name;
    MI_Uint32 flags;
    MI_Type type;
    MI_Uint32 offset;
    const char *class_name;    /* of a reference or embedded instance */
    const void *default_value; /* NULL for parameters */
};
MI_Uint32 decl_element_count(const MI_ClassDecl *decl);
bool decl_element_at(const MI_ClassDecl *decl, MI_Uint32 index, struct decl_element *ret_element);
bool decl_element_find(const MI_ClassDecl *decl, const char *name, MI_Uint32 *ret_index);

const MI_ClassDecl *decl_class_find(const MI_SchemaDecl *schema, const char *name);
const MI_MethodDecl *decl_method_find(const MI_ClassDecl *decl, const char *name);

/* True when decl is, or derives from, the class called name. */
bool decl_derives_from(const MI_ClassDecl *decl, const char *name);

/* Checks a declaration of a module before it is used: sizes, offsets, counts, NULL names, unknown
 * types, offsets beyond size. NULL when valid, else what is wrong (static text). */
const char *decl_fault(const MI_ClassDecl *decl);
const char *decl_method_fault(const MI_MethodDecl *decl);

/* ---- instances (instance.c) ------------------------------------------------------------ */

extern const MI_InstanceFT instance_ft;

/* An instance laid out by decl (class, or method cast to class), in caller storage of decl->size
 * bytes (construct: released with Destruct) or on the heap (new: released with Delete). Property
 * defaults are applied for classes. */
MI_Result instance_construct(const MI_ClassDecl *decl, MI_Instance *storage);
MI_Result instance_new(const MI_ClassDecl *decl, MI_Instance **ret_instance);

/* A dynamic instance: its elements are added one by one and its declaration is its own. flags is
 * 0 or one of MI_FLAG_CLASS, MI_FLAG_ASSOCIATION, MI_FLAG_INDICATION, MI_FLAG_METHOD. */
MI_Result instance_new_dynamic(const char *class_name, MI_Uint32 flags, MI_Instance **ret_instance);

/* A deep copy on the heap. Reads through classDecl and offsets only, unless ft is instance_ft or a
 * dynamic instance has a foreign table; ft may be NULL (reference F.5). */
MI_Result instance_copy(const MI_Instance *from, MI_Instance **ret_instance);

/* The same content laid out by decl, which belongs to another module (reference D.4): properties
 * are matched by name, strings converted to the declared type; elements unknown to decl are
 * ignored unless reject_unknown. A key of decl that is missing and has no default is
 * NO_SUCH_PROPERTY when keys_required; a value of another type is TYPE_MISMATCH. Embedded
 * instances and references are converted by the class of that name in schema, when it has one. */
struct instance_convert {
    const MI_SchemaDecl *schema;
    bool keys_required;
    bool reject_unknown;
};
MI_Result instance_convert_to(const MI_Instance *from, const MI_ClassDecl *decl,
                              const struct instance_convert *how, MI_Instance **ret_instance);

/* Uniform reading of any instance, ft NULL included: element count, one element by index. The
 * value is borrowed. Flags have MI_FLAG_NULL without a value. */
MI_Uint32 instance_element_count(const MI_Instance *instance);
MI_Result instance_element_at(const MI_Instance *instance, MI_Uint32 index, const char **ret_name,
                              MI_Value *ret_value, MI_Type *ret_type, MI_Uint32 *ret_flags);
MI_Result instance_element_find(const MI_Instance *instance, const char *name, MI_Value *ret_value,
                                MI_Type *ret_type, MI_Uint32 *ret_flags);

const char *instance_class_name(const MI_Instance *instance);

/* True when both have the same keys, at least one, with equal values. */
bool instance_keys_equal(const MI_Instance *a, const MI_Instance *b);

/* False when a KEY element has no value. */
bool instance_keys_complete(const MI_Instance *instance);

/* Clears every element that is neither a key (when keep_keys) nor in set; set NULL keeps all. */
MI_Result instance_project(MI_Instance *instance, const MI_PropertySet *set, bool keep_keys);

void instance_delete(MI_Instance *instance); /* NULL is allowed; any host-made heap instance */

/* ---- CIM_Error (error_instance.c) ------------------------------------------------------ */

/* The result a PostError of (code, type) ends the operation with (reference E, row 27). */
MI_Result error_result_from(MI_Uint32 code, const char *type);

/* A CIM_Error instance with CIMStatusCode, Message, MessageID, OwningEntity, ErrorType,
 * error_Code, error_Type, error_Category and so on, as far as is known. */
MI_Result error_instance_new(MI_Result result, MI_Uint32 code, const char *type,
                             const char *message, MI_Instance **ret_instance);

/* The operation result of a posted CIM_Error; FAILED without a usable uint32 CIMStatusCode. */
MI_Result error_instance_result(const MI_Instance *error);

/* ---- classes (class.c) ----------------------------------------------------------------- */

/* An MI_Class over a static declaration that outlives it, or a deep copy of a dynamic one. */
MI_Result class_new(const MI_ClassDecl *decl, const char *name_space, const char *server,
                    MI_Class **ret_class);

/* ---- property sets (property_set.c) ---------------------------------------------------- */

extern const MI_PropertySetFT property_set_ft;
MI_Result property_set_new(MI_PropertySet **ret_set);

/* ---- options (options.c) --------------------------------------------------------------- */

/*
 * GetOption and GetOptionAt report a custom option that the server must understand (its own
 * mustComply, or must_understand here) by MI_FLAG_REQUIRED in flags, and a disabled message channel
 * by 1.
 */
MI_Result operation_options_new(MI_Boolean must_understand, MI_OperationOptions *ret_options);
MI_Result destination_options_new(MI_DestinationOptions *ret_options);
MI_Result delivery_options_new(MI_SubscriptionDeliveryType type,
                               MI_SubscriptionDeliveryOptions *ret_options);

/* True when *options was made by operation_options_new() of this host and is not deleted. */
bool operation_options_valid(const MI_OperationOptions *options);

/* ---- filters (filter.c) ---------------------------------------------------------------- */

extern const MI_FilterFT filter_ft;

/* A filter in the caller's memory; it borrows both texts and need not be deleted. */
void filter_init(MI_Filter *filter, const char *language, const char *expression);

#endif
