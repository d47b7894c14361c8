/* SPDX-License-Identifier: MIT */
/*
 * The statements of the saved questions for PostgreSQL. That an engine understands them, and what
 * it answers, is in live/fleet_postgresql_test; here is what no answer of a small store shows.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/review/fleet_sql.h"

/* The order of the statement itself; those of the question stand before. */
static const char *outer_order(const char *statement)
{
    const char *from = strstr(statement, ") AS answer");

    ck_assert_ptr_nonnull(from);
    return from;
}

/* An answer is cut where it is too long, so which rows are left must not depend on the locale of
 * the database: "b" and "B" stand in another order in nearly each. */
START_TEST(texts_are_ordered_by_bytes)
{
    const struct question *question = &fleet_questions[_i];
    const struct fleet_answers answers = {.now = 1, .days = 7, .bucket = 3600};
    struct text text = TEXT_EMPTY;
    char by[128];

    fleet_sql_postgresql(&text, (enum fleet_question)_i, &answers);
    ck_assert(!text.failed);
    const char *order = outer_order(text.data);
    for (size_t i = 0; question->order[i] != 0; i++) {
        const struct answer_column *column = &question->columns[abs(question->order[i]) - 1];
        snprintf(by, sizeof(by), " \"%s\"%s%s", column->name,
                 column->kind == ANSWER_TEXT ? " COLLATE \"C\"" : "",
                 question->order[i] < 0 ? " DESC NULLS LAST" : " NULLS FIRST");
        ck_assert_msg(strstr(order, by) != NULL, "%s: not%s in%s", question->name, by, order);
    }
    ck_assert_ptr_nonnull(strstr(order, " LIMIT 100001"));
    text_release(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet_sql");
    TCase *tcase = tcase_create("fleet_sql");

    tcase_add_loop_test(tcase, texts_are_ordered_by_bytes, 0, FLEET_QUESTIONS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
