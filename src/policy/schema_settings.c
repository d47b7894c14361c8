/* SPDX-License-Identifier: MIT */
/*
 * The settings of a policy: of several files the last that gives one counts.
 *
 * One reader for each key. A reader writes the value and its place together. What it leaves behind
 * after an error does not matter, since the draft is thrown away then.
 */
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/schema.h"

/* The only spelling of yes and no. YAML's others (on, True, yes) are not words of a policy: readers
 * of YAML differ in them. */
static const struct schema_word truth_words[] = {{"true", true}, {"false", false}, {NULL, 0}};

/* ---- defaults -------------------------------------------------------------------------------- */

/* permissive lets pass what would be denied, and records it. */
static void read_mode(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned mode;

    if (schema_read_word(reader, node, "mode", schema_modes, &mode)) {
        settings->mode = mode;
        schema_read_place(reader, node, &settings->mode_place);
    }
}

/* For calls under the same identity that no rule matches. */
static void read_decision(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        settings->decision = decision;
        schema_read_place(reader, node, &settings->decision_place);
    }
}

/* Whether a call may go on when its record could not be written. */
static void read_audit_failure(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned decision;

    if (schema_read_word(reader, node, "decision", schema_decisions, &decision)) {
        settings->audit_failure_denies = decision == DRAFT_DENY;
        schema_read_place(reader, node, &settings->audit_failure_place);
    }
}

/* revoke ends the session with the first refused call. */
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

/* The only list that has "switch": rules are about calls, not about switches. */
static void read_default_audit(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"deny", POLICY_AUDIT_DENY},
                                               {"open", POLICY_AUDIT_OPEN},
                                               {"use", POLICY_AUDIT_USE},
                                               {"switch", POLICY_AUDIT_SWITCH},
                                               {NULL, 0}};
    struct draft_settings *settings = target;

    settings->audit = schema_read_word_set(reader, node, "value of audit", words);
    schema_read_place(reader, node, &settings->audit_place);
}

/* To roll out the guard for one provider after the other. */
static void read_permissive(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;

    settings->permissive = schema_read_providers(reader, node);
    schema_read_place(reader, node, &settings->permissive_place);
}

/* Each key by itself may be replaced by a later file. */
void schema_read_defaults(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"mode", false, read_mode},
        {"permissive", false, read_permissive},
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

/* A component that is left out never differs, which lint warns about. */
void schema_read_compare(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    (void)target;

    settings->compared = schema_read_components(reader, node, false);
    schema_read_place(reader, node, &settings->compared_place);
}

/* Whether a change on the disk is loaded by itself. */
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

/* ---- gate ------------------------------------------------------------------------------------ */

/* How far the gate is closed: nothing, the thread, the process, the bounding set of all threads. */
static void read_scope(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"off", MIGUARD_GATE_OFF},
                                               {"thread", MIGUARD_GATE_THREAD},
                                               {"process", MIGUARD_GATE_PROCESS},
                                               {"bounding", MIGUARD_GATE_BOUNDING},
                                               {NULL, 0}};
    struct draft_settings *settings = target;
    unsigned scope;

    if (schema_read_word(reader, node, "value of scope", words, &scope)) {
        settings->gate.scope = scope;
        schema_read_place(reader, node, &settings->gate_scope_place);
    }
}

/* What a forbidden system call gets: an error, or the end of the process. */
static void read_action(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {
        {"errno", MIGUARD_GATE_ERRNO}, {"kill", MIGUARD_GATE_KILL}, {NULL, 0}};
    struct draft_settings *settings = target;
    unsigned action;

    if (schema_read_word(reader, node, "value of action", words, &action)) {
        settings->gate.action = action;
        schema_read_place(reader, node, &settings->gate_action_place);
    }
}

/* Whether what the gate stops is recorded. */
static void read_report(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = target;
    unsigned report;

    if (schema_read_word(reader, node, "value of report", truth_words, &report)) {
        settings->gate.report = report != 0;
        schema_read_place(reader, node, &settings->gate_report_place);
    }
}

/* deny: no ring can be made, as a ring acts with the credentials of its maker. */
static void read_io_uring(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"allow", 0}, {"deny", 1}, {NULL, 0}};
    struct draft_settings *settings = target;
    unsigned deny;

    if (schema_read_word(reader, node, "value of io-uring", words, &deny)) {
        settings->gate.deny_io_uring = deny != 0;
        schema_read_place(reader, node, &settings->gate_io_uring_place);
    }
}

/* The keys of gate may come from different files. */
void schema_read_gate(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"scope", false, read_scope},
        {"action", false, read_action},
        {"report", false, read_report},
        {"io-uring", false, read_io_uring},
        {NULL, false, NULL},
    };
    (void)target;
    schema_read_map(reader, node, "gate", keys, &reader->load->settings);
}

/* Said when all files are read, as the keys of gate may come from different ones. */
void schema_check_gate(struct load *load)
{
    const struct draft_settings *settings = &load->settings;

    if (settings->gate.scope == MIGUARD_GATE_BOUNDING && settings->gate.deny_io_uring != 0) {
        diagnostic_add(load->errors, DIAGNOSTIC_ERROR, &settings->gate_io_uring_place, NULL, 0,
                       "io-uring: deny has no meaning with scope: bounding, which refuses nothing "
                       "else; use scope: process, or leave it out");
    }
}
