/* SPDX-License-Identifier: MIT */
/*
 * Whether one rule applies to one call: the only place that says so. The keys are those of
 * model/match_keys.h, each asked by the function of its shape; an absent key is satisfied by
 * everything, a present one never by what is not known.
 *
 * policy_rule_why_not() asks the keys phase by phase: what differs, the operation, who opened, who
 * uses, the target. Each shape has a covered function, which decides, and a why_not function, which
 * puts the answer into words. The words are constants, so the quick way and the explained one are
 * the same code.
 */
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "policy/compiled.h"

/* Bytes of ASCII, eight at a time, from this place on: at least this many. */
static size_t ascii_ahead(const char *text, size_t length)
{
    size_t at = 0;
    uint64_t word;

    for (; length - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, text + at, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
    }
    return at;
}

/* Whether the text is UTF-8 to its end and not too long: patterns are written in it, and two
 * readers of other bytes may see two different names. Bounded, so that a long one costs no more. */
static bool resource_readable(const char *resource)
{
    size_t length = strnlen(resource, POLICY_RESOURCE);
    uint32_t code;

    if (length == POLICY_RESOURCE) {
        return false;
    }
    /* Nearly all is ASCII: without a call. */
    for (size_t at = ascii_ahead(resource, length); at < length;) {
        bool ascii = (unsigned char)resource[at] < 0x80;
        size_t width = ascii ? 1 : utf8_next(resource + at, length - at, &code);
        if (width == 0) {
            return false;
        }
        at += width;
    }
    return true;
}

/* Of an identity whose names a policy needs. */
static unsigned unreadable_names(const struct policy *policy, const struct question *question)
{
    return (policy->asks_users && !question->user_names->known ? CALL_UNREADABLE_USER_NAME : 0u) |
           (policy->asks_groups && !question->group_names->known ? CALL_UNREADABLE_GROUP_NAME : 0u);
}

/* An operation of MI, and Bind, is an action of its own name. "" for none. */
static const char *action_of(const struct policy_call *call)
{
    if (call->action != NULL && call->action[0] != '\0') {
        return call->action;
    }
    return call->operation != OPERATION_ACTION && (unsigned)call->operation < OPERATION_COUNT
               ? operation_name(call->operation)
               : "";
}

/* What the call says itself, and what is found here. An own action must have a name: without it
 * nothing is known of it. */
static unsigned unreadable_of(const struct policy_call *call, const char *action)
{
    unsigned unreadable = call->unreadable;

    if (call->operation == OPERATION_ACTION && action[0] == '\0') {
        unreadable |= CALL_UNREADABLE_ACTION;
    }
    if (call->resource != NULL && call->resource[0] != '\0' && !resource_readable(call->resource)) {
        unreadable |= CALL_UNREADABLE_RESOURCE;
    }
    return unreadable;
}

bool policy_is_permissive(const struct policy *policy, const char *provider)
{
    return policy->permissive.count > 0 &&
           policy_globs_match(&policy->permissive, provider, MATCH_FILE_NAME);
}

/* Without a used_as the user is who opened, as long as nothing differs. When something differs
 * nothing is known of the user. */
static const struct miguard_identity *used_of(const struct policy_call *call,
                                              const struct miguard_identity *opened,
                                              miguard_components mismatch)
{
    if (call->used_as != NULL) {
        return identity_valid(call->used_as) ? call->used_as : NULL;
    }
    return mismatch == 0 ? opened : NULL;
}

/* The clock is read only where a rule asks for the time. */
static int64_t moment_of(const struct policy *policy, const struct policy_call *call)
{
    return call->moment != 0 || !policy->asks_time ? call->moment : clock_wall();
}

/* Every member is given at once, so that the compiler clears nothing first. */
void policy_question_of(const struct policy *policy, const struct policy_call *call,
                        struct question *ret_question)
{
    static const struct identity_names not_known = {.known = false};
    const bool known = identity_valid(call->opened_as);
    const struct miguard_identity *opened = known ? call->opened_as : NULL;
    /* Who opened the session cannot be proved: differs in everything (invariant 1). */
    const miguard_components mismatch =
        known ? call->mismatch : (miguard_components)MIGUARD_COMPONENTS_ALL;
    const char *action = action_of(call);

