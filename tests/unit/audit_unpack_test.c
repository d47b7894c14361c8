/* SPDX-License-Identifier: MIT */
/*
 * What gzip(1) and zstd(1) pack, unpacked in parts of any size: whole, several one after the other,
 * cut and changed at each byte, with something behind, and such that a few bytes become very many.
 */
#include "tools/review/unpack.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/text.h"

enum { ROOM = 64 * 1024 };

/* ---- packing ---------------------------------------------------------------------------------
 */

static void pack_gzip(struct text *packed, const char *bytes, size_t length)
{
    static char out[ROOM];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)length};
    int result;

    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    do {
        stream.next_out = (unsigned char *)out;
        stream.avail_out = sizeof(out);
        result = deflate(&stream, Z_FINISH);
        text_append_bytes(packed, out, sizeof(out) - stream.avail_out);
    } while (result == Z_OK);
    ck_assert_int_eq(result, Z_STREAM_END);
    deflateEnd(&stream);
}

#ifdef HAVE_ZSTD
/* As zstd(1): with a checksum, which its library leaves out by default. */
static void pack_window(struct text *packed, const char *bytes, size_t length, int window_log)
{
    static char out[ROOM];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer from = {bytes, length, 0};
    size_t left = 1;

    ck_assert_ptr_nonnull(context);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    while (left != 0) {
        ZSTD_outBuffer to = {out, sizeof(out), 0};
        left = ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
        ck_assert(!ZSTD_isError(left));
        text_append_bytes(packed, out, to.pos);
    }
    ZSTD_freeCCtx(context);
}

static void pack_zstd(struct text *packed, const char *bytes, size_t length)
{
    pack_window(packed, bytes, length, 0);
}
#endif

