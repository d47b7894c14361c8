/* SPDX-License-Identifier: MIT */
/*
 * Starts and ends the background thread of a log; called by log.c with each record.
 *
 * A process with one thread gets none. There all of it is done with the next record, the process
 * can still make a user namespace (unshare(2) refuses a process with threads), and the guard keeps
 * its single-threaded fast path.
 */
#include "audit/background.h"

#include <signal.h>
#include <sys/stat.h>

#include "audit/encode.h"
#include "base/clock.h"
#include "base/entry.h"
#include "base/process.h"
#include "identity/directory.h"
#include "identity/read.h"

/* glibc before 2.32 and other libraries do not have it; count_threads() alone decides then. */
#ifndef LACKS_SINGLE_THREADED
#include <sys/single_threaded.h>
#define IS_SINGLE_THREADED __libc_single_threaded
#else
#define IS_SINGLE_THREADED false
#endif

enum {
    /* The thread calls no code but the library's and the C library's. A default stack (8 MiB) would
     * count against RLIMIT_AS of the program. */
    STACK_SIZE = 256 * 1024,
    /* How long it waits between two rounds: a window of repeats ends to the second while records
     * come, and a log without records for IDLE_SECONDS needs less. */
    BUSY_MS = 1000,
    IDLE_MS = 10000,
    SECOND = 1000000000,
    IDLE_SECONDS = 60,
};

/* What decides whether this thread may open files (credentials(7), capabilities(7)): the ids for
 * the file system and the effective capabilities. */
static struct background_identity who_am_i(void)
{
    struct background_identity who = {0};
    uint64_t caps[IDENTITY_CAP_SETS] = {0};

    who.known = read_fsuid(&who.fsuid) && read_fsgid(&who.fsgid) && read_caps(caps);
    who.effective = caps[IDENTITY_CAP_EFFECTIVE];
    return who;
}

/* What could not be read is not equal to anything. */
static bool am_i(const struct background_identity *expected)
{
    struct background_identity who = who_am_i();
    return who.known && expected->known && who.fsuid == expected->fsuid &&
           who.fsgid == expected->fsgid && who.effective == expected->effective;
}

/* The rest is 0: the log was allocated so. */
void background_init(struct background *background, struct log_store *store,
                     struct audit_names *names, void (*due)(struct audit *audit),
                     struct audit *audit)
{
    background->store = store;
    background->names = names;
    background->due = due;
    background->audit = audit;
    pthread_mutex_init(&background->lock, NULL);
    background->identity = who_am_i();
}

void background_destroy(struct background *background)
{
    pthread_mutex_destroy(&background->lock);
}

/* How many threads there are; 1 when that cannot be read. A directory of /proc has two links and
 * one for each in it. A file system that counts no links gives 1 and so no background thread. */
static unsigned count_threads(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 && status.st_nlink > 2
               ? (unsigned)status.st_nlink - 2
               : 1;
}

/* Milliseconds until the next round. */
static unsigned next_wait(struct background *background)
{
    int64_t idle = audit_now() - atomic_load(&background->last_written);
    return idle < (int64_t)IDLE_SECONDS * SECOND ? BUSY_MS : IDLE_MS;
}

/* The threads of the library do not count: they would keep each other alive. */
static unsigned threads_beside(const struct background *background)
{
    unsigned own = directory_threads() + (names_running(background->names) ? 1U : 0U) +
                   (atomic_load(&background->running) && !atomic_load(&background->ended));
    unsigned all = count_threads();
    return all > own ? all - own : 1;
}

/* Ends when the thread no longer has the credentials that opened the log (setuid(3) changes every
 * thread): it could not open files any more. Ends also when it is the only other thread, so that
 * the process can become single-threaded again. */
static void *run(void *context)
{
    ENTRY_UNCANCELLED;
    struct background *background = context;

    while (log_store_background_wait(background->store, next_wait(background)) &&
           am_i(&background->identity) && threads_beside(background) > 1) {
        background->due(background->audit);
    }
    log_store_set_background(background->store, false);
    atomic_store(&background->ended, true);
    return NULL;
}

