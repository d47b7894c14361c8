/* SPDX-License-Identifier: MIT */
#include "support/entry_points.h"

#include <string.h>

#include "miguard.h"

/* ---- the provider's side of an asynchronous operation ------------------------------------ */

static void MI_CALL keep_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                                MI_Boolean more, MI_Result result, const MI_Char *message,
                                const MI_Instance *details,
                                MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    struct scene *scene = context;
    (void)instance;
    (void)more;
    (void)result;
    (void)message;
    (void)details;
    scene->callbacks++;
    scene->in_callback = *operation;
    scene->acknowledge = acknowledge;
}

static void MI_CALL keep_prompt(MI_Operation *operation, void *context, const MI_Char *message,
                                MI_PromptType type,
                                MI_Result(MI_CALL *answer)(MI_Operation *,
                                                           MI_OperationCallback_ResponseType))
{
    struct scene *scene = context;
    (void)operation;
    (void)message;
    (void)type;
    scene->answer_prompt = answer;
}

static void MI_CALL keep_error(MI_Operation *operation, void *context, MI_Instance *error,
                               MI_Result(MI_CALL *answer)(MI_Operation *,
                                                          MI_OperationCallback_ResponseType))
{
    struct scene *scene = context;
    (void)operation;
    (void)error;
    scene->answer_error = answer;
}

bool scene_make(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene->host = stub_host_new();
    scene->host->items = 1000;
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    callbacks.callbackContext = scene;
    callbacks.instanceResult = keep_result;
    callbacks.promptUser = keep_prompt;
    callbacks.writeError = keep_error;

    if (miguard_guard_context(&scene->host->context, &scene->context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(scene->context, &scene->session) != MI_RESULT_OK) {
        return false;
    }
    MI_Session_EnumerateInstances(&scene->session, 0, NULL, "root/test", "Test", MI_FALSE, NULL,
                                  &scene->synchronous);
    MI_Session_EnumerateInstances(&scene->session, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, NULL,
                                  "root/test", "Test", MI_FALSE, &callbacks, &scene->asynchronous);
    if (atomic_load(&scene->host->operation_count) < 2) {
        return false; /* a policy that came into force meanwhile refused them */
    }
    scene->stub = stub_latest(scene->host);
    stub_ask(scene->stub);
    stub_report(scene->stub);
    stub_fire(scene->stub, true, true);
    return scene->acknowledge != NULL && scene->answer_prompt != NULL &&
           scene->answer_error != NULL;
}

void scene_end(struct scene *scene)
{
    if (scene->context != NULL) {
        MI_Context_PostResult(scene->context, MI_RESULT_OK);
    }
    if (scene->stub != NULL) {
        stub_fire(scene->stub, false, false); /* a host owes each operation its end */
    }
    stub_host_free(scene->host);
}

/* ---- starters ---------------------------------------------------------------------------- */

struct outcome {
    int calls;
    MI_Result result;
    bool gave_data;
};

static void MI_CALL note_instance(MI_Operation *operation, void *context,
                                  const MI_Instance *instance, MI_Boolean more, MI_Result result,
                                  const MI_Char *message, const MI_Instance *details,
                                  MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    struct outcome *outcome = context;
    (void)operation;
    (void)more;
    (void)message;
    (void)acknowledge;
    outcome->calls++;
    outcome->result = result;
    outcome->gave_data = outcome->gave_data || instance != NULL || details != NULL;
}

static void MI_CALL note_indication(MI_Operation *operation, void *context,
                                    const MI_Instance *instance, const MI_Char *bookmark,
                                    const MI_Char *machine, MI_Boolean more, MI_Result result,
                                    const MI_Char *message, const MI_Instance *details,
                                    MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)bookmark;
    (void)machine;
    note_instance(operation, context, instance, more, result, message, details, acknowledge);
}

