/* SPDX-License-Identifier: MIT */
/* The audit log: what a record says, and that no record is lost without being counted, torn by
 * another, or forged through what it quotes. */
#include "audit/audit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/record.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char folder[64], path[128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-audit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct audit *open_log(void)
{
    struct audit *audit = NULL;
    struct miguard_error error;
    ck_assert_msg(audit_open(path, &audit, &error) == MIGUARD_OK, "%s: %s", error.step,
                  error.detail);
    return audit;
}

static unsigned rounds(unsigned full)
{
    return getenv("QUICK") != NULL ? full / 10 + 1 : full;
}

/* ---- reading the log ----------------------------------------------------------------- */

struct log {
    char *text;
    json_t *records; /* the lines that are records */
    unsigned broken; /* those that are not */
};

static char *read_file(const char *name)
{
    FILE *file = fopen(name, "re");
    ck_assert_ptr_nonnull(file);
    struct stat status;
    ck_assert_int_eq(fstat(fileno(file), &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, (size_t)status.st_size, file), (size_t)status.st_size);
    fclose(file);
    return text;
}

/* Every line that parses must be a sound record. */
static struct log read_log(void)
{
    struct log log = {read_file(path), json_array(), 0};
    char why[256];

    for (char *line = log.text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
        if (record == NULL) {
            log.broken++;
        } else {
            ck_assert_msg(line[length] == '\n', "the last line has no end");
            ck_assert_msg(record_check(record, why, sizeof(why)), "%s in %.*s", why, (int)length,
                          line);
            json_array_append_new(log.records, record);
        }
        line += length + (line[length] == '\n');
    }
    return log;
}

static void release_log(struct log *log)
{
    json_decref(log->records);
    free(log->text);
}

static const json_t *member(const json_t *value, const char *dotted)
{
    char key[64];

    for (const char *at = dotted; *at != '\0' && value != NULL;) {
        size_t length = strcspn(at, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, at);
        value = json_object_get(value, key);
        at += length + (at[length] == '.');
    }
    return value;
}

static const char *string_in(const json_t *record, const char *dotted)
{
    const char *text = json_string_value(member(record, dotted));
    return text == NULL ? "(none)" : text;
}

static json_int_t number_in(const json_t *record, const char *dotted)
{
    return json_integer_value(member(record, dotted));
}

static const json_t *last_record(const struct log *log)
{
    return json_array_get(log->records, json_array_size(log->records) - 1);
}

/* Within each entity the sequence is 1, 2, 3 ... in the order of the file. Gives the number of
 * entities. */
static unsigned check_sequences(const struct log *log)
{
    json_t *last = json_object(), *record;
    size_t i;

    json_array_foreach(log->records, i, record)
    {
        const char *entity = string_in(record, "process.entity_id");
        json_int_t expected = json_integer_value(json_object_get(last, entity)) + 1;
        ck_assert_int_eq(number_in(record, "event.sequence"), expected);
        json_object_set_new(last, entity, json_integer(expected));
    }
    unsigned entities = (unsigned)json_object_size(last);
    json_decref(last);
    return entities;
}

/* ---- what a record says -------------------------------------------------------------- */

START_TEST(start_record)
{
    struct stat status;
    struct audit *audit = open_log();
    audit_close(audit);
    struct log log = read_log();
    const json_t *record = last_record(&log);

    ck_assert_uint_eq(json_array_size(log.records), 1);
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_str_eq(string_in(record, "event.action"), "audit-start");
    ck_assert_str_eq(string_in(record, "event.code"), "MG001I");
    ck_assert_int_eq(number_in(record, "event.sequence"), 1);
    ck_assert_int_eq(number_in(record, "process.pid"), getpid());
    ck_assert_int_eq(number_in(record, "process.thread.id"), gettid());
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07137, 0); /* nothing beyond 0640 */
    release_log(&log);
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

    struct audit *audit = open_log();
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    struct log log = read_log();
    const json_t *record = last_record(&log);
    for (int i = 0; i < LENGTH(rows); i++) {
        ck_assert_msg(strcmp(string_in(record, rows[i].field), rows[i].text) == 0,
                      "%s: %s instead of %s", rows[i].field, string_in(record, rows[i].field),
                      rows[i].text);
    }
    const json_t *mismatch = member(record, "miguard.mismatch");
    ck_assert_uint_eq(json_array_size(mismatch), 2);
    ck_assert_str_eq(json_string_value(json_array_get(mismatch, 0)), "euid");
    ck_assert_str_eq(json_string_value(json_array_get(mismatch, 1)), "fsuid");
    ck_assert_uint_eq(json_array_size(member(record, "miguard.unreadable")), 1);
    ck_assert_int_eq(number_in(record, "miguard.cred.bound.euid.id"), 4242);
    ck_assert_int_eq(number_in(record, "miguard.cred.current.fsuid.id"), 77);
    ck_assert_ptr_nonnull(strstr(string_in(record, "miguard.call_site.module"), "audit_test"));
    release_log(&log);
    miguard_identity_free(bound);
    miguard_identity_free(current);
}
END_TEST

