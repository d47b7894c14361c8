/* SPDX-License-Identifier: MIT */
/* Compiles where the C library says whether the process has one thread: glibc since 2.32. */
#include <sys/single_threaded.h>

char probe(void);

char probe(void)
{
    return __libc_single_threaded;
}
