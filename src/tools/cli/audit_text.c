/* SPDX-License-Identifier: MIT */
/*
 * Prints one record for a person, a program or a spreadsheet. search and follow call it.
 *
 * Everything from a record passes print_safe(): its values come from callers and providers, who may
 * have written escape sequences for the terminal of an administrator. The say_...() functions write
 * one part each and nothing where the record has no such field.
 *
 * Three forms, one function each: write_text() for people, write_json() for programs, which get the
 * bytes of the log, and write_csv() for spreadsheets, which run what looks like a formula. The last
 * N records are kept as lines (audit_last_...) and parsed again when they are written.
 */
#include "tools/cli/audit_text.h"
#include "tools/cli/cli.h"
#include "tools/review/export_text.h"
#include "tools/review/later.h"
#include "tools/review/record_expand.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RED    "\033[1;31m"
#define YELLOW "\033[33m"
#define GREEN  "\033[32m"
#define DIM    "\033[2m"
#define PLAIN  "\033[0m"

/* Bytes of one value that are shown; longer ones end in "...". */
enum { MAX_TEXT = 4096 };

/* ---- what to write ----------------------------------------------------------------------------
 */

const char *const audit_formats[] = {
    [AUDIT_TEXT] = "text", [AUDIT_JSON] = "json", [AUDIT_CSV] = "csv", NULL};
const char *const audit_colours[] = {[AUDIT_COLOUR_AUTO] = "auto",
                                     [AUDIT_COLOUR_ALWAYS] = "always",
                                     [AUDIT_COLOUR_NEVER] = "never",
                                     NULL};

/* NO_COLOR counts when it is set and not empty. */
int audit_output_begin(const struct command_line *line, const struct audit_look *look,
                       struct audit_output *ret_output)
{
    const char *unwanted = getenv("NO_COLOR"); /* no-color.org */
    bool terminal = isatty(STDOUT_FILENO) != 0;
    bool plain = unwanted != NULL && unwanted[0] != '\0';

    *ret_output =
        (struct audit_output){.stream = stdout,
                              .format = look->json ? AUDIT_JSON : look->format,
                              .terminal = terminal,
                              .colour = look->colour == AUDIT_COLOUR_ALWAYS ||
                                        (look->colour == AUDIT_COLOUR_AUTO && terminal && !plain)};
    return audit_fields_read(line, look->fields, &ret_output->fields);
}

/* ---- text -------------------------------------------------------------------------------------
 */

/* One record on its way to the output. */
struct writer {
    const struct audit_output *output;
    const struct record *record;
};

/* Whether the record has the field. */
static bool has(const struct writer *writer, enum record_field field)
{
    return writer->record->field[field].at != NULL;
}

/* For texts of this program only: they are not escaped. */
static void say(const struct writer *writer, const char *text)
{
    fputs(text, writer->output->stream);
}

/* An escape sequence of this program, only where colours are wanted. */
static void colour(const struct writer *writer, const char *sequence)
{
    if (writer->output->colour) {
        say(writer, sequence);
    }
}

/* One value, unescaped from JSON and then made safe. Longer than MAX_TEXT it ends in "...", so that
 * one record cannot fill the screen. */
static void say_slice(const struct writer *writer, const struct slice *slice)
{
    char text[MAX_TEXT];

    if (slice_text(slice, text, sizeof(text)) >= sizeof(text)) {
        memcpy(text + sizeof(text) - 4, "...", 4);
    }
    print_safe(writer->output->stream, text, false);
}

/* The field with what stands before and after it, or nothing at all. */
static void say_field(const struct writer *writer, const char *before, enum record_field field,
                      const char *after)
{
    if (has(writer, field)) {
        say(writer, before);
        say_slice(writer, &writer->record->field[field]);
        say(writer, after);
    }
}

/* The items of an array, the first one after `before`; nothing when it is empty. */
static void say_list(const struct writer *writer, const char *before, enum record_field field)
{
    struct slice item;
    size_t at = 0;

    while (record_item(writer->record, field, &at, &item)) {
        say(writer, before);
        say_slice(writer, &item);
        before = ", ";
    }
}

/* Local time with microseconds, as the reader's clock shows it; a time that cannot be read is shown
 * as it stands. */
static void say_time(const struct writer *writer, enum record_field field)
{
    int64_t time = 0;
    struct tm local;
    char text[40];

    if (!record_time(writer->record, field, &time)) {
        say_field(writer, "", field, "");
        return;
    }
    time_t seconds = (time_t)(time / 1000000000);
    localtime_r(&seconds, &local);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    fprintf(writer->output->stream, "%s.%06d", text, (int)(time % 1000000000 / 1000));
}

