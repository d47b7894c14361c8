/* SPDX-License-Identifier: MIT */
/* The epoch that distinguishes a process from its forked children, and the signal mask for the
 * library's own threads. Called by handle tables, sessions and every cache of a thread. */
#include "base/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fork.h"
#include "base/notice.h"

/*
 * The page holds the epoch. It is zero in a fresh child, and the first caller there draws a new
 * one. The mapping is made once per process image and inherited by children.
 *
 * Three mechanisms clear it in a child. MADV_WIPEONFORK makes the kernel do so, also in a child of
 * clone(2) or _Fork(3), which run no handlers. The handler of fork(3) does, in case the kernel does
 * not. And where the kernel's promise is not kept (an emulator that ignores madvise(2), a filter
 * that answers 0 for it), a timer shows at each use whether this process made the page: timers are
 * not inherited (timer_create(2)). A process id would not do: another process can get it later, and
 * the first process of every pid namespace has 1.
 */
struct epoch_page {
    _Atomic uint64_t epoch;
    _Atomic uint64_t secret;
    _Atomic uint64_t number;
};

static struct fork_once page_once = FORK_ONCE_INIT;
static struct epoch_page *page;

/* Both change before page is set, and in a child while it has one thread. */
static bool uses_timer; /* the kernel's promise to wipe the page is not trusted */

/* Plain memory, which a child has as its parent left it: an empty page in a process whose epoch was
 * drawn is that of a child in which no handler has run. */
static atomic_bool drawn;
static atomic_bool stuck; /* also in the children of such a process */

static struct {
    bool exists;
    int id;
    struct timespec interval; /* random: a timer that the child makes itself has another */
} timer;

static uint64_t draw_random(void)
{
    uint64_t value = 0;
    while (value == 0) {
        if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value)) {
            return 0;
        }
    }
    return value;
}

/* ---- the timer --------------------------------------------------------------------------- */

/* With SIGEV_NONE an expiry does nothing and queues nothing. Raw calls: glibc's functions allocate,
 * which is forbidden in a child of a process with threads. */
static void make_timer(void)
{
    struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
    uint64_t random = draw_random();
    struct itimerspec setting = {
        .it_interval = {.tv_sec = (time_t)(1 + random % (1U << 30)),
                        .tv_nsec = (long)((random >> 32) % 1000000000)},
        .it_value = {.tv_sec = 1 << 30},
    };

    timer.interval = setting.it_interval;
    timer.exists = random != 0 &&
                   syscall(SYS_timer_create, CLOCK_MONOTONIC, &quiet, &timer.id) == 0 &&
                   syscall(SYS_timer_settime, timer.id, 0, &setting, NULL) == 0;
}

/* Does not change errno. Out of line, as draw_once(): what it keeps on the stack would be paid for
 * at each question for the epoch, which every guarded call asks. */
__attribute__((noinline)) static bool timer_is_ours(void)
{
    struct itimerspec found = {{0, 0}, {0, 0}};
    int error = errno;

    bool ours = timer.exists && syscall(SYS_timer_gettime, timer.id, &found) == 0 &&
                found.it_interval.tv_sec == timer.interval.tv_sec &&
                found.it_interval.tv_nsec == timer.interval.tv_nsec;
    errno = error;
    return ours;
}

/* ---- the page ---------------------------------------------------------------------------- */

/* Whether the kernel really evaluates the request: it wipes private memory only and must refuse
 * shared memory (madvise(2), EINVAL). */
static bool refuses_shared(size_t size)
{
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        return false;
    }
    bool refused = madvise(shared, size, MADV_WIPEONFORK) != 0 && errno == EINVAL;
    munmap(shared, size);
    return refused;
}

/* Without the handler, or with neither wiping nor a timer, a child could not be distinguished from
 * its parent. Then there is never an epoch and every session is refused (fail closed). */
static void map_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return;
    }
    if (madvise(memory, size, MADV_WIPEONFORK) != 0 || !refuses_shared(size)) {
        uses_timer = true;
        make_timer();
    }
    if (!fork_is_watched()) {
        munmap(memory, size);
        return;
    }
    page = memory;
}

