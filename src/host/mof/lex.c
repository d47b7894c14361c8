/* SPDX-License-Identifier: MIT */
/*
 * The words of MOF (DSP0004, annex A), read in place.
 *
 * mof_lexer_next() passes blanks and comments and reads one token. A string is written back over
 * itself without its escapes, which only become shorter. All that is not a word of MOF becomes
 * MOF_TOKEN_BAD with the reason and its place. Characters are compared as ASCII, whatever the
 * locale.
 */
#include "host/mof/lex.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* ---- characters -------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static int hex_value(char c)
{
    return is_digit(c)              ? c - '0'
           : (c >= 'a' && c <= 'f') ? c - 'a' + 10
           : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                    : -1;
}

/* The byte at the place of reading, or one behind it; 0 at the end. */
static char peek(const struct mof_lexer *lexer, size_t ahead)
{
    return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : '\0';
}

static bool at_end(const struct mof_lexer *lexer)
{
    return lexer->at == lexer->end;
}

/* Columns count characters: the bytes that continue one do not. */
static void skip(struct mof_lexer *lexer)
{
    if (*lexer->at == '\n') {
        lexer->line++;
        lexer->column = 1;
    } else {
        lexer->column += (*lexer->at & 0xC0) != 0x80;
    }
    lexer->at++;
}

/* At the place of reading. */
static enum mof_token bad(struct mof_lexer *lexer, const char *text)
{
    lexer->error->line = lexer->line;
    lexer->error->column = lexer->column;
    snprintf(lexer->error->text, sizeof(lexer->error->text), "%s", text);
    return MOF_TOKEN_BAD;
}

/* ---- blanks and comments ----------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

static bool skip_comment(struct mof_lexer *lexer)
{
    const unsigned line = lexer->line, column = lexer->column;

    skip(lexer);
    skip(lexer);
    while (!at_end(lexer) && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/')) {
        skip(lexer);
    }
    if (at_end(lexer)) {
        lexer->line = line;
        lexer->column = column;
        bad(lexer, "the comment has no end: */ is missing");
        return false;
    }
    skip(lexer);
    skip(lexer);
    return true;
}

static bool skip_blanks(struct mof_lexer *lexer)
{
    while (!at_end(lexer)) {
        if (is_blank(*lexer->at)) {
            skip(lexer);
        } else if (*lexer->at == '/' && peek(lexer, 1) == '/') {
            while (!at_end(lexer) && *lexer->at != '\n') {
                skip(lexer);
            }
        } else if (*lexer->at == '/' && peek(lexer, 1) == '*') {
            if (!skip_comment(lexer)) {
                return false;
            }
        } else {
            return true;
        }
    }
    return true;
}

/* ---- strings ----------------------------------------------------------------------------------
 */

/* 1 to 4 hexadecimal digits behind \x. False: not one. */
static bool take_hex(struct mof_lexer *lexer, uint32_t *ret_code)
{
    uint32_t code = 0;
    int digits = 0;

    for (; digits < 4 && hex_value(peek(lexer, 0)) >= 0; digits++) {
        code = code * 16 + (uint32_t)hex_value(peek(lexer, 0));
        skip(lexer);
    }
    *ret_code = code;
    return digits > 0;
}

/* The escape behind a backslash, which is at the place of reading. False after bad(). */
static bool take_escape(struct mof_lexer *lexer, uint32_t *ret_code)
{
    static const char letters[] = "btnfr\"'\\", codes[] = "\b\t\n\f\r\"'\\";

    skip(lexer);
    char c = peek(lexer, 0);
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    if (found != NULL) {
        skip(lexer);
        *ret_code = (unsigned char)codes[found - letters];
        return true;
    }
    if (c != 'x' && c != 'X') {
        bad(lexer,
            "no such escape; those of MOF are \\b \\t \\n \\f \\r \\\" \\' \\\\ and \\xHHHH");
        return false;
    }
    skip(lexer);
    if (!take_hex(lexer, ret_code)) {
        bad(lexer, "\\x needs 1 to 4 hexadecimal digits");
        return false;
    }
    return true;
}

/* One character as it stands. False after bad(). */
static bool take_plain(struct mof_lexer *lexer, uint32_t *ret_code)
{
    size_t length = utf8_next(lexer->at, (size_t)(lexer->end - lexer->at), ret_code);

    if (length == 0) {
        bad(lexer, "this is not UTF-8");
        return false;
    }
    for (; length > 0; length--) {
        skip(lexer);
    }
    return true;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code >= 0x10000) {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
    } else if (code >= 0x800) {
        *to++ = (char)(0xE0 | code >> 12);
    }
    if (code >= 0x800) {
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    } else {
        *to++ = (char)(0xC0 | code >> 6);
    }
    *to++ = (char)(0x80 | (code & 0x3F));
    return to;
}

