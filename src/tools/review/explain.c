/* SPDX-License-Identifier: MIT */
/*
 * Explains one record in sentences, for `miguard audit explain` and the report as a page.
 *
 * A table, sentences[], holds every paragraph: its name in JSON, its title in text, the function
 * that says it and the test whether the record has something for it. Both writers go through that
 * table, so that neither form knows more than the other. Every value of a record goes through
 * export_text.h; nothing here copies bytes of a record as they are.
 */
#include "tools/review/explain.h"
#include "tools/review/later.h"

#include <string.h>

#define TERMINAL EXPORT_TERMINAL

/* Columns of a paragraph in the text form, its title included. */
enum { WIDTH = 88 };

/* The call did not happen, or the step failed. */
static bool denied(const struct record *record)
{
    return record_is(record, RECORD_DECISION, "deny");
}

/* Permissive mode: the call happened, though a rule or a mismatch was against it. */
static bool would_deny(const struct record *record)
{
    return record_is(record, RECORD_WOULD_DENY, "true");
}

/* ---- the sentences, which both forms share ---------------------------------------------------*/

/*
 * Each say_ function writes one paragraph from the fields that the record has; its row in
 * sentences[] has the test whether it applies. A record of a later version may have other fields:
 * what is not known is not mentioned, and the record itself is shown.
 */

/* Words around a field, and nothing at all where the record lacks it: records of older versions
 * lack fields. */
static void append_named(struct text *text, const struct record *record, const char *before,
                         enum record_field field, const char *after)
{
    if (export_has(record, field)) {
        text_append(text, before);
        export_field(text, TERMINAL, record, field);
        text_append(text, after);
    }
}

/* A sentence about the instance; the keys stand as in the record. Nothing is appended for a record
 * without keys: before[0] is a comma only behind the first. */
static void say_keys(struct text *text, const struct record *record)
{
    const char *before = " Its instance is ";
    struct slice item;

    for (size_t at = 0; record_item(record, RECORD_KEYS, &at, &item);) {
        text_append(text, before);
        export_slice(text, TERMINAL, &item);
        before = ", ";
    }
    append_named(text, record, ", and ", RECORD_KEYS_OMITTED, " more keys");
    text_append(text, before[0] == ',' ? "." : "");
}

/* The client of a request, given out or kept: recorded as the opening of a session, without a
 * session. */
static bool about_client(const struct record *record)
{
    return record_is(record, RECORD_ACTION, audit_actions[AUDIT_ACTION_SESSION_OPEN].name) &&
           (record_is(record, RECORD_REASON, audit_reasons[AUDIT_REASON_CLIENT_GIVEN].name) ||
            record_is(record, RECORD_REASON, audit_reasons[AUDIT_REASON_CLIENT_DENIED].name));
}

/* The first sentence. It begins with the outcome, since that is what a reader looks for. Records
 * without an operation are not about a call: switches, drops, the gate, the log, the policy. */
static void say_what(struct text *text, const struct record *record)
{
    if (!export_is_decision(record)) {
        text_append(text, denied(record) ? "Failed: " : "");
        text_append(text, export_action_text(record));
        text_append(text, ".");
        return;
    }
    if (!export_has(record, RECORD_OPERATION)) { /* a switch, a drop or the gate */
        text_append(text, denied(record) ? "Refused or failed: " : "Done: ");
        text_append(text, export_action_text(record));
        text_append(text, ".");
        return;
    }
    text_append(text, denied(record)       ? "Refused: "
                      : would_deny(record) ? "Let pass, though it would be refused: "
                                           : "Allowed: ");
    append_named(text, record, "", RECORD_OPERATION, "");
    append_named(text, record, " of method ", RECORD_METHOD, "");
    append_named(text, record, " of class ", RECORD_CLASS, "");
    append_named(text, record, " in namespace ", RECORD_NAMESPACE, "");
    append_named(text, record, " of resource ", RECORD_RESOURCE, "");
    append_named(text, record, ", asked for by provider ", RECORD_PROVIDER, "");
    text_append(text, " (");
    text_append(text, about_client(record) ? "the client of its request was asked for"
                                           : export_action_text(record));
    text_append(text, ").");
    say_keys(text, record);
    append_named(text, record, " Its object is ", RECORD_OBJECT_NAME, ".");
}

