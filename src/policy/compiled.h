/* SPDX-License-Identifier: MIT */
/*
 * A compiled policy from the inside, for the files of this folder only.
 *
 * Two things decide together. policy_rule_why_not() (match.c) is the truth: whether one rule
 * applies to one call. The index (index.c) only says which rules need not be asked: it may keep a
 * rule that does not apply, and must never lose one that does. policy_explain() asks every rule,
 * policy_decide() those that the index leaves, both in order and by the same function, so they can
 * differ only by a fault of the index, which tests/table/policy_random_test.c looks for.
 */
#ifndef POLICY_COMPILED_H
#define POLICY_COMPILED_H

#include <stdatomic.h>

#include "policy/policy.h"

/* ---- one rule ------------------------------------------------------------------------------- */

/* Both ends belong to it. */
struct range {
    uint32_t first, last;
};

/* In ascending order, neither overlapping nor touching. count 0: the key is absent. */
struct ranges {
    const struct range *items;
    uint32_t count;
};

/* Most globs are of bytes: ASCII, nothing quoted, and no "?", which stands for a whole character.
 * Those compare byte by byte, since no byte of ASCII is a part of a longer character (RFC 3629);
 * the others go to draft_glob_matches(). */
struct glob {
    const char *text;
    uint32_t length;
    uint32_t before, behind; /* bytes before the first "*", and behind the last; only of bytes */
    bool bytes;
    bool stars; /* has a "*"; only of bytes */
};

/* count 0: the key is absent, or one of its globs is "*". */
struct globs {
    const struct glob *items;
    uint32_t count;
};

/* What a rule or a default says once it is found. */
struct outcome {
    enum policy_decision decision;
    bool permissive;
    unsigned audit; /* enum policy_audit bits */
    const char *name, *source, *reason;
};

/* The shapes of model/match_keys.h as a rule has them. */
typedef struct ranges rule_ranges;
typedef struct globs rule_globs;
typedef struct globs rule_names;    /* count 0 is absent; "*" is not */
typedef struct ranges rule_members; /* as they were written, not merged */
typedef uint64_t rule_capabilities; /* 0: the key is absent */
typedef uint32_t rule_operations;   /* 1 << enum operation; 0: the key is absent */
typedef struct draft_times rule_times;
typedef miguard_components rule_components; /* 0: a rule for calls whose identity is the same */

/* Members as model/match_keys.h lists them; the outcome is what the rule says once it applies. */
struct rule {
#define RULE_KEY(member, key, shape, ...) rule_##shape member;
    MATCH_KEY_MAP(RULE_KEY)
#undef RULE_KEY
    const struct rule *except; /* not: none of its keys may hold; it has no outcome. Or NULL */
    struct outcome outcome;
};

/* One entry of clients:. */
struct client_rule {
    struct globs providers;
    enum draft_may may;
    const char *source;
};

/* Whether the name fits one of the globs; no globs fit every name. */
bool policy_globs_match(const struct globs *globs, const char *name, enum match_kind kind);

/* A call made ready for matching. */
struct question {
    enum operation operation;
    miguard_components mismatch;
    const struct miguard_identity *opened, *used; /* NULL: not known, and no key covers it */
    const struct identity_names *user_names, *group_names; /* of opened; of none without one */
    const char *name_space, *class_name, *method;          /* "" for none */
#define QUESTION_FACT(member, key) const char *member;     /* "" for none */
    MATCH_FACT_MAP(QUESTION_FACT)
#undef QUESTION_FACT
    bool permissive; /* of the provider */
    int64_t moment;  /* seconds since 1970; nothing when CALL_UNREADABLE_TIME */
    unsigned unreadable;
};

/* The host and the time that the call does not give are found here, so that no caller can forget
 * them. NULL names become "", and an identity that is not valid becomes NULL, which no key covers.
 */
void policy_question_of(const struct policy *policy, const struct policy_call *call,
                        struct question *ret_question);

/* Whether the moment is one of these. */
bool policy_time_within(const struct draft_times *times, int64_t moment);

/* The id that a key of ranges is asked of, and its component, which must be known. Of a group the
 * supplementary ones come to it. */
struct match_id {
    uint32_t id;
    miguard_components component;
};

