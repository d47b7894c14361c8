/* SPDX-License-Identifier: MIT */
/*
 * Turns the events of libyaml into a tree of nodes, and refuses what YAML allows and a policy does
 * not need: anchors, tags, further documents, keys twice. load.c calls it by way of schema.c.
 *
 * document_read() checks the bytes (source.c), then takes libyaml's events by next_event().
 * read_node() makes a node of each, and read_list() and read_map() those within. Errors that leave
 * the rest readable are reported and passed over with a NODE_BAD in their place; after others
 * `stopped` ends the reading.
 */
#include "policy/document.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/utf8.h"
#include "policy/characters.h"
#include "policy/draft.h"

/* No map of the format has nearly as many keys; a bound keeps the search for duplicates short. */
enum { MAX_KEYS = 64 };

/* Nodes are taken from arena and live as long as the load. */
struct document_reader {
    yaml_parser_t parser;
    const struct policy_source *source;
    struct diagnostics *errors;
    struct arena *arena;
    bool stopped;     /* nothing more can be read: the reason was reported, or memory is out */
    unsigned flow;    /* how many brackets and braces are open */
    bool has_spanned; /* a text over several lines, not reported yet: see read_scalar() */
    yaml_mark_t spanned;
};

/* libyaml counts from 0. */
static void error_at(struct document_reader *reader, const yaml_mark_t *mark, const char *message)
{
    source_error(reader->source, reader->errors, (unsigned)mark->line + 1,
                 (unsigned)mark->column + 1, "%s", message);
}

/* ---- what libyaml refuses -------------------------------------------------------------------- */

/*
 * libyaml names what its parser expected. The table has what the author of a policy can do; a
 * message that is not in it is shown as it is.
 */

/* libyaml's words, and what the author of a policy can do about it. */
static const struct {
    const char *problem, *advice;
} syntax_advice[] = {
    {"mapping values are not allowed in this context",
     "a second \": \" on one line; put the value in quotes, or the key on a line of its own"},
    {"found character that cannot start any token",
     "a value cannot begin with this character; put it in quotes"},
    {"did not find expected key",
     "the indentation does not fit the lines above, or a quote or bracket is in the wrong place"},
    {"could not find expected ':'", "a key without a colon; write \"key: value\""},
    {"did not find expected ',' or ']'", "the list that \"[\" opened needs a \",\" or \"]\" here"},
    {"did not find expected ',' or '}'", "the map that \"{\" opened needs a \",\" or \"}\" here"},
    {"did not find expected '-' indicator",
     "each item of a list begins with \"- \" in the same column"},
    {"found unexpected end of stream", "the file ends inside a quoted text; close the quote"},
    {"found unknown escape character",
     "no such escape; use single quotes, or double the backslash"},
    {"block sequence entries are not allowed in this context",
     "a list cannot begin here; put \"- \" on a line of its own"},
    {"mapping keys are not allowed in this context",
     "a key cannot begin here; put it on a line of its own"},
    {"did not find expected node content", "a value is missing here"},
    {"did not find expected alphabetic or numeric character",
     "anchors and aliases are not allowed; a pattern that begins with \"*\" is put in quotes"},
    {"found undefined tag handle", "tags (\"!name\") are not allowed; remove it"},
    {"did not find expected <document start>",
     "text behind the end of the document; one file holds one document"},
};

/* The file ends too early: the place is behind the last character that is written. libyaml names
 * a line that the file does not have. */
static yaml_mark_t end_of_text(const struct policy_source *source)
{
    yaml_mark_t mark = {.index = source->length};

    while (mark.index > 0 &&
           (source->text[mark.index - 1] == '\n' || source->text[mark.index - 1] == ' ')) {
        mark.index--;
    }
    size_t start = mark.index;
    while (start > 0 && source->text[start - 1] != '\n') {
        start--;
    }
    mark.column = utf8_count(source->text + start, mark.index - start);
    for (size_t at = 0; at < start; at++) {
        mark.line += source->text[at] == '\n';
    }
    return mark;
}

