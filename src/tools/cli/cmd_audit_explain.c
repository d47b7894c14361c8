/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "audit/encode.h"
#include "tools/cli/audit_review.h"
#include "tools/review/explain.h"

static const char help[] =
    "usage: miguard audit explain [--json] ID [FILE]...\n"
    "\n"
    "Tells a record in plain sentences: what was refused, who opened the session and who used it,\n"
    "what differed, by which rule, and what to do about it.\n"
    "\n"
    "ID is the decision id that the refused caller was told (event.id), the beginning of one, or\n"
    "#N for the record with number N. Quote the #, which a shell takes for a comment.\n"
    "\n"
    "  --json               for programs\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 told, 1 no such record or more than one, 2 wrong usage, 3 something could not\n"
    "be read.\n";

static const char *const options[] = {"--json", "--help", NULL};

enum { CANDIDATES = 5, LONGEST = 128 };

struct request {
    const char *id;
    const char **files;
    size_t file_count;
    bool json, help;
    char sequence[LONGEST];
    uint64_t found;
    struct text line; /* the record that was found first */
    char candidates[CANDIDATES][AUDIT_ID_SIZE];
    bool exact;
    struct explain_related related;
    struct audit_walk walk;
};

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard audit explain", .known = options};

    request->files = calloc((size_t)count + 1, sizeof(*request->files));
    if (request->files == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL && request->id == NULL) {
            request->id = arguments.operand;
        } else if (arguments.operand != NULL) {
            request->files[request->file_count++] = arguments.operand;
        } else if (arguments_is(&arguments, "--json")) {
            request->json = true;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            request->help = true;
        } else {
            return arguments_unknown(&arguments);
        }
    }
    return CLI_YES;
}

static int check(struct request *request)
{
    const char *id = request->id;

    if (id == NULL || id[0] == '\0') {
        return complain(CLI_USAGE, "miguard audit explain: which record? give the id that the "
                                   "caller was told, or '#N'");
    }
    if (strlen(id) >= LONGEST) {
        return complain(CLI_USAGE, "miguard audit explain: that is no id: it is too long");
    }
    if (id[0] != '#') {
        return CLI_YES;
    }
    if (id[1] == '\0' || strspn(id + 1, "0123456789") != strlen(id + 1)) {
        return complain(CLI_USAGE,
                        "miguard audit explain: '%s' is no record; # and its number, as "
                        "in '#123'",
                        id);
    }
    snprintf(request->sequence, sizeof(request->sequence), "%s", id + 1);
    return CLI_YES;
}

/* ---- finding ---------------------------------------------------------------------------------*/

enum match { OTHER, PREFIX, EXACT };

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

static bool keep(struct request *request, const struct record *record)
{
    request->line.length = 0;
    text_append_bytes(&request->line, record->line, record->length);
    return !request->line.failed;
}

/* The same record in two files, as a copy, is one. */
static bool known(const struct request *request, const struct record *record)
{
    return request->found > 0 && request->line.length == record->length &&
           memcmp(request->line.data, record->line, record->length) == 0;
}

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

static int find(struct request *request)
{
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    bool room = true;

    int status = audit_open_logs(request->files, request->file_count, READ_BY_TIME, &reader);
    if (status != CLI_YES) {
        return status;
    }
    while (room && audit_next(reader, &request->walk, &record, &place)) {
        room = consider(request, &record);
    }
    read_close(reader);
    return room ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* ---- what belongs to it ----------------------------------------------------------------------*/

static bool same_field(const struct record *a, const struct record *b, enum record_field field)
{
    char text[64];

    return export_has(a, field) && record_text(a, field, text, sizeof(text)) < sizeof(text) &&
           record_is(b, field, text);
}

static bool relate(struct request *request, const struct record *record, const struct record *other)
{
    struct explain_related *related = &request->related;

    if (!same_field(record, other, RECORD_SESSION) || !same_field(record, other, RECORD_ENTITY) ||
        same_field(record, other, RECORD_EVENT_ID)) {
        return true;
    }
    related->others++;
    related->other_refused += export_is_refusal(other) ? export_repeats(other) : 0;
    if (related->open.length == 0 && record_is(other, RECORD_ACTION, "session-open")) {
        text_append_bytes(&related->open, other->line, other->length);
    }
    return !related->open.failed;
}

/* The files are read a second time: which session it is was not known before. Standard input is
 * gone by then. */
static int find_related(struct request *request, const struct record *record)
{
    struct log_reader *reader = NULL;
    struct audit_walk walk = {0};
    struct record other;
    struct read_place place;
    const char *fault;
    bool room = true;

    for (size_t i = 0; i < request->file_count; i++) {
        if (strcmp(request->files[i], "-") == 0) {
            return CLI_YES;
        }
    }
    request->related.searched = true;
    if (!export_has(record, RECORD_SESSION)) {
        return CLI_YES;
    }
    int status = audit_open_logs(request->files, request->file_count, READ_BY_FILE, &reader);
    if (status != CLI_YES) {
        return status;
    }
    /* Not audit_next(): broken lines have been told once. */
    for (enum read_result result = READ_RECORD;
         room && !audit_interrupted() && (result == READ_RECORD || result == READ_BROKEN);) {
        result = read_next(reader, &other, &place, &fault);
        room = result != READ_RECORD || relate(request, record, &other);
        walk.failed = result == READ_FAILED;
    }
    read_close(reader);
    request->walk.failed = request->walk.failed || walk.failed;
    return room ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* ---- telling ---------------------------------------------------------------------------------*/

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

static int tell(struct request *request)
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
    if (request->json) {
        explain_write_json(&text, &record, &request->related);
    } else {
        explain_write_text(&text, &record, &request->related);
    }
    status =
        text.failed ? complain(CLI_UNABLE, "out of memory") : review_print(text.data, text.length);
    text_release(&text);
    return status;
}

int audit_explain(int count, char **arguments)
{
    struct request request = {0};

    int status = parse(count, arguments, &request);
    if (status == CLI_YES && request.help) {
        fputs(help, stdout);
    } else if (status == CLI_YES) {
        status = check(&request);
        status = status == CLI_YES ? find(&request) : status;
        if (status == CLI_YES) {
            audit_hide_progress(&request.walk);
            status =
                request.found == 1 && !audit_interrupted() ? tell(&request) : not_one(&request);
            status = audit_finish(&request.walk, status);
        }
    }
    free(request.files);
    text_release(&request.line);
    text_release(&request.related.open);
    return status;
}
