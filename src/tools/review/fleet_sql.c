/* SPDX-License-Identifier: MIT */
/* Makes SQL of the saved questions, for PostgreSQL and for DuckDB. */
#include "tools/review/fleet_sql.h"

#include <stdlib.h>
#include <string.h>

#include "tools/review/export_text.h"

#define FLEET_SQL "policy/fleet/postgresql" /* below the folder where the compiler runs */

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

/* ---- words ----------------------------------------------------------------------------------- */

static bool begins(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

/* What stands for a word of a file. */
struct sql_word {
    const char *word, *with;
};

/* Returns how many bytes of the file are done with; 0: the byte stands for itself. */
static size_t add_word(struct text *text, const char *at, const struct sql_word *words)
{
    for (; words->word != NULL; words++) {
        if (begins(at, words->word)) {
            text_append(text, words->with);
            return strlen(words->word);
        }
    }
    return 0;
}

/* Up to the end of the line or the statement. "::" is a cast. */
static void add_line(struct text *text, const char *line, size_t length,
                     const struct sql_word *words)
{
    for (size_t i = 0; i < length && line[i] != ';';) {
        size_t taken = begins(&line[i], "::") ? 0 : add_word(text, &line[i], words);
        if (taken == 0) {
            taken = begins(&line[i], "::") ? 2 : 1;
            text_append_bytes(text, &line[i], taken);
        }
        i += taken;
    }
    text_append(text, "\n");
}

static void add_question(struct text *text, const char *file, const struct sql_word *words)
{
    for (const char *line = file, *end; *line != '\0'; line = end + (*end != '\0')) {
        end = line + strcspn(line, "\n");
        if (line[0] != '\\' && !begins(line, "--")) {
            add_line(text, line, (size_t)(end - line), words);
        }
    }
}

/* ---- PostgreSQL ------------------------------------------------------------------------------ */

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

/* now() as a time, so that all questions are asked of one moment. */
static void add_values(struct text *text, enum fleet_question at,
                       const struct fleet_answers *answers)
{
    struct text now = TEXT_EMPTY, days = TEXT_EMPTY, seconds = TEXT_EMPTY;

    text_append(&now, "timestamptz '");
    export_utc(&now, answers->now * 1000);
    text_append(&now, "'");
    text_append_unsigned(&days, answers->days);
    text_append_unsigned(&seconds, answers->bucket);
    text->failed |= now.failed || days.failed || seconds.failed;
    if (!text->failed) {
        const struct sql_word words[] = {{":'user'", "$1"},
                                         {":days", days.data},
                                         {":seconds", seconds.data},
                                         {"now()", now.data},
                                         {NULL, NULL}};
        add_question(text, files[at], words);
    }
    text_release(&now);
    text_release(&days);
    text_release(&seconds);
}

void fleet_sql_postgresql(struct text *text, enum fleet_question at,
                          const struct fleet_answers *answers)
{
    const struct question *question = &fleet_questions[at];

    text_append(text, "SELECT ");
    add_columns(text, question);
    text_append(text, " FROM (");
    add_values(text, at, answers);
    text_append(text, ") AS answer");
    add_order(text, question);
    text_format(text, " LIMIT %d", FLEET_ROWS_MOST + 1);
}

/* ---- DuckDB ---------------------------------------------------------------------------------- */

/* The variables are parameters, of names that no column has. Times there have no zone, and are UTC:
 * a conversion would need an extension of its own. */
static const struct sql_word duckdb_words[] = {
    {":'user'", "who"},
    {":days", "days"},
    {":seconds", "seconds"},
    {"now()", "moment"},
    {"make_interval(days => ", "to_days("},
    {"to_timestamp(", "to_timestamp("},
    {NULL, NULL},
};

static const char *parameters_of(enum fleet_question question)
{
    switch (question) {
    case FLEET_ONE_USER:
        return "who, days := 7, ";
    case FLEET_POLICY_VERSIONS:
        return "";
    case FLEET_LOST:
        return "days := 30, ";
    case FLEET_HOST_TIME:
        return "days := 1, seconds := 3600, ";
    default:
        return "days := 1, ";
    }
}

void fleet_sql_duckdb(struct text *text)
{
    for (enum fleet_question i = 0; i < FLEET_QUESTIONS; i++) {
        text_append(text, "\nCREATE OR REPLACE MACRO miguard.");
        for (const char *at = fleet_questions[i].name; *at != '\0'; at++) {
            text_append_bytes(text, *at == '-' ? "_" : at, 1);
        }
        text_format(text, "(%smoment := make_timestamp(epoch_us(now()))) AS TABLE\n",
                    parameters_of(i));
        add_question(text, files[i], duckdb_words);
        text->length -= text->length > 0 && !text->failed; /* the newline at the end */
        text_append(text, ";\n");
    }
}
