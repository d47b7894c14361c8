/* SPDX-License-Identifier: MIT */
/*
 * The quick ways of reading a log against the plain one, over random logs with everything that may
 * be wrong with one: record_like() against record_parse(), and read_only() with one thread and with
 * several against read_next() with query_matches().
 */
#include "tools/review/read.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "support/audit_generate.h"
#include "tools/review/query.h"
#include "tools/review/record_expand.h"
#include "tools/review/record_layout.h"
#include "tools/review/report.h"

enum { FILES = 3, RECORDS = 700, LONG = 1024 * 1024 + 200000 };

static char folder[64], paths[FILES][128];

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *state >> 33;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-scan-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/log%d", folder, i);
    }
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A file as one text, with a zero behind it. */
static char *slurp(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *ret_length = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, *ret_length + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, *ret_length, file), *ret_length);
    fclose(file);
    return text;
}

/* ---- what may be wrong with a line -----------------------------------------------------------
 */

/* Bytes that mean something to a parser, and some that do not. */
static const char bytes[] = "\"\\{}[],:0123456789-+.eEtfnu \t\r\x01\x7f\x80\xc3\xa4xN";

static void change_byte(char *line, size_t *length, uint64_t *state)
{
    line[next_random(state) % *length] = bytes[next_random(state) % (sizeof(bytes) - 1)];
}

static void insert_byte(char *line, size_t *length, uint64_t *state)
{
    size_t at = next_random(state) % *length;

    memmove(line + at + 1, line + at, *length - at);
    line[at] = bytes[next_random(state) % (sizeof(bytes) - 1)];
    ++*length;
}

static void remove_bytes(char *line, size_t *length, uint64_t *state)
{
    size_t at = next_random(state) % *length, many = 1 + next_random(state) % 3;

    many = many < *length - at ? many : *length - at;
    memmove(line + at, line + at + many, *length - at - many);
    *length -= many;
}

static void cut(char *line, size_t *length, uint64_t *state)
{
    (void)line;
    *length = next_random(state) % *length;
}

/* The class in another spelling, which a search for the bytes would not find. */
static void escape(char *line, size_t *length, uint64_t *state)
{
    static const char name[] = "\"class\":\"M";
    char *at = memmem(line, *length, name, sizeof(name) - 1);

    (void)state;
    if (at != NULL) {
        at += sizeof(name) - 2;
        memmove(at + 6, at + 1, (size_t)(line + *length - at) - 1);
        memcpy(at, "\\u004d", 6);
        *length += 5;
    }
}

/* The clock was set: any time of the same length. */
static void set_clock(char *line, size_t *length, uint64_t *state)
{
    if (*length > 40) {
        line[26] = (char)('0' + next_random(state) % 10);
        line[28] = (char)('0' + next_random(state) % 6);
    }
}

static void (*const changes[])(char *line, size_t *length, uint64_t *state) = {
    change_byte, insert_byte, remove_bytes, cut, escape, set_clock, set_clock};

/* Few changes in most lines, many in some. */
static void mutate(char *line, size_t *length, uint64_t *state)
{
    while (*length > 0 && next_random(state) % 3 != 0) {
        changes[next_random(state) % (sizeof(changes) / sizeof(changes[0]))](line, length, state);
    }
}

/* ---- one line --------------------------------------------------------------------------------
 */

static void same_record(const struct record *a, const struct record *b)
{
    ck_assert_ptr_eq(a->line, b->line);
    ck_assert_uint_eq(a->length, b->length);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        ck_assert_msg(a->field[i].at == b->field[i].at && a->field[i].length == b->field[i].length,
                      "field %d of %.*s", i, (int)a->length, a->line);
    }
}

/* With a good line that is learnt now and then: most mutants are like it. */
static bool check_line(struct record_kinds *kinds, const char *line, size_t length)
{
    const struct record_fields_wanted wanted = {
        .list = {RECORD_CLASS, RECORD_HASH, RECORD_DECISION}, .count = 3};
    struct record plain, like, some = {0};
    size_t at = 0, at_new = 0;
    const char *fault = record_parse(line, length, &plain, &at);

    bool is_like = record_like(kinds, line, length);
    if (is_like) {
        ck_assert_msg(fault == NULL, "%s: %.*s", fault, (int)length, line);
        record_like_all(kinds, &like);
        same_record(&plain, &like);
        record_like_some(kinds, &wanted, &some);
        for (size_t i = 0; i < wanted.count; i++) {
            ck_assert_ptr_eq(some.field[wanted.list[i]].at, plain.field[wanted.list[i]].at);
        }
        return true;
    }
    const char *fault_new = record_parse_new(kinds, line, length, &like, &at_new);
    ck_assert_ptr_eq(fault_new, fault);
    if (fault == NULL) {
        same_record(&plain, &like);
    } else {
        ck_assert_uint_eq(at, at_new);
    }
    return false;
}

