/* SPDX-License-Identifier: MIT */
/*
 * The pages of `miguard audit report --html` and `miguard fleet report --html` in a real browser,
 * where there is one: what the first shows is what somebody else counts in the log, nothing is
 * refused or fetched on the way, and they fit a telephone.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/audit_generate.h"
#include "support/record.h"
#include "support/review_line.h"

static char folder[] = "/tmp/miguard-html-test.XXXXXX";
static const char *browser;
static int passed, failed;

static void check(bool holds, const char *what)
{
    passed += holds;
    failed += !holds;
    if (!holds) {
        printf("FAILED: %s\n", what);
    }
}

/* ---- a log, and what is in it ----------------------------------------------------------------*/

struct counts {
    json_int_t refused, would, allowed, lost, records;
};

static bool write_log(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/log.jsonl", folder);
    if (!audit_generate(
            path, &(struct generate){.seed = 11, .count = 3000, .step = INT64_C(60000000000)})) {
        return false;
    }
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        return false;
    }
    fprintf(file, "%s\n",
            review_line(&(struct review_line){.repeats = 1234567,
                                              .time = "2026-03-02T12:00:00.000000Z",
                                              .class_name = "<script>alert(1)"}));
    fprintf(file, "%s\n", review_line(&(struct review_line){.would_deny = true, .repeats = 17}));
    fprintf(file, "%s\n",
            review_line(&(struct review_line){.action = "records-lost",
                                              .allowed = true,
                                              .operation = "",
                                              .in_miguard = ",\"lost\":{\"sink\":\"file\","
                                                            "\"count\":4321,\"cause\":\"busy\"}"}));
    return fclose(file) == 0;
}

/* By jansson alone: nothing of the reader, nothing of the report. Real records are checked by the
 * schema on the way. */
static struct counts count_log(bool real)
{
    struct counts counts = {0};
    char path[128], *line = NULL;
    size_t size = 0;

    snprintf(path, sizeof(path), "%s/log.jsonl", folder);
    FILE *file = fopen(path, "r");
    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *json = record_json(line, strlen(line));
        char why[256];
        if (real && !record_check(json, why, sizeof(why))) {
            check(false, why);
        }
        const json_t *miguard = json_object_get(json, "miguard");
        json_int_t count =
            json_integer_value(json_object_get(json_object_get(miguard, "repeat"), "count"));
        const char *decision = json_string_value(json_object_get(miguard, "decision"));
        counts.records++;
        counts.lost +=
            json_integer_value(json_object_get(json_object_get(miguard, "lost"), "count"));
        if (json_object_get(miguard, "operation") == NULL) {
            count = 0;
        }
        if (json_is_true(json_object_get(miguard, "would_deny"))) {
            counts.would += count;
        } else if (decision != NULL && strcmp(decision, "deny") == 0) {
            counts.refused += count;
        } else {
            counts.allowed += count;
        }
        json_decref(json);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return counts;
}

/* ---- the browser -----------------------------------------------------------------------------*/

static char *read_file(const char *name)
{
    char path[128];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        return NULL;
    }
    char *text = calloc(1, (size_t)status.st_size + 1);
    if (text != NULL) {
        text[fread(text, 1, (size_t)status.st_size, file)] = '\0';
    }
    fclose(file);
    return text;
}

/* Its messages go to err, what it prints to out. A profile of its own, below the folder. */
static bool browse(const char *options, const char *page)
{
    char command[1024];

    snprintf(command, sizeof(command),
             "HOME=%s timeout 60 %s --headless --no-sandbox --disable-gpu --hide-scrollbars "
             "--enable-logging=stderr --user-data-dir=%s/profile %s file://%s/%s >%s/out 2>%s/err",
             folder, browser, folder, options, folder, page, folder, folder);
    int status = system(command);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool find_browser(void)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    char command[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) == 0) {
            browser = names[i];
            return true;
        }
    }
    return false;
}

static bool make_page_by(const char *options)
{
    char command[512];
    const char *out = getenv("OUT");

    snprintf(command, sizeof(command), "cd %s && \"$OLDPWD\"/%s/miguard %s >/dev/null", folder,
             out != NULL ? out : "build", options);
    return system(command) == 0;
}

