/* SPDX-License-Identifier: MIT */
/* The JSON escaper on any bytes: what comes out decodes to what went in, with U+FFFD in place of
 * what is no UTF-8, and holds nothing that could steer a terminal or end a line. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The code point at *at, which moves on; U+FFFD and one byte for what is no UTF-8. By arithmetic
 * (RFC 3629, section 3), not by ranges as the escaper has it. */
static uint32_t next_code(const unsigned char **at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *in = *at;
    unsigned length = *in < 0x80             ? 1
                      : (*in & 0xE0) == 0xC0 ? 2
                      : (*in & 0xF0) == 0xE0 ? 3
                      : (*in & 0xF8) == 0xF0 ? 4
                                             : 0;
    uint32_t code = length == 1 ? *in : *in & (0xFFu >> (length + 1));
    bool valid = length > 0;

    for (unsigned i = 1; valid && i < length; i++) {
        valid = (in[i] & 0xC0) == 0x80;
        code = code << 6 | (in[i] & 0x3Fu);
    }
    valid = valid && code >= least[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    *at += valid ? length : 1;
    return valid ? code : 0xFFFD;
}

static bool steers(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = TEXT_EMPTY;
    char *in = malloc(size + 1);

    must(in != NULL);
    if (size > 0) {
        memcpy(in, data, size);
    }
    in[size] = '\0';
    text_json_string(&text, NULL, in);
    must(!text.failed && strlen(text.data) == text.length);
    for (const unsigned char *at = (const unsigned char *)text.data; *at != '\0';) {
        uint32_t code = next_code(&at);
        must(!steers(code));
    }
    json_t *value = json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    must(json_is_string(value));
    const unsigned char *expected = (const unsigned char *)in;
    const unsigned char *decoded = (const unsigned char *)json_string_value(value);
    while (*expected != '\0') {
        must(next_code(&expected) == next_code(&decoded));
    }
    must(*decoded == '\0');
    json_decref(value);
    text_release(&text);
    free(in);
    return 0;
}
