/* SPDX-License-Identifier: MIT */
/*
 * Writes a report as text and as JSON.
 *
 * Both forms show the same figures: totals, losses, the timeline in a unit that fits, and each list
 * with its first keys and the sum of the others. The text form escapes for a terminal, since keys
 * are texts of records; the JSON form is for programs and has every list, empty ones as well.
 */
#include "tools/review/report.h"

#include <string.h>

#include "base/alloc.h"

/* ---- text ------------------------------------------------------------------------------------*/

/*
 * For a terminal of any width from 80 on: figures stand in columns in front, texts of any length
 * behind them.
 */

/* Seconds are exact enough here; the zone stands once at the end. */
static void write_range(struct text *text, const struct report *report)
{
    if (report->first > report->last) {
        text_append(text, "no record with a time\n");
        return;
    }
    export_time(text, report->first, false);
    text_append(text, " to ");
    export_time(text, report->last, false);
    text_append(text, ", local time ");
    report_zone(text, report->last / 1000000000);
    text_append(text, "\n");
}

/* A list that was full knows only the most that there can have been: a key that came back was
 * counted again. */
static void write_distinct(struct text *text, const struct report_keys *keys, const char *what,
                           const char *separator)
{
    uint64_t distinct = keys->count + keys->removed;

    text_format(text, "%s%llu %s%s", keys->removed > 0 ? "at most " : "",
                (unsigned long long)distinct, what, distinct == 1 ? "" : "s");
    text_append(text, separator);
}

/* Aligned, with a note behind it or "". */
static void write_figure(struct text *text, const char *what, uint64_t number, const char *note)
{
    text_format(text, "  %-17s %12llu%s%s\n", what, (unsigned long long)number,
                note[0] != '\0' ? "  " : "", note);
}

/* Events first, since a record may stand for many. */
static void write_totals(struct text *text, const struct report *report)
{
    write_range(text, report);
    text_format(text, "%llu record%s from ", (unsigned long long)report->records,
                report->records == 1 ? "" : "s");
    write_distinct(text, &report->lists[REPORT_FILE], "file", ", ");
    write_distinct(text, &report->lists[REPORT_HOST], "host", ", ");
    uint64_t processes =
        report->lists[REPORT_PROCESS].count + report->lists[REPORT_PROCESS].removed;
    text_format(text, "%s%llu process%s\n\n",
                report->lists[REPORT_PROCESS].removed > 0 ? "at most " : "",
                (unsigned long long)processes, processes == 1 ? "" : "es");
    text_format(text, "  %-17s %12s\n", "", "events");
    write_figure(text, "refused", report->events.refused, "");
    write_figure(text, "would be refused", report->events.would,
                 report->events.would > 0 ? "let pass by mode: permissive alone" : "");
    write_figure(text, "allowed", report->events.allowed, "");
    write_figure(text, "log and policy", report->events.other, "");
    write_figure(text, "lost", report->lost, report->lost > 0 ? "records never reached a log" : "");
    write_figure(text, "broken lines", report->broken,
                 report->broken > 0 ? "no records; they are in none of these figures" : "");
    if (report->untimed > 0) {
        write_figure(text, "without a time", report->untimed, "not in the timeline");
    }
}

/* By sink and cause, in the order in which they were met. */
static void write_losses(struct text *text, const struct report *report)
{
    if (report->loss_count == 0) {
        return;
    }
    text_append(text, "\nLost records\n  sink              cause                   records\n");
    for (uint32_t i = 0; i < report->loss_count; i++) {
        struct text sink = TEXT_EMPTY, cause = TEXT_EMPTY;
        export_string(&sink, EXPORT_TERMINAL, report->losses[i].sink);
        export_string(&cause, EXPORT_TERMINAL, report->losses[i].cause);
        text_format(text, "  %-17s %-18s %12llu\n", sink.data != NULL ? sink.data : "",
                    cause.data != NULL ? cause.data : "",
                    (unsigned long long)report->losses[i].count);
        text->failed = text->failed || sink.failed || cause.failed;
        text_release(&sink);
        text_release(&cause);
    }
}

/* The three columns of every table. Records about the log count as allowed here: they were not
 * refused. */
static void write_counts(struct text *text, const struct report_count *count)
{
    text_format(text, "  %10llu %10llu %10llu ", (unsigned long long)count->refused,
                (unsigned long long)count->would,
                (unsigned long long)(count->allowed + count->other));
}

/* Columns as write_counts() has them. */
static void write_head(struct text *text, const char *title, const char *head)
{
    text_format(text, "\n%s\n  %10s %10s %10s  %s\n", title, "refused", "would be", "allowed",
                head);
}

/* The first `top` keys, then one line for all others, so that each table adds up. * marks a lower
 * bound (report.h). */
