/* SPDX-License-Identifier: MIT */
/* Waits between two rounds of a command that runs until SIGINT or SIGTERM (stop_wait.c). */
#ifndef TOOLS_CLI_STOP_WAIT_H
#define TOOLS_CLI_STOP_WAIT_H

#include <stdbool.h>
#include <stdint.h>

enum stop_wait { STOP_WAIT_TIME, STOP_WAIT_INPUT, STOP_WAIT_STOPPED };

/*
 * Waits for that many seconds, until fd (-1: none) can be read, or until a handler of SIGINT or
 * SIGTERM has run. is_stopped says whether one has already: it is asked while both are blocked, so
 * that a signal cannot come between the answer and the waiting.
 */
enum stop_wait stop_wait(int fd, uint64_t seconds, bool (*is_stopped)(void));

#endif
