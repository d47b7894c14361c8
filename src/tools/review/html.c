/* SPDX-License-Identifier: MIT */
/*
 * The report as one page of HTML: head, summary and lists. miguard audit report --html calls it.
 *
 * html_write() goes from the top of the page to its end: head with the policy of the page (CSP),
 * summary, figures, timeline (html_timeline.c), top lists, single records (html_events.c), files.
 * Every text of a record goes through html_string() or html_field(); literals in this file are the
 * only markup.
 */
#include "tools/review/html.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "miguard/guard.h"

/* ---- head ------------------------------------------------------------------------------------*/

/*
 * Nothing in the page comes from elsewhere, and its own policy (CSP 3) forbids it: should a text of
 * a record escape from its place, it could load nothing and run nothing.
 */

/* The one style of the page is named by its hash (CSP 3): a style from elsewhere does nothing. */
static void write_policy(struct text *text)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];

    crypto_hash_sha256(hash, (const unsigned char *)html_style, strlen(html_style));
    sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    text_format(
        text,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "script-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n",
        base64);
}

/* Four names at the most, as they stand in a heading. */
static void write_hosts(struct text *text, const struct report *report)
{
    const struct report_keys *hosts = &report->lists[REPORT_HOST];

    if (hosts->count == 0) {
        text_append(text, "no host");
        return;
    }
    for (uint32_t i = 0; i < hosts->count && i < 4; i++) {
        text_append(text, i == 0 ? "" : ", ");
        html_string(text, hosts->keys[i].text);
    }
    if (hosts->count > 4) {
        text_format(text, " and %u more", hosts->count - 4);
    }
}

/* One time when first and last fall into the same second. */
static void write_range(struct text *text, const struct report *report)
{
    if (report->first > report->last) {
        text_append(text, "no record");
        return;
    }
    export_time(text, report->first, false);
    if (report->last / 1000000000 != report->first / 1000000000) {
        text_append(text, " to ");
        export_time(text, report->last, false);
    }
}

/* No script, no font and no image is fetched: the page may be opened on a host without a network,
 * and opening it informs no other host. */
