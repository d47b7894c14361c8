/* SPDX-License-Identifier: MIT */
/* The audit log: what a record says, that no record is torn by another or forged through what it
 * quotes, and what a fork and a second thread do to it. */
#include "audit/audit.h"

#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/encode.h"
#include "miguard.h"
#include "support/audit_log.h"
#include "support/lacks.h"
#include "support/raw.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static unsigned rounds(unsigned full)
{
    return getenv("QUICK") != NULL ? full / 10 + 1 : full;
}

static const json_t *last_of(const struct audit_log *log, const char *action)
{
    unsigned count = audit_log_count(log, action);
    ck_assert_uint_gt(count, 0);
    return audit_log_nth(log, action, count - 1);
}

/* ---- what a record says -------------------------------------------------------------- */

START_TEST(first_and_last_record)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct stat status;
    struct audit *audit = audit_log_open(0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    }
    audit_close(audit);
    struct audit_log log = audit_log_read();
    const json_t *start = audit_log_at(&log, 0), *stop = audit_log_at(&log, 4);

    ck_assert_uint_eq(json_array_size(log.records), 5);
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(audit_log_check_order(&log), 1);
    ck_assert_str_eq(audit_log_string(start, "event.action"), "audit-start");
    ck_assert_str_eq(audit_log_string(start, "event.code"), "MG001I");
    ck_assert_str_eq(audit_log_string(start, "observer.version"), MIGUARD_VERSION);
    ck_assert_int_eq(audit_log_number(start, "process.pid"), getpid());
    ck_assert_int_eq(audit_log_number(start, "process.thread.id"), gettid());
    ck_assert_str_eq(audit_log_string(stop, "event.action"), "audit-stop");
    ck_assert_int_eq(audit_log_number(stop, "miguard.tally.written"), 4);
    ck_assert_int_eq(audit_log_number(stop, "miguard.tally.lost"), 0);
    ck_assert_int_eq(stat(audit_log_path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07137, 0); /* nothing beyond 0640 */
    audit_log_release(&log);
}
END_TEST

/* As date(1) would have it, within a second; and the process began before it wrote. */
START_TEST(times)
{
    char now[32];
    time_t before = time(NULL);
    audit_close(audit_log_open(0));
    struct audit_log log = audit_log_read();
    const json_t *start = audit_log_at(&log, 0);
    bool found = false;
    /* time(2) may be a tick behind the clock that records are stamped by. */
    for (time_t second = before; second <= time(NULL) + 1; second++) {
        strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S", gmtime(&second));
        found = found || strncmp(now, audit_log_string(start, "@timestamp"), strlen(now)) == 0;
    }
    ck_assert_msg(found, "%s", audit_log_string(start, "@timestamp"));
    ck_assert_int_le(
        strcmp(audit_log_string(start, "process.start"), audit_log_string(start, "@timestamp")), 0);
    audit_log_release(&log);
}
END_TEST

/* Against the C library's calendar, through the function that sets the time of a finished body. */
START_TEST(calendar)
{
    static const char empty[] = "{\"@timestamp\":\"0000-00-00T00:00:00.000000Z\",\"message\"";
    char body[sizeof(empty)], expected[64];

    for (int64_t second = 0; second < 9000000000; second += 86400 * 17 + 3601) {
        const time_t time = (time_t)second;
        struct tm utc;
        memcpy(body, empty, sizeof(empty));
        audit_set_time(body, strlen(body), second * 1000000000 + 1999);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000001Z", gmtime_r(&time, &utc));
        ck_assert_msg(strncmp(body + 15, expected, 27) == 0, "%s instead of %s", body, expected);
    }
    memcpy(body, empty, sizeof(empty));
    audit_set_time(body, 20, 1); /* no body of ours */
    ck_assert_str_eq(body, empty);
}
END_TEST

