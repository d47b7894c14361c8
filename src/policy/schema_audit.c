/* SPDX-License-Identifier: MIT */
/*
 * Where records go. Of several files the last with a list of sinks counts, and the last with a
 * window.
 *
 * schema_read_audit() reads the window, keys and sinks. Which kinds of sinks there are and which
 * keys each has is in model/sink_settings.h; a new key needs its reader here, with the name of its
 * row.
 */
#include <stdio.h>
#include <string.h>

#include "policy/schema.h"

/* Seconds. YEAR and MOST_KEPT bound what a person can mean: a larger number is a slip. */
enum { MINUTE = 60, HOUR = 60 * MINUTE, YEAR = 366 * 24 * HOUR, MOST_KEPT = 9999 };

/* The numbers of syslog(3), RFC 5424, table 1. Those of other services, such as kern and mail, are
 * left out. */
const struct schema_word schema_facilities[] = {
    {"user", 1},    {"daemon", 3},  {"auth", 4},    {"authpriv", 10}, {"audit", 13},
    {"local0", 16}, {"local1", 17}, {"local2", 18}, {"local3", 19},   {"local4", 20},
    {"local5", 21}, {"local6", 22}, {"local7", 23}, {NULL, 0}};

const struct schema_word schema_keys_modes[] = {
    {"all", AUDIT_KEYS_ALL}, {"names", AUDIT_KEYS_NAMES}, {"none", AUDIT_KEYS_NONE}, {NULL, 0}};

/* What one list of sinks has so far; it replaces the list of an earlier file as a whole. */
struct sink_list {
    struct draft_sink items[SINK_KIND_COUNT]; /* one of each kind */
    uint32_t count;
};

/* A path that means the same wherever the process stands and whatever it is compared with. "." and
 * ".." and doubled slashes would make two texts of one file. */
static bool is_plain_path(const char *path)
{
    if (path[0] != '/') {
        return false;
    }
    for (; *path == '/'; path += 1 + strcspn(path + 1, "/")) {
        size_t length = strcspn(path + 1, "/");
        if (length == 0 || (length == 1 && path[1] == '.') ||
            (length == 2 && path[1] == '.' && path[2] == '.')) {
            return false;
        }
    }
    return true;
}

/* False after an error. The text is the draft's. */
static bool read_plain_path(const struct reader *reader, const struct node *node, const char *what,
                            const char **ret_path)
{
    const char *path = schema_keep_text(reader, node, what);

    if (path == NULL) {
        return false;
    }
    if (!is_plain_path(path)) {
        schema_value_error(
            reader, node,
            "\"%s\" is not an absolute path of a file; write it from / on, without \".\", "
            "\"..\" and double or trailing slashes",
            path);
        return false;
    }
    *ret_path = path;
    return true;
}

/* ---- keys of sinks --------------------------------------------------------------------------- */

/*
 * One reader for each row of SINK_KEY_MAP, named after it. Whether a kind of sink has the key is in
 * the table, not here.
 */

/* Whether a record that this sink did not take lets calls be denied. */
static void read_on_failure(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"deny", true}, {"count", false}, {NULL, 0}};
    struct draft_sink *sink = target;
    unsigned denies;

    if (schema_read_word(reader, node, "value of on-failure", words, &denies)) {
        sink->settings.failure_denies = denies != 0;
    }
}

/* The file of the log. */
static void read_path(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;
    (void)read_plain_path(reader, node, "path", &sink->settings.path);
}

/* Bytes after which a new file begins; 0 is off. */
static void read_rotate(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    (void)schema_read_size(reader, node, "off", &sink->settings.rotate_bytes);
}

/* Seconds; 0 is off. */
static void read_rotate_every(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    (void)schema_read_duration(reader, node, MINUTE, YEAR, "off", &sink->settings.rotate_seconds);
}

/* Rotated files that are kept; 0 is all. */
static void read_keep(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    (void)schema_read_number(reader, node, 1, MOST_KEPT, "all", &sink->settings.keep);
}

/* Which records are on the disk before the call goes on. */
static void read_sync(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {
        {"none", AUDIT_SYNC_NONE}, {"deny", AUDIT_SYNC_DENY}, {"all", AUDIT_SYNC_ALL}, {NULL, 0}};
    struct draft_sink *sink = target;
    unsigned sync;

    if (schema_read_word(reader, node, "value of sync", words, &sync)) {
        sink->settings.sync = sync;
    }
}

/* required: a log without a verification key is refused. */
static void read_chain(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_word words[] = {{"any", false}, {"required", true}, {NULL, 0}};
    struct draft_sink *sink = target;
    unsigned required;

    if (schema_read_word(reader, node, "value of chain", words, &required)) {
        sink->settings.chain_required = required != 0;
    }
}

/* The group that may read the log; both the id and what was written are kept. */
static void read_group(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    if (schema_read_group(reader, node, &sink->settings.gid)) {
        sink->settings.has_gid = true;
        sink->group = schema_keep_text(reader, node, "group");
    }
}

/* Where the syslog socket is, when not at the standard place. */
static void read_socket(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;
    (void)read_plain_path(reader, node, "socket", &sink->settings.path);
}

/* By its name. */
static void read_facility(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    (void)schema_read_word(reader, node, "facility", schema_facilities, &sink->settings.facility);
}

/* As IANA gave it to who runs this host; 0 is reserved (RFC 9371). */
static void read_enterprise(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_sink *sink = target;

    (void)schema_read_number(reader, node, 1, UINT32_MAX, NULL, &sink->settings.enterprise);
}

