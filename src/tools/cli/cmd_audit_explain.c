/* SPDX-License-Identifier: MIT */
/*
 * miguard audit explain: one record in sentences. Finds it by its id or number, and then what
 * else its session did.
 *
 * find() looks where the record should be by its number (find_near), then everywhere, and keeps the
 * first record that matches; find_related() looks around it for the other records of the session.
 *
 * The id is in the message that the refused caller got, often cut or copied by hand; so the
 * beginning of an id is enough as long as it fits one record only. A record that lies in two files,
 * as a copy does, is one.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/module/call_line.h"
#include "tools/review/explain.h"
#include "tools/review/record_expand.h"

/* How many matches are listed when there is more than one, and the bytes that an id may have.
 * AROUND: records before and behind, in a large log, among which the session's are looked for. */
enum { CANDIDATES = 5, LONGEST = 128, AROUND = 4000, SESSION_TEXT = 64 };

struct request {
    struct word_list words; /* as given: the id, then files */
    const char *id;
    struct word_list files; /* a part of words */
    bool json, whole;
    /* The digits of #N; "" for an id. */
    char sequence[LONGEST];
    /* Different records that match, also beyond CANDIDATES. */
    uint64_t found;
    struct text line; /* the record that was found first */
    char candidates[CANDIDATES][AUDIT_ID_SIZE];
    /* A record has the whole id: those that only begin so do not count any more. */
    bool exact;
    struct explain_related related;
    struct audit_walk walk;
    /* By which it was found: it knows where what stands in the files. */
    struct log_reader *reader;
};

static const struct option_row options[] = {
    FLAG("--json", struct request, json, "print one JSON object"),
    AUDIT_WHOLE(struct request, whole),
};

/* Takes the first word as the id and leaves the files. #N is a number in its log. */
static int check_id(const struct command_line *line, struct request *request)
{
    const char *id = request->words.count > 0 ? request->words.items[0] : "";

    if (id[0] == '\0') {
        return wrong_usage(line, "which record? Give the id in the message to the caller, or '#N'");
    }
    if (strlen(id) >= LONGEST) {
        return wrong_usage(line, "that is not an id: it is too long");
    }
    request->id = id;
    request->files.items = request->words.items + 1;
    request->files.count = request->words.count - 1;
    if (id[0] != '#') {
        return CLI_YES;
    }
    if (id[1] == '\0' || strspn(id + 1, "0123456789") != strlen(id + 1)) {
        return wrong_usage(line, "'%s' is not a record; use # and its number, as in '#123'", id);
    }
    snprintf(request->sequence, sizeof(request->sequence), "%s", id + 1);
    return CLI_YES;
}

/* ---- finding ---------------------------------------------------------------------------------*/

enum match { OTHER, PREFIX, EXACT };

/* A whole id, or the beginning of one as far as it was copied from a message; a number matches as a
 * whole, but may occur in several logs. */
static enum match match(const struct request *request, const struct record *record)
{
    char id[AUDIT_ID_SIZE];

    if (request->sequence[0] != '\0') {
        return record_is(record, RECORD_SEQUENCE, request->sequence) ? PREFIX : OTHER;
    }
    if (record_is(record, RECORD_EVENT_ID, request->id)) {
        return EXACT;
    }
    record_text(record, RECORD_EVENT_ID, id, sizeof(id));
    return strncmp(id, request->id, strlen(request->id)) == 0 ? PREFIX : OTHER;
}

/* A copy of the line, since the reader reuses its memory. */
static bool keep(struct request *request, const struct record *record)
{
    request->line.length = 0;
    text_append_bytes(&request->line, record->line, record->length);
    return !request->line.failed;
}

/* The same record in two files, as in a copy of the log, is one. */
static bool known(const struct request *request, const struct record *record)
{
    return request->found > 0 && request->line.length == record->length &&
           memcmp(request->line.data, record->line, record->length) == 0;
}

