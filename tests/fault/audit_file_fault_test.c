/* SPDX-License-Identifier: MIT */
/*
 * Each system call of the log file fails in turn, in each way that the kernel has for it: no record
 * that was acknowledged is missing, each that was refused is counted once, the chain holds, and
 * when the fault is over all goes on. With FULL it is each call, else one of a few.
 */
#include "support/failing_alloc.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file/file_internal.h"
#include "support/log_file.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- calls that fail ------------------------------------------------------------------------- */

enum { SHORT = 1000, SHORT_THEN_FULL, SHORT_THEN_STUCK };

static long to_fail = -1; /* calls that still succeed; -1: all do */
static int fault;         /* errno, or SHORT... */
static bool met, stuck, full_next, stays;

/* Before a call the state is cut, or overwritten, as if by another process. */
static long to_damage = -1; /* calls until then */
static long damage_size;    /* to so many bytes; -1: its beginning is overwritten */
static const char *damage_state;

static void damage(void)
{
    static const char text[] = "printed by a plug-in";
    int fd = open(damage_state, O_WRONLY | O_CLOEXEC);

    if (damage_size < 0) {
        (void)!write(fd, text, sizeof(text));
    } else {
        (void)!ftruncate(fd, damage_size);
    }
    (void)close(fd);
}

static bool fails(void)
{
    if (to_damage >= 0 && to_damage-- == 0) {
        damage();
        met = true;
    }
    if (to_fail < 0 || to_fail-- > 0) {
        return false;
    }
    to_fail = stays ? 0 : -1;
    met = true;
    errno = fault < SHORT ? fault : EIO;
    return true;
}

static unsigned low; /* descriptors that can be written to and were 0 to 2 when they came */

static int fake_openat(int folder, const char *name, int flags, mode_t mode)
{
    int fd = fails() ? -1 : openat(folder, name, flags, mode);

    low += fd >= 0 && fd <= STDERR_FILENO && (flags & O_ACCMODE) != O_RDONLY;
    return fd;
}

static int fake_close(int fd)
{
    return close(fd) != 0 || fails() ? -1 : 0;
}

static ssize_t fake_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return fails() ? -1 : pread(fd, buffer, size, offset);
}

/* Of a thread that stays a while behind its write(2). */
static __thread sem_t *tell_written;

static ssize_t fake_write(int fd, const void *buffer, size_t size)
{
    if (full_next) {
        full_next = false;
        errno = ENOSPC;
        return -1;
    }
    if (!fails()) {
        ssize_t written = write(fd, buffer, size);
        if (tell_written != NULL) {
            ck_assert_int_eq(sem_post(tell_written), 0);
            usleep(50 * 1000);
        }
        return written;
    }
    if (fault < SHORT) {
        return -1;
    }
    full_next = fault != SHORT;
    stuck = fault == SHORT_THEN_STUCK;
    return write(fd, buffer, size / 2 + 1);
}

static int fake_ftruncate(int fd, off_t size)
{
    if (stuck) {
        stuck = false;
        errno = EIO;
        return -1;
    }
    return fails() ? -1 : ftruncate(fd, size);
}

static int fake_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails() ? -1 : fallocate(fd, mode, offset, length);
}

static int fake_posix_fallocate(int fd, off_t offset, off_t length)
{
    return fails() ? errno : posix_fallocate(fd, offset, length);
}

static bool sync_failed;
/* A sync says that it was done. A fault is made here and not by the disk, and no test cuts the
 * power: where syncs come by the ten thousand, a real one would only cost its time. */
static bool no_disk;
static atomic_bool disk_fails; /* each sync of a file */

/* What another thread does while a sync runs that fails. */
static void (*in_failing_sync)(void);
/* In place of all that follows: 0, or -1 and errno. */
static int (*own_fdatasync)(void);

static int fake_fdatasync(int fd)
{
    if (own_fdatasync != NULL) {
        return own_fdatasync();
    }
    if (atomic_load(&disk_fails)) {
        if (in_failing_sync != NULL) {
            in_failing_sync();
        }
        errno = EIO;
        return -1;
    }
    return fails() ? -1 : no_disk ? 0 : fdatasync(fd);
}

static int fake_fsync(int fd)
{
    if (fails()) {
        sync_failed = true;
        return -1;
    }
    return no_disk ? 0 : fsync(fd);
}

static int fake_syncfs(int fd)
{
    return atomic_load(&disk_fails) || fails() ? -1 : fdatasync(fd);
}

static bool spare_fstat; /* what proves that the state was cut */

static int fake_fstat(int fd, struct stat *ret_status)
{
    return fails() && !spare_fstat ? -1 : fstat(fd, ret_status);
}

static int fake_fstatat(int folder, const char *name, struct stat *ret_status, int flags)
{
    return fails() ? -1 : fstatat(folder, name, ret_status, flags);
}

static unsigned disk_percent; /* in use; 0: as it is */

static int fake_fstatvfs(int fd, struct statvfs *ret_status)
{
    if (fails() || fstatvfs(fd, ret_status) != 0) {
        return -1;
    }
    if (disk_percent != 0) {
        ret_status->f_blocks = 100;
        ret_status->f_bfree = ret_status->f_bavail = 100 - disk_percent;
    }
    return 0;
}

static int fake_fchmod(int fd, mode_t mode)
{
    return fails() ? -1 : fchmod(fd, mode);
}

static int fake_fchown(int fd, uid_t uid, gid_t gid)
{
    return fails() ? -1 : fchown(fd, uid, gid);
}

static int fake_linkat(int from, const char *name, int to, const char *new_name, int flags)
{
    return fails() ? -1 : linkat(from, name, to, new_name, flags);
}