START_TEST(refusal_record)
{
    struct miguard_identity *bound = NULL, *current = NULL;
    ck_assert_int_eq(miguard_identity_capture(&bound, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_identity_capture(&current, NULL), MIGUARD_OK);
    bound->uid[IDENTITY_E] = 4242;
    current->uid[IDENTITY_FS] = 77;
    const struct audit_event event = {
        .action = AUDIT_ACTION_SESSION_USE,
        .reason = AUDIT_REASON_IDENTITY_MISMATCH,
        .denied = true,
        .operation = OPERATION_GET_INSTANCE,
        .provider = "libweb.so",
        .name_space = "root/cimv2",
        .class_name = "CIM_Process",
        .context_id = 0x100000001u,
        .session_id = UINT64_MAX,
        .operation_id = 3,
        .bound = bound,
        .current = current,
        .mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID,
        .unreadable = MIGUARD_COMPONENT_LSM_LABEL,
        .rule = "default",
        .rule_source = "built-in",
        .call_site = (const void *)(uintptr_t)refusal_record_fn,
    };
    static const struct {
        const char *field, *text;
    } rows[] = {
        {"event.code", "MG101E"},
        {"event.action", "session-use"},
        {"event.outcome", "failure"},
        {"event.reason", "identity-mismatch"},
        {"message", "the session was taken under another identity"},
        {"miguard.operation", "GetInstance"},
        {"miguard.decision", "deny"},
        {"miguard.provider", "libweb.so"},
        {"miguard.namespace", "root/cimv2"},
        {"miguard.class", "CIM_Process"},
        {"miguard.context_id", "0000000100000001"},
        {"miguard.session_id", "ffffffffffffffff"},
        {"miguard.operation_id", "0000000000000003"},
        {"rule.name", "default"},
        {"rule.reference", "built-in"},
        {"user.id", "4242"},
        {"user.name", "(none)"},
        {"miguard.would_deny", "(none)"},
    };

    struct audit *audit = audit_log_open(0);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    struct audit_log log = audit_log_read();
    const json_t *record = last_of(&log, "session-use");
    for (int i = 0; i < LENGTH(rows); i++) {
        ck_assert_msg(strcmp(audit_log_string(record, rows[i].field), rows[i].text) == 0,
                      "%s: %s instead of %s", rows[i].field,
                      audit_log_string(record, rows[i].field), rows[i].text);
    }
    const json_t *mismatch = audit_log_member(record, "miguard.mismatch");
    ck_assert_uint_eq(json_array_size(mismatch), 2);
    ck_assert_str_eq(json_string_value(json_array_get(mismatch, 0)), "euid");
    ck_assert_str_eq(json_string_value(json_array_get(mismatch, 1)), "fsuid");
    ck_assert_uint_eq(json_array_size(audit_log_member(record, "miguard.unreadable")), 1);
    ck_assert_int_eq(audit_log_number(record, "miguard.cred.bound.euid.id"), 4242);
    ck_assert_int_eq(audit_log_number(record, "miguard.cred.current.fsuid.id"), 77);
    ck_assert_ptr_nonnull(
        strstr(audit_log_string(record, "miguard.call_site.module"), "audit_test"));
    audit_log_release(&log);
    miguard_identity_free(bound);
    miguard_identity_free(current);
}
END_TEST

/* What does not apply is left out, and every pair of action and outcome has its own code. */
static struct audit_event sample_of(enum audit_action action)
{
    static const struct audit_lost lost = {
        .sink = "file",
        .count = 5,
        .by_cause = {[AUDIT_LOSS_NO_SPACE] = 2, [AUDIT_LOSS_CRASH] = 3},
        .first = 1,
        .last = 1800000000000000000,
        .first_sequence = 7,
        .last_sequence = 9,
        .total = 6};
    static const struct audit_rotated rotated = {"audit.jsonl.000000001", 2,    77, 1,
                                                 "audit.jsonl.9",         12350};
    static const struct audit_space space = {"low", UINT32_MAX, 91};
    static const struct audit_tally tally = {3, 0};
    static const struct audit_set_aside aside = {"heads", "lost", "audit.jsonl.state.damaged-1"};
    struct audit_event event = {.action = action, .operation = OPERATION_INVOKE};

    event.lost = action == AUDIT_ACTION_RECORDS_LOST ? &lost : NULL;
    event.rotated = action == AUDIT_ACTION_AUDIT_ROTATE ? &rotated : NULL;
    event.space = action == AUDIT_ACTION_AUDIT_SPACE ? &space : NULL;
    event.tally = action == AUDIT_ACTION_AUDIT_STOP ? &tally : NULL;
    event.set_aside = action == AUDIT_ACTION_STATE_SET_ASIDE ? &aside : NULL;
    return event;
}

START_TEST(every_action_and_reason)
{
    struct audit *audit = audit_log_open(0);
    unsigned written = 2;

#define ACTION_COUNT(...) +1
#define REASON_COUNT(...) +1
    enum { ACTIONS = 0 AUDIT_ACTION_MAP(ACTION_COUNT), REASONS = 0 AUDIT_REASON_MAP(REASON_COUNT) };
    for (unsigned action = 0; action < ACTIONS; action++) {
        for (unsigned reason = 0; reason < REASONS; reason++) {
            for (unsigned flags = 0; flags < 4; flags++) {
                struct audit_event event = sample_of((enum audit_action)action);
                event.reason = (enum audit_reason)reason;
                event.denied = (flags & 1) != 0;
                event.would_deny = flags == 2;
                event.operation = (enum operation)(written % OPERATION_COUNT);
                ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
                written++;
            }
        }
    }
    audit_close(audit);
    struct audit_log log = audit_log_read();
    const json_t *lost = audit_log_nth(&log, "records-lost", 0);
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records), written);
    ck_assert_str_eq(audit_log_string(lost, "miguard.lost.cause"), "crash");
    ck_assert_int_eq(audit_log_number(lost, "miguard.lost.causes.no-space"), 2);
    ck_assert_str_eq(audit_log_string(lost, "miguard.lost.first"), "1970-01-01T00:00:00.000000Z");
    ck_assert_int_eq(audit_log_number(lost, "miguard.lost.last_sequence"), 9);
    audit_log_release(&log);
}
END_TEST

