/* SPDX-License-Identifier: MIT */
/*
 * From the words of MOF to the values and instances of mof.h, by recursive descent.
 *
 * Each step returns false after it has set the error: mof_fail() for what the text does wrong, and
 * a line of 0 where memory is missing. The depth is limited, so the recursion is. An alias names an
 * instance that stands before it, and so no instance can contain itself; what all aliases stand for
 * is limited, since instances that each name the one before it twice would double with each line.
 */
#include "host/mof/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- errors and words -------------------------------------------------------------------------
 */

bool mof_out_of_memory(struct mof_reader *reader)
{
    *reader->lexer.error = (struct mof_error){.text = "out of memory"};
    reader->lexer.token = MOF_TOKEN_BAD;
    return false;
}

static void set_error(struct mof_reader *reader, bool limit, const char *format, va_list list)
{
    struct mof_error *error = reader->lexer.error;

    if (reader->lexer.token == MOF_TOKEN_BAD) {
        return;
    }
    error->line = reader->lexer.token_line;
    error->column = reader->lexer.token_column;
    error->limit = limit;
    vsnprintf(error->text, sizeof(error->text), format, list);
    reader->lexer.token = MOF_TOKEN_BAD;
}

bool mof_fail(struct mof_reader *reader, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    set_error(reader, false, format, list);
    va_end(list);
    return false;
}

bool mof_fail_limit(struct mof_reader *reader, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    set_error(reader, true, format, list);
    va_end(list);
    return false;
}

bool mof_fail_wanted(struct mof_reader *reader, const char *wanted)
{
    const struct mof_lexer *lexer = &reader->lexer;
    int length = lexer->length < 40 ? (int)lexer->length : 40;

    return lexer->token == MOF_TOKEN_END ? mof_fail(reader, "%s, not the end of the text", wanted)
           : lexer->token == MOF_TOKEN_STRING
               ? mof_fail(reader, "%s, not a string", wanted)
               : mof_fail(reader, "%s, not '%.*s'", wanted, length, lexer->word);
}

bool mof_is_sign(const struct mof_reader *reader, char sign)
{
    return reader->lexer.token == MOF_TOKEN_SIGN && reader->lexer.sign == sign;
}

bool mof_pass_sign(struct mof_reader *reader, char sign, const char *wanted)
{
    if (!mof_is_sign(reader, sign)) {
        return mof_fail_wanted(reader, wanted);
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

static bool same_letters(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char x = a[i], y = b[i];
        x = (char)(x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x);
        y = (char)(y >= 'A' && y <= 'Z' ? y - 'A' + 'a' : y);
        if (x != y) {
            return false;
        }
    }
    return true;
}

bool mof_same_name(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && same_letters(a, b, strlen(a));
}

bool mof_is_word(const struct mof_reader *reader, const char *word)
{
    return reader->lexer.token == MOF_TOKEN_NAME && reader->lexer.length == strlen(word) &&
           same_letters(reader->lexer.word, word, reader->lexer.length);
}

bool mof_copy_word(struct mof_reader *reader, const char **ret_text)
{
    *ret_text = arena_copy(&reader->owned->arena, reader->lexer.word, reader->lexer.length);
    return *ret_text != NULL || mof_out_of_memory(reader);
}

/* ---- scalars ----------------------------------------------------------------------------------
 */

static bool read_integer(struct mof_reader *reader, struct mof_value *value)
{
    const bool negative = reader->lexer.negative && reader->lexer.magnitude != 0;
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%s%llu", negative ? "-" : "",
                          (unsigned long long)reader->lexer.magnitude);

    value->kind = MOF_INTEGER;
    value->text = arena_copy(&reader->owned->arena, digits, (size_t)length);
    return value->text != NULL || mof_out_of_memory(reader);
}

/* Its text is what value_from_text() takes; one half of a surrogate pair has none. */
static bool read_char(struct mof_reader *reader, struct mof_value *value)
{
    const unsigned code = reader->lexer.character;
    char *text = arena_take(&reader->owned->arena, 1, 4);

    if (text == NULL) {
        return mof_out_of_memory(reader);
    }
    value->kind = MOF_CHAR;
    value->character = reader->lexer.character;
    if (code == 0 || (code >= 0xD800 && code < 0xE000)) {
        return true;
    }
    value->text = text;
    if (code < 0x80) {
        *text = (char)code;
    } else if (code < 0x800) {
        *text++ = (char)(0xC0 | code >> 6);
        *text = (char)(0x80 | (code & 0x3F));
    } else {
        *text++ = (char)(0xE0 | code >> 12);
        *text++ = (char)(0x80 | (code >> 6 & 0x3F));
        *text = (char)(0x80 | (code & 0x3F));
    }
    return true;
}

