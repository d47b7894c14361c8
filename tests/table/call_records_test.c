/* SPDX-License-Identifier: MIT */
/*
 * What a record says about the call: the method and the keys of the instance, and that both stay
 * with what is done to the operation afterwards, when the provider has long freed what it passed.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { SOMEBODY = 12345 };

static MI_Session session;

/* Everything that is used is recorded. In force without a file: nobody need own a folder for it. */
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

static bool set_up_under(int repeat_window, const char *policy)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;

    log_start_with(repeat_window);
    put_in_force(policy);
    return miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
           MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
}

static bool set_up_with(int repeat_window)
{
    return set_up_under(repeat_window, "version: 1\ndefaults: {audit: [deny, open, use]}\n");
}

static bool set_up(void)
{
    return set_up_with(0);
}

static bool last_is(const char *path, const char *wanted)
{
    bool same = strcmp(log_last(path), wanted) == 0;

    if (!same) {
        printf("FAIL: %s is \"%.80s\" and not \"%.80s\"\n", path, log_last(path), wanted);
    }
    return same;
}

/* ---- methods -------------------------------------------------------------------------------- */

static MI_Operation invoke(const char *method)
{
    MI_Operation operation = MI_OPERATION_NULL;
    char *passed = method != NULL ? strdup(method) : NULL;

    MI_Session_Invoke(&session, 0, NULL, "root/test", "MG_Service", passed, NULL, NULL, NULL,
                      &operation);
    if (passed != NULL) {
        memset(passed, '#', strlen(passed));
        free(passed);
    }
    return operation;
}

static bool method_of_a_start(void *data)
{
    (void)data;
    if (!set_up()) {
        return false;
    }
    (void)invoke("RequestStateChange");
    bool good = last_is("miguard.operation", "Invoke") && last_is("miguard.class", "MG_Service") &&
                last_is("miguard.method", "RequestStateChange");
    (void)invoke("ExecuteShellCommand");
    good = good && last_is("miguard.method", "ExecuteShellCommand");
    (void)invoke(NULL);
    return good && last_is("miguard.method", "");
}

static bool method_of_a_use(void *data)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    (void)data;
    if (!set_up()) {
        return false;
    }
    MI_Operation operation = invoke("ExecuteShellCommand");
    (void)invoke("RequestStateChange");
    (void)MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    bool good = last_is("miguard.operation", "OperationGetInstance") &&
                last_is("miguard.method", "ExecuteShellCommand");
    (void)MI_Operation_Close(&operation);
    return good && last_is("miguard.operation", "OperationClose") &&
           last_is("miguard.method", "ExecuteShellCommand");
}

static bool method_of_a_refusal(void *data)
{
    (void)data;
    if (!set_up()) {
        return false;
    }
    (void)raw_setfsuid(SOMEBODY);
    (void)invoke("ExecuteShellCommand");
    (void)raw_setfsuid(0);
    return last_is("event.reason", "identity-mismatch") &&
           last_is("miguard.method", "ExecuteShellCommand");
}

/* Identical refusals are counted; what differs in its method is not identical. */
static bool methods_are_counted_apart(void *data)
{
    static const char *const methods[] = {"Start", "Stop", "Start", "Stop", "Start"};

    (void)data;
    if (!set_up_with(10)) {
        return false;
    }
    (void)raw_setfsuid(SOMEBODY);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        (void)invoke(methods[i]);
    }
    (void)raw_setfsuid(0);
    return log_count("session-use", "identity-mismatch") == 2 &&
           log_mentions("\"method\":\"Start\"") == 1 && log_mentions("\"method\":\"Stop\"") == 1;
}

static bool other_operations_have_none(void *data)
{
    MI_Operation operation = MI_OPERATION_NULL;

    (void)data;
    if (!set_up()) {
        return false;
    }
    (void)invoke("ExecuteShellCommand");
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "MG_Service", MI_FALSE, NULL,
                                  &operation);
    return last_is("miguard.operation", "EnumerateInstances") && last_is("miguard.method", "");
}

/* ---- keys ----------------------------------------------------------------------------------- */

enum { ELEMENTS = 64, TEXT = 2048 };

/* An instance as a host or a provider may make it: what it holds is asked for by its table. */
struct fake {
    MI_Instance instance;
    MI_ClassDecl decl;
    MI_Uint32 count;
    struct {
        char name[TEXT];
        MI_Value value;
        MI_Type type;
        MI_Uint32 flags;
    } elements[ELEMENTS];
};