static void MI_CALL note_class(MI_Operation *operation, void *context, const MI_Class *object,
                               MI_Boolean more, MI_Result result, const MI_Char *message,
                               const MI_Instance *details,
                               MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    note_instance(operation, context, (const MI_Instance *)(const void *)object, more, result,
                  message, details, acknowledge);
}

enum kind { INSTANCE, INDICATION, CLASS };

/* What the started operation says of itself, in the way that it was started. A refusal must say
 * the same each time it is asked, by whichever Get*. */
static MI_Result result_of(MI_Operation *operation, enum kind kind, const struct outcome *outcome,
                           bool asynchronous)
{
    const MI_Instance *instance = NULL;
    const MI_Class *object = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    if (asynchronous && outcome->calls == 0) {
        return MI_RESULT_OK; /* it runs */
    }
    if (asynchronous && outcome->gave_data) {
        return MI_RESULT_FAILED;
    }
    if (kind == CLASS) {
        MI_Operation_GetClass(operation, &object, &more, &result, NULL, NULL);
    } else if (kind == INDICATION) {
        MI_Operation_GetIndication(operation, &instance, NULL, NULL, &more, &result, NULL, NULL);
    } else {
        MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);
    }
    if (result != MI_RESULT_OK && (more || instance != NULL || object != NULL)) {
        return MI_RESULT_FAILED; /* a refusal that gives something out is none */
    }
    return asynchronous && outcome->result != result ? MI_RESULT_FAILED : result;
}

#define STARTER(Name, kind, slot, ...)                                                             \
    static MI_Result call_##Name(struct scene *scene, int *ret_final_callbacks, bool asynchronous) \
    {                                                                                              \
        struct outcome outcome = {0, MI_RESULT_OK, false};                                         \
        MI_Operation operation = MI_OPERATION_NULL;                                                \
        MI_Instance instance;                                                                      \
        MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;                              \
        memset(&instance, 0, sizeof(instance));                                                    \
        callbacks.callbackContext = &outcome;                                                      \
        callbacks.instanceResult = (kind) == INSTANCE ? note_instance : NULL;                      \
        callbacks.indicationResult = (kind) == INDICATION ? note_indication : NULL;                \
        callbacks.classResult = (kind) == CLASS ? note_class : NULL;                               \
        MI_OperationCallbacks *given = asynchronous ? &callbacks : NULL;                           \
        (void)instance;                                                                            \
        slot(&scene->session, 0, __VA_ARGS__, given, &operation);                                  \
        *ret_final_callbacks = outcome.calls;                                                      \
        MI_Result result = result_of(&operation, kind, &outcome, asynchronous);                    \
        MI_Operation_Close(&operation);                                                            \
        if (asynchronous && result == MI_RESULT_OK) {                                              \
            stub_fire(stub_latest(scene->host), false, false);                                     \
        }                                                                                          \
        return result;                                                                             \
    }                                                                                              \
    static MI_Result call_##Name##_sync(struct scene *scene, int *ret_final_callbacks)             \
    {                                                                                              \
        return call_##Name(scene, ret_final_callbacks, false);                                     \
    }                                                                                              \
    static MI_Result call_##Name##_async(struct scene *scene, int *ret_final_callbacks)            \
    {                                                                                              \
        return call_##Name(scene, ret_final_callbacks, true);                                      \
    }

#define SPACE NULL, "root/test"
STARTER(GetInstance, INSTANCE, MI_Session_GetInstance, SPACE, &instance)
STARTER(ModifyInstance, INSTANCE, MI_Session_ModifyInstance, SPACE, &instance)
STARTER(CreateInstance, INSTANCE, MI_Session_CreateInstance, SPACE, &instance)
STARTER(DeleteInstance, INSTANCE, MI_Session_DeleteInstance, SPACE, &instance)
STARTER(Invoke, INSTANCE, MI_Session_Invoke, SPACE, "Test", "Do", &instance, NULL)
STARTER(EnumerateInstances, INSTANCE, MI_Session_EnumerateInstances, SPACE, "Test", MI_FALSE)
STARTER(QueryInstances, INSTANCE, MI_Session_QueryInstances, SPACE, "WQL", "select * from Test")
STARTER(AssociatorInstances, INSTANCE, MI_Session_AssociatorInstances, SPACE, &instance, "A", "B",
        "c", "d", MI_FALSE)
