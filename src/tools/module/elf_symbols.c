/* SPDX-License-Identifier: MIT */
/*
 * The dynamic symbols of a shared object (elf(5)).
 *
 * elf_symbols_read() checks the header, finds the section of dynamic symbols and the one of their
 * names, and lists the symbols. Sections and not the segments are read: the linker writes the
 * number of symbols there, which a loader must work out from the hash table. strip(1) leaves these
 * sections.
 *
 * Own code and no library: this is all that the command needs of ELF, 100 lines, and they are
 * fuzzed (tests/fuzz/elf_fuzz.c).
 */
#include "tools/module/elf_symbols.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* The bytes of one file. Tables in them may lie at any address, so they are copied out. */
struct image {
    const unsigned char *bytes;
    size_t size;
};

static bool image_holds(const struct image *image, uint64_t offset, uint64_t length)
{
    return offset <= image->size && length <= image->size - offset;
}

/* False when the length bytes are not all there. */
static bool image_copy(const struct image *image, uint64_t offset, void *to, size_t length)
{
    if (!image_holds(image, offset, length)) {
        return false;
    }
    memcpy(to, image->bytes + offset, length);
    return true;
}

bool elf_is(const void *bytes, size_t size)
{
    return size >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

/* ---- the machine ----------------------------------------------------------------------------- */

uint16_t elf_own_machine(void)
{
#if defined(__x86_64__)
    return EM_X86_64;
#else
    return EM_AARCH64;
#endif
}

const char *elf_machine_name(uint16_t machine, char text[ELF_MACHINE_TEXT])
{
    static const struct {
        uint16_t machine;
        const char *name;
    } known[] = {
        {EM_X86_64, "x86-64"},    {EM_AARCH64, "aarch64"}, {EM_386, "x86, 32 bits"},
        {EM_ARM, "arm, 32 bits"}, {EM_PPC64, "ppc64"},     {EM_S390, "s390"},
        {EM_RISCV, "riscv"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].machine == machine) {
            return known[i].name;
        }
    }
    snprintf(text, ELF_MACHINE_TEXT, "machine %u", machine);
    return text;
}

/* ---- header and sections --------------------------------------------------------------------- */

/* NULL: it is a shared object whose tables this file can read. */
static const char *header_fault(const struct image *image, Elf64_Ehdr *header)
{
    const unsigned char own_order =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

    if (!elf_is(image->bytes, image->size)) {
        return "it is no ELF file";
    }
    if (!image_copy(image, 0, header, sizeof(*header))) {
        return "the file is cut off in its header";
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        return "it is not for 64 bits";
    }
    if (header->e_ident[EI_DATA] != own_order) {
        return "it is for another byte order";
    }
    if (header->e_type != ET_DYN) {
        return "it is no shared object";
    }
    if (header->e_shoff == 0 || header->e_shentsize != sizeof(Elf64_Shdr)) {
        return "it has no table of sections";
    }
    return NULL;
}

/* A file of more than 65,279 sections has their number in the first one (elf(5), e_shnum). */
static uint64_t count_sections(const struct image *image, const Elf64_Ehdr *header)
{
    Elf64_Shdr first;

    if (header->e_shnum != 0) {
        return header->e_shnum;
    }
    return image_copy(image, header->e_shoff, &first, sizeof(first)) ? first.sh_size : 0;
}

/* Section index of count; false where it is not there. */
static bool read_section(const struct image *image, const Elf64_Ehdr *header, uint64_t count,
                         uint64_t index, Elf64_Shdr *ret_section)
{
    /* Bounded by the size of the file, so that the product cannot wrap. */
    if (index >= count || index > image->size / sizeof(*ret_section)) {
        return false;
    }
    return header->e_shoff <= image->size &&
           image_copy(image, header->e_shoff + index * sizeof(*ret_section), ret_section,
                      sizeof(*ret_section));
}

