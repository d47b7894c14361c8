/* SPDX-License-Identifier: MIT */
/*
 * 16 threads, half of them behind a gate, switch at random among 50 identities, nested and in
 * blocks. After each change the
 * thread looks at itself by raw system calls, and bystanders that never switch look at themselves
 * all the time: nobody's identity is ever changed by another.
 *
 * STORM is the number of switches of each thread: 20,000 if unset, 200 with QUICK, 1,000,000 for
 * `make check-storm`.
 */
#include <check.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard/gate.h"
#include "miguard/switch.h"
#include "support/elsewhere.h"

enum { THREADS = 16, BYSTANDERS = 2, IDENTITIES = 50, FIRST_UID = 40000 };

/* Identity n: uid, gid and n % 5 groups, all its own. */
static struct miguard_target *targets[IDENTITIES];

static uid_t uid_of(unsigned identity)
{
    return FIRST_UID + identity;
}

static gid_t gid_of(unsigned identity)
{
    return FIRST_UID + 1000 + identity;
}

static gid_t group_of(unsigned identity, unsigned i)
{
    return FIRST_UID + 2000 + identity * 10 + i;
}

static bool make_targets(void)
{
    for (unsigned n = 0; n < IDENTITIES; n++) {
        gid_t list[5];
        for (unsigned i = 0; i < n % 5; i++) {
            list[i] = group_of(n, i);
        }
        const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, list, n % 5, NULL};
        if (miguard_target_ids(uid_of(n), gid_of(n), &groups, &targets[n], NULL) != MIGUARD_OK) {
            return false;
        }
    }
    return true;
}

/* ---- what a thread is -------------------------------------------------------------------- */

struct seen {
    uid_t uid[3];
    gid_t gid[3];
    gid_t groups[64];
    long group_count;
};

static struct seen look(void)
{
    struct seen seen;
    memset(&seen, 0, sizeof(seen));
    syscall(SYS_getresuid, &seen.uid[0], &seen.uid[1], &seen.uid[2]);
    syscall(SYS_getresgid, &seen.gid[0], &seen.gid[1], &seen.gid[2]);
    seen.group_count = syscall(SYS_getgroups, 64, seen.groups);
    return seen;
}

static bool same(const struct seen *a, const struct seen *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_identity(const struct seen *seen, unsigned n, uid_t saved)
{
    bool groups = seen->group_count == (long)(n % 5);
    for (unsigned i = 0; i < n % 5 && groups; i++) {
        groups = seen->groups[i] == group_of(n, i);
    }
    return groups && seen->uid[0] == uid_of(n) && seen->uid[1] == uid_of(n) &&
           seen->uid[2] == saved && seen->gid[0] == gid_of(n) && seen->gid[1] == gid_of(n) &&
           seen->gid[2] == gid_of(n);
}

/* ---- those who switch -------------------------------------------------------------------- */

struct switcher {
    bool gated; /* behind a gate of its own */
    unsigned long switches;
    uint32_t random;
    int line;
};

static unsigned pick(struct switcher *switcher, unsigned choices)
{
    switcher->random = switcher->random * 1664525 + 1013904223;
    return (switcher->random >> 16) % choices;
}

/* In a block, and from there to another. */
static int switch_in_blocks(struct switcher *switcher, unsigned n)
{
    enum miguard_status status = MIGUARD_SYSTEM;
    const struct seen before = look();

    MIGUARD_SWITCHED(targets[n], &status, NULL)
    {
        const struct seen there = look();
        EXPECT(is_identity(&there, n, before.uid[1]));
        unsigned m = pick(switcher, IDENTITIES);
        EXPECT(miguard_switch_to(targets[m], NULL) == MIGUARD_OK);
        const struct seen deeper = look();
        EXPECT(is_identity(&deeper, m, uid_of(n)));
    }
    EXPECT(status == MIGUARD_OK);
    const struct seen after = look();
    EXPECT(same(&before, &after));
    return 0;
}

static int switch_plainly(unsigned n)
{
    const struct seen before = look();

    EXPECT(miguard_switch_to(targets[n], NULL) == MIGUARD_OK);
    const struct seen there = look();
    EXPECT(is_identity(&there, n, before.uid[1]));
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    const struct seen after = look();
    EXPECT(same(&before, &after));
    return 0;
}

static int storm(struct switcher *switcher)
{
    const struct seen first = look();

    for (unsigned long made = 0; made < switcher->switches;) {
        unsigned n = pick(switcher, IDENTITIES);
        bool blocks = pick(switcher, 4) == 0;
        int line = blocks ? switch_in_blocks(switcher, n) : switch_plainly(n);
        if (line != 0) {
            return line;
        }
        made += blocks ? 2 : 1;
    }
    const struct seen last = look();
    EXPECT(same(&first, &last) && miguard_switch_depth() == 0);
    return 0;
}

static int close_own_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = MIGUARD_GATE_THREAD;
    EXPECT(miguard_gate_close(&options, NULL) == MIGUARD_OK);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_THREAD);
    return 0;
}

/* The gate goes with its thread; where there is none in this kernel it is left out. */
static void *run_switcher(void *context)
{
    struct switcher *switcher = context;

    switcher->line = switcher->gated ? close_own_gate() : 0;
    if (switcher->line == 0) {
        switcher->line = storm(switcher);
    }
    if (switcher->line == 0 && !switcher->gated) {
        switcher->line = miguard_gate_state().scope == MIGUARD_GATE_OFF ? 0 : __LINE__;
    }
    return NULL;
}

static bool has_filters(void)
{
    bool has = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    if (!has) {
        printf("skip: half of the storm behind the gate: no seccomp here\n");
    }
    return has;
}

/* ---- those who do not -------------------------------------------------------------------- */

static atomic_bool over;

static void *run_bystander(void *line)
{
    const struct seen before = look();
    while (!atomic_load(&over)) {
        const struct seen now = look();
        if (!same(&before, &now)) {
            *(int *)line = __LINE__;
        }
    }
    return NULL;
}

static unsigned long how_many(void)
{
    const char *storm_text = getenv("STORM");
    if (storm_text != NULL) {
        return strtoul(storm_text, NULL, 10);
    }
    return quick() ? 200 : 20000;
}

START_TEST(nobody_is_changed_by_another)
{
    struct switcher switchers[THREADS];
    pthread_t threads[THREADS], bystanders[BYSTANDERS];
    int lines[BYSTANDERS] = {0};

    if (!is_root("a storm of switches")) {
        return;
    }
    ck_assert(make_targets());
    const bool filters = has_filters();
    const struct seen before = look();
    for (unsigned i = 0; i < BYSTANDERS; i++) {
        ck_assert_int_eq(pthread_create(&bystanders[i], NULL, run_bystander, &lines[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        switchers[i] =
            (struct switcher){i % 2 == 1 && filters, how_many(), i * 2654435761u + 1, -1};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_switcher, &switchers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(switchers[i].line, 0);
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < BYSTANDERS; i++) {
        ck_assert_int_eq(pthread_join(bystanders[i], NULL), 0);
        ck_assert_int_eq(lines[i], 0);
    }
    const struct seen after = look();
    ck_assert(same(&before, &after));
    for (unsigned n = 0; n < IDENTITIES; n++) {
        miguard_target_free(targets[n]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch storm");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 7200);
    tcase_add_test(all, nobody_is_changed_by_another);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
