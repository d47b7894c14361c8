/* SPDX-License-Identifier: MIT */
/* Instances as a table, for `miguard run --table` (run_table.c). */
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

/* Writes what is kept back. NULL is allowed. */
void run_table_end(struct run_table *table);

/* NULL is allowed. */
void run_table_free(struct run_table *table);

#endif
