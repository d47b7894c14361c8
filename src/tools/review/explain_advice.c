/* SPDX-License-Identifier: MIT */
/*
 * What to do about a record: by its action, its reason and the components that differed.
 *
 * explain_step() counts through step_at(): the reason's or action's advice first, then one for each
 * group of components that differed, then one about permissive mode. Texts name functions and
 * commands of this project and of the system, because a reader acts on them.
 */
#include "tools/review/explain.h"

#define LOOK_AT_POLICY                                                                             \
    "Ask the policy about this call: `miguard policy explain --help` shows how; it names every "   \
    "rule that was looked at, and why it did not apply."

/* NULL: nothing to do, or the action says it. A reason without a row would be NULL as well, so that
 * main_step() falls back to the action. */
static const char *const by_reason[AUDIT_REASON_COUNT] = {
    [AUDIT_REASON_NONE] = NULL,
    [AUDIT_REASON_IDENTITY_MATCH] = NULL,
    /* The identity is not that of the session, or it cannot be known. An identity that cannot be
     * read or proved equals none, so no rule can help there. */
    [AUDIT_REASON_IDENTITY_MISMATCH] =
        "Most such refusals are a bug of the provider: it changed its identity and went on with "
        "a session of the identity before. Let it take the session again after the switch "
        "(MI_Context_GetLocalSession gives one for each identity), or make the call between "
        "miguard_switch_to() and miguard_switch_back() as who took the session.",
    [AUDIT_REASON_IDENTITY_UNREADABLE] =
        "See why the thread could not read its own identity: is /proc mounted in its mount "
        "namespace, and does a seccomp filter forbid the system calls? No rule can allow such a "
        "call.",
    [AUDIT_REASON_IDENTITY_TORN] =
        "Another thread was changing the identity of the process at the same moment, as glibc's "
        "setuid() family does for all threads. Let one thread switch itself alone, with "
        "miguard_switch_to().",
    [AUDIT_REASON_IDENTITY_UNPROVABLE] =
        "The id is shown as the overflow id because this user namespace does not map it. Map the "
        "id, or run the provider outside of the namespace.",
    /* What the policy, or its absence, decided. */
    [AUDIT_REASON_POLICY] =
        "The rule that is named says so. If it should not, change it or put a narrower rule "
        "before it, and add a test to the file. " LOOK_AT_POLICY,
    [AUDIT_REASON_SESSION_REVOKED] =
        "The policy has on-mismatch: revoke, and an earlier call through this session was "
        "refused. Look for that first refusal among the records of the session: it is the cause. "
        "After it the provider must take a new session.",
    [AUDIT_REASON_NO_POLICY] =
        "No policy could be loaded, so all is refused. `miguard policy check` says what is wrong "
        "with the files; the record policy-refused has the same.",
    /* Handles and limits: the call came too late, too often, or with something that is not a handle
     * of this process. */
    [AUDIT_REASON_CONTEXT_ENDED] =
        "The provider kept the session longer than the request that it came from. Take the "
        "session from the context at hand, and let go of it before the request's result is "
        "posted.",
    [AUDIT_REASON_CONTEXTS_SPENT] =
        "Restart the server; if it had served few requests, let it have more address space "
        "(RLIMIT_AS).",
    [AUDIT_REASON_LIMIT_REACHED] = "Close operations when they are read, and end requests: the "
                                   "limits are in libmiguard(3). If "
                                   "few are open, memory is out.",
    [AUDIT_REASON_HANDLE_STALE] =
        "The provider used a handle after it was closed, or after its context had ended. Clear "
        "the variable where the handle is closed, and do not keep handles between requests.",
    [AUDIT_REASON_HANDLE_FORGED] =
        "The handle was never given out: memory that was not initialised, written over, or "
        "copied from elsewhere. Treat it as a memory error: run the program under "
        "AddressSanitizer or valgrind. If nothing is found, treat it as an attack.",
    [AUDIT_REASON_HANDLE_INHERITED] =
        "The handle belongs to the parent process. After fork() a child has no session: let it "
        "call execve(2) or _exit(2), or let the parent make the calls.",
    /* Calls that a guarded host refuses or makes by itself. */
    [AUDIT_REASON_LOCAL_SESSION_CLOSE] =
        "Leave out MI_Session_Close: a local session lives as long as its context, and others may "
        "be using it.",
    [AUDIT_REASON_APPLICATION_RESTRICTED] =
        "The application behind a local session makes instances and options and no more. A "
        "provider that needs sessions of its own initialises an application of its own.",
    [AUDIT_REASON_CANNOT_ADOPT] =
        "The thread that delivers the callback has not the privileges to become who took the "
        "session. Give the host's threads CAP_SETUID and CAP_SETGID, or open the session under "
        "the host's own identity.",
    [AUDIT_REASON_AUDIT_FAILED] =
        "The call itself may be in order: its record could not be written, and on-audit-failure "
        "says deny. Look for records-lost and audit-space in the log, at the room on the disk "
        "and at the sinks.",
    /* Changes of identity: by the library, or past it. */
    [AUDIT_REASON_SWITCH_FAILED] =
        "The thread is what it was. \"Tried\" says which step failed: with NOT_PERMITTED the "
        "process lacks CAP_SETUID, CAP_SETGID or a capability that is to be kept, or it could not "
        "come back.",
    [AUDIT_REASON_GATE] =
        "Some code in the process changes its identity by itself; nothing has changed. The call "
        "site is its own, or that of who called it: have it use miguard_switch_to() instead, see "
        "miguard-gate(7).",
    [AUDIT_REASON_GATE_FAILED] =
        "The gate is not closed, or not the way that was asked for. Run: miguard doctor. Close it "
        "early, before other threads or filters are there.",
    /* What the library put right or noticed in an allowed call, and names that cannot be read. */
    [AUDIT_REASON_LEFT_OPEN] =
        "The provider ended a request with an operation still open; it was cancelled and closed "
        "for it. Call MI_Operation_Close when the last result has come.",
    [AUDIT_REASON_HOST_REFUSED] =
        "The guard had allowed this call; the host's own session refused it. Some hosts have one "
        "session for the process and serve only the real uid and gid that asked for it first: take "
        "the session under that identity, or run the provider as the user, see "
        "miguard-provider(7).",
    [AUDIT_REASON_NAME_INVALID] =
        "A rule asks for the namespace, class or method, and the call's is missing or written so "
        "that a "
        "host could take it for another one: blanks, \".\", \"..\", characters beyond ASCII, more "
        "than 255 characters, or a query that is more than SELECT ... FROM one class. Write names "
        "plainly, as root/cimv2 and CIM_Process; miguard-policy(5) says what is read. A rule with "
        "user-name or group-name gives this reason, too, when the directory did not answer as the "
        "session was opened, or the session is older than the rule: open it again.",
    [AUDIT_REASON_LEFT_SWITCHED] =
        "The callback or request did not undo what it did to its thread; the library did. Let each "
        "miguard_switch_to() have its miguard_switch_back() in the same one, or use "
        "MIGUARD_SWITCHED, and do not leave it by longjmp.",
    [AUDIT_REASON_CLIENT_DENIED] =
        "The policy names under clients: which provider may do what with the client of its "
        "request. If this one should, add an entry for it before the one that is named: may: "
        "identify lets it know and compare the client, may: impersonate lets it act as the client. "
        "Ask with: miguard policy explain --client --provider NAME.",
    [AUDIT_REASON_NOT_RESTORED] =
        "Something in the request changed its thread irreversibly, as setuid(2) called directly or "
        "a "
        "PAM module does: \"Tried\" says in what. The thread must end; the program does that where "
        "it obeys miguard_home_return(). Close the gate, or serve such requests in a process of "
        "their own.",
    [AUDIT_REASON_IO_URING] =
        "A ring with IORING_SETUP_SQPOLL is in the process: what the switched thread asks it for "
        "is "
        "done with the credentials of who made it. Do not hand such a ring to providers, or have "
        "the policy refuse io_uring: gate: { scope: process, io-uring: deny }.",
};

