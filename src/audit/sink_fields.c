/* SPDX-License-Identifier: MIT */
#include "audit/sink_fields.h"

#include <string.h>

enum { MAX_DEPTH = 8, PATH_SIZE = 128 };

static const struct {
    const char *path, *name, *journal;
} rows[] = {
#define FIELD_ROW(NAME, path, name, journal) [SINK_FIELD_##NAME] = {path, name, journal},
    SINK_FIELD_MAP(FIELD_ROW)
#undef FIELD_ROW
};

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

static bool walk_at(const struct walk *walk, char wanted)
{
    return walk->at < walk->end && *walk->at == wanted;
}

/* The inside of a string; at stands behind its end afterwards. */
static struct sink_field walk_string(struct walk *walk)
{
    const char *start = ++walk->at;

    while (walk->at < walk->end && *walk->at != '"') {
        walk->at += *walk->at == '\\' && walk->end - walk->at > 1 ? 2 : 1;
    }
    struct sink_field inside = {start, (size_t)(walk->at - start)};
    walk->at += walk->at < walk->end;
    return inside;
}

/* Anything up to the comma or bracket behind it. */
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

static void walk_leaf(struct walk *walk)
{
    const char *start = walk->at;

    walk_over(walk);
    for (size_t i = 0; i < SINK_FIELD_COUNT; i++) {
        if (strcmp(walk->path, rows[i].path) == 0) {
            walk->fields->field[i] = (struct sink_field){start, (size_t)(walk->at - start)};
            return;
        }
    }
}

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

void sink_fields_read(const char *line, size_t length, struct sink_fields *ret_fields)
{
    struct walk walk = {.at = line, .end = line + length, .fields = ret_fields};

    memset(ret_fields, 0, sizeof(*ret_fields));
    if (walk_at(&walk, '{')) {
        walk_object(&walk, 0);
    }
}

/* ---- values as text ------------------------------------------------------------------- */

void sink_text_reset(struct text *text)
{
    text->length = 0;
    text->failed = false;
    text_append(text, "");
}

/* A character that the limit would part is left out. */
static void shorten(struct text *text, size_t limit)
{
    static const char mark[] = "...";
    size_t length = limit - (sizeof(mark) - 1);

    if (text->length <= limit) {
        return;
    }
    while (length > 0 && ((unsigned char)text->data[length] & 0xC0) == 0x80) {
        length--;
    }
    text->length = length;
    text_append(text, mark);
}

void sink_field_text(const struct sink_field *field, size_t limit, struct text *text)
{
    const char *at = field->at;
    bool list = field->length > 0 && *at == '[', inside = false;

    text->length = 0;
    text_append(text, "");
    for (size_t i = 0; i < field->length && text->length <= limit; i++) {
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
        shorten(text, limit);
    }
}

unsigned sink_severity(const struct audit_event *event)
{
    enum { CRITICAL = 2, ERROR, WARNING, NOTICE, INFO };

    switch (event->action) {
    case AUDIT_ACTION_RECORDS_LOST:
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