/* NULL, TRUE and FALSE, or the wrong word for a value. */
static bool read_word(struct mof_reader *reader, struct mof_value *value)
{
    if (mof_is_word(reader, "null")) {
        value->kind = MOF_NULL;
        return true;
    }
    if (mof_is_word(reader, "true") || mof_is_word(reader, "false")) {
        value->kind = MOF_BOOLEAN;
        value->text = mof_is_word(reader, "true") ? "TRUE" : "FALSE";
        return true;
    }
    return mof_fail_wanted(reader, "a value is needed: a number, \"text\", 'c', TRUE, FALSE, NULL, "
                                   "{...}, instance of or $alias");
}

static bool read_scalar(struct mof_reader *reader, struct mof_value *value)
{
    switch (reader->lexer.token) {
    case MOF_TOKEN_INTEGER:
        return read_integer(reader, value);
    case MOF_TOKEN_REAL:
        value->kind = MOF_REAL;
        return mof_copy_word(reader, &value->text);
    case MOF_TOKEN_CHAR:
        return read_char(reader, value);
    case MOF_TOKEN_STRING:
        value->kind = MOF_STRING;
        value->text = reader->lexer.word;
        return true;
    default:
        return read_word(reader, value);
    }
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Takes the place of the alias, within the limits of depth and size. */
static bool use_alias(struct mof_reader *reader, const struct mof_instance *instance,
                      struct mof_value *value)
{
    const unsigned depth = reader->depth + instance->levels;

    if (depth > MOF_MAX_DEPTH) {
        return mof_fail_limit(reader, "instances are nested more than %d deep", MOF_MAX_DEPTH);
    }
    reader->copies += instance->bytes;
    if (reader->copies > MOF_MAX_COPIES) {
        return mof_fail_limit(reader, "aliases stand for more than %d MiB of text",
                              MOF_MAX_COPIES >> 20);
    }
    reader->deepest = depth > reader->deepest ? depth : reader->deepest;
    value->kind = MOF_INSTANCE;
    value->instance = instance;
    mof_lexer_next(&reader->lexer);
    return true;
}

/* The instance of that name that stands before this place, with its end. */
static bool read_alias(struct mof_reader *reader, struct mof_value *value)
{
    for (const struct mof_instance *at = reader->owned->base.instances; at != NULL; at = at->next) {
        if (at->alias != NULL && strlen(at->alias) == reader->lexer.length &&
            same_letters(at->alias, reader->lexer.word, reader->lexer.length)) {
            return use_alias(reader, at, value);
        }
    }
    return mof_fail(reader, "no instance before this one has the alias $%.*s",
                    (int)(reader->lexer.length < 40 ? reader->lexer.length : 40),
                    reader->lexer.word);
}

static bool read_embedded(struct mof_reader *reader, struct mof_value *value)
{
    struct mof_instance *instance = NULL;

    if (!mof_read_instance(reader, &instance)) {
        return false;
    }
    value->kind = MOF_INSTANCE;
    value->instance = instance;
    return true;
}

/* What may stand in an array: everything but an array. */
static bool read_item(struct mof_reader *reader, struct mof_value *value)
{
    value->line = reader->lexer.token_line;
    value->column = reader->lexer.token_column;
    if (reader->lexer.token == MOF_TOKEN_ALIAS) {
        return read_alias(reader, value);
    }
    if (mof_is_word(reader, "instance")) {
        return read_embedded(reader, value);
    }
    if (!read_scalar(reader, value)) {
        return false;
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

static bool read_array(struct mof_reader *reader, struct mof_value *value)
{
    const struct mof_value **link = &value->items;

    value->kind = MOF_ARRAY;
    mof_lexer_next(&reader->lexer);
    while (!mof_is_sign(reader, '}') || value->count > 0) {
        struct mof_value *item = arena_take(&reader->owned->arena, 1, sizeof(*item));
        if (item == NULL) {
            return mof_out_of_memory(reader);
        }
        if (!read_item(reader, item)) {
            return false;
        }
        *link = item;
        link = &item->next;
        value->count++;
        if (!mof_is_sign(reader, ',')) {
            break;
        }
        mof_lexer_next(&reader->lexer);
    }
    return mof_pass_sign(reader, '}', "',' or '}' is needed behind the element of an array");
}

bool mof_read_value(struct mof_reader *reader, struct mof_value *ret_value)
{
    ret_value->line = reader->lexer.token_line;
    ret_value->column = reader->lexer.token_column;
    return mof_is_sign(reader, '{') ? read_array(reader, ret_value) : read_item(reader, ret_value);
}

/* ---- instances --------------------------------------------------------------------------------
 */

static bool has_property(const struct mof_instance *instance, const char *name)
{
    for (const struct mof_property *at = instance->properties; at != NULL; at = at->next) {
        if (mof_same_name(at->name, name)) {
            return true;
        }
    }
    return false;
}

/* The name, and its place. A list of properties is short; one that is not would be quadratic, and
 * has a limit. */
static bool read_property_name(struct mof_reader *reader, const struct mof_instance *instance,
                               struct mof_property *property, const char *wanted)
{
    enum { MOST_PROPERTIES = 4096 };

    property->line = reader->lexer.token_line;
    property->column = reader->lexer.token_column;
    if (reader->lexer.token != MOF_TOKEN_NAME) {
        return mof_is_sign(reader, '[')
                   ? mof_fail(reader, "qualifiers of an instance are not supported")
                   : mof_fail_wanted(reader, wanted);
    }
    if (instance->count == MOST_PROPERTIES) {
        return mof_fail_limit(reader, "an instance with more than %d properties", MOST_PROPERTIES);
    }
    if (!mof_copy_word(reader, &property->name)) {
        return false;
    }
    if (has_property(instance, property->name)) {
        return mof_fail(reader, "%.60s has a value before this", property->name);
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

/* NAME = VALUE, added to the end of the list at *link. */
bool mof_read_property(struct mof_reader *reader, struct mof_instance *instance,
                       const struct mof_property ***link, const char *wanted)
{
    struct mof_property *property = arena_take(&reader->owned->arena, 1, sizeof(*property));

    if (property == NULL) {
        return mof_out_of_memory(reader);
    }
    if (!read_property_name(reader, instance, property, wanted) ||
        !mof_pass_sign(reader, '=', "'=' is needed behind the name of a property") ||
        !mof_read_value(reader, &property->value)) {
        return false;
    }
    **link = property;
    *link = &property->next;
    instance->count++;
    return true;
}

static bool read_properties(struct mof_reader *reader, struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;

    if (!mof_pass_sign(reader, '{', "'{' is needed before the properties")) {
        return false;
    }
    while (!mof_is_sign(reader, '}')) {
        if (!mof_read_property(reader, instance, &link,
                               "the name of a property or '}' is needed") ||
            !mof_pass_sign(reader, ';', "';' is needed behind the value")) {
            return false;
        }
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

bool mof_read_name(struct mof_reader *reader, enum mof_token token, const char *wanted,
                   const char **ret_name)
{
    if (reader->lexer.token != token) {
        return mof_fail_wanted(reader, wanted);
    }
    if (!mof_copy_word(reader, ret_name)) {
        return false;
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

/* OF CLASS [AS $ALIAS], behind the word instance. */
static bool read_head(struct mof_reader *reader, struct mof_instance *instance)
{
    if (!mof_is_word(reader, "of")) {
        return mof_fail_wanted(reader, "'of' is needed behind 'instance'");
    }
    mof_lexer_next(&reader->lexer);
    if (!mof_read_name(reader, MOF_TOKEN_NAME, "the name of a class is needed",
                       &instance->class_name)) {
        return false;
    }
    if (!mof_is_word(reader, "as")) {
        return true;
    }
    if (reader->depth > 1) {
        return mof_fail(reader, "an instance within another has no alias");
    }
    mof_lexer_next(&reader->lexer);
    return mof_read_name(reader, MOF_TOKEN_ALIAS, "the $alias is needed behind 'as'",
                         &instance->alias);
}

bool mof_new_instance(struct mof_reader *reader, struct mof_instance **ret_instance)
{
    struct mof_instance *instance = arena_take(&reader->owned->arena, 1, sizeof(*instance));

    if (instance == NULL) {
        return mof_out_of_memory(reader);
    }
    instance->line = reader->lexer.token_line;
    instance->column = reader->lexer.token_column;
    *ret_instance = instance;
    return true;
}

bool mof_read_instance(struct mof_reader *reader, struct mof_instance **ret_instance)
{
    struct mof_instance *instance = NULL;

    if (reader->depth == MOF_MAX_DEPTH) {
        return mof_fail_limit(reader, "instances are nested more than %d deep", MOF_MAX_DEPTH);
    }
    if (!mof_new_instance(reader, &instance)) {
        return false;
    }
    const char *start = reader->lexer.word;
    const unsigned outer = reader->deepest;
    const size_t copies = reader->copies;
    mof_lexer_next(&reader->lexer);
    reader->deepest = ++reader->depth;
    if (!read_head(reader, instance) || !read_properties(reader, instance)) {
        return false;
    }
    instance->levels = reader->deepest - --reader->depth;
    instance->bytes = (size_t)(reader->lexer.at - start) + (reader->copies - copies);
    reader->deepest = outer > reader->deepest ? outer : reader->deepest;
    *ret_instance = instance;
    return true;
}
