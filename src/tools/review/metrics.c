/* SPDX-License-Identifier: MIT */
/*
 * Counts records for `miguard audit metrics`, and writes the counts as Prometheus takes them.
 *
 * A record that stands for N refusals counts N, and what is a call is what a report counts as one.
 */
#include "tools/review/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/review/export_text.h"

const char *const metrics_answers[] = {"intact", "intact-so-far", "tampered", "unproven", NULL};

/* ---- counting -------------------------------------------------------------------------------- */

/* The place of these calls; the last one is kept for those that find none. */
static struct metrics_calls *calls_of(struct metrics *metrics, const struct metrics_calls *like)
{
    for (size_t i = 0; i < metrics->call_count; i++) {
        struct metrics_calls *calls = &metrics->calls[i];
        if (strcmp(calls->decision, like->decision) == 0 &&
            strcmp(calls->reason, like->reason) == 0 &&
            strcmp(calls->provider, like->provider) == 0) {
            return calls;
        }
    }
    return NULL;
}

/* Reasons are a closed list and decisions are three, so those rows of "other" always have room:
 * half of the table is theirs. */
void metrics_add_calls(struct metrics *metrics, const struct metrics_calls *calls)
{
    struct metrics_calls wanted = *calls;
    struct metrics_calls *found = calls_of(metrics, &wanted);

    if (found == NULL && metrics->call_count >= METRICS_CALLS / 2) {
        snprintf(wanted.provider, sizeof(wanted.provider), "other");
        found = calls_of(metrics, &wanted);
    }
    if (found == NULL && metrics->call_count < METRICS_CALLS) {
        found = &metrics->calls[metrics->call_count++];
        *found = wanted;
        found->count = 0;
    }
    if (found != NULL) {
        found->count += calls->count;
    }
}

void metrics_add_loss(struct metrics *metrics, const struct metrics_loss *loss)
{
    struct metrics_loss *found = NULL;

    for (size_t i = 0; i < metrics->loss_count && found == NULL; i++) {
        if (strcmp(metrics->losses[i].sink, loss->sink) == 0 &&
            strcmp(metrics->losses[i].cause, loss->cause) == 0) {
            found = &metrics->losses[i];
        }
    }
    if (found == NULL && metrics->loss_count < METRICS_LOSSES) {
        found = &metrics->losses[metrics->loss_count++];
        *found = *loss;
        found->count = 0;
    }
    if (found != NULL) {
        found->count += loss->count;
    }
}

static void add_call(struct metrics *metrics, const struct record *record)
{
    const char *decision = record_is(record, RECORD_DECISION, "deny")     ? "deny"
                           : record_is(record, RECORD_WOULD_DENY, "true") ? "would-deny"
                                                                          : "allow";
    struct metrics_calls calls = {.count = export_repeats(record)};

    snprintf(calls.decision, sizeof(calls.decision), "%s", decision);
    record_text(record, RECORD_REASON, calls.reason, sizeof(calls.reason));
    record_text(record, RECORD_PROVIDER, calls.provider, sizeof(calls.provider));
    metrics_add_calls(metrics, &calls);
}

