/* SPDX-License-Identifier: MIT */
/*
 * The operands of `miguard run`, in their order: operation, namespace, class (or the text of a
 * query), for invoke a method, then pairs.
 *
 * The options were read by the table in cmd_run.c; run_request_read() gives the operands their
 * meaning, by the operation, and splits the pairs. Everything that makes no sense is refused before
 * a module is loaded.
 */
#include "tools/cli/run_request.h"

#include <stdlib.h>
#include <string.h>

const char *const run_verbs[] = {
    [RUN_GET] = "get",
    [RUN_ENUMERATE] = "enumerate",
    [RUN_CREATE] = "create",
    [RUN_MODIFY] = "modify",
    [RUN_DELETE] = "delete",
    [RUN_INVOKE] = "invoke",
    [RUN_QUERY] = "query",
    [RUN_ASSOCIATORS] = "associators",
    [RUN_REFERENCES] = "references",
    [RUN_CLASS] = "class",
    [RUN_CLASSES] = "classes",
    [RUN_LIST] = "list",
    [RUN_SUBSCRIBE] = "subscribe",
    [RUN_TEST_CONNECTION] = "test-connection",
    NULL,
};

/* The words are the command line's; only the lists are freed. */
void run_request_release(struct run_request *request)
{
    word_list_release(&request->hosting.modules);
    word_list_release(&request->keys_given);
    word_list_release(&request->options_given);
    word_list_release(&request->flags_given);
    word_list_release(&request->operands);
    free(request->values.list);
    free(request->keys.list);
    free(request->custom.list);
    free(request->made_query);
    memset(request, 0, sizeof(*request));
}

static const struct {
    const char *name;
    MI_Uint32 flag;
} flags[] = {
    {"no-rtti", MI_OPERATIONFLAGS_NO_RTTI},
    {"basic-rtti", MI_OPERATIONFLAGS_BASIC_RTTI},
    {"standard-rtti", MI_OPERATIONFLAGS_STANDARD_RTTI},
    {"full-rtti", MI_OPERATIONFLAGS_FULL_RTTI},
    {"localized-qualifiers", MI_OPERATIONFLAGS_LOCALIZED_QUALIFIERS},
    {"expensive-properties", MI_OPERATIONFLAGS_EXPENSIVE_PROPERTIES},
    {"polymorphism-shallow", MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW},
    {"polymorphism-deep-base-props-only", MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY},
    {"report-operation-started", MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

static int unknown_flag(const struct command_line *line, const char *word)
{
    const char *names[FLAGS + 1] = {NULL};
    char allowed[256];

    for (size_t i = 0; i < FLAGS; i++) {
        names[i] = flags[i].name;
    }
    const char *nearest = nearest_word(word, names);
    if (nearest != NULL) {
        return wrong_usage(line, "unknown flag '%s'; did you mean %s?", word, nearest);
    }
    join_words(names, allowed, sizeof(allowed));
    return wrong_usage(line, "unknown flag '%s'; use %s", word, allowed);
}

static int read_flags(const struct command_line *line, struct run_request *request)
{
    for (size_t i = 0; i < request->flags_given.count; i++) {
        size_t k = 0;
        while (k < FLAGS && strcmp(flags[k].name, request->flags_given.items[i]) != 0) {
            k++;
        }
        if (k == FLAGS) {
            return unknown_flag(line, request->flags_given.items[i]);
        }
        request->flags |= flags[k].flag;
    }
    return CLI_YES;
}

/* The value is everything behind the first =, and may be empty or have further ones. [] before the
 * = makes an array even of a single value, which a plain KEY=VALUE cannot say. */
static int read_pair(const struct command_line *line, const char *text, struct run_pair *ret_pair)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        return wrong_usage(line, "'%s' is not KEY=VALUE", text);
    }
    ret_pair->text = text;
    ret_pair->key_length = (size_t)(equals - text);
    ret_pair->value = equals + 1;
    if (ret_pair->key_length > 2 && strncmp(equals - 2, "[]", 2) == 0) {
        ret_pair->key_length -= 2;
        ret_pair->array = true;
    }
    return CLI_YES;
}

