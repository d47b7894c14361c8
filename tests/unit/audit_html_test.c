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

static bool has(const char *page, const char *part)
{
    return strstr(page, part) != NULL;
}

/* What a reader asks first. */
START_TEST(test_is_the_log_intact)
{
    static const struct {
        struct report_verified verified;
        const char *part;
    } rows[] = {
        {{.answer = NULL}, "Whether the log is intact was not asked"},
        {{.answer = "intact", .keyed = true, .records = 1234, .last = 9, .head = "ab"},
         "</span> The log is intact</span> verified with the key, 1,234 records, 0 alarms, 0 "
         "declared losses; head <code>9:ab</code>."},
        {{.answer = "intact-so-far"}, "intact as far as it goes; that its end is there is not"},
        {{.answer = "tampered", .alarms = 1},
         "tag deny\"><span aria-hidden=\"true\">&#10005;</span> "
         "The log was tampered with</span> verified without a "
         "key, 0 records, 1 alarm, "},
        {{.answer = "unproven"}, "Whether the log is intact is not proved"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report *report = report_new();
        report->verified = rows[i].verified;
        report->since = i == 1;
        char *page = page_of(report, "");
        ck_assert_msg(has(page, rows[i].part), "%s", rows[i].part);
        ck_assert(has(page, "only what is new since the last report") == (i == 1));
        free(page);
        report_free(report);
    }
}
END_TEST

START_TEST(test_kinds_of_refusals)
{
    struct report *report = report_new();

    setenv("TZ", "UTC", 1);
    add(report, &(struct review_line){.time = "2026-03-02T10:00:00.000000Z", .repeats = 3});
    add(report, &(struct review_line){.time = "2026-03-01T09:00:00.000000Z", .would_deny = true});
    add(report, &(struct review_line){.time = "2026-03-03T11:00:00.000000Z", .reason = "new-one"});
    add(report, &(struct review_line){.allowed = true, .reason = "identity-match"});
    char *page = page_of(report, "");
    const char *kinds = strstr(page, "<section id=\"kinds\"");
    ck_assert_ptr_nonnull(kinds);
    ck_assert(has(kinds,
                  "<bdi>identity-mismatch</bdi><br><span class=\"note\">the session was taken "
                  "under another identity</span></th><td class=\"n\">4</td>"));
    ck_assert(has(kinds, ">2026-03-01 09:00:00</time></td><td class=\"t\"><time "
                         "datetime=\"2026-03-02T10:00:00.000000Z\">"));
    ck_assert(has(kinds, "<a href=\"#advice-identity-mismatch\">what to do</a>"));
    ck_assert(has(kinds, "<dt id=\"advice-identity-mismatch\">"));
    ck_assert(has(kinds, "<bdi>new-one</bdi></th>"));
    ck_assert(!has(kinds, "#advice-new-one") && !has(kinds, "#advice-identity-match\""));
    free(page);
    report_free(report);
}
END_TEST

/* A flood of one hour leaves the others to be seen. */
START_TEST(test_a_flood_does_not_flatten)
{
    for (int flood = 0; flood < 2; flood++) {
        struct report *report = report_new();
        char time[64];
        for (int day = 1; day <= 20; day++) {
            snprintf(time, sizeof(time), "2026-03-%02dT12:00:00.000000Z", day);
            add(report,
                &(struct review_line){.time = time, .repeats = day == 7 && flood ? 90000 : 5});
        }
        char *page = page_of(report, "");
        ck_assert(has(page, "The same without the peaks: bars beyond 6 are cut") == flood);
        ck_assert(has(page, "class=\"cut\"") == flood);
        free(page);
        report_free(report);
    }
}
END_TEST

START_TEST(test_hosts_and_pairs)
{
    struct report *report = report_new();

    add(report,
        &(struct review_line){
            .host = "a<b>", .as_user = 33, .repeats = 4, .on_top = ",\"rule\":{\"name\":\"r1\"}"});
    char *page = page_of(report, "");
    ck_assert(!has(page, "Refusals of each host"));
    ck_assert(has(page, "<bdi>a&lt;b&gt;, uid 0 &rarr; uid 33</bdi>"));
    ck_assert(has(page, "<bdi>libweb.so, r1</bdi>"));
    free(page);
    add(report, &(struct review_line){.host = "other", .time = "2026-03-01T15:00:00.000000Z"});
    page = page_of(report, "");
    ck_assert(has(page, "Refusals of each host"));
    ck_assert(has(page, "<bdi>a&lt;b&gt;</bdi>: at most 4</h3>"));
    ck_assert(has(page, "<bdi>other</bdi>: at most 1</h3>"));
    ck_assert(has(page, ": 4 refused</title></rect>"));
    ck_assert(!has(page, " hosts.</p>"));
    free(page);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "more%d", i);
        add(report, &(struct review_line){.host = name});
    }
    page = page_of(report, "");
    ck_assert(has(page, "The first 8 of 12 hosts."));
    free(page);
    report_free(report);
}
END_TEST

