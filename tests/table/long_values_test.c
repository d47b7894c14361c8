/* SPDX-License-Identifier: MIT */
/*
 * Values of any length in records: each field x lengths around its limit, 64 KiB and 1 MiB x what
 * stands at the cut. The record must have the beginning up to a whole character, the full length
 * and the hash, as a model of a few lines makes them; still say who, why and under which id; differ
 * from that of a value that differs behind the cut, in a sink with less room as well; and be found
 * by the full value and by no other.
 */
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/encode.h"
#include "audit/file/log_state.h"
#include "audit/sink/sink_fields.h"
#include "base/error.h"
#include "gateway/gateway.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/record.h"
#include "support/stub_host.h"
#include "tools/review/query.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))

enum { MOST = (1 << 20) + 8 };

static unsigned passed, failed;

static void expect(bool good, const char *field, size_t length, const char *what)
{
    passed += good;
    failed += !good;
    if (!good && failed < 20) {
        printf("FAIL: %s of %zu bytes: %s\n", field, length, what);
    }
}

/* ---- names of users, of any length ------------------------------------------------------------
 */

static char *user_name, *group_name; /* NULL: as the system has it not */

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found)
{
    (void)uid, (void)buffer, (void)size;
    memset(entry, 0, sizeof(*entry));
    entry->pw_name = user_name;
    *found = user_name != NULL ? entry : NULL;
    return 0;
}

int getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, struct group **found)
{
    (void)gid, (void)buffer, (void)size;
    memset(entry, 0, sizeof(*entry));
    entry->gr_name = group_name;
    *found = group_name != NULL ? entry : NULL;
    return 0;
}

/* ---- the fields -------------------------------------------------------------------------------
 */

static const struct field {
    const char *path;
    size_t limit;
    size_t offset;                /* in struct audit_event; 0: see special */
    const char **special;         /* set for the time of a record */
    const char *option;           /* that asks for it */
    enum sink_field_name in_sink; /* SINK_FIELD_COUNT: in none */
} fields[] = {
#define EVENT(path, limit, member, option, SINK)                                                   \
    {                                                                                              \
        path, limit, offsetof(struct audit_event, member), NULL, option, SINK_FIELD_##SINK         \
    }
    EVENT("miguard.provider", 256, provider, "--provider", PROVIDER),
    EVENT("miguard.namespace", 256, name_space, "--namespace", NAMESPACE),
    EVENT("miguard.class", 128, class_name, "--class", CLASS),
    EVENT("miguard.method", 128, method, "--method", METHOD),
    EVENT("rule.name", 1024, rule, "--rule", RULE),
    EVENT("rule.reference", 1024, rule_source, "--text", RULE_SOURCE),
    EVENT("rule.description", 1024, rule_reason, "--text", COUNT),
    EVENT("miguard.attempt", 1024, attempt, "--text", COUNT),
    EVENT("miguard.policy.detail", 4096, policy_detail, "--text", COUNT),
    {"user.name", 256, 0, (const char **)&user_name, "--bound-user", SINK_FIELD_BOUND_USER_NAME},
    {"process.user.name", 256, 0, (const char **)&user_name, "--current-user",
     SINK_FIELD_CURRENT_USER_NAME},
    {"user.group.name", 256, 0, (const char **)&group_name, "--group", SINK_FIELD_COUNT},
};

/* ---- the model --------------------------------------------------------------------------------
 */

/* The bytes of the character at text, which is of those that fill() writes; 0 for an invalid one.
 */
