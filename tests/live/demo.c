/* SPDX-License-Identifier: MIT */
/*
 * See a provider misuse its session in every way, and be refused.
 *
 * Loads the example providers behind the guard, lists the acts of MG_Impersonator and performs each
 * on this machine's real accounts and files. A line says what the act's thread was when the session
 * was taken and when it was used, which call was made, and how it ended. Then the audit log tells
 * the same story. Two are shown without the guard first: that is the hole.
 *
 * Passed means: what must be refused was refused, by whom it must be, reached no provider and left
 * a record; what must be served was, as the thread's own identity. Without root it all happens in a
 * user namespace of its own, where some identities cannot be had; their acts are skipped.
 */
#include <MI.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/demo_gate.h"
#include "miguard.h"
#include "miguard/host.h"
#include "support/record.h"

#define NAMESPACE "root/demo"
#define MARK      "MIGUARD_DEMO_NAMESPACE"

enum { MAX_ACTS = 128, TEXT = 4096 };

enum verdict { PASSED, FAILED, SKIPPED };

struct totals {
    unsigned passed, failed, skipped;
    bool colour;
};

struct act {
    char name[32];
    char refused_by[16];
};

struct outcome {
    char before[TEXT], after[TEXT], call[128], result_name[32], message[256];
    bool refused, still_works;
    MI_Uint32 result, served_as, reached;
    /* seen from outside */
    MI_Result invoke_result;
    uint64_t provider_calls;
    size_t records, refusals;
};

/* ---- a user namespace, when this is not root ------------------------------------------------ */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0) {
        close(fd);
    }
    return written;
}

/* Root in a namespace of its own, with this user as its only user, user_namespaces(7). Does not
 * return when it works: a fresh image sees the new identity from its beginning. */
static void enter_namespace(char **arguments)
{
    char uid_map[32], gid_map[32];

    snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
    snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
    if (setenv(MARK, "1", 1) == 0 && unshare(CLONE_NEWUSER) == 0 &&
        write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", uid_map) &&
        write_file("/proc/self/gid_map", gid_map)) {
        execv("/proc/self/exe", arguments);
    }
    printf("skip: no user namespace (%s): going on without any capability\n", strerror(errno));
}

/* ---- reading instances ---------------------------------------------------------------------- */

static bool get_element(const MI_Instance *instance, const char *name, MI_Type wanted,
                        MI_Value *ret_value)
{
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = MI_FLAG_NULL;

    return MI_Instance_GetElement(instance, name, ret_value, &type, &flags, NULL) == MI_RESULT_OK &&
           type == wanted && (flags & MI_FLAG_NULL) == 0;
}

static void get_text(const MI_Instance *instance, const char *name, char *text, size_t size)
{
    MI_Value value;
    bool found = get_element(instance, name, MI_STRING, &value);

    snprintf(text, size, "%s", found ? value.string : "");
}

static bool get_boolean(const MI_Instance *instance, const char *name)
{
    MI_Value value;

    return get_element(instance, name, MI_BOOLEAN, &value) && value.boolean;
}

static MI_Uint32 get_uint32(const MI_Instance *instance, const char *name)
{
    MI_Value value;

    return get_element(instance, name, MI_UINT32, &value) ? value.uint32 : (MI_Uint32)-1;
}

/* ---- requests ------------------------------------------------------------------------------- */

typedef void (*on_instance)(const MI_Instance *instance, void *argument);

static MI_Result finish(MI_Operation *operation, on_instance function, void *argument)
{
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    while (more) {
        const MI_Instance *instance = NULL;
        MI_Result returned =
            MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);
        if (returned != MI_RESULT_OK) {
            result = returned;
            break;
        }
        if (instance != NULL) {
            function(instance, argument);
        }
    }
    MI_Operation_Close(operation);
    return result;
}

static MI_Result enumerate(MI_Session *session, const char *class_name, on_instance function,
                           void *argument)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_EnumerateInstances(session, 0, NULL, NAMESPACE, class_name, MI_FALSE, NULL,
                                  &operation);
    return finish(&operation, function, argument);
}

