/* SPDX-License-Identifier: MIT */
/*
 * io_uring beside switches, the drop and the gate: what a ring serves whom, what the library says
 * of it, and what `deny` refuses. The ring is made by raw calls, before or behind the gate; what it
 * is asked for is to open a file that only root may read. Each row is a process of its own.
 */
#if !__has_include(<linux/io_uring.h>)
#include <stdio.h>

int main(void)
{
    printf("skip: io_uring: the kernel headers do not have it\n");
    printf("0 passed, 0 failed, 1 skipped\n");
    return 0;
}
#else
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/switch.h"
#include "support/entry_points.h"
#include "support/log.h"
#include "switch/uring.h"

enum { SOMEBODY = 2001, NO_RING = 77 };

static char folder[] = "/run/miguard-test-XXXXXX";
static char secret[64];

/* ---- a ring ---------------------------------------------------------------------------------- */

struct ring {
    int fd;
    void *memory[3];
    size_t size[3];
    bool polled;
    unsigned *flags, *tail, *mask, *array, *done, *done_tail, *done_mask;
    struct io_uring_sqe *requests;
    struct io_uring_cqe *answers;
};

static int ring_make(struct ring *ring, unsigned flags)
{
    struct io_uring_params p = {.flags = flags, .sq_thread_idle = 10000};

    ring->fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring->fd < 0) {
        return -errno;
    }
    ring->polled = (flags & IORING_SETUP_SQPOLL) != 0;
    char *in = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
    char *out =
        mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*ring->answers), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_CQ_RING);
    void *requests = mmap(NULL, p.sq_entries * sizeof(*ring->requests), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
    ring->memory[0] = in;
    ring->size[0] = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    ring->memory[1] = out;
    ring->size[1] = p.cq_off.cqes + p.cq_entries * sizeof(*ring->answers);
    ring->memory[2] = requests;
    ring->size[2] = p.sq_entries * sizeof(*ring->requests);
    if (in == MAP_FAILED || out == MAP_FAILED || requests == MAP_FAILED) {
        return -errno;
    }
    ring->requests = requests;
    ring->tail = (unsigned *)(void *)(in + p.sq_off.tail);
    ring->flags = (unsigned *)(void *)(in + p.sq_off.flags);
    ring->mask = (unsigned *)(void *)(in + p.sq_off.ring_mask);
    ring->array = (unsigned *)(void *)(in + p.sq_off.array);
    ring->done = (unsigned *)(void *)(out + p.cq_off.head);
    ring->done_tail = (unsigned *)(void *)(out + p.cq_off.tail);
    ring->done_mask = (unsigned *)(void *)(out + p.cq_off.ring_mask);
    ring->answers = (struct io_uring_cqe *)(void *)(out + p.cq_off.cqes);
    return 0;
}

/* It lives as long as it is mapped. */
static void ring_end(struct ring *ring)
{
    for (int i = 0; i < 3; i++) {
        munmap(ring->memory[i], ring->size[i]);
    }
    close(ring->fd);
}

