/* SPDX-License-Identifier: MIT */
/* Compiles where the C library has strerrordesc_np(3): glibc since 2.32. */
#include <string.h>

const char *probe(int error);

const char *probe(int error)
{
    return strerrordesc_np(error);
}
