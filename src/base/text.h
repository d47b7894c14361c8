/* SPDX-License-Identifier: MIT */
/*
 * Growing text with a sticky error: append freely, check once at the end.
 *
 * The JSON half writes names and values in the order they are given and puts the commas itself.
 * Everything from outside goes through text_json_string(), the one escaper.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "miguard/status.h"

struct text {
    char *data; /* NUL-terminated whenever failed is false and anything was appended */
    size_t length;
    size_t capacity;
    bool failed; /* memory ran out: the content is incomplete and must not be used */
    bool comma;  /* a JSON value stands before this point */
};

#define TEXT_EMPTY                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

/* Frees the memory and leaves an empty text, which may be used again. */
void text_release(struct text *text);

/* Empties the text and clears its error; keeps its memory. */
void text_clear(struct text *text);

/* Makes room for that many more bytes and a NUL; false when the text has failed. */
bool text_grow(struct text *text, size_t more);

/* The end of the text, with room for that many bytes and a NUL: who writes them adds them to the
 * length, and puts the NUL behind them. NULL when the text has failed. */
static inline char *text_room(struct text *text, size_t more)
{
    if (text->failed || (more >= text->capacity - text->length && !text_grow(text, more))) {
        return NULL;
    }
    return text->data + text->length;
}

/* Each appends, or sets failed when memory runs out; after that it does nothing. No length needs to
 * be known before. */
void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_append_unsigned(struct text *text, uint64_t value);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies into buffer as snprintf(3) does and returns the whole length. */
size_t text_copy_out(const struct text *text, char *buffer, size_t size);

/* The end of a public function that gives a text: copies it out and releases it. *ret_length is the
 * whole length, so that a caller can come again with a larger buffer. NO_MEMORY when the text
 * failed; buffer and *ret_length are then untouched. */
enum miguard_status text_hand_out(struct text *text, char *buffer, size_t size, size_t *ret_length);

/* name is NULL for an element of an array or the outermost value. */
void text_json_open(struct text *text, const char *name, char bracket);
void text_json_close(struct text *text, char bracket);
void text_json_raw(struct text *text, const char *name, const char *value);
void text_json_unsigned(struct text *text, const char *name, uint64_t value);
void text_json_boolean(struct text *text, const char *name, bool value);

/* The name of the next member as it stands in JSON, with quotes and colon. For names that are
 * written often: the others are looked through for what needs an escape. The value follows as one
 * without a name. */
void text_json_key(struct text *text, const char *key, size_t length);
/* A member whose key stands as there, and whose value is JSON that is printable. */
void text_json_member(struct text *text, const char *key, size_t key_length, const char *value,
                      size_t length);

/* What a reader does not see, or what changes how the text around it looks: the C0 and C1 controls,
 * DEL, the line and paragraph separators, the controls of writing direction (Unicode Annex 9),
 * characters without a width, and noncharacters. The one list of the project. */
bool text_is_hidden(uint32_t code);

/* The length in bytes of the first character of text, which ends with a NUL; 0 when it is not
 * UTF-8. */
size_t text_character(const char *text);

/* Invalid UTF-8 becomes U+FFFD. Hidden characters become \u escapes, so that no value can forge a
 * line, act on a terminal, look like another value or show its characters in another order. A NULL
 * value writes null. */
void text_json_string(struct text *text, const char *name, const char *value);

/* Whether text_json_string() writes this value as it is, in quotes. */
bool text_is_plain(const char *value, size_t length);

/* A copy of JSON from outside: the same content, with hidden characters as \u escapes. Tabs and
 * carriage returns, which JSON allows between values, become blanks. */
void text_json_shown(struct text *text, const char *json, size_t length);
/* Printable ASCII alone: it is shown as it is. */
bool text_is_printable(const char *string, size_t length);

#endif