/* What does not apply is left out, and every pair of action and outcome has its own code. */
START_TEST(every_action_and_reason)
{
    struct audit *audit = open_log();
    unsigned written = 1;

#define ACTION_COUNT(...) +1
#define REASON_COUNT(...) +1
    enum { ACTIONS = 0 AUDIT_ACTION_MAP(ACTION_COUNT), REASONS = 0 AUDIT_REASON_MAP(REASON_COUNT) };
    for (unsigned action = 0; action < ACTIONS; action++) {
        for (unsigned reason = 0; reason < REASONS; reason++) {
            for (unsigned flags = 0; flags < 4; flags++) {
                const struct audit_event event = {
                    .action = (enum audit_action)action,
                    .reason = (enum audit_reason)reason,
                    .denied = (flags & 1) != 0,
                    .would_deny = flags == 2,
                    .operation = (enum operation)(written % OPERATION_COUNT),
                    .lost = 1,
                };
                ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
                written++;
            }
        }
    }
    audit_close(audit);
    struct log log = read_log();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records), written);
    ck_assert_uint_eq(check_sequences(&log), 1);
    release_log(&log);
}
END_TEST

/* The schema is for readers; record_check() is what tests use. Both must know the same names. */
#define SCHEMA "tests/data/audit-record.schema.json"

static void expect_names(const json_t *schema, const char *dotted, const char *const names[],
                         size_t count)
{
    const json_t *listed = member(schema, dotted);
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

    ck_assert_msg(schema != NULL, "%s: %s (tests run in the top folder)", SCHEMA, error.text);
    const json_t *event = member(schema, "properties.event.properties");
    expect_names(event, "action.enum", actions, LENGTH(actions));
    expect_names(event, "code.enum", codes, LENGTH(codes));
    expect_names(event, "reason.enum", reasons, LENGTH(reasons));
    expect_names(schema, "properties.miguard.properties.operation.enum", operations,
                 LENGTH(operations));
    expect_names(schema, "$defs.components.items.enum", components, LENGTH(components));
    expect_names(schema, "$defs.identity.required", components, LENGTH(components));
    json_decref(schema);
}
END_TEST

START_TEST(reopening_appends)
{
    audit_close(open_log());
    audit_close(open_log());
    struct log log = read_log();
    ck_assert_uint_eq(json_array_size(log.records), 2);
    ck_assert_uint_eq(log.broken, 0);
    release_log(&log);
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
    struct audit *audit = open_log();
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    struct log log = read_log();

    ck_assert_uint_eq(json_array_size(log.records), 2);
    ck_assert_uint_eq(log.broken, 0);
    for (const char *at = log.text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        ck_assert(byte == '\n' || (byte >= 0x20 && byte != 0x7F));
        ck_assert(byte != 0xC2 || (unsigned char)at[1] >= 0xA0);
    }
    ck_assert_str_eq(string_in(last_record(&log), "miguard.decision"), "deny");
    if (json_loads(hostile[_i], JSON_DECODE_ANY, NULL) == NULL && (hostile[_i][0] & 0x80) == 0) {
        ck_assert_str_eq(string_in(last_record(&log), "miguard.class"), hostile[_i]);
    }
    release_log(&log);
}
END_TEST

/* ---- which files are refused --------------------------------------------------------- */

static const char *refusal_of(const char *name, enum miguard_status expected)
{
    static struct miguard_error error;
    struct audit *audit = NULL;

    memset(&error, 0, sizeof(error));
    ck_assert_int_eq(audit_open(name, &audit, &error), expected);
    ck_assert_ptr_null(audit);
    ck_assert_int_eq(error.status, expected);
    return error.detail;
}

