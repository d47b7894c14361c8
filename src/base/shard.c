/* SPDX-License-Identifier: MIT */
/* Threads get their shards in turn, each at its first use (shard.h). A forked child's only thread
 * has that of the thread that forked. */
#include "base/shard.h"

#include <stdatomic.h>

static atomic_uint shards_given;

unsigned shard_of_thread(void)
{
    static __thread unsigned mine __attribute__((tls_model("initial-exec"))); /* 0: not yet */

    if (mine == 0) {
        mine =
            atomic_fetch_add_explicit(&shards_given, 1, memory_order_relaxed) % THREAD_SHARDS + 1;
    }
    return mine - 1;
}
