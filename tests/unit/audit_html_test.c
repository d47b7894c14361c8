/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/review_line.h"
#include "tools/review/html.h"

static const struct read_place place = {"/var/log/<a>&.jsonl", 1, 0};

static void add(struct report *report, const struct review_line *facts)
{
    struct record record = review_record(facts);
    ck_assert(report_add(report, &record, &place));
}

/* Elements that have no end (HTML, void elements), or end themselves (SVG). */
static bool is_void(const char *tag, const char *end)
{
    return end[-1] == '/' || strncmp(tag, "meta", 4) == 0 || strncmp(tag, "br", 2) == 0 ||
           strncmp(tag, "!DOCTYPE", 8) == 0;
}

/* Each element ends, inside the one that it began in, and quotes are in pairs. */
static void check_sound(const char *page)
{
    char open[64][24];
    size_t depth = 0;

    for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at, '<')) {
        const char *end = ++at;
        for (bool quoted = false; *end != '\0' && (quoted || *end != '>'); end++) {
            quoted = quoted != (*end == '"');
        }
        ck_assert_int_eq(*end, '>');
        size_t length = strcspn(at + (*at == '/'), " >/");
        ck_assert_uint_lt(length, sizeof(open[0]));
        if (*at == '/') {
            ck_assert_msg(depth > 0 && strncmp(open[depth - 1], at + 1, length) == 0 &&
                              open[depth - 1][length] == '\0',
                          "%.30s ends, %s is open", at, depth > 0 ? open[depth - 1] : "nothing");
            depth--;
        } else if (!is_void(at, end)) {
            ck_assert_uint_lt(depth, 64);
            memcpy(open[depth], at, length);
            open[depth++][length] = '\0';
        }
        at = end;
    }
    ck_assert_uint_eq(depth, 0);
}

static char *page_of(const struct report *report, const char *query)
{
    static const char *const never[] = {"<script", "javascript:", "onload=\"", " style=",
                                        "http:",   "https:",      "src=",      "url(http",
                                        "@import", "<link",       "<img"};
    static const char *const ever[] = {"<html lang=\"en\">",
                                       "<main id=\"main\">",
                                       "<header>",
                                       "<footer>",
                                       "<nav aria-label=",
                                       "<h1>",
                                       "</html>",
                                       "name=\"viewport\"",
                                       "default-src 'none'"};
    struct text text = TEXT_EMPTY;

    html_write(&text, report, 10, INT64_C(1772366400000000000), query);
    ck_assert(!text.failed);
    check_sound(text.data);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        ck_assert_msg(strstr(text.data, never[i]) == NULL, "%s", never[i]);
    }
    for (size_t i = 0; i < sizeof(ever) / sizeof(ever[0]); i++) {
        ck_assert_msg(strstr(text.data, ever[i]) != NULL, "%s", ever[i]);
    }
    return text.data;
}

/* ---- what is in it ---------------------------------------------------------------------------*/

START_TEST(test_empty)
{
    struct report *report = report_new();
    char *page = page_of(report, "");

    ck_assert_ptr_nonnull(strstr(page, "There is no record for what was asked."));
    ck_assert_ptr_nonnull(strstr(page, "<h1>Audit report</h1>"));
    ck_assert_ptr_nonnull(strstr(page, "Nothing was refused."));
    ck_assert_ptr_null(strstr(page, "role=\"img\""));
    ck_assert_ptr_nonnull(strstr(page, "miguard audit verify"));
    free(page);
    report_free(report);
}
END_TEST

