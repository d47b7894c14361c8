/* SPDX-License-Identifier: MIT */
#include "support/way_back.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATES = 1 << 16, EDGES = 1 << 22, CALLS = 96, NOT_MADE = UINT32_MAX };

/* One call, or the few that set one thing. */
struct call {
    uint64_t argument[3];
    unsigned kind; /* a bit of enum denied */
};

/* In memory that the children share. */
static struct memory {
    uint32_t state_count, call_count;
    struct thread_view states[STATES];
    uint32_t state_table[2 * STATES]; /* number of a state, from 1 */
    struct {
        uint64_t key; /* of a state and a call */
        uint32_t next;
    } edges[EDGES];
    struct thread_view made[CALLS]; /* what came of the calls that are tried just now */
    bool is_made[CALLS];
    uint32_t round[STATES]; /* of the search that has seen the state last */
    uint32_t queue[STATES];
} * memory;

/* ---- states and edges ------------------------------------------------------------------------ */

static uint32_t number_of(const struct thread_view *state)
{
    uint64_t at = support_hash(state, sizeof(*state), 0) % (2 * STATES);

    for (; memory->state_table[at] != 0; at = (at + 1) % (2 * STATES)) {
        uint32_t number = memory->state_table[at] - 1;
        if (thread_view_same(&memory->states[number], state)) {
            return number;
        }
    }
    if (memory->state_count == STATES) {
        return NOT_MADE;
    }
    memory->states[memory->state_count] = *state;
    memory->state_table[at] = ++memory->state_count;
    return memory->state_count - 1;
}

/* Where the edge is, or is to be. */
static uint64_t edge_at(uint32_t state, const struct call *call)
{
    uint64_t key = support_hash(call, sizeof(*call), support_hash(&state, sizeof(state), 0));
    uint64_t at = key % EDGES;

    while (memory->edges[at].key != 0 && memory->edges[at].key != key) {
        at = (at + 1) % EDGES;
    }
    if (memory->edges[at].key == 0) {
        memory->edges[at].next = NOT_MADE;
        memory->edges[at].key = key;
    }
    return at;
}

/* ---- for real -------------------------------------------------------------------------------- */

static bool set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

static void set_ambient(uint64_t ambient)
{
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        (void)prctl(PR_CAP_AMBIENT,
                    (ambient >> i & 1) != 0 ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, i, 0, 0);
    }
}

/* The bit that makes uids and capabilities independent of one another comes first, and all that is
 * given up comes last. Whether it came true is for the caller to see. */
static void become(const struct thread_view *state)
{
    struct thread_view now;

    if (!thread_view_read(&now)) {
        return;
    }
    (void)prctl(PR_SET_SECUREBITS, now.securebits | SECBIT_NO_SETUID_FIXUP);
    (void)syscall(SYS_setgroups, state->group_count, state->groups);
    (void)syscall(SYS_setresgid, state->gid[0], state->gid[1], state->gid[2]);
    (void)syscall(SYS_setfsgid, state->gid[3]);
    (void)syscall(SYS_setresuid, state->uid[0], state->uid[1], state->uid[2]);
    (void)syscall(SYS_setfsuid, state->uid[3]);
    (void)set_caps(now.permitted, now.permitted, state->inheritable);
    set_ambient(state->ambient);
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if ((now.bounding >> i & 1) != 0 && (state->bounding >> i & 1) == 0) {
            (void)prctl(PR_CAPBSET_DROP, i);
        }
    }
    (void)prctl(PR_SET_SECUREBITS, state->securebits);
    (void)set_caps(state->effective, state->permitted, state->inheritable);
    if (state->no_new_privs != 0) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
}

static void make(const struct call *call, const struct thread_view *goal)
{
    const uint64_t *argument = call->argument;

    switch (call->kind) {
    case SETGROUPS:
        (void)syscall(SYS_setgroups, goal->group_count, goal->groups);
        return;
    case SETRESGID:
        (void)syscall(SYS_setresgid, goal->gid[0], goal->gid[1], goal->gid[2]);
        return;
    case SETFSGID:
        (void)syscall(SYS_setfsgid, argument[0]);
        return;
    case SETRESUID:
        (void)syscall(SYS_setresuid, argument[0], argument[1], argument[2]);
        return;
    case SETFSUID:
        (void)syscall(SYS_setfsuid, argument[0]);
        return;
    case CAPSET:
        (void)set_caps(argument[0], argument[1], argument[2]);
        return;
    case KEEPCAPS:
        (void)prctl(PR_SET_KEEPCAPS, argument[0], 0, 0, 0);
        return;
    case SECUREBITS:
        (void)prctl(PR_SET_SECUREBITS, argument[0], 0, 0, 0);
        return;
    default:
        set_ambient(argument[0]);
    }
}

struct attempt {
    const struct call *call;
    const struct thread_view *goal;
    unsigned at;
};

