/* SPDX-License-Identifier: MIT */
/*
 * Cancels an operation when its user has gone, or wants no more of it.
 *
 * The thread that made the request waits in MI_Operation_Get...(), so that another one has to wait
 * for the event: a signal as a descriptor (signalfd(2)), or the end of the client's connection. It
 * is created by the thread that made the request, and has its credentials: the function that a
 * provider registered for the cancellation runs as the client, too.
 */
#include "tools/cli/run_watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/cli.h"

struct run_watch {
    MI_Operation *operation;
    struct run_until until;
    int over; /* an eventfd(2): the operation has ended */
    pthread_t thread;
    enum run_end end; /* read after the thread has ended */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As poll(2) has it: -1 for ever, and no more than what an int holds, after which it is asked
 * again. */
static int left_ms(int64_t deadline)
{
    enum { HOUR_MS = 3600000 };
    int64_t left = deadline - now_ms();

    if (deadline == 0) {
        return -1;
    }
    return left < 0 ? 0 : left > HOUR_MS ? HOUR_MS : (int)left;
}

/* Waits for the first of: the operation has ended, the event, the time. */
static enum run_end wait_for_end(const struct run_watch *watch)
{
    int64_t deadline =
        watch->until.seconds == 0 ? 0 : now_ms() + (int64_t)watch->until.seconds * 1000;

    for (;;) {
        struct pollfd events[] = {{.fd = watch->over, .events = POLLIN}, watch->until.event};
        int count = poll(events, 2, left_ms(deadline));
        if (count < 0 && errno != EINTR) {
            return RUN_END_EVENT; /* without a way to see the end of the user: an end */
        }
        if (count > 0) {
            return events[0].revents != 0 ? RUN_END_ITSELF : RUN_END_EVENT;
        }
        if (count == 0 && deadline != 0 && now_ms() >= deadline) {
            return RUN_END_TIME;
        }
    }
}

static void *watch_loop(void *data)
{
    struct run_watch *watch = data;

    watch->end = wait_for_end(watch);
    if (watch->end != RUN_END_ITSELF) {
        MI_Operation_Cancel(watch->operation, MI_REASON_NONE);
    }
    return NULL;
}

/* The thread of the command that is to die of a signal must not be this one. */
static int start_blocked(struct run_watch *watch)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&watch->thread, NULL, watch_loop, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct run_watch *run_watch_new(MI_Operation *operation, const struct run_until *until)
{
    struct run_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        complain(CLI_UNABLE, "out of memory");
        return NULL;
    }
    *watch = (struct run_watch){
        .operation = operation, .until = *until, .over = eventfd(0, EFD_CLOEXEC)};
    int error = watch->over < 0 ? errno : start_blocked(watch);
    if (error == 0) {
        return watch;
    }
    complain(CLI_UNABLE, "no thread for the end of the request: %s", strerror(error));
    if (watch->over >= 0) {
        close(watch->over);
    }
    free(watch);
    return NULL;
}

enum run_end run_watch_end(struct run_watch *watch)
{
    (void)eventfd_write(watch->over, 1); /* it cannot overflow by one */
    pthread_join(watch->thread, NULL);
    close(watch->over);
    enum run_end end = watch->end;
    free(watch);
    return end;
}
