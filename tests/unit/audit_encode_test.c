/* SPDX-License-Identifier: MIT */
/*
 * What the encoder writes: byte for byte, as readers in other programs and the chain depend on it
 * (a change of tests/data/audit-records.jsonl is a change of the format), and each member of the
 * list in model/record_fields.h.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <jansson.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/encode.h"
#include "audit/memory.h"
#include "miguard/guard.h"
#include "model/event.h"
#include "model/record_fields.h"
#include "model/record_limits.h"
#include "tools/review/record.h"
#include "tools/review/record_expand.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define GOLDEN        "tests/data/audit-records.jsonl"
#define GOLDEN_1      "tests/data/audit-records-1.jsonl"
#define GOLDEN_2      "tests/data/audit-records-2.jsonl"

enum { ROOT_SIZE = 2000, USER_SIZE = 1200 };

/* 2026-03-01T12:34:56.789012Z */
static const int64_t time_of_all = 1772368496789012345;

/* ---- events ---------------------------------------------------------------------------------- */

static gid_t groups[] = {4, 100};
static char label[] = "unconfined";
static const struct miguard_identity bound = {
    .tag = IDENTITY_TAG,
    .known = MIGUARD_COMPONENTS_ALL,
    .group_count = 2,
    .groups = groups,
    .cap = {[IDENTITY_CAP_EFFECTIVE] = 5, [IDENTITY_CAP_BOUNDING] = 7},
    .cap_count = 3,
    .securebits = 1,
    .user_namespace = 4026531837,
    .lsm_label = label,
};
static const struct miguard_identity current = {
    .tag = IDENTITY_TAG,
    .known = MIGUARD_COMPONENTS_ALL,
    .uid = {4000000001, 4000000002, 4000000003, 4000000002},
    .gid = {4000000004, 4000000005, 4000000006, 4000000005},
    .cap_count = 3,
    .no_new_privs = 1,
    .user_namespace = 4026531838,
};
static const struct audit_keys keys = {
    .length = 22, .omitted = 2, .items = "Handle=17\0Name=a%3Db\"c"};
static const struct audit_last_switch last_switch = {(const void *)(uintptr_t)getenv,
                                                     1772368490000001000};
static const struct audit_lost lost = {
    .sink = "file",
    .count = 5,
    .by_cause = {[AUDIT_LOSS_NO_SPACE] = 2, [AUDIT_LOSS_CRASH] = 3},
    .first = 1,
    .last = 1800000000000000000,
    .first_sequence = 7,
    .last_sequence = 9,
    .total = 6,
};
static const struct audit_lost lost_unnumbered = {
    .sink = "syslog", .count = 1, .by_cause = {[AUDIT_LOSS_UNREACHABLE] = 1}, .total = 1};
static const struct audit_rotated rotated = {"audit.jsonl.000000001", 2,    77, 1,
                                             "audit.jsonl.9",         12350};
static const struct audit_rotated rotated_plain = {.previous = "audit.jsonl.000000002"};
static const struct audit_space space = {"low", 4294967296, 91};
static const struct audit_tally tally = {3, 1};
static const struct audit_set_aside set_aside = {"content", "lost", "audit.jsonl.state.damaged-2"};

/* No event of the library has all of it at once; the encoder asks for none of that. */
static struct audit_event everything(void)
{
    return (struct audit_event){
        .action = AUDIT_ACTION_SESSION_USE,
        .reason = AUDIT_REASON_IDENTITY_MISMATCH,
        .denied = true,
        .would_deny = true,
        .operation = OPERATION_INVOKE,
        .provider = "libweb.so",
        .name_space = "root/cimv2",
        .class_name = "CIM_Process",
        .method = "Terminate",
        .keys = &keys,
        .context_id = 0x100000001,
        .session_id = UINT64_MAX,
        .operation_id = 3,
        .bound = &bound,
        .current = &current,
        .mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_GROUPS,
        .unreadable = MIGUARD_COMPONENT_LSM_LABEL,
        .rule = "web",
        .rule_source = "/etc/miguard/policy.d/web.yaml:12:5",
        .rule_reason = "web providers may only \"read\"\n",
        .call_site = (const void *)(uintptr_t)getenv,
        .last_switch = &last_switch,
        .attempt = "become 33:33",
        .lost = &lost,
        .rotated = &rotated,
        .space = &space,
        .tally = &tally,
        .set_aside = &set_aside,
        .policy_detail = "/etc/miguard/policy.d/web.yaml",
        .policy_hash = "6ab1",
        .policy_path = "/etc/miguard/policy.d",
    };
}

static struct identity_process writer(void)
{
    return (struct identity_process){
        .pid = 4711, .loginuid = 1000, .executable = "/usr/sbin/omiserver"};
}

static struct audit_stamp stamp_of(const struct identity_process *process)
{
    return (struct audit_stamp){.entity = 0x0123456789abcdef,
                                .number = 42,
                                .process = process,
                                .host_name = "host.example",
                                .boot_id = "3d0f6a2e-0000-4000-8000-000000000000"};
}

