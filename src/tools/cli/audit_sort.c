/* SPDX-License-Identifier: MIT */
/*
 * Sorts records by a field. search calls it.
 *
 * Lines are kept as text with their keys. Numbers, ids of users and counts are compared as numbers;
 * everything else by its bytes, which for times is their order: they are UTC and of one length.
 */
#include "tools/cli/audit_sort.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/audit_fields.h"
#include "tools/cli/cli.h"
#include "tools/review/record_expand.h"

enum { KEY = 4096 };

int audit_sort_begin(const struct command_line *line, const char *by, struct audit_sort *ret_sort)
{
    *ret_sort = (struct audit_sort){.descending = by[0] == '-'};
    by += by[0] == '-' || by[0] == '+';
    return audit_field_find(line, "--sort", by, strlen(by), &ret_sort->field);
}

/* The line, its zero, the key and its zero in one piece of memory. */
static bool copy_record(const struct record *record, const char *key, struct audit_sorted *item)
{
    size_t length = key != NULL ? strlen(key) : 0;
    char *end = NULL;

    item->line = malloc(record->length + 1 + length + 1);
    if (item->line == NULL) {
        return false;
    }
    memcpy(item->line, record->line, record->length);
    item->line[record->length] = '\0';
    item->length = record->length;
    if (key != NULL) {
        item->key = memcpy(item->line + record->length + 1, key, length + 1);
        item->number = strtod(key, &end);
        item->is_number = end != key && *end == '\0';
    }
    return true;
}

static bool make_room(struct audit_sort *sort)
{
    if (sort->count < sort->room) {
        return true;
    }
    size_t room = sort->room == 0 ? 1024 : 2 * sort->room;
    struct audit_sorted *items = realloc(sort->items, room * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    sort->items = items;
    sort->room = room;
    return true;
}

/* The key is that of the full form, which other programs see. */
int audit_sort_add(struct audit_sort *sort, const struct record *record)
{
    struct text line = TEXT_EMPTY;
    struct record full;
    char key[KEY];

    bool good = record_expand(record, &line, &full) && make_room(sort);
    if (good) {
        struct audit_sorted *item = &sort->items[sort->count];
        *item = (struct audit_sorted){.place = sort->count};
        bool has = full.field[sort->field].at != NULL;
        record_text(&full, sort->field, key, sizeof(key));
        good = copy_record(record, has ? key : NULL, item);
        sort->count += good;
        sort->bytes += record->length + sizeof(*item);
    }
    text_release(&line);
    if (!good) {
        return complain(CLI_UNABLE, "out of memory");
    }
    return sort->bytes <= AUDIT_SORT_BYTES
               ? CLI_YES
               : complain(CLI_UNABLE, "more than 256 MiB of records match, which is too much to "
                                      "sort; ask for fewer");
}

static int compare(const void *a, const void *b, void *context)
{
    const struct audit_sorted *one = a, *other = b;
    const struct audit_sort *sort = context;
    int order = 0;

    if (one->key == NULL || other->key == NULL) {
        order = (one->key == NULL) - (other->key == NULL);
        return order != 0 ? order : one->place < other->place ? -1 : 1;
    }
    if (one->is_number && other->is_number) {
        order = (one->number > other->number) - (one->number < other->number);
    } else {
        order = strcmp(one->key, other->key);
    }
    if (order == 0) {
        return one->place < other->place ? -1 : one->place > other->place;
    }
    return sort->descending ? -order : order;
}

void audit_sort_end(struct audit_sort *sort)
{
    if (sort->count > 0) {
        qsort_r(sort->items, sort->count, sizeof(*sort->items), compare, sort);
    }
}

void audit_sort_release(struct audit_sort *sort)
{
    for (size_t i = 0; i < sort->count; i++) {
        free(sort->items[i].line);
    }
    free(sort->items);
    *sort = (struct audit_sort){0};
}
