/* SPDX-License-Identifier: MIT */
/*
 * Decisions as tables: which calls a key matches, first match wins, modes, records, revocation, the
 * built-in policy, and that explain says the same and why.
 */
#include "policy/policy.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

#define SAME  0
#define EUID  MIGUARD_COMPONENT_EUID
#define FSUID MIGUARD_COMPONENT_FSUID
#define NNP   MIGUARD_COMPONENT_NO_NEW_PRIVS
#define ALL   MIGUARD_COMPONENTS_ALL

#define ONLY(NAME) (1u << OPERATION_##NAME)

/* In rows, so that they can be read at a glance. */
enum { NO, YES };

/* ---- who there is --------------------------------------------------------------------- */

#define CAP_NET_ADMIN (UINT64_C(1) << 12)
#define CAP_SYS_ADMIN (UINT64_C(1) << 21)
#define CAP_ALL       ((UINT64_C(1) << 41) - 1)

#define IDENTITY(id, group, list, length, capabilities)                                            \
    {                                                                                              \
        .tag = IDENTITY_TAG, .known = ALL, .uid = {7, id, 7, 7}, .gid = {7, group, 7, 7},          \
        .groups = (list), .group_count = (length), .cap = {                                        \
            capabilities                                                                           \
        }                                                                                          \
    }

static gid_t web_groups[] = {33, 2000};
static gid_t admin_groups[] = {27};

/* The effective id counts alone: the others are 7 everywhere. */
static const struct miguard_identity root = IDENTITY(0, 0, NULL, 0, CAP_ALL);
static const struct miguard_identity web = IDENTITY(33, 33, web_groups, 2, 0);
static char one_name[] = "svc-web", two_names[] = "users\0ops-eu";
static const struct miguard_identity with_names = {.tag = IDENTITY_TAG,
                                                   .known = MIGUARD_COMPONENTS_ALL,
                                                   .user_names = {true, 1, one_name},
                                                   .group_names = {true, 2, two_names}};
static const struct miguard_identity nameless = {.tag = IDENTITY_TAG,
                                                 .known = MIGUARD_COMPONENTS_ALL,
                                                 .user_names = {true, 0, NULL},
                                                 .group_names = {true, 0, NULL}};
static const struct draft_glob svc[] = {{"svc-*"}}, ops[] = {{"ops-*"}}, any_name[] = {{"*"}};
static const struct miguard_identity admin = IDENTITY(1000, 100, admin_groups, 1, CAP_NET_ADMIN);
static const struct miguard_identity nobody_at_all; /* zeroed: no identity */
static const struct miguard_identity minus_one = IDENTITY(UINT32_MAX, UINT32_MAX, NULL, 0, 0);
/* Nothing is known of it but its capabilities: its ids look like root's and prove nothing. */
static const struct miguard_identity vague = {
    .tag = IDENTITY_TAG, .known = MIGUARD_COMPONENT_CAP_EFFECTIVE, .cap = {CAP_NET_ADMIN}};

/* Any key that names root. */
static const struct draft_range only_root[] = {{0, 0, "root"}};

/* ---- making policies ------------------------------------------------------------------ */

static struct draft_settings plain_settings(void)
{
    return (struct draft_settings){.mode = DRAFT_ENFORCE,
                                   .decision = DRAFT_ALLOW,
                                   .decision_place = {"d.yaml", 2, 3},
                                   .compared = ALL,
                                   .audit = POLICY_AUDIT_DENY};
}

static const struct policy *compile(const struct draft_settings *settings,
                                    const struct draft_rule *rules, size_t count)
{
    const struct policy_draft draft = {
        .settings = *settings, .rules = rules, .rule_count = (uint32_t)count};
    const struct policy *policy = NULL;
    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_OK);
    return policy;
}

static void ck_same_verdict(const struct policy_verdict *a, const struct policy_verdict *b)
{
    ck_assert_int_eq(a->decision, b->decision);
    ck_assert_int_eq(a->would_deny, b->would_deny);
    ck_assert_int_eq(a->recorded, b->recorded);
    ck_assert_int_eq(a->audit_failure_denies, b->audit_failure_denies);
    ck_assert_int_eq(a->revoke, b->revoke);
    ck_assert_uint_eq(a->rule_index, b->rule_index);
    ck_assert_str_eq(a->rule, b->rule);
    ck_assert_str_eq(a->source, b->source);
    ck_assert_str_eq(a->reason, b->reason);
}

struct watch {
    uint32_t seen;
    const char *why_not[64];
};

static void watch_rule(void *context, uint32_t index, const char *name, const char *source,
                       const char *why_not)
{
    struct watch *watch = context;
    ck_assert_uint_eq(index, watch->seen); /* in order, none left out */
    ck_assert_uint_lt(index, 64);
    ck_assert(index == 0 || watch->why_not[index - 1] != NULL); /* none behind the match */
    ck_assert_ptr_nonnull(name);
    ck_assert_ptr_nonnull(source);
    ck_assert(why_not == NULL || why_not[0] != '\0');
    watch->why_not[watch->seen++] = why_not;
}

/* The one verdict that all three ways come to. */
static struct policy_verdict ask_watched(const struct policy *policy,
                                         const struct policy_call *call, struct watch *watch)
{
    struct policy_view *view = NULL;

    memset(watch, 0, sizeof(*watch));
    struct policy_verdict decided = policy_decide(policy, call);
    struct policy_verdict told = policy_explain(policy, call, watch_rule, watch);
    ck_assert_int_eq(policy_narrow(policy, call->opened_as, call->provider, &view), MIGUARD_OK);
    struct policy_verdict narrowed = policy_view_decide(view, call);
    policy_view_free(view);
    ck_same_verdict(&decided, &told);
    ck_same_verdict(&decided, &narrowed);
    ck_assert_uint_eq(watch->seen, decided.rule_index == POLICY_NO_RULE ? policy_rule_count(policy)
                                                                        : decided.rule_index + 1);
    ck_assert(watch->seen == 0 ||
              (watch->why_not[watch->seen - 1] == NULL) == (decided.rule_index != POLICY_NO_RULE));
    return decided;
}

static struct policy_verdict ask(const struct policy *policy, const struct policy_call *call)
{
    struct watch watch;
    return ask_watched(policy, call, &watch);
}

/* ---- the built-in default ------------------------------------------------------------- */

static const struct {
    enum operation operation;
    miguard_components mismatch;
    enum policy_decision decision;
    int recorded;
} builtin_rows[] = {
    {OPERATION_GET_LOCAL_SESSION, SAME, POLICY_ALLOW, YES},
    {OPERATION_GET_INSTANCE, SAME, POLICY_ALLOW, NO},
    {OPERATION_SESSION_CLOSE, SAME, POLICY_ALLOW, NO},
    {OPERATION_CALLBACK, SAME, POLICY_ALLOW, NO},
    {OPERATION_BIND, SAME, POLICY_ALLOW, YES},
    {OPERATION_ACTION, SAME, POLICY_ALLOW, NO},
    {OPERATION_GET_LOCAL_SESSION, EUID, POLICY_DENY, YES},
    {OPERATION_ACTION, EUID, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, EUID, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, NNP, POLICY_DENY, YES},
    {OPERATION_GET_INSTANCE, ALL, POLICY_DENY, YES},
    {OPERATION_OPERATION_CLOSE, FSUID, POLICY_DENY, YES},
    {OPERATION_CALLBACK, FSUID, POLICY_DENY, YES},
};

START_TEST(builtin)
{
    const struct policy_call call = {.operation = builtin_rows[_i].operation,
                                     .opened_as = &root,
                                     .mismatch = builtin_rows[_i].mismatch};
    struct policy_verdict verdict = ask(policy_builtin, &call);

    ck_assert_int_eq(verdict.decision, builtin_rows[_i].decision);
    ck_assert_int_eq(verdict.recorded, builtin_rows[_i].recorded);
    ck_assert(!verdict.would_deny);
    ck_assert(!verdict.revoke);
    ck_assert(verdict.audit_failure_denies);
    ck_assert_uint_eq(verdict.rule_index, POLICY_NO_RULE);
    ck_assert_str_eq(verdict.rule, "default");
    ck_assert_str_eq(verdict.source, "built-in");
    ck_assert_ptr_nonnull(verdict.reason);
}
END_TEST

