/* SPDX-License-Identifier: MIT */
/*
 * Prints a policy as it is in force, as YAML or JSON, for `miguard policy show`.
 *
 * show_yaml() and show_json() walk the settings and rules of a draft in the order of
 * miguard-policy(5). Sinks and sets have one walk for both forms; keys of rules come from
 * model/match_keys.h, with one function for each shape and form. What YAML prints can be loaded
 * again: show_scalar() quotes whatever YAML could read as something else.
 */
#include "tools/policy/show.h"

#include <cap-ng.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

#include "policy/policy.h"
#include "policy/schema.h"

enum { PLACE_COLUMN = 64 }; /* where the comments begin, if the line leaves room */

/* Of ASCII: strspn(3) with these depends on no locale. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* ---- words ---------------------------------------------------------------------------------- */

/*
 * The words of closed lists, as the reader of policies takes them: what is shown can be written.
 */

static const char *mode_word(enum draft_mode mode)
{
    return mode == DRAFT_PERMISSIVE ? "permissive" : "enforce";
}

static const char *decision_word(enum draft_decision decision)
{
    return decision == DRAFT_ALLOW ? "allow" : "deny";
}

static const char *on_mismatch_word(enum draft_on_mismatch on_mismatch)
{
    return on_mismatch == DRAFT_MISMATCH_REVOKE ? "revoke" : "deny";
}

static const char *scope_word(enum miguard_gate_scope scope)
{
    return scope == MIGUARD_GATE_PROCESS    ? "process"
           : scope == MIGUARD_GATE_THREAD   ? "thread"
           : scope == MIGUARD_GATE_BOUNDING ? "bounding"
                                            : "off";
}

static const char *action_word(enum miguard_gate_action action)
{
    return action == MIGUARD_GATE_KILL ? "kill" : "errno";
}

/* A capability that libcap-ng does not know yet has its number. */
void show_capability(unsigned capability, char *name, size_t size)
{
    const char *known = capng_capability_to_name(capability);

    if (known == NULL) {
        snprintf(name, size, "CAP_%u", capability);
        return;
    }
    snprintf(name, size, "CAP_%s", known);
    for (char *at = name; *at != '\0'; at++) {
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    }
}

void show_scalar(struct text *text, const char *value)
{
    size_t length = strlen(value);
    /* It begins with a letter, a digit, "/" or "_", and holds nothing that YAML gives a meaning: no
     * ": ", no "#", no quote. A word like "yes" or "12" is fine: scalars have no type in a policy.
     */
    bool plain = length > 0 && strspn(value, LETTERS DIGITS " _./*+=~()-") == length &&
                 strspn(value, LETTERS DIGITS "/_") > 0 && value[length - 1] != ' ';

    if (plain) {
        text_append(text, value);
        return;
    }
    text->comma = false;
    text_json_string(text, NULL, value);
}

/* ---- sinks: one walk for YAML and JSON ------------------------------------------------------ */

/*
 * view_sink() fills one table of keys and values for a sink; both forms then write it. A new key is
 * a row in SINK_KEY_MAP and its view_ function.
 */

/* The word that the reader of policies takes for the value, from its own table. */
static const char *word_of(const struct schema_word *word, unsigned value)
{
    for (; word->name != NULL; word++) {
        if (word->value == value) {
            return word->name;
        }
    }
    return "";
}

static const char *facility_word(unsigned facility)
{
    return word_of(schema_facilities, facility);
}

const char *show_may(enum draft_may may)
{
    return word_of(schema_client_words, (unsigned)may);
}

static const char *keys_word(enum audit_keys_mode keys)
{
    return word_of(schema_keys_modes, (unsigned)keys);
}

/* The largest unit without a remainder; sizes are whole KiB (schema_read_size()). */
static void size_word(uint64_t bytes, char word[24])
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    unsigned unit = 0;

    bytes >>= 10;
    while (unit < 2 && bytes % 1024 == 0 && bytes > 0) {
        bytes >>= 10;
        unit++;
    }
    snprintf(word, 24, "%llu%s", (unsigned long long)bytes, units[unit]);
}

/* Room for a number of 20 digits and its unit. */
enum { SINK_WORD = 24 };

/* The keys of a sink with the values in force. A value is in words, or a text of its own. */
struct sink_view {
    size_t count;
    struct {
        const char *key, *value;
        bool quoted;
    } entries[SINK_KEY_COUNT];
    char words[SINK_KEY_COUNT][SINK_WORD];
};

