/* SPDX-License-Identifier: MIT */
/* Handles: what is found, what is refused and why, and that nobody gets a dead object. */
#include "base/slots.h"
#include "support/lacks.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 10, ALIVE = 0x600D, DEAD = 0xDEAD };

struct thing {
    char head[16];
    uint64_t name; /* of the handle that leads here */
    _Atomic unsigned state;
    char tail[40];
};

static _Atomic unsigned destroyed;

static void destroy_thing(void *object)
{
    struct thing *thing = object;
    atomic_store(&thing->state, DEAD);
    atomic_fetch_add(&destroyed, 1);
}

static unsigned rounds(unsigned full)
{
    return getenv("QUICK") != NULL ? full / 20 + 1 : full;
}

static struct thing *make(struct slots *table, struct slots_handle *ret_handle)
{
    struct thing *thing = slots_new(table, NULL);
    ck_assert_ptr_nonnull(thing);
    thing->name = slots_handle_of(table, thing).name;
    atomic_store(&thing->state, ALIVE);
    *ret_handle = slots_publish(table, thing);
    return thing;
}

static void end(struct slots *table, struct thing *thing)
{
    ck_assert(slots_retire(table, thing));
    slots_release(table, thing);
}

static enum slots_verdict verdict_of(struct slots *table, struct slots_handle handle)
{
    void *object = NULL;
    enum slots_verdict verdict = slots_acquire(table, handle, &object);
    if (verdict == SLOTS_OK) {
        slots_release(table, object);
    }
    return verdict;
}

/* 1 in the child when body says false. Works with fork(2) and with a clone(2) that no
 * pthread_atfork() handler sees. */
static int in_child(bool raw_clone, bool (*body)(void *context), void *context)
{
    pid_t child = raw_clone ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    if (child == 0) {
        _exit(body(context) ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* ---- one thread ---------------------------------------------------------------------- */

START_TEST(life_of_a_slot)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), destroy_thing, 8);
    static const struct thing zeroed;
    unsigned before = atomic_load(&destroyed);
    void *object = NULL;

    struct thing *thing = slots_new(&table, NULL);
    ck_assert_ptr_nonnull(thing);
    ck_assert_int_eq(memcmp(thing, &zeroed, sizeof(zeroed)), 0);
    ck_assert_uint_eq(slots_in_use(&table), 1);

    struct slots_handle early = slots_handle_of(&table, thing);
    ck_assert_int_eq(verdict_of(&table, early), SLOTS_STALE); /* reserved is not found */

    struct slots_handle handle = slots_publish(&table, thing);
    ck_assert_uint_ne(handle.name, 0);
    ck_assert_uint_ne(handle.check, 0);
    ck_assert_uint_eq(early.name, handle.name);
    ck_assert_uint_eq(early.check, handle.check);
    ck_assert_uint_eq(slots_handle_named(&table, handle.name).check, handle.check);
    ck_assert_int_eq(slots_acquire(&table, handle, &object), SLOTS_OK);
    ck_assert_ptr_eq(object, thing);
    slots_pin(&table, thing);

    ck_assert(slots_retire(&table, thing));
    ck_assert(!slots_retire(&table, thing));
    ck_assert_int_eq(verdict_of(&table, handle), SLOTS_STALE);
    slots_release(&table, thing);
    slots_release(&table, thing);
    ck_assert_uint_eq(atomic_load(&destroyed), before); /* one pin is left */
    ck_assert_uint_eq(slots_in_use(&table), 1);
    slots_release(&table, thing);
    ck_assert_uint_eq(atomic_load(&destroyed), before + 1);
    ck_assert_uint_eq(slots_in_use(&table), 0);
    ck_assert_int_eq(verdict_of(&table, handle), SLOTS_STALE);
    slots_release_all(&table);
}
END_TEST

START_TEST(live_object_outlives_its_pins)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), destroy_thing, 8);
    unsigned before = atomic_load(&destroyed);
    struct slots_handle handle;
    void *object = NULL;

    struct thing *thing = make(&table, &handle);
    slots_release(&table, thing); /* the creator's pin */
    ck_assert_uint_eq(atomic_load(&destroyed), before);
    ck_assert_int_eq(slots_acquire(&table, handle, &object), SLOTS_OK);
    end(&table, object);
    ck_assert_uint_eq(atomic_load(&destroyed), before + 1);
    slots_release_all(&table);
}
END_TEST