    *ret_question = (struct question){
        .operation = call->operation,
        .mismatch = mismatch,
        .opened = opened,
        .used = used_of(call, opened, mismatch),
        .user_names = known ? &opened->user_names : &not_known,
        .group_names = known ? &opened->group_names : &not_known,
        .name_space = call->name_space != NULL ? call->name_space : "",
        .class_name = call->class_name != NULL ? call->class_name : "",
        .method = call->method != NULL ? call->method : "",
#define ASK_FACT(member, key) .member = call->member != NULL ? call->member : "",
        MATCH_FACT_MAP(ASK_FACT)
#undef ASK_FACT
            .permissive = policy_is_permissive(policy, call->provider),
        .moment = moment_of(policy, call),
        .unreadable = unreadable_of(call, action),
    };
    ret_question->action = action;
    if (ret_question->host[0] == '\0') {
        ret_question->host = policy->host;
    }
    ret_question->unreadable |= unreadable_names(policy, ret_question);
    if (policy->asks_time && ret_question->moment < CLOCK_EARLIEST) {
        ret_question->unreadable |= CALL_UNREADABLE_TIME;
    }
}

/* UINT32_MAX is (uid_t)-1, which is not an id, however far a range reaches (invariant 1). Binary
 * search: ranges are sorted and do not overlap (compile.c). */
static bool ranges_have(const struct ranges *ranges, uint32_t id)
{
    uint32_t low = 0, high = ranges->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges->items[middle].last < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranges->count && ranges->items[low].first <= id && id != UINT32_MAX;
}

/* The supplementary groups. Groups that could not be read cover nothing. */
static bool groups_covered(const struct ranges *groups, const struct miguard_identity *identity)
{
    if ((identity->known & MIGUARD_COMPONENT_GROUPS) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < identity->group_count; i++) {
        if (ranges_have(groups, identity->groups[i])) {
            return true;
        }
    }
    return false;
}

/* The effective id, and for a group the supplementary ones as well, as the kernel decides about
 * access (credentials(7)). */
static bool id_covered(const struct ranges *ranges, const struct miguard_identity *identity,
                       enum match_kind kind)
{
    if (ranges->count == 0) {
        return true;
    }
    if (identity == NULL) {
        return false;
    }
    /* An id that the identity does not know covers nothing. */
    struct match_id asked = match_id_of(identity, kind);
    if ((identity->known & asked.component) != 0 && ranges_have(ranges, asked.id)) {
        return true;
    }
    return kind == MATCH_GROUP && groups_covered(ranges, identity);
}

/* A group for each of them; one may serve for several. No kind but groups has several ids. */
static bool members_covered(const struct ranges *members, const struct miguard_identity *identity,
                            enum match_kind kind)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (!id_covered(&(struct ranges){&members->items[i], 1}, identity, kind)) {
            return false;
        }
    }
    return true;
}

/* One of the capabilities is in effect. */
static bool capability_covered(uint64_t wanted, const struct miguard_identity *identity)
{
    return wanted == 0 ||
           (identity != NULL && (identity->known & MIGUARD_COMPONENT_CAP_EFFECTIVE) != 0 &&
            (identity->cap[IDENTITY_CAP_EFFECTIVE] & wanted) != 0);
}

