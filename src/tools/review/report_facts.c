/* SPDX-License-Identifier: MIT */
/*
 * What a report counts of one record, as bytes that the threads which read a log make and that
 * report.c adds up in the order of the records.
 *
 * report_facts() writes a struct report_facts and behind it one struct report_fact_key with its
 * text for each list that the record counts under. All that depends on the record alone is done
 * here, so that what is left for the one thread that adds is a search in a table.
 */
#include "tools/review/report.h"

#include <string.h>

/* In the order of records, which record_like_some() asks for. Each field that a function below
 * looks at, or that a function which it calls does. */
const struct record_fields_wanted report_fields = {
    .list = {RECORD_TIMESTAMP,
             RECORD_HOST,
             RECORD_PID,
             RECORD_ENTITY,
             RECORD_EXECUTABLE,
             RECORD_PROCESS_NAME,
             RECORD_CURRENT_USER_ID,
             RECORD_CURRENT_USER_NAME,
             RECORD_BOUND_USER_ID,
             RECORD_BOUND_USER_NAME,
             RECORD_OPERATION,
             RECORD_PROVIDER,
             RECORD_NAMESPACE,
             RECORD_CLASS,
             RECORD_METHOD,
             RECORD_RESOURCE,
             RECORD_DECISION,
             RECORD_WOULD_DENY,
             RECORD_LOGINUID,
             RECORD_MISMATCH,
             RECORD_SITE_MODULE,
             RECORD_SITE_OFFSET,
             RECORD_SITE_SYMBOL,
             RECORD_SITE_BUILD,
             RECORD_REPEATS,
             RECORD_POLICY_DETAIL,
             RECORD_POLICY_HASH,
             RECORD_ACTION,
             RECORD_REASON,
             RECORD_RULE,
             RECORD_RULE_SOURCE},
    .count = 31,
};

/* FNV-1a, whose value is shown in a key that was cut; for all others eight bytes at a time. Neither
 * is proof against chosen keys: who floods the log can slow a report down, and change no count. */
uint64_t report_hash(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325), word;

    if (length > REPORT_KEY_LENGTH) {
        for (size_t i = 0; i < length; i++) {
            hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
        }
        return hash;
    }
    for (hash ^= length; length > 0; text += sizeof(word)) {
        size_t taken = length < sizeof(word) ? length : sizeof(word);
        word = 0;
        memcpy(&word, text, taken);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
        length -= taken;
    }
    return hash;
}

/* ---- keys ------------------------------------------------------------------------------------*/

/* Where the text of a key begins; end_key() fills in what stands before it. */
static size_t begin_key(struct text *facts)
{
    const struct report_fact_key none = {0};

    text_append_bytes(facts, (const char *)&none, sizeof(none));
    return facts->length;
}

/* An empty one is dropped: the record lacks the field. One that is too long keeps the hash of its
 * whole, so that it differs by what is cut off as well. */
static void end_key(struct text *facts, enum report_list list, size_t start)
{
    size_t length = facts->length - start;

    if (facts->failed) {
        return;
    }
    if (length == 0) {
        facts->length = start - sizeof(struct report_fact_key);
        return;
    }
    struct report_fact_key key = {.hash = report_hash(facts->data + start, length), .list = list};
    if (length > REPORT_KEY_LENGTH) {
        /* Room for the mark with the hash of the whole. */
        facts->length = start + REPORT_KEY_LENGTH - 32;
        text_format(facts, "... #%016llx", (unsigned long long)key.hash);
    }
    text_append_bytes(facts, "", 1);
    key.size = (uint32_t)(facts->length - start);
    if (!facts->failed) {
        memcpy(facts->data + start - sizeof(key), &key, sizeof(key));
    }
}

/* A list whose key is one field as it stands. */
static void add_field(struct text *facts, enum report_list list, const struct record *record,
                      enum record_field field)
{
    if (record->field[field].at != NULL) {
        size_t start = begin_key(facts);
        export_field(facts, EXPORT_PLAIN, record, field);
        end_key(facts, list, start);
    }
}

/* A list whose key is a user. */
static void add_person(struct text *facts, enum report_list list, const struct record *record,
                       enum record_field id, enum record_field name)
{
    size_t start = begin_key(facts);

    export_person(facts, EXPORT_PLAIN, record, id, name);
    end_key(facts, list, start);
}