/* Local time with its zone, as exact as the record has it. */
static void append_moment(struct text *text, const struct record *record, enum record_field field)
{
    int64_t time;

    if (record_time(record, field, &time)) {
        export_time(text, time, true);
    } else {
        text_append(text, "a time that the record does not have");
    }
}

/* A grouped record stands for many events: it has the time of each end and their number. */
static void say_when(struct text *text, const struct record *record)
{
    uint64_t repeats = export_repeats(record);

    append_moment(text, record, RECORD_TIMESTAMP);
    append_named(text, record, " on host ", RECORD_HOST, "");
    if (repeats > 1) {
        text_format(text, ". The same was refused %llu times", (unsigned long long)repeats);
        if (export_has(record, RECORD_START) && export_has(record, RECORD_END)) {
            text_append(text, ", from ");
            append_moment(text, record, RECORD_START);
            text_append(text, " to ");
            append_moment(text, record, RECORD_END);
        }
    }
    text_append(text, ".");
}

/* Module and offset name a place in a stripped program as well; the symbol is there only when the
 * writer could find one. */
static void say_process(struct text *text, const struct record *record)
{
    text_append(text, "Process ");
    export_field(text, TERMINAL, record, RECORD_PID);
    append_named(text, record, " ", RECORD_EXECUTABLE, "");
    append_named(text, record, ", thread ", RECORD_TID, "");
    append_named(text, record, " \"", RECORD_THREAD_NAME, "\"");
    if (export_has(record, RECORD_SITE_MODULE)) {
        append_named(text, record, "; called from ", RECORD_SITE_MODULE, "");
        append_named(text, record, "+0x", RECORD_SITE_OFFSET, "");
        append_named(text, record, " in ", RECORD_SITE_SYMBOL, "");
    } else if (export_is_decision(record)) {
        text_append(text, "; the call site is not known");
    }
    text_append(text, ".");
}

/* The name that was looked up now is marked: the id may have been another group's when the record
 * was written (later.h). */
static void append_group(struct text *text, const struct record *record, enum record_field id,
                         enum record_field name)
{
    char later[DIRECTORY_NAME];

    if (export_has(record, id)) {
        text_append(text, ", group ");
        if (later_name(record, id, later)) {
            export_string(text, TERMINAL, later);
            append_named(text, record, " (", id, ", looked up now)");
            return;
        }
        export_field(text, TERMINAL, record, export_has(record, name) ? name : id);
        if (export_has(record, name)) {
            append_named(text, record, " (", id, ")");
        }
    }
}

