/* SPDX-License-Identifier: MIT */
/* The log file: the chain in it, its rotation, what is refused, and what is repaired. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "support/lacks.h"
#include "support/log_file.h"
#include "tools/review/verify.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], path[128];
static const struct chain_key no_key;
static struct log_check check;

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static unsigned rounds(unsigned full)
{
    return getenv("QUICK") != NULL ? full / 10 + 1 : full;
}

static const char *beside(const char *suffix)
{
    static char name[160];
    snprintf(name, sizeof(name), "%s.%s", path, suffix);
    return name;
}

static struct log_file *open_log(void)
{
    struct sink_settings settings = log_file_settings(path);
    settings.sync = AUDIT_SYNC_NONE;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    return file;
}

static void append(struct log_file *file, unsigned id)
{
    enum audit_loss loss = 0;
    uint64_t sequence;
    ck_assert_msg(log_file_append(file, id, 0, &loss, &sequence), "%s", audit_losses[loss].name);
}

/* What is there is a chain, and nothing is missing but what is said to be. */
static void check_log(const struct chain_key *key)
{
    log_file_check(path, key, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_uint_eq(check.unexplained, 0);
}

static off_t size_of(const char *name)
{
    struct stat status;
    ck_assert_int_eq(stat(name, &status), 0);
    return status.st_size;
}

/* ---- the chain ------------------------------------------------------------------------------- */

START_TEST(chain_without_and_with_key)
{
    struct chain_key key = {0};
    struct state_head head;

    if (_i == 1) {
        ck_assert(chain_init());
        chain_key_new(&key);
        ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    struct log_file *file = open_log();
    for (unsigned i = 0; i < 20; i++) {
        append(file, i);
        if (i == 10) { /* over a restart */
            file_close(file);
            file = open_log();
        }
    }
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_uint_eq(head.sequence, 20);
    ck_assert_uint_eq(head.epoch, (uint64_t)_i);
    ck_assert(!head.key.present);
    file_close(file);
    check_log(&key);
    ck_assert_uint_eq(check.records, 20);
    ck_assert_uint_eq(check.gaps, 0);
    ck_assert_int_eq((off_t)head.size, size_of(path));
}
END_TEST

START_TEST(no_key_that_was_used_is_left_in_the_state)
{
    struct chain_key key = {0}, at;
    FILE *file;
    char *bytes = malloc(sizeof(struct state_shared));

    ck_assert(chain_init());
    chain_key_new(&key);
    at = key;
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    struct log_file *log = open_log();
    for (unsigned i = 0; i < 5; i++) {
        append(log, i);
    }
    file_close(log);
    file = fopen(beside("state"), "re");
    ck_assert_uint_eq(fread(bytes, 1, sizeof(struct state_shared), file),
                      sizeof(struct state_shared));
    fclose(file);
    for (unsigned i = 0; i < 6; i++) {
        bool found = memmem(bytes, sizeof(struct state_shared), at.bytes, sizeof(at.bytes)) != NULL;
        ck_assert_msg(found == (i == 5), "key %u", i + 1);
        chain_key_advance(&at);
    }
    free(bytes);
}
END_TEST

START_TEST(seals_end_epochs)
{
    struct chain_key key = {0};

    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    struct log_file *file = open_log();
    for (unsigned i = 0; i < 2 * CHAIN_EPOCH_RECORDS + 2; i++) {
        append(file, i);
    }
    /* by time */
    struct state_head *head = state_begin(&file->state);
    head->epoch_start -= (int64_t)CHAIN_EPOCH_SECONDS * 1000000000;
    state_commit(&file->state);
    log_file_round(file);
    append(file, 60000);
    file_close(file);
    check_log(&key);
    ck_assert_uint_eq(check.seals, 3);
}
END_TEST

/* ---- rotation -------------------------------------------------------------------------------- */

START_TEST(rotation_by_size_and_keep)
{
    struct sink_settings settings = log_file_settings(path);
    uint64_t previous = 0;

    settings.rotate_bytes = 8192;
    settings.keep = _i == 0 ? 0 : 3;
    struct log_file *file = log_file_open(&settings, true);
    for (unsigned i = 0; i < 60; i++) {
        append(file, i);
        ck_assert_int_le(size_of(path), 8192);
        ck_assert_uint_gt(state_head(&file->state)->sequence, previous);
        previous = state_head(&file->state)->sequence;
    }
    uint64_t generation = state_head(&file->state)->generation;
    uint64_t removed_through = state_head(&file->state)->removed_through;
    file_close(file);
    ck_assert_uint_gt(generation, 5);
    if (_i == 0) {
        check_log(&no_key);
        ck_assert_uint_eq(check.rotations, generation - 1);
        ck_assert_uint_eq(check.files, generation);
        ck_assert_uint_eq(check.missing, 0);
    } else {
        log_file_check(path, &no_key, &check);
        ck_assert_uint_eq(check.files, 4);
        ck_assert_uint_eq(check.removed_through, removed_through);
        ck_assert_uint_eq(check.missing, removed_through);
    }
    ck_assert_int_ne(access(beside("new"), F_OK), 0);
}
END_TEST

START_TEST(rotation_by_time_and_a_taken_name)
{
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_seconds = 3600;
    ck_assert_int_eq(close(creat(beside("1"), 0600)), 0);
    ck_assert_int_eq(close(creat(beside("new"), 0600)), 0);
    struct log_file *file = log_file_open(&settings, true);
    state_begin(&file->state)->generation = 1; /* as if the file had come later */
    state_commit(&file->state);
    append(file, 1);
    append(file, 2);
    state_begin(&file->state)->file_start -= (int64_t)3600 * 1000000000;
    state_commit(&file->state);
    append(file, 3);
    ck_assert_int_eq(size_of(beside("1")), 0);
    ck_assert_int_gt(size_of(beside("2")), 100);
    state_begin(&file->state)->file_start -= (int64_t)3600 * 1000000000;
    state_commit(&file->state);
    log_file_round(file);
    ck_assert_int_gt(size_of(beside("3")), 100);
    log_file_round(file); /* nothing but the record that it began with */
    ck_assert_int_ne(access(beside("4"), F_OK), 0);
    file_close(file);
    log_file_check(path, &no_key, &check);
    ck_assert_uint_eq(check.breaks, 0);
    ck_assert_uint_eq(check.lost_all, 0); /* an empty file is none of a log */
    ck_assert_uint_eq(check.unexplained, 0);
    ck_assert_uint_eq(check.rotations, 2);
}
END_TEST

/* ---- several processes and threads ----------------------------------------------------------- */

enum { WRITERS = 8 };

static void *write_many(void *context)
{
    struct log_file *file = context;
    static _Atomic unsigned next;
    unsigned base = 100 * atomic_fetch_add(&next, 1);
    enum audit_loss loss;
    uint64_t sequence;

    for (unsigned i = 0; i < 100; i++) {
        if (!log_file_append(file, base + i, 0, &loss, &sequence) ||
            !file_sync(file, sequence, &loss)) {
            return file;
        }
    }
    return NULL;
}

/* In place of the C library's, as slow as a disk. */
static _Atomic unsigned syncs;
static bool is_slow_disk;

int fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    if (is_slow_disk) {
        usleep(4000);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* Those who wait while the disk works share the next sync: with N of them it is at most one for N/2
 * records, and one for nearly N where the machine lets all of them write within half a sync. */
START_TEST(one_sync_serves_many)
{
    struct sink_settings settings = log_file_settings(path);
    pthread_t threads[WRITERS];

    settings.sync = AUDIT_SYNC_ALL;
    struct log_file *file = log_file_open(&settings, true);
    is_slow_disk = true;
    atomic_store(&syncs, 0);
    for (int i = 0; i < WRITERS; i++) {
        pthread_create(&threads[i], NULL, write_many, file);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    is_slow_disk = false;
    const unsigned made = atomic_load(&syncs);
    file_close(file);
    ck_assert_msg(made >= 100 && made <= 100 * 2, "%u syncs for %u records", made, 100 * WRITERS);
}
END_TEST

/* In place of the C library's: the time of day is set back again and again. */
static bool time_falls;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    static _Atomic time_t back;
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);

    if (time_falls && clock == CLOCK_REALTIME) {
        ret_time->tv_sec -= 60 * atomic_fetch_add(&back, 1);
    }
    return result;
}

/* The thread that leads waits a moment for others. Here none comes. */
START_TEST(a_clock_set_back_holds_up_no_sync)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = 0;

    settings.sync = AUDIT_SYNC_ALL;
    struct log_file *file = log_file_open(&settings, true);
    append(file, 1);
    file->crowd = WRITERS;
    file->moment = 60 * 1000;
    time_falls = true;
    bool synced = file_sync(file, 1, &loss);
    time_falls = false;
    ck_assert(synced);
    file_close(file);
}
END_TEST

START_TEST(many_threads)
{
    struct sink_settings settings = log_file_settings(path);
    pthread_t threads[WRITERS];

    settings.rotate_bytes = 65536;
    settings.sync = AUDIT_SYNC_ALL;
    struct log_file *file = log_file_open(&settings, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_create(&threads[i], NULL, write_many, file);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    file_close(file);
    check_log(&no_key);
    for (unsigned i = 0; i < 100 * WRITERS; i++) {
        ck_assert_uint_eq(check.seen[i], 1);
    }
    ck_assert_uint_gt(check.rotations, 2);
    ck_assert_uint_eq(check.missing + check.gaps + check.unordered, 0);
    ck_assert_uint_eq(check.orders + check.short_files, check.files);
}
END_TEST

static int write_as_child(struct log_file *file, unsigned base, unsigned count)
{
    enum audit_loss loss;
    uint64_t sequence;

    for (unsigned i = 0; i < count; i++) {
        if (!log_file_append(file, base + i, 100, &loss, &sequence)) {
            return 1;
        }
    }
    return 0;
}

/* _i: the children inherit the log, or open it. */
START_TEST(many_processes)
{
    struct sink_settings settings = log_file_settings(path);
    const unsigned each = rounds(500);

    settings.rotate_bytes = 50000;
    settings.keep = 0;
    settings.sync = AUDIT_SYNC_NONE;
    struct log_file *file = _i == 0 ? log_file_open(&settings, true) : NULL;
    for (unsigned i = 0; i < WRITERS; i++) {
        if (_i == 0) {
            file_fork_lock(file);
        }
        pid_t child = fork();
        if (child == 0) {
            if (_i == 0) {
                file_fork_unlock(file, true);
            } else {
                file = log_file_open(&settings, true);
            }
            int failed = write_as_child(file, i * 1000, each);
            file_close(file);
            _exit(failed);
        }
        if (_i == 0) {
            file_fork_unlock(file, false);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = 0;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    file_close(file);
    check_log(&no_key);
    for (unsigned i = 0; i < WRITERS; i++) {
        for (unsigned j = 0; j < each; j++) {
            ck_assert_uint_eq(check.seen[i * 1000 + j], 1);
        }
    }
    ck_assert_uint_eq(check.missing + check.gaps + check.broken_lines + check.unordered, 0);
    ck_assert_uint_eq(check.orders + check.short_files, check.files);
}
END_TEST

/* ---- killed in the middle of a write: every offset ------------------------------------------- */

/* The file as a kill at each byte of the last record leaves it, head and key those before it. */
START_TEST(killed_at_each_byte)
{
    static char line[8192];
    struct chain_key key = {0};
    static struct state_shared before;
    enum audit_loss loss = 0;

    ck_assert(chain_init());
    if (_i == 1) {
        chain_key_new(&key);
        ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    struct log_file *file = open_log();
    append(file, 1);
    size_t step = getenv("QUICK") != NULL ? 17 : 1, offset = 0, length = 1;
    unsigned torn = 0;
    while (offset <= length) {
        off_t start = size_of(path);
        memcpy(&before, file->state.shared, offsetof(struct state_shared, repeats));
        append(file, 2);
        length = (size_t)(size_of(path) - start);
        ck_assert_uint_lt(length, sizeof(line));
        memcpy(file->state.shared->head, before.head, sizeof(before.head));
        atomic_store(&file->state.shared->current, atomic_load(&before.current));
        ck_assert_int_eq(truncate(path, start + (off_t)offset), 0);
        atomic_store(&file->state.shared->dirty, STATE_KILLED);
        append(file, 3);
        torn += offset > 0 && offset + 1 < length; /* but for its newline it is whole */
        offset = offset < length && offset + step > length ? length : offset + step;
    }
    ck_assert(file_lock(file, &loss));
    file_unlock(file);
    file_close(file);
    check_log(&key);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_KILLED], torn);
    ck_assert_uint_eq(check.lost_all, torn);
    ck_assert_uint_eq(check.orders, 1); /* whatever was taken over or torn */
    ck_assert_uint_eq(check.missing, 0);
    ck_assert_uint_ge(check.broken_lines + 1,
                      torn); /* a whole one that lacks its newline is none */
    ck_assert_uint_ge(check.seen[2], 1);
}
END_TEST

/* Back to the state before the last records, as a writer who was killed leaves it. */
static void go_back(struct log_file *file, const struct state_shared *before)
{
    struct state_shared *shared = file->state.shared;

    memcpy(shared->head, before->head, sizeof(before->head));
    memcpy(shared->pending, before->pending, sizeof(before->pending));
    atomic_store(&shared->current, atomic_load(&before->current));
    atomic_store(&shared->dirty, STATE_KILLED);
}

START_TEST(only_what_continues_the_chain_is_taken_over)
{
    enum audit_loss loss = 0;
    static struct state_shared before;
    struct log_file *file = open_log();
    char digit = 0;

    append(file, 1);
    memcpy(&before, file->state.shared, offsetof(struct state_shared, repeats));
    append(file, 2);
    off_t place = size_of(path) - 10; /* in the hash */
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pread(fd, &digit, 1, place), 1);
    digit = digit == '0' ? '1' : '0';
    ck_assert_int_eq(pwrite(fd, &digit, 1, place), 1);
    close(fd);
    go_back(file, &before);
    ck_assert(file_lock(file, &loss));
    ck_assert_uint_eq(state_head(&file->state)->sequence, 1);
    ck_assert_uint_eq(file->state.pending[SINK_FILE].by_cause[AUDIT_LOSS_KILLED], 1);
    file_unlock(file);
    file_close(file);
}
END_TEST

START_TEST(a_gap_that_was_told_is_not_told_again)
{
    enum audit_loss loss = 0;
    static struct state_shared before;
    struct log_file *file = open_log();

    append(file, 1);
    file->state.pending[SINK_FILE].by_cause[AUDIT_LOSS_NO_SPACE] = 7;
    memcpy(&before, file->state.shared, offsetof(struct state_shared, repeats));
    append(file, 2);
    go_back(file, &before);
    ck_assert(file_lock(file, &loss));
    ck_assert_uint_eq(state_head(&file->state)->sequence, 3);
    ck_assert_uint_eq(file->state.pending[SINK_FILE].by_cause[AUDIT_LOSS_NO_SPACE], 0);
    file_unlock(file);
    append(file, 3);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost_all, 7);
}
END_TEST

/* A file that is smaller than any record gets one record all the same, and not none. */
START_TEST(a_file_holds_a_record_of_somebody)
{
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_bytes = 1;
    struct log_file *file = log_file_open(&settings, true);
    for (unsigned i = 0; i < 5; i++) {
        append(file, i);
    }
    uint64_t generation = state_head(&file->state)->generation;
    file_close(file);
    check_log(&no_key);
    /* That the disk is nearly full would be the first record, and makes one file more. */
    ck_assert_uint_eq(generation, 4 + check.spaces);
    ck_assert_uint_eq(check.files, generation);
    ck_assert_uint_eq(check.rotations, generation - 1);
    ck_assert_uint_eq(check.records, 5 + check.spaces + check.rotations);
}
END_TEST

/* ---- cut, removed, replaced ------------------------------------------------------------------ */

static const struct {
    const char *what, *command; /* %1$s: the log */
    unsigned lost;
    bool rebooted, in_place;
    enum audit_loss cause;
} damages[] = {
    {"two records cut", "sed -i '$d' %1$s && sed -i '$d' %1$s", 2, false, false, AUDIT_LOSS_CUT},
    {"cut in place", "cp %1$s %1$s.x; head -n -2 %1$s.x > %1$s; rm %1$s.x", 2, false, true,
     AUDIT_LOSS_CUT},
    {"cut in a record", "truncate -s -10 %1$s", 1, false, true, AUDIT_LOSS_CUT},
    {"emptied", "truncate -s 0 %1$s", 5, false, true, AUDIT_LOSS_CUT},
    {"removed", "rm %1$s", 5, false, false, AUDIT_LOSS_CUT},
    {"emptied by another file", "rm %1$s; touch %1$s; chmod 640 %1$s", 5, false, false,
     AUDIT_LOSS_CUT},
    {"cut in a crash", "truncate -s -10 %1$s", 1, true, false, AUDIT_LOSS_CRASH},
    {"emptied in a crash", "truncate -s 0 %1$s", 5, true, false, AUDIT_LOSS_CRASH},
    {"copied", "cp -p %1$s %1$s.x && mv %1$s.x %1$s", 0, false, false, AUDIT_LOSS_CUT},
    {"foreign text", "echo 'what is this' >> %1$s", 0, false, false, AUDIT_LOSS_CUT},
};

/* _i: which, and whether it is open meanwhile. */
START_TEST(damage_is_told)
{
    unsigned i = (unsigned)_i / 2;
    bool open = _i % 2 == 1 && !damages[i].rebooted;
    char command[512];

    struct log_file *file = open_log();
    for (unsigned j = 1; j <= 5; j++) {
        append(file, j);
    }
    snprintf(command, sizeof(command), damages[i].command, path);
    ck_assert_int_eq(system(command), 0);
    if (damages[i].rebooted) {
        file->state.shared->boot_id[0] ^= 1;
    }
    if (!open) {
        file_close(file);
        file = open_log();
    }
    for (unsigned j = 0; j < FILE_LOOK_EVERY; j++) {
        append(file, 6);
    }
    file_close(file);
    log_file_check(path, &no_key, &check);
    ck_assert_msg(check.breaks == 0, "%s: %s", damages[i].what, check.problem);
    if (open && damages[i].in_place) { /* seen too late to say which: the numbers show it */
        ck_assert_uint_ge(check.missing, damages[i].lost);
        return;
    }
    ck_assert_msg(check.unexplained == 0, "%s", damages[i].what);
    ck_assert_msg(open ? check.lost_all >= damages[i].lost : check.lost_all == damages[i].lost,
                  "%s: %llu", damages[i].what, (unsigned long long)check.lost_all);
    ck_assert_uint_eq(check.lost_all, check.lost[damages[i].cause]);
}
END_TEST

/* A child that hides /proc from itself opens the log and writes a record. */
static int write_without_proc(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", "/proc", "tmpfs", 0, NULL) != 0) {
            _exit(77);
        }
        struct log_file *own = open_log();
        append(own, 2);
        file_close(own);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(a_writer_without_proc_is_no_reboot)
{
    struct log_file *file = open_log();
    char boot_id[40];

    append(file, 1);
    memcpy(boot_id, file->state.shared->boot_id, sizeof(boot_id));
    ck_assert_int_ne(boot_id[0], '\0');
    int status = write_without_proc();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skip: a writer without /proc: no mount namespace can be made here\n");
    } else {
        ck_assert_int_eq(status, 0);
        ck_assert_mem_eq(file->state.shared->boot_id, boot_id, sizeof(boot_id));
        ck_assert_uint_eq(atomic_load(&file->state.shared->dirty) & STATE_REBOOT, 0);
        append(file, 3);
    }
    file_close(file);
    check_log(&no_key);
}
END_TEST

