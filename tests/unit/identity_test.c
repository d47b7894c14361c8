/* SPDX-License-Identifier: MIT */
/*
 * Identities: what a capture sees, what a comparison tells, and that a look at the calling thread
 * agrees with both. Real changes are made by raw system calls in threads and children that are
 * thrown away; what needs root is skipped aloud without it.
 */
#include "identity/identity.h"
#include "support/elsewhere.h"
#include "support/userns.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(table)  ((int)(sizeof(table) / sizeof((table)[0])))
#define BIT(NAME)      ((miguard_components)MIGUARD_COMPONENT_##NAME)
#define ALL            ((miguard_components)MIGUARD_COMPONENTS_ALL)
#define CAPS_OF_UID(x) ((x) | BIT(CAP_EFFECTIVE))

enum { SOMEBODY = 12345, NO_CHANGE = -1 };

struct task {
    int (*body)(const void *context);
    const void *context;
    int line;
};

static void *run_task(void *data)
{
    struct task *task = data;
    task->line = task->body(task->context);
    return NULL;
}

static int in_thread(int (*body)(const void *), const void *context)
{
    struct task task = {body, context, -1};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_task, &task), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return task.line;
}

static struct miguard_identity *capture(void)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error;
    if (miguard_identity_capture(&identity, &error) != MIGUARD_OK) {
        fprintf(stderr, "capture: %s\n", error.detail);
    }
    return identity;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- the kernel's own word, read another way ----------------------------------------- */

/* The line of /proc/thread-self/status behind name. */
static bool status_line(const char *name, char *line, size_t size)
{
    FILE *file = fopen("/proc/thread-self/status", "re");
    size_t length = strlen(name);
    bool found = false;

    if (file == NULL) {
        return false;
    }
    while (!found && fgets(line, (int)size, file) != NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            memmove(line, line + length + 1, strlen(line + length + 1) + 1);
            found = true;
        }
    }
    fclose(file);
    return found;
}

static uint64_t status_hex(const char *name)
{
    char line[256];
    return status_line(name, line, sizeof(line)) ? strtoull(line, NULL, 16) : 0;
}

