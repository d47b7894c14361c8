/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a thread that does what is due when nobody writes, and opens files for threads that
 * serve others under an identity that may not.
 *
 * The thread that asks for names (names.h) is offered here, too, under the same conditions.
 *
 * A process with one thread gets none. There all of it is done with the next record, and the
 * process can still make a user namespace (unshare(2) refuses a process with threads), and the
 * guard keeps what it saves where no other thread can change this one.
 */
#include <signal.h>
#include <sys/stat.h>

#include "audit/core.h"
#include "base/entry.h"
#include "base/process.h"
#include "identity/read.h"

/* glibc before 2.32 and other libraries do not have it; count_threads() then tells it alone. */
#ifndef LACKS_SINGLE_THREADED
#include <sys/single_threaded.h>
#define IS_SINGLE_THREADED __libc_single_threaded
#else
#define IS_SINGLE_THREADED false
#endif

enum {
    STACK_SIZE = 256 * 1024,
    BUSY_MS = 1000,
    IDLE_MS = 10000,
    SECOND = 1000000000,
    IDLE_SECONDS = 60,
};

static struct keeper_identity who_am_i(void)
{
    struct keeper_identity who = {0};
    uint64_t caps[IDENTITY_CAP_SETS] = {0};

    who.known = read_fsuid(&who.fsuid) && read_fsgid(&who.fsgid) && read_caps(caps);
    who.effective = caps[IDENTITY_CAP_EFFECTIVE];
    return who;
}

static bool am_i(const struct keeper_identity *expected)
{
    struct keeper_identity who = who_am_i();
    return who.known && expected->known && who.fsuid == expected->fsuid &&
           who.fsgid == expected->fsgid && who.effective == expected->effective;
}

void keeper_init(struct keeper *keeper)
{
    pthread_mutex_init(&keeper->lock, NULL);
    keeper->identity = who_am_i();
}

void keeper_destroy(struct keeper *keeper)
{
    pthread_mutex_destroy(&keeper->lock);
}

/* How many threads there are; 1 when it cannot be told. A directory of /proc has two links and one
 * for each in it. */
static unsigned count_threads(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 && status.st_nlink > 2
               ? (unsigned)status.st_nlink - 2
               : 1;
}

static unsigned next_wait(struct audit *audit)
{
    int64_t idle = audit_now() - atomic_load(&audit->last_written);
    return idle < (int64_t)IDLE_SECONDS * SECOND ? BUSY_MS : IDLE_MS;
}

/* Those of the library do not count: they would keep each other. */
static unsigned threads_beside(const struct audit *audit)
{
    unsigned own = directory_threads() + (names_running(&audit->names) ? 1U : 0U) +
                   (atomic_load(&audit->keeper.running) && !atomic_load(&audit->keeper.ended));
    unsigned all = count_threads();
    return all > own ? all - own : 1;
}

/* Whoever took away its identity (setuid(3) changes all threads) took away what it is good for; and
 * it must not be what keeps a process from having one thread again. */
static void *keep(void *context)
{
    ENTRY_UNCANCELLED;
    struct audit *audit = context;

    while (ledger_keeper_wait(&audit->ledger, next_wait(audit)) && am_i(&audit->keeper.identity) &&
           threads_beside(audit) > 1) {
        log_tick(audit);
    }
    ledger_set_keeper(&audit->ledger, false);
    atomic_store(&audit->keeper.ended, true);
    return NULL;
}

static bool start(struct audit *audit)
{
    pthread_attr_t attributes;
    sigset_t before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 && process_mute(&before);
    if (started) {
        ledger_set_keeper(&audit->ledger, true);
        started = pthread_create(&audit->keeper.thread, &attributes, keep, audit) == 0;
        process_unmute(&before);
    }
    pthread_attr_destroy(&attributes);
    if (started) {
        (void)pthread_setname_np(audit->keeper.thread, "miguard-audit");
    } else {
        ledger_set_keeper(&audit->ledger, false);
    }
    return started;
}

void keeper_offer_names(struct audit *audit)
{
    struct keeper *keeper = &audit->keeper;

    if (IS_SINGLE_THREADED || names_running(&audit->names) || threads_beside(audit) < 2 ||
        !am_i(&keeper->identity)) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    if (!keeper->paused) {
        names_start(&audit->names);
    }
    pthread_mutex_unlock(&keeper->lock);
}

bool keeper_is_alone(const void *context)
{
    const struct audit *audit = context;
    return threads_beside(audit) < 2 && am_i(&audit->keeper.identity);
}

static void join(struct keeper *keeper)
{
    pthread_join(keeper->thread, NULL);
    atomic_store(&keeper->ended, false);
    atomic_store(&keeper->running, false);
}

static bool tried_lately(const struct keeper *keeper, int64_t now)
{
    int64_t tried = atomic_load_explicit(&keeper->tried, memory_order_relaxed);
    return now >= tried && now - tried < SECOND;
}

void keeper_offer(struct audit *audit)
{
    struct keeper *keeper = &audit->keeper;

    if (IS_SINGLE_THREADED || (atomic_load(&keeper->running) && !atomic_load(&keeper->ended))) {
        return;
    }
    int64_t now = audit_now();
    if (tried_lately(keeper, now)) {
        return;
    }
    atomic_store_explicit(&keeper->tried, now, memory_order_relaxed);
    /* The C library's flag stays as it is when the second thread is gone. */
    if (threads_beside(audit) < 2 || !am_i(&keeper->identity)) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    if (atomic_load(&keeper->ended)) {
        join(keeper);
    }
    if (!atomic_load(&keeper->running) && !keeper->paused) {
        atomic_store(&keeper->running, start(audit));
    }
    pthread_mutex_unlock(&keeper->lock);
}

static void stop(struct audit *audit, bool paused)
{
    pthread_mutex_lock(&audit->keeper.lock);
    audit->keeper.paused = paused;
    if (atomic_load(&audit->keeper.running)) {
        ledger_set_keeper(&audit->ledger, false);
        join(&audit->keeper);
    }
    pthread_mutex_unlock(&audit->keeper.lock);
}

void keeper_stop(struct audit *audit)
{
    stop(audit, false);
}

void keeper_pause(struct audit *audit)
{
    stop(audit, true);
}

/* The next record may start one again, under the same condition as ever. */
void keeper_resume(struct audit *audit)
{
    pthread_mutex_lock(&audit->keeper.lock);
    audit->keeper.paused = false;
    atomic_store(&audit->keeper.tried, 0);
    pthread_mutex_unlock(&audit->keeper.lock);
}

void keeper_forget(struct audit *audit)
{
    atomic_store(&audit->keeper.ended, false);
    atomic_store(&audit->keeper.running, false);
    atomic_store(&audit->keeper.tried, 0);
}