static int fake_renameat(int from, const char *name, int to, const char *new_name)
{
    return fails() ? -1 : renameat(from, name, to, new_name);
}

static int fake_unlinkat(int folder, const char *name, int flags)
{
    return fails() ? -1 : unlinkat(folder, name, flags);
}

static int fake_mkdirat(int at, const char *name, mode_t mode)
{
    return fails() ? -1 : mkdirat(at, name, mode);
}

static int fake_dup3(int fd, int as, int flags)
{
    return fails() ? -1 : dup3(fd, as, flags);
}

static int fake_flock(int fd, int operation)
{
    return operation != LOCK_UN && fails() ? -1 : flock(fd, operation);
}

static int fake_getrlimit(__rlimit_resource_t resource, struct rlimit *ret_limit)
{
    return getrlimit(resource, ret_limit);
}

static int fake_left(int fd, int *ret_bytes)
{
    return fails() ? -1 : ioctl(fd, FIONREAD, ret_bytes);
}

static void *fake_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);
}

static ssize_t fake_getdents(int folder, void *buffer, size_t size)
{
    return fails() ? -1 : getdents64(folder, buffer, size);
}

const struct file_calls file_calls = {
    .openat = fake_openat,
    .close = fake_close,
    .pread = fake_pread,
    .write = fake_write,
    .ftruncate = fake_ftruncate,
    .fallocate = fake_fallocate,
    .posix_fallocate = fake_posix_fallocate,
    .fdatasync = fake_fdatasync,
    .fsync = fake_fsync,
    .syncfs = fake_syncfs,
    .fstat = fake_fstat,
    .look = fake_fstat,
    .left = fake_left,
    .fstatat = fake_fstatat,
    .fstatvfs = fake_fstatvfs,
    .fchmod = fake_fchmod,
    .fchown = fake_fchown,
    .linkat = fake_linkat,
    .renameat = fake_renameat,
    .unlinkat = fake_unlinkat,
    .mkdirat = fake_mkdirat,
    .dup3 = fake_dup3,
    .flock = fake_flock,
    .getrlimit = fake_getrlimit,
    .mmap = fake_mmap,
    .getdents = fake_getdents,
};

/* ---- what is tried --------------------------------------------------------------------------- */

enum { RECORDS = 14 };

static char folder[LOG_FILE_FOLDER], path[128];
static struct log_check check;
static bool acknowledged[RECORDS + 2], durable[RECORDS + 2];
static unsigned not_synced;

static void set_up(void)
{
    ck_assert(log_file_folder(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
}

static void clean(void)
{
    ck_assert(log_file_empty(folder));
}

static void tear_down(void)
{
    clean();
    ck_assert_int_eq(rmdir(folder), 0);
}

static void append(struct log_file *file, unsigned id)
{
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    uint64_t sequence = 0;

    acknowledged[id] = log_file_append(file, id, 0, &loss, &sequence);
    if (!acknowledged[id]) {
        ck_assert_int_lt(loss, AUDIT_LOSS_COUNT);
        return;
    }
    if (id % 3 == 0) {
        durable[id] = file_sync(file, sequence, &loss);
        not_synced += !durable[id];
        ck_assert(durable[id] || loss == AUDIT_LOSS_NOT_SYNCED);
        /* and what was not is never said to be */
        bool again = file_sync(file, sequence, &loss);
        ck_assert(durable[id] || !again);
    }
}

/* Opens, writes over several rotations, with the fault somewhere in it. */
static void run(const struct sink_settings *settings)
{
    struct log_file *file = log_file_open(settings, false);

    memset(acknowledged, 0, sizeof(acknowledged));
    for (unsigned i = 0; i < RECORDS && file != NULL; i++) {
        append(file, i);
    }
    file_close(file);
}

static void check_all(const char *what, long nth, int error)
{
    log_file_check(path, &(struct chain_key){.present = false}, &check);
    ck_assert_msg(check.breaks == 0, "%s, call %ld, errno %d: %s", what, nth, error, check.problem);
    ck_assert_msg(check.unexplained == 0 && check.missing == 0, "%s, call %ld, errno %d: missing",
                  what, nth, error);
    for (unsigned i = 0; i < RECORDS + 2; i++) {
        ck_assert_msg(check.seen[i] == acknowledged[i], "%s, call %ld, errno %d: record %u", what,
                      nth, error, i);
    }
    ck_assert_msg(check.lost_all == log_file_refused, "%s, call %ld, errno %d: %u refused, %u told",
                  what, nth, error, log_file_refused, (unsigned)check.lost_all);
}

static const int faults[] = {ENOSPC, EIO,    EINTR, EROFS, EDQUOT,          ENOMEM,
                             EACCES, EMFILE, EFBIG, SHORT, SHORT_THEN_FULL, SHORT_THEN_STUCK};

/* _i: the fault. */
START_TEST(each_call_fails)
{
    struct sink_settings settings = log_file_settings(path);
    const long step = getenv("FULL") == NULL ? 7 : 1;
    long nth = 0;

    settings.rotate_bytes = 4096;
    settings.sync = AUDIT_SYNC_ALL;
    settings.keep = 40;
    no_disk = true;
    fault = faults[_i];
    run(&settings); /* the batch of records that the support keeps is made */
    for (met = true; met; nth += step) {
        met = stuck = full_next = false;
        log_file_refused = not_synced = 0;
        clean();
        long before = outstanding;
        to_fail = nth;
        run(&settings);
        to_fail = -1;
        ck_assert_msg(outstanding == before, "call %ld, errno %d: %ld blocks are left", nth, fault,
                      outstanding - before);
        struct log_file *file = log_file_open(&settings, true);
        ck_assert_msg(file != NULL, "call %ld, errno %d", nth, fault);
        append(file, RECORDS);
        append(file, RECORDS + 1);
        ck_assert(acknowledged[RECORDS] && acknowledged[RECORDS + 1]);
        file_close(file);
        check_all("one failure", nth, fault);
    }
    ck_assert_int_gt(nth, 50);
}
END_TEST

/* _i: the fault. Everything or nothing: who is told that it failed may try again. */
START_TEST(init_fails)
{
    struct chain_key key = {0};
    char state[160];
    struct stat status;

    ck_assert(chain_init());
    chain_key_new(&key);
    snprintf(state, sizeof(state), "%s.state", path);
    fault = faults[_i];
    for (long nth = 0, last = 0; !last; nth++) {
        met = stuck = full_next = sync_failed = false;
        clean();
        to_fail = nth;
        enum miguard_status done = file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL);
        to_fail = -1;
        last = !met;
        ck_assert_msg(!last || done == MIGUARD_OK, "call %ld", nth);
        /* The key is printed only for what is on the disk; EROFS is a file system without fsync. */
        ck_assert_msg(!sync_failed || done != MIGUARD_OK || fault == EROFS, "call %ld", nth);
        if (done == MIGUARD_OK) {
            ck_assert_int_eq(stat(state, &status), 0);
            ck_assert_int_gt(status.st_size, 4096);
        } else {
            ck_assert_msg(stat(state, &status) != 0, "call %ld, errno %d", nth, fault);
            stuck = full_next = false;
            ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
        }
    }
}
END_TEST

/* ---- beginning a log ------------------------------------------------------------------------- */

struct giver {
    bool asked, takes;
};

static int give(void *context)
{
    struct giver *giver = context;

    giver->asked = true;
    return giver->takes ? 0 : EPIPE;
}

/* Of the log, there and in the folders there; working files of a state do not count. */
static void count_files(unsigned *ret_here, unsigned *ret_all)
{
    char pattern[96];
    glob_t found;
    struct stat status;

    *ret_here = *ret_all = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(pattern, sizeof(pattern), "%s/%s*", folder, i == 0 ? "" : "*/");
        int result = glob(pattern, 0, NULL, &found);
        for (size_t k = 0; result == 0 && k < found.gl_pathc; k++) {
            *ret_all += stat(found.gl_pathv[k], &status) == 0 && S_ISREG(status.st_mode) &&
                        strstr(found.gl_pathv[k], ".state.new") == NULL;
        }
        if (result == 0) {
            globfree(&found);
        }
        *ret_here = i == 0 ? *ret_all : *ret_here;
    }
}

