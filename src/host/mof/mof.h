/* SPDX-License-Identifier: MIT */
/*
 * Reading instances in MOF (DSP0004, annex A): from text to a tree, without a class.
 *
 * What is read is instanceDeclaration: instances with aliases, arrays, all scalars, embedded
 * instances written in place (as the command prints them), and comments. Class declarations,
 * qualifiers and pragmas are refused, each by its name. The tree says what stands in the text, not
 * what it means: a datetime and a reference are strings in MOF, and only the class says which. The
 * values of integers, reals, booleans and strings are texts that value_from_text() takes;
 * mof_read_path() makes an instance of the string that a reference is.
 */
#ifndef HOST_MOF_MOF_H
#define HOST_MOF_MOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MOF_MAX_BYTES = 16 << 20, /* of a text; the tree takes some 50 times as much at most */
    MOF_MAX_DEPTH = 32,       /* instances within instances, also by aliases */
    MOF_MAX_INSTANCES = 1024, /* beside each other */
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

struct mof_property {
    const char *name;
    unsigned line, column;
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

/* What was read: owns everything below it. */
struct mof_document {
    const struct mof_instance
        *instances; /* in their order; NULL: the text has nothing but blanks */
    size_t count;
};

/* Where reading ended, and what would be right there. line 0: memory ran out. */
struct mof_error {
    unsigned line, column;
    char text[MOF_ERROR_SIZE];
};

/* Reads length bytes, which need not end with a NUL. On failure *ret_error is set, and
 * *ret_document untouched. Released by mof_free(). Thread safe; independent of the locale. */
bool mof_read(const char *text, size_t length, struct mof_document **ret_document,
              struct mof_error *ret_error);

/* The same for an object path: [//SERVER/][NAMESPACE:]CLASS[.KEY=VALUE[,KEY=VALUE]...], or CLASS=@
 * for the one instance of a class without keys. The document has one instance. */
bool mof_read_path(const char *path, struct mof_document **ret_document,
                   struct mof_error *ret_error);

/* NULL is allowed. */
void mof_free(struct mof_document *document);

#endif
