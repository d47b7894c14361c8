/* SPDX-License-Identifier: MIT */
/*
 * A policy file as its author wrote it: the tree of its keys and values with the comments and empty
 * lines that belong to each, for format.c. It knows YAML and nothing of policies.
 */
#ifndef TOOLS_POLICY_FORMAT_TREE_H
#define TOOLS_POLICY_FORMAT_TREE_H

#include "base/arena.h"
#include "miguard/status.h"
#include "policy/diagnostic.h"

/* A whole-line comment from its "#" on; text is NULL for an empty line. */
struct format_line {
    const char *text;
    struct format_line *next;
};

/* A scalar has a value; the other two have children. */
enum format_kind { FORMAT_SCALAR, FORMAT_LIST, FORMAT_MAPPING };

/* An entry of a mapping (with its key), an element of a list, or the root. */
struct format_node {
    enum format_kind kind;
    const char *key;   /* NULL for an element and the root */
    const char *value; /* of a scalar */
    bool quoted;       /* the scalar was in quotes or a block */
    size_t start, end; /* in characters from the beginning of the file */
    struct format_line *before, *last_before;
    const char *behind; /* the comment at the end of its line, or NULL */
    struct format_node *parent, *first, *last, *next;
    struct format_node *following; /* in the order of the file */
    uint32_t count;                /* children */
};

/* All memory is the arena's. Nodes point into no other text. */
struct format_tree {
    /* Holds all nodes, lines and texts. */
    struct arena arena;
    struct format_node *root;
    struct format_line *footer, *last_footer; /* behind the last item */
    const char **comments;                    /* every comment of the file */
    size_t comment_count;
};

/* Errors: NO_MEMORY; BAD_POLICY: one error in *findings says why. Release in every case. */
MIGUARD_CHECKED enum miguard_status format_tree_read(struct format_tree *tree, const char *name,
                                                     const char *source, size_t length,
                                                     struct diagnostics *findings);
/* (format.c) Takes the comments that are about the file, above its first item and an empty line,
 * out of the tree, with the empty line; NULL when there are no such lines. */
struct format_line *format_take_header(struct format_tree *tree);

/* (format.c) Appends the canonical form, whose comments nothing has proved yet. It sorts the tree.
 */
void format_write_tree(struct format_tree *tree, struct text *text);

/* May be called twice. */
void format_tree_release(struct format_tree *tree);

#endif
