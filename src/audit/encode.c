/* SPDX-License-Identifier: MIT */
#include "audit/event.h"
#include "audit/names.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ECS_VERSION "9.0.0"

static const struct {
    const char *name, *allowed, *refused, *text;
} actions[] = {
#define ACTION_ROW(NAME, name, allowed, refused, text)                                             \
    [AUDIT_ACTION_##NAME] = {name, allowed, refused, text},
    AUDIT_ACTION_MAP(ACTION_ROW)
#undef ACTION_ROW
};

static const struct {
    const char *name, *text;
} reasons[] = {
#define REASON_ROW(NAME, name, text) [AUDIT_REASON_##NAME] = {name, text},
    AUDIT_REASON_MAP(REASON_ROW)
#undef REASON_ROW
};

const char *audit_reason_name(enum audit_reason reason)
{
    return reasons[reason].name;
}

const char *audit_reason_text(enum audit_reason reason)
{
    return reasons[reason].text;
}

static void write_time(struct text *text)
{
    struct timespec now = {0, 0};
    struct tm utc = {0};
    char stamp[48];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(stamp, sizeof(stamp) - 16, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + length, sizeof(stamp) - length, ".%06ldZ", now.tv_nsec / 1000);
    text_json_string(text, "@timestamp", stamp);
}

/* Identifiers are 64 bits: as a JSON number they would lose bits beyond 2^53 (RFC 8259, 6). */
static void write_id(struct text *text, const char *name, uint64_t id)
{
    char hex[24];
    if (id != 0) {
        snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)id);
        text_json_string(text, name, hex);
    }
}

static void write_text(struct text *text, const char *name, const char *value)
{
    if (value != NULL && *value != '\0') {
        text_json_string(text, name, value);
    }
}

void audit_id(const struct audit_stamp *stamp, char id[AUDIT_ID_SIZE])
{
    snprintf(id, AUDIT_ID_SIZE, "%016llx-%llu", (unsigned long long)stamp->entity,
             (unsigned long long)stamp->sequence);
}

static void write_event(struct text *text, const struct audit_event *event,
                        const struct audit_stamp *stamp)
{
    char id[AUDIT_ID_SIZE];

    audit_id(stamp, id);
    text_json_open(text, "event", '{');
    text_json_string(text, "kind", "event");
    text_json_raw(text, "category", "[\"api\"]");
    text_json_raw(text, "type",
                  event->denied ? "[\"access\",\"denied\"]" : "[\"access\",\"allowed\"]");
    text_json_string(text, "id", id);
    text_json_unsigned(text, "sequence", stamp->sequence);
    text_json_string(text, "code",
                     event->denied ? actions[event->action].refused
                                   : actions[event->action].allowed);
    text_json_string(text, "action", actions[event->action].name);
    text_json_string(text, "outcome", event->denied ? "failure" : "success");
    text_json_string(text, "reason", reasons[event->reason].name);
    text_json_close(text, '}');
}

static void write_named_id(struct text *text, const char *name, struct audit_names *names,
                           uint32_t id, bool user)
{
    char found[NAMES_LENGTH], number[16];

    snprintf(number, sizeof(number), "%u", id);
    text_json_open(text, name, '{');
    text_json_string(text, "id", number);
    if (user ? names_user(names, id, found) : names_group(names, id, found)) {
        text_json_string(text, "name", found);
    }
    text_json_close(text, '}');
}

static void write_current(struct text *text, struct audit_names *names,
                          const struct miguard_identity *current)
{
    static const char *const users[] = {"real_user", "user", "saved_user"};
    static const char *const groups[] = {"real_group", "group", "saved_group"};

    for (int i = 0; i < IDENTITY_FS; i++) {
        write_named_id(text, users[i], names, current->uid[i], true);
        write_named_id(text, groups[i], names, current->gid[i], false);
    }
}

static void write_process(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    const struct identity_process *process = stamp->process;
    const char *slash = strrchr(process->executable, '/');

    text_json_open(text, "process", '{');
    text_json_unsigned(text, "pid", (uint64_t)process->pid);
    write_id(text, "entity_id", stamp->entity);
    write_text(text, "executable", process->executable);
    write_text(text, "name", slash != NULL ? slash + 1 : NULL);
    text_json_open(text, "thread", '{');
    text_json_unsigned(text, "id", (uint64_t)thread->tid);
    write_text(text, "name", thread->name);
    text_json_close(text, '}');
    if (identity_valid(event->current)) {
        write_current(text, stamp->names, event->current);
    }
    text_json_close(text, '}');
}