/* A file that has the name and the length, and does not end in our last record, is somebody's: it
 * stays as it is, under another name. */
START_TEST(another_file_is_set_aside)
{
    char command[600], digit = 0;

    struct log_file *file = open_log();
    append(file, 1);
    append(file, 2);
    file_close(file);
    off_t size = size_of(path), place = size - 10; /* in the hash */
    snprintf(command, sizeof(command), "cp -p %s %s.x && mv %s.x %s", path, path, path, path);
    ck_assert_int_eq(system(command), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pread(fd, &digit, 1, place), 1);
    digit = digit == '0' ? '1' : '0';
    ck_assert_int_eq(pwrite(fd, &digit, 1, place), 1);
    close(fd);
    file = open_log();
    append(file, 3);
    ck_assert_int_eq(size_of(beside("1")), size);
    ck_assert_uint_eq(state_head(&file->state)->generation, 2);
    file_close(file);
}
END_TEST

START_TEST(synced_records_do_not_crash_away)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss;

    struct log_file *file = log_file_open(&settings, true);
    for (unsigned i = 1; i <= 4; i++) {
        append(file, i);
        if (i == 2) {
            ck_assert(file_sync(file, 2, &loss));
        }
    }
    file->state.shared->boot_id[0] ^= 1;
    file_close(file);
    ck_assert_int_eq(truncate(path, 0), 0);
    file = open_log();
    append(file, 5);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_CUT], 2);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_CRASH], 2);
}
END_TEST

