/* SPDX-License-Identifier: MIT */
/* Limits of the process that would raise a signal in it. */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a file may be as long as this. A write(2) or fallocate(2) beyond RLIMIT_FSIZE brings
 * SIGXFSZ, which kills; a file in memory (memfd_create(2)) is no exception. False and EFBIG. What
 * is lowered afterwards is met by the functions of write.h. */
bool limit_allows_file(uint64_t size);

#endif