static void make_earlier(enum file_earlier earlier)
{
    struct sink_settings settings = log_file_settings(path);
    char state[160];

    settings.rotate_bytes = 4096;
    settings.sync = AUDIT_SYNC_NONE;
    struct log_file *file = log_file_open(&settings, true);
    for (unsigned i = 0; i < 8; i++) {
        append(file, 1);
    }
    file_close(file);
    snprintf(state, sizeof(state), "%s.state", path);
    if (earlier == FILE_EARLIER_CONTINUE) {
        ck_assert_int_eq(unlink(state), 0);
    }
}

/* No program takes what is there for a log with a key. */
static void nothing_was_begun(const struct state_head *before, long nth)
{
    struct sink_settings settings = log_file_settings(path);
    struct state_head head = {0};

    settings.chain_required = true;
    struct log_file *file = log_file_open(&settings, false);
    ck_assert_msg(file == NULL, "call %ld, errno %d: a log that nobody has a key for", nth, fault);
    ck_assert_msg(file_read_head(path, &head, NULL) != MIGUARD_OK ||
                      head.chain_id == before->chain_id,
                  "call %ld, errno %d", nth, fault);
}

/* False: no call failed any more. */
static bool try_to_begin(enum file_earlier earlier, bool for_good, bool takes, long nth)
{
    struct giver giver = {.takes = takes};
    struct state_head before = {0}, after = {0};
    struct chain_key key = {0};
    char aside[PATH_MAX] = "";
    unsigned files = 0, here = 0, all = 0;
    const struct file_beginning beginning = {
        .path = path, .key = &key, .earlier = earlier, .give = give, .context = &giver};

    clean();
    chain_key_new(&key);
    if (earlier != FILE_EARLIER_REFUSE) {
        make_earlier(earlier);
    }
    count_files(&files, &all);
    (void)!file_read_head(path, &before, NULL);
    met = sync_failed = false;
    stays = for_good;
    to_fail = nth;
    enum miguard_status done = file_begin(&beginning, aside, NULL);
    bool some_failed = met;
    to_fail = -1;
    stays = false;
    if (done == MIGUARD_OK) {
        ck_assert_msg(giver.asked && takes, "call %ld, errno %d", nth, fault);
        ck_assert_msg(!sync_failed || fault == EROFS || fault == ENXIO, "call %ld", nth);
        ck_assert_int_eq(file_read_head(path, &after, NULL), MIGUARD_OK);
        ck_assert_uint_eq(after.chain_id, chain_id_of_key(&key));
        return some_failed;
    }
    nothing_was_begun(&before, nth);
    count_files(&here, &all);
    bool draft = file_read_head(path, &after, NULL) == MIGUARD_BAD_STATE;
    /* A second name of the current file may be left, of which each reader knows that it is one. */
    ck_assert_msg(all == files + draft ||
                      (earlier == FILE_EARLIER_CONTINUE && all == files + draft + 1),
                  "call %ld, errno %d: %u files of %u", nth, fault, all, files);
    /* All is as before; but where the fault was met in undoing. */
    if (!for_good && (takes || !some_failed)) {
        ck_assert_msg(!draft && here == files && aside[0] == '\0', "call %ld, errno %d: %u of %u",
                      nth, fault, here, files);
    }
    /* Who is told that it failed may try again. */
    giver.takes = true;
    ck_assert_msg(file_begin(&beginning, aside, NULL) == MIGUARD_OK, "call %ld, errno %d again",
                  nth, fault);
    return some_failed;
}

