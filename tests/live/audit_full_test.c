/* SPDX-License-Identifier: MIT */
/*
 * A disk that is really full: a small tmpfs in a mount namespace of this test's own. Several
 * processes with several threads each write until nothing fits, then there is room again. What a
 * writer was told to be recorded is there once, what it was told not to be is nowhere, and the log
 * says how many exactly are missing, at every sync setting, with a key and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file/file.h"
#include "support/chain_log.h"
#include "tools/review/verify.h"

enum {
    SIZE = 6 * 1024 * 1024,
    LEFT = 2 * 1024 * 1024, /* that the log may fill */
    PROCESSES = 4,
    THREADS = 2,
    FULL = 600, /* records of a thread while the disk fills up */
    AFTER = 5,  /* and when there is room again */
    IDS = PROCESSES * THREADS * (FULL + AFTER),
};

struct shared {
    pthread_barrier_t barrier;        /* processes and the test itself */
    _Atomic unsigned char told[IDS];  /* 1: recorded, 2: not */
    _Atomic unsigned refused_at_full; /* of the first phase */
};

static char folder[64], path[128], ballast[128];
static struct shared *shared;
static unsigned passed, failed;

static void expect(bool good, const char *what, const char *where)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("%s: not so: %s\n", where, what);
    }
}

/* ---- writers --------------------------------------------------------------------------------- */

struct writer {
    struct audit *audit;
    unsigned first, count;
};

static void *write_all(void *context)
{
    const struct writer *writer = context;
    char name[32];

    for (unsigned i = writer->first; i < writer->first + writer->count; i++) {
        struct audit_event event = chain_log_event(i); /* each third is a refusal: sync: deny */
        snprintf(name, sizeof(name), "id-%u", i);
        event.class_name = name;
        bool recorded = audit_write(writer->audit, &event) == MIGUARD_OK;
        shared->told[i] = recorded ? 1 : 2;
        shared->refused_at_full += !recorded && writer->count == FULL;
    }
    return NULL;
}

