/* SPDX-License-Identifier: MIT */
/* Statements to PostgreSQL, for `miguard audit load`; see postgresql.h. */
#include "tools/cli/postgresql.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tools/cli/cli.h"

#ifdef HAVE_POSTGRESQL
#include <libpq-fe.h>

/* Functions of libpq that are used. */
#define FUNCTION_MAP(X)                                                                            \
    X(PQconnectdb)                                                                                 \
    X(PQstatus)                                                                                    \
    X(PQerrorMessage)                                                                              \
    X(PQreset)                                                                                     \
    X(PQfinish)                                                                                    \
    X(PQexec)                                                                                      \
    X(PQexecParams)                                                                                \
    X(PQresultStatus)                                                                              \
    X(PQresultErrorField)                                                                          \
    X(PQresultErrorMessage)                                                                        \
    X(PQclear)                                                                                     \
    X(PQputCopyData)                                                                               \
    X(PQputCopyEnd)                                                                                \
    X(PQgetResult)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQgetisnull)                                                                                 \
    X(PQntuples)                                                                                   \
    X(PQcmdTuples)

struct postgresql {
    void *library;
#define FUNCTION_MEMBER(name) __typeof__(name) *name;
    FUNCTION_MAP(FUNCTION_MEMBER)
#undef FUNCTION_MEMBER
    PGconn *connection;
    PGresult *result; /* of the last statement */
    char error[1024];
};

/* ---- the library ---------------------------------------------------------------------------- */