/* Whom the session was bound to when it was taken. */
static void say_owner(struct text *text, const struct record *record)
{
    text_append(text, "The session belongs to ");
    export_person(text, TERMINAL, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    append_group(text, record, RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME);
    append_named(text, record, "; it is session ", RECORD_SESSION, "");
    append_named(text, record, " of context ", RECORD_CONTEXT, "");
    text_append(text, ".");
}

/* Whom the host named. */
static void say_client(struct text *text, const struct record *record)
{
    text_append(text, "The request is from ");
    export_person(text, TERMINAL, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    append_group(text, record, RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME);
    append_named(text, record, "; its context is ", RECORD_CONTEXT, "");
    text_append(text, ".");
}

/* As whom the call came. The login uid (proc_pid_loginuid(5)) names who logged in, also behind
 * sudo(8). */
static void say_user(struct text *text, const struct record *record)
{
    text_append(text, "The call was made as ");
    export_person(text, TERMINAL, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    append_group(text, record, RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME);
    append_named(text, record, ", real user ", RECORD_CURRENT_REAL_USER_ID, "");
    append_named(text, record, ", saved user ", RECORD_CURRENT_SAVED_USER_ID, "");
    append_named(text, record, "; who logged in is uid ", RECORD_LOGINUID, "");
    text_append(text, ".");
}

/* Of a switch: the thread's identity before it. */
static void say_before(struct text *text, const struct record *record)
{
    text_append(text, "The thread was ");
    export_person(text, TERMINAL, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    append_group(text, record, RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME);
    text_append(text, ".");
}

/* Of a switch: what the thread was when the record was written, which is not always what was asked
 * for. */
static void say_after(struct text *text, const struct record *record)
{
    text_append(text, "The thread is now ");
    export_person(text, TERMINAL, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    append_group(text, record, RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME);
    append_named(text, record, ", real user ", RECORD_CURRENT_REAL_USER_ID, "");
    append_named(text, record, ", saved user ", RECORD_CURRENT_SAVED_USER_ID, "");
    text_append(text, ".");
}

/* What a failed switch or drop was asked to do, in the words of the writer. */
static void say_attempt(struct text *text, const struct record *record)
{
    export_field(text, TERMINAL, record, RECORD_ATTEMPT);
    text_append(text, ".");
}

/* Often the cause of a mismatch: the place in the program that changed the identity last. */
static void say_last_switch(struct text *text, const struct record *record)
{
    text_append(text, "The last switch on this thread was made at ");
    export_field(text, TERMINAL, record, RECORD_LAST_SWITCH_MODULE);
    append_named(text, record, "+0x", RECORD_LAST_SWITCH_OFFSET, "");
    append_named(text, record, " in ", RECORD_LAST_SWITCH_SYMBOL, "");
    text_append(text, ", ");
    append_moment(text, record, RECORD_LAST_SWITCH_TIME);
    text_append(text, ".");
}

/* The reason's own sentence, from model/event.h, so that the manual page and this agree. */
static void say_why(struct text *text, const struct record *record)
{
    enum audit_reason reason;

    if (record_is(record, RECORD_REASON, "none")) {
        text_append(text, "There is nothing more to say about why.");
        return;
    }
    export_field(text, TERMINAL, record, RECORD_REASON);
    text_append(text, ": ");
    text_append(text, export_reason(record, &reason) ? audit_reasons[reason].text
                                                     : "this version does not know that reason");
    text_append(text, ".");
}

/* A mismatch without a rule is refused by the guard itself: that is a default, and it has a place
 * in the policy file as well. */
static void say_rule(struct text *text, const struct record *record)
{
    if (export_has(record, RECORD_RULE) && !record_is(record, RECORD_RULE, "default")) {
        append_named(text, record, "Rule \"", RECORD_RULE, "\"");
        append_named(text, record, " at ", RECORD_RULE_SOURCE, "");
        append_named(text, record, ": ", RECORD_RULE_REASON, "");
        text_append(text, ".");
    } else if (export_has(record, RECORD_MISMATCH)) {
        text_append(text, "No rule allows a call whose identity differs in these components; "
                          "without one it is refused");
        append_named(text, record, " (default at ", RECORD_RULE_SOURCE, ")");
        text_append(text, ".");
    } else if (record_is(record, RECORD_RULE, "default")) {
        append_named(text, record, "No rule applied; the default decided, at ", RECORD_RULE_SOURCE,
                     "");
        text_append(text, ".");
    } else {
        text_append(text, "No rule was asked: this is decided before the policy.");
    }
}

/* The sentence of model/event.h for the main cause. */
static const char *loss_text(const struct record *record)
{
    for (enum audit_loss i = 0; i < AUDIT_LOSS_COUNT; i++) {
        if (record_is(record, RECORD_LOST_CAUSE, audit_losses[i].name)) {
            return audit_losses[i].text;
        }
    }
    return "this version does not know the cause";
}

/* The sink's own count of what it missed. Whether the file is whole is proved by `miguard audit
 * verify` alone. */
static void say_lost(struct text *text, const struct record *record)
{
    export_field(text, TERMINAL, record, RECORD_LOST_COUNT);
    text_append(text, " records are missing");
    append_named(text, record, " in the sink ", RECORD_LOST_SINK, "");
    if (export_has(record, RECORD_LOST_FIRST)) {
        text_append(text, ", from ");
        append_moment(text, record, RECORD_LOST_FIRST);
        text_append(text, " to ");
        append_moment(text, record, RECORD_LOST_LAST);
    }
    append_named(text, record, ". Cause: ", RECORD_LOST_CAUSE, ", ");
    text_append(text, loss_text(record));
    append_named(text, record, ". Since the log was made ", RECORD_LOST_TOTAL, " were lost");
    text_append(text, ".");
}

/* Details of records about the log and the policy. Each field belongs to one kind of record, so
 * most sentences stay away. */
static void say_log(struct text *text, const struct record *record)
{
    append_named(text, record, "The file before is ", RECORD_PREVIOUS_FILE, ". ");
    append_named(text, record, "Files removed: ", RECORD_REMOVED_FILES, ". ");
    append_named(text, record, "Records removed: through number ", RECORD_REMOVED_THROUGH, ". ");
    append_named(text, record, "The file before is longer than the policy allows, by ",
                 RECORD_ROTATED_BEYOND, " bytes. ");
    append_named(text, record, "Files with the name of a rotated one that are none of the log's: ",
                 RECORD_STRAY_FILES, "");
    append_named(text, record, ", the first is ", RECORD_STRAY, ". Nothing was done to them. ");
    append_named(text, record, "Space is ", RECORD_SPACE_STEP, ". ");
    append_named(text, record, "Used: ", RECORD_SPACE_USED, " %. ");
    append_named(text, record, "Room: ", RECORD_SPACE_AVAILABLE, " bytes. ");
    append_named(text, record, "Policy: ", RECORD_POLICY_DETAIL, ".");
    append_named(text, record,
                 export_has(record, RECORD_POLICY_DETAIL) ? " Its hash is "
                                                          : "The hash of the policy is ",
                 RECORD_POLICY_HASH, ".");
}

/* The way from a record to its paragraphs, in the order in which they are written. */
static const struct sentence {
    const char *name, *title; /* title: NULL goes on in the paragraph before */
    void (*say)(struct text *text, const struct record *record);
    bool (*applies)(const struct record *record);
} sentences[];

/* Every record has a time and an outcome. The parameter is used, so that no warning is left. */
static bool always(const struct record *record)
{
    return record != NULL;
}

/* A switch, its undoing or a drop: it has a before and an after, and no session. */
static bool is_change(const struct record *record)
{
    enum audit_action action;
    return export_action(record, &action) &&
           (action == AUDIT_ACTION_SWITCH || action == AUDIT_ACTION_RESTORE ||
            action == AUDIT_ACTION_DROP);
}

/* A change has the same fields, but they mean before and after there. */
static bool of_session(const struct record *record)
{
    return export_has(record, RECORD_BOUND_USER_ID) && !is_change(record) && !about_client(record);
}

/* As of_session(), for what says who a client is. */
static bool of_client(const struct record *record)
{
    return export_has(record, RECORD_BOUND_USER_ID) && about_client(record);
}

/* As of_session(), for the identity at use. */
static bool of_caller(const struct record *record)
{
    return export_has(record, RECORD_CURRENT_USER_ID) && !is_change(record);
}

/* As of_session(), for a change. */
static bool with_before(const struct record *record)
{
    return export_has(record, RECORD_BOUND_USER_ID) && is_change(record);
}

/* As of_caller(), for a change. */
static bool with_after(const struct record *record)
{
    return export_has(record, RECORD_CURRENT_USER_ID) && is_change(record);
}

/* Only a switch or drop that failed says what it tried. */
static bool with_attempt(const struct record *record)
{
    return export_has(record, RECORD_ATTEMPT);
}

/* The writer names it only where it knows one. */
static bool with_last_switch(const struct record *record)
{
    return export_has(record, RECORD_LAST_SWITCH_MODULE);
}

/* Without a reason ("none") only a decision gets the sentence. */
static bool with_reason(const struct record *record)
{
    return export_has(record, RECORD_REASON) &&
           (export_is_decision(record) || !record_is(record, RECORD_REASON, "none"));
}

/* A call that was allowed without a rule matched its session, and no rule was asked. */
static bool with_rule(const struct record *record)
{
    return export_is_decision(record) &&
           (export_is_refusal(record) || export_has(record, RECORD_RULE));
}

/* By the count, which every records-lost record has. */
static bool with_loss(const struct record *record)
{
    return export_has(record, RECORD_LOST_COUNT);
}

/* One of the fields that say_log() begins with. */
static bool about_log(const struct record *record)
{
    return export_has(record, RECORD_PREVIOUS_FILE) || export_has(record, RECORD_SPACE_STEP) ||
           export_has(record, RECORD_POLICY_DETAIL) || export_has(record, RECORD_POLICY_HASH);
}

static const struct sentence sentences[] = {
    {"what", NULL, say_what, always},
    {"when", "When", say_when, always},
    {"where", "Where", say_process, always},
    {"opened_by", "Who opened", say_owner, of_session},
    {"client", "Client", say_client, of_client},
    {"used_by", "Who used", say_user, of_caller},
    {"before", "Before", say_before, with_before},
    {"after", "After", say_after, with_after},
    {"attempt", "Tried", say_attempt, with_attempt},
    {"last_switch", "Last switch", say_last_switch, with_last_switch},
    {"why", "Why", say_why, with_reason},
    {"rule", "Rule", say_rule, with_rule},
    {"lost", "Lost", say_lost, with_loss},
    {"log", "Details", say_log, about_log},
};

enum { SENTENCES = sizeof(sentences) / sizeof(sentences[0]) };

/* What else the files have of this session. Its opening shows which request and which provider it
 * came from. */
static void say_related(struct text *text, const struct record *record,
                        const struct explain_related *related)
{
    struct record open;
    size_t fault;

    if (!export_has(record, RECORD_SESSION)) {
        text_append(text, "The record belongs to no session.");
        return;
    }
    if (!related->searched) {
        text_append(text, "Not looked for: standard input can be read only once.");
        return;
    }
    if (related->open.length > 0 &&
        record_parse(related->open.data, related->open.length, &open, &fault) == NULL) {
        text_append(text, "The session was opened at ");
        append_moment(text, &open, RECORD_TIMESTAMP);
        append_named(text, &open, " by provider ", RECORD_PROVIDER, "");
        text_append(text, " as ");
        export_person(text, TERMINAL, &open, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
        append_named(text, &open, ": record ", RECORD_EVENT_ID, ".");
    } else {
        text_append(text, "The record of the session's opening is not in these files: the policy "
                          "did not ask for it (audit: [open]), or it is older.");
    }
    text_format(text, " Other records of the session: %llu, with %llu refused calls.",
                (unsigned long long)related->others, (unsigned long long)related->other_refused);
    if (related->around > 0) {
        text_format(
            text, " Looked for among the %llu records before it and behind; --whole looks in all.",
            (unsigned long long)related->around);
    }
}

/* ---- text ------------------------------------------------------------------------------------*/

/* Words of a paragraph in lines, which begin with the title or as many blanks. A word that is
 * longer than a line gets one of its own and is not cut: it may be a path that is copied. */
static void wrap(struct text *text, const char *title, const char *words)
{
    enum { INDENT = 12 };
    size_t column = INDENT;

    text_format(text, "%-*s", INDENT, title);
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (column > INDENT && column + length > WIDTH) {
            text_format(text, "\n%*s", INDENT, "");
            column = INDENT;
        }
        text_append_bytes(text, words, length);
        column += length + 1;
        words += length + (words[length] == ' ');
        /* No blank at the end of a line. */
        text_append(text, *words != '\0' && column + strcspn(words, " ") <= WIDTH ? " " : "");
    }
    text_append(text, "\n");
}

/* Releases words, and carries its failure over. */
static void wrap_text(struct text *text, const char *title, struct text *words)
{
    text->failed = text->failed || words->failed;
    wrap(text, title, words->data != NULL && !words->failed ? words->data : "");
    text_release(words);
}

/* One line for each component that differed, with both values. */
static void write_changes(struct text *text, const struct record *record)
{
    struct slice item;
    const char *title = "What differed";

    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        struct text words = TEXT_EMPTY, name = TEXT_EMPTY;
        char component[32];
        slice_text(&item, component, sizeof(component));
        if (title != NULL) {
            text_format(text, "\n%s, from opening to use:\n", title);
            title = NULL;
        }
        text_append(&name, "  ");
        export_string(&name, TERMINAL, component);
        text_append(&name, "  ");
        /* The values stand below each other; a longer name moves its own. */
        if (name.length < 18) {
            text_format(&name, "%*s", (int)(18 - name.length), "");
        }
        text_append_bytes(text, name.data, name.length);
        explain_change(&words, TERMINAL, record, component);
        text->failed = text->failed || words.failed || name.failed;
        text_append(text, words.data != NULL ? words.data : "");
        text_append(text, "\n");
        text_release(&words);
        text_release(&name);
    }
}

/* The order is that of questions: what, when, who, why, what to do, what belongs to it. */
void explain_write_text(struct text *text, const struct record *record,
                        const struct explain_related *related)
{
    const char *title = "To do", *step;

    for (size_t i = 0; i < SENTENCES; i++) {
        struct text words = TEXT_EMPTY;
        if (!sentences[i].applies(record)) {
            continue;
        }
        sentences[i].say(&words, record);
        if (sentences[i].title != NULL) {
            wrap_text(text, sentences[i].title, &words);
            continue;
        }
        text->failed = text->failed || words.failed;
        text_append(text, words.data != NULL ? words.data : "");
        text_append(text, "\n\n");
        text_release(&words);
    }
    write_changes(text, record);
    text_append(text, "\n");
    for (uint32_t at = 0; explain_step(record, &at, &step);) {
        wrap(text, title, step);
        title = "";
    }
    struct text words = TEXT_EMPTY;
    say_related(&words, record, related);
    wrap_text(text, "Session", &words);
    struct text id = TEXT_EMPTY;
    export_field(&id, TERMINAL, record, RECORD_EVENT_ID);
    append_named(&id, record, ", number ", RECORD_SEQUENCE, " in its log");
    append_named(&id, record, ", code ", RECORD_CODE, "");
    wrap_text(text, "Record", &id);
}

/* ---- JSON ------------------------------------------------------------------------------------*/

/* Releases words. A text that could not be made becomes "", and the whole fails. */
static void json_said(struct text *text, const char *name, struct text *words)
{
    text->failed = text->failed || words->failed;
    text_json_string(text, name, words->data != NULL ? words->data : "");
    text_release(words);
}

/* JSON of the log, which may hold what a terminal obeys. */
static void json_foreign(struct text *text, const char *name, const char *json, size_t length)
{
    text_json_raw(text, name, length == 0 ? "null" : "");
    text_json_shown(text, json, length);
}

/* The sentence, and both values as the record has them, for programs. */
static void json_changes(struct text *text, const struct record *record)
{
    struct slice item;

    text_json_open(text, "changes", '[');
    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        struct text words = TEXT_EMPTY;
        char component[32];
        slice_text(&item, component, sizeof(component));
        struct slice before = export_find(&record->field[RECORD_CRED_BOUND], component);
        struct slice after = export_find(&record->field[RECORD_CRED_CURRENT], component);
        text_json_open(text, NULL, '{');
        text_json_string(text, "component", component);
        explain_change(&words, EXPORT_PLAIN, record, component);
        json_said(text, "text", &words);
        json_foreign(text, "before", before.at, before.length);
        json_foreign(text, "after", after.at, after.length);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
}

/* The record itself is the last member, so that nothing of it is lost. */
void explain_write_json(struct text *text, const struct record *record,
                        const struct explain_related *related)
{
    const char *step;

    text_json_open(text, NULL, '{');
    export_json(text, "id", record, RECORD_EVENT_ID);
    export_json(text, "decision", record, RECORD_DECISION);
    export_json(text, "reason", record, RECORD_REASON);
    text_json_unsigned(text, "events", export_repeats(record));
    for (size_t i = 0; i < SENTENCES; i++) {
        struct text words = TEXT_EMPTY;
        if (sentences[i].applies(record)) {
            sentences[i].say(&words, record);
            json_said(text, sentences[i].name, &words);
        }
    }
    json_changes(text, record);
    text_json_open(text, "to_do", '[');
    for (uint32_t at = 0; explain_step(record, &at, &step);) {
        text_json_string(text, NULL, step);
    }
    text_json_close(text, ']');
    text_json_open(text, "session", '{');
    text_json_boolean(text, "searched", related->searched);
    if (related->around > 0) {
        text_json_unsigned(text, "around", related->around);
    }
    json_foreign(text, "open", related->open.data, related->open.length);
    text_json_unsigned(text, "other_records", related->others);
    text_json_unsigned(text, "other_refused", related->other_refused);
    text_json_close(text, '}');
    json_foreign(text, "record", record->line, record->length);
    text_json_close(text, '}');
    text_append(text, "\n");
}
