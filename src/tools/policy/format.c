/* SPDX-License-Identifier: MIT */
/*
 * Writes a policy file in its canonical form, for `miguard policy fmt`.
 *
 * format_policy() reads the tree (format_tree.c), sorts the keys, writes each collection on one
 * line where it fits, and reads its own result again (prove()). A formatter of a policy must never
 * change what the policy means: the command compares both drafts with format_same() before it
 * writes, and this file refuses what it cannot keep.
 */
#include "tools/policy/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "policy/schema.h"
#include "tools/policy/format_tree.h"

/* Columns of a line that is not broken, and blanks for each level. */
enum { WIDTH = 100, STEP = 2 };

/* ---- the order of keys ---------------------------------------------------------------------- */

/*
 * The order is that of the manual page, so that two policies can be compared line by line. Keys at
 * the top of the file come in the same way.
 */

/* Which keys stand below which ("" is the file itself, "rules" also an element of it), in the order
 * of miguard-policy(5). */
static const struct {
    const char *parent;
    const char *keys[SCHEMA_MAX_KEYS];
    /* Keys that are missing here stand last in their map, in the order of the file: nothing is
     * dropped. The reader of policies refuses unknown keys, not this file. */
} orders[] = {
    {"",
     {"version", "defaults", "compare", "gate", "watch", "audit", "clients", "lists", "rules",
      "tests"}},
    {"defaults", {"mode", "permissive", "decision", "on-audit-failure", "on-mismatch", "audit"}},
    {"gate", {"scope", "action", "report", "io-uring"}},
    {"audit", {"repeat-window", "keys", "sinks"}},
    {"file", {"path", "rotate", "rotate-every", "keep", "sync", "chain", "group", "on-failure"}},
    {"syslog", {"socket", "facility", "enterprise", "on-failure"}},
    {"clients", {"provider", "may"}},
    {"rules", {"name", "match", "decision", "mode", "audit", "reason"}},
#define MATCH_KEY_NAME(member, key, ...) key,
    {"match", {MATCH_KEY_MAP(MATCH_KEY_NAME) "not"}},
    {"not", {MATCH_KEY_MAP(MATCH_KEY_NAME)}},
    {"when", {"days", "hours", "from", "until", "zone"}},
#undef MATCH_KEY_NAME
    {"tests", {"name", "given", "expect"}},
#define MATCH_FACT_NAME(member, key) key,
    {"given",
     {"opened-as", "used-as", "mismatch", "operation", MATCH_FACT_MAP(MATCH_FACT_NAME) "at",
      "namespace", "class", "method"}},
#undef MATCH_FACT_NAME
    {"opened-as", {"user", "group", "groups", "drop-capabilities", "add-capabilities"}},
    {"used-as", {"user", "group", "groups", "drop-capabilities", "add-capabilities"}},
    {"expect", {"decision", "mismatch", "rule"}},
};

/* The key under which a mapping stands; an element of a list has that of the list, the root has
 * "". */
static const char *parent_key(const struct format_node *mapping)
{
    while (mapping->key == NULL && mapping->parent != NULL) {
        mapping = mapping->parent;
    }
    return mapping->key == NULL ? "" : mapping->key;
}

/* Where key stands below parent; what is not known stands last. A known parent gives its own order;
 * another one gives 0, which keeps the file's. */
static unsigned rank(const char *parent, const char *key)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(orders[i].parent, parent) != 0) {
            continue;
        }
        unsigned at = 0;
        while (at < SCHEMA_MAX_KEYS && orders[i].keys[at] != NULL &&
               strcmp(orders[i].keys[at], key) != 0) {
            at++;
        }
        return at;
    }
    return 0;
}

/* Puts the children of every mapping in order; those of equal rank stay as they are. Insertion,
 * which is stable. Lists keep their order: that of rules decides. */
static void sort_children(struct format_node *node)
{
    const char *parent = parent_key(node);
    struct format_node *sorted = NULL;

    for (struct format_node *child = node->first, *next; child != NULL; child = next) {
        next = child->next;
        sort_children(child);
        struct format_node **at = &sorted;
        while (*at != NULL && (node->kind == FORMAT_LIST ||
                               rank(parent, (*at)->key) <= rank(parent, child->key))) {
            at = &(*at)->next;
        }
        child->next = *at;
        *at = child;
    }
    node->first = sorted;
}