/* False: this libpq lacks a function. */
static bool find_functions(struct postgresql *pg)
{
#define FUNCTION_FIND(name)                                                                        \
    *(void **)&pg->name = dlsym(pg->library, #name);                                               \
    if (pg->name == NULL) {                                                                        \
        return false;                                                                              \
    }
    FUNCTION_MAP(FUNCTION_FIND)
#undef FUNCTION_FIND
    return true;
}

static void keep_error(struct postgresql *pg, const char *error)
{
    snprintf(pg->error, sizeof(pg->error), "%s", error);
    for (size_t i = strlen(pg->error); i > 0 && pg->error[i - 1] == '\n'; i--) {
        pg->error[i - 1] = '\0';
    }
    for (char *at = pg->error; (at = strpbrk(at, "\n\t")) != NULL;) {
        *at = ' ';
    }
}

/* Notices, such as that a table is there already, would be printed by the library. */
static void drop_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

struct postgresql *pg_connect(const char *url)
{
    struct postgresql *pg = calloc(1, sizeof(*pg));

    if (pg == NULL) {
        complain(CLI_UNABLE, "out of memory");
        return NULL;
    }
    setenv("PGAPPNAME", "miguard", 0);
    pg->library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (pg->library == NULL || !find_functions(pg)) {
        complain(CLI_UNABLE, "libpq.so.5, the library of PostgreSQL, cannot be loaded: %s",
                 dlerror());
        pg_close(pg);
        return NULL;
    }
    pg->connection = pg->PQconnectdb(url);
    if (pg->connection == NULL || pg->PQstatus(pg->connection) != CONNECTION_OK) {
        keep_error(pg, pg->connection != NULL ? pg->PQerrorMessage(pg->connection) : "no memory");
        complain(CLI_UNABLE, "%s", pg->error);
        pg_close(pg);
        return NULL;
    }
    pg->PQsetNoticeProcessor(pg->connection, drop_notice, NULL);
    return pg;
}

/* The library stays loaded: it may have started threads or handlers of its own. */
void pg_close(struct postgresql *pg)
{
    if (pg == NULL) {
        return;
    }
    if (pg->result != NULL) {
        pg->PQclear(pg->result);
    }
    if (pg->connection != NULL) {
        pg->PQfinish(pg->connection);
    }
    free(pg);
}

/* ---- statements ----------------------------------------------------------------------------- */

/* Class 08 is a connection, 40 a transaction that was rolled back, 57P a server that goes down
 * (PostgreSQL, appendix A). What has no state was not said by the server, which is then gone. */
static enum pg_outcome kind_of_error(const struct postgresql *pg)
{
    const char *state =
        pg->result != NULL ? pg->PQresultErrorField(pg->result, PG_DIAG_SQLSTATE) : NULL;

    if (pg->PQstatus(pg->connection) != CONNECTION_OK || state == NULL ||
        (strncmp(state, "40", 2) == 0 || strncmp(state, "08", 2) == 0 ||
         strncmp(state, "57P", 3) == 0)) {
        return PG_AGAIN;
    }
    bool data = strncmp(state, "22", 2) == 0 || strncmp(state, "54", 2) == 0;
    return data ? PG_BAD_DATA : PG_FAILED;
}

/* Takes over the result. */
static enum pg_outcome take_result(struct postgresql *pg, PGresult *result)
{
    if (pg->result != NULL) {
        pg->PQclear(pg->result);
    }
    pg->result = result;
    ExecStatusType status = pg->PQresultStatus(result);
    if (result != NULL &&
        (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN)) {
        return PG_DONE;
    }
    keep_error(pg, result != NULL ? pg->PQresultErrorMessage(result)
                                  : pg->PQerrorMessage(pg->connection));
    return kind_of_error(pg);
}

enum pg_outcome pg_execute(struct postgresql *pg, const char *sql)
{
    return take_result(pg, pg->PQexec(pg->connection, sql));
}

enum pg_outcome pg_query(struct postgresql *pg, const char *sql, const char *const *values,
                         int count)
{
    return take_result(pg,
                       pg->PQexecParams(pg->connection, sql, count, NULL, values, NULL, NULL, 0));
}

int pg_rows(const struct postgresql *pg)
{
    return pg->PQntuples(pg->result);
}

const char *pg_value(const struct postgresql *pg, int row, int column)
{
    return pg->PQgetisnull(pg->result, row, column) ? NULL
                                                    : pg->PQgetvalue(pg->result, row, column);
}

uint64_t pg_changed(const struct postgresql *pg)
{
    return strtoull(pg->PQcmdTuples(pg->result), NULL, 10);
}

/* The result of the COPY comes behind its end; after it there is one more, NULL. */
enum pg_outcome pg_copy(struct postgresql *pg, const char *sql, const char *bytes, size_t length)
{
    enum { CHUNK = 1 << 20 };
    enum pg_outcome result = pg_execute(pg, sql);

    if (result != PG_DONE) {
        return result;
    }
    for (size_t at = 0; at < length; at += CHUNK) {
        size_t size = length - at < CHUNK ? length - at : CHUNK;
        if (pg->PQputCopyData(pg->connection, bytes + at, (int)size) != 1) {
            keep_error(pg, pg->PQerrorMessage(pg->connection));
            return kind_of_error(pg);
        }
    }
    if (pg->PQputCopyEnd(pg->connection, NULL) != 1) {
        keep_error(pg, pg->PQerrorMessage(pg->connection));
        return kind_of_error(pg);
    }
    result = take_result(pg, pg->PQgetResult(pg->connection));
    for (PGresult *more; result == PG_DONE && (more = pg->PQgetResult(pg->connection)) != NULL;) {
        pg->PQclear(more);
    }
    return result;
}

bool pg_wait(struct postgresql *pg, uint64_t seconds)
{
    const struct timespec pause = {.tv_nsec = 250000000};
    int64_t until = clock_now_ms() + (int64_t)seconds * 1000;

    do {
        pg->PQreset(pg->connection);
        if (pg->PQstatus(pg->connection) == CONNECTION_OK) {
            return true;
        }
        keep_error(pg, pg->PQerrorMessage(pg->connection));
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    } while (clock_now_ms() < until);
    return false;
}

const char *pg_error(const struct postgresql *pg)
{
    return pg->error;
}

#else

/* Without the header of libpq there is no connection, and none of the others is called. */
struct postgresql *pg_connect(const char *url)
{
    (void)url;
    complain(CLI_UNABLE, "this miguard was built without libpq, the library of PostgreSQL");
    return NULL;
}

void pg_close(struct postgresql *pg)
{
    (void)pg;
}

enum pg_outcome pg_execute(struct postgresql *pg, const char *sql)
{
    (void)pg;
    (void)sql;
    return PG_FAILED;
}

enum pg_outcome pg_query(struct postgresql *pg, const char *sql, const char *const *values,
                         int count)
{
    (void)pg;
    (void)sql;
    (void)values;
    (void)count;
    return PG_FAILED;
}

int pg_rows(const struct postgresql *pg)
{
    (void)pg;
    return 0;
}

const char *pg_value(const struct postgresql *pg, int row, int column)
{
    (void)pg;
    (void)row;
    (void)column;
    return NULL;
}

uint64_t pg_changed(const struct postgresql *pg)
{
    (void)pg;
    return 0;
}

enum pg_outcome pg_copy(struct postgresql *pg, const char *sql, const char *bytes, size_t length)
{
    (void)pg;
    (void)sql;
    (void)bytes;
    (void)length;
    return PG_FAILED;
}

bool pg_wait(struct postgresql *pg, uint64_t seconds)
{
    (void)pg;
    (void)seconds;
    return false;
}

const char *pg_error(const struct postgresql *pg)
{
    (void)pg;
    return "";
}

#endif
