/* SPDX-License-Identifier: MIT */
/* Instances and classes as a table, for `miguard run --table` (run_table.c). */
#ifndef TOOLS_CLI_RUN_TABLE_H
#define TOOLS_CLI_RUN_TABLE_H

#include <MI.h>
#include <stdbool.h>
#include <stdio.h>

struct run_table;

/* NULL out of memory. */
struct run_table *run_table_new(FILE *stream);

/* The next row. False: out of memory; the table can only be freed then. */
bool run_table_add(struct run_table *table, const MI_Instance *instance);

/* A row of these columns; a cell may be NULL. As run_table_add(). */
bool run_table_add_cells(struct run_table *table, const char *const *names,
                         const char *const *cells, size_t count);

/* A row for the class with its superclass, with how many properties and methods too, or a row for
 * each of those. */
enum run_table_depth { RUN_TABLE_NAMES, RUN_TABLE_COUNTS, RUN_TABLE_ELEMENTS };

/* (run_table_class.c) As run_table_add(). */
bool run_table_add_class(struct run_table *table, const MI_Class *item, enum run_table_depth depth);

/* Writes what is kept back. NULL is allowed. */
void run_table_end(struct run_table *table);

/* NULL is allowed. */
void run_table_free(struct run_table *table);

#endif
