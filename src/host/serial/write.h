/* SPDX-License-Identifier: MIT */
/* What the writers of both formats share; for the files of host/serial/ only. */
#ifndef HOST_SERIAL_WRITE_H
#define HOST_SERIAL_WRITE_H

#include <stdbool.h>

#include "base/text.h"
#include "host/object/instance_internal.h"
#include "host/serial/serial.h"

/* Bytes of what is written or read; those of host/mof/mof.h. */
enum { SERIAL_MAX_BYTES = 16 << 20 };

/* A text on its way. The first failure sticks: what follows writes nothing. */
struct serial_out {
    struct text text;
    struct nest nest;
    MI_Result result;
};

/* Sets the result unless a failure is there already. */
void serial_fail(struct serial_out *out, MI_Result result);

/* The 25 characters of a datetime (DSP0004), which value points to. False, after a failure: there
 * are no such characters for it. */
bool serial_datetime(struct serial_out *out, const void *value, char text[26]);

/* Whether writing may go on: no failure, and not beyond a limit, which is then the failure. */
bool serial_goes_on(struct serial_out *out);

/* The index-th element of an array; NULL when it is a NULL string or instance. */
const void *serial_array_element(MI_Type type, const MI_Array *array, MI_Uint32 index);

/* The instance in a value, and the string. */
const MI_Instance *serial_instance_in(const void *value);
const char *serial_string_in(const void *value);

/* The name itself when it is a CIM identifier; else the failure NOT_SUPPORTED, and "". */
const char *serial_name(struct serial_out *out, const char *name);

/* The name of a scalar type in MOF and XML ("uint8"), that of an embedded instance being
 * "string". NULL for a reference. */
const char *serial_type_name(MI_Type type);

/* Qualifiers that stand for a flag of a declaration: "Key" for MI_FLAG_KEY, and so on. The list
 * ends with a NULL name. */
struct serial_flag_word {
    const char *name;
    MI_Uint32 flag;
};
extern const struct serial_flag_word serial_flag_words[];

/* What a feature of a class says of itself by qualifiers. */
struct serial_qualified {
    const MI_Qualifier *const *qualifiers;
    MI_Uint32 count;
    MI_Uint32 flags;        /* those that need a qualifier to be seen */
    MI_Type type;           /* of an embedded instance: needs one, too */
    const char *class_name; /* of the embedded instance; NULL: of any class */
};

typedef void (*serial_visit)(struct serial_out *out, const MI_Qualifier *qualifier,
                             MI_Uint32 index);

/* Calls visit for each qualifier that is to be written: first those that only a flag or the type
 * says (a dynamic instance has no qualifiers), then the declared ones. */
void serial_each_qualifier(struct serial_out *out, const struct serial_qualified *of,
                           serial_visit visit);

struct serial_qualified serial_qualified_class(const MI_ClassDecl *decl);
struct serial_qualified serial_qualified_method(const MI_MethodDecl *method);
struct serial_qualified serial_qualified_parameter(const MI_ParameterDecl *parameter);
struct serial_qualified serial_qualified_property(const MI_PropertyDecl *property);

/* The name of the superclass, or NULL. */
const char *serial_superclass(const MI_ClassDecl *decl);

/* Whether a property or method with this propagator is declared by the class itself. */
bool serial_is_local(const MI_ClassDecl *decl, const char *propagator);

/* The name of the type that a method returns, which is neither an array nor an object. */
const char *serial_return_type(struct serial_out *out, const MI_MethodDecl *method);

/* The return value, which generators list as a parameter. */
bool serial_is_return(const MI_ParameterDecl *parameter);

typedef void (*serial_write_class)(struct serial_out *out, const MI_ClassDecl *decl, bool deep);

/*
 * Calls write for the class of the instance and of each instance in it, once for each name. Two
 * dynamic instances of one class may have different elements: where the class that is written
 * already lacks one, the result is NOT_SUPPORTED, since the text could not be read back.
 */
void serial_classes_of(struct serial_out *out, const MI_Instance *instance,
                       serial_write_class write);

/* The writers. Nothing is added behind a failure. */
void mof_write_instance(struct serial_out *out, const MI_Instance *instance, bool with_class);
void mof_write_class(struct serial_out *out, const MI_ClassDecl *decl, bool deep);
void xml_write_instance(struct serial_out *out, const MI_Instance *instance, bool with_class);
void xml_write_class(struct serial_out *out, const MI_ClassDecl *decl, bool deep);

#endif
