/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/sink/sink_fields.h"
#include "policy/draft.h"
#include "support/review_line.h"
#include "tools/review/export.h"

/* ---- the escaper -----------------------------------------------------------------------------*/

static bool has_control(const struct text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        unsigned char byte = (unsigned char)text->data[i];
        if (byte < 0x20 || byte == 0x7F ||
            (byte == 0xC2 && i + 1 < text->length && (unsigned char)text->data[i + 1] < 0xA0)) {
            return true;
        }
    }
    return false;
}

/* Each of the characters stands behind an odd number of backslashes. */
static bool all_escaped(const struct text *text, const char *characters)
{
    bool escape = false;

    for (size_t i = 0; i < text->length; i++) {
        if (!escape && strchr(characters, text->data[i]) != NULL && text->data[i] != '\\') {
            return false;
        }
        escape = !escape && text->data[i] == '\\';
    }
    return !escape;
}

/* Each entity ends. */
static bool entities_end(const char *text)
{
    for (const char *at = text; (at = strchr(at, '&')) != NULL; at++) {
        if (strchr(at, ';') == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_escaped(enum export_style style, const struct text *text)
{
    if (text->failed || has_control(text)) {
        return false;
    }
    switch (style) {
    case EXPORT_HTML:
        return strpbrk(text->data, "<>\"'") == NULL && entities_end(text->data);
    case EXPORT_YAML:
    case EXPORT_GLOB:
        return all_escaped(text, "\"");
    case EXPORT_CEF_HEADER:
        return all_escaped(text, "|");
    case EXPORT_CEF:
        return all_escaped(text, "=");
    case EXPORT_SYSLOG:
        return all_escaped(text, "\"]");
    default:
        return true;
    }
}

START_TEST(test_escaper_on_all_pairs_of_bytes)
{
    struct text text = TEXT_EMPTY;

    for (enum export_style style = EXPORT_TERMINAL; style <= EXPORT_SYSLOG; style++) {
        for (unsigned pair = 0; pair < 65536 + 256; pair++) {
            char bytes[2] = {(char)(pair & 0xFF), (char)(pair >> 8 & 0xFF)};
            text.length = 0;
            export_text(&text, style, bytes, pair < 65536 ? 2 : 1);
            if (!is_escaped(style, &text)) { /* ck_assert() half a million times would take long */
                ck_abort_msg("style %d, bytes %04x", (int)style, pair);
            }
        }
    }
    text_release(&text);
}
END_TEST

static const struct {
    enum export_style style;
    const char *from, *to;
} escapes[] = {
    {EXPORT_HTML, "<a href=\"x\" id='y'>&", "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;"},
    {EXPORT_HTML, "a\xE2\x80\xAEz", "a\\x202Ez"},
    {EXPORT_HTML, "\xC3\xA9\xF0\x9F\x98\x80", "\xC3\xA9\xF0\x9F\x98\x80"},
    {EXPORT_TERMINAL, "a\x1B[2Jb\n", "a\\x001B[2Jb\\x000A"},
    {EXPORT_TERMINAL, "\xFF\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {EXPORT_TERMINAL, "a\xE2\x80\x8B\xEF\xBB\xBF", "a\\x200B\\xFEFF"},
    {EXPORT_CEF_HEADER, "a|b\\c=d\n", "a\\|b\\\\c=d\\\\x000A"},
    {EXPORT_CEF, "a|b\\c=d\r\n\x1B", "a|b\\\\c\\=d\\r\\n\\\\x001B"},
    {EXPORT_SYSLOG, "a\"b\\c]d=\n", "a\\\"b\\\\c\\]d=\\\\x000A"},
    {EXPORT_YAML, "a\"b\\c*\n", "a\\\"b\\\\c*\\U0000000A"},
    {EXPORT_GLOB, "a*b?c\\d\"", "a\\\\*b\\\\?c\\\\\\\\d\\\""},
    {EXPORT_PLAIN, "<\n>", "<\n>"},
};

START_TEST(test_escapes)
{
    struct text text = TEXT_EMPTY;

    export_string(&text, escapes[_i].style, escapes[_i].from);
    ck_assert_str_eq(text.data, escapes[_i].to);
    text_release(&text);
}
END_TEST

/* ---- JSON that is known to be sound ----------------------------------------------------------*/

START_TEST(test_members)
{
    static const char json[] = " { \"a\" : [1, \"],}\\\"\" ,{\"x\":{}}] ,\"b\":null,\"c\":{ } }";
    struct slice object = {json + 1, sizeof(json) - 2}, name, value;
    const char *const names[] = {"\"a\"", "\"b\"", "\"c\""};
    const char *const values[] = {"[1, \"],}\\\"\" ,{\"x\":{}}]", "null", "{ }"};
    size_t at = 0, count = 0;

    while (export_member(&object, &at, &name, &value)) {
        ck_assert(count < 3);
        ck_assert(name.length == strlen(names[count]) &&
                  memcmp(name.at, names[count], name.length) == 0);
        ck_assert(value.length == strlen(values[count]) &&
                  memcmp(value.at, values[count], value.length) == 0);
        count++;
    }
    ck_assert_uint_eq(count, 3);
    value = export_find(&object, "a");
    for (at = 0, count = 0; export_element(&value, &at, &name);) {
        count++;
    }
    ck_assert_uint_eq(count, 3);
    ck_assert_ptr_null(export_find(&object, "x").at);
}
END_TEST

/* ---- each format for each action -------------------------------------------------------------*/

static const char *const actions[] = {
#define ACTION_NAME(NAME, name, allowed, refused, text) name,
    AUDIT_ACTION_MAP(ACTION_NAME)
#undef ACTION_NAME
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static const char *exported(enum export_format format, const struct review_line *facts)
{
    static char buffer[1 << 18];
    struct record record = review_record(facts);
    struct text text = TEXT_EMPTY;

    const struct export_form form = {format, 4711};
    export_record(&text, &form, NULL, &record);
    ck_assert(!text.failed && text.length < sizeof(buffer) && text.length > 0);
    ck_assert_ptr_eq(memchr(text.data, '\n', text.length), text.data + text.length - 1);
    memcpy(buffer, text.data, text.length);
    buffer[text.length - 1] = '\0';
    text_release(&text);
    return buffer;
}

static const json_t *at_path(const json_t *json, const char *path)
{
    while (json != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        char key[64];
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        char *list = strstr(key, "[]");
        if (list != NULL) {
            *list = '\0';
        }
        json = json_object_get(json, key);
        json = list != NULL ? json_array_get(json, 0) : json;
        path += length + (path[length] == '.');
    }
    return json;
}

static json_int_t number_at(const json_t *json, const char *path)
{
    const json_t *value = at_path(json, path);

    ck_assert_msg(json_is_integer(value), "%s is no integer", path);
    return json_integer_value(value);
}

static const char *string_at(const json_t *json, const char *path)
{
    const json_t *value = at_path(json, path);

    ck_assert_msg(json_is_string(value) && json_string_value(value)[0] != '\0', "%s is no text",
                  path);
    return json_string_value(value);
}

static json_t *ocsf(const struct review_line *facts)
{
    json_error_t error;
    json_t *json = json_loads(exported(EXPORT_OCSF_FORMAT, facts), JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(json != NULL, "%s", error.text);
    return json;
}

/* What OCSF 1.8 requires of the two classes. */
static void check_required(const json_t *json)
{
    json_int_t class = number_at(json, "class_uid"), activity = number_at(json, "activity_id");

    ck_assert(class == 6003 || class == 1007);
    ck_assert_int_eq(number_at(json, "category_uid"), class / 1000);
    ck_assert_int_eq(number_at(json, "type_uid"), class * 100 + activity);
    json_int_t severity = number_at(json, "severity_id");
    ck_assert(severity >= 1 && severity <= 6);
    ck_assert(number_at(json, "time") > 0);
    string_at(json, "metadata.version");
    string_at(json, "metadata.product.name");
    string_at(json, "metadata.product.vendor_name");
    ck_assert(json_is_array(at_path(json, "metadata.profiles")));
    ck_assert(json_is_object(at_path(json, "actor.process")));
    string_at(json, "device.hostname");
    number_at(json, "device.type_id");
    ck_assert_int_eq(number_at(json, "actor.process.file.type_id"), 1);
    if (class == 1007) {
        ck_assert_int_eq(number_at(json, "process.pid"), 77);
    } else {
        string_at(json, "api.operation");
        string_at(json, "src_endpoint.hostname");
    }
}

/* OCSF asks for the schema's own name where the number is not 99. */
static const char *name_of_activity(const json_t *json, const char *action)
{
    static const char *const names[] = {"", "Create", "Read", "Update", "Delete", "Set User ID"};
    json_int_t activity = number_at(json, "activity_id");

    ck_assert(activity == 99 || (activity > 0 && activity < 6));
    return activity == 99 ? action : names[activity];
}

START_TEST(test_ocsf_of_each_action)
{
    static const char *const process[] = {"switch", "restore", "drop", "gate", "module-load"};
    struct review_line facts = {.action = actions[_i]};
    bool own = strncmp(actions[_i], "audit-", 6) == 0 || strncmp(actions[_i], "policy-", 7) == 0 ||
               strcmp(actions[_i], "records-lost") == 0;
    json_int_t class = 6003;

    for (size_t i = 0; i < sizeof(process) / sizeof(process[0]); i++) {
        class = strcmp(process[i], actions[_i]) == 0 ? 1007 : class;
    }
    for (int verdict = 0; verdict < 3; verdict++) {
        static const json_int_t expected[][4] = {{2, 2, 2, 3}, {1, 3, 17, 2}, {1, 1, 1, 1}};
        facts.would_deny = verdict == 1;
        facts.allowed = verdict == 2;
        json_t *json = ocsf(&facts);
        check_required(json);
        ck_assert_int_eq(number_at(json, "class_uid"), class);
        ck_assert_int_eq(number_at(json, "status_id"), expected[verdict][0]);
        ck_assert_int_eq(number_at(json, "severity_id"), expected[verdict][3]);
        if (own) {
            ck_assert_ptr_null(json_object_get(json, "action_id"));
        } else {
            ck_assert_int_eq(number_at(json, "action_id"), expected[verdict][1]);
            ck_assert_int_eq(number_at(json, "disposition_id"), expected[verdict][2]);
        }
        ck_assert_str_eq(string_at(json, "activity_name"), name_of_activity(json, actions[_i]));
        json_t *unmapped = json_object_get(json, "unmapped");
        ck_assert_str_eq(json_string_value(json_object_get(unmapped, "event.action")), actions[_i]);
        json_decref(json);
    }
}
END_TEST

/* Values are copied where they may be, and shown and rewritten where not. */
static const struct {
    const char *line, *has, *lacks;
} ocsf_values[] = {
    {"{\"miguard\":{\"class\":\"Cz\",\"method\":\"m\"}}", "\"name\":\"Cz\"", "\\u"},
    {"{\"miguard\":{\"class\":\"C\xE2\x80\xAEz\",\"method\":\"m\"}}", "\"name\":\"C\\u202ez\"",
     "\xE2"},
    {"{\"miguard\":{\"class\":\"C\x7Fz\",\"method\":\"m\"}}", "\"name\":\"C\\u007fz\"", "\x7F"},
    {"{\"miguard\":{\"class\":\"Cz\",\"method\":\"m\xE2\x80\x8B\"}}",
     "\"miguard.method\":\"m\\u200b\"", "\xE2"},
    {"{\"message\":\"\xC3\xA9\"}", "\"message\":\"\xC3\xA9\"", "\\u"},
    {"{\"process\":{\"user\":{\"id\":\"42\"}}}", "\"euid\":42", "\"euid\":\"42\""},
    {"{\"process\":{\"user\":{\"id\":\"0042\"}}}", "\"euid\":42", "\"euid\":0042"},
    {"{\"process\":{\"user\":{\"id\":\"0\"}}}", "\"euid\":0}", "\"euid\":\"0\""},
    {"{\"process\":{\"user\":{\"id\":\"x\"},\"pid\":-1}}", "\"process\":{", "euid"},
    {"{\"process\":{\"pid\":1e3,\"thread\":{\"id\":7}}}", "\"ptid\":7", "\"pid\""},
    {"{\"event\":{\"sequence\":9223372036854775807}}", "\"sequence\":9223372036854775807", "\"x\""},
    {"{\"event\":{\"sequence\":18446744073709551616}}", "\"metadata\"", "\"sequence\""},
};

START_TEST(test_ocsf_values)
{
    const char *line = ocsf_values[_i].line;
    const struct export_form form = {.format = EXPORT_OCSF_FORMAT};
    struct text text = TEXT_EMPTY;
    struct record record;
    size_t at = 0;

    ck_assert_ptr_null(record_parse(line, strlen(line), &record, &at));
    export_record(&text, &form, NULL, &record);
    ck_assert(!text.failed);
    json_t *json = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json != NULL, "%s", text.data);
    ck_assert_msg(strstr(text.data, ocsf_values[_i].has) != NULL, "%s", text.data);
    ck_assert_msg(strstr(text.data, ocsf_values[_i].lacks) == NULL, "%s", text.data);
    json_decref(json);
    text_release(&text);
}
END_TEST

/* That a line is printable says nothing of a value that does not stand in it. */
START_TEST(test_ocsf_value_from_elsewhere)
{
    static const char bytes[] = "\"h\x7F\""
                                "{\"host\":{\"name\":\"x\"}}"
                                "\"h\x7F\"";
    const struct export_form form = {.format = EXPORT_OCSF_FORMAT};
    const size_t length = sizeof(bytes) - 1 - 8;
    struct record record;
    size_t at = 0;

    ck_assert_ptr_null(record_parse(bytes + 4, length, &record, &at));
    for (int i = 0; i < 2; i++) {
        struct text text = TEXT_EMPTY;
        record.field[RECORD_HOST] = (struct slice){bytes + (i == 0 ? 0 : 4 + length), 4};
        export_record(&text, &form, NULL, &record);
        ck_assert_msg(strstr(text.data, "\"hostname\":\"h\\u007f\"") != NULL, "%s", text.data);
        text_release(&text);
    }
}
END_TEST

static const struct review_line full = {
    .user = 0,
    .as_user = 65534,
    .repeats = 7,
    .sequence = 42,
    .bound = "\"euid\":{\"id\":0}",
    .current = "\"euid\":{\"id\":65534}",
    .in_miguard = ",\"loginuid\":1000,\"context_id\":\"00000000000000cc\","
                  "\"chain\":{\"id\":\"00000000000000dd\",\"epoch\":3,\"prev\":\"ff\"}",
    .on_top = ",\"rule\":{\"name\":\"r1\",\"reference\":\"f:1:2\",\"description\":\"because\"}",
};

/* The table that the manual quotes is what is done. */
START_TEST(test_ocsf_table)
{
    struct review_line facts = full;
    struct record record = review_record(&facts);
    json_t *json = ocsf(&facts);
    const struct export_mapping *row = export_ocsf_mapping;

    for (; row->attribute != NULL; row++) {
        char text[256], found[256];
        const json_t *value = at_path(json, row->attribute);
        bool optional = strstr(row->attribute, "_time") != NULL ||
                        strcmp(row->attribute, "process") == 0 ||
                        strcmp(row->attribute, "resources[].uid") == 0 ||
                        strstr(row->attribute, "user.name") != NULL;
        ck_assert_msg(value != NULL || optional, "%s is missing", row->attribute);
        if (value == NULL || row->field == RECORD_FIELD_COUNT) {
            continue;
        }
        record_text(&record, row->field, text, sizeof(text));
        if (json_is_integer(value)) {
            snprintf(found, sizeof(found), "%lld", (long long)json_integer_value(value));
        } else {
            snprintf(found, sizeof(found), "%s", json_string_value(value));
        }
        ck_assert_str_eq(found, text);
    }
    ck_assert(row - export_ocsf_mapping > 30);
    ck_assert_int_eq(number_at(json, "count"), 7);
    ck_assert_int_eq(number_at(json, "actor.process.euid"), 65534);
    ck_assert_int_eq(number_at(json, "time"), 1772366400000);
    const json_t *unmapped = json_object_get(json, "unmapped");
    ck_assert(json_is_array(json_object_get(unmapped, "miguard.mismatch")));
    ck_assert(json_is_object(json_object_get(unmapped, "miguard.cred.bound")));
    json_decref(json);
}
END_TEST

/* What a daemon says of its own action is in each format. */
START_TEST(test_own_actions)
{
    const struct review_line facts = {.operation = "upload",
                                      .class_name = "",
                                      .name_space = "",
                                      .provider = "fileserver",
                                      .in_miguard =
                                          ",\"resource\":\"/srv/a=b\",\"object\":\"inode 17 ]\""};
    json_t *json = ocsf(&facts);

    check_required(json);
    ck_assert_str_eq(string_at(json, "api.operation"), "upload");
    ck_assert_str_eq(string_at(json, "api.service.name"), "fileserver");
    ck_assert_str_eq(string_at(json, "resources[].name"), "/srv/a=b");
    ck_assert_str_eq(string_at(json, "resources[].uid"), "inode 17 ]");
    ck_assert_str_eq(string_at(json, "resources[].type"), "resource");
    json_decref(json);
    const char *cef = exported(EXPORT_CEF_FORMAT, &facts);
    ck_assert_ptr_nonnull(strstr(cef, " flexString1Label=operation flexString1=upload"));
    ck_assert_ptr_nonnull(strstr(cef, " miguardResource=/srv/a\\=b miguardObject=inode 17 ] "));
    const char *syslog = exported(EXPORT_RFC5424_FORMAT, &facts);
    ck_assert_ptr_nonnull(strstr(syslog, " operation=\"upload\""));
    ck_assert_ptr_nonnull(strstr(syslog, " resource=\"/srv/a=b\" object=\"inode 17 \\]\""));
    ck_assert_ptr_nonnull(strstr(exported(EXPORT_ECS_FORMAT, &facts), "\"resource\":\"/srv/a=b\""));
}
END_TEST

START_TEST(test_ocsf_of_times_and_grave_reasons)
{
    struct review_line facts = {.reason = "handle-forged", .in_miguard = ",\"lost\":{\"count\":3}"};
    json_t *json = ocsf(&facts);

    ck_assert_int_eq(number_at(json, "severity_id"), 4);
    ck_assert_ptr_null(json_object_get(json, "start_time"));
    json_decref(json);
    facts = (struct review_line){.reason = "handle-forged"};
    json = ocsf(&facts);
    ck_assert_int_eq(number_at(json, "severity_id"), 4);
    json_decref(json);
    facts = (struct review_line){.host = "", .time = "no time", .operation = ""};
    json = ocsf(&facts);
    ck_assert_int_eq(number_at(json, "time"), 0);
    ck_assert_str_eq(string_at(json, "src_endpoint.hostname"), "unknown");
    ck_assert_str_eq(string_at(json, "api.operation"), "session-use");
    json_decref(json);
}
END_TEST

START_TEST(test_ecs_is_the_record)
{
    struct review_line facts = {.action = actions[_i]};
    char line[8192];

    snprintf(line, sizeof(line), "%s", review_line(&facts));
    line[strlen(line) - 1] = '\0';
    strcat(line, ",\"related\":{\"user\":[\"0\"],\"hosts\":[\"h\"]}}");
    ck_assert_str_eq(exported(EXPORT_ECS_FORMAT, &facts), line);
}
END_TEST

/* What a call of MI does to its object; the rest is not guessed. */
static const struct {
    const char *operation;
    json_int_t activity;
} activities[] = {
    {"CreateInstance", 1},
    {"GetInstance", 2},
    {"EnumerateInstances", 2},
    {"QueryInstances", 2},
    {"AssociatorInstances", 2},
    {"ReferenceInstances", 2},
    {"GetClass", 2},
    {"EnumerateClasses", 2},
    {"ModifyInstance", 3},
    {"DeleteInstance", 4},
    {"Invoke", 99},
    {"Subscribe", 99},
    {"GetLocalSession", 99},
    {"OperationGetInstance", 99},
    {"delete", 99},
    {"admin.CreateInstance", 99},
    {"", 99},
};

START_TEST(test_ocsf_activity)
{
    const struct review_line facts = {.operation = activities[_i].operation};
    json_t *json = ocsf(&facts);

    ck_assert_int_eq(number_at(json, "activity_id"), activities[_i].activity);
    ck_assert_str_eq(string_at(json, "activity_name"), name_of_activity(json, "session-use"));
    check_required(json);
    json_decref(json);
}
END_TEST

/* ---- against what the schemas say ------------------------------------------------------------*/

/* tests/data/ocsf.tsv and ecs.tsv: words between tabs. */
enum { FACTS = 600, WORDS = 6 };
static char *facts_read[FACTS][WORDS];
static size_t facts_count;

/* Those of a test before in the same process. */
static void forget_facts(void)
{
    for (size_t i = 0; i < facts_count * WORDS; i++) {
        free(facts_read[i / WORDS][i % WORDS]);
        facts_read[i / WORDS][i % WORDS] = NULL;
    }
}

static void read_facts(const char *name)
{
    FILE *file = fopen(name, "re");
    char line[512];

    ck_assert_msg(file != NULL, "%s", name);
    forget_facts();
    for (facts_count = 0; fgets(line, sizeof(line), file) != NULL;) {
        if (line[0] == '#') {
            continue;
        }
        ck_assert_uint_lt(facts_count, FACTS);
        char *word = strtok(line, "\t\n");
        for (size_t i = 0; word != NULL && i < WORDS; i++, word = strtok(NULL, "\t\n")) {
            facts_read[facts_count][i] = strdup(word);
        }
        facts_count++;
    }
    fclose(file);
    ck_assert_uint_gt(facts_count, 30);
}

static char *const *attribute(const char *object, const char *name)
{
    for (size_t i = 0; i < facts_count; i++) {
        if (strcmp(facts_read[i][0], "attribute") == 0 && strcmp(facts_read[i][1], object) == 0 &&
            strcmp(facts_read[i][2], name) == 0) {
            return facts_read[i];
        }
    }
    return NULL;
}

static bool is_of_type(const json_t *value, const char *type)
{
    return strcmp(type, "string_t") == 0 || strcmp(type, "hostname_t") == 0 ||
                   strcmp(type, "file_path_t") == 0 || strcmp(type, "username_t") == 0 ||
                   strcmp(type, "file_name_t") == 0 || strcmp(type, "process_name_t") == 0
               ? json_is_string(value)
           : strstr(type, "[]") != NULL ? json_is_array(value)
           : strcmp(type, "integer_t") == 0 || strcmp(type, "long_t") == 0 ||
                   strcmp(type, "timestamp_t") == 0
               ? json_is_integer(value)
               : json_is_object(value);
}

static bool has_one_of(const json_t *json, const char *names)
{
    char name[64];

    for (; sscanf(names, "%63s", name) == 1; names += strlen(name) + (names[strlen(name)] == ' ')) {
        if (json_object_get(json, name) != NULL) {
            return true;
        }
    }
    return false;
}

/* What a profile adds may be used where the event says that it has the profile. */
static bool has_profile(const json_t *event, const char *profile)
{
    const json_t *profiles = at_path(event, "metadata.profiles");
    const json_t *value;
    size_t i;

    json_array_foreach((json_t *)profiles, i, value)
    {
        const char *name = json_string_value(value), *slash = strrchr(name, '/');
        if (strcmp(slash != NULL ? slash + 1 : name, profile) == 0) {
            return true;
        }
    }
    return strcmp(profile, "-") == 0;
}

/* Every member is one that the schema has, of its type; every required one is there. */
static void check_object(const json_t *event, const json_t *json, const char *object)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)json, name, value)
    {
        char *const *fact = attribute(object, name);
        ck_assert_msg(fact != NULL, "%s has no %s", object, name);
        ck_assert_msg(is_of_type(value, fact[4]), "%s.%s is no %s", object, name, fact[4]);
        ck_assert_msg(has_profile(event, fact[5]), "%s.%s needs %s", object, name, fact[5]);
        char type[64];
        snprintf(type, sizeof(type), "%.*s", (int)strcspn(fact[4], "["), fact[4]);
        const json_t *inner = json_is_array(value) ? json_array_get(value, 0) : value;
        if (json_is_object(inner) && strcmp(type, "object") != 0) {
            check_object(event, inner, type);
        }
    }
    for (size_t i = 0; i < facts_count; i++) {
        char *const *fact = facts_read[i];
        if (strcmp(fact[0], "attribute") == 0 && strcmp(fact[1], object) == 0 &&
            strcmp(fact[3], "required") == 0) {
            ck_assert_msg(json_object_get(json, fact[2]) != NULL, "%s lacks %s", object, fact[2]);
        } else if (strcmp(fact[0], "one-of") == 0 && strcmp(fact[1], object) == 0) {
            ck_assert_msg(has_one_of(json, fact[2]), "%s has none of %s", object, fact[2]);
        }
    }
}

static void check_activity(const json_t *json, const char *class)
{
    json_int_t activity = number_at(json, "activity_id");
    bool found = activity == 99;

    for (size_t i = 0; i < facts_count && !found; i++) {
        found = strcmp(facts_read[i][0], "activity") == 0 && strcmp(facts_read[i][1], class) == 0 &&
                atoll(facts_read[i][2]) == activity &&
                strcmp(facts_read[i][3], string_at(json, "activity_name")) == 0;
    }
    ck_assert_msg(found, "%s has no activity %lld %s", class, (long long)activity,
                  string_at(json, "activity_name"));
}

START_TEST(test_ocsf_against_its_schema)
{
    struct review_line facts = full;

    read_facts("tests/data/ocsf.tsv");
    for (size_t i = 0; i < ACTIONS; i++) {
        facts.action = actions[i];
        for (size_t j = 0; j < sizeof(activities) / sizeof(activities[0]); j++) {
            facts.operation = activities[j].operation;
            facts.allowed = j % 2 == 0;
            json_t *json = ocsf(&facts);
            const char *class = number_at(json, "class_uid") == 1007 ? "1007" : "6003";
            check_object(json, json, class);
            check_activity(json, class);
            json_decref(json);
        }
    }
}
END_TEST

/* As Elasticsearch flattens it. What is ours stands below miguard. */
static void check_ecs(const json_t *json, const char *path)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)json, name, value)
    {
        char whole[256];
        snprintf(whole, sizeof(whole), "%s%s%s", path, path[0] != '\0' ? "." : "", name);
        if (strcmp(whole, "miguard") == 0) {
            continue;
        }
        if (json_is_object(value)) {
            check_ecs(value, whole);
            continue;
        }
        size_t i = 0;
        while (i < facts_count && strcmp(facts_read[i][0], whole) != 0) {
            i++;
        }
        ck_assert_msg(i < facts_count, "ECS has no %s", whole);
        bool list = strcmp(facts_read[i][2], "array") == 0;
        bool number = strcmp(facts_read[i][1], "long") == 0;
        ck_assert_msg(list     ? json_is_array(value)
                      : number ? json_is_integer(value)
                               : json_is_string(value),
                      "%s is no %s", whole, facts_read[i][1]);
    }
}

