/* SPDX-License-Identifier: MIT */
/*
 * Stops all other threads of the process and lets each act (world.h). Called by the drop.
 *
 * world_stop() installs on_signal() and signals each thread that /proc lists (gather, look_once,
 * signal_thread) until all are inside. Each takes a slot, runs look() and waits in
 * wait_for_orders(). world_act() gives one slot after the other the order to act; world_release()
 * lets all leave. Orders are futex words, since nothing else is async-signal safe.
 */
#include "switch/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/futex.h"
#include "miguard/switch.h"
#include "switch/uring.h"

/* Whether a signal that arrives means "stop". Set before the first signal is sent. */
enum stage { STAGE_RUNNING, STAGE_STOPPED };

/* The state of a slot: WAIT at first, ACT and LEAVE set by the caller, DONE by the thread. */
enum order { ORDER_WAIT, ORDER_ACT, ORDER_DONE, ORDER_LEAVE };

/* A stopped thread. */
struct slot {
    _Atomic pid_t tid;      /* set last: the answer of look is stored */
    _Atomic uint32_t order; /* a futex */
    int answer;
};

/* Static, since a late signal may still arrive here after the end: it finds the stage over, and no
 * freed memory. */
static struct {
    _Atomic int stage;
    _Atomic unsigned taken;  /* slots */
    _Atomic unsigned inside; /* threads in the handler */
    const struct world_work *work;
    int signal;
    struct sigaction before; /* the former action of the signal */
    unsigned sent_count;
    pid_t sent[MIGUARD_DROP_THREADS];
    struct slot slots[MIGUARD_DROP_THREADS];
} world;

/* Sleeps until the word has another value. A signal or an early wake-up only repeats the loop. */
static void wait_while(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load(word) == value) {
        futex_wait(word, value, NULL);
    }
}

/* At most one thread waits for a word. */
static void set_and_wake(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    futex_wake(word, 1);
}

/* ---- in the other threads ---------------------------------------------------------------- */

/* Returns when the caller lets the thread leave. A thread may be ordered to act more than once. */
static void wait_for_orders(struct slot *slot)
{
    for (;;) {
        wait_while(&slot->order, ORDER_WAIT);
        wait_while(&slot->order, ORDER_DONE);
        uint32_t order = atomic_load(&slot->order);
        if (order == ORDER_LEAVE) {
            return;
        }
        if (order == ORDER_ACT) {
            slot->answer = world.work->act(world.work->context);
            set_and_wake(&slot->order, ORDER_DONE);
        }
    }
}

/* Async-signal safe: raw system calls, atomic words, and the functions look and act. */
static void on_signal(int signal)
{
    int error = errno;

    (void)signal;
    atomic_fetch_add(&world.inside, 1);
    if (atomic_load(&world.stage) == STAGE_STOPPED) {
        unsigned place = atomic_fetch_add(&world.taken, 1);
        if (place < MIGUARD_DROP_THREADS) {
            struct slot *slot = &world.slots[place];
            slot->answer = world.work->look(world.work->context);
            atomic_store(&slot->tid, (pid_t)syscall(SYS_gettid));
            wait_for_orders(slot);
        }
    }
    atomic_fetch_sub(&world.inside, 1);
    errno = error;
}

/* ---- in the caller ----------------------------------------------------------------------- */

/* 0.1 ms: between two looks at threads that need to be scheduled first. */
static void pause_a_little(void)
{
    nanosleep(&(struct timespec){0, 100000}, NULL);
}

/* The counter may exceed the number of slots when more threads arrive than there is room for. */
static unsigned slots_taken(void)
{
    unsigned taken = atomic_load(&world.taken);
    return taken < MIGUARD_DROP_THREADS ? taken : MIGUARD_DROP_THREADS;
}

/* Whether the thread has answered: its tid is stored only after look(). */
static bool is_stopped(pid_t tid)
{
    for (unsigned i = 0; i < slots_taken(); i++) {
        if (atomic_load(&world.slots[i].tid) == tid) {
            return true;
        }
    }
    return false;
}

