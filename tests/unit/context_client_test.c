/* SPDX-License-Identifier: MIT */
/*
 * Who asked: miguard_context_client() behind a host that says it, one that does not, one that lies
 * in each way; contexts that have ended, copied and inherited ones; what each value of `clients:`
 * lets each provider do; and what the records say.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"
#include "switch/target.h"

enum { CLIENT = 12345, OTHER = 12346 };

static char folder[64], policy_file[128];
static struct stub_host *host;
static MI_Context *context; /* of the provider files.so */
static struct miguard_target *target;
static struct miguard_error error;
static unsigned asked; /* how often the host was */

static bool need_root(void)
{
    if (geteuid() != 0) {
        printf("skip: context_client_test: changing credentials needs root\n");
    }
    return geteuid() == 0;
}

/* ---- the host's side --------------------------------------------------------------------------
 */

static enum miguard_status says_client(void *data, const MI_Context *host_context,
                                       struct miguard_target **ret_target,
                                       struct miguard_error *reterr)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    const uid_t *uid = data;

    asked++;
    ck_assert_ptr_eq(host_context, &host->context);
    return miguard_target_ids(*uid, *uid, &none, ret_target, reterr);
}

static enum miguard_status answers(void *data, const MI_Context *host_context,
                                   struct miguard_target **ret_target, struct miguard_error *reterr)
{
    (void)host_context, (void)ret_target, (void)reterr;
    asked++;
    return *(const enum miguard_status *)data;
}

/* A failure beside a pointer that is none. */
static enum miguard_status fails_and_writes(void *data, const MI_Context *host_context,
                                            struct miguard_target **ret_target,
                                            struct miguard_error *reterr)
{
    (void)data, (void)host_context;
    *ret_target = (struct miguard_target *)(uintptr_t)0xDEAD;
    reterr->status = MIGUARD_UNREADABLE;
    snprintf(reterr->detail, sizeof(reterr->detail), "the socket is gone");
    return MIGUARD_UNREADABLE;
}

static enum miguard_status ends_meanwhile(void *data, const MI_Context *host_context,
                                          struct miguard_target **ret_target,
                                          struct miguard_error *reterr)
{
    (void)data;
    MI_Context_PostResult(context, MI_RESULT_OK);
    return says_client(&(uid_t){CLIENT}, host_context, ret_target, reterr);
}

/* ---- policies ---------------------------------------------------------------------------------
 */

static void write_policy(const char *text)
{
    FILE *file = fopen(policy_file, "we");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "version: 1\n%s", text);
    ck_assert_int_eq(fchmod(fileno(file), 0644), 0);
    fclose(file);
}

static void in_force(const char *text)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    write_policy(text);
    config.audit_file = log_path();
    config.policy = policy_file;
    config.repeat_window = 0;
    enum miguard_status status = miguard_configure(&config, &error);
    ck_assert_msg(status == MIGUARD_OK, "%s: %s", error.step, error.detail);
}

static MI_Context *guard(const char *provider)
{
    MI_Context *pub = NULL;
    struct guarded_context *guarded = guarded_context_new(&host->context, provider, &pub);

    ck_assert_ptr_nonnull(guarded);
    guarded_context_release(guarded);
    return pub;
}

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    if (mkdtemp(folder) == NULL) { /* not root */
        snprintf(folder, sizeof(folder), "./miguard-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
    }
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    log_remove();
    in_force("");
    host = stub_host_new();
    ck_assert_ptr_nonnull(host);
    context = NULL;
    target = (struct miguard_target *)(uintptr_t)1; /* each failure must make it NULL */
    memset(&error, 0, sizeof(error));
    asked = 0;
}

static void tear_down(void)
{
    miguard_set_client_source(NULL, NULL);
    stub_host_free(host);
    unlink(policy_file);
    rmdir(folder);
    log_remove();
}

static uid_t client_uid = CLIENT;

static enum miguard_status ask(const MI_Context *of)
{
    return miguard_context_client(of, &target, &error);
}

static void open_context(void)
{
    context = guard("files.so");
    miguard_set_client_source(says_client, &client_uid);
}

/* ---- the host's answer ------------------------------------------------------------------------
 */

