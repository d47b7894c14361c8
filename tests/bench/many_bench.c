/* SPDX-License-Identifier: MIT */
/*
 * Two at once: threads of one process, which share the tables of handles, against one thread alone
 * and against two processes, which share nothing. All are gated, so that the check itself makes no
 * system call and what they share is not hidden behind it.
 *
 * Each side needs both cores for itself. So a pair is not one round but the shortest of several
 * short ones: whatever else runs on the machine can only make a round longer.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "gateway/gateway.h"
#include "miguard/gate.h"
#include "support/log.h"
#include "support/stub_host.h"

enum { PAIRS = 41, TRIES = 30, USES = 400, SIDES = 2, ANSWER_MS = 60000 };
enum { USE, USE_APART, REQUEST, REQUEST_APART, ROWS };

static const struct bench_row many_rows[ROWS] = {
    [USE] = {.name = "many.use",
             .goal = 2 / 1.7, /* two threads make 1.7 times the uses of one */
             .first = "start, result, close on each of two gated threads at once",
             .second = "the same on one",
             .unit = "ns",
             .leaves_out = "a host that does any work, or has locks of its own"},
    [USE_APART] = {.name = "many.use-apart",
                   .goal = 1 / 0.9,
                   .first = "start, result, close on each of two gated threads at once",
                   .second = "the same in each of two processes",
                   .unit = "ns",
                   .leaves_out = "a host that does any work, or has locks of its own"},
    [REQUEST] = {.name = "many.request",
                 .goal = 2 / 1.7,
                 .first = "a guarded context and its final post on each of two threads at once",
                 .second = "the same on one",
                 .unit = "ns",
                 .leaves_out = "the session, whose capture and record cost far more"},
    [REQUEST_APART] = {.name = "many.request-apart",
                       .goal = 1 / 0.9,
                       .first = "a guarded context and its final post on each of two threads",
                       .second = "the same in each of two processes",
                       .unit = "ns",
                       .leaves_out = "the session, whose capture and record cost far more"},
};

/* What one worker has for itself: a host, a context of it, and a session of that; and a host for
 * requests. */
struct worker {
    struct stub_host *host, *other;
    MI_Context *context;
    MI_Session session;
};

BENCH_GROUP_DECLARE(many);

typedef void (*work)(struct worker *worker, int calls);

static void close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    if (miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        _exit(3);
    }
}

static void begin(struct worker *worker)
{
    worker->host = stub_host_new();
    worker->other = stub_host_new();
    if (miguard_guard_context(&worker->host->context, &worker->context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(worker->context, &worker->session) != MI_RESULT_OK) {
        abort();
    }
}

/* One allowed use: start, result, close. */
static void use(struct worker *worker, int calls)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    for (int i = 0; i < calls; i++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Session_GetInstance(&worker->session, 0, NULL, "root/bench", NULL, NULL, &operation);
        MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        if (result != MI_RESULT_OK || MI_Operation_Close(&operation) != MI_RESULT_OK) {
            abort();
        }
    }
}

