/* SPDX-License-Identifier: MIT */
/* The sinks beside the file, against receivers of the test's own: what arrives, what is reported
 * as lost, and what foreign code in the process can do to them. */
#include "audit/sink/sink_ops.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/sink/sink_fields.h"
#include "support/sink_record.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { BUFFER = 1 << 20 };

static char folder[64], path[96], buffer[BUFFER];
static struct sink *sink;
static const struct sink_ops *ops;
static enum audit_loss loss;
static int server = -1, stream = -1;

/* ---- a receiver ------------------------------------------------------------------------- */

static void listen_as(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    unlink(path);
    strcpy(address.sun_path, path);
    server = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(server, 0);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    if (type == SOCK_STREAM) {
        ck_assert_int_eq(listen(server, 8), 0);
    }
}

static void stop_listening(void)
{
    close(server);
    close(stream);
    server = stream = -1;
}

/* The next datagram, "" when there is none. */
static const char *receive(void)
{
    ssize_t length = recv(server, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

    buffer[length > 0 ? length : 0] = '\0';
    return buffer;
}

/* All that stands in the stream. */
static const char *receive_stream(void)
{
    size_t total = 0;
    ssize_t length;

    if (stream < 0) {
        stream = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ck_assert_int_ge(stream, 0);
    }
    while ((length = read(stream, buffer + total, sizeof(buffer) - 1 - total)) > 0) {
        total += (size_t)length;
    }
    buffer[total] = '\0';
    return buffer;
}

static void open_sink(const struct sink_ops *wanted)
{
    struct sink_settings settings = {
        .kind = wanted->kind, .path = path, .facility = 10, .enterprise = 4711};

    ops = wanted;
    ck_assert_int_eq(ops->open(&settings, &sink, NULL), MIGUARD_OK);
}

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-sinks-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(path, sizeof(path), "%s/log", folder);
    signal(SIGPIPE, SIG_DFL);
    sink = NULL;
    loss = AUDIT_LOSS_COUNT;
}

static void tear_down(void)
{
    if (sink != NULL) {
        ops->close(sink);
    }
    stop_listening();
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* An identity that takes much room in a record. The caller frees the groups. */
static struct miguard_identity many_groups(uint32_t count)
{
    struct miguard_identity identity = {.tag = IDENTITY_TAG,
                                        .known = MIGUARD_COMPONENTS_ALL,
                                        .group_count = count,
                                        .groups = calloc(count, sizeof(gid_t))};

    ck_assert_ptr_nonnull(identity.groups);
    for (uint32_t i = 0; i < count; i++) {
        identity.groups[i] = 4000000000 + i;
    }
    return identity;
}

static bool write_class(const char *class_name, uint64_t sequence)
{
    struct made_record made;

    make_record(&made, refusal(class_name), sequence);
    bool written = ops->write(sink, &made.record, &loss);
    free_record(&made);
    return written;
}

/* ---- reading RFC 5424, strictly --------------------------------------------------------- */

struct message {
    unsigned priority;
    char header[6][300]; /* TIMESTAMP HOSTNAME APP-NAME PROCID MSGID, and the SD-ID */
    json_t *parameters;
    const char *text;
};

static const char *read_word(const char *at, char *word, size_t size)
{
    size_t length = strcspn(at, " ");

    ck_assert_uint_gt(length, 0);
    ck_assert_uint_lt(length, size);
    for (size_t i = 0; i < length; i++) {
        ck_assert(at[i] > 32 && at[i] < 127);
    }
    memcpy(word, at, length);
    word[length] = '\0';
    return at + length + 1;
}

/* PARAM-NAME="PARAM-VALUE" */
static const char *read_parameter(const char *at, json_t *parameters)
{
    char name[33], value[1024];
    size_t length = strcspn(at, "= ]\""), used = 0;

    ck_assert(length > 0 && length < sizeof(name) && at[length] == '=' && at[length + 1] == '"');
    memcpy(name, at, length);
    name[length] = '\0';
    for (at += length + 2; *at != '"'; at++) {
        ck_assert_msg(*at != '\0' && *at != ']', "%s is not closed or not escaped", name);
        if (*at == '\\') {
            at++;
            ck_assert_ptr_nonnull(strchr("\"\\]", *at));
        }
        ck_assert(used < sizeof(value) - 1 && (unsigned char)*at >= 32);
        value[used++] = *at;
    }
    value[used] = '\0';
    ck_assert_msg(json_object_get(parameters, name) == NULL, "%s stands there twice", name);
    ck_assert_msg(json_object_set_new(parameters, name, json_string(value)) == 0, "%s is no UTF-8",
                  name);
    return at + 1;
}

static struct message read_message(const char *at)
{
    struct message message = {.parameters = json_object()};
    int end = 0;

    ck_assert_int_eq(sscanf(at, "<%u>1 %n", &message.priority, &end), 1);
    ck_assert_int_gt(end, 0);
    at += end;
    for (int i = 0; i < 5; i++) {
        at = read_word(at, message.header[i], sizeof(message.header[i]));
    }
    ck_assert_int_eq(*at, '[');
    at = read_word(at + 1, message.header[5], sizeof(message.header[5]));
    for (;; at++) {
        at = read_parameter(at, message.parameters);
        if (*at == ']') {
            break;
        }
        ck_assert_int_eq(*at, ' ');
    }
    ck_assert_int_eq(at[1], ' ');
    message.text = at + 2;
    return message;
}

static const char *parameter(const struct message *message, const char *name)
{
    const char *value = json_string_value(json_object_get(message->parameters, name));
    return value != NULL ? value : "(none)";
}

static unsigned join_parts(bool from_stream);

/* A daemon's, with what could end a field or a line. */
static void write_own_action(void)
{
    struct made_record made;
    struct audit_event event = refusal(NULL);

    event.operation = OPERATION_ACTION;
    event.action_name = "admin.delete";
    event.provider = "fileserver";
    event.name_space = NULL;
    event.resource = "/srv/a\"]\nx";
    event.object = "inode 17";
    make_record(&made, event, 42);
    ck_assert(ops->write(sink, &made.record, &loss));
    free_record(&made);
}

/* ---- what a record becomes -------------------------------------------------------------- */

START_TEST(a_syslog_message_has_every_field)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"code", "MG101E"},
        {"seq", "42"},
        {"hash", SINK_TEST_HASH},
        {"id", "0000000000001234-42"},
        {"action", "session-use"},
        {"decision", "deny"},
        {"reason", "identity-mismatch"},
        {"mismatch", "euid,groups"},
        {"operation", "GetInstance"},
        {"session", "0000000000000abc"},
        {"repeats", "1"},
        {"current-user-id", "65534"},
        {"provider", "libdisk.so"},
        {"namespace", "root/cimv2"},
        {"class", "CIM_Disk"},
        {"rule", "web is \"read\" only"},
        {"rule-source", "/etc/miguard/miguard.yaml:3:5"},
        {"part", "(none)"},
    };
    char pid[16], uid[16];

    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    ck_assert(write_class("CIM_Disk", 42));
    struct message message = read_message(receive());
    ck_assert_uint_eq(message.priority, 10 * 8 + 4);
    ck_assert_int_eq(message.header[0][10], 'T');
    ck_assert_str_eq(message.header[1], "host.example");
    ck_assert_str_eq(message.header[2], "miguard");
    snprintf(pid, sizeof(pid), "%d", getpid());
    ck_assert_str_eq(message.header[3], pid);
    ck_assert_str_eq(message.header[4], "MG101E");
    ck_assert_str_eq(message.header[5], "miguard@4711");
    for (int i = 0; i < LENGTH(rows); i++) {
        ck_assert_str_eq(parameter(&message, rows[i].name), rows[i].value);
    }
    snprintf(uid, sizeof(uid), "%u", geteuid());
    ck_assert_str_eq(parameter(&message, "user-id"), uid);
    json_t *record = json_loads(message.text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(record);
    ck_assert_str_eq(json_string_value(json_object_get(record, "@timestamp")), message.header[0]);
    json_decref(record);
    json_decref(message.parameters);
}
END_TEST

