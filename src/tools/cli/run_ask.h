/* SPDX-License-Identifier: MIT */
/* One request through an open session (run_ask.c), for `miguard run` and `miguard serve`. */
#ifndef TOOLS_CLI_RUN_ASK_H
#define TOOLS_CLI_RUN_ASK_H

#include <MI.h>

#include "tools/cli/run_request.h"
#include "tools/cli/run_watch.h"

/*
 * Makes the request with the credentials of the calling thread, and prints the answer. until says
 * what ends the request early; NULL: nothing but its end. CLI_YES, CLI_NO for any result but OK, or
 * another exit status after a message.
 */
int run_ask(const struct run_request *request, MI_Session *session, const struct run_until *until);

#endif
