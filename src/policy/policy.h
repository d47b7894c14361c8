/* SPDX-License-Identifier: MIT */
/*
 * What is allowed: one immutable compiled policy, asked at session open and at each use.
 *
 * First match wins. A call whose identity differs from the bound one is matched only by a rule
 * whose mismatch set covers every differing component, and denied without such a rule; a call whose
 * identity is the same is matched only by rules without a mismatch set, and falls to the default.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "identity/identity.h"
#include "model/operation.h"
#include "policy/cim_name.h"
#include "policy/draft.h"

/* DENY is 0: a verdict that was not filled in refuses. */
enum policy_decision { POLICY_DENY, POLICY_ALLOW };

/* When a rule or default asks for a record. */
enum policy_audit {
    POLICY_AUDIT_DENY = 1 << 0,   /* refusals */
    POLICY_AUDIT_OPEN = 1 << 1,   /* sessions that are given out */
    POLICY_AUDIT_USE = 1 << 2,    /* every use */
    POLICY_AUDIT_SWITCH = 1 << 3, /* switches, and what else changes the thread, that succeed */
};

/* A compiled policy: opaque, counted, never changed after policy_compile(). */
struct policy;

/* The policy in force where there is no file: every component compared, mismatch denied, the rest
 * allowed, refusals and opened sessions recorded. Static: keep and release do nothing to it. */
extern const struct policy *const policy_builtin;

/* Copies what it needs from the draft, which may be freed then. The result has one reference.
 * Errors: INVALID_ARGUMENT (what no loader gives: more than DRAFT_MAX_RULES rules, a range whose
 * last is below its first), NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status policy_compile(const struct policy_draft *draft,
                                                   const struct policy **ret_policy);

/* Asks the directory for the names of the identity that rules of this policy ask for; nothing where
 * none does. Before the identity is given to policy_narrow() or decided about: without its names
 * they are not known, which may refuse. May wait for IDENTITY_NAMES_WAIT. */
void policy_ask_names(const struct policy *policy, struct miguard_identity *identity);
bool policy_asks_names(const struct policy *policy);

/* One more reference, and one less; NULL is allowed. Thread safe. */
const struct policy *policy_keep(const struct policy *policy);
/* The last one frees the policy. */
void policy_release(const struct policy *policy);

/* What a guard must compare; the other components never count as different. */
miguard_components policy_compared(const struct policy *policy);
/* POLICY_AUDIT_ bits. */
unsigned policy_audited(const struct policy *policy);          /* defaults: audit */
bool policy_revokes(const struct policy *policy);              /* on-mismatch: revoke */
bool policy_failure_denies(const struct policy *policy);       /* on-audit-failure: deny */
enum audit_keys_mode policy_keys(const struct policy *policy); /* audit: keys */
uint32_t policy_rule_count(const struct policy *policy);

/* Bytes of the longest resource that is read, with its NUL: as PATH_MAX. */
enum { POLICY_RESOURCE = 4096 };

/* What a provider may do with the client of its request, and where that is said. The texts are the
 * policy's. */
struct policy_client {
    enum draft_may may;
    const char *rule;   /* "clients", or "default" where the policy has no such key */
    const char *source; /* file:line:col of the entry, or "built-in" */
    const char *reason; /* for a person */
};

/*
 * The first entry of clients: that fits the provider, whose name may be NULL or "". Where entries
 * are and none fits, nothing may be done: a list of those who may is complete. Without the key a
 * provider may impersonate: it can already switch to any user that a request names, so that a
 * refusal would only lead it to believe the request instead of the host. Pure.
 */
struct policy_client policy_client(const struct policy *policy, const char *provider);

/*
 * opened_as: an identity that is NULL or zeroed differs from everything in every component
 * (invariant 1), whatever mismatch says. A key never covers a component that an identity does not
 * know, nor the id -1.
 *
 * used_as may be NULL. With a mismatch of 0 it then is the same as opened_as; with another one
 * nothing is known of it beyond that, and no rule with an as- key applies.
 *
 * provider, namespace, class, method, resource: NULL or "" is no name, and matches only an absent
 * key or a glob that matches the empty string. Namespaces are in the normal form of cim_name.h.
 *
 * action: the name of an own action, for OPERATION_ACTION. Without one any other operation is an
 * action of its own name; an own action without a name is unreadable.
 *
 * resource: is compared byte by byte, as it is given. One that is not UTF-8, or of POLICY_RESOURCE
 * bytes and more, is unreadable.
 *
 * A call that names several classes is decided for each of them, and the strictest verdict stands:
 * what denies one denies the call, and an allowed call must be allowed for each.
 *
 * host: NULL or "" is that of this machine when the policy was compiled.
 *
 * user-name and group-name are asked of the names that opened_as has, see policy_ask_names(); names
 * that are not known cannot be read.
 *
 * Of a name that cannot be read (unreadable) nothing is known: each rule that asks for it, and
 * matches otherwise, may apply, and so may the first rule behind it that does not ask, or the
 * default. Again the strictest verdict of these stands. So such a name matters exactly where some
 * rule makes it matter.
 */
