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

/* The bytes that a value of type takes in a field or an MI_Value: 16 for every array (pointer and
 * count), 8 for a string or an instance pointer. 0 for an unknown type, which is how callers check
 * a type that a provider passed. */
size_t value_size(MI_Type type);

/* The bytes of one element of an array of type, or of the scalar itself. 0 for an unknown type. */
size_t value_element_size(MI_Type type);

/*
 * Copies one value of type deeply from *from to *to. Only value_size(type) bytes of *from are read,
 * since a provider may pass less than a whole MI_Value. *to is overwritten without being released,
 * and is then owned by the caller. OK, SERVER_LIMITS_EXCEEDED (memory, or a limit of
 * instance_internal.h), or INVALID_PARAMETER for NULL, an unknown type, or an array with a count
 * but no data. On failure *to is undefined and owns nothing.
 */
MI_Result value_copy(MI_Type type, const void *from, void *to);

/* The same for a value of a module, as instance_take() copies instances. */
struct decl_copy;
MI_Result value_take(MI_Type type, const void *from, const struct decl_copy *copies, void *to);

/* Releases what value_copy() or value_from_text() allocated and zeroes the value. NULL and unknown
 * types are ignored. Never for a borrowed value. */
void value_release(MI_Type type, void *value);

/* Equality as keys need it: the same type on both sides, strings case-sensitively, references by
 * their keys, embedded instances by class and content. A NULL argument or an unknown type equals
 * nothing. */
bool value_equal(MI_Type type, const void *a, const void *b);

/*
 * From a string ("42", "true", "20261122091500.000000+000") to a typed scalar at *to; the result is
 * owned like that of value_copy(). TYPE_MISMATCH when the text is not such a value or does not fit
 * the type, INVALID_PARAMETER for NULL or an unknown type, SERVER_LIMITS_EXCEEDED without memory.
 * Arrays and instances have no text form: TYPE_MISMATCH. Independent of the locale.
 */
MI_Result value_from_text(MI_Type type, const char *text, void *to);

/* (value_write.c) The digits of a number or the word of a boolean, as MOF and XML write them; a
 * real always with a point. False for a real that is no number (NaN, an infinity): there is no form
 * for it. */
enum { VALUE_NUMBER_SIZE = 40 };
bool value_number_text(MI_Type type, const void *from, char text[VALUE_NUMBER_SIZE]);

/* The bytes of a char16 in UTF-8, which one half of a surrogate pair is not, and a NUL. Their
 * number. */
enum { VALUE_CHAR16_SIZE = 4 };
size_t value_char16_text(const void *from, char text[VALUE_CHAR16_SIZE]);

/* A scalar other than a string or an instance, as value_from_text() reads it. False for one that
 * has no such text: NaN, an infinity, an impossible datetime, a char16 that is no character. */
bool value_to_text(MI_Type type, const void *from, char text[VALUE_NUMBER_SIZE]);

/* (datetime.c) Whether a datetime can be written as DSP0004 (5.2.4) demands: a day of the calendar,
 * a time of day, and numbers that fit their digits. */
bool value_datetime_possible(const MI_Datetime *value);

/* The 25 characters of DSP0004, and a NUL. False for one that is not possible; text is then
 * empty. */
bool value_datetime_text(const MI_Datetime *value, char text[26]);

/* ---- declarations (decl.c) ------------------------------------------------------------- */

/* The `code` member that belongs to a name in a declaration: first and last character in lower
 * case, and the length modulo 256 (MI.h). 0 for NULL and "". Written for others to read; look-ups
 * here compare the names. */
MI_Uint32 decl_name_code(const char *name);

/* Equality of CIM names: without regard to ASCII case, independent of the locale. False when either
 * is NULL. */
bool decl_name_equal(const char *a, const char *b);

/* Whether name is a CIM identifier (DSP0004, annex F). False for NULL and "". */
bool decl_name_legal(const char *name); /* a CIM identifier */

/* The flattened properties of a class declaration, or the parameters of a method declaration used
 * as one (flags has MI_FLAG_METHOD): only the fields that both have are read. */
struct decl_element {
    const char *name;
    MI_Uint32 flags;
    /* Known: value_size() is not 0. */
    MI_Type type;
    /* Bytes from the start of the instance struct to the value. */
    MI_Uint32 offset;
    const char *class_name;    /* of a reference or embedded instance */
    const void *default_value; /* NULL for parameters */
};

