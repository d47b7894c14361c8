/* SPDX-License-Identifier: MIT */
/*
 * Two threads. One waits for inotify(7) and has a table of descriptors of its own, so that a host
 * that closes what it does not know, or opens its own files under the same numbers, can neither
 * take inotify from the library nor have the library read or close what is the host's. An inotify
 * instance cannot be distinguished from the host's: all anonymous inodes are one. The other thread
 * calls changed(), which reads the policy and writes to the log, and so has the descriptors of the
 * process.
 *
 * watch_start() starts the thread that waits (run_waiter) and, once that has its descriptors, the
 * one that reports (run_reporter). They share struct policy_watch and its lock. end() wakes the
 * first through a pipe in its own table, which it opens by way of /proc; the last of the three
 * users frees the struct.
 */
#include "policy/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/entry.h"
#include "base/process.h"
#include "base/write.h"

/* Changes of several files are waited for, but not longer than LATEST_MS after the first change: a
 * user who may write the parent folder must not keep a new policy out by writing on and on.
 * LOOK_MS: how often the end is looked for where the thread that waits can be woken, and where it
 * cannot. */
enum {
    QUIET_MS = 100,
    LATEST_MS = 1000,
    LOOK_MS = 10000,
    LOOK_OFTEN_MS = 500,
    MAX_PATHS = 8,
    PATH_SIZE = 512
};

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF)

/* linux/close_range.h, which glibc has since 2.34. */
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
/* The headers of Linux before 5.9 do not know its number, which is the same on every machine. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* BEGINS: not known yet. WAITS: it has its descriptors. GONE: it never had, or has ended. */
enum waiting { BEGINS, WAITS, GONE };

struct policy_watch {
    pthread_mutex_t lock;
    pthread_cond_t news;
    unsigned users; /* the handle and the threads; the last one frees it */
    enum waiting waiting;
    /* changed: not reported yet. ended: both threads must go. */
    bool changed, ended;
    pid_t waiter; /* and the number that the end of a pipe has in its table, to wake it */
    int wake;
    pthread_t waiter_thread, teller_thread;
    /* Constant: */
    uint64_t epoch;
    policy_changed on_change;
    size_t path_count;
    char paths[MAX_PATHS][PATH_SIZE];
};

/* No callback runs with it held. */
static void lock(struct policy_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
}

static void unlock(struct policy_watch *watch)
{
    (void)pthread_mutex_unlock(&watch->lock);
}

/* Called with the lock held, which is gone then. */
static void leave(struct policy_watch *watch)
{
    bool last = --watch->users == 0;

    (void)pthread_cond_broadcast(&watch->news);
    unlock(watch);
    if (last) {
        (void)pthread_cond_destroy(&watch->news);
        (void)pthread_mutex_destroy(&watch->lock);
        base_free(watch);
    }
}

/* ---- the thread that waits ------------------------------------------------------------------- */

/*
 * It leaves the table of descriptors of the process (close_range(2), unshare(2)) before it opens
 * anything. Nothing that it has can then be closed by the host.
 */

/* What only this thread has. */
struct waiter {
    struct policy_watch *watch;
    int inotify, wake[2];
};

/* For kernels without close_range(2). Nothing but this thread uses the table, so no descriptor
 * comes meanwhile. */
static bool close_listed(void)
{
    DIR *list = opendir("/proc/thread-self/fd");

    if (list == NULL) {
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(list)) {
            (void)close(fd);
        }
    }
    closedir(list);
    return true;
}

/* A table of its own with nothing in it: the host's files must not stay open because of us.
 * close_range(2) is there since Linux 5.9. false leaves the thread with nothing to wait for: it
 * ends. */
static bool leave_table(void)
{
    if (syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE) == 0) {
        return true;
    }
    return unshare(CLONE_FILES) == 0 && close_listed();
}

/* Again after each event: a folder that was missing may be there now. Adding one twice is one.
 * Errors are ignored: a folder that is missing is seen through the one above it. */
