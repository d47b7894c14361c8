/* SPDX-License-Identifier: MIT */
/* The addresses of guarded contexts: one for each name and back, readable for ever, writable never,
 * and as many as there is room for. */
#include "gateway/context_space.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/lacks.h"
#include "support/memory.h"
#include "support/raw.h"

static const MI_ContextFT table;
static struct slots contexts = SLOTS_INIT_BOUNDED(64, NULL, 65536, SPACE_GENERATIONS);

static uint64_t name_of(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | (index + 1);
}

/* Readable as a whole, and what the inline functions of MI.h need. */
static bool is_context(const MI_Context *address)
{
    MI_Context copy = *(const volatile MI_Context *)address;
    return copy.ft == &table;
}

static void open_space(void)
{
    static bool opened; /* where tests share a process */

    if (!opened) {
        ck_assert_uint_eq(space_name((const MI_Context *)(const void *)&table), 0);
        ck_assert_ptr_null(space_address(name_of(0, 1)));
    }
    ck_assert(space_open(&table, &contexts));
    ck_assert(space_open(&table, &contexts));
    opened = true;
}

START_TEST(each_name_has_an_address_of_its_own)
{
    static const uint32_t indexes[] = {0, 1, 254, 255, 256, 257, 511, 512, 30000};
    static const uint32_t generations[] = {1,
                                           2,
                                           127,
                                           128,
                                           129,
                                           SPACE_ROWS - 1,
                                           SPACE_ROWS,
                                           SPACE_ROWS + 1,
                                           2 * SPACE_ROWS,
                                           SPACE_GENERATIONS - 1,
                                           SPACE_GENERATIONS};
    enum {
        I = sizeof(indexes) / sizeof(indexes[0]),
        G = sizeof(generations) / sizeof(generations[0])
    };
    const MI_Context *addresses[I * G];

    for (size_t k = 0; k < I * G; k++) {
        uint64_t name = name_of(indexes[k / G], generations[k % G]);
        addresses[k] = space_address(name);
        ck_assert_ptr_nonnull(addresses[k]);
        ck_assert_uint_eq(space_name(addresses[k]), name);
        ck_assert_ptr_eq(space_address(name), addresses[k]);
        ck_assert(is_context(addresses[k]));
        for (size_t before = 0; before < k; before++) {
            ck_assert_ptr_ne(addresses[before], addresses[k]);
        }
    }
    for (size_t k = 0; k < I * G; k++) {
        ck_assert(is_context(addresses[k]));
    }
}
END_TEST

/* Every address of the range stands for one name or for none. */
START_TEST(each_address_has_one_name_or_none)
{
    const char *start = (const char *)space_address(name_of(0, 1));
    size_t named = 0, nameless = 0, odd = 0;

    for (size_t offset = 0; offset < (size_t)3 * SPACE_PIECE_SIZE; offset += 8) {
        const MI_Context *address = (const MI_Context *)(const void *)(start + offset);
        uint64_t name = space_name(address);
        odd += space_name((const MI_Context *)(const void *)(start + offset + 1)) != 0;
        if (name == 0) {
            nameless++;
            continue;
        }
        named++;
        if (offset % 65536 == 0) {
            ck_assert_ptr_eq(space_address(name), address);
        }
    }
    ck_assert_uint_eq(named, (size_t)3 * SPACE_ROWS * SLOTS_PER_CHUNK);
    ck_assert_uint_eq(nameless, (size_t)3 * SLOTS_PER_CHUNK);
    ck_assert_uint_eq(odd, 0);
}
END_TEST

START_TEST(elsewhere_there_is_no_name)
{
    const char *start = (const char *)space_address(name_of(0, 1));
    size_t size =
        (size_t)contexts.most_slots / SLOTS_PER_CHUNK * SPACE_PIECES_PER_CHUNK * SPACE_PIECE_SIZE;
    const void *const nowhere[] = {NULL,      &table,       &start,
                                   start - 8, start + size, (const void *)(uintptr_t)UINTPTR_MAX};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        ck_assert_uint_eq(space_name(nowhere[i]), 0);
    }
    ck_assert_uint_ne(space_name((const void *)(start + size - 2 * SPACE_ROW_SIZE)), 0);
    ck_assert_ptr_null(space_address(name_of(contexts.most_slots, 1)));
    ck_assert_ptr_null(space_address(name_of(0, SPACE_GENERATIONS + 1)));
    ck_assert_ptr_null(space_address(name_of(0, UINT32_MAX)));
    ck_assert_ptr_null(space_address(name_of(0, 0)));
    ck_assert_ptr_null(space_address(0));
}
END_TEST