/* The host closed the log's descriptor and has a file of its own under the number. */
START_TEST(a_sync_of_another_file_proves_nothing)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = 0;
    struct log_file *file = log_file_open(&settings, true);
    int other = open(beside("other"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    append(file, 1);
    ck_assert(file_sync(file, 1, &loss));
    append(file, 2);
    ck_assert_int_eq(dup3(other, file->fd, O_CLOEXEC), file->fd);
    ck_assert(!file_sync(file, 2, &loss));
    ck_assert_int_eq(loss, AUDIT_LOSS_NOT_SYNCED);
    close(other);
    file_close(file);
}
END_TEST

/* The disk has a head from before two rotations: all that came later is taken over. */
START_TEST(an_old_head_after_a_crash)
{
    struct sink_settings settings = log_file_settings(path);
    struct chain_key key = {0};
    char command[512];

    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    settings.rotate_bytes = 8192;
    struct log_file *file = log_file_open(&settings, true);
    append(file, 0);
    snprintf(command, sizeof(command), "cp %s.state %s/old", path, folder);
    ck_assert_int_eq(system(command), 0);
    for (unsigned i = 1; i < 30; i++) {
        append(file, i);
    }
    uint64_t generation = state_head(&file->state)->generation;
    uint64_t sequence = state_head(&file->state)->sequence;
    file_close(file);
    snprintf(command, sizeof(command), "mv %s/old %s.state", folder, path);
    ck_assert_int_eq(system(command), 0);
    file = log_file_open(&settings, true);
    ck_assert_uint_eq(state_head(&file->state)->generation, generation);
    ck_assert_uint_eq(state_head(&file->state)->sequence, sequence);
    append(file, 30);
    file_close(file);
    check_log(&key);
    ck_assert_uint_eq(check.gaps, 0);
    for (unsigned i = 0; i <= 30; i++) {
        ck_assert_uint_eq(check.seen[i], 1);
    }
}
END_TEST

START_TEST(without_its_state_a_log_goes_on_and_says_so)
{
    struct log_file *file = open_log();
    append(file, 1);
    append(file, 2);
    file_close(file);
    ck_assert_int_eq(unlink(beside("state")), 0);
    file = open_log();
    append(file, 3);
    file_close(file);
    log_file_check(path, &no_key, &check);
    ck_assert_uint_ge(check.breaks, 1); /* another chain */
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_CUT], 1);
    ck_assert_uint_eq(check.unexplained, 0);
    ck_assert_uint_eq(check.last_sequence, 5); /* 3 may be missing, 4 says so */
}
END_TEST