static void add_folders(const struct waiter *waiter)
{
    const struct policy_watch *watch = waiter->watch;
    char folder[PATH_SIZE];

    for (size_t i = 0; i < watch->path_count; i++) {
        (void)inotify_add_watch(waiter->inotify, watch->paths[i], EVENTS | IN_ONLYDIR);
        memcpy(folder, watch->paths[i], sizeof(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            memcpy(folder, ".", 2);
        } else {
            slash[slash == folder ? 1 : 0] = '\0';
        }
        (void)inotify_add_watch(waiter->inotify, folder, EVENTS | IN_ONLYDIR);
    }
}

/* True when there were events within timeout; false when there were none, or the end has come. What
 * the events say does not matter: the set is loaded anew whatever changed. */
static bool take_events(const struct waiter *waiter, int timeout, bool *ret_stop)
{
    char events[4096];
    /* The second one wakes the thread when the watching ends. */
    struct pollfd fds[2] = {{waiter->inotify, POLLIN, 0}, {waiter->wake[0], POLLIN, 0}};

    int ready = poll(fds, 2, timeout);
    *ret_stop = fds[1].revents != 0 || (fds[0].revents & (POLLERR | POLLNVAL)) != 0;
    return ready > 0 && !*ret_stop && read(waiter->inotify, events, sizeof(events)) > 0;
}

/* Takes what follows a first change, until it is quiet or the latest moment has come. */
static void settle(const struct waiter *waiter, bool *ret_stop)
{
    int64_t left, latest = clock_now_ms() + LATEST_MS;

    do {
        left = latest - clock_now_ms();
    } while (left > 0 && take_events(waiter, left < QUIET_MS ? (int)left : QUIET_MS, ret_stop) &&
             !*ret_stop);
}

/* Asked between waits, and when a poll has timed out. */
static bool is_over(struct policy_watch *watch)
{
    lock(watch);
    bool over = watch->ended;
    unlock(watch);
    return over;
}

/* Changes during a load are kept in the flag, and give one more load. */
static void note_change(struct policy_watch *watch)
{
    lock(watch);
    watch->changed = true;
    (void)pthread_cond_broadcast(&watch->news);
    unlock(watch);
}

/* The starter opens the pipe by this name, once, to see that it can. -1 where /proc is not mounted;
 * the thread then looks more often (LOOK_OFTEN_MS). */
static int open_wake(const struct policy_watch *watch)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%d/fd/%d", (int)watch->waiter, watch->wake);
    return descriptor_open(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);
}

/* The pipe is tried from this thread, since nothing else can say whether the other side will be
 * able to. */
static void wait_for_changes(const struct waiter *waiter)
{
    struct policy_watch *watch = waiter->watch;
    int wake = open_wake(watch);
    int timeout = wake >= 0 ? LOOK_MS : LOOK_OFTEN_MS;
    bool stop = false;

    if (wake >= 0) {
        (void)close(wake);
    }
    while (!stop && !is_over(watch)) {
        bool changed = take_events(waiter, timeout, &stop);
        if (changed && !stop) {
            settle(waiter, &stop);
        }
        if (changed && !stop) {
            add_folders(waiter);
            note_change(watch);
        }
    }
}