/* Room for the word of the next entry; the caller writes it. */
static char *add_word(struct sink_view *view, const char *key)
{
    size_t at = view->count++;

    view->entries[at].key = key;
    view->entries[at].value = view->words[at];
    return view->words[at];
}

/* value must outlive the view. quoted: a text that a person wrote. */
static void add_text(struct sink_view *view, const char *key, const char *value, bool quoted)
{
    size_t at = view->count++;

    view->entries[at].key = key;
    view->entries[at].value = value;
    view->entries[at].quoted = quoted;
}

/* One function for each row of SINK_KEY_MAP. What is not set and has no word stays out. */

/* Always there: a file has a path, if only the default. */
static void view_path(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    add_text(view, key, sink->settings.path, true);
}

/* "off" stands for 0. */
static void view_rotate(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    size_word(sink->settings.rotate_bytes, add_word(view, key));
    if (sink->settings.rotate_bytes == 0) {
        strcpy(view->words[view->count - 1], "off");
    }
}

/* "off" stands for 0, as schema_duration_word() has it. */
static void view_rotate_every(const struct draft_sink *sink, const char *key,
                              struct sink_view *view)
{
    schema_duration_word(sink->settings.rotate_seconds, add_word(view, key));
}

/* "all" stands for 0. */
static void view_keep(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    snprintf(add_word(view, key), SINK_WORD, "%u", sink->settings.keep);
    if (sink->settings.keep == 0) {
        strcpy(view->words[view->count - 1], "all");
    }
}

/* The words in the order of enum audit_sync. */
static void view_sync(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    static const char *const syncs[] = {"none", "deny", "all"};

    add_text(view, key, syncs[sink->settings.sync], false);
}

/* Shown only when required, since "any" is the default and says nothing. */
static void view_chain(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    if (sink->settings.chain_required) {
        add_text(view, key, "required", false);
    }
}

/* As it was written; the id is resolved again when it is loaded. */
static void view_group(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    if (sink->group != NULL) {
        add_text(view, key, sink->group, true);
    }
}

/* NULL: the standard socket. */
static void view_socket(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    if (sink->settings.path != NULL) {
        add_text(view, key, sink->settings.path, true);
    }
}

/* By the name that the reader takes (schema_facilities). */
static void view_facility(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    add_text(view, key, facility_word(sink->settings.facility), false);
}

static void view_enterprise(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    snprintf(add_word(view, key), SINK_WORD, "%u", sink->settings.enterprise);
}

/* Whether a failure of this sink denies calls, or is counted only. */
static void view_on_failure(const struct draft_sink *sink, const char *key, struct sink_view *view)
{
    add_text(view, key, sink->settings.failure_denies ? "deny" : "count", false);
}

/* Only the keys that a sink of this kind has. */
static void view_sink(const struct draft_sink *sink, struct sink_view *view)
{
    static const struct {
        const char *key;
        void (*view)(const struct draft_sink *sink, const char *key, struct sink_view *view);
    } keys[SINK_KEY_COUNT] = {
#define KEY_VIEW(NAME, name, key, needed) [SINK_KEY_##NAME] = {key, view_##name},
        SINK_KEY_MAP(KEY_VIEW)
#undef KEY_VIEW
    };

    *view = (struct sink_view){.count = 0};
    for (enum sink_key key = 0; key < SINK_KEY_COUNT; key++) {
        if ((sink_kinds[sink->settings.kind].keys >> key & 1) != 0) {
            keys[key].view(sink, keys[key].key, view);
        }
    }
}

/* ---- lists that are sets: one walk for YAML and JSON ---------------------------------------- */

/*
 * Components, operations, capabilities and audit conditions are bits. bit_name() has the word for
 * each, as the reader of policies takes it.
 */

enum set_kind { SET_COMPONENTS, SET_OPERATIONS, SET_CAPABILITIES, SET_AUDIT };

/* The name of one bit of a set; the buffer is for those that must be made. */
static const char *bit_name(enum set_kind kind, unsigned bit, char name[32])
{
    static const char *const audit[] = {"deny", "open", "use", "switch"};

    switch (kind) {
    case SET_COMPONENTS:
        return miguard_component_name((miguard_components)1 << bit);
    case SET_OPERATIONS:
        return operation_name((enum operation)bit);
    case SET_CAPABILITIES:
        show_capability(bit, name, 32);
        return name;
    default:
        return bit < 4 ? audit[bit] : NULL;
    }
}

