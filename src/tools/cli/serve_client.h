/* SPDX-License-Identifier: MIT */
/* The clients of `miguard serve`: one thread for each (serve_client.c). */
#ifndef TOOLS_CLI_SERVE_CLIENT_H
#define TOOLS_CLI_SERVE_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/cli/cli.h"

enum {
    SERVE_REQUEST_SECONDS = 30, /* from the first byte of a request to its last */
    SERVE_SEND_SECONDS = 30,    /* without a byte that the client has taken */
};

struct serve_client;

/* What all clients share. */
struct serve {
    struct miguard_host *host;
    uint64_t most_clients, most_of_user, idle_seconds, drain_seconds;
    int drain; /* an eventfd(2), readable once the server is to end */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on the monotonic clock: a client has ended */
    struct serve_client *clients;
    uint64_t count;
    bool draining;
};

/* CLI_YES, or the exit status after a message. */
int serve_new(struct serve *ret_serve);

/* Serves a new connection on a thread of its own, or refuses it; takes the descriptor in either
 * case. */
void serve_client_accept(struct serve *serve, int fd);

/*
 * Ends the service: clients that wait are closed, subscriptions ended, and other requests have
 * drain_seconds until they are cancelled. False: some did not end even then, and the host must not
 * be freed.
 */
bool serve_drain(struct serve *serve);

/* The identity of the peer, by its socket (serve_peer.c). CLI_YES, or the exit status after a
 * message, which is for the client. The caller frees the target. */
int serve_peer(int fd, struct miguard_target **ret_target);

#endif
