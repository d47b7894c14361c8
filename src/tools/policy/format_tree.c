/* SPDX-License-Identifier: MIT */
/*
 * Reads a policy file with its comments and empty lines into a tree, for format.c.
 *
 * format_tree_read() makes the tree of libyaml's events (read_document), then scans the text once
 * more for comments, which libyaml drops (read_comments). Spans of scalars say where a "#" is text.
 * Each comment is attached to the node that begins behind it, or before it on its line. Offsets
 * count characters, as libyaml's marks do.
 */
#include "tools/policy/format_tree.h"

#include <string.h>
#include <yaml.h>

#include "base/utf8.h"
#include "policy/draft.h"

/* Where a scalar stands: a "#" in there begins no comment. */
struct span {
    size_t start, end;
};

/* One file on its way into a tree. status is the first error; everything stops at it. */
struct reading {
    struct format_tree *tree;
    const char *name;
    struct diagnostics *findings;
    yaml_parser_t parser;
    struct format_node *last; /* in the order of the file */
    struct span *spans;
    size_t span_count, span_limit;
    enum miguard_status status;
};

/* The first error counts: what follows it is often its consequence. */
static void fail(struct reading *reading, const yaml_mark_t *mark, const char *why)
{
    struct policy_place place = {reading->name, (unsigned)mark->line + 1,
                                 (unsigned)mark->column + 1};

    if (reading->status == MIGUARD_OK) {
        reading->status = MIGUARD_BAD_POLICY;
        diagnostic_add(reading->findings, DIAGNOSTIC_ERROR, &place, NULL, 0, "%s", why);
    }
}

/* Memory of the tree, released with it as a whole. */
static void *take(struct reading *reading, size_t size)
{
    void *memory = arena_take(&reading->tree->arena, 1, size);

    if (memory == NULL) {
        reading->status = MIGUARD_NO_MEMORY;
    }
    return memory;
}

/* A text of its own, terminated. */
static const char *copy(struct reading *reading, const char *bytes, size_t length)
{
    const char *text = arena_copy(&reading->tree->arena, bytes, length);

    if (text == NULL) {
        reading->status = MIGUARD_NO_MEMORY;
    }
    return text;
}

/* ---- events to a tree ----------------------------------------------------------------------- */

/*
 * libyaml gives events in the order of the file. The tree keeps that order (following) beside
 * parent and children, since comments belong to places and not to keys.
 */

/* False after an error or at the end; the caller only has to stop then. */
static bool next_event(struct reading *reading, yaml_event_t *ret_event)
{
    if (reading->status != MIGUARD_OK) {
        return false;
    }
    if (yaml_parser_parse(&reading->parser, ret_event)) {
        return true;
    }
    if (reading->parser.error == YAML_MEMORY_ERROR) {
        reading->status = MIGUARD_NO_MEMORY;
        return false;
    }
    fail(reading, &reading->parser.problem_mark,
         reading->parser.problem != NULL ? reading->parser.problem : "this is not YAML");
    return false;
}

/* Doubles by taking anew: the arena gives nothing back before the end. */
static bool add_span(struct reading *reading, const yaml_event_t *event)
{
    if (reading->span_count == reading->span_limit) {
        size_t limit = reading->span_limit == 0 ? 256 : reading->span_limit * 2;
        struct span *more = arena_take(&reading->tree->arena, limit, sizeof(*more));
        if (more == NULL) {
            reading->status = MIGUARD_NO_MEMORY;
            return false;
        }
        if (reading->span_count > 0) {
            memcpy(more, reading->spans, reading->span_count * sizeof(*more));
        }
        reading->spans = more;
        reading->span_limit = limit;
    }
    reading->spans[reading->span_count++] =
        (struct span){event->start_mark.index, event->end_mark.index};
    return true;
}

/* Appends to the parent and to the chain of all nodes in the order of the file. */
static struct format_node *add_node(struct reading *reading, struct format_node *parent)
{
    struct format_node *node = take(reading, sizeof(*node));

    if (node == NULL) {
        return NULL;
    }
    node->parent = parent;
    if (reading->last != NULL) {
        reading->last->following = node;
    }
    reading->last = node;
    if (parent == NULL) {
        reading->tree->root = node;
        return node;
    }
    if (parent->last != NULL) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    parent->last = node;
    parent->count++;
    return node;
}

