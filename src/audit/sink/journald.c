/* SPDX-License-Identifier: MIT */
/*
 * systemd-journald by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of lines
 * NAME=value, or a sealed memfd in its place when a datagram cannot hold it.
 *
 * libsystemd's sd_journal_sendv(3) cannot serve: it answers 0 without a journal, blocks
 * without an end while journald hangs, and keeps a descriptor that it never looks at again.
 */
#include "audit/sink/sink_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/sink/sink_fields.h"
#include "audit/sink/sink_socket.h"
#include "base/alloc.h"
#include "base/descriptor.h"
#include "base/limit.h"
#include "base/write.h"

/* Of one field. The whole record is in MIGUARD_RECORD, which is not cut. */
enum { VALUE_LIMIT = 4096 };

/* One connection, and texts that grow to the size of the largest record. */
struct sink {
    struct sink_socket socket;
    struct text entry, value; /* kept, so that a record allocates nothing */
};

/* Nothing is connected yet: the first record does that, and each later one that finds the socket
 * gone. */
static enum miguard_status journald_open(const struct sink_settings *settings,
                                         struct sink **ret_sink, struct miguard_error *reterr)
{
    struct sink *sink = base_alloc(1, sizeof(*sink));

    if (sink == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    enum miguard_status status = sink_socket_init(&sink->socket, settings, reterr);
    if (status != MIGUARD_OK) {
        base_free(sink);
        return status;
    }
    *ret_sink = sink;
    return MIGUARD_OK;
}

static void journald_close(struct sink *sink)
{
    sink_socket_drop(&sink->socket);
    text_release(&sink->entry);
    text_release(&sink->value);
    base_free(sink);
}

/* One id for each family of actions, for journalctl MESSAGE_ID=... and for message catalogues. They
 * never change. */
static const char *message_id(enum audit_action action)
{
    switch (action) {
    case AUDIT_ACTION_RECORDS_LOST:
        return "2cd6676324bb4927bfe78a335916bc02"; /* records are missing */
    case AUDIT_ACTION_POLICY_LOAD:
    case AUDIT_ACTION_POLICY_REFUSED:
        return "ed2cd0a7f42248a99a7c83523c4c398f"; /* the policy */
    case AUDIT_ACTION_SESSION_OPEN:
    case AUDIT_ACTION_SESSION_USE:
    case AUDIT_ACTION_SESSION_CLOSE:
    case AUDIT_ACTION_CALLBACK:
    case AUDIT_ACTION_REAP:
        return "bd23f57456d24bb0af26e221fc32bea9"; /* sessions */
    case AUDIT_ACTION_SWITCH:
    case AUDIT_ACTION_RESTORE:
    case AUDIT_ACTION_DROP:
    case AUDIT_ACTION_GATE:
        return "ed99d45a3dd541da9e3f2204bc0cebe3"; /* changes of identity */
    case AUDIT_ACTION_MODULE_LOAD:
        return "fd33946615094e6083ff09a49f201797"; /* providers behind shims */
    default:
        return "f464ebe320be4cdfb8dd08993f0b6dce"; /* the log itself */
    }
}

/* No value holds a line feed: the line has none, and its escapes for control characters stay. So
 * the form with a binary length is never needed. */
static void add_value(struct sink *sink, const struct sink_field *field)
{
    sink_field_text(field, VALUE_LIMIT, &sink->value);
    text_append(&sink->entry, sink->value.failed ? "" : sink->value.data);
}

/* Fields of programs have no underscore at the beginning: that is for what journald itself has
 * proved (systemd.journal-fields(7)). */
static void add_field(struct sink *sink, enum sink_field_name name, const struct sink_field *field)
{
    text_format(&sink->entry, "MIGUARD_%s=", sink_field_journal_name(name));
    add_value(sink, field);
    text_append(&sink->entry, "\n");
}

/* What journalctl shows: "MG101E session-use deny: the session was taken under ...". */
static void add_message(struct sink *sink, const struct sink_fields *fields)
{
    static const struct {
        enum sink_field_name name;
        const char *before;
    } words[] = {{SINK_FIELD_CODE, "MESSAGE="},
                 {SINK_FIELD_ACTION, " "},
                 {SINK_FIELD_DECISION, " "},
                 {SINK_FIELD_MESSAGE, ": "}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        text_append(&sink->entry, words[i].before);
        add_value(sink, &fields->field[words[i].name]);
    }
    text_append(&sink->entry, "\n");
}

/* One entry from one record. False: memory ran out, and the entry may be a part only. */
static bool make_entry(struct sink *sink, const struct sink_record *record)
{
    struct sink_fields fields;

    sink_fields_read(record->line, record->length, &fields);
    sink_text_reset(&sink->entry);
    sink_text_reset(&sink->value);
    add_message(sink, &fields);
    text_format(
        &sink->entry, "PRIORITY=%u\nSYSLOG_IDENTIFIER=miguard\nSYSLOG_FACILITY=%u\nMESSAGE_ID=%s\n",
        sink_severity(record->event), (unsigned)AUDIT_FACILITY, message_id(record->event->action));
    for (enum sink_field_name i = 0; i < SINK_FIELD_COUNT; i++) {
        if (fields.field[i].at != NULL && sink_field_journal_name(i) != NULL) {
            add_field(sink, i, &fields.field[i]);
        }
    }
    text_append(&sink->entry, "MIGUARD_RECORD=");
    text_append_bytes(&sink->entry, record->line, record->length);
    text_append(&sink->entry, "\n");
    return !sink->value.failed && !sink->entry.failed;
}

/* memfd_create(2) gives memory, but RLIMIT_FSIZE holds for it: write_quietly() takes the signal
 * away. */
static bool write_all(int fd, const struct text *text)
{
    for (size_t at = 0; at < text->length;) {
        ssize_t written = write_quietly(fd, text->data + at, text->length - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* journald takes a memfd only when it can no longer change. The datagram is empty and carries the
 * descriptor. 0, or errno. */
static int send_sealed(struct sink *sink, int64_t deadline)
{
    if (!limit_allows_file(sink->entry.length)) {
        return errno;
    }
    struct descriptor_low low;

    descriptor_take_low(&low);
    int fd = descriptor_away(memfd_create("miguard-record", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    descriptor_give_low(&low);
    if (fd < 0) {
        return errno;
    }
    int error = ENOMEM;
    if (write_all(fd, &sink->entry) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) {
        error = sink_socket_send(&sink->socket, "", 0, fd, deadline);
    }
    close(fd);
    return error;
}

/* A datagram first. A record that is too large for one costs a memfd and its descriptor, so want of
 * either counts as want of memory. */
static bool journald_write(struct sink *sink, const struct sink_record *record,
                           enum audit_loss *ret_loss)
{
    int64_t deadline = sink_deadline(sink->socket.impatient);

    if (!make_entry(sink, record)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    int error = sink_socket_send(&sink->socket, sink->entry.data, sink->entry.length, -1, deadline);
    if (error == EMSGSIZE ||
        error == ENOBUFS) { /* larger than the socket's or the kernel's buffer */
        error = send_sealed(sink, deadline);
    }
    if (error != 0) {
        bool memory = error == ENOMEM || error == ENOBUFS || error == EMFILE || error == ENFILE;
        *ret_loss = memory ? AUDIT_LOSS_NO_MEMORY : AUDIT_LOSS_UNREACHABLE;
    }
    return error == 0;
}

const struct sink_ops sink_journald = {SINK_JOURNALD, journald_open, journald_write, journald_close,
                                       NULL};
