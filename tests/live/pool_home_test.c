/* SPDX-License-Identifier: MIT */
/*
 * A pool of 16 threads serves requests of many users and calls a plug-in in each. In 1 of 1,000 the
 * plug-in leaves its thread changed: by the library or past it, in a way that can be changed back
 * or not. Each is caught before the next request and recorded, and no request is served under a
 * wrong identity; a thread that cannot be changed back ends, and the main thread starts another.
 *
 * Half of the threads are behind a gate of their own: there what goes past the library is refused.
 * REQUESTS is their number: 1,000,000 if unset. With QUICK 20,000, and 1 in 100 is misused, so that
 * each way comes in both halves.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"

enum { THREADS = 16, USERS = 50, FIRST_UID = 40000 };

static struct miguard_home *home;
static struct miguard_target *targets[USERS];
static unsigned one_in = 1000; /* requests is one misused */
static atomic_long requests_left, served, wrong, misuses, caught, refused, ended, acts;
static atomic_long left_switches; /* by the library, of one request or more */
static _Atomic uint64_t next_number;

/* ---- who the thread is, by raw calls ------------------------------------------------------------
 */

/* Root with the groups of root, and nothing else. */
static bool is_home(void)
{
    uid_t uid[3] = {1, 1, 1};
    gid_t gid[3] = {1, 1, 1}, groups[8];

    syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]);
    syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]);
    return uid[0] == 0 && uid[1] == 0 && uid[2] == 0 && gid[0] == 0 && gid[1] == 0 && gid[2] == 0 &&
           syscall(SYS_setfsuid, -1) == 0 && syscall(SYS_setfsgid, -1) == 0 &&
           syscall(SYS_getgroups, 8, groups) == 1 && groups[0] == 0;
}

static bool is_user(unsigned user)
{
    const uid_t id = FIRST_UID + user;

    return (uid_t)syscall(SYS_getuid) == id && (uid_t)syscall(SYS_geteuid) == id &&
           (uid_t)syscall(SYS_setfsuid, -1) == id && (gid_t)syscall(SYS_getegid) == id &&
           syscall(SYS_getgroups, 0, NULL) == 0;
}

/* ---- the plug-in
 * --------------------------------------------------------------------------------- */

static bool by_setresuid(unsigned user)
{
    return raw_setresuid((uid_t)-1, FIRST_UID + user, (uid_t)-1);
}

static bool by_setfsuid(unsigned user)
{
    return raw_setfsuid(FIRST_UID + user);
}

static bool by_setgroups(unsigned user)
{
    const gid_t groups[] = {FIRST_UID + user, 0};
    return raw_setgroups(user % 2 == 0 ? 0 : 2, groups);
}

/* As sshd and many others, with the groups forgotten on the way back. */
static bool by_half_a_way_back(unsigned user)
{
    return by_setgroups(user) && raw_setresgid((gid_t)-1, FIRST_UID + user, (gid_t)-1) &&
           by_setresuid(user) && raw_setresuid((uid_t)-1, 0, (uid_t)-1) &&
           raw_setresgid((gid_t)-1, 0, (gid_t)-1);
}

/* As a PAM module that drops: there is no way back. */
static bool by_dropping(unsigned user)
{
    return raw_become(FIRST_UID + user, FIRST_UID + user);
}

static bool by_the_library(unsigned user)
{
    const unsigned count = 1 + user % MIGUARD_SWITCH_DEPTH;

    for (unsigned i = 0; i < count; i++) {
        if (miguard_switch_to(targets[(user + i) % USERS], NULL) != MIGUARD_OK) {
            return false;
        }
    }
    atomic_fetch_add(&left_switches, count);
    return true;
}

static bool by_both(unsigned user)
{
    return by_the_library(user) && (by_setfsuid(0) || true);
}

