/* SPDX-License-Identifier: MIT */
#include "support/record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "model/record_fields.h"
#include "model/sink_settings.h"
#include "tools/review/record_expand.h"

/* ---- forms --------------------------------------------------------------------------- */

typedef bool (*form_function)(const json_t *value);

static bool in_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        bool fits = *form == 'd'   ? isdigit((unsigned char)*text)
                    : *form == 'x' ? isdigit((unsigned char)*text) || (*text >= 'a' && *text <= 'f')
                                   : *text == *form;
        if (!fits) {
            return false;
        }
    }
    return *text == '\0';
}

static bool is_time(const json_t *value)
{
    return in_form(json_string_value(value), "dddd-dd-ddTdd:dd:dd.ddddddZ");
}

static bool is_hex(const json_t *value)
{
    return in_form(json_string_value(value), "xxxxxxxxxxxxxxxx");
}

static bool is_decimal(const json_t *value)
{
    const char *text = json_string_value(value);
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool is_not_empty(const json_t *value)
{
    return *json_string_value(value) != '\0';
}

static bool is_positive(const json_t *value)
{
    return json_integer_value(value) > 0;
}

static bool is_event(const json_t *value)
{
    return strcmp(json_string_value(value), "event") == 0;
}

static bool is_miguard(const json_t *value)
{
    return strcmp(json_string_value(value), "miguard") == 0;
}

static bool is_ecs_version(const json_t *value)
{
    return strncmp(json_string_value(value), "9.", 2) == 0;
}

static bool is_one_of(const char *text, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define IS_ONE_OF(value, list)                                                                     \
    is_one_of(json_string_value(value), list, sizeof(list) / sizeof((list)[0]))

static bool is_action(const json_t *value)
{
#define ACTION_NAME(NAME, name, ...) name,
    static const char *const names[] = {AUDIT_ACTION_MAP(ACTION_NAME)};
#undef ACTION_NAME
    return IS_ONE_OF(value, names);
}

static bool is_code(const json_t *value)
{
#define ACTION_CODES(NAME, name, allowed, refused, ...) allowed, refused,
    static const char *const codes[] = {AUDIT_ACTION_MAP(ACTION_CODES)};
#undef ACTION_CODES
    return IS_ONE_OF(value, codes);
}

static bool is_reason(const json_t *value)
{
#define REASON_NAME(NAME, name, text) name,
    static const char *const names[] = {AUDIT_REASON_MAP(REASON_NAME)};
#undef REASON_NAME
    return IS_ONE_OF(value, names);
}

static bool is_operation(const json_t *value)
{
#define OPERATION_TEXT(NAME, name, ...) name,
    static const char *const names[] = {OPERATION_MAP(OPERATION_TEXT)};
#undef OPERATION_TEXT
    return IS_ONE_OF(value, names) || action_name_valid(json_string_value(value));
}

static bool is_outcome(const json_t *value)
{
    static const char *const outcomes[] = {"success", "failure"};
    return IS_ONE_OF(value, outcomes);
}

static bool is_decision(const json_t *value)
{
    static const char *const decisions[] = {"allow", "deny"};
    return IS_ONE_OF(value, decisions);
}

static bool is_sink(const json_t *value)
{
#define SINK_NAME(NAME, name, ...) name,
    static const char *const sinks[] = {SINK_KIND_MAP(SINK_NAME)};
#undef SINK_NAME
    return IS_ONE_OF(value, sinks);
}

static bool is_step(const json_t *value)
{
    static const char *const steps[] = {"low", "full", "flooded", "normal"};
    return IS_ONE_OF(value, steps);
}

static bool is_cause_name(const char *name)
{
#define LOSS_NAME(NAME, name, text) name,
    static const char *const names[] = {AUDIT_LOSS_MAP(LOSS_NAME)};
#undef LOSS_NAME
    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

static bool is_cause(const json_t *value)
{
    return is_cause_name(json_string_value(value));
}

static bool is_causes(const json_t *value)
{
    const char *cause;
    json_t *count;

    json_object_foreach((json_t *)(uintptr_t)value, cause, count)
    {
        if (!is_cause_name(cause) || json_integer_value(count) < 1) {
            return false;
        }
    }
    return json_object_size(value) > 0;
}

static bool is_number(const json_t *value)
{
    return json_integer_value(value) >= 0;
}

static bool is_percent(const json_t *value)
{
    return json_integer_value(value) >= 0 && json_integer_value(value) <= 100;
}

static bool is_hash(const json_t *value)
{
    const char *text = json_string_value(value);
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool is_version(const json_t *value)
{
    return in_form(json_string_value(value), "d.d.d");
}

static bool is_strings(const json_t *value, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (text == NULL || strcmp(text, wanted[i]) != 0) {
            return false;
        }
    }
    return json_array_size(value) == count;
}

static bool is_component_list(const json_t *value)
{
    miguard_components all = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        miguard_components one =
            miguard_component_from_name(json_string_value(json_array_get(value, i)));
        if (one == 0 || (all & one) != 0) {
            return false;
        }
        all |= one;
    }
    return all != 0;
}

/* ---- an identity: its components as keys --------------------------------------------- */

static bool is_named_id(const json_t *value)
{
    const json_t *id = json_object_get(value, "id"), *name = json_object_get(value, "name");
    return json_is_integer(id) && json_integer_value(id) >= 0 &&
           json_integer_value(id) < UINT32_MAX && (name == NULL || json_is_string(name)) &&
           json_object_size(value) == (name == NULL ? 1 : 2);
}

static bool is_list(const json_t *value, bool (*element)(const json_t *))
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!element(json_array_get(value, i))) {
            return false;
        }
    }
    return json_is_array(value);
}