START_TEST(a_syslog_message_has_an_own_action)
{
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    write_own_action();
    struct message message = read_message(receive());
    ck_assert_str_eq(parameter(&message, "operation"), "admin.delete");
    ck_assert_str_eq(parameter(&message, "provider"), "fileserver");
    ck_assert_str_eq(parameter(&message, "resource"), "/srv/a\"]\\u000ax");
    ck_assert_str_eq(parameter(&message, "object"), "inode 17");
    json_decref(message.parameters);
}
END_TEST

#define TEN(text) text text text text text text text text text text

static const struct {
    const char *class_name, *value;
} outside[] = {
    {"a\"b", "a\"b"},
    {"a\\b", "a\\b"},
    {"a]b", "a]b"},
    {"\"] [evil@1 a=\"", "\"] [evil@1 a=\""},
    {"a\nb", "a\\u000ab"},
    {"a\x1b[31mb", "a\\u001b[31mb"},
    {"a\xc2\x9b"
     "b",
     "a\\u009bb"},
    {"caf\xc3\xa9", "caf\xc3\xa9"},
    {"a\xff"
     "b",
     "a\xef\xbf\xbd"
     "b"},
    {"a'b c", "a'b c"},
    {"[1,2]", "[1,2]"},
    {"\\", "\\"},
    {TEN(TEN("x")) TEN(TEN("y")), TEN(TEN("x")) TEN(TEN("y"))},
    {
        TEN(TEN("x")) TEN(TEN("y")) "z",
        TEN(TEN("x")) TEN(TEN("y")),
    },
    {TEN(TEN("\xe2\x82\xac")), TEN(TEN("\xe2\x82\xac"))},
    {TEN(TEN("\"")) TEN(TEN("]")) TEN(TEN("\\")), NULL},
};

/* What a value of at most 200 bytes becomes: its beginning and a mark, no half character. */
static void expect_value(const char *given, const char *wanted)
{
    if (strlen(wanted) <= 200 && strlen(given) <= 200) {
        ck_assert_str_eq(given, wanted);
        return;
    }
    size_t length = strlen(given), mark = cut_mark_length(given, length);
    ck_assert(length <= 200 && length > 170);
    ck_assert_uint_gt(mark, 0);
    ck_assert_int_eq(strncmp(given, wanted, length - mark), 0);
}

