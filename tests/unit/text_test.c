/* SPDX-License-Identifier: MIT */
/* Text that grows, and the one JSON escaper: whatever goes in, what comes out is one valid value
 * on one line, and no byte of it can steer a terminal. */
#include "base/text.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

static const struct {
    const char *what, *in, *out;
} escapes[] = {
    {"nothing", "", ""},
    {"plain", "root/cimv2", "root/cimv2"},
    {"quote", "\"", "\\\""},
    {"backslash", "\\", "\\\\"},
    {"both among text", "a\"b\\c", "a\\\"b\\\\c"},
    {"slash stays", "</script>", "</script>"},
    {"newline", "a\nb", "a\\u000ab"},
    {"return", "\r", "\\u000d"},
    {"tab", "\t", "\\u0009"},
    {"backspace", "\b", "\\u0008"},
    {"first control", "\x01", "\\u0001"},
    {"last control", "\x1F", "\\u001f"},
    {"escape sequence", "\x1B[2J", "\\u001b[2J"},
    {"space and tilde", " ~", " ~"},
    {"DEL", "a\x7F", "a\\u007f"},
    {"first C1", "\xC2\x80", "\\u0080"},
    {"NEL, a line end to some", "\xC2\x85", "\\u0085"},
    {"CSI, an escape to some", "\xC2\x9B", "\\u009b"},
    {"last C1", "\xC2\x9F", "\\u009f"},
    {"first behind C1", "\xC2\xA0", "\xC2\xA0"},
    {"two bytes", "\xC3\xA9", "\xC3\xA9"},
    {"last of two bytes", "\xDF\xBF", "\xDF\xBF"},
    {"first of three bytes", "\xE0\xA0\x80", "\xE0\xA0\x80"},
    {"three bytes", "\xE2\x82\xAC", "\xE2\x82\xAC"},
    {"last before the surrogates", "\xED\x9F\xBF", "\xED\x9F\xBF"},
    {"first behind the surrogates", "\xEE\x80\x80", "\xEE\x80\x80"},
    {"last of three bytes", "\xEF\xBF\xBF", "\\uffff"},
    {"first of four bytes", "\xF0\x90\x80\x80", "\xF0\x90\x80\x80"},
    {"four bytes", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    {"U+10FFFF", "\xF4\x8F\xBF\xBF", "\\udbff\\udfff"},
    {"above U+10FFFF", "\xF4\x90\x80\x80", BAD BAD BAD BAD},
    {"far above", "\xF7\xBF\xBF\xBF", BAD BAD BAD BAD},
    {"five bytes", "\xF8\x88\x80\x80\x80", BAD BAD BAD BAD BAD},
    {"six bytes", "\xFC\x84\x80\x80\x80\x80", BAD BAD BAD BAD BAD BAD},
    {"FE and FF", "\xFE\xFF", BAD BAD},
    {"lone continuation", "a\x80z", "a" BAD "z"},
    {"last continuation", "\xBF", BAD},
    {"overlong slash, two", "\xC0\xAF", BAD BAD},
    {"overlong DEL, two", "\xC1\xBF", BAD BAD},
    {"overlong newline, two", "\xC0\x8A", BAD BAD},
    {"overlong slash, three", "\xE0\x80\xAF", BAD BAD BAD},
    {"overlong, three", "\xE0\x9F\xBF", BAD BAD BAD},
    {"overlong slash, four", "\xF0\x80\x80\xAF", BAD BAD BAD BAD},
    {"overlong, four", "\xF0\x8F\xBF\xBF", BAD BAD BAD BAD},
    {"first surrogate", "\xED\xA0\x80", BAD BAD BAD},
    {"last surrogate", "\xED\xBF\xBF", BAD BAD BAD},
    {"pair of surrogates", "\xED\xA0\xBD\xED\xB8\x80", BAD BAD BAD BAD BAD BAD},
    {"two bytes cut at the end", "a\xC3", "a" BAD},
    {"three bytes cut to one", "\xE2", BAD},
    {"three bytes cut to two", "\xE2\x82", BAD BAD},
    {"four bytes cut to one", "\xF0", BAD},
    {"four bytes cut to two", "\xF0\x9F", BAD BAD},
    {"four bytes cut to three", "\xF0\x9F\x98", BAD BAD BAD},
    {"Arabic letter mark", "\xD8\x9C", "\\u061c"},
    {"around it", "\xD8\x9B\xD8\x9D", "\xD8\x9B\xD8\x9D"},
    {"left-to-right mark", "\xE2\x80\x8E", "\\u200e"},
    {"right-to-left mark", "\xE2\x80\x8F", "\\u200f"},
    {"around them", "\xE2\x80\x8A\xE2\x80\x90", "\xE2\x80\x8A\xE2\x80\x90"},
    {"without a width", "\xE2\x80\x8B\xE2\x80\x8D\xE2\x81\xA0\xEF\xBB\xBF",
     "\\u200b\\u200d\\u2060\\ufeff"},
    {"a tag", "\xF3\xA0\x81\x81", "\\udb40\\udc41"},
    {"line separator", "\xE2\x80\xA8", "\\u2028"},
    {"paragraph separator", "\xE2\x80\xA9", "\\u2029"},
    {"first embedding", "\xE2\x80\xAA", "\\u202a"},
    {"right-to-left override", "\xE2\x80\xAE", "\\u202e"},
    {"around those", "\xE2\x80\xA7\xE2\x80\xAF", "\xE2\x80\xA7\xE2\x80\xAF"},
    {"first isolate", "\xE2\x81\xA6", "\\u2066"},
    {"last isolate", "\xE2\x81\xA9", "\\u2069"},
    {"around the isolates", "\xE2\x81\x9F\xE2\x81\xB0", "\xE2\x81\x9F\xE2\x81\xB0"},
    {"cut by a letter", "\xE2\x82z", BAD BAD "z"},
    {"cut by a quote", "\xE2\"", BAD "\\\""},
    {"cut by a newline", "\xF0\x9F\n", BAD BAD "\\u000a"},
    {"cut by a lead byte", "\xE2\xC3\xA9", BAD "\xC3\xA9"},
};

/* In a block of its own size: reading beyond the end is a sanitizer's finding. */
static char *exact_copy(const char *string)
{
    char *copy = strdup(string);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

START_TEST(escaper)
{
    struct text text = TEXT_EMPTY, expected = TEXT_EMPTY;
    char *in = exact_copy(escapes[_i].in);

    text_json_string(&text, NULL, in);
    text_format(&expected, "\"%s\"", escapes[_i].out);
    ck_assert_msg(!text.failed && strcmp(text.data, expected.data) == 0, "%s: %s instead of %s",
                  escapes[_i].what, text.data, expected.data);
    text_release(&text);
    text_release(&expected);

    /* A name goes the same way. */
    text_json_open(&text, NULL, '{');
    text_json_unsigned(&text, in, 1);
    text_json_close(&text, '}');
    text_format(&expected, "{\"%s\":1}", escapes[_i].out);
    ck_assert_str_eq(text.data, expected.data);
    text_release(&text);
    text_release(&expected);
    free(in);
}
END_TEST

/* ---- random bytes against a decoder that was written another way --------------------- */

/* What the escaped string must read as: decoded by arithmetic (RFC 3629, section 3). */
static void reference(const unsigned char *in, char *out)
{
    while (*in != 0) {
        unsigned length = *in < 0x80             ? 1
                          : (*in & 0xE0) == 0xC0 ? 2
                          : (*in & 0xF0) == 0xE0 ? 3
                          : (*in & 0xF8) == 0xF0 ? 4
                                                 : 0;
        uint32_t code = length == 1 ? *in : *in & (0xFFu >> (length + 1));
        bool valid = length > 0;
        for (unsigned i = 1; valid && i < length; i++) {
            valid = (in[i] & 0xC0) == 0x80; /* NUL is none, so nothing behind it is looked at */
            code = code << 6 | (in[i] & 0x3Fu);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (!valid || code < least[length] || code > 0x10FFFF ||
            (code >= 0xD800 && code <= 0xDFFF)) {
            memcpy(out, BAD, 3);
            out += 3;
            in++;
            continue;
        }
        memcpy(out, in, length);
        out += length;
        in += length;
    }
    *out = '\0';
}

/* Told by bytes, not by code points as the escaper does it. */
static bool has_control(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char *at = (const unsigned char *)data + i;
        bool marks = at[0] == 0xE2 && at[1] == 0x80 &&
                     (at[2] == 0x8E || at[2] == 0x8F || (at[2] >= 0xA8 && at[2] <= 0xAE));
        bool isolates = at[0] == 0xE2 && at[1] == 0x81 && at[2] >= 0xA6 && at[2] <= 0xA9;
        if (at[0] < 0x20 || at[0] == 0x7F || (at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0) ||
            (at[0] == 0xD8 && at[1] == 0x9C) || marks || isolates) {
            return true;
        }
    }
    return false;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Bytes near each other's forms, so that half of all sequences are nearly right. */
static unsigned char random_byte(uint64_t *state)
{
    static const unsigned char likely[] = {0x80, 0x81, 0x8E, 0x9C, 0xA8, 0xAA, 0xAE, 0xD8, 0xE2,
                                           0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                           0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, '"',  '\\', '\n',
                                           0x1B, 0x7F, 'a',  ' ',  0x85, 0x9B};
    uint64_t random = next_random(state);
    unsigned char byte =
        random & 1 ? likely[(random >> 8) % sizeof(likely)] : (unsigned char)(random >> 16);
    return byte == 0 ? 'z' : byte;
}

static void check_escaped(const unsigned char *in)
{
    static char expected[3 * 64 + 1];
    char *copy = exact_copy((const char *)in);
    struct text text = TEXT_EMPTY;

    text_json_string(&text, NULL, copy);
    ck_assert(!text.failed);
    ck_assert(!has_control(text.data, text.length));
    json_t *value = json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    ck_assert_msg(json_is_string(value), "not JSON: %s", text.data);
    reference(in, expected);
    ck_assert_str_eq(json_string_value(value), expected);
    json_decref(value);
    text_release(&text);
    free(copy);
}

/* Values are looked through sixteen bytes at a time: no byte may hide behind its neighbours. */
START_TEST(every_byte_is_seen_at_every_place)
{
    for (size_t length = 1; length <= 34; length++) {
        for (size_t at = 0; at < length; at++) {
            for (unsigned byte = 1; byte <= 255; byte++) {
                unsigned char in[36] = "";
                memset(in, byte % 2 == 0 ? ' ' : '~', length);
                in[at] = (unsigned char)byte;
                check_escaped(in);
            }
        }
    }
}
END_TEST

START_TEST(random_bytes_come_out_as_valid_json)
{
    uint64_t state = 0x6D696775617264u;
    unsigned rounds = getenv("QUICK") != NULL ? 5000 : 200000;
    unsigned char in[64];

    for (unsigned round = 0; round < rounds; round++) {
        size_t length = next_random(&state) % (sizeof(in) - 1);
        for (size_t i = 0; i < length; i++) {
            in[i] = random_byte(&state);
        }
        in[length] = 0;
        check_escaped(in);
    }
}
END_TEST

START_TEST(every_one_and_two_bytes)
{
    for (unsigned first = 1; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            check_escaped((const unsigned char[]){(unsigned char)first, (unsigned char)second, 0});
        }
    }
}
END_TEST

/* Every character of three bytes, where the controls of writing direction are. */
START_TEST(every_three_byte_character)
{
    for (unsigned code = 0x800; code < 0x10000; code += getenv("QUICK") != NULL ? 7 : 1) {
        check_escaped((const unsigned char[]){(unsigned char)(0xE0 | code >> 12),
                                              (unsigned char)(0x80 | (code >> 6 & 0x3F)),
                                              (unsigned char)(0x80 | (code & 0x3F)), 0});
    }
}
END_TEST

START_TEST(numbers)
{
    static const uint64_t rows[] = {0, 1, 9, 10, 99, 100, 12345678901, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text text = TEXT_EMPTY;
        char expected[32];
        text_append_unsigned(&text, rows[i]);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)rows[i]);
        ck_assert_str_eq(text.data, expected);
        text.failed = true;
        text_clear(&text);
        ck_assert(!text.failed);
        ck_assert_uint_eq(text.length, 0);
        text_append(&text, "a");
        ck_assert_str_eq(text.data, "a");
        text_release(&text);
    }
}
END_TEST

