/* SPDX-License-Identifier: MIT */
/*
 * The tables of single records: refusals, losses, changes of space, policies.
 *
 * html_events() writes one section for each ring of the report: refusals, losses, space, policies.
 * A ring holds lines of the log; html_ring_record() parses them again, newest first. Each cell is
 * written by a small function that leaves out what the record lacks.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "tools/review/explain.h"
#include "tools/review/html.h"
#include "tools/review/record_expand.h"

/* The machine-readable time is UTC, the visible one local. */
static void cell_time(struct text *text, const struct record *record, enum record_field field)
{
    int64_t time;

    if (!record_time(record, field, &time)) {
        text_append(text, "<span class=\"muted\">no time</span>");
        return;
    }
    text_append(text, "<time datetime=\"");
    export_utc(text, time);
    text_append(text, "\">");
    export_time(text, time, false);
    text_append(text, "</time>");
}

/* Words around a field, or nothing where the record lacks it. before and after are markup of this
 * file. */
static void optional(struct text *text, const struct record *record, const char *before,
                     enum record_field field, const char *after)
{
    if (export_has(record, field)) {
        text_append(text, before);
        html_field(text, record, field);
        text_append(text, after);
    }
}

/* Isolated, as html_field() does: a name may run from right to left. */
static void person(struct text *text, const struct record *record, enum record_field id,
                   enum record_field name)
{
    text_append(text, "<bdi>");
    export_person(text, EXPORT_HTML, record, id, name);
    text_append(text, "</bdi>");
}

/* ---- refusals --------------------------------------------------------------------------------*/

/*
 * One row for each record: who opened and who used the session, the call, the reason and the rule;
 * what differed opens below it. <details> needs no script.
 */

/* Who opened the session, and as whom it was used: the pair that a mismatch is about. */
static void write_who(struct text *text, const struct record *record)
{
    text_append(text, "<td>");
    person(text, record, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME);
    text_append(text, " <span aria-hidden=\"true\">&rarr;</span> ");
    person(text, record, RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME);
    optional(text, record, "<br><span class=\"note\">pid ", RECORD_PID, "");
    optional(text, record, " on ", RECORD_HOST, "");
    text_append(text, "</span></td>");
}

/* The keys of the instance; the span is closed only when it was opened. */
static void write_keys(struct text *text, const struct record *record)
{
    const char *before = "<br><span class=\"note\">";
    struct slice item;

    for (size_t at = 0; record_item(record, RECORD_KEYS, &at, &item);) {
        text_append(text, before);
        export_slice(text, EXPORT_HTML, &item);
        before = ", ";
    }
    text_append(text, before[0] == ',' ? "</span>" : "");
}

/* Operation, class and method in the order of a call, then namespace and provider. */
static void write_call(struct text *text, const struct record *record)
{
    text_append(text, "<td>");
    optional(text, record, "", RECORD_OPERATION, "");
    optional(text, record, " ", RECORD_CLASS, "");
    optional(text, record, export_has(record, RECORD_CLASS) ? "." : " ", RECORD_METHOD, "");
    optional(text, record, " ", RECORD_RESOURCE, "");
    write_keys(text, record);
    optional(text, record, "<br><span class=\"note\">", RECORD_OBJECT_NAME, "</span>");
    optional(text, record, "<br><span class=\"note\">", RECORD_NAMESPACE, "</span>");
    optional(text, record, "<br><span class=\"note\">by ", RECORD_PROVIDER, "</span>");
    text_append(text, "</td>");
}

/* How many components differed, for the summary of the details. */
static size_t count_components(const struct record *record)
{
    struct slice item;
    size_t count = 0;

    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        count++;
    }
    return count;
}

