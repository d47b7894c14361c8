/* SPDX-License-Identifier: MIT */
/* Brings names of namespaces, classes and methods into the one form that rules compare: those of
 * calls for the gateway, those of rules and tests for schema_rules.c and selftest.c. A name that
 * hosts may read in two ways is unreadable. */
#include "policy/cim_name.h"

#include <string.h>

#include "policy/cim_query.h"

/* Of ASCII, whatever the locale. */
static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

/* ---- namespaces ------------------------------------------------------------------------------ */

/* How long the name at the start of text is; 0 when it is not a name. Beyond the letters of DSP0004
 * a hyphen and an inner dot are in use and have no second meaning; a dot at an end could be ".",
 * ".." or trimmed. */
static size_t part_length(const char *text)
{
    size_t length = 0;

    while (cim_word_byte(text[length]) || text[length] == '-' || text[length] == '.') {
        length++;
    }
    return length > 0 && text[0] != '.' && text[length - 1] != '.' ? length : 0;
}

/* Empty parts between separators are dropped, as hosts do. */
bool cim_space_normalise(const char *written, char normal[CIM_SPACE_SIZE])
{
    size_t filled = 0;

    normal[0] = '\0';
    if (is_separator(written[0]) && is_separator(written[1])) {
        return false; /* //server/namespace */
    }
    for (const char *at = written; *at != '\0';) {
        if (is_separator(*at)) {
            at++;
            continue;
        }
        size_t length = part_length(at);
        size_t slash = filled > 0 ? 1 : 0;
        if (length == 0 || filled + slash + length >= CIM_SPACE_SIZE) {
            normal[0] = '\0';
            return false;
        }
        normal[filled] = '/'; /* written over when it is the first */
        memcpy(normal + filled + slash, at, length);
        filled += slash + length;
        at += length;
    }
    normal[filled] = '\0';
    return filled > 0;
}

/* ---- a call ---------------------------------------------------------------------------------- */

/* NULL and "" are both no name. */
static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* Operations whose namespace a host would supply when it is missing. */
static bool needs_space(enum operation operation)
{
    return operation >= OPERATION_GET_INSTANCE && operation <= OPERATION_ENUMERATE_CLASSES;
}

/* EnumerateClasses may do without: then it begins at the top. */
static bool needs_class(enum operation operation)
{
    return operation >= OPERATION_GET_INSTANCE && operation <= OPERATION_GET_CLASS;
}

_Static_assert(OPERATION_ENUMERATE_CLASSES - OPERATION_GET_INSTANCE == 11 &&
                   OPERATION_GET_CLASS == OPERATION_ENUMERATE_CLASSES - 1,
               "the operations that name something follow each other");

/* An unreadable name is kept, cut, for the record. */
static void read_space(struct cim_names *names, const struct cim_written *written)
{
    if (!is_given(written->name_space)) {
        names->unreadable |= needs_space(written->operation) ? CALL_UNREADABLE_SPACE : 0;
    } else if (!cim_space_normalise(written->name_space, names->name_space)) {
        names->unreadable |= CALL_UNREADABLE_SPACE;
        (void)cut_text(written->name_space, CIM_SPACE_SIZE, names->name_space);
    }
}

/* Only Invoke needs one; another operation may carry one, and is then matched by it. */
static void read_method(struct cim_names *names, const struct cim_written *written)
{
    names->method[0] = '\0';
    if (!is_given(written->method)) {
        names->unreadable |= written->operation == OPERATION_INVOKE ? CALL_UNREADABLE_METHOD : 0;
        return;
    }
    if (!cim_method_valid(written->method)) {
        names->unreadable |= CALL_UNREADABLE_METHOD;
    }
    (void)cut_text(written->method, CIM_METHOD_SIZE, names->method);
}

/* The order of the parts does not matter: each only adds to unreadable. */
void cim_names_read(struct cim_names *names, const struct cim_written *written)
{
    names->unreadable = written->class_hidden ? CALL_UNREADABLE_CLASS : 0;
    names->name_space[0] = '\0';
    for (int i = 0; i < CIM_CLASSES; i++) {
        names->classes[i][0] = '\0';
    }
    read_space(names, written);
    read_method(names, written);
    for (int i = 0; i < CIM_CLASSES; i++) {
        if (is_given(written->classes[i])) {
            cim_names_add_class(names, written->classes[i]);
        }
    }
    if (written->query != NULL && !cim_query_read(written->dialect, written->query, names)) {
        names->unreadable |= CALL_UNREADABLE_CLASS;
    }
    if (needs_class(written->operation) && written->query == NULL &&
        !is_given(written->classes[0])) {
        names->unreadable |= CALL_UNREADABLE_CLASS;
    }
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* Stands for characters that a name may have. */
static bool is_wild(char c)
{
    return c == '*' || c == '?';
}

/* The pattern with its separators as they are compared. */
static void tidy_space(const char *pattern, char *tidy, size_t size)
{
    size_t filled = 0;

    for (; *pattern != '\0' && filled + 1 < size; pattern++) {
        char c = is_separator(*pattern) ? '/' : *pattern;
        if (c != '/' || (filled > 0 && tidy[filled - 1] != '/')) {
            tidy[filled++] = c;
        }
    }
    while (filled > 0 && tidy[filled - 1] == '/') {
        filled--;
    }
    tidy[filled] = '\0';
}

/* The pattern is of characters that a name may have, and wildcards. A backslash is not allowed,
 * since nothing in a name needs quoting. */
static bool only(const char *text, const char *also)
{
    while (*text != '\0' &&
           (cim_word_byte(*text) || is_wild(*text) || strchr(also, *text) != NULL)) {
        text++;
    }
    return *text == '\0';
}

/* No name begins or ends with a dot, and so no pattern that could match one has a dot there. */
static bool dots_good(const char *pattern)
{
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        bool first = i == 0 || pattern[i - 1] == '/';
        bool last = pattern[i + 1] == '\0' || pattern[i + 1] == '/';
        if (pattern[i] == '.' && (first || last)) {
            return false;
        }
    }
    return true;
}

/* Compares with what tidy_space() makes of it: a pattern in another form would never match a normal
 * form. */
bool cim_space_pattern_good(const char *pattern, char *ret_meant, size_t size)
{
    ret_meant[0] = '\0';
    tidy_space(pattern, ret_meant, size);
    if (!only(ret_meant, "-./") || !dots_good(ret_meant)) {
        ret_meant[0] = '\0';
    }
    return ret_meant[0] != '\0' && strcmp(ret_meant, pattern) == 0;
}

/* A leading "*" or "?" is fine: it may stand for a letter. */
bool cim_class_pattern_good(const char *pattern)
{
    return only(pattern, "") && !(pattern[0] >= '0' && pattern[0] <= '9');
}
