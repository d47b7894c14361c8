/* SPDX-License-Identifier: MIT */
#include "identity/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* syscall(2) answers -1 and errno; one place turns that into the kernel's own convention. */
static long kernel_result(long result)
{
    return result == -1 ? -errno : result;
}

static long call_getresuid(uid_t *ruid, uid_t *euid, uid_t *suid)
{
    return kernel_result(syscall(SYS_getresuid, ruid, euid, suid));
}

static long call_getresgid(gid_t *rgid, gid_t *egid, gid_t *sgid)
{
    return kernel_result(syscall(SYS_getresgid, rgid, egid, sgid));
}

static long call_getgroups(int size, gid_t *list)
{
    return kernel_result(syscall(SYS_getgroups, size, list));
}

static long call_capget(struct __user_cap_header_struct *header,
                        struct __user_cap_data_struct *data)
{
    return kernel_result(syscall(SYS_capget, header, data));
}

static long call_open(const char *path, int flags)
{
    return kernel_result(syscall(SYS_openat, AT_FDCWD, path, flags, 0));
}

static long call_read(int fd, void *buffer, size_t size)
{
    return kernel_result(syscall(SYS_read, fd, buffer, size));
}

static long call_close(int fd)
{
    return kernel_result(syscall(SYS_close, fd));
}

static long call_readlink(const char *path, char *buffer, size_t size)
{
    return kernel_result(syscall(SYS_readlinkat, AT_FDCWD, path, buffer, size));
}

static long call_gettid(void)
{
    return kernel_result(syscall(SYS_gettid));
}

static long call_getpid(void)
{
    return kernel_result(syscall(SYS_getpid));
}

static long call_session_keyring(void)
{
    return kernel_result(
        syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
}

/* setfsuid(2) and setfsgid(2) cannot fail: they return the previous id, which for the ids from
 * 0xFFFFF001 up looks like an errno to syscall(2). Such an id is no errno here. */
static long call_setfsuid(uid_t fsuid)
{
    long result = syscall(SYS_setfsuid, fsuid);
    return result == -1 && errno != ENOSYS && errno != EPERM ? (long)(uid_t)-errno
                                                             : kernel_result(result);
}

static long call_setfsgid(gid_t fsgid)
{
    long result = syscall(SYS_setfsgid, fsgid);
    return result == -1 && errno != ENOSYS && errno != EPERM ? (long)(gid_t)-errno
                                                             : kernel_result(result);
}

static long call_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4,
                       unsigned long a5)
{
    return kernel_result(syscall(SYS_prctl, option, a2, a3, a4, a5));
}

static long call_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
    return kernel_result(syscall(SYS_setresuid, ruid, euid, suid));
}

static long call_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
    return kernel_result(syscall(SYS_setresgid, rgid, egid, sgid));
}

static long call_setgroups(size_t size, const gid_t *list)
{
    return kernel_result(syscall(SYS_setgroups, size, list));
}

static long call_capset(struct __user_cap_header_struct *header,
                        const struct __user_cap_data_struct *data)
{
    return kernel_result(syscall(SYS_capset, header, data));
}

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
};
