/* SPDX-License-Identifier: MIT */
#include "support/record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "audit/event.h"

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
#define OPERATION_TEXT(NAME, name) name,
    static const char *const names[] = {OPERATION_MAP(OPERATION_TEXT)};
#undef OPERATION_TEXT
    return IS_ONE_OF(value, names);
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

static bool is_category(const json_t *value)
{
    const char *only = json_string_value(json_array_get(value, 0));
    return json_array_size(value) == 1 && only != NULL && strcmp(only, "api") == 0;
}

static bool is_type(const json_t *value)
{
    const char *first = json_string_value(json_array_get(value, 0));
    const char *second = json_string_value(json_array_get(value, 1));
    return json_array_size(value) == 2 && first != NULL && strcmp(first, "access") == 0 &&
           second != NULL && (strcmp(second, "allowed") == 0 || strcmp(second, "denied") == 0);
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
    return json_object_size(value) == MIGUARD_COMPONENT_COUNT;
}

/* ---- the fields ---------------------------------------------------------------------- */

enum need { OPTIONAL, NEEDED }; /* NEEDED: in every record that has the field's parent */

static const struct field {
    const char *path;
    enum need need;
    json_type type;
    form_function form; /* NULL: any value of the type */
} fields[] = {
    {"@timestamp", NEEDED, JSON_STRING, is_time},
    {"message", NEEDED, JSON_STRING, is_not_empty},
    {"ecs", NEEDED, JSON_OBJECT, NULL},
    {"ecs.version", NEEDED, JSON_STRING, is_ecs_version},
    {"event", NEEDED, JSON_OBJECT, NULL},
    {"event.kind", NEEDED, JSON_STRING, is_event},
    {"event.category", NEEDED, JSON_ARRAY, is_category},
    {"event.type", NEEDED, JSON_ARRAY, is_type},
    {"event.id", NEEDED, JSON_STRING, is_not_empty},
    {"event.sequence", NEEDED, JSON_INTEGER, is_positive},
    {"event.code", NEEDED, JSON_STRING, is_code},
    {"event.action", NEEDED, JSON_STRING, is_action},
    {"event.outcome", NEEDED, JSON_STRING, is_outcome},
    {"event.reason", NEEDED, JSON_STRING, is_reason},
    {"host", NEEDED, JSON_OBJECT, NULL},
    {"host.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"host.boot", NEEDED, JSON_OBJECT, NULL},
    {"host.boot.id", OPTIONAL, JSON_STRING, is_not_empty},
    {"observer", NEEDED, JSON_OBJECT, NULL},
    {"observer.product", NEEDED, JSON_STRING, is_miguard},
    {"process", NEEDED, JSON_OBJECT, NULL},
    {"process.pid", NEEDED, JSON_INTEGER, is_positive},
    {"process.entity_id", NEEDED, JSON_STRING, is_hex},
    {"process.executable", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.thread", NEEDED, JSON_OBJECT, NULL},
    {"process.thread.id", NEEDED, JSON_INTEGER, is_positive},
    {"process.thread.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.real_user", OPTIONAL, JSON_OBJECT, NULL},
    {"process.real_user.id", NEEDED, JSON_STRING, is_decimal},
    {"process.real_user.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.user", OPTIONAL, JSON_OBJECT, NULL},
    {"process.user.id", NEEDED, JSON_STRING, is_decimal},
    {"process.user.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.saved_user", OPTIONAL, JSON_OBJECT, NULL},
    {"process.saved_user.id", NEEDED, JSON_STRING, is_decimal},
    {"process.saved_user.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.real_group", OPTIONAL, JSON_OBJECT, NULL},
    {"process.real_group.id", NEEDED, JSON_STRING, is_decimal},
    {"process.real_group.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.group", OPTIONAL, JSON_OBJECT, NULL},
    {"process.group.id", NEEDED, JSON_STRING, is_decimal},
    {"process.group.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"process.saved_group", OPTIONAL, JSON_OBJECT, NULL},
    {"process.saved_group.id", NEEDED, JSON_STRING, is_decimal},
    {"process.saved_group.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"user", OPTIONAL, JSON_OBJECT, NULL},
    {"user.id", NEEDED, JSON_STRING, is_decimal},
    {"user.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"user.group", NEEDED, JSON_OBJECT, NULL},
    {"user.group.id", NEEDED, JSON_STRING, is_decimal},
    {"user.group.name", OPTIONAL, JSON_STRING, is_not_empty},
    {"rule", OPTIONAL, JSON_OBJECT, NULL},
    {"rule.name", NEEDED, JSON_STRING, is_not_empty},
    {"rule.reference", NEEDED, JSON_STRING, is_not_empty},
    {"rule.description", OPTIONAL, JSON_STRING, is_not_empty},
    {"miguard", NEEDED, JSON_OBJECT, NULL},
    {"miguard.operation", OPTIONAL, JSON_STRING, is_operation},
    {"miguard.decision", NEEDED, JSON_STRING, is_decision},
    {"miguard.would_deny", OPTIONAL, JSON_TRUE, NULL},
    {"miguard.provider", OPTIONAL, JSON_STRING, is_not_empty},
    {"miguard.namespace", OPTIONAL, JSON_STRING, is_not_empty},
    {"miguard.class", OPTIONAL, JSON_STRING, is_not_empty},
    {"miguard.context_id", OPTIONAL, JSON_STRING, is_hex},
    {"miguard.session_id", OPTIONAL, JSON_STRING, is_hex},
    {"miguard.operation_id", OPTIONAL, JSON_STRING, is_hex},
    {"miguard.mismatch", OPTIONAL, JSON_ARRAY, is_component_list},
    {"miguard.unreadable", OPTIONAL, JSON_ARRAY, is_component_list},
    {"miguard.cred", NEEDED, JSON_OBJECT, NULL},
    {"miguard.cred.bound", OPTIONAL, JSON_OBJECT, is_identity},
    {"miguard.cred.current", OPTIONAL, JSON_OBJECT, is_identity},
    {"miguard.loginuid", OPTIONAL, JSON_INTEGER, NULL},
    {"miguard.session_keyring", OPTIONAL, JSON_INTEGER, is_positive},
    {"miguard.call_site", OPTIONAL, JSON_OBJECT, NULL},
    {"miguard.call_site.module", NEEDED, JSON_STRING, is_not_empty},
    {"miguard.call_site.offset", OPTIONAL, JSON_STRING, is_hex},
    {"miguard.call_site.symbol", OPTIONAL, JSON_STRING, is_not_empty},
    {"miguard.repeat", NEEDED, JSON_OBJECT, NULL},
    {"miguard.repeat.count", NEEDED, JSON_INTEGER, is_positive},
    {"miguard.policy", OPTIONAL, JSON_OBJECT, NULL},
    {"miguard.policy.detail", NEEDED, JSON_STRING, is_not_empty},
    {"miguard.lost", OPTIONAL, JSON_OBJECT, NULL},
    {"miguard.lost.count", NEEDED, JSON_INTEGER, is_positive},
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

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

static const struct field *field_of(const char *path)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].path, path) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool check_member(const struct walk *walk, const char *path, const json_t *value)
{
    const struct field *field = field_of(path);
    const char *key;
    json_t *member;

    if (field == NULL) {
        return complain(walk, path, "is not known");
    }
    if (json_typeof(value) != field->type) {
        return complain(walk, path, "has another type");
    }
    if (field->form != NULL) {
        return field->form(value) || complain(walk, path, "has another form");
    }
    if (field->type != JSON_OBJECT) {
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
    for (size_t i = 0; i < FIELDS; i++) {
        const char *dot = strrchr(fields[i].path, '.');
        char parent[128] = "";
        if (dot != NULL) {
            snprintf(parent, sizeof(parent), "%.*s", (int)(dot - fields[i].path), fields[i].path);
        }
        if (fields[i].need == NEEDED && find(record, parent) != NULL &&
            find(record, fields[i].path) == NULL) {
            return complain(walk, fields[i].path, "is missing");
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

static bool agrees_with_itself(const struct walk *walk, const json_t *record)
{
    bool denied = strcmp(text_at(record, "miguard.decision"), "deny") == 0;
    const char *code = text_at(record, "event.code");
    const char *type = json_string_value(json_array_get(find(record, "event.type"), 1));
    char id[64];

    if (code[strlen(code) - 1] != (denied ? 'E' : 'I')) {
        return complain(walk, "event.code", "does not agree with miguard.decision");
    }
    if (strcmp(text_at(record, "event.outcome"), denied ? "failure" : "success") != 0) {
        return complain(walk, "event.outcome", "does not agree with miguard.decision");
    }
    if (strcmp(type, denied ? "denied" : "allowed") != 0) {
        return complain(walk, "event.type", "does not agree with miguard.decision");
    }
    snprintf(id, sizeof(id), "%s-%lld", text_at(record, "process.entity_id"),
             (long long)json_integer_value(find(record, "event.sequence")));
    if (strcmp(text_at(record, "event.id"), id) != 0) {
        return complain(walk, "event.id", "is not entity_id and sequence");
    }
    const char *action = text_at(record, "event.action");
    if (!is_message(text_at(record, "message"), text_at(record, "event.reason"), action)) {
        return complain(walk, "message", "is not the text of reason and action");
    }
    bool lost = strcmp(action, "records-lost") == 0;
    bool of_the_library = lost || strcmp(action, "audit-start") == 0 ||
                          strcmp(action, "policy-load") == 0 ||
                          strcmp(action, "policy-refused") == 0;
    if (of_the_library != (find(record, "miguard.operation") == NULL)) {
        return complain(walk, "miguard.operation", "does not agree with event.action");
    }
    if (lost != (find(record, "miguard.lost") != NULL)) {
        return complain(walk, "miguard.lost", "does not agree with event.action");
    }
    if ((find(record, "user") != NULL) != (find(record, "miguard.cred.bound") != NULL) ||
        (find(record, "process.user") != NULL) != (find(record, "miguard.cred.current") != NULL)) {
        return complain(walk, "miguard.cred", "does not agree with user and process");
    }
    return true;
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
