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

#include "audit/record_identity.h"
#include "base/alloc.h"
#include "base/hex.h"
#include "identity/identity.h"
#include "model/record_derived.h"
#include "tools/review/export_text.h"
#include "tools/review/record_complete.h"
#include "tools/review/record_like.h"

static bool is_format(const struct record *record, uint64_t format)
{
    uint64_t number = 0;
    return record_number(record, RECORD_FORMAT, &number) && number == format;
}

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

/* All four ids of the bound identity where it does not say more: those of user. */
static void read_user(const struct record *record, struct miguard_identity *bound)
{
    uint64_t user = 0, group = 0;

    (void)record_number(record, RECORD_BOUND_USER_ID, &user);
    (void)record_number(record, RECORD_BOUND_GROUP_ID, &group);
    for (int i = 0; i < IDENTITY_IDS; i++) {
        bound->uid[i] = (uid_t)user;
        bound->gid[i] = (gid_t)group;
    }
}

/* Of format 3 what is absent is that of the first namespace, and `differs` that is absent is a
 * current identity which is the bound one. */
bool record_identities_read(const struct record *record, struct record_identities *ret_both,
                            bool *ret_no_memory)
{
    const struct slice *bound = &record->field[RECORD_CRED_BOUND];
    const struct slice *differs = &record->field[RECORD_CRED_DIFFERS];
    const struct slice *alone = &record->field[RECORD_CRED_CURRENT];
    struct miguard_identity first = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};
    bool no_current = alone->at != NULL && slice_is(alone, "null");
    bool third = is_format(record, RECORD_FORMAT_WRITTEN);

    if (third) {
        first.user_namespace = RECORD_FIRST_NAMESPACE;
        first.cap[IDENTITY_CAP_BOUNDING] = RECORD_ALL_CAPS;
        read_user(record, &first);
    }
    *ret_both = (struct record_identities){.bound = first, .current = first};
    ret_both->has_bound = bound->at != NULL;
    ret_both->has_current = differs->at != NULL || (alone->at != NULL && !no_current) ||
                            (third && bound->at != NULL && !no_current);
    if ((!third && !is_format(record, RECORD_FORMAT_SHORT)) ||
        (ret_both->has_bound && !read_identity(bound, &ret_both->bound, ret_no_memory))) {
        return false;
    }
    /* What differs is read over a view of the first, whose groups and label are not its own. */
    if (differs->at != NULL) {
        ret_both->current = ret_both->bound;
        return ret_both->has_bound && read_identity(differs, &ret_both->current, ret_no_memory);
    }
    if (alone->at != NULL && !no_current) {
        return read_identity(alone, &ret_both->current, ret_no_memory);
    }
    if (third && ret_both->has_bound) {
        ret_both->current = ret_both->bound;
    }
    return true;
}

void record_identities_release(struct record_identities *both)
{
    if (both->current.groups != both->bound.groups) {
        base_free(both->current.groups);
    }
    if (both->current.lsm_label != both->bound.lsm_label) {
        base_free(both->current.lsm_label);
    }
    identity_release(&both->bound);
    memset(both, 0, sizeof(*both));
}

/* miguard.cred in full. False: it is not in the form, or memory ran out. */
static bool make_cred(struct text *text, const struct record *record)
{
    struct record_identities both;
    bool good = record_identities_read(record, &both, &text->failed);

    if (good) {
        text_json_open(text, NULL, '{');
        if (both.has_bound) {
            write_identity(text, RECORD_CRED_BOUND, &both.bound);
        }
        if (both.has_current) {
            write_identity(text, RECORD_CRED_CURRENT, &both.current);
        }
        text_json_close(text, '}');
    }
    record_identities_release(&both);
    return good && !text->failed;
}

/* ---- the line --------------------------------------------------------------------------------*/

/* A line on its way. Places come in the order of our own writer; one that does not is of another
 * form, and the line stays as it is. */
struct making {
    struct text *text;
    const struct record *record; /* bare: what stands in the line */
    const char *at;              /* up to here it is in text */
    struct record_derived derived;
    bool third; /* else what stands before the end is whole: see record_complete.c */
    bool wrong;
};