/* _i: the fault, met once or from some call on for good; whether the key is taken; and what lies
 * there. */
START_TEST(beginning_fails)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS, EINTR};
    const enum file_earlier earlier = (enum file_earlier)(_i / LENGTH(errors));
    const long step = getenv("FULL") == NULL ? 5 : 1;

    ck_assert(chain_init());
    no_disk = true;
    for (int variant = 0; variant < 4; variant++) {
        const bool for_good = (variant & 1) != 0, takes = (variant & 2) != 0;
        const int error = errors[_i % LENGTH(errors)];
        fault = for_good && error == EINTR ? ENXIO : error; /* nobody interrupts for ever */
        long nth = 0;
        while (try_to_begin(earlier, for_good, takes, nth)) {
            nth += step;
        }
        ck_assert_int_gt(nth, 10);
    }
    no_disk = false;
}
END_TEST

/* The log is open; from some call on all fail, and then none. */
START_TEST(all_calls_fail_for_a_while)
{
    struct sink_settings settings = log_file_settings(path);
    const long step = getenv("FULL") == NULL ? 7 : 1;

    settings.rotate_bytes = 4096;
    settings.sync = AUDIT_SYNC_ALL;
    settings.keep = 40;
    no_disk = true;
    fault = faults[_i] == EINTR ? ENXIO : faults[_i]; /* nobody interrupts for ever */
    for (long nth = 0; nth < 60; nth += step) {
        met = stuck = full_next = false;
        log_file_refused = not_synced = 0;
        clean();
        struct log_file *file = log_file_open(&settings, true);
        stays = true;
        to_fail = nth;
        for (unsigned i = 0; i < RECORDS; i++) {
            append(file, i);
        }
        stays = false;
        to_fail = -1;
        append(file, RECORDS);
        append(file, RECORDS + 1);
        ck_assert(acknowledged[RECORDS] && acknowledged[RECORDS + 1]);
        file_close(file);
        check_all("failures", nth, fault);
    }
}
END_TEST

/* ---- a damaged state ------------------------------------------------------------------------- */

/* How many files there are in the folder that match. */
static size_t matching(const char *pattern, glob_t *ret_found)
{
    char here[192];

    snprintf(here, sizeof(here), "%s/%s", folder, pattern);
    int result = glob(here, GLOB_NOSORT, NULL, ret_found);
    ck_assert(result == 0 || result == GLOB_NOMATCH);
    return ret_found->gl_pathc;
}

/* Lines with it, over all files of the log. Without a shell, which would be most of the test's
 * time.
 */
static unsigned told_aside(void)
{
    unsigned count = 0;
    char *line = NULL;
    size_t size = 0;
    glob_t found;

    (void)matching("audit.jsonl*", &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *file = fopen(found.gl_pathv[i], "re");
        ck_assert_ptr_nonnull(file);
        for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
            static const char said[] = "audit-state-set-aside";
            count += memmem(line, (size_t)length, said, sizeof(said) - 1) != NULL;
        }
        (void)fclose(file);
    }
    free(line);
    globfree(&found);
    return count;
}

static const char *state_path(void)
{
    static char name[160];
    snprintf(name, sizeof(name), "%s.state", path);
    return name;
}

/* What a damaged state leaves when it was set aside: one name for each file, and no draft. */
static void check_names(const char *what, long nth)
{
    struct stat status;
    glob_t found;

    ck_assert_int_eq(stat(state_path(), &status), 0);
    ck_assert_msg(status.st_nlink == 1 && status.st_size == sizeof(struct state_shared),
                  "%s, call %ld: a state of %ld bytes with %lu names", what, nth,
                  (long)status.st_size, (unsigned long)status.st_nlink);
    bool one = matching("*damaged-*", &found) == 1;
    globfree(&found);
    bool drafts = matching("audit.jsonl.state.new", &found) != 0;
    globfree(&found);
    ck_assert_msg(one && !drafts, "%s, call %ld: what is set aside", what, nth);
}

/* _i: the fault; met once, and from some call on until the log is opened again. A state with whole
 * heads, and one without. */
START_TEST(setting_aside_fails)
{
    struct sink_settings settings = log_file_settings(path);
    const long step = getenv("FULL") == NULL ? 5 : 1;

    no_disk = true;
    for (int variant = 0; variant < 4; variant++) {
        fault = (variant & 1) != 0 && faults[_i] == EINTR ? ENXIO : faults[_i];
        long nth = 0;
        for (met = true; met; nth += step) {
            met = stuck = full_next = false;
            log_file_refused = not_synced = 0;
            clean();
            run(&settings);
            ck_assert_int_eq(truncate(state_path(), (variant & 2) != 0 ? 4096 : 600), 0);
            long before = outstanding;
            met = false;
            stays = (variant & 1) != 0;
            to_fail = nth;
            file_close(log_file_open(&settings, false));
            bool some_failed = met;
            stays = stuck = full_next = false;
            to_fail = -1;
            ck_assert_int_eq(outstanding, before);
            struct log_file *file = log_file_open(&settings, true);
            ck_assert_msg(file != NULL, "call %ld, errno %d", nth, fault);
            append(file, RECORDS);
            append(file, RECORDS + 1);
            ck_assert(acknowledged[RECORDS] && acknowledged[RECORDS + 1]);
            file_close(file);
            check_all("setting aside", nth, fault);
            ck_assert_msg(told_aside() == 1, "variant %d, call %ld, errno %d: told %u times",
                          variant, nth, fault, told_aside());
            check_names("setting aside", nth);
            met = some_failed;
        }
        ck_assert_int_gt(nth, 20);
    }
}
END_TEST

