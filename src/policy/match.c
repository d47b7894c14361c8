/* SPDX-License-Identifier: MIT */
/*
 * Whether one rule applies to one call: the only place that says so. Every key is asked by a
 * function of its own; an absent key is satisfied by everything, a present one never by what is not
 * known.
 */
#include "policy/compiled.h"

struct question policy_question_of(const struct policy_call *call)
{
    bool known = identity_valid(call->opened_as);
    struct question question = {
        .operation = call->operation,
        /* Who opened the session cannot be proved: differs in everything (invariant 1). */
        .mismatch = known ? call->mismatch : (miguard_components)MIGUARD_COMPONENTS_ALL,
        .opened = known ? call->opened_as : NULL,
        .provider = call->provider != NULL ? call->provider : "",
        .name_space = call->name_space != NULL ? call->name_space : "",
        .class_name = call->class_name != NULL ? call->class_name : "",
        .method = call->method != NULL ? call->method : "",
        .unreadable = call->unreadable,
    };
    if (call->used_as != NULL) {
        question.used = identity_valid(call->used_as) ? call->used_as : NULL;
    } else if (question.mismatch == 0) {
        question.used = question.opened;
    }
    return question;
}

/* UINT32_MAX is (uid_t)-1, which is nobody's id, however far a range reaches (invariant 1). */
static bool ranges_have(const struct ranges *ranges, uint32_t id)
{
    uint32_t low = 0, high = ranges->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges->items[middle].last < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranges->count && ranges->items[low].first <= id && id != UINT32_MAX;
}

static bool user_covered(const struct ranges *users, const struct miguard_identity *identity)
{
    return users->count == 0 ||
           (identity != NULL && (identity->known & MIGUARD_COMPONENT_EUID) != 0 &&
            ranges_have(users, identity->uid[IDENTITY_E]));
}

static bool group_covered(const struct ranges *groups, const struct miguard_identity *identity)
{
    if (groups->count == 0) {
        return true;
    }
    if (identity == NULL) {
        return false;
    }
    if ((identity->known & MIGUARD_COMPONENT_EGID) != 0 &&
        ranges_have(groups, identity->gid[IDENTITY_E])) {
        return true;
    }
    if ((identity->known & MIGUARD_COMPONENT_GROUPS) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < identity->group_count; i++) {
        if (ranges_have(groups, identity->groups[i])) {
            return true;
        }
    }
    return false;
}

static bool capability_covered(uint64_t wanted, const struct miguard_identity *identity)
{
    return wanted == 0 ||
           (identity != NULL && (identity->known & MIGUARD_COMPONENT_CAP_EFFECTIVE) != 0 &&
            (identity->cap[IDENTITY_CAP_EFFECTIVE] & wanted) != 0);
}