void html_head(struct text *text)
{
    text_append(text, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    write_policy(text);
    text_append(text, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=\"color-scheme\" content=\"light dark\">\n"
                      "<meta name=\"referrer\" content=\"no-referrer\">\n"
                      "<meta name=\"generator\" content=\"miguard " MIGUARD_VERSION "\">\n<title>");
}

void html_head_end(struct text *text)
{
    text_append(text, "</title>\n<style>");
    text_append(text, html_style);
    text_append(text, "</style>\n</head>\n");
}

static void write_head(struct text *text, const struct report *report)
{
    html_head(text);
    text_append(text, "Audit report: ");
    write_hosts(text, report);
    text_append(text, ", ");
    write_range(text, report);
    html_head_end(text);
}

/* ---- what comes first ------------------------------------------------------------------------*/

/* The key with the most refusals; NULL without one. By refusals and what would be one, as
 * report_order() does. */
static const struct report_key *leader(const struct report_keys *keys)
{
    const struct report_key *best = NULL;
    uint64_t most = 0;

    for (uint32_t i = 0; i < keys->count; i++) {
        uint64_t refused = keys->keys[i].count.refused + keys->keys[i].count.would;
        if (refused > most) {
            most = refused;
            best = &keys->keys[i];
        }
    }
    return best;
}

/* The arrow of a pair is " -> " in the key and an arrow in the page. The first one is taken: a user
 * name that holds it moves the arrow, and no figure. */
static void write_key(struct text *text, const char *key)
{
    const char *arrow = strstr(key, " -> ");

    if (arrow != NULL) {
        export_text(text, EXPORT_HTML, key, (size_t)(arrow - key));
        text_append(text, " &rarr; ");
        key = arrow + 4;
    }
    html_string(text, key);
}

/* One clause of the summary: the key that stands out, and its number. */
static void write_leader(struct text *text, const struct report *report, enum report_list list,
                         const char *before)
{
    const struct report_key *key = leader(&report->lists[list]);

    if (key != NULL) {
        text_append(text, before);
        text_append(text, "<strong><bdi>");
        write_key(text, key->text);
        text_append(text, "</bdi></strong> (");
        html_number(text, key->count.refused + key->count.would);
        text_append(text, ")");
    }
}

/* The first sentence answers whether anything was refused; losses follow at once, as figures
 * without them would mislead. */
static void write_summary(struct text *text, const struct report *report)
{
    uint64_t refused = report->events.refused + report->events.would;

    text_append(text, "<p>");
    if (report->records == 0) {
        text_append(text, "There is no record for what was asked.");
    } else if (refused == 0) {
        text_append(text, "Nothing was refused.");
    } else {
        html_number(text, refused);
        text_append(text, refused == 1 ? " call was" : " calls were");
        text_append(text, report->events.refused == 0 ? " let pass that would be refused"
                          : report->events.would > 0  ? " refused, or would be"
                                                      : " refused");
        write_leader(text, report, REPORT_REASON, ". Most often for ");
        write_leader(text, report, REPORT_PROVIDER, ", most by provider ");
        write_leader(text, report, REPORT_PAIR, ", and most between ");
        text_append(text, ".");
    }
    if (report->lost > 0) {
        text_append(text, " <strong>");
        html_number(text, report->lost);
        text_append(text, " records were lost</strong>: the picture is not complete.");
    }
    if (report->broken > 0) {
        text_append(text, " <strong>");
        html_number(text, report->broken);
        text_append(text, " lines are not records</strong> and are in none of the figures.");
    }
    text_append(text, "</p>\n");
}

/* The page says which question it answers (query) and when it was made: a printed page has no other
 * context. */
static void write_header(struct text *text, const struct report *report, int64_t now,
                         const char *query)
{
    text_append(text, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header>\n"
                      "<h1>Audit report");
    if (report->lists[REPORT_HOST].count > 0) {
        text_append(text, " of ");
        write_hosts(text, report);
    }
    text_append(text, "</h1>\n");
    write_summary(text, report);
    html_verified(text, report);
    text_append(text, "<dl class=\"meta\"><dt>Time</dt><dd>");
    write_range(text, report);
    text_append(text, ", local time ");
    report_zone(text, report->first > report->last ? now / 1000000000 : report->last / 1000000000);
    text_append(text, "</dd><dt>Made</dt><dd>");
    export_time(text, now, false);
    text_append(text, " by miguard " MIGUARD_VERSION "</dd><dt>Asked for</dt><dd>");
    html_string(text, query[0] != '\0' ? query : "every record");
    text_append(text,
                report->since ? " <strong>(only what is new since the last report)</strong>" : "");
    text_append(text, "</dd></dl>\n</header>\n"
                      "<nav aria-label=\"Contents\"><ul><li><a href=\"#timeline\">Timeline</a></li>"
                      "<li><a href=\"#kinds\">Kinds of refusals</a></li>"
                      "<li><a href=\"#lists\">Top lists</a></li>"
                      "<li><a href=\"#refusals\">Latest refusals</a></li>"
                      "<li><a href=\"#losses\">Lost records</a></li>"
                      "<li><a href=\"#policies\">Policies</a></li>"
                      "<li><a href=\"#files\">Log files</a></li></ul></nav>\n<main id=\"main\">\n");
}

/* class colours the card, mark is a sign for those who do not see the colour, and is hidden from
 * screen readers (aria-hidden), which read `what`. */
static void write_figure(struct text *text, const char *class, const char *mark, const char *what,
                         uint64_t number, const char *note)
{
    text_format(text, "<div class=\"%s\"><dt><span aria-hidden=\"true\">%s</span> %s</dt><dd><b%s>",
                class, mark, what,
                number >= UINT64_C(10000000000) ? " class=\"longer\""
                : number >= 1000000             ? " class=\"long\""
                                                : "");
    html_number(text, number);
    text_append(text, "</b><small>");
    text_append(text, note);
    text_append(text, "</small></dd></div>\n");
}

/* The card for permissive mode is there only when it counted something. */
static void write_figures(struct text *text, const struct report *report)
{
    struct text note = TEXT_EMPTY;

    text_append(&note, "calls, in ");
    html_number(&note, report->refusal_records);
    text_append(&note, report->refusal_records == 1 ? " record" : " records");
    text_append(text, "<dl class=\"figures\">\n");
    write_figure(text, report->events.refused > 0 ? "deny" : "", "&#10005;", "Refused",
                 report->events.refused, note.data != NULL ? note.data : "");
    if (report->events.would > 0) {
        write_figure(text, "would", "&#9651;", "Would be refused", report->events.would,
                     "let pass by permissive mode");
    }
    write_figure(text, "allow", "&#10003;", "Allowed", report->events.allowed,
                 "calls that the policy records");
    write_figure(text, report->lost > 0 ? "deny" : "", "&#9660;", "Lost", report->lost,
                 report->lost > 0 ? "records never reached a sink" : "records, as far as reported");
    write_figure(text, report->broken > 0 ? "deny" : "", "!", "Broken", report->broken,
                 "lines that are not records");
    write_figure(text, "", "&#8801;", "Records", report->records, "read for this report");
    text_append(text, "</dl>\n");
    text->failed = text->failed || note.failed;
    text_release(&note);
}

/* ---- top lists -------------------------------------------------------------------------------*/

/*
 * Each list is a table with a bar in every row. What the page leaves out is summed up in a last
 * row, so that the columns add up to the figures above.
 */

/* Refusals with what would be one, or everything else when the list has no refusal. A bar below 1 %
 * is drawn as 1 %, so that it can be seen; the number stands beside it. */
static void write_bar(struct text *text, const struct report_count *count, uint64_t most,
                      bool refusals)
{
    uint64_t first = refusals ? count->refused : count->allowed + count->other;
    uint64_t second = refusals ? count->would : 0;
    double one = most == 0 ? 0 : (double)first * 100 / (double)most;
    double two = most == 0 ? 0 : (double)second * 100 / (double)most;

    text_append(text, "<td class=\"bar\"><svg width=\"100%\" height=\"10\" aria-hidden=\"true\">");
    if (first > 0) {
        text_format(text, "<rect class=\"%s\" width=\"%.2f%%\" height=\"10\"/>",
                    refusals ? "deny" : "allow", one < 1 ? 1 : one);
    }
    if (second > 0) {
        text_format(text,
                    "<rect fill=\"url(#hatch)\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"10\"/>", one,
                    two < 1 ? 1 : two);
    }
    text_append(text, "</svg></td>");
}

/* Who knows no permissive mode need not see a column of zeros. Must agree with the heads that
 * write_list() and write_files() choose. */
static void write_cells(struct text *text, const struct report *report,
                        const struct report_count *count)
{
    const uint64_t numbers[] = {count->refused, count->would, count->allowed + count->other};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (i == 1 && report->events.would == 0) {
            continue;
        }
        text_append(text, "<td class=\"n\">");
        html_number(text, numbers[i]);
        text_append(text, "</td>");
    }
}

