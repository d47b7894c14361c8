/* SPDX-License-Identifier: MIT */
/*
 * The timeline as SVG without a viewBox: places along the width are percentages, so that it fits
 * every screen, while letters and heights keep their size.
 *
 * measure() chooses the unit, so that at most MOST_BARS bars are drawn, and the end of the axis.
 * write_bars() draws one stacked bar for each bucket with events, write_labels() the times below
 * it. The same figures follow as a table for those who cannot see a picture, and for copying.
 */
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

#include "tools/review/html.h"

enum {
    /* Heights are pixels of CSS, widths percent. */
    TOP = 34, /* room for marks */
    HEIGHT = 170,
    BOTTOM = TOP + HEIGHT,
    WHOLE = BOTTOM + 40,
    MOST_BARS = 120,
    LEAST_BARS = 12, /* a single bar shall not be as wide as the page */
    LABELS = 10,
};

/* What measure() found; everything is drawn from it. */
struct chart {
    const struct report *report;
    enum report_unit unit;
    /* Slots are places along the width; a short timeline stands in the middle of LEAST_BARS of
     * them. */
    uint32_t bars, slots;
    uint64_t most; /* the end of the axis */
    bool cut;      /* bars beyond the axis end at it, with a mark */
    uint64_t peak; /* the highest bar */
    /* The bucket with the most refusals, for the description. */
    struct report_bucket worst;
};

/* A few steps of 2, 20, 200 ...: the half is a round number as well. */
static uint64_t round_up(uint64_t number)
{
    uint64_t step = 2;

    /* Two halves of at most six steps each. */
    while (number > step * 12 && step < UINT64_MAX / 100) {
        step *= 10;
    }
    return (number / step + (number % step != 0)) * step;
}

/* Goes through the timeline once. The axis ends at 4 or more, so that a single event does not fill
 * the picture. */
static struct chart measure(const struct report *report)
{
    struct chart chart = {.report = report, .unit = report_fitting(&report->timeline, MOST_BARS)};
    struct report_steps steps = {.unit = chart.unit};

    while (report_step(&report->timeline, &steps)) {
        const struct report_count *count = &steps.bucket.count;
        uint64_t all = count->refused + count->would + count->allowed;
        chart.peak = all > chart.peak ? all : chart.peak;
        if (count->refused + count->would > chart.worst.count.refused + chart.worst.count.would) {
            chart.worst = steps.bucket;
        }
        chart.bars++;
    }
    chart.slots = chart.bars < LEAST_BARS ? LEAST_BARS : chart.bars;
    chart.most = round_up(chart.peak < 4 ? 4 : chart.peak);
    return chart;
}

/* Percent of the width, for a place in bars from the first one. */
static double left_of(const struct chart *chart, double bar)
{
    return ((chart->slots - chart->bars) / 2 + bar) * 100.0 / chart->slots;
}

/* What is there at all can be seen, however small it is. */
static double height_of(const struct chart *chart, uint64_t events)
{
    double height = (double)events / (double)chart->most * HEIGHT;

    return events == 0 ? 0 : height < 3 ? 3 : height;
}

/* Of a part that stands on *base: not beyond the axis. */
static double height_on(const struct chart *chart, uint64_t events, double base)
{
    double height = height_of(chart, events), room = base - TOP;

    return chart->cut && height > room ? room : height;
}

