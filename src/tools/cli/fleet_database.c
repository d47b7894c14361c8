/* SPDX-License-Identifier: MIT */
/*
 * The saved questions, asked of PostgreSQL. The files are made for psql(1), whose directives
 * (\if, \set) and variables (:days) are resolved here; nothing else of them is changed, so that who
 * reads a file knows what the command asks.
 */
#include "tools/cli/fleet_database.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet_columns.h"

#ifndef FLEET_SQL /* the Makefile has the place */
#define FLEET_SQL "policy/fleet/postgresql"
#endif

/* ---- the files ------------------------------------------------------------------------------- */

/* The bytes of a file, with a NUL behind. */
#define SQL_BYTES(NAME, name, title, none)                                                         \
    extern const char fleet_sql_##NAME[];                                                          \
    __asm__(".section .rodata.fleet_sql,\"a\"\n"                                                   \
            ".globl fleet_sql_" #NAME "\n"                                                         \
            ".hidden fleet_sql_" #NAME "\n"                                                        \
            "fleet_sql_" #NAME ":\n"                                                               \
            ".incbin \"" FLEET_SQL "/" name ".sql\"\n"                                             \
            ".byte 0\n"                                                                            \
            ".previous\n");
FLEET_QUESTION_MAP(SQL_BYTES)
#undef SQL_BYTES

static const char *const files[FLEET_QUESTIONS] = {
#define SQL_ROW(NAME, name, title, none) fleet_sql_##NAME,
    FLEET_QUESTION_MAP(SQL_ROW)
#undef SQL_ROW
};

/* ---- one statement --------------------------------------------------------------------------- */

static bool begins(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

/* A variable of psql, or now(). 0: the byte stands for itself. */
static size_t add_variable(struct text *text, const char *at, const struct fleet_answers *answers)
{
    if (begins(at, ":'user'")) {
        text_append(text, "$1");
        return strlen(":'user'");
    }
    if (begins(at, ":days")) {
        text_append_unsigned(text, answers->days);
        return strlen(":days");
    }
    if (begins(at, ":seconds")) {
        text_append_unsigned(text, answers->bucket);
        return strlen(":seconds");
    }
    if (begins(at, "now()")) {
        text_append(text, "timestamptz '");
        export_utc(text, answers->now * 1000);
        text_append(text, "'");
        return strlen("now()");
    }
    return 0;
}

/* Up to the end of the line or the statement. "::" is a cast. */
static void add_line(struct text *text, const char *line, size_t length,
                     const struct fleet_answers *answers)
{
    for (size_t i = 0; i < length && line[i] != ';';) {
        size_t taken = begins(&line[i], "::") ? 0 : add_variable(text, &line[i], answers);
        if (taken == 0) {
            taken = begins(&line[i], "::") ? 2 : 1;
            text_append_bytes(text, &line[i], taken);
        }
        i += taken;
    }
    text_append(text, "\n");
}

static void add_question(struct text *text, const char *file, const struct fleet_answers *answers)
{
    for (const char *line = file, *end; *line != '\0'; line = end + (*end != '\0')) {
        end = line + strcspn(line, "\n");
        if (line[0] != '\\' && !begins(line, "--")) {
            add_line(text, line, (size_t)(end - line), answers);
        }
    }
}

/* Times as microseconds and lists as JSON, so that no setting of the server changes them. */
static void add_columns(struct text *text, const struct question *question)
{
    const char *comma = "";

    for (const struct answer_column *column = question->columns; column->name != NULL; column++) {
        if (column->kind == ANSWER_TIME) {
            text_format(text, "%s(extract(epoch FROM \"%s\") * 1000000)::bigint", comma,
                        column->name);
        } else if (column->kind == ANSWER_LIST) {
            text_format(text, "%sto_json(\"%s\"[1:%d])", comma, column->name, FLEET_NAMES_MOST);
        } else {
            text_format(text, "%s\"%s\"", comma, column->name);
        }
        comma = ", ";
    }
}

/* By bytes, as the answers from files are. */
static void add_order(struct text *text, const struct question *question)
{
    for (size_t i = 0; question->order[i] != 0; i++) {
        const struct answer_column *column = &question->columns[abs(question->order[i]) - 1];
        text_format(text, "%s\"%s\"%s%s", i == 0 ? " ORDER BY " : ", ", column->name,
                    column->kind == ANSWER_TEXT ? " COLLATE \"C\"" : "",
                    question->order[i] < 0 ? " DESC NULLS LAST" : " NULLS FIRST");
    }
}

void fleet_database_sql(struct text *text, enum fleet_question at,
                        const struct fleet_answers *answers)
{
    const struct question *question = &fleet_questions[at];

    text_append(text, "SELECT ");
    add_columns(text, question);
    text_append(text, " FROM (");
    add_question(text, files[at], answers);
    text_append(text, ") AS answer");
    add_order(text, question);
    text_format(text, " LIMIT %d", FLEET_ROWS_MOST + 1);
}

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

    fleet_database_sql(&sql, at, answers);
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
