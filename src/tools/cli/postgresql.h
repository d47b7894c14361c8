/* SPDX-License-Identifier: MIT */
/*
 * A connection to PostgreSQL by libpq, which is loaded when it is needed: the command would
 * otherwise bring Kerberos and LDAP into every call of an administrator.
 */
#ifndef TOOLS_CLI_POSTGRESQL_H
#define TOOLS_CLI_POSTGRESQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct postgresql;

/* What became of a statement. */
enum pg_outcome {
    PG_DONE,
    PG_AGAIN,    /* the server went away, or asks for another try: pg_wait() and begin anew */
    PG_BAD_DATA, /* it cannot hold a value (SQLSTATE class 22) */
    PG_FAILED,   /* pg_error() says why */
};

/* url: postgresql://... or any other connection string of libpq. NULL after a message. */
struct postgresql *pg_connect(const char *url);
/* NULL is allowed. */
void pg_close(struct postgresql *pg);

/* One or more statements without results that are looked at. */
enum pg_outcome pg_execute(struct postgresql *pg, const char *sql);
/* One statement with parameters as text ($1...), and its rows. Values are valid until the next
 * statement; NULL is one that is null. */
enum pg_outcome pg_query(struct postgresql *pg, const char *sql, const char *const *values,
                         int count);
int pg_rows(const struct postgresql *pg);
const char *pg_value(const struct postgresql *pg, int row, int column);
/* How many rows the last statement changed. */
uint64_t pg_changed(const struct postgresql *pg);

/* Sends rows behind a COPY ... FROM STDIN. */
enum pg_outcome pg_copy(struct postgresql *pg, const char *sql, const char *bytes, size_t length);

/* Connects anew, again and again for at most so many seconds. False: it did not work. */
bool pg_wait(struct postgresql *pg, uint64_t seconds);

/* What the server or the library said last, without its last newline. */
const char *pg_error(const struct postgresql *pg);

#endif