/* The same for objects that a daemon without MI has bound, where the advice is another one; NULL:
 * that of by_reason. */
static const char *const by_reason_own[AUDIT_REASON_COUNT] = {
    [AUDIT_REASON_IDENTITY_MISMATCH] =
        "Most such refusals are a bug of the daemon: the thread was still switched for an earlier "
        "request, or took up an object of another client. Let it become who the object is bound "
        "to before it uses it (miguard_target_binding() and miguard_switch_to()), and switch back "
        "behind each request.",
    [AUDIT_REASON_IDENTITY_TORN] =
        "Another thread was changing the identity of the process at the same moment, as glibc's "
        "setuid() family does for all threads. Let one thread switch itself alone, with "
        "miguard_switch_to().",
    [AUDIT_REASON_SESSION_REVOKED] =
        "The daemon revoked the binding (miguard_revoke()), or the policy has on-mismatch: revoke "
        "and an earlier use was refused. Look for that first refusal among the records of the "
        "binding: it is the cause. After it the object must be bound anew.",
    [AUDIT_REASON_LIMIT_REACHED] = "Release bindings whose objects are closed: the limits are in "
                                   "miguard-guard(3). If few are alive, memory is out.",
    [AUDIT_REASON_HANDLE_STALE] =
        "The number is of a binding that was released. Forget the number where the object is "
        "closed, and keep a reference (miguard_keep()) for as long as the number is in use.",
    [AUDIT_REASON_HANDLE_INHERITED] =
        "The binding belongs to the parent process. Let the child bind its own objects, or let the "
        "parent serve them.",
    [AUDIT_REASON_NAME_INVALID] =
        "A rule asks for the resource or the action, and the resource of this use is not UTF-8 or "
        "longer than 4095 bytes, or the action has no name. Give the resource under a name that "
        "patterns can be written for; miguard-policy(5) says what is read.",
};

