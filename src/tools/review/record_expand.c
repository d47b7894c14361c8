/* SPDX-License-Identifier: MIT */
/*
 * Reads identities in the short form of records (audit/record_identity.h) and writes the line with
 * the full one; used by whatever shows identities or gives records to other programs.
 *
 * The line is not made anew: a few places in it are replaced, so that everything else stays as it
 * was written, also what this version does not know.
 */
#include "tools/review/record_expand.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "identity/identity.h"
#include "tools/review/export_text.h"

/* ---- reading ---------------------------------------------------------------------------------*/

/* Of a JSON number that is a whole one and not larger than most. */
static bool read_number(const struct slice *slice, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (slice->length == 0) {
        return false;
    }
    for (size_t i = 0; i < slice->length; i++) {
        if (slice->at[i] < '0' || slice->at[i] > '9' ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(slice->at[i] - '0'), &number)) {
            return false;
        }
    }
    *ret_number = number;
    return number <= most;
}

/* One number for all four, or four; null says nothing. */
static bool read_ids(const struct slice *value, uint32_t ids[IDENTITY_IDS])
{
    struct slice item;
    uint64_t number = 0;
    size_t count = 0;

    if (value->at[0] != '[') {
        bool whole = read_number(value, UINT32_MAX, &number);
        for (int i = 0; i < IDENTITY_IDS; i++) {
            ids[i] = (uint32_t)number;
        }
        return whole;
    }
    for (size_t at = 0; export_element(value, &at, &item); count++) {
        if (count == IDENTITY_IDS ||
            (!slice_is(&item, "null") && !read_number(&item, UINT32_MAX, &number))) {
            return false;
        }
        ids[count] = slice_is(&item, "null") ? ids[count] : (uint32_t)number;
    }
    return count == IDENTITY_IDS;
}

/* An identity as it is read. */
struct reading {
    struct miguard_identity *identity;
    miguard_components seen; /* so that nothing is read twice, and nothing allocated twice */
    bool no_memory;
};

/* The old ones are those of the identity that it differs from, and are not released. */
static bool read_groups(const struct slice *value, struct reading *reading)
{
    struct miguard_identity *identity = reading->identity;
    struct slice item;
    uint32_t count = 0;
    uint64_t number;

    for (size_t at = 0; export_element(value, &at, &item);) {
        count++;
    }
    identity->group_count = 0;
    identity->groups = count > 0 && count <= IDENTITY_MAX_GROUPS
                           ? base_alloc(count, sizeof(*identity->groups))
                           : NULL;
    if (count > 0 && identity->groups == NULL) {
        reading->no_memory = count <= IDENTITY_MAX_GROUPS;
        return false;
    }
    for (size_t at = 0; export_element(value, &at, &item);) {
        if (!read_number(&item, UINT32_MAX, &number)) {
            return false;
        }
        identity->groups[identity->group_count++] = (gid_t)number;
    }
    return value->at[0] == '[';
}

static bool read_label(const struct slice *value, struct reading *reading)
{
    size_t length = slice_text(value, NULL, 0);

    reading->identity->lsm_label = NULL;
    if (value->at[0] != '"') {
        return slice_is(value, "null");
    }
    char *label = base_alloc(length + 1, 1);
    reading->no_memory = label == NULL;
    if (label != NULL) {
        (void)slice_text(value, label, length + 1);
    }
    reading->identity->lsm_label = label;
    return label != NULL;
}

/* 16 digits in quotes. */
static bool read_caps(const struct slice *value, uint64_t *ret_set)
{
    uint64_t set = 0;

    if (value->length != 18 || value->at[0] != '"') {
        return false;
    }
    for (size_t i = 1; i < 17; i++) {
        int digit = hex_digit(value->at[i]);
        if (digit < 0) {
            return false;
        }
        set = set << 4 | (uint64_t)digit;
    }
    *ret_set = set;
    return true;
}

static bool read_unknown(const struct slice *value, struct miguard_identity *identity)
{
    struct slice item;
    char name[32];

    identity->known = MIGUARD_COMPONENTS_ALL;
    for (size_t at = 0; export_element(value, &at, &item);) {
        (void)slice_text(&item, name, sizeof(name));
        miguard_components component = miguard_component_from_name(name);
        if (component == 0) {
            return false;
        }
        identity->known &= ~component;
    }
    return value->at[0] == '[';
}

