/* SPDX-License-Identifier: MIT */
/*
 * 100,000 random policies' decisions against an evaluator that is as slow and as plain as the prose
 * it was written from (design, section 7, and policy.h). It shares no code with src/policy: not the
 * matching, not the globs, not the order of anything.
 *
 * SEED=n starts elsewhere; a failure prints the seed that shows it again at once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "policy/policy.h"

/* ---- chance ------------------------------------------------------------------------------- */

static uint64_t state;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)(draw() % limit);
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

/* ---- memory of one policy ----------------------------------------------------------------- */

static char pool[16 << 20];
static size_t pooled;

static void *take(size_t count, size_t size)
{
    void *place = pool + pooled;
    pooled += (count * size + 15) / 16 * 16;
    if (pooled > sizeof(pool)) {
        abort();
    }
    return place;
}

static const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *say(const char *format, ...)
{
    char *text = take(1, 64);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, 64, format, arguments);
    va_end(arguments);
    return text;
}

/* ---- the reference ------------------------------------------------------------------------ */

struct expected {
    bool denied, would_deny, recorded, revoke;
    uint32_t rule;
    uint32_t certain; /* the rule that surely applies */
    bool doubt;       /* a rule before it may apply, too */
    const char *name, *source, *reason, *class_name;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *behind_character(const char *text)
{
    text++;
    while (((unsigned char)*text & 0xC0) == 0x80) {
        text++;
    }
    return text;
}

static bool like(const char *glob, const char *name, bool ignore_case)
{
    if (*glob == '\0') {
        return *name == '\0';
    }
    if (*glob == '*') {
        return like(glob + 1, name, ignore_case) ||
               (*name != '\0' && like(glob, behind_character(name), ignore_case));
    }
    if (*name == '\0') {
        return false;
    }
    if (*glob == '?') {
        return like(glob + 1, behind_character(name), ignore_case);
    }
    if (*glob == '\\') {
        glob++;
    }
    char a = ignore_case ? lower(*glob) : *glob, b = ignore_case ? lower(*name) : *name;
    return a == b && like(glob + 1, name + 1, ignore_case);
}

static bool one_like(const struct draft_glob *globs, uint32_t count, const char *name,
                     bool ignore_case)
{
    bool found = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        found = found || like(globs[i].text, name == NULL ? "" : name, ignore_case);
    }
    return found;
}

static bool has_star(const struct draft_glob *globs, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found = found || strcmp(globs[i].text, "*") == 0;
    }
    return found;
}

static bool within(const struct draft_range *ranges, uint32_t count, uint32_t id)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found = found || (id >= ranges[i].first && id <= ranges[i].last);
    }
    return found && id != (uint32_t)-1;
}

static bool knows(const struct miguard_identity *who, miguard_components what)
{
    return who != NULL && who->tag == IDENTITY_TAG && (who->known & what) != 0;
}

static bool user_holds(const struct draft_range *ranges, uint32_t count,
                       const struct miguard_identity *who)
{
    if (count == 0) {
        return true;
    }
    return knows(who, MIGUARD_COMPONENT_EUID) && within(ranges, count, who->uid[1]);
}

static bool group_holds(const struct draft_range *ranges, uint32_t count,
                        const struct miguard_identity *who)
{
    if (count == 0) {
        return true;
    }
    bool found = knows(who, MIGUARD_COMPONENT_EGID) && within(ranges, count, who->gid[1]);
    if (knows(who, MIGUARD_COMPONENT_GROUPS)) {
        for (uint32_t i = 0; i < who->group_count; i++) {
            found = found || within(ranges, count, who->groups[i]);
        }
    }
    return found;
}

static bool members_hold(const struct draft_ranges *members, const struct miguard_identity *who)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        found += group_holds(&members->items[i], 1, who);
    }
    return found == members->count;
}

static bool capability_holds(uint64_t wanted, const struct miguard_identity *who)
{
    if (wanted == 0) {
        return true;
    }
    return knows(who, MIGUARD_COMPONENT_CAP_EFFECTIVE) &&
           (who->cap[IDENTITY_CAP_EFFECTIVE] & wanted) != 0;
}

/* By which name policies know what is called; "" for an own action without one. */
static const char *action_of(const struct policy_call *call)
{
    if (call->action != NULL && *call->action != '\0') {
        return call->action;
    }
    return call->operation == OPERATION_ACTION || call->operation >= OPERATION_COUNT
               ? ""
               : operation_name(call->operation);
}

/* Of who opened the session, if that is known. */
static const struct identity_names *names_of(const struct policy_call *call, bool groups)
{
    static const struct identity_names none = {.known = false};
    if (call->opened_as == NULL || call->opened_as->tag != IDENTITY_TAG) {
        return &none;
    }
    return groups ? &call->opened_as->group_names : &call->opened_as->user_names;
}

/* The bits come with the call, or from what is given. 0xFF is in no UTF-8, and the only wrong byte
 * here. */
