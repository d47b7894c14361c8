/* SPDX-License-Identifier: MIT */
/*
 * Rows of the table of MI functions: each calls one function once, in one case, and compares what
 * it answers. functions_test.c compares the rows with the two lists in tests/data/mi.
 */
#ifndef TESTS_TABLE_HOST_ROWS_H
#define TESTS_TABLE_HOST_ROWS_H

#include <MI.h>
#include <stdbool.h>

/* Calls FUNCTION, which must answer MI_RESULT_<RESULT>. CASE says what is special, in words. */
#define ROW(RESULT, FUNCTION, CASE, ...)                                                           \
    row_note(#FUNCTION, CASE, MI_RESULT_##RESULT, FUNCTION(__VA_ARGS__))

/* The same for a function that returns nothing: OBSERVED is what became of the call. */
#define VOID_ROW(RESULT, FUNCTION, CASE, OBSERVED)                                                 \
    row_note(#FUNCTION, CASE, MI_RESULT_##RESULT, (OBSERVED))

/* What the last row must have done besides. */
#define EFFECT(CONDITION) row_effect(#CONDITION, (CONDITION))

/* A function whose first argument is a handle refuses none, and one without a table. */
#define NO_HANDLE(TYPE, FUNCTION, ...)                                                             \
    do {                                                                                           \
        TYPE no_table;                                                                             \
        memset(&no_table, 0, sizeof(no_table));                                                    \
        ROW(INVALID_PARAMETER, FUNCTION, "no handle", NULL, ##__VA_ARGS__);                        \
        ROW(INVALID_PARAMETER, FUNCTION, "a handle without a table", &no_table, ##__VA_ARGS__);    \
    } while (0)

void row_note(const char *function, const char *condition, MI_Result expected, MI_Result answer);
void row_effect(const char *condition, bool holds);

/* The groups, one a file. */
void options_rows(void);
void object_rows(void);
void client_rows(void);
void context_rows(void);
void flag_rows(void);
void lifecycle_rows(void);

#endif