static const struct audit_place chained = {
    .sequence = 17, .chain_id = 0xfeed, .epoch = 3, .previous = "00ff", .repeats = 1};
static const struct audit_place repeated = {.sequence = 18,
                                            .chain_id = 0xfeed,
                                            .epoch = 3,
                                            .previous = "00ff",
                                            .repeats = 250,
                                            .first = 1772368490000000000,
                                            .last = 1772368496000000000};
static const struct audit_place no_file = {.repeats = 1};

static void encode(struct text *line, const struct audit_event *event,
                   const struct audit_stamp *stamp, const struct audit_place *place)
{
    char id[AUDIT_ID_SIZE];

    audit_id(stamp, id);
    audit_encode_body(line, event, stamp);
    audit_set_time(line->data, line->length, time_of_all);
    audit_encode_tail(line, event, id, place);
    if (place->chain_id != 0) {
        text_append(line, "c0de" AUDIT_LINE_END);
    } else {
        text_append(line, &AUDIT_LINE_END[1]);
    }
    ck_assert(!line->failed);
}

/* ---- as they always were --------------------------------------------------------------------- */

/* What differs from build to build: where the call came from, and the version. */
static void mask(struct text *line)
{
    static const char *const before[] = {"\"module\":\"", "\"offset\":\"", "\"symbol\":\"",
                                         "\"observer\":{\"version\":\""};
    struct text masked = TEXT_EMPTY;

    for (const char *at = line->data; *at != '\0';) {
        size_t length = 0;
        for (int i = 0; i < LENGTH(before) && length == 0; i++) {
            length = strncmp(at, before[i], strlen(before[i])) == 0 ? strlen(before[i]) : 0;
        }
        text_append_bytes(&masked, at, length > 0 ? length : 1);
        at += length > 0 ? length + strcspn(at + length, "\"") : 1;
        text_append(&masked, length > 0 ? "*" : "");
    }
    text_release(line);
    *line = masked;
}

static void add(struct text *all, const struct audit_event *event, const struct audit_place *place)
{
    const struct identity_process process = writer();
    const struct audit_stamp stamp = stamp_of(&process);
    struct audit_event of_thread = *event;
    struct text line = TEXT_EMPTY;

    of_thread.tid = 5000000; /* above any pid_max: its name and keyring are left out */
    encode(&line, &of_thread, &stamp, place);
    mask(&line);
    text_append(all, line.data);
    text_append(all, "\n");
    text_release(&line);
}

/* Each action, allowed and refused, with the reason of its number and what only it has. */
static void add_actions(struct text *all)
{
#define ONE(...) +1
    enum { ACTIONS = 0 AUDIT_ACTION_MAP(ONE) };
    for (int i = 0; i < 2 * ACTIONS; i++) {
        enum audit_action action = (enum audit_action)(i / 2);
        const struct audit_event event = {
            .action = action,
            .reason = (enum audit_reason)(i % AUDIT_REASON_COUNT),
            .denied = i % 2 == 1,
            .would_deny = i % 4 == 0,
            .operation = (enum operation)(i % OPERATION_BIND), /* those of MI */
            .bound = i % 3 == 0 ? &bound : NULL,
            .current = i % 3 == 0 ? NULL : &current,
            .lost = action == AUDIT_ACTION_RECORDS_LOST ? &lost_unnumbered : NULL,
            .rotated = action == AUDIT_ACTION_AUDIT_ROTATE ? &rotated_plain : NULL,
            .space = action == AUDIT_ACTION_AUDIT_SPACE ? &space : NULL,
            .tally = action == AUDIT_ACTION_AUDIT_STOP ? &tally : NULL,
            .set_aside = action == AUDIT_ACTION_STATE_SET_ASIDE ? &set_aside : NULL,
        };
        add(all, &event, i % 5 == 0 ? &no_file : &chained);
    }
}

/* Values that are cut, and ones that were cut before. */
static void add_long_ones(struct text *all)
{
    static char large[AUDIT_MAX_DETAIL + 100];
    struct audit_event event = everything();

    memset(large, 'x', sizeof(large) - 1);
    event.provider = event.name_space = event.class_name = event.method = large;
    event.rule = event.rule_source = event.rule_reason = event.attempt = large;
    event.policy_detail = event.policy_path = large;
    add(all, &event, &chained);
    event.kept = true;
    add(all, &event, &chained);
}

static struct audit_event own_action(void)
{
    return (struct audit_event){.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_POLICY,
                                .denied = true,
                                .operation = OPERATION_ACTION,
                                .provider = "fileserver",
                                .action_name = "upload",
                                .resource = "/srv/caf\xC3\xA9",
                                .object = "inode 17 \"x\""};
}

/* A daemon's: the opening, an action, one without a name, and texts that are cut though the names
 * beside them were cut before. */
