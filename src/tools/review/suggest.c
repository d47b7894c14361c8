/* SPDX-License-Identifier: MIT */
/*
 * Makes rules from refusals, for `miguard audit suggest`.
 *
 * suggest_add() reads a refusal into numbers, one for each key (read_call), and remembers each
 * different call once. suggest_write() merges calls that differ in one key only (merge_key, key by
 * key), sorts and writes them. A refusal that no rule can mend becomes a remark with the advice of
 * explain_step(). Every limit errs to fewer rules: what finds no room is counted and said.
 */
#include "tools/review/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/cim_name.h"
#include "tools/review/explain.h"

/* Twice SUGGEST_CALLS, so that a search in a table ends soon. IDS: examples of records a rule
 * names. ABSENT is (uid_t)-1, which no process can have. */
enum { SLOTS = 8192, IDS = 3, ABSENT = UINT32_MAX };

/* The keys of a rule. Each value is a number: an id, an operation, or the place of a name. */
enum key {
    OPERATION,
    ACTION,
    RESOURCE,
    METHOD,
    CLASS,
    NAMESPACE,
    PROVIDER,
    AS_GROUP,
    GROUP,
    AS_USER,
    USER,
    KEYS
};

/* As miguard-policy(5) spells the keys. */
static const char *const key_names[KEYS] = {
    [OPERATION] = "operation", [ACTION] = "action",     [RESOURCE] = "resource",
    [METHOD] = "method",       [CLASS] = "class",       [NAMESPACE] = "namespace",
    [PROVIDER] = "provider",   [AS_GROUP] = "as-group", [GROUP] = "group",
    [AS_USER] = "as-user",     [USER] = "user",
};

/* What is said about the records behind a rule. */
struct facts {
    uint64_t events, calls;
    int64_t first, last;
    char ids[IDS][AUDIT_ID_SIZE];
    uint32_t id_count;
};

/* One call that was refused, or a rule that grew from several. */
struct call {
    uint32_t *values[KEYS]; /* ascending; ABSENT alone: the key is left out */
    uint32_t counts[KEYS];
    miguard_components mismatch;
    struct facts facts;
    bool gone; /* merged into another */
};

/* A name that some call had. Compared by the case rule of its key: two keys with different rules do
 * not share one. */
struct name {
    char *text;
    bool ignore_case;
};

/* Why a refusal gets no rule. */
struct remark {
    uint64_t events;
    const char *step;
};

/* calls and names are arrays of fixed size, each with a table of slots by hash. */
struct suggest {
    struct call *calls;
    uint32_t count;
    uint32_t *slots;    /* of calls: place + 1 */
    struct name *names; /* SUGGEST_CALLS of them have room */
    uint32_t name_count;
    uint32_t *name_slots; /* of names: place + 1 */
    bool *with_resource;  /* by place: provider and action that some record has a resource for */
    uint64_t beyond;      /* events of calls that found no room */
    uint64_t unnamed, unwritable;
    struct remark remarks[AUDIT_REASON_COUNT + 1]; /* the last: reasons that are not known */
    struct facts all;
};

/* ---- names -----------------------------------------------------------------------------------*/

