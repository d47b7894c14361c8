/* SPDX-License-Identifier: MIT */
/*
 * One guard per process. Each copy of the library (the shared one, the archive in a program or in a
 * plug-in, another version) has its own levels, its own gate and its own handler. Two of them would
 * treat each other's switches as strays. The copy that is used first stays in use; every other one
 * refuses.
 *
 * A copy is recognised by its ELF note, which the kernel and the dynamic linker load with it.
 * Copies in other namespaces of the dynamic linker (dlmopen(3)) are not seen.
 */
#ifndef SWITCH_COPY_H
#define SWITCH_COPY_H

#include "miguard/status.h"

/*
 * Called before the first key, handler, thread or change: claims the process for this copy, and
 * pins the copy in memory, since what it leaves in the process points into it. Cheap when done
 * before. Errors: BAD_STATE (another copy is in use), NOT_SUPPORTED (cannot be pinned). Thread
 * safe.
 */
MIGUARD_CHECKED enum miguard_status copy_claim(struct miguard_error *reterr);

#endif