static unsigned unreadable(const struct policy_call *call)
{
    bool nameless = call->operation == OPERATION_ACTION && *action_of(call) == '\0';
    bool broken = call->resource != NULL && strchr(call->resource, 0xFF) != NULL;
    return call->unreadable | (nameless ? 8 : 0) | (broken ? 16 : 0) |
           (call->moment < 1704067200 ? 32 : 0) | (names_of(call, false)->known ? 0 : 64) |
           (names_of(call, true)->known ? 0 : 128);
}

static const char *this_host(void)
{
    static struct utsname machine;
    return uname(&machine) == 0 ? machine.nodename : "";
}

static bool has_times(const struct draft_times *times)
{
    return times->days != 0 || times->has_hours || times->from != 0 || times->until != 0;
}

/* By the C library's calendar. */
static bool in_time(const struct draft_times *times, int64_t moment)
{
    time_t shifted = (time_t)(moment + times->zone * 60);
    struct tm at;
    gmtime_r(&shifted, &at);
    int minute = at.tm_hour * 60 + at.tm_min;
    bool hours = !times->has_hours;
    for (int i = times->first; !hours && i % 1440 != times->last % 1440; i++) {
        hours = minute == i % 1440;
    }
    return hours && (times->days == 0 || (times->days & 1 << at.tm_wday) != 0) &&
           (times->from == 0 || moment >= times->from) &&
           (times->until == 0 || moment < times->until);
}

/* By the names alone: "*" is no exception to that. */
static bool name_holds(const struct draft_globs *globs, const struct identity_names *names)
{
    const char *name = names->texts;
    bool held = globs->count == 0;
    for (uint32_t i = 0; i < names->count && !held; i++, name += strlen(name) + 1) {
        held = one_like(globs->items, globs->count, name, false);
    }
    return held;
}

/* Each key that is there for sure does not hold. */
static bool excepts_nothing(const struct draft_match *except, const struct policy_call *call,
                            const struct miguard_identity *used)
{
    const struct miguard_identity *who[] = {call->opened_as, used};
    const struct draft_ranges *ids[][3] = {
        {&except->users, &except->groups, &except->all_groups},
        {&except->as_users, &except->as_groups, &except->as_all_groups}};
    uint64_t capabilities[] = {except->capabilities, except->as_capabilities};

    for (int i = 0; i < 2; i++) {
        if (ids[i][0]->count != 0 && (!knows(who[i], MIGUARD_COMPONENT_EUID) ||
                                      user_holds(ids[i][0]->items, ids[i][0]->count, who[i]))) {
            return false;
        }
        if (ids[i][1]->count != 0 &&
            (!knows(who[i], MIGUARD_COMPONENT_EGID) || !knows(who[i], MIGUARD_COMPONENT_GROUPS) ||
             group_holds(ids[i][1]->items, ids[i][1]->count, who[i]))) {
            return false;
        }
        if (ids[i][2]->count != 0 &&
            (!knows(who[i], MIGUARD_COMPONENT_EGID) || !knows(who[i], MIGUARD_COMPONENT_GROUPS) ||
             members_hold(ids[i][2], who[i]))) {
            return false;
        }
        if (capabilities[i] != 0 && (!knows(who[i], MIGUARD_COMPONENT_CAP_EFFECTIVE) ||
                                     capability_holds(capabilities[i], who[i]))) {
            return false;
        }
    }
    if (except->operations != 0 &&
        (call->operation >= OPERATION_COUNT || (except->operations & 1u << call->operation) != 0)) {
        return false;
    }
    const struct {
        const struct draft_globs *globs;
        const char *name;
        bool fold;
        unsigned bit;
    } names[] = {{&except->providers, call->provider, false, 0},
                 {&except->namespaces, call->name_space, true, 1},
                 {&except->classes, call->class_name, true, 2},
                 {&except->methods, call->method, true, 4},
                 {&except->actions, action_of(call), false, 8},
                 {&except->resources, call->resource, false, 16},
                 {&except->hosts, this_host(), true, 0}};
    if (has_times(&except->when) && (unreadable(call) & 32) == 0 &&
        in_time(&except->when, call->moment)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct draft_globs *account = i == 0 ? &except->user_names : &except->group_names;
        if (account->count != 0 && (unreadable(call) & (64u << i)) == 0 &&
            name_holds(account, names_of(call, i == 1))) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].globs->count != 0 && (unreadable(call) & names[i].bit) == 0 &&
            one_like(names[i].globs->items, names[i].globs->count, names[i].name, names[i].fold)) {
            return false;
        }
    }
    return true;
}

