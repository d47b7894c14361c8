/* SPDX-License-Identifier: MIT */
/* The words of a line of `miguard run --shell`, as a table and with random bytes. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/cli/shell_words.c"

/* expected: the words with | behind each. */
static const struct {
    const char *line, *expected;
    enum shell_split split;
    size_t place;
    bool open, last_bare;
} rows[] = {
    {"", "", SHELL_SPLIT_GOOD, 0, false, false},
    {"  \t ", "", SHELL_SPLIT_GOOD, 0, false, false},
    {"a", "a|", SHELL_SPLIT_GOOD, 0, true, true},
    {" get  C\tK=1 ", "get|C|K=1|", SHELL_SPLIT_GOOD, 0, false, true},
    {"a\r\n", "a|", SHELL_SPLIT_GOOD, 0, false, true},
    {"'a b'", "a b|", SHELL_SPLIT_GOOD, 0, true, false},
    {"K='a b'c", "K=a bc|", SHELL_SPLIT_GOOD, 2, true, false},
    {"\"a 'b' \\\"c\\\" \\\\ \\n\"", "a 'b' \"c\" \\ \\n|", SHELL_SPLIT_GOOD, 0, true, false},
    {"'\\' x", "\\|x|", SHELL_SPLIT_GOOD, 0, true, true},
    {"a\\ b \\#c", "a b|#c|", SHELL_SPLIT_GOOD, 0, true, false},
    {"'' \"\"", "||", SHELL_SPLIT_GOOD, 3, true, false},
    {"# a", "", SHELL_SPLIT_GOOD, 0, false, false},
    {"a #b 'c", "a|", SHELL_SPLIT_GOOD, 0, false, true},
    {"a#b", "a#b|", SHELL_SPLIT_GOOD, 0, true, true},
    {"a 'b c", "a|b c|", SHELL_SPLIT_QUOTE, 2, true, false},
    {"a \"b\\\"", "a|b\"|", SHELL_SPLIT_QUOTE, 2, true, false},
    {"\"", "|", SHELL_SPLIT_QUOTE, 0, true, false},
    {"a\\", "a|", SHELL_SPLIT_BACKSLASH, 0, true, false},
    {"\xC3\xA4 \xFF", "\xC3\xA4|\xFF|", SHELL_SPLIT_GOOD, 0, true, true},
};

START_TEST(row)
{
    struct shell_words words;
    char found[256] = "";
    size_t place = 99;

    enum shell_split split =
        shell_words_split(rows[_i].line, strlen(rows[_i].line), &words, &place);
    for (size_t i = 0; i < words.count; i++) {
        strcat(strcat(found, words.list[i]), "|");
    }
    ck_assert_str_eq(found, rows[_i].expected);
    ck_assert_int_eq(split, rows[_i].split);
    ck_assert_uint_eq(place, rows[_i].place);
    ck_assert_int_eq(words.open, rows[_i].open);
    ck_assert_int_eq(words.last_bare, rows[_i].last_bare);
    ck_assert_ptr_null(words.list[words.count]);
    shell_words_release(&words);
    ck_assert_ptr_null(words.list);
    shell_words_release(&words);
}
END_TEST

/* Each word in '...', with ' itself as \', is read back as it was. */
START_TEST(random_words_come_back)
{
    static const char letters[] = "ab '\"\\#=\t|\xC3\xA4";
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        char line[512] = "", plain[8][16] = {{0}};
        size_t count = seed % 8, length = 0, place;
        struct shell_words words;

        for (size_t i = 0; i < count; i++) {
            line[length++] = '\'';
            for (size_t k = 0; k < (seed >> 8) % 12; k++) {
                seed = seed * 1664525 + 1013904223;
                char c = letters[(seed >> 16) % (sizeof(letters) - 1)];
                plain[i][k] = c;
                length += (size_t)sprintf(line + length, c == '\'' ? "'\\''" : "%c", c);
            }
            length += (size_t)sprintf(line + length, "' ");
        }
        ck_assert_int_eq(shell_words_split(line, length, &words, &place), SHELL_SPLIT_GOOD);
        ck_assert_uint_eq(words.count, count);
        for (size_t i = 0; i < count; i++) {
            ck_assert_str_eq(words.list[i], plain[i]);
        }
        shell_words_release(&words);
        seed = seed * 1664525 + 1013904223;
    }
}
END_TEST

/* Any bytes, at their exact length, so that a sanitizer sees what is read or written beyond. */
START_TEST(random_bytes)
{
    uint32_t seed = 7;

    for (int round = 0; round < 20000; round++) {
        size_t length = seed % 40, place;
        char *line = malloc(length + 1);
        struct shell_words words;

        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525 + 1013904223;
            line[i] = (seed & 1) != 0 ? (char)(seed >> 24) : " '\"\\#"[(seed >> 8) % 5];
        }
        (void)shell_words_split(line, length, &words, &place);
        ck_assert_uint_le(words.count, length / 2 + 1);
        ck_assert_uint_le(place, length);
        shell_words_release(&words);
        free(line);
        seed = seed * 1664525 + 1013904223;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell words");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tests, random_words_come_back);
    tcase_add_test(tests, random_bytes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