static const long sizes[] = {0, 1, 80, 600, 4096, 8192, -1};

/* _i: what is left of the state, which is damaged before each call in turn while the log is opened
 * and written to over several rotations. No signal ends the test; each record is in the log or
 * refused, once; and the log goes on by itself. */
START_TEST(the_state_is_damaged_at_each_step)
{
    struct sink_settings settings = log_file_settings(path);
    const long step = getenv("FULL") == NULL ? 3 : 1;
    long nth = 0, refused = 0;

    settings.rotate_bytes = 4096;
    settings.sync = AUDIT_SYNC_ALL;
    settings.keep = 40;
    no_disk = true;
    damage_state = state_path();
    damage_size = sizes[_i];
    for (met = true; met; nth += step) {
        met = false;
        log_file_refused = not_synced = 0;
        clean();
        run(&settings); /* there has to be a log: an empty state alone is refused */
        to_damage = nth;
        run(&settings);
        to_damage = -1;
        struct log_file *file = log_file_open(&settings, true);
        ck_assert_msg(file != NULL, "call %ld", nth);
        append(file, RECORDS);
        append(file, RECORDS + 1);
        ck_assert(acknowledged[RECORDS] && acknowledged[RECORDS + 1]);
        file_close(file);
        log_file_check(path, &(struct chain_key){.present = false}, &check);
        ck_assert_msg(check.breaks == 0 && check.missing == 0, "size %ld, call %ld: %s",
                      damage_size, nth, check.problem);
        for (unsigned i = 0; i < RECORDS + 2; i++) {
            ck_assert_msg(check.seen[i] == acknowledged[i] + (i < RECORDS),
                          "size %ld, call %ld: record %u", damage_size, nth, i);
            refused += !acknowledged[i];
        }
        ck_assert_msg(told_aside() == met, "size %ld, call %ld: told %u times", damage_size, nth,
                      told_aside());
    }
    ck_assert_int_gt(nth, 100);
    printf("%ld bytes left: %ld steps, %ld records refused\n", damage_size, nth, refused);
}
END_TEST

START_TEST(each_allocation_fails)
{
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_bytes = 4096;
    for (int nth = 0; nth < 200; nth++) {
        log_file_refused = 0;
        clean();
        long before = outstanding;
        countdown = nth;
        run(&settings);
        countdown = -1;
        ck_assert_int_eq(outstanding, before);
        struct log_file *file = log_file_open(&settings, true);
        append(file, RECORDS);
        append(file, RECORDS + 1);
        file_close(file);
        check_all("no memory", nth, 0);
    }
}
END_TEST

/* A sync that failed is not made good by one that succeeds; a later record is durable again. */
START_TEST(a_failed_sync_stays_failed)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    uint64_t first = 0, second = 0, third = 0;

    settings.sync = AUDIT_SYNC_DENY;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert(log_file_append(file, 1, 0, &loss, &first));
    ck_assert(log_file_append(file, 2, 0, &loss, &second));
    fault = EIO;
    atomic_store(&disk_fails, true);
    ck_assert(!file_sync(file, first, &loss));
    atomic_store(&disk_fails, false);
    ck_assert_int_eq(loss, AUDIT_LOSS_NOT_SYNCED);
    ck_assert(!file_sync(file, second, &loss));
    ck_assert(log_file_append(file, 3, 0, &loss, &third));
    ck_assert(file_sync(file, third, &loss));
    ck_assert(!file_sync(file, second, &loss));
    fault = EINTR;
    for (long nth = 0; nth < 8; nth++) {
        ck_assert(log_file_append(file, 3, 0, &loss, &third));
        to_fail = nth;
        ck_assert(file_sync(file, third, &loss));
        to_fail = -1;
    }
    ck_assert(!file_sync(file, third + 1, &loss)); /* never written */
    file_close(file);
}
END_TEST

static struct log_file *meanwhile_file;
static pthread_t meanwhile;
static sem_t meanwhile_written;
static uint64_t meanwhile_sequence;

static void *append_meanwhile(void *unused)
{
    enum audit_loss loss = AUDIT_LOSS_COUNT;

    tell_written = &meanwhile_written;
    ck_assert(log_file_append(meanwhile_file, 2, 0, &loss, &meanwhile_sequence));
    return unused;
}

static void write_meanwhile(void)
{
    ck_assert_int_eq(pthread_create(&meanwhile, NULL, append_meanwhile, NULL), 0);
    ck_assert_int_eq(sem_wait(&meanwhile_written), 0);
}

/* A record that is written while a sync runs may be among what that fails with, and be marked clean
 * with it: the next sync, which succeeds, does not make it durable. Here its thread is not done
 * with it when the sync ends. _i: it is of another process. */
START_TEST(what_was_written_in_a_failed_sync_stays_failed)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    uint64_t first = 0, later = 0;

    settings.sync = AUDIT_SYNC_DENY;
    struct log_file *file = log_file_open(&settings, true);
    meanwhile_file = _i == 0 ? file : log_file_open(&settings, true);
    ck_assert(log_file_append(file, 1, 0, &loss, &first));
    ck_assert_int_eq(sem_init(&meanwhile_written, 0, 0), 0);
    in_failing_sync = write_meanwhile;
    atomic_store(&disk_fails, true);
    ck_assert(!file_sync(file, first, &loss));
    atomic_store(&disk_fails, false);
    ck_assert_int_eq(pthread_join(meanwhile, NULL), 0);
    ck_assert_uint_eq(meanwhile_sequence, first + 1);
    ck_assert(log_file_append(file, 3, 0, &loss, &later));
    ck_assert(file_sync(file, later, &loss));
    ck_assert(!file_sync(meanwhile_file, meanwhile_sequence, &loss));
    ck_assert_int_eq(loss, AUDIT_LOSS_NOT_SYNCED);
    file_close(_i == 0 ? NULL : meanwhile_file);
    file_close(file);
}
END_TEST

