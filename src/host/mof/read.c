/* SPDX-License-Identifier: MIT */
/*
 * From the words of MOF to the tree of mof.h, by recursive descent.
 *
 * Memory is taken from one list of blocks and given back at once. Each step returns false after it
 * has set the error: fail() for what the text does wrong, and a line of 0 where memory is missing.
 * The depth is limited, so the recursion is. An alias names an instance that stands before it, and
 * so no instance can contain itself; what all aliases stand for is limited, since instances that
 * each name the one before it twice would double with each line.
 */
#include "host/mof/mof.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "host/mof/lex.h"

/* ---- memory -----------------------------------------------------------------------------------
 */

enum { BLOCK_BYTES = 16000 };

struct block {
    struct block *next;
    size_t used, size;
    max_align_t bytes[];
};

struct owned_document {
    struct mof_document base; /* first: what is given out */
    struct block *blocks;
    char *text; /* the copy that strings point into */
};

/* Zeroed, or NULL. */
static void *take_memory(struct owned_document *owned, size_t size)
{
    size_t wanted = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct block *block = owned->blocks;

    if (block == NULL || block->size - block->used < wanted) {
        size_t room = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;
        block = base_alloc(1, sizeof(*block) + room);
        if (block == NULL) {
            return NULL;
        }
        block->size = room;
        block->next = owned->blocks;
        owned->blocks = block;
    }
    void *memory = (char *)block->bytes + block->used;
    block->used += wanted;
    return memory;
}

void mof_free(struct mof_document *document)
{
    struct owned_document *owned = (struct owned_document *)(void *)document;

    if (owned == NULL) {
        return;
    }
    for (struct block *block = owned->blocks, *next; block != NULL; block = next) {
        next = block->next;
        base_free(block);
    }
    base_free(owned->text);
    base_free(owned);
}

/* ---- the reader -------------------------------------------------------------------------------
 */

struct reader {
    struct mof_lexer lexer;
    struct owned_document *owned;
    unsigned depth;   /* of the instance that is read; 0: none */
    unsigned deepest; /* of those in it */
    size_t copies;    /* bytes that aliases stand for */
};

static bool read_value(struct reader *reader, struct mof_value *ret_value);
static bool read_instance(struct reader *reader, struct mof_instance **ret_instance);

static bool out_of_memory(struct reader *reader)
{
    *reader->lexer.error = (struct mof_error){.text = "out of memory"};
    reader->lexer.token = MOF_TOKEN_BAD;
    return false;
}

/* At the current token, unless that is bad by itself. */
__attribute__((format(printf, 2, 3))) static bool fail(struct reader *reader, const char *format,
                                                       ...)
{
    struct mof_error *error = reader->lexer.error;
    va_list list;

    if (reader->lexer.token == MOF_TOKEN_BAD) {
        return false;
    }
    error->line = reader->lexer.token_line;
    error->column = reader->lexer.token_column;
    va_start(list, format);
    vsnprintf(error->text, sizeof(error->text), format, list);
    va_end(list);
    reader->lexer.token = MOF_TOKEN_BAD;
    return false;
}

/* "';' is needed behind the value, not 'x'" */
static bool fail_wanted(struct reader *reader, const char *wanted)
{
    const struct mof_lexer *lexer = &reader->lexer;
    int length = lexer->length < 40 ? (int)lexer->length : 40;

    return lexer->token == MOF_TOKEN_END ? fail(reader, "%s, not the end of the text", wanted)
           : lexer->token == MOF_TOKEN_STRING
               ? fail(reader, "%s, not a string", wanted)
               : fail(reader, "%s, not '%.*s'", wanted, length, lexer->word);
}

static bool is_sign(const struct reader *reader, char sign)
{
    return reader->lexer.token == MOF_TOKEN_SIGN && reader->lexer.sign == sign;
}

