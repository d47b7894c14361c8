/* SPDX-License-Identifier: MIT */
/*
 * One request through an open session, and its answer on the streams of the request.
 *
 * run_ask() makes the instance that the request is about (prepare()), starts the operation of the
 * verb (start()), and prints what comes (print_results() or print_indications()).
 * Only the inline functions of MI.h are used. What is printed of a provider is made safe for a
 * terminal.
 */
#include "tools/cli/run_ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/run_explain.h"
#include "tools/cli/run_table.h"

/* ---- the answer --------------------------------------------------------------------------- */

/* CLI_YES, or CLI_UNABLE after a message. */
static int print_instance(const struct run_request *request, const MI_Instance *instance,
                          struct run_table *table)
{
    if (table != NULL) {
        return run_table_add(table, instance) ? CLI_YES : complain(CLI_UNABLE, "out of memory");
    }
    if (!request->json) {
        render_mof(request->out, instance, false);
        return CLI_YES;
    }
    json_t *json = render_json(instance);
    bool printed = json != NULL && print_json(request->out, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* The result, and below it what the provider or host says in its CIM_Error. message and details may
 * be NULL. Always CLI_NO. */
static int print_failure(const struct run_request *request, MI_Result result, const char *message,
                         const MI_Instance *details)
{
    if (!request->json) {
        complain(CLI_NO, "%s (%d)%s%s", result_name(result), (int)result,
                 message == NULL ? "" : ": ", message == NULL ? "" : message);
        if (details != NULL) {
            render_mof(request->err, details, true);
        }
        return CLI_NO;
    }
    char *text = message == NULL ? NULL : valid_utf8(message);
    json_t *json =
        json_pack("{s:i, s:s, s:s?, s:o?}", "result", (int)result, "name", result_name(result),
                  "message", text, "details", details == NULL ? NULL : render_json(details));
    if (json == NULL || !print_json(request->err, json)) {
        complain(CLI_NO, "%s (%d)", result_name(result), (int)result);
    }
    json_decref(json);
    free(text);
    return CLI_NO;
}

/* How an operation ended. message and details are the operation's, until it is closed. */
struct ending {
    MI_Result result;
    const MI_Char *message;
    const MI_Instance *details;
    uint64_t seen; /* indications */
};

/* Fetches until the last result. An instance is valid until the next call only, so it is printed at
 * once. An error of MI_Operation_GetInstance itself ends the loop and counts as the operation's
 * result. */
static int print_rows(const struct run_request *request, MI_Operation *operation,
                      struct run_table *table, struct ending *ret_ending)
{
    MI_Boolean more = MI_TRUE;
    int status = CLI_YES;

    while (more && status == CLI_YES) {
        const MI_Instance *instance = NULL;
        MI_Result returned =
            MI_Operation_GetInstance(operation, &instance, &more, &ret_ending->result,
                                     &ret_ending->message, &ret_ending->details);
        if (returned != MI_RESULT_OK) {
            *ret_ending = (struct ending){.result = returned};
            more = MI_FALSE;
        }
        if (instance != NULL) {
            status = print_instance(request, instance, table);
        }
    }
    run_table_end(table);
    return status;
}

/* A line of a table would wait for the width of its columns, so that each indication is a table of
 * its own. Each is written out at once: who waits for it may read a pipe. */
static int print_indication(const struct run_request *request, const MI_Instance *instance)
{
    struct run_table *table = request->table ? run_table_new(request->out) : NULL;

    if (request->table && table == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = print_instance(request, instance, table);
    run_table_end(table);
    run_table_free(table);
    return status == CLI_YES && fflush(request->out) != 0
               ? complain(CLI_UNABLE, "indications cannot be written: %s", strerror(errno))
               : status;
}

/* As print_rows(), for what comes until the subscription ends, or as many as were asked for. */
static int print_indications(const struct run_request *request, MI_Operation *operation,
                             struct ending *ret_ending)
{
    MI_Boolean more = MI_TRUE;
    int status = CLI_YES;

    while (more && status == CLI_YES) {
        const MI_Instance *instance = NULL;
        const MI_Char *bookmark = NULL, *machine = NULL;
        MI_Result returned = MI_Operation_GetIndication(operation, &instance, &bookmark, &machine,
                                                        &more, &ret_ending->result,
                                                        &ret_ending->message, &ret_ending->details);
        if (returned != MI_RESULT_OK) {
            *ret_ending = (struct ending){.result = returned, .seen = ret_ending->seen};
            more = MI_FALSE;
        }
        if (instance != NULL) {
            status = print_indication(request, instance);
            ret_ending->seen++;
        }
        if (request->count != 0 && ret_ending->seen == request->count) {
            ret_ending->result = MI_RESULT_OK;
            more = MI_FALSE;
        }
    }
    return status;
}

/* list prints names, one a line, and its JSON is the same as that of classes. */
static int print_class(const struct run_request *request, const MI_Class *item,
                       struct run_table *table)
{
    const MI_Char *name = NULL;

    if (table != NULL) {
        return run_table_add_class(table, item,
                                   request->verb == RUN_CLASS  ? RUN_TABLE_ELEMENTS
                                   : request->verb == RUN_LIST ? RUN_TABLE_NAMES
                                                               : RUN_TABLE_COUNTS)
                   ? CLI_YES
                   : complain(CLI_UNABLE, "out of memory");
    }
    if (request->json) {
        json_t *json = render_class_json(item);
        bool printed = json != NULL && print_json(request->out, json);
        json_decref(json);
        return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
    }
    if (request->verb != RUN_LIST) {
        render_class_mof(request->out, item);
    } else if (MI_Class_GetClassName(item, &name) == MI_RESULT_OK) {
        print_safe(request->out, name, false);
        fputc('\n', request->out);
    }
    return CLI_YES;
}

/* As print_rows(), for classes. */
static int print_class_rows(const struct run_request *request, MI_Operation *operation,
                            struct run_table *table, struct ending *ret_ending)
{
    MI_Boolean more = MI_TRUE;
    int status = CLI_YES;

    while (more && status == CLI_YES) {
        const MI_Class *item = NULL;
        MI_Result returned = MI_Operation_GetClass(operation, &item, &more, &ret_ending->result,
                                                   &ret_ending->message, &ret_ending->details);
        if (returned != MI_RESULT_OK) {
            *ret_ending = (struct ending){.result = returned};
            more = MI_FALSE;
        }
        if (item != NULL) {
            status = print_class(request, item, table);
        }
    }
    run_table_end(table);
    return status;
}

static int print_results(const struct run_request *request, MI_Operation *operation,
                         struct ending *ret_ending)
{
    struct run_table *table = request->table ? run_table_new(request->out) : NULL;

    if (request->table && table == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = run_gives_classes(request->verb)
                     ? print_class_rows(request, operation, table, ret_ending)
                     : print_rows(request, operation, table, ret_ending);
    run_table_free(table);
    return status;
}

/* ---- the request -------------------------------------------------------------------------- */

struct question {
    const struct run_request *request;
    MI_Session *session;
    MI_OperationOptions *options; /* NULL: none */
    MI_Instance *keys, *values;
};

/* The operations that look for something. */
static void start_search(const struct question *question, MI_Operation *operation)
{
    const struct run_request *request = question->request;
    MI_Session *session = question->session;
    MI_OperationOptions *how = question->options;
    MI_Instance *object = question->values;
    const MI_Uint32 flags = request->flags;
    const char *name_space = request->name_space;
    const char *language = request->language == NULL ? MI_QUERY_DIALECT_WQL : request->language;

    switch (request->verb) {
    case RUN_QUERY:
        MI_Session_QueryInstances(session, flags, how, name_space, language, request->query, NULL,
                                  operation);
        break;
    case RUN_SUBSCRIBE:
        MI_Session_Subscribe(session, flags, how, name_space, language, request->query, NULL, NULL,
                             operation);
        break;
    case RUN_ASSOCIATORS:
        MI_Session_AssociatorInstances(session, flags, how, name_space, object,
                                       request->association, request->result_class, request->role,
                                       request->result_role, MI_FALSE, NULL, operation);
        break;
    case RUN_REFERENCES:
        MI_Session_ReferenceInstances(session, flags, how, name_space, object,
                                      request->result_class, request->role, MI_FALSE, NULL,
                                      operation);
        break;
    case RUN_CLASS:
        MI_Session_GetClass(session, flags, how, name_space, request->class_name, NULL, operation);
        break;
    case RUN_CLASSES:
    case RUN_LIST:
        MI_Session_EnumerateClasses(session, flags, how, name_space, request->class_name,
                                    request->verb == RUN_LIST, NULL, operation);
        break;
    default:
        MI_Session_TestConnection(session, flags, NULL, operation);
        break;
    }
}

/* Starts the operation of the verb, without callbacks. The session functions return
 * nothing: a refusal is the result of the operation, which print_results() fetches. */
static void start(const struct question *question, MI_Operation *operation)
{
    const struct run_request *request = question->request;
    MI_Session *session = question->session;
    MI_OperationOptions *how = question->options;
    MI_Instance *values = question->values;
    const MI_Uint32 flags = request->flags;
    const char *name_space = request->name_space;

    switch (request->verb) {
    case RUN_GET:
        MI_Session_GetInstance(session, flags, how, name_space, values, NULL, operation);
        break;
    case RUN_ENUMERATE:
        MI_Session_EnumerateInstances(session, flags, how, name_space, request->class_name,
                                      MI_FALSE, NULL, operation);
        break;
    case RUN_CREATE:
        MI_Session_CreateInstance(session, flags, how, name_space, values, NULL, operation);
        break;
    case RUN_MODIFY:
        MI_Session_ModifyInstance(session, flags, how, name_space, values, NULL, operation);
        break;
    case RUN_DELETE:
        MI_Session_DeleteInstance(session, flags, how, name_space, values, NULL, operation);
        break;
    case RUN_INVOKE:
        MI_Session_Invoke(session, flags, how, name_space, request->class_name, request->method,
                          question->keys, values, NULL, operation);
        break;
    default:
        start_search(question, operation);
        break;
    }
}

/* What the request is made of. values is its instance, or for invoke the parameters; keys is the
 * instance whose method it is. All are made by the session's application. */
static int prepare(struct question *question, const struct run_input *input)
{
    const struct run_request *request = question->request;
    const struct run_pairs *pairs = &request->values;
    struct run_shape shape = {question->session, request->name_space, request->class_name,
                              request->method};
    int status = CLI_YES;

    if (input != NULL || pairs->count > 0 ||
        (request->class_name != NULL && request->method == NULL)) {
        status = run_instance_new(&shape, pairs, input, &question->values);
    }
    if (status == CLI_YES && request->keys.count > 0) {
        shape.method = NULL;
        status = run_instance_new(&shape, &request->keys, NULL, &question->keys);
    }
    if (status != CLI_YES) {
        return status;
    }
    MI_Result result = run_options_new(question->session, request, question->options);
    return result == MI_RESULT_OK
               ? CLI_YES
               : print_failure(request, result, "these options cannot be set", NULL);
}

static int print_answer(const struct run_request *request, MI_Operation *operation,
                        struct ending *ret_ending)
{
    return request->verb == RUN_SUBSCRIBE ? print_indications(request, operation, ret_ending)
                                          : print_results(request, operation, ret_ending);
}

/* What the end of the operation means. A subscription that its user ended has succeeded, unless
 * --count asked for more than came. */
static int judge(const struct question *question, const struct ending *ending, enum run_end end)
{
    const struct run_request *request = question->request;

    if (request->verb != RUN_SUBSCRIBE || end == RUN_END_ITSELF) {
        if (ending->result == MI_RESULT_OK) {
            return CLI_YES;
        }
        (void)print_failure(request, ending->result, ending->message, ending->details);
        run_explain(request, question->session, ending->result);
        return CLI_NO;
    }
    return request->count == 0 || ending->seen >= request->count
               ? CLI_YES
               : complain(CLI_NO, "%" PRIu64 " of %" PRIu64 " indications came", ending->seen,
                          request->count);
}

static int print_until(const struct question *question, MI_Operation *operation,
                       const struct run_until *until)
{
    const struct run_request *request = question->request;
    struct ending ending = {.result = MI_RESULT_OK};
    enum run_end end = RUN_END_ITSELF;
    struct run_watch *watch = until == NULL ? NULL : run_watch_new(operation, until);

    if (until != NULL && watch == NULL) {
        return CLI_UNABLE;
    }
    int status = print_answer(request, operation, &ending);
    if (watch != NULL) {
        end = run_watch_end(watch);
    }
    return status == CLI_YES ? judge(question, &ending, end) : status;
}

/* Of a client it was read there: its name is for messages only. */
static int read_input(const struct run_request *request, struct run_input *ret_input)
{
    if (request->input == NULL) {
        return CLI_YES;
    }
    return request->served
               ? run_input_take(request->input, request->given != NULL ? request->given : "",
                                request->given_length, ret_input)
               : run_input_read(request->input, ret_input);
}

/* The operation is closed on every way, as MI_Operation_Close demands. */
int run_ask(const struct run_request *request, MI_Session *session, const struct run_until *until)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_OperationOptions how = MI_OPERATIONOPTIONS_NULL;
    struct question question = {.request = request, .session = session, .options = &how};
    struct run_input input = {0};
    int status = read_input(request, &input);

    if (status == CLI_YES) {
        status = prepare(&question, request->input == NULL ? NULL : &input);
    }
    if (status == CLI_YES) {
        question.options = how.ft != NULL ? &how : NULL;
        start(&question, &operation);
        status = print_until(&question, &operation, until);
        MI_Operation_Close(&operation);
    }
    run_input_release(&input);
    MI_OperationOptions_Delete(&how);
    if (question.keys != NULL) {
        MI_Instance_Delete(question.keys);
    }
    if (question.values != NULL) {
        MI_Instance_Delete(question.values);
    }
    return status;
}
