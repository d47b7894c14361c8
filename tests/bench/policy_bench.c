/* SPDX-License-Identifier: MIT */
/*
 * What a decision costs, whole and narrowed, with 10, 100 and 1,000 rules of the kinds that people
 * write. The deciding rule is the last, so that all others must be ruled out.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/allocations.h"
#include "bench/measure.h"
#include "policy/policy.h"

enum { ROUNDS = 31, CALLS = 2000, MAX_RULES = 1000, SIZES = 3 };

static const uint32_t sizes[SIZES] = {10, 100, MAX_RULES};

/* Four kinds of question, and for each three rows in this order. */
enum { WHOLE, BY_CLASS, KNOWN, BY_ACTION, KINDS };
enum { GROWTH, COST, ALLOCATIONS, ROWS_OF_KIND, COMPILE = KINDS * ROWS_OF_KIND };

#define RULES_LEFT_OUT                                                                             \
    "rules of other kinds than the eight here; many globs that begin with a star; cold caches"
#define KIND_ROWS(kind, key, what, cost_goal)                                                      \
    [(kind)*ROWS_OF_KIND +                                                                         \
        GROWTH] = {.name = "policy." key,                                                          \
                   .goal = 2,                                                                      \
                   .first = what ", 1,000 rules",                                                  \
                   .second = "the same, 10 rules",                                                 \
                   .unit = "ns",                                                                   \
                   .leaves_out = RULES_LEFT_OUT},                                                  \
        [(kind)*ROWS_OF_KIND + COST] = {.name = "policy." key "-call",                             \
                                        .goal = cost_goal,                                         \
                                        .first = what ", 1,000 rules",                             \
                                        .second = "a system call that does nothing",               \
                                        .unit = "ns",                                              \
                                        .leaves_out = RULES_LEFT_OUT},                             \
        [(kind)*ROWS_OF_KIND + ALLOCATIONS] = {.name = "policy." key "-allocations",               \
                                               .goal = 0,                                          \
                                               .first = "allocations: " what,                      \
                                               .second = "decisions",                              \
                                               .unit = "",                                         \
                                               .leaves_out = "narrowing, which is done at open",   \
                                               .exact = true}

static const struct bench_row policy_rows[] = {
    KIND_ROWS(WHOLE, "whole", "a decision, not narrowed", 1.8),
    KIND_ROWS(BY_CLASS, "class", "a narrowed decision, rules by class", BENCH_NO_GOAL),
    KIND_ROWS(KNOWN, "known", "a decision that is known at open", BENCH_NO_GOAL),
    KIND_ROWS(BY_ACTION, "action", "a narrowed decision, rules by action and resource",
              BENCH_NO_GOAL),
    [COMPILE] = {.name = "policy.compile",
                 .goal = 2,
                 .first = "compiling a rule of 1,000",
                 .second = "the same of 100",
                 .unit = "ns",
                 .leaves_out = "reading and checking files (load.rules)"},
};

/* ---- rules as people write them -------------------------------------------------------------- */

struct rule_parts {
    char name[32], class_glob[32], namespace_glob[32], provider_glob[32];
    struct draft_range user[2], group;
    struct draft_glob glob[3];
};

static struct rule_parts parts[MAX_RULES];
static struct draft_rule rules[MAX_RULES];

/* Who names a class means what can be done with its instances. */
static void set_class(struct draft_match *match, struct rule_parts *part, const char *glob)
{
    match->operations = 1u << OPERATION_GET_INSTANCE | 1u << OPERATION_ENUMERATE_INSTANCES |
                        1u << OPERATION_CREATE_INSTANCE | 1u << OPERATION_MODIFY_INSTANCE;
    part->glob[0].text = glob;
    match->classes.items = &part->glob[0];
    match->classes.count = 1;
}

static void set_namespace(struct draft_match *match, struct rule_parts *part, const char *glob)
{
    part->glob[1].text = glob;
    match->namespaces.items = &part->glob[1];
    match->namespaces.count = 1;
}

static void set_provider(struct draft_match *match, struct rule_parts *part, const char *glob)
{
    part->glob[2].text = glob;
    match->providers.items = &part->glob[2];
    match->providers.count = 1;
}

static void set_users(struct draft_match *match, struct rule_parts *part, uint32_t first,
                      uint32_t last)
{
    part->user[0] = (struct draft_range){33, 33, "www-data"};
    part->user[1] = (struct draft_range){first, last, "range"};
    match->users.items = part->user;
    match->users.count = 2;
}

static void set_group(struct draft_match *match, struct rule_parts *part, uint32_t group)
{
    part->group = (struct draft_range){group, group, "group"};
    match->groups.items = &part->group;
    match->groups.count = 1;
}