/* ---- one line or several -------------------------------------------------------------------- */

/*
 * A collection is written in flow style ([a, b], {k: v}) when it fits its line and holds no
 * comment: a flow collection has no place to keep one.
 */

/* Before the node, inside of its lines, or behind it. Empty lines do not count. */
static bool has_comment(const struct format_node *node)
{
    for (const struct format_line *line = node->before; line != NULL; line = line->next) {
        if (line->text != NULL) {
            return true;
        }
    }
    return node->behind != NULL;
}

/* A collection that may stand on one line: nothing in it has a comment, and no mapping is in a
 * list. The mappings of the top level are spread out always. The element of a top level list is
 * spread out as well: a rule is read key by key. */
static bool can_flow(const struct format_node *node)
{
    if (node->first == NULL) {
        return true;
    }
    if (node->kind == FORMAT_MAPPING &&
        (node->parent == NULL || node->key == NULL || node->parent->parent == NULL)) {
        return false;
    }
    for (const struct format_node *child = node->first; child != NULL; child = child->next) {
        if (has_comment(child) || !can_flow(child)) {
            return false;
        }
    }
    return true;
}

/* As it was, in quotes or not; but quoted too where a flow collection would read it otherwise. The
 * second case changes quotes and not the text, as YAML's double quotes take JSON's escapes. */
static void write_scalar(struct text *text, const char *value, bool quoted, bool in_flow)
{
    if (!quoted && (!in_flow || strpbrk(value, ",[]{}?:\"\\") == NULL)) {
        text_append(text, value);
        return;
    }
    text->comma = false;
    text_json_string(text, NULL, value);
}

/* One line, whatever its length. write_here() takes it back when it is too long. */
static void write_flow(struct text *text, const struct format_node *node, bool in_flow)
{
    if (node->kind == FORMAT_SCALAR) {
        write_scalar(text, node->value, node->quoted, in_flow);
        return;
    }
    text_append(text, node->kind == FORMAT_LIST ? "[" : "{");
    for (const struct format_node *child = node->first; child != NULL; child = child->next) {
        if (child->key != NULL) {
            write_scalar(text, child->key, false, true);
            text_append(text, ": ");
        }
        write_flow(text, child, true);
        text_append(text, child->next != NULL ? ", " : "");
    }
    text_append(text, node->kind == FORMAT_LIST ? "]" : "}");
}

/* ---- writing -------------------------------------------------------------------------------- */

/*
 * Each function knows the offset at which its line began, so that the width can be measured after
 * the line was written and the attempt taken back.
 */

/* Blanks only: a policy must not hold tabs (policy/characters.h). */
static void write_indent(struct text *text, unsigned indent)
{
    text_format(text, "%*s", (int)indent, "");
}

/* Comments with the indentation of what they belong to. first: no empty line at the top of a
 * block. */
static void write_lines(struct text *text, const struct format_line *line, unsigned indent,
                        bool first, bool comments_only)
{
    for (; line != NULL; line = line->next) {
        if (line->text != NULL) {
            write_indent(text, indent);
            text_append(text, line->text);
            text_append(text, "\n");
            first = false;
        } else if (!first && !comments_only) {
            text_append(text, "\n");
        }
    }
}

/* The comment behind, then the newline. */
static void write_end(struct text *text, const struct format_node *node)
{
    if (node->behind != NULL) {
        text_append(text, " ");
        text_append(text, node->behind);
    }
    text_append(text, "\n");
}

/* Behind "key:" or "-" that begin at line: true when the value fitted there. line: the offset in
 * text where this line began. A scalar stays even when it is too long, since it cannot be
 * broken. */
static bool write_here(struct text *text, const struct format_node *node, size_t line)
{
    if (!can_flow(node)) {
        return false;
    }
    size_t before = text->length;
    if (node->kind != FORMAT_SCALAR || node->quoted || node->value[0] != '\0') {
        text_append(text, " ");
    }
    write_flow(text, node, false);
    if (text->failed || node->first == NULL ||
        utf8_count(text->data + line, text->length - line) <= WIDTH) {
        write_end(text, node);
        return true;
    }
    text->length = before;
    text->data[before] = '\0';
    return false;
}

static void write_block(struct text *text, const struct format_node *node, unsigned indent,
                        bool in_line);

