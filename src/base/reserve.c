/* SPDX-License-Identifier: MIT */
/* Makes sure that memory is there before another library needs it (reserve.h). */
#include "base/reserve.h"

#include <malloc.h>
#include <stddef.h>
#include <unistd.h>

#include "base/alloc.h"

/* glibc's: two words of its own, then all that is left of the pages. No block in an arena is as
 * large, since it is at most one alignment larger than what was asked for. */
static bool is_mapping(void *block)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (malloc_usable_size(block) + 2 * sizeof(size_t)) % page == 0;
}

bool reserve_take(struct reserve *ret)
{
    void *pieces[RESERVE_PIECES + 1];
    size_t count = 0;
    bool stays = true; /* memory that is given back is kept for this process */

    while (stays && count <= RESERVE_PIECES &&
           (pieces[count] = base_alloc(1, RESERVE_PIECE)) != NULL) {
        stays = !is_mapping(pieces[count++]);
    }
    const bool taken = stays && count > RESERVE_PIECES;
    if (taken) { /* the last one: it lies between the others and the end of the arena */
        ret->kept = pieces[--count];
    }
    while (count > 0) {
        base_free(pieces[--count]);
    }
    return taken;
}

void reserve_end(struct reserve *reserve)
{
    base_free(reserve->kept);
    reserve->kept = NULL;
}
