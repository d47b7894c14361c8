/* SPDX-License-Identifier: MIT */
#include "support/log_file.h"

#include "model/record_fields.h"
#include "model/record_limits.h"
#include <ftw.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "identity/read.h"
#include "support/record.h"
#include "tools/review/record.h"

unsigned log_file_own_records, log_file_refused;
int64_t log_file_time;

/* ---- the folder ------------------------------------------------------------------------------ */

bool log_file_folder(char ret_folder[LOG_FILE_FOLDER])
{
    strcpy(ret_folder, "/dev/shm/miguard-test-XXXXXX");
    if (mkdtemp(ret_folder) != NULL) {
        return true;
    }
    strcpy(ret_folder, "/tmp/miguard-test-XXXXXX");
    return mkdtemp(ret_folder) != NULL;
}

static int remove_below(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type;
    return place->level > 0 ? remove(path) : 0;
}

bool log_file_empty(const char *folder)
{
    return nftw(folder, remove_below, 8, FTW_DEPTH | FTW_PHYS) == 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static struct log_process process = {
    .process = {.executable = "/bin/test", .pid = 1},
    .host = {.nodename = "here"},
};
static struct batch_pool pool;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void init_pool(void)
{
    batch_pool_init(&pool);
    pool.has_sinks = pool.has_file = true;
    pool.sync = AUDIT_SYNC_ALL; /* so that a batch has the number of its last record */
}

static struct batch *take_batch(void)
{
    pthread_once(&pool_once, init_pool);
    atomic_store(&process.entity, (uint64_t)getpid());
    return batch_take(&pool);
}

/* own: how many of its records are no records of the file's own. */
static void give_batch(struct batch *batch, size_t callers)
{
    for (size_t i = 0; i + callers < batch->out_count; i++) {
        const struct sink_record record = batch_record(batch, i);
        log_file_own_records += record.length == strlen(record.line) && strlen(record.hash) == 64;
    }
    batch_give(batch);
}

struct sink_settings log_file_settings(const char *path)
{
    struct sink_settings settings = SINK_FILE_DEFAULT(NULL);
    settings.path = path;
    return settings;
}

struct log_file *log_file_open(const struct sink_settings *settings, bool report)
{
    struct miguard_error error = {0};
    struct log_file *file = NULL;

    if (file_open(settings, &process, &file, &error) != MIGUARD_OK && report) {
        printf("file_open: %s: %s\n", error.step, error.detail);
    }
    return file;
}

static bool append_event(struct log_file *file, const struct audit_event *event,
                         enum audit_loss *ret_loss, uint64_t *ret_sequence)
{
    struct batch *batch = take_batch();
    char id[AUDIT_ID_SIZE];

    if (batch == NULL) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    stamp_encode(&process, event, &batch->body, id);
    if (log_file_time != 0) {
        audit_set_time(batch->body.data, batch->body.length, log_file_time);
    }
    const struct file_record record = {.event = event,
                                       .body = batch->body.data,
                                       .body_length = batch->body.length,
                                       .id = id,
                                       .repeats = 1};
    bool done = !batch->body.failed && file_append(file, batch, &record, ret_loss);
    if (batch->body.failed) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
    }
    if (done) {
        *ret_sequence = batch->sync_through;
    }
    give_batch(batch, done);
    return done;
}

static bool append_gap(struct log_file *file, enum audit_loss *ret_loss)
{
    const struct state_loss *pending = &file_state(file)->pending[SINK_FILE];
    struct audit_lost lost = {.sink = "file",
                              .first = pending->first,
                              .last = pending->last,
                              .first_sequence = pending->first_sequence,
                              .last_sequence = pending->last_sequence};
    const struct audit_event event = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = &lost};
    uint64_t sequence;

    for (int i = 0; i < AUDIT_LOSS_COUNT; i++) {
        lost.by_cause[i] = pending->by_cause[i];
        lost.count += pending->by_cause[i];
        lost.total += file_state(file)->lost_total[i];
    }
    return lost.count == 0 || append_event(file, &event, ret_loss, &sequence);
}

bool log_file_append(struct log_file *file, unsigned id, size_t padding, enum audit_loss *ret_loss,
                     uint64_t *ret_sequence)
{
    enum { DETAIL = AUDIT_MAX_DETAIL }; /* of what a record keeps most */
    char name[32], *pad = calloc(1, padding + 1), detail[DETAIL + 1] = "";
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE, .name_space = name};

    snprintf(name, sizeof(name), "id-%u", id);
    memset(pad, 'x', padding);
    if (padding > DETAIL + AUDIT_MAX_TEXT) {
        abort();
    }
    memcpy(detail, pad, padding < DETAIL ? padding : DETAIL);
    event.policy_detail = detail[0] != '\0' ? detail : NULL;
    if (padding > DETAIL) {
        event.rule = event.rule_source = "padded";
        event.rule_reason = pad + DETAIL;
    }
    if (!file_lock(file, ret_loss)) {
        free(pad);
        return false;
    }
    bool done = append_gap(file, ret_loss) && append_event(file, &event, ret_loss, ret_sequence);
    if (!done) {
        log_file_refused++;
        file_state(file)->pending[SINK_FILE].by_cause[*ret_loss]++;
        file_state(file)->lost_total[*ret_loss]++;
    }
    file_unlock(file);
    free(pad);
    return done;
}