START_TEST(other_than_regular_files_are_refused)
{
    char name[256], target[256];

    (void)refusal_of(NULL, MIGUARD_INVALID_ARGUMENT);
    (void)refusal_of("", MIGUARD_INVALID_ARGUMENT);
    (void)refusal_of(folder, MIGUARD_SYSTEM);
    (void)refusal_of("/dev/null", MIGUARD_SYSTEM);
    (void)refusal_of("/dev/full", MIGUARD_SYSTEM);
    (void)refusal_of("/proc/self/no/such/audit.jsonl", MIGUARD_SYSTEM);

    snprintf(target, sizeof(target), "%s/target", folder);
    snprintf(name, sizeof(name), "%s/dangling", folder);
    ck_assert_int_eq(symlink(target, name), 0);
    ck_assert_ptr_nonnull(strstr(refusal_of(name, MIGUARD_SYSTEM), "symbolic link"));
    ck_assert_int_ne(access(target, F_OK), 0); /* not created through the link */
    close(open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ck_assert_ptr_nonnull(strstr(refusal_of(name, MIGUARD_SYSTEM), "symbolic link"));

    snprintf(name, sizeof(name), "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(name, 0600), 0);
    (void)refusal_of(name, MIGUARD_SYSTEM); /* and does not block */
    int reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(reader, 0);
    ck_assert_ptr_nonnull(strstr(refusal_of(name, MIGUARD_SYSTEM), "no regular file"));
    close(reader);
}
END_TEST

START_TEST(missing_parent_is_made_once)
{
    struct stat status;
    char parent[96];

    snprintf(parent, sizeof(parent), "%s/new", folder);
    snprintf(path, sizeof(path), "%s/audit.jsonl", parent);
    audit_close(open_log());
    ck_assert_int_eq(stat(parent, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777 & ~0750u, 0);
    snprintf(path, sizeof(path), "%s/a/b/audit.jsonl", folder);
    (void)refusal_of(path, MIGUARD_SYSTEM); /* but only the last part */
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

enum { THREADS = 8, PROCESSES = 5 };

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
    struct audit *audit = open_log();
    ck_assert(write_from_threads(audit));
    audit_close(audit);
    struct log log = read_log();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records), 1 + THREADS * each_writes);
    ck_assert_uint_eq(check_sequences(&log), 1);
    release_log(&log);
}
END_TEST

/* _i: 0 each process opens the file, 1 each inherits the open log. */
START_TEST(processes_share_one_file)
{
    pid_t children[PROCESSES];
    struct audit *inherited = open_log();

    each_writes = rounds(300);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct audit *audit = inherited;
            if (_i == 0 && audit_open(path, &audit, NULL) != MIGUARD_OK) {
                _exit(2);
            }
            _exit(write_many(audit) == NULL ? 0 : 1);
        }
        ck_assert_int_gt(children[i], 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    audit_close(inherited);
    struct log log = read_log();
    ck_assert_uint_eq(log.broken, 0);
    ck_assert_uint_eq(json_array_size(log.records),
                      1 + PROCESSES * (each_writes + (_i == 0 ? 1 : 0)));
    ck_assert_uint_eq(check_sequences(&log), 1 + PROCESSES);
    release_log(&log);
}
END_TEST

START_TEST(forked_child_writes_under_its_own_name)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct audit *audit = open_log();

    audit_lock(audit); /* as the library does around fork(2) */
    pid_t child = fork();
    audit_unlock(audit);
    if (child == 0) {
        _exit(audit_write(audit, &event) == MIGUARD_OK ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);

    struct log log = read_log();
    const json_t *start = json_array_get(log.records, 0);
    const json_t *childs = json_array_get(log.records, 1);
    const json_t *parents = json_array_get(log.records, 2);
    ck_assert_int_eq(number_in(childs, "process.pid"), child);
    ck_assert_int_eq(number_in(childs, "event.sequence"), 1);
    ck_assert_str_ne(string_in(childs, "process.entity_id"), string_in(start, "process.entity_id"));
    ck_assert_int_eq(number_in(parents, "process.pid"), getpid());
    ck_assert_int_eq(number_in(parents, "event.sequence"), 2);
    ck_assert_str_eq(string_in(parents, "process.entity_id"),
                     string_in(start, "process.entity_id"));
    release_log(&log);
}
END_TEST

/* ---- what cannot be written ---------------------------------------------------------- */

static off_t size_of_log(void)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_size;
}

static void limit_file_size(off_t size)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < 0 ? limit.rlim_max : (rlim_t)size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* _i: how many bytes of the record still fit. */
static const int room[] = {0, 1, 50, 400};

START_TEST(lost_records_are_counted)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                      .reason = AUDIT_REASON_IDENTITY_MATCH,
                                      .operation = OPERATION_INVOKE};
    void (*previous)(int) = signal(SIGXFSZ, SIG_IGN);
    struct audit *audit = open_log();
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);

    limit_file_size(size_of_log() + room[_i]);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(audit_write(audit, &event), MIGUARD_AUDIT_FAILED);
    }
    limit_file_size(-1);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    ck_assert_int_eq(audit_write(audit, &event), MIGUARD_OK);
    audit_close(audit);
    signal(SIGXFSZ, previous);

    static const char *const actions[] = {"audit-start", "session-use", "records-lost",
                                          "session-use", "session-use"};
    struct log log = read_log();
    ck_assert_uint_eq(log.broken, room[_i] > 0 ? 1 : 0); /* the torn line stands alone */
    ck_assert_uint_eq(json_array_size(log.records), 5);
    for (int i = 0; i < LENGTH(actions); i++) {
        ck_assert_str_eq(string_in(json_array_get(log.records, (size_t)i), "event.action"),
                         actions[i]);
    }
    ck_assert_int_eq(number_in(json_array_get(log.records, 2), "miguard.lost.count"), 3);
    ck_assert_uint_eq(check_sequences(&log), 1);
    release_log(&log);
}
END_TEST