/* Where the text of a line begins, behind blanks and the dashes of lists, and whether it is a key.
 * Columns count from 0 in bytes: blanks and dashes are one each. */
struct line_start {
    const char *text;
    size_t length; /* of the key */
    unsigned column;
    bool is_key;
};

static struct line_start line_starts(const struct policy_source *source, size_t start)
{
    const char *line = source->text + start;
    size_t left = source->length - start, at = 0;

    while (at < left &&
           (line[at] == ' ' || (line[at] == '-' && at + 1 < left && line[at + 1] == ' '))) {
        at++;
    }
    size_t end = at;
    while (end < left && line[end] != '\n' && line[end] != '#' && line[end] != ':') {
        end++;
    }
    bool colon = end < left && line[end] == ':' &&
                 (end + 1 == left || line[end + 1] == ' ' || line[end + 1] == '\n');
    return (struct line_start){line + at, end - at, (unsigned)at, colon && end > at};
}

/* Of the keys above that a key in this column may have been meant to stand under, the one whose
 * column is nearest: a key that stands deeper than a later one is of a map that has ended. line
 * counts from 1, 0: no key above. */
static unsigned nearest_above(const struct policy_source *source, size_t end, unsigned column,
                              struct line_start *ret_nearest)
{
    unsigned deepest = UINT32_MAX, best = UINT32_MAX, found = 0, line = 1;

    for (size_t at = 0; at < end; at++) {
        line += source->text[at] == '\n';
    }
    for (size_t start = end; start > 0;) {
        start--; /* the line feed before it */
        while (start > 0 && source->text[start - 1] != '\n') {
            start--;
        }
        line--;
        const struct line_start above = line_starts(source, start);
        if (!above.is_key || above.column >= deepest) {
            continue;
        }
        deepest = above.column;
        unsigned away = deepest > column ? deepest - column : column - deepest;
        if (away < best) {
            best = away;
            found = line;
            *ret_nearest = above;
        }
    }
    return found;
}

/* A key that begins its line, in a column that no key above has: libyaml reads it as a part of the
 * value before it, or as the end of a map, and complains of that. */
static bool report_indentation(struct document_reader *reader, const yaml_mark_t *mark)
{
    const struct policy_source *source = reader->source;
    struct line_start above = {0};
    size_t start = 0;

    for (size_t left = mark->line; left > 0 && start < source->length; start++) {
        left -= source->text[start] == '\n';
    }
    const struct line_start key = line_starts(source, start);
    bool at_key = mark->column == key.column || mark->column == key.column + key.length;
    unsigned line = key.is_key && at_key ? nearest_above(source, start, key.column, &above) : 0;
    if (line == 0 || above.column == key.column) {
        return false;
    }
    reader->has_spanned = false;
    source_error(source, reader->errors, (unsigned)mark->line + 1, key.column + 1,
                 "the indentation is wrong: \"%.*s\" begins in column %u, and \"%.*s\" in line %u "
                 "in column %u; keys of one map begin in one column",
                 (int)key.length, key.text, key.column + 1, (int)above.length, above.text, line,
                 above.column + 1);
    return true;
}

/* A bracket or brace that is not closed in its line: libyaml complains far behind it. */
static bool report_unclosed(struct document_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "" : parser->problem;
    bool list = strcmp(problem, "did not find expected ',' or ']'") == 0;
    bool map = strcmp(problem, "did not find expected ',' or '}'") == 0;

    if ((!list && !map) || parser->context_mark.line == parser->problem_mark.line) {
        return false;
    }
    reader->has_spanned = false;
    source_error(reader->source, reader->errors, (unsigned)parser->context_mark.line + 1,
                 (unsigned)parser->context_mark.column + 1,
                 "\"%c\" is not closed; write \"%c\" behind the last value of the %s",
                 list ? '[' : '{', list ? ']' : '}', list ? "list" : "map");
    return true;
}