/* For qsort(3). */
static int by_number(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

/* The end of an axis that shows the usual days beside a peak; 0: one axis shows both. Nine of ten
 * bars are usual. */
static uint64_t usual_axis(const struct chart *chart, struct text *text)
{
    struct report_steps steps = {.unit = chart->unit};
    uint64_t *bars = base_alloc(chart->bars, sizeof(*bars));
    size_t count = 0;

    if (bars == NULL) {
        text->failed = true;
        return 0;
    }
    while (report_step(&chart->report->timeline, &steps)) {
        const struct report_count *events = &steps.bucket.count;
        uint64_t all = events->refused + events->would + events->allowed;
        if (all > 0 && count < chart->bars) {
            bars[count++] = all;
        }
    }
    qsort(bars, count, sizeof(*bars), by_number);
    uint64_t usual = count == 0 ? 0 : bars[(count - 1) * 9 / 10];
    base_free(bars);
    return count < 5 || chart->peak / 6 < usual ? 0 : round_up(usual < 4 ? 4 : usual + usual / 4);
}

/* Lines at nothing, the half and the whole; the upper two have a number. */
static void write_axis(struct text *text, const struct chart *chart)
{
    for (unsigned i = 0; i <= 2; i++) {
        unsigned y = BOTTOM - i * HEIGHT / 2;
        text_format(text, "<line class=\"%s\" x1=\"0\" x2=\"100%%\" y1=\"%u\" y2=\"%u\"/>",
                    i == 0 ? "base" : "grid", y, y);
        if (i > 0) {
            text_format(text, "<text x=\"0\" y=\"%u\">", y - 4);
            html_number(text, chart->most * i / 2);
            text_append(text, "</text>");
        }
    }
}

/* One rectangle on top of *base, which moves up. A bar takes 80 % of its slot. */
static void write_part(struct text *text, const struct chart *chart, uint32_t bar, double *base,
                       uint64_t events, const char *class)
{
    double height = height_on(chart, events, *base);

    if (height > 0) {
        *base -= height;
        text_format(text,
                    "<rect class=\"%s\" x=\"%.3f%%\" y=\"%.1f\" width=\"%.3f%%\" height=\"%.1f\"/>",
                    class, left_of(chart, bar + 0.1), *base, 80.0 / chart->slots, height);
    }
}

/* Hatched, so that it differs from a refusal without its colour. */
static void write_would(struct text *text, const struct chart *chart, uint32_t bar, double *base,
                        uint64_t events)
{
    double height = height_on(chart, events, *base);

    if (height > 0) {
        *base -= height;
        text_format(text,
                    "<rect fill=\"url(#hatch)\" x=\"%.3f%%\" y=\"%.1f\" width=\"%.3f%%\" "
                    "height=\"%.1f\"/>",
                    left_of(chart, bar + 0.1), *base, 80.0 / chart->slots, height);
    }
}

/* The figures in words, for the title of a bar and the description of the picture. */
static void write_counts(struct text *text, const struct report_bucket *bucket)
{
    html_number(text, bucket->count.refused);
    text_append(text, " refused, ");
    html_number(text, bucket->count.would);
    text_append(text, " would be refused, ");
    html_number(text, bucket->count.allowed);
    text_append(text, " allowed");
    if (bucket->lost > 0) {
        text_append(text, ", ");
        html_number(text, bucket->lost);
        text_append(text, " records lost");
    }
}

/* Refusals stand at the bottom, where heights can be compared. A loss is a dashed line with a mark
 * above the bar. The title shows as a tooltip, and is read aloud. */
static void write_bar(struct text *text, const struct chart *chart, uint32_t bar,
                      const struct report_bucket *bucket)
{
    /* Bars are stacked: each part begins where the one below ends. */
    double base = BOTTOM;

    text_append(text, "<g>");
    if (!chart->cut) { /* what is drawn twice is said once */
        text_append(text, "<title>");
        report_bucket_label(text, chart->unit, bucket->start);
        text_append(text, ": ");
        write_counts(text, bucket);
        text_append(text, "</title>");
    }
    write_part(text, chart, bar, &base, bucket->count.refused, "deny");
    write_would(text, chart, bar, &base, bucket->count.would);
    write_part(text, chart, bar, &base, bucket->count.allowed, "allow");
    if (chart->cut &&
        bucket->count.refused + bucket->count.would + bucket->count.allowed > chart->most) {
        text_format(text, "<svg x=\"%.3f%%\" y=\"%d\"><path class=\"cut\" d=\"M-9 4L9-4\"/></svg>",
                    left_of(chart, bar + 0.5), TOP + 14);
    }
    if (bucket->lost > 0) {
        double x = left_of(chart, bar + 0.5);
        text_format(text, "<line class=\"lost\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%d\" y2=\"%d\"/>",
                    x, x, TOP - 12, BOTTOM);
        text_format(text,
                    "<svg x=\"%.3f%%\" y=\"%d\"><path class=\"mark\" d=\"M0 0L-5-9H5z\"/></svg>", x,
                    TOP - 12);
    }
    text_append(text, "</g>");
}

/* Empty buckets take their place and draw nothing. */
static void write_bars(struct text *text, const struct chart *chart)
{
    struct report_steps steps = {.unit = chart->unit};

    for (uint32_t bar = 0; report_step(&chart->report->timeline, &steps); bar++) {
        if (report_sum(&steps.bucket.count) > 0 || steps.bucket.lost > 0) {
            write_bar(text, chart, bar, &steps.bucket);
        }
    }
}

/* Changes of the room for the log, which may explain a gap. One mark a bar, for the newest change
 * in it. */
static void write_spaces(struct text *text, const struct chart *chart)
{
    struct report_steps steps = {.unit = chart->unit};
    struct record record;
    int64_t time;

    for (uint32_t bar = 0; report_step(&chart->report->timeline, &steps); bar++) {
        int64_t end = report_next(chart->unit, steps.bucket.start);
        for (uint64_t i = 0; html_ring_record(&chart->report->spaces, i, &record); i++) {
            if (!record_time(&record, RECORD_TIMESTAMP, &time) ||
                time / 1000000000 < steps.bucket.start || time / 1000000000 >= end) {
                continue;
            }
            text_format(text,
                        "<svg x=\"%.3f%%\" y=\"0\"><path class=\"mark\" d=\"M0 0l5 5-5 5-5-5z\">",
                        left_of(chart, bar + 0.5));
            text_append(text, "<title>space for the log: ");
            html_field(text, &record, RECORD_SPACE_STEP);
            text_append(text, "</title></path></svg>");
            break;
        }
    }
}

/* ---- labels ----------------------------------------------------------------------------------*/

/*
 * People count minutes in fives and hours in threes: labels stand where the local clock has such a
 * number, and the date below them where it changes.
 */

/* localtime_r(3) fails only for years beyond int; the zeroed time stands then. */
static struct tm local_time(int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm local = {0};

    localtime_r(&time, &local);
    return local;
}

/* How many units stand between two labels: as people count them. Each row ends in 0 where it has
 * fewer than ten steps; the last step is taken when it is still too small. */
static uint32_t stride_of(const struct chart *chart)
{
    static const uint32_t strides[][10] = {
        [REPORT_MINUTE] = {1, 5, 10, 15, 30, 60}, [REPORT_TEN_MINUTES] = {1, 3, 6, 12, 18, 36},
        [REPORT_HOUR] = {1, 2, 3, 6, 12, 24},     [REPORT_SIX_HOURS] = {1, 2, 4, 8, 12, 16, 20},
        [REPORT_DAY] = {1, 2, 7, 14, 21},         [REPORT_MONTH] = {1, 3, 6, 12, 24},
        [REPORT_YEAR] = {1, 5, 10, 50, 100, 500},
    };
    uint32_t stride = 1;

    for (size_t i = 0; i < 10 && strides[chart->unit][i] != 0; i++) {
        stride = strides[chart->unit][i];
        if (chart->bars <= LABELS * stride) {
            break;
        }
    }
    return stride;
}

/* Which of its kind the bucket is, counted in local time. Labels stand where it is divisible by the
 * stride, so 00:00 and 06:00 have one rather than 01:00 and 07:00. */
static uint64_t ordinal(enum report_unit unit, int64_t start)
{
    static const int64_t widths[] = {60, 600, 3600, 21600};
    struct tm local = local_time(start);
    int64_t seconds = start + local.tm_gmtoff;

    if (unit <= REPORT_SIX_HOURS) {
        return (uint64_t)(seconds / widths[unit]);
    }
    if (unit == REPORT_DAY) {
        return (uint64_t)(seconds / 86400);
    }
    return (uint64_t)(unit == REPORT_MONTH ? local.tm_year * 12 + local.tm_mon
                                           : local.tm_year + 1900);
}

/* Whether a label has a second line, and whether only a narrow screen shows it. */
enum dated { UNDATED, DATED, DATED_IF_NARROW };

/* Letters shall not stand out of the picture. */
static const char *anchor_of(double x)
{
    return x < 5 ? "start" : x > 95 ? "end" : "middle";
}

/* One line of a label. label comes from strftime(3) with formats of this file, and needs no
 * escaping. */
static void write_line(struct text *text, double x, int y, const char *label, const char *class)
{
    text_format(text, "<text%s text-anchor=\"%s\" x=\"%.3f%%\" y=\"%d\">%s</text>", class,
                anchor_of(x), x, y, label);
}

/* minor: every second label, which a narrow screen hides (html_style.c). */
static void write_label(struct text *text, const struct chart *chart, uint32_t bar, int64_t start,
                        bool minor, enum dated dated)
{
    static const char *const uppers[] = {"%H:%M", "%H:%M", "%H:%M", "%H:%M", "%d %b", "%b", "%Y"};
    static const char *const lowers[] = {"%d %b", "%d %b", "%d %b", "%d %b", "%Y", "%Y", ""};
    struct tm local = local_time(start);
    double x = left_of(chart, bar + 0.5);
    char label[32];

    strftime(label, sizeof(label), uppers[chart->unit], &local);
    text_append(text, minor ? "<g class=\"minor\">" : "<g>");
    write_line(text, x, BOTTOM + 17, label, "");
    if (dated != UNDATED) {
        strftime(label, sizeof(label), lowers[chart->unit], &local);
        write_line(text, x, BOTTOM + 33, label,
                   dated == DATED_IF_NARROW ? " class=\"narrow\"" : "");
    }
    text_append(text, "</g>");
}

/* The lower line of a label is written where it changes. A narrow screen shows every second label,
 * and where it misses a change the next label shows it. */
static void write_labels(struct text *text, const struct chart *chart)
{
    struct report_steps steps = {.unit = chart->unit};
    uint32_t stride = stride_of(chart), labels = 0;
    int64_t shown = INT64_MIN, shown_narrow = INT64_MIN;

    for (uint32_t bar = 0; report_step(&chart->report->timeline, &steps); bar++) {
        if (ordinal(chart->unit, steps.bucket.start) % stride != 0) {
            continue;
        }
        bool minor = labels++ % 2 == 1;
        int64_t date = report_floor(chart->unit <= REPORT_SIX_HOURS ? REPORT_DAY : REPORT_YEAR,
                                    steps.bucket.start);
        enum dated dated = date != shown                    ? DATED
                           : !minor && date != shown_narrow ? DATED_IF_NARROW
                                                            : UNDATED;
        write_label(text, chart, bar, steps.bucket.start, minor, dated);
        shown = date;
        shown_narrow = minor ? shown_narrow : date;
    }
}

/* ---- the whole -------------------------------------------------------------------------------*/

/* Shows what is in the picture: losses and changes of space only when there are some. */
static void write_legend(struct text *text, const struct chart *chart)
{
    text_append(text,
                "<ul class=\"legend\">"
                "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"deny\" "
                "width=\"12\" height=\"12\"/></svg>refused, below</li>"
                "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect "
                "fill=\"url(#hatch)\" width=\"12\" height=\"12\"/></svg>would be refused "
                "(permissive), hatched</li>"
                "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"allow\" "
                "width=\"12\" height=\"12\"/></svg>allowed, above</li>");
    if (chart->report->lost > 0) {
        text_append(text, "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><path "
                          "class=\"mark\" d=\"M6 11L1 2h10z\"/></svg>records lost</li>");
    }
    if (chart->report->spaces.seen > 0) {
        text_append(text, "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><path "
                          "class=\"mark\" d=\"M6 1l5 5-5 5-5-5z\"/></svg>space for the log "
                          "changed</li>");
    }
    text_append(text, "</ul>");
}

/* What a screen reader says in the place of the picture. */
static void write_description(struct text *text, const struct chart *chart)
{
    text_append(text, "<title id=\"chart-title\">Decisions over time, by ");
    html_string(text, report_unit_name(chart->unit));
    text_append(text, "</title><desc id=\"chart-desc\">Highest: ");
    html_number(text, chart->peak);
    text_append(text, " calls.");
    if (chart->worst.count.refused + chart->worst.count.would > 0) {
        text_append(text, " Most refusals at ");
        report_bucket_label(text, chart->unit, chart->worst.start);
        text_append(text, ": ");
        write_counts(text, &chart->worst);
        text_append(text, ".");
    }
    text_append(text, " The table below has all figures.</desc>");
}

/* The same figures as a table; rows without events are left out. */
static void write_data(struct text *text, const struct chart *chart)
{
    static const char *const heads[] = {"Begin",    "#Refused", "#Would be refused",
                                        "#Allowed", "#Lost",    NULL};
    struct report_steps steps = {.unit = chart->unit};

    text_append(text, "<details><summary>The timeline as a table</summary>");
    html_table(text, "Decisions over time; where nothing happened is left out", heads);
    while (report_step(&chart->report->timeline, &steps)) {
        const struct report_count *count = &steps.bucket.count;
        if (count->refused + count->would + count->allowed + steps.bucket.lost == 0) {
            continue;
        }
        const uint64_t numbers[] = {count->refused, count->would, count->allowed,
                                    steps.bucket.lost};
        text_append(text, "<tr><th scope=\"row\" class=\"t\">");
        report_bucket_label(text, chart->unit, steps.bucket.start);
        text_append(text, "</th>");
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            text_append(text, "<td class=\"n\">");
            html_number(text, numbers[i]);
            text_append(text, "</td>");
        }
        text_append(text, "</tr>\n");
    }
    html_table_end(text);
    text_append(text, "</details>");
}

