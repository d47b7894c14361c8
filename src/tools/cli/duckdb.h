/* SPDX-License-Identifier: MIT */
/*
 * Records into a Parquet file, by the library of DuckDB, which the user names: no distribution has
 * it, and a Parquet writer of our own would be the larger risk. Rows are collected in a database of
 * its own beside the file, so that memory is bounded, and written as columns at the end.
 */
#ifndef TOOLS_CLI_DUCKDB_H
#define TOOLS_CLI_DUCKDB_H

#include "base/text.h"
#include "tools/review/fleet_columns.h"

struct parquet;

/* library: the path of libduckdb.so. path: the file to be made or replaced. NULL after a message.
 */
struct parquet *parquet_open(const char *library, const char *path);
/* row: of fleet_pack_row(). CLI_YES, or the exit status after a message. */
int parquet_add(struct parquet *parquet, struct slice row);
/* Writes the file and puts it into its place at once. Only the first call does something. */
int parquet_finish(struct parquet *parquet);
/* Removes what was collected; the file is as it was before, unless it was finished. NULL is
 * allowed. */
void parquet_close(struct parquet *parquet);

#endif