static bool is_key_list(const json_t *value)
{
    return is_list(value, is_not_empty);
}

static bool is_cap_name(const json_t *value)
{
    return json_is_string(value) && strncmp(json_string_value(value), "CAP_", 4) == 0;
}

static bool is_string(const json_t *value)
{
    return json_is_string(value);
}

static bool is_component(miguard_components component, const json_t *value)
{
    switch (component) {
    case MIGUARD_COMPONENT_GROUPS:
        return is_list(value, is_named_id);
    case MIGUARD_COMPONENT_CAP_EFFECTIVE:
    case MIGUARD_COMPONENT_CAP_PERMITTED:
    case MIGUARD_COMPONENT_CAP_INHERITABLE:
    case MIGUARD_COMPONENT_CAP_AMBIENT:
    case MIGUARD_COMPONENT_CAP_BOUNDING:
        return is_list(value, is_cap_name);
    case MIGUARD_COMPONENT_SECUREBITS:
        return is_list(value, is_string);
    case MIGUARD_COMPONENT_NO_NEW_PRIVS:
        return json_is_boolean(value);
    case MIGUARD_COMPONENT_USER_NAMESPACE:
        return json_is_integer(value) && json_integer_value(value) > 0;
    case MIGUARD_COMPONENT_LSM_LABEL:
        return json_is_string(value) || json_is_null(value);
    default:
        return is_named_id(value);
    }
}

static bool is_identity(const json_t *value)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        miguard_components component = miguard_component_from_name(key);
        if (component == 0 || !is_component(component, member)) {
            return false;
        }
    }
    return true;
}

/* ---- an identity as it is written ---------------------------------------------------- */

static bool is_mask(const json_t *value)
{
    return json_is_string(value) && in_form(json_string_value(value), "xxxxxxxxxxxxxxxx");
}

static bool is_id(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) < UINT32_MAX;
}

static bool is_id_or_null(const json_t *value)
{
    return json_is_null(value) || is_id(value);
}