/* A thread group leader that ended stays in the list while others live. It does not run
 * any more. */
static bool is_dead(pid_t tid)
{
    char path[64], text[256];

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = descriptor_open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return errno == ENOENT;
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *state = strrchr(text, ')'); /* the name before it may contain any character */
    return state != NULL && (state[2] == 'Z' || state[2] == 'X');
}

/* Sends the signal to a thread, once. */
static enum miguard_status signal_thread(pid_t tid, struct miguard_error *reterr)
{
    char name[URING_NAME_SIZE];

    for (unsigned i = 0; i < world.sent_count; i++) {
        if (world.sent[i] == tid) {
            return MIGUARD_OK;
        }
    }
    if (uring_is_thread(tid, name)) {
        return error_set(
            reterr, MIGUARD_BAD_STATE, 0, "threads",
            "thread %d (%s) belongs to io_uring: it handles no signal, keeps its credentials "
            "and serves requests with them; close the rings first",
            tid, name);
    }
    if (world.sent_count == MIGUARD_DROP_THREADS) {
        return error_set(reterr, MIGUARD_LIMIT, 0, "threads", "more than %d threads",
                         MIGUARD_DROP_THREADS);
    }
    if (syscall(SYS_tgkill, getpid(), tid, world.signal) != 0 && errno != ESRCH) {
        return error_set(reterr, MIGUARD_SYSTEM, errno, "tgkill", "%s", strerrordesc_np(errno));
    }
    world.sent[world.sent_count++] = tid;
    return MIGUARD_OK;
}

/* One reading of the list of threads. */
struct look {
    unsigned seen;
    pid_t running; /* one that is not stopped, or 0 */
};

/* Counts the thread, and signals it unless it is the caller, has stopped or is dead. */
static enum miguard_status look_at_task(pid_t tid, struct look *look, struct miguard_error *reterr)
{
    look->seen++;
    if (tid == (pid_t)syscall(SYS_gettid) || is_stopped(tid) || is_dead(tid)) {
        return MIGUARD_OK;
    }
    look->running = tid;
    return signal_thread(tid, reterr);
}

/* readdir(3) would allocate, and a stopped thread may hold the allocator's lock. */
static enum miguard_status look_at_all(int directory, struct look *look,
                                       struct miguard_error *reterr)
{
    _Alignas(struct dirent64) char buffer[4096];
    enum miguard_status status = MIGUARD_OK;

    for (;;) {
        long length = syscall(SYS_getdents64, directory, buffer, sizeof(buffer));
        if (length < 0) {
            return error_set(reterr, MIGUARD_UNREADABLE, errno, "threads",
                             "/proc/self/task cannot be read");
        }
        if (length == 0) {
            return MIGUARD_OK;
        }
        for (long at = 0; at < length && status == MIGUARD_OK;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.') {
                status = look_at_task((pid_t)strtol(entry->d_name, NULL, 10), look, reterr);
            }
        }
        if (status != MIGUARD_OK) {
            return status;
        }
    }
}

/* The list may skip a thread while others end, so its length must be the number of threads: the
 * link count of the folder minus 2 (proc(5)). */
static enum miguard_status look_once(struct look *ret_look, bool *ret_complete,
                                     struct miguard_error *reterr)
{
    struct stat stat;
    *ret_look = (struct look){0, 0};
    int directory =
        descriptor_open(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (directory < 0) {
        return error_set(reterr, MIGUARD_UNREADABLE, errno, "threads",
                         "/proc/self/task cannot be read");
    }
    enum miguard_status status = look_at_all(directory, ret_look, reterr);
    *ret_complete = fstat(directory, &stat) == 0 && stat.st_nlink == ret_look->seen + 2;
    close(directory);
    return status;
}

/* How long a thread that has the signal may take to arrive; the others stand still meanwhile. */
enum { PATIENCE_MS = 2000 };

/* All are stopped when a complete list has no running thread: then no thread is left that could
 * create another. The time is counted from the end of the first look: that one signals each thread,
 * and takes as long as the busy ones leave the processors to it. */
static enum miguard_status gather(struct miguard_error *reterr)
{
    struct look look;
    int64_t end = 0;
    bool complete = false;