static void write_user(struct text *text, struct audit_names *names,
                       const struct miguard_identity *bound)
{
    char name[NAMES_LENGTH], number[16];

    snprintf(number, sizeof(number), "%u", bound->uid[IDENTITY_E]);
    text_json_open(text, "user", '{');
    text_json_string(text, "id", number);
    if (names_user(names, bound->uid[IDENTITY_E], name)) {
        text_json_string(text, "name", name);
    }
    write_named_id(text, "group", names, bound->gid[IDENTITY_E], false);
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

/* Module and offset, which a debugger or addr2line(1) turns into a line of source. */
static void write_call_site(struct text *text, const void *address)
{
    Dl_info info;

    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        return;
    }
    text_json_open(text, "call_site", '{');
    text_json_string(text, "module", info.dli_fname);
    write_id(text, "offset", (uint64_t)((uintptr_t)address - (uintptr_t)info.dli_fbase));
    write_text(text, "symbol", info.dli_sname);
    text_json_close(text, '}');
}

static void write_identity(struct text *text, const char *name,
                           const struct miguard_identity *identity)
{
    if (identity_valid(identity)) {
        text_json_open(text, name, '{');
        identity_write_json(text, identity, false);
        text_json_close(text, '}');
    }
}

static void write_miguard(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    text_json_open(text, "miguard", '{');
    if (event->action >= AUDIT_ACTION_SESSION_OPEN) { /* those before are the library's own */
        text_json_string(text, "operation", operation_name(event->operation));
    }
    write_text(text, "provider", event->provider);
    write_text(text, "namespace", event->name_space);
    write_text(text, "class", event->class_name);
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
    write_identity(text, "bound", event->bound);
    write_identity(text, "current", event->current);
    text_json_close(text, '}');
    if (stamp->process->loginuid != UINT32_MAX) {
        text_json_unsigned(text, "loginuid", stamp->process->loginuid);
    }
    if (thread->session_keyring != 0) {
        text_json_unsigned(text, "session_keyring", (uint64_t)thread->session_keyring);
    }
    write_call_site(text, event->call_site);
    text_json_open(text, "repeat", '{');
    text_json_unsigned(text, "count", 1);
    text_json_close(text, '}');
    if (event->policy_detail != NULL) {
        text_json_open(text, "policy", '{');
        write_text(text, "detail", event->policy_detail);
        text_json_close(text, '}');
    }
    if (event->action == AUDIT_ACTION_RECORDS_LOST) {
        text_json_open(text, "lost", '{');
        text_json_unsigned(text, "count", event->lost);
        text_json_close(text, '}');
    }
    text_json_close(text, '}');
}

void audit_encode_head(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp)
{
    text_json_open(text, NULL, '{');
    write_time(text);
    write_event(text, event, stamp);
}

void audit_encode_body(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp)
{
    struct identity_thread thread;

    identity_read_thread(&thread);
    text->comma = true; /* the head stands before */
    text_json_string(text, "message",
                     event->reason != AUDIT_REASON_NONE ? reasons[event->reason].text
                                                        : actions[event->action].text);
    text_json_open(text, "ecs", '{');
    text_json_string(text, "version", ECS_VERSION);
    text_json_close(text, '}');
    text_json_open(text, "host", '{');
    write_text(text, "name", stamp->host_name);
    text_json_open(text, "boot", '{');
    write_text(text, "id", stamp->boot_id);
    text_json_close(text, '}');
    text_json_close(text, '}');
    text_json_open(text, "observer", '{');
    text_json_string(text, "product", "miguard");
    text_json_close(text, '}');
    write_process(text, event, stamp, &thread);
    if (identity_valid(event->bound)) {
        write_user(text, stamp->names, event->bound);
    }
    if (event->rule != NULL) {
        text_json_open(text, "rule", '{');
        text_json_string(text, "name", event->rule);
        text_json_string(text, "reference", event->rule_source);
        write_text(text, "description", event->rule_reason);
        text_json_close(text, '}');
    }
    write_miguard(text, event, stamp, &thread);
    text_json_close(text, '}');
}
