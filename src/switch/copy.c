/* SPDX-License-Identifier: MIT */
/* Finds another copy of the library in the process (copy.h). Called before the library first
 * changes the process. */
#include "switch/copy.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/pin.h"
#include "base/process.h"
#include "miguard/guard.h"

/* The note points to this. Other versions read it: members are only added at the end. */
struct copy {
    char version[32];
    atomic_uint claimed; /* the number of threads that have claimed it; 0: not in use */
};

struct copy copy_self __attribute__((visibility("hidden"))) = {.version = MIGUARD_VERSION};

/* The note holds the relative distance, so that it needs no relocation. */
enum { NOTE_TYPE = 1 };

__asm__(".pushsection .note.miguard, \"a\", %note\n"
        ".balign 4\n"
        ".long 8, 8, 1\n" /* sizes of name and content, NOTE_TYPE */
        ".asciz \"miguard\"\n"
        ".quad copy_self - .\n"
        ".popsection\n");

/* The note as the assembly above lays it out. packed: notes are aligned to 4 bytes, the distance is
 * not to 8. */
struct note {
    ElfW(Nhdr) header;
    char name[8];
    int64_t distance;
} __attribute__((packed));

/* What dl_iterate_phdr(3) is given: the other copy in use that was found, and the file it is in; ""
 * for the program itself. */
struct search {
    const struct copy *found;
    char path[256];
};

/* The copy that the notes in this memory name, or NULL. Notes of other programs are skipped by
 * their sizes, and a note that claims to reach beyond the end stops the search. */
static const struct copy *copy_in(uintptr_t at, uintptr_t end)
{
    while (end - at >= sizeof(struct note)) {
        const struct note *note = (const struct note *)at;
        const ElfW(Nhdr) header = note->header;
        if (header.n_type == NOTE_TYPE && header.n_namesz == 8 && header.n_descsz == 8 &&
            memcmp(note->name, "miguard", 8) == 0) {
            return (const struct copy *)((uintptr_t)&note->distance + (uintptr_t)note->distance);
        }
        at += sizeof(header) + ((header.n_namesz + 3U) & ~3U) + ((header.n_descsz + 3U) & ~3U);
        if (at > end) {
            break;
        }
    }
    return NULL;
}

/* For dl_iterate_phdr(3): one loaded object; not 0 ends the iteration. Notes with an alignment of 8
 * have another layout and are never ours. */
static int look_into_object(struct dl_phdr_info *object, size_t size, void *argument)
{
    struct search *search = argument;

    (void)size;
    for (unsigned i = 0; i < object->dlpi_phnum && search->found == NULL; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE || segment->p_align > 4) {
            continue;
        }
        uintptr_t at = object->dlpi_addr + segment->p_vaddr;
        const struct copy *copy = copy_in(at, at + segment->p_memsz);
        if (copy != NULL && copy != &copy_self && atomic_load(&copy->claimed) != 0) {
            search->found = copy;
            snprintf(search->path, sizeof(search->path), "%s", object->dlpi_name);
        }
    }
    return search->found != NULL;
}

/* Claims first and searches then: of two copies at the same time at least one sees the other. */
enum miguard_status copy_claim(struct miguard_error *reterr)
{
    static atomic_bool done;
    struct search search = {.found = NULL};

    if (process_is_stuck()) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "copy", PROCESS_STUCK);
    }
    if (atomic_load_explicit(&done, memory_order_acquire)) {
        return MIGUARD_OK;
    }
    atomic_fetch_add(&copy_self.claimed, 1);
    (void)dl_iterate_phdr(look_into_object, &search);
    if (search.found != NULL) {
        atomic_fetch_sub(&copy_self.claimed, 1);
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "copy",
                         "another copy of miguard (%.31s, %s) is in use in this process",
                         search.found->version,
                         search.path[0] != '\0' ? search.path : "in the program");
    }
    if (!pin_in_memory()) {
        atomic_fetch_sub(&copy_self.claimed, 1);
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "copy",
                         "this copy cannot be kept from being unloaded");
    }
    atomic_store_explicit(&done, true, memory_order_release);
    return MIGUARD_OK;
}
