/* SPDX-License-Identifier: MIT */
/*
 * Reserves and maps the addresses of guarded contexts (context_space.h). Called by
 * guarded_context.c.
 *
 * space_open() reserves the range once. space_address() computes the place of a name and makes its
 * piece readable (make_ready): by a mapping of the sealed pattern (map_pattern) or by own memory
 * (extend). space_name() computes back. space_touched() bounds what the mappings cost.
 */
#include "gateway/context_space.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/fork.h"
#include "base/limit.h"
#include "base/shard.h"
#include "base/write.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* The whole range: 128 GiB on a machine without a limit. */
#define MOST_SIZE ((size_t)SPACE_PIECE_SIZE * SPACE_PIECES_PER_CHUNK * SPACE_CHUNKS)

enum {
    /* STRIDE: bytes between two addresses. PIECES: of the largest range. */
    STRIDE = SPACE_ROW_SIZE / SLOTS_PER_CHUNK,
    PIECES = SPACE_CHUNKS * SPACE_PIECES_PER_CHUNK,
    STEP = 64 << 10,        /* the growth of a piece with its own memory */
    OWN_MOST = 512 << 20,   /* bytes of all of these together */
    SMALL_SIZE = 256 << 10, /* the first part of a piece: enough for 32,768 requests */
    TRIM_AFTER = 32768,
    COUNT_BATCH = 64, /* threads meet once for so many contexts */
};

/* A sealed file full of the table's address, mapped once; the pieces are further mappings of it.
 * Most processes never need more than the small one. The mapping itself is never removed: the
 * pieces are made from it at any later time. */
struct pattern {
    size_t size;
    char *memory; /* NULL: not made yet */
};

/* How far a piece is readable. ready only grows, so a reader needs no lock. shared is less than
 * ready where own memory follows the mapping. */
struct piece {
    _Atomic uint32_t ready;  /* bytes from its start that may be handed out; 0: not mapped */
    _Atomic uint32_t shared; /* of these, the ones that map a pattern */
};

/* The one space of the process. A forked child inherits it, with the addresses that its parent
 * handed out; the tables of handles refuse those (base/slots.h). */
static struct {
    pthread_mutex_t lock;    /* for everything that changes */
    _Atomic(uintptr_t) base; /* 0: nothing is reserved yet; written once, after the rest */
    size_t size;             /* bytes reserved */
    size_t per_chunk;        /* pieces */
    uintptr_t table;
    struct pattern patterns[2];
    bool cannot_share; /* the kernel gives no sealed file or no second mapping of it */
    size_t own;        /* bytes of pieces with their own memory */
    struct piece pieces[PIECES];
    _Atomic uint64_t touched[PIECES / 64]; /* pieces that were read since the last trim */
    atomic_uint untrimmed;
    struct counted {
        _Alignas(CACHE_LINE) atomic_uint weight; /* not yet in untrimmed */
    } counted[THREAD_SHARDS];
} space = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .patterns = {{.size = SMALL_SIZE}, {.size = SPACE_PIECE_SIZE}},
};

FORK_OWNER(space_owner, .rank = FORK_CONTEXT_SPACE, .lock = &space.lock);

/* ---- the range ---------------------------------------------------------------------------- */

/* The host program has its own use for the rest of its limit. The limit may be lowered later; what
 * is reserved by then stays. */
static size_t most_bytes(void)
{
    struct rlimit limit;
    size_t most = MOST_SIZE;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur / 4 < most) {
        most = limit.rlim_cur / 4;
    }
    return most;
}

/* The caller holds the lock. Reserves address space only: without memory, but no other mapping can
 * be placed there. 0 without such a range. Halves the size until the kernel agrees, down to one
 * piece. */
static uintptr_t reserve(void)
{
    size_t most = most_bytes();

    for (size_t size = MOST_SIZE; size >= SPACE_PIECE_SIZE; size /= 2) {
        void *memory = size > most ? MAP_FAILED
                                   : mmap(NULL, size, PROT_NONE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory != MAP_FAILED) {
            space.size = size;
            /* In a small range: more slots with fewer generations. */
            space.per_chunk = size < MOST_SIZE / 4 ? 1 : SPACE_PIECES_PER_CHUNK;
            return (uintptr_t)memory;
        }
    }
    return 0;
}

/* The base is stored last, with release: a thread that sees it sees the rest. */
bool space_open(const MI_ContextFT *table, struct slots *contexts)
{
    if (atomic_load_explicit(&space.base, memory_order_acquire) != 0) {
        return true;
    }
    pthread_mutex_lock(&space.lock);
    uintptr_t base = atomic_load(&space.base);
    if (base == 0 && (base = reserve()) != 0) {
        space.table = (uintptr_t)table;
        size_t chunks = space.size / SPACE_PIECE_SIZE / space.per_chunk;
        slots_set_bounds(contexts, (uint32_t)chunks * SLOTS_PER_CHUNK,
                         (uint32_t)space.per_chunk * SPACE_ROWS);
        atomic_store_explicit(&space.base, base, memory_order_release);
    }
    pthread_mutex_unlock(&space.lock);
    return base != 0;
}