/* A writer is killed in a rotation, and gzip(1) comes before the next one. */
START_TEST(what_was_packed_meanwhile_is_not_cut)
{
    char command[1024];
    struct log_file *file = open_log();

    for (unsigned i = 0; i < 5; i++) {
        append(file, i);
    }
    file_close(file);
    snprintf(command, sizeof(command),
             "ln %1$s %1$s.1 && (umask 027; : > %1$s.new) && mv %1$s.new %1$s && gzip -f %1$s.1",
             path);
    ck_assert_int_eq(system(command), 0);
    file = open_log();
    for (unsigned i = 5; i < 8; i++) {
        append(file, i);
    }
    file_close(file);
    snprintf(command, sizeof(command), "gunzip %s.1.gz", path);
    ck_assert_int_eq(system(command), 0);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost_all, 0);
    ck_assert_uint_eq(check.seen[4] + check.seen[5], 2);
}
END_TEST

/* ---- refused --------------------------------------------------------------------------------- */

static const struct {
    const char *what, *command;
    enum miguard_status status;
    const char *detail;
} refusals[] = {
    {"a link", "ln -s /tmp/miguard-nothing %1$s", MIGUARD_SYSTEM, "symbolic link"},
    {"a folder", "mkdir %1$s", MIGUARD_SYSTEM, "directory"},
    {"a FIFO", "mkfifo -m 600 %1$s", MIGUARD_SYSTEM, "regular"},
    {"group-writable", "touch %1$s; chmod 660 %1$s", MIGUARD_SYSTEM, "0640"},
    {"writable by all", "touch %1$s; chmod 666 %1$s", MIGUARD_SYSTEM, "0640"},
    {"a folder for all", "chmod 1777 $(dirname %1$s)", MIGUARD_SYSTEM, "0755"},
    {"a folder for its group", "chmod 770 $(dirname %1$s)", MIGUARD_SYSTEM, "0750"},
    {"a state that is a link", "ln -s /tmp/miguard-nothing %1$s.state", MIGUARD_SYSTEM,
     "symbolic link"},
    {"a state that others read", "touch %1$s.state; chmod 644 %1$s.state", MIGUARD_BAD_STATE,
     "0600"},
    {"a state with two names", "(umask 077; touch %1$s.state); ln %1$s.state %1$s.y",
     MIGUARD_BAD_STATE, "second name"},
};