static bool cannot_write(void *data)
{
    uintptr_t page = (uintptr_t)data & ~(uintptr_t)4095;
    bool refused = mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) != 0 && errno == EACCES;
    return refused && is_context(data);
}

static bool write_there(void *data)
{
    ((MI_Context *)data)->ft = NULL;
    return true;
}

/* By nobody: neither here nor in a child, which shares the memory. _i: in the first piece or in one
 * that shows the large pattern. */
START_TEST(nobody_writes_there)
{
    MI_Context *address = space_address(name_of(3, _i == 0 ? 1 : 5000));
    if (memory_under_valgrind()) {
        printf("skip: writing to a context: valgrind gives no sealed mapping\n");
        return;
    }
    if (lacks_second_mappings()) {
        printf("skip: writing to a context: no second mapping can be had here\n");
        return;
    }
    ck_assert(cannot_write(address));
    ck_assert(raw_in_child(cannot_write, address));
    (void)signal(SIGSEGV, SIG_DFL);
    ck_assert(!raw_in_child(write_there, address));
    ck_assert(is_context(address));
}
END_TEST

/* 40 MiB of addresses are used and read, and again at random when they are old. */
START_TEST(memory_stays_flat)
{
    enum { LAST = 20000 };
    if (memory_is_not_ours()) {
        printf("skip: flat memory: a sanitizer or valgrind has memory of its own\n");
        return;
    }
    if (lacks_second_mappings()) {
        printf("skip: flat memory: no second mapping can be had here\n");
        return;
    }
    unsigned wrong = 0;
    for (uint32_t i = 0; i < 9000; i++) { /* until all that is made once is made */
        wrong += !is_context(space_address(name_of(i % SLOTS_PER_CHUNK, i + 1)));
    }
    struct memory before = memory_now(), most = before;
    for (uint32_t generation = 9000; generation < LAST; generation++) {
        for (uint32_t index = 0; index < SLOTS_PER_CHUNK; index++) {
            wrong += !is_context(space_address(name_of(index, generation)));
        }
        const MI_Context *old = space_address(name_of(7, generation * 31 % 9000 + 1));
        wrong += !is_context(old);
        space_touched(old, 64);
        if (generation % 64 == 0) {
            most = memory_most(most, memory_now());
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_msg(most.resident - before.resident < 4 << 20, "%ld more bytes",
                  most.resident - before.resident);
    ck_assert_msg(most.mappings - before.mappings < 8, "%ld more mappings",
                  most.mappings - before.mappings);
}
END_TEST

static bool child_reads_all(void *data)
{
    const MI_Context *const *addresses = data;
    return is_context(addresses[0]) && is_context(addresses[1]) &&
           is_context(space_address(name_of(1, 70))) &&
           is_context(space_address(name_of(2, SPACE_ROWS + 1)));
}

START_TEST(a_child_has_the_same_addresses)
{
    const MI_Context *addresses[] = {space_address(name_of(0, 1)),
                                     space_address(name_of(300, SPACE_GENERATIONS))};
    ck_assert(raw_in_child(child_reads_all, addresses));
    ck_assert(child_reads_all(addresses));
}
END_TEST

/* ---- where there is less -------------------------------------------------------------------- */

static bool limit_address_space(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

/* A limit allows less; it is not taken whole. */
START_TEST(a_limit_on_address_space_makes_fewer_addresses)
{
    if (memory_is_not_ours()) {
        printf("skip: RLIMIT_AS: a sanitizer or valgrind needs more\n");
        return;
    }
    if (lacks_address_limit()) {
        printf("skip: RLIMIT_AS: is accepted here, but not kept\n");
        return;
    }
    ck_assert(limit_address_space((rlim_t)60 << 20));
    ck_assert(!space_open(&table, &contexts));
    ck_assert_ptr_null(space_address(name_of(0, 1)));
    ck_assert(limit_address_space((rlim_t)3 << 30));
    ck_assert(space_open(&table, &contexts));
    ck_assert_uint_eq(contexts.most_slots, 32 * SLOTS_PER_CHUNK); /* 512 MiB */
    ck_assert_uint_eq(contexts.generations, SPACE_ROWS);
    uint32_t last = contexts.most_slots - 1;
    ck_assert(is_context(space_address(name_of(last, SPACE_ROWS))));
    ck_assert_uint_eq(space_name(space_address(name_of(last, SPACE_ROWS))),
                      name_of(last, SPACE_ROWS));
    ck_assert_ptr_null(space_address(name_of(last + 1, 1)));
    ck_assert_ptr_null(space_address(name_of(0, SPACE_ROWS + 1)));
}
END_TEST

static bool deny(int call)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool done = filter != NULL && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0 &&
                seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

/* A sandbox without sealed files, or without second mappings: memory is used, up to a bound, and
 * addresses are what they are. */
START_TEST(a_sandbox_gets_addresses_too)
{
    if (memory_is_not_ours() || !deny(_i == 0 ? SCMP_SYS(memfd_create) : SCMP_SYS(mremap))) {
        printf("skip: sandbox: no seccomp filter can be had here\n");
        return;
    }
    ck_assert(space_open(&table, &contexts));
    for (uint32_t generation = 1; generation < 9000; generation += 7) {
        MI_Context *address = space_address(name_of(generation % 512, generation));
        ck_assert(is_context(address));
        ck_assert_uint_eq(space_name(address), name_of(generation % 512, generation));
        space_touched(address, 30000);
        ck_assert(is_context(address));
    }
    uint32_t chunk = 2;
    while (space_address(name_of(chunk * SLOTS_PER_CHUNK, SPACE_ROWS)) != NULL) {
        chunk++;
    }
    /* 32 pieces of 16 MiB: two and a bit were used above, so 29 are left. */
    ck_assert_uint_eq(chunk, 2 + 29);
    ck_assert(is_context(space_address(name_of(0, 1))));
}
END_TEST

/* The large pattern cannot be had any more when it is wanted: what is given out stays. */
START_TEST(a_sandbox_that_comes_later_changes_nothing)
{
    if (memory_is_not_ours()) {
        printf("skip: sandbox: a sanitizer or valgrind has mappings of its own\n");
        return;
    }
    ck_assert(space_open(&table, &contexts));
    MI_Context *early = space_address(name_of(0, 1));
    ck_assert(is_context(early));
    if (!deny(_i == 0 ? SCMP_SYS(memfd_create) : SCMP_SYS(mremap))) {
        printf("skip: sandbox: no seccomp filter can be had here\n");
        return;
    }
    for (uint32_t generation = 1; generation <= SPACE_ROWS; generation += 13) {
        MI_Context *address = space_address(name_of(0, generation));
        ck_assert(is_context(address));
        space_touched(address, 30000);
        ck_assert(is_context(address));
    }
    ck_assert(is_context(early));
}
END_TEST

/* A file in memory is a file: the limit on these must not kill the process. */
START_TEST(a_limit_on_the_size_of_files_is_kept)
{
    const struct rlimit limit = {.rlim_cur = 320 << 10, .rlim_max = RLIM_INFINITY};

    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(space_open(&table, &contexts));
    for (uint32_t generation = 1; generation < 2000; generation++) {
        MI_Context *address = space_address(name_of(0, generation));
        if (!is_context(address) || space_name(address) != name_of(0, generation)) {
            ck_abort_msg("generation %u", generation);
        }
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
}
END_TEST

/* Whoever is cancelled in there leaves no lock behind. */
static void *cancelled(void *unused)
{
    (void)unused;
    pthread_cancel(pthread_self());
    return space_address(name_of(0, 5000));
}

START_TEST(a_cancelled_thread_holds_no_lock)
{
    pthread_t thread;
    void *result = NULL;

    ck_assert(space_open(&table, &contexts));
    ck_assert_int_eq(pthread_create(&thread, NULL, cancelled, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_ne(result, PTHREAD_CANCELED);
    ck_assert(is_context(space_address(name_of(256, 7000))));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("context space");
    TCase *open = tcase_create("as it is");
    tcase_add_checked_fixture(open, open_space, NULL);
    tcase_set_timeout(open, 120);
    tcase_add_test(open, each_name_has_an_address_of_its_own);
    tcase_add_test(open, each_address_has_one_name_or_none);
    tcase_add_test(open, elsewhere_there_is_no_name);
    tcase_add_loop_test(open, nobody_writes_there, 0, 2);
    tcase_add_test(open, memory_stays_flat);
    tcase_add_test(open, a_child_has_the_same_addresses);
    suite_add_tcase(suite, open);
    TCase *less = tcase_create("where there is less");
    tcase_set_timeout(less, 120);
    tcase_add_test(less, a_limit_on_address_space_makes_fewer_addresses);
    tcase_add_loop_test(less, a_sandbox_gets_addresses_too, 0, 2);
    tcase_add_loop_test(less, a_sandbox_that_comes_later_changes_nothing, 0, 2);
    tcase_add_test(less, a_limit_on_the_size_of_files_is_kept);
    tcase_add_test(less, a_cancelled_thread_holds_no_lock);
    suite_add_tcase(suite, less);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
