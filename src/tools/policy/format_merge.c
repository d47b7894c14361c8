/* SPDX-License-Identifier: MIT */
/*
 * Merges the files of a policy into one, for `miguard policy bundle`.
 *
 * format_merge() reads a tree of each file and moves what the later ones have into the first one,
 * by the rule of the loader. The nodes stay in the memory of their own trees, which are all
 * released at the end. The text is formatted once more by format_policy(), which proves that no
 * comment of it is lost by that.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tools/policy/format.h"
#include "tools/policy/format_tree.h"

/* ---- comments ------------------------------------------------------------------------------- */

/* lines, then *list. */
static void put_before(struct format_line *lines, struct format_line **list)
{
    struct format_line *last = lines;

    if (lines == NULL) {
        return;
    }
    while (last->next != NULL) {
        last = last->next;
    }
    last->next = *list;
    *list = lines;
}

/* *list, then lines. */
static void put_behind(struct format_line **list, struct format_line *lines)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = lines;
}

/* An empty line (text NULL) or a comment, in the memory of tree. */
static struct format_line *make_line(struct format_tree *tree, const char *text)
{
    struct format_line *line = arena_take(&tree->arena, 1, sizeof(*line));

    if (line != NULL) {
        *line = (struct format_line){.text = text};
    }
    return line;
}

/* What stands before and behind a key goes before its first child: the key itself is not written a
 * second time. */
static void give_to_first_child(struct format_tree *tree, struct format_node *node)
{
    if (node->first == NULL) {
        return;
    }
    if (node->behind != NULL) {
        put_before(make_line(tree, node->behind), &node->first->before);
    }
    put_before(node->before, &node->first->before);
    put_before(make_line(tree, NULL), &node->first->before);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct format_node **find_key(struct format_node *mapping, const char *key)
{
    struct format_node **at = &mapping->first;

    while (*at != NULL && strcmp((*at)->key, key) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void append_child(struct format_node *parent, struct format_node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->first == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count++;
}

/* In the place of the older one, so that `last` and the order hold. */
static void replace_child(struct format_node *parent, struct format_node **at,
                          struct format_node *child)
{
    struct format_node *old = *at;

    child->parent = parent;
    child->next = old->next;
    *at = child;
    if (parent->last == old) {
        parent->last = child;
    }
}

static bool is_one_of(const char *key, const char *const *keys)
{
    while (*keys != NULL && strcmp(*keys, key) != 0) {
        keys++;
    }
    return *keys != NULL;
}

/* Every child of from goes to into: behind the others, or in a mapping in the place of the one with
 * its key. Duplicate names of lists are errors of the loader, which reads the files first. */
static void move_children(struct format_tree *tree, struct format_node *into,
                          struct format_node *from)
{
    if (into->kind == FORMAT_LIST) {
        give_to_first_child(tree, from);
    }
    for (struct format_node *child = from->first, *next; child != NULL; child = next) {
        next = child->next;
        struct format_node **at = into->kind == FORMAT_MAPPING ? find_key(into, child->key) : NULL;
        if (at != NULL && *at != NULL) {
            replace_child(into, at, child);
        } else {
            append_child(into, child);
        }
    }
}

/* The rule of the loader for the keys at the top of a file (miguard-policy(5)). The version is the
 * same in all. */
static void merge_key(struct format_tree *tree, struct format_node *root, struct format_node *entry)
{
    static const char *const joined[] = {"defaults", "gate",  "audit", "clients",
                                         "lists",    "rules", "tests", NULL};
    struct format_node **at = find_key(root, entry->key);

    if (*at == NULL) {
        append_child(root, entry);
    } else if (is_one_of(entry->key, joined) && entry->kind == (*at)->kind) {
        move_children(tree, *at, entry);
    } else if (strcmp(entry->key, "version") != 0) {
        replace_child(root, at, entry);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

/* The version is said once; what was said about it stands on top. */
static void keep_comments(struct format_tree *tree, struct format_node *entry,
                          struct format_line **header)
{
    put_behind(header, entry->before);
    if (entry->behind != NULL) {
        put_behind(header, make_line(tree, entry->behind));
    }
}

static void merge_tree(struct format_tree *into, struct format_tree *from,
                       struct format_line **header)
{
    put_behind(header, format_take_header(from));
    for (struct format_node *entry = from->root->first, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (strcmp(entry->key, "version") == 0) {
            keep_comments(from, entry, header);
        }
        merge_key(from, into->root, entry);
    }
    if (from->footer != NULL) {
        put_behind(&into->footer, from->footer);
        into->last_footer = from->last_footer;
    }
}

/* Line for line as write of one file; *header goes above the first item, which it no longer belongs
 * to since an empty line ends it. */
static enum miguard_status merge_all(struct format_tree *trees, size_t count, struct text *text)
{
    struct format_line *header = format_take_header(&trees[0]);

    for (size_t i = 1; i < count; i++) {
        merge_tree(&trees[0], &trees[i], &header);
    }
    if (trees[0].root->first != NULL) {
        put_before(header, &trees[0].root->first->before);
    }
    format_write_tree(&trees[0], text);
    for (size_t i = 0; i < count; i++) {
        if (trees[i].arena.failed) {
            return MIGUARD_NO_MEMORY;
        }
    }
    text_append(text, "");
    return text->failed ? MIGUARD_NO_MEMORY : MIGUARD_OK;
}

enum miguard_status format_merge(const struct format_source *sources, size_t count,
                                 const char *name, struct text *ret_text,
                                 struct diagnostics *findings)
{
    struct format_tree *trees = base_alloc(count + 1, sizeof(*trees));
    struct text text = TEXT_EMPTY;
    enum miguard_status status = trees != NULL ? MIGUARD_OK : MIGUARD_NO_MEMORY;
    size_t read = 0;

    while (status == MIGUARD_OK && read < count) {
        status = format_tree_read(&trees[read], sources[read].name, sources[read].text,
                                  sources[read].length, findings);
        read++;
    }
    if (status == MIGUARD_OK) {
        status = count > 0 ? merge_all(trees, count, &text) : MIGUARD_INVALID_ARGUMENT;
    }
    if (status == MIGUARD_OK) {
        status = format_policy(name, text.data, text.length, ret_text, findings);
    }
    while (trees != NULL && read > 0) {
        format_tree_release(&trees[--read]);
    }
    base_free(trees);
    text_release(&text);
    return status;
}
