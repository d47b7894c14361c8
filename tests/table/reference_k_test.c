/* SPDX-License-Identifier: MIT */
/*
 * What the one open peer does with a local session, row by row, run against miguard: a root-hosted
 * provider takes the session as root, switches its own thread, and uses the session for a nested
 * request. Real threads, real system calls, the embedded host, a module that knows nothing of us.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/host.h"
#include "support/log.h"
#include "support/raw.h"

enum { USER = 54321, THREADS = 10 };

/* ---- the module: "Front" is under test, "Back" is what its nested requests reach ---- */

static void (*front)(MI_Context *context); /* what Front does with its context */

static atomic_int back_reached;
static atomic_uint back_ran_as; /* fsuid of the thread that served it */

static void MI_CALL get_instance(void *self, MI_Context *context, const MI_Char *name_space,
                                 const MI_Char *class_name, const MI_Instance *name,
                                 const MI_PropertySet *set)
{
    MI_Instance *instance = NULL;
    MI_Value value;
    (void)self;
    (void)name_space;
    (void)name;
    (void)set;

    if (strcmp(class_name, "Front") == 0) {
        front(context);
        return; /* it posted */
    }
    atomic_fetch_add(&back_reached, 1);
    atomic_store(&back_ran_as, (unsigned)syscall(SYS_setfsuid, -1));
    memset(&value, 0, sizeof(value));
    value.uint32 = atomic_load(&back_ran_as);
    MI_Context_NewDynamicInstance(context, "Back", 0, &instance);
    MI_Instance_AddElement(instance, "RanAs", &value, MI_UINT32, MI_FLAG_KEY);
    MI_Context_PostInstance(context, instance);
    MI_Instance_Delete(instance);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT provider = {.GetInstance = get_instance};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};

static MI_Module *MI_CALL module_main(MI_Server *server)
{
    (void)server;
    return &module;
}

/* ---- requests ---------------------------------------------------------------------------- */

static MI_Result request(MI_Session *session, const char *class_name, unsigned *ret_ran_as)
{
    MI_Application application;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *name = NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value value;

    /* Made by hand: an application must be had under the right identity, an instance need not. */
    static MI_Instance by_hand;
    if (MI_Session_GetApplication(session, &application) == MI_RESULT_OK) {
        MI_Application_NewInstance(&application, class_name, NULL, &name);
    }
    MI_Session_GetInstance(session, 0, NULL, "root/k", name != NULL ? name : &by_hand, NULL,
                           &operation);
    while (more) {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        if (instance != NULL && ret_ran_as != NULL &&
            MI_Instance_GetElement(instance, "RanAs", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
            *ret_ran_as = value.uint32;
        }
    }
    MI_Operation_Close(&operation);
    if (name != NULL) {
        MI_Instance_Delete(name);
    }
    return result;
}

/* ---- the rows ---------------------------------------------------------------------------- */

/* clang-format off */
static bool resuid(void)       { return raw_setresuid(USER, USER, USER); }
static bool resuid_resgid(void){ return raw_setresgid(USER, USER, USER) && raw_setresuid(USER, USER, USER); }
static bool real_only(void)    { return raw_setresuid(USER, (uid_t)-1, (uid_t)-1); }
static bool euid_only(void)    { return raw_setresuid((uid_t)-1, USER, (uid_t)-1); }
static bool egid_euid(void)    { return raw_setresgid((gid_t)-1, USER, (gid_t)-1) && raw_setresuid((uid_t)-1, USER, (uid_t)-1); }
static bool fsuid_only(void)   { return raw_setfsuid(USER); }
static bool one_group(void)    { gid_t group = USER; return raw_setgroups(1, &group); }
static bool nothing(void)      { return true; }

static const struct row {
    const char *switched;
    bool (*change)(void);
    const char *peer; /* what the peer does */
    bool refused;     /* what miguard must do */
} rows[] = {
    {"setresuid(u,u,u)",                       resuid,        "refused",             true},
    {"setresuid(u,u,u) with setresgid(u,u,u)", resuid_resgid, "refused",             true},
    {"real uid only",                          real_only,     "refused",             true},
    {"effective uid only",                     euid_only,     "served, gid 0 kept",  true},
    {"effective gid and uid",                  egid_euid,     "served",              true},
    {"setfsuid",                               fsuid_only,    "served AS ROOT",      true},
    {"supplementary groups",                   one_group,     "not compared",        true},
    {"nothing",                                nothing,       "served",              false},
};
/* clang-format on */

static unsigned passed, failed;
static const struct row *current;
static MI_Result answer;

static void check(bool good, const char *row, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s: %s\n", row, what);
    }
}

/* The switch happens on a thread of its own, since some of them cannot be undone. */
static void switch_and_use(void *data)
{
    MI_Context *context = data;
    MI_Session session = MI_SESSION_NULL;
    MI_Result taken = MI_Context_GetLocalSession(context, &session);
    check(taken == MI_RESULT_OK, current->switched, "no session as root");
    check(current->change(), current->switched, "the switch failed");
    answer = request(&session, "Back", NULL);
}