static const struct {
    enum unpack_kind kind;
    void (*pack)(struct text *packed, const char *bytes, size_t length);
} kinds[] = {
    {UNPACK_GZIP, pack_gzip},
#ifdef HAVE_ZSTD
    {UNPACK_ZSTD, pack_zstd},
#endif
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- unpacking -------------------------------------------------------------------------------
 */

/* In steps of so many bytes; what comes of it goes into *out, unless that is NULL. */
static enum unpack_result unpack_all(const char *bytes, size_t length, size_t step, size_t room,
                                     struct text *out, const char **ret_fault)
{
    static char buffer[ROOM];
    struct unpack unpack;
    enum unpack_result result = UNPACK_MORE;
    size_t at = length < UNPACK_MAGIC ? length : UNPACK_MAGIC, got;

    enum unpack_kind kind = unpack_kind(bytes, length);
    ck_assert_int_ne(kind, UNPACK_PLAIN);
    ck_assert(unpack_open(&unpack, kind, bytes, at, ROOM));
    while (result == UNPACK_MORE) {
        if (unpack_is_empty(&unpack)) {
            size_t some = length - at < step ? length - at : step;
            memcpy(unpack.input, bytes + at, some);
            at += some;
            result = unpack_feed(&unpack, some, ret_fault);
        }
        if (result == UNPACK_MORE) {
            got = 0;
            result = unpack_step(&unpack, buffer, room, &got, ret_fault);
            ck_assert(result == UNPACK_MORE || got == 0);
            if (out != NULL) {
                text_append_bytes(out, buffer, got);
            }
        }
    }
    unpack_close(&unpack);
    return result;
}

/* Text that is packed to less, but not to nothing. */
static struct text make_content(size_t lines)
{
    struct text content = TEXT_EMPTY;

    for (size_t i = 0; i < lines; i++) {
        text_format(&content, "{\"event\":{\"sequence\":%zu,\"id\":\"%08zx\"}}\n", i,
                    i * 2654435761U % 4294967291U);
    }
    return content;
}

START_TEST(parts_of_any_size)
{
    static const size_t sizes[] = {1, 13, 1000, ROOM};
    struct text content = make_content(3000), packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;

    kinds[_i].pack(&packed, content.data, 50000);
    kinds[_i].pack(&packed, "", 0);
    kinds[_i].pack(&packed, content.data + 50000, content.length - 50000);
    for (size_t i = 0; i < 16; i++) {
        text_clear(&out);
        ck_assert_int_eq(
            unpack_all(packed.data, packed.length, sizes[i / 4], sizes[i % 4], &out, &fault),
            UNPACK_END);
        ck_assert_uint_eq(out.length, content.length);
        ck_assert_mem_eq(out.data, content.data, content.length);
    }
    text_release(&content);
    text_release(&packed);
    text_release(&out);
}
END_TEST

START_TEST(cut_at_each_byte)
{
    struct text content = make_content(40), packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;

    kinds[_i].pack(&packed, content.data, content.length);
    size_t first = packed.length;
    kinds[_i].pack(&packed, content.data, content.length);
    for (size_t i = UNPACK_MAGIC; i < packed.length; i++) {
        text_clear(&out);
        enum unpack_result result = unpack_all(packed.data, i, 100, ROOM, &out, &fault);
        ck_assert_int_eq(result, i == first ? UNPACK_END : UNPACK_DAMAGED);
        ck_assert(i == first || strcmp(fault, "the packed data end too early") == 0);
        ck_assert_uint_le(out.length, 2 * content.length);
        ck_assert(i <= first || memcmp(out.data, content.data, content.length) == 0);
    }
    text_release(&content);
    text_release(&packed);
    text_release(&out);
}
END_TEST

/* Never other content: damage is found, or lies where it changes nothing. */
START_TEST(each_byte_changed)
{
    struct text content = make_content(40), packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;
    size_t found = 0;

    kinds[_i].pack(&packed, content.data, content.length);
    for (size_t i = UNPACK_MAGIC; i < packed.length; i++) {
        for (int bit = 1; bit < 256; bit *= 2) {
            packed.data[i] = (char)(packed.data[i] ^ (char)bit);
            text_clear(&out);
            enum unpack_result result =
                unpack_all(packed.data, packed.length, 100, ROOM, &out, &fault);
            ck_assert(result == UNPACK_DAMAGED ||
                      (result == UNPACK_END && out.length == content.length &&
                       memcmp(out.data, content.data, out.length) == 0));
            found += result == UNPACK_DAMAGED;
            packed.data[i] = (char)(packed.data[i] ^ (char)bit);
        }
    }
    ck_assert_uint_gt(found, packed.length * 7);
    text_release(&content);
    text_release(&packed);
    text_release(&out);
}
END_TEST

START_TEST(bytes_behind)
{
    struct text packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;

    kinds[_i].pack(&packed, "{}\n", 3);
    text_append(&packed, "more than a magic number");
    ck_assert_int_eq(unpack_all(packed.data, packed.length, 1000, ROOM, &out, &fault),
                     UNPACK_DAMAGED);
    ck_assert_str_eq(fault, "bytes behind the end of the packed data");
    ck_assert_str_eq(out.data, "{}\n");
    text_release(&packed);
    text_release(&out);
}
END_TEST

/* KiB of this process. */
static long peak(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* 1 GiB out of little: it comes in parts, and no part is kept. */
START_TEST(much_of_little)
{
    enum { ONCE = 16 * 1024 * 1024, TIMES = 64 };
    char *same = malloc(ONCE);
    struct text packed = TEXT_EMPTY, all = TEXT_EMPTY;
    const char *fault = NULL;
    int times = getenv("QUICK") != NULL ? TIMES / 16 : TIMES;

    ck_assert_ptr_nonnull(same);
    memset(same, 'x', ONCE);
    kinds[_i].pack(&packed, same, ONCE);
    free(same);
    for (int i = 0; i < times; i++) {
        text_append_bytes(&all, packed.data, packed.length);
    }
    long before = peak();
    ck_assert_int_eq(unpack_all(all.data, all.length, 1000, ROOM, NULL, &fault), UNPACK_END);
    ck_assert_int_lt(peak() - before, 12 * 1024);
    text_release(&packed);
    text_release(&all);
}
END_TEST

#ifdef HAVE_ZSTD
/* A file may not ask for more memory than zstd(1) gives without being told to. */
START_TEST(a_large_window_is_refused)
{
    struct text content = make_content(100), packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;

    pack_window(&packed, content.data, content.length, 27);
    ck_assert_int_eq(unpack_all(packed.data, packed.length, 100, ROOM, &out, &fault), UNPACK_END);
    /* The window of a frame without its length: RFC 8878, 3.1.1.1.2. */
    const char huge[] = {'\x28', '\xB5', '\x2F', '\xFD', 0, '\xA8', 1, 0, 0};
    ck_assert_int_eq(unpack_all(huge, sizeof(huge), 100, ROOM, &out, &fault), UNPACK_DAMAGED);
    ck_assert_ptr_nonnull(strstr(fault, "memory"));
    text_release(&content);
    text_release(&packed);
    text_release(&out);
}
END_TEST

START_TEST(frames_that_are_passed_over)
{
    static const char user[] = "\x5A\x2A\x4D\x18\x03\x00\x00\x00...";
    struct text packed = TEXT_EMPTY, out = TEXT_EMPTY;
    const char *fault = NULL;

    text_append_bytes(&packed, user, sizeof(user) - 1);
    pack_zstd(&packed, "{}\n", 3);
    text_append_bytes(&packed, user, sizeof(user) - 1);
    for (size_t step = 1; step < 30; step++) {
        text_clear(&out);
        ck_assert_int_eq(unpack_all(packed.data, packed.length, step, ROOM, &out, &fault),
                         UNPACK_END);
        ck_assert_str_eq(out.data, "{}\n");
    }
    text_release(&packed);
    text_release(&out);
}
END_TEST
#else
START_TEST(without_zstd)
{
    const char *fault = NULL;

    ck_assert_int_eq(unpack_all("\x28\xB5\x2F\xFD....", 8, 8, ROOM, NULL, &fault), UNPACK_DAMAGED);
    ck_assert_str_eq(fault, "it is packed with zstd, for which this miguard was not built");
}
END_TEST
#endif

static const struct {
    const char *bytes;
    size_t length;
    enum unpack_kind kind;
} magics[] = {
    {"", 0, UNPACK_PLAIN},
    {"\x1F", 1, UNPACK_PLAIN},
    {"\x1F\x8B", 2, UNPACK_GZIP},
    {"\x28\xB5\x2F", 3, UNPACK_PLAIN},
    {"\x28\xB5\x2F\xFD", 4, UNPACK_ZSTD},
    {"\x50\x2A\x4D\x18", 4, UNPACK_ZSTD},
    {"\x5F\x2A\x4D\x18", 4, UNPACK_ZSTD},
    {"\x60\x2A\x4D\x18", 4, UNPACK_PLAIN},
    {"{\"@t", 4, UNPACK_PLAIN},
};

START_TEST(magic)
{
    ck_assert_int_eq(unpack_kind(magics[_i].bytes, magics[_i].length), magics[_i].kind);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unpack");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 300);
    tcase_add_loop_test(all, magic, 0, (int)(sizeof(magics) / sizeof(magics[0])));
    tcase_add_loop_test(all, parts_of_any_size, 0, KINDS);
    tcase_add_loop_test(all, cut_at_each_byte, 0, KINDS);
    tcase_add_loop_test(all, each_byte_changed, 0, KINDS);
    tcase_add_loop_test(all, bytes_behind, 0, KINDS);
    tcase_add_loop_test(all, much_of_little, 0, KINDS);
#ifdef HAVE_ZSTD
    tcase_add_test(all, a_large_window_is_refused);
    tcase_add_test(all, frames_that_are_passed_over);
#else
    tcase_add_test(all, without_zstd);
#endif
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