START_TEST(builtin_compares_everything_on_every_operation)
{
    ck_assert_uint_eq(policy_compared(policy_builtin), ALL);
    ck_assert(!policy_revokes(policy_builtin));
    ck_assert_uint_eq(policy_rule_count(policy_builtin), 0);
    for (unsigned operation = 0; operation < OPERATION_COUNT; operation++) {
        for (unsigned bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
            const struct policy_call call = {.operation = (enum operation)operation,
                                             .opened_as = &root,
                                             .mismatch = (miguard_components)1 << bit};
            struct policy_verdict verdict = ask(policy_builtin, &call);
            ck_assert_int_eq(verdict.decision, POLICY_DENY);
            ck_assert(verdict.recorded);
        }
    }
}
END_TEST

/* Keeping and releasing, as often as one likes, leaves it. */
START_TEST(builtin_is_not_counted)
{
    const struct policy_call call = {.operation = OPERATION_INVOKE, .opened_as = &root};

    for (int i = 0; i < 3; i++) {
        policy_release(policy_builtin);
    }
    ck_assert_ptr_eq(policy_keep(policy_builtin), policy_builtin);
    ck_assert_int_eq(policy_decide(policy_builtin, &call).decision, POLICY_ALLOW);
    policy_release(NULL);
    ck_assert_ptr_null(policy_keep(NULL));
    policy_view_free(NULL);
}
END_TEST

/* A verdict that nobody filled in refuses. */
START_TEST(zeroed_verdict_refuses)
{
    static const struct policy_verdict zeroed;
    ck_assert_int_eq(zeroed.decision, POLICY_DENY);
}
END_TEST

/* Nobody opened this: it differs in everything, and only a rule for that would let it pass. */
START_TEST(no_identity_differs_in_everything)
{
    static const struct draft_rule rules[] = {
        {.name = "all-but-one", .match = {.mismatch = ALL & ~NNP}, .decision = DRAFT_ALLOW},
        {.name = "root", .match = {.users = {only_root, 1}}, .decision = DRAFT_ALLOW},
    };
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, rules, 2);
    const struct miguard_identity *none[] = {NULL, &nobody_at_all};

    for (int i = 0; i < 2; i++) {
        const struct policy_call call = {.operation = OPERATION_INVOKE, .opened_as = none[i]};
        struct policy_verdict verdict = ask(policy, &call);
        ck_assert_int_eq(verdict.decision, POLICY_DENY);
        ck_assert_str_eq(verdict.rule, "default");
    }
    policy_release(policy);
}
END_TEST

/* ---- one key at a time ----------------------------------------------------------------- */

static const struct draft_range web_and_range[] = {{1500, 2500, ""}, {33, 33, "www-data"}};
static const struct draft_range touching[] = {{500, 999, ""}, {1001, 1010, ""}, {1000, 1000, ""}};
static const struct draft_range around[] = {{0, 999, ""}, {1001, UINT32_MAX, ""}};
static const struct draft_range everybody[] = {{0, UINT32_MAX, ""}};

static const struct draft_range inverted_range[] = {{5, 4, ""}};

static const struct draft_glob lib_web[] = {{"libweb*"}};
static const struct draft_glob star[] = {{"*"}};
static const struct draft_glob stars[] = {{"**"}};
static const struct draft_glob empty[] = {{""}};
static const struct draft_glob root_tree[] = {{"root"}, {"root/*"}};
static const struct draft_glob quoted[] = {{"a\\*b"}};
static const struct draft_glob one_letter[] = {{"Web_?"}};
static const struct draft_glob middle[] = {{"CIM_*Service"}};
static const struct draft_glob half[] = {{"caf\xC3*"}}; /* cuts a character in two */
static const struct draft_glob uploads[] = {{"upload"}, {"admin.*"}};
static const struct draft_glob gets[] = {{"Get*"}};
static const struct draft_glob binds[] = {{"Bind"}};
static const struct draft_glob below_srv[] = {{"/srv/*"}};
static const struct draft_glob bracket[] = {{"[ab]"}};

