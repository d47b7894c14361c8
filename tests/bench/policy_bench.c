/* SPDX-License-Identifier: MIT */
/*
 * What a decision costs, whole and narrowed, with 10, 100 and 1,000 rules of the kinds that people
 * write. The deciding rule is the last, so that all others must be ruled out.
 *
 * Part of the bench program; alone: -DALONE.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"
#include "policy/policy.h"

extern long allocations;
void bench_policy(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 31, CALLS = 2000, MAX_RULES = 1000, SIZES = 3 };

static const uint32_t sizes[SIZES] = {10, 100, MAX_RULES};

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

typedef void (*work)(const struct subject *subject);

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

static double median(double *values)
{
    return median_of(values, ROUNDS);
}

/* The sizes take turns round by round. Gives the median of each, and of last / first. */
static double measure(work one, const struct subject *subjects, double ret_each[SIZES])
{
    static double times[SIZES][ROUNDS], ratios[ROUNDS];

    for (int round = -1; round < ROUNDS; round++) { /* -1 warms up */
        for (int i = 0; i < SIZES; i++) {
            double start = nanoseconds();
            one(&subjects[i]);
            times[i][round < 0 ? 0 : round] = (nanoseconds() - start) / CALLS;
        }
        ratios[round < 0 ? 0 : round] =
            times[SIZES - 1][round < 0 ? 0 : round] / times[0][round < 0 ? 0 : round];
    }
    for (int i = 0; i < SIZES; i++) {
        ret_each[i] = median(times[i]);
    }
    return median(ratios);
}

static void tell_each(void (*tell)(const char *name, double value, const char *unit, double goal),
                      const char *what, work one, const struct subject *subjects, double last_goal,
                      double ratio_goal)
{
    double each[SIZES];
    char name[96];

    long before = allocations;
    double ratio = measure(one, subjects, each);
    long made = allocations - before;
    for (int i = 0; i < SIZES; i++) {
        snprintf(name, sizeof(name), "policy decision, %s, %u rules", what, sizes[i]);
        tell(name, each[i], "ns", i == SIZES - 1 ? last_goal : -1);
    }
    snprintf(name, sizeof(name), "policy decision, %s, 1,000 rules / 10 rules", what);
    tell(name, ratio, "x", ratio_goal);
    snprintf(name, sizeof(name), "policy decision, %s, allocations", what);
    tell(name, (double)made, "", 0);
}

static void bench_own(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    struct subject own[SIZES];

    for (int i = 0; i < SIZES; i++) {
        own[i] = (struct subject){.policy = make_own_policy(sizes[i]), .call = &own_call};
        if (policy_narrow(own[i].policy, &someone, own_call.provider, &own[i].view) != MIGUARD_OK ||
            policy_view_decide(own[i].view, &own_call).rule_index != sizes[i] - 1) {
            abort();
        }
    }
    tell_each(tell, "narrowed, rules by action and resource", decide_narrowed, own, -1, 2);
    for (int i = 0; i < SIZES; i++) {
        policy_view_free(own[i].view);
        policy_release(own[i].policy);
    }
}

void bench_policy(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    struct subject targeted[SIZES], plain[SIZES];
    double compile = 0;

    for (int i = 0; i < SIZES; i++) {
        double start = nanoseconds();
        targeted[i] = (struct subject){.policy = make_policy(sizes[i]), .call = &target_call};
        compile = nanoseconds() - start;
        if (policy_narrow(targeted[i].policy, &someone, target_call.provider, &targeted[i].view) !=
                MIGUARD_OK ||
            policy_decide(targeted[i].policy, &target_call).rule_index != sizes[i] - 1 ||
            policy_decide(targeted[i].policy, &plain_call).rule_index != POLICY_NO_RULE ||
            policy_view_decide(targeted[i].view, &target_call).rule_index != sizes[i] - 1) {
            abort();
        }
        plain[i] = targeted[i];
        plain[i].call = &plain_call;
    }
    tell("policy compile, 1,000 rules", compile / 1000, "us", 5000);
    tell_each(tell, "whole", decide, targeted, 200, 2);
    tell_each(tell, "narrowed, rules by class", decide_narrowed, targeted, -1, 2);
    tell_each(tell, "narrowed, known at open", decide_narrowed, plain, -1, 2);
    for (int i = 0; i < SIZES; i++) {
        policy_view_free(targeted[i].view);
        policy_release(targeted[i].policy);
    }
    bench_own(tell);
}

#ifdef ALONE
#include "base/alloc.h"

long allocations;

void *base_alloc(size_t count, size_t size)
{
    allocations++;
    return calloc(count, size);
}

void *base_resize(void *block, size_t count, size_t size)
{
    allocations++;
    return reallocarray(block, count, size);
}

void base_free(void *block)
{
    free(block);
}

static void print(const char *name, double value, const char *unit, double goal)
{
    printf("%-60s %10.2f %-3s %s\n", name, value, unit,
           goal < 0        ? ""
           : value <= goal ? "met"
                           : "NOT MET");
}

int main(void)
{
    bench_policy(print);
    return 0;
}
#endif
