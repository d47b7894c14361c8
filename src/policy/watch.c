/* SPDX-License-Identifier: MIT */
#include "policy/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/process.h"

/* Whoever changes several files is waited for, but not longer than LATEST_MS after the first
 * change: somebody who may write the parent folder must not keep a new policy out by writing on and
 * on. */
enum { QUIET_MS = 100, LATEST_MS = 1000, MAX_PATHS = 8, PATH_SIZE = 512 };

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF)

struct policy_watch {
    int stop; /* eventfd(2), shared with the thread, which has a descriptor of its own for it */
    uint64_t epoch;
    pthread_t thread;
};

/* What the thread owns, and releases at its end. */
struct watcher {
    int inotify, stop;
    policy_changed changed;
    bool missed; /* is called once without an event */
    size_t path_count;
    char paths[MAX_PATHS][PATH_SIZE];
};

/* Again after each event: a folder that was missing may be there now. Adding one twice is one. */
static void add_folders(const struct watcher *watcher)
{
    char folder[PATH_SIZE];

    for (size_t i = 0; i < watcher->path_count; i++) {
        (void)inotify_add_watch(watcher->inotify, watcher->paths[i], EVENTS | IN_ONLYDIR);
        memcpy(folder, watcher->paths[i], sizeof(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            memcpy(folder, ".", 2);
        } else {
            slash[slash == folder ? 1 : 0] = '\0';
        }
        (void)inotify_add_watch(watcher->inotify, folder, EVENTS | IN_ONLYDIR);
    }
}

/* True when there were events within timeout; false when there were none, or the end has come. */
static bool take_events(const struct watcher *watcher, int timeout, bool *ret_stop)
{
    char events[4096];
    struct pollfd fds[2] = {{watcher->inotify, POLLIN, 0}, {watcher->stop, POLLIN, 0}};

    int ready = poll(fds, 2, timeout);
    *ret_stop = fds[1].revents != 0 || (fds[0].revents & (POLLERR | POLLNVAL)) != 0;
    return ready > 0 && !*ret_stop && read(watcher->inotify, events, sizeof(events)) > 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes what follows a first change, until it is quiet or the latest moment has come. */
static void settle(const struct watcher *watcher, bool *ret_stop)
{
    int64_t left, latest = now_ms() + LATEST_MS;

    do {
        left = latest - now_ms();
    } while (left > 0 && take_events(watcher, left < QUIET_MS ? (int)left : QUIET_MS, ret_stop) &&
             !*ret_stop);
}

static void *watch(void *argument)
{
    ENTRY_UNCANCELLED;
    struct watcher *watcher = argument;
    bool stop = watcher->missed && !watcher->changed();

    while (!stop) {
        bool changed = take_events(watcher, -1, &stop);
        if (changed && !stop) {
            settle(watcher, &stop);
        }
        if (changed && !stop) {
            add_folders(watcher);
            stop = !watcher->changed();
        }
    }
    close(watcher->inotify);
    close(watcher->stop);
    base_free(watcher);
    return NULL;
}

static bool start_thread(struct watcher *watcher, pthread_t *ret_thread)
{
    sigset_t before;

    if (!process_mute(&before)) {
        return false;
    }
    bool started = pthread_create(ret_thread, NULL, watch, watcher) == 0;
    process_unmute(&before);
    return started;
}

static struct watcher *make_watcher(const char *const *paths, size_t path_count,
                                    policy_changed changed)
{
    struct watcher *watcher = base_alloc(1, sizeof(*watcher));
    if (watcher == NULL) {
        return NULL;
    }
    watcher->inotify = watcher->stop = -1;
    watcher->changed = changed;
    for (size_t i = 0; i < path_count && i < MAX_PATHS; i++) {
        size_t length = strlen(paths[i]);
        if (length < PATH_SIZE) {
            memcpy(watcher->paths[watcher->path_count++], paths[i], length + 1);
        }
    }
    return watcher;
}

enum miguard_status watch_start(const char *const *paths, size_t path_count, policy_changed changed,
                                bool missed, struct policy_watch **ret_watch)
{
    struct policy_watch *watch_handle = base_alloc(1, sizeof(*watch_handle));
    struct watcher *watcher = make_watcher(paths, path_count, changed);

    if (watch_handle == NULL || watcher == NULL) {
        base_free(watch_handle);
        base_free(watcher);
        return MIGUARD_NO_MEMORY;
    }
    watcher->missed = missed;
    watch_handle->epoch = process_epoch();
    watch_handle->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watcher->stop = watch_handle->stop < 0 ? -1 : fcntl(watch_handle->stop, F_DUPFD_CLOEXEC, 3);
    watcher->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watcher->stop >= 0 && watcher->inotify >= 0) {
        add_folders(watcher);
        if (start_thread(watcher, &watch_handle->thread)) {
            *ret_watch = watch_handle;
            return MIGUARD_OK;
        }
    }
    close(watch_handle->stop);
    close(watcher->stop);
    close(watcher->inotify);
    base_free(watch_handle);
    base_free(watcher);
    return MIGUARD_SYSTEM;
}

bool watch_is_ours(const struct policy_watch *watch_handle)
{
    return watch_handle->epoch == process_epoch();
}

static void stop(struct policy_watch *watch_handle, bool wait)
{
    const uint64_t one = 1;

    if (watch_handle == NULL) {
        return;
    }
    /* A child shares the eventfd with its parent, whose watching is not the child's to end. */
    if (watch_is_ours(watch_handle)) {
        (void)!write(watch_handle->stop, &one, sizeof(one));
        (void)(wait ? pthread_join(watch_handle->thread, NULL)
                    : pthread_detach(watch_handle->thread));
    }
    close(watch_handle->stop);
    base_free(watch_handle);
}

void watch_stop(struct policy_watch *watch_handle)
{
    stop(watch_handle, false);
}

void watch_end(struct policy_watch *watch_handle)
{
    stop(watch_handle, true);
}