static void take_outcome(const MI_Instance *out, void *argument)
{
    struct outcome *outcome = argument;

    get_text(out, "Before", outcome->before, sizeof(outcome->before));
    get_text(out, "After", outcome->after, sizeof(outcome->after));
    get_text(out, "Call", outcome->call, sizeof(outcome->call));
    get_text(out, "ResultName", outcome->result_name, sizeof(outcome->result_name));
    get_text(out, "Message", outcome->message, sizeof(outcome->message));
    outcome->result = get_uint32(out, "Result");
    outcome->refused = get_boolean(out, "Refused");
    outcome->still_works = get_boolean(out, "StillWorks");
    outcome->served_as = get_uint32(out, "ServedAsUid");
    outcome->reached = get_uint32(out, "Reached");
}

static MI_Result new_parameters(MI_Session *session, const char *name, MI_Instance **ret_instance)
{
    MI_Application application;
    MI_Value value;

    value.string = (MI_Char *)name;
    MI_Result result = MI_Session_GetApplication(session, &application);
    if (result == MI_RESULT_OK) {
        result = MI_Application_NewParameterSet(&application, NULL, ret_instance);
    }
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(*ret_instance, "Name", &value, MI_STRING, 0);
    }
    return result;
}

static void perform(MI_Session *session, const char *name, struct outcome *outcome)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *parameters = NULL;

    memset(outcome, 0, sizeof(*outcome));
    outcome->invoke_result = new_parameters(session, name, &parameters);
    if (outcome->invoke_result == MI_RESULT_OK) {
        MI_Session_Invoke(session, 0, NULL, NAMESPACE, "MG_Impersonator", "Act", NULL, parameters,
                          NULL, &operation);
        outcome->invoke_result = finish(&operation, take_outcome, outcome);
        MI_Instance_Delete(parameters);
    }
}

/* ---- the host ------------------------------------------------------------------------------- */

static bool load_all(struct miguard_host *host)
{
    static const char *const names[] = {"account", "file", "impersonator"};
    const char *out = getenv("OUT");
    struct miguard_error error = {0};
    char path[512];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/providers/%s.so", out != NULL ? out : "build", names[i]);
        if (miguard_host_load(host, path, NAMESPACE, &error) != MIGUARD_OK) {
            printf("%s: %s: %s\n", path, miguard_status_text(error.status), error.detail);
            return false;
        }
    }
    return true;
}

/* The session of a client: nobody, as a server would know it from a socket. Where there is no such
 * user the requests have no client, and the act that asks for it is skipped. */
static enum miguard_status open_session(struct miguard_host *host, MI_Session *ret_session,
                                        struct miguard_error *reterr)
{
    static const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;
    struct miguard_target *client = NULL;

    enum miguard_status status = miguard_host_set_clients(host, &clients, reterr);
    if (status != MIGUARD_OK || miguard_target_user("nobody", &client, NULL) != MIGUARD_OK) {
        return status != MIGUARD_OK ? status : miguard_host_session(host, ret_session, reterr);
    }
    miguard_set_client_source(miguard_host_context_client, NULL);
    status = miguard_host_session_for(host, client, ret_session, reterr);
    miguard_target_free(client);
    return status;
}

static struct miguard_host *start_host(bool guarded, MI_Session *ret_session)
{
    struct miguard_host_options options = {.wrap = guarded ? miguard_wrap_module : NULL};
    struct miguard_host *host = NULL;
    struct miguard_error error = {0};

    if (miguard_host_new(&options, &host, &error) != MIGUARD_OK || !load_all(host) ||
        open_session(host, ret_session, &error) != MIGUARD_OK) {
        printf("the host: %s %s\n", miguard_status_text(error.status), error.detail);
        miguard_host_free(host);
        return NULL;
    }
    return host;
}

/* ---- what a line shows ---------------------------------------------------------------------- */

