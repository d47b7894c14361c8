/* SPDX-License-Identifier: MIT */
/*
 * What a record costs: the whole of audit_write() for a real refusal, not durable; of that the
 * appending to the log file, chained with a key, of a record that was encoded before; and made
 * durable by group commit of eight threads, against one fdatasync(2) for each record.
 *
 * Part of the bench program.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/encode.h"
#include "audit/file/file.h"
#include "bench/measure.h"

void bench_audit(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { ROUNDS = 21, CALLS = 2000, DURABLE = 200, THREADS = 8 };

static char folder[64], path[96];
static struct text body = TEXT_EMPTY;
static const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                         .reason = AUDIT_REASON_IDENTITY_MISMATCH,
                                         .denied = true,
                                         .operation = OPERATION_GET_INSTANCE,
                                         .provider = "libprocess.so",
                                         .name_space = "root/cimv2",
                                         .class_name = "CIM_Process",
                                         .mismatch = MIGUARD_COMPONENT_FSUID};

static struct log_process process = {
    .entity = 1,
    .process = {.executable = "/usr/sbin/server", .pid = 1},
    .host = {.nodename = "host"},
};
static struct batch_pool pool;

static struct log_file *open_log(enum audit_sync sync)
{
    struct sink_settings settings = SINK_FILE_DEFAULT(NULL);
    struct log_file *file = NULL;

    settings.path = path;
    settings.sync = sync;
    if (file_open(&settings, &process, &file, NULL) != MIGUARD_OK) {
        abort();
    }
    return file;
}

static struct batch *take_batch(void)
{
    struct batch *batch = batch_take(&pool);

    if (batch == NULL) {
        abort();
    }
    return batch;
}

static uint64_t append(struct log_file *file, struct batch *batch)
{
    const struct file_record record = {.event = &event,
                                       .body = body.data,
                                       .body_length = body.length,
                                       .id = "0123456789abcdef-1",
                                       .repeats = 1};
    enum audit_loss loss;

    if (!file_lock(file, &loss) || !file_append(file, batch, &record, &loss)) {
        abort();
    }
    file_unlock(file);
    return batch->sync_through;
}

static double append_many(struct log_file *file)
{
    static double times[ROUNDS];
    struct batch *batch = take_batch();

    for (int round = -1; round < ROUNDS; round++) { /* -1 warms up */
        double start = nanoseconds();
        for (int i = 0; i < CALLS; i++) {
            append(file, batch);
        }
        times[round < 0 ? 0 : round] = (nanoseconds() - start) / CALLS;
    }
    batch_give(batch);
    qsort(times, ROUNDS, sizeof(times[0]), by_value);
    return times[ROUNDS / 2];
}

/* A refusal as the guard gives it: the session is root's or whoever runs this, the caller another,
 * and both identities are whole. Each is written: nothing is grouped. Left out are fdatasync(2),
 * which a refusal waits for by default, and names that have to be looked up again after 10 s. */
static double write_whole(void)
{
    static double times[ROUNDS];
    static const struct audit_last_switch last = {(const void *)(uintptr_t)getenv, 1};
    struct sink_settings sink = SINK_FILE_DEFAULT(NULL);
    struct audit_settings settings = {.sinks = &sink, .sink_count = 1};
    struct miguard_identity *bound = NULL, *current = NULL;
    struct audit_event refusal = event;
    struct audit *audit = NULL;

    sink.path = path;
    sink.sync = AUDIT_SYNC_NONE;
    if (miguard_identity_capture(&bound, NULL) != MIGUARD_OK ||
        miguard_identity_capture(&current, NULL) != MIGUARD_OK ||
        audit_open(&settings, &audit, NULL) != MIGUARD_OK) {
        abort();
    }
    current->uid[IDENTITY_FS] = 65534;
    refusal.bound = bound;
    refusal.current = current;
    refusal.last_switch = &last;
    refusal.call_site = (const void *)(uintptr_t)getenv;
    refusal.rule = "default";
    refusal.rule_source = "built-in";
    for (int round = -1; round < ROUNDS; round++) {
        double start = nanoseconds();
        for (int i = 0; i < CALLS; i++) {
            refusal.session_id = refusal.operation_id = (uint64_t)i + 1;
            if (audit_write(audit, &refusal) != MIGUARD_OK) {
                abort();
            }
        }
        times[round < 0 ? 0 : round] = (nanoseconds() - start) / CALLS;
    }
    audit_close(audit);
    miguard_identity_free(bound);
    miguard_identity_free(current);
    qsort(times, ROUNDS, sizeof(times[0]), by_value);
    return times[ROUNDS / 2];
}

static void *append_durably(void *context)
{
    struct batch *batch = take_batch();
    enum audit_loss loss;

    for (int i = 0; i < DURABLE; i++) {
        if (!file_sync(context, append(context, batch), &loss)) {
            abort();
        }
    }
    batch_give(batch);
    return NULL;
}

/* Nanoseconds for a record of eight threads that are all at it. */
static double group_commit(struct log_file *file)
{
    pthread_t threads[THREADS];
    double start = nanoseconds();

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, append_durably, file) != 0) {
            abort();
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    return (nanoseconds() - start) / (THREADS * DURABLE);
}

/* The same bytes, with one fdatasync(2) each. */
static double one_by_one(void)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/plain", folder);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    double start = nanoseconds();

    for (int i = 0; i < DURABLE; i++) {
        if (write(fd, body.data, body.length) < 0 || fdatasync(fd) != 0) {
            abort();
        }
    }
    double each = (nanoseconds() - start) / DURABLE;
    close(fd);
    unlink(name);
    return each;
}

void bench_audit(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    struct chain_key key;
    char id[AUDIT_ID_SIZE], command[128];
    double ratios[3];

    strcpy(folder, "/tmp/miguard-bench-XXXXXX");
    if (mkdtemp(folder) == NULL || !chain_init()) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    chain_key_new(&key);
    if (file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL) != MIGUARD_OK) {
        abort();
    }
    batch_pool_init(&pool);
    pool.has_file = true;
    pool.sync = AUDIT_SYNC_ALL; /* so that a batch has the number of its last record */
    stamp_encode(&process, &event, &body, id);
    tell("a whole refusal written: encoded, chained, not durable", write_whole() / 1000, "us", 6);
    struct log_file *file = open_log(AUDIT_SYNC_NONE);
    tell("of it the append of a record encoded before", append_many(file) / 1000, "us", 3);
    file_close(file);
    file = open_log(AUDIT_SYNC_ALL);
    for (int i = 0; i < 3; i++) {
        double alone = one_by_one();
        ratios[i] = group_commit(file) / alone;
    }
    file_close(file);
    qsort(ratios, 3, sizeof(ratios[0]), by_value);
    tell("audit append, durable, 8 threads / one fdatasync per record", ratios[1], "x", 1.0 / 3);
    text_release(&body);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0) {
        fprintf(stderr, "bench: %s is left over\n", folder);
    }
}