/* What the page does not show of a list, so that its column adds up to the total. */
static void write_others(struct text *text, const struct report *report,
                         const struct report_keys *keys, const uint32_t *order, uint32_t count,
                         uint32_t shown)
{
    struct report_count others = keys->others;

    for (uint32_t i = shown; i < count; i++) {
        const struct report_count *one = &keys->keys[order[i]].count;
        others.refused += one->refused;
        others.would += one->would;
        others.allowed += one->allowed;
        others.other += one->other;
    }
    if (report_sum(&others) == 0) {
        return;
    }
    text_append(text, "<tr><th scope=\"row\" class=\"muted\">");
    text_append(text, keys->removed > 0 ? "others, at most " : "others, ");
    html_number(text, count - shown + keys->removed);
    text_append(text, "</th><td class=\"bar\"></td>");
    write_cells(text, report, &others);
    text_append(text, "</tr>\n");
}

/* The file and the offset without the zeros before it, which is what distinguishes call sites; the
 * whole is the title. */
static void write_site(struct text *text, const char *key)
{
    const char *offset = strstr(key, "+0x"), *name = key;

    for (const char *at = key; *at != '\0' && (offset == NULL || at < offset); at++) {
        name = *at == '/' ? at + 1 : name;
    }
    text_append(text, "<bdi title=\"");
    html_string(text, key);
    text_append(text, "\">");
    if (offset == NULL) {
        html_string(text, name);
    } else {
        export_text(text, EXPORT_HTML, name, (size_t)(offset - name));
        text_append(text, "+0x");
        offset += 3;
        html_string(text, offset + strspn(offset, "0"));
    }
    text_append(text, "</bdi>");
}

/* A key that came in when the list was full has a lower bound for its count (report.h), and the
 * page says so. */