    for (;;) {
        enum miguard_status status = look_once(&look, &complete, reterr);
        if (status != MIGUARD_OK || (complete && look.running == 0)) {
            return status;
        }
        if (end == 0) {
            end = clock_now_ms() + PATIENCE_MS;
        }
        if (clock_now_ms() > end) {
            return error_set(reterr, MIGUARD_BAD_STATE, ETIMEDOUT, "threads",
                             "thread %d did not answer signal %d: it blocks it, or sleeps in the "
                             "kernel",
                             look.running, world.signal);
        }
        pause_a_little();
    }
}

/* Glibc's own two are below SIGRTMIN. A signal that has a handler, or is ignored, is in use. */
static enum miguard_status install_handler(struct miguard_error *reterr)
{
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};

    sigfillset(&ours.sa_mask);
    for (int signal = SIGRTMAX; signal >= SIGRTMIN; signal--) {
        if (sigaction(signal, NULL, &world.before) == 0 &&
            (world.before.sa_flags & SA_SIGINFO) == 0 && world.before.sa_handler == SIG_DFL) {
            world.signal = signal;
            return sigaction(signal, &ours, NULL) == 0
                       ? MIGUARD_OK
                       : error_set(reterr, MIGUARD_SYSTEM, errno, "sigaction", NULL);
        }
    }
    return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "threads",
                     "every realtime signal has a handler already");
}

/* A signal still pending for a thread that blocks it would end the process once it is unblocked:
 * ignoring it for a moment discards it (sigaction(2), POSIX "Signal Actions"). */
static void restore_signal(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(world.signal, &ignore, NULL);
    sigaction(world.signal, &world.before, NULL);
}

/* The stage falls first, so that a thread that arrives late does not stay. When this returns the
 * handler runs on no thread. */
void world_release(void)
{
    atomic_store(&world.stage, STAGE_RUNNING);
    restore_signal();
    do {
        /* Repeatedly: a thread that was just arriving gets its slot only now. */
        for (unsigned i = 0; i < slots_taken(); i++) {
            set_and_wake(&world.slots[i].order, ORDER_LEAVE);
        }
        if (atomic_load(&world.inside) != 0) {
            pause_a_little();
        }
    } while (atomic_load(&world.inside) != 0);
}

/* The first thread's answer that is not 0: one objection is enough. */
static int first_answer(void)
{
    int answer = 0;
    for (unsigned i = 0; i < slots_taken() && answer == 0; i++) {
        answer = world.slots[i].answer;
    }
    return answer;
}

enum miguard_status world_stop(const struct world_work *work, int *ret_answer,
                               struct miguard_error *reterr)
{
    world.work = work;
    world.sent_count = 0;
    atomic_store(&world.taken, 0);
    for (unsigned i = 0; i < MIGUARD_DROP_THREADS; i++) {
        atomic_store(&world.slots[i].tid, 0);
        atomic_store(&world.slots[i].order, ORDER_WAIT);
    }
    enum miguard_status status = install_handler(reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    atomic_store(&world.stage, STAGE_STOPPED);
    status = gather(reterr);
    int answer = status == MIGUARD_OK ? first_answer() : 0;
    if (answer != 0) {
        status = error_set(reterr, MIGUARD_BAD_STATE, 0, "threads", NULL);
        *ret_answer = answer;
    }
    if (status != MIGUARD_OK) {
        world_release();
    }
    return status;
}

/* One after the other: when one fails, those behind it have done nothing. */
int world_act(void)
{
    for (unsigned i = 0; i < slots_taken(); i++) {
        struct slot *slot = &world.slots[i];
        set_and_wake(&slot->order, ORDER_ACT);
        wait_while(&slot->order, ORDER_ACT);
        if (slot->answer != 0) {
            return slot->answer;
        }
    }
    return 0;
}
