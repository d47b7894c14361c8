/* SPDX-License-Identifier: MIT */
/*
 * The answers about a fleet as one page, with the parts and the style of the report of one log
 * (html.h): refusals of each host over time, hosts against users, providers against rules, then the
 * other answers as tables.
 */
#include "base/alloc.h"
#include "miguard/guard.h"
#include "tools/review/fleet_answers.h"
#include "tools/review/html.h"

#include <stdlib.h>
#include <string.h>

/* STRIP: height of a host's line in pixels. TIMES: hosts that have one. */
enum { STRIP = 34, TIMES = 40, MATRIX_ROWS = 30, MATRIX_COLUMNS = 10, HEATS = 4 };

/* ---- sums by one column ---------------------------------------------------------------------- */

/* A text of a column and the sum of its rows. text is the answer's; NULL: null. */
struct sum {
    const char *text;
    uint64_t number;
};

struct sums {
    struct sum *list;
    size_t count;
};

static int compare_texts(const char *a, const char *b)
{
    return a == NULL || b == NULL ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int by_text(const void *a, const void *b)
{
    return compare_texts(((const struct sum *)a)->text, ((const struct sum *)b)->text);
}

static int by_number(const void *a, const void *b)
{
    const struct sum *one = a, *other = b;
    int result = (one->number < other->number) - (one->number > other->number);

    return result != 0 ? result : compare_texts(one->text, other->text);
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The highest first. False out of memory. */
static bool sum_by(const struct answer *answer, size_t column, size_t number, struct sums *ret_sums)
{
    struct sum *list = base_alloc(answer->rows + 1, sizeof(*list));
    size_t count = 0;

    *ret_sums = (struct sums){0};
    if (list == NULL) {
        return false;
    }
    for (size_t row = 0; row < answer->rows; row++) {
        const struct answer_cell *cells = fleet_answer_row(answer, row);
        list[row] = (struct sum){cells[column].text, cells[number].number};
    }
    qsort(list, answer->rows, sizeof(*list), by_text);
    for (size_t row = 0; row < answer->rows; row++) {
        if (count > 0 && by_text(&list[count - 1], &list[row]) == 0) {
            list[count - 1].number = add_up(list[count - 1].number, list[row].number);
        } else {
            list[count++] = list[row];
        }
    }
    qsort(list, count, sizeof(*list), by_number);
    *ret_sums = (struct sums){list, count};
    return true;
}

/* The place of a text among the first `most`; most: it is not there. */
static size_t place_of(const struct sums *sums, size_t most, const char *text)
{
    size_t at = 0;

    most = sums->count < most ? sums->count : most;
    while (at < most && compare_texts(sums->list[at].text, text) != 0) {
        at++;
    }
    return at;
}

/* ---- small parts ----------------------------------------------------------------------------- */

static void write_name(struct text *text, const char *name)
{
    if (name == NULL) {
        text_append(text, "<span class=\"note\">(none)</span>");
        return;
    }
    text_append(text, name[0] == '\0' ? "<span class=\"note\">(empty)</span>" : "<bdi>");
    html_string(text, name);
    text_append(text, name[0] == '\0' ? "" : "</bdi>");
}

static void write_time(struct text *text, int64_t time)
{
    text_append(text, "<time datetime=\"");
    export_utc(text, time * 1000);
    text_append(text, "\">");
    export_time(text, time * 1000, false);
    text_append(text, "</time>");
}

static void write_none(struct text *text, const struct question *question)
{
    text_format(text, "<p class=\"plain\">%s</p>", question->none);
}

/* What is not on the page is said. */
static void write_left_out(struct text *text, const char *what, size_t count, bool more)
{
    if (count > 0 || more) {
        text_append(text, "<p class=\"note\">");
        text_append(text, more ? "At least " : "");
        html_number(text, count + more);
        text_format(text, " more %s; <code>--top</code> and <code>--json</code> have them.</p>",
                    what);
    }
}

/* ---- time of each host ----------------------------------------------------------------------- */

/* One step of one host; width in percent. */
static void write_step(struct text *text, const struct fleet_answers *answers,
                       const struct answer_cell *cells, uint64_t most)
{
    int64_t step = (int64_t)answers->bucket * 1000000, time = (int64_t)cells[1].number;
    int64_t first = answers->since - answers->since % step;
    double steps = (double)((answers->now - first) / step + 1);
    double left = (double)((time - first) / step) * 100.0 / steps, width = 80.0 / steps;
    double height = 4 + (STRIP - 4) * (double)cells[2].number / (double)(most > 0 ? most : 1);

    if (left < 0 || left >= 100) { /* a clock that is ahead */
        return;
    }
    text_format(text,
                "<rect class=\"deny\" x=\"%.3f%%\" y=\"%.1f\" width=\"%.3f%%\" height=\"%.1f\">"
                "<title>",
                left + width / 8, STRIP - height, width, height);
    export_time(text, time * 1000, false);
    text_append(text, ": ");
    html_number(text, cells[2].number);
    text_append(text, " refused</title></rect>");
}

static void write_host_time(struct text *text, const struct fleet_answers *answers,
                            const struct sum *host)
{
    const struct answer *answer = &answers->answers[FLEET_HOST_TIME];
    uint64_t most = 0;
    int64_t worst = 0;

    for (size_t row = 0; row < answer->rows; row++) {
        const struct answer_cell *cells = fleet_answer_row(answer, row);
        if (compare_texts(cells[0].text, host->text) == 0 && cells[2].number > most) {
            most = cells[2].number;
            worst = (int64_t)cells[1].number;
        }
    }
    text_append(text, "<h3 class=\"row\">");
    write_name(text, host->text);
    text_append(text, ": ");
    html_number(text, host->number);
    text_append(text, ", at most ");
    html_number(text, most);
    text_append(text, " from ");
    write_time(text, worst);
    text_format(text,
                "</h3><svg width=\"100%%\" height=\"%d\" aria-hidden=\"true\"><line class=\"base\" "
                "x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>",
                STRIP + 2, STRIP, STRIP);
    for (size_t row = 0; row < answer->rows; row++) {
        const struct answer_cell *cells = fleet_answer_row(answer, row);
        if (compare_texts(cells[0].text, host->text) == 0) {
            write_step(text, answers, cells, most);
        }
    }
    text_append(text, "</svg>");
}

static void write_times(struct text *text, const struct fleet_answers *answers)
{
    const struct answer *answer = &answers->answers[FLEET_HOST_TIME];
    struct sums hosts;

    html_section(text, fleet_questions[FLEET_HOST_TIME].name,
                 fleet_questions[FLEET_HOST_TIME].title);
    if (!sum_by(answer, 0, 2, &hosts)) {
        text->failed = true;
        return;
    }
    if (hosts.count == 0) {
        write_none(text, &fleet_questions[FLEET_HOST_TIME]);
    } else {
        text_append(text, "<p class=\"note\">From ");
        write_time(text, answers->since);
        text_append(text, " to ");
        write_time(text, answers->now);
        text_append(text, ", in steps of ");
        html_number(text, answers->bucket / 60);
        text_append(text, " minutes. Each host has its own scale; hosts with the most refusals "
                          "come first.</p>");
    }
    for (size_t i = 0; i < hosts.count && i < TIMES; i++) {
        write_host_time(text, answers, &hosts.list[i]);
    }
    write_left_out(text, "hosts", hosts.count > TIMES ? hosts.count - TIMES : 0, answer->more);
    text_append(text, "</section>\n");
    base_free(hosts.list);
}

/* ---- one kind of keys against another -------------------------------------------------------- */

/* numbers has a row of MATRIX_COLUMNS + 1 for each of the first rows and one for the others. */
struct matrix {
    struct sums rows, columns;
    uint64_t numbers[MATRIX_ROWS + 1][MATRIX_COLUMNS + 1];
    uint64_t most;
};

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

static void fill_matrix(struct matrix *matrix, const struct answer *answer)
{
    for (size_t row = 0; row < answer->rows; row++) {
        const struct answer_cell *cells = fleet_answer_row(answer, row);
        size_t y = place_of(&matrix->rows, MATRIX_ROWS, cells[0].text);
        size_t x = place_of(&matrix->columns, MATRIX_COLUMNS, cells[1].text);
        uint64_t *number = &matrix->numbers[y][x];
        *number = add_up(*number, cells[2].number);
        if (y < at_most(matrix->rows.count, MATRIX_ROWS) &&
            x < at_most(matrix->columns.count, MATRIX_COLUMNS) && *number > matrix->most) {
            matrix->most = *number;
        }
    }
}

static unsigned bits_of(uint64_t number)
{
    unsigned bits = 0;

    for (; number > 0; number /= 2) {
        bits++;
    }
    return bits;
}

/* Logarithmic: a user with a thousand must not make one with ten white. The number is there, too.
 */
static void write_number(struct text *text, const struct matrix *matrix, uint64_t number)
{
    unsigned most = bits_of(matrix->most), bits = bits_of(number);

    if (number == 0) {
        text_append(text, "<td class=\"n\"></td>");
        return;
    }
    unsigned heat = most == 0 ? 1 : 1 + (bits * HEATS - 1) / (most > bits ? most : bits);
    text_format(text, "<td class=\"n heat%u\">", heat > HEATS ? HEATS : heat);
    html_number(text, number);
    text_append(text, "</td>");
}

static void write_matrix_row(struct text *text, const struct matrix *matrix, size_t y,
                             const struct sum *row)
{
    size_t columns = at_most(matrix->columns.count, MATRIX_COLUMNS);
    uint64_t sum = 0;

    text_append(text, "<tr><th scope=\"row\">");
    if (row != NULL) {
        write_name(text, row->text);
    } else {
        text_append(text, "<span class=\"note\">others</span>");
    }
    text_append(text, "</th>");
    for (size_t x = 0; x <= columns; x++) {
        sum = add_up(sum, matrix->numbers[y][x]);
        if (x < columns) {
            write_number(text, matrix, matrix->numbers[y][x]);
        }
    }
    if (matrix->columns.count > columns) {
        text_append(text, "<td class=\"n\">");
        html_number(text, matrix->numbers[y][columns]);
        text_append(text, "</td>");
    }
    text_append(text, "<td class=\"n sum\">");
    html_number(text, sum);
    text_append(text, "</td></tr>\n");
}

static void write_matrix_head(struct text *text, const struct matrix *matrix,
                              const struct question *question)
{
    text_append(text, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    html_string(text, question->title);
    text_append(text, "\"><table class=\"matrix\"><caption>Refusals</caption><thead><tr>"
                      "<th scope=\"col\">");
    text_format(text, "%s / %s</th>", question->columns[0].head, question->columns[1].head);
    for (size_t x = 0; x < at_most(matrix->columns.count, MATRIX_COLUMNS); x++) {
        text_append(text, "<th scope=\"col\" class=\"n\">");
        write_name(text, matrix->columns.list[x].text);
        text_append(text, "</th>");
    }
    text_append(text, matrix->columns.count > MATRIX_COLUMNS
                          ? "<th scope=\"col\" class=\"n\">others</th>"
                          : "");
    text_append(text, "<th scope=\"col\" class=\"n\">all</th></tr></thead><tbody>\n");
}

static void write_filled(struct text *text, struct matrix *matrix, const struct answer *answer,
                         const struct question *question)
{
    size_t rows = at_most(matrix->rows.count, MATRIX_ROWS);

    if (answer->rows == 0) {
        write_none(text, question);
        return;
    }
    fill_matrix(matrix, answer);
    write_matrix_head(text, matrix, question);
    for (size_t y = 0; y < rows; y++) {
        write_matrix_row(text, matrix, y, &matrix->rows.list[y]);
    }
    if (matrix->rows.count > rows) {
        write_matrix_row(text, matrix, rows, NULL);
    }
    html_table_end(text);
    if (answer->more) {
        text_append(text, "<p class=\"note\">Of the pairs with the most refusals.</p>");
    }
}

static void write_matrix(struct text *text, const struct fleet_answers *answers,
                         enum fleet_question at)
{
    const struct answer *answer = &answers->answers[at];
    struct matrix *matrix = base_alloc(1, sizeof(*matrix));

    if (matrix == NULL) {
        text->failed = true;
        return;
    }
    memset(matrix, 0, sizeof(*matrix));
    html_section(text, fleet_questions[at].name, fleet_questions[at].title);
    if (sum_by(answer, 0, 2, &matrix->rows) && sum_by(answer, 1, 2, &matrix->columns)) {
        write_filled(text, matrix, answer, &fleet_questions[at]);
    } else {
        text->failed = true;
    }
    text_append(text, "</section>\n");
    base_free(matrix->rows.list);
    base_free(matrix->columns.list);
    base_free(matrix);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void write_list(struct text *text, const char *json)
{
    const struct slice array = {json, json != NULL ? strlen(json) : 0};
    struct slice item;
    size_t at = 0;
    const char *comma = "";

    while (array.at != NULL && export_element(&array, &at, &item)) {
        text_append(text, comma);
        text_append(text, "<bdi>");
        export_slice(text, EXPORT_HTML, &item);
        text_append(text, "</bdi>");
        comma = ", ";
    }
}

static void write_cell(struct text *text, const struct answer_cell *cell, enum answer_kind kind)
{
    text_append(text, kind == ANSWER_NUMBER ? "<td class=\"n\">"
                      : kind == ANSWER_TIME ? "<td class=\"t\">"
                                            : "<td>");
    switch (kind) {
    case ANSWER_NUMBER:
        html_number(text, cell->number);
        break;
    case ANSWER_TIME:
        write_time(text, (int64_t)cell->number);
        break;
    case ANSWER_LIST:
        write_list(text, cell->text);
        break;
    case ANSWER_TEXT:
        write_name(text, cell->text);
        break;
    }
    text_append(text, "</td>");
}

/* Heads as html_table() reads them: a mark for numbers and times. */
static void begin_table(struct text *text, const struct question *question)
{
    char marked[FLEET_COLUMNS_MOST][32];
    const char *heads[FLEET_COLUMNS_MOST + 1] = {NULL};

    for (size_t i = 0; question->columns[i].name != NULL; i++) {
        enum answer_kind kind = question->columns[i].kind;
        snprintf(marked[i], sizeof(marked[i]), "%s%s",
                 kind == ANSWER_NUMBER ? "#"
                 : kind == ANSWER_TIME ? "!"
                                       : "",
                 question->columns[i].head);
        heads[i] = marked[i];
    }
    html_table(text, question->title, heads);
}

static void write_table(struct text *text, const struct fleet_answers *answers,
                        enum fleet_question at, uint32_t top)
{
    const struct answer *answer = &answers->answers[at];
    const struct question *question = &fleet_questions[at];
    size_t shown = at_most(answer->rows, top);

    html_section(text, question->name, question->title);
    if (at == FLEET_ONE_USER) {
        text_append(text, "<p>");
        write_name(text, answers->user);
        text_append(text, "</p>");
    }
    if (answer->rows == 0) {
        write_none(text, question);
    } else {
        begin_table(text, question);
        for (size_t row = 0; row < shown; row++) {
            text_append(text, "<tr>");
            for (size_t i = 0; i < answer->columns; i++) {
                write_cell(text, &fleet_answer_row(answer, row)[i], question->columns[i].kind);
            }
            text_append(text, "</tr>\n");
        }
        html_table_end(text);
        write_left_out(text, "rows", answer->rows - shown, answer->more);
    }
    text_append(text, "</section>\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

/* What is drawn comes first. */
static const enum fleet_question order[FLEET_QUESTIONS] = {
    FLEET_HOST_TIME,  FLEET_HOST_USERS, FLEET_PROVIDER_RULES,  FLEET_REFUSED, FLEET_NEW_KINDS,
    FLEET_FIRST_SEEN, FLEET_ONE_USER,   FLEET_POLICY_VERSIONS, FLEET_LOST};

/* A sentence that answers the first question. */
static void write_summary(struct text *text, const struct fleet_answers *answers)
{
    const struct answer *answer = &answers->answers[FLEET_HOST_USERS];
    struct sums hosts = {0}, users = {0};
    uint64_t all = 0;

    if (!answer->asked) {
        return;
    }
    if (!sum_by(answer, 0, 2, &hosts) || !sum_by(answer, 1, 2, &users)) {
        text->failed = true;
    }
    for (size_t i = 0; i < hosts.count; i++) {
        all = add_up(all, hosts.list[i].number);
    }
    text_append(text, "<p>");
    if (all == 0) {
        text_append(text, "Nothing was refused");
    } else {
        text_append(text, answer->more ? "At least " : "");
        html_number(text, all);
        text_append(text, all == 1 ? " call was refused, of " : " calls were refused, of ");
        html_number(text, users.count);
        text_append(text, users.count == 1 ? " user on " : " users on ");
        html_number(text, hosts.count);
        text_append(text, hosts.count == 1 ? " host" : " hosts");
    }
    text_append(text, ".</p>\n");
    base_free(hosts.list);
    base_free(users.list);
}

static void write_read(struct text *text, const struct fleet_answers *answers)
{
    if (answers->files == 0) {
        return;
    }
    text_append(text, "<dt>Read</dt><dd>");
    html_number(text, answers->records);
    text_append(text, " records in ");
    html_number(text, answers->files);
    text_append(text, answers->files == 1 ? " file, " : " files, ");
    html_number(text, answers->broken);
    text_append(text, answers->broken == 1 ? " line that is" : " lines that are");
    text_append(text, " no record</dd>");
}

static void write_header(struct text *text, const struct fleet_answers *answers, int64_t made)
{
    text_append(text, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header>\n"
                      "<h1>Fleet report</h1>\n");
    write_summary(text, answers);
    text_append(text, "<dl class=\"meta\"><dt>Time</dt><dd>");
    write_time(text, answers->since);
    text_append(text, " to ");
    write_time(text, answers->now);
    text_append(text, ", local time ");
    report_zone(text, answers->now / 1000000);
    text_append(text, "</dd><dt>Made</dt><dd>");
    export_time(text, made, false);
    text_append(text, " by miguard " MIGUARD_VERSION "</dd><dt>From</dt><dd>");
    html_string(text, answers->source);
    text_append(text, "</dd>");
    write_read(text, answers);
    text_append(text, "</dl>\n</header>\n<nav aria-label=\"Contents\"><ul>");
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        if (answers->answers[order[i]].asked) {
            text_format(text, "<li><a href=\"#%s\">%s</a></li>", fleet_questions[order[i]].name,
                        fleet_questions[order[i]].title);
        }
    }
    text_append(text, "</ul></nav>\n<main id=\"main\">\n");
}

void fleet_write_page(struct text *text, const struct fleet_answers *answers, uint32_t top,
                      int64_t made)
{
    html_head(text);
    text_append(text, "Fleet report: ");
    export_time(text, answers->now * 1000, false);
    html_head_end(text);
    write_header(text, answers, made);
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        if (!answers->answers[order[i]].asked) {
            continue;
        }
        if (order[i] == FLEET_HOST_TIME) {
            write_times(text, answers);
        } else if (order[i] == FLEET_HOST_USERS || order[i] == FLEET_PROVIDER_RULES) {
            write_matrix(text, answers, order[i]);
        } else {
            write_table(text, answers, order[i], top);
        }
    }
    text_append(text, "</main>\n<footer>Made by <code>miguard fleet report --html</code>. Names "
                      "are those that records hold; whether the records are as they were written, "
                      "<code>miguard fleet verify</code> says.</footer>\n</body>\n</html>\n");
}