START_TEST(reserved_object_can_be_given_up)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 1);
    void *object = slots_new(&table, NULL);

    ck_assert_ptr_nonnull(object);
    ck_assert(!slots_retire(&table, object)); /* it never was live */
    slots_release(&table, object);
    ck_assert_uint_eq(slots_in_use(&table), 0);
    object = slots_new(&table, NULL);
    ck_assert_ptr_nonnull(object);
    slots_release(&table, object);
    slots_release_all(&table);
}
END_TEST

START_TEST(wrong_handles)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 1000);
    static struct slots other = SLOTS_INIT(sizeof(struct thing), NULL, 1000);
    struct slots_handle live, foreign, stale, again;
    struct thing *thing = make(&table, &live);
    struct thing *foreign_thing = make(&other, &foreign);
    end(&table, make(&table, &stale));
    struct thing *late = make(&table, &again);
    const uint64_t one_generation = (uint64_t)1 << 32;

    const struct {
        const char *what;
        struct slots_handle handle;
        enum slots_verdict verdict;
    } rows[] = {
        {"the live one", live, SLOTS_OK},
        {"a copy of it", (struct slots_handle){live.name, live.check}, SLOTS_OK},
        {"nothing", {0, 0}, SLOTS_FORGED},
        {"a name without check", {live.name, 0}, SLOTS_FORGED},
        {"a check without name", {0, live.check}, SLOTS_FORGED},
        {"another handle's check", {live.name, again.check}, SLOTS_FORGED},
        {"the same place of another table", foreign, SLOTS_FORGED},
        {"a stale one", stale, SLOTS_STALE},
        {"a stale one, wrong check", {stale.name, stale.check ^ 1}, SLOTS_FORGED},
        {"a generation to come", slots_handle_named(&table, live.name + one_generation),
         SLOTS_FORGED},
        {"the last generation", {live.name | ~(uint64_t)UINT32_MAX, live.check}, SLOTS_FORGED},
        {"no generation", {live.name & UINT32_MAX, live.check}, SLOTS_FORGED},
        {"index never used", slots_handle_named(&table, one_generation + 200), SLOTS_FORGED},
        {"chunk never used", slots_handle_named(&table, one_generation + 100000), SLOTS_FORGED},
        {"index beyond the table", slots_handle_named(&table, one_generation + 0x100001),
         SLOTS_FORGED},
        {"the last index", slots_handle_named(&table, one_generation + UINT32_MAX), SLOTS_FORGED},
        {"index -1", slots_handle_named(&table, one_generation), SLOTS_FORGED},
        {"all ones", {UINT64_MAX, UINT64_MAX}, SLOTS_FORGED},
    };
    ck_assert_uint_eq(live.name, foreign.name);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *object = &table;
        enum slots_verdict verdict = slots_acquire(&table, rows[i].handle, &object);
        ck_assert_msg(verdict == rows[i].verdict, "%s: %d instead of %d", rows[i].what,
                      (int)verdict, (int)rows[i].verdict);
        ck_assert_msg(object == (verdict == SLOTS_OK ? (void *)thing : (void *)&table),
                      "%s: object set", rows[i].what);
        if (verdict == SLOTS_OK) {
            slots_release(&table, object);
        }
    }
    end(&table, thing);
    end(&table, late);
    end(&other, foreign_thing);
    slots_release_all(&table);
    slots_release_all(&other);
}
END_TEST

/* By the name alone the same is found, and the rest is told apart as far as a name goes. */
START_TEST(names_without_a_check)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 8);
    struct slots_handle live, stale;
    struct thing *thing = make(&table, &live);
    end(&table, make(&table, &stale));

    const struct {
        uint64_t name;
        enum slots_verdict verdict;
    } rows[] = {
        {live.name, SLOTS_OK},
        {stale.name, SLOTS_STALE},
        {0, SLOTS_FORGED},
        {live.name + ((uint64_t)1 << 32), SLOTS_FORGED},
        {live.name + 2, SLOTS_FORGED}, /* the next that this thread gets */
        {live.name + 100, SLOTS_FORGED},
        {live.name + 100000, SLOTS_FORGED},
        {UINT64_MAX, SLOTS_FORGED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *object = NULL;
        ck_assert_int_eq(slots_acquire_named(&table, rows[i].name, &object), rows[i].verdict);
        ck_assert_ptr_eq(object, rows[i].verdict == SLOTS_OK ? (void *)thing : NULL);
    }
    slots_release(&table, thing);
    end(&table, thing);
    slots_release_all(&table);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 8);
    struct slots_handle handle;
    struct thing *thing = make(&table, &handle);

    for (unsigned bit = 0; bit < 64; bit++) {
        struct slots_handle name = {handle.name ^ (uint64_t)1 << bit, handle.check};
        struct slots_handle check = {handle.name, handle.check ^ (uint64_t)1 << bit};
        ck_assert_int_eq(verdict_of(&table, name), SLOTS_FORGED);
        ck_assert_int_eq(verdict_of(&table, check), SLOTS_FORGED);
    }
    ck_assert_int_eq(verdict_of(&table, handle), SLOTS_OK);
    end(&table, thing);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct slots_handle check = {handle.name, handle.check ^ (uint64_t)1 << bit};
        ck_assert_int_eq(verdict_of(&table, check), SLOTS_FORGED);
    }
    slots_release_all(&table);
}
END_TEST