START_TEST(test_ecs_against_its_schema)
{
    struct review_line facts = full;

    read_facts("tests/data/ecs.tsv");
    facts.allowed = _i == 1;
    json_t *json = json_loads(exported(EXPORT_ECS_FORMAT, &facts), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    check_ecs(json, "");
    const json_t *users = at_path(json, "related.user");
    const char *const expected[] = {"0", "65534", "1000"};
    ck_assert_uint_eq(json_array_size(users), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(json_string_value(json_array_get(users, i)), expected[i]);
    }
    ck_assert_str_eq(string_at(json, "related.hosts[]"), "h");
    json_decref(json);
}
END_TEST

START_TEST(test_ecs_of_nothing)
{
    static const char *const lines[][2] = {
        {"{}", "{\"related\":{}}\n"},
        {"{ } ", "{\"related\":{}}\n"},
        {"{\"host\":{\"name\":\"a\\u001bb\"} }",
         "{\"host\":{\"name\":\"a\\u001bb\"},\"related\":{\"hosts\":[\"a\\u001bb\"]}}\n"},
    };
    const struct export_form form = {EXPORT_ECS_FORMAT, 1};
    struct text text = TEXT_EMPTY;
    struct record record;
    size_t offset;

    ck_assert_ptr_null(record_parse(lines[_i][0], strlen(lines[_i][0]), &record, &offset));
    export_record(&text, &form, NULL, &record);
    ck_assert_str_eq(text.data, lines[_i][1]);
    text_release(&text);
}
END_TEST

/* Parts between bars that no backslash stands before. */
static size_t cef_parts(const char *line)
{
    size_t parts = 1;

    for (; *line != '\0' && parts < 8; line++) {
        if (*line == '\\') {
            line++;
        } else {
            parts += *line == '|';
        }
    }
    return parts;
}

START_TEST(test_cef_of_each_action)
{
    struct review_line facts = full;

    facts.action = actions[_i];
    facts.class_name = "a=b|c\\\\d\\ne";
    facts.method = "m=n";
    facts.in_miguard = ",\"keys\":[\"N=a[1]\",\"I=2\"],\"keys_omitted\":1";
    const char *line = exported(EXPORT_CEF_FORMAT, &facts);
    ck_assert_ptr_eq(strstr(line, "CEF:0|miguard|miguard|"), line);
    ck_assert_uint_eq(cef_parts(line), 8);
    ck_assert_ptr_nonnull(strstr(line, "|MG101E|"));
    ck_assert_ptr_nonnull(strstr(line, " cs3Label=class cs3=a\\=b|c\\\\d\\ne "));
    ck_assert_ptr_nonnull(strstr(line, " flexString2Label=method flexString2=m\\=n "));
    ck_assert_ptr_nonnull(strstr(line, " miguardKeys=N\\=a[1],I\\=2 "));
    ck_assert_ptr_nonnull(strstr(line, "act=deny rt=1772366400000 "));
    ck_assert_ptr_nonnull(strstr(line, " cs1Label=rule cs1=r1 "));
    ck_assert_ptr_nonnull(strstr(line, " cnt=7 "));
    ck_assert_ptr_nonnull(strstr(line, " suid=0 duid=65534 "));
    ck_assert_ptr_nonnull(strstr(line, " cs6=euid "));
}
END_TEST

START_TEST(test_rfc5424_of_each_action)
{
    static const struct {
        const char *action;
        const char *head;
    } heads[] = {{"records-lost", "<82>1 "},
                 {"audit-state-set-aside", "<82>1 "},
                 {"policy-refused", "<83>1 "},
                 {"policy-load", "<85>1 "}};
    struct review_line facts = full;
    const char *head = strcmp(actions[_i], "audit-space") == 0 ? "<82>1 " : "<84>1 ";

    facts.action = actions[_i];
    facts.class_name = "a]b\\\"c";
    facts.method = "m]";
    facts.in_miguard = ",\"keys\":[\"N=a[1]\",\"I=2\"]";
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        head = strcmp(actions[_i], heads[i].action) == 0 ? heads[i].head : head;
    }
    const char *line = exported(EXPORT_RFC5424_FORMAT, &facts);
    ck_assert_ptr_eq(strstr(line, head), line);
    ck_assert_ptr_nonnull(strstr(
        line, " 2026-03-01T12:00:00.000000Z h miguard 77 MG101E [miguard@4711 code=\"MG101E\" "
              "id=\"00000000000000aa-42\" seq=\"42\""));
    ck_assert_ptr_nonnull(strstr(line, " class=\"a\\]b\\\"c\" "));
    ck_assert_ptr_nonnull(strstr(line, " method=\"m\\]\" "));
    ck_assert_ptr_nonnull(strstr(line, " keys=\"N=a[1\\],I=2\" "));
    ck_assert_ptr_nonnull(strstr(line, " mismatch=\"euid\" "));
    const char *message = strstr(line, "] {\"@timestamp\"");
    ck_assert_ptr_nonnull(message);
    json_t *json = json_loads(message + 2, 0, NULL);
    ck_assert_ptr_nonnull(json);
    json_decref(json);
}
END_TEST

