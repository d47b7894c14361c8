/* SPDX-License-Identifier: MIT */
/* The verifier: every byte of a record matters; what writers leave when they are killed is no
 * alarm; a log may be written, rotated and compressed while it is verified; and the command. */
#include "support/verify_ways.h"
#include "tools/review/record.h"
#include "tools/review/verify.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "support/chain_log.h"
#include "support/elsewhere.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], path[128];
static struct chain_log log_made;
static struct verify_report report;

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-verify-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    report = (struct verify_report){0};
}

static void remove_folder(void)
{
    char command[128];
    verify_release(&report);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- verifying --------------------------------------------------------------------------------
 */

/* The log is being written: two readings see different ends. */
static bool growing;

static enum miguard_status verify_with(const struct chain_key *key, const struct state_head *state,
                                       struct miguard_error *reterr)
{
    const char *logs[] = {path};
    struct verify_request request = {.logs = logs,
                                     .log_count = 1,
                                     .key = key,
                                     .state = state,
                                     .look_ahead = 64,
                                     .steps = 100000,
                                     .waits = VERIFY_WAITS};

    verify_release(&report);
    if (growing) {
        request.threads = 3;
        request.piece = 1500;
        return verify_log(&request, &report, reterr);
    }
    return verify_both_ways(&request, &report, reterr);
}

static enum verify_verdict verify(bool with_state)
{
    struct miguard_error error = {0};
    const struct chain_key *key = log_made.first.present ? &log_made.first : NULL;

    ck_assert_msg(verify_with(key, with_state ? &log_made.head : NULL, &error) == MIGUARD_OK,
                  "%s: %s", error.step, error.detail);
    return report.verdict;
}

static const char *told(void)
{
    static char text[2000];
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < report.finding_count && length < 1500; i++) {
        struct text one = TEXT_EMPTY;
        verify_describe(&report.findings[i], &one);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%llu: %s: %s\n",
                                   (unsigned long long)report.findings[i].line,
                                   verify_kind_name(report.findings[i].kind), one.data);
        text_release(&one);
    }
    return text;
}

static void expect_intact(bool with_state)
{
    ck_assert_msg(verify(with_state) == VERIFY_INTACT, "%s", told());
    ck_assert_uint_eq(report.by_severity[VERIFY_ALARM], 0);
}

/* ---- files ------------------------------------------------------------------------------------
 */

struct bytes {
    char *data;
    size_t length;
};

static struct bytes read_file(const char *name)
{
    struct stat status;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    struct bytes bytes = {malloc((size_t)status.st_size + 1), (size_t)status.st_size};
    ck_assert_ptr_nonnull(bytes.data);
    ck_assert_int_eq(read(fd, bytes.data, bytes.length), (ssize_t)bytes.length);
    bytes.data[bytes.length] = '\0';
    close(fd);
    return bytes;
}

static void write_file(const char *name, const char *data, size_t length)
{
    unlink(name);
    chain_log_append(name, data, length);
}

static size_t line_start(const struct bytes *bytes, unsigned line)
{
    const char *at = bytes->data;
    while (--line > 0) {
        at = strchr(at, '\n') + 1;
    }
    return (size_t)(at - bytes->data);
}

static void compress_file(const char *name)
{
    struct bytes bytes = read_file(name);
    char packed[160];

    snprintf(packed, sizeof(packed), "%s.gz", name);
    gzFile file = gzopen(packed, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, bytes.data, (unsigned)bytes.length), (int)bytes.length);
    ck_assert_int_eq(gzclose(file), Z_OK);
    ck_assert_int_eq(unlink(name), 0);
    free(bytes.data);
}

/* ---- every byte -------------------------------------------------------------------------------
 */

static void expect_alarm_at(unsigned line, size_t offset)
{
    ck_assert_msg(report.verdict == VERIFY_TAMPERED, "byte %zu: unnoticed", offset);
    for (size_t i = 0; i < report.finding_count; i++) {
        if (verify_kind_severity(report.findings[i].kind) == VERIFY_ALARM) {
            ck_assert_msg(report.findings[i].line == line, "byte %zu: told of line %llu\n%s",
                          offset, (unsigned long long)report.findings[i].line, told());
            return;
        }
    }
    ck_abort();
}