static const struct {
    struct draft_match match;
    struct policy_call call;
    const char *why_not; /* part of it; NULL: the rule applies */
} keys[] = {
    /* no key at all */
    {{.operations = 0}, {.opened_as = &web}, NULL},
    {{.operations = 0}, {.opened_as = &web, .mismatch = EUID}, "no mismatch"},

    /* operation */
    {{.operations = ONLY(INVOKE)}, {.operation = OPERATION_INVOKE, .opened_as = &web}, NULL},
    {{.operations = ONLY(INVOKE)},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web},
     "operation"},
    {{.operations = ONLY(INVOKE) | ONLY(GET_CLASS)},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web},
     NULL},

    /* mismatch: covers every differing component, and only differing calls */
    {{.mismatch = EUID}, {.opened_as = &web}, "whose identity differs"},
    {{.mismatch = EUID}, {.opened_as = &web, .mismatch = EUID}, NULL},
    {{.mismatch = EUID}, {.opened_as = &web, .mismatch = FSUID}, "does not cover"},
    {{.mismatch = EUID}, {.opened_as = &web, .mismatch = EUID | FSUID}, "does not cover"},
    {{.mismatch = EUID | FSUID}, {.opened_as = &web, .mismatch = FSUID}, NULL},
    {{.mismatch = ALL}, {.opened_as = &web, .mismatch = ALL}, NULL},
    {{.mismatch = ALL}, {.opened_as = &web, .mismatch = 1u << 18}, "does not cover"},

    /* user: the effective uid */
    {{.users = {only_root, 1}}, {.opened_as = &root}, NULL},
    {{.users = {only_root, 1}}, {.opened_as = &web}, "user"},
    {{.users = {web_and_range, 2}}, {.opened_as = &web}, NULL},
    {{.users = {web_and_range, 2}}, {.opened_as = &admin}, "user"},
    {{.users = {touching, 3}}, {.opened_as = &admin}, NULL},
    {{.users = {around, 2}}, {.opened_as = &admin}, "user"},
    {{.users = {everybody, 1}}, {.opened_as = &root}, NULL},
    {{.users = {everybody, 1}}, {.opened_as = &minus_one}, "user"},
    {{.users = {only_root, 1}}, {.opened_as = &vague}, "user"},
    {{.users = {only_root, 1}, .mismatch = ALL}, {.opened_as = &nobody_at_all}, "user"},

    /* group: the effective gid or any supplementary group */
    {{.groups = {only_root, 1}}, {.opened_as = &root}, NULL},
    {{.groups = {only_root, 1}}, {.opened_as = &web}, "group"},
    {{.groups = {web_and_range, 2}}, {.opened_as = &web}, NULL},
    {{.groups = {web_and_range, 1}}, {.opened_as = &web}, NULL}, /* 2000 */
    {{.groups = {(const struct draft_range[]){{27, 27, ""}}, 1}}, {.opened_as = &admin}, NULL},
    {{.groups = {(const struct draft_range[]){{7, 7, ""}}, 1}},
     {.opened_as = &admin},
     "group"}, /* real, saved and fs gid do not count */
    {{.groups = {(const struct draft_range[]){{100, 100, ""}}, 1}}, {.opened_as = &admin}, NULL},
    {{.groups = {everybody, 1}}, {.opened_as = &minus_one}, "group"},
    {{.groups = {only_root, 1}}, {.opened_as = &vague}, "group"},

    /* all-groups: a group for each */
    {{.all_groups = {(const struct draft_range[]){{33, 33, ""}, {2000, 2000, ""}}, 2}},
     {.opened_as = &web},
     NULL},
    {{.all_groups = {(const struct draft_range[]){{33, 33, ""}, {27, 27, ""}}, 2}},
     {.opened_as = &web},
     "its all-groups asks for more groups"},
    {{.all_groups = {(const struct draft_range[]){{27, 27, ""}, {33, 33, ""}}, 2}},
     {.opened_as = &web},
     "its all-groups asks for more groups"},
    {{.all_groups = {(const struct draft_range[]){{2000, 2000, ""}, {2001, 2001, ""}}, 2}},
     {.opened_as = &web},
     "its all-groups"}, /* ranges that touch stay two */
    {{.all_groups = {(const struct draft_range[]){{33, 33, ""}, {30, 40, ""}}, 2}},
     {.opened_as = &web},
     NULL}, /* one group serves for both */
    {{.all_groups = {everybody, 1}}, {.opened_as = &minus_one}, "all-groups"},
    {{.all_groups = {only_root, 1}}, {.opened_as = &vague}, "all-groups"},
    {{.as_all_groups = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &web, .mismatch = EUID},
     "as-all-groups asks for an identity of use that is not known"},

    /* user-name, group-name: as the directory had them when the session was opened */
    {{.user_names = {svc, 1}}, {.opened_as = &with_names}, NULL},
    {{.user_names = {ops, 1}}, {.opened_as = &with_names}, "user-name does not match"},
    {{.user_names = {any_name, 1}}, {.opened_as = &with_names}, NULL},
    {{.user_names = {any_name, 1}}, {.opened_as = &nameless}, "has none"},
    {{.group_names = {ops, 1}}, {.opened_as = &with_names}, NULL}, /* its second one */
    {{.group_names = {svc, 1}}, {.opened_as = &with_names}, "group-name does not match"},
    {{.group_names = {any_name, 1}}, {.opened_as = &nameless}, "no group"},
    {{.except = &(struct draft_match){.user_names = {svc, 1}}}, {.opened_as = &with_names}, "not"},
    {{.except = &(struct draft_match){.user_names = {ops, 1}}}, {.opened_as = &with_names}, NULL},
    {{.except = &(struct draft_match){.user_names = {any_name, 1}}},
     {.opened_as = &nameless},
     NULL},

    /* capability: any of those listed, in the effective set */
    {{.capabilities = CAP_SYS_ADMIN}, {.opened_as = &root}, NULL},
    {{.capabilities = CAP_SYS_ADMIN}, {.opened_as = &admin}, "capability"},
    {{.capabilities = CAP_SYS_ADMIN | CAP_NET_ADMIN}, {.opened_as = &admin}, NULL},
    {{.capabilities = CAP_NET_ADMIN}, {.opened_as = &web}, "capability"},
    {{.capabilities = CAP_NET_ADMIN}, {.opened_as = &vague}, NULL},

    /* as-: of the identity that uses the session */
    {{.as_users = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &web, .used_as = &root, .mismatch = EUID},
     NULL},
    {{.as_users = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &root, .used_as = &web, .mismatch = EUID},
     "as-user"},
    {{.users = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &web, .used_as = &root, .mismatch = EUID},
     "its user"},
    {{.as_groups = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &web, .used_as = &root, .mismatch = EUID},
     NULL},
    {{.as_groups = {only_root, 1}, .mismatch = EUID},
     {.opened_as = &root, .used_as = &web, .mismatch = EUID},
     "as-group"},
    {{.as_capabilities = CAP_NET_ADMIN, .mismatch = EUID},
     {.opened_as = &web, .used_as = &admin, .mismatch = EUID},
     NULL},
    {{.as_capabilities = CAP_NET_ADMIN, .mismatch = EUID},
     {.opened_as = &admin, .used_as = &web, .mismatch = EUID},
     "as-capability"},
    /* used_as not given: not known for a mismatch, else the same as opened_as */
    {{.as_users = {everybody, 1}, .mismatch = EUID},
     {.opened_as = &web, .mismatch = EUID},
     "as-user asks for an identity of use that is not known"},
    {{.as_groups = {everybody, 1}, .mismatch = EUID},
     {.opened_as = &web, .mismatch = EUID},
     "as-group asks for an identity of use that is not known"},
    {{.as_capabilities = CAP_ALL, .mismatch = EUID},
     {.opened_as = &root, .mismatch = EUID},
     "as-capability asks for an identity of use that is not known"},
    {{.as_users = {web_and_range, 2}}, {.opened_as = &web}, NULL},
    {{.as_users = {only_root, 1}}, {.opened_as = &web}, "as-user"},
    {{.as_users = {everybody, 1}},
     {.opened_as = &web, .used_as = &nobody_at_all},
     "as-user asks for an identity of use that is not known"},
    /* no difference in what is compared, and yet another user: what is given counts */
    {{.as_users = {only_root, 1}}, {.opened_as = &web, .used_as = &root}, NULL},
    {{.as_users = {web_and_range, 2}}, {.opened_as = &web, .used_as = &root}, "as-user"},

    /* provider: exact case */
    {{.providers = {lib_web, 1}}, {.opened_as = &web, .provider = "libweb"}, NULL},
    {{.providers = {lib_web, 1}}, {.opened_as = &web, .provider = "libweb.so.1"}, NULL},
    {{.providers = {lib_web, 1}},
     {.opened_as = &web, .provider = "libWeb.so"},
     "provider does not match"},
    {{.providers = {lib_web, 1}}, {.opened_as = &web}, "provider asks for one"},
    {{.providers = {lib_web, 1}}, {.opened_as = &web, .provider = ""}, "provider asks for one"},
    {{.providers = {star, 1}}, {.opened_as = &web}, NULL},

    /* namespace and class: any case */
    {{.namespaces = {root_tree, 2}}, {.opened_as = &web, .name_space = "root"}, NULL},
    {{.namespaces = {root_tree, 2}}, {.opened_as = &web, .name_space = "ROOT/CIMv2"}, NULL},
    {{.namespaces = {root_tree, 2}},
     {.opened_as = &web, .name_space = "roots"},
     "namespace does not match"},
    {{.namespaces = {root_tree, 2}}, {.opened_as = &web}, "namespace asks for"},
    {{.classes = {one_letter, 1}}, {.opened_as = &web, .class_name = "web_A"}, NULL},
    {{.classes = {one_letter, 1}},
     {.opened_as = &web, .class_name = "Web_AB"},
     "class does not match"},
    {{.classes = {one_letter, 1}}, {.opened_as = &web}, "class asks for one"},
    {{.methods = {middle, 1}}, {.opened_as = &web, .method = "cim_LOGservice"}, NULL},
    {{.methods = {middle, 1}},
     {.opened_as = &web, .method = "CIM_LogServices"},
     "method does not match"},
    {{.methods = {middle, 1}}, {.opened_as = &web}, "method asks for one"},
    {{.methods = {star, 1}}, {.opened_as = &web}, NULL},
    {{.classes = {middle, 1}}, {.opened_as = &web, .class_name = "cim_logservice"}, NULL},
    {{.classes = {middle, 1}}, {.opened_as = &web, .class_name = "CIM_LogServices"}, "class"},
    {{.classes = {quoted, 1}}, {.opened_as = &web, .class_name = "A*B"}, NULL},
    {{.classes = {quoted, 1}}, {.opened_as = &web, .class_name = "aXb"}, "class"},
    {{.classes = {half, 1}}, {.opened_as = &web, .class_name = "caf\xC3\xA9"}, "class"},
    {{.classes = {bracket, 1}}, {.opened_as = &web, .class_name = "[AB]"}, NULL},
    {{.classes = {bracket, 1}}, {.opened_as = &web, .class_name = "a"}, "class"},

    /* none at all: only what matches the empty string */
    {{.classes = {star, 1}}, {.opened_as = &web}, NULL},
    {{.classes = {stars, 1}}, {.opened_as = &web, .class_name = ""}, NULL},
    {{.classes = {empty, 1}}, {.opened_as = &web}, NULL},
    {{.classes = {empty, 1}}, {.opened_as = &web, .class_name = "x"}, "class"},

    /* action: exactly, and an operation is an action of its own name */
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "upload"},
     NULL},
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "admin.delete"},
     NULL},
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "Upload"},
     "action does not match"},
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "admin"},
     "action does not match"},
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_INVOKE, .opened_as = &web},
     "action does not match"},
    {{.actions = {gets, 1}}, {.operation = OPERATION_GET_CLASS, .opened_as = &web}, NULL},
    {{.actions = {gets, 1}}, {.operation = OPERATION_GET_LOCAL_SESSION, .opened_as = &web}, NULL},
    {{.actions = {gets, 1}},
     {.operation = OPERATION_BIND, .opened_as = &web},
     "action does not match"},
    {{.actions = {binds, 1}}, {.operation = OPERATION_BIND, .opened_as = &web}, NULL},
    {{.actions = {gets, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "get"},
     "action does not match"},
    {{.actions = {star, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "upload"},
     NULL},
    /* an operation that is given another name has that one */
    {{.actions = {gets, 1}},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web, .action = "upload"},
     "action does not match"},
    {{.actions = {uploads, 2}},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web, .action = "upload"},
     NULL},
    {{.operations = ONLY(BIND)}, {.operation = OPERATION_BIND, .opened_as = &web}, NULL},
    {{.operations = ONLY(GET_LOCAL_SESSION)},
     {.operation = OPERATION_BIND, .opened_as = &web},
     "operation"},

    /* resource: exactly, its bytes */
    {{.resources = {below_srv, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "x", .resource = "/srv/a/b"},
     NULL},
    {{.resources = {below_srv, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "x", .resource = "/SRV/a"},
     "resource does not match"},
    {{.resources = {below_srv, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "x"},
     "resource asks for one"},
    {{.resources = {below_srv, 1}},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web},
     "resource asks for one"},
    {{.resources = {star, 1}}, {.operation = OPERATION_GET_CLASS, .opened_as = &web}, NULL},
    {{.actions = {uploads, 2}, .resources = {below_srv, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "upload", .resource = "/srv/a"},
     NULL},
    {{.actions = {uploads, 2}, .resources = {below_srv, 1}},
     {.operation = OPERATION_ACTION, .opened_as = &web, .action = "stat", .resource = "/srv/a"},
     "action"},

    /* several keys: all of them */
    {{.users = {web_and_range, 2}, .operations = ONLY(INVOKE)},
     {.operation = OPERATION_INVOKE, .opened_as = &web},
     NULL},
    {{.users = {web_and_range, 2}, .operations = ONLY(INVOKE)},
     {.operation = OPERATION_INVOKE, .opened_as = &root},
     "user"},
    {{.users = {web_and_range, 2}, .operations = ONLY(INVOKE)},
     {.operation = OPERATION_GET_CLASS, .opened_as = &web},
     "operation"},
};

/* The rule decides otherwise than the default would, so that whether it applied shows. */
START_TEST(keys_match)
{
    bool differs = keys[_i].call.mismatch != 0;
    const struct draft_rule rule = {.place = {"k.yaml", 4, 5},
                                    .name = "the-rule",
                                    .reason = "it says so",
                                    .has_match = true,
                                    .match = keys[_i].match,
                                    .decision = differs ? DRAFT_ALLOW : DRAFT_DENY};
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, &rule, 1);
    struct watch watch;
    struct policy_verdict verdict = ask_watched(policy, &keys[_i].call, &watch);

    ck_assert_uint_eq(watch.seen, 1);
    if (keys[_i].why_not == NULL) {
        ck_assert_ptr_null(watch.why_not[0]);
        ck_assert_str_eq(verdict.rule, "the-rule");
        ck_assert_str_eq(verdict.source, "k.yaml:4:5");
        ck_assert_str_eq(verdict.reason, "it says so");
        ck_assert_uint_eq(verdict.rule_index, 0);
        ck_assert_int_eq(verdict.decision, differs ? POLICY_ALLOW : POLICY_DENY);
    } else {
        ck_assert_ptr_nonnull(watch.why_not[0]);
        ck_assert_msg(strstr(watch.why_not[0], keys[_i].why_not) != NULL, "%s", watch.why_not[0]);
        ck_assert_str_eq(verdict.rule, "default");
    }
    policy_release(policy);
}
END_TEST

/* Every pair of one-component sets and their unions: a rule counts exactly when it covers. */
START_TEST(a_rule_must_cover_every_differing_component)
{
    struct draft_settings settings = plain_settings();

    for (unsigned a = 0; a < MIGUARD_COMPONENT_COUNT; a++) {
        const struct draft_rule rule = {.name = "r",
                                        .match = {.mismatch = (miguard_components)1 << a},
                                        .decision = DRAFT_ALLOW};
        const struct policy *policy = compile(&settings, &rule, 1);
        for (unsigned b = 0; b < MIGUARD_COMPONENT_COUNT; b++) {
            const struct policy_call call = {.operation = OPERATION_INVOKE,
                                             .opened_as = &root,
                                             .mismatch = (miguard_components)1 << a |
                                                         (miguard_components)1 << b};
            ck_assert_int_eq(ask(policy, &call).decision, a == b ? POLICY_ALLOW : POLICY_DENY);
        }
        policy_release(policy);
    }
}
END_TEST

/* ---- several rules ---------------------------------------------------------------------- */

static const struct draft_rule rules[] = {
    {.place = {"a.yaml", 1, 5},
     .name = "no-delete",
     .reason = "nobody deletes",
     .match = {.operations = ONLY(DELETE_INSTANCE) | ONLY(CREATE_INSTANCE)},
     .decision = DRAFT_DENY},
    {.place = {"a.yaml", 2, 5},
     .name = "delete-anyway",
     .reason = "never reached",
     .match = {.operations = ONLY(DELETE_INSTANCE)},
     .decision = DRAFT_ALLOW},
    {.place = {"a.yaml", 3, 5},
     .name = "watched",
     .reason = "recorded",
     .match = {.operations = ONLY(INVOKE)},
     .decision = DRAFT_ALLOW,
     .has_audit = true,
     .audit = POLICY_AUDIT_USE},
    {.place = {"a.yaml", 4, 5},
     .name = "silent-deny",
     .reason = "not recorded",
     .match = {.operations = ONLY(QUERY_INSTANCES)},
     .decision = DRAFT_DENY,
     .has_audit = true},
    {.place = {"a.yaml", 5, 5},
     .name = "dry-run",
     .reason = "would be denied",
     .match = {.operations = ONLY(SUBSCRIBE)},
     .decision = DRAFT_DENY,
     .has_mode = true,
     .mode = DRAFT_PERMISSIVE},
    {.place = {"a.yaml", 6, 5},
     .name = "opened",
     .reason = "opening",
     .match = {.operations = ONLY(GET_LOCAL_SESSION)},
     .decision = DRAFT_ALLOW,
     .has_audit = true,
     .audit = POLICY_AUDIT_OPEN},
    {.place = {"b.yaml", 1, 5},
     .name = "late-no-new-privs",
     .reason = "tolerated",
     .match = {.mismatch = NNP},
     .decision = DRAFT_ALLOW,
     .has_audit = true},
    {.place = {"b.yaml", 2, 5},
     .name = "fs-for-reads",
     .reason = "reads only",
     .match = {.mismatch = FSUID | NNP, .operations = ONLY(GET_INSTANCE)},
     .decision = DRAFT_ALLOW,
     .has_audit = true,
     .audit = POLICY_AUDIT_USE},
    {.place = {"b.yaml", 3, 5},
     .name = "euid-dry-run",
     .reason = "would be denied",
     .match = {.mismatch = EUID, .operations = ONLY(GET_CLASS)},
     .decision = DRAFT_DENY,
     .has_mode = true,
     .mode = DRAFT_PERMISSIVE},
    {.place = {"b.yaml", 4, 5},
     .name = "no-classes",
     .reason = "the rest of reads",
     .match = {.operations = ONLY(GET_CLASS)},
     .decision = DRAFT_DENY},
};

enum { DEFAULT = sizeof(rules) / sizeof(rules[0]) };

static const struct {
    enum operation operation;
    miguard_components mismatch;
    int rule; /* the row of `rules` that decides, or DEFAULT */
    const char *source;
    enum policy_decision decision;
    int would_deny, recorded;
} rows[] = {
    /* the identity is the same */
    {OPERATION_CREATE_INSTANCE, SAME, 0, "a.yaml:1:5", POLICY_DENY, NO, YES},
    {OPERATION_DELETE_INSTANCE, SAME, 0, "a.yaml:1:5", POLICY_DENY, NO, YES}, /* first wins */
    {OPERATION_INVOKE, SAME, 2, "a.yaml:3:5", POLICY_ALLOW, NO, YES},
    {OPERATION_QUERY_INSTANCES, SAME, 3, "a.yaml:4:5", POLICY_DENY, NO, NO},
    {OPERATION_SUBSCRIBE, SAME, 4, "a.yaml:5:5", POLICY_ALLOW, YES, YES},
    {OPERATION_GET_LOCAL_SESSION, SAME, 5, "a.yaml:6:5", POLICY_ALLOW, NO, YES},
    {OPERATION_GET_CLASS, SAME, 9, "b.yaml:4:5", POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, SAME, DEFAULT, "d.yaml:2:3", POLICY_ALLOW, NO, NO},
    {OPERATION_CALLBACK, SAME, DEFAULT, "d.yaml:2:3", POLICY_ALLOW, NO, NO},
    /* the identity differs: only a rule that covers all of it counts */
    {OPERATION_GET_INSTANCE, NNP, 6, "b.yaml:1:5", POLICY_ALLOW, NO, NO},
    {OPERATION_DELETE_INSTANCE, NNP, 6, "b.yaml:1:5", POLICY_ALLOW, NO, NO},
    {OPERATION_GET_INSTANCE, FSUID, 7, "b.yaml:2:5", POLICY_ALLOW, NO, YES},
    {OPERATION_GET_INSTANCE, FSUID | NNP, 7, "b.yaml:2:5", POLICY_ALLOW, NO, YES},
    {OPERATION_GET_INSTANCE, FSUID | EUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, NNP | EUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_INVOKE, FSUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_INVOKE, EUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_GET_CLASS, EUID, 8, "b.yaml:3:5", POLICY_ALLOW, YES, YES},
    {OPERATION_GET_CLASS, EUID | FSUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_GET_LOCAL_SESSION, EUID, DEFAULT, "built-in", POLICY_DENY, NO, YES},
    {OPERATION_GET_INSTANCE, ALL, DEFAULT, "built-in", POLICY_DENY, NO, YES},
};

START_TEST(first_match_wins)
{
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, rules, DEFAULT);
    const struct policy_call call = {
        .operation = rows[_i].operation, .opened_as = &web, .mismatch = rows[_i].mismatch};
    struct policy_verdict verdict = ask(policy, &call);
    bool by_default = rows[_i].rule == DEFAULT;

    ck_assert_uint_eq(verdict.rule_index,
                      by_default ? (uint32_t)POLICY_NO_RULE : (uint32_t)rows[_i].rule);
    ck_assert_str_eq(verdict.rule, by_default ? "default" : rules[rows[_i].rule].name);
    ck_assert_str_eq(verdict.source, rows[_i].source);
    if (!by_default) {
        ck_assert_str_eq(verdict.reason, rules[rows[_i].rule].reason);
    }
    ck_assert_int_eq(verdict.decision, rows[_i].decision);
    ck_assert_int_eq(verdict.would_deny, rows[_i].would_deny);
    ck_assert_int_eq(verdict.recorded, rows[_i].recorded);
    ck_assert(!verdict.audit_failure_denies);
    ck_assert(!verdict.revoke);
    policy_release(policy);
}
END_TEST

