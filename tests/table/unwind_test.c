/* SPDX-License-Identifier: MIT */
/*
 * Threads that are ended from inside: by pthread_exit(3) in each callback of a provider and in each
 * of its functions. The thread is itself again when the host's own frames are unwound, no pin and
 * no lock is left, and the host is not left waiting. And which state of cancellation such code
 * sees.
 *
 * tests/live/unwind_cxx_test.sh does the same with C++ exceptions.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "miguard/host.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { SOMEBODY = 65534, PATIENCE = 60 };

static unsigned passed, failed;
static const char *row_name = "";

static void check(bool right, const char *what)
{
    passed += right;
    failed += !right;
    if (!right) {
        printf("FAIL %s: %s\n", row_name, what);
    }
}

static void hang(int signal)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "FAIL %s: hangs\n%u passed, %u failed\n", row_name,
                          passed, failed + 1);
    (void)signal;
    (void)!write(STDOUT_FILENO, text, (size_t)length);
    _exit(1);
}

static void *run(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    void *result = NULL;

    if (pthread_create(&thread, NULL, function, argument) != 0) {
        abort();
    }
    pthread_join(thread, &result);
    return result;
}

struct pins {
    uint32_t contexts, sessions, operations;
};

static struct pins pins_now(void)
{
    return (struct pins){slots_in_use(&guarded_contexts), slots_in_use(&guarded_sessions),
                         slots_in_use(&guarded_operations)};
}

static int cancel_state(void)
{
    int state = -1;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    (void)pthread_setcancelstate(state, NULL);
    return state;
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static struct stub_host *host;
static MI_Context *context;
static MI_Session session;

static enum { LEAVE, LOOK } deed;
static atomic_int called, state_inside;
static uid_t fsuid_inside, fsuid_at_host;

static void act(void)
{
    called++;
    fsuid_inside = (uid_t)setfsuid((uid_t)-1);
    state_inside = cancel_state();
    if (deed == LEAVE) {
        pthread_exit((void *)1);
    }
}

static void MI_CALL on_instance(MI_Operation *operation, void *data, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)data, (void)instance, (void)more, (void)result, (void)message;
    (void)details, (void)acknowledge;
    act();
}

static void MI_CALL on_indication(MI_Operation *operation, void *data, const MI_Instance *instance,
                                  const MI_Char *bookmark, const MI_Char *machine, MI_Boolean more,
                                  MI_Result result, const MI_Char *message,
                                  const MI_Instance *details,
                                  MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)bookmark, (void)machine;
    on_instance(operation, data, instance, more, result, message, details, acknowledge);
}

static void MI_CALL on_class(MI_Operation *operation, void *data, const MI_Class *object,
                             MI_Boolean more, MI_Result result, const MI_Char *message,
                             const MI_Instance *details,
                             MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)object;
    on_instance(operation, data, NULL, more, result, message, details, acknowledge);
}

static void MI_CALL on_question(MI_Operation *operation, void *data, const MI_Char *message,
                                MI_PromptType type,
                                MI_Result(MI_CALL *answer)(MI_Operation *,
                                                           MI_OperationCallback_ResponseType))
{
    (void)operation, (void)data, (void)message, (void)type, (void)answer;
    act();
}

static void MI_CALL on_error(MI_Operation *operation, void *data, MI_Instance *error,
                             MI_Result(MI_CALL *answer)(MI_Operation *,
                                                        MI_OperationCallback_ResponseType))
{
    (void)operation, (void)data, (void)error, (void)answer;
    act();
}

static void MI_CALL on_message(MI_Operation *operation, void *data, MI_Uint32 channel,
                               const MI_Char *message)
{
    (void)operation, (void)data, (void)channel, (void)message;
    act();
}

static void MI_CALL on_progress(MI_Operation *operation, void *data, const MI_Char *activity,
                                const MI_Char *current, const MI_Char *status, MI_Uint32 percent,
                                MI_Uint32 seconds)
{
    (void)operation, (void)data, (void)activity, (void)current, (void)status, (void)percent;
    (void)seconds;
    act();
}

static void MI_CALL on_parameter(MI_Operation *operation, void *data, const MI_Char *name,
                                 MI_Type type, const MI_Value *value,
                                 MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)data, (void)name, (void)type, (void)value, (void)acknowledge;
    act();
}

enum kind { INSTANCE, INDICATION, CLASS };

static void fire_item(struct stub_operation *stub)
{
    stub_fire(stub, true, false);
}
static void fire_item_ack(struct stub_operation *stub)
{
    stub_fire(stub, true, true);
}
static void fire_final(struct stub_operation *stub)
{
    stub_fire(stub, false, false);
}
static void fire_final_ack(struct stub_operation *stub)
{
    stub_fire(stub, false, true);
}

static MI_Result MI_CALL count_acknowledgement(MI_Operation *operation)
{
    (void)operation;
    atomic_fetch_add(&host->acknowledged, 1);
    return MI_RESULT_OK;
}

static void fire_parameter(struct stub_operation *stub)
{
    MI_Operation inner = MI_OPERATION_NULL;
    stub->callbacks.streamedParameterResult(&inner, stub->callbacks.callbackContext, "p", MI_UINT32,
                                            NULL, count_acknowledgement);
}

static void fire_message(struct stub_operation *stub)
{
    MI_Operation inner = MI_OPERATION_NULL;
    stub->callbacks.writeMessage(&inner, stub->callbacks.callbackContext, 0, "m");
}

static void fire_progress(struct stub_operation *stub)
{
    MI_Operation inner = MI_OPERATION_NULL;
    stub->callbacks.writeProgress(&inner, stub->callbacks.callbackContext, "a", "b", "c", 1, 2);
}

struct row {
    const char *name;
    enum kind kind;
    void (*fire)(struct stub_operation *stub);
    unsigned acknowledged, prompts, errors; /* what the host has got then */
    bool final;
};