/* Runs before the other handlers in the child, because they ask for the epoch. */
static void empty_in_child(void)
{
    if (page == NULL) {
        return;
    }
    atomic_store(&drawn, false);
    atomic_store(&page->epoch, 0);
    atomic_store(&page->secret, 0);
    atomic_store(&page->number, 0);
    if (uses_timer) {
        make_timer();
    }
}

FORK_OWNER(process, .rank = FORK_PROCESS, .lock = &page_once.lock, .in_child = empty_in_child);

/* Several threads may find the page empty; the first to store wins and all use its value. */
__attribute__((noinline)) static uint64_t draw_once(_Atomic uint64_t *cell)
{
    uint64_t value = draw_random();
    uint64_t found = 0;
    if (value == 0) {
        return 0;
    }
    if (atomic_compare_exchange_strong(cell, &found, value)) {
        return value;
    }
    return found;
}

/* The empty page of a child in which no handler has run: they run now. A lock that a
 * second thread of the child holds meanwhile makes the process stuck, too. */
static bool catch_up(void)
{
    bool expected = true;

    if (atomic_load(&page->epoch) != 0 ||
        !atomic_compare_exchange_strong(&drawn, &expected, false)) {
        return true;
    }
    if (fork_catch_up()) {
        return true;
    }
    atomic_store(&stuck, true);
    atomic_store(&page->epoch, 0); /* that a second thread has drawn meanwhile */
    notice(PROCESS_STUCK);
    return false;
}

/* Out of line for the same reason as timer_is_ours(). */
__attribute__((noinline)) static uint64_t draw_epoch(void)
{
    if (atomic_load(&stuck) || fork_is_under_way() || (atomic_load(&drawn) && !catch_up())) {
        return 0;
    }
    uint64_t epoch = draw_once(&page->epoch);
    if (atomic_load(&stuck)) {
        atomic_store(&page->epoch, 0);
        return 0;
    }
    atomic_store(&drawn, epoch != 0);
    return epoch;
}

uint64_t process_epoch(void)
{
    fork_do_once(&page_once, map_page);
    if (page == NULL || (uses_timer && !timer_is_ours())) {
        return 0;
    }
    uint64_t epoch = atomic_load_explicit(&page->epoch, memory_order_acquire);
    return epoch != 0 ? epoch : draw_epoch();
}

/* A page without an epoch is that of a child: no earlier one is its own. */
bool process_has_epoch(uint64_t epoch)
{
    return epoch != 0 && atomic_load_explicit(&page_once.done, memory_order_acquire) &&
           page != NULL && (!uses_timer || timer_is_ours()) &&
           atomic_load_explicit(&page->epoch, memory_order_acquire) == epoch;
}

bool process_is_stuck(void)
{
    return process_epoch() == 0 && (atomic_load(&stuck) || fork_is_under_way());
}

uint64_t process_next_number(void)
{
    return process_epoch() == 0
               ? 0
               : atomic_fetch_add_explicit(&page->number, 1, memory_order_relaxed) + 1;
}

uint64_t process_check_word(uint64_t value)
{
    if (process_epoch() == 0) {
        return 0;
    }
    uint64_t secret = atomic_load_explicit(&page->secret, memory_order_acquire);
    if (secret == 0) {
        secret = draw_once(&page->secret);
    }
    /* The finaliser of SplitMix64: every bit of the input reaches every bit of the output. It only
     * has to make an accidental match unlikely; hostile code in the process is out of scope. */
    uint64_t mixed = value + secret;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    mixed ^= mixed >> 31;
    return mixed != 0 ? mixed : 1;
}

bool process_mute(sigset_t *ret_before)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS);
    return pthread_sigmask(SIG_SETMASK, &all, ret_before) == 0;
}

void process_unmute(const sigset_t *before)
{
    /* pthread_sigmask(3) would unblock glibc's own two signals (write.c). */
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(uint64_t));
}