/* Everything but "allow" counts as a refusal: an unknown word must not look harmless. */
static bool denied(const struct writer *writer)
{
    return !record_is(writer->record, RECORD_DECISION, "allow");
}

/* In permissive mode the call was let through. */
static bool would_deny(const struct writer *writer)
{
    return record_is(writer->record, RECORD_WOULD_DENY, "true");
}

/* "would refuse" is for a call that a permissive policy let through. "allowed" is a call, as in a
 * report: what the log says of itself and of policies was not asked for by a caller. The words have
 * one width, so that the columns of all lines fit below each other, and colours only add to them.
 */
static void say_verdict(const struct writer *writer)
{
    bool refused = denied(writer), would = would_deny(writer);
    bool call = export_is_decision(writer->record);

    if (!refused && !would && !call) {
        say(writer, "recorded    ");
        return;
    }
    colour(writer, refused ? RED : would ? YELLOW : GREEN);
    say(writer, refused ? "REFUSED     " : would ? "would refuse" : "allowed     ");
    colour(writer, PLAIN);
}

/* The name in the record is that of the time of the call. A name that had to be looked up now says
 * so, since accounts change. */
static void say_user(const struct writer *writer, enum record_field name, enum record_field id)
{
    char later[DIRECTORY_NAME];

    if (later_name(writer->record, id, later)) {
        print_safe(writer->output->stream, later, false);
        say_field(writer, " (", id, ", looked up now)");
    } else if (has(writer, name)) {
        say_field(writer, "", name, "");
        say_field(writer, " (", id, ")");
    } else {
        say_field(writer, "", id, "");
    }
}

/* Whom the session belongs to, and who the thread was when that differs: "owner -> user". Compared
 * by the ids, since two names may belong to one id and a name may be missing. A record without
 * either, as one of the log about itself, has a dash. */
static void say_who(const struct writer *writer)
{
    const struct slice *owner = &writer->record->field[RECORD_BOUND_USER_ID];
    const struct slice *user = &writer->record->field[RECORD_CURRENT_USER_ID];
    bool bound = owner->at != NULL, current = user->at != NULL;
    bool same = bound && current && owner->length == user->length &&
                memcmp(owner->at, user->at, owner->length) == 0;

    if (bound) {
        say_user(writer, RECORD_BOUND_USER_NAME, RECORD_BOUND_USER_ID);
    }
    if (current && !same) {
        say(writer, bound ? " -> " : "");
        say_user(writer, RECORD_CURRENT_USER_NAME, RECORD_CURRENT_USER_ID);
    }
    if (!bound && !current) {
        say(writer, "-");
    }
}

/* One line: time, verdict, call, identities, provider, number. */
static void say_headline(const struct writer *writer)
{
    say_time(writer, RECORD_TIMESTAMP);
    say(writer, "  ");
    say_verdict(writer);
    say_field(writer, "  ", RECORD_ACTION, "");
    say_field(writer, "  ", RECORD_OPERATION, "");
    say_field(writer, "  ", RECORD_NAMESPACE, has(writer, RECORD_CLASS) ? ":" : "");
    say_field(writer, has(writer, RECORD_NAMESPACE) ? "" : "  ", RECORD_CLASS, "");
    say_field(writer, has(writer, RECORD_CLASS) ? "." : "  ", RECORD_METHOD, "");
    say_field(writer, "  ", RECORD_RESOURCE, "");
    say(writer, "  ");
    say_who(writer);
    say_field(writer, "  ", RECORD_PROVIDER, "");
    colour(writer, DIM);
    say_field(writer, "  #", RECORD_SEQUENCE, "");
    colour(writer, PLAIN);
    say(writer, "\n");
}

/* Why, and in which components the identity differs or could not be read. */
static void say_reason(const struct writer *writer)
{
    say_field(writer, "    why      ", RECORD_REASON, ": ");
    say_field(writer, "", RECORD_MESSAGE, "");
    say_list(writer, "; it differs in ", RECORD_MISMATCH);
    say_list(writer, "; not readable: ", RECORD_UNREADABLE);
    say(writer, "\n");
}

/* The keys of the instance that the call is about, and how many were left out. */
static void say_keys(const struct writer *writer)
{
    if (has(writer, RECORD_KEYS)) {
        say_list(writer, "    keys     ", RECORD_KEYS);
        say_field(writer, ", and ", RECORD_KEYS_OMITTED, " more");
        say(writer, "\n");
    }
}

