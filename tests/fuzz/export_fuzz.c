/* SPDX-License-Identifier: MIT */
/*
 * Lines that are records, with whatever in them: no reader of records for other systems or people
 * crashes, no control character comes out, a page keeps to its own markup, and what is suggested is
 * a policy that loads.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/draft.h"
#include "tools/review/explain.h"
#include "tools/review/export.h"
#include "tools/review/html.h"
#include "tools/review/suggest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* except says which control character may be there. */
static void check_controls(const struct text *text, char except)
{
    for (size_t i = 0; i < text->length; i++) {
        unsigned char byte = (unsigned char)text->data[i];
        require(byte >= 0x20 || text->data[i] == except);
        require(byte != 0x7F);
    }
}

static void check_exports(const struct record *record)
{
    for (enum export_format format = 0; format < EXPORT_FORMATS; format++) {
        struct text text = TEXT_EMPTY;
        const struct export_form form = {format, 4711};
        export_record(&text, &form, NULL, record);
        require(!text.failed && text.data[text.length - 1] == '\n');
        require(memchr(text.data, '\n', text.length - 1) == NULL);
        if (format == EXPORT_OCSF_FORMAT) { /* is a record itself, as far as JSON goes */
            struct record again;
            size_t offset;
            require(record_parse(text.data, text.length - 1, &again, &offset) == NULL);
        }
        if (format == EXPORT_CEF_FORMAT) {
            check_controls(&text, '\n');
        }
        text_release(&text);
    }
}

static void check_explained(const struct record *record)
{
    struct explain_related related = {.searched = true};
    struct text text = TEXT_EMPTY;

    text_append_bytes(&related.open, record->line, record->length);
    explain_write_text(&text, record, &related);
    require(!text.failed);
    check_controls(&text, '\n');
    text_release(&text);
    text = (struct text)TEXT_EMPTY;
    explain_write_json(&text, record, &related);
    require(!text.failed);
    text_release(&text);
    text_release(&related.open);
}

/* The page without what stands between its tags and in quotes within them: there a record may have
 * what it likes. */
static void keep_markup(char *page)
{
    char *end = page;
    bool tag = false, quoted = false;

    for (const char *at = page; *at != '\0'; at++) {
        quoted = (tag && *at == '"') != quoted;
        tag = *at == '<' || (tag && (quoted || *at != '>'));
        if (tag && !quoted) {
            *end++ = *at;
        }
    }
    *end = '\0';
}

static void check_page(const struct report *report)
{
    static const char *const never[] = {"<script", "<img", "<iframe", " style=", " on"};
    struct text page = TEXT_EMPTY, text = TEXT_EMPTY, json = TEXT_EMPTY;

    html_write(&page, report, 10, 0, "");
    require(!page.failed);
    check_controls(&page, '\n');
    keep_markup(page.data);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        require(strstr(page.data, never[i]) == NULL);
    }
    report_write_text(&text, report, 10);
    require(!text.failed);
    check_controls(&text, '\n');
    report_write_json(&json, report, 10);
    require(!json.failed);
    text_release(&page);
    text_release(&text);
    text_release(&json);
}

static void check_suggested(struct suggest *suggest)
{
    struct policy_draft *draft = NULL;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;

    size_t rules = suggest_write(suggest, &text);
    require(rules != SIZE_MAX);
    require(draft_load_text("suggested", text.data, text.length, &draft, &errors) == MIGUARD_OK);
    require(draft->rule_count == rules);
    draft_free(draft);
    diagnostics_release(&errors);
    text_release(&text);
}

/* Each line of the input is one line of a log. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct read_place place = {"fuzz<&\">.jsonl", 1, 0};
    const char *at = (const char *)data, *end = at + size;
    struct report *report = report_new();
    struct suggest *suggest = suggest_new();

    require(report != NULL && suggest != NULL);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop != NULL ? stop : end) - at), offset;
        struct record record;
        if (record_parse(at, length, &record, &offset) == NULL) {
            check_exports(&record);
            check_explained(&record);
            require(report_add(report, &record, &place));
            require(suggest_add(suggest, &record));
        }
        at += length + 1;
    }
    check_page(report);
    check_suggested(suggest);
    report_free(report);
    suggest_free(suggest);
    return 0;
}