static const struct row rows[] = {
    {"instance", INSTANCE, fire_item, 0, 0, 0, false},
    {"instance, to acknowledge", INSTANCE, fire_item_ack, 1, 0, 0, false},
    {"final", INSTANCE, fire_final, 0, 0, 0, true},
    {"final, to acknowledge", INSTANCE, fire_final_ack, 1, 0, 0, true},
    {"indication, to acknowledge", INDICATION, fire_item_ack, 1, 0, 0, false},
    {"final indication", INDICATION, fire_final_ack, 1, 0, 0, true},
    {"class, to acknowledge", CLASS, fire_item_ack, 1, 0, 0, false},
    {"final class", CLASS, fire_final_ack, 1, 0, 0, true},
    {"prompt", INSTANCE, stub_ask, 0, 1, 0, false},
    {"error", INSTANCE, stub_report, 0, 0, 1, false},
    {"message", INSTANCE, fire_message, 0, 0, 0, false},
    {"progress", INSTANCE, fire_progress, 0, 0, 0, false},
    {"streamed parameter", INSTANCE, fire_parameter, 1, 0, 0, false},
};

/* In the frame of the host, when the callback has left it. */
static void host_unwound(void *unused)
{
    (void)unused;
    fsuid_at_host = (uid_t)setfsuid((uid_t)-1);
}

static void *host_thread(void *argument)
{
    const struct row *row = argument;

    (void)setfsuid(SOMEBODY); /* so that the session's identity has to be adopted */
    pthread_cleanup_push(host_unwound, NULL);
    row->fire(stub_latest(host));
    pthread_cleanup_pop(1);
    check(cancel_state() == PTHREAD_CANCEL_ENABLE, "cancellation afterwards");
    return NULL;
}

static void start(enum kind kind, MI_Operation *operation)
{
    MI_OperationCallbacks callbacks = {.promptUser = on_question,
                                       .writeError = on_error,
                                       .writeMessage = on_message,
                                       .writeProgress = on_progress,
                                       .streamedParameterResult = on_parameter};

    if (kind == INSTANCE) {
        callbacks.instanceResult = on_instance;
        MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "Test", MI_FALSE, &callbacks,
                                      operation);
    } else if (kind == INDICATION) {
        callbacks.indicationResult = on_indication;
        MI_Session_Subscribe(&session, 0, NULL, "root/test", "WQL", "q", NULL, &callbacks,
                             operation);
    } else {
        callbacks.classResult = on_class;
        MI_Session_GetClass(&session, 0, NULL, "root/test", "Test", &callbacks, operation);
    }
}

