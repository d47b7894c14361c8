/* SPDX-License-Identifier: MIT */
/*
 * Makes the question that the guard asked from the record of its answer; called by replay.c and
 * `policy explain`.
 *
 * A record has everything that rules ask about, but for some classes of a call that named several,
 * and texts that were cut. Whatever is not there as it was makes the record CALL_UNKNOWN: an answer
 * about another call would be taken for one about this.
 */
#include "tools/review/record_call.h"

#include <string.h>

#include "model/event.h"
#include "tools/review/export_text.h"

/* The reasons of the records that answer a question to the rules. */
static bool rules_were_asked(const struct record *record)
{
    static const enum audit_reason reasons[] = {
        AUDIT_REASON_IDENTITY_MATCH, AUDIT_REASON_IDENTITY_MISMATCH, AUDIT_REASON_POLICY,
        AUDIT_REASON_NAME_INVALID,   AUDIT_REASON_CLIENT_GIVEN,      AUDIT_REASON_CLIENT_DENIED,
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (record_is(record, RECORD_REASON, audit_reasons[reasons[i]].name)) {
            return record_is(record, RECORD_ACTION, "session-open") ||
                   record_is(record, RECORD_ACTION, "session-use");
        }
    }
    return false;
}

static enum call_end end_of_record(const struct record *record)
{
    return !record_is(record, RECORD_DECISION, "allow")   ? CALL_REFUSED
           : record_is(record, RECORD_WOULD_DENY, "true") ? CALL_LET_PASS
                                                          : CALL_ALLOWED;
}

enum call_end record_call_end_of(const struct policy_verdict *verdict)
{
    return verdict->decision != POLICY_ALLOW ? CALL_REFUSED
           : verdict->would_deny             ? CALL_LET_PASS
                                             : CALL_ALLOWED;
}

/* A text that is compared byte by byte. False where the record has cut it, or has replaced what is
 * not UTF-8. */
static bool read_whole(const struct record *record, enum record_field field, char *text,
                       size_t size)
{
    size_t length = record_text(record, field, text, size);

    return length < size && cut_mark_length(text, length) == 0 &&
           strstr(text, "\xEF\xBF\xBD") == NULL;
}

/* Which operation, under which name. */
static bool read_operation(const struct record *record, struct record_call *call)
{
    enum operation operation = OPERATION_ACTION;

    if (!read_whole(record, RECORD_OPERATION, call->action, sizeof(call->action))) {
        return false;
    }
    if (action_name_valid(call->action)) {
        call->call.action = call->action;
    } else if (!operation_from_name(call->action, &operation) || operation == OPERATION_ACTION) {
        return false;
    }
    call->call.operation = operation;
    return true;
}

/* Names that were cut, or hold what is not ASCII, could not be read before and cannot be now
 * (policy/cim_name.h): they need no care. */
static void read_names(const struct record *record, struct record_call *call)
{
    char space[CUT_SIZE(CIM_SPACE_SIZE) * 4], name[CUT_SIZE(CIM_CLASS_SIZE) * 4];
    char method[CUT_SIZE(CIM_METHOD_SIZE) * 4];
    struct cim_written written = {.operation = call->call.operation};

    (void)record_text(record, RECORD_NAMESPACE, space, sizeof(space));
    (void)record_text(record, RECORD_CLASS, name, sizeof(name));
    (void)record_text(record, RECORD_METHOD, method, sizeof(method));
    written.name_space = space;
    written.classes[0] = name;
    written.method = method;
    cim_names_read(&call->names, &written);
    policy_call_name(&call->call, &call->names);
    call->one_of_classes = call->call.operation == OPERATION_ASSOCIATOR_INSTANCES ||
                           call->call.operation == OPERATION_REFERENCE_INSTANCES ||
                           call->call.operation == OPERATION_QUERY_INSTANCES ||
                           call->call.operation == OPERATION_SUBSCRIBE ||
                           call->call.operation == OPERATION_INVOKE;
}

/* False for a component that this version does not know. */
static bool read_mismatch(const struct record *record, miguard_components *ret_components)
{
    miguard_components all = 0;
    struct slice item;
    char name[32];

    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        size_t length = slice_text(&item, name, sizeof(name));
        miguard_components one = length < sizeof(name) ? miguard_component_from_name(name) : 0;
        if (one == 0) {
            return false;
        }
        all |= one;
    }
    *ret_components = all;
    return true;
}

enum call_reading record_call_read(const struct record *record, struct record_call *ret_call)
{
    bool no_memory = false;
    int64_t time = 0;

    memset(ret_call, 0, sizeof(*ret_call));
    if (!rules_were_asked(record)) {
        return CALL_NOT_ASKED;
    }
    if (record_is(record, RECORD_VARIED, "true")) {
        return CALL_VARIED;
    }
    ret_call->end = end_of_record(record);
    ret_call->client =
        record_is(record, RECORD_REASON, audit_reasons[AUDIT_REASON_CLIENT_GIVEN].name) ||
        record_is(record, RECORD_REASON, audit_reasons[AUDIT_REASON_CLIENT_DENIED].name);
    if (!read_whole(record, RECORD_PROVIDER, ret_call->provider, sizeof(ret_call->provider))) {
        return CALL_UNKNOWN;
    }
    ret_call->call.provider = ret_call->provider;
    if (ret_call->client) {
        return CALL_READ;
    }
    if (!read_operation(record, ret_call) ||
        !read_whole(record, RECORD_RESOURCE, ret_call->resource, sizeof(ret_call->resource)) ||
        !read_mismatch(record, &ret_call->mismatch)) {
        return CALL_UNKNOWN;
    }
    ret_call->call.resource = ret_call->resource;
    if (!read_whole(record, RECORD_HOST, ret_call->host, sizeof(ret_call->host)) ||
        !record_time(record, RECORD_TIMESTAMP, &time)) {
        return CALL_UNKNOWN;
    }
    ret_call->call.host = ret_call->host;
    ret_call->call.moment = time / 1000000000;
    read_names(record, ret_call);
    if (!record_identities_read(record, &ret_call->identities, &no_memory) ||
        !ret_call->identities.has_bound) {
        return no_memory ? CALL_NO_MEMORY : CALL_UNKNOWN;
    }
    ret_call->call.opened_as = &ret_call->identities.bound;
    return CALL_READ;
}

void record_call_release(struct record_call *call)
{
    if (call->identities.bound.tag != 0) {
        record_identities_release(&call->identities);
    }
}

/* A call under the same identity was compared in what its policy compares: what the record knows of
 * both is compared again, as the other policy may look at more. An opening differs in nothing. */
void record_call_prepare(struct record_call *call, const struct policy *policy)
{
    const struct record_identities *both = &call->identities;
    miguard_components differing = call->mismatch;

    if (!operation_opens(call->call.operation) && both->has_current) {
        differing |= miguard_identity_compare(&both->bound, &both->current) & both->bound.known &
                     both->current.known;
    }
    call->call.mismatch = differing & policy_compared(policy);
    call->call.used_as =
        call->call.mismatch == 0 ? NULL : (both->has_current ? &both->current : NULL);
}