/* "uid 0/0/0/0 gid ..." is pairs of a name and a value. The pairs in which two texts differ. */
static void differences(const char *before, const char *after, char *text, size_t size)
{
    char a[TEXT], b[TEXT], *save_a = NULL, *save_b = NULL;
    unsigned more = 0;

    snprintf(a, sizeof(a), "%s", before);
    snprintf(b, sizeof(b), "%s", after);
    text[0] = '\0';
    char *name = strtok_r(a, " ", &save_a), *same = strtok_r(b, " ", &save_b);
    while (name != NULL && same != NULL) {
        char *old = strtok_r(NULL, " ", &save_a), *new = strtok_r(NULL, " ", &save_b);
        if (old == NULL || new == NULL) {
            break;
        }
        if (strcmp(old, new) != 0 && text[0] == '\0') {
            snprintf(text, size, "%s %s > %s", name, old, new);
        } else if (strcmp(old, new) != 0) {
            more++;
        }
        name = strtok_r(NULL, " ", &save_a);
        same = strtok_r(NULL, " ", &save_b);
    }
    if (more > 0) {
        size_t length = strlen(text);
        snprintf(text + length, size - length, " +%u", more);
    }
    if (text[0] == '\0') { /* nothing changed: who it is */
        snprintf(text, size, "%.*s", (int)(strstr(before, " gid") - before), before);
    }
}

static const char *verdict_text(const struct totals *totals, enum verdict verdict)
{
    static const char *const plain[] = {"ok  ", "FAIL", "skip"};
    static const char *const coloured[] = {"\033[32mok  \033[0m", "\033[1;31mFAIL\033[0m",
                                           "\033[33mskip\033[0m"};

    return totals->colour ? coloured[verdict] : plain[verdict];
}

static void count(struct totals *totals, enum verdict verdict)
{
    totals->passed += verdict == PASSED;
    totals->failed += verdict == FAILED;
    totals->skipped += verdict == SKIPPED;
}

static void print_outcome(const struct totals *totals, const struct act *act,
                          const struct outcome *outcome, enum verdict verdict, const char *why)
{
    char change[128], result[64];

    if (verdict == SKIPPED) {
        printf("skip: %s: %s\n", act->name, outcome->message + strlen("skip: "));
        return;
    }
    if (outcome->before[0] == '\0') {
        snprintf(change, sizeof(change), "?");
    } else {
        differences(outcome->before, outcome->after, change, sizeof(change));
    }
    if (outcome->result == MI_RESULT_OK && outcome->served_as != (MI_Uint32)-1) {
        snprintf(result, sizeof(result), "served as %u", outcome->served_as);
    } else {
        snprintf(result, sizeof(result), "%s", outcome->result_name);
    }
    printf("%s %-22s %-43.43s %-30.30s %s\n", verdict_text(totals, verdict), act->name, change,
           outcome->call, result);
    if (verdict == FAILED) {
        printf("     ^ %s%s%s\n", why, outcome->message[0] != '\0' ? ": " : "", outcome->message);
    }
}

/* ---- judging -------------------------------------------------------------------------------- */

static bool is_skipped(const struct outcome *outcome)
{
    return strncmp(outcome->message, "skip: ", strlen("skip: ")) == 0;
}

/* The fourth number of "uid r/e/s/fs": whom the kernel lets open files as. */
static MI_Uint32 fsuid_of(const char *text)
{
    unsigned real, effective, saved, fs;

    return sscanf(text, "uid %u/%u/%u/%u", &real, &effective, &saved, &fs) == 4 ? fs
                                                                                : (MI_Uint32)-1;
}

/* What is wrong with the outcome of a guarded act, or NULL. */
static const char *fault(const struct act *act, const struct outcome *outcome)
{
    bool by_guard = strcmp(act->refused_by, "guard") == 0;

    if (outcome->invoke_result != MI_RESULT_OK) {
        return "the act itself was not served";
    }
    if (act->refused_by[0] != '\0' && !outcome->refused) {
        return "this had to be refused";
    }
    if (act->refused_by[0] == '\0' && (outcome->refused || outcome->result != MI_RESULT_OK)) {
        return "this had to be served";
    }
    if (act->refused_by[0] == '\0' && outcome->served_as != fsuid_of(outcome->after)) {
        return "served under another identity than the thread had";
    }
    if (!outcome->still_works) {
        return "the right use before or after did not work";
    }
    if (by_guard && outcome->refusals == 0) {
        return "no record of the refusal";
    }
    if (!by_guard && outcome->refusals != 0) {
        return "a record of a refusal that the guard did not make";
    }
    if (outcome->provider_calls != 1 + outcome->reached) {
        return "a refused request reached a provider";
    }
    return NULL;
}

/* ---- the audit log -------------------------------------------------------------------------- */

struct log {
    char path[64];
    FILE *file;
    json_t *refusals; /* array of records */
};