/* A collector's rules work for the sink and for an exported log alike. */
START_TEST(test_rfc5424_has_the_names_of_the_sink)
{
    static const struct {
        enum record_field field;
        const char *name;
    } exported_names[] =
        {
#define EXPORTED(FIELD, name) {RECORD_##FIELD, name},
            EXPORT_SYSLOG_MAP(EXPORTED)
#undef EXPORTED
        },
      sent[] = {
#define SENT(FIELD, name, journal, bound) {RECORD_##FIELD, name},
          SINK_FIELD_MAP(SENT)
#undef SENT
      };
    size_t at = 0;

    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        if (sent[i].name != NULL) {
            ck_assert_uint_lt(at, sizeof(exported_names) / sizeof(exported_names[0]));
            ck_assert_int_eq(exported_names[at].field, sent[i].field);
            ck_assert_str_eq(exported_names[at].name, sent[i].name);
            at++;
        }
    }
    ck_assert_uint_eq(at, sizeof(exported_names) / sizeof(exported_names[0]));
}
END_TEST

START_TEST(test_severities)
{
    static const struct {
        struct review_line facts;
        unsigned severity;
    } rows[] = {
        {{.allowed = true}, 6},
        {{.would_deny = true}, 5},
        {{.reason = "policy"}, 4},
        {{.action = "policy-load", .allowed = true}, 5},
        {{.action = "policy-refused"}, 3},
        {{.action = "records-lost", .allowed = true}, 2},
        {{.action = "audit-space", .in_miguard = ",\"space\":{\"step\":\"normal\"}"}, 5},
        {{.action = "audit-space", .in_miguard = ",\"space\":{\"step\":\"low\"}"}, 4},
        {{.action = "audit-space", .in_miguard = ",\"space\":{\"step\":\"flooded\"}"}, 2},
        {{.action = "not-yet-invented"}, 4},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record record = review_record(&rows[i].facts);
        ck_assert_uint_eq(export_severity(&record), rows[i].severity);
    }
}
END_TEST

