/* SPDX-License-Identifier: MIT */
/*
 * Which rules need not be asked. For each key of a rule there is a table from a call's value to the
 * set of rules whose key may hold; a decision takes the sets of its values together, bit by bit. A
 * set may hold too much, since every rule left in it is asked by policy_rule_why_not(): so names go
 * by hash without comparing them, globs by what stands before their first wildcard, and tables that
 * would get too large stay coarse. A set must never hold too little.
 *
 * policy_index_build() fills one index for each key of model/match_keys.h. A decision starts with
 * all rules and takes away those that a key excludes (policy_index_by_...), in the phases in which
 * the values become known.
 */
#include "base/alloc.h"
#include "policy/compiled.h"

/* The rules, and which of their keys an index is built over. */
struct keys {
    const struct rule *rules;
    uint32_t rule_count;
    size_t offset; /* of the key in struct rule */
    enum match_kind kind;
};

/* The member of a rule that this index is over. */
static const void *key_at(const struct keys *keys, uint32_t rule)
{
    return (const char *)&keys->rules[rule] + keys->offset;
}

/* ---- ids ------------------------------------------------------------------------------------ */

/* The key as its shape has it. */
static const struct ranges *ranges_at(const struct keys *keys, uint32_t rule)
{
    return key_at(keys, rule);
}

/* The interval that id falls into. Steps depend on count alone, not on the id. */
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
static bool make_intervals(struct id_index *index, const struct keys *keys, size_t range_count)
{
    uint32_t count = 0;

    index->starts = base_alloc(range_count * 2 + 1, sizeof(*index->starts));
    if (index->starts == NULL) {
        return false;
    }
    index->starts[count++] = 0;
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        const struct ranges *ranges = ranges_at(keys, i);
        for (uint32_t j = 0; j < ranges->count; j++) {
            index->starts[count++] = ranges->items[j].first;
            if (ranges->items[j].last != UINT32_MAX) {
                index->starts[count++] = ranges->items[j].last + 1;
            }
        }
    }
    count = identity_sort_groups(index->starts, count);
    /* 1 for all but very large policies. */
    uint32_t step = (count + INDEX_MAX_INTERVALS - 1) / INDEX_MAX_INTERVALS;
    for (uint32_t i = 0; i * step < count; i++) {
        index->starts[i] = index->starts[i * step];
        index->count = i + 1;
    }
    index->sets = base_alloc(index->count, sizeof(*index->sets));
    return index->sets != NULL;
}

/* A rule is in every interval that one of its ranges touches, also where a coarse interval has more
 * ids than the range. */
static void add_ranges(struct id_index *index, uint32_t rule, const struct ranges *ranges)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        uint32_t last = interval_of(index, ranges->items[i].last);
        for (uint32_t j = interval_of(index, ranges->items[i].first); j <= last; j++) {
            rule_set_add(&index->sets[j], rule);
        }
    }
}

/* Rules without the key are in every interval. No memory is taken when no rule has it. */
static bool build_ranges(struct id_index *index, const struct keys *keys)
{
    size_t range_count = 0;

    for (uint32_t i = 0; i < keys->rule_count; i++) {
        range_count += ranges_at(keys, i)->count;
    }
    if (range_count == 0) {
        return true;
    }
    if (!make_intervals(index, keys, range_count)) {
        return false;
    }
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        const struct ranges *ranges = ranges_at(keys, i);
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

/* Ids of one interval, and its number. */
struct interval {
    uint32_t first, last, at;
};

static struct interval interval_around(const struct id_index *index, uint32_t id)
{
    const uint32_t at = interval_of(index, id);

    return (struct interval){
        .first = index->starts[at],
        .last = at + 1 < index->count ? index->starts[at + 1] - 1 : UINT32_MAX,
        .at = at,
    };
}

/* Any of the groups may satisfy the key, so sets are joined before the others are taken away. Ids
 * of one identity are often near each other and far from those of the rules: an interval that has
 * the next one, too, need not be searched for. -1 may find a set: matching refuses it. */
static void keep_groups(const struct id_index *index, const struct miguard_identity *identity,
                        struct rule_set *set)
{
    struct interval interval = interval_around(index, identity->gid[IDENTITY_E]);
    struct rule_set any = index->sets[interval.at];

    for (uint32_t i = 0; i < identity->group_count; i++) {
        const uint32_t id = identity->groups[i];
        if (id < interval.first || id > interval.last) {
            interval = interval_around(index, id);
            rule_set_join(&any, &index->sets[interval.at]);
        }
    }
    rule_set_keep(set, &any);
}

/* Without an identity only rules without the key are left. */
static inline void keep_ranges(const struct id_index *index,
                               const struct miguard_identity *identity, enum match_kind kind,
                               struct rule_set *set)
{
    if (index->count == 0) {
        return;
    }
    if (identity == NULL) {
        rule_set_keep(set, &index->absent);
    } else if (kind == MATCH_GROUP) {
        keep_groups(index, identity, set);
    } else {
        rule_set_keep(set, &index->sets[interval_of(index, match_id_of(identity, kind).id)]);
    }
}

/* NULL is allowed. */
static void release_ranges(struct id_index *index)
{
    base_free(index->starts);
    base_free(index->sets);
}

/* ---- capabilities --------------------------------------------------------------------------- */

/* One bit after the other, from the lowest. */
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

/* Nothing is allocated, so it cannot fail. */
static bool build_capabilities(struct capability_index *index, const struct keys *keys)
{
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        add_capabilities(index, i, *(const uint64_t *)key_at(keys, i));
    }
    return true;
}

