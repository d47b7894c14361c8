/* SPDX-License-Identifier: MIT */
/*
 * Operations that call libraries which do not survive that their memory runs out, in a process that
 * has hardly any left: a child takes all that its limit of address space gives, gives some of it
 * back, in one piece or in many, and makes the call. It succeeds or says that memory is out.
 * libseccomp 2.5.4, which makes the gate's filter, follows null pointers, frees twice, or never
 * ends; glibc 2.36 fails an assertion when it reads nsswitch.conf(5), and follows a null pointer.
 * Then the reserve that is taken for both (base/reserve.h): what is free behind it is the
 * process's, whatever others take meanwhile.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/reserve.h"
#include "identity/directory.h"
#include "miguard/gate.h"
#include "support/lacks.h"
#include "support/raw.h"

enum { DONE = 1, NO_MEMORY = 2, WRONG = 3, CHILD_SECONDS = 60 };
enum { KIB = 1024, STACK = 512 * KIB, LARGEST = 256, FAR = 4096 };

/* How the program has set the C library's allocator, and which of its arenas is used. */
enum setting { PLAIN, THRESHOLDS, TRIMMED, ON_THREAD, SETTINGS };

static const char *const setting_names[] = {"", ", mmap threshold of 32 KiB",
                                            ", all that is free is trimmed", ", on a thread"};

enum subject { GATE, DIRECTORY, RESERVE, SUBJECTS };

static const char *const subject_names[] = {"gate", "directory", "reserve"};

struct row {
    size_t kib;   /* given back */
    size_t piece; /* in pieces of that size, between which there is memory in use; 0: in one */
    enum setting setting;
    bool unprivileged; /* the filter is made twice, and a thread loads it first */
    enum subject subject;
};

static int passed, failed, done, refused;

/* ---- a process without memory ---------------------------------------------------------------- */

static rlim_t mapped(void)
{
    char text[64] = "";
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL || fgets(text, sizeof(text), file) == NULL) {
        _exit(WRONG);
    }
    fclose(file);
    return (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Stays mapped: a stack that cannot grow is SIGSEGV, whatever the program does. */
static __attribute__((noinline)) void use_stack(void)
{
    volatile char room[STACK];

    for (size_t i = 0; i < sizeof(room); i += 512) {
        room[i] = 1;
    }
}

/* A chain, so that what is taken needs no list. */
static void take_all(void)
{
    static void *volatile last;

    for (size_t size = 1024 * KIB; size >= sizeof(void *); size /= 2) {
        for (void *block; (block = malloc(size)) != NULL;) {
            *(void **)block = last;
            last = block;
        }
    }
}

enum { MOST = LARGEST * KIB / 64 };

struct given {
    void *volatile given[MOST], *volatile between[MOST];
    size_t count;
};

static void take_pieces(const struct row *row, struct given *given)
{
    const size_t size = row->piece == 0 ? row->kib * KIB : row->piece;

    given->count = row->kib * KIB / (size == 0 ? 1 : size);
    for (size_t i = 0; i < given->count; i++) {
        given->given[i] = malloc(size);
        given->between[i] = row->piece == 0 ? NULL : malloc(16);
    }
}

static void limit_memory(void)
{
    const rlim_t now = mapped();
    const struct rlimit limit = {now, now};

    if (setrlimit(RLIMIT_AS, &limit) != 0) {
        _exit(WRONG);
    }
}

static _Noreturn void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {.status = MIGUARD_OK};

    options.scope = MIGUARD_GATE_THREAD;
    options.deny_io_uring = 1;
    const enum miguard_status status = miguard_gate_close(&options, &error);
    const bool refuses = syscall(SYS_setresuid, -1, -1, -1) == -1 && errno == EPERM;
    if (error.status != status || refuses != (status == MIGUARD_OK) ||
        (miguard_gate_state().scope == MIGUARD_GATE_THREAD) != refuses) {
        _exit(WRONG);
    }
    _exit(status == MIGUARD_OK ? DONE : status == MIGUARD_NO_MEMORY ? NO_MEMORY : WRONG);
}

/* The first question of the process, for which nsswitch.conf(5) is read. */
static _Noreturn void ask_directory(void)
{
    struct directory_entry entry = {0};
    const enum directory_result result =
        directory_by_id(DIRECTORY_GROUP, 0, DIRECTORY_FOREVER, &entry);

    _exit(result == DIRECTORY_FOUND || result == DIRECTORY_NONE         ? DONE
          : result == DIRECTORY_NO_MEMORY || result == DIRECTORY_FAILED ? NO_MEMORY
                                                                        : WRONG);
}