/* The words from position from on. Room for all of them is allocated once. */
static int read_pairs(const struct command_line *line, const struct word_list *words, size_t from,
                      struct run_pairs *ret_pairs)
{
    ret_pairs->list = calloc(words->count + 1, sizeof(*ret_pairs->list));
    if (ret_pairs->list == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = from; i < words->count; i++) {
        int status = read_pair(line, words->items[i], &ret_pairs->list[ret_pairs->count++]);
        if (status != CLI_YES) {
            return status;
        }
    }
    return CLI_YES;
}

/* By its whole name, with a suggestion for a typing error. */
static int read_verb(const struct command_line *line, const char *word, enum run_verb *ret_verb)
{
    char allowed[256];

    for (int i = 0; run_verbs[i] != NULL; i++) {
        if (strcmp(word, run_verbs[i]) == 0) {
            *ret_verb = (enum run_verb)i;
            return CLI_YES;
        }
    }
    const char *nearest = nearest_word(word, run_verbs);
    if (nearest != NULL) {
        return wrong_usage(line, "unknown operation '%s'; did you mean %s?", word, nearest);
    }
    join_words(run_verbs, allowed, sizeof(allowed));
    return wrong_usage(line, "unknown operation '%s'; use %s", word, allowed);
}

/* CLI_USAGE after a message that lists the operations. */
static int missing_verb(const struct command_line *line)
{
    char allowed[256];

    join_words(run_verbs, allowed, sizeof(allowed));
    return wrong_usage(line, "the operation is missing; use %s; see %s --help", allowed,
                       line->name);
}

/* CLI_USAGE after a message. */
static int missing(const struct command_line *line, const char *what)
{
    return wrong_usage(line, "%s is missing; see %s --help", what, line->name);
}

/* The operations to which KEY=VALUE belong. */
static bool takes_pairs(enum run_verb verb)
{
    return verb != RUN_ENUMERATE && verb != RUN_QUERY && verb != RUN_CLASS && verb != RUN_CLASSES &&
           verb != RUN_LIST && verb != RUN_SUBSCRIBE && verb != RUN_TEST_CONNECTION;
}

bool run_gives_classes(enum run_verb verb)
{
    return verb == RUN_CLASS || verb == RUN_CLASSES || verb == RUN_LIST;
}

/* The options of queries and associations. */
static int check_filters(const struct command_line *line, const struct run_request *request)
{
    bool associators = request->verb == RUN_ASSOCIATORS;
    bool query = request->verb == RUN_QUERY || request->verb == RUN_SUBSCRIBE;

    if (request->language != NULL && !query) {
        return wrong_usage(line, "--language is for query and subscribe");
    }
    if (request->count != 0 && request->verb != RUN_SUBSCRIBE) {
        return wrong_usage(line, "--count is for subscribe");
    }
    if ((request->association != NULL || request->result_role != NULL) && !associators) {
        return wrong_usage(line, "--association and --result-role are for associators");
    }
    if ((request->result_class != NULL || request->role != NULL) && !associators &&
        request->verb != RUN_REFERENCES) {
        return wrong_usage(line, "--result-class and --role are for associators and references");
    }
    return CLI_YES;
}

/* Refuses what is given and has no meaning for this operation: it was meant for something, and to
 * ignore it would answer another question. */
static int check_meaning(const struct command_line *line, const struct run_request *request)
{
    if (request->hosting.modules.count == 0 && request->connect == NULL && !request->served &&
        !request->in_shell) {
        return wrong_usage(line, "--module is required, or --connect; see %s --help", line->name);
    }
    if (request->given != NULL && request->input == NULL) {
        return wrong_usage(line, "there is input, and no --input");
    }
    if (request->verb != RUN_INVOKE && request->keys.count > 0) {
        return wrong_usage(line, "--key is for invoke; use %s instead", request->keys.list[0].text);
    }
    if (!takes_pairs(request->verb) && request->values.count > 0) {
        return wrong_usage(line, "%s takes no %s", run_verbs[request->verb],
                           request->values.list[0].text);
    }
    if (!takes_pairs(request->verb) && request->input != NULL) {
        return wrong_usage(line, "%s takes no --input", run_verbs[request->verb]);
    }
    return check_filters(line, request);
}

