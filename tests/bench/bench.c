/* SPDX-License-Identifier: MIT */
/*
 * Measures in one run what the design promises, as ratios wherever it can: the machine may be
 * slow, shared or noisy, but both sides of a ratio ran on it in turn.
 *
 * Each figure is the median of many short rounds; the two sides of a ratio alternate round by
 * round. Writes a table to the terminal and a list of {name, value, unit, goal, met} to a file.
 */
#include <cap-ng.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/measure.h"
#include "gateway/gateway.h"
#include "miguard/host.h"
#include "policy/draft.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { ROUNDS = 41, CALLS = 400 };

/* ---- an allocator that counts, in place of the library's --------------------------------- */

long allocations; /* policy_bench.c looks at it, too */
void bench_gate(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_module(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_home(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_size(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_policy(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_audit_read(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_verify(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_fileserver(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_audit(void (*tell)(const char *name, double value, const char *unit, double goal));
void bench_switch(void (*tell)(const char *name, double value, const char *unit, double goal));

void *base_alloc(size_t count, size_t size)
{
    allocations++;
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    allocations++;
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}

/* ---- measuring --------------------------------------------------------------------------- */

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

typedef void (*work)(void *data, int calls);

/* Nanoseconds for one call of each, and the median ratio of the pairs. */
struct pair {
    double first, second, ratio;
};

static struct pair measure(work first, work second, void *data, int calls)
{
    double a[ROUNDS], b[ROUNDS], ratios[ROUNDS];

    first(data, calls);
    second(data, calls);
    for (int i = 0; i < ROUNDS; i++) {
        double start = nanoseconds();
        first(data, calls);
        double middle = nanoseconds();
        second(data, calls);
        double end = nanoseconds();
        a[i] = (middle - start) / calls;
        b[i] = (end - middle) / calls;
        ratios[i] = a[i] / b[i];
    }
    return (struct pair){median(a, ROUNDS), median(b, ROUNDS), median(ratios, ROUNDS)};
}

/* ---- reporting --------------------------------------------------------------------------- */

static json_t *report;

/* goal < 0: there is none. A value meets its goal when it is not above it. */
static void tell(const char *name, double value, const char *unit, double goal)
{
    char goal_text[32] = "-";
    bool met = goal < 0 || value <= goal;

    if (goal >= 0) {
        snprintf(goal_text, sizeof(goal_text), "<= %g", goal);
    }
    printf("%-62s %12.2f %-8s %-10s %s\n", name, value, unit, goal_text,
           goal < 0 ? ""
           : met    ? "met"
                    : "NOT MET");
    json_array_append_new(
        report, json_pack("{s:s, s:f, s:s, s:o, s:b}", "name", name, "value", value, "unit", unit,
                          "goal", goal < 0 ? json_null() : json_real(goal), "met", met ? 1 : 0));
}

/* ---- the fresh check --------------------------------------------------------------------- */

struct guard_bench {
    struct stub_host *host;
    MI_Context *context;
    MI_Session session;
    struct guarded_session *object;
};

static void fresh_guard(void *data, int calls)
{
    struct guard_bench *bench = data;
    const struct guard_call call = {.operation = OPERATION_GET_INSTANCE,
                                    .binding = &bench->object->binding};
    struct refusal refusal;

    for (int i = 0; i < calls; i++) {
        if (!guard_use(&call, &refusal)) {
            abort();
        }
    }
}

/* The system calls that a thread other than the process's first must make to know who it is, and
 * nothing else. Ids and groups twice: see src/identity/check.c. */
static void bare_calls(void *data, int calls)
{
    struct guard_bench *bench = data;
    uid_t ids[3];
    gid_t groups[256];

    for (int i = 0; i < calls; i++) {
        struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct caps[2];
        for (int twice = 0; twice < 2; twice++) {
            syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]);
            syscall(SYS_getresgid, &ids[0], &ids[1], &ids[2]);
            syscall(SYS_getgroups, 256, groups);
        }
        syscall(SYS_setfsuid, -1);
        syscall(SYS_setfsgid, -1);
        syscall(SYS_capget, &header, caps);
        syscall(SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
        syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
        for (unsigned k = 0; k < bench->object->binding.identity.cap_count; k++) {
            syscall(SYS_prctl, PR_CAPBSET_READ, k, 0, 0, 0);
        }
    }
}

static void our_check(void *data, int calls)
{
    struct guard_bench *bench = data;
    for (int i = 0; i < calls; i++) {
        if (identity_check(&bench->object->binding.identity, MIGUARD_COMPONENTS_ALL, NULL) != 0) {
            abort();
        }
    }
}

/* What one would write with libcap-ng: all capability sets from /proc, and the ids. */
static void with_libcap_ng(void *data, int calls)
{
    uid_t ids[3];
    gid_t groups[256];
    (void)data;

    for (int i = 0; i < calls; i++) {
        capng_clear(CAPNG_SELECT_ALL);
        capng_setpid((int)syscall(SYS_gettid));
        if (capng_get_caps_process() != 0 || getresuid(&ids[0], &ids[1], &ids[2]) != 0 ||
            getresgid(&ids[0], &ids[1], &ids[2]) != 0 || getgroups(256, groups) < 0) {
            abort();
        }
    }
}

/* One allowed use: start, result, close. */
static void whole_use(void *data, int calls)
{
    struct guard_bench *bench = data;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    for (int i = 0; i < calls; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Session_GetInstance(&bench->session, 0, NULL, "root/bench", NULL, NULL, &operation);
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        if (result != MI_RESULT_OK || MI_Operation_Close(&operation) != MI_RESULT_OK) {
            abort();
        }
    }
}

static void *bench_guard(void *unused)
{
    struct guard_bench bench = {.host = stub_host_new()};
    void *object = NULL;
    (void)unused;

    if (miguard_guard_context(&bench.host->context, &bench.context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(bench.context, &bench.session) != MI_RESULT_OK) {
        abort();
    }
    struct slots_handle handle = {bench.session.reserved1, (uint64_t)bench.session.reserved2};
    if (slots_acquire(&guarded_sessions, handle, &object) != SLOTS_OK) {
        abort();
    }
    bench.object = object;

    struct pair guard = measure(fresh_guard, bare_calls, &bench, CALLS);
    tell("fresh guard / its bare system calls", guard.ratio, "ratio", 1.25);
    tell("fresh guard", guard.first / 1000, "us", -1);

    struct pair capng = measure(with_libcap_ng, our_check, &bench, CALLS / 4);
    tell("libcap-ng caps + getresuid/getresgid/getgroups / our check", capng.ratio, "ratio", -1);

    whole_use(&bench, 10);
    long before = allocations;
    whole_use(&bench, 1000);
    tell("allocations of the guard per allowed use (start, result, close)",
         (double)(allocations - before) / 1000, "", 0);

    slots_release(&guarded_sessions, object);
    MI_Context_PostResult(bench.context, MI_RESULT_OK);
    stub_host_free(bench.host);
    return NULL;
}

/* ---- a local GetInstance through the embedded host --------------------------------------- */

enum { LOCAL_CALLS = 60 };

/* What the front provider measures from inside its request, where its local session is. */
static double local_ns[2][ROUNDS];
static int local_round, local_side;
static MI_Instance *local_name;

static void local_calls(MI_Session *session, int calls)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    for (int i = 0; i < calls; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Session_GetInstance(session, 0, NULL, "root/bench", local_name, NULL, &operation);
        do {
            MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        } while (more);
        if (result != MI_RESULT_OK) {
            abort();
        }
        MI_Operation_Close(&operation);
    }
}

static void MI_CALL get_instance(void *self, MI_Context *context, const MI_Char *name_space,
                                 const MI_Char *class_name, const MI_Instance *name,
                                 const MI_PropertySet *set)
{
    MI_Session session = MI_SESSION_NULL;
    (void)self;
    (void)name_space;
    (void)set;

    if (strcmp(class_name, "Front") == 0 &&
        MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK) {
        double start = nanoseconds();
        local_calls(&session, LOCAL_CALLS);
        local_ns[local_side][local_round] = (nanoseconds() - start) / LOCAL_CALLS;
    }
    MI_Context_PostInstance(context, name);
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

static struct miguard_host *make_host(bool guarded, MI_Session *ret_session)
{
    struct miguard_host_options options = {.wrap = guarded ? miguard_wrap_module : NULL};
    struct miguard_host *host = NULL;
    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, module_main, "*", NULL) != MIGUARD_OK ||
        miguard_host_session(host, ret_session, NULL) != MIGUARD_OK) {
        abort();
    }
    return host;
}

static MI_Instance *named_instance(MI_Session *session, const char *class_name)
{
    MI_Application application;
    MI_Instance *instance = NULL;
    MI_Value value;

    memset(&value, 0, sizeof(value));
    value.uint32 = 1;
    if (MI_Session_GetApplication(session, &application) != MI_RESULT_OK ||
        MI_Application_NewInstance(&application, class_name, NULL, &instance) != MI_RESULT_OK ||
        MI_Instance_AddElement(instance, "Id", &value, MI_UINT32, MI_FLAG_KEY) != MI_RESULT_OK) {
        abort();
    }
    return instance;
}

static void run_front(MI_Session *session, const MI_Instance *name)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_GetInstance(session, 0, NULL, "root/bench", name, NULL, &operation);
    do {
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    } while (more);
    MI_Operation_Close(&operation);
}

/* Taking a capability out of the bounding set needs CAP_SETPCAP: without it the set is not read
 * again (identity/bounding.c). Others than root never have it. Threads of the host inherit this. */
static void give_up_setpcap(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2];

    if (syscall(SYS_capget, &header, caps) != 0) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        caps[i].effective &= i == 0 ? ~(1U << CAP_SETPCAP) : ~0U;
        caps[i].permitted &= i == 0 ? ~(1U << CAP_SETPCAP) : ~0U;
    }
    if (syscall(SYS_capset, &header, caps) != 0) {
        abort();
    }
}

static double guarded_as_is; /* of the thread that has what the bench has */

static void *bench_local(void *unprivileged)
{
    if (unprivileged != NULL) {
        give_up_setpcap();
    }
    MI_Session plain_session, guarded_session;
    struct miguard_host *plain = make_host(false, &plain_session);
    struct miguard_host *guarded = make_host(true, &guarded_session);
    MI_Instance *front = named_instance(&plain_session, "Front");
    double ratios[ROUNDS];

    local_name = named_instance(&plain_session, "Back");
    for (local_round = 0; local_round < ROUNDS; local_round++) {
        local_side = 0;
        run_front(&plain_session, front);
        local_side = 1;
        run_front(&guarded_session, front);
        ratios[local_round] = local_ns[1][local_round] / local_ns[0][local_round];
    }
    double guarded_ns = median(local_ns[1], ROUNDS);
    if (unprivileged == NULL) {
        guarded_as_is = guarded_ns;
        tell("guarded / unguarded local GetInstance", median(ratios, ROUNDS), "ratio", -1);
        tell("local GetInstance, unguarded", median(local_ns[0], ROUNDS) / 1000, "us", -1);
        tell("local GetInstance, guarded", guarded_ns / 1000, "us", -1);
        tell("local GetInstance, guarded, per second", 1e9 / guarded_ns, "1/s", -1);
    } else { /* the other side is of another moment of this run */
        tell("local GetInstance, guarded, without CAP_SETPCAP", guarded_ns / 1000, "us", -1);
        tell("local GetInstance, guarded, without CAP_SETPCAP / with it",
             guarded_ns / guarded_as_is, "ratio", 0.4);
    }
    MI_Instance_Delete(front);
    MI_Instance_Delete(local_name);
    MI_Session_Close(&plain_session, NULL, NULL);
    MI_Session_Close(&guarded_session, NULL, NULL);
    miguard_host_free(plain);
    miguard_host_free(guarded);
    return NULL;
}

/* ---- taking a session, switching, recording ---------------------------------------------- */

static void take_session(void *data, int calls)
{
    struct stub_host *host = data;
    for (int i = 0; i < calls; i++) {
        MI_Context *context = NULL;
        MI_Session session = MI_SESSION_NULL;
        if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK ||
            MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
            abort();
        }
        MI_Context_PostResult(context, MI_RESULT_OK);
    }
}

/* One context, one thread, one identity: the first time makes the session. */
static void take_again(void *data, int calls)
{
    struct stub_host *host = data;
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK) {
        abort();
    }
    for (int i = 0; i < calls; i++) {
        if (MI_Context_GetLocalSession(context, &session) != MI_RESULT_OK) {
            abort();
        }
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void bench_rest(void)
{
    struct stub_host *host = stub_host_new();

    struct pair open = measure(take_session, take_again, host, 50);
    tell("taking a session, with its record", open.first / 1000, "us", -1);
    tell("taking a session that the thread has", open.second / 1000, "us", -1);
    stub_host_free(host);
}

/* ---- loading a policy -------------------------------------------------------------------- */

enum { POLICY_FILES = 4, RULES_PER_FILE = 256 };

static void write_rules(const char *folder)
{
    char path[128];

    for (int i = 0; i < POLICY_FILES; i++) {
        snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        FILE *file = fopen(path, "w");
        if (file == NULL) {
            abort();
        }
        fprintf(file, "version: 1\nrules:\n");
        for (int k = 0; k < RULES_PER_FILE; k++) {
            int n = i * RULES_PER_FILE + k;
            fprintf(file,
                    "  - name: rule-%d\n    match: { user: [%d, %d-%d], provider: \"lib%d*\", "
                    "class: \"C%d_*\", operation: [CreateInstance, DeleteInstance] }\n"
                    "    decision: deny\n    reason: only to be measured\n",
                    n, n, 2000 + n, 3000 + n, n % 50, n);
        }
        fclose(file);
    }
}

static void load_rules(void *data, int calls)
{
    const char *path = data;

    for (int i = 0; i < calls; i++) {
        struct diagnostics errors = DIAGNOSTICS_EMPTY;
        struct policy_draft *draft = NULL;
        const struct policy *policy = NULL;
        if (draft_load(&path, 1, DRAFT_TRUST_NONE, &draft, &errors) != MIGUARD_OK ||
            policy_compile(draft, &policy) != MIGUARD_OK) {
            abort();
        }
        policy_release(policy);
        draft_free(draft);
        diagnostics_release(&errors);
    }
}

static void bench_load(void)
{
    char folder[] = "/tmp/miguard-bench-XXXXXX", path[128];

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    write_rules(folder);
    struct pair load = measure(load_rules, load_rules, folder, 1);
    tell("loading a set of 1,024 rules from 4 files", load.first / 1e6, "ms", 10);
    for (int i = 0; i < POLICY_FILES; i++) {
        snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        unlink(path);
    }
    rmdir(folder);
}

static void on_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, argument) != 0 || pthread_join(thread, NULL) != 0) {
        abort();
    }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "build/bench.json";

    report = json_array();
    log_start();
    printf("%-62s %12s %-8s %-10s\n", "what", "value", "unit", "goal");
    on_thread(bench_guard, NULL);
    on_thread(bench_local, NULL);
    on_thread(bench_local, report);
    bench_module(tell);
    bench_size(tell);
    bench_gate(tell);
    bench_home(tell);
    bench_rest();
    bench_switch(tell);
    bench_policy(tell);
    bench_audit(tell);
    bench_verify(tell);
    bench_load();
    bench_audit_read(tell);
    bench_fileserver(tell);
    log_remove();
    if (json_dump_file(report, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0) {
        fprintf(stderr, "bench: %s cannot be written\n", path);
        return 3;
    }
    printf("written to %s\n", path);
    json_decref(report);
    return 0;
}
