/* SPDX-License-Identifier: MIT */
/*
 * From a draft to a policy: texts and lists are copied into one block beside the rules, what is
 * inherited from the defaults is settled, and the index is built.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "policy/compiled.h"

#define REASON_SAME    "no rule says otherwise"
#define REASON_DIFFERS "the session was taken under another identity"

/* In force where no file is. It has no rule, and so no index and no parts. */
static const struct policy builtin = {
    .compared = MIGUARD_COMPONENTS_ALL,
    .audit_failure_denies = true,
    .same = {.decision = POLICY_ALLOW,
             .audit = POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN,
             .name = "default",
             .source = "built-in",
             .reason = REASON_SAME},
    .differs = {.decision = POLICY_DENY,
                .audit = POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN,
                .name = "default",
                .source = "built-in",
                .reason = REASON_DIFFERS},
};

const struct policy *const policy_builtin = &builtin;

/* ---- the block that rules point into -------------------------------------------------------- */

/*
 * One allocation holds all that rules point to, so a policy is released in one step and its parts
 * lie close together. fill() runs twice over the same code, first to count and then to copy.
 */

/* Filled from the front with what must be aligned and from the back with texts. The same code
 * runs twice: without memory it only counts. */
struct parts {
    char *memory; /* NULL: count */
    size_t front, back;
    bool asks_time; /* some rule has when: */
    bool in_except; /* where "*" must not look absent: of a rule's not, of defaults.permissive */
    bool invalid; /* a range ends before it begins: matching relies on what no loader gets wrong */
};

/* Each piece is rounded up to the size of a pointer. */
static void *take_front(struct parts *parts, size_t count, size_t size)
{
    void *place = parts->memory != NULL ? parts->memory + parts->front : NULL;

    parts->front += (count * size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    return place;
}

/* From the back, so that texts need no alignment and leave no holes. */
static const char *take_text(struct parts *parts, const char *text)
{
    size_t size = strlen(text) + 1;

    if (parts->memory == NULL) {
        parts->back += size;
        return NULL;
    }
    parts->back -= size;
    return memcpy(parts->memory + parts->back, text, size);
}

/* "file:line:col", or what is known of it. Made once here, so that a decision only points to it. */
static const char *take_place(struct parts *parts, const struct policy_place *place)
{
    char numbers[sizeof(":4294967295:4294967295")] = "";

    if (place->file == NULL) {
        return take_text(parts, "built-in");
    }
    if (place->line != 0) {
        (void)snprintf(numbers, sizeof(numbers), ":%u:%u", place->line, place->column);
    }
    if (parts->memory == NULL) {
        parts->back += strlen(place->file) + strlen(numbers) + 1;
        return NULL;
    }
    parts->back -= strlen(place->file) + strlen(numbers) + 1;
    char *text = parts->memory + parts->back;
    memcpy(text, place->file, strlen(place->file));
    memcpy(text + strlen(place->file), numbers, strlen(numbers) + 1);
    return text;
}

/* A setting that no file gave has line 0 and whatever file. */
static const char *take_setting_place(struct parts *parts, const struct policy_place *place)
{
    static const struct policy_place nowhere = {0};

    return take_place(parts, place->line != 0 ? place : &nowhere);
}

/* ---- rules ---------------------------------------------------------------------------------- */

/*
 * What matching relies on is made true here: ranges are sorted and merged, a key with "*" is
 * dropped, and every outcome is complete.
 */

/* Sorts a range into its place. Lists are short (DRAFT_MAX_VALUES). */
static void insert_range(struct range *items, uint32_t count, struct range range)
{
    for (; count > 0 && items[count - 1].first > range.first; count--) {
        items[count] = items[count - 1];
    }
    items[count] = range;
}

/* Puts together what overlaps or touches; gives the new count. */
static uint32_t merge_ranges(struct range *items, uint32_t count)
{
    uint32_t kept = 1;

    for (uint32_t i = 1; i < count; i++) {
        struct range *last = &items[kept - 1];
        if (items[i].first > (uint64_t)last->last + 1) {
            items[kept++] = items[i];
        } else if (items[i].last > last->last) {
            last->last = items[i].last;
        }
    }
    return kept;
}

/* Sorted and merged, so that matching is a binary search. The place is taken for all, also for
 * those that are merged away. */
static struct ranges take_ranges(struct parts *parts, const struct draft_ranges *from)
{
    struct range *items = take_front(parts, from->count, sizeof(*items));

    for (uint32_t i = 0; i < from->count; i++) {
        parts->invalid = parts->invalid || from->items[i].first > from->items[i].last;
    }
    if (items == NULL || from->count == 0) {
        return (struct ranges){NULL, 0};
    }
    for (uint32_t i = 0; i < from->count; i++) {
        insert_range(items, i, (struct range){from->items[i].first, from->items[i].last});
    }
    return (struct ranges){items, merge_ranges(items, from->count)};
}

/* In their order, each by itself: merged they would be one. */
static struct ranges take_members(struct parts *parts, const struct draft_ranges *from)
{
    struct range *items = take_front(parts, from->count, sizeof(*items));

    for (uint32_t i = 0; i < from->count; i++) {
        const struct draft_range *range = &from->items[i];
        parts->invalid = parts->invalid || range->first > range->last;
        if (items != NULL) {
            items[i] = (struct range){range->first, range->last};
        }
    }
    return (struct ranges){items, items == NULL ? 0 : from->count};
}

/* A list with "*" among its globs is as good as none: "*" matches everything, the empty name too. A
 * key with it is dropped, and the index has one key less to ask. */
static bool matches_all(const struct draft_globs *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        if (strcmp(from->items[i].text, "*") == 0) {
            return true;
        }
    }
    return false;
}

