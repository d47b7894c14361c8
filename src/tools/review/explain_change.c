/* SPDX-License-Identifier: MIT */
/*
 * Says in words how one component changed between open and use, for explain.c and html_events.c.
 *
 * explain_change() finds both values of the component in the credentials of the record. Ids get the
 * name that the record has for them; lists are shown by what was lost and gained, because a list of
 * 60 groups twice shows no difference to a reader.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tools/review/explain.h"

enum { SHOWN = 12 }; /* members of a list; who wants them all looks at the record */

/* ---- ids -------------------------------------------------------------------------------------*/

/* The same bytes. The writer has one spelling for a value, so equal values have equal bytes. */
static bool same(const struct slice *a, const struct slice *b)
{
    return a->at != NULL && b->at != NULL && a->length == b->length &&
           memcmp(a->at, b->at, a->length) == 0;
}

/* The record names some ids beside those of its credentials. Names are taken from the record alone,
 * never from the directory of the reader: the values are of that moment. */
static bool named_in_record(struct text *text, enum export_style style, const struct record *record,
                            const struct slice *id, bool user)
{
    static const enum record_field users[][2] = {
        {RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME},
        {RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME},
        {RECORD_CURRENT_REAL_USER_ID, RECORD_CURRENT_REAL_USER_NAME},
        {RECORD_CURRENT_SAVED_USER_ID, RECORD_CURRENT_SAVED_USER_NAME},
    };
    static const enum record_field groups[][2] = {
        {RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME},
        {RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME},
    };
    size_t count = user ? sizeof(users) / sizeof(users[0]) : sizeof(groups) / sizeof(groups[0]);
    char number[32];

    if (slice_text(id, number, sizeof(number)) >= sizeof(number)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const enum record_field *pair = user ? users[i] : groups[i];
        if (record_is(record, pair[0], number) && export_has(record, pair[1])) {
            export_field(text, style, record, pair[1]);
            return true;
        }
    }
    return false;
}

/* An object {id, name} or a bare number: records have both forms. */
static void append_id(struct text *text, enum export_style style, const struct record *record,
                      const struct slice *value, bool user)
{
    struct slice id = export_find(value, "id"), name = export_find(value, "name");
    /* A bare number is its own id. */
    struct slice shown = id.at != NULL ? id : *value;

    bool named = name.at != NULL;
    if (named) {
        export_slice(text, style, &name);
    } else {
        named = named_in_record(text, style, record, &shown, user);
    }
    text_append(text, named ? " (" : "");
    export_slice(text, style, &shown);
    text_append(text, named ? ")" : "");
}

/* ---- lists -----------------------------------------------------------------------------------*/

/*
 * Groups and capabilities are arrays. Both sides are sorted, then one pass finds what is on one
 * side only.
 */

/* Elements of one array, sorted. Bytes stay in the record. */
struct list {
    struct slice *items;
    size_t count;
};

/* Numbers in their order, names in that of their bytes. Decimal numbers without leading zeros order
 * by their length first. */
static int compare(const void *a, const void *b)
{
    const struct slice *one = a, *two = b;

    /* Names begin with a quote. */
    if (one->length != two->length && one->at[0] != '"' && two->at[0] != '"') {
        return one->length < two->length ? -1 : 1;
    }
    size_t least = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->at, two->at, least);
    return order != 0 ? order : one->length < two->length ? -1 : one->length > two->length;
}

/* False out of memory. Objects are reduced to their id, so that a name that is missing on one side
 * is no difference. */
