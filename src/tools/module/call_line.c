/* SPDX-License-Identifier: MIT */
/*
 * Finds function and line of a call site (call_line.h): call_line_find() starts the child and reads
 * its answer, answer_from() is the child.
 *
 * elfutils' libdw reads the file. It is loaded by the child alone, so that the command starts
 * without it, and before the child gives up what it can do.
 */
#include "tools/module/call_line.h"

#ifdef HAVE_LIBDW

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child's seconds of processor, and those that it may take in all; bytes of memory and of a
 * file: large ones with debug information have some hundred MiB. */
enum { SECONDS = 5, PATIENCE = 10, UNPRIVILEGED = 65534 };
#define MEMORY_MAX ((rlim_t)3 << 30)
#define FILE_MAX   ((off_t)1 << 30)

/* What is asked for (call_line.h). */
struct place {
    const char *module;
    uint64_t offset, build;
    int64_t recorded;
};

/* ---- in the child --------------------------------------------------------------------------- */

/* Each function of libdw that is used, by the prototype of its header. */
#define DW_FUNCTIONS(X)                                                                            \
    X(dwfl_begin)                                                                                  \
    X(dwfl_report_offline)                                                                         \
    X(dwfl_report_end)                                                                             \
    X(dwfl_module_build_id)                                                                        \
    X(dwfl_module_getelf)                                                                          \
    X(dwfl_module_addrname)                                                                        \
    X(dwfl_module_getsrc)                                                                          \
    X(dwfl_lineinfo)                                                                               \
    X(dwfl_offline_section_address)

static struct {
#define DW_MEMBER(name) __typeof__(&name) name;
    DW_FUNCTIONS(DW_MEMBER)
} dw;

static bool load_libdw(void)
{
    void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) {
        return false;
    }
#define DW_FIND(name)                                                                              \
    *(void **)&dw.name = dlsym(library, #name);                                                    \
    if (dw.name == NULL) {                                                                         \
        return false;                                                                              \
    }
    DW_FUNCTIONS(DW_FIND)
    return true;
}

/* What is in the file itself is used, and nothing is looked for elsewhere. */
static int no_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                   char **ret_name, Elf **ret_elf)
{
    (void)module, (void)data, (void)name, (void)base, (void)ret_name, (void)ret_elf;
    return -1;
}

static int no_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                         const char *path, const char *link, GElf_Word sum, char **ret_name)
{
    (void)module, (void)data, (void)name, (void)base, (void)path, (void)link, (void)sum;
    (void)ret_name;
    return -1;
}

/* A pipe or a device would make the reader wait. Who replaces a file or writes to it changes its
 * ctime. */
static bool is_readable(const struct stat *status, const struct place *place)
{
    return S_ISREG(status->st_mode) && status->st_size <= FILE_MAX &&
           (place->build != 0 || status->st_ctim.tv_sec < place->recorded);
}

static int open_module(const struct place *place)
{
    struct stat status;
    int fd = open(place->module, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0 && (fstat(fd, &status) != 0 || !is_readable(&status, place))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool limit(__rlimit_resource_t what, rlim_t most)
{
    return setrlimit(what, &(struct rlimit){most, most}) == 0;
}

static bool give_up_privileges(void)
{
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) != 0 ||
         setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) != 0)) {
        return false;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CPU, SECONDS) &&
           limit(RLIMIT_AS, MEMORY_MAX) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0);
}

/* No file is opened any more, no other process is seen, and no memory becomes code. */
static bool filter_calls(void)
{
    static const int calls[] = {
        SCMP_SYS(read),       SCMP_SYS(pread64),   SCMP_SYS(lseek),         SCMP_SYS(fstat),
        SCMP_SYS(newfstatat), SCMP_SYS(fcntl),     SCMP_SYS(write),         SCMP_SYS(close),
        SCMP_SYS(munmap),     SCMP_SYS(mremap),    SCMP_SYS(brk),           SCMP_SYS(madvise),
        SCMP_SYS(futex),      SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(exit),
        SCMP_SYS(exit_group), SCMP_SYS(prlimit64),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

    if (filter == NULL) {
        return false;
    }
    int failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);
    failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i], 0, NULL);
    }
    return failed == 0 && seccomp_load(filter) == 0;
}