/* The same memory is used again, under another generation, and never finds its former owner. */
START_TEST(reuse_changes_the_generation)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 100000);
    struct slots_handle first, handle, previous = {0, 0};
    struct thing *thing = make(&table, &first);
    unsigned reused = 0;

    memset(thing->tail, 'x', sizeof(thing->tail));
    end(&table, thing);
    for (unsigned i = 0; i < 4 * SLOTS_PER_CHUNK; i++) {
        struct thing *next = make(&table, &handle);
        ck_assert_uint_ne(handle.name, first.name);
        ck_assert_uint_ne(handle.name, previous.name);
        ck_assert_int_eq(next->tail[0], '\0');
        if (next == thing) {
            ck_assert_uint_gt(handle.name >> 32, first.name >> 32);
            ck_assert_uint_eq((uint32_t)handle.name, (uint32_t)first.name);
            reused++;
        }
        ck_assert_int_eq(verdict_of(&table, first), SLOTS_STALE);
        ck_assert_int_eq(verdict_of(&table, handle), SLOTS_OK);
        if (i < SLOTS_PER_CHUNK - 1) {
            ck_assert_ptr_ne(next, thing); /* still in quarantine */
        }
        end(&table, next);
        previous = handle;
    }
    ck_assert_uint_ge(reused, 3);
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

START_TEST(limit_is_told_apart)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 300);
    struct thing *things[300];
    bool limit = true;
    struct slots_handle handle;

    for (unsigned i = 0; i < 300; i++) {
        things[i] = slots_new(&table, &limit);
        ck_assert_ptr_nonnull(things[i]);
        ck_assert(!limit);
        (void)slots_publish(&table, things[i]);
    }
    ck_assert_ptr_null(slots_new(&table, &limit));
    ck_assert(limit);
    ck_assert_ptr_null(slots_new(&table, NULL));
    ck_assert(slots_retire(&table, things[7]));
    ck_assert_ptr_null(slots_new(&table, &limit)); /* retired, but still pinned */
    slots_release(&table, things[7]);
    things[7] = make(&table, &handle);
    ck_assert_ptr_null(slots_new(&table, &limit));
    ck_assert_uint_eq(slots_in_use(&table), 300);
    for (unsigned i = 0; i < 300; i++) {
        end(&table, things[i]);
    }
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

enum { GENERATIONS = 3, ALIVE_AT_ONCE = 5, MOST = 600 };

/* The whole life of a table whose slots serve three objects each. No name comes twice, and what was
 * given out before stays stale whatever becomes of its slot. */
