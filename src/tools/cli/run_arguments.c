/* SPDX-License-Identifier: MIT */
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static const char *const known[] = {"--module", "--as",   "--audit", "--policy", "--gate",
                                    "--key",    "--json", "--help",  NULL};
static const char *const verbs[] = {
    [RUN_GET] = "get",
    [RUN_ENUMERATE] = "enumerate",
    [RUN_CREATE] = "create",
    [RUN_MODIFY] = "modify",
    [RUN_DELETE] = "delete",
    [RUN_INVOKE] = "invoke",
    NULL,
};

/* Room for as many as there can be; the lists never grow. */
static bool allocate(struct run_request *request, int count)
{
    size_t room = (size_t)count + 1;

    request->modules = calloc(room, sizeof(*request->modules));
    request->values.list = calloc(room, sizeof(*request->values.list));
    request->keys.list = calloc(room, sizeof(*request->keys.list));
    return request->modules != NULL && request->values.list != NULL && request->keys.list != NULL;
}

void run_request_release(struct run_request *request)
{
    free(request->modules);
    free(request->values.list);
    free(request->keys.list);
    memset(request, 0, sizeof(*request));
}

static int add_pair(struct run_pairs *pairs, const char *text)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        return complain(CLI_USAGE, "miguard run: '%s' is not KEY=VALUE", text);
    }
    struct run_pair *pair = &pairs->list[pairs->count++];
    pair->text = text;
    pair->key_length = (size_t)(equals - text);
    pair->value = equals + 1;
    if (pair->key_length > 2 && strncmp(equals - 2, "[]", 2) == 0) {
        pair->key_length -= 2;
        pair->array = true;
    }
    return CLI_YES;
}

static int set_verb(struct run_request *request, const char *word)
{
    for (int i = 0; verbs[i] != NULL; i++) {
        if (strcmp(word, verbs[i]) == 0) {
            request->verb = (enum run_verb)i;
            return CLI_YES;
        }
    }
    const char *nearest = nearest_word(word, verbs);
    if (nearest != NULL) {
        return complain(CLI_USAGE, "miguard run: unknown operation '%s'; did you mean %s?", word,
                        nearest);
    }
    return complain(CLI_USAGE,
                    "miguard run: unknown operation '%s'; it is one of get, enumerate, create, "
                    "modify, delete, invoke",
                    word);
}

/* Operands in their order: operation, namespace, class, for invoke a method, then pairs. */
static int add_operand(struct run_request *request, int position, const char *word)
{
    switch (position) {
    case 0:
        return set_verb(request, word);
    case 1:
        request->name_space = word;
        return CLI_YES;
    case 2:
        request->class_name = word;
        return CLI_YES;
    case 3:
        if (request->verb == RUN_INVOKE) {
            request->method = word;
            return CLI_YES;
        }
        return add_pair(&request->values, word);
    default:
        return add_pair(&request->values, word);
    }
}

static int set_gate(struct run_request *request, const char *word)
{
    if (word == NULL) {
        return CLI_USAGE; /* said so */
    }
    if (strcmp(word, "thread") != 0 && strcmp(word, "process") != 0) {
        return complain(CLI_USAGE, "miguard run: --gate is thread or process, not '%s'", word);
    }
    request->gate = word[0] == 't' ? MIGUARD_GATE_THREAD : MIGUARD_GATE_PROCESS;
    return CLI_YES;
}

static int add_option(struct run_request *request, struct arguments *arguments)
{
    const char *value;

    if (arguments_is(arguments, "--json")) {
        request->json = true;
    } else if (arguments_is(arguments, "--help") || arguments_is(arguments, "-h")) {
        request->help = true;
    } else if (arguments_value(arguments, "--module", &value)) {
        request->modules[request->module_count++] = value;
    } else if (arguments_value(arguments, "--as", &request->as_user) ||
               arguments_value(arguments, "--audit", &request->audit_file) ||
               arguments_value(arguments, "--policy", &request->policy)) {
        return CLI_YES;
    } else if (arguments_value(arguments, "--gate", &value)) {
        return set_gate(request, value);
    } else if (arguments_value(arguments, "--key", &value)) {
        return value == NULL ? CLI_USAGE : add_pair(&request->keys, value);
    } else {
        return arguments_unknown(arguments);
    }
    return CLI_YES;
}

static int check_complete(const struct run_request *request, int operands)
{
    if (operands < 3 || (request->verb == RUN_INVOKE && request->method == NULL)) {
        return complain(CLI_USAGE, "miguard run: %s is missing; see miguard run --help",
                        operands == 0   ? "the operation"
                        : operands == 1 ? "the namespace"
                        : operands == 2 ? "the class"
                                        : "the method");
    }
    if (request->module_count == 0) {
        return complain(CLI_USAGE, "miguard run: no --module: there is nobody to ask");
    }
    if (request->verb != RUN_INVOKE && request->keys.count > 0) {
        return complain(CLI_USAGE, "miguard run: --key is for invoke; say %s instead",
                        request->keys.list[0].text);
    }
    if (request->verb == RUN_ENUMERATE && request->values.count > 0) {
        return complain(CLI_USAGE, "miguard run: enumerate takes no %s",
                        request->values.list[0].text);
    }
    return CLI_YES;
}

int run_request_parse(int count, char **list, struct run_request *ret_request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard run", .known = known};
    int status = CLI_YES, operands = 0;

    memset(ret_request, 0, sizeof(*ret_request));
    if (!allocate(ret_request, count)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (status == CLI_YES && arguments_next(&arguments)) {
        status = arguments.option != NULL ? add_option(ret_request, &arguments)
                                          : add_operand(ret_request, operands++, arguments.operand);
    }
    if (status != CLI_YES || arguments.failed) {
        return status != CLI_YES ? status : CLI_USAGE;
    }
    return ret_request->help ? CLI_YES : check_complete(ret_request, operands);
}
