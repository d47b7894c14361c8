/* SPDX-License-Identifier: MIT */
/*
 * How a refusal reaches its caller: the starter returns nothing, so it leaves a
 * real operation whose every Get* returns OK with the error as its result. Such an operation holds
 * no resource: everything it needs is packed into the two words of its handle.
 *
 * refused_deliver() makes the sentence (make_sentence), packs result, reason, components and the
 * sentence's ticket into a handle (pack), and calls the result callback. The slots below unpack a
 * handle that comes back, and find its sentence by the ticket while that is still there.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/entry.h"
#include "gateway/refused.h"

/* reserved1 is the name of the session's handle as the caller gave it; reserved2 has these bits. */
enum {
    PACK_RESULT = 0,
    PACK_REASON = 5,
    PACK_MISMATCH = 11,
    PACK_TICKET = PACK_MISMATCH + MIGUARD_COMPONENT_COUNT,
    PACK_END = 64,
};

#define LAST_TICKET (((uint64_t)1 << (PACK_END - PACK_TICKET)) - 1)

_Static_assert(MI_RESULT_SERVER_IS_SHUTTING_DOWN < 1 << (PACK_REASON - PACK_RESULT),
               "a result does not fit");
_Static_assert(AUDIT_REASON_COUNT <= 1 << (PACK_MISMATCH - PACK_REASON), "a reason does not fit");
_Static_assert(PACK_END - PACK_TICKET >= 33, "too few tickets are left behind the components");

/* The bits of word from `from` to before `until`. */
static uint64_t bits(uint64_t word, unsigned from, unsigned until)
{
    return word >> from & (((uint64_t)1 << (until - from)) - 1);
}

/* What a refused operation has of its refusal. */
struct packed {
    MI_Result result;
    enum audit_reason reason;
    miguard_components mismatch;
    uint64_t ticket; /* of the sentence; 0: it is made on request */
};

/* The values fit: the assertions above hold for all of them. */
static ptrdiff_t pack(const struct packed *packed)
{
    uint64_t word = (uint64_t)packed->result << PACK_RESULT |
                    (uint64_t)packed->reason << PACK_REASON |
                    (uint64_t)packed->mismatch << PACK_MISMATCH | packed->ticket << PACK_TICKET;
    return (ptrdiff_t)word;
}

/* The words come back from the provider: whatever they contain becomes a refusal again. */
static struct packed unpack(const MI_Operation *operation)
{
    uint64_t word = operation != NULL ? (uint64_t)operation->reserved2 : 0;
    struct packed packed = {
        .result = (MI_Result)bits(word, PACK_RESULT, PACK_REASON),
        .reason = (enum audit_reason)bits(word, PACK_REASON, PACK_MISMATCH),
        .mismatch = (miguard_components)bits(word, PACK_MISMATCH, PACK_TICKET),
        .ticket = bits(word, PACK_TICKET, PACK_END),
    };
    if (packed.result == MI_RESULT_OK || packed.result > MI_RESULT_SERVER_IS_SHUTTING_DOWN) {
        packed.result = MI_RESULT_ACCESS_DENIED;
    }
    if (packed.reason >= AUDIT_REASON_COUNT) {
        packed.reason = AUDIT_REASON_NONE;
    }
    return packed;
}

/* The switch has no default, so that the compiler reports an answer that is missing here. */
MI_Result refused_result(const struct refusal *refusal)
{
    switch (refusal->answer) {
    case GUARD_DENIED:
        return MI_RESULT_ACCESS_DENIED;
    case GUARD_INVALID:
        return MI_RESULT_INVALID_PARAMETER;
    case GUARD_LIMIT:
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    case GUARD_FAILED:
        return MI_RESULT_FAILED;
    }
    return MI_RESULT_ACCESS_DENIED;
}

/* ---- the sentence ------------------------------------------------------------------------ */

enum { MESSAGES = 1024 };

/*
 * MI gives messages to the caller as borrowed pointers without defining when they are freed; memory
 * that is never freed cannot be used after free. An entry is overwritten 1,024 refusals later; its
 * ticket shows whether it still is the expected one. It is 0 while the entry is written, and a
 * reader of the session's words checks it again after reading. A sentence that is still being read
 * may then change to another's, but always ends within the entry.
 */
static struct entry {
    atomic_bool being_written; /* by one thread at a time */
    _Atomic uint64_t ticket;
    _Atomic uint64_t session_name, session_check; /* the handle that was refused */
    char text[REFUSAL_SENTENCE];
} entries[MESSAGES];
_Atomic uint64_t refused_next_ticket = 1;