/* For kinds without ranges an id that no range has. */
static inline struct match_id match_id_of(const struct miguard_identity *identity,
                                          enum match_kind kind)
{
    switch (kind) {
    case MATCH_USER:
        return (struct match_id){identity->uid[IDENTITY_E], MIGUARD_COMPONENT_EUID};
    case MATCH_GROUP:
        return (struct match_id){identity->gid[IDENTITY_E], MIGUARD_COMPONENT_EGID};
    case MATCH_FILE_NAME:
    case MATCH_NAMESPACE:
    case MATCH_CIM_NAME:
    case MATCH_ACTION:
    case MATCH_ACCOUNT:
    case MATCH_RESOURCE:
    case MATCH_CAPABILITY:
    case MATCH_OPERATION:
    case MATCH_COMPONENT:
    case MATCH_HOST:
    case MATCH_MOMENT:
        break; /* no ranges */
    }
    return (struct match_id){UINT32_MAX, 0};
}

/* Why the rule does not apply, or NULL when it does, or may. */
const char *policy_rule_why_not(const struct rule *rule, const struct question *question);

/* Why it is not certain that a rule applies which may, or NULL: it asks for an unreadable name. */
const char *policy_rule_doubt(const struct rule *rule, const struct question *question);

/* The phases that narrow.c decides ahead of the call: what is called, */
const char *policy_call_why_not(const struct rule *rule, const struct question *question);
/* who opened the session, by which provider, */
const char *policy_opened_why_not(const struct rule *rule, const struct question *question);
/* and who uses it. */
const char *policy_used_why_not(const struct rule *rule, const struct question *question);

/* Whether the rule asks for what a call names, so that it is not known before the call. */
bool policy_rule_has_target(const struct rule *rule);

/* ---- sets of rules -------------------------------------------------------------------------- */

/* One bit a rule. All sets have the full size, so that a decision over ten rules and one over a
 * thousand take the same steps. */
enum { RULE_WORDS = DRAFT_MAX_RULES / 64 };

/* 128 bytes: copied by value. */
struct rule_set {
    uint64_t word[RULE_WORDS];
};

/* rule is below DRAFT_MAX_RULES, as for all of these. */
static inline void rule_set_add(struct rule_set *set, uint32_t rule)
{
    set->word[rule / 64] |= UINT64_C(1) << rule % 64;
}

/* Whether the rule is a member. */
static inline bool rule_set_has(const struct rule_set *set, uint32_t rule)
{
    return (set->word[rule / 64] >> rule % 64 & 1) != 0;
}

/* What either has. */
static inline void rule_set_join(struct rule_set *set, const struct rule_set *other)
{
#pragma GCC unroll 16
    for (int i = 0; i < RULE_WORDS; i++) {
        set->word[i] |= other->word[i];
    }
}

/* What both have. */
static inline void rule_set_keep(struct rule_set *set, const struct rule_set *other)
{
#pragma GCC unroll 16
    for (int i = 0; i < RULE_WORDS; i++) {
        set->word[i] &= other->word[i];
    }
}

/* The first member that is not below `from`, or POLICY_NO_RULE. */
uint32_t rule_set_next(const struct rule_set *set, uint32_t from);

/* ---- the index ------------------------------------------------------------------------------ */

/* Beyond these the index gets coarser, never wrong, so that no policy can make it large. */
enum {
    INDEX_MAX_INTERVALS = 2048,
    INDEX_MAX_NAMES = 4096,
    INDEX_MAX_PREFIX = 63, /* characters of a glob before its first wildcard that are looked at */
};

/* Rules by id: interval i is starts[i] to starts[i + 1] - 1. count 0: no rule has the key. */
struct id_index {
    uint32_t *starts;
    struct rule_set *sets; /* [count]: rules that an id of the interval may satisfy */
    struct rule_set absent;
    uint32_t count;
};

/* By the capabilities in effect. */
struct capability_index {
    struct rule_set sets[64]; /* rules that this capability satisfies */
    struct rule_set absent;
    uint64_t used; /* capabilities that any rule names */
};

/* Two names of the same hash share a set, which only makes it larger. */
struct name_slot {
    uint32_t hash;
    uint32_t set; /* index into sets, + 1; 0: the slot is free */
};