/* The pair only where the record has both. */
static void add_people(struct text *facts, const struct record *record)
{
    bool bound = export_has(record, RECORD_BOUND_USER_ID);
    bool current = export_has(record, RECORD_CURRENT_USER_ID);

    if (bound) {
        add_person(facts, REPORT_BOUND, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    }
    if (current) {
        add_person(facts, REPORT_CURRENT, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    }
    if (bound && current) {
        size_t start = begin_key(facts);
        export_person(facts, EXPORT_PLAIN, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
        text_append(facts, " -> ");
        export_person(facts, EXPORT_PLAIN, record, RECORD_CURRENT_USER_ID,
                      RECORD_CURRENT_USER_NAME);
        end_key(facts, REPORT_PAIR, start);
    }
}

/* A record counts under each component that differed, so this list adds up to more than the
 * refusals. */
static void add_components(struct text *facts, const struct record *record)
{
    struct slice item;

    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        size_t start = begin_key(facts);
        export_slice(facts, EXPORT_PLAIN, &item);
        end_key(facts, REPORT_COMPONENT, start);
    }
}

/* With its place: the same name may stand in two versions of a file. */
static void add_rule(struct text *facts, const struct record *record)
{
    if (export_has(record, RECORD_RULE)) {
        size_t start = begin_key(facts);
        export_field(facts, EXPORT_PLAIN, record, RECORD_RULE);
        if (export_has(record, RECORD_RULE_SOURCE)) {
            text_append(facts, " at ");
            export_field(facts, EXPORT_PLAIN, record, RECORD_RULE_SOURCE);
        }
        end_key(facts, REPORT_RULE, start);
    }
}

/* Which rule judges what a provider does. */
static void add_provider_rule(struct text *facts, const struct record *record)
{
    if (export_has(record, RECORD_PROVIDER) && export_has(record, RECORD_RULE)) {
        size_t start = begin_key(facts);
        export_field(facts, EXPORT_PLAIN, record, RECORD_PROVIDER);
        text_append(facts, ", ");
        export_field(facts, EXPORT_PLAIN, record, RECORD_RULE);
        end_key(facts, REPORT_PROVIDER_RULE, start);
    }
}

/* Who, and where. */
static void add_host_user(struct text *facts, const struct record *record)
{
    if (export_has(record, RECORD_HOST) && export_has(record, RECORD_BOUND_USER_ID) &&
        export_has(record, RECORD_CURRENT_USER_ID)) {
        size_t start = begin_key(facts);
        export_field(facts, EXPORT_PLAIN, record, RECORD_HOST);
        text_append(facts, ", ");
        export_person(facts, EXPORT_PLAIN, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
        text_append(facts, " -> ");
        export_person(facts, EXPORT_PLAIN, record, RECORD_CURRENT_USER_ID,
                      RECORD_CURRENT_USER_NAME);
        end_key(facts, REPORT_HOST_USER, start);
    }
}

/* A set of files as it came into force: which, where, and which program of whose loaded it. The
 * owner of a file is not in the record. */
static void add_policy(struct text *facts, const struct record *record)
{
    char hash[24];

    if (!record_is(record, RECORD_ACTION, "policy-load")) {
        return;
    }
    size_t start = begin_key(facts);
    record_text(record, RECORD_POLICY_HASH, hash, 13);
    text_append(facts, hash[0] != '\0' ? "" : "built in");
    export_string(facts, EXPORT_PLAIN, hash);
    text_append(facts, " on ");
    export_field(facts, EXPORT_PLAIN, record, RECORD_HOST);
    text_append(facts, ", loaded by ");
    export_field(facts, EXPORT_PLAIN, record,
                 export_has(record, RECORD_PROCESS_NAME) ? RECORD_PROCESS_NAME : RECORD_EXECUTABLE);
    text_append(facts, " as ");
    export_person(facts, EXPORT_PLAIN, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    text_append(facts, ": ");
    export_field(facts, EXPORT_PLAIN, record, RECORD_POLICY_DETAIL);
    end_key(facts, REPORT_POLICY, start);
}

/* Methods of two classes have nothing but their name in common. */
static void add_method(struct text *facts, const struct record *record)
{
    if (!export_has(record, RECORD_METHOD)) {
        return;
    }
    size_t start = begin_key(facts);
    export_field(facts, EXPORT_PLAIN, record, RECORD_CLASS);
    text_append(facts, facts->length > start ? "." : "");
    export_field(facts, EXPORT_PLAIN, record, RECORD_METHOD);
    end_key(facts, REPORT_METHOD, start);
}

/* Without its folders and version, as one module may be loaded by several paths. */
static void add_module_name(struct text *facts, const struct record *record)
{
    size_t start = facts->length;

    export_field(facts, EXPORT_PLAIN, record, RECORD_SITE_MODULE);
    if (facts->failed) {
        return;
    }
    const char *path = facts->data + start, *slash = strrchr(path, '/');
    size_t folders = slash != NULL ? (size_t)(slash + 1 - path) : 0;
    memmove(facts->data + start, facts->data + start + folders,
            facts->length - start - folders + 1);
    facts->length -= folders;
    char *version = strstr(facts->data + start, ".so.");
    if (version != NULL) {
        facts->length = (size_t)(version + 3 - facts->data);
        version[3] = '\0';
    }
}

/* Module, offset and symbol, as far as the record has them. With a build id the same place is one
 * row, whatever path the module was loaded by. */
static void add_site(struct text *facts, const struct record *record)
{
    const bool is_known = export_has(record, RECORD_SITE_BUILD);
    size_t start = begin_key(facts);

    if (is_known) {
        add_module_name(facts, record);
    } else {
        export_field(facts, EXPORT_PLAIN, record, RECORD_SITE_MODULE);
    }
    if (export_has(record, RECORD_SITE_OFFSET)) {
        text_append(facts, "+0x");
        export_field(facts, EXPORT_PLAIN, record, RECORD_SITE_OFFSET);
    }
    if (export_has(record, RECORD_SITE_SYMBOL)) {
        text_append(facts, " ");
        export_field(facts, EXPORT_PLAIN, record, RECORD_SITE_SYMBOL);
    }
    if (is_known) {
        text_append(facts, " build ");
        export_field(facts, EXPORT_PLAIN, record, RECORD_SITE_BUILD);
    }
    end_key(facts, REPORT_SITE, start);
}

/* A process id comes again; with the entity it does not. The name of the program comes first, for
 * the reader. */
static void add_process(struct text *facts, const struct record *record)
{
    if (!export_has(record, RECORD_PID)) {
        return;
    }
    size_t start = begin_key(facts);
    export_field(facts, EXPORT_PLAIN, record,
                 export_has(record, RECORD_PROCESS_NAME) ? RECORD_PROCESS_NAME : RECORD_EXECUTABLE);
    text_append(facts, facts->length > start ? " pid " : "pid ");
    export_field(facts, EXPORT_PLAIN, record, RECORD_PID);
    if (export_has(record, RECORD_ENTITY)) {
        text_append(facts, " entity ");
        export_field(facts, EXPORT_PLAIN, record, RECORD_ENTITY);
    }
    end_key(facts, REPORT_PROCESS, start);
}

/* The lists that only a decision has. */
static void add_decision(struct text *facts, const struct record *record)
{
    add_people(facts, record);
    add_components(facts, record);
    add_rule(facts, record);
    add_provider_rule(facts, record);
    add_host_user(facts, record);
    add_field(facts, REPORT_LOGIN, record, RECORD_LOGINUID);
    add_site(facts, record);
    add_field(facts, REPORT_PROVIDER, record, RECORD_PROVIDER);
    add_field(facts, REPORT_REASON, record, RECORD_REASON);
    add_field(facts, REPORT_OPERATION, record, RECORD_OPERATION);
    add_field(facts, REPORT_CLASS, record, RECORD_CLASS);
    add_method(facts, record);
    add_field(facts, REPORT_NAMESPACE, record, RECORD_NAMESPACE);
    add_field(facts, REPORT_RESOURCE, record, RECORD_RESOURCE);
}

/* ---- the record ------------------------------------------------------------------------------*/

/* All events of the record under exactly one of the four. */
static struct report_count count_of(const struct record *record)
{
    struct report_count count = {0};
    uint64_t events = export_repeats(record);

    if (!export_is_decision(record)) {
        count.other = events;
    } else if (record_is(record, RECORD_DECISION, "deny")) {
        count.refused = events;
    } else if (record_is(record, RECORD_WOULD_DENY, "true")) {
        count.would = events;
    } else {
        count.allowed = events;
    }
    return count;
}

/* Of which kind the record is, when it is of one that the report shows one by one. */
static enum report_shown shown_of(const struct record *record, const struct report_count *count)
{
    enum audit_action action;

    if (count->refused > 0 || count->would > 0) {
        return REPORT_SHOWN_REFUSAL;
    }
    if (!export_action(record, &action)) {
        return REPORT_SHOWN_NONE;
    }
    switch (action) {
    case AUDIT_ACTION_RECORDS_LOST:
        return REPORT_SHOWN_LOSS;
    case AUDIT_ACTION_AUDIT_SPACE:
        return REPORT_SHOWN_SPACE;
    case AUDIT_ACTION_POLICY_LOAD:
    case AUDIT_ACTION_POLICY_REFUSED:
        return REPORT_SHOWN_POLICY;
    default:
        return REPORT_SHOWN_NONE;
    }
}

void report_facts(const struct record *record, struct text *text)
{
    struct report_facts facts = {.count = count_of(record)};

    facts.shown = shown_of(record, &facts.count);
    facts.timed = record_time(record, RECORD_TIMESTAMP, &facts.time);
    text_append_bytes(text, (const char *)&facts, sizeof(facts));
    add_field(text, REPORT_HOST, record, RECORD_HOST);
    add_process(text, record);
    if (facts.count.other == 0) {
        add_decision(text, record);
    } else {
        add_policy(text, record);
    }
}