/* The picture; description: its title and text for a screen reader, for the first one. */
static void write_picture(struct text *text, const struct chart *chart)
{
    if (chart->cut) {
        text_append(text, "<h3 class=\"row\">The same without the peaks: bars beyond ");
        html_number(text, chart->most);
        text_append(text, " are cut</h3>");
    }
    text_format(text, "<svg width=\"100%%\" height=\"%d\" %s>", WHOLE,
                chart->cut ? "aria-hidden=\"true\""
                           : "role=\"img\" aria-labelledby=\"chart-title chart-desc\"");
    if (!chart->cut) {
        write_description(text, chart);
        text_append(text, "<defs><pattern id=\"hatch\" width=\"4\" height=\"4\" "
                          "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect "
                          "class=\"would\" width=\"2.4\" height=\"4\"/></pattern></defs>");
    }
    write_bars(text, chart);
    write_axis(text, chart); /* above the bars, which would hide its numbers */
    if (!chart->cut) {
        write_spaces(text, chart);
    }
    write_labels(text, chart);
    text_append(text, "</svg>");
}

/* ---- each host -------------------------------------------------------------------------------*/

enum { STRIP = 36 };

/* Bits, so that a flood of one hour leaves the other hours high enough to be seen. */
static double bits_of(uint64_t number)
{
    double bits = 0;

    for (; number > 1; number /= 2) {
        bits += number < 4 ? (double)number / 2 - 0.5 : 1;
    }
    return bits;
}