/* The line up to `to`. */
static void copy_to(struct making *making, const char *to)
{
    const char *end = making->record->line + making->record->length;

    if (to == NULL || to < making->at || to > end) {
        making->wrong = true;
        return;
    }
    text_append_bytes(making->text, making->at, (size_t)(to - making->at));
    making->at = to;
}

static bool has(const struct making *making, enum record_field field)
{
    return making->record->field[field].at != NULL;
}

static const char *end_of(const struct making *making, enum record_field field)
{
    const struct slice *slice = &making->record->field[field];
    return slice->at != NULL ? slice->at + slice->length : NULL;
}

/* Up to the comma before a member that is not the first, in the spelling of our own writer. */
static void copy_before(struct making *making, enum record_field field)
{
    size_t length = record_fields[field].key_length;
    const char *value = making->record->field[field].at;

    if (value < making->at || (size_t)(value - making->at) <= length ||
        value[-(ptrdiff_t)length - 1] != ',' ||
        memcmp(value - length, record_fields[field].key, length) != 0) {
        making->wrong = true;
        return;
    }
    copy_to(making, value - length - 1);
}

/* Behind the last of the fields that is there, or where the text stands. */
static void copy_behind(struct making *making, const enum record_field *fields, size_t count)
{
    const char *last = making->at;

    for (size_t i = 0; i < count; i++) {
        const char *end = end_of(making, fields[i]);
        last = end != NULL && end > last ? end : last;
    }
    copy_to(making, last);
}

#define COPY_BEHIND(making, ...)                                                                   \
    copy_behind(making, (const enum record_field[]){__VA_ARGS__},                                  \
                sizeof((enum record_field[]){__VA_ARGS__}) / sizeof(enum record_field))

/* ,"name":value */
static void add_member(struct making *making, enum record_field field, const char *value,
                       size_t length)
{
    text_append_bytes(making->text, ",", 1);
    text_append_bytes(making->text, record_fields[field].key, record_fields[field].key_length);
    text_append_bytes(making->text, value, length);
}

static void add_slice(struct making *making, enum record_field field, const struct slice *slice)
{
    add_member(making, field, slice->at, slice->length);
}

static void add_constant(struct making *making, enum record_field field, const char *value)
{
    if (value != NULL) {
        add_member(making, field, value, strlen(value));
    }
}

/* A value that has no quotes. */
static void add_quoted(struct making *making, enum record_field field, const struct slice *inside)
{
    add_member(making, field, "\"", 1);
    text_append_bytes(making->text, inside->at, inside->length);
    text_append_bytes(making->text, "\"", 1);
}

/* The first members of an object: behind its brace, and before a comma where it has others. */
static void begin_object(struct making *making, enum record_field object)
{
    const struct slice *slice = &making->record->field[object];
    copy_to(making, slice->at != NULL ? slice->at + 1 : NULL);
}

/* The comma that add_member() wrote before the first of them goes behind the last. */
static void first_members(struct making *making, size_t start)
{
    struct text *text = making->text;

    if (text->failed || text->length == start) {
        return;
    }
    memmove(text->data + start, text->data + start + 1, text->length - start - 1);
    text->data[text->length - 1] = ',';
}

/* 16 digits, in the place of an offset without zeros before it. */
static void pad_offset(struct making *making, enum record_field field)
{
    const struct slice *slice = &making->record->field[field];
    size_t digits = slice->length - 2;

    for (size_t i = 1; slice->at != NULL && i <= digits && digits < HEX_NUMBER; i++) {
        if (hex_digit(slice->at[i]) < 0) {
            return;
        }
    }
    if (slice->at == NULL || slice->length < 3 || digits >= HEX_NUMBER) {
        return;
    }
    copy_to(making, slice->at + 1);
    text_append_bytes(making->text, "0000000000000000", HEX_NUMBER - digits);
}