static bool read_component(miguard_components component, const struct slice *value,
                           struct reading *reading)
{
    struct miguard_identity *identity = reading->identity;
    uint64_t number = 0;

    if ((reading->seen & component) != 0) {
        return false;
    }
    reading->seen |= component;
    switch (component) {
    case MIGUARD_COMPONENT_GROUPS:
        return read_groups(value, reading);
    case MIGUARD_COMPONENT_CAP_EFFECTIVE:
        return read_caps(value, &identity->cap[IDENTITY_CAP_EFFECTIVE]);
    case MIGUARD_COMPONENT_CAP_PERMITTED:
        return read_caps(value, &identity->cap[IDENTITY_CAP_PERMITTED]);
    case MIGUARD_COMPONENT_CAP_INHERITABLE:
        return read_caps(value, &identity->cap[IDENTITY_CAP_INHERITABLE]);
    case MIGUARD_COMPONENT_CAP_AMBIENT:
        return read_caps(value, &identity->cap[IDENTITY_CAP_AMBIENT]);
    case MIGUARD_COMPONENT_CAP_BOUNDING:
        return read_caps(value, &identity->cap[IDENTITY_CAP_BOUNDING]);
    case MIGUARD_COMPONENT_SECUREBITS:
        if (!read_number(value, UINT32_MAX, &number)) {
            return false;
        }
        identity->securebits = (uint32_t)number;
        return true;
    case MIGUARD_COMPONENT_NO_NEW_PRIVS:
        identity->no_new_privs = slice_is(value, "true");
        return slice_is(value, "true") || slice_is(value, "false");
    case MIGUARD_COMPONENT_USER_NAMESPACE:
        return read_number(value, UINT64_MAX, &identity->user_namespace);
    case MIGUARD_COMPONENT_LSM_LABEL:
        return read_label(value, reading);
    default:
        return false;
    }
}

/* Every member takes the place of what *identity had. False: not in the form, or out of memory. */
static bool read_identity(const struct slice *object, struct miguard_identity *identity,
                          bool *ret_no_memory)
{
    struct reading reading = {.identity = identity};
    struct slice name, value;
    char text[32];

    for (size_t at = 0; export_member(object, &at, &name, &value);) {
        (void)slice_text(&name, text, sizeof(text));
        bool read = strcmp(text, "uid") == 0   ? read_ids(&value, identity->uid)
                    : strcmp(text, "gid") == 0 ? read_ids(&value, identity->gid)
                    : strcmp(text, "unknown") == 0
                        ? read_unknown(&value, identity)
                        : read_component(miguard_component_from_name(text), &value, &reading);
        if (!read) {
            *ret_no_memory |= reading.no_memory;
            return false;
        }
    }
    return object->at[0] == '{';
}

/* ---- writing ---------------------------------------------------------------------------------*/

static void write_identity(struct text *text, enum record_field field,
                           const struct miguard_identity *identity)
{
    text_json_open(text, record_fields[field].name, '{');
    identity_write_json(text, identity, false);
    text_json_close(text, '}');
}

/* miguard.cred in full. False: it is not in the form, or memory ran out. */
static bool make_cred(struct text *text, const struct record *record)
{
    const struct slice *bound = &record->field[RECORD_CRED_BOUND];
    const struct slice *differs = &record->field[RECORD_CRED_DIFFERS];
    const struct slice *alone = &record->field[RECORD_CRED_CURRENT];
    struct miguard_identity first = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};
    struct miguard_identity second = first;
    bool good = bound->at == NULL || read_identity(bound, &first, &text->failed);

    /* What differs is read over a view of the first, whose groups and label are not its own. */
    if (good && differs->at != NULL) {
        second = first;
        good = bound->at != NULL && read_identity(differs, &second, &text->failed);
    } else if (good && alone->at != NULL) {
        good = read_identity(alone, &second, &text->failed);
    }
    if (good) {
        text_json_open(text, NULL, '{');
        if (bound->at != NULL) {
            write_identity(text, RECORD_CRED_BOUND, &first);
        }
        if (differs->at != NULL || alone->at != NULL) {
            write_identity(text, RECORD_CRED_CURRENT, &second);
        }
        text_json_close(text, '}');
    }
    if (second.groups != first.groups) {
        base_free(second.groups);
    }
    if (second.lsm_label != first.lsm_label) {
        base_free(second.lsm_label);
    }
    identity_release(&first);
    return good && !text->failed;
}

