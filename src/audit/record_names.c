/* SPDX-License-Identifier: MIT */
/*
 * Asks the directory for the names of users and groups, on a thread of its own; called by encode.c,
 * which waits only a moment.
 *
 * names_find() looks into a table of slots, one for id % NAMES_SLOTS. Where the name is missing or
 * old, the slot is marked and the thread woken; it asks (ask_all()), notes the answer and wakes who
 * waits. Without a thread ask_apart() has a short-lived one ask, with a deadline.
 *
 * Every wait ends: a record waits NAMES_MOMENT, and not at all for NAMES_DISTRUST after that was in
 * vain.
 */
#include "audit/record_names.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/entry.h"
#include "base/fork.h"
#include "base/futex.h"
#include "base/pin.h"
#include "base/process.h"

enum {
    STACK_SIZE = 1024 * 1024, /* a module may bring a whole client library */
    /* A thread without a question for so long ends; a later record starts another. */
    IDLE_SECONDS = 60,
    FAILED_SECONDS = 1, /* until a question that failed is put again */
    SECOND = 1000,
    MILLION = 1000000,
    /* Milliseconds that names_stop() waits. A module of NSS may hang for minutes, and the program
     * that ends must not. */
    STOP_WAIT = 100,
};

/* Times are milliseconds of a clock that cannot be set. */
struct slot {
    uint32_t id;
    bool wanted;   /* to be asked */
    bool answered; /* until `until`; name is empty when the id has no name */
    int64_t until;
    char name[DIRECTORY_NAME];
};

struct names_store {
    pthread_mutex_t lock;
    _Atomic unsigned owners;
    struct slot slots[2][NAMES_SLOTS]; /* by directory_kind */
    int64_t distrusted;                /* until then no record waits */
    int64_t offered;                   /* when a thread was, last */
    bool stopping;
    _Atomic bool running;                   /* changed with the lock held */
    _Atomic uint32_t asked, answers, ended; /* futexes that count */
};

static void wait_ms(_Atomic uint32_t *word, uint32_t value, int64_t milliseconds)
{
    const struct timespec time = {milliseconds / SECOND, milliseconds % SECOND * MILLION};
    futex_wait(word, value, &time);
}

static void count_and_wake(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    futex_wake(word, INT_MAX);
}

/* The log and its thread own the store together; the last of them releases it. */
static void let_go(struct names_store *store)
{
    if (atomic_fetch_sub(&store->owners, 1) == 1) {
        pthread_mutex_destroy(&store->lock);
        base_free(store);
    }
}

bool names_init(struct audit_names *names, names_offer offer, names_alone alone, void *context)
{
    struct names_store *store = base_alloc(1, sizeof(*store));

    *names = (struct audit_names){store, offer, alone, context};
    if (store == NULL) {
        return false;
    }
    pthread_mutex_init(&store->lock, NULL);
    atomic_store(&store->owners, 1);
    return true;
}

void names_destroy(struct audit_names *names)
{
    if (names->store != NULL) {
        names_stop(names);
        let_go(names->store);
        names->store = NULL;
    }
}

/* For fork(2): the child must not inherit the lock of a thread that it does not have. */
void names_lock(struct audit_names *names)
{
    fork_take(&names->store->lock);
}

void names_unlock(struct audit_names *names)
{
    pthread_mutex_unlock(&names->store->lock);
}

/* ---- the thread that asks -----------------------------------------------------------------------
 */

/* With the lock held. */
static struct slot *next_wanted(struct names_store *store, enum directory_kind *ret_kind)
{
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < NAMES_SLOTS; i++) {
            if (store->slots[kind][i].wanted) {
                *ret_kind = (enum directory_kind)kind;
                return &store->slots[kind][i];
            }
        }
    }
    return NULL;
}

/* The answer holds from when it was asked for: what the directory knew then is what it said. A
 * failure is an answer for FAILED_SECONDS only, so that a directory that is down is not asked with
 * each record. */
static void note_answer(struct slot *slot, enum directory_result result, int64_t asked,
                        const struct directory_entry *entry)
{
    if (result != DIRECTORY_FOUND && result != DIRECTORY_NONE) {
        if (slot->until < clock_now_ms()) { /* else the name from before holds */
            slot->answered = true;
            slot->until = clock_now_ms() + FAILED_SECONDS * SECOND;
            slot->name[0] = '\0';
        }
        return;
    }
    memset(slot->name, 0, sizeof(slot->name));
    if (result == DIRECTORY_FOUND) {
        (void)cut_text(entry->name, DIRECTORY_MAX_NAME, slot->name);
    }
    slot->answered = true;
    slot->until = asked + NAMES_SECONDS * SECOND;
}

