/* SPDX-License-Identifier: MIT */
/*
 * A session taken under another identity than the host's own one, under both hosts: the embedded
 * server serves it; the foreign host refuses it by itself, and the provider, the client and the log
 * see that it was not the guard. The guard's own refusals never reach the host.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"
#include "support/nested.h"
#include "support/raw.h"

enum { OTHER = 54321 };

static unsigned passed, failed;

static void check(bool good, const struct running_host *host, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s host: %s\n", host->kind->name, what);
    }
}

/* ---- the provider ---------------------------------------------------------------------------- */

struct outcome {
    MI_Result taken, result;
    char message[512];
    MI_Uint32 served_as;
    unsigned callbacks;
};

static MI_Context *context_of_request;
static struct outcome own, others, asynchronous, impostor;

static void use(MI_Session *session, struct outcome *outcome)
{
    MI_Operation operation = MI_OPERATION_NULL;

    nested_start(context_of_request, session, "L_Back", false, 0, NULL, &operation);
    outcome->result = nested_finish(&operation, outcome->message, &outcome->served_as);
}

static void take_and_use(struct outcome *outcome)
{
    MI_Session session = MI_SESSION_NULL;

    outcome->taken = MI_Context_GetLocalSession(context_of_request, &session);
    if (outcome->taken == MI_RESULT_OK) {
        use(&session, outcome);
    }
}

static void MI_CALL on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *message,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    struct outcome *outcome = context;

    (void)operation, (void)instance, (void)more, (void)details, (void)acknowledge;
    outcome->result = result;
    snprintf(outcome->message, sizeof(outcome->message), "%s", message != NULL ? message : "");
    outcome->callbacks++;
}

/* As another, for good: the thread ends with it. */
static void as_another(void *unused)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session session = MI_SESSION_NULL;

    (void)unused;
    if (!raw_become(OTHER, OTHER)) {
        return;
    }
    take_and_use(&others);
    callbacks.callbackContext = &asynchronous;
    callbacks.instanceResult = on_result;
    asynchronous.taken = MI_Context_GetLocalSession(context_of_request, &session);
    nested_start(context_of_request, &session, "L_Back", false, 0, &callbacks, &operation);
    MI_Operation_Close(&operation);
}

static MI_Session of_root;

/* With the session of root: the guard refuses. */
static void as_an_impostor(void *unused)
{
    (void)unused;
    if (raw_become(OTHER, OTHER)) {
        use(&of_root, &impostor);
    }
}

static void front(MI_Context *context)
{
    context_of_request = context;
    take_and_use(&own);
    MI_Context_GetLocalSession(context, &of_root);
    raw_on_thread(as_an_impostor, NULL);
    raw_on_thread(as_another, NULL); /* the client gets the reason of the latest */
    MI_Context_PostResult(context, others.result);
}

/* ---- what must hold -------------------------------------------------------------------------- */

#define FROM_HOST "the host itself refused the call"

static void check_embedded(struct running_host *host)
{
    check(others.result == MI_RESULT_OK && others.served_as == OTHER, host,
          "another identity is not served as itself");
    check(log_count("session-use", "host-refused") == 0, host, "a refusal that was none");
}

static void check_foreign(struct running_host *host, const char *answer)
{
    check(others.result == MI_RESULT_ACCESS_DENIED, host, "served by another's session");
    check(strstr(others.message, FROM_HOST) != NULL, host, "the message does not say who");
    check(asynchronous.result == MI_RESULT_ACCESS_DENIED && asynchronous.callbacks == 1, host,
          "not one final callback");
    check(strstr(asynchronous.message, FROM_HOST) != NULL, host,
          "the message of the callback does not say who");
    check(strstr(answer, FROM_HOST) != NULL, host, "the client does not see who");
    check(log_count("session-use", "host-refused") == 2, host, "not one record for each");
    check(foreign_host_counts(host->foreign)->refused == 2, host,
          "what the guard refused came to the host");
}

static void run(int kind)
{
    struct running_host host;
    static char answer[4096];

    own = others = asynchronous = impostor = (struct outcome){.result = MI_RESULT_FAILED};
    log_start();
    if (!host_kinds[kind].start(&host, nested_modules, NESTED_MODULES, miguard_wrap_module)) {
        failed++;
        return;
    }
    (void)hosts_ask(&host, &nested_ask, answer, sizeof(answer));
    check(own.result == MI_RESULT_OK && own.served_as == 0, &host, "root is not served");
    check(others.taken == MI_RESULT_OK, &host, "no session for another identity");
    check(impostor.result == MI_RESULT_ACCESS_DENIED, &host, "an impostor is served");
    check(strstr(impostor.message, "under another identity") != NULL &&
              strstr(impostor.message, FROM_HOST) == NULL,
          &host, "the guard's own refusal does not say that it is the guard's");
    if (kind == HOST_EMBEDDED) {
        check_embedded(&host);
    } else {
        check_foreign(&host, answer);
    }
    host_kinds[kind].stop(&host);
    log_remove();
}

int main(void)
{
    if (geteuid() != 0) {
        printf("skip: another identity: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    nested_front = front;
    for (int kind = 0; kind < HOSTS; kind++) {
        run(kind);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
