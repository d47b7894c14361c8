/* SPDX-License-Identifier: MIT */
/*
 * The questions of `miguard fleet report` and their answers, which are tables. An answer is the
 * same whether PostgreSQL gave it, by the saved SQL of policy/fleet/postgresql, or a folder of
 * files (fleet_ask.h): the columns stand here once, and rows are put into their order here.
 */
#ifndef TOOLS_REVIEW_FLEET_ANSWERS_H
#define TOOLS_REVIEW_FLEET_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* X(NAME, name, "title", "what it says when there is no row"). NAME.sql, with - for _, is the saved
 * question. In the order of the report; the last three are drawn by the page and are no part of the
 * text. */
#define FLEET_QUESTION_MAP(X)                                                                      \
    X(REFUSED, "refused", "Who was refused on which hosts", "Nothing was refused.")                \
    X(NEW_KINDS, "new-kinds", "Kinds of refusals that no host had before",                         \
      "There is no new kind of refusal.")                                                          \
    X(FIRST_SEEN, "first-seen", "Users first seen with a provider",                                \
      "No user used a provider for the first time.")                                               \
    X(ONE_USER, "one-user", "One user on all hosts", "There is no record of this user.")           \
    X(POLICY_VERSIONS, "policy-versions", "Policy versions in force", "No host loaded a policy.")  \
    X(LOST, "lost", "Lost records", "No host declares a loss.")                                    \
    X(HOST_TIME, "host-time", "Refusals of each host over time", "Nothing was refused.")           \
    X(HOST_USERS, "host-users", "Hosts and users", "Nothing was refused.")                         \
    X(PROVIDER_RULES, "provider-rules", "Providers and rules", "Nothing was refused.")

enum fleet_question {
#define FLEET_QUESTION_ENUM(NAME, name, title, none) FLEET_##NAME,
    FLEET_QUESTION_MAP(FLEET_QUESTION_ENUM)
#undef FLEET_QUESTION_ENUM
        FLEET_QUESTIONS
};

enum answer_kind {
    ANSWER_TEXT,   /* from a record; may be null */
    ANSWER_NUMBER, /* not negative; beyond 64 bits it is the highest */
    ANSWER_TIME,   /* microseconds since 1970 */
    ANSWER_LIST,   /* texts, as a JSON array */
};

/* COLUMNS: of one question. ROWS: what is kept of an answer, the first in its order. */
enum { FLEET_COLUMNS_MOST = 9, FLEET_ROWS_MOST = 100000, FLEET_NAMES_MOST = 100 };

struct answer_column {
    const char *name, *head; /* in SQL and JSON; over the column */
    enum answer_kind kind;
};

struct question {
    const char *name, *title, *none;
    struct answer_column columns[FLEET_COLUMNS_MOST + 1]; /* ended with NULL */
    signed char
        order[FLEET_COLUMNS_MOST + 1]; /* columns from 1, negative: descending; ended by 0 */
};
extern const struct question fleet_questions[FLEET_QUESTIONS];
extern const char *const fleet_question_names[]; /* ended with NULL */

struct answer_cell {
    char *text; /* NULL: null; of numbers and times not used */
    uint64_t number;
};

struct answer {
    bool asked;
    struct answer_cell *cells; /* row by row */
    size_t rows, room, columns;
    bool more; /* than are kept */
};

/* What was asked, and all that came. Begins as {0} with the first members set. */
struct fleet_answers {
    int64_t now, since;    /* microseconds: what counts as now; the first that is looked at */
    uint64_t days, bucket; /* seconds of one step of HOST_TIME */
    const char *user;      /* of ONE_USER; NULL: that is not asked */
    bool wanted[FLEET_QUESTIONS];
    struct answer answers[FLEET_QUESTIONS];
    /* Of files; zero for a database. */
    uint64_t files, records, duplicates, broken;
    const char *source; /* as it may be shown */
};

void fleet_answers_release(struct fleet_answers *answers);

/* A row of the question's columns; texts are copied. False out of memory. */
bool fleet_answer_add(struct fleet_answers *answers, enum fleet_question question,
                      const struct answer_cell *cells);
/* All rows are there: into their order. */
void fleet_answer_end(struct fleet_answers *answers, enum fleet_question question);

static inline const struct answer_cell *fleet_answer_row(const struct answer *answer, size_t row)
{
    return &answer->cells[row * answer->columns];
}

/* ---- what comes out (fleet_write.c, fleet_page.c) -------------------------------------------- */

/* top: rows of each table. Safe for a terminal. */
void fleet_write_text(struct text *text, const struct fleet_answers *answers, uint32_t top);
/* One object and a newline. */
void fleet_write_json(struct text *text, const struct fleet_answers *answers, uint32_t top);
/* One page that needs nothing else. made: when, nanoseconds. */
void fleet_write_page(struct text *text, const struct fleet_answers *answers, uint32_t top,
                      int64_t made);

#endif
