/* SPDX-License-Identifier: MIT */
/* Ends an operation whose user wants no more of it (run_watch.c). */
#ifndef TOOLS_CLI_RUN_WATCH_H
#define TOOLS_CLI_RUN_WATCH_H

#include <MI.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* What ends an operation early. */
struct run_until {
    struct pollfd event; /* as for poll(2); fd -1: no event */
    uint64_t seconds;    /* 0: no time */
};

struct run_watch;

enum run_end { RUN_END_ITSELF, RUN_END_EVENT, RUN_END_TIME };

/*
 * Cancels operation when an event of until comes, on a thread with the credentials of the caller
 * and all signals blocked. NULL, after a message, when there is no such thread.
 */
struct run_watch *run_watch_new(MI_Operation *operation, const struct run_until *until);

/* Ends the thread, and says whether it has cancelled the operation. Call it before the operation is
 * closed. */
enum run_end run_watch_end(struct run_watch *watch);

#endif
