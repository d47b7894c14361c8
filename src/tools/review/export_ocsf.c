/* SPDX-License-Identifier: MIT */
/*
 * OCSF 1.8, by EXPORT_OCSF_MAP: https://schema.ocsf.io/1.8.0/classes/api_activity
 *
 * One writer for each object of the schema, in the order of export_ocsf(). A field stands below
 * "unmapped" or in a row of EXPORT_OCSF_MAP, so that a record loses nothing. Classes and versions
 * are frozen: a collector's parser depends on them.
 */
#include "tools/review/export_ocsf.h"

#include <stdio.h>
#include <string.h>

#include "miguard/guard.h"
#include "model/operation.h"
#include "tools/review/export.h"

/* What --mapping shows; rows with RECORD_FIELD_COUNT are made by code below. */
const struct export_mapping export_ocsf_mapping[] = {
#define MAPPING_ROW(attribute, from, FIELD) {attribute, from, RECORD_##FIELD},
    EXPORT_OCSF_MAP(MAPPING_ROW)
#undef MAPPING_ROW
        {NULL, NULL, RECORD_FIELD_COUNT},
};

/* The name of a member as it stands in JSON: it is written for every record, and needs no look for
 * what has to be escaped. */
struct key {
    const char *text;
    size_t length;
};
#define KEY_TEXT(name) "\"" name "\":"
#define KEY(name)      ((struct key){KEY_TEXT(name), sizeof(KEY_TEXT(name)) - 1})

/* Category, class and activity of OCSF, with the names that readers show. */
struct ocsf_class {
    unsigned class_uid, activity;
    const char *activity_name; /* NULL: event.action, of which OCSF has no name */
    const char *json;          /* its first members, which are always the same */
};

#define STRING(name, value) KEY_TEXT(name) "\"" value "\""
#define NUMBER(name, value) KEY_TEXT(name) #value
#define CLASS(category, category_name, uid, name)                                                  \
    NUMBER("category_uid", category)                                                               \
    "," STRING("category_name", category_name) "," NUMBER("class_uid",                             \
                                                          uid) "," STRING("class_name", name)
static const char process_json[] = CLASS(1, "System Activity", 1007, "Process Activity");
static const char api_json[] = CLASS(6, "Application Activity", 6003, "API Activity");

/* The first members of metadata, the same in every record. */
#define PRODUCT                                                                                    \
    STRING("name", "miguard")                                                                      \
    "," STRING("vendor_name", "miguard") "," STRING("version", MIGUARD_VERSION)
static const char product[] = STRING("version", "1.8.0") "," KEY_TEXT("product") "{" PRODUCT "}";

static const struct ocsf_class set_user = {1007, 5, "Set User ID", process_json};
static const struct ocsf_class other_process = {1007, 99, NULL, process_json};

/* A record, and what several of its objects ask for. */
struct view {
    const struct record *record;
    bool printable; /* its line: a value of it is shown as it is */
    bool denied;    /* status_id 2, and the action that OCSF calls Denied */
    /* OCSF has no word for it: action_id 3 (Observed) and disposition_id 17 (Logged) come
     * nearest. */
    bool would_deny;
    bool decision; /* export_is_decision() */
    bool known;    /* by this version: action */
    enum audit_action action;
};

/* What a call of MI does to its object. Own actions of daemons are not guessed from their names;
 * what is done with an operation that was started belongs to that call, which may have been any. */
static struct ocsf_class call_of(const struct record *record)
{
    static const char *const names[] = {NULL, "Create", "Read", "Update", "Delete"};
    enum operation operation = OPERATION_COUNT;
    struct ocsf_class call = {6003, 99, NULL, api_json};
    char name[64];

    record_text(record, RECORD_OPERATION, name, sizeof(name));
    (void)operation_from_name(name, &operation);
    switch (operation) {
    case OPERATION_CREATE_INSTANCE:
        call.activity = 1;
        break;
    case OPERATION_GET_INSTANCE:
    case OPERATION_ENUMERATE_INSTANCES:
    case OPERATION_QUERY_INSTANCES:
    case OPERATION_ASSOCIATOR_INSTANCES:
    case OPERATION_REFERENCE_INSTANCES:
    case OPERATION_GET_CLASS:
    case OPERATION_ENUMERATE_CLASSES:
        call.activity = 2;
        break;
    case OPERATION_MODIFY_INSTANCE:
        call.activity = 3;
        break;
    case OPERATION_DELETE_INSTANCE:
        call.activity = 4;
        break;
    default:
        return call;
    }
    call.activity_name = names[call.activity];
    return call;
}

