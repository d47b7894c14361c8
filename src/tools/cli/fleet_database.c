/* SPDX-License-Identifier: MIT */
/* The saved questions, asked of PostgreSQL. */
#include "tools/cli/fleet_database.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"
#include "tools/review/fleet_columns.h"
#include "tools/review/fleet_sql.h"

/* ---- asking ---------------------------------------------------------------------------------- */

bool fleet_database_named(const char *place)
{
    return strncmp(place, "postgresql://", 13) == 0 || strncmp(place, "postgres://", 11) == 0;
}

static int complain_pg(const struct postgresql *pg, const char *what)
{
    return complain(CLI_UNABLE, "%s: %s", what, pg_error(pg));
}

static bool take_row(struct postgresql *pg, int row, struct fleet_answers *answers,
                     enum fleet_question at)
{
    const struct question *question = &fleet_questions[at];
    struct answer_cell cells[FLEET_COLUMNS_MOST] = {{0}};

    for (int i = 0; question->columns[i].name != NULL; i++) {
        const char *value = pg_value(pg, row, i);
        enum answer_kind kind = question->columns[i].kind;
        if (value == NULL) {
            continue;
        }
        if (kind == ANSWER_NUMBER) { /* at the end of the range it stays there: strtoull(3) */
            cells[i].number = strtoull(value, NULL, 10);
        } else if (kind == ANSWER_TIME) {
            cells[i].number = (uint64_t)strtoll(value, NULL, 10);
        } else {
            cells[i].text = (char *)(uintptr_t)value;
        }
    }
    return fleet_answer_add(answers, at, cells);
}

static int ask_one(struct postgresql *pg, enum fleet_question at, struct fleet_answers *answers)
{
    const char *const values[] = {answers->user};
    struct text sql = TEXT_EMPTY;
    bool added = true;

    fleet_sql_postgresql(&sql, at, answers);
    if (sql.failed) {
        text_release(&sql);
        return complain(CLI_UNABLE, "out of memory");
    }
    enum pg_outcome outcome = pg_query(pg, sql.data, values, at == FLEET_ONE_USER ? 1 : 0);
    text_release(&sql);
    if (outcome != PG_DONE) {
        return complain_pg(pg, fleet_questions[at].name);
    }
    for (int row = 0; row < pg_rows(pg) && added; row++) {
        added = take_row(pg, row, answers, at);
    }
    fleet_answer_end(answers, at);
    return added ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* Tables of another version have other columns, and would answer something else. */
static int check_version(struct postgresql *pg)
{
    if (pg_query(pg, "SELECT to_regclass('miguard.schema')::text", NULL, 0) != PG_DONE) {
        return complain_pg(pg, "the database cannot be asked");
    }
    if (pg_value(pg, 0, 0) == NULL) {
        return complain(CLI_UNABLE, "the database has no tables of miguard; miguard audit load "
                                    "makes them");
    }
    if (pg_query(pg, "SELECT version FROM miguard.schema", NULL, 0) != PG_DONE) {
        return complain_pg(pg, "the version of the tables cannot be read");
    }
    const char *version = pg_rows(pg) > 0 ? pg_value(pg, 0, 0) : NULL;
    return version != NULL && atoi(version) == FLEET_SCHEMA_VERSION
               ? CLI_YES
               : complain(CLI_UNABLE, "the tables have version %s, and this miguard reads %d",
                          version != NULL ? version : "none", FLEET_SCHEMA_VERSION);
}

int fleet_database_ask(const char *url, struct fleet_answers *answers)
{
    struct postgresql *pg = pg_connect(url);
    int status = CLI_UNABLE;

    if (pg == NULL) {
        return CLI_UNABLE;
    }
    if (pg_execute(pg, "SET TIME ZONE 'UTC'; SET client_encoding TO 'UTF8'; BEGIN ISOLATION LEVEL "
                       "REPEATABLE READ, READ ONLY") != PG_DONE) {
        status = complain_pg(pg, "the database cannot be asked");
    } else {
        status = check_version(pg);
    }
    for (enum fleet_question i = 0; i < FLEET_QUESTIONS && status == CLI_YES; i++) {
        status = answers->wanted[i] ? ask_one(pg, i, answers) : CLI_YES;
    }
    pg_close(pg);
    return status;
}