void log_file_begin(struct log_file *file)
{
    const struct audit_event event = {.action = AUDIT_ACTION_AUDIT_START};
    enum audit_loss loss;
    uint64_t sequence;

    if (!file_lock(file, &loss)) {
        return;
    }
    if (!append_event(file, &event, &loss, &sequence)) {
        log_file_refused++;
    }
    file_unlock(file);
}

/* ---- checking -------------------------------------------------------------------------------- */

enum { HOLES = 64 };

struct walk {
    struct log_check *check;
    struct chain_key key;
    char previous[CHAIN_HEX_SIZE], chain[32];
    uint64_t sequence, epoch;
    bool begun;
    uint64_t since; /* of the last record of this file that says it; 0: none did */
    struct seen {
        uint64_t sequence;
        int64_t time;
    } * seen; /* of this file */
    size_t seen_count;
    uint64_t holes[HOLES][2];
    unsigned hole_count;
};

__attribute__((format(printf, 2, 3))) static void blame(struct walk *walk, const char *format, ...)
{
    va_list arguments;

    if (walk->check->breaks++ == 0) {
        va_start(arguments, format);
        vsnprintf(walk->check->problem, sizeof(walk->check->problem), format, arguments);
        va_end(arguments);
    }
}

static const json_t *member(const json_t *value, const char *dotted)
{
    char copy[96], *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", dotted);
    for (char *key = strtok_r(copy, ".", &rest); key != NULL; key = strtok_r(NULL, ".", &rest)) {
        value = json_object_get(value, key);
    }
    return value;
}

static const char *string_in(const json_t *record, const char *dotted)
{
    const char *text = json_string_value(member(record, dotted));
    return text == NULL ? "" : text;
}

static uint64_t number_in(const json_t *record, const char *dotted)
{
    return (uint64_t)json_integer_value(member(record, dotted));
}

static void jump(struct walk *walk, uint64_t sequence)
{
    walk->check->missing += sequence - walk->sequence - 1;
    if (walk->hole_count < HOLES) {
        walk->holes[walk->hole_count][0] = walk->sequence + 1;
        walk->holes[walk->hole_count++][1] = sequence - 1;
    }
    while (walk->sequence + 1 < sequence) {
        chain_key_advance(&walk->key);
        walk->sequence++;
    }
}

static void check_place(struct walk *walk, const json_t *record, const char *line, size_t length)
{
    uint64_t sequence = number_in(record, "event.sequence");
    unsigned char hash[CHAIN_HASH_SIZE];
    char hex[CHAIN_HEX_SIZE];

    if (walk->begun && strcmp(string_in(record, "miguard.chain.id"), walk->chain) != 0) {
        blame(walk, "%llu: another chain", (unsigned long long)sequence);
    }
    if (sequence <= walk->sequence) {
        blame(walk, "%llu after %llu", (unsigned long long)sequence,
              (unsigned long long)walk->sequence);
        return;
    }
    if (sequence != walk->sequence + 1) {
        jump(walk, sequence);
    } else if (strcmp(string_in(record, "miguard.chain.prev"), walk->previous) != 0) {
        blame(walk, "%llu: wrong predecessor", (unsigned long long)sequence);
    }
    if (number_in(record, "miguard.chain.epoch") != walk->epoch) {
        blame(walk, "%llu: wrong epoch", (unsigned long long)sequence);
    }
    chain_hash(&walk->key, line, length - 64 - 3, hash);
    chain_hex(hash, hex);
    if (strcmp(hex, string_in(record, "event.hash")) != 0) {
        blame(walk, "%llu: wrong hash", (unsigned long long)sequence);
    }
    chain_key_advance(&walk->key);
    snprintf(walk->previous, sizeof(walk->previous), "%s", string_in(record, "event.hash"));
    snprintf(walk->chain, sizeof(walk->chain), "%s", string_in(record, "miguard.chain.id"));
    walk->sequence = sequence;
    walk->begun = true;
}

/* What it says of the order is so, seen from the records of the file that stand before it. */
static void check_order(struct walk *walk, const json_t *record)
{
    const char *text = string_in(record, "@timestamp");
    uint64_t since = number_in(record, "miguard.order.since"), late = 0;
    uint64_t sequence = number_in(record, "event.sequence");
    int64_t highest = INT64_MIN;
    struct seen *seen = &walk->seen[walk->seen_count++ % LOG_FILE_IDS];

    seen->sequence = sequence;
    if (!record_parse_time(text, strlen(text), &seen->time) || walk->seen_count > LOG_FILE_IDS) {
        blame(walk, "%llu: no time, or too many", (unsigned long long)sequence);
        return;
    }
    if (since == 0) {
        walk->check->unordered += sequence % RECORD_ORDER_EVERY == 0;
        return;
    }
    for (size_t i = 0; i < walk->seen_count; i++) {
        const int64_t time = walk->seen[i].time;
        if (walk->seen[i].sequence >= since) {
            highest = time > highest ? time : highest;
            late = (uint64_t)(highest - time) > late ? (uint64_t)(highest - time) : late;
        }
    }
    walk->check->orders += since != walk->since;
    walk->since = since;
    if (number_in(record, "miguard.order.late_ms") * 1000000 < late) {
        blame(walk, "%llu: late by %llu ns", (unsigned long long)sequence,
              (unsigned long long)late);
    }
}