static const char *text_at(const json_t *record, const char *object, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(record, object), name));

    return text == NULL ? "" : text;
}

/* Reads what has been appended since the last time; false when a line is no JSON object. */
static bool read_log(struct log *log, struct outcome *outcome)
{
    char *line = NULL;
    size_t size = 0;
    bool sound = true;

    clearerr(log->file);
    while (getline(&line, &size, log->file) > 0) {
        json_t *record = record_json(line, strlen(line));
        sound = sound && json_is_object(record);
        outcome->records++;
        if (strcmp(text_at(record, "miguard", "decision"), "deny") == 0) {
            outcome->refusals++;
            json_array_append(log->refusals, record);
        }
        json_decref(record);
    }
    free(line);
    return sound;
}

static void join(const json_t *list, char *text, size_t size, size_t shown)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(list) && i < shown && at < size; i++) {
        int more = snprintf(text + at, size - at, "%s%s", i > 0 ? " " : "",
                            json_string_value(json_array_get(list, i)));
        at += more > 0 ? (size_t)more : 0;
    }
    if (json_array_size(list) > shown && at < size) {
        snprintf(text + at, size - at, " +%zu", json_array_size(list) - shown);
    }
}

/* The row of the table without sequence and time, by which repeated refusals are recognised. */
static void describe_refusal(const json_t *record, char *row, size_t size)
{
    const json_t *own = json_object_get(record, "miguard");
    const json_t *process = json_object_get(record, "process");
    const json_t *site = json_object_get(own, "call_site");
    const char *module = json_string_value(json_object_get(site, "module"));
    const char *offset = json_string_value(json_object_get(site, "offset"));
    char differing[64], users[32], place[64];

    join(json_object_get(own, "mismatch"), differing, sizeof(differing), 2);
    const char *bound = text_at(record, "user", "name");
    const char *current = text_at(process, "user", "name");
    snprintf(users, sizeof(users), "%.8s>%.8s", bound[0] != '\0' ? bound : "?",
             current[0] != '\0' ? current : "?");
    const char *slash = module == NULL ? NULL : strrchr(module, '/');
    snprintf(place, sizeof(place), "%.12s+%llx",
             module == NULL  ? "-"
             : slash != NULL ? slash + 1
                             : module,
             offset == NULL ? 0 : strtoull(offset, NULL, 16));
    snprintf(row, size, "%-19.19s %-20.20s %-7.7s %-20.20s %-13.13s %s",
             text_at(record, "event", "reason"), text_at(record, "miguard", "operation"),
             text_at(record, "miguard", "class"), differing[0] != '\0' ? differing : "-", users,
             place);
}

static void print_refusals(const struct log *log)
{
    char row[256], next[256];
    size_t total = json_array_size(log->refusals);

    printf("\n%4s %-8s %-19s %-20s %-7s %-20s %-13s %s\n", "seq", "UTC", "reason", "operation",
           "class", "differs", "bound>now", "call site");
    for (size_t i = 0, same; i < total; i += same) {
        const json_t *record = json_array_get(log->refusals, i);
        const char *when = json_string_value(json_object_get(record, "@timestamp"));
        describe_refusal(record, row, sizeof(row));
        for (same = 1; i + same < total; same++) {
            describe_refusal(json_array_get(log->refusals, i + same), next, sizeof(next));
            if (strcmp(row, next) != 0) {
                break;
            }
        }
        printf("%4lld %-8.8s %s",
               json_integer_value(json_object_get(json_object_get(record, "event"), "sequence")),
               when != NULL && strlen(when) > 19 ? when + 11 : "-", row);
        printf(same > 1 ? " x%zu\n" : "\n", same);
    }
}

/* ---- the reviewer --------------------------------------------------------------------------- */

/* Shows the command as a person would type it, and what it says. */
static bool show_command(const char *arguments)
{
    const char *out = getenv("OUT");
    char command[512];

    printf("\n$ miguard %s\n", arguments);
    fflush(stdout);
    snprintf(command, sizeof(command), "%s/miguard %s", out != NULL ? out : "build", arguments);
    return system(command) == 0;
}

static void expect_command(struct totals *totals, bool done, const char *what)
{
    totals->passed += done;
    totals->failed += !done;
    if (!done) {
        printf("FAIL %s\n", what);
    }
}