START_TEST(a_generation_never_comes_round)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, ALIVE_AT_ONCE);
    static struct slots_handle given[MOST * GENERATIONS + 1];
    static unsigned char seen[MOST + 1][GENERATIONS + 1];
    unsigned count = 0;
    bool limit = true;

    slots_set_bounds(&table, MOST, GENERATIONS);
    slots_set_bounds(&table, UINT32_MAX, UINT32_MAX); /* never raises them */
    for (void *object; (object = slots_new(&table, &limit)) != NULL; count++) {
        ck_assert_uint_lt(count, MOST * GENERATIONS);
        ck_assert(!slots_spent(&table) || count == MOST * GENERATIONS - 1);
        given[count] = slots_publish(&table, object);
        uint32_t index = (uint32_t)given[count].name;
        uint64_t generation = given[count].name >> 32;
        ck_assert_uint_le(index, MOST);
        ck_assert(generation >= 1 && generation <= GENERATIONS);
        ck_assert_uint_eq(seen[index][generation]++, 0);
        ck_assert_int_eq(verdict_of(&table, given[count]), SLOTS_OK);
        end(&table, object);
        ck_assert_uint_eq(slots_in_use(&table), 0);
        ck_assert_int_eq(verdict_of(&table, given[count / 2]), SLOTS_STALE);
    }
    ck_assert_uint_eq(count, MOST * GENERATIONS);
    ck_assert(!limit);
    ck_assert(slots_spent(&table));
    ck_assert_ptr_null(slots_new(&table, NULL));
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(verdict_of(&table, given[i]), SLOTS_STALE);
        struct slots_handle next =
            slots_handle_named(&table, given[i].name + ((uint64_t)GENERATIONS << 32));
        ck_assert_int_eq(verdict_of(&table, next), SLOTS_FORGED);
    }
    slots_release_all(&table);
}
END_TEST

/* The limit is on what is alive: slots that were left do not count. */
START_TEST(slots_that_were_left_do_not_count)
{
    static struct slots table = SLOTS_INIT_BOUNDED(sizeof(struct thing), NULL, ALIVE_AT_ONCE, 1);
    struct thing *things[ALIVE_AT_ONCE];
    struct slots_handle handle;

    for (unsigned round = 0; round < 100; round++) {
        bool limit = false;
        for (unsigned i = 0; i < ALIVE_AT_ONCE; i++) {
            things[i] = make(&table, &handle);
        }
        ck_assert_uint_eq(slots_in_use(&table), ALIVE_AT_ONCE);
        ck_assert_ptr_null(slots_new(&table, &limit));
        ck_assert(limit);
        ck_assert(!slots_spent(&table));
        for (unsigned i = 0; i < ALIVE_AT_ONCE; i++) {
            end(&table, things[i]);
        }
        ck_assert_uint_eq(slots_in_use(&table), 0);
    }
    slots_release_all(&table);
}
END_TEST

/* The same at the end of 32 bits, with a slot that is put there: its state is its first word, the
 * generation the high half of that. */
START_TEST(the_last_of_all_generations_is_the_last)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 1);
    struct slots_handle handle, last;
    struct thing *thing = make(&table, &handle);

    end(&table, thing);
    unsigned char *chunk = atomic_load(&table.chunks[0]);
    _Atomic uint64_t *state = (_Atomic uint64_t *)(void *)chunk;
    ck_assert_uint_eq(atomic_load(state), (uint64_t)2 << 32);
    atomic_store(state, (uint64_t)UINT32_MAX << 32);
    ck_assert_ptr_eq(make(&table, &last), thing);
    ck_assert_uint_eq(last.name >> 32, UINT32_MAX);
    ck_assert_int_eq(verdict_of(&table, last), SLOTS_OK);
    end(&table, thing);
    ck_assert_uint_eq(slots_in_use(&table), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct thing *next = make(&table, &handle);
        ck_assert_ptr_ne(next, thing);
        ck_assert_int_eq(verdict_of(&table, last), SLOTS_STALE);
        end(&table, next);
    }
    slots_release_all(&table);
}
END_TEST

START_TEST(retired_objects_are_found_by_name_while_pinned)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 8);
    struct slots_handle handle;
    struct thing *thing = make(&table, &handle);
    void *object = NULL;

    ck_assert_int_eq(slots_acquire_retired(&table, handle.name, &object), SLOTS_OK);
    ck_assert_ptr_eq(object, thing);
    ck_assert(slots_retire(&table, thing));
    object = NULL;
    ck_assert_int_eq(slots_acquire_retired(&table, handle.name, &object), SLOTS_OK);
    ck_assert_ptr_eq(object, thing);
    slots_release(&table, thing);
    slots_release(&table, thing);

    const struct {
        uint64_t name;
        enum slots_verdict verdict;
    } rows[] = {
        {handle.name + ((uint64_t)1 << 32), SLOTS_STALE},
        {handle.name - ((uint64_t)1 << 32), SLOTS_STALE},
        {handle.name + 1, SLOTS_STALE},
        {0, SLOTS_FORGED},
        {100000, SLOTS_FORGED},
        {UINT64_MAX, SLOTS_FORGED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        object = NULL;
        ck_assert_int_eq(slots_acquire_retired(&table, rows[i].name, &object), rows[i].verdict);
        ck_assert_ptr_null(object);
    }
    slots_release(&table, thing); /* the last pin */
    ck_assert_int_eq(slots_acquire_retired(&table, handle.name, &object), SLOTS_STALE);
    ck_assert_ptr_null(object);
    slots_release_all(&table);
}
END_TEST

