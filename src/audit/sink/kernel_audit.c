/* SPDX-License-Identifier: MIT */
/*
 * The kernel audit system: records of type TRUSTED_APP, which auditd writes and ausearch(8) finds.
 *
 * The kernel asks for CAP_AUDIT_WRITE of the thread that sends, whichever made the socket, and most
 * refusals happen on threads that have switched to a user without it. So a thread of the sink's
 * own sends; it keeps the credentials that its maker had.
 *
 * While auditing is off the kernel confirms each message and drops it, and without auditd it may
 * end in the kernel's ring buffer only. Both count as lost, which takes a question before each
 * record, and CAP_AUDIT_CONTROL to ask it.
 */
#include "audit/sink/sink_ops.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "audit/sink/audit_netlink.h"
#include "audit/sink/sink_fields.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/process.h"

/* TRUSTED_APP: AUDIT_TRUSTED_APP of libaudit.h, "free-form text of a trusted program". VALUE_LIMIT
 * bounds each value, since the kernel takes AUDIT_NETLINK_TEXT bytes in all; a message that is
 * longer even so is lost as TOO_LARGE. The thread needs its stack for one request only. */
enum { TRUSTED_APP = 1121, VALUE_LIMIT = 200, STACK_SIZE = 256 * 1024 };

/* The writer and the thread share it. A record is handed over by raising ask, and is done when
 * answer has the same number. */
struct sink {
    struct sink_socket socket; /* the thread's, while one runs */
    uint64_t epoch;            /* process_epoch() of the process that the thread is in */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    /* under the lock: */
    bool running, stop;
    bool abandoned;  /* the sink was closed while the thread was busy: it frees the sink */
    uint64_t ask;    /* number of the last record given to the thread */
    uint64_t answer; /* of the last one that it answered */
    int error;       /* of that answer: 0 or errno */
    int64_t deadline;
    bool late;           /* the thread has not answered in time what it was given last */
    struct text message; /* the thread reads it while ask and answer differ */
    struct text value;
};

/* By the last one that uses it: who closes it, or the thread when it was abandoned. */
static void sink_free(struct sink *sink)
{
    sink_socket_drop(&sink->socket);
    pthread_cond_destroy(&sink->asked);
    pthread_cond_destroy(&sink->answered);
    pthread_mutex_destroy(&sink->lock);
    text_release(&sink->message);
    text_release(&sink->value);
    base_free(sink);
}

/* ---- the thread ------------------------------------------------------------------------ */

/* EPIPE stands for "off" and "no daemon": the record would not be kept. */
static int deliver(struct sink *sink)
{
    struct audit_status status;
    int error = sink_socket_ours(&sink->socket) ? 0 : audit_netlink_open(&sink->socket);

    if (error == 0) {
        error = audit_netlink_status(&sink->socket, sink->deadline, &status);
    }
    if (error == 0 && (status.enabled == 0 || status.pid == 0)) {
        error = EPIPE;
    }
    if (error == 0) {
        error = audit_netlink_send(&sink->socket, sink->deadline, TRUSTED_APP, sink->message.data,
                                   sink->message.length + 1);
    }
    return error;
}

/* A thread that lost the capability ends: the next record is tried with the credentials of the
 * thread that has it. */
static void *work(void *argument)
{
    ENTRY_UNCANCELLED;
    struct sink *sink = argument;

    pthread_mutex_lock(&sink->lock);
    while (!sink->stop && sink->running) {
        if (sink->ask == sink->answer) {
            pthread_cond_wait(&sink->asked, &sink->lock);
            continue;
        }
        pthread_mutex_unlock(&sink->lock);
        int error = deliver(sink);
        pthread_mutex_lock(&sink->lock);
        sink->error = error;
        sink->answer = sink->ask;
        sink->running = error != EPERM;
        pthread_cond_signal(&sink->answered);
    }
    sink->running = false;
    bool abandoned = sink->abandoned;
    pthread_mutex_unlock(&sink->lock);
    if (abandoned) {
        sink_free(sink);
    }
    return NULL;
}

/* Under the lock. False: none could be made, and the record counts as lost. Signals of the program
 * are kept away from the thread. */
static bool start_thread(struct sink *sink)
{
    sigset_t before;
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    sink->running =
        pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 && process_mute(&before);
    if (sink->running) {
        sink->running = pthread_create(&sink->thread, &attributes, work, sink) == 0;
        process_unmute(&before);
    }
    pthread_attr_destroy(&attributes);
    return sink->running;
}