static bool make_page(void)
{
    return make_page_by("audit report --html page.html log.jsonl");
}

/* ---- checks ----------------------------------------------------------------------------------*/

static json_int_t figure(const char *dom, const char *title)
{
    char wanted[64];
    json_int_t number = 0;

    snprintf(wanted, sizeof(wanted), "</span> %s</dt><dd><b", title);
    const char *at = strstr(dom, wanted);
    if (at == NULL) {
        return -1;
    }
    for (at = strchr(at + strlen(wanted), '>') + 1; *at != '<'; at++) {
        number = *at == ',' ? number : number * 10 + (*at - '0');
    }
    return number;
}

/* The sums of the bars, from their titles. */
static void check_bars(const char *dom, const struct counts *counts)
{
    json_int_t sums[3] = {0};

    for (const char *at = dom; (at = strstr(at, "<g><title>")) != NULL; at++) {
        const char *from = strstr(at, ": ");
        for (int i = 0; from != NULL && i < 3; i++) {
            json_int_t number = 0;
            for (from += 2; *from == ',' || (*from >= '0' && *from <= '9'); from++) {
                number = *from == ',' ? number : number * 10 + (*from - '0');
            }
            sums[i] += number;
            from = i < 2 ? strstr(from, ", ") : from;
        }
    }
    check(sums[0] == counts->refused, "the bars' refusals are those of the log");
    check(sums[1] == counts->would, "the bars' permitted refusals are those of the log");
    check(sums[2] == counts->allowed, "the bars' allowed calls are those of the log");
}

static int cells_until(const char *from, const char *to)
{
    int cells = 0;
    for (const char *at = from; (at = strchr(at, '<')) != NULL && at < to; at++) {
        cells += strncmp(at, "<th ", 4) == 0 || strncmp(at, "<th>", 4) == 0 ||
                 strncmp(at, "<td ", 4) == 0 || strncmp(at, "<td>", 4) == 0;
    }
    return cells;
}

/* Each row of each table has as many cells as its head. */
static void check_tables(const char *dom)
{
    int tables = 0, uneven = 0;

    for (const char *at = dom; (at = strstr(at, "<table")) != NULL; at++) {
        const char *end = strstr(at, "</table>"), *row = strstr(at, "<tr");
        int width = cells_until(row, strstr(row, "</tr>"));
        tables++;
        for (; row != NULL && row < end; row = strstr(row + 1, "<tr")) {
            int cells = cells_until(row, strstr(row, "</tr>"));
            uneven += cells != width && strstr(row, "colspan") == NULL;
        }
    }
    check(tables > 5 && uneven == 0, "the rows of a table are as wide as its head");
}

static void check_dom(const struct counts *counts)
{
    check(browse("--dump-dom", "page.html"), "the browser reads the page");
    char *dom = read_file("out"), *errors = read_file("err");
    if (dom == NULL || errors == NULL) {
        check(false, "the browser's answer");
    } else {
        check(figure(dom, "Refused") == counts->refused, "refused");
        check(figure(dom, "Would be refused") == (counts->would > 0 ? counts->would : -1),
              "would be refused, where something would");
        check(figure(dom, "Allowed") == counts->allowed, "allowed");
        check(figure(dom, "Lost") == counts->lost, "lost");
        check(figure(dom, "Records") == counts->records, "records");
        check((strstr(dom, "&lt;script&gt;alert(1)") != NULL) == (counts->would > 0),
              "a hostile class is only text");
        check(strstr(dom, "<script") == NULL, "there is no script");
        check(strstr(errors, "Content Security Policy") == NULL, "its own policy refuses nothing");
        check_bars(dom, counts);
        check_tables(dom);
    }
    free(dom);
    free(errors);
}

static void check_picture(const char *name, const char *options, const char *page)
{
    char path[128], all[256];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s.png", folder, name);
    snprintf(all, sizeof(all), "--screenshot=%s --window-size=%s", path, options);
    check(browse(all, page), name);
    check(stat(path, &status) == 0 && status.st_size > 20000, "the picture shows something");
}