/* Of the rule, of which a record keeps more than a sink does. */
static bool write_rule(const char *rule)
{
    struct made_record made;
    struct audit_event event = refusal("CIM_Disk");

    event.rule = rule;
    make_record(&made, event, 1);
    bool written = ops->write(sink, &made.record, &loss);
    free_record(&made);
    return written;
}

START_TEST(values_from_outside_stay_in_their_place)
{
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    ck_assert(write_rule(outside[_i].class_name));
    struct message message = read_message(receive());
    const char *wanted = outside[_i].value;
    if (wanted == NULL || strlen(outside[_i].class_name) > 200) {
        wanted = outside[_i].class_name;
    }
    expect_value(parameter(&message, "rule"), wanted);
    ck_assert_ptr_null(strpbrk(buffer, "\n\x1b"));
    json_decref(message.parameters);
}
END_TEST

static bool write_line(const char *line)
{
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct sink_record record = {.line = line, .length = strlen(line), .event = &event};

    return ops->write(sink, &record, &loss);
}

START_TEST(header_fields_are_visible_ascii)
{
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    ck_assert(write_line("{\"@timestamp\":\"2026-01-01T00:00:00.000001Z\",\"host\":{\"name\":"
                         "\"my h\xc3\xb6st\"},\"event\":{\"id\":\"1\"}}"));
    struct message message = read_message(receive());
    ck_assert_str_eq(message.header[0], "2026-01-01T00:00:00.000001Z");
    ck_assert_str_eq(message.header[1], "my_h__st");
    ck_assert_str_eq(message.header[3], "-");
    ck_assert_str_eq(message.header[4], "-");
    json_decref(message.parameters);
}
END_TEST

/* Every value that can be long is, and still the record goes out whole. */
START_TEST(long_values_leave_room_for_the_record)
{
    static char name[1000];
    struct made_record made;

    memset(name, ']', sizeof(name) - 1);
    struct audit_event event = refusal(name);
    event.provider = event.name_space = event.rule = event.rule_source = name;
    struct miguard_identity bound = many_groups(2000);
    event.bound = &bound;
    make_record(&made, event, 1);
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    ck_assert(ops->write(sink, &made.record, &loss));
    ck_assert_uint_gt(join_parts(false), 1);
    ck_assert_str_eq(buffer + BUFFER / 2, made.line.data);
    free_record(&made);
    free(bound.groups);
}
END_TEST

/* No record of ours has that many long values; one that had would not be cut. */
START_TEST(a_head_that_is_too_large_is_a_loss)
{
    static const char *const names[] = {"code", "id", "sequence", "hash", "action", "reason", "x"};
    static const char *const more[] = {"decision",   "operation",  "provider", "namespace", "class",
                                       "context_id", "session_id", "mismatch", "unreadable"};
    struct text line = TEXT_EMPTY;
    char value[201];

    memset(value, '"', 200);
    value[200] = '\0';
    text_json_open(&line, NULL, '{');
    text_json_open(&line, "event", '{');
    for (int i = 0; i < LENGTH(names); i++) {
        text_json_string(&line, names[i], value);
    }
    text_json_close(&line, '}');
    text_json_open(&line, "miguard", '{');
    for (int i = 0; i < LENGTH(more); i++) {
        text_json_string(&line, more[i], value);
    }
    text_json_close(&line, '}');
    text_json_close(&line, '}');
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    for (int i = 0; i < 3; i++) {
        ck_assert(!write_line(line.data));
        ck_assert_int_eq(loss, AUDIT_LOSS_TOO_LARGE);
        ck_assert_str_eq(receive(), "");
    }
    text_release(&line);
}
END_TEST

START_TEST(severities_tell_what_is_urgent)
{
    static const struct audit_space low = {.step = "low"}, full = {.step = "full"},
                                    normal = {.step = "normal"};
    static const struct {
        struct audit_event event;
        unsigned severity;
    } rows[] = {
        {{.action = AUDIT_ACTION_RECORDS_LOST}, 2},
        {{.action = AUDIT_ACTION_AUDIT_SPACE, .space = &full}, 2},
        {{.action = AUDIT_ACTION_AUDIT_SPACE, .space = &low}, 4},
        {{.action = AUDIT_ACTION_AUDIT_SPACE, .space = &normal}, 5},
        {{.action = AUDIT_ACTION_AUDIT_SPACE}, 5},
        {{.action = AUDIT_ACTION_POLICY_REFUSED, .denied = true}, 3},
        {{.action = AUDIT_ACTION_POLICY_LOAD}, 5},
        {{.action = AUDIT_ACTION_SESSION_USE, .denied = true}, 4},
        {{.action = AUDIT_ACTION_SESSION_USE, .would_deny = true}, 5},
        {{.action = AUDIT_ACTION_SESSION_OPEN}, 6},
        {{.action = AUDIT_ACTION_AUDIT_START}, 6},
    };

    for (int i = 0; i < LENGTH(rows); i++) {
        ck_assert_uint_eq(sink_severity(&rows[i].event), rows[i].severity);
    }
}
END_TEST

/* A cut line is never one of ours; it must still not be read past its end, which a sanitizer sees
 * at the end of a block of exactly its size. */
