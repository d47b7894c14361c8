/* SPDX-License-Identifier: MIT */
/*
 * Completion: which words may stand where in a request.
 *
 * The place is that of the word among those that are no options. Classes, properties and methods
 * are asked for as any request is, with the identity of the shell, so that completion shows no one
 * more than a request would. Names come from providers: one that is not made of letters, digits
 * and _ is not offered, since it would have to be quoted.
 */
#include "tools/cli/shell_choices.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/options.h"
#include "tools/cli/run_request.h"
#include "tools/cli/shell_words.h"

const char *const shell_own_words[] = {"as", "exit", "help", "quit", "use", NULL};

/* What is looked for, and what was found. */
struct finding {
    const struct shell_source *source;
    const char *typed;
    size_t typed_length;
    struct shell_choices *choices;
};

/* ---- one choice -------------------------------------------------------------------------------
 */

static bool is_plain(const char *name, const char *others)
{
    for (; *name != '\0'; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        bool digit = *name >= '0' && *name <= '9';
        if (!letter && !digit && strchr(others, *name) == NULL) {
            return false;
        }
    }
    return true;
}

/* Names of CIM have no case. What there is no memory for is not offered. */
static void offer(struct finding *finding, const char *name, const char *end)
{
    struct shell_choices *choices = finding->choices;
    char *text = NULL;

    if (name[0] == '\0' || strncasecmp(name, finding->typed, finding->typed_length) != 0 ||
        !is_plain(name, "_-/")) {
        return;
    }
    char **list = realloc(choices->list, (choices->count + 1) * sizeof(*list));
    if (list == NULL) {
        return;
    }
    choices->list = list;
    if (asprintf(&text, "%s%s", name, end) >= 0) {
        list[choices->count++] = text;
    }
}

static void offer_all(struct finding *finding, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        offer(finding, names[i], "");
    }
}

static void offer_options(struct finding *finding)
{
    struct option_row row;

    for (size_t i = 0; command_option(&run_request_command, i, &row); i++) {
        if (row.name != NULL && strcmp(row.name, OPTION_HELP_NAME) != 0) {
            offer(finding, row.name, "");
        }
    }
}

/* ---- names of classes -------------------------------------------------------------------------
 */

static void offer_classes(struct finding *finding)
{
    static const char *const words[] = {"list"};
    char *names = finding->source->ask(finding->source->context, words, 1);
    char *save = NULL;

    if (names == NULL) {
        return;
    }
    for (char *at = strtok_r(names, "\n", &save); at != NULL; at = strtok_r(NULL, "\n", &save)) {
        offer(finding, at, "");
    }
    free(names);
}

/* The declaration, a new reference; NULL: none was given. */
static json_t *ask_class(const struct finding *finding, const char *name)
{
    const char *words[] = {"class", "--json", "--", name};
    char *text = finding->source->ask(finding->source->context, words, 4);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);

    free(text);
    return json;
}

/* With = behind each, for a value. */
static void offer_properties(struct finding *finding, const char *class_name, bool keys_only)
{
    json_t *json = ask_class(finding, class_name), *property;
    size_t index;

    json_array_foreach(json_object_get(json, "properties"), index, property)
    {
        const char *name = json_string_value(json_object_get(property, "name"));
        if (name != NULL && (!keys_only || json_is_true(json_object_get(property, "key")))) {
            offer(finding, name, "=");
        }
    }
    json_decref(json);
}

static void offer_methods(struct finding *finding, const char *class_name)
{
    json_t *json = ask_class(finding, class_name), *method;
    size_t index;

    json_array_foreach(json_object_get(json, "methods"), index, method)
    {
        const char *name = json_string_value(method);
        if (name != NULL) {
            offer(finding, name, "");
        }
    }
    json_decref(json);
}

/* ---- the place --------------------------------------------------------------------------------
 */

/* The words that are no options or their values, in place; the last is the one to complete. */
static size_t drop_options(char **list, size_t count)
{
    struct option_row row;
    size_t kept = 0, index;

    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        if (last || strncmp(list[i], "--", 2) != 0) {
            list[kept++] = list[i];
        } else if (command_find_option(&run_request_command, list[i], strlen(list[i]), &row,
                                       &index) &&
                   row.kind != OPTION_FLAG && i + 2 < count) {
            i++;
        }
    }
    return kept;
}

static bool is_verb(const char *word, enum run_verb verb)
{
    return strcmp(word, run_verbs[verb]) == 0;
}

static void offer_second(struct finding *finding, const char *first)
{
    if (strcmp(first, "use") == 0) {
        offer_all(finding, finding->source->name_spaces);
    } else if (strcmp(first, "help") == 0) {
        offer_all(finding, run_verbs);
    } else if (!is_verb(first, RUN_QUERY) && !is_verb(first, RUN_TEST_CONNECTION)) {
        offer_classes(finding);
    }
}

static void offer_later(struct finding *finding, char *const *list, size_t at)
{
    bool by_key = is_verb(list[0], RUN_GET) || is_verb(list[0], RUN_DELETE) ||
                  is_verb(list[0], RUN_ASSOCIATORS) || is_verb(list[0], RUN_REFERENCES);

    if (is_verb(list[0], RUN_INVOKE)) {
        if (at == 2) {
            offer_methods(finding, list[1]);
        }
    } else if (by_key || is_verb(list[0], RUN_CREATE) || is_verb(list[0], RUN_MODIFY)) {
        offer_properties(finding, list[1], by_key);
    }
}

static void offer_by_place(struct finding *finding, char **list, size_t count)
{
    size_t kept = drop_options(list, count);

    if (strncmp(finding->typed, "--", 2) == 0) {
        offer_options(finding);
    } else if (kept == 1) {
        offer_all(finding, run_verbs);
        offer_all(finding, shell_own_words);
    } else if (kept == 2) {
        offer_second(finding, list[0]);
    } else {
        offer_later(finding, list, kept - 1);
    }
}

/* What was begun in quotes is not completed. */
void shell_choices(const struct shell_source *source, const char *line, size_t length,
                   struct shell_choices *ret_choices)
{
    struct shell_words words = {0};
    size_t place = 0;
    static char empty[] = "";

    *ret_choices = (struct shell_choices){0};
    enum shell_split split = shell_words_split(line, length, &words, &place);
    if (split == SHELL_SPLIT_GOOD && (!words.open || words.last_bare)) {
        if (!words.open) {
            words.list[words.count++] = empty; /* the list has room for its end */
        }
        const char *typed = words.list[words.count - 1];
        struct finding finding = {source, typed, strlen(typed), ret_choices};
        ret_choices->typed = finding.typed_length;
        offer_by_place(&finding, words.list, words.count);
    }
    shell_words_release(&words);
}
