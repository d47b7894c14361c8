/* SPDX-License-Identifier: MIT */
/* The raw system calls behind the table of kernel.h. Called by everything that reads or changes
 * credentials. */
#include "identity/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "identity/change.h"

/* syscall(2) returns -1 and sets errno; this one place converts that to a negative errno. */
static long kernel_result(long result)
{
    return result == -1 ? -errno : result;
}

/*
 * A call that only reads: not counted, and without the cookie, which a signal handler that
 * interrupts its end would find in the register of the sixth argument: that is 0 here.
 *
 * The instruction stands where it is used, and not behind syscall(2), which would turn the kernel's
 * answer into errno: a fresh check makes seven of these calls, and so less work around each.
 */
static inline __attribute__((always_inline)) long read_only(long number, unsigned long a,
                                                            unsigned long b, unsigned long c,
                                                            unsigned long d, unsigned long e)
{
#if defined(__x86_64__) && defined(__LP64__)
    register unsigned long fourth __asm__("r10") = d;
    register unsigned long fifth __asm__("r8") = e;
    register unsigned long sixth __asm__("r9") = 0;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#else
    return kernel_result(syscall(number, a, b, c, d, e, 0UL));
#endif
}

static long call_getresuid(uid_t *ruid, uid_t *euid, uid_t *suid)
{
    return read_only(SYS_getresuid, (unsigned long)ruid, (unsigned long)euid, (unsigned long)suid,
                     0, 0);
}

static long call_getresgid(gid_t *rgid, gid_t *egid, gid_t *sgid)
{
    return read_only(SYS_getresgid, (unsigned long)rgid, (unsigned long)egid, (unsigned long)sgid,
                     0, 0);
}

static long call_getgroups(int size, gid_t *list)
{
    return read_only(SYS_getgroups, (unsigned long)size, (unsigned long)list, 0, 0, 0);
}

static long call_capget(struct __user_cap_header_struct *header,
                        struct __user_cap_data_struct *data)
{
    return read_only(SYS_capget, (unsigned long)header, (unsigned long)data, 0, 0, 0);
}

/* Relative to the working directory as open(2). */
static long call_open(const char *path, int flags)
{
    return kernel_result(descriptor_open(AT_FDCWD, path, flags, 0));
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
    return read_only(SYS_gettid, 0, 0, 0, 0, 0);
}

static long call_getpid(void)
{
    return read_only(SYS_getpid, 0, 0, 0, 0, 0);
}

/* The argument after the keyring is "create": 0, so that a thread without a keyring gets none. */
static long call_session_keyring(void)
{
    return kernel_result(
        syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
}

/* ---- changing: each call is made by the one instruction of change.c, and is counted ---------- */

/* One counted change. The count is odd while the call runs, so a signal handler that examines the
 * thread in between sees a change under way (change.h). */
static long change(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                   unsigned long e)
{
    identity_change_count++;
    long result = identity_carry(number, a, b, c, d, e);
    identity_change_count++;
    return result;
}

/* setfsuid(2) and setfsgid(2) cannot fail: they return the previous id. An id from 0xFFFFF001 up
 * looks like an errno but is not one here. An id of -1 only reads. */
static long set_fs_id(long number, uint32_t id)
{
    long result =
        id == UINT32_MAX ? read_only(number, id, 0, 0, 0, 0) : change(number, id, 0, 0, 0, 0);
    return result < 0 && result != -ENOSYS && result != -EPERM ? (long)(uint32_t)result : result;
}

static long call_setfsuid(uid_t fsuid)
{
    return set_fs_id(SYS_setfsuid, fsuid);
}

static long call_setfsgid(gid_t fsgid)
{
    return set_fs_id(SYS_setfsgid, fsgid);
}

/* An option that is not known to be read-only counts as a change. */
static bool prctl_reads(int option, unsigned long a2)
{
    return option == PR_GET_SECUREBITS || option == PR_GET_NO_NEW_PRIVS ||
           option == PR_CAPBSET_READ || option == PR_GET_KEEPCAPS || option == PR_GET_NAME ||
           option == PR_GET_SECCOMP || (option == PR_CAP_AMBIENT && a2 == PR_CAP_AMBIENT_IS_SET);
}

/* The gate answers this only to the library, so it carries the cookie; it changes nothing. */
static bool prctl_asks_gate(int option)
{
    return option == KERNEL_GATE_PROBE;
}

static long call_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4,
                       unsigned long a5)
{
    if (option == PR_CAPBSET_DROP) {
        identity_bounding_count++;
    }
    if (prctl_reads(option, a2)) {
        return read_only(SYS_prctl, (unsigned int)option, a2, a3, a4, a5);
    }
    return (prctl_asks_gate(option) ? identity_carry : change)(SYS_prctl, (unsigned int)option, a2,
                                                               a3, a4, a5);
}

/* The set calls take ids as the kernel does: -1 leaves an id as it is. */
static long call_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
    return change(SYS_setresuid, ruid, euid, suid, 0, 0);
}

static long call_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
    return change(SYS_setresgid, rgid, egid, sgid, 0, 0);
}

static long call_setgroups(size_t size, const gid_t *list)
{
    return change(SYS_setgroups, size, (unsigned long)list, 0, 0, 0);
}

static long call_capset(struct __user_cap_header_struct *header,
                        const struct __user_cap_data_struct *data)
{
    return change(SYS_capset, (unsigned long)header, (unsigned long)data, 0, 0, 0);
}

/* A filter that is applied to all threads can set no_new_privs on them, too. */
static long call_seccomp(unsigned int operation, unsigned int flags, void *arguments)
{
    return change(SYS_seccomp, operation, flags, (unsigned long)arguments, 0, 0);
}

/* Must fail under the gate. Where it does not, it changed nothing, and so it is not counted. */
static long call_stray(unsigned long wrong_bits)
{
    const unsigned long same = UINT32_MAX;
    return identity_carry_elsewhere(SYS_setresuid, same, same, same, wrong_bits);
}

/* The same for the gate of the bounding set. There is no capability of that number, so without a
 * gate it fails with EINVAL where the thread has CAP_SETPCAP. */
static long call_stray_drop(unsigned long wrong_bits)
{
    return identity_carry_elsewhere(SYS_prctl, PR_CAPBSET_DROP, KERNEL_NO_CAPABILITY, 0,
                                    wrong_bits);
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};
