/* SPDX-License-Identifier: MIT */
/*
 * The few functions of DuckDB's C API that are needed, declared here, since its header comes with
 * the library. They are of the API that is stable within version 1 (duckdb.org, "C API"), which is
 * checked.
 */
#include "tools/cli/duckdb.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tools/cli/cli.h"

/* ---- the API --------------------------------------------------------------------------------- */

enum { DUCKDB_GOOD = 0, DUCKDB_VARCHAR = 17 };
struct duckdb_result {
    uint64_t column_count, row_count, rows_changed;
    void *columns;
    char *error;
    void *internal;
};
struct duckdb_time {
    int64_t micros;
};

/* X(return type, name, parameters). Handles are pointers, states are enum. */
#define FUNCTION_MAP(X)                                                                            \
    X(const char *, library_version, (void))                                                       \
    X(int, open, (const char *path, void **ret_database))                                          \
    X(void, close, (void **database))                                                              \
    X(int, connect, (void *database, void **ret_connection))                                       \
    X(void, disconnect, (void **connection))                                                       \
    X(int, query, (void *connection, const char *sql, struct duckdb_result *ret_result))           \
    X(const char *, result_error, (struct duckdb_result * result))                                 \
    X(void, destroy_result, (struct duckdb_result * result))                                       \
    X(int, appender_create,                                                                        \
      (void *connection, const char *schema, const char *table, void **ret_appender))              \
    X(const char *, appender_error, (void *appender))                                              \
    X(int, appender_end_row, (void *appender))                                                     \
    X(int, appender_close, (void *appender))                                                       \
    X(int, appender_destroy, (void **appender))                                                    \
    X(int, append_null, (void *appender))                                                          \
    X(int, append_int64, (void *appender, int64_t number))                                         \
    X(int, append_bool, (void *appender, bool truth))                                              \
    X(int, append_timestamp, (void *appender, struct duckdb_time time))                            \
    X(int, append_varchar_length, (void *appender, const char *text, uint64_t length))             \
    X(int, append_value, (void *appender, void *value))                                            \
    X(void *, create_varchar_length, (const char *text, uint64_t length))                          \
    X(void *, create_logical_type, (int type))                                                     \
    X(void, destroy_logical_type, (void **type))                                                   \
    X(void *, create_list_value, (void *type, void **values, uint64_t count))                      \
    X(void, destroy_value, (void **value))

/* folder: of the database and of what will be the file, beside it; "": not made. */
struct parquet {
    void *library, *database, *connection, *appender;
#define FUNCTION_MEMBER(type, name, parameters) type(*name) parameters;
    FUNCTION_MAP(FUNCTION_MEMBER)
#undef FUNCTION_MEMBER
    const char *path;
    char *folder, *store, *made;
};

/* ---- the library ----------------------------------------------------------------------------- */

/* The first function that is not there; NULL: all are. */
static const char *find_functions(struct parquet *parquet)
{
#define FUNCTION_FIND(type, name, parameters)                                                      \
    *(void **)&parquet->name = dlsym(parquet->library, "duckdb_" #name);                           \
    if (parquet->name == NULL) {                                                                   \
        return "duckdb_" #name;                                                                    \
    }
    FUNCTION_MAP(FUNCTION_FIND)
#undef FUNCTION_FIND
    return NULL;
}

/* Without a slash the loader would look for it, and find another's. */
static int load_library(struct parquet *parquet, const char *path)
{
    if (strchr(path, '/') == NULL) {
        return complain(CLI_USAGE, "%s: the library of DuckDB needs a path, such as ./%s", path,
                        path);
    }
    parquet->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (parquet->library == NULL) {
        return complain(CLI_UNABLE, "the library of DuckDB cannot be loaded: %s", dlerror());
    }
    const char *missing = find_functions(parquet);
    if (missing != NULL) {
        return complain(CLI_UNABLE, "%s is not the library of DuckDB: it has no %s", path, missing);
    }
    const char *version = parquet->library_version();
    return strncmp(version, "v1.", 3) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "%s is DuckDB %s; version 1 is needed", path, version);
}

