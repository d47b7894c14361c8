/* SPDX-License-Identifier: MIT */
/*
 * The sessions of one context by identity: each is found and no other one, whatever falls into one
 * list, and whether or not there is memory for more lists.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "support/failing_alloc.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { MANY = 3000, KINDS = 6, LIMIT = 60 };

/* ---- the index ------------------------------------------------------------------------------- */

static struct guarded_session sessions[MANY];
static gid_t groups[MANY];
static struct session_index lists;

/* In which component each differs from those of another number. The last three fall into one list
 * of identities, the second and all after it into one list of ids. */
static void set_apart(struct miguard_identity *identity, int kind, uint32_t number)
{
    switch (kind) {
    case 0:
        identity->uid[IDENTITY_S] = number;
        break;
    case 1:
        groups[number] = number;
        identity->groups = &groups[number];
        identity->group_count = 1;
        break;
    case 2:
        identity->cap[IDENTITY_CAP_AMBIENT] = number;
        break;
    case 3:
        identity->user_namespace = number;
        break;
    case 4:
        identity->securebits = number;
        break;
    default:
        identity->no_new_privs = number;
    }
}

static struct miguard_identity identity_of(int kind, uint32_t number)
{
    struct miguard_identity identity = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};

    set_apart(&identity, kind, number);
    return identity;
}

/* Adds them as a context does, and looks for each and for one that is not there. */
static void fill_and_find(int kind, uint32_t count)
{
    struct guarded_session *all = NULL;

    memset(sessions, 0, sizeof(sessions));
    for (uint32_t i = 0; i < count; i++) {
        sessions[i].binding.identity = identity_of(kind, i);
        ck_assert_ptr_null(session_index_find(&lists, &sessions[i].binding.identity));
        session_index_add(&lists, &sessions[i], all);
        sessions[i].next = all;
        all = &sessions[i];
        const struct miguard_identity *latest = &sessions[i].binding.identity;
        ck_assert_ptr_eq(session_index_find_ids(&lists, latest->uid, latest->gid), &sessions[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct miguard_identity identity = identity_of(kind, i);
        ck_assert_ptr_eq(session_index_find(&lists, &identity), &sessions[i]);
        const struct guarded_session *by_ids =
            session_index_find_ids(&lists, identity.uid, identity.gid);
        ck_assert_ptr_eq(by_ids, kind == 0 ? &sessions[i] : &sessions[count - 1]);
    }
    const struct miguard_identity unknown = {.tag = IDENTITY_TAG};
    ck_assert_ptr_null(session_index_find(&lists, &unknown));
    session_index_release(&lists);
    ck_assert_int_eq(outstanding, 0);
}

START_TEST(each_identity_is_found)
{
    fill_and_find(_i, _i == 0 ? MANY : 500);
}
END_TEST

/* All in the eight lists of each kind that need no memory. */
START_TEST(without_memory_the_lists_get_longer)
{
    countdown = 0;
    keeps_failing = true;
    fill_and_find(_i, 500);
    ck_assert(failed);
    countdown = -1;
}
END_TEST

/* Memory that comes back is used. */
START_TEST(lists_are_added_when_there_is_memory)
{
    for (long i = 0; i < 4; i++) {
        countdown = i;
        keeps_failing = failed = false;
        allocations_tried = 0;
        fill_and_find(0, 500);
        ck_assert(failed || i >= 3);
        ck_assert_int_eq(allocations_tried, failed ? 4 : 3); /* 32, 128, 512 */
    }
}
END_TEST

/* ---- a context ------------------------------------------------------------------------------- */

static MI_Result take_as(MI_Context *context, gid_t group, MI_Session *ret_session)
{
    if (!raw_setresgid((gid_t)-1, group, (gid_t)-1)) {
        abort();
    }
    MI_Result result = MI_Context_GetLocalSession(context, ret_session);
    if (!raw_setresgid((gid_t)-1, 0, (gid_t)-1)) {
        abort();
    }
    return result;
}

/* At the limit no further identity gets a session, and those that have one keep it. */
START_TEST(the_limit_refuses_new_identities_only)
{
    struct stub_host *host = stub_host_new();
    MI_Context *context = NULL;
    MI_Session first[LIMIT], again;

    if (geteuid() != 0) {
        printf("skip: many identities: need root\n");
        return;
    }
    log_start();
    guarded_sessions.limit = LIMIT;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
        for (gid_t i = 0; i < LIMIT; i++) {
            ck_assert_int_eq(take_as(context, 5000 + i, &first[i]), MI_RESULT_OK);
        }
        ck_assert_int_eq(take_as(context, 5000 + LIMIT, &again), MI_RESULT_SERVER_LIMITS_EXCEEDED);
        for (gid_t i = 0; i < LIMIT; i++) {
            ck_assert_int_eq(take_as(context, 5000 + i, &again), MI_RESULT_OK);
            ck_assert_int_eq(memcmp(&again, &first[i], sizeof(again)), 0);
        }
        ck_assert_int_eq(MI_Context_PostResult(context, MI_RESULT_OK), MI_RESULT_OK);
        ck_assert_uint_eq(slots_in_use(&guarded_sessions), 0);
        ck_assert_int_eq(take_as(context, 5000, &again), MI_RESULT_INVALID_PARAMETER);
    }
    stub_host_free(host);
    log_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session index");
    TCase *tcase = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, each_identity_is_found, 0, KINDS);
    tcase_add_loop_test(tcase, without_memory_the_lists_get_longer, 0, KINDS);
    tcase_add_test(tcase, lists_are_added_when_there_is_memory);
    tcase_add_test(tcase, the_limit_refuses_new_identities_only);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