START_TEST(like_is_parse)
{
    const struct generate generate = {.seed = 7, .count = RECORDS};
    struct record_kinds *kinds = record_kinds_new();
    uint64_t state = 11;
    size_t length, likes = 0, lines = 0;
    int rounds = getenv("QUICK") != NULL ? 5 : 60;

    make_folder();
    ck_assert(audit_generate(paths[0], &generate));
    char *text = slurp(paths[0], &length);
    for (int round = 0; round < rounds; round++) {
        for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
            size_t size = (size_t)(end - at);
            /* Of its size exactly: a byte too far is found by ASan. */
            char *line = malloc(size + 64 * 8);
            ck_assert_ptr_nonnull(line);
            memcpy(line, at, size);
            size = size < 4096 ? size : 4096;
            for (int i = 0; i < 30 && size > 0 && round > 0; i++) {
                if (next_random(&state) % 4 != 0) {
                    break;
                }
                changes[next_random(&state) % (sizeof(changes) / sizeof(changes[0]))](line, &size,
                                                                                      &state);
            }
            char *exact = malloc(size + 1);
            memcpy(exact, line, size);
            likes += check_line(kinds, exact, size);
            lines++;
            free(exact);
            free(line);
        }
    }
    /* It is of use only when most lines are like another. */
    ck_assert_uint_gt(likes, lines / 2);
    free(text);
    record_kinds_free(kinds);
    remove_folder();
}
END_TEST

/* Each byte of a line in turn becomes another one, goes, or has another before it. */
START_TEST(each_byte)
{
    const struct generate generate = {.seed = 3, .count = 2};
    struct record_kinds *kinds = record_kinds_new();
    size_t length, likes = 0;
    size_t step = getenv("EMULATED") != NULL ? 11 : getenv("QUICK") != NULL ? 7 : 1;

    make_folder();
    ck_assert(audit_generate(paths[0], &generate));
    char *text = slurp(paths[0], &length);
    length = (size_t)(strchr(text, '\n') - text);
    char *line = malloc(length + 1);
    ck_assert_ptr_nonnull(line);
    ck_assert(!check_line(kinds, text, length));
    for (size_t at = 0; at < length; at += step) {
        for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
            memcpy(line, text, length);
            line[at] = bytes[i];
            likes += check_line(kinds, line, length);
            memcpy(line + at + 1, text + at, length - at);
            likes += check_line(kinds, line, length + 1);
        }
        memcpy(line, text, at);
        memcpy(line + at, text + at + 1, length - at - 1);
        likes += check_line(kinds, line, length - 1);
        likes += check_line(kinds, text, length);
    }
    ck_assert_uint_gt(likes, length / step);
    free(line);
    free(text);
    record_kinds_free(kinds);
    remove_folder();
}
END_TEST

/* The line that begins at text: record_like_next() says its length, and that it is a record, or
 * nothing. The text has `most` bytes. */
static bool check_next(struct record_kinds *kinds, const char *text, size_t most)
{
    const char *newline = memchr(text, '\n', most);
    struct record plain, like;
    size_t length = 0, at;

    if (!record_like_next(kinds, text, most, &length)) {
        return false;
    }
    ck_assert_ptr_nonnull(newline);
    ck_assert_uint_eq(length, (size_t)(newline - text));
    ck_assert_ptr_null(record_parse(text, length, &plain, &at));
    record_like_all(kinds, &like);
    same_record(&plain, &like);
    return true;
}

/* Two lines one behind the other, in memory of their size exactly. Each byte of the first becomes
 * another one: of them a newline, so that the line ends there, and what is guessed does not. And
 * the text ends within the line, at its newline, behind it; what stands behind the text is as it
 * was. */
START_TEST(next_line)
{
    const struct generate generate = {.seed = 3, .count = 2};
    static const char others[] = "\n\r\t\"\\ \0aZ0{}\x7f\x80";
    const size_t step = getenv("EMULATED") != NULL ? 11 : 1;
    struct record_kinds *kinds = record_kinds_new();
    size_t size, likes = 0;

    make_folder();
    ck_assert(audit_generate(paths[0], &generate));
    char *read = slurp(paths[0], &size), *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    const size_t length = (size_t)(strchr(read, '\n') - read);
    memcpy(text, read, size);
    ck_assert(!check_line(kinds, text, length));
    for (size_t i = 0; i < 10; i++) { /* its number, hash and some values become any */
        text[length - 4 - i] = text[length - 4 - i] == 'a' ? 'b' : 'a';
        ck_assert(check_line(kinds, text, length));
    }
    ck_assert(check_next(kinds, text, size));
    for (size_t at = 0; at < length; at += step) {
        const char old = text[at];
        for (size_t i = 0; i < sizeof(others) - 1; i++) {
            text[at] = others[i];
            likes += check_next(kinds, text, size);
        }
        text[at] = old;
        char *part = malloc(at + 1); /* for ASan: nothing behind it is looked at */
        ck_assert_ptr_nonnull(part);
        memcpy(part + 1, text, at);
        ck_assert(!check_next(kinds, part + 1, at));
        free(part);
    }
    ck_assert_uint_gt(likes, 20);
    ck_assert(!check_next(kinds, text, length)); /* its newline is not of the text */
    ck_assert(check_next(kinds, text, length + 1));
    text[length] = ' '; /* the line goes on */
    ck_assert(!check_next(kinds, text, size));
    free(text);
    free(read);
    record_kinds_free(kinds);
    remove_folder();
}
END_TEST

