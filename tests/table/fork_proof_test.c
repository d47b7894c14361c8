/* SPDX-License-Identifier: MIT */
/*
 * That a child has nothing of its parent's, however it was made and whatever the kernel answers to
 * the one call that would have seen to it: madvise(MADV_WIPEONFORK) may be refused, or answer 0 and
 * do nothing, as under an emulator. The second is done by a filter here.
 *
 * Each row is a process that is given the filter, takes a session, and makes a child. In there the
 * session and an embedded server must be refused; in the parent both go on. The same through
 * <miguard/guard.h>, with a binding in place of the session, and with what a thread behind a gate
 * knows of itself.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gate/gate.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "support/fronts.h"
#include "support/log.h"

/* ---- what the kernel answers ----------------------------------------------------------------- */

enum answers { HONEST, LIES, REFUSES, LIES_WITHOUT_TIMERS, LIES_ABOUT_TIMERS };

static const char *const answer_names[] = {
    [HONEST] = "wiped",
    [LIES] = "0 and nothing done",
    [REFUSES] = "EINVAL",
    [LIES_WITHOUT_TIMERS] = "0 and nothing done, no timers",
    [LIES_ABOUT_TIMERS] = "0 and nothing done, timers too",
};

static void answer(long number, unsigned advice, int error)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, advice, 0, advice == 0 ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof(program) / sizeof(program[0]), program};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("seccomp");
        _exit(9);
    }
}

static void answer_as(enum answers answers)
{
    if (answers != HONEST) {
        answer(SYS_madvise, MADV_WIPEONFORK, answers == REFUSES ? EINVAL : 0);
    }
    if (answers == LIES_WITHOUT_TIMERS) {
        answer(SYS_timer_create, 0, ENOSYS);
    }
    if (answers == LIES_ABOUT_TIMERS) {
        answer(SYS_timer_create, 0, 0);
        answer(SYS_timer_settime, 0, 0);
        answer(SYS_timer_gettime, 0, 0);
    }
}

/* ---- how a child is made --------------------------------------------------------------------- */

static pid_t by_fork(void)
{
    return fork();
}

/* As _Fork(3) and programs that call the kernel themselves: no handler runs. */
static pid_t by_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Its process id is that of its parent, which is the first of a namespace, too. */
static pid_t by_clone_with_same_pid(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWPID, 0, 0, 0, 0);
}

/* The first timer of a process has the same number in each. */
static pid_t by_clone_with_timers(void)
{
    pid_t child = by_clone();

    for (int i = 0; child == 0 && i < 8; i++) {
        struct itimerspec setting = {.it_interval = {60, 0}, .it_value = {60, 0}};
        struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
        timer_t timer;
        if (timer_create(CLOCK_MONOTONIC, &quiet, &timer) != 0 ||
            timer_settime(timer, 0, &setting, NULL) != 0) {
            _exit(8);
        }
    }
    return child;
}

enum { FORKED, CLONED, SAME_PID, TIMERS, WAYS };

static const struct {
    const char *name;
    pid_t (*make)(void);
} ways[WAYS] = {
    [FORKED] = {"fork", by_fork},
    [CLONED] = {"clone", by_clone},
    [SAME_PID] = {"clone, same process id", by_clone_with_same_pid},
    [TIMERS] = {"clone, timers of its own", by_clone_with_timers},
};

/* ---- one row --------------------------------------------------------------------------------- */

static MI_Result use(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    MI_Session_TestConnection(session, 0, NULL, &operation);
    (void)MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    (void)MI_Operation_Close(&operation);
    return result;
}