/* Brackets and quotes that end a list stand outside its strings. */
START_TEST(a_list_is_its_elements)
{
    static const char line[] = "{\"miguard\":{\"keys\":[\"N=a[1]\",\"Q=\\\"]\\\\\",\"E\"]}}";
    struct sink_fields fields;
    struct text text = TEXT_EMPTY;

    sink_fields_read(line, sizeof(line) - 1, &fields);
    sink_field_text(&fields.field[SINK_FIELD_KEYS], 200, &text);
    ck_assert_str_eq(text.data, "N=a[1],Q=\"]\\,E");
    text_release(&text);
}
END_TEST

START_TEST(a_line_cut_anywhere_is_read_within_its_bounds)
{
    struct made_record made;
    struct sink_fields fields;
    struct text text = TEXT_EMPTY;

    make_record(&made, refusal("a\"b\\c"), 1);
    for (size_t length = 0; length <= made.line.length; length++) {
        char *copy = malloc(length + (length == 0));
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, made.line.data, length);
        sink_fields_read(copy, length, &fields);
        for (int i = 0; i < SINK_FIELD_COUNT; i++) {
            sink_field_text(&fields.field[i], 200, &text);
            ck_assert_uint_le(text.length, 200);
        }
        free(copy);
    }
    sink_fields_read(made.line.data, made.line.length, &fields);
    sink_field_text(&fields.field[SINK_FIELD_CLASS], 200, &text);
    ck_assert_str_eq(text.data, "a\"b\\c");
    ck_assert_int_eq(strncmp(fields.field[SINK_FIELD_HASH].at, "\"" SINK_TEST_HASH "\"", 66), 0);
    text_release(&text);
    free_record(&made);
}
END_TEST

START_TEST(strange_lines_are_read_without_harm)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":}",
        "{\"event\":{\"id\":}}",
        "}}}",
        "{\"a\":]",
        "{\"a\":\"\\",
        "{\"a\":[{",
        "null",
        "{\"a\":1,,\"b\":2}",
    };
    struct sink_fields fields;
    char deep[600] = "";

    for (int i = 0; i < LENGTH(lines); i++) {
        sink_fields_read(lines[i], strlen(lines[i]), &fields);
    }
    for (int i = 0; i < 100; i++) {
        strcat(deep, "{\"a\":");
    }
    sink_fields_read(deep, strlen(deep), &fields);
    memset(deep, 'k', sizeof(deep) - 1); /* a name longer than any path */
    memcpy(deep, "{\"", 2);
    strcpy(deep + sizeof(deep) - 30, "\":{\"k\":1},\"message\":\"m\"}");
    sink_fields_read(deep, strlen(deep), &fields);
    ck_assert_int_eq(strncmp(fields.field[SINK_FIELD_MESSAGE].at, "\"m\"", 3), 0);
    /* A name in a value or at another place is not the field. */
    const char *line = "{\"x\":\"\\\"event\\\":{\\\"id\\\":\\\"1\\\"}\",\"y\":{\"event\":{\"id\":"
                       "\"2\"}},\"z\":[{\"event\":{\"id\":\"3\"}}],\"event\":{\"id\":\"4\"}}";
    sink_fields_read(line, strlen(line), &fields);
    ck_assert_int_eq(strncmp(fields.field[SINK_FIELD_EVENT_ID].at, "\"4\"", 3), 0);
}
END_TEST

/* ---- sizes ------------------------------------------------------------------------------ */

/* Takes the parts of one record; gives their number, and its text in buffer + BUFFER / 2. */
static unsigned join_parts(bool from_stream)
{
    char *joined = buffer + BUFFER / 2, wanted[16];
    unsigned count = 0;

    *joined = '\0';
    const char *at = from_stream ? receive_stream() : receive();
    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        ck_assert_uint_le(length, 8000);
        ck_assert_int_eq(at[length], from_stream ? '\n' : '\0');
        char *one = strndup(at, length);
        struct message message = read_message(one);
        ck_assert_str_eq(parameter(&message, "id"), "0000000000001234-1");
        ck_assert_str_eq(parameter(&message, "decision"), "deny");
        unsigned part = 1, parts = 1;
        if (sscanf(parameter(&message, "part"), "%u/%u", &part, &parts) == 2) {
            snprintf(wanted, sizeof(wanted), "%u/%u", part, parts);
            ck_assert_str_eq(parameter(&message, "part"), wanted);
        }
        ck_assert_uint_eq(part, ++count);
        json_t *text = json_string(message.text); /* NULL unless it is whole UTF-8 */
        ck_assert_ptr_nonnull(text);
        json_decref(text);
        strcat(joined, message.text);
        json_decref(message.parameters);
        free(one);
        at = from_stream ? at + length + 1 : receive();
    }
    return count;
}

static void check_split(int type, size_t characters, const char *character)
{
    struct made_record made;
    char *name = calloc(characters + 1, strlen(character));

    ck_assert_ptr_nonnull(name);
    for (size_t i = 0; i < characters; i++) {
        memcpy(name + i * strlen(character), character, strlen(character));
    }
    make_record(&made, refusal(name), 1);
    ck_assert(ops->write(sink, &made.record, &loss));
    unsigned parts = join_parts(type == SOCK_STREAM);
    ck_assert_str_eq(buffer + BUFFER / 2, made.line.data);
    ck_assert(parts > 1 || made.line.length < 8000);
    ck_assert_uint_ge(parts * 8000, made.line.length);
    free_record(&made);
    free(name);
}

