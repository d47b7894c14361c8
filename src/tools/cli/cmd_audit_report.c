/* SPDX-License-Identifier: MIT */
/*
 * miguard audit report: sums up matching records as text, JSON or a page.
 *
 * sum_up() adds every matching record to the report (take_facts() in the threads that read, add()
 * in the order of the records; it is bounded in memory), write_out() renders it in the form that
 * was asked for, and replace_file() puts a page into its file.
 *
 * A page for --html is one file without script or network, made to be sent or kept. It is readable
 * by its owner alone, since it holds names of users and what they were refused.
 */
#include <string.h>

#include "audit/encode.h"
#include "tools/cli/audit_checkpoint.h"
#include "tools/cli/audit_review.h"
#include "tools/cli/audit_verification.h"
#include "tools/cli/commands.h"
#include "tools/cli/replace_file.h"
#include "tools/review/html.h"

enum report_format { REPORT_TEXT, REPORT_JSON };
static const char *const report_formats[] = {[REPORT_TEXT] = "text", [REPORT_JSON] = "json", NULL};

/* Where the report goes and in which form. */
struct request {
    struct review review;
    enum report_format format;
    /* A file, "-" for standard output, or NULL. */
    const char *html;
    /* The short form of --format json. */
    bool json;
    /* Keys in each list. */
    uint64_t top;
    struct report *report;
    /* Only what came since the report before, by this file; and whether the log is verified. */
    const char *checkpoint, *key;
    bool verify;
    struct checkpoint place;
};

/* The most lines of one list that --top may ask for. */
enum { MOST_KEYS = 1000 };

static const struct option_row options[] = {
    REVIEW_WHOLE(struct request),
    WORD("--format", report_formats, struct request, format,
         "for people (the default) or for programs"),
    FLAG("--json", struct request, json, "the same as --format json", .excludes = "--format"),
    TEXT("--html", "FILE", struct request, html,
         "as a page that needs no other file, no script and no network; - is standard output. A "
         "file is replaced at once, and readable by its owner alone",
         .excludes = "--format --json"),
    TEXT("--since-checkpoint", "FILE", struct request, checkpoint,
         "only what came since the last report with this FILE, which notes how far this one came"),
    FLAG("--verify", struct request, verify,
         "verify the log, too, and say in the report whether it is intact"),
    TEXT("--key", "FILE", struct request, key,
         "the verification key; not on the host that writes the log", .needs = "--verify"),
    NUMBER("--top", "N", struct request, top, 1, MOST_KEYS, "keys in each list", .preset = 10),
};

/* In the threads that read. */
static void take_facts(const void *context, struct record_expander *expander,
                       const struct record *record, struct text *text)
{
    (void)expander;
    (void)context;
    report_facts(record, text);
}

/* Only out of memory ends the walk. */
static int add(void *context, const struct record *line, const struct read_place *place,
               struct slice facts)
{
    struct request *request = context;

    return report_add_facts(request->report, line, facts, place)
               ? CLI_YES
               : complain(CLI_UNABLE, "out of memory");
}

/* In the form that was asked for, to stdout or into the file of --html. The whole text is made
 * before any of it is written: out of memory leaves no half of a report. CLI_YES, or CLI_UNABLE
 * after a message. */
static int write_out(const struct request *request)
{
    const struct text *given = &request->review.conditions.given;
    struct text text = TEXT_EMPTY;
    int status;

    if (request->html != NULL) {
        html_write(&text, request->report, (unsigned)request->top, audit_now(),
                   given->data != NULL ? given->data : "");
    } else if (request->json || request->format == REPORT_JSON) {
        report_write_json(&text, request->report, (unsigned)request->top);
    } else {
        report_write_text(&text, request->report, (unsigned)request->top);
    }
    if (text.failed) {
        status = complain(CLI_UNABLE, "out of memory");
    } else if (request->html != NULL && strcmp(request->html, "-") != 0) {
        status = replace_file(request->html, &text, 0600);
    } else {
        status = review_print(text.data, text.length);
    }
    text_release(&text);
    return status;
}

