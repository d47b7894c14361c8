/* SPDX-License-Identifier: MIT */
/*
 * Which functions a library offers and which it wants, read from its file: none of its code runs.
 *
 * The file is input from outside. Every offset and size in it is checked against the bytes that are
 * there before anything is read at it.
 */
#ifndef TOOLS_MODULE_ELF_SYMBOLS_H
#define TOOLS_MODULE_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row of the dynamic symbol table that has a name and is not local to the file. */
struct elf_symbol {
    const char *name;   /* in the bytes that were read, ended with NUL */
    bool defined;       /* the library offers it; else it wants it */
    bool weak;          /* wanted weakly: the library loads without it */
    bool hidden;        /* dlsym(3) does not find it */
    unsigned char type; /* STT_FUNC, STT_OBJECT, ... of elf.h */
};

/* What is known of a file. The symbols are borrowed from its bytes. */
struct elf_symbols {
    struct elf_symbol *list; /* in the order of the file */
    size_t count;
    uint16_t machine; /* EM_X86_64, ... of elf.h */
};

/* Whether the bytes begin like an ELF file; whatever else may be wrong with them. */
bool elf_is(const void *bytes, size_t size);

/*
 * Reads the dynamic symbols of a shared object of 64 bits in this machine's byte order; that it is
 * for this machine (machine) is for the caller to compare. bytes must stay as they are while
 * *ret_symbols is in use. False: *ret_fault says in a few words why, static; nothing is to be
 * released. A file without dynamic symbols is refused.
 */
bool elf_symbols_read(const void *bytes, size_t size, struct elf_symbols *ret_symbols,
                      const char **ret_fault);

/* The symbol of this name that is defined (or wanted) and can be found by dlsym(3), or NULL. */
const struct elf_symbol *elf_symbols_find(const struct elf_symbols *symbols, const char *name,
                                          bool defined);

/* Frees the list; {0} is allowed. */
void elf_symbols_release(struct elf_symbols *symbols);

/* The machine of this build, EM_X86_64 or EM_AARCH64, and the name of any machine for a message:
 * "x86-64", or "machine 243" in text. */
enum { ELF_MACHINE_TEXT = 24 };
uint16_t elf_own_machine(void);
const char *elf_machine_name(uint16_t machine, char text[ELF_MACHINE_TEXT]);

#endif