/* The sign and what follows, or an error that says what is needed. */
static bool pass_sign(struct reader *reader, char sign, const char *wanted)
{
    if (!is_sign(reader, sign)) {
        return fail_wanted(reader, wanted);
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

static bool same_name(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && same_letters(a, b, strlen(a));
}

static bool is_word(const struct reader *reader, const char *word)
{
    return reader->lexer.token == MOF_TOKEN_NAME && reader->lexer.length == strlen(word) &&
           same_letters(reader->lexer.word, word, reader->lexer.length);
}

/* A copy of the bytes of the token, with a NUL behind them. */
static bool copy_word(struct reader *reader, const char **ret_text)
{
    char *copy = take_memory(reader->owned, reader->lexer.length + 1);

    if (copy == NULL) {
        return out_of_memory(reader);
    }
    memcpy(copy, reader->lexer.word, reader->lexer.length);
    *ret_text = copy;
    return true;
}

/* ---- scalars ----------------------------------------------------------------------------------
 */

static bool read_integer(struct reader *reader, struct mof_value *value)
{
    const bool negative = reader->lexer.negative && reader->lexer.magnitude != 0;
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%s%llu", negative ? "-" : "",
                          (unsigned long long)reader->lexer.magnitude);
    char *copy = take_memory(reader->owned, (size_t)length + 1);

    if (copy == NULL) {
        return out_of_memory(reader);
    }
    memcpy(copy, digits, (size_t)length);
    value->kind = MOF_INTEGER;
    value->text = copy;
    return true;
}

/* Its text is what value_from_text() takes; one half of a surrogate pair has none. */
static bool read_char(struct reader *reader, struct mof_value *value)
{
    const unsigned code = reader->lexer.character;
    char *text = take_memory(reader->owned, 4);

    if (text == NULL) {
        return out_of_memory(reader);
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
static bool read_word(struct reader *reader, struct mof_value *value)
{
    if (is_word(reader, "null")) {
        value->kind = MOF_NULL;
        return true;
    }
    if (is_word(reader, "true") || is_word(reader, "false")) {
        value->kind = MOF_BOOLEAN;
        value->text = is_word(reader, "true") ? "TRUE" : "FALSE";
        return true;
    }
    return fail_wanted(reader, "a value is needed: a number, \"text\", 'c', TRUE, FALSE, NULL, "
                               "{...}, instance of or $alias");
}

static bool read_scalar(struct reader *reader, struct mof_value *value)
{
    switch (reader->lexer.token) {
    case MOF_TOKEN_INTEGER:
        return read_integer(reader, value);
    case MOF_TOKEN_REAL:
        value->kind = MOF_REAL;
        return copy_word(reader, &value->text);
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
static bool use_alias(struct reader *reader, const struct mof_instance *instance,
                      struct mof_value *value)
{
    const unsigned depth = reader->depth + instance->levels;

    if (depth > MOF_MAX_DEPTH) {
        return fail(reader, "instances are nested more than %d deep", MOF_MAX_DEPTH);
    }
    reader->copies += instance->bytes;
    if (reader->copies > MOF_MAX_COPIES) {
        return fail(reader, "aliases stand for more than %d MiB of text", MOF_MAX_COPIES >> 20);
    }
    reader->deepest = depth > reader->deepest ? depth : reader->deepest;
    value->kind = MOF_INSTANCE;
    value->instance = instance;
    mof_lexer_next(&reader->lexer);
    return true;
}

/* The instance of that name that stands before this place, with its end. */
static bool read_alias(struct reader *reader, struct mof_value *value)
{
    for (const struct mof_instance *at = reader->owned->base.instances; at != NULL; at = at->next) {
        if (at->alias != NULL && strlen(at->alias) == reader->lexer.length &&
            same_letters(at->alias, reader->lexer.word, reader->lexer.length)) {
            return use_alias(reader, at, value);
        }
    }
    return fail(reader, "no instance before this one has the alias $%.*s",
                (int)(reader->lexer.length < 40 ? reader->lexer.length : 40), reader->lexer.word);
}

static bool read_embedded(struct reader *reader, struct mof_value *value)
{
    struct mof_instance *instance = NULL;

    if (!read_instance(reader, &instance)) {
        return false;
    }
    value->kind = MOF_INSTANCE;
    value->instance = instance;
    return true;
}

/* What may stand in an array: everything but an array. */
static bool read_item(struct reader *reader, struct mof_value *value)
{
    value->line = reader->lexer.token_line;
    value->column = reader->lexer.token_column;
    if (reader->lexer.token == MOF_TOKEN_ALIAS) {
        return read_alias(reader, value);
    }
    if (is_word(reader, "instance")) {
        return read_embedded(reader, value);
    }
    if (!read_scalar(reader, value)) {
        return false;
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

static bool read_array(struct reader *reader, struct mof_value *value)
{
    const struct mof_value **link = &value->items;

    value->kind = MOF_ARRAY;
    mof_lexer_next(&reader->lexer);
    while (!is_sign(reader, '}') || value->count > 0) {
        struct mof_value *item = take_memory(reader->owned, sizeof(*item));
        if (item == NULL) {
            return out_of_memory(reader);
        }
        if (!read_item(reader, item)) {
            return false;
        }
        *link = item;
        link = &item->next;
        value->count++;
        if (!is_sign(reader, ',')) {
            break;
        }
        mof_lexer_next(&reader->lexer);
    }
    return pass_sign(reader, '}', "',' or '}' is needed behind the element of an array");
}

static bool read_value(struct reader *reader, struct mof_value *ret_value)
{
    ret_value->line = reader->lexer.token_line;
    ret_value->column = reader->lexer.token_column;
    return is_sign(reader, '{') ? read_array(reader, ret_value) : read_item(reader, ret_value);
}

/* ---- instances --------------------------------------------------------------------------------
 */

static bool has_property(const struct mof_instance *instance, const char *name)
{
    for (const struct mof_property *at = instance->properties; at != NULL; at = at->next) {
        if (same_name(at->name, name)) {
            return true;
        }
    }
    return false;
}

/* The name, and its place. A list of properties is short; one that is not would be quadratic, and
 * has a limit. */
static bool read_property_name(struct reader *reader, const struct mof_instance *instance,
                               struct mof_property *property, const char *wanted)
{
    enum { MOST_PROPERTIES = 4096 };

    property->line = reader->lexer.token_line;
    property->column = reader->lexer.token_column;
    if (reader->lexer.token != MOF_TOKEN_NAME) {
        return is_sign(reader, '[') ? fail(reader, "qualifiers of an instance are not supported")
                                    : fail_wanted(reader, wanted);
    }
    if (instance->count == MOST_PROPERTIES) {
        return fail(reader, "an instance with more than %d properties", MOST_PROPERTIES);
    }
    if (!copy_word(reader, &property->name)) {
        return false;
    }
    if (has_property(instance, property->name)) {
        return fail(reader, "%.60s has a value before this", property->name);
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

/* NAME = VALUE, added to the end of the list at *link. */
static bool read_property(struct reader *reader, struct mof_instance *instance,
                          const struct mof_property ***link, const char *wanted)
{
    struct mof_property *property = take_memory(reader->owned, sizeof(*property));

    if (property == NULL) {
        return out_of_memory(reader);
    }
    if (!read_property_name(reader, instance, property, wanted) ||
        !pass_sign(reader, '=', "'=' is needed behind the name of a property") ||
        !read_value(reader, &property->value)) {
        return false;
    }
    **link = property;
    *link = &property->next;
    instance->count++;
    return true;
}

static bool read_properties(struct reader *reader, struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;

    if (!pass_sign(reader, '{', "'{' is needed before the properties")) {
        return false;
    }
    while (!is_sign(reader, '}')) {
        if (!read_property(reader, instance, &link, "the name of a property or '}' is needed") ||
            !pass_sign(reader, ';', "';' is needed behind the value")) {
            return false;
        }
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

static bool read_name(struct reader *reader, enum mof_token token, const char *wanted,
                      const char **ret_name)
{
    if (reader->lexer.token != token) {
        return fail_wanted(reader, wanted);
    }
    if (!copy_word(reader, ret_name)) {
        return false;
    }
    mof_lexer_next(&reader->lexer);
    return true;
}

/* OF CLASS [AS $ALIAS], behind the word instance. */
static bool read_head(struct reader *reader, struct mof_instance *instance)
{
    if (!is_word(reader, "of")) {
        return fail_wanted(reader, "'of' is needed behind 'instance'");
    }
    mof_lexer_next(&reader->lexer);
    if (!read_name(reader, MOF_TOKEN_NAME, "the name of a class is needed",
                   &instance->class_name)) {
        return false;
    }
    if (!is_word(reader, "as")) {
        return true;
    }
    if (reader->depth > 1) {
        return fail(reader, "an instance within another has no alias");
    }
    mof_lexer_next(&reader->lexer);
    return read_name(reader, MOF_TOKEN_ALIAS, "the $alias is needed behind 'as'", &instance->alias);
}

static bool new_instance(struct reader *reader, struct mof_instance **ret_instance)
{
    struct mof_instance *instance = take_memory(reader->owned, sizeof(*instance));

    if (instance == NULL) {
        return out_of_memory(reader);
    }
    instance->line = reader->lexer.token_line;
    instance->column = reader->lexer.token_column;
    *ret_instance = instance;
    return true;
}

/* From the word instance to the closing brace. */
static bool read_instance(struct reader *reader, struct mof_instance **ret_instance)
{
    struct mof_instance *instance = NULL;

    if (reader->depth == MOF_MAX_DEPTH) {
        return fail(reader, "instances are nested more than %d deep", MOF_MAX_DEPTH);
    }
    if (!new_instance(reader, &instance)) {
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

static bool alias_is_new(struct reader *reader, const struct mof_instance *instance)
{
    for (const struct mof_instance *at = reader->owned->base.instances; at != NULL; at = at->next) {
        if (instance->alias != NULL && at->alias != NULL && same_name(at->alias, instance->alias)) {
            return fail(reader,
                        "the instance before this has an alias that was given before: $%.60s",
                        instance->alias);
        }
    }
    return true;
}

/* What else MOF has at this place, by its name. */
static bool refuse_other(struct reader *reader)
{
    if (is_word(reader, "class")) {
        return fail(reader, "only instances are read, not declarations of classes");
    }
    if (is_word(reader, "qualifier")) {
        return fail(reader, "only instances are read, not declarations of qualifiers");
    }
    if (is_sign(reader, '#')) {
        return fail(reader, "pragmas are not supported");
    }
    if (is_sign(reader, '[')) {
        return fail(reader, "qualifiers of an instance are not supported");
    }
    return fail_wanted(reader, "'instance of CLASS { ... };' is needed");
}

static bool read_document(struct reader *reader)
{
    const struct mof_instance **link = &reader->owned->base.instances;

    while (reader->lexer.token != MOF_TOKEN_END) {
        struct mof_instance *instance = NULL;
        if (!is_word(reader, "instance")) {
            return refuse_other(reader);
        }
        if (reader->owned->base.count == MOF_MAX_INSTANCES) {
            return fail(reader, "more than %d instances", MOF_MAX_INSTANCES);
        }
        if (!read_instance(reader, &instance) || !alias_is_new(reader, instance) ||
            !pass_sign(reader, ';', "';' is needed behind the instance")) {
            return false;
        }
        *link = instance;
        link = &instance->next;
        reader->owned->base.count++;
    }
    return true;
}

/* ---- paths ------------------------------------------------------------------------------------
 */

/* Where the colon behind the namespace is, or NULL: before the class there is no other sign. */
static char *find_colon(char *text)
{
    char *at = text + strcspn(text, ":.=\"");

    return *at == ':' ? at : NULL;
}

/* [//SERVER/][NAMESPACE:], which are cut from the text. Gives what is left. */
static char *take_place(char *text, struct mof_instance *instance)
{
    char *server = strncmp(text, "//", 2) == 0 ? text + 2 : NULL;
    char *slash = server != NULL ? strchr(server, '/') : NULL;
    char *name_space = slash != NULL ? slash + 1 : text;
    char *colon = find_colon(name_space);

    if (colon == NULL || (server != NULL && slash == NULL)) {
        return text;
    }
    if (slash != NULL) {
        *slash = '\0';
        instance->server = server;
    }
    *colon = '\0';
    instance->name_space = name_space;
    return colon + 1;
}

/* .KEY=VALUE,... or =@, behind the class. */
static bool read_keys(struct reader *reader, struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;
    char sign = '.';

    if (is_sign(reader, '=')) {
        mof_lexer_next(&reader->lexer);
        return pass_sign(reader, '@', "'@' is needed behind '='");
    }
    while (is_sign(reader, sign)) {
        mof_lexer_next(&reader->lexer);
        if (!read_property(reader, instance, &link, "the name of a key is needed")) {
            return false;
        }
        sign = ',';
    }
    return true;
}

static bool read_path(struct reader *reader)
{
    struct mof_instance *instance = NULL;

    if (!new_instance(reader, &instance)) {
        return false;
    }
    size_t length = (size_t)(reader->lexer.end - reader->lexer.at);
    char *start = take_place(reader->lexer.at, instance);
    mof_lexer_begin(&reader->lexer, start, length - (size_t)(start - reader->lexer.at),
                    reader->lexer.error);
    if (!read_name(reader, MOF_TOKEN_NAME, "the name of a class is needed",
                   &instance->class_name) ||
        !read_keys(reader, instance)) {
        return false;
    }
    if (reader->lexer.token != MOF_TOKEN_END) {
        return fail_wanted(reader, "'.KEY=VALUE' or ',KEY=VALUE' is needed");
    }
    reader->owned->base.instances = instance;
    reader->owned->base.count = 1;
    return true;
}

/* ---- both -------------------------------------------------------------------------------------
 */

static bool read_text(const char *text, size_t length, bool path,
                      struct mof_document **ret_document, struct mof_error *ret_error)
{
    struct reader reader = {.owned = base_alloc(1, sizeof(struct owned_document))};

    *ret_error = (struct mof_error){.text = "out of memory"};
    if (reader.owned != NULL) {
        reader.owned->text = base_alloc(length + 1, 1);
    }
    if (reader.owned == NULL || reader.owned->text == NULL) {
        mof_free((struct mof_document *)(void *)reader.owned);
        return false;
    }
    memcpy(reader.owned->text, text, length);
    if (path) {
        reader.lexer = (struct mof_lexer){
            .at = reader.owned->text, .end = reader.owned->text + length, .error = ret_error};
    } else {
        mof_lexer_begin(&reader.lexer, reader.owned->text, length, ret_error);
    }
    if (!(path ? read_path(&reader) : read_document(&reader))) {
        mof_free(&reader.owned->base);
        return false;
    }
    *ret_document = &reader.owned->base;
    return true;
}

bool mof_read(const char *text, size_t length, struct mof_document **ret_document,
              struct mof_error *ret_error)
{
    if (length > MOF_MAX_BYTES) {
        *ret_error = (struct mof_error){.line = 1, .column = 1};
        snprintf(ret_error->text, sizeof(ret_error->text), "the text is longer than %d MiB",
                 MOF_MAX_BYTES >> 20);
        return false;
    }
    return read_text(text, length, false, ret_document, ret_error);
}

bool mof_read_path(const char *path, struct mof_document **ret_document,
                   struct mof_error *ret_error)
{
    return read_text(path, strlen(path), true, ret_document, ret_error);
}