/* An entry for a new ticket. An entry that another thread is still writing, 1,024 refusals late, is
 * skipped. NULL when the tickets are used up, after ten hours of one refusal each microsecond: no
 * ticket is used twice, or an old handle would match a later refusal. The caller writes the text
 * and publishes the entry. */
static struct entry *claim_entry(uint64_t *ret_ticket)
{
    for (;;) {
        uint64_t ticket = atomic_fetch_add(&refused_next_ticket, 1);
        struct entry *entry = &entries[ticket % MESSAGES];
        if (ticket > LAST_TICKET) {
            return NULL;
        }
        if (!atomic_exchange(&entry->being_written, true)) {
            atomic_store(&entry->ticket, 0);
            *ret_ticket = ticket;
            return entry;
        }
    }
}

/* The text is complete; from now on its ticket finds it. */
static void publish_entry(struct entry *entry, uint64_t ticket)
{
    atomic_store(&entry->ticket, ticket);
    atomic_store(&entry->being_written, false);
}

/* Whether the entry still has the sentence of this ticket. */
static bool is_current(uint64_t ticket)
{
    return ticket != 0 && atomic_load(&entries[ticket % MESSAGES].ticket) == ticket;
}

/* Stores the session that the refused operation returns on request. The entry is claimed while it
 * is written, so that it cannot become another refusal's in between; when it has, or is about to,
 * nothing is stored. */
static void remember_session(uint64_t ticket, const MI_Session *session)
{
    struct entry *entry = &entries[ticket % MESSAGES];

    if (atomic_exchange(&entry->being_written, true)) {
        return;
    }
    if (is_current(ticket)) {
        atomic_store(&entry->session_name, session->reserved1);
        atomic_store(&entry->session_check, (uint64_t)session->reserved2);
    }
    atomic_store(&entry->being_written, false);
}

/* The words as the caller gave them: making a handle from the name alone would turn a forged one
 * into a valid one. False when they are gone, or the name differs. */
static bool recall_session(uint64_t ticket, uint64_t name, MI_Session *ret_session)
{
    const struct entry *entry = &entries[ticket % MESSAGES];
    MI_Session session = {atomic_load(&entry->session_name),
                          (ptrdiff_t)atomic_load(&entry->session_check), &guarded_session_ft};

    if (!is_current(ticket) || session.reserved1 != name || name == 0) {
        return false;
    }
    *ret_session = session;
    return true;
}

/* Writes the sentence; returns its ticket, or 0 when no ticket is left. */
static uint64_t make_sentence(const struct refusal *refusal)
{
    uint64_t ticket = 0;
    struct entry *entry = claim_entry(&ticket);

    if (entry == NULL) {
        return 0;
    }
    atomic_store(&entry->session_name, 0);
    refusal_sentence(refusal, entry->text, sizeof(entry->text));
    publish_entry(entry, ticket);
    return ticket;
}

/* Without a ticket the reason alone, which is a constant. */
static const char *sentence_of(uint64_t ticket, enum audit_reason reason)
{
    return ticket == 0 ? audit_reasons[reason].text : entries[ticket % MESSAGES].text;
}

const char *refused_message(const struct refusal *refusal)
{
    return sentence_of(make_sentence(refusal), refusal->reason);
}

/* The sentence of the refusal; when it was overwritten, a new one from what the handle holds. The
 * new one gets a ticket of its own, so the handle's stays out of date. */
static const char *message_again(const struct packed *packed)
{
    if (is_current(packed->ticket)) {
        return sentence_of(packed->ticket, packed->reason);
    }
    const struct refusal again = refusal_new(GUARD_DENIED, packed->reason, packed->mismatch);
    return refused_message(&again);
}

/* ---- the operation ----------------------------------------------------------------------- */