START_TEST(a_long_record_arrives_whole_in_parts)
{
    int type = _i == 0 ? SOCK_DGRAM : SOCK_STREAM;

    listen_as(type);
    open_sink(&sink_syslog);
    for (size_t i = 0; i < 24; i++) {
        check_split(type, 3700 + i, "x");
        check_split(type, 5000 + i, "\xe2\x82\xac");
    }
    check_split(type, 60, "x");
    check_split(type, 9000, "\xf0\x9f\x98\x80");
}
END_TEST

/* A daemon that takes messages as they come: the socket holds few of them. */
struct taker {
    char *text; /* the parts behind one another */
    size_t length, longest;
    unsigned count;
    atomic_bool over;
};

static void *take_messages(void *context)
{
    struct taker *taker = context;
    static char one[BUFFER / 8];

    for (;;) {
        bool over = atomic_load(&taker->over);
        ssize_t length = recv(server, one, sizeof(one) - 1, MSG_DONTWAIT);
        if (length < 0 && over) {
            return NULL;
        }
        if (length < 0) {
            poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 50);
            continue;
        }
        one[length] = '\0';
        const char *text =
            strstr(one, "] {") != NULL && taker->count == 0 ? strstr(one, "] {") : NULL;
        text = text != NULL ? text : strstr(one, "\"] ");
        text = text != NULL ? strchr(text, ']') + 2 : one + length;
        memcpy(taker->text + taker->length, text, (size_t)(one + length - text));
        taker->length += (size_t)(one + length - text);
        taker->longest = (size_t)length > taker->longest ? (size_t)length : taker->longest;
        taker->count++;
    }
}

/* The event becomes a record that arrives whole in so many messages of such a length. */
static void check_messages(struct audit_event event, unsigned most_messages, size_t most_length)
{
    struct taker taker = {.text = calloc(2, BUFFER)};
    struct made_record made;
    pthread_t thread;

    ck_assert_ptr_nonnull(taker.text);
    make_record(&made, event, 1);
    ck_assert_uint_le(made.line.length, RECORD_MAX_LINE);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_messages, &taker), 0);
    bool written = ops->write(sink, &made.record, &loss);
    atomic_store(&taker.over, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(written, "%s", audit_losses[loss].name);
    ck_assert_uint_ge(taker.count, 1);
    ck_assert_uint_le(taker.count, most_messages);
    ck_assert_uint_le(taker.longest, most_length);
    ck_assert_uint_eq(taker.length, made.line.length);
    ck_assert_int_eq(memcmp(taker.text, made.line.data, taker.length), 0);
    free_record(&made);
    free(taker.text);
}

/* Of a user and of root, with what a policy and a switch add; and the largest that there can be:
 * names of 255 characters, all groups, all capabilities different. */
START_TEST(messages_are_short)
{
    static char name[256];
    static const struct audit_last_switch switched = {(const void *)(uintptr_t)getenv, 1};
    struct miguard_identity bound = many_groups(_i == 2 ? IDENTITY_MAX_GROUPS : 4), current = bound;
    struct audit_event event = refusal("CIM_Process");

    for (int set = 0; set < IDENTITY_CAP_SETS; set++) {
        bound.cap[set] = _i > 0 ? UINT64_C(0x155aaaaaaaa) : 0;
        current.cap[set] = _i > 1 ? UINT64_C(0x0aa55555555) : bound.cap[set];
    }
    current.uid[IDENTITY_E] = current.uid[IDENTITY_FS] = 65534;
    event.bound = &bound;
    event.current = &current;
    event.mismatch =
        _i == 2 ? MIGUARD_COMPONENTS_ALL : MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID;
    event.last_switch = &switched;
    event.call_site = (const void *)(uintptr_t)getenv;
    event.rule = "web";
    event.rule_source = "/etc/miguard/policy.d/web.yaml:12:5";
    if (_i == 2) {
        memset(name, '"', 255);
        event.provider = event.name_space = event.class_name = event.method = name;
        event.rule = event.rule_source = event.rule_reason = event.attempt = name;
    }
    listen_as(SOCK_DGRAM);
    open_sink(&sink_syslog);
    check_messages(event, _i == 2 ? 300 : 2, _i == 2 ? 8000 : 2048);
    free(bound.groups);
}
END_TEST

/* ---- daemons that go, hang and come back ------------------------------------------------ */

static const struct {
    const struct sink_ops *ops;
    int type;
} kinds[] = {{&sink_syslog, SOCK_DGRAM}, {&sink_syslog, SOCK_STREAM}, {&sink_journald, SOCK_DGRAM}};

static bool arrived(int type, const char *word)
{
    return strstr(type == SOCK_STREAM ? receive_stream() : receive(), word) != NULL;
}