static void write_list(struct text *text, enum report_list list, const struct report_keys *keys,
                       uint32_t top)
{
    uint32_t *order = keys->count == 0 ? NULL : base_alloc(REPORT_KEYS, sizeof(*order));
    struct report_count others = keys->others;
    bool marked = false;

    if (keys->count == 0) {
        return;
    }
    if (order == NULL) {
        text->failed = true;
        return;
    }
    write_head(text, report_list_title(list), report_list_head(list));
    uint32_t count = report_order(keys, order), shown = count < top ? count : top;
    for (uint32_t i = 0; i < shown; i++) {
        const struct report_key *key = &keys->keys[order[i]];
        bool least = report_sum(&key->before) > 0;
        write_counts(text, &key->count);
        text_append(text, least ? "*" : " ");
        export_string(text, EXPORT_TERMINAL, key->text);
        text_append(text, "\n");
        marked = marked || least;
    }
    for (uint32_t i = shown; i < count; i++) {
        const struct report_count *one = &keys->keys[order[i]].count;
        others.refused += one->refused;
        others.would += one->would;
        others.allowed += one->allowed;
        others.other += one->other;
    }
    if (report_sum(&others) > 0) {
        write_counts(text, &others);
        text_format(text, " others: %llu keys%s\n",
                    (unsigned long long)(count - shown + keys->removed),
                    keys->removed > 0 ? " at most, some of them counted twice" : "");
    }
    if (marked) {
        text_append(text, "  * at least: what it had before this list was full is among others\n");
    }
    base_free(order);
}

/* One mark for anything above nothing; refusals first, as #. */
static void write_bar(struct text *text, const struct report_count *count, uint64_t most)
{
    /* Marks of the highest bar. */
    enum { WIDTH = 30 };
    uint64_t all = report_sum(count), refused = count->refused + count->would;
    uint64_t marks = all == 0 ? 0 : 1 + (uint64_t)((double)all / (double)most * (WIDTH - 1));
    uint64_t strong =
        refused == 0 ? 0 : 1 + (uint64_t)((double)refused / (double)most * (WIDTH - 1));

    for (uint64_t i = 0; i < marks; i++) {
        text_append(text, i < strong ? "#" : ".");
    }
}

/* The highest bar, and 1 at least: it divides. */
static uint64_t most_of(const struct report_timeline *timeline, enum report_unit unit)
{
    struct report_steps steps = {.unit = unit};
    uint64_t most = 1;

    while (report_step(timeline, &steps)) {
        uint64_t all = report_sum(&steps.bucket.count);
        most = all > most ? all : most;
    }
    return most;
}

/* Empty steps are lines as well, so that a gap is seen. */
static void write_timeline(struct text *text, const struct report *report)
{
    /* Lines of the timeline: about a screen. */
    enum { ROWS = 48 };
    const struct report_timeline *timeline = &report->timeline;
    struct report_steps steps = {.unit = report_fitting(timeline, ROWS)};
    uint64_t most = most_of(timeline, steps.unit);

    if (timeline->count == 0) {
        return;
    }
    text_format(text, "\nTimeline by %s, ", report_unit_name(steps.unit));
    report_zone(text, report->last / 1000000000);
    text_format(text, "\n  %10s %10s %10s  %s\n", "refused", "would be", "allowed",
                "begin              # refused, . allowed");
    while (report_step(timeline, &steps)) {
        struct text bar = TEXT_EMPTY;
        write_counts(text, &steps.bucket.count);
        text_append(text, " ");
        report_bucket_label(text, steps.unit, steps.bucket.start);
        write_bar(&bar, &steps.bucket.count, most);
        text_format(text, "  %s", bar.data != NULL ? bar.data : "");
        if (steps.bucket.lost > 0) {
            text_format(text, "  %llu lost", (unsigned long long)steps.bucket.lost);
        }
        text_append(text, "\n");
        text->failed = text->failed || bar.failed;
        text_release(&bar);
    }
    if (timeline->outside > 0) {
        text_format(text, "  %llu events lie outside of what the timeline can hold\n",
                    (unsigned long long)timeline->outside);
    }
}

/* Totals first, so that the first screen has the answer. */
/* The answer in the word that programs have. */
static void write_verified(struct text *text, const struct report *report)
{
    const struct report_verified *verified = &report->verified;

    if (verified->answer != NULL) {
        text_format(text, "  log: %s, verified %s, %llu alarms\n", verified->answer,
                    verified->keyed ? "with the key" : "without a key",
                    (unsigned long long)verified->alarms);
    }
}

