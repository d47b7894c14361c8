/* SPDX-License-Identifier: MIT */
/*
 * A log on a file system that fills up, becomes read-only, and recovers: a small tmpfs in a mount
 * namespace of this test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/log_file.h"

enum { SIZE = 5 * 1024 * 1024 };

static char folder[64], path[128], ballast[128];
static struct log_check check;
static unsigned passed, failed;

static void expect(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("not so: %s\n", what);
    }
}

/* Fills the file system but for this many bytes. */
static bool fill(off_t rest)
{
    int fd = open(ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool filled = fd >= 0 && posix_fallocate(fd, 0, SIZE - rest) == 0;
    close(fd);
    return filled;
}

static struct log_file *open_log(void)
{
    struct sink_settings settings = log_file_settings(path);
    return log_file_open(&settings, true);
}

static unsigned append_many(struct log_file *file, unsigned base, unsigned count,
                            enum audit_loss *ret_loss)
{
    unsigned refused = 0;
    uint64_t sequence;

    for (unsigned i = 0; i < count; i++) {
        refused += !log_file_append(file, base + i, 500, ret_loss, &sequence);
    }
    return refused;
}

static void no_room_to_begin(void)
{
    struct sink_settings settings = log_file_settings(path);
    struct log_process process = {0};
    struct log_file *file = NULL;
    struct miguard_error error = {0};

    expect(fill(440 * 1024), "filled");
    expect(file_open(&settings, &process, &file, &error) == MIGUARD_AUDIT_FAILED,
           "a log without room for its first record is refused");
    expect(strstr(error.detail, "KiB free") != NULL, error.detail);
    unlink(ballast);
    unlink(path);
    unlink(strcat(strcpy(ballast, path), ".state"));
    snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
}

/* normal -> low -> full -> flooded -> normal, each told once; what did not fit is counted. */
static void four_steps(void)
{
    enum audit_loss loss = AUDIT_LOSS_COUNT;

    struct log_file *file = open_log();
    unsigned refused = append_many(file, 0, 10, &loss);
    expect(refused == 0, "there is room");
    expect(fill(SIZE / 2) && fill(1600 * 1024), "filled");
    refused = append_many(file, 100, 2000, &loss);
    expect(refused > 100 && loss == AUDIT_LOSS_NO_SPACE, "the disk is full");
    expect(append_many(file, 5000, 20, &loss) == 20, "and stays full");
    unlink(ballast);
    expect(append_many(file, 6000, 20, &loss) == 0, "there is room again");
    file_close(file);
    log_file_check(path, &(struct chain_key){.present = false}, &check);
    expect(check.breaks == 0, check.problem);
    expect(check.broken_lines == 0 && check.missing == 0, "every line is whole");
    expect(check.lost_all == refused + 20, "each refused record is counted");
    expect(strcmp(check.steps, "low full flooded normal ") == 0, check.steps);
    expect(check.seen[6000] == 1 && check.seen[0] == 1, "records before and after");
}

static void read_only(void)
{
    enum audit_loss loss = AUDIT_LOSS_COUNT;
    const unsigned long read_only_flags = MS_REMOUNT | MS_RDONLY | MS_BIND;

    struct log_file *file = open_log();
    file_close(file);
    if (mount("none", folder, "none", read_only_flags, NULL) != 0) {
        printf("skip: a read-only file system: %s\n", strerror(errno));
        return;
    }
    struct sink_settings settings = log_file_settings(path);
    expect(log_file_open(&settings, false) == NULL, "a read-only log is refused");
    expect(mount("none", folder, "none", MS_REMOUNT | MS_BIND, NULL) == 0, "writable again");
    file = open_log();
    expect(file != NULL && append_many(file, 7000, 3, &loss) == 0, "and written again");
    file_close(file);
}

static void run_all(void)
{
    no_room_to_begin();
    four_steps();
    read_only();
    log_file_check(path, &(struct chain_key){.present = false}, &check);
    expect(check.breaks == 0 && check.unexplained == 0, "the chain holds to its end");
}

int main(void)
{
    char options[64];

    strcpy(folder, "/tmp/miguard-space-XXXXXX");
    if (mkdtemp(folder) == NULL) {
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
    run_all();
    printf("%u passed, %u failed\n", passed, failed);
    return umount2(folder, MNT_DETACH) == 0 && rmdir(folder) == 0 && failed == 0 ? 0 : 1;
}