/* A session that was narrowed at open answers each operation as the whole policy does. */
START_TEST(a_view_serves_every_operation)
{
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, rules, DEFAULT);
    struct policy_view *view = NULL;

    ck_assert_int_eq(policy_narrow(policy, &web, "libweb.so", &view), MIGUARD_OK);
    ck_assert_ptr_eq(policy_view_policy(view), policy);
    policy_release(policy); /* the view keeps it */
    for (unsigned operation = 0; operation <= OPERATION_COUNT; operation++) {
        for (unsigned set = 0; set < 8; set++) {
            const struct policy_call call = {.operation = (enum operation)operation,
                                             .opened_as = &web,
                                             .provider = "libweb.so",
                                             .mismatch = (set & 1 ? (unsigned)EUID : 0) |
                                                         (set & 2 ? (unsigned)FSUID : 0) |
                                                         (set & 4 ? (unsigned)NNP : 0)};
            struct policy_verdict decided = policy_decide(policy_view_policy(view), &call);
            struct policy_verdict narrowed = policy_view_decide(view, &call);
            ck_same_verdict(&decided, &narrowed);
        }
    }
    policy_view_free(view);
}
END_TEST

/* ---- modes ------------------------------------------------------------------------------ */

enum { GLOBAL = -1 }; /* the rule gives no mode of its own */

