/* SPDX-License-Identifier: MIT */
/*
 * What a guarded call does when nothing proves that the identity is unchanged: the fresh check,
 * against the system calls that it must make; and what taking a session costs.
 */
#include <cap-ng.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/allocations.h"
#include "bench/measure.h"
#include "gateway/gateway.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { ROUNDS = 41, CALLS = 400, SESSIONS = 50, USES = 1000 };
enum { CHECK, LIBCAP_NG, ALLOCATIONS };
enum { AGAIN };

static const struct bench_row guard_rows[] = {
    [CHECK] = {.name = "guard.check",
               .goal = 1.25,
               .first = "the guard's fresh check and decision",
               .second = "its system calls, bare",
               .unit = "ns",
               .leaves_out = "the call that is guarded; a policy with rules; a refusal and its "
                             "record. The bare side compares nothing of what it reads"},
    [LIBCAP_NG] = {.name = "guard.libcap-ng",
                   .goal = 1,
                   .first = "our check of all components",
                   .second = "libcap-ng's capabilities, getresuid, getresgid, getgroups",
                   .unit = "ns",
                   .leaves_out = "that libcap-ng's side compares nothing; components it does "
                                 "not have (securebits, label, namespace)"},
    [ALLOCATIONS] = {.name = "guard.allocations",
                     .goal = 0,
                     .first = "allocations of the guard",
                     .second = "allowed uses: start, result, close",
                     .unit = "",
                     .leaves_out = "what the host and the provider allocate; the first ten uses",
                     .exact = true},
};
static const struct bench_row session_rows[] = {
    [AGAIN] = {.name = "session.again",
               .goal = BENCH_NO_GOAL,
               .first = "a session that the thread has already",
               .second = "a new one, with its context and its record",
               .unit = "ns",
               .leaves_out =
                   "the host's own session: the stub host makes it at no cost; fdatasync"},
};

struct guard_bench {
    struct stub_host *host;
    MI_Context *context;
    MI_Session session;
    struct guarded_session *object;
    bool may_drop; /* this thread has CAP_SETPCAP, so its bounding set must be read each time */
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
 * nothing else. Ids and groups twice: see src/identity/check.c. Where the bounding set cannot have
 * changed (src/identity/bounding.c), it is not read here either. */
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
        for (unsigned k = 0; bench->may_drop && k < bench->object->binding.identity.cap_count;
             k++) {
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

static bool has_setpcap(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2];

    return syscall(SYS_capget, &header, caps) == 0 &&
           (caps[0].permitted & CAP_TO_MASK(CAP_SETPCAP)) != 0;
}

static void *measure_guard(void *unused)
{
    struct guard_bench bench = {.host = stub_host_new(), .may_drop = has_setpcap()};
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
    bench_compare(&guard_rows[CHECK], fresh_guard, bare_calls, &bench, CALLS, bench_rounds(ROUNDS));
    bench_compare(&guard_rows[LIBCAP_NG], our_check, with_libcap_ng, &bench, CALLS / 4,
                  bench_rounds(ROUNDS));
    whole_use(&bench, 10);
    long before = allocations;
    whole_use(&bench, USES);
    bench_pair(&guard_rows[ALLOCATIONS], (double)(allocations - before), USES);

    slots_release(&guarded_sessions, object);
    MI_Context_PostResult(bench.context, MI_RESULT_OK);
    stub_host_free(bench.host);
    return NULL;
}

/* A thread other than the first, as the threads of a host's pool are. */
static void run_guard(void)
{
    pthread_t thread;

    log_start();
    if (pthread_create(&thread, NULL, measure_guard, NULL) != 0 ||
        pthread_join(thread, NULL) != 0) {
        abort();
    }
    log_remove();
}

/* ---- taking a session --------------------------------------------------------------------------
 */

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

static void run_session(void)
{
    struct stub_host *host;

    log_start();
    host = stub_host_new();
    bench_compare(&session_rows[AGAIN], take_again, take_session, host, SESSIONS,
                  bench_rounds(ROUNDS));
    stub_host_free(host);
    log_remove();
}

BENCH_GROUP(guard, guard_rows, run_guard);
BENCH_GROUP(session, session_rows, run_session);