static size_t width(const char *text)
{
    unsigned char lead = (unsigned char)*text;
    return lead < 0x80 ? 1 : lead == 0xFF ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static void model(const char *text, size_t limit, char *wanted)
{
    static char whole[3 * MOST];
    unsigned char hash[16];
    size_t length = 0, kept = 0;

    for (size_t step; *text != '\0'; text += step) {
        bool valid = width(text) > 0;
        step = valid ? width(text) : 1;
        memcpy(whole + length, valid ? text : "\xEF\xBF\xBD", valid ? step : 3);
        length += valid ? step : 3;
        kept = length <= limit ? length : kept;
    }
    memcpy(wanted, whole, kept);
    wanted[kept] = '\0';
    if (length > limit) {
        crypto_generichash(hash, sizeof(hash), (unsigned char *)whole, length, NULL, 0);
        int end = sprintf(wanted + kept, "...[%zu bytes #", length);
        for (size_t i = 0; i < sizeof(hash); i++) {
            end += sprintf(wanted + kept + end, "%02x", hash[i]);
        }
        sprintf(wanted + kept + end, "]");
    }
}

/* ---- a record ---------------------------------------------------------------------------------
 */

static struct miguard_identity identity;

/* The line is the caller's to free. */
static char *make_line(const struct field *field, const char *value)
{
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                .denied = true,
                                .operation = OPERATION_INVOKE,
                                .bound = &identity,
                                .current = &identity,
                                .mismatch = MIGUARD_COMPONENT_EUID,
                                .rule = "r",
                                .rule_source = "s"};
    static struct identity_process process;
    const struct audit_stamp stamp = {
        .entity = 0x1234, .number = 7, .process = &process, .host_name = "h", .boot_id = "b"};
    const struct audit_place place = {.sequence = 1, .repeats = 1};
    struct text text = TEXT_EMPTY;
    char id[AUDIT_ID_SIZE];

    if (field->special == NULL) {
        memcpy((char *)&event + field->offset, &value, sizeof(value));
    } else {
        *field->special = value;
    }
    identity_read_process(&process);
    audit_id(&stamp, id);
    audit_encode_body(&text, &event, &stamp);
    audit_encode_tail(&text, &event, id, &place);
    text_append(&text, "}}");
    user_name = group_name = NULL;
    return text.failed ? NULL : text.data;
}

static const char *string_at(const json_t *record, const char *path)
{
    char name[64];

    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
        record = json_object_get(record, name);
    }
    return json_string_value(json_object_get(record, path));
}

static bool found_by(const char *line, const char *option, const char *value)
{
    struct query *query = query_new();
    struct miguard_error error = {0};
    struct record record;
    size_t offset = 0;
    bool found = false;

    if (query_add(query, option, value, &error) == MIGUARD_OK &&
        record_parse(line, strlen(line), &record, &offset) == NULL) {
        found = query_matches(query, &record);
    }
    query_free(query);
    return found;
}

static void read_sink(const struct field *field, const char *line, struct text *text)
{
    struct sink_fields read;

    sink_fields_read(line, strlen(line), &read);
    sink_field_text(&read.field[field->in_sink], 200, text);
}

/* ---- a row ------------------------------------------------------------------------------------
 */