static bool by_no_new_privs(unsigned user)
{
    (void)user;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool (*const misuse[])(unsigned user) = {
    by_setresuid,       by_the_library, by_setfsuid, by_setgroups,    by_both,
    by_half_a_way_back, by_the_library, by_dropping, by_no_new_privs,
};
enum { WAYS = sizeof(misuse) / sizeof(misuse[0]) };

/* True when it left the thread changed. */
static bool plug_in(uint64_t number)
{
    if (number % one_in != one_in - 1) {
        return false;
    }
    atomic_fetch_add(&misuses, 1);
    bool changed = misuse[number / one_in % WAYS]((unsigned)(number / one_in % USERS));
    atomic_fetch_add(changed ? &acts : &refused, 1);
    return changed;
}

/* ---- the pool
 * ------------------------------------------------------------------------------------ */

struct job {
    uint64_t number;
    bool good;
};

static void act(void *argument)
{
    struct job *job = argument;
    job->good = is_user((unsigned)(job->number % USERS));
}

/* A request of a user: one in eight acts as the user. */
static bool serve(uint64_t number)
{
    struct job job = {number, true};

    if (!is_home()) {
        return false;
    }
    if (number % 8 == 0 &&
        miguard_call_as(targets[number % USERS], act, &job, NULL) != MIGUARD_OK) {
        return false;
    }
    return job.good && is_home();
}

/* False: the thread must end. Whatever was left is found, and nothing where nothing was left. */
static bool end_request(bool changed)
{
    miguard_components found = 0;
    unsigned switches = 0;

    enum miguard_status status = miguard_home_return(home, &found, &switches, NULL);
    bool noticed = found != 0 || switches != 0;
    atomic_fetch_add(&caught, noticed);
    atomic_fetch_add(&wrong, noticed != changed || (status == MIGUARD_OK && !is_home()));
    atomic_fetch_add(&ended, status != MIGUARD_OK);
    return status == MIGUARD_OK;
}

static sem_t thread_ended;

static void *work(void *gated)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = MIGUARD_GATE_THREAD;
    options.report = 0;
    if (gated != NULL && miguard_gate_close(&options, NULL) != MIGUARD_OK) {
        atomic_fetch_add(&wrong, 1);
    }
    while (atomic_fetch_sub(&requests_left, 1) > 0) {
        const uint64_t number = atomic_fetch_add(&next_number, 1);
        atomic_fetch_add(&wrong, !serve(number));
        atomic_fetch_add(&served, 1);
        if (!end_request(plug_in(number))) {
            break;
        }
    }
    sem_post(&thread_ended);
    return NULL;
}

static bool start(bool gated)
{
    pthread_t thread;
    static char yes;

    return pthread_create(&thread, NULL, work, gated ? &yes : NULL) == 0 &&
           pthread_detach(thread) == 0;
}

/* A thread that ends early has a successor, which the main thread starts: it is at home. */
static bool run(bool gates)
{
    long seen = 0;
    int running = 0;

    for (; running < THREADS; running++) {
        if (!start(gates && running % 2 == 0)) {
            return false;
        }
    }
    while (running > 0) {
        while (sem_wait(&thread_ended) != 0) {
        }
        running--;
        for (; seen < atomic_load(&ended); seen++, running++) {
            if (!start(false)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- figures
 * ------------------------------------------------------------------------------------- */

static unsigned passed, failed;

static void check(bool good, const char *what)
{
    passed += good;
    failed += !good;
    printf("%s %s\n", good ? "ok" : "FAIL", what);
}

static bool make_targets(void)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    for (unsigned i = 0; i < USERS; i++) {
        if (miguard_target_ids(FIRST_UID + i, FIRST_UID + i, &none, &targets[i], NULL) !=
            MIGUARD_OK) {
            return false;
        }
    }
    return true;
}

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static long requests(void)
{
    const char *text = getenv("REQUESTS");
    return text != NULL ? atol(text) : getenv("QUICK") != NULL ? 20000 : 1000000;
}

int main(void)
{
    static const gid_t root_group = 0;
    const long total = requests();
    one_in = total < 100000 ? 100 : 1000;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (geteuid() != 0) {
        printf("skip: a pool: changing credentials needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    const bool gates = raw_in_child(can_close, NULL);
    if (!gates) {
        printf("skip: threads behind a gate: none is available\n");
    }
    log_start();
    sem_init(&thread_ended, 0, 0);
    atomic_store(&requests_left, total);
    if (!raw_setgroups(1, &root_group) || !make_targets() ||
        miguard_home_capture(&home, NULL) != MIGUARD_OK || !run(gates)) {
        printf("0 passed, 1 failed\n");
        return 1;
    }
    const long records = log_count("restore", "left-switched"),
               lost = log_count("restore", "not-restored");
    printf("%ld requests on %d threads; the plug-in misused %ld: %ld left the thread changed (%ld "
           "switches by the library among them), %ld were refused by the gate\n",
           served, THREADS, misuses, acts, left_switches, refused);
    printf("%ld caught before the next request, %ld changed back, %ld threads ended; %ld and %ld "
           "records; %ld served or given back under a wrong identity\n",
           caught, caught - ended, ended, records, lost, wrong);
    check(served == total, "every request was served");
    check(wrong == 0, "none under a wrong identity");
    check(misuses == total / one_in && acts > 0 && acts + refused == misuses, "some misused it");
    check(caught == acts, "each was caught before the next request");
    check(records == caught - ended && lost == ended, "each was recorded");
    check(ended > 0 && ended < caught, "some threads had to end");
    check(!gates || refused > 0, "the gate refused some");
    printf("%u passed, %u failed, %u skipped\n", passed, failed, gates ? 0U : 1U);
    return failed == 0 ? 0 : 1;
}