static bool holds(const struct draft_match *match, const struct policy_call *call)
{
    bool proved = call->opened_as != NULL && call->opened_as->tag == IDENTITY_TAG;
    miguard_components mismatch =
        proved ? call->mismatch : (miguard_components)MIGUARD_COMPONENTS_ALL;
    const struct miguard_identity *used = call->used_as;
    if (used == NULL && mismatch == 0) {
        used = call->opened_as;
    }

    if (mismatch == 0 ? match->mismatch != 0
                      : match->mismatch == 0 || (mismatch & ~match->mismatch) != 0) {
        return false;
    }
    if (match->operations != 0 &&
        (call->operation >= OPERATION_COUNT || (match->operations & 1u << call->operation) == 0)) {
        return false;
    }
    if (match->except != NULL && !excepts_nothing(match->except, call, used)) {
        return false;
    }
    return user_holds(match->users.items, match->users.count, call->opened_as) &&
           group_holds(match->groups.items, match->groups.count, call->opened_as) &&
           members_hold(&match->all_groups, call->opened_as) &&
           members_hold(&match->as_all_groups, used) &&
           capability_holds(match->capabilities, call->opened_as) &&
           user_holds(match->as_users.items, match->as_users.count, used) &&
           group_holds(match->as_groups.items, match->as_groups.count, used) &&
           capability_holds(match->as_capabilities, used) &&
           one_like(match->providers.items, match->providers.count, call->provider, false) &&
           one_like(match->hosts.items, match->hosts.count, this_host(), true) &&
           (!has_times(&match->when) || (unreadable(call) & 32) != 0 ||
            in_time(&match->when, call->moment)) &&
           ((unreadable(call) & 64) != 0 ||
            name_holds(&match->user_names, names_of(call, false))) &&
           ((unreadable(call) & 128) != 0 ||
            name_holds(&match->group_names, names_of(call, true))) &&
           ((unreadable(call) & 1) != 0 ||
            one_like(match->namespaces.items, match->namespaces.count, call->name_space, true)) &&
           ((unreadable(call) & 2) != 0 ||
            one_like(match->classes.items, match->classes.count, call->class_name, true)) &&
           ((unreadable(call) & 4) != 0 ||
            one_like(match->methods.items, match->methods.count, call->method, true)) &&
           ((unreadable(call) & 8) != 0 ||
            one_like(match->actions.items, match->actions.count, action_of(call), false)) &&
           ((unreadable(call) & 16) != 0 ||
            one_like(match->resources.items, match->resources.count, call->resource, false));
}

static const char *place_text(const struct policy_place *place)
{
    return place->line == 0 ? "built-in" : say("%s:%u:%u", place->file, place->line, place->column);
}

/* What the rule says, or the default for POLICY_NO_RULE. */
static struct expected said_by(const struct policy_draft *draft, const struct policy_call *call,
                               uint32_t index)
{
    const struct draft_settings *settings = &draft->settings;
    bool differs =
        call->opened_as == NULL || call->opened_as->tag != IDENTITY_TAG || call->mismatch != 0;
    struct expected expected = {
        .rule = POLICY_NO_RULE,
        .name = "default",
        .source = place_text(differs ? &settings->on_mismatch_place : &settings->decision_place),
        .reason = NULL,
    };
    bool deny = differs || settings->decision == DRAFT_DENY;
    bool permissive = settings->mode == DRAFT_PERMISSIVE;
    bool rolled_out =
        settings->permissive.count > 0 &&
        one_like(settings->permissive.items, settings->permissive.count, call->provider, false);
    unsigned audit = settings->audit;

    if (index != POLICY_NO_RULE) {
        const struct draft_rule *rule = &draft->rules[index];
        deny = rule->decision == DRAFT_DENY;
        permissive = (rule->has_mode ? rule->mode : settings->mode) == DRAFT_PERMISSIVE;
        audit = rule->has_audit ? rule->audit : settings->audit;
        expected.rule = index;
        expected.name = rule->name;
        expected.source = place_text(&rule->place);
        expected.reason = rule->reason;
    }
    permissive = permissive || rolled_out;
    expected.denied = deny && !permissive;
    expected.would_deny = deny && permissive;
    if (deny) {
        expected.recorded = (audit & POLICY_AUDIT_DENY) != 0;
    } else if (call->operation == OPERATION_GET_LOCAL_SESSION ||
               call->operation == OPERATION_BIND) {
        expected.recorded = (audit & (POLICY_AUDIT_OPEN | POLICY_AUDIT_USE)) != 0;
    } else {
        expected.recorded = (audit & POLICY_AUDIT_USE) != 0;
    }
    expected.revoke = expected.denied && differs && settings->on_mismatch == DRAFT_MISMATCH_REVOKE;
    expected.certain = index;
    return expected;
}

/* A refusal before a refusal in name only, before a record, before nothing. */
static int weight(const struct expected *expected)
{
    return (expected->denied ? 4 : expected->would_deny ? 2 : 0) + expected->recorded;
}

/* Whether the key is there and the call's value of it cannot be read. */
static bool asks(const struct draft_glob *globs, uint32_t count, const struct policy_call *call,
                 unsigned bit)
{
    return count > 0 && !has_star(globs, count) && (unreadable(call) & bit) != 0;
}

/* Whether the rule asks for a name that cannot be read. */
static bool names_unreadable(const struct draft_globs *globs, const struct policy_call *call,
                             unsigned bit)
{
    return globs->count > 0 && (unreadable(call) & bit) != 0;
}