static MI_Result MI_CALL fake_count(const MI_Instance *self, MI_Uint32 *count)
{
    *count = ((const struct fake *)self)->count;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL fake_at(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                 MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    const struct fake *fake = (const struct fake *)self;

    if (index >= fake->count) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = fake->elements[index].name;
    *value = fake->elements[index].value;
    *type = fake->elements[index].type;
    *flags = fake->elements[index].flags;
    return MI_RESULT_OK;
}

static const MI_InstanceFT fake_ft = {.GetElementCount = fake_count, .GetElementAt = fake_at};

static struct fake *fake_new(const char *class_name)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    if (fake == NULL) {
        abort();
    }
    fake->decl.name = (MI_Char *)(uintptr_t)class_name;
    fake->instance.classDecl = &fake->decl;
    fake->instance.ft = &fake_ft;
    return fake;
}

static void fake_add(struct fake *fake, const char *name, MI_Type type, MI_Value value,
                     MI_Uint32 flags)
{
    snprintf(fake->elements[fake->count].name, TEXT, "%s", name);
    fake->elements[fake->count].value = value;
    fake->elements[fake->count].type = type;
    fake->elements[fake->count++].flags = flags;
}

static void fake_text(struct fake *fake, const char *name, const char *text)
{
    fake_add(fake, name, MI_STRING, (MI_Value){.string = (MI_Char *)(uintptr_t)text}, MI_FLAG_KEY);
}

static MI_Operation get(const MI_Instance *instance)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_GetInstance(&session, 0, NULL, "root/test", instance, NULL, &operation);
    return operation;
}

static bool keys_are(const char *wanted)
{
    char text[2 * TEXT];
    long before = log_mentions("\"keys\"");

    snprintf(text, sizeof(text), "\"keys\":[%s],\"", wanted);
    bool good = before > 0 && log_mentions(text) > 0;
    if (!good) {
        printf("FAIL: no record with %.200s\n", text);
    }
    return good;
}

#define VALUE(member, text) ((MI_Value){.member = (text)})

static bool keys_of_each_type(void *data)
{
    const MI_Datetime time = {
        .isTimestamp = 1,
        .u.timestamp = {2026, 3, 1, 2, 3, 4, 5, -60},
    };
    const MI_Datetime length = {.u.interval = {.days = 1, .hours = 2, .microseconds = 7}};
    static const struct {
        const char *name;
        MI_Type type;
        MI_Value value;
        const char *wanted;
    } types[] = {
        {"B", MI_BOOLEAN, {.boolean = MI_TRUE}, "\"B=true\""},
        {"B", MI_BOOLEAN, {.boolean = MI_FALSE}, "\"B=false\""},
        {"N", MI_UINT8, {.uint8 = 255}, "\"N=255\""},
        {"N", MI_SINT8, {.sint8 = -128}, "\"N=-128\""},
        {"N", MI_UINT16, {.uint16 = 65535}, "\"N=65535\""},
        {"N", MI_SINT16, {.sint16 = -32768}, "\"N=-32768\""},
        {"N", MI_UINT32, {.uint32 = 4294967295U}, "\"N=4294967295\""},
        {"N", MI_SINT32, {.sint32 = -2147483647}, "\"N=-2147483647\""},
        {"N", MI_UINT64, {.uint64 = UINT64_MAX}, "\"N=18446744073709551615\""},
        {"N", MI_SINT64, {.sint64 = INT64_MIN + 1}, "\"N=-9223372036854775807\""},
        {"R", MI_REAL32, {.real32 = 0.5F}, "\"R=0.5\""},
        {"R", MI_REAL64, {.real64 = -1.25e100}, "\"R=-1.25e+100\""},
        {"C", MI_CHAR16, {.char16 = 65}, "\"C=65\""},
        {"A", MI_UINT8A, {.uint8 = 0}, "\"A=(array)\""},
        {"S", MI_STRING, {.string = NULL}, "\"S\""},
        {"S", MI_REFERENCE, {.reference = NULL}, "\"S\""},
        {"a=b%c", MI_UINT8, {.uint8 = 1}, "\"a%3Db%25c=1\""},
        {"a\x1b[2J\"", MI_UINT8, {.uint8 = 1}, "\"a\\u001b[2J\\\"=1\""},
        {"\xFF", MI_UINT8, {.uint8 = 1}, "\"\xEF\xBF\xBD=1\""},
    };
    bool good = true;

    (void)data;
    if (!set_up()) {
        return false;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct fake *fake = fake_new("MG_Key");
        fake_add(fake, types[i].name, types[i].type, types[i].value, MI_FLAG_KEY);
        (void)get(&fake->instance);
        free(fake);
        good = keys_are(types[i].wanted) && good;
    }
    struct fake *fake = fake_new("MG_Key");
    fake_add(fake, "T", MI_DATETIME, VALUE(datetime, time), MI_FLAG_KEY);
    fake_add(fake, "L", MI_DATETIME, VALUE(datetime, length), MI_FLAG_KEY);
    fake_add(fake, "Z", MI_UINT8, VALUE(uint8, 3), MI_FLAG_KEY | MI_FLAG_NULL);
    fake_add(fake, "", MI_UINT8, VALUE(uint8, 3), MI_FLAG_KEY);
    fake_add(fake, "Password", MI_STRING, VALUE(string, (MI_Char *)(uintptr_t) "secret"), 0);
    (void)get(&fake->instance);
    free(fake);
    return keys_are("\"T=20260301020304.000005-060\",\"L=00000001020000.000007:000\",\"Z\"") &&
           log_mentions("secret") == 0 && good;
}

