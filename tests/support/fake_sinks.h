/* SPDX-License-Identifier: MIT */
/*
 * Sinks (audit/sink/sink_ops.h) that fail when a test says so and remember what they got, in place
 * of the library's: to be included by one file of a test, which is linked before the library.
 */
#ifndef SUPPORT_FAKE_SINKS_H
#define SUPPORT_FAKE_SINKS_H

#include <stdlib.h>
#include <string.h>

#include "audit/sink/sink_ops.h"
#include "base/error.h"
#include "support/fake_file.h"

enum { FAKE_LINES = 64 };

struct fake_sink {
    int open_fails; /* MIGUARD_OK, or the status that opening gives */
    int write_fails;
    unsigned count;
    char *lines[FAKE_LINES]; /* the first */
    uint64_t sequences[FAKE_LINES];
};
static struct fake_sink fake_sinks[SINK_KIND_COUNT] = {
#define FAKE_SINK(NAME, ...) [SINK_##NAME] = {.write_fails = FAKE_WORKS},
    SINK_KIND_MAP(FAKE_SINK)
#undef FAKE_SINK
};

static enum miguard_status fake_sink_open(const struct sink_settings *settings,
                                          struct sink **ret_sink, struct miguard_error *reterr)
{
    struct fake_sink *fake = &fake_sinks[settings->kind];
    if (fake->open_fails != MIGUARD_OK) {
        return error_set(reterr, (enum miguard_status)fake->open_fails, 0, "open", "no daemon");
    }
    *ret_sink = (struct sink *)fake;
    return MIGUARD_OK;
}

static bool fake_sink_write(struct sink *sink, const struct sink_record *record,
                            enum audit_loss *ret_loss)
{
    struct fake_sink *fake = (struct fake_sink *)sink;
    if (fake->write_fails != FAKE_WORKS) {
        *ret_loss = (enum audit_loss)fake->write_fails;
        return false;
    }
    if (fake->count < FAKE_LINES) {
        fake->lines[fake->count] = strdup(record->line);
        fake->sequences[fake->count] = record->sequence;
    }
    fake->count++;
    return true;
}

static void fake_sink_close(struct sink *sink)
{
    (void)sink;
}

#define FAKE_OPS(NAME, name, ops, ...)                                                             \
    const struct sink_ops sink_##ops = {SINK_##NAME, fake_sink_open, fake_sink_write,              \
                                        fake_sink_close, NULL};
SINK_BESIDE_FILE_MAP(FAKE_OPS)
#undef FAKE_OPS

/* Everything works again, and nothing is remembered. */
static void fake_reset(void)
{
    fake_lock = fake_append = fake_sync = FAKE_WORKS;
    fake_appends_left = -1;
    fake_append_after = AUDIT_LOSS_NO_SPACE;
    fake_syncs = fake_maintained = 0;
    for (int kind = 0; kind < SINK_KIND_COUNT; kind++) {
        for (unsigned i = 0; i < FAKE_LINES; i++) {
            free(fake_sinks[kind].lines[i]);
        }
        fake_sinks[kind] = (struct fake_sink){.write_fails = FAKE_WORKS};
    }
}

#endif
