/* SPDX-License-Identifier: MIT */
/*
 * Messages on stderr, and text from outside made safe for a terminal. Every command calls it.
 *
 * What may reach a terminal from a record, a policy, a provider or a file name passes print_safe()
 * or print_json_text(): control characters, including those of C1, and the marks that change the
 * direction of writing are escaped. An administrator reads what an attacker may have written.
 */
#include "base/utf8.h"
#include "tools/cli/cli.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define REPLACEMENT 0xFFFDU

/*
 * The next code point of text and how many bytes it takes. What is not well-formed UTF-8 (RFC 3629:
 * overlong, surrogate, above U+10FFFF, cut short) is one byte that counts as U+FFFD.
 */
static uint32_t next_code_point(const char *text, size_t *ret_length)
{
    uint32_t point = REPLACEMENT;
    size_t length = utf8_next(text, UTF8_MAX, &point);

    *ret_length = length == 0 ? 1 : length;
    return point;
}

/* MOF has four digits, so that what lies beyond is the two halves of UTF-16. */
static void print_hidden(FILE *stream, uint32_t point)
{
    if (point >= 0x10000) {
        fprintf(stream, "\\x%04X", 0xD800 + ((point - 0x10000) >> 10));
        point = 0xDC00 + ((point - 0x10000) & 0x3FF);
    }
    fprintf(stream, "\\x%04X", point);
}

/* The escapes are those of MOF, so that a quoted text can be read back. */
void print_safe(FILE *stream, const char *text, bool quoted)
{
    size_t length;

    for (; *text != '\0'; text += length) {
        uint32_t point = next_code_point(text, &length);
        if (quoted && (point == '"' || point == '\\')) {
            fprintf(stream, "\\%c", (int)point);
        } else if (quoted && (point == '\n' || point == '\t')) {
            fputs(point == '\n' ? "\\n" : "\\t", stream);
        } else if (text_is_hidden(point)) {
            print_hidden(stream, point);
        } else if (point == REPLACEMENT) {
            fputs("\xEF\xBF\xBD", stream);
        } else {
            fwrite(text, 1, length, stream);
        }
    }
}

/* Every byte may become three. */
char *valid_utf8(const char *text)
{
    char *copy = malloc(strlen(text) * 3 + 1); /* each byte may become U+FFFD */
    size_t length, at = 0;

    if (copy == NULL) {
        return NULL;
    }
    for (; *text != '\0'; text += length) {
        if (next_code_point(text, &length) == REPLACEMENT) {
            memcpy(copy + at, "\xEF\xBF\xBD", 3);
            at += 3;
        } else {
            memcpy(copy + at, text, length);
            at += length;
        }
    }
    copy[at] = '\0';
    return copy;
}

/* The whole is made before any of it is written. */
bool print_json_text(FILE *stream, const char *json, size_t length)
{
    struct text shown = TEXT_EMPTY;

    text_json_shown(&shown, json, length);
    bool printed = !shown.failed && fwrite(shown.data, 1, shown.length, stream) == shown.length;
    text_release(&shown);
    return printed;
}

/* Compact and in the order in which it was made, so that the output is the same each time. */
bool print_json(FILE *stream, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);

    if (text == NULL) {
        return false;
    }
    bool printed = print_json_text(stream, text, strlen(text));
    fputc('\n', stream);
    free(text);
    return printed;
}

/* Colour is for eyes: never into a file or pipe, and not against the user's wish (no-color.org). */
bool is_coloured(FILE *stream)
{
    const char *unwanted = getenv("NO_COLOR");

    return isatty(fileno(stream)) && (unwanted == NULL || *unwanted == '\0');
}

static __thread FILE *complaints; /* NULL: stderr */

void complain_on(FILE *stream)
{
    complaints = stream;
}

/* Out of memory, the message is that instead of the text; the status is the same. */
int complain(enum cli_exit status, const char *format, ...)
{
    char *text = NULL;
    va_list list;

    va_start(list, format);
    int length = vasprintf(&text, format, list);
    va_end(list);
    FILE *stream = complaints != NULL ? complaints : stderr;
    fputs(is_coloured(stream) ? "\033[1;31mmiguard:\033[0m " : "miguard: ", stream);
    print_safe(stream, length < 0 ? "out of memory" : text, false);
    fputc('\n', stream);
    if (length >= 0) {
        free(text);
    }
    return (int)status;
}

/* The parts of the error that are set, in the order from general to particular. */
int complain_error(enum cli_exit status, const char *what, const struct miguard_error *error)
{
    char text[MIGUARD_ERROR_TEXT_SIZE];

    (void)miguard_error_text(error, text, sizeof(text));
    return complain(status, "%s: %s", what, text);
}
