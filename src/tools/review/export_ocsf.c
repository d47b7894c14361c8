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
static struct ocsf_class class_of(const struct record *record)
{
    enum audit_action action;

    if (export_action(record, &action)) {
        switch (action) {
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
    return call_of(record);
}

/* status_id 2, and the action that OCSF calls Denied. */
static bool denied(const struct record *record)
{
    return record_is(record, RECORD_DECISION, "deny");
}

/* OCSF has no word for it: action_id 3 (Observed) and disposition_id 17 (Logged) come nearest. */
static bool would_deny(const struct record *record)
{
    return record_is(record, RECORD_WOULD_DENY, "true");
}

static void begin_member(struct text *text, struct key key)
{
    text_json_key(text, key.text, key.length);
}

static void put_unsigned(struct text *text, struct key key, uint64_t value)
{
    begin_member(text, key);
    text_append_unsigned(text, value);
    text->comma = true;
}

static void put_string(struct text *text, struct key key, const char *value)
{
    begin_member(text, key);
    text_json_string(text, NULL, value);
}

static void open_member(struct text *text, struct key key, char bracket)
{
    begin_member(text, key);
    text_json_open(text, NULL, bracket);
}

/* The value as it stands in the record, which has it. */
static void put_value(struct text *text, struct key key, const struct slice *value)
{
    begin_member(text, key);
    text_json_shown(text, value->at, value->length);
    text->comma = true;
}

/* A number that others may hold in a double (RFC 8259, 6) or in 32 bits: any other is left out. */
static void number(struct text *text, struct key key, const struct record *record,
                   enum record_field field)
{
    uint64_t value;

    if (record_number(record, field, &value)) {
        put_unsigned(text, key, value);
    }
}

/* Only a JSON string: another type in that place would break the schema. It keeps the escapes of
 * the record. */
static void string(struct text *text, struct key key, const struct record *record,
                   enum record_field field)
{
    if (export_has(record, field) && record->field[field].at[0] == '"') {
        put_value(text, key, &record->field[field]);
    }
}

/* timestamp_t of OCSF. */
static void milliseconds(struct text *text, struct key key, const struct record *record,
                         enum record_field field)
{
    int64_t time;

    if (record_time(record, field, &time)) {
        put_unsigned(text, key, (uint64_t)(time / 1000000));
    }
}

/* 1 Informational to 4 High. A forged handle is an attack or a memory error; lost records and a
 * missing policy leave a host unguarded or unrecorded. */
static unsigned severity_id(const struct record *record)
{
    static const char *const grave[] = {"handle-forged", "audit-failed", "no-policy"};

    if (export_has(record, RECORD_LOST_COUNT)) {
        return 4;
    }
    for (size_t i = 0; denied(record) && i < sizeof(grave) / sizeof(grave[0]); i++) {
        if (record_is(record, RECORD_REASON, grave[i])) {
            return 4;
        }
    }
    return denied(record) ? 3 : would_deny(record) ? 2 : 1;
}

/* type_uid is defined as class_uid * 100 + activity_id. */
static void write_class(struct text *text, const struct record *record, struct ocsf_class kind)
{
    text_append(text, kind.json);
    text->comma = true;
    put_unsigned(text, KEY("activity_id"), kind.activity);
    if (kind.activity_name != NULL) {
        put_string(text, KEY("activity_name"), kind.activity_name);
    } else {
        string(text, KEY("activity_name"), record, RECORD_ACTION);
    }
    put_unsigned(text, KEY("type_uid"), kind.class_uid * 100 + kind.activity);
    put_unsigned(text, KEY("severity_id"), severity_id(record));
}

/* start_time and end_time belong to a grouped record, and are absent in others. */
static void write_time(struct text *text, const struct record *record)
{
    int64_t time;

    /* time is required; a record without one says 0, which no reader takes for a real time. */
    put_unsigned(text, KEY("time"),
                 record_time(record, RECORD_TIMESTAMP, &time) ? (uint64_t)(time / 1000000) : 0);
    milliseconds(text, KEY("start_time"), record, RECORD_START);
    milliseconds(text, KEY("end_time"), record, RECORD_END);
    put_unsigned(text, KEY("count"), export_repeats(record));
}

/* action_id and disposition_id belong to the profile security_control, which only a decision
 * has. */
static void write_status(struct text *text, const struct record *record)
{
    enum audit_reason reason;

    string(text, KEY("message"), record, RECORD_MESSAGE);
    put_unsigned(text, KEY("status_id"), denied(record) ? 2 : 1);
    string(text, KEY("status_code"), record, RECORD_REASON);
    if (export_reason(record, &reason)) {
        put_string(text, KEY("status_detail"), audit_reasons[reason].text);
    }
    if (export_is_decision(record)) {
        bool would = would_deny(record);
        put_unsigned(text, KEY("action_id"), denied(record) ? 2 : would ? 3 : 1);
        put_unsigned(text, KEY("disposition_id"), denied(record) ? 2 : would ? 17 : 1);
    }
}

/* The profiles name where attributes such as action_id, auid and device come from. */
static void write_metadata(struct text *text, const struct record *record)
{
    open_member(text, KEY("metadata"), '{');
    text_append(text, product);
    text->comma = true;
    open_member(text, KEY("profiles"), '[');
    if (export_is_decision(record) || export_has(record, RECORD_RULE)) { /* which policy is of */
        text_json_string(text, NULL, "security_control");
    }
    text_json_string(text, NULL, "linux/linux_users");
    text_json_string(text, NULL, "host");
    text_json_close(text, ']');
    string(text, KEY("uid"), record, RECORD_EVENT_ID);
    number(text, KEY("sequence"), record, RECORD_SEQUENCE);
    string(text, KEY("event_code"), record, RECORD_CODE);
    string(text, KEY("correlation_uid"), record, RECORD_SESSION);
    text_json_close(text, '}');
}

/* Left out when the record has neither: an empty object is not a user. */
static void write_user(struct text *text, const struct record *record, enum record_field id,
                       enum record_field name)
{
    if (export_has(record, id) || export_has(record, name)) {
        open_member(text, KEY("user"), '{');
        string(text, KEY("uid"), record, id);
        string(text, KEY("name"), record, name);
        text_json_close(text, '}');
    }
}

/* The process of the host, with the identity at use. ptid is OCSF's name for a thread id. */
static void write_process(struct text *text, const struct record *record)
{
    open_member(text, KEY("process"), '{');
    number(text, KEY("pid"), record, RECORD_PID);
    string(text, KEY("uid"), record, RECORD_ENTITY);
    string(text, KEY("name"), record, RECORD_PROCESS_NAME);
    if (export_has(record, RECORD_EXECUTABLE) && export_has(record, RECORD_PROCESS_NAME)) {
        open_member(text, KEY("file"), '{');
        string(text, KEY("name"), record, RECORD_PROCESS_NAME);
        string(text, KEY("path"), record, RECORD_EXECUTABLE);
        put_unsigned(text, KEY("type_id"), 1); /* a regular file */
        text_json_close(text, '}');
    }
    number(text, KEY("ptid"), record, RECORD_TID);
    write_user(text, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    number(text, KEY("euid"), record, RECORD_CURRENT_USER_ID);
    number(text, KEY("egid"), record, RECORD_CURRENT_GROUP_ID);
    number(text, KEY("auid"), record, RECORD_LOGINUID);
    text_json_close(text, '}');
}

/* The user of the actor is who opened the session; its process carries who used it. */
static void write_actor(struct text *text, const struct record *record)
{
    open_member(text, KEY("actor"), '{');
    write_user(text, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    if (export_has(record, RECORD_SESSION)) {
        open_member(text, KEY("session"), '{');
        string(text, KEY("uid"), record, RECORD_SESSION);
        text_json_close(text, '}');
    }
    write_process(text, record);
    text_json_close(text, '}');
}

/* One resource: a class, or what an own action was asked for. */
static void write_resources(struct text *text, const struct record *record)
{
    bool class_named = export_has(record, RECORD_CLASS) || export_has(record, RECORD_NAMESPACE);

    if (!class_named && !export_has(record, RECORD_RESOURCE) &&
        !export_has(record, RECORD_OBJECT_NAME)) {
        return;
    }
    open_member(text, KEY("resources"), '[');
    text_json_open(text, NULL, '{');
    string(text, KEY("name"), record, class_named ? RECORD_CLASS : RECORD_RESOURCE);
    string(text, KEY("uid"), record, RECORD_OBJECT_NAME);
    put_string(text, KEY("type"), class_named ? "CIM class" : "resource");
    string(text, KEY("namespace"), record, RECORD_NAMESPACE);
    text_json_close(text, '}');
    text_json_close(text, ']');
}

/* operation and service.name are required: where the record has no call, its action and "miguard"
 * stand for them. */
static void write_api(struct text *text, const struct record *record)
{
    open_member(text, KEY("api"), '{');
    if (export_has(record, RECORD_OPERATION)) {
        string(text, KEY("operation"), record, RECORD_OPERATION);
    } else if (export_has(record, RECORD_ACTION)) {
        string(text, KEY("operation"), record, RECORD_ACTION);
    } else {
        put_string(text, KEY("operation"), "unknown");
    }
    open_member(text, KEY("service"), '{');
    if (export_has(record, RECORD_PROVIDER)) {
        string(text, KEY("name"), record, RECORD_PROVIDER);
    } else {
        put_string(text, KEY("name"), "miguard");
    }
    text_json_close(text, '}');
    text_json_close(text, '}');
    write_resources(text, record);
}

/* src_endpoint and device are the same host: it makes the call and decides about it. */
static void write_host(struct text *text, struct key key, const struct record *record, bool device)
{
    open_member(text, key, '{');
    if (export_has(record, RECORD_HOST)) {
        string(text, KEY("hostname"), record, RECORD_HOST);
    } else {
        put_string(text, KEY("hostname"), "unknown"); /* the object needs one of its names */
    }
    if (device) {
        /* 0: what kind of device it is is not known. */
        put_unsigned(text, KEY("type_id"), 0);
    }
    text_json_close(text, '}');
}

/* The rule that decided, when one did. */
static void write_policy(struct text *text, const struct record *record)
{
    if (export_has(record, RECORD_RULE)) {
        open_member(text, KEY("policy"), '{');
        string(text, KEY("name"), record, RECORD_RULE);
        string(text, KEY("uid"), record, RECORD_RULE_SOURCE);
        string(text, KEY("desc"), record, RECORD_RULE_REASON);
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

static void write_fields(struct text *text, const struct record *record,
                         const enum record_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (record->field[fields[i]].at != NULL) {
            put_value(text, paths[fields[i]], &record->field[fields[i]]);
        }
    }
}

/* Process Activity has no place for the call that it belongs to. */
static void write_unmapped(struct text *text, const struct record *record, bool call)
{
    static const enum record_field of_call[] = {
        RECORD_OPERATION, RECORD_PROVIDER, RECORD_NAMESPACE,
        RECORD_CLASS,     RECORD_RESOURCE, RECORD_OBJECT_NAME,
    };

    open_member(text, KEY("unmapped"), '{');
    write_fields(text, record, unmapped, sizeof(unmapped) / sizeof(unmapped[0]));
    if (!call) {
        write_fields(text, record, of_call, sizeof(of_call) / sizeof(of_call[0]));
    }
    text_json_close(text, '}');
}

/* No newline: export_record() adds it. */
void export_ocsf(struct text *text, const struct record *record)
{
    const struct ocsf_class kind = class_of(record);
    bool call = kind.class_uid == 6003;

    text_json_open(text, NULL, '{');
    write_class(text, record, kind);
    write_time(text, record);
    write_status(text, record);
    write_metadata(text, record);
    write_actor(text, record);
    if (call) {
        write_api(text, record);
        write_host(text, KEY("src_endpoint"), record, false);
    } else {
        write_process(text, record);
    }
    write_policy(text, record);
    write_host(text, KEY("device"), record, true);
    write_unmapped(text, record, call);
    text_json_close(text, '}');
}
