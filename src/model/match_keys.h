/* SPDX-License-Identifier: MIT */
/*
 * The keys of `match:` in a rule, one row each. From the rows the compiler makes the members of a
 * draft's match, of a compiled rule and of the index, and each walk over the keys: reading,
 * compiling, index, matching and why a rule does not apply, lint, show and fmt. So a key that is
 * missing in one of them does not compile.
 *
 * X(member, "key", shape, KIND, PHASE, value, unreadable, "none", "other")
 *
 *   member      its name in struct draft_match, struct rule and struct rule_index
 *   "key"       as a policy says it; the rows have the order of miguard-policy(5), in which errors,
 *               show and fmt list the keys
 *   shape       what is written there and how it is compared. The functions of a shape have its
 *               name at their end: draft_ (draft.h), rule_ and index_ (compiled.h), read_
 *               (schema_rules.c), sound_ and take_ (compile.c), build_, keep_ and release_
 *               (index.c), given_ and why_not_ (match.c); in tools/policy covers_ and given_
 *               (lint.c), yaml_ and json_ (show.c), same_ (format.c)
 *   KIND        which kind of thing of this shape (enum match_kind)
 *   PHASE       when it is compared (enum match_phase), in the order of the phases, then of the
 * rows value       the member of struct question (policy/compiled.h) that it is compared with
 *   unreadable  the CALL_UNREADABLE_ bit of a value that may exist without being known: the rule
 * may apply then; or 0 "none"      why a rule does not apply to a call that has no such value
 *   "other"     why it does not apply to one that has another
 */
#ifndef MODEL_MATCH_KEYS_H
#define MODEL_MATCH_KEYS_H

#include <stdbool.h>

#define MATCH_KEY_MAP(X)                                                                           \
    X(users, "user", ranges, USER, OPENED, opened, 0,                                              \
      "its user does not cover the identity that opened the session",                              \
      "its user does not cover the identity that opened the session")                              \
    X(as_users, "as-user", ranges, USER, USED, used, 0,                                            \
      "its as-user asks for an identity of use that is not known",                                 \
      "its as-user does not cover the identity that uses the session")                             \
    X(groups, "group", ranges, GROUP, OPENED, opened, 0,                                           \
      "its group does not cover the identity that opened the session",                             \
      "its group does not cover the identity that opened the session")                             \
    X(as_groups, "as-group", ranges, GROUP, USED, used, 0,                                         \
      "its as-group asks for an identity of use that is not known",                                \
      "its as-group does not cover the identity that uses the session")                            \
    X(all_groups, "all-groups", members, GROUP, OPENED, opened, 0,                                 \
      "its all-groups asks for more groups than the identity that opened the session has",         \
      "its all-groups asks for more groups than the identity that opened the session has")         \
    X(as_all_groups, "as-all-groups", members, GROUP, USED, used, 0,                               \
      "its as-all-groups asks for an identity of use that is not known",                           \
      "its as-all-groups asks for more groups than the identity that uses the session has")        \
    X(user_names, "user-name", names, ACCOUNT, OPENED, user_names, CALL_UNREADABLE_USER_NAME,      \
      "its user-name asks for a name, and the user that opened the session has none",              \
      "its user-name does not match the user that opened the session")                             \
    X(group_names, "group-name", names, ACCOUNT, OPENED, group_names, CALL_UNREADABLE_GROUP_NAME,  \
      "its group-name asks for a name, and no group of who opened the session has one",            \
      "its group-name does not match a group of the identity that opened the session")             \
    X(capabilities, "capability", capabilities, CAPABILITY, OPENED, opened, 0,                     \
      "its capability is not in effect in the identity that opened the session",                   \
      "its capability is not in effect in the identity that opened the session")                   \
    X(as_capabilities, "as-capability", capabilities, CAPABILITY, USED, used, 0,                   \
      "its as-capability asks for an identity of use that is not known",                           \
      "its as-capability is not in effect in the identity that uses the session")                  \
    X(providers, "provider", globs, FILE_NAME, OPENED, provider, 0,                                \
      "its provider asks for one, and the call has none",                                          \
      "its provider does not match the one that calls")                                            \
    X(hosts, "host", globs, HOST, OPENED, host, 0, "its host asks for one, and there is no name",  \
      "its host does not match the name of this machine")                                          \
    X(namespaces, "namespace", globs, NAMESPACE, TARGET, name_space, CALL_UNREADABLE_SPACE,        \
      "its namespace asks for one, and the call has none", "its namespace does not match")         \
    X(classes, "class", globs, CIM_NAME, TARGET, class_name, CALL_UNREADABLE_CLASS,                \
      "its class asks for one, and the call has none", "its class does not match")                 \
    X(methods, "method", globs, CIM_NAME, TARGET, method, CALL_UNREADABLE_METHOD,                  \
      "its method asks for one, and the call has none", "its method does not match")               \
    X(resources, "resource", globs, RESOURCE, TARGET, resource, CALL_UNREADABLE_RESOURCE,          \
      "its resource asks for one, and the call has none", "its resource does not match")           \
    X(operations, "operation", operations, OPERATION, CALL, operation, 0,                          \
      "its operation does not have this one", "its operation does not have this one")              \
    X(actions, "action", globs, ACTION, CALL, action, CALL_UNREADABLE_ACTION,                      \
      "its action asks for one, and the call has none", "its action does not match")               \
    X(when, "when", times, MOMENT, TARGET, moment, CALL_UNREADABLE_TIME,                           \
      "its when does not have this time", "its when does not have this time")                      \
    X(mismatch, "mismatch", components, COMPONENT, IDENTITY, mismatch, 0,                          \
      "its mismatch is for calls whose identity differs",                                          \
      "its mismatch does not cover every differing component")