/* What failed or is empty has no bytes, and is added to others all the same. */
START_TEST(nothing_is_added_from_nowhere)
{
    struct text text = TEXT_EMPTY;

    text_append_bytes(&text, NULL, 0);
    ck_assert(!text.failed);
    ck_assert_str_eq(text.data, "");
    text_append(&text, "a");
    text_append_bytes(&text, NULL, 0);
    ck_assert_str_eq(text.data, "a");
    text_release(&text);
}
END_TEST

/* ---- shape --------------------------------------------------------------------------- */

START_TEST(nesting_and_commas)
{
    struct text text = TEXT_EMPTY;
    json_error_t error;

    text_json_open(&text, NULL, '{');
    text_json_open(&text, "empty", '{');
    text_json_close(&text, '}');
    text_json_open(&text, "none", '[');
    text_json_close(&text, ']');
    text_json_unsigned(&text, "largest", UINT64_MAX);
    text_json_unsigned(&text, "zero", 0);
    text_json_boolean(&text, "yes", true);
    text_json_boolean(&text, "no", false);
    text_json_string(&text, "null", NULL);
    text_json_raw(&text, "raw", "[1,2]");
    text_json_open(&text, "list", '[');
    text_json_string(&text, NULL, "one");
    text_json_open(&text, NULL, '{');
    text_json_string(&text, "a", "b");
    text_json_open(&text, "deep", '[');
    text_json_open(&text, NULL, '[');
    text_json_close(&text, ']');
    text_json_open(&text, NULL, '[');
    text_json_close(&text, ']');
    text_json_close(&text, ']');
    text_json_close(&text, '}');
    text_json_string(&text, NULL, "last");
    text_json_close(&text, ']');
    text_json_close(&text, '}');

    ck_assert_str_eq(text.data, "{\"empty\":{},\"none\":[],\"largest\":18446744073709551615,"
                                "\"zero\":0,\"yes\":true,\"no\":false,\"null\":null,\"raw\":[1,2],"
                                "\"list\":[\"one\",{\"a\":\"b\",\"deep\":[[],[]]},\"last\"]}");
    ck_assert_uint_eq(text.length, strlen(text.data));
    char *small = strdup(text.data); /* jansson knows no number above 2^63 */
    ck_assert_ptr_nonnull(small);
    memcpy(strstr(small, "18446744073709551615"), "1                   ", 20);
    json_t *value = json_loads(small, 0, &error);
    ck_assert_msg(value != NULL, "%s", error.text);
    ck_assert_uint_eq(json_array_size(json_object_get(value, "list")), 3);
    json_decref(value);
    free(small);
    text_release(&text);
}
END_TEST