/* In the order of bits, which is that of the manual page. */
static void yaml_set(struct text *text, enum set_kind kind, uint64_t set)
{
    const char *separator = "";
    char name[32];

    text_append(text, "[");
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((set >> bit & 1) != 0) {
            text_format(text, "%s%s", separator, bit_name(kind, bit, name));
            separator = ", ";
        }
    }
    text_append(text, "]");
}

/* The same names as an array. */
static void json_set(struct text *text, const char *key, enum set_kind kind, uint64_t set)
{
    char name[32];

    text_json_open(text, key, '[');
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((set >> bit & 1) != 0) {
            text_json_string(text, NULL, bit_name(kind, bit, name));
        }
    }
    text_json_close(text, ']');
}

/* ---- YAML ----------------------------------------------------------------------------------- */

/*
 * Every line of a setting ends with the place that it came from, as a comment. So the output says
 * where to change what is in force, and still loads.
 */

/* Ends the line that began at start with where it comes from. The comment is left out of the
 * meaning: the output is a policy file. */
static void end_line(struct text *text, size_t start, const struct policy_place *place)
{
    size_t length = text->length - start;

    text_format(text, "%*s", length < PLACE_COLUMN ? (int)(PLACE_COLUMN - length) : 1, "");
    if (place->line == 0) {
        text_append(text, "# built-in\n");
    } else {
        text_format(text, "# %s:%u\n", place->file, place->line);
    }
}

/* A word needs no quotes; it comes from a closed list. */
static void yaml_word(struct text *text, const char *key, const char *word,
                      const struct policy_place *place)
{
    size_t start = text->length;

    text_format(text, "%s: %s", key, word);
    end_line(text, start, place);
}

/* A text of the policy's author. */
static void yaml_text(struct text *text, const char *key, const char *value,
                      const struct policy_place *place)
{
    size_t start = text->length;

    text_format(text, "%s: ", key);
    show_scalar(text, value);
    end_line(text, start, place);
}

/* Nothing for an empty set: an empty list would be an error in a policy file. */
static void yaml_bits(struct text *text, const char *key, enum set_kind kind, uint64_t set,
                      const struct policy_place *place)
{
    size_t start = text->length;

    if (set == 0) {
        return;
    }
    text_format(text, "%s: ", key);
    yaml_set(text, kind, set);
    end_line(text, start, place);
}

/* A key of a rule's match; its value follows. */
static void yaml_key(struct text *text, const char *key)
{
    text_format(text, "      %s: ", key);
}

/* As they were written: a name stays a name. */
static void yaml_ranges(struct text *text, const char *key, const struct draft_ranges *ranges,
                        const struct policy_place *place)
{
    size_t start = text->length;

    if (ranges->count == 0) {
        return;
    }
    yaml_key(text, key);
    for (uint32_t i = 0; i < ranges->count; i++) {
        text_append(text, i > 0 ? ", " : "[");
        show_scalar(text, ranges->items[i].text);
    }
    text_append(text, "]");
    end_line(text, start, place);
}

static void yaml_members(struct text *text, const char *key, const struct draft_ranges *members,
                         const struct policy_place *place)
{
    yaml_ranges(text, key, members, place);
}

/* Patterns as written, in brackets. */
static void yaml_patterns(struct text *text, const struct draft_globs *globs)
{
    for (uint32_t i = 0; i < globs->count; i++) {
        text_append(text, i > 0 ? ", " : "[");
        show_scalar(text, globs->items[i].text);
    }
    text_append(text, "]");
}

/* Patterns, each as a scalar. */
static void yaml_globs(struct text *text, const char *key, const struct draft_globs *globs,
                       const struct policy_place *place)
{
    size_t start = text->length;

    if (globs->count == 0) {
        return;
    }
    yaml_key(text, key);
    yaml_patterns(text, globs);
    end_line(text, start, place);
}

static void yaml_names(struct text *text, const char *key, const struct draft_globs *globs,
                       const struct policy_place *place)
{
    yaml_globs(text, key, globs, place);
}