static void try_row(const struct row *row)
{
    const struct pins before = pins_now();
    MI_Operation operation = MI_OPERATION_NULL;

    alarm(PATIENCE);
    row_name = row->name;
    called = 0;
    fsuid_at_host = 0;
    start(row->kind, &operation);
    host->acknowledged = host->prompts_answered = host->errors_answered = 0;
    void *result = run(host_thread, (void *)(uintptr_t)row);
    check(called == 1, "the callback came once");
    check((result == (void *)1) == (deed == LEAVE), "the end of the thread");
    check(fsuid_inside == 0, "the callback ran as the session");
    check(state_inside == PTHREAD_CANCEL_DISABLE, "cancellation in the callback");
    check(fsuid_at_host == SOMEBODY, "the host's thread is itself again");
    if (deed == LEAVE) {
        check(host->acknowledged == row->acknowledged, "acknowledgements");
        check(host->prompts_answered == row->prompts, "answers to a prompt");
        check(host->errors_answered == row->errors, "answers to an error");
        if (!row->final) {
            deed = LOOK;
            stub_fire(stub_latest(host), false, false); /* the host goes on to the end */
            deed = LEAVE;
            check(called == 2, "the final comes");
        }
        (void)MI_Operation_Close(&operation);
        const struct pins after = pins_now();
        check(memcmp(&before, &after, sizeof(before)) == 0, "a pin is left");
    } else {
        (void)MI_Operation_Close(&operation);
    }
    (void)!miguard_switch_back(NULL); /* records */
    alarm(0);
}

/* A refused start has its callback on the spot; the end of a context has those of what is open. */
static void *refused_start(void *unused)
{
    MI_Operation operation = MI_OPERATION_NULL;
    (void)setfsuid(SOMEBODY);
    start(INSTANCE, &operation);
    return unused;
}

static void MI_CALL closed(void *unused)
{
    (void)unused;
    act();
}

static void *close_session(void *unused)
{
    (void)MI_Session_Close(&session, NULL, closed);
    return unused;
}

static void try_on_the_spot(const char *name, void *(*function)(void *))
{
    const struct pins before = pins_now();

    alarm(PATIENCE);
    row_name = name;
    called = 0;
    check(run(function, NULL) == (void *)1, "the end of the thread");
    check(called == 1 && state_inside == PTHREAD_CANCEL_DISABLE, "the callback");
    const struct pins after = pins_now();
    check(memcmp(&before, &after, sizeof(before)) == 0, "a pin is left");
    (void)!miguard_switch_back(NULL);
    alarm(0);
}

/* ---- the provider's own functions -------------------------------------------------------------
 */

static void *volatile answered; /* the context that was posted to */

static void method_acts(MI_Context *given)
{
    act();
    answered = given;
    MI_Context_PostResult(given, MI_RESULT_OK);
}

static void MI_CALL p_load(void **self, MI_Module_Self *module, MI_Context *given)
{
    (void)self, (void)module;
    MI_Context_PostResult(given, MI_RESULT_OK);
}

static void MI_CALL p_enumerate(void *self, MI_Context *given, const MI_Char *space,
                                const MI_Char *name, const MI_PropertySet *set,
                                MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)space, (void)name, (void)set, (void)keys_only, (void)filter;
    method_acts(given);
}

static void MI_CALL p_get(void *self, MI_Context *given, const MI_Char *space, const MI_Char *name,
                          const MI_Instance *instance, const MI_PropertySet *set)
{
    (void)self, (void)space, (void)name, (void)instance, (void)set;
    method_acts(given);
}

static void MI_CALL p_invoke(void *self, MI_Context *given, const MI_Char *space,
                             const MI_Char *name, const MI_Char *method,
                             const MI_Instance *instance, const MI_Instance *parameters)
{
    (void)self, (void)space, (void)name, (void)method, (void)instance, (void)parameters;
    method_acts(given);
}

static void MI_CALL p_unload(void *self, MI_Context *given)
{
    (void)self;
    MI_Context_PostResult(given, MI_RESULT_OK);
}

static const MI_ProviderFT provider = {.Load = p_load,
                                       .Unload = p_unload,
                                       .EnumerateInstances = p_enumerate,
                                       .GetInstance = p_get,
                                       .Invoke = p_invoke};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};
static const MI_ProviderFT *wrapped;
static void *wrapped_self;

/* Each request has a context of its own: one that is guarded already has its guard. */
static MI_Context *next_request(void)
{
    static MI_Context requests[16];
    static unsigned count;

    requests[count] = host->context;
    return &requests[count++];
}

static void *enumerate(void *unused)
{
    wrapped->EnumerateInstances(wrapped_self, next_request(), "s", "c", NULL, MI_FALSE, NULL);
    return unused;
}

static void *get(void *unused)
{
    wrapped->GetInstance(wrapped_self, next_request(), "s", "c", NULL, NULL);
    return unused;
}

static void *invoke(void *unused)
{
    wrapped->Invoke(wrapped_self, next_request(), "s", "c", "m", NULL, NULL);
    return unused;
}