/* What stands where the value is cut: characters of one to four bytes, and what is none. */
static const char *const at_cut[] = {"b", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF"};

/* length bytes, whose character at the cut begins at `from`. */
static void fill(char *text, size_t length, size_t from, const char *character)
{
    memset(text, 'a', length);
    text[length] = '\0';
    if (from + strlen(character) <= length) {
        memcpy(text + from, character, strlen(character));
    }
}

static void check_sinks(const struct field *field, size_t length, const char *line,
                        const char *other_line)
{
    struct text one = TEXT_EMPTY, two = TEXT_EMPTY;

    if (field->in_sink == SINK_FIELD_COUNT) {
        return;
    }
    read_sink(field, line, &one);
    read_sink(field, other_line, &two);
    expect(one.length <= 200 && strcmp(one.data, two.data) != 0, field->path, length,
           "a sink cannot tell two values apart");
    if (length > field->limit) {
        char mark[40];
        snprintf(mark, sizeof(mark), "...[%zu bytes #", length);
        expect(strstr(one.data, mark) != NULL || width(at_cut[4]) == 0, field->path, length,
               "a sink has another length");
    }
    text_release(&one);
    text_release(&two);
}

static void check(const struct field *field, size_t length, const char *character, size_t from)
{
    static char value[MOST], other[MOST], wanted[8192];

    fill(value, length, from, character);
    memcpy(other, value, length + 1);
    if (length > 0) {
        other[length - 1] ^= other[length - 1] == 'a' ? 'a' ^ 'z' : 0;
    }
    bool differ = strcmp(value, other) != 0;
    char *line = make_line(field, value), *other_line = make_line(field, other);
    json_t *record = record_json(line, strlen(line)),
           *other_record = record_json(other_line, strlen(other_line));
    const char *found = string_at(record, field->path);

    model(value, field->limit, wanted);
    expect(length == 0 ? found == NULL : found != NULL && strcmp(found, wanted) == 0, field->path,
           length, found == NULL ? "nothing" : found);
    expect(strcmp(string_at(record, "event.id"), "0000000000001234-7") == 0 &&
               strcmp(string_at(record, "event.reason"), "identity-mismatch") == 0 &&
               string_at(record, "user.id") != NULL && string_at(record, "process.user.id") != NULL,
           field->path, length, "who, why or the id is missing");
    expect(strlen(line) < STATE_BODY, field->path, length, "too large to be counted");
    if (length > 0 && differ) {
        expect(strcmp(found, string_at(other_record, field->path)) != 0, field->path, length,
               "two values look alike");
        expect(found_by(line, field->option, value), field->path, length, "not found");
        bool anywhere = length == 1; /* one letter is in some text */
        expect((anywhere && strcmp(field->option, "--text") == 0) ||
                   !found_by(other_line, field->option, value),
               field->path, length, "another one is found");
        expect(found_by(line, "--text", value), field->path, length, "not found as text");
        expect(anywhere || !found_by(other_line, "--text", value), field->path, length,
               "another one is found as text");
        check_sinks(field, length, line, other_line);
    }
    json_decref(record);
    json_decref(other_record);
    free(line);
    free(other_line);
}

static void check_field(const struct field *field)
{
    const size_t lengths[] = {0,     1,      field->limit - 1, field->limit, field->limit + 1,
                              65536, 1 << 20};

    for (size_t i = 0; i < LENGTH(lengths); i++) {
        for (size_t k = 0; k < LENGTH(at_cut); k++) {
            for (size_t from = field->limit - 3; from < field->limit + 1; from++) {
                if (lengths[i] < 65536 || from == field->limit - 1) {
                    check(field, lengths[i], at_cut[k], from);
                }
            }
        }
    }
}

/* ---- forgery ----------------------------------------------------------------------------------
 */

/* A value that ends like one that was cut is cut or whole like any other. */
static void check_forgery(void)
{
    static char cut[CUT_SIZE(900)], wanted[2048];
    char full[1000];

    fill(full, 999, 0, "b");
    for (size_t i = 0; i < LENGTH(fields); i++) {
        (void)cut_text(full, 100, cut);
        char *line = make_line(&fields[i], cut);
        json_t *record = record_json(line, strlen(line));
        model(cut, fields[i].limit, wanted);
        expect(strcmp(string_at(record, fields[i].path), wanted) == 0, fields[i].path, strlen(cut),
               "forged");
        json_decref(record);
        free(line);
        (void)cut_text(full, fields[i].limit < 900 ? fields[i].limit : 900, cut);
        line = make_line(&fields[i], cut);
        record = record_json(line, strlen(line));
        bool fits = strlen(cut) <= fields[i].limit;
        expect((strcmp(string_at(record, fields[i].path), cut) == 0) == fits, fields[i].path,
               strlen(cut), "what looks cut passes for what was");
        json_decref(record);
        free(line);
    }
}

/* A sink keeps the mark of what the record had cut, and of nothing that looks like it. */
static void check_forgery_in_a_sink(void)
{
    const struct field *name_space = &fields[1];
    char full[1000], one[512], two[512];
    struct text first = TEXT_EMPTY, second = TEXT_EMPTY;

    fill(full, 999, 0, "b");
    size_t length = cut_text(full, 190, one); /* whole in the record, too long for the sink */
    memcpy(two, one, length + 1);
    two[180] = 'z';
    char *line = make_line(name_space, one), *other = make_line(name_space, two);
    read_sink(name_space, line, &first);
    read_sink(name_space, other, &second);
    expect(length > 200 && length <= 256 && strcmp(first.data, second.data) != 0, name_space->path,
           length, "forged in a sink");
    text_release(&first);
    text_release(&second);
    free(line);
    free(other);
}

/* ---- through the gateway ----------------------------------------------------------------------
 */

static void put_in_force(const char *text)
{
    struct policy_draft *draft = NULL;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    const struct policy *policy = NULL;
    struct guard *guard = guard_enter();

    if (draft_load_text("p.yaml", text, strlen(text), &draft, &errors) != MIGUARD_OK ||
        policy_compile(draft, &policy) != MIGUARD_OK) {
        abort();
    }
    store_set(&guard->store, policy);
    guard_leave(guard);
    policy_release(policy);
    draft_free(draft);
    diagnostics_release(&errors);
}

static char *key_value;

static MI_Result MI_CALL count_one(const MI_Instance *self, MI_Uint32 *count)
{
    (void)self;
    *count = 1;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL the_key(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                 MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    (void)self, (void)index;
    *name = "Name";
    value->string = key_value;
    *type = MI_STRING;
    *flags = MI_FLAG_KEY;
    return MI_RESULT_OK;
}

static MI_Session session;

static void use_all(const char *value)
{
    static const MI_InstanceFT ft = {.GetElementCount = count_one, .GetElementAt = the_key};
    const MI_Instance instance = {.ft = &ft};
    MI_Operation operation = MI_OPERATION_NULL;
    char *freed = strdup(value);

    key_value = freed;
    MI_Session_Invoke(&session, 0, NULL, freed, freed, freed, &instance, NULL, NULL, &operation);
    memset(freed, '#', strlen(freed));
    free(freed);
    (void)MI_Operation_Close(&operation);
}

static bool as_recorded(const char *value)
{
    static const struct {
        const char *name;
        size_t limit;
    } rows[] = {{"\"namespace\":\"", 256},
                {"\"class\":\"", 128},
                {"\"method\":\"", 128},
                {"\"keys\":[\"Name=", 128}};
    char wanted[1024];
    bool good = true;

    for (size_t i = 0; i < LENGTH(rows); i++) {
        int length = sprintf(wanted, "%s", rows[i].name);
        model(value, rows[i].limit, wanted + length);
        strcat(wanted, "\"");
        good = good && log_mentions(wanted) == 2; /* the start and the close */
    }
    return good;
}

static bool through_the_gateway(void *data)
{
    static const size_t lengths[] = {1, 127, 128, 129, 255, 256, 257, 65536, 1 << 20};
    static char value[MOST], provider[CUT_SIZE(256)];
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    bool good = true;

    (void)data;
    log_start_with(0);
    put_in_force("version: 1\ndefaults: {audit: [use]}\n");
    fill(value, 1 << 20, 255, "\xE2\x82\xAC");
    (void)cut_text(value, 256, provider);
    struct guarded_context *guarded = guarded_context_new(&host->context, provider, &context);
    if (guarded == NULL || MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        return false;
    }
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        fill(value, lengths[i], 127, "\xE2\x82\xAC");
        use_all(value);
        if (!as_recorded(value)) {
            printf("FAIL: names of %zu bytes in a call\n", lengths[i]);
            good = false;
        }
    }
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "\"provider\":\"%s\"", provider);
    return log_count("session-use", NULL) > 0 && log_mentions(wanted) > 10 && good;
}

