/* SPDX-License-Identifier: MIT */
/*
 * Memory for calls of a library that takes no allocator and does not survive the failure of its
 * own: libseccomp 2.5.4 then follows null pointers, frees twice, or never ends.
 *
 * reserve_take() allocates what is needed and gives all but the last piece back to the C library,
 * which keeps it for the next allocations of the thread. If that much is not there, the caller
 * reports an error and the other library is not called.
 *
 * What this relies on is glibc's malloc(3): freed pieces that lie side by side become one, from
 * which smaller ones are cut; one above the size of its caches (1,032 bytes) stays in none of
 * them; and memory goes back to the kernel only from the end of an arena (M_TRIM_THRESHOLD,
 * mallopt(3)), where the piece that is kept lies, or when it is a mapping of its own. A piece is
 * one where the program has set M_MMAP_THRESHOLD below its size, and where an arena is full for
 * which there is no further heap; reserve_take() answers false then. Memory need not be written to
 * be there: RLIMIT_AS and vm.overcommit_memory=2 count what is mapped. A limit of a control group
 * counts what is written, and its answer is no error but the end of a process.
 *
 * It is no promise. Another thread of the same arena may take the memory meanwhile, and another
 * allocator or C library (musl) may give what was freed back at once.
 */
#ifndef BASE_RESERVE_H
#define BASE_RESERVE_H

#include <stdbool.h>

/* What is free after reserve_take(): pieces, which may be apart, of that many bytes. */
enum { RESERVE_PIECE = 2048, RESERVE_PIECES = 64 };

struct reserve {
    void *kept;
};

/* False when that memory is not there; nothing is held then. */
__attribute__((warn_unused_result)) bool reserve_take(struct reserve *ret);

/* Behind the calls for which it was taken. */
void reserve_end(struct reserve *reserve);

#endif
