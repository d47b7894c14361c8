/* SPDX-License-Identifier: MIT */
/*
 * The example providers under both hosts, the embedded server and the foreign host.
 *
 * Wrapped and not, each request has the same answer to the byte, as long as nothing is misused. And
 * each misuse of MG_Impersonator is refused under both, by whom it must be, and reaches neither the
 * host's session nor a provider.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"

enum { TEXT = 1 << 18, MOST_ACTS = 64, NAME = 64 };

static unsigned passed, failed;

static void check(bool good, const char *host, const char *subject, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s host, %s: %s\n", host, subject, what);
    }
}

static char paths[3][512];

/* The impersonator waits on its request's thread for files, which another agent serves. */
static void find_providers(struct hosted_module modules[5])
{
    static const char *const names[] = {"impersonator", "file", "account"};
    const char *out = getenv("OUT") != NULL ? getenv("OUT") : "build";

    for (unsigned i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/providers/%s.so", out, names[i]);
        modules[i] = (struct hosted_module){.path = paths[i], .agent = i};
    }
    modules[3] = nested_modules[0];
    modules[4] = nested_modules[1];
}

/* ---- the same answer to the byte ------------------------------------------------------------- */

/* A nested enumeration, whose instances are posted on. */
static void pass_on(MI_Context *context)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_Context_GetLocalSession(context, &session);

    nested_start(context, &session, "L_Back", true, 0, NULL, &operation);
    while (result == MI_RESULT_OK && more) {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        if (instance != NULL) {
            MI_Context_PostInstance(context, instance);
        }
    }
    MI_Operation_Close(&operation);
    MI_Context_PostResult(context, result);
}

#define KEY(name, value) .names = {name}, .values = {value}
static const struct ask asks[] = {
    {.verb = ASK_ENUMERATE, .class_name = "MG_UserAccount"},
    {.verb = ASK_ENUMERATE, .class_name = "MG_Principal"},
    {.verb = ASK_ENUMERATE, .class_name = "MG_GroupAccount", .asynchronous = true},
    {.verb = ASK_GET, .class_name = "MG_UserAccount", KEY("Name", "root")},
    {.verb = ASK_GET, .class_name = "MG_UserAccount", KEY("Name", "root"), .asynchronous = true},
    {.verb = ASK_GET, .class_name = "MG_UserAccount", KEY("Name", "no such user")},
    {.verb = ASK_GET, .class_name = "MG_UserAccount", KEY("Other", "root")},
    {.verb = ASK_GET, .class_name = "MG_None", KEY("Name", "root")},
    {.verb = ASK_ENUMERATE, .class_name = "MG_None"},
    {.verb = ASK_CREATE, .class_name = "MG_UserAccount", KEY("Name", "new")},
    {.verb = ASK_MODIFY, .class_name = "MG_UserAccount", KEY("Name", "root")},
    {.verb = ASK_DELETE, .class_name = "MG_UserAccount", KEY("Name", "root")},
    {.verb = ASK_ENUMERATE, .class_name = "MG_Impersonator"},
    {.verb = ASK_GET, .class_name = "MG_Impersonator", KEY("Name", "setfsuid")},
    {.verb = ASK_INVOKE, .class_name = "MG_Impersonator", .method = "Stash"},
    {.verb = ASK_INVOKE, .class_name = "MG_Impersonator", .method = "None"},
    {.verb = ASK_INVOKE, .class_name = "MG_Impersonator", .method = "Act", KEY("Name", "none")},
    {.verb = ASK_INVOKE,
     .class_name = "MG_Impersonator",
     .method = "Act",
     KEY("Name", "right-use")},
    {.verb = ASK_INVOKE,
     .class_name = "MG_Impersonator",
     .method = "Act",
     KEY("Name", "right-callback")},
    {.verb = ASK_GET, .class_name = "MG_File", KEY("Path", "/etc/passwd")},
    {.verb = ASK_GET, .class_name = "MG_File", KEY("Path", "/no/such/file")},
    {.verb = ASK_ASSOCIATORS, .class_name = "MG_UserAccount", KEY("Name", "root")},
    {.verb = ASK_REFERENCES, .class_name = "MG_UserAccount", KEY("Name", "root")},
    {.verb = ASK_GET, .class_name = "L_Front", KEY("Id", "x")},
    {.verb = ASK_ENUMERATE, .class_name = "L_Back"},
    {.verb = ASK_TEST},
};

