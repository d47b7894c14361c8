/* SPDX-License-Identifier: MIT */
/*
 * Which changes a switch and its way back make: none whose effect the kernel already had by another
 * (apply.c), and each that is needed, also where the thread was changed in between. The result is
 * compared by the file of the kernel, not through the library. A row is a start, a target, and what
 * the target's own code does meanwhile; each runs in a child.
 *
 * This file defines the table of kernel calls in place of src/identity/kernel.c, to note the
 * changes.
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity/kernel.h"
#include "miguard/switch.h"
#include "support/always_interrupted.h"
#include "support/raw.h"
#include "support/real_kernel.h"
#include "support/thread_view.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define CAP(NAME)     ((uint64_t)1 << CAP_##NAME)

enum { SOMEBODY = 12345, SERVICE = 1000 };

/* ---- the calls ------------------------------------------------------------------------------ */

static char made[256];
static unsigned id_readings;
static unsigned readings; /* of the file of the kernel, which only the search reads */

static void note_change(const char *name)
{
    size_t used = strlen(made);
    snprintf(made + used, sizeof(made) - used, "%s%s", used > 0 ? " " : "", name);
}

#define READ(name, parameters, ...)                                                                \
    static long call_##name parameters                                                             \
    {                                                                                              \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }
#define CHANGE(name, shown, parameters, ...)                                                       \
    static long call_##name parameters                                                             \
    {                                                                                              \
        note_change(shown);                                                                        \
        return real_kernel.name(__VA_ARGS__);                                                      \
    }

READ(getresgid, (gid_t * a, gid_t *b, gid_t *c), a, b, c)
READ(getgroups, (int size, gid_t *list), size, list)
READ(capget, (kernel_cap_header * header, kernel_cap_data *data), header, data)
READ(read, (int fd, void *buffer, size_t size), fd, buffer, size)
READ(close, (int fd), fd)
READ(readlink, (const char *path, char *buffer, size_t size), path, buffer, size)
READ(gettid, (void))
READ(getpid, (void))
READ(session_keyring, (void))
READ(seccomp, (unsigned operation, unsigned flags, void *arguments), operation, flags, arguments)
READ(stray, (unsigned long bits), bits)
READ(stray_drop, (unsigned long bits), bits)
CHANGE(setresuid, "uids", (uid_t a, uid_t b, uid_t c), a, b, c)
CHANGE(setresgid, "gids", (gid_t a, gid_t b, gid_t c), a, b, c)
CHANGE(setgroups, "groups", (size_t size, const gid_t *list), size, list)

static long call_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
    id_readings++;
    return real_kernel.getresuid(real, effective, saved);
}

static long call_open(const char *path, int flags)
{
    readings++;
    return real_kernel.open(path, flags);
}

/* A version that does not exist asks whether the call is alive (alive.c). */
static long call_capset(kernel_cap_header *header, const kernel_cap_data *data)
{
    if (header->version == _LINUX_CAPABILITY_VERSION_3) {
        note_change("caps");
    }
    return real_kernel.capset(header, data);
}

static long call_setfsuid(uid_t id)
{
    if (id != (uid_t)-1) {
        note_change("fsuid");
    }
    return real_kernel.setfsuid(id);
}

static long call_setfsgid(gid_t id)
{
    if (id != (gid_t)-1) {
        note_change("fsgid");
    }
    return real_kernel.setfsgid(id);
}

static long call_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                       unsigned long d)
{
    if ((option == PR_SET_KEEPCAPS && a <= 1) || option == PR_SET_SECUREBITS) {
        note_change(option == PR_SET_KEEPCAPS ? "keep" : "bits");
    }
    return real_kernel.prctl(option, a, b, c, d);
}

const struct identity_kernel identity_kernel = {KERNEL_MAP(KERNEL_CALL)};

/* ---- the starts ------------------------------------------------------------------------------ */