static bool keys_of_a_reference(void *data)
{
    struct fake *inner = fake_new("MG_Inner"), *middle = fake_new("MG_Middle");
    struct fake *outer = fake_new("MG_Outer");

    (void)data;
    fake_text(inner, "Deep", "x");
    fake_text(middle, "Name", "a b");
    fake_add(middle, "In", MI_REFERENCE, VALUE(reference, &inner->instance), MI_FLAG_KEY);
    fake_add(outer, "Ref", MI_REFERENCE, VALUE(reference, &middle->instance), MI_FLAG_KEY);
    if (!set_up()) {
        return false;
    }
    (void)get(&outer->instance);
    return keys_are("\"Ref=MG_Middle.Name=a b,In=MG_Inner\"");
}

/* A struct that was filled in by hand, without a table. */
static bool keys_of_a_struct(void *data)
{
    struct {
        MI_Instance base;
        MI_ConstStringField name;
        MI_ConstUint32Field number;
        MI_ConstStringField none;
    } made = {.name = {"x", MI_TRUE, 0}, .number = {7, MI_TRUE, 0}};
    const MI_PropertyDecl properties[] = {
        {.flags = MI_FLAG_KEY,
         .name = "Name",
         .type = MI_STRING,
         .offset = offsetof(__typeof__(made), name)},
        {.flags = MI_FLAG_KEY,
         .name = "Number",
         .type = MI_UINT32,
         .offset = offsetof(__typeof__(made), number)},
        {.flags = MI_FLAG_KEY,
         .name = "None",
         .type = MI_STRING,
         .offset = offsetof(__typeof__(made), none)},
        {.flags = 0,
         .name = "Other",
         .type = MI_STRING,
         .offset = offsetof(__typeof__(made), name)},
    };
    const MI_PropertyDecl *const list[] = {&properties[0], &properties[1], &properties[2],
                                           &properties[3]};
    const MI_ClassDecl decl = {.name = "MG_Struct", .properties = list, .numProperties = 4};

    (void)data;
    if (!set_up()) {
        return false;
    }
    made.base.classDecl = &decl;
    (void)get(&made.base);
    return keys_are("\"Name=x\",\"Number=7\",\"None\"");
}

static bool keys_of_each_operation(void *data)
{
    enum { STARTS = 7 };
    char wanted[32];
    bool good = true;

    (void)data;
    if (!set_up()) {
        return false;
    }
    for (int i = 0; i < STARTS; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        struct fake *fake = fake_new("MG_Key");
        const MI_Instance *instance = &fake->instance;
        fake_add(fake, "Start", MI_SINT32, VALUE(sint32, i), MI_FLAG_KEY);
        switch (i) {
        case 0:
            MI_Session_GetInstance(&session, 0, NULL, "r", instance, NULL, &operation);
            break;
        case 1:
            MI_Session_ModifyInstance(&session, 0, NULL, "r", instance, NULL, &operation);
            break;
        case 2:
            MI_Session_CreateInstance(&session, 0, NULL, "r", instance, NULL, &operation);
            break;
        case 3:
            MI_Session_DeleteInstance(&session, 0, NULL, "r", instance, NULL, &operation);
            break;
        case 4:
            MI_Session_Invoke(&session, 0, NULL, "r", "MG_Key", "Do", instance, NULL, NULL,
                              &operation);
            break;
        case 5:
            MI_Session_AssociatorInstances(&session, 0, NULL, "r", instance, NULL, NULL, NULL, NULL,
                                           MI_FALSE, NULL, &operation);
            break;
        default:
            MI_Session_ReferenceInstances(&session, 0, NULL, "r", instance, NULL, NULL, MI_FALSE,
                                          NULL, &operation);
        }
        memset(fake, '#', sizeof(*fake));
        free(fake);
        (void)MI_Operation_Close(&operation);
        snprintf(wanted, sizeof(wanted), "\"keys\":[\"Start=%d\"]", i);
        good = good && log_mentions(wanted) == 2; /* the start and the close */
    }
    return good;
}

