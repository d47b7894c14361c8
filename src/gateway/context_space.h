/* SPDX-License-Identifier: MIT */
/*
 * Addresses for guarded contexts, each given out once.
 *
 * A provider names its context by a pointer and may use that long after the context ended. The
 * inline functions of MI.h read the table of functions there, so the memory must stay readable for
 * ever, and no later context may have the same address. So the address is the handle: a range of
 * address space is reserved in which each slot of guarded_contexts has one address for each of its
 * generations, and the name of the slot and generation is computed from the address. Nothing is
 * looked up and no memory of a provider's choice is read. A copy of a context lies elsewhere and is
 * none.
 *
 * At every multiple of 8 in the range stands the address of the table of functions, and nothing
 * else: that is an MI_Context as far as anybody but the library may look into one. Since all of it
 * is the same, one small sealed file in memory is mapped over and over, read-only, as far as
 * addresses are given out. Sealed, because the mapping is shared with forked children: none that
 * has given up its privileges may write what its parent jumps through.
 *
 *   chunk   256 slots, as in slots.h; 128 MiB, of which each
 *   piece   16 MiB, is one mapping and holds 8,191
 *   rows    of 256 contexts of one generation; the 8,192nd is left out, so that the whole
 *           MI_Context of each address lies within its piece
 *
 * Slots are used in turn, so a chunk's slots are all in about the same row and few pages are in use
 * at a time. 1,024 chunks make 128 GiB for nearly 2^34 contexts, of which at least 2^33 (more than
 * 8,500 million) can be used while MIGUARD_MAX_CONTEXTS others stay alive. That takes 4,096
 * mappings, of the 65,530 that Linux lets a process have, 16 MiB of memory, and for each thousand
 * contexts about 20 bytes: slots that are left, and page tables, which Linux gives back from 6.14
 * on. When all is used up no context is guarded any more (fail closed).
 *
 * Where there is a limit on address space (RLIMIT_AS) a quarter of it is reserved at most: 16 MiB
 * hold 2 million contexts. Where the kernel gives no sealed file or no second mapping of one
 * (before Linux 5.1, by a filter, by RLIMIT_FSIZE, under valgrind), pieces have memory of their
 * own: 8 bytes for each context ever guarded, and 67 million of them.
 */
#ifndef GATEWAY_CONTEXT_SPACE_H
#define GATEWAY_CONTEXT_SPACE_H

#include <MI.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slots.h"

enum {
    SPACE_CHUNKS = 1024,
    SPACE_PIECES_PER_CHUNK = 8, /* or 1, where there is less than a quarter of the space */
    SPACE_ROW_SIZE = SLOTS_PER_CHUNK * 8, /* bytes */
    SPACE_PIECE_SIZE = 16 << 20,
    SPACE_ROWS = SPACE_PIECE_SIZE / SPACE_ROW_SIZE - 1, /* that are used, of a piece */
    SPACE_GENERATIONS = SPACE_PIECES_PER_CHUNK * SPACE_ROWS,
};

/* Reserves the range at the first call. Every address of it points to table, and contexts gets no
 * more slots than have addresses. False when there is no range; the next call tries again. Thread
 * safe. */
bool space_open(const MI_ContextFT *table, struct slots *contexts);

/* The address for this name (base/slots.h), readable from now on; NULL when there is none or no
 * memory or mapping for it. Thread safe. */
MI_Context *space_address(uint64_t name);

/* The name that an address stands for; 0 for one that no context can have. Reads nothing at the
 * address. Lock-free. */
uint64_t space_name(const MI_Context *address);

/* A provider has read at this address. Says when what was mapped for reading is to be unmapped from
 * the page tables again, so that neither they nor the resident set grow: after `weight`s of
 * altogether 32,768. Lock-free but for that. */
void space_touched(const MI_Context *address, unsigned weight);

#endif
