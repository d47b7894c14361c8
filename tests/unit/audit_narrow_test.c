/* SPDX-License-Identifier: MIT */
/*
 * Parts of a log against the whole of it: what read_narrow() and read_cut() leave out holds nothing
 * that was asked for, in files that are in order within what narrow.h relies on, and in files whose
 * clock was set back, which are read as a whole or say how far that was. With broken and long
 * lines, several files that are one chain or not, packed ones, records of several processes, any
 * bounds, and what the library itself wrote.
 */
#include "tools/review/read.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/text.h"
#include "support/audit_generate.h"
#include "support/log_file.h"
#include "tools/review/query.h"

enum { FILES = 3, GRAIN = 16 * 1024, MINUTE = 60, HOUR = 3600 };

static char folder[64], paths[FILES][128];

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *state >> 33;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-narrow-XXXXXX");
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

static void stamp(int64_t seconds, char text[40])
{
    time_t time = (time_t)(GENERATE_START / 1000000000 + seconds);
    struct tm utc;

    gmtime_r(&time, &utc);
    strftime(text, 40, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* What was written so far, by all files of a log. */
struct writer {
    uint64_t state, sequence, chain;
    uint64_t numbers[3]; /* of three processes */
    unsigned entity;     /* theirs are 0x1234 and the next two, and this added to them */
    int64_t clock;       /* seconds behind GENERATE_START */
    bool orders;         /* records say how far their file is in order */
    /* of the file: */
    uint64_t since;
    int64_t highest, late;
};

/* The member that one of eight records has; empty for the others. */
static void write_order(struct writer *writer, int64_t time, char order[80])
{
    writer->highest = writer->since == 0 || time > writer->highest ? time : writer->highest;
    writer->late = writer->highest - time > writer->late ? writer->highest - time : writer->late;
    writer->since = writer->since == 0 ? writer->sequence + 1 : writer->since;
    order[0] = '\0';
    if (writer->orders && (writer->sequence + 1) % RECORD_ORDER_EVERY == 0) {
        snprintf(order, 80, "\"order\":{\"since\":%llu,\"late_ms\":%llu},",
                 (unsigned long long)writer->since, (unsigned long long)writer->late * 1000);
    }
}

/* A record, older than the clock at times, or ahead of it; together by less than an hour; now and
 * then it is torn, or a long line of no record comes before it. */
static void put_line(FILE *file, struct writer *writer)
{
    size_t process = next_random(&writer->state) % 3;
    int64_t age = next_random(&writer->state) % 8 == 0
                      ? (int64_t)(next_random(&writer->state) % (HOUR - 1)) - HOUR / 2
                      : 0;
    char text[40], order[80];

    stamp(writer->clock - age, text);
    write_order(writer, writer->clock - age, order);
    if (next_random(&writer->state) % 300 == 0) {
        fprintf(file, "%*s\n", (int)(next_random(&writer->state) % (3 * GRAIN)), "x");
    }
    if (next_random(&writer->state) % 40 == 0) {
        fprintf(file, "{\"@timestamp\":\"%s\",\"mess%s", text,
                next_random(&writer->state) % 2 == 0 ? "\n" : "");
    }
    fprintf(
        file,
        "{\"@timestamp\":\"%s\",\"miguard\":{\"class\":\"C%d\",%s\"chain\":{\"id\":\"%016llx\"}},"
        "\"event\":{\"id\":\"%016x-%llu\",\"sequence\":%llu},\"x\":\"%*s\"}\n",
        text, (int)(next_random(&writer->state) % 20), order, (unsigned long long)writer->chain,
        (unsigned)process + 0x1234 + writer->entity, (unsigned long long)++writer->numbers[process],
        (unsigned long long)++writer->sequence, (int)(next_random(&writer->state) % 300), "");
    writer->clock += (int64_t)(next_random(&writer->state) % 80);
}

/* back: the clock is set back once, by more than two samples can hide, or, where that is said, by
 * anything. At times the rest is a copy
 * of what another log has: its numbers are lower. */
static void make_log(const char *path, struct writer *writer, bool back, uint64_t lines)
{
    uint64_t at = back ? next_random(&writer->state) % lines : lines;
    uint64_t other = back ? next_random(&writer->state) % (2 * lines) : lines;
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    writer->since = 0;
    writer->late = 0;
    for (uint64_t i = 0; i < lines; i++) {
        if (i == other) {
            writer->sequence = 0;
            at = lines;
        }
        if (i == at) {
            writer->clock -= (writer->orders ? 0 : 4 * HOUR) +
                             (int64_t)(next_random(&writer->state) % (9 * HOUR));
        }
        put_line(file, writer);
    }
    fclose(file);
}

static bool matches(const void *context, const struct record *record)
{
    return query_matches(context, record);
}

/* The lines of the records, and where each begins. */
struct found {
    struct text text;
    size_t starts[20000], count;
    bool narrowed;
    uint64_t read;
};

/* Of a part of the logs in a new folder. */
static struct found *begin_part(void)
{
    struct found *part = calloc(1, sizeof(*part));

    ck_assert_ptr_nonnull(part);
    make_folder();
    return part;
}

static void end_part(struct found *part)
{
    text_release(&part->text);
    free(part);
    remove_folder();
}

static void take_all(struct log_reader *reader, struct found *found)
{
    struct record record;
    struct read_place place;
    const char *fault;
    enum read_result result;

    text_clear(&found->text);
    found->count = 0;
    while ((result = read_next(reader, &record, &place, &fault)) != READ_END) {
        ck_assert_int_ne(result, READ_FAILED);
        if (result == READ_RECORD) {
            found->starts[found->count++] = found->text.length;
            text_append_bytes(&found->text, record.line, record.length);
            text_append(&found->text, "\n");
        }
    }
    found->read = read_count(reader);
}

static struct log_reader *open_all(size_t count, enum read_order order, const struct query *query)
{
    struct scan_filter filter = {.matches = matches, .context = query};
    const char *files[FILES] = {paths[0], paths[1], paths[2]};
    struct log_reader *reader = NULL;

    ck_assert_int_eq(read_open(files, count, order, &reader, NULL), MIGUARD_OK);
    query_fields(query, &filter.wanted);
    ck_assert(read_only(reader, &filter, 2));
    return reader;
}

static void same(const struct found *whole, const struct found *part, size_t from)
{
    const char *expected = whole->count > 0 ? whole->text.data + from : "";
    size_t length = whole->text.length - from;

    ck_assert_msg(part->text.length == length &&
                      (length == 0 || memcmp(part->text.data, expected, length) == 0),
                  "%zu bytes, not %zu", part->text.length, length);
}

/* Bounds of any kind, often outside of the log. */
static void add_conditions(struct query *query, struct writer *writer)
{
    struct miguard_error error;
    char value[96];
    uint64_t kinds = 1 + next_random(&writer->state) % 7;
    int64_t from = (int64_t)(next_random(&writer->state) % (uint64_t)(writer->clock + HOUR));
    uint64_t first = next_random(&writer->state) % (writer->sequence + 100);

    if ((kinds & 1) != 0) {
        stamp(from, value);
        ck_assert_int_eq(query_add(query, "--start", value, &error), MIGUARD_OK);
    }
    if ((kinds & 2) != 0) {
        stamp(from + (int64_t)(next_random(&writer->state) % (6 * HOUR)), value);
        ck_assert_int_eq(query_add(query, "--end", value, &error), MIGUARD_OK);
    }
    if ((kinds & 4) != 0) {
        snprintf(value, sizeof(value), "%llu-%llu", (unsigned long long)first,
                 (unsigned long long)(first + next_random(&writer->state) % 300));
        ck_assert_int_eq(query_add(query, "--sequence", value, &error), MIGUARD_OK);
    }
}

/* Under its own name, as a log that was packed and renamed. */
static void pack_log(const char *path)
{
    char command[512];

    snprintf(command, sizeof(command), "gzip '%s' && mv '%s.gz' '%s'", path, path, path);
    ck_assert_int_eq(system(command), 0);
}

/* Of one log: what rotation leaves, given in some order, or with one file of another chain. */
static size_t make_rotated(struct writer *writer)
{
    size_t count = 2 + next_random(&writer->state) % (FILES - 1);
    size_t first = next_random(&writer->state) % count;
    size_t other = next_random(&writer->state) % 6;

    for (size_t i = 0; i < count; i++) {
        const char *path = paths[(first + i) % count];
        writer->chain = i > 0 && i == other ? 0xBEEF : 0xF00D;
        const bool back = next_random(&writer->state) % 6 == 0;
        make_log(path, writer, back, 200 + next_random(&writer->state) % 2500);
        /* Of a packed file the order of its numbers is not looked at. */
        if (!back && i + 1 < count && next_random(&writer->state) % 3 == 0) {
            pack_log(path);
        }
        writer->clock = writer->clock < 0 ? 20 * HOUR : writer->clock;
    }
    return count;
}

static size_t make_logs(struct writer *writer)
{
    if (next_random(&writer->state) % 2 == 0) {
        return make_rotated(writer);
    }
    size_t count = 1 + next_random(&writer->state) % FILES;
    bool hosts = next_random(&writer->state) % 2 == 0; /* at the same time */

    for (size_t i = 0; i < count; i++) {
        size_t length = 200 + next_random(&writer->state) % 2500; /* the arguments have no order */
        make_log(paths[i], writer, next_random(&writer->state) % 4 == 0, length);
        writer->sequence = hosts ? 0 : writer->sequence;
        writer->clock = hosts || writer->clock < 0 ? 20 * HOUR : writer->clock;
    }
    return count;
}

START_TEST(part_is_whole)
{
    struct writer writer = {.state = (uint64_t)_i * 77, .clock = 20 * HOUR, .orders = _i % 2 == 0};
    struct found *whole = calloc(2, sizeof(*whole)), *part = whole + 1;
    size_t left_out = 0;
    struct log_reader *before = NULL;

    ck_assert_ptr_nonnull(whole);
    make_folder();
    size_t count = make_logs(&writer);
    for (int i = 0; i < 20; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds;
        enum read_order order = i % 4 == 0 ? READ_BY_FILE : READ_BY_TIME;
        add_conditions(query, &writer);
        struct log_reader *reader = open_all(count, order, query);
        take_all(reader, whole);
        read_close(reader);
        reader = open_all(count, order, query);
        query_bounds(query, &bounds);
        if (before != NULL && i % 3 != 0) { /* what the reader before has seen is not read again */
            read_share_marks(reader, before);
        }
        read_close(before);
        ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
        take_all(reader, part);
        before = reader;
        same(whole, part, 0);
        left_out += part->narrowed && part->read < whole->read / 2;
        query_free(query);
    }
    read_close(before);
    /* Of use where no clock was set back: seen over all logs. */
    if (_i == 1) {
        ck_assert_uint_gt(left_out, 5);
    }
    text_release(&whole->text);
    text_release(&part->text);
    free(whole);
    remove_folder();
}
END_TEST

/* What the query has of the first file within the bounds; gives how many records were read. Frees
 * the query. */
static uint64_t read_part(struct query *query, const struct narrow_bounds *bounds, uint64_t grain,
                          struct found *part)
{
    struct log_reader *reader = open_all(1, READ_BY_TIME, query);

    ck_assert(read_narrow(reader, bounds, grain, &part->narrowed));
    take_all(reader, part);
    read_close(reader);
    query_free(query);
    return part->read;
}

/* Little more is read than what is asked for: some records of each boundary, and not a grain. */
START_TEST(boundaries_are_fine)
{
    struct writer writer = {.state = 9, .clock = 20 * HOUR};
    struct found *part = begin_part();
    struct miguard_error error;
    uint64_t read = 0;
    char value[64];

    make_log(paths[0], &writer, false, 12000);
    for (unsigned first = 1000; first < 11000; first += 500) {
        struct query *query = query_new();
        struct narrow_bounds bounds;
        snprintf(value, sizeof(value), "%u-%u", first, first + 9);
        ck_assert_int_eq(query_add(query, "--sequence", value, &error), MIGUARD_OK);
        query_bounds(query, &bounds);
        read += read_part(query, &bounds, 64 * GRAIN, part);
        ck_assert_uint_le(part->count, 10); /* of which a few are torn */
        ck_assert_uint_ge(part->count, 5);
    }
    ck_assert_uint_lt(read / 20, 500); /* a grain: 3,000 */
    end_part(part);
}
END_TEST

/* A few lines of a lower number where a boundary is looked for: all of the file is read then. */
START_TEST(disorder_at_a_boundary)
{
    enum { LINE = 512, LINES = 1000, EACH = 64 * 1024 / LINE };
    struct found *part = begin_part();
    struct query *query = query_new();
    struct narrow_bounds bounds;
    struct miguard_error error;
    char text[40];

    FILE *file = fopen(paths[0], "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 1; i <= LINES; i++) {
        bool low = i > EACH * 3 / 2 - 5 && i < EACH * 3 / 2 + 5;
        stamp(i, text);
        fprintf(file, "{\"@timestamp\":\"%s\",\"event\":{\"sequence\":%05d},\"x\":\"%*s\"}\n", text,
                low ? i - EACH * 3 / 2 + 10010 : 10000 + i, LINE - 72, "");
    }
    ck_assert_int_eq(ftell(file), LINE * LINES);
    fclose(file);
    snprintf(text, sizeof(text), "%d", 10000 + EACH * 5 / 4);
    ck_assert_int_eq(query_add(query, "--sequence", text, &error), MIGUARD_OK);
    query_bounds(query, &bounds);
    struct log_reader *reader = open_all(1, READ_BY_TIME, query);
    ck_assert(read_narrow(reader, &bounds, EACH * LINE, &part->narrowed));
    take_all(reader, part);
    ck_assert_uint_eq(part->count, 1);
    ck_assert_uint_eq(part->read, LINES);
    read_close(reader);
    query_free(query);
    end_part(part);
}
END_TEST

/* As `miguard audit search --last` does. */
START_TEST(last_are_last)
{
    struct writer writer = {.state = (uint64_t)_i * 31, .clock = 20 * HOUR};
    struct found *whole = calloc(2, sizeof(*whole)), *part = whole + 1;
    struct query *query = query_new();
    struct miguard_error error;
    bool narrowed;

    ck_assert_ptr_nonnull(whole);
    make_folder();
    size_t count = make_logs(&writer);
    if (_i % 2 == 0) {
        ck_assert_int_eq(query_add(query, "--class", "C7", &error), MIGUARD_OK);
    }
    struct log_reader *reader = open_all(count, READ_BY_TIME, query);
    take_all(reader, whole);
    read_close(reader);
    reader = open_all(count, READ_BY_TIME, query);
    ck_assert(read_narrow(reader, &narrow_all, GRAIN, &narrowed));
    ck_assert(!narrowed);
    struct narrow_bounds bounds = narrow_all;
    for (size_t marks = 1; read_cut(reader, marks, &bounds); marks *= 2) {
        struct record record;
        size_t good = 0;
        ck_assert(read_again(reader, &bounds));
        take_all(reader, part);
        for (size_t i = 0; i < part->count; i++) {
            size_t at = 0;
            int64_t time = 0;
            const char *line = part->text.data + part->starts[i];
            ck_assert_ptr_null(
                record_parse(line, (size_t)(strchr(line, '\n') - line), &record, &at));
            ck_assert(record_time(&record, RECORD_TIMESTAMP, &time));
            good += time >= bounds.start;
        }
        for (size_t last = 1; last <= good; last++) {
            size_t from = whole->starts[whole->count - last];
            size_t part_from = part->starts[part->count - last];
            ck_assert_uint_eq(whole->text.length - from, part->text.length - part_from);
            ck_assert_mem_eq(whole->text.data + from, part->text.data + part_from,
                             whole->text.length - from);
        }
        bounds = narrow_all;
    }
    ck_assert(read_again(reader, &narrow_all));
    take_all(reader, part);
    same(whole, part, 0);
    read_close(reader);
    query_free(query);
    text_release(&whole->text);
    text_release(&part->text);
    free(whole);
    remove_folder();
}
END_TEST

/* A process is found by its numbers, among those of others. */
START_TEST(number_of_a_process)
{
    struct writer writer = {.state = 5 + (uint64_t)_i, .clock = 20 * HOUR};
    struct found *part = begin_part();
    struct miguard_error error;
    char value[64];

    make_log(paths[0], &writer, false, 6000);
    size_t left_out = 0;
    for (int i = 0; i < 20; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds = narrow_all;
        size_t process = next_random(&writer.state) % 3;
        bounds.entity = process + 0x1234;
        bounds.number = writer.numbers[process] - next_random(&writer.state) % 60;
        snprintf(value, sizeof(value), "%016llx-%llu", (unsigned long long)bounds.entity,
                 (unsigned long long)bounds.number);
        ck_assert_int_eq(query_add(query, "--id", value, &error), MIGUARD_OK);
        struct log_reader *reader = open_all(1, READ_BY_TIME, query);
        ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
        take_all(reader, part);
        ck_assert_uint_eq(part->count, 1);
        left_out += part->narrowed;
        read_close(reader);
        query_free(query);
    }
    ck_assert_uint_gt(left_out, 0);
    end_part(part);
}
END_TEST

/* Little more is read than the numbers around it, though the neighbours of most samples are of
 * other processes. */
START_TEST(process_is_found_finely)
{
    struct writer writer = {.state = 11, .clock = 20 * HOUR};
    struct found *part = begin_part();
    struct miguard_error error;
    uint64_t read = 0;
    char value[64];

    make_log(paths[0], &writer, false, 12000);
    for (unsigned i = 0; i < 20; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds = narrow_all;
        bounds.entity = i % 3 + 0x1234;
        bounds.number = 300 + 150 * i;
        bounds.numbers = NARROW_NEAR;
        snprintf(value, sizeof(value), "%016llx-%llu", (unsigned long long)bounds.entity,
                 (unsigned long long)bounds.number);
        ck_assert_int_eq(query_add(query, "--id", value, &error), MIGUARD_OK);
        read += read_part(query, &bounds, 16 * GRAIN, part);
        ck_assert_uint_eq(part->count, 1);
    }
    ck_assert_uint_lt(read / 20, 300); /* a grain: 800 */
    end_part(part);
}
END_TEST

/* So it is where a process wrote in a small part of the log: behind its last sample, or before its
 * first, all others are of other processes. Each has a sample there: else it would be looked for
 * everywhere. */
START_TEST(process_of_a_part)
{
    enum { BEFORE = 16000, OWN = 9000, BEHIND = 26000, EDGE = 40, FEW = 256 * GRAIN };
    struct writer writer = {.state = 29 + (uint64_t)_i, .clock = 20 * HOUR};
    struct found *part = begin_part();
    struct miguard_error error;
    uint64_t read = 0, found = 0;
    uint64_t numbers[3]; /* of the middle part, how many */
    char value[64];

    FILE *file = fopen(paths[0], "we");
    ck_assert_ptr_nonnull(file);
    for (int line = 0; line < BEFORE + OWN + BEHIND; line++) {
        if (line == BEFORE || line == BEFORE + OWN) {
            memcpy(numbers, writer.numbers, sizeof(numbers));
            writer.entity += 0x100;
            memset(writer.numbers, 0, sizeof(writer.numbers));
        }
        put_line(file, &writer);
        writer.clock = 20 * HOUR + line;
    }
    fclose(file);
    for (unsigned i = 0; i < 2 * EDGE; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds = narrow_all;
        bounds.entity = i % 3 + 0x1334;
        bounds.number = i < EDGE ? 1 + i : numbers[i % 3] - (2 * EDGE - 1 - i);
        bounds.numbers = NARROW_NEAR;
        snprintf(value, sizeof(value), "%016llx-%llu", (unsigned long long)bounds.entity,
                 (unsigned long long)bounds.number);
        ck_assert_int_eq(query_add(query, "--id", value, &error), MIGUARD_OK);
        read += read_part(query, &bounds, FEW, part);
        found += part->count;
        ck_assert_uint_lt(part->read, BEFORE / 2);
    }
    ck_assert_uint_ge(found, 2 * EDGE - 4); /* a few are torn */
    ck_assert_uint_lt(read / (2 * EDGE), BEFORE / 4);
    /* and a process that is not there */
    struct query *query = query_new();
    struct narrow_bounds none = narrow_all;
    none.entity = 0x9999;
    none.number = 1;
    none.numbers = NARROW_NEAR;
    ck_assert_int_eq(query_add(query, "--id", "0000000000009999-1", &error), MIGUARD_OK);
    ck_assert_uint_eq(read_part(query, &none, FEW, part), 0);
    end_part(part);
}
END_TEST

/* Files that are read one behind the other need nothing of an hour before: no order is lost. */
START_TEST(files_without_a_merge)
{
    struct writer writer = {.state = 3};
    struct found *part = begin_part();
    struct query *query = query_new();
    struct narrow_bounds bounds;
    struct miguard_error error;

    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "we");
        ck_assert_ptr_nonnull(file);
        for (int line = 0; line < 6000; line++) {
            writer.clock = 20 * HOUR;
            put_line(file, &writer);
        }
        fclose(file);
    }
    ck_assert_int_eq(query_add(query, "--sequence", "9000-9009", &error), MIGUARD_OK);
    query_bounds(query, &bounds);
    struct log_reader *reader = open_all(2, READ_BY_FILE, query);
    ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
    take_all(reader, part);
    ck_assert_uint_ge(part->count, 5);
    ck_assert_uint_lt(part->read, 500);
    read_close(reader);
    query_free(query);
    end_part(part);
}
END_TEST

