/* SPDX-License-Identifier: MIT */
/*
 * Policies that must be refused, each with what must be said of it: tests/data/policy-bad/NAME.yaml
 * and NAME.expect. Every line of the second is "LINE:COL: error: MESSAGE"; all of them and nothing
 * else must be told, in the order of the file, and no draft may come out.
 *
 * With the argument --write it writes the .expect files instead: read the difference before you
 * keep it.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/draft.h"

#define FOLDER "tests/data/policy-bad"

enum { LARGEST = 1 << 20, MANY = 100 };

static unsigned passed, failed, errors_told;

/* The whole file, ended by NUL; its length without it. */
static char *read_whole(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, LARGEST);

    *ret_length = 0;
    if (file != NULL) {
        *ret_length = fread(text, 1, LARGEST - 1, file);
        fclose(file);
    }
    return text;
}

/* What was told of the file, without its name, the source lines and the carets. */
static char *told(const struct diagnostics *errors, const char *name)
{
    struct text text = TEXT_EMPTY;
    char *lines = calloc(1, LARGEST), *end = lines, *rest = NULL;
    size_t length = strlen(name);

    diagnostics_write(errors, &text);
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            end += sprintf(end, "%s\n", line + length + 1);
            errors_told++;
        } else if (line[0] != ' ') {
            end += sprintf(end, "%s\n", line);
        }
    }
    text_release(&text);
    return lines;
}

static void complain(const char *name, const char *what, const char *expected, const char *found)
{
    failed++;
    printf("%s: %s\n---- expected:\n%s---- found:\n%s", name, what, expected, found);
}

static void try(const char *name, bool write)
{
    char path[512], expect_path[520];
    size_t length, expected_length;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;

    snprintf(path, sizeof(path), FOLDER "/%s", name);
    snprintf(expect_path, sizeof(expect_path), FOLDER "/%s", name);
    strcpy(strrchr(expect_path, '.'), ".expect");
    char *text = read_whole(path, &length);
    char *expected = read_whole(expect_path, &expected_length);
    enum miguard_status status = draft_load_text(name, text, length, &draft, &errors);
    char *found = told(&errors, name);

    if (status != MIGUARD_BAD_POLICY || draft != NULL) {
        complain(name, "a draft came out of it", "", "");
        draft_free(draft);
    } else if (write) {
        FILE *file = fopen(expect_path, "wb");
        fputs(found, file);
        fclose(file);
    } else if (expected_length == 0 || strcmp(expected, found) != 0) {
        complain(name, "not what was to be told", expected, found);
    } else {
        passed++;
    }
    diagnostics_release(&errors);
    free(text);
    free(expected);
    free(found);
}

static int is_policy(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".yaml") == 0;
}

int main(int argc, char **argv)
{
    bool write = argc > 1 && strcmp(argv[1], "--write") == 0;
    struct dirent **entries;
    int count = scandir(FOLDER, &entries, is_policy, alphasort);

    for (int i = 0; i < count; i++) {
        try(entries[i]->d_name, write);
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    if (count < MANY) {
        printf("only %d files in " FOLDER "; is this the top folder of the source?\n", count);
        failed++;
    }
    printf("%d files, %u errors told\n", count, errors_told);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