static const struct {
    enum draft_mode global;
    int rule_mode;
    enum draft_decision wanted;
    enum policy_decision decision;
    int would_deny;
} modes[] = {
    {DRAFT_ENFORCE, GLOBAL, DRAFT_DENY, POLICY_DENY, NO},
    {DRAFT_ENFORCE, DRAFT_ENFORCE, DRAFT_DENY, POLICY_DENY, NO},
    {DRAFT_ENFORCE, DRAFT_PERMISSIVE, DRAFT_DENY, POLICY_ALLOW, YES},
    {DRAFT_PERMISSIVE, GLOBAL, DRAFT_DENY, POLICY_ALLOW, YES},
    {DRAFT_PERMISSIVE, DRAFT_ENFORCE, DRAFT_DENY, POLICY_DENY, NO},
    {DRAFT_PERMISSIVE, DRAFT_PERMISSIVE, DRAFT_DENY, POLICY_ALLOW, YES},
    /* nothing to permit */
    {DRAFT_ENFORCE, GLOBAL, DRAFT_ALLOW, POLICY_ALLOW, NO},
    {DRAFT_ENFORCE, DRAFT_PERMISSIVE, DRAFT_ALLOW, POLICY_ALLOW, NO},
    {DRAFT_PERMISSIVE, GLOBAL, DRAFT_ALLOW, POLICY_ALLOW, NO},
    {DRAFT_PERMISSIVE, DRAFT_ENFORCE, DRAFT_ALLOW, POLICY_ALLOW, NO},
};

/* As a rule, as a rule for a mismatch, and (without a mode of its own) as the default. */
START_TEST(permissive_matrix)
{
    for (int differs = 0; differs <= 1; differs++) {
        const struct draft_rule rule = {
            .name = "r",
            .match = {.mismatch = differs ? EUID : 0},
            .decision = modes[_i].wanted,
            .has_mode = modes[_i].rule_mode != GLOBAL,
            .mode = modes[_i].rule_mode == DRAFT_PERMISSIVE ? DRAFT_PERMISSIVE : DRAFT_ENFORCE};
        struct draft_settings settings = plain_settings();
        settings.mode = modes[_i].global;
        settings.decision = modes[_i].wanted;
        const struct policy *by_rule = compile(&settings, &rule, 1);
        const struct policy *by_default = compile(&settings, NULL, 0);
        const struct policy_call call = {
            .operation = OPERATION_INVOKE, .opened_as = &web, .mismatch = differs ? EUID : 0};
        struct policy_verdict verdict = ask(by_rule, &call);
        ck_assert_str_eq(verdict.rule, "r");
        ck_assert_int_eq(verdict.decision, modes[_i].decision);
        ck_assert_int_eq(verdict.would_deny, modes[_i].would_deny);
        if (modes[_i].rule_mode == GLOBAL && !differs) {
            verdict = ask(by_default, &call);
            ck_assert_str_eq(verdict.rule, "default");
            ck_assert_int_eq(verdict.decision, modes[_i].decision);
            ck_assert_int_eq(verdict.would_deny, modes[_i].would_deny);
        }
        policy_release(by_rule);
        policy_release(by_default);
    }
}
END_TEST

