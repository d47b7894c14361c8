/* SPDX-License-Identifier: MIT */
/*
 * Records without a log: each is encoded as in libmiguard and handed to the program at once. Called
 * by the guard, in place of src/audit/log.c; core.c opens it.
 *
 * What encode.c takes from a log's memory (kept pieces, names, digests) is answered here with "not
 * kept" and "not known": so neither a thread nor libsodium is needed.
 */
#include "core/records.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/utsname.h>

#include "audit/digest.h"
#include "audit/encode.h"
#include "audit/memory.h"
#include "audit/record_names.h"
#include "base/fork.h"
#include "base/process.h"
#include "identity/cut.h"
#include "identity/read.h"

struct audit {
    miguard_record_function record;
    void *data;
    pthread_mutex_t lock;    /* while a forked child reads its own process */
    _Atomic uint64_t entity; /* the process (process_epoch()) that process below is about */
    struct identity_process process;
    struct utsname host;
    char boot_id[64];
    _Atomic uint64_t lost;
};

static struct audit records = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Names this boot, as in each record of libmiguard. Without /proc the member is left out. */
static void read_boot_id(char boot_id[64])
{
    if (read_proc_file("/proc/sys/kernel/random/boot_id", boot_id, 64) < 0) {
        boot_id[0] = '\0';
    }
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

struct audit *records_open(miguard_record_function record, void *data)
{
    records.record = record;
    records.data = data;
    uname(&records.host);
    read_boot_id(records.boot_id);
    identity_read_process(&records.process);
    atomic_store(&records.entity, process_epoch());
    return &records;
}

uint64_t records_lost(void)
{
    return atomic_load_explicit(&records.lost, memory_order_relaxed);
}

/* A forked child is another process in its records. entity changes last: a thread that sees the new
 * one sees the rest, too. */
static void note_process(struct audit *audit)
{
    if (atomic_load_explicit(&audit->entity, memory_order_acquire) == process_epoch()) {
        return;
    }
    pthread_mutex_lock(&audit->lock);
    if (atomic_load(&audit->entity) != process_epoch()) {
        identity_read_process(&audit->process);
        atomic_store(&audit->entity, process_epoch());
    }
    pthread_mutex_unlock(&audit->lock);
}

/* The line, with its NUL. False without memory. */
static bool encode_record(struct audit *audit, const struct audit_event *event, struct text *line,
                          char ret_id[AUDIT_ID_SIZE])
{
    const struct audit_stamp stamp = {
        .entity = atomic_load_explicit(&audit->entity, memory_order_relaxed),
        .number = process_next_number(),
        .process = &audit->process,
        .host_name = audit->host.nodename,
        .boot_id = audit->boot_id,
    };
    const struct audit_place nowhere = {.repeats = 1};

    audit_id(&stamp, ret_id);
    audit_encode_body(line, event, &stamp);
    audit_encode_tail(line, event, ret_id, &nowhere);
    text_append(line, &AUDIT_LINE_END[1]); /* there is no hash, and so no quote to end */
    return !line->failed;
}

enum miguard_status audit_write_id(struct audit *audit, const struct audit_event *event,
                                   char ret_id[AUDIT_ID_SIZE])
{
    struct text line = TEXT_EMPTY;

    ret_id[0] = '\0';
    if (process_is_stuck()) {
        return MIGUARD_AUDIT_FAILED;
    }
    note_process(audit);
    bool kept = encode_record(audit, event, &line, ret_id) &&
                audit->record(audit->data, line.data, line.length);
    text_release(&line);
    if (kept) {
        return MIGUARD_OK;
    }
    atomic_fetch_add_explicit(&audit->lost, 1, memory_order_relaxed);
    ret_id[0] = '\0';
    return MIGUARD_AUDIT_FAILED;
}

enum miguard_status audit_write(struct audit *audit, const struct audit_event *event)
{
    char id[AUDIT_ID_SIZE];
    return audit_write_id(audit, event, id);
}

/* Across fork(2), called by guard.c. */
void audit_lock(struct audit *audit)
{
    fork_take(&audit->lock);
}

void audit_unlock(struct audit *audit, bool child)
{
    (void)child;
    pthread_mutex_unlock(&audit->lock);
}

/* ---- long texts ---------------------------------------------------------------------------------
 */

/* A log bounds its records, and marks a cut text with a hash. Here nothing is cut: the program gets
 * the whole of what it gave. */
bool cut_fits(const char *text, size_t limit)
{
    (void)text, (void)limit;
    return true;
}

/* Of a name that the directory gives (identity/directory.c), which no record here has. */
size_t cut_text(const char *text, size_t limit, char *buffer)
{
    size_t length = strnlen(text, limit + 1);

    length = length > limit ? cut_whole(text, limit) : length;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    return length;
}

/* ---- what encode.c asks a log's memory ----------------------------------------------------------
 */

bool names_find(struct audit_names *names, enum directory_kind kind, uint32_t id,
                char name[DIRECTORY_NAME])
{
    (void)names, (void)kind, (void)id, (void)name;
    return false;
}

bool pieces_recall(struct pieces *pieces, const struct piece_key *key, struct text *text)
{
    (void)pieces, (void)key, (void)text;
    return false;
}

void pieces_keep(struct pieces *pieces, const struct piece_key *key, const char *text,
                 size_t length)
{
    (void)pieces, (void)key, (void)text, (void)length;
}

/* Not called without a memory to keep pieces in. */
bool memory_recall(struct audit_memory *memory, const struct miguard_identity *bound,
                   const struct miguard_identity *current, struct text *text,
                   struct piece_key *ret_key)
{
    (void)memory, (void)bound, (void)current, (void)text, (void)ret_key;
    return false;
}
