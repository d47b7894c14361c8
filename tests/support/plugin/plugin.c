/* SPDX-License-Identifier: MIT */
/*
 * A plug-in of the example file server that changes its thread and leaves it so, as libraries do.
 * PLUGIN in the environment says how: "fsuid", "euid" and "groups" can be changed back,
 * "permitted" cannot. PLUGIN_EVERY=N: in 1 of N calls.
 */
#include <linux/capability.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STRANGER = 65534 };

void after_request(void);

void after_request(void)
{
    static atomic_uint calls;
    const char *how = getenv("PLUGIN"), *every = getenv("PLUGIN_EVERY");
    unsigned one_in = every != NULL ? (unsigned)strtoul(every, NULL, 10) : 1;

    if (how == NULL || one_in == 0 || atomic_fetch_add(&calls, 1) % one_in != 0) {
        return;
    }
    if (strcmp(how, "fsuid") == 0) {
        syscall(SYS_setfsuid, STRANGER);
    } else if (strcmp(how, "euid") == 0) {
        syscall(SYS_setresuid, -1, STRANGER, -1);
    } else if (strcmp(how, "groups") == 0) {
        const gid_t groups[] = {STRANGER};
        syscall(SYS_setgroups, 1, groups);
    } else if (strcmp(how, "permitted") == 0) {
        syscall(SYS_setresuid, STRANGER, STRANGER, STRANGER);
    }
}
