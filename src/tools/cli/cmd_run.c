/* SPDX-License-Identifier: MIT */
/*
 * miguard run: one request to provider modules behind the guard.
 *
 * make_request() goes through the steps in their order: configure() opens the log and loads the
 * policy, close_gate() closes the gate, serve() makes the host, load_all() its modules, ask_as()
 * becomes the user, and ask() makes the request and prints the answer. Each step returns an exit
 * status, and the first that is not CLI_YES ends it.
 *
 * The command is a client of the library like any other program: it uses miguard_configure(),
 * miguard_host_...() and the inline functions of MI.h, and has no way past the guard. What it
 * prints of a provider is made safe for a terminal.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/log_place.h"
#include "tools/cli/policy_open.h"
#include "tools/cli/run_input.h"
#include "tools/cli/run_request.h"
#include "tools/cli/run_table.h"
#include "tools/cli/run_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const gate_scopes[] = {
    [RUN_GATE_THREAD] = "thread", [RUN_GATE_PROCESS] = "process", NULL};

static const struct option_row options[] = {
    LIST("--module", "FILE.so", struct run_request, modules, "a provider module; serves NAMESPACE"),
    TEXT("--as", "USER", struct run_request, as_user,
         "become USER (name, uid or +uid) before the request, which is then also USER's"),
    TEXT("--client", "USER", struct run_request, client,
         "the request is from USER: what miguard_context_client() gives a provider"),
    TEXT("--audit", "FILE", struct run_request, audit_file,
         "where to record what the guard decides; the default is the log of the policy, and for "
         "users who cannot write that miguard/audit.jsonl in $XDG_STATE_HOME or ~/.local/state"),
    TEXT("--policy", "FILE|DIR", struct run_request, policy,
         "the policy, in place of $MIGUARD_POLICY and that in /etc/miguard"),
    WORD("--gate", gate_scopes, struct run_request, gate,
         "from then on the kernel lets only the library change credentials (miguard-gate(7)); "
         "without it, as the policy says"),
    LIST("--key", "KEY=VALUE", struct run_request, keys_given,
         "invoke: a key of the instance whose method it is; none for a static one"),
    TEXT("--language", "WQL|CQL", struct run_request, language,
         "query: the language; without it WQL"),
    TEXT("--association", "CLASS", struct run_request, association,
         "associators: only by this association class and those that derive from it"),
    TEXT("--result-class", "CLASS", struct run_request, result_class,
         "associators: only objects of this class; references: only associations of it"),
    TEXT("--role", "NAME", struct run_request, role,
         "associators, references: only where the object is in the reference NAME"),
    TEXT("--result-role", "NAME", struct run_request, result_role,
         "associators: only where the result is in the reference NAME"),
    TEXT("--input", "FILE|-", struct run_request, input,
         "read properties or parameters from a JSON object, as --json prints one; KEY=VALUE adds "
         "to them"),
    NUMBER("--timeout", "SECONDS", struct run_request, timeout, 1, 864000,
           "end the operation after SECONDS", .noun = "number of seconds"),
    LIST("--flag", "FLAG", struct run_request, flags_given,
         "an operation flag: no-rtti, basic-rtti, standard-rtti, full-rtti, localized-qualifiers, "
         "expensive-properties, polymorphism-shallow, polymorphism-deep-base-props-only, "
         "report-operation-started"),
    LIST("--option", "NAME=VALUE", struct run_request, options_given,
         "a custom option for the provider"),
    FLAG("--json", struct run_request, json,
         "print one JSON object per instance and line; errors as JSON on stderr"),
    FLAG("--table", struct run_request, table,
         "print one line per instance, one column per property that has a value",
         .excludes = "--json"),
    FLAG("--trace", struct run_request, trace,
         "print each call that crosses the guard on stderr: time, thread, its effective ids, the "
         "answer and how long it took; with --json as objects"),
};

/* ---- the audit log ------------------------------------------------------------------------ */

/* Where records go when not where the policy says: a user who cannot write there has a log of their
 * own, whose folders are made. *ret_path is NULL with CLI_YES when the policy's is used, else on
 * the heap. A policy that cannot be read is left to miguard_configure(), which reports it. */
