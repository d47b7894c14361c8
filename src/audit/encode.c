/* SPDX-License-Identifier: MIT */
#include "audit/encode.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/memory.h"
#include "audit/record_names.h"
#include "base/civil.h"
#include "base/hex.h"
#include "miguard.h" /* MIGUARD_VERSION */
#include "model/record_limits.h"

#define ECS_VERSION "9.0.0"

enum { SECOND = 1000000000 };

/*
 * event.category and event.type, from what ECS 9 allows together. A decision about a call is access
 * that was allowed or denied; a change of a thread's identity is one of a process, for which ECS
 * knows no denial: whether it came about is in event.outcome. X(NAME, category, type)
 */
#define ECS_DECISION NULL
#define ECS_CLASS_MAP(X)                                                                           \
    X(AUDIT_START, "configuration", "info")                                                        \
    X(RECORDS_LOST, "configuration", "info")                                                       \
    X(AUDIT_SEAL, "configuration", "info")                                                         \
    X(AUDIT_STOP, "configuration", "info")                                                         \
    X(AUDIT_ROTATE, "configuration", "change")                                                     \
    X(AUDIT_SPACE, "configuration", "info")                                                        \
    X(POLICY_LOAD, "configuration", "change")                                                      \
    X(POLICY_REFUSED, "configuration", "info")                                                     \
    X(SESSION_OPEN, "api", ECS_DECISION)                                                           \
    X(SESSION_USE, "api", ECS_DECISION)                                                            \
    X(SESSION_CLOSE, "api", ECS_DECISION)                                                          \
    X(CALLBACK, "api", ECS_DECISION)                                                               \
    X(REAP, "api", "end")                                                                          \
    X(SWITCH, "process", "change")                                                                 \
    X(RESTORE, "process", "change")                                                                \
    X(DROP, "process", "change")                                                                   \
    X(GATE, "process", "change")

static const struct {
    const char *category, *type;
} classes[] = {
#define CLASS_ROW(NAME, category, type) [AUDIT_ACTION_##NAME] = {category, type},
    ECS_CLASS_MAP(CLASS_ROW)
#undef CLASS_ROW
};
_Static_assert(sizeof(classes) / sizeof(classes[0]) == AUDIT_ACTION_COUNT,
               "each action has its category");

/* ---- times and numbers: without printf(3) and gmtime_r(3), which takes a lock of the C library */

enum { TIME_LENGTH = 27, TIME_AT = 15 /* behind {"@timestamp":" */ };