START_TEST(a_daemon_that_goes_and_comes_back_is_found_again)
{
    int type = kinds[_i].type;

    open_sink(kinds[_i].ops);
    ck_assert(!write_class("Before", 1)); /* nothing has listened there yet */
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    for (int round = 0; round < 3; round++) {
        listen_as(type);
        ck_assert(write_class("There", 2));
        ck_assert(arrived(type, "There"));
        stop_listening();
        loss = AUDIT_LOSS_COUNT;
        ck_assert(!write_class("Gone", 3));
        ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
        if (round == 1) { /* back before anybody notices that it was gone */
            listen_as(type);
            ck_assert(write_class("There", 4));
            stop_listening();
        }
    }
    unlink(path);
    ck_assert(!write_class("Gone", 5));
}
END_TEST

START_TEST(a_restart_between_two_records_loses_nothing)
{
    int type = kinds[_i].type;

    open_sink(kinds[_i].ops);
    for (int round = 0; round < 3; round++) {
        listen_as(type);
        ck_assert(write_class("Here", 2));
        ck_assert(arrived(type, "Here"));
        stop_listening();
    }
}
END_TEST

/* Nobody reads: the record is reported as lost, and as soon as somebody does the next arrives. */
START_TEST(a_daemon_that_hangs_costs_one_wait)
{
    int type = kinds[_i].type;
    unsigned taken = 0;

    alarm(100); /* a sink that waits for ever fails here, also without Check's own limit */
    listen_as(type);
    open_sink(kinds[_i].ops);
    while (write_class("Hangs", taken) && taken < 100000) {
        taken++;
    }
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_lt(taken, 100000);
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    for (int i = 0; i < 1000; i++) { /* 200 s if each of them waited */
        bool again = write_class("Hangs", 1);
        ck_assert(type == SOCK_STREAM || !again);
    }
    while (type == SOCK_DGRAM && *receive() != '\0') {
    }
    if (type == SOCK_STREAM) {
        stop_listening();
        listen_as(type);
    }
    ck_assert(write_class("Again", 1));
    ck_assert(arrived(type, "Again"));
    alarm(0);
}
END_TEST

static void fill_queue(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1) {
    }
    ck_assert_int_eq(errno, EAGAIN);
    close(fd);
}

/* A daemon that took a record after it had hung is waited for again. One of 20 slow readings is in
 * time on any machine. */
START_TEST(a_daemon_that_is_only_slow_gets_its_time)
{
    unsigned taken = 0;

    if (kinds[_i].type != SOCK_DGRAM) {
        return;
    }
    listen_as(SOCK_DGRAM);
    open_sink(kinds[_i].ops);
    for (int i = 0; i < 20 && taken == 0; i++) {
        fill_queue();
        ck_assert(!write_class("Hangs", 1));
        while (*receive() != '\0') {
        }
        ck_assert(write_class("Again", 1));
        fill_queue();
        pid_t child = fork();
        if (child == 0) {
            usleep(20000);
            while (*receive() != '\0') {
            }
            _exit(0);
        }
        taken += write_class("Slow", 1);
        waitpid(child, NULL, 0);
        while (*receive() != '\0') {
        }
    }
    ck_assert_uint_gt(taken, 0);
}
END_TEST

START_TEST(what_is_no_socket_is_not_written_to)
{
    struct stat status;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

    close(fd);
    open_sink(kinds[_i].ops);
    ck_assert(!write_class("X", 1));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
}
END_TEST

START_TEST(a_path_must_fit_an_address)
{
    char longest[200];
    struct miguard_error error;
    struct sink *none = NULL;
    struct sink_settings settings = {.kind = kinds[_i].ops->kind, .path = longest};

    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[108] = '\0';
    ck_assert_int_eq(kinds[_i].ops->open(&settings, &none, &error), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(error.detail, "107"));
    longest[107] = '\0';
    ck_assert_int_eq(kinds[_i].ops->open(&settings, &none, NULL), MIGUARD_OK);
    kinds[_i].ops->close(none);
    settings.path = "";
    none = NULL;
    ck_assert_int_eq(kinds[_i].ops->open(&settings, &none, NULL), MIGUARD_INVALID_ARGUMENT);
    ck_assert_ptr_null(none);
    settings.path = NULL; /* the usual place, whether or not anybody is there */
    ck_assert_int_eq(kinds[_i].ops->open(&settings, &none, NULL), MIGUARD_OK);
    kinds[_i].ops->close(none);
}
END_TEST

/* ---- what else goes on in the process ---------------------------------------------------- */

/* The descriptor whose peer is the receiver; -1: none. */
static int find_descriptor(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_un peer = {0};
        socklen_t size = sizeof(peer);
        if (fd != stream && getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
            peer.sun_family == AF_UNIX && strcmp(peer.sun_path, path) == 0) {
            return fd;
        }
    }
    return -1;
}