/* Of an action whose reason says nothing. NULL: the record reports what is in order. */
static const char *const by_action[] = {
    /* Records about the log and the policy. */
    [AUDIT_ACTION_AUDIT_START] = NULL,
    [AUDIT_ACTION_RECORDS_LOST] =
        "What happened meanwhile is not in this sink: look into the others. Then remove the cause "
        "that is named.",
    [AUDIT_ACTION_AUDIT_SEAL] = NULL,
    [AUDIT_ACTION_AUDIT_STOP] = NULL,
    [AUDIT_ACTION_AUDIT_ROTATE] = NULL,
    [AUDIT_ACTION_AUDIT_SPACE] =
        "Make room where the log lies, or let the policy keep fewer files, before records are "
        "lost.",
    [AUDIT_ACTION_STATE_SET_ASIDE] =
        "Find out what wrote to the state or cut it; the damaged one lies beside the log. Where "
        "its "
        "key is lost, the rest of the log is proved by a head that was kept alone: begin a new one "
        "with `miguard audit init --aside`.",
    [AUDIT_ACTION_POLICY_LOAD] = NULL,
    [AUDIT_ACTION_POLICY_REFUSED] =
        "The policy before it stays in force. Mend the files; `miguard policy check` shows each "
        "error with its line.",
    /* Calls through the guard. A reason has come first where there was one. */
    [AUDIT_ACTION_SESSION_OPEN] = LOOK_AT_POLICY,
    [AUDIT_ACTION_SESSION_USE] = LOOK_AT_POLICY,
    [AUDIT_ACTION_SESSION_CLOSE] = "Leave out the call: a local session ends with its context.",
    [AUDIT_ACTION_CALLBACK] = LOOK_AT_POLICY,
    [AUDIT_ACTION_REAP] = "Close each operation when its last result has come.",
    /* Changes of identity. */
    [AUDIT_ACTION_SWITCH] =
        "See whether the process has CAP_SETUID and CAP_SETGID, whether the target exists, and "
        "whether the gate is closed for it.",
    [AUDIT_ACTION_RESTORE] =
        "The thread could not become again what it was; a process that goes on under a wrong "
        "identity is ended. See what took the privileges away after the switch.",
    [AUDIT_ACTION_DROP] =
        "See which part could not be given up irreversibly; the process still has privileges.",
    [AUDIT_ACTION_GATE] =
        "Something in the process tried to change its identity past the library, or the gate "
        "could not be closed. The call site shows the cause; let it use miguard_switch_to().",
    [AUDIT_ACTION_MODULE_LOAD] =
        "Its requests are not served. `miguard wrap --check` looks at the file; when the provider "
        "was replaced on purpose, `miguard wrap --again` accepts it.",
};