/* As much and in as small blocks as libseccomp does, while no more can be had than there is. */
static _Noreturn void use_reserve(void)
{
    struct reserve reserve;
    size_t used = 0;

    if (!reserve_take(&reserve)) {
        _exit(NO_MEMORY);
    }
    limit_memory();
    for (size_t size = 16; used < 90 * KIB; size = size < 1024 ? size + 48 : 16) {
        void *volatile block = malloc(size);
        if (block == NULL) {
            _exit(WRONG);
        }
        used += size;
    }
    reserve_end(&reserve);
    _exit(DONE);
}

/* The thread has been started before, and so has an arena of its own. */
static void *with_little(void *argument)
{
    static struct given given;
    const struct row *row = argument;

    use_stack();
    take_pieces(row, &given);
    limit_memory();
    take_all();
    for (size_t i = 0; i < given.count; i++) {
        free(given.given[i]);
    }
    switch (row->subject) {
    case GATE:
        close_gate();
    case DIRECTORY:
        ask_directory();
    default:
        use_reserve();
    }
}

static _Noreturn void run(struct row *row)
{
    pthread_t thread;

    (void)alarm(CHILD_SECONDS);
    if (row->unprivileged && !raw_become(12345, 12345)) {
        _exit(WRONG);
    }
    if (row->setting == THRESHOLDS) {
        (void)mallopt(M_MMAP_THRESHOLD, 32 * KIB);
    } else if (row->setting == TRIMMED) {
        (void)mallopt(M_TOP_PAD, 0);
        (void)mallopt(M_TRIM_THRESHOLD, 0);
    } else if (row->setting == ON_THREAD) {
        (void)pthread_create(&thread, NULL, with_little, row);
        (void)pthread_join(thread, NULL);
    }
    (void)with_little(row);
    _exit(WRONG);
}

/* ---- the rows -------------------------------------------------------------------------------- */

static void try_row(struct row *row)
{
    int status = 0;

    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        run(row);
    }
    (void)waitpid(child, &status, 0);
    const bool good =
        WIFEXITED(status) && (WEXITSTATUS(status) == DONE || WEXITSTATUS(status) == NO_MEMORY);
    passed += good;
    failed += !good;
    done += good && WEXITSTATUS(status) == DONE;
    refused += good && WEXITSTATUS(status) == NO_MEMORY;
    if (!good) {
        printf("FAILED: %s: %zu KiB given back, in pieces of %zu (0: one)%s%s: %s %d\n",
               subject_names[row->subject], row->kib, row->piece, setting_names[row->setting],
               row->unprivileged ? ", unprivileged" : "",
               WIFSIGNALED(status) ? "killed by signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void try_sizes(size_t piece, enum setting setting, enum subject subject, bool unprivileged)
{
    const size_t step = getenv("QUICK") != NULL ? 16 : 4; /* beside the powers of two */
    const size_t largest = piece == 0 && setting == ON_THREAD ? FAR : LARGEST;

    for (size_t kib = 0; kib <= largest; kib += kib < LARGEST ? 1 : 64) {
        if ((kib & (kib - 1)) == 0 || kib % step == 0) {
            try_row(&(struct row){kib, piece, setting, unprivileged, subject});
        }
    }
}

static const char *cannot(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return "a sanitizer ends a process whose memory is limited";
#else
    const char *runner = getenv("RUNNER");

    return runner != NULL && strstr(runner, "valgrind") != NULL
               ? "valgrind ends a process whose memory is limited"
           : lacks_address_limit() ? "RLIMIT_AS is not kept here"
                                   : NULL;
#endif
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    (void)unused;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

int main(void)
{
    static const size_t pieces[] = {0, 64, 256, 1024, 4096, 20000};
    const char *why = cannot();

    if (why == NULL && !raw_in_child(can_close, NULL)) {
        why = "no seccomp filter can be had here";
    }
    if (why != NULL) {
        printf("skip: calls with little memory: %s\n0 passed, 0 failed, 1 skipped\n", why);
        return 0;
    }
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        for (enum setting setting = PLAIN; setting < SETTINGS; setting++) {
            for (enum subject subject = GATE; subject < SUBJECTS; subject++) {
                try_sizes(pieces[i], setting, subject, false);
            }
            if (geteuid() == 0) {
                try_sizes(pieces[i], setting, GATE, true);
            }
        }
    }
    printf("%d were done, for %d there was no memory\n", done, refused);
    if (done == 0 || refused == 0) {
        printf("FAILED: what is given back is too little or too much to tell anything\n");
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