/* A mismatch without a rule is denied whatever the default decision is; only the mode helps. */
START_TEST(default_decision_is_not_for_a_mismatch)
{
    for (int permissive = 0; permissive <= 1; permissive++) {
        struct draft_settings settings = plain_settings();
        settings.mode = permissive ? DRAFT_PERMISSIVE : DRAFT_ENFORCE;
        const struct policy *policy = compile(&settings, NULL, 0);
        const struct policy_call call = {
            .operation = OPERATION_INVOKE, .opened_as = &web, .mismatch = EUID};
        struct policy_verdict verdict = ask(policy, &call);
        ck_assert_int_eq(verdict.decision, permissive ? POLICY_ALLOW : POLICY_DENY);
        ck_assert_int_eq(verdict.would_deny, permissive);
        ck_assert(verdict.recorded);
        policy_release(policy);
    }
}
END_TEST

/* ---- records ---------------------------------------------------------------------------- */

enum { D = POLICY_AUDIT_DENY, O = POLICY_AUDIT_OPEN, U = POLICY_AUDIT_USE };

static const struct {
    const char *what;
    enum draft_decision wanted;
    enum draft_mode mode;
    enum operation operation;
    unsigned asked_by; /* any of these bits asks for a record, no other does */
} records[] = {
    {"refused use", DRAFT_DENY, DRAFT_ENFORCE, OPERATION_INVOKE, D},
    {"refused opening", DRAFT_DENY, DRAFT_ENFORCE, OPERATION_GET_LOCAL_SESSION, D},
    {"would be refused", DRAFT_DENY, DRAFT_PERMISSIVE, OPERATION_INVOKE, D},
    {"opening would be refused", DRAFT_DENY, DRAFT_PERMISSIVE, OPERATION_GET_LOCAL_SESSION, D},
    {"use", DRAFT_ALLOW, DRAFT_ENFORCE, OPERATION_INVOKE, U},
    {"opening", DRAFT_ALLOW, DRAFT_ENFORCE, OPERATION_GET_LOCAL_SESSION, O | U},
    {"opening of another front end", DRAFT_ALLOW, DRAFT_ENFORCE, OPERATION_BIND, O | U},
    {"use of another front end", DRAFT_ALLOW, DRAFT_ENFORCE, OPERATION_ACTION, U},
    {"use, nothing to permit", DRAFT_ALLOW, DRAFT_PERMISSIVE, OPERATION_INVOKE, U},
};

/* Each set of bits: given by the rule, inherited by the rule, and of the default. */
START_TEST(audit_matrix)
{
    for (unsigned audit = 0; audit < 8; audit++) {
        for (int given = 0; given <= 1; given++) {
            const struct draft_rule rule = {.name = "r",
                                            .decision = records[_i].wanted,
                                            .has_audit = given == 1,
                                            .audit = given == 1 ? audit : ~audit & 7};
            struct draft_settings settings = plain_settings();
            settings.mode = records[_i].mode;
            settings.decision = records[_i].wanted;
            settings.audit = given == 1 ? ~audit & 7 : audit;
            const struct policy *policy = compile(&settings, &rule, 1);
            const struct policy *rest = compile(&settings, NULL, 0);
            const struct policy_call call = {.operation = records[_i].operation, .opened_as = &web};
            bool wanted = (audit & records[_i].asked_by) != 0;
            ck_assert_msg(ask(policy, &call).recorded == wanted, "%s, %u", records[_i].what, audit);
            ck_assert_msg(ask(rest, &call).recorded ==
                              (given == 1 ? (~audit & records[_i].asked_by) != 0 : wanted),
                          "%s, %u, default", records[_i].what, audit);
            policy_release(policy);
            policy_release(rest);
        }
    }
}
END_TEST

/* ---- revocation -------------------------------------------------------------------------- */

static const struct {
    enum draft_on_mismatch on_mismatch;
    enum draft_mode mode;
    miguard_components mismatch;
    int by_rule; /* a rule that denies; else the default */
    int revoke;
} revocations[] = {
    {DRAFT_MISMATCH_REVOKE, DRAFT_ENFORCE, EUID, NO, YES},
    {DRAFT_MISMATCH_REVOKE, DRAFT_ENFORCE, EUID, YES, YES},
    {DRAFT_MISMATCH_REVOKE, DRAFT_ENFORCE, SAME, NO, NO}, /* denied, but not for a mismatch */
    {DRAFT_MISMATCH_REVOKE, DRAFT_ENFORCE, SAME, YES, NO},
    {DRAFT_MISMATCH_REVOKE, DRAFT_PERMISSIVE, EUID, NO, NO}, /* not denied */
    {DRAFT_MISMATCH_REVOKE, DRAFT_PERMISSIVE, EUID, YES, NO},
    {DRAFT_MISMATCH_REVOKE, DRAFT_ENFORCE, NNP, YES, NO}, /* a rule allows it */
    {DRAFT_MISMATCH_DENY, DRAFT_ENFORCE, EUID, NO, NO},
    {DRAFT_MISMATCH_DENY, DRAFT_ENFORCE, EUID, YES, NO},
};

START_TEST(revocation)
{
    static const struct draft_rule denying[] = {
        {.name = "same", .decision = DRAFT_DENY},
        {.name = "euid", .match = {.mismatch = EUID}, .decision = DRAFT_DENY},
        {.name = "nnp", .match = {.mismatch = NNP}, .decision = DRAFT_ALLOW},
    };
    struct draft_settings settings = plain_settings();
    settings.decision = DRAFT_DENY;
    settings.on_mismatch = revocations[_i].on_mismatch;
    settings.on_mismatch_place = (struct policy_place){"d.yaml", 3, 3};
    settings.mode = revocations[_i].mode;
    const struct policy *policy = compile(&settings, denying, revocations[_i].by_rule ? 3 : 0);
    const struct policy_call call = {
        .operation = OPERATION_INVOKE, .opened_as = &web, .mismatch = revocations[_i].mismatch};
    struct policy_verdict verdict = ask(policy, &call);

    ck_assert_int_eq(verdict.revoke, revocations[_i].revoke);
    ck_assert_int_eq(policy_revokes(policy), revocations[_i].on_mismatch == DRAFT_MISMATCH_REVOKE);
    if (!revocations[_i].by_rule) {
        ck_assert_str_eq(verdict.source,
                         revocations[_i].mismatch != 0 ? "d.yaml:3:3" : "d.yaml:2:3");
    }
    policy_release(policy);
}
END_TEST

/* ---- explain ----------------------------------------------------------------------------- */

START_TEST(explain_says_why_each_rule_does_not_apply)
{
    static const struct draft_rule several[] = {
        {.name = "differs", .match = {.mismatch = EUID}, .decision = DRAFT_DENY},
        {.name = "operation", .match = {.operations = ONLY(INVOKE)}, .decision = DRAFT_DENY},
        {.name = "user", .match = {.users = {only_root, 1}}, .decision = DRAFT_DENY},
        {.name = "class", .match = {.classes = {middle, 1}}, .decision = DRAFT_DENY},
        {.name = "applies", .decision = DRAFT_DENY},
        {.name = "behind", .decision = DRAFT_DENY},
    };
    static const char *const why[] = {
        "its mismatch is for calls whose identity differs", "its operation does not have this one",
        "its user does not cover the identity that opened the session", "its class does not match"};
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, several, LENGTH(several));
    const struct policy_call call = {
        .operation = OPERATION_GET_INSTANCE, .opened_as = &web, .class_name = "Web_Site"};
    struct watch watch;

    ck_assert_str_eq(ask_watched(policy, &call, &watch).rule, "applies");
    ck_assert_uint_eq(watch.seen, 5);
    for (int i = 0; i < LENGTH(why); i++) {
        ck_assert_str_eq(watch.why_not[i], why[i]);
    }
    ck_assert_ptr_null(watch.why_not[4]);
    ck_assert_str_eq(policy_explain(policy, &call, NULL, NULL).rule, "applies"); /* unwatched */
    policy_release(policy);
}
END_TEST

