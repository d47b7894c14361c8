/* SPDX-License-Identifier: MIT */
/*
 * One row for each instance, one column for each property, for `miguard run --table`.
 *
 * The first KEPT rows are kept until the width of each column is known; later ones are printed at
 * once, so that memory stays the same for any number of them. A longer value pushes the rest of its
 * line to the right: nothing is cut. A property that no kept row has a value for gets no column. An
 * instance that has one, or that is of another class, begins a new table below.
 */
#include "tools/cli/run_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

enum { KEPT = 64, GAP = 2 };

/* Texts that are safe for a terminal; NULL: no value. */
struct row {
    char **cells;
};

struct run_table {
    FILE *stream;
    char **names; /* of the class of the kept rows */
    size_t *widths;
    bool *shown;
    size_t count; /* of columns, also of those that are not shown */
    struct row rows[KEPT];
    size_t row_count;
    bool begun; /* the head is printed */
    bool any;   /* a table stands above */
};

struct run_table *run_table_new(FILE *stream)
{
    struct run_table *table = calloc(1, sizeof(*table));

    if (table != NULL) {
        table->stream = stream;
    }
    return table;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count && texts != NULL; i++) {
        free(texts[i]);
    }
    free(texts);
}

static void drop_rows(struct run_table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        free_texts(table->rows[i].cells, table->count);
    }
    table->row_count = 0;
}

static void drop_columns(struct run_table *table)
{
    drop_rows(table);
    free_texts(table->names, table->count);
    free(table->widths);
    free(table->shown);
    table->names = NULL;
    table->widths = NULL;
    table->shown = NULL;
    table->count = 0;
    table->begun = false;
}

void run_table_free(struct run_table *table)
{
    if (table != NULL) {
        drop_columns(table);
        free(table);
    }
}

/* ---- one instance -----------------------------------------------------------------------------
 */

/* Characters, not bytes: every byte of UTF-8 but those that continue one. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* A text as it is, without the quotes of MOF; every other value as in MOF. */
static void print_cell(FILE *stream, MI_Type type, const MI_Value *value)
{
    char moment[26], *path;
    double number = type == MI_REAL32   ? (double)value->real32
                    : type == MI_REAL64 ? value->real64
                                        : 0;

    if (type == MI_STRING) {
        print_safe(stream, value->string, false);
    } else if (type == MI_DATETIME) {
        datetime_text(&value->datetime, moment);
        fputs(moment, stream);
    } else if (type == MI_REFERENCE) {
        path = reference_text(value->reference);
        print_safe(stream, path != NULL ? path : "?", false);
        free(path);
    } else if (!isfinite(number)) {
        fprintf(stream, "%g", number); /* MOF has only NULL for it */
    } else {
        render_value(stream, type, value);
    }
}

/* NULL out of memory. */
static char *cell_text(MI_Type type, const MI_Value *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory == NULL) {
        return NULL;
    }
    print_cell(memory, type, value);
    bool good = fclose(memory) == 0;
    for (char *c = text; good && *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c; /* of an embedded instance, or a long array */
    }
    if (!good) {
        free(text);
        return NULL;
    }
    return text;
}

/* What an instance has, by position. */
struct content {
    char **names, **cells;
    size_t count;
};

static char *safe_copy(const char *text)
{
    MI_Value value = {.string = (MI_Char *)(uintptr_t)text};

    return cell_text(MI_STRING, &value);
}

static void release_content(struct content *content)
{
    free_texts(content->names, content->count);
    free_texts(content->cells, content->count);
    *content = (struct content){0};
}

/* False: out of memory. An element that cannot be read has no value. */
static bool read_element(const MI_Instance *instance, MI_Uint32 index, struct content *content)
{
    const MI_Char *name = NULL;
    MI_Uint32 flags = 0;
    MI_Value value;
    MI_Type type = MI_BOOLEAN;
    bool found =
        MI_Instance_GetElementAt(instance, index, &name, &value, &type, &flags) == MI_RESULT_OK;
    bool has_value = found && (flags & MI_FLAG_NULL) == 0;

    content->names[index] = safe_copy(found ? name : "?");
    content->cells[index] = has_value ? cell_text(type, &value) : NULL;
    return content->names[index] != NULL && (!has_value || content->cells[index] != NULL);
}

