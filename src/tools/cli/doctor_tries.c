/* SPDX-License-Identifier: MIT */
/*
 * Each thing that miguard doctor tries, in a child process of its own. cmd_doctor.c calls them.
 *
 * Each try_...() function runs one function in a child. The functions return 0 or an errno and may
 * leave a text in found->detail; ENOTRECOVERABLE stands for "the call answered, but did not do what
 * it should".
 *
 * The tries use the system calls themselves where the question is about the kernel, and the library
 * where it is about the library: the gate and the switch are tried exactly as a program would use
 * them.
 */
#include "tools/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"

/* ---- seccomp --------------------------------------------------------------------------------- */

/* A filter that allows everything: only its loading is tried. */
static int load_filter(unsigned flags)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0 ? 0 : errno;
}

/* As a process without privileges loads one (seccomp(2)). */
static int load_with_no_new_privs(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? errno : load_filter(0);
}

/* Shows that CAP_SYS_ADMIN was not what made it work. */
static int load_without_capabilities(void *unused, struct attempt *found)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    if (syscall(SYS_capset, &header, none) != 0) {
        snprintf(found->detail, sizeof(found->detail), "dropping the capabilities by capset(2)");
        return errno;
    }
    return load_with_no_new_privs(unused, found);
}

/* Without no_new_privs, which needs CAP_SYS_ADMIN. */
static int load_as_it_is(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return load_filter(0);
}

/* The second thread, which the filter must reach; the child's end ends it. */
static void *wait_for_ever(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

/* With TSYNC, which changes all threads or none (seccomp(2)). */
static int load_on_threads(void *unused, struct attempt *found)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, wait_for_ever, NULL);

    (void)unused;
    (void)found;
    if (error != 0) {
        return error;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    return load_filter(SECCOMP_FILTER_FLAG_TSYNC);
}

/* The least that a gate needs. */
struct attempt try_filter(void)
{
    return in_child(load_with_no_new_privs, NULL);
}

/* As a service without privileges would load it. */
struct attempt try_unprivileged_filter(void)
{
    return in_child(load_without_capabilities, NULL);
}

/* The way that leaves no_new_privs unset, which is a component of the identity. */
struct attempt try_privileged_filter(void)
{
    return in_child(load_as_it_is, NULL);
}

/* The way of scope: process beside running threads. */
struct attempt try_filter_on_threads(void)
{
    return in_child(load_on_threads, NULL);
}

/* Newer than some kernel headers. */
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup    425
#define SYS_io_uring_register 427
#endif
enum { REGISTER_PERSONALITY = 9, PARAMETERS_SIZE = 120 };

/* Registers the credentials of this process with a ring (io_uring_register(2),
 * IORING_REGISTER_PERSONALITY): a request with the number that this returns runs as what this
 * process is now, whatever it becomes later. */
static int keep_credentials(void *unused, struct attempt *found)
{
    uint32_t parameters[PARAMETERS_SIZE / sizeof(uint32_t)] = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, parameters);

    (void)unused;
    (void)found;
    if (ring < 0) {
        return errno;
    }
    return syscall(SYS_io_uring_register, ring, REGISTER_PERSONALITY, NULL, 0) > 0 ? 0 : errno;
}

/* Success means that the way past a gate is open. */
struct attempt try_io_uring(void)
{
    return in_child(keep_credentials, NULL);
}

static volatile sig_atomic_t trapped;

/* SECCOMP_RET_TRAP sends SIGSYS to the thread. */
static void on_trap(int signal)
{
    (void)signal;
    trapped = 1;
}

/* Loads a filter with this answer to one call that is not needed (getppid(2)), makes the call, and
 * compares what came with what the action promises. EXDEV is an error that the call itself never
 * gives. An action that kills does not return. */
static int meet_action(void *argument, struct attempt *found)
{
    const uint32_t action = *(const uint32_t *)argument;
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getppid},
        {BPF_RET | BPF_K, 0, 0, action | (action == SECCOMP_RET_ERRNO ? EXDEV : 0)},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    struct sigaction trap = {.sa_handler = on_trap};

    (void)found;
    sigaction(SIGSYS, &trap, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        return errno;
    }
    long answer = syscall(SYS_getppid);
    if (action == SECCOMP_RET_TRAP) {
        return trapped ? 0 : ENOTRECOVERABLE;
    }
    return action == SECCOMP_RET_ERRNO && answer == -1 && errno == EXDEV ? 0 : ENOTRECOVERABLE;
}

/* Where the action is to kill, SIGSYS is the success. */
static struct attempt wanting_kill(struct attempt found, bool kills)
{
    if (kills && found.killed_by == SIGSYS) {
        return (struct attempt){0};
    }
    return found;
}

/* action is a SECCOMP_RET_* value without data. */
struct attempt try_action(uint32_t action)
{
    return wanting_kill(in_child(meet_action, &action), action == SECCOMP_RET_KILL_PROCESS);
}

/* What the library says, as the detail; EPERM where it has no number. */
static int note_error(const struct miguard_error *error, struct attempt *found)
{
    snprintf(found->detail, sizeof(found->detail), "%s%s%s", error->step,
             error->detail[0] != '\0' ? ": " : "", error->detail);
    return error->system_errno != 0 ? error->system_errno : EPERM;
}

/* Closes the gate and makes a call past the library. An id of -1 changes nothing, nor does a
 * capability that no kernel has, but the gate does not know that, and must refuse it. */
static int close_and_try(void *argument, struct attempt *found)
{
    const struct miguard_gate_options *wanted = argument;
    struct miguard_error error = {0};

    if (miguard_gate_close(wanted, &error) != MIGUARD_OK) {
        return note_error(&error, found);
    }
    long result = wanted->scope == MIGUARD_GATE_BOUNDING
                      ? syscall(SYS_prctl, PR_CAPBSET_DROP, INT_MAX, 0, 0, 0)
                      : syscall(SYS_setresuid, -1, -1, -1);
    if (result == 0) {
        return ENOTRECOVERABLE;
    }
    return errno == EPERM ? 0 : errno;
}