/* Each byte of a line, or each bit of some bytes: of more with FULL=1. */
static void change_everywhere(bool keyed, bool bits)
{
    const unsigned line = 12;

    chain_log_begin(&log_made, path, keyed);
    chain_log_fill(&log_made, 20);
    struct bytes bytes = read_file(path);
    size_t begin = line_start(&bytes, line), end = line_start(&bytes, line + 1);
    size_t step = quick() ? 29 : !bits ? 1 : getenv("FULL") != NULL ? 3 : 13;
    for (size_t i = begin; i < end; i += step) {
        for (unsigned bit = 0; bit < (bits ? 8 : 1); bit++) {
            char was = bytes.data[i];
            bytes.data[i] = (char)(bits ? was ^ (1 << bit) : was == 'x' ? 'y' : 'x');
            write_file(path, bytes.data, bytes.length);
            verify(false);
            expect_alarm_at(line, i - begin);
            bytes.data[i] = was;
        }
    }
    free(bytes.data);
}

START_TEST(test_every_byte_counts)
{
    change_everywhere(_i != 0, false);
}
END_TEST

START_TEST(test_every_bit_counts)
{
    change_everywhere(_i != 0, true);
}
END_TEST

START_TEST(test_every_byte_cut_out_counts)
{
    const unsigned line = 12;

    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 20);
    struct bytes bytes = read_file(path);
    size_t begin = line_start(&bytes, line), end = line_start(&bytes, line + 1);
    char *shorter = malloc(bytes.length);
    ck_assert_ptr_nonnull(shorter);
    for (size_t i = begin; i < end; i += quick() ? 29 : 1) {
        memcpy(shorter, bytes.data, i);
        memcpy(shorter + i, bytes.data + i + 1, bytes.length - i - 1);
        write_file(path, shorter, bytes.length - 1);
        verify(false);
        expect_alarm_at(line, i - begin);
    }
    free(shorter);
    free(bytes.data);
}
END_TEST

/* "edited 7, deleted 6": the findings with their numbers. */
static const char *found_numbers(void)
{
    static char text[500];
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < report.finding_count && length < sizeof(text); i++) {
        const struct verify_finding *finding = &report.findings[i];
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%s%s %llu", i > 0 ? ", " : "",
                             verify_kind_name(finding->kind), (unsigned long long)finding->first);
        if (finding->last > finding->first) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, " to %llu",
                                       (unsigned long long)finding->last);
        }
    }
    return text;
}

/* Records 6 to 10, by a letter for each line: a digit is the last one of its number, '-' is a line
 * that is left out, 'e' one that is edited, and 'l' one that is edited and lies about its number.
 * What edited lines say is believed where it can be. */
static const struct {
    const char *lines, *lie, *found;
} beside_rows[] = {
    {"-e890", "", "edited 7, deleted 6"},
    {"e-890", "", "edited 6, deleted 7"},
    {"-e-e-", "", "edited 7, edited 9, deleted 10, deleted 8, deleted 6"},
    {"--e90", "", "edited 8, deleted 6 to 7"},
    {"-l890", "\"sequence\":5,", "edited 6, deleted 7"},
    {"-l890", "\"sequence\":8,", "edited 6, deleted 7"},
    {"-l890", "\"sequence\":6,", "edited 6, deleted 7"},
    {"-le90", "\"sequence\":8,", "edited 6, edited 7, deleted 8"},
};

/* The line, as the letter says. */
static void append_line(const char *line, size_t length, char letter, unsigned number,
                        const char *lie)
{
    char copy[4096], said[32];

    ck_assert_uint_lt(length, sizeof(copy) - 32);
    memcpy(copy, line, length);
    copy[length] = '\0';
    if (letter == 'e') {
        char *action = strstr(copy, "\"action\":\"");
        ck_assert_ptr_nonnull(action);
        action[10] = 'X';
    } else if (letter == 'l') {
        snprintf(said, sizeof(said), "\"sequence\":%u,", number);
        char *at = strstr(copy, said);
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq(strlen(said), strlen(lie));
        memcpy(at, lie, strlen(lie));
    }
    chain_log_append(path, copy, length);
}

START_TEST(test_edited_beside_deleted)
{
    const char *lines = beside_rows[_i].lines;

    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 20);
    struct bytes bytes = read_file(path);
    unlink(path);
    for (unsigned line = 1; line <= 20; line++) {
        size_t begin = line_start(&bytes, line), end = line_start(&bytes, line + 1);
        char letter = line >= 6 && line <= 10 ? lines[line - 6] : '0';
        if (letter != '-') {
            append_line(bytes.data + begin, end - begin, letter, line, beside_rows[_i].lie);
        }
    }
    ck_assert_int_eq(verify(false), VERIFY_TAMPERED);
    ck_assert_str_eq(found_numbers(), beside_rows[_i].found);
    free(bytes.data);
}
END_TEST

/* ---- honest ends ------------------------------------------------------------------------------
 */