/* libyaml's words for what a wrong indentation may have made. */
static bool may_be_indentation(const char *problem)
{
    return strcmp(problem, "mapping values are not allowed in this context") == 0 ||
           strcmp(problem, "did not find expected key") == 0 ||
           strcmp(problem, "did not find expected '-' indicator") == 0;
}

/* The text that was held back, unless what follows says better what is wrong. */
static void report_spanned(struct document_reader *reader)
{
    if (reader->has_spanned) {
        error_at(reader, &reader->spanned,
                 "a text over several lines is not allowed; write it on one line");
        reader->has_spanned = false;
    }
}

/* Only the first one: libyaml cannot go on behind it. */
static void report_syntax_error(struct document_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "not valid YAML" : parser->problem;

    reader->stopped = true;
    if (parser->error == YAML_MEMORY_ERROR) {
        reader->errors->failed = true;
        return;
    }
    if (report_unclosed(reader)) {
        return;
    }
    if (may_be_indentation(problem) && report_indentation(reader, &parser->problem_mark)) {
        return;
    }
    report_spanned(reader);
    for (size_t i = 0; i < sizeof(syntax_advice) / sizeof(syntax_advice[0]); i++) {
        if (strcmp(problem, syntax_advice[i].problem) == 0) {
            problem = syntax_advice[i].advice;
            break;
        }
    }
    yaml_mark_t end = end_of_text(reader->source);
    bool behind = parser->problem_mark.line > end.line;
    error_at(reader, behind ? &end : &parser->problem_mark, problem);
}

/* False when there is no event any more. The caller deletes the event. */
static bool next_event(struct document_reader *reader, yaml_event_t *event)
{
    if (reader->stopped) {
        return false;
    }
    if (yaml_parser_parse(&reader->parser, event) == 0) {
        report_syntax_error(reader);
        return false;
    }
    if (reader->flow == 0) {
        report_spanned(reader);
    }
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/*
 * Each reader takes the events of one node and gives the node, or NULL when reading has stopped.
 * Recursion is bounded by DRAFT_MAX_DEPTH.
 */

/* NULL when memory is out; arena->failed says so to the load. */
static struct node *new_node(struct document_reader *reader, enum node_kind kind,
                             const yaml_mark_t *mark)
{
    struct node *node = arena_take(reader->arena, 1, sizeof(*node));

    if (node == NULL) {
        reader->stopped = true;
        return NULL;
    }
    node->kind = kind;
    node->line = (unsigned)mark->line + 1;
    node->column = (unsigned)mark->column + 1;
    return node;
}

/* In the order of the file. */
static void append_node(struct node *parent, struct node *child)
{
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count++;
}

/* Both make one text mean another: an anchor is repeated elsewhere, a tag changes the type. */
static void refuse_properties(struct document_reader *reader, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) {
        error_at(reader, &event->start_mark,
                 "anchors (\"&name\") are not allowed; write the value out where it is needed");
    }
    if (tag != NULL) {
        error_at(reader, &event->start_mark, "tags (\"!name\") are not allowed; remove it");
    }
}

/* What an escape in double quotes can bring in although the file's own text is clean. Length is
 * bounded here, in characters, for every text of a policy. */
static bool check_content(struct document_reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length, step;

    for (size_t at = 0; at < length; at += step) {
        uint32_t code = 0;
        step = utf8_next(text + at, length - at, &code);
        const char *fault = code == '\n' ? "a line feed; write one line" : character_fault(code);
        if (step == 0 || fault != NULL) {
            source_error(reader->source, reader->errors, (unsigned)event->start_mark.line + 1,
                         (unsigned)event->start_mark.column + 1,
                         "an escape in this text stands for U+%04X, %s", code,
                         fault == NULL ? "which is not a character" : fault);
            return false;
        }
    }
    size_t count = utf8_count(text, length);
    if (count > DRAFT_MAX_TEXT) {
        source_error(reader->source, reader->errors, (unsigned)event->start_mark.line + 1,
                     (unsigned)event->start_mark.column + 1,
                     "a text of %zu characters; at most %d are allowed", count, DRAFT_MAX_TEXT);
        return false;
    }
    return true;
}

