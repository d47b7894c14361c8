/* SPDX-License-Identifier: MIT */
/* The table of questions, and rows of answers in their order. */
#include "tools/review/fleet_answers.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- the questions --------------------------------------------------------------------------- */

#define T(name, head)                                                                              \
    {                                                                                              \
        name, head, ANSWER_TEXT                                                                    \
    }
#define N(name, head)                                                                              \
    {                                                                                              \
        name, head, ANSWER_NUMBER                                                                  \
    }
#define D(name, head)                                                                              \
    {                                                                                              \
        name, head, ANSWER_TIME                                                                    \
    }
#define L(name, head)                                                                              \
    {                                                                                              \
        name, head, ANSWER_LIST                                                                    \
    }

/* Columns as the saved SQL names them, and the order. */
#define REFUSED_COLUMNS                                                                            \
    {T("user", "User"),         T("host", "Host"),         T("reason", "Reason"),                  \
     T("provider", "Provider"), N("refusals", "Refusals"), D("first", "First"),                    \
     D("last", "Last")},                                                                           \
    {                                                                                              \
        -5, 1, 2, 3, 4                                                                             \
    }
#define NEW_KINDS_COLUMNS                                                                          \
    {T("reason", "Reason"),       T("provider", "Provider"), T("rule", "Rule"),                    \
     T("operation", "Operation"), D("first", "First"),       T("host", "Host"),                    \
     T("user", "User"),           T("event_id", "Event")},                                         \
    {                                                                                              \
        1, 2, 3, 4                                                                                 \
    }
#define FIRST_SEEN_COLUMNS                                                                         \
    {T("user", "User"), T("provider", "Provider"), D("first", "First"), T("host", "Host"),         \
     T("decision", "Decision")},                                                                   \
    {                                                                                              \
        -3, 1, 2                                                                                   \
    }
#define ONE_USER_COLUMNS                                                                           \
    {D("time", "Time"),           T("host", "Host"),     T("action", "Action"),                    \
     T("decision", "Decision"),   T("reason", "Reason"), T("provider", "Provider"),                \
     T("operation", "Operation"), T("class", "Class"),   T("event_id", "Event")},                  \
    {                                                                                              \
        1, 2, 9                                                                                    \
    }
#define POLICY_VERSIONS_COLUMNS                                                                    \
    {T("policy", "Policy"), N("hosts", "Hosts"), D("since", "Since"), L("names", "Names")},        \
    {                                                                                              \
        -2, 1                                                                                      \
    }
#define LOST_COLUMNS                                                                               \
    {T("host", "Host"), T("sink", "Sink"), T("cause", "Cause"), N("lost", "Lost"),                 \
     D("last", "Last")},                                                                           \
    {                                                                                              \
        -4, 1, 2, 3                                                                                \
    }
#define HOST_TIME_COLUMNS                                                                          \
    {T("host", "Host"), D("time", "Time"), N("refusals", "Refusals")},                             \
    {                                                                                              \
        -3, 1, 2                                                                                   \
    }
#define HOST_USERS_COLUMNS                                                                         \
    {T("host", "Host"), T("user", "User"), N("refusals", "Refusals")},                             \
    {                                                                                              \
        -3, 1, 2                                                                                   \
    }
#define PROVIDER_RULES_COLUMNS                                                                     \
    {T("provider", "Provider"), T("rule", "Rule"), N("refusals", "Refusals")},                     \
    {                                                                                              \
        -3, 1, 2                                                                                   \
    }

const struct question fleet_questions[FLEET_QUESTIONS] = {
#define QUESTION_ROW(NAME, name, title, none) {name, title, none, NAME##_COLUMNS},
    FLEET_QUESTION_MAP(QUESTION_ROW)
#undef QUESTION_ROW
};

const char *const fleet_question_names[] = {
#define QUESTION_NAME(NAME, name, title, none) name,
    FLEET_QUESTION_MAP(QUESTION_NAME)
#undef QUESTION_NAME
        NULL};