/* ---- compiling --------------------------------------------------------------------------- */

/* Nothing of the draft is needed afterwards: it is overwritten before the policy is asked. */
START_TEST(a_policy_copies_its_draft)
{
    char name[] = "kept", reason[] = "kept, too", file[] = "kept.yaml", glob[] = "Web_*";
    struct draft_range range = {33, 33, NULL};
    struct draft_glob class_glob = {glob};
    struct draft_rule rule = {.place = {file, 12, 34},
                              .name = name,
                              .reason = reason,
                              .match = {.users = {&range, 1}, .classes = {&class_glob, 1}},
                              .decision = DRAFT_DENY};
    struct draft_settings settings = plain_settings();
    settings.audit_failure_denies = true;
    settings.compared = EUID | FSUID;
    const struct policy *policy = compile(&settings, &rule, 1);
    const struct policy_call call = {
        .operation = OPERATION_INVOKE, .opened_as = &web, .class_name = "Web_Site"};

    memset(name, 'x', sizeof(name) - 1);
    memset(reason, 'x', sizeof(reason) - 1);
    memset(file, 'x', sizeof(file) - 1);
    memset(glob, 'x', sizeof(glob) - 1);
    memset(&range, 0, sizeof(range));
    memset(&rule, 0, sizeof(rule));
    struct policy_verdict verdict = ask(policy, &call);
    ck_assert_str_eq(verdict.rule, "kept");
    ck_assert_str_eq(verdict.reason, "kept, too");
    ck_assert_str_eq(verdict.source, "kept.yaml:12:34");
    ck_assert(verdict.audit_failure_denies);
    ck_assert_uint_eq(policy_compared(policy), EUID | FSUID);
    ck_assert_uint_eq(policy_rule_count(policy), 1);
    policy_release(policy);
}
END_TEST

START_TEST(compile_refuses_what_no_loader_gives)
{
    static const struct draft_rule inverted = {.name = "r",
                                               .match = {.as_groups = {inverted_range, 1}}};
    struct policy_draft draft = {.rules = &inverted, .rule_count = 1};
    const struct policy *policy = policy_builtin;

    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_INVALID_ARGUMENT);
    draft.rule_count = DRAFT_MAX_RULES + 1;
    struct draft_rule *many = base_alloc(draft.rule_count, sizeof(*many));
    for (uint32_t i = 0; i < draft.rule_count; i++) {
        many[i].name = "r";
    }
    draft.rules = many;
    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_eq(policy, policy_builtin); /* untouched */
    draft.rule_count = DRAFT_MAX_RULES;
    ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_OK);
    ck_assert_uint_eq(policy_rule_count(policy), DRAFT_MAX_RULES);
    policy_release(policy);
    base_free(many);
}
END_TEST

/*
 * More ranges or globs than the index keeps apart: it gets coarse, and the answer stays right. Rule
 * i has the ids or names 3 x (i + j x 1024) for each j; every other name is a prefix. The policy is
 * as large with QUICK=1 and EMULATED=1, which ask about fewer of its ids.
 */
enum { MANY = DRAFT_MAX_RULES, EACH = 8 };

static struct draft_rule many_rules[MANY];
static struct draft_range many_ranges[MANY][EACH];
static struct draft_glob many_globs[MANY][EACH];
static char many_names[MANY][EACH][16];

static const struct policy *make_many(bool by_class)
{
    struct draft_settings settings = plain_settings();

    for (uint32_t i = 0; i < MANY; i++) {
        for (uint32_t j = 0; j < EACH; j++) {
            uint32_t id = (j * MANY + i) * 3;
            many_ranges[i][j] = (struct draft_range){id, id, ""};
            snprintf(many_names[i][j], sizeof(many_names[i][j]), "C%u%s", id,
                     j % 2 == 0 ? "" : "_*");
            many_globs[i][j].text = many_names[i][j];
        }
        many_rules[i] = (struct draft_rule){.name = many_names[i][0], .decision = DRAFT_DENY};
        if (by_class) {
            many_rules[i].match = (struct draft_match){.classes = {many_globs[i], EACH}};
        } else {
            many_rules[i].match = (struct draft_match){.users = {many_ranges[i], EACH}};
        }
    }
    return compile(&settings, many_rules, MANY);
}

START_TEST(a_coarse_index_decides_right)
{
    const struct policy *policy = make_many(_i == 1);
    const uint32_t step = getenv("EMULATED") != NULL ? 61 : getenv("QUICK") != NULL ? 7 : 1;

    for (uint32_t id = 0; id < 3 * MANY * EACH; id += step) {
        char class_name[24];
        struct miguard_identity someone = {.tag = IDENTITY_TAG, .known = ALL, .uid = {0, id}};
        snprintf(class_name, sizeof(class_name), "c%u%s", id, id / 3 / MANY % 2 == 0 ? "" : "_a");
        const struct policy_call call = {.opened_as = &someone, .class_name = class_name};
        uint32_t expected = id % 3 == 0 ? id / 3 % MANY : (uint32_t)POLICY_NO_RULE;
        ck_assert_uint_eq(policy_decide(policy, &call).rule_index, expected);
    }
    policy_release(policy);
}
END_TEST

/* ---- the store --------------------------------------------------------------------------- */

START_TEST(store_replaces)
{
    struct draft_settings settings = plain_settings();
    settings.audit = POLICY_AUDIT_SWITCH;
    const struct policy *first = compile(&settings, rules, 1);
    const struct policy *second = compile(&settings, rules, 2);
    struct policy_store store = {.policy = NULL};

    ck_assert_uint_eq(store_audited(&store), POLICY_AUDIT_DENY); /* of no policy */
    store_init(&store, policy_builtin);
    uint64_t generation = store_generation(&store);
    ck_assert_ptr_eq(store_get(&store), policy_builtin);
    ck_assert_uint_eq(store_audited(&store), policy_audited(policy_builtin));
    store_set(&store, first);
    ck_assert_uint_eq(store_audited(&store), POLICY_AUDIT_SWITCH);
    ck_assert_uint_gt(store_generation(&store), generation);
    policy_release(first); /* the store has its own reference */
    const struct policy *got = store_get(&store);
    ck_assert_ptr_eq(got, first);
    store_set(&store, second);
    ck_assert_uint_eq(policy_rule_count(got), 1); /* ours still */
    policy_release(got);
    got = store_get(&store);
    ck_assert_ptr_eq(got, second);
    policy_release(got);
    policy_release(second);
    store_release(&store);
}
END_TEST

/* ---- names of operations ------------------------------------------------------------------ */

START_TEST(operations_have_names)
{
    enum operation found = OPERATION_COUNT;

    for (unsigned a = 0; a < OPERATION_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            ck_assert_str_ne(operation_name((enum operation)a), operation_name((enum operation)b));
        }
        ck_assert(operation_from_name(operation_name((enum operation)a), &found));
        ck_assert_int_eq(found, (int)a);
    }
    ck_assert_str_eq(operation_name(OPERATION_GET_LOCAL_SESSION), "GetLocalSession");
    ck_assert_str_eq(operation_name(OPERATION_CALLBACK), "Callback");
    ck_assert_str_eq(operation_name(OPERATION_COUNT), "unknown");
    found = OPERATION_INVOKE;
    ck_assert(!operation_from_name("unknown", &found));
    ck_assert(!operation_from_name("invoke", &found));
    ck_assert(!operation_from_name("", &found));
    ck_assert(!operation_from_name(NULL, &found));
    ck_assert_int_eq(found, OPERATION_INVOKE); /* untouched */
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        ck_assert(operation_opens((enum operation)i) ==
                  (i == OPERATION_GET_LOCAL_SESSION || i == OPERATION_BIND));
    }
}
END_TEST

