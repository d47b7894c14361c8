/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a query: the first chooses the language, the rest is the text. What is read is
 * compared with a class and matched with instances; two readings give the same answers, a query
 * that fits the class can be decided for an instance without NULL, and LIKE says what a simple
 * recursive reader says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/host_decls.h"
#include "base/utf8.h"
#include "host/object/object.h"
#include "host/query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* An instance whose scalars have all a value, or none but the key. */
static MI_Instance *thing(bool full)
{
    MI_Instance *instance = NULL, *inner = NULL;
    MI_Value text = {.string = (MI_Char *)(uintptr_t) "abc"};

    must(instance_new(&test_thing_decl, &instance) == MI_RESULT_OK);
    must(MI_Instance_SetElement(instance, "Id", &text, MI_STRING, 0) == MI_RESULT_OK);
    if (!full) {
        return instance;
    }
    struct test_thing *fields = (struct test_thing *)(void *)instance;
    fields->Number.value = 7;
    fields->Number.exists = MI_TRUE;
    fields->Flag.value = MI_TRUE;
    fields->Flag.exists = MI_TRUE;
    fields->Ratio.value = 1.5;
    fields->Ratio.exists = MI_TRUE;
    fields->When.exists = MI_TRUE; /* an interval of nothing */
    must(MI_Instance_SetElement(instance, "Text", &text, MI_STRING, 0) == MI_RESULT_OK);
    must(instance_new(&test_base_decl, &inner) == MI_RESULT_OK);
    must(MI_Instance_SetElement(inner, "Id", &text, MI_STRING, 0) == MI_RESULT_OK);
    MI_Value value = {.instance = inner};
    must(MI_Instance_SetElement(instance, "Inner", &value, MI_INSTANCE, 0) == MI_RESULT_OK);
    instance_delete(inner);
    return instance;
}

/* ---- LIKE, by recursion -------------------------------------------------------------------- */

static size_t character(const char *text, uint32_t *ret_code)
{
    size_t length = utf8_next(text, UTF8_MAX, ret_code);

    if (length == 0) {
        *ret_code = 0x110000 + (unsigned char)*text;
        length = 1;
    }
    *ret_code += *ret_code >= 'A' && *ret_code <= 'Z' ? 'a' - 'A' : 0;
    return length;
}

/* Only patterns without sets. */
static bool like(const char *text, const char *pattern)
{
    uint32_t is = 0, wanted = 0;

    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '%') {
        for (const char *at = text;; at += character(at, &is)) {
            if (like(at, pattern + 1)) {
                return true;
            }
            if (*at == '\0') {
                return false;
            }
        }
    }
    if (*text == '\0') {
        return false;
    }
    size_t length = character(text, &is), step = character(pattern, &wanted);
    return (*pattern == '_' || is == wanted) && like(text + length, pattern + step);
}

/* The text up to the first tab is the text, the rest the pattern. */
static void check_like(char *text)
{
    char *pattern = strchr(text, '\t');
    unsigned wild = 0;

    if (pattern == NULL || strlen(text) > 40) {
        return;
    }
    *pattern++ = '\0';
    for (const char *at = pattern; *at != '\0'; at++) {
        wild += *at == '%';
    }
    bool answer = wql_like(text, pattern);
    if (wild <= 4 && strchr(pattern, '[') == NULL) {
        must(answer == like(text, pattern));
    }
}

/* ---- queries ------------------------------------------------------------------------------- */

static void check_query(const char *language, const char *text)
{
    struct wql *query = NULL, *again = NULL;
    MI_PropertySet *set = NULL;
    bool match = false, second = false;
    MI_Uint32 count = 0;

    MI_Result result = wql_new(language, text, &query);
    must(result == MI_RESULT_OK || result == MI_RESULT_INVALID_QUERY);
    if (result != MI_RESULT_OK) {
        return;
    }
    must(wql_new(language, text, &again) == MI_RESULT_OK);
    must(strcmp(wql_text(query), text) == 0 && decl_name_legal(wql_class(query)));
    must(wql_selection(query, &set) == MI_RESULT_OK);
    if (set != NULL) {
        must(MI_PropertySet_GetElementCount(set, &count) == MI_RESULT_OK && count > 0 &&
             count <= WQL_MAX_PROPERTIES);
        MI_PropertySet_Delete(set);
    }
    bool fits = wql_check(query, &test_thing_decl) == MI_RESULT_OK;
    for (int full = 0; full < 2; full++) {
        MI_Instance *instance = thing(full != 0);
        result = wql_match(query, instance, &match);
        must(wql_match(again, instance, &second) == result && match == second);
        must(result == MI_RESULT_OK || !match);
        /* What is inside of an instance is not known before. */
        must(!fits || full == 0 || result == MI_RESULT_OK || strchr(text, '.') != NULL);
        instance_delete(instance);
    }
    wql_free(query);
    wql_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {"WQL", "CQL"};

    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 2) {
        check_like(text);
    } else {
        check_query(languages[data[0] % 3], text);
    }
    free(text);
    return 0;
}
