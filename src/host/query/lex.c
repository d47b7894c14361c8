/* SPDX-License-Identifier: MIT */
/*
 * The words and signs of a query.
 *
 * A name must be ended by a NUL to be used as a string, but the byte behind it may be the next
 * sign. So that byte is held back in the lexer, and is what the next token begins with. A string
 * shrinks when its escapes are replaced, so it has room for its NUL where its closing quote was.
 */
#include "host/query/tree.h"

#include <math.h>
#include <string.h>

#include "host/object/object.h"

/* Letters of ASCII only, whatever the locale. */
static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The byte at the reading position, whether or not it is held back. */
static char current(const struct lexer *lexer)
{
    return lexer->held != '\0' ? lexer->held : *lexer->at;
}

static void skip(struct lexer *lexer)
{
    lexer->at++;
    lexer->held = '\0';
}

/* Ends the name or number that ends here. */
static void hold(struct lexer *lexer)
{
    lexer->held = *lexer->at;
    *lexer->at = '\0';
}

/* The words that are no names. */
static enum token word_token(const char *name)
{
    static const char *const words[] = {"SELECT", "FROM", "WHERE", "AND",  "OR",   "NOT",
                                        "LIKE",   "ISA",  "NULL",  "TRUE", "FALSE"};

    for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++) {
        if (decl_name_equal(name, words[i])) {
            return (enum token)(TOKEN_SELECT + i);
        }
    }
    return TOKEN_NAME;
}

/* The first letter may be held back already: then it is put in its place. */
static enum token take_name(struct lexer *lexer)
{
    lexer->text = lexer->at;
    *lexer->at = current(lexer);
    lexer->held = '\0';
    while (begins_name(*lexer->at) || is_digit(*lexer->at)) {
        lexer->at++;
    }
    hold(lexer);
    return word_token(lexer->text);
}

/* The value of the digits; false when it is beyond 64 bits, or below -2^63. */
static bool integer_value(const char *text, struct integer *ret_integer)
{
    bool negative = *text == '-';
    uint64_t value = 0;

    for (text += *text == '-' || *text == '+'; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (negative && value > (uint64_t)1 << 63) {
        return false;
    }
    *ret_integer = (struct integer){negative && value != 0, value};
    return true;
}

static bool skip_digits(struct lexer *lexer)
{
    bool any = is_digit(*lexer->at);

    while (is_digit(*lexer->at)) {
        lexer->at++;
    }
    return any;
}

/* [sign] digits [. digits] [e [sign] digits]: a real if it has one of the two. */
static enum token take_number(struct lexer *lexer)
{
    char *begin = lexer->at;
    bool real = false;

    *begin = current(lexer);
    lexer->held = '\0';
    lexer->at += *begin == '-' || *begin == '+';
    if (!skip_digits(lexer)) {
        return TOKEN_BAD;
    }
    if (*lexer->at == '.') {
        lexer->at++;
        real = true;
        if (!skip_digits(lexer)) {
            return TOKEN_BAD;
        }
    }
    if (*lexer->at == 'e' || *lexer->at == 'E') {
        lexer->at++;
        real = true;
        lexer->at += *lexer->at == '-' || *lexer->at == '+';
        if (!skip_digits(lexer)) {
            return TOKEN_BAD;
        }
    }
    if (begins_name(*lexer->at)) {
        return TOKEN_BAD;
    }
    hold(lexer);
    if (real) {
        bool fits = value_from_text(MI_REAL64, begin, &lexer->real) == MI_RESULT_OK &&
                    isfinite(lexer->real);
        return fits ? TOKEN_REAL : TOKEN_BAD;
    }
    return integer_value(begin, &lexer->integer) ? TOKEN_INTEGER : TOKEN_BAD;
}

/* What stands behind a backslash. */
static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'f':
        return '\f';
    default:
        return c;
    }
}

/* Without an end, or with a backslash at the end, it is no string. */
static enum token take_text(struct lexer *lexer)
{
    char quote = current(lexer);
    char *to = lexer->at;
    const char *from = lexer->at + 1;

    lexer->text = to;
    lexer->held = '\0';
    while (*from != quote) {
        bool escape = *from == '\\';
        from += escape;
        if (*from == '\0') {
            return TOKEN_BAD;
        }
        *to++ = escape ? escaped(*from) : *from;
        from++;
    }
    *to = '\0';
    lexer->at += from + 1 - lexer->at;
    return TOKEN_TEXT;
}

/* A sign of one byte, or of two with this second one. */
static enum token take_sign(struct lexer *lexer, enum token one, char second, enum token two)
{
    skip(lexer);
    if (second != '\0' && *lexer->at == second) {
        skip(lexer);
        return two;
    }
    return one;
}

static enum token take(struct lexer *lexer)
{
    char c = current(lexer);

    switch (c) {
    case '*':
        return take_sign(lexer, TOKEN_STAR, '\0', TOKEN_BAD);
    case ',':
        return take_sign(lexer, TOKEN_COMMA, '\0', TOKEN_BAD);
    case '(':
        return take_sign(lexer, TOKEN_OPEN, '\0', TOKEN_BAD);
    case ')':
        return take_sign(lexer, TOKEN_CLOSE, '\0', TOKEN_BAD);
    case '.':
        return take_sign(lexer, TOKEN_DOT, '\0', TOKEN_BAD);
    case ':':
        return take_sign(lexer, TOKEN_BAD, ':', TOKEN_SCOPE);
    case '=':
        return take_sign(lexer, TOKEN_EQ, '\0', TOKEN_BAD);
    case '!':
        return take_sign(lexer, TOKEN_BAD, '=', TOKEN_NE);
    case '>':
        return take_sign(lexer, TOKEN_GT, '=', TOKEN_GE);
    case '<':
        return lexer->at[1] == '>' ? take_sign(lexer, TOKEN_LT, '>', TOKEN_NE)
                                   : take_sign(lexer, TOKEN_LT, '=', TOKEN_LE);
    case '"':
    case '\'':
        return take_text(lexer);
    default:
        break;
    }
    if (begins_name(c)) {
        return take_name(lexer);
    }
    return is_digit(c) || c == '-' || c == '+' ? take_number(lexer) : TOKEN_BAD;
}

void wql_lexer_next(struct lexer *lexer)
{
    if (lexer->token == TOKEN_BAD) {
        return;
    }
    while (current(lexer) == ' ' || current(lexer) == '\t' || current(lexer) == '\r' ||
           current(lexer) == '\n') {
        skip(lexer);
    }
    lexer->token = current(lexer) == '\0' ? TOKEN_END : take(lexer);
}

void wql_lexer_begin(struct lexer *lexer, char *words)
{
    *lexer = (struct lexer){.at = words};
    wql_lexer_next(lexer);
}
