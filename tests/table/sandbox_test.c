/* SPDX-License-Identifier: MIT */
/*
 * Sandboxes that answer a read with a number instead of making it (SECCOMP_RET_ERRNO), each in a
 * process of its own, with and without /proc: what they say is not taken for an identity, neither
 * by a capture nor by a switch, and what they let alone is captured as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.h"
#include "support/raw.h"
#include "switch/state.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define BIT(NAME)     ((miguard_components)MIGUARD_COMPONENT_##NAME)

static unsigned passed, failed;

struct sandbox {
    const char *name;
    int number;
    long option;                /* first argument, or -1 for any */
    int answer;                 /* an errno; 0: "done" */
    miguard_components refused; /* in any of these; 0: it is the truth */
    bool by_proc;               /* nothing but status tells */
    bool by_switch;             /* a switch reads it, too */
};

static const struct sandbox sandboxes[] = {
    {"none", -1, -1, 0, 0, false, true},
    {"another call", SCMP_SYS(getpgid), -1, 0, 0, false, true},
    {"another option", SCMP_SYS(prctl), PR_GET_NAME, 0, 0, false, true},
    {"getgroups", SCMP_SYS(getgroups), -1, 0, BIT(GROUPS), false, true},
    {"getresuid", SCMP_SYS(getresuid), -1, 0, 0xFF, false, true},
    {"getresgid", SCMP_SYS(getresgid), -1, 0, 0xFF, false, true},
    {"setfsuid", SCMP_SYS(setfsuid), UINT32_MAX, 0, BIT(FSUID), true, false},
    {"setfsgid", SCMP_SYS(setfsgid), UINT32_MAX, 0, BIT(FSGID), true, false},
    {"capget", SCMP_SYS(capget), -1, 0, BIT(CAP_EFFECTIVE), false, true},
    {"securebits", SCMP_SYS(prctl), PR_GET_SECUREBITS, 0, BIT(SECUREBITS), false, true},
    {"keepcaps, no change", SCMP_SYS(prctl), PR_SET_KEEPCAPS, 0, BIT(SECUREBITS), false, true},
    {"keepcaps, refused", SCMP_SYS(prctl), PR_SET_KEEPCAPS, EPERM, BIT(SECUREBITS), false, true},
    {"no-new-privs", SCMP_SYS(prctl), PR_GET_NO_NEW_PRIVS, 0, BIT(NO_NEW_PRIVS), false, true},
    {"bounding", SCMP_SYS(prctl), PR_CAPBSET_READ, 0, BIT(CAP_BOUNDING), false, false},
    {"bounding, none", SCMP_SYS(prctl), PR_CAPBSET_READ, EINVAL, BIT(CAP_BOUNDING), false, false},
    {"all of prctl", SCMP_SYS(prctl), -1, 0,
     BIT(SECUREBITS) | BIT(NO_NEW_PRIVS) | BIT(CAP_BOUNDING) | BIT(CAP_AMBIENT), false, true},
    {"readlink", SCMP_SYS(readlinkat), -1, 0, BIT(USER_NAMESPACE), false, false},
};

static bool load(const struct sandbox *sandbox, bool hide_proc)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter == NULL ? -ENOMEM : 0;
    const struct scmp_arg_cmp option = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sandbox->option);

    if (result == 0 && geteuid() == 0) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    }
    if (result == 0 && sandbox->number >= 0) {
        result = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)sandbox->answer),
                                        sandbox->number, sandbox->option >= 0, &option);
    }
    if (result == 0 && hide_proc) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(openat), 0);
    }
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    return result == 0;
}

/* No component is 0 for root, who can arrange that: an answer of 0 is then never the truth. */
static void be_somebody(void)
{
    static const gid_t groups[] = {5, 7};

    if (geteuid() == 0) {
        (void)!raw_setgroups(2, groups);
        (void)syscall(SYS_setfsgid, 9);
        (void)!raw_setfsuid(9);
    }
}

static int run(const struct sandbox *sandbox, bool hide_proc)
{
    static gid_t groups[IDENTITY_MAX_GROUPS], second[IDENTITY_MAX_GROUPS];
    struct miguard_identity identity, state;
    bool filtered = false;
    struct miguard_error error = {0};

    be_somebody();
    if (!load(sandbox, hide_proc)) {
        return 77;
    }
    enum miguard_status status = identity_capture(&identity, &error);
    enum miguard_status switched = state_capture(&state, groups, second, &filtered, NULL);
    bool refused = false;
    for (unsigned i = 0; i < MIGUARD_COMPONENT_COUNT; i++) {
        const char *name = miguard_component_name((miguard_components)1 << i);
        refused = refused || ((sandbox->refused >> i & 1) != 0 && status == MIGUARD_UNREADABLE &&
                              strncmp(error.detail, name, strlen(name)) == 0);
    }
    refused = refused || (sandbox->refused == 0xFF && status == MIGUARD_UNREADABLE);
    bool good = sandbox->refused == 0 ? status == MIGUARD_OK : refused;
    if (sandbox->by_switch) {
        good = good && (switched == MIGUARD_OK) == (sandbox->refused == 0);
    }
    if (!good) {
        printf("%s%s: capture %s (%s), switch %s\n", sandbox->name,
               hide_proc ? ", without /proc" : "", miguard_status_name(status), error.detail,
               miguard_status_name(switched));
        fflush(stdout);
    }
    return good ? 0 : 1;
}

static void check(const struct sandbox *sandbox, bool hide_proc)
{
    int result = 0;

    pid_t child = fork();
    if (child == 0) {
        _exit(run(sandbox, hide_proc));
    }
    waitpid(child, &result, 0);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 77) {
        printf("skip: %s: no filter can be loaded here\n", sandbox->name);
        return;
    }
    bool good = WIFEXITED(result) && WEXITSTATUS(result) == 0;
    passed += good;
    failed += !good;
}

int main(void)
{
    for (size_t i = 0; i < LENGTH(sandboxes); i++) {
        check(&sandboxes[i], false);
        if (!sandboxes[i].by_proc) {
            check(&sandboxes[i], true);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