START_TEST(a_host_that_says_nothing_is_not_supported)
{
    context = guard("files.so");
    ck_assert_int_eq(ask(context), MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_null(target);
    ck_assert_ptr_nonnull(strstr(error.detail, "does not say who its clients are"));
    ck_assert_int_eq(log_count("session-open", NULL), 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(a_host_that_stops_saying_it_is_not_supported)
{
    open_context();
    miguard_set_client_source(NULL, NULL);
    ck_assert_int_eq(ask(context), MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_null(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(the_client_is_given_and_recorded)
{
    open_context();
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    ck_assert_uint_eq(target->identity.uid[0], CLIENT);
    ck_assert_int_eq(log_count("session-open", "client-given"), 1);
    ck_assert_str_eq(log_last("miguard.provider"), "files.so");
    ck_assert_str_eq(log_last("miguard.operation"), "ContextCall");
    ck_assert_str_eq(log_last("user.id"), "12345");
    ck_assert_str_ne(log_last("miguard.context_id"), "");
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert_uint_eq(target->identity.uid[0], CLIENT); /* it outlives the request */
    if (need_root()) {
        ck_assert_int_eq(miguard_switch_to(target, &error), MIGUARD_OK);
        ck_assert_uint_eq(geteuid(), CLIENT);
        ck_assert_int_eq(miguard_switch_back(&error), MIGUARD_OK);
    }
    miguard_target_free(target);
}
END_TEST

static const struct {
    enum miguard_status answer, expected;
} answers_of_hosts[] = {
    {MIGUARD_OK, MIGUARD_NOT_SUPPORTED}, /* it names no one */
    {MIGUARD_NOT_SUPPORTED, MIGUARD_NOT_SUPPORTED},
    {MIGUARD_NO_MEMORY, MIGUARD_NO_MEMORY},
    {MIGUARD_SYSTEM, MIGUARD_SYSTEM},
};

START_TEST(an_answer_without_a_client_is_an_error)
{
    enum miguard_status answer = answers_of_hosts[_i].answer;

    open_context();
    miguard_set_client_source(answers, &answer);
    ck_assert_int_eq(ask(context), answers_of_hosts[_i].expected);
    ck_assert_ptr_null(target);
    ck_assert_int_eq(error.status, answers_of_hosts[_i].expected);
    ck_assert_str_ne(error.detail, "");
    ck_assert_int_eq(log_count("session-open", "client-given"), 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(what_a_failure_writes_is_not_used)
{
    open_context();
    miguard_set_client_source(fails_and_writes, NULL);
    ck_assert_int_eq(ask(context), MIGUARD_UNREADABLE);
    ck_assert_ptr_null(target);
    ck_assert_str_eq(error.detail, "the socket is gone");
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* ---- contexts ----------------------------------------------------------------------------------
 */

START_TEST(missing_arguments_are_refused)
{
    open_context();
    ck_assert_int_eq(miguard_context_client(NULL, &target, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(target);
    ck_assert_int_eq(miguard_context_client(context, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_context_client(NULL, NULL, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_uint_eq(asked, 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(an_ended_context_is_refused_as_a_session_is)
{
    open_context();
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert_int_eq(ask(context), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(target);
    ck_assert_int_eq(log_count(NULL, "handle-stale"), 1);
    ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(a_copy_of_a_context_is_refused)
{
    open_context();
    MI_Context copy = *context;
    ck_assert_int_eq(ask(&copy), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(target);
    ck_assert_int_eq(log_count(NULL, "handle-forged"), 1);
    ck_assert_uint_eq(asked, 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* Not the host's memory: only the address is used. */
START_TEST(a_forged_context_is_refused)
{
    open_context();
    ck_assert_int_eq(ask((const MI_Context *)((const char *)context + 8)), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(target);
    ck_assert_uint_eq(asked, 0);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* The host may serve another client in the same memory by then. */
START_TEST(a_context_that_ends_while_the_host_answers_gives_nothing)
{
    open_context();
    miguard_set_client_source(ends_meanwhile, NULL);
    ck_assert_int_eq(ask(context), MIGUARD_BAD_HANDLE);
    ck_assert_ptr_null(target);
    ck_assert_uint_eq(asked, 1);
    ck_assert_int_eq(log_count(NULL, "handle-stale"), 1);
    ck_assert_int_eq(log_count("session-open", "client-given"), 0);
}
END_TEST

static bool is_refused_in_child(void *data)
{
    (void)data;
    return ask(context) == MIGUARD_BAD_HANDLE && target == NULL && asked == 0;
}

START_TEST(a_child_has_no_client)
{
    open_context();
    ck_assert(raw_in_child(is_refused_in_child, NULL));
    ck_assert_int_eq(log_count(NULL, "handle-inherited"), 1);
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(a_context_without_a_guard_has_its_client)
{
    miguard_set_client_source(says_client, &client_uid);
    ck_assert_int_eq(ask(&host->context), MIGUARD_OK);
    ck_assert_uint_eq(target->identity.uid[0], CLIENT);
    ck_assert_str_eq(log_last("miguard.provider"), "");
    miguard_target_free(target);
}
END_TEST

/* Which provider asks is not known then: only an entry for every provider fits. */
START_TEST(a_context_without_a_guard_is_of_no_named_provider)
{
    in_force("clients: [{provider: \"?*\", may: impersonate}]\n");
    miguard_set_client_source(says_client, &client_uid);
    ck_assert_int_eq(ask(&host->context), MIGUARD_DENIED);
    ck_assert_ptr_null(target);
    ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(a_guard_around_a_guard_asks_the_host)
{
    MI_Context *outer = NULL;

    open_context();
    struct guarded_context *guarded = guarded_context_new(context, "outer.so", &outer);
    ck_assert_ptr_nonnull(guarded);
    guarded_context_release(guarded);
    ck_assert_int_eq(ask(outer), MIGUARD_OK);
    ck_assert_uint_eq(asked, 1);
    ck_assert_str_eq(log_last("miguard.provider"), "outer.so");
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK); /* the inner one alone */
    ck_assert_int_eq(ask(outer), MIGUARD_BAD_HANDLE);
    ck_assert_uint_eq(asked, 1);
    MI_Context_PostResult(outer, MI_RESULT_OK);
}
END_TEST

/* ---- the policy: each value for each provider ---------------------------------------------------
 */

#define ENTRY(provider, may) "  - { provider: " provider ", may: " may " }\n"

static const struct {
    const char *clients;  /* the entries, or "" */
    const char *provider; /* that asks */
    enum draft_may may;
} values[] = {
    {"", "files.so", DRAFT_MAY_IMPERSONATE},
    {ENTRY("files.so", "impersonate"), "files.so", DRAFT_MAY_IMPERSONATE},
    {ENTRY("files.so", "identify"), "files.so", DRAFT_MAY_IDENTIFY},
    {ENTRY("files.so", "nothing"), "files.so", DRAFT_MAY_NOTHING},
    {ENTRY("\"file*\"", "impersonate"), "files.so", DRAFT_MAY_IMPERSONATE},
    {ENTRY("\"file?.so\"", "identify"), "files.so", DRAFT_MAY_IDENTIFY},
    {ENTRY("[other.so, files.so]", "identify"), "files.so", DRAFT_MAY_IDENTIFY},
    /* a list is complete */
    {ENTRY("files.so", "impersonate"), "other.so", DRAFT_MAY_NOTHING},
    {ENTRY("files.so", "impersonate"), "FILES.so", DRAFT_MAY_NOTHING},
    {ENTRY("files.so", "impersonate"), "files.so.1", DRAFT_MAY_NOTHING},
    {ENTRY("files.so", "impersonate"), "", DRAFT_MAY_NOTHING},
    /* the first that fits */
    {ENTRY("files.so", "nothing") ENTRY("\"*\"", "impersonate"), "files.so", DRAFT_MAY_NOTHING},
    {ENTRY("files.so", "nothing") ENTRY("\"*\"", "impersonate"), "other.so", DRAFT_MAY_IMPERSONATE},
    {ENTRY("files.so", "impersonate") ENTRY("\"*\"", "identify"), "files.so",
     DRAFT_MAY_IMPERSONATE},
    {ENTRY("files.so", "impersonate") ENTRY("\"*\"", "identify"), "other.so", DRAFT_MAY_IDENTIFY},
    {ENTRY("\"*\"", "identify") ENTRY("files.so", "impersonate"), "files.so", DRAFT_MAY_IDENTIFY},
    {ENTRY("\"*\"", "nothing"), "files.so", DRAFT_MAY_NOTHING},
    {ENTRY("\"*\"", "impersonate"), "", DRAFT_MAY_IMPERSONATE},
};
enum { VALUES = sizeof(values) / sizeof(values[0]) };

static void check_denied(void)
{
    ck_assert_int_eq(ask(context), MIGUARD_DENIED);
    ck_assert_ptr_null(target);
    ck_assert_uint_eq(asked, 0); /* not even the host is */
    ck_assert_int_eq(error.status, MIGUARD_DENIED);
    ck_assert_ptr_nonnull(strstr(error.detail, "policy keeps the client"));
    ck_assert_ptr_nonnull(strstr(error.detail, "clients"));
    ck_assert_int_eq(log_count("session-open", "client-denied"), 1);
    ck_assert_str_eq(log_last("rule.name"), "clients");
    ck_assert_ptr_nonnull(strstr(log_last("rule.reference"), "miguard.yaml:3:"));
    ck_assert_ptr_nonnull(strstr(error.detail, log_last("event.id")));
}

static void check_switch(bool allowed)
{
    if (!need_root()) {
        return;
    }
    ck_assert_int_eq(miguard_switch_to(target, &error), allowed ? MIGUARD_OK : MIGUARD_DENIED);
    ck_assert_uint_eq(geteuid(), allowed ? CLIENT : 0);
    if (allowed) {
        ck_assert_int_eq(miguard_switch_back(&error), MIGUARD_OK);
    } else {
        ck_assert_ptr_nonnull(strstr(error.detail, "may: identify"));
        ck_assert_int_eq(log_count("switch", "client-denied"), 1);
    }
}

START_TEST(each_value_lets_each_provider_do_so_much)
{
    char text[512];

    snprintf(text, sizeof(text), "%s%s", values[_i].clients[0] != '\0' ? "clients:\n" : "",
             values[_i].clients);
    in_force(text);
    context = guard(values[_i].provider);
    miguard_set_client_source(says_client, &client_uid);
    if (values[_i].may == DRAFT_MAY_NOTHING) {
        check_denied();
    } else {
        ck_assert_int_eq(ask(context), MIGUARD_OK);
        ck_assert_uint_eq(target->identity.uid[0], CLIENT);
        check_switch(values[_i].may == DRAFT_MAY_IMPERSONATE);
        miguard_target_free(target);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* ---- a client that may only be identified -------------------------------------------------------
 */

static void identify(void)
{
    in_force("clients: [{provider: files.so, may: identify}]\n");
    open_context();
    ck_assert_int_eq(ask(context), MIGUARD_OK);
}

static void note_run(void *ran)
{
    *(bool *)ran = true;
}

START_TEST(no_way_leads_from_identify_to_a_switch)
{
    struct miguard_target *copy = NULL, *bound = NULL;
    struct miguard_front_end *front = NULL;
    struct miguard_binding *binding = NULL;
    static const char *const actions[] = {"read"};
    enum miguard_status status = MIGUARD_OK;
    bool ran = false;

    identify();
    ck_assert_int_eq(miguard_switch_to(target, &error), MIGUARD_DENIED);
    ck_assert_int_eq(miguard_target_copy(target, &copy, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_switch_to(copy, &error), MIGUARD_DENIED);
    MIGUARD_SWITCHED(target, &status, &error)
    {
        ran = true;
    }
    ck_assert_int_eq(status, MIGUARD_DENIED);
    ck_assert(!ran);
    ck_assert_int_eq(miguard_drop(target, &error), MIGUARD_DENIED);
    ck_assert_int_eq(miguard_call_as(target, note_run, &ran, &error), MIGUARD_DENIED);
    ck_assert(!ran);
    ck_assert_int_eq(miguard_front_end_register("files", actions, 1, &front, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_bind_target(front, target, NULL, NULL, &binding, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_binding(binding, &bound, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_switch_to(bound, &error), MIGUARD_DENIED);
    ck_assert_uint_eq(geteuid(), getuid());
    miguard_release(binding);
    miguard_target_free(bound);
    miguard_target_free(copy);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* A target that the host itself marks stays marked under a policy that allows more. */
static enum miguard_status says_marked(void *data, const MI_Context *host_context,
                                       struct miguard_target **ret_target,
                                       struct miguard_error *reterr)
{
    (void)host_context;
    return miguard_target_copy(data, ret_target, reterr);
}

START_TEST(a_mark_is_never_taken_off)
{
    struct miguard_target *again = NULL;

    identify();
    write_policy("");
    ck_assert_int_eq(miguard_reload(&error), MIGUARD_OK);
    miguard_set_client_source(says_marked, target);
    ck_assert_int_eq(miguard_context_client(context, &again, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_switch_to(again, &error), MIGUARD_DENIED);
    miguard_target_free(again);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* Bound and compared: a use by the client differs from one by another. */
static enum miguard_status used;

static void use_bound(void *data)
{
    const struct miguard_use use = MIGUARD_USE(0, NULL);
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *who = NULL;

    used = miguard_target_ids(CLIENT, CLIENT, &none, &who, NULL);
    if (used == MIGUARD_OK && (used = miguard_switch_to(who, NULL)) == MIGUARD_OK) {
        used = miguard_verify(data, &use, NULL);
        (void)!miguard_switch_back(NULL);
    }
    miguard_target_free(who);
}

START_TEST(who_is_identified_can_be_compared)
{
    struct miguard_front_end *front = NULL;
    struct miguard_binding *binding = NULL;
    const struct miguard_use use = MIGUARD_USE(0, NULL);
    static const char *const actions[] = {"read"};

    identify();
    ck_assert_int_eq(miguard_front_end_register("files", actions, 1, &front, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_bind_target(front, target, NULL, NULL, &binding, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_verify(binding, &use, NULL), MIGUARD_DENIED); /* as root */
    if (need_root()) {
        raw_on_thread(use_bound, binding);
        ck_assert_int_eq(used, MIGUARD_OK);
    }
    miguard_release(binding);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* ---- reload, mode, audit ------------------------------------------------------------------------
 */

START_TEST(a_reload_counts_from_the_next_call)
{
    struct miguard_target *before = NULL;

    open_context();
    ck_assert_int_eq(miguard_context_client(context, &before, &error), MIGUARD_OK);
    write_policy("clients: [{provider: files.so, may: nothing}]\n");
    ck_assert_int_eq(miguard_reload(&error), MIGUARD_OK);
    ck_assert_int_eq(ask(context), MIGUARD_DENIED);
    write_policy("clients: [{provider: files.so, may: identify}]\n");
    ck_assert_int_eq(miguard_reload(&error), MIGUARD_OK);
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    ck_assert(target->identify_only && !before->identify_only);
    miguard_target_free(target);
    write_policy(
        "clients: [{provider: files.so, may: everything}]\n"); /* refused: nothing changes */
    ck_assert_int_eq(miguard_reload(&error), MIGUARD_BAD_POLICY);
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    ck_assert(target->identify_only);
    miguard_target_free(target);
    miguard_target_free(before);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* The policy changes while the host answers: the newer one counts. */
static enum miguard_status reloads_meanwhile(void *data, const MI_Context *host_context,
                                             struct miguard_target **ret_target,
                                             struct miguard_error *reterr)
{
    write_policy(data);
    ck_assert_int_eq(miguard_reload(NULL), MIGUARD_OK);
    return says_client(&client_uid, host_context, ret_target, reterr);
}

START_TEST(a_reload_while_the_host_answers_counts)
{
    open_context();
    miguard_set_client_source(reloads_meanwhile,
                              "clients: [{provider: files.so, may: identify}]\n");
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    ck_assert(target->identify_only);
    miguard_target_free(target);
    miguard_set_client_source(reloads_meanwhile, "clients: [{provider: files.so, may: nothing}]\n");
    ck_assert_int_eq(ask(context), MIGUARD_DENIED);
    ck_assert_ptr_null(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

START_TEST(permissive_does_not_give_a_client)
{
    in_force("defaults: {mode: permissive}\nclients: [{provider: files.so, may: nothing}]\n");
    open_context();
    ck_assert_int_eq(ask(context), MIGUARD_DENIED);
    ck_assert_ptr_null(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

static const struct {
    const char *audit;
    long given, denied;
} audits[] = {
    {"[deny]", 0, 1}, {"[open]", 1, 0}, {"[switch]", 1, 0}, {"[use]", 0, 0}, {"[deny, open]", 1, 1},
};

START_TEST(the_policy_says_what_is_recorded)
{
    char text[256];

    snprintf(text, sizeof(text),
             "defaults: {audit: %s}\nclients:\n" ENTRY("files.so", "impersonate"),
             audits[_i].audit);
    in_force(text);
    open_context();
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
    context = guard("other.so");
    ck_assert_int_eq(ask(context), MIGUARD_DENIED); /* recorded or not */
    MI_Context_PostResult(context, MI_RESULT_OK);
    ck_assert_int_eq(log_count("session-open", "client-given"), audits[_i].given);
    ck_assert_int_eq(log_count("session-open", "client-denied"), audits[_i].denied);
}
END_TEST

/* The decision by itself: without a policy, and where what is given out cannot be recorded. */
START_TEST(nothing_is_given_without_a_policy_or_a_record)
{
    struct guard bare = {.store = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    struct guard_client question = {.guard = &bare, .provider = "files.so"};
    enum draft_may may = DRAFT_MAY_IMPERSONATE;
    struct refusal refusal;

    ck_assert(!guard_client(&question, &may, &refusal));
    ck_assert_int_eq(may, DRAFT_MAY_NOTHING);
    ck_assert_int_eq(refusal.reason, AUDIT_REASON_NO_POLICY);
    store_init(&bare.store, policy_builtin); /* there is no log */
    ck_assert(guard_client(&question, &may, &refusal));
    ck_assert_int_eq(may, DRAFT_MAY_IMPERSONATE);
    question.given = true;
    ck_assert(!guard_client(&question, &may, &refusal));
    ck_assert_int_eq(may, DRAFT_MAY_NOTHING);
    ck_assert_int_eq(refusal.reason, AUDIT_REASON_AUDIT_FAILED);
    store_release(&bare.store);
}
END_TEST

/* ---- several at a time --------------------------------------------------------------------------
 */

enum { THREADS = 8 };
static atomic_bool stop;

static enum miguard_status says_by_data(void *data, const MI_Context *host_context,
                                        struct miguard_target **ret_target,
                                        struct miguard_error *reterr)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    (void)host_context;
    return miguard_target_ids(*(uid_t *)data, OTHER, &none, ret_target, reterr);
}

static void *ask_often(void *wrong)
{
    struct miguard_target *mine = NULL;

    while (!atomic_load(&stop)) {
        enum miguard_status status = miguard_context_client(context, &mine, NULL);
        if (status == MIGUARD_OK) {
            uid_t uid = mine->identity.uid[0];
            *(unsigned *)wrong += uid != CLIENT && uid != OTHER;
            miguard_target_free(mine);
        } else {
            *(unsigned *)wrong += status != MIGUARD_NOT_SUPPORTED;
        }
    }
    return NULL;
}

/* function and data go together, whichever source is just in place. */
START_TEST(a_source_is_replaced_while_it_is_asked)
{
    static uid_t uids[2] = {CLIENT, OTHER};
    pthread_t threads[THREADS];
    unsigned wrong[THREADS] = {0};
    unsigned rounds = getenv("QUICK") != NULL ? 200 : 2000;

    in_force("defaults: {audit: [deny]}\n");
    context = guard("files.so");
    atomic_store(&stop, false);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &wrong[i]), 0);
    }
    for (unsigned i = 0; i < rounds; i++) {
        miguard_set_client_source(i % 3 == 0 ? NULL : says_by_data,
                                  i % 3 == 0 ? NULL : &uids[i % 2]);
        usleep(100);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(wrong[i], 0);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}
END_TEST

/* ---- targets ------------------------------------------------------------------------------------
 */

START_TEST(the_calling_thread_as_a_target)
{
    ck_assert_int_eq(miguard_target_thread(NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_thread(&target, &error), MIGUARD_OK);
    ck_assert(target->exact);
    ck_assert_uint_eq(target->identity.uid[IDENTITY_E], geteuid());
    ck_assert_int_eq(miguard_switch_to(target, &error), MIGUARD_OK); /* to what it is */
    ck_assert_int_eq(miguard_switch_back(&error), MIGUARD_OK);
    miguard_target_free(target);
}
END_TEST

START_TEST(a_copy_of_a_target_is_its_own)
{
    const gid_t list[] = {7, 8, 9};
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, list, 3, NULL};
    struct miguard_target *copy = NULL;

    ck_assert_int_eq(miguard_target_copy(NULL, &copy, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_ids(CLIENT, OTHER, &groups, &target, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_copy(target, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(miguard_target_keep_caps(target, "chown", &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_copy(target, &copy, &error), MIGUARD_OK);
    miguard_target_free(target);
    ck_assert_uint_eq(copy->identity.uid[0], CLIENT);
    ck_assert_uint_eq(copy->identity.gid[0], OTHER);
    ck_assert_uint_eq(copy->identity.group_count, 3);
    ck_assert_uint_eq(copy->identity.groups[2], 9);
    ck_assert(copy->has_caps && copy->caps == 1 && !copy->exact && !copy->identify_only);
    miguard_target_free(copy);
}
END_TEST

/* Of a socket's peer: its process and label as well, in a descriptor of the copy's own. */
START_TEST(a_copy_of_a_peer_is_its_own)
{
    struct miguard_target *copy = NULL;
    int sockets[2], of_copy = -1;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    ck_assert_int_eq(miguard_target_peer(sockets[0], &target, &error), MIGUARD_OK);
    ck_assert_int_eq(miguard_target_copy(target, &copy, &error), MIGUARD_OK);
    ck_assert_ptr_ne(copy->peer, target->peer);
    ck_assert_int_eq(copy->peer->pid, getpid());
    bool has_pidfd = target->peer->pidfd >= 0;
    ck_assert(!has_pidfd || copy->peer->pidfd != target->peer->pidfd);
    miguard_target_free(target);
    enum miguard_status status = miguard_target_peer_pidfd(copy, &of_copy, &error);
    ck_assert(has_pidfd ? status == MIGUARD_OK : status != MIGUARD_OK);
    if (has_pidfd) {
        ck_assert_int_eq(close(of_copy), 0);
    }
    miguard_target_free(copy);
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

/* Who a socket's peer is goes into the record. */
static enum miguard_status says_peer(void *data, const MI_Context *host_context,
                                     struct miguard_target **ret_target,
                                     struct miguard_error *reterr)
{
    (void)host_context;
    return miguard_target_peer(*(const int *)data, ret_target, reterr);
}

START_TEST(a_peer_is_recorded_with_its_process)
{
    int sockets[2];
    char line[64];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    context = guard("files.so");
    miguard_set_client_source(says_peer, &sockets[0]);
    ck_assert_int_eq(ask(context), MIGUARD_OK);
    snprintf(line, sizeof(line), "\"peer\":{\"pid\":%d", getpid());
    ck_assert_int_eq(log_mentions(line), 1);
    miguard_target_free(target);
    MI_Context_PostResult(context, MI_RESULT_OK);
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("context client");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_host_that_says_nothing_is_not_supported);
    tcase_add_test(tests, a_host_that_stops_saying_it_is_not_supported);
    tcase_add_test(tests, the_client_is_given_and_recorded);
    tcase_add_loop_test(tests, an_answer_without_a_client_is_an_error, 0,
                        sizeof(answers_of_hosts) / sizeof(answers_of_hosts[0]));
    tcase_add_test(tests, what_a_failure_writes_is_not_used);
    tcase_add_test(tests, missing_arguments_are_refused);
    tcase_add_test(tests, an_ended_context_is_refused_as_a_session_is);
    tcase_add_test(tests, a_copy_of_a_context_is_refused);
    tcase_add_test(tests, a_forged_context_is_refused);
    tcase_add_test(tests, a_context_that_ends_while_the_host_answers_gives_nothing);
    tcase_add_test(tests, a_child_has_no_client);
    tcase_add_test(tests, a_context_without_a_guard_has_its_client);
    tcase_add_test(tests, a_context_without_a_guard_is_of_no_named_provider);
    tcase_add_test(tests, a_guard_around_a_guard_asks_the_host);
    tcase_add_loop_test(tests, each_value_lets_each_provider_do_so_much, 0, VALUES);
    tcase_add_test(tests, no_way_leads_from_identify_to_a_switch);
    tcase_add_test(tests, a_mark_is_never_taken_off);
    tcase_add_test(tests, who_is_identified_can_be_compared);
    tcase_add_test(tests, a_reload_counts_from_the_next_call);
    tcase_add_test(tests, a_reload_while_the_host_answers_counts);
    tcase_add_test(tests, permissive_does_not_give_a_client);
    tcase_add_loop_test(tests, the_policy_says_what_is_recorded, 0,
                        sizeof(audits) / sizeof(audits[0]));
    tcase_add_test(tests, nothing_is_given_without_a_policy_or_a_record);
    tcase_add_test(tests, a_source_is_replaced_while_it_is_asked);
    tcase_add_test(tests, the_calling_thread_as_a_target);
    tcase_add_test(tests, a_copy_of_a_target_is_its_own);
    tcase_add_test(tests, a_copy_of_a_peer_is_its_own);
    tcase_add_test(tests, a_peer_is_recorded_with_its_process);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    printf("%d passed, %d failed\n", srunner_ntests_run(runner) - failed, failed);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