static bool is_short_component(miguard_components component, const json_t *value)
{
    switch (component) {
    case MIGUARD_COMPONENT_GROUPS:
        return is_list(value, is_id);
    case MIGUARD_COMPONENT_CAP_EFFECTIVE:
    case MIGUARD_COMPONENT_CAP_PERMITTED:
    case MIGUARD_COMPONENT_CAP_INHERITABLE:
    case MIGUARD_COMPONENT_CAP_AMBIENT:
    case MIGUARD_COMPONENT_CAP_BOUNDING:
        return is_mask(value);
    case MIGUARD_COMPONENT_SECUREBITS:
        return json_is_integer(value);
    case MIGUARD_COMPONENT_NO_NEW_PRIVS:
        return json_is_boolean(value);
    case MIGUARD_COMPONENT_USER_NAMESPACE:
        return json_is_integer(value) && json_integer_value(value) > 0;
    case MIGUARD_COMPONENT_LSM_LABEL:
        return json_is_string(value) || json_is_null(value);
    default:
        return false; /* ids are in uid and gid */
    }
}

static bool is_short_identity(const json_t *value)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        bool fits =
            strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0
                ? is_id(member) || (json_array_size(member) == 4 && is_list(member, is_id_or_null))
            : strcmp(key, "unknown") == 0
                ? is_list(member, is_string)
                : is_short_component(miguard_component_from_name(key), member);
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* As it is written, or in the full form that readers make of it. */
static bool is_any_identity(const json_t *value)
{
    return is_short_identity(value) || is_identity(value);
}

static bool is_format(const json_t *value)
{
    return json_integer_value(value) == RECORD_FORMAT_WRITTEN || json_integer_value(value) == 1;
}

/* A switch reads what it changes; what it left alone it does not know. */
static bool is_whole(const json_t *identity, bool of_switch)
{
    static const char *const left_alone[] = {"groups", "cap-bounding", "user-namespace",
                                             "lsm-label"};
    const json_t *unknown = json_object_get(identity, "unknown");

    for (size_t i = 0; i < json_array_size(unknown); i++) {
        const char *name = json_string_value(json_array_get(unknown, i));
        if (!of_switch || !is_one_of(name, left_alone, sizeof(left_alone) / sizeof(*left_alone))) {
            return false;
        }
    }
    return true;
}

/* ---- the fields ---------------------------------------------------------------------- */

/* NEEDED: in every record that has the field's parent */
enum need { UNKNOWN, OPTIONAL, NEEDED };

