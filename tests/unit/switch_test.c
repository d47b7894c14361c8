/* SPDX-License-Identifier: MIT */
/*
 * Becoming somebody and coming back, for real. What the thread is then is read here by raw system
 * calls, so that the library's word is not taken for it. Without root, what needs it is skipped
 * aloud; what must fail without privilege is tried in a child that gave it up.
 */
#include "support/elsewhere.h"
#include "switch/switch.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { SOMEBODY = 12345, OTHER = 23456 };

/* ---- what the calling thread is, by raw calls ---------------------------------------- */

struct raw {
    uid_t uid[4];
    gid_t gid[4];
    uint64_t effective, permitted, inheritable, ambient;
    int securebits;
    int group_count;
    gid_t groups[4];    /* the first four, as the kernel gives them */
    uint64_t group_sum; /* of all of them */
};

static struct raw raw_now(void)
{
    static __thread gid_t groups[65536];
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    struct raw raw;

    memset(&raw, 0, sizeof(raw));
    memset(data, 0, sizeof(data));
    syscall(SYS_getresuid, &raw.uid[0], &raw.uid[1], &raw.uid[2]);
    syscall(SYS_getresgid, &raw.gid[0], &raw.gid[1], &raw.gid[2]);
    raw.uid[3] = (uid_t)syscall(SYS_setfsuid, -1);
    raw.gid[3] = (gid_t)syscall(SYS_setfsgid, -1);
    syscall(SYS_capget, &header, data);
    raw.effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    raw.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    raw.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1) {
            raw.ambient |= (uint64_t)1 << i;
        }
    }
    raw.securebits = prctl(PR_GET_SECUREBITS);
    raw.group_count = (int)syscall(SYS_getgroups, 65536, groups);
    for (int i = 0; i < raw.group_count; i++) {
        raw.group_sum += groups[i];
        if (i < 4) {
            raw.groups[i] = groups[i];
        }
    }
    return raw;
}

static bool same_raw(const struct raw *a, const struct raw *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Real, effective and fs ids are uid's and gid's, with no capability in force; the saved uid and
 * the permitted set are the way back. */
static bool is_somebody(const struct raw *raw, const struct raw *before, uid_t uid, gid_t gid)
{
    return raw->uid[0] == uid && raw->uid[1] == uid && raw->uid[3] == uid &&
           raw->uid[2] == before->uid[1] && raw->gid[0] == gid && raw->gid[1] == gid &&
           raw->gid[2] == gid && raw->gid[3] == gid && raw->effective == 0 &&
           raw->inheritable == 0 && raw->ambient == 0 && raw->permitted == before->permitted &&
           raw->securebits == before->securebits;
}

static struct miguard_target *target_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t count)
{
    const struct miguard_groups list = {MIGUARD_GROUPS_LIST, groups, count, NULL};
    struct miguard_target *target = NULL;
    return miguard_target_ids(uid, gid, &list, &target, NULL) == MIGUARD_OK ? target : NULL;
}

/* ---- targets ------------------------------------------------------------------------- */

static const gid_t sound[] = {1, 0, 65534, 1}, unsound[] = {1, (gid_t)-1, 2};