START_TEST(test_call_sites_are_short)
{
    struct report *report = report_new();

    add(report, &(struct review_line){
                    .in_miguard = ",\"call_site\":{\"module\":\"/usr/lib/very/long/libx.so\","
                                  "\"offset\":\"0000000000001a2b\",\"symbol\":\"work\"}"});
    char *page = page_of(report, "");
    ck_assert(has(page, "<bdi title=\"/usr/lib/very/long/libx.so+0x0000000000001a2b work\">"
                        "libx.so+0x1a2b work</bdi>"));
    free(page);
    report_free(report);
}
END_TEST

START_TEST(test_older_refusals_are_counted)
{
    struct report *report = report_new();
    char time[64];

    for (int i = 0; i < 203; i++) {
        snprintf(time, sizeof(time), "2026-03-01T12:%02d:%02d.000000Z", i / 60, i % 60);
        add(report, &(struct review_line){.time = time});
    }
    char *page = page_of(report, "");
    ck_assert(has(page, "The latest 200 of 203 refusal records"));
    ck_assert(has(page, ">3 older records of refusals are not shown one by one."));
    ck_assert(
        has(page, "--saved refusals --saved would-deny --end 2026-03-01T12:00:03.000000Z</code>"));
    free(page);
    report_free(report);
}
END_TEST

/* Each start of a process loads the same again; what changed is one row. */
START_TEST(test_policies_that_were_in_force)
{
    static const char first[] =
        ",\"policy\":{\"detail\":\"a.yaml\",\"hash\":\"11112222333344445555\"}";
    static const char second[] =
        ",\"policy\":{\"detail\":\"a.yaml\",\"hash\":\"99992222333344445555\"}";
    struct report *report = report_new();

    setenv("TZ", "UTC", 1);
    for (int i = 0; i < 300; i++) {
        char time[64];
        snprintf(time, sizeof(time), "2026-03-0%dT12:00:00.000000Z", i < 299 ? 1 + i / 100 : 5);
        add(report, &(struct review_line){.action = "policy-load",
                                          .allowed = true,
                                          .time = time,
                                          .as_user = 7,
                                          .in_miguard = i < 299 ? first : second});
    }
    char *page = page_of(report, "");
    const char *section = strstr(page, "Policies that were in force, by when");
    ck_assert_ptr_nonnull(section);
    ck_assert(has(section,
                  "<td class=\"t\">2026-03-01 12:00:00</td><td class=\"t\">2026-03-03 "
                  "12:00:00</td><td class=\"n\">299</td><th scope=\"row\"><bdi>111122223333"
                  " on h, loaded by x as uid 7: a.yaml</bdi>"));
    ck_assert(has(section, ">2026-03-05 12:00:00</td><td class=\"n\">1</td><th scope=\"row\"><bdi>"
                           "999922223333 on h"));
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
    tcase_add_test(tests, test_is_the_log_intact);
    tcase_add_test(tests, test_kinds_of_refusals);
    tcase_add_test(tests, test_a_flood_does_not_flatten);
    tcase_add_test(tests, test_hosts_and_pairs);
    tcase_add_test(tests, test_call_sites_are_short);
    tcase_add_test(tests, test_older_refusals_are_counted);
    tcase_add_test(tests, test_policies_that_were_in_force);
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
