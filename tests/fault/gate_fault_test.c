/* SPDX-License-Identifier: MIT */
/*
 * Closing the gate while every system call and every allocation of it fails in turn, or says "done"
 * and does nothing. Whatever fails: an OK means a gate that refuses and lets the library through,
 * found out by raw calls; after anything else nothing is concluded from a gate, and the identity is
 * what it was.
 *
 * This file defines the table of kernel calls and the allocator in place of the library's.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "identity/identity.h"
#include "miguard.h"
#include "support/always_interrupted.h"
#include "support/failing_alloc.h"
#include "support/raw.h"
#include "support/real_kernel.h"

/* ---- the calls ------------------------------------------------------------------------------- */

static struct {
    bool armed, fired;
    int at, calls;
    long answer;
    const char *name; /* of the call that failed */
} fault;

static bool fails(const char *name)
{
    if (!fault.armed || fault.calls++ != fault.at) {
        return false;
    }
    fault.fired = true;
    fault.name = name;
    return true;
}

#define CALL(name, parameters, ...)                                                                \
    static long call_##name parameters                                                             \
    {                                                                                              \
        return fails(#name) ? fault.answer : real_kernel.name(__VA_ARGS__);                        \
    }

typedef struct __user_cap_header_struct cap_header;
typedef struct __user_cap_data_struct cap_data;

CALL(getresuid, (uid_t * a, uid_t *b, uid_t *c), a, b, c)
CALL(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
CALL(getgroups, (int size, gid_t *list), size, list)
CALL(capget, (cap_header * header, cap_data *data), header, data)
CALL(open, (const char *path, int flags), path, flags)
CALL(read, (int fd, void *buffer, size_t size), fd, buffer, size)
CALL(close, (int fd), fd)
CALL(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
CALL(gettid, (void))
CALL(getpid, (void))
CALL(session_keyring, (void))
CALL(setfsuid, (uid_t id), id)
CALL(setfsgid, (gid_t id), id)
CALL(prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
     option, a, b, c, d)
CALL(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
CALL(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
CALL(setgroups, (size_t size, const gid_t *list), size, list)
CALL(capset, (cap_header * header, const cap_data *data), header, data)
CALL(seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags, arguments)

/* What another thread may do between the look for an io_uring thread and the loading. */
static bool makes_ring, made_ring;

static long seccomp_behind_ring(unsigned operation, unsigned flags, void *arguments)
{
#ifdef SYS_io_uring_setup
    uint32_t parameters[30] = {[2] = 2 /* the flags: IORING_SETUP_SQPOLL */};

    if (makes_ring) {
        made_ring = syscall(SYS_io_uring_setup, 1, parameters) >= 0;
    }
#endif
    return call_seccomp(operation, flags, arguments);
}
CALL(stray, (unsigned long bits), bits)
CALL(stray_drop, (unsigned long bits), bits)

const struct identity_kernel identity_kernel = {
    .getresuid = call_getresuid,
    .getresgid = call_getresgid,
    .getgroups = call_getgroups,
    .capget = call_capget,
    .open = call_open,
    .read = call_read,
    .close = call_close,
    .readlink = call_readlink,
    .gettid = call_gettid,
    .getpid = call_getpid,
    .session_keyring = call_session_keyring,
    .setfsuid = call_setfsuid,
    .setfsgid = call_setfsgid,
    .prctl = call_prctl,
    .setresuid = call_setresuid,
    .setresgid = call_setresgid,
    .setgroups = call_setgroups,
    .capset = call_capset,
    .seccomp = seccomp_behind_ring,
    .stray = call_stray,
    .stray_drop = call_stray_drop,
};

/* ---- a trial --------------------------------------------------------------------------------- */

struct trial {
    struct miguard_gate_options options;
    bool unprivileged;
    int at; /* the call, or -1 */
    long answer;
    long allocation; /* the allocation, or -1 */
};

static struct told {
    bool fired;
    enum miguard_status status;
    char name[32], step[64];
} * told; /* in memory that the child shares */

static bool is_refused(void)
{
    return syscall(SYS_setresuid, -1, -1, -1) == -1 && errno == EPERM;
}

/* What must hold after any end. A stray call that was let through is never overlooked. */
static bool consistent(enum miguard_status status, const struct miguard_gate_options *options)
{
    if (fault.name != NULL && strcmp(fault.name, "stray") == 0 && fault.answer != -EPERM &&
        status != MIGUARD_NOT_VERIFIED) {
        return false;
    }
    bool reads = gate_on_thread(); /* asks the kernel, when there is something to ask */

    if (status != MIGUARD_OK) {
        return !reads; /* nothing is concluded */
    }
    return reads && real_kernel.setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0 &&
           miguard_gate_state().scope == options->scope &&
           (options->action == MIGUARD_GATE_KILL || is_refused());
}

static bool run(void *data)
{
    const struct trial *trial = data;
    struct miguard_identity before, after;
    struct miguard_error error = {0};

    if (trial->unprivileged && geteuid() == 0 && !raw_become(12345, 12345)) {
        return false;
    }
    if (identity_capture(&before, NULL) != MIGUARD_OK) {
        return false;
    }
    fault.armed = true;
    fault.at = trial->at;
    fault.answer = trial->answer;
    countdown = trial->allocation;
    long blocks = outstanding;
    enum miguard_status status = miguard_gate_close(&trial->options, &error);
    fault.armed = false;
    countdown = -1;
    told->fired = fault.fired || failed;
    told->status = status;
    snprintf(told->name, sizeof(told->name), "%s", fault.name != NULL ? fault.name : "");
    snprintf(told->step, sizeof(told->step), "%s", error.step);
    bool good = consistent(status, &trial->options) && outstanding == blocks &&
                (status == MIGUARD_OK || error.status == status) &&
                identity_capture(&after, NULL) == MIGUARD_OK;
    if (!good) {
        return false;
    }
    miguard_components differing = miguard_identity_compare(&before, &after);
    identity_release(&before);
    identity_release(&after);
    return (differing & ~(miguard_components)MIGUARD_COMPONENT_NO_NEW_PRIVS) == 0;
}

static unsigned passed, bad, refused;

/* False when there was nothing left to fail. */
static bool try(struct trial *trial, const char *what)
{
    memset(told, 0, sizeof(*told));
    bool good = raw_in_child(run, trial);
    if (good && !told->fired) {
        good = told->status == MIGUARD_OK;
    }
    passed += good;
    bad += !good;
    refused += told->status != MIGUARD_OK;
    if (!good) {
        printf("FAIL: %s %s: call %d (%s) answers %ld, allocation %ld: %s at %s\n",
               trial->unprivileged ? "unprivileged" : "privileged", what, trial->at, told->name,
               trial->answer, trial->allocation, miguard_status_name(told->status), told->step);
    }
    return told->fired;
}

static void fail_each(struct trial *trial, const char *what)
{
    static const long answers[] = {-EPERM, -EACCES, -EINVAL, -ENOMEM, -ENOSYS, -EAGAIN, 0, 1};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        trial->answer = answers[i];
        trial->allocation = -1;
        trial->at = 0;
        while (try(trial, what)) {
            trial->at++;
        }
    }
    trial->at = -1;
    trial->allocation = 0;
    while (try(trial, what)) {
        trial->allocation++;
    }
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    enum miguard_status status = miguard_gate_close(&options, NULL);
    return status != MIGUARD_NOT_SUPPORTED && status != MIGUARD_NOT_PERMITTED;
}

static bool close_beside_late_ring(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {.status = MIGUARD_OK};

    (void)unused;
    makes_ring = true;
    options.deny_io_uring = 1;
    enum miguard_status status = miguard_gate_close(&options, &error);
    return !made_ring || (status == MIGUARD_NOT_VERIFIED && strstr(error.detail, "io_uring"));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        return 1;
    }
    if (!raw_in_child(can_close, NULL)) {
        printf("skip: gate: no seccomp filter can be had here\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    bool told_late = raw_in_child(close_beside_late_ring, NULL);
    passed += told_late;
    bad += !told_late;
    if (!told_late) {
        printf("FAILED: an io_uring thread that is made at the last moment is not told\n");
    }
    for (int unprivileged = 0; unprivileged <= 1; unprivileged++) {
        struct trial trial = {.options = MIGUARD_GATE_OPTIONS_INIT,
                              .unprivileged = unprivileged != 0};
        fail_each(&trial, "process");
        trial.options.scope = MIGUARD_GATE_THREAD;
        fail_each(&trial, "thread");
        trial.options.action = MIGUARD_GATE_KILL;
        fail_each(&trial, "thread, kill");
    }
    printf("%u closings failed as they should\n%u passed, %u failed\n", refused, passed, bad);
    return bad == 0 ? 0 : 1;
}