/* Where the host's timeline has a bucket in a unit of the whole one: both begin it at one time. */
static void write_strip(struct text *text, const struct chart *chart,
                        const struct report_timeline *host, uint64_t most)
{
    struct report_steps all = {.unit = chart->unit}, own = {.unit = chart->unit};
    bool more = report_step(host, &own);

    for (uint32_t bar = 0; more && report_step(&chart->report->timeline, &all); bar++) {
        while (more && own.bucket.start < all.bucket.start) {
            more = report_step(host, &own);
        }
        uint64_t refused = own.bucket.count.refused + own.bucket.count.would;
        if (!more || own.bucket.start != all.bucket.start || refused == 0) {
            continue;
        }
        double height = 4 + (STRIP - 4) * bits_of(refused) / (most > 1 ? bits_of(most) : 1);
        text_format(text,
                    "<rect class=\"deny\" x=\"%.3f%%\" y=\"%.1f\" width=\"%.3f%%\" "
                    "height=\"%.1f\"><title>",
                    left_of(chart, bar + 0.1), STRIP - height, 80.0 / chart->slots, height);
        report_bucket_label(text, chart->unit, all.bucket.start);
        text_append(text, ": ");
        html_number(text, refused);
        text_append(text, " refused</title></rect>");
    }
}