/* A writer is killed after each byte of a record; nobody repaired it, or the next writer did. */
START_TEST(test_torn_record_is_no_alarm)
{
    struct audit_event event = chain_log_event(1);
    struct text line = TEXT_EMPTY;
    bool keyed = _i != 0;

    chain_log_begin(&log_made, path, keyed);
    chain_log_fill(&log_made, 12);
    struct bytes bytes = read_file(path);
    struct chain_log before = log_made, torn = log_made;
    chain_log_line(&torn, &event, &line);
    for (size_t length = 0; length < line.length; length += quick() ? 31 : 1) {
        log_made = before;
        write_file(path, bytes.data, bytes.length);
        chain_log_append(path, line.data, length);
        expect_intact(true);
        bool whole = length + 1 == line.length;
        ck_assert_uint_eq(report.count[VERIFY_UNFINISHED], length > 0 && !whole);
        ck_assert_uint_eq(report.records, before.head.sequence + whole);
        if (whole || length == 0) {
            continue;
        }
        chain_log_append(path, "\n", 1);
        chain_log_lose(&log_made, AUDIT_LOSS_KILLED, 1, 0, 0);
        chain_log_fill(&log_made, 5);
        expect_intact(true);
        ck_assert_msg(report.count[VERIFY_LOST] == 1 && report.lost == 1, "%s", told());
    }
    text_release(&line);
    free(bytes.data);
}
END_TEST

/* Each byte of the line that is torn, and that its newline is there: an alarm when no later record
 * counts it. */
START_TEST(test_uncounted_torn_record_is_an_alarm)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 12);
    chain_log_append(path, "{\"@timestamp\":\n", 15);
    chain_log_fill(&log_made, 5);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_BROKEN], 1);
    /* One that comes too late explains nothing. */
    chain_log_fill(&log_made, 20);
    chain_log_lose(&log_made, AUDIT_LOSS_KILLED, 1, 0, 0);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_BROKEN], 1);
}
END_TEST

/* The system goes down at each byte of the records that were not synced. */
START_TEST(test_crash_is_no_alarm)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 12);
    struct bytes bytes = read_file(path);
    struct chain_log kept = log_made;
    chain_log_fill(&log_made, 2);
    struct bytes all = read_file(path);
    struct chain_log before = log_made;
    for (size_t length = bytes.length; length < all.length; length += quick() ? 61 : 1) {
        log_made = before;
        write_file(path, all.data, length);
        uint64_t left = kept.head.sequence;
        bool torn = all.data[length - 1] != '\n';
        for (size_t i = bytes.length; i < length; i++) {
            left += all.data[i] == '\n';
        }
        left += torn && all.data[length] == '\n'; /* it lacks nothing but its newline */
        if (torn) {
            chain_log_append(path, "\n", 1);
        }
        chain_log_reboot(&log_made);
        chain_log_lose(&log_made, AUDIT_LOSS_CRASH, log_made.head.sequence - left, left + 1,
                       log_made.head.sequence);
        chain_log_fill(&log_made, 3);
        expect_intact(true);
        ck_assert_uint_ge(report.by_severity[VERIFY_LOSS], 1);
        ck_assert_uint_eq(report.lost, before.head.sequence - left);
    }
    free(bytes.data);
    free(all.data);
}
END_TEST

/* Records were lost, as the head says, and a loss is declared by who has the key in use. */
static void lose_records(uint64_t count, bool reboot)
{
    struct audit_event event = chain_log_event(0);
    struct text line = TEXT_EMPTY;
    uint64_t first = log_made.head.sequence + 1;

    for (uint64_t i = 0; i < count; i++) {
        chain_log_line(&log_made, &event, &line);
    }
    text_release(&line);
    if (reboot) {
        chain_log_reboot(&log_made);
    }
    chain_log_lose(&log_made, AUDIT_LOSS_CRASH, count, first, first + count - 1);
}

static const struct {
    uint64_t count;
    bool reboot, good;
} crashes[] = {
    {3, true, true},
    {3, false, false}, /* the system had not gone down */
    {CHAIN_EPOCH_RECORDS, true, true},
    {CHAIN_EPOCH_RECORDS + 1, true, false}, /* one of them was a seal, and so on the disk */
};

START_TEST(test_what_a_crash_can_take)
{
    chain_log_begin(&log_made, path, true);
    log_made.epoch_size = 0;
    chain_log_fill(&log_made, 3);
    lose_records(crashes[_i].count, crashes[_i].reboot);
    ck_assert_msg((verify(true) == VERIFY_INTACT) == crashes[_i].good, "%s", told());
    ck_assert_uint_eq(report.count[VERIFY_FALSE_LOSS], !crashes[_i].good);
}
END_TEST

