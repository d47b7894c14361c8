/* SPDX-License-Identifier: MIT */
/*
 * RFC 5424 over the local socket of a syslog daemon.
 *
 * syslog(3) cannot serve: it has no structured data, answers nothing, and so loses in silence.
 * A message is sent when the daemon's socket has taken it; the protocol has no further receipt.
 */
#include "audit/sink/sink_ops.h"

#include <errno.h>
#include <string.h>

#include "audit/sink/sink_fields.h"
#include "audit/sink/sink_socket.h"
#include "base/alloc.h"

/* RFC 5424, 6.1 asks receivers to take 2048 octets, which a usual record needs at most twice. A
 * longer one goes out in larger parts: rsyslog cuts a message at 8096 octets in its default
 * configuration, and a daemon's socket has room for few messages. HEAD_LIMIT is more than the head
 * of a record whose values from outside are all as long as VALUE_LIMIT lets them be, each of their
 * bytes escaped. */
enum {
    USUAL_LIMIT = 2048,
    USUAL_PARTS = 4,
    MESSAGE_LIMIT = 8000,
    VALUE_LIMIT = 200,
    PART_LIMIT = 32,
    HEAD_LIMIT = 6144
};

/* One connection. head is made once for each record and shared by its parts. */
struct sink {
    struct sink_socket socket;
    unsigned facility;
    uint32_t enterprise;
    struct text head, message, value; /* kept, so that a record allocates nothing */
};

/* Connects with the first record: a daemon that starts later than the program loses nothing before
 * that. */
static enum miguard_status syslog_open(const struct sink_settings *settings, struct sink **ret_sink,
                                       struct miguard_error *reterr)
{
    struct sink *sink = base_alloc(1, sizeof(*sink));