/* By field. A field without a row is UNKNOWN, and a record that has it is refused. */
static const struct rule {
    enum need need;
    form_function form; /* NULL: any value of the type */
} rules[RECORD_FIELD_COUNT] = {
    [RECORD_TIMESTAMP] = {NEEDED, NULL},
    [RECORD_MESSAGE] = {NEEDED, is_not_empty},
    [RECORD_ECS_OBJECT] = {OPTIONAL, NULL},
    [RECORD_ECS_VERSION] = {NEEDED, is_ecs_version},
    [RECORD_EVENT_OBJECT] = {NEEDED, NULL},
    [RECORD_EVENT_KIND] = {OPTIONAL, is_event},
    [RECORD_EVENT_CATEGORY] = {NEEDED, NULL},
    [RECORD_EVENT_TYPE] = {NEEDED, NULL},
    [RECORD_EVENT_ID] = {NEEDED, is_not_empty},
    [RECORD_SEQUENCE] = {OPTIONAL, is_positive},
    [RECORD_CODE] = {NEEDED, is_code},
    [RECORD_ACTION] = {NEEDED, is_action},
    [RECORD_OUTCOME] = {NEEDED, is_outcome},
    [RECORD_REASON] = {NEEDED, is_reason},
    [RECORD_START] = {OPTIONAL, NULL},
    [RECORD_END] = {OPTIONAL, NULL},
    [RECORD_HASH] = {OPTIONAL, is_hash},
    [RECORD_HOST_OBJECT] = {NEEDED, NULL},
    [RECORD_HOST] = {OPTIONAL, is_not_empty},
    [RECORD_BOOT_OBJECT] = {NEEDED, NULL},
    [RECORD_BOOT] = {OPTIONAL, is_not_empty},
    [RECORD_OBSERVER_OBJECT] = {NEEDED, NULL},
    [RECORD_OBSERVER_PRODUCT] = {NEEDED, is_miguard},
    [RECORD_OBSERVER_VERSION] = {NEEDED, is_version},
    [RECORD_PROCESS_OBJECT] = {NEEDED, NULL},
    [RECORD_PID] = {NEEDED, is_positive},
    [RECORD_ENTITY] = {NEEDED, NULL},
    [RECORD_EXECUTABLE] = {OPTIONAL, is_not_empty},
    [RECORD_PROCESS_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_PROCESS_START] = {OPTIONAL, NULL},
    [RECORD_THREAD_OBJECT] = {NEEDED, NULL},
    [RECORD_TID] = {NEEDED, is_positive},
    [RECORD_THREAD_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_REAL_USER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_REAL_USER_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_REAL_USER_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_USER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_USER_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_USER_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_SAVED_USER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_SAVED_USER_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_SAVED_USER_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_REAL_GROUP_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_REAL_GROUP_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_REAL_GROUP_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_GROUP_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_GROUP_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_GROUP_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CURRENT_SAVED_GROUP_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CURRENT_SAVED_GROUP_ID] = {NEEDED, NULL},
    [RECORD_CURRENT_SAVED_GROUP_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_BOUND_USER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_BOUND_USER_ID] = {NEEDED, NULL},
    [RECORD_BOUND_USER_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_BOUND_GROUP_OBJECT] = {NEEDED, NULL},
    [RECORD_BOUND_GROUP_ID] = {NEEDED, NULL},
    [RECORD_BOUND_GROUP_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_RULE_OBJECT] = {OPTIONAL, NULL},
    [RECORD_RULE] = {NEEDED, is_not_empty},
    [RECORD_RULE_SOURCE] = {NEEDED, is_not_empty},
    [RECORD_RULE_REASON] = {OPTIONAL, is_not_empty},
    [RECORD_MIGUARD_OBJECT] = {NEEDED, NULL},
    [RECORD_OPERATION] = {OPTIONAL, is_operation},
    [RECORD_DECISION] = {NEEDED, is_decision},
    [RECORD_WOULD_DENY] = {OPTIONAL, NULL},
    [RECORD_PROVIDER] = {OPTIONAL, is_not_empty},
    [RECORD_NAMESPACE] = {OPTIONAL, is_not_empty},
    [RECORD_CLASS] = {OPTIONAL, is_not_empty},
    [RECORD_METHOD] = {OPTIONAL, is_not_empty},
    [RECORD_KEYS] = {OPTIONAL, is_key_list},
    [RECORD_KEYS_OMITTED] = {OPTIONAL, is_positive},
    [RECORD_RESOURCE] = {OPTIONAL, is_not_empty},
    [RECORD_OBJECT_NAME] = {OPTIONAL, is_not_empty},
    [RECORD_CONTEXT] = {OPTIONAL, NULL},
    [RECORD_SESSION] = {OPTIONAL, NULL},
    [RECORD_OPERATION_ID] = {OPTIONAL, NULL},
    [RECORD_MISMATCH] = {OPTIONAL, is_component_list},
    [RECORD_UNREADABLE] = {OPTIONAL, is_component_list},
    [RECORD_CRED_OBJECT] = {NEEDED, NULL},
    [RECORD_CRED_BOUND] = {OPTIONAL, is_any_identity},
    [RECORD_CRED_CURRENT] = {OPTIONAL, is_any_identity},
    [RECORD_CRED_DIFFERS] = {OPTIONAL, is_short_identity},
    [RECORD_FORMAT] = {NEEDED, is_format},
    [RECORD_VARIED] = {OPTIONAL, NULL},
    [RECORD_SAMPLES] = {OPTIONAL, is_key_list},
    [RECORD_LOGINUID] = {OPTIONAL, NULL},
    [RECORD_SESSION_KEYRING] = {OPTIONAL, is_positive},
    [RECORD_SITE_OBJECT] = {OPTIONAL, NULL},
    [RECORD_SITE_MODULE] = {NEEDED, is_not_empty},
    [RECORD_SITE_OFFSET] = {OPTIONAL, NULL},
    [RECORD_SITE_SYMBOL] = {OPTIONAL, is_not_empty},
    [RECORD_SITE_BUILD] = {OPTIONAL, NULL},
    [RECORD_LAST_SWITCH_OBJECT] = {OPTIONAL, NULL},
    [RECORD_LAST_SWITCH_MODULE] = {NEEDED, is_not_empty},
    [RECORD_LAST_SWITCH_OFFSET] = {OPTIONAL, NULL},
    [RECORD_LAST_SWITCH_SYMBOL] = {OPTIONAL, is_not_empty},
    [RECORD_LAST_SWITCH_TIME] = {NEEDED, NULL},
    [RECORD_ATTEMPT] = {OPTIONAL, is_not_empty},
    [RECORD_PEER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_PEER_PID] = {OPTIONAL, is_positive},
    [RECORD_PEER_LABEL] = {OPTIONAL, is_not_empty},
    [RECORD_REPEAT_OBJECT] = {NEEDED, NULL},
    [RECORD_REPEATS] = {NEEDED, is_positive},
    [RECORD_ORDER_OBJECT] = {OPTIONAL, NULL},
    [RECORD_ORDER_SINCE] = {NEEDED, is_positive},
    [RECORD_ORDER_LATE] = {NEEDED, NULL},
    [RECORD_POLICY_OBJECT] = {OPTIONAL, NULL},
    [RECORD_POLICY_DETAIL] = {OPTIONAL, is_not_empty},
    [RECORD_POLICY_HASH] = {OPTIONAL, is_hash},
    [RECORD_POLICY_PATH] = {OPTIONAL, is_not_empty},
    [RECORD_LOST_OBJECT] = {OPTIONAL, NULL},
    [RECORD_LOST_SINK] = {NEEDED, is_sink},
    [RECORD_LOST_COUNT] = {NEEDED, is_positive},
    [RECORD_LOST_CAUSE] = {NEEDED, is_cause},
    [RECORD_LOST_CAUSES] = {NEEDED, is_causes},
    [RECORD_LOST_FIRST] = {NEEDED, NULL},
    [RECORD_LOST_LAST] = {NEEDED, NULL},
    [RECORD_LOST_FIRST_SEQUENCE] = {OPTIONAL, is_positive},
    [RECORD_LOST_LAST_SEQUENCE] = {OPTIONAL, is_positive},
    [RECORD_LOST_TOTAL] = {NEEDED, is_positive},
    [RECORD_ROTATED_OBJECT] = {OPTIONAL, NULL},
    [RECORD_PREVIOUS_FILE] = {NEEDED, is_not_empty},
    [RECORD_REMOVED_FILES] = {NEEDED, is_number},
    [RECORD_REMOVED_THROUGH] = {NEEDED, is_number},
    [RECORD_ROTATED_BEYOND] = {OPTIONAL, is_positive},
    [RECORD_STRAY_FILES] = {OPTIONAL, is_positive},
    [RECORD_STRAY] = {OPTIONAL, is_not_empty},
    [RECORD_SPACE_OBJECT] = {OPTIONAL, NULL},
    [RECORD_SPACE_STEP] = {NEEDED, is_step},
    [RECORD_SPACE_AVAILABLE] = {NEEDED, is_number},
    [RECORD_SPACE_USED] = {NEEDED, is_percent},
    [RECORD_STATE_OBJECT] = {OPTIONAL, NULL},
    [RECORD_STATE_FOUND] = {NEEDED, is_not_empty},
    [RECORD_STATE_KEY] = {NEEDED, is_not_empty},
    [RECORD_STATE_FILE] = {NEEDED, is_not_empty},
    [RECORD_TALLY_OBJECT] = {OPTIONAL, NULL},
    [RECORD_TALLY_WRITTEN] = {NEEDED, is_number},
    [RECORD_TALLY_LOST] = {NEEDED, is_number},
    [RECORD_CHAIN_OBJECT] = {OPTIONAL, NULL},
    [RECORD_CHAIN] = {NEEDED, NULL},
    [RECORD_CHAIN_EPOCH] = {NEEDED, is_number},
    [RECORD_CHAIN_PREVIOUS] = {NEEDED, is_hash},
};

