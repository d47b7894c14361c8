/* SPDX-License-Identifier: MIT */
/* Growing text and JSON output (text.h), for records, reports and messages. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/utf8.h"

char *base_copy_text(const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = base_alloc(size, 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void text_release(struct text *text)
{
    base_free(text->data);
    *text = (struct text)TEXT_EMPTY;
}

/* Doubles, so that n appends copy O(n) bytes. The old content stays when memory runs out. */
bool text_grow(struct text *text, size_t more)
{
    const size_t need = text->length + more + 1;
    size_t capacity = text->capacity == 0 ? 1024 : text->capacity;

    if (text->failed) {
        return false;
    }
    while (capacity < need) {
        capacity *= 2;
    }
    char *data = base_resize(text->data, capacity, 1);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

/* Room for that many more bytes and a NUL; false when the text has failed. */
static bool text_reserve(struct text *text, size_t more)
{
    return text_room(text, more) != NULL;
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->failed = false;
    text->comma = false;
}

/* The brackets of JSON: half of all that is appended. */
static void append_character(struct text *text, char character)
{
    if (text_reserve(text, 1)) {
        text->data[text->length++] = character;
        text->data[text->length] = '\0';
    }
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length)) {
        return;
    }
    if (length > 0) { /* memcpy(3) takes no NULL, which is all that an empty text has */
        memcpy(text->data + text->length, bytes, length);
    }
    text->length += length;
    text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_append_unsigned(struct text *text, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_append_bytes(text, digits + at, sizeof(digits) - at);
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    char small[256];

    va_start(arguments, format);
    int length = vsnprintf(small, sizeof(small), format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if ((size_t)length < sizeof(small)) {
        text_append_bytes(text, small, (size_t)length);
        return;
    }
    if (!text_reserve(text, (size_t)length)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

size_t text_copy_out(const struct text *text, char *buffer, size_t size)
{
    if (size > 0) {
        size_t length = text->length < size ? text->length : size - 1;
        if (length > 0) {
            memcpy(buffer, text->data, length);
        }
        buffer[length] = '\0';
    }
    return text->length;
}

enum miguard_status text_hand_out(struct text *text, char *buffer, size_t size, size_t *ret_length)
{
    enum miguard_status status = text->failed ? MIGUARD_NO_MEMORY : MIGUARD_OK;

    if (status == MIGUARD_OK) {
        *ret_length = text_copy_out(text, buffer, size);
    }
    text_release(text);
    return status;
}

/* Characters that need no escape in a JSON string: ASCII without controls, DEL, quote and
 * backslash. */
static const bool plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

size_t text_character(const char *text)
{
    uint32_t code;

    return utf8_next(text, UTF8_MAX, &code);
}

bool text_is_hidden(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},     {0x115F, 0x1160},
        {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
        {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return (code & 0xFFFE) == 0xFFFE;
}

static void append_unit(struct text *text, uint32_t code)
{
    char escape[2 + 4] = "\\u";

    hex_put_number(escape + 2, code, 4);
    text_append_bytes(text, escape, sizeof(escape));
}

/* Above U+FFFF as two surrogates (RFC 8259, section 7). */
static void append_escape(struct text *text, uint32_t code)
{
    if (code == '"' || code == '\\') {
        text_append_bytes(text, code == '"' ? "\\\"" : "\\\\", 2);
    } else if (code > 0xFFFF) {
        append_unit(text, 0xD7C0 + (code >> 10));
        append_unit(text, 0xDC00 | (code & 0x3FF));
    } else {
        append_unit(text, code);
    }
}

/* Appends one character that is not plain; returns its length in bytes. */
static size_t escape_one(struct text *text, const unsigned char *at)
{
    uint32_t code = 0;
    size_t length = utf8_next((const char *)at, UTF8_MAX, &code);

    if (length == 0) {
        text_append_bytes(text, "\xEF\xBF\xBD", 3);
        return 1;
    }
    if (code == '"' || code == '\\' || text_is_hidden(code)) {
        append_escape(text, code);
    } else {
        text_append_bytes(text, (const char *)at, length);
    }
    return length;
}

/* Whether all eight bytes are printable ASCII. In `other` the high bit of a byte is set for one
 * that is not; a carry may set it wrongly, but only behind one that is right. */
static bool are_printable(const char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    uint64_t del = word ^ ones * 0x7F;
    uint64_t other = ((word - ones * 0x20) | (del - ones) | word) & ones << 7;
    return other == 0;
}

/* Bytes of a vector, which a compiler keeps in a register where the machine has such. */
enum { VECTOR = 16 };
typedef signed char bytes __attribute__((vector_size(VECTOR)));
typedef uint64_t words __attribute__((vector_size(VECTOR)));

/* Of the bytes of these two words. They are signed: what is not ASCII comes before the blank. */
static bool are_plain(uint64_t first, uint64_t second)
{
    const bytes now = (bytes)(words){first, second};
    const words other = (words)((now < ' ') | (now == 0x7F) | (now == '"') | (now == '\\'));

    return (other[0] | other[1]) == 0;
}

static uint64_t word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Sixteen bytes at a time; the last eight may have some of those before. */
bool text_is_plain(const char *value, size_t length)
{
    bool good = true;

    if (length < 8) {
        for (size_t i = 0; i < length; i++) {
            good &= plain[(unsigned char)value[i]];
        }
        return good;
    }
    size_t at = 0;
    for (; at + VECTOR < length && good; at += VECTOR) {
        good = are_plain(word_at(value + at), word_at(value + at + 8));
    }
    at = at + 8 < length ? at : length - 8;
    return good && are_plain(word_at(value + at), word_at(value + length - 8));
}

/* Values are mostly plain to their end: these are copied as they are, with their quotes. False: it
 * needs an escape, and nothing was appended. */
static bool text_json_plain_value(struct text *text, const char *value)
{
    size_t length = strlen(value);

    if (!text_is_plain(value, length)) {
        return false;
    }
    if (!text_reserve(text, length + 2)) {
        return true; /* it has failed */
    }
    char *at = text->data + text->length;
    at[0] = '"';
    memcpy(at + 1, value, length);
    memcpy(at + 1 + length, "\"", 2);
    text->length += length + 2;
    return true;
}

static void text_json_escape(struct text *text, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;

    while (*at != '\0') {
        const unsigned char *start = at;
        while (plain[*at]) {
            at++;
        }
        if (at != start) {
            text_append_bytes(text, (const char *)start, (size_t)(at - start));
        } else {
            at += escape_one(text, at);
        }
    }
}

/* The fast path: names come from the program, are nearly always plain, and make up much of each
 * record. False: it needs an escape, and nothing was appended. */
static bool text_json_plain_name(struct text *text, const char *name)
{
    size_t length = strlen(name);
    bool good = length > 0;

    if (!text_reserve(text, length + 4)) {
        return true; /* it has failed */
    }
    char *at = text->data + text->length;
    *at = ',';
    at += text->comma;
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        good &= plain[(unsigned char)name[i]];
        at[i] = name[i];
    }
    memcpy(at + length, "\":", 3);
    if (good) {
        text->length = (size_t)(at + length + 2 - text->data);
    } else {
        text->data[text->length] = '\0';
    }
    return good;
}

static void text_json_name(struct text *text, const char *name)
{
    if (name == NULL || !text_json_plain_name(text, name)) {
        if (text->comma) {
            text_append_bytes(text, ",", 1);
        }
        if (name != NULL) {
            text_append_bytes(text, "\"", 1);
            text_json_escape(text, name);
            text_append_bytes(text, "\":", 2);
        }
    }
    text->comma = true;
}

void text_json_key(struct text *text, const char *key, size_t length)
{
    if (!text_reserve(text, length + 1)) {
        return;
    }
    char *at = text->data + text->length;
    *at = ',';
    at += text->comma;
    memcpy(at, key, length);
    at[length] = '\0';
    text->length += length + text->comma;
    text->comma = false; /* the value comes next */
}

/* One look for room: some readers write dozens of members for each record. */
void text_json_member(struct text *text, const char *key, size_t key_length, const char *value,
                      size_t length)
{
    if (!text_reserve(text, 1 + key_length + length)) {
        return;
    }
    char *at = text->data + text->length;
    *at = ',';
    at += text->comma;
    memcpy(at, key, key_length);
    memcpy(at + key_length, value, length);
    at[key_length + length] = '\0';
    text->length = (size_t)(at - text->data) + key_length + length;
    text->comma = true;
}

void text_json_open(struct text *text, const char *name, char bracket)
{
    text_json_name(text, name);
    append_character(text, bracket);
    text->comma = false;
}

void text_json_close(struct text *text, char bracket)
{
    append_character(text, bracket);
    text->comma = true;
}

void text_json_raw(struct text *text, const char *name, const char *value)
{
    text_json_name(text, name);
    if (value[0] != '\0') {
        text_append(text, value);
    }
}

void text_json_unsigned(struct text *text, const char *name, uint64_t value)
{
    text_json_name(text, name);
    text_append_unsigned(text, value);
}

void text_json_boolean(struct text *text, const char *name, bool value)
{
    text_json_raw(text, name, value ? "true" : "false");
}

void text_json_string(struct text *text, const char *name, const char *value)
{
    if (value == NULL) {
        text_json_raw(text, name, "null");
        return;
    }
    text_json_name(text, name);
    if (!text_json_plain_value(text, value)) {
        text_append_bytes(text, "\"", 1);
        text_json_escape(text, value);
        text_append_bytes(text, "\"", 1);
    }
}

/* JSON allows blanks, tabs and line ends between values, and none of these controls inside a
 * string. The look-ahead of utf8_next() must not pass the end, so the last bytes are decoded from a
 * copy. */
static size_t show_one(struct text *text, const char *at, size_t left)
{
    char end[5] = "";

    if (at[0] == '\t' || at[0] == '\r' || at[0] == '\n') {
        text_append_bytes(text, at[0] == '\n' ? "\n" : " ", 1);
        return 1;
    }
    memcpy(end, at, left < 4 ? left : 4);
    return end[0] == '\0' ? 1 : escape_one(text, (const unsigned char *)end);
}

/* Whether 16 bytes are all printable ASCII. They are signed: what is not ASCII comes before the
 * blank. */
static bool are_printable_16(const char *text)
{
    bytes now;

    memcpy(&now, text, sizeof(now));
    const words other = (words)((now < ' ') | (now == 0x7F));
    return (other[0] | other[1]) == 0;
}

/* The same of 64, with the least for each byte: with 1 added, DEL becomes the lowest of all signed
 * bytes. The addition is of unsigned ones, which may pass over. */
static bool are_printable_64(const char *text)
{
    typedef unsigned char unsigned_bytes __attribute__((vector_size(VECTOR)));
    unsigned_bytes now[4];

    memcpy(now, text, sizeof(now));
    const words all = (words)(((bytes)(now[0] + 1) > ' ') & ((bytes)(now[1] + 1) > ' ') &
                              ((bytes)(now[2] + 1) > ' ') & ((bytes)(now[3] + 1) > ' '));
    return (all[0] & all[1]) == UINT64_MAX;
}

/* Behind the printable ASCII. The last bytes are looked at with some of those before. */
static size_t skip_printable(const char *json, size_t at, size_t length)
{
    while (length - at >= 64 && are_printable_64(json + at)) {
        at += 64;
    }
    while (length - at >= VECTOR && are_printable_16(json + at)) {
        at += VECTOR;
    }
    const size_t left = length - at;
    if (left < VECTOR && length >= VECTOR && are_printable_16(json + length - VECTOR)) {
        return length;
    }
    if (left >= 8 && left < VECTOR && are_printable(json + at) &&
        are_printable(json + length - 8)) {
        return length;
    }
    while (at < length && json[at] >= ' ' && json[at] < 0x7F) {
        at++;
    }
    return at;
}

bool text_is_printable(const char *string, size_t length)
{
    return skip_printable(string, 0, length) == length;
}

void text_json_shown(struct text *text, const char *json, size_t length)
{
    size_t start = 0, at = 0;

    if (length == 0) { /* a missing field, with a NULL pointer */
        return;
    }
    while (at < length) {
        at = skip_printable(json, at, length);
        if (at == length) {
            break;
        }
        text_append_bytes(text, json + start, at - start);
        at += show_one(text, json + at, length - at);
        start = at;
    }
    text_append_bytes(text, json + start, length - start);
}