/* Nothing was taken; each shape has this function. */
static void release_capabilities(struct capability_index *index)
{
    (void)index;
}

/* A rule asks for any of its capabilities. Whether they are known is asked by match.c. */
static void keep_capabilities(const struct capability_index *index,
                              const struct miguard_identity *identity, enum match_kind kind,
                              struct rule_set *set)
{
    (void)kind;
    uint64_t held = identity != NULL ? identity->cap[IDENTITY_CAP_EFFECTIVE] & index->used : 0;

    if (held == index->used) { /* all of them, or no rule has the key */
        return;
    }
    if (held == 0) { /* as most identities */
        rule_set_keep(set, &index->absent);
        return;
    }
    struct rule_set any = index->absent;
    for (; held != 0; held &= held - 1) {
        rule_set_join(&any, &index->sets[__builtin_ctzll(held)]);
    }
    rule_set_keep(set, &any);
}

/* ---- names ---------------------------------------------------------------------------------- */

/*
 * A name is hashed once from its beginning. After each character the hash is that of a prefix, and
 * at the end, with hash_end(), that of the whole; globs were filed under the hash of what stands
 * before their first wildcard.
 */

/* Nothing depends on the quality of this but how many rules are asked. What a byte adds does not
 * wait for the step before it, which is what counts on short names. */
static inline uint32_t hash_step(const struct name_index *index, uint32_t hash, char c)
{
    return (hash << 5 | hash >> 27) ^ index->step[(unsigned char)c];
}

/* Case is folded here, once for each byte and not for each that a call names. */
static void make_steps(struct name_index *index, bool ignore_case)
{
    for (uint32_t byte = 0; byte <= UINT8_MAX; byte++) {
        bool folded = ignore_case && byte - 'A' <= 'Z' - 'A';
        index->step[byte] = (byte + (folded ? 'a' - 'A' : 0) + 1) * 0x9E3779B1u;
    }
}

/* Distinguishes a whole name from a prefix of the same text. */
static uint32_t hash_end(uint32_t hash)
{
    return (hash << 5 | hash >> 27) ^ 0x9E3779B1u;
}

/* Linear probing; half of the slots are free at least, so it ends. */
static uint32_t slot_of(const struct name_index *index, uint32_t hash)
{
    uint32_t slot = (hash ^ hash >> 16) * 0x85EBCA6Bu >> 8 & index->mask;

    while (index->slots[slot].set != 0 && index->slots[slot].hash != hash) {
        slot = (slot + 1) & index->mask;
    }
    return slot;
}

/* When the sets are used up the rule goes to `always`: coarser, never wrong. */
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
            index->whole |= UINT64_C(1) << length;
            index->longest = length > index->longest ? length : index->longest;
            add_hash(index, rule, hash_end(hash));
            return;
        }
        if (*glob == '\\' && *++glob == '\0') {
            break;
        }
        hash = hash_step(index, hash, *glob);
    }
    if (length == 0) {
        rule_set_add(&index->always, rule);
        return;
    }
    index->lengths |= UINT64_C(1) << length;
    add_hash(index, rule, hash);
}