/* In the words of the daemon. */
static void say_object(const struct writer *writer)
{
    if (has(writer, RECORD_OBJECT_NAME)) {
        say_field(writer, "    object   ", RECORD_OBJECT_NAME, "\n");
    }
}

/* The rule that decided, with its place in the policy. */
static void say_rule(const struct writer *writer)
{
    if (has(writer, RECORD_RULE)) {
        say_field(writer, "    rule     ", RECORD_RULE, "");
        say_field(writer, " at ", RECORD_RULE_SOURCE, "");
        say_field(writer, ": ", RECORD_RULE_REASON, "");
        say(writer, "\n");
    }
}

/* As addr2line(1) takes it; records have all 16 digits. */
static void say_offset(const struct writer *writer)
{
    char digits[32];

    if (has(writer, RECORD_SITE_OFFSET)) {
        record_text(writer->record, RECORD_SITE_OFFSET, digits, sizeof(digits));
        say(writer, "+0x");
        print_safe(writer->output->stream, digits + strspn(digits, "0"), false);
    }
}

/* The process, and the instruction from which the call came. */
static void say_place(const struct writer *writer)
{
    say_field(writer, "    where    process ", RECORD_PID, "");
    say_field(writer, ", thread ", RECORD_TID, "");
    say_field(writer, " (", RECORD_THREAD_NAME, ")");
    say_field(writer, " of ", RECORD_EXECUTABLE, "");
    say_field(writer, " on ", RECORD_HOST, "");
    say_field(writer, "; called from ", RECORD_SITE_MODULE, "");
    say_offset(writer);
    say_field(writer, " after ", RECORD_SITE_SYMBOL, "");
    say(writer, "\n");
}

/* A record that stands for several equal refusals. */
static void say_repeats(const struct writer *writer)
{
    uint64_t count = 0;

    if (record_number(writer->record, RECORD_REPEATS, &count) && count > 1) {
        fprintf(writer->output->stream, "    repeated %llu times", (unsigned long long)count);
        if (has(writer, RECORD_START)) {
            say(writer, " from ");
            say_time(writer, RECORD_START);
            say(writer, " to ");
            say_time(writer, RECORD_END);
        }
        say(writer, "\n");
    }
    if (has(writer, RECORD_VARIED)) {
        say(writer, "    varied   further refusals of this source were counted together");
        say_list(writer, ", such as ", RECORD_SAMPLES);
        say(writer, "\n");
    }
}

/* What records of the log about itself have to say. */
static void say_own(const struct writer *writer)
{
    say_field(writer, "    policy   ", RECORD_POLICY_DETAIL, "\n");
    say_field(writer, "    hash     ", RECORD_POLICY_HASH, "\n");
    if (has(writer, RECORD_LOST_COUNT)) {
        say_field(writer, "    lost     ", RECORD_LOST_COUNT, " records");
        say_field(writer, " of the sink ", RECORD_LOST_SINK, "");
        say_field(writer, ": ", RECORD_LOST_CAUSE, "");
        say_field(writer, ", in all ", RECORD_LOST_TOTAL, "");
        say(writer, "\n");
    }
    say_field(writer, "    space    ", RECORD_SPACE_STEP, "");
    say_field(writer, ", ", RECORD_SPACE_USED, " % used");
    say_field(writer, ", ", RECORD_SPACE_AVAILABLE, " bytes left\n");
    say_field(writer, "    before   ", RECORD_PREVIOUS_FILE, "\n");
}

/* The lines below the first are for refusals: what was allowed is one line. */
static void write_text(const struct writer *writer)
{
    say_headline(writer);
    if (denied(writer) || would_deny(writer)) {
        say_reason(writer);
        say_rule(writer);
        say_place(writer);
        say_repeats(writer);
        say_field(writer, "    id       ", RECORD_EVENT_ID, "\n");
    }
    say_keys(writer);
    say_object(writer);
    say_own(writer);
}

/* ---- json -------------------------------------------------------------------------------------
 */

/* The record in its full form, which out of memory is the line as it stands. JSON lets DEL, the C1
 * controls and others stand for themselves, and a terminal obeys them. */
static void write_json(const struct writer *writer)
{
    FILE *stream = writer->output->stream;
    struct text line = TEXT_EMPTY;
    struct record record;

    if (!record_expand(writer->record, &line, &record)) {
        record = *writer->record;
    }
    if (writer->output->terminal) {
        (void)!print_json_text(stream, record.line, record.length);
    } else {
        fwrite(record.line, 1, record.length, stream);
    }
    fputc('\n', stream);
    text_release(&line);
}

/* ---- csv --------------------------------------------------------------------------------------
 */