/* What can be compared byte by byte is (match.c). */
static struct glob take_glob(struct parts *parts, const char *text)
{
    struct glob glob = {.text = take_text(parts, text), .length = (uint32_t)strlen(text)};
    const char *first = strchr(text, '*'), *last = strrchr(text, '*');

    glob.bytes = strpbrk(text, "?\\") == NULL;
    for (uint32_t i = 0; i < glob.length; i++) {
        glob.bytes = glob.bytes && (text[i] & 0x80) == 0;
    }
    glob.stars = first != NULL;
    glob.before = first != NULL ? (uint32_t)(first - text) : glob.length;
    glob.behind = last != NULL ? glob.length - (uint32_t)(last - text) - 1 : 0;
    return glob;
}

/* In both passes the same texts are taken, or the count would not fit the memory. */
static struct globs take_globs(struct parts *parts, const struct draft_globs *from)
{
    /* Most keys of a rule are absent. A "*" that excepts everything must not look absent. */
    if (from->count == 0 || (!parts->in_except && matches_all(from))) {
        return (struct globs){NULL, 0};
    }
    struct glob *items = take_front(parts, from->count, sizeof(*items));
    for (uint32_t i = 0; i < from->count; i++) {
        struct glob glob = take_glob(parts, from->items[i].text);
        if (items != NULL) {
            items[i] = glob;
        }
    }
    return (struct globs){items, from->count};
}

/* A "*" asks for a user that has a name, so it is not dropped. */
static struct globs take_names(struct parts *parts, const struct draft_globs *from)
{
    bool in_except = parts->in_except;

    parts->in_except = true;
    struct globs names = take_globs(parts, from);
    parts->in_except = in_except;
    return names;
}

/* A set is copied; there is nothing to take. */
static uint64_t take_capabilities(struct parts *parts, const uint64_t *from)
{
    (void)parts;
    return *from;
}

/* As take_capabilities(). */
static uint32_t take_operations(struct parts *parts, const uint32_t *from)
{
    (void)parts;
    return *from;
}

/* As take_capabilities(). */
static struct draft_times take_times(struct parts *parts, const struct draft_times *from)
{
    parts->asks_time |= from->days != 0 || from->has_hours || from->from != 0 || from->until != 0;
    return *from;
}

/* As take_capabilities(). */
static miguard_components take_components(struct parts *parts, const miguard_components *from)
{
    (void)parts;
    return *from;
}

/* What a rule does not say comes from the defaults of the whole set, whichever file gave them. */
static struct outcome take_outcome(struct parts *parts, const struct draft_settings *settings,
                                   const struct draft_rule *from)
{
    enum draft_mode mode = from->has_mode ? from->mode : settings->mode;

    return (struct outcome){
        .decision = from->decision == DRAFT_ALLOW ? POLICY_ALLOW : POLICY_DENY,
        .permissive = mode == DRAFT_PERMISSIVE,
        .audit = from->has_audit ? from->audit : settings->audit,
        .name = take_text(parts, from->name),
        .source = take_place(parts, &from->place),
        .reason = take_text(parts, from->reason != NULL ? from->reason : ""),
    };
}