/* ---- names and addresses -------------------------------------------------------------------- */

/* SIZE_MAX for a name that no slot can have. The place of a name in the range. */
static size_t offset_of(uint64_t name)
{
    size_t index = (uint32_t)name - 1, age = (name >> 32) - 1;
    size_t piece = index / SLOTS_PER_CHUNK * space.per_chunk + age / SPACE_ROWS;

    if (age >= space.per_chunk * SPACE_ROWS) {
        return SIZE_MAX;
    }
    return piece * SPACE_PIECE_SIZE + age % SPACE_ROWS * SPACE_ROW_SIZE +
           index % SLOTS_PER_CHUNK * STRIDE;
}

/* The inverse of offset_of(). The last row of a piece belongs to no name. */
uint64_t space_name(const MI_Context *address)
{
    uintptr_t base = atomic_load_explicit(&space.base, memory_order_acquire);
    size_t offset = (uintptr_t)address - base;

    if (base == 0 || offset >= space.size || offset % STRIDE != 0) {
        return 0;
    }
    size_t piece = offset / SPACE_PIECE_SIZE, row = offset % SPACE_PIECE_SIZE / SPACE_ROW_SIZE;
    if (row >= SPACE_ROWS) {
        return 0;
    }
    uint64_t age = piece % space.per_chunk * SPACE_ROWS + row;
    uint64_t index = piece / space.per_chunk * SLOTS_PER_CHUNK + offset % SPACE_ROW_SIZE / STRIDE;
    return (age + 1) << 32 | (index + 1);
}

/* ---- the memory at the addresses ------------------------------------------------------------ */

/* The content of every address: the pointer to the table of functions. */
static void fill(void *memory, size_t size)
{
    uintptr_t *words = memory;
    for (size_t i = 0; i < size / sizeof(*words); i++) {
        words[i] = space.table;
    }
}

/* Fills the file, which is sealed afterwards. size is a multiple of the block. */
static bool write_all(int file, size_t size)
{
    uintptr_t block[2048];

    fill(block, sizeof(block));
    for (size_t done = 0; done < size; done += sizeof(block)) {
        if (write_quietly(file, block, sizeof(block)) != (ssize_t)sizeof(block)) {
            return false;
        }
    }
    return true;
}

/* No process can write to such a file or make a mapping of it writable, not even a forked child.
 * The descriptor is not kept: a host that becomes a daemon closes descriptors that it does not
 * know. NULL on any failure: then pieces have their own memory. */
