/* SPDX-License-Identifier: MIT */
#include "support/duckdb_sql.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions of libduckdb that are called, and what they made. */
static struct duckdb {
    int (*open)(const char *, void **), (*connect)(void *, void **);
    int (*query)(void *, const char *, void *);
    const char *(*error)(void *);
    void (*destroy)(void *), (*disconnect)(void **), (*close)(void **);
    void *database, *connection;
} duckdb;

const char *duckdb_sql_library(void)
{
    const char *named = getenv("MIGUARD_DUCKDB");

    return named != NULL ? named
                         : "build/duckdb/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so";
}

bool duckdb_sql_begin(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW);
    const struct {
        const char *name;
        void *to;
    } functions[] = {
        {"duckdb_open", &duckdb.open},
        {"duckdb_connect", &duckdb.connect},
        {"duckdb_query", &duckdb.query},
        {"duckdb_result_error", &duckdb.error},
        {"duckdb_destroy_result", &duckdb.destroy},
        {"duckdb_disconnect", &duckdb.disconnect},
        {"duckdb_close", &duckdb.close},
    };
    bool good = handle != NULL;

    for (size_t i = 0; good && i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *found = dlsym(handle, functions[i].name);
        memcpy(functions[i].to, &found, sizeof(found));
        good = found != NULL;
    }
    good = good && duckdb.open(NULL, &duckdb.database) == 0 &&
           duckdb.connect(duckdb.database, &duckdb.connection) == 0;
    if (!good) {
        fprintf(stderr, "%s is not the library of DuckDB\n", library);
    }
    return good;
}

bool duckdb_sql_run(const char *sql)
{
    void *result[16] = {NULL};
    bool good = duckdb.query(duckdb.connection, sql, result) == 0;

    if (!good) {
        fprintf(stderr, "%s\n", duckdb.error(result));
    }
    duckdb.destroy(result);
    return good;
}

void duckdb_sql_end(void)
{
    duckdb.disconnect(&duckdb.connection);
    duckdb.close(&duckdb.database);
}
