/* SPDX-License-Identifier: MIT */
/*
 * What a reader of the page asks first: is the log intact, and which kinds of refusals were there,
 * since when, and what is to be done about them. html.c calls it.
 *
 * Advice is that of `miguard audit explain` for the reason. Anchors are made of reasons that this
 * version knows; others stand without a link.
 */
#include <string.h>

#include "base/alloc.h"
#include "tools/review/explain.h"
#include "tools/review/html.h"

/* ---- the log --------------------------------------------------------------------------------- */

static const struct {
    const char *answer, *sign, *class, *text;
} answers[] = {
    {"intact", "&#10003;", "allow", "The log is intact"},
    {"intact-so-far", "&#9651;", "would",
     "The log is intact as far as it goes; that its end is there is not proved"},
    {"tampered", "&#10005;", "deny", "The log was tampered with"},
    {"unproven", "&#9651;", "would", "Whether the log is intact is not proved"},
};

/* Without --verify the page must not be taken for an answer. */
void html_verified(struct text *text, const struct report *report)
{
    const struct report_verified *verified = &report->verified;

    if (verified->answer == NULL) {
        text_append(text,
                    "<p class=\"note\">Whether the log is intact was not asked: "
                    "<code>miguard audit report --verify --key FILE</code> says it here.</p>\n");
        return;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (strcmp(answers[i].answer, verified->answer) == 0) {
            text_format(text,
                        "<p><span class=\"tag %s\"><span aria-hidden=\"true\">%s</span> %s</span> ",
                        answers[i].class, answers[i].sign, answers[i].text);
        }
    }
    text_append(text, verified->keyed ? "verified with the key, " : "verified without a key, ");
    html_number(text, verified->records);
    text_append(text, " records, ");
    html_number(text, verified->alarms);
    text_append(text, verified->alarms == 1 ? " alarm, " : " alarms, ");
    html_number(text, verified->losses);
    text_append(text, verified->losses == 1 ? " declared loss" : " declared losses");
    if (verified->last > 0) {
        text_format(text, "; head <code>%llu:%s</code>", (unsigned long long)verified->last,
                    verified->head);
    }
    text_append(text, ".</p>\n");
}

/* ---- kinds of refusals ----------------------------------------------------------------------- */

static const char *const reasons[] = {
#define REASON_WORD(NAME, name, text) name,
    AUDIT_REASON_MAP(REASON_WORD)
#undef REASON_WORD
};

/* AUDIT_REASON_COUNT: this version does not know it. */
static enum audit_reason reason_of(const char *word)
{
    enum audit_reason reason = 0;

    while (reason < AUDIT_REASON_COUNT && strcmp(reasons[reason], word) != 0) {
        reason++;
    }
    return reason;
}

static void cell_moment(struct text *text, int64_t time, bool known)
{
    text_append(text, "<td class=\"t\">");
    if (known) {
        text_append(text, "<time datetime=\"");
        export_utc(text, time);
        text_append(text, "\">");
        export_time(text, time, false);
        text_append(text, "</time>");
    }
    text_append(text, "</td>");
}

static void write_kind(struct text *text, const struct report_key *key)
{
    enum audit_reason reason = reason_of(key->text);
    bool known = reason < AUDIT_REASON_COUNT, timed = key->first <= key->last;

    text_append(text, "<tr><th scope=\"row\"><bdi>");
    html_string(text, key->text);
    text_append(text, "</bdi>");
    if (known) {
        text_format(text, "<br><span class=\"note\">%s</span>", audit_reasons[reason].text);
    }
    text_append(text, "</th><td class=\"n\">");
    html_number(text, key->count.refused + key->count.would);
    text_append(text, "</td>");
    cell_moment(text, key->first, timed);
    cell_moment(text, key->last, timed);
    text_append(text, "<td>");
    if (known && explain_reason_step(reason) != NULL) {
        text_format(text, "<a href=\"#advice-%s\">what to do</a>", key->text);
    }
    text_append(text, "</td></tr>\n");
}

/* Below the table, so that a link leads to the text and back. */
static void write_advice(struct text *text, const struct report_key *key)
{
    enum audit_reason reason = reason_of(key->text);
    const char *step = reason < AUDIT_REASON_COUNT ? explain_reason_step(reason) : NULL;

    if (step != NULL) {
        text_format(text, "<dt id=\"advice-%s\">%s</dt><dd>", key->text, key->text);
        html_string(text, step);
        text_append(text, "</dd>\n");
    }
}

/* Whether the reason stands for a refusal in this report. */
static bool is_kind(const struct report_key *key)
{
    return key->count.refused + key->count.would > 0;
}

void html_kinds(struct text *text, const struct report *report)
{
    static const char *const heads[] = {"Reason",     "#Calls", "!First seen",
                                        "!Last seen", "Advice", NULL};
    const struct report_keys *keys = &report->lists[REPORT_REASON];
    uint32_t *order = base_alloc(REPORT_KEYS, sizeof(*order));

    if (order == NULL) {
        text->failed = true;
        return;
    }
    html_section(text, "kinds", "Kinds of refusals");
    uint32_t count = report_order(keys, order);
    if (count == 0 || !is_kind(&keys->keys[order[0]])) {
        text_append(text, "<p class=\"plain\">Nothing was refused.</p></section>\n");
        base_free(order);
        return;
    }
    html_table(text, "Refusals by reason, most often first", heads);
    for (uint32_t i = 0; i < count && is_kind(&keys->keys[order[i]]); i++) {
        write_kind(text, &keys->keys[order[i]]);
    }
    html_table_end(text);
    text_append(text, "<dl class=\"advice\">");
    for (uint32_t i = 0; i < count && is_kind(&keys->keys[order[i]]); i++) {
        write_advice(text, &keys->keys[order[i]]);
    }
    text_append(text, "</dl></section>\n");
    base_free(order);
}