/* A declaration must come at once, and must count all that it is to explain. */
START_TEST(test_declarations_explain_no_more_than_they_say)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 3);
    chain_log_append(path, "torn\ntoo\n", 9);
    chain_log_lose(&log_made, AUDIT_LOSS_KILLED, 1, 0, 0);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_BROKEN], 1);

    unlink(path);
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 3);
    chain_log_reboot(&log_made);
    struct audit_event event = chain_log_event(0);
    struct text line = TEXT_EMPTY;
    chain_log_line(&log_made, &event, &line);
    text_release(&line);
    chain_log_fill(&log_made, 20);
    chain_log_lose(&log_made, AUDIT_LOSS_CRASH, 1, 4, 4);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_DELETED], 1);
}
END_TEST

/* Whatever a forged log declares: a finding is about something. */
START_TEST(test_every_finding_has_a_count)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 3);
    chain_log_lose(&log_made, AUDIT_LOSS_KILLED, 0, 0, 0);
    struct audit_lost lost;
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_UNREACHABLE, 0, 0, 0);
    lost.sink = "syslog";
    chain_log_write(&log_made, &event);
    verify(true);
    ck_assert_uint_eq(report.count[VERIFY_LOST], 2);
    for (size_t i = 0; i < report.finding_count; i++) {
        ck_assert_uint_gt(report.findings[i].count, 0);
        ck_assert_uint_le(report.findings[i].first, report.findings[i].last);
    }
}
END_TEST

static void skip_records(int count)
{
    struct audit_event event = chain_log_event(0);
    struct text line = TEXT_EMPTY;

    for (int i = 0; i < count; i++) {
        chain_log_line(&log_made, &event, &line);
    }
    text_release(&line);
}

/* Records 4, 5, 7 and 8 were lost honestly; record 6 was moved behind the record that tells so. The
 * alarm of the gap that this makes must not go when a piece of it is explained. */
START_TEST(test_a_piece_explains_no_whole_gap)
{
    struct audit_event event = chain_log_event(0);
    struct text moved = TEXT_EMPTY;

    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 3);
    skip_records(2);
    chain_log_line(&log_made, &event, &moved);
    skip_records(2);
    chain_log_reboot(&log_made);
    chain_log_lose(&log_made, AUDIT_LOSS_CRASH, 2, 4, 5);
    chain_log_append(path, moved.data, moved.length);
    chain_log_lose(&log_made, AUDIT_LOSS_CRASH, 2, 7, 8);
    text_release(&moved);
    ck_assert_msg(verify(true) == VERIFY_TAMPERED, "%s", told());
    ck_assert_uint_eq(report.count[VERIFY_DELETED], 1);
    ck_assert_uint_eq(report.by_severity[VERIFY_ALARM], 1);
}
END_TEST

/* The state knows of a record that the file has not, and nobody opened the log since. */
static const struct {
    bool reboot;
    uint64_t synced;
    enum verify_kind kind;
} tails[] = {
    {true, 4, VERIFY_LOST_TAIL},
    {true, 5, VERIFY_CUT},
    {false, 4, VERIFY_CUT},
};

START_TEST(test_what_is_missing_at_the_end)
{
    struct audit_event event = chain_log_event(0);
    struct text line = TEXT_EMPTY;

    chain_log_begin(&log_made, path, true);
    if (tails[_i].reboot) {
        chain_log_reboot(&log_made);
    }
    chain_log_fill(&log_made, 4);
    chain_log_line(&log_made, &event, &line);
    text_release(&line);
    log_made.head.synced = tails[_i].synced;
    verify(true);
    ck_assert_msg(report.count[tails[_i].kind] == 1, "%s", told());
}
END_TEST

START_TEST(test_the_state_has_another_record)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 4);
    log_made.head.hash[7] ^= 1;
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_HEAD], 1);
}
END_TEST

START_TEST(test_first_epoch)
{
    chain_log_begin(&log_made, path, true);
    log_made.head.epoch = 5;
    chain_log_fill(&log_made, 4);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_EPOCH], 1);
}
END_TEST

START_TEST(test_other_losses_are_no_alarm)
{
    static const enum audit_loss causes[] = {AUDIT_LOSS_NO_SPACE, AUDIT_LOSS_IO_ERROR,
                                             AUDIT_LOSS_BUSY, AUDIT_LOSS_KILLED,
                                             AUDIT_LOSS_UNREACHABLE};
    chain_log_begin(&log_made, path, true);
    for (int i = 0; i < LENGTH(causes); i++) {
        chain_log_fill(&log_made, 3);
        chain_log_lose(&log_made, causes[i], 7, 0, 0);
    }
    struct audit_lost lost;
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_UNREACHABLE, 5, 0, 0);
    lost.sink = "syslog";
    chain_log_write(&log_made, &event);
    expect_intact(true);
    ck_assert_uint_eq(report.count[VERIFY_LOST], LENGTH(causes) + 1);
    ck_assert_uint_eq(report.lost, 7 * LENGTH(causes));
}
END_TEST

