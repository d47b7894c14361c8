/* SPDX-License-Identifier: MIT */
/* The digests of identities that a log keeps: always those of digest_identity(), whatever was asked
 * for before and on which thread. */
#include "audit/memory.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audit/chain.h"

static gid_t groups[] = {4, 24, 1000};
static char label[] = "system_u:system_r:cimd_t:s0";

static const struct miguard_identity usual = {
    .tag = IDENTITY_TAG,
    .known = MIGUARD_COMPONENTS_ALL,
    .uid = {0, 0, 0, 0},
    .gid = {0, 0, 0, 0},
    .group_count = 3,
    .groups = groups,
    .cap = {1, 2, 3, 4, 5},
    .cap_count = 41,
    .securebits = 1,
    .no_new_privs = 1,
    .user_namespace = 4026531837,
    .lsm_label = label,
};

static struct audit_memory memory;

static void begin(void)
{
    ck_assert(chain_init());
    memory_init(&memory);
}

static void end(void)
{
    memory_destroy(&memory);
}

/* Alone, and as each one of two under which a piece is looked for. */
static bool is_right(const struct miguard_identity *identity)
{
    const struct digest given = memory_digest(&memory, identity);
    const struct digest made = digest_identity(&memory.key, identity);
    const struct digest other = digest_identity(&memory.key, &usual);
    struct piece_key bound, current;
    struct text none = TEXT_EMPTY;

    bool found = memory_recall(&memory, identity, &usual, &none, &bound) ||
                 memory_recall(&memory, &usual, identity, &none, &current);
    return !found && digest_equal(&given, &made) && digest_equal(&bound.first, &made) &&
           digest_equal(&bound.second, &other) && digest_equal(&current.first, &other) &&
           digest_equal(&current.second, &made);
}

/* What is added to one component. Groups and label get others of the same length. */
#define CHANGE_VALUE(member)  changed.member += 1;
#define CHANGE_user           CHANGE_VALUE
#define CHANGE_group          CHANGE_VALUE
#define CHANGE_caps           CHANGE_VALUE
#define CHANGE_securebits     CHANGE_VALUE
#define CHANGE_flag           CHANGE_VALUE
#define CHANGE_number         CHANGE_VALUE
#define CHANGE_groups(member) changed.groups = (gid_t[]){4, 24, 1001};
#define CHANGE_label(member)  changed.lsm_label = (char[]){"system_u:system_r:cimd_t:s1"};

/* Before and after, so that neither is taken for the other. */
static void check_beside_usual(const struct miguard_identity *identity, const char *what)
{
    ck_assert_msg(is_right(&usual) && is_right(&usual), "usual before %s", what);
    ck_assert_msg(is_right(identity) && is_right(identity), "%s", what);
    ck_assert_msg(is_right(&usual), "usual behind %s", what);
}

START_TEST(each_component_counts){
#define CHECK(NAME, shape, member, ...)                                                            \
    {                                                                                              \
        struct miguard_identity changed = usual;                                                   \
        CHANGE_##shape(member) check_beside_usual(&changed, #NAME);                                \
        changed = usual;                                                                           \
        changed.known &= ~(miguard_components)MIGUARD_COMPONENT_##NAME;                            \
        check_beside_usual(&changed, #NAME " not known");                                          \
    }
    COMPONENT_MAP(CHECK)
#undef CHECK
} END_TEST

    START_TEST(what_is_no_component_counts)
{
    struct miguard_identity changed = usual;

    changed.cap_count++;
    check_beside_usual(&changed, "count of capabilities");
    changed = usual;
    changed.group_count--;
    check_beside_usual(&changed, "fewer groups");
    changed = usual;
    changed.lsm_label = NULL;
    check_beside_usual(&changed, "no label");
    changed.tag = 0;
    check_beside_usual(&changed, "not valid");
    check_beside_usual(NULL, "none");
}
END_TEST

/* More than are kept, and too many groups to keep. */
START_TEST(many_identities)
{
    static gid_t many[KNOWN_GROUPS + 1];
    struct miguard_identity user = usual;

    for (uint32_t i = 0; i <= KNOWN_GROUPS; i++) {
        many[i] = i;
    }
    for (int round = 0; round < 3; round++) {
        for (uid_t id = 0; id < 10 * PIECES_SLOTS; id++) {
            user.uid[IDENTITY_E] = user.uid[IDENTITY_FS] = id;
            ck_assert(is_right(&user));
        }
    }
    user.groups = many;
    user.group_count = KNOWN_GROUPS;
    check_beside_usual(&user, "the most groups that are kept");
    user.group_count = KNOWN_GROUPS + 1;
    check_beside_usual(&user, "one group more");
    many[KNOWN_GROUPS]++;
    check_beside_usual(&user, "another group");
}
END_TEST

/* The caller's identity may be freed and its memory used again. */
START_TEST(nothing_of_the_caller_is_kept)
{
    gid_t *own = malloc(sizeof(groups));
    struct miguard_identity user = usual;

    ck_assert_ptr_nonnull(own);
    memcpy(own, groups, sizeof(groups));
    user.groups = own;
    user.lsm_label = strdup(label);
    ck_assert(is_right(&user));
    own[2] = 5000;
    ck_assert(is_right(&user));
    user.lsm_label[0] = 'x';
    ck_assert(is_right(&user));
    free(own);
    free(user.lsm_label);
    ck_assert(is_right(&usual));
}
END_TEST

static void *ask_often(void *first)
{
    struct miguard_identity user = usual;
    bool right = true;

    for (uid_t id = 0; id < 20000; id++) {
        user.uid[IDENTITY_FS] = *(const uid_t *)first + id % 40;
        right = right && is_right(&user);
    }
    return right ? &memory : NULL;
}

START_TEST(threads_at_once)
{
    static uid_t firsts[4] = {0, 10, 20, 30};
    pthread_t threads[4];
    void *right;

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &firsts[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &right), 0);
        ck_assert_ptr_nonnull(right);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_memory");
    TCase *cases = tcase_create("digests");

    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, each_component_counts);
    tcase_add_test(cases, what_is_no_component_counts);
    tcase_add_test(cases, many_identities);
    tcase_add_test(cases, nothing_of_the_caller_is_kept);
    tcase_add_test(cases, threads_at_once);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
