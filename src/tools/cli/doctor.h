/* SPDX-License-Identifier: MIT */
/*
 * What `miguard doctor` tries: each question is put to the kernel by doing it, in a child.
 *
 * A question is answered by trying, since the system call may be there and still be refused: by a
 * sandbox, a security module, a container, or the version of the kernel. What a try would change is
 * changed in a child, which ends with it.
 */
#ifndef TOOLS_CLI_DOCTOR_H
#define TOOLS_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "miguard/gate.h"
#include "model/sink_settings.h"

/* What a try found. */
struct attempt {
    int error;        /* 0: it works; else the errno that says why not */
    int killed_by;    /* the signal that ended the child that tried, or 0 */
    char detail[264]; /* what failed, for a person; may be empty */
};

/* Runs function in a child, which ends with it, and waits for it. Its answer is the error, 0 or an
 * errno; it may fill found->detail. A child that is killed, by a filter or otherwise, is reported
 * by the signal and EOWNERDEAD. Without memory or processes the error says so. */
struct attempt in_child(int (*function)(void *argument, struct attempt *found), void *argument);

/* Nothing of this process or the machine is changed by any of these. try_wipe_on_fork() asks
 * whether MADV_WIPEONFORK (madvise(2)) does what it says, by a fork. */
struct attempt try_wipe_on_fork(void);        /* by a fork */
struct attempt try_filter(void);              /* with no_new_privs */
struct attempt try_unprivileged_filter(void); /* the same without any capability */
struct attempt try_privileged_filter(void);   /* without no_new_privs */
struct attempt try_filter_on_threads(void);   /* TSYNC */
struct attempt try_action(uint32_t action);   /* SECCOMP_RET_* */
struct attempt try_io_uring(void);            /* a ring, and credentials kept with it */
struct attempt try_gate(const struct miguard_gate_options *options); /* closed, found closed */
struct attempt try_switch(void);                                     /* there and back */
struct attempt try_capability(unsigned number); /* what it is wanted for, if it is effective */
/* Whether unshare(2) makes one for this user. */
struct attempt try_user_namespace(void);
/* Whether the file can be opened and a byte of it read. */
struct attempt try_read(const char *path);

/* ---- where records go (doctor_sinks.c) ------------------------------------------------------- */

/* Whether the kernel's audit system answers (netlink(7), NETLINK_AUDIT). records: also whether it
 * takes a record of this process, which needs CAP_AUDIT_WRITE; else only whether it answers. No
 * record is left. */
struct attempt try_audit_netlink(bool records);

/* Whether a datagram socket at path has a reader, or with streams one that takes lines. Nothing is
 * sent. */
struct attempt try_socket(const char *path, bool streams);

/* Whether a record could be written to the log: its folder, its owner and mode as the library
 * checks them, and room on the disk. own: the folders above are made, as `miguard run` does. What
 * is made for that is removed. */
struct attempt try_log(const struct sink_settings *settings, bool own);

/* ---- why not (doctor_causes.c) --------------------------------------------------------------- */

/* Which of the calls that a switch makes are denied here even where they change nothing, as
 * "setgroups(2), capset(2)"; "" when none. */
void find_denied_calls(char *buffer, size_t size);

/* Another id that means something here; map is /proc/self/uid_map or gid_map. False: not found. */
bool find_other_id(const char *map, uint32_t own, uint32_t *ret_id);

/* Whether the capability is effective in this process (capabilities(7)). */
bool has_capability(unsigned number);

#endif