/* The sections of the dynamic symbols and of their names, both wholly inside of the file. */
static const char *find_tables(const struct image *image, const Elf64_Ehdr *header,
                               Elf64_Shdr *symbols, Elf64_Shdr *names)
{
    uint64_t count = count_sections(image, header), index = 0;

    while (read_section(image, header, count, index, symbols) && symbols->sh_type != SHT_DYNSYM) {
        index++;
    }
    if (!read_section(image, header, count, index, symbols)) {
        return "it has no dynamic symbols";
    }
    if (symbols->sh_entsize != sizeof(Elf64_Sym) ||
        !image_holds(image, symbols->sh_offset, symbols->sh_size)) {
        return "the file is cut off in its symbols";
    }
    if (!read_section(image, header, count, symbols->sh_link, names) ||
        names->sh_type != SHT_STRTAB || !image_holds(image, names->sh_offset, names->sh_size)) {
        return "the names of its symbols are not in the file";
    }
    return NULL;
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* The name at this offset of the table of names, or NULL when it does not end within it. */
static const char *symbol_name(const struct image *image, const Elf64_Shdr *names, uint64_t offset)
{
    if (offset >= names->sh_size) {
        return NULL;
    }
    const char *name = (const char *)image->bytes + names->sh_offset + offset;
    return memchr(name, '\0', names->sh_size - offset) != NULL ? name : NULL;
}

/* False: the row has no name that can be looked up. */
static bool read_symbol(const struct image *image, const Elf64_Shdr *names, const Elf64_Sym *row,
                        struct elf_symbol *ret_symbol)
{
    const char *name = symbol_name(image, names, row->st_name);
    unsigned char visibility = ELF64_ST_VISIBILITY(row->st_other);

    if (name == NULL || name[0] == '\0' || ELF64_ST_BIND(row->st_info) == STB_LOCAL) {
        return false;
    }
    *ret_symbol = (struct elf_symbol){
        .name = name,
        .defined = row->st_shndx != SHN_UNDEF,
        .weak = ELF64_ST_BIND(row->st_info) == STB_WEAK,
        .hidden = visibility == STV_HIDDEN || visibility == STV_INTERNAL,
        .type = ELF64_ST_TYPE(row->st_info),
    };
    return true;
}

/* The allocation is bounded by the size of the file: each row is there. */
static const char *list_symbols(const struct image *image, const Elf64_Shdr *symbols,
                                const Elf64_Shdr *names, struct elf_symbols *ret_symbols)
{
    uint64_t rows = symbols->sh_size / sizeof(Elf64_Sym);
    struct elf_symbol *list = base_alloc(rows + 1, sizeof(*list));

    if (list == NULL) {
        return "out of memory";
    }
    ret_symbols->list = list;
    ret_symbols->count = 0;
    for (uint64_t i = 0; i < rows; i++) {
        Elf64_Sym row;
        if (image_copy(image, symbols->sh_offset + i * sizeof(row), &row, sizeof(row)) &&
            read_symbol(image, names, &row, &list[ret_symbols->count])) {
            ret_symbols->count++;
        }
    }
    return NULL;
}

bool elf_symbols_read(const void *bytes, size_t size, struct elf_symbols *ret_symbols,
                      const char **ret_fault)
{
    const struct image image = {bytes, size};
    Elf64_Shdr symbols, names;
    Elf64_Ehdr header;
    const char *fault = header_fault(&image, &header);

    if (fault == NULL) {
        fault = find_tables(&image, &header, &symbols, &names);
    }
    if (fault == NULL) {
        fault = list_symbols(&image, &symbols, &names, ret_symbols);
    }
    if (fault != NULL) {
        *ret_fault = fault;
        return false;
    }
    ret_symbols->machine = header.e_machine;
    return true;
}

const struct elf_symbol *elf_symbols_find(const struct elf_symbols *symbols, const char *name,
                                          bool defined)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const struct elf_symbol *symbol = &symbols->list[i];
        if (symbol->defined == defined && !symbol->hidden && strcmp(symbol->name, name) == 0) {
            return symbol;
        }
    }
    return NULL;
}

void elf_symbols_release(struct elf_symbols *symbols)
{
    base_free(symbols->list);
    *symbols = (struct elf_symbols){0};
}