static int find_log(const char *policy, char **ret_path)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    bool own = false;
    char *path = NULL;
    int status = CLI_YES;

    if (draft_load(&policy, policy != NULL ? 1 : 0, DRAFT_TRUST_ALL, &draft, &errors) ==
            MIGUARD_OK && /* else miguard_configure() reports it */
        log_sink(&draft->settings) != NULL) {
        path = log_place(log_sink(&draft->settings)->path, false, &own);
        if (path == NULL || (own && !log_place_make(path))) {
            status = complain(CLI_UNABLE,
                              "no place for the audit log: %s%s%s; name a file with "
                              "--audit",
                              path != NULL ? path : "", path != NULL ? ": " : "", strerror(errno));
        }
    }
    draft_free(draft);
    diagnostics_release(&errors);
    if (!own || status != CLI_YES) {
        free(path);
        path = NULL;
    }
    *ret_path = path;
    return status;
}

/* Before the thread becomes another user: the log belongs to the user who runs the command, and the
 * policy is read by that user. */
static int configure(const struct run_request *request)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char *path = NULL;

    config.policy = policy_path(request->policy);
    config.audit_file = request->audit_file;
    if (config.audit_file == NULL) {
        int status = find_log(config.policy, &path);
        if (status != CLI_YES) {
            return status;
        }
        config.audit_file = path;
    }
    enum miguard_status status = miguard_configure(&config, &error);
    free(path);
    if (status == MIGUARD_OK) {
        return CLI_YES;
    }
    /* The log, the gate that the policy wants, memory: the error knows which. */
    return complain_error(CLI_UNABLE,
                          error.status == MIGUARD_BAD_POLICY
                              ? "the policy cannot be used (see miguard policy check)"
                              : "nothing is served (see miguard doctor, and --audit)",
                          &error);
}

/* Before any provider is loaded, so that not even its constructors can change credentials. */
static int close_gate(const struct run_request *request)
{
    struct miguard_gate_options closing = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (request->gate == RUN_GATE_BY_POLICY) {
        return CLI_YES;
    }
    closing.scope = request->gate == RUN_GATE_THREAD ? MIGUARD_GATE_THREAD : MIGUARD_GATE_PROCESS;
    if (miguard_gate_close(&closing, &error) == MIGUARD_OK) {
        return CLI_YES;
    }
    return complain_error(CLI_UNABLE, "the gate cannot be closed (see miguard doctor)", &error);
}

/* ---- the answer --------------------------------------------------------------------------- */

/* CLI_YES, or CLI_UNABLE after a message. */
static int print_instance(const struct run_request *request, const MI_Instance *instance,
                          struct run_table *table)
{
    if (table != NULL) {
        return run_table_add(table, instance) ? CLI_YES : complain(CLI_UNABLE, "out of memory");
    }
    if (!request->json) {
        render_mof(stdout, instance, false);
        return CLI_YES;
    }
    json_t *json = render_json(instance);
    bool printed = json != NULL && print_json(stdout, json);
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
            render_mof(stderr, details, true);
        }
        return CLI_NO;
    }
    char *text = message == NULL ? NULL : valid_utf8(message);
    json_t *json =
        json_pack("{s:i, s:s, s:s?, s:o?}", "result", (int)result, "name", result_name(result),
                  "message", text, "details", details == NULL ? NULL : render_json(details));
    if (json == NULL || !print_json(stderr, json)) {
        complain(CLI_NO, "%s (%d)", result_name(result), (int)result);
    }
    json_decref(json);
    free(text);
    return CLI_NO;
}

/* Fetches until the last result. An instance is valid until the next call only, so it is printed at
 * once. An error of MI_Operation_GetInstance itself ends the loop and is reported like the
 * operation's result. CLI_NO for any result but OK. */
static int print_rows(const struct run_request *request, MI_Operation *operation,
                      struct run_table *table)
{
    const MI_Instance *instance, *details;
    const MI_Char *message;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    int status = CLI_YES;

    while (more && status == CLI_YES) {
        instance = details = NULL;
        message = NULL;
        MI_Result returned =
            MI_Operation_GetInstance(operation, &instance, &more, &result, &message, &details);
        if (returned != MI_RESULT_OK) {
            result = returned;
            more = MI_FALSE;
        }
        if (instance != NULL) {
            status = print_instance(request, instance, table);
        }
    }
    run_table_end(table);
    return status == CLI_YES && result != MI_RESULT_OK
               ? print_failure(request, result, message, details)
               : status;
}

