/* SPDX-License-Identifier: MIT */
#include "support/hosts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miguard/host.h"

/* ---- the embedded server --------------------------------------------------------------------- */

static bool start_embedded(struct running_host *host, const struct hosted_module *modules,
                           unsigned count, MI_Module *(*wrap)(MI_Server *, MI_Module *))
{
    const struct miguard_host_options options = {.wrap = wrap};
    struct miguard_error error = {0};

    memset(host, 0, sizeof(*host));
    host->kind = &host_kinds[HOST_EMBEDDED];
    enum miguard_status status = miguard_host_new(&options, &host->embedded, &error);
    for (unsigned i = 0; i < count && status == MIGUARD_OK; i++) {
        status = modules[i].path != NULL
                     ? miguard_host_load(host->embedded, modules[i].path, NULL, &error)
                     : miguard_host_add(host->embedded, modules[i].main_function, NULL, &error);
    }
    if (status == MIGUARD_OK) {
        status = miguard_host_session(host->embedded, &host->client, &error);
    }
    if (status != MIGUARD_OK) {
        printf("the embedded host did not start: %s\n", error.detail);
        return false;
    }
    return MI_Session_GetApplication(&host->client, &host->application) == MI_RESULT_OK;
}

static void stop_embedded(struct running_host *host)
{
    MI_Session_Close(&host->client, NULL, NULL);
    miguard_host_free(host->embedded);
}

static unsigned long embedded_calls(const struct running_host *host)
{
    return (unsigned long)miguard_host_provider_calls(host->embedded);
}

/* ---- the foreign host ------------------------------------------------------------------------ */

static bool start_foreign(struct running_host *host, const struct hosted_module *modules,
                          unsigned count, MI_Module *(*wrap)(MI_Server *, MI_Module *))
{
    const struct foreign_options_of_host options = {.wrap = wrap};
    char why[256] = "";
    bool added = true;

    memset(host, 0, sizeof(*host));
    host->kind = &host_kinds[HOST_FOREIGN];
    host->foreign = foreign_host_new(&options);
    for (unsigned i = 0; i < count && added; i++) {
        added =
            modules[i].path != NULL
                ? foreign_host_open(host->foreign, modules[i].path, modules[i].agent, why)
                : foreign_host_add(host->foreign, modules[i].main_function, modules[i].agent, why);
    }
    if (!added) {
        printf("the foreign host did not start: %s\n", why);
        return false;
    }
    foreign_host_session(host->foreign, &host->client);
    return MI_Session_GetApplication(&host->client, &host->application) == MI_RESULT_OK;
}

static void stop_foreign(struct running_host *host)
{
    foreign_host_free(host->foreign);
}

static unsigned long foreign_calls(const struct running_host *host)
{
    return foreign_host_counts(host->foreign)->provider_calls;
}

const struct host_kind host_kinds[HOSTS] = {
    [HOST_EMBEDDED] = {"embedded", start_embedded, stop_embedded, embedded_calls},
    [HOST_FOREIGN] = {"foreign", start_foreign, stop_foreign, foreign_calls},
};

/* ---- text ------------------------------------------------------------------------------------ */

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", more);
}

static void append_bytes(char *text, size_t size, const void *bytes, size_t count)
{
    char pair[3];

    for (size_t i = 0; i < count; i++) {
        snprintf(pair, sizeof(pair), "%02x", ((const unsigned char *)bytes)[i]);
        append(text, size, pair);
    }
}

/* How many bytes of a value count. Strings and instances are printed otherwise. */
static size_t scalar_size(MI_Type type)
{
    switch (type) {
    case MI_BOOLEAN:
    case MI_UINT8:
    case MI_SINT8:
        return 1;
    case MI_UINT16:
    case MI_SINT16:
    case MI_CHAR16:
        return 2;
    case MI_UINT32:
    case MI_SINT32:
    case MI_REAL32:
        return 4;
    case MI_DATETIME:
        return sizeof(MI_Datetime);
    default:
        return 8;
    }
}