/* ---- statements ------------------------------------------------------------------------------ */

static int run_sql(struct parquet *parquet, const char *sql)
{
    struct duckdb_result result = {0};
    int status = CLI_YES;

    if (parquet->query(parquet->connection, sql, &result) != DUCKDB_GOOD) {
        const char *error = parquet->result_error(&result);
        status = complain(CLI_UNABLE, "%s: %s", parquet->path, error != NULL ? error : "failed");
    }
    parquet->destroy_result(&result);
    return status;
}

static int complain_appender(struct parquet *parquet)
{
    const char *error = parquet->appender_error(parquet->appender);

    return complain(CLI_UNABLE, "%s: %s", parquet->path, error != NULL ? error : "failed");
}

/* Nothing is fetched from anywhere, and nothing is kept in a home. */
static int make_table(struct parquet *parquet)
{
    struct text sql = TEXT_EMPTY;

    text_append(&sql, "SET autoinstall_known_extensions = false; "
                      "SET autoload_known_extensions = false; SET memory_limit = '1GB'; "
                      "CREATE TABLE records (");
    fleet_duckdb_columns(&sql);
    text_append(&sql, ")");
    int status = sql.failed ? complain(CLI_UNABLE, "out of memory") : run_sql(parquet, sql.data);
    text_release(&sql);
    return status;
}

static int open_database(struct parquet *parquet)
{
    if (parquet->open(parquet->store, &parquet->database) != DUCKDB_GOOD ||
        parquet->connect(parquet->database, &parquet->connection) != DUCKDB_GOOD) {
        return complain(CLI_UNABLE, "%s: DuckDB cannot make its database", parquet->store);
    }
    int status = make_table(parquet);
    if (status == CLI_YES && parquet->appender_create(parquet->connection, NULL, "records",
                                                      &parquet->appender) != DUCKDB_GOOD) {
        status = complain_appender(parquet);
    }
    return status;
}

/* ---- the folder beside the file -------------------------------------------------------------- */

