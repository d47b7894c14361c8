/* SPDX-License-Identifier: MIT */
/* A request that a server makes: `miguard run --connect` (run_connect.c). */
#ifndef TOOLS_CLI_RUN_CONNECT_H
#define TOOLS_CLI_RUN_CONNECT_H

#include "tools/cli/run_request.h"

/* A connection to a server of `miguard serve`. */
struct run_connection;

/* Connects to the socket of path, whose server must be root's or this user's. CLI_YES, or the exit
 * status after a message. */
int run_connect(const char *path, struct run_connection **ret_connection);

/* Sends the request, and prints what comes to its streams. When the descriptor end becomes readable
 * the server is asked to end it; -1: never. The exit status is the server's. */
int run_connection_ask(struct run_connection *connection, const struct run_request *request,
                       int end);

/* NULL is allowed. */
void run_connection_close(struct run_connection *connection);

#endif
