/* SPDX-License-Identifier: MIT */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"

enum { NOBODY = 65534 };

/* The errno that function answers in a child. */
static int in_child(int (*function)(void))
{
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        return errno;
    }
    if (child == 0) {
        _exit(function());
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return EOWNERDEAD;
    }
    return WEXITSTATUS(status);
}

/* ---- seccomp ------------------------------------------------------------------------------- */

static int load_filter(unsigned flags)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0 ? 0 : errno;
}

static int load_with_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? errno : load_filter(0);
}

static int load_as_nobody(void)
{
    if (geteuid() == 0 && syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) != 0) {
        return errno;
    }
    return load_with_no_new_privs();
}

static int load_as_it_is(void)
{
    return load_filter(0);
}

static void *wait_for_ever(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

static int load_on_threads(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, wait_for_ever, NULL);

    if (error != 0) {
        return error;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    return load_filter(SECCOMP_FILTER_FLAG_TSYNC);
}

int try_filter(void)
{
    return in_child(load_with_no_new_privs);
}

int try_unprivileged_filter(void)
{
    return in_child(load_as_nobody);
}

int try_privileged_filter(void)
{
    return in_child(load_as_it_is);
}

int try_filter_on_threads(void)
{
    return in_child(load_on_threads);
}

/* What a request with the number that this answers runs as is what this process is now. */
static int keep_credentials(void)
{
    struct io_uring_params parameters = {.flags = 0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);

    if (ring < 0) {
        return errno;
    }
    return syscall(SYS_io_uring_register, ring, IORING_REGISTER_PERSONALITY, NULL, 0) > 0 ? 0
                                                                                          : errno;
}

int try_io_uring(void)
{
    return in_child(keep_credentials);
}

int try_action(uint32_t action)
{
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? 0 : errno;
}

/* An id of -1 changes nothing, but the gate does not know that. */
static int close_and_try(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {0};

    if (miguard_gate_close(&options, &error) != MIGUARD_OK) {
        return error.system_errno != 0 ? error.system_errno : EINVAL;
    }
    if (syscall(SYS_setresuid, -1, -1, -1) == 0) {
        return ENOTRECOVERABLE;
    }
    return errno == EPERM ? 0 : errno;
}

int try_gate(void)
{
    return in_child(close_and_try);
}

/* ---- the process --------------------------------------------------------------------------- */

static int switch_there_and_back(void)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};

    if (miguard_target_ids(NOBODY - 1, NOBODY - 1, &none, &target, &error) != MIGUARD_OK ||
        miguard_switch_to(target, &error) != MIGUARD_OK ||
        miguard_switch_back(&error) != MIGUARD_OK) {
        return error.system_errno != 0 ? error.system_errno : EPERM;
    }
    miguard_target_free(target);
    return 0;
}

int try_switch(void)
{
    return in_child(switch_there_and_back);
}

static int enter_user_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}

int try_user_namespace(void)
{
    return in_child(enter_user_namespace);
}

int try_wipe_on_fork(void)
{
    long size = sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return errno;
    }
    int error = madvise(page, (size_t)size, MADV_WIPEONFORK) == 0 ? 0 : errno;
    munmap(page, (size_t)size);
    return error;
}

/* ---- where records go ---------------------------------------------------------------------- */

/*
 * A message of a type that there is not: the kernel answers EINVAL where it listens to this
 * process, and writes no record. Whether it would take one is a matter of CAP_AUDIT_WRITE.
 */
static int ask_audit(int fd)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr answer;
        char more[256];
    } message = {.header = {.nlmsg_len = NLMSG_LENGTH(0),
                            .nlmsg_type = 999,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const struct timeval patience = {.tv_sec = 2};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (sendto(fd, &message, NLMSG_LENGTH(0), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) <
        0) {
        return errno;
    }
    ssize_t length = recv(fd, &message, sizeof(message), 0);
    if (length < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        return length < 0 ? errno : EBADMSG;
    }
    return message.answer.error == -EINVAL ? 0 : -message.answer.error;
}

int try_audit_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (fd < 0) {
        return errno;
    }
    int error = ask_audit(fd);
    close(fd);
    return error;
}

int try_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return errno;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* Opened for appending, if it is there; else its folder, or the folder in which that would be made,
 * must take a new file, and from nobody else (EXDEV stands for a folder that others may write). */
int try_append(const char *path, bool own)
{
    struct stat found;
    char folder[4096];

    if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder)) {
        return ENAMETOOLONG;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) {
        return errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    char *parent = dirname(folder);
    for (int i = 0; fd < 0 && (own || i == 0) && stat(parent, &found) != 0 && errno == ENOENT;
         i++) {
        parent = dirname(parent);
    }
    if (stat(parent, &found) != 0) {
        return errno;
    }
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (found.st_uid != 0 && found.st_uid != geteuid())) {
        return EXDEV;
    }
    return fd >= 0 || faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}
