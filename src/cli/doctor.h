/* SPDX-License-Identifier: MIT */
/* What `miguard doctor` tries: each question is put to the kernel by doing it, in a child. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Each answers 0 for yes, or the errno that says why not; EOWNERDEAD: the child that tried was
 * killed. Nothing of this process or the machine is changed by it.
 */
int try_wipe_on_fork(void);
int try_filter(void);              /* with no_new_privs */
int try_unprivileged_filter(void); /* the same without any capability */
int try_privileged_filter(void);   /* without no_new_privs */
int try_filter_on_threads(void);   /* TSYNC */
int try_action(uint32_t action);   /* SECCOMP_RET_* */
int try_io_uring(void);            /* a ring, and credentials kept with it */
int try_gate(void);                /* closed, tried, found closed */
int try_switch(void);              /* to another user and back */
int try_user_namespace(void);
int try_audit_netlink(void);
int try_socket(const char *path); /* a datagram socket that somebody reads */
/* A record could be appended to this file, or it be made; own: and all folders above it. */
int try_append(const char *path, bool own);

#endif
