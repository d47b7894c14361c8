/* SPDX-License-Identifier: MIT */
/* Adds the fields that a record of format 3 leaves out; called by the parsers of lines. */
#include "tools/review/record_complete.h"

#include <string.h>

enum { MOST_NEEDS = 4 };

/* The fields that can be added, with what they follow from beside the format. */
static const struct row {
    uint8_t field, count, needs[MOST_NEEDS];
} rows[] = {
    {RECORD_MESSAGE, 3, {RECORD_ACTION, RECORD_OUTCOME, RECORD_REASON}},
    {RECORD_OBSERVER_PRODUCT, 0, {0}},
    {RECORD_ENTITY, 1, {RECORD_EVENT_ID}},
    {RECORD_THREAD_NAME, 2, {RECORD_PROCESS_NAME, RECORD_EXECUTABLE}},
    {RECORD_PROCESS_NAME, 1, {RECORD_EXECUTABLE}},
    {RECORD_TID, 1, {RECORD_PID}},
    {RECORD_CURRENT_USER_NAME,
     4,
     {RECORD_CURRENT_USER_ID, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME, RECORD_CRED_CURRENT}},
    {RECORD_CURRENT_USER_ID, 2, {RECORD_BOUND_USER_ID, RECORD_CRED_CURRENT}},
    {RECORD_CURRENT_GROUP_NAME,
     4,
     {RECORD_CURRENT_GROUP_ID, RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME,
      RECORD_CRED_CURRENT}},
    {RECORD_CURRENT_GROUP_ID, 2, {RECORD_BOUND_GROUP_ID, RECORD_CRED_CURRENT}},
    {RECORD_DECISION, 2, {RECORD_ACTION, RECORD_OUTCOME}},
    {RECORD_LAST_SWITCH_MODULE, 2, {RECORD_LAST_SWITCH_TIME, RECORD_SITE_MODULE}},
    {RECORD_REPEATS, 0, {0}},
    {RECORD_EVENT_CATEGORY, 2, {RECORD_ACTION, RECORD_OUTCOME}},
    {RECORD_EVENT_TYPE, 2, {RECORD_ACTION, RECORD_OUTCOME}},
    {RECORD_CODE, 2, {RECORD_ACTION, RECORD_OUTCOME}},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const uint8_t record_constant_fields[] = {RECORD_MESSAGE,    RECORD_OBSERVER_PRODUCT,
                                          RECORD_DECISION,   RECORD_EVENT_CATEGORY,
                                          RECORD_EVENT_TYPE, RECORD_CODE};
const size_t record_constant_count = sizeof(record_constant_fields);

bool record_constants_any(record_derived_visit *visit, void *context)
{
    return visit(context, RECORD_PRODUCT) || record_derived_any(visit, context);
}

size_t record_complete_needs(enum record_field field, const uint8_t **ret_fields)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].field == field) {
            *ret_fields = rows[i].needs;
            return rows[i].count;
        }
    }
    return 0;
}

bool record_completes(enum record_field field)
{
    const uint8_t *unused;
    return field == RECORD_OBSERVER_PRODUCT || field == RECORD_REPEATS ||
           record_complete_needs(field, &unused) > 0;
}

/* ---- what follows ---------------------------------------------------------------------------- */

static struct slice constant(const char *text)
{
    return (struct slice){text, text != NULL ? strlen(text) : 0};
}

static struct record_word word(const struct record *record, enum record_field field)
{
    return (struct record_word){record->field[field].at, record->field[field].length};
}

static struct slice of_words(const struct record *record, enum record_field field)
{
    const struct record_derived derived = record_derive(
        word(record, RECORD_ACTION), word(record, RECORD_OUTCOME), word(record, RECORD_REASON));

    return constant(field == RECORD_MESSAGE          ? derived.message
                    : field == RECORD_DECISION       ? derived.decision
                    : field == RECORD_EVENT_CATEGORY ? derived.category
                    : field == RECORD_EVENT_TYPE     ? derived.type
                                                     : derived.code);
}

/* "0123456789abcdef-42": the quote and 16 digits. */
static struct slice entity(const struct record *record)
{
    const struct slice *id = &record->field[RECORD_EVENT_ID];

    return id->length > 18 && id->at[17] == '-' ? (struct slice){id->at + 1, 16}
                                                : (struct slice){NULL, 0};
}

/* Without its quotes. */
static struct slice inside_of(const struct slice *string)
{
    return string->length >= 2 && string->at[0] == '"'
               ? (struct slice){string->at + 1, string->length - 2}
               : *string;
}

