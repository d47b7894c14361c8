/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a log: never a crash, a leak or a hang, and an answer that agrees with itself. The
 * first byte says what the verifier is given beside them: 1 the key of the seeds, 2 a state that
 * has more records, 4 a head. No input can forge a hash, so with the key no more good records come
 * out than the lines that hold one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/review/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good)
{
    if (!good) {
        abort();
    }
}

static void check(const struct verify_report *report, const uint8_t *data, size_t size, bool key)
{
    uint64_t alarms = 0, lines = 1;

    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
    }
    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        alarms += verify_kind_severity(i) == VERIFY_ALARM ? report->count[i] : 0;
    }
    need(alarms == report->by_severity[VERIFY_ALARM]);
    need((report->verdict == VERIFY_TAMPERED) == (alarms > 0));
    need(report->records <= lines);
    need(report->verdict != VERIFY_INTACT || report->proven);
    need(!report->proven || key || !report->keyed);
    need(report->finding_count <= 4 * VERIFY_KEEP);
    for (size_t i = 0; i < report->finding_count; i++) {
        struct text text = TEXT_EMPTY;
        need(report->findings[i].kind < VERIFY_KIND_COUNT && report->findings[i].count > 0);
        need(report->findings[i].line <= lines + 1);
        verify_describe(&report->findings[i], &text);
        text_release(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    static struct chain_key key = {.present = true, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    const struct state_head state = {.chain_id = chain_id_of_key(&key), .sequence = 40};
    const struct verify_head head = {.sequence = 3};
    const char *logs[] = {path};
    struct verify_report report;

    if (size == 0) {
        return 0;
    }
    if (fd < 0) {
        fd = memfd_create("verify", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        need(fd >= 0 && chain_init());
    }
    need(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
    struct verify_request request = {.logs = logs,
                                     .log_count = 1,
                                     .key = (data[0] & 1) != 0 ? &key : NULL,
                                     .state = (data[0] & 2) != 0 ? &state : NULL,
                                     .heads = &head,
                                     .head_count = (data[0] & 4) != 0,
                                     .look_ahead = 16,
                                     .steps = 100};
    need(verify_log(&request, &report, NULL) == MIGUARD_OK);
    check(&report, data + 1, size - 1, request.key != NULL);
    verify_release(&report);
    return 0;
}
