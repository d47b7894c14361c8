/* SPDX-License-Identifier: MIT */
/*
 * The saved questions of policy/fleet/postgresql, which are in the command as they are on the disk,
 * as SQL for each engine. The files are made for psql(1), whose directives (\if, \set) and
 * variables
 * (:days) are resolved here, and what an engine calls otherwise; nothing else of them is changed,
 * so that who reads a file knows what is asked.
 */
#ifndef TOOLS_REVIEW_FLEET_SQL_H
#define TOOLS_REVIEW_FLEET_SQL_H

#include "base/text.h"
#include "tools/review/fleet_answers.h"

/* One statement, which gives times as microseconds and lists as JSON, in the order of the answer.
 * `now` stands for now(), and the user is $1. Out of memory: text->failed, as below. */
void fleet_sql_postgresql(struct text *text, enum fleet_question question,
                          const struct fleet_answers *answers);

/* Each question as a macro of DuckDB, to be asked as a table:
 * miguard.refused(days := 1, moment := now()). */
void fleet_sql_duckdb(struct text *text);

#endif