/* The store learns of the thread before it exists: a writer that waits for it must not be turned
 * away in between. Taken back when it cannot be made. */
static bool start(struct background *background)
{
    pthread_attr_t attributes;
    sigset_t before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 && process_mute(&before);
    if (started) {
        log_store_set_background(background->store, true);
        started = pthread_create(&background->thread, &attributes, run, background) == 0;
        process_unmute(&before);
    }
    pthread_attr_destroy(&attributes);
    if (started) {
        (void)pthread_setname_np(background->thread, "miguard-audit");
    } else {
        log_store_set_background(background->store, false);
    }
    return started;
}

/* In a process with one thread names_start() would make a second one; background_is_alone() allows
 * a short one there. */
void background_offer_names(void *context)
{
    struct background *background = context;

    if (IS_SINGLE_THREADED || names_running(background->names) || threads_beside(background) < 2 ||
        !am_i(&background->identity)) {
        return;
    }
    pthread_mutex_lock(&background->lock);
    if (!background->paused) {
        names_start(background->names);
    }
    pthread_mutex_unlock(&background->lock);
}

/* Called with the lock of the names, and so takes none. */
bool background_is_alone(const void *context)
{
    const struct background *background = context;
    return threads_beside(background) < 2 && am_i(&background->identity);
}

/* Under the lock. running falls last: background_offer() reads both without it. */
static void join(struct background *background)
{
    pthread_join(background->thread, NULL);
    atomic_store(&background->ended, false);
    atomic_store(&background->running, false);
}

/* A start that failed (EAGAIN of pthread_create(3)) is not tried with every record. */
static bool tried_lately(const struct background *background, int64_t now)
{
    const int64_t tried = atomic_load_explicit(&background->tried, memory_order_relaxed);
    return tried != 0 && now - tried < 1000;
}

/* From cheap to dear: two flags, the clock, then the system calls; the lock only when a thread may
 * be started. A thread that ended by itself is joined here. */
void background_offer(struct background *background)
{
    if (IS_SINGLE_THREADED ||
        (atomic_load(&background->running) && !atomic_load(&background->ended))) {
        return;
    }
    const int64_t now = clock_tick_ms();
    if (tried_lately(background, now)) {
        return;
    }
    atomic_store_explicit(&background->tried, now, memory_order_relaxed);
    /* The C library's flag stays as it is when the second thread is gone. */
    if (threads_beside(background) < 2 || !am_i(&background->identity)) {
        return;
    }
    pthread_mutex_lock(&background->lock);
    if (atomic_load(&background->ended)) {
        join(background);
    }
    if (!atomic_load(&background->running) && !background->paused) {
        atomic_store(&background->running, start(background));
    }
    pthread_mutex_unlock(&background->lock);
}

/* Joining under the lock is safe: the thread never takes it. */
static void stop(struct background *background, bool paused)
{
    pthread_mutex_lock(&background->lock);
    background->paused = paused;
    if (atomic_load(&background->running)) {
        log_store_set_background(background->store, false);
        join(background);
    }
    pthread_mutex_unlock(&background->lock);
}

void background_stop(struct background *background)
{
    stop(background, false);
}

void background_pause(struct background *background)
{
    stop(background, true);
}

/* The next record may start one again, under the same conditions. tried 0: at once, and not after
 * the second that a failed start has to wait. */
void background_resume(struct background *background)
{
    pthread_mutex_lock(&background->lock);
    background->paused = false;
    atomic_store(&background->tried, 0);
    pthread_mutex_unlock(&background->lock);
}

/* The thread stayed with the parent and cannot be joined here. */
void background_forget(struct background *background)
{
    atomic_store(&background->ended, false);
    atomic_store(&background->running, false);
    atomic_store(&background->tried, 0);
}