/* Its function sees the state that the host has; the context is the provider's to end. */
static void try_method(const char *name, void *(*function)(void *))
{
    alarm(PATIENCE);
    row_name = name;
    for (int left = 0; left < 2; left++) {
        const struct pins before = pins_now();
        deed = left != 0 ? LEAVE : LOOK;
        called = 0;
        void *result = run(function, NULL);
        const struct pins after = pins_now();
        check(called == 1, "the function ran");
        check(state_inside == PTHREAD_CANCEL_ENABLE, "cancellation in the provider's function");
        check((result == (void *)1) == (left != 0), "the end of the thread");
        check(after.contexts == before.contexts + (unsigned)left,
              left != 0 ? "the context waits for its final" : "a pin is left");
    }
    alarm(0);
}

static MI_Module *wrapped_main(MI_Server *server)
{
    return miguard_wrap_module(server, &module);
}

/* The embedded server finishes what a provider has left, for the client on the same thread and for
 * the one that is called back on a worker. */
static atomic_int finals;
static atomic_int final_result;

static void MI_CALL on_final(MI_Operation *operation, void *data, const MI_Instance *instance,
                             MI_Boolean more, MI_Result result, const MI_Char *message,
                             const MI_Instance *details,
                             MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)data, (void)instance, (void)message, (void)details, (void)acknowledge;
    if (!more) {
        final_result = (int)result;
        finals++;
        if (data != NULL) {
            pthread_exit(NULL);
        }
    }
}

static MI_Session client;

static void *ask_for_many(void *argument)
{
    MI_Session_EnumerateInstances(&client, 0, NULL, "s", "c", MI_FALSE, NULL, argument);
    return NULL;
}

static void *ask_for_one(void *argument)
{
    static const MI_ClassDecl decl = {
        .flags = MI_FLAG_CLASS, .name = "c", .size = sizeof(MI_Instance)};
    const MI_Instance key = {.classDecl = &decl};

    MI_Session_GetInstance(&client, 0, NULL, "s", &key, NULL, argument);
    return NULL;
}

/* A synchronous request: one for an object runs on the thread that asks, one for many on another.
 */
static void try_synchronous(void *(*ask)(void *), bool ends)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    check((run(ask, &operation) == (void *)1) == ends, "the end of the asking thread");
    check(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL) ==
                  MI_RESULT_OK &&
              result == MI_RESULT_FAILED,
          "another thread gets the end");
    (void)MI_Operation_Close(&operation);
}

static void try_embedded(void)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_final};
    MI_Operation operation = MI_OPERATION_NULL;
    struct miguard_host *server = NULL;

    alarm(PATIENCE);
    row_name = "the embedded server";
    check(miguard_host_new(NULL, &server, NULL) == MIGUARD_OK &&
              miguard_host_add(server, wrapped_main, "*", NULL) == MIGUARD_OK &&
              miguard_host_session(server, &client, NULL) == MIGUARD_OK,
          "a server");
    deed = LEAVE;
    try_synchronous(ask_for_one, true);
    try_synchronous(ask_for_many, false);
    for (int leaves = 0; leaves < 2; leaves++) {
        finals = 0;
        callbacks.callbackContext = leaves != 0 ? &finals : NULL;
        MI_Session_EnumerateInstances(&client, 0, NULL, "s", "c", MI_FALSE, &callbacks, &operation);
        while (finals == 0) {
            usleep(1000);
        }
        check(final_result == MI_RESULT_FAILED, "the final of a worker that was ended");
        (void)MI_Operation_Close(&operation);
    }
    usleep(20000);
    check(finals == 1, "one final");
    (void)MI_Session_Close(&client, NULL, NULL);
    deed = LOOK;
    miguard_host_free(server); /* waits for all that is open */
    alarm(0);
}

int main(void)
{
    MI_Server server;

    if (geteuid() != 0) {
        printf("skip: unwind: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    (void)signal(SIGALRM, hang);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    log_start();
    host = stub_host_new();
    memset(&server, 0, sizeof(server));
    check(miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
              MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK,
          "a session");
    for (deed = LEAVE; deed <= LOOK; deed++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            try_row(&rows[i]);
        }
    }
    deed = LEAVE;
    try_on_the_spot("refused start", refused_start);
    try_on_the_spot("close of a session", close_session);
    const MI_Module *guarded = miguard_wrap_module(&server, &module);
    MI_Module_Self *module_self = NULL;
    guarded->Load(&module_self, next_request());
    wrapped = guarded->dynamicProviderFT;
    wrapped->Load(&wrapped_self, module_self, next_request());
    try_method("EnumerateInstances", enumerate);
    try_method("GetInstance", get);
    try_method("Invoke", invoke);
    try_embedded();
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