STARTER(ReferenceInstances, INSTANCE, MI_Session_ReferenceInstances, SPACE, &instance, "A", "b",
        MI_FALSE)
STARTER(Subscribe, INDICATION, MI_Session_Subscribe, SPACE, "WQL", "select * from I", NULL)
STARTER(GetClass, CLASS, MI_Session_GetClass, SPACE, "Test")
STARTER(EnumerateClasses, CLASS, MI_Session_EnumerateClasses, SPACE, "Test", MI_FALSE)

static MI_Result call_TestConnection(struct scene *scene, int *ret_final_callbacks,
                                     bool asynchronous)
{
    struct outcome outcome = {0, MI_RESULT_OK, false};
    MI_Operation operation = MI_OPERATION_NULL;
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;

    callbacks.callbackContext = &outcome;
    callbacks.instanceResult = note_instance;
    MI_Session_TestConnection(&scene->session, 0, asynchronous ? &callbacks : NULL, &operation);
    *ret_final_callbacks = outcome.calls;
    MI_Result result = result_of(&operation, INSTANCE, &outcome, asynchronous);
    MI_Operation_Close(&operation);
    if (asynchronous && result == MI_RESULT_OK) {
        stub_fire(stub_latest(scene->host), false, false);
    }
    return result;
}

static MI_Result call_TestConnection_sync(struct scene *scene, int *ret_final_callbacks)
{
    return call_TestConnection(scene, ret_final_callbacks, false);
}