static int agrees_with_the_kernel(const void *unused)
{
    (void)unused;
    struct miguard_identity *identity = capture();
    uid_t uid[3];
    gid_t gid[3];
    unsigned ids[4];
    char line[4096];

    EXPECT(identity != NULL);
    EXPECT(miguard_identity_known(identity) == ALL);
    EXPECT(syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]) == 0);
    EXPECT(syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]) == 0);
    EXPECT(memcmp(uid, identity->uid, sizeof(uid)) == 0);
    EXPECT(memcmp(gid, identity->gid, sizeof(gid)) == 0);
    EXPECT(status_line("Uid", line, sizeof(line)));
    EXPECT(sscanf(line, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4);
    EXPECT(memcmp(ids, identity->uid, sizeof(ids)) == 0);
    EXPECT(status_line("Gid", line, sizeof(line)));
    EXPECT(sscanf(line, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4);
    EXPECT(memcmp(ids, identity->gid, sizeof(ids)) == 0);
    EXPECT(status_hex("CapEff") == identity->cap[IDENTITY_CAP_EFFECTIVE]);
    EXPECT(status_hex("CapPrm") == identity->cap[IDENTITY_CAP_PERMITTED]);
    EXPECT(status_hex("CapInh") == identity->cap[IDENTITY_CAP_INHERITABLE]);
    EXPECT(status_hex("CapAmb") == identity->cap[IDENTITY_CAP_AMBIENT]);
    EXPECT(status_hex("CapBnd") == identity->cap[IDENTITY_CAP_BOUNDING]);
    EXPECT(status_hex("NoNewPrivs") == identity->no_new_privs);
    EXPECT(identity->securebits == (uint32_t)prctl(PR_GET_SECUREBITS));
    EXPECT(readlink("/proc/thread-self/ns/user", line, sizeof(line)) > 6);
    EXPECT(strtoull(line + 6, NULL, 10) == identity->user_namespace);
    EXPECT(status_line("Groups", line, sizeof(line)));
    const char *at = line;
    for (uint32_t i = 0; i < identity->group_count; i++) {
        char *end = NULL;
        EXPECT(strtoul(at, &end, 10) == identity->groups[i] && end != at);
        at = end;
    }
    EXPECT(identity_check(identity, ALL, NULL) == 0);
    miguard_identity_free(identity);
    return 0;
}

START_TEST(capture_agrees_with_the_kernel)
{
    ck_assert_int_eq(agrees_with_the_kernel(NULL), 0);
    ck_assert_int_eq(in_thread(agrees_with_the_kernel, NULL), 0);
}
END_TEST

static int mixed_thread(const void *unused)
{
    const gid_t groups[] = {7, 5, 9};

    EXPECT(syscall(SYS_setgroups, 3, groups) == 0);
    EXPECT(syscall(SYS_setresgid, 21, 22, 23) == 0);
    EXPECT(syscall(SYS_setresuid, 11, 0, 13) == 0);
    syscall(SYS_setfsgid, 24);
    syscall(SYS_setfsuid, 14);
    return agrees_with_the_kernel(unused);
}

START_TEST(capture_is_of_the_thread_not_the_process)
{
    if (is_root("capture of a thread with ids of its own")) {
        ck_assert_int_eq(in_thread(mixed_thread, NULL), 0);
        ck_assert_int_eq(agrees_with_the_kernel(NULL), 0);
    }
}
END_TEST

/* The last 4095 ids look like an errno when setfsuid(2) returns them. */
static const unsigned high_ids[] = {65535,      65536,      0x7FFFFFFF, 0x80000000, 0xFFFFEFFF,
                                    0xFFFFF000, 0xFFFFF001, 0xFFFFFFF3, 0xFFFFFFFD};

static int thread_with_high_ids(const void *context)
{
    unsigned id = *(const unsigned *)context;

    EXPECT(syscall(SYS_setresgid, NO_CHANGE, id, NO_CHANGE) == 0);
    EXPECT(syscall(SYS_setresuid, NO_CHANGE, id, NO_CHANGE) == 0);
    struct miguard_identity *identity = capture();
    EXPECT(identity != NULL);
    EXPECT(identity->uid[IDENTITY_FS] == id && identity->gid[IDENTITY_FS] == id);
    EXPECT(identity->uid[IDENTITY_E] == id && identity->gid[IDENTITY_E] == id);
    EXPECT(identity_check(identity, ALL, NULL) == 0);
    (void)syscall(SYS_setfsuid, 0); /* its answer is the id before, with a sign in an emulator */
    EXPECT(identity_check(identity, BIT(FSUID), NULL) == BIT(FSUID));
    miguard_identity_free(identity);
    return 0;
}

START_TEST(high_ids_are_read)
{
    if (is_root("ids that look like an errno")) {
        ck_assert_int_eq(in_thread(thread_with_high_ids, &high_ids[_i]), 0);
    }
}
END_TEST

START_TEST(arguments)
{
    struct miguard_identity *identity = (void *)&identity;
    struct miguard_error error;
    ck_assert_int_eq(miguard_identity_capture(NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(error.status, MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_read(0, &identity, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_read(-5, &identity, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_read(1, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_eq(identity, (void *)&identity);
    miguard_identity_free(NULL);
}
END_TEST

/* ---- nothing equals nothing (invariant 1) -------------------------------------------- */

START_TEST(zeroed_memory_equals_nothing)
{
    static const struct miguard_identity zeroed;
    struct miguard_identity *own = capture();
    miguard_components unreadable = 1;
    char buffer[8];
    size_t length = 77;

    ck_assert_ptr_nonnull(own);
    ck_assert_uint_eq(miguard_identity_compare(&zeroed, &zeroed), ALL);
    ck_assert_uint_eq(miguard_identity_compare(NULL, NULL), ALL);
    ck_assert_uint_eq(miguard_identity_compare(&zeroed, own), ALL);
    ck_assert_uint_eq(miguard_identity_compare(own, &zeroed), ALL);
    ck_assert_uint_eq(miguard_identity_compare(own, NULL), ALL);
    ck_assert_uint_eq(miguard_identity_compare(own, own), 0);
    ck_assert_uint_eq(identity_check(&zeroed, ALL, &unreadable), ALL);
    ck_assert_uint_eq(unreadable, 0);
    ck_assert_uint_eq(identity_check(NULL, ALL, NULL), ALL);
    ck_assert_uint_ne(identity_check(&zeroed, BIT(EUID), NULL), 0);
    ck_assert_uint_eq(miguard_identity_known(&zeroed), 0);
    ck_assert_uint_eq(miguard_identity_known(NULL), 0);
    ck_assert(!identity_valid(&zeroed));
    ck_assert(!identity_valid(NULL));
    ck_assert_int_eq(miguard_identity_describe(&zeroed, buffer, sizeof(buffer), &length),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_identity_to_json(&zeroed, buffer, sizeof(buffer), &length),
                     MIGUARD_INVALID_ARGUMENT);
    ck_assert_uint_eq(length, 77);

    /* All that is known of a root thread, but without the tag: still nobody. */
    struct miguard_identity untagged = *own;
    for (unsigned bit = 0; bit < 64; bit++) {
        untagged.tag = own->tag ^ (uint64_t)1 << bit;
        ck_assert_uint_eq(miguard_identity_compare(&untagged, own), ALL);
        ck_assert_uint_eq(miguard_identity_compare(own, &untagged), ALL);
        ck_assert_uint_eq(identity_check(&untagged, ALL, NULL), ALL);
    }
    identity_release(own);
    ck_assert_uint_eq(miguard_identity_compare(own, own), ALL); /* released is zeroed */
    miguard_identity_free(own);
}
END_TEST

static int root_bound_is_no_wildcard(const void *context)
{
    const struct miguard_identity *roots = context;
    const gid_t none[] = {SOMEBODY};

    EXPECT(syscall(SYS_setgroups, 1, none) == 0);
    EXPECT(syscall(SYS_setresgid, SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    EXPECT(syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    struct miguard_identity *own = capture();
    EXPECT(own != NULL);
    const miguard_components expected = BIT(RUID) | BIT(EUID) | BIT(SUID) | BIT(FSUID) | BIT(RGID) |
                                        BIT(EGID) | BIT(SGID) | BIT(FSGID) | BIT(GROUPS) |
                                        BIT(CAP_EFFECTIVE) | BIT(CAP_PERMITTED);
    EXPECT(identity_check(roots, ALL, NULL) == expected);
    EXPECT(miguard_identity_compare(roots, own) == expected);
    EXPECT(miguard_identity_compare(own, roots) == expected);
    miguard_identity_free(own);
    return 0;
}

static int becomes_somebody(const void *context)
{
    const struct miguard_identity **slot = (void *)(uintptr_t)context;

    EXPECT(syscall(SYS_setresuid, SOMEBODY, SOMEBODY, SOMEBODY) == 0);
    *slot = capture();
    EXPECT(*slot != NULL);
    return 0;
}

START_TEST(root_is_no_wildcard)
{
    if (!is_root("uid 0 against others")) {
        return;
    }
    struct miguard_identity *roots = capture(), *somebodys = NULL;
    ck_assert_int_eq(in_thread(root_bound_is_no_wildcard, roots), 0);
    ck_assert_int_eq(in_thread(becomes_somebody, &somebodys), 0);
    const miguard_components expected =
        BIT(RUID) | BIT(EUID) | BIT(SUID) | BIT(FSUID) | BIT(CAP_EFFECTIVE) | BIT(CAP_PERMITTED);
    ck_assert_uint_eq(identity_check(somebodys, ALL, NULL), expected); /* root uses it */
    miguard_identity_free(somebodys);
    miguard_identity_free(roots);
}
END_TEST

/* ---- comparison ---------------------------------------------------------------------- */

static gid_t some_groups[] = {1, 5, 9}, other_groups[] = {1, 5, 10};
static char one_label[] = "system_u:object_r:one", other_label[] = "system_u:object_r:two";

static struct miguard_identity sample(void)
{
    return (struct miguard_identity){
        .tag = IDENTITY_TAG,
        .known = ALL,
        .uid = {1, 2, 3, 4},
        .gid = {5, 6, 7, 8},
        .group_count = 3,
        .groups = some_groups,
        .cap = {1, 2, 4, 8, 16},
        .cap_count = 41,
        .securebits = 3,
        .user_namespace = 4026531837,
        .lsm_label = one_label,
    };
}

static void alter(struct miguard_identity *identity, miguard_components components)
{
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        identity->uid[i] += (components & BIT(RUID) << i) != 0 ? 100u : 0;
        identity->gid[i] += (components & BIT(RGID) << i) != 0 ? 100u : 0;
    }
    for (unsigned i = 0; i < IDENTITY_CAP_SETS; i++) {
        identity->cap[i] ^= (components & BIT(CAP_EFFECTIVE) << i) != 0 ? (uint64_t)1 << 40 : 0;
    }
    if ((components & BIT(GROUPS)) != 0) {
        identity->groups = other_groups;
    }
    identity->securebits ^= (components & BIT(SECUREBITS)) != 0 ? 0x10u : 0;
    identity->no_new_privs ^= (components & BIT(NO_NEW_PRIVS)) != 0 ? 1u : 0;
    identity->user_namespace += (components & BIT(USER_NAMESPACE)) != 0 ? 1u : 0;
    if ((components & BIT(LSM_LABEL)) != 0) {
        identity->lsm_label = other_label;
    }
}

START_TEST(each_component_alone)
{
    const struct miguard_identity one = sample();
    struct miguard_identity other = sample();

    ck_assert_uint_eq(miguard_identity_compare(&one, &other), 0);
    alter(&other, (miguard_components)1 << _i);
    ck_assert_uint_eq(miguard_identity_compare(&one, &other), (miguard_components)1 << _i);
    ck_assert_uint_eq(miguard_identity_compare(&other, &one), (miguard_components)1 << _i);

    /* One that is not known differs, whatever stands in its place. */
    other = sample();
    other.known &= ~((miguard_components)1 << _i);
    ck_assert_uint_eq(miguard_identity_compare(&one, &other), (miguard_components)1 << _i);
    ck_assert_uint_eq(miguard_identity_compare(&other, &one), (miguard_components)1 << _i);
    ck_assert_uint_eq(miguard_identity_compare(&other, &other), (miguard_components)1 << _i);
}
END_TEST

START_TEST(every_combination)
{
    const struct miguard_identity one = sample();

    for (miguard_components set = 0; set <= ALL; set++) {
        struct miguard_identity other = sample();
        alter(&other, set);
        if (miguard_identity_compare(&one, &other) != set ||
            miguard_identity_compare(&other, &one) != set) {
            ck_abort_msg("set %#x", set);
        }
    }
}
END_TEST

static const struct {
    const char *what;
    uint32_t a_count, b_count;
    gid_t a[4], b[4];
    bool same;
} group_rows[] = {
    {"none and none", 0, 0, {0}, {0}, true},
    {"none and root's", 0, 1, {0}, {0}, false},
    {"one and the same", 1, 1, {5}, {5}, true},
    {"one and another", 1, 1, {5}, {6}, false},
    {"a part", 1, 2, {5}, {5, 6}, false},
    {"other order", 3, 3, {5, 6, 7}, {7, 5, 6}, true},
    {"duplicates", 4, 2, {5, 6, 5, 6}, {6, 5}, true},
    {"only duplicates", 4, 1, {5, 5, 5, 5}, {5}, true},
    {"the same number, another set", 3, 3, {5, 5, 6}, {5, 6, 7}, false},
    {"zero among them", 2, 1, {0, 5}, {5}, false},
    {"the largest", 2, 2, {0xFFFFFFFE, 1}, {1, 0xFFFFFFFE}, true},
};

START_TEST(groups_are_sets)
{
    struct miguard_identity a = sample(), b = sample();
    gid_t list_a[4], list_b[4];

    memcpy(list_a, group_rows[_i].a, sizeof(list_a));
    memcpy(list_b, group_rows[_i].b, sizeof(list_b));
    a.groups = list_a;
    b.groups = list_b;
    a.group_count = identity_sort_groups(list_a, group_rows[_i].a_count);
    b.group_count = identity_sort_groups(list_b, group_rows[_i].b_count);
    ck_assert_msg(miguard_identity_compare(&a, &b) == (group_rows[_i].same ? 0 : BIT(GROUPS)), "%s",
                  group_rows[_i].what);
}
END_TEST

static int by_number(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;
    return x < y ? -1 : x > y;
}

/* Shapes that sorting code gets wrong, and random ones, against qsort(3). */
START_TEST(groups_are_sorted)
{
    static const uint32_t counts[] = {0, 1, 2, 3, 31, 255, 256, 257, 1000, 65536};
    uint64_t state = 88172645463325252u;
    gid_t *list = calloc(65536, sizeof(gid_t)), *expected = calloc(65536, sizeof(gid_t));

    ck_assert(list != NULL && expected != NULL);
    for (int i = 0; i < LENGTH(counts); i++) {
        for (int shape = 0; shape < 6; shape++) {
            uint32_t count = counts[i], kept = 0;
            for (uint32_t k = 0; k < count; k++) {
                list[k] = shape == 0   ? k
                          : shape == 1 ? count - k
                          : shape == 2 ? 7
                          : shape == 3 ? k % 16
                          : shape == 4 ? (gid_t)next_random(&state)
                                       : (gid_t)next_random(&state) % 100;
            }
            memcpy(expected, list, count * sizeof(gid_t));
            qsort(expected, count, sizeof(gid_t), by_number);
            for (uint32_t k = 0; k < count; k++) {
                if (kept == 0 || expected[k] != expected[kept - 1]) {
                    expected[kept++] = expected[k];
                }
            }
            ck_assert_uint_eq(identity_sort_groups(list, count), kept);
            ck_assert_int_eq(memcmp(list, expected, kept * sizeof(gid_t)), 0);
        }
    }
    free(expected);
    free(list);
}
END_TEST

/* ---- real group lists ---------------------------------------------------------------- */

static const unsigned real_counts[] = {0, 1, 2, 255, 256, 257, 1000, 65536};

/* The groups 1000.. in falling order; with duplicates of the first when padded. */
static int set_groups(gid_t *list, unsigned distinct, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        list[i] = 1000 + (i < distinct ? distinct - 1 - i : 0);
    }
    EXPECT(syscall(SYS_setgroups, count, list) == 0);
    return 0;
}

static int thread_with_groups(const void *context)
{
    unsigned count = *(const unsigned *)context;
    gid_t *list = calloc(65536, sizeof(gid_t));

    EXPECT(list != NULL);
    EXPECT(set_groups(list, count, count) == 0);
    struct miguard_identity *bound = capture();
    EXPECT(bound != NULL && bound->group_count == count);
    EXPECT(identity_check(bound, ALL, NULL) == 0);
    if (count > 0 && count < 65536) { /* the same set, told otherwise */
        EXPECT(set_groups(list, count, count + 1) == 0);
        EXPECT(identity_check(bound, ALL, NULL) == 0);
    }
    if (count > 0) { /* one fewer, and one replaced */
        EXPECT(set_groups(list, count - 1, count - 1) == 0);
        EXPECT(identity_check(bound, ALL, NULL) == BIT(GROUPS));
        EXPECT(set_groups(list, count, count) == 0);
        list[count / 2] = 70001;
        EXPECT(syscall(SYS_setgroups, count, list) == 0);
        EXPECT(identity_check(bound, ALL, NULL) == BIT(GROUPS));
    }
    if (count < 65536) { /* one more */
        EXPECT(set_groups(list, count + 1, count + 1) == 0);
        EXPECT(identity_check(bound, ALL, NULL) == BIT(GROUPS));
    }
    struct miguard_identity *other = capture();
    EXPECT(other != NULL && miguard_identity_compare(bound, other) == BIT(GROUPS));
    EXPECT(set_groups(list, count, count) == 0);
    EXPECT(identity_check(bound, ALL, NULL) == 0);
    miguard_identity_free(other);
    miguard_identity_free(bound);
    free(list);
    return 0;
}

START_TEST(real_groups)
{
    if (is_root("setgroups") && !(quick() && real_counts[_i] > 1000)) {
        ck_assert_int_eq(in_thread(thread_with_groups, &real_counts[_i]), 0);
    }
}
END_TEST

/* ---- each component really changed --------------------------------------------------- */

struct caps {
    uint64_t effective, permitted, inheritable;
};

static bool get_caps(struct caps *caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    bool done = syscall(SYS_capget, &header, data) == 0;
    caps->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    caps->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    caps->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    return done;
}

static bool set_caps(const struct caps *caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
        {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
         (uint32_t)(caps->inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

#define CAP(NAME) ((uint64_t)1 << CAP_##NAME)

static bool change_uids(int ruid, int euid, int suid)
{
    return syscall(SYS_setresuid, ruid, euid, suid) == 0;
}

static bool change_gids(int rgid, int egid, int sgid)
{
    return syscall(SYS_setresgid, rgid, egid, sgid) == 0;
}

static bool change_ruid(void)
{
    return change_uids(SOMEBODY, NO_CHANGE, NO_CHANGE);
}

static bool change_euid(void)
{
    return change_uids(NO_CHANGE, SOMEBODY, NO_CHANGE);
}

static bool change_suid(void)
{
    return change_uids(NO_CHANGE, NO_CHANGE, SOMEBODY);
}

static bool change_all_uids(void)
{
    return change_uids(SOMEBODY, SOMEBODY, SOMEBODY);
}

static bool change_fsuid(void)
{
    return syscall(SYS_setfsuid, SOMEBODY) == 0 && syscall(SYS_setfsuid, -1) == SOMEBODY;
}

static bool change_rgid(void)
{
    return change_gids(SOMEBODY, NO_CHANGE, NO_CHANGE);
}

static bool change_egid(void)
{
    return change_gids(NO_CHANGE, SOMEBODY, NO_CHANGE);
}

static bool change_sgid(void)
{
    return change_gids(NO_CHANGE, NO_CHANGE, SOMEBODY);
}

static bool change_fsgid(void)
{
    return syscall(SYS_setfsgid, SOMEBODY) == 0 && syscall(SYS_setfsgid, -1) == SOMEBODY;
}

static bool change_groups(void)
{
    const gid_t groups[] = {SOMEBODY, 3};
    return syscall(SYS_setgroups, 2, groups) == 0;
}

static bool drop_all_groups(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0;
}

static bool add_root_group(void)
{
    const gid_t groups[] = {0};
    return syscall(SYS_setgroups, 1, groups) == 0;
}

static bool lower_effective(void)
{
    struct caps caps;
    return get_caps(&caps) && (caps.effective & CAP(SYS_TIME)) != 0 &&
           (caps.effective &= ~CAP(SYS_TIME), set_caps(&caps));
}

static bool lower_permitted(void)
{
    struct caps caps;
    return get_caps(&caps) && (caps.permitted &= ~CAP(SYS_TIME), set_caps(&caps));
}

static bool raise_inheritable(void)
{
    struct caps caps;
    return get_caps(&caps) && (caps.inheritable |= CAP(NET_RAW) | CAP(KILL), set_caps(&caps));
}

static bool raise_ambient(void)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0;
}

static bool lower_bounding(void)
{
    return prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) == 0;
}

static bool keep_caps(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

static bool lock_securebits(void)
{
    return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) == 0;
}

static bool set_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool nothing(void)
{
    return true;
}

static const struct change {
    const char *what;
    bool root;
    bool (*before)(void); /* the identity is bound after this */
    bool (*change)(void);
    miguard_components expected;
} changes[] = {
    {"nothing", false, nothing, nothing, 0},
    {"ruid", true, nothing, change_ruid, BIT(RUID)},
    {"euid", true, nothing, change_euid, CAPS_OF_UID(BIT(EUID) | BIT(FSUID))},
    {"euid without capabilities", true, change_euid, change_euid, 0},
    {"suid", true, nothing, change_suid, BIT(SUID)},
    {"all uids", true, nothing, change_all_uids,
     CAPS_OF_UID(BIT(RUID) | BIT(EUID) | BIT(SUID) | BIT(FSUID)) | BIT(CAP_PERMITTED)},
    {"fsuid", true, nothing, change_fsuid, CAPS_OF_UID(BIT(FSUID))},
    {"rgid", true, nothing, change_rgid, BIT(RGID)},
    {"egid", true, nothing, change_egid, BIT(EGID) | BIT(FSGID)},
    {"sgid", true, nothing, change_sgid, BIT(SGID)},
    {"fsgid", true, nothing, change_fsgid, BIT(FSGID)},
    {"groups", true, nothing, change_groups, BIT(GROUPS)},
    {"no groups any more", true, change_groups, drop_all_groups, BIT(GROUPS)},
    {"group 0 instead of none", true, drop_all_groups, add_root_group, BIT(GROUPS)},
    {"effective capability", true, nothing, lower_effective, BIT(CAP_EFFECTIVE)},
    {"permitted capability", true, lower_effective, lower_permitted, BIT(CAP_PERMITTED)},
    {"inheritable capability", true, nothing, raise_inheritable, BIT(CAP_INHERITABLE)},
    {"ambient capability", true, raise_inheritable, raise_ambient, BIT(CAP_AMBIENT)},
    {"bounding capability", true, nothing, lower_bounding, BIT(CAP_BOUNDING)},
    {"keep-caps", false, nothing, keep_caps, BIT(SECUREBITS)},
    {"locked securebits", true, nothing, lock_securebits, BIT(SECUREBITS)},
    {"no_new_privs", false, nothing, set_no_new_privs, BIT(NO_NEW_PRIVS)},
};

static int bind_and_change(const void *context)
{
    const struct change *row = context;
    miguard_components unreadable = 1;

    EXPECT(row->before());
    struct miguard_identity *bound = capture();
    EXPECT(bound != NULL);
    EXPECT(identity_check(bound, ALL, &unreadable) == 0 && unreadable == 0);
    EXPECT(row->change());
    EXPECT(identity_check(bound, ALL, &unreadable) == row->expected && unreadable == 0);
    for (unsigned bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components one = (miguard_components)1 << bit;
        EXPECT(identity_check(bound, one, NULL) == (row->expected & one));
        EXPECT(identity_check(bound, ALL & ~one, NULL) == (row->expected & ~one));
    }
    struct miguard_identity *now = capture();
    EXPECT(now != NULL);
    EXPECT(miguard_identity_compare(bound, now) == row->expected);
    EXPECT(identity_check(now, ALL, NULL) == 0);
    miguard_identity_free(now);
    miguard_identity_free(bound);
    return 0;
}

START_TEST(each_component_really_changed)
{
    if (!changes[_i].root || is_root(changes[_i].what)) {
        int line = in_thread(bind_and_change, &changes[_i]);
        ck_assert_msg(line == 0, "%s: line %d", changes[_i].what, line);
    }
}
END_TEST

/* A component that the bound identity does not know differs, though nothing changed. */
START_TEST(unknown_component_of_the_bound_identity_differs)
{
    struct miguard_identity *bound = capture();
    ck_assert_ptr_nonnull(bound);
    bound->known &= ~((miguard_components)1 << _i);
    ck_assert_uint_eq(identity_check(bound, ALL, NULL), (miguard_components)1 << _i);
    ck_assert_uint_eq(identity_check(bound, ALL & ~((miguard_components)1 << _i), NULL), 0);
    miguard_identity_free(bound);
}
END_TEST

/* ---- a worker is not its process ----------------------------------------------------- */

static int worker_with_other_euid(const void *context)
{
    const struct miguard_identity *leaders = context;
    struct miguard_identity *seen = NULL;
    const miguard_components expected = CAPS_OF_UID(BIT(EUID) | BIT(FSUID));

    EXPECT(change_euid());
    struct miguard_identity *own = capture();
    EXPECT(own != NULL && own->uid[IDENTITY_E] == SOMEBODY);
    EXPECT(identity_check(leaders, ALL, NULL) == expected);
    EXPECT(miguard_identity_compare(leaders, own) == expected);

    /* For inspection: /proc/PID is the leader, /proc/TID this thread. */
    EXPECT(miguard_identity_read(getpid(), &seen, NULL) == MIGUARD_OK);
    EXPECT(miguard_identity_compare(leaders, seen) == BIT(SECUREBITS));
    miguard_identity_free(seen);
    EXPECT(miguard_identity_read(gettid(), &seen, NULL) == MIGUARD_OK);
    EXPECT(miguard_identity_compare(own, seen) == BIT(SECUREBITS));
    EXPECT(miguard_identity_known(seen) == (ALL & ~BIT(SECUREBITS)));
    miguard_identity_free(seen);
    miguard_identity_free(own);
    return 0;
}

START_TEST(worker_is_not_its_leader)
{
    if (is_root("a worker with another euid")) {
        struct miguard_identity *leaders = capture();
        ck_assert_int_eq(in_thread(worker_with_other_euid, leaders), 0);
        ck_assert_uint_eq(identity_check(leaders, ALL, NULL), 0);
        miguard_identity_free(leaders);
    }
}
END_TEST

/* glibc's seteuid(3) in one thread changes all of them, also one that never asked for it. */
struct bound_thread {
    struct miguard_identity *bound;
    pthread_barrier_t barrier;
    miguard_components before, after;
};

static void *look_twice(void *context)
{
    struct bound_thread *thread = context;
    thread->bound = capture();
    thread->before = identity_check(thread->bound, ALL, NULL);
    pthread_barrier_wait(&thread->barrier);
    pthread_barrier_wait(&thread->barrier);
    thread->after = identity_check(thread->bound, ALL, NULL);
    return NULL;
}

static int broadcast(const void *unused)
{
    (void)unused;
    struct bound_thread thread = {.bound = NULL};
    pthread_t id;

    EXPECT(pthread_barrier_init(&thread.barrier, NULL, 2) == 0);
    EXPECT(pthread_create(&id, NULL, look_twice, &thread) == 0);
    pthread_barrier_wait(&thread.barrier);
    EXPECT(seteuid(SOMEBODY) == 0);
    pthread_barrier_wait(&thread.barrier);
    EXPECT(pthread_join(id, NULL) == 0);
    EXPECT(thread.before == 0);
    EXPECT(thread.after == CAPS_OF_UID(BIT(EUID) | BIT(FSUID)));
    miguard_identity_free(thread.bound);
    return 0;
}

START_TEST(broadcast_of_another_thread_is_seen)
{
    if (is_root("glibc's seteuid broadcast")) {
        ck_assert_int_eq(in_child(broadcast, NULL), 0);
    }
}
END_TEST

/* Whatever a look sees while another thread switches back and forth, it never takes the one
 * identity for the other: a capture is all of one or it is refused. */
struct torn {
    _Atomic bool stop;
    int line;
};

static int look_many_times(struct torn *torn)
{
    while (!torn->stop) {
        struct miguard_identity *identity = NULL;
        enum miguard_status status = miguard_identity_capture(&identity, NULL);
        /* Where there may be a filter, /proc is read, too, and can be later than the calls. */
        EXPECT(status == MIGUARD_OK || status == MIGUARD_TORN ||
               (status == MIGUARD_UNREADABLE && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0));
        if (status == MIGUARD_OK) {
            bool root = identity->uid[IDENTITY_E] == 0;
            EXPECT(root || identity->uid[IDENTITY_E] == SOMEBODY);
            EXPECT((identity->cap[IDENTITY_CAP_EFFECTIVE] != 0) == root);
            EXPECT(identity->uid[IDENTITY_FS] == identity->uid[IDENTITY_E]);
            miguard_identity_free(identity);
        }
    }
    return 0;
}

static void *look_until_stopped(void *context)
{
    struct torn *torn = context;
    torn->line = look_many_times(torn);
    return NULL;
}

static int capture_under_broadcast(const void *unused)
{
    (void)unused;
    struct torn torn = {false, -1};
    pthread_t id;

    EXPECT(pthread_create(&id, NULL, look_until_stopped, &torn) == 0);
    for (unsigned i = 0; i < (quick() ? 50u : 1500u); i++) {
        EXPECT(seteuid(i % 2 == 0 ? SOMEBODY : 0) == 0);
        usleep(i * 7919 % 200); /* seldom twice within one capture */
    }
    torn.stop = true;
    EXPECT(pthread_join(id, NULL) == 0);
    EXPECT(torn.line == 0);
    return 0;
}

START_TEST(capture_is_never_torn)
{
    if (is_root("captures while another thread switches")) {
        ck_assert_int_eq(in_child(capture_under_broadcast, NULL), 0);
    }
}
END_TEST

/* ---- user namespaces ----------------------------------------------------------------- */

enum maps { NO_MAPS, FULL_MAPS, SINGLE_MAPS, OVERFLOW_MAP };

static const struct namespace_row {
    const char *what;
    bool second_thread; /* there was one, and it is gone */
    bool extra_group;   /* a supplementary group that the map lacks */
    bool deny_setgroups;
    enum maps maps;
    enum miguard_status capture;
} namespace_rows[] = {
    {"all ids mapped", false, false, false, FULL_MAPS, MIGUARD_OK},
    {"all ids mapped, after a thread", true, false, false, FULL_MAPS, MIGUARD_OK},
    {"no id mapped", false, false, false, NO_MAPS, MIGUARD_UNPROVABLE},
    {"no id mapped, after a thread", true, false, false, NO_MAPS, MIGUARD_UNPROVABLE},
    {"own ids mapped", false, false, false, SINGLE_MAPS, MIGUARD_OK},
    {"a group unmapped", false, true, false, SINGLE_MAPS, MIGUARD_UNPROVABLE},
    {"a group unmapped, setgroups denied", false, true, true, SINGLE_MAPS, MIGUARD_OK},
    {"own id mapped to the overflow id", false, false, false, OVERFLOW_MAP, MIGUARD_UNPROVABLE},
};

struct namespace_child {
    const struct namespace_row *row;
    int ready[2], go[2];
};

static void *do_nothing(void *unused)
{
    return unused;
}

enum { NOT_POSSIBLE = 100 };

static int live_in_a_namespace(const struct namespace_child *child)
{
    const gid_t groups[] = {0, 54321};
    struct miguard_identity *now = NULL;
    pthread_t thread;
    char byte = 'x';

    EXPECT(syscall(SYS_setgroups, child->row->extra_group ? 2 : 1, groups) == 0);
    if (child->row->second_thread) {
        EXPECT(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    struct miguard_identity *bound = capture();
    EXPECT(bound != NULL && identity_check(bound, ALL, NULL) == 0);
    if (!userns_enter()) {
        return NOT_POSSIBLE;
    }
    EXPECT(write(child->ready[1], &byte, 1) == 1);
    EXPECT(read(child->go[0], &byte, 1) == 1);

    /* A namespace of its own brings a full set of capabilities, and where ids are unmapped other
     * ids; whatever else, the namespace differs. */
    miguard_components differing = identity_check(bound, ALL, NULL);
    EXPECT((differing & BIT(USER_NAMESPACE)) != 0);
    EXPECT(identity_check(bound, BIT(USER_NAMESPACE), NULL) == BIT(USER_NAMESPACE));
    if (child->row->maps == FULL_MAPS) {
        EXPECT((differing & ~(BIT(USER_NAMESPACE) | BIT(CAP_EFFECTIVE) | BIT(CAP_PERMITTED) |
                              BIT(CAP_BOUNDING))) == 0);
    }
    enum miguard_status status = miguard_identity_capture(&now, NULL);
    EXPECT(status == child->row->capture);
    if (status == MIGUARD_OK) {
        EXPECT((miguard_identity_compare(bound, now) & BIT(USER_NAMESPACE)) != 0);
        EXPECT(identity_check(now, ALL, NULL) == 0);
    }
    miguard_identity_free(now);
    miguard_identity_free(bound);
    return 0;
}

static bool write_proc(pid_t pid, const char *name, const char *content)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

static bool write_maps(pid_t pid, const struct namespace_row *row)
{
    static const char *const uid_maps[] = {NULL, "0 0 4294967295", "0 0 1", "65534 0 1"};
    static const char *const gid_maps[] = {NULL, "0 0 4294967295", "0 0 1", "0 0 1"};

    return (!row->deny_setgroups || write_proc(pid, "setgroups", "deny")) &&
           (row->maps == NO_MAPS || (write_proc(pid, "uid_map", uid_maps[row->maps]) &&
                                     write_proc(pid, "gid_map", gid_maps[row->maps])));
}

START_TEST(user_namespaces)
{
    struct namespace_child child = {.row = &namespace_rows[_i]};
    char byte = 'x';

    if (!is_root(namespace_rows[_i].what)) {
        return;
    }
    ck_assert_int_eq(pipe(child.ready), 0);
    ck_assert_int_eq(pipe(child.go), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(child.ready[0]);
        close(child.go[1]);
        int line = live_in_a_namespace(&child);
        _exit(line == 0 ? 0 : line == NOT_POSSIBLE ? 2 : 1);
    }
    close(child.ready[1]);
    close(child.go[0]);
    bool possible = read(child.ready[0], &byte, 1) == 1;
    bool mapped = possible && write_maps(pid, child.row);
    ck_assert(!possible || write(child.go[1], &byte, 1) == 1);
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    close(child.ready[0]);
    close(child.go[1]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
        printf("skip: %s: no user namespace can be made here\n", child.row->what);
        return;
    }
    ck_assert_msg(mapped && status == 0, "%s: maps %d, status %#x", child.row->what, mapped,
                  status);
}
END_TEST

/* ---- reading about others ------------------------------------------------------------ */

START_TEST(reading_another_process)
{
    struct miguard_identity *seen = NULL;
    struct miguard_error error;
    int hold[2], ready[2];
    char byte = 'x';

    ck_assert_int_eq(pipe(hold), 0);
    ck_assert_int_eq(pipe(ready), 0);
    bool root = is_root("another process with other ids");
    pid_t child = fork();
    if (child == 0) {
        close(hold[1]);
        bool done =
            !root || (drop_all_groups() && change_gids(21, 22, 23) && change_uids(11, 0, 13));
        syscall(SYS_setfsuid, root ? 14 : -1);
        (void)!write(ready[1], done ? "y" : "n", 1);
        (void)!read(hold[0], &byte, 1);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'y');
    ck_assert_int_eq(miguard_identity_read(child, &seen, NULL), MIGUARD_OK);
    if (root) {
        const uid_t uid[] = {11, 0, 13, 14};
        const gid_t gid[] = {21, 22, 23, 22};
        ck_assert_int_eq(memcmp(seen->uid, uid, sizeof(uid)), 0);
        ck_assert_int_eq(memcmp(seen->gid, gid, sizeof(gid)), 0);
        ck_assert_uint_eq(seen->group_count, 0);
    }
    ck_assert_uint_eq(miguard_identity_known(seen) & BIT(SECUREBITS), 0);
    ck_assert_uint_ne(identity_check(seen, ALL, NULL), 0); /* proves nothing */
    miguard_identity_free(seen);
    close(hold[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);

    seen = NULL;
    ck_assert_int_eq(miguard_identity_read(child, &seen, &error), MIGUARD_NOT_FOUND);
    ck_assert_int_eq(error.status, MIGUARD_NOT_FOUND);
    ck_assert_ptr_null(seen);
    close(hold[0]);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(reading_process_and_thread)
{
    struct identity_process process;
    struct identity_thread thread;
    char executable[256], name[16];

    identity_read_process(&process);
    identity_read_thread(&thread);
    ck_assert_int_eq(process.pid, getpid());
    ck_assert_int_eq(thread.tid, gettid());
    ck_assert_int_eq(prctl(PR_GET_NAME, name, 0, 0, 0), 0);
    ck_assert_str_eq(thread.name, name);
    ck_assert_uint_gt(process.start_time, 0);
    ssize_t length = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
    ck_assert_int_gt(length, 0);
    executable[length] = '\0';
    ck_assert_str_eq(process.executable, executable);
}
END_TEST

/* ---- words --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    miguard_components component;
} names[] = {
    {"ruid", BIT(RUID)},
    {"euid", BIT(EUID)},
    {"suid", BIT(SUID)},
    {"fsuid", BIT(FSUID)},
    {"rgid", BIT(RGID)},
    {"egid", BIT(EGID)},
    {"sgid", BIT(SGID)},
    {"fsgid", BIT(FSGID)},
    {"groups", BIT(GROUPS)},
    {"cap-effective", BIT(CAP_EFFECTIVE)},
    {"cap-permitted", BIT(CAP_PERMITTED)},
    {"cap-inheritable", BIT(CAP_INHERITABLE)},
    {"cap-ambient", BIT(CAP_AMBIENT)},
    {"cap-bounding", BIT(CAP_BOUNDING)},
    {"securebits", BIT(SECUREBITS)},
    {"no-new-privs", BIT(NO_NEW_PRIVS)},
    {"user-namespace", BIT(USER_NAMESPACE)},
    {"lsm-label", BIT(LSM_LABEL)},
};

START_TEST(component_names)
{
    miguard_components all = 0;

    ck_assert_int_eq(LENGTH(names), MIGUARD_COMPONENT_COUNT);
    for (int i = 0; i < LENGTH(names); i++) {
        ck_assert_uint_eq(names[i].component, 1u << i);
        ck_assert_str_eq(miguard_component_name(names[i].component), names[i].name);
        ck_assert_uint_eq(miguard_component_from_name(names[i].name), names[i].component);
        all |= names[i].component;
    }
    ck_assert_uint_eq(all, ALL);
    static const miguard_components no_name[] = {0, 3, ALL, 1u << 18, 1u << 31, UINT32_MAX};
    for (int i = 0; i < LENGTH(no_name); i++) {
        ck_assert_ptr_null(miguard_component_name(no_name[i]));
    }
    static const char *const no_component[] = {"", "uid", "EUID", "euid ", "eui", "groups2"};
    for (int i = 0; i < LENGTH(no_component); i++) {
        ck_assert_uint_eq(miguard_component_from_name(no_component[i]), 0);
    }
    ck_assert_uint_eq(miguard_component_from_name(NULL), 0);
}
END_TEST

START_TEST(component_sets_in_words)
{
    struct text text = TEXT_EMPTY;
    identity_components_text(&text, BIT(EUID) | BIT(GROUPS) | BIT(LSM_LABEL));
    ck_assert_str_eq(text.data, "euid, groups, lsm-label");
    text_release(&text);
}
END_TEST

static const struct {
    miguard_components component;
    uint64_t value;
    const char *text;
} words[] = {
    {BIT(RUID), 54321, "54321"},
    {BIT(RUID), 0, "0(root)"},
    {BIT(FSGID), 54321, "54321"},
    {BIT(FSGID), 0, "0(root)"},
    {BIT(CAP_EFFECTIVE), 0, "none"},
    {BIT(CAP_EFFECTIVE), ((uint64_t)1 << 41) - 1, "all"},
    {BIT(CAP_EFFECTIVE), CAP(SYS_ADMIN), "CAP_SYS_ADMIN"},
    {BIT(CAP_EFFECTIVE), CAP(KILL) | CAP(CHOWN), "CAP_CHOWN CAP_KILL"},
    {BIT(CAP_BOUNDING), (((uint64_t)1 << 41) - 1) & ~(CAP(KILL) | CAP(CHOWN)),
     "all but CAP_CHOWN CAP_KILL"},
    {BIT(SECUREBITS), 0, "none"},
    {BIT(SECUREBITS), SECBIT_KEEP_CAPS, "keep-caps"},
    {BIT(SECUREBITS), SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, "noroot noroot-locked"},
    {BIT(NO_NEW_PRIVS), 0, "no"},
    {BIT(NO_NEW_PRIVS), 1, "yes"},
    {BIT(USER_NAMESPACE), 4026531837, "4026531837"},
    {BIT(LSM_LABEL), 0, "system_u:object_r:one"},
};

START_TEST(components_in_words)
{
    struct miguard_identity identity = sample();
    uint64_t value = words[_i].value;
    char buffer[256];
    size_t length = 0;

    identity.uid[IDENTITY_R] = (uid_t)value;
    identity.gid[IDENTITY_FS] = (gid_t)value;
    identity.cap[IDENTITY_CAP_EFFECTIVE] = identity.cap[IDENTITY_CAP_BOUNDING] = value;
    identity.securebits = identity.no_new_privs = (uint32_t)value;
    identity.user_namespace = value;
    ck_assert_int_eq(miguard_identity_component_text(&identity, words[_i].component, buffer,
                                                     sizeof(buffer), &length),
                     MIGUARD_OK);
    ck_assert_str_eq(buffer, words[_i].text);
    ck_assert_uint_eq(length, strlen(words[_i].text));

    identity.known &= ~words[_i].component;
    ck_assert_int_eq(miguard_identity_component_text(&identity, words[_i].component, buffer,
                                                     sizeof(buffer), &length),
                     MIGUARD_OK);
    ck_assert_str_eq(buffer, "not known");
    ck_assert_int_eq(miguard_identity_component_text(&identity, 3, buffer, sizeof(buffer), &length),
                     MIGUARD_INVALID_ARGUMENT);
}
END_TEST

typedef enum miguard_status (*describe_function)(const struct miguard_identity *, char *, size_t,
                                                 size_t *);

static const describe_function describers[] = {miguard_identity_describe, miguard_identity_to_json};

/* Each size from none to more than enough: cut as snprintf(3) cuts, and never one byte further. */
START_TEST(describe_fits_any_buffer)
{
    struct miguard_identity *identity = capture();
    size_t whole = 0, length = 0;

    ck_assert_ptr_nonnull(identity);
    ck_assert_int_eq(describers[_i](identity, NULL, 0, &whole), MIGUARD_OK);
    ck_assert_uint_gt(whole, 100);
    char *all = malloc(whole + 1);
    ck_assert_ptr_nonnull(all);
    ck_assert_int_eq(describers[_i](identity, all, whole + 1, &length), MIGUARD_OK);
    ck_assert_uint_eq(length, whole);
    ck_assert_uint_eq(strlen(all), whole);
    const size_t sizes[] = {1, 2, 17, whole / 2, whole - 1, whole};
    for (int i = 0; i < LENGTH(sizes); i++) {
        char *cut = malloc(sizes[i]);
        ck_assert_ptr_nonnull(cut);
        ck_assert_int_eq(describers[_i](identity, cut, sizes[i], &length), MIGUARD_OK);
        ck_assert_uint_eq(length, whole);
        ck_assert_uint_eq(strlen(cut), sizes[i] - 1);
        ck_assert_int_eq(strncmp(cut, all, sizes[i] - 1), 0);
        free(cut);
    }
    ck_assert_int_eq(describers[_i](identity, NULL, 5, &length), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(describers[_i](identity, all, whole, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(describers[_i](NULL, all, whole, &length), MIGUARD_INVALID_ARGUMENT);
    free(all);
    miguard_identity_free(identity);
}
END_TEST

/* One line a component, its name first, in the order of the bits. */
START_TEST(description_has_a_line_for_each_component)
{
    struct miguard_identity identity = sample();
    char text[4096], value[256];
    size_t length = 0;

    ck_assert_int_eq(miguard_identity_describe(&identity, text, sizeof(text), &length), MIGUARD_OK);
    const char *line = text;
    for (int i = 0; i < LENGTH(names); i++) {
        size_t name = strlen(names[i].name), end = strcspn(line, "\n");
        ck_assert_int_eq(strncmp(line, names[i].name, name), 0);
        ck_assert_int_eq(miguard_identity_component_text(&identity, names[i].component, value,
                                                         sizeof(value), &length),
                         MIGUARD_OK);
        ck_assert_uint_gt(end, name + length);
        ck_assert_int_eq(strncmp(line + end - length, value, length), 0);
        line += end + 1;
    }
    ck_assert_int_eq(*line, '\0');
}
END_TEST

static json_t *as_json(const struct miguard_identity *identity)
{
    static char text[1024 * 1024];
    size_t length = 0;
    json_error_t error;

    ck_assert_int_eq(miguard_identity_to_json(identity, text, sizeof(text), &length), MIGUARD_OK);
    ck_assert_uint_lt(length, sizeof(text));
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(value != NULL, "%s in %s", error.text, text);
    return value;
}

START_TEST(json_says_what_the_identity_is)
{
    struct miguard_identity identity = sample();
    json_t *value = as_json(&identity);

    ck_assert_uint_eq(json_object_size(value), MIGUARD_COMPONENT_COUNT);
    for (unsigned i = 0; i < IDENTITY_IDS; i++) {
        const json_t *uid = json_object_get(value, names[i].name);
        const json_t *gid = json_object_get(value, names[IDENTITY_IDS + i].name);
        ck_assert_int_eq(json_integer_value(json_object_get(uid, "id")), identity.uid[i]);
        ck_assert_int_eq(json_integer_value(json_object_get(gid, "id")), identity.gid[i]);
    }
    const json_t *groups = json_object_get(value, "groups");
    ck_assert_uint_eq(json_array_size(groups), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(groups, i), "id")),
                         identity.groups[i]);
    }
    static const char *const caps[] = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH",
                                       "CAP_FOWNER", "CAP_FSETID"};
    for (unsigned i = 0; i < IDENTITY_CAP_SETS; i++) {
        const json_t *set = json_object_get(value, names[9 + i].name);
        ck_assert_uint_eq(json_array_size(set), 1);
        ck_assert_str_eq(json_string_value(json_array_get(set, 0)), caps[i]);
    }
    ck_assert_uint_eq(json_array_size(json_object_get(value, "securebits")), 2);
    ck_assert(json_is_false(json_object_get(value, "no-new-privs")));
    ck_assert_int_eq(json_integer_value(json_object_get(value, "user-namespace")), 4026531837);
    ck_assert_str_eq(json_string_value(json_object_get(value, "lsm-label")), one_label);
    json_decref(value);

    identity.lsm_label = NULL;
    identity.group_count = 0;
    identity.known &= ~BIT(SECUREBITS);
    value = as_json(&identity);
    ck_assert(json_is_null(json_object_get(value, "lsm-label")));
    ck_assert_uint_eq(json_array_size(json_object_get(value, "groups")), 0);
    ck_assert_ptr_null(json_object_get(value, "securebits"));
    json_decref(value);
}
END_TEST

START_TEST(copies_are_equal_and_their_own)
{
    const struct miguard_identity one = sample();
    struct miguard_identity copy;

    ck_assert_int_eq(identity_copy(&one, &copy), MIGUARD_OK);
    ck_assert_uint_eq(miguard_identity_compare(&one, &copy), 0);
    ck_assert_ptr_ne(copy.groups, one.groups);
    ck_assert_ptr_ne(copy.lsm_label, one.lsm_label);
    identity_release(&copy);
    ck_assert(!identity_valid(&copy));
    ck_assert_ptr_null(copy.groups);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *captures = tcase_create("capture");
    tcase_add_test(captures, capture_agrees_with_the_kernel);
    tcase_add_test(captures, capture_is_of_the_thread_not_the_process);
    tcase_add_loop_test(captures, high_ids_are_read, 0, LENGTH(high_ids));
    tcase_add_test(captures, arguments);
    tcase_add_test(captures, zeroed_memory_equals_nothing);
    tcase_add_test(captures, root_is_no_wildcard);
    suite_add_tcase(suite, captures);
    TCase *comparison = tcase_create("compare");
    tcase_set_timeout(comparison, 60);
    tcase_add_loop_test(comparison, each_component_alone, 0, MIGUARD_COMPONENT_COUNT);
    tcase_add_test(comparison, every_combination);
    tcase_add_loop_test(comparison, groups_are_sets, 0, LENGTH(group_rows));
    tcase_add_test(comparison, groups_are_sorted);
    tcase_add_test(comparison, copies_are_equal_and_their_own);
    suite_add_tcase(suite, comparison);
    TCase *live = tcase_create("live");
    tcase_set_timeout(live, 120);
    tcase_add_loop_test(live, each_component_really_changed, 0, LENGTH(changes));
    tcase_add_loop_test(live, real_groups, 0, LENGTH(real_counts));
    tcase_add_loop_test(live, unknown_component_of_the_bound_identity_differs, 0,
                        MIGUARD_COMPONENT_COUNT);
    tcase_add_test(live, worker_is_not_its_leader);
    tcase_add_test(live, broadcast_of_another_thread_is_seen);
    tcase_add_test(live, capture_is_never_torn);
    tcase_add_loop_test(live, user_namespaces, 0, LENGTH(namespace_rows));
    suite_add_tcase(suite, live);
    TCase *others = tcase_create("others");
    tcase_add_test(others, reading_another_process);
    tcase_add_test(others, reading_process_and_thread);
    suite_add_tcase(suite, others);
    TCase *texts = tcase_create("words");
    tcase_add_test(texts, component_names);
    tcase_add_test(texts, component_sets_in_words);
    tcase_add_loop_test(texts, components_in_words, 0, LENGTH(words));
    tcase_add_loop_test(texts, describe_fits_any_buffer, 0, LENGTH(describers));
    tcase_add_test(texts, description_has_a_line_for_each_component);
    tcase_add_test(texts, json_says_what_the_identity_is);
    suite_add_tcase(suite, texts);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