/* Nothing is held, so nothing is released. The handle is cleared, as a host does. */
static MI_Result MI_CALL refused_close(MI_Operation *operation)
{
    ENTRY_UNCANCELLED;
    if (operation == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(operation, 0, sizeof(*operation));
    return MI_RESULT_OK;
}

/* The operation has ended already: its only result is there. */
static MI_Result MI_CALL refused_cancel(MI_Operation *operation, MI_CancellationReason reason)
{
    ENTRY_UNCANCELLED;
    (void)operation;
    (void)reason;
    return MI_RESULT_FAILED;
}

/* Only the session that the caller itself gave at the start. The output is zeroed first. */
static MI_Result MI_CALL refused_get_session(MI_Operation *operation, MI_Session *session)
{
    ENTRY_UNCANCELLED;
    if (operation == NULL || session == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(session, 0, sizeof(*session));
    return recall_session(unpack(operation).ticket, operation->reserved1, session)
               ? MI_RESULT_OK
               : MI_RESULT_INVALID_PARAMETER;
}

/* The same answer at each call: more is false, so a loop over the results ends at the first. */
static void fill_answer(const MI_Operation *operation, MI_Boolean *more, MI_Result *result,
                        const MI_Char **message, const MI_Instance **details)
{
    const struct packed packed = unpack(operation);
    if (more != NULL) {
        *more = MI_FALSE;
    }
    if (result != NULL) {
        *result = packed.result;
    }
    if (message != NULL) {
        *message = message_again(&packed);
    }
    if (details != NULL) {
        *details = NULL;
    }
}

/* Returns OK: the call itself succeeded, and its result is the refusal (B.5). */
static MI_Result MI_CALL refused_get_instance(MI_Operation *operation, const MI_Instance **instance,
                                              MI_Boolean *more, MI_Result *result,
                                              const MI_Char **message, const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    if (instance != NULL) {
        *instance = NULL;
    }
    fill_answer(operation, more, result, message, details);
    return MI_RESULT_OK;
}

/* The same with the two outputs that only indications have. */
static MI_Result MI_CALL refused_get_indication(MI_Operation *operation,
                                                const MI_Instance **instance,
                                                const MI_Char **bookmark, const MI_Char **machine,
                                                MI_Boolean *more, MI_Result *result,
                                                const MI_Char **message,
                                                const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    if (bookmark != NULL) {
        *bookmark = NULL;
    }
    if (machine != NULL) {
        *machine = NULL;
    }
    return refused_get_instance(operation, instance, more, result, message, details);
}

/* The same for an operation that delivers classes. */
static MI_Result MI_CALL refused_get_class(MI_Operation *operation, const MI_Class **class_object,
                                           MI_Boolean *more, MI_Result *result,
                                           const MI_Char **message, const MI_Instance **details)
{
    ENTRY_UNCANCELLED;
    if (class_object != NULL) {
        *class_object = NULL;
    }
    fill_answer(operation, more, result, message, details);
    return MI_RESULT_OK;
}

/* Every slot is set, so that each wrapper of MI.h may call it. */
static const MI_OperationFT refused_operation_ft = {
    .Close = refused_close,
    .Cancel = refused_cancel,
    .GetSession = refused_get_session,
    .GetInstance = refused_get_instance,
    .GetIndication = refused_get_indication,
    .GetClass = refused_get_class,
};

/* The handle is stored before the callback runs, as a host does: the callback may use it. */
void refused_deliver(const struct refusal *refusal, const MI_Session *session,
                     enum result_kind kind, const MI_OperationCallbacks *callbacks,
                     MI_Operation *operation)
{
    const struct packed packed = {.result = refused_result(refusal),
                                  .reason = refusal->reason,
                                  .mismatch = refusal->mismatch,
                                  .ticket = make_sentence(refusal)};

    if (session != NULL && packed.ticket != 0) {
        remember_session(packed.ticket, session);
    }
    MI_Uint64 name = session != NULL ? session->reserved1 : 0;
    MI_Operation refused = {name, pack(&packed), &refused_operation_ft};

    if (operation != NULL) {
        *operation = refused;
    }
    if (callbacks == NULL) {
        return;
    }
    MI_Operation copy = refused; /* its content is what counts, never its address (B.6) */
    const char *message = sentence_of(packed.ticket, packed.reason);
    void *context = callbacks->callbackContext;
    if (kind == RESULT_INSTANCE && callbacks->instanceResult != NULL) {
        callbacks->instanceResult(&copy, context, NULL, MI_FALSE, packed.result, message, NULL,
                                  NULL);
    } else if (kind == RESULT_INDICATION && callbacks->indicationResult != NULL) {
        callbacks->indicationResult(&copy, context, NULL, NULL, NULL, MI_FALSE, packed.result,
                                    message, NULL, NULL);
    } else if (kind == RESULT_CLASS && callbacks->classResult != NULL) {
        callbacks->classResult(&copy, context, NULL, MI_FALSE, packed.result, message, NULL, NULL);
    }
}
