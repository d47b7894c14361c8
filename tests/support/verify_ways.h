/* SPDX-License-Identifier: MIT */
/* A log verified by one thread and by several, which must find the same. For the one file of a test
 * that includes it: a part of tests/support would have every test link the reader of logs. */
#ifndef SUPPORT_VERIFY_WAYS_H
#define SUPPORT_VERIFY_WAYS_H

#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/review/verify.h"

/* Everything of a report, as one text. */
static void describe(struct text *text, enum miguard_status status,
                     const struct verify_report *report)
{
    char hash[CHAIN_HEX_SIZE];

    text_format(text, "status %d\n", status);
    if (status != MIGUARD_OK) {
        return;
    }
    /* Of a line that has no end and is too long, as much counts as was passed over at once. */
    uint64_t bytes = report->count[VERIFY_UNFINISHED] > 0 ? 0 : report->bytes;
    chain_hex(report->head, hash);
    text_format(text,
                "verdict %d keyed %d proven %d chain %llx records %llu %llu-%llu head %s\n"
                "anchored %llu set aside %llu lost key %d lost %llu removed %llu files %llu bytes "
                "%llu\n",
                report->verdict, report->keyed, report->proven,
                (unsigned long long)report->chain_id, (unsigned long long)report->records,
                (unsigned long long)report->first, (unsigned long long)report->last, hash,
                (unsigned long long)report->anchored, (unsigned long long)report->set_aside,
                report->key_lost, (unsigned long long)report->lost,
                (unsigned long long)report->removed_through, (unsigned long long)report->files,
                (unsigned long long)bytes);
    for (int i = 0; i < VERIFY_KIND_COUNT; i++) {
        text_format(text, "%llu ", (unsigned long long)report->count[i]);
    }
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct verify_finding *finding = &report->findings[i];
        text_format(text, "\n%s:%llu %d %llu-%llu %llu %lld %llu %s: ",
                    finding->file != NULL ? finding->file : "", (unsigned long long)finding->line,
                    finding->kind, (unsigned long long)finding->first,
                    (unsigned long long)finding->last, (unsigned long long)finding->count,
                    (long long)finding->time, (unsigned long long)finding->key, finding->detail);
        verify_describe(finding, text);
    }
}

/* As verify_log(), which is called with the request as it is, and then with three threads and
 * pieces that cut through lines. Aborts with both reports where they differ. */
static enum miguard_status verify_both_ways(const struct verify_request *request,
                                            struct verify_report *ret_report,
                                            struct miguard_error *reterr)
{
    struct text one = {0}, several = {0};
    enum miguard_status status = verify_log(request, ret_report, reterr);

    if (request == NULL) {
        return status;
    }
    struct verify_request threads = *request;
    struct verify_report report = {0};
    threads.threads = 3;
    threads.piece = 1500;
    enum miguard_status other = verify_log(&threads, &report, NULL);
    describe(&one, status, ret_report);
    describe(&several, other, &report);
    if (one.failed || several.failed || strcmp(one.data, several.data) != 0) {
        fprintf(stderr, "one thread:\n%s\nseveral:\n%s\n", one.data, several.data);
        abort();
    }
    if (other == MIGUARD_OK) {
        verify_release(&report);
    }
    text_release(&one);
    text_release(&several);
    return status;
}

#endif