static bool is_high(uint32_t code)
{
    return code >= 0xD800 && code < 0xDC00;
}

static bool is_low(uint32_t code)
{
    return code >= 0xDC00 && code < 0xE000;
}

/* A character beyond the first 65,536 is two escapes, as in UTF-16. */
static bool take_low_half(struct mof_lexer *lexer, uint32_t *code)
{
    uint32_t low = 0;

    if (peek(lexer, 0) != '\\') {
        bad(lexer, "one half of a surrogate pair; the other half is needed behind it");
        return false;
    }
    if (!take_escape(lexer, &low)) {
        return false;
    }
    if (!is_low(low)) {
        bad(lexer, "one half of a surrogate pair; the other half is needed before this");
        return false;
    }
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* Escapes of a string; it has no NUL in it, since MI's strings end with one. */
static bool take_character(struct mof_lexer *lexer, uint32_t *ret_code)
{
    const bool escape = peek(lexer, 0) == '\\';

    if (!(escape ? take_escape(lexer, ret_code) : take_plain(lexer, ret_code))) {
        return false;
    }
    if (*ret_code == 0) {
        bad(lexer, "a string cannot hold a NUL");
        return false;
    }
    if (is_low(*ret_code)) {
        bad(lexer, "one half of a surrogate pair; the other half is needed before it");
        return false;
    }
    return !is_high(*ret_code) || take_low_half(lexer, ret_code);
}

/* From the opening quote to behind the closing one; writes to *to. */
static bool take_quoted(struct mof_lexer *lexer, char **to)
{
    uint32_t code = 0;

    skip(lexer);
    while (peek(lexer, 0) != '"') {
        if (at_end(lexer) || peek(lexer, 0) == '\n') {
            bad(lexer, "the string has no end: \" is missing; a line break is \\n");
            return false;
        }
        if (!take_character(lexer, &code)) {
            return false;
        }
        *to = put_utf8(*to, code);
    }
    skip(lexer);
    return true;
}

/* Strings that follow one another are one (DSP0004, stringValue). */
static enum mof_token take_string(struct mof_lexer *lexer)
{
    char *to = lexer->at + 1;

    lexer->word = to;
    do {
        if (!take_quoted(lexer, &to) || !skip_blanks(lexer)) {
            return MOF_TOKEN_BAD;
        }
    } while (peek(lexer, 0) == '"');
    lexer->length = (size_t)(to - lexer->word);
    *to = '\0'; /* at the closing quote, or before it */
    return MOF_TOKEN_STRING;
}

static enum mof_token take_char(struct mof_lexer *lexer)
{
    uint32_t code = 0;

    skip(lexer);
    if (at_end(lexer) || peek(lexer, 0) == '\'' || peek(lexer, 0) == '\n') {
        return bad(lexer, "a character is needed between the quotes");
    }
    if (!(peek(lexer, 0) == '\\' ? take_escape(lexer, &code) : take_plain(lexer, &code))) {
        return MOF_TOKEN_BAD;
    }
    if (code > 0xFFFF) {
        return bad(lexer, "a char16 holds no character beyond U+FFFF");
    }
    if (peek(lexer, 0) != '\'') {
        return bad(lexer, "' is needed behind one character");
    }
    skip(lexer);
    lexer->character = (uint16_t)code;
    return MOF_TOKEN_CHAR;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

/* How many of the bytes from `from` on are digits. */
static size_t digits_from(const struct mof_lexer *lexer, size_t from)
{
    size_t count = 0;

    while (is_digit(peek(lexer, from + count))) {
        count++;
    }
    return count;
}

/* The length of a real number (realValue, and what printf(3) writes for %g), or 0. */
static size_t real_length(const struct mof_lexer *lexer)
{
    size_t at = peek(lexer, 0) == '-' || peek(lexer, 0) == '+' ? 1 : 0;
    size_t before = digits_from(lexer, at), behind = 0;
    bool real = false;

    at += before;
    if (peek(lexer, at) == '.') {
        behind = digits_from(lexer, at + 1);
        at += behind + 1;
        real = true;
    }
    if (before + behind == 0) {
        return 0;
    }
    if (peek(lexer, at) == 'e' || peek(lexer, at) == 'E') {
        size_t sign = peek(lexer, at + 1) == '-' || peek(lexer, at + 1) == '+' ? 2 : 1;
        size_t exponent = digits_from(lexer, at + sign);
        if (exponent > 0) {
            at += sign + exponent;
            real = true;
        }
    }
    return real ? at : 0;
}

/* The base of an integer: 0x..., 0... is octal, and 01b binary. */
static unsigned integer_base(const struct mof_lexer *lexer)
{
    size_t count = 0;

    if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) {
        return 16;
    }
    while (peek(lexer, count) == '0' || peek(lexer, count) == '1') {
        count++;
    }
    if (count > 0 && (peek(lexer, count) == 'b' || peek(lexer, count) == 'B')) {
        return 2;
    }
    return peek(lexer, 0) == '0' && is_digit(peek(lexer, 1)) ? 8 : 10;
}

/* The digits of one base; at least one. */
static bool take_digits(struct mof_lexer *lexer, unsigned base)
{
    unsigned count = 0;
    int digit = 0;

    lexer->magnitude = 0;
    for (; (digit = hex_value(peek(lexer, 0))) >= 0 && (unsigned)digit < base; count++) {
        if (lexer->magnitude > (UINT64_MAX - (unsigned)digit) / base) {
            bad(lexer, "the number is larger than 64 bits can hold");
            return false;
        }
        lexer->magnitude = lexer->magnitude * base + (unsigned)digit;
        skip(lexer);
    }
    if (count == 0) {
        bad(lexer, "a digit is needed here");
        return false;
    }
    return true;
}

static enum mof_token take_integer(struct mof_lexer *lexer)
{
    lexer->negative = peek(lexer, 0) == '-';
    if (lexer->negative || peek(lexer, 0) == '+') {
        skip(lexer);
    }
    unsigned base = integer_base(lexer);
    if (base == 16) {
        skip(lexer);
        skip(lexer);
    }
    if (!take_digits(lexer, base)) {
        return MOF_TOKEN_BAD;
    }
    if (base == 2) {
        skip(lexer); /* the b */
    }
    if (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0))) {
        return bad(lexer, base == 8 ? "no digit of an octal number, which begins with 0"
                                    : "no digit of this number");
    }
    return MOF_TOKEN_INTEGER;
}