/* In <details>: most readers need the names of the components only. */
static void write_changes(struct text *text, const struct record *record)
{
    struct text line = TEXT_EMPTY;
    struct record full;
    struct slice item;
    char component[32];

    text->failed = !record_expand(record, &line, &full) || text->failed;
    text_append(text, "<dl class=\"changes\">");
    for (size_t at = 0; record_item(record, RECORD_MISMATCH, &at, &item);) {
        slice_text(&item, component, sizeof(component));
        text_append(text, "<dt>");
        html_string(text, component);
        text_append(text, "</dt><dd>");
        explain_change(text, EXPORT_HTML, &full, component);
        text_append(text, "</dd>");
    }
    text_release(&line);
    optional(text, record, "<dt>call site</dt><dd><code>", RECORD_SITE_MODULE, "");
    if (export_has(record, RECORD_SITE_MODULE)) {
        optional(text, record, "+0x", RECORD_SITE_OFFSET, "");
        optional(text, record, " ", RECORD_SITE_SYMBOL, "");
        text_append(text, "</code></dd>");
    }
    optional(text, record, "<dt>session</dt><dd><code>", RECORD_SESSION, "</code></dd>");
    optional(text, record, "<dt>thread</dt><dd>", RECORD_TID, "</dd>");
    optional(text, record, "<dt>login user id</dt><dd>", RECORD_LOGINUID, "</dd>");
    optional(text, record, "<dt>program</dt><dd>", RECORD_EXECUTABLE, "</dd>");
    text_append(text, "</dl>");
}

/* Five names are shown whole; of more, four and the number of the rest. */
static void write_details(struct text *text, const struct record *record)
{
    size_t count = count_components(record);
    struct slice item;

    text_append(text, "<details><summary>");
    if (count == 0) {
        text_append(text, "details");
    }
    for (size_t at = 0, shown = 0; record_item(record, RECORD_MISMATCH, &at, &item); shown++) {
        /* "and 1 more" would be longer than the name. */
        if (shown == 4 && count > 5) {
            text_format(text, " and %zu more", count - shown);
            break;
        }
        text_append(text, shown == 0 ? "" : ", ");
        export_slice(text, EXPORT_HTML, &item);
    }
    text_append(text, "</summary>");
    write_changes(text, record);
    text_append(text, "</details>");
}

/* The tag distinguishes a refusal from a call that permissive mode let pass. */
static void write_why(struct text *text, const struct record *record)
{
    bool denied = record_is(record, RECORD_DECISION, "deny");

    text_format(text, "<td><span class=\"tag %s\">%s</span> ", denied ? "deny" : "would",
                denied ? "refused" : "would be refused");
    html_field(text, record, RECORD_REASON);
    optional(text, record, "<br><span class=\"note\">rule ", RECORD_RULE, "");
    if (export_has(record, RECORD_RULE)) {
        optional(text, record, " at ", RECORD_RULE_SOURCE, "");
        optional(text, record, ": ", RECORD_RULE_REASON, "");
        text_append(text, "</span>");
    }
    text_append(text, "</td><td>");
    write_details(text, record);
    text_append(text, "</td>");
}

/* One row. The id is what `miguard audit explain` takes. */
static void write_refusal(struct text *text, const struct record *record)
{
    text_append(text, "<tr><th scope=\"row\" class=\"t\">");
    cell_time(text, record, RECORD_TIMESTAMP);
    text_append(text, "</th>");
    write_who(text, record);
    write_call(text, record);
    write_why(text, record);
    text_append(text, "<td class=\"n\">");
    html_number(text, export_repeats(record));
    text_append(text, "</td><td>");
    optional(text, record, "#", RECORD_SEQUENCE, "<br>");
    optional(text, record, "<code>", RECORD_EVENT_ID, "</code>");
    text_append(text, "</td></tr>\n");
}

/* Says whether the ring holds all there were: a ring keeps the latest only. */
static void caption(struct text *text, const char *what, const struct report_ring *ring)
{
    uint64_t shown = ring->seen < ring->size ? ring->seen : ring->size;

    if (shown < ring->seen) {
        text_append(text, "The latest ");
        html_number(text, shown);
        text_append(text, " of ");
        html_number(text, ring->seen);
        text_append(text, " ");
    } else {
        text_append(text, "All ");
        html_number(text, shown);
        text_append(text, " ");
    }
    text_append(text, what);
    text_append(text, ", newest first");
}

/* A table whose caption is caption(). */
static void begin(struct text *text, const char *what, const struct report_ring *ring,
                  const char *const *heads)
{
    /* html_table() takes a caption that is whole. */
    struct text words = TEXT_EMPTY;

    caption(&words, what, ring);
    text->failed = text->failed || words.failed;
    html_table(text, words.failed ? "" : words.data, heads);
    text_release(&words);
}