/* A bad one becomes NODE_BAD, so that the schema does not report its value again. A text over
 * several lines is mostly one behind which a bracket is missing, or before a key that is indented
 * too far: it is reported when what follows is sound. */
static struct node *read_scalar(struct document_reader *reader, const yaml_event_t *event)
{
    bool block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                 event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    struct node *node = new_node(reader, NODE_SCALAR, &event->start_mark);

    if (node == NULL) {
        return NULL;
    }
    refuse_properties(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (block || event->start_mark.line != event->end_mark.line) {
        report_spanned(reader);
        reader->has_spanned = true;
        reader->spanned = event->start_mark;
        node->kind = NODE_BAD;
        return node;
    }
    if (!check_content(reader, event)) {
        node->kind = NODE_BAD;
        return node;
    }
    node->empty =
        event->data.scalar.length == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_copy(reader->arena, (const char *)event->data.scalar.value,
                            event->data.scalar.length);
    if (node->text == NULL) {
        reader->stopped = true;
        return NULL;
    }
    return node;
}

static struct node *read_node(struct document_reader *reader, yaml_event_t *event, unsigned depth);

/* Ends at its end event, or where nothing more can be read. */
static struct node *read_list(struct document_reader *reader, const yaml_event_t *start,
                              unsigned depth)
{
    struct node *list = new_node(reader, NODE_LIST, &start->start_mark);
    yaml_event_t event;

    if (list == NULL) {
        return NULL;
    }
    refuse_properties(reader, start, start->data.sequence_start.anchor,
                      start->data.sequence_start.tag);
    while (next_event(reader, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        struct node *item = read_node(reader, &event, depth + 1);
        if (item != NULL) {
            append_node(list, item);
        }
    }
    return list;
}

/* Whether an entry of this key can be kept; reported when not, or when it should be written
 * otherwise. */
static bool check_key(struct document_reader *reader, const struct node *key, bool plain)
{
    const char *fault = NULL;
    bool quoted = false;

    if (key->kind == NODE_BAD) {
        return false;
    }
    if (key->kind != NODE_SCALAR) {
        fault = "a list or map cannot be a key; use a plain word";
    } else if (key->text[0] == '\0') {
        fault = "a key is missing before the colon";
    } else if (!plain) {
        fault = "a key stands without quotes";
        quoted = true;
    } else if (strcmp(key->text, "<<") == 0) {
        fault = "merge keys (\"<<\") are not allowed; write the keys out";
    }
    if (fault != NULL) {
        source_error(reader->source, reader->errors, key->line, key->column, "%s", fault);
    }
    return fault == NULL || quoted;
}

/* libyaml accepts duplicate keys, and readers differ in which one counts; the first one stays in
 * the tree for further checks. */
static void add_entry(struct document_reader *reader, struct node *map, const struct node *key,
                      struct node *value)
{
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key->text) == 0) {
            source_error(reader->source, reader->errors, key->line, key->column,
                         "duplicate key \"%s\"; it was given in line %u already", key->text,
                         entry->key_line);
            return;
        }
    }
    if (map->count == MAX_KEYS) {
        source_error(reader->source, reader->errors, key->line, key->column,
                     "more than %d keys in one map", MAX_KEYS);
        reader->stopped = true;
        return;
    }
    value->key = key->text;
    value->key_line = key->line;
    value->key_column = key->column;
    append_node(map, value);
}

