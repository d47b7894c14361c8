/* SPDX-License-Identifier: MIT */
/*
 * Refusals that are not the guard's: the host's own session compares identities, too.
 *
 * The open peer has one session for the whole process and compares the real uid and gid with those
 * of who asked for it first (OMI, measured). A second session under another identity is then given
 * and every call on it refused, with a result that has no text and looks like the guard's. So that
 * a provider, the client and the log see the difference, such a result gets a sentence, and the log
 * a record of the reason host-refused. What the guard itself decides does not depend on any of it.
 *
 * Who the host denies by its own check: a call of a session that was given to two identities, whose
 * denial comes without a text; and a Get*, Cancel or Close that returns it. A provider's denial is
 * a result, and comes as it is.
 */
#include <string.h>

#include "base/fork.h"
#include "gateway/gateway.h"

/* The sessions of hosts that were seen last, and the ids for which each was given first. A host
 * that makes one for each request has a handle of its own for each. */
enum { KEPT = 4 };

struct seen {
    MI_Session session;
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
};

static struct {
    pthread_mutex_t lock;
    struct seen seen[KEPT];
    unsigned next;
} given = {.lock = PTHREAD_MUTEX_INITIALIZER};

FORK_OWNER(given_owner, .rank = FORK_HOST_SESSIONS, .lock = &given.lock);

static bool same_session(const MI_Session *a, const MI_Session *b)
{
    return a->reserved1 == b->reserved1 && a->reserved2 == b->reserved2 && a->ft == b->ft;
}

static bool same_ids(const struct seen *seen, const struct miguard_identity *identity)
{
    return memcmp(seen->uid, identity->uid, sizeof(seen->uid)) == 0 &&
           memcmp(seen->gid, identity->gid, sizeof(seen->gid)) == 0;
}

static const struct seen *find_seen(const MI_Session *session)
{
    for (unsigned i = 0; i < KEPT; i++) {
        if (given.seen[i].session.ft != NULL && same_session(&given.seen[i].session, session)) {
            return &given.seen[i];
        }
    }
    return NULL;
}

static void remember(const MI_Session *session, const struct miguard_identity *identity)
{
    struct seen *seen = &given.seen[given.next++ % KEPT];

    seen->session = *session;
    memcpy(seen->uid, identity->uid, sizeof(seen->uid));
    memcpy(seen->gid, identity->gid, sizeof(seen->gid));
}

bool host_session_of_another(const MI_Session *session, const struct miguard_identity *identity)
{
    pthread_mutex_lock(&given.lock);
    const struct seen *seen = find_seen(session);
    bool another = seen != NULL && !same_ids(seen, identity);
    if (seen == NULL) {
        remember(session, identity);
    }
    pthread_mutex_unlock(&given.lock);
    return another;
}

/* ---- results --------------------------------------------------------------------------------- */

/* Recorded once for an operation; the sentence is given each time. */
static const char *explain(struct guarded_operation *operation, const struct guard_call *call)
{
    struct refusal refusal =
        refusal_new(GUARD_DENIED, AUDIT_REASON_HOST_REFUSED, (miguard_components)0);

    if (!atomic_exchange(&operation->host_refused, true)) {
        guard_refuse(call, AUDIT_ACTION_SESSION_USE, AUDIT_REASON_HOST_REFUSED, GUARD_DENIED,
                     &refusal);
    }
    guarded_context_note_refusal(operation->session->context, &refusal);
    return refused_message(&refusal);
}

void host_refusal_in_result(struct guarded_operation *operation, const struct guard_call *call,
                            MI_Result answer, struct guarded_result *result)
{
    bool denied = answer == MI_RESULT_OK && !result->more &&
                  result->result == MI_RESULT_ACCESS_DENIED && operation->session->of_another;

    if ((denied || answer == MI_RESULT_ACCESS_DENIED) && result->message == NULL &&
        result->details == NULL && result->instance == NULL) {
        result->message = explain(operation, call);
    }
}

void host_refusal_of_call(struct guarded_operation *operation, const struct guard_call *call,
                          MI_Result answer)
{
    if (answer == MI_RESULT_ACCESS_DENIED) {
        (void)explain(operation, call);
    }
}
