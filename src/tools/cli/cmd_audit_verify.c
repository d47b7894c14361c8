/* SPDX-License-Identifier: MIT */
/*
 * miguard audit verify: whether the log is intact. Reads the heads, has the log verified
 * (audit_verification.h), and prints what was found.
 *
 * Exit status and verdict are two things: "unproven" is neither yes nor no, and is CLI_UNABLE, so
 * that a script that waits for 0 never takes it for intact; so is "intact as far as it goes", where
 * nothing shows that the end is there. Losses that the log declares itself (a crash, a full disk)
 * are a failure with --strict only.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/audit_verification.h"
#include "tools/cli/commands.h"
#include "tools/cli/findings.h"
#include "tools/review/export_text.h"

/* ---- arguments ------------------------------------------------------------------------------ */

static const struct option_row options[] = {
    TEXT("--key", "FILE", struct verification, key_file,
         "the verification key that miguard audit init printed; - is standard input"),
    LIST("--head", "SEQ:HASH", struct verification, heads_given,
         "record SEQ must be there and have this hash, and so everything before it is as it was "
         "when the head was noted"),
    FLAG("--strict", struct verification, strict,
         "losses that the log itself declares (a crash, a full disk) are a failure, too"),
    FLAG("--json", struct verification, json, "print the result as one JSON object"),
};

/* One for each --head; a head that cannot be parsed is wrong usage, not a failed verification. */
static int read_heads(const struct command_line *line, struct verification *verification)
{
    const struct word_list *given = &verification->heads_given;

    verification->heads = calloc(given->count + 1, sizeof(*verification->heads));
    if (verification->heads == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < given->count; i++) {
        if (!verify_head_parse(given->items[i], strlen(given->items[i]), &verification->heads[i])) {
            return wrong_usage(line,
                               "--head '%s' is not a head: the number of a record, a colon and 64 "
                               "hex digits",
                               given->items[i]);
        }
    }
    verification->head_count = given->count;
    return CLI_YES;
}

/* ---- as text -------------------------------------------------------------------------------- */

/* A log of another chain would fill the screen: VERIFY_KEEP findings are shown, all counted. */
static void print_not_kept(const struct verify_report *report)
{
    uint64_t all = report->by_severity[VERIFY_NOTICE] + report->by_severity[VERIFY_LOSS] +
                   report->by_severity[VERIFY_ALARM];
    const char *comma = ": ";

    if (all <= report->finding_count) {
        return;
    }
    printf("and %" PRIu64 " more; in all", all - report->finding_count);
    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        if (report->count[i] > 0) {
            printf("%s%" PRIu64 " %s", comma, report->count[i], verify_kind_name(i));
            comma = ", ";
        }
    }
    putchar('\n');
}

/*
 * The beginning of the last line: the verdict, and in words what it does not cover. "unproven" has
 * several reasons: a state that was set aside, with or without its key, or a key that is needed and
 * was not given. "intact" for a chain without a key says that a writer of the file could have made
 * it anew.
 */
static void print_verdict(const struct verification *verification,
                          const struct verify_report *report)
{
    const char *intact =
        verification_end_proven(verification, report) ? "intact" : "intact as far as it goes";

    if (report->verdict == VERIFY_TAMPERED) {
        char text[EXPORT_NUMBER];
        printf("tampered with: %s alarm%s in ",
               export_number(report->by_severity[VERIFY_ALARM], text),
               report->by_severity[VERIFY_ALARM] == 1 ? "" : "s");
    } else if (report->verdict == VERIFY_UNPROVEN && report->key_lost) {
        printf("unproven: the state was set aside before record %" PRIu64 ", and the key is lost "
               "with it: from there on who can write the file can make it anew: ",
               report->set_aside);
    } else if (report->verdict == VERIFY_UNPROVEN && report->set_aside > 0) {
        printf("unproven: the state was set aside before record %" PRIu64 "; that nothing was cut "
               "there shows only with --head: ",
               report->set_aside);
    } else if (report->verdict == VERIFY_UNPROVEN && report->records > 0) {
        printf("unproven: the key is needed. Numbers and links fit, but not what the records "
               "say is proved: ");
    } else if (report->verdict == VERIFY_UNPROVEN) {
        printf("unproven: ");
    } else if (report->keyed) {
        printf("%s: ", intact);
    } else {
        printf("%s, but without a key: who can write the file can make it anew: ", intact);
    }
}

/* Which records were read, of how many files, and the head of the chain. The head is printed so
 * that it can be noted elsewhere and given with --head later: only that proves afterwards that the
 * end was not cut. */
static void print_span(const struct verify_report *report)
{
    char number[EXPORT_NUMBER], first[EXPORT_NUMBER], last[EXPORT_NUMBER], hash[CHAIN_HEX_SIZE];

    printf("%s record%s, ", export_number(report->records, number),
           report->records == 1 ? "" : "s");
    if (report->records == 0) {
        printf("%s file%s\n", export_number(report->files, number), report->files == 1 ? "" : "s");
        return;
    }
    chain_hex(report->head, hash);
    printf("sequence %s to %s, ", export_number(report->first, first),
           export_number(report->last, last));
    printf("%s file%s, chain %016" PRIx64 ", head %" PRIu64 ":%s",
           export_number(report->files, number), report->files == 1 ? "" : "s", report->chain_id,
           report->last, hash);
    puts(report->verdict == VERIFY_INTACT ? " (keep it outside this host)" : "");
}