/* A NUL would cut the text in C. Anchors and tags are refused, as the reader of policies does. */
static const char *scalar_text(struct reading *reading, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;

    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL) {
        fail(reading, &event->start_mark, "anchors and tags are not allowed; take it away");
        return NULL;
    }
    if (strlen(value) != event->data.scalar.length) {
        fail(reading, &event->start_mark, "a NUL character is not allowed");
        return NULL;
    }
    return add_span(reading, event) ? copy(reading, value, event->data.scalar.length) : NULL;
}

static void read_value(struct reading *reading, struct format_node *node, const yaml_event_t *event,
                       unsigned depth);

/* Entries until the end event of this collection, which sets its end. */
static void read_children(struct reading *reading, struct format_node *node, unsigned depth)
{
    yaml_event_t event;

    while (next_event(reading, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            node->end = event.end_mark.index;
            yaml_event_delete(&event);
            return;
        }
        struct format_node *child = add_node(reading, node);
        if (child != NULL && node->kind == FORMAT_LIST) {
            child->start = event.start_mark.index;
            read_value(reading, child, &event, depth);
        } else if (child != NULL && event.type != YAML_SCALAR_EVENT) {
            fail(reading, &event.start_mark, "a key must be a word");
        } else if (child != NULL) {
            child->start = event.start_mark.index;
            child->key = scalar_text(reading, &event);
            yaml_event_t value;
            if (next_event(reading, &value)) {
                read_value(reading, child, &value, depth);
                yaml_event_delete(&value);
            }
        }
        yaml_event_delete(&event);
    }
}

/* The depth bounds the recursion. It lies a little above what the reader of policies allows
 * (DRAFT_MAX_DEPTH). */
static void read_value(struct reading *reading, struct format_node *node, const yaml_event_t *event,
                       unsigned depth)
{
    if (depth > DRAFT_MAX_DEPTH + 2) {
        fail(reading, &event->start_mark, "nested too deeply");
        return;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node->kind = FORMAT_SCALAR;
        node->value = scalar_text(reading, event);
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->end = event->end_mark.index;
        return;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = FORMAT_LIST;
        break;
    case YAML_MAPPING_START_EVENT:
        node->kind = FORMAT_MAPPING;
        break;
    default:
        fail(reading, &event->start_mark, "an alias is not allowed; write the value out");
        return;
    }
    read_children(reading, node, depth + 1);
}

/* One mapping. Other documents are refused rather than lost. */
static void read_document(struct reading *reading)
{
    yaml_event_t event;
    bool seen = false, more = true;

    while (more && next_event(reading, &event)) {
        if (event.type == YAML_DOCUMENT_START_EVENT && seen) {
            fail(reading, &event.start_mark, "a policy file is one document");
        } else if (event.type == YAML_MAPPING_START_EVENT) {
            struct format_node *root = add_node(reading, NULL);
            seen = true;
            if (root != NULL) {
                read_value(reading, root, &event, 0);
            }
        } else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                   event.type == YAML_ALIAS_EVENT) {
            fail(reading, &event.start_mark, "a policy file is a mapping: version: 1, rules: ...");
        }
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (!seen) {
        fail(reading, &(yaml_mark_t){0}, "the file is empty; it begins with version: 1");
    }
}

/* ---- comments ------------------------------------------------------------------------------- */

/*
 * libyaml drops comments. The text is scanned once more, in step with the spans of the scalars, and
 * each "#" outside of them begins one.
 */

/* text NULL: an empty line. */
static void append_line(struct reading *reading, struct format_line **first,
                        struct format_line **last, const char *text)
{
    if (text == NULL && *last != NULL && (*last)->text == NULL) {
        return; /* several empty lines are one */
    }
    struct format_line *line = take(reading, sizeof(*line));
    if (line == NULL) {
        return;
    }
    line->text = text;
    *(*last == NULL ? first : &(*last)->next) = line;
    *last = line;
}

/* A comment or empty line that has its line for itself belongs to the outermost item that begins
 * behind it. Nodes are in the order of the file, so the first one behind it is the outermost that
 * begins there. */
static void place_line(struct reading *reading, size_t at, const char *text)
{
    struct format_node *node = reading->tree->root->following;

    while (node != NULL && node->start < at) {
        node = node->following;
    }
    if (node != NULL) {
        append_line(reading, &node->before, &node->last_before, text);
    } else {
        append_line(reading, &reading->tree->footer, &reading->tree->last_footer, text);
    }
}

/* A comment behind something belongs to the last item that begins before it, or to the flow
 * collection around that which ends before it. A second comment for the same place goes to the
 * lines before the next item. */
