/* SPDX-License-Identifier: MIT */
/* The small helpers that every folder shares: UTF-8, dates, hexadecimal, the clock, near words. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/process.h"
#include "base/real.h"
#include "base/stderr_line.h"
#include "base/utf8.h"
#include "base/words.h"
#include "base/write.h"
#include "miguard/status.h"

static size_t encode(uint32_t code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; --i > 0; code >>= 6) {
        bytes[i] = (char)(0x80 | (code & 0x3F));
    }
    bytes[0] = (char)(0xF00 >> length | code);
    return length;
}

START_TEST(each_code_point_is_read_back)
{
    for (uint32_t code = 0; code <= 0x110000; code++) {
        char bytes[4];
        uint32_t found = UINT32_MAX;
        size_t length = encode(code, bytes);
        bool valid = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);

        bool good = utf8_next(bytes, length, &found) == (valid ? length : 0) &&
                    found == (valid ? code : UINT32_MAX) &&
                    utf8_next(bytes, length - 1, &found) == 0; /* never behind the end */
        if (!good) {
            ck_abort_msg("U+%04X", code);
        }
    }
}
END_TEST

START_TEST(what_is_not_utf8_is_no_character)
{
    static const char *const invalid[] = {
        "\x80", "\xBF",     "\xC0\x80",     "\xC1\xBF",     "\xE0\x9F\xBF",     "\xF0\x8F\xBF\xBF",
        "\xC3", "\xE2\x82", "\xE2\x82\x41", "\xF0\x9F\x98", "\xF8\x88\x80\x80", "\xFE",
        "\xFF"};
    uint32_t code = 7;

    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        ck_assert_uint_eq(utf8_next(invalid[i], UTF8_MAX, &code), 0);
    }
    ck_assert_uint_eq(code, 7);
    ck_assert_uint_eq(utf8_count("a\xC3\xA4\xFF", 4), 3);
    ck_assert_uint_eq(utf8_count("", 0), 0);
}
END_TEST

/* timegm(3) knows the same calendar. */
START_TEST(dates_are_those_of_the_c_library)
{
    for (int64_t days = 0; days < 2932897; days += days < 60000 ? 1 : 97) {
        struct civil_date date = civil_date((uint64_t)days);
        struct tm day = {.tm_year = (int)date.year - 1900,
                         .tm_mon = (int)date.month - 1,
                         .tm_mday = (int)date.day};

        ck_assert_int_eq(timegm(&day), days * 86400);
        ck_assert_int_eq(civil_days(date.year, date.month, date.day), days);
        ck_assert_uint_le(date.day, civil_days_in_month(date.year, date.month));
    }
    ck_assert_uint_eq(civil_date(UINT64_MAX).year, 9999);
    ck_assert_uint_eq(civil_days_in_month(1900, 2), 28);
    ck_assert_uint_eq(civil_days_in_month(2000, 2), 29);
}
END_TEST

/* Each byte at each place among the digits of 19 bytes: sixteen digits are read at once, and the
 * last ones by two. */
START_TEST(hex_is_digits_alone)
{
    enum { BYTES = 19 };
    unsigned char bytes[BYTES], found[BYTES + 1];
    char text[2 * BYTES + 1];

    for (unsigned i = 0; i < BYTES; i++) {
        bytes[i] = (unsigned char)(i * 0x3B + 0x0F);
    }
    hex_put_bytes(text, bytes, BYTES);
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        const char was = text[at];
        for (int c = 0; c <= UCHAR_MAX; c++) {
            const char *digit = c == 0 ? NULL : strchr("0123456789abcdef", c);
            text[at] = (char)c;
            found[BYTES] = 0xEE;
            ck_assert_int_eq(hex_take_bytes(text, 2 * BYTES, found, BYTES), digit != NULL);
            ck_assert_uint_eq(found[BYTES], 0xEE);
            if (digit != NULL) {
                const unsigned char value = (unsigned char)strtoul((char[]){(char)c, 0}, NULL, 16);
                const unsigned char half = at % 2 == 0 ? (unsigned char)(found[at / 2] >> 4)
                                                       : (unsigned char)(found[at / 2] & 0x0F);
                ck_assert_uint_eq(half, value);
            }
        }
        text[at] = was;
        ck_assert(hex_take_bytes(text, 2 * BYTES, found, BYTES));
        ck_assert_mem_eq(found, bytes, BYTES);
    }
}
END_TEST