/* Up to the process. */
static void make_head(struct making *making)
{
    COPY_BEHIND(making, RECORD_TIMESTAMP, RECORD_MESSAGE);
    if (making->third && !has(making, RECORD_MESSAGE)) {
        add_constant(making, RECORD_MESSAGE, making->derived.message);
    }
    if (!has(making, RECORD_ECS_OBJECT)) {
        add_constant(making, RECORD_ECS_OBJECT, RECORD_ECS);
    }
    if (making->third && has(making, RECORD_OBSERVER_OBJECT) &&
        !has(making, RECORD_OBSERVER_PRODUCT)) {
        begin_object(making, RECORD_OBSERVER_OBJECT);
        size_t start = making->text->length;
        add_constant(making, RECORD_OBSERVER_PRODUCT, RECORD_PRODUCT);
        first_members(making, start);
    }
}

/* As it was written, or with what is as in the process. */
static void make_thread(struct making *making)
{
    const struct record *record = making->record;
    const struct slice *thread = &record->field[RECORD_THREAD_OBJECT];
    const struct slice *id = &record->field[RECORD_TID], *name = &record->field[RECORD_THREAD_NAME];
    const struct slice usual = record_thread_name(record);

    if (id->at != NULL && name->length > 2) {
        return;
    }
    COPY_BEHIND(making, RECORD_PID, RECORD_ENTITY, RECORD_EXECUTABLE, RECORD_PROCESS_NAME,
                RECORD_PROCESS_START);
    if (thread->at != NULL) {
        copy_before(making, RECORD_THREAD_OBJECT);
        making->at = thread->at + thread->length;
    }
    id = id->at != NULL ? id : &record->field[RECORD_PID];
    add_member(making, RECORD_THREAD_OBJECT, "{", 1);
    size_t start = making->text->length;
    add_slice(making, RECORD_TID, id);
    if (name->length > 2) {
        add_slice(making, RECORD_THREAD_NAME, name);
    } else if (name->at == NULL && usual.at != NULL) {
        add_quoted(making, RECORD_THREAD_NAME, &usual);
    }
    first_members(making, start);
    if (!making->text->failed) {
        making->text->data[making->text->length - 1] = '}';
    }
}

static void make_process(struct making *making)
{
    const struct record *record = making->record;
    const struct slice id = record->field[RECORD_EVENT_ID], name = record_process_name(record);

    if (!has(making, RECORD_ENTITY) && id.length > 18 && id.at[17] == '-') {
        COPY_BEHIND(making, RECORD_PID);
        add_quoted(making, RECORD_ENTITY, &(struct slice){id.at + 1, 16});
    }
    if (!has(making, RECORD_PROCESS_NAME) && name.at != NULL) {
        COPY_BEHIND(making, RECORD_EXECUTABLE);
        add_quoted(making, RECORD_PROCESS_NAME, &name);
    }
    make_thread(making);
}

/* The effective user and group in process, from those in user. Gives where they stand in text. */
static void add_current(struct making *making, size_t ret_at[2][2])
{
    const struct slice *field = making->record->field;
    struct text *text = making->text;

    COPY_BEHIND(making, RECORD_THREAD_OBJECT, RECORD_CURRENT_REAL_USER_OBJECT,
                RECORD_CURRENT_REAL_GROUP_OBJECT);
    add_member(making, RECORD_CURRENT_USER_OBJECT, "{", 1);
    ret_at[0][0] = text->length - 1;
    size_t start = text->length;
    add_slice(making, RECORD_CURRENT_USER_ID, &field[RECORD_BOUND_USER_ID]);
    if (field[RECORD_BOUND_USER_NAME].at != NULL) {
        add_slice(making, RECORD_CURRENT_USER_NAME, &field[RECORD_BOUND_USER_NAME]);
    }
    first_members(making, start);
    if (!text->failed) {
        text->data[text->length - 1] = '}';
    }
    ret_at[0][1] = text->length;
    add_slice(making, RECORD_CURRENT_GROUP_OBJECT, &field[RECORD_BOUND_GROUP_OBJECT]);
    ret_at[1][0] = text->length - field[RECORD_BOUND_GROUP_OBJECT].length;
    ret_at[1][1] = text->length;
}

