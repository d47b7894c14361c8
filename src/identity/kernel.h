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

struct identity_kernel {
    /* reading */
    long (*getresuid)(uid_t *ruid, uid_t *euid, uid_t *suid);
    long (*getresgid)(gid_t *rgid, gid_t *egid, gid_t *sgid);
    long (*getgroups)(int size, gid_t *list);
    long (*capget)(struct __user_cap_header_struct *header, struct __user_cap_data_struct *data);
    long (*open)(const char *path, int flags);
    long (*read)(int fd, void *buffer, size_t size);
    long (*close)(int fd);
    long (*readlink)(const char *path, char *buffer, size_t size);
    long (*gettid)(void);
    long (*getpid)(void);
    long (*session_keyring)(void); /* keyctl(KEYCTL_GET_KEYRING_ID), creates no keyring */
    /* reading and changing */
    long (*setfsuid)(uid_t fsuid); /* (uid_t)-1 changes nothing and returns the current id */
    long (*setfsgid)(gid_t fsgid);
    long (*prctl)(int option, unsigned long a2, unsigned long a3, unsigned long a4,
                  unsigned long a5);
    /* changing */
    long (*setresuid)(uid_t ruid, uid_t euid, uid_t suid);
    long (*setresgid)(gid_t rgid, gid_t egid, gid_t sgid);
    long (*setgroups)(size_t size, const gid_t *list);
    long (*capset)(struct __user_cap_header_struct *header,
                   const struct __user_cap_data_struct *data);
    /* for the gate */
    long (*seccomp)(unsigned int operation, unsigned int flags, void *arguments);
    long (*stray)(unsigned long wrong_bits); /* setresuid(-1, -1, -1), which changes nothing, by
                                                another instruction than the library's, with a
                                                cookie of which these bits are wrong */
};

/* A prctl(2) option that the kernel does not have and answers with EINVAL. Under the gate, and with
 * the cookie, the answer names the kind of gate. */
enum { KERNEL_GATE_PROBE = 0x6D696701 };

extern const struct identity_kernel identity_kernel;

#endif