static bool has_build(Dwfl_Module *module, uint64_t build)
{
    const unsigned char *bits;
    GElf_Addr address;
    uint64_t begin;

    if (dw.dwfl_module_build_id(module, &bits, &address) < (int)sizeof(begin)) {
        return false;
    }
    memcpy(&begin, bits, sizeof(begin));
    return be64toh(begin) == build;
}

static Dwfl_Module *read_module(int fd)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = no_file, .find_debuginfo = no_debug_file};
    static Dwfl_Callbacks used;

    used = callbacks;
    used.section_address = dw.dwfl_offline_section_address;
    Dwfl *session = dw.dwfl_begin(&used);
    Dwfl_Module *module =
        session != NULL ? dw.dwfl_report_offline(session, "module", "module", fd) : NULL;
    return module != NULL && dw.dwfl_report_end(session, NULL, NULL) == 0 ? module : NULL;
}

/* The record has the address behind the call, which may be another line's or function's already. */
static void describe(Dwfl_Module *module, uint64_t offset, char *text, size_t size)
{
    GElf_Addr bias = 0;
    int line = 0;

    text[0] = '\0';
    if (dw.dwfl_module_getelf(module, &bias) == NULL) {
        return;
    }
    const GElf_Addr address = bias + offset - 1;
    const char *function = dw.dwfl_module_addrname(module, address);
    Dwfl_Line *source = dw.dwfl_module_getsrc(module, address);
    const char *file =
        source != NULL ? dw.dwfl_lineinfo(source, NULL, &line, NULL, NULL, NULL) : NULL;
    int length = snprintf(text, size, "%s", function != NULL ? function : "");
    if (file != NULL && length >= 0 && (size_t)length < size) {
        (void)snprintf(text + length, size - (size_t)length, "%s%s:%d", length > 0 ? " at " : "",
                       file, line);
    }
}

/* The child: ends without a word where it cannot say, or cannot be confined. */
static void answer_from(const struct place *place, int answer)
{
    char text[CALL_LINE_SIZE];
    int fd = open_module(place);

    if (fd < 0 || !load_libdw() || !give_up_privileges() || !filter_calls()) {
        return;
    }
    Dwfl_Module *module = read_module(fd);
    if (module != NULL && (place->build == 0 || has_build(module, place->build))) {
        describe(module, place->offset, text, sizeof(text));
        (void)!write(answer, text, strlen(text));
    }
}

/* ---- in the command ------------------------------------------------------------------------- */

static int64_t seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* What the child writes until it ends, in time. */
static size_t read_answer(int fd, char *text, size_t size)
{
    const int64_t end = seconds_now() + PATIENCE;
    size_t length = 0;

    for (int64_t left; length < size && (left = end - seconds_now()) > 0;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (poll(&waiting, 1, (int)left * 1000) <= 0) {
            continue;
        }
        ssize_t got = read(fd, text + length, size - length);
        if (got <= 0) {
            return length;
        }
        length += (size_t)got;
    }
    return 0;
}

bool call_line_find(const char *module, uint64_t offset, uint64_t build, int64_t recorded,
                    char text[CALL_LINE_SIZE])
{
    const struct place place = {module, offset, build, recorded};
    int ends[2], status;

    if (module[0] != '/' || offset == 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        answer_from(&place, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    size_t length = child > 0 ? read_answer(ends[0], text, CALL_LINE_SIZE - 1) : 0;
    (void)close(ends[0]);
    text[length] = '\0';
    if (child > 0) {
        (void)kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    return length > 0;
}

#else

bool call_line_find(const char *module, uint64_t offset, uint64_t build, int64_t recorded,
                    char text[CALL_LINE_SIZE])
{
    (void)module, (void)offset, (void)build, (void)recorded, (void)text;
    return false;
}

#endif