static bool is_of_type(enum record_type type, const json_t *value)
{
    switch (type) {
    case RECORD_TYPE_TEXT:
        return json_is_string(value);
    case RECORD_TYPE_TIME:
        return json_is_string(value) && is_time(value);
    case RECORD_TYPE_ID:
        return json_is_string(value) && is_hex(value);
    case RECORD_TYPE_DECIMAL:
        return json_is_string(value) && is_decimal(value);
    case RECORD_TYPE_NUMBER:
        return json_is_integer(value);
    case RECORD_TYPE_TRUE:
        return json_is_true(value);
    case RECORD_TYPE_LIST:
        return json_is_array(value);
    case RECORD_TYPE_OPEN:
    case RECORD_TYPE_OBJECT:
        return json_is_object(value);
    }
    return false;
}

struct walk {
    char *why;
    size_t size;
};

static bool complain(const struct walk *walk, const char *path, const char *what)
{
    snprintf(walk->why, walk->size, "%s %s", path, what);
    return false;
}

/* The member of record that path names, or NULL. */
static const json_t *find(const json_t *record, const char *path)
{
    while (record != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        char key[64];
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        record = json_object_get(record, key);
        path += length + (path[length] == '.');
    }
    return record;
}

static enum record_field field_of(const char *path)
{
    enum record_field field = 0;