/* ---- who waits for whose sync ---------------------------------------------------------------- */

enum { SYNCERS = 8, TURNS = 2000, VERDICTS = SYNCERS * (TURNS + 1) + 64 };

static struct log_file *shared_file;
static pthread_mutex_t verdict_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char verdicts[VERDICTS]; /* by number: SYNC_... */
static uint64_t judged;                  /* up to this number */
static atomic_uint at_once, crowded;     /* syncs at work, and those that were not alone */

enum { SYNC_GOOD = 1, SYNC_BAD };

/* What a sync says holds for each record whose write(2) had ended when it began, and that none had
 * said anything about before. Of two at once the kernel tells only one that a write-back failed. */
static int judge(void)
{
    static unsigned seed = 1;
    atomic_fetch_add(&crowded, atomic_fetch_add(&at_once, 1) != 0);
    uint64_t through = atomic_load(&shared_file->written);
    bool good = rand_r(&seed) % 8 != 0;

    for (int pauses = rand_r(&seed) % 8; pauses > 0; pauses--) {
        sched_yield();
    }
    pthread_mutex_lock(&verdict_lock);
    while (judged < through) {
        verdicts[++judged] = good ? SYNC_GOOD : SYNC_BAD;
    }
    pthread_mutex_unlock(&verdict_lock);
    atomic_fetch_sub(&at_once, 1);
    errno = EIO;
    return good ? 0 : -1;
}

static unsigned char verdict_of(uint64_t sequence)
{
    pthread_mutex_lock(&verdict_lock);
    unsigned char verdict = verdicts[sequence];
    pthread_mutex_unlock(&verdict_lock);
    return verdict;
}

struct syncer {
    pthread_t thread;
    unsigned number, turns;
    unsigned kept, refused, wrong;
    pthread_barrier_t *turn;
};

/* The last of a turn has nobody behind it whose sync would wake it. */
static void *sync_in_turns(void *context)
{
    struct syncer *syncer = context;
    enum audit_loss loss;
    uint64_t sequence;

    for (unsigned i = 0; i < syncer->turns; i++) {
        (void)pthread_barrier_wait(syncer->turn);
        unsigned id = syncer->number * TURNS + i;
        if (!log_file_append(shared_file, id, 0, &loss, &sequence)) {
            syncer->wrong++;
            continue;
        }
        bool synced = file_sync(shared_file, sequence, &loss);
        unsigned char verdict = verdict_of(sequence);
        syncer->kept += synced;
        syncer->refused += !synced;
        syncer->wrong += synced && verdict != SYNC_GOOD;
        syncer->wrong += !synced && loss != AUDIT_LOSS_NOT_SYNCED;
        syncer->wrong += !synced && file_sync(shared_file, sequence, &loss);
    }
    return NULL;
}

/* Many threads in many turns, each with one record. Whoever is told that it is durable had a sync
 * that began behind its write(2) and succeeded, and none that failed; and each is told. _i: so many
 * threads, from two on. */