/* For the page and the others; the whole log is verified, whatever was asked for. */
static int verify(const struct command_line *line, struct request *request)
{
    struct report_verified *verified = &request->report->verified;
    enum verification_answer answer;
    struct verify_report found;

    if (!request->verify) {
        return CLI_YES;
    }
    int status = verification_of(line, &request->review.files, request->key, &answer, &found);
    if (status == CLI_YES) {
        *verified = (struct report_verified){.answer = verification_words[answer],
                                             .keyed = request->key != NULL,
                                             .records = found.records,
                                             .alarms = found.by_severity[VERIFY_ALARM],
                                             .losses = found.by_severity[VERIFY_LOSS],
                                             .last = found.records > 0 ? found.last : 0};
        chain_hex(found.head, verified->head);
        verify_release(&found);
    }
    return status;
}

/* Prints what was added. A verification that could not be made is a failure, and leaves no report
 * that could be taken for one with an answer. */
static int finish(const struct command_line *line, struct request *request)
{
    request->report->broken = request->review.walk.broken;
    audit_hide_progress(&request->review.walk);
    int status = verify(line, request);
    if (status == CLI_YES) {
        status = write_out(request);
    }
    return status == CLI_YES && request->report->records == 0 ? CLI_NO : status;
}

/* Each record is noted for the next report, whether it matches or not. The checkpoint is saved when
 * the report is out. */
static int sum_up_since(const struct command_line *line, struct request *request)
{
    struct audit_walk *walk = &request->review.walk;
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;

    int status = audit_open_logs(&request->review.files, READ_BY_TIME, &reader);
    if (status == CLI_YES) {
        status = checkpoint_load(request->checkpoint, reader, &request->place);
    }
    while (status == CLI_YES && audit_next(reader, walk, &record, &place)) {
        checkpoint_note(&request->place, &record);
        if (query_matches(request->review.conditions.query, &record) &&
            !report_add(request->report, &record, &place)) {
            status = complain(CLI_UNABLE, "out of memory");
        }
    }
    if (status == CLI_YES && !audit_interrupted()) {
        status = finish(line, request);
        if (status != CLI_UNABLE && !walk->failed &&
            checkpoint_save(request->checkpoint, reader, &request->place) != CLI_YES) {
            status = CLI_UNABLE;
        }
    }
    read_close(reader);
    return audit_finish(walk, status);
}

/* Adds all matching records and prints the report. An interrupted walk prints nothing: totals of a
 * part would be taken for the whole. CLI_NO when no record matched; the report is printed all the
 * same, since an empty result is an answer too. */
static int sum_up(const struct command_line *line, struct request *request)
{
    const struct review_way way = {
        .write = take_facts, .fields = &report_fields, .function = add, .to = request};
    struct audit_walk *walked = &request->review.walk;

    request->report = report_new();
    if (request->report == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    request->report->since = request->checkpoint != NULL;
    if (request->checkpoint != NULL) {
        return sum_up_since(line, request);
    }
    int status = review_texts(&request->review, &way);
    if (status != CLI_YES) {
        return status;
    }
    if (!audit_interrupted()) {
        status = finish(line, request);
    }
    return audit_finish(walked, status);
}

static int check_request(const struct command_line *line, struct request *request)
{
    for (size_t i = 0; request->checkpoint != NULL && i < request->review.files.count; i++) {
        if (strcmp(request->review.files.items[i], "-") == 0) {
            return wrong_usage(line, "--since-checkpoint needs files; standard input cannot be "
                                     "found again");
        }
    }
    return sum_up(line, request);
}

/* --html= without a name would write to no file, and is refused. */
static int run_report(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        status = request.html != NULL && request.html[0] == '\0'
                     ? wrong_usage(line, "--html needs the name of a file, or -")
                     : check_request(line, &request);
    }
    report_free(request.report);
    review_release(&request.review);
    return status;
}

COMMAND(audit, report) = {
    .about =
        "Sums up the records that match QUERY: totals, a timeline in local time, and lists by "
        "user, provider, rule, reason, component, operation, class, namespace, call site, "
        "host and process. A record that stands for repeated refusals counts as often as they "
        "were. FILE may be compressed (.gz, .zst) or - for standard input; without one it is the "
        "log of the "
        "policy in force with its rotated files.",
    .notes = "Lists and timeline are bounded: of more than 2048 keys those with the most refusals "
             "stay, and the others are counted together.",
    .exits = "Exit status: 0 there were records, 1 there were none, 2 wrong usage, 3 something "
             "could not be read or written.",
    REVIEWS(struct request),
    OPTIONS(options),
    .run = run_report,
};
