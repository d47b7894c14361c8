/* SPDX-License-Identifier: MIT */
/* Many requests, line by line: `miguard run --shell` (run_shell.c). */
#ifndef TOOLS_CLI_RUN_SHELL_H
#define TOOLS_CLI_RUN_SHELL_H

#include <poll.h>

#include "tools/cli/run_request.h"

/*
 * Reads lines from standard input and makes the request of each on host, or by the server of
 * --connect when host is NULL. command holds what counts for all of them. interrupt is the
 * descriptor of SIGINT, which is blocked. The highest exit status of all lines; from a terminal
 * CLI_YES.
 */
int run_shell(const struct run_request *command, struct miguard_host *host,
              struct pollfd interrupt);

#endif
