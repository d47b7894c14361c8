/* SPDX-License-Identifier: MIT */
/*
 * What a file is to `miguard wrap`: a provider, a shim with its settings, or something else; and
 * the bytes of a new shim.
 */
#ifndef TOOLS_MODULE_SHIM_FILE_H
#define TOOLS_MODULE_SHIM_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "miguard/shim.h"
#include "tools/module/module_file.h"

enum shim_kind {
    SHIM_KIND_UNREADABLE, /* it cannot be read */
    SHIM_KIND_OTHER,      /* no library, or one without MI_Main */
    SHIM_KIND_PROVIDER,   /* it has an MI_Main, and is no shim */
    SHIM_KIND_SHIM,       /* a shim with its settings */
    SHIM_KIND_DAMAGED,    /* a shim whose settings are of another format, or not whole */
};

struct shim_examined {
    enum shim_kind kind;
    struct miguard_shim shim;          /* of SHIM */
    bool same_build;                   /* of SHIM: its code is that of the template given */
    char problem[MODULE_FILE_PROBLEM]; /* why it is UNREADABLE, OTHER or DAMAGED */
};

/* A template of a shim (src/shim/template), borrowed. */
struct shim_template {
    const unsigned char *bytes;
    size_t size;
};

/* Looks at the bytes of a file. Its symbols and settings are input from outside. */
void shim_examine_bytes(const unsigned char *bytes, size_t size, const struct shim_template *own,
                        struct shim_examined *ret_examined);

/* The same for a file, of which no code is run. */
void shim_examine(const char *path, const struct shim_template *own,
                  struct shim_examined *ret_examined);

/* A copy of the template with these settings, of the size of the template; freed by base_free().
 * NULL: out of memory, or it is no template. */
unsigned char *shim_make(const struct shim_template *own, const struct miguard_shim *shim);

#endif