static void print_scalar(MI_Type type, const void *value, char *text, size_t size)
{
    if (type == MI_STRING) {
        append(text, size, "'");
        append(text, size, *(MI_Char *const *)value != NULL ? *(MI_Char *const *)value : "(null)");
        append(text, size, "'");
    } else if (type == MI_INSTANCE || type == MI_REFERENCE) {
        hosts_print(*(MI_Instance *const *)value, text, size);
    } else {
        append_bytes(text, size, value, scalar_size(type));
    }
}

static void print_value(MI_Type type, const MI_Value *value, char *text, size_t size)
{
    if ((type & MI_ARRAY) == 0) {
        print_scalar(type, value, text, size);
        return;
    }
    MI_Type one = (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
    size_t step = one == MI_STRING || one == MI_INSTANCE || one == MI_REFERENCE ? sizeof(void *)
                                                                                : scalar_size(one);
    for (MI_Uint32 i = 0; i < value->array.size; i++) {
        append(text, size, "|");
        print_scalar(one, (const char *)value->array.data + i * step, text, size);
    }
}

void hosts_print(const MI_Instance *instance, char *text, size_t size)
{
    const MI_Char *class_name = NULL, *name_space = NULL, *name = NULL;
    MI_Uint32 count = 0, flags = 0;
    MI_Type type = MI_BOOLEAN;
    MI_Value value;
    char number[32];

    if (instance == NULL) {
        append(text, size, "(none)\n");
        return;
    }
    MI_Instance_GetClassName(instance, &class_name);
    MI_Instance_GetNameSpace(instance, &name_space);
    MI_Instance_GetElementCount(instance, &count);
    append(text, size, name_space != NULL ? name_space : "-");
    append(text, size, ":");
    append(text, size, class_name != NULL ? class_name : "-");
    append(text, size, "\n");
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Instance_GetElementAt(instance, i, &name, &value, &type, &flags) != MI_RESULT_OK) {
            continue;
        }
        snprintf(number, sizeof(number), " (%d, %x) ", (int)type, flags);
        append(text, size, "  ");
        append(text, size, name);
        append(text, size, number);
        if ((flags & MI_FLAG_NULL) != 0) {
            append(text, size, "NULL");
        } else {
            print_value(type, &value, text, size);
        }
        append(text, size, "\n");
    }
}