static void front_row(MI_Context *context)
{
    raw_on_thread(switch_and_use, context);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void run_row(MI_Session *client, const struct row *row)
{
    int reached = atomic_load(&back_reached);
    current = row;
    front = front_row;
    request(client, "Front", NULL);
    int times = atomic_load(&back_reached) - reached;
    printf("%-40s peer: %-20s here: %s\n", row->switched, row->peer,
           answer == MI_RESULT_ACCESS_DENIED ? "refused" : "served");
    check(answer == (row->refused ? MI_RESULT_ACCESS_DENIED : MI_RESULT_OK), row->switched,
          "wrong answer");
    check(times == (row->refused ? 0 : 1), row->switched, "the nested provider was reached");
}

/* ---- the statements behind the table ----------------------------------------------------- */

static MI_Session stashed;

static void stash(MI_Context *context)
{
    MI_Context_GetLocalSession(context, &stashed);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* At the peer an unprivileged thread that asks first shuts root out for good. */
struct first {
    MI_Context *context;
    MI_Result user, root;
};

static void user_asks_first(void *data)
{
    struct first *first = data;
    MI_Session session = MI_SESSION_NULL;
    first->user = raw_become(USER, USER) ? MI_Context_GetLocalSession(first->context, &session)
                                         : MI_RESULT_FAILED;
    if (first->user == MI_RESULT_OK) {
        first->user = request(&session, "Back", NULL);
    }
}

static struct first first;

static void front_first(MI_Context *context)
{
    MI_Session session = MI_SESSION_NULL;
    first.context = context;
    raw_on_thread(user_asks_first, &first);
    first.root = MI_Context_GetLocalSession(context, &session);
    if (first.root == MI_RESULT_OK) {
        first.root = request(&session, "Back", NULL);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_Result after_close;

static void front_close(MI_Context *context)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Context_GetLocalSession(context, &session);
    check(MI_Session_Close(&session, NULL, NULL) == MI_RESULT_INVALID_PARAMETER, "close",
          "was not refused");
    after_close = request(&session, "Back", NULL);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* ---- ten threads with ten identities ----------------------------------------------------- */

static MI_Context *ten_context;
static MI_Session ten_sessions[THREADS];
static pthread_barrier_t ten_barrier;
static atomic_uint ten_wrong, ten_served, ten_refused;

/* Each takes its own session; when all have theirs, each tries all of them. */
static void *one_of_ten(void *argument)
{
    size_t own = (size_t)(uintptr_t)argument;
    uid_t uid = (uid_t)(USER + own);

    bool ready = raw_become(uid, uid) &&
                 MI_Context_GetLocalSession(ten_context, &ten_sessions[own]) == MI_RESULT_OK;
    pthread_barrier_wait(&ten_barrier);
    for (size_t i = 0; ready && i < THREADS; i++) {
        unsigned ran_as = 0;
        MI_Result result = request(&ten_sessions[i], "Back", &ran_as);
        atomic_fetch_add(&ten_served, result == MI_RESULT_OK);
        atomic_fetch_add(&ten_refused, result == MI_RESULT_ACCESS_DENIED);
        if ((result == MI_RESULT_OK) != (i == own) || (i == own && ran_as != uid)) {
            atomic_fetch_add(&ten_wrong, 1);
        }
    }
    pthread_barrier_wait(&ten_barrier);
    return NULL;
}

static void front_ten(MI_Context *context)
{
    pthread_t threads[THREADS];

    ten_context = context;
    pthread_barrier_init(&ten_barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, one_of_ten, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&ten_barrier);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static unsigned distinct_sessions(void)
{
    unsigned distinct = 0;
    for (size_t i = 0; i < THREADS; i++) {
        bool seen = ten_sessions[i].ft == NULL;
        for (size_t k = 0; k < i; k++) {
            seen = seen || ten_sessions[k].reserved1 == ten_sessions[i].reserved1;
        }
        distinct += !seen;
    }
    return distinct;
}

static void statements(MI_Session *client)
{
    front = stash;
    request(client, "Front", NULL);
    int reached = atomic_load(&back_reached);
    check(request(&stashed, "Back", NULL) == MI_RESULT_INVALID_PARAMETER, "stashed copy",
          "still works after its context ended");
    check(atomic_load(&back_reached) == reached, "stashed copy", "reached a provider");

    front = front_first;
    request(client, "Front", NULL);
    check(first.user == MI_RESULT_OK, "user asks first", "the user was not served");
    check(first.root == MI_RESULT_OK, "user asks first", "root was not served afterwards");

    front = front_close;
    request(client, "Front", NULL);
    check(after_close == MI_RESULT_OK, "close", "the session did not survive");

    front = front_ten;
    request(client, "Front", NULL);
    printf("%d threads with %d identities: %u sessions, %u requests served, %u refused\n", THREADS,
           THREADS, distinct_sessions(), atomic_load(&ten_served), atomic_load(&ten_refused));
    check(distinct_sessions() == THREADS, "ten identities", "do not have ten sessions");
    check(atomic_load(&ten_wrong) == 0, "ten identities", "one used another's session");
    check(atomic_load(&ten_served) == THREADS, "ten identities", "not each used its own");
    check(atomic_load(&ten_refused) == THREADS * (THREADS - 1), "ten identities",
          "not all others were refused");
}

int main(void)
{
    struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    MI_Session client;

    if (geteuid() != 0) {
        printf("skip: a root-hosted provider needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    log_start();
    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, module_main, "root/k", NULL) != MIGUARD_OK ||
        miguard_host_session(host, &client, NULL) != MIGUARD_OK) {
        printf("the host did not come up\n0 passed, 1 failed\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&client, &rows[i]);
    }
    statements(&client);
    MI_Session_Close(&client, NULL, NULL);
    miguard_host_free(host);
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