START_TEST(what_is_no_log_is_refused)
{
    struct sink_settings settings = log_file_settings(path);
    struct log_process process = {0};
    struct log_file *file = NULL;
    struct miguard_error error;
    char command[512];

    snprintf(command, sizeof(command), refusals[_i].command, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(file_open(&settings, &process, &file, &error), refusals[_i].status);
    ck_assert_ptr_null(file);
    ck_assert_msg(strstr(error.detail, refusals[_i].detail) != NULL, "%s: %s", refusals[_i].what,
                  error.detail);
}
END_TEST

/* The folder of the log is good in each; what is above it decides. NULL: opened. */
static const struct {
    const char *what, *command, *detail;
} above[] = {
    {"as it should be", "true", NULL},
    {"sticky, as /tmp", "chmod 1777 %s/above", NULL},
    {"for all", "chmod 777 %s/above", "/above: the folder is writable by"},
    {"for its group", "chmod 770 %s/above", "/above: the folder is writable by its group"},
    {"somebody's", "chown 54321 %s/above", "/above: the folder belongs to uid 54321"},
    {"sticky and somebody's", "chmod 1777 %1$s/above; chown 54321 %1$s/above", "belongs to uid"},
    {"a link of root's", "mv %1$s/above %1$s/real; ln -s real %1$s/above", NULL},
    {"a link of somebody's",
     "mv %1$s/above %1$s/real; ln -s real %1$s/above; chown -h 54321 %1$s/above",
     "/above: the symbolic link belongs to uid 54321"},
};

START_TEST(folders_above_are_judged)
{
    char command[512], name[160];
    struct log_process process = {0};
    struct log_file *file = NULL;
    struct miguard_error error = {0};

    if (geteuid() != 0) {
        return; /* chown(2) is for root */
    }
    snprintf(name, sizeof(name), "%s/above/in/audit.jsonl", folder);
    struct sink_settings settings = log_file_settings(name);
    snprintf(command, sizeof(command), "mkdir -p -m 755 %1$s/above/in; chmod 755 %1$s/above",
             folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(command, sizeof(command), above[_i].command, folder);
    ck_assert_int_eq(system(command), 0);
    enum miguard_status status = file_open(&settings, &process, &file, &error);
    file_close(file);
    ck_assert_msg((status == MIGUARD_OK) == (above[_i].detail == NULL), "%s: %s", above[_i].what,
                  error.detail);
    ck_assert_msg(above[_i].detail == NULL || strstr(error.detail, above[_i].detail) != NULL,
                  "%s: %s", above[_i].what, error.detail);
}
END_TEST

/* ---- a damaged state ------------------------------------------------------------------------- */

enum { WHOLE = sizeof(struct state_shared) };

static void cut_state(off_t size)
{
    ck_assert_int_eq(truncate(beside("state"), size), 0);
}

static void over_state(size_t at, const void *bytes, size_t length)
{
    int fd = open(beside("state"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, bytes, length, (off_t)at), (ssize_t)length);
    close(fd);
}

static void flip_state(size_t at)
{
    int fd = open(beside("state"), O_RDWR | O_CLOEXEC);
    unsigned char byte = 0;
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x55;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static void cut_to(size_t size)
{
    cut_state((off_t)size);
}

static void cut_and_grown(size_t size)
{
    cut_state((off_t)size);
    cut_state(WHOLE);
}

static void print_over(size_t length)
{
    static const char text[] = "printed by a plug-in\nplug-in: something is wrong\n";
    char bytes[WHOLE];
    for (size_t i = 0; i < length; i++) {
        bytes[i] = text[i % (sizeof(text) - 1)];
    }
    over_state(0, bytes, length);
}

static void flip_heads(size_t offset)
{
    flip_state(offsetof(struct state_shared, head) + offset);
    flip_state(offsetof(struct state_shared, head) + sizeof(struct state_head) + offset);
    flip_state(offsetof(struct state_shared, redo) + offsetof(struct state_redo, head) + offset);
}

/* Another file of the owner's, as a backup that is put back wrongly leaves it. */
static void another_file(size_t length)
{
    char fresh[200];
    snprintf(fresh, sizeof(fresh), "%s.fresh", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < length; i++) {
        ck_assert_int_eq(write(fd, "\x7f", 1), 1);
    }
    close(fd);
    ck_assert_int_eq(rename(fresh, beside("state")), 0);
}

/* kept: the head in it is whole, and so is the key. */
static const struct {
    const char *what;
    void (*damage)(size_t);
    size_t argument;
    const char *found;
    bool kept;
} state_damages[] = {
    {"cut to nothing", cut_to, 0, "empty", false},
    {"cut to a byte", cut_to, 1, "size", false},
    {"cut in the heads", cut_to, 600, "size", false},
    {"cut behind the heads", cut_to, 4096, "size", true},
    {"cut by a byte", cut_to, WHOLE - 1, "size", true},
    {"a byte more", cut_to, WHOLE + 1, "size", true},
    {"cut to nothing and filled with zeros", cut_and_grown, 0, "empty", false},
    {"cut in the heads and filled with zeros", cut_and_grown, 60, "lock", false},
    {"cut behind the lock and filled with zeros", cut_and_grown, 130, "heads", false},
    {"printed to", print_over, 49, "content", true},
    {"printed to in the heads", print_over, 1000, "content", false},
    {"printed to wholly", print_over, WHOLE, "content", false},
    {"another magic", flip_state, offsetof(struct state_shared, magic), "content", true},
    {"another version", flip_state, offsetof(struct state_shared, version), "content", true},
    {"another size in it", flip_state, offsetof(struct state_shared, size), "content", true},
    {"another kind of lock", flip_state,
     offsetof(struct state_shared, mutex) + offsetof(pthread_mutex_t, __data.__kind), "lock", true},
    {"another number", flip_heads, offsetof(struct state_head, sequence), "heads", false},
    {"another key", flip_heads, offsetof(struct state_head, key.bytes), "heads", false},
    {"another sum", flip_heads, offsetof(struct state_head, check), "heads", false},
    {"another file", another_file, 100, "size", false},
    {"another empty file", another_file, 0, "empty", false},
};

static const char *log_text(void)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "re");
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static unsigned times(const char *text, const char *what)
{
    unsigned count = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        count++;
    }
    return count;
}

/* What was set aside is what was there, but for its first bytes, and as private. */
static void check_aside(void)
{
    struct stat status;

    ck_assert_int_eq(stat(beside("state.damaged-1"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_uint_eq(status.st_nlink, 1);
    ck_assert_int_ne(access(beside("state.damaged-2"), F_OK), 0);
    ck_assert_int_ne(access(beside("state.new"), F_OK), 0);
    ck_assert_int_eq(stat(beside("state"), &status), 0);
    ck_assert_uint_eq(status.st_nlink, 1);
    ck_assert_int_eq(status.st_size, WHOLE);
}

static enum verify_verdict verdict_of(const struct chain_key *key)
{
    const char *logs[] = {path};
    struct state_head head;
    struct verify_report report = {0};
    const struct verify_request request = {.logs = logs,
                                           .log_count = 1,
                                           .key = key->present ? key : NULL,
                                           .state = &head,
                                           .look_ahead = VERIFY_LOOK_AHEAD,
                                           .steps = VERIFY_STEPS};

    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_int_eq(verify_log(&request, &report, NULL), MIGUARD_OK);
    enum verify_verdict verdict = report.verdict;
    ck_assert_uint_eq(report.count[VERIFY_SET_ASIDE] + report.count[VERIFY_STATE_KEPT], 1);
    verify_release(&report);
    return verdict;
}

static void set_one_aside(int at, bool keyed, bool running)
{
    struct chain_key key = {0};
    char wanted[120];

    if (keyed) {
        chain_key_new(&key);
        ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    struct log_file *file = open_log();
    append(file, 1);
    append(file, 2);
    if (!running) {
        file_close(file);
    }
    state_damages[at].damage(state_damages[at].argument);
    struct log_file *second = running && at % 2 == 0 ? NULL : open_log();
    for (unsigned i = 3; i < 9; i++) { /* by turns */
        append(running && (i % 2 != 0 || second == NULL) ? file : second, i);
    }
    file_close(second);
    if (running) {
        file_close(file);
    }
    bool lost = keyed && !state_damages[at].kept;
    snprintf(wanted, sizeof(wanted),
             "\"state\":{\"found\":\"%s\",\"key\":\"%s\",\"file\":\"audit.jsonl.state.damaged-1\"}",
             state_damages[at].found,
             !keyed ? "none"
             : lost ? "lost"
                    : "kept");
    ck_assert_msg(times(log_text(), wanted) == 1 &&
                      times(log_text(), "\"action\":\"audit-state-set-aside\"") == 1,
                  "%s, keyed %d, running %d: %.900s", state_damages[at].what, keyed, running,
                  strstr(log_text(), "set-aside") != NULL ? strstr(log_text(), "\"state\":{")
                                                          : "no record");
    check_aside();
    ck_assert_int_eq(verdict_of(&key), keyed && !lost ? VERIFY_INTACT : VERIFY_UNPROVEN);
    log_file_check(path, &key, &check);
    ck_assert_msg(lost || check.breaks == 0, "%s, keyed %d, running %d: %s", state_damages[at].what,
                  keyed, running, check.problem);
    ck_assert_uint_eq(check.missing + check.lost_all, 0);
    for (unsigned i = 1; i < 9; i++) {
        ck_assert_msg(check.seen[i] == 1, "%s: %u", state_damages[at].what, i);
    }
}

/* _i: the damage. With a key and without; with a writer who has it mapped, and with none. */
START_TEST(a_damaged_state_is_set_aside)
{
    ck_assert(chain_init());
    for (int variant = 0; variant < 4; variant++) {
        tear_down();
        set_up();
        set_one_aside(_i, (variant & 1) != 0, (variant & 2) != 0);
    }
}
END_TEST

/* _i: the damage. Where a key is wanted it is kept, or the log refused with all left as it is. */
START_TEST(a_key_that_is_wanted_is_kept_or_refused)
{
    struct sink_settings settings = log_file_settings(path);
    struct log_process process = {0};
    struct chain_key key = {0};
    struct log_file *second = NULL;
    struct miguard_error error = {0};
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    uint64_t sequence;

    ck_assert(chain_init());
    chain_key_new(&key);
    settings.chain_required = true;
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    struct log_file *file = log_file_open(&settings, true);
    append(file, 1);
    state_damages[_i].damage(state_damages[_i].argument);
    bool written = log_file_append(file, 2, 0, &loss, &sequence);
    ck_assert_int_eq(written, state_damages[_i].kept);
    ck_assert(written || loss == AUDIT_LOSS_REMOVED);
    file_close(file);
    enum miguard_status status = file_open(&settings, &process, &second, &error);
    if (state_damages[_i].kept) {
        ck_assert_int_eq(status, MIGUARD_OK);
        file_close(second);
        return;
    }
    ck_assert_int_eq(status, MIGUARD_BAD_STATE);
    ck_assert_msg(strstr(error.detail, "the key of the chain is lost with it") != NULL, "%s",
                  error.detail);
    ck_assert_msg(strstr(error.detail, "audit init --aside") != NULL, "%s", error.detail);
    ck_assert_int_ne(access(beside("state.damaged-1"), F_OK), 0);
    ck_assert_uint_eq(times(log_text(), "audit-state-set-aside"), 0);
}
END_TEST

/* The next one has the next number; who was killed between two steps has left a second name. */
START_TEST(a_second_damaged_state_is_set_aside)
{
    char command[512];

    for (unsigned i = 1; i < 4; i++) {
        struct log_file *file = open_log();
        append(file, i);
        file_close(file);
        cut_state(600);
        snprintf(command, sizeof(command), "ln %1$s.state %1$s.state.damaged-%2$u", path, i);
        ck_assert_int_eq(system(command), 0);
    }
    struct log_file *file = open_log();
    append(file, 4);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(times(log_text(), "\"action\":\"audit-state-set-aside\""), 3);
    ck_assert_int_eq(access(beside("state.damaged-3"), F_OK), 0);
    ck_assert_int_ne(access(beside("state.damaged-4"), F_OK), 0);
}
END_TEST

/* A writer is killed before the record about it, and one behind it. */
START_TEST(the_record_about_it_is_written_once)
{
    static struct state_shared before;
    struct log_file *file = open_log();

    append(file, 1);
    file_close(file);
    cut_state(600);
    file_close(open_log()); /* writes nothing */
    ck_assert_uint_eq(times(log_text(), "audit-state-set-aside"), 0);
    file = open_log();
    memcpy(&before, file->state.shared, sizeof(before));
    append(file, 2);
    memcpy(file->state.shared->head, before.head, sizeof(before.head));
    atomic_store(&file->state.shared->current, atomic_load(&before.current));
    atomic_store(&file->state.shared->dirty, atomic_load(&before.dirty) | STATE_KILLED);
    file_close(file);
    file = open_log();
    append(file, 3);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(times(log_text(), "\"action\":\"audit-state-set-aside\""), 1);
}
END_TEST

/* As the log does with the last of the runs that it counts. */
static void *lock_and_look(void *context)
{
    struct log_file *file = context;
    enum audit_loss loss;

    if (file_lock(file, &loss)) {
        (void)*(volatile uint64_t *)&file_state(file)->repeats[STATE_REPEATS - 1].count;
        file_unlock(file);
    }
    return NULL;
}

/* What was proved before the wait does not hold behind it. */
START_TEST(a_state_is_cut_while_its_lock_is_waited_for)
{
    struct log_file *first = open_log(), *second = open_log();
    enum audit_loss loss;
    pthread_t thread;

    append(first, 1);
    ck_assert(file_lock(first, &loss));
    ck_assert_int_eq(pthread_create(&thread, NULL, lock_and_look, second), 0);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* less passes without the wait */
    cut_state(8192);
    file_unlock(first);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    append(second, 2);
    file_close(first);
    file_close(second);
    check_log(&no_key);
    ck_assert_uint_eq(times(log_text(), "\"action\":\"audit-state-set-aside\""), 1);
}
END_TEST

/* A state that others could write, another version's and a draft are never set aside. */
START_TEST(what_may_not_be_set_aside_stays)
{
    static const char *const commands[] = {
        "chmod 660 %1$s.state", "ln %1$s.state %1$s.other",
        "mv %1$s.state %1$s.x; mkdir %1$s.state",
        "printf 'MGDRAFT' | dd of=%1$s.state conv=notrunc status=none",
        "printf '\\11' | dd of=%1$s.state bs=1 seek=8 conv=notrunc status=none"};
    struct sink_settings settings = log_file_settings(path);
    struct log_process process = {0};
    struct log_file *second = NULL;
    struct miguard_error error = {0};
    char command[512];

    struct log_file *file = open_log();
    append(file, 1);
    file_close(file);
    if (_i == 4) {
        flip_heads(offsetof(struct state_head, check));
    }
    if (_i < 2) {
        flip_state(0);
    }
    snprintf(command, sizeof(command), commands[_i], path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_ne(file_open(&settings, &process, &second, &error), MIGUARD_OK);
    ck_assert_int_ne(access(beside("state.damaged-1"), F_OK), 0);
}
END_TEST

/* Two states beside each other would make two chains: who has a removed one joins the new one. */
START_TEST(a_writer_joins_the_state_that_has_the_name)
{
    struct log_file *first = open_log();
    append(first, 1);
    ck_assert_int_eq(unlink(beside("state")), 0);
    struct log_file *second = open_log();
    append(second, 2);
    append(first, 3);
    append(second, 4);
    append(first, 5);
    ck_assert_uint_eq(state_head(&first->state)->chain_id, state_head(&second->state)->chain_id);
    file_close(first);
    file_close(second);
    log_file_check(path, &no_key, &check);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_CUT], 1);
    ck_assert_uint_eq(check.unexplained, 0);
    ck_assert_uint_eq(check.last_sequence, 7); /* of which 2 may be missing, and 3 says so */
}
END_TEST

START_TEST(init_refuses_what_is_there)
{
    struct chain_key key = {0};

    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_BAD_STATE);
    ck_assert_int_eq(unlink(beside("state")), 0);
    ck_assert_int_eq(close(creat(path, 0640)), 0);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_BAD_STATE);
    ck_assert_int_eq(file_init("", &key, FILE_EARLIER_REFUSE, NULL, NULL),
                     MIGUARD_INVALID_ARGUMENT);
    struct state_head head;
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_NOT_FOUND);
}
END_TEST

static void put_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static unsigned count_in_files(const char *what)
{
    char command[300];
    unsigned count = 0;

    snprintf(command, sizeof(command), "grep -ho '%s' '%s'/audit.jsonl* 2>/dev/null | wc -l", what,
             folder);
    FILE *pipe = popen(command, "r");
    ck_assert_int_eq(fscanf(pipe, "%u", &count), 1);
    pclose(pipe);
    return count;
}

/* An earlier log of a few files, whose state is gone. */
static uint64_t make_earlier(void)
{
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_bytes = 4096;
    settings.keep = 0;
    struct log_file *file = log_file_open(&settings, true);
    for (unsigned i = 0; i < 20; i++) {
        append(file, i);
    }
    uint64_t chain = state_head(&file->state)->chain_id;
    file_close(file);
    ck_assert_int_eq(unlink(beside("state")), 0);
    ck_assert_int_eq(access(beside("2"), F_OK), 0);
    return chain;
}

/* Names of rotated files that are none: nothing of them is believed, removed or waited for. */
START_TEST(strays_are_left_alone)
{
    static const char notes[] = "my notes: {\"sequence\":99999999}\n";
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_bytes = 4096;
    settings.keep = _i == 0 ? 0 : 2;
    put_text(beside("20261127"), "{\"event\":{\"sequence\":9}}\n");
    put_text(beside("18446744073709551615"), "{\"event\":{\"sequence\":9}}\n");
    put_text(beside("3.gz"), "no gzip");
    put_text(beside("7"), "{\"event\":{\"sequence\":1},\"miguard\":{\"chain\":{\"id\":"
                          "\"0123456789abcdef\",\"epoch\":0,\"prev\":\"00\"}}}\n");
    ck_assert_int_eq(mkdir(beside("4"), 0700), 0);
    ck_assert_int_eq(mkfifo(beside("5"), 0600), 0);
    ck_assert_int_eq(symlink("/dev/zero", beside("6")), 0);
    ck_assert_int_eq(usleep(50000), 0); /* they are older than the log, not of the same moment */
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    struct state_head *first = state_begin(&file->state);
    first->generation = first->oldest = 1; /* as if they had come later */
    state_commit(&file->state);
    append(file, 0);
    put_text(beside("2"), notes);
    for (unsigned i = 1; i < 80; i++) {
        append(file, i);
    }
    const struct state_head *head = state_head(&file->state);
    ck_assert_uint_lt(head->generation, 100);
    ck_assert_uint_lt(head->removed_through, head->sequence);
    ck_assert_uint_eq(head->removed_through != 0, _i == 1);
    file_close(file);
    ck_assert_int_eq(size_of(beside("2")), (off_t)strlen(notes));
    ck_assert_int_gt(size_of(beside("20261127")), 0);
    ck_assert_int_gt(size_of(beside("18446744073709551615")), 0);
    ck_assert_int_gt(size_of(beside("3.gz")), 0);
    ck_assert_int_gt(size_of(beside("7")), 0);
    ck_assert_int_eq(rmdir(beside("4")), 0);
    ck_assert_int_eq(unlink(beside("5")), 0);
    ck_assert_int_eq(unlink(beside("6")), 0);
    ck_assert_uint_eq(count_in_files("audit.jsonl.20261127"), _i == 0 ? 1 : 0); /* then removed */
}
END_TEST

/* A writer is killed in a rotation, and a stray has the number that comes next. */
START_TEST(a_stray_does_not_go_on)
{
    struct log_file *file = open_log();

    append(file, 1);
    append(file, 2);
    put_text(beside("2"), "notes\n");
    ck_assert_int_eq(link(path, beside("1")), 0); /* as the writer left it */
    ck_assert_int_eq(close(creat(beside("new"), 0640)), 0);
    ck_assert_int_eq(rename(beside("new"), path), 0);
    atomic_fetch_or(&file->state.shared->dirty, STATE_KILLED);
    append(file, 3);
    append(file, 4);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost_all, 0);
    ck_assert_int_eq(size_of(beside("2")), 6);
}
END_TEST

