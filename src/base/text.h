/* SPDX-License-Identifier: MIT */
/*
 * A growing piece of text with a sticky error: append as one likes, ask once at the end.
 *
 * The JSON half writes names and values in the order they are given and puts the commas itself.
 * Everything that comes from outside goes through text_json_string(), the one escaper.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

void text_release(struct text *text);

/* Empty again, and good again, in the memory that it has. */
void text_clear(struct text *text);

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_append_unsigned(struct text *text, uint64_t value);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies into buffer as snprintf does and gives the whole length. */
size_t text_copy_out(const struct text *text, char *buffer, size_t size);

/* name is NULL for an element of an array or the outermost value. */
void text_json_open(struct text *text, const char *name, char bracket);
void text_json_close(struct text *text, char bracket);
void text_json_raw(struct text *text, const char *name, const char *value);
void text_json_unsigned(struct text *text, const char *name, uint64_t value);
void text_json_boolean(struct text *text, const char *name, bool value);

/* What a reader does not see, or what changes how the text around it is seen: the C0 and C1
 * controls, DEL, the line and paragraph separators, the controls of writing direction (Unicode
 * Annex 9), characters without a width, and what is no character. The one list of the project. */
bool text_is_hidden(uint32_t code);

/* How many bytes the character has that text, terminated by a NUL, begins with; 0: it is no UTF-8.
 */
size_t text_character(const char *text);

/* Invalid UTF-8 becomes U+FFFD; what is hidden becomes \u escapes, so that no value can forge a
 * line, reach a terminal as an escape, look like another or show its characters in another order. A
 * NULL value writes null. */
void text_json_string(struct text *text, const char *name, const char *value);

/* A copy of JSON that somebody else wrote: what it says is the same, but what is hidden in it
 * stands as \u escapes. Tabs and carriage returns, which JSON allows between values, become blanks.
 */
void text_json_shown(struct text *text, const char *json, size_t length);

#endif