static void note_gap(struct walk *walk, const json_t *record)
{
    uint64_t first = number_in(record, "miguard.lost.first_sequence");
    uint64_t last = number_in(record, "miguard.lost.last_sequence");
    const char *cause;
    json_t *value;

    walk->check->gaps++;
    json_object_foreach((json_t *)member(record, "miguard.lost.causes"), cause, value)
    {
        for (int i = 0; i < AUDIT_LOSS_COUNT; i++) {
            if (strcmp(cause, audit_losses[i].name) == 0) {
                walk->check->lost[i] += (uint64_t)json_integer_value(value);
                walk->check->lost_all += (uint64_t)json_integer_value(value);
            }
        }
    }
    for (unsigned i = 0; i < walk->hole_count; i++) {
        if (walk->holes[i][0] >= first && walk->holes[i][1] <= last) {
            walk->holes[i][0] = walk->holes[i][1] + 1;
        }
    }
}

static void note_what(struct walk *walk, const json_t *record)
{
    struct log_check *check = walk->check;
    const char *action = string_in(record, "event.action");
    const char *name = string_in(record, "miguard.namespace");
    size_t length = strlen(check->steps);

    if (strcmp(action, "audit-seal") == 0) {
        check->seals++;
        walk->epoch++;
    } else if (strcmp(action, "audit-rotate") == 0) {
        check->rotations++;
        check->removed_through = number_in(record, "miguard.rotated.removed_through");
    } else if (strcmp(action, "records-lost") == 0) {
        note_gap(walk, record);
    } else if (strcmp(action, "audit-space") == 0) {
        check->spaces++;
        snprintf(check->steps + length, sizeof(check->steps) - length, "%s ",
                 string_in(record, "miguard.space.step"));
    } else if (strncmp(name, "id-", 3) == 0) {
        check->seen[atoi(name + 3)]++;
    }
}

static void check_line(struct walk *walk, const char *line, size_t length)
{
    json_t *record = record_json(line, length);

    if (length == 0) {
        return;
    }
    if (!json_is_object(record)) {
        walk->check->broken_lines++;
        json_decref(record);
        return;
    }
    walk->check->records++;
    check_place(walk, record, line, length);
    check_order(walk, record);
    note_what(walk, record);
    json_decref(record);
}

static bool check_file(struct walk *walk, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (file == NULL) {
        return false;
    }
    const unsigned orders = walk->check->orders;
    walk->since = 0;
    walk->seen_count = 0;
    while ((length = getline(&line, &size, file)) > 0) {
        if (line[length - 1] != '\n') {
            walk->check->broken_lines++;
            blame(walk, "%s: the last line has no end", path);
        } else {
            check_line(walk, line, (size_t)length - 1);
        }
    }
    free(line);
    fclose(file);
    walk->check->files++;
    walk->check->short_files += walk->check->orders == orders;
    return true;
}

/* A rotation that was begun leaves two names of one file. */
static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_ino == other.st_ino;
}

void log_file_check(const char *path, const struct chain_key *first, struct log_check *ret_check)
{
    char name[256];
    struct walk walk = {.check = ret_check, .epoch = first->present ? 1 : 0, .key = *first};

    walk.seen = calloc(LOG_FILE_IDS, sizeof(*walk.seen));
    memset(ret_check, 0, sizeof(*ret_check));
    memset(walk.previous, '0', CHAIN_HEX_SIZE - 1);
    for (int i = 1, absent = 0; absent < 40; i++) {
        snprintf(name, sizeof(name), "%s.%d", path, i);
        absent = !same_file(name, path) && check_file(&walk, name) ? 0 : absent + 1;
    }
    if (!check_file(&walk, path)) {
        blame(&walk, "there is no log");
    }
    for (unsigned i = 0; i < walk.hole_count; i++) {
        ret_check->unexplained += walk.holes[i][1] + 1 - walk.holes[i][0];
    }
    ret_check->last_sequence = walk.sequence;
    free(walk.seen);
}

void log_file_round(struct log_file *file)
{
    struct batch *batch = take_batch();

    if (batch != NULL) {
        file_maintain(file, batch);
        give_batch(batch, 0);
    }
}

void *log_file_maintain(void *file)
{
    while (file_background_wait(file, 60000)) {
        log_file_round(file);
    }
    return NULL;
}
