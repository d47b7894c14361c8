/* SPDX-License-Identifier: MIT */
/*
 * Why a request failed, where the result alone does not say it: which class, property, key or
 * method the server does not know, and which one was probably meant.
 *
 * What there is is asked of the server itself, through the same session: the command knows no
 * class. Where that fails, too, nothing more is said.
 */
#include "tools/cli/run_explain.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 4096 };

/* Names that the server gave, as copies, and NULL behind them. */
struct names {
    char *list[MOST_NAMES + 1];
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    char *copy = name == NULL || names->count == MOST_NAMES ? NULL : strdup(name);

    if (copy != NULL) {
        names->list[names->count++] = copy;
    }
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->list[i]);
    }
    free(names);
}

/* ", did you mean NAME?" or nothing, after what is wrong. */
static void say(const struct names *names, const char *word, const char *what, const char *where)
{
    const char *near = nearest_word(word, (const char *const *)names->list);

    if (near == NULL) {
        complain(CLI_NO, "%s has no %s '%s'", where, what, word);
    } else {
        complain(CLI_NO, "%s has no %s '%s', did you mean %s?", where, what, word, near);
    }
}

static void explain_class(const struct run_request *request, MI_Session *session,
                          struct names *names)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Class *item = NULL;
    const MI_Char *name = NULL;
    MI_Boolean more = MI_TRUE;

    MI_Session_EnumerateClasses(session, 0, NULL, request->name_space, NULL, MI_TRUE, NULL,
                                &operation);
    while (more &&
           MI_Operation_GetClass(&operation, &item, &more, NULL, NULL, NULL) == MI_RESULT_OK) {
        if (item != NULL && MI_Class_GetClassName(item, &name) == MI_RESULT_OK) {
            add_name(names, name);
        }
    }
    MI_Operation_Close(&operation);
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->list[i], request->class_name) == 0) {
            return; /* it is known, and has no provider */
        }
    }
    say(names, request->class_name, "class", request->name_space);
}

static void explain_method(const struct run_request *request, const MI_Class *item,
                           struct names *names)
{
    MI_ParameterSet parameters = {0};
    MI_QualifierSet qualifiers = {0};
    const MI_Char *name = NULL;
    MI_Uint32 count = 0;

    MI_Class_GetMethodCount(item, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Class_GetMethodAt(item, i, &name, &qualifiers, &parameters) == MI_RESULT_OK) {
            add_name(names, name);
        }
    }
    say(names, request->method, "method", request->class_name);
}

/* Whether a key or property was given on the command line. */
static bool is_given(const struct run_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct run_pair *pair = &pairs->list[i];
        if (pair->key_length == strlen(name) &&
            strncasecmp(pair->text, name, pair->key_length) == 0) {
            return true;
        }
    }
    return false;
}

/* Which of the values that were given are no strings; the server says only that one is wrong. */
static void explain_types(const struct run_request *request, const MI_Class *item)
{
    const struct run_pairs *pairs = request->method == NULL ? &request->values : &request->keys;
    const MI_Char *name = NULL;
    MI_Uint32 count = 0, flags = 0;
    MI_Type type = MI_STRING;

    MI_Class_GetElementCount(item, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Class_GetElementAt(item, i, &name, NULL, NULL, &type, NULL, NULL, &flags) ==
                MI_RESULT_OK &&
            type != MI_STRING && (request->input != NULL || is_given(pairs, name))) {
            complain(CLI_NO, "%s is a %s%s", name, (type & MI_ARRAY) != 0 ? "list, each " : "",
                     run_type_text((MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY)));
        }
    }
}

/* A name that the class does not have, and a key without a value. */
static void explain_properties(const struct run_request *request, const MI_Class *item,
                               struct names *names)
{
    const struct run_pairs *pairs = request->method == NULL ? &request->values : &request->keys;
    const MI_Char *name = NULL;
    MI_Uint32 count = 0, flags = 0;

    MI_Class_GetElementCount(item, &count);
    for (MI_Uint32 i = 0; i < count; i++) {
        if (MI_Class_GetElementAt(item, i, &name, NULL, NULL, NULL, NULL, NULL, &flags) !=
            MI_RESULT_OK) {
            continue;
        }
        add_name(names, name);
        if ((flags & MI_FLAG_KEY) != 0 && request->input == NULL && !is_given(pairs, name)) {
            complain(CLI_NO, "the key %s of %s has no value", name, request->class_name);
        }
    }
    for (size_t i = 0; i < pairs->count; i++) {
        char *given = strndup(pairs->list[i].text, pairs->list[i].key_length);
        bool known = given == NULL;
        for (size_t at = 0; at < names->count && !known; at++) {
            known = strcasecmp(names->list[at], given) == 0;
        }
        if (!known) {
            say(names, given, "property", request->class_name);
        }
        free(given);
    }
}

void run_explain(const struct run_request *request, MI_Session *session, MI_Result result)
{
    const struct run_shape shape = {session, request->name_space, request->class_name, NULL};

    if (request->json || request->class_name == NULL) {
        return;
    }
    struct names *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        return;
    }
    const bool of_class = result == MI_RESULT_METHOD_NOT_FOUND ||
                          result == MI_RESULT_NO_SUCH_PROPERTY || result == MI_RESULT_TYPE_MISMATCH;
    MI_Class *item = of_class ? run_class_new(&shape, request->class_name) : NULL;
    if (result == MI_RESULT_INVALID_CLASS) {
        explain_class(request, session, names);
    } else if (item != NULL && result == MI_RESULT_METHOD_NOT_FOUND) {
        explain_method(request, item, names);
    } else if (item != NULL && result == MI_RESULT_TYPE_MISMATCH) {
        explain_types(request, item);
    } else if (item != NULL) {
        explain_properties(request, item, names);
    }
    if (item != NULL) {
        MI_Class_Delete(item);
    }
    free_names(names);
}
