/* SPDX-License-Identifier: MIT */
/*
 * What is checked of a file before the parser sees it, and how errors in it are shown.
 */
#include "policy/source.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "policy/characters.h"
#include "policy/draft.h"

/* Where a line begins; *ret_length without its newline. NULL when there is no such line. From the
 * top each time: errors are few, and the file is small. */
static const char *find_line(const struct policy_source *source, unsigned line, size_t *ret_length)
{
    const char *at = source->text, *end = source->text + source->length;

    for (unsigned number = 1; number < line; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return NULL;
        }
        at = newline + 1;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *ret_length = (size_t)((newline == NULL ? end : newline) - at);
    return at;
}

/* Text of the file is copied, so that the list outlives the load. */
void source_error_list(const struct policy_source *source, struct diagnostics *errors,
                       unsigned line, unsigned column, const char *format, va_list arguments)
{
    struct policy_place place = {.file = source->name, .line = line, .column = column};
    /* Longer than any message: what it quotes is at most DRAFT_MAX_TEXT characters of 4 bytes. */
    char message[4096];
    size_t length = 0;
    const char *text =
        line == 0 || errors->count == DIAGNOSTIC_LIMIT ? NULL : find_line(source, line, &length);

    vsnprintf(message, sizeof(message), format, arguments);
    diagnostic_add(errors, DIAGNOSTIC_ERROR, &place, text, length, "%s", message);
}

/* The usual form. */
void source_error(const struct policy_source *source, struct diagnostics *errors, unsigned line,
                  unsigned column, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    source_error_list(source, errors, line, column, format, arguments);
    va_end(arguments);
}

/* Bytes, as no encoding is known yet. */
static bool starts_with(const struct policy_source *source, const char *bytes, size_t length)
{
    return source->length >= length && memcmp(source->text, bytes, length) == 0;
}

/* Reports the first forbidden character of a line; true when the line has no such character. One
 * for each line: a line of a wrong encoding would give hundreds. */
static bool check_line(const struct policy_source *source, struct diagnostics *errors,
                       const char *line, size_t length, unsigned number)
{
    unsigned column = 1;
    size_t step;

    for (size_t at = 0; at < length; at += step, column++) {
        uint32_t code;
        step = utf8_next(line + at, length - at, &code);
        if (step == 0) {
            source_error(source, errors, number, column,
                         "byte 0x%02X is not valid UTF-8; save the file as UTF-8",
                         (unsigned char)line[at]);
            return false;
        }
        const char *fault = character_fault(code);
        if (fault != NULL) {
            source_error(source, errors, number, column, "U+%04X is %s", code, fault);
            return false;
        }
    }
    return true;
}

/* A byte order mark is refused by itself, as its message can say what to do. */
bool source_check(const struct policy_source *source, struct diagnostics *errors)
{
    bool good = true;
    unsigned number = 1;

    if (source->length > DRAFT_MAX_FILE) {
        source_error(source, errors, 0, 0,
                     "the file is larger than %d KiB; divide it among files in " POLICY_FOLDER,
                     DRAFT_MAX_FILE / 1024);
        return false;
    }
    if (starts_with(source, "\xEF\xBB\xBF", 3) || starts_with(source, "\xFE\xFF", 2) ||
        starts_with(source, "\xFF\xFE", 2)) {
        source_error(source, errors, 1, 1, "a byte order mark; save the file as UTF-8 without one");
        return false;
    }
    for (size_t at = 0; at < source->length; number++) {
        const char *line = source->text + at;
        const char *newline = memchr(line, '\n', source->length - at);
        size_t length = newline == NULL ? source->length - at : (size_t)(newline - line);
        good = check_line(source, errors, line, length, number) && good;
        at += length + 1;
    }
    return good;
}