START_TEST(hex_is_lower_case_and_whole)
{
    static const unsigned char bytes[] = {0x00, 0x1F, 0xA5, 0xFF};
    unsigned char found[4];
    char text[16];

    ck_assert_ptr_eq(hex_put_bytes(text, bytes, 4), text + 8);
    ck_assert_mem_eq(text, "001fa5ff", 8);
    ck_assert(hex_take_bytes(text, 8, found, 4));
    ck_assert_mem_eq(found, bytes, 4);
    ck_assert(!hex_take_bytes(text, 7, found, 4));
    ck_assert(!hex_take_bytes("001FA5FF", 8, found, 4));
    ck_assert(!hex_take_bytes("001fa5fg", 8, found, 4));
    ck_assert(!hex_take_bytes("001f\0005ff", 8, found, 4));
    ck_assert_ptr_eq(hex_put_number(text, 0xABC, 4), text + 4);
    ck_assert_mem_eq(text, "0abc", 4);
    ck_assert_int_eq(hex_digit('F'), 15);
    ck_assert_int_eq(hex_digit('G'), -1);
    ck_assert_int_eq(hex_digit('\0'), -1);
}
END_TEST

START_TEST(hex_of_every_length_is_that_of_printf)
{
    const uint64_t values[] = {0, 1, 0x9AF0, 0x0123456789ABCDEF, 0xFEDCBA9876543210, UINT64_MAX};
    const unsigned char bytes[] = {0x9A, 0xF0, 0x0F, 0xA9, 0x01, 0x90, 0xAA, 0xFF, 0x00};
    char text[32], expected[32] = "";

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)values[i]);
        for (unsigned digits = 0; digits <= HEX_NUMBER; digits++) {
            memset(text, '#', sizeof(text));
            ck_assert_ptr_eq(hex_put_number(text, values[i], digits), text + digits);
            ck_assert_mem_eq(text, expected + HEX_NUMBER - digits, digits);
            ck_assert_int_eq(text[digits], '#');
        }
    }
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        memset(text, '#', sizeof(text));
        ck_assert_ptr_eq(hex_put_bytes(text, bytes, count), text + 2 * count);
        ck_assert_int_eq(text[2 * count], '#');
        for (size_t i = 0; i < count; i++) {
            snprintf(expected, sizeof(expected), "%02x", bytes[i]);
            ck_assert_mem_eq(text + 2 * i, expected, 2);
        }
    }
}
END_TEST

static void same_real(double value)
{
    char expected[64], text[REAL_TEXT_SIZE];

    snprintf(expected, sizeof(expected), "%.17g", value);
    size_t length = real_text(value, text);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(length, strlen(expected));
}

/* Doubles of every kind, as bits: each is written as printf(3) does it here, in the C locale. */
START_TEST(a_real_is_that_of_the_c_library)
{
    static const double some[] = {0.0,
                                  -0.0,
                                  1.0,
                                  -1.5,
                                  0.1,
                                  1e16,
                                  1e17,
                                  1e-4,
                                  1e-5,
                                  123456.0,
                                  99999999999999999.0,
                                  1e22,
                                  5e-324,
                                  DBL_MIN,
                                  DBL_MAX,
                                  -DBL_MAX,
                                  DBL_EPSILON,
                                  1.0 / 3,
                                  2.5e-320,
                                  9007199254740993.0,
                                  0.5,
                                  9.9999999999999995e-5,
                                  1e100,
                                  (double)INFINITY,
                                  -(double)INFINITY,
                                  (double)NAN,
                                  -(double)NAN};
    unsigned count = getenv("QUICK") != NULL ? 3000 : 30000;
    uint64_t random = 88172645463325252u;

    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        same_real(some[i]);
    }
    for (double power = 5e-324; power < DBL_MAX / 4; power *= 2) {
        same_real(power);
        same_real(power * 3);
        same_real(power * 9007199254740991.0 / 4503599627370496.0);
    }
    for (uint64_t i = 0; i < 2000; i++) { /* ties, which go to the even digit */
        same_real(1e17 + (double)(i * 16));
        same_real((double)(((uint64_t)1 << 52) + i) / 8);
    }
    for (unsigned i = 0; i < count; i++) {
        double value = 0;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(&value, &random, sizeof(value));
        same_real(value);
        same_real((double)(int64_t)random / 1024);
        same_real((double)(random >> 40) / 1000);
    }
}
END_TEST

START_TEST(a_deadline_is_ahead)
{
    int64_t before = clock_now_ns();
    struct timespec until = clock_after_ms(2999);
    int64_t end = until.tv_sec * INT64_C(1000000000) + until.tv_nsec;

    ck_assert_int_ge(end - before, INT64_C(2999000000));
    ck_assert_int_lt(end - clock_now_ns(), INT64_C(2999000001));
    ck_assert_int_lt(until.tv_nsec, 1000000000);
    ck_assert_int_le(before / 1000000, clock_now_ms());
}
END_TEST