static void add_own_actions(struct text *all)
{
    static char large[AUDIT_MAX_TEXT + 100];
    struct audit_event event = own_action();
    const struct audit_event opening = {.action = AUDIT_ACTION_SESSION_OPEN,
                                        .reason = AUDIT_REASON_IDENTITY_MATCH,
                                        .operation = OPERATION_BIND,
                                        .provider = "fileserver",
                                        .object = "connection 3"};

    add(all, &opening, &chained);
    add(all, &event, &chained);
    event.action_name = "";
    event.resource = "/srv/\xFF";
    add(all, &event, &chained);
    memset(large, 'x', sizeof(large) - 1);
    event.kept = true;
    event.action_name = event.resource = event.object = large;
    add(all, &event, &chained);
}

/* A switch to the peer of a socket, whose process may not be visible and which may have no label.
 */
static void add_peers(struct text *all)
{
    static const struct {
        pid_t pid;
        const char *label;
    } peers[] = {{815, "system_u:system_r:ftpd_t:s0"}, {815, NULL}, {0, "unconfined\n\xFF"}};

    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        const struct audit_event event = {.action = AUDIT_ACTION_SWITCH,
                                          .bound = &bound,
                                          .current = &current,
                                          .peer_pid = peers[i].pid,
                                          .peer_label = peers[i].label};
        add(all, &event, &chained);
    }
}

static char *read_golden(const char *name)
{
    size_t length = 0;
    char *text = NULL;
    FILE *file = fopen(name, "r");

    ck_assert_msg(file != NULL, "%s: %s (tests run in the top folder)", name, strerror(errno));
    ssize_t got = getdelim(&text, &length, '\0', file);
    fclose(file);
    ck_assert_int_gt(got, 0);
    return text;
}

/* WRITE_GOLDEN=1 takes over what is made, for a change of the format on purpose: git diff shows it.
 */
static void write_golden(const char *made)
{
    FILE *file = fopen(GOLDEN, "w");

    ck_assert(file != NULL && fputs(made, file) >= 0 && fclose(file) == 0);
}

static void compare_lines(const char *made, const char *golden)
{
    for (unsigned number = 1; *made != '\0' || *golden != '\0'; number++) {
        size_t length = strcspn(made, "\n"), wanted = strcspn(golden, "\n");
        size_t same = 0;
        while (same < length && made[same] == golden[same]) {
            same++;
        }
        ck_assert_msg(length == wanted && same == length,
                      "line %u of %s is now, from byte %zu on, %.60s and was %.60s", number, GOLDEN,
                      same, made + same, golden + same);
        made += length + (made[length] == '\n');
        golden += wanted + (golden[wanted] == '\n');
    }
}

START_TEST(records_are_what_they_always_were)
{
    struct text all = TEXT_EMPTY;
    const struct audit_event full = everything(), none = {.action = AUDIT_ACTION_AUDIT_START};

    add(&all, &full, &repeated);
    add(&all, &none, &no_file);
    add_actions(&all);
    add_long_ones(&all);
    add_own_actions(&all);
    add_peers(&all);
    ck_assert(!all.failed);
    if (getenv("WRITE_GOLDEN") != NULL) {
        write_golden(all.data);
    }
    char *golden = read_golden(GOLDEN);
    compare_lines(all.data, golden);
    free(golden);
    text_release(&all);
}
END_TEST

/* What readers make of a record is what format 1 had, value by value. GOLDEN_1 was written by the
 * last version with that format; it has no newer kinds of records. */
