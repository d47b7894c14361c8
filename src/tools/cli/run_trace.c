/* SPDX-License-Identifier: MIT */
/*
 * miguard run --trace: each call that crosses the guard, a line each on stderr.
 *
 * The lines are written by the thread that made the call, in the middle of it: one write each, no
 * lock of the command, and no question to the directory of users, so that the provider goes on as
 * it would without.
 */
#include "tools/cli/run_trace.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "tools/cli/cli.h"

#define RED   "\033[31m"
#define PLAIN "\033[0m"

/* Set before the tracer is, and not changed after. */
static struct {
    int64_t started; /* nanoseconds of the monotonic clock */
    bool json, colour;
} look;

static int64_t since_start(void)
{
    return clock_now_ns() - look.started;
}

/* ---- for people ---------------------------------------------------------------------------- */

static void add_word(struct text *line, const char *before, const char *word)
{
    if (word != NULL && word[0] != '\0') {
        text_format(line, "%s%s", before, word);
    }
}

/* "euid, fsuid differ"; nothing where the identities are the same. */
static void add_difference(struct text *line, miguard_components difference)
{
    const char *before = "; different: ";

    for (miguard_components bit = 1; bit != 0 && bit <= difference; bit <<= 1) {
        if ((difference & bit) != 0) {
            add_word(line, before, miguard_component_name(bit));
            before = ", ";
        }
    }
}

static void add_refusal(struct text *line, const struct miguard_refusal *refusal)
{
    add_word(line, "; ", refusal->reason);
    add_difference(line, refusal->difference);
    add_word(line, "; rule ", refusal->rule);
    add_word(line, "; record ", refusal->decision_id);
}

/* Time since the start, thread, its effective ids, the answer and what it took; then the call. */
static void print_line(const struct miguard_traced_call *call)
{
    struct text line = TEXT_EMPTY, shown = TEXT_EMPTY;

    text_format(&line, "%s", call->call);
    add_word(&line, "", call->again ? " (again)" : "");
    add_word(&line, " ", call->name_space);
    add_word(&line, " ", call->class_name);
    add_word(&line, ".", call->method);
    add_word(&line, " ", call->resource);
    add_word(&line, " by ", call->provider);
    if (call->session != 0) {
        text_format(&line, ", session %llx", (unsigned long long)call->session);
    }
    if (call->refusal != NULL) {
        add_refusal(&line, call->refusal);
    }
    text_format(&shown, "%10.3f ms  thread %d  %u:%u  %s%s%s %7.1f us  ",
                (double)since_start() / 1e6, (int)syscall(SYS_gettid), (unsigned)geteuid(),
                (unsigned)getegid(), look.colour && !call->allowed ? RED : "",
                call->allowed ? "allowed" : "REFUSED", look.colour && !call->allowed ? PLAIN : "",
                (double)call->nanoseconds / 1e3);
    if (!line.failed && !shown.failed) {
        flockfile(stderr); /* the line stays whole beside those of other threads */
        fputs(shown.data, stderr);
        print_safe(stderr, line.data, false);
        fputc('\n', stderr);
        funlockfile(stderr);
    }
    text_release(&line);
    text_release(&shown);
}

/* ---- for programs -------------------------------------------------------------------------- */

/* Also for a text that is missing, as null. jansson refuses what is not UTF-8. */
static json_t *json_text(const char *text)
{
    char *valid = text != NULL ? valid_utf8(text) : NULL;
    json_t *json = valid != NULL ? json_string(valid) : json_null();

    free(valid);
    return json;
}

static json_t *json_difference(miguard_components difference)
{
    json_t *list = json_array();

    for (miguard_components bit = 1; bit != 0 && bit <= difference; bit <<= 1) {
        if ((difference & bit) != 0) {
            json_array_append_new(list, json_text(miguard_component_name(bit)));
        }
    }
    return list;
}

static json_t *json_refusal(const struct miguard_refusal *refusal)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "reason", json_text(refusal->reason), "difference",
                     json_difference(refusal->difference), "rule", json_text(refusal->rule),
                     "record", json_text(refusal->decision_id));
}

static void print_object(const struct miguard_traced_call *call)
{
    json_t *json = json_pack(
        "{s:I, s:i, s:I, s:I, s:b, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}",
        "time_ns", (json_int_t)since_start(), "thread", (int)syscall(SYS_gettid), "uid",
        (json_int_t)geteuid(), "gid", (json_int_t)getegid(), "allowed", call->allowed, "took_ns",
        (json_int_t)call->nanoseconds, "again", call->again, "call", json_text(call->call),
        "namespace", json_text(call->name_space), "class", json_text(call->class_name), "method",
        json_text(call->method), "resource", json_text(call->resource), "object",
        json_text(call->object), "provider", json_text(call->provider), "context",
        (json_int_t)call->context, "session", (json_int_t)call->session, "operation",
        (json_int_t)call->operation);

    if (json != NULL && call->refusal != NULL) {
        json_object_set_new(json, "refusal", json_refusal(call->refusal));
    }
    json_t *line = json != NULL ? json_pack("{s:o}", "trace", json) : NULL;
    if (line != NULL) {
        flockfile(stderr);
        (void)print_json(stderr, line);
        funlockfile(stderr);
    }
    json_decref(line);
}

/* ---- the tracer ---------------------------------------------------------------------------- */

static void crossed(void *data, const struct miguard_traced_call *call)
{
    (void)data;
    if (look.json) {
        print_object(call);
    } else {
        print_line(call);
    }
}

void run_trace_begin(bool json)
{
    static const struct miguard_tracer tracer = {.crossed = crossed};

    look.started = clock_now_ns();
    look.json = json;
    look.colour = is_coloured(stderr);
    miguard_set_tracer(&tracer);
}

void run_trace_end(void)
{
    miguard_set_tracer(NULL);
}