/* Letters of ASCII, as the policy compares (src/policy/cim_name.c). */
static char folded(char c, bool ignore_case)
{
    return ignore_case && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* As the policy compares them: namespaces and classes in any case (DSP0004), of ASCII's letters. */
static bool same_name(const struct name *name, const char *text, bool ignore_case)
{
    size_t i = 0;

    if (name->ignore_case != ignore_case) {
        return false;
    }
    while (name->text[i] != '\0' &&
           folded(name->text[i], ignore_case) == folded(text[i], ignore_case)) {
        i++;
    }
    return name->text[i] == '\0' && text[i] == '\0';
}

/* True also when there is no room any more: *ret_place is ABSENT then. False out of memory. Names
 * are numbered, so that calls can be compared and sorted as numbers. */
static bool place_of_name(struct suggest *suggest, const char *text, bool ignore_case,
                          uint32_t *ret_place)
{
    uint64_t hash = ignore_case;

    for (size_t i = 0; text[i] != '\0'; i++) {
        hash = (hash ^ (unsigned char)folded(text[i], ignore_case)) * UINT64_C(0x100000001B3);
    }
    uint32_t slot = (uint32_t)(hash % SLOTS);
    while (suggest->name_slots[slot] != 0 &&
           !same_name(&suggest->names[suggest->name_slots[slot] - 1], text, ignore_case)) {
        slot = (slot + 1) % SLOTS;
    }
    *ret_place = suggest->name_slots[slot] - 1; /* 0 - 1 is ABSENT */
    if (suggest->name_slots[slot] != 0 || suggest->name_count == SUGGEST_CALLS) {
        return true;
    }
    char *copy = base_copy_text(text);
    if (copy == NULL) {
        return false;
    }
    *ret_place = suggest->name_count;
    suggest->names[suggest->name_count++] = (struct name){copy, ignore_case};
    suggest->name_slots[slot] = suggest->name_count;
    return true;
}

/* ---- what a call was -------------------------------------------------------------------------*/

/*
 * Everything that a rule would ask is read here, or the call gets no rule: a key that is left out
 * matches anything, so a rule with a missing key would allow more than was seen.
 */

/* Why a call gets no rule, or READ. */
enum reading { READ, UNNAMED, UNWRITABLE, NO_ROOM, NO_MEMORY };

/* Whether a pattern can name the text exactly: it is of characters that a policy may hold. Every
 * reader of the file must see what it says: hidden characters are refused like invalid UTF-8. */
static enum reading read_writable(const char *text, size_t length)
{
    struct text safe = TEXT_EMPTY;

    export_text(&safe, EXPORT_TERMINAL, text, length);
    enum reading reading = safe.failed ? NO_MEMORY : UNWRITABLE;
    if (!safe.failed && safe.length == length && memcmp(safe.data, text, length) == 0 &&
        strstr(text, "\xEF\xBF\xBD") == NULL) {
        reading = READ;
    }
    text_release(&safe);
    return reading;
}

/* Whether the guard could read it: no pattern can name what it could not. Such a call was refused
 * for its name, and a rule cannot change that. */
static bool is_cim_name(enum record_field field, const char *text)
{
    char normal[CIM_SPACE_SIZE];

    return field == RECORD_NAMESPACE
               ? cim_space_normalise(text, normal) && strcmp(text, normal) == 0
           : field == RECORD_CLASS  ? cim_class_valid(text)
           : field == RECORD_METHOD ? cim_method_valid(text)
                                    : true;
}

/* may_lack: the operation has no such name, so leaving the key out allows nothing more. */
static enum reading read_name(struct suggest *suggest, const struct record *record,
                              enum record_field field, bool ignore_case, bool may_lack,
                              uint32_t *ret_value)
{
    char text[SUGGEST_TEXT + 1];

    if (!export_has(record, field)) {
        *ret_value = ABSENT;
        return may_lack ? READ : UNNAMED;
    }
    size_t length = record_text(record, field, text, sizeof(text));
    enum reading reading = length >= sizeof(text) ? UNWRITABLE : read_writable(text, length);
    if (reading != READ || !is_cim_name(field, text)) {
        return reading != READ ? reading : UNWRITABLE;
    }
    if (!place_of_name(suggest, text, ignore_case, ret_value)) {
        return NO_MEMORY;
    }
    return *ret_value == ABSENT ? NO_ROOM : READ;
}

/* (uid_t)-1 is no id. */
static bool read_id(const struct record *record, enum record_field field, uint32_t *ret_value)
{
    uint64_t id;

    if (!record_number(record, field, &id) || id >= UINT32_MAX) {
        return false;
    }
    *ret_value = (uint32_t)id;
    return true;
}

/* Neither a namespace nor a class. A rule for these needs no namespace and no class, as no call of
 * them has one. */
static bool without_names(enum operation operation)
{
    return operation_opens(operation) || operation == OPERATION_SESSION_CLOSE ||
           operation == OPERATION_GET_APPLICATION || operation == OPERATION_TEST_CONNECTION;
}

/* False for a name that this version does not know: a rule without it would be too narrow to match,
 * and one with it cannot be written. */
static bool read_components(const struct record *record, enum record_field field,
                            miguard_components *ret_components)
{
    miguard_components all = 0;
    struct slice item;
    char name[32];

    for (size_t at = 0; record_item(record, field, &at, &item);) {
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

/* The user who opened, and who used it when the identity differed. Groups are keys only where a
 * group differed. */
static enum reading read_people(const struct record *record, miguard_components mismatch,
                                uint32_t values[KEYS])
{
    values[AS_USER] = values[GROUP] = values[AS_GROUP] = ABSENT;
    if (!read_id(record, RECORD_BOUND_USER_ID, &values[USER]) ||
        (mismatch != 0 && !read_id(record, RECORD_CURRENT_USER_ID, &values[AS_USER]))) {
        return UNNAMED;
    }
    if ((mismatch & COMPONENTS_OF_GROUPS) != 0 &&
        (!read_id(record, RECORD_BOUND_GROUP_ID, &values[GROUP]) ||
         !read_id(record, RECORD_CURRENT_GROUP_ID, &values[AS_GROUP]))) {
        return UNNAMED;
    }
    return READ;
}

/* The names of a call of MI, or of Bind, which may have a resource and none of the others. */
static enum reading read_mi_names(struct suggest *suggest, const struct record *record,
                                  enum operation operation, uint32_t values[KEYS])
{
    values[OPERATION] = (uint32_t)operation;
    values[ACTION] = ABSENT;
    enum reading reading =
        read_name(suggest, record, RECORD_RESOURCE, false, true, &values[RESOURCE]);
    if (reading == READ && values[RESOURCE] != ABSENT && operation != OPERATION_BIND) {
        return UNNAMED; /* of a later version: no call of MI has one */
    }
    if (reading == READ) {
        reading = read_name(suggest, record, RECORD_NAMESPACE, true, without_names(operation),
                            &values[NAMESPACE]);
    }
    if (reading == READ) {
        reading = read_name(suggest, record, RECORD_CLASS, true, without_names(operation),
                            &values[CLASS]);
    }
    if (reading == READ) { /* an older version did not record it */
        reading = read_name(suggest, record, RECORD_METHOD, true, operation != OPERATION_INVOKE,
                            &values[METHOD]);
    }
    return reading;
}

/* The names of an own action. One with the names of MI is an operation of a later version. */
static enum reading read_own_names(struct suggest *suggest, const struct record *record,
                                   uint32_t values[KEYS])
{
    values[OPERATION] = values[METHOD] = values[CLASS] = values[NAMESPACE] = ABSENT;
    if (export_has(record, RECORD_NAMESPACE) || export_has(record, RECORD_CLASS) ||
        export_has(record, RECORD_METHOD)) {
        return UNNAMED;
    }
    enum reading reading =
        read_name(suggest, record, RECORD_OPERATION, false, false, &values[ACTION]);
    if (reading == READ) {
        reading = read_name(suggest, record, RECORD_RESOURCE, false, true, &values[RESOURCE]);
    }
    return reading;
}

/* READ when every key that the operation has could be read. */
static enum reading read_call(struct suggest *suggest, const struct record *record,
                              uint32_t values[KEYS], miguard_components *ret_mismatch)
{
    enum operation operation = OPERATION_ACTION;
    char name[ACTION_NAME_MAX + 2];

    (void)record_text(record, RECORD_OPERATION, name, sizeof(name)); /* too long is not valid */
    bool own = action_name_valid(name);
    if ((!own && (!operation_from_name(name, &operation) || operation == OPERATION_ACTION)) ||
        !read_components(record, RECORD_MISMATCH, ret_mismatch)) {
        return UNNAMED;
    }
    enum reading reading = read_people(record, *ret_mismatch, values);
    if (reading == READ) {
        reading = read_name(suggest, record, RECORD_PROVIDER, false, false, &values[PROVIDER]);
    }
    if (reading != READ) {
        return reading;
    }
    return own ? read_own_names(suggest, record, values)
               : read_mi_names(suggest, record, operation, values);
}

/* ---- remembering -----------------------------------------------------------------------------*/

/* Counts the record, and keeps the first few ids as examples. */
static void note(struct facts *facts, const struct record *record)
{
    int64_t time;

    facts->events += export_repeats(record);
    if (record_time(record, RECORD_TIMESTAMP, &time)) {
        /* Records come nearly in order, not strictly. */
        facts->first = time < facts->first ? time : facts->first;
        facts->last = time > facts->last ? time : facts->last;
    }
    if (facts->id_count < IDS && export_has(record, RECORD_EVENT_ID)) {
        record_text(record, RECORD_EVENT_ID, facts->ids[facts->id_count++], AUDIT_ID_SIZE);
    }
}

/* The facts of two rules that become one. */
static void join(struct facts *facts, const struct facts *other)
{
    facts->events += other->events;
    facts->calls += other->calls;
    facts->first = other->first < facts->first ? other->first : facts->first;
    facts->last = other->last > facts->last ? other->last : facts->last;
    for (uint32_t i = 0; i < other->id_count && facts->id_count < IDS; i++) {
        memcpy(facts->ids[facts->id_count++], other->ids[i], AUDIT_ID_SIZE);
    }
}

/* Only before merging, when each key has one value. */
static bool same_call(const struct call *call, const uint32_t values[KEYS],
                      miguard_components mismatch)
{
    for (int i = 0; i < KEYS; i++) {
        if (call->values[i][0] != values[i]) {
            return false;
        }
    }
    return call->mismatch == mismatch;
}

/* The slot of the call, or the free one where it belongs. There is one, as calls are limited to
 * half of the slots. */
static uint32_t slot_of(const struct suggest *suggest, const uint32_t values[KEYS],
                        miguard_components mismatch)
{
    uint64_t hash = mismatch;

    for (int i = 0; i < KEYS; i++) {
        hash = (hash ^ values[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    uint32_t slot = (uint32_t)(hash % SLOTS);
    while (suggest->slots[slot] != 0 &&
           !same_call(&suggest->calls[suggest->slots[slot] - 1], values, mismatch)) {
        slot = (slot + 1) % SLOTS;
    }
    return slot;
}

/* Each value has memory of its own, because merging lets it grow. False out of memory;
 * release_call() frees what there is. */
static bool new_call(struct call *call, const uint32_t values[KEYS], miguard_components mismatch)
{
    *call = (struct call){.mismatch = mismatch,
                          .facts = {.calls = 1, .first = INT64_MAX, .last = INT64_MIN}};
    uint32_t *memory = base_alloc(KEYS, sizeof(*memory));
    for (int i = 0; memory != NULL && i < KEYS; i++) {
        call->values[i] = base_alloc(1, sizeof(*memory));
        if (call->values[i] == NULL) {
            base_free(memory);
            memory = NULL;
        } else {
            call->values[i][0] = values[i];
            call->counts[i] = 1;
        }
    }
    base_free(memory);
    return memory != NULL;
}

/* Safe for a call that was made in part. */
static void release_call(struct call *call)
{
    for (int i = 0; i < KEYS; i++) {
        base_free(call->values[i]);
    }
}

/* Calls beyond SUGGEST_CALLS are only counted. */
static bool remember(struct suggest *suggest, const struct record *record,
                     const uint32_t values[KEYS], miguard_components mismatch)
{
    uint32_t slot = slot_of(suggest, values, mismatch);

    if (suggest->slots[slot] == 0) {
        if (suggest->count == SUGGEST_CALLS) {
            suggest->beyond += export_repeats(record);
            return true;
        }
        struct call call;
        if (!new_call(&call, values, mismatch)) {
            release_call(&call);
            return false;
        }
        suggest->calls[suggest->count++] = call;
        suggest->slots[slot] = suggest->count;
    }
    note(&suggest->calls[suggest->slots[slot] - 1].facts, record);
    return true;
}

/* ---- whether an action has resources ----------------------------------------------------------*/

/*
 * No rule can ask that a use has no resource. For an action that never has one a rule without that
 * key allows nothing more; so all records are asked, those of allowed uses, too.
 */

/* The place of the two names as one; no name has the character between them. */
static bool place_of_pair(struct suggest *suggest, const char *provider, const char *action,
                          uint32_t *ret_place)
{
    char pair[SUGGEST_TEXT + ACTION_NAME_MAX + 2];

    (void)snprintf(pair, sizeof(pair), "%s\x01%s", provider, action);
    return place_of_name(suggest, pair, false, ret_place);
}

/* Names that are too long for a rule are none here either. False out of memory. */
static bool note_resource(struct suggest *suggest, const struct record *record)
{
    char provider[SUGGEST_TEXT + 1], action[ACTION_NAME_MAX + 1];
    uint32_t place;

    if (!export_has(record, RECORD_RESOURCE) ||
        record_text(record, RECORD_PROVIDER, provider, sizeof(provider)) >= sizeof(provider) ||
        record_text(record, RECORD_OPERATION, action, sizeof(action)) >= sizeof(action)) {
        return true;
    }
    if (!place_of_pair(suggest, provider, action, &place)) {
        return false;
    }
    if (place != ABSENT) { /* no room: then it is not found below either */
        suggest->with_resource[place] = true;
    }
    return true;
}

/* Whether a rule for the call would allow any resource. */
static bool lacks_resource(const struct call *call)
{
    bool binds = false;

    for (uint32_t i = 0; i < call->counts[OPERATION]; i++) {
        binds = binds || call->values[OPERATION][i] == OPERATION_BIND;
    }
    return call->values[RESOURCE][0] == ABSENT && (binds || call->values[ACTION][0] != ABSENT);
}

/* Before merging: a call without a resource whose action is known to have some gets no rule. False
 * out of memory. */
static bool drop_unnamed(struct suggest *suggest)
{
    uint32_t kept = 0, place;

    for (uint32_t i = 0; i < suggest->count; i++) {
        struct call *call = &suggest->calls[i];
        uint32_t action = call->values[ACTION][0];
        if (lacks_resource(call)) {
            if (!place_of_pair(suggest, suggest->names[call->values[PROVIDER][0]].text,
                               action == ABSENT ? operation_name(OPERATION_BIND)
                                                : suggest->names[action].text,
                               &place)) {
                return false;
            }
            call->gone = place == ABSENT || suggest->with_resource[place];
        }
        if (call->gone) {
            suggest->unnamed += call->facts.events;
            release_call(call);
        } else {
            suggest->calls[kept++] = *call;
        }
    }
    suggest->count = kept;
    return true;
}

static void remark(struct suggest *suggest, const struct record *record, uint32_t reason)
{
    uint32_t at = 0;

    suggest->remarks[reason].events += export_repeats(record);
    if (suggest->remarks[reason].step == NULL) {
        (void)explain_step(record, &at, &suggest->remarks[reason].step);
    }
}

/* A rule can change two kinds of refusals: a mismatch, and a rule's own decision. Where a component
 * could not be read, no rule helps (by design: unreadable is never equal). */
bool suggest_add(struct suggest *suggest, const struct record *record)
{
    enum audit_reason reason = AUDIT_REASON_COUNT;
    miguard_components mismatch = 0;
    uint32_t values[KEYS];

    if (!note_resource(suggest, record)) {
        return false;
    }
    if (!export_is_refusal(record)) {
        return true;
    }
    note(&suggest->all, record);
    (void)export_reason(record, &reason);
    if ((reason != AUDIT_REASON_IDENTITY_MISMATCH && reason != AUDIT_REASON_POLICY) ||
        export_has(record, RECORD_UNREADABLE)) {
        remark(suggest, record, reason);
        return true;
    }
    switch (read_call(suggest, record, values, &mismatch)) {
    case READ:
        break;
    /* A key would have to be left out, which allows more than was seen. */
    case UNNAMED:
        suggest->unnamed += export_repeats(record);
        return true;
    /* No pattern matches exactly this name. */
    case UNWRITABLE:
        suggest->unwritable += export_repeats(record);
        return true;
    /* More names than are remembered. */
    case NO_ROOM:
        suggest->beyond += export_repeats(record);
        return true;
    default:
        return false;
    }
    /* A refused mismatch must name what differed: a rule without it would be for other calls. */
    if (reason == AUDIT_REASON_IDENTITY_MISMATCH && mismatch == 0) {
        suggest->unnamed += export_repeats(record);
        return true;
    }
    return remember(suggest, record, values, mismatch);
}

/* The tables have their full size from the start; each new call and name takes memory of its own.
 */
struct suggest *suggest_new(void)
{
    struct suggest *suggest = base_alloc(1, sizeof(*suggest));

    if (suggest == NULL) {
        return NULL;
    }
    suggest->calls = base_alloc(SUGGEST_CALLS, sizeof(*suggest->calls));
    suggest->slots = base_alloc(SLOTS, sizeof(*suggest->slots));
    suggest->all = (struct facts){.first = INT64_MAX, .last = INT64_MIN};
    suggest->names = base_alloc(SUGGEST_CALLS, sizeof(*suggest->names));
    suggest->name_slots = base_alloc(SLOTS, sizeof(*suggest->name_slots));
    suggest->with_resource = base_alloc(SUGGEST_CALLS, sizeof(*suggest->with_resource));
    if (suggest->with_resource == NULL || suggest->calls == NULL || suggest->slots == NULL ||
        suggest->names == NULL || suggest->name_slots == NULL) {
        suggest_free(suggest);
        return NULL;
    }
    return suggest;
}

/* NULL is allowed, and one that was made in part. */
void suggest_free(struct suggest *suggest)
{
    if (suggest == NULL) {
        return;
    }
    for (uint32_t i = 0; i < suggest->count; i++) {
        release_call(&suggest->calls[i]);
    }
    for (uint32_t i = 0; i < suggest->name_count; i++) {
        base_free(suggest->names[i].text);
    }
    base_free(suggest->with_resource);
    base_free(suggest->names);
    base_free(suggest->calls);
    base_free(suggest->slots);
    base_free(suggest->name_slots);
    base_free(suggest);
}

/* ---- merging ---------------------------------------------------------------------------------*/

/*
 * Two calls become one rule where they differ in one key only: then the product of the lists of
 * values is exactly their union. The keys are tried in the order of enum key, so operations,
 * methods and classes come together before users do.
 */

/* Any total order will do: it brings equal lists together. */
static int compare_values(const struct call *a, const struct call *b, int key)
{
    if (a->counts[key] != b->counts[key]) {
        return a->counts[key] < b->counts[key] ? -1 : 1;
    }
    for (uint32_t i = 0; i < a->counts[key]; i++) {
        if (a->values[key][i] != b->values[key][i]) {
            return a->values[key][i] < b->values[key][i] ? -1 : 1;
        }
    }
    return 0;
}

/* The key is left out of the rule. */
static bool absent(const struct call *call, int key)
{
    return call->values[key][0] == ABSENT;
}

/* By everything but the key left out: those that may become one stand side by side. An absent key
 * means "any", which no list can say together with others. */
static int compare_without(const struct call *a, const struct call *b, int left_out)
{
    if (a->mismatch != b->mismatch) {
        return a->mismatch < b->mismatch ? -1 : 1;
    }
    if (absent(a, left_out) != absent(b, left_out)) {
        return absent(a, left_out) ? -1 : 1;
    }
    for (int key = 0; key < KEYS; key++) {
        int order = key == left_out ? 0 : compare_values(a, b, key);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

/* For qsort_r(3); context is the key that is left out. */
static int by_all_but(const void *a, const void *b, void *context)
{
    int left_out = *(const int *)context;
    int order = compare_without(a, b, left_out);

    return order != 0 ? order : compare_values(a, b, left_out);
}

/* For qsort(3). */
static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;

    return one < two ? -1 : one > two;
}

/* Both differ in this key alone, so the union of its values allows exactly what both allowed. False
 * out of memory, with nothing changed. */
static bool merge_two(struct call *into, struct call *from, int key)
{
    uint32_t count = into->counts[key] + from->counts[key], kept = 0;
    uint32_t *values = base_resize(into->values[key], count, sizeof(*values));

    if (values == NULL) {
        return false;
    }
    into->values[key] = values;
    memcpy(values + into->counts[key], from->values[key], from->counts[key] * sizeof(*values));
    qsort(values, count, sizeof(*values), by_number);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || values[kept - 1] != values[i]) {
            values[kept++] = values[i];
        }
    }
    into->counts[key] = kept;
    join(&into->facts, &from->facts);
    from->gone = true;
    return true;
}

/* One round for one key. Rows that are equal but for it stand side by side after sorting. The lists
 * of a policy are limited, hence SUGGEST_VALUES. */
static bool merge_key(struct suggest *suggest, int key)
{
    struct call *calls = suggest->calls;
    uint32_t kept = 0;

    qsort_r(calls, suggest->count, sizeof(*calls), by_all_but, &key);
    for (uint32_t i = 0, at = 0; i < suggest->count; i++) {
        if (i != at && compare_without(&calls[at], &calls[i], key) == 0 &&
            calls[at].counts[key] + calls[i].counts[key] <= SUGGEST_VALUES) {
            if (!merge_two(&calls[at], &calls[i], key)) {
                return false;
            }
        } else {
            at = i;
        }
    }
    for (uint32_t i = 0; i < suggest->count; i++) {
        if (calls[i].gone) {
            release_call(&calls[i]);
        } else {
            calls[kept++] = calls[i];
        }
    }
    suggest->count = kept;
    return true;
}

/* What was seen most often comes first; the rest makes the order the same for the same records. */
static int by_events(const void *a, const void *b)
{
    const struct call *one = a, *two = b;

    if (one->facts.events != two->facts.events) {
        return one->facts.events > two->facts.events ? -1 : 1;
    }
    /* With all keys compared, any of them may be the last. */
    int key = USER;
    return by_all_but(a, b, &key);
}

/* ---- writing ---------------------------------------------------------------------------------*/

/*
 * The result is a policy file: it is shown to a person, edited and loaded. Names go through
 * EXPORT_GLOB, so that none of their characters is a wildcard or ends the quotes.
 */

/* In UTC, since the file goes to other hosts. */
static void write_seen(struct text *text, const struct facts *facts)
{
    text_format(text, "%llu time%s", (unsigned long long)facts->events,
                facts->events == 1 ? "" : "s");
    if (facts->first <= facts->last) {
        text_append(text, ", ");
        export_utc(text, facts->first);
        if (facts->last != facts->first) {
            text_append(text, " to ");
            export_utc(text, facts->last);
        }
    }
}

/* Ids as numbers: a name may lead to another id on another host. */
static void write_value(const struct suggest *suggest, struct text *text, int key, uint32_t value)
{
    if (key == OPERATION) {
        text_append(text, operation_name((enum operation)value));
    } else if (key >= ACTION && key <= PROVIDER) { /* names */
        text_append(text, "\"");
        export_string(text, EXPORT_GLOB, suggest->names[value].text);
        text_append(text, "\"");
    } else {
        text_format(text, "%u", value);
    }
}

/* Always a list, also of one value. */
static void write_key(const struct suggest *suggest, struct text *text, const struct call *call,
                      int key)
{
    if (absent(call, key)) {
        return;
    }
    text_format(text, "      %s: [", key_names[key]);
    for (uint32_t i = 0; i < call->counts[key]; i++) {
        text_append(text, i == 0 ? "" : ", ");
        write_value(suggest, text, key, call->values[key][i]);
    }
    text_append(text, "]\n");
}

/* audit: always, so that what the rule lets pass stays visible. */
static void write_rule(const struct suggest *suggest, struct text *text, const struct call *call,
                       size_t number)
{
    static const int order[] = {USER,  GROUP,  AS_USER,  AS_GROUP,  PROVIDER, NAMESPACE,
                                CLASS, METHOD, RESOURCE, OPERATION, ACTION};

    text_append(text, "  # Seen ");
    write_seen(text, &call->facts);
    text_format(text, ", in %llu kind%s of call.\n", (unsigned long long)call->facts.calls,
                call->facts.calls == 1 ? "" : "s");
    text_append(text, "  # Such as:");
    for (uint32_t i = 0; i < call->facts.id_count; i++) {
        text_append(text, i == 0 ? " " : ", ");
        export_string(text, EXPORT_TERMINAL, call->facts.ids[i]);
    }
    if (lacks_resource(call)) {
        text_append(text, "\n  # No record of it has a resource; a rule without one allows any.");
    }
    text_format(text, "\n  - name: suggested-%zu\n    match:\n", number);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        write_key(suggest, text, call, order[i]);
    }
    if (call->mismatch != 0) {
        text_append(text, "      mismatch: [");
        identity_components_text(text, call->mismatch);
        text_append(text, "]\n");
    }
    text_append(text, "    decision: allow\n    audit: always\n    reason: \"suggested; seen ");
    write_seen(text, &call->facts);
    text_append(text, "\"\n");
}

/* Comments in the file itself, since it is copied without this program's output. */
static void write_warning(const struct suggest *suggest, struct text *text)
{
    text_append(text, "# Rules that `miguard audit suggest` made from refusals, seen ");
    write_seen(text, &suggest->all);
    text_append(
        text,
        ".\n#\n"
        "# WARNING: most refusals are bugs of the provider. A rule that allows a mismatch may\n"
        "# legitimise such a bug: the call is then served under another identity than its own.\n"
        "# `miguard audit explain ID` says how to mend the provider instead. Read each rule,\n"
        "# keep what you can answer for, and write your reason into it.\n"
        "#\n"
        "# Each rule allows what was seen and nothing else, but for what no rule can say: a\n"
        "# mismatch covers calls that differ in fewer of its components as well, and it says\n"
        "# which components differ, not by how much; an action of a daemon that no record has a\n"
        "# resource for may have any.\n"
        "# The first rule that matches decides: these stand before the rules that refused.\n"
        "version: 1\n");
}

/* Wrapped, as comments. Nothing for no events. */
static void write_comment(struct text *text, uint64_t events, const char *why, const char *step)
{
    enum { WIDTH = 96 };
    size_t column = 0;

    if (events == 0) {
        return;
    }
    text_format(text, "#\n# %llu refused call%s without a rule: %s.", (unsigned long long)events,
                events == 1 ? "" : "s", why);
    for (column = WIDTH; step != NULL && *step != '\0';) {
        size_t length = strcspn(step, " ");
        if (column + length + 1 > WIDTH) {
            text_append(text, "\n#   ");
            column = 4;
        } else {
            text_append(text, " ");
            column++;
        }
        text_append_bytes(text, step, length);
        column += length;
        step += length + (step[length] == ' ');
    }
    text_append(text, "\n");
}

/* Why each other refusal has no rule, by reason. */
static void write_remarks(const struct suggest *suggest, struct text *text, uint64_t left_out)
{
    for (enum audit_reason i = 0; i < AUDIT_REASON_COUNT; i++) {
        write_comment(text, suggest->remarks[i].events, audit_reasons[i].text,
                      suggest->remarks[i].step);
    }
    write_comment(text, suggest->remarks[AUDIT_REASON_COUNT].events,
                  "this version does not know the reason", NULL);
    write_comment(text, suggest->unnamed,
                  "the record lacks a user, provider, namespace, class, method or resource",
                  "A rule cannot ask that one is absent; without that key it would allow more than "
                  "was seen.");
    write_comment(text, suggest->unwritable,
                  "a name is too long or has characters that no policy may hold", NULL);
    write_comment(text, suggest->beyond, "there are too many kinds of calls",
                  "Ask for fewer, with --provider, --user or --start.");
    write_comment(text, left_out, "a policy file holds no more rules than these",
                  "Ask for fewer, with --provider, --user or --start.");
}

/* A policy file must not be larger than the guard reads (64 KiB): what does not fit any more is
 * counted as left out. */
static size_t write_rules(const struct suggest *suggest, struct text *text, uint64_t *ret_left_out)
{
    size_t written = 0, start = text->length;

    *ret_left_out = 0;
    for (uint32_t i = 0; i < suggest->count; i++) {
        struct text rule = TEXT_EMPTY;
        write_rule(suggest, &rule, &suggest->calls[i], written + 1);
        /* The rule is written first, since its size is not known before. */
        if (written == SUGGEST_RULES || text->length - start + rule.length > SUGGEST_SIZE) {
            *ret_left_out += suggest->calls[i].facts.events;
        } else {
            text_append(text, written == 0 ? "rules:\n" : "\n");
            text_append_bytes(text, rule.data, rule.length);
            written++;
        }
        text->failed = text->failed || rule.failed;
        text_release(&rule);
    }
    return written;
}

/* The calls are merged in place: the slots no longer fit, and are emptied. */
size_t suggest_write(struct suggest *suggest, struct text *text)
{
    uint64_t left_out;

    if (!drop_unnamed(suggest)) {
        text->failed = true;
        return SIZE_MAX;
    }
    for (int key = 0; key < KEYS; key++) {
        if (!merge_key(suggest, key)) {
            text->failed = true;
            return SIZE_MAX;
        }
    }
    memset(suggest->slots, 0, SLOTS * sizeof(*suggest->slots)); /* the places are others now */
    qsort(suggest->calls, suggest->count, sizeof(*suggest->calls), by_events);
    write_warning(suggest, text);
    size_t written = write_rules(suggest, text, &left_out);
    write_remarks(suggest, text, left_out);
    return text->failed ? SIZE_MAX : written;
}