START_TEST(a_descriptor_that_became_somebody_elses_is_left_alone)
{
    int type = kinds[_i].type, pair[2];

    listen_as(type);
    open_sink(kinds[_i].ops);
    ck_assert(write_class("First", 1));
    ck_assert(arrived(type, "First"));
    int fd = find_descriptor();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(dup2(pair[0], fd), fd);
    if (type == SOCK_STREAM) {
        close(stream);
        stream = -1;
    }
    ck_assert(write_class("Second", 2));
    ck_assert(arrived(type, "Second"));
    ck_assert_int_eq(recv(pair[1], buffer, 1, MSG_DONTWAIT), -1);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    int mine = find_descriptor();
    ck_assert_int_ge(mine, 0);
    ck_assert_int_eq(dup2(pair[0], mine), mine);
    ops->close(sink); /* closes nothing that is not its own */
    sink = NULL;
    ck_assert_int_ge(fcntl(mine, F_GETFD), 0);
    close(mine);
    close(fd);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

/* A message that a stream took in part only is lost, and nothing follows it there. */
START_TEST(a_torn_message_ends_its_stream)
{
    struct miguard_identity bound = many_groups(2000); /* more than the kernel's least buffer */
    struct audit_event event = refusal("Torn");
    struct made_record torn;
    int least = 1;

    event.bound = &bound;
    make_record(&torn, event, 2);
    listen_as(SOCK_STREAM);
    open_sink(&sink_syslog);
    ck_assert(write_class("First", 1));
    ck_assert(arrived(SOCK_STREAM, "First"));
    int fd = find_descriptor();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
    ck_assert(!ops->write(sink, &torn.record, &loss));
    free_record(&torn);
    free(bound.groups);
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    ck_assert_ptr_null(strchr(receive_stream(), '\n'));
    ck_assert_uint_gt(strlen(buffer), 0);
    ck_assert_int_eq(read(stream, buffer, 1), 0); /* closed */
    close(stream);
    stream = -1;
    ck_assert(write_class("Again", 3));
    ck_assert_int_eq(strncmp(receive_stream(), "<84>1 ", 6), 0);
    ck_assert_ptr_nonnull(strstr(buffer, "Again"));
}
END_TEST

START_TEST(a_child_has_a_connection_of_its_own)
{
    int type = kinds[_i].type, status;

    listen_as(type);
    open_sink(kinds[_i].ops);
    ck_assert(write_class("Parent", 1));
    ck_assert(arrived(type, "Parent"));
    pid_t child = fork();
    if (child == 0) {
        bool written = write_class("Child", 2);
        ops->close(sink);
        _exit(written ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    if (type == SOCK_STREAM) {
        ck_assert_ptr_null(strstr(receive_stream(), "Child"));
        close(stream);
        stream = -1;
    }
    ck_assert(arrived(type, "Child"));
    if (type == SOCK_DGRAM) {
        ck_assert(write_class("Parent", 3));
        ck_assert(arrived(type, "Parent"));
    }
}
END_TEST

/* The thread may be anybody when a record is written, also when the daemon has to be found anew. */
START_TEST(another_identity_writes_as_well)
{
    int type = kinds[_i].type;

    if (geteuid() != 0) {
        puts("skip: sinks under another identity: needs root");
        return;
    }
    listen_as(type);
    open_sink(kinds[_i].ops);
    ck_assert(write_class("Root", 1));
    ck_assert(arrived(type, "Root"));
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 65534, -1), 0);
    bool first = write_class("Nobody", 2);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 0, -1), 0);
    ck_assert(first && arrived(type, "Nobody"));
    stop_listening();
    listen_as(type);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 65534, -1), 0);
    bool second = write_class("Nobody", 3);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 0, -1), 0);
    ck_assert(second && arrived(type, "Nobody"));
}
END_TEST

/* ---- the journal -------------------------------------------------------------------------- */

/* The fields of an entry as an object. */
static json_t *read_entry(const char *at)
{
    json_t *fields = json_object();

    while (*at != '\0') {
        size_t name = strcspn(at, "="), length = strcspn(at, "\n");
        ck_assert(name < length && at[length] == '\n');
        for (size_t i = 0; i < name; i++) {
            ck_assert((at[i] >= 'A' && at[i] <= 'Z') || at[i] == '_');
        }
        char *key = strndup(at, name);
        ck_assert_ptr_null(json_object_get(fields, key));
        ck_assert_int_eq(
            json_object_set_new(fields, key, json_stringn(at + name + 1, length - name - 1)), 0);
        free(key);
        at += length + 1;
    }
    return fields;
}

static const char *entry_value(const json_t *entry, const char *name)
{
    const char *value = json_string_value(json_object_get(entry, name));
    return value != NULL ? value : "(none)";
}

START_TEST(a_journal_entry_has_every_field)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"MESSAGE", "MG101E session-use deny: the session was taken under another identity"},
        {"PRIORITY", "4"},
        {"SYSLOG_IDENTIFIER", "miguard"},
        {"SYSLOG_FACILITY", "10"},
        {"MIGUARD_ACTION", "session-use"},
        {"MIGUARD_DECISION", "deny"},
        {"MIGUARD_REASON", "identity-mismatch"},
        {"MIGUARD_MISMATCH", "euid,groups"},
        {"MIGUARD_CURRENT_USER_ID", "65534"},
        {"MIGUARD_SEQUENCE", "42"},
        {"MIGUARD_HASH", SINK_TEST_HASH},
        {"MIGUARD_EVENT_ID", "0000000000001234-42"},
        {"MIGUARD_CLASS", "a\"\\u000aMESSAGE=forged"},
        {"MIGUARD_RULE", "web is \"read\" only"},
    };

    listen_as(SOCK_DGRAM);
    open_sink(&sink_journald);
    ck_assert(write_class("a\"\nMESSAGE=forged", 42));
    json_t *entry = read_entry(receive());
    for (int i = 0; i < LENGTH(rows); i++) {
        ck_assert_str_eq(entry_value(entry, rows[i].name), rows[i].value);
    }
    ck_assert_uint_eq(strlen(entry_value(entry, "MESSAGE_ID")), 32);
    json_t *record = json_loads(entry_value(entry, "MIGUARD_RECORD"), 0, NULL);
    ck_assert_ptr_nonnull(record);
    json_decref(record);
    json_decref(entry);
}
END_TEST

