/* SPDX-License-Identifier: MIT */
#include "support/chain_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/review/record.h"
#include "tools/review/record_expand.h"

static gid_t groups[] = {4, 27, 1000};

static const struct miguard_identity someone = {.tag = IDENTITY_TAG,
                                                .known = MIGUARD_COMPONENTS_ALL,
                                                .uid = {0, 0, 0, 0},
                                                .gid = {0, 0, 0, 0},
                                                .groups = groups,
                                                .group_count = 3};
static const struct miguard_identity another = {.tag = IDENTITY_TAG,
                                                .known = MIGUARD_COMPONENTS_ALL,
                                                .uid = {0, 65534, 0, 65534},
                                                .gid = {0, 65534, 0, 65534},
                                                .groups = groups,
                                                .group_count = 3};

static void need(bool good)
{
    if (!good) {
        abort();
    }
}

void chain_log_other_process(struct chain_log *log)
{
    log->stamp.entity = chain_id_random();
    log->stamp.number = 0;
}

void chain_log_reboot(struct chain_log *log)
{
    uint64_t a = chain_id_random(), b = chain_id_random();
    snprintf(log->boot, sizeof(log->boot), "%08x-%04x-%04x-%04x-%012llx", (unsigned)a,
             (unsigned)(a >> 32) & 0xFFFF, (unsigned)(a >> 48), (unsigned)(b >> 48),
             (unsigned long long)b & 0xFFFFFFFFFFFF);
    chain_log_other_process(log);
}

/* The boot of this system, so that a verifier takes the records for those of today. */
static void this_boot(struct chain_log *log)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && read(fd, log->boot, 36) == 36);
    close(fd);
}

void chain_log_begin(struct chain_log *log, const char *path, bool keyed)
{
    *log = (struct chain_log){.epoch_size = keyed ? 8 : 0, .oldest = 1};
    need(chain_init());
    snprintf(log->path, sizeof(log->path), "%s", path);
    if (keyed) {
        chain_key_new(&log->first);
    }
    log->head =
        (struct state_head){.chain_id = keyed ? chain_id_of_key(&log->first) : chain_id_random(),
                            .key = log->first,
                            .epoch = keyed,
                            .generation = 1};
    identity_read_process(&log->process);
    this_boot(log);
    log->stamp = (struct audit_stamp){.host_name = "host.example"};
    chain_log_other_process(log);
}

/* The body begins {"@timestamp":"2026-01-02T03:04:05. */
static void shift_clock(const struct chain_log *log, struct text *body)
{
    struct tm utc = {0};
    char stamp[32];
    time_t seconds = time(NULL) + log->clock_shift;

    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    memcpy(body->data + 15, stamp, strlen(stamp));
}

/* Without the part from `at` on that is so long, and with another text in its place. */
static void replace(struct text *line, const char *at, size_t length, const char *other)
{
    struct text made = TEXT_EMPTY;

    need(at != NULL);
    text_append_bytes(&made, line->data, (size_t)(at - line->data));
    text_append(&made, other);
    text_append(&made, at + length);
    text_release(line);
    *line = made;
}

/* The line up to its hash, as writers before had it: in full, or with identities in the form of
 * format 2. */
static void make_older(struct text *line, unsigned format)
{
    static const char end[] = "\"}}", first[] = "\"format\":1,", kind[] = "\"kind\":\"event\",";
    static const char ecs[] = "\"ecs\":" RECORD_ECS ",";
    struct text full_line = TEXT_EMPTY;
    struct record record, full;
    size_t at;

    text_append(line, end);
    need(record_parse(line->data, line->length, &record, &at) == NULL &&
         record_expand(&record, &full_line, &full) && full.line == full_line.data);
    text_release(line);
    if (format == 2) {
        const struct slice cred = full.field[RECORD_CRED_OBJECT];
        replace(&full_line, cred.at, cred.length,
                cred.length == 2
                    ? "{}"
                    : "{\"bound\":{\"uid\":0,\"gid\":0,\"groups\":[4]},\"differs\":{}}");
        replace(&full_line, strstr(full_line.data, ecs), sizeof(ecs) - 1, "");
        replace(&full_line, strstr(full_line.data, kind), sizeof(kind) - 1, "");
    }
    replace(&full_line, strstr(full_line.data, first), sizeof(first) - 1,
            format == 2 ? "\"format\":2," : "");
    *line = full_line;
    line->length -= sizeof(end) - 1;
}