/* The number of elements; 0 when decl is NULL, has no list, or has more than DECL_MAX_ELEMENTS,
 * which is read as an invalid declaration rather than as a long one. */
MI_Uint32 decl_element_count(const MI_ClassDecl *decl);

/* The element with this position. False when index is out of range, or when the element has no
 * name, an unknown type, or an offset outside the instance: such an element is skipped by every
 * reader, even where decl_fault() did not run. */
bool decl_element_at(const MI_ClassDecl *decl, MI_Uint32 index, struct decl_element *ret_element);

/* The position of the element called name. False when it is not found or name is NULL; *ret_index
 * is then unchanged. */
bool decl_element_find(const MI_ClassDecl *decl, const char *name, MI_Uint32 *ret_index);

/* The class called name in a module's schema, or NULL. Any argument may be NULL. */
const MI_ClassDecl *decl_class_find(const MI_SchemaDecl *schema, const char *name);

/* The method called name of this class, or NULL; also for a decl that is itself a method's. */
const MI_MethodDecl *decl_method_find(const MI_ClassDecl *decl, const char *name);

/* The streamed parameter called name of a method that has no fault, or NULL. */
const MI_ParameterDecl *decl_stream_find(const MI_MethodDecl *method, const char *name);

/* True when decl is the class called name or derives from it, at most DECL_MAX_DEPTH steps up. The
 * walk is by name, since each module has its own declaration of a common superclass. */
bool decl_derives_from(const MI_ClassDecl *decl, const char *name);

/*
 * Checks a class declaration of a module before it is used: sizes, offsets, alignment, overlaps,
 * counts, names, types, qualifiers, superclasses and methods. NULL when valid, else a static
 * English text that says what is wrong. Quadratic in the number of elements; meant to run once when
 * a module is loaded.
 */
const char *decl_fault(const MI_ClassDecl *decl);

/* The same for the declaration of a method: its parameters, names and qualifiers. It also demands
 * MI_FLAG_METHOD, by which all readers distinguish the two kinds. */
const char *decl_method_fault(const MI_MethodDecl *decl);

/*
 * (decl_copy.c) A counted copy of all declarations of a module, which holds no pointer into it: the
 * module may be unmapped before it. Instances and classes of the copied declarations count.
 */
struct decl_copy;

/* schema has no fault, or is NULL for an empty copy. The superclasses of its classes are copied,
 * too. One reference is the caller's, for decl_copy_drop(). SERVER_LIMITS_EXCEEDED. */
MI_Result decl_copy_schema(const MI_SchemaDecl *schema, struct decl_copy **ret_copy);

/* The copied classes in the order of the schema, borrowed from the copy. */
const MI_SchemaDecl *decl_copy_classes(const struct decl_copy *copy);

/* The copy of a declaration of the module, or of one with the same properties, as wrappers make;
 * NULL for any other. decl is read: the module is mapped. */
const MI_ClassDecl *decl_copy_find(const struct decl_copy *copy, const MI_ClassDecl *decl);

/* What a copied declaration is a copy of. It is valid as long as its module is mapped. */
const MI_ClassDecl *decl_copy_origin(const MI_ClassDecl *copied);

/* The end of the maker's reference; NULL is allowed. */
void decl_copy_drop(struct decl_copy *copy);

/* ---- instances (instance.c) ------------------------------------------------------------ */

extern const MI_InstanceFT instance_ft;

/*
 * Makes an instance of decl (a class, or a method cast to a class) in the caller's memory of
 * decl->size bytes, for ConstructInstance: all bytes are zeroed first, whatever they held, so that
 * every element is NULL. Released with Destruct, never with Delete.
 * INVALID_PARAMETER for NULL or a declaration with an invalid layout.
 */
MI_Result instance_construct(const MI_ClassDecl *decl, MI_Instance *storage);

/* The same on the heap, owned by the caller and released with Delete or instance_delete(). Also
 * SERVER_LIMITS_EXCEEDED; *ret_instance is set on success only. */
MI_Result instance_new(const MI_ClassDecl *decl, MI_Instance **ret_instance);

/* Fills the elements of an instance of a class that are to have the class's defaults: for the one
 * who creates an object of it. For a new instance that this host made. */
void instance_apply_defaults(MI_Instance *instance);

/*
 * A dynamic instance on the heap: its elements are added one by one and its declaration is its own.
 * flags is 0 or one of MI_FLAG_CLASS, MI_FLAG_ASSOCIATION, MI_FLAG_INDICATION, MI_FLAG_METHOD;
 * anything else, or an illegal class name, is INVALID_PARAMETER. SERVER_LIMITS_EXCEEDED without
 * memory.
 */