/* By the kind of component: identity/component.h says which advice each component has. */
static const char *const by_component[] = {
    [ADVICE_USERS] =
        "Users: the thread called a function such as setuid() or seteuid() after the session was "
        "taken. miguard_switch_to() changes this thread alone, and all of its ids together.",
    [ADVICE_FS_IDS] =
        "File system ids: setfsuid() or setfsgid() alone changes who files are opened as and "
        "nothing else. miguard_switch_to() keeps them together with the others.",
    [ADVICE_GROUPS] =
        "Groups: often setgroups() or initgroups() is forgotten, or comes after the ids. "
        "miguard_switch_to() looks the groups up before and sets them first.",
    [ADVICE_CAPABILITIES] =
        "Capabilities: give them up before the session is taken, not after. With a change of the "
        "effective user id the kernel changes the effective set as well (capabilities(7)).",
    [ADVICE_PROCESS] =
        "Securebits and no-new-privs: set them once when the process starts, before any session is "
        "taken.",
    [ADVICE_NAMESPACE] =
        "User namespace: a thread that entered another namespace has other ids there, whatever "
        "their numbers are. Take the session inside it.",
    [ADVICE_LABEL] =
        "Security label: the domain changed, by execve(2) or by setcon() and the like. Take the "
        "session after the change.",
};

_Static_assert(sizeof(by_component) / sizeof(by_component[0]) == ADVICE_COUNT,
               "an advice for each component");

/* The components that an advice is for. From the table of components, so that a new component gets
 * its advice by its row. */
static miguard_components advised(enum component_advice advice)
{
    miguard_components components = 0;

#define ADVISED(NAME, shape, member, WAY, SHOWN, WEIGHT, ADVICE)                                   \
    components |= advice == ADVICE_##ADVICE ? (miguard_components)MIGUARD_COMPONENT_##NAME : 0;
    COMPONENT_MAP(ADVISED)
#undef ADVISED
    return components;
}

/* The components that differed. A name of a later version is 0 and gets no advice. */
static miguard_components mismatch_of(const struct record *record)
{
    miguard_components all = 0;
    struct slice item;
    char name[32];

    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        slice_text(&item, name, sizeof(name));
        all |= miguard_component_from_name(name);
    }
    return all;
}

/* Bind, or an own action, which has no name of MI. */
static bool is_own(const struct record *record)
{
    enum operation operation;
    char name[ACTION_NAME_MAX + 1];

    if (record_text(record, RECORD_OPERATION, name, sizeof(name)) == 0) {
        return false;
    }
    return !operation_from_name(name, &operation) || operation == OPERATION_BIND ||
           operation == OPERATION_ACTION;
}

/* NULL: the reason needs none. */
static const char *step_of_reason(const struct record *record, enum audit_reason reason)
{
    const char *own = is_own(record) ? by_reason_own[reason] : NULL;

    return own != NULL ? own : by_reason[reason];
}

const char *explain_reason_step(enum audit_reason reason)
{
    return by_reason[reason];
}

/* An allowed call has a step only where the library had to clean up after the provider, or where a
 * ring keeps another identity. */
static const char *main_step(const struct record *record)
{
    enum audit_reason reason;
    enum audit_action action;

    /* Allowed: nothing to do, but for what the library had to put right. */
    if (export_is_decision(record) && !export_is_refusal(record)) {
        return record_is(record, RECORD_REASON, "left-open") ? by_reason[AUDIT_REASON_LEFT_OPEN]
               : record_is(record, RECORD_REASON, "left-switched")
                   ? by_reason[AUDIT_REASON_LEFT_SWITCHED]
               : record_is(record, RECORD_REASON, "io-uring") ? by_reason[AUDIT_REASON_IO_URING]
                                                              : NULL;
    }
    if (export_reason(record, &reason) && step_of_reason(record, reason) != NULL) {
        return step_of_reason(record, reason);
    }
    if (export_action(record, &action)) {
        return by_action[action];
    }
    return "A later version of miguard wrote this record; read it with that version.";
}

/* Step 0 is that of the reason, those after it of the components, the last of the mode. */
static const char *step_at(const struct record *record, uint32_t at)
{
    if (at == 0) {
        return main_step(record);
    }
    if (at <= ADVICE_COUNT) {
        enum component_advice advice = at - 1;
        return export_is_refusal(record) && (mismatch_of(record) & advised(advice)) != 0
                   ? by_component[advice]
                   : NULL;
    }
    return record_is(record, RECORD_WOULD_DENY, "true")
               ? "The call was let pass by mode: permissive. Mend the provider before you set "
                 "mode: "
                 "enforce."
               : NULL;
}

/* Steps that do not apply are NULL and passed over. */
bool explain_step(const struct record *record, uint32_t *at, const char **ret_step)
{
    const uint32_t last = ADVICE_COUNT + 1;

    while (*at <= last) {
        const char *step = step_at(record, (*at)++);
        if (step != NULL) {
            *ret_step = step;
            return true;
        }
    }
    return false;
}
