/* SPDX-License-Identifier: MIT */
/*
 * Which rules need not be asked. For each key of a rule there is a table from a call's value to the
 * set of rules whose key may hold; a decision takes the sets of its values together, bit by bit.
 *
 * A set may hold too much, since every rule left in it is asked by policy_rule_why_not(): so names
 * go by hash without comparing them, globs by what stands before their first wildcard, and tables
 * that would get too large stay coarse. A set must never hold too little.
 */
#include "base/alloc.h"
#include "policy/compiled.h"

_Static_assert(OPERATION_COUNT <= 32, "a rule's operations are bits of 32");

/* ---- ids ------------------------------------------------------------------------------------ */

static const struct ranges *key_of(const struct rule *rule, size_t offset)
{
    return (const struct ranges *)(const void *)((const char *)rule + offset);
}

/* The interval that id falls into. */
static uint32_t interval_of(const struct id_index *index, uint32_t id)
{
    uint32_t low = 0, size = index->count;

    while (size > 1) {
        uint32_t half = size / 2;
        low = index->starts[low + half] <= id ? low + half : low;
        size -= half;
    }
    return low;
}

/* Where ranges begin and where they have ended, ascending, 0 first. The result is thinned out to
 * INDEX_MAX_INTERVALS: an interval then is several, with the rules of all of them. */
static bool make_intervals(struct id_index *index, const struct rule *rules, uint32_t rule_count,
                           size_t key, size_t range_count)
{
    uint32_t count = 0;

    index->starts = base_alloc(range_count * 2 + 1, sizeof(*index->starts));
    if (index->starts == NULL) {
        return false;
    }
    index->starts[count++] = 0;
    for (uint32_t i = 0; i < rule_count; i++) {
        const struct ranges *ranges = key_of(&rules[i], key);
        for (uint32_t j = 0; j < ranges->count; j++) {
            index->starts[count++] = ranges->items[j].first;
            if (ranges->items[j].last != UINT32_MAX) {
                index->starts[count++] = ranges->items[j].last + 1;
            }
        }
    }
    count = identity_sort_groups(index->starts, count);
    uint32_t step = (count + INDEX_MAX_INTERVALS - 1) / INDEX_MAX_INTERVALS;
    for (uint32_t i = 0; i * step < count; i++) {
        index->starts[i] = index->starts[i * step];
        index->count = i + 1;
    }
    index->sets = base_alloc(index->count, sizeof(*index->sets));
    return index->sets != NULL;
}

static void add_ranges(struct id_index *index, uint32_t rule, const struct ranges *ranges)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        uint32_t last = interval_of(index, ranges->items[i].last);
        for (uint32_t j = interval_of(index, ranges->items[i].first); j <= last; j++) {
            rule_set_add(&index->sets[j], rule);
        }
    }
}

static bool build_ids(struct id_index *index, const struct rule *rules, uint32_t rule_count,
                      size_t key)
{
    size_t range_count = 0;

    for (uint32_t i = 0; i < rule_count; i++) {
        range_count += key_of(&rules[i], key)->count;
    }
    if (range_count == 0) {
        return true;
    }
    if (!make_intervals(index, rules, rule_count, key, range_count)) {
        return false;
    }
    for (uint32_t i = 0; i < rule_count; i++) {
        const struct ranges *ranges = key_of(&rules[i], key);
        add_ranges(index, i, ranges);
        if (ranges->count == 0) {
            rule_set_add(&index->absent, i);
        }
    }
    for (uint32_t i = 0; i < index->count; i++) {
        rule_set_join(&index->sets[i], &index->absent);
    }
    return true;
}

static void keep_user(const struct id_index *index, const struct miguard_identity *identity,
                      struct rule_set *set)
{
    if (index->count == 0) {
        return;
    }
    rule_set_keep(set, identity == NULL
                           ? &index->absent
                           : &index->sets[interval_of(index, identity->uid[IDENTITY_E])]);
}

static void keep_groups(const struct id_index *index, const struct miguard_identity *identity,
                        struct rule_set *set)
{
    if (index->count == 0) {
        return;
    }
    if (identity == NULL) {
        rule_set_keep(set, &index->absent);
        return;
    }
    uint32_t at = interval_of(index, identity->gid[IDENTITY_E]);
    struct rule_set any = index->sets[at];
    for (uint32_t i = 0; i < identity->group_count; i++) {
        uint32_t next = interval_of(index, identity->groups[i]);
        if (next != at) { /* groups ascend: neighbours often share an interval */
            rule_set_join(&any, &index->sets[next]);
            at = next;
        }
    }
    rule_set_keep(set, &any);
}

/* ---- capabilities --------------------------------------------------------------------------- */