    while (field < RECORD_FIELD_COUNT && strcmp(record_fields[field].path, path) != 0) {
        field++;
    }
    return field;
}

static bool check_member(const struct walk *walk, const char *path, const json_t *value)
{
    enum record_field field = field_of(path);
    const char *key;
    json_t *member;

    if (field == RECORD_FIELD_COUNT || rules[field].need == UNKNOWN) {
        return complain(walk, path, "is not known");
    }
    if (!is_of_type(record_fields[field].type, value)) {
        return complain(walk, path, "has another type");
    }
    if (rules[field].form != NULL && !rules[field].form(value)) {
        return complain(walk, path, "has another form");
    }
    if (record_fields[field].type != RECORD_TYPE_OBJECT) {
        return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        char below[128];
        snprintf(below, sizeof(below), "%s.%s", path, key);
        if (!check_member(walk, below, member)) {
            return false;
        }
    }
    return true;
}

static bool has_what_it_needs(const struct walk *walk, const json_t *record)
{
    for (enum record_field i = 0; i < RECORD_FIELD_COUNT; i++) {
        const char *path = record_fields[i].path, *dot = strrchr(path, '.');
        char parent[128] = "";
        if (dot != NULL) {
            snprintf(parent, sizeof(parent), "%.*s", (int)(dot - path), path);
        }
        if (rules[i].need == NEEDED && find(record, parent) != NULL && find(record, path) == NULL) {
            return complain(walk, path, "is missing");
        }
    }
    return true;
}

static const char *text_at(const json_t *record, const char *path)
{
    return json_string_value(find(record, path));
}

/* The reason in a sentence, or without a reason what happened. */
static bool is_message(const char *message, const char *reason, const char *action)
{
    static const char *const reason_texts[][2] = {
#define REASON_PAIR(NAME, name, text) {name, text},
        AUDIT_REASON_MAP(REASON_PAIR)
#undef REASON_PAIR
    };
    static const char *const action_texts[][2] = {
#define ACTION_PAIR(NAME, name, allowed, refused, text) {name, text},
        AUDIT_ACTION_MAP(ACTION_PAIR)
#undef ACTION_PAIR
    };
    for (size_t i = 0; i < sizeof(reason_texts) / sizeof(reason_texts[0]); i++) {
        if (strcmp(reason, "none") != 0 && strcmp(reason, reason_texts[i][0]) == 0) {
            return strcmp(message, reason_texts[i][1]) == 0;
        }
    }
    for (size_t i = 0; i < sizeof(action_texts) / sizeof(action_texts[0]); i++) {
        if (strcmp(action, action_texts[i][0]) == 0) {
            return strcmp(message, action_texts[i][1]) == 0;
        }
    }
    return false;
}