/* However long its names are, a refusal that comes again is counted. */
static bool counted(void *data)
{
    static char value[MOST];
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;

    (void)data;
    log_start_with(10);
    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
        return false;
    }
    memset(value, 1, 1 << 16); /* each byte is six in a record */
    (void)raw_setfsuid(12345);
    for (int i = 0; i < 5; i++) {
        use_all(value);
    }
    value[(1 << 16) - 1] = 2;
    for (int i = 0; i < 5; i++) {
        use_all(value);
    }
    (void)raw_setfsuid(0);
    return log_count("session-use", "identity-mismatch") == 2;
}

/* The sentence for the caller always ends in the id, however long the policy's texts are. */
static bool refusals_end_in_the_id(void *data)
{
    static char text[1024];
    struct refusal refusal = {.mismatch = MIGUARD_COMPONENTS_ALL,
                              .decision_id = "0123456789abcdef-18446744073709551615"};
    bool good = true;

    (void)data;
    for (size_t i = 0; i < LENGTH(at_cut); i++) {
        for (size_t at = 0; at + strlen(at_cut[i]) < sizeof(text); at += strlen(at_cut[i])) {
            memcpy(text + at, at_cut[i], strlen(at_cut[i]));
        }
        for (unsigned reason = 0; reason < AUDIT_REASON_COUNT; reason++) {
            refusal.reason = (enum audit_reason)reason;
            char said[REFUSAL_SENTENCE];
            refusal_set_rule(&refusal, text, text, text);
            refusal_sentence(&refusal, said, sizeof(said));
            static const char end[] = "...; decision 0123456789abcdef-18446744073709551615";
            size_t length = strlen(said);
            good = good && length > sizeof(end) &&
                   strcmp(said + length - (sizeof(end) - 1), end) == 0 &&
                   strstr(said, "lsm-label differ; rule \"") != NULL &&
                   strstr(said, audit_reasons[refusal.reason].text) != NULL;
        }
    }
    return good;
}