/* Of the real and saved ids, those that the record leaves out: they are the effective ones, which
 * stand in text. */
static void add_ids(struct making *making, size_t at[2][2])
{
    static const struct {
        enum record_field absent;
        int kind;
    } ids[] = {
        {RECORD_CURRENT_REAL_USER_OBJECT, 0},
        {RECORD_CURRENT_REAL_GROUP_OBJECT, 1},
        {RECORD_CURRENT_SAVED_USER_OBJECT, 0},
        {RECORD_CURRENT_SAVED_GROUP_OBJECT, 1},
    };
    struct text *text = making->text;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        const size_t *same = at[ids[i].kind], length = same[1] - same[0];
        if (has(making, ids[i].absent)) {
            continue;
        }
        add_member(making, ids[i].absent, "", 0);
        char part[64]; /* text may move */
        for (size_t k = 0, size; k < length && !text->failed; k += size) {
            size = length - k < sizeof(part) ? length - k : sizeof(part);
            memcpy(part, text->data + same[0] + k, size);
            text_append_bytes(text, part, size);
        }
    }
}

static void make_current(struct making *making)
{
    const struct slice *field = making->record->field;
    const struct slice *user = &field[RECORD_CURRENT_USER_OBJECT];
    const struct slice *group = &field[RECORD_CURRENT_GROUP_OBJECT];
    size_t at[2][2];

    if (user->at != NULL && group->at != NULL) {
        copy_to(making, group->at + group->length);
        if (making->wrong || user->at > group->at) {
            return;
        }
        at[1][1] = making->text->length;
        at[1][0] = at[1][1] - group->length;
        at[0][0] = at[1][1] - (size_t)(group->at + group->length - user->at);
        at[0][1] = at[0][0] + user->length;
    } else if (user->at == NULL && field[RECORD_BOUND_GROUP_OBJECT].at != NULL &&
               field[RECORD_BOUND_USER_ID].at != NULL && field[RECORD_CRED_CURRENT].at == NULL &&
               making->third) {
        add_current(making, at);
    } else {
        return;
    }
    add_ids(making, at);
}

/* Up to the call site. */
static void make_miguard(struct making *making, const struct text *cred)
{
    const struct slice *field = making->record->field;

    copy_to(making, field[RECORD_FORMAT].at);
    text_append(making->text, "1");
    making->at = field[RECORD_FORMAT].at + field[RECORD_FORMAT].length;
    if (making->third && !has(making, RECORD_DECISION)) {
        COPY_BEHIND(making, RECORD_OPERATION, RECORD_PROVIDER, RECORD_NAMESPACE, RECORD_CLASS,
                    RECORD_METHOD, RECORD_KEYS, RECORD_KEYS_OMITTED, RECORD_RESOURCE,
                    RECORD_OBJECT_NAME);
        add_constant(making, RECORD_DECISION, making->derived.decision);
    }
    copy_to(making, field[RECORD_CRED_OBJECT].at);
    text_append_bytes(making->text, cred->data, cred->length);
    making->at = field[RECORD_CRED_OBJECT].at + field[RECORD_CRED_OBJECT].length;
    pad_offset(making, RECORD_SITE_OFFSET);
    if (making->third && has(making, RECORD_LAST_SWITCH_OBJECT) &&
        has(making, RECORD_SITE_MODULE) && !has(making, RECORD_LAST_SWITCH_MODULE)) {
        begin_object(making, RECORD_LAST_SWITCH_OBJECT);
        size_t start = making->text->length;
        add_slice(making, RECORD_LAST_SWITCH_MODULE, &field[RECORD_SITE_MODULE]);
        first_members(making, start);
    }
    pad_offset(making, RECORD_LAST_SWITCH_OFFSET);
}