/* As yaml_bits(), within match. */
static void yaml_key_set(struct text *text, const char *key, enum set_kind kind, uint64_t set,
                         const struct policy_place *place)
{
    size_t start = text->length;

    if (set == 0) {
        return;
    }
    yaml_key(text, key);
    yaml_set(text, kind, set);
    end_line(text, start, place);
}

static void yaml_capabilities(struct text *text, const char *key, const uint64_t *capabilities,
                              const struct policy_place *place)
{
    yaml_key_set(text, key, SET_CAPABILITIES, *capabilities, place);
}

static void yaml_operations(struct text *text, const char *key, const uint32_t *operations,
                            const struct policy_place *place)
{
    yaml_key_set(text, key, SET_OPERATIONS, *operations, place);
}

static void yaml_components(struct text *text, const char *key,
                            const miguard_components *components, const struct policy_place *place)
{
    yaml_key_set(text, key, SET_COMPONENTS, *components, place);
}

/* As a map of one line; empty when absent. */
static void times_map(struct text *text, const struct draft_times *times)
{
    static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    const char *between = "{";

    if (times->days != 0) {
        const char *comma = "{days: [";
        for (unsigned i = 0; i < 7; i++) {
            if ((times->days >> i & 1) != 0) {
                text_format(text, "%s%s", comma, days[i]);
                comma = ", ";
            }
        }
        text_append(text, "]");
        between = ", ";
    }
    if (times->has_hours) {
        text_format(text, "%shours: \"%02u:%02u-%02u:%02u\"", between, times->first / 60,
                    times->first % 60, times->last / 60, times->last % 60);
        between = ", ";
    }
    for (int i = 0; i < 2; i++) {
        int64_t moment = i == 0 ? times->from : times->until;
        if (moment != 0) {
            int64_t day = (moment + times->zone * 60) / 86400 - i; /* until: the day before */
            struct civil_date date = civil_date((uint64_t)day);
            text_format(text, "%s%s: \"%04u-%02u-%02u\"", between, i == 0 ? "from" : "until",
                        date.year, date.month, date.day);
            between = ", ";
        }
    }
    if (times->zone != 0) {
        int zone = times->zone < 0 ? -times->zone : times->zone;
        text_format(text, "%szone: \"%c%02d:%02d\"", between, times->zone < 0 ? '-' : '+',
                    zone / 60, zone % 60);
    }
    text_append(text, strcmp(between, "{") == 0 ? "" : "}");
}

static void yaml_times(struct text *text, const char *key, const struct draft_times *times,
                       const struct policy_place *place)
{
    size_t start = text->length;

    if (times->days == 0 && !times->has_hours && times->from == 0 && times->until == 0) {
        return;
    }
    yaml_key(text, key);
    times_map(text, times);
    end_line(text, start, place);
}

/* The keys of not, each line two blanks deeper than those of match. */
static void yaml_not(const struct draft_match *except, const struct policy_place *place,
                     struct text *text)
{
    struct text lines = TEXT_EMPTY;

#define NOT_KEY(member, key, shape, ...) yaml_##shape(&lines, key, &except->member, place);
    MATCH_KEY_MAP(NOT_KEY)
#undef NOT_KEY
    text_append(text, "      not:\n");
    for (size_t at = 0; at < lines.length;) {
        const char *end = memchr(lines.data + at, '\n', lines.length - at);
        size_t length = end != NULL ? (size_t)(end - lines.data) + 1 - at : lines.length - at;
        text_append(text, "  ");
        text_append_bytes(text, lines.data + at, length);
        at += length;
    }
    text->failed = text->failed || lines.failed;
    text_release(&lines);
}

/* Absent keys are left out. */
static void yaml_match(const struct draft_rule *rule, struct text *text)
{
    text_append(text, "    match:\n");
#define YAML_KEY(member, key, shape, ...)                                                          \
    yaml_##shape(text, key, &rule->match.member, &rule->place);
    MATCH_KEY_MAP(YAML_KEY)
#undef YAML_KEY
    if (rule->match.except != NULL) {
        yaml_not(rule->match.except, &rule->place, text);
    }
}

/* The word for a set that has one. */
static const char *rule_audit_word(unsigned audit)
{
    return audit == 0 ? "never" : audit == POLICY_AUDIT_DENY ? "deny" : "always";
}

/* Other sets are written as a list. */
static bool rule_audit_is_word(unsigned audit)
{
    return audit == 0 || audit == POLICY_AUDIT_DENY ||
           audit == (POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN | POLICY_AUDIT_USE);
}

