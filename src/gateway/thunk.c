/* SPDX-License-Identifier: MIT */
/*
 * Functions that know a number, made at run time without making code.
 *
 * A page of the library's own text has a row of small functions, which differ in their place alone:
 * each takes what it calls, and the number, from the same place of the page behind it. The library
 * maps that page of its file again for each further row, with a page of data behind. So no memory
 * is ever both writable and executable, and none becomes executable that was written: it works
 * under PR_SET_MDWE (prctl(2)), MemoryDenyWriteExecute= and SELinux's execmem, where a library for
 * closures has to write code, or a file with code. Called by wrapped_load.c, where the functions
 * that are compiled in do not suffice.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/descriptor.h"
#include "gateway/wrapped.h"

/* ---- the page of code ------------------------------------------------------------------------ */

/* 16 bytes each. The last 64 bytes are where all of them go on: the arguments are moved up by one,
 * and what is called gets the number as the first. endbr64 and bti: with CET and BTI an indirect
 * call must meet one. */
#if defined(__x86_64__)
enum { PAGE = 4096, SIZE = 16, TAIL = 64 };
__asm__(".pushsection .text.miguard_thunks, \"ax\", @progbits\n"
        ".balign 4096\n"
        ".type thunk_page, @function\n"
        "thunk_page:\n"
        ".rept 252\n"
        "  endbr64\n"
        "  lea 4085(%rip), %r11\n" /* 4096 - 11: the same place of the next page */
        "  jmp thunk_tail\n"
        "  .balign 16, 0xcc\n"
        ".endr\n"
        "thunk_tail:\n"
        "  mov %rdx, %rcx\n"
        "  mov %rsi, %rdx\n"
        "  mov %rdi, %rsi\n"
        "  mov 8(%r11), %rdi\n"
        "  jmp *(%r11)\n"
        ".balign 4096, 0xcc\n"
        ".size thunk_page, . - thunk_page\n"
        ".popsection\n");
#elif defined(__aarch64__)
enum { PAGE = 65536, SIZE = 16, TAIL = 64 }; /* the largest page that a kernel may have */
__asm__(".pushsection .text.miguard_thunks, \"ax\", @progbits\n"
        ".balign 65536\n"
        ".type thunk_page, %function\n"
        "thunk_page:\n"
        ".rept 4092\n"
        "  hint #34\n" /* bti c */
        "  adr x16, . + 65532\n"
        "  b thunk_tail\n"
        "  nop\n"
        ".endr\n"
        "thunk_tail:\n"
        "  mov x3, x2\n"
        "  mov x2, x1\n"
        "  mov x1, x0\n"
        "  ldp x17, x0, [x16]\n"
        "  br x17\n"
        ".balign 65536\n"
        ".size thunk_page, . - thunk_page\n"
        ".popsection\n");
#else
#error "a row of thunks is needed for this processor"
#endif

extern const unsigned char thunk_page[PAGE] __attribute__((visibility("hidden")));

enum { THUNKS = (PAGE - TAIL) / SIZE };

/* What the page behind has in the place of each. */
struct thunk_data {
    thunk_function function;
    uintptr_t number;
};
_Static_assert(sizeof(struct thunk_data) == SIZE, "the places of both pages are the same");

/* ---- where the page is in the file -------------------------------------------------------------
 */

/* The object that has the page, and where in its file the page is. */
struct origin {
    const char *path;
    off_t offset;
};

static int look_for_page(struct dl_phdr_info *info, size_t size, void *data)
{
    struct origin *origin = data;
    uintptr_t page = (uintptr_t)thunk_page;
    (void)size;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && page >= start && page - start < part->p_filesz) {
            origin->offset = (off_t)(part->p_offset + (page - start));
            /* The program itself has no name here. */
            origin->path = info->dlpi_name != NULL && info->dlpi_name[0] != '\0' ? info->dlpi_name
                                                                                 : "/proc/self/exe";
            return 1;
        }
    }
    return 0;
}

/* The code of the file, which may have been replaced since: then it is no longer this page. */
static bool map_code(unsigned char *at, const struct origin *origin, const char **ret_why)
{
    int fd = descriptor_open(AT_FDCWD, origin->path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0) {
        *ret_why = "the file of the library cannot be opened";
        return false;
    }
    void *mapped =
        mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, origin->offset);
    (void)close(fd);
    if (mapped == MAP_FAILED) {
        *ret_why = "the file of the library cannot be mapped";
        return false;
    }
    if (memcmp(at, thunk_page, PAGE) != 0) {
        *ret_why = "the file of the library is another one than the library that runs";
        return false;
    }
    return true;
}

/* What each thunk of the row calls; from then on read-only. */
static bool fill_data(unsigned char *at, thunk_function function, uintptr_t first)
{
    struct thunk_data *data = (struct thunk_data *)(void *)at;

    for (unsigned i = 0; i < THUNKS; i++) {
        data[i] = (struct thunk_data){function, first + i};
    }
    return mprotect(at, PAGE, PROT_READ) == 0;
}

/* The code of a row, with its data behind, for the numbers from first on. */
static unsigned char *make_row(thunk_function function, uintptr_t first, const char **ret_why)
{
    struct origin origin = {0};
    unsigned char *both =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *ret_why = "there is no memory";
    if (both == MAP_FAILED) {
        return NULL;
    }
    bool filled = fill_data(both + PAGE, function, first);
    if (filled) {
        *ret_why = "the library is in no file";
    }
    if (!filled || dl_iterate_phdr(look_for_page, &origin) == 0 ||
        !map_code(both, &origin, ret_why)) {
        (void)munmap(both, 2 * PAGE);
        return NULL;
    }
    return both;
}

/* ---- thunks ------------------------------------------------------------------------------------
 */

/* False without memory. */
static bool make_room(struct thunks *thunks, size_t rows)
{
    size_t room = thunks->count * 2 > rows ? thunks->count * 2 : rows;
    unsigned char **grown = base_resize(thunks->rows, room, sizeof(*grown));

    if (grown != NULL) {
        memset(&grown[thunks->count], 0, (room - thunks->count) * sizeof(*grown));
        thunks->rows = grown;
        thunks->count = room;
    }
    return grown != NULL;
}

void *thunk_for(struct thunks *thunks, uintptr_t number, const char **ret_why)
{
    size_t row = number / THUNKS;

    if (row >= thunks->count && !make_room(thunks, row + 1)) {
        *ret_why = "there is no memory";
        return NULL;
    }
    if (thunks->rows[row] == NULL) {
        thunks->rows[row] = make_row(thunks->function, row * THUNKS, ret_why);
    }
    return thunks->rows[row] != NULL ? thunks->rows[row] + number % THUNKS * SIZE : NULL;
}
