/* SPDX-License-Identifier: MIT */
/*
 * miguard identity: show and diff.
 *
 * show captures this process as the guard would, or reads another thread through /proc
 * (miguard_identity_read()); diff reads two and compares what is known of both. Not everything can
 * be read of another process, and what is not known is said, never taken as equal.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"

#include <stdlib.h>
#include <string.h>

/* Above the kernel's limit of process ids, 2^22 (proc(5), pid_max); the sum of the two, one of
 * which is 0, fits a pid_t. */
enum { MOST_ID = 1 << 30 };

/* Which thread; --pid and --tid exclude each other. */
struct show_request {
    uint64_t pid, tid; /* 0: not given */
    bool json;
};

static const struct option_row show_options[] = {
    NUMBER("--pid", "N", struct show_request, pid, 1, MOST_ID, "the main thread of this process",
           .noun = "process id", .excludes = "--tid"),
    NUMBER("--tid", "N", struct show_request, tid, 1, MOST_ID, "this thread", .noun = "thread id"),
    FLAG("--json", struct show_request, json, "print one JSON object"),
};

/* The two ids, as words, so that messages show what was given. */
struct diff_request {
    struct word_list ids;
    bool json;
};

static const struct option_row diff_options[] = {
    FLAG("--json", struct diff_request, json, "print one JSON object"),
};

/* CLI_YES, or CLI_UNABLE after a message that names the id. */
static int read_identity(pid_t id, struct miguard_identity **ret_identity)
{
    struct miguard_error error = {0};
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)id);
    return miguard_identity_read(id, ret_identity, &error) == MIGUARD_OK
               ? CLI_YES
               : complain_error(CLI_UNABLE, text, &error);
}

/* ---- text on the heap --------------------------------------------------------------------- */

/* The functions of the library that describe an identity: as text and as JSON. */
typedef enum miguard_status (*describe_function)(const struct miguard_identity *, char *, size_t,
                                                 size_t *);

/* The whole text on the heap: once for the length, once for the text. NULL: out of memory. */
static char *describe(const struct miguard_identity *identity, describe_function function)
{
    size_t length = 0;

    if (function(identity, NULL, 0, &length) != MIGUARD_OK) {
        return NULL;
    }
    char *text = malloc(length + 1);
    size_t size = length + 1;
    if (text != NULL && function(identity, text, size, &length) != MIGUARD_OK) {
        free(text);
        return NULL;
    }
    return text;
}

/* The same for one component. */
static char *component_text(const struct miguard_identity *identity, miguard_components component)
{
    size_t length = 0;

    if (miguard_identity_component_text(identity, component, NULL, 0, &length) != MIGUARD_OK) {
        return NULL;
    }
    char *text = malloc(length + 1);
    size_t size = length + 1;
    if (text != NULL &&
        miguard_identity_component_text(identity, component, text, size, &length) != MIGUARD_OK) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- show --------------------------------------------------------------------------------- */

/* Names of accounts and labels come from outside, so the text passes print_safe(). */
static int print_identity(const struct miguard_identity *identity, bool json)
{
    char *text = describe(identity, json ? miguard_identity_to_json : miguard_identity_describe);

    if (text == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    /* Line by line: the line breaks are ours, what else is in there may be an account's name. */
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        print_safe(stdout, line, false);
        fputc('\n', stdout);
    }
    free(text);
    return CLI_YES;
}

/* Without an id it is this process itself, captured and not read. */
static int show(const struct show_request *request)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error = {0};
    int status = CLI_YES;

    if (request->pid != 0 || request->tid != 0) {
        status = read_identity((pid_t)(request->pid + request->tid), &identity);
    } else if (miguard_identity_capture(&identity, &error) != MIGUARD_OK) {
        status = complain_error(CLI_UNABLE, "this process", &error);
    }
    if (status == CLI_YES) {
        status = print_identity(identity, request->json);
    }
    miguard_identity_free(identity);
    return status;
}

/* ---- diff --------------------------------------------------------------------------------- */

/* Two identities, and the result of comparing them. */
struct pair {
    const char *names[2];
    /* Owned; NULL until they are read. */
    struct miguard_identity *identities[2];
    /* unknown: not known of both, and so not compared. */
    miguard_components differ, unknown;
};

/* Two lines, one for each. */
static void print_difference_text(const struct pair *pair, miguard_components component)
{
    const char *name = miguard_component_name(component);

    for (int i = 0; i < 2; i++) {
        char *text = component_text(pair->identities[i], component);
        fprintf(stdout, "%-16s %8s  ", i == 0 ? name : "", pair->names[i]);
        print_safe(stdout, text == NULL ? "(out of memory)" : text, false);
        fputc('\n', stdout);
        free(text);
    }
}