MI_Result instance_new_dynamic(const char *class_name, MI_Uint32 flags, MI_Instance **ret_instance);

/*
 * A deep copy on the heap, independent of from; borrowed values become owned. Reads through
 * classDecl and offsets only, unless ft is instance_ft or a dynamic instance has a foreign table;
 * ft may be NULL, as in an instance that a provider built by hand. INVALID_PARAMETER for NULL or an
 * instance without a declaration, SERVER_LIMITS_EXCEEDED for memory or nesting.
 */
MI_Result instance_copy(const MI_Instance *from, MI_Instance **ret_instance);

/*
 * The same for an instance of a module, which may be unmapped before the copy ends. A declaration
 * of the module is replaced by its copy in copies, which may be NULL; one that is not found there,
 * and is not itself a copy, by one of the new instance's own, as dynamic instances have: it reads
 * the same. This holds for nested instances, too.
 */
MI_Result instance_take(const MI_Instance *from, const struct decl_copy *copies,
                        MI_Instance **ret_instance);

/* MI_Instance_AddElement on a dynamic instance, for a value that was posted: an impossible
 * datetime is not refused, since the provider wrote it into its own struct. */
MI_Result instance_append_element(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                                  MI_Type type, MI_Uint32 flags);

/* How instance_convert_to() converts. All members false or NULL: keep every element that the target
 * knows, and require none. */
struct instance_convert {
    /* The target module's, by which nested instances are laid out; NULL copies them unchanged. */
    const MI_SchemaDecl *schema;
    /* A key of the result without a value is NO_SUCH_PROPERTY. */
    bool keys_required;
    /* An element that the target does not declare is NO_SUCH_PROPERTY instead of left out. */
    bool reject_unknown;
};

/*
 * The same content laid out by decl, which belongs to another module: a generated provider casts
 * what it gets to its own struct, so the memory must have that shape. Properties are matched by
 * name and strings converted to the declared type; a value of another type is TYPE_MISMATCH. how
 * may be NULL. The result is on the heap and the caller's.
 */
MI_Result instance_convert_to(const MI_Instance *from, const MI_ClassDecl *decl,
                              const struct instance_convert *how, MI_Instance **ret_instance);

/*
 * (instance_texts.c) The same content for a client that takes strings alone
 * (MI_OPERATIONFLAGS_NO_RTTI): a dynamic instance of that class name, whose numbers, booleans and
 * datetimes are the strings that instance_convert_to() reads back, in arrays, too. References and
 * embedded instances stay such, with strings in them. Keys stay keys. NOT_SUPPORTED for a value
 * that has no text (value_to_text()), else as instance_copy().
 */
MI_Result instance_texts(const MI_Instance *from, MI_Instance **ret_instance);

/* The number of elements of any instance, whatever made it; 0 for NULL or one that cannot be read.
 * Instances without a function table are read through their declaration. */
MI_Uint32 instance_element_count(const MI_Instance *instance);

/* (instance_size.c) Whether the values of an instance take no more than about `most` bytes with
 * those of the instances in it; then *ret_size is that. */
bool instance_fits(const MI_Instance *instance, size_t most, size_t *ret_size);

/* One element by position; each output may be NULL. The value is borrowed from the instance.
 * *ret_flags has MI_FLAG_NULL for an element without a value. INVALID_PARAMETER beyond the end;
 * other results come from a foreign instance's own table. */
MI_Result instance_element_at(const MI_Instance *instance, MI_Uint32 index, const char **ret_name,
                              MI_Value *ret_value, MI_Type *ret_type, MI_Uint32 *ret_flags);

/* The same by name; NO_SUCH_PROPERTY when there is no such element. */
MI_Result instance_element_find(const MI_Instance *instance, const char *name, MI_Value *ret_value,
                                MI_Type *ret_type, MI_Uint32 *ret_flags);

/* The name of the class, borrowed from the instance; NULL when it cannot be read. */
const char *instance_class_name(const MI_Instance *instance);

/* True when both have the same keys, at least one, with equal values: then both name one CIM
 * object. NULL, an instance without keys, and a key without a value equal nothing. */
bool instance_keys_equal(const MI_Instance *a, const MI_Instance *b);

/* False when a KEY element has no value or cannot be read, or for NULL. An instance without keys is
 * complete. */