START_TEST(each_waiter_learns_what_its_sync_said)
{
    struct sink_settings settings = log_file_settings(path);
    struct syncer syncers[SYNCERS] = {0};
    pthread_barrier_t turn;
    unsigned kept = 0, refused = 0, wrong = 0;
    const unsigned count = (unsigned)_i;

    settings.sync = AUDIT_SYNC_ALL;
    shared_file = log_file_open(&settings, true);
    ck_assert_int_eq(pthread_barrier_init(&turn, NULL, count), 0);
    own_fdatasync = judge;
    for (unsigned i = 0; i < count; i++) {
        syncers[i] = (struct syncer){
            .number = i, .turns = getenv("QUICK") != NULL ? 500 : TURNS, .turn = &turn};
        ck_assert_int_eq(pthread_create(&syncers[i].thread, NULL, sync_in_turns, &syncers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_join(syncers[i].thread, NULL), 0);
        kept += syncers[i].kept;
        refused += syncers[i].refused;
        wrong += syncers[i].wrong;
    }
    own_fdatasync = NULL;
    pthread_barrier_destroy(&turn);
    file_close(shared_file);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(atomic_load(&crowded), 0);
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(kept, refused);
}
END_TEST

static sem_t sync_began, sync_may_end;

static int sync_when_told(void)
{
    ck_assert_int_eq(sem_post(&sync_began), 0);
    ck_assert_int_eq(sem_wait(&sync_may_end), 0);
    return 0;
}

static void *sync_first(void *ret_synced)
{
    enum audit_loss loss;

    *(bool *)ret_synced = file_sync(shared_file, 1, &loss);
    return NULL;
}

/* The child has neither the thread that leads nor those that wait. */
START_TEST(a_child_waits_for_no_sync_of_its_parent)
{
    struct sink_settings settings = log_file_settings(path);
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    uint64_t sequence = 0;
    bool synced[2] = {false, false};
    pthread_t threads[2];
    int status = 0;

    settings.sync = AUDIT_SYNC_ALL;
    shared_file = log_file_open(&settings, true);
    ck_assert(log_file_append(shared_file, 1, 0, &loss, &sequence));
    ck_assert_int_eq(sem_init(&sync_began, 0, 0) | sem_init(&sync_may_end, 0, 0), 0);
    own_fdatasync = sync_when_told;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sync_first, &synced[i]), 0);
    }
    ck_assert_int_eq(sem_wait(&sync_began), 0);
    while (atomic_load(&shared_file->waiting) < 2) {
        sched_yield();
    }
    file_fork_lock(shared_file);
    pid_t child = fork();
    file_fork_unlock(shared_file, child == 0);
    if (child == 0) {
        own_fdatasync = NULL;
        (void)alarm(20);
        _exit(log_file_append(shared_file, 2, 0, &loss, &sequence) &&
                      file_sync(shared_file, sequence, &loss) &&
                      atomic_load(&shared_file->waiting) == 0
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(sem_post(&sync_may_end), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert(synced[i]);
    }
    own_fdatasync = NULL;
    file_close(shared_file);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- what the disk did not take ----------------------------------------------------------------
 */

/* A host without 0 to 2: not even for a moment does what it prints go into the log or its state. */
START_TEST(no_file_is_a_standard_one_for_a_moment)
{
    struct sink_settings settings = log_file_settings(path);
    int saved[3];

    settings.rotate_bytes = 4096;
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        (void)close(fd);
    }
    low = 0;
    run(&settings);
    bool cut = truncate(state_path(), 600) == 0;
    run(&settings);
    bool left = fcntl(0, F_GETFD) >= 0 || fcntl(1, F_GETFD) >= 0 || fcntl(2, F_GETFD) >= 0;
    for (int fd = 0; fd < 3; fd++) {
        (void)dup2(saved[fd], fd);
    }
    ck_assert(cut);
    ck_assert_uint_eq(low, 0);
    ck_assert(!left);
    ck_assert_uint_eq(told_aside(), 1);
}
END_TEST

enum { THREADS = 6 };

static struct audit *open_audit(enum audit_sync sync)
{
    struct sink_settings file = SINK_FILE_DEFAULT(NULL);
    const struct audit_settings settings = {&file, 1, 0, NULL};
    struct miguard_error error = {0};
    struct audit *opened = NULL;

    file.path = path;
    file.sync = sync;
    ck_assert_msg(audit_open(&settings, &opened, &error) == MIGUARD_OK, "%s", error.detail);
    return opened;
}

static enum miguard_status write_one(struct audit *audit, unsigned id, bool denied)
{
    char name[32];
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                      .reason = denied ? AUDIT_REASON_IDENTITY_MISMATCH
                                                       : AUDIT_REASON_IDENTITY_MATCH,
                                      .denied = denied,
                                      .name_space = name};

    snprintf(name, sizeof(name), "id-%u", id);
    return audit_write(audit, &event);
}

/* Each is in the file, counts as lost all the same, and is no break of the chain. */
static void check_not_synced(unsigned records, unsigned lost)
{
    log_file_check(path, &(struct chain_key){.present = false}, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_NOT_SYNCED], lost);
    ck_assert_uint_eq(check.lost_all, lost);
    ck_assert_uint_eq(check.missing, 0);
    for (unsigned i = 0; i < records; i++) {
        ck_assert_msg(check.seen[i] == 1, "record %u is there %u times", i, check.seen[i]);
    }
}

/* _i: the setting. */
START_TEST(a_record_that_is_not_synced_counts_as_lost)
{
    static const bool waits[3][2] = {{false, false}, {false, true}, {true, true}};
    struct audit *audit = open_audit((enum audit_sync)_i);
    unsigned id = 0, lost = 0;

    for (int denied = 0; denied < 2; denied++) {
        atomic_store(&disk_fails, true);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(write_one(audit, id++, denied == 1),
                             waits[_i][denied] ? MIGUARD_AUDIT_FAILED : MIGUARD_OK);
            lost += waits[_i][denied];
        }
        atomic_store(&disk_fails, false);
        ck_assert_int_eq(write_one(audit, id++, denied == 1), MIGUARD_OK);
    }
    audit_close(audit);
    check_not_synced(id, lost);
}
END_TEST

/* The state is cut under a log that must have a key: each record is refused, and counted when the
 * state is back. _i: what is left of it. */