/* [a, b]; null for what is out of memory. */
static json_t *difference_json(const struct pair *pair, miguard_components component)
{
    char *a = component_text(pair->identities[0], component);
    char *b = component_text(pair->identities[1], component);
    json_t *json = json_pack("[s?, s?]", a, b);

    free(a);
    free(b);
    return json;
}

/* "same" is about what was compared; "unknown" lists what was not. */
static int print_pair_json(const struct pair *pair)
{
    json_t *differences = json_object(), *unknown = json_array();

    for (int bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        const char *name = miguard_component_name(component);
        if ((pair->differ & component) != 0) {
            json_object_set_new(differences, name, difference_json(pair, component));
        }
        if ((pair->unknown & component) != 0) {
            json_array_append_new(unknown, json_string(name));
        }
    }
    json_t *json = json_pack("{s:b, s:o, s:o}", "same", pair->differ == 0, "different", differences,
                             "unknown", unknown);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* What could not be compared goes to stderr. */
static void print_pair_text(const struct pair *pair)
{
    for (int bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        if ((pair->differ & component) != 0) {
            print_difference_text(pair, component);
        }
    }
    if (pair->differ == 0) {
        puts("the same");
    }
    for (int bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        miguard_components component = (miguard_components)1 << bit;
        if ((pair->unknown & component) != 0) {
            complain(CLI_YES, "%s could not be read of both and was not compared",
                     miguard_component_name(component));
        }
    }
}

/* Only components that are known of both count as the same or different; the others are reported as
 * not compared. CLI_NO when one differs, so that a script can ask. */
static int compare_pair(struct pair *pair, bool json)
{
    miguard_components both =
        miguard_identity_known(pair->identities[0]) & miguard_identity_known(pair->identities[1]);
    int status = CLI_YES;

    pair->differ = miguard_identity_compare(pair->identities[0], pair->identities[1]) & both;
    pair->unknown = MIGUARD_COMPONENTS_ALL & ~both;
    if (json) {
        status = print_pair_json(pair);
    } else {
        print_pair_text(pair);
    }
    return status == CLI_YES && pair->differ != 0 ? CLI_NO : status;
}

/* Reads the ids strictly before anything is read of a process. */
static int diff(const struct command_line *line, const struct diff_request *request)
{
    static const struct option_row row = {
        .noun = "process or thread id", .least = 1, .most = MOST_ID};
    struct pair pair = {0};
    int status = CLI_YES;

    if (request->ids.count != 2) {
        return wrong_usage(line, "two process or thread ids are required");
    }
    for (size_t i = 0; i < 2 && status == CLI_YES; i++) {
        uint64_t id = 0;
        pair.names[i] = request->ids.items[i];
        status = option_number(line, &row, "PID", pair.names[i], &id);
        if (status == CLI_YES) {
            status = read_identity((pid_t)id, &pair.identities[i]);
        }
    }
    if (status == CLI_YES) {
        status = compare_pair(&pair, request->json);
    }
    miguard_identity_free(pair.identities[0]);
    miguard_identity_free(pair.identities[1]);
    return status;
}

/* ---- the commands ------------------------------------------------------------------------- */

/* Nothing is allocated by the parsing. */
static int run_show(const struct command_line *line)
{
    struct show_request request = {0};
    int status = CLI_YES;

    return command_parse(line, &request, &status) ? show(&request) : status;
}

/* The list is released also when the parsing has failed half-way. */
static int run_diff(const struct command_line *line)
{
    struct diff_request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = diff(line, &request);
    }
    word_list_release(&request.ids);
    return status;
}

COMMAND(identity, show) = {
    .about = "Prints what a process or thread is to the guard: every component that it compares. "
             "Without --pid or --tid it is this command itself. What /proc does not show of others "
             "(the securebits) is left out.",
    .exits = "Exit status: 0 shown, 2 wrong usage, 3 it could not be read.",
    OPTIONS(show_options),
    .run = run_show,
};

COMMAND(identity, diff) = {
    .about = "Prints the components in which two processes or threads differ.",
    .exits = "Exit status: 0 the same, 1 different, 2 wrong usage, 3 one could not be read.",
    .operand = OPERANDS("PID PID", struct diff_request, ids),
    OPTIONS(diff_options),
    .run = run_diff,
};