enum { ASKS = sizeof(asks) / sizeof(asks[0]) };

/* What differs from one request to the next anyway: when a file was read last. */
static void forget_times(char *text)
{
    for (char *at = text; (at = strstr(at, "Accessed (")) != NULL;) {
        while (*at != '\n' && *at != '\0') {
            *at++ = '-';
        }
    }
}

static void ask_all(int kind, MI_Module *(*wrap)(MI_Server *, MI_Module *), char *answers[ASKS])
{
    struct hosted_module modules[5];
    struct running_host host;

    find_providers(modules);
    nested_front = pass_on;
    if (!host_kinds[kind].start(&host, modules, 5, wrap)) {
        exit(1);
    }
    for (unsigned i = 0; i < ASKS; i++) {
        answers[i] = malloc(TEXT);
        (void)hosts_ask(&host, &asks[i], answers[i], TEXT);
        forget_times(answers[i]);
    }
    host_kinds[kind].stop(&host);
}

static void compare_answers(int kind)
{
    char *plain[ASKS], *wrapped[ASKS];
    unsigned served = 0;

    ask_all(kind, NULL, plain);
    ask_all(kind, miguard_wrap_module, wrapped);
    for (unsigned i = 0; i < ASKS; i++) {
        char subject[128];
        snprintf(subject, sizeof(subject), "request %u, %s", i,
                 asks[i].class_name != NULL ? asks[i].class_name : "TestConnection");
        bool same = strcmp(plain[i], wrapped[i]) == 0;
        check(same, host_kinds[kind].name, subject, "the answer is another one when wrapped");
        if (!same) {
            printf("--- plain\n%.2000s--- wrapped\n%.2000s", plain[i], wrapped[i]);
        }
        served += strstr(plain[i], "result 0 ") != NULL;
        free(plain[i]);
        free(wrapped[i]);
    }
    check(served >= 14, host_kinds[kind].name, "the requests", "too few of them are served");
    printf("%s host: %u requests, %u of them served, the same wrapped and not\n",
           host_kinds[kind].name, (unsigned)ASKS, served);
}

/* ---- each misuse is refused ------------------------------------------------------------------ */

struct act {
    char name[NAME], refused_by[NAME];
};

struct acts {
    struct act acts[MOST_ACTS];
    unsigned count;
};

static void note_act(const MI_Instance *instance, void *data)
{
    struct acts *acts = data;
    struct act *act = &acts->acts[acts->count];

    if (acts->count < MOST_ACTS) {
        hosts_element(instance, "Name", act->name, NAME);
        hosts_element(instance, "RefusedBy", act->refused_by, NAME);
        acts->count++;
    }
}

struct outcome {
    char refused[8], works[8], reached[16], message[512], result[32];
};

static void note_outcome(const MI_Instance *instance, void *data)
{
    struct outcome *outcome = data;

    hosts_element(instance, "Refused", outcome->refused, sizeof(outcome->refused));
    hosts_element(instance, "StillWorks", outcome->works, sizeof(outcome->works));
    hosts_element(instance, "Reached", outcome->reached, sizeof(outcome->reached));
    hosts_element(instance, "Message", outcome->message, sizeof(outcome->message));
    hosts_element(instance, "ResultName", outcome->result, sizeof(outcome->result));
}

/* Of the foreign host: what came to the session behind the guard, and what it refused by itself. An
 * application is asked for without a use of its own, so that is left out on both sides. */
struct came {
    unsigned long calls, refused;
};

static struct came came_so_far(const struct running_host *host)
{
    struct came came = {0, 0};