START_TEST(records_without_a_state_are_refused_and_counted)
{
    static char bytes[sizeof(struct state_shared)];
    struct sink_settings settings = SINK_FILE_DEFAULT(NULL);
    const struct audit_settings log = {&settings, 1, 0, NULL};
    struct chain_key key = {0};
    struct audit *audit = NULL;

    settings.path = path;
    settings.chain_required = true;
    no_disk = true;
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    ck_assert_int_eq(audit_open(&log, &audit, NULL), MIGUARD_OK);
    ck_assert_int_eq(write_one(audit, 0, true), MIGUARD_OK);
    int fd = open(state_path(), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
    ck_assert_int_eq(ftruncate(fd, sizes[_i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(write_one(audit, 1 + i, i != 0), MIGUARD_AUDIT_FAILED);
    }
    ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
    close(fd);
    ck_assert_int_eq(write_one(audit, 4, true), MIGUARD_OK);
    audit_close(audit);
    log_file_check(path, &key, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_uint_eq(check.lost[AUDIT_LOSS_REMOVED], 3);
    ck_assert_uint_eq(check.lost_all, 3);
    ck_assert_int_eq(check.seen[0] + check.seen[4], 2);
    ck_assert_int_eq(check.seen[1] + check.seen[2] + check.seen[3], 0);
}
END_TEST

/* A call fails, and the state is cut just before it: what was refused for it is counted in the
 * state that comes next, and not in the one that is gone. */
START_TEST(a_record_refused_with_its_state_is_counted)
{
    unsigned refused = 0;

    no_disk = true;
    damage_state = state_path();
    damage_size = 0;
    spare_fstat = true;
    fault = EIO;
    for (long nth = 0; nth < 30; nth++) {
        clean();
        struct audit *audit = open_audit(AUDIT_SYNC_NONE);
        ck_assert_int_eq(write_one(audit, 0, true), MIGUARD_OK);
        to_damage = to_fail = nth;
        bool written = write_one(audit, 1, true) == MIGUARD_OK;
        to_damage = to_fail = -1;
        ck_assert_int_eq(write_one(audit, 2, true), MIGUARD_OK);
        audit_close(audit);
        log_file_check(path, &(struct chain_key){.present = false}, &check);
        ck_assert_msg(check.breaks == 0, "call %ld: %s", nth, check.problem);
        ck_assert_msg(check.lost_all == !written, "call %ld: %u told", nth,
                      (unsigned)check.lost_all);
        refused += !written;
    }
    ck_assert_uint_gt(refused, 0);
}
END_TEST

struct writer {
    pthread_t thread;
    struct audit *audit;
    unsigned id;
    enum miguard_status status;
};

static void *write_refusal(void *context)
{
    struct writer *writer = context;

    writer->status = write_one(writer->audit, writer->id, true);
    return NULL;
}

/* One sync serves all threads that wait: when it fails, each of their records counts. */
START_TEST(all_that_waited_for_a_sync_count_as_lost)
{
    struct audit *audit = open_audit(AUDIT_SYNC_DENY);
    struct writer writers[THREADS];

    atomic_store(&disk_fails, true);
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.audit = audit, .id = i};
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_refusal, &writers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
        ck_assert_int_eq(writers[i].status, MIGUARD_AUDIT_FAILED);
    }
    atomic_store(&disk_fails, false);
    ck_assert_int_eq(write_one(audit, THREADS, true), MIGUARD_OK);
    audit_close(audit);
    check_not_synced(THREADS + 1, THREADS);
}
END_TEST

/* ---- rotation ------------------------------------------------------------------------------- */

/* A file that is smaller than any record gets one record all the same, and not none. What is said
 * about the space is a record, too, and makes one file more only where it is the very first. */
static const struct {
    unsigned first, later; /* percent of the disk in use */
    const char *steps;
    uint64_t files;
} disks[] = {
    {50, 50, "", 4},
    {95, 95, "low ", 5},
    {50, 95, "low ", 4},
    {95, 50, "low normal ", 5},
};

START_TEST(a_file_holds_a_record_of_somebody)
{
    struct sink_settings settings = log_file_settings(path);

    settings.rotate_bytes = 1;
    for (unsigned i = 0; i < 5; i++) {
        disk_percent = i < 2 ? disks[_i].first : disks[_i].later;
        struct log_file *file = log_file_open(&settings, true); /* looks at the disk anew */
        append(file, i);
        ck_assert(acknowledged[i]);
        file_close(file);
    }
    disk_percent = 0;
    log_file_check(path, &(struct chain_key){.present = false}, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_str_eq(check.steps, disks[_i].steps);
    ck_assert_uint_eq(check.files, disks[_i].files);
    ck_assert_uint_eq(check.rotations, check.files - 1);
    ck_assert_uint_eq(check.records, 5 + check.spaces + check.rotations);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults of the log file");
    TCase *cases = tcase_create("calls");

    tcase_set_timeout(cases, 600);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, each_call_fails, 0, LENGTH(faults));
    tcase_add_loop_test(cases, init_fails, 0, LENGTH(faults));
    tcase_add_loop_test(cases, beginning_fails, 0, 3 * 5);
    tcase_add_loop_test(cases, all_calls_fail_for_a_while, 0, LENGTH(faults));
    tcase_add_test(cases, each_allocation_fails);
    tcase_add_test(cases, a_failed_sync_stays_failed);
    tcase_add_loop_test(cases, what_was_written_in_a_failed_sync_stays_failed, 0, 2);
    tcase_add_loop_test(cases, a_file_holds_a_record_of_somebody, 0, LENGTH(disks));
    suite_add_tcase(suite, cases);
    TCase *aside = tcase_create("aside");
    tcase_set_timeout(aside, 600);
    tcase_add_checked_fixture(aside, set_up, tear_down);
    tcase_add_loop_test(aside, setting_aside_fails, 0, LENGTH(faults));
    tcase_add_loop_test(aside, the_state_is_damaged_at_each_step, 0, LENGTH(sizes));
    suite_add_tcase(suite, aside);
    TCase *waiting = tcase_create("waiting");
    tcase_set_timeout(waiting, 120);
    tcase_add_checked_fixture(waiting, set_up, tear_down);
    tcase_add_loop_test(waiting, each_waiter_learns_what_its_sync_said, 2, SYNCERS + 1);
    tcase_add_test(waiting, a_child_waits_for_no_sync_of_its_parent);
    suite_add_tcase(suite, waiting);
    TCase *disk = tcase_create("disk");
    tcase_add_checked_fixture(disk, set_up, tear_down);
    tcase_add_loop_test(disk, a_record_that_is_not_synced_counts_as_lost, 0, 3);
    tcase_add_loop_test(disk, records_without_a_state_are_refused_and_counted, 0, 4);
    tcase_add_test(disk, a_record_refused_with_its_state_is_counted);
    tcase_add_test(disk, no_file_is_a_standard_one_for_a_moment);
    tcase_add_test(disk, all_that_waited_for_a_sync_count_as_lost);
    suite_add_tcase(suite, disk);
    TCase *begin = tcase_create("begin");
    tcase_set_timeout(begin, 600);
    tcase_add_checked_fixture(begin, set_up, tear_down);
    tcase_add_loop_test(begin, init_fails, 0, LENGTH(faults));
    tcase_add_loop_test(begin, beginning_fails, 0, 3 * 5);
    suite_add_tcase(suite, begin);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
