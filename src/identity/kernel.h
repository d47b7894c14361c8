/* SPDX-License-Identifier: MIT */
/*
 * Every system call that reads or changes credentials, behind one table of functions.
 *
 * The calls are raw: glibc's setxid wrappers change all threads of the process (nptl(7)), and a
 * guard cannot use cached or emulated answers. Each returns what the kernel returned, a negative
 * errno on failure. The table is constant and bound at link time; a fault test links its own table
 * in place of kernel.c, so shipped code contains no way to turn a call off.
 *
 * Each call that changes credentials is made by the one instruction of identity/change.h and
 * counted there. A call that only reads is not counted.
 */
#ifndef IDENTITY_KERNEL_H
#define IDENTITY_KERNEL_H

#include <linux/capability.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct __user_cap_header_struct kernel_cap_header;
typedef struct __user_cap_data_struct kernel_cap_data;

/*
 * X(name, parameters) for each call: those that read, those that read and change, those that
 * change, and those of the gate. The struct, the table of kernel.c and the tables of tests are made
 * of it.
 *
 * session_keyring: keyctl(KEYCTL_GET_KEYRING_ID), which creates no keyring.
 * setfsuid, setfsgid: an id of -1 changes nothing, and the current id is returned.
 * stray: setresuid(-1, -1, -1), which changes nothing, by another instruction than the library's,
 * with a cookie of which these bits are wrong.
 * stray_drop: the same by prctl(PR_CAPBSET_DROP, KERNEL_NO_CAPABILITY), which changes nothing.
 */
#define KERNEL_MAP(X)                                                                              \
    X(getresuid, (uid_t * ruid, uid_t * euid, uid_t * suid))                                       \
    X(getresgid, (gid_t * rgid, gid_t * egid, gid_t * sgid))                                       \
    X(getgroups, (int size, gid_t *list))                                                          \
    X(capget, (kernel_cap_header * header, kernel_cap_data * data))                                \
    X(open, (const char *path, int flags))                                                         \
    X(read, (int fd, void *buffer, size_t size))                                                   \
    X(close, (int fd))                                                                             \
    X(readlink, (const char *path, char *buffer, size_t size))                                     \
    X(gettid, (void))                                                                              \
    X(getpid, (void))                                                                              \
    X(session_keyring, (void))                                                                     \
    X(setfsuid, (uid_t fsuid))                                                                     \
    X(setfsgid, (gid_t fsgid))                                                                     \
    X(prctl, (int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)) \
    X(setresuid, (uid_t ruid, uid_t euid, uid_t suid))                                             \
    X(setresgid, (gid_t rgid, gid_t egid, gid_t sgid))                                             \
    X(setgroups, (size_t size, const gid_t *list))                                                 \
    X(capset, (kernel_cap_header * header, const kernel_cap_data *data))                           \
    X(seccomp, (unsigned int operation, unsigned int flags, void *arguments))                      \
    X(stray, (unsigned long wrong_bits))                                                           \
    X(stray_drop, (unsigned long wrong_bits))

struct identity_kernel {
#define KERNEL_MEMBER(name, parameters) long(*name) parameters;
    KERNEL_MAP(KERNEL_MEMBER)
#undef KERNEL_MEMBER
};

/* A row of a table whose functions are call_getresuid() and so on. */
#define KERNEL_CALL(name, parameters) .name = call_##name,

/* A prctl(2) option that the kernel does not have and answers with EINVAL. Under the gate, and with
 * the cookie, the answer names the kind of gate. */
enum { KERNEL_GATE_PROBE = 0x6D696701 };

/* No kernel has a capability of that number: the sets have 64 bits. */
enum { KERNEL_NO_CAPABILITY = 0x7FFFFFFF };

extern const struct identity_kernel identity_kernel;

#endif
