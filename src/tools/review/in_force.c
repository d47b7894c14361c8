/* SPDX-License-Identifier: MIT */
/*
 * Finds in the records which policy each process has in force, for `miguard policy status`.
 *
 * in_force_add() meets each process by its entity id: the first record of one makes meet() ask
 * /proc whether it still runs. Loads and refusals of those that run are noted. in_force_list() asks
 * /proc once more, since reading a log takes time, and sorts what is left.
 */
#include "tools/review/in_force.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/encode.h"
#include "base/alloc.h"
#include "identity/identity.h"
#include "model/event.h"
#include "model/record_limits.h"

/*
 * A log names many processes that are long gone. They are looked for once, when their first record
 * is met, and only their number is kept, so that memory grows by 16 bytes with each.
 */
enum { GONE = UINT32_MAX };

/* Open addressing: a slot is never freed, so a search may stop at the first free one. */
struct seen {
    uint64_t entity; /* 0: free */
    uint32_t place;  /* in the list, or GONE */
};

/* The list has the processes that ran when they were met; the hash table has every entity. */
struct in_force {
    struct seen *seen; /* a hash table; size is a power of two */
    size_t size, used;
    struct in_force_process *list;
    uint32_t count, room;
    /* Of this boot, "" when it cannot be read. Pids of another boot mean nothing. */
    char boot_id[64];
};

/* ---- whether a process runs ------------------------------------------------------------------ */

/*
 * A pid is used again. What distinguishes two processes of one pid is the time of their start,
 * which a record has only as exact as two clocks agree, and their program.
 */

/* write_start() makes the time of the clock and of the ticks since boot, both read a moment apart;
 * a clock that NTP slews adds to that. */
static const int64_t same_start = 2 * INT64_C(1000000000);

/* A text as long as the limit may be whole: the writer marks what it cuts by making it longer. */
bool in_force_is_whole(const char *path)
{
    return strlen(path) <= AUDIT_MAX_TEXT && strstr(path, "\xEF\xBF\xBD") == NULL;
}

/* A pid is used again by another program: then the record is not about the process of today. A path
 * that cannot be compared decides nothing. */
static bool same_program(const struct in_force_process *process)
{
    char link[32], path[4096 + 16];

    snprintf(link, sizeof(link), "/proc/%d/exe", (int)process->pid);
    /* Needs the right to look into that process (proc_pid_exe(5)); without it the record is
     * believed. */
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length <= 0 || process->executable == NULL || !in_force_is_whole(process->executable)) {
        return true; /* nothing speaks against it */
    }
    path[length] = '\0';
    /* A program that was replaced since has " (deleted)" behind its path. */
    size_t named = strlen(process->executable);
    return strncmp(path, process->executable, named) == 0 &&
           (path[named] == '\0' || strcmp(path + named, " (deleted)") == 0);
}

/* False: it is gone. Sets certain as well: the same start within same_start is the same process, or
 * one that ran execve(2). */
static bool still_runs(struct in_force_process *process)
{
    uint64_t ticks = 0;
    bool runs = identity_process_runs(process->pid, &ticks);
    int64_t started = audit_start_time(ticks);

    process->certain =
        started != 0 && process->started != 0 && llabs(started - process->started) <= same_start;
    return runs && same_program(process); /* execve(2) keeps the pid and the start */
}

/* ---- what records say ------------------------------------------------------------------------ */

/*
 * Three kinds of records matter: any first one, which brings name, pid and start; policy-load; and
 * policy-refused.
 */

/* Replaces *ret_text, by NULL where the record lacks the field. False leaves it as it was. */
static bool copy_field(const struct record *record, enum record_field field, char **ret_text)
{
    char *copy = NULL;

    if (record->field[field].at != NULL) {
        size_t size = record_text(record, field, NULL, 0) + 1;
        copy = base_alloc(size, 1);
        if (copy == NULL) {
            return false;
        }
        (void)record_text(record, field, copy, size);
    }
    base_free(*ret_text);
    *ret_text = copy;
    return true;
}