static char *put_digits(char *at, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

/* 2026-01-02T03:04:05.678901Z, not terminated. */
static void time_text(int64_t nanoseconds, char out[TIME_LENGTH])
{
    uint64_t time = nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
    uint64_t seconds = time / SECOND;
    unsigned of_day = (unsigned)(seconds % 86400);
    const struct civil_date date = civil_date(seconds / 86400);

    memcpy(out, "0000-00-00T00:00:00.000000Z", TIME_LENGTH);
    put_digits(out, date.year, 4);
    put_digits(out + 5, date.month, 2);
    put_digits(out + 8, date.day, 2);
    put_digits(out + 11, of_day / 3600, 2);
    put_digits(out + 14, of_day / 60 % 60, 2);
    put_digits(out + 17, of_day % 60, 2);
    put_digits(out + 20, (unsigned)(time % SECOND / 1000), 6);
}

static void write_time(struct text *text, const char *name, int64_t nanoseconds)
{
    char quoted[TIME_LENGTH + 3] = "\"";

    time_text(nanoseconds, quoted + 1);
    quoted[TIME_LENGTH + 1] = '"';
    text_json_raw(text, name, quoted);
}

void audit_set_time(char *body, size_t length, int64_t time)
{
    if (length > TIME_AT + TIME_LENGTH) {
        time_text(time, body + TIME_AT);
    }
}

int64_t audit_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* Identifiers are 64 bits: as a JSON number they would lose bits beyond 2^53 (RFC 8259, 6). */
static void write_id(struct text *text, const char *name, uint64_t id)
{
    char quoted[HEX_NUMBER + 3] = "\"";
    if (id != 0) {
        hex_put_number(quoted + 1, id, HEX_NUMBER)[0] = '"';
        text_json_raw(text, name, quoted);
    }
}

static size_t decimal(char digits[20], uint64_t value)
{
    char reversed[20];
    size_t length = 0;

    do {
        reversed[length++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < length; i++) {
        digits[i] = reversed[length - 1 - i];
    }
    return length;
}

/* ECS has user and group ids as strings. */
static void write_quoted_number(struct text *text, const char *name, uint32_t number)
{
    char quoted[24] = "\"";
    quoted[1 + decimal(quoted + 1, number)] = '"';
    text_json_raw(text, name, quoted);
}

/* The frame of a large buffer is not for values that fit, which nearly all do. */
__attribute__((noinline)) static void write_cut(struct text *text, const char *name,
                                                const char *value, size_t limit)
{
    char buffer[CUT_SIZE(AUDIT_MAX_DETAIL)];

    (void)cut_text(value, limit, buffer);
    text_json_string(text, name, buffer);
}

static void write_text(struct text *text, const char *name, const char *value, size_t limit)
{
    if (value == NULL || *value == '\0') {
        return;
    }
    if (cut_fits(value, limit)) {
        text_json_string(text, name, value);
    } else {
        write_cut(text, name, value, limit);
    }
}

/* A name of the call: one that the gateway kept is in its recorded form, and not cut once more. */
static void write_kept(struct text *text, const struct audit_event *event, const char *name,
                       const char *value, size_t limit)
{
    write_text(text, name, value, event->kept ? CUT_SIZE(limit) : limit);
}

void audit_id(const struct audit_stamp *stamp, char id[AUDIT_ID_SIZE])
{
    char *at = hex_put_number(id, stamp->entity, HEX_NUMBER);
    *at++ = '-';
    at[decimal(at, stamp->number)] = '\0';
}

/* ---- who ------------------------------------------------------------------------------------- */

/* The ids of a thread are mostly the same one. */
struct resolved {
    bool asked, has_name;
    uint32_t id;
    char name[DIRECTORY_NAME];
};

static void write_named_id(struct text *text, const char *name, struct audit_names *names,
                           struct resolved *last, uint32_t id, bool user)
{
    if (!last->asked || last->id != id) {
        last->asked = true;
        last->id = id;
        last->has_name = names_find(names, user ? DIRECTORY_USER : DIRECTORY_GROUP, id, last->name);
    }
    text_json_open(text, name, '{');
    write_quoted_number(text, "id", id);
    if (last->has_name) {
        text_json_string(text, "name", last->name);
    }
    text_json_close(text, '}');
}

static void write_current(struct text *text, struct audit_names *names,
                          const struct miguard_identity *current)
{
    static const char *const users[] = {"real_user", "user", "saved_user"};
    static const char *const groups[] = {"real_group", "group", "saved_group"};
    struct resolved user, group;

    user.asked = group.asked = false;
    for (int i = 0; i < IDENTITY_FS; i++) {
        write_named_id(text, users[i], names, &user, current->uid[i], true);
        write_named_id(text, groups[i], names, &group, current->gid[i], false);
    }
}

int64_t audit_start_time(uint64_t ticks_since_boot)
{
    struct timespec up = {0, 0};
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);

    if (ticks_since_boot == 0 || ticks == 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0) {
        return 0;
    }
    int64_t boot = audit_now() - ((int64_t)up.tv_sec * SECOND + up.tv_nsec);
    return boot + (int64_t)(ticks_since_boot / ticks * SECOND +
                            ticks_since_boot % ticks * (SECOND / ticks));
}

static void write_start(struct text *text, const struct identity_process *process)
{
    int64_t start = audit_start_time(process->start_time);

    if (start != 0) {
        write_time(text, "start", start);
    }
}

/* From "ecs" to within "process". */
static void write_origin(struct text *text, const struct audit_stamp *stamp)
{
    const struct identity_process *process = stamp->process;
    const char *slash = strrchr(process->executable, '/');

    text_json_open(text, "ecs", '{');
    text_json_string(text, "version", ECS_VERSION);
    text_json_close(text, '}');
    text_json_open(text, "host", '{');
    write_text(text, "name", stamp->host_name, AUDIT_MAX_NAME);
    text_json_open(text, "boot", '{');
    write_text(text, "id", stamp->boot_id, AUDIT_MAX_NAME);
    text_json_close(text, '}');
    text_json_close(text, '}');
    text_json_open(text, "observer", '{');
    text_json_string(text, "product", "miguard");
    text_json_string(text, "version", MIGUARD_VERSION);
    text_json_close(text, '}');
    text_json_open(text, "process", '{');
    text_json_unsigned(text, "pid", (uint64_t)process->pid);
    write_id(text, "entity_id", stamp->entity);
    write_text(text, "executable", process->executable, AUDIT_MAX_TEXT);
    write_text(text, "name", slash != NULL ? slash + 1 : NULL, AUDIT_MAX_NAME);
    write_start(text, process);
}

void audit_encode_origin(struct text *text, const struct audit_stamp *stamp)
{
    text->comma = true; /* the message stands before */
    write_origin(text, stamp);
}

static void write_process(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    const struct text *origin = stamp->memory != NULL ? &stamp->memory->origin : NULL;

    if (origin != NULL && origin->length > 0) {
        text_append_bytes(text, origin->data, origin->length);
    } else {
        write_origin(text, stamp);
    }
    text_json_open(text, "thread", '{');
    text_json_unsigned(text, "id", (uint64_t)thread->tid);
    write_text(text, "name", thread->name, AUDIT_MAX_NAME);
    text_json_close(text, '}');
    if (identity_valid(event->current)) {
        write_current(text, stamp->names, event->current);
    }
    text_json_close(text, '}');
}

static void write_user(struct text *text, struct audit_names *names,
                       const struct miguard_identity *bound)
{
    struct resolved group;
    char name[DIRECTORY_NAME];

    text_json_open(text, "user", '{');
    write_quoted_number(text, "id", bound->uid[IDENTITY_E]);
    if (names_find(names, DIRECTORY_USER, bound->uid[IDENTITY_E], name)) {
        text_json_string(text, "name", name);
    }
    group.asked = false;
    write_named_id(text, "group", names, &group, bound->gid[IDENTITY_E], false);
    text_json_close(text, '}');
}

static void write_components(struct text *text, const char *name, miguard_components components)
{
    if (components == 0) {
        return;
    }
    text_json_open(text, name, '[');
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((components >> bit & 1) != 0) {
            text_json_string(text, NULL, miguard_component_name((miguard_components)1 << bit));
        }
    }
    text_json_close(text, ']');
}