/* A value may be deeper nested than the one in its place, up to the limit and no further. */
START_TEST(depth_is_counted)
{
    struct record_kinds *kinds = record_kinds_new();
    enum { WAYS = 16 }; /* of record_like.c */
    char line[128], deep[64];
    int likes = 0;

    /* There is no room to learn them: what is like another is found by comparing. */
    for (int i = 0; i < WAYS; i++) {
        snprintf(line, sizeof(line), "{\"fill %02d%*s\":0}", i, 58, "");
        ck_assert(!check_line(kinds, line, strlen(line)));
    }
    const size_t length = strlen(line);
    for (int i = 1; i < 20; i++) {
        memset(deep, '[', (size_t)i);
        memset(deep + i, ']', (size_t)i);
        deep[2 * i] = '\0';
        /* All of one length, so that each is compared with the first. */
        snprintf(line, sizeof(line), "{\"miguard\":{\"x\":{\"y\":%s,\"z\":\"%*s\"}}}", deep,
                 2 * (20 - i), "");
        ck_assert_uint_eq(strlen(line), length);
        likes += check_line(kinds, line, length);
    }
    ck_assert_int_eq(likes, 16 - 3 - 1);
    record_kinds_free(kinds);
}
END_TEST

/* Values of one length, of which a byte may become any that a value has, and no other. */
START_TEST(values_of_one_length)
{
    static const struct {
        const char *pid, *name;
        bool like;
    } lines[] = {
        {"1048", "aaaa", false},          {"2048", "aaab", true},
        {"9999", "zzzz", true},           {"0048", "aaaa", false},
        {"1.48", "aaaa", true},           {"104a", "aaaa", false},
        {"1048", "a\"aa", false},         {"1048", "a\\\"a", true},
        {"1048", "aa\\a", false},         {"1048", "aaa\\", false},
        {"1048", "a\taa", false},         {"1048", "\xc3\xa4\xc3\xa4", true},
        {"1048", "\xc3\xa4\xffz", false}, {"true", "aaaa", true},
        {"1048", "a\x7f\x7fz", true},     {"3048", "bbbb", true},
    };
    struct record_kinds *kinds = record_kinds_new();
    char line[128];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        snprintf(line, sizeof(line), "{\"process\":{\"pid\":%s,\"name\":\"%s\"}}", lines[i].pid,
                 lines[i].name);
        ck_assert_msg(check_line(kinds, line, strlen(line)) == lines[i].like, "%s", line);
    }
    record_kinds_free(kinds);
}
END_TEST

/* The same of what stands in an array, before and after it is known what else may stand there. */
START_TEST(arrays_of_one_length)
{
    static const char *const arrays[] = {
        "[10,\"ab\",7]",       "[20,\"cd\",8]",    "[99,\"zz\",0]",     "[01,\"zz\",0]",
        "[00,\"zz\",0]",       "[-1,\"ab\",7]",    "[1.,\"ab\",7]",     "[10,\"ab\",a]",
        "[10,\"ab\",-]",       "[10,\"a\"\",7]",   "[10,\"a\\\",7]",    "[10,\"\\n\",7]",
        "[10,\"a\t\",7]",      "[1,0\"ab\",7]",    "[10,\"ab\"7,]",     "[10,\"\xc3\xa4\",7]",
        "[10,\"\xff\xff\",7]", "[10,\"a\x7f\",7]", "[1,2,3,4,5]",       "[{\"a\":123}]",
        "[{\"b\":456}]",       "[{\"b\":056}]",    "[{\"b\"1456}]",     "[10,\"a\",77]",
        "[[1],[2],3]",         "[[4],[5],6]",      "[[4],[5,,6]",       "[1e1,1e2,3]",
        "[1e0,1e0,0]",         "[1e+,1e2,3]",      "[\"\\\\\",1,\"\"]", "[\"\\\\\",2,\"\"]",
        "[\"\\\\\",x,\"\"]",
    };
    enum { COUNT = sizeof(arrays) / sizeof(arrays[0]) };
    char line[128];
    size_t likes = 0;

    for (size_t first = 0; first < COUNT; first++) { /* the line that is learnt */
        struct record_kinds *kinds = record_kinds_new();
        for (size_t i = 0; i < 3 * COUNT; i++) {
            snprintf(line, sizeof(line), "{\"miguard\":{\"format\":3,\"x\":%s}}",
                     arrays[(first + i) % COUNT]);
            likes += check_line(kinds, line, strlen(line));
        }
        record_kinds_free(kinds);
    }
    ck_assert_uint_ge(likes, COUNT * COUNT);
}
END_TEST

/* What record_layout.h says, a byte at a time. */
static bool may_stand(enum record_may may, unsigned char old, unsigned char now)
{
    switch (may) {
    case RECORD_MAY_SAME:
        return now == old;
    case RECORD_MAY_PLAIN:
        return now >= ' ' && now <= 0x7F && now != '"' && now != '\\';
    case RECORD_MAY_DIGIT:
        return now >= '0' && now <= '9';
    case RECORD_MAY_FIRST_DIGIT:
        return now >= '1' && now <= '9';
    }
    return false;
}

/* Each byte in turn at one place of the line. */
static void check_place(struct record_layout *layout, char *line, const uint8_t *may, size_t at)
{
    record_layout_form *const plain = record_layout_plain(), *const wide = record_layout_wide();
    const char old = line[at];

    for (int byte = 0; byte < 256; byte++) {
        line[at] = (char)byte;
        const bool fits = may_stand(may[at], (unsigned char)old, (unsigned char)byte);
        ck_assert_msg(plain(layout, line) == fits && (wide == NULL || wide(layout, line) == fits) &&
                          record_layout_fits(layout, line) == fits,
                      "0x%02x at %zu of %u, which may be %u", (unsigned)byte, at, layout->length,
                      may[at]);
    }
    line[at] = old;
}