START_TEST(test_retention_is_no_alarm)
{
    chain_log_begin(&log_made, path, true);
    log_made.rotate_every = 10;
    log_made.keep = 3;
    chain_log_fill(&log_made, 200);
    expect_intact(true);
    ck_assert_uint_eq(report.files, 4);
    ck_assert_uint_gt(report.first, 1);
    ck_assert_uint_eq(report.first, report.removed_through + 1);
    ck_assert_uint_eq(report.count[VERIFY_REMOVED], 1);
    /* One file more than retention took. */
    char name[160];
    snprintf(name, sizeof(name), "%s.%llu", path, (unsigned long long)log_made.oldest);
    ck_assert_int_eq(unlink(name), 0);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_MISSING_START], 1);
}
END_TEST

START_TEST(test_clock_and_processes)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 5);
    log_made.clock_shift = -86400;
    for (int i = 0; i < 20; i++) {
        chain_log_other_process(&log_made);
        chain_log_fill(&log_made, 1);
    }
    chain_log_reboot(&log_made);
    chain_log_fill(&log_made, 5);
    expect_intact(true);
    ck_assert_uint_eq(report.count[VERIFY_CLOCK], 1);
    ck_assert_uint_eq(report.by_severity[VERIFY_NOTICE], 1);
}
END_TEST

/* An epoch has as many records as it may have; and one that goes on for too long. */
START_TEST(test_epochs)
{
    chain_log_begin(&log_made, path, true);
    log_made.epoch_size = CHAIN_EPOCH_RECORDS;
    chain_log_fill(&log_made, 2 * CHAIN_EPOCH_RECORDS + 100);
    expect_intact(true);
    log_made.epoch_size = 0;
    chain_log_fill(&log_made, CHAIN_EPOCH_RECORDS + 100);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_EPOCH], 1);
}
END_TEST

/* ---- formats ----------------------------------------------------------------------------------
 */

static unsigned format_of(const char *line)
{
    struct record record;
    uint64_t format = 1;
    size_t at;

    ck_assert_ptr_null(record_parse(line, strcspn(line, "\n"), &record, &at));
    (void)record_number(&record, RECORD_FORMAT, &format);
    ck_assert_ptr_nonnull(record.field[RECORD_DECISION].at);
    ck_assert_ptr_nonnull(record.field[RECORD_CODE].at);
    ck_assert_ptr_nonnull(record.field[RECORD_MESSAGE].at);
    return (unsigned)format;
}

/* Programs of different versions write to one log: from one record to the next, and over the end of
 * a file. The chain is one, and a changed byte is found in each format. */
START_TEST(test_formats_are_mixed)
{
    unsigned seen = 0;

    chain_log_begin(&log_made, path, _i != 0);
    log_made.mixed = true;
    log_made.rotate_every = 40;
    chain_log_fill(&log_made, 150);
    expect_intact(true);
    ck_assert_uint_eq(report.records, log_made.head.sequence);
    ck_assert_uint_ge(report.files, 4);
    struct bytes bytes = read_file(path);
    for (unsigned line = 4; line < 10; line++) {
        size_t begin = line_start(&bytes, line), middle = begin + 500;
        seen |= 1U << format_of(bytes.data + begin);
        char was = bytes.data[middle];
        bytes.data[middle] = was == 'x' ? 'y' : 'x';
        write_file(path, bytes.data, bytes.length);
        ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
        bytes.data[middle] = was;
    }
    write_file(path, bytes.data, bytes.length);
    expect_intact(true);
    ck_assert_uint_eq(seen, 1U << 1 | 1U << 2 | 1U << 3);
    free(bytes.data);
}
END_TEST

/* ---- compressed -------------------------------------------------------------------------------
 */

START_TEST(test_compressed_files)
{
    char name[160];

    chain_log_begin(&log_made, path, true);
    log_made.rotate_every = 20;
    chain_log_fill(&log_made, 70);
    snprintf(name, sizeof(name), "%s.1", path);
    compress_file(name);
    snprintf(name, sizeof(name), "%s.2", path);
    compress_file(name);
    expect_intact(true);
    ck_assert_uint_eq(report.records, log_made.head.sequence);

    strcat(name, ".gz");
    struct bytes bytes = read_file(name);
    for (size_t cut = 1; cut < bytes.length; cut += bytes.length / (quick() ? 5 : 50)) {
        write_file(name, bytes.data, cut);
        ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    }
    bytes.data[bytes.length / 2] ^= 1;
    write_file(name, bytes.data, bytes.length);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    free(bytes.data);
}
END_TEST