/* Of a chain and of several hosts: only the files of the time that is asked for are read. */
START_TEST(files_of_other_times)
{
    struct writer writer = {.state = 23, .chain = 0xF00D};
    struct found *part = begin_part();
    struct miguard_error error;
    char text[40];

    for (int i = 0; i < FILES; i++) {
        writer.clock = 1000 * i * HOUR;
        writer.sequence = _i == 0 ? writer.sequence : 0;
        make_log(paths[i], &writer, false, 2000);
    }
    for (int i = 0; i < FILES; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds;
        stamp((1000 * i - 1) * HOUR, text);
        ck_assert_int_eq(query_add(query, "--start", text, &error), MIGUARD_OK);
        stamp((1000 * i + 500) * HOUR, text);
        ck_assert_int_eq(query_add(query, "--end", text, &error), MIGUARD_OK);
        query_bounds(query, &bounds);
        struct log_reader *reader = open_all(FILES, READ_BY_TIME, query);
        ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
        take_all(reader, part);
        ck_assert_uint_ge(part->count, 1900);
        ck_assert_uint_le(part->read, i == 0 ? part->count : 2000 + 200);
        read_close(reader);
        query_free(query);
    }
    end_part(part);
}
END_TEST

/* Within the slack no part is left out, but lines of other times are passed by their first bytes:
 * torn ones of such a time are not found, others are. */
