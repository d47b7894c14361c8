/* SPDX-License-Identifier: MIT */
/* rotate: holds for each file, whoever writes it and however short a writer lives. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "support/log_file.h"

enum { LIMIT = 64 * 1024, PADDING = 5000 };

static char folder[64], path[128];
static struct chain_key key;
static struct log_check check;

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-rotate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    memset(&key, 0, sizeof(key));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct log_file *open_log(void)
{
    struct sink_settings settings = log_file_settings(path);

    settings.sync = AUDIT_SYNC_NONE;
    settings.rotate_bytes = LIMIT;
    settings.keep = 0;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    return file;
}

/* How many bytes of files over the limit the log tells. */
static unsigned long told_beyond(void)
{
    char command[256];
    unsigned long bytes = 0;

    snprintf(command, sizeof(command),
             "grep -D skip -d skip -ho '\"beyond\":[0-9]*' '%s'/audit.jsonl* | cut -d: -f2 | "
             "awk '{ sum += $1 } END { print sum + 0 }'",
             folder);
    FILE *out = popen(command, "re");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(fscanf(out, "%lu", &bytes), 1);
    pclose(out);
    return bytes;
}

/* The longest file; *ret_count of all. */
static off_t longest(size_t *ret_count)
{
    char pattern[160];
    struct stat status;
    off_t most = 0;
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s.[0-9]*", path);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        ck_assert_int_eq(stat(found.gl_pathv[i], &status), 0);
        most = status.st_size > most ? status.st_size : most;
    }
    *ret_count = found.gl_pathc;
    globfree(&found);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_size > most ? status.st_size : most;
}

static void within_limit(size_t files)
{
    size_t count = 0;
    off_t most = longest(&count);

    ck_assert_msg(most <= LIMIT, "a file has %lld bytes", (long long)most);
    ck_assert_uint_ge(count, files);
    ck_assert_uint_eq(told_beyond(), 0);
    log_file_check(path, &key, &check);
    ck_assert_msg(check.breaks == 0, "%s", check.problem);
    ck_assert_uint_eq(check.missing, 0);
}

static void append(struct log_file *file, unsigned id, size_t padding)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    ck_assert_msg(log_file_append(file, id, padding, &loss, &sequence), "%s",
                  audit_losses[loss].name);
}

static void wait_for(pid_t child)
{
    int status = 0;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* _i: without a key, with one, whose seals count, too. */
START_TEST(many_short_processes)
{
    enum { AT_ONCE = 4 };
    const unsigned rounds = getenv("EMULATED") != NULL ? 9 : 60;
    pid_t children[AT_ONCE];

    if (_i == 1) {
        ck_assert(chain_init());
        chain_key_new(&key);
        ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct log_file *file = open_log();
                for (unsigned j = 0; j < 5; j++) {
                    append(file, round * 20 + i * 5 + j, (round * 977 + j * 613) % PADDING);
                }
                file_close(file);
                _exit(0);
            }
        }
        for (unsigned i = 0; i < AT_ONCE; i++) {
            wait_for(children[i]);
        }
    }
    within_limit(rounds / 3);
    ck_assert_uint_ge(check.records, rounds * 20);
}
END_TEST

/* A seal that is due just where the file is full goes to the next one. */
START_TEST(a_seal_counts)
{
    ck_assert(chain_init());
    chain_key_new(&key);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    struct log_file *file = open_log();
    struct state_head *head;

    for (unsigned i = 0; i < 400; i++) {
        enum audit_loss loss;
        append(file, i, 300 + i % 7);
        ck_assert(file_lock(file, &loss));
        head = state_begin(&file->state);
        head->epoch_start = 1; /* a seal is due */
        state_commit(&file->state);
        file_unlock(file);
    }
    file_close(file);
    within_limit(5);
    ck_assert_uint_ge(check.seals, 300);
}
END_TEST

/* ---- other identities ------------------------------------------------------------------------ */

static bool become(uid_t uid)
{
    return syscall(SYS_setresuid, -1, uid, -1) == 0;
}

