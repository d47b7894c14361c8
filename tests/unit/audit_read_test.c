/* SPDX-License-Identifier: MIT */
/* Files as one stream of records: order, places, broken lines, packed files, and going on later. */
#include "tools/review/read.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "support/audit_generate.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], paths[4][128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-read-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < LENGTH(paths); i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/log%d", folder, i);
    }
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *inside(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void put(const char *path, const char *mode, const void *bytes, size_t length)
{
    FILE *file = fopen(path, mode);

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

static void put_text(const char *path, const char *text)
{
    put(path, "we", text, strlen(text));
}

/* mode "we" or "ae": behind what is there, as a packed file of its own */
static void put_packed(const char *path, const char *mode, const char *text)
{
    gzFile file = gzopen(path, mode);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    ck_assert_int_eq(gzclose(file), Z_OK);
}

static struct log_reader *open_files(const char *const *files, size_t count, enum read_order order)
{
    struct log_reader *reader = NULL;
    struct miguard_error error = {0};

    ck_assert_msg(read_open(files, count, order, &reader, &error) == MIGUARD_OK, "%s",
                  error.detail);
    return reader;
}

static struct log_reader *open_one(const char *path)
{
    return open_files(&path, 1, READ_BY_TIME);
}

/* What comes, as text: "17 " for the record of that number, "!file:line@offset what " for a broken
 * line, "?what " when a file cannot be read. */
static const char *rest_of(struct log_reader *reader)
{
    static char text[16384];
    struct record record;
    struct read_place place;
    const char *what = NULL;
    size_t at = 0;

    text[0] = '\0';
    for (;;) {
        uint64_t number = 0;
        ck_assert_uint_lt(at, sizeof(text) - 1024);
        switch (read_next(reader, &record, &place, &what)) {
        case READ_RECORD:
            ck_assert(record_number(&record, RECORD_SEQUENCE, &number));
            at += (size_t)sprintf(text + at, "%llu ", (unsigned long long)number);
            break;
        case READ_BROKEN:
            at += (size_t)sprintf(text + at, "!%s:%llu@%llu %s ", strrchr(place.file, '/') + 1,
                                  (unsigned long long)place.line, (unsigned long long)place.offset,
                                  what);
            break;
        case READ_FAILED:
            at += (size_t)sprintf(text + at, "?%s ", what);
            break;
        case READ_PASSED:
            break;
        case READ_END:
            return text;
        }
    }
}

static const char *read_all(const char *const *files, size_t count, enum read_order order)
{
    struct log_reader *reader = open_files(files, count, order);
    const char *text = rest_of(reader);

    read_close(reader);
    return text;
}

static const char *read_one(const char *path)
{
    return read_all(&path, 1, READ_BY_TIME);
}

#define R(number) "{\"event\":{\"sequence\":" #number "}}"
#define T(number, second)                                                                          \
    "{\"@timestamp\":\"2026-03-01T00:00:" #second "Z\",\"event\":{\"sequence\":" #number "}}\n"

/* ---- one file ---------------------------------------------------------------------------------
 */

static const struct {
    const char *content, *expected;
} files[] = {
    {"", ""},
    {R(1) "\n" R(2) "\n", "1 2 "},
    {R(1) "\n" R(2), "1 2 "},
    {R(1) "\n{\"event\":{\"seq",
     "1 !log0:2@25 a string is not closed, at byte 15; the line is not finished "},
    {R(1) "\r\n" R(2) "\r\n", "1 2 "},
    {R(1) "\n\n" R(2) "\n", "1 !log0:2@25 an empty line, at byte 1 2 "},
    {"\n", "!log0:1@0 an empty line, at byte 1 "},
    {"x\n" R(2) "\nyy\n" R(3) "\n", "!log0:1@0 no JSON object, at byte 1 2 "
                                    "!log0:3@27 no JSON object, at byte 1 3 "},
    {"\x1F\n" R(1) "\n", "!log0:1@0 no JSON object, at byte 1 1 "},
    {"{}x\n" R(1) "\n", "!log0:1@0 there is more after the record, at byte 3 1 "},
};

START_TEST(file_row)
{
    make_folder();
    put_text(paths[0], files[_i].content);
    ck_assert_str_eq(read_one(paths[0]), files[_i].expected);
    put_packed(paths[0], "we", files[_i].content);
    ck_assert_str_eq(read_one(paths[0]), files[_i].expected);
    remove_folder();
}
END_TEST

START_TEST(nul_bytes)
{
    static const char bytes[] = R(1) "\n\0\0\n" R(2) "\0\n" R(3) "\n";

    make_folder();
    put(paths[0], "we", bytes, sizeof(bytes) - 1);
    ck_assert_str_eq(read_one(paths[0]), "1 !log0:2@25 no JSON object, at byte 1 !log0:3@28 there "
                                         "is more after the record, at byte 25 3 ");
    remove_folder();
}
END_TEST

/* A line of that many bytes, and a record behind it. */
static void put_long(size_t length, bool newline)
{
    char *line = malloc(length);

    ck_assert_ptr_nonnull(line);
    memset(line, ' ', length);
    memcpy(line, R(1), sizeof(R(1)) - 1);
    put(paths[0], "we", R(0) "\n", sizeof(R(0)));
    put(paths[0], "ae", line, length);
    if (newline) {
        put(paths[0], "ae", "\n" R(2) "\n", sizeof(R(2)) + 1);
    }
    free(line);
}

START_TEST(long_lines)
{
    const char *refused = "!log0:2@25 a line longer than 1 MiB ";
    char expected[128];

    make_folder();
    put_long(RECORD_MAX_LINE, true);
    ck_assert_str_eq(read_one(paths[0]), "0 1 2 ");
    put_long(RECORD_MAX_LINE + 1, true);
    snprintf(expected, sizeof(expected), "0 %s2 ", refused);
    ck_assert_str_eq(read_one(paths[0]), expected);
    put_long(5 * RECORD_MAX_LINE, true);
    ck_assert_str_eq(read_one(paths[0]), expected);
    put_long(5 * RECORD_MAX_LINE, false);
    snprintf(expected, sizeof(expected), "0 %s", refused);
    ck_assert_str_eq(read_one(paths[0]), expected);
    put_long(RECORD_MAX_LINE + 1, false);
    ck_assert_str_eq(read_one(paths[0]), expected);
    remove_folder();
}
END_TEST

static size_t memory_in_use(void)
{
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
#else
    struct mallinfo info = mallinfo(); /* int: enough for what is read here */
#endif
    return (size_t)info.hblkhd + (size_t)info.uordblks;
}

/* However long a line is, the memory that it takes is not. */
START_TEST(long_line_is_not_kept)
{
    struct record record;
    struct read_place place;
    const char *what = NULL;

    make_folder();
    put_long(32 * RECORD_MAX_LINE, true);
    struct log_reader *reader = open_one(paths[0]);
    ck_assert_int_eq(read_next(reader, &record, &place, &what), READ_RECORD);
    size_t before = memory_in_use();
    ck_assert_int_eq(read_next(reader, &record, &place, &what), READ_BROKEN);
    ck_assert_ptr_null(record.line);
    ck_assert_uint_lt(memory_in_use(), before + 4 * RECORD_MAX_LINE);
    read_close(reader);
    remove_folder();
}
END_TEST

/* The place is that of the line, also far behind the first block. */
START_TEST(places)
{
    const struct generate generate = {.seed = 1, .count = 2000};
    struct record record;
    struct read_place place;
    const char *what = NULL;
    uint64_t offset = 0, line = 0, done = 0, total = 0;
    struct stat status;

    make_folder();
    ck_assert(audit_generate(paths[0], &generate));
    ck_assert_int_eq(stat(paths[0], &status), 0);
    struct log_reader *reader = open_one(paths[0]);
    while (read_next(reader, &record, &place, &what) == READ_RECORD) {
        ck_assert_str_eq(place.file, paths[0]);
        ck_assert_uint_eq(place.offset, offset);
        ck_assert_uint_eq(place.line, ++line);
        offset += record.length + 1;
    }
    ck_assert_uint_eq(line, 2000);
    ck_assert_uint_eq(offset, (uint64_t)status.st_size);
    read_progress(reader, &done, &total);
    ck_assert_uint_eq(done, (uint64_t)status.st_size);
    ck_assert_uint_eq(total, (uint64_t)status.st_size);
    read_close(reader);
    remove_folder();
}
END_TEST

/* ---- packed -----------------------------------------------------------------------------------
 */

START_TEST(packed_in_parts)
{
    make_folder();
    put_packed(paths[0], "we", R(1) "\n{\"event\":");
    put_packed(paths[0], "ae", "{\"sequence\":2}}\n" R(3) "\n");
    ck_assert_str_eq(read_one(paths[0]), "1 2 3 ");
    remove_folder();
}
END_TEST

/* Cut at each byte: the lines that are there come out, and the rest is missed. */
START_TEST(packed_and_cut)
{
    char bytes[512];

    make_folder();
    put_packed(paths[0], "we", R(1) "\n" R(2) "\n");
    FILE *file = fopen(paths[0], "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (size_t i = 2; i < length; i++) {
        put(paths[0], "we", bytes, i);
        const char *text = read_one(paths[0]);
        ck_assert_msg(strstr(text, "?it is damaged: the packed data end too early") != NULL,
                      "%zu: %s", i, text);
    }
    bytes[length - 5] ^= 1; /* the checksum */
    put(paths[0], "we", bytes, length);
    ck_assert_str_eq(read_one(paths[0]), "1 2 ?it is damaged: incorrect data check ");
    bytes[length - 5] ^= 1;
    put(paths[0], "we", bytes, length);
    put(paths[0], "ae", "garbage", 7);
    ck_assert_str_eq(read_one(paths[0]),
                     "1 2 ?it is damaged: bytes behind the end of the packed data ");
    remove_folder();
}
END_TEST

/* ---- several files ----------------------------------------------------------------------------
 */

START_TEST(merged_by_time)
{
    const char *both[] = {paths[0], paths[1]}, *turned[] = {paths[1], paths[0]};

    make_folder();
    put_text(paths[0], T(1, 01) T(2, 05) "x\n" T(3, 04) T(4, 09));
    put_packed(paths[1], "we", T(11, 01) T(12, 03) R(13) "\n" T(14, 06) T(15, 10));
    const char *broken = "!log0:3@122 no JSON object, at byte 1 ";
    char expected[256];
    snprintf(expected, sizeof(expected), "1 11 12 13 2 %s3 14 4 15 ", broken);
    ck_assert_str_eq(read_all(both, 2, READ_BY_TIME), expected);
    snprintf(expected, sizeof(expected), "11 1 12 13 2 %s3 14 4 15 ", broken);
    ck_assert_str_eq(read_all(turned, 2, READ_BY_TIME), expected);
    snprintf(expected, sizeof(expected), "11 12 13 14 15 1 2 %s3 4 ", broken);
    ck_assert_str_eq(read_all(turned, 2, READ_BY_FILE), expected);
    remove_folder();
}
END_TEST

/* A record of a chain; more: its other members. */
#define CHAINED(chain, number, second, more)                                                       \
    "{\"@timestamp\":\"2026-03-01T00:00:" #second                                                  \
    "Z\",\"miguard\":{\"chain\":{\"id\":\"0000000000000" chain "\"" more                           \
    "}},\"event\":{\"sequence\":" #number "}}\n"
#define C(number, second)     CHAINED("aaa", number, second, "")
#define OTHER(number, second) CHAINED("bbb", number, second, "")
#define BEGUN(number, second)                                                                      \
    CHAINED("ccc", number, second,                                                                 \
            ",\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"")

/* Files by their place in the order in which they are given; NULL: there is none. A text that
 * begins with a + is packed. */
static const struct {
    const char *text[3], *by_time, *by_file;
    bool chained;
} chains[] = {
    /* in the order of the numbers, whatever the times are */
    {{C(3, 01) C(4, 06), C(1, 02) C(2, 07)}, "1 2 3 4 ", "3 4 1 2 ", true},
    {{C(5, 01), "+" C(1, 09) C(2, 02), C(3, 03) C(4, 04)}, "1 2 3 4 5 ", "5 1 2 3 4 ", true},
    {{C(3, 01), "+" C(1, 09), "+" C(2, 05)}, "1 2 3 ", "3 1 2 ", true},
    /* an empty file is new */
    {{"", C(2, 01), C(1, 02)}, "1 2 ", "2 1 ", true},
    /* a broken line stands where it stood */
    {{C(2, 01), "x\n" C(1, 02)},
     "!log1:1@0 no JSON object, at byte 1 1 2 ",
     "2 !log1:1@0 no JSON object, at byte 1 1 ",
     true},
    /* a chain that was begun anew, with the number behind and the next */
    {{BEGUN(3, 01) CHAINED("ccc", 4, 02, ""), C(1, 05) C(2, 06)}, "1 2 3 4 ", "3 4 1 2 ", true},
    {{BEGUN(4, 01), C(1, 05) C(2, 06)}, "1 2 4 ", "4 1 2 ", true},
    {{BEGUN(5, 01), C(1, 05) C(2, 06)}, "5 1 2 ", "5 1 2 ", false},     /* a gap: merged */
    {{BEGUN(3, 01), "+" C(1, 05) C(2, 06)}, "3 1 2 ", "3 1 2 ", false}, /* its last is not known */
    {{CHAINED("ccc", 3, 01, ""), C(1, 05) C(2, 06)}, "3 1 2 ", "3 1 2 ", false},
    /* other chains, files without one, copies and files that overlap are merged */
    {{C(3, 01) C(4, 06), OTHER(1, 02) OTHER(2, 07)}, "3 1 4 2 ", "3 4 1 2 ", false},
    {{C(3, 01) C(4, 06), C(1, 02) C(2, 07), OTHER(9, 03)}, "3 1 9 4 2 ", "3 4 1 2 9 ", false},
    {{C(3, 01) C(4, 06), C(1, 02) C(2, 07), T(9, 03)}, "3 1 9 4 2 ", "3 4 1 2 9 ", false},
    {{C(9, 01), OTHER(1, 01)}, "9 1 ", "9 1 ", false},
    {{C(1, 01) C(2, 06), C(1, 01) C(2, 06)}, "1 1 2 2 ", "1 2 1 2 ", false},
    {{C(2, 01) C(3, 06), C(1, 02) C(2, 07)}, "2 1 3 2 ", "2 3 1 2 ", false},
    /* the last number is lower than the first: the rest of the file was copied there */
    {{C(3, 01) C(4, 06), C(1, 02) C(5, 07)}, "3 1 4 5 ", "3 4 1 5 ", false},
};

START_TEST(one_chain)
{
    const char *given[] = {paths[0], paths[1], paths[2]};
    size_t count = 0;

    make_folder();
    for (; count < 3 && chains[_i].text[count] != NULL; count++) {
        const char *text = chains[_i].text[count];
        if (text[0] == '+') {
            put_packed(paths[count], "we", text + 1);
        } else {
            put_text(paths[count], text);
        }
    }
    ck_assert_str_eq(read_all(given, count, READ_BY_TIME), chains[_i].by_time);
    ck_assert_str_eq(read_all(given, count, READ_BY_FILE), chains[_i].by_file);
    ck_assert_str_eq(read_all(given, count, READ_ANY),
                     chains[_i].chained ? chains[_i].by_time : chains[_i].by_file);
    remove_folder();
}
END_TEST

/* The writer has just rotated: what comes into the new file is the newest. */
START_TEST(empty_file_is_new)
{
    const char *given[] = {paths[0], paths[1], paths[2]};

    make_folder();
    put_text(paths[0], "");
    put_text(paths[1], C(2, 02));
    put_text(paths[2], C(1, 03));
    struct log_reader *reader = open_files(given, 3, READ_BY_TIME);
    put_text(paths[0], C(3, 01));
    ck_assert_str_eq(rest_of(reader), "1 2 3 ");
    read_close(reader);
    remove_folder();
}
END_TEST

START_TEST(a_failing_file_ends_no_other)
{
    const char *both[] = {paths[0], paths[1]};

    make_folder();
    put_text(paths[0], T(1, 01) T(2, 05));
    put_text(paths[1], "\x1F\x8B garbage");
    ck_assert_str_eq(read_all(both, 2, READ_BY_TIME),
                     "?it is damaged: unknown compression method 1 2 ");
    ck_assert_str_eq(read_all(both, 2, READ_BY_FILE),
                     "1 2 ?it is damaged: unknown compression method ");
    remove_folder();
}
END_TEST

START_TEST(same_inode_once)
{
    const char *all[] = {paths[0], paths[1], paths[2], paths[0], paths[3]};

    make_folder();
    put_text(paths[0], T(1, 01));
    ck_assert_int_eq(link(paths[0], paths[1]), 0);
    ck_assert_int_eq(symlink(paths[0], paths[2]), 0);
    put_text(paths[3], T(1, 01));
    ck_assert_str_eq(read_all(all, 5, READ_BY_TIME), "1 1 ");
    remove_folder();
}
END_TEST

/* Standard input, byte by byte. */
static void feed(const char *text, size_t length)
{
    int ends[2], kept = dup(STDIN_FILENO), status = 0;
    const char *name = "-";

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < length; i++) {
            int waiting = 1;
            if (write(ends[1], text + i, 1) != 1) {
                _exit(1);
            }
            while (ioctl(ends[1], FIONREAD, &waiting) == 0 && waiting > 0) {
                sched_yield();
            }
        }
        _exit(0);
    }
    close(ends[1]);
    ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
    ck_assert_str_eq(read_one(name), "1 2 ");
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0); /* it is not ours to close */
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(ends[0]);
}