/* A record waits only a moment for names, so that the first ones may be without. Whoever compares
 * records writes until all names are there. They may never be: a user may have none, and a process
 * of one thread does not ask again for NAMES_DISTRUST seconds. Then all records are without. */
static unsigned write_until_named(struct audit *audit, const struct audit_event *event)
{
    for (unsigned written = 1;; written++) {
        ck_assert_int_eq(audit_write(audit, event), MIGUARD_OK);
        struct audit_log log = audit_log_read();
        const json_t *last = audit_log_at(&log, written);
        bool named = audit_log_member(last, "process.user.name") != NULL &&
                     audit_log_member(last, "process.group.name") != NULL;
        audit_log_release(&log);
        if (named || written == 40) {
            return written;
        }
        usleep(20000);
    }
}

/* A piece that is remembered comes out as the one that is made anew. */
START_TEST(second_record_is_as_the_first)
{
    static const char *const same[] = {
        "miguard.cred", "miguard.call_site", "miguard.last_switch", "process", "user",
        "host",         "observer"};
    struct audit_last_switch last = {(const void *)(uintptr_t)audit_write, 1};
    struct miguard_identity *bound = NULL;
    ck_assert_int_eq(miguard_identity_capture(&bound, NULL), MIGUARD_OK);
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                .bound = bound,
                                .current = bound,
                                .call_site = (const void *)(uintptr_t)audit_write,
                                .last_switch = &last};
    struct audit *audit = audit_log_open(0);
    unsigned at = write_until_named(audit, &event);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    bound->uid[IDENTITY_E] = 4242; /* another identity, although at the same address */
    event.call_site = (const char *)event.call_site + 1;
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    struct audit_log log = audit_log_read();
    const json_t *first = audit_log_at(&log, at), *second = audit_log_at(&log, at + 1);
    const json_t *third = audit_log_at(&log, at + 2);
    for (int i = 0; i < LENGTH(same); i++) {
        ck_assert_ptr_nonnull(audit_log_member(first, same[i]));
        ck_assert_msg(
            json_equal(audit_log_member(first, same[i]), audit_log_member(second, same[i])),
            "%s differs", same[i]);
    }
    ck_assert_int_eq(audit_log_number(third, "miguard.cred.bound.euid.id"), 4242);
    ck_assert_str_ne(audit_log_string(first, "miguard.call_site.offset"),
                     audit_log_string(third, "miguard.call_site.offset"));
    audit_log_release(&log);
    miguard_identity_free(bound);
}
END_TEST

