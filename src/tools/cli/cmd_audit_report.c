/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/encode.h"
#include "tools/cli/audit_review.h"
#include "tools/review/html.h"

static const char help[] =
    "usage: miguard audit report [OPTION]... [QUERY]... [FILE]...\n"
    "\n"
    "Sums up the records that QUERY asks for: totals, a timeline in local time, and lists by "
    "user,\n"
    "provider, rule, reason, component, operation, class, namespace, call site, host and process.\n"
    "A record that stands for repeated refusals counts as often as they were. FILE may be packed\n"
    "(.gz) or - for standard input; without one it is the log of the policy in force with its\n"
    "rotated files.\n"
    "\n"
    "  --format text|json   for people (the default) or for programs; --json is the second\n"
    "  --html FILE          as a page that needs no other file, no script and no network; - is\n"
    "                       standard output. A file is replaced at once, and readable by its\n"
    "                       owner alone\n"
    "  --top N              keys in each list (10)\n"
    "  --help               this text\n"
    "\n";

static const char help_end[] = "\n"
                               "Lists and timeline are bounded: of more than 2048 keys those with "
                               "the most refusals stay, and\n"
                               "the others are counted together.\n"
                               "\n"
                               "Exit status: 0 there were records, 1 there were none, 2 wrong "
                               "usage, 3 something could not be\n"
                               "read or written.\n";

static const char *const own[] = {"--format", "--json", "--html", "--top", "--help", NULL};

struct request {
    const char *format, *html, *top_text;
    bool json;
    unsigned top;
    struct report *report;
};

static bool option(struct arguments *arguments, void *context)
{
    struct request *request = context;

    if (arguments_is(arguments, "--json")) {
        return request->json = true;
    }
    return arguments_value(arguments, "--format", &request->format) ||
           arguments_value(arguments, "--html", &request->html) ||
           arguments_value(arguments, "--top", &request->top_text);
}

static int check(struct request *request)
{
    enum { MOST = 1000 };

    request->top = 10;
    if (request->format != NULL && strcmp(request->format, "json") == 0) {
        request->json = true;
    } else if (request->format != NULL && strcmp(request->format, "text") != 0) {
        return complain(CLI_USAGE,
                        "miguard audit report: --format '%s' is unknown; use text or "
                        "json, or --html FILE",
                        request->format);
    } else if (request->format != NULL && request->json) {
        return complain(CLI_USAGE, "miguard audit report: --format text or --json, not both");
    }
    if (request->html != NULL && (request->json || request->format != NULL)) {
        return complain(CLI_USAGE, "miguard audit report: --html is a format of its own; leave out "
                                   "--format and --json");
    }
    if (request->html != NULL && request->html[0] == '\0') {
        return complain(CLI_USAGE, "miguard audit report: --html needs the name of a file, or -");
    }
    return review_number("miguard audit report", "--top", request->top_text, MOST, &request->top);
}

static int add(void *context, const struct record *record, const struct read_place *place)
{
    struct request *request = context;

    return report_add(request->report, record, place) ? CLI_YES
                                                      : complain(CLI_UNABLE, "out of memory");
}

/* ---- writing a file --------------------------------------------------------------------------*/

static int failed(const char *path, const char *what)
{
    return complain(CLI_UNABLE, "%s: cannot be %s: %s", path, what, strerrordesc_np(errno));
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return false;
        }
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

/* Beside the file and then in its place: who reads it sees the old page or the new one, and a full
 * disk destroys none. mkstemp() makes it readable by its owner alone, as audit data should be. */
static int replace(const char *path, const struct text *page)
{
    struct stat found;
    char *name = NULL;

    if (lstat(path, &found) == 0 && !S_ISREG(found.st_mode)) {
        return complain(CLI_UNABLE, "%s: is no regular file; use --html - for standard output",
                        path);
    }
    if (asprintf(&name, "%s.XXXXXX", path) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = CLI_YES, fd = mkstemp(name);
    if (fd < 0) {
        status = failed(path, "written");
        free(name);
        return status;
    }
    bool written = write_all(fd, page->data, page->length) && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (!written || rename(name, path) != 0) {
        status = failed(path, written ? "replaced" : "written");
        (void)unlink(name);
    }
    free(name);
    return status;
}

static int write_out(const struct request *request, const struct review *review)
{
    struct text text = TEXT_EMPTY;
    int status;

    if (request->html != NULL) {
        html_write(&text, request->report, request->top, audit_now(),
                   review->asked.data != NULL ? review->asked.data : "");
    } else if (request->json) {
        report_write_json(&text, request->report, request->top);
    } else {
        report_write_text(&text, request->report, request->top);
    }
    if (text.failed) {
        status = complain(CLI_UNABLE, "out of memory");
    } else if (request->html != NULL && strcmp(request->html, "-") != 0) {
        status = replace(request->html, &text);
    } else {
        status = review_print(text.data, text.length);
    }
    text_release(&text);
    return status;
}

static int run(struct request *request, struct review *review)
{
    request->report = report_new();
    if (request->report == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = review_walk(review, add, request);
    if (status != CLI_YES) {
        return status;
    }
    request->report->broken = review->walk.broken;
    audit_hide_progress(&review->walk);
    if (!audit_interrupted()) {
        status = write_out(request, review);
    }
    bool found = request->report->records > 0;
    return audit_finish(&review->walk, status != CLI_YES ? status : found ? CLI_YES : CLI_NO);
}

int audit_report(int count, char **arguments)
{
    struct review review = {.command = "miguard audit report"};
    struct request request = {0};

    int status = review_parse(&review, count, arguments, own, option, &request);
    if (status == CLI_YES && review.help) {
        printf("%s%s%s", help, query_help, help_end);
    } else if (status == CLI_YES) {
        status = check(&request);
        status = status == CLI_YES ? run(&request, &review) : status;
    }
    report_free(request.report);
    review_release(&review);
    return status;
}