/* The key as its shape has it. */
static const struct globs *globs_at(const struct keys *keys, uint32_t rule)
{
    return key_at(keys, rule);
}

/* False when memory is out; policy_index_release() frees what there is. */
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

/* A rule with several globs is in the set of each. */
static bool build_globs(struct name_index *index, const struct keys *keys)
{
    size_t glob_count = 0;

    for (uint32_t i = 0; i < keys->rule_count; i++) {
        glob_count += globs_at(keys, i)->count;
    }
    if (glob_count == 0) {
        return true;
    }
    index->given = true;
    make_steps(index, match_ignores_case(keys->kind));
    if (!make_names(index, glob_count)) {
        return false;
    }
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        const struct globs *globs = globs_at(keys, i);
        for (uint32_t j = 0; j < globs->count; j++) {
            add_glob(index, i, globs->items[j].text);
        }
        if (globs->count == 0) {
            rule_set_add(&index->always, i);
        }
    }
    return true;
}

/* Nothing for a hash that no rule has. */
static inline void join_hash(const struct name_index *index, uint32_t hash, struct rule_set *any)
{
    uint32_t set = index->slots[slot_of(index, hash)].set;
    if (set != 0) {
        rule_set_join(any, &index->sets[set - 1]);
    }
}

/* How much of a name was hashed. */
struct hashed {
    const char *name;
    uint32_t length, hash;
};

/* Up to this length; false where the name ends before. */
static inline bool hash_to(const struct name_index *index, uint32_t length, struct hashed *hashed)
{
    while (hashed->length < length && hashed->name[hashed->length] != '\0') {
        hashed->hash = hash_step(index, hashed->hash, hashed->name[hashed->length++]);
    }
    return hashed->length == length;
}

/* Every prefix of the name is looked up whose length some glob has, and the name itself where some
 * name of its length is there. One pass, whatever the number of rules; what is longer than all of
 * them is not read to its end. */
static void keep_globs(const struct name_index *index, const char *name, enum match_kind kind,
                       struct rule_set *set)
{
    (void)kind;
    if (!index->given) {
        return;
    }
    struct rule_set any = index->always;
    struct hashed hashed = {.name = name};
    uint64_t lengths = index->lengths;
    while (lengths != 0 && hash_to(index, (uint32_t)__builtin_ctzll(lengths), &hashed)) {
        join_hash(index, hashed.hash, &any);
        lengths &= lengths - 1;
    }
    (void)hash_to(index, index->longest, &hashed);
    if (name[hashed.length] == '\0' && (index->whole >> hashed.length & 1) != 0) {
        join_hash(index, hash_end(hashed.hash), &any);
    }
    rule_set_keep(set, &any);
}

/* NULL is allowed. */
static void release_globs(struct name_index *index)
{
    base_free(index->slots);
    base_free(index->sets);
}

/* ---- operations ----------------------------------------------------------------------------- */

/* A rule without the key is in the set of every operation. */
static bool build_operations(struct operation_index *index, const struct keys *keys)
{
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        uint32_t operations = *(const uint32_t *)key_at(keys, i);
        if (operations == 0) {
            rule_set_add(&index->absent, i);
        }
        for (unsigned bit = 0; bit < OPERATION_COUNT; bit++) {
            if (operations == 0 || (operations >> bit & 1) != 0) {
                rule_set_add(&index->sets[bit], i);
            }
        }
    }
    return true;
}

/* Nothing was taken. */
static void release_operations(struct operation_index *index)
{
    (void)index;
}

/* An operation that is not known satisfies only rules without the key. */
static void keep_operations(const struct operation_index *index, enum operation operation,
                            enum match_kind kind, struct rule_set *set)
{
    (void)kind;
    rule_set_keep(set,
                  (unsigned)operation < OPERATION_COUNT ? &index->sets[operation] : &index->absent);
}

/* ---- times, members and names of accounts ---------------------------------------------------- */

/* All are kept: match.c asks each. */
#define NO_INDEX(shape, value)                                                                     \
    static bool build_##shape(struct no_index *index, const struct keys *keys)                     \
    {                                                                                              \
        (void)index, (void)keys;                                                                   \
        return true;                                                                               \
    }                                                                                              \
    static void release_##shape(struct no_index *index)                                            \
    {                                                                                              \
        (void)index;                                                                               \
    }                                                                                              \
    static void keep_##shape(const struct no_index *index, value, enum match_kind kind,            \
                             struct rule_set *set)                                                 \
    {                                                                                              \
        (void)index, (void)asked, (void)kind, (void)set;                                           \
    }

