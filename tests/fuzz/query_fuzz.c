/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a query, a namespace and a class. What is read of a query must be what two careless
 * readers find: one that takes a backslash in a string for an escape, and one that does not. Both
 * cut the strings out and take the word behind the first FROM.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/cim_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* The query with a blank for each string. */
static void cut_strings(const char *query, bool escapes, char *bare)
{
    while (*query != '\0') {
        char quote = *query;
        if (quote != '\'' && quote != '"') {
            *bare++ = *query++;
            continue;
        }
        query++;
        while (*query != '\0' && *query != quote) {
            query += escapes && query[0] == '\\' && query[1] != '\0' ? 2 : 1;
        }
        query += *query != '\0';
        *bare++ = ' ';
    }
    *bare = '\0';
}

static bool in_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* How often the word stands there; *ret_next is the word behind the first. */
static unsigned count_word(const char *text, const char *word, char ret_next[CIM_CLASS_SIZE])
{
    size_t length = strlen(word);
    unsigned count = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (strncasecmp(at, word, length) != 0 || in_word(at[length]) ||
            (at > text && in_word(at[-1]))) {
            continue;
        }
        if (count++ == 0) {
            const char *next = at + length + strspn(at + length, " \t\r\n");
            size_t filled = 0;
            while (in_word(next[filled]) && filled + 1 < CIM_CLASS_SIZE) {
                ret_next[filled] = next[filled];
                filled++;
            }
            ret_next[filled] = '\0';
        }
    }
    return count;
}

static bool has_class(const struct cim_names *names, const char *name)
{
    for (int i = 0; i < CIM_CLASSES; i++) {
        if (strcasecmp(names->classes[i], name) == 0) {
            return *name != '\0';
        }
    }
    return false;
}

static void check_query(const char *query, size_t size)
{
    struct cim_names names;
    const struct cim_written written = {.operation = OPERATION_QUERY_INSTANCES,
                                        .name_space = "root",
                                        .dialect = "CQL",
                                        .query = query};

    cim_names_read(&names, &written);
    if (names.unreadable != 0) {
        return;
    }
    for (int i = 0; i < CIM_CLASSES && names.classes[i][0] != '\0'; i++) {
        must(cim_class_valid(names.classes[i]) && strstr(query, names.classes[i]) != NULL);
    }
    char *bare = malloc(size + 1), next[CIM_CLASS_SIZE], ignored[CIM_CLASS_SIZE];
    must(bare != NULL);
    for (int escapes = 0; escapes < 2; escapes++) {
        cut_strings(query, escapes, bare);
        must(count_word(bare, "from", next) == 1 && has_class(&names, next));
        must(count_word(bare, "select", ignored) == 1 && count_word(bare, "join", ignored) == 0);
        must(strstr(bare, "--") == NULL && strpbrk(bare, "/;{}[]\\") == NULL);
    }
    free(bare);
}

static void check_space(const char *text)
{
    char normal[CIM_SPACE_SIZE], again[CIM_SPACE_SIZE], meant[CIM_SPACE_SIZE];

    if (!cim_space_normalise(text, normal)) {
        must(normal[0] == '\0');
        return;
    }
    must(cim_space_normalise(normal, again) && strcmp(normal, again) == 0);
    must(strpbrk(normal, "\\ :*?\t") == NULL && strstr(normal, "//") == NULL);
    must(strlen(normal) <= strlen(text));
    must(cim_space_pattern_good(normal, meant, sizeof(meant)) && strcmp(meant, normal) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), meant[CIM_SPACE_SIZE];

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_query(text, size);
    check_space(text);
    if (cim_class_valid(text)) {
        must(cim_class_pattern_good(text));
    }
    if (!cim_space_pattern_good(text, meant, sizeof(meant)) && meant[0] != '\0') {
        must(strcmp(meant, text) != 0 && strstr(meant, "//") == NULL);
    }
    free(text);
    return 0;
}