static bool asks_for_unreadable(const struct draft_match *match, const struct policy_call *call)
{
    const struct draft_match *except = match->except;

    if (except != NULL && (names_unreadable(&except->user_names, call, 64) ||
                           names_unreadable(&except->group_names, call, 128) ||
                           names_unreadable(&except->namespaces, call, 1) ||
                           names_unreadable(&except->classes, call, 2) ||
                           names_unreadable(&except->methods, call, 4) ||
                           names_unreadable(&except->actions, call, 8) ||
                           names_unreadable(&except->resources, call, 16) ||
                           (has_times(&except->when) && (unreadable(call) & 32) != 0))) {
        return true;
    }
    return names_unreadable(&match->user_names, call, 64) ||
           names_unreadable(&match->group_names, call, 128) ||
           asks(match->namespaces.items, match->namespaces.count, call, 1) ||
           asks(match->classes.items, match->classes.count, call, 2) ||
           asks(match->methods.items, match->methods.count, call, 4) ||
           asks(match->actions.items, match->actions.count, call, 8) ||
           asks(match->resources.items, match->resources.count, call, 16) ||
           (has_times(&match->when) && (unreadable(call) & 32) != 0);
}

/* Of one class: everything that may decide, up to what surely does. */
static struct expected for_class(const struct policy_draft *draft, const struct policy_call *call)
{
    struct expected strictest = {.rule = 0};
    bool any = false, doubted = false;

    for (uint32_t i = 0; i <= draft->rule_count; i++) {
        bool end = i == draft->rule_count;
        if (!end && !holds(&draft->rules[i].match, call)) {
            continue;
        }
        struct expected found = said_by(draft, call, end ? POLICY_NO_RULE : i);
        if (!any || weight(&found) > weight(&strictest)) {
            strictest = found;
        }
        any = true;
        if (end || !asks_for_unreadable(&draft->rules[i].match, call)) {
            strictest.certain = found.certain;
            break;
        }
        doubted = true;
    }
    strictest.doubt = doubted;
    return strictest;
}

static struct expected reference(const struct policy_draft *draft, const struct policy_call *call)
{
    struct policy_call one = *call;
    struct expected strictest = for_class(draft, &one);

    strictest.class_name = call->class_name;
    for (int i = 0; i < 2; i++) {
        one.class_name = call->further_classes[i];
        if (one.class_name == NULL || *one.class_name == '\0') {
            break;
        }
        struct expected other = for_class(draft, &one);
        other.class_name = one.class_name;
        if (weight(&other) > weight(&strictest)) {
            strictest = other;
        }
    }
    return strictest;
}

/* ---- random policies ---------------------------------------------------------------------- */

static bool large; /* thousands of different ids and names, so that the index gets coarse */

static uint32_t some_id(void)
{
    static const uint32_t ids[] = {0, 1, 2, 33, 99, 100, 101, 1000, 1999, 2000, 65534, 4294967294u};
    return large ? below(60000) : ids[below(sizeof(ids) / sizeof(ids[0]))];
}

static const char *some_name(void)
{
    static const char *const names[] = {"root",         "ROOT",      "root/cimv2",  "Root/CIMV2",
                                        "root/a*b",     "Web_A",     "web_site",    "WEB_SITE_LONG",
                                        "CIM_Log",      "libweb.so", "libWeb.so",   "caf\xC3\xA9",
                                        "caf\xC3\xA9s", "x",         "back\\slash", "who?"};
    if (large) {
        return say("Name_%u", below(20000));
    }
    if (one_in(60)) {
        return "a-name-that-is-longer-than-all-prefixes-that-are-looked-at-which-are-63-characters";
    }
    return one_in(8) ? "" : names[below(sizeof(names) / sizeof(names[0]))];
}

/* An own action, or the name of an operation. */
static const char *some_action(void)
{
    return one_in(4) ? operation_name((enum operation)below(OPERATION_COUNT)) : some_name();
}

/* A name of which pieces gave way to wildcards, and some letters to their other case. */
static const char *some_glob(const char *name)
{
    char *glob = take(1, 256), *end = glob;

    for (; *name != '\0'; name++) {
        bool starts = ((unsigned char)*name & 0xC0) != 0x80; /* not within a character */
        if (starts && one_in(large ? 40 : 12)) {
            *end++ = one_in(3) ? '?' : '*';
        } else if (starts && one_in(large ? 400 : 60)) {
            *end++ = '*';
            break;
        }
        if (strchr("*?\\", *name) != NULL && !one_in(4)) {
            *end++ = '\\';
        } else if (starts && one_in(20)) {
            *end++ = '\\'; /* quotes what needs no quoting */
        }
        *end++ = one_in(20) && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
    }
    if (one_in(10)) {
        *end++ = '*';
    }
    *end = '\0';
    size_t length = (size_t)(end - glob), slashes = 0;
    while (slashes < length && glob[length - 1 - slashes] == '\\') {
        slashes++;
    }
    if (slashes % 2 != 0) {
        end[-1] = '\0'; /* quotes nothing: no loader lets that through */
    }
    return glob;
}

