/* SPDX-License-Identifier: MIT */
/*
 * A shim: a provider file that loads another one, proves it first, and guards its module. `miguard
 * wrap` makes it from a template; these two functions are what the template calls.
 *
 * There is no reason to call them by hand: a provider that can be compiled again calls
 * miguard_wrap_module(). They are declared for the template, and for a shim that is made otherwise.
 */
#ifndef MIGUARD_SHIM_H
#define MIGUARD_SHIM_H

#include <MI.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What `miguard wrap --check` finds in a file. The last byte is the format. */
#define MIGUARD_SHIM_MAGIC                                                                         \
    {                                                                                              \
        0x7f, 'm', 'i', 'g', 'u', 'a', 'r', 'd', '-', 's', 'h', 'i', 'm', '\r', '\n', 1            \
    }

/* What `miguard wrap` appends to the name of a provider whose place the shim takes. */
#define MIGUARD_SHIM_ASIDE ".unguarded"

enum {
    MIGUARD_SHIM_TEXT = 256,  /* bytes of a name, its NUL among them */
    MIGUARD_SHIM_PATH = 4096, /* the same of a path */
    MIGUARD_SHIM_HASH = 32    /* bytes of a SHA-256 */
};

/* What is written into a shim when it is made. Texts end with a NUL and are filled up with them.
 * The layout is that of the format for ever. */
struct miguard_shim {
    unsigned char magic[16];
    uint32_t size;                         /* sizeof(struct miguard_shim) */
    uint32_t owner;                        /* of the provider's file */
    uint32_t mode;                         /* its permissions, for a person who compares */
    uint32_t beside;                       /* 1: the shim took the provider's own place */
    unsigned char hash[MIGUARD_SHIM_HASH]; /* SHA-256 of the provider's file */
    char version[64];                      /* of miguard that made the shim */
    char provider[MIGUARD_SHIM_TEXT];      /* its name in policies and records */
    char path[MIGUARD_SHIM_PATH];          /* of the provider's file, absolute, without links */
};

/*
 * The MI_Main() of a shim. Proves the provider's file, maps it, calls its MI_Main() with server,
 * which may be NULL, and returns the wrapped module. *state is NULL before the first call and
 * belongs to the library afterwards.
 *
 * The proof: the file and each folder above it belong to root or to the effective user of the
 * process and cannot be written by others; the owner is the recorded one; the SHA-256 is the
 * recorded one; it is a shared object for this machine. Its code must leave the thread who it was.
 *
 * NULL: it is not loaded, and a line on standard error, one in the system's log and a record
 * (action module-load) say why.
 * Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED MI_Module *miguard_shim_main(const struct miguard_shim *shim,
                                                         void **state, MI_Server *server);

/* Unmaps the provider, when the shim is unmapped: from its destructor. At the end of the process it
 * does nothing, because threads of the provider may still run. */
MIGUARD_API void miguard_shim_end(void **state);

#ifdef __cplusplus
}
#endif

#endif
