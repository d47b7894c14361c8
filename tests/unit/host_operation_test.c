/* SPDX-License-Identifier: MIT */
/* Sessions and operations of the embedded server, by the rules of reference B, C and J. */
#include "host_module.h"

#include <check.h>

#include "host/server/host.h"

static char ids[256];

/* ---- a client that takes results by callback --------------------------------------------- */

struct client {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    MI_Operation operation; /* as in the last call */
    pthread_t thread;       /* of the last call */
    bool operation_given;
    unsigned calls, items, empty, finals, after_final, running, overlaps, other_threads;
    MI_Result result;
    char message[128];
    bool has_details;
    MI_Result (*acknowledge)(MI_Operation *operation);
    MI_Result (*answer)(MI_Operation *operation, MI_OperationCallback_ResponseType response);
    /* What it is to do: */
    bool acknowledge_at_once, first_twice, close_at_final, close_at_item, cancel_at_item;
    int response; /* -1: none */
    MI_Result close_result;
    const MI_Instance *item; /* of the last call with one */
    unsigned prompts, errors, messages, progress;
};

static struct client client;

static void client_init(void)
{
    memset(&client, 0, sizeof(client));
    pthread_mutex_init(&client.lock, NULL);
    pthread_cond_init(&client.changed, NULL);
    client.response = -1;
}

static void take(struct client *to, MI_Operation *operation, bool item, MI_Boolean more,
                 MI_Result result, const MI_Char *message, const MI_Instance *details,
                 MI_Result (*acknowledge)(MI_Operation *))
{
    pthread_mutex_lock(&to->lock);
    to->overlaps += to->running++ > 0;
    to->after_final += to->finals > 0;
    to->operation_given = operation != NULL;
    if (operation != NULL) {
        to->operation = *operation;
    }
    to->other_threads += to->calls++ > 0 && !pthread_equal(to->thread, pthread_self());
    to->thread = pthread_self();
    to->acknowledge = acknowledge;
    to->items += item;
    to->empty += !item && more;
    bool close = more ? item && to->close_at_item : to->close_at_final;
    bool cancel = more && to->cancel_at_item;
    if (!more) {
        to->result = result;
        snprintf(to->message, sizeof(to->message), "%s", message == NULL ? "" : message);
        to->has_details = details != NULL;
    }
    pthread_mutex_unlock(&to->lock);

    if (cancel) {
        MI_Operation_Cancel(operation, MI_REASON_NONE);
    }
    MI_Result closed = close ? MI_Operation_Close(operation) : MI_RESULT_OK;
    if (acknowledge != NULL && to->acknowledge_at_once) {
        acknowledge(operation);
    }
    for (int i = 0; to->first_twice && item && to->items == 1 && i < 2; i++) {
        acknowledge(operation);
    }
    pthread_mutex_lock(&to->lock);
    to->close_result = close ? closed : to->close_result;
    to->finals += !more;
    to->running--;
    pthread_cond_broadcast(&to->changed);
    pthread_mutex_unlock(&to->lock);
}

static void on_instance(MI_Operation *operation, void *context, const MI_Instance *instance,
                        MI_Boolean more, MI_Result result, const MI_Char *message,
                        const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    struct client *to = context;

    if (instance != NULL) {
        pthread_mutex_lock(&to->lock);
        to->item = instance;
        pthread_mutex_unlock(&to->lock);
    }
    take(to, operation, instance != NULL, more, result, message, details, acknowledge);
}

static void on_indication(MI_Operation *operation, void *context, const MI_Instance *instance,
                          const MI_Char *bookmark, const MI_Char *machine, MI_Boolean more,
                          MI_Result result, const MI_Char *message, const MI_Instance *details,
                          MI_Result (*acknowledge)(MI_Operation *))
{
    ck_assert(bookmark == NULL && machine == NULL);
    take(context, operation, instance != NULL, more, result, message, details, acknowledge);
}

static void on_class(MI_Operation *operation, void *context, const MI_Class *class_item,
                     MI_Boolean more, MI_Result result, const MI_Char *message,
                     const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    take(context, operation, class_item != NULL, more, result, message, details, acknowledge);
}

static MI_OperationCallbacks async_callbacks(void)
{
    return (MI_OperationCallbacks){.callbackContext = &client,
                                   .instanceResult = on_instance,
                                   .indicationResult = on_indication,
                                   .classResult = on_class};
}

static void await_finals(unsigned finals)
{
    pthread_mutex_lock(&client.lock);
    while (client.finals < finals) {
        pthread_cond_wait(&client.changed, &client.lock);
    }
    pthread_mutex_unlock(&client.lock);
}

static unsigned await_items(unsigned items)
{
    pthread_mutex_lock(&client.lock);
    while (client.items < items) {
        pthread_cond_wait(&client.changed, &client.lock);
    }
    unsigned now = client.items;
    pthread_mutex_unlock(&client.lock);
    return now;
}

/* All that a request leaves behind goes on other threads: give them time. */
static void expect_nothing_left(void)
{
    for (int i = 0; i < 2000 && operation_in_use() + context_in_use() > 0; i++) {
        nap(5);
    }
    ck_assert_uint_eq(operation_in_use(), 0);
    ck_assert_uint_eq(context_in_use(), 0);
}

/* Until the provider has been called so often. */
static void await_calls(uint64_t calls)
{
    while (miguard_host_provider_calls(host) < calls) {
        nap(1);
    }
}

/* ---- bad input and the error operation (reference B.4, B.5) ------------------------------ */

enum starter {
    S_GET,
    S_MODIFY,
    S_CREATE,
    S_DELETE,
    S_INVOKE,
    S_ENUMERATE,
    S_QUERY,
    S_ASSOCIATORS,
    S_REFERENCES,
    S_SUBSCRIBE,
    S_GET_CLASS,
    S_CLASSES,
    S_TEST,
    STARTERS
};

static const char *const starter_names[STARTERS] = {
    "Get",   "Modify",     "Create",    "Delete",   "Invoke",  "Enumerate", "Query",
    "Assoc", "References", "Subscribe", "GetClass", "Classes", "Test",
};