/* What ECS 9 allows together, one row for each action. NULL: a decision. */
static const struct class
{
    const char *action, *category, *type;
} classes[] = {
    {"audit-start", "configuration", "info"},
    {"records-lost", "configuration", "info"},
    {"audit-seal", "configuration", "info"},
    {"audit-stop", "configuration", "info"},
    {"audit-rotate", "configuration", "change"},
    {"audit-space", "configuration", "info"},
    {"policy-load", "configuration", "change"},
    {"policy-refused", "configuration", "info"},
    {"session-open", "api", NULL},
    {"session-use", "api", NULL},
    {"session-close-refused", "api", NULL},
    {"session-callback", "api", NULL},
    {"operation-reaped", "api", "end"},
    {"switch", "process", "change"},
    {"restore", "process", "change"},
    {"drop", "process", "change"},
    {"gate", "process", "change"},
    {"audit-state-set-aside", "configuration", "change"},
    {"module-load", "library", "start"},
};

static const struct class *class_of(const char *action)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strcmp(classes[i].action, action) == 0) {
            return &classes[i];
        }
    }
    return NULL;
}

static bool class_agrees(const struct walk *walk, const json_t *record, bool denied)
{
    const struct class *class = class_of(text_at(record, "event.action"));
    const char *const decision[] = {"access", denied ? "denied" : "allowed"};

    if (class == NULL || !is_strings(find(record, "event.category"), &class->category, 1)) {
        return complain(walk, "event.category", "does not agree with event.action");
    }
    const json_t *type = find(record, "event.type");
    bool agrees =
        class->type != NULL ? is_strings(type, &class->type, 1) : is_strings(type, decision, 2);
    return agrees || complain(walk, "event.type", "does not agree with action and decision");
}

/* The members that one action has and no other. */
static bool members_agree(const struct walk *walk, const json_t *record)
{
    static const struct {
        const char *member, *action;
    } rows[] = {
        {"miguard.lost", "records-lost"},           {"miguard.rotated", "audit-rotate"},
        {"miguard.space", "audit-space"},           {"miguard.tally", "audit-stop"},
        {"miguard.state", "audit-state-set-aside"},
    };
    const char *action = text_at(record, "event.action");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_it = strcmp(action, rows[i].action) == 0;
        if (is_it != (find(record, rows[i].member) != NULL)) {
            return complain(walk, rows[i].member, "does not agree with event.action");
        }
    }
    /* Only what is about a session has an operation. */
    bool own = strcmp(class_of(action)->category, "api") != 0;
    if (own != (find(record, "miguard.operation") == NULL)) {
        return complain(walk, "miguard.operation", "does not agree with event.action");
    }
    return true;
}

static bool numbers_agree(const struct walk *walk, const json_t *record)
{
    json_int_t sum = 0;
    const char *cause;
    json_t *count;

    json_object_foreach((json_t *)(uintptr_t)find(record, "miguard.lost.causes"), cause, count)
    {
        sum += json_integer_value(count);
    }
    if (sum != json_integer_value(find(record, "miguard.lost.count"))) {
        return complain(walk, "miguard.lost.count", "is not the sum of its causes");
    }
    if (sum > json_integer_value(find(record, "miguard.lost.total"))) {
        return complain(walk, "miguard.lost.total", "is less than the count");
    }
    bool timed = find(record, "event.start") != NULL && find(record, "event.end") != NULL &&
                 strcmp(text_at(record, "event.start"), text_at(record, "event.end")) <= 0;
    if (json_integer_value(find(record, "miguard.repeat.count")) > 1 && !timed) {
        return complain(walk, "event.start", "is missing or behind event.end");
    }
    bool chained = find(record, "miguard.chain") != NULL;
    if (chained != (find(record, "event.hash") != NULL) ||
        (chained && find(record, "event.sequence") == NULL)) {
        return complain(walk, "event.hash", "does not agree with miguard.chain");
    }
    return true;
}