/* All texts; the struct itself lies in the list. */
static void release_process(struct in_force_process *process)
{
    base_free(process->name);
    base_free(process->executable);
    base_free(process->hash);
    base_free(process->files);
    base_free(process->path);
    base_free(process->refused);
}

/* NULL equals NULL only. */
static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* since changes only with the hash: a reload of the same set is no change for the reader. A load
 * ends the refusal before it, as the newer set was accepted. */
static bool note_load(struct in_force_process *process, const struct record *record)
{
    char *hash = NULL;

    if (!copy_field(record, RECORD_POLICY_HASH, &hash)) {
        return false;
    }
    if (!process->known || !same_text(hash, process->hash)) {
        (void)record_time(record, RECORD_TIMESTAMP, &process->since);
    }
    base_free(process->hash);
    process->hash = hash;
    process->known = true;
    process->refused_at = 0;
    return copy_field(record, RECORD_POLICY_DETAIL, &process->files) &&
           copy_field(record, RECORD_POLICY_PATH, &process->path);
}

/* The set before stays in force, so hash and files stay. The path is taken when no load was seen:
 * it is all that is known then. */
static bool note_refusal(struct in_force_process *process, const struct record *record)
{
    (void)record_time(record, RECORD_TIMESTAMP, &process->refused_at);
    return copy_field(record, RECORD_POLICY_DETAIL, &process->refused) &&
           (process->known || copy_field(record, RECORD_POLICY_PATH, &process->path));
}

/* ---- the processes --------------------------------------------------------------------------- */

/* A boot id that cannot be read leaves the check of boots out, and /proc decides alone. */
struct in_force *in_force_new(void)
{
    struct in_force *in_force = base_alloc(1, sizeof(*in_force));

    if (in_force == NULL) {
        return NULL;
    }
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        if (fgets(in_force->boot_id, sizeof(in_force->boot_id), file) != NULL) {
            in_force->boot_id[strcspn(in_force->boot_id, "\n")] = '\0';
        }
        fclose(file);
    }
    return in_force;
}

/* The list and all texts in it. */
void in_force_free(struct in_force *in_force)
{
    if (in_force == NULL) {
        return;
    }
    for (uint32_t i = 0; i < in_force->count; i++) {
        release_process(&in_force->list[i]);
    }
    base_free(in_force->list);
    base_free(in_force->seen);
    base_free(in_force);
}

/* The slot of an entity, or the free one where it belongs. Entities are random numbers. */
static struct seen *find_slot(struct seen *seen, size_t size, uint64_t entity)
{
    size_t at = (size_t)entity & (size - 1);

    while (seen[at].entity != 0 && seen[at].entity != entity) {
        at = (at + 1) & (size - 1);
    }
    return &seen[at];
}

/* A power of two, at most half full, so that find_slot() ends. */
static bool grow_seen(struct in_force *in_force)
{
    size_t size = in_force->size == 0 ? 64 : in_force->size * 2;
    struct seen *seen = base_alloc(size, sizeof(*seen));

    if (seen == NULL) {
        return false;
    }
    for (size_t i = 0; i < in_force->size; i++) {
        if (in_force->seen[i].entity != 0) {
            *find_slot(seen, size, in_force->seen[i].entity) = in_force->seen[i];
        }
    }
    base_free(in_force->seen);
    in_force->seen = seen;
    in_force->size = size;
    return true;
}

/* False out of memory. */
static bool read_process(const struct in_force *in_force, const struct record *record,
                         struct in_force_process *ret_process)
{
    uint64_t pid = 0;