/* A tick is 10 ms at most (HZ of the kernel is 100 at least). */
START_TEST(a_tick_is_just_behind)
{
    for (int i = 0; i < 1000; i++) {
        const int64_t before = clock_now_ms(), tick = clock_tick_ms();
        ck_assert_int_le(tick, clock_now_ms());
        ck_assert_int_ge(tick, before - 250);
    }
}
END_TEST

static const struct {
    const char *word;
    unsigned limit;
    bool fold;
    const char *nearest;
} words[] = {
    {"provider", 2, true, "provider"},
    {"porvider", 1, true, "provider"}, /* neighbours swapped */
    {"prvider", 1, true, "provider"},
    {"provideer", 1, true, "provider"},
    {"provyder", 1, true, "provider"},
    {"prvidr", 1, true, NULL},
    {"prvidr", 2, true, "provider"},
    {"AS_USER", 1, true, "as-user"},
    {"AS_USER", 2, false, NULL},
    {"usr", 1, true, "user"},
    {"x", 1, true, NULL}, /* every letter would be another */
    {"", 2, true, NULL},
    {"a-word-that-is-longer-than-any-of-ours-is", 2, true, NULL},
};

START_TEST(the_nearest_word)
{
    static const char *const list[] = {"user", "as-user", "provider", "group", NULL};

    ck_assert_pstr_eq(words_nearest(words[_i].word, list, words[_i].limit, words[_i].fold),
                      words[_i].nearest);
}
END_TEST

/* The kernel's mask, also glibc's own two signals, which sigprocmask(3) does not show or keep. */
static uint64_t kernel_mask(const uint64_t *set)
{
    uint64_t before = 0;

    ck_assert_int_eq(syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, &before, sizeof(before)), 0);
    return before;
}

/* ---- errors as sentences -------------------------------------------------------------------- */

static const struct {
    struct miguard_error error;
    const char *text;
} errors[] = {
    {{MIGUARD_OK, 0, "", ""}, "success (OK)"},
    {{MIGUARD_NOT_PERMITTED, EPERM, "setresuid", ""},
     "the kernel refused the change (NOT_PERMITTED): setresuid: Operation not permitted"},
    {{MIGUARD_SYSTEM, EACCES, "open", "the log: no"},
     "a system call failed (SYSTEM): open: the log: no"},
    {{MIGUARD_NO_MEMORY, 0, "", ""}, "out of memory (NO_MEMORY)"},
    {{MIGUARD_SYSTEM, 99999, "read", ""}, "a system call failed (SYSTEM): read"},
    {{(enum miguard_status)77, 0, "x", ""}, "unknown status (UNKNOWN): x"},
};

START_TEST(an_error_is_a_sentence)
{
    char text[MIGUARD_ERROR_TEXT_SIZE], small[8] = "kept", whole[MIGUARD_ERROR_TEXT_SIZE];
    struct miguard_error longest = {MIGUARD_UNPROVABLE, 0, "", ""};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        size_t length = miguard_error_text(&errors[i].error, text, sizeof(text));
        ck_assert_str_eq(text, errors[i].text);
        ck_assert_uint_eq(length, strlen(text));
    }
    ck_assert_uint_eq(miguard_error_text(NULL, text, sizeof(text)), strlen("success (OK)"));
    ck_assert_uint_eq(miguard_error_text(&errors[0].error, NULL, 0), strlen("success (OK)"));
    ck_assert_uint_eq(miguard_error_text(&errors[0].error, small, 0), strlen("success (OK)"));
    ck_assert_str_eq(small, "kept");

    /* Of any size it is the beginning of the whole, without half of a character. */
    memset(longest.step, 'S', sizeof(longest.step) - 1);
    for (size_t i = 0; i + 3 < sizeof(longest.detail); i += 3) {
        memcpy(longest.detail + i, "\xE2\x82\xAC", 3);
    }
    size_t length = miguard_error_text(&longest, whole, sizeof(whole));
    ck_assert_uint_eq(length, strlen(whole));
    ck_assert_ptr_nonnull(strstr(whole, longest.detail));
    for (size_t size = 1; size <= length; size++) {
        memset(text, 'x', sizeof(text));
        ck_assert_uint_eq(miguard_error_text(&longest, text, size), length);
        size_t cut = strlen(text);
        ck_assert(cut < size && cut + 3 >= size && memcmp(text, whole, cut) == 0);
        ck_assert(((unsigned char)whole[cut] & 0xC0) != 0x80);
        ck_assert(text[size] == 'x');
    }
}
END_TEST