static const enum record_field columns[] = {
    RECORD_TIMESTAMP,
    RECORD_SEQUENCE,
    RECORD_EVENT_ID,
    RECORD_HOST,
    RECORD_CODE,
    RECORD_ACTION,
    RECORD_DECISION,
    RECORD_WOULD_DENY,
    RECORD_REASON,
    RECORD_MESSAGE,
    RECORD_OPERATION,
    RECORD_NAMESPACE,
    RECORD_CLASS,
    RECORD_METHOD,
    RECORD_KEYS,
    RECORD_PROVIDER,
    RECORD_BOUND_USER_ID,
    RECORD_BOUND_USER_NAME,
    RECORD_CURRENT_USER_ID,
    RECORD_CURRENT_USER_NAME,
    RECORD_MISMATCH,
    RECORD_UNREADABLE,
    RECORD_RULE,
    RECORD_RULE_SOURCE,
    RECORD_CONTEXT,
    RECORD_SESSION,
    RECORD_OPERATION_ID,
    RECORD_PID,
    RECORD_TID,
    RECORD_EXECUTABLE,
    RECORD_SITE_MODULE,
    RECORD_SITE_OFFSET,
    RECORD_REPEATS,
    RECORD_START,
    RECORD_END,
    RECORD_LOST_COUNT,
    /* Behind the older ones, whose place a reader of the file may know. */
    RECORD_RESOURCE,
    RECORD_OBJECT_NAME,
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* Quoted without its quotes. */
static void write_cell(FILE *stream, const char *text)
{
    char part[MAX_TEXT];

    while (*text != '\0') {
        size_t length = strcspn(text, "\"");
        snprintf(part, sizeof(part), "%.*s", (int)length, text);
        print_safe(stream, part, false);
        text += length;
        if (*text == '"') {
            fputs("\"\"", stream);
            text++;
        }
    }
}

/* Spreadsheets run what begins like a formula, also from a file that another user filled. Some cut
 * blanks off first, and East Asian ones take the full-width form of a sign for the sign. */
static bool formula(const char *text)
{
    static const char *const blanks[] = {" ",      "\t",     "\r",     "\n",    "\u00A0",
                                         "\u3000", "\u200B", "\u2060", "\uFEFF"};
    static const char *const signs[] = {"=",      "+",      "-",      "@",     "\uFF1D",
                                        "\uFF0B", "\uFF0D", "\uFF20", "\u2212"};
    const char *at = text;

    for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]);) {
        size_t length = strlen(blanks[i]);
        bool blank = strncmp(at, blanks[i], length) == 0;
        at += blank ? length : 0;
        i = blank ? 0 : i + 1;
    }
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strncmp(at, signs[i], strlen(signs[i])) == 0) {
            return true;
        }
    }
    return text[0] != '\0' && strchr("\t\r\n", text[0]) != NULL;
}

/* The field as one cell in quotes; lists become words with blanks between them, cut at MAX_TEXT. A
 * value that a spreadsheet would take for a formula gets an apostrophe in front, which spreadsheets
 * show as text (formula()). */
static void write_column(const struct writer *writer, enum record_field field)
{
    FILE *stream = writer->output->stream;
    char text[MAX_TEXT] = "";
    struct slice item;
    size_t at = 0, length = 0;

    if (!has(writer, field)) {
        return;
    }
    if (field == RECORD_MISMATCH || field == RECORD_UNREADABLE || field == RECORD_KEYS) {
        while (length + 2 < sizeof(text) && record_item(writer->record, field, &at, &item)) {
            length += length > 0 ? (size_t)sprintf(text + length, " ") : 0;
            slice_text(&item, text + length, sizeof(text) - length);
            length += strlen(text + length);
        }
    } else {
        record_text(writer->record, field, text, sizeof(text));
    }
    fputs(formula(text) ? "\"'" : "\"", stream);
    write_cell(stream, text);
    fputc('"', stream);
}

/* The columns of csv: those that were asked for, or the usual ones. */
static const enum record_field *columns_of(const struct audit_output *output, size_t *ret_count)
{
    *ret_count = output->fields.count > 0 ? output->fields.count : COLUMNS;
    return output->fields.count > 0 ? output->fields.list : columns;
}

/* RFC 4180: each line ends in CR LF, and every value is quoted. */
static void write_csv(const struct writer *writer)
{
    size_t count = 0;
    const enum record_field *fields = columns_of(writer->output, &count);

    for (size_t i = 0; i < count; i++) {
        say(writer, i > 0 ? "," : "");
        write_column(writer, fields[i]);
    }
    say(writer, "\r\n");
}

/* ---- chosen fields ----------------------------------------------------------------------------
 */