START_TEST(init_beside_an_earlier_log)
{
    struct miguard_error error = {0};
    struct chain_key key = {0};
    char aside[PATH_MAX] = "", inside[PATH_MAX + 32];
    struct state_head head;

    ck_assert(chain_init());
    chain_key_new(&key);
    uint64_t chain = make_earlier();
    if (_i > 0) {
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "--aside"));
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_NOT_FOUND);
    enum file_earlier earlier = _i == 1 ? FILE_EARLIER_ASIDE : FILE_EARLIER_CONTINUE;
    ck_assert_int_eq(file_init(path, &key, earlier, aside, &error), MIGUARD_OK);
    struct sink_settings settings = log_file_settings(path);
    settings.rotate_bytes = 4096;
    settings.keep = 1;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_uint_eq(state_head(&file->state)->sequence, 0);
    ck_assert_uint_ne(state_head(&file->state)->chain_id, chain);
    for (unsigned i = 0; i < 60; i++) {
        append(file, i);
    }
    file_close(file);
    /* Retention took files of the new log, and none of the old one. */
    snprintf(inside, sizeof(inside), "%s/audit.jsonl.1", aside);
    ck_assert_int_eq(access(_i == 1 ? inside : beside("1"), F_OK), 0);
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_uint_gt(head.removed_through, 0);
}
END_TEST