static void add_capabilities(struct capability_index *index, uint32_t rule, uint64_t capabilities)
{
    index->used |= capabilities;
    if (capabilities == 0) {
        rule_set_add(&index->absent, rule);
    }
    for (uint64_t rest = capabilities; rest != 0; rest &= rest - 1) {
        rule_set_add(&index->sets[__builtin_ctzll(rest)], rule);
    }
}

static void keep_capabilities(const struct capability_index *index,
                              const struct miguard_identity *identity, struct rule_set *set)
{
    uint64_t held = identity != NULL ? identity->cap[IDENTITY_CAP_EFFECTIVE] & index->used : 0;

    if (held == index->used) { /* all of them, or no rule has the key */
        return;
    }
    struct rule_set any = index->absent;
    for (; held != 0; held &= held - 1) {
        rule_set_join(&any, &index->sets[__builtin_ctzll(held)]);
    }
    rule_set_keep(set, &any);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Nothing depends on the quality of this but how many rules are asked. The product does not wait
 * for the step before it, which is what counts on short names. */
static uint32_t hash_step(uint32_t hash, char c, bool ignore_case)
{
    uint32_t byte = (unsigned char)c;

    if (ignore_case && byte - 'A' <= 'Z' - 'A') {
        byte += 'a' - 'A';
    }
    return (hash << 5 | hash >> 27) ^ (byte + 1) * 0x9E3779B1u;
}

/* Tells a whole name from a prefix of the same text. */
static uint32_t hash_end(uint32_t hash)
{
    return (hash << 5 | hash >> 27) ^ 0x9E3779B1u;
}

static uint32_t slot_of(const struct name_index *index, uint32_t hash)
{
    uint32_t slot = (hash ^ hash >> 16) * 0x85EBCA6Bu >> 8 & index->mask;

    while (index->slots[slot].set != 0 && index->slots[slot].hash != hash) {
        slot = (slot + 1) & index->mask;
    }
    return slot;
}

static void add_hash(struct name_index *index, uint32_t rule, uint32_t hash)
{
    struct name_slot *slot = &index->slots[slot_of(index, hash)];

    if (slot->set == 0 && index->count == index->limit) {
        rule_set_add(&index->always, rule);
        return;
    }
    if (slot->set == 0) {
        *slot = (struct name_slot){.hash = hash, .set = ++index->count};
    }
    rule_set_add(&index->sets[slot->set - 1], rule);
}

/* Hashes what stands before the first wildcard, without its quoting. A backslash at the very end
 * quotes nothing; what it stands for is left to draft_glob_matches(). */
static void add_glob(struct name_index *index, uint32_t rule, const char *glob)
{
    uint32_t hash = 0;
    uint32_t length = 0;

    for (; length < INDEX_MAX_PREFIX && *glob != '*' && *glob != '?'; length++, glob++) {
        if (*glob == '\0') {
            add_hash(index, rule, hash_end(hash));
            return;
        }
        if (*glob == '\\' && *++glob == '\0') {
            break;
        }
        hash = hash_step(hash, *glob, index->ignore_case);
    }
    if (length == 0) {
        rule_set_add(&index->always, rule);
        return;
    }
    index->lengths |= UINT64_C(1) << length;
    add_hash(index, rule, hash);
}

static const struct globs *globs_of(const struct rule *rule, size_t offset)
{
    return (const struct globs *)(const void *)((const char *)rule + offset);
}

static bool make_names(struct name_index *index, size_t glob_count)
{
    uint32_t slots = 4;

    index->limit = glob_count < INDEX_MAX_NAMES ? (uint32_t)glob_count : INDEX_MAX_NAMES;
    while (slots < index->limit * 2) {
        slots *= 2;
    }
    index->mask = slots - 1;
    index->slots = base_alloc(slots, sizeof(*index->slots));
    index->sets = base_alloc(index->limit, sizeof(*index->sets));
    return index->slots != NULL && index->sets != NULL;
}

static bool build_names(struct name_index *index, const struct rule *rules, uint32_t rule_count,
                        size_t key, bool ignore_case)
{
    size_t glob_count = 0;

    for (uint32_t i = 0; i < rule_count; i++) {
        glob_count += globs_of(&rules[i], key)->count;
    }
    if (glob_count == 0) {
        return true;
    }
    index->given = true;
    index->ignore_case = ignore_case;
    if (!make_names(index, glob_count)) {
        return false;
    }
    for (uint32_t i = 0; i < rule_count; i++) {
        const struct globs *globs = globs_of(&rules[i], key);
        for (uint32_t j = 0; j < globs->count; j++) {
            add_glob(index, i, globs->items[j].text);
        }
        if (globs->count == 0) {
            rule_set_add(&index->always, i);
        }
    }
    return true;
}

static inline void join_hash(const struct name_index *index, uint32_t hash, struct rule_set *any)
{
    uint32_t set = index->slots[slot_of(index, hash)].set;
    if (set != 0) {
        rule_set_join(any, &index->sets[set - 1]);
    }
}

static void keep_name(const struct name_index *index, const char *name, struct rule_set *set)
{
    if (!index->given) {
        return;
    }
    struct rule_set any = index->always;
    uint64_t lengths = index->lengths; /* bit 0: is there a prefix of what was hashed so far? */
    uint32_t hash = 0;
    for (;; name++, lengths >>= 1) {
        if ((lengths & 1) != 0) {
            join_hash(index, hash, &any);
        }
        if (*name == '\0') {
            break;
        }
        hash = hash_step(hash, *name, index->ignore_case);
    }
    join_hash(index, hash_end(hash), &any);
    rule_set_keep(set, &any);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_call(struct rule_index *index, uint32_t rule, uint32_t operations,
                     miguard_components mismatch)
{
    rule_set_add(&index->all, rule);
    if (operations == 0) {
        rule_set_add(&index->any_operation, rule);
    }
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        if (operations == 0 || (operations >> i & 1) != 0) {
            rule_set_add(&index->by_operation[i], rule);
        }
    }
    if (mismatch == 0) {
        rule_set_add(&index->same, rule);
    }
    for (unsigned i = 0; i < MIGUARD_COMPONENT_COUNT; i++) {
        if ((mismatch >> i & 1) != 0) {
            rule_set_add(&index->covers[i], rule);
        }
    }
}

bool policy_index_build(struct rule_index *index, const struct rule *rules, uint32_t rule_count)
{
    for (uint32_t i = 0; i < rule_count; i++) {
        add_call(index, i, rules[i].operations, rules[i].mismatch);
        add_capabilities(&index->capabilities, i, rules[i].capabilities);
        add_capabilities(&index->as_capabilities, i, rules[i].as_capabilities);
    }
#define KEY(name) offsetof(struct rule, name)
    return build_ids(&index->users, rules, rule_count, KEY(users)) &&
           build_ids(&index->as_users, rules, rule_count, KEY(as_users)) &&
           build_ids(&index->groups, rules, rule_count, KEY(groups)) &&
           build_ids(&index->as_groups, rules, rule_count, KEY(as_groups)) &&
           build_names(&index->providers, rules, rule_count, KEY(providers), false) &&
           build_names(&index->namespaces, rules, rule_count, KEY(namespaces), true) &&
           build_names(&index->classes, rules, rule_count, KEY(classes), true) &&
           build_names(&index->methods, rules, rule_count, KEY(methods), true);
#undef KEY
}

static void release_ids(struct id_index *index)
{
    base_free(index->starts);
    base_free(index->sets);
}

static void release_names(struct name_index *index)
{
    base_free(index->slots);
    base_free(index->sets);
}

void policy_index_release(struct rule_index *index)
{
    release_ids(&index->users);
    release_ids(&index->as_users);
    release_ids(&index->groups);
    release_ids(&index->as_groups);
    release_names(&index->providers);
    release_names(&index->namespaces);
    release_names(&index->classes);
    release_names(&index->methods);
}

void policy_index_by_operation(const struct rule_index *index, const struct question *question,
                               struct rule_set *set)
{
    rule_set_keep(set, (unsigned)question->operation < OPERATION_COUNT
                           ? &index->by_operation[question->operation]
                           : &index->any_operation);
}

void policy_index_by_mismatch(const struct rule_index *index, const struct question *question,
                              struct rule_set *set)
{
    if (question->mismatch == 0) {
        rule_set_keep(set, &index->same);
        return;
    }
    for (miguard_components rest = question->mismatch & MIGUARD_COMPONENTS_ALL; rest != 0;
         rest &= rest - 1) {
        rule_set_keep(set, &index->covers[__builtin_ctz(rest)]);
    }
}

void policy_index_by_opened(const struct rule_index *index, const struct question *question,
                            struct rule_set *set)
{
    keep_user(&index->users, question->opened, set);
    keep_groups(&index->groups, question->opened, set);
    keep_capabilities(&index->capabilities, question->opened, set);
    keep_name(&index->providers, question->provider, set);
}

void policy_index_by_used(const struct rule_index *index, const struct question *question,
                          struct rule_set *set)
{
    keep_user(&index->as_users, question->used, set);
    keep_groups(&index->as_groups, question->used, set);
    keep_capabilities(&index->as_capabilities, question->used, set);
}

void policy_index_by_target(const struct rule_index *index, const struct question *question,
                            struct rule_set *set)
{
    if ((question->unreadable & CIM_UNREADABLE_SPACE) == 0) {
        keep_name(&index->namespaces, question->name_space, set);
    }
    if ((question->unreadable & CIM_UNREADABLE_CLASS) == 0) {
        keep_name(&index->classes, question->class_name, set);
    }
    if ((question->unreadable & CIM_UNREADABLE_METHOD) == 0) {
        keep_name(&index->methods, question->method, set);
    }
}
