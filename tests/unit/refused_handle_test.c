/* SPDX-License-Identifier: MIT */
/*
 * What a refused operation says when it is asked for its session: the words that the caller gave,
 * or nothing. A forged handle never comes back as a good one.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

static struct stub_host *host;
static MI_Context *context;
static MI_Session good;

static void set_up(void)
{
    log_start();
    host = stub_host_new();
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
    ck_assert_int_eq(MI_Context_GetLocalSession(context, &good), MI_RESULT_OK);
}

static void tear_down(void)
{
    MI_Context_PostResult(context, MI_RESULT_OK);
    stub_host_free(host);
    log_remove();
}

static MI_Operation start(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Session_EnumerateInstances(session, 0, NULL, "root/test", "Test", MI_FALSE, NULL,
                                  &operation);
    return operation;
}

/* The handle is refused, what comes back is it again, and is refused again. */
static bool stays_refused(MI_Session *asked)
{
    MI_Session back = MI_SESSION_NULL;
    unsigned long reached = atomic_load(&host->reached);
    MI_Operation refused = start(asked);

    if (MI_Operation_GetSession(&refused, &back) == MI_RESULT_OK &&
        (back.reserved1 != asked->reserved1 || back.reserved2 != asked->reserved2)) {
        return false;
    }
    if (back.ft != NULL) {
        (void)start(&back);
    }
    return atomic_load(&host->reached) == reached;
}

START_TEST(forged_and_guessed_words_come_back_as_they_were)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        MI_Session forged = good;
        forged.reserved2 ^= (ptrdiff_t)((uint64_t)1 << bit);
        ck_assert(stays_refused(&forged));
        forged = good;
        forged.reserved1 ^= (MI_Uint64)1 << bit;
        ck_assert(stays_refused(&forged));
    }
    MI_Session guessed = good;
    guessed.reserved2 = 0;
    ck_assert(stays_refused(&guessed));
    guessed.reserved1 = (MI_Uint64)1 << 32 | 1;
    ck_assert(stays_refused(&guessed));
    guessed = (MI_Session){0, 0, good.ft};
    ck_assert(stays_refused(&guessed));
}
END_TEST

START_TEST(a_stale_handle_comes_back_stale)
{
    MI_Session stale = good;
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert(stays_refused(&stale));
    ck_assert_int_eq(miguard_guard_context(&host->context, &context), MI_RESULT_OK);
}
END_TEST

static bool in_child(void *unused)
{
    (void)unused;
    return stays_refused(&good);
}

START_TEST(an_inherited_handle_comes_back_inherited)
{
    ck_assert(raw_in_child(in_child, NULL));
}
END_TEST

/* The words of a refused operation come from the provider, who may have written to them. */
START_TEST(another_name_finds_no_words)
{
    MI_Session forged = good, back;
    forged.reserved2 ^= 1;
    MI_Operation refused = start(&forged);

    refused.reserved1 ^= 1;
    memset(&back, 0xAA, sizeof(back));
    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_INVALID_PARAMETER);
    ck_assert(back.reserved1 == 0 && back.reserved2 == 0 && back.ft == NULL);
    refused.reserved1 = 0;
    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* 1,024 refusals later the words are gone; they are not made up. */
START_TEST(words_that_are_gone_are_not_made_up)
{
    MI_Session forged = good, back;
    forged.reserved2 ^= 1;
    MI_Operation refused = start(&forged);

    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_OK);
    for (int i = 0; i < 1024; i++) {
        const struct refusal other = {.answer = GUARD_DENIED};
        (void)refused_message(&other);
    }
    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(back.ft);
}
END_TEST

/* 32 bits came round in an hour: then the words of a later refusal of the same name were found. */
START_TEST(a_ticket_does_not_come_round)
{
    MI_Session forged = good, back;
    forged.reserved2 ^= 1;
    uint64_t ticket = atomic_load(&refused_next_ticket);
    MI_Operation refused = start(&forged);

    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_OK);
    atomic_store(&refused_next_ticket, ticket + (UINT64_C(1) << 32));
    forged.reserved2 ^= 2;
    MI_Operation later = start(&forged);
    ck_assert_int_eq(MI_Operation_GetSession(&later, &back), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_GetSession(&refused, &back), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

static const char *message_of(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    const MI_Char *message = NULL;

    ck_assert_int_eq(MI_Operation_GetInstance(operation, &instance, &more, &result, &message, NULL),
                     MI_RESULT_OK);
    ck_assert_int_ne(result, MI_RESULT_OK);
    ck_assert_ptr_nonnull(message);
    return message;
}

START_TEST(without_a_ticket_the_reason_is_still_told)
{
    enum { BITS = 64 - 11 - MIGUARD_COMPONENT_COUNT }; /* behind result, reason and components */
    MI_Session forged = good, back;
    forged.reserved2 ^= 1;

    atomic_store(&refused_next_ticket, (UINT64_C(1) << BITS) - 1);
    MI_Operation last = start(&forged), none = start(&forged);
    ck_assert_ptr_nonnull(strstr(message_of(&last), "; decision "));
    ck_assert_str_eq(message_of(&none), audit_reasons[AUDIT_REASON_HANDLE_FORGED].text);
    ck_assert_int_eq(MI_Operation_GetSession(&last, &back), MI_RESULT_OK);
    ck_assert_int_eq(MI_Operation_GetSession(&none, &back), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Operation_Close(&none), MI_RESULT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refused handles");
    TCase *tcase = tcase_create("refused handles");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, forged_and_guessed_words_come_back_as_they_were);
    tcase_add_test(tcase, a_stale_handle_comes_back_stale);
    tcase_add_test(tcase, an_inherited_handle_comes_back_inherited);
    tcase_add_test(tcase, another_name_finds_no_words);
    tcase_add_test(tcase, words_that_are_gone_are_not_made_up);
    tcase_add_test(tcase, a_ticket_does_not_come_round);
    tcase_add_test(tcase, without_a_ticket_the_reason_is_still_told);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