/* Lines of each length of some blocks, with places of each sort: in runs, as values are, so that
 * some blocks are fixed. The bytes of a line are in its image, whatever they are. */
START_TEST(layouts_byte_by_byte)
{
    static const char good[] = {
        [RECORD_MAY_PLAIN] = '~', [RECORD_MAY_DIGIT] = '0', [RECORD_MAY_FIRST_DIGIT] = '9'};
    enum { MOST = 9 * RECORD_BLOCK + 3 };
    const size_t step = getenv("EMULATED") != NULL ? 37 : getenv("QUICK") != NULL ? 7 : 1;
    uint64_t state = 21;
    uint8_t may[MOST];

    for (size_t length = RECORD_BLOCK; length <= MOST; length += step) {
        uint16_t blocks[MOST];
        struct record_layout layout = {.length = (uint32_t)length, .blocks = blocks};
        char *line = malloc(length); /* no byte behind it may be looked at */
        ck_assert_ptr_nonnull(line);
        for (size_t at = 0, run = 0, sort = 0; at < length; at++, run--) {
            if (run == 0) {
                sort = next_random(&state) % 2 == 0 ? RECORD_MAY_SAME : next_random(&state) % 4;
                run = 1 + next_random(&state) % 90;
            }
            may[at] = (uint8_t)sort;
            line[at] = sort == RECORD_MAY_SAME ? (char)next_random(&state) : good[sort];
        }
        record_layout_make(&layout, line, may);
        ck_assert_uint_ge(layout.block_count, (length + RECORD_BLOCK - 1) / RECORD_BLOCK);
        ck_assert_uint_le(layout.block_count, record_layout_blocks(length));
        for (size_t at = 0; at < length; at++) {
            check_place(&layout, line, may, at);
        }
        record_layout_release(&layout);
        free(line);
    }
}
END_TEST

/* An answer that is kept is that of each line: here what the decision was, which follows from
 * others. */
START_TEST(answers_hold)
{
    struct record_fields_wanted wanted = {.list = {RECORD_DECISION, RECORD_CLASS}, .count = 2};
    static const char *const outcomes[] = {"success", "failure"};
    struct record_kinds *kinds = record_kinds_new(), *by_line = record_kinds_new();
    uint64_t state = 3;
    size_t known = 0, at = 0;
    char line[512];

    record_kinds_watch(kinds, &wanted);
    wanted.line = true;
    record_kinds_watch(by_line, &wanted);
    for (int i = 0; i < 600; i++) {
        struct record record = {0};
        uint64_t number = next_random(&state);
        snprintf(line, sizeof(line),
                 "{\"miguard\":{\"format\":3,\"class\":\"C%llu\",\"provider\":\"%08llx\"},"
                 "\"event\":{\"action\":\"session-use\",\"outcome\":\"%s\",\"reason\":\"policy\","
                 "\"hash\":\"%064llx\"}}",
                 (unsigned long long)number % (i < 400 ? 2 : 10), (unsigned long long)number,
                 outcomes[number / 16 % 2], (unsigned long long)number);
        const size_t length = strlen(line);
        ck_assert_ptr_null(record_parse(line, length, &record, &at));
        const uint8_t right = (uint8_t)(1 + record_is(&record, RECORD_DECISION, "deny") +
                                        2 * record_is(&record, RECORD_CLASS, "C1"));
        if (record_like(kinds, line, length)) {
            uint8_t *answer = record_like_answer(kinds);
            known += answer != NULL && *answer != 0;
            ck_assert(answer == NULL || *answer == 0 || *answer == right);
            if (answer != NULL) {
                *answer = right;
            }
        } else {
            ck_assert_ptr_null(record_parse_new(kinds, line, length, &record, &at));
        }
        if (record_like(by_line, line, length)) {
            ck_assert_ptr_null(record_like_answer(by_line));
        } else {
            ck_assert_ptr_null(record_parse_new(by_line, line, length, &record, &at));
        }
    }
    ck_assert_uint_gt(known, 80);
    record_kinds_free(kinds);
    record_kinds_free(by_line);
}
END_TEST

/* Of a class and a provider of these lengths, with random letters in the class. */
static size_t write_line(char *line, size_t size, size_t class_length, int provider_length,
                         uint64_t *state)
{
    char class[700];

    for (size_t i = 0; i < class_length; i++) {
        class[i] = (char)('a' + next_random(state) % 26);
    }
    class[class_length] = '\0';
    return (size_t)snprintf(
        line, size,
        "{\"process\":{\"pid\":%04u},\"miguard\":{\"format\":3,\"provider\":\"%.*s\",\"class\":\"%"
        "s\"},"
        "\"event\":{\"action\":\"session-use\",\"outcome\":\"failure\",\"reason\":\"policy\","
        "\"hash\":\"%016llx%048d\"}}",
        1000 + (unsigned)(next_random(state) % 9000), provider_length, "a-provider.so", class,
        (unsigned long long)next_random(state), 7);
}

/* As the readers do. */
static void read_line(struct record_kinds *kinds, const char *line, size_t length)
{
    struct record record;
    size_t at;

    if (!record_like(kinds, line, length)) {
        ck_assert_ptr_null(record_parse_new(kinds, line, length, &record, &at));
    }
}

