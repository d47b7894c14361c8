/* SPDX-License-Identifier: MIT */
/* Limits of the process that would raise a signal in it. */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a file may have this length. A write(2) or fallocate(2) beyond RLIMIT_FSIZE raises
 * SIGXFSZ, which kills; this holds for a file in memory (memfd_create(2)), too. False sets EFBIG. A
 * limit that is lowered afterwards is handled by the functions of write.h. */
bool limit_allows_file(uint64_t size);

#endif
