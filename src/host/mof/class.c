/* SPDX-License-Identifier: MIT */
/*
 * classDeclaration of MOF (DSP0004, annex A): qualifiers, properties, references and methods.
 *
 * Whether the names and types make sense together is found when a class is made of the tree.
 */
#include <stdint.h>
#include <string.h>

#include "host/mof/reader.h"

/* ---- qualifiers -------------------------------------------------------------------------------
 */

/* The words behind a colon, up to what no flavor is. */
static bool read_flavors(struct mof_reader *reader, struct mof_qualifier *qualifier)
{
    static const struct {
        const char *name;
        unsigned bit;
    } words[] = {
        {"enableoverride", MOF_ENABLE_OVERRIDE}, {"disableoverride", MOF_DISABLE_OVERRIDE},
        {"restricted", MOF_RESTRICTED},          {"tosubclass", MOF_TO_SUBCLASS},
        {"translatable", MOF_TRANSLATABLE},      {"toinstance", MOF_TO_INSTANCE},
    };

    mof_lexer_next(&reader->lexer);
    do {
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            bit |= mof_is_word(reader, words[i].name) ? words[i].bit : 0;
        }
        if (bit == 0) {
            return mof_fail_wanted(reader, "EnableOverride, DisableOverride, Restricted, "
                                           "ToSubclass or Translatable is needed");
        }
        qualifier->flavors |= bit;
        mof_lexer_next(&reader->lexer);
    } while (reader->lexer.token == MOF_TOKEN_NAME);
    return true;
}

/* (VALUE) or {VALUE,...}; TRUE without any. */
static bool read_qualifier_value(struct mof_reader *reader, struct mof_value *value)
{
    if (mof_is_sign(reader, '{')) {
        return mof_read_value(reader, value);
    }
    if (!mof_is_sign(reader, '(')) {
        *value = (struct mof_value){.kind = MOF_BOOLEAN,
                                    .text = "TRUE",
                                    .line = reader->lexer.token_line,
                                    .column = reader->lexer.token_column};
        return true;
    }
    mof_lexer_next(&reader->lexer);
    return mof_read_value(reader, value) &&
           mof_pass_sign(reader, ')', "')' is needed behind the value of a qualifier");
}

static bool read_qualifier(struct mof_reader *reader, const struct mof_qualifier ***link)
{
    struct mof_qualifier *qualifier = arena_take(&reader->owned->arena, 1, sizeof(*qualifier));

    if (qualifier == NULL) {
        return mof_out_of_memory(reader);
    }
    qualifier->line = reader->lexer.token_line;
    qualifier->column = reader->lexer.token_column;
    if (!mof_read_name(reader, MOF_TOKEN_NAME, "the name of a qualifier is needed",
                       &qualifier->name) ||
        !read_qualifier_value(reader, &qualifier->value) ||
        (mof_is_sign(reader, ':') && !read_flavors(reader, qualifier))) {
        return false;
    }
    **link = qualifier;
    *link = &qualifier->next;
    return true;
}

/* [QUALIFIER,...] where there are any. */
static bool read_qualifiers(struct mof_reader *reader, const struct mof_qualifier **ret_list)
{
    const struct mof_qualifier **link = ret_list;
    unsigned count = 0;

    if (!mof_is_sign(reader, '[')) {
        return true;
    }
    do {
        mof_lexer_next(&reader->lexer);
        if (++count > MOF_MAX_FEATURES) {
            return mof_fail_limit(reader, "more than %d qualifiers", MOF_MAX_FEATURES);
        }
        if (!read_qualifier(reader, &link)) {
            return false;
        }
    } while (mof_is_sign(reader, ','));
    return mof_pass_sign(reader, ']', "',' or ']' is needed behind a qualifier");
}

/* ---- features ---------------------------------------------------------------------------------
 */

const char *const mof_type_words[MOF_TYPE_STRING + 1] = {
    [MOF_TYPE_BOOLEAN] = "boolean",   [MOF_TYPE_UINT8] = "uint8",   [MOF_TYPE_SINT8] = "sint8",
    [MOF_TYPE_UINT16] = "uint16",     [MOF_TYPE_SINT16] = "sint16", [MOF_TYPE_UINT32] = "uint32",
    [MOF_TYPE_SINT32] = "sint32",     [MOF_TYPE_UINT64] = "uint64", [MOF_TYPE_SINT64] = "sint64",
    [MOF_TYPE_REAL32] = "real32",     [MOF_TYPE_REAL64] = "real64", [MOF_TYPE_CHAR16] = "char16",
    [MOF_TYPE_DATETIME] = "datetime", [MOF_TYPE_STRING] = "string",
};

/* The word of a type; 0 for another, which is the class of a reference. */
static enum mof_type type_of_word(const struct mof_reader *reader)
{
    for (unsigned type = MOF_TYPE_BOOLEAN; type <= MOF_TYPE_STRING; type++) {
        if (mof_is_word(reader, mof_type_words[type])) {
            return (enum mof_type)type;
        }
    }
    return MOF_TYPE_UNKNOWN;
}

/* TYPE NAME or CLASS REF NAME. */
static bool read_type_and_name(struct mof_reader *reader, struct mof_feature *feature)
{
    feature->type = type_of_word(reader);
    if (feature->type != MOF_TYPE_UNKNOWN) {
        mof_lexer_next(&reader->lexer);
    } else {
        if (!mof_read_name(reader, MOF_TOKEN_NAME, "a type or the class of a reference is needed",
                           &feature->class_name)) {
            return false;
        }
        if (!mof_is_word(reader, "ref")) {
            return mof_fail_wanted(reader, "REF is needed behind the class of a reference");
        }
        mof_lexer_next(&reader->lexer);
        feature->type = MOF_TYPE_REFERENCE;
    }
    feature->line = reader->lexer.token_line;
    feature->column = reader->lexer.token_column;
    return mof_read_name(reader, MOF_TOKEN_NAME, "a name is needed behind the type",
                         &feature->name);
}

