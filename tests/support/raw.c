/* SPDX-License-Identifier: MIT */
#include "support/raw.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RAW_HAS_HIDDEN_THREAD
/* A forked child leaves its parent's threads behind: that is no leak of theirs. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}
#endif

bool raw_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return syscall(SYS_setresuid, real, effective, saved) == 0;
}

bool raw_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return syscall(SYS_setresgid, real, effective, saved) == 0;
}

bool raw_setfsuid(uid_t uid)
{
    syscall(SYS_setfsuid, uid);
    return (uid_t)syscall(SYS_setfsuid, -1) == uid;
}

bool raw_setgroups(size_t count, const gid_t *groups)
{
    return syscall(SYS_setgroups, count, groups) == 0;
}

bool raw_become(uid_t uid, gid_t gid)
{
    return raw_setgroups(0, NULL) && raw_setresgid(gid, gid, gid) && raw_setresuid(uid, uid, uid);
}

struct errand {
    void (*function)(void *data);
    void *data;
};

static void *run_errand(void *argument)
{
    struct errand *errand = argument;
    errand->function(errand->data);
    return NULL;
}

void raw_on_thread(void (*function)(void *data), void *data)
{
    struct errand errand = {function, data};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_errand, &errand) != 0 ||
        pthread_join(thread, NULL) != 0) {
        abort();
    }
}

static __thread void (*in_handler)(void);

static void handle(int signal)
{
    (void)signal;
    in_handler();
}

void raw_in_handler(void (*function)(void))
{
    /* The mask stays as it is, so that the function sees that of what it came into. */
    const struct sigaction ours = {.sa_handler = handle, .sa_flags = SA_NODEFER};
    struct sigaction before;
    void (*const outer)(void) = in_handler;

    in_handler = function;
    if (sigaction(SIGSYS, &ours, &before) != 0 || raise(SIGSYS) != 0 ||
        sigaction(SIGSYS, &before, NULL) != 0) {
        abort();
    }
    in_handler = outer;
}

/* Of the coverage run-time, when there is one. */
void __gcov_dump(void) __attribute__((weak));

/*
 * The child does not exit but kills itself when all was well: what the parent's other threads held
 * at the fork lies about in it for ever, and leak checkers that run at exit would blame the test.
 */
_Noreturn void raw_end_child(bool passed)
{
    fflush(stdout);
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
    if (passed) {
        raise(SIGKILL);
    }
    _exit(1);
}

bool raw_child_passed(pid_t child)
{
    int status = 0;

    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

bool raw_in_child(bool (*function)(void *data), void *data)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        raw_end_child(function(data));
    }
    return raw_child_passed(child);
}