bool instance_keys_complete(const MI_Instance *instance);

/* Clears every element that is neither in set nor, with keep_keys, a key; set NULL keeps all and an
 * empty set keeps none. For an instance that this host made, else INVALID_PARAMETER. */
MI_Result instance_project(MI_Instance *instance, const MI_PropertySet *set, bool keep_keys);

/* Releases a heap instance that this host made. NULL, and an instance that is not one, are
 * ignored. */
void instance_delete(MI_Instance *instance); /* NULL is allowed; any host-made heap instance */

/* ---- CIM_Error (error_instance.c) ------------------------------------------------------ */

/* The result that MI_Context_PostError(code, type) ends the operation with. A number of another
 * system (errno, HRESULT, Win32) is FAILED, never read as an MI_Result. */
MI_Result error_result_from(MI_Uint32 code, const char *type);

/* The CIM_Error of a time-out: FAILED, for which MI has no code of its own, with that category.
 * SERVER_LIMITS_EXCEEDED. */
MI_Result error_instance_timeout(const char *message, MI_Instance **ret_instance);

/* Makes a CIM_Error with CIMStatusCode, Message, MessageID, OwningEntity, ErrorType, error_Code,
 * error_Type and error_Category, as far as they are known. type NULL is "MI"; message NULL is the
 * text of result. The caller owns the instance. INVALID_PARAMETER or SERVER_LIMITS_EXCEEDED. */
MI_Result error_instance_new(MI_Result result, MI_Uint32 code, const char *type,
                             const char *message, MI_Instance **ret_instance);

/* The operation result of a posted CIM_Error: its CIMStatusCode, or FAILED when that is missing,
 * not a uint32, not a known code, or 0. */
MI_Result error_instance_result(const MI_Instance *error);

/* ---- classes (class.c) ----------------------------------------------------------------- */

/*
 * Makes an MI_Class over a static declaration, which must outlive it, or over a counted copy of a
 * declaration that may disappear. name_space and server may be NULL and are copied. NOT_SUPPORTED
 * for a method's declaration, INVALID_PARAMETER for an invalid one, SERVER_LIMITS_EXCEEDED without
 * memory. Released with its Delete slot.
 */
MI_Result class_new(const MI_ClassDecl *decl, const char *name_space, const char *server,
                    MI_Class **ret_class);

/* The declaration behind a class that this host made, which has no fault; NULL for any other. */
const MI_ClassDecl *class_declaration(const MI_Class *self);

/* A class with the name, the kind and the superclass's name of decl and nothing else, for a client
 * that asks for names only. Released likewise; independent of decl. */
MI_Result class_new_name(const MI_ClassDecl *decl, const char *name_space, MI_Class **ret_class);

/* ---- property sets (property_set.c) ---------------------------------------------------- */

extern const MI_PropertySetFT property_set_ft;

/* An empty set on the heap, released with its Delete slot. INVALID_PARAMETER or
 * SERVER_LIMITS_EXCEEDED. */
MI_Result property_set_new(MI_PropertySet **ret_set);

/* ---- options (options.c) --------------------------------------------------------------- */

/*
 * GetOption and GetOptionAt report a custom option that the server must understand (its own
 * mustComply, or must_understand here) by MI_FLAG_REQUIRED in flags. The first option is the array
 * of the enabled message channels. *ret_options is a handle: copies of it name the same options,
 * and after Delete all are INVALID_PARAMETER. SERVER_LIMITS_EXCEEDED without memory or at the limit
 * of objects.
 */
MI_Result operation_options_new(MI_Boolean must_understand, MI_OperationOptions *ret_options);

/* Options of a destination, with credentials. The host has local sessions only, so nothing here
 * reads them; a program can still build, read and clone them. */
MI_Result destination_options_new(MI_DestinationOptions *ret_options);

/* Pull or Push. INVALID_PARAMETER for options of another library or deleted ones. */
MI_Result delivery_options_type(const MI_SubscriptionDeliveryOptions *options,
                                MI_SubscriptionDeliveryType *ret_type);

/* Options of a subscription's delivery. type is Pull or Push, else INVALID_PARAMETER. */
MI_Result delivery_options_new(MI_SubscriptionDeliveryType type,
                               MI_SubscriptionDeliveryOptions *ret_options);

/* True when *options was made by operation_options_new() of this host and is not deleted. */
bool operation_options_valid(const MI_OperationOptions *options);

#endif
