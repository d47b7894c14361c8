/* SPDX-License-Identifier: MIT */
/* Compiles where the C library registers restartable sequences, see rseq(2): glibc since 2.35. */
#include <sys/rseq.h>

long probe(void);

long probe(void)
{
    return __rseq_offset + (long)__rseq_size;
}