/* [] or [SIZE]. */
static bool read_array_size(struct mof_reader *reader, struct mof_feature *feature)
{
    feature->array = true;
    mof_lexer_next(&reader->lexer);
    if (reader->lexer.token == MOF_TOKEN_INTEGER) {
        if (reader->lexer.negative || reader->lexer.magnitude == 0 ||
            reader->lexer.magnitude > UINT32_MAX) {
            return mof_fail(reader, "the size of an array is a number from 1 to 4294967295");
        }
        feature->subscript = (unsigned)reader->lexer.magnitude;
        mof_lexer_next(&reader->lexer);
    }
    return mof_pass_sign(reader, ']', "']' is needed behind the size of an array");
}

static bool new_feature(struct mof_reader *reader, struct mof_feature **ret_feature)
{
    *ret_feature = arena_take(&reader->owned->arena, 1, sizeof(**ret_feature));
    return *ret_feature != NULL || mof_out_of_memory(reader);
}

static bool read_parameter(struct mof_reader *reader, const struct mof_feature ***link)
{
    struct mof_feature *parameter = NULL;

    if (!new_feature(reader, &parameter) || !read_qualifiers(reader, &parameter->qualifiers) ||
        !read_type_and_name(reader, parameter) ||
        (mof_is_sign(reader, '[') && !read_array_size(reader, parameter))) {
        return false;
    }
    **link = parameter;
    *link = &parameter->next;
    return true;
}

/* (PARAMETER,...) */
static bool read_parameters(struct mof_reader *reader, struct mof_feature *method)
{
    const struct mof_feature **link = &method->parameters;
    unsigned count = 0;

    method->method = true;
    mof_lexer_next(&reader->lexer);
    while (!mof_is_sign(reader, ')') || count > 0) {
        if (++count > MOF_MAX_FEATURES) {
            return mof_fail_limit(reader, "more than %d parameters", MOF_MAX_FEATURES);
        }
        if (!read_parameter(reader, &link)) {
            return false;
        }
        if (!mof_is_sign(reader, ',')) {
            break;
        }
        mof_lexer_next(&reader->lexer);
    }
    return mof_pass_sign(reader, ')', "',' or ')' is needed behind a parameter");
}

/* What stands behind the name. */
static bool read_rest(struct mof_reader *reader, struct mof_feature *feature)
{
    if (mof_is_sign(reader, '(')) {
        return feature->type == MOF_TYPE_REFERENCE
                   ? mof_fail(reader, "a method returns no reference")
                   : read_parameters(reader, feature);
    }
    if (mof_is_sign(reader, '[') && !read_array_size(reader, feature)) {
        return false;
    }
    if (!mof_is_sign(reader, '=')) {
        return true;
    }
    feature->has_default = true;
    mof_lexer_next(&reader->lexer);
    return mof_read_value(reader, &feature->value);
}

static bool read_feature(struct mof_reader *reader, const struct mof_feature ***link)
{
    struct mof_feature *feature = NULL;

    if (!new_feature(reader, &feature) || !read_qualifiers(reader, &feature->qualifiers) ||
        !read_type_and_name(reader, feature) || !read_rest(reader, feature) ||
        !mof_pass_sign(reader, ';', "';' is needed behind a property or method")) {
        return false;
    }
    **link = feature;
    *link = &feature->next;
    return true;
}

/* ---- the class --------------------------------------------------------------------------------
 */

/* class NAME [as $ALIAS] [: SUPERCLASS] */
static bool read_head(struct mof_reader *reader, struct mof_class *item)
{
    const char *alias = NULL;

    if (!mof_is_word(reader, "class")) {
        return mof_fail_wanted(reader, "'class' is needed behind the qualifiers");
    }
    mof_lexer_next(&reader->lexer);
    item->line = reader->lexer.token_line;
    item->column = reader->lexer.token_column;
    if (!mof_read_name(reader, MOF_TOKEN_NAME, "the name of a class is needed", &item->name)) {
        return false;
    }
    if (mof_is_word(reader, "as")) {
        mof_lexer_next(&reader->lexer);
        if (!mof_read_name(reader, MOF_TOKEN_ALIAS, "the $alias is needed behind 'as'", &alias)) {
            return false;
        }
    }
    if (!mof_is_sign(reader, ':')) {
        return true;
    }
    mof_lexer_next(&reader->lexer);
    return mof_read_name(reader, MOF_TOKEN_NAME, "the name of the superclass is needed",
                         &item->superclass);
}

bool mof_read_class(struct mof_reader *reader, struct mof_class **ret_class)
{
    struct mof_class *item = arena_take(&reader->owned->arena, 1, sizeof(*item));
    const struct mof_feature **link = item == NULL ? NULL : &item->features;
    unsigned count = 0;

    if (item == NULL) {
        return mof_out_of_memory(reader);
    }
    if (!read_qualifiers(reader, &item->qualifiers) || !read_head(reader, item) ||
        !mof_pass_sign(reader, '{', "'{' is needed before the properties")) {
        return false;
    }
    while (!mof_is_sign(reader, '}')) {
        if (++count > MOF_MAX_FEATURES) {
            return mof_fail_limit(reader, "more than %d properties and methods", MOF_MAX_FEATURES);
        }
        if (!read_feature(reader, &link)) {
            return false;
        }
    }
    mof_lexer_next(&reader->lexer);
    *ret_class = item;
    return true;
}