/* The schema is for readers; record_check() is what tests use. Both must know the same names. */
#define SCHEMA "tests/data/audit-record.schema.json"

static void expect_names(const json_t *schema, const char *dotted, const char *const names[],
                         size_t count)
{
    const json_t *listed = audit_log_member(schema, dotted);
    ck_assert_msg(json_array_size(listed) == count, "%s lists %zu names, the source %zu", dotted,
                  json_array_size(listed), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(json_string_value(json_array_get(listed, i)), names[i]);
    }
}

START_TEST(schema_lists_the_names_of_the_source)
{
#define NAME_OF(NAME, name, ...)                    name,
#define CODES_OF(NAME, name, allowed, refused, ...) allowed, refused,
#define COMPONENT_OF(bit, NAME, name)               name,
    static const char *const actions[] = {AUDIT_ACTION_MAP(NAME_OF)};
    static const char *const codes[] = {AUDIT_ACTION_MAP(CODES_OF)};
    static const char *const reasons[] = {AUDIT_REASON_MAP(NAME_OF)};
    static const char *const operations[] = {OPERATION_MAP(NAME_OF)};
    static const char *const components[] = {MIGUARD_COMPONENT_MAP(COMPONENT_OF)};
    json_error_t error;
    json_t *schema = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(schema != NULL, "%s: %s (tests run in the top audit_log_folder)", SCHEMA,
                  error.text);
    const json_t *event = audit_log_member(schema, "properties.event.properties");
    expect_names(event, "action.enum", actions, LENGTH(actions));
    expect_names(event, "code.enum", codes, LENGTH(codes));
    expect_names(event, "reason.enum", reasons, LENGTH(reasons));
    expect_names(schema, "$defs.operation.enum", operations, LENGTH(operations));
    expect_names(schema, "$defs.components.items.enum", components, LENGTH(components));
    expect_names(schema, "$defs.whole_identity.required", components, LENGTH(components));
    static const char *const causes[] = {AUDIT_LOSS_MAP(NAME_OF)};
    static const char *const sinks[] = {SINK_KIND_MAP(NAME_OF)};
    expect_names(schema, "$defs.cause.enum", causes, LENGTH(causes));
    expect_names(schema, "properties.miguard.properties.lost.properties.sink.enum", sinks,
                 LENGTH(sinks));
    json_decref(schema);
}
END_TEST

START_TEST(reopening_appends)
{
    audit_close(audit_log_open(0));
    audit_close(audit_log_open(0));
    struct audit_log log = audit_log_read();
    ck_assert_uint_eq(audit_log_count(&log, "audit-start"), 2);
    ck_assert_uint_eq(json_array_size(log.records), 4);
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(audit_log_check_order(&log), 1);
    audit_log_release(&log);
}
END_TEST

/* ---- what cannot be forged ----------------------------------------------------------- */

static const char *const hostile[] = {
    "a\n{\"@timestamp\":\"2020-01-01T00:00:00.000000Z\"}",
    "\r\n",
    "\"},\"miguard\":{\"decision\":\"allow\"}}\n",
    "\x1B]0;owned\x07\x1B[2J",
    "\xC2\x85next line\xC2\x9Bm",
    "\x7F\x01\x02",
    "\xFF\xFE\xC0\x8A",
    "back\\slash\\n",
};