/* Lines of many lengths, more than are remembered: they are walked along with others no
 * more often than it takes. What is counted is work, not time. */
START_TEST(work_of_random_lengths)
{
    enum { LINES = 30000, LENGTHS = 200 };
    struct record_kinds *kinds = record_kinds_new();
    uint64_t state = 11;
    char line[1024];

    for (int i = 0; i < LINES; i++) {
        const size_t length = write_line(line, sizeof(line), 1 + next_random(&state) % LENGTHS,
                                         1 + (int)(next_random(&state) % 12), &state);
        read_line(kinds, line, length);
    }
    const struct record_kinds_work work = record_kinds_work(kinds);
    ck_assert_uint_le(work.walks, 3 * LINES / 2 + 500);
    ck_assert_uint_le(work.listed, 1000);
    record_kinds_free(kinds);
}
END_TEST

/* A line that was learnt gave its place to a shorter one, and what is guessed still says the longer
 * length: the shorter line with more behind it is no record. Which lengths share places is not
 * known here: of so many some do. */
START_TEST(guess_of_a_forgotten_line)
{
    enum { STALE = 8192, LONGER = 690, CLASSES = 240 };
    uint64_t state = 14;
    char line[1024], other[1024], few[512];
    const size_t few_length = write_line(few, sizeof(few), 20, 5, &state);

    for (size_t class = LONGER - CLASSES; class < LONGER; class ++) {
        struct record_kinds *kinds = record_kinds_new();
        const size_t length = write_line(line, sizeof(line), LONGER, 5, &state);
        for (int i = 0; i < 3; i++) {
            write_line(line, sizeof(line), LONGER, 5, &state);
            read_line(kinds, line, length);
        }
        line[length] = '\n';
        ck_assert(check_next(kinds, line, length + 1));
        for (int i = 0; i < STALE + 2; i++) {
            read_line(kinds, few, few_length);
        }
        for (int i = 0; i < 3; i++) {
            const size_t size = write_line(other, sizeof(other), class, 5, &state);
            read_line(kinds, other, size);
            memset(other + size, 'x', length - size);
            other[length] = '\n';
            ck_assert(!check_next(kinds, other, length + 1));
        }
        record_kinds_free(kinds);
    }
}
END_TEST

/* Who the identities are differs from line to line, and with it what stands in their arrays. */
START_TEST(work_of_arrays)
{
    enum { LINES = 3000 };
    struct record_kinds *kinds = record_kinds_new();
    uint64_t state = 13;
    char line[512];

    for (int i = 0; i < LINES; i++) {
        const unsigned user = 10000 + (unsigned)(next_random(&state) % 50000);
        const int length =
            snprintf(line, sizeof(line),
                     "{\"miguard\":{\"format\":3,\"mismatch\":[\"%s\",\"groups\"],\"cred\":{"
                     "\"bound\":{\"uid\":[%u,%u,0,%u],\"groups\":[%u,%u]}}},\"event\":{"
                     "\"action\":\"session-use\",\"hash\":\"%064x\"}}",
                     user % 2 == 0 ? "ruid" : "euid", user, user, user, user, user + 1, user);
        read_line(kinds, line, (size_t)length);
    }
    const struct record_kinds_work work = record_kinds_work(kinds);
    ck_assert_uint_le(work.walks, 20);
    ck_assert_uint_le(work.listed, 20);
    record_kinds_free(kinds);
}
END_TEST

/* Users, groups and classes are thousands: kinds that fit few lines are many, and are told apart by
 * what the lines look like before they are compared. */
START_TEST(work_of_many_users)
{
    enum { LINES = 30000 };
    const struct generate varied = {.seed = 1, .count = LINES, .varied = true};
    struct record_kinds *kinds = record_kinds_new();
    size_t length, next = 0;

    make_folder();
    ck_assert(audit_generate(paths[0], &varied));
    char *text = slurp(paths[0], &length);
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        size_t found;
        if (record_like_next(kinds, at, length - (size_t)(at - text), &found)) {
            ck_assert_uint_eq(found, (size_t)(end - at));
            next++;
        } else {
            read_line(kinds, at, (size_t)(end - at));
        }
    }
    const struct record_kinds_work work = record_kinds_work(kinds);
    ck_assert_uint_le(work.walks, LINES / 5);
    ck_assert_uint_ge(next, LINES * 7 / 10);
    record_kinds_free(kinds);
    free(text);
    remove_folder();
}
END_TEST

/* A number in a log gets longer again and again, and what its lines were like before is not met
 * again. */
START_TEST(old_kinds_are_forgotten)
{
    enum { KINDS = 60, LENGTHS = 6, LINES = 9000 };
    struct record_kinds *kinds = record_kinds_new();
    uint64_t state = 12;
    char line[1024];

    for (unsigned longer = 0; longer < LENGTHS; longer++) {
        for (unsigned i = 0; i < LINES; i++) {
            const size_t length =
                write_line(line, sizeof(line), 1 + i % KINDS + 100 * longer, 5, &state);
            read_line(kinds, line, length);
        }
        ck_assert_uint_le(record_kinds_work(kinds).remembered, 2 * KINDS);
    }
    record_kinds_free(kinds);
}
END_TEST

