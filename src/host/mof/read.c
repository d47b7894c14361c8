/* SPDX-License-Identifier: MIT */
/* The documents of mof.h: instances with aliases, classes, and paths. */
#include "host/mof/mof.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "host/mof/reader.h"

void mof_free(struct mof_document *document)
{
    struct mof_owned *owned = (struct mof_owned *)(void *)document;

    if (owned == NULL) {
        return;
    }
    arena_release(&owned->arena);
    base_free(owned->text);
    base_free(owned);
}

/* ---- documents --------------------------------------------------------------------------------
 */

static bool alias_is_new(struct mof_reader *reader, const struct mof_instance *instance)
{
    for (const struct mof_instance *at = reader->owned->base.instances; at != NULL; at = at->next) {
        if (instance->alias != NULL && at->alias != NULL &&
            mof_same_name(at->alias, instance->alias)) {
            return mof_fail(reader,
                            "the instance before this has an alias that was given before: $%.60s",
                            instance->alias);
        }
    }
    return true;
}

/* What else MOF has at this place, by its name. */
static bool refuse_other(struct mof_reader *reader)
{
    if (mof_is_word(reader, "class")) {
        return mof_fail(reader, "only instances are read, not declarations of classes");
    }
    if (mof_is_word(reader, "qualifier")) {
        return mof_fail(reader, "only instances are read, not declarations of qualifiers");
    }
    if (mof_is_sign(reader, '#')) {
        return mof_fail(reader, "pragmas are not supported");
    }
    if (mof_is_sign(reader, '[')) {
        return mof_fail(reader, "qualifiers of an instance are not supported");
    }
    return mof_fail_wanted(reader, reader->classes ? "'instance of CLASS { ... };' or 'class CLASS "
                                                     "{ ... };' is needed"
                                                   : "'instance of CLASS { ... };' is needed");
}

static bool add_instance(struct mof_reader *reader, const struct mof_instance ***link)
{
    struct mof_instance *instance = NULL;

    if (reader->owned->base.count == MOF_MAX_INSTANCES) {
        return mof_fail_limit(reader, "more than %d instances", MOF_MAX_INSTANCES);
    }
    if (!mof_read_instance(reader, &instance) || !alias_is_new(reader, instance) ||
        !mof_pass_sign(reader, ';', "';' is needed behind the instance")) {
        return false;
    }
    **link = instance;
    *link = &instance->next;
    reader->owned->base.count++;
    return true;
}

static bool add_class(struct mof_reader *reader, const struct mof_class ***link)
{
    struct mof_class *item = NULL;

    if (reader->owned->base.class_count == MOF_MAX_INSTANCES) {
        return mof_fail_limit(reader, "more than %d classes", MOF_MAX_INSTANCES);
    }
    if (!mof_read_class(reader, &item) ||
        !mof_pass_sign(reader, ';', "';' is needed behind the class")) {
        return false;
    }
    **link = item;
    *link = &item->next;
    reader->owned->base.class_count++;
    return true;
}

static bool read_document(struct mof_reader *reader)
{
    const struct mof_instance **instances = &reader->owned->base.instances;
    const struct mof_class **classes = &reader->owned->base.classes;

    while (reader->lexer.token != MOF_TOKEN_END) {
        const bool instance = mof_is_word(reader, "instance");
        const bool class = mof_is_word(reader, "class") || mof_is_sign(reader, '[');
        if (!instance && !(class && reader->classes)) {
            return refuse_other(reader);
        }
        if (!(instance ? add_instance(reader, &instances) : add_class(reader, &classes))) {
            return false;
        }
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
static bool read_keys(struct mof_reader *reader, struct mof_instance *instance)
{
    const struct mof_property **link = &instance->properties;
    char sign = '.';

    if (mof_is_sign(reader, '=')) {
        mof_lexer_next(&reader->lexer);
        return mof_pass_sign(reader, '@', "'@' is needed behind '='");
    }
    while (mof_is_sign(reader, sign)) {
        mof_lexer_next(&reader->lexer);
        if (!mof_read_property(reader, instance, &link, "the name of a key is needed")) {
            return false;
        }
        sign = ',';
    }
    return true;
}

static bool read_path(struct mof_reader *reader)
{
    struct mof_instance *instance = NULL;

    if (!mof_new_instance(reader, &instance)) {
        return false;
    }
    size_t length = (size_t)(reader->lexer.end - reader->lexer.at);
    char *start = take_place(reader->lexer.at, instance);
    mof_lexer_begin(&reader->lexer, start, length - (size_t)(start - reader->lexer.at),
                    reader->lexer.error);
    if (!mof_read_name(reader, MOF_TOKEN_NAME, "the name of a class is needed",
                       &instance->class_name) ||
        !read_keys(reader, instance)) {
        return false;
    }
    if (reader->lexer.token != MOF_TOKEN_END) {
        return mof_fail_wanted(reader, "'.KEY=VALUE' or ',KEY=VALUE' is needed");
    }
    reader->owned->base.instances = instance;
    reader->owned->base.count = 1;
    return true;
}

/* ---- both -------------------------------------------------------------------------------------
 */

enum form { FORM_INSTANCES, FORM_CLASSES, FORM_PATH };

static bool read_text(const char *text, size_t length, enum form form,
                      struct mof_document **ret_document, struct mof_error *ret_error)
{
    struct mof_reader reader = {.owned = base_alloc(1, sizeof(struct mof_owned)),
                                .classes = form == FORM_CLASSES};
    const bool path = form == FORM_PATH;

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

static bool read_limited(const char *text, size_t length, enum form form,
                         struct mof_document **ret_document, struct mof_error *ret_error)
{
    if (length > MOF_MAX_BYTES) {
        *ret_error = (struct mof_error){.line = 1, .column = 1, .limit = true};
        snprintf(ret_error->text, sizeof(ret_error->text), "the text is longer than %d MiB",
                 MOF_MAX_BYTES >> 20);
        return false;
    }
    return read_text(text, length, form, ret_document, ret_error);
}

bool mof_read(const char *text, size_t length, struct mof_document **ret_document,
              struct mof_error *ret_error)
{
    return read_limited(text, length, FORM_INSTANCES, ret_document, ret_error);
}

bool mof_read_schema(const char *text, size_t length, struct mof_document **ret_document,
                     struct mof_error *ret_error)
{
    return read_limited(text, length, FORM_CLASSES, ret_document, ret_error);
}

bool mof_read_path(const char *path, struct mof_document **ret_document,
                   struct mof_error *ret_error)
{
    return read_text(path, strlen(path), FORM_PATH, ret_document, ret_error);
}
