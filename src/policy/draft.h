/* SPDX-License-Identifier: MIT */
/*
 * A policy as it was read: typed, complete, every part with its place, nothing compiled yet.
 *
 * draft_load*() fill it (from files: load.c; the syntax: document.c; the types: schema.c);
 * compile.c turns it into a struct policy; lint, tests, show and fmt work on it. All memory is the
 * draft's and is released with it.
 */
#ifndef POLICY_DRAFT_H
#define POLICY_DRAFT_H

#include <stdint.h>

#include "identity/identity.h"
#include "miguard/gate.h"
#include "model/match_keys.h"
#include "model/operation.h"
#include "model/sink_settings.h"
#include "policy/cim_name.h"
#include "policy/diagnostic.h"

/* Limits of the format (design, section 7). */
enum {
    DRAFT_MAX_FILE = 64 * 1024,
    DRAFT_MAX_RULES = 1024, /* over all files */
    DRAFT_MAX_TESTS = 4096,
    DRAFT_MAX_CLIENTS = 256, /* entries of `clients:`, over all files */
    DRAFT_MAX_DEPTH = 8,
    DRAFT_MAX_FILES = 256,
    DRAFT_MAX_VALUES = 256, /* alternatives of one key */
    DRAFT_MAX_TEXT = 256,   /* characters of a name, glob or reason */
};

/* One alternative of user, group, as-user, as-group: a name resolved when it was read, an id, or a
 * range "1000-1999". */
struct draft_range {
    uint32_t first, last;
    const char *text; /* as it was written */
};

/* One alternative of provider, namespace, class, method, resource, action: "*" stands for any
 * characters, "/" among them, "?" for one, "\" quotes; brackets are literal. Namespaces, classes
 * and methods compare case-insensitively (DSP0004; the letters of ASCII, so that no locale
 * decides), the others exactly. A loader lets namespaces pass in the normal form of cim_name.h
 * only. */
struct draft_glob {
    const char *text;
};

struct draft_ranges {
    const struct draft_range *items;
    uint32_t count;
};

struct draft_globs {
    const struct draft_glob *items;
    uint32_t count;
};

/* When a rule holds: on these days of the week, between these minutes of the day (over midnight
 * where the first is behind the last), from the one moment to before the other. Zeroed: always. */
struct draft_times {
    uint8_t days; /* 1 << day, Sunday is 0; 0: every day */
    bool has_hours;
    uint16_t first, last; /* minutes of the day; last does not belong to it */
    int16_t zone;         /* minutes east of UTC, for days and hours */
    int64_t from, until;  /* seconds since 1970; 0: not given */
};

/* The shapes of model/match_keys.h as a draft has them. A count of 0 (or a set of 0) means that the
 * key is absent and matches everything; an empty list in a file is an error, so it cannot mean
 * that. */
typedef struct draft_ranges draft_ranges;
typedef struct draft_globs draft_globs;
typedef struct draft_globs draft_names;    /* "*" needs a name, too */
typedef struct draft_ranges draft_members; /* matches who has an id in each of them */
typedef uint64_t draft_capabilities;       /* matches the effective set: any of those listed */
typedef uint32_t draft_operations;         /* 1 << enum operation */
typedef struct draft_times draft_times;
typedef miguard_components draft_components; /* 0: a rule for calls whose identity is the same */

/* One member for each row of model/match_keys.h. */
struct draft_match {
#define DRAFT_KEY(member, key, shape, ...) draft_##shape member;
    MATCH_KEY_MAP(DRAFT_KEY)
#undef DRAFT_KEY
    /* not: none of its keys may hold. Without a mismatch and a not of its own; NULL: absent. */
    const struct draft_match *except;
};

/* Zero refuses, in each of them. */
enum draft_mode { DRAFT_ENFORCE, DRAFT_PERMISSIVE };
enum draft_decision { DRAFT_DENY, DRAFT_ALLOW };
enum draft_on_mismatch { DRAFT_MISMATCH_DENY, DRAFT_MISMATCH_REVOKE };

/* audit: a list of deny, open, use in defaults; never, deny, always for a rule. The same bits as
 * enum policy_audit. */

struct draft_rule {
    struct policy_place place; /* of its first key */
    const char *name;          /* needed, unique over all files */
    const char *reason;        /* "" when absent */
    struct draft_match match;
    bool has_match;
    enum draft_decision decision; /* needed */
    bool has_mode;
    enum draft_mode mode;
    bool has_audit;
    unsigned audit;
};

/* Whom a test speaks of: a user by name or id with that user's groups, or explicit groups (an empty
 * list: no groups); root has all capabilities that this library was built for, others none;
 * drop-capabilities takes some away, add-capabilities gives some. An id without an entry needs its
 * group given. */
struct draft_subject {
    struct policy_place place;
    uint32_t uid, gid;
    const uint32_t *groups; /* ascending, without duplicates */
    uint32_t group_count;
    uint64_t capabilities; /* effective and permitted */
    const char *text;      /* the user as it was written */
};