START_TEST(what_is_blocked_stays_blocked)
{
    const uint64_t wanted = ~(uint64_t)0;
    const uint64_t before = kernel_mask(&wanted);
    const uint64_t all = kernel_mask(NULL); /* the kernel, and an emulator, leave some out */
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t muted;

    ck_assert_int_eq(write_quietly(fd, "x", 1), 1);
    uint64_t behind_write = kernel_mask(NULL);
    ck_assert(process_mute(&muted));
    process_unmute(&muted);
    uint64_t behind_mute = kernel_mask(NULL);
    (void)kernel_mask(&before);
    (void)close(fd);
    ck_assert_uint_eq(behind_write, all);
    ck_assert_uint_eq(behind_mute, all);
}
END_TEST

/* ---- a line on standard error ---------------------------------------------------------------
 */

enum stderr_kind { TERMINAL, PIPE, FULL_PIPE, LOG, DATA, SOCKET, DEVICE, CLOSED };

/* What descriptor 2 is, and whether a line may go there. */
static const struct {
    enum stderr_kind kind;
    bool written;
} stderr_rows[] = {
    {TERMINAL, true}, {PIPE, true},    {FULL_PIPE, false}, {LOG, true},
    {DATA, false},    {SOCKET, false}, {DEVICE, false},    {CLOSED, false},
};

static char stderr_file[] = "/tmp/miguard-base-test-XXXXXX";

/* *ret_in is where a line arrives. */
static int open_stderr(enum stderr_kind kind, int *ret_in)
{
    int ends[2] = {-1, -1};

    switch (kind) {
    case TERMINAL:
        *ret_in = posix_openpt(O_RDWR | O_NOCTTY);
        ck_assert(grantpt(*ret_in) == 0 && unlockpt(*ret_in) == 0);
        return open(ptsname(*ret_in), O_RDWR | O_NOCTTY);
    case PIPE:
    case FULL_PIPE:
        ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
        while (kind == FULL_PIPE && write(ends[1], "x", 1) == 1) {
        }
        *ret_in = kind == PIPE ? ends[0] : open("/dev/null", O_RDONLY);
        ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0); /* a write would wait */
        return ends[1];
    case LOG:
    case DATA:
        *ret_in = mkstemp(stderr_file);
        ends[1] = open(stderr_file, kind == LOG ? O_WRONLY : O_RDWR);
        unlink(stderr_file);
        return ends[1];
    case SOCKET:
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        *ret_in = ends[0];
        return ends[1];
    case DEVICE:
        *ret_in = open("/dev/null", O_RDONLY);
        return open("/dev/full", O_WRONLY);
    case CLOSED:
        break;
    }
    *ret_in = open("/dev/null", O_RDONLY);
    return -1;
}

START_TEST(a_line_goes_to_standard_error_only)
{
    char text[256] = "";
    int in = -1, kept = dup(STDERR_FILENO);
    int out = open_stderr(stderr_rows[_i].kind, &in);

    close(STDERR_FILENO);
    if (out >= 0) {
        ck_assert_int_eq(dup2(out, STDERR_FILENO), STDERR_FILENO);
    }
    alarm(60);
    errno = ENOTTY;
    stderr_line("%s %d", "a\033[31m\nline\xFF", 7);
    int error = errno;
    alarm(0);
    dup2(kept, STDERR_FILENO);
    ck_assert_int_eq(error, ENOTTY);
    ssize_t length =
        stderr_rows[_i].written || stderr_rows[_i].kind == SOCKET || stderr_rows[_i].kind == DATA
            ? read(in, text, sizeof(text) - 1)
            : 0;
    ck_assert_int_eq(length > 0, stderr_rows[_i].written);
    ck_assert_str_eq(text, !stderr_rows[_i].written           ? ""
                           : stderr_rows[_i].kind == TERMINAL ? "miguard: a [31m line  7\r\n"
                                                              : "miguard: a [31m line  7\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *all = tcase_create("base");
    tcase_set_timeout(all, 60);

    tcase_add_test(all, each_code_point_is_read_back);
    tcase_add_test(all, what_is_not_utf8_is_no_character);
    tcase_add_test(all, dates_are_those_of_the_c_library);
    tcase_add_test(all, hex_is_lower_case_and_whole);
    tcase_add_test(all, hex_is_digits_alone);
    tcase_add_test(all, hex_of_every_length_is_that_of_printf);
    tcase_add_test(all, a_real_is_that_of_the_c_library);
    tcase_add_test(all, a_deadline_is_ahead);
    tcase_add_test(all, a_tick_is_just_behind);
    tcase_add_test(all, an_error_is_a_sentence);
    tcase_add_test(all, what_is_blocked_stays_blocked);
    tcase_add_loop_test(all, the_nearest_word, 0, sizeof(words) / sizeof(words[0]));
    tcase_add_loop_test(all, a_line_goes_to_standard_error_only, 0,
                        sizeof(stderr_rows) / sizeof(stderr_rows[0]));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
