/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation of the report, the page, the explanation, the suggestion and
 * the exporters in turn, once and from then on: it is told, or the result is whole; and nothing
 * stays behind.
 */
#include <stdio.h>
#include <string.h>

#include "support/failing_alloc.h"

#include "support/review_line.h"
#include "tools/review/explain.h"
#include "tools/review/export.h"
#include "tools/review/html.h"
#include "tools/review/suggest.h"

static const struct read_place place = {"a.jsonl", 1, 0};

/* A value that is longer than what fits on the stack. */
static char longer[1500];

static const struct review_line lines[] = {
    {.as_user = 65534,
     .repeats = 5,
     .bound = "\"euid\":{\"id\":0},\"groups\":[{\"id\":4},{\"id\":5}]",
     .current = "\"euid\":{\"id\":65534},\"groups\":[{\"id\":5},{\"id\":9}]",
     .mismatch = "[\"euid\",\"groups\"]"},
    {.as_user = 33, .class_name = "B", .would_deny = true},
    {.as_user = 33, .class_name = longer},
    {.reason = "handle-forged", .mismatch = ""},
    {.action = "records-lost",
     .allowed = true,
     .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":3,\"cause\":\"busy\"}"},
    {.action = "audit-space", .allowed = true, .in_miguard = ",\"space\":{\"step\":\"low\"}"},
    {.action = "policy-load", .allowed = true, .in_miguard = ",\"policy\":{\"detail\":\"f\"}"},
};

enum { LINES = sizeof(lines) / sizeof(lines[0]) };

/* Each gives false when it was told that memory ran out; else *text is the whole result. */

static bool do_report(struct text *text, void (*write)(struct text *, const struct report *))
{
    struct report *report = report_new();
    bool room = report != NULL;

    for (size_t i = 0; room && i < LINES; i++) {
        struct record record = review_record(&lines[i]);
        room = report_add(report, &record, &place);
    }
    if (room) {
        write(text, report);
    }
    report_free(report);
    return room && !text->failed;
}

static void as_text(struct text *text, const struct report *report)
{
    report_write_text(text, report, 1);
}

static void as_json(struct text *text, const struct report *report)
{
    report_write_json(text, report, 1);
}

static void as_page(struct text *text, const struct report *report)
{
    html_write(text, report, 1, INT64_C(1772366400000000000), "");
}

static bool run_text(struct text *text)
{
    return do_report(text, as_text);
}

static bool run_json(struct text *text)
{
    return do_report(text, as_json);
}

static bool run_page(struct text *text)
{
    return do_report(text, as_page);
}

static bool run_suggest(struct text *text)
{
    struct suggest *suggest = suggest_new();
    bool room = suggest != NULL;

    for (size_t i = 0; room && i < LINES; i++) {
        struct record record = review_record(&lines[i]);
        room = suggest_add(suggest, &record);
    }
    room = room && suggest_write(suggest, text) != SIZE_MAX;
    suggest_free(suggest);
    return room && !text->failed;
}

static bool run_explain(struct text *text)
{
    static const struct explain_related none = {.searched = true};

    for (size_t i = 0; i < LINES; i++) {
        struct record record = review_record(&lines[i]);
        explain_write_text(text, &record, &none);
        explain_write_json(text, &record, &none);
    }
    return !text->failed;
}

static bool run_export(struct text *text)
{
    for (size_t i = 0; i < LINES; i++) {
        struct record record = review_record(&lines[i]);
        for (enum export_format format = 0; format < EXPORT_FORMATS; format++) {
            const struct export_form form = {format, 4711};
            export_record(text, &form, NULL, &record);
        }
    }
    return !text->failed;
}

static const struct {
    const char *name;
    bool (*run)(struct text *text);
} jobs[] = {
    {"report as text", run_text}, {"report as JSON", run_json}, {"report as a page", run_page},
    {"suggest", run_suggest},     {"explain", run_explain},     {"export", run_export},
};

static int passed, wrong;

static void check(bool holds, const char *job, long at, const char *what)
{
    passed += holds;
    wrong += !holds;
    if (!holds) {
        printf("FAILED: %s, allocation %ld: %s\n", job, at, what);
    }
}

static bool fail_at(size_t job, long at, bool again, const struct text *whole)
{
    struct text text = TEXT_EMPTY;

    countdown = at;
    keeps_failing = again;
    failed = false;
    bool done = jobs[job].run(&text);
    bool reached = failed;
    countdown = -1;
    check(!done ||
              (text.length == whole->length && memcmp(text.data, whole->data, text.length) == 0),
          jobs[job].name, at, "neither told nor whole");
    check(!done || !reached || !again, jobs[job].name, at, "not told");
    text_release(&text);
    check(outstanding == (long)(whole->data != NULL), jobs[job].name, at, "memory is left behind");
    return reached;
}

int main(void)
{
    memset(longer, 'x', sizeof(longer) - 1);
    for (size_t job = 0; job < sizeof(jobs) / sizeof(jobs[0]); job++) {
        struct text whole = TEXT_EMPTY;
        check(jobs[job].run(&whole), jobs[job].name, -1, "does not work at all");
        for (long at = 0; fail_at(job, at, false, &whole); at++) {
        }
        for (long at = 0; fail_at(job, at, true, &whole); at++) {
        }
        text_release(&whole);
        check(outstanding == 0, jobs[job].name, -1, "memory is left behind at the end");
    }
    printf("%d passed, %d failed\n", passed, wrong);
    return wrong > 0;
}