static bool id_agrees(const struct walk *walk, const json_t *record)
{
    const char *entity = text_at(record, "process.entity_id");
    const char *id = text_at(record, "event.id");
    size_t length = strlen(entity);

    if (strncmp(id, entity, length) != 0 || id[length] != '-' || id[length + 1] == '\0' ||
        id[length + 1 + strspn(id + length + 1, "0123456789")] != '\0') {
        return complain(walk, "event.id", "is not entity_id and a number");
    }
    return true;
}

static bool agrees_with_itself(const struct walk *walk, const json_t *record)
{
    bool denied = strcmp(text_at(record, "miguard.decision"), "deny") == 0;
    const char *code = text_at(record, "event.code");

    if (code[strlen(code) - 1] != (denied ? 'E' : 'I')) {
        return complain(walk, "event.code", "does not agree with miguard.decision");
    }
    if (strcmp(text_at(record, "event.outcome"), denied ? "failure" : "success") != 0) {
        return complain(walk, "event.outcome", "does not agree with miguard.decision");
    }
    if (!is_message(text_at(record, "message"), text_at(record, "event.reason"),
                    text_at(record, "event.action"))) {
        return complain(walk, "message", "is not the text of reason and action");
    }
    if ((find(record, "user") != NULL) != (find(record, "miguard.cred.bound") != NULL) ||
        (find(record, "process.user") != NULL) != (find(record, "miguard.cred.current") != NULL ||
                                                   find(record, "miguard.cred.differs") != NULL)) {
        return complain(walk, "miguard.cred", "does not agree with user and process");
    }
    const char *action = text_at(record, "event.action");
    bool of_switch = strcmp(action, "switch") == 0 || strcmp(action, "restore") == 0 ||
                     strcmp(action, "drop") == 0;
    if (!is_whole(find(record, "miguard.cred.bound"), of_switch) ||
        !is_whole(find(record, "miguard.cred.current"), of_switch) ||
        !is_whole(find(record, "miguard.cred.differs"), of_switch)) {
        return complain(walk, "miguard.cred", "lacks components");
    }
    if (find(record, "miguard.policy") != NULL && find(record, "miguard.policy.detail") == NULL &&
        (strcmp(action, "audit-start") != 0 || find(record, "miguard.policy.hash") == NULL)) {
        return complain(walk, "miguard.policy", "has no detail");
    }
    return class_agrees(walk, record, denied) && members_agree(walk, record) &&
           numbers_agree(walk, record) && id_agrees(walk, record);
}

bool record_check(const json_t *record, char *why, size_t size)
{
    const struct walk walk = {why, size};
    const char *key;
    json_t *member;

    if (!json_is_object(record)) {
        return complain(&walk, "the record", "is no object");
    }
    json_object_foreach((json_t *)(uintptr_t)record, key, member)
    {
        if (!check_member(&walk, key, member)) {
            return false;
        }
    }
    return has_what_it_needs(&walk, record) && agrees_with_itself(&walk, record);
}

json_t *record_json(const char *line, size_t length)
{
    struct text text = TEXT_EMPTY;
    struct record record, full;
    size_t at;

    while (length > 0 && line[length - 1] == '\n') {
        length--;
    }
    if (record_parse(line, length, &record, &at) != NULL || !record_expand(&record, &text, &full)) {
        text_release(&text);
        return json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    }
    json_t *json = json_loadb(full.line, full.length, JSON_REJECT_DUPLICATES, NULL);
    text_release(&text);
    return json;
}
