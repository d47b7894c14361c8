/* SPDX-License-Identifier: MIT */
/* Statements for DuckDB, by its library, which is loaded for that. One database, in memory. */
#ifndef SUPPORT_DUCKDB_SQL_H
#define SUPPORT_DUCKDB_SQL_H

#include <stdbool.h>

/* Where src/deps.sh puts the library, or what MIGUARD_DUCKDB names. */
const char *duckdb_sql_library(void);

/* False after a message, as below. */
bool duckdb_sql_begin(const char *library);
bool duckdb_sql_run(const char *sql);
void duckdb_sql_end(void);

#endif