    if (record->field[RECORD_BOOT].at != NULL && in_force->boot_id[0] != '\0' &&
        !record_is(record, RECORD_BOOT, in_force->boot_id)) {
        return true; /* of another boot: pid 0, which is never found running */
    }
    (void)record_number(record, RECORD_PID, &pid);
    ret_process->pid = pid <= INT32_MAX ? (pid_t)pid : 0;
    (void)record_time(record, RECORD_PROCESS_START, &ret_process->started);
    return copy_field(record, RECORD_PROCESS_NAME, &ret_process->name) &&
           copy_field(record, RECORD_EXECUTABLE, &ret_process->executable);
}

/* Doubles. On failure the list is as it was. */
static bool grow_list(struct in_force *in_force)
{
    uint32_t room = in_force->room == 0 ? 16 : in_force->room * 2;
    struct in_force_process *list = base_alloc(room, sizeof(*list));

    if (list == NULL) {
        return false;
    }
    if (in_force->count > 0) {
        memcpy(list, in_force->list, in_force->count * sizeof(*list));
    }
    base_free(in_force->list);
    in_force->list = list;
    in_force->room = room;
    return true;
}

/* The first record of a process. A process that is gone leaves only its slot: a log has many of
 * them, and their records are passed over quickly from now on. */
static bool meet(struct in_force *in_force, const struct record *record, uint64_t entity,
                 struct seen *slot)
{
    struct in_force_process process = {.entity = entity};

    if (!read_process(in_force, record, &process)) {
        release_process(&process);
        return false;
    }
    bool runs = process.pid > 0 && still_runs(&process);
    if (runs && in_force->count == in_force->room && !grow_list(in_force)) {
        release_process(&process);
        return false;
    }
    if (runs) {
        in_force->list[in_force->count] = process;
    } else {
        release_process(&process);
    }
    *slot = (struct seen){entity, runs ? in_force->count++ : GONE};
    in_force->used++;
    return true;
}

/* 0: no entity, or one that is not a number. Writers never use 0. */
static uint64_t entity_of(const struct record *record)
{
    char digits[24];

    (void)record_text(record, RECORD_ENTITY, digits, sizeof(digits));
    return strtoull(digits, NULL, 16);
}

/* Any record of a process counts for meeting it: a forked child may write another one before its
 * load. */
bool in_force_add(struct in_force *in_force, const struct record *record)
{
    uint64_t entity = entity_of(record);

    if (entity == 0) {
        return true; /* not a record of ours */
    }
    if (in_force->used * 2 >= in_force->size && !grow_seen(in_force)) {
        return false;
    }
    struct seen *slot = find_slot(in_force->seen, in_force->size, entity);
    if (slot->entity == 0 && !meet(in_force, record, entity, slot)) {
        return false;
    }
    if (slot->place == GONE) {
        return true;
    }
    struct in_force_process *process = &in_force->list[slot->place];
    if (record_is(record, RECORD_ACTION, "policy-load")) {
        return note_load(process, record);
    }
    return !record_is(record, RECORD_ACTION, "policy-refused") || note_refusal(process, record);
}

/* For qsort(3); a difference of two pids could overflow. */
static int by_pid(const void *left, const void *right)
{
    const struct in_force_process *a = left, *b = right;

    return (a->pid > b->pid) - (a->pid < b->pid);
}

/* A pid has one process: who was met later with it ran execve(2), or came after the other's end. */
static bool has_successor(const struct in_force *in_force, uint32_t place)
{
    for (uint32_t i = place + 1; i < in_force->count; i++) {
        if (in_force->list[i].pid == in_force->list[place].pid) {
            return true;
        }
    }
    return false;
}

/* The second look at /proc: a process may have ended since its record was read. */
struct in_force_process *in_force_list(struct in_force *in_force, size_t *ret_count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < in_force->count; i++) {
        if (still_runs(&in_force->list[i]) && !has_successor(in_force, i)) {
            in_force->list[kept++] = in_force->list[i];
        } else {
            release_process(&in_force->list[i]);
        }
    }
    in_force->count = kept;
    if (kept > 1) {
        qsort(in_force->list, kept, sizeof(*in_force->list), by_pid);
    }
    *ret_count = kept;
    return in_force->list;
}