void report_write_text(struct text *text, const struct report *report, uint32_t top)
{
    write_totals(text, report);
    write_verified(text, report);
    write_losses(text, report);
    write_timeline(text, report);
    for (enum report_list i = 0; i < REPORT_LISTS; i++) {
        write_list(text, i, &report->lists[i], top);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------*/

/* text_json_string() needs a text; a failed one fails the whole. */
static void json_time(struct text *text, const char *name, int64_t time)
{
    struct text stamp = TEXT_EMPTY;

    export_utc(&stamp, time);
    text->failed = text->failed || stamp.failed;
    text_json_string(text, name, stamp.data);
    text_release(&stamp);
}

/* Names are frozen: programs read them. */
static void json_counts(struct text *text, const struct report_count *count)
{
    text_json_unsigned(text, "refused", count->refused);
    text_json_unsigned(text, "would_be_refused", count->would);
    text_json_unsigned(text, "allowed", count->allowed);
    text_json_unsigned(text, "log_and_policy", count->other);
}

/* "others" makes the sum exact; keys_at_most says that its number of keys is an upper bound. */
static void json_list(struct text *text, const char *name, const struct report_keys *keys,
                      uint32_t top)
{
    struct report_count others = keys->others;
    uint32_t *order = base_alloc(REPORT_KEYS, sizeof(*order));

    if (order == NULL) {
        text->failed = true;
        return;
    }
    uint32_t count = report_order(keys, order), shown = count < top ? count : top;
    text_json_open(text, name, '{');
    text_json_open(text, "top", '[');
    for (uint32_t i = 0; i < shown; i++) {
        const struct report_key *key = &keys->keys[order[i]];
        text_json_open(text, NULL, '{');
        text_json_string(text, "key", key->text);
        json_counts(text, &key->count);
        text_json_boolean(text, "at_least", report_sum(&key->before) > 0);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
    for (uint32_t i = shown; i < count; i++) {
        const struct report_count *one = &keys->keys[order[i]].count;
        others.refused += one->refused;
        others.would += one->would;
        others.allowed += one->allowed;
        others.other += one->other;
    }
    text_json_open(text, "others", '{');
    text_json_unsigned(text, "keys", count - shown + keys->removed);
    text_json_boolean(text, "keys_at_most", keys->removed > 0);
    json_counts(text, &others);
    text_json_close(text, '}');
    text_json_close(text, '}');
    base_free(order);
}

/* Up to 1000 steps, in the finest unit that allows it. */
static void json_timeline(struct text *text, const struct report *report)
{
    struct report_steps steps = {.unit = report_fitting(&report->timeline, 1000)};

    text_json_open(text, "timeline", '{');
    text_json_string(text, "unit", report_unit_name(steps.unit));
    text_json_unsigned(text, "outside", report->timeline.outside);
    text_json_open(text, "buckets", '[');
    while (report_step(&report->timeline, &steps)) {
        text_json_open(text, NULL, '{');
        json_time(text, "start", steps.bucket.start * 1000000000);
        json_counts(text, &steps.bucket.count);
        text_json_unsigned(text, "lost", steps.bucket.lost);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
    text_json_close(text, '}');
}

/* An empty array when nothing was lost. */
static void json_losses(struct text *text, const struct report *report)
{
    text_json_open(text, "losses", '[');
    for (uint32_t i = 0; i < report->loss_count; i++) {
        text_json_open(text, NULL, '{');
        text_json_string(text, "sink", report->losses[i].sink);
        text_json_string(text, "cause", report->losses[i].cause);
        text_json_unsigned(text, "count", report->losses[i].count);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
}

/* Times as in records; counts as numbers. */
/* Only where the log was verified. */
static void json_verified(struct text *text, const struct report *report)
{
    const struct report_verified *verified = &report->verified;

    if (verified->answer != NULL) {
        text_json_open(text, "verified", '{');
        text_json_string(text, "answer", verified->answer);
        text_json_raw(text, "keyed", verified->keyed ? "true" : "false");
        text_json_unsigned(text, "records", verified->records);
        text_json_unsigned(text, "alarms", verified->alarms);
        text_json_unsigned(text, "losses", verified->losses);
        text_json_close(text, '}');
    }
}

void report_write_json(struct text *text, const struct report *report, uint32_t top)
{
    text_json_open(text, NULL, '{');
    text_json_unsigned(text, "records", report->records);
    text_json_unsigned(text, "broken_lines", report->broken);
    text_json_unsigned(text, "without_time", report->untimed);
    if (report->first <= report->last) {
        json_time(text, "first", report->first);
        json_time(text, "last", report->last);
    }
    text_json_open(text, "events", '{');
    json_counts(text, &report->events);
    text_json_close(text, '}');
    text_json_unsigned(text, "refusal_records", report->refusal_records);
    text_json_unsigned(text, "lost", report->lost);
    json_losses(text, report);
    json_verified(text, report);
    json_timeline(text, report);
    for (enum report_list i = 0; i < REPORT_LISTS; i++) {
        json_list(text, report_list_name(i), &report->lists[i], top);
    }
    text_json_close(text, '}');
    text_append(text, "\n");
}