/* What the ring does not hold any more is counted above, and can be printed. */
static void write_older(struct text *text, const struct report_ring *ring,
                        const struct record *last)
{
    int64_t time;

    if (ring->seen <= ring->size) {
        return;
    }
    text_append(text, "<p class=\"note\">");
    html_number(text, ring->seen - ring->size);
    text_append(text, " older records of refusals are not shown one by one. "
                      "<a href=\"#kinds\">Kinds of refusals</a> counts them");
    if (record_time(last, RECORD_TIMESTAMP, &time)) {
        text_append(text, ", and <code>miguard audit search --saved refusals --saved would-deny "
                          "--end ");
        export_utc(text, time);
        text_append(text, "</code> prints them");
    }
    text_append(text, ".</p>");
}

/* An empty ring is a sentence and not an empty table. */
static void write_refusals(struct text *text, const struct report *report)
{
    static const char *const heads[] = {
        "!When", "Opened by, used by", "Call", "Why", "What differed", "#Times", "Record", NULL};
    struct record record, last = {0};

    html_section(text, "refusals", "Latest refusals");
    if (report->refusals.seen == 0) {
        text_append(text, "<p class=\"plain\">Nothing was refused.</p></section>\n");
        return;
    }
    text_append(text, "<p class=\"note\">Open a row's details with Enter or a click. "
                      "<code>miguard audit explain</code> with the id of a record says what to do "
                      "about it.</p>");
    begin(text, "refusal records", &report->refusals, heads);
    for (uint64_t i = 0; html_ring_record(&report->refusals, i, &record); i++) {
        write_refusal(text, &record);
        last = record;
    }
    html_table_end(text);
    write_older(text, &report->refusals, &last);
    text_append(text, "</section>\n");
}

/* ---- losses, space, policies -----------------------------------------------------------------*/

/*
 * What may explain a gap or a change in the refusals: records that never reached a sink, room for
 * the log that got low, a policy that came into force.
 */

/* One records-lost record. The first and last time are of the records that are missing. */
static void write_gap(struct text *text, const struct record *record)
{
    text_append(text, "<tr><th scope=\"row\" class=\"t\">");
    cell_time(text, record, RECORD_TIMESTAMP);
    text_append(text, "</th><td class=\"n\">");
    html_field(text, record, RECORD_LOST_COUNT);
    text_append(text, "</td><td>");
    html_field(text, record, RECORD_LOST_SINK);
    text_append(text, "</td><td>");
    html_field(text, record, RECORD_LOST_CAUSE);
    text_append(text, "</td><td class=\"t\">");
    cell_time(text, record, RECORD_LOST_FIRST);
    text_append(text, "</td><td class=\"t\">");
    cell_time(text, record, RECORD_LOST_LAST);
    text_append(text, "</td><td class=\"n\">");
    html_field(text, record, RECORD_LOST_TOTAL);
    text_append(text, "</td></tr>\n");
}

/* Sums first, then the latest records. That no loss is reported does not prove that none happened;
 * the page says which command does. */
static void write_losses(struct text *text, const struct report *report)
{
    static const char *const heads[] = {"!Reported at",
                                        "#Records",
                                        "Sink",
                                        "Main cause",
                                        "!First",
                                        "!Last",
                                        "#Lost since the log was made",
                                        NULL};
    static const char *const causes[] = {"Sink", "Cause", "#Records", NULL};
    struct record record;

    html_section(text, "losses", "Lost records");
    if (report->loss_records == 0) {
        text_append(text, "<p class=\"plain\">No record reports a loss. Whether the log is whole "
                          "is a question for <code>miguard audit verify</code>.</p></section>\n");
        return;
    }
    html_table(text, "Lost records by sink and cause", causes);
    for (uint32_t i = 0; i < report->loss_count; i++) {
        text_append(text, "<tr><th scope=\"row\">");
        html_string(text, report->losses[i].sink);
        text_append(text, "</th><td>");
        html_string(text, report->losses[i].cause);
        text_append(text, "</td><td class=\"n\">");
        html_number(text, report->losses[i].count);
        text_append(text, "</td></tr>\n");
    }
    html_table_end(text);
    begin(text, "losses", &report->gaps, heads);
    for (uint64_t i = 0; html_ring_record(&report->gaps, i, &record); i++) {
        write_gap(text, &record);
    }
    html_table_end(text);
    text_append(text, "</section>\n");
}

