/* SPDX-License-Identifier: MIT */
/*
 * The reader of dynamic symbols: what it finds in a real file, each way in which a file can be
 * malformed, and that no cut and no changed byte makes it read outside of the file (an exact
 * allocation, so that the sanitizers see it).
 */
#include "tools/module/elf_symbols.h"

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tools/module/module_file.h"

/* A whole file: header, four sections (none, symbols, names, none), five symbols, their names. */
struct small {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    Elf64_Sym symbols[6];
    char names[64];
};

#define NAMES "\0MI_Main\0setuid\0helper\0optional\0own"
enum { AT_MAIN = 1, AT_SETUID = 9, AT_HELPER = 16, AT_OPTIONAL = 23, AT_OWN = 32 };

#define INFO(bind, type) ELF64_ST_INFO(bind, type)

static struct small make_small(void)
{
    struct small small = {
        .header = {.e_type = ET_DYN,
                   .e_machine = elf_own_machine(),
                   .e_shoff = offsetof(struct small, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .sections = {[1] = {.sh_type = SHT_DYNSYM,
                            .sh_offset = offsetof(struct small, symbols),
                            .sh_size = sizeof(((struct small *)0)->symbols),
                            .sh_entsize = sizeof(Elf64_Sym),
                            .sh_link = 2},
                     [2] = {.sh_type = SHT_STRTAB,
                            .sh_offset = offsetof(struct small, names),
                            .sh_size = sizeof(((struct small *)0)->names)}},
        .symbols = {[1] = {.st_name = AT_MAIN,
                           .st_info = INFO(STB_GLOBAL, STT_FUNC),
                           .st_shndx = 9},
                    [2] = {.st_name = AT_SETUID, .st_info = INFO(STB_GLOBAL, STT_FUNC)},
                    [3] = {.st_name = AT_HELPER,
                           .st_info = INFO(STB_GLOBAL, STT_FUNC),
                           .st_other = STV_HIDDEN,
                           .st_shndx = 9},
                    [4] = {.st_name = AT_OPTIONAL, .st_info = INFO(STB_WEAK, STT_NOTYPE)},
                    [5] = {.st_name = AT_OWN, .st_info = INFO(STB_LOCAL, STT_FUNC), .st_shndx = 9}},
    };

    memcpy(small.header.e_ident, ELFMAG, SELFMAG);
    small.header.e_ident[EI_CLASS] = ELFCLASS64;
    small.header.e_ident[EI_DATA] = ELFDATA2LSB;
    memcpy(small.names, NAMES, sizeof(NAMES));
    return small;
}

/* From memory of exactly that size. The fault, or NULL. */
static const char *read_exactly(const void *bytes, size_t size, struct elf_symbols *ret_symbols)
{
    const char *fault = NULL;
    void *copy = malloc(size > 0 ? size : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    bool good = elf_symbols_read(copy, size, ret_symbols, &fault);
    ck_assert_int_eq(good, fault == NULL);
    for (size_t i = 0; good && i < ret_symbols->count; i++) {
        ck_assert_uint_gt(strlen(ret_symbols->list[i].name), 0);
    }
    free(copy);
    return fault;
}

START_TEST(what_a_file_offers_and_wants)
{
    const struct small small = make_small();
    struct elf_symbols symbols;
    const char *fault;

    ck_assert(elf_symbols_read(&small, sizeof(small), &symbols, &fault));
    ck_assert_uint_eq(symbols.count, 4); /* not the local one, nor the one without a name */
    ck_assert_uint_eq(symbols.machine, elf_own_machine());
    ck_assert_ptr_nonnull(elf_symbols_find(&symbols, "MI_Main", true));
    ck_assert_ptr_null(elf_symbols_find(&symbols, "MI_Main", false));
    ck_assert_ptr_nonnull(elf_symbols_find(&symbols, "setuid", false));
    ck_assert_ptr_null(elf_symbols_find(&symbols, "helper", true));
    ck_assert_ptr_null(elf_symbols_find(&symbols, "own", true));
    const struct elf_symbol *optional = elf_symbols_find(&symbols, "optional", false);
    ck_assert(optional != NULL && optional->weak && optional->type == STT_NOTYPE);
    elf_symbols_release(&symbols);
    ck_assert_uint_eq(symbols.count, 0);
}
END_TEST

/* The test itself, which exports what is public: a linker's work, not this file's. */
START_TEST(a_real_file)
{
    char problem[MODULE_FILE_PROBLEM];
    struct module_file file;
    struct elf_symbols symbols;
    const char *fault = "";

    ck_assert_msg(module_file_read("/proc/self/exe", &file, problem), "%s", problem);
    ck_assert_msg(elf_symbols_read(file.bytes, file.size, &symbols, &fault), "%s", fault);
    ck_assert_ptr_nonnull(elf_symbols_find(&symbols, "miguard_version", true));
    ck_assert_ptr_nonnull(elf_symbols_find(&symbols, "free", false));
    elf_symbols_release(&symbols);
    module_file_release(&file);
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
    char problem[MODULE_FILE_PROBLEM];
    struct module_file file;

    ck_assert(!module_file_read("/proc/self/none", &file, problem));
    ck_assert_ptr_nonnull(strstr(problem, "No such file"));
    ck_assert(!module_file_read("/", &file, problem));
    ck_assert_str_eq(problem, "it is no regular file");
    ck_assert(!module_file_read("/dev/null", &file, problem));
    ck_assert_str_eq(problem, "it is no regular file");
}
END_TEST

/* CHANGE is applied to a sound file. */
#define MALFORMED(X)                                                                               \
    X(small.header.e_ident[0] = 'M', "it is no ELF file")                                          \
    X(small.header.e_ident[EI_CLASS] = ELFCLASS32, "it is not for 64 bits")                        \
    X(small.header.e_ident[EI_DATA] = ELFDATA2MSB, "it is for another byte order")                 \
    X(small.header.e_type = ET_EXEC, "it is no shared object")                                     \
    X(small.header.e_type = ET_REL, "it is no shared object")                                      \
    X(small.header.e_shoff = 0, "it has no table of sections")                                     \
    X(small.header.e_shentsize = 1, "it has no table of sections")                                 \
    X(small.header.e_shoff = UINT64_MAX, "it has no dynamic symbols")                              \
    X(small.header.e_shoff = UINT64_MAX - 63, "it has no dynamic symbols")                         \
    X(small.header.e_shnum = 1, "it has no dynamic symbols")                                       \
    X(small.header.e_shnum = 0, "it has no dynamic symbols")                                       \
    X(small.sections[1].sh_type = SHT_SYMTAB, "it has no dynamic symbols")                         \
    X(small.sections[1].sh_entsize = 0, "the file is cut off in its symbols")                      \
    X(small.sections[1].sh_offset = UINT64_MAX, "the file is cut off in its symbols")              \
    X(small.sections[1].sh_size = UINT64_MAX, "the file is cut off in its symbols")                \
    X(small.sections[1].sh_link = 0, "the names of its symbols are not in the file")               \
    X(small.sections[1].sh_link = 99, "the names of its symbols are not in the file")              \
    X(small.sections[1].sh_link = UINT32_MAX, "the names of its symbols are not in the file")      \
    X(small.sections[2].sh_offset = sizeof(small), "the names of its symbols are not in the file") \
    X(small.sections[2].sh_size = UINT64_MAX, "the names of its symbols are not in the file")

START_TEST(each_malformation_is_named)
{
    struct elf_symbols symbols;
    const char *fault;

#define CHECK_MALFORMED(CHANGE, text)                                                              \
    {                                                                                              \
        struct small small = make_small();                                                         \
        CHANGE;                                                                                    \
        fault = read_exactly(&small, sizeof(small), &symbols);                                     \
        ck_assert_msg(fault != NULL && strcmp(fault, text) == 0, #CHANGE ": %s", fault);           \
    }
    MALFORMED(CHECK_MALFORMED)
#undef CHECK_MALFORMED
}
END_TEST

/* More sections than e_shnum holds: their number is in the first section. */
START_TEST(many_sections)
{
    struct small small = make_small();
    struct elf_symbols symbols;

    small.header.e_shnum = 0;
    small.sections[0].sh_size = 3;
    ck_assert_ptr_null(read_exactly(&small, sizeof(small), &symbols));
    elf_symbols_release(&symbols);
    small.sections[0].sh_size = UINT64_MAX;
    ck_assert_ptr_null(read_exactly(&small, sizeof(small), &symbols));
    elf_symbols_release(&symbols);
    small.sections[1].sh_link = UINT32_MAX;
    ck_assert_ptr_nonnull(read_exactly(&small, sizeof(small), &symbols));
}
END_TEST

/* A name that begins behind the table, or does not end in it, is no name. */
START_TEST(names_end_within_their_table)
{
    struct small small = make_small();
    struct elf_symbols symbols;

    small.symbols[1].st_name = sizeof(small.names);
    small.symbols[2].st_name = UINT32_MAX;
    ck_assert_ptr_null(read_exactly(&small, sizeof(small), &symbols));
    ck_assert_uint_eq(symbols.count, 2);
    elf_symbols_release(&symbols);

    small = make_small();
    memset(small.names, 'a', sizeof(small.names));
    ck_assert_ptr_null(read_exactly(&small, sizeof(small), &symbols));
    ck_assert_uint_eq(symbols.count, 0);
    elf_symbols_release(&symbols);
}
END_TEST

/* 65,536 changes and every cut. */
START_TEST(no_byte_leads_outside)
{
    struct elf_symbols symbols;

    for (size_t size = 0; size <= sizeof(struct small); size++) {
        const struct small small = make_small();
        if (read_exactly(&small, size, &symbols) == NULL) {
            ck_assert_uint_eq(size, sizeof(struct small));
            elf_symbols_release(&symbols);
        }
    }
    for (size_t at = 0; at < offsetof(struct small, names); at++) {
        for (unsigned value = 0; value < 256; value += 5) {
            struct small small = make_small();
            ((unsigned char *)&small)[at] = (unsigned char)value;
            if (read_exactly(&small, sizeof(small), &symbols) == NULL) {
                elf_symbols_release(&symbols);
            }
        }
    }
}
END_TEST

START_TEST(machines_have_names)
{
    char text[ELF_MACHINE_TEXT];

    ck_assert_str_eq(elf_machine_name(EM_X86_64, text), "x86-64");
    ck_assert_str_eq(elf_machine_name(EM_AARCH64, text), "aarch64");
    ck_assert_str_eq(elf_machine_name(UINT16_MAX, text), "machine 65535");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("elf_symbols");
    TCase *all = tcase_create("all");

    tcase_add_test(all, what_a_file_offers_and_wants);
    tcase_add_test(all, a_real_file);
    tcase_add_test(all, what_cannot_be_read_is_said);
    tcase_add_test(all, each_malformation_is_named);
    tcase_add_test(all, many_sections);
    tcase_add_test(all, names_end_within_their_table);
    tcase_add_test(all, no_byte_leads_outside);
    tcase_add_test(all, machines_have_names);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
