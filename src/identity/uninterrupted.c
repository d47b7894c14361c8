/* SPDX-License-Identifier: MIT */
/* How a fresh check knows that nothing tore it (uninterrupted.h). Called by check.c alone. */
#include "identity/uninterrupted.h"

#if defined(LACKS_RSEQ) || !defined(__LP64__)

void uninterrupted_begin(void)
{
}

bool uninterrupted_end(void)
{
    return false;
}

#else

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/rseq.h>

/* The kernel refuses a description, and ends the process, unless the word before abort_ip is the
 * signature that was registered. It is data here: the sequence is empty, so nothing continues at
 * abort_ip. The description is never unmapped while rseq_cs points to it: it does so only within
 * a check, and a handler that leaves the check by longjmp(3) is a delivered signal. */
static const struct {
    struct rseq_cs empty;
    uint32_t signature;
    uint32_t behind_signature;
} sequence = {
    .empty = {.abort_ip = (uintptr_t)&sequence.behind_signature},
    .signature = RSEQ_SIG,
};

static struct rseq *area(void)
{
#if defined(__x86_64__)
    char *thread;
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
    char *thread = __builtin_thread_pointer();
#endif
    return (struct rseq *)(void *)(thread + __rseq_offset);
}

/* A negative number is the C library's: registration failed, or was answered by a filter and not by
 * the kernel, which writes the processor's number. */
static bool is_registered(const struct rseq *rseq)
{
    return (int32_t) * (const volatile uint32_t *)&rseq->cpu_id >= 0;
}

static volatile uint64_t *pointer(struct rseq *rseq)
{
    return (volatile uint64_t *)&rseq->rseq_cs;
}

void uninterrupted_begin(void)
{
    if (__rseq_size != 0 && is_registered(area())) {
        *pointer(area()) = (uintptr_t)&sequence.empty;
        atomic_signal_fence(memory_order_seq_cst);
    }
}

bool uninterrupted_end(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (__rseq_size == 0 || *pointer(area()) != (uintptr_t)&sequence.empty) {
        return false;
    }
    *pointer(area()) = 0;
    return true;
}

#endif
