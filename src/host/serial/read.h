/* SPDX-License-Identifier: MIT */
/*
 * From the tree of host/mof/mof.h, which both formats are read to, to instances and classes; for
 * the files of host/serial/ only.
 */
#ifndef HOST_SERIAL_READ_H
#define HOST_SERIAL_READ_H

#include <stdbool.h>

#include "base/arena.h"
#include "host/mof/mof.h"
#include "host/object/instance_internal.h"
#include "host/serial/serial.h"

/* The classes that the caller gives, besides those in the text. */
struct serial_classes {
    MI_Class *const *given;
    MI_Uint32 count;
    MI_Deserializer_ClassObjectNeeded needed; /* or NULL */
    void *context;
    const char *server, *name_space; /* or NULL */
};

/* A class that was made of the text or given by the callback: owned until the end. */
struct made_class {
    MI_Class *item;
    struct made_class *next;
};

/* A value that a declaration points to until the class has its copy. */
struct made_value {
    MI_Type type;
    MI_Value value;
    struct made_value *next;
};

/* One text on its way to objects. */
struct serial_in {
    const struct mof_document *document;
    struct serial_classes classes;
    struct arena arena; /* of declarations that are being made */
    struct made_class *made;
    struct made_value *values;
    struct nest nest;
    unsigned parents; /* superclasses that are looked for within one another */
    /* The place of a path while it is read; line 0: none. */
    unsigned path_line, path_column;
    MI_Result result;
    struct mof_error error;
};

/* Deletes and releases what the struct owns; the document is the caller's. */
void serial_in_end(struct serial_in *in);

/* Sets the result and the message unless a failure is there already; always false. */
__attribute__((format(printf, 5, 6))) bool serial_refuse(struct serial_in *in, MI_Result result,
                                                         unsigned line, unsigned column,
                                                         const char *format, ...);
bool serial_no_memory(struct serial_in *in);

/* False, with the result of a step that failed: SERVER_LIMITS_EXCEEDED or what else it says. */
bool serial_failed(struct serial_in *in, MI_Result result, unsigned line, unsigned column,
                   const char *what);

/* Clean-up of a pointer whose scope is left, also by a callback that does not return. */
void serial_drop_instance(MI_Instance *const *instance);

/* (build_value.c) A value of that type, which the caller owns; `name` is for messages. The value is
 * not NULL (MOF_NULL). */
bool serial_build_value(struct serial_in *in, const char *name, MI_Type type,
                        const struct mof_value *from, MI_Value *ret_value);

/* The type that the value has by itself, without a class: 64-bit numbers, strings, and so on. */
bool serial_infer_type(struct serial_in *in, const char *name, const struct mof_value *from,
                       MI_Type *ret_type);

/* MI_BOOLEAN for MOF_TYPE_BOOLEAN, and so on; for a type that is known. */
MI_Type serial_type_of(enum mof_type type, bool array);

/* (build_instance.c) An instance, which the caller owns; a reference has keys. Asks for its class.
 */
bool serial_build_instance(struct serial_in *in, const struct mof_instance *from, bool reference,
                           MI_Instance **ret_instance);

/* (build_class.c) The class of the tree with the elements of `parent`, or without any other. */
bool serial_build_class(struct serial_in *in, const struct mof_class *from,
                        const MI_ClassDecl *parent, MI_Class **ret_class);

/* (find_class.c) The class of that name in the text, given, or from the callback; valid until
 * serial_in_end(). *ret_decl becomes NULL where it is in none. */
bool serial_find_class(struct serial_in *in, const char *name, unsigned line, unsigned column,
                       const MI_ClassDecl **ret_decl);

/* Whether any classes are given: then each that is used must be among them. */
bool serial_has_classes(const struct serial_in *in);

/* The class that the text is about, its last, with `parent` or what else has that name. */
bool serial_read_class(struct serial_in *in, MI_Class *parent, MI_Class **ret_class);

#endif