START_TEST(quoted_text_cannot_forge_a_line)
{
    const struct audit_event event = {
        .action = AUDIT_ACTION_SESSION_USE,
        .reason = AUDIT_REASON_POLICY,
        .denied = true,
        .operation = OPERATION_INVOKE,
        .provider = hostile[_i],
        .name_space = hostile[_i],
        .class_name = hostile[_i],
        .rule = hostile[_i],
        .rule_source = hostile[_i],
    };
    struct audit *audit = audit_log_open(0);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    struct audit_log log = audit_log_read();

    ck_assert_uint_eq(json_array_size(log.records), 3);
    ck_assert_uint_eq(log.broken, 0);
    for (const char *at = log.text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        ck_assert(byte == '\n' || (byte >= 0x20 && byte != 0x7F));
        ck_assert(byte != 0xC2 || (unsigned char)at[1] >= 0xA0);
    }
    ck_assert_str_eq(audit_log_string(last_of(&log, "session-use"), "miguard.decision"), "deny");
    if (json_loads(hostile[_i], JSON_DECODE_ANY, NULL) == NULL && (hostile[_i][0] & 0x80) == 0) {
        ck_assert_str_eq(audit_log_string(last_of(&log, "session-use"), "miguard.class"),
                         hostile[_i]);
    }
    audit_log_release(&log);
}
END_TEST

/* ---- which files are refused --------------------------------------------------------- */

static const char *refusal_of(const char *name, enum miguard_status expected)
{
    static struct miguard_error error;
    struct sink_settings file = SINK_FILE_DEFAULT(NULL);
    const struct audit_settings settings = {&file, 1, 0, NULL};
    struct audit *audit = NULL;

    file.path = name;
    memset(&error, 0, sizeof(error));
    ck_assert_int_eq(audit_open(&settings, &audit, &error), expected);
    ck_assert_ptr_null(audit);
    ck_assert_int_eq(error.status, expected);
    return error.detail;
}

START_TEST(settings_that_are_refused)
{
    struct sink_settings sinks[2] = {SINK_FILE_DEFAULT(NULL), SINK_FILE_DEFAULT(NULL)};
    struct audit_settings settings = {sinks, 2, 0, NULL};
    struct audit *audit = NULL;

    (void)refusal_of(NULL, MIGUARD_INVALID_ARGUMENT);
    (void)refusal_of("", MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_eq(audit_open(NULL, &audit, NULL), MIGUARD_INVALID_ARGUMENT);
    sinks[0].path = sinks[1].path = audit_log_path;
    ck_assert_int_eq(audit_open(&settings, &audit, NULL), MIGUARD_INVALID_ARGUMENT);
    sinks[1].kind = SINK_KIND_COUNT;
    ck_assert_int_eq(audit_open(&settings, &audit, NULL), MIGUARD_INVALID_ARGUMENT);
    settings.sink_count = 0;
    ck_assert_int_eq(audit_open(&settings, &audit, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_int_ne(access(audit_log_path, F_OK), 0); /* nothing was made */
    ck_assert_ptr_null(audit);
}
END_TEST

START_TEST(what_cannot_be_opened_is_no_log)
{
    (void)refusal_of(audit_log_folder, MIGUARD_SYSTEM);
    (void)refusal_of("/proc/self/no/such/audit.jsonl", MIGUARD_SYSTEM);
}
END_TEST

/* ---- many writers -------------------------------------------------------------------- */

static unsigned each_writes;

/* NULL when all went well. */
static void *write_many(void *context)
{
    struct audit *audit = context;
    char name_space[2048];

    for (unsigned i = 0; i < each_writes; i++) {
        size_t length = 1 + i * 37 % (sizeof(name_space) - 1);
        memset(name_space, 'n', length - 1);
        name_space[length - 1] = '\0';
        const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                          .reason = AUDIT_REASON_IDENTITY_MATCH,
                                          .operation = OPERATION_INVOKE,
                                          .name_space = name_space};
        if (audit_write(audit, &event) != MIGUARD_OK) {
            return "audit_write failed";
        }
    }
    return NULL;
}

enum { THREADS = 16, PROCESSES = 5 };

static bool write_from_threads(struct audit *audit)
{
    pthread_t threads[THREADS];
    bool well = true;

    for (int i = 0; i < THREADS; i++) {
        well = pthread_create(&threads[i], NULL, write_many, audit) == 0 && well;
    }
    for (int i = 0; i < THREADS && well; i++) {
        void *why = NULL;
        well = pthread_join(threads[i], &why) == 0 && why == NULL && well;
    }
    return well;
}

START_TEST(threads_share_one_sequence)
{
    each_writes = rounds(500);
    struct audit *audit = audit_log_open(0);
    ck_assert(write_from_threads(audit));
    audit_close(audit);
    struct audit_log log = audit_log_read();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records), 2 + THREADS * each_writes);
    ck_assert_uint_eq(audit_log_check_order(&log), 1);
    audit_log_release(&log);
}
END_TEST

