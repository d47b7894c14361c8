/* SPDX-License-Identifier: MIT */
/*
 * A policy file's syntax: a strict subset of YAML as a tree of nodes that know their places.
 *
 * libyaml's events are all that is used of it. What the subset leaves out is what makes one text
 * mean two things to two readers: anchors, aliases, tags, merge keys, duplicate keys, directives,
 * several documents, text over several lines. No scalar has a type here; the schema gives it one.
 */
#ifndef POLICY_DOCUMENT_H
#define POLICY_DOCUMENT_H

#include <stdint.h>

#include "base/arena.h"
#include "policy/source.h"

/* What was written there, not what it means. */
enum node_kind {
    NODE_BAD, /* already reported: say nothing more of it */
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
};

/* Lines and columns count from 1. Lives as long as the load. */
struct node {
    enum node_kind kind;
    bool empty; /* a scalar of which nothing is written, as in "key:" */
    unsigned line, column;
    const char *text; /* of a scalar; holds no NUL and no control character */
    const char *key;  /* of an entry of a map, else NULL */
    unsigned key_line, key_column;
    struct node *first, *last; /* of a list or map: what is in it, in the order of the file */
    struct node *next;
    uint32_t count;
};

/* The root, or NULL when it is missing: then *errors says why, or memory is out (arena->failed or
 * errors->failed). Errors that leave the rest readable do not stop the reading. source must outlive
 * the nodes' use for errors; nodes are arena's. */
struct node *document_read(const struct policy_source *source, struct arena *arena,
                           struct diagnostics *errors);

#endif
