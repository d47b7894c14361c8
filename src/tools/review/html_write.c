/* SPDX-License-Identifier: MIT */
/* The small parts of the HTML page: escaped text, numbers, tables, sections. */
#include "tools/review/html.h"

/* Thousands are separated: a page is read by people. */
void html_number(struct text *text, uint64_t number)
{
    char digits[EXPORT_NUMBER];

    text_append(text, export_number(number, digits));
}

/* For text and for attributes in double quotes alike (EXPORT_HTML). */
void html_string(struct text *text, const char *string)
{
    export_string(text, EXPORT_HTML, string);
}

/* Isolated: letters that run from right to left stay in their place (WHATWG HTML, bdi). */
void html_field(struct text *text, const struct record *record, enum record_field field)
{
    text_append(text, "<bdi>");
    export_field(text, EXPORT_HTML, record, field);
    text_append(text, "</bdi>");
}

/* Lines were parsed when they were added; a line that was replaced by {} gives a record without
 * fields. */
bool html_ring_record(const struct report_ring *ring, uint64_t i, struct record *ret_record)
{
    size_t fault;

    if (i >= ring->seen || i >= ring->size) {
        return false;
    }
    uint32_t at = (uint32_t)((ring->next + ring->size - 1 - i) % ring->size);
    return record_parse(ring->lines[at].data, ring->lines[at].length, ret_record, &fault) == NULL;
}

/* aria-labelledby gives the section its heading as a name, so that screen readers list it. The
 * caller closes the section. */
void html_section(struct text *text, const char *id, const char *title)
{
    text_format(text,
                "<section id=\"%s\" aria-labelledby=\"%s-title\"><h2 id=\"%s-title\">%s</h2>\n", id,
                id, id, title);
}

/* A head with # is that of numbers, one with ! of what must not be broken. tabindex: a region that
 * scrolls must be reachable by keyboard (WCAG 2.2, 2.1.1). */
void html_table(struct text *text, const char *caption, const char *const *heads)
{
    size_t count = 0;

    while (heads[count] != NULL) {
        count++;
    }
    text_append(text, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    html_string(text, caption);
    text_format(text, "\"><table class=\"%s\"><caption>", count > 6 ? "wide" : "");
    html_string(text, caption);
    text_append(text, "</caption><thead><tr>");
    for (; *heads != NULL; heads++) {
        const char *class = **heads == '#' ? " class=\"n\"" : **heads == '!' ? " class=\"t\"" : "";
        text_format(text, "<th scope=\"col\"%s>", class);
        html_string(text, *heads + (class[0] != '\0'));
        text_append(text, "</th>");
    }
    text_append(text, "</tr></thead><tbody>\n");
}

/* Closes what html_table() opened. */
void html_table_end(struct text *text)
{
    text_append(text, "</tbody></table></div>\n");
}