/* ---- while it is written ----------------------------------------------------------------------
 */

/* Writes in pieces, as a write that is short or a slow disk would show it, and publishes the head
 * only then. */
static void write_on(int head_pipe, bool rotate)
{
    log_made.rotate_every = rotate ? 25 : 0;
    log_made.keep = rotate ? 6 : 0;
    for (uint64_t i = 0;; i++) {
        struct audit_event event = chain_log_event(i);
        struct text line = TEXT_EMPTY;
        chain_log_write(&log_made, &event);
        if (i % 7 == 0) {
            struct audit_event seal = {.action = AUDIT_ACTION_AUDIT_STOP};
            chain_log_line(&log_made, &seal, &line);
            chain_log_append(path, line.data, line.length / 2);
            usleep(500);
            chain_log_append(path, line.data + line.length / 2, line.length - line.length / 2);
            text_release(&line);
            log_made.in_file++;
        }
        ssize_t sent = write(head_pipe, &log_made.head, sizeof(log_made.head));
        if (sent < 0) {
            _exit(0);
        }
        usleep(200);
    }
}

static void drain(int fd, struct state_head *head)
{
    struct state_head next;
    while (read(fd, &next, sizeof(next)) == (ssize_t)sizeof(next)) {
        *head = next;
    }
}

START_TEST(test_verify_while_it_is_written)
{
    int ends[2];
    struct state_head head;

    growing = true;
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 30);
    log_made.in_file = 30;
    head = log_made.head;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    fflush(NULL);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        write_on(ends[1], _i != 0);
    }
    ck_assert_int_gt(writer, 0);
    close(ends[1]);
    uint64_t most = 0;
    for (int i = 0; i < (quick() ? 30 : 300); i++) {
        struct miguard_error error = {0};
        drain(ends[0], &head);
        ck_assert_msg(verify_with(&log_made.first, &head, &error) == MIGUARD_OK, "%s: %s",
                      error.step, error.detail);
        ck_assert_msg(report.verdict == VERIFY_INTACT, "round %d, head %llu: %s", i,
                      (unsigned long long)head.sequence, told());
        ck_assert_uint_ge(report.last, head.sequence);
        most = report.last > most ? report.last : most;
    }
    kill(writer, SIGKILL);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
    close(ends[0]);
    ck_assert_uint_gt(most, 30);
}
END_TEST

/* ---- limits -----------------------------------------------------------------------------------
 */

START_TEST(test_many_findings_are_counted)
{
    chain_log_begin(&log_made, path, true);
    for (int i = 0; i < 3 * VERIFY_KEEP; i++) {
        chain_log_append(path, "no record\n", 10);
        chain_log_lose(&log_made, AUDIT_LOSS_KILLED, 1, 0, 0);
        struct audit_event event = {.action = AUDIT_ACTION_AUDIT_SEAL};
        chain_log_write(&log_made, &event);
    }
    expect_intact(false);
    ck_assert_uint_eq(report.count[VERIFY_LOST], 3 * VERIFY_KEEP);
    ck_assert_uint_eq(report.finding_count, VERIFY_KEEP);
    for (int i = 0; i < 3 * VERIFY_KEEP; i++) {
        struct audit_event event = chain_log_event(0);
        chain_log_append(path, "no record\n", 10);
        chain_log_write(&log_made, &event);
    }
    ck_assert_int_eq(verify(false), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_BROKEN], 3 * VERIFY_KEEP);
    ck_assert_uint_eq(report.finding_count, 2 * VERIFY_KEEP);
}
END_TEST

START_TEST(test_long_and_strange_lines)
{
    char *wide = malloc(3 << 20);

    ck_assert_ptr_nonnull(wide);
    memset(wide, 'a', 3 << 20);
    wide[(3 << 20) - 1] = '\n';
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 5);
    chain_log_append(path, wide, 3 << 20);
    chain_log_append(path, "\0\0\0\n\xff\xfe\n[]\n{}\n", 13);
    chain_log_fill(&log_made, 5);
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.records, log_made.head.sequence);
    ck_assert_uint_eq(report.count[VERIFY_EDITED] + report.count[VERIFY_DELETED], 0);
    chain_log_append(path, wide, (3 << 20) - 1); /* unfinished */
    ck_assert_int_eq(verify(true), VERIFY_TAMPERED);
    ck_assert_uint_eq(report.count[VERIFY_UNFINISHED], 1);
    free(wide);
}
END_TEST