/* How many alternatives a key has; 0 leaves it away. */
static uint32_t some_count(uint32_t absent_of_4)
{
    return below(4) < absent_of_4 ? 0 : 1 + below(large ? 8 : 3);
}

static const struct draft_range *some_ranges(uint32_t count)
{
    struct draft_range *ranges = take(count, sizeof(*ranges));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = some_id(), b = one_in(large ? 50 : 2) ? some_id() : a;
        ranges[i] = (struct draft_range){a < b ? a : b, a < b ? b : a, "range"};
        if (one_in(large ? 4000 : 50)) {
            ranges[i].last = UINT32_MAX;
        }
    }
    return ranges;
}

static const struct draft_glob *some_globs(uint32_t count, const char *(*some)(void))
{
    struct draft_glob *globs = take(count, sizeof(*globs));
    for (uint32_t i = 0; i < count; i++) {
        globs[i].text = some_glob(some());
    }
    return globs;
}

static uint64_t some_capabilities(void)
{
    return UINT64_C(1) << below(4) | (one_in(3) ? UINT64_C(1) << (37 + below(4)) : 0);
}

static miguard_components some_components(void)
{
    miguard_components components = 0;
    for (unsigned i = 1 + below(3); i > 0; i--) {
        components |= 1u << below(4);
    }
    return one_in(10) ? (miguard_components)MIGUARD_COMPONENTS_ALL : components;
}

static uint32_t some_operations(void)
{
    uint32_t operations = 0;
    for (unsigned i = 1 + below(4); i > 0; i--) {
        operations |= 1u << below(one_in(4) ? OPERATION_COUNT : 4);
    }
    return operations;
}

enum { BASE = 1767225600 /* 2026-01-01, a Thursday */, DAY = 86400 };

static struct draft_times some_times(void)
{
    struct draft_times times = {.days = one_in(2) ? (uint8_t)below(128) : 0,
                                .has_hours = one_in(2),
                                .zone = one_in(3) ? (int16_t)((int)below(1681) - 840) : 0,
                                .from = one_in(3) ? BASE + (int64_t)below(14) * DAY : 0,
                                .until = one_in(3) ? BASE + (int64_t)below(28) * DAY : 0};
    if (times.has_hours) {
        times.first = (uint16_t)below(1440);
        times.last = (uint16_t)((times.first + 1 + below(1439)) % 1440);
    }
    return times;
}

static const char *some_host(void)
{
    return one_in(3) ? some_name() : this_host();
}

static struct draft_match some_match(void)
{
    struct draft_match match = {
        .users.count = some_count(2),
        .as_users.count = some_count(3),
        .groups.count = some_count(3),
        .as_groups.count = some_count(3),
        .all_groups.count = one_in(2) ? some_count(3) : 0,
        .as_all_groups.count = one_in(3) ? some_count(3) : 0,
        .capabilities = one_in(5) ? some_capabilities() : 0,
        .as_capabilities = one_in(8) ? some_capabilities() : 0,
        .providers.count = some_count(3),
        .user_names.count = one_in(5) ? some_count(2) : 0,
        .group_names.count = one_in(8) ? some_count(2) : 0,
        .hosts.count = one_in(3) ? some_count(3) : 0,
        .namespaces.count = some_count(3),
        .classes.count = some_count(2),
        .methods.count = some_count(3),
        .resources.count = some_count(3),
        .actions.count = some_count(3),
        .operations = one_in(2) ? some_operations() : 0,
        .mismatch = one_in(3) ? some_components() : 0,
    };
    match.users.items = some_ranges(match.users.count);
    match.as_users.items = some_ranges(match.as_users.count);
    match.groups.items = some_ranges(match.groups.count);
    match.as_groups.items = some_ranges(match.as_groups.count);
    match.all_groups.items = some_ranges(match.all_groups.count);
    match.as_all_groups.items = some_ranges(match.as_all_groups.count);
    if (one_in(6)) {
        match.when = some_times();
    }
    match.user_names.items = some_globs(match.user_names.count, some_name);
    match.group_names.items = some_globs(match.group_names.count, some_name);
    match.hosts.items = some_globs(match.hosts.count, some_host);
    match.providers.items = some_globs(match.providers.count, some_name);
    match.namespaces.items = some_globs(match.namespaces.count, some_name);
    match.classes.items = some_globs(match.classes.count, some_name);
    match.methods.items = some_globs(match.methods.count, some_name);
    match.resources.items = some_globs(match.resources.count, some_name);
    match.actions.items = some_globs(match.actions.count, some_action);
    return match;
}

/* Sometimes with exceptions, of few keys: else hardly a rule would apply. */
static struct draft_match some_match_and_not(void)
{
    struct draft_match match = some_match();