static void same_place(const struct record *a, const struct record *b)
{
    ck_assert_uint_eq(a->length, b->length);
    ck_assert_mem_eq(a->line, b->line, a->length);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        const struct slice *x = &a->field[i], *y = &b->field[i];
        bool in_line = x->at != NULL && x->at >= a->line && x->at < a->line + a->length;
        ck_assert_uint_eq(x->length, y->length);
        ck_assert_msg(in_line ? x->at - a->line == y->at - b->line : x->at == y->at, "field %d", i);
    }
}

/* Another identity, with which the record is as long. */
static void change_identity(char *line, size_t length, uint64_t *state)
{
    static const char name[] = "\"cap-bounding\":\"";
    char *at = memmem(line, length, name, sizeof(name) - 1), digits[17];

    if (at != NULL && at + sizeof(name) + 16 < line + length) {
        snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)next_random(state));
        memcpy(at + sizeof(name) - 1, digits, 16);
    }
}

/* The full form of a record does not depend on what was remembered of others. */
START_TEST(expanded_alike)
{
    const struct generate generate = {.seed = 9, .count = RECORDS};
    struct record_expander *expander = record_expander_new();
    uint64_t state = 5;
    size_t length, expanded = 0, at = 0;
    char *line = malloc(LONG);

    make_folder();
    ck_assert(audit_generate(paths[0], &generate));
    char *text = slurp(paths[0], &length);
    for (int round = 0; round < 4; round++) {
        for (char *start = text, *end; (end = strchr(start, '\n')) != NULL; start = end + 1) {
            struct text plain = TEXT_EMPTY, quick = TEXT_EMPTY;
            struct record record, one, other;
            size_t size = (size_t)(end - start);
            memcpy(line, start, size);
            if (next_random(&state) % 2 == 0) {
                mutate(line, &size, &state);
            }
            if (next_random(&state) % 4 == 0 && size > 0) {
                change_identity(line, size, &state);
            }
            if (record_parse(line, size, &record, &at) != NULL) {
                continue;
            }
            ck_assert(record_expand(&record, &plain, &one));
            ck_assert(record_expand_next(expander, &record, &quick, &other));
            same_place(&one, &other);
            expanded += plain.length > 0;
            text_release(&plain);
            text_release(&quick);
        }
    }
    ck_assert_uint_gt(expanded, RECORDS);
    record_expander_free(expander);
    free(line);
    free(text);
    remove_folder();
}
END_TEST

/* ---- whole logs ------------------------------------------------------------------------------
 */

/* Random lines at path; packed: with zlib. */
static void make_log(const char *path, uint64_t *state, bool packed)
{
    const struct generate generate = {.seed = next_random(state),
                                      .count = 20 + next_random(state) % RECORDS,
                                      .start = GENERATE_START +
                                               (int64_t)(next_random(state) % 300) * 1000000000};
    size_t length;

    ck_assert(audit_generate(path, &generate));
    char *text = slurp(path, &length), *line = malloc(LONG);
    ck_assert_ptr_nonnull(line);
    gzFile file = gzopen(path, packed ? "w1" : "wT");
    ck_assert_ptr_nonnull(file);
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        size_t size = (size_t)(end - at);
        memcpy(line, at, size);
        if (next_random(state) % 8 == 0) {
            mutate(line, &size, state);
        }
        if (next_random(state) % 400 == 0) { /* longer than a piece, and than a line may be */
            size = next_random(state) % 2 == 0 ? LONG : 400000;
            memset(line, 'x', size);
        }
        ck_assert_int_eq(gzwrite(file, line, (unsigned)size), (int)size);
        /* A writer was killed: the next record stands in the same line. */
        if (next_random(state) % 60 != 0) {
            ck_assert_int_eq(gzwrite(file, "\n", 1), 1);
        }
    }
    gzclose(file);
    free(line);
    free(text);
}

static void write_place(const void *context, struct record_expander *expander,
                        const struct record *record, struct text *text)
{
    (void)expander;
    (void)context;
    text_append(text, "<");
    text_append_bytes(text, record->field[RECORD_SEQUENCE].at,
                      record->field[RECORD_SEQUENCE].length);
    text_append(text, ">");
}

static bool matches(const void *context, const struct record *record)
{
    return query_matches(context, record);
}

/* How a log is read. */
struct way {
    bool only, writes;
    unsigned threads;
};

/* Everything that a reader gives out, as one text. */
static struct text read_whole(const struct way *way, enum read_order order, size_t count,
                              const struct query *query)
{
    struct scan_filter filter = {.matches = matches, .context = query};
    const char *files[FILES] = {paths[0], paths[1], paths[2]}, *fault = NULL;
    struct text out = TEXT_EMPTY;
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    enum read_result result;

    ck_assert_int_eq(read_open(files, count, order, &reader, NULL), MIGUARD_OK);
    query_fields(query, &filter.wanted);
    filter.write = way->writes ? write_place : NULL;
    ck_assert(!way->only || read_only(reader, &filter, way->threads));
    while ((result = read_next(reader, &record, &place, &fault)) != READ_END) {
        if (result == READ_PASSED ||
            (result == READ_RECORD && !way->only && !query_matches(query, &record))) {
            continue;
        }
        text_format(&out, "%s:%llu@%llu ", strrchr(place.file, '/'), (unsigned long long)place.line,
                    (unsigned long long)place.offset);
        if (result != READ_RECORD) {
            text_append(&out, fault);
        } else if (way->writes) {
            const struct slice text = read_text(reader);
            text_append_bytes(&out, text.at, text.length);
        } else {
            write_place(NULL, NULL, &record, &out);
        }
        text_append_bytes(&out, record.line != NULL ? record.line : "", record.length);
        text_append(&out, "\n");
    }
    read_close(reader);
    ck_assert(!out.failed);
    return out;
}