/* The text of an error, which goes into miguard.attempt, says that it is cut. */
static bool errors_say_that_they_are_cut(void *data)
{
    bool good = true;

    (void)data;
    for (size_t i = 0; i < LENGTH(at_cut); i++) {
        for (size_t from = 180; from < 195; from++) {
            struct miguard_error error;
            char text[400];
            fill(text, 300, from, at_cut[i]);
            (void)!error_set(&error, MIGUARD_SYSTEM, 0, "step", "%s", text);
            size_t length = strlen(error.detail);
            size_t kept = length - 3;
            bool whole = width(at_cut[i]) == 0 || kept <= from || kept >= from + strlen(at_cut[i]);
            good = good && length < sizeof(error.detail) && whole &&
                   strcmp(error.detail + kept, "...") == 0 &&
                   strncmp(error.detail, text, kept) == 0;
        }
    }
    return good;
}

/* A program far down a tree: its path is cut, its name is not. */
static bool long_path_of_a_program(void *data)
{
    static struct identity_process process;
    struct audit_event event = {.action = AUDIT_ACTION_AUDIT_START};
    const struct audit_stamp stamp = {
        .entity = 1, .number = 1, .process = &process, .host_name = "h", .boot_id = "b"};
    struct text text = TEXT_EMPTY;
    char wanted[2048];

    (void)data;
    memset(process.executable, 'd', 4000);
    for (size_t i = 0; i < 4000; i += 100) {
        process.executable[i] = '/';
    }
    snprintf(process.executable + 3900, 60, "/the-program");
    audit_encode_body(&text, &event, &stamp);
    model(process.executable, 1024, wanted);
    bool good =
        strstr(text.data, wanted) != NULL && strstr(text.data, "\"name\":\"the-program\"") != NULL;
    text_release(&text);
    return good;
}

int main(void)
{
    static const struct {
        bool (*test)(void *);
        const char *name;
        bool root;
    } rows[] = {{through_the_gateway, "through the gateway", false},
                {counted, "counted however long", true},
                {refusals_end_in_the_id, "refusals end in the id", false},
                {errors_say_that_they_are_cut, "errors say that they are cut", false},
                {long_path_of_a_program, "long path of a program", false}};
    unsigned skipped = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (rows[i].root && geteuid() != 0) {
            printf("skip: %s: needs root\n", rows[i].name);
            skipped++;
        } else {
            expect(raw_in_child(rows[i].test, NULL), rows[i].name, 0, "see above");
        }
    }
    if (identity_capture(&identity, NULL) != MIGUARD_OK) {
        abort();
    }
    for (size_t i = 0; i < LENGTH(fields); i++) {
        check_field(&fields[i]);
    }
    check_forgery();
    check_forgery_in_a_sink();
    identity_release(&identity);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