START_TEST(lines_of_other_times)
{
    static const char torn[] = "{\"@timestamp\":\"%s\",\"mess\n";
    struct query *query = query_new();
    struct narrow_bounds bounds;
    struct miguard_error error;
    struct record record;
    struct read_place place;
    const char *fault;
    bool narrowed;
    int records = 0, broken = 0;
    char text[40];

    make_folder();
    FILE *file = fopen(paths[0], "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 2000; i++) {
        stamp(i, text);
        fprintf(file, "{\"@timestamp\":\"%s\",\"event\":{\"sequence\":%d}}\n", text, i + 1);
        if (i % 1000 == 500) {
            fprintf(file, torn, text);
        }
    }
    ck_assert_int_gt(ftell(file), 4 * GRAIN);
    fclose(file);
    stamp(1200, text);
    ck_assert_int_eq(query_add(query, "--start", text, &error), MIGUARD_OK);
    query_bounds(query, &bounds);
    struct log_reader *reader = open_all(1, READ_BY_TIME, query);
    ck_assert(read_narrow(reader, &bounds, GRAIN, &narrowed));
    ck_assert(!narrowed);
    for (enum read_result result = READ_PASSED; result != READ_END;) {
        result = read_next(reader, &record, &place, &fault);
        records += result == READ_RECORD;
        broken += result == READ_BROKEN;
    }
    ck_assert_int_eq(records, 800);
    ck_assert_int_eq(broken, 1);
    read_close(reader);
    query_free(query);
    remove_folder();
}
END_TEST