/* Counts a match, notes its id, and keeps the first record. A record with the whole id resets what
 * only begins so. False: out of memory. */
static bool consider(struct request *request, const struct record *record)
{
    enum match how = match(request, record);

    if (how == OTHER || (request->exact && how != EXACT) || known(request, record)) {
        return true;
    }
    if (how == EXACT && !request->exact) { /* a whole id is not the beginning of longer ones */
        request->exact = true;
        request->found = 0;
    }
    if (request->found < CANDIDATES) {
        record_text(record, RECORD_EVENT_ID, request->candidates[request->found], AUDIT_ID_SIZE);
    }
    return ++request->found > 1 || keep(request, record);
}

/* For the threads of the reader. */
static bool matches_request(const void *context, const struct record *record)
{
    return match(context, record) != OTHER;
}

/* Where the record should be: by its number in the log, or in its process. Everything for the
 * beginning of an id. */
static void bound_request(const struct request *request, struct narrow_bounds *ret_bounds)
{
    const char *id = request->id;
    char *end = NULL;

    *ret_bounds = narrow_all;
    if (request->sequence[0] != '\0') {
        ret_bounds->first = ret_bounds->last = strtoull(request->sequence, NULL, 10);
    } else if (strlen(id) > 17 && strspn(id, "0123456789abcdef") == 16 && id[16] == '-') {
        ret_bounds->entity = strtoull(id, &end, 16);
        ret_bounds->number = strtoull(id + 17, NULL, 10);
    }
}

/* CLI_YES also when nothing was found; request->found says how many there are. near: nothing is
 * read when the bounds leave out nothing (*ret_narrowed), and one file behind the other: the order
 * of time takes more of them, and matters only for the list of several records. */
static int find_within(struct request *request, const struct narrow_bounds *bounds, bool near,
                       bool *ret_narrowed)
{
    const struct scan_filter filter = {
        .matches = matches_request,
        .context = request,
        .wanted = {.list = {RECORD_EVENT_ID, RECORD_SEQUENCE}, .count = 2}};
    struct record record;
    struct read_place place;
    bool room = true;

    struct log_reader *before = request->reader;
    request->reader = NULL;
    request->found = request->walk.broken = 0;
    request->exact = false;
    int status = audit_open_logs(&request->files, near ? READ_ANY : READ_BY_TIME, &request->reader);
    if (status == CLI_YES) {
        status = audit_read_only(request->reader, &filter);
    }
    if (status == CLI_YES && before != NULL) {
        read_share_marks(request->reader, before);
    }
    read_close(before);
    if (status == CLI_YES) {
        status = audit_narrow(request->reader, bounds, ret_narrowed);
    }
    while (status == CLI_YES && (*ret_narrowed || !near) && room &&
           audit_next(request->reader, &request->walk, &record, &place)) {
        room = consider(request, &record);
    }
    return room ? status : complain(CLI_UNABLE, "out of memory");
}

/* Looks where a record with that id or number should be. *ret_sure: there is one. */
static int find_near(struct request *request, struct narrow_bounds *bounds, bool *ret_sure)
{
    const uint64_t numbers[] = {NARROW_NEAR, NARROW_NUMBERS};
    const size_t tries = bounds->entity != 0 ? sizeof(numbers) / sizeof(numbers[0]) : 1;
    bool narrowed = true;
    int status = CLI_YES;

    *ret_sure = false;
    for (size_t i = 0; i < tries && status == CLI_YES && narrowed && !*ret_sure; i++) {
        bounds->numbers = numbers[i];
        status = find_within(request, bounds, true, &narrowed);
        *ret_sure = request->found == 1 && (request->exact || request->sequence[0] != '\0');
    }
    return status;
}

static bool has_standard_input(const struct request *request)
{
    for (size_t i = 0; i < request->files.count; i++) {
        if (strcmp(request->files.items[i], "-") == 0) {
            return true;
        }
    }
    return false;
}

/* A record that is not where it should be is looked for everywhere; so is one whose id was given in
 * part, of which there may be more. Standard input is there once. */