/* _i: 0 each process opens the file, 1 each inherits the open log. */
START_TEST(processes_share_one_file)
{
    pid_t children[PROCESSES];
    struct audit *inherited = audit_log_open(0);

    each_writes = rounds(300);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct audit *audit = inherited;
            if (_i == 0) {
                audit = audit_log_open(0);
            }
            void *why = write_many(audit);
            audit_close(audit);
            raw_end_child(why == NULL);
        }
        ck_assert_int_gt(children[i], 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        ck_assert(raw_child_passed(children[i]));
    }
    audit_close(inherited);
    struct audit_log log = audit_log_read();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records),
                      2 + PROCESSES * (each_writes + (_i == 0 ? 2 : 1)));
    ck_assert_uint_eq(audit_log_check_order(&log), 1 + PROCESSES);
    audit_log_release(&log);
}
END_TEST

START_TEST(forked_child_writes_under_its_own_name)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct audit *audit = audit_log_open(0);

    audit_lock(audit); /* as the library does around fork(2) */
    pid_t child = fork();
    audit_unlock(audit, child == 0);
    if (child == 0) {
        raw_end_child(audit_write(audit, &event) == MIGUARD_OK);
    }
    ck_assert(raw_child_passed(child));
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);

    struct audit_log log = audit_log_read();
    const json_t *start = audit_log_at(&log, 0), *childs = audit_log_at(&log, 1);
    const json_t *parents = audit_log_at(&log, 2);
    ck_assert_int_eq(audit_log_number(childs, "process.pid"), child);
    ck_assert_int_eq(audit_log_number(childs, "process.thread.id"), child);
    ck_assert_str_ne(audit_log_string(childs, "process.entity_id"),
                     audit_log_string(start, "process.entity_id"));
    ck_assert_int_eq(audit_log_number(parents, "process.pid"), getpid());
    ck_assert_str_eq(audit_log_string(parents, "process.entity_id"),
                     audit_log_string(start, "process.entity_id"));
    ck_assert_int_eq(audit_log_number(last_of(&log, "audit-stop"), "miguard.tally.written"), 2);
    ck_assert_uint_eq(audit_log_check_order(&log), 2);
    audit_log_release(&log);
}
END_TEST

/* A child that writes nothing says nothing, and one that is forked while others write can write. */
START_TEST(fork_among_threads)
{
    if (lacks_plain_threads()) {
        printf("skip: fork among threads: the emulator does not survive it\n");
        return;
    }
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct audit *audit = audit_log_open(1);
    pthread_t threads[4];

    each_writes = rounds(300);
    for (int i = 0; i < LENGTH(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, audit), 0);
    }
    for (int i = 0; i < 20; i++) {
        audit_lock(audit);
        pid_t child = fork();
        audit_unlock(audit, child == 0);
        if (child == 0) {
            bool well = i % 2 == 1 || audit_write(audit, &event) == MIGUARD_OK;
            audit_close(audit);
            raw_end_child(well);
        }
        ck_assert(raw_child_passed(child));
    }
    for (int i = 0; i < LENGTH(threads); i++) {
        void *why = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &why), 0);
        ck_assert_ptr_null(why);
    }
    audit_close(audit);
    struct audit_log log = audit_log_read();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records), 2 + LENGTH(threads) * each_writes + 10 * 2);
    ck_assert_uint_eq(audit_log_check_order(&log), 11);
    audit_log_release(&log);
}
END_TEST

