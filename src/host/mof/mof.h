/* SPDX-License-Identifier: MIT */
/*
 * Reading instances and classes in MOF (DSP0004, annex A): from text to a tree.
 *
 * What is read is instanceDeclaration: instances with aliases, arrays, all scalars, embedded
 * instances written in place (as the command prints them), and comments; mof_read_schema() also
 * reads classDeclaration. What is not read is refused by its name: declarations of qualifiers,
 * pragmas, and qualifiers of an instance. The tree says what stands in the text, not what it means:
 * a datetime and a reference are strings in MOF, and only the class says which. The values of
 * integers, reals, booleans and strings are texts that value_from_text() takes; mof_read_path()
 * makes an instance of the string that a reference is.
 */
#ifndef HOST_MOF_MOF_H
#define HOST_MOF_MOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MOF_MAX_BYTES = 16 << 20, /* of a text; the tree takes some 50 times as much at most */
    MOF_MAX_DEPTH = 32,       /* instances within instances, also by aliases */
    MOF_MAX_INSTANCES = 1024, /* beside each other; classes, too */
    MOF_MAX_FEATURES = 4096,  /* of a class; also its qualifiers */
    MOF_MAX_COPIES = 1 << 20, /* bytes of text that aliases stand for, all together */
    MOF_ERROR_SIZE = 200,
};

enum mof_kind {
    MOF_NULL,
    MOF_BOOLEAN,  /* text: "TRUE" or "FALSE" */
    MOF_INTEGER,  /* text: decimal digits, perhaps behind a '-', whatever form it had */
    MOF_REAL,     /* text: as it was */
    MOF_CHAR,     /* character; text, unless it is one half of a surrogate pair: then NULL */
    MOF_STRING,   /* text: UTF-8, without the escapes; adjacent strings are one */
    MOF_INSTANCE, /* instance: in place, or by its alias */
    MOF_ARRAY,    /* items */
};

struct mof_instance;

struct mof_value {
    enum mof_kind kind;
    unsigned line, column; /* from 1, in characters */
    const char *text;
    uint16_t character;
    const struct mof_instance *instance;
    const struct mof_value *items; /* the first; NULL for {} */
    size_t count;
    const struct mof_value *next; /* in an array */
};

/* In the order of MI_Type, behind the first. */
enum mof_type {
    MOF_TYPE_UNKNOWN,
    MOF_TYPE_BOOLEAN,
    MOF_TYPE_UINT8,
    MOF_TYPE_SINT8,
    MOF_TYPE_UINT16,
    MOF_TYPE_SINT16,
    MOF_TYPE_UINT32,
    MOF_TYPE_SINT32,
    MOF_TYPE_UINT64,
    MOF_TYPE_SINT64,
    MOF_TYPE_REAL32,
    MOF_TYPE_REAL64,
    MOF_TYPE_CHAR16,
    MOF_TYPE_DATETIME,
    MOF_TYPE_STRING,
    MOF_TYPE_REFERENCE,
    MOF_TYPE_INSTANCE,
};

/* The words of the types, from MOF_TYPE_BOOLEAN to MOF_TYPE_STRING; CIM-XML has the same. */
extern const char *const mof_type_words[MOF_TYPE_STRING + 1];

struct mof_property {
    const char *name;
    unsigned line, column;
    enum mof_type type; /* of XML, which has it; MOF does not */
    bool array;         /* likewise */
    bool unchanged;     /* likewise: it was never set */
    struct mof_value value;
    const struct mof_property *next;
};

struct mof_instance {
    const char *class_name, *alias;  /* alias without the $; NULL: no alias */
    const char *name_space, *server; /* of a path that has them; else NULL */
    unsigned line, column;
    const struct mof_property *properties; /* in their order; no name twice */
    size_t count;
    unsigned levels;                 /* 1: no instance in it */
    size_t bytes;                    /* of text, with what its aliases stand for */
    const struct mof_instance *next; /* in the document */
};

enum mof_flavor {
    MOF_ENABLE_OVERRIDE = 1,
    MOF_DISABLE_OVERRIDE = 2,
    MOF_RESTRICTED = 4,
    MOF_TO_SUBCLASS = 8,
    MOF_TRANSLATABLE = 16,
    MOF_TO_INSTANCE = 32,
};

struct mof_qualifier {
    const char *name;
    unsigned line, column;
    enum mof_type type; /* of XML, as in a property */
    bool array;
    struct mof_value value; /* TRUE where it has none */
    unsigned flavors;
    const struct mof_qualifier *next;
};

/* A property, a parameter, or a method, which has parameters. */
struct mof_feature {
    const char *name;
    unsigned line, column;
    enum mof_type type; /* of a method: what it returns */
    bool array, has_default, method;
    bool inherited;         /* of XML: the class has it from another */
    unsigned subscript;     /* of an array; 0: any size */
    const char *class_name; /* of a reference; else NULL */
    const char *origin;     /* of XML, or NULL */
    const struct mof_qualifier *qualifiers;
    struct mof_value value;
    const struct mof_feature *parameters, *next;
};

struct mof_class {
    const char *name, *superclass; /* or NULL */
    unsigned line, column;
    const struct mof_qualifier *qualifiers;
    const struct mof_feature *features; /* in their order, properties and methods */
    const struct mof_class *next;
};

/* What was read: owns everything below it. */
struct mof_document {
    const struct mof_instance
        *instances; /* in their order; NULL: the text has nothing but blanks */
    size_t count;
    const struct mof_class *classes; /* likewise */
    size_t class_count;
};

/* Where reading ended, and what would be right there. line 0: memory ran out. */
struct mof_error {
    unsigned line, column;
    bool limit; /* one of those above was passed; the text may be right */
    char text[MOF_ERROR_SIZE];
};

/* Reads length bytes, which need not end with a NUL. On failure *ret_error is set, and
 * *ret_document untouched. Released by mof_free(). Thread safe; independent of the locale. */
bool mof_read(const char *text, size_t length, struct mof_document **ret_document,
              struct mof_error *ret_error);

/* The same for instances and classes. */
bool mof_read_schema(const char *text, size_t length, struct mof_document **ret_document,
                     struct mof_error *ret_error);

/* The same for an object path: [//SERVER/][NAMESPACE:]CLASS[.KEY=VALUE[,KEY=VALUE]...], or CLASS=@
 * for the one instance of a class without keys. The document has one instance. */
bool mof_read_path(const char *path, struct mof_document **ret_document,
                   struct mof_error *ret_error);

/* NULL is allowed. */
void mof_free(struct mof_document *document);

#endif