START_TEST(formats_of_every_length)
{
    for (int length = 0; length < 3000; length += length < 300 ? 1 : 271) {
        struct text text = TEXT_EMPTY;
        text_append(&text, "<");
        text_format(&text, "%*s", length, "");
        text_append_bytes(&text, ">", 1);
        ck_assert(!text.failed);
        ck_assert_uint_eq(text.length, (size_t)length + 2);
        ck_assert_uint_eq(strlen(text.data), text.length);
        ck_assert_uint_eq(strspn(text.data + 1, " "), (size_t)length);
        ck_assert_int_eq(text.data[length + 1], '>');
        text_release(&text);
        ck_assert_ptr_null(text.data);
        ck_assert_uint_eq(text.length, 0);
    }
}
END_TEST

START_TEST(copies_out_as_snprintf_does)
{
    struct text text = TEXT_EMPTY;
    char buffer[8];

    memset(buffer, '#', sizeof(buffer));
    ck_assert_uint_eq(text_copy_out(&text, buffer, sizeof(buffer)), 0);
    ck_assert_str_eq(buffer, "");
    text_append(&text, "abcd");
    static const struct {
        size_t size;
        const char *content; /* with a # for what must be left alone */
    } rows[] = {{0, "#"}, {1, "\0#"}, {2, "a\0#"}, {4, "abc\0#"}, {5, "abcd\0#"}, {8, "abcd\0"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(buffer, '#', sizeof(buffer));
        ck_assert_uint_eq(text_copy_out(&text, rows[i].size > 0 ? buffer : NULL, rows[i].size), 4);
        ck_assert_int_eq(memcmp(buffer, rows[i].content, rows[i].size < 5 ? rows[i].size + 1 : 5),
                         0);
    }
    text_release(&text);
}
END_TEST

START_TEST(copies_of_text)
{
    ck_assert_ptr_null(base_copy_text(NULL));
    char *copy = base_copy_text("abc");
    ck_assert_str_eq(copy, "abc");
    base_free(copy);
    copy = base_copy_text("");
    ck_assert_str_eq(copy, "");
    base_free(copy);
}
END_TEST

/* A field that a record does not have is no address and no bytes. */
START_TEST(nothing_is_shown_as_nothing)
{
    struct text text = TEXT_EMPTY;

    text_json_shown(&text, NULL, 0);
    ck_assert_uint_eq(text.length, 0);
    text_release(&text);
}
END_TEST

/* One that is not printable, at each place of a text: those before and behind are copied as they
 * are. */
START_TEST(shown_at_each_place)
{
    static const struct {
        const char *bytes, *shown;
    } rows[] = {{"\x01", "\\u0001"},        {"\x1f", "\\u001f"}, {"\x7f", "\\u007f"},
                {"\xc3\xa4", "\xc3\xa4"},   {" ", " "},          {"~", "~"},
                {"\xe2\x80\xae", "\\u202e"}};
    char json[80], expected[80];

    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (int before = 0; before < 20; before++) {
            for (int behind = 0; behind < 20; behind++) {
                struct text text = TEXT_EMPTY;
                int length =
                    snprintf(json, sizeof(json), "\"%.*s%s%.*s\"", before, " ~!z ~!z ~!z ~!z ~!z",
                             rows[row].bytes, behind, "~ a{~ a{~ a{~ a{~ a{");
                snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", before,
                         " ~!z ~!z ~!z ~!z ~!z", rows[row].shown, behind, "~ a{~ a{~ a{~ a{~ a{");
                text_json_shown(&text, json, (size_t)length);
                ck_assert_str_eq(text.data, expected);
                text_release(&text);
            }
        }
    }
}
END_TEST