START_TEST(an_empty_state_is_told)
{
    struct log_process process = {0};
    struct sink_settings settings = log_file_settings(path);
    struct miguard_error error = {0};
    struct log_file *file = NULL;
    struct chain_key key = {0};

    ck_assert(chain_init());
    chain_key_new(&key);
    put_text(beside("state"), "");
    ck_assert_int_eq(chmod(beside("state"), 0600), 0);
    ck_assert_int_eq(file_open(&settings, &process, &file, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "is empty"));
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "is empty"));
    ck_assert_int_eq(truncate(beside("state"), sizeof(struct state_shared)), 0); /* all zero */
    ck_assert_int_eq(file_open(&settings, &process, &file, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "not finished"));
}
END_TEST

/* Who looks while the key is being given sees no log, and what is going on. */
static int look_while_given(void *context)
{
    struct sink_settings settings = log_file_settings(path);
    struct miguard_error error = {0};
    struct state_head head;

    ck_assert_int_eq(file_read_head(path, &head, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "did not come to its end"));
    ck_assert_ptr_null(log_file_open(&settings, false));
    ck_assert_int_eq(file_init(path, context, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_BAD_STATE);
    return 0;
}

START_TEST(a_log_begins_when_its_key_was_given)
{
    struct chain_key key = {0};
    struct state_head head;

    ck_assert(chain_init());
    chain_key_new(&key);
    const struct file_beginning beginning = {
        .path = path, .key = &key, .give = look_while_given, .context = &key};
    ck_assert_int_eq(file_begin(&beginning, NULL, NULL), MIGUARD_OK);
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_uint_eq(head.chain_id, chain_id_of_key(&key));
}
END_TEST

START_TEST(a_chain_may_be_required)
{
    struct log_process process = {0};
    struct sink_settings settings = log_file_settings(path);
    struct miguard_error error = {0};
    struct log_file *file = NULL;
    struct chain_key key = {0};

    settings.chain_required = true;
    ck_assert_int_eq(file_open(&settings, &process, &file, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "chain: required"));
    ck_assert_int_ne(access(beside("state"), F_OK), 0); /* nothing was begun */
    file_close(open_log());
    ck_assert_int_eq(file_open(&settings, &process, &file, &error), MIGUARD_BAD_STATE);
    ck_assert_ptr_nonnull(strstr(error.detail, "chain: required"));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(beside("state")), 0);
    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    append(file, 1);
    file_close(file);
}
END_TEST

/* What makes a log that nobody would open, while it is open, and what takes it back. $L is
 * the log, $F its folder. Of the state's mode a writer takes notice within 64 records. */
static const struct {
    const char *spoil, *mend;
    unsigned within;
    bool as_root;
} spoilt[] = {
    {"chmod 0666 $L", "chmod 0640 $L", 1, false},
    {"chmod 0660 $L", "chmod 0600 $L", 1, false},
    {"chmod 0602 $L", "chmod 0644 $L", 1, false},
    {"chown 12345 $L", "chown 0 $L", 1, true},
    {"chmod 0770 $F", "chmod 0750 $F", 1, false},
    {"chmod 1777 $F", "chmod 0700 $F", 1, false},
    {"chown 12345 $F", "chown 0 $F", 1, true},
    {"chmod 0644 $L.state", "chmod 0600 $L.state", 64, false},
    {"chmod 0620 $L.state", "chmod 0600 $L.state", 64, false},
    {"chown 12345 $L.state", "chown 0 $L.state", 64, true},
};

static void change(const char *what)
{
    char command[300];

    snprintf(command, sizeof(command), "L=%s; F=%s; %s", path, folder, what);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_log_that_is_not_trusted_any_more)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    unsigned id = 0, refused_at = 0;
    uint64_t sequence;

    if (spoilt[_i].as_root && geteuid() != 0) {
        printf("skip: chown: needs root\n");
        return;
    }
    struct log_file *file = log_file_open(&settings, true);
    append(file, id++);
    change(spoilt[_i].spoil);
    for (unsigned i = 1; i <= spoilt[_i].within && refused_at == 0; i++) {
        refused_at = log_file_append(file, id, 0, &loss, &sequence) ? 0 : i;
        id += refused_at == 0;
    }
    ck_assert_uint_ge(refused_at, 1);
    ck_assert_int_eq(loss, AUDIT_LOSS_UNTRUSTED);
    ck_assert(!log_file_append(file, id, 0, &loss, &sequence)); /* and stays so */
    struct log_file *another = log_file_open(&settings, false);
    ck_assert_ptr_null(another); /* as nobody would open it */
    change(spoilt[_i].mend);
    append(file, id++);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.seen[id - 1], 1);
}
END_TEST