void chain_log_line(struct chain_log *log, const struct audit_event *event, struct text *ret_line)
{
    char id[AUDIT_ID_SIZE], previous[CHAIN_HEX_SIZE], hash[CHAIN_HEX_SIZE];
    struct state_head *head = &log->head;

    log->stamp.process = &log->process;
    log->stamp.boot_id = log->boot;
    log->stamp.number++;
    ret_line->length = 0;
    ret_line->comma = false;
    audit_id(&log->stamp, id);
    audit_encode_body(ret_line, event, &log->stamp);
    if (log->clock_shift != 0) {
        shift_clock(log, ret_line);
    }
    chain_hex(head->hash, previous);
    struct audit_place place = {.sequence = head->sequence + 1,
                                .chain_id = head->chain_id,
                                .epoch = head->epoch,
                                .previous = previous,
                                .repeats = 1};
    audit_encode_tail(ret_line, event, id, &place);
    if (log->mixed && head->sequence % 3 != 2) {
        make_older(ret_line, 1 + (unsigned)(head->sequence % 3));
    }
    chain_hash(&head->key, ret_line->data, ret_line->length, head->hash);
    chain_key_advance(&head->key);
    head->sequence++;
    head->epoch_records++;
    if (event->action == AUDIT_ACTION_AUDIT_SEAL) {
        head->epoch++;
        head->epoch_records = 0;
        head->synced = head->sequence;
    }
    chain_hex(head->hash, hash);
    text_append(ret_line, hash);
    text_append(ret_line, AUDIT_LINE_END "\n");
    need(!ret_line->failed);
}

void chain_log_append(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    need(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    close(fd);
}

static void append_event(struct chain_log *log, const struct audit_event *event)
{
    struct text line = TEXT_EMPTY;

    chain_log_line(log, event, &line);
    chain_log_append(log->path, line.data, line.length);
    text_release(&line);
    log->in_file++;
}

static void retain(struct chain_log *log, struct audit_rotated *rotated)
{
    char name[160];

    while (log->keep != 0 && log->head.generation - log->oldest > log->keep) {
        snprintf(name, sizeof(name), "%s.%llu", log->path, (unsigned long long)log->oldest);
        unlink(name);
        log->head.removed_through = log->file_last[log->oldest % 64];
        log->oldest++;
        rotated->removed_files++;
    }
    rotated->removed_through = log->head.removed_through;
}

/* The new file has its first record when it gets its name, as with the sink. */
void chain_log_rotate(struct chain_log *log)
{
    char name[160], fresh[160];
    struct audit_rotated rotated = {0};
    struct audit_event event = {.action = AUDIT_ACTION_AUDIT_ROTATE, .rotated = &rotated};
    struct text line = TEXT_EMPTY;

    snprintf(name, sizeof(name), "%s.%llu", log->path, (unsigned long long)log->head.generation);
    snprintf(fresh, sizeof(fresh), "%s-new", log->path);
    log->file_last[log->head.generation % 64] = log->head.sequence;
    log->head.generation++;
    rotated.previous = strrchr(name, '/') + 1;
    retain(log, &rotated);
    chain_log_line(log, &event, &line);
    chain_log_append(fresh, line.data, line.length);
    text_release(&line);
    need(link(log->path, name) == 0 && rename(fresh, log->path) == 0);
    log->in_file = 1;
}

void chain_log_write(struct chain_log *log, const struct audit_event *event)
{
    struct audit_event seal = {.action = AUDIT_ACTION_AUDIT_SEAL};

    if (log->epoch_size != 0 && log->head.epoch_records + 1 >= log->epoch_size) {
        append_event(log, &seal);
    }
    if (log->rotate_every != 0 && log->in_file >= log->rotate_every) {
        chain_log_rotate(log);
    }
    append_event(log, event);
}

struct audit_event chain_log_event(uint64_t n)
{
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_IDENTITY_MATCH,
                                .operation = OPERATION_GET_INSTANCE,
                                .provider = "libweb.so",
                                .name_space = "root/cimv2",
                                .class_name = "Web_Server",
                                .context_id = 0x1234,
                                .session_id = 0x5678 + n,
                                .bound = &someone,
                                .current = &someone};
    if (n % 3 == 0) {
        event.denied = true;
        event.reason = AUDIT_REASON_IDENTITY_MISMATCH;
        event.current = &another;
        event.mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID;
    }
    return event;
}

void chain_log_fill(struct chain_log *log, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct audit_event event = chain_log_event(i);
        chain_log_write(log, &event);
    }
}

struct audit_event chain_log_loss(struct audit_lost *lost, enum audit_loss cause, uint64_t count,
                                  uint64_t first, uint64_t last)
{
    *lost = (struct audit_lost){.sink = "file",
                                .count = count,
                                .first = audit_now(),
                                .last = audit_now(),
                                .first_sequence = first,
                                .last_sequence = last,
                                .total = count};
    lost->by_cause[cause] = count;
    return (struct audit_event){.action = AUDIT_ACTION_RECORDS_LOST, .lost = lost};
}

void chain_log_lose(struct chain_log *log, enum audit_loss cause, uint64_t count, uint64_t first,
                    uint64_t last)
{
    struct audit_lost lost;
    struct audit_event event = chain_log_loss(&lost, cause, count, first, last);

    append_event(log, &event);
}