static void place_behind(struct reading *reading, size_t at, const char *text)
{
    struct format_node *node = reading->tree->root->following, *last = NULL;

    for (; node != NULL && node->start < at; node = node->following) {
        last = node;
    }
    while (last != NULL && last->parent != NULL && last->parent->parent != NULL &&
           last->parent->end <= at) {
        last = last->parent;
    }
    if (last == NULL || last->behind != NULL) {
        place_line(reading, at, text);
    } else {
        last->behind = text;
    }
}

/* Where the second pass stands: bytes for reading, characters for comparing with spans. */
struct scan {
    const char *source;
    size_t length, byte;
    size_t at;     /* in characters, as the spans */
    size_t span;   /* the next one */
    bool occupied; /* something but blanks and "-" stands on this line */
    bool dash;     /* a "-" does */
};

/* An invalid byte counts as one character, as for libyaml's marks. */
static void skip_character(struct scan *scan)
{
    uint32_t code;
    size_t length = utf8_next(scan->source + scan->byte, scan->length - scan->byte, &code);

    scan->byte += length > 0 ? length : 1;
    scan->at++;
}

/* To the end of the line, without blanks there. */
static void take_comment(struct reading *reading, struct scan *scan)
{
    size_t start = scan->at, first = scan->byte;

    while (scan->byte < scan->length && scan->source[scan->byte] != '\n') {
        skip_character(scan);
    }
    size_t end = scan->byte;
    while (end > first && strchr(" \t", scan->source[end - 1]) != NULL) {
        end--;
    }
    const char *text = copy(reading, scan->source + first, end - first);
    if (text == NULL) {
        return;
    }
    reading->tree->comments[reading->tree->comment_count++] = text;
    if (scan->occupied) {
        place_behind(reading, start, text);
    } else {
        place_line(reading, start, text);
    }
    scan->occupied = true; /* not an empty line */
}

/* A scalar as a whole. An empty one (a key without a value) has a span of no length. */
static void skip_span(struct reading *reading, struct scan *scan)
{
    const struct span *span = &reading->spans[scan->span++];

    /* A key without a value leaves its line as it is. */
    scan->occupied = scan->occupied || span->end > span->start;
    while (scan->at < span->end && scan->byte < scan->length) {
        skip_character(scan);
    }
    /* A block scalar ends behind its last line. */
    scan->occupied = scan->occupied && (scan->byte == 0 || scan->source[scan->byte - 1] != '\n');
    scan->dash = scan->dash || !scan->occupied;
}

/* There are at most as many comments as "#" signs. A line with a dash alone is not an empty one. */
static void read_comments(struct reading *reading, const char *source, size_t length)
{
    struct scan scan = {.source = source, .length = length};
    /* An upper bound: a "#" inside of a scalar begins no comment. One more, so that a file without
     * comments has an array too. */
    size_t hashes = 1;

    for (size_t i = 0; i < length; i++) {
        hashes += source[i] == '#';
    }
    reading->tree->comments = arena_take(&reading->tree->arena, hashes, sizeof(char *));
    if (reading->tree->comments == NULL) {
        reading->status = MIGUARD_NO_MEMORY;
    }
    while (reading->status == MIGUARD_OK && scan.byte < length) {
        char byte = source[scan.byte];
        if (scan.span < reading->span_count && reading->spans[scan.span].start <= scan.at) {
            skip_span(reading, &scan);
            continue;
        }
        if (byte == '#') {
            take_comment(reading, &scan);
            continue;
        }
        if (byte == '\n') {
            if (!scan.occupied && !scan.dash) {
                place_line(reading, scan.at, NULL);
            }
            scan.occupied = scan.dash = false;
        } else if (byte == '-') {
            scan.dash = true;
        } else if (strchr(" \t", byte) == NULL) {
            scan.occupied = true;
        }
        skip_character(&scan);
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

enum miguard_status format_tree_read(struct format_tree *tree, const char *name, const char *source,
                                     size_t length, struct diagnostics *findings)
{
    struct reading reading = {.tree = tree, .name = name, .findings = findings};

    memset(tree, 0, sizeof(*tree));
    if (!yaml_parser_initialize(&reading.parser)) {
        return MIGUARD_NO_MEMORY;
    }
    yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *)source, length);
    read_document(&reading);
    if (reading.status == MIGUARD_OK) {
        read_comments(&reading, source, length);
    }
    yaml_parser_delete(&reading.parser);
    return reading.status;
}

/* Also after a failed read. */
void format_tree_release(struct format_tree *tree)
{
    arena_release(&tree->arena);
    memset(tree, 0, sizeof(*tree));
}