static void write_row(struct text *text, const struct report *report, enum report_list list,
                      const struct report_key *key, uint64_t most, bool refusals)
{
    text_append(text, "<tr><th scope=\"row\">");
    if (list == REPORT_SITE) {
        write_site(text, key->text);
    } else {
        text_append(text, "<bdi>");
        write_key(text, key->text);
        text_append(text, "</bdi>");
    }
    text_append(text, report_sum(&key->before) > 0
                          ? " <span class=\"note\">(at least: some may be among others)</span>"
                          : "");
    text_append(text, "</th>");
    write_bar(text, &key->count, most, refusals);
    write_cells(text, report, &key->count);
    text_append(text, "</tr>\n");
}

/* Bars are relative to the largest of the list: lists differ by orders of magnitude. */
static void write_list(struct text *text, const struct report *report, enum report_list list,
                       uint32_t top)
{
    const struct report_keys *keys = &report->lists[list];
    const char *heads[] = {report_list_head(list), "Bar", "#Refused", "#Allowed", NULL, NULL};
    uint32_t *order = base_alloc(REPORT_KEYS, sizeof(*order));

    if (order == NULL) {
        text->failed = true;
        return;
    }
    uint32_t count = report_order(keys, order), shown = count < top ? count : top;
    const struct report_key *best = leader(keys);
    uint64_t most = best == NULL ? 0 : best->count.refused + best->count.would;
    /* Without refusals the bars show all events. */
    for (uint32_t i = 0; best == NULL && i < count; i++) {
        uint64_t all = report_sum(&keys->keys[order[i]].count);
        most = all > most ? all : most;
    }
    if (report->events.would > 0) {
        heads[3] = "#Would be";
        heads[4] = "#Allowed";
    }
    text_append(text, "<div>");
    html_table(text, report_list_title(list), heads);
    for (uint32_t i = 0; i < shown; i++) {
        write_row(text, report, list, &keys->keys[order[i]], most, best != NULL);
    }
    write_others(text, report, keys, order, count, shown);
    html_table_end(text);
    text_append(text, "</div>\n");
    base_free(order);
}

/* The list of files has a section of its own. */
static void write_lists(struct text *text, const struct report *report, uint32_t top)
{
    bool any = false;

    html_section(text, "lists", "Top lists");
    text_append(text, "<div class=\"lists\">\n");
    for (enum report_list i = 0; i < REPORT_POLICY; i++) {
        if (report->lists[i].count > 0) {
            write_list(text, report, i, top);
            any = true;
        }
    }
    text_append(text, "</div>\n");
    text_append(text, any ? "</section>\n"
                          : "<p class=\"plain\">No record: nothing to count.</p></section>\n");
}

/* ---- files -----------------------------------------------------------------------------------*/

/* The caveat stands here, where a reader may take a list of files for a statement about them. */
static void write_files(struct text *text, const struct report *report)
{
    const char *heads[] = {"File", "#Refused", "#Allowed, log and policy", NULL, NULL};
    const struct report_keys *files = &report->lists[REPORT_FILE];

    if (report->events.would > 0) {
        heads[3] = heads[2];
        heads[2] = "#Would be";
    }
    html_section(text, "files", "Log files");
    text_append(text, "<p>This page is a summary and proves nothing. Whether the files are as they "
                      "were written is what <code>miguard audit verify --key FILE</code> says, "
                      "with the key that <code>miguard audit init</code> printed.</p>");
    if (files->count > 0) {
        html_table(text, "Files that records were read from", heads);
    }
    for (uint32_t i = 0; i < files->count; i++) {
        text_append(text, "<tr><th scope=\"row\"><code>");
        html_string(text, files->keys[i].text);
        text_append(text, "</code></th>");
        write_cells(text, report, &files->keys[i].count);
        text_append(text, "</tr>\n");
    }
    if (files->count > 0) {
        html_table_end(text);
    }
    text_append(text, "</section>\n");
}

/* text->failed is the only error; the caller tests it once at the end. */
void html_write(struct text *text, const struct report *report, uint32_t top, int64_t now,
                const char *query)
{
    write_head(text, report);
    write_header(text, report, now, query);
    write_figures(text, report);
    html_timeline(text, report);
    html_kinds(text, report);
    write_lists(text, report, top);
    html_events(text, report);
    write_files(text, report);
    text_append(text,
                "</main>\n<footer>Made by <code>miguard audit report --html</code>. Names are "
                "those that the records hold.</footer>\n</body>\n</html>\n");
}
