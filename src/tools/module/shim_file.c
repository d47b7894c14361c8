/* SPDX-License-Identifier: MIT */
/*
 * Finds and writes the settings of a shim.
 *
 * A shim is a library with an MI_Main that wants miguard_shim_main; its settings begin with a magic
 * (find_settings). The template is one whose settings are empty.
 */
#include "tools/module/shim_file.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "shim/proof.h"
#include "tools/module/elf_symbols.h"

static const unsigned char magic[] = MIGUARD_SHIM_MAGIC;

_Static_assert(sizeof(magic) == sizeof(((struct miguard_shim *)0)->magic), "the magic");

/* Where the settings begin, or size: there is no room for any behind a magic. */
static size_t find_settings(const unsigned char *bytes, size_t size)
{
    const unsigned char *found = size > 0 ? memmem(bytes, size, magic, sizeof(magic)) : NULL;
    size_t at = found != NULL ? (size_t)(found - bytes) : size;

    return size - at >= sizeof(struct miguard_shim) ? at : size;
}

static bool same_code(const unsigned char *bytes, size_t size, size_t at,
                      const struct shim_template *own)
{
    size_t behind = at + sizeof(struct miguard_shim);

    return size == own->size && find_settings(own->bytes, own->size) == at &&
           memcmp(bytes, own->bytes, at) == 0 &&
           memcmp(bytes + behind, own->bytes + behind, size - behind) == 0;
}

static void say_problem(struct shim_examined *examined, enum shim_kind kind, const char *text)
{
    examined->kind = kind;
    snprintf(examined->problem, sizeof(examined->problem), "%s", text);
}

/* The settings may lie at any address. */
static void read_settings(const unsigned char *bytes, size_t size, const struct shim_template *own,
                          struct shim_examined *examined)
{
    size_t at = find_settings(bytes, size);

    if (at == size) {
        say_problem(examined, SHIM_KIND_DAMAGED, "it is a shim without settings of this format");
        return;
    }
    memcpy(&examined->shim, bytes + at, sizeof(examined->shim));
    if (!proof_settings_sound(&examined->shim, sizeof(examined->shim))) {
        say_problem(examined, SHIM_KIND_DAMAGED, "it is a shim whose settings are not whole");
        return;
    }
    examined->kind = SHIM_KIND_SHIM;
    examined->same_build = same_code(bytes, size, at, own);
}

void shim_examine_bytes(const unsigned char *bytes, size_t size, const struct shim_template *own,
                        struct shim_examined *ret_examined)
{
    struct elf_symbols symbols;
    const char *fault;

    memset(ret_examined, 0, sizeof(*ret_examined));
    if (!elf_symbols_read(bytes, size, &symbols, &fault)) {
        say_problem(ret_examined, SHIM_KIND_OTHER, fault);
        return;
    }
    if (elf_symbols_find(&symbols, "MI_Main", true) == NULL) {
        say_problem(ret_examined, SHIM_KIND_OTHER, "it has no MI_Main");
    } else if (elf_symbols_find(&symbols, "miguard_shim_main", false) != NULL) {
        read_settings(bytes, size, own, ret_examined);
    } else {
        ret_examined->kind = SHIM_KIND_PROVIDER;
    }
    elf_symbols_release(&symbols);
}

void shim_examine(const char *path, const struct shim_template *own,
                  struct shim_examined *ret_examined)
{
    struct module_file file;
    char problem[MODULE_FILE_PROBLEM];

    if (!module_file_read(path, &file, problem)) {
        memset(ret_examined, 0, sizeof(*ret_examined));
        say_problem(ret_examined, SHIM_KIND_UNREADABLE, problem);
        return;
    }
    shim_examine_bytes(file.bytes, file.size, own, ret_examined);
    module_file_release(&file);
}

unsigned char *shim_make(const struct shim_template *own, const struct miguard_shim *shim)
{
    size_t at = find_settings(own->bytes, own->size);
    unsigned char *bytes = at < own->size ? base_alloc(own->size, 1) : NULL;

    if (bytes != NULL) {
        memcpy(bytes, own->bytes, own->size);
        memcpy(bytes + at, shim, sizeof(*shim));
    }
    return bytes;
}