/* While it is destroyed an object has no owner any more: nobody may find it again. */
static struct slots dying_table;
static uint64_t dying_name;
static enum slots_verdict found_while_dying[2];

static void look_for_the_dying(void *object)
{
    void *found = NULL;
    found_while_dying[0] = slots_acquire_retired(&dying_table, dying_name, &found);
    found_while_dying[1] =
        slots_acquire(&dying_table, slots_handle_named(&dying_table, dying_name), &found);
    ck_assert_ptr_ne(found, object);
}

START_TEST(dying_object_is_not_found)
{
    static const struct slots empty = SLOTS_INIT(sizeof(struct thing), look_for_the_dying, 8);
    struct slots_handle handle;

    memcpy(&dying_table, &empty, sizeof(empty));
    found_while_dying[0] = found_while_dying[1] = SLOTS_OK;
    struct thing *thing = make(&dying_table, &handle);
    dying_name = handle.name;
    end(&dying_table, thing);
    ck_assert_int_eq(found_while_dying[0], SLOTS_STALE);
    ck_assert_int_eq(found_while_dying[1], SLOTS_STALE);
    slots_release_all(&dying_table);
}
END_TEST

/* ---- several processes --------------------------------------------------------------- */

struct inheritance {
    struct slots *table;
    struct slots_handle live, retired, closed;
};

static bool child_gets_nothing(void *context)
{
    struct inheritance *from = context;
    struct slots_handle own;
    void *object = NULL;

    if (slots_acquire(from->table, from->live, &object) != SLOTS_INHERITED ||
        slots_acquire_named(from->table, from->live.name, &object) != SLOTS_INHERITED ||
        slots_acquire_retired(from->table, from->live.name, &object) != SLOTS_INHERITED ||
        slots_acquire_retired(from->table, from->retired.name, &object) != SLOTS_INHERITED ||
        slots_acquire(from->table, from->retired, &object) == SLOTS_OK ||
        slots_acquire(from->table, from->closed, &object) == SLOTS_OK || object != NULL) {
        return false;
    }
    /* The child can tell the same name's check word, and it is another. */
    if (slots_handle_named(from->table, from->live.name).check == from->live.check) {
        return false;
    }
    struct thing *thing = slots_new(from->table, NULL);
    if (thing == NULL) {
        return false;
    }
    own = slots_publish(from->table, thing);
    return slots_acquire(from->table, own, &object) == SLOTS_OK && object == thing &&
           slots_acquire_retired(from->table, own.name, &object) == SLOTS_OK;
}

static bool grandchild_gets_nothing(void *context)
{
    return child_gets_nothing(context) && in_child(false, child_gets_nothing, context) == 0 &&
           (lacks_wiping() || in_child(true, child_gets_nothing, context) == 0);
}

/* _i: 0 fork, 1 raw clone */
START_TEST(children_inherit_no_handle)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 64);
    struct inheritance from = {.table = &table};
    if (_i == 1 && lacks_wiping()) {
        printf(
            "skip: children of a raw clone: no memory is wiped here, they get no handle at all\n");
        return;
    }
    struct thing *live = make(&table, &from.live);
    struct thing *retired = make(&table, &from.retired);
    ck_assert(slots_retire(&table, retired));
    end(&table, make(&table, &from.closed));

    ck_assert_int_eq(in_child(_i == 1, child_gets_nothing, &from), 0);
    ck_assert_int_eq(in_child(_i == 1, grandchild_gets_nothing, &from), 0);
    ck_assert_int_eq(verdict_of(&table, from.live), SLOTS_OK);
    ck_assert_int_eq(verdict_of(&table, from.closed), SLOTS_STALE);
    end(&table, live);
    slots_release(&table, retired);
    slots_release_all(&table);
}
END_TEST

/* ---- a thread after the other --------------------------------------------------------- */

/* Each thread has a shard of its own: what a table promises it promises over all of them. */
struct turn {
    struct slots *table;
    struct slots_handle handles[64];
    struct thing *things[64];
    unsigned count; /* to be made; then: that were made */
    bool limit;
};

