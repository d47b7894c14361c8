/* SPDX-License-Identifier: MIT */
/*
 * What the application of a session makes, function by function: under the session's identity it
 * reaches the host; under another one, behind the end of the context, after a revocation, by a
 * forged handle and in a forked child it does not, the output is zeroed, and there is a record.
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

/* Room for the largest output, filled before each call. */
static union output {
    MI_Instance *instance;
    MI_Class *class_object;
    MI_DestinationOptions destination;
    MI_OperationOptions operation;
    MI_SubscriptionDeliveryOptions delivery;
    MI_Serializer serializer;
    MI_Deserializer deserializer;
    unsigned char bytes[64];
} output;

static MI_Application application;

static MI_Result use_new_instance(void)
{
    return application.ft->NewInstance(&application, "C", NULL, &output.instance);
}

static MI_Result use_destination_options(void)
{
    return application.ft->NewDestinationOptions(&application, &output.destination);
}

static MI_Result use_operation_options(void)
{
    return application.ft->NewOperationOptions(&application, MI_FALSE, &output.operation);
}

static MI_Result use_delivery_options(void)
{
    return application.ft->NewSubscriptionDeliveryOptions(
        &application, MI_SubscriptionDeliveryType_Pull, &output.delivery);
}

static MI_Result use_serializer(void)
{
    MI_Char format[] = "MI_MOF_CIMV2_EXTV1";
    return application.ft->NewSerializer(&application, 0, format, &output.serializer);
}

static MI_Result use_deserializer(void)
{
    MI_Char format[] = "MI_MOF_CIMV2_EXTV1";
    return application.ft->NewDeserializer(&application, 0, format, &output.deserializer);
}

static MI_Result use_instance_from_class(void)
{
    return application.ft->NewInstanceFromClass(&application, "C", NULL, &output.instance);
}

static MI_Result use_class(void)
{
    return application.ft->NewClass(&application, NULL, "root/test", NULL, &output.class_object);
}

static const struct function {
    const char *name;
    MI_Result (*use)(void);
    size_t size; /* of the output */
} functions[] = {
    {"NewInstance", use_new_instance, sizeof(MI_Instance *)},
    {"NewDestinationOptions", use_destination_options, sizeof(MI_DestinationOptions)},
    {"NewOperationOptions", use_operation_options, sizeof(MI_OperationOptions)},
    {"NewSubscriptionDeliveryOptions", use_delivery_options,
     sizeof(MI_SubscriptionDeliveryOptions)},
    {"NewSerializer", use_serializer, sizeof(MI_Serializer)},
    {"NewDeserializer", use_deserializer, sizeof(MI_Deserializer)},
    {"NewInstanceFromClass", use_instance_from_class, sizeof(MI_Instance *)},
    {"NewClass", use_class, sizeof(MI_Class *)},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

/* ---- a host whose application counts ------------------------------------------------------------
 */

static unsigned long reached;
static MI_Result host_result;

#define HOST(function, ...)                                                                        \
    static MI_Result MI_CALL host_##function(__VA_ARGS__)                                          \
    {                                                                                              \
        reached++;                                                                                 \
        memset(&output, 0x55, sizeof(output)); /* a host may write what it likes and fail */       \
        return host_result;                                                                        \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
HOST(instance, MI_Application *a, const MI_Char *n, const MI_ClassDecl *d, MI_Instance **o)
HOST(destination, MI_Application *a, MI_DestinationOptions *o)
HOST(operation, MI_Application *a, MI_Boolean m, MI_OperationOptions *o)
HOST(delivery, MI_Application *a, MI_SubscriptionDeliveryType t, MI_SubscriptionDeliveryOptions *o)
HOST(serializer, MI_Application *a, MI_Uint32 f, MI_Char *n, MI_Serializer *o)
HOST(deserializer, MI_Application *a, MI_Uint32 f, MI_Char *n, MI_Deserializer *o)
HOST(from_class, MI_Application *a, const MI_Char *n, const MI_Class *c, MI_Instance **o)
HOST(class, MI_Application *a, const MI_ClassDecl *d, const MI_Char *n, const MI_Char *s,
     MI_Class **o)
#pragma GCC diagnostic pop

static const MI_ApplicationFT host_application_ft = {
    .NewInstance = host_instance,
    .NewDestinationOptions = host_destination,
    .NewOperationOptions = host_operation,
    .NewSubscriptionDeliveryOptions = host_delivery,
    .NewSerializer = host_serializer,
    .NewDeserializer = host_deserializer,
    .NewInstanceFromClass = host_from_class,
    .NewClass = host_class,
};

static MI_Result MI_CALL host_get_application(MI_Session *session, MI_Application *ret_application)
{
    (void)session;
    *ret_application = (MI_Application){1, 1, &host_application_ft};
    return MI_RESULT_OK;
}

static const MI_SessionFT host_session_ft = {.GetApplication = host_get_application};

static MI_Result MI_CALL host_local_session(const MI_Context *context, MI_Session *session)
{
    (void)context;
    *session = (MI_Session){1, 1, &host_session_ft};
    return MI_RESULT_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static struct stub_host *host;
static MI_ContextFT context_ft;
static MI_Context *context;
static unsigned passed, failed;

static void judge(const char *situation, const struct function *function, bool good,
                  MI_Result result)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s: %s answered %d, the host was reached %lu times\n", situation,
               function->name, (int)result, reached);
    }
}