static void run_threads(struct audit *audit, unsigned process, unsigned base, unsigned count)
{
    struct writer writers[THREADS];
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){audit, base + (process * THREADS + i) * count, count};
        pthread_create(&threads[i], NULL, write_all, &writers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int be_writer(const struct audit_settings *settings, unsigned process)
{
    struct miguard_error error = {0};
    struct audit *audit = NULL;

    bool opened = audit_open(settings, &audit, &error) == MIGUARD_OK;
    pthread_barrier_wait(&shared->barrier); /* all have begun */
    pthread_barrier_wait(&shared->barrier); /* there is little room */
    if (opened) {
        run_threads(audit, process, 0, FULL);
    }
    pthread_barrier_wait(&shared->barrier); /* the disk is full */
    pthread_barrier_wait(&shared->barrier); /* there is room again */
    if (opened) {
        run_threads(audit, process, PROCESSES * THREADS * FULL, AFTER);
        audit_close(audit);
    }
    return opened ? 0 : 1;
}

/* ---- the disk -------------------------------------------------------------------------------- */

/* Takes all but this many bytes of what is free. */
static bool fill(uint64_t rest)
{
    struct statvfs space;
    int fd = open(ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool filled = fd >= 0 && statvfs(folder, &space) == 0 &&
                  space.f_bavail * space.f_frsize > rest &&
                  posix_fallocate(fd, 0, (off_t)(space.f_bavail * space.f_frsize - rest)) == 0;
    close(fd);
    return filled;
}

/* ---- what the log says ----------------------------------------------------------------------- */

struct found {
    unsigned char seen[IDS];
    uint64_t lost, last_total;
};

static void read_record(const char *line, struct found *found)
{
    json_t *record = json_loads(line, 0, NULL);
    const char *class_name = NULL;
    json_t *lost = json_object_get(json_object_get(record, "miguard"), "lost");

    json_unpack(record, "{s:{s:s}}", "miguard", "class", &class_name);
    if (class_name != NULL && strncmp(class_name, "id-", 3) == 0) {
        found->seen[atoi(class_name + 3)]++;
    }
    if (lost != NULL && strcmp(json_string_value(json_object_get(lost, "sink")), "file") == 0) {
        found->lost += (uint64_t)json_integer_value(json_object_get(lost, "count"));
        found->last_total = (uint64_t)json_integer_value(json_object_get(lost, "total"));
    }
    json_decref(record);
}

static void read_log(struct found *found)
{
    FILE *file = fopen(path, "re");
    size_t size = 0;
    char *line = NULL;

    memset(found, 0, sizeof(*found));
    while (file != NULL && getline(&line, &size, file) > 0) {
        read_record(line, found);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

static void check_records(const char *where)
{
    static struct found found;
    unsigned refused = 0, wrong = 0, untold = 0;
    char text[128];

    read_log(&found);
    for (unsigned i = 0; i < IDS; i++) {
        refused += shared->told[i] == 2;
        untold += shared->told[i] == 0;
        wrong += found.seen[i] != (shared->told[i] == 1);
    }
    expect(shared->refused_at_full > 0, "the disk was full", where);
    expect(untold == 0, "every call was answered", where);
    snprintf(text, sizeof(text), "%u records are not as was said", wrong);
    expect(wrong == 0, text, where);
    snprintf(text, sizeof(text), "%u refused, %llu told as lost, in all %llu", refused,
             (unsigned long long)found.lost, (unsigned long long)found.last_total);
    expect(found.lost == refused && found.last_total == refused, text, where);
}

static void check_chain(const struct chain_key *key, const char *where)
{
    const char *const logs[] = {path};
    struct state_head head;
    const struct verify_request request = {.logs = logs,
                                           .log_count = 1,
                                           .key = key->present ? key : NULL,
                                           .state = &head,
                                           .look_ahead = VERIFY_LOOK_AHEAD,
                                           .steps = VERIFY_STEPS};
    struct verify_report report;
    struct miguard_error error = {0};

    bool read = file_read_head(path, &head, NULL) == MIGUARD_OK &&
                verify_log(&request, &report, &error) == MIGUARD_OK;
    expect(read, "the log can be verified", where);
    if (read) {
        expect(report.verdict == VERIFY_INTACT, "the log is intact", where);
        verify_release(&report);
    }
}

/* ---- one log --------------------------------------------------------------------------------- */

static void prepare(void)
{
    pthread_barrierattr_t attributes;

    memset(shared, 0, sizeof(*shared));
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attributes, PROCESSES + 1);
    pthread_barrierattr_destroy(&attributes);
}

static void run(enum audit_sync sync, bool keyed, const char *where)
{
    struct sink_settings sink = SINK_FILE_DEFAULT(path);
    const struct audit_settings settings = {&sink, 1, 0, NULL};
    struct chain_key key = {.present = false};
    pid_t children[PROCESSES];

    prepare();
    sink.sync = sync;
    sink.rotate_bytes = 0;
    if (keyed) {
        chain_key_new(&key);
        expect(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL) == MIGUARD_OK, "init", where);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        fflush(stdout);
        children[i] = fork();
        if (children[i] == 0) {
            _exit(be_writer(&settings, i));
        }
    }
    pthread_barrier_wait(&shared->barrier);
    expect(fill(LEFT), "filled", where);
    pthread_barrier_wait(&shared->barrier);
    pthread_barrier_wait(&shared->barrier);
    unlink(ballast);
    pthread_barrier_wait(&shared->barrier);
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = 0;
        expect(waitpid(children[i], &status, 0) == children[i] && status == 0, "a writer", where);
    }
    check_records(where);
    check_chain(&key, where);
}

static void clean(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -f '%s'/*", folder);
    expect(system(command) == 0, "cleaned", folder);
}

int main(void)
{
    static const char *const names[] = {"sync: none", "sync: deny", "sync: all"};
    char options[64];

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(folder, "/tmp/miguard-full-XXXXXX");
    if (!chain_init() || shared == MAP_FAILED || mkdtemp(folder) == NULL) {
        return 3;
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
    snprintf(options, sizeof(options), "size=%d,mode=700", SIZE);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, options) != 0) {
        printf("skip: a full disk: no file system may be mounted: %s\n", strerror(errno));
        printf("0 passed, 0 failed, 1 skipped\n");
        rmdir(folder);
        return 0;
    }
    for (int keyed = 0; keyed < 2; keyed++) {
        for (enum audit_sync sync = AUDIT_SYNC_NONE; sync <= AUDIT_SYNC_ALL; sync++) {
            run(sync, keyed != 0, names[sync]);
            clean();
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return umount2(folder, MNT_DETACH) == 0 && rmdir(folder) == 0 && failed == 0 ? 0 : 1;
}