static MI_Result call_TestConnection_async(struct scene *scene, int *ret_final_callbacks)
{
    return call_TestConnection(scene, ret_final_callbacks, true);
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void MI_CALL count_completion(void *context)
{
    ++*(int *)context;
}

static MI_Result call_session_close(struct scene *scene, int *ret_final_callbacks)
{
    return MI_Session_Close(&scene->session, ret_final_callbacks, count_completion);
}

static MI_Result call_get_application(struct scene *scene, int *ret_final_callbacks)
{
    MI_Application application;
    (void)ret_final_callbacks;
    memset(&application, 0xAA, sizeof(application));
    MI_Result result = MI_Session_GetApplication(&scene->session, &application);
    return result != MI_RESULT_OK && application.ft != NULL ? MI_RESULT_FAILED : result;
}

/* A refused Get* gives nothing, says so twice, and changes nothing. */
#define GETTER(Name, way, member, Function, object_type, ...)                                      \
    static MI_Result call_##Name##_##way(struct scene *scene, int *ret_final_callbacks)            \
    {                                                                                              \
        const object_type *object = NULL;                                                          \
        MI_Boolean more = MI_TRUE;                                                                 \
        MI_Result result = MI_RESULT_OK;                                                           \
        const MI_Instance *details = NULL;                                                         \
        (void)ret_final_callbacks;                                                                 \
        MI_Result answer =                                                                         \
            Function(&scene->member, &object, __VA_ARGS__ & more, &result, NULL, &details);        \
        bool gave = object != NULL || details != NULL;                                             \
        return answer != MI_RESULT_OK && (gave || more || result != answer) ? MI_RESULT_FAILED     \
                                                                            : answer;              \
    }
#define NOTHING
GETTER(op_get_instance, sync, synchronous, MI_Operation_GetInstance, MI_Instance, NOTHING)
GETTER(op_get_instance, async, asynchronous, MI_Operation_GetInstance, MI_Instance, NOTHING)
#define NO_NAMES NULL, NULL,
GETTER(op_get_indication, sync, synchronous, MI_Operation_GetIndication, MI_Instance, NO_NAMES)
GETTER(op_get_indication, async, asynchronous, MI_Operation_GetIndication, MI_Instance, NO_NAMES)
GETTER(op_get_class, sync, synchronous, MI_Operation_GetClass, MI_Class, NOTHING)
GETTER(op_get_class, async, asynchronous, MI_Operation_GetClass, MI_Class, NOTHING)

#define SIMPLE(name, expression)                                                                   \
    static MI_Result call_##name(struct scene *scene, int *ret_final_callbacks)                    \
    {                                                                                              \
        (void)ret_final_callbacks;                                                                 \
        return expression;                                                                         \
    }

static MI_Result get_session(MI_Operation *operation)
{
    MI_Session session;
    memset(&session, 0xAA, sizeof(session));
    MI_Result result = MI_Operation_GetSession(operation, &session);
    return result != MI_RESULT_OK && session.ft != NULL ? MI_RESULT_FAILED : result;
}

SIMPLE(op_get_session_sync, get_session(&scene->synchronous))
SIMPLE(op_get_session_async, get_session(&scene->asynchronous))
SIMPLE(op_cancel_sync, MI_Operation_Cancel(&scene->synchronous, MI_REASON_NONE))
SIMPLE(op_cancel_async, MI_Operation_Cancel(&scene->asynchronous, MI_REASON_NONE))
SIMPLE(op_close_sync, MI_Operation_Close(&scene->synchronous))
SIMPLE(op_close_async, MI_Operation_Close(&scene->asynchronous))
SIMPLE(acknowledge, scene->acknowledge(&scene->in_callback))
SIMPLE(answer_prompt,
       scene->answer_prompt(&scene->in_callback, MI_OperationCallback_ResponseType_Yes))
SIMPLE(answer_error,
       scene->answer_error(&scene->in_callback, MI_OperationCallback_ResponseType_Yes))

#define BOTH(name, function)                                                                       \
    {name, ENTRY_SYNC, function##_sync, false},                                                    \
    {                                                                                              \
        name, ENTRY_ASYNC, function##_async, false                                                 \
    }

const struct entry_point entry_points[] = {
    {"Session_Close", ENTRY_SYNC, call_session_close, false},
    {"Session_GetApplication", ENTRY_SYNC, call_get_application, false},
    BOTH("Session_GetInstance", call_GetInstance),
    BOTH("Session_ModifyInstance", call_ModifyInstance),
    BOTH("Session_CreateInstance", call_CreateInstance),
    BOTH("Session_DeleteInstance", call_DeleteInstance),
    BOTH("Session_Invoke", call_Invoke),
    BOTH("Session_EnumerateInstances", call_EnumerateInstances),
    BOTH("Session_QueryInstances", call_QueryInstances),
    BOTH("Session_AssociatorInstances", call_AssociatorInstances),
    BOTH("Session_ReferenceInstances", call_ReferenceInstances),
    BOTH("Session_Subscribe", call_Subscribe),
    BOTH("Session_GetClass", call_GetClass),
    BOTH("Session_EnumerateClasses", call_EnumerateClasses),
    BOTH("Session_TestConnection", call_TestConnection),
    BOTH("Operation_GetInstance", call_op_get_instance),
    BOTH("Operation_GetIndication", call_op_get_indication),
    BOTH("Operation_GetClass", call_op_get_class),
    BOTH("Operation_GetSession", call_op_get_session),
    {"acknowledgement", ENTRY_ASYNC, call_acknowledge, false},
    {"prompt answer", ENTRY_ASYNC, call_answer_prompt, false},
    {"error answer", ENTRY_ASYNC, call_answer_error, false},
    BOTH("Operation_Cancel", call_op_cancel),
    {"Operation_Close", ENTRY_SYNC, call_op_close_sync, true},
    {"Operation_Close", ENTRY_ASYNC, call_op_close_async, true},
};

const unsigned entry_point_count = sizeof(entry_points) / sizeof(entry_points[0]);
