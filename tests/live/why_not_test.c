/* SPDX-License-Identifier: MIT */
/*
 * A provider under a host where the guard cannot be set up: every session is refused, and why is
 * said once on standard error, once in the system's log, and to the client of each request.
 *
 * Each row is a process with a /etc, /var/log and /dev of its own (mount_namespaces(7)).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "miguard.h"
#include "support/raw.h"
#include "support/stub_host.h"

static unsigned passed, failed, skipped;

/* ---- a place of its own ---------------------------------------------------------------------- */

static bool empty_folder(const char *path)
{
    return mount("none", path, "tmpfs", 0, "mode=0755") == 0;
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* The socket of the system's log, or -1. */
static int listen_as_log(void)
{
    const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    return fd >= 0 && bind(fd, (const struct sockaddr *)&log, sizeof(log)) == 0 &&
                   chmod(log.sun_path, 0666) == 0
               ? fd
               : -1;
}

static bool make_place(int *ret_log)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        !empty_folder("/etc") || !empty_folder("/var/log") || !empty_folder("/dev")) {
        return false;
    }
    *ret_log = listen_as_log();
    return *ret_log >= 0 && write_file("/etc/passwd", "root:x:0:0::/:/bin/sh\n") &&
           write_file("/etc/group", "root:x:0:\n");
}

/* ---- the rows -------------------------------------------------------------------------------- */

static bool read_only(void)
{
    return mount("none", "/var/log", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static bool no_root(void)
{
    return raw_become(12345, 12345);
}

static bool bad_policy(void)
{
    return mkdir("/etc/miguard", 0755) == 0 && mkdir("/var/log/miguard", 0700) == 0 &&
           write_file("/etc/miguard/miguard.yaml", "version: 1\nrulez: []\n");
}

static bool writable_log(void)
{
    return mkdir("/var/log/miguard", 0700) == 0 && chmod("/var/log/miguard", 0777) == 0;
}

static bool log_is_a_file(void)
{
    return write_file("/var/log/miguard", "");
}

static const struct row {
    const char *name;
    bool (*prepare)(void);
    const char *says; /* on standard error, in the log, and to the client */
} rows[] = {
    {"no folder for the log can be made", read_only, "the audit log cannot be opened: "},
    {"an ordinary user may make none", no_root, "the audit log cannot be opened: "},
    {"it is a file", log_is_a_file, "the audit log cannot be opened: "},
    {"others may write to it", writable_log, "the audit log cannot be opened: "},
    {"the policy has an error", bad_policy, "the policy cannot be used: "},
};

/* How often text has what. */
static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        found++;
    }
    return found;
}

/* True when the session was refused, and the client was given the reason. */
static bool is_refused(struct stub_host *host, const char *says)
{
    MI_Context *context = NULL;
    MI_Session session = {1, 1, NULL};

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK) {
        return false;
    }
    bool refused = MI_Context_GetLocalSession(context, &session) == MI_RESULT_ACCESS_DENIED &&
                   session.ft == NULL && session.reserved1 == 0;
    MI_Context_PostResult(context, MI_RESULT_ACCESS_DENIED);
    if (!refused || strstr(host->posted_message, says) == NULL) {
        printf("    to the client: %s\n", host->posted_message);
        return false;
    }
    return host->local_sessions == 0 && host->posted == MI_RESULT_ACCESS_DENIED;
}

/* What came, in one text; each datagram is a line. */
static void read_lines(int fd, char *text, size_t size)
{
    size_t at = 0;
    ssize_t length;

    while (at + 1 < size && (length = read(fd, text + at, size - at - 1)) > 0) {
        at += (size_t)length;
    }
    text[at] = '\0';
}

static bool said_once(const char *where, const char *text, const char *says)
{
    if (count(text, says) == 1) {
        return true;
    }
    printf("    %s: \"%s\"\n", where, text);
    return false;
}

/* The set-up is tried again after a second; a child says it once more, being another process. */
static bool run(const struct row *row)
{
    static char text[8192];
    int ends[2], log = -1, status = -1;
    struct stub_host *host = stub_host_new();

    if (host == NULL || pipe2(ends, O_NONBLOCK) != 0 || !make_place(&log) || !row->prepare() ||
        dup2(ends[1], STDERR_FILENO) < 0) {
        printf("    the place: %s\n", strerror(errno));
        return false;
    }
    const struct timespec pause = {1, 100 * 1000 * 1000};
    bool good = is_refused(host, row->says) && is_refused(host, row->says) &&
                nanosleep(&pause, NULL) == 0 && is_refused(host, row->says);
    read_lines(ends[0], text, sizeof(text));
    good = said_once("standard error", text, row->says) && good;
    read_lines(log, text, sizeof(text));
    good = said_once("the log", text, row->says) && good;
    good = strncmp(text, "<83>miguard[", 12) == 0 && good;
    pid_t child = fork();
    if (child == 0) {
        _exit(nanosleep(&pause, NULL) == 0 && is_refused(host, row->says) ? 0 : 1);
    }
    good = waitpid(child, &status, 0) == child && status == 0 && good;
    read_lines(ends[0], text, sizeof(text));
    return said_once("standard error of a child", text, row->says) && good;
}

static void check(const struct row *row)
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool good = run(row);
        fflush(stdout);
        _exit(good ? 0 : 1);
    }
    bool good = waitpid(child, &status, 0) == child && status == 0;
    printf("%s %s\n", good ? "ok" : "FAIL", row->name);
    *(good ? &passed : &failed) += 1;
}

int main(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (geteuid() != 0) {
            printf("skip: why_not_test: %s: mounting needs root\n", rows[i].name);
            skipped++;
            continue;
        }
        check(&rows[i]);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