    if (sink == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    sink->facility = settings->facility;
    sink->enterprise = settings->enterprise;
    enum miguard_status status = sink_socket_init(&sink->socket, settings, reterr);
    if (status != MIGUARD_OK) {
        base_free(sink);
        return status;
    }
    sink->socket.lines = true;
    *ret_sink = sink;
    return MIGUARD_OK;
}

/* Nothing is waiting to be sent: each write is done or lost when it returns. */
static void syslog_close(struct sink *sink)
{
    sink_socket_drop(&sink->socket);
    text_release(&sink->head);
    text_release(&sink->message);
    text_release(&sink->value);
    base_free(sink);
}

/* A header field: visible ASCII, "-" for none (RFC 5424, 6). limit is in bytes, that of RFC 5424, 6
 * where the field has one there. */
static void add_header(struct sink *sink, const struct sink_field *field, size_t limit)
{
    sink_field_text(field, limit, &sink->value);
    for (size_t i = 0; i < sink->value.length; i++) {
        if (sink->value.data[i] < 33 || sink->value.data[i] > 126) {
            sink->value.data[i] = '_';
        }
    }
    text_append(&sink->head, " ");
    text_append(&sink->head, sink->value.length > 0 ? sink->value.data : "-");
}

/* RFC 5424, 6.3.3: a quote, a backslash and a closing bracket get a backslash. */
static void add_parameter(struct sink *sink, const char *name, const struct sink_field *field)
{
    sink_field_text(field, VALUE_LIMIT, &sink->value);
    text_format(&sink->head, " %s=\"", name);
    for (size_t i = 0; i < sink->value.length; i++) {
        if (strchr("\"\\]", sink->value.data[i]) != NULL) {
            text_append_bytes(&sink->head, "\\", 1);
        }
        text_append_bytes(&sink->head, sink->value.data + i, 1);
    }
    text_append(&sink->head, "\"");
}

/* Everything before the record, but for the end of the structured data. */
static bool make_head(struct sink *sink, const struct audit_event *event,
                      const struct sink_fields *fields)
{
    const struct sink_field *field = fields->field;

    sink_text_reset(&sink->value);
    sink_text_reset(&sink->head);
    text_format(&sink->head, "<%u>1", sink->facility * 8 + sink_severity(event));
    add_header(sink, &field[SINK_FIELD_TIMESTAMP], 48);
    add_header(sink, &field[SINK_FIELD_HOST], 255);
    text_append(&sink->head, " miguard");
    add_header(sink, &field[SINK_FIELD_PID], 128);
    add_header(sink, &field[SINK_FIELD_CODE], 32);
    text_format(&sink->head, " [miguard@%u", sink->enterprise);
    for (enum sink_field_name i = 0; i < SINK_FIELD_COUNT; i++) {
        if (field[i].at != NULL && sink_field_name(i) != NULL) {
            add_parameter(sink, sink_field_name(i), &field[i]);
        }
    }
    return !sink->value.failed && !sink->head.failed;
}

/* Where the part that begins at offset ends: not inside a character. 10xxxxxx is the second or a
 * later byte of a character (RFC 3629). At least one byte goes out, also of a line that is not
 * UTF-8. */
static size_t part_end(const struct sink_record *record, size_t offset, size_t room)
{
    size_t end = offset + room;

    if (end >= record->length) {
        return record->length;
    }
    while (end > offset + 1 && ((unsigned char)record->line[end] & 0xC0) == 0x80) {
        end--;
    }
    return end;
}

/* With the same cuts as they are sent in, since the number stands in each part. */
static unsigned count_parts(const struct sink_record *record, size_t room)
{
    unsigned count = 0;

    for (size_t at = 0; at < record->length; at = part_end(record, at, room)) {
        count++;
    }
    return count;
}

/* For the bytes of the record in one message. */
static size_t room_for(const struct sink *sink, const struct sink_record *record)
{
    size_t head = sink->head.length + PART_LIMIT;

    if (head <= USUAL_LIMIT / 2 && count_parts(record, USUAL_LIMIT - head) <= USUAL_PARTS) {
        return USUAL_LIMIT - head;
    }
    return MESSAGE_LIMIT - head;
}

/* The record has no byte order mark before it, which RFC 8259, 8.1 forbids in JSON. A stream
 * parts messages by line feeds, as syslog-ng's unix-stream() reads them; no message holds one. */
static void make_message(struct sink *sink, const struct sink_record *record, size_t start,
                         size_t end, unsigned part, unsigned parts)
{
    sink_text_reset(&sink->message);
    text_append_bytes(&sink->message, sink->head.data, sink->head.length);
    if (parts > 1) {
        text_format(&sink->message, " part=\"%u/%u\"", part, parts);
    }
    text_append(&sink->message, "] ");
    text_append_bytes(&sink->message, record->line + start, end - start);
    text_append(&sink->message, "\n"); /* sent in a stream only */
}

/* EMSGSIZE: the socket's buffer is smaller than MESSAGE_LIMIT. Everything else is a daemon that
 * cannot be reached. */
static enum audit_loss loss_of(int error)
{
    switch (error) {
    case EMSGSIZE:
        return AUDIT_LOSS_TOO_LARGE;
    case ENOMEM:
    case ENOBUFS:
        return AUDIT_LOSS_NO_MEMORY;
    default:
        return AUDIT_LOSS_UNREACHABLE;
    }
}

/* One deadline for all parts of a record. The last byte is the line feed, which sink_socket_send()
 * sends in a stream only. */
static bool send_part(struct sink *sink, int64_t deadline, enum audit_loss *ret_loss)
{
    if (sink->message.failed) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    int error =
        sink_socket_send(&sink->socket, sink->message.data, sink->message.length - 1, -1, deadline);
    if (error != 0) {
        *ret_loss = loss_of(error);
    }
    return error == 0;
}

/*
 * A record that does not fit goes out as several messages with the same structured data and
 * part="1/3", "2/3" ...: a reader that has all of an id joins them in that order. When one of them
 * cannot be sent the record counts as lost, and those sent before say by their number that they are
 * not all.
 */
static bool syslog_write(struct sink *sink, const struct sink_record *record,
                         enum audit_loss *ret_loss)
{
    struct sink_fields fields;
    int64_t deadline = sink_deadline(sink->socket.impatient);

    sink_fields_read(record->line, record->length, &fields);
    if (!make_head(sink, record->event, &fields)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    if (sink->head.length > HEAD_LIMIT) {
        *ret_loss = AUDIT_LOSS_TOO_LARGE;
        return false;
    }
    size_t room = room_for(sink, record);
    unsigned part = 0, parts = count_parts(record, room);
    for (size_t at = 0, end = 0; at < record->length; at = end) {
        end = part_end(record, at, room);
        make_message(sink, record, at, end, ++part, parts);
        if (!send_part(sink, deadline, ret_loss)) {
            return false;
        }
    }
    return true;
}

const struct sink_ops sink_syslog = {SINK_SYSLOG, syslog_open, syslog_write, syslog_close, NULL};