/* With the lock held, which is given back while the directory is asked. */
static void ask(struct names_store *store, struct slot *slot, enum directory_kind kind)
{
    struct directory_entry entry = {0};
    uint32_t id = slot->id;
    int64_t asked = clock_now_ms();

    slot->wanted = false;
    pthread_mutex_unlock(&store->lock);
    enum directory_result result = directory_by_id(kind, id, DIRECTORY_FOREVER, &entry);
    pthread_mutex_lock(&store->lock);
    if (slot->id == id) {
        note_answer(slot, result, asked, &entry);
    }
    directory_release(&entry);
}

/* False when there is nothing more to do. The count is read before the slots are searched: a
 * question that comes in between ends the wait at once. */
static bool ask_all(struct names_store *store)
{
    enum directory_kind kind = DIRECTORY_USER;
    uint32_t seen = atomic_load(&store->asked);
    struct slot *slot;

    pthread_mutex_lock(&store->lock);
    while (!store->stopping && (slot = next_wanted(store, &kind)) != NULL) {
        ask(store, slot, kind);
        count_and_wake(&store->answers);
    }
    bool stopping = store->stopping;
    pthread_mutex_unlock(&store->lock);
    if (stopping) {
        return false;
    }
    wait_ms(&store->asked, seen, IDLE_SECONDS * SECOND);
    return atomic_load(&store->asked) != seen;
}

/* The thread. It owns a share of the store, and after let_go() touches nothing more. */
static void *answer(void *context)
{
    ENTRY_UNCANCELLED;
    struct names_store *store = context;

    while (ask_all(store)) {
    }
    pthread_mutex_lock(&store->lock);
    store->running = false;
    pthread_mutex_unlock(&store->lock);
    count_and_wake(&store->ended);
    let_go(store);
    return NULL;
}

/* pin_in_memory() since the thread is not joined: after dlclose(3) of the library it would return
 * into code that is gone. */
static bool start_thread(struct names_store *store)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t before;

    if (!pin_in_memory() || pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 &&
                   pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   process_mute(&before);
    if (started) {
        started = pthread_create(&thread, &attributes, answer, store) == 0;
        process_unmute(&before);
    }
    pthread_attr_destroy(&attributes);
    return started;
}

/* The thread's share is taken before it runs, and given back when it could not be started. */
void names_start(struct audit_names *names)
{
    struct names_store *store = names->store;

    pthread_mutex_lock(&store->lock);
    if (!store->running) {
        atomic_fetch_add(&store->owners, 1);
        store->stopping = false;
        store->running = start_thread(store);
        if (!store->running) {
            atomic_fetch_sub(&store->owners, 1);
        }
    }
    pthread_mutex_unlock(&store->lock);
}

bool names_running(const struct audit_names *names)
{
    return atomic_load_explicit(&names->store->running, memory_order_relaxed);
}

/* With a futex, since the thread cannot be joined with a deadline. Does nothing without a
 * thread. */
void names_stop(struct audit_names *names)
{
    struct names_store *store = names->store;
    int64_t end = clock_now_ms() + STOP_WAIT;

    pthread_mutex_lock(&store->lock);
    store->stopping = store->running;
    pthread_mutex_unlock(&store->lock);
    count_and_wake(&store->asked);
    for (;;) {
        uint32_t seen = atomic_load(&store->ended);
        int64_t left = end - clock_now_ms();
        if (!names_running(names) || left <= 0) {
            return;
        }
        wait_ms(&store->ended, seen, left);
    }
}

/* The parent's thread does not come into the child, and gives nothing back there. */
void names_forget(struct audit_names *names)
{
    struct names_store *store = names->store;

    pthread_mutex_lock(&store->lock);
    store->running = false;
    store->stopping = false;
    atomic_store(&store->owners, 1);
    for (int i = 0; i < 2 * NAMES_SLOTS; i++) {
        store->slots[i / NAMES_SLOTS][i % NAMES_SLOTS].wanted = false;
    }
    pthread_mutex_unlock(&store->lock);
}

/* ---- who needs a name ---------------------------------------------------------------------------
 */

/* What is known about an id now. NO_NAME is an answer: the directory was asked and has none. */
enum known { UNKNOWN, NO_NAME, NAME };

/* With the lock held. */
static enum known recall(const struct slot *slot, uint32_t id, int64_t now,
                         char name[DIRECTORY_NAME])
{
    if (!slot->answered || slot->id != id || slot->until < now) {
        return UNKNOWN;
    }
    memcpy(name, slot->name, strlen(slot->name) + 1);
    return name[0] != '\0' ? NAME : NO_NAME;
}

/* With the lock held. Half of its time before a name ends it is asked for again. */
static bool is_fresh(const struct slot *slot, enum known known, int64_t now)
{
    return known == NO_NAME || (known == NAME && slot->until - now > NAMES_SECONDS * SECOND / 2);
}