/* Three files of one chain, given as 1, 2, 0 and written as 0, 1, 2 within an hour. */
static struct log_reader *open_chain(struct writer *writer, bool packed, struct query *query)
{
    struct scan_filter filter = {.matches = matches, .context = query};
    const char *files[FILES] = {paths[1], paths[2], paths[0]};
    struct log_reader *reader = NULL;

    writer->chain = 0xF00D;
    for (int i = 0; i < FILES; i++) {
        FILE *file = fopen(paths[i], "we");
        ck_assert_ptr_nonnull(file);
        for (int line = 0; line < 4000; line++) {
            writer->clock = 20 * HOUR;
            put_line(file, writer);
        }
        fclose(file);
    }
    if (packed) {
        pack_log(paths[0]);
    }
    ck_assert_int_eq(read_open(files, FILES, READ_BY_TIME, &reader, NULL), MIGUARD_OK);
    query_fields(query, &filter.wanted);
    ck_assert(read_only(reader, &filter, 2));
    return reader;
}

/* In one chain nothing hangs on the time: the files without what is asked for are not read, packed
 * or not. */
START_TEST(numbers_of_a_chain)
{
    static const struct {
        const char *numbers;
        size_t least; /* a few are torn */
    } rows[] = {{"1000-1009", 5},   {"5000-5009", 5}, {"9000-9009", 5}, {"7995-8004", 5},
                {"13000-14000", 0}, {"4000-4000", 1}, {"4001-4001", 1}, {"8001-8001", 1}};
    struct writer writer = {.state = 13};
    struct found *part = begin_part();
    struct miguard_error error;

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const bool packed =
            i % 2 == 1 && strtoul(rows[i / 2].numbers, NULL, 10) > 4000; /* else it is read */
        struct query *query = query_new();
        struct narrow_bounds bounds;
        ck_assert_int_eq(query_add(query, "--sequence", rows[i / 2].numbers, &error), MIGUARD_OK);
        query_bounds(query, &bounds);
        writer.sequence = 0;
        struct log_reader *reader = open_chain(&writer, packed, query);
        ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
        ck_assert(part->narrowed);
        take_all(reader, part);
        ck_assert_uint_ge(part->count, rows[i / 2].least);
        ck_assert_uint_lt(part->read, 500);
        read_close(reader);
        query_free(query);
    }
    end_part(part);
}
END_TEST