START_TEST(test_figures)
{
    struct report *report = report_new();

    setenv("TZ", "UTC", 1);
    add(report, &(struct review_line){.repeats = 1234567,
                                      .as_user = 65534,
                                      .sequence = 9,
                                      .bound = "\"euid\":{\"id\":0}",
                                      .current = "\"euid\":{\"id\":65534}"});
    add(report, &(struct review_line){.would_deny = true, .repeats = 12});
    add(report, &(struct review_line){.allowed = true, .time = "2026-03-01T15:00:00.000000Z"});
    add(report, &(struct review_line){.action = "records-lost",
                                      .allowed = true,
                                      .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":88,"
                                                    "\"cause\":\"no-space\"}"});
    add(report, &(struct review_line){.action = "audit-space",
                                      .allowed = true,
                                      .in_miguard = ",\"space\":{\"step\":\"full\","
                                                    "\"available\":0,\"used_percent\":100}"});
    add(report, &(struct review_line){.action = "policy-refused",
                                      .in_miguard = ",\"policy\":{\"detail\":\"p.yaml:1:1\"}"});
    report->broken = 3;
    char *page = page_of(report, "--user <root>");
    static const char *const parts[] = {
        "Refused</dt><dd><b class=\"long\">1,234,567</b>",
        "Would be refused</dt><dd><b>12</b>",
        "Allowed</dt><dd><b>1</b>",
        "Lost</dt><dd><b>88</b>",
        "Broken</dt><dd><b>3</b>",
        "Records</dt><dd><b>6</b>",
        "<bdi>euid</bdi>",
        "role=\"img\" aria-labelledby=\"chart-title chart-desc\"",
        "1,234,567 refused, 12 would be refused, 0 allowed, 88 records lost</title>",
        "class=\"lost\"",
        "<title>space for the log: <bdi>full</bdi></title>",
        "0 &rarr; 65534",
        "<code><bdi>00000000000000aa-9</bdi></code>",
        "All 2 refusal records, newest first",
        "<bdi>p.yaml:1:1</bdi>",
        "--user &lt;root&gt;",
        "/var/log/&lt;a&gt;&amp;.jsonl",
        "2026-03-01 12:00:00 to 2026-03-01 15:00:00, local time UTC (UTC+00:00)",
        "uid 0 &rarr; uid 65534",
        "<th scope=\"col\"",
        "<th scope=\"row\"",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        ck_assert_msg(strstr(page, parts[i]) != NULL, "%s", parts[i]);
    }
    free(page);
    report_free(report);
}
END_TEST

/* Each field that a record can bring, with what would break out of wherever it stands. */
START_TEST(test_hostile)
{
    static const char bad[] = "</script><script>x</script>\\\" onload=\\\"x' &lt;\\u202e\\u0007";
    char miguard[2560], top[1024], identity[512];
    struct report *report = report_new();

    snprintf(miguard, sizeof(miguard),
             ",\"call_site\":{\"module\":\"%s\",\"offset\":\"%s\",\"symbol\":\"%s\"},"
             "\"lost\":{\"sink\":\"%s\",\"count\":5,\"cause\":\"%s\",\"first\":\"%s\"},"
             "\"space\":{\"step\":\"%s\",\"available\":\"%s\",\"used_percent\":\"%s\"},"
             "\"policy\":{\"detail\":\"%s\"},\"resource\":\"r%s\",\"object\":\"o%s\"",
             bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad);
    snprintf(top, sizeof(top),
             ",\"rule\":{\"name\":\"%s\",\"reference\":\"%s\",\"description\":\"%s\"}", bad, bad,
             bad);
    snprintf(identity, sizeof(identity), "\"lsm-label\":\"%s\"", bad);
    static const char *const actions[] = {"session-use", "records-lost", "audit-space",
                                          "policy-load", "policy-refused"};
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        add(report, &(struct review_line){.action = actions[i],
                                          .reason = bad,
                                          .provider = bad,
                                          .name_space = bad,
                                          .class_name = bad,
                                          .operation = bad,
                                          .host = bad,
                                          .mismatch = "[\"lsm-label\",\"<b>\"]",
                                          .bound = identity,
                                          .current = "\"lsm-label\":\"<i>\"",
                                          .in_miguard = miguard,
                                          .on_top = top});
    }
    char *page = page_of(report, "<script>\"");
    ck_assert_ptr_null(strstr(page, "\xE2\x80\xAE"));
    ck_assert_ptr_null(strchr(page, 7));
    ck_assert_ptr_null(strstr(page, "<b><b>"));
    ck_assert_ptr_null(strstr(page, "<i>"));
    ck_assert_ptr_nonnull(strstr(page, "<span class=\"note\"><bdi>o&lt;/script&gt;"));
    ck_assert_ptr_nonnull(strstr(page, " <bdi>r&lt;/script&gt;"));
    ck_assert_ptr_nonnull(strstr(page, "&lt;script&gt;x&lt;/script&gt;&quot; onload=&quot;x&#39; "
                                       "&amp;lt;\\x202E\\x0007"));
    free(page);
    report_free(report);
}
END_TEST