/* A slash is never a part of an escape. */
struct slice record_process_name(const struct record *record)
{
    const struct slice path = inside_of(&record->field[RECORD_EXECUTABLE]);
    const char *slash = path.at != NULL ? memrchr(path.at, '/', path.length) : NULL;

    if (slash == NULL || slash + 1 == path.at + path.length) {
        return (struct slice){NULL, 0};
    }
    return (struct slice){slash + 1, (size_t)(path.at + path.length - (slash + 1))};
}

/* As the kernel cuts it. Only plain names are left out, so that an escape was none of these. */
struct slice record_thread_name(const struct record *record)
{
    enum { MOST = 15 };
    struct slice name = inside_of(&record->field[RECORD_PROCESS_NAME]);

    if (name.at == NULL) {
        name = record_process_name(record);
    }
    name.length = name.length > MOST ? MOST : name.length;
    return name.at == NULL || name.length == 0 || memchr(name.at, '\\', name.length) != NULL
               ? (struct slice){NULL, 0}
               : name;
}

/* Of the bound identity, where the current one is known and its own id is absent, or was added from
 * the bound one's. */
static struct slice of_bound(const struct record *record, enum record_field id,
                             enum record_field bound_id, enum record_field same)
{
    const char *own = record->field[id].at;

    return record->field[RECORD_CRED_CURRENT].at == NULL &&
                   (own == NULL || own == record->field[bound_id].at)
               ? record->field[same]
               : (struct slice){NULL, 0};
}

static struct slice follows(const struct record *record, enum record_field field)
{
    switch (field) {
    case RECORD_OBSERVER_PRODUCT:
        return constant(RECORD_PRODUCT);
    case RECORD_REPEATS:
        return constant(RECORD_ONCE);
    case RECORD_ENTITY:
        return entity(record);
    case RECORD_PROCESS_NAME:
        return record_process_name(record);
    case RECORD_THREAD_NAME:
        return record_thread_name(record);
    case RECORD_TID:
        return record->field[RECORD_PID];
    case RECORD_LAST_SWITCH_MODULE:
        return record->field[RECORD_LAST_SWITCH_TIME].at != NULL ? record->field[RECORD_SITE_MODULE]
                                                                 : (struct slice){NULL, 0};
    case RECORD_CURRENT_USER_ID:
        return of_bound(record, field, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_ID);
    case RECORD_CURRENT_USER_NAME:
        return of_bound(record, RECORD_CURRENT_USER_ID, RECORD_BOUND_USER_ID,
                        RECORD_BOUND_USER_NAME);
    case RECORD_CURRENT_GROUP_ID:
        return of_bound(record, field, RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_ID);
    case RECORD_CURRENT_GROUP_NAME:
        return of_bound(record, RECORD_CURRENT_GROUP_ID, RECORD_BOUND_GROUP_ID,
                        RECORD_BOUND_GROUP_NAME);
    default:
        return of_words(record, field);
    }
}

/* A record of format 2 has them all; but one that was begun by a process of that format, and
 * written by a later one, lacks those of its end. */
bool record_leaves_out(const struct record *record)
{
    const struct slice *format = &record->field[RECORD_FORMAT];
    return format->length == 1 && (format->at[0] == '3' || format->at[0] == '2');
}

static bool is_of_the_end(enum record_field field)
{
    return field == RECORD_REPEATS || field == RECORD_EVENT_CATEGORY ||
           field == RECORD_EVENT_TYPE || field == RECORD_CODE;
}

void record_complete_field(struct record *record, enum record_field field)
{
    struct slice *slice = &record->field[field];

    if (!record_leaves_out(record) ||
        (record->field[RECORD_FORMAT].at[0] == '2' && !is_of_the_end(field))) {
        return;
    }
    if (slice->at == NULL) {
        *slice = follows(record, field);
    } else if (field == RECORD_THREAD_NAME && slice->length == 2 &&
               slice->at[0] == '"') { /* "": it is not known */
        *slice = (struct slice){NULL, 0};
    }
}

void record_complete(struct record *record)
{
    struct slice *current = &record->field[RECORD_CRED_CURRENT];

    if (!record_leaves_out(record)) {
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        record_complete_field(record, rows[i].field);
    }
    if (current->at != NULL && current->at[0] == 'n') { /* null: it is not known */
        *current = (struct slice){NULL, 0};
    }
}