/* The end of the thread closes what this opened. */
static bool begin_waiting(struct waiter *waiter)
{
    if (!leave_table() || pipe2(waiter->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    waiter->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (waiter->inotify < 0) {
        return false;
    }
    add_folders(waiter);
    return true;
}

/* Signals are blocked (start_thread), and the thread cannot be cancelled: a host's
 * pthread_cancel(3) must not leave the lock held. */
static void *run_waiter(void *argument)
{
    ENTRY_UNCANCELLED;
    struct policy_watch *watch = argument;
    struct waiter waiter = {.watch = watch, .inotify = -1, .wake = {-1, -1}};

    bool begun = begin_waiting(&waiter);
    lock(watch);
    watch->waiter = (pid_t)syscall(SYS_gettid);
    watch->wake = waiter.wake[1];
    watch->waiting = begun ? WAITS : GONE;
    (void)pthread_cond_broadcast(&watch->news);
    unlock(watch);
    if (begun) {
        wait_for_changes(&waiter);
    }
    lock(watch);
    watch->waiting = GONE; /* and with the thread its table, and what is in it */
    leave(watch);
    return NULL;
}

/* ---- the thread that reports ----------------------------------------------------------------- */

/* on_change() runs without the lock, since it may call watch_stop(). */
static void *run_reporter(void *argument)
{
    ENTRY_UNCANCELLED;
    struct policy_watch *watch = argument;

    lock(watch);
    while (!watch->ended) {
        if (!watch->changed) {
            (void)pthread_cond_wait(&watch->news, &watch->lock);
            continue;
        }
        watch->changed = false;
        unlock(watch);
        bool go_on = watch->on_change();
        lock(watch);
        if (!go_on) {
            break;
        }
    }
    leave(watch);
    return NULL;
}

/* ---- both ------------------------------------------------------------------------------------ */

/*
 * The struct is freed by the last of its users: the handle may be gone while a thread still ends.
 */

/* All signals are blocked in the new thread from its first instruction: a host's handler must not
 * run on it. */
static bool start_thread(struct policy_watch *watch, void *(*run)(void *), pthread_t *ret_thread)
{
    sigset_t before;

    if (!process_mute(&before)) {
        return false;
    }
    watch->users++; /* no other thread exists yet, or the starter holds the lock */
    bool started = pthread_create(ret_thread, NULL, run, watch) == 0;
    watch->users -= !started;
    process_unmute(&before);
    return started;
}

/* Paths are copied; those that are too long or too many are left out. */
static struct policy_watch *make_watch(const char *const *paths, size_t path_count,
                                       policy_changed changed)
{
    struct policy_watch *watch = base_alloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&watch->lock, NULL);
    (void)pthread_cond_init(&watch->news, NULL);
    watch->users = 1;
    watch->epoch = process_epoch();
    watch->on_change = changed;
    for (size_t i = 0; i < path_count && i < MAX_PATHS; i++) {
        size_t length = strlen(paths[i]);
        if (length < PATH_SIZE) {
            memcpy(watch->paths[watch->path_count++], paths[i], length + 1);
        }
    }
    return watch;
}

/* Called with the lock held. Whether there is a thread that waits. */
static bool await_begin(struct policy_watch *watch)
{
    while (watch->waiting == BEGINS) {
        (void)pthread_cond_wait(&watch->news, &watch->lock);
    }
    return watch->waiting == WAITS;
}

/* Called with the lock held. On failure the caller ends and leaves, which frees the struct when the
 * waiter has gone. */
static bool start_both(struct policy_watch *watch)
{
    if (!start_thread(watch, run_waiter, &watch->waiter_thread)) {
        return false;
    }
    if (!await_begin(watch) || !start_thread(watch, run_reporter, &watch->teller_thread)) {
        (void)pthread_detach(watch->waiter_thread);
        return false;
    }
    return true;
}

/* Called with the lock held. A thread that is not GONE keeps its number, and needs the lock to go.
 * Where its table cannot be reached, it looks by itself within LOOK_MS. */
static void end(struct policy_watch *watch)
{
    watch->ended = true;
    int wake = watch->waiting == WAITS ? open_wake(watch) : -1;
    if (wake >= 0) {
        (void)!write_quietly(wake, "", 1);
        (void)close(wake);
    }
}

/* missed makes the first report at once, when both threads run. */
enum miguard_status watch_start(const char *const *paths, size_t path_count, policy_changed changed,
                                bool missed, struct policy_watch **ret_watch)
{
    struct policy_watch *watch = make_watch(paths, path_count, changed);

    if (watch == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    watch->changed = missed;
    lock(watch);
    if (!start_both(watch)) {
        end(watch);
        leave(watch);
        return MIGUARD_SYSTEM;
    }
    unlock(watch);
    *ret_watch = watch;
    return MIGUARD_OK;
}

/* By the epoch of the process, which grows with each fork. */
bool watch_is_ours(const struct policy_watch *watch)
{
    return watch->epoch == process_epoch();
}

/* wait: join both threads. A thread cannot join itself, so a stop from on_change() detaches them.
 */
static void stop(struct policy_watch *watch, bool wait)
{
    if (watch == NULL) {
        return;
    }
    if (!watch_is_ours(watch)) { /* a child has no such threads, and perhaps no lock */
        base_free(watch);
        return;
    }
    lock(watch);
    end(watch);
    pthread_t threads[2] = {watch->waiter_thread, watch->teller_thread};
    leave(watch);
    for (size_t i = 0; i < 2; i++) {
        (void)(wait ? pthread_join(threads[i], NULL) : pthread_detach(threads[i]));
    }
}

void watch_stop(struct policy_watch *watch)
{
    stop(watch, false);
}

void watch_end(struct policy_watch *watch)
{
    stop(watch, true);
}