/* ---- pieces that are kept (memory.h) --------------------------------------------------------- */

/* Module and offset, which a debugger or addr2line(1) turns into a line of source. False when the
 * address is in no module. */
static bool open_site(struct text *text, const char *name, const void *address)
{
    Dl_info info;

    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    text_json_open(text, name, '{');
    write_text(text, "module", info.dli_fname, AUDIT_MAX_TEXT);
    write_id(text, "offset", (uint64_t)((uintptr_t)address - (uintptr_t)info.dli_fbase));
    write_text(text, "symbol", info.dli_sname, AUDIT_MAX_TEXT);
    return true;
}

static void make_call_site(struct text *text, const void *address)
{
    if (open_site(text, "call_site", address)) {
        text_json_close(text, '}');
    }
}

static void write_last_switch(struct text *text, const struct audit_last_switch *last)
{
    if (last != NULL && open_site(text, "last_switch", last->site)) {
        write_time(text, "time", last->time);
        text_json_close(text, '}');
    }
}

static int note_unloaded(struct dl_phdr_info *info, size_t size, void *ret_count)
{
    (void)size;
    memcpy(ret_count, &info->dlpi_subs, sizeof(info->dlpi_subs));
    return 1; /* the count is the same for every module */
}

static void write_call_site(struct text *text, const void *address, struct audit_memory *memory)
{
    unsigned long long unloaded = 0;
    size_t start = text->length;

    if (address == NULL) {
        return;
    }
    (void)dl_iterate_phdr(note_unloaded, &unloaded);
    const struct digest key = {{(uint64_t)(uintptr_t)address, unloaded}};
    if (memory != NULL && pieces_recall(&memory->sites, &key, text)) {
        return;
    }
    make_call_site(text, address);
    if (memory != NULL && !text->failed && text->length > start) {
        pieces_keep(&memory->sites, &key, text->data + start, text->length - start);
    }
}

static void write_identity(struct text *text, const char *name,
                           const struct miguard_identity *identity, struct audit_memory *memory)
{
    struct digest key = {{0, 0}};

    if (!identity_valid(identity)) {
        return;
    }
    text_json_open(text, name, '{');
    size_t start = text->length;
    if (memory != NULL) {
        key = digest_identity(&memory->key, identity);
    }
    if (memory == NULL || !pieces_recall(&memory->identities, &key, text)) {
        identity_write_json(text, identity, false);
        if (memory != NULL && !text->failed && text->length > start) {
            pieces_keep(&memory->identities, &key, text->data + start, text->length - start);
        }
    }
    text_json_close(text, '}');
}

