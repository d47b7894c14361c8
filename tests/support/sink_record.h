/* SPDX-License-Identifier: MIT */
/* Finished records for the tests of sinks, made by the encoder as the log makes them. */
#ifndef SUPPORT_SINK_RECORD_H
#define SUPPORT_SINK_RECORD_H

#include <stdlib.h>
#include <string.h>

#include "audit/encode.h"
#include "audit/sink/sink_ops.h"
#include "base/text.h"

#define SINK_TEST_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct made_record {
    struct text line;
    struct audit_event event;
    struct sink_record record;
    char id[AUDIT_ID_SIZE];
};

/* A refusal: a session of this process, used as user and group 65534. */
static inline struct audit_event refusal(const char *class_name)
{
    static struct miguard_identity bound, current;

    identity_release(&bound);
    if (identity_capture(&bound, NULL) != MIGUARD_OK) {
        abort();
    }
    current = bound;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        current.uid[i] = 65534;
        current.gid[i] = 65534;
    }
    return (struct audit_event){.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                .denied = true,
                                .operation = OPERATION_GET_INSTANCE,
                                .provider = "libdisk.so",
                                .name_space = "root/cimv2",
                                .class_name = class_name,
                                .session_id = 0xabc,
                                .mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_GROUPS,
                                .bound = &bound,
                                .current = &current,
                                .rule = "web is \"read\" only",
                                .rule_source = "/etc/miguard/miguard.yaml:3:5"};
}

static inline void make_record(struct made_record *made, struct audit_event event,
                               uint64_t sequence)
{
    struct identity_process process;
    struct audit_stamp stamp = {.entity = 0x1234,
                                .number = sequence,
                                .process = &process,
                                .host_name = "host.example",
                                .boot_id = "b007"};
    struct audit_place place = {
        .sequence = sequence, .chain_id = 7, .previous = SINK_TEST_HASH, .repeats = 1};

    memset(made, 0, sizeof(*made));
    identity_read_process(&process);
    audit_id(&stamp, made->id);
    made->event = event;
    audit_encode_body(&made->line, &event, &stamp);
    audit_encode_tail(&made->line, &event, made->id, &place);
    text_append(&made->line, SINK_TEST_HASH AUDIT_LINE_END);
    if (made->line.failed) {
        abort();
    }
    made->record = (struct sink_record){.line = made->line.data,
                                        .length = made->line.length,
                                        .event = &made->event,
                                        .id = made->id,
                                        .sequence = sequence,
                                        .hash = SINK_TEST_HASH,
                                        .repeats = 1};
}

static inline void free_record(struct made_record *made)
{
    text_release(&made->line);
}

#endif