/* The page without its policy, and with a script that tells how wide it is, in a frame as wide as a
 * telephone: a window of the browser itself cannot be that narrow. */
static void check_narrow(void)
{
    char path[128];
    char *page = read_file("page.html");
    char *policy = page == NULL ? NULL : strstr(page, "<meta http-equiv");

    if (policy == NULL) {
        check(false, "the page has its policy");
        free(page);
        return;
    }
    memcpy(policy, "<meta name=\"x-nothing\" x=\"", 26);
    snprintf(path, sizeof(path), "%s/narrow.html", folder);
    FILE *file = fopen(path, "w");
    fprintf(file, "%s<script>parent.postMessage(document.documentElement.scrollWidth,'*')</script>",
            page);
    fclose(file);
    snprintf(path, sizeof(path), "%s/frame.html", folder);
    file = fopen(path, "w");
    fprintf(file, "<script>onmessage=function(e){document.title='width '+e.data+'.'}</script>"
                  "<iframe src=narrow.html style='width:360px;height:2000px;border:0'></iframe>");
    fclose(file);
    free(page);
    check(browse("--virtual-time-budget=4000 --dump-dom", "frame.html"), "the narrow page");
    char *dom = read_file("out");
    check(dom != NULL && strstr(dom, "width 360.") != NULL,
          "at 360 pixels nothing stands out of the page");
    free(dom);
    check_picture("narrow", "500,2100", "frame.html");
}

/* make demo's own log: real records of a real provider behind the real guard. */
static bool take_demo_log(void)
{
    char command[512];
    const char *out = getenv("OUT");

    snprintf(command, sizeof(command),
             "OUT=%s %s/tests/live/demo >/dev/null 2>&1 && cp %s/demo.jsonl %s/log.jsonl",
             out != NULL ? out : "build", out != NULL ? out : "build", out != NULL ? out : "build",
             folder);
    return system(command) == 0;
}

/* What the folder's log.jsonl gives: figures, pictures, a narrow window. */
static void check_page(const char *what, bool real)
{
    struct counts counts = count_log(real);

    printf("%s: %lld records\n", what, (long long)counts.records);
    check_dom(&counts);
    check_picture("light", "1400,1600", "page.html");
    check_picture("dark", "1400,1600 --blink-settings=preferredColorScheme=0", "page.html");
    check_narrow();
}

/* The same log as the store of a fleet. */
static void check_fleet_page(void)
{
    check(make_page_by("fleet report --from log.jsonl --at 2026-03-04 --days 30 --html page.html"),
          "the page of a fleet");
    check(browse("--dump-dom", "page.html"), "the browser reads the page of a fleet");
    char *dom = read_file("out"), *errors = read_file("err");
    check(dom != NULL && strstr(dom, "calls were refused") != NULL && strstr(dom, "<rect") != NULL,
          "it shows refusals");
    check(dom != NULL && strstr(dom, "<script") == NULL, "there is no script");
    check(errors != NULL && strstr(errors, "Content Security Policy") == NULL,
          "its own policy refuses nothing");
    if (dom != NULL) {
        check_tables(dom);
    }
    free(dom);
    free(errors);
    check_picture("light", "1400,1600", "page.html");
    check_picture("dark", "1400,1600 --blink-settings=preferredColorScheme=0", "page.html");
    check_narrow();
}

static int run(void)
{
    if (!write_log() || !make_page()) {
        printf("FAILED: no log or page could be made\n");
        return 1;
    }
    if (!find_browser()) {
        printf("skip: chromium: not installed\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (!browse("--dump-dom", "log.jsonl")) {
        printf("skip: chromium: does not run for this user here\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    check_page("a generated log", false);
    check_fleet_page();
    if (take_demo_log() && make_page()) {
        check_page("the log of the demo", true);
    } else {
        printf("skip: the log of the demo: it does not run for this user here\n");
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

int main(void)
{
    char command[128];

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    int status = run();
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) == 0 ? status : 1;
}