static char *map_sealed(size_t size)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    void *memory = MAP_FAILED;
    if (!limit_allows_file(size)) {
        return NULL;
    }
    struct descriptor_low low;

    descriptor_take_low(&low);
    int file = memfd_create("miguard contexts", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (file < 0) { /* before Linux 6.3 */
        file = memfd_create("miguard contexts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    descriptor_give_low(&low);
    if (file < 0) {
        return NULL;
    }
    if (write_all(file, size) && fcntl(file, F_ADD_SEALS, seals) == 0) {
        memory = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    }
    close(file);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    (void)munlock(memory, size);                /* the host's mlockall(2) would lock each mapping */
    (void)madvise(memory, size, MADV_DONTDUMP); /* a core file need not contain it 4,096 times */
    return memory;
}

/* Makes the pattern at the first need; false without a sealed file. The caller holds the lock. */
static bool make_pattern(struct pattern *pattern)
{
    if (pattern->memory == NULL) {
        pattern->memory = map_sealed(pattern->size);
    }
    return pattern->memory != NULL;
}

/* The caller holds the lock. Maps a pattern from the end of the piece on: addresses that providers
 * already have are not remapped. An old length of 0 makes a second mapping of the same pages
 * (mremap(2)). False when memory ran out, which may pass; a refusal of the kernel is remembered
 * (cannot_share). */
static bool map_pattern(struct piece *piece, char *start, size_t offset)
{
    bool small = offset < SMALL_SIZE && space.patterns[1].memory == NULL;
    struct pattern *pattern = &space.patterns[small ? 0 : 1];
    uint32_t from = atomic_load(&piece->shared);

    if (space.cannot_share || !make_pattern(pattern)) {
        return false;
    }
    if (mremap(pattern->memory + from, 0, pattern->size - from, MREMAP_MAYMOVE | MREMAP_FIXED,
               start + from) == MAP_FAILED) {
        space.cannot_share = errno != ENOMEM;
        return false;
    }
    atomic_store(&piece->shared, (uint32_t)pattern->size);
    atomic_store_explicit(&piece->ready, (uint32_t)pattern->size, memory_order_release);
    return true;
}

/* The caller holds the lock. Adds own memory at the end of the piece. STEP by STEP, so that a
 * process with few contexts takes little memory. Read-only before it is handed out. */
static bool extend(struct piece *piece, char *start, size_t offset)
{
    uint32_t ready = atomic_load(&piece->ready);

    while (ready <= offset) {
        if (space.own >= OWN_MOST ||
            mmap(start + ready, STEP, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
            return false;
        }
        fill(start + ready, STEP);
        if (mprotect(start + ready, STEP, PROT_READ) != 0) {
            return false;
        }
        space.own += STEP;
        ready += STEP;
        atomic_store_explicit(&piece->ready, ready, memory_order_release);
    }
    return true;
}

/* Makes the piece readable up to offset. Tries the shared mapping while the piece has no own memory
 * yet, and then own memory. False without either. */
static bool make_ready(struct piece *piece, char *start, size_t offset)
{
    int cancellable = PTHREAD_CANCEL_ENABLE;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellable); /* write(2), close(2) */
    pthread_mutex_lock(&space.lock);
    uint32_t ready = atomic_load(&piece->ready);
    bool done = offset < ready;
    if (!done && ready == atomic_load(&piece->shared)) {
        done = map_pattern(piece, start, offset);
    }
    if (!done) {
        done = extend(piece, start, offset);
    }
    pthread_mutex_unlock(&space.lock);
    (void)pthread_setcancelstate(cancellable, NULL);
    return done;
}

/* The fast path, an address in a piece that is ready, takes no lock. */
MI_Context *space_address(uint64_t name)
{
    uintptr_t base = atomic_load_explicit(&space.base, memory_order_acquire);
    size_t offset = base != 0 ? offset_of(name) : SIZE_MAX, within = offset % SPACE_PIECE_SIZE;

    if (offset >= space.size) {
        return NULL;
    }
    char *start = (char *)base + (offset - within);
    struct piece *piece = &space.pieces[offset / SPACE_PIECE_SIZE];
    if (atomic_load_explicit(&piece->ready, memory_order_acquire) <= within &&
        !make_ready(piece, start, within)) {
        return NULL;
    }
    MI_Context *address = (MI_Context *)(void *)(start + within);
    space_touched(address, 1);
    return address;
}

/* ---- bounded memory ------------------------------------------------------------------------- */

/* Drops the page table entries, not the mapping: a later read there sees the same content. Own
 * memory is left alone: without a file behind it its content would be lost. */
static void trim_piece(size_t index)
{
    char *start = (char *)atomic_load(&space.base) + index * SPACE_PIECE_SIZE;
    uint32_t shared = atomic_load(&space.pieces[index].shared);

    if (shared != 0) {
        (void)madvise(start, shared, MADV_DONTNEED);
    }
}

/* Drops the entries of all pieces that were read since the last time. A piece that is read
 * meanwhile may be marked again; that costs one more trim. */
static void trim(void)
{
    for (size_t i = 0; i < PIECES / 64; i++) {
        uint64_t bits = atomic_load_explicit(&space.touched[i], memory_order_relaxed);
        if (bits != 0) {
            bits = atomic_exchange(&space.touched[i], 0);
        }
        for (; bits != 0; bits &= bits - 1) {
            trim_piece(i * 64 + (size_t)__builtin_ctzll(bits));
        }
    }
}

/* What is to be trimmed after it, at once or with later ones of this thread's shard. */
static bool count_untrimmed(unsigned weight)
{
    atomic_uint *counted = &space.counted[shard_of_thread()].weight;

    if (atomic_fetch_add_explicit(counted, weight, memory_order_relaxed) + weight < COUNT_BATCH) {
        return false;
    }
    unsigned all = atomic_exchange_explicit(counted, 0, memory_order_relaxed);
    return atomic_fetch_add_explicit(&space.untrimmed, all, memory_order_relaxed) + all >=
           TRIM_AFTER;
}

void space_touched(const MI_Context *address, unsigned weight)
{
    size_t piece = ((uintptr_t)address - atomic_load(&space.base)) / SPACE_PIECE_SIZE;
    _Atomic uint64_t *touched = &space.touched[piece / 64];
    uint64_t bit = (uint64_t)1 << piece % 64;

    if ((atomic_load_explicit(touched, memory_order_relaxed) & bit) == 0) {
        atomic_fetch_or_explicit(touched, bit, memory_order_relaxed);
    }
    if (weight != 0 && count_untrimmed(weight)) {
        atomic_store_explicit(&space.untrimmed, 0, memory_order_relaxed);
        trim();
    }
}
