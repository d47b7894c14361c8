/* SPDX-License-Identifier: MIT */
/* A query as its parser builds it; for the files of host/query/ only. */
#ifndef HOST_QUERY_TREE_H
#define HOST_QUERY_TREE_H

#include <stdint.h>

#include "host/query/query.h"

enum operand_kind {
    OPERAND_NULL,
    OPERAND_BOOLEAN,
    OPERAND_INTEGER,
    OPERAND_REAL,
    OPERAND_TEXT,
    OPERAND_PROPERTY, /* in a query only */
    OPERAND_ANY,      /* for wql_check(): known with the instance only */
};

/* Integers of all types of CIM: from -2^63 to 2^64 - 1. */
struct integer {
    bool negative; /* then magnitude is not 0 */
    uint64_t magnitude;
};

/* One side of a comparison, or a value that it was replaced by. Texts are borrowed. */
struct operand {
    enum operand_kind kind;
    bool boolean;
    struct integer integer;
    double real;
    const char *text; /* also the name of a property */
    /* Of a property: the class that must hold it (NULL: any), and the property inside it (NULL: the
     * property itself). */
    const char *class_name, *inner;
};

/* AND and OR have conditions below them, NOT has one. */
enum condition_kind {
    CONDITION_AND,
    CONDITION_OR,
    CONDITION_NOT,
    CONDITION_COMPARE,
    CONDITION_ISA
};

enum comparison {
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_LT,
    COMPARE_LE,
    COMPARE_GT,
    COMPARE_GE,
    COMPARE_LIKE
};

struct condition {
    enum condition_kind kind;
    enum comparison comparison;
    /* Of a comparison. ISA: a property, and the name of a class in right.text. */
    struct operand left, right;
    struct condition *below; /* the first one */
    struct condition *next;  /* beside this one */
};

struct wql {
    char *language, *text; /* as given */
    char *words;           /* the copy into which all names and strings point */
    const char *class_name;
    const char *properties[WQL_MAX_PROPERTIES];
    unsigned property_count;
    struct condition *where; /* NULL: every instance */
    struct condition conditions[WQL_MAX_CONDITIONS];
    unsigned condition_count;
    bool like_allowed; /* WQL */
};

/* ---- words (lex.c) --------------------------------------------------------------------- */

enum token {
    TOKEN_END,
    TOKEN_BAD,
    TOKEN_NAME,
    TOKEN_INTEGER,
    TOKEN_REAL,
    TOKEN_TEXT,
    TOKEN_STAR,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_DOT,
    TOKEN_SCOPE, /* :: */
    TOKEN_EQ,    /* the six in the order of enum comparison */
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_SELECT, /* words from here on */
    TOKEN_FROM,
    TOKEN_WHERE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_LIKE,
    TOKEN_ISA,
    TOKEN_NULL,
    TOKEN_TRUE,
    TOKEN_FALSE,
};

/* Reads in place: names and strings are ended by a NUL in `words`, where the byte behind them has
 * been read before. */
struct lexer {
    char *at;
    char held;        /* the byte that a NUL has replaced at `at` */
    enum token token; /* the current one */
    char *text;       /* of a NAME or TEXT */
    struct integer integer;
    double real;
};

/* words is a text that the lexer may change. The first token is read. */
void wql_lexer_begin(struct lexer *lexer, char *words);

/* Reads the next token. Behind TOKEN_END and TOKEN_BAD the same follows again. */
void wql_lexer_next(struct lexer *lexer);

/* ---- values (match.c) ------------------------------------------------------------------ */

/* Compares two operands that are values. False when they cannot be compared. */
bool wql_compare(enum comparison comparison, const struct operand *left,
                 const struct operand *right, bool *ret_true);

#endif