/* 0 when the file was opened, else -errno of the ring or of the call that was to ask it. */
static int ring_open(struct ring *ring, unsigned short personality)
{
    unsigned tail = *ring->tail, at = tail & *ring->mask;

    ring->requests[at] = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                               .fd = AT_FDCWD,
                                               .addr = (uintptr_t)secret,
                                               .open_flags = O_RDONLY | O_CLOEXEC,
                                               .personality = personality};
    ring->array[at] = at;
    __atomic_store_n(ring->tail, tail + 1, __ATOMIC_SEQ_CST);
    if (!ring->polled &&
        syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
        return -errno;
    }
    if (ring->polled && (__atomic_load_n(ring->flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)) {
        (void)syscall(SYS_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
    }
    for (int i = 0; __atomic_load_n(ring->done_tail, __ATOMIC_ACQUIRE) == *ring->done; i++) {
        if (i == 2000) {
            return -ETIMEDOUT;
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    int result = ring->answers[*ring->done & *ring->done_mask].res;
    __atomic_store_n(ring->done, *ring->done + 1, __ATOMIC_RELEASE);
    if (result >= 0) {
        close(result);
    }
    return result >= 0 ? 0 : result;
}

static int plain_open(void)
{
    int fd = open(secret, O_RDONLY | O_CLOEXEC);
    int error = errno;

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0 ? 0 : -error;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct miguard_target *somebody;
static struct miguard_error error;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: %s (%s: %s)\n", __FILE__, __LINE__, #condition, error.step,             \
                   error.detail);                                                                  \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#define NEED_RING(ring, flags)                                                                     \
    do {                                                                                           \
        int made = ring_make(ring, flags);                                                         \
        if (made == -EPERM || made == -ENOSYS) {                                                   \
            return NO_RING;                                                                        \
        }                                                                                          \
        EXPECT(made == 0);                                                                         \
    } while (0)

static enum miguard_status close_gate(enum miguard_gate_scope scope,
                                      enum miguard_gate_action action, int deny)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = scope;
    options.action = action;
    options.deny_io_uring = deny;
    return miguard_gate_close(&options, &error);
}

/* What the manual says of the two kinds: the facts that the rest follows from. */
static int a_ring_keeps_what_its_maker_was(void)
{
    struct ring polled = {0}, plain = {0};

    NEED_RING(&plain, 0);
    NEED_RING(&polled, IORING_SETUP_SQPOLL);
    int kept = (int)syscall(SYS_io_uring_register, plain.fd, IORING_REGISTER_PERSONALITY, NULL, 0);
    EXPECT(kept > 0);
    EXPECT(miguard_switch_to(somebody, &error) == MIGUARD_OK);
    EXPECT(plain_open() == -EACCES);
    EXPECT(ring_open(&plain, 0) == -EACCES);
    EXPECT(ring_open(&plain, (unsigned short)kept) == 0);
    EXPECT(ring_open(&polled, 0) == 0);
    EXPECT(miguard_switch_back(&error) == MIGUARD_OK);
    return 0;
}

static int its_thread_is_seen(void)
{
    struct ring ring = {0};
    char name[URING_NAME_SIZE];

    EXPECT(uring_find_poller(NULL) == 0);
    NEED_RING(&ring, 0);
    EXPECT(uring_find_poller(NULL) == 0);
    NEED_RING(&ring, IORING_SETUP_SQPOLL);
    pid_t poller = uring_find_poller(NULL);
    EXPECT(poller != 0 && uring_is_thread(poller, name));
    EXPECT(!uring_is_thread(getpid(), name));
    return 0;
}

static int a_drop_names_it(void)
{
    struct ring ring = {0};
    struct timespec begin, end;

    NEED_RING(&ring, IORING_SETUP_SQPOLL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    EXPECT(miguard_drop(somebody, &error) == MIGUARD_BAD_STATE);
    clock_gettime(CLOCK_MONOTONIC, &end);
    EXPECT(strstr(error.detail, "io_uring") != NULL);
    EXPECT(end.tv_sec - begin.tv_sec <= 1); /* it is not waited for */
    EXPECT(geteuid() == 0 && plain_open() == 0);
    ring_end(&ring);
    for (int i = 0; i < 200 && miguard_drop(somebody, &error) != MIGUARD_OK; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL); /* until the thread has ended */
    }
    EXPECT(geteuid() == SOMEBODY);
    return 0;
}

static int allow_refuses_nothing(void)
{
    struct ring before = {0}, behind = {0};

    NEED_RING(&before, IORING_SETUP_SQPOLL);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 0) == MIGUARD_OK);
    EXPECT(miguard_gate_state().deny_io_uring == 0);
    EXPECT(ring_open(&before, 0) == 0);
    EXPECT(ring_make(&behind, 0) == 0 && ring_open(&behind, 0) == 0);
    return 0;
}

static int deny(enum miguard_gate_scope scope, enum miguard_gate_action action)
{
    struct ring before = {0}, behind = {0};

    NEED_RING(&before, 0);
    EXPECT(ring_open(&before, 0) == 0);
    EXPECT(close_gate(scope, action, 1) == MIGUARD_OK);
    EXPECT(miguard_gate_state().deny_io_uring == 1);
    EXPECT(ring_open(&before, 0) == -EPERM);
    EXPECT(ring_make(&behind, 0) == -EPERM);
    EXPECT(ring_make(&behind, IORING_SETUP_SQPOLL) == -EPERM);
    EXPECT(syscall(SYS_io_uring_register, before.fd, IORING_REGISTER_PERSONALITY, NULL, 0) == -1 &&
           errno == EPERM);
    EXPECT(miguard_switch_to(somebody, &error) == MIGUARD_OK);
    EXPECT(ring_open(&before, 0) == -EPERM);
    EXPECT(miguard_switch_back(&error) == MIGUARD_OK);
    EXPECT(close_gate(scope, action, 0) == MIGUARD_BAD_STATE); /* it is another gate */
    return 0;
}

static int deny_in_the_process(void)
{
    return deny(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO);
}

static int deny_in_the_thread(void)
{
    return deny(MIGUARD_GATE_THREAD, MIGUARD_GATE_ERRNO);
}

static int deny_never_kills(void)
{
    return deny(MIGUARD_GATE_PROCESS, MIGUARD_GATE_KILL);
}

/* No filter stops a thread that makes no calls, so there is no such gate. */
static int deny_is_refused_beside_a_poller(void)
{
    struct ring ring = {0};

    NEED_RING(&ring, IORING_SETUP_SQPOLL);
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_BAD_STATE);
    EXPECT(strstr(error.detail, "io_uring") != NULL);
    EXPECT(miguard_gate_state().scope == MIGUARD_GATE_OFF);
    EXPECT(seteuid(SOMEBODY) == 0 && seteuid(0) == 0);
    ring_end(&ring);
    for (int i = 0; i < 200 && uring_find_poller(NULL) != 0; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    EXPECT(close_gate(MIGUARD_GATE_PROCESS, MIGUARD_GATE_ERRNO, 1) == MIGUARD_OK);
    return 0;
}

static int by_policy(const char *scope, const char *gate, int expected)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct ring ring = {0};
    struct scene scene;
    char policy[160];

    NEED_RING(&ring, 0);
    snprintf(policy, sizeof(policy), "%s/policy.yaml", folder);
    FILE *file = fopen(policy, "w");
    EXPECT(file != NULL);
    fprintf(file, "version: 1\ngate: { scope: %s%s }\n", scope, gate);
    fclose(file);
    config.policy = policy;
    config.audit_file = log_path();
    enum miguard_status status = miguard_configure(&config, &error);
    unlink(policy);
    EXPECT(status == MIGUARD_OK);
    EXPECT(scene_make(&scene));
    EXPECT(ring_open(&ring, 0) == expected);
    scene_end(&scene);
    return 0;
}

