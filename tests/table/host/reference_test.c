/* SPDX-License-Identifier: MIT */
/*
 * Each row of the behaviour reference that the host follows is named in
 * tests/data/mi/reference-rows.tsv, with the tests that show it. Here: no row of a section is
 * missing or there twice, and each test that is named exists and is run.
 */
#include <ctype.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 2048 };

/* How many rows a section has, and what its first one is numbered. */
static const struct section {
    const char *id;
    unsigned rows, first;
} sections[] = {
    {"B.4", 11, 1}, {"B.5", 10, 1}, {"B.6", 10, 1}, {"B.7", 14, 1}, {"B.8", 12, 1},
    {"B.9", 5, 1},  {"C.2", 15, 1}, {"D.3", 20, 1}, {"D.4", 5, 1},  {"D.5", 9, 1},
    {"D.6", 7, 1},  {"D.7", 4, 1},  {"E", 35, 0},   {"F.8", 17, 1}, {"G.1", 10, 1},
    {"G.2", 2, 1},  {"G.3", 9, 1},  {"G.4", 4, 1},  {"G.5", 13, 1},
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static unsigned passed, failed;

static void check(bool good, const char *id, const char *what, const char *detail)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s: %s%s\n", id, what, detail);
    }
}

static bool is_part_of_a_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* How often the name stands in the text, as a whole word. */
static unsigned count_word(const char *text, const char *name)
{
    size_t length = strlen(name);
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, name)) != NULL; at += length) {
        count += (at == text || !is_part_of_a_name(at[-1])) && !is_part_of_a_name(at[length]);
    }
    return count;
}

/* The whole file, which the caller frees; NULL if it cannot be read. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL) {
        return NULL;
    }
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* A test is there twice: where it is written, and where it is run. main() is run by itself. */
static unsigned count_in(const char *path, const char *name)
{
    char *text = read_file(path);
    unsigned count = text == NULL ? 0 : count_word(text, name);

    free(text);
    return count;
}

/* The test is written as file:name, the file below tests/ and without its ".c". */
static bool exists(char *test)
{
    char pattern[LINE];
    char *name = strrchr(test, ':');
    unsigned most = 0;
    glob_t found;

    if (name == NULL) {
        return false;
    }
    snprintf(pattern, sizeof(pattern), "tests/%.*s.c", (int)(name - test), test);
    if (glob(pattern, 0, NULL, &found) != 0) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        unsigned count = count_in(found.gl_pathv[i], name + 1);
        most = count > most ? count : most;
    }
    globfree(&found);
    return most >= (strcmp(name, ":main") == 0 ? 1U : 2U);
}

/* The rows of each section come one after the other. */
static void check_id(const char *id, unsigned *seen)
{
    const char *slash = strchr(id, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - id);

    for (size_t i = 0; i < SECTIONS; i++) {
        if (strlen(sections[i].id) == length && strncmp(sections[i].id, id, length) == 0) {
            unsigned long number = strtoul(slash + 1, NULL, 10);
            check(number == sections[i].first + seen[i], id, "out of its order, or twice", "");
            seen[i]++;
            return;
        }
    }
    check(false, id, "no such section", "");
}

static void check_line(char *line, unsigned *seen)
{
    char *rest = NULL, *test_rest = NULL;
    const char *id = strtok_r(line, "\t", &rest);
    const char *words = strtok_r(NULL, "\t", &rest);
    char *tests = strtok_r(NULL, "\t\n", &rest);

    check_id(id, seen);
    check(words != NULL && tests != NULL, id, "no test", "");
    for (char *test = tests == NULL ? NULL : strtok_r(tests, " ", &test_rest); test != NULL;
         test = strtok_r(NULL, " ", &test_rest)) {
        check(exists(test), id, "no such test, or not run: ", test);
    }
}

int main(void)
{
    char line[LINE];
    unsigned seen[SECTIONS] = {0}, rows = 0;
    FILE *file = fopen("tests/data/mi/reference-rows.tsv", "r");

    if (file == NULL) {
        printf("tests/data/mi/reference-rows.tsv cannot be read\n");
        return 1;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] != '#') {
            check_line(line, seen);
            rows++;
        }
    }
    fclose(file);
    for (size_t i = 0; i < SECTIONS; i++) {
        check(seen[i] == sections[i].rows, sections[i].id, "rows are missing, or too many", "");
    }
    printf("%u rows of the reference\n", rows);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