/* ---- own actions -------------------------------------------------------------------------- */

#define LONG64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name;
    bool valid;
} action_names[] = {
    {"upload", true},
    {"admin.delete", true},
    {"fs:write/part-2", true},
    {"x", true},
    {LONG64 LONG64, true},
    {LONG64 LONG64 "x", false},
    {"", false},
    {NULL, false},
    {"two words", false},
    {"caf\xC3\xA9", false},
    {"a*", false},
    {"a\n", false},
    {"getInstance", true} /* another name than the next */,
    {"GetInstance", false},
    {"Bind", false},
    {"Action", false},
};

START_TEST(names_of_own_actions)
{
    ck_assert_msg(action_name_valid(action_names[_i].name) == action_names[_i].valid, "%s",
                  action_names[_i].name);
}
END_TEST

/* What cannot be read may be each that a rule asks for, in the whole policy and in a view: the
 * strictest answer stands, and a rule that does not ask decides as ever. */
static char too_long[POLICY_RESOURCE + 1], just_fits[POLICY_RESOURCE];

static const struct {
    const char *action, *resource;
    const char *rule; /* that decides */
    bool doubt;
} readings[] = {
    {"upload", "/srv/a", "shared", false},
    {"upload", "/srv/caf\xC3\xA9", "shared", false},
    {"upload", "/etc/passwd", "default", false},
    {"upload", NULL, "default", false},
    {"upload", "/etc/\xFF", "shared", true},         /* not UTF-8 at all */
    {"upload", "/etc/\xC0\xAF", "shared", true},     /* a "/" written too long */
    {"upload", "/etc/\xED\xA0\x80", "shared", true}, /* a surrogate */
    {"upload", "/etc/caf\xC3", "shared", true},      /* cut in two */
    {"upload", just_fits, "default", false},
    {"upload", too_long, "shared", true},
    {"stat", "/etc/\xFF", "stat", false}, /* nothing that decides asks for it */
    {NULL, "/etc/passwd", "stat", true},  /* an own action without a name may be any */
    {"", "/etc/passwd", "stat", true},
};

START_TEST(unreadable_is_not_let_through)
{
    static const struct draft_glob stat_name[] = {{"stat"}};
    static const struct draft_rule named[] = {
        {.name = "stat", .has_match = true, .match = {.actions = {stat_name, 1}}},
        {.name = "shared", .has_match = true, .match = {.resources = {below_srv, 1}}},
    };
    struct draft_settings settings = plain_settings();
    const struct policy *policy = compile(&settings, named, 2);
    const struct policy_call call = {.operation = OPERATION_ACTION,
                                     .opened_as = &web,
                                     .action = readings[_i].action,
                                     .resource = readings[_i].resource};

    memset(just_fits, 'x', sizeof(just_fits) - 1);
    memset(too_long, 'x', sizeof(too_long) - 1);
    struct policy_verdict decided = policy_decide(policy, &call);
    struct policy_view *view = NULL;
    ck_assert_int_eq(policy_narrow(policy, &web, NULL, &view), MIGUARD_OK);
    struct policy_verdict narrowed = policy_view_decide(view, &call);
    ck_same_verdict(&decided, &narrowed);
    ck_assert_int_eq(decided.name_invalid, narrowed.name_invalid);
    ck_assert_str_eq(decided.rule, readings[_i].rule);
    ck_assert(decided.name_invalid == readings[_i].doubt);
    ck_assert(decided.decision ==
              (strcmp(readings[_i].rule, "default") == 0 ? POLICY_ALLOW : POLICY_DENY));
    policy_view_free(view);
    policy_release(policy);
}
END_TEST

/* ---- bytes and characters --------------------------------------------------------------------
 */

enum { GLOB_CASES = 20000 };

static uint64_t chance = 1;

static unsigned below(unsigned limit)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance >> 20) % limit;
}

/* Few letters, so that stars have a choice. */
static void make_text(char text[16], const char *const parts[], unsigned count)
{
    text[0] = '\0';
    for (unsigned left = below(7); left > 0; left--) {
        strcat(text, parts[below(count)]);
    }
}

/* Patterns of ASCII compare byte by byte, all others character by character: no name tells which.
 */
START_TEST(bytes_match_as_characters_do)
{
    static const char *const glob_parts[] = {"a", "A", "b", "*", "*", "**", "?", "\\*", "\xC3\xA9"};
    static const char *const name_parts[] = {"a", "A", "b", "*", "?", "\xC3\xA9", "\xC3", "\xA9"};

    for (unsigned i = 0; i < GLOB_CASES; i++) {
        char glob[16], name[16];
        make_text(glob, glob_parts, i % 3 == 0 ? 9 : 6);
        make_text(name, name_parts, 8);
        const struct draft_glob one = {glob};
        struct draft_rule rule = {.name = "one",
                                  .place = {.file = "t"},
                                  .match = {.resources = {&one, 1}},
                                  .decision = DRAFT_DENY};
        struct policy_draft draft = {.rules = &rule, .rule_count = 1};
        const struct policy *policy = NULL;
        ck_assert_int_eq(policy_compile(&draft, &policy), MIGUARD_OK);
        const struct policy_call call = {
            .operation = OPERATION_ACTION, .opened_as = &root, .action = "read", .resource = name};
        const struct policy_verdict verdict = policy_decide(policy, &call);
        bool expected = draft_glob_matches(glob, name, false);
        ck_assert_msg((verdict.rule_index == 0) == expected || verdict.name_invalid,
                      "'%s' and '%s': %d, rule %u at case %u", glob, name, expected,
                      verdict.rule_index, i);
        policy_release(policy);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *decisions = tcase_create("decide");
    tcase_add_loop_test(decisions, builtin, 0, LENGTH(builtin_rows));
    tcase_add_test(decisions, builtin_compares_everything_on_every_operation);
    tcase_add_test(decisions, builtin_is_not_counted);
    tcase_add_test(decisions, zeroed_verdict_refuses);
    tcase_add_test(decisions, no_identity_differs_in_everything);
    tcase_add_loop_test(decisions, keys_match, 0, LENGTH(keys));
    tcase_add_test(decisions, a_rule_must_cover_every_differing_component);
    tcase_add_loop_test(decisions, first_match_wins, 0, LENGTH(rows));
    tcase_add_test(decisions, a_view_serves_every_operation);
    tcase_add_loop_test(decisions, permissive_matrix, 0, LENGTH(modes));
    tcase_add_test(decisions, default_decision_is_not_for_a_mismatch);
    tcase_add_loop_test(decisions, audit_matrix, 0, LENGTH(records));
    tcase_add_loop_test(decisions, revocation, 0, LENGTH(revocations));
    suite_add_tcase(suite, decisions);
    TCase *rest = tcase_create("explain, compile, store");
    tcase_add_test(rest, explain_says_why_each_rule_does_not_apply);
    tcase_add_test(rest, a_policy_copies_its_draft);
    tcase_add_test(rest, compile_refuses_what_no_loader_gives);
    tcase_add_loop_test(rest, a_coarse_index_decides_right, 0, 2);
    tcase_add_test(rest, store_replaces);
    tcase_add_test(rest, operations_have_names);
    tcase_add_test(rest, bytes_match_as_characters_do);
    tcase_add_loop_test(rest, names_of_own_actions, 0, LENGTH(action_names));
    tcase_add_loop_test(rest, unreadable_is_not_let_through, 0, LENGTH(readings));
    tcase_set_timeout(rest, 60);
    suite_add_tcase(suite, rest);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