/* A change of identity, or a library that is loaded, is a Process Activity, whatever its outcome;
 * everything else is a call. */
static struct ocsf_class class_of(const struct view *view)
{
    if (view->known) {
        switch (view->action) {
        case AUDIT_ACTION_SWITCH:
        case AUDIT_ACTION_RESTORE:
        case AUDIT_ACTION_DROP:
            return set_user;
        case AUDIT_ACTION_GATE:
        case AUDIT_ACTION_MODULE_LOAD:
            return other_process;
        default:
            break;
        }
    }
    return call_of(view->record);
}

static void begin_member(struct text *text, struct key key)
{
    text_json_key(text, key.text, key.length);
}

/* Most are small. */
static void put_unsigned(struct text *text, struct key key, uint64_t value)
{
    if (value < 10) {
        text_json_member(text, key.text, key.length, &(char){(char)('0' + value)}, 1);
        return;
    }
    begin_member(text, key);
    text_append_unsigned(text, value);
    text->comma = true;
}

static void put_string(struct text *text, struct key key, const char *value)
{
    begin_member(text, key);
    text_json_string(text, NULL, value);
}

/* What is the same in many records. */
static void put_json(struct text *text, struct key key, const char *json)
{
    text_json_member(text, key.text, key.length, json, strlen(json));
}

static void open_member(struct text *text, struct key key, char bracket)
{
    text_json_member(text, key.text, key.length, &bracket, 1);
    text->comma = false;
}

/* The value as it stands in the record, which has it. Some are not in its line: they were made. */
static void put_value(struct text *text, struct key key, const struct view *view,
                      const struct slice *value)
{
    const struct record *record = view->record;

    if (view->printable && value->at >= record->line &&
        value->at + value->length <= record->line + record->length) {
        text_json_member(text, key.text, key.length, value->at, value->length);
        return;
    }
    begin_member(text, key);
    text_json_shown(text, value->at, value->length);
    text->comma = true;
}

/* A number that others may hold in a double (RFC 8259, 6) or in 32 bits: any other is left out. */
static void number(struct text *text, struct key key, const struct view *view,
                   enum record_field field)
{
    const struct slice *slice = &view->record->field[field];
    uint64_t value;

    if (!record_number(view->record, field, &value)) {
        return;
    }
    /* It has digits alone, in quotes or without: without a zero in front it is written so. */
    const size_t quote = slice->at[0] == '"';
    if (slice->at[quote] != '0') {
        text_json_member(text, key.text, key.length, slice->at + quote, slice->length - 2 * quote);
    } else {
        put_unsigned(text, key, value);
    }
}

/* Only a JSON string: another type in that place would break the schema. It keeps the escapes of
 * the record. */
static void string(struct text *text, struct key key, const struct view *view,
                   enum record_field field)
{
    if (export_has(view->record, field) && view->record->field[field].at[0] == '"') {
        put_value(text, key, view, &view->record->field[field]);
    }
}

/* timestamp_t of OCSF. */
static void milliseconds(struct text *text, struct key key, const struct view *view,
                         enum record_field field)
{
    int64_t time;

    if (record_time(view->record, field, &time)) {
        put_unsigned(text, key, (uint64_t)(time / 1000000));
    }
}

/* 1 Informational to 4 High. A forged handle is an attack or a memory error; lost records and a
 * missing policy leave a host unguarded or unrecorded. */
static unsigned severity_id(const struct view *view)
{
    static const char *const grave[] = {"handle-forged", "audit-failed", "no-policy"};

    if (export_has(view->record, RECORD_LOST_COUNT)) {
        return 4;
    }
    for (size_t i = 0; view->denied && i < sizeof(grave) / sizeof(grave[0]); i++) {
        if (record_is(view->record, RECORD_REASON, grave[i])) {
            return 4;
        }
    }
    return view->denied ? 3 : view->would_deny ? 2 : 1;
}