/* ---- kinds of sinks -------------------------------------------------------------------------- */

/* Two files would be two orders of the same records, and of two sockets of one kind a record could
 * not say which lost it. The rest of the second is read all the same, for its errors. */
static struct draft_sink *begin_sink(const struct reader *reader, const struct node *node,
                                     struct sink_list *list, const struct sink_settings *settings)
{
    uint32_t at = 0;

    while (at < list->count && list->items[at].settings.kind != settings->kind) {
        at++;
    }
    if (at < list->count) {
        schema_key_error(reader, node, "a second sink of the kind %s; there may be one of each",
                         node->key);
    } else {
        list->count++;
    }
    list->items[at] = (struct draft_sink){.settings = *settings};
    schema_read_place(reader, node, &list->items[at].place);
    return &list->items[at];
}

/* The keys that a kind has, ended by NULL. Whether one of them is needed. */
static bool keys_of(enum sink_kind kind, struct schema_key keys[SINK_KEY_COUNT + 1])
{
    static const struct schema_key all[SINK_KEY_COUNT] = {
#define KEY_READER(NAME, name, key, needed) [SINK_KEY_##NAME] = {key, needed, read_##name},
        SINK_KEY_MAP(KEY_READER)
#undef KEY_READER
    };
    size_t count = 0;
    bool needed = false;

    for (enum sink_key key = 0; key < SINK_KEY_COUNT; key++) {
        if ((sink_kinds[kind].keys >> key & 1) != 0) {
            keys[count++] = all[key];
            needed = needed || all[key].needed;
        }
    }
    keys[count] = (struct schema_key){NULL, false, NULL};
    return needed;
}

/* Keys that a file does not give. */
static struct sink_settings default_settings(enum sink_kind kind)
{
    if (kind == SINK_FILE) {
        return (struct sink_settings)SINK_FILE_DEFAULT(NULL);
    }
    return (struct sink_settings){
        .kind = kind,
        .facility = (sink_kinds[kind].keys & SINK_HAS_FACILITY) != 0 ? AUDIT_FACILITY : 0,
        .enterprise = (sink_kinds[kind].keys & SINK_HAS_ENTERPRISE) != 0 ? ENTERPRISE_EXAMPLE : 0};
}

/* Where no key is needed, {} means all that is usual. */
static void read_sink_of(enum sink_kind kind, const struct reader *reader, const struct node *node,
                         struct sink_list *list)
{
    struct schema_key keys[SINK_KEY_COUNT + 1];
    const struct sink_settings settings = default_settings(kind);
    struct draft_sink *sink = begin_sink(reader, node, list, &settings);

    if (keys_of(kind, keys) || node->kind != NODE_MAP || node->count > 0) {
        schema_read_map(reader, node, sink_kinds[kind].what, keys, sink);
    }
}

#define READ_KIND(NAME, ...)                                                                       \
    static void read_sink_##NAME(const struct reader *reader, const struct node *node,             \
                                 void *target)                                                     \
    {                                                                                              \
        read_sink_of(SINK_##NAME, reader, node, target);                                           \
    }
SINK_KIND_MAP(READ_KIND)
#undef READ_KIND

/* A sink is a map of one key, its kind. */
static void read_sink(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key kinds[] = {
#define KIND_KEY(NAME, name, ...) {name, false, read_sink_##NAME},
        SINK_KIND_MAP(KIND_KEY)
#undef KIND_KEY
            {NULL, false, NULL},
    };
    if (node->kind == NODE_MAP && node->count > 1) {
        schema_value_error(reader, node,
                           "a sink with %u kinds; begin each sink with \"- \" of its own",
                           node->count);
        return;
    }
    schema_read_map(reader, node, "a sink", kinds, target);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Only a list without any sink leaves the one before in force, and it is an error. */
static void read_sinks(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    struct sink_list list = {.count = 0};
    (void)target;

    schema_read_items(reader, node, "sinks", read_sink, &list);
    if (list.count == 0) { /* already reported */
        return;
    }
    struct draft_sink *sinks = schema_take(reader, list.count, sizeof(*sinks));
    if (sinks != NULL) {
        memcpy(sinks, list.items, list.count * sizeof(*sinks));
        settings->sinks = sinks;
        settings->sink_count = list.count;
        schema_read_place(reader, node, &settings->sinks_place);
    }
}

/* Seconds in which equal refusals become one record. */
static void read_repeat_window(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    uint32_t seconds = 0;
    (void)target;

    if (schema_read_duration(reader, node, 1, HOUR, "off", &seconds)) {
        settings->repeat_seconds = seconds;
        schema_read_place(reader, node, &settings->repeat_place);
    }
}

/* What of the keys of an instance is recorded: they may name persons. */
static void read_keys_mode(const struct reader *reader, const struct node *node, void *target)
{
    struct draft_settings *settings = &reader->load->settings;
    unsigned mode;
    (void)target;

    if (schema_read_word(reader, node, "value of keys", schema_keys_modes, &mode)) {
        settings->keys = (enum audit_keys_mode)mode;
        schema_read_place(reader, node, &settings->keys_place);
    }
}

/* Each key replaces what an earlier file gave. */
void schema_read_audit(const struct reader *reader, const struct node *node, void *target)
{
    static const struct schema_key keys[] = {
        {"repeat-window", false, read_repeat_window},
        {"keys", false, read_keys_mode},
        {"sinks", false, read_sinks},
        {NULL, false, NULL},
    };
    schema_read_map(reader, node, "audit", keys, target);
}