/* Rules by the hash of a whole name or of what stands before a glob's first wildcard. */
struct name_index {
    struct name_slot *slots;
    struct rule_set *sets;
    struct rule_set always;       /* the key is absent, or starts with a wildcard */
    uint32_t mask;                /* slots - 1 */
    uint32_t count, limit;        /* of sets */
    uint64_t lengths;             /* 1 << length of each prefix that is there */
    uint64_t whole;               /* 1 << length of each whole name that is there */
    uint32_t longest;             /* of the whole names */
    bool given;                   /* some rule has the key */
    uint32_t step[UINT8_MAX + 1]; /* what each byte adds to a hash: folded where case is ignored */
};

/* By operation. */
struct operation_index {
    struct rule_set sets[OPERATION_COUNT];
    struct rule_set absent;
};

/* By the components that differ: a rule must cover each of them. */
struct component_index {
    struct rule_set same; /* rules for calls whose identity is the same */
    struct rule_set covers[MIGUARD_COMPONENT_COUNT];
};

/* Of times: which rules hold changes while nothing is called, so there is nothing to look up. Of
 * members and names: few rules have them, and each is asked. */
struct no_index {
    char unused;
};

/* The shapes of model/match_keys.h as the index has them. */
typedef struct id_index index_ranges;
typedef struct name_index index_globs;
typedef struct no_index index_members;
typedef struct no_index index_names;
typedef struct capability_index index_capabilities;
typedef struct operation_index index_operations;
typedef struct component_index index_components;
typedef struct no_index index_times;

/* One index for each key, and the set of all rules to begin with. */
struct rule_index {
    struct rule_set all;
#define INDEX_KEY(member, key, shape, ...) index_##shape member;
    MATCH_KEY_MAP(INDEX_KEY)
#undef INDEX_KEY
};

/* false: out of memory, and what was made is to be released all the same. */
MIGUARD_CHECKED bool policy_index_build(struct rule_index *index, const struct rule *rules,
                                        uint32_t rule_count);
/* Safe for one that was built in part. */
void policy_index_release(struct rule_index *index);

/* Each takes away rules that cannot apply to the question, by the keys of one phase. */
void policy_index_by_call(const struct rule_index *index, const struct question *question,
                          struct rule_set *set);
/* By what differs. */
void policy_index_by_identity(const struct rule_index *index, const struct question *question,
                              struct rule_set *set);
/* By who opened the session and by which provider. */
void policy_index_by_opened(const struct rule_index *index, const struct question *question,
                            struct rule_set *set);
/* By who uses it. */
void policy_index_by_used(const struct rule_index *index, const struct question *question,
                          struct rule_set *set);
/* By namespace, class, method and resource. */
void policy_index_by_target(const struct rule_index *index, const struct question *question,
                            struct rule_set *set);

/* ---- the policy ----------------------------------------------------------------------------- */

/* Never written to after policy_compile(), but for its count of references. */
struct policy {
    _Atomic uint32_t references; /* not used by policy_builtin, which is not written to */
    miguard_components compared;
    bool audit_failure_denies;
    bool revokes;
    enum audit_keys_mode keys;
    char host[66];                /* of this machine, when it was compiled (uname(2)) */
    bool asks_time;               /* a rule has when: */
    bool asks_users, asks_groups; /* a rule has user-name or group-name */
    struct globs permissive;      /* providers whose refusals are let pass; count 0: of none */
    struct outcome same, differs; /* when no rule applies */
    uint32_t rule_count;
    const struct rule *rules;
    uint32_t client_count; /* 0: the key is absent */
    const struct client_rule *clients;
    struct rule_index *index; /* NULL when there is no rule */
    void *parts;              /* what the rules point to */
};

/* Whether refusals of the provider are let pass. */
bool policy_is_permissive(const struct policy *policy, const char *provider);

/* The verdict of the rule, or of the default for POLICY_NO_RULE. permissive: of the provider. */
struct policy_verdict policy_conclude(const struct policy *policy, enum operation operation,
                                      miguard_components mismatch, uint32_t rule, bool permissive);

/* The first of the candidates that applies, or the strictest of those that may. observer may be
 * NULL. */
struct policy_verdict policy_decide_among(const struct policy *policy,
                                          const struct question *question,
                                          const struct rule_set *candidates,
                                          policy_observer observer, void *context);

/* The strictest verdict over the classes of the call; question then asks for the class that it
 * came from. The candidates are those for any target; indexed: thin them for each. */
struct policy_verdict policy_decide_classes(const struct policy *policy,
                                            const struct policy_call *call,
                                            struct question *question,
                                            const struct rule_set *candidates, bool indexed);

#endif