/* One request without a session: a guarded context, and its final post. */
static void request(struct worker *worker, int calls)
{
    for (int i = 0; i < calls; i++) {
        MI_Context *context = NULL;
        if (miguard_guard_context(&worker->other->context, &context) != MI_RESULT_OK ||
            MI_Context_PostResult(context, MI_RESULT_OK) != MI_RESULT_OK) {
            abort();
        }
    }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* In memory that the processes share. The workers of a round begin together. */
static struct shared {
    atomic_int ready;
    double start[SIDES], end[SIDES];
} * shared;

static void run(struct worker *worker, work function, int index, int workers)
{
    function(worker, 64);
    atomic_fetch_add(&shared->ready, 1);
    while (atomic_load(&shared->ready) < workers) {
    }
    shared->start[index] = nanoseconds();
    function(worker, USES);
    shared->end[index] = nanoseconds();
}

/* Nanoseconds of the round for each call that one worker made, from the first start to the last
 * end. */
static double round_ns(int workers)
{
    double start = shared->start[0], end = shared->end[0];

    for (int i = 1; i < workers; i++) {
        start = shared->start[i] < start ? shared->start[i] : start;
        end = shared->end[i] > end ? shared->end[i] : end;
    }
    atomic_store(&shared->ready, 0);
    return (end - start) / USES;
}

/* A process or a thread that makes a round for each byte that comes in: how many work in it, times
 * two, plus the kind of work. */
struct side {
    int index, ask[2], answer[2];
    pthread_t thread;
};

static void *serve(void *argument)
{
    static const work works[] = {use, request};
    const struct side *side = argument;
    struct worker worker;
    char byte;

    begin(&worker);
    while (read(side->ask[0], &byte, 1) == 1) {
        run(&worker, works[byte % 2], side->index, byte / 2);
        if (write(side->answer[1], &byte, 1) != 1) {
            break;
        }
    }
    return NULL;
}

static void open_side(struct side *side, int index)
{
    side->index = index;
    if (pipe(side->ask) != 0 || pipe(side->answer) != 0) {
        abort();
    }
}

static void ask(struct side *sides, int workers, int kind)
{
    char byte = (char)(workers * 2 + kind);

    for (int i = 0; i < workers; i++) {
        if (write(sides[i].ask[1], &byte, 1) != 1) {
            abort();
        }
    }
    for (int i = 0; i < workers; i++) {
        struct pollfd answer = {.fd = sides[i].answer[0], .events = POLLIN};
        if (poll(&answer, 1, ANSWER_MS) != 1 || read(answer.fd, &byte, 1) != 1) {
            abort();
        }
    }
}

static void *wait_for_the_end(void *unused)
{
    pause();
    return unused;
}

/* In a child process, each on a thread of its own. Where there is only one, it has another beside
 * it that waits: a process with a single thread is looked at more often (audit/background.c). */
static void serve_threads(struct side *sides, int count)
{
    pthread_t beside;

    close_gate();
    if (pthread_create(&beside, NULL, wait_for_the_end, NULL) != 0) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        if (pthread_create(&sides[i].thread, NULL, serve, &sides[i]) != 0) {
            abort();
        }
    }
    pause();
}

static double shorter(double a, double b)
{
    return a < b ? a : b;
}

static void measure_kind(struct side *threads, struct side *processes, int kind)
{
    const struct bench_row *over_alone = &many_rows[kind == 0 ? USE : REQUEST];
    const struct bench_row *over_apart = &many_rows[kind == 0 ? USE_APART : REQUEST_APART];

    for (int pair = 0; pair < bench_rounds(PAIRS); pair++) {
        double alone = 1e9, together = 1e9, apart = 1e9;
        for (int i = 0; i < TRIES; i++) {
            ask(threads, 1, kind);
            alone = shorter(alone, round_ns(1));
            ask(threads, SIDES, kind);
            together = shorter(together, round_ns(SIDES));
            ask(processes, SIDES, kind);
            apart = shorter(apart, round_ns(SIDES));
        }
        bench_pair(over_alone, together, alone);
        bench_pair(over_apart, together, apart);
    }
}

static bool has_two_cores(void)
{
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof(mine), &mine) == 0 && CPU_COUNT(&mine) >= SIDES;
}

static pid_t fork_sides(struct side *sides, int count)
{
    pid_t child = fork();

    if (child == 0) {
        serve_threads(sides, count);
    }
    return child;
}

static void run_many(void)
{
    struct side threads[SIDES], processes[SIDES];
    pid_t children[SIDES + 1];

    if (!has_two_cores()) {
        bench_skip_all(&bench_group_many, "there is one core");
        return;
    }
    log_start();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    for (int i = 0; i < SIDES; i++) {
        open_side(&threads[i], i);
        open_side(&processes[i], i);
    }
    children[SIDES] = fork_sides(threads, SIDES);
    for (int i = 0; i < SIDES; i++) {
        children[i] = fork_sides(&processes[i], 1);
    }
    measure_kind(threads, processes, 0);
    measure_kind(threads, processes, 1);
    for (int i = 0; i <= SIDES; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    munmap(shared, 4096);
    log_remove();
}

BENCH_GROUP(many, many_rows, run_many);
