/* SPDX-License-Identifier: MIT */
/* The answers about a fleet as text and as JSON. Names of hosts and users may be any text:
 * all goes through the escaper of its place. */
#include "tools/review/export_text.h"
#include "tools/review/fleet_answers.h"

#include <string.h>

enum { WIDE = 40 /* a cell that is longer does not widen its column */ };

/* ---- cells ----------------------------------------------------------------------------------- */

/* The names of a list, with ", " between them. */
static void add_list(struct text *text, const char *json)
{
    const struct slice array = {json, json != NULL ? strlen(json) : 0};
    struct slice item;
    size_t at = 0;
    const char *comma = "";

    while (array.at != NULL && export_element(&array, &at, &item)) {
        text_append(text, comma);
        export_slice(text, EXPORT_TERMINAL, &item);
        comma = ", ";
    }
}

static void add_cell(struct text *text, const struct answer_cell *cell, enum answer_kind kind)
{
    char number[EXPORT_NUMBER];

    switch (kind) {
    case ANSWER_NUMBER:
        text_append(text, export_number(cell->number, number));
        break;
    case ANSWER_TIME:
        export_time(text, (int64_t)cell->number * 1000, false);
        break;
    case ANSWER_LIST:
        add_list(text, cell->text);
        break;
    case ANSWER_TEXT:
        export_string(text, EXPORT_TERMINAL, cell->text != NULL ? cell->text : "-");
        break;
    }
}

/* ---- as text --------------------------------------------------------------------------------- */

/* Characters, not bytes: what stands below each other shall. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void add_padded(struct text *text, const char *cell, size_t width, bool right)
{
    size_t own = width_of(cell), blanks = own < width ? width - own : 0;

    text_append(text, "  ");
    for (size_t i = 0; right && i < blanks; i++) {
        text_append(text, " ");
    }
    text_append(text, cell);
    for (size_t i = 0; !right && i < blanks; i++) {
        text_append(text, " ");
    }
}

static size_t shown_rows(const struct answer *answer, uint32_t top)
{
    return answer->rows < top ? answer->rows : top;
}

static void measure(struct text *text, const struct answer *answer, const struct question *question,
                    uint32_t top, size_t *widths)
{
    struct text cell = TEXT_EMPTY;

    for (size_t i = 0; i < answer->columns; i++) {
        widths[i] = width_of(question->columns[i].head);
        for (size_t row = 0; row < shown_rows(answer, top); row++) {
            text_clear(&cell);
            add_cell(&cell, &fleet_answer_row(answer, row)[i], question->columns[i].kind);
            text->failed |= cell.failed;
            size_t width = cell.failed || cell.data == NULL ? 0 : width_of(cell.data);
            width = width > WIDE ? WIDE : width;
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    text_release(&cell);
}

static void write_row(struct text *text, const struct answer *answer,
                      const struct question *question, size_t row, const size_t *widths)
{
    struct text cell = TEXT_EMPTY;

    for (size_t i = 0; i < answer->columns; i++) {
        text_clear(&cell);
        text_append(&cell, "");
        add_cell(&cell, &fleet_answer_row(answer, row)[i], question->columns[i].kind);
        text->failed |= cell.failed;
        add_padded(text, cell.data != NULL ? cell.data : "",
                   i + 1 < answer->columns ? widths[i] : 0,
                   question->columns[i].kind == ANSWER_NUMBER);
    }
    text_append(text, "\n");
    text_release(&cell);
}

static void write_rest(struct text *text, const struct answer *answer, uint32_t top)
{
    char number[EXPORT_NUMBER];

    if (answer->rows > top || answer->more) {
        text_format(text, "  and %s%s more; --top and --json show them\n",
                    answer->more ? "at least " : "",
                    export_number(answer->rows - shown_rows(answer, top) + answer->more, number));
    }
}

static void write_table(struct text *text, const struct answer *answer,
                        const struct question *question, uint32_t top)
{
    size_t widths[FLEET_COLUMNS_MOST] = {0};

    text_format(text, "%s\n", question->title);
    if (answer->rows == 0) {
        text_format(text, "  %s\n", question->none);
        return;
    }
    measure(text, answer, question, top, widths);
    for (size_t i = 0; i < answer->columns; i++) {
        add_padded(text, question->columns[i].head, i + 1 < answer->columns ? widths[i] : 0,
                   question->columns[i].kind == ANSWER_NUMBER);
    }
    text_append(text, "\n");
    for (size_t row = 0; row < shown_rows(answer, top); row++) {
        write_row(text, answer, question, row, widths);
    }
    write_rest(text, answer, top);
}

void fleet_write_text(struct text *text, const struct fleet_answers *answers, uint32_t top)
{
    const char *between = "";

    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        if (answers->answers[i].asked) {
            text_append(text, between);
            write_table(text, &answers->answers[i], &fleet_questions[i], top);
            between = "\n";
        }
    }
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void json_time(struct text *text, const char *name, int64_t time)
{
    struct text value = TEXT_EMPTY;

    export_utc(&value, time * 1000);
    text->failed |= value.failed;
    text_json_string(text, name, value.data != NULL ? value.data : "");
    text_release(&value);
}

/* The texts anew by the one escaper. */
static void json_list(struct text *text, const char *name, const char *json)
{
    const struct slice array = {json, json != NULL ? strlen(json) : 0};
    struct text value = TEXT_EMPTY;
    struct slice item;
    size_t at = 0;

    text_json_open(text, name, '[');
    while (array.at != NULL && export_element(&array, &at, &item)) {
        text_clear(&value);
        text_append(&value, "");
        export_slice(&value, EXPORT_PLAIN, &item);
        text->failed |= value.failed;
        text_json_string(text, NULL, value.data != NULL ? value.data : "");
    }
    text_json_close(text, ']');
    text_release(&value);
}