static int attempt(void *context)
{
    const struct attempt *attempt = context;

    make(attempt->call, attempt->goal);
    memory->is_made[attempt->at] = thread_view_read(&memory->made[attempt->at]);
    return 0;
}

/* In a child that is nothing yet. Each call is made by a process that shares the memory and nothing
 * else, as after vfork(2). */
static void try_calls(const struct thread_view *state, const struct thread_view *goal,
                      const struct call *calls, unsigned count)
{
    static _Alignas(64) char stack[65536];
    struct thread_view now;

    become(state);
    if (!thread_view_read(&now) || !thread_view_same(&now, state)) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        struct attempt context = {&calls[i], goal, i};
        int child =
            clone(attempt, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &context);
        if (child < 0 || waitpid(child, NULL, 0) != child) {
            return;
        }
    }
}

/* Fills in the edges of the calls that are not known yet; false when they cannot be had. */
static bool learn(uint32_t state, const struct thread_view *goal, const struct call *calls,
                  unsigned count)
{
    struct call unknown[CALLS];
    unsigned unknown_count = 0;

    for (unsigned i = 0; i < count; i++) {
        if (memory->edges[edge_at(state, &calls[i])].next == NOT_MADE) {
            unknown[unknown_count++] = calls[i];
        }
    }
    if (unknown_count == 0) {
        return true;
    }
    memset(memory->is_made, 0, sizeof(memory->is_made));
    pid_t child = fork();
    if (child == 0) {
        try_calls(&memory->states[state], goal, unknown, unknown_count);
        _exit(0);
    }
    bool known = child > 0 && waitpid(child, NULL, 0) == child;
    for (unsigned i = 0; i < unknown_count && known; i++) {
        uint32_t next = memory->is_made[i] ? number_of(&memory->made[i]) : (uint32_t)NOT_MADE;
        memory->edges[edge_at(state, &unknown[i])].next = next;
        known = next != NOT_MADE;
    }
    memory->call_count += unknown_count;
    return known && memory->call_count < EDGES / 2;
}

/* ---- which calls are worth a try ------------------------------------------------------------- */

struct list {
    struct call calls[CALLS];
    unsigned count, denied;
};

static void add(struct list *list, unsigned kind, uint64_t a, uint64_t b, uint64_t c)
{
    struct call call = {{a, b, c}, kind};

    for (unsigned i = 0; i < list->count; i++) {
        if (memcmp(&list->calls[i], &call, sizeof(call)) == 0) {
            return;
        }
    }
    if ((list->denied & kind) == 0 && list->count < CALLS) {
        list->calls[list->count++] = call;
    }
}

enum { ANOTHER_ID = 77 };

/* Of a uid it matters whether it is 0, whether it is what is wanted, and whether the thread has it:
 * so as the effective one each of these is tried and another, and as the real and the saved one
 * those that can stay. */
static void add_uids(struct list *list, const struct thread_view *now,
                     const struct thread_view *goal)
{
    const uint32_t effective[] = {now->uid[1], goal->uid[1], 0,
                                  ANOTHER_ID,  now->uid[0],  now->uid[2]};

    for (unsigned i = 0; i < 54; i++) {
        const uint32_t real[] = {now->uid[0], goal->uid[0], 0},
                       saved[] = {now->uid[2], goal->uid[2], 0};
        add(list, SETRESUID, real[i % 3], effective[i / 9], saved[i / 3 % 3]);
    }
    const uint32_t fs[] = {goal->uid[3], 0, ANOTHER_ID, now->uid[0], now->uid[1], now->uid[2]};
    for (unsigned i = 0; i < 6; i++) {
        add(list, SETFSUID, fs[i], 0, 0);
    }
}

static void list_ways(struct list *list, const struct thread_view *now,
                      const struct thread_view *goal)
{
    add_uids(list, now, goal);
    add(list, KEEPCAPS, 0, 0, 0);
    add(list, KEEPCAPS, 1, 0, 0);
    add(list, SECUREBITS, goal->securebits, 0, 0);
    add(list, SECUREBITS, now->securebits | SECBIT_NO_SETUID_FIXUP, 0, 0);
    add(list, SECUREBITS, now->securebits | SECBIT_KEEP_CAPS, 0, 0);
    add(list, SECUREBITS, now->securebits & ~(unsigned)SECBIT_NO_SETUID_FIXUP, 0, 0);
    add(list, CAPSET, goal->effective, now->permitted, goal->inheritable);
}

/*
 * What does no harm at any time and is done as soon as it can be, so that its order is no choice:
 * nothing else depends on groups and gids; the inheritable set, once right, is not changed by any
 * other call; an ambient set that was emptied is raised again; more effective capabilities are
 * never in the way while capset(2) can take them back in the end.
 */
