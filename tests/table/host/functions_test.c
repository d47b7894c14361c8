/* SPDX-License-Identifier: MIT */
/*
 * Every function of the MI API against the embedded host: a success, and each error that is
 * documented for it. The functions are those of tests/data/mi/functions.tsv; what each may answer
 * is in tests/data/mi/results.tsv. A function or a result that no row shows fails, and so does a
 * row with a result that the list does not have.
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 8192, MAX_FUNCTIONS = 512, LINE = 1024 };

static struct row {
    const char *function;
    const char *condition;
    MI_Result expected;
} rows[MAX_ROWS];
static size_t row_count, failed, effects;

static const char *const result_names[] = {
    [MI_RESULT_OK] = "OK",
    [MI_RESULT_FAILED] = "FAILED",
    [MI_RESULT_ACCESS_DENIED] = "ACCESS_DENIED",
    [MI_RESULT_INVALID_NAMESPACE] = "INVALID_NAMESPACE",
    [MI_RESULT_INVALID_PARAMETER] = "INVALID_PARAMETER",
    [MI_RESULT_INVALID_CLASS] = "INVALID_CLASS",
    [MI_RESULT_NOT_FOUND] = "NOT_FOUND",
    [MI_RESULT_NOT_SUPPORTED] = "NOT_SUPPORTED",
    [MI_RESULT_INVALID_SUPERCLASS] = "INVALID_SUPERCLASS",
    [MI_RESULT_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [MI_RESULT_NO_SUCH_PROPERTY] = "NO_SUCH_PROPERTY",
    [MI_RESULT_TYPE_MISMATCH] = "TYPE_MISMATCH",
    [MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED] = "QUERY_LANGUAGE_NOT_SUPPORTED",
    [MI_RESULT_INVALID_QUERY] = "INVALID_QUERY",
    [MI_RESULT_METHOD_NOT_AVAILABLE] = "METHOD_NOT_AVAILABLE",
    [MI_RESULT_METHOD_NOT_FOUND] = "METHOD_NOT_FOUND",
    [MI_RESULT_INVALID_OPERATION_TIMEOUT] = "INVALID_OPERATION_TIMEOUT",
    [MI_RESULT_SERVER_LIMITS_EXCEEDED] = "SERVER_LIMITS_EXCEEDED",
};

static const char *result_name(MI_Result result)
{
    size_t count = sizeof(result_names) / sizeof(result_names[0]);
    const char *name = (size_t)result < count ? result_names[result] : NULL;

    return name == NULL ? "another result" : name;
}

void row_note(const char *function, const char *condition, MI_Result expected, MI_Result answer)
{
    if (answer != expected) {
        failed++;
        printf("%s, %s: answered %s (%d), expected %s\n", function, condition, result_name(answer),
               (int)answer, result_name(expected));
    }
    if (row_count == MAX_ROWS) {
        printf("MAX_ROWS is too small\n");
        exit(1);
    }
    rows[row_count++] = (struct row){function, condition, expected};
}

void row_effect(const char *condition, bool holds)
{
    const struct row *last = &rows[row_count - 1];

    effects++;
    if (!holds) {
        failed++;
        printf("%s, %s: not so: %s\n", last->function, last->condition, condition);
    }
}

/* ---- the lists ------------------------------------------------------------------------------- */

/* A line of a list: the first field, the second or "", and the third or NULL. */
struct listed {
    char function[LINE];
    char results[LINE];
    bool no_success; /* the third field says why this host never answers OK */
};

static struct listed functions[MAX_FUNCTIONS], results[MAX_FUNCTIONS];

static size_t read_list(const char *path, struct listed *list)
{
    char line[LINE];
    size_t count = 0;
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        printf("%s cannot be read; run the test in the folder of the sources\n", path);
        exit(1);
    }
    while (count < MAX_FUNCTIONS && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (line[0] == '#' || line[0] == '\0') {
            continue;
        }
        if (tab != NULL) {
            *tab = '\0';
        }
        snprintf(list[count].function, sizeof(list[count].function), "%s", line);
        char *results_field = tab == NULL ? line + strlen(line) : tab + 1;
        char *reason = strchr(results_field, '\t');
        if (reason != NULL) {
            *reason = '\0';
        }
        list[count].no_success = reason != NULL && reason[1] != '\0';
        snprintf(list[count].results, sizeof(list[count].results), "%s", results_field);
        count++;
    }
    fclose(file);
    return count;
}

static bool shown(const char *function, const char *result)
{
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].function, function) == 0 &&
            strcmp(result_name(rows[i].expected), result) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether words has word as one of its words. */
static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static const struct listed *results_of(const char *function, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(results[i].function, function) == 0) {
            return &results[i];
        }
    }
    return NULL;
}

/* Each result that is listed for the function has a row. How many are listed. */
static size_t expect_rows(const char *function, const char *listed)
{
    char words[LINE], *rest = NULL;
    size_t count = 0;

    snprintf(words, sizeof(words), "%s", listed);
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        count++;
        if (!shown(function, word)) {
            failed++;
            printf("%s: no row shows %s\n", function, word);
        }
    }
    return count;
}

static size_t compare_with_lists(size_t *ret_functions)
{
    size_t function_count = read_list("tests/data/mi/functions.tsv", functions);
    size_t result_count = read_list("tests/data/mi/results.tsv", results);
    size_t pairs = 0;

    for (size_t i = 0; i < function_count; i++) {
        const struct listed *listed = results_of(functions[i].function, result_count);
        if (listed == NULL || has_word(listed->results, "OK") == listed->no_success) {
            failed++;
            printf("%s: results.tsv has neither OK for it, nor a reason for none\n",
                   functions[i].function);
            continue;
        }
        pairs += expect_rows(functions[i].function, listed->results);
    }
    if (result_count != function_count) {
        failed++;
        printf("results.tsv has %zu functions, functions.tsv %zu\n", result_count, function_count);
    }
    for (size_t i = 0; i < row_count; i++) {
        const struct listed *listed = results_of(rows[i].function, result_count);
        if (listed == NULL || !has_word(listed->results, result_name(rows[i].expected))) {
            failed++;
            printf("%s, %s: results.tsv does not list %s\n", rows[i].function, rows[i].condition,
                   result_name(rows[i].expected));
        }
    }
    *ret_functions = function_count;
    return pairs;
}

int main(void)
{
    size_t function_count = 0;

    options_rows();
    object_rows();
    client_rows();
    context_rows();
    flag_rows();
    lifecycle_rows();

    size_t pairs = compare_with_lists(&function_count);
    printf("%zu functions, %zu results of them, %zu rows, %zu effects\n", function_count, pairs,
           row_count, effects);
    printf("%zu passed, %zu failed\n", row_count + effects, failed);
    return failed == 0 ? 0 : 1;
}