/* The setfsuid act is the one that OMI serves as root; without root it cannot be shown, and another
 * stands for it. */
static const char *id_of_setfsuid(const struct log *log)
{
    const char *id = "";

    for (size_t i = 0; i < json_array_size(log->refusals); i++) {
        const json_t *record = json_array_get(log->refusals, i);
        const json_t *mismatch = json_object_get(json_object_get(record, "miguard"), "mismatch");
        const char *first = json_string_value(json_array_get(mismatch, 0));
        if (first != NULL) {
            id = text_at(record, "event", "id");
        }
        if (first != NULL && strcmp(first, "fsuid") == 0) {
            break;
        }
    }
    return id;
}

static void show_review(struct totals *totals, const struct log *log)
{
    const char *out = getenv("OUT");
    char arguments[400];

    out = out != NULL ? out : "build";
    printf("\nThe reviewer\n");
    snprintf(arguments, sizeof(arguments), "audit verify %s", log->path);
    expect_command(totals, show_command(arguments), "the log is intact");
    snprintf(arguments, sizeof(arguments), "audit explain %s %s", id_of_setfsuid(log), log->path);
    expect_command(totals, show_command(arguments), "a refusal can be explained");
    if (access(out, W_OK) != 0) {
        printf("\nskip: the report: %s is not this user's\n", out);
        totals->skipped++;
        return;
    }
    snprintf(arguments, sizeof(arguments), "audit search --format json %s >%s/demo.jsonl",
             log->path, out);
    expect_command(totals, show_command(arguments), "the records can be copied");
    snprintf(arguments, sizeof(arguments), "audit report --html %s/demo.html %s", out, log->path);
    expect_command(totals, show_command(arguments), "a report can be made");
}

/* ---- the parts of the demonstration --------------------------------------------------------- */

static void print_heading(void)
{
    printf("     %-22s %-43s %-30s %s\n", "act", "identity: session taken > used", "call",
           "result");
}

/*
 * The hole: without the guard a session serves whoever comes. (This host runs a request on the
 * thread that makes it, so its requests follow the thread's identity; a host that sends them to
 * another process, as OMI does, would also go on acting as root for a thread that is nobody.)
 */
static void show_hole(struct totals *totals)
{
    static const struct {
        struct act act;
        const char *lesson;
    } holes[] = {
        {{"foreign-session", ""}, "taken under another identity, it acts for its holder now"},
        {{"get-after-switch", ""}, "what was asked for as root is handed to another user"},
    };
    MI_Session session = MI_SESSION_NULL;
    struct outcome outcome;
    struct miguard_host *host = start_host(false, &session);

    printf("Without the guard\n");
    print_heading();
    for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]) && host != NULL; i++) {
        perform(&session, holes[i].act.name, &outcome);
        bool served = outcome.invoke_result == MI_RESULT_OK && outcome.result == MI_RESULT_OK &&
                      !outcome.refused;
        enum verdict verdict = is_skipped(&outcome) ? SKIPPED : served ? PASSED : FAILED;
        print_outcome(totals, &holes[i].act, &outcome, verdict, "without a guard this is served");
        if (verdict == PASSED) {
            printf("     ^ the hole: %s\n", holes[i].lesson);
        }
        count(totals, verdict);
    }
    totals->failed += host == NULL;
    if (host != NULL) {
        MI_Session_Close(&session, NULL, NULL);
    }
    miguard_host_free(host);
}

struct act_list {
    struct act acts[MAX_ACTS];
    size_t count;
};

static void take_act(const MI_Instance *instance, void *argument)
{
    struct act_list *list = argument;

    if (list->count < MAX_ACTS) {
        struct act *act = &list->acts[list->count++];
        get_text(instance, "Name", act->name, sizeof(act->name));
        get_text(instance, "RefusedBy", act->refused_by, sizeof(act->refused_by));
    }
}

static void count_account(const MI_Instance *instance, void *argument)
{
    unsigned *counts = argument;
    const MI_Char *name = "";

    MI_Instance_GetClassName(instance, &name);
    counts[0] += strcmp(name, "MG_UserAccount") == 0;
    counts[1] += strcmp(name, "MG_GroupAccount") == 0;
}