/* The place of the rule stands behind each of its lines. */
static void yaml_rule(const struct draft_rule *rule, struct text *text)
{
    const struct policy_place *place = &rule->place;

    yaml_text(text, "  - name", rule->name, place);
    if (rule->has_match) {
        yaml_match(rule, text);
    }
    yaml_word(text, "    decision", decision_word(rule->decision), place);
    if (rule->has_mode) {
        yaml_word(text, "    mode", mode_word(rule->mode), place);
    }
    if (rule->has_audit && rule_audit_is_word(rule->audit)) {
        yaml_word(text, "    audit", rule_audit_word(rule->audit), place);
    } else if (rule->has_audit) {
        yaml_bits(text, "    audit", SET_AUDIT, rule->audit, place);
    }
    if (rule->reason != NULL && rule->reason[0] != '\0') {
        yaml_text(text, "    reason", rule->reason, place);
    }
}

/* Every sink with all of its keys, defaults included: this is what is in force. */
static void yaml_audit(const struct draft_settings *settings, struct text *text)
{
    struct sink_view view;
    char window[24], key[40];

    text_append(text, "audit:\n");
    schema_duration_word(settings->repeat_seconds, window);
    yaml_word(text, "  repeat-window", window, &settings->repeat_place);
    yaml_word(text, "  keys", keys_word(settings->keys), &settings->keys_place);
    text_append(text, "  sinks:\n");
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const struct draft_sink *sink = &settings->sinks[i];
        text_format(text, "    - %s:\n", sink_kinds[sink->settings.kind].name);
        view_sink(sink, &view);
        for (size_t k = 0; k < view.count; k++) {
            snprintf(key, sizeof(key), "        %s", view.entries[k].key);
            (view.entries[k].quoted ? yaml_text : yaml_word)(text, key, view.entries[k].value,
                                                             &sink->place);
        }
    }
}

/* Each setting has its own place, as files may set them one by one. */
static void yaml_gate(const struct draft_settings *settings, struct text *text)
{
    text_append(text, "gate:\n");
    yaml_word(text, "  scope", scope_word(settings->gate.scope), &settings->gate_scope_place);
    yaml_word(text, "  action", action_word(settings->gate.action), &settings->gate_action_place);
    yaml_word(text, "  report", settings->gate.report != 0 ? "true" : "false",
              &settings->gate_report_place);
    yaml_word(text, "  io-uring", settings->gate.deny_io_uring != 0 ? "deny" : "allow",
              &settings->gate_io_uring_place);
}

/* Nothing without entries: an empty list would be an error in a policy file. */
static void yaml_clients(const struct draft_settings *settings, struct text *text)
{
    if (settings->client_count > 0) {
        text_append(text, "clients:\n");
    }
    for (uint32_t i = 0; i < settings->client_count; i++) {
        const struct draft_client *client = &settings->clients[i];
        size_t start = text->length;
        text_append(text, "  - provider: ");
        yaml_patterns(text, &client->providers);
        end_line(text, start, &client->place);
        yaml_word(text, "    may", show_may(client->may), &client->place);
    }
}

/* Tests are left out: they do not act. */
void show_yaml(const struct policy_draft *draft, struct text *text)
{
    const struct draft_settings *settings = &draft->settings;

    text_append(text, "version: 1\ndefaults:\n");
    yaml_word(text, "  mode", mode_word(settings->mode), &settings->mode_place);
    if (settings->permissive.count > 0) {
        size_t start = text->length;
        text_append(text, "  permissive: ");
        yaml_patterns(text, &settings->permissive);
        end_line(text, start, &settings->permissive_place);
    }
    yaml_word(text, "  decision", decision_word(settings->decision), &settings->decision_place);
    yaml_word(text, "  on-audit-failure", settings->audit_failure_denies ? "deny" : "allow",
              &settings->audit_failure_place);
    yaml_word(text, "  on-mismatch", on_mismatch_word(settings->on_mismatch),
              &settings->on_mismatch_place);
    yaml_bits(text, "  audit", SET_AUDIT, settings->audit, &settings->audit_place);
    if (settings->compared == MIGUARD_COMPONENTS_ALL) {
        yaml_word(text, "compare", "all", &settings->compared_place);
    } else {
        yaml_bits(text, "compare", SET_COMPONENTS, settings->compared, &settings->compared_place);
    }
    yaml_gate(settings, text);
    yaml_word(text, "watch", settings->watch ? "true" : "false", &settings->watch_place);
    yaml_audit(settings, text);
    yaml_clients(settings, text);
    if (draft->rule_count > 0) {
        text_append(text, "rules:\n");
    }
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        yaml_rule(&draft->rules[i], text);
    }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/*
 * The same for programs: each setting is an object of its value and its source.
 */