static unsigned char fold(char c, bool ignore_case)
{
    unsigned char byte = (unsigned char)c;

    return ignore_case && byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool plain_matches(const struct glob *glob, const char *name, bool ignore_case)
{
    for (uint32_t i = 0; i < glob->plain_length; i++) { /* stops at the end of a shorter name */
        if (fold(glob->text[i], ignore_case) != fold(name[i], ignore_case)) {
            return false;
        }
    }
    return glob->open || name[glob->plain_length] == '\0';
}

static bool name_covered(const struct globs *globs, const char *name, bool ignore_case)
{
    for (uint32_t i = 0; i < globs->count; i++) {
        const struct glob *glob = &globs->items[i];
        if (glob->plain ? plain_matches(glob, name, ignore_case)
                        : draft_glob_matches(glob->text, name, ignore_case)) {
            return true;
        }
    }
    return globs->count == 0;
}

static const char *call_why_not(const struct rule *rule, const struct question *question)
{
    if (question->mismatch == 0 && rule->mismatch != 0) {
        return "its mismatch is for calls whose identity differs";
    }
    if (question->mismatch != 0 && rule->mismatch == 0) {
        return "it has no mismatch and is for calls whose identity is the same";
    }
    if ((question->mismatch & ~rule->mismatch) != 0) {
        return "its mismatch does not cover every differing component";
    }
    if (rule->operations != 0 && ((unsigned)question->operation >= OPERATION_COUNT ||
                                  (rule->operations >> question->operation & 1) == 0)) {
        return "its operation does not have this one";
    }
    return NULL;
}

const char *policy_opened_why_not(const struct rule *rule, const struct miguard_identity *opened,
                                  const char *provider)
{
    if (!user_covered(&rule->users, opened)) {
        return "its user does not cover the identity that opened the session";
    }
    if (!group_covered(&rule->groups, opened)) {
        return "its group does not cover the identity that opened the session";
    }
    if (!capability_covered(rule->capabilities, opened)) {
        return "its capability is not in effect in the identity that opened the session";
    }
    if (!name_covered(&rule->providers, provider, false)) {
        return provider[0] == '\0' ? "its provider asks for one, and the call has none"
                                   : "its provider does not match the one that calls";
    }
    return NULL;
}

const char *policy_used_why_not(const struct rule *rule, const struct miguard_identity *used)
{
    if (!user_covered(&rule->as_users, used)) {
        return used == NULL ? "its as-user asks for an identity of use that is not known"
                            : "its as-user does not cover the identity that uses the session";
    }
    if (!group_covered(&rule->as_groups, used)) {
        return used == NULL ? "its as-group asks for an identity of use that is not known"
                            : "its as-group does not cover the identity that uses the session";
    }
    if (!capability_covered(rule->as_capabilities, used)) {
        return used == NULL
                   ? "its as-capability asks for an identity of use that is not known"
                   : "its as-capability is not in effect in the identity that uses the session";
    }
    return NULL;
}

static bool space_unreadable(const struct question *question)
{
    return (question->unreadable & CIM_UNREADABLE_SPACE) != 0;
}

static bool class_unreadable(const struct question *question)
{
    return (question->unreadable & CIM_UNREADABLE_CLASS) != 0;
}

static bool method_unreadable(const struct question *question)
{
    return (question->unreadable & CIM_UNREADABLE_METHOD) != 0;
}

const char *policy_rule_doubt(const struct rule *rule, const struct question *question)
{
    if (space_unreadable(question) && rule->namespaces.count > 0) {
        return "it may apply: the call's namespace cannot be read";
    }
    if (class_unreadable(question) && rule->classes.count > 0) {
        return "it may apply: the call's class cannot be read";
    }
    if (method_unreadable(question) && rule->methods.count > 0) {
        return "it may apply: the call's method cannot be read";
    }
    return NULL;
}

static const char *target_why_not(const struct rule *rule, const struct question *question)
{
    if (!space_unreadable(question) &&
        !name_covered(&rule->namespaces, question->name_space, true)) {
        return question->name_space[0] == '\0' ? "its namespace asks for one, and the call has none"
                                               : "its namespace does not match";
    }
    if (!class_unreadable(question) && !name_covered(&rule->classes, question->class_name, true)) {
        return question->class_name[0] == '\0' ? "its class asks for one, and the call has none"
                                               : "its class does not match";
    }
    if (!method_unreadable(question) && !name_covered(&rule->methods, question->method, true)) {
        return question->method[0] == '\0' ? "its method asks for one, and the call has none"
                                           : "its method does not match";
    }
    return NULL;
}

const char *policy_rule_why_not(const struct rule *rule, const struct question *question)
{
    const char *why_not = call_why_not(rule, question);

    if (why_not == NULL) {
        why_not = policy_opened_why_not(rule, question->opened, question->provider);
    }
    if (why_not == NULL) {
        why_not = policy_used_why_not(rule, question->used);
    }
    if (why_not == NULL) {
        why_not = target_why_not(rule, question);
    }
    return why_not;
}