static void show_accounts(struct totals *totals, MI_Session *session)
{
    unsigned counts[2] = {0, 0};
    MI_Result result = enumerate(session, "MG_Principal", count_account, counts);
    enum verdict verdict =
        result == MI_RESULT_OK && counts[0] > 0 && counts[1] > 0 ? PASSED : FAILED;

    printf("%s enumerate MG_Principal: %u users and %u groups of this machine\n",
           verdict_text(totals, verdict), counts[0], counts[1]);
    count(totals, verdict);
}

static void show_act(struct totals *totals, struct miguard_host *host, MI_Session *session,
                     const struct act *act, struct log *log)
{
    struct outcome outcome;
    uint64_t before = miguard_host_provider_calls(host);

    perform(session, act->name, &outcome);
    outcome.provider_calls = miguard_host_provider_calls(host) - before;
    bool readable = read_log(log, &outcome);
    const char *why = !readable ? "a line of the log is no JSON" : fault(act, &outcome);
    enum verdict verdict = why == NULL ? PASSED : FAILED;
    if (is_skipped(&outcome)) {
        verdict = SKIPPED;
    }
    print_outcome(totals, act, &outcome, verdict, why);
    count(totals, verdict);
}

static bool open_log(struct log *log)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char folder[] = "/tmp/miguard-demo.XXXXXX";

    if (mkdtemp(folder) == NULL) {
        printf("mkdtemp: %s\n", strerror(errno));
        return false;
    }
    snprintf(log->path, sizeof(log->path), "%s/audit.jsonl", folder);
    config.audit_file = log->path;
    config.repeat_window = 0; /* each misuse shows its own record */
    if (miguard_configure(&config, &error) != MIGUARD_OK) {
        printf("%s: %s %s\n", log->path, miguard_status_text(error.status), error.detail);
        return false;
    }
    log->file = fopen(log->path, "re");
    log->refusals = json_array();
    return log->file != NULL && log->refusals != NULL;
}

static void close_log(struct log *log)
{
    if (log->file != NULL) {
        fclose(log->file);
    }
    json_decref(log->refusals);
    if (log->path[0] != '\0') {
        char state[80];
        snprintf(state, sizeof(state), "%s.state", log->path);
        unlink(log->path);
        unlink(state);
        *strrchr(log->path, '/') = '\0';
        rmdir(log->path);
    }
}

static void show_guarded(struct totals *totals)
{
    MI_Session session = MI_SESSION_NULL;
    struct log log = {0};
    struct outcome opening = {0};
    struct miguard_host *host = NULL;
    struct act_list *list = calloc(1, sizeof(*list));

    if (list == NULL || !open_log(&log) || (host = start_host(true, &session)) == NULL) {
        totals->failed++;
        goto out;
    }
    printf("\nBehind the guard\n");
    show_accounts(totals, &session);
    if (enumerate(&session, "MG_Impersonator", take_act, list) != MI_RESULT_OK ||
        list->count == 0) {
        printf("FAIL the acts cannot be listed\n");
        totals->failed++;
    }
    read_log(&log, &opening);
    print_heading();
    for (size_t i = 0; i < list->count; i++) {
        show_act(totals, host, &session, &list->acts[i], &log);
    }
    print_refusals(&log);
    show_review(totals, &log);
out:
    if (session.ft != NULL) {
        MI_Session_Close(&session, NULL, NULL);
    }
    miguard_host_free(host);
    close_log(&log);
    free(list);
}

static void show_gate(struct totals *totals)
{
    const char *const words[] = {verdict_text(totals, PASSED), verdict_text(totals, FAILED),
                                 verdict_text(totals, SKIPPED)};
    const struct demo_counts counts = demo_gate(words);

    totals->passed += counts.passed;
    totals->failed += counts.failed;
    totals->skipped += counts.skipped;
}

int main(int argument_count, char **arguments)
{
    struct totals totals = {.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL};

    (void)argument_count;
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was shown stays shown if a guard aborts */
    if (geteuid() != 0 && getenv(MARK) == NULL) {
        enter_namespace(arguments);
    }
    show_hole(&totals);
    show_guarded(&totals);
    show_gate(&totals);
    printf("\n%u passed, %u failed", totals.passed, totals.failed);
    if (totals.skipped > 0) {
        printf(", %u skipped", totals.skipped);
    }
    printf("\n");
    return totals.failed == 0 ? 0 : 1;
}