/* A process is looked for in the files in which its numbers stand, also at their ends and without a
 * sample behind or before it. */
START_TEST(process_in_a_chain)
{
    enum { EDGE = 12, LINES = 4000 / 3 };
    struct writer writer = {.state = 37};
    struct found *part = begin_part();
    struct miguard_error error;
    uint64_t found = 0, wanted = 0;
    char value[64];

    for (unsigned i = 0; i < 3 * 4 * EDGE; i++) {
        struct query *query = query_new();
        struct narrow_bounds bounds = narrow_all;
        bounds.entity = i % 3 + 0x1234;
        bounds.number = (uint64_t)(i / 3 / EDGE) * LINES + i / 3 % EDGE * LINES / EDGE + 1;
        bounds.numbers = NARROW_NEAR;
        snprintf(value, sizeof(value), "%016llx-%llu", (unsigned long long)bounds.entity,
                 (unsigned long long)bounds.number);
        ck_assert_int_eq(query_add(query, "--id", value, &error), MIGUARD_OK);
        writer = (struct writer){.state = 37};
        struct log_reader *reader = open_chain(&writer, false, query);
        ck_assert(read_narrow(reader, &bounds, i % 2 == 0 ? GRAIN : 8 * GRAIN, &part->narrowed));
        ck_assert(part->narrowed);
        take_all(reader, part);
        found += part->count;
        wanted += bounds.number <= writer.numbers[i % 3];
        ck_assert_uint_lt(part->read, 4000);
        read_close(reader);
        query_free(query);
    }
    ck_assert_uint_gt(wanted, 100);
    ck_assert_uint_ge(found, wanted - 4); /* a few are torn */
    end_part(part);
}
END_TEST

/* The record of that process and number, by a reader of the three files that looks for it alone. */
static void read_near(uint64_t entity, uint64_t number, uint64_t grain, struct found *part)
{
    struct query *query = query_new();
    const struct scan_filter filter = {
        .matches = matches, .context = query, .wanted = {.list = {RECORD_EVENT_ID}, .count = 1}};
    const char *files[FILES] = {paths[2], paths[1], paths[0]};
    struct narrow_bounds bounds = narrow_all;
    struct log_reader *reader = NULL;
    struct miguard_error error;
    char id[64];

    bounds.entity = entity;
    bounds.number = number;
    bounds.numbers = NARROW_NEAR;
    snprintf(id, sizeof(id), "%016llx-%llu", (unsigned long long)entity,
             (unsigned long long)number);
    ck_assert_int_eq(query_add(query, "--id", id, &error), MIGUARD_OK);
    ck_assert_int_eq(read_open(files, FILES, READ_ANY, &reader, NULL), MIGUARD_OK);
    ck_assert(read_only(reader, &filter, 2));
    ck_assert(read_narrow(reader, &bounds, grain, &part->narrowed));
    take_all(reader, part);
    read_close(reader);
    query_free(query);
}

/* The middle file is of process 2, the others are of process 1, but for one record in the middle of
 * each; the numbers of 1 do not end. */
START_TEST(process_beside_its_files)
{
    enum { LINES = 4001, MIDDLE = 2000 };
    static const struct {
        uint64_t entity, number;
        int packed; /* one of them; -1: none */
    } rows[] = {{2, 1, -1},        {2, LINES + 2, -1}, {2, 1, 2},
                {2, LINES + 2, 0}, {1, MIDDLE / 2, 1}, {1, 2 * LINES - 2 - MIDDLE / 2, 1}};
    struct found *part = begin_part();
    uint64_t numbers[3] = {0};
    char text[64];

    for (int i = 0; i < FILES * LINES; i++) {
        const int own = i / LINES == 1 || i % LINES == MIDDLE ? 2 : 1;
        FILE *file = fopen(paths[i / LINES], "ae");
        ck_assert_ptr_nonnull(file);
        stamp(i, text);
        fprintf(file,
                "{\"@timestamp\":\"%s\",\"miguard\":{\"chain\":{\"id\":\"%016x\"}},\"event\":{"
                "\"id\":\"%016x-%llu\",\"sequence\":%d}}\n",
                text, 0xF00D, (unsigned)own, (unsigned long long)++numbers[own], i + 1);
        fclose(file);
    }
    if (rows[_i].packed >= 0) {
        pack_log(paths[rows[_i].packed]);
    }
    read_near(rows[_i].entity, rows[_i].number, 8 * GRAIN, part);
    ck_assert_uint_eq(part->count, 1);
    ck_assert_uint_le(part->read, LINES + 200);
    end_part(part);
}
END_TEST