/* As if no thread ever was; also what a forked child has of its parent's. asked is waited for
 * without a time, answered by the clock that cannot be set. */
static void init_thread(struct sink *sink)
{
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->asked, NULL);
    clock_cond_init(&sink->answered);
    sink->epoch = process_epoch();
    sink->running = false;
    sink->ask = sink->answer = 0;
    sink->late = false;
}

/* After a fork the thread is the parent's, and it may have held the lock: the child makes both
 * anew. The lock is held on return. False: no thread runs, and none could be started. */
static bool have_thread(struct sink *sink)
{
    bool forked = sink->epoch != process_epoch();

    if (forked) {
        init_thread(sink);
    }
    pthread_mutex_lock(&sink->lock);
    if (sink->running) {
        return true;
    }
    if (!forked && sink->thread != 0) {
        pthread_mutex_unlock(&sink->lock);
        pthread_join(sink->thread, NULL); /* it has ended, or is about to */
        pthread_mutex_lock(&sink->lock);
    }
    sink->thread = 0;
    return start_thread(sink);
}

/* Under the lock. False when the deadline came before the thread was done. deadline is in
 * milliseconds of CLOCK_MONOTONIC, which clock_cond_init() gave the condition; 0 has passed. */
static bool wait_idle(struct sink *sink, int64_t deadline)
{
    const struct timespec until = {deadline / 1000, deadline % 1000 * 1000000};

    while (sink->ask != sink->answer) {
        if (pthread_cond_timedwait(&sink->answered, &sink->lock, &until) == ETIMEDOUT) {
            return sink->ask == sink->answer;
        }
    }
    return true;
}

/* ---- the message ----------------------------------------------------------------------- */

/* Upper case, as the kernel's audit_log_n_hex() writes it and ausearch -i reads it. */
static void add_hex(struct text *message, const struct text *value)
{
    for (size_t i = 0; i < value->length; i++) {
        text_format(message, "%02X", (unsigned)(unsigned char)value->data[i]);
    }
}

/* As the audit system wants text from outside: in quotes, or in hex when it holds anything that
 * could end the quotes, the field, or the msg='...' which the kernel puts round the message. */
static void add_text(struct sink *sink, const char *name, const struct sink_field *field)
{
    bool plain = true;

    sink_field_text(field, VALUE_LIMIT, &sink->value);
    for (size_t i = 0; i < sink->value.length; i++) {
        unsigned char byte = (unsigned char)sink->value.data[i];
        plain = plain && byte > 0x20 && byte < 0x7F && byte != '"' && byte != '\'';
    }
    text_format(&sink->message, " %s=", name);
    if (plain) {
        text_format(&sink->message, "\"%s\"", sink->value.failed ? "" : sink->value.data);
    } else {
        add_hex(&sink->message, &sink->value);
    }
}

/* op, acct, exe and res are names that ausearch(8) and aureport(8) know. Every value of ours stands
 * in quotes: ausearch -i takes some of the names for ones of its own whose bare values are hex. */
static bool make_message(struct sink *sink, const struct sink_record *record)
{
    struct sink_fields fields;
    const struct sink_field *field = fields.field;

    sink_fields_read(record->line, record->length, &fields);
    sink_text_reset(&sink->message);
    sink_text_reset(&sink->value);
    sink_field_text(&field[SINK_FIELD_ACTION], VALUE_LIMIT, &sink->value);
    text_format(&sink->message, "op=%s", sink->value.failed ? "" : sink->value.data);
    add_text(sink, "acct",
             &field[field[SINK_FIELD_CURRENT_USER_NAME].at != NULL ? SINK_FIELD_CURRENT_USER_NAME
                                                                   : SINK_FIELD_CURRENT_USER_ID]);
    for (enum sink_field_name i = 0; i < SINK_FIELD_COUNT; i++) {
        if (field[i].at != NULL && sink_field_name(i) != NULL) {
            add_text(sink, sink_field_name(i), &field[i]);
        }
    }
    text_append(&sink->message, record->event->denied ? " res=failed" : " res=success");
    return !sink->value.failed && !sink->message.failed;
}

/* ---- the sink -------------------------------------------------------------------------- */

/* The sentence for an administrator. Auditing that is off is NOT_SUPPORTED: trying again would not
 * turn it on, so it is an error also for a sink that may fail. */
static enum miguard_status refuse(int error, struct miguard_error *reterr)
{
    const char *why;