/* The value behind the colon, or as a block below it. */
static void write_entry(struct text *text, const struct format_node *entry, unsigned indent)
{
    size_t line = text->length - indent;

    write_scalar(text, entry->key, false, false);
    text_append(text, ":");
    if (!write_here(text, entry, line)) {
        write_end(text, entry);
        write_block(text, entry, indent + STEP, false);
    }
}

/* The comments of the first entry, and those behind the "-", have no place on the element's line:
 * they stand before it. A mapping begins behind the "- ", so its first key has no line before
 * it. */
static void write_element(struct text *text, const struct format_node *element, unsigned indent)
{
    if (element->kind == FORMAT_MAPPING && element->first != NULL) {
        write_lines(text, element->first->before, indent, true, true);
        if (element->behind != NULL) {
            write_indent(text, indent);
            text_append(text, element->behind);
            text_append(text, "\n");
        }
        write_indent(text, indent);
        text_append(text, "- ");
        write_block(text, element, indent + STEP, true);
        return;
    }
    write_indent(text, indent);
    text_append(text, "-");
    if (!write_here(text, element, text->length - indent - 1)) {
        write_end(text, element);
        write_block(text, element, indent + STEP, false);
    }
}

/* The children, one below the other; in_line: the first one's line has been begun. */
static void write_block(struct text *text, const struct format_node *node, unsigned indent,
                        bool in_line)
{
    for (const struct format_node *child = node->first; child != NULL; child = child->next) {
        bool begun = in_line && child == node->first;
        if (!begun) {
            write_lines(text, child->before, indent, child == node->first, false);
        }
        if (node->kind == FORMAT_LIST) {
            write_element(text, child, indent);
            continue;
        }
        if (!begun) {
            write_indent(text, indent);
        }
        write_entry(text, child, indent);
    }
}

/* ---- the file ------------------------------------------------------------------------------- */

/* What stands above the first item and an empty line is about the file, and stays on top when that
 * item moves. NULL when the file has no such header. */
struct format_line *format_take_header(struct format_tree *tree)
{
    struct format_node *first = tree->root->first;
    struct format_line *header = first == NULL ? NULL : first->before, *end = NULL;

    /* Empty lines at the very top are dropped. */
    while (header != NULL && header->text == NULL) {
        header = header->next;
    }
    for (struct format_line *line = header; line != NULL; line = line->next) {
        end = line->text == NULL ? line : end;
    }
    if (end == NULL) {
        return NULL;
    }
    first->before = end->next;
    end->next = NULL;
    return header;
}

/* Header, items in their order, and what stands behind the last one. Empty lines at the end are
 * dropped. */
void format_write_tree(struct format_tree *tree, struct text *text)
{
    struct format_line *header = format_take_header(tree);

    sort_children(tree->root);
    write_lines(text, header, 0, true, false);
    write_block(text, tree->root, 0, false);
    struct format_line *footer = tree->footer;
    for (struct format_line *line = footer; line != NULL; line = line->next) {
        if (line->next != NULL && line->next->next == NULL && line->next->text == NULL) {
            line->next = NULL; /* no empty line at the end */
        }
    }
    if (footer != NULL && (footer->text != NULL || footer->next != NULL)) {
        write_lines(text, footer, 0, false, false);
    }
}