static int a_policy_allows(void)
{
    return by_policy("process", ", io-uring: allow", 0);
}

static int a_policy_denies(void)
{
    return by_policy("process", ", io-uring: deny", -EPERM);
}

static int a_policy_denies_the_thread(void)
{
    return by_policy("thread", ", io-uring: deny", -EPERM);
}

static int a_policy_says_nothing(void)
{
    return by_policy("process", "", 0);
}

/* The threads are listed 10 times a second at most, so a later switch finds one that is new. */
static int a_switch_beside_it_is_recorded(void)
{
    struct ring ring = {0}, other = {0};

    log_start();
    NEED_RING(&ring, 0);
    EXPECT(miguard_switch_to(somebody, &error) == MIGUARD_OK);
    EXPECT(miguard_switch_back(&error) == MIGUARD_OK);
    EXPECT(log_count("switch", "io-uring") == 0);
    NEED_RING(&other, IORING_SETUP_SQPOLL);
    for (int i = 0; i < 3; i++) {
        nanosleep(&(struct timespec){0, 150000000}, NULL);
        EXPECT(miguard_switch_to(somebody, &error) == MIGUARD_OK);
        EXPECT(miguard_switch_back(&error) == MIGUARD_OK);
    }
    EXPECT(log_count("switch", "io-uring") == 1);
    EXPECT(strstr(log_last("miguard.attempt"), "polls an io_uring") != NULL);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} rows[] = {
    {"a ring keeps what its maker was", a_ring_keeps_what_its_maker_was},
    {"its thread is seen", its_thread_is_seen},
    {"a switch beside it is recorded", a_switch_beside_it_is_recorded},
    {"a drop names it", a_drop_names_it},
    {"allow refuses nothing", allow_refuses_nothing},
    {"deny in the process", deny_in_the_process},
    {"deny in the thread", deny_in_the_thread},
    {"deny never kills", deny_never_kills},
    {"deny is refused beside a poller", deny_is_refused_beside_a_poller},
    {"a policy allows", a_policy_allows},
    {"a policy denies", a_policy_denies},
    {"a policy denies the thread", a_policy_denies_the_thread},
    {"a policy says nothing", a_policy_says_nothing},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static int run_row(size_t row)
{
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        if (miguard_target_ids(SOMEBODY, SOMEBODY, &none, &somebody, &error) != MIGUARD_OK) {
            _exit(2);
        }
        int answer = rows[row].run();
        fflush(stdout);
        log_remove();
        _exit(answer);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

int main(void)
{
    int passed = 0, failed = 0, skipped = 0;

    if (geteuid() != 0) {
        printf("skip: io_uring: needs root, who opens what others may not\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return 1;
    }
    snprintf(secret, sizeof(secret), "%s/secret", folder);
    int fd = open(secret, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return 1;
    }
    close(fd);
    for (size_t i = 0; i < ROWS; i++) {
        int answer = run_row(i);
        passed += answer == 0;
        skipped += answer == NO_RING;
        failed += answer != 0 && answer != NO_RING;
        if (answer == NO_RING) {
            printf("skip: %s: this kernel or sandbox gives no io_uring\n", rows[i].name);
        } else if (answer != 0) {
            printf("FAILED: %s: %d\n", rows[i].name, answer);
        }
    }
    unlink(secret);
    rmdir(folder);
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed != 0;
}
#endif
