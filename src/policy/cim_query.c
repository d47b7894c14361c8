/* SPDX-License-Identifier: MIT */
/*
 *     SELECT * | property {, property}  FROM Class [AS alias]  [WHERE ... | WITHIN ... | GROUP ...]
 *
 * in any case, with any white space. Not read, because readers differ or another class comes in:
 * ASSOCIATORS OF and REFERENCES OF, joins, nested SELECTs, schema queries, comments, calls and
 * strings before FROM, a second statement, quotes behind a backslash (an escape for one reader, the
 * end of the string for another), controls and whatever is not valid UTF-8.
 */
#include "policy/cim_query.h"

#include <string.h>

#include "base/utf8.h"

/* TOKEN_BAD ends the reading, as soon as it is met. */
enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_SCOPE, TOKEN_SIGN, TOKEN_BAD };

struct token {
    enum token_kind kind;
    const char *text; /* a string without its quotes */
    size_t length;
};

/* One token is looked at, without going back. */
struct reader {
    const char *at;
    struct token token; /* the one that is looked at */
};

/* ---- tokens ---------------------------------------------------------------------------------- */

/*
 * A token is what every reader of WQL and CQL must see as one. What two of them could cut
 * differently is BAD.
 */

/* Letters of ASCII: a name with others is unreadable. */
static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A quote behind a backslash is an escape for some readers and the end for others, so such a string
 * is BAD. So is one without an end. */
static struct token take_string(const char *at)
{
    char quote = *at;
    size_t left = strlen(at), length = 1, step = 0;
    uint32_t code = 0;

    for (; length < left; length += step) {
        step = utf8_next(at + length, left - length, &code);
        if (step == 0 || code < ' ' || code == 0x7F) {
            break;
        }
        if (code == (unsigned char)quote) {
            return (struct token){TOKEN_STRING, at + 1, length - 1};
        }
        if (code == '\\') {
            char next = at[length + 1];
            if (next == '\'' || next == '"') {
                break;
            }
            step = next == '\\' ? 2 : 1;
        }
    }
    return (struct token){TOKEN_BAD, at, 0};
}

/* Takes the next token. Two dashes begin a comment for SQL readers, and are BAD; so is every sign
 * that is not in the list. */
static void advance(struct reader *reader)
{
    const char *at = reader->at + strspn(reader->at, " \t\r\n");
    struct token token = {TOKEN_SIGN, at, 1};
    size_t width = 1;

    if (*at == '\0') {
        token = (struct token){TOKEN_END, at, 0};
        width = 0;
    } else if (begins_word(*at)) {
        while (begins_word(at[width]) || is_digit(at[width])) {
            width++;
        }
        token = (struct token){TOKEN_WORD, at, width};
    } else if (*at == '\'' || *at == '"') {
        token = take_string(at);
        width = token.kind == TOKEN_STRING ? token.length + 2 : 0;
    } else if (at[0] == ':' && at[1] == ':') {
        token = (struct token){TOKEN_SCOPE, at, 2};
        width = 2;
    } else if ((at[0] == '-' && at[1] == '-') ||
               (!is_digit(*at) && strchr("*,.=<>!()+-", *at) == NULL)) {
        token.kind = TOKEN_BAD;
    }
    reader->token = token;
    reader->at = at + width;
}

/* lower_word is in lower case. */
static bool is_word(const struct token *token, const char *lower_word)
{
    size_t length = strlen(lower_word);

    if (token->kind != TOKEN_WORD || token->length != length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((token->text[i] | 0x20) != (lower_word[i] | 0x20)) { /* "_" and 0x7F: no word has it */
            return false;
        }
    }
    return true;
}

/* One of the signs that advance() lets through. */
static bool is_sign(const struct token *token, char sign)
{
    return token->kind == TOKEN_SIGN && token->text[0] == sign;
}

/* Takes the word when it is there. */
static bool skip_word(struct reader *reader, const char *lower_word)
{
    bool there = is_word(&reader->token, lower_word);

    if (there) {
        advance(reader);
    }
    return there;
}

/* A word that some reader takes for the language's own is no name. */
static bool is_reserved(const struct token *token)
{
    static const char *const words[] = {
        "select", "distinct",  "first",  "from",  "where",   "within",      "group",      "having",
        "order",  "by",        "as",     "join",  "on",      "and",         "or",         "not",
        "like",   "isa",       "is",     "null",  "true",    "false",       "in",         "any",
        "every",  "satisfies", "create", "of",    "union",   "associators", "references", "inner",
        "outer",  "left",      "right",  "cross", "natural", NULL,
    };

    for (const char *const *word = words; *word != NULL; word++) {
        if (is_word(token, *word)) {
            return true;
        }
    }
    return false;
}

/* A word that can be the name of a class or property. */
static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD && !is_reserved(token);
}