static void json_row(struct text *text, const struct answer_cell *cells,
                     const struct question *question)
{
    text_json_open(text, NULL, '{');
    for (size_t i = 0; question->columns[i].name != NULL; i++) {
        const char *name = question->columns[i].name;
        switch (question->columns[i].kind) {
        case ANSWER_NUMBER:
            text_json_unsigned(text, name, cells[i].number);
            break;
        case ANSWER_TIME:
            json_time(text, name, (int64_t)cells[i].number);
            break;
        case ANSWER_LIST:
            json_list(text, name, cells[i].text);
            break;
        case ANSWER_TEXT:
            text_json_string(text, name, cells[i].text);
            break;
        }
    }
    text_json_close(text, '}');
}

static void json_answer(struct text *text, const struct answer *answer,
                        const struct question *question, uint32_t top)
{
    size_t shown = shown_rows(answer, top);

    text_json_open(text, question->name, '{');
    text_json_open(text, "rows", '[');
    for (size_t row = 0; row < shown; row++) {
        json_row(text, fleet_answer_row(answer, row), question);
    }
    text_json_close(text, ']');
    text_json_unsigned(text, "left_out", answer->rows - shown);
    text_json_boolean(text, "more", answer->more);
    text_json_close(text, '}');
}

void fleet_write_json(struct text *text, const struct fleet_answers *answers, uint32_t top)
{
    text_json_open(text, NULL, '{');
    json_time(text, "since", answers->since);
    json_time(text, "at", answers->now);
    text_json_unsigned(text, "step", answers->bucket);
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        if (answers->answers[i].asked) {
            json_answer(text, &answers->answers[i], &fleet_questions[i], top);
        }
    }
    if (answers->files > 0) {
        text_json_open(text, "read", '{');
        text_json_unsigned(text, "files", answers->files);
        text_json_unsigned(text, "records", answers->records);
        text_json_unsigned(text, "duplicates", answers->duplicates);
        text_json_unsigned(text, "broken", answers->broken);
        text_json_close(text, '}');
    }
    text_json_close(text, '}');
    text_append(text, "\n");
}