    if (one_in(4)) {
        struct draft_match *except = take(1, sizeof(*except));
        *except = some_match();
        except->mismatch = 0;
        except->capabilities = one_in(4) ? except->capabilities : 0;
        except->users.count = one_in(3) ? except->users.count : 0;
        except->groups.count = one_in(3) ? except->groups.count : 0;
        except->as_users.count = one_in(3) ? except->as_users.count : 0;
        except->classes.count = one_in(2) ? except->classes.count : 0;
        except->operations = one_in(3) ? except->operations : 0;
        match.except = except;
    }
    return match;
}

static struct draft_rule some_rule(uint32_t i)
{
    return (struct draft_rule){
        .place = {.file = "r.yaml", .line = i + 7, .column = 1 + below(9)},
        .name = say("rule-%u", i),
        .reason = one_in(3) ? "" : say("because of %u", i),
        .has_match = true,
        .match = some_match_and_not(),
        .decision = one_in(2) ? DRAFT_DENY : DRAFT_ALLOW,
        .has_mode = one_in(3),
        .mode = one_in(2) ? DRAFT_PERMISSIVE : DRAFT_ENFORCE,
        .has_audit = one_in(2),
        .audit = below(8),
    };
}

static struct policy_place some_place(void)
{
    return one_in(2) ? (struct policy_place){.file = NULL}
                     : (struct policy_place){"settings.yaml", 1 + below(9), 1 + below(9)};
}

static struct policy_draft some_draft(void)
{
    static struct draft_rule rules[DRAFT_MAX_RULES];
    struct policy_draft draft = {.rules = rules};

    draft.rule_count = large ? DRAFT_MAX_RULES - below(3) : one_in(5) ? below(200) : below(12);
    for (uint32_t i = 0; i < draft.rule_count; i++) {
        rules[i] = some_rule(i);
    }
    draft.settings = (struct draft_settings){
        .mode = one_in(4) ? DRAFT_PERMISSIVE : DRAFT_ENFORCE,
        .decision = one_in(2) ? DRAFT_DENY : DRAFT_ALLOW,
        .decision_place = some_place(),
        .audit_failure_denies = one_in(2),
        .on_mismatch = one_in(2) ? DRAFT_MISMATCH_REVOKE : DRAFT_MISMATCH_DENY,
        .on_mismatch_place = some_place(),
        .audit = below(8),
        .compared = (miguard_components)below(1u << 18),
        .permissive.count = one_in(4) ? 1 + below(2) : 0,
    };
    draft.settings.permissive.items = some_globs(draft.settings.permissive.count, some_name);
    return draft;
}

/* ---- random questions --------------------------------------------------------------------- */

static struct identity_names some_account_names(uint32_t most)
{
    struct identity_names names = {.known = !one_in(8)};
    char *end = names.texts = take(most, 512);
    for (uint32_t i = below(most + 1); names.known && i > 0; i--) {
        const char *name = some_name();
        end = stpcpy(end, name) + 1;
        names.count++;
    }
    return names;
}

static const struct miguard_identity *some_identity(void)
{
    struct miguard_identity *who = take(1, sizeof(*who));

    if (one_in(40)) {
        return NULL;
    }
    memset(who, 0, sizeof(*who));
    who->tag = one_in(40) ? 0 : IDENTITY_TAG; /* 0: none, whatever else is in it */
    who->known = one_in(30) ? below(1u << 18) : MIGUARD_COMPONENTS_ALL;
    for (int i = 0; i < IDENTITY_IDS; i++) {
        who->uid[i] = one_in(100) ? UINT32_MAX : some_id();
        who->gid[i] = some_id();
    }
    who->group_count = below(5);
    who->groups = take(who->group_count, sizeof(gid_t));
    for (uint32_t i = 0; i < who->group_count; i++) {
        who->groups[i] = some_id();
    }
    who->group_count = identity_sort_groups(who->groups, who->group_count);
    who->user_names = some_account_names(1);
    who->group_names = some_account_names(3);
    who->cap[IDENTITY_CAP_EFFECTIVE] = one_in(2)   ? 0
                                       : one_in(3) ? (UINT64_C(1) << 41) - 1
                                                   : some_capabilities();
    return who;
}

static const char *some_target(void)
{
    return one_in(12) ? NULL : some_name();
}

static struct policy_call some_call(const struct miguard_identity *opened, const char *provider)
{
    struct policy_call call = {
        .operation =
            one_in(100) ? OPERATION_COUNT : (enum operation)below(one_in(4) ? OPERATION_COUNT : 4),
        .opened_as = opened,
        .provider = provider,
        .name_space = some_target(),
        .class_name = some_target(),
        .method = some_target(),
        .moment = one_in(30)   ? POLICY_NO_MOMENT
                  : one_in(60) ? 1000
                               : BASE + (int64_t)below(14) * DAY + below(DAY),
    };
    if (one_in(3)) {
        call.operation = OPERATION_ACTION;
    }
    if (!one_in(call.operation == OPERATION_ACTION ? 12 : 2)) {
        call.action = some_action();
    }
    if (one_in(2)) {
        call.resource = one_in(12) ? say("%s\xFF", some_name()) : some_name();
    }
    for (int i = 0; i < 2 && call.class_name != NULL && one_in(2); i++) {
        call.further_classes[i] = some_target();
        if (call.further_classes[i] == NULL) {
            break;
        }
    }
    if (one_in(4)) {
        call.unreadable = below(64);
    }
    if (one_in(3)) {
        call.mismatch = one_in(100) ? 1u << 20 : some_components();
    }
    if (call.mismatch != 0 || one_in(10)) {
        call.used_as = one_in(4) ? NULL : one_in(5) ? opened : some_identity();
    }
    return call;
}

