/* SPDX-License-Identifier: MIT */
/* miguard gate show: what a gate refuses, as a table and as the program the kernel runs. */
#include "tools/cli/cli.h"
#include "tools/cli/gate_program.h"

#include <stdlib.h>
#include <string.h>

#include "gate/gate_filter.h"

static const char help[] =
    "usage: miguard gate show [OPTION]...\n"
    "\n"
    "Prints what a gate refuses unless the library does it, which part of the identity each line\n"
    "is about, and how it is refused. Nothing is closed by this. See miguard-gate(7).\n"
    "\n"
    "  --scope SCOPE    thread or process (the default)\n"
    "  --action ACTION  errno (the default) or kill\n"
    "  --report         as with report: yes in a policy\n"
    "  --deny-io-uring  as with io-uring: deny in a policy\n"
    "  --no-new-privs   as it is loaded without CAP_SYS_ADMIN\n"
    "  --bpf            the program of the filter, one instruction a line; COOKIE stands for the\n"
    "                   random word that each process draws for itself, LIBRARY for the address\n"
    "                   of the one instruction by which the library changes credentials\n"
    "  --json           one JSON object\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 printed, 2 wrong usage, 3 no filter could be made.\n";

static const char *const known[] = {"--scope",         "--action", "--report",
                                    "--no-new-privs",  "--bpf",    "--json",
                                    "--deny-io-uring", "--help",   NULL};

struct request {
    struct gate_filter filter;
    bool bpf, json, help;
};

/* One of two words, the second of which sets bit. */
static int set_bit(struct request *request, const char *option, const char *value,
                   const char *const words[3], unsigned bit)
{
    if (value == NULL) {
        return CLI_USAGE; /* said so */
    }
    request->filter.bits &= ~bit;
    if (strcmp(value, words[1]) == 0) {
        request->filter.bits |= bit;
    } else if (strcmp(value, words[0]) != 0) {
        return complain(CLI_USAGE, "miguard gate show: %s is %s or %s, not '%s'", option, words[0],
                        words[1], value);
    }
    return CLI_YES;
}

static int add_option(struct request *request, struct arguments *arguments)
{
    static const char *const scopes[] = {"thread", "process", NULL};
    static const char *const actions[] = {"errno", "kill", NULL};
    const char *value = NULL;

    if (arguments_value(arguments, "--scope", &value)) {
        return set_bit(request, "--scope", value, scopes, GATE_IS_PROCESS);
    }
    if (arguments_value(arguments, "--action", &value)) {
        return set_bit(request, "--action", value, actions, GATE_KILLS);
    }
    if (arguments_is(arguments, "--report")) {
        request->filter.bits |= GATE_REPORTS;
    } else if (arguments_is(arguments, "--deny-io-uring")) {
        request->filter.bits |= GATE_DENIES_URING;
    } else if (arguments_is(arguments, "--no-new-privs")) {
        request->filter.no_new_privs = true;
    } else if (arguments_is(arguments, "--bpf")) {
        request->bpf = true;
    } else if (arguments_is(arguments, "--json")) {
        request->json = true;
    } else if (arguments_is(arguments, "--help") || arguments_is(arguments, "-h")) {
        request->help = true;
    } else {
        return arguments_unknown(arguments);
    }
    return CLI_YES;
}

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard gate show", .known = known};
    int status = CLI_YES;

    while (status == CLI_YES && arguments_next(&arguments)) {
        status =
            arguments.option != NULL
                ? add_option(request, &arguments)
                : complain(CLI_USAGE, "miguard gate show: '%s' is too much", arguments.operand);
    }
    return arguments.failed ? CLI_USAGE : status;
}

static const char *answer(const struct gate_filter *filter, const struct gate_row *row)
{
    return row->refused_anyway                  ? "ENOSYS"
           : row->never_kills                   ? "EPERM"
           : (filter->bits & GATE_KILLS) != 0   ? "killed by SIGSYS"
           : (filter->bits & GATE_REPORTS) != 0 ? "EPERM, reported"
                                                : "EPERM";
}

/* ---- text ---------------------------------------------------------------------------------- */

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
    const struct gate_row foreign = {.call = "any"};
    printf("%-24s%-46s%-52s%s\n", "any", "by the numbers of another architecture", "anything",
           answer(filter, &foreign));
}

static void print_program(const struct sock_filter *program, unsigned length)
{
    char line[96];

    for (unsigned i = 0; i < length; i++) {
        gate_program_line(program, i, line, sizeof(line));
        printf("%4u  %s\n", i, line);
    }
}

/* ---- JSON ---------------------------------------------------------------------------------- */

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

static int print_as_json(const struct request *request, const struct sock_filter *program,
                         unsigned length)
{
    const struct gate_filter *filter = &request->filter;
    json_t *json = json_pack("{sssssbsssbso}", "scope",
                             (filter->bits & GATE_IS_PROCESS) != 0 ? "process" : "thread", "action",
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

static int show(const struct request *request)
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

int cmd_gate(int count, char **arguments)
{
    struct request request = {.filter = {.bits = GATE_IS_PROCESS}};

    if (count > 0 && (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "-h") == 0)) {
        fputs(help, stdout);
        return CLI_YES;
    }
    if (count == 0 || strcmp(arguments[0], "show") != 0) {
        return complain(CLI_USAGE, "miguard gate: only show is known; see miguard gate --help");
    }
    int status = parse(count - 1, arguments + 1, &request);
    if (status != CLI_YES) {
        return status;
    }
    if (request.help) {
        fputs(help, stdout);
        return CLI_YES;
    }
    return show(&request);
}