/* Only when the room for the log changed. */
static void write_spaces(struct text *text, const struct report *report)
{
    static const char *const heads[] = {"!When", "Space", "#Used", "#Bytes left", NULL};
    struct record record;

    if (report->spaces.seen == 0) {
        return;
    }
    html_section(text, "space", "Space for the log");
    begin(text, "changes", &report->spaces, heads);
    for (uint64_t i = 0; html_ring_record(&report->spaces, i, &record); i++) {
        text_append(text, "<tr><th scope=\"row\" class=\"t\">");
        cell_time(text, &record, RECORD_TIMESTAMP);
        text_append(text, "</th><td>");
        html_field(text, &record, RECORD_SPACE_STEP);
        text_append(text, "</td><td class=\"n\">");
        html_field(text, &record, RECORD_SPACE_USED);
        text_append(text, " %</td><td class=\"n\">");
        html_field(text, &record, RECORD_SPACE_AVAILABLE);
        text_append(text, "</td></tr>\n");
    }
    html_table_end(text);
    text_append(text, "</section>\n");
}

/* For qsort_r(3): what came first stands first. */
static int by_first(const void *a, const void *b, void *context)
{
    const struct report_keys *keys = context;
    const struct report_key *one = &keys->keys[*(const uint32_t *)a];
    const struct report_key *other = &keys->keys[*(const uint32_t *)b];

    return (one->first > other->first) - (one->first < other->first);
}

/* One row for each set of files that was in force: each process that starts loads it again, so the
 * loads themselves do not show a change. */
static void write_sets(struct text *text, const struct report *report)
{
    static const char *const heads[] = {"!First seen", "!Last seen", "#Loads",
                                        "Hash, host, who loaded it, files", NULL};
    const struct report_keys *keys = &report->lists[REPORT_POLICY];
    uint32_t *order = base_alloc(REPORT_KEYS, sizeof(*order));

    if (order == NULL) {
        text->failed = true;
        return;
    }
    uint32_t count = report_order(keys, order);
    qsort_r(order, count, sizeof(*order), by_first, (void *)(uintptr_t)keys);
    html_table(text, "Policies that were in force, by when they first were", heads);
    for (uint32_t i = 0; i < count; i++) {
        const struct report_key *key = &keys->keys[order[i]];
        const int64_t times[] = {key->first, key->last};
        text_append(text, "<tr>");
        for (size_t j = 0; j < 2; j++) {
            text_append(text, "<td class=\"t\">");
            if (key->first <= key->last) {
                export_time(text, times[j], false);
            }
            text_append(text, "</td>");
        }
        text_append(text, "<td class=\"n\">");
        html_number(text, key->count.other);
        text_append(text, "</td><th scope=\"row\"><bdi>");
        html_string(text, key->text);
        text_append(text, "</bdi></th></tr>\n");
    }
    html_table_end(text);
    base_free(order);
}

/* Loads and refusals of policies, since they explain a change in what is refused. */
static void write_policies(struct text *text, const struct report *report)
{
    static const char *const heads[] = {"!When", "What", "Files, or what is wrong", NULL};
    struct record record;

    html_section(text, "policies", "Policies");
    if (report->policies.seen == 0) {
        text_append(text, "<p class=\"plain\">No policy was loaded in this time.</p></section>\n");
        return;
    }
    if (report->lists[REPORT_POLICY].count > 0) {
        write_sets(text, report);
    }
    begin(text, "loads", &report->policies, heads);
    for (uint64_t i = 0; html_ring_record(&report->policies, i, &record); i++) {
        text_append(text, "<tr><th scope=\"row\" class=\"t\">");
        cell_time(text, &record, RECORD_TIMESTAMP);
        text_append(text, "</th><td>");
        text_append(text, record_is(&record, RECORD_ACTION, "policy-refused")
                              ? "<span class=\"tag deny\">refused</span>"
                              : "in force");
        text_append(text, "</td><td>");
        html_field(text, &record, RECORD_POLICY_DETAIL);
        text_append(text, "</td></tr>\n");
    }
    html_table_end(text);
    text_append(text, "</section>\n");
}

/* In the order of the table of contents (html.c). */
void html_events(struct text *text, const struct report *report)
{
    write_refusals(text, report);
    write_losses(text, report);
    write_spaces(text, report);
    write_policies(text, report);
}
