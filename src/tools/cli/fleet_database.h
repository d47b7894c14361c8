/* SPDX-License-Identifier: MIT */
/*
 * The store of `miguard audit load` in PostgreSQL, as other commands meet it: its version, and the
 * saved questions (tools/review/fleet_sql.h).
 */
#ifndef TOOLS_CLI_FLEET_DATABASE_H
#define TOOLS_CLI_FLEET_DATABASE_H

#include "tools/cli/postgresql.h"
#include "tools/review/fleet_answers.h"

/* What names a database, and no file. */
bool fleet_database_named(const char *place);

/* Asks all that is wanted, in one transaction, so that the answers are of one moment. CLI_YES, or
 * the exit status after a message. */
int fleet_database_ask(const char *url, struct fleet_answers *answers);

#endif