/* Each byte at each place, in texts that are looked at in steps of 64, of 16, and less. */
START_TEST(printable_at_each_place)
{
    char bytes[150];

    ck_assert(text_is_printable(NULL, 0));
    for (size_t length = 1; length <= sizeof(bytes); length += length < 20 ? 1 : 13) {
        memset(bytes, '~', sizeof(bytes));
        for (size_t at = 0; at < length; at++) {
            for (int byte = 0; byte < 256; byte++) {
                bytes[at] = (char)byte;
                if (text_is_printable(bytes, length) != (byte >= ' ' && byte <= '~')) {
                    ck_abort_msg("byte %d at %zu of %zu", byte, at, length);
                }
            }
            bytes[at] = ' ';
        }
    }
}
END_TEST

START_TEST(whole_members)
{
    struct text text = TEXT_EMPTY;

    text_json_open(&text, NULL, '{');
    text_json_member(&text, "\"a\":", 4, "1", 1);
    text_json_member(&text, "\"b\":", 4, "[2,3]", 5);
    text_json_unsigned(&text, "c", 4);
    text_json_close(&text, '}');
    ck_assert_str_eq(text.data, "{\"a\":1,\"b\":[2,3],\"c\":4}");
    text_release(&text);
}
END_TEST

/* A name that needs an escape leaves nothing of the attempt without. */
START_TEST(names_of_both_kinds)
{
    struct text text = TEXT_EMPTY;

    text_json_open(&text, NULL, '{');
    text_json_unsigned(&text, "plain", 1);
    text_json_unsigned(&text, "a \"name\"\n", 2);
    text_json_unsigned(&text, "", 3);
    text_json_unsigned(&text, "\xc3\xa4", 4);
    text_json_unsigned(&text, "plain", 5);
    text_json_close(&text, '}');
    ck_assert_str_eq(text.data, "{\"plain\":1,\"a \\\"name\\\"\\u000a\":2,\"\":3,\"\xc3\xa4\":4,"
                                "\"plain\":5}");
    text_release(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *json = tcase_create("json");
    tcase_set_timeout(json, 120);
    tcase_add_loop_test(json, escaper, 0, sizeof(escapes) / sizeof(escapes[0]));
    tcase_add_test(json, printable_at_each_place);
    tcase_add_test(json, whole_members);
    tcase_add_test(json, shown_at_each_place);
    tcase_add_test(json, names_of_both_kinds);
    tcase_add_test(json, every_byte_is_seen_at_every_place);
    tcase_add_test(json, random_bytes_come_out_as_valid_json);
    tcase_add_test(json, every_one_and_two_bytes);
    tcase_add_test(json, every_three_byte_character);
    tcase_add_test(json, nesting_and_commas);
    suite_add_tcase(suite, json);
    TCase *growing = tcase_create("growing");
    tcase_add_test(growing, formats_of_every_length);
    tcase_add_test(growing, numbers);
    tcase_add_test(growing, nothing_is_added_from_nowhere);
    tcase_add_test(growing, copies_out_as_snprintf_does);
    tcase_add_test(growing, copies_of_text);
    tcase_add_test(growing, nothing_is_shown_as_nothing);
    suite_add_tcase(suite, growing);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
