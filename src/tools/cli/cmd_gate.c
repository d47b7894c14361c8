/* SPDX-License-Identifier: MIT */
/*
 * miguard gate show: what a gate refuses, as a table and as the program the kernel runs.
 *
 * The filter is built from the options by the code that a gate uses (gate_filter_build()), so that
 * what is printed is what the kernel would run. It is not loaded.
 *
 * The table says what is refused and why, by the rows of the gate itself; --bpf shows the program
 * made of them (gate_program.c); --json has both for programs.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/gate_program.h"

#include <stdlib.h>
#include <string.h>

#include "gate/gate_filter.h"

enum scope { SCOPE_THREAD, SCOPE_PROCESS, SCOPE_BOUNDING };
enum action { ACTION_ERRNO, ACTION_KILL };
static const char *const scopes[] = {
    [SCOPE_THREAD] = "thread", [SCOPE_PROCESS] = "process", [SCOPE_BOUNDING] = "bounding", NULL};
static const char *const actions[] = {[ACTION_ERRNO] = "errno", [ACTION_KILL] = "kill", NULL};

/* The options, and the filter that they describe. */
struct request {
    /* Made of the options below by set_filter(). */
    struct gate_filter filter;
    enum scope scope;
    enum action action;
    bool report, deny_io_uring, no_new_privs, bpf, json;
};

static const struct option_row options[] = {
    WORD("--scope", scopes, struct request, scope, "process is the default"),
    WORD("--action", actions, struct request, action, "errno is the default"),
    FLAG("--report", struct request, report, "as with report: true in a policy"),
    FLAG("--deny-io-uring", struct request, deny_io_uring, "as with io-uring: deny in a policy"),
    FLAG("--no-new-privs", struct request, no_new_privs, "as it is loaded without CAP_SYS_ADMIN"),
    FLAG("--bpf", struct request, bpf,
         "print the program of the filter, one instruction a line; COOKIE stands for the random "
         "word that each process draws for itself, LIBRARY for the address of the one instruction "
         "by which the library changes credentials"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* The bits that a policy would set for the same options. */
static void set_filter(struct request *request)
{
    request->filter.bits = (request->scope == SCOPE_PROCESS ? (unsigned)GATE_IS_PROCESS : 0) |
                           (request->scope == SCOPE_BOUNDING ? (unsigned)GATE_OF_BOUNDING : 0) |
                           (request->action == ACTION_KILL ? (unsigned)GATE_KILLS : 0) |
                           (request->report ? (unsigned)GATE_REPORTS : 0) |
                           (request->deny_io_uring ? (unsigned)GATE_DENIES_URING : 0);
    request->filter.no_new_privs = request->no_new_privs;
}

/* What a refused call meets. Some calls are refused with ENOSYS whatever the action is, so that
 * programs take their other way, and some never kill. With report: true, SIGSYS reaches the
 * library, which records the call and returns EPERM. */
static const char *answer(const struct gate_filter *filter, const struct gate_row *row)
{
    return row->refused_anyway                  ? "ENOSYS"
           : row->never_kills                   ? "EPERM"
           : (filter->bits & GATE_KILLS) != 0   ? "killed by SIGSYS"
           : (filter->bits & GATE_REPORTS) != 0 ? "EPERM, reported"
                                                : "EPERM";
}

/* ---- text ---------------------------------------------------------------------------------- */

/* The last line is for calls by another architecture's numbers, which no row can name. */
static void print_table(const struct gate_filter *filter)
{
    const struct gate_row *row;

    printf("%-24s%-46s%-52s%s\n", "CALL", "WHEN", "CHANGES", "ANSWER");
    for (size_t i = 0; (row = gate_filter_row(i)) != NULL; i++) {
        if (gate_filter_has(filter, row)) {
            printf("%-24s%-46s%-52s%s\n", row->call, row->when[0] != '\0' ? row->when : "always",
                   row->why, answer(filter, row));
        }
    }
    const bool one = (filter->bits & GATE_OF_BOUNDING) != 0;
    const struct gate_row foreign = {.call = one ? "the same" : "any"};
    printf("%-24s%-46s%-52s%s\n", foreign.call, "by the numbers of another architecture",
           one ? "the same" : "anything", answer(filter, &foreign));
}

/* Numbered, since jumps go to numbers. */
static void print_program(const struct sock_filter *program, unsigned length)
{
    char line[96];

    for (unsigned i = 0; i < length; i++) {
        gate_program_line(program, i, line, sizeof(line));
        printf("%4u  %s\n", i, line);
    }
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* A new reference, the rows in the order of the table. */
static json_t *rows_json(const struct gate_filter *filter)
{
    json_t *rows = json_array();
    const struct gate_row *row;

    for (size_t i = 0; (row = gate_filter_row(i)) != NULL; i++) {
        if (gate_filter_has(filter, row)) {
            json_array_append_new(rows,
                                  json_pack("{ssssssss}", "call", row->call, "when", row->when,
                                            "changes", row->why, "answer", answer(filter, row)));
        }
    }
    return rows;
}

/* A new reference, one string for each instruction. */
static json_t *program_json(const struct sock_filter *program, unsigned length)
{
    json_t *lines = json_array();
    char line[96];

    for (unsigned i = 0; i < length; i++) {
        gate_program_line(program, i, line, sizeof(line));
        json_array_append_new(lines, json_string(line));
    }
    return lines;
}

/* The program only with --bpf, as in the text. */
static int print_as_json(const struct request *request, const struct sock_filter *program,
                         unsigned length)
{
    const struct gate_filter *filter = &request->filter;
    json_t *json = json_pack("{sssssbsssbso}", "scope", scopes[request->scope], "action",
                             (filter->bits & GATE_KILLS) != 0 ? "kill" : "errno", "report",
                             (filter->bits & GATE_REPORTS) != 0, "io-uring",
                             (filter->bits & GATE_DENIES_URING) != 0 ? "deny" : "allow",
                             "no-new-privs", filter->no_new_privs, "refused", rows_json(filter));

    if (json != NULL && request->bpf) {
        json_object_set_new(json, "program", program_json(program, length));
    }
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* ---- the command --------------------------------------------------------------------------- */

/* gate_filter_build() needs libseccomp; without it no filter can be shown. */
static int show_filter(const struct request *request)
{
    struct miguard_error error = {0};
    struct sock_filter *program = NULL;
    unsigned short length = 0;
    int status = CLI_YES;

    if (gate_filter_build(&request->filter, &program, &length, &error) != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the filter", &error);
    }
    if (request->json) {
        status = print_as_json(request, program, length);
    } else if (request->bpf) {
        print_program(program, length);
    } else {
        print_table(&request->filter);
    }
    gate_filter_free(program, length);
    return status;
}

/* process is the default scope here, as in a policy. */
static int run_show(const struct command_line *line)
{
    struct request request = {.scope = SCOPE_PROCESS};
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    if (request.scope == SCOPE_BOUNDING && request.deny_io_uring) {
        return complain(CLI_USAGE,
                        "--deny-io-uring: the gate of the bounding set denies nothing else");
    }
    set_filter(&request);
    return show_filter(&request);
}

COMMAND(gate, show) = {
    .about = "Prints what a gate refuses unless the library does it, which part of the identity "
             "each line is about, and how it is refused. Nothing is closed by this. See "
             "miguard-gate(7).",
    .exits = "Exit status: 0 printed, 2 wrong usage, 3 no filter could be made.",
    OPTIONS(options),
    .run = run_show,
};