/* ASCII's letters. No locale may decide. */
static unsigned char fold(char c, bool ignore_case)
{
    unsigned char byte = (unsigned char)c;

    return ignore_case && byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

/* A text and its length. */
struct span {
    const char *text;
    size_t length;
};

static bool same_bytes(const char *a, const char *b, size_t length, bool ignore_case)
{
    for (size_t i = 0; i < length; i++) {
        /* Most names are written as the rules write them. */
        if (a[i] != b[i] && fold(a[i], ignore_case) != fold(b[i], ignore_case)) {
            return false;
        }
    }
    return true;
}

/* What is left of text behind the first place that has wanted, or NULL. At most places the first
 * byte decides. */
static const char *behind_first(struct span text, struct span wanted, bool ignore_case)
{
    if (wanted.length == 0) {
        return text.text;
    }
    const unsigned char first = fold(wanted.text[0], ignore_case);
    const bool letter = ignore_case && first >= 'a' && first <= 'z';
    const unsigned char upper = letter ? (unsigned char)(first - ('a' - 'A')) : first;

    for (size_t at = 0; at + wanted.length <= text.length; at++) {
        const unsigned char byte = (unsigned char)text.text[at];
        if ((byte == first || byte == upper) &&
            same_bytes(text.text + at, wanted.text, wanted.length, ignore_case)) {
            return text.text + at + wanted.length;
        }
    }
    return NULL;
}

/* What stands between two stars must come in its order; the first place is always good enough, as
 * it leaves most for the rest. parts begins and ends with a star. */
static bool parts_match(struct span parts, struct span name, bool ignore_case)
{
    const char *part = parts.text, *last = parts.text + parts.length - 1;

    while (part < last) {
        const char *star = memchr(part + 1, '*', (size_t)(last - part));
        const struct span wanted = {part + 1, (size_t)(star - part - 1)};
        const char *rest = behind_first(name, wanted, ignore_case);
        if (rest == NULL) {
            return false;
        }
        name.length -= (size_t)(rest - name.text);
        name.text = rest;
        part = star;
    }
    return true;
}

static bool bytes_match(const struct glob *glob, struct span name, bool ignore_case)
{
    size_t ends = (size_t)glob->before + glob->behind;

    if (glob->stars ? name.length < ends : name.length != glob->length) {
        return false;
    }
    if (!same_bytes(glob->text, name.text, glob->before, ignore_case) ||
        !same_bytes(glob->text + glob->length - glob->behind,
                    name.text + name.length - glob->behind, glob->behind, ignore_case)) {
        return false;
    }
    const struct span between = {name.text + glob->before, name.length - ends};
    return !glob->stars ||
           parts_match((struct span){glob->text + glob->before, glob->length - ends}, between,
                       ignore_case);
}

/* Any of the globs, of which there are some. The empty name matches only what matches the empty
 * text. */
static bool name_matches(const struct globs *globs, const char *name, bool ignore_case)
{
    const struct span span = {name, strlen(name)};

    for (uint32_t i = 0; i < globs->count; i++) {
        const struct glob *glob = &globs->items[i];
        if (glob->bytes ? bytes_match(glob, span, ignore_case)
                        : draft_glob_matches(glob->text, name, ignore_case)) {
            return true;
        }
    }
    return false;
}

/* The name is not looked at for a key that is absent, as most keys of a rule are. */
static inline bool name_covered(const struct globs *globs, const char *name, bool ignore_case)
{
    return globs->count == 0 || name_matches(globs, name, ignore_case);
}

/* One of the names fits one of the globs. */
static bool one_name_matches(const struct globs *globs, const struct identity_names *names,
                             enum match_kind kind)
{
    const char *name = names->texts;

    for (uint32_t i = 0; i < names->count; i++, name += strlen(name) + 1) {
        if (name_matches(globs, name, match_ignores_case(kind))) {
            return true;
        }
    }
    return false;
}

static inline bool one_name_covered(const struct globs *globs, const struct identity_names *names,
                                    enum match_kind kind)
{
    return globs->count == 0 || one_name_matches(globs, names, kind);
}

/* Minutes of a day, as its hours are given. */
enum { DAY_MINUTES = 24 * 60, WEEK = 7, FIRST_WEEKDAY = 4 /* 1970-01-01 was a Thursday */ };

/* No C library's calendar: localtime_r(3) takes a lock, and reads a file. */
bool policy_time_within(const struct draft_times *times, int64_t moment)
{
    int64_t minutes = moment / 60 + times->zone;
    int64_t day = minutes / DAY_MINUTES, minute = minutes % DAY_MINUTES;

    if ((times->from != 0 && moment < times->from) ||
        (times->until != 0 && moment >= times->until)) {
        return false;
    }
    if (times->days != 0 && (times->days >> (day + FIRST_WEEKDAY) % WEEK & 1) == 0) {
        return false;
    }
    return !times->has_hours ||
           (times->first < times->last ? minute >= times->first && minute < times->last
                                       : minute >= times->first || minute < times->last);
}

bool policy_globs_match(const struct globs *globs, const char *name, enum match_kind kind)
{
    return name_covered(globs, name != NULL ? name : "", match_ignores_case(kind));
}

/* ---- each shape: is the key present, and why does it not hold? ---------------------------------
 */

/* Whether the rule has the key; the same for each shape below. */
static inline bool given_ranges(const struct ranges *ranges)
{
    return ranges->count > 0;
}

static inline bool given_members(const struct ranges *members)
{
    return members->count > 0;
}

static inline bool given_names(const struct globs *globs)
{
    return globs->count > 0;
}

static inline bool given_globs(const struct globs *globs)
{
    return globs->count > 0;
}

static inline bool given_capabilities(const uint64_t *capabilities)
{
    return *capabilities != 0;
}

static inline bool given_operations(const uint32_t *operations)
{
    return *operations != 0;
}

static inline bool given_times(const struct draft_times *times)
{
    return times->days != 0 || times->has_hours || times->from != 0 || times->until != 0;
}

static inline bool given_components(const miguard_components *components)
{
    return *components != 0;
}

/* What to say of a call without the value, and of one with another value. */
struct sentences {
    const char *none, *other;
};

/* NULL: the key holds. So for each shape. */
static inline const char *why_not_ranges(const struct ranges *ranges,
                                         const struct miguard_identity *identity,
                                         enum match_kind kind, struct sentences say)
{
    if (id_covered(ranges, identity, kind)) {
        return NULL;
    }
    return identity == NULL ? say.none : say.other;
}

static inline const char *why_not_members(const struct ranges *members,
                                          const struct miguard_identity *identity,
                                          enum match_kind kind, struct sentences say)
{
    if (members_covered(members, identity, kind)) {
        return NULL;
    }
    return identity == NULL ? say.none : say.other;
}

/* A key that is absent holds for an unknown identity as well. */
static inline const char *why_not_capabilities(const uint64_t *wanted,
                                               const struct miguard_identity *identity,
                                               enum match_kind kind, struct sentences say)
{
    (void)kind;
    if (capability_covered(*wanted, identity)) {
        return NULL;
    }
    return identity == NULL ? say.none : say.other;
}

/* "" is a call without such a name. */
static inline const char *why_not_globs(const struct globs *globs, const char *name,
                                        enum match_kind kind, struct sentences say)
{
    if (name_covered(globs, name, match_ignores_case(kind))) {
        return NULL;
    }
    return name[0] == '\0' ? say.none : say.other;
}

static inline const char *why_not_names(const struct globs *globs,
                                        const struct identity_names *names, enum match_kind kind,
                                        struct sentences say)
{
    if (one_name_covered(globs, names, kind)) {
        return NULL;
    }
    return names->count == 0 ? say.none : say.other;
}

/* An operation that this version does not know is in no list. */
static inline const char *why_not_operations(const uint32_t *operations, enum operation operation,
                                             enum match_kind kind, struct sentences say)
{
    bool known = (unsigned)operation < OPERATION_COUNT;
    (void)kind;

    if (*operations == 0 || (known && (*operations >> operation & 1) != 0)) {
        return NULL;
    }
    return known ? say.other : say.none;
}

static inline const char *why_not_times(const struct draft_times *times, int64_t moment,
                                        enum match_kind kind, struct sentences say)
{
    (void)kind;
    return given_times(times) && !policy_time_within(times, moment) ? say.other : NULL;
}

/* Not as the others: absent means that nothing may differ. */
static inline const char *why_not_components(const miguard_components *covered,
                                             miguard_components differing, enum match_kind kind,
                                             struct sentences say)
{
    (void)kind;
    if (differing == 0 && *covered != 0) {
        return say.none;
    }
    if (differing != 0 && *covered == 0) {
        return "it has no mismatch and is for calls whose identity is the same";
    }
    return (differing & ~*covered) != 0 ? say.other : NULL;
}

/* ---- each shape in not: does it surely not hold? -----------------------------------------------
 */

/* What is not known may hold: then the exception stands, and the rule does not apply. */
static inline bool clear_ranges(const struct ranges *ranges,
                                const struct miguard_identity *identity, enum match_kind kind)
{
    miguard_components needed = kind == MATCH_GROUP
                                    ? MIGUARD_COMPONENT_EGID | MIGUARD_COMPONENT_GROUPS
                                    : MIGUARD_COMPONENT_EUID;

    return identity != NULL && (identity->known & needed) == needed &&
           !id_covered(ranges, identity, kind);
}

/* What is known may already lack one of them; but then the rest need not be known either, which is
 * not looked for. */
static inline bool clear_members(const struct ranges *members,
                                 const struct miguard_identity *identity, enum match_kind kind)
{
    const miguard_components needed = MIGUARD_COMPONENT_EGID | MIGUARD_COMPONENT_GROUPS;

    return identity != NULL && (identity->known & needed) == needed &&
           !members_covered(members, identity, kind);
}

static inline bool clear_capabilities(const uint64_t *wanted,
                                      const struct miguard_identity *identity, enum match_kind kind)
{
    (void)kind;
    return identity != NULL && (identity->known & MIGUARD_COMPONENT_CAP_EFFECTIVE) != 0 &&
           !capability_covered(*wanted, identity);
}

static inline bool clear_globs(const struct globs *globs, const char *name, enum match_kind kind)
{
    return !name_covered(globs, name, match_ignores_case(kind));
}

static inline bool clear_names(const struct globs *globs, const struct identity_names *names,
                               enum match_kind kind)
{
    return names->known && !one_name_covered(globs, names, kind);
}

static inline bool clear_operations(const uint32_t *operations, enum operation operation,
                                    enum match_kind kind)
{
    (void)kind;
    return (unsigned)operation < OPERATION_COUNT && (*operations >> operation & 1) == 0;
}

static inline bool clear_times(const struct draft_times *times, int64_t moment,
                               enum match_kind kind)
{
    (void)kind;
    return !policy_time_within(times, moment);
}

/* Not has no mismatch (schema_rules.c). */
static inline bool clear_components(const miguard_components *covered, miguard_components differing,
                                    enum match_kind kind)
{
    (void)covered, (void)differing, (void)kind;
    return false;
}

/* ---- the keys -------------------------------------------------------------------------------- */

/*
 * The rows of model/match_keys.h, expanded once for each question that is asked of all keys. A
 * phase is a constant, so the compiler leaves only its rows.
 */

/* The keys of not. Out of line: few rules have it. */
static __attribute__((noinline)) const char *
except_why_not(const struct rule *except, const struct question *question, enum match_phase phase)
{
#define EXCEPT(member, key, shape, KIND, PHASE, value, unreadable_bit, ...)                        \
    if (MATCH_##PHASE == phase && (question->unreadable & (unreadable_bit)) == 0 &&                \
        given_##shape(&except->member) &&                                                          \
        !clear_##shape(&except->member, question->value, MATCH_##KIND)) {                          \
        return "its not excepts this " key ", or it is not known";                                 \
    }
    MATCH_KEY_MAP(EXCEPT)
#undef EXCEPT
    return NULL;
}

/* Of one phase, which each caller gives as a constant: what remains are the questions of its keys,
 * in the order of the rows. A key that is absent holds and is not asked, but for mismatch. */
static inline __attribute__((always_inline)) const char *
phase_why_not(const struct rule *rule, const struct question *question, enum match_phase phase)
{
    const char *why_not = NULL;

#define WHY_NOT(member, key, shape, KIND, PHASE, value, unreadable_bit, none, other)               \
    if (MATCH_##PHASE == phase &&                                                                  \
        (MATCH_##PHASE == MATCH_IDENTITY || given_##shape(&rule->member)) &&                       \
        (question->unreadable & (unreadable_bit)) == 0) {                                          \
        why_not = why_not_##shape(&rule->member, question->value, MATCH_##KIND,                    \
                                  (struct sentences){none, other});                                \
        if (why_not != NULL) {                                                                     \
            return why_not;                                                                        \
        }                                                                                          \
    }
    MATCH_KEY_MAP(WHY_NOT)
#undef WHY_NOT
    return rule->except != NULL ? except_why_not(rule->except, question, phase) : NULL;
}

/* For narrow.c, for each operation. */
const char *policy_call_why_not(const struct rule *rule, const struct question *question)
{
    return phase_why_not(rule, question, MATCH_CALL);
}

/* For narrow.c, which asks it once for a session. */
const char *policy_opened_why_not(const struct rule *rule, const struct question *question)
{
    return phase_why_not(rule, question, MATCH_OPENED);
}

/* For narrow.c, where nothing differs. */
const char *policy_used_why_not(const struct rule *rule, const struct question *question)
{
    return phase_why_not(rule, question, MATCH_USED);
}

/* A rule without one is decided before the call names anything. */
bool policy_rule_has_target(const struct rule *rule)
{
    bool has = false;

#define HAS_TARGET(member, key, shape, KIND, PHASE, ...)                                           \
    has = has || (MATCH_##PHASE == MATCH_TARGET &&                                                 \
                  (given_##shape(&rule->member) ||                                                 \
                   (rule->except != NULL && given_##shape(&rule->except->member))));
    MATCH_KEY_MAP(HAS_TARGET)
#undef HAS_TARGET
    return has;
}

/* Whether a call of the operation can have the name: else it is known that it has none. */
static bool may_carry(enum operation operation, unsigned unreadable_bit)
{
    static const struct {
        unsigned unreadable, carried;
    } names[] = {{CALL_UNREADABLE_SPACE, CARRIES_NAMESPACE},
                 {CALL_UNREADABLE_CLASS, CARRIES_CLASS},
                 {CALL_UNREADABLE_METHOD, CARRIES_METHOD},
                 {CALL_UNREADABLE_RESOURCE, CARRIES_RESOURCE}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].unreadable == unreadable_bit) {
            return (operation_carries(operation) & names[i].carried) != 0;
        }
    }
    return true;
}

/* A provider is no part of who a user is, and what cannot be read is open as well. */
static bool is_open(enum match_phase phase, enum match_kind kind, unsigned unreadable_bit,
                    const struct question *question, unsigned phases)
{
    bool known = (phases >> phase & 1) != 0;

    if (phase == MATCH_TARGET && (phases >> MATCH_CALL & 1) != 0) {
        return may_carry(question->operation, unreadable_bit);
    }
    return !known || kind == MATCH_FILE_NAME || (question->unreadable & unreadable_bit) != 0;
}

enum policy_chance policy_rule_chance(const struct policy *policy, uint32_t rule,
                                      const struct policy_call *call, unsigned phases)
{
    const struct rule *asked = &policy->rules[rule];
    struct question question;
    enum policy_chance chance = POLICY_ALWAYS;

    policy_question_of(policy, call, &question);
#define CHANCE(member, key, shape, KIND, PHASE, value, unreadable_bit, none, other)                \
    if (is_open(MATCH_##PHASE, MATCH_##KIND, unreadable_bit, &question, phases)) {                 \
        chance = given_##shape(&asked->member) ||                                                  \
                         (asked->except != NULL && given_##shape(&asked->except->member))          \
                     ? POLICY_PERHAPS                                                              \
                     : chance;                                                                     \
    } else if (asked->except != NULL && given_##shape(&asked->except->member) &&                   \
               !clear_##shape(&asked->except->member, question.value, MATCH_##KIND)) {             \
        return POLICY_NEVER;                                                                       \
    } else if (why_not_##shape(&asked->member, question.value, MATCH_##KIND,                       \
                               (struct sentences){none, other}) != NULL) {                         \
        return POLICY_NEVER;                                                                       \
    }
    MATCH_KEY_MAP(CHANCE)
#undef CHANCE
    return chance;
}

/* Only keys that ask for the unreadable name matter; all others were asked by
 * policy_rule_why_not(), which leaves those out. */
const char *policy_rule_doubt(const struct rule *rule, const struct question *question)
{
    if (question->unreadable == 0) {
        return NULL;
    }
#define DOUBT(member, key, shape, KIND, PHASE, value, unreadable_bit, ...)                         \
    if ((question->unreadable & (unreadable_bit)) != 0 &&                                          \
        (given_##shape(&rule->member) ||                                                           \
         (rule->except != NULL && given_##shape(&rule->except->member)))) {                        \
        return "it may apply: the call's " key " cannot be read";                                  \
    }
    MATCH_KEY_MAP(DOUBT)
#undef DOUBT
    return NULL;
}

/* The order is that of the cheapest question first; the answer is NULL only when all phases
 * agree. */
const char *policy_rule_why_not(const struct rule *rule, const struct question *question)
{
    const char *why_not = phase_why_not(rule, question, MATCH_IDENTITY);

    if (why_not == NULL) {
        why_not = phase_why_not(rule, question, MATCH_CALL);
    }
    if (why_not == NULL) {
        why_not = phase_why_not(rule, question, MATCH_OPENED);
    }
    if (why_not == NULL) {
        why_not = phase_why_not(rule, question, MATCH_USED);
    }
    if (why_not == NULL) {
        why_not = phase_why_not(rule, question, MATCH_TARGET);
    }
    return why_not;
}
