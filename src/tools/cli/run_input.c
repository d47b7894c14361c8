/* SPDX-License-Identifier: MIT */
/*
 * What `miguard run --input` reads: a file as bytes, and then MOF or JSON by its first character.
 *
 * An object of JSON begins with a brace and no MOF does; what is neither gets the message of the
 * one that it looks like.
 */
#include "tools/cli/run_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

/* ---- the file ---------------------------------------------------------------------------------
 */

/* Up to one byte more than is allowed, by which a longer file is known. */
static char *read_bytes(FILE *file, size_t *ret_length)
{
    size_t room = 0, length = 0, got = 0;
    char *text = NULL;

    do {
        if (length == room) {
            room = room == 0 ? 65536 : room * 2;
            char *larger = realloc(text, room);
            if (larger == NULL) {
                free(text);
                return NULL;
            }
            text = larger;
        }
        got = fread(text + length, 1, room - length, file);
        length += got;
    } while (got > 0 && length <= RUN_INPUT_BYTES);
    *ret_length = length;
    return text;
}

static int read_file(const char *name, FILE *file, char **ret_text, size_t *ret_length)
{
    errno = 0;
    char *text = read_bytes(file, ret_length);
    if (text == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (ferror(file)) {
        free(text);
        return complain(CLI_UNABLE, "%s cannot be read: %s", name, strerror(errno));
    }
    *ret_text = text;
    return CLI_YES;
}

static const char *name_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

int run_input_bytes(const char *path, char **ret_text, size_t *ret_length)
{
    if (strcmp(path, "-") == 0) {
        return read_file(name_of(path), stdin, ret_text, ret_length);
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    int status = read_file(path, file, ret_text, ret_length);
    fclose(file);
    return status;
}

int run_input_read(const char *path, struct run_input *ret_input)
{
    char *text = NULL;
    size_t length = 0;
    int status = run_input_bytes(path, &text, &length);

    if (status == CLI_YES) {
        status = run_input_take(path, text, length, ret_input);
        free(text);
    }
    return status;
}

/* ---- what it is -------------------------------------------------------------------------------
 */

static int take_json(const char *text, size_t length, struct run_input *input)
{
    json_error_t error;

    input->json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (input->json == NULL) {
        return complain(CLI_USAGE, "%s:%d:%d: no JSON object: %s", input->name, error.line,
                        error.column, error.text);
    }
    return json_is_object(input->json)
               ? CLI_YES
               : complain(CLI_USAGE, "%s: an object {\"NAME\": VALUE, ...} is needed", input->name);
}

/* The last instance is the one that is meant: those before it are there for their aliases. */
static int check_instances(const struct run_input *input)
{
    const struct mof_instance *at = input->mof->instances;

    if (at == NULL) {
        return complain(CLI_USAGE, "%s: 'instance of CLASS { ... };' is needed", input->name);
    }
    for (; at->next != NULL; at = at->next) {
        if (at->alias == NULL) {
            return complain(CLI_USAGE,
                            "%s:%u:%u: one instance is needed; others before it need an alias, by "
                            "which it names them",
                            input->name, at->line, at->column);
        }
    }
    return CLI_YES;
}

static int take_mof(const char *text, size_t length, struct run_input *input)
{
    struct mof_error error;

    if (mof_read(text, length, &input->mof, &error)) {
        return check_instances(input);
    }
    return error.line == 0 ? complain(CLI_UNABLE, "out of memory")
                           : complain(CLI_USAGE, "%s:%u:%u: %s", input->name, error.line,
                                      error.column, error.text);
}

/* The first byte of MOF is that of a word, a comment or an error that is better said about MOF. */
static bool looks_like_mof(const char *text, size_t length)
{
    size_t blanks = 0;

    while (blanks < length && strchr(" \t\r\n", text[blanks]) != NULL && text[blanks] != '\0') {
        blanks++;
    }
    char first = blanks < length ? text[blanks] : '{';
    return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/' ||
           first == '#';
}

int run_input_take(const char *name, const char *text, size_t length, struct run_input *ret_input)
{
    name = name_of(name);
    *ret_input = (struct run_input){.name = name};
    if (length > RUN_INPUT_BYTES) {
        return complain(CLI_USAGE, "%s: longer than %d MiB", name, RUN_INPUT_BYTES >> 20);
    }
    return looks_like_mof(text, length) ? take_mof(text, length, ret_input)
                                        : take_json(text, length, ret_input);
}

void run_input_release(struct run_input *input)
{
    json_decref(input->json);
    mof_free(input->mof);
    *input = (struct run_input){0};
}

int run_input_add(MI_Application *application, const struct run_shape *shape,
                  const struct run_input *input, MI_Instance *instance)
{
    return input->mof != NULL ? run_mof_add(application, shape, input, instance)
                              : run_json_add(application, input->json, instance);
}