/* ---- the comparison ----------------------------------------------------------------------- */

static unsigned passed, failed;
static struct {
    unsigned by_rule, by_action, by_resource, by_except, by_members, by_host, by_time,
        by_mismatch_rule, denied, would_deny, revoked, late, doubted, further;
} seen;

static bool same_text(const char *a, const char *b)
{
    return a == NULL || (b != NULL && strcmp(a, b) == 0); /* NULL: any that is not empty */
}

static bool agrees(const struct policy_draft *draft, const struct expected *expected,
                   const struct policy_verdict *found)
{
    return (found->decision == POLICY_DENY) == expected->denied &&
           found->would_deny == expected->would_deny && found->recorded == expected->recorded &&
           found->audit_failure_denies == draft->settings.audit_failure_denies &&
           found->revoke == expected->revoke && found->rule_index == expected->rule &&
           found->name_invalid == expected->doubt &&
           (found->class_name == NULL || expected->class_name == NULL ||
            strcmp(found->class_name, expected->class_name) == 0) &&
           same_text(expected->name, found->rule) && same_text(expected->source, found->source) &&
           same_text(expected->reason, found->reason) && found->reason != NULL;
}

static void check(bool good, uint64_t seed, const char *who, const struct expected *expected,
                  const struct policy_verdict *found)
{
    if (good) {
        return;
    }
    printf("SEED=%llu: %s: expected %s%s%s%s by %s (%u) at %s, got %s%s%s%s by %s (%u) at %s\n",
           (unsigned long long)seed, who, expected->denied ? "deny" : "allow",
           expected->would_deny ? " would-deny" : "", expected->recorded ? " recorded" : "",
           expected->revoke ? " revoke" : "", expected->name, expected->rule, expected->source,
           found->decision == POLICY_DENY ? "deny" : "allow",
           found->would_deny ? " would-deny" : "", found->recorded ? " recorded" : "",
           found->revoke ? " revoke" : "", found->rule, found->rule_index, found->source);
}

/* Explain must look at each rule up to the one that applies, and at none behind. */
struct watch {
    uint32_t looked_at;
    bool in_order, applied;
};

static void watch_rule(void *context, uint32_t index, const char *name, const char *source,
                       const char *why_not)
{
    struct watch *watch = context;
    watch->in_order = watch->in_order && index == watch->looked_at && !watch->applied &&
                      name != NULL && source != NULL;
    watch->looked_at++;
    watch->applied = why_not == NULL;
}

static bool watched_all(const struct watch *watch, const struct policy_draft *draft,
                        const struct expected *expected)
{
    bool found = expected->certain != POLICY_NO_RULE;
    return watch->in_order && watch->applied == found &&
           watch->looked_at == (found ? expected->certain + 1 : draft->rule_count);
}

static void count_seen(const struct policy_draft *draft, const struct expected *expected,
                       const struct policy_call *call)
{
    if (expected->rule != POLICY_NO_RULE) {
        const struct draft_match *match = &draft->rules[expected->rule].match;
        seen.by_action += match->actions.count > 0 && !expected->doubt;
        seen.by_resource += match->resources.count > 0 && !expected->doubt;
        seen.by_members += match->all_groups.count > 1 && !expected->doubt;
        seen.by_host += match->hosts.count > 0 && !expected->doubt;
        seen.by_time += has_times(&match->when) && !expected->doubt;
        seen.by_except += match->except != NULL && !expected->doubt;
    }
    seen.by_rule += expected->rule != POLICY_NO_RULE;
    seen.by_mismatch_rule += expected->rule != POLICY_NO_RULE && call->mismatch != 0;
    seen.late += expected->rule != POLICY_NO_RULE && expected->rule > 64;
    seen.denied += expected->denied;
    seen.would_deny += expected->would_deny;
    seen.revoked += expected->revoke;
    seen.doubted += expected->doubt;
    seen.further += expected->class_name != call->class_name;
}

static unsigned never, perhaps, always;

/* What is known of a rule without the names of the call and its provider: never is never, and
 * always is always, whatever these are. Not asked of a call with names that its operation cannot
 * have. */
