/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a collected store, and as what came another way: never a crash, a leak or a hang,
 * and an answer that agrees with itself. The first byte says what is given beside them: 1 the key
 * of the seeds of verify_fuzz, 2 the bytes as heads, too, 4 little memory, so that places are
 * sorted in a file, 8 a store that begins later. All questions are asked of it, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/review/fleet.h"
#include "tools/review/fleet_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good)
{
    if (!good) {
        abort();
    }
}

static void check_row(const struct fleet_row *row, uint64_t lines, bool key)
{
    const struct verify_report *report = &row->report;

    need(row->host != NULL);
    need(report->records + row->duplicates <= lines && row->reordered <= lines);
    need(report->finding_count <= 4 * VERIFY_KEEP);
    need(!fleet_row_proven(row) || report->anchored > 0);
    need(!report->proven || key || !report->keyed);
    need((report->verdict == VERIFY_TAMPERED) == (report->by_severity[VERIFY_ALARM] > 0));
    for (size_t i = 0; i < report->finding_count; i++) {
        struct text text = TEXT_EMPTY;
        verify_describe(&report->findings[i], &text);
        text_release(&text);
    }
}

/* Each line is a record of one chain, or counted as none; packed bytes have lines of their own. */
static void check(const struct fleet_report *report, bool key)
{
    uint64_t records = 0;

    need(report->broken + report->unchained <= report->lines + 1);
    for (size_t i = 0; i < report->row_count; i++) {
        check_row(&report->rows[i], report->lines, key);
        records += report->rows[i].report.records + report->rows[i].duplicates;
    }
    need(records + report->broken + report->unchained <= report->lines + 1);
}

/* No markup of a record gets into the page, and no control character to a terminal. */
static void check_answers(const char *const *places, uint8_t options)
{
    struct fleet_answers answers = {.now = INT64_C(1800000000000000),
                                    .since = (options & 16) != 0 ? INT64_C(1700000000000000) : 0,
                                    .days = 1,
                                    .bucket = 1800,
                                    .user = "root",
                                    .source = "store"};
    struct text text = TEXT_EMPTY;

    memset(answers.wanted, true, sizeof(answers.wanted));
    need(fleet_ask(places, 1, &answers, NULL) == MIGUARD_OK);
    fleet_write_text(&text, &answers, 3);
    for (size_t i = 0; i < text.length; i++) {
        need((unsigned char)text.data[i] >= ' ' || text.data[i] == '\n');
    }
    fleet_write_json(&text, &answers, 3);
    fleet_write_page(&text, &answers, 3, 0);
    need(!text.failed && strstr(text.data, "<script") == NULL);
    text_release(&text);
    fleet_answers_release(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    static struct fleet_key key = {{.present = true, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}}, "host"};
    const char *places[] = {path};
    struct fleet_report report;

    if (size == 0) {
        return 0;
    }
    if (fd < 0) {
        fd = memfd_create("fleet", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        need(fd >= 0);
    }
    need(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
    const struct fleet_request request = {.places = places,
                                          .place_count = 1,
                                          .heads = places,
                                          .head_count = (data[0] & 2) != 0,
                                          .keys = &key,
                                          .key_count = data[0] & 1,
                                          .run = (data[0] & 4) != 0 ? 2 : 0,
                                          .partial = (data[0] & 8) != 0,
                                          .look_ahead = 16,
                                          .steps = 100,
                                          .now = INT64_C(1800000000000000000),
                                          .silent = 1,
                                          .slack = INT64_C(1000000000)};
    need(fleet_verify(&request, &report, NULL) == MIGUARD_OK);
    check(&report, request.key_count != 0);
    fleet_release(&report);
    check_answers(places, data[0]);
    return 0;
}