START_TEST(modes_do_not_depend_on_the_umask)
{
    struct sink_settings settings = log_file_settings(path);
    struct stat status;
    gid_t gid = getegid();

    settings.has_gid = true;
    settings.gid = gid;
    umask(_i == 0 ? 0 : 0777);
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    file_close(file);
    umask(022);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0640);
    ck_assert_uint_eq(status.st_gid, gid);
    ck_assert_int_eq(stat(beside("state"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0600);
}
END_TEST

/* With _i the limit is met in the middle of a record that was to be written by an older one, and
 * without in the tail, which such records may use a part of. Lifted, it holds up no record. */
START_TEST(a_limit_on_file_size_raises_no_signal)
{
    enum { RECORDS = 3 * FILE_LIMIT_EVERY };
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    enum audit_loss loss = 0;
    uint64_t sequence;

    struct log_file *file = open_log();
    append(file, 1);
    struct rlimit small = {(rlim_t)size_of(path) + 2000 + (_i == 0 ? FILE_TAIL : 0), RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    unsigned refused = 0; /* Check's own file has the limit, too: nothing is asserted meanwhile */
    for (unsigned i = 0; i < RECORDS; i++) {
        refused += !log_file_append(file, 2, 0, &loss, &sequence);
    }
    const rlim_t end = (rlim_t)size_of(path);
    setrlimit(RLIMIT_FSIZE, &none);
    ck_assert_uint_le(end + (_i == 0 ? FILE_TAIL / 2 : 0), small.rlim_cur);
    ck_assert_uint_gt(refused, RECORDS - FILE_LIMIT_EVERY - 5);
    ck_assert_int_eq(loss, AUDIT_LOSS_NO_SPACE);
    append(file, 3);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_NO_SPACE], refused);
}
END_TEST

/* ---- the lock -------------------------------------------------------------------------------- */

START_TEST(a_dead_owner_and_a_slow_one)
{
    enum audit_loss loss = 0;
    int ready[2], status = 0;
    char byte;

    if (lacks_robust_mutexes()) {
        printf("skip: a dead owner of the lock: there are no robust mutexes here\n");
        return;
    }
    struct log_file *file = open_log();
    append(file, 1);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        bool locked = file_lock(file, &loss) && write(file->fd, "{\"half", 6) == 6;
        (void)!write(ready[1], &locked, 1);
        pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    ck_assert(!file_lock(file, &loss));
    ck_assert_int_eq(loss, AUDIT_LOSS_BUSY);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(close(creat(beside("new"), 0600)), 0); /* as if it had died in a rotation */
    ck_assert_int_eq(link(path, beside("1")), 0);
    append(file, 2);
    ck_assert_int_ne(access(beside("new"), F_OK), 0);
    ck_assert_int_ne(access(beside("1"), F_OK), 0);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_KILLED], 1);
    ck_assert_uint_eq(check.lost_all, 1);
}
END_TEST

/* A thread that may not open files writes after another process has rotated. */
static void *append_as_nobody(void *context)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    if (syscall(SYS_setresuid, -1, 65534, -1) != 0) {
        return "setresuid";
    }
    return log_file_append(context, 40, 0, &loss, &sequence) ? NULL
                                                             : (void *)audit_losses[loss].name;
}

START_TEST(the_background_thread_opens_what_a_thread_may_not)
{
    struct sink_settings settings = log_file_settings(path);
    pthread_t background, writer;
    void *failed = NULL;

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    struct log_file *file = open_log();
    append(file, 1);
    settings.rotate_bytes = 3000;
    struct log_file *other = log_file_open(&settings, true);
    for (unsigned i = 2; i < 10; i++) {
        append(other, i);
    }
    file_close(other);
    pthread_create(&writer, NULL, append_as_nobody, file);
    pthread_join(writer, &failed);
    ck_assert_str_eq(failed, "removed");
    file_set_background(file, true);
    pthread_create(&background, NULL, log_file_maintain, file);
    pthread_create(&writer, NULL, append_as_nobody, file);
    pthread_join(writer, &failed);
    ck_assert_ptr_null(failed);
    file_set_background(file, false);
    pthread_join(background, NULL);
    file_close(file);
    check_log(&no_key);
    ck_assert_uint_eq(check.seen[40], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the log file");
    TCase *cases = tcase_create("file");

    tcase_set_timeout(cases, 300);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, chain_without_and_with_key, 0, 2);
    tcase_add_test(cases, no_key_that_was_used_is_left_in_the_state);
    tcase_add_test(cases, seals_end_epochs);
    tcase_add_loop_test(cases, rotation_by_size_and_keep, 0, 2);
    tcase_add_test(cases, rotation_by_time_and_a_taken_name);
    tcase_add_test(cases, many_threads);
    tcase_add_test(cases, one_sync_serves_many);
    tcase_add_test(cases, a_clock_set_back_holds_up_no_sync);
    tcase_add_loop_test(cases, many_processes, 0, 2);
    tcase_add_loop_test(cases, killed_at_each_byte, 0, 2);
    tcase_add_test(cases, only_what_continues_the_chain_is_taken_over);
    tcase_add_test(cases, a_gap_that_was_told_is_not_told_again);
    tcase_add_test(cases, a_writer_without_proc_is_no_reboot);
    tcase_add_test(cases, a_sync_of_another_file_proves_nothing);
    tcase_add_test(cases, a_file_holds_a_record_of_somebody);
    tcase_add_loop_test(cases, damage_is_told, 0, 2 * sizeof(damages) / sizeof(damages[0]));
    tcase_add_test(cases, another_file_is_set_aside);
    tcase_add_test(cases, synced_records_do_not_crash_away);
    tcase_add_test(cases, an_old_head_after_a_crash);
    tcase_add_loop_test(cases, a_log_that_is_not_trusted_any_more, 0,
                        (int)(sizeof(spoilt) / sizeof(spoilt[0])));
    tcase_add_test(cases, what_was_packed_meanwhile_is_not_cut);
    tcase_add_test(cases, without_its_state_a_log_goes_on_and_says_so);
    tcase_add_loop_test(cases, folders_above_are_judged, 0,
                        (int)(sizeof(above) / sizeof(above[0])));
    tcase_add_loop_test(cases, what_is_no_log_is_refused, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_loop_test(cases, a_damaged_state_is_set_aside, 0, LENGTH(state_damages));
    tcase_add_loop_test(cases, a_key_that_is_wanted_is_kept_or_refused, 0, LENGTH(state_damages));
    tcase_add_test(cases, a_second_damaged_state_is_set_aside);
    tcase_add_test(cases, the_record_about_it_is_written_once);
    tcase_add_test(cases, a_state_is_cut_while_its_lock_is_waited_for);
    tcase_add_loop_test(cases, what_may_not_be_set_aside_stays, 0, 5);
    tcase_add_test(cases, a_writer_joins_the_state_that_has_the_name);
    tcase_add_test(cases, init_refuses_what_is_there);
    tcase_add_test(cases, a_stray_does_not_go_on);
    tcase_add_loop_test(cases, strays_are_left_alone, 0, 2);
    tcase_add_loop_test(cases, init_beside_an_earlier_log, 0, 3);
    tcase_add_test(cases, an_empty_state_is_told);
    tcase_add_test(cases, a_chain_may_be_required);
    tcase_add_test(cases, a_log_begins_when_its_key_was_given);
    tcase_add_loop_test(cases, modes_do_not_depend_on_the_umask, 0, 2);
    tcase_add_loop_test(cases, a_limit_on_file_size_raises_no_signal, 0, 2);
    tcase_add_test(cases, a_dead_owner_and_a_slow_one);
    tcase_add_test(cases, the_background_thread_opens_what_a_thread_may_not);
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
