/* SPDX-License-Identifier: MIT */
/*
 * Addresses for guarded contexts, each handed out once.
 *
 * A provider names its context by a pointer and may use it long after the context ended. The inline
 * functions of MI.h read the table of functions there, so the memory must stay readable forever,
 * and no later context may have the same address. So the address is the handle: a reserved range of
 * address space has one address for each slot of guarded_contexts and each of its generations, and
 * the name of slot and generation is computed from the address. Nothing is looked up, and memory
 * that a provider chose is not read. A copy of a context is elsewhere, and so is not a context.
 *
 * Every multiple of 8 in the range holds the address of the table of functions, and nothing else:
 * that is an MI_Context as far as any code but the library may look into one. Since all of it is
 * the same, one small sealed file in memory is mapped repeatedly, read-only, as far as addresses
 * are handed out. Sealed, because the mapping is shared with forked children: a child that has
 * given up its privileges must not write the table address through which its parent calls.
 *
 *   chunk   256 slots, as in slots.h; 128 MiB, consisting of
 *   pieces  of 16 MiB, each one mapping with 8,191
 *   rows    of 256 contexts of one generation; the 8,192nd is left out, so that the whole
 *           MI_Context of each address is within its piece
 *
 * Slots are used in turn, so a chunk's slots are all in about the same row and few pages are in use
 * at a time. 1,024 chunks make 128 GiB for nearly 2^34 contexts, of which at least 2^33 (more than
 * 8,500 million) can be used while MIGUARD_MAX_CONTEXTS others stay alive. That takes 4,096
 * mappings, of the 65,530 that Linux lets a process have, 16 MiB of memory, and for each thousand
 * contexts about 20 bytes: exhausted slots, and page tables, which Linux frees from 6.14 on. When
 * all are used no further context is guarded (fail closed).
 *
 * Under a limit on address space (RLIMIT_AS) at most a quarter of it is reserved: 16 MiB hold 2
 * million contexts. Where the kernel gives no sealed file or no second mapping of one (before Linux
 * 5.1, by a filter, by RLIMIT_FSIZE, under valgrind), pieces have their own memory: 8 bytes for
 * each context ever guarded, and 67 million of them.
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
    SPACE_ROWS = SPACE_PIECE_SIZE / SPACE_ROW_SIZE - 1, /* used rows of a piece */
    SPACE_GENERATIONS = SPACE_PIECES_PER_CHUNK * SPACE_ROWS,
};

/* Reserves the range at the first call. Every address of it points to table, and contexts gets no
 * more slots than have addresses. False when no range is available; the next call tries again.
 * Thread safe. */
bool space_open(const MI_ContextFT *table, struct slots *contexts);

/* The address for this name (base/slots.h), readable from now on; NULL without an address, or
 * without memory or mapping for it. Thread safe. */
MI_Context *space_address(uint64_t name);

/* The name that an address stands for; 0 for an address that no context can have. Does not read at
 * the address. Lock-free. */
uint64_t space_name(const MI_Context *address);

/* A provider has read at this address. Counts such reads, and after `weight`s of 32,768 in total
 * drops the page table entries, so that neither they nor the resident set grow. Lock-free except
 * for that. */
void space_touched(const MI_Context *address, unsigned weight);

#endif