static void on_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, function, argument), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void *make_many(void *argument)
{
    struct turn *turn = argument;
    unsigned wanted = turn->count;

    turn->count = 0;
    while (turn->count < wanted) {
        struct thing *thing = slots_new(turn->table, &turn->limit);
        if (thing == NULL) {
            break;
        }
        turn->things[turn->count] = thing;
        turn->handles[turn->count++] = slots_publish(turn->table, thing);
    }
    return NULL;
}

static void *end_many(void *argument)
{
    struct turn *turn = argument;

    for (unsigned i = 0; i < turn->count; i++) {
        end(turn->table, turn->things[i]);
    }
    return NULL;
}

/* No slot is reused before 256 others of its thread were given back after it. */
static void *look_at_quarantine(void *argument)
{
    struct slots *table = argument;
    static __thread unsigned ended[8 * SLOTS_PER_CHUNK];
    struct slots_handle handle;

    for (unsigned i = 1; i <= 6 * SLOTS_PER_CHUNK; i++) {
        struct thing *thing = make(table, &handle);
        uint32_t index = (uint32_t)handle.name - 1;
        ck_assert_uint_lt(index, 8 * SLOTS_PER_CHUNK);
        ck_assert(ended[index] == 0 || i - ended[index] >= SLOTS_PER_CHUNK);
        ck_assert_int_eq(verdict_of(table, handle), SLOTS_OK);
        end(table, thing);
        ck_assert_int_eq(verdict_of(table, handle), SLOTS_STALE);
        ended[index] = i;
    }
    return NULL;
}

START_TEST(each_thread_has_a_whole_quarantine)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 100000);

    for (unsigned i = 0; i < 5; i++) {
        on_thread(look_at_quarantine, &table);
    }
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

/* What one thread makes and another one ends goes back to the first, or the table would grow with
 * each object. */
START_TEST(slots_return_to_the_thread_that_took_them)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 100000);
    struct turn turn = {.table = &table};

    for (unsigned i = 0; i < 40; i++) {
        turn.count = 50;
        (void)make_many(&turn);
        on_thread(end_many, &turn);
    }
    ck_assert_uint_le(table.used_slots, 2 * SLOTS_PER_CHUNK);
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

START_TEST(limit_is_that_of_all_threads_together)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 300);
    static struct turn turns[7];

    for (unsigned i = 0; i < 7; i++) {
        turns[i] = (struct turn){.table = &table, .count = 50};
        on_thread(make_many, &turns[i]);
        ck_assert_uint_eq(turns[i].count, i < 6 ? 50 : 0);
        ck_assert(turns[i].limit == (i == 6));
        for (unsigned k = 0; k < turns[i].count; k++) { /* found on this thread, too */
            ck_assert_int_eq(verdict_of(&table, turns[i].handles[k]), SLOTS_OK);
        }
    }
    end(&table, turns[3].things[49]);
    turns[3].count = 49;
    turns[6].count = 2;
    on_thread(make_many, &turns[6]);
    ck_assert_uint_eq(turns[6].count, 1); /* the slot of another thread */
    ck_assert_int_eq(verdict_of(&table, turns[3].handles[49]), SLOTS_STALE);
    ck_assert(turns[6].limit);
    for (unsigned i = 0; i < 7; i++) {
        on_thread(end_many, &turns[i]);
    }
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

/* The same of the slots of a whole life. */
START_TEST(a_table_is_spent_when_no_thread_has_a_slot)
{
    static struct slots table = SLOTS_INIT_WITHIN(sizeof(struct thing), NULL, 1000, 2, 40);
    static struct turn turns[3];

    for (unsigned i = 0; i < 3; i++) { /* 30 of 40; 30, of which 10 are fresh; the last 20 */
        turns[i] = (struct turn){.table = &table, .count = 30};
        on_thread(make_many, &turns[i]);
        ck_assert_uint_eq(turns[i].count, i < 2 ? 30 : 20);
        ck_assert(!turns[i].limit);
        ck_assert(slots_spent(&table) == (i == 2));
        on_thread(end_many, &turns[i]);
    }
    ck_assert_ptr_null(slots_new(&table, NULL));
    ck_assert_uint_eq(slots_in_use(&table), 0);
    slots_release_all(&table);
}
END_TEST