static bool chances_hold(const struct policy_draft *draft, const struct policy *policy,
                         const struct policy_call *call)
{
    const unsigned known =
        1 << MATCH_IDENTITY | 1 << MATCH_CALL | 1 << MATCH_OPENED | 1 << MATCH_USED;
    unsigned carries = operation_carries(call->operation);
    const char *resource = call->resource, *name_space = call->name_space;

    if (call->operation >= OPERATION_COUNT || unreadable(call) != 0 ||
        ((carries & CARRIES_RESOURCE) == 0 && resource != NULL) ||
        ((carries & CARRIES_NAMESPACE) == 0 && name_space != NULL) ||
        ((carries & CARRIES_CLASS) == 0 && call->class_name != NULL) ||
        ((carries & CARRIES_METHOD) == 0 && call->method != NULL)) {
        return true;
    }
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        bool applies = holds(&draft->rules[i].match, call);
        enum policy_chance chance = policy_rule_chance(policy, i, call, known);
        never += chance == POLICY_NEVER;
        perhaps += chance == POLICY_PERHAPS;
        always += chance == POLICY_ALWAYS;
        if ((chance == POLICY_NEVER && applies) || (chance == POLICY_ALWAYS && !applies)) {
            return false;
        }
    }
    return true;
}

static void try_call(const struct policy_draft *draft, const struct policy *policy,
                     const struct policy_view *view, const struct policy_call *call, uint64_t seed)
{
    struct watch watch = {.in_order = true};
    struct expected expected = reference(draft, call);
    struct policy_verdict decided = policy_decide(policy, call);
    struct policy_verdict told = policy_explain(policy, call, watch_rule, &watch);
    struct policy_verdict narrowed = policy_view_decide(view, call);
    bool good[] = {agrees(draft, &expected, &decided), agrees(draft, &expected, &told),
                   agrees(draft, &expected, &narrowed), watched_all(&watch, draft, &expected),
                   chances_hold(draft, policy, call)};

    check(good[0], seed, "policy_decide", &expected, &decided);
    check(good[1], seed, "policy_explain", &expected, &told);
    check(good[2], seed, "policy_view_decide", &expected, &narrowed);
    check(good[3], seed, "the observer", &expected, &told);
    check(good[4], seed, "policy_rule_chance", &expected, &decided);
    bool all = good[0] && good[1] && good[2] && good[3] && good[4];
    passed += all;
    failed += !all;
    count_seen(draft, &expected, call);
}

enum { SESSIONS = 5, CALLS = 10 };

static void try_policy(uint64_t seed)
{
    const struct policy *policy = NULL;

    state = seed;
    pooled = 0;
    large = one_in(80);
    struct policy_draft draft = some_draft();
    if (policy_compile(&draft, &policy) != MIGUARD_OK ||
        policy_rule_count(policy) != draft.rule_count ||
        policy_compared(policy) != draft.settings.compared ||
        policy_revokes(policy) != (draft.settings.on_mismatch == DRAFT_MISMATCH_REVOKE)) {
        printf("SEED=%llu: compile\n", (unsigned long long)seed);
        failed++;
        return;
    }
    for (int i = 0; i < SESSIONS; i++) {
        const struct miguard_identity *opened = some_identity();
        const char *provider = some_target();
        struct policy_view *view = NULL;
        if (policy_narrow(policy, opened, provider, &view) != MIGUARD_OK ||
            policy_view_policy(view) != policy) {
            abort();
        }
        for (int j = 0; j < CALLS; j++) {
            struct policy_call call = some_call(opened, provider);
            try_call(&draft, policy, view, &call, seed);
        }
        policy_view_free(view);
    }
    policy_release(policy);
}

int main(void)
{
    const char *wanted = getenv("SEED");
    uint64_t seed = wanted != NULL ? strtoull(wanted, NULL, 10) : 1;
    unsigned policies = getenv("QUICK") != NULL ? 200 : 100000 / (SESSIONS * CALLS);

    for (unsigned i = 0; i < policies && failed < 20; i++) {
        try_policy(seed + i);
    }
    printf("decided by a rule %u (with an action %u, with a resource %u, by a mismatch rule %u, "
           "behind the 64th %u), denied %u, "
           "would deny %u, revoked %u, in doubt %u, by a further class %u\n",
           seen.by_rule, seen.by_action, seen.by_resource, seen.by_mismatch_rule, seen.late,
           seen.denied, seen.would_deny, seen.revoked, seen.doubted, seen.further);
    printf("by a rule with not %u, with all-groups %u, with a host %u, with a time %u\n",
           seen.by_except, seen.by_members, seen.by_host, seen.by_time);
    printf("of the rules without names: never %u, perhaps %u, always %u\n", never, perhaps, always);
    if (wanted == NULL &&
        (never == 0 || seen.by_except == 0 || seen.by_members == 0 || seen.by_host == 0 ||
         seen.by_time == 0 || perhaps == 0 || always == 0 || seen.by_action == 0 ||
         seen.by_resource == 0 || seen.by_mismatch_rule == 0 || seen.late == 0 ||
         seen.denied == 0 || seen.would_deny == 0 || seen.revoked == 0 || seen.doubted == 0 ||
         seen.further == 0)) {
        printf("the random questions leave something out\n");
        failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