/* Where the policy has no gate, the stricter scope is tried. */
struct attempt try_gate(const struct miguard_gate_options *options)
{
    struct miguard_gate_options wanted = *options;

    if (wanted.scope == MIGUARD_GATE_OFF) {
        wanted.scope = MIGUARD_GATE_PROCESS;
    }
    return wanting_kill(in_child(close_and_try, &wanted), wanted.action == MIGUARD_GATE_KILL);
}

/* ---- the process ----------------------------------------------------------------------------- */

/* By the library, to ids that mean something here and differ from this process's. The detail is set
 * before each step, so that it is right even if the child is killed in it. */
static int switch_there_and_back(void *unused, struct attempt *found)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};
    uint32_t uid = 65533, gid = 65533;
    const struct miguard_groups one = {MIGUARD_GROUPS_LIST, &gid, 1, NULL};

    (void)unused;
    if ((!find_other_id("/proc/self/uid_map", geteuid(), &uid) ||
         !find_other_id("/proc/self/gid_map", getegid(), &gid)) &&
        access("/proc/self/uid_map", F_OK) == 0) {
        snprintf(found->detail, sizeof(found->detail), "this user namespace has no other id");
        return EINVAL;
    }
    snprintf(found->detail, sizeof(found->detail), "on the way there"); /* should it be killed */
    if (miguard_target_ids(uid, gid, &one, &target, &error) != MIGUARD_OK ||
        miguard_switch_to(target, &error) != MIGUARD_OK) {
        return note_error(&error, found);
    }
    snprintf(found->detail, sizeof(found->detail), "on the way back");
    if (miguard_switch_back(&error) != MIGUARD_OK) {
        return note_error(&error, found);
    }
    miguard_target_free(target);
    return 0;
}

/* To ids that differ from this process's, with one supplementary group. */
struct attempt try_switch(void)
{
    return in_child(switch_there_and_back, NULL);
}

/* Keeps errno over snprintf(3). */
static int note_call(const char *call, struct attempt *found)
{
    int error = errno;

    snprintf(found->detail, sizeof(found->detail), "%s", call);
    return error;
}

/* The ids are another's; the child ends with them. */
static int use_setuid(struct attempt *found)
{
    uint32_t uid = 65533;

    (void)find_other_id("/proc/self/uid_map", geteuid(), &uid);
    return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : note_call("setresuid(2)", found);
}

/* Both calls that need the capability. */
static int use_setgid(struct attempt *found)
{
    uint32_t gid = 65533;

    (void)find_other_id("/proc/self/gid_map", getegid(), &gid);
    if (syscall(SYS_setgroups, (size_t)0, NULL) != 0) {
        return note_call("setgroups(2)", found);
    }
    return syscall(SYS_setresgid, gid, gid, gid) == 0 ? 0 : note_call("setresgid(2)", found);
}

/* A bounding set is only ever reduced, and here in a child. */
static int use_setpcap(struct attempt *found)
{
    if (prctl(PR_CAPBSET_DROP, CAP_AUDIT_CONTROL, 0, 0, 0) != 0) {
        return note_call("prctl(2) with PR_CAPBSET_DROP", found);
    }
    return prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), 0, 0, 0) == 0
               ? 0
               : note_call("prctl(2) with PR_SET_SECUREBITS", found);
}

/* CAP_SYS_ADMIN is the default case: loading a filter without no_new_privs. */
static int use_capability(void *argument, struct attempt *found)
{
    switch (*(const unsigned *)argument) {
    case CAP_SETUID:
        return use_setuid(found);
    case CAP_SETGID:
        return use_setgid(found);
    case CAP_SETPCAP:
        return use_setpcap(found);
    case CAP_AUDIT_WRITE:
        *found = try_audit_netlink(true);
        errno = found->error;
        return found->error == 0 ? 0 : note_call("the kernel's audit system", found);
    default:
        errno = load_filter(0);
        return errno == 0 ? 0 : note_call("seccomp(2)", found);
    }
}

/* Not whether it is there, but whether the calls work that it is for. */
struct attempt try_capability(unsigned number)
{
    return in_child(use_capability, &number);
}

/* May be limited by sysctl, by a security module or by a container (user_namespaces(7)). */
static int enter_user_namespace(void *unused, struct attempt *found)
{
    (void)unused;
    (void)found;
    return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}

/* Asked for information only; nothing of the library needs it. */
struct attempt try_user_namespace(void)
{
    return in_child(enter_user_namespace, NULL);
}

/* In the child: the page must be zero there. */
static int is_wiped(void *argument, struct attempt *found)
{
    const unsigned char *page = argument;

    if (*page == 0) {
        return 0;
    }
    snprintf(found->detail, sizeof(found->detail), "madvise(2) answered 0, and nothing was wiped");
    return ENOTRECOVERABLE;
}

/* Emulators and sandboxes answer 0 to any advice; only the fork shows. */
struct attempt try_wipe_on_fork(void)
{
    struct attempt found = {0};
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *page =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        found.error = errno;
        return found;
    }
    *page = 1;
    if (madvise(page, size, MADV_WIPEONFORK) != 0) {
        found.error = note_call("madvise(2)", &found);
    } else {
        found = in_child(is_wiped, page);
    }
    munmap(page, size);
    return found;
}

/* Directories can be opened but not read, and count as failed. */
struct attempt try_read(const char *path)
{
    struct attempt found = {0};
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, &byte, 1) < 0) {
        found.error = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return found;
}