/* One function for each shape of model/match_keys.h. */
static struct rule take_match(struct parts *parts, const struct draft_match *from)
{
    return (struct rule){
#define TAKE_KEY(member, key, shape, ...) .member = take_##shape(parts, &from->member),
        MATCH_KEY_MAP(TAKE_KEY)
#undef TAKE_KEY
    };
}

/* NULL for an absent one, and while sizes are counted. */
static const struct rule *take_except(struct parts *parts, const struct draft_match *from)
{
    if (from == NULL) {
        return NULL;
    }
    struct rule *except = take_front(parts, 1, sizeof(*except));
    parts->in_except = true;
    const struct rule match = take_match(parts, from);
    parts->in_except = false;
    if (except != NULL) {
        *except = match;
    }
    return except;
}

static struct rule take_rule(struct parts *parts, const struct draft_settings *settings,
                             const struct draft_rule *from)
{
    struct rule rule = take_match(parts, &from->match);

    rule.except = take_except(parts, from->match.except);
    rule.outcome = take_outcome(parts, settings, from);
    return rule;
}

/* ---- the policy ----------------------------------------------------------------------------- */

/* Without a rule a mismatch is always denied: no setting allows it. */
static struct outcome take_default(struct parts *parts, const struct draft_settings *settings,
                                   bool differs)
{
    return (struct outcome){
        .decision = !differs && settings->decision == DRAFT_ALLOW ? POLICY_ALLOW : POLICY_DENY,
        .permissive = settings->mode == DRAFT_PERMISSIVE,
        .audit = settings->audit,
        .name = "default",
        .source = take_setting_place(parts, differs ? &settings->on_mismatch_place
                                                    : &settings->decision_place),
        .reason = differs ? REASON_DIFFERS : REASON_SAME,
    };
}

/* The entries, which the caller counts when the parts have memory. */
static const struct client_rule *take_clients(struct parts *parts,
                                              const struct draft_settings *settings)
{
    struct client_rule *clients = take_front(parts, settings->client_count, sizeof(*clients));

    for (uint32_t i = 0; i < settings->client_count; i++) {
        const struct draft_client *from = &settings->clients[i];
        const struct client_rule client = {
            .providers = take_globs(parts, &from->providers),
            .may = from->may,
            .source = take_place(parts, &from->place),
        };
        if (clients != NULL) {
            clients[i] = client;
        }
    }
    return clients;
}

/* Counts when parts has no memory; rules then is not written to. The two passes take the same
 * steps, so the second one needs exactly what the first one counted. */
static void fill(struct policy *policy, struct parts *parts, const struct policy_draft *draft)
{
    struct rule *rules = take_front(parts, draft->rule_count, sizeof(*rules));

    policy->rules = rules;
    policy->same = take_default(parts, &draft->settings, false);
    policy->differs = take_default(parts, &draft->settings, true);
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        struct rule rule = take_rule(parts, &draft->settings, &draft->rules[i]);
        if (rules != NULL) {
            rules[i] = rule;
        }
    }
    policy->clients = take_clients(parts, &draft->settings);
    parts->in_except = true; /* "*" must not look absent here, either */
    policy->permissive = take_globs(parts, &draft->settings.permissive);
    parts->in_except = false;
}

/* Which names an identity needs before the policy is asked. */
static void note_names(struct policy *policy)
{
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i], *except = rule->except;
        policy->asks_users |=
            rule->user_names.count > 0 || (except != NULL && except->user_names.count > 0);
        policy->asks_groups |=
            rule->group_names.count > 0 || (except != NULL && except->group_names.count > 0);
    }
}

void policy_ask_names(const struct policy *policy, struct miguard_identity *identity)
{
    identity_ask_names(identity, policy->asks_users, policy->asks_groups);
}

bool policy_asks_names(const struct policy *policy)
{
    return policy->asks_users || policy->asks_groups;
}

/* On failure policy_free() releases what is there. */
static enum miguard_status compile_rules(struct policy *policy, const struct policy_draft *draft)
{
    struct parts parts = {0};