/* complete: with all that is required. */
static void start(enum starter starter, MI_Session *on, bool complete,
                  MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    MI_Instance *instance = complete ? key("T_Widget", "a") : NULL;
    const MI_Char *name = complete ? "T_Widget" : NULL;
    const MI_SessionFT *ft = on->ft;

    switch (starter) {
    case S_GET:
        ft->GetInstance(on, 0, NULL, SPACE, instance, callbacks, operation);
        break;
    case S_MODIFY:
        ft->ModifyInstance(on, 0, NULL, SPACE, instance, callbacks, operation);
        break;
    case S_CREATE:
        ft->CreateInstance(on, 0, NULL, SPACE, instance, callbacks, operation);
        break;
    case S_DELETE:
        ft->DeleteInstance(on, 0, NULL, SPACE, instance, callbacks, operation);
        break;
    case S_INVOKE:
        ft->Invoke(on, 0, NULL, SPACE, "T_Widget", complete ? "Add" : NULL, NULL, NULL, callbacks,
                   operation);
        break;
    case S_ENUMERATE:
        ft->EnumerateInstances(on, 0, NULL, SPACE, name, MI_FALSE, callbacks, operation);
        break;
    case S_QUERY:
        ft->QueryInstances(on, 0, NULL, SPACE, complete ? "WQL" : NULL,
                           complete ? "SELECT * FROM T_Widget" : NULL, callbacks, operation);
        break;
    case S_ASSOCIATORS:
        ft->AssociatorInstances(on, 0, NULL, SPACE, instance, NULL, NULL, NULL, NULL, MI_FALSE,
                                callbacks, operation);
        break;
    case S_REFERENCES:
        ft->ReferenceInstances(on, 0, NULL, SPACE, instance, NULL, NULL, MI_FALSE, callbacks,
                               operation);
        break;
    case S_SUBSCRIBE:
        ft->Subscribe(on, 0, NULL, SPACE, name, name, NULL, callbacks, operation);
        break;
    case S_GET_CLASS:
        ft->GetClass(on, 0, NULL, SPACE, name, callbacks, operation);
        break;
    case S_CLASSES:
        ft->EnumerateClasses(on, 0, NULL, SPACE, name, MI_FALSE, callbacks, operation);
        break;
    default:
        ft->TestConnection(on, 0, callbacks, operation);
        break;
    }
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
}

#define OK  MI_RESULT_OK
#define BAD MI_RESULT_INVALID_PARAMETER
#define DIA MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED

/*                              Get  Mod  Cre  Del  Inv  Enum Que  Ass  Ref  Sub  GetC EnC  Test */
static const struct {
    const char *title;
    bool stale, complete, pointer;
    MI_Result results[STARTERS];
} inputs[] = {
    {"complete", false, true, true, {OK, OK, OK, OK, OK, OK, OK, OK, OK, DIA, OK, OK, OK}},
    {"what is required is NULL",
     false,
     false,
     true,
     {BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, OK, OK}},
    {"closed session",
     true,
     true,
     true,
     {BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD}},
    {"no operation struct",
     false,
     true,
     false,
     {BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD}},
};

/* The session that a row works on. */
static MI_Session row_session(int row)
{
    MI_Session on = session;
    if (inputs[row].stale) {
        ck_assert_int_eq(miguard_host_session(host, &on, NULL), MIGUARD_OK);
        ck_assert_int_eq(MI_Session_Close(&on, NULL, NULL), MI_RESULT_OK);
    }
    return on;
}