/* ---- the rows -------------------------------------------------------------------------------- */

static void release_rows(struct answer *answer, size_t from, size_t to)
{
    for (size_t i = from * answer->columns; i < to * answer->columns; i++) {
        base_free(answer->cells[i].text);
    }
}

void fleet_answers_release(struct fleet_answers *answers)
{
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        release_rows(&answers->answers[i], 0, answers->answers[i].rows);
        base_free(answers->answers[i].cells);
        answers->answers[i] = (struct answer){0};
    }
}

static int compare_cells(const struct answer_cell *a, const struct answer_cell *b,
                         enum answer_kind kind)
{
    if (kind == ANSWER_NUMBER) {
        return (a->number > b->number) - (a->number < b->number);
    }
    if (kind == ANSWER_TIME) {
        int64_t one = (int64_t)a->number, other = (int64_t)b->number;
        return (one > other) - (one < other);
    }
    if (a->text == NULL || b->text == NULL) {
        return (a->text != NULL) - (b->text != NULL);
    }
    return strcmp(a->text, b->text);
}

/* For qsort_r(3). */
static int compare_rows(const void *one, const void *other, void *context)
{
    const struct question *question = context;
    const struct answer_cell *a = one, *b = other;
    int result = 0;

    for (size_t i = 0; result == 0 && question->order[i] != 0; i++) {
        size_t at = (size_t)abs(question->order[i]) - 1;
        result = compare_cells(&a[at], &b[at], question->columns[at].kind);
        result = question->order[i] < 0 ? -result : result;
    }
    return result;
}

/* The first in the order stay. */
static void sort_and_cut(struct answer *answer, const struct question *question)
{
    if (answer->rows == 0) {
        return;
    }
    qsort_r(answer->cells, answer->rows, answer->columns * sizeof(*answer->cells), compare_rows,
            (void *)(uintptr_t)question);
    if (answer->rows > FLEET_ROWS_MOST) {
        release_rows(answer, FLEET_ROWS_MOST, answer->rows);
        answer->rows = FLEET_ROWS_MOST;
        answer->more = true;
    }
}

static bool make_room(struct answer *answer, const struct question *question)
{
    if (answer->rows < answer->room) {
        return true;
    }
    if (answer->rows >= 2 * (size_t)FLEET_ROWS_MOST) {
        sort_and_cut(answer, question);
        return true;
    }
    size_t room = answer->room == 0 ? 64 : 2 * answer->room;
    struct answer_cell *cells =
        base_resize(answer->cells, room * answer->columns, sizeof(*answer->cells));
    if (cells == NULL) {
        return false;
    }
    answer->cells = cells;
    answer->room = room;
    return true;
}

static size_t column_count(const struct question *question)
{
    size_t count = 0;

    while (question->columns[count].name != NULL) {
        count++;
    }
    return count;
}

bool fleet_answer_add(struct fleet_answers *answers, enum fleet_question question,
                      const struct answer_cell *cells)
{
    struct answer *answer = &answers->answers[question];

    answer->columns = column_count(&fleet_questions[question]);
    if (!make_room(answer, &fleet_questions[question])) {
        return false;
    }
    struct answer_cell *row = &answer->cells[answer->rows * answer->columns];
    memset(row, 0, answer->columns * sizeof(*row));
    answer->rows++;
    for (size_t i = 0; i < answer->columns; i++) {
        row[i].number = cells[i].number;
        if (cells[i].text != NULL && (row[i].text = base_copy_text(cells[i].text)) == NULL) {
            return false;
        }
    }
    return true;
}

void fleet_answer_end(struct fleet_answers *answers, enum fleet_question question)
{
    struct answer *answer = &answers->answers[question];

    answer->asked = true;
    answer->columns = column_count(&fleet_questions[question]);
    sort_and_cut(answer, &fleet_questions[question]);
}
