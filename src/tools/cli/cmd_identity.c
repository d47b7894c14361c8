/* SPDX-License-Identifier: MIT */
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: miguard identity show [--pid N | --tid N] [--json]\n"
    "       miguard identity diff PID PID [--json]\n"
    "\n"
    "show  prints what a process or thread is to the guard: every component it compares. Without\n"
    "      --pid or --tid it is this command itself. What /proc does not show of others (the\n"
    "      securebits) is left out.\n"
    "diff  prints the components in which two processes or threads differ.\n"
    "\n"
    "Exit status: 0 shown, or the same; 1 different; 2 wrong usage; 3 it could not be read.\n";

static const char *const known[] = {"--pid", "--tid", "--json", "--help", NULL};
static const char *const commands[] = {"show", "diff", NULL};

struct request {
    const char *operands[2];
    int operand_count;
    const char *pid, *tid;
    bool json, help;
};

/* ---- arguments ---------------------------------------------------------------------------- */

static int parse(int count, char **list, const char *command, int wanted, struct request *request)
{
    struct arguments arguments = {.count = count, .list = list, .command = command, .known = known};

    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            if (request->operand_count == wanted) {
                return complain(CLI_USAGE, "%s: '%s' is too much", command, arguments.operand);
            }
            request->operands[request->operand_count++] = arguments.operand;
        } else if (arguments_is(&arguments, "--json")) {
            request->json = true;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            request->help = true;
        } else if (wanted > 0 || (!arguments_value(&arguments, "--pid", &request->pid) &&
                                  !arguments_value(&arguments, "--tid", &request->tid))) {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : CLI_YES;
}

static int parse_id(const char *text, pid_t *ret_id)
{
    char *end = NULL;

    errno = 0;
    long id = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || id <= 0 || id > 1 << 30) {
        return complain(CLI_USAGE, "'%s' is no process or thread id", text);
    }
    *ret_id = (pid_t)id;
    return CLI_YES;
}

static int read_identity(const char *text, struct miguard_identity **ret_identity)
{
    struct miguard_error error = {0};
    pid_t id = 0;

    int status = parse_id(text, &id);
    if (status != CLI_YES) {
        return status;
    }
    return miguard_identity_read(id, ret_identity, &error) == MIGUARD_OK
               ? CLI_YES
               : complain_error(CLI_UNABLE, text, &error);
}

/* ---- text on the heap --------------------------------------------------------------------- */

typedef enum miguard_status (*describe_function)(const struct miguard_identity *, char *, size_t,
                                                 size_t *);

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

static int show(const struct request *request)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error = {0};
    int status = CLI_YES;

    if (request->pid != NULL && request->tid != NULL) {
        return complain(CLI_USAGE, "miguard identity show: --pid or --tid, not both");
    }
    if (request->pid != NULL || request->tid != NULL) {
        status = read_identity(request->pid != NULL ? request->pid : request->tid, &identity);
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

struct pair {
    const char *names[2];
    struct miguard_identity *identities[2];
    miguard_components differ, unknown;
};

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

static json_t *difference_json(const struct pair *pair, miguard_components component)
{
    char *a = component_text(pair->identities[0], component);
    char *b = component_text(pair->identities[1], component);
    json_t *json = json_pack("[s?, s?]", a, b);

    free(a);
    free(b);
    return json;
}

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

static int diff(const struct request *request)
{
    struct pair pair = {.names = {request->operands[0], request->operands[1]}};

    if (request->operand_count < 2) {
        return complain(CLI_USAGE, "miguard identity diff: two process or thread ids are needed");
    }
    int status = read_identity(pair.names[0], &pair.identities[0]);
    if (status == CLI_YES) {
        status = read_identity(pair.names[1], &pair.identities[1]);
    }
    if (status == CLI_YES) {
        miguard_components both =
            miguard_identity_known(pair.identities[0]) & miguard_identity_known(pair.identities[1]);
        pair.differ = miguard_identity_compare(pair.identities[0], pair.identities[1]) & both;
        pair.unknown = MIGUARD_COMPONENTS_ALL & ~both;
        if (request->json) {
            status = print_pair_json(&pair);
        } else {
            print_pair_text(&pair);
        }
    }
    miguard_identity_free(pair.identities[0]);
    miguard_identity_free(pair.identities[1]);
    return status == CLI_YES && pair.differ != 0 ? CLI_NO : status;
}

/* ---- the command -------------------------------------------------------------------------- */

int cmd_identity(int count, char **arguments)
{
    struct request request = {0};
    const char *word = count > 0 ? arguments[0] : NULL;

    if (word == NULL) {
        return complain(CLI_USAGE, "miguard identity: show or diff? see miguard identity --help");
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        fputs(help, stdout);
        return CLI_YES;
    }
    bool shows = strcmp(word, "show") == 0;
    if (!shows && strcmp(word, "diff") != 0) {
        const char *nearest = nearest_word(word, commands);
        return complain(CLI_USAGE, "miguard identity: unknown command '%s'%s%s%s", word,
                        nearest == NULL ? "; it is show or diff" : "; did you mean ",
                        nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    int status =
        parse(count - 1, arguments + 1, shows ? "miguard identity show" : "miguard identity diff",
              shows ? 0 : 2, &request);
    if (status != CLI_YES) {
        return status;
    }
    if (request.help) {
        fputs(help, stdout);
        return CLI_YES;
    }
    return shows ? show(&request) : diff(&request);
}
