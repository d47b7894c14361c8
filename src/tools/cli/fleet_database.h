/* SPDX-License-Identifier: MIT */
/*
 * The store of `miguard audit load` in PostgreSQL, as other commands meet it: its version, and the
 * saved questions of policy/fleet/postgresql, which are in the command as they are on the disk.
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

/* The SQL of a saved question for one statement: psql's directives and variables are gone, `now`
 * stands for now(), and the user is $1. Out of memory: text->failed. */
void fleet_database_sql(struct text *text, enum fleet_question question,
                        const struct fleet_answers *answers);

#endif