/* A key and its value are two nodes; a value whose key is bad is read and dropped. */
static struct node *read_map(struct document_reader *reader, const yaml_event_t *start,
                             unsigned depth)
{
    struct node *map = new_node(reader, NODE_MAP, &start->start_mark);
    yaml_event_t event;
    bool dropped = false;

    if (map == NULL) {
        return NULL;
    }
    refuse_properties(reader, start, start->data.mapping_start.anchor,
                      start->data.mapping_start.tag);
    while (next_event(reader, &event)) {
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        bool plain =
            event.type == YAML_SCALAR_EVENT && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        const struct node *key = read_node(reader, &event, depth + 1);
        bool good = key != NULL && check_key(reader, key, plain);
        if (!next_event(reader, &event)) {
            break;
        }
        struct node *value = read_node(reader, &event, depth + 1);
        if (good && value != NULL) {
            add_entry(reader, map, key, value);
        } else {
            dropped = true;
        }
    }
    if (dropped && map->count == 0) {
        map->kind = NODE_BAD; /* not empty as it was written */
    }
    return map;
}

/* A list or a map. */
static struct node *read_nested(struct document_reader *reader, const yaml_event_t *event,
                                unsigned depth)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    bool flow = list ? event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                     : event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;

    reader->flow += flow;
    struct node *node = (list ? read_list : read_map)(reader, event, depth);
    reader->flow -= flow;
    return node;
}

/* Takes the event and all that belongs to it. The depth bounds the recursion. NULL when nothing
 * more can be read, or memory is out. */
static struct node *read_node(struct document_reader *reader, yaml_event_t *event, unsigned depth)
{
    struct node *node = NULL;
    bool nested =
        event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;

    if (nested && depth > DRAFT_MAX_DEPTH) {
        source_error(reader->source, reader->errors, (unsigned)event->start_mark.line + 1,
                     (unsigned)event->start_mark.column + 1,
                     "lists and maps are nested more than %d deep", DRAFT_MAX_DEPTH);
        reader->stopped = true;
    } else if (event->type == YAML_SCALAR_EVENT) {
        node = read_scalar(reader, event);
    } else if (nested) {
        node = read_nested(reader, event, depth);
    } else {
        error_at(reader, &event->start_mark,
                 "aliases (\"*name\") are not allowed; a pattern that begins with \"*\" is put in "
                 "quotes");
        node = new_node(reader, NODE_BAD, &event->start_mark);
    }
    yaml_event_delete(event);
    return node;
}

/* ---- the document ---------------------------------------------------------------------------- */

/* Behind the root only the ends of document and stream may follow. */
static void check_end(struct document_reader *reader)
{
    yaml_event_t event;

    while (next_event(reader, &event)) {
        bool second = event.type == YAML_DOCUMENT_START_EVENT;
        bool end = event.type == YAML_STREAM_END_EVENT;
        if (second) {
            error_at(reader, &event.start_mark, "a second document; one file holds one document");
        }
        yaml_event_delete(&event);
        if (second || end) {
            return;
        }
    }
}

/* The stream has begun. The root may be of any kind: the schema says what it must be. */
static struct node *read_document(struct document_reader *reader, yaml_event_t *event)
{
    if (event->type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(event);
        source_error(reader->source, reader->errors, 1, 1,
                     "the file is empty; it needs at least \"version: 1\"");
        return NULL;
    }
    if (event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end) {
        error_at(reader, &event->start_mark, "directives (\"%\") are not allowed; remove it");
    }
    yaml_event_delete(event);
    if (!next_event(reader, event)) {
        return NULL;
    }
    struct node *root = read_node(reader, event, 1);
    check_end(reader);
    return reader->stopped ? NULL : root;
}

struct node *document_read(const struct policy_source *source, struct arena *arena,
                           struct diagnostics *errors)
{
    struct document_reader reader = {.source = source, .errors = errors, .arena = arena};
    struct node *root = NULL;
    yaml_event_t event;

    if (!source_check(source, errors)) {
        return NULL;
    }
    if (yaml_parser_initialize(&reader.parser) == 0) {
        errors->failed = true;
        return NULL;
    }
    /* Not guessed: source_check() has proved that it is UTF-8. */
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source->text,
                                 source->length);
    if (next_event(&reader, &event)) { /* the stream's start */
        yaml_event_delete(&event);
        if (next_event(&reader, &event)) {
            root = read_document(&reader, &event);
        }
    }
    yaml_parser_delete(&reader.parser);
    return root;
}