/* ---- the parts of a query -------------------------------------------------------------------- */

/*
 * Each function takes one part and adds the classes in it to names. False means that the query is
 * not understood; the caller then marks its class as unreadable.
 */

/* False for what cannot be a class; the query is not understood then. */
static bool add_class(struct cim_names *names, const struct token *token)
{
    char name[CIM_CLASS_SIZE];

    if (token->length >= sizeof(name)) {
        return false;
    }
    memcpy(name, token->text, token->length);
    name[token->length] = '\0';
    if (!cim_class_valid(name)) {
        return false;
    }
    cim_names_add_class(names, name);
    return true;
}

/* name {. name | :: name} [.*], where what stands before "::" is a class. */
static bool read_property(struct reader *reader, struct cim_names *names)
{
    for (;;) {
        struct token name = reader->token;
        if (!is_name(&name)) {
            return false;
        }
        advance(reader);
        if (reader->token.kind == TOKEN_SCOPE) {
            if (!add_class(names, &name)) {
                return false;
            }
        } else if (!is_sign(&reader->token, '.')) {
            return true;
        }
        advance(reader);
        if (is_sign(&reader->token, '*')) {
            advance(reader);
            return true;
        }
    }
}

/* Only the classes in it matter. A star stands alone. */
static bool read_selection(struct reader *reader, struct cim_names *names)
{
    if (is_sign(&reader->token, '*')) {
        advance(reader);
        return true;
    }
    for (;;) {
        if (!read_property(reader, names)) {
            return false;
        }
        if (!is_sign(&reader->token, ',')) {
            return true;
        }
        advance(reader);
    }
}

/* Its answers are classes, not instances of the class that is named. */
static bool asks_for_schema(const struct token *class_name)
{
    return is_word(class_name, "meta_class");
}

/* One class: a second one would be a join. */
static bool read_source(struct reader *reader, struct cim_names *names)
{
    struct token class_name = reader->token;

    if (!is_name(&class_name) || asks_for_schema(&class_name) || !add_class(names, &class_name)) {
        return false;
    }
    advance(reader);
    if (skip_word(reader, "as")) {
        if (!is_name(&reader->token)) {
            return false;
        }
        advance(reader);
    }
    return true;
}

/* ISA "Class", or ISA Class. The token is taken by the caller's loop. */
static bool read_isa(struct reader *reader, struct cim_names *names)
{
    return (reader->token.kind == TOKEN_STRING || is_name(&reader->token)) &&
           add_class(names, &reader->token);
}

/* The condition is not judged, only looked through for classes; no second query may be in it. False
 * at a second SELECT or FROM, and at a condition that ends in the middle. */
static bool read_rest(struct reader *reader, struct cim_names *names)
{
    struct token before = {TOKEN_END, NULL, 0};

    for (; reader->token.kind != TOKEN_END; advance(reader)) {
        const struct token *token = &reader->token;
        if (token->kind == TOKEN_BAD || is_word(token, "select") || is_word(token, "from") ||
            is_word(token, "join") || is_word(token, "union")) {
            return false;
        }
        if (is_word(&before, "isa") && !read_isa(reader, names)) {
            return false;
        }
        if (token->kind == TOKEN_SCOPE && (!is_name(&before) || !add_class(names, &before))) {
            return false;
        }
        before = *token;
    }
    return !is_word(&before, "isa") && before.kind != TOKEN_SCOPE;
}

/* The words that may stand behind the class; anything else could name another source. */
static bool may_follow(const struct token *token)
{
    return token->kind == TOKEN_END || is_word(token, "where") || is_word(token, "within") ||
           is_word(token, "group") || is_word(token, "having") || is_word(token, "order");
}

/* Another language may mean another thing by the same words. Compared without case, as hosts do. */
static bool is_known(const char *dialect)
{
    static const char *const dialects[] = {"wql", "cql", "dmtf:cql", "cim:cql", NULL};

    for (const char *const *known = dialects; *known != NULL; known++) {
        size_t i = 0;
        while ((*known)[i] != '\0' &&
               ((*known)[i] == dialect[i] || (dialect[i] >= 'A' && dialect[i] <= 'Z' &&
                                              (*known)[i] == dialect[i] - 'A' + 'a'))) {
            i++;
        }
        if ((*known)[i] == dialect[i]) {
            return true;
        }
    }
    return false;
}

/* What was read before a fault stays in names: it is shown in the record, and unreadable says that
 * it is not all. */
bool cim_query_read(const char *dialect, const char *query, struct cim_names *names)
{
    struct reader reader = {.at = query};

    if (dialect == NULL || !is_known(dialect)) {
        return false;
    }
    advance(&reader);
    return skip_word(&reader, "select") && read_selection(&reader, names) &&
           skip_word(&reader, "from") && read_source(&reader, names) && may_follow(&reader.token) &&
           read_rest(&reader, names);
}