/* Findings first, each with its place; then those that were not kept, the verdict, the records that
 * were read, and what could not be checked. The note on the state goes to stderr, since it is about
 * this run and not about the log. */
static bool print_text(const struct verification *verification, const struct verify_report *report)
{
    char number[EXPORT_NUMBER];
    bool good = true;

    for (size_t i = 0; i < report->finding_count && good; i++) {
        good = print_finding(stdout, &report->findings[i]);
    }
    print_not_kept(report);
    print_verdict(verification, report);
    print_span(report);
    if (report->lost > 0) {
        printf("%s record%s declared as lost by the log itself\n",
               export_number(report->lost, number), report->lost == 1 ? " is" : "s are");
    }
    if (report->anchored > 0) {
        printf("the head of record %s is the one that was kept\n",
               export_number(report->anchored, number));
    }
    if (!verification->every_state && report->anchored < report->last) {
        fputs("miguard: the state of the log was not consulted: ", stderr);
        print_safe(stderr, verification->no_state, false);
        fputs("; whether its end is missing shows only with --head\n", stderr);
    }
    return good;
}

/* ---- as JSON -------------------------------------------------------------------------------- */

/* One object. False: out of memory, or stdout cannot be written. */
static bool print_report_json(const struct verification *verification,
                              const struct verify_report *report)
{
    /* In the order of enum verification_answer; what is not known to be whole is not "intact". */
    static const char *const verdicts[] = {"intact", "unproven", "tampered", "unproven"};
    char hash[CHAIN_HEX_SIZE], head[96] = "", chain[24];
    json_t *findings = json_array();

    for (size_t i = 0; i < report->finding_count; i++) {
        if (json_array_append_new(findings, make_finding_json(&report->findings[i])) != 0) {
            json_decref(findings);
            return false;
        }
    }
    chain_hex(report->head, hash);
    if (report->records > 0) {
        snprintf(head, sizeof(head), "%" PRIu64 ":%s", report->last, hash);
    }
    snprintf(chain, sizeof(chain), "%016" PRIx64, report->chain_id);
    json_t *json = json_pack(
        "{s:s, s:b, s:b, s:b, s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, "
        "s:I, "
        "s:o}",
        "verdict", verdicts[verification_answer(verification, report)], "keyed", report->keyed,
        "proven", report->proven, "end_proven", verification_end_proven(verification, report),
        "chain", chain, "records", (json_int_t)report->records, "first", (json_int_t)report->first,
        "last", (json_int_t)report->last, "head", head, "files", (json_int_t)report->files, "bytes",
        (json_int_t)report->bytes, "lost", (json_int_t)report->lost, "removed_through",
        (json_int_t)report->removed_through, "anchored", (json_int_t)report->anchored,
        "state_consulted", verification->every_state, "alarms",
        (json_int_t)report->by_severity[VERIFY_ALARM], "losses",
        (json_int_t)report->by_severity[VERIFY_LOSS], "notices",
        (json_int_t)report->by_severity[VERIFY_NOTICE], "findings", findings);
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    return printed;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* Prints, and gives the exit status: losses that the log declares fail with --strict only;
 * "unproven" is neither yes nor no. */
static int answer(const struct verification *verification, const struct verify_report *report)
{
    bool printed = verification->json ? print_report_json(verification, report)
                                      : print_text(verification, report);
    enum verification_answer answered = verification_answer(verification, report);

    if (!printed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (answered == VERIFICATION_TAMPERED ||
        (verification->strict && report->by_severity[VERIFY_LOSS] > 0)) {
        return CLI_NO;
    }
    return answered == VERIFICATION_INTACT ? CLI_YES : CLI_UNABLE;
}

/* The inputs in their order; the first failure ends it. */
static int verify_given(const struct command_line *line, struct verification *verification)
{
    struct verify_report report;
    int status = read_heads(line, verification);

    if (status == CLI_YES) {
        status = verification_read_key(line, verification);
    }
    if (status == CLI_YES) {
        status = verification_run(verification, &report);
    }
    if (status == CLI_YES) {
        status = answer(verification, &report);
        verify_release(&report);
    }
    return status;
}

/* What is read is released on every way out. */
static int run_verify(const struct command_line *line)
{
    struct verification verification = {.every_state = true};
    int status = CLI_YES;

    if (command_parse(line, &verification, &status)) {
        status = verify_given(line, &verification);
    }
    verification_release(&verification);
    return status;
}

COMMAND(audit, verify) = {
    .about = "Reads each FILE with the files that were rotated from it; without FILE, the log of "
             "the policy in force. The files may come in any order and be compressed with gzip or "
             "zstd. A "
             "log that is being written can be verified.",
    .notes =
        "Without --key, a chain that has a key can be checked for gaps and order only, and "
        "the rest is unproven. That the end of a log is there is proved only by a head that was "
        "kept outside the host; the state beside the log, if it may be read, shows a careless "
        "cut. Of a copy that has neither, the answer is \"intact as far as it goes\". A key file "
        "that others than its owner can read is refused. Examples, on which host and with which "
        "key: miguard-audit(1).",
    .exits =
        "Exit status: 0 intact; 1 tampered with, or --strict and records were lost; 2 wrong "
        "usage; 3 it cannot be decided, as when nothing shows that the end is there, or not be "
        "read.",
    .operand = OPERANDS("[FILE]...", struct verification, files),
    OPTIONS(options),
    .run = run_verify,
};