static enum mof_token take_number(struct mof_lexer *lexer)
{
    size_t length = real_length(lexer);

    if (length == 0) {
        return take_integer(lexer);
    }
    lexer->word = lexer->at;
    lexer->length = length;
    for (; length > 0; length--) {
        skip(lexer);
    }
    return is_letter(peek(lexer, 0)) ? bad(lexer, "no digit of this number") : MOF_TOKEN_REAL;
}

/* ---- names and signs --------------------------------------------------------------------------
 */

static enum mof_token take_name(struct mof_lexer *lexer, enum mof_token token)
{
    lexer->word = lexer->at;
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0))) {
        skip(lexer);
    }
    lexer->length = (size_t)(lexer->at - lexer->word);
    return lexer->length > 0 ? token : bad(lexer, "the name of an alias is needed behind $");
}

static enum mof_token take(struct mof_lexer *lexer)
{
    char c = peek(lexer, 0);

    if (c == '"') {
        return take_string(lexer);
    }
    if (c == '\'') {
        return take_char(lexer);
    }
    if (c == '$') {
        skip(lexer);
        return take_name(lexer, MOF_TOKEN_ALIAS);
    }
    if (is_letter(c)) {
        return take_name(lexer, MOF_TOKEN_NAME);
    }
    if (is_digit(c) || c == '-' || c == '+' || (c == '.' && is_digit(peek(lexer, 1)))) {
        return take_number(lexer);
    }
    if (c == '\0' || strchr("{}=;,[]()#:.@", c) == NULL) {
        return bad(lexer, "no sign of MOF");
    }
    lexer->sign = c;
    skip(lexer);
    return MOF_TOKEN_SIGN;
}

void mof_lexer_next(struct mof_lexer *lexer)
{
    if (lexer->token == MOF_TOKEN_BAD) {
        return;
    }
    if (!skip_blanks(lexer)) {
        lexer->token = MOF_TOKEN_BAD;
        return;
    }
    lexer->token_line = lexer->line;
    lexer->token_column = lexer->column;
    lexer->word = lexer->at;
    lexer->length = 0;
    lexer->token = at_end(lexer) ? MOF_TOKEN_END : take(lexer);
    if (lexer->token != MOF_TOKEN_STRING && lexer->length == 0) {
        lexer->length = (size_t)(lexer->at - lexer->word);
    }
}

void mof_lexer_begin(struct mof_lexer *lexer, char *text, size_t length,
                     struct mof_error *ret_error)
{
    *lexer = (struct mof_lexer){
        .at = text, .end = text + length, .line = 1, .column = 1, .error = ret_error};
    mof_lexer_next(lexer);
}
