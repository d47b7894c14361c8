/* SPDX-License-Identifier: MIT */
/*
 * Which of several equal parts of a shared thing a thread uses, so that threads rarely meet.
 *
 * The choice never matters for what is right: it is only where a thread begins to look.
 */
#ifndef BASE_SHARD_H
#define BASE_SHARD_H

enum { THREAD_SHARDS = 16, CACHE_LINE = 64 };

/* Below THREAD_SHARDS, and the same for the whole life of the calling thread. Threads get them in
 * turn. Async-signal safe. */
unsigned shard_of_thread(void);

#endif