    if (host->foreign != NULL) {
        const struct foreign_counts *counts = foreign_host_counts(host->foreign);
        came.calls = foreign_host_reached(host->foreign) - counts->session[1];
        came.refused = counts->refused;
    }
    return came;
}

/* Each use that the guard allows leads to at most one call of the host. */
static atomic_ulong allowed;

static void count_allowed(void *data, const struct miguard_traced_call *call)
{
    (void)data;
    atomic_fetch_add(&allowed, call->allowed && !call->again &&
                                   strcmp(call->call, "GetApplication") != 0 &&
                                   strcmp(call->call, "GetLocalSession") != 0);
}

static struct outcome perform(struct running_host *host, const struct act *act)
{
    struct outcome outcome = {.refused = "?"};
    const struct ask ask = {.verb = ASK_INVOKE,
                            .class_name = "MG_Impersonator",
                            .method = "Act",
                            KEY("Name", act->name),
                            .each = note_outcome,
                            .data = &outcome};

    (void)hosts_ask(host, &ask, NULL, 0);
    return outcome;
}

static void perform_misuse(struct running_host *host, const struct act *act, unsigned *skipped)
{
    const char *name = host->kind->name;
    const struct came before = came_so_far(host);
    unsigned long allowed_before = atomic_load(&allowed);
    const struct outcome outcome = perform(host, act);
    const struct came after = came_so_far(host);

    if (strncmp(outcome.message, "skip:", 5) == 0) {
        *skipped += 1;
        return;
    }
    check(strcmp(outcome.refused, "1") == 0, name, act->name, "is not refused");
    check(after.calls - before.calls <= atomic_load(&allowed) - allowed_before, name, act->name,
          "a call that the guard did not allow comes to the host's session");
    check(after.refused == before.refused, name, act->name, "the host has to refuse it");
    if (strcmp(outcome.works, "1") != 0) {
        printf("%s host, %s: %s %s\n", name, act->name, outcome.result, outcome.message);
    }
    check(strcmp(outcome.works, "1") == 0, name, act->name, "something right no longer works");
}

static void misuse(int kind)
{
    struct hosted_module modules[5];
    struct acts acts = {.count = 0};
    const struct ask list = {
        .verb = ASK_ENUMERATE, .class_name = "MG_Impersonator", .each = note_act, .data = &acts};
    struct running_host host;
    unsigned skipped = 0, misuses = 0;

    static const struct miguard_tracer tracer = {count_allowed, NULL};

    find_providers(modules);
    miguard_set_tracer(&tracer);
    if (!host_kinds[kind].start(&host, modules, 5, miguard_wrap_module)) {
        exit(1);
    }
    (void)hosts_ask(&host, &list, NULL, 0);
    check(acts.count > 30, host.kind->name, "MG_Impersonator", "has too few acts");
    for (unsigned i = 0; i < acts.count; i++) {
        /* A call of its own class: on the thread that would have to serve it, guard or not. */
        if (kind == HOST_FOREIGN && strcmp(acts.acts[i].name, "stale") == 0) {
            skipped++;
        } else if (strcmp(acts.acts[i].refused_by, "guard") == 0) {
            perform_misuse(&host, &acts.acts[i], &skipped);
            misuses++;
        }
    }
    if (kind == HOST_FOREIGN) {
        check(foreign_host_died(host.foreign) == NULL, "foreign", "the host", "died");
        check(foreign_host_counts(host.foreign)->deadlocks == 0, "foreign", "the host",
              "waits for itself");
    }
    printf("%s host: %u misuses, %u of them cannot be tried here\n", host.kind->name, misuses,
           skipped);
    host_kinds[kind].stop(&host);
    miguard_set_tracer(NULL);
}

int main(void)
{
    if (geteuid() != 0) {
        printf("skip: other identities: need root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    log_start();
    for (int kind = 0; kind < HOSTS; kind++) {
        compare_answers(kind);
        misuse(kind);
    }
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