START_TEST(a_journal_entry_has_an_own_action)
{
    listen_as(SOCK_DGRAM);
    open_sink(&sink_journald);
    write_own_action();
    json_t *entry = read_entry(receive());
    ck_assert_str_eq(entry_value(entry, "MIGUARD_OPERATION"), "admin.delete");
    ck_assert_str_eq(entry_value(entry, "MIGUARD_RESOURCE"), "/srv/a\"]\\u000ax");
    ck_assert_str_eq(entry_value(entry, "MIGUARD_OBJECT"), "inode 17");
    json_decref(entry);
}
END_TEST

START_TEST(each_family_of_actions_has_its_message_id)
{
    static const enum audit_action families[] = {
        AUDIT_ACTION_AUDIT_START, AUDIT_ACTION_RECORDS_LOST, AUDIT_ACTION_POLICY_LOAD,
        AUDIT_ACTION_SESSION_USE, AUDIT_ACTION_SWITCH};
    char ids[LENGTH(families)][40];
    struct made_record made;

    listen_as(SOCK_DGRAM);
    open_sink(&sink_journald);
    for (int i = 0; i < LENGTH(families); i++) {
        make_record(&made, (struct audit_event){.action = families[i]}, 1);
        ck_assert(ops->write(sink, &made.record, &loss));
        json_t *entry = read_entry(receive());
        snprintf(ids[i], sizeof(ids[i]), "%s", entry_value(entry, "MESSAGE_ID"));
        json_decref(entry);
        free_record(&made);
        for (int k = 0; k < i; k++) {
            ck_assert_str_ne(ids[i], ids[k]);
        }
    }
}
END_TEST

/* What no datagram can hold comes as a memfd that nobody can change any more. */
START_TEST(a_huge_entry_comes_as_a_sealed_file)
{
    enum { HUGE = 300000 };
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct miguard_identity bound = many_groups(HUGE / 8); /* of ten digits each */
    struct audit_event event = refusal("CIM_Disk");
    struct made_record made;
    int fd;

    event.bound = &bound;
    listen_as(SOCK_DGRAM);
    open_sink(&sink_journald);
    make_record(&made, event, 1);
    ck_assert(ops->write(sink, &made.record, &loss));
    ck_assert_int_eq(recvmsg(server, &message, 0), 0);
    ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & all, all);
    ssize_t length = pread(fd, buffer, sizeof(buffer) - 1, 0);
    ck_assert_int_gt(length, HUGE);
    buffer[length] = '\0';
    json_t *entry = read_entry(buffer);
    ck_assert_str_eq(entry_value(entry, "MIGUARD_RECORD"), made.record.line);
    json_decref(entry);
    close(fd);
    free(bound.groups);
    free_record(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit sinks");
    TCase *cases = tcase_create("sinks");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_syslog_message_has_every_field);
    tcase_add_test(cases, a_syslog_message_has_an_own_action);
    tcase_add_loop_test(cases, values_from_outside_stay_in_their_place, 0, LENGTH(outside));
    tcase_add_test(cases, header_fields_are_visible_ascii);
    tcase_add_test(cases, long_values_leave_room_for_the_record);
    tcase_add_test(cases, a_head_that_is_too_large_is_a_loss);
    tcase_add_test(cases, severities_tell_what_is_urgent);
    tcase_add_test(cases, a_list_is_its_elements);
    tcase_add_test(cases, a_line_cut_anywhere_is_read_within_its_bounds);
    tcase_add_test(cases, strange_lines_are_read_without_harm);
    tcase_add_loop_test(cases, a_long_record_arrives_whole_in_parts, 0, 2);
    tcase_add_loop_test(cases, messages_are_short, 0, 3);
    tcase_add_loop_test(cases, a_daemon_that_goes_and_comes_back_is_found_again, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, a_restart_between_two_records_loses_nothing, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, a_daemon_that_hangs_costs_one_wait, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, a_daemon_that_is_only_slow_gets_its_time, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, what_is_no_socket_is_not_written_to, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, a_path_must_fit_an_address, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, a_descriptor_that_became_somebody_elses_is_left_alone, 0,
                        LENGTH(kinds));
    tcase_add_test(cases, a_torn_message_ends_its_stream);
    tcase_add_loop_test(cases, a_child_has_a_connection_of_its_own, 0, LENGTH(kinds));
    tcase_add_loop_test(cases, another_identity_writes_as_well, 0, LENGTH(kinds));
    tcase_add_test(cases, a_journal_entry_has_every_field);
    tcase_add_test(cases, a_journal_entry_has_an_own_action);
    tcase_add_test(cases, each_family_of_actions_has_its_message_id);
    tcase_add_test(cases, a_huge_entry_comes_as_a_sealed_file);
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