/* The gap record itself fits, the record behind it does not: what is lost by then is counted anew
 * and nothing twice. */
START_TEST(loss_right_behind_a_gap_record)
{
    const struct audit_event small = {.action = AUDIT_ACTION_SESSION_USE};
    void (*previous)(int) = signal(SIGXFSZ, SIG_IGN);
    struct audit *audit = open_log();

    limit_file_size(size_of_log());
    ck_assert_int_eq(audit_write(audit, &small), MIGUARD_AUDIT_FAILED);
    limit_file_size(size_of_log() + 1000); /* room for about one */
    ck_assert_int_eq(audit_write(audit, &small), MIGUARD_AUDIT_FAILED);
    limit_file_size(-1);
    ck_assert_int_eq(audit_write(audit, &small), MIGUARD_OK);
    audit_close(audit);
    signal(SIGXFSZ, previous);

    struct log log = read_log();
    json_int_t lost = 0;
    json_t *record;
    size_t i;
    json_array_foreach(log.records, i, record)
    {
        lost += number_in(record, "miguard.lost.count");
    }
    ck_assert_int_eq(lost, 2);
    ck_assert_uint_eq(json_array_size(log.records), 4); /* start, gap, gap, the last */
    ck_assert_uint_eq(check_sequences(&log), 1);
    release_log(&log);
}
END_TEST

START_TEST(log_that_cannot_be_started_is_no_log)
{
    void (*previous)(int) = signal(SIGXFSZ, SIG_IGN);
    limit_file_size(0);
    (void)refusal_of(path, MIGUARD_AUDIT_FAILED);
    limit_file_size(-1);
    signal(SIGXFSZ, previous);
}
END_TEST

/* In a mount namespace of its own. 0: all well, 2: not possible here, else the failing line. */
static int on_a_full_disk(void)
{
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    char filler[128];
    static char block[4096];
    unsigned lost = 0;
    struct audit *audit = NULL;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
        return 2;
    }
    if (audit_open(path, &audit, NULL) != MIGUARD_OK) {
        return 3;
    }
    snprintf(filler, sizeof(filler), "%s/filler", folder);
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof(block)) > 0) {
    }
    close(fd);
    for (int i = 0; i < 100 && lost < 5; i++) {
        lost += audit_write(audit, &event) == MIGUARD_AUDIT_FAILED;
    }
    if (lost != 5 || unlink(filler) != 0 || audit_write(audit, &event) != MIGUARD_OK) {
        return 4;
    }
    audit_close(audit);
    struct log log = read_log();
    size_t count = json_array_size(log.records);
    if (number_in(json_array_get(log.records, count - 2), "miguard.lost.count") != 5 ||
        check_sequences(&log) != 1 || log.broken > 1) {
        return 5;
    }
    release_log(&log);
    return 0;
}

START_TEST(full_disk)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(on_a_full_disk());
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        printf("skip: a full disk: no tmpfs can be mounted here\n");
        return;
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, make_folder, remove_folder);
    tcase_add_test(records, start_record);
    tcase_add_test(records, refusal_record);
    tcase_add_test(records, every_action_and_reason);
    tcase_add_test(records, schema_lists_the_names_of_the_source);
    tcase_add_test(records, reopening_appends);
    tcase_add_loop_test(records, quoted_text_cannot_forge_a_line, 0, LENGTH(hostile));
    suite_add_tcase(suite, records);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, other_than_regular_files_are_refused);
    tcase_add_test(files, missing_parent_is_made_once);
    suite_add_tcase(suite, files);
    TCase *writers = tcase_create("writers");
    tcase_set_timeout(writers, 120);
    tcase_add_checked_fixture(writers, make_folder, remove_folder);
    tcase_add_test(writers, threads_share_one_sequence);
    tcase_add_loop_test(writers, processes_share_one_file, 0, 2);
    tcase_add_test(writers, forked_child_writes_under_its_own_name);
    suite_add_tcase(suite, writers);
    TCase *losses = tcase_create("losses");
    tcase_add_checked_fixture(losses, make_folder, remove_folder);
    tcase_add_loop_test(losses, lost_records_are_counted, 0, LENGTH(room));
    tcase_add_test(losses, loss_right_behind_a_gap_record);
    tcase_add_test(losses, log_that_cannot_be_started_is_no_log);
    tcase_add_test(losses, full_disk);
    suite_add_tcase(suite, losses);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