/* ---- the log about itself -------------------------------------------------------------------- */

static void write_lost(struct text *text, const struct audit_lost *lost)
{
    enum audit_loss worst = 0;

    text_json_open(text, "lost", '{');
    text_json_string(text, "sink", lost->sink);
    text_json_unsigned(text, "count", lost->count);
    for (enum audit_loss i = 0; i < AUDIT_LOSS_COUNT; i++) {
        worst = lost->by_cause[i] > lost->by_cause[worst] ? i : worst;
    }
    text_json_string(text, "cause", audit_losses[worst].name);
    text_json_open(text, "causes", '{');
    for (enum audit_loss i = 0; i < AUDIT_LOSS_COUNT; i++) {
        if (lost->by_cause[i] > 0) {
            text_json_unsigned(text, audit_losses[i].name, lost->by_cause[i]);
        }
    }
    text_json_close(text, '}');
    write_time(text, "first", lost->first);
    write_time(text, "last", lost->last);
    if (lost->first_sequence != 0) {
        text_json_unsigned(text, "first_sequence", lost->first_sequence);
        text_json_unsigned(text, "last_sequence", lost->last_sequence);
    }
    text_json_unsigned(text, "total", lost->total);
    text_json_close(text, '}');
}

static void write_rotated(struct text *text, const struct audit_rotated *rotated)
{
    text_json_open(text, "rotated", '{');
    write_text(text, "previous", rotated->previous, AUDIT_MAX_NAME);
    text_json_unsigned(text, "removed_files", rotated->removed_files);
    text_json_unsigned(text, "removed_through", rotated->removed_through);
    if (rotated->beyond > 0) {
        text_json_unsigned(text, "beyond", rotated->beyond);
    }
    if (rotated->stray_files > 0) {
        text_json_unsigned(text, "stray_files", rotated->stray_files);
        write_text(text, "stray", rotated->stray, AUDIT_MAX_NAME);
    }
    text_json_close(text, '}');
}

static void write_space(struct text *text, const struct audit_space *space)
{
    text_json_open(text, "space", '{');
    text_json_string(text, "step", space->step);
    text_json_unsigned(text, "available", space->available);
    text_json_unsigned(text, "used_percent", space->used_percent);
    text_json_close(text, '}');
}

static void write_tally(struct text *text, const struct audit_tally *tally)
{
    text_json_open(text, "tally", '{');
    text_json_unsigned(text, "written", tally->written);
    text_json_unsigned(text, "lost", tally->lost);
    text_json_close(text, '}');
}

static void write_keys(struct text *text, const struct audit_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    text_json_open(text, "keys", '[');
    for (size_t at = 0; at < keys->length; at += strlen(keys->items + at) + 1) {
        text_json_string(text, NULL, keys->items + at);
    }
    text_json_close(text, ']');
    if (keys->omitted > 0) {
        text_json_unsigned(text, "keys_omitted", keys->omitted);
    }
}

static void write_policy(struct text *text, const struct audit_event *event)
{
    text_json_open(text, "policy", '{');
    write_text(text, "detail", event->policy_detail, AUDIT_MAX_DETAIL);
    write_text(text, "hash", event->policy_hash, AUDIT_MAX_NAME);
    write_text(text, "path", event->policy_path, AUDIT_MAX_TEXT);
    text_json_close(text, '}');
}

/* What records of the library about itself have to say. */
static void write_own(struct text *text, const struct audit_event *event)
{
    if (event->policy_detail != NULL) {
        write_policy(text, event);
    }
    if (event->lost != NULL) {
        write_lost(text, event->lost);
    }
    if (event->rotated != NULL) {
        write_rotated(text, event->rotated);
    }
    if (event->space != NULL) {
        write_space(text, event->space);
    }
    if (event->tally != NULL) {
        write_tally(text, event->tally);
    }
}