static void write_facts(const void *context, struct record_expander *expander,
                        const struct record *record, struct text *text)
{
    (void)expander;
    (void)context;
    report_facts(record, text);
}

/* What a report of all of it says. */
static struct text report_whole(const struct way *way, enum read_order order, size_t count,
                                const struct query *query)
{
    struct scan_filter filter = {.matches = matches, .context = query, .write = write_facts};
    const char *files[FILES] = {paths[0], paths[1], paths[2]}, *fault = NULL;
    struct report *report = report_new();
    struct text out = TEXT_EMPTY;
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    enum read_result result;

    ck_assert_int_eq(read_open(files, count, order, &reader, NULL), MIGUARD_OK);
    query_fields(query, &filter.wanted);
    filter.written = &report_fields;
    ck_assert(!way->only || read_only(reader, &filter, way->threads));
    while ((result = read_next(reader, &record, &place, &fault)) != READ_END) {
        report->broken += result == READ_BROKEN;
        if (result == READ_RECORD && way->only) {
            ck_assert(report_add_facts(report, &record, read_text(reader), &place));
        } else if (result == READ_RECORD && query_matches(query, &record)) {
            ck_assert(report_add(report, &record, &place));
        }
    }
    read_close(reader);
    report_write_json(&out, report, 1000);
    for (size_t i = 0; i < report->refusals.seen && i < report->refusals.size; i++) {
        text_append(&out, report->refusals.lines[i].data);
    }
    report_free(report);
    ck_assert(!out.failed);
    return out;
}

static const struct {
    const char *option, *value;
} conditions[] = {
    {"--class", "MG_*"},       {"--class", "MG_File"}, {"--user", "1000"},
    {"--decision", "deny"},    {"--text", "needle"},   {"--start", "2026-03-01T00:05:00Z"},
    {"--sequence", "100-300"}, {"--pid", "0-9999999"}, {"--host", "nowhere"},
};

/* The plain way and all others come to the same. */
static void check_ways(size_t count, enum read_order order, const struct query *query)
{
    static const struct way plain = {0}, ways[] = {
                                             {true, false, 1},
                                             {true, false, 3},
                                             {true, true, 1},
                                             {true, true, 3},
                                         };
    struct text expected = read_whole(&plain, order, count, query);

    struct text report = report_whole(&plain, order, count, query);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct text got = read_whole(&ways[i], order, count, query);
        ck_assert_msg(expected.length == got.length &&
                          (got.length == 0 || memcmp(expected.data, got.data, got.length) == 0),
                      "way %zu: %zu bytes, not %zu", i, got.length, expected.length);
        text_release(&got);
        if (ways[i].writes) {
            got = report_whole(&ways[i], order, count, query);
            ck_assert_msg(strcmp(report.data, got.data) == 0, "way %zu, report: %s, not %s", i,
                          got.data, report.data);
            text_release(&got);
        }
    }
    text_release(&report);
    text_release(&expected);
}

/* Lines of a length that divides any piece: one begins where a piece begins. */
START_TEST(lines_end_with_pieces)
{
    struct query *query = query_new();

    make_folder();
    FILE *file = fopen(paths[0], "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 3000; i++) {
        fprintf(file, "{\"event\":{\"sequence\":%05d,\"x\":\"%*s\"}}\n", 10000 + i, 512 - 36, "");
    }
    ck_assert_int_eq(ftell(file), 3000 * 512);
    fclose(file);
    check_ways(1, READ_BY_TIME, query);
    query_free(query);
    remove_folder();
}
END_TEST

START_TEST(only_is_all)
{
    uint64_t state = 100 + (uint64_t)_i;
    struct query *query = query_new();
    size_t count = 1 + next_random(&state) % FILES;
    enum read_order order = next_random(&state) % 3 == 0 ? READ_BY_FILE : READ_BY_TIME;
    struct miguard_error error;

    make_folder();
    for (size_t i = 0; i < count; i++) {
        make_log(paths[i], &state, next_random(&state) % 3 == 0);
    }
    size_t at = (size_t)_i % (sizeof(conditions) / sizeof(conditions[0]));
    ck_assert_int_eq(query_add(query, conditions[at].option, conditions[at].value, &error),
                     MIGUARD_OK);
    check_ways(count, order, query);
    query_free(query);
    remove_folder();
}
END_TEST

/* ---- a literal -------------------------------------------------------------------------------
 */

static bool has_class(const void *class_name, const struct record *record)
{
    return record_is(record, RECORD_CLASS, class_name);
}

/* The records of the class, as one text, and how many lines were looked at. */
static struct text read_class(const char *class_name, const char *literal, size_t count,
                              enum read_order order, unsigned threads, uint64_t *ret_looked_at)
{
    const struct scan_filter filter = {.matches = has_class,
                                       .context = class_name,
                                       .wanted = {.list = {RECORD_CLASS}, .count = 1},
                                       .literal = literal};
    const char *files[FILES] = {paths[0], paths[1], paths[2]}, *fault = NULL;
    struct text out = TEXT_EMPTY;
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    enum read_result result;