/* The style that the page's policy lets in is the one that it has. */
START_TEST(test_style_has_its_hash)
{
    struct report *report = report_new();
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[64], wanted[96];
    char *page = page_of(report, "");
    const char *from = strstr(page, "<style>") + strlen("<style>"), *to = strstr(from, "</style>");

    crypto_hash_sha256(hash, (const unsigned char *)from, (size_t)(to - from));
    sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    snprintf(wanted, sizeof(wanted), "style-src 'sha256-%s'", base64);
    ck_assert_ptr_nonnull(strstr(page, wanted));
    free(page);
    report_free(report);
}
END_TEST

/* ---- colours: 4.5:1 on each background, in both schemes (WCAG 2.2, 1.4.3)
 * ----------------------*/

static double light(unsigned channel)
{
    double value = channel / 255.0;

    return value <= 0.03928 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double luminance(const char *style, const char *name)
{
    const char *at = strstr(style, name);
    unsigned red, green, blue;

    ck_assert_ptr_nonnull(at);
    at += strlen(name);
    if (strlen(at) > 4 && at[4] != ';' && sscanf(at, "#%2x%2x%2x", &red, &green, &blue) == 3) {
        return 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);
    }
    ck_assert_int_eq(sscanf(at, "#%1x%1x%1x", &red, &green, &blue), 3);
    return 0.2126 * light(red * 17) + 0.7152 * light(green * 17) + 0.0722 * light(blue * 17);
}

START_TEST(test_contrast)
{
    static const char *const texts[] = {"--text:", "--muted:", "--deny:", "--would:", "--link:"};
    const char *schemes[] = {strstr(html_style, ":root{"), strstr(html_style, "scheme:dark)")};

    for (size_t scheme = 0; scheme < 2; scheme++) {
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            double text = luminance(schemes[scheme], texts[i]);
            const char *const grounds[] = {"--page:", "--card:"};
            for (size_t k = 0; k < 2; k++) {
                double ground = luminance(schemes[scheme], grounds[k]);
                double ratio = ground > text ? (ground + 0.05) / (text + 0.05)
                                             : (text + 0.05) / (ground + 0.05);
                ck_assert_msg(ratio >= 4.5, "%s on %s, scheme %zu: %.2f", texts[i], grounds[k],
                              scheme, ratio);
            }
        }
    }
}
END_TEST

START_TEST(test_a_year)
{
    struct report *report = report_new();
    char time[64];

    for (int day = 1; day <= 28; day++) {
        for (int month = 1; month <= 12; month++) {
            snprintf(time, sizeof(time), "2026-%02d-%02dT12:00:00.000000Z", month, day);
            add(report, &(struct review_line){.time = time, .allowed = day % 3 != 0});
        }
    }
    char *page = page_of(report, "");
    ck_assert_ptr_nonnull(strstr(page, "Decisions over time, by month"));
    ck_assert_ptr_nonnull(strstr(page, ">Jan</text>"));
    free(page);
    report_free(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit html");
    TCase *tests = tcase_create("html");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_empty);
    tcase_add_test(tests, test_figures);
    tcase_add_test(tests, test_hostile);
    tcase_add_test(tests, test_style_has_its_hash);
    tcase_add_test(tests, test_contrast);
    tcase_add_test(tests, test_a_year);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