void metrics_add(struct metrics *metrics, const struct record *record)
{
    struct metrics_loss loss = {.count = 0};

    metrics->records++;
    if (export_is_decision(record)) {
        add_call(metrics, record);
    }
    if (record_number(record, RECORD_LOST_COUNT, &loss.count)) {
        record_text(record, RECORD_LOST_SINK, loss.sink, sizeof(loss.sink));
        record_text(record, RECORD_LOST_CAUSE, loss.cause, sizeof(loss.cause));
        metrics_add_loss(metrics, &loss);
    }
    if (record_number(record, RECORD_SEQUENCE, &metrics->sequence)) {
        record_text(record, RECORD_CHAIN, metrics->chain, sizeof(metrics->chain));
        record_text(record, RECORD_HASH, metrics->hash, sizeof(metrics->hash));
        (void)record_time(record, RECORD_TIMESTAMP, &metrics->time);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A backslash, a quote and a line feed are escaped; other controls cannot act on a terminal as
 * escapes that the format does not know, so they are shown. */
static void write_label(struct text *text, const char *before, const char *name, const char *value)
{
    struct text shown = TEXT_EMPTY;

    export_string(&shown, EXPORT_TERMINAL, value);
    text_format(text, "%s%s=\"", before, name);
    for (size_t i = 0; i < shown.length; i++) {
        if (strchr("\\\"", shown.data[i]) != NULL) {
            text_append(text, "\\");
        }
        text_append_bytes(text, &shown.data[i], 1);
    }
    text_append(text, "\"");
    text->failed = text->failed || shown.failed;
    text_release(&shown);
}

static void write_head(struct text *text, const char *name, const char *type, const char *help)
{
    text_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_calls(struct text *text, const struct metrics *metrics)
{
    write_head(text, "miguard_audit_calls_total", "counter",
               "Calls by decision, reason and provider.");
    for (size_t i = 0; i < metrics->call_count; i++) {
        const struct metrics_calls *calls = &metrics->calls[i];
        write_label(text, "miguard_audit_calls_total{", "decision", calls->decision);
        write_label(text, ",", "reason", calls->reason);
        write_label(text, ",", "provider", calls->provider);
        text_format(text, "} %" PRIu64 "\n", calls->count);
    }
}

static void write_losses(struct text *text, const struct metrics *metrics)
{
    write_head(text, "miguard_audit_lost_records_total", "counter",
               "Records that are missing, as the log says, by sink and cause.");
    for (size_t i = 0; i < metrics->loss_count; i++) {
        write_label(text, "miguard_audit_lost_records_total{", "sink", metrics->losses[i].sink);
        write_label(text, ",", "cause", metrics->losses[i].cause);
        text_format(text, "} %" PRIu64 "\n", metrics->losses[i].count);
    }
    write_head(text, "miguard_audit_records_total", "counter", "Records that were read.");
    text_format(text, "miguard_audit_records_total %" PRIu64 "\n", metrics->records);
    write_head(text, "miguard_audit_malformed_lines_total", "counter",
               "Lines of the log that are no records.");
    text_format(text, "miguard_audit_malformed_lines_total %" PRIu64 "\n", metrics->broken);
}

/* In seconds, which is Prometheus' unit of time. */
static void write_time(struct text *text, const char *name, int64_t time, const char *help)
{
    write_head(text, name, "gauge", help);
    text_format(text, "%s %" PRId64 ".%03d\n", name, time / 1000000000,
                (int)(time % 1000000000 / 1000000));
}

static void write_chain_head(struct text *text, const struct metrics *metrics, bool hash)
{
    if (metrics->sequence == 0) {
        return;
    }
    write_head(text, "miguard_audit_head_sequence", "gauge", "Number of the last record.");
    write_label(text, "miguard_audit_head_sequence{", "chain", metrics->chain);
    text_format(text, "} %" PRIu64 "\n", metrics->sequence);
    write_time(text, "miguard_audit_head_timestamp_seconds", metrics->time,
               "Time of the last record.");
    if (hash) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRIu64, metrics->sequence);
        write_head(text, "miguard_audit_head_info", "gauge",
                   "Number and hash of the last record, for miguard audit verify --head.");
        write_label(text, "miguard_audit_head_info{", "sequence", number);
        write_label(text, ",", "hash", metrics->hash);
        text_append(text, "} 1\n");
    }
}

/* A row for each answer, of which one is 1: what is asked in an alarm is then there at all times.
 */
static void write_verify(struct text *text, const struct metrics_verify *verify)
{
    if (verify->answer[0] == '\0') {
        return;
    }
    write_head(text, "miguard_audit_verify_result", "gauge",
               "The answer of the last verification: 1 for one of the results.");
    for (size_t i = 0; metrics_answers[i] != NULL; i++) {
        write_label(text, "miguard_audit_verify_result{", "result", metrics_answers[i]);
        text_format(text, "} %d\n", strcmp(metrics_answers[i], verify->answer) == 0);
    }
    write_head(text, "miguard_audit_verify_keyed", "gauge",
               "Whether the last verification had the key.");
    text_format(text, "miguard_audit_verify_keyed %d\n", verify->keyed);
    write_head(text, "miguard_audit_verify_alarms", "gauge", "Alarms of the last verification.");
    text_format(text, "miguard_audit_verify_alarms %" PRIu64 "\n", verify->alarms);
    write_head(text, "miguard_audit_verify_losses", "gauge",
               "Losses that the log declared in the last verification.");
    text_format(text, "miguard_audit_verify_losses %" PRIu64 "\n", verify->losses);
    write_time(text, "miguard_audit_verify_timestamp_seconds", verify->time,
               "When the log was verified last.");
}

void metrics_write(struct text *text, const struct metrics *metrics, bool head)
{
    write_calls(text, metrics);
    write_losses(text, metrics);
    write_chain_head(text, metrics, head);
    write_verify(text, &metrics->verify);
}