    switch (error) {
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
        why = "this kernel has no audit system";
        break;
    case ECONNREFUSED:
        why = "the kernel takes no audit records from this user namespace or container";
        break;
    case EPERM:
        why = "needs CAP_AUDIT_WRITE, and CAP_AUDIT_CONTROL in the first process namespace to see"
              " whether auditing is on";
        break;
    case EPIPE:
        why = "auditing is off, the kernel drops all records; start auditd, or: auditctl -e 1";
        break;
    default:
        why = strerrordesc_np(error);
    }
    return error_set(reterr, error == EPIPE ? MIGUARD_NOT_SUPPORTED : MIGUARD_SYSTEM, error,
                     "kernel audit", "%s", why);
}

/* That a record can be sent is only known from one that was. */
static int check_kernel(struct sink *sink)
{
    struct audit_status status = {0};
    int error = audit_netlink_open(&sink->socket);

    if (error == 0) {
        error = audit_netlink_status(&sink->socket, sink_deadline(false), &status);
    }
    return error == 0 && status.enabled == 0 ? EPIPE : error;
}

/* Asks the kernel once on this thread, so that a lack of privilege is found when the log is opened;
 * then the thread is made, which keeps the socket. */
static enum miguard_status kernel_audit_open(const struct sink_settings *settings,
                                             struct sink **ret_sink, struct miguard_error *reterr)
{
    struct sink *sink = base_alloc(1, sizeof(*sink));

    (void)settings;
    if (sink == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    sink->socket.fd = -1;
    init_thread(sink);
    int error = check_kernel(sink);
    if (error == 0) {
        error = have_thread(sink) ? 0 : EAGAIN;
        pthread_mutex_unlock(&sink->lock);
    }
    if (error != 0) {
        sink_free(sink);
        return refuse(error, reterr);
    }
    *ret_sink = sink;
    return MIGUARD_OK;
}

/* A thread that is late, a refusal and a kernel that drops all records are the same for a reader:
 * it is not there. */
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

/* Under the lock. 0 when the kernel has the record. */
static int hand_over(struct sink *sink, const struct sink_record *record)
{
    int64_t deadline = sink_deadline(false);

    /* A thread that let one record wait in vain is not waited for again until it is back. */
    if (!wait_idle(sink, sink->late ? 0 : deadline)) {
        return ETIMEDOUT;
    }
    sink->late = false;
    if (!make_message(sink, record)) {
        return ENOMEM;
    }
    sink->deadline = deadline - SINK_TIMEOUT_MS / 4; /* its answer is to come before ours */
    sink->ask++;
    pthread_cond_signal(&sink->asked);
    sink->late = !wait_idle(sink, deadline);
    return sink->late ? ETIMEDOUT : sink->error;
}

/* have_thread() leaves the lock held whether there is a thread or not. */
static bool kernel_audit_write(struct sink *sink, const struct sink_record *record,
                               enum audit_loss *ret_loss)
{
    int error = have_thread(sink) ? hand_over(sink, record) : EAGAIN;

    pthread_mutex_unlock(&sink->lock);
    if (error != 0) {
        *ret_loss = loss_of(error);
    }
    return error == 0;
}

/* Never waits for a thread that waits for the kernel: that thread releases the sink when it is
 * done. */
static void kernel_audit_close(struct sink *sink)
{
    if (sink->epoch != process_epoch()) { /* the thread is the parent's */
        init_thread(sink);
        sink_free(sink);
        return;
    }
    pthread_mutex_lock(&sink->lock);
    bool busy = sink->running && sink->ask != sink->answer;
    sink->stop = true;
    sink->abandoned = busy;
    pthread_t thread = sink->thread;
    pthread_cond_signal(&sink->asked);
    pthread_mutex_unlock(&sink->lock);
    if (busy) {
        pthread_detach(thread);
        return;
    }
    if (thread != 0) {
        pthread_join(thread, NULL);
    }
    sink_free(sink);
}

/* Joined, not abandoned: the caller needs the process without this thread. A record that was being
 * sent is answered first. */
static void kernel_audit_pause(struct sink *sink)
{
    if (sink->epoch != process_epoch()) { /* the thread is the parent's */
        return;
    }
    pthread_mutex_lock(&sink->lock);
    pthread_t thread = sink->thread;
    sink->stop = true;
    pthread_cond_signal(&sink->asked);
    pthread_mutex_unlock(&sink->lock);
    if (thread != 0) {
        pthread_join(thread, NULL); /* a record under way keeps it for its deadline at most */
    }
    sink->thread = 0;
    sink->stop = false;
}

const struct sink_ops sink_kernel_audit = {SINK_KERNEL, kernel_audit_open, kernel_audit_write,
                                           kernel_audit_close, kernel_audit_pause};
