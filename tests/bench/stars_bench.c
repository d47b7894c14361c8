/* SPDX-License-Identifier: MIT */
/*
 * A decision among 1,000 rules whose patterns begin with a star, for a class of 255 characters,
 * against the plain matcher, which goes through the pattern character by character and can go back
 * (policy/glob.c). No such rule can be ruled out before it is compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "policy/policy.h"

enum { ROUNDS = 41, CALLS = 20, RULES = 1000, CLASS_LENGTH = 255 };
enum { ENDING, INSIDE };

static const struct bench_row stars_rows[] = {
    [ENDING] = {.name = "stars.ending",
                .goal = 0.25,
                .first = "a decision, 1,000 rules for classes that end in something (*_Log17)",
                .second = "the plain matcher, once for each of the patterns",
                .unit = "ns",
                .leaves_out = "patterns that are not ASCII or have a ?: those take the plain way"},
    [INSIDE] = {.name = "stars.inside",
                .goal = 0.25,
                .first = "a decision, 1,000 rules for classes that contain something (*Log17*)",
                .second = "the plain matcher, once for each of the patterns",
                .unit = "ns",
                .leaves_out = "patterns that are not ASCII or have a ?: those take the plain way"},
};

static char texts[RULES][32], names[RULES][sizeof("rule-") + 11], class_name[CLASS_LENGTH + 1];
static struct draft_glob globs[RULES];
static struct draft_rule rules[RULES];
static volatile unsigned sum;

static const struct policy *make_policy(const char *pattern)
{
    struct policy_draft draft = {.rules = rules, .rule_count = RULES};
    const struct policy *policy = NULL;

    for (int i = 0; i < RULES; i++) {
        snprintf(texts[i], sizeof(texts[i]), pattern, i);
        snprintf(names[i], sizeof(names[i]), "rule-%d", i);
        globs[i].text = texts[i];
        rules[i] = (struct draft_rule){.place = {"bench.yaml", (unsigned)i + 1, 5},
                                       .name = names[i],
                                       .reason = "",
                                       .decision = DRAFT_DENY,
                                       .match = {.classes = {&globs[i], 1}}};
    }
    draft.settings.compared = MIGUARD_COMPONENTS_ALL;
    draft.settings.decision = DRAFT_ALLOW;
    if (policy_compile(&draft, &policy) != MIGUARD_OK) {
        abort();
    }
    return policy;
}

static void decide(void *policy, int calls)
{
    static const struct miguard_identity someone = {.tag = IDENTITY_TAG,
                                                    .known = MIGUARD_COMPONENTS_ALL};
    const struct policy_call call = {.operation = OPERATION_GET_INSTANCE,
                                     .opened_as = &someone,
                                     .provider = "libbench.so",
                                     .name_space = "root/bench",
                                     .class_name = class_name};

    for (int i = 0; i < calls; i++) {
        if (policy_decide(policy, &call).decision != POLICY_ALLOW) {
            abort();
        }
    }
}

static void match_plainly(void *policy, int calls)
{
    (void)policy;
    for (int i = 0; i < calls; i++) {
        for (int k = 0; k < RULES; k++) {
            sum += draft_glob_matches(globs[k].text, class_name, true);
        }
    }
}

static void measure_row(const struct bench_row *row, const char *pattern)
{
    const struct policy *policy = make_policy(pattern);

    bench_compare(row, decide, match_plainly, (void *)(uintptr_t)policy, CALLS,
                  bench_rounds(ROUNDS));
    policy_release(policy);
}

/* Letters that the patterns begin with, too, so that the matcher is not done with the first. */
static void run_stars(void)
{
    for (int i = 0; i < CLASS_LENGTH; i++) {
        class_name[i] = "Log_"[i % 4];
    }
    measure_row(&stars_rows[ENDING], "*_Log%d");
    measure_row(&stars_rows[INSIDE], "*Log%d*");
}

BENCH_GROUP(stars, stars_rows, run_stars);