static json_t *expanded(const char *line, size_t length)
{
    struct text text = TEXT_EMPTY;
    struct record record, full;
    size_t fault;

    ck_assert_ptr_null(record_parse(line, length, &record, &fault));
    ck_assert(record_expand(&record, &text, &full));
    ck_assert_msg(full.line != line, "left as it is: %.*s", (int)length, line);
    json_t *made = json_loadb(full.line, full.length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(made);
    ck_assert_int_eq(json_object_del(json_object_get(made, "miguard"), "format"), 0);
    text_release(&text);
    return made;
}

START_TEST(the_full_form_is_that_of_format_1)
{
    char *now = read_golden(GOLDEN), *then = read_golden(GOLDEN_1), *at = now;
    unsigned found = 0;

    for (char *line = strtok(then, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *wanted = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        bool same = false;
        while (!same && *at != '\0') {
            json_t *made = expanded(at, strcspn(at, "\n"));
            same = json_equal(made, wanted);
            json_decref(made);
            at += strcspn(at, "\n") + 1;
        }
        ck_assert_msg(same, "not made again: %s", line);
        found++;
        json_decref(wanted);
    }
    ck_assert_uint_gt(found, 40);
    free(now);
    free(then);
}
END_TEST

/* Of the same events, byte by byte: GOLDEN_2 was written by the last version with format 2, and has
 * the same lines as GOLDEN. */
START_TEST(the_full_form_is_that_of_format_2)
{
    char *now = read_golden(GOLDEN), *then = read_golden(GOLDEN_2), *at = now, *old = then;
    unsigned lines = 0;

    for (; *at != '\0' && *old != '\0'; lines++) {
        struct text texts[2] = {TEXT_EMPTY, TEXT_EMPTY};
        struct record record, made, wanted;
        size_t length = strcspn(at, "\n"), old_length = strcspn(old, "\n"), fault;
        ck_assert_ptr_null(record_parse(at, length, &record, &fault));
        ck_assert(record_expand(&record, &texts[0], &made));
        ck_assert_ptr_null(record_parse(old, old_length, &record, &fault));
        ck_assert(record_expand(&record, &texts[1], &wanted));
        ck_assert_msg(made.line != at && wanted.line != old, "line %u is left as it is", lines + 1);
        ck_assert_msg(made.length == wanted.length &&
                          memcmp(made.line, wanted.line, made.length) == 0,
                      "line %u is now\n%.*s\nand was\n%.*s", lines + 1, (int)made.length, made.line,
                      (int)wanted.length, wanted.line);
        text_release(&texts[0]);
        text_release(&texts[1]);
        at += length + 1;
        old += old_length + 1;
    }
    ck_assert_int_eq(*at | *old, '\0');
    ck_assert_uint_gt(lines, 40);
    free(now);
    free(then);
}
END_TEST

static void expect_identity(const struct slice *found, const struct miguard_identity *identity)
{
    struct text wanted = TEXT_EMPTY;

    text_json_open(&wanted, NULL, '{');
    identity_write_json(&wanted, identity, false);
    text_json_close(&wanted, '}');
    ck_assert_uint_eq(found->length, wanted.length);
    ck_assert_int_eq(strncmp(found->at, wanted.data, wanted.length), 0);
    text_release(&wanted);
}

/* A switch does not know all of a thread, and what it knows may differ before and after. */
START_TEST(what_is_not_known_is_not_given)
{
    static const miguard_components unknown[][2] = {
        {MIGUARD_COMPONENT_GROUPS | MIGUARD_COMPONENT_RUID, 0},
        {0, MIGUARD_COMPONENT_LSM_LABEL | MIGUARD_COMPONENT_FSGID},
        {MIGUARD_COMPONENT_LSM_LABEL | MIGUARD_COMPONENT_SUID,
         MIGUARD_COMPONENT_GROUPS | MIGUARD_COMPONENT_SGID},
        {MIGUARD_COMPONENT_CAP_BOUNDING, MIGUARD_COMPONENT_CAP_BOUNDING},
    };
    const struct identity_process process = writer();
    const struct audit_stamp stamp = stamp_of(&process);
    struct miguard_identity before = bound, after = _i < 4 ? current : bound;
    struct audit_event event = {.action = AUDIT_ACTION_SWITCH, .bound = &before, .current = &after};
    struct text line = TEXT_EMPTY, text = TEXT_EMPTY;
    struct record record, full;
    size_t fault;

    before.known &= ~unknown[_i % 4][0];
    after.known &= ~unknown[_i % 4][1];
    encode(&line, &event, &stamp, &chained);
    ck_assert_ptr_null(record_parse(line.data, line.length, &record, &fault));
    ck_assert(record_expand(&record, &text, &full));
    expect_identity(&full.field[RECORD_CRED_BOUND], &before);
    expect_identity(&full.field[RECORD_CRED_CURRENT], &after);
    text_release(&line);
    text_release(&text);
}
END_TEST

/* The time that a writer compares is the one that a reader finds. */
START_TEST(a_time_is_read_back)
{
    static const char *const wrong[] = {
        "{\"@timestamp\":\"2026-01-02T03:04:05.678901z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02 03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T03:04:05.67890 Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T03:04:05,678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-13-02T03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-00-02T03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-00T03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-32T03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T24:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T03:60:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T03:04:61.678901Z\",\"a\":1",
        "{\"@timestamq\":\"2026-01-02T03:04:05.678901Z\",\"a\":1",
        "{\"@timestamp\":\"2026-01-02T03:04:05.678901Z",
        "{\"@timestamp\":\"20",
        "",
    };
    char body[] = "{\"@timestamp\":\"2026-01-02T03:04:05.678901Z\",\"a\":1";
    uint64_t random = 1;
    int64_t found = 0, read = 0;

    for (int i = 0; i < 20000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        audit_set_time(body, sizeof(body) - 1, (int64_t)(random >> 1));
        const char *text = audit_time_text(body, sizeof(body) - 1);
        ck_assert_ptr_eq(text, body + 15);
        ck_assert(audit_time_parse(text, &found));
        if (record_parse_time(body + 15, 27, &read)) { /* to the year 2261 */
            ck_assert_int_eq(found, read / 1000);
        }
        ck_assert_int_eq(found, (int64_t)(random >> 1) / 1000);
    }
    for (int i = 0; i < LENGTH(wrong); i++) {
        const char *text = audit_time_text(wrong[i], strlen(wrong[i]));
        ck_assert_msg(text == NULL || (i > 1 && !audit_time_parse(text, &found)), "%s", wrong[i]);
    }
}
END_TEST

/* Old lines and what is not in the form are given as they are. */
START_TEST(other_records_stay_as_they_are)
{
#define BEFORE "{\"message\":\"m\",\"miguard\":"
#define BEHIND ",\"event\":{\"id\":\"1\"}}"
    static const char *const lines[] = {
        BEFORE "{\"cred\":{\"bound\":{\"uid\":1}}}" BEHIND,
        BEFORE "{\"format\":1,\"cred\":{\"bound\":{\"uid\":1}}}" BEHIND,
        BEFORE "{\"format\":4,\"cred\":{\"bound\":{\"uid\":1}}}" BEHIND,
        BEFORE "{\"cred\":{\"bound\":{\"uid\":1}},\"format\":2}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":[]}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"uid\":[1,2,3]}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"uid\":[1,2,3,4,5]}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"uid\":4294967296}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"uid\":-1}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"cap-bounding\":\"1\"}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"cap-bounding\":\"000000000000000g\"}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"groups\":{\"a\":1}}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"groups\":[\"x\"]}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"groups\":[1],\"groups\":[1]}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"lsm-label\":7}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"unknown\":[\"x\"]}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":{\"x\":1}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"differs\":{\"uid\":1}}}" BEHIND,
        BEFORE "{\"format\":2,\"cred\":{\"bound\":[]}}" BEHIND,
    };
    struct text text = TEXT_EMPTY;
    struct record record, full;
    size_t fault;

    ck_assert_ptr_null(record_parse(lines[_i], strlen(lines[_i]), &record, &fault));
    ck_assert(record_expand(&record, &text, &full));
    ck_assert_ptr_eq(full.line, lines[_i]);
    ck_assert_uint_eq(full.length, strlen(lines[_i]));
    text_release(&text);
}
END_TEST

/* Of root on a system with 41 capabilities, and of a user, with every part that a refusal can
 * have. */
static size_t size_of_refusal(uid_t owner, uint64_t caps, bool differs, uint64_t since)
{
    static const struct audit_last_switch switched = {(const void *)(uintptr_t)getenv, 1};
    gid_t of_user[] = {owner, 27, 100};
    struct miguard_identity first = {.tag = IDENTITY_TAG,
                                     .known = MIGUARD_COMPONENTS_ALL,
                                     .uid = {owner, owner, owner, owner},
                                     .gid = {owner, owner, owner, owner},
                                     .group_count = owner != 0 ? 3 : 0,
                                     .groups = of_user,
                                     .cap = {caps, caps, 0, 0, (UINT64_C(1) << 41) - 1},
                                     .user_namespace = 4026531837};
    struct miguard_identity second = first;
    struct identity_process process = writer();
    const struct audit_stamp stamp = stamp_of(&process);
    struct audit_event event = everything();
    struct text line = TEXT_EMPTY;
    struct audit_place place = chained;

    /* The first thread of a program, which has the name of its file. */
    process.pid = gettid();
    ck_assert_int_eq(prctl(PR_SET_NAME, "omiserver"), 0);

    second.uid[IDENTITY_FS] = second.uid[IDENTITY_E] = differs ? 65534 : owner;
    second.cap[IDENTITY_CAP_EFFECTIVE] = 0;
    event.bound = &first;
    event.current = &second;
    event.mismatch =
        differs ? MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID | MIGUARD_COMPONENT_CAP_EFFECTIVE
                : 0;
    event.unreadable = 0;
    event.last_switch = differs ? &switched : NULL;
    event.would_deny = false;
    event.operation = OPERATION_GET_INSTANCE;
    event.method = NULL;
    event.attempt = event.policy_detail = event.policy_hash = event.policy_path = NULL;
    event.lost = NULL;
    event.rotated = NULL;
    event.space = NULL;
    event.tally = NULL;
    event.set_aside = NULL;
    place.since = since;
    place.late_ms = 60000;
    place.previous = "00000000000000000000000000000000000000000000000000000000000000ff";
    encode(&line, &event, &stamp, &place);
    size_t size = line.length + 60; /* of the hash */
    text_release(&line);
    return size;
}

/* The path of this program, which is as long as the folder of the build, stands in them twice. */
#ifdef __x86_64__
enum { FOR_PATHS = 0 };
#else
enum { FOR_PATHS = 100 };
#endif

START_TEST(records_are_short)
{
    enum { EVERY = RECORD_ORDER_EVERY };
    const uint64_t caps = (UINT64_C(1) << 41) - 1, since = 1000000;
    size_t root =
        ((EVERY - 1) * size_of_refusal(0, caps, true, 0) + size_of_refusal(0, caps, true, since)) /
        EVERY;
    size_t user = ((EVERY - 1) * size_of_refusal(1000, 0, false, 0) +
                   size_of_refusal(1000, 0, false, since)) /
                  EVERY;

    ck_assert_msg(root <= ROOT_SIZE + FOR_PATHS, "a refusal of root's session takes %zu bytes",
                  root);
    ck_assert_msg(user <= USER_SIZE + FOR_PATHS, "a refusal of a user's session takes %zu bytes",
                  user);
}
END_TEST

/* As printf(3) has it, at both ends of each length. */
START_TEST(each_number_is_decimal)
{
    const struct identity_process process = writer();
    const struct audit_stamp stamp = stamp_of(&process);
    const struct audit_event event = own_action();
    struct audit_place place = chained;
    uint64_t ten = 1;

    for (int i = 0; i < 20; i++, ten *= 10) {
        const uint64_t numbers[] = {ten, ten + ten / 7, ten - 1, UINT64_MAX};
        for (int k = 0; k < LENGTH(numbers); k++) {
            struct text line = TEXT_EMPTY;
            char expected[64];
            place.sequence = numbers[k];
            snprintf(expected, sizeof(expected), "\"sequence\":%llu,",
                     (unsigned long long)place.sequence);
            encode(&line, &event, &stamp, &place);
            ck_assert_msg(place.sequence == 0 || strstr(line.data, expected) != NULL, "%s in %s",
                          expected, line.data);
            text_release(&line);
        }
    }
}
END_TEST

/* The encoder copies them as they are. */
START_TEST(own_words_need_no_escape)
{
    for (int i = 0; i < AUDIT_ACTION_COUNT; i++) {
        ck_assert(text_is_plain(audit_actions[i].name, strlen(audit_actions[i].name)));
    }
    for (int i = 0; i < AUDIT_REASON_COUNT; i++) {
        ck_assert(text_is_plain(audit_reasons[i].name, strlen(audit_reasons[i].name)));
    }
    for (int i = 0; i < AUDIT_LOSS_COUNT; i++) {
        ck_assert(text_is_plain(audit_losses[i].name, strlen(audit_losses[i].name)));
    }
    ck_assert(text_is_plain(MIGUARD_VERSION, strlen(MIGUARD_VERSION)));
}
END_TEST

/* Two that differ only behind the cut stay two in the record. */
START_TEST(cut_texts_stay_different)
{
    static char one[AUDIT_MAX_TEXT + 100], other[sizeof(one)];
    const struct identity_process process = writer();
    const struct audit_stamp stamp = stamp_of(&process);
    struct audit_event event = own_action();
    struct text lines[2] = {TEXT_EMPTY, TEXT_EMPTY};

    memset(one, 'x', sizeof(one) - 1);
    memcpy(other, one, sizeof(one));
    other[sizeof(other) - 2] = 'y';
    event.resource = _i == 0 ? one : "/srv/a";
    event.object = _i == 1 ? one : NULL;
    encode(&lines[0], &event, &stamp, &chained);
    event.resource = _i == 0 ? other : "/srv/a";
    event.object = _i == 1 ? other : NULL;
    encode(&lines[1], &event, &stamp, &chained);
    ck_assert_str_ne(lines[0].data, lines[1].data);
    ck_assert_uint_lt(lines[0].length, 2 * AUDIT_MAX_TEXT + 1000);
    text_release(&lines[0]);
    text_release(&lines[1]);
}
END_TEST

/* ---- every member of the list ---------------------------------------------------------------- */

/* A current identity is written alone where none is bound, and what differs where one is; real and
 * saved ids where they differ from the effective ones. */
static void encode_everything(struct text *line, bool alone, bool by_gate)
{
    struct identity_process process = writer();
    struct audit_event event = everything();
    struct miguard_identity with_names = bound;

    process.start_time = 1;
    with_names.uid[IDENTITY_R] = with_names.uid[IDENTITY_S] = 1;
    with_names.gid[IDENTITY_R] = with_names.gid[IDENTITY_S] = 1;
    event.current = &with_names;
    event.bound = alone ? NULL : &bound;
    event.resource = "/srv/a";
    event.object = "inode 17";
    event.peer_pid = 815;
    event.peer_label = "ftpd_t";
    event.varied = true;
    event.action = by_gate ? AUDIT_ACTION_GATE : event.action;
    const struct audit_stamp stamp = stamp_of(&process);
    struct audit_place place = repeated;
    place.since = 3;
    place.late_ms = 60000;
    encode(line, &event, &stamp, &place);
}

static bool is_of_type(const struct slice *value, enum record_type type)
{
    static const char first[] = {
        [RECORD_TYPE_TEXT] = '"',    [RECORD_TYPE_TIME] = '"',  [RECORD_TYPE_ID] = '"',
        [RECORD_TYPE_DECIMAL] = '"', [RECORD_TYPE_TRUE] = 't',  [RECORD_TYPE_LIST] = '[',
        [RECORD_TYPE_OPEN] = '{',    [RECORD_TYPE_OBJECT] = '{'};

    if (type == RECORD_TYPE_NUMBER) {
        return value->at[strspn(value->at, "0123456789")] != *value->at;
    }
    return *value->at == first[type] && (type != RECORD_TYPE_ID || value->length == 18) &&
           (type != RECORD_TYPE_TIME || value->length == 29);
}

/* Written by the encoder and found by the reader; or the line says which of them lacks it. */
START_TEST(each_field_is_written_and_read)
{
    const char *path = record_fields[_i].path;
    struct text line = TEXT_EMPTY, text = TEXT_EMPTY;
    struct identity_thread thread;
    struct record record, full;
    size_t offset = 0;

    encode_everything(&line, _i == RECORD_CRED_CURRENT, _i == RECORD_SITE_BUILD);
    identity_read_thread(&thread);
    ck_assert_ptr_null(record_parse(line.data, line.length, &record, &offset));
    ck_assert(record_expand(&record, &text, &full));
    ck_assert_ptr_ne(full.line, line.data);
    /* what differs is in the short form alone, and repeat.c adds the samples */
    const struct slice *value = _i == RECORD_CRED_DIFFERS ? &record.field[_i] : &full.field[_i];
    if (_i == RECORD_SAMPLES) {
        ck_assert_ptr_null(value->at);
    } else if (_i == RECORD_SESSION_KEYRING && thread.session_keyring == 0) {
        printf("skip: %s: the thread has no session keyring\n", path);
        ck_assert_ptr_null(value->at);
    } else {
        ck_assert_msg(value->at != NULL, "%s is not in the record", path);
        ck_assert_msg(is_of_type(value, record_fields[_i].type), "%s is of another type: %.*s",
                      path, (int)value->length, value->at);
    }
    text_release(&text);
    text_release(&line);
}
END_TEST

static void *read_own_thread(void *ret_thread)
{
    struct identity_thread twice[2];

    identity_read_thread(&twice[0]);
    identity_read_thread(&twice[1]);
    *(bool *)ret_thread =
        twice[0].tid == (pid_t)syscall(SYS_gettid) && twice[1].tid == twice[0].tid;
    return NULL;
}

/* The number is kept for a thread: neither another thread nor a forked child has it. */
START_TEST(each_thread_has_its_own_number)
{
    bool own = false;
    pthread_t thread;
    int status = -1;

    read_own_thread(&own);
    ck_assert(own);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_own_thread, &own), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(own);
    const pid_t child = fork();
    if (child == 0) {
        read_own_thread(&own);
        _exit(own ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* The reader finds members by their names, people by the path. */
START_TEST(each_path_ends_in_the_name)
{
    const char *path = record_fields[_i].path, *dot = strrchr(path, '.');
    ck_assert_str_eq(dot != NULL ? dot + 1 : path, record_fields[_i].name);
}
END_TEST

static enum record_field field_of(const char *path)
{
    enum record_field field = 0;

    while (field < RECORD_FIELD_COUNT && strcmp(record_fields[field].path, path) != 0) {
        field++;
    }
    return field;
}

/* The properties of a value in the schema, also where it is a "$ref" to "#/$defs/NAME". */
static json_t *properties_of(json_t *schema, json_t *value)
{
    const char *ref = json_string_value(json_object_get(value, "$ref"));

    if (ref != NULL) {
        value = json_object_get(json_object_get(schema, "$defs"), strrchr(ref, '/') + 1);
    }
    return json_object_get(value, "properties");
}

static void mark_described(json_t *schema, json_t *value, const char *path, bool *described)
{
    const char *key;
    json_t *below;

    json_object_foreach(properties_of(schema, value), key, below)
    {
        char whole[256];
        snprintf(whole, sizeof(whole), "%s%s%s", path, *path != '\0' ? "." : "", key);
        enum record_field field = field_of(whole);
        ck_assert_msg(field != RECORD_FIELD_COUNT, "%s is in the schema alone", whole);
        described[field] = true;
        if (record_fields[field].type == RECORD_TYPE_OBJECT) {
            mark_described(schema, below, whole, described);
        }
    }
}

START_TEST(schema_describes_each_field)
{
    bool described[RECORD_FIELD_COUNT] = {false};
    json_error_t error;
    json_t *schema = json_load_file("tests/data/audit-record.schema.json", 0, &error);

    ck_assert_msg(schema != NULL, "%s", error.text);
    mark_described(schema, schema, "", described);
    for (enum record_field i = 0; i < RECORD_FIELD_COUNT; i++) {
        ck_assert_msg(described[i], "%s is not in the schema", record_fields[i].path);
    }
    json_decref(schema);
}
END_TEST

/* ---- pieces that are kept ---------------------------------------------------------------------
 */

static struct audit_memory memory;

/* Twice: what was kept before is asked for, and then what was kept now. */
static void expect_as_anew(const struct audit_event *event)
{
    const struct identity_process process = writer();
    struct text kept = TEXT_EMPTY, anew = TEXT_EMPTY;
    struct audit_stamp stamp = stamp_of(&process);

    stamp.now = time_of_all;
    audit_encode_body(&anew, event, &stamp);
    stamp.memory = &memory;
    for (int i = 0; i < 2; i++) {
        text_clear(&kept);
        audit_encode_body(&kept, event, &stamp);
        ck_assert_str_eq(kept.data, anew.data);
    }
    text_release(&kept);
    text_release(&anew);
}

/* Each pair of identities and of sites, one after another with the same memory. */
START_TEST(a_kept_piece_is_as_one_made_anew)
{
    static gid_t many[KNOWN_GROUPS + 1];
    static const char outside[] = "in a module";
    const int stack = 0; /* in none */
    struct miguard_identity other = current, large = bound, unknown = bound, closed = bound;
    const struct miguard_identity *const identities[] = {NULL,   &bound,   &current, &other,
                                                         &large, &unknown, &closed};
    const void *const sites[] = {NULL, (const void *)(uintptr_t)getenv,
                                 (const void *)(uintptr_t)expect_as_anew, outside, &stack};

    other.cap[IDENTITY_CAP_AMBIENT] = 1;
    large.groups = many;
    large.group_count = KNOWN_GROUPS + 1;
    unknown.known &= ~(miguard_components)MIGUARD_COMPONENT_LSM_LABEL;
    closed.tag = 0;
    ck_assert(chain_init());
    memory_init(&memory);
    for (int i = 0; i < LENGTH(identities) * LENGTH(identities); i++) {
        const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                          .bound = identities[i / LENGTH(identities)],
                                          .current = identities[i % LENGTH(identities)]};
        expect_as_anew(&event);
    }
    for (int i = 0; i < 4 * LENGTH(sites) * LENGTH(sites); i++) {
        const struct audit_last_switch last = {sites[i / 4 % LENGTH(sites)], time_of_all + i};
        const struct audit_event event = {.action = i % 2 == 0 ? AUDIT_ACTION_GATE
                                                               : AUDIT_ACTION_SESSION_USE,
                                          .denied = true,
                                          .call_site = sites[i / 4 / LENGTH(sites)],
                                          .last_switch = i / 2 % 2 == 0 ? &last : NULL};
        expect_as_anew(&event);
    }
    memory_destroy(&memory);
}
END_TEST

/* Small modules of the C library, which nothing else loads. */
static void *open_module(const char *name, const void **ret_address)
{
    void *module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    struct link_map *map = NULL;

    if (module != NULL) {
        ck_assert_int_eq(dlinfo(module, RTLD_DI_LINKMAP, &map), 0);
        *ret_address = map->l_ld;
    }
    return module;
}

/* A module that was unloaded is no place of a call any more, whatever is at its address then. */
START_TEST(a_site_ends_with_its_module)
{
    static const char *const names[] = {"libBrokenLocale.so.1", "libanl.so.1", "libutil.so.1"};
    unsigned closed = 0;

    ck_assert(chain_init());
    memory_init(&memory);
    for (int i = 0; i < 4 * LENGTH(names); i++) {
        const void *address = NULL;
        void *module = open_module(names[i % LENGTH(names)], &address);
        const struct audit_last_switch last = {address, time_of_all};
        struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                    .call_site = i % 2 == 0 ? address : NULL,
                                    .last_switch = i % 2 == 1 ? &last : NULL};
        if (module == NULL) {
            continue;
        }
        expect_as_anew(&event);
        dlclose(module);
        expect_as_anew(&event);
        closed++;
    }
    memory_destroy(&memory);
    if (closed == 0) {
        printf("skip: sites of unloaded modules: none of three small libraries is there\n");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encode");
    TCase *records = tcase_create("records");

    tcase_add_test(records, a_time_is_read_back);
    tcase_add_test(records, records_are_what_they_always_were);
    tcase_add_test(records, the_full_form_is_that_of_format_1);
    tcase_add_test(records, the_full_form_is_that_of_format_2);
    tcase_add_loop_test(records, other_records_stay_as_they_are, 0, 19);
    tcase_add_loop_test(records, what_is_not_known_is_not_given, 0, 8);
    tcase_add_test(records, records_are_short);
    tcase_add_test(records, each_number_is_decimal);
    tcase_add_test(records, own_words_need_no_escape);
    tcase_add_loop_test(records, cut_texts_stay_different, 0, 2);
    tcase_add_loop_test(records, each_field_is_written_and_read, 0, RECORD_FIELD_COUNT);
    tcase_add_test(records, each_thread_has_its_own_number);
    tcase_add_loop_test(records, each_path_ends_in_the_name, 0, RECORD_FIELD_COUNT);
    tcase_add_test(records, schema_describes_each_field);
    tcase_add_test(records, a_kept_piece_is_as_one_made_anew);
    tcase_add_test(records, a_site_ends_with_its_module);
    suite_add_tcase(suite, records);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
