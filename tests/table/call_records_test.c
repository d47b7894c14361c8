/* SPDX-License-Identifier: MIT */
/*
 * What a record says about the call: for each operation the method, and that it stays with what is
 * done to the operation afterwards, when the provider has long freed what it passed.
 */
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
    struct gateway *gateway = gateway_enter();

    if (draft_load_text("p.yaml", text, strlen(text), &draft, &errors) != MIGUARD_OK ||
        policy_compile(draft, &policy) != MIGUARD_OK) {
        abort();
    }
    store_set(&gateway->store, policy);
    gateway_leave(gateway);
    policy_release(policy);
    draft_free(draft);
    diagnostics_release(&errors);
}

static bool set_up_with(int repeat_window)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;

    log_start_with(repeat_window);
    put_in_force("version: 1\ndefaults: {audit: [deny, open, use]}\n");
    return miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
           MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
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

/* ---- all ------------------------------------------------------------------------------------ */

static const struct row {
    bool (*test)(void *);
    const char *name;
    bool root;
} rows[] = {
    {method_of_a_start, "method of a start", false},
    {method_of_a_use, "method of a use", false},
    {method_of_a_refusal, "method of a refusal", true},
    {methods_are_counted_apart, "methods are counted apart", true},
    {other_operations_have_none, "other operations have no method", false},
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
        bool good = raw_in_child(rows[i].test, NULL);
        if (!good) {
            printf("FAIL: %s\n", rows[i].name);
        }
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