START_TEST(test_almost_nothing)
{
    struct record record;
    size_t offset;

    for (enum export_format format = 0; format < EXPORT_FORMATS; format++) {
        struct text text = TEXT_EMPTY;
        ck_assert_ptr_null(record_parse("{}", 2, &record, &offset));
        const struct export_form form = {format, 4711};
        export_record(&text, &form, NULL, &record);
        ck_assert(!text.failed && text.length > 2);
        text_release(&text);
    }
    ck_assert_ptr_null(export_formats[EXPORT_FORMATS]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit export");
    TCase *tests = tcase_create("export");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_escaper_on_all_pairs_of_bytes);
    tcase_add_loop_test(tests, test_escapes, 0, sizeof(escapes) / sizeof(escapes[0]));
    tcase_add_test(tests, test_members);
    tcase_add_loop_test(tests, test_ocsf_of_each_action, 0, ACTIONS);
    tcase_add_loop_test(tests, test_ocsf_values, 0,
                        (int)(sizeof(ocsf_values) / sizeof(ocsf_values[0])));
    tcase_add_test(tests, test_ocsf_value_from_elsewhere);
    tcase_add_test(tests, test_ocsf_table);
    tcase_add_test(tests, test_own_actions);
    tcase_add_test(tests, test_ocsf_of_times_and_grave_reasons);
    tcase_add_loop_test(tests, test_ocsf_activity, 0,
                        (int)(sizeof(activities) / sizeof(activities[0])));
    tcase_add_test(tests, test_ocsf_against_its_schema);
    tcase_add_loop_test(tests, test_ecs_against_its_schema, 0, 2);
    tcase_add_loop_test(tests, test_ecs_of_nothing, 0, 3);
    tcase_add_loop_test(tests, test_ecs_is_the_record, 0, ACTIONS);
    tcase_add_loop_test(tests, test_cef_of_each_action, 0, ACTIONS);
    tcase_add_loop_test(tests, test_rfc5424_of_each_action, 0, ACTIONS);
    tcase_add_test(tests, test_severities);
    tcase_add_test(tests, test_rfc5424_has_the_names_of_the_sink);
    tcase_add_test(tests, test_almost_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