static void *write_as_nobody(void *context)
{
    enum audit_loss loss = 0;
    uint64_t sequence;

    if (!become(65534)) {
        return "setresuid";
    }
    for (unsigned i = 0; i < 200; i++) {
        if (!log_file_append(context, i, PADDING, &loss, &sequence)) {
            return (void *)(uintptr_t)audit_losses[loss].name;
        }
    }
    return NULL;
}

START_TEST(a_thread_that_may_not_rotate_waits_for_the_background_thread)
{
    pthread_t background, writer;
    void *failed = NULL;

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    struct log_file *file = open_log();
    file_set_background(file, true);
    pthread_create(&background, NULL, log_file_maintain, file);
    pthread_create(&writer, NULL, write_as_nobody, file);
    pthread_join(writer, &failed);
    file_set_background(file, false);
    pthread_join(background, NULL);
    file_close(file);
    ck_assert_msg(failed == NULL, "%s", (const char *)failed);
    within_limit(15);
    ck_assert_uint_eq(check.seen[199], 1);
}
END_TEST

/* Why nobody can do it: no descriptor that was opened before gives a thread the right to a name in
 * the folder, not that of the folder, and not one of the new file, with a name or without. */
START_TEST(no_descriptor_gives_a_right_to_a_name)
{
    char by_fd[64];

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int named = openat(at, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int nameless = openat(at, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    ck_assert(at >= 0 && named >= 0);
    ck_assert(become(65534));
    ck_assert(openat(at, "other", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EACCES);
    ck_assert(linkat(at, "new", at, "other", 0) != 0 && errno == EACCES);
    ck_assert(renameat(at, "new", at, "other") != 0 && errno == EACCES);
    ck_assert(unlinkat(at, "new", 0) != 0 && errno == EACCES);
    const int held[] = {named, nameless};
    for (size_t i = 0; i < 2 && held[i] >= 0; i++) {
        snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", held[i]);
        ck_assert(linkat(held[i], "", at, "other", AT_EMPTY_PATH) != 0);
        ck_assert(linkat(AT_FDCWD, by_fd, at, "other", AT_SYMLINK_FOLLOW) != 0);
    }
    ck_assert(become(0));
    close(at);
    close(named);
    if (nameless >= 0) {
        close(nameless);
    }
    ck_assert_int_eq(unlinkat(AT_FDCWD, path, 0), -1); /* nothing was made */
}
END_TEST

/* Without a background thread there is nobody to do it: nothing is lost, and the first record of a
 * thread that may rotates. */
START_TEST(an_identity_that_is_back_rotates_at_once)
{
    size_t count = 0;
    glob_t found;
    char pattern[160];

    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    struct log_file *file = open_log();
    append(file, 1, PADDING);
    ck_assert(become(65534));
    for (unsigned i = 2; i < 20; i++) {
        append(file, i, PADDING);
    }
    snprintf(pattern, sizeof(pattern), "%s.[0-9]*", path);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
    ck_assert(become(0));
    append(file, 20, PADDING);
    file_close(file);
    off_t most = longest(&count);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_gt(most, LIMIT);
    ck_assert_uint_eq(told_beyond(), (unsigned long)(most - LIMIT)); /* it is said */
    log_file_check(path, &key, &check);
    ck_assert_uint_eq(check.breaks + check.missing, 0);
}
END_TEST

/* A process begins with its own identity: what it will write with another has room then. */
START_TEST(a_process_that_begins_makes_room)
{
    if (geteuid() != 0) {
        printf("skip: a thread of another identity: needs root\n");
        return;
    }
    for (unsigned i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct log_file *file = open_log();
            log_file_begin(file);
            bool became = become(65534);
            for (unsigned j = 0; j < 5; j++) {
                append(file, i * 5 + j, 2000);
            }
            file_close(file);
            _exit(became ? 0 : 1);
        }
        wait_for(child);
    }
    within_limit(8);
}
END_TEST

/* ---- what `keep` removes --------------------------------------------------------------------- */

enum { KEEP = 3 };

static void sh(const char *format, unsigned number)
{
    char command[512];

    snprintf(command, sizeof(command), "cd '%s' && n=%u f=audit.jsonl.%u && { %s; }", folder,
             number, number, format);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static bool is_there(unsigned number, const char *suffix)
{
    char name[160];

    snprintf(name, sizeof(name), "%s.%u%s", path, number, suffix);
    return access(name, F_OK) == 0;
}

/* Writes until the current file would get a number. */
static void write_up_to(struct log_file *file, uint64_t generation)
{
    for (unsigned i = 0; state_head(&file->state)->generation < generation; i++) {
        append(file, i % 1000, PADDING);
    }
}

static struct log_file *open_keeping(void)
{
    struct sink_settings settings = log_file_settings(path);

    settings.sync = AUDIT_SYNC_NONE;
    settings.rotate_bytes = LIMIT;
    settings.keep = KEEP;
    struct log_file *file = log_file_open(&settings, true);
    ck_assert_ptr_nonnull(file);
    return file;
}

static unsigned count_named(const char *name)
{
    char command[256];
    unsigned count = 0;

    snprintf(command, sizeof(command),
             "grep -D skip -d skip -ho '\"stray\":\"[^\"]*%s\"' '%s'/audit.jsonl* | wc -l", name,
             folder);
    FILE *out = popen(command, "re");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(fscanf(out, "%u", &count), 1);
    pclose(out);
    return count;
}

/* zstd(1) is in no list of what the tests need. */
static bool lacks(const char *program)
{
    char command[64];

    snprintf(command, sizeof(command), "command -v %s > /dev/null", program);
    if (system(command) == 0) {
        return false;
    }
    printf("skip: packed files: %s is not installed\n", program);
    return true;
}

static const struct {
    const char *program, *pack, *ending;
} packers[] = {{"gzip", "gzip $f", ".gz"}, {"zstd", "zstd -q --rm $f", ".zst"}};

/* What gzip(1) or zstd(1) makes of a file of ours is ours: it counts, and goes when its time has
 * come. */
START_TEST(packed_files_are_removed)
{
    const char *ending = packers[_i / 2].ending;

    if (lacks(packers[_i / 2].program)) {
        return;
    }
    struct log_file *file = open_keeping();

    for (unsigned number = 1; number < 12; number++) {
        write_up_to(file, number + 1);
        if (_i % 2 == 1 && number == 6) { /* also over a restart */
            file_close(file);
            file = open_keeping();
        }
        sh(packers[_i / 2].pack, number);
        ck_assert(!is_there(number, "") && is_there(number, ending));
        ck_assert(number <= KEEP || !is_there(number - KEEP, ending));
        ck_assert(number < KEEP || is_there(number - KEEP + 1, ending));
    }
    ck_assert_uint_gt(state_head(&file->state)->removed_through, 0);
    ck_assert_uint_eq(file->stray_files, 0);
    file_close(file);
    ck_assert_uint_eq(count_named(ending + 1), 0);
}
END_TEST

/* Each leaves a file with the name of a packed one that is none of ours, in place of number 2 or
 * beside it ($f). */
static const struct {
    const char *make;
    bool beside;
} foreign[] = {
    {"rm $f; seq 9 | gzip > $f.gz", false},
    {"seq 9 | gzip > $f.gz", true},
    {"touch -r $f m; rm $f; seq 9 | gzip > $f.gz; touch -r m $f.gz; rm m", false},
    {"s=$(stat -c %s $f); rm $f; head -c $s /dev/zero | gzip > $f.gz; touch -d @1 $f.gz", false},
    {"touch -r $f m; s=$(stat -c %s $f); rm $f; head -c $s /dev/zero | gzip | tail -c +4 > $f.gz; "
     "touch -r m $f.gz; rm m",
     false},
    {"cp $f x; gzip x; rm $f; mv x.gz elsewhere.gz; ln -s elsewhere.gz $f.gz", false},
    {"rm $f; mkfifo $f.gz", false},
    {"rm $f; mkdir $f.gz", false},
    {"rm $f; : > $f.gz", false},
    /* Without a length; with another; of another time; and one that is too short for a frame. */
    {"touch -r $f m; zstd -q --rm < $f > $f.zst; rm $f; touch -r m $f.zst; rm m", false},
    {"touch -r $f m; seq 9999 > x; zstd -q x -o $f.zst; rm x $f; touch -r m $f.zst; rm m", false},
    {"zstd -q --rm $f; touch -d @1 $f.zst", false},
    {"touch -r $f m; rm $f; printf '\\050\\265\\057\\375' > $f.zst; touch -r m $f.zst; rm m",
     false},
};

START_TEST(a_foreign_packed_file_stays)
{
    bool zstd = strstr(foreign[_i].make, ".zst") != NULL;
    const char *name = zstd ? "audit.jsonl.2.zst" : "audit.jsonl.2.gz";

    if (lacks(zstd ? "zstd" : "gzip")) {
        return;
    }
    struct log_file *file = open_keeping();
    write_up_to(file, 3);
    sh(foreign[_i].make, 2);
    write_up_to(file, 5);
    unsigned named = count_named(name); /* that file goes, too */
    ck_assert_int_eq(usleep(50000), 0); /* it is no new one any more */
    write_up_to(file, 9);
    /* Ours are as many as they should be. */
    for (unsigned number = 1; number < 9; number++) {
        bool ours = number > 8 - KEEP;
        ck_assert_msg(is_there(number, "") == ours, "%u", number);
    }
    sh(zstd ? "test -e $f.zst" : "test -e $f.gz || test -L $f.gz", 2);
    file_close(file);
    ck_assert_uint_eq(named + count_named(name), 1);
}
END_TEST

/* A file that gzip(1) is just making is no stray, and what it is made of goes when it is due. */
START_TEST(a_file_that_is_being_packed_is_not_named)
{
    struct log_file *file = open_keeping();

    write_up_to(file, 3);
    sh("head -c 100 /dev/zero > $f.gz", 2);
    write_up_to(file, 4);
    ck_assert_uint_eq(count_named("gz"), 0);
    sh("rm $f.gz; gzip $f", 2);
    write_up_to(file, 8);
    ck_assert(!is_there(2, "") && !is_there(2, ".gz"));
    file_close(file);
    ck_assert_uint_eq(count_named("gz"), 0);
}
END_TEST

/* A writer was killed in the rotation, and the next one noted what the file was. */
START_TEST(what_repair_found_is_known_when_it_is_packed)
{
    struct log_file *file = open_keeping();

    write_up_to(file, 2);
    append(file, 1, PADDING);
    sh("ln audit.jsonl $f && (umask 027; : > new) && mv new audit.jsonl", 2);
    atomic_fetch_or(&file->state.shared->dirty, STATE_KILLED);
    append(file, 2, PADDING);
    ck_assert_uint_eq(state_head(&file->state)->generation, 3);
    sh("gzip $f", 2);
    write_up_to(file, 7);
    ck_assert(!is_there(2, ".gz") && is_there(4, ""));
    file_close(file);
}
END_TEST

/* Overwritten where it was: nothing of the log is left in it, and it is somebody's now. */
START_TEST(a_file_that_became_somebodys_stays)
{
    struct log_file *file = open_keeping();

    write_up_to(file, 3);
    sh("echo notes > $f", 2);
    write_up_to(file, 9);
    ck_assert(is_there(2, "") && is_there(6, "") && !is_there(5, ""));
    file_close(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rotation by size");
    TCase *cases = tcase_create("rotate");

    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, many_short_processes, 0, 2);
    tcase_add_test(cases, a_seal_counts);
    tcase_add_test(cases, a_thread_that_may_not_rotate_waits_for_the_background_thread);
    tcase_add_test(cases, no_descriptor_gives_a_right_to_a_name);
    tcase_add_test(cases, an_identity_that_is_back_rotates_at_once);
    tcase_add_test(cases, a_process_that_begins_makes_room);
    tcase_add_loop_test(cases, packed_files_are_removed, 0, 4);
    tcase_add_loop_test(cases, a_foreign_packed_file_stays, 0,
                        (int)(sizeof(foreign) / sizeof(foreign[0])));
    tcase_add_test(cases, a_file_that_is_being_packed_is_not_named);
    tcase_add_test(cases, what_repair_found_is_known_when_it_is_packed);
    tcase_add_test(cases, a_file_that_became_somebodys_stays);
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