/* Once is what is left out, before the chain or at the end of miguard. */
static void make_repeat(struct making *making)
{
    const struct slice *chain = &making->record->field[RECORD_CHAIN_OBJECT];

    if (has(making, RECORD_REPEAT_OBJECT)) {
        return;
    }
    if (chain->at != NULL) {
        copy_before(making, RECORD_CHAIN_OBJECT);
    } else {
        copy_to(making, end_of(making, RECORD_MIGUARD_OBJECT) - 1);
    }
    add_constant(making, RECORD_REPEAT_OBJECT, "{\"count\":" RECORD_ONCE "}");
}

static void make_event(struct making *making)
{
    begin_object(making, RECORD_EVENT_OBJECT);
    size_t start = making->text->length;
    if (!has(making, RECORD_EVENT_KIND)) {
        add_constant(making, RECORD_EVENT_KIND, RECORD_KIND);
    }
    if (!has(making, RECORD_EVENT_CATEGORY)) {
        add_constant(making, RECORD_EVENT_CATEGORY, making->derived.category);
    }
    if (!has(making, RECORD_EVENT_TYPE)) {
        add_constant(making, RECORD_EVENT_TYPE, making->derived.type);
    }
    first_members(making, start);
    if (!has(making, RECORD_CODE)) {
        COPY_BEHIND(making, RECORD_EVENT_ID, RECORD_SEQUENCE);
        add_constant(making, RECORD_CODE, making->derived.code);
    }
}

/* False: the members do not stand in the order of our own writer. */
static bool make_line(struct text *text, const struct record *record, const struct text *cred)
{
    const struct slice *field = record->field;
    struct making making = {
        .text = text,
        .record = record,
        .at = record->line,
        .third = is_format(record, RECORD_FORMAT_WRITTEN),
        .derived = record_derive(
            (struct record_word){field[RECORD_ACTION].at, field[RECORD_ACTION].length},
            (struct record_word){field[RECORD_OUTCOME].at, field[RECORD_OUTCOME].length},
            (struct record_word){field[RECORD_REASON].at, field[RECORD_REASON].length})};

    make_head(&making);
    if (has(&making, RECORD_PROCESS_OBJECT)) {
        if (making.third) {
            make_process(&making);
        }
        make_current(&making);
    }
    make_miguard(&making, cred);
    make_repeat(&making);
    make_event(&making);
    copy_to(&making, record->line + record->length);
    return !making.wrong;
}

/* What is looked for below is there. */
static bool is_short(const struct record *record)
{
    const struct slice *event = &record->field[RECORD_EVENT_OBJECT];
    const struct slice *cred = &record->field[RECORD_CRED_OBJECT];

    return (is_format(record, RECORD_FORMAT_SHORT) || is_format(record, RECORD_FORMAT_WRITTEN)) &&
           cred->at != NULL && cred->at[0] == '{' && event->at != NULL && event->at[0] == '{' &&
           event->length > 2 && event->at[1] == '"';
}

/* ---- what is remembered -----------------------------------------------------------------------
 */

/*
 * A log has few identities and many records: miguard.cred in full depends on the short one, the
 * format, and the ids of user. Lines are parsed by likeness, the short ones and the full ones.
 */

/* CREDS: identities; of two with one place the later one is remembered. */
enum { CREDS = 256 };

struct record_expander {
    struct record_kinds *bare, *full;
    struct known_cred {
        struct text key, cred;
    } creds[CREDS];
    struct text key;  /* of the record at hand */
    struct text line; /* for record_expander_line() */
};

struct record_expander *record_expander_new(void)
{
    struct record_expander *expander = base_alloc(1, sizeof(*expander));

    if (expander != NULL) {
        expander->bare = record_kinds_new();
        expander->full = record_kinds_new();
    }
    return expander;
}

void record_expander_free(struct record_expander *expander)
{
    for (size_t i = 0; expander != NULL && i < CREDS; i++) {
        text_release(&expander->creds[i].key);
        text_release(&expander->creds[i].cred);
    }
    if (expander != NULL) {
        record_kinds_free(expander->bare);
        record_kinds_free(expander->full);
        text_release(&expander->key);
        text_release(&expander->line);
    }
    base_free(expander);
}