/* As cut(1) and awk(1) take them: a tab in a value is escaped, so the count of columns holds. */
static void write_text_fields(const struct writer *writer)
{
    const struct audit_fields *fields = &writer->output->fields;

    for (size_t i = 0; i < fields->count; i++) {
        say(writer, i > 0 ? "\t" : "");
        say_field(writer, "", fields->list[i], "");
    }
    say(writer, "\n");
}

/* One flat object; values as they stand in the record, and none for a field that it lacks. */
static void write_json_fields(const struct writer *writer)
{
    const struct audit_fields *fields = &writer->output->fields;
    struct text text = TEXT_EMPTY;

    text_json_open(&text, NULL, '{');
    for (size_t i = 0; i < fields->count; i++) {
        export_json(&text, record_fields[fields->list[i]].path, writer->record, fields->list[i]);
    }
    text_json_close(&text, '}');
    if (text.failed) {
        (void)complain(CLI_UNABLE, "out of memory");
    } else if (writer->output->terminal) {
        (void)!print_json_text(writer->output->stream, text.data, text.length);
    } else {
        fwrite(text.data, 1, text.length, writer->output->stream);
    }
    say(writer, "\n");
    text_release(&text);
}

/* Of the full form, which is what the names are those of. */
static void write_fields(const struct writer *writer)
{
    struct text line = TEXT_EMPTY;
    struct record full;

    if (!record_expand(writer->record, &line, &full)) {
        full = *writer->record;
    }
    const struct writer whole = {writer->output, &full};
    if (writer->output->format == AUDIT_JSON) {
        write_json_fields(&whole);
    } else if (writer->output->format == AUDIT_CSV) {
        write_csv(&whole);
    } else {
        write_text_fields(&whole);
    }
    text_release(&line);
}

/* ---- each -------------------------------------------------------------------------------------
 */

/* The names are the paths of the fields in the JSON, so that both forms can be compared; a path
 * that begins with @ would be taken for a formula. */
void audit_output_header(const struct audit_output *output)
{
    size_t count = 0;
    const enum record_field *fields = columns_of(output, &count);

    for (size_t i = 0; output->format == AUDIT_CSV && i < count; i++) {
        const char *name = record_fields[fields[i]].path;
        fprintf(output->stream, "%s%s", name[0] == '@' ? name + 1 : name,
                i + 1 < count ? "," : "\r\n");
    }
}

/* The caller has hidden the progress line. */
void audit_output_record(const struct audit_output *output, const struct record *record)
{
    struct writer writer = {output, record};

    if (output->fields.count > 0) {
        write_fields(&writer);
        return;
    }
    switch (output->format) {
    case AUDIT_TEXT:
        write_text(&writer);
        break;
    case AUDIT_JSON:
        write_json(&writer);
        break;
    case AUDIT_CSV:
        write_csv(&writer);
    }
}

/* ---- the last ones ----------------------------------------------------------------------------
 */

/* An array of empty lines; the lines get their memory when they are first used. */
bool audit_last_begin(struct audit_last *last, size_t size)
{
    *last = (struct audit_last){.size = size, .lines = calloc(size, sizeof(*last->lines))};
    return last->lines != NULL;
}

/* The ring is full when count is size; next is then the oldest, whose memory is used again. A line
 * that is longer than the one before in its place gets more room. */
bool audit_last_add(struct audit_last *last, const struct record *record)
{
    struct audit_line *line = &last->lines[last->next];

    if (line->capacity < record->length) {
        char *larger = realloc(line->text, record->length);
        if (larger == NULL) {
            return false;
        }
        line->text = larger;
        line->capacity = record->length;
    }
    memcpy(line->text, record->line, record->length);
    line->length = record->length;
    last->next = (last->next + 1) % last->size;
    last->count += last->count < last->size;
    return true;
}

/* Each line is parsed again: keeping it as text takes less room than the parsed record. */
void audit_last_write(const struct audit_last *last, const struct audit_output *output)
{
    struct record record;
    size_t at = 0;

    for (size_t i = 0; i < last->count; i++) {
        size_t place = (last->next + last->size - last->count + i) % last->size;
        const struct audit_line *line = &last->lines[place];
        if (record_parse(line->text, line->length, &record, &at) == NULL) {
            audit_output_record(output, &record);
        }
    }
}

/* lines is NULL after a failed begin. */
void audit_last_release(struct audit_last *last)
{
    for (size_t i = 0; last->lines != NULL && i < last->size; i++) {
        free(last->lines[i].text);
    }
    free(last->lines);
    last->lines = NULL;
}