NO_INDEX(times, int64_t asked)
NO_INDEX(members, const struct miguard_identity *asked)
NO_INDEX(names, const struct identity_names *asked)
#undef NO_INDEX

/* ---- components ----------------------------------------------------------------------------- */

/*
 * Not a table of values like the others: a rule must cover all components that differ, so the sets
 * of these are intersected.
 */

/* Rules with and without a mismatch never apply to the same call. */
static bool build_components(struct component_index *index, const struct keys *keys)
{
    for (uint32_t i = 0; i < keys->rule_count; i++) {
        miguard_components components = *(const miguard_components *)key_at(keys, i);
        if (components == 0) {
            rule_set_add(&index->same, i);
        }
        for (unsigned bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
            if ((components >> bit & 1) != 0) {
                rule_set_add(&index->covers[bit], i);
            }
        }
    }
    return true;
}

/* Nothing was taken. */
static void release_components(struct component_index *index)
{
    (void)index;
}

/* Each differing component must be covered, so sets are intersected. */
static void keep_components(const struct component_index *index, miguard_components differing,
                            enum match_kind kind, struct rule_set *set)
{
    (void)kind;
    if (differing == 0) {
        rule_set_keep(set, &index->same);
        return;
    }
    for (miguard_components rest = differing & MIGUARD_COMPONENTS_ALL; rest != 0;
         rest &= rest - 1) {
        rule_set_keep(set, &index->covers[__builtin_ctz(rest)]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* false leaves what was built, for policy_index_release(). */
bool policy_index_build(struct rule_index *index, const struct rule *rules, uint32_t rule_count)
{
    struct keys keys = {.rules = rules, .rule_count = rule_count};

    for (uint32_t i = 0; i < rule_count; i++) {
        rule_set_add(&index->all, i);
    }
#define BUILD(member, key, shape, KIND, ...)                                                       \
    keys.offset = offsetof(struct rule, member);                                                   \
    keys.kind = MATCH_##KIND;                                                                      \
    if (!build_##shape(&index->member, &keys)) {                                                   \
        return false;                                                                              \
    }
    MATCH_KEY_MAP(BUILD)
#undef BUILD
    return true;
}

void policy_index_release(struct rule_index *index)
{
#define RELEASE(member, key, shape, ...) release_##shape(&index->member);
    MATCH_KEY_MAP(RELEASE)
#undef RELEASE
}

/* Of one phase, which each caller gives as a constant. Of a value that cannot be read every rule is
 * kept. */
static inline __attribute__((always_inline)) void keep_phase(const struct rule_index *index,
                                                             const struct question *question,
                                                             enum match_phase phase,
                                                             struct rule_set *set)
{
#define KEEP(member, key, shape, KIND, PHASE, value, unreadable_bit, ...)                          \
    if (MATCH_##PHASE == phase && (question->unreadable & (unreadable_bit)) == 0) {                \
        keep_##shape(&index->member, question->value, MATCH_##KIND, set);                          \
    }
    MATCH_KEY_MAP(KEEP)
#undef KEEP
}

/* What the kind of call excludes. */
void policy_index_by_call(const struct rule_index *index, const struct question *question,
                          struct rule_set *set)
{
    keep_phase(index, question, MATCH_CALL, set);
}

void policy_index_by_identity(const struct rule_index *index, const struct question *question,
                              struct rule_set *set)
{
    keep_phase(index, question, MATCH_IDENTITY, set);
}

void policy_index_by_opened(const struct rule_index *index, const struct question *question,
                            struct rule_set *set)
{
    keep_phase(index, question, MATCH_OPENED, set);
}

void policy_index_by_used(const struct rule_index *index, const struct question *question,
                          struct rule_set *set)
{
    keep_phase(index, question, MATCH_USED, set);
}

/* Asked last, and for each class of a call by itself. */
void policy_index_by_target(const struct rule_index *index, const struct question *question,
                            struct rule_set *set)
{
    keep_phase(index, question, MATCH_TARGET, set);
}