START_TEST(test_nothing_to_verify)
{
    struct miguard_error error = {0};
    struct chain_key no_key = {0};

    ck_assert_int_eq(verify_with(NULL, NULL, &error), MIGUARD_NOT_FOUND);
    chain_log_append(path, "", 0);
    ck_assert_int_eq(verify_with(NULL, NULL, &error), MIGUARD_OK);
    ck_assert_int_eq(report.verdict, VERIFY_UNPROVEN);
    ck_assert_int_eq(verify_with(&no_key, NULL, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(verify_log(NULL, &report, &error), MIGUARD_INVALID_ARGUMENT);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_ne(verify_with(NULL, NULL, &error), MIGUARD_OK);
    rmdir(path);
}
END_TEST

static bool stop_it(void *context, uint64_t done, uint64_t total)
{
    ck_assert_uint_le(done, total);
    ++*(int *)context;
    return false;
}

START_TEST(test_progress_ends_it)
{
    const char *logs[] = {path};
    int calls = 0;
    struct verify_request request = {
        .logs = logs, .log_count = 1, .progress = stop_it, .context = &calls};
    struct miguard_error error = {0};

    chain_log_begin(&log_made, path, false);
    chain_log_fill(&log_made, 5000);
    ck_assert_int_eq(verify_log(&request, &report, &error), MIGUARD_BAD_STATE);
    ck_assert_int_eq(calls, 1);
}
END_TEST

/* ---- the command ------------------------------------------------------------------------------
 */

static const char *output(void)
{
    static char text[20000];
    char name[128];
    snprintf(name, sizeof(name), "%s/out", folder);
    struct bytes bytes = read_file(name);
    snprintf(text, sizeof(text), "%s", bytes.data);
    free(bytes.data);
    return text;
}

static int command(const char *arguments)
{
    const char *out = getenv("OUT");
    char line[1000];
    snprintf(line, sizeof(line), "%s/miguard audit verify %s > %s/out 2>&1 < /dev/null",
             out != NULL ? out : "build", arguments, folder);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void save_key(void)
{
    char name[128], text[CHAIN_KEY_TEXT_SIZE];
    snprintf(name, sizeof(name), "%s/key", folder);
    chain_key_text(&log_made.first, text);
    write_file(name, text, strlen(text));
    ck_assert_int_eq(chmod(name, 0600), 0);
}

static int on_log(const char *format)
{
    char arguments[800];
    snprintf(arguments, sizeof(arguments), format, folder, folder, folder);
    return command(arguments);
}

static void expect_said(const char *what)
{
    ck_assert_msg(strstr(output(), what) != NULL, "no '%s' in: %s", what, output());
}

START_TEST(test_command_says_intact)
{
    char hash[CHAIN_HEX_SIZE], head[160];

    chain_log_begin(&log_made, path, true);
    log_made.rotate_every = 500;
    chain_log_fill(&log_made, 1100);
    save_key();
    ck_assert_int_eq(on_log("--key %s/key %s/audit.jsonl"), 3);
    chain_hex(log_made.head.hash, hash);
    snprintf(head, sizeof(head), "head %llu:%s (keep it outside this host)",
             (unsigned long long)log_made.head.sequence, hash);
    expect_said("intact as far as it goes: 1,");
    expect_said("3 files, chain ");
    expect_said(head);
    ck_assert_int_eq(on_log("%s/audit.jsonl"), 3);
    expect_said("the key is needed");
    ck_assert_int_eq(on_log("--json --key %s/key %s/audit.jsonl"), 3);
    expect_said("\"verdict\":\"unproven\"");
    expect_said("\"end_proven\":false");
    char arguments[400];
    snprintf(arguments, sizeof(arguments), "--key %s/key --head %llu:%s %s", folder,
             (unsigned long long)log_made.head.sequence, hash, path);
    ck_assert_int_eq(command(arguments), 0);
    expect_said("intact: 1,");
    snprintf(arguments, sizeof(arguments), "--key=%s/key --head=%llu:%s %s", folder,
             (unsigned long long)log_made.head.sequence + 1, hash, path);
    ck_assert_int_eq(command(arguments), 1);
    expect_said("alarm: cut: ");
}
END_TEST

START_TEST(test_command_without_key)
{
    chain_log_begin(&log_made, path, false);
    chain_log_fill(&log_made, 10);
    ck_assert_int_eq(on_log("%s/audit.jsonl"), 3);
    expect_said(
        "intact as far as it goes, but without a key: who can write the file can make it anew");
    log_made.first.present = true;
    save_key();
    ck_assert_int_eq(on_log("--key %s/key %s/audit.jsonl"), 1);
    expect_said("wrong-key");
}
END_TEST

START_TEST(test_command_tells_losses)
{
    chain_log_begin(&log_made, path, true);
    chain_log_fill(&log_made, 10);
    chain_log_lose(&log_made, AUDIT_LOSS_NO_SPACE, 12, 0, 0);
    save_key();
    ck_assert_int_eq(on_log("--key %s/key %s/audit.jsonl"), 3);
    expect_said("loss: lost: 12 records are declared as lost (no-space)");
    ck_assert_int_eq(on_log("--strict --key %s/key %s/audit.jsonl"), 1);
}
END_TEST

/* A file's name is outside text, too. */
START_TEST(test_command_output_is_safe)
{
    char wild[160];

    snprintf(wild, sizeof(wild), "%s/a\033[31m.jsonl", folder);
    chain_log_append(wild, "no record\n", 10);
    ck_assert_int_eq(on_log("%s/a*.jsonl"), 1);
    ck_assert_ptr_null(strchr(output(), '\033'));
    ck_assert_int_eq(on_log("--json %s/a*.jsonl"), 1);
    ck_assert_ptr_null(strchr(output(), '\033'));
}
END_TEST

static const struct {
    const char *arguments;
    int status;
    const char *said;
} usages[] = {
    {"--help", 0, "usage: miguard audit verify"},
    {"-h", 0, "usage: miguard audit verify"},
    {"--heads 1 x", 2, "--head"},
    {"--head", 2, ""},
    {"--head 5 x", 2, "'5' is not a head"},
    {"--head 0:0000000000000000000000000000000000000000000000000000000000000000 x", 2,
     "not a head"},
    {"--head -1:0000000000000000000000000000000000000000000000000000000000000000 x", 2,
     "not a head"},
    {"--head 1:000000000000000000000000000000000000000000000000000000000000000 x", 2, "not a head"},
    {"--head 1:00000000000000000000000000000000000000000000000000000000000000ZZ x", 2,
     "not a head"},
    {"--key /dev/null x", 2, "not a verification key"},
    {"--key /nowhere/key x", 3, "/nowhere/key"},
    {"--key - x", 2, "not a verification key"},
    {"/nowhere/audit.jsonl", 3, "/nowhere"},
};

START_TEST(test_command_usage)
{
    ck_assert_int_eq(command(usages[_i].arguments), usages[_i].status);
    expect_said(usages[_i].said);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit verify");
    TCase *tests = tcase_create("all"), *bytes = tcase_create("bytes");

    if (!chain_init()) {
        return 1;
    }
    tcase_set_timeout(bytes, 600);
    tcase_set_tags(bytes, "values");
    tcase_add_checked_fixture(bytes, make_folder, remove_folder);
    tcase_add_loop_test(bytes, test_every_byte_counts, 0, 2);
    tcase_add_loop_test(bytes, test_every_bit_counts, 0, 2);
    tcase_add_test(bytes, test_every_byte_cut_out_counts);
    suite_add_tcase(suite, bytes);

    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_loop_test(tests, test_edited_beside_deleted, 0,
                        sizeof(beside_rows) / sizeof(beside_rows[0]));
    tcase_add_loop_test(tests, test_torn_record_is_no_alarm, 0, 2);
    tcase_add_test(tests, test_uncounted_torn_record_is_an_alarm);
    tcase_add_test(tests, test_crash_is_no_alarm);
    tcase_add_loop_test(tests, test_what_a_crash_can_take, 0, LENGTH(crashes));
    tcase_add_test(tests, test_declarations_explain_no_more_than_they_say);
    tcase_add_test(tests, test_every_finding_has_a_count);
    tcase_add_test(tests, test_a_piece_explains_no_whole_gap);
    tcase_add_loop_test(tests, test_what_is_missing_at_the_end, 0, LENGTH(tails));
    tcase_add_test(tests, test_the_state_has_another_record);
    tcase_add_test(tests, test_first_epoch);
    tcase_add_test(tests, test_other_losses_are_no_alarm);
    tcase_add_test(tests, test_retention_is_no_alarm);
    tcase_add_test(tests, test_clock_and_processes);
    tcase_add_test(tests, test_epochs);
    tcase_add_loop_test(tests, test_formats_are_mixed, 0, 2);
    tcase_add_test(tests, test_compressed_files);
    tcase_add_loop_test(tests, test_verify_while_it_is_written, 0, 2);
    tcase_add_test(tests, test_many_findings_are_counted);
    tcase_add_test(tests, test_long_and_strange_lines);
    tcase_add_test(tests, test_nothing_to_verify);
    tcase_add_test(tests, test_progress_ends_it);
    tcase_add_test(tests, test_command_says_intact);
    tcase_add_test(tests, test_command_without_key);
    tcase_add_test(tests, test_command_tells_losses);
    tcase_add_test(tests, test_command_output_is_safe);
    tcase_add_loop_test(tests, test_command_usage, 0, LENGTH(usages));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