    ck_assert_int_eq(read_open(files, count, order, &reader, NULL), MIGUARD_OK);
    ck_assert(read_only(reader, &filter, threads));
    while ((result = read_next(reader, &record, &place, &fault)) != READ_END) {
        ck_assert_int_ne(result, READ_FAILED);
        if (result == READ_RECORD) {
            text_format(&out, "%s@%llu ", place.file, (unsigned long long)place.offset);
            text_append_bytes(&out, record.line, record.length);
            text_append(&out, "\n");
        }
    }
    *ret_looked_at = read_count(reader);
    read_close(reader);
    ck_assert(!out.failed);
    return out;
}

/* Lines without the text are passed, and the records are the same; the class is written with an
 * escape in some of them, and names that cannot be looked for by their bytes are found as well. */
START_TEST(literal_is_all)
{
    static const char *const names[] = {"MG_File", "CIM_Process", "nowhere", ""};
    uint64_t state = 900 + (uint64_t)_i, all, some;
    const size_t count = 1 + next_random(&state) % FILES;
    const char *name = names[next_random(&state) % 4];
    const enum read_order order = next_random(&state) % 3 == 0 ? READ_BY_TIME : READ_BY_FILE;

    make_folder();
    for (size_t i = 0; i < count; i++) {
        make_log(paths[i], &state, next_random(&state) % 5 == 0);
    }
    struct text expected = read_class(name, NULL, count, order, 1, &all);
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct text got = read_class(name, name, count, order, threads, &some);
        ck_assert_uint_eq(got.length, expected.length);
        ck_assert(got.length == 0 || memcmp(expected.data, got.data, got.length) == 0);
        ck_assert_uint_le(some, all);
        text_release(&got);
    }
    text_release(&expected);
    remove_folder();
}
END_TEST

/* What is passed, and what is not: an escape, a name with another byte, files that are merged. */
START_TEST(literal_passes)
{
    static const char *const lines[] = {
        "{\"@timestamp\":\"2026-03-01T00:00:01Z\",\"miguard\":{\"class\":\"MG_File\"}}",
        "{\"@timestamp\":\"2026-03-01T00:00:02Z\",\"miguard\":{\"class\":\"Other\"}}",
        "{\"@timestamp\":\"2026-03-01T00:00:03Z\",\"miguard\":{\"class\":\"MG_\\u0046ile\"}}",
        "{\"@timestamp\":\"2026-03-01T00:00:04Z\",\"miguard\":{\"class\":\"a \\\"b\\\"\"}}",
        "{\"@timestamp\":\"2026-03-01T00:00:05Z\",\"miguard\":{\"class\":\"a\\/b\"}}",
        "no record",
    };
    static const struct {
        const char *name;
        enum read_order order;
        uint64_t looked_at;
        int found; /* of each file */
    } rows[] = {
        {"MG_File", READ_BY_FILE, 2 * 2, 2}, {"MG_File", READ_BY_TIME, 2 * 5, 2},
        {"nowhere", READ_BY_FILE, 2 * 1, 0}, {"a \"b\"", READ_BY_FILE, 2 * 5, 1},
        {"a/b", READ_BY_FILE, 2 * 5, 1},
    };

    make_folder();
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "we");
        ck_assert_ptr_nonnull(file);
        for (size_t j = 0; j < sizeof(lines) / sizeof(lines[0]); j++) {
            fprintf(file, "%s\n", lines[j]);
        }
        fclose(file);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t looked_at;
        int found = 0;
        struct text got = read_class(rows[i].name, rows[i].name, 2, rows[i].order, 1, &looked_at);
        for (size_t at = 0; at < got.length; at++) {
            found += got.data[at] == '\n';
        }
        ck_assert_msg(looked_at == rows[i].looked_at && found == 2 * rows[i].found,
                      "row %zu: %llu looked at, %d found", i, (unsigned long long)looked_at, found);
        text_release(&got);
    }
    remove_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_scan");
    TCase *all = tcase_create("all"), *lines = tcase_create("lines");

    tcase_set_timeout(lines, 120);
    tcase_set_tags(lines, "values");
    tcase_add_test(lines, like_is_parse);
    tcase_add_test(lines, each_byte);
    suite_add_tcase(suite, lines);

    tcase_set_timeout(all, 120);
    tcase_add_test(all, lines_end_with_pieces);
    tcase_add_test(all, values_of_one_length);
    tcase_add_test(all, arrays_of_one_length);
    tcase_add_test(all, next_line);
    tcase_add_test(all, guess_of_a_forgotten_line);
    tcase_add_test(all, layouts_byte_by_byte);
    tcase_add_test(all, answers_hold);
    tcase_add_test(all, work_of_random_lengths);
    tcase_add_test(all, work_of_arrays);
    tcase_add_test(all, work_of_many_users);
    tcase_add_test(all, old_kinds_are_forgotten);
    tcase_add_test(all, expanded_alike);
    tcase_add_test(all, depth_is_counted);
    int loops = getenv("EMULATED") != NULL ? 3 : getenv("QUICK") != NULL ? 18 : 180;
    tcase_add_loop_test(all, only_is_all, 0, loops);
    tcase_add_loop_test(all, literal_is_all, 0, loops);
    tcase_add_test(all, literal_passes);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
