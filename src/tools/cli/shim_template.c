/* SPDX-License-Identifier: MIT */
/*
 * The template of a shim, as the build made it, inside of the command: a copy on disk could be of
 * another version, or another's.
 */
#include "tools/cli/shim_template.h"

#include <stdint.h>

#ifndef SHIM_TEMPLATE /* the Makefile has the place */
#define SHIM_TEMPLATE "build/shim-template.so"
#endif

__asm__(".section .rodata.shim_template,\"a\"\n"
        ".balign 16\n"
        ".globl shim_template_begin\n"
        ".hidden shim_template_begin\n"
        "shim_template_begin:\n"
        ".incbin \"" SHIM_TEMPLATE "\"\n"
        ".Lshim_template_end:\n"
        ".balign 8\n"
        ".globl shim_template_size\n"
        ".hidden shim_template_size\n"
        "shim_template_size:\n"
        ".quad .Lshim_template_end - shim_template_begin\n"
        ".previous\n");

extern const unsigned char shim_template_begin[];
extern const uint64_t shim_template_size;

const unsigned char *shim_template(size_t *ret_size)
{
    *ret_size = (size_t)shim_template_size;
    return shim_template_begin;
}