/* With the lock held. True: the question is new, and the thread must be woken. */
static bool want(struct slot *slot, uint32_t id, enum known known, int64_t now)
{
    if (is_fresh(slot, known, now)) {
        return false;
    }
    if (slot->id != id) {
        slot->id = id;
        slot->answered = false;
        slot->until = 0;
    }
    bool new = !slot->wanted;
    slot->wanted = true;
    return new;
}

/* With the lock held, which is given back meanwhile. The moment is given once: when it was in vain,
 * the directory is not trusted to be quick. */
static enum known wait_a_moment(struct names_store *store, struct slot *slot, uint32_t id,
                                char name[DIRECTORY_NAME])
{
    int64_t end = clock_now_ms() + NAMES_MOMENT;
    enum known known = UNKNOWN;

    for (int64_t now = clock_now_ms(); known == UNKNOWN && now < end; now = clock_now_ms()) {
        uint32_t seen = atomic_load(&store->answers);
        pthread_mutex_unlock(&store->lock);
        wait_ms(&store->answers, seen, end - now);
        pthread_mutex_lock(&store->lock);
        known = recall(slot, id, clock_now_ms(), name);
    }
    if (known == UNKNOWN) {
        store->distrusted = clock_now_ms() + NAMES_DISTRUST * SECOND;
    }
    return known;
}

/* Without a thread that stays. With the lock held, as above. */
static enum known ask_apart(struct names_store *store, struct slot *slot, enum directory_kind kind,
                            uint32_t id, char name[DIRECTORY_NAME])
{
    struct directory_entry entry = {0};
    int64_t asked = clock_now_ms();

    slot->wanted = false;
    pthread_mutex_unlock(&store->lock);
    enum directory_result result = directory_by_id(kind, id, NAMES_MOMENT, &entry);
    pthread_mutex_lock(&store->lock);
    if (slot->id == id) {
        note_answer(slot, result, asked, &entry);
    }
    directory_release(&entry);
    if (result == DIRECTORY_FAILED && entry.error == ETIMEDOUT) {
        store->distrusted = clock_now_ms() + NAMES_DISTRUST * SECOND;
    }
    return recall(slot, id, clock_now_ms(), name);
}

/* With the lock held. While the directory is not trusted no record waits for a name, and it comes
 * soon enough when a thread is offered once in a second. */
static bool is_offered(const struct names_store *store, const struct slot *slot, enum known known,
                       int64_t now)
{
    return (known == NAME && slot->wanted) || /* once for each name that is to be renewed */
           (store->distrusted >= now && now - store->offered < SECOND);
}

/* With the lock held, which is given back meanwhile. Only here, and not with each record: whether a
 * thread may be started takes system calls. */
static enum known recall_or_offer(const struct audit_names *names, const struct slot *slot,
                                  uint32_t id, int64_t now, char name[DIRECTORY_NAME])
{
    struct names_store *store = names->store;
    enum known known = recall(slot, id, now, name);

    if (store->running || is_offered(store, slot, known, now) || is_fresh(slot, known, now)) {
        return known;
    }
    store->offered = now;
    pthread_mutex_unlock(&store->lock);
    names->offer(names->context);
    pthread_mutex_lock(&store->lock);
    return recall(slot, id, now, name);
}

/* Recalls the name, asks for it where that is due, and waits at most a moment. An id whose slot
 * another one has takes the slot over: names are looked up again, which is slow but right. */
static enum known find(const struct audit_names *names, enum directory_kind kind, uint32_t id,
                       char name[DIRECTORY_NAME])
{
    struct names_store *store = names->store;
    struct slot *slot = &store->slots[kind][id % NAMES_SLOTS];
    int64_t now = clock_tick_ms(); /* an answer is kept for a tick longer */

    pthread_mutex_lock(&store->lock);
    enum known known = recall_or_offer(names, slot, id, now, name);
    if (want(slot, id, known, now)) {
        count_and_wake(&store->asked);
    }
    if (known == UNKNOWN && !store->stopping && store->distrusted < now) {
        if (store->running) {
            known = wait_a_moment(store, slot, id, name);
        } else if (names->alone(names->context)) {
            known = ask_apart(store, slot, kind, id, name);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return known;
}

/* Keeps errno: a record is made between a failed call of the program and its look at errno. */
bool names_find(struct audit_names *names, enum directory_kind kind, uint32_t id,
                char name[DIRECTORY_NAME])
{
    if (names == NULL) {
        return directory_name(kind, id, DIRECTORY_FOREVER, name) == DIRECTORY_FOUND;
    }
    int before = errno;
    bool found = find(names, kind, id, name) == NAME;
    errno = before;
    return found;
}