/* For qsort(3). */
static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* As sets with repetition: their order may change with that of the keys. */
static bool same_comments(struct format_tree *a, struct format_tree *b)
{
    if (a->comment_count != b->comment_count) {
        return false;
    }
    qsort(a->comments, a->comment_count, sizeof(char *), compare_texts);
    qsort(b->comments, b->comment_count, sizeof(char *), compare_texts);
    for (size_t i = 0; i < a->comment_count; i++) {
        if (strcmp(a->comments[i], b->comments[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* Whether text, read again, has the same comments and the same form. The form must be stable as
 * well: a second run that changes the file again would make `--check` fail for a file that was just
 * written. */
static enum miguard_status prove(struct format_tree *tree, const char *name,
                                 const struct text *text, struct diagnostics *findings)
{
    struct policy_place place = {name, 0, 0};
    struct format_tree again;
    struct text second = TEXT_EMPTY;

    enum miguard_status status = format_tree_read(&again, name, text->data, text->length, findings);
    if (status == MIGUARD_OK) {
        bool comments = same_comments(tree, &again);
        format_write_tree(&again, &second);
        if (second.failed || again.arena.failed) {
            status = MIGUARD_NO_MEMORY;
        } else if (!comments) {
            diagnostic_add(findings, DIAGNOSTIC_ERROR, &place, NULL, 0,
                           "not formatted: a comment stands where it cannot be kept; put it on a "
                           "line of its own");
            status = MIGUARD_BAD_POLICY;
        } else if (strcmp(second.data, text->data) != 0) {
            diagnostic_add(findings, DIAGNOSTIC_ERROR, &place, NULL, 0,
                           "not formatted: its comments leave no stable form; put them on lines of "
                           "their own");
            status = MIGUARD_BAD_POLICY;
        }
    }
    text_release(&second);
    format_tree_release(&again);
    return status;
}

/* *ret_text is appended to only when all is proved. */
enum miguard_status format_policy(const char *name, const char *source, size_t length,
                                  struct text *ret_text, struct diagnostics *findings)
{
    struct format_tree tree;
    struct text text = TEXT_EMPTY;

    enum miguard_status status = format_tree_read(&tree, name, source, length, findings);
    if (status == MIGUARD_OK) {
        format_write_tree(&tree, &text);
        text_append(&text, ""); /* also an empty mapping is a text */
        status = text.failed ? MIGUARD_NO_MEMORY : prove(&tree, name, &text, findings);
    }
    if (status == MIGUARD_OK) {
        text_append_bytes(ret_text, text.data, text.length);
        status = ret_text->failed ? MIGUARD_NO_MEMORY : MIGUARD_OK;
    }
    text_release(&text);
    format_tree_release(&tree);
    return status;
}

/* ---- the same meaning ----------------------------------------------------------------------- */

/*
 * Compared are drafts, which have what a policy means after names and defaults were resolved. A
 * member of a draft that is left out here could change unseen: each new one needs its comparison.
 */

/* NULL equals NULL only: an absent value differs from an empty one. */
static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Numbers and what was written: two names may stand for one id. */
static bool same_ranges(const struct draft_ranges *a, const struct draft_ranges *b)
{
    bool same = a->count == b->count;

    for (uint32_t i = 0; same && i < a->count; i++) {
        same = a->items[i].first == b->items[i].first && a->items[i].last == b->items[i].last &&
               same_text(a->items[i].text, b->items[i].text);
    }
    return same;
}

static bool same_members(const struct draft_ranges *a, const struct draft_ranges *b)
{
    return same_ranges(a, b);
}

/* In their order, which fmt does not change. */
static bool same_globs(const struct draft_globs *a, const struct draft_globs *b)
{
    bool same = a->count == b->count;

    for (uint32_t i = 0; same && i < a->count; i++) {
        same = same_text(a->items[i].text, b->items[i].text);
    }
    return same;
}

static bool same_names(const struct draft_globs *a, const struct draft_globs *b)
{
    return same_globs(a, b);
}

static bool same_capabilities(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}

static bool same_operations(const uint32_t *a, const uint32_t *b)
{
    return *a == *b;
}

static bool same_components(const miguard_components *a, const miguard_components *b)
{
    return *a == *b;
}

static bool same_times(const struct draft_times *a, const struct draft_times *b)
{
    return a->days == b->days && a->has_hours == b->has_hours && a->first == b->first &&
           a->last == b->last && a->zone == b->zone && a->from == b->from && a->until == b->until;
}

/* One function for each shape, so a new key is compared without a change here. */
static bool same_match(const struct draft_match *a, const struct draft_match *b)
{
    bool both = a->except != NULL && b->except != NULL;

#define SAME_KEY(member, key, shape, ...) same_##shape(&a->member, &b->member) &&
    return MATCH_KEY_MAP(SAME_KEY)(both ? same_match(a->except, b->except)
                                        : a->except == b->except);
#undef SAME_KEY
}

/* All that decides or is shown. Places differ, as lines move. */
static bool same_rule(const struct draft_rule *a, const struct draft_rule *b)
{
    return same_text(a->name, b->name) && same_text(a->reason, b->reason) &&
           a->has_match == b->has_match && same_match(&a->match, &b->match) &&
           a->decision == b->decision && a->has_mode == b->has_mode && a->mode == b->mode &&
           a->has_audit == b->has_audit && a->audit == b->audit;
}

/* Ids as they were looked up: both drafts were read by the same process. */
static bool same_subject(const struct draft_subject *a, const struct draft_subject *b)
{
    return a->uid == b->uid && a->gid == b->gid && a->group_count == b->group_count &&
           (a->group_count == 0 ||
            memcmp(a->groups, b->groups, a->group_count * sizeof(*a->groups)) == 0) &&
           a->capabilities == b->capabilities && same_text(a->text, b->text);
}

/* What the test gives and expects. */
static bool same_test(const struct draft_test *a, const struct draft_test *b)
{
    return same_text(a->name, b->name) && same_subject(&a->opened_as, &b->opened_as) &&
           a->has_used_as == b->has_used_as && same_subject(&a->used_as, &b->used_as) &&
           a->differing == b->differing && a->moment == b->moment && a->operation == b->operation &&
#define SAME_FACT(member, key) same_text(a->member, b->member) &&
           MATCH_FACT_MAP(SAME_FACT)
#undef SAME_FACT
               same_text(a->name_space, b->name_space) &&
           same_text(a->class_names[0], b->class_names[0]) &&
           same_text(a->class_names[1], b->class_names[1]) &&
           same_text(a->class_names[2], b->class_names[2]) && same_text(a->method, b->method) &&
           a->expect_decision == b->expect_decision &&
           a->has_expect_mismatch == b->has_expect_mismatch &&
           a->expect_mismatch == b->expect_mismatch && same_text(a->expect_rule, b->expect_rule);
}

/* Every setting of a sink; a new one must be added here. */
static bool same_sink(const struct draft_sink *one, const struct draft_sink *other)
{
    const struct sink_settings *a = &one->settings, *b = &other->settings;

    return a->kind == b->kind && a->failure_denies == b->failure_denies &&
           same_text(a->path, b->path) && a->rotate_bytes == b->rotate_bytes &&
           a->rotate_seconds == b->rotate_seconds && a->keep == b->keep && a->sync == b->sync &&
           a->chain_required == b->chain_required && a->has_gid == b->has_gid && a->gid == b->gid &&
           a->facility == b->facility && a->enterprise == b->enterprise;
}

/* Sinks in their order, and the settings of audit beside them. */
static bool same_sinks(const struct draft_settings *a, const struct draft_settings *b)
{
    if (a->repeat_seconds != b->repeat_seconds || a->keys != b->keys ||
        a->sink_count != b->sink_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->sink_count; i++) {
        if (!same_sink(&a->sinks[i], &b->sinks[i])) {
            return false;
        }
    }
    return true;
}

/* In their order: the first one that fits a provider counts. */
static bool same_clients(const struct draft_settings *a, const struct draft_settings *b)
{
    bool same = a->client_count == b->client_count;

    for (uint32_t i = 0; same && i < a->client_count; i++) {
        same = a->clients[i].may == b->clients[i].may &&
               same_globs(&a->clients[i].providers, &b->clients[i].providers);
    }
    return same;
}

/* Every setting of the file outside of rules and tests. */
static bool same_settings(const struct draft_settings *a, const struct draft_settings *b)
{
    return a->mode == b->mode && same_globs(&a->permissive, &b->permissive) &&
           a->decision == b->decision && a->audit_failure_denies == b->audit_failure_denies &&
           a->on_mismatch == b->on_mismatch && a->audit == b->audit && a->compared == b->compared &&
           a->watch == b->watch && a->gate.scope == b->gate.scope &&
           a->gate.action == b->gate.action && a->gate.report == b->gate.report &&
           a->gate.deny_io_uring == b->gate.deny_io_uring && same_sinks(a, b) && same_clients(a, b);
}

bool format_same(const struct policy_draft *a, const struct policy_draft *b)
{
    bool same = same_settings(&a->settings, &b->settings) && a->rule_count == b->rule_count &&
                a->test_count == b->test_count;

    for (uint32_t i = 0; same && i < a->rule_count; i++) {
        same = same_rule(&a->rules[i], &b->rules[i]);
    }
    for (uint32_t i = 0; same && i < a->test_count; i++) {
        same = same_test(&a->tests[i], &b->tests[i]);
    }
    return same;
}