struct text *record_expander_line(struct record_expander *expander, struct text *own)
{
    if (expander == NULL) {
        return own;
    }
    text_clear(&expander->line);
    return &expander->line;
}

/* All that make_cred() reads; a byte that no value has stands between. */
static void make_key(struct text *key, const struct record *record)
{
    static const enum record_field fields[] = {RECORD_FORMAT, RECORD_BOUND_USER_ID,
                                               RECORD_BOUND_GROUP_ID, RECORD_CRED_OBJECT};

    text_clear(key);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct slice *slice = &record->field[fields[i]];
        if (slice->at != NULL) {
            text_append_bytes(key, slice->at, slice->length);
        }
        text_append_bytes(key, "\n", 1);
    }
}

/* FNV-1a, of eight bytes at a time: a wrong place costs time only, since the key is compared. */
static struct known_cred *place_of_key(struct record_expander *expander)
{
    const struct text *key = &expander->key;
    uint64_t hash = UINT64_C(14695981039346656037), word;

    for (size_t i = 0; i + sizeof(word) <= key->length; i += sizeof(word)) {
        memcpy(&word, key->data + i, sizeof(word));
        hash = (hash ^ word) * UINT64_C(1099511628211);
        hash ^= hash >> 29;
    }
    return &expander->creds[(hash >> 32) % CREDS];
}

/* NULL: as false of make_cred(). Valid until the next call. */
static const struct text *known_cred(struct record_expander *expander, const struct record *record,
                                     bool *ret_no_memory)
{
    make_key(&expander->key, record);
    if (expander->key.failed) {
        *ret_no_memory = true;
        return NULL;
    }
    struct known_cred *known = place_of_key(expander);
    if (known->cred.length > 0 && known->key.length == expander->key.length &&
        memcmp(known->key.data, expander->key.data, known->key.length) == 0) {
        return &known->cred;
    }
    text_clear(&known->key);
    text_clear(&known->cred);
    known->cred.comma = false;
    text_append_bytes(&known->key, expander->key.data, expander->key.length);
    bool good = make_cred(&known->cred, record);
    *ret_no_memory = known->cred.failed || known->key.failed;
    if (!good || *ret_no_memory) {
        text_release(&known->cred);
        text_release(&known->key);
        return NULL;
    }
    return &known->cred;
}

/* The fields that stand in the line. */
static bool parse_bare(struct record_expander *expander, const struct record *record,
                       struct record *ret_bare)
{
    struct record_kinds *kinds = expander != NULL ? expander->bare : NULL;
    size_t fault;

    if (record_like(kinds, record->line, record->length)) {
        record_like_bare(kinds, ret_bare);
        return true;
    }
    return record_parse_new_bare(kinds, record->line, record->length, ret_bare, &fault) == NULL;
}

static bool parse_full(struct record_expander *expander, const struct text *text,
                       struct record *ret_full)
{
    struct record_kinds *kinds = expander != NULL ? expander->full : NULL;
    size_t fault;

    return record_parse_like(kinds, text->data, text->length, ret_full, &fault) == NULL;
}

bool record_expand_next(struct record_expander *expander, const struct record *record,
                        struct text *text, struct record *ret_full)
{
    struct text made = TEXT_EMPTY;
    struct record bare;
    bool no_memory = false;

    *ret_full = *record;
    if (!is_short(record) || !parse_bare(expander, record, &bare)) {
        return true;
    }
    const struct text *cred = expander != NULL          ? known_cred(expander, &bare, &no_memory)
                              : make_cred(&made, &bare) ? &made
                                                        : NULL;
    if (cred != NULL && make_line(text, &bare, cred) && !text->failed &&
        !parse_full(expander, text, ret_full)) {
        *ret_full = *record;
    }
    no_memory = no_memory || made.failed || text->failed;
    text_release(&made);
    return !no_memory;
}

bool record_expand(const struct record *record, struct text *text, struct record *ret_full)
{
    return record_expand_next(NULL, record, text, ret_full);
}
