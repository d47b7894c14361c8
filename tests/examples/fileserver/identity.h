/* SPDX-License-Identifier: MIT */
/*
 * Who a request is served as: all that fileserver.c knows of identities.
 *
 * identity_miguard.c is this in C and identity_miguard.cpp in C++; identity_by_hand.c is the same
 * without the library, which shows what it replaces.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum identity_action { IDENTITY_READ, IDENTITY_WRITE, IDENTITY_REMOVE };

/* Every function that can fail writes one line that says why, into a buffer of this size. */
enum { IDENTITY_WHY = 1024 };

struct identity_options {
    const char *policy, *audit; /* paths; NULL: the standard ones */
    bool gate;                  /* only the library may change credentials: miguard-gate(7) */
};

/* Whom a connection belongs to. */
struct peer;

/* Once, before any thread is started. */
bool identity_start(const struct identity_options *options, char *why);

/* Binds a connection to its peer; name is for the records. NULL: it must not be served. */
struct peer *identity_bind(int socket, const char *name, char *why);
void identity_release(struct peer *peer);

/* Runs serve(argument) as the peer, and changes back. False: it did not run. */
bool identity_serve(struct peer *peer, void (*serve)(void *), void *argument, char *why);

/* Within serve: whether the calling thread is the peer, and may do this to the path. */
bool identity_may(struct peer *peer, enum identity_action action, const char *path, char *why);

/* After a request, and after code of others: the thread is who it was at the start, or is made so.
 * False: it cannot be; serve nothing more on this thread, and end it. */
bool identity_home(char *why);

#ifdef __cplusplus
}
#endif

#endif