void hosts_element(const MI_Instance *instance, const char *name, char *ret_text, size_t size)
{
    MI_Uint32 flags = 0;
    MI_Type type = MI_BOOLEAN;
    MI_Value value;

    *ret_text = '\0';
    if (instance == NULL ||
        MI_Instance_GetElement(instance, name, &value, &type, &flags, NULL) != MI_RESULT_OK ||
        (flags & MI_FLAG_NULL) != 0) {
        return;
    }
    if (type == MI_STRING) {
        snprintf(ret_text, size, "%s", value.string);
    } else if (type == MI_BOOLEAN) {
        snprintf(ret_text, size, "%d", value.boolean);
    } else if (type == MI_UINT32) {
        snprintf(ret_text, size, "%u", value.uint32);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* One request on its way; a callback fills it in on another thread. */
struct asked {
    const struct ask *ask;
    char *text;
    size_t size;
    MI_Result result;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
};

static void take(struct asked *asked, const MI_Instance *instance, MI_Boolean more,
                 MI_Result result, const MI_Char *message, const MI_Instance *details)
{
    char number[48];

    if (instance != NULL && asked->ask->each != NULL) {
        asked->ask->each(instance, asked->ask->data);
    }
    if (instance != NULL && asked->text != NULL) {
        hosts_print(instance, asked->text, asked->size);
    }
    if (more) {
        return;
    }
    asked->result = result;
    if (asked->text != NULL) {
        snprintf(number, sizeof(number), "result %d message ", (int)result);
        append(asked->text, asked->size, number);
        append(asked->text, asked->size, message != NULL ? message : "-");
        append(asked->text, asked->size, "\ndetails ");
        hosts_print(details, asked->text, asked->size);
    }
}

static void MI_CALL on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    struct asked *asked = context;

    (void)operation;
    (void)acknowledge;
    pthread_mutex_lock(&asked->lock);
    take(asked, instance, more, result, message, details);
    asked->over = !more;
    pthread_cond_signal(&asked->ended);
    pthread_mutex_unlock(&asked->lock);
}

static MI_Instance *instance_of(struct running_host *host, const struct ask *ask,
                                const char *class_name, MI_Uint32 flags)
{
    MI_Instance *instance = NULL;
    MI_Value value;

    if (MI_Application_NewInstance(&host->application, class_name, NULL, &instance) !=
        MI_RESULT_OK) {
        return NULL;
    }
    for (int i = 0; i < 2 && ask->names[i] != NULL; i++) {
        value.string = (MI_Char *)(uintptr_t)ask->values[i];
        (void)MI_Instance_AddElement(instance, ask->names[i], &value, MI_STRING, flags);
    }
    return instance;
}

static void start(struct running_host *host, const struct ask *ask, MI_Instance *instance,
                  MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    MI_Session *client = &host->client;

    switch (ask->verb) {
    case ASK_GET:
        MI_Session_GetInstance(client, 0, NULL, HOSTS_SPACE, instance, callbacks, operation);
        break;
    case ASK_ENUMERATE:
        MI_Session_EnumerateInstances(client, 0, NULL, HOSTS_SPACE, ask->class_name, MI_FALSE,
                                      callbacks, operation);
        break;
    case ASK_CREATE:
        MI_Session_CreateInstance(client, 0, NULL, HOSTS_SPACE, instance, callbacks, operation);
        break;
    case ASK_MODIFY:
        MI_Session_ModifyInstance(client, 0, NULL, HOSTS_SPACE, instance, callbacks, operation);
        break;
    case ASK_DELETE:
        MI_Session_DeleteInstance(client, 0, NULL, HOSTS_SPACE, instance, callbacks, operation);
        break;
    case ASK_INVOKE:
        MI_Session_Invoke(client, 0, NULL, HOSTS_SPACE, ask->class_name, ask->method, NULL,
                          instance, callbacks, operation);
        break;
    case ASK_ASSOCIATORS:
        MI_Session_AssociatorInstances(client, 0, NULL, HOSTS_SPACE, instance, NULL, NULL, NULL,
                                       NULL, MI_FALSE, callbacks, operation);
        break;
    case ASK_REFERENCES:
        MI_Session_ReferenceInstances(client, 0, NULL, HOSTS_SPACE, instance, NULL, NULL, MI_FALSE,
                                      callbacks, operation);
        break;
    case ASK_TEST:
        MI_Session_TestConnection(client, 0, callbacks, operation);
        break;
    }
}

static void read_all(MI_Operation *operation, struct asked *asked)
{
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Char *message = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    while (more) {
        MI_Result answer =
            MI_Operation_GetInstance(operation, &instance, &more, &result, &message, &details);
        if (answer != MI_RESULT_OK) {
            take(asked, NULL, MI_FALSE, answer, NULL, NULL);
            return;
        }
        take(asked, instance, more, result, message, details);
    }
}

MI_Result hosts_ask(struct running_host *host, const struct ask *ask, char *ret_text, size_t size)
{
    struct asked asked = {.ask = ask,
                          .text = ret_text,
                          .size = size,
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .ended = PTHREAD_COND_INITIALIZER};
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    bool invoke = ask->verb == ASK_INVOKE;
    MI_Instance *instance = instance_of(host, ask, invoke ? "__parameters" : ask->class_name,
                                        invoke ? MI_FLAG_IN : MI_FLAG_KEY);

    if (ret_text != NULL) {
        *ret_text = '\0';
    }
    callbacks.callbackContext = &asked;
    callbacks.instanceResult = on_result;
    start(host, ask, instance, ask->asynchronous ? &callbacks : NULL, &operation);
    if (ask->asynchronous) {
        pthread_mutex_lock(&asked.lock);
        while (!asked.over) {
            pthread_cond_wait(&asked.ended, &asked.lock);
        }
        pthread_mutex_unlock(&asked.lock);
    } else {
        read_all(&operation, &asked);
    }
    MI_Operation_Close(&operation);
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
    return asked.result;
}