/* None of these applies to the call that is measured, each for another reason. */
static void write_rule(uint32_t i)
{
    struct rule_parts *part = &parts[i];
    struct draft_match *match = &rules[i].match;

    snprintf(part->name, sizeof(part->name), "rule-%u", i);
    snprintf(part->class_glob, sizeof(part->class_glob), "App%u_*", i);
    snprintf(part->namespace_glob, sizeof(part->namespace_glob), "root/vendor%u", i % 50);
    snprintf(part->provider_glob, sizeof(part->provider_glob), "libvendor%u*", i % 50);
    rules[i] = (struct draft_rule){.place = {"bench.yaml", i + 1, 5},
                                   .name = part->name,
                                   .reason = "",
                                   .decision = DRAFT_DENY};
    switch (i % 8) {
    case 0: /* a vendor's classes */
        set_class(match, part, part->class_glob);
        break;
    case 1: /* a service user in a namespace of its own */
        set_users(match, part, 2000 + i, 2000 + i + 9);
        set_namespace(match, part, part->namespace_glob);
        break;
    case 2: /* a provider that may only read */
        set_provider(match, part, part->provider_glob);
        match->operations = 1u << OPERATION_CREATE_INSTANCE | 1u << OPERATION_DELETE_INSTANCE;
        break;
    case 3: /* a group of administrators */
        set_group(match, part, 5000 + i);
        set_namespace(match, part, "root/*");
        break;
    case 4: /* a tolerated difference */
        match->mismatch = MIGUARD_COMPONENT_NO_NEW_PRIVS;
        set_class(match, part, part->class_glob);
        break;
    case 5: /* one class, exactly */
        part->class_glob[snprintf(part->class_glob, sizeof(part->class_glob), "CIM_Log%u", i)] = 0;
        set_class(match, part, part->class_glob);
        set_namespace(match, part, "root/*");
        break;
    case 6: /* a user of a provider, switched to root */
        set_users(match, part, 3000 + i, 3000 + i);
        set_provider(match, part, "lib*");
        match->as_capabilities = UINT64_C(1) << 21;
        break;
    default: /* a capability */
        match->capabilities = UINT64_C(1) << 21;
        set_class(match, part, "CIM_*");
    }
}

static const struct policy *compile_rules(uint32_t count)
{
    struct policy_draft draft = {.rules = rules, .rule_count = count};
    draft.settings.compared = MIGUARD_COMPONENTS_ALL;
    draft.settings.decision = DRAFT_DENY;
    const struct policy *policy = NULL;
    if (policy_compile(&draft, &policy) != MIGUARD_OK) {
        abort();
    }
    return policy;
}

/* Of a daemon: an action and what it is asked for. */
static void write_own_rule(uint32_t i, const char *action, const char *resource)
{
    struct rule_parts *part = &parts[i];
    struct draft_match *match = &rules[i].match;

    rules[i] = (struct draft_rule){
        .place = {"bench.yaml", i + 1, 5}, .name = "own", .reason = "", .decision = DRAFT_ALLOW};
    snprintf(part->class_glob, sizeof(part->class_glob), action, i);
    snprintf(part->namespace_glob, sizeof(part->namespace_glob), resource, i);
    part->glob[0].text = part->class_glob;
    part->glob[1].text = part->namespace_glob;
    match->actions = (struct draft_globs){&part->glob[0], 1};
    match->resources = (struct draft_globs){&part->glob[1], 1};
}

static const struct policy *make_own_policy(uint32_t count)
{
    for (uint32_t i = 0; i < count - 1; i++) {
        write_own_rule(i, i % 2 == 0 ? "upload" : "admin.a%u*",
                       i % 2 == 0 ? "/srv/project%u/*" : "/srv/*");
    }
    write_own_rule(count - 1, "upload", "/srv/shared/*");
    return compile_rules(count);
}

static const struct policy *make_policy(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        write_rule(i);
    }
    struct rule_parts *last = &parts[count - 1];
    rules[count - 1] = (struct draft_rule){.place = {"bench.yaml", count, 5},
                                           .name = "the-last",
                                           .reason = "it is",
                                           .decision = DRAFT_ALLOW};
    set_users(&rules[count - 1].match, last, 1000, 1999);
    set_namespace(&rules[count - 1].match, last, "root/*");
    set_class(&rules[count - 1].match, last, "CIM_Proc*");
    return compile_rules(count);
}

/* ---- who asks ---------------------------------------------------------------------------- */

static gid_t groups[] = {4, 24, 27, 100, 1000};

static const struct miguard_identity someone = {.tag = IDENTITY_TAG,
                                                .known = MIGUARD_COMPONENTS_ALL,
                                                .uid = {1000, 1000, 1000, 1000},
                                                .gid = {1000, 1000, 1000, 1000},
                                                .groups = groups,
                                                .group_count = 5};