/* type_uid is defined as class_uid * 100 + activity_id. */
static void write_class(struct text *text, const struct view *view, struct ocsf_class kind)
{
    text_append(text, kind.json);
    text->comma = true;
    put_unsigned(text, KEY("activity_id"), kind.activity);
    if (kind.activity_name != NULL) {
        put_string(text, KEY("activity_name"), kind.activity_name);
    } else {
        string(text, KEY("activity_name"), view, RECORD_ACTION);
    }
    put_unsigned(text, KEY("type_uid"), kind.class_uid * 100 + kind.activity);
    put_unsigned(text, KEY("severity_id"), severity_id(view));
}

/* start_time and end_time belong to a grouped record, and are absent in others. */
static void write_time(struct text *text, const struct view *view)
{
    int64_t time;

    /* time is required; a record without one says 0, which no reader takes for a real time. */
    put_unsigned(text, KEY("time"),
                 record_time(view->record, RECORD_TIMESTAMP, &time) ? (uint64_t)(time / 1000000)
                                                                    : 0);
    milliseconds(text, KEY("start_time"), view, RECORD_START);
    milliseconds(text, KEY("end_time"), view, RECORD_END);
    put_unsigned(text, KEY("count"), export_repeats(view->record));
}

/* action_id and disposition_id belong to the profile security_control, which only a decision
 * has. */
static void write_status(struct text *text, const struct view *view)
{
    enum audit_reason reason;

    string(text, KEY("message"), view, RECORD_MESSAGE);
    put_unsigned(text, KEY("status_id"), view->denied ? 2 : 1);
    string(text, KEY("status_code"), view, RECORD_REASON);
    if (export_reason(view->record, &reason)) {
        put_string(text, KEY("status_detail"), audit_reasons[reason].text);
    }
    if (view->decision) {
        bool would = view->would_deny;
        put_unsigned(text, KEY("action_id"), view->denied ? 2 : would ? 3 : 1);
        put_unsigned(text, KEY("disposition_id"), view->denied ? 2 : would ? 17 : 1);
    }
}

/* The profiles name where attributes such as action_id, auid and device come from. */
static void write_metadata(struct text *text, const struct view *view)
{
    open_member(text, KEY("metadata"), '{');
    text_append(text, product);
    text->comma = true;
    /* A policy is of security_control, too. */
    put_json(text, KEY("profiles"),
             view->decision || export_has(view->record, RECORD_RULE)
                 ? "[\"security_control\",\"linux/linux_users\",\"host\"]"
                 : "[\"linux/linux_users\",\"host\"]");
    string(text, KEY("uid"), view, RECORD_EVENT_ID);
    number(text, KEY("sequence"), view, RECORD_SEQUENCE);
    string(text, KEY("event_code"), view, RECORD_CODE);
    string(text, KEY("correlation_uid"), view, RECORD_SESSION);
    text_json_close(text, '}');
}

/* Left out when the record has neither: an empty object is not a user. */
static void write_user(struct text *text, const struct view *view, enum record_field id,
                       enum record_field name)
{
    if (export_has(view->record, id) || export_has(view->record, name)) {
        open_member(text, KEY("user"), '{');
        string(text, KEY("uid"), view, id);
        string(text, KEY("name"), view, name);
        text_json_close(text, '}');
    }
}

