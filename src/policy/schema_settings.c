/* SPDX-License-Identifier: MIT */
/*
 * The settings of a policy: of several files the last that gives one counts.
 */
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/schema.h"

const struct schema_word schema_decisions[] = {
    {"allow", DRAFT_ALLOW}, {"deny", DRAFT_DENY}, {NULL, 0}};
const struct schema_word schema_modes[] = {
    {"enforce", DRAFT_ENFORCE}, {"permissive", DRAFT_PERMISSIVE}, {NULL, 0}};
const struct schema_word schema_audits[] = {
    {"deny", POLICY_AUDIT_DENY}, {"open", POLICY_AUDIT_OPEN}, {"use", POLICY_AUDIT_USE}, {NULL, 0}};
static const struct schema_word truth_words[] = {{"true", true}, {"false", false}, {NULL, 0}};
static const struct schema_word yes_words[] = {{"yes", true}, {"no", false}, {NULL, 0}};

/* ---- defaults -------------------------------------------------------------------------------- */

static void read_mode(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned mode;

    if (schema_read_word(reader, node, "mode", schema_modes, &mode)) {
        settings->mode = mode;
        schema_read_place(reader, node, &settings->mode_place);
    }
}

static void read_decision(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        settings->decision = decision;
        schema_read_place(reader, node, &settings->decision_place);
    }
}

static void read_audit_failure(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        settings->audit_failure_denies = decision == DRAFT_DENY;
        schema_read_place(reader, node, &settings->audit_failure_place);
    }
}

static void read_on_mismatch(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {
        {"deny", DRAFT_MISMATCH_DENY}, {"revoke", DRAFT_MISMATCH_REVOKE}, {NULL, 0}};
    struct draft_settings *settings = target;
    unsigned reaction;

    if (schema_read_word(reader, node, "value of on-mismatch", words, &reaction)) {
        settings->on_mismatch = reaction;
        schema_read_place(reader, node, &settings->on_mismatch_place);
    }
}

static void read_default_audit(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;

    settings->audit = schema_read_word_set(reader, node, "value of audit", schema_audits);
    schema_read_place(reader, node, &settings->audit_place);
}

void schema_read_defaults(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"mode", false, read_mode},
        {"decision", false, read_decision},
        {"on-audit-failure", false, read_audit_failure},
        {"on-mismatch", false, read_on_mismatch},
        {"audit", false, read_default_audit},
        {NULL, false, NULL},
    };
    (void)target;
    schema_read_map(reader, node, "defaults", keys, &reader->load->settings);
}

/* ---- compare, watch -------------------------------------------------------------------------- */

void schema_read_compare(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    (void)target;

    settings->compared = node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0
                             ? MIGUARD_COMPONENTS_ALL
                             : schema_read_components(reader, node, false);
    schema_read_place(reader, node, &settings->compared_place);
}

void schema_read_watch(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    unsigned watch;
    (void)target;

    if (schema_read_word(reader, node, "value of watch", truth_words, &watch)) {
        settings->watch = watch != 0;
        schema_read_place(reader, node, &settings->watch_place);
    }
}

/* ---- gate: checked, not there yet ------------------------------------------------------------ */

static void read_scope(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {
        {"off", 0}, {"thread", 1}, {"process", 2}, {NULL, 0}};
    unsigned scope;
    (void)target;

    if (schema_read_word(reader, node, "value of scope", words, &scope) && scope != 0) {
        schema_value_error(reader, node,
                           "the gate is not available in this version; use scope: off");
    }
}

static void read_action(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"errno", 0}, {"kill", 1}, {NULL, 0}};
    unsigned unused;
    (void)target;
    (void)schema_read_word(reader, node, "value of action", words, &unused);
}

static void read_report(const struct reader *reader, const struct node *node, void *target)
{
    unsigned unused;
    (void)target;
    (void)schema_read_word(reader, node, "value of report", yes_words, &unused);
}

void schema_read_gate(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"scope", false, read_scope},
        {"action", false, read_action},
        {"report", false, read_report},
        {NULL, false, NULL},
    };
    schema_read_map(reader, node, "gate", keys, target);
}

/* ---- audit ----------------------------------------------------------------------------------- */

/* A path that means the same wherever the process stands and whatever it is compared with. */
static bool is_plain_path(const char *path)
{
    if (path[0] != '/') {
        return false;
    }
    for (; *path == '/'; path += 1 + strcspn(path + 1, "/")) {
        size_t length = strcspn(path + 1, "/");
        if (length == 0 || (length == 1 && path[1] == '.') ||
            (length == 2 && path[1] == '.' && path[2] == '.')) {
            return false;
        }
    }
    return true;
}

static void read_path(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    const char *path = schema_keep_text(reader, node, "path");

    if (path == NULL) {
        return;
    }
    if (!is_plain_path(path)) {
        schema_value_error(
            reader, node,
            "\"%s\" is no absolute path of a file; write it from / on, without \".\", "
            "\"..\" and double or trailing slashes",
            path);
        return;
    }
    settings->audit_file = path;
    schema_read_place(reader, node, &settings->audit_file_place);
}

static void read_rotate(const struct reader *reader, const struct node *node, void *target)
{
    uint64_t unused;
    (void)target;
    (void)schema_read_size(reader, node, &unused);
}

static void read_keep(const struct reader *reader, const struct node *node, void *target)
{
    uint32_t unused;
    (void)target;
    (void)schema_read_number(reader, node, 1, 9999, &unused);
}

static void read_sync(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"none", 0}, {"deny", 1}, {"all", 2}, {NULL, 0}};
    unsigned unused;
    (void)target;
    (void)schema_read_word(reader, node, "value of sync", words, &unused);
}

static void read_file_sink(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"path", true, read_path},  {"rotate", false, read_rotate},
        {"keep", false, read_keep}, {"sync", false, read_sync},
        {NULL, false, NULL},
    };
    struct draft_settings *settings = &reader->load->settings;
    bool *seen = target;

    if (*seen) {
        schema_key_error(reader, node,
                         "a second file sink is not available in this version; keep one");
    }
    *seen = true;
    schema_read_map(reader, node, "a file sink", keys, settings);
}

static void read_other_sink(const struct reader *reader, const struct node *node, void *target)
{
    (void)target;
    schema_key_error(reader, node, "the sink \"%s\" is not available in this version; use file",
                     node->key);
}

static void read_sink(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"file", false, read_file_sink},
        {"syslog", false, read_other_sink},
        {"journald", false, read_other_sink},
        {"audit", false, read_other_sink},
        {NULL, false, NULL},
    };
    if (node->kind == NODE_MAP && node->count > 1) {
        schema_value_error(reader, node,
                           "a sink with %u kinds; begin each sink with \"- \" of its own",
                           node->count);
        return;
    }
    schema_read_map(reader, node, "a sink", keys, target);
}

static void read_sinks(const struct reader *reader, const struct node *node, void *target)
{
    bool seen = false;
    (void)target;
    schema_read_items(reader, node, "sinks", read_sink, &seen);
}

void schema_read_audit(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {{"sinks", true, read_sinks}, {NULL, false, NULL}};
    schema_read_map(reader, node, "audit", keys, target);
}