static bool is_zeroed(size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (output.bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Each function in turn: refused with `expected` and `reason`, and nothing is left in the output.
 */
static void all_refused(const char *situation, MI_Result expected, const char *reason)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        long records = log_count("session-use", reason);
        unsigned long before = reached;
        memset(&output, 0xAA, sizeof(output));
        MI_Result result = functions[i].use();
        judge(situation, &functions[i],
              result == expected && reached == before && is_zeroed(functions[i].size) &&
                  log_count("session-use", reason) == records + 1,
              result);
    }
}

static bool refused_in_child(void *unused)
{
    (void)unused;
    all_refused("in a forked child", MI_RESULT_INVALID_PARAMETER, "handle-inherited");
    return failed == 0;
}

static void all_served(void)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        unsigned long before = reached;
        host_result = MI_RESULT_OK;
        MI_Result result = functions[i].use();
        judge("as the session's identity", &functions[i],
              result == MI_RESULT_OK && reached == before + 1, result);
        host_result = MI_RESULT_FAILED;
        result = functions[i].use();
        judge("the host fails", &functions[i],
              result == MI_RESULT_FAILED && is_zeroed(functions[i].size), result);
    }
}

static void as_somebody_else(void)
{
    if (geteuid() != 0) {
        printf("skip: another identity: needs root\n");
        return;
    }
    (void)raw_setfsuid(SOMEBODY);
    all_refused("under another fsuid", MI_RESULT_ACCESS_DENIED, "identity-mismatch");
    (void)raw_setfsuid(0);
}

static void by_forged_handles(void)
{
    MI_Application real = application;

    application.reserved2 ^= 1;
    all_refused("by a forged handle", MI_RESULT_INVALID_PARAMETER, "handle-forged");
    application = real;
}

/* A session that a rule revoked takes its application along. */
static void after_revocation(MI_Session *session)
{
    void *object = NULL;

    if (slots_acquire(&guarded_sessions,
                      (struct slots_handle){session->reserved1, (uint64_t)session->reserved2},
                      &object) != SLOTS_OK) {
        abort();
    }
    atomic_store(&((struct guarded_session *)object)->binding.revoked, true);
    all_refused("after a revocation", MI_RESULT_ACCESS_DENIED, "session-revoked");
    slots_release(&guarded_sessions, object);
}

int main(void)
{
    MI_Session session = MI_SESSION_NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    log_start();
    host = stub_host_new();
    context_ft = *host->context.ft;
    context_ft.GetLocalSession = host_local_session;
    host->context.ft = &context_ft;
    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK ||
        MI_Session_GetApplication(&session, &application) != MI_RESULT_OK) {
        printf("FAIL: no application\n0 passed, 1 failed\n");
        return 1;
    }
    all_served();
    as_somebody_else();
    by_forged_handles();
    failed += !raw_in_child(refused_in_child, NULL);
    after_revocation(&session);
    MI_Context_PostResult(context, MI_RESULT_OK);
    all_refused("behind the end of the context", MI_RESULT_INVALID_PARAMETER, "handle-stale");
    stub_host_free(host);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