static int make_folder(struct parquet *parquet)
{
    if (asprintf(&parquet->folder, "%s.XXXXXX", parquet->path) < 0) {
        parquet->folder = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    if (mkdtemp(parquet->folder) == NULL) {
        int error = errno;
        free(parquet->folder);
        parquet->folder = NULL;
        return complain(CLI_UNABLE, "%s: %s", parquet->path, strerror(error));
    }
    if (asprintf(&parquet->store, "%s/rows.duckdb", parquet->folder) < 0) {
        parquet->store = NULL;
    }
    if (asprintf(&parquet->made, "%s/made.parquet", parquet->folder) < 0) {
        parquet->made = NULL;
    }
    return parquet->store != NULL && parquet->made != NULL ? CLI_YES
                                                           : complain(CLI_UNABLE, "out of memory");
}

static void remove_one(const char *store, const char *suffix)
{
    char *name = NULL;

    if (asprintf(&name, "%s%s", store, suffix) >= 0) {
        unlink(name);
        free(name);
    }
}

/* DuckDB's files are known by name; a folder that has others is left as it is. */
static void remove_folder(const struct parquet *parquet)
{
    if (parquet->store != NULL && parquet->made != NULL) {
        remove_one(parquet->store, "");
        remove_one(parquet->store, ".wal");
        unlink(parquet->made);
        char *spill = NULL;
        if (asprintf(&spill, "%s.tmp", parquet->store) >= 0) {
            rmdir(spill);
            free(spill);
        }
    }
    if (parquet->folder != NULL) {
        rmdir(parquet->folder);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct parquet *parquet_open(const char *library, const char *path)
{
    struct parquet *parquet = calloc(1, sizeof(*parquet));

    if (parquet == NULL) {
        complain(CLI_UNABLE, "out of memory");
        return NULL;
    }
    parquet->path = path;
    if (load_library(parquet, library) != CLI_YES || make_folder(parquet) != CLI_YES ||
        open_database(parquet) != CLI_YES) {
        parquet_close(parquet);
        return NULL;
    }
    return parquet;
}

/* The texts stand behind the list, as values of the row. */
static bool append_list(struct parquet *parquet, struct slice row, size_t *at, size_t count)
{
    void **texts = base_alloc(count + 1, sizeof(*texts));
    void *type = parquet->create_logical_type(DUCKDB_VARCHAR);
    struct fleet_value item;

    if (texts == NULL) {
        parquet->destroy_logical_type(&type);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        fleet_next_value(row, at, &item);
        texts[i] = parquet->create_varchar_length(item.text.at, item.text.length);
    }
    void *list = parquet->create_list_value(type, texts, count);
    bool added = list != NULL && parquet->append_value(parquet->appender, list) == DUCKDB_GOOD;
    for (size_t i = 0; i < count; i++) {
        parquet->destroy_value(&texts[i]);
    }
    if (list != NULL) {
        parquet->destroy_value(&list);
    }
    parquet->destroy_logical_type(&type);
    base_free(texts);
    return added;
}

static bool append(struct parquet *parquet, struct slice row, size_t *at,
                   const struct fleet_value *value)
{
    void *appender = parquet->appender;

    switch (value->kind) {
    case FLEET_VALUE_TEXT:
        return parquet->append_varchar_length(appender, value->text.at, value->text.length) ==
               DUCKDB_GOOD;
    case FLEET_VALUE_NUMBER:
        return parquet->append_int64(appender, value->number) == DUCKDB_GOOD;
    case FLEET_VALUE_TRUTH:
        return parquet->append_bool(appender, value->number != 0) == DUCKDB_GOOD;
    case FLEET_VALUE_TIME:
        return parquet->append_timestamp(appender, (struct duckdb_time){value->number}) ==
               DUCKDB_GOOD;
    case FLEET_VALUE_LIST:
        return append_list(parquet, row, at, (size_t)value->number);
    case FLEET_VALUE_NULL:
        break;
    }
    return parquet->append_null(appender) == DUCKDB_GOOD;
}

int parquet_add(struct parquet *parquet, struct slice row)
{
    struct fleet_value value;
    size_t at = 0;
    bool added = true;

    while (added && fleet_next_value(row, &at, &value)) {
        added = append(parquet, row, &at, &value);
    }
    return added && parquet->appender_end_row(parquet->appender) == DUCKDB_GOOD
               ? CLI_YES
               : complain_appender(parquet);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int write_columns(struct parquet *parquet)
{
    struct text sql = TEXT_EMPTY;

    text_append(&sql, "COPY records TO '");
    for (const char *at = parquet->made; *at != '\0'; at++) {
        text_append(&sql, *at == '\'' ? "'" : "");
        text_append_bytes(&sql, at, 1);
    }
    text_append(&sql, "' (FORMAT parquet, COMPRESSION zstd)");
    int status = sql.failed ? complain(CLI_UNABLE, "out of memory") : run_sql(parquet, sql.data);
    text_release(&sql);
    return status;
}

static bool flush(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* On the disk before it has its name: a name without content must not survive a power cut. */
static int put_in_place(const struct parquet *parquet)
{
    return chmod(parquet->made, 0600) == 0 && flush(parquet->made) &&
                   rename(parquet->made, parquet->path) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "%s: %s", parquet->path, strerror(errno));
}

int parquet_finish(struct parquet *parquet)
{
    if (parquet->appender_close(parquet->appender) != DUCKDB_GOOD) {
        return complain_appender(parquet);
    }
    int status = write_columns(parquet);
    return status == CLI_YES ? put_in_place(parquet) : status;
}

/* The library stays loaded: it has threads of its own. */
void parquet_close(struct parquet *parquet)
{
    if (parquet == NULL) {
        return;
    }
    if (parquet->appender != NULL) {
        parquet->appender_destroy(&parquet->appender);
    }
    if (parquet->connection != NULL) {
        parquet->disconnect(&parquet->connection);
    }
    if (parquet->database != NULL) {
        parquet->close(&parquet->database);
    }
    remove_folder(parquet);
    free(parquet->folder);
    free(parquet->store);
    free(parquet->made);
    free(parquet);
}