/* A failed operation in every respect. */
static void expect_error(MI_Operation *operation, const MI_Session *on, MI_Result expected)
{
    const MI_Instance *instance = (const MI_Instance *)1, *details = (const MI_Instance *)1;
    const MI_Class *class_item = (const MI_Class *)1;
    const MI_Char *message = "x", *bookmark = "x", *machine = "x";
    MI_Operation zero = MI_OPERATION_NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    MI_Session back;

    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(
            MI_Operation_GetInstance(operation, &instance, &more, &result, &message, &details),
            MI_RESULT_OK);
        ck_assert(instance == NULL && !more && message == NULL && details == NULL);
        ck_assert_int_eq(result, expected);
        result = MI_RESULT_OK;
        MI_Operation_GetIndication(operation, &instance, &bookmark, &machine, &more, &result,
                                   &message, &details);
        ck_assert(bookmark == NULL && machine == NULL);
        ck_assert_int_eq(result, expected);
        result = MI_RESULT_OK;
        ck_assert_int_eq(MI_Operation_GetClass(operation, &class_item, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_ptr_null(class_item);
        ck_assert_int_eq(result, expected);
    }
    ck_assert_int_eq(MI_Operation_Cancel(operation, MI_REASON_NONE), MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Operation_GetSession(operation, &back), MI_RESULT_OK);
    ck_assert_mem_eq(&back, on, sizeof(back));
    ck_assert_int_eq(MI_Operation_Close(operation), MI_RESULT_OK);
    ck_assert_mem_eq(operation, &zero, sizeof(zero));
    ck_assert_int_eq(MI_Operation_Close(operation), MI_RESULT_INVALID_PARAMETER);
}

START_TEST(test_input_sync)
{
    ck_assert(start_host());
    MI_Session on = row_session(_i);
    for (enum starter starter = S_GET; starter < STARTERS; starter++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Result expected = inputs[_i].results[starter];
        uint64_t calls = miguard_host_provider_calls(host);
        start(starter, &on, inputs[_i].complete, NULL, inputs[_i].pointer ? &operation : NULL);
        if (!inputs[_i].pointer) {
            continue;
        }
        ck_assert_msg(operation.ft != NULL, "%s, %s", inputs[_i].title, starter_names[starter]);
        if (expected != MI_RESULT_OK) {
            ck_assert_msg(operation.ft != &operation_ft, "%s, %s", inputs[_i].title,
                          starter_names[starter]);
            expect_error(&operation, &on, expected);
            ck_assert_uint_eq(miguard_host_provider_calls(host), calls);
        } else {
            ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        }
    }
    stop_host();
    ck_assert(no_operation_left());
}
END_TEST

START_TEST(test_input_async)
{
    MI_OperationCallbacks callbacks = async_callbacks();

    ck_assert(start_host());
    MI_Session on = row_session(_i);
    for (enum starter starter = S_GET; starter < STARTERS; starter++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Result expected = inputs[_i].results[starter];
        client_init();
        start(starter, &on, inputs[_i].complete, &callbacks,
              inputs[_i].pointer ? &operation : NULL);
        if (expected != MI_RESULT_OK) {
            /* At once and on this thread; and an operation beside it. */
            ck_assert_uint_eq(client.finals, 1);
            ck_assert(pthread_equal(client.thread, pthread_self()));
            ck_assert(client.operation_given && client.acknowledge == NULL);
            ck_assert(client.items == 0 && !client.has_details && client.message[0] == '\0');
        }
        await_finals(1);
        ck_assert_msg(client.result == expected, "%s, %s: %d", inputs[_i].title,
                      starter_names[starter], (int)client.result);
        if (expected != MI_RESULT_OK && inputs[_i].pointer) {
            expect_error(&operation, &on, expected);
        } else if (inputs[_i].pointer) {
            ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
        }
        ck_assert_uint_eq(client.finals, 1);
    }
    stop_host();
    expect_nothing_left();
}
END_TEST

START_TEST(test_forged)
{
    MI_Session forged;
    MI_Operation operation, copy;
    const MI_Instance *instance = NULL;
    MI_Boolean more;
    MI_Result result;

    ck_assert(start_host());
    forged = session;
    forged.reserved1 += (MI_Uint64)1 << 32;
    start(S_GET, &forged, true, NULL, &operation);
    expect_error(&operation, &forged, MI_RESULT_INVALID_PARAMETER);
    forged = session;
    forged.reserved2 ^= 1;
    ck_assert_int_eq(MI_Session_Close(&forged, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    start(S_GET, &session, true, NULL, &operation);
    copy = operation;
    copy.reserved2 ^= 1;
    ck_assert_int_eq(MI_Operation_Close(&copy), MI_RESULT_INVALID_PARAMETER);
    copy = operation;
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Cancel(&copy, MI_REASON_NONE), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_GetInstance(&copy, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(result, MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_GetSession(&copy, &forged), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(forged.ft);
    stop_host();
}
END_TEST

/* ---- fetching (reference B.7) ------------------------------------------------------------ */

static void fail_after_one(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    post_widget(context, &widget_decl, "w1", 1);
    MI_Context_PostError(context, 13, MI_RESULT_TYPE_ERRNO, "no way");
}

START_TEST(test_fetch)
{
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Char *message = NULL;
    MI_Operation operation;
    MI_Boolean more;
    MI_Result result;
    MI_Session back;

    ck_assert(start_host());
    hooks.enumerate = fail_after_one;
    start(S_ENUMERATE, &session, true, NULL, &operation);
    ck_assert_int_eq(MI_Operation_GetSession(&operation, &back), MI_RESULT_OK);
    ck_assert_mem_eq(&back, &session, sizeof(back));
    ck_assert_int_eq(operation.ft->GetInstance(&operation, NULL, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    const MI_Char *bookmark = "x", *machine = "x";
    ck_assert_int_eq(MI_Operation_GetIndication(&operation, &instance, &bookmark, &machine, &more,
                                                &result, &message, &details),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert(bookmark == NULL && machine == NULL && instance == NULL);
    ck_assert_int_eq(
        operation.ft->GetIndication(&operation, NULL, NULL, NULL, &more, &result, NULL, NULL),
        MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(operation.ft->GetClass(&operation, NULL, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(
        MI_Operation_GetInstance(&operation, &instance, &more, &result, &message, &details),
        MI_RESULT_OK);
    ck_assert(instance != NULL && more && message == NULL && details == NULL);
    ck_assert_int_eq(result, MI_RESULT_OK);
    /* The failure comes by itself, and stays. The number of errno is no MI_Result. */
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(
            MI_Operation_GetInstance(&operation, &instance, &more, &result, &message, &details),
            MI_RESULT_OK);
        ck_assert(instance == NULL && !more && details != NULL);
        ck_assert_int_eq(result, MI_RESULT_FAILED);
        ck_assert_str_eq(message, "no way");
    }
    MI_Operation_Close(&operation);
    stop_host();
}
END_TEST

/* ---- async (reference C) ----------------------------------------------------------------- */

/* What the client has given is gone when its start has returned. */
static atomic_bool gone;
static char late_id[16], late_space[16], late_option[16];

static void get_late(MI_Context *context, const struct widget *widget)
{
    const MI_Char *colour = NULL;

    while (!atomic_load(&gone)) {
        nap(1);
    }
    snprintf(late_id, sizeof(late_id), "%s", widget->Id.value);
    snprintf(late_space, sizeof(late_space), "%s", widget->instance.nameSpace);
    MI_Result result = MI_Context_GetStringOption(context, "Colour", &colour);
    post_widget(context, &widget_decl, "late", 1);
    snprintf(late_option, sizeof(late_option), "%s", colour == NULL ? "" : colour);
    MI_Context_PostResult(context, result);
}

/* 0: asynchronous; 1: synchronous, with a time-out, so that the start returns before the end. */
START_TEST(test_client_keeps_nothing)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Interval interval = {.seconds = 60};
    char name_space[] = SPACE;
    const MI_Instance *late = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    MI_OperationOptions options;
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    atomic_store(&gone, false);
    hooks.get = get_late;
    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    MI_OperationOptions_SetString(&options, "Colour", "green", 0);
    MI_OperationOptions_SetTimeout(&options, &interval);
    MI_Instance *instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, &options, name_space, instance, _i == 0 ? &callbacks : NULL,
                           &operation);
    MI_OperationOptions_Delete(&options);
    MI_Instance_Delete(instance);
    memset(&callbacks, 0xA5, sizeof(callbacks));
    memset(name_space, 'x', sizeof(name_space) - 1);
    atomic_store(&gone, true);
    if (_i == 0) {
        await_finals(1);
        ck_assert_int_eq(client.result, MI_RESULT_OK);
        MI_Operation_Close(&operation);
    } else {
        ck_assert_int_eq(MI_Operation_GetInstance(&operation, &late, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_int_eq(result, MI_RESULT_OK);
        ck_assert_str_eq(late->nameSpace, SPACE);
        ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    }
    ck_assert_str_eq(late_id, "a");
    ck_assert_str_eq(late_space, SPACE);
    ck_assert_str_eq(late_option, "green");
    expect_nothing_left();
    stop_host();
}
END_TEST

static void *post_from_thread(void *argument)
{
    MI_Context *context = argument;
    nap(20);
    post_widget(context, &widget_decl, "t1", 1);
    post_widget(context, &widget_decl, "t2", 2);
    MI_Context_PostResult(context, MI_RESULT_OK);
    return NULL;
}

static pthread_t helper;
static MI_Context *kept;

static void get_on_thread(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    pthread_create(&helper, NULL, post_from_thread, context);
}

START_TEST(test_sync_from_thread)
{
    ck_assert(start_host());
    hooks.get = get_on_thread;
    ck_assert_int_eq(get(&session, "T_Widget", "a", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_str_eq(ids, "t1 t2 ");
    pthread_join(helper, NULL);
    stop_host();
}
END_TEST

START_TEST(test_async_from_thread)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    hooks.get = get_on_thread;
    start(S_GET, &session, true, &callbacks, &operation);
    await_finals(1);
    pthread_join(helper, NULL);
    ck_assert_uint_eq(client.items, 2);
    ck_assert(!pthread_equal(client.thread, helper));
    ck_assert_uint_eq(client.other_threads, 0);
    /* What it posted late reached nobody. */
    ck_assert_int_eq(client.result, MI_RESULT_OK);
    MI_Operation_Close(&operation);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_async_enumerate)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    const MI_Instance *instance = NULL;
    MI_Operation operation;
    MI_Boolean more;
    MI_Result result;

    ck_assert(start_host());
    client_init();
    session.ft->EnumerateInstances(&session, MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED, NULL,
                                   SPACE, "T_Base", MI_FALSE, &callbacks, &operation);
    await_finals(1);
    ck_assert_uint_eq(client.items, 4);
    ck_assert_uint_eq(client.empty, 1);
    ck_assert_int_eq(client.result, MI_RESULT_OK);
    ck_assert_ptr_null(client.acknowledge);
    ck_assert(!pthread_equal(client.thread, pthread_self()));
    ck_assert_mem_eq(&client.operation, &operation, sizeof(operation));
    ck_assert_int_eq(MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_uint_eq(client.after_final + client.overlaps, 0);
    expect_nothing_left();
    stop_host();
}
END_TEST

static void enumerate_on_thread(MI_Context *context, const MI_PropertySet *set,
                                MI_Boolean keys_only)
{
    (void)set;
    (void)keys_only;
    pthread_create(&helper, NULL, post_from_thread, context);
}

/* The provider of the next class is called by who asked, not by who finished the one before. */
START_TEST(test_next_step)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    hooks.enumerate = enumerate_on_thread;
    start(S_ENUMERATE, &session, true, _i == 0 ? NULL : &callbacks, &operation);
    if (_i == 0) {
        await_calls(1);
        ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
        ck_assert_str_eq(ids, "t1 t2 g1 g2 ");
    } else {
        await_finals(1);
        ck_assert_uint_eq(client.items, 4);
        MI_Operation_Close(&operation);
    }
    ck_assert_uint_eq(miguard_host_provider_calls(host), 2);
    pthread_join(helper, NULL);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_close_in_final)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.close_at_final = true;
    start(S_ENUMERATE, &session, true, &callbacks, &operation);
    await_finals(1);
    ck_assert_int_eq(client.close_result, MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_INVALID_PARAMETER);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_close_in_item)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.close_at_item = true;
    start(S_ENUMERATE, &session, true, &callbacks, &operation);
    await_finals(1);
    /* The rest was dropped; the end still came, once. */
    ck_assert_uint_eq(client.items, 1);
    ck_assert_uint_eq(client.finals, 1);
    ck_assert_int_eq(client.close_result, MI_RESULT_OK);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_manual_ack)
{
    static const char *const in_order[] = {"w1", "w2", "g1", "g2"};
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    session.ft->EnumerateInstances(&session, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, NULL, SPACE,
                                   "T_Base", MI_FALSE, &callbacks, &operation);
    for (unsigned i = 1; i <= 4; i++) {
        ck_assert_uint_eq(await_items(i), i);
        nap(10);
        ck_assert_uint_eq(await_items(i), i); /* none before the acknowledgement */
        /* Until then the item can be read. */
        MI_Value id = {.string = NULL};
        ck_assert_int_eq(MI_Instance_GetElement(client.item, "Id", &id, NULL, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_str_eq(id.string, in_order[i - 1]);
        ck_assert_int_eq(client.acknowledge(&operation), MI_RESULT_OK);
    }
    await_finals(1);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    nap(10);
    ck_assert_uint_eq(operation_in_use(), 1); /* the final one needs it too */
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(client.acknowledge(&operation), MI_RESULT_OK);
    expect_nothing_left();
    ck_assert_int_eq(client.acknowledge(&operation), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(client.acknowledge(NULL), MI_RESULT_INVALID_PARAMETER);
    stop_host();
}
END_TEST

START_TEST(test_ack_in_callback)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.acknowledge_at_once = true;
    client.close_at_final = true;
    session.ft->EnumerateInstances(&session, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, NULL, SPACE,
                                   "T_Base", MI_FALSE, &callbacks, &operation);
    await_finals(1);
    ck_assert_uint_eq(client.items, 4);
    expect_nothing_left();
    stop_host();
}
END_TEST

/* The second acknowledgement of one result does not release the one after the next. */
START_TEST(test_acknowledged_twice)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.first_twice = true;
    session.ft->EnumerateInstances(&session, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, NULL, SPACE,
                                   "T_Base", MI_FALSE, &callbacks, &operation);
    ck_assert_uint_eq(await_items(2), 2);
    nap(30);
    ck_assert_uint_eq(await_items(2), 2);
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    await_finals(1);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_never_acknowledged)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    session.ft->EnumerateInstances(&session, MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, NULL, SPACE,
                                   "T_Base", MI_FALSE, &callbacks, &operation);
    await_items(1);
    /* With the session goes who could acknowledge. */
    ck_assert_int_eq(MI_Session_Close(&session, NULL, NULL), MI_RESULT_OK);
    await_finals(1);
    ck_assert_uint_eq(client.finals, 1);
    expect_nothing_left();
    stop_host();
}
END_TEST

/* ---- cancelling, time-outs, providers that do not answer --------------------------------- */

static unsigned cancels;
static MI_CancellationReason cancel_reason;
static bool post_in_cancel;

static void on_cancel(MI_CancellationReason reason, void *context)
{
    cancels++;
    cancel_reason = reason;
    if (post_in_cancel) {
        MI_Context_PostResult(context, MI_RESULT_NOT_FOUND);
    }
}

static void get_never(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
}

static void get_registers(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
    ck_assert_int_eq(MI_Context_RegisterCancel(context, on_cancel, NULL), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_RegisterCancel(context, on_cancel, context), MI_RESULT_OK);
}

static MI_Result final_of(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    while (more) {
        ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL),
                         MI_RESULT_OK);
    }
    return result;
}

START_TEST(test_cancel_silent_provider)
{
    MI_Boolean canceled = MI_FALSE;
    MI_Operation operation;

    ck_assert(start_host());
    hooks.get = get_never;
    start(S_GET, &session, true, NULL, &operation);
    ck_assert_int_eq(MI_Context_Canceled(kept, &canceled), MI_RESULT_OK);
    ck_assert_int_eq(canceled, MI_FALSE);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    ck_assert_int_eq(final_of(&operation), MI_RESULT_FAILED);
    /* The provider still has its context, and posts into the void. */
    ck_assert_int_eq(MI_Context_Canceled(kept, &canceled), MI_RESULT_OK);
    ck_assert_int_eq(canceled, MI_TRUE);
    ck_assert_int_eq(post_widget(kept, &widget_decl, "late", 1), MI_RESULT_OK);
    ck_assert_int_eq(final_of(&operation), MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_OK), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(operation_in_use(), 0);
    stop_host();
}
END_TEST

/* A cancellation that comes before the registration, and from inside of the provider function. */
static MI_Operation *in_slot;

static void get_cancelled(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    kept = context;
    while (in_slot->ft == NULL) {
        nap(1);
    }
    ck_assert_int_eq(MI_Operation_Cancel(in_slot, MI_REASON_SHUTDOWN), MI_RESULT_OK);
    ck_assert_uint_eq(cancels, 0);
    if (post_in_cancel) {
        MI_Context_RegisterCancel(context, on_cancel, context);
        ck_assert_uint_eq(cancels, 1);
    }
}

START_TEST(test_cancel_in_slot)
{
    MI_Operation operation = MI_OPERATION_NULL;

    ck_assert(start_host());
    cancels = 0;
    post_in_cancel = _i != 0;
    in_slot = &operation;
    hooks.get = get_cancelled;
    start(S_GET, &session, true, NULL, &operation);
    ck_assert_int_eq(final_of(&operation), _i != 0 ? MI_RESULT_NOT_FOUND : MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    MI_Context_PostResult(kept, MI_RESULT_OK);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_cancel_callback)
{
    MI_Operation operation;

    ck_assert(start_host());
    cancels = 0;
    post_in_cancel = _i != 0;
    hooks.get = get_registers;
    start(S_GET, &session, true, NULL, &operation);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_SERVICESTOP), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    ck_assert_uint_eq(cancels, 1);
    ck_assert_int_eq(cancel_reason, MI_REASON_SERVICESTOP);
    if (!post_in_cancel) {
        /* It knows, and finishes in its own time. */
        ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_NOT_FOUND), MI_RESULT_OK);
    }
    ck_assert_int_eq(final_of(&operation), MI_RESULT_NOT_FOUND);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    stop_host();
}
END_TEST

START_TEST(test_no_cancel_after_end)
{
    MI_Operation operation;

    ck_assert(start_host());
    cancels = 0;
    hooks.get = get_registers;
    start(S_GET, &session, true, NULL, &operation);
    MI_Context_PostResult(kept, MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    ck_assert_uint_eq(cancels, 0);
    ck_assert_int_eq(final_of(&operation), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    ck_assert_uint_eq(cancels, 0);
    stop_host();
}
END_TEST

START_TEST(test_close_undrained)
{
    MI_Operation operation;

    ck_assert(start_host());
    cancels = 0;
    post_in_cancel = false;
    hooks.get = get_registers;
    start(S_GET, &session, true, NULL, &operation);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK); /* does not block */
    ck_assert_uint_eq(cancels, 1);
    ck_assert_uint_eq(operation_in_use(), 1);
    ck_assert_int_eq(post_widget(kept, &widget_decl, "late", 1), MI_RESULT_OK);
    MI_Context_PostResult(kept, MI_RESULT_OK);
    ck_assert_uint_eq(operation_in_use(), 0);
    stop_host();
}
END_TEST

START_TEST(test_cancel_in_callback)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.cancel_at_item = true;
    start(S_ENUMERATE, &session, true, &callbacks, &operation);
    await_finals(1);
    ck_assert_uint_eq(client.items, 1);
    ck_assert_int_eq(client.result, MI_RESULT_FAILED); /* a class was not asked any more */
    MI_Operation_Close(&operation);
    expect_nothing_left();
    stop_host();
}
END_TEST

static const struct {
    bool async, registers, posts;
    MI_Result result;
} timeouts[] = {
    {false, false, false, MI_RESULT_FAILED},  {false, true, false, MI_RESULT_FAILED},
    {false, true, true, MI_RESULT_NOT_FOUND}, {true, false, false, MI_RESULT_FAILED},
    {true, true, false, MI_RESULT_FAILED},    {true, true, true, MI_RESULT_NOT_FOUND},
};

START_TEST(test_timeout)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Interval interval = {.microseconds = 150000};
    MI_OperationOptions options;
    MI_Instance *instance = NULL;
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    cancels = 0;
    post_in_cancel = timeouts[_i].posts;
    hooks.get = timeouts[_i].registers ? get_registers : get_never;
    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    ck_assert_int_eq(MI_OperationOptions_SetTimeout(&options, &interval), MI_RESULT_OK);
    instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, &options, SPACE, instance,
                           timeouts[_i].async ? &callbacks : NULL, &operation);
    MI_OperationOptions_Delete(&options);
    MI_Instance_Delete(instance);
    if (timeouts[_i].async) {
        await_finals(1);
        ck_assert_int_eq(client.result, timeouts[_i].result);
    } else {
        ck_assert_int_eq(final_of(&operation), timeouts[_i].result);
    }
    ck_assert_uint_eq(cancels, timeouts[_i].registers);
    ck_assert(!timeouts[_i].registers || cancel_reason == MI_REASON_TIMEOUT);
    MI_Operation_Close(&operation);
    MI_Context_PostResult(kept, MI_RESULT_OK);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_timeout_unneeded)
{
    MI_Interval interval = {.seconds = 30};
    MI_OperationOptions options;
    MI_Operation operation;

    ck_assert(start_host());
    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    MI_OperationOptions_SetTimeout(&options, &interval);
    MI_Session_EnumerateInstances(&session, 0, &options, SPACE, "T_Base", MI_FALSE, NULL,
                                  &operation);
    MI_OperationOptions_Delete(&options);
    ck_assert_int_eq(drain(&operation, ids, sizeof(ids)), MI_RESULT_OK);
    expect_nothing_left(); /* the thread of the time-out too */
    stop_host();
}
END_TEST

/* Many threads post finals and instances into one context; one final counts. */
static atomic_int finals_taken;
static pthread_barrier_t finish_line;

static void *race(void *context)
{
    for (int i = 0; i < 20; i++) {
        post_widget(context, &widget_decl, "r", 1);
    }
    pthread_barrier_wait(&finish_line);
    if (MI_Context_PostResult(context, MI_RESULT_NOT_FOUND) == MI_RESULT_OK) {
        atomic_fetch_add(&finals_taken, 1);
    }
    post_widget(context, &widget_decl, "r", 1);
    return NULL;
}

static pthread_t racers[4];

static void get_races(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    for (size_t i = 0; i < COUNT(racers); i++) {
        pthread_create(&racers[i], NULL, race, context);
    }
}

START_TEST(test_racing_posts)
{
    MI_OperationCallbacks callbacks = async_callbacks();

    ck_assert(start_host());
    hooks.get = get_races;
    pthread_barrier_init(&finish_line, NULL, COUNT(racers));
    for (int round = 0; round < 60; round++) {
        MI_Operation operation;
        client_init();
        finals_taken = 0;
        start(S_GET, &session, true, round % 2 == 0 ? &callbacks : NULL, &operation);
        if (round % 2 == 0) {
            await_finals(1);
        } else {
            ck_assert_int_eq(final_of(&operation), MI_RESULT_NOT_FOUND);
        }
        MI_Operation_Close(&operation);
        for (size_t i = 0; i < COUNT(racers); i++) {
            pthread_join(racers[i], NULL);
        }
        ck_assert_int_eq(finals_taken, 1);
        ck_assert_uint_eq(client.after_final + client.overlaps + client.other_threads, 0);
    }
    pthread_barrier_destroy(&finish_line);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_free_with_silent_provider)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host_with(50));
    client_init();
    hooks.get = get_never;
    start(S_GET, &session, true, &callbacks, &operation);
    await_calls(1);
    stop_host();
    await_finals(1);
    ck_assert_int_ne(client.result, MI_RESULT_OK);
    /* Late posts find nothing, and the module was left alone. */
    ck_assert_int_eq(post_widget(kept, &widget_decl, "x", 1), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Context_PostResult(kept, MI_RESULT_OK), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(strstr(trace, "unload"));
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* ---- messages and questions (reference C.2) ---------------------------------------------- */

static void on_prompt(MI_Operation *operation, void *context, const MI_Char *message,
                      MI_PromptType type,
                      MI_Result (*answer)(MI_Operation *, MI_OperationCallback_ResponseType))
{
    struct client *to = context;
    (void)type;
    ck_assert_ptr_nonnull(message);
    to->prompts++;
    to->answer = answer;
    if (answer != NULL && to->response >= 0) {
        ck_assert_int_eq(answer(operation, (MI_OperationCallback_ResponseType)7),
                         MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(answer(operation, (MI_OperationCallback_ResponseType)to->response),
                         MI_RESULT_OK);
        ck_assert_int_eq(answer(operation, (MI_OperationCallback_ResponseType)to->response),
                         MI_RESULT_INVALID_PARAMETER);
    }
}

static void on_error(MI_Operation *operation, void *context, MI_Instance *error,
                     MI_Result (*answer)(MI_Operation *, MI_OperationCallback_ResponseType))
{
    struct client *to = context;
    ck_assert_ptr_nonnull(error);
    to->errors++;
    to->answer = answer;
    if (answer != NULL) {
        answer(operation, (MI_OperationCallback_ResponseType)to->response);
    }
}

static void on_message(MI_Operation *operation, void *context, MI_Uint32 channel,
                       const MI_Char *message)
{
    (void)operation;
    ck_assert_uint_eq(channel, MI_WRITEMESSAGE_CHANNEL_VERBOSE);
    ck_assert_str_eq(message, "hello");
    ((struct client *)context)->messages++;
}

static void on_progress(MI_Operation *operation, void *context, const MI_Char *activity,
                        const MI_Char *current, const MI_Char *description, MI_Uint32 percent,
                        MI_Uint32 seconds)
{
    (void)operation;
    ck_assert_str_eq(activity, "a");
    ck_assert_str_eq(current, "b");
    ck_assert_str_eq(description, "c");
    ck_assert(percent == 5 && seconds == 6);
    ((struct client *)context)->progress++;
}

static MI_Boolean prompt_flag, critical_flag, error_flag, again_flag;
static MI_Context *ask_context;

static void *ask(void *argument)
{
    MI_Context *context = argument;
    prompt_flag = critical_flag = error_flag = again_flag = 9;
    ck_assert_int_eq(MI_Context_ShouldProcess(context, "target", "action", &prompt_flag),
                     MI_RESULT_OK);
    ck_assert_int_eq(
        MI_Context_PromptUser(context, "sure?", MI_PROMPTTYPE_CRITICAL, &critical_flag),
        MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_WriteError(context, 5, MI_RESULT_TYPE_MI, "bad", &error_flag),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_WriteError(context, 5, MI_RESULT_TYPE_MI, "bad", &again_flag),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_WriteVerbose(context, "hello"), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_WriteProgress(context, "a", "b", "c", 5, 6), MI_RESULT_OK);
    MI_Context_PostResult(context, MI_RESULT_OK);
    return NULL;
}

static void get_asks(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    ask(context);
}

/* Whether the starter has returned: until then it is the one who calls back. */
static atomic_bool returned;

static void *ask_later(void *context)
{
    while (!returned) {
        nap(1);
    }
    return ask(context);
}

static void get_asks_later(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    pthread_create(&helper, NULL, ask_later, context);
}

static void get_asks_on_thread(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    ask_context = context;
    pthread_create(&helper, NULL, ask, context);
}

#define MODE_UNSET ((MI_CallbackMode)-1)

static const struct {
    const char *title;
    bool callbacks;
    MI_CallbackMode prompt_mode, error_mode;
    MI_Boolean prompt_default;
    int response;
    MI_Boolean prompt, critical, error, again;
    unsigned prompts, errors;
} dialogues[] = {
    {"nobody listens", false, MODE_UNSET, MODE_UNSET, MI_TRUE, -1, 1, 1, 1, 1, 0, 0},
    {"defaults, yes", true, MODE_UNSET, MODE_UNSET, MI_TRUE, 1, 1, 1, 1, 1, 2, 2},
    {"defaults, no", true, MODE_UNSET, MODE_UNSET, MI_TRUE, 0, 0, 0, 1, 1, 2, 2},
    {"report, answer no", true, MI_CALLBACKMODE_REPORT, MODE_UNSET, MI_FALSE, 1, 0, 1, 1, 1, 2, 2},
    {"report, answer yes", true, MI_CALLBACKMODE_REPORT, MODE_UNSET, MI_TRUE, 0, 1, 0, 1, 1, 2, 2},
    {"ignore", true, MI_CALLBACKMODE_IGNORE, MI_CALLBACKMODE_IGNORE, MI_TRUE, 0, 1, 0, 1, 1, 1, 0},
    {"inquire errors, no", true, MODE_UNSET, MI_CALLBACKMODE_INQUIRE, MI_TRUE, 0, 0, 0, 0, 0, 2, 2},
    {"inquire errors, yes to all", true, MODE_UNSET, MI_CALLBACKMODE_INQUIRE, MI_TRUE, 3, 1, 1, 1,
     1, 2, 2},
    {"inquire errors, no to all", true, MODE_UNSET, MI_CALLBACKMODE_INQUIRE, MI_TRUE, 2, 0, 0, 0, 0,
     2, 2},
};

static MI_OperationOptions dialogue_options(int row)
{
    MI_OperationOptions options;

    MI_Application_NewOperationOptions(&application, MI_FALSE, &options);
    if (dialogues[row].prompt_mode != MODE_UNSET) {
        MI_OperationOptions_SetPromptUserRegularMode(&options, dialogues[row].prompt_mode,
                                                     dialogues[row].prompt_default);
    }
    if (dialogues[row].error_mode != MODE_UNSET) {
        MI_OperationOptions_SetWriteErrorMode(&options, dialogues[row].error_mode);
    }
    return options;
}

/* i: the row, and in the lowest bits whether async and whether from another thread. */
START_TEST(test_dialogue)
{
    int row = _i / 4;
    bool async = _i % 2 != 0, threaded = _i / 2 % 2 != 0;
    MI_OperationCallbacks callbacks = {.callbackContext = &client,
                                       .instanceResult = async ? on_instance : NULL};
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.response = dialogues[row].response;
    if (dialogues[row].callbacks) {
        callbacks.promptUser = on_prompt;
        callbacks.writeError = on_error;
        callbacks.writeMessage = on_message;
        callbacks.writeProgress = on_progress;
    }
    hooks.get = threaded ? get_asks_on_thread : get_asks;
    MI_OperationOptions options = dialogue_options(row);
    MI_Instance *instance = key("T_Widget", "a");
    MI_Session_GetInstance(&session, 0, &options, SPACE, instance, &callbacks, &operation);
    MI_Instance_Delete(instance);
    MI_OperationOptions_Delete(&options);
    if (async) {
        await_finals(1);
    } else {
        ck_assert_int_eq(final_of(&operation), MI_RESULT_OK);
    }
    if (threaded) {
        pthread_join(helper, NULL);
    }
    MI_Operation_Close(&operation);
    expect_nothing_left();
    ck_assert_msg(prompt_flag == dialogues[row].prompt, "%s", dialogues[row].title);
    ck_assert_msg(critical_flag == dialogues[row].critical, "%s", dialogues[row].title);
    ck_assert_msg(error_flag == dialogues[row].error, "%s", dialogues[row].title);
    ck_assert_msg(again_flag == dialogues[row].again, "%s", dialogues[row].title);
    ck_assert_uint_eq(client.prompts, dialogues[row].prompts);
    ck_assert_uint_eq(client.errors, dialogues[row].errors);
    ck_assert_uint_eq(client.messages, dialogues[row].callbacks);
    ck_assert_uint_eq(client.progress, dialogues[row].callbacks);
    stop_host();
}
END_TEST

/* A synchronous operation that nobody fetches from: the question waits until the cancellation. */
START_TEST(test_unasked)
{
    MI_OperationCallbacks callbacks = {.callbackContext = &client, .promptUser = on_prompt};
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    hooks.get = get_asks_later;
    returned = false;
    start(S_GET, &session, true, &callbacks, &operation);
    returned = true;
    nap(20);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_OK);
    pthread_join(helper, NULL);
    ck_assert_uint_eq(client.prompts, 0);
    ck_assert_int_eq(prompt_flag, MI_FALSE);
    expect_nothing_left();
    stop_host();
}
END_TEST

static MI_Boolean outer_flag, inner_flag;

static void on_prompt_prompts(MI_Operation *operation, void *context, const MI_Char *message,
                              MI_PromptType type,
                              MI_Result (*answer)(MI_Operation *,
                                                  MI_OperationCallback_ResponseType))
{
    on_prompt(operation, context, message, type, answer);
    inner_flag = 9;
    MI_Context_PromptUser(ask_context, "again?", MI_PROMPTTYPE_CRITICAL, &inner_flag);
}

static void get_prompts(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    ask_context = context;
    MI_Context_PromptUser(context, "sure?", MI_PROMPTTYPE_CRITICAL, &outer_flag);
    for (int i = 0; i < 3; i++) {
        MI_Context_ShouldProcess(context, "target", "action", &prompt_flag);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* A question inside of a question cannot be asked; and "yes to all" is for regular ones. */
START_TEST(test_prompt_in_prompt)
{
    MI_OperationCallbacks callbacks = {.callbackContext = &client, .promptUser = on_prompt_prompts};
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    client.response = _i == 0 ? MI_OperationCallback_ResponseType_YesToAll
                              : MI_OperationCallback_ResponseType_NoToAll;
    hooks.get = get_prompts;
    start(S_GET, &session, true, &callbacks, &operation);
    ck_assert_int_eq(final_of(&operation), MI_RESULT_OK);
    ck_assert_int_eq(outer_flag, _i == 0);
    ck_assert_int_eq(inner_flag, MI_FALSE);
    ck_assert_int_eq(prompt_flag, _i == 0);
    ck_assert_uint_eq(client.prompts, 1);
    MI_Operation_Close(&operation);
    stop_host();
}
END_TEST

static void get_chatters(MI_Context *context, const struct widget *widget)
{
    MI_Boolean flag;
    MI_Instance *error = NULL;
    (void)widget;
    MI_Context_NewDynamicInstance(context, "CIM_Error", 0, &error);
    ck_assert_int_eq(MI_Context_WriteCimError(context, error, &flag), MI_RESULT_OK);
    MI_Instance_Delete(error);
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(MI_Context_WriteVerbose(context, "hello"), MI_RESULT_OK);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void *chatter(void *context)
{
    while (!returned) {
        nap(1);
    }
    get_chatters(context, NULL);
    return NULL;
}

static void get_chatters_on_thread(MI_Context *context, const struct widget *widget)
{
    (void)widget;
    pthread_create(&helper, NULL, chatter, context);
}

/* Messages that nobody fetches are dropped when there are too many, and freed with the rest. */
START_TEST(test_chatter)
{
    MI_OperationCallbacks callbacks = {
        .callbackContext = &client, .writeMessage = on_message, .writeError = on_error};
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    hooks.get = get_chatters_on_thread;
    returned = false;
    start(S_GET, &session, true, &callbacks, &operation);
    returned = true;
    pthread_join(helper, NULL);
    if (_i == 0) {
        ck_assert_int_eq(final_of(&operation), MI_RESULT_OK);
        ck_assert(client.messages > 0 && client.messages < 5000);
        ck_assert_uint_eq(client.errors, 1);
    }
    MI_Operation_Close(&operation);
    expect_nothing_left();
    stop_host();
}
END_TEST

START_TEST(test_unanswered)
{
    MI_OperationCallbacks callbacks = {
        .callbackContext = &client, .instanceResult = on_instance, .promptUser = on_prompt};
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    hooks.get = get_asks_on_thread;
    start(S_GET, &session, true, &callbacks, &operation);
    await_calls(1);
    nap(20);
    /* The question waits; a cancellation answers it with no. */
    ck_assert_int_eq(MI_Operation_Cancel(&operation, MI_REASON_NONE), MI_RESULT_OK);
    await_finals(1);
    pthread_join(helper, NULL);
    ck_assert_int_eq(prompt_flag, MI_FALSE);
    ck_assert_int_eq(critical_flag, MI_FALSE);
    MI_Operation_Close(&operation);
    expect_nothing_left();
    stop_host();
}
END_TEST

/* ---- sessions (reference B.9), nesting --------------------------------------------------- */

static atomic_int closings;

static void on_closed(void *data)
{
    ck_assert_ptr_eq(data, &closings);
    atomic_fetch_add(&closings, 1);
}

START_TEST(test_session_close)
{
    MI_OperationCallbacks callbacks = async_callbacks();
    MI_Operation operation;

    ck_assert(start_host());
    client_init();
    closings = 0;
    hooks.get = get_on_thread;
    start(S_GET, &session, true, &callbacks, &operation);
    await_calls(1);
    ck_assert_int_eq(MI_Session_Close(&session, &closings, on_closed), MI_RESULT_OK);
    ck_assert_int_eq(MI_Session_Close(&session, &closings, on_closed), MI_RESULT_INVALID_PARAMETER);
    for (int i = 0; i < 2000 && closings == 0; i++) {
        nap(5);
    }
    ck_assert_int_eq(closings, 1);
    ck_assert_uint_eq(client.finals, 1); /* the last operation was through before */
    pthread_join(helper, NULL);
    ck_assert_int_eq(MI_Operation_Close(&operation), MI_RESULT_INVALID_PARAMETER);
    expect_nothing_left();
    /* Without operations it is called at once; a zeroed handle is the wrapper's. */
    ck_assert_int_eq(miguard_host_session(host, &session, NULL), MIGUARD_OK);
    ck_assert_int_eq(MI_Session_Close(&session, &closings, on_closed), MI_RESULT_OK);
    ck_assert_int_eq(closings, 2);
    stop_host();
    ck_assert_uint_eq(session_in_use(), 0);
}
END_TEST

static MI_Session stolen;
static MI_Operation stolen_operation;
static MI_Result nested_result, close_result;
static unsigned depth_reached;

static void get_nests(MI_Context *context, const struct widget *widget)
{
    MI_Session local, again;
    char nested[64];

    if (strcmp(widget->Id.value, "inner") == 0) {
        post_widget(context, &widget_decl, "inner", 1);
        MI_Context_PostResult(context, MI_RESULT_OK);
        return;
    }
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &local), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &again), MI_RESULT_OK);
    ck_assert_mem_eq(&local, &again, sizeof(local));
    nested_result = get(&local, "T_Widget", "inner", nested, sizeof(nested));
    close_result = MI_Session_Close(&local, &closings, on_closed);
    ck_assert_int_eq(get(&local, "T_Gadget", "g1", nested, sizeof(nested)), MI_RESULT_OK);
    /* Left open on purpose. */
    stolen = local;
    MI_Session_EnumerateInstances(&local, 0, NULL, SPACE, "T_Gadget", MI_FALSE, NULL,
                                  &stolen_operation);
    post_widget(context, &widget_decl, nested, 1);
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &again), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(again.ft);
}

START_TEST(test_nested)
{
    ck_assert(start_host());
    closings = 0;
    hooks.get = get_nests;
    ck_assert_int_eq(get(&session, "T_Widget", "outer", ids, sizeof(ids)), MI_RESULT_OK);
    ck_assert_int_eq(nested_result, MI_RESULT_OK);
    ck_assert_int_eq(close_result, MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(closings, 1);
    /* The session ended with the context, and so did what was open. */
    ck_assert_int_eq(get(&stolen, "T_Widget", "inner", ids, sizeof(ids)),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Close(&stolen_operation), MI_RESULT_INVALID_PARAMETER);
    /* What was left open may still be with its provider, on its thread. */
    for (int i = 0; i < 30000 && session_in_use() > 1; i++) {
        nap(1);
    }
    ck_assert_uint_eq(session_in_use(), 1);
    ck_assert(no_operation_left());
    stop_host();
}
END_TEST

static bool use_client_session;

static void get_endless(MI_Context *context, const struct widget *widget)
{
    MI_Session local;
    char nested[64];
    (void)widget;

    depth_reached++;
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &local), MI_RESULT_OK);
    MI_Result result =
        get(use_client_session ? &session : &local, "T_Widget", "x", nested, sizeof(nested));
    MI_Context_PostResult(context, result);
}