static bool set_caps(uint64_t effective, uint64_t permitted, uint32_t inheritable)
{
    kernel_cap_header header = {_LINUX_CAPABILITY_VERSION_3, 0};
    kernel_cap_data data[2] = {{(uint32_t)effective, (uint32_t)permitted, inheritable},
                               {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), 0}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool root(void)
{
    return raw_setgroups(0, NULL);
}

static bool root_with_groups(void)
{
    return raw_setgroups(1, &(gid_t){7});
}

static bool root_with_fewer_effective(void)
{
    return root() && set_caps(CAP(SETUID) | CAP(SETGID) | CAP(CHOWN),
                              CAP(SETUID) | CAP(SETGID) | CAP(CHOWN) | CAP(SETPCAP), 0);
}

static bool root_without_fixup(void)
{
    return root() && prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0;
}

static bool root_with_other_fsuid(void)
{
    return root() && raw_setfsuid(SERVICE);
}

/* The fs id takes the capabilities for files away, and they are raised again. */
static bool root_with_other_fsuid_and_all(void)
{
    struct thread_view now;
    return root_with_other_fsuid() && thread_view_read(&now) &&
           set_caps(now.permitted, now.permitted, 0);
}

static bool root_with_inheritable(void)
{
    struct thread_view now;
    return root() && thread_view_read(&now) &&
           set_caps(now.permitted, now.permitted, (uint32_t)CAP(CHOWN));
}

static bool root_with_other_saved_id(void)
{
    return root() && raw_setresuid(0, 0, SERVICE);
}

static bool root_with_other_real_id(void)
{
    return root() && raw_setresuid(SERVICE, 0, 0);
}

/* One that denies nothing. */
static bool root_with_filter(void)
{
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog filter = {1, allow};

    return root() && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

/* As a daemon does that keeps capabilities in place of root's id. */
static bool service(void)
{
    const uint64_t caps = CAP(SETUID) | CAP(SETGID);

    return root() && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           raw_setresgid(SERVICE, SERVICE, SERVICE) && raw_setresuid(SERVICE, SERVICE, SERVICE) &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 && set_caps(caps, caps, 0);
}

static bool service_with_root_saved(void)
{
    return root() && raw_setresgid(SERVICE, SERVICE, SERVICE) && raw_setresuid(SERVICE, SERVICE, 0);
}

/* ---- what the code under the switch does -------------------------------------------------------
 */

static bool nothing(void)
{
    return true;
}

static bool forget_saved_root(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && raw_setresuid((uid_t)-1, (uid_t)-1, SOMEBODY);
}

static bool become_root_again(void)
{
    return raw_setresuid(0, 0, 0);
}

static bool raise_caps(void)
{
    struct thread_view now;
    return thread_view_read(&now) && set_caps(CAP(CHOWN) | CAP(SETPCAP), now.permitted, 0);
}

static bool set_no_fixup(void)
{
    return raise_caps() && prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0;
}

/* ---- the rows ----------------------------------------------------------------------------------
 */

struct row {
    const char *name;
    bool (*start)(void);
    uid_t uid;
    const char *keep; /* capabilities */
    bool (*meanwhile)(void);
    const char *there, *back; /* NULL: found by the search, which has a test of its own */
};

static const struct row rows[] = {
    {"root", root, SOMEBODY, NULL, nothing, "gids uids", "uids gids"},
    {"root with a filter", root_with_filter, SOMEBODY, NULL, nothing, "keep keep gids uids",
     "uids gids"},
    {"root with groups", root_with_groups, SOMEBODY, NULL, nothing, "groups gids uids",
     "uids gids groups"},
    {"root that keeps a capability", root, SOMEBODY, "cap_chown", nothing, "gids uids caps",
     "uids gids"},
    {"root with fewer effective", root_with_fewer_effective, SOMEBODY, NULL, nothing,
     "caps gids uids", "uids gids caps"},
    {"root without the kernel's fix-up", root_without_fixup, SOMEBODY, NULL, nothing,
     "gids uids caps", "caps uids gids"},
    {"root with another fs id", root_with_other_fsuid, SOMEBODY, NULL, nothing,
     "fsuid caps gids uids", "uids gids fsuid caps"},
    {"root with another fs id and all effective", root_with_other_fsuid_and_all, SOMEBODY, NULL,
     nothing, "fsuid gids uids", "uids gids fsuid caps"},
    {"root with an inheritable capability", root_with_inheritable, SOMEBODY, NULL, nothing,
     "gids uids caps", "uids gids caps"},
    {"root with another real id", root_with_other_real_id, SOMEBODY, NULL, nothing, "gids uids",
     "caps uids gids"},
    {"root with another saved id", root_with_other_saved_id, SOMEBODY, NULL, nothing, "gids uids",
     "caps uids gids"},
    {"a service becomes the root that it saved", service_with_root_saved, 0, NULL, nothing,
     "caps gids uids", "uids caps gids caps"},
    {"a service with capabilities", service, SOMEBODY, NULL, nothing, "gids uids caps",
     "caps uids gids"},
    {"a service that saved root", service_with_root_saved, SOMEBODY, NULL, nothing,
     "caps keep gids uids keep caps", "caps uids gids caps"},
    {"the saved id is lost", root, SOMEBODY, NULL, forget_saved_root, "gids uids", NULL},
    {"it is root again", root, SOMEBODY, NULL, become_root_again, "gids uids", NULL},
    {"capabilities are raised", root, SOMEBODY, NULL, raise_caps, "gids uids", NULL},
    {"the fix-up is off", root, SOMEBODY, NULL, set_no_fixup, "gids uids", NULL},
};

static bool as_said(const char *name, const char *way, const char *expected)
{
    bool same = expected == NULL || strcmp(made, expected) == 0;

    if (!same) {
        printf("%s, %s: %s; expected: %s\n", name, way, made, expected);
    }
    made[0] = '\0';
    readings = id_readings = 0;
    return same;
}

static struct miguard_target *target_of(const struct row *row)
{
    struct miguard_target *target = NULL;
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};

    if (miguard_target_ids(row->uid, row->uid, &none, &target, NULL) != MIGUARD_OK ||
        (row->keep != NULL && miguard_target_keep_caps(target, row->keep, NULL) != MIGUARD_OK)) {
        return NULL;
    }
    return target;
}

/* Whether the thread is the target, with nothing effective but what it keeps. */
static bool is_target(const struct row *row)
{
    struct thread_view now;

    return thread_view_read(&now) && now.uid[1] == row->uid && now.uid[3] == row->uid &&
           now.gid[1] == row->uid && now.gid[3] == row->uid && now.group_count == 0 &&
           now.effective == (row->uid == 0       ? now.permitted
                             : row->keep != NULL ? CAP(CHOWN)
                                                 : 0);
}

/* On the way back: the ids to verify it, and before it only where a filter may answer for the
 * kernel (switch.c, undo()). The search may read more. */
static bool reads_little(const struct row *row)
{
    return row->back == NULL ||
           (readings == 0 && id_readings == (row->start == root_with_filter ? 2 : 1));
}

/* Twice: the second switch starts from what the first way back left. */
static bool holds(void *data)
{
    const struct row *row = data;
    struct thread_view before, after;
    struct miguard_target *target = target_of(row);
    bool good = row->start() && target != NULL && thread_view_read(&before);

    made[0] = '\0';
    for (int i = 0; good && i < 2; i++) {
        good = miguard_switch_to(target, NULL) == MIGUARD_OK && is_target(row) &&
               as_said(row->name, "there", row->there) && row->meanwhile() &&
               miguard_switch_back(NULL) == MIGUARD_OK && reads_little(row) &&
               as_said(row->name, "back", row->back) && thread_view_read(&after) &&
               thread_view_same(&before, &after);
    }
    miguard_target_free(target);
    return good;
}

int main(void)
{
    unsigned passed = 0, failed = 0;

    if (geteuid() != 0) {
        printf("skip: switch_steps: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (raw_in_child(holds, (void *)&rows[i])) {
            passed++;
        } else {
            failed++;
            printf("FAIL: %s\n", rows[i].name);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
