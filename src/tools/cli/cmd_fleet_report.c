/* SPDX-License-Identifier: MIT */
/*
 * miguard fleet report: the questions that a reviewer of many hosts asks, as one command. The store
 * is PostgreSQL (fleet_database.h) or a folder of files (review/fleet_ask.h); both give the same
 * answers, which are written as text, JSON or a page.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/fleet_database.h"
#include "tools/cli/replace_file.h"
#include "tools/review/fleet_ask.h"
#include "tools/review/query_time.h"

/* STEPS: of the picture of a host. */
enum { DAYS_MOST = 3660, TOP_TEXT = 20, STEPS = 48, DAY = 86400 };

struct request {
    struct word_list from, ask;
    const char *at, *user, *html;
    uint64_t days, top;
    bool json;
    struct fleet_answers answers;
};

static const struct option_row options[] = {
    LIST("--from", "STORE", struct request, from,
         "postgresql://USER@HOST/DATABASE, as `miguard audit load` fills it, or a folder or file "
         "with records, of which there may be more than one",
         .required = true),
    LIST("--ask", "QUESTION", struct request, ask,
         "only this question, by its name in the JSON; may be given more than once",
         .words = fleet_question_names),
    TEXT("--user", "NAME", struct request, user, "also what this user did on all hosts"),
    NUMBER("--days", "N", struct request, days, 1, DAYS_MOST, "look at the last N days; default 1",
           .preset = 1),
    TEXT("--at", "TIME", struct request, at, "the time that counts as now; default the present"),
    NUMBER("--top", "N", struct request, top, 1, FLEET_ROWS_MOST,
           "rows of each answer; default 20, with --json all", .preset = 0),
    FLAG("--json", struct request, json, "print the answers as one JSON object"),
    TEXT("--html", "FILE", struct request, html,
         "as a page that needs no other file, no script and no network; - is standard output. A "
         "file is replaced at once, and readable by its owner alone",
         .excludes = "--json"),
};

/* ---- arguments ------------------------------------------------------------------------------- */

static int want_question(const struct command_line *line, struct request *request, const char *name)
{
    char all[256];

    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        if (strcmp(fleet_questions[i].name, name) == 0) {
            request->answers.wanted[i] = true;
            return CLI_YES;
        }
    }
    join_words(fleet_question_names, all, sizeof(all));
    return wrong_usage(line, "--ask '%s' must be one of %s", name, all);
}

/* Without --ask all; the steps of each host are numbers for a picture or a program. */
static int want_questions(const struct command_line *line, struct request *request)
{
    bool *wanted = request->answers.wanted;
    int status = CLI_YES;

    for (size_t i = 0; i < request->ask.count && status == CLI_YES; i++) {
        status = want_question(line, request, request->ask.items[i]);
    }
    for (size_t i = 0; i < FLEET_QUESTIONS && request->ask.count == 0; i++) {
        wanted[i] = i != FLEET_HOST_TIME || request->json || request->html != NULL;
    }
    if (status == CLI_YES && request->ask.count > 0 && wanted[FLEET_ONE_USER] &&
        request->user == NULL) {
        status = wrong_usage(line, "--ask one-user needs --user");
    }
    wanted[FLEET_ONE_USER] =
        request->user != NULL && (request->ask.count == 0 || wanted[FLEET_ONE_USER]);
    return status;
}

static int read_time(const struct command_line *line, struct request *request)
{
    struct fleet_answers *answers = &request->answers;
    int64_t now = clock_wall() * INT64_C(1000000000), last;

    if (request->at != NULL && !query_time(request->at, now, &now, &last)) {
        return wrong_usage(line, "--at '%s' is not a time such as 2026-03-01T12:00:00Z",
                           request->at);
    }
    answers->now = now / 1000;
    answers->days = request->days;
    answers->bucket = request->days * DAY / STEPS;
    answers->since = answers->now - (int64_t)request->days * DAY * 1000000;
    return answers->since >= 0 ? CLI_YES : wrong_usage(line, "--days and --at go back beyond 1970");
}

