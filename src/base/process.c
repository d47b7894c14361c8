/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * The page holds the epoch; it is zero in a fresh child, and the first caller there draws a new
 * one. The mapping is made once per process image and inherited by children.
 */
struct epoch_page {
    _Atomic uint64_t epoch;
    _Atomic uint64_t secret;
    _Atomic uint64_t number;
};

static struct epoch_page *page;
static pthread_once_t page_once = PTHREAD_ONCE_INIT;

static void map_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    /* Without wiping, a child could not be told from its parent: then there is no epoch at all and
     * every session is refused (fail closed). */
    if (madvise(memory, size, MADV_WIPEONFORK) != 0) {
        munmap(memory, size);
        return;
    }
    page = memory;
}

static uint64_t draw_random(void)
{
    uint64_t value = 0;
    while (value == 0) {
        if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value)) {
            return 0;
        }
    }
    return value;
}

/* Several threads may find the page empty; the first to store wins and all use its value. */
static uint64_t draw_once(_Atomic uint64_t *cell)
{
    uint64_t value = draw_random();
    uint64_t found = 0;
    if (value == 0) {
        return 0;
    }
    if (atomic_compare_exchange_strong(cell, &found, value)) {
        return value;
    }
    return found;
}

uint64_t process_epoch(void)
{
    if (pthread_once(&page_once, map_page) != 0 || page == NULL) {
        return 0;
    }
    uint64_t epoch = atomic_load_explicit(&page->epoch, memory_order_acquire);
    return epoch != 0 ? epoch : draw_once(&page->epoch);
}

uint64_t process_next_number(void)
{
    return process_epoch() == 0
               ? 0
               : atomic_fetch_add_explicit(&page->number, 1, memory_order_relaxed) + 1;
}

uint64_t process_check_word(uint64_t value)
{
    if (process_epoch() == 0) {
        return 0;
    }
    uint64_t secret = atomic_load_explicit(&page->secret, memory_order_acquire);
    if (secret == 0) {
        secret = draw_once(&page->secret);
    }
    /* The finaliser of SplitMix64: every bit of the input reaches every bit of the output. It only
     * has to make an accidental match unlikely; hostile code in the process is out of scope. */
    uint64_t mixed = value + secret;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    mixed ^= mixed >> 31;
    return mixed != 0 ? mixed : 1;
}

bool process_mute(sigset_t *ret_before)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS);
    return pthread_sigmask(SIG_SETMASK, &all, ret_before) == 0;
}

void process_unmute(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}