/* A process among many, of which a sample shows one record alone, in the first file or in the last
 * one: what the beginnings of the others show says where its number is. */
START_TEST(process_between_its_files)
{
    enum { LINES = 4000, BEGIN = 100, END = 2900, PROCESSES = 16, OWN = 7, SWAPPED = 2 };
    enum { EACH = (END - BEGIN) / PROCESSES };
    static const struct {
        bool shown_last; /* in the last line; else in the first one */
        uint64_t number;
    } rows[] = {{true, 50},        {false, 2 * EACH + 100}, {true, EACH},
                {false, EACH + 2}, {true, EACH + SWAPPED},  {false, EACH + 100}};
    const uint64_t shown = rows[_i].shown_last ? 0 : 1;
    struct found *part = begin_part();
    uint64_t numbers[PROCESSES] = {0};
    char text[64];

    for (int file = 0; file < FILES; file++) {
        FILE *log = fopen(paths[file], "we");
        ck_assert_ptr_nonnull(log);
        for (int line = 0; line < LINES; line++) {
            const bool first = file == 0 && line == 0,
                       last = file == FILES - 1 && line == LINES - 1;
            const int turn = line % PROCESSES;
            const bool own =
                (turn == OWN && line >= BEGIN && line < END) || (shown == 0 ? last : first);
            const int process = own ? OWN : turn == OWN ? 0 : turn;
            uint64_t number = ++numbers[process];
            /* Out of order: the last one of the first file, and one of the second. */
            if (own && number == EACH + shown) {
                number += SWAPPED;
            } else if (own && number == EACH + shown + SWAPPED) {
                number -= SWAPPED;
            }
            stamp(file * LINES + line, text);
            fprintf(log,
                    "{\"@timestamp\":\"%s\",\"miguard\":{\"chain\":{\"id\":\"%016x\"}},\"event\":{"
                    "\"id\":\"%016x-%llu\",\"sequence\":%d}}\n",
                    text, 0xF00D, 0x1234U + (unsigned)process, (unsigned long long)number,
                    file * LINES + line + 1);
        }
        fclose(log);
    }
    read_near(0x1234 + OWN, rows[_i].number, 400000, part);
    ck_assert(part->narrowed);
    ck_assert_uint_eq(part->count, 1);
    ck_assert_uint_lt(part->read, 2 * LINES + 200);
    end_part(part);
}
END_TEST

/* Its number was in a file that is gone, or is one that the file does not have yet. */
START_TEST(process_before_and_behind_its_file)
{
    enum { LINES = 6000, FIRST = 100000 };
    const uint64_t number = _i == 0 ? 5 : _i == 1 ? FIRST - 1 : FIRST + 2 * LINES;
    struct found *part = begin_part();
    struct query *query = query_new();
    struct narrow_bounds bounds = narrow_all;
    char text[64];

    FILE *file = fopen(paths[0], "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < LINES; i++) {
        stamp(i, text);
        fprintf(file, "{\"@timestamp\":\"%s\",\"event\":{\"id\":\"%016x-%d\",\"sequence\":%d}}\n",
                text, 0x1234, FIRST + i, i + 1);
    }
    fclose(file);
    bounds.entity = 0x1234;
    bounds.number = number;
    bounds.numbers = NARROW_NEAR;
    struct log_reader *reader = open_all(1, READ_BY_FILE, query);
    ck_assert(read_narrow(reader, &bounds, GRAIN, &part->narrowed));
    ck_assert(part->narrowed);
    take_all(reader, part);
    ck_assert_uint_lt(part->read, LINES / 2);
    read_close(reader);
    query_free(query);
    end_part(part);
}
END_TEST

/* The last of a chain are the last of its last file, whatever the times are. */
START_TEST(last_of_a_chain)
{
    struct writer writer = {.state = 17 + (uint64_t)_i};
    struct found *part = begin_part();
    struct query *query = query_new();
    struct narrow_bounds bounds = narrow_all;

    struct log_reader *reader = open_chain(&writer, _i == 1, query);
    ck_assert(read_narrow(reader, &bounds, 16 * GRAIN, &part->narrowed));
    ck_assert(!part->narrowed);
    ck_assert(read_cut(reader, 2, &bounds));
    ck_assert(read_again(reader, &bounds));
    take_all(reader, part);
    ck_assert_uint_lt(part->read, 300); /* a grain: 700 */
    ck_assert_ptr_nonnull(strstr(part->text.data, "\"sequence\":12000}"));
    ck_assert(read_again(reader, &narrow_all));
    take_all(reader, part);
    ck_assert_uint_gt(part->count, 10000);
    read_close(reader);
    query_free(query);
    end_part(part);
}
END_TEST

/* ---- what a file says of its order ----------------------------------------------------------- */

/* Lines of the same length, one for each second, but for some that are late. */
enum { SAID_LINE = 512, SAID_LINES = 4000, NOT_SAID = -1 };

struct said_log {
    uint64_t chain, other_chain; /* of the first lines, where not 0 */
    uint64_t first, since;
    int64_t late_ms;        /* NOT_SAID: nothing is said */
    int said_last;          /* the last line that says it; 0: of the last eight */
    int late_from, late_to; /* these lines, from 0, */
    int64_t late_by;        /* by so many seconds, */
    int64_t end_late_by;    /* and two near the end by more */
};

static void put_said(const char *path, const struct said_log *log)
{
    FILE *file = fopen(path, "we");
    char text[40], order[80];

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < SAID_LINES; i++) {
        const bool is_late = i >= log->late_from && i < log->late_to;
        const uint64_t sequence = log->first + (uint64_t)i;
        const bool is_later = i == SAID_LINES - 4 || i == SAID_LINES - 3;
        stamp(20 * HOUR + i - (is_late ? log->late_by : 0) - (is_later ? log->end_late_by : 0),
              text);
        order[0] = '\0';
        if (log->late_ms != NOT_SAID && sequence % RECORD_ORDER_EVERY == 0 &&
            (log->said_last == 0 || i <= log->said_last)) {
            snprintf(order, sizeof(order), "\"order\":{\"since\":%llu,\"late_ms\":%llu},",
                     (unsigned long long)log->since, (unsigned long long)log->late_ms);
        }
        int length = fprintf(
            file,
            "{\"@timestamp\":\"%s\",\"miguard\":{%s\"chain\":{\"id\":\"%016llx\"}},"
            "\"event\":{\"id\":\"0000000000001234-%llu\",\"sequence\":%llu}",
            text, order,
            (unsigned long long)(log->other_chain != 0 && i < 100 ? log->other_chain : log->chain),
            (unsigned long long)sequence, (unsigned long long)sequence);
        fprintf(file, ",\"x\":\"%*s\"}\n", SAID_LINE - 9 - length, "");
    }
    ck_assert_int_eq(ftell(file), SAID_LINE * SAID_LINES);
    fclose(file);
}