    fill(policy, &parts, draft);
    if (parts.invalid) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    size_t size = parts.front + parts.back;
    policy->parts = base_alloc(1, size);
    if (policy->parts == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    parts = (struct parts){.memory = policy->parts, .back = size};
    fill(policy, &parts, draft);
    policy->asks_time = parts.asks_time;
    policy->rule_count = draft->rule_count;
    note_names(policy);
    if (policy->rule_count == 0) {
        return MIGUARD_OK;
    }
    policy->index = base_alloc(1, sizeof(*policy->index));
    bool built = policy->index != NULL &&
                 policy_index_build(policy->index, policy->rules, policy->rule_count);
    return built ? MIGUARD_OK : MIGUARD_NO_MEMORY;
}

/* A policy that was made in part, too. */
static void policy_free(struct policy *policy)
{
    if (policy->index != NULL) {
        policy_index_release(policy->index);
    }
    base_free(policy->index);
    base_free(policy->parts);
    base_free(policy);
}

/* *ret_policy is written only on success. */
enum miguard_status policy_compile(const struct policy_draft *draft,
                                   const struct policy **ret_policy)
{
    const struct draft_settings *settings = &draft->settings;

    if (draft->rule_count > DRAFT_MAX_RULES) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    struct policy *policy = base_alloc(1, sizeof(*policy));
    if (policy == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    /* The caller's. */
    atomic_init(&policy->references, 1);
    policy->compared = settings->compared;
    policy->audit_failure_denies = settings->audit_failure_denies;
    policy->revokes = settings->on_mismatch == DRAFT_MISMATCH_REVOKE;
    policy->keys = settings->keys;
    policy->client_count = settings->client_count;
    struct utsname machine = {.nodename = ""};
    (void)uname(&machine); /* fails for a wrong address only */
    snprintf(policy->host, sizeof(policy->host), "%s", machine.nodename);
    enum miguard_status status = compile_rules(policy, draft);
    if (status != MIGUARD_OK) {
        policy_free(policy);
        return status;
    }
    *ret_policy = policy;
    return MIGUARD_OK;
}

/* A policy is const to everybody; its count of references alone is not. NULL for the built-in one,
 * which lies in read-only memory. */
static struct policy *counted(const struct policy *policy)
{
    return policy != NULL && policy != policy_builtin ? (struct policy *)(uintptr_t)policy : NULL;
}

/* Relaxed: who has a reference needs no order to take another one. */
const struct policy *policy_keep(const struct policy *policy)
{
    struct policy *mutable = counted(policy);

    if (mutable != NULL) {
        atomic_fetch_add_explicit(&mutable->references, 1, memory_order_relaxed);
    }
    return policy;
}

void policy_release(const struct policy *policy)
{
    struct policy *mutable = counted(policy);

    /* The thread that frees must see all that the others did before they let go. */
    if (mutable != NULL &&
        atomic_fetch_sub_explicit(&mutable->references, 1, memory_order_acq_rel) == 1) {
        policy_free(mutable);
    }
}

/* Fixed at compilation; any thread may ask. */
miguard_components policy_compared(const struct policy *policy)
{
    return policy->compared;
}

/* Both defaults have the same conditions. */
unsigned policy_audited(const struct policy *policy)
{
    return policy->same.audit;
}

enum audit_keys_mode policy_keys(const struct policy *policy)
{
    return policy->keys;
}

bool policy_failure_denies(const struct policy *policy)
{
    return policy->audit_failure_denies;
}

bool policy_revokes(const struct policy *policy)
{
    return policy->revokes;
}

uint32_t policy_rule_count(const struct policy *policy)
{
    return policy->rule_count;
}

/* Few entries, asked once a request: they are walked. */
struct policy_client policy_client(const struct policy *policy, const char *provider)
{
    for (uint32_t i = 0; i < policy->client_count; i++) {
        const struct client_rule *client = &policy->clients[i];
        if (policy_globs_match(&client->providers, provider, MATCH_FILE_NAME)) {
            return (struct policy_client){client->may, "clients", client->source, ""};
        }
    }
    if (policy->client_count > 0) {
        return (struct policy_client){DRAFT_MAY_NOTHING, "clients", policy->clients[0].source,
                                      "no entry of clients names this provider"};
    }
    return (struct policy_client){DRAFT_MAY_IMPERSONATE, "default", "built-in",
                                  "the policy has no clients"};
}