static bool child_has_none_of(void *context)
{
    struct turn *turns = context;
    bool limit = false;
    unsigned made = 0;

    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 40; k++) {
            void *object = NULL;
            if (slots_acquire(turns[i].table, turns[i].handles[k], &object) != SLOTS_INHERITED) {
                return false;
            }
        }
    }
    while (slots_new(turns[0].table, &limit) != NULL) { /* what its parent left free */
        made++;
    }
    return limit && made == 300 - 4 * 40;
}

START_TEST(a_child_inherits_no_handle_of_any_thread)
{
    static struct slots table = SLOTS_INIT(sizeof(struct thing), NULL, 300);
    static struct turn turns[4];

    for (unsigned i = 0; i < 4; i++) {
        turns[i] = (struct turn){.table = &table, .count = 40};
        on_thread(make_many, &turns[i]);
    }
    ck_assert_int_eq(in_child(false, child_has_none_of, turns), 0);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(verdict_of(&table, turns[i].handles[39]), SLOTS_OK);
        (void)end_many(&turns[i]);
    }
    slots_release_all(&table);
}
END_TEST

/* ---- many threads -------------------------------------------------------------------- */

enum { HELD = 2 };

static struct slots narrow_table = SLOTS_INIT(sizeof(struct thing), destroy_thing, THREADS *HELD);
static unsigned narrow_rounds;

/* Never more than the limit is in use when one asks, so it is never refused; wherever the slots
 * are. */
static void *hold_two(void *unused)
{
    void *held[HELD] = {NULL, NULL};
    (void)unused;

    for (unsigned i = 0; i < narrow_rounds; i++) {
        void **place = &held[i % HELD];
        bool limit = false;
        if (*place != NULL) {
            slots_release(&narrow_table, *place);
        }
        *place = slots_new(&narrow_table, &limit);
        if (*place == NULL) {
            return limit ? "refused by the limit, with a slot to spare" : "refused";
        }
        if (i % 64 == 0) {
            sched_yield();
        }
    }
    for (unsigned i = 0; i < HELD; i++) {
        slots_release(&narrow_table, held[i]);
    }
    return NULL;
}

START_TEST(the_last_slots_are_found_wherever_they_are)
{
    pthread_t threads[THREADS];

    narrow_rounds = rounds(40000);
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hold_two, NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *why = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &why), 0);
        ck_assert_msg(why == NULL, "%s", why == NULL ? "" : (const char *)why);
    }
    ck_assert_uint_eq(slots_in_use(&narrow_table), 0);
    ck_assert_uint_le(narrow_table.used_slots, THREADS * HELD);
    slots_release_all(&narrow_table);
}
END_TEST

static struct slots shared_table = SLOTS_INIT(sizeof(struct thing), destroy_thing, 4096);
static pthread_barrier_t barrier;
static struct thing *_Atomic victim;
static _Atomic unsigned winners;
static unsigned retire_rounds;

static void *retire_the_victim(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < retire_rounds; i++) {
        pthread_barrier_wait(&barrier);
        struct thing *thing = atomic_load(&victim);
        if (slots_retire(&shared_table, thing)) {
            atomic_fetch_add(&winners, 1);
        }
        slots_release(&shared_table, thing);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

START_TEST(exactly_one_thread_retires)
{
    pthread_t threads[THREADS];
    unsigned before = atomic_load(&destroyed);

    retire_rounds = rounds(2000);
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, retire_the_victim, NULL), 0);
    }
    for (unsigned i = 0; i < retire_rounds; i++) {
        struct slots_handle handle;
        struct thing *thing = make(&shared_table, &handle);
        for (unsigned k = 1; k < THREADS; k++) {
            slots_pin(&shared_table, thing);
        }
        atomic_store(&victim, thing);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        ck_assert_uint_eq(atomic_load(&winners), i + 1);
        ck_assert_uint_eq(atomic_load(&destroyed), before + i + 1);
        ck_assert_int_eq(verdict_of(&shared_table, handle), SLOTS_STALE);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_uint_eq(slots_in_use(&shared_table), 0);
}
END_TEST

enum { PLACES = 24 };

/* Handles that threads pass to one another; 0 is an empty place. */
static _Atomic uint64_t places[PLACES];
static unsigned crowd_rounds;
static _Atomic unsigned crowd_found;

/* NULL when all went well. Every object that is found must be alive and be the one that its handle
 * was made for. */