/* Of all files, what is from `from` to `to` seconds behind the first line. */
static void read_seconds(size_t files, int64_t from, int64_t to, struct found *part)
{
    struct query *query = query_new();
    struct narrow_bounds bounds;
    struct miguard_error error;
    char text[40];

    stamp(20 * HOUR + from, text);
    ck_assert_int_eq(query_add(query, "--start", text, &error), MIGUARD_OK);
    stamp(20 * HOUR + to, text);
    ck_assert_int_eq(query_add(query, "--end", text, &error), MIGUARD_OK);
    query_bounds(query, &bounds);
    struct log_reader *reader = open_all(files, READ_BY_TIME, query);
    ck_assert(read_narrow(reader, &bounds, 4 * GRAIN, &part->narrowed));
    take_all(reader, part);
    read_close(reader);
    query_free(query);
}

/* Whatever a file says and whatever is true: what is asked for is found, and where it is in order,
 * little is read. The late lines stand between two samples, an hour and more behind their time. */
static const struct {
    const char *what;
    struct said_log log;
    int64_t from, to;
    size_t found, most; /* read */
} saids[] = {
    {"in order: the last seconds", {1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, 3990, 3999, 10, 200},
    {"in order: a few in the middle", {1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, 2000, 2009, 10, 300},
    {"in order: the first", {1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, 0, 9, 10, 200},
    {"in order, none", {1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, 5000, 5001, 0, 200},
    {"a rotated file", {1, 0, 90001, 90001, 0, 0, 0, 0, 0, 0}, 2000, 2009, 10, 300},
    {"a part of a file", {1, 0, 90001, 80000, 0, 0, 0, 0, 0, 0}, 2000, 2009, 10, 300},
    {"late by a minute", {1, 0, 1, 1, 60000, 0, 2050, 2052, 60, 0}, 1990, 1991, 4, 500},
    {"late by hours",
     {1, 0, 1, 1, 18000000, 0, 2050, 2052, 18000, 0},
     -15950,
     -15949,
     2,
     SAID_LINES},
    {"nothing is said", {1, 0, 1, 1, NOT_SAID, 0, 2050, 2052, 3000, 0}, -950, -949, 2, SAID_LINES},
    {"of later records", {1, 0, 1, 2, 0, 0, 2050, 2052, 3000, 0}, -950, -949, 2, SAID_LINES},
    {"of another chain", {1, 2, 1, 1, 0, 0, 2050, 2052, 3000, 0}, -950, -949, 2, SAID_LINES},
    {"without a chain", {0, 0, 1, 1, 0, 0, 2050, 2052, 3000, 0}, -950, -949, 2, SAID_LINES},
    {"not at the end", {1, 0, 1, 1, 0, 3980, 2050, 2052, 3000, 0}, -950, -949, 2, SAID_LINES},
    {"behind what is said",
     {1, 0, 5, 5, 0, 0, 3996, 3998, 18000, 0},
     -14004,
     -14003,
     2,
     SAID_LINES},
    {"and by less", {1, 0, 5, 5, 0, 0, 3996, 3998, 20, 0}, 3976, 3977, 4, 300},
    {"behind late ones", {1, 0, 5, 5, 100000, 0, 3980, 4000, 100, 30}, 3866, 3867, 4, 600},
    {"a sample shows another",
     {1, 0, 1, 1, 0, 0, 1000, 1300, 3000, 0},
     -2000,
     -1999,
     2,
     SAID_LINES},
    {"the largest number",
     {1, 0, 1, 1, INT64_MAX, 0, 2050, 2052, 3000, 0},
     -950,
     -949,
     2,
     SAID_LINES},
};

START_TEST(what_a_file_says_of_its_order)
{
    struct found *part = begin_part();

    put_said(paths[0], &saids[_i].log);
    read_seconds(1, saids[_i].from, saids[_i].to, part);
    ck_assert_msg(part->count == saids[_i].found, "%s: %zu found", saids[_i].what, part->count);
    ck_assert_msg(part->read <= saids[_i].most, "%s: %llu read", saids[_i].what,
                  (unsigned long long)part->read);
    end_part(part);
}
END_TEST

/* Each file has its own: a late record in one of several. _i: of one chain, or of three hosts,
 * whose files are merged. */
START_TEST(each_file_says_its_own)
{
    struct found *part = begin_part();
    struct said_log log = {.chain = 1, .first = 1, .since = 1};

    for (int i = 0; i < FILES; i++) {
        log.chain = _i == 0 ? 1 : 1 + (uint64_t)i;
        log.first = log.since = _i == 0 ? 1 + (uint64_t)i * SAID_LINES : 1;
        log.late_from = i == 1 ? 2050 : 0;
        log.late_to = i == 1 ? 2052 : 0;
        log.late_by = i == 1 ? 18000 : 0;
        log.late_ms = i == 1 ? 18000000 : 0;
        put_said(paths[i], &log);
    }
    read_seconds(FILES, -15950, -15949, part);
    ck_assert_uint_eq(part->count, 2);
    ck_assert_uint_lt(part->read, SAID_LINES + 400);
    read_seconds(FILES, 3990, 3999, part);
    ck_assert_uint_eq(part->count, 3 * 10);
    end_part(part);
}
END_TEST

/* ---- what the library wrote ------------------------------------------------------------------ */

/* How the log came about. */
enum made { MADE_PLAINLY, MADE_ROTATED, MADE_WITH_ANOTHER, MADE_WITH_A_KILL, MADES };

static bool write_at(struct log_file *file, int64_t seconds)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    log_file_time = GENERATE_START + seconds * 1000000000;
    bool done = log_file_append(file, 1, 0, &loss, &sequence);
    log_file_time = 0;
    return done;
}

/* What an older program, or one that is killed, leaves behind: its records are there, and what the
 * state has of the order is that of before. */
static void write_without_order(struct log_file *file, int64_t seconds, bool killed)
{
    enum { ORDERS = STATE_BODY - STATE_KEPT };
    struct state_shared *shared = file->state.shared;
    char *orders = shared->repeats[STATE_REPEATS - 1].body + STATE_KEPT, before[ORDERS];
    struct state_head heads[2];
    uint32_t current = atomic_load(&shared->current);

    memcpy(before, orders, ORDERS);
    memcpy(heads, shared->head, sizeof(heads));
    ck_assert(write_at(file, seconds));
    memcpy(orders, before, ORDERS);
    if (killed) {
        memcpy(shared->head, heads, sizeof(heads));
        atomic_store(&shared->current, current);
        atomic_store(&shared->dirty, STATE_KILLED);
    }
}

/* The clock is set back by ten hours in the middle; now and then a record is late. */
static size_t make_real(enum made made, size_t records)
{
    struct sink_settings settings = log_file_settings(paths[0]);
    char name[140];
    size_t files = 1;

    settings.sync = AUDIT_SYNC_NONE;
    settings.rotate_bytes = made == MADE_ROTATED ? records * 300 : 0;
    settings.keep = 0;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < records; i++) {
        int64_t seconds = 100 * HOUR + (int64_t)i - (i > records / 2 ? 10 * HOUR : 0) -
                          (i % 170 == 169 ? (int64_t)(i % 7) * HOUR : 0);
        if (made >= MADE_WITH_ANOTHER && i % 170 == 169) {
            write_without_order(file, seconds, made == MADE_WITH_A_KILL);
        } else {
            ck_assert(write_at(file, seconds));
        }
    }
    file_close(file);
    for (; files < FILES; files++) {
        snprintf(name, sizeof(name), "%s.%zu", paths[0], files);
        if (access(name, F_OK) != 0) {
            break;
        }
        strcpy(paths[files], name);
    }
    return files;
}

static size_t count_seconds(size_t files, int64_t at, bool whole, struct found *found)
{
    struct query *query = query_new();
    struct narrow_bounds bounds;
    struct miguard_error error;
    char text[40];

    stamp(at, text);
    ck_assert_int_eq(query_add(query, "--start", text, &error), MIGUARD_OK);
    ck_assert_int_eq(query_add(query, "--end", text, &error), MIGUARD_OK);
    query_bounds(query, &bounds);
    struct log_reader *reader = open_all(files, READ_BY_TIME, query);
    ck_assert(read_narrow(reader, whole ? &narrow_all : &bounds, GRAIN, &found->narrowed));
    take_all(reader, found);
    read_close(reader);
    query_free(query);
    return found->count;
}

/* All that is late is found, as it is when all is read. */
START_TEST(what_the_library_wrote)
{
    enum { RECORDS = 1200 };
    struct found *part = begin_part();
    const size_t files = make_real((enum made)_i, RECORDS);
    unsigned found = 0;

    ck_assert_uint_eq(files, _i == MADE_ROTATED ? 3 : 1);
    for (int64_t i = 169; i < RECORDS; i += 170) {
        int64_t at = 100 * HOUR + i - (i > RECORDS / 2 ? 10 * HOUR : 0) - i % 7 * HOUR;
        size_t whole = count_seconds(files, at, true, part);
        ck_assert_uint_ge(whole, 1);
        ck_assert_uint_eq(count_seconds(files, at, false, part), whole);
        found += (unsigned)whole;
    }
    ck_assert_uint_ge(found, RECORDS / 170);
    end_part(part);
}
END_TEST

/* A log that was all written within minutes: of a search in its last seconds little is read. */
START_TEST(a_log_of_minutes)
{
    struct sink_settings settings = log_file_settings(paths[0]);
    struct found *part = begin_part();

    settings.path = paths[0];
    settings.sync = AUDIT_SYNC_NONE;
    struct log_file *file = log_file_open(&settings, true);
    for (int i = 0; i < 3000; i++) {
        ck_assert(write_at(file, 100 * HOUR + i / 10));
    }
    file_close(file);
    ck_assert_uint_eq(count_seconds(1, 100 * HOUR + 299, false, part), 10);
    ck_assert_uint_lt(part->read, 100); /* all 3,000, as long as an hour was the guess */
    ck_assert_uint_eq(count_seconds(1, 100 * HOUR + 150, false, part), 10);
    ck_assert_uint_lt(part->read, 150);
    end_part(part);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_narrow");
    TCase *all = tcase_create("all"), *random = tcase_create("random");
    int loops = getenv("FULL") != NULL       ? 300
                : getenv("EMULATED") != NULL ? 3
                : getenv("QUICK") != NULL    ? 8
                                             : 100;

    tcase_set_timeout(all, 120);
    tcase_set_timeout(random, 120);
    tcase_set_tags(random, "values");
    tcase_add_loop_test(random, part_is_whole, 0, loops);
    suite_add_tcase(suite, random);
    tcase_add_test(all, boundaries_are_fine);
    tcase_add_test(all, disorder_at_a_boundary);
    tcase_add_loop_test(all, last_are_last, 0, loops);
    tcase_add_loop_test(all, number_of_a_process, 0, 3);
    tcase_add_test(all, process_is_found_finely);
    tcase_add_loop_test(all, process_of_a_part, 0, 2);
    tcase_add_test(all, files_without_a_merge);
    tcase_add_loop_test(all, files_of_other_times, 0, 2);
    tcase_add_test(all, lines_of_other_times);
    tcase_add_test(all, numbers_of_a_chain);
    tcase_add_test(all, process_in_a_chain);
    tcase_add_loop_test(all, process_beside_its_files, 0, 6);
    tcase_add_loop_test(all, process_between_its_files, 0, 6);
    tcase_add_loop_test(all, process_before_and_behind_its_file, 0, 3);
    tcase_add_loop_test(all, last_of_a_chain, 0, 2);
    tcase_add_loop_test(all, what_a_file_says_of_its_order, 0, sizeof(saids) / sizeof(saids[0]));
    tcase_add_loop_test(all, each_file_says_its_own, 0, 2);
    tcase_add_loop_test(all, what_the_library_wrote, 0, MADES);
    tcase_add_test(all, a_log_of_minutes);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