/* A record is UTF-8: no other name can be in it. */
static int check_user(const struct command_line *line, const struct request *request)
{
    const char *at = request->user != NULL ? request->user : "";
    size_t length;

    while (*at != '\0' && (length = text_character(at)) > 0) {
        at += length;
    }
    return *at == '\0' ? CLI_YES
                       : wrong_usage(line, "--user is not UTF-8, as every name in a record is");
}

static int check_stores(const struct command_line *line, const struct request *request)
{
    for (size_t i = 0; i < request->from.count; i++) {
        if (request->from.items[i][0] == '\0') {
            return wrong_usage(line, "--from is empty");
        }
        if (fleet_database_named(request->from.items[i]) && request->from.count > 1) {
            return wrong_usage(line, "--from: a database is the only store");
        }
    }
    return request->html == NULL || request->html[0] != '\0'
               ? CLI_YES
               : wrong_usage(line, "--html needs the name of a file, or -");
}

static int read_arguments(const struct command_line *line, struct request *request)
{
    int status = check_stores(line, request);

    status = status == CLI_YES ? check_user(line, request) : status;
    status = status == CLI_YES ? want_questions(line, request) : status;
    status = status == CLI_YES ? read_time(line, request) : status;
    request->answers.user = request->user;
    if (request->top == 0) {
        request->top = request->json ? FLEET_ROWS_MOST : TOP_TEXT;
    }
    return status;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* A connection string may have a password in it: it is on no page. */
static int ask_store(const struct command_line *line, struct request *request)
{
    struct fleet_answers *answers = &request->answers;
    struct miguard_error error = {0};

    if (fleet_database_named(request->from.items[0])) {
        answers->source = "PostgreSQL";
        return fleet_database_ask(request->from.items[0], answers);
    }
    answers->source = request->from.items[0];
    if (fleet_ask(request->from.items, request->from.count, answers, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, line->name, &error);
    }
    if (answers->broken > 0) {
        complain(CLI_UNABLE, "%llu line%s no record: miguard fleet verify names them",
                 (unsigned long long)answers->broken, answers->broken == 1 ? " is" : "s are");
    }
    return CLI_YES;
}

static int print(const struct request *request, const struct text *text)
{
    if (request->html != NULL && strcmp(request->html, "-") != 0) {
        return replace_file(request->html, text, 0600);
    }
    return fwrite(text->data, 1, text->length, stdout) == text->length && fflush(stdout) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "standard output cannot be written");
}

static int write_answers(const struct request *request)
{
    struct text text = TEXT_EMPTY;
    uint32_t top = (uint32_t)request->top;

    if (request->html != NULL) {
        fleet_write_page(&text, &request->answers, top, clock_wall() * INT64_C(1000000000));
    } else if (request->json) {
        fleet_write_json(&text, &request->answers, top);
    } else {
        fleet_write_text(&text, &request->answers, top);
    }
    int status = text.failed ? complain(CLI_UNABLE, "out of memory") : print(request, &text);
    text_release(&text);
    return status;
}

static int run_report(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = read_arguments(line, &request);
        status = status == CLI_YES ? ask_store(line, &request) : status;
        status = status == CLI_YES ? write_answers(&request) : status;
        if (status == CLI_YES && request.answers.broken > 0) {
            status = CLI_UNABLE;
        }
    }
    fleet_answers_release(&request.answers);
    word_list_release(&request.from);
    word_list_release(&request.ask);
    return status;
}

COMMAND(fleet, report) = {
    .about = "Answers what a reviewer of many hosts asks: who was refused on which hosts, which "
             "kinds of refusals are new, which users were first seen with a provider, which "
             "policy is in force where, which records are lost, and with --user what one user did "
             "on all hosts.",
    .notes = "It proves nothing: whether records are missing or were changed, `miguard fleet "
             "verify` says. The questions are also saved as SQL: miguard-fleet(7).",
    .exits = "Exit status: 0 answered; 2 wrong usage; 3 it could not be done, or not all lines of "
             "a folder are records.",
    OPTIONS(options),
    .run = run_report,
};