START_TEST(test_depth)
{
    ck_assert(start_host());
    depth_reached = 0;
    use_client_session = _i != 0;
    hooks.get = get_endless;
    ck_assert_int_eq(get(&session, "T_Widget", "x", ids, sizeof(ids)),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(depth_reached, MIGUARD_HOST_MAX_NESTING);
    stop_host();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host operation");
    TCase *tests = tcase_create("operation");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_input_sync, 0, COUNT(inputs));
    tcase_add_loop_test(tests, test_input_async, 0, COUNT(inputs));
    tcase_add_test(tests, test_forged);
    tcase_add_test(tests, test_fetch);
    tcase_add_test(tests, test_sync_from_thread);
    tcase_add_test(tests, test_async_from_thread);
    tcase_add_test(tests, test_async_enumerate);
    tcase_add_loop_test(tests, test_next_step, 0, 2);
    tcase_add_test(tests, test_close_in_final);
    tcase_add_test(tests, test_close_in_item);
    tcase_add_test(tests, test_manual_ack);
    tcase_add_test(tests, test_ack_in_callback);
    tcase_add_test(tests, test_acknowledged_twice);
    tcase_add_test(tests, test_never_acknowledged);
    tcase_add_loop_test(tests, test_client_keeps_nothing, 0, 2);
    tcase_add_test(tests, test_cancel_silent_provider);
    tcase_add_loop_test(tests, test_cancel_in_slot, 0, 2);
    tcase_add_loop_test(tests, test_cancel_callback, 0, 2);
    tcase_add_test(tests, test_no_cancel_after_end);
    tcase_add_test(tests, test_close_undrained);
    tcase_add_test(tests, test_cancel_in_callback);
    tcase_add_loop_test(tests, test_timeout, 0, COUNT(timeouts));
    tcase_add_test(tests, test_timeout_unneeded);
    tcase_add_test(tests, test_racing_posts);
    tcase_add_test(tests, test_free_with_silent_provider);
    tcase_add_loop_test(tests, test_dialogue, 0, 4 * COUNT(dialogues));
    tcase_add_test(tests, test_unanswered);
    tcase_add_test(tests, test_unasked);
    tcase_add_loop_test(tests, test_prompt_in_prompt, 0, 2);
    tcase_add_loop_test(tests, test_chatter, 0, 2);
    tcase_add_test(tests, test_session_close);
    tcase_add_test(tests, test_nested);
    tcase_add_loop_test(tests, test_depth, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