static bool read_list(const struct slice *array, struct list *ret_list)
{
    struct slice value;
    size_t count = 0;

    for (size_t at = 0;
         array->at != NULL && array->at[0] == '[' && export_element(array, &at, &value);) {
        count++;
    }
    struct slice *items = base_alloc(count + 1, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    for (size_t at = 0, i = 0; i < count && export_element(array, &at, &value); i++) {
        struct slice id = export_find(&value, "id");
        items[i] = id.at != NULL ? id : value;
    }
    qsort(items, count, sizeof(*items), compare);
    *ret_list = (struct list){items, count};
    return true;
}

/* Those of from that are not in without; both in order. One pass over both, as in a merge. */
static void append_missing(struct text *text, enum export_style style, const struct record *record,
                           const struct list *from, const struct list *without, bool groups)
{
    size_t other = 0, count = 0;

    for (size_t i = 0; i < from->count; i++) {
        while (other < without->count && compare(&without->items[other], &from->items[i]) < 0) {
            other++;
        }
        if (other < without->count && compare(&without->items[other], &from->items[i]) == 0) {
            continue;
        }
        if (count < SHOWN) {
            text_append(text, count == 0 ? "" : ", ");
            if (groups) {
                append_id(text, style, record, &from->items[i], false);
            } else {
                export_slice(text, style, &from->items[i]);
            }
        }
        count++;
    }
    if (count == 0) {
        text_append(text, "none");
    } else if (count > SHOWN) {
        text_format(text, " and %zu more", count - SHOWN);
    }
}

/* Fails the text when memory is out, and releases what was taken. */
static void append_lists(struct text *text, enum export_style style, const struct record *record,
                         const struct slice *before, const struct slice *after, bool groups)
{
    struct list was = {0}, is = {0};

    if (!read_list(before, &was) || !read_list(after, &is)) {
        text->failed = true;
    } else {
        text_append(text, "lost ");
        append_missing(text, style, record, &was, &is, groups);
        text_append(text, "; gained ");
        append_missing(text, style, record, &is, &was, groups);
    }
    base_free(was.items);
    base_free(is.items);
}

/* ---- a component -----------------------------------------------------------------------------*/

/* The writer could not read this component then: it counts as a difference, and has no value to
 * show. */
static bool is_unreadable(const struct record *record, const char *component)
{
    struct slice item;

    for (size_t at = 0; record_item(record, RECORD_UNREADABLE, &at, &item);) {
        if (slice_is(&item, component)) {
            return true;
        }
    }
    return false;
}

/* The words for what is not a list: a person, yes or no, none, or the text itself. */
static void append_value(struct text *text, enum export_style style, const struct record *record,
                         miguard_components component, const struct slice *value)
{
    if (value->at[0] == '{') {
        append_id(text, style, record, value, (component & COMPONENTS_OF_USERS) != 0);
    } else if (slice_is(value, "true") || slice_is(value, "false")) {
        text_append(text, slice_is(value, "true") ? "yes" : "no");
    } else if (slice_is(value, "null")) {
        text_append(text, "none");
    } else {
        export_slice(text, style, value);
    }
}

/* The values were read again for the record, and may be equal by then: the third case says so
 * rather than to show no change. */
void explain_change(struct text *text, enum export_style style, const struct record *record,
                    const char *component)
{
    struct slice before = export_find(&record->field[RECORD_CRED_BOUND], component);
    struct slice after = export_find(&record->field[RECORD_CRED_CURRENT], component);
    miguard_components bit = miguard_component_from_name(component);

    if (is_unreadable(record, component)) {
        text_append(text, "could not be read, so it proves nothing");
    } else if (before.at == NULL || after.at == NULL) {
        text_append(text, "its values are not in the record");
    } else if (same(&before, &after)) {
        text_append(text, "differed when it was compared; when the record was written it was ");
        append_value(text, style, record, bit, &after);
    } else if (before.at[0] == '[' || after.at[0] == '[') {
        append_lists(text, style, record, &before, &after, (bit & COMPONENTS_OF_GROUPS) != 0);
    } else {
        append_value(text, style, record, bit, &before);
        text_append(text, style == EXPORT_HTML ? " &rarr; " : " -> ");
        append_value(text, style, record, bit, &after);
    }
}