/* Of the real and saved ids, those that the record leaves out: they are the effective ones. */
static void add_ids(struct text *text, const struct record *record)
{
    static const struct {
        enum record_field absent, same;
    } ids[] = {
        {RECORD_CURRENT_REAL_USER_OBJECT, RECORD_CURRENT_USER_OBJECT},
        {RECORD_CURRENT_REAL_GROUP_OBJECT, RECORD_CURRENT_GROUP_OBJECT},
        {RECORD_CURRENT_SAVED_USER_OBJECT, RECORD_CURRENT_USER_OBJECT},
        {RECORD_CURRENT_SAVED_GROUP_OBJECT, RECORD_CURRENT_GROUP_OBJECT},
    };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        const struct slice *same = &record->field[ids[i].same];
        if (record->field[ids[i].absent].at == NULL && same->at != NULL) {
            text_append(text, ",\"");
            text_append(text, record_fields[ids[i].absent].name);
            text_append(text, "\":");
            text_append_bytes(text, same->at, same->length);
        }
    }
}

/* The line up to `to`, from where the last call ended. */
static void copy_to(struct text *text, const char **at, const char *to)
{
    text_append_bytes(text, *at, (size_t)(to - *at));
    *at = to;
}

/* What is the same in all records, behind the message and at the beginning of event; and of the
 * rest in the order that is_short() saw. */
static void make_line(struct text *text, const struct record *record, const struct text *cred)
{
    const char *at = record->line, *end = record->line + record->length;
    const struct slice *group = &record->field[RECORD_CURRENT_GROUP_OBJECT];
    const struct slice *message = &record->field[RECORD_MESSAGE];
    const struct slice *format = &record->field[RECORD_FORMAT];
    const struct slice *old = &record->field[RECORD_CRED_OBJECT];

    copy_to(text, &at, message->at + message->length);
    if (record->field[RECORD_ECS_OBJECT].at == NULL) {
        text_append(text, ",\"ecs\":" RECORD_ECS);
    }
    if (group->at != NULL) {
        copy_to(text, &at, group->at + group->length);
        add_ids(text, record);
    }
    copy_to(text, &at, format->at);
    text_append(text, "1");
    at = format->at + format->length;
    copy_to(text, &at, old->at);
    text_append_bytes(text, cred->data, cred->length);
    at = old->at + old->length;
    if (record->field[RECORD_EVENT_KIND].at == NULL) {
        copy_to(text, &at, record->field[RECORD_EVENT_OBJECT].at + 1);
        text_append(text, "\"kind\":" RECORD_KIND ",");
    }
    copy_to(text, &at, end);
}

/* Format 2 in the order of our own writer. */
static bool is_short(const struct record *record)
{
    const struct slice *message = &record->field[RECORD_MESSAGE];
    const struct slice *event = &record->field[RECORD_EVENT_OBJECT];
    const struct slice *group = &record->field[RECORD_CURRENT_GROUP_OBJECT];
    const struct slice *format = &record->field[RECORD_FORMAT];
    const struct slice *cred = &record->field[RECORD_CRED_OBJECT];
    uint64_t number;

    return record_number(record, RECORD_FORMAT, &number) && number == RECORD_FORMAT_WRITTEN &&
           cred->at != NULL && cred->at[0] == '{' && format->at < cred->at && message->at != NULL &&
           message->at < format->at &&
           (group->at == NULL || (message->at < group->at && group->at < format->at)) &&
           event->at != NULL && event->at > cred->at && event->length > 2 && event->at[1] == '"';
}

bool record_expand(const struct record *record, struct text *text, struct record *ret_full)
{
    struct text cred = TEXT_EMPTY;
    size_t fault;

    *ret_full = *record;
    if (!is_short(record)) {
        return true;
    }
    if (make_cred(&cred, record)) {
        make_line(text, record, &cred);
        if (!text->failed && record_parse(text->data, text->length, ret_full, &fault) != NULL) {
            *ret_full = *record;
        }
    }
    bool failed = cred.failed || text->failed;
    text_release(&cred);
    return !failed;
}
