/* SPDX-License-Identifier: MIT */
/* One request of `miguard run`, where it is to be made (run_once.c). */
#ifndef TOOLS_CLI_RUN_ONCE_H
#define TOOLS_CLI_RUN_ONCE_H

#include <poll.h>

#include "tools/cli/run_request.h"

/*
 * Makes the request on host, as the user of --as and for the client of --client; or by the server
 * of --connect, when host is NULL. What becomes ready as end ends it early, in order; its fd is -1
 * where nothing does. CLI_YES, CLI_NO for any result but OK, or another exit status after a
 * message.
 */
int run_once(const struct run_request *request, struct miguard_host *host, struct pollfd end);

#endif
