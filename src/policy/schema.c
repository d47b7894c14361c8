/* SPDX-License-Identifier: MIT */
/* Reads the top level of one policy file into a load, and checks what only the whole set can
 * show: that the rules that tests name exist. load.c calls it for each file. */
#include "policy/schema.h"

#include <string.h>

#include "base/alloc.h"

/* A file of another version may mean something else by every word, so the version is reported
 * first. */
static void read_version(const struct reader *reader, const struct node *node, void *target)
{
    const char *text = schema_read_text(reader, node, "version");
    (void)target;

    if (text != NULL && strcmp(text, "1") != 0) {
        schema_value_error(reader, node, "version \"%s\" is not known here; write \"version: 1\"",
                           text);
    }
}

/* Read before all else (schema_read()), wherever it stands in the file. */
static void pass_lists(const struct reader *reader, const struct node *node, void *target)
{
    (void)reader, (void)node, (void)target;
}

/* In the order of miguard-policy(5), which messages about unknown keys have too. */
static const struct schema_key policy_keys[] = {
    {"version", true, read_version},
    {"defaults", false, schema_read_defaults},
    {"compare", false, schema_read_compare},
    {"gate", false, schema_read_gate},
    {"watch", false, schema_read_watch},
    {"audit", false, schema_read_audit},
    {"clients", false, schema_read_clients},
    {"lists", false, pass_lists},
    {"rules", false, schema_read_rules},
    {"tests", false, schema_read_tests},
    {NULL, false, NULL},
};

/* Whether all rules of a file are seen, so that one that is not there is really missing. An unknown
 * key may be "rules" misspelt; nothing is said about references then. */
static bool shows_all_rules(const struct node *root)
{
    if (root == NULL || root->kind != NODE_MAP) {
        return false;
    }
    for (const struct node *entry = root->first; entry != NULL; entry = entry->next) {
        const struct schema_key *key = policy_keys;
        while (key->name != NULL && strcmp(key->name, entry->key) != 0) {
            key++;
        }
        if (key->name == NULL || (key->read == schema_read_rules && entry->kind != NODE_LIST)) {
            return false;
        }
    }
    return true;
}

/* Errors go to the list of the load; the other files are read all the same. */
void schema_read(struct load *load, const struct policy_source *source)
{
    struct reader reader = {.load = load, .source = source};
    size_t before = load->errors->errors;

    reader.file = arena_copy(load->kept, source->name, strlen(source->name));
    if (reader.file == NULL) {
        load->failed = true;
        return;
    }
    load->files[load->file_count++] = reader.file;
    const struct node *root = document_read(source, &load->temporary, load->errors);
    if (load->errors->errors != before || !shows_all_rules(root)) {
        load->incomplete = true;
    }
    for (const struct node *entry = root != NULL && root->kind == NODE_MAP ? root->first : NULL;
         entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, "lists") == 0) {
            schema_read_lists(&reader, entry);
        }
    }
    if (root != NULL) {
        schema_read_map(&reader, root, "the policy", policy_keys, load);
    }
}

/* ---- references ------------------------------------------------------------------------------ */

/* Hashes first: thousands of tests may name one of a thousand rules. */
static bool rule_exists(const struct load *load, const char *name)
{
    uint32_t hash = schema_hash(name);

    for (uint32_t i = 0; i < load->rule_count; i++) {
        if (load->rule_hashes[i] == hash && strcmp(load->rules[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* candidates has room for all rules, "default" and NULL. */
static void report_unknown_rule(const struct load *load, const struct rule_reference *reference,
                                const char **candidates)
{
    uint32_t count = 0;

    for (; count < load->rule_count; count++) {
        candidates[count] = load->rules[count].name;
    }
    candidates[count] = "default";
    candidates[count + 1] = NULL;

    const char *nearest = diagnostic_nearest(reference->node->text, candidates);
    if (nearest != NULL) {
        source_error(reference->source, load->errors, reference->node->line,
                     reference->node->column, "unknown rule \"%s\"; did you mean \"%s\"?",
                     reference->node->text, nearest);
    } else {
        source_error(
            reference->source, load->errors, reference->node->line, reference->node->column,
            "unknown rule \"%s\"; give the name of a rule, or \"default\"", reference->node->text);
    }
}

/* Only when all rules are known: else every reference could look wrong. */
void schema_finish(struct load *load)
{
    if (load->incomplete || load->failed) {
        return;
    }
    const char **candidates =
        arena_take(&load->temporary, (size_t)load->rule_count + 2, sizeof(*candidates));
    if (candidates == NULL) {
        load->failed = true;
        return;
    }
    schema_check_gate(load);
    for (const struct rule_reference *reference = load->references; reference != NULL;
         reference = reference->next) {
        const char *name = reference->node->text;
        if (strcmp(name, "default") != 0 && !rule_exists(load, name)) {
            report_unknown_rule(load, reference, candidates);
        }
    }
}