static bool read_content(const MI_Instance *instance, struct content *ret_content)
{
    struct content content = {0};
    MI_Uint32 count = 0;

    MI_Instance_GetElementCount(instance, &count);
    content.names = calloc((size_t)count + 1, sizeof(*content.names));
    content.cells = calloc((size_t)count + 1, sizeof(*content.cells));
    bool good = content.names != NULL && content.cells != NULL;
    content.count = good ? count : 0;
    for (MI_Uint32 i = 0; i < content.count && good; i++) {
        good = read_element(instance, i, &content);
    }
    if (!good) {
        release_content(&content);
    }
    *ret_content = content;
    return good;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

/* The last column that is shown has nothing behind it. */
static void print_cells(const struct run_table *table, char *const *cells)
{
    size_t behind = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (!table->shown[i]) {
            continue;
        }
        const char *text = cells[i] != NULL ? cells[i] : "-";
        size_t width = width_of(text);
        fprintf(table->stream, "%*s%s", (int)behind, "", text);
        behind = (table->widths[i] > width ? table->widths[i] - width : 0) + GAP;
    }
    fputc('\n', table->stream);
}

static void widen(size_t *width, const char *text)
{
    size_t wanted = width_of(text != NULL ? text : "-");

    *width = wanted > *width ? wanted : *width;
}

/* Which columns the kept rows need, and how wide. */
static void measure(struct run_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        table->shown[i] = false;
        table->widths[i] = 0;
        widen(&table->widths[i], table->names[i]);
        for (size_t k = 0; k < table->row_count; k++) {
            const char *cell = table->rows[k].cells[i];
            widen(&table->widths[i], cell);
            table->shown[i] = table->shown[i] || cell != NULL;
        }
    }
}

static void begin(struct run_table *table)
{
    if (table->row_count == 0) {
        return;
    }
    measure(table);
    if (table->any) {
        fputc('\n', table->stream);
    }
    print_cells(table, table->names);
    for (size_t i = 0; i < table->row_count; i++) {
        print_cells(table, table->rows[i].cells);
    }
    drop_rows(table);
    table->begun = true;
    table->any = true;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool same_columns(const struct run_table *table, const struct content *content)
{
    bool same = table->names != NULL && table->count == content->count;

    for (size_t i = 0; i < table->count && same; i++) {
        same = strcmp(table->names[i], content->names[i]) == 0;
    }
    return same;
}

/* The columns of another class; takes over the names. */
static bool take_columns(struct run_table *table, struct content *content)
{
    drop_columns(table);
    table->widths = calloc(content->count + 1, sizeof(*table->widths));
    table->shown = calloc(content->count + 1, sizeof(*table->shown));
    if (table->widths == NULL || table->shown == NULL) {
        return false;
    }
    table->names = content->names;
    table->count = content->count;
    content->names = NULL;
    return true;
}

static bool fits(const struct run_table *table, const struct content *content)
{
    for (size_t i = 0; i < table->count; i++) {
        if (content->cells[i] != NULL && !table->shown[i]) {
            return false;
        }
    }
    return true;
}

/* Takes over what content has, and releases it. */
static bool add_content(struct run_table *table, struct content *content)
{
    if (!same_columns(table, content)) {
        if (!table->begun) {
            begin(table);
        }
        if (!take_columns(table, content)) {
            release_content(content);
            return false;
        }
    }
    if (table->begun && fits(table, content)) {
        print_cells(table, content->cells);
        release_content(content);
        return true;
    }
    table->begun = false;
    table->rows[table->row_count++].cells = content->cells;
    content->cells = NULL;
    release_content(content);
    if (table->row_count == KEPT) {
        begin(table);
    }
    return true;
}

bool run_table_add(struct run_table *table, const MI_Instance *instance)
{
    struct content content;

    return read_content(instance, &content) && add_content(table, &content);
}

bool run_table_add_cells(struct run_table *table, const char *const *names,
                         const char *const *cells, size_t count)
{
    struct content content = {.names = calloc(count + 1, sizeof(*content.names)),
                              .cells = calloc(count + 1, sizeof(*content.cells)),
                              .count = count};
    bool good = content.names != NULL && content.cells != NULL;

    for (size_t i = 0; i < count && good; i++) {
        content.names[i] = safe_copy(names[i]);
        content.cells[i] = cells[i] == NULL ? NULL : safe_copy(cells[i]);
        good = content.names[i] != NULL && (cells[i] == NULL || content.cells[i] != NULL);
    }
    if (!good) {
        release_content(&content);
        return false;
    }
    return add_content(table, &content);
}

void run_table_end(struct run_table *table)
{
    if (table != NULL && !table->begun) {
        begin(table);
    }
}
