/* SPDX-License-Identifier: MIT */
/* Waits without losing a signal; called by commands that make rounds. */
#include "tools/cli/stop_wait.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

enum stop_wait stop_wait(int fd, uint64_t seconds, bool (*is_stopped)(void))
{
    struct pollfd input = {.fd = fd, .events = POLLIN};
    const struct timespec time = {.tv_sec = (time_t)seconds};
    sigset_t stopping, before;
    int count = -1;

    sigemptyset(&stopping);
    sigaddset(&stopping, SIGINT);
    sigaddset(&stopping, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stopping, &before);
    if (!is_stopped()) {
        count = ppoll(&input, 1, &time, &before);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count < 0 ? STOP_WAIT_STOPPED : count > 0 ? STOP_WAIT_INPUT : STOP_WAIT_TIME;
}