static const struct {
    const char *what;
    uid_t uid;
    gid_t gid;
    struct miguard_groups groups;
    enum miguard_status status;
} id_rows[] = {
    {"root", 0, 0, {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL}, MIGUARD_OK},
    {"groups", 1, 1, {MIGUARD_GROUPS_LIST, sound, 4, NULL}, MIGUARD_OK},
    {"the largest ids", (uid_t)-2, (gid_t)-2, {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL}, MIGUARD_OK},
    {"uid -1", (uid_t)-1, 0, {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"gid -1", 0, (gid_t)-1, {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"both -1",
     (uid_t)-1,
     (gid_t)-1,
     {MIGUARD_GROUPS_KEEP, NULL, 0, NULL},
     MIGUARD_INVALID_ARGUMENT},
    {"uid -1 with a user's groups",
     (uid_t)-1,
     0,
     {MIGUARD_GROUPS_OF_USER, NULL, 0, "root"},
     MIGUARD_INVALID_ARGUMENT},
    {"a group -1", 1, 1, {MIGUARD_GROUPS_LIST, unsound, 3, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"no list of one", 1, 1, {MIGUARD_GROUPS_LIST, NULL, 1, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"a list of none", 1, 1, {MIGUARD_GROUPS_LIST, sound, 0, NULL}, MIGUARD_OK},
    {"no list of none", 1, 1, {MIGUARD_GROUPS_LIST, NULL, 0, NULL}, MIGUARD_OK},
    {"too many groups", 1, 1, {MIGUARD_GROUPS_LIST, sound, 65537, NULL}, MIGUARD_LIMIT},
    {"no choice", 1, 1, {(enum miguard_groups_choice)0, NULL, 0, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"no choice but a list",
     1,
     1,
     {(enum miguard_groups_choice)0, sound, 4, NULL},
     MIGUARD_INVALID_ARGUMENT},
    {"an unknown choice",
     1,
     1,
     {(enum miguard_groups_choice)5, NULL, 0, NULL},
     MIGUARD_INVALID_ARGUMENT},
    {"keep", 1, 1, {MIGUARD_GROUPS_KEEP, NULL, 0, NULL}, MIGUARD_OK},
    {"keep and a list", 1, 1, {MIGUARD_GROUPS_KEEP, sound, 4, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"clear and a list", 1, 1, {MIGUARD_GROUPS_CLEAR, sound, 4, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"clear and a count", 1, 1, {MIGUARD_GROUPS_CLEAR, NULL, 4, NULL}, MIGUARD_INVALID_ARGUMENT},
    {"clear and a user", 1, 1, {MIGUARD_GROUPS_CLEAR, NULL, 0, "root"}, MIGUARD_INVALID_ARGUMENT},
    {"a list and a user", 1, 1, {MIGUARD_GROUPS_LIST, sound, 4, "root"}, MIGUARD_INVALID_ARGUMENT},
    {"groups of root", 1, 1, {MIGUARD_GROUPS_OF_USER, NULL, 0, "root"}, MIGUARD_OK},
    {"groups of uid 0", 1, 1, {MIGUARD_GROUPS_OF_USER, NULL, 0, "0"}, MIGUARD_OK},
    {"groups of nobody named",
     1,
     1,
     {MIGUARD_GROUPS_OF_USER, NULL, 0, NULL},
     MIGUARD_INVALID_ARGUMENT},
    {"groups of the empty name",
     1,
     1,
     {MIGUARD_GROUPS_OF_USER, NULL, 0, ""},
     MIGUARD_INVALID_ARGUMENT},
    {"groups of an unknown user",
     1,
     1,
     {MIGUARD_GROUPS_OF_USER, NULL, 0, "no-such-user-here"},
     MIGUARD_NOT_FOUND},
    {"groups of a user, and a list",
     1,
     1,
     {MIGUARD_GROUPS_OF_USER, sound, 4, "root"},
     MIGUARD_INVALID_ARGUMENT},
};

START_TEST(targets_of_ids)
{
    struct miguard_target *target = (void *)&target;
    struct miguard_error error = {.status = MIGUARD_OK};
    enum miguard_status status =
        miguard_target_ids(id_rows[_i].uid, id_rows[_i].gid, &id_rows[_i].groups, &target, &error);
    ck_assert_msg(status == id_rows[_i].status, "%s: %s", id_rows[_i].what,
                  miguard_status_name(status));
    ck_assert_int_eq(error.status, status);
    if (status == MIGUARD_OK) {
        miguard_target_free(target);
    } else {
        ck_assert_ptr_eq(target, (void *)&target);
        ck_assert_int_eq(error.status, status);
    }
}
END_TEST

static const struct {
    const char *user;
    enum miguard_status status;
} user_rows[] = {
    {"root", MIGUARD_OK},
    {"0", MIGUARD_OK},
    {"nobody", MIGUARD_OK},
    {"no-such-user-here", MIGUARD_NOT_FOUND},
    {"3999999999", MIGUARD_NOT_FOUND},
    {"4294967295", MIGUARD_NOT_FOUND},           /* (uid_t)-1 */
    {"4294967296", MIGUARD_NOT_FOUND},           /* 0 in 32 bits */
    {"18446744073709551616", MIGUARD_NOT_FOUND}, /* 0 in 64 bits */
    {"-1", MIGUARD_NOT_FOUND},
    {"-0", MIGUARD_NOT_FOUND},
    {"+0", MIGUARD_OK}, /* an id, whatever is called so */
    {"+", MIGUARD_NOT_FOUND},
    {"++0", MIGUARD_NOT_FOUND},
    {"+00", MIGUARD_NOT_FOUND},
    {"00", MIGUARD_NOT_FOUND},
    {" 0", MIGUARD_NOT_FOUND},
    {"0 ", MIGUARD_NOT_FOUND},
    {"0x0", MIGUARD_NOT_FOUND},
    {"root\n", MIGUARD_NOT_FOUND},
    {"", MIGUARD_INVALID_ARGUMENT},
    {NULL, MIGUARD_INVALID_ARGUMENT},
};

START_TEST(targets_of_users)
{
    struct miguard_target *target = (void *)&target;
    enum miguard_status status = miguard_target_user(user_rows[_i].user, &target, NULL);
    ck_assert_msg(status == user_rows[_i].status, "\"%s\": %s",
                  user_rows[_i].user == NULL ? "NULL" : user_rows[_i].user,
                  miguard_status_name(status));
    if (status == MIGUARD_OK) {
        miguard_target_free(target);
    } else {
        ck_assert_ptr_eq(target, (void *)&target);
    }
}
END_TEST

START_TEST(targets_of_identities)
{
    static const struct miguard_identity zeroed;
    struct miguard_target *target = NULL;
    struct miguard_identity *own = NULL, *seen = NULL;
    struct switch_frame frame;

    ck_assert_int_eq(miguard_target_identity(&zeroed, &target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_identity(NULL, &target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(switch_adopt(&zeroed, &frame, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(switch_adopt(NULL, &frame, NULL), MIGUARD_INVALID_ARGUMENT);
    switch_restore(&frame); /* nothing to undo */
    ck_assert_int_eq(miguard_identity_read(getpid(), &seen, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_identity(seen, &target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_capture(&own, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_identity(own, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    struct miguard_identity untagged = *own;
    untagged.tag = 0;
    ck_assert_int_eq(miguard_target_identity(&untagged, &target, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(switch_adopt(&untagged, &frame, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(target);

    /* To be who one is already is a switch, too: it nests and is undone. */
    ck_assert_int_eq(miguard_target_identity(own, &target, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_switch_to(target, NULL), MIGUARD_OK);
    ck_assert_uint_eq(miguard_switch_depth(), 1);
    ck_assert_uint_eq(identity_check(own, MIGUARD_COMPONENTS_ALL, NULL), 0);
    ck_assert_int_eq(miguard_switch_back(NULL), MIGUARD_OK);
    miguard_target_free(target);
    miguard_target_free(NULL);
    miguard_identity_free(own);
    miguard_identity_free(seen);
}
END_TEST

START_TEST(misuse)
{
    struct miguard_error error;
    ck_assert_int_eq(miguard_switch_to(NULL, &error), MIGUARD_INVALID_ARGUMENT);
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};
    struct miguard_target *target = NULL;
    ck_assert_int_eq(miguard_target_ids(1, 1, &none, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_ids(1, 1, NULL, &target, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_user("root", NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_uint_eq(miguard_switch_depth(), 0);
    ck_assert_int_eq(miguard_switch_back(&error), MIGUARD_NOT_SWITCHED);
    ck_assert_int_eq(error.status, MIGUARD_NOT_SWITCHED);
    ck_assert_int_eq(miguard_switch_back(NULL), MIGUARD_NOT_SWITCHED);
}
END_TEST

/* ---- there and back ------------------------------------------------------------------ */

static int become_nobody(const void *unused)
{
    (void)unused;
    struct miguard_target *target = NULL;
    const struct passwd *nobody = getpwnam("nobody");
    struct raw before = raw_now();
    gid_t groups[64];
    int count = LENGTH(groups);

    EXPECT(nobody != NULL);
    EXPECT(getgrouplist("nobody", nobody->pw_gid, groups, &count) > 0);
    EXPECT(miguard_target_user("nobody", &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_depth() == 1);
    struct raw there = raw_now();
    EXPECT(is_somebody(&there, &before, nobody->pw_uid, nobody->pw_gid));
    EXPECT(there.group_count == count && there.groups[0] == groups[0]);
    EXPECT(syscall(SYS_setgroups, 0, NULL) != 0 && errno == EPERM); /* no privilege is left */
    miguard_target_free(target); /* a switch does not keep its target */
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    struct raw back = raw_now();
    EXPECT(same_raw(&before, &back));
    EXPECT(miguard_switch_depth() == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    return 0;
}

START_TEST(nobody_and_back)
{
    if (is_root("becoming nobody")) {
        ck_assert_int_eq(in_child(become_nobody, NULL), 0);
    }
}
END_TEST

static const unsigned group_counts[] = {0, 1, 2, 256, 257, 65536};

static int become_one_with_groups(const void *context)
{
    unsigned count = *(const unsigned *)context;
    gid_t *groups = calloc(65536, sizeof(gid_t));
    uint64_t sum = 0;

    EXPECT(groups != NULL);
    for (unsigned i = 0; i < count; i++) {
        groups[i] = 100000 + count - i;
        sum += groups[i];
    }
    struct raw before = raw_now();
    struct miguard_target *target = target_ids(SOMEBODY, OTHER, groups, count);
    EXPECT(target != NULL);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    struct raw there = raw_now();
    EXPECT(is_somebody(&there, &before, SOMEBODY, OTHER));
    EXPECT(there.group_count == (int)count && there.group_sum == sum);

    /* And from there, with that many groups to come back to. */
    struct miguard_target *none = target_ids(0, 0, NULL, 0);
    EXPECT(none != NULL && miguard_switch_to(none, NULL) == MIGUARD_OK);
    struct raw root = raw_now();
    EXPECT(root.group_count == 0 && root.uid[1] == 0 && root.effective == before.permitted);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    struct raw again = raw_now();
    EXPECT(same_raw(&there, &again));
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    struct raw back = raw_now();
    EXPECT(same_raw(&before, &back));
    miguard_target_free(none);
    miguard_target_free(target);
    free(groups);
    return 0;
}

START_TEST(groups_of_any_number)
{
    if (is_root("switches with groups") && !(quick() && group_counts[_i] > 1000)) {
        ck_assert_int_eq(in_child(become_one_with_groups, &group_counts[_i]), 0);
    }
}
END_TEST

static int nest(const void *unused)
{
    (void)unused;
    struct raw levels[MIGUARD_SWITCH_DEPTH + 1];
    struct miguard_error error;

    levels[0] = raw_now();
    for (unsigned i = 0; i < MIGUARD_SWITCH_DEPTH; i++) {
        /* Somebody to somebody: the permitted set is the way, not uid 0. */
        struct miguard_target *target = target_ids(SOMEBODY + i, OTHER + i, NULL, 0);
        EXPECT(target != NULL);
        EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
        EXPECT(miguard_switch_depth() == i + 1);
        miguard_target_free(target);
        levels[i + 1] = raw_now();
        EXPECT(is_somebody(&levels[i + 1], &levels[i], SOMEBODY + i, OTHER + i));
    }
    struct miguard_target *one_more = target_ids(1, 1, NULL, 0);
    EXPECT(miguard_switch_to(one_more, &error) == MIGUARD_TOO_DEEP);
    EXPECT(error.status == MIGUARD_TOO_DEEP);
    struct raw now = raw_now();
    EXPECT(same_raw(&now, &levels[MIGUARD_SWITCH_DEPTH]));
    for (unsigned i = MIGUARD_SWITCH_DEPTH; i > 0; i--) {
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
        now = raw_now();
        EXPECT(same_raw(&now, &levels[i - 1]));
    }
    EXPECT(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    EXPECT(miguard_switch_to(one_more, NULL) == MIGUARD_OK); /* there is room again */
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    miguard_target_free(one_more);
    return 0;
}

START_TEST(sixteen_deep)
{
    if (is_root("nested switches")) {
        ck_assert_int_eq(in_child(nest, NULL), 0);
    }
}
END_TEST

/* ---- everything else of a thread comes back, too ------------------------------------- */

static bool raw_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

#define CAP(NAME) ((uint64_t)1 << CAP_##NAME)

static bool start_plain(void)
{
    return true;
}

static bool start_mixed_ids(void)
{
    const gid_t groups[] = {7, 3};
    return syscall(SYS_setgroups, 2, groups) == 0 && syscall(SYS_setresgid, 21, 22, 23) == 0 &&
           syscall(SYS_setresuid, 11, 0, 13) == 0 && syscall(SYS_setfsgid, 24) >= 0 &&
           syscall(SYS_setfsuid, 14) >= 0;
}

static bool start_as_user_with_caps(void)
{
    struct raw now = raw_now();
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
           raw_capset(CAP(SETUID), now.permitted, 0);
}

static bool start_with_ambient(void)
{
    struct raw now = raw_now();
    return raw_capset(now.effective, now.permitted, CAP(KILL) | CAP(NET_RAW)) &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0;
}

static bool start_with_few_caps(void)
{
    const uint64_t few = CAP(SETUID) | CAP(SETGID);
    return raw_capset(few, few, 0);
}

static bool start_with_no_effective_caps(void)
{
    struct raw now = raw_now();
    return raw_capset(0, now.permitted, 0);
}

static bool start_with_fixup_off(void)
{
    return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT, 0, 0, 0) == 0;
}

static bool start_with_keep_caps(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

static const struct start {
    const char *what;
    bool (*start)(void);
} starts[] = {
    {"root", start_plain},
    {"every id another", start_mixed_ids},
    {"a user that kept capabilities", start_as_user_with_caps},
    {"ambient and inheritable capabilities", start_with_ambient},
    {"only the capabilities that it takes", start_with_few_caps},
    {"no effective capability", start_with_no_effective_caps},
    {"no setuid fix-up", start_with_fixup_off},
    {"keep-caps set", start_with_keep_caps},
};

static int go_and_come_back(const void *context)
{
    const struct start *row = context;
    const gid_t groups[] = {OTHER, 1};
    const uid_t uids[] = {SOMEBODY, OTHER, 0, 11, 13, 14};
    struct miguard_error error;

    EXPECT(row->start());
    struct raw before = raw_now();
    for (int i = 0; i < LENGTH(uids); i++) {
        struct miguard_target *target = target_ids(uids[i], OTHER, groups, 2);
        EXPECT(target != NULL);
        enum miguard_status status = miguard_switch_to(target, &error);
        if (status != MIGUARD_OK) {
            fprintf(stderr, "uid %u: %s: %s\n", uids[i], error.step, error.detail);
        }
        EXPECT(status == MIGUARD_OK);
        struct raw there = raw_now();
        if (uids[i] != 0) {
            EXPECT(is_somebody(&there, &before, uids[i], OTHER));
        } else {
            EXPECT(there.uid[1] == 0 && there.effective == before.permitted);
        }
        EXPECT(there.group_count == 2 && there.group_sum == OTHER + 1);
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
        struct raw back = raw_now();
        EXPECT(same_raw(&before, &back));
        miguard_target_free(target);
    }
    return 0;
}

START_TEST(comes_back_to_what_it_was)
{
    if (is_root(starts[_i].what)) {
        int status = in_child(go_and_come_back, &starts[_i]);
        ck_assert_msg(status == 0, "%s: status %#x", starts[_i].what, status);
    }
}
END_TEST

/* ---- exact identities ---------------------------------------------------------------- */

/* Every pair of starts: the identity captured in the one is adopted in the other. */
struct sent {
    struct miguard_identity identity;
    gid_t groups[4];
    char label[256]; /* "" where no LSM keeps one */
};

static int capture_here(const struct start *row, int out)
{
    struct miguard_identity identity;
    EXPECT(row->start());
    EXPECT(identity_capture(&identity, NULL) == MIGUARD_OK);
    EXPECT(identity.group_count <= 4);
    struct sent sent = {.identity = identity};
    sent.identity.groups = NULL;
    sent.identity.lsm_label = NULL;
    if (identity.lsm_label != NULL) {
        EXPECT(strlen(identity.lsm_label) < sizeof(sent.label));
        strcpy(sent.label, identity.lsm_label);
    }
    memcpy(sent.groups, identity.groups, identity.group_count * sizeof(gid_t));
    EXPECT(write(out, &sent, sizeof(sent)) == sizeof(sent));
    return 0;
}

struct pair {
    const struct start *from, *to;
};

static int adopt_and_restore(const void *context)
{
    const struct pair *pair = context;
    struct sent sent;
    struct switch_frame frame;
    struct miguard_error error = {.status = MIGUARD_OK};
    int pipes[2];

    EXPECT(pipe(pipes) == 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(capture_here(pair->to, pipes[1]) == 0 ? 0 : 1);
    }
    close(pipes[1]);
    EXPECT(read(pipes[0], &sent, sizeof(sent)) == sizeof(sent));
    close(pipes[0]);
    EXPECT(waitpid(child, NULL, 0) == child);
    struct miguard_identity wanted = sent.identity;
    wanted.groups = sent.groups;
    wanted.lsm_label = sent.label[0] != '\0' ? sent.label : NULL;

    EXPECT(pair->from->start());
    struct raw before = raw_now();
    enum miguard_status status = switch_adopt(&wanted, &frame, &error);
    if (status == MIGUARD_OK) {
        EXPECT(identity_check(&wanted, MIGUARD_COMPONENTS_ALL, NULL) == 0);
        struct raw there = raw_now();
        EXPECT(memcmp(there.uid, wanted.uid, sizeof(there.uid)) == 0);
        EXPECT(memcmp(there.gid, wanted.gid, sizeof(there.gid)) == 0);
        EXPECT(there.effective == wanted.cap[IDENTITY_CAP_EFFECTIVE]);
        EXPECT(there.inheritable == wanted.cap[IDENTITY_CAP_INHERITABLE]);
        EXPECT(there.ambient == wanted.cap[IDENTITY_CAP_AMBIENT]);
        EXPECT(there.securebits == (int)wanted.securebits);
        switch_restore(&frame);
    } else {
        /* Only another permitted set, or a securebit that may not be changed, is in the way. */
        EXPECT(status == MIGUARD_NOT_SUPPORTED || status == MIGUARD_NOT_PERMITTED);
        EXPECT(before.permitted != wanted.cap[IDENTITY_CAP_PERMITTED] ||
               before.securebits != (int)wanted.securebits);
    }
    EXPECT(frame.serial == 0);
    struct raw back = raw_now();
    EXPECT(same_raw(&before, &back));
    return 0;
}

START_TEST(adopts_any_identity_from_any)
{
    const struct pair pair = {&starts[_i / LENGTH(starts)], &starts[_i % LENGTH(starts)]};
    if (is_root("adopting identities")) {
        int status = in_child(adopt_and_restore, &pair);
        ck_assert_msg(status == 0, "%s to %s: status %#x", pair.from->what, pair.to->what, status);
    }
}
END_TEST

/* ---- no way back, or none there ------------------------------------------------------ */

static bool start_unprivileged(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresgid, SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0;
}

static bool start_root_without_caps(void)
{
    return raw_capset(0, 0, 0);
}

static bool start_without_setuid(void)
{
    struct raw now = raw_now();
    uint64_t rest = now.permitted & ~CAP(SETUID);
    return raw_capset(rest, rest, 0);
}

static bool start_without_setgid(void)
{
    struct raw now = raw_now();
    uint64_t rest = now.permitted & ~CAP(SETGID);
    return raw_capset(rest, rest, 0);
}

static bool start_with_saved_uid(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, SOMEBODY, OTHER) == 0;
}

/* To 6 it could go, but then all of its gids were 6, and none left to come back to 5. */
static bool start_with_saved_gid(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, 5, 5, 6) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0;
}

/* fsuid is none of the others, and without CAP_SETUID it can never be that again. */
static bool start_with_odd_fsuid(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, 5, 5, 5) == 0 &&
           prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_setresuid, SOMEBODY, OTHER, SOMEBODY) == 0 &&
           raw_capset(CAP(SETUID), CAP(SETUID), 0) && syscall(SYS_setfsuid, 777) >= 0 &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 && raw_capset(0, 0, 0);
}

static bool start_with_ambient_that_cannot_be_raised(void)
{
    return start_with_ambient() &&
           prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE, 0, 0, 0) == 0;
}

static bool start_with_keep_caps_locked(void)
{
    return prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED, 0, 0, 0) == 0;
}

static bool start_in_inheritable_without_setpcap(void)
{
    struct raw now = raw_now();
    const uint64_t some = CAP(SETUID) | CAP(SETGID) | CAP(NET_RAW);
    return raw_capset(now.effective, now.permitted, CAP(SYS_TIME)) &&
           raw_capset(some, some, CAP(SYS_TIME));
}

static const struct refusal {
    const char *what;
    bool (*start)(void);
    uid_t uid;
    gid_t gid;
    gid_t group; /* the only one, or 0 for none */
    enum miguard_status status;
} refusals[] = {
    {"a user to root", start_unprivileged, 0, 0, 0, MIGUARD_NOT_PERMITTED},
    {"a user to another", start_unprivileged, OTHER, SOMEBODY, 0, MIGUARD_NOT_PERMITTED},
    {"a user to another group", start_unprivileged, SOMEBODY, OTHER, 0, MIGUARD_NOT_PERMITTED},
    {"a user to more groups", start_unprivileged, SOMEBODY, SOMEBODY, OTHER, MIGUARD_NOT_PERMITTED},
    {"a user to itself", start_unprivileged, SOMEBODY, SOMEBODY, 0, MIGUARD_OK},
    {"root without capabilities", start_root_without_caps, SOMEBODY, 0, 0, MIGUARD_NOT_PERMITTED},
    {"without CAP_SETUID", start_without_setuid, SOMEBODY, 0, 0, MIGUARD_NOT_PERMITTED},
    {"without CAP_SETGID", start_without_setgid, SOMEBODY, OTHER, 0, MIGUARD_NOT_PERMITTED},
    {"an fsuid that could not be had again", start_with_odd_fsuid, SOMEBODY, 5, 0,
     MIGUARD_NOT_PERMITTED},
    {"gids that could not be had again", start_with_saved_gid, SOMEBODY, 6, 0,
     MIGUARD_NOT_PERMITTED},
    {"an ambient set that could not be had again", start_with_ambient_that_cannot_be_raised,
     SOMEBODY, 0, 0, MIGUARD_NOT_SUPPORTED},
    {"an inheritable set that could not be had again", start_in_inheritable_without_setpcap,
     SOMEBODY, 0, 0, MIGUARD_NOT_SUPPORTED},
    {"keep-caps locked, uid 0 stays the saved one", start_with_keep_caps_locked, SOMEBODY, 0, 0,
     MIGUARD_OK},
};

static int try_in_vain(const void *context)
{
    const struct refusal *row = context;
    struct miguard_error error = {.status = MIGUARD_OK};

    EXPECT(row->start());
    struct raw before = raw_now();
    struct miguard_target *target =
        target_ids(row->uid, row->gid, &row->group, row->group != 0 ? 1 : 0);
    EXPECT(target != NULL);
    enum miguard_status status = miguard_switch_to(target, &error);
    if (status != row->status) {
        fprintf(stderr, "%s: %s (%s: %s)\n", row->what, miguard_status_name(status), error.step,
                error.detail);
    }
    EXPECT(status == row->status);
    if (status == MIGUARD_OK) {
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    } else {
        EXPECT(error.status == status && error.step[0] != '\0' && error.detail[0] != '\0');
        EXPECT(miguard_switch_depth() == 0);
    }
    struct raw after = raw_now();
    EXPECT(same_raw(&before, &after));
    miguard_target_free(target);
    return 0;
}

START_TEST(refused_and_unchanged)
{
    if (is_root(refusals[_i].what)) {
        int status = in_child(try_in_vain, &refusals[_i]);
        ck_assert_msg(status == 0, "%s: status %#x", refusals[_i].what, status);
    }
}
END_TEST

/* Without CAP_SETUID the saved uid alone is a way there and back. */
static int swap_with_saved_uid(const void *unused)
{
    (void)unused;
    EXPECT(start_with_saved_uid());
    struct raw before = raw_now();
    struct miguard_target *target = target_ids(OTHER, before.gid[0], NULL, 0);
    EXPECT(target != NULL);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    struct raw there = raw_now();
    EXPECT(there.uid[0] == OTHER && there.uid[1] == OTHER && there.uid[2] == SOMEBODY);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    struct raw back = raw_now();
    EXPECT(same_raw(&before, &back));
    miguard_target_free(target);
    return 0;
}

START_TEST(saved_uid_is_a_way_without_privilege)
{
    if (is_root("a thread with a saved uid")) {
        ck_assert_int_eq(in_child(swap_with_saved_uid, NULL), 0);
    }
}
END_TEST

/* An identity that lost its permitted set could never come back: adopting it is refused. */
static int adopt_a_powerless_identity(const void *unused)
{
    (void)unused;
    struct miguard_identity wanted;
    struct switch_frame frame;
    struct miguard_error error;
    struct miguard_target *target = NULL;

    EXPECT(identity_capture(&wanted, NULL) == MIGUARD_OK);
    for (int i = 0; i < IDENTITY_IDS; i++) {
        wanted.uid[i] = SOMEBODY;
    }
    wanted.cap[IDENTITY_CAP_EFFECTIVE] = wanted.cap[IDENTITY_CAP_PERMITTED] = 0;
    struct raw before = raw_now();
    EXPECT(switch_adopt(&wanted, &frame, &error) == MIGUARD_NOT_SUPPORTED);
    EXPECT(strstr(error.detail, "permitted") != NULL);
    EXPECT(frame.serial == 0);
    switch_restore(&frame);
    EXPECT(miguard_target_identity(&wanted, &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_NOT_SUPPORTED);
    miguard_target_free(target);

    struct miguard_identity other = wanted;
    other.cap[IDENTITY_CAP_PERMITTED] = before.permitted;
    other.no_new_privs = 1;
    EXPECT(switch_adopt(&other, &frame, NULL) == MIGUARD_NOT_SUPPORTED);
    other.no_new_privs = 0;
    other.user_namespace++;
    EXPECT(switch_adopt(&other, &frame, NULL) == MIGUARD_NOT_SUPPORTED);
    other.user_namespace--;
    other.cap[IDENTITY_CAP_BOUNDING] &= ~CAP(KILL);
    EXPECT(switch_adopt(&other, &frame, NULL) == MIGUARD_NOT_SUPPORTED);
    EXPECT(miguard_target_identity(&other, &target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_to(target, &error) == MIGUARD_NOT_SUPPORTED);
    EXPECT(strstr(error.detail, "bounding") != NULL);
    miguard_target_free(target);
    other.cap[IDENTITY_CAP_BOUNDING] = wanted.cap[IDENTITY_CAP_BOUNDING];
    other.securebits |= SECBIT_NOROOT_LOCKED;
    EXPECT(switch_adopt(&other, &frame, NULL) == MIGUARD_NOT_SUPPORTED);
    struct raw after = raw_now();
    EXPECT(same_raw(&before, &after));
    identity_release(&wanted);
    return 0;
}

START_TEST(no_way_back_is_refused_at_the_start)
{
    if (is_root("adopting a powerless identity")) {
        ck_assert_int_eq(in_child(adopt_a_powerless_identity, NULL), 0);
    }
}
END_TEST

/* What is raised already must not be raised again where raising is forbidden. */
static int adopt_with_the_same_ambient_set(const void *unused)
{
    (void)unused;
    gid_t groups[] = {OTHER};
    struct miguard_identity wanted;
    struct switch_frame frame;

    EXPECT(start_with_ambient_that_cannot_be_raised());
    const struct raw before = raw_now();
    EXPECT(identity_capture(&wanted, NULL) == MIGUARD_OK);
    struct miguard_identity other = wanted;
    other.groups = groups;
    other.group_count = 1;
    EXPECT(switch_adopt(&other, &frame, NULL) == MIGUARD_OK);
    const struct raw there = raw_now();
    EXPECT(there.ambient == before.ambient && there.group_count == 1 && there.groups[0] == OTHER);
    switch_restore(&frame);
    const struct raw back = raw_now();
    EXPECT(same_raw(&before, &back));
    identity_release(&wanted);
    return 0;
}

START_TEST(ambient_set_is_left_alone)
{
    if (is_root("an ambient set that must not be raised")) {
        ck_assert_int_eq(in_child(adopt_with_the_same_ambient_set, NULL), 0);
    }
}
END_TEST

/* ids of -1 mean "no change" to the kernel: an identity that holds one must never be applied. */
static int adopt_minus_one(const void *context)
{
    int place = *(const int *)context;
    struct miguard_identity wanted;
    struct switch_frame frame;

    EXPECT(identity_capture(&wanted, NULL) == MIGUARD_OK);
    (place < IDENTITY_IDS ? wanted.uid : wanted.gid)[place % IDENTITY_IDS] = (uid_t)-1;
    struct raw before = raw_now();
    EXPECT(identity_check(&wanted, MIGUARD_COMPONENTS_ALL, NULL) != 0);
    EXPECT(switch_adopt(&wanted, &frame, NULL) != MIGUARD_OK);
    struct raw after = raw_now();
    EXPECT(same_raw(&before, &after));
    identity_release(&wanted);
    return 0;
}

START_TEST(minus_one_is_nobody)
{
    if (is_root("adopting an id of -1")) {
        ck_assert_int_eq(in_child(adopt_minus_one, &_i), 0);
    }
}
END_TEST

/* Since Linux 3.1 setresuid(2) lets a user pass at RLIMIT_NPROC; before, it said EAGAIN. */
static int switch_at_the_process_limit(const void *unused)
{
    (void)unused;
    const struct rlimit none = {0, 0};
    struct miguard_target *target = target_ids(SOMEBODY, SOMEBODY, NULL, 0);

    EXPECT(target != NULL && setrlimit(RLIMIT_NPROC, &none) == 0);
    struct raw before = raw_now();
    enum miguard_status status = miguard_switch_to(target, NULL);
    EXPECT(status == MIGUARD_OK || status == MIGUARD_NOT_PERMITTED);
    if (status == MIGUARD_OK) {
        struct raw there = raw_now();
        EXPECT(is_somebody(&there, &before, SOMEBODY, SOMEBODY));
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    }
    struct raw after = raw_now();
    EXPECT(same_raw(&before, &after));
    miguard_target_free(target);
    return 0;
}

START_TEST(process_limit)
{
    if (is_root("RLIMIT_NPROC")) {
        ck_assert_int_eq(in_child(switch_at_the_process_limit, NULL), 0);
    }
}
END_TEST

/* ---- who cannot come back is not let run (invariant 5) ------------------------------- */

static int lose_the_way_back(const void *unused)
{
    (void)unused;
    struct miguard_target *target = target_ids(SOMEBODY, SOMEBODY, NULL, 0);
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    EXPECT(target != NULL && miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(raw_capset(0, 0, 0)); /* a provider that drops what it found */
    EXPECT(syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    (void)!miguard_switch_back(NULL);
    return 0; /* never */
}

static int set_no_new_privs_meanwhile(const void *unused)
{
    (void)unused;
    struct miguard_target *target = target_ids(SOMEBODY, SOMEBODY, NULL, 0);
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    EXPECT(target != NULL && miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    (void)!miguard_switch_back(NULL);
    return 0; /* never */
}

START_TEST(aborts_when_it_cannot_come_back)
{
    static int (*const bodies[])(const void *) = {lose_the_way_back, set_no_new_privs_meanwhile};
    if (is_root("a lost way back")) {
        int status = in_child(bodies[_i], NULL);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    }
}
END_TEST

/* ---- threads ------------------------------------------------------------------------- */

enum { THREADS = 16, IDENTITIES = 7 };

struct bystander {
    _Atomic bool stop;
    int line;
};

static int watch_own_identity(struct bystander *bystander)
{
    const struct raw before = raw_now();
    struct miguard_identity *own = NULL;

    EXPECT(miguard_identity_capture(&own, NULL) == MIGUARD_OK);
    while (!atomic_load(&bystander->stop)) {
        struct raw now = raw_now();
        EXPECT(same_raw(&before, &now));
        EXPECT(identity_check(own, MIGUARD_COMPONENTS_ALL, NULL) == 0);
        EXPECT(miguard_switch_depth() == 0);
    }
    miguard_identity_free(own);
    return 0;
}

static void *run_bystander(void *context)
{
    struct bystander *bystander = context;
    bystander->line = watch_own_identity(bystander);
    return NULL;
}

struct switcher {
    unsigned seed, rounds;
    int line;
};

static int switch_among_identities(const struct switcher *switcher)
{
    struct miguard_target *targets[IDENTITIES];
    uint32_t random = switcher->seed * 2654435761u + 1;

    for (unsigned i = 0; i < IDENTITIES; i++) {
        const gid_t groups[] = {70000 + i, 80000 + i};
        targets[i] = target_ids(SOMEBODY + i, OTHER + i, groups, i % 3);
        EXPECT(targets[i] != NULL);
    }
    struct raw before = raw_now();
    for (unsigned round = 0; round < switcher->rounds; round++) {
        random = random * 1664525 + 1013904223;
        unsigned first = (random >> 8) % IDENTITIES, second = (random >> 16) % IDENTITIES;
        EXPECT(miguard_switch_to(targets[first], NULL) == MIGUARD_OK);
        struct raw there = raw_now();
        EXPECT(is_somebody(&there, &before, SOMEBODY + first, OTHER + first));
        EXPECT(there.group_count == (int)(first % 3));
        if (random >> 24 & 1) {
            EXPECT(miguard_switch_to(targets[second], NULL) == MIGUARD_OK);
            struct raw deeper = raw_now();
            EXPECT(is_somebody(&deeper, &there, SOMEBODY + second, OTHER + second));
            EXPECT(miguard_switch_depth() == 2);
            EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
            struct raw again = raw_now();
            EXPECT(same_raw(&there, &again));
        }
        EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
        struct raw back = raw_now();
        EXPECT(same_raw(&before, &back));
    }
    for (unsigned i = 0; i < IDENTITIES; i++) {
        miguard_target_free(targets[i]);
    }
    /* Ends while switched: the identity goes with the thread, its memory is given back. */
    struct miguard_target *last = target_ids(1, 1, NULL, 0);
    EXPECT(miguard_switch_to(last, NULL) == MIGUARD_OK);
    miguard_target_free(last);
    return 0;
}

static void *run_switcher(void *context)
{
    struct switcher *switcher = context;
    switcher->line = switch_among_identities(switcher);
    return NULL;
}

START_TEST(threads_switch_each_for_itself)
{
    struct bystander bystander = {false, -1};
    struct switcher switchers[THREADS];
    pthread_t watch, threads[THREADS];

    if (!is_root("threads that switch")) {
        return;
    }
    const struct raw before = raw_now();
    ck_assert_int_eq(pthread_create(&watch, NULL, run_bystander, &bystander), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        switchers[i] = (struct switcher){i, quick() ? 5 : 200, -1};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_switcher, &switchers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(switchers[i].line, 0);
    }
    atomic_store(&bystander.stop, true);
    ck_assert_int_eq(pthread_join(watch, NULL), 0);
    ck_assert_int_eq(bystander.line, 0);
    const struct raw after = raw_now();
    ck_assert(same_raw(&before, &after));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch");
    TCase *targets = tcase_create("targets");
    tcase_add_loop_test(targets, targets_of_ids, 0, LENGTH(id_rows));
    tcase_add_loop_test(targets, targets_of_users, 0, LENGTH(user_rows));
    tcase_add_test(targets, targets_of_identities);
    tcase_add_test(targets, misuse);
    suite_add_tcase(suite, targets);
    TCase *there = tcase_create("there and back");
    tcase_set_timeout(there, 60);
    tcase_add_test(there, nobody_and_back);
    tcase_add_loop_test(there, groups_of_any_number, 0, LENGTH(group_counts));
    tcase_add_test(there, sixteen_deep);
    tcase_add_loop_test(there, comes_back_to_what_it_was, 0, LENGTH(starts));
    tcase_add_loop_test(there, adopts_any_identity_from_any, 0, LENGTH(starts) * LENGTH(starts));
    suite_add_tcase(suite, there);
    TCase *refused = tcase_create("refused");
    tcase_add_loop_test(refused, refused_and_unchanged, 0, LENGTH(refusals));
    tcase_add_test(refused, saved_uid_is_a_way_without_privilege);
    tcase_add_test(refused, ambient_set_is_left_alone);
    tcase_add_test(refused, no_way_back_is_refused_at_the_start);
    tcase_add_loop_test(refused, minus_one_is_nobody, 0, 2 * IDENTITY_IDS);
    tcase_add_test(refused, process_limit);
    tcase_add_loop_test(refused, aborts_when_it_cannot_come_back, 0, 2);
    suite_add_tcase(suite, refused);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 120);
    tcase_add_test(threads, threads_switch_each_for_itself);
    suite_add_tcase(suite, threads);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