struct policy_call {
    enum operation operation;
    const struct miguard_identity *opened_as;
    const struct miguard_identity *used_as;
    miguard_components mismatch; /* what identity_check() found */
#define CALL_FACT(member, key) const char *member;
    MATCH_FACT_MAP(CALL_FACT)
#undef CALL_FACT
    int64_t moment; /* when, in seconds since 1970; 0: now; POLICY_NO_MOMENT: it is not known */
    const char *name_space;
    const char *class_name;
    const char *further_classes[CIM_CLASSES - 1]; /* NULL or "" ends the list */
    const char *method;                           /* what it invokes */
    unsigned unreadable;                          /* CALL_UNREADABLE_ bits */
};

enum { POLICY_NO_MOMENT = -1 };

/* Puts names, which must outlive the call, into it. */
void policy_call_name(struct policy_call *call, const struct cim_names *names);

enum { POLICY_NO_RULE = UINT32_MAX }; /* the default decided */

/* Texts are the policy's and live as long as it. Zeroed, it denies. */
struct policy_verdict {
    enum policy_decision decision;
    bool would_deny; /* allowed only because of mode: permissive */
    bool recorded;   /* a record is asked for */
    bool audit_failure_denies;
    bool revoke; /* denied for a mismatch, and on-mismatch says revoke: the session is over */
    uint32_t rule_index;    /* POLICY_NO_RULE: the default */
    const char *rule;       /* its name, or "default" */
    const char *source;     /* file:line:col, or "built-in" */
    const char *reason;     /* for a person */
    const char *class_name; /* the call's that decided, which matters where it names several */
    bool name_invalid;      /* a name that cannot be read left it open which rule applies */
};

/* No side effect, no allocation; the clock is read for a policy with `when`. Thread safe. The texts
 * are the policy's. */
struct policy_verdict policy_decide(const struct policy *policy, const struct policy_call *call);

/* Called once for each rule that was looked at, in order: why it does not apply, or NULL when it
 * does. Rules behind the one that applies are not looked at. Of a call with several classes, the
 * rules are looked at for the one that decides. */
typedef void (*policy_observer)(void *context, uint32_t rule_index, const char *name,
                                const char *source, const char *why_not);

/* policy_decide() itself, watched: the same decision by the same matching code. */
struct policy_verdict policy_explain(const struct policy *policy, const struct policy_call *call,
                                     policy_observer observer, void *context);

/* Whether a rule applies, as far as a part of the call is known: phases has bits of enum
 * match_phase, and keys of others are left open, as is the provider. For `policy who`. */
enum policy_chance {
    POLICY_NEVER,   /* a key that is known does not hold */
    POLICY_PERHAPS, /* it depends on what is not known */
    POLICY_ALWAYS,  /* nothing else is asked */
};
enum policy_chance policy_rule_chance(const struct policy *policy, uint32_t rule,
                                      const struct policy_call *call, unsigned phases);

/* ---- narrowed at session open --------------------------------------------------------------- */

/*
 * A policy narrowed to one session: what is fixed for its life (who opened it, by which provider)
 * is decided once, so that a use under the right identity walks no rule at all where nothing that
 * is left varies. Holds a reference to its policy. Made at open; may allocate then.
 */
struct policy_view;

/* Keeps neither opened_as nor provider. Errors: NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status policy_narrow(const struct policy *policy,
                                                  const struct miguard_identity *opened_as,
                                                  const char *provider,
                                                  struct policy_view **ret_view);
void policy_view_free(struct policy_view *view); /* NULL is allowed */
const struct policy *policy_view_policy(const struct policy_view *view);

/* Whether a use of this operation under the same identity is allowed and not recorded whatever it
 * names: then nothing need be asked about the call. false when that is not certain. */
bool policy_view_allows(const struct policy_view *view, enum operation operation);

/* As policy_decide() on the whole policy, for a call whose opened_as and provider have the values
 * that the view was made with (the call names them all the same): the same verdict always. Quickest
 * when used_as is NULL or opened_as itself. */
struct policy_verdict policy_view_decide(const struct policy_view *view,
                                         const struct policy_call *call);

/* ---- the policy in force -------------------------------------------------------------------- */

/*
 * Where one policy is replaced by the next. Readers never wait for a load: the lock is held for the
 * few instructions that count a reference or exchange a pointer; the old policy is freed outside
 * it. The generation grows with each store_set() and is read without a lock: who reads it before
 * store_get() and keeps both has a policy at least as new as that number.
 *
 * The store has a reference of its own: store_init() and store_set() keep what they are given, the
 * caller's reference stays the caller's.
 */
struct policy_store {
    pthread_mutex_t lock;
    const struct policy *policy;
    _Atomic uint64_t generation;
    atomic_uint audited;
};

/* No other thread may use it yet. */
void store_init(struct policy_store *store, const struct policy *policy);
void store_release(struct policy_store *store);             /* no other call may come any more */
const struct policy *store_get(struct policy_store *store); /* a new reference */
void store_set(struct policy_store *store, const struct policy *policy);
/* policy_audited() of the policy in force, or of none: refusals alone. Without a lock and without a
 * reference, which threads of a pool would take from each other at every switch. */
unsigned store_audited(const struct policy_store *store);
/* Begins with 1; 0 is never a generation. */
uint64_t store_generation(const struct policy_store *store);

#endif