static int find(struct request *request)
{
    struct narrow_bounds bounds = narrow_all;
    bool sure = false, narrowed = false;
    int status = CLI_YES;

    bound_request(request, &bounds);
    if (!request->whole && !has_standard_input(request) &&
        (bounds.entity != 0 || request->sequence[0] != '\0')) {
        status = find_near(request, &bounds, &sure);
    }
    return status != CLI_YES || sure || audit_interrupted()
               ? status
               : find_within(request, &narrow_all, false, &narrowed);
}

/* ---- what belongs to it ----------------------------------------------------------------------*/

/* Both have the field, with the same content. */
static bool same_field(const struct record *a, const struct record *b, enum record_field field)
{
    char text[SESSION_TEXT];

    return export_has(a, field) && record_text(a, field, text, sizeof(text)) < sizeof(text) &&
           record_is(b, field, text);
}

/* A record of the same session and process (its entity), and not the same record. For the threads
 * of the reader. */
static bool same_session(const void *context, const struct record *other)
{
    const struct record *record = context;

    return same_field(record, other, RECORD_SESSION) && same_field(record, other, RECORD_ENTITY) &&
           !same_field(record, other, RECORD_EVENT_ID);
}

/* In full, as the record that is explained: what one program reads in one output has one form. */
static bool keep_open(struct explain_related *related, const struct record *open)
{
    struct text line = TEXT_EMPTY;
    struct record full;

    bool expanded = record_expand(open, &line, &full);
    if (expanded) {
        text_append_bytes(&related->open, full.line, full.length);
    }
    text_release(&line);
    return expanded && !related->open.failed;
}

/* Counts a record of the session, and how often something was refused in it; keeps the one that
 * opened the session, which says who did. False: out of memory. */
static bool relate(struct request *request, const struct record *other)
{
    struct explain_related *related = &request->related;

    related->others++;
    related->other_refused += export_is_refusal(other) ? export_repeats(other) : 0;
    return related->open.length > 0 || !record_is(other, RECORD_ACTION, "session-open") ||
           keep_open(related, other);
}

/* The files are read a second time: which session it is was not known before. Standard input is
 * gone by then. */
static int find_related(struct request *request, const struct record *record)
{
    char session[SESSION_TEXT];
    const struct scan_filter filter = {
        .matches = same_session,
        .context = record,
        .wanted = {.list = {RECORD_SESSION, RECORD_ENTITY, RECORD_EVENT_ID}, .count = 3},
        .literal = session};
    struct narrow_bounds bounds = narrow_all;
    bool narrowed = false;
    struct log_reader *reader = NULL;
    struct audit_walk walk = {0};
    struct record other;
    struct read_place place;
    const char *fault;
    bool room = true;

    if (has_standard_input(request)) {
        return CLI_YES;
    }
    request->related.searched = true;
    if (!export_has(record, RECORD_SESSION) ||
        record_text(record, RECORD_SESSION, session, sizeof(session)) >= sizeof(session)) {
        return CLI_YES;
    }
    if (!request->whole && record_number(record, RECORD_SEQUENCE, &bounds.first)) {
        bounds.last = bounds.first + AROUND;
        bounds.first -= bounds.first < AROUND ? bounds.first : AROUND;
    }
    int status = audit_open_logs(&request->files, READ_ANY, &reader);
    if (status == CLI_YES) {
        status = audit_read_only(reader, &filter);
    }
    if (status == CLI_YES) {
        read_share_marks(reader, request->reader);
        status = audit_narrow(reader, &bounds, &narrowed);
    }
    request->related.around = narrowed ? AROUND : 0;
    /* Not audit_next(): broken lines have been reported once. */
    for (enum read_result result = READ_RECORD; status == CLI_YES && room && !audit_interrupted() &&
                                                result != READ_END && result != READ_FAILED;) {
        result = read_next(reader, &other, &place, &fault);
        room = result != READ_RECORD || relate(request, &other);
        walk.failed = result == READ_FAILED;
    }
    read_close(reader);
    request->walk.failed = request->walk.failed || walk.failed;
    return room ? status : complain(CLI_UNABLE, "out of memory");
}