/* One entry of tests: a call, and what the policy should say to it. */
struct draft_test {
    struct policy_place place;
    const char *name;
    struct draft_subject opened_as;
    bool has_used_as; /* absent: the same as opened-as */
    struct draft_subject used_as;
    miguard_components differing; /* given.mismatch: components said to differ beside the derived */
    bool has_operation;           /* it is written; else it follows from the action */
    enum operation operation;
#define TEST_FACT(member, key) const char *member; /* as written; "" when absent */
    MATCH_FACT_MAP(TEST_FACT)
#undef TEST_FACT
    int64_t moment;                       /* of given.at; 0 when absent: not known */
    const char *name_space;               /* the same */
    const char *class_names[CIM_CLASSES]; /* "" from the first that is absent on */
    const char *method;                   /* "" when absent */
    enum draft_decision expect_decision;
    bool has_expect_mismatch;
    miguard_components expect_mismatch;
    const char *expect_rule; /* NULL when absent; "default" is the default */
};

/* What a provider may do with the client of its request. Zero refuses. */
enum draft_may {
    DRAFT_MAY_NOTHING,
    DRAFT_MAY_IDENTIFY,    /* learn who it is, compare and bind it, but not become it */
    DRAFT_MAY_IMPERSONATE, /* that, and become it */
};

/* One entry of clients:, of which the first that fits the provider counts. */
struct draft_client {
    struct policy_place place;    /* of its first key */
    struct draft_globs providers; /* file names of modules; never empty */
    enum draft_may may;
};

/* One place where records go, and where that is said. */
struct draft_sink {
    struct policy_place place;
    struct sink_settings settings;
    const char *group; /* as it was written; NULL: not given */
};

/* A setting that a later file may replace: where it was last given. line 0: the built-in value. */
struct draft_settings {
    enum draft_mode mode;
    struct policy_place mode_place;
    struct draft_globs permissive; /* providers in mode permissive, whatever mode says */
    struct policy_place permissive_place;
    enum draft_decision decision;
    struct policy_place decision_place;
    bool audit_failure_denies; /* on-audit-failure: deny | allow */
    struct policy_place audit_failure_place;
    enum draft_on_mismatch on_mismatch;
    struct policy_place on_mismatch_place;
    unsigned audit;
    struct policy_place audit_place;
    miguard_components compared;
    struct policy_place compared_place;
    bool watch;
    struct policy_place watch_place;
    struct miguard_gate_options gate;
    struct policy_place gate_scope_place, gate_action_place, gate_report_place, gate_io_uring_place;
    const struct draft_client *clients; /* those of all files, in the order of reading */
    uint32_t client_count;              /* 0: the key is absent */
    const struct draft_sink *sinks;     /* audit.sinks, never empty */
    uint32_t sink_count;
    struct policy_place sinks_place;
    uint32_t repeat_seconds; /* audit.repeat-window; 0: off */
    struct policy_place repeat_place;
    enum audit_keys_mode keys; /* audit.keys */
    struct policy_place keys_place;
};

/* The hash of a set of policy files: SHA-256, in hex, over a line for each file, in the order of
 * reading, that holds the SHA-256 of its bytes in hex. Nothing but coreutils is needed to check it:
 * sha256sum FILE... | cut -c1-64 | sha256sum */
enum { DRAFT_HASH_SIZE = 65 };

/* Everything in it lives until draft_free(). */
struct policy_draft {
    struct draft_settings settings;
    const struct draft_rule *rules;
    uint32_t rule_count;
    const struct draft_test *tests;
    uint32_t test_count;
    const char *const *files; /* in the order of reading */
    uint32_t file_count;
    char hash[DRAFT_HASH_SIZE]; /* of what was read (above); "" of no file */
    void *memory;               /* load.c's */
};

/* The built-in default as a draft: no file, no rule. */
MIGUARD_CHECKED enum miguard_status draft_builtin(struct policy_draft **ret_draft);

/*
 * Reads a set: each path is a file, or a directory whose *.yaml are read in byte order. With no
 * path the standard places: /etc/miguard/miguard.yaml, then /etc/miguard/policy.d; where neither
 * exists, the built-in default. Settings of later files replace, rules and tests append.
 *
 * Every file must be trusted: a regular file owned by root (or by the calling euid where that is
 * not 0), not writable by group or others, and so each folder above it; symbolic links are followed
 * only when each step is. trust says how strict: DRAFT_TRUST_ALL checks, DRAFT_TRUST_NONE serves
 * `policy check` of files under work and for tests.
 *
 * All errors of all files are in *errors (never NULL). OK only without an error; *ret_draft is
 * untouched otherwise. Errors: INVALID_ARGUMENT, NO_MEMORY (then errors->failed is set), BAD_POLICY
 * (look into *errors). Warnings may come with OK.
 */
enum draft_trust { DRAFT_TRUST_ALL, DRAFT_TRUST_NONE };
MIGUARD_CHECKED enum miguard_status draft_load(const char *const *paths, size_t path_count,
                                               enum draft_trust trust,
                                               struct policy_draft **ret_draft,
                                               struct diagnostics *errors);

/* The same for one text in memory, under the file name given: for tests, fuzzing and `-`. */
MIGUARD_CHECKED enum miguard_status draft_load_text(const char *name, const char *text,
                                                    size_t length, struct policy_draft **ret_draft,
                                                    struct diagnostics *errors);

/* NULL is allowed. */
void draft_free(struct policy_draft *draft);

/* The standard places, for messages: the file, the folder. */
#define POLICY_FILE   "/etc/miguard/miguard.yaml"
#define POLICY_FOLDER "/etc/miguard/policy.d"

/* Glob matching as draft_glob says. */
bool draft_glob_matches(const char *glob, const char *value, bool ignore_case);

#endif