/* 0 when all is refused; and after fork(2) a session of the child's own is to be had. */
static int look_in_child(struct scene *scene, struct miguard_host *host, MI_Session *client,
                         int way)
{
    struct scene own;
    MI_Session session = MI_SESSION_NULL;

    alarm(20);
    if (use(&scene->session) != MI_RESULT_INVALID_PARAMETER ||
        MI_Context_GetLocalSession(scene->context, &session) != MI_RESULT_INVALID_PARAMETER) {
        return 1;
    }
    if (miguard_host_session(host, &session, NULL) != MIGUARD_BAD_STATE ||
        MI_Session_Close(client, NULL, NULL) != MI_RESULT_INVALID_PARAMETER) {
        return 2;
    }
    if (use(&scene->session) != MI_RESULT_INVALID_PARAMETER) { /* also after all that */
        return 3;
    }
    if (way == FORKED && (!scene_make(&own) || use(&own.session) != MI_RESULT_OK)) {
        return 4;
    }
    return 0;
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static int run_row(enum answers answers, int way)
{
    struct scene scene;
    struct miguard_host *host = NULL;
    MI_Session client = MI_SESSION_NULL;

    answer_as(answers);
    log_start();
    bool given = scene_make(&scene);
    if (answers == LIES_WITHOUT_TIMERS || answers == LIES_ABOUT_TIMERS) {
        return given ? 10 : 0; /* nothing tells a child: there is nothing to be had */
    }
    if (!given || miguard_host_new(NULL, &host, NULL) != MIGUARD_OK ||
        miguard_host_session(host, &client, NULL) != MIGUARD_OK) {
        return 11;
    }
    pid_t child = ways[way].make();
    if (child == 0) {
        _exit(look_in_child(&scene, host, &client, way));
    }
    int answer = child < 0 ? 12 : wait_for(child);
    if (answer == 0 && (use(&scene.session) != MI_RESULT_OK ||
                        MI_Session_Close(&client, NULL, NULL) != MI_RESULT_OK)) {
        return 13;
    }
    return answer;
}

/* ---- the same with a binding ----------------------------------------------------------------- */

static MI_Result use_row(struct scene *scene, unsigned row)
{
    int callbacks = 0;
    return fronts[FRONT_BINDING].call(scene, row, &callbacks);
}

/* 0 when all is refused, by the pointer and by the number, at once and after another refusal. */
static int look_at_binding(struct scene *scene, int way)
{
    struct scene own;

    alarm(20);
    for (unsigned row = 0; row < 8; row++) {
        if (use_row(scene, row) != MI_RESULT_INVALID_PARAMETER) {
            return 1;
        }
    }
    if (way == FORKED && (!fronts[FRONT_BINDING].make(&own) || use_row(&own, 0) != MI_RESULT_OK)) {
        return 4;
    }
    return 0;
}

static int run_binding_row(enum answers answers, int way)
{
    struct scene scene;

    answer_as(answers);
    log_start();
    bool given = fronts[FRONT_BINDING].make(&scene);
    if (answers == LIES_WITHOUT_TIMERS || answers == LIES_ABOUT_TIMERS) {
        return given ? 10 : 0;
    }
    if (!given || use_row(&scene, 0) != MI_RESULT_OK) {
        return 11;
    }
    pid_t child = ways[way].make();
    if (child == 0) {
        _exit(look_at_binding(&scene, way));
    }
    int answer = child < 0 ? 12 : wait_for(child);
    return answer == 0 && use_row(&scene, 0) != MI_RESULT_OK ? 13 : answer;
}

/* ---- the same with what a gate knows ----------------------------------------------------------
 */

/* What is known of the parent's thread is not known of the child's. */
static int run_known_row(enum answers answers, int way)
{
    const struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    const uint64_t home = gate_new_home();
    struct miguard_identity own;

    answer_as(answers);
    log_start();
    bool closed = miguard_gate_close(&options, NULL) == MIGUARD_OK;
    bool same = identity_capture(&own, NULL) == MIGUARD_OK &&
                gate_check(home, &own, MIGUARD_COMPONENTS_ALL, NULL) == 0;
    if (answers == LIES_WITHOUT_TIMERS || answers == LIES_ABOUT_TIMERS) {
        return closed || gate_known_same(home) ? 10 : 0;
    }
    if (!closed || !same || !gate_known_same(home)) {
        return 11;
    }
    pid_t child = ways[way].make();
    if (child == 0) {
        _exit(gate_known_same(home) ? 1 : 0);
    }
    int answer = wait_for(child);
    return answer == 0 && !gate_known_same(home) ? 13 : answer;
}

/* ---- all rows ---------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    int (*run)(enum answers answers, int way);
} kinds[] = {
    {"a session", run_row},
    {"a binding", run_binding_row},
    {"a known thread", run_known_row},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int passed, failed, skipped;

static void row(enum answers answers, int way, int kind)
{
#if defined(__SANITIZE_THREAD__)
    if (way != FORKED) {
        printf("skip: %s: a child of clone(2) may inherit locks of ThreadSanitizer's own\n",
               ways[way].name);
        skipped++;
        return;
    }
#endif
    fflush(stdout);
    pid_t process = way == SAME_PID ? by_clone_with_same_pid() : fork();
    if (process == 0) {
        alarm(60);
        int answer = kinds[kind].run(answers, way);
        log_remove();
        _exit(answer);
    }
    if (process < 0) {
        printf("skip: %s, %s: %s\n", answer_names[answers], ways[way].name, strerror(errno));
        skipped++;
        return;
    }
    int answer = wait_for(process);
    passed += answer == 0;
    failed += answer != 0;
    if (answer != 0) {
        printf("FAILED: %s: %s, %s: answer %d\n", kinds[kind].name, answer_names[answers],
               ways[way].name, answer);
    }
}

/* ---- a child that shares the memory ---------------------------------------------------------- */

/* A child of vfork(2) must not call the library, and does not end anything by being there: what the
 * parent has is as good afterwards. */
static int run_vfork(enum answers answers)
{
    struct scene scene;
    static const char path[] = "/bin/true";

    answer_as(answers);
    log_start();
    if (!scene_make(&scene)) {
        return 11;
    }
    pid_t child = vfork();
    if (child == 0) {
        execl(path, path, (char *)NULL);
        _exit(0);
    }
    (void)wait_for(child);
    return use(&scene.session) == MI_RESULT_OK ? 0 : 14;
}

static void row_vfork(enum answers answers)
{
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        int answer = run_vfork(answers);
        log_remove();
        _exit(answer);
    }
    int answer = wait_for(process);
    passed += answer == 0;
    failed += answer != 0;
    if (answer != 0) {
        printf("FAILED: %s, vfork: answer %d\n", answer_names[answers], answer);
    }
}

int main(void)
{
    for (int way = 0; way < WAYS; way++) {
        for (enum answers answers = HONEST; answers <= LIES_ABOUT_TIMERS; answers++) {
            for (int kind = 0; kind < KINDS; kind++) {
                row(answers, way, kind);
            }
        }
    }
    row_vfork(HONEST);
    row_vfork(LIES);
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed != 0;
}