/* "file:line:column", or "built-in". */
static void json_place(struct text *text, const struct policy_place *place)
{
    struct text source = TEXT_EMPTY;

    if (place->line == 0) {
        text_json_string(text, "source", "built-in");
        return;
    }
    text_format(&source, "%s:%u:%u", place->file, place->line, place->column);
    text->failed = text->failed || source.failed;
    if (!source.failed) {
        text_json_string(text, "source", source.data);
    }
    text_release(&source);
}

/* {"value": WORD, "source": PLACE} */
static void json_setting(struct text *text, const char *key, const char *word,
                         const struct policy_place *place)
{
    text_json_open(text, key, '{');
    text_json_string(text, "value", word);
    json_place(text, place);
    text_json_close(text, '}');
}

/* As json_setting(), for a set. */
static void json_set_setting(struct text *text, const char *key, enum set_kind kind, uint64_t set,
                             const struct policy_place *place)
{
    text_json_open(text, key, '{');
    json_set(text, "value", kind, set);
    json_place(text, place);
    text_json_close(text, '}');
}

/* The text as written, and the ids that it stands for on this host. */
static void json_ranges(struct text *text, const char *key, const struct draft_ranges *ranges)
{
    if (ranges->count == 0) {
        return;
    }
    text_json_open(text, key, '[');
    for (uint32_t i = 0; i < ranges->count; i++) {
        text_json_open(text, NULL, '{');
        text_json_string(text, "text", ranges->items[i].text);
        text_json_unsigned(text, "first", ranges->items[i].first);
        text_json_unsigned(text, "last", ranges->items[i].last);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
}

static void json_members(struct text *text, const char *key, const struct draft_ranges *members)
{
    json_ranges(text, key, members);
}

/* Patterns as written. */
static void json_globs(struct text *text, const char *key, const struct draft_globs *globs)
{
    if (globs->count == 0) {
        return;
    }
    text_json_open(text, key, '[');
    for (uint32_t i = 0; i < globs->count; i++) {
        text_json_string(text, NULL, globs->items[i].text);
    }
    text_json_close(text, ']');
}

static void json_names(struct text *text, const char *key, const struct draft_globs *globs)
{
    json_globs(text, key, globs);
}

/* An absent key is an absent member. */
static void json_bits(struct text *text, const char *key, enum set_kind kind, uint64_t set)
{
    if (set != 0) {
        json_set(text, key, kind, set);
    }
}

static void json_capabilities(struct text *text, const char *key, const uint64_t *capabilities)
{
    json_bits(text, key, SET_CAPABILITIES, *capabilities);
}

static void json_operations(struct text *text, const char *key, const uint32_t *operations)
{
    json_bits(text, key, SET_OPERATIONS, *operations);
}

static void json_components(struct text *text, const char *key,
                            const miguard_components *components)
{
    json_bits(text, key, SET_COMPONENTS, *components);
}

/* Always there, if only as {}. */
/* As text: it is for people, and policies read the same. */
static void json_times(struct text *text, const char *key, const struct draft_times *times)
{
    struct text map = TEXT_EMPTY;

    times_map(&map, times);
    text_append_bytes(&map, "", 1);
    if (!map.failed && map.data[0] != '\0') {
        text_json_string(text, key, map.data);
    }
    text->failed = text->failed || map.failed;
    text_release(&map);
}

static void json_match(const char *name, const struct draft_match *match, struct text *text)
{
    text_json_open(text, name, '{');
#define JSON_KEY(member, key, shape, ...) json_##shape(text, key, &match->member);
    MATCH_KEY_MAP(JSON_KEY)
#undef JSON_KEY
    if (match->except != NULL) {
        json_match("not", match->except, text);
    }
    text_json_close(text, '}');
}

/* Mode and audit only where the rule has its own. */
static void json_rule(const struct draft_rule *rule, struct text *text)
{
    text_json_open(text, NULL, '{');
    text_json_string(text, "name", rule->name);
    json_match("match", &rule->match, text);
    text_json_string(text, "decision", decision_word(rule->decision));
    if (rule->has_mode) {
        text_json_string(text, "mode", mode_word(rule->mode));
    }
    if (rule->has_audit) {
        json_set(text, "audit", SET_AUDIT, rule->audit);
    }
    text_json_string(text, "reason", rule->reason);
    json_place(text, &rule->place);
    text_json_close(text, '}');
}

/* As yaml_audit(). */
static void json_audit(const struct draft_settings *settings, struct text *text)
{
    struct sink_view view;
    char window[24];

    text_json_open(text, "audit", '{');
    schema_duration_word(settings->repeat_seconds, window);
    json_setting(text, "repeat-window", window, &settings->repeat_place);
    json_setting(text, "keys", keys_word(settings->keys), &settings->keys_place);
    text_json_open(text, "sinks", '[');
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const struct draft_sink *sink = &settings->sinks[i];
        text_json_open(text, NULL, '{');
        text_json_string(text, "kind", sink_kinds[sink->settings.kind].name);
        view_sink(sink, &view);
        for (size_t k = 0; k < view.count; k++) {
            text_json_string(text, view.entries[k].key, view.entries[k].value);
        }
        json_place(text, &sink->place);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
    text_json_close(text, '}');
}

/* An absent key is an absent member. */
static void json_clients(const struct draft_settings *settings, struct text *text)
{
    if (settings->client_count == 0) {
        return;
    }
    text_json_open(text, "clients", '[');
    for (uint32_t i = 0; i < settings->client_count; i++) {
        const struct draft_client *client = &settings->clients[i];
        text_json_open(text, NULL, '{');
        json_globs(text, "provider", &client->providers);
        text_json_string(text, "may", show_may(client->may));
        json_place(text, &client->place);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
}

static void json_gate(const struct draft_settings *settings, struct text *text)
{
    text_json_open(text, "gate", '{');
    json_setting(text, "scope", scope_word(settings->gate.scope), &settings->gate_scope_place);
    json_setting(text, "action", action_word(settings->gate.action), &settings->gate_action_place);
    json_setting(text, "report", settings->gate.report != 0 ? "true" : "false",
                 &settings->gate_report_place);
    json_setting(text, "io-uring", settings->gate.deny_io_uring != 0 ? "deny" : "allow",
                 &settings->gate_io_uring_place);
    text_json_close(text, '}');
}

/* Each with its value and its source. */
static void json_settings(const struct draft_settings *settings, struct text *text)
{
    text_json_open(text, "defaults", '{');
    json_setting(text, "mode", mode_word(settings->mode), &settings->mode_place);
    if (settings->permissive.count > 0) {
        text_json_open(text, "permissive", '{');
        json_globs(text, "value", &settings->permissive);
        json_place(text, &settings->permissive_place);
        text_json_close(text, '}');
    }
    json_setting(text, "decision", decision_word(settings->decision), &settings->decision_place);
    json_setting(text, "on-audit-failure", settings->audit_failure_denies ? "deny" : "allow",
                 &settings->audit_failure_place);
    json_setting(text, "on-mismatch", on_mismatch_word(settings->on_mismatch),
                 &settings->on_mismatch_place);
    json_set_setting(text, "audit", SET_AUDIT, settings->audit, &settings->audit_place);
    text_json_close(text, '}');
    json_set_setting(text, "compare", SET_COMPONENTS, settings->compared,
                     &settings->compared_place);
    json_gate(settings, text);
    json_setting(text, "watch", settings->watch ? "true" : "false", &settings->watch_place);
    json_audit(settings, text);
    json_clients(settings, text);
}

/* Keys are frozen: programs read them. */
void show_json(const struct policy_draft *draft, struct text *text)
{
    text_json_open(text, NULL, '{');
    text_json_unsigned(text, "version", 1);
    text_json_open(text, "files", '[');
    for (uint32_t i = 0; i < draft->file_count; i++) {
        text_json_string(text, NULL, draft->files[i]);
    }
    text_json_close(text, ']');
    json_settings(&draft->settings, text);
    text_json_open(text, "rules", '[');
    for (uint32_t i = 0; i < draft->rule_count; i++) {
        json_rule(&draft->rules[i], text);
    }
    text_json_close(text, ']');
    text_json_close(text, '}');
}
