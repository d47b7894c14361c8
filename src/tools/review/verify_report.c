/* SPDX-License-Identifier: MIT */
/*
 * Collects the findings of a verification, in bounded memory; a later record may take one back.
 *
 * Findings have a number, their place in a list of fixed size. One that is taken back stays as a
 * hole until it is the last, so that numbers held by verify_walk.c stay valid. Counts are exact
 * even where a finding is not kept: the verdict depends on counts, never on the list.
 */
#include "tools/review/verify_report.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    enum verify_severity severity;
    const char *name, *text;
    /* Indexed by enum verify_kind. */
} kinds[] = {
#define KIND_ROW(NAME, severity, name, text) [VERIFY_##NAME] = {VERIFY_##severity, name, text},
    VERIFY_KIND_MAP(KIND_ROW)
#undef KIND_ROW
};

/* Another spelling of a number is not taken: strtoull(3) would pass over blanks and signs. */
bool verify_head_number(const char *text, size_t length, uint64_t *ret_sequence)
{
    uint64_t number = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            __builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number)) {
            return false;
        }
    }
    *ret_sequence = number;
    return number != 0;
}

bool verify_head_parse(const char *text, size_t length, struct verify_head *ret_head)
{
    const char *colon = memchr(text, ':', length);
    size_t digits = colon != NULL ? (size_t)(colon - text) : 0;

    return colon != NULL && verify_head_number(text, digits, &ret_head->sequence) &&
           chain_parse_hex(colon + 1, length - digits - 1, ret_head->hash);
}

/* For JSON, and frozen like the record's names. */
const char *verify_kind_name(enum verify_kind kind)
{
    return kinds[kind].name;
}

enum verify_severity verify_kind_severity(enum verify_kind kind)
{
    return kinds[kind].severity;
}

/* Alarms have places of their own, so that a flood of notices cannot push an alarm out. */
static unsigned shelf(enum verify_kind kind)
{
    return kinds[kind].severity == VERIFY_ALARM;
}

/* False out of memory. */
bool findings_open(struct findings *findings, struct verify_report *report)
{
    *findings = (struct findings){.report = report};
    findings->list = base_alloc(FINDINGS_ROOM, sizeof(*findings->list));
    return findings->list != NULL;
}

/* After findings_finish() there is nothing left to free. */
void findings_close(struct findings *findings)
{
    base_free(findings->list);
    findings->list = NULL;
}

/* by is 1 or -1; unsigned addition wraps as intended. */
static void count(struct findings *findings, enum verify_kind kind, int by)
{
    findings->report->count[kind] += (uint64_t)(int64_t)by;
    findings->report->by_severity[kinds[kind].severity] += (uint64_t)(int64_t)by;
}

/* Beyond VERIFY_KEEP of its shelf it is counted only. */
int finding_add(struct findings *findings, const struct verify_finding *finding)
{
    count(findings, finding->kind, 1);
    findings->run_line = finding->line;
    if (findings->used == FINDINGS_ROOM || findings->kept[shelf(finding->kind)] == VERIFY_KEEP) {
        return FINDING_NONE;
    }
    findings->kept[shelf(finding->kind)]++;
    findings->list[findings->used] = *finding;
    return findings->used++;
}

/* Numbers must follow each other as well, where they are known: else the finding would name records
 * that are right. */
int finding_extend(struct findings *findings, const struct verify_finding *finding)
{
    struct verify_finding *before = finding_at(findings, findings->used - 1);

    if (before == NULL || before->kind != finding->kind || before->file != finding->file ||
        findings->run_line + 1 != finding->line ||
        (finding->first != 0 && before->last + 1 != finding->first)) {
        return finding_add(findings, finding);
    }
    findings->run_line = finding->line;
    before->last = finding->last;
    before->count += finding->count;
    return findings->used - 1;
}

/* A finding that was taken back is a hole, and NULL as well. */
struct verify_finding *finding_at(struct findings *findings, int number)
{
    if (number < 0 || number >= findings->used ||
        findings->list[number].kind == VERIFY_KIND_COUNT) {
        return NULL;
    }
    return &findings->list[number];
}

/* Holes at the end are given back at once. */
static void forget(struct findings *findings, int number)
{
    findings->kept[shelf(findings->list[number].kind)]--;
    findings->list[number].kind = VERIFY_KIND_COUNT;
    while (findings->used > 0 && findings->list[findings->used - 1].kind == VERIFY_KIND_COUNT) {
        findings->used--;
    }
}

/* kind is the finding's, which FINDING_NONE does not know. */
void finding_drop(struct findings *findings, int number, enum verify_kind kind)
{
    count(findings, kind, -1);
    if (finding_at(findings, number) != NULL) {
        forget(findings, number);
    }
}

/* An alarm that finds its shelf full stays counted. */
void finding_turn(struct findings *findings, int number, enum verify_kind from, enum verify_kind to)
{
    struct verify_finding *finding = finding_at(findings, number);

    count(findings, from, -1);
    count(findings, to, 1);
    if (finding == NULL) {
        return;
    }
    if (shelf(from) != shelf(to) && findings->kept[shelf(to)] == VERIFY_KEEP) {
        forget(findings, number);
        return;
    }
    findings->kept[shelf(from)]--;
    findings->kept[shelf(to)]++;
    finding->kind = to;
}

/* The list changes its owner: verify_release() frees it. */
void findings_finish(struct findings *findings)
{
    size_t kept = 0;

    for (int i = 0; i < findings->used; i++) {
        if (findings->list[i].kind != VERIFY_KIND_COUNT) {
            findings->list[kept++] = findings->list[i];
        }
    }
    findings->report->findings = findings->list;
    findings->report->finding_count = kept;
    findings->list = NULL;
}

/* Safe for a zeroed report. */
void verify_release(struct verify_report *report)
{
    for (size_t i = 0; i < report->name_count; i++) {
        base_free(report->names[i]);
    }
    base_free(report->names);
    base_free(report->findings);
    *report = (struct verify_report){0};
}

/* Without file and line, which the caller writes before it. Texts of the log in detail are not
 * escaped here. */
void verify_describe(const struct verify_finding *finding, struct text *text)
{
    bool many = finding->count > 1;

    if (finding->first == 0) {
        const char *what = finding->kind == VERIFY_LOST    ? "record"
                           : finding->kind == VERIFY_STRAY ? "file"
                                                           : "line";
        text_format(text, many ? "%" PRIu64 " %ss are " : "%" PRIu64 " %s is ", finding->count,
                    what);
    } else if (finding->last <= finding->first) {
        text_format(text, "record %" PRIu64 " is ", finding->first);
    } else {
        text_format(text, "records %" PRIu64 " to %" PRIu64, finding->first, finding->last);
        if (finding->count != finding->last - finding->first + 1) {
            text_format(text, " (%" PRIu64 " of them)", finding->count);
        }
        text_append(text, " are ");
    }
    text_append(text, kinds[finding->kind].text);
    if (finding->key != 0) {
        text_format(text, " (key %" PRIu64 ")", finding->key);
    }
    if (finding->detail[0] != '\0') {
        text_format(text, " (%s)", finding->detail);
    }
}
