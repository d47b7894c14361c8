/* SPDX-License-Identifier: MIT */
/* Collects the errors and warnings of a load and writes them for a reader: file, line, column,
 * the line itself and a caret. Every reader of policy files adds to it. */
#include "policy/diagnostic.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "base/words.h"
#include "policy/characters.h"

/* A source line is shown in a window of so many characters, so that a file of one long line does
 * not fill the screen and memory with each of its errors. */
enum { WINDOW = 100, WINDOW_BEFORE = 60 };

/* ---- showing text that may hold anything ----------------------------------------------------- */

/*
 * A policy that is checked may come from anywhere. Its text is shown on a terminal, and some
 * characters would act there.
 */

/* Appends one character, escaped when it could move the cursor or hide, and gives the columns that
 * it takes. What libyaml or a directory gave may be anything, and it is written to a terminal. */
static unsigned append_character(struct text *text, const char *at, size_t left, size_t *ret_step)
{
    uint32_t code = 0;
    char escape[16];
    int width;

    *ret_step = utf8_next(at, left, &code);
    if (*ret_step == 0) {
        *ret_step = 1;
        width = snprintf(escape, sizeof(escape), "\\x%02X", (unsigned char)*at);
    } else if (code == '\n' || code == '\t') {
        width = snprintf(escape, sizeof(escape), "\\%c", code == '\n' ? 'n' : 't');
    } else if (character_fault(code) != NULL) {
        width = snprintf(escape, sizeof(escape), code < 0x100 ? "\\x%02X" : "\\u%04X", code);
    } else {
        text_append_bytes(text, at, *ret_step);
        return 1;
    }
    text_append(text, escape);
    return (unsigned)width;
}

/* A whole text that ends with NUL. */
static void append_shown(struct text *text, const char *string)
{
    size_t length = strlen(string), step;

    for (size_t at = 0; at < length; at += step) {
        append_character(text, string + at, length - at, &step);
    }
}

/* The part of a line round column, as it is shown; *ret_caret: how far the caret is moved in.
 * Columns count characters, as libyaml does. */
static void append_window(struct text *text, const char *line, size_t length, unsigned column,
                          unsigned *ret_caret)
{
    unsigned first = column > WINDOW ? column - WINDOW_BEFORE : 1;
    unsigned number = 1, shown = 0;
    size_t step = 0;

    *ret_caret = 0;
    if (first > 1) {
        text_append(text, "...");
        shown = 3;
    }
    for (size_t at = 0; at < length; at += step, number++) {
        if (number < first) {
            uint32_t code;
            step = utf8_next(line + at, length - at, &code);
            step = step == 0 ? 1 : step;
            continue;
        }
        if (number == column) {
            *ret_caret = shown;
        }
        if (number == first + WINDOW) {
            text_append(text, "...");
            break;
        }
        shown += append_character(text, line + at, length - at, &step);
    }
    if (number <= column) { /* the place is the line's end */
        *ret_caret = shown;
    }
}

/* ---- collecting ------------------------------------------------------------------------------ */

/*
 * A load goes on after an error, so that all are mended in one round. The number that is kept is
 * bounded; the counts are not.
 */

/* Doubles; false when memory is out, with the list unchanged. */
static bool reserve(struct diagnostics *list)
{
    if (list->count < list->capacity) {
        return true;
    }
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    struct diagnostic *items = base_resize(list->items, capacity, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}

/* Texts of one finding. */
static void release(struct diagnostic *item)
{
    base_free(item->file);
    base_free(item->message);
    base_free(item->source_line);
}

/* The message as text of its own. */
static char *format_message(const char *format, va_list arguments)
{
    va_list again;

    /* vsnprintf(3) uses up its list. */
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *message = length < 0 ? NULL : base_alloc((size_t)length + 1, 1);
    if (message != NULL) {
        vsnprintf(message, (size_t)length + 1, format, arguments);
    }
    return message;
}

/* Counts first: a policy with an error stays bad when memory for the message is out. */
void diagnostic_add(struct diagnostics *list, enum diagnostic_severity severity,
                    const struct policy_place *place, const char *source_line, size_t source_length,
                    const char *format, ...)
{
    if (severity == DIAGNOSTIC_ERROR) {
        list->errors++;
    } else {
        list->warnings++;
    }
    if (list->count == DIAGNOSTIC_LIMIT) {
        return;
    }
    if (!reserve(list)) {
        list->failed = true;
        return;
    }

    struct diagnostic item = {.severity = severity, .line = place->line, .column = place->column};
    struct text shown = TEXT_EMPTY;
    va_list arguments;
    va_start(arguments, format);
    item.message = format_message(format, arguments);
    va_end(arguments);
    item.file = base_copy_text(place->file);
    if (source_line != NULL && place->line != 0) {
        append_window(&shown, source_line, source_length, place->column, &item.caret);
        text_append_bytes(&shown, "", 0);
        item.source_line = shown.data;
    }
    if (item.message == NULL || item.file == NULL || shown.failed) {
        release(&item);
        list->failed = true;
        return;
    }
    list->items[list->count++] = item;
}

void diagnostics_release(struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        release(&list->items[i]);
    }
    base_free(list->items);
    *list = (struct diagnostics)DIAGNOSTICS_EMPTY;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* By file and place; findings of one place stay in the order of finding. */
static bool stands_before(const struct diagnostic *a, const struct diagnostic *b)
{
    int files = strcmp(a->file, b->file);

    if (files != 0) {
        return files < 0;
    }
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* The source line was escaped when it was taken. */
static void write_one(const struct diagnostic *item, struct text *text)
{
    append_shown(text, item->file);
    if (item->line != 0) {
        text_format(text, ":%u:%u", item->line, item->column);
    }
    text_append(text, item->severity == DIAGNOSTIC_ERROR ? ": error: " : ": warning: ");
    append_shown(text, item->message);
    text_append(text, "\n");
    if (item->source_line != NULL) {
        text_format(text, "    %s\n    %*s^\n", item->source_line, (int)item->caret, "");
    }
}

/* Insertion sort of pointers: stable, short, and needs no memory. */
void diagnostics_write(const struct diagnostics *list, struct text *text)
{
    const struct diagnostic *sorted[DIAGNOSTIC_LIMIT];
    size_t more = list->errors + list->warnings - list->count;

    for (size_t i = 0; i < list->count; i++) {
        size_t at = i;
        for (; at > 0 && stands_before(&list->items[i], sorted[at - 1]); at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = &list->items[i];
    }
    for (size_t i = 0; i < list->count; i++) {
        write_one(sorted[i], text);
    }
    if (list->failed) {
        text_append(text, "error: out of memory; the list above is not complete\n");
    } else if (more > 0) {
        text_format(text, "and %zu more\n", more);
    }
}

/* ---- did you mean ---------------------------------------------------------------------------- */

/* One edit in a short word, two in a longer one: more is a guess and no slip. Case and the choice
 * of dash are the commonest slips, and cost nothing to guess. */
const char *diagnostic_nearest(const char *word, const char *const *candidates)
{
    return words_nearest(word, candidates, strlen(word) < 4 ? 1 : 2, true);
}