/* The process of the host, with the identity at use. ptid is OCSF's name for a thread id. */
static void write_process(struct text *text, const struct view *view)
{
    open_member(text, KEY("process"), '{');
    number(text, KEY("pid"), view, RECORD_PID);
    string(text, KEY("uid"), view, RECORD_ENTITY);
    string(text, KEY("name"), view, RECORD_PROCESS_NAME);
    if (export_has(view->record, RECORD_EXECUTABLE) &&
        export_has(view->record, RECORD_PROCESS_NAME)) {
        open_member(text, KEY("file"), '{');
        string(text, KEY("name"), view, RECORD_PROCESS_NAME);
        string(text, KEY("path"), view, RECORD_EXECUTABLE);
        put_unsigned(text, KEY("type_id"), 1); /* a regular file */
        text_json_close(text, '}');
    }
    number(text, KEY("ptid"), view, RECORD_TID);
    write_user(text, view, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    number(text, KEY("euid"), view, RECORD_CURRENT_USER_ID);
    number(text, KEY("egid"), view, RECORD_CURRENT_GROUP_ID);
    number(text, KEY("auid"), view, RECORD_LOGINUID);
    text_json_close(text, '}');
}

/* The user of the actor is who opened the session; its process carries who used it. */
static void write_actor(struct text *text, const struct view *view)
{
    open_member(text, KEY("actor"), '{');
    write_user(text, view, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    if (export_has(view->record, RECORD_SESSION)) {
        open_member(text, KEY("session"), '{');
        string(text, KEY("uid"), view, RECORD_SESSION);
        text_json_close(text, '}');
    }
    write_process(text, view);
    text_json_close(text, '}');
}

/* One resource: a class, or what an own action was asked for. */
static void write_resources(struct text *text, const struct view *view)
{
    bool class_named =
        export_has(view->record, RECORD_CLASS) || export_has(view->record, RECORD_NAMESPACE);

    if (!class_named && !export_has(view->record, RECORD_RESOURCE) &&
        !export_has(view->record, RECORD_OBJECT_NAME)) {
        return;
    }
    open_member(text, KEY("resources"), '[');
    text_json_open(text, NULL, '{');
    string(text, KEY("name"), view, class_named ? RECORD_CLASS : RECORD_RESOURCE);
    string(text, KEY("uid"), view, RECORD_OBJECT_NAME);
    put_json(text, KEY("type"), class_named ? "\"CIM class\"" : "\"resource\"");
    string(text, KEY("namespace"), view, RECORD_NAMESPACE);
    text_json_close(text, '}');
    text_json_close(text, ']');
}

/* operation and service.name are required: where the record has no call, its action and "miguard"
 * stand for them. */
static void write_api(struct text *text, const struct view *view)
{
    open_member(text, KEY("api"), '{');
    if (export_has(view->record, RECORD_OPERATION)) {
        string(text, KEY("operation"), view, RECORD_OPERATION);
    } else if (export_has(view->record, RECORD_ACTION)) {
        string(text, KEY("operation"), view, RECORD_ACTION);
    } else {
        put_json(text, KEY("operation"), "\"unknown\"");
    }
    open_member(text, KEY("service"), '{');
    if (export_has(view->record, RECORD_PROVIDER)) {
        string(text, KEY("name"), view, RECORD_PROVIDER);
    } else {
        put_json(text, KEY("name"), "\"miguard\"");
    }
    text_json_close(text, '}');
    text_json_close(text, '}');
    write_resources(text, view);
}

/* src_endpoint and device are the same host: it makes the call and decides about it. */
static void write_host(struct text *text, struct key key, const struct view *view, bool device)
{
    open_member(text, key, '{');
    if (export_has(view->record, RECORD_HOST)) {
        string(text, KEY("hostname"), view, RECORD_HOST);
    } else {
        put_json(text, KEY("hostname"), "\"unknown\""); /* the object needs one of its names */
    }
    if (device) {
        /* 0: what kind of device it is is not known. */
        put_unsigned(text, KEY("type_id"), 0);
    }
    text_json_close(text, '}');
}

/* The rule that decided, when one did. */
static void write_policy(struct text *text, const struct view *view)
{
    if (export_has(view->record, RECORD_RULE)) {
        open_member(text, KEY("policy"), '{');
        string(text, KEY("name"), view, RECORD_RULE);
        string(text, KEY("uid"), view, RECORD_RULE_SOURCE);
        string(text, KEY("desc"), view, RECORD_RULE_REASON);
        text_json_close(text, '}');
    }
}

/* What is not in the table, as it stands: the keys of a flat object are ECS paths. */
static const enum record_field unmapped[] = {
    RECORD_ACTION,
    RECORD_BOOT,
    RECORD_THREAD_NAME,
    /* The identities beyond what a user object has. */
    RECORD_CURRENT_REAL_USER_ID,
    RECORD_CURRENT_REAL_USER_NAME,
    RECORD_CURRENT_SAVED_USER_ID,
    RECORD_CURRENT_SAVED_USER_NAME,
    RECORD_CURRENT_GROUP_NAME,
    RECORD_CURRENT_REAL_GROUP_ID,
    RECORD_CURRENT_SAVED_GROUP_ID,
    RECORD_BOUND_GROUP_ID,
    RECORD_BOUND_GROUP_NAME,
    /* The call. */
    RECORD_METHOD,
    RECORD_KEYS,
    RECORD_KEYS_OMITTED,
    RECORD_WOULD_DENY,
    /* The session and what differed in it. */
    RECORD_CONTEXT,
    RECORD_OPERATION_ID,
    RECORD_MISMATCH,
    RECORD_UNREADABLE,
    RECORD_CRED_BOUND,
    RECORD_CRED_CURRENT,
    /* Where the call came from. */
    RECORD_SITE_MODULE,
    RECORD_SITE_OFFSET,
    RECORD_SITE_SYMBOL,
    RECORD_SITE_BUILD,
    /* The policy. */
    RECORD_POLICY_DETAIL,
    RECORD_POLICY_HASH,
    RECORD_POLICY_PATH,
    /* What is missing, and the log itself. */
    RECORD_LOST_COUNT,
    RECORD_LOST_SINK,
    RECORD_LOST_CAUSE,
    RECORD_LOST_FIRST,
    RECORD_LOST_LAST,
    RECORD_LOST_FIRST_SEQUENCE,
    RECORD_LOST_LAST_SEQUENCE,
    RECORD_LOST_TOTAL,
    RECORD_PREVIOUS_FILE,
    RECORD_REMOVED_FILES,
    RECORD_REMOVED_THROUGH,
    RECORD_ROTATED_BEYOND,
    RECORD_STRAY_FILES,
    RECORD_STRAY,
    RECORD_SPACE_STEP,
    RECORD_SPACE_AVAILABLE,
    RECORD_SPACE_USED,
    /* Where the record stands in the chain of its log. */
    RECORD_CHAIN,
    RECORD_CHAIN_EPOCH,
    RECORD_CHAIN_PREVIOUS,
    RECORD_HASH,
    RECORD_ORDER_SINCE,
    RECORD_ORDER_LATE,
};

/* Names are the ECS paths, with dots in them, so that the fields are found under the name that the
 * manual page has. */
static const struct key paths[RECORD_FIELD_COUNT] = {
#define FIELD_PATH(NAME, path, name, TYPE)                                                         \
    [RECORD_##NAME] = {KEY_TEXT(path), sizeof(KEY_TEXT(path)) - 1},
#define OBJECT_PATH(NAME, path, name)                                                              \
    [RECORD_##NAME##_OBJECT] = {KEY_TEXT(path), sizeof(KEY_TEXT(path)) - 1},
#define END_PATH(NAME)
    RECORD_FIELD_MAP(FIELD_PATH, OBJECT_PATH, END_PATH)
#undef FIELD_PATH
#undef OBJECT_PATH
#undef END_PATH
};

static void write_fields(struct text *text, const struct view *view,
                         const enum record_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (view->record->field[fields[i]].at != NULL) {
            put_value(text, paths[fields[i]], view, &view->record->field[fields[i]]);
        }
    }
}

/* Process Activity has no place for the call that it belongs to. */
static void write_unmapped(struct text *text, const struct view *view, bool call)
{
    static const enum record_field of_call[] = {
        RECORD_OPERATION, RECORD_PROVIDER, RECORD_NAMESPACE,
        RECORD_CLASS,     RECORD_RESOURCE, RECORD_OBJECT_NAME,
    };

    open_member(text, KEY("unmapped"), '{');
    write_fields(text, view, unmapped, sizeof(unmapped) / sizeof(unmapped[0]));
    if (!call) {
        write_fields(text, view, of_call, sizeof(of_call) / sizeof(of_call[0]));
    }
    text_json_close(text, '}');
}

static struct view view_of(const struct record *record)
{
    struct view view = {
        .record = record,
        .printable = text_is_printable(record->line, record->length),
        .denied = record_is(record, RECORD_DECISION, "deny"),
        .would_deny = record_is(record, RECORD_WOULD_DENY, "true"),
    };

    view.known = export_action(record, &view.action);
    view.decision = view.known ? export_action_decides(view.action) : export_is_decision(record);
    return view;
}

/* No newline: export_record() adds it. */
void export_ocsf(struct text *text, const struct record *record)
{
    const struct view own = view_of(record), *view = &own;
    const struct ocsf_class kind = class_of(view);
    bool call = kind.class_uid == 6003;

    text_json_open(text, NULL, '{');
    write_class(text, view, kind);
    write_time(text, view);
    write_status(text, view);
    write_metadata(text, view);
    write_actor(text, view);
    if (call) {
        write_api(text, view);
        write_host(text, KEY("src_endpoint"), view, false);
    } else {
        write_process(text, view);
    }
    write_policy(text, view);
    write_host(text, KEY("device"), view, true);
    write_unmapped(text, view, call);
    text_json_close(text, '}');
}