static const struct policy_call target_call = {.operation = OPERATION_GET_INSTANCE,
                                               .opened_as = &someone,
                                               .provider = "libprocess.so",
                                               .name_space = "root/cimv2",
                                               .class_name = "CIM_Process"};

/* No rule that is left for this operation asks for a class or namespace: known at open. */
static const struct policy_call plain_call = {
    .operation = OPERATION_OPERATION_CLOSE, .opened_as = &someone, .provider = "libprocess.so"};

static const struct policy_call own_call = {.operation = OPERATION_ACTION,
                                            .opened_as = &someone,
                                            .provider = "fileserver",
                                            .action = "upload",
                                            .resource = "/srv/shared/reports/2026/march.pdf"};

struct subject {
    const struct policy *policy;
    struct policy_view *view;
    const struct policy_call *call;
};

static volatile unsigned sum;

static void decide(const struct subject *subject)
{
    for (int i = 0; i < CALLS; i++) {
        sum += policy_decide(subject->policy, subject->call).decision;
    }
}

static void decide_narrowed(const struct subject *subject)
{
    for (int i = 0; i < CALLS; i++) {
        sum += policy_view_decide(subject->view, subject->call).decision;
    }
}

/* ---- measuring --------------------------------------------------------------------------- */

static double decision_ns(void (*work)(const struct subject *), const struct subject *subject)
{
    const double start = nanoseconds();
    work(subject);
    return (nanoseconds() - start) / CALLS;
}

static void measure_kind(int kind, void (*work)(const struct subject *),
                         const struct subject *subjects)
{
    const struct bench_row *rows = &policy_rows[kind * ROWS_OF_KIND];
    const int rounds = bench_rounds(ROUNDS);

    for (int round = -1; round < rounds; round++) { /* -1 warms up */
        const long before = allocations;
        const double few = decision_ns(work, &subjects[0]);
        const double many = decision_ns(work, &subjects[SIZES - 1]);
        const double call = bench_time(bench_system_calls, NULL, CALLS);
        if (round >= 0) {
            bench_pair(&rows[GROWTH], many, few);
            bench_pair(&rows[COST], many, call);
            bench_pair(&rows[ALLOCATIONS], (double)(allocations - before), 2 * CALLS);
        }
    }
}

static void measure_own(void)
{
    struct subject own[SIZES];

    for (int i = 0; i < SIZES; i++) {
        own[i] = (struct subject){.policy = make_own_policy(sizes[i]), .call = &own_call};
        if (policy_narrow(own[i].policy, &someone, own_call.provider, &own[i].view) != MIGUARD_OK ||
            policy_view_decide(own[i].view, &own_call).rule_index != sizes[i] - 1) {
            abort();
        }
    }
    measure_kind(BY_ACTION, decide_narrowed, own);
    for (int i = 0; i < SIZES; i++) {
        policy_view_free(own[i].view);
        policy_release(own[i].policy);
    }
}

/* The subject of this size, after it was seen that the last rule decides. */
static struct subject make_subject(uint32_t size)
{
    struct subject subject = {.policy = make_policy(size), .call = &target_call};

    if (policy_narrow(subject.policy, &someone, target_call.provider, &subject.view) !=
            MIGUARD_OK ||
        policy_decide(subject.policy, &target_call).rule_index != size - 1 ||
        policy_decide(subject.policy, &plain_call).rule_index != POLICY_NO_RULE ||
        policy_view_decide(subject.view, &target_call).rule_index != size - 1) {
        abort();
    }
    return subject;
}

/* Writing the rules is not part of it. */
static double compile_ns(uint32_t count)
{
    policy_release(make_policy(count));
    const double start = nanoseconds();
    policy_release(compile_rules(count));
    return (nanoseconds() - start) / count;
}

static void run_policy(void)
{
    struct subject targeted[SIZES], plain[SIZES];

    for (int i = 0; i < bench_rounds(ROUNDS); i++) {
        const double few = compile_ns(sizes[1]);
        bench_pair(&policy_rows[COMPILE], compile_ns(MAX_RULES), few);
    }
    for (int i = 0; i < SIZES; i++) {
        targeted[i] = plain[i] = make_subject(sizes[i]);
        plain[i].call = &plain_call;
    }
    measure_kind(WHOLE, decide, targeted);
    measure_kind(BY_CLASS, decide_narrowed, targeted);
    measure_kind(KNOWN, decide_narrowed, plain);
    for (int i = 0; i < SIZES; i++) {
        policy_view_free(targeted[i].view);
        policy_release(targeted[i].policy);
    }
    measure_own();
}

BENCH_GROUP(policy, policy_rows, run_policy);