/* Pairs begin behind the operands that the operation has by position. */
static int read_all_pairs(const struct command_line *line, struct run_request *request)
{
    size_t named = request->verb == RUN_INVOKE ? 4 : request->verb == RUN_TEST_CONNECTION ? 2 : 3;
    int status = read_pairs(line, &request->operands, named, &request->values);

    if (status != CLI_YES) {
        return status;
    }
    status = read_pairs(line, &request->keys_given, 0, &request->keys);
    if (status == CLI_YES) {
        status = read_pairs(line, &request->options_given, 0, &request->custom);
    }
    if (status == CLI_YES) {
        status = read_flags(line, request);
    }
    return status == CLI_YES ? check_meaning(line, request) : status;
}

/* How many operands the operation needs: of classes and list the class is optional. */
static size_t needed(enum run_verb verb)
{
    return verb == RUN_CLASSES || verb == RUN_LIST || verb == RUN_TEST_CONNECTION ? 2 : 3;
}

/* A class by itself stands for all that its indications have. */
static int take_subscription(struct run_request *request, const char *third)
{
    if (strpbrk(third, " \t\r\n") != NULL) {
        request->query = third;
        return CLI_YES;
    }
    if (asprintf(&request->made_query, "SELECT * FROM %s", third) < 0) {
        request->made_query = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    request->query = request->made_query;
    return CLI_YES;
}

/* The third operand is a class, or what a query asks. */
static int take_third(struct run_request *request)
{
    const struct word_list *operands = &request->operands;
    const char *third = operands->count > 2 ? operands->items[2] : NULL;

    if (request->verb == RUN_SUBSCRIBE) {
        return take_subscription(request, third);
    }
    if (request->verb == RUN_QUERY) {
        request->query = third;
    } else if (request->verb != RUN_TEST_CONNECTION) {
        request->class_name = third;
    }
    return CLI_YES;
}

/* The operation comes first, since it says how many operands follow: namespace, class, for invoke
 * the method, then pairs. CLI_USAGE with the name of what is missing. */
int run_request_read(const struct command_line *line, struct run_request *request)
{
    static const char *const names[] = {NULL, "the namespace", "the class"};
    const struct word_list *operands = &request->operands;

    if (operands->count == 0) {
        return missing_verb(line);
    }
    int status = read_verb(line, operands->items[0], &request->verb);
    if (status != CLI_YES) {
        return status;
    }
    if (operands->count < needed(request->verb)) {
        bool third = operands->count == 2;
        return missing(line, third && request->verb == RUN_QUERY ? "the query"
                             : third && request->verb == RUN_SUBSCRIBE
                                 ? "the query or class of indications"
                                 : names[operands->count]);
    }
    request->name_space = operands->items[1];
    status = take_third(request);
    if (status != CLI_YES) {
        return status;
    }
    if (request->verb == RUN_INVOKE) {
        if (operands->count < 4) {
            return missing(line, "the method");
        }
        request->method = operands->items[3];
    }
    return read_all_pairs(line, request);
}

/* ---- over a socket ----------------------------------------------------------------------------
 */

static void add_word(struct text *words, const char *word)
{
    text_append_bytes(words, word, strlen(word) + 1);
}

static void add_option(struct text *words, const char *name, const char *value)
{
    if (value != NULL) {
        add_word(words, name);
        add_word(words, value);
    }
}

static void add_options(struct text *words, const char *name, const struct word_list *values)
{
    for (size_t i = 0; i < values->count; i++) {
        add_option(words, name, values->items[i]);
    }
}

static void add_number(struct text *words, const char *name, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    add_option(words, name, number != 0 ? digits : NULL);
}

bool run_request_words(const struct run_request *request, struct text *ret_words)
{
    struct text words = TEXT_EMPTY;

    add_options(&words, "--key", &request->keys_given);
    add_options(&words, "--flag", &request->flags_given);
    add_options(&words, "--option", &request->options_given);
    add_option(&words, "--language", request->language);
    add_option(&words, "--association", request->association);
    add_option(&words, "--result-class", request->result_class);
    add_option(&words, "--role", request->role);
    add_option(&words, "--result-role", request->result_role);
    add_option(&words, "--input", request->input);
    add_number(&words, "--timeout", request->timeout);
    add_number(&words, "--count", request->count);
    if (request->json || request->table) {
        add_word(&words, request->json ? "--json" : "--table");
    }
    add_word(&words, "--");
    for (size_t i = 0; i < request->operands.count; i++) {
        add_word(&words, request->operands.items[i]);
    }
    if (words.failed) {
        text_release(&words);
        return false;
    }
    *ret_words = words;
    return true;
}

static const struct option_row request_options[] = {RUN_REQUEST_OPTIONS};

/* --help would print to the server's own stdout. */
static bool asks_for_help(char **words, int count)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], OPTION_HELP_NAME) == 0 || strcmp(words[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

const struct command run_request_command = {
    .operand = OPERANDS("OPERATION NAMESPACE [CLASS|QUERY] [METHOD] [KEY=VALUE]...",
                        struct run_request, operands),
    OPTIONS(request_options),
};

int run_request_serve(char **words, int count, struct run_request *request)
{
    const struct command_line line = {.name = "miguard run",
                                      .command = &run_request_command,
                                      .root = &run_request_command,
                                      .count = count,
                                      .list = words};
    int status = CLI_YES;

    request->served = true;
    if (asks_for_help(words, count)) {
        return wrong_usage(&line, "a server does not print help");
    }
    return command_parse(&line, request, &status) ? run_request_read(&line, request) : status;
}

/* ---- in a shell -------------------------------------------------------------------------------
 */

int run_request_read_shell(const struct command_line *line, struct run_request *request)
{
    const struct word_list *operands = &request->operands;

    if (request->hosting.modules.count == 0 && request->connect == NULL) {
        return wrong_usage(line, "--module is required, or --connect; see %s --help", line->name);
    }
    if (operands->count > 1) {
        return wrong_usage(line, "with --shell there is only a namespace; what is '%s'?",
                           operands->items[1]);
    }
    request->name_space = operands->count == 1 ? operands->items[0] : NULL;
    return read_flags(line, request);
}

/* Puts count words of from into list, behind its first at. False: out of memory. */
static bool insert_words(struct word_list *list, size_t at, const char *const *from, size_t count)
{
    if (count == 0) {
        return true;
    }
    const char **items = realloc(list->items, (list->count + count) * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    memmove(items + at + count, items + at, (list->count - at) * sizeof(*items));
    memcpy(items + at, from, count * sizeof(*items));
    list->items = items;
    list->count += count;
    return true;
}

/* The options of the command count for each line, where the line does not have another value. */
static void take_defaults(const struct run_request *defaults, struct run_request *request)
{
    request->in_shell = true;
    request->connect = defaults->connect;
    request->client = defaults->client;
    request->timeout = defaults->timeout;
    request->out = defaults->out;
    request->err = defaults->err;
}

static int add_defaults(const struct run_request *defaults, const char *name_space,
                        struct run_request *request)
{
    const struct word_list *given = &defaults->flags_given, *custom = &defaults->options_given;

    if (!request->json && !request->table) {
        request->json = defaults->json;
        request->table = defaults->table;
    }
    bool good = insert_words(&request->flags_given, 0, given->items, given->count) &&
                insert_words(&request->options_given, 0, custom->items, custom->count) &&
                insert_words(&request->operands, 1, &name_space, 1);
    return good ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* The namespace is added as the command line has it. */
int run_request_read_line(char **words, int count, const struct run_request *defaults,
                          const char *name_space, struct run_request *request)
{
    const struct command_line line = {.name = "miguard run",
                                      .command = &run_request_command,
                                      .root = &run_request_command,
                                      .count = count,
                                      .list = words};
    int status = CLI_YES;

    take_defaults(defaults, request);
    if (asks_for_help(words, count)) {
        return wrong_usage(&line, "the word is help in a shell");
    }
    if (!command_parse(&line, request, &status)) {
        return status;
    }
    if (request->operands.count == 0) {
        return missing_verb(&line);
    }
    if (request->input != NULL && strcmp(request->input, "-") == 0) {
        return wrong_usage(&line, "--input - would read the lines of the shell; name a file");
    }
    if (name_space == NULL) {
        return wrong_usage(&line, "there is no namespace yet; choose one with: use NAMESPACE");
    }
    status = add_defaults(defaults, name_space, request);
    return status == CLI_YES ? run_request_read(&line, request) : status;
}