/* ---- printing --------------------------------------------------------------------------------*/

/* The message when there is no record or more than one; CLI_NO. */
static int not_one(const struct request *request)
{
    if (request->found == 0) {
        return complain(CLI_NO, "%s: no such record in these files", request->id);
    }
    complain(CLI_NO,
             "%s: %llu records begin so or have that number; give more of the id:", request->id,
             (unsigned long long)request->found);
    for (size_t i = 0; i < CANDIDATES && i < request->found; i++) {
        complain(CLI_NO, "  %s", request->candidates[i]);
    }
    return CLI_NO;
}

/* The line of source that the call came from, where the module's file is there and says it. */
static void add_call_line(struct text *text, const struct record *record)
{
    char module[PATH_MAX], digits[32], build[32], line[CALL_LINE_SIZE];
    int64_t recorded = 0;

    (void)record_time(record, RECORD_TIMESTAMP, &recorded);
    if (record_text(record, RECORD_SITE_MODULE, module, sizeof(module)) >= sizeof(module)) {
        return;
    }
    record_text(record, RECORD_SITE_OFFSET, digits, sizeof(digits));
    record_text(record, RECORD_SITE_BUILD, build, sizeof(build));
    if (call_line_find(module, strtoull(digits, NULL, 16), strtoull(build, NULL, 16),
                       recorded / 1000000000, line)) {
        text_append(text, "Source      ");
        export_string(text, EXPORT_TERMINAL, line);
        text_append(text, "\n");
    }
}

/* The one record, in sentences or as JSON. */
static int print_explanation(struct request *request)
{
    struct text text = TEXT_EMPTY;
    struct record record;
    size_t fault;

    if (record_parse(request->line.data, request->line.length, &record, &fault) != NULL) {
        return complain(CLI_UNABLE, "%s: the record cannot be read", request->id);
    }
    int status = find_related(request, &record);
    if (status != CLI_YES) {
        return status;
    }
    struct text line = TEXT_EMPTY;
    struct record full;
    if (!record_expand(&record, &line, &full)) {
        text.failed = true;
    } else if (request->json) {
        explain_write_json(&text, &full, &request->related);
    } else {
        explain_write_text(&text, &full, &request->related);
        add_call_line(&text, &full);
    }
    text_release(&line);
    status =
        text.failed ? complain(CLI_UNABLE, "out of memory") : review_print(text.data, text.length);
    text_release(&text);
    return status;
}

/* The exit status also says whether files could not be read: then the session may have more. */
static int explain_record(struct request *request)
{
    int status = find(request);

    if (status != CLI_YES) {
        return status;
    }
    audit_hide_progress(&request->walk);
    status =
        request->found == 1 && !audit_interrupted() ? print_explanation(request) : not_one(request);
    return audit_finish(&request->walk, status);
}

/* request->files is a part of words and is not released by itself. */
static int run_explain(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = check_id(line, &request);
        if (status == CLI_YES) {
            status = explain_record(&request);
        }
    }
    read_close(request.reader);
    word_list_release(&request.words);
    text_release(&request.line);
    text_release(&request.related.open);
    return status;
}

COMMAND(audit, explain) = {
    .about = "Explains a record in plain sentences: what was refused, who opened the session and "
             "who used it, what differed, by which rule, and what to do about it.\n"
             "\n"
             "ID is the decision id in the message to the refused caller (event.id), the beginning "
             "of one, or #N for the record with number N. Quote the #, which a shell takes for a "
             "comment.",
    .exits = "Exit status: 0 explained, 1 no such record or more than one, 2 wrong usage, 3 "
             "something could not be read.",
    .operand = OPERANDS("ID [FILE]...", struct request, words),
    OPTIONS(options),
    .run = run_explain,
};
