/* SPDX-License-Identifier: MIT */
#ifndef SHIM_MAPPING_H
#define SHIM_MAPPING_H

#include <stdbool.h>

/* Whether the memory at address is a mapping of the file that fd is open for, by the kernel's names
 * of both. False, too, where /proc cannot be read. */
bool mapping_is_of(const void *address, int fd);

#endif