/* The plain texts of a call, with which keys of globs are compared: X(member, "key of given"). Made
 * from it: the members of struct policy_call and struct question, of a test, and given: in
 * tests. */
#define MATCH_FACT_MAP(X)                                                                          \
    X(provider, "provider")                                                                        \
    X(action, "action")                                                                            \
    X(resource, "resource")                                                                        \
    X(host, "host")

/* What of a call cannot be read with certainty: bits. The names of MI are read by
 * policy/cim_name.c, the other two by policy/match.c. */
enum {
    CALL_UNREADABLE_SPACE = 1 << 0,
    CALL_UNREADABLE_CLASS = 1 << 1,
    CALL_UNREADABLE_METHOD = 1 << 2,
    CALL_UNREADABLE_ACTION = 1 << 3,
    CALL_UNREADABLE_RESOURCE = 1 << 4,
    CALL_UNREADABLE_TIME = 1 << 5,       /* no clock, or one that is plainly wrong */
    CALL_UNREADABLE_USER_NAME = 1 << 6,  /* the directory was not asked, or did not answer */
    CALL_UNREADABLE_GROUP_NAME = 1 << 7, /* the same */
};

/* Functions of a shape get the kind where values of one shape are compared in different ways. */
enum match_kind {
    MATCH_USER,      /* ranges: the effective uid */
    MATCH_GROUP,     /* ranges: the effective gid and the supplementary groups */
    MATCH_FILE_NAME, /* globs: compared exactly */
    MATCH_NAMESPACE, /* globs: in the normal form of policy/cim_name.h, whatever their case */
    MATCH_CIM_NAME,  /* globs: a class or method, whatever its case */
    MATCH_ACTION,    /* globs: the name of an operation or of an own action, compared exactly */
    MATCH_ACCOUNT,   /* names: of a user or group, compared exactly */
    MATCH_HOST,      /* globs: the name of the machine (uname(2)), whatever its case */
    MATCH_RESOURCE,  /* globs: what a front end other than MI gives, compared exactly */
    MATCH_CAPABILITY,
    MATCH_OPERATION,
    MATCH_COMPONENT,
    MATCH_MOMENT, /* times: seconds since 1970 */
};

/* The index asks the phases one after the other, and narrow.c answers what is fixed for a session's
 * life once for the session. */
enum match_phase {
    MATCH_IDENTITY, /* does the identity differ? */
    MATCH_CALL,     /* what is called */
    MATCH_OPENED,   /* who opened the session, by which provider: fixed for its life */
    MATCH_USED,     /* who uses it */
    MATCH_TARGET,   /* what the call names, for each of its classes */
};

/* Used for the number of keys, which the reader of policies asserts to have room for. */
enum match_key {
#define MATCH_KEY_ENUM(member, ...) MATCH_KEY_##member,
    MATCH_KEY_MAP(MATCH_KEY_ENUM)
#undef MATCH_KEY_ENUM
        MATCH_KEY_COUNT
};

/* Of globs: the names of CIM ignore the case of ASCII letters (DSP0004), so that no locale decides;
 * the names of files, actions and resources do not. */
static inline bool match_ignores_case(enum match_kind kind)
{
    switch (kind) {
    case MATCH_NAMESPACE:
    case MATCH_CIM_NAME:
    case MATCH_HOST: /* RFC 4343 */
        return true;
    case MATCH_FILE_NAME:
    case MATCH_ACTION:
    case MATCH_ACCOUNT:
    case MATCH_RESOURCE:
        return false;
    case MATCH_USER:
    case MATCH_GROUP:
    case MATCH_CAPABILITY:
    case MATCH_OPERATION:
    case MATCH_COMPONENT:
    case MATCH_MOMENT:
        break; /* no globs */
    }
    return false;
}

#endif