/* ---- the thread of its own ----------------------------------------------------------- */

static unsigned threads_named(const char *wanted)
{
    char path[64], name[32];
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            continue;
        }
        count += task->d_name[0] != '.' && fgets(name, sizeof(name), file) != NULL &&
                 (wanted == NULL || strcmp(name, wanted) == 0);
        fclose(file);
    }
    closedir(tasks);
    return count;
}

static unsigned background_threads(void)
{
    return threads_named("miguard-audit\n");
}

static void *write_one(void *context)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    return audit_write(context, &event) == MIGUARD_OK ? NULL : context;
}

/* One is offered once a second, and goes where it would be the second thread. */
static void *write_until_kept(void *context)
{
    bool well = write_one(context) == NULL;

    for (int i = 0; i < 500 && well && background_threads() == 0; i++) {
        usleep(10000);
        well = write_one(context) == NULL;
    }
    return well && write_one(context) == NULL && background_threads() == 1 ? NULL : context;
}

static bool child_has_a_background_thread_at_most(struct audit *audit)
{
    audit_lock(audit);
    pid_t child = fork();
    audit_unlock(audit, child == 0);
    if (child == 0) {
        bool well = write_one(audit) == NULL && background_threads() <= 1;
        audit_close(audit);
        raw_end_child(well);
    }
    return raw_child_passed(child);
}

START_TEST(background_thread_comes_with_the_second_thread)
{
    if (lacks_plain_threads()) {
        printf("skip: the second thread: the emulator has one of its own\n");
        return;
    }
    struct audit *audit = audit_log_open(10);
    pthread_t thread;
    void *why = NULL;

    unsigned before = threads_named(NULL); /* a sanitizer may have one of its own */
    ck_assert_ptr_null(write_one(audit));
    ck_assert_uint_eq(background_threads(), before > 1 ? 1 : 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_until_kept, audit), 0);
    ck_assert_int_eq(pthread_join(thread, &why), 0);
    ck_assert_ptr_null(why);
    ck_assert(child_has_a_background_thread_at_most(audit));
    audit_close(audit);
    ck_assert_uint_eq(background_threads(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, audit_log_make, audit_log_remove);
    tcase_add_test(records, first_and_last_record);
    tcase_add_test(records, times);
    tcase_add_test(records, calendar);
    tcase_add_test(records, refusal_record);
    tcase_add_test(records, every_action_and_reason);
    tcase_add_test(records, second_record_is_as_the_first);
    tcase_add_test(records, schema_lists_the_names_of_the_source);
    tcase_add_test(records, reopening_appends);
    tcase_add_loop_test(records, quoted_text_cannot_forge_a_line, 0, LENGTH(hostile));
    suite_add_tcase(suite, records);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, audit_log_make, audit_log_remove);
    tcase_add_test(files, settings_that_are_refused);
    tcase_add_test(files, what_cannot_be_opened_is_no_log);
    suite_add_tcase(suite, files);
    TCase *writers = tcase_create("writers");
    tcase_set_timeout(writers, 120);
    tcase_add_checked_fixture(writers, audit_log_make, audit_log_remove);
    tcase_add_test(writers, threads_share_one_sequence);
    tcase_add_loop_test(writers, processes_share_one_file, 0, 2);
    tcase_add_test(writers, forked_child_writes_under_its_own_name);
    tcase_add_test(writers, fork_among_threads);
    tcase_add_test(writers, background_thread_comes_with_the_second_thread);
    suite_add_tcase(suite, writers);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
