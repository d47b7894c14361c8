/* SPDX-License-Identifier: MIT */
/* Finds the fields of a record in its line and makes them text for a sink; called by the sinks that
 * have fields of their own. */
#include "audit/sink/sink_fields.h"

#include <stdlib.h>
#include <string.h>

#include "model/record_derived.h"

/* Deeper and longer than any member of a record. The bound keeps a line that is not ours from using
 * up the stack. */
enum { MAX_DEPTH = 8, PATH_SIZE = 128 };

/* The rows of the map as data, by sink_field_name. */
static const struct {
    enum record_field field;
    const char *name, *journal;
    size_t bound;
} rows[] = {
#define FIELD_ROW(FIELD, name, journal, bound)                                                     \
    [SINK_FIELD_##FIELD] = {RECORD_##FIELD, name, journal, bound},
    SINK_FIELD_MAP(FIELD_ROW)
#undef FIELD_ROW
};

/* The rows have the order of the enumeration, and all are there: both come from the map. */
const char *sink_field_name(enum sink_field_name field)
{
    return rows[field].name;
}

const char *sink_field_journal_name(enum sink_field_name field)
{
    return rows[field].journal;
}

/* ---- reading the line ----------------------------------------------------------------- */

/* The line is our own encoder's: no white space outside strings, quotes inside them escaped. */
struct walk {
    const char *at, *end;
    char path[PATH_SIZE];
    size_t path_length;
    struct sink_fields *fields;
};

/* Never reads behind the line. */
static bool walk_at(const struct walk *walk, char wanted)
{
    return walk->at < walk->end && *walk->at == wanted;
}

/* The inside of a string; at stands behind its end afterwards. An escaped quote does not end it. */
static struct sink_field walk_string(struct walk *walk)
{
    const char *start = ++walk->at;

    while (walk->at < walk->end && *walk->at != '"') {
        walk->at += *walk->at == '\\' && walk->end - walk->at > 1 ? 2 : 1;
    }
    struct sink_field inside = {start, (size_t)(walk->at - start), 0};
    walk->at += walk->at < walk->end;
    return inside;
}

/* Anything up to the comma or bracket behind it. Brackets inside strings do not count. */
static void walk_over(struct walk *walk)
{
    unsigned open = 0;

    while (walk->at < walk->end) {
        char byte = *walk->at;
        if (open == 0 && (byte == ',' || byte == '}' || byte == ']')) {
            return;
        }
        if (byte == '"') {
            walk_string(walk);
            continue;
        }
        open += byte == '{' || byte == '[';
        open -= byte == '}' || byte == ']';
        walk->at++;
    }
}

/* Keeps the value whose path a row has, and passes over any other. Lists are leaves: the sink
 * writes them as one value. */
static void walk_leaf(struct walk *walk)
{
    const char *start = walk->at;

    walk_over(walk);
    for (size_t i = 0; i < SINK_FIELD_COUNT; i++) {
        if (strcmp(walk->path, record_fields[rows[i].field].path) == 0) {
            walk->fields->field[i] =
                (struct sink_field){start, (size_t)(walk->at - start), rows[i].bound};
            return;
        }
    }
}

/* Appends the key to the path. False: it is too long to be one of a row. */
static bool walk_enter(struct walk *walk, struct sink_field key)
{
    bool dot = walk->path_length > 0;

    if (walk->path_length + dot + key.length >= sizeof(walk->path)) {
        return false;
    }
    if (dot) {
        walk->path[walk->path_length++] = '.';
    }
    memcpy(walk->path + walk->path_length, key.at, key.length);
    walk->path_length += key.length;
    walk->path[walk->path_length] = '\0';
    return true;
}

/* The members of an object, and of those in it. Stops at the first byte that does not fit: what was
 * found until then stays. */
static void walk_object(struct walk *walk, unsigned depth)
{
    size_t outer = walk->path_length;

    walk->at++;
    while (walk_at(walk, '"')) {
        struct sink_field key = walk_string(walk);
        if (!walk_at(walk, ':')) {
            return;
        }
        walk->at++;
        if (!walk_enter(walk, key)) {
            walk_over(walk);
        } else if (walk_at(walk, '{') && depth < MAX_DEPTH) {
            walk_object(walk, depth + 1);
        } else {
            walk_leaf(walk);
        }
        walk->path_length = outer;
        walk->path[outer] = '\0';
        walk->at += walk_at(walk, ',');
    }
    walk->at += walk_at(walk, '}');
}

static struct record_word word_of(const struct sink_field *field)
{
    return (struct record_word){field->at, field->length};
}

/* Nothing where the line has the field, or where text is NULL. */
static void add_constant(struct sink_field *field, const char *text)
{
    if (field->at == NULL && text != NULL) {
        *field = (struct sink_field){text, strlen(text), 0};
    }
}

/* The effective user of the thread is the one whose the session is: the name first, which follows
 * only where the id is absent. A current identity that is not known is null. */
static void add_current(struct sink_field *field)
{
    if (field[SINK_FIELD_CURRENT_USER_ID].at == NULL && field[SINK_FIELD_CRED_CURRENT].at == NULL) {
        field[SINK_FIELD_CURRENT_USER_NAME] = field[SINK_FIELD_BOUND_USER_NAME];
        field[SINK_FIELD_CURRENT_USER_ID] = field[SINK_FIELD_BOUND_USER_ID];
    }
}

/* What the readers' record_complete() adds, of the fields that sinks have. */
static void add_left_out(struct sink_field *field)
{
    const struct sink_field *format = &field[SINK_FIELD_FORMAT];
    const struct record_derived derived =
        record_derive(word_of(&field[SINK_FIELD_ACTION]), word_of(&field[SINK_FIELD_OUTCOME]),
                      word_of(&field[SINK_FIELD_REASON]));

    if (format->length != 1) {
        return;
    }
    add_constant(&field[SINK_FIELD_MESSAGE], derived.message);
    add_constant(&field[SINK_FIELD_CODE], derived.code);
    add_constant(&field[SINK_FIELD_DECISION], derived.decision);
    add_constant(&field[SINK_FIELD_REPEATS], RECORD_ONCE);
    if (format->at[0] != '2') { /* of a process before, which wrote all of these */
        add_current(field);
    }
    if (field[SINK_FIELD_TID].at == NULL) {
        field[SINK_FIELD_TID] = field[SINK_FIELD_PID];
    }
}

/* One walk over the line for all fields. */
void sink_fields_read(const char *line, size_t length, struct sink_fields *ret_fields)
{
    struct walk walk = {.at = line, .end = line + length, .fields = ret_fields};

    memset(ret_fields, 0, sizeof(*ret_fields));
    if (walk_at(&walk, '{')) {
        walk_object(&walk, 0);
        add_left_out(ret_fields->field);
    }
}

/* ---- values as text ------------------------------------------------------------------- */

void sink_text_reset(struct text *text)
{
    text->length = 0;
    text->failed = false;
    text_append(text, "");
}

/* A text of the largest limit with the mark of a cut. */
enum { MARK_SPACE = CUT_SIZE(SINK_TEXT_LIMIT) };

/* How many bytes of UTF-8 the escape at text, "\\u" and four digits, stands for. The second of two
 * surrogates counts with the first. */
static size_t escaped_bytes(const char *text)
{
    unsigned long unit = strtoul((char[]){text[2], text[3], text[4], text[5], '\0'}, NULL, 16);

    return unit < 0x80                       ? 1
           : unit < 0x800                    ? 2
           : unit >= 0xD800 && unit < 0xDC00 ? 4
           : unit >= 0xDC00 && unit < 0xE000 ? 0
                                             : 3;
}

/* The length of a text whose control characters are escapes, without these. */
static size_t plain_length(const struct text *text)
{
    size_t length = 0;

    for (size_t i = 0; i < text->length; length++) {
        bool escape = text->data[i] == '\\' && text->length - i >= 6 && text->data[i + 1] == 'u';
        length += escape ? escaped_bytes(text->data + i) - 1 : 0;
        i += escape ? 6 : 1;
    }
    return length;
}

/* Cut when the record was made: the beginning gets shorter, the mark stays what it is. */
static void shorten_cut(struct text *text, size_t limit, size_t mark)
{
    char tail[CUT_MARK + 1];
    size_t kept = cut_whole(text->data, limit - mark);

    memcpy(tail, text->data + text->length - mark, mark);
    text->length = kept;
    text_append_bytes(text, tail, mark);
}

/* A text that the record had cut ends in a mark that counts what is missing of the original. It
 * keeps that mark only where its length shows that it was cut then: a value from outside may end in
 * what looks like one. */
static void shorten(struct text *text, size_t limit, size_t bound)
{
    char buffer[MARK_SPACE];

    if (text->length <= limit) {
        return;
    }
    size_t mark = cut_mark_length(text->data, text->length);
    if (mark > 0 && mark < limit && bound > 0 && plain_length(text) > bound) {
        shorten_cut(text, limit, mark);
        return;
    }
    size_t room = limit > CUT_MARK ? limit - CUT_MARK : 0;
    size_t length = cut_text(text->data, room < SINK_TEXT_LIMIT ? room : SINK_TEXT_LIMIT, buffer);
    text->length = 0;
    text_append_bytes(text, buffer, length < limit ? length : limit);
}

/* Takes the quotes away and the backslash before a quote or backslash; commas of a list stay. What
 * is a quote inside a value has a backslash before it, so each bare one is the beginning or end of
 * a string. */
void sink_field_text(const struct sink_field *field, size_t limit, struct text *text)
{
    const char *at = field->at;
    bool list = field->length > 0 && *at == '[', inside = false;

    text->length = 0;
    text_append(text, "");
    for (size_t i = 0; i < field->length; i++) {
        if (at[i] == '"') {
            inside = !inside;
            continue;
        }
        if (list && !inside && (at[i] == '[' || at[i] == ']')) {
            continue;
        }
        if (at[i] == '\\' && i + 1 < field->length && (at[i + 1] == '"' || at[i + 1] == '\\')) {
            i++;
        }
        text_append_bytes(text, at + i, 1);
    }
    if (!text->failed) {
        shorten(text, limit, field->bound);
    }
}

/* The numbers are those of RFC 5424, 6.2.1. */
unsigned sink_severity(const struct audit_event *event)
{
    enum { CRITICAL = 2, ERROR, WARNING, NOTICE, INFO };

    switch (event->action) {
    case AUDIT_ACTION_RECORDS_LOST:
    case AUDIT_ACTION_STATE_SET_ASIDE:
        return CRITICAL;
    case AUDIT_ACTION_AUDIT_SPACE:
        if (event->space == NULL || strcmp(event->space->step, "normal") == 0) {
            return NOTICE;
        }
        return strcmp(event->space->step, "low") == 0 ? WARNING : CRITICAL;
    case AUDIT_ACTION_POLICY_REFUSED:
        return ERROR;
    case AUDIT_ACTION_POLICY_LOAD:
        return NOTICE;
    default:
        return event->denied ? WARNING : event->would_deny ? NOTICE : INFO;
    }
}