static void list_gains(struct list *list, const struct thread_view *now,
                       const struct thread_view *goal)
{
    if (now->effective != now->permitted) {
        add(list, CAPSET, now->permitted, now->permitted, now->inheritable);
    }
    if (now->inheritable != goal->inheritable) {
        add(list, CAPSET, now->effective, now->permitted, goal->inheritable);
    }
    if (now->group_count != goal->group_count ||
        memcmp(now->groups, goal->groups, sizeof(now->groups)) != 0) {
        add(list, SETGROUPS, support_hash(goal->groups, sizeof(goal->groups), 0), 0, 0);
    }
    if (memcmp(now->gid, goal->gid, 3 * sizeof(*now->gid)) != 0) {
        add(list, SETRESGID, goal->gid[0], goal->gid[1], goal->gid[2]);
    }
    if (now->gid[3] != goal->gid[3]) {
        add(list, SETFSGID, goal->gid[3], 0, 0);
    }
    if (now->ambient != goal->ambient) {
        add(list, AMBIENT, goal->ambient, 0, 0);
    }
}

/* ---- the search ------------------------------------------------------------------------------ */

/* What no permitted call, or no call at all, can change and that differs. */
static bool is_lost(const struct thread_view *now, const struct thread_view *goal, unsigned denied)
{
    const size_t three = 3 * sizeof(*now->uid);

    return ((denied & SETGROUPS) != 0 &&
            (now->group_count != goal->group_count ||
             memcmp(now->groups, goal->groups, sizeof(now->groups)) != 0)) ||
           ((denied & SETRESGID) != 0 && memcmp(now->gid, goal->gid, three) != 0) ||
           ((denied & SETRESUID) != 0 && memcmp(now->uid, goal->uid, three) != 0) ||
           ((denied & CAPSET) != 0 && now->inheritable != goal->inheritable) ||
           (goal->permitted & ~now->permitted) != 0 || (goal->bounding & ~now->bounding) != 0 ||
           now->no_new_privs != goal->no_new_privs ||
           (now->securebits & ~goal->securebits & SECURE_ALL_LOCKS) != 0;
}

/* Follows what does no harm; NOT_MADE when something cannot be tried. */
static uint32_t improve(uint32_t state, const struct thread_view *goal, unsigned denied)
{
    for (int step = 0; step < 32; step++) {
        struct list list = {.count = 0, .denied = denied};
        uint32_t next = state;

        list_gains(&list, &memory->states[state], goal);
        if (!learn(state, goal, list.calls, list.count)) {
            return NOT_MADE;
        }
        for (unsigned i = 0; i < list.count && next == state; i++) {
            next = memory->edges[edge_at(state, &list.calls[i])].next;
        }
        if (next == state) {
            break;
        }
        state = next;
    }
    return state;
}

struct search {
    const struct thread_view *goal;
    unsigned denied;
    uint32_t round, count;
};

static enum way see(struct search *search, uint32_t state)
{
    if (thread_view_same(&memory->states[state], search->goal)) {
        return WAY_FOUND;
    }
    state = improve(state, search->goal, search->denied);
    if (state == NOT_MADE) {
        return WAY_UNKNOWN;
    }
    if (thread_view_same(&memory->states[state], search->goal)) {
        return WAY_FOUND;
    }
    if (memory->round[state] != search->round &&
        !is_lost(&memory->states[state], search->goal, search->denied)) {
        memory->round[state] = search->round;
        memory->queue[search->count++] = state;
    }
    return WAY_NONE;
}

static enum way expand(struct search *search, uint32_t state)
{
    struct list list = {.count = 0, .denied = search->denied};
    enum way way = WAY_NONE;

    list_ways(&list, &memory->states[state], search->goal);
    if (!learn(state, search->goal, list.calls, list.count)) {
        return WAY_UNKNOWN;
    }
    for (unsigned i = 0; i < list.count && way == WAY_NONE; i++) {
        way = see(search, memory->edges[edge_at(state, &list.calls[i])].next);
    }
    return way;
}

enum way way_back_search(const struct thread_view *now, const struct thread_view *goal,
                         unsigned denied)
{
    static uint32_t round;
    struct search search = {goal, denied, ++round, 0};
    const uint32_t start = number_of(now);

    if (is_lost(now, goal, denied)) {
        return WAY_NONE;
    }
    enum way way = start == NOT_MADE ? WAY_UNKNOWN : see(&search, start);
    for (uint32_t i = 0; i < search.count && way == WAY_NONE; i++) {
        way = expand(&search, memory->queue[i]);
    }
    return way;
}

bool way_back_begin(void)
{
    if (memory != NULL) {
        munmap(memory, sizeof(*memory));
    }
    memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        memory = NULL;
    }
    return memory != NULL;
}

void way_back_count(unsigned *ret_states, unsigned *ret_calls)
{
    *ret_states = memory->state_count;
    *ret_calls = memory->call_count;
}