static uint64_t most_refused(const struct chart *chart, const struct report_timeline *host)
{
    struct report_steps steps = {.unit = chart->unit};
    uint64_t most = 0;

    while (report_step(host, &steps)) {
        uint64_t refused = steps.bucket.count.refused + steps.bucket.count.would;
        most = refused > most ? refused : most;
    }
    return most;
}

/* Below each other on the time axis of the picture above. A log of one host has that alone. */
static void write_hosts(struct text *text, const struct chart *chart)
{
    const struct report *report = chart->report;
    uint64_t hosts = report->lists[REPORT_HOST].count + report->lists[REPORT_HOST].removed;

    if (report->host_count < 2) {
        return;
    }
    text_append(text, "<h3>Refusals of each host</h3><p class=\"note\">On the same time axis; "
                      "heights are logarithmic.");
    if (hosts > report->host_count) {
        text_format(text, " The first %u of %llu hosts.", report->host_count,
                    (unsigned long long)hosts);
    }
    text_append(text, "</p>");
    for (uint32_t i = 0; i < report->host_count; i++) {
        uint64_t most = most_refused(chart, &report->hosts[i].timeline);
        text_append(text, "<h3 class=\"row\"><bdi>");
        html_string(text, report->hosts[i].name);
        text_append(text, "</bdi>: at most ");
        html_number(text, most);
        text_format(text, "</h3><svg width=\"100%%\" height=\"%d\" aria-hidden=\"true\">",
                    STRIP + 2);
        text_format(text, "<line class=\"base\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>", STRIP,
                    STRIP);
        write_strip(text, chart, &report->hosts[i].timeline, most);
        text_append(text, "</svg>");
    }
}

/* ---- the section -----------------------------------------------------------------------------*/

/* Nothing is drawn without a record that has a time. */
void html_timeline(struct text *text, const struct report *report)
{
    struct chart chart = measure(report);

    html_section(text, "timeline", "Timeline");
    if (chart.bars == 0) {
        text_append(text,
                    "<p class=\"plain\">No record: there is nothing to draw.</p></section>\n");
        return;
    }
    write_legend(text, &chart);
    write_picture(text, &chart);
    struct chart usual = chart;
    usual.most = usual_axis(&chart, text);
    usual.cut = true;
    if (usual.most > 0) {
        write_picture(text, &usual);
    }
    text_append(text, "<p class=\"note\">Calls per ");
    html_string(text, report_unit_name(chart.unit));
    text_append(text, ", local time ");
    report_zone(text, report->last / 1000000000);
    text_append(text, ". What is less than a dot is drawn as one. A grouped record stands where it "
                      "was written.");
    if (report->timeline.outside > 0) {
        text_append(text, " Events that the timeline cannot hold: ");
        html_number(text, report->timeline.outside);
        text_append(text, ".");
    }
    text_append(text, "</p>");
    write_hosts(text, &chart);
    write_data(text, &chart);
    text_append(text, "</section>\n");
}