static void *crowd(void *seed)
{
    uint64_t random = (uint64_t)(uintptr_t)seed * 0x9E3779B97F4A7C15u | 1;

    for (unsigned i = 0; i < crowd_rounds; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        _Atomic uint64_t *place = &places[random % PLACES];
        if (random >> 32 & 3) {
            uint64_t name = atomic_load(place);
            struct slots_handle handle = slots_handle_named(&shared_table, name);
            void *object = NULL;
            enum slots_verdict verdict = slots_acquire(&shared_table, handle, &object);
            if (verdict == SLOTS_OK) {
                const struct thing *thing = object;
                if (atomic_load(&thing->state) != ALIVE || thing->name != name) {
                    return "a dead or a wrong object was found";
                }
                atomic_fetch_add(&crowd_found, 1);
                if (random >> 40 & 1) {
                    sched_yield();
                }
                if ((random >> 41 & 7) == 0) {
                    (void)slots_retire(&shared_table, object);
                }
                if (atomic_load(&thing->state) != ALIVE || thing->name != name) {
                    return "an object died while it was pinned";
                }
                slots_release(&shared_table, object);
            } else if (verdict != SLOTS_STALE && name != 0) {
                return "a handle that was given out was called forged or inherited";
            }
            continue;
        }
        struct thing *thing = slots_new(&shared_table, NULL);
        if (thing == NULL) {
            return "no slot";
        }
        thing->name = slots_handle_of(&shared_table, thing).name;
        atomic_store(&thing->state, ALIVE);
        uint64_t name = slots_publish(&shared_table, thing).name;
        slots_release(&shared_table, thing);
        uint64_t replaced = atomic_exchange(place, name);
        void *object = NULL;
        if (slots_acquire(&shared_table, slots_handle_named(&shared_table, replaced), &object) ==
            SLOTS_OK) {
            (void)slots_retire(&shared_table, object);
            slots_release(&shared_table, object);
        }
    }
    return NULL;
}

START_TEST(many_threads_never_meet_a_dead_object)
{
    pthread_t threads[THREADS];

    crowd_rounds = rounds(60000);
    for (uintptr_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *why = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &why), 0);
        ck_assert_msg(why == NULL, "%s", why == NULL ? "" : (const char *)why);
    }
    ck_assert_uint_gt(atomic_load(&crowd_found), 100);
    for (unsigned i = 0; i < PLACES; i++) {
        void *object = NULL;
        struct slots_handle handle = slots_handle_named(&shared_table, atomic_load(&places[i]));
        if (slots_acquire(&shared_table, handle, &object) == SLOTS_OK) {
            end(&shared_table, object);
        }
    }
    ck_assert_uint_eq(slots_in_use(&shared_table), 0);
    slots_release_all(&shared_table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slots");
    TCase *alone = tcase_create("one thread");
    tcase_add_test(alone, life_of_a_slot);
    tcase_add_test(alone, live_object_outlives_its_pins);
    tcase_add_test(alone, reserved_object_can_be_given_up);
    tcase_add_test(alone, wrong_handles);
    tcase_add_test(alone, names_without_a_check);
    tcase_add_test(alone, every_flipped_bit_is_refused);
    tcase_add_test(alone, reuse_changes_the_generation);
    tcase_add_test(alone, limit_is_told_apart);
    tcase_add_test(alone, a_generation_never_comes_round);
    tcase_add_test(alone, slots_that_were_left_do_not_count);
    tcase_add_test(alone, the_last_of_all_generations_is_the_last);
    tcase_add_test(alone, retired_objects_are_found_by_name_while_pinned);
    tcase_add_test(alone, dying_object_is_not_found);
    suite_add_tcase(suite, alone);
    TCase *processes = tcase_create("processes");
    tcase_add_loop_test(processes, children_inherit_no_handle, 0, 2);
    tcase_add_test(processes, a_child_inherits_no_handle_of_any_thread);
    suite_add_tcase(suite, processes);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 120);
    tcase_add_test(threads, each_thread_has_a_whole_quarantine);
    tcase_add_test(threads, slots_return_to_the_thread_that_took_them);
    tcase_add_test(threads, limit_is_that_of_all_threads_together);
    tcase_add_test(threads, a_table_is_spent_when_no_thread_has_a_slot);
    tcase_add_test(threads, the_last_slots_are_found_wherever_they_are);
    tcase_add_test(threads, exactly_one_thread_retires);
    tcase_add_test(threads, many_threads_never_meet_a_dead_object);
    suite_add_tcase(suite, threads);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