static const struct mode {
    const char *policy, *wanted;
    bool value;
} modes[] = {
    {"version: 1\naudit: {keys: all}\ndefaults: {audit: [use]}\n", "\"keys\":[\"Name=secret\"]",
     true},
    {"version: 1\naudit: {keys: names}\ndefaults: {audit: [use]}\n", "\"keys\":[\"Name\"]", false},
    {"version: 1\naudit: {keys: none}\ndefaults: {audit: [use]}\n", NULL, false},
};

static bool keys_as_the_policy_wants(void *data)
{
    const struct mode *mode = data;
    struct fake *fake = fake_new("MG_Key");

    if (!set_up_under(0, mode->policy)) {
        return false;
    }
    fake_text(fake, "Name", "secret");
    (void)get(&fake->instance);
    return log_count("session-use", NULL) == 1 && (log_mentions("secret") != 0) == mode->value &&
           (mode->wanted != NULL ? log_mentions(mode->wanted) == 1 : log_mentions("\"keys\"") == 0);
}

/* More than a record has room for: counted, and what is there is whole. */
static bool keys_without_number(void *data)
{
    struct fake *fake = fake_new("MG_Key");
    char name[16], wild[600];

    (void)data;
    memset(wild, 1, sizeof(wild) - 1);
    wild[sizeof(wild) - 1] = '\0';
    fake_text(fake, wild, wild);
    for (int i = 1; i < ELEMENTS; i++) {
        snprintf(name, sizeof(name), "Key%02d", i);
        fake_text(fake, name, "a value that is neither long nor short");
    }
    if (!set_up()) {
        return false;
    }
    (void)get(&fake->instance);
    return log_count("session-use", NULL) == 1 && log_mentions("\"Key13=a value that") == 1 &&
           log_mentions("\"Key20=a value that") == 0 && log_mentions("\"keys_omitted\":4") == 1;
}

static bool keys_are_counted_apart(void *data)
{
    (void)data;
    if (!set_up_with(10)) {
        return false;
    }
    (void)raw_setfsuid(SOMEBODY);
    for (int i = 0; i < 6; i++) {
        struct fake *fake = fake_new("MG_Key");
        fake_add(fake, "Id", MI_SINT32, VALUE(sint32, i % 2), MI_FLAG_KEY);
        (void)get(&fake->instance);
    }
    (void)raw_setfsuid(0);
    return log_count("session-use", "identity-mismatch") == 2 && log_mentions("\"Id=0\"") == 1 &&
           log_mentions("\"Id=1\"") == 1;
}

/* ---- all ------------------------------------------------------------------------------------ */

static const struct row {
    bool (*test)(void *);
    const char *name;
    bool root;
    const void *data;
} rows[] = {
    {method_of_a_start, "method of a start", false, NULL},
    {method_of_a_use, "method of a use", false, NULL},
    {method_of_a_refusal, "method of a refusal", true, NULL},
    {methods_are_counted_apart, "methods are counted apart", true, NULL},
    {keys_of_each_type, "keys of each type", false, NULL},
    {keys_of_a_reference, "keys of a reference", false, NULL},
    {keys_of_a_struct, "keys of a struct without a table", false, NULL},
    {keys_of_each_operation, "keys of each operation", false, NULL},
    {keys_as_the_policy_wants, "keys: all", false, &modes[0]},
    {keys_as_the_policy_wants, "keys: names", false, &modes[1]},
    {keys_as_the_policy_wants, "keys: none", false, &modes[2]},
    {keys_without_number, "keys without number", false, NULL},
    {keys_are_counted_apart, "keys are counted apart", true, NULL},
    {other_operations_have_none, "other operations have no method", false, NULL},
};

int main(void)
{
    unsigned passed = 0, failed = 0, skipped = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].root && geteuid() != 0) {
            printf("skip: %s: needs root\n", rows[i].name);
            skipped++;
            continue;
        }
        bool good = raw_in_child(rows[i].test, (void *)(uintptr_t)rows[i].data);
        if (!good) {
            printf("FAIL: %s\n", rows[i].name);
        }
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