START_TEST(standard_input)
{
    char bytes[512];

    make_folder();
    feed(R(1) "\n" R(2) "\n", sizeof(R(1) R(2)) + 1);
    put_packed(paths[0], "we", R(1) "\n" R(2) "\n");
    FILE *file = fopen(paths[0], "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    feed(bytes, length);
    remove_folder();
}
END_TEST

START_TEST(what_cannot_be_opened)
{
    const char *none[] = {"/nonexistent/log"}, *given[] = {folder};
    struct log_reader *reader = NULL;
    struct miguard_error error = {0};

    make_folder();
    ck_assert_int_eq(read_open(none, 1, READ_BY_TIME, &reader, &error), MIGUARD_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.detail, "/nonexistent/log"));
    ck_assert_int_eq(read_open(given, 1, READ_BY_TIME, &reader, &error), MIGUARD_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.detail, "is a folder"));
    ck_assert_int_eq(read_open(none, 0, READ_BY_TIME, &reader, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(read_open(NULL, 1, READ_BY_TIME, &reader, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(read_open(none, SIZE_MAX, READ_BY_TIME, &reader, NULL), MIGUARD_NO_MEMORY);
    ck_assert_ptr_null(reader);
    read_close(NULL);
    remove_folder();
}
END_TEST

/* ---- the files of a log -----------------------------------------------------------------------
 */

/* A line as far as the order of files needs it. */
static void put_record(const char *name, unsigned chain, unsigned sequence)
{
    char line[256];

    snprintf(line, sizeof(line),
             "{\"event\":{\"sequence\":%u},\"miguard\":{\"chain\":{\"id\":\"%016x\",\"epoch\":0,"
             "\"prev\":\"%064x\"}}}\n",
             sequence, chain, sequence == 1 ? 0 : sequence);
    put_text(inside(name), line);
}

/* Names make candidates; records say whose they are and where they stand. */
START_TEST(family)
{
    static const struct {
        const char *name;
        unsigned chain, sequence; /* 0: empty */
    } made[] = {
        {"a.1", 7, 20},
        {"a.2.gz", 7, 30},
        {"a.10", 7, 1}, /* whatever its number says */
        {"a.2", 7, 30},
        {"a", 7, 50},
        {"a.3.gz", 7, 40},
        {"a.5", 8, 2},                     /* of another log */
        {"a.20261127", 0, 0},              /* no log at all */
        {"a.18446744073709551615", 7, 45}, /* made by a writer that counted over the end */
        {"a.0", 7, 47},
        {"a.99", 7, 20}, /* a copy */
        {"a.01", 7, 3},
        {"a.x", 7, 4},
        {"a.1x", 7, 5},
        {"a.gz", 7, 6},
        {"ab.1", 7, 7},
        {"b", 0, 0},
        {"a.", 7, 8},
        {"a.4.gzx", 7, 9},
        {"a.99999999999999999999", 7, 10},
    };
    static const char *const expected[] = {"a.10", "a.1", "a.2", "a.3.gz", "a.18446744073709551615",
                                           "a.0",  "a"};
    char **found = NULL;
    size_t count = 0;

    make_folder();
    for (int i = 0; i < LENGTH(made); i++) {
        if (made[i].chain == 0) {
            put_text(inside(made[i].name), "");
        } else {
            put_record(made[i].name, made[i].chain, made[i].sequence);
        }
    }
    ck_assert_int_eq(mkdir(inside("a.6"), 0700), 0);
    ck_assert_int_eq(mkfifo(inside("a.7"), 0600), 0);
    ck_assert_int_eq(symlink("a.1", inside("a.8")), 0);
    ck_assert_int_eq(read_family(inside("a"), &found, &count, NULL), MIGUARD_OK);
    ck_assert_uint_eq(count, LENGTH(expected));
    for (int i = 0; i < LENGTH(expected); i++) {
        ck_assert_str_eq(found[i], inside(expected[i]));
    }
    base_free(found);
    put_text(inside("c.0"), "");
    ck_assert_int_eq(read_family(inside("c"), &found, &count, NULL), MIGUARD_NOT_FOUND);
    ck_assert_int_eq(read_family("/nonexistent/log", &found, &count, NULL), MIGUARD_NOT_FOUND);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(read_family("b", &found, &count, NULL), MIGUARD_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(found[0], "b");
    base_free(found);
    ck_assert_int_eq(chdir("/"), 0);
    remove_folder();
}
END_TEST

/* ---- going on later ---------------------------------------------------------------------------
 */

static struct read_mark mark_after(const char *path, int records)
{
    struct log_reader *reader = open_one(path);
    struct record record;
    struct read_place place;
    struct read_mark mark;
    const char *what = NULL;

    read_keep_marks(reader);
    ck_assert(!read_mark(reader, 0, &mark));
    for (int i = 0; i < records; i++) {
        ck_assert_int_eq(read_next(reader, &record, &place, &what), READ_RECORD);
    }
    ck_assert(read_mark(reader, 0, &mark));
    read_close(reader);
    return mark;
}

static enum read_resumed resumed;

/* What comes when the file is read from the mark on; the mark is moved to its end. */
static const char *rest_after(const char *path, struct read_mark *mark)
{
    struct log_reader *reader = open_one(path);

    read_keep_marks(reader);
    resumed = read_resume(reader, 0, mark, 1);
    const char *text = rest_of(reader);
    ck_assert_str_eq(read_name(reader, 0), path);
    ck_assert_ptr_null(read_name(reader, 1));
    read_mark(reader, 0, mark);
    read_close(reader);
    return text;
}

static void append(const char *path, const char *text)
{
    put(path, "ae", text, strlen(text));
}

START_TEST(resume_each_record)
{
    static const char content[] = T(1, 01) T(2, 02) T(3, 03);
    static const char *const rest[] = {"2 3 ", "3 ", ""};

    make_folder();
    put_text(paths[0], content);
    put_packed(paths[1], "we", content);
    for (int i = 0; i < 4; i++) { /* marked plain or packed, and then read plain or packed */
        for (int k = 0; k < LENGTH(rest); k++) {
            struct read_mark mark = mark_after(paths[i / 2], k + 1);
            ck_assert_str_eq(rest_after(paths[i % 2], &mark), rest[k]);
            ck_assert_int_eq(resumed, READ_RESUMED);
            ck_assert_str_eq(rest_after(paths[0], &mark), "");
        }
    }
    remove_folder();
}
END_TEST

START_TEST(resume_over_rotation)
{
    make_folder();
    put_text(paths[0], T(1, 01) T(2, 02));
    struct read_mark mark = mark_after(paths[0], 2);
    append(paths[0], T(3, 03));
    ck_assert_int_eq(rename(paths[0], paths[1]), 0);
    put_text(paths[0], T(4, 04));
    struct read_mark other = mark;
    ck_assert_str_eq(rest_after(paths[1], &mark), "3 ");
    ck_assert_int_eq(resumed, READ_RESUMED);
    ck_assert_str_eq(rest_after(paths[0], &other), "4 ");
    ck_assert_int_eq(resumed, READ_FRESH);
    append(paths[0], T(5, 05));
    ck_assert_str_eq(rest_after(paths[0], &other), "5 ");
    remove_folder();
}
END_TEST

START_TEST(resume_after_a_cut)
{
    make_folder();
    put_text(paths[0], T(1, 01) T(2, 02) T(3, 03));
    struct read_mark mark = mark_after(paths[0], 3), kept = mark;
    put_text(paths[0], T(1, 01) T(2, 02));
    ck_assert_str_eq(rest_after(paths[0], &mark), "1 2 ");
    ck_assert_int_eq(resumed, READ_CHANGED);
    mark = kept;
    put_text(paths[0], T(1, 01) T(2, 02) T(4, 03) T(5, 04));
    ck_assert_str_eq(rest_after(paths[0], &mark), "1 2 4 5 ");
    ck_assert_int_eq(resumed, READ_CHANGED);
    mark = kept;
    put_packed(paths[0], "we", T(1, 01) T(2, 02) T(4, 03) T(5, 04));
    ck_assert_str_eq(rest_after(paths[0], &mark), "1 2 4 5 ");
    ck_assert_int_eq(resumed, READ_CHANGED);
    mark = kept;
    put_text(paths[0], "");
    ck_assert_str_eq(rest_after(paths[0], &mark), "");
    ck_assert_int_eq(resumed, READ_FRESH);
    remove_folder();
}
END_TEST

/* What begins a packed file is, in the middle of one that is not, only a broken line. */
START_TEST(resume_at_packed_bytes)
{
    make_folder();
    put_text(paths[0], T(1, 01) "\x1F\x8B\n");
    struct read_mark mark = {.offset = 0};
    ck_assert_str_eq(rest_after(paths[0], &mark), "1 !log0:2@61 no JSON object, at byte 1 ");
    append(paths[0], T(2, 02));
    ck_assert_str_eq(rest_after(paths[0], &mark), "2 ");
    ck_assert_int_eq(resumed, READ_RESUMED);
    remove_folder();
}
END_TEST

/* A line that was being written is read again when it is whole, and not twice. */
START_TEST(resume_in_a_line)
{
    make_folder();
    put_text(paths[0], T(1, 01) "{\"event\":{\"seq");
    struct read_mark mark = {.offset = 0};
    ck_assert_str_eq(rest_after(paths[0], &mark),
                     "1 !log0:2@61 a string is not closed, at byte 15; the line is not finished ");
    append(paths[0], "uence\":2}}");
    ck_assert_str_eq(rest_after(paths[0], &mark), "2 ");
    append(paths[0], "\n" R(3) "\n");
    ck_assert_str_eq(rest_after(paths[0], &mark), "3 ");
    append(paths[0], "broken\n");
    ck_assert_str_eq(rest_after(paths[0], &mark), "!log0:4@111 no JSON object, at byte 1 ");
    ck_assert_str_eq(rest_after(paths[0], &mark), "");
    append(paths[0], R(4) "\nx\n");
    ck_assert_str_eq(rest_after(paths[0], &mark), "4 !log0:6@143 no JSON object, at byte 1 ");
    remove_folder();
}
END_TEST

static Suite *suite(void)
{
    Suite *whole = suite_create("audit_read");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, file_row, 0, LENGTH(files));
    tcase_add_test(all, nul_bytes);
    tcase_add_test(all, long_lines);
    tcase_add_test(all, long_line_is_not_kept);
    tcase_add_test(all, places);
    tcase_add_test(all, packed_in_parts);
    tcase_add_test(all, packed_and_cut);
    tcase_add_test(all, merged_by_time);
    tcase_add_loop_test(all, one_chain, 0, LENGTH(chains));
    tcase_add_test(all, empty_file_is_new);
    tcase_add_test(all, a_failing_file_ends_no_other);
    tcase_add_test(all, same_inode_once);
    tcase_add_test(all, standard_input);
    tcase_add_test(all, what_cannot_be_opened);
    tcase_add_test(all, family);
    tcase_add_test(all, resume_each_record);
    tcase_add_test(all, resume_over_rotation);
    tcase_add_test(all, resume_after_a_cut);
    tcase_add_test(all, resume_at_packed_bytes);
    tcase_add_test(all, resume_in_a_line);
    suite_add_tcase(whole, all);
    return whole;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