static int print_results(const struct run_request *request, MI_Operation *operation)
{
    struct run_table *table = request->table ? run_table_new(stdout) : NULL;

    if (request->table && table == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = print_rows(request, operation, table);
    run_table_free(table);
    return status;
}

/* list prints names, one a line, and its JSON is the same as that of classes. */
static int print_class(const struct run_request *request, const MI_Class *item)
{
    const MI_Char *name = NULL;

    if (request->json) {
        json_t *json = render_class_json(item);
        bool printed = json != NULL && print_json(stdout, json);
        json_decref(json);
        return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
    }
    if (request->verb != RUN_LIST) {
        render_class_mof(stdout, item);
    } else if (MI_Class_GetClassName(item, &name) == MI_RESULT_OK) {
        print_safe(stdout, name, false);
        fputc('\n', stdout);
    }
    return CLI_YES;
}

/* As print_results(), for classes. */
static int print_classes(const struct run_request *request, MI_Operation *operation)
{
    const MI_Class *item;
    const MI_Instance *details;
    const MI_Char *message;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    int status = CLI_YES;

    while (more && status == CLI_YES) {
        item = NULL;
        details = NULL;
        message = NULL;
        MI_Result returned =
            MI_Operation_GetClass(operation, &item, &more, &result, &message, &details);
        if (returned != MI_RESULT_OK) {
            result = returned;
            more = MI_FALSE;
        }
        if (item != NULL) {
            status = print_class(request, item);
        }
    }
    return status == CLI_YES && result != MI_RESULT_OK
               ? print_failure(request, result, message, details)
               : status;
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

    switch (request->verb) {
    case RUN_QUERY:
        MI_Session_QueryInstances(session, flags, how, name_space,
                                  request->language == NULL ? MI_QUERY_DIALECT_WQL
                                                            : request->language,
                                  request->query, NULL, operation);
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
static int prepare(struct question *question, json_t *object)
{
    const struct run_request *request = question->request;
    const bool invoke = request->verb == RUN_INVOKE;
    int status = CLI_YES;

    if (object != NULL || request->values.count > 0 || (request->class_name != NULL && !invoke)) {
        status = run_instance_new(question->session, invoke ? "Parameters" : request->class_name,
                                  &request->values, object, &question->values);
    }
    if (status == CLI_YES && request->keys.count > 0) {
        status = run_instance_new(question->session, request->class_name, &request->keys, NULL,
                                  &question->keys);
    }
    if (status != CLI_YES) {
        return status;
    }
    MI_Result result = run_options_new(question->session, request, question->options);
    return result == MI_RESULT_OK
               ? CLI_YES
               : print_failure(request, result, "these options cannot be set", NULL);
}

/* The operation is closed on every way, as MI_Operation_Close demands. */
static int ask(const struct run_request *request, MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_OperationOptions how = MI_OPERATIONOPTIONS_NULL;
    struct question question = {.request = request, .session = session, .options = &how};
    json_t *object = NULL;
    int status = request->input == NULL ? CLI_YES : run_input_read(request->input, &object);

    if (status == CLI_YES) {
        status = prepare(&question, object);
    }
    if (status == CLI_YES) {
        question.options = how.ft != NULL ? &how : NULL;
        start(&question, &operation);
        status = run_gives_classes(request->verb) ? print_classes(request, &operation)
                                                  : print_results(request, &operation);
        MI_Operation_Close(&operation);
    }
    json_decref(object);
    MI_OperationOptions_Delete(&how);
    if (question.keys != NULL) {
        MI_Instance_Delete(question.keys);
    }
    if (question.values != NULL) {
        MI_Instance_Delete(question.values);
    }
    return status;
}

/*
 * With --as the thread becomes that user after the session was opened, makes the request, and
 * switches back. Whether the session may then be used is the policy's affair, and the exit status
 * shows it. A failed way back is an error even after a good answer: the process is then not what it
 * was.
 */
static int ask_as(const struct run_request *request, MI_Session *session)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};

    if (request->as_user == NULL) {
        return ask(request, session);
    }
    if (miguard_target_user(request->as_user, &target, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, request->as_user, &error);
    }
    enum miguard_status switched = miguard_switch_to(target, &error);
    miguard_target_free(target);
    if (switched != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "this user cannot be become", &error);
    }
    int status = ask(request, session);
    if (miguard_switch_back(&error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the way back", &error);
    }
    return status;
}

/* ---- the host ----------------------------------------------------------------------------- */

/* A bare name would be looked for in the library path; here it means a file. */
static int load(struct miguard_host *host, const char *file, const char *name_space)
{
    struct miguard_error error = {0};
    char *path = NULL;

    if (asprintf(&path, "%s%s", strchr(file, '/') == NULL ? "./" : "", file) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    enum miguard_status status = miguard_host_load(host, path, name_space, &error);
    free(path);
    return status == MIGUARD_OK ? CLI_YES : complain_error(CLI_UNABLE, file, &error);
}

/* In the order given; the first that fails ends it. */
static int load_all(const struct run_request *request, struct miguard_host *host)
{
    for (size_t i = 0; i < request->modules.count; i++) {
        int status = load(host, request->modules.items[i], request->name_space);
        if (status != CLI_YES) {
            return status;
        }
    }
    return CLI_YES;
}

/*
 * Who the request is from: --client, or the user of --as. Without either the session has no client,
 * and a provider that asks for one is answered NOT_SUPPORTED: the command runs as its user, but
 * that is also what the host runs as, which is never given as a client.
 */
static int open_session(const struct run_request *request, struct miguard_host *host,
                        MI_Session *ret_session)
{
    const char *user = request->client != NULL ? request->client : request->as_user;
    struct miguard_target *client = NULL;
    struct miguard_error error = {0};
    enum miguard_status status;

    if (user == NULL) {
        status = miguard_host_session(host, ret_session, &error);
    } else if (miguard_target_user(user, &client, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, user, &error);
    } else {
        status = miguard_host_session_for(host, client, ret_session, &error);
    }
    miguard_target_free(client);
    return status == MIGUARD_OK ? CLI_YES : complain_error(CLI_UNABLE, "the session", &error);
}

/* The session is opened as the user who runs the command. */
static int ask_host(const struct run_request *request, struct miguard_host *host)
{
    MI_Session session = MI_SESSION_NULL;
    int status = load_all(request, host);

    if (status != CLI_YES) {
        return status;
    }
    status = open_session(request, host, &session);
    if (status != CLI_YES) {
        return status;
    }
    status = ask_as(request, &session);
    MI_Session_Close(&session, NULL, NULL);
    return status;
}

/* The host wraps each module by miguard_wrap_module(): nothing reaches a provider, and no provider
 * a session, but through the guard. miguard_host_free() waits for providers that still run. */
static int serve(const struct run_request *request)
{
    static const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;
    struct miguard_host_options hosting = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    struct miguard_error error = {0};

    if (miguard_host_new(&hosting, &host, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    if (miguard_host_set_clients(host, &clients, &error) != MIGUARD_OK) {
        miguard_host_free(host);
        return complain_error(CLI_UNABLE, "the host", &error);
    }
    miguard_set_client_source(miguard_host_context_client, host);
    int status = ask_host(request, host);
    miguard_set_client_source(NULL, NULL);
    miguard_host_free(host);
    return status;
}

/* A later step never runs after a failed earlier one: no provider is loaded with an open gate or
 * without a log. */
static int make_request(const struct run_request *request)
{
    int status = configure(request);

    if (status != CLI_YES) {
        return status;
    }
    status = close_gate(request);
    if (status != CLI_YES) {
        return status;
    }
    if (request->trace) {
        run_trace_begin(request->json);
    }
    status = serve(request);
    run_trace_end();
    return status;
}

/* The gate is set before parsing, since 0 is a word of --gate. */
static int run_run(const struct command_line *line)
{
    struct run_request request = {.gate = RUN_GATE_BY_POLICY};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = run_request_read(line, &request);
        if (status == CLI_YES) {
            status = make_request(&request);
        }
    }
    run_request_release(&request);
    return status;
}

COMMAND(miguard, run) = {
    .about = "Loads provider modules behind the guard, makes one request and prints the answer in "
             "MOF. OPERATION is get, enumerate, create, modify, delete, invoke (which needs "
             "METHOD), query (with the QUERY in place of the class), associators, references, "
             "class, classes and list (in full or the names only, of all classes or of those "
             "below CLASS) or test-connection. KEY=VALUE is a key or property, for invoke a "
             "parameter; the value is "
             "converted to the type that the class declares. A KEY given more than once, or as "
             "KEY[]=VALUE, is an array.",
    .exits = "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the request could not be "
             "made.",
    .operand = OPERANDS("OPERATION NAMESPACE [CLASS|QUERY] [METHOD] [KEY=VALUE]...",
                        struct run_request, operands),
    OPTIONS(options),
    .run = run_run,
};