static void write_miguard(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    text_json_open(text, "miguard", '{');
    if (event->action >= AUDIT_ACTION_SESSION_OPEN && event->action < AUDIT_ACTION_SWITCH) {
        text_json_string(text, "operation", operation_name(event->operation));
    }
    write_kept(text, event, "provider", event->provider, AUDIT_MAX_NAME);
    write_kept(text, event, "namespace", event->name_space, AUDIT_MAX_NAME);
    write_kept(text, event, "class", event->class_name, AUDIT_MAX_CIM);
    write_kept(text, event, "method", event->method, AUDIT_MAX_CIM);
    write_keys(text, event->keys);
    text_json_string(text, "decision", event->denied ? "deny" : "allow");
    if (event->would_deny) {
        text_json_boolean(text, "would_deny", true);
    }
    write_id(text, "context_id", event->context_id);
    write_id(text, "session_id", event->session_id);
    write_id(text, "operation_id", event->operation_id);
    write_components(text, "mismatch", event->mismatch);
    write_components(text, "unreadable", event->unreadable);
    text_json_open(text, "cred", '{');
    write_identity(text, "bound", event->bound, stamp->memory);
    write_identity(text, "current", event->current, stamp->memory);
    text_json_close(text, '}');
    if (stamp->process->loginuid != UINT32_MAX) {
        text_json_unsigned(text, "loginuid", stamp->process->loginuid);
    }
    if (thread->session_keyring != 0) {
        text_json_unsigned(text, "session_keyring", (uint64_t)thread->session_keyring);
    }
    write_call_site(text, event->call_site, stamp->memory);
    write_last_switch(text, event->last_switch);
    write_text(text, "attempt", event->attempt, AUDIT_MAX_TEXT);
    write_own(text, event);
    /* not closed: the tail goes on here */
}

void audit_encode_body(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp)
{
    struct identity_thread thread;

    identity_read_thread(&thread);
    if (event->tid != 0 && event->tid != thread.tid) {
        thread = (struct identity_thread){.tid = event->tid};
    }
    text_json_open(text, NULL, '{');
    write_time(text, "@timestamp", audit_now());
    text_json_string(text, "message",
                     event->reason != AUDIT_REASON_NONE ? audit_reasons[event->reason].text
                                                        : audit_actions[event->action].text);
    write_process(text, event, stamp, &thread);
    if (identity_valid(event->bound)) {
        write_user(text, stamp->names, event->bound);
    }
    if (event->rule != NULL) {
        text_json_open(text, "rule", '{');
        write_text(text, "name", event->rule, AUDIT_MAX_TEXT);
        write_text(text, "reference", event->rule_source, AUDIT_MAX_TEXT);
        write_text(text, "description", event->rule_reason, AUDIT_MAX_TEXT);
        text_json_close(text, '}');
    }
    write_miguard(text, event, stamp, &thread);
}

static void write_chain(struct text *text, const struct audit_place *place)
{
    text_json_open(text, "chain", '{');
    write_id(text, "id", place->chain_id);
    text_json_unsigned(text, "epoch", place->epoch);
    text_json_string(text, "prev", place->previous);
    text_json_close(text, '}');
}

static void write_class(struct text *text, const struct audit_event *event)
{
    const char *type = classes[event->action].type;

    text_json_open(text, "category", '[');
    text_json_string(text, NULL, classes[event->action].category);
    text_json_close(text, ']');
    text_json_open(text, "type", '[');
    if (type != ECS_DECISION) {
        text_json_string(text, NULL, type);
    } else {
        text_json_string(text, NULL, "access");
        text_json_string(text, NULL, event->denied ? "denied" : "allowed");
    }
    text_json_close(text, ']');
}

static void write_event(struct text *text, const struct audit_event *event, const char *id,
                        const struct audit_place *place)
{
    text_json_open(text, "event", '{');
    text_json_string(text, "kind", "event");
    write_class(text, event);
    text_json_string(text, "id", id);
    if (place->sequence != 0) {
        text_json_unsigned(text, "sequence", place->sequence);
    }
    text_json_string(text, "code",
                     event->denied ? audit_actions[event->action].refused
                                   : audit_actions[event->action].allowed);
    text_json_string(text, "action", audit_actions[event->action].name);
    text_json_string(text, "outcome", event->denied ? "failure" : "success");
    text_json_string(text, "reason", audit_reasons[event->reason].name);
    if (place->repeats > 1) {
        write_time(text, "start", place->first);
        write_time(text, "end", place->last);
    }
}

void audit_encode_tail(struct text *text, const struct audit_event *event, const char *id,
                       const struct audit_place *place)
{
    text->comma = true; /* the body stands before */
    text_json_open(text, "repeat", '{');
    text_json_unsigned(text, "count", place->repeats);
    text_json_close(text, '}');
    if (place->chain_id != 0) {
        write_chain(text, place);
    }
    text_json_close(text, '}');
    write_event(text, event, id, place);
    if (place->chain_id != 0) {
        text_append(text, ",\"hash\":\"");
    }
}
