/* SPDX-License-Identifier: MIT */
/*
 * The template of a shim. The command holds it in itself; `miguard wrap` writes a copy with the
 * settings filled in.
 *
 * It has no code of its own, so that a mended library mends every shim. It has no SONAME: a loader
 * takes two libraries of one SONAME for the same one, and a process has several shims.
 */
#include "miguard/shim.h"

/* In a section of its own, and found by its magic, which strip(1) and a linker leave alone. */
static const struct miguard_shim settings
    __attribute__((section(".miguard.shim"), used, aligned(16))) = {.magic = MIGUARD_SHIM_MAGIC,
                                                                    .size = sizeof(settings)};

static void *state;

MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    return miguard_shim_main(&settings, &state, server);
}

/* As the host unmaps the shim. */
__attribute__((destructor)) static void end_shim(void)
{
    miguard_shim_end(&state);
}
