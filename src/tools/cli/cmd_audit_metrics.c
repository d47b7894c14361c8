/* SPDX-License-Identifier: MIT */
/*
 * miguard audit metrics: counts of the log for a monitoring system.
 *
 * A counter must not go back when retention removes a file. With --checkpoint the counts are kept
 * in that file beside the place up to which the log was read, so that both are of one moment, and
 * each call reads what is new. Without it the counts are those of the records that there are.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/encode.h"
#include "tools/cli/audit_checkpoint.h"
#include "tools/cli/audit_open.h"
#include "tools/cli/audit_review.h"
#include "tools/cli/audit_verification.h"
#include "tools/cli/commands.h"
#include "tools/cli/replace_file.h"
#include "tools/review/metrics.h"

struct request {
    struct word_list files;
    const char *checkpoint, *textfile, *key;
    bool verify, head, json;
    struct checkpoint place;
    struct metrics *metrics;
    struct audit_walk walk;
};

static const struct option_row options[] = {
    TEXT("--textfile", "FILE", struct request, textfile,
         "write FILE at once and readable by all, for the folder of the node exporter's textfile "
         "collector; its name must end in .prom",
         .excludes = "--json"),
    TEXT("--checkpoint", "FILE", struct request, checkpoint,
         "keep the counts in FILE and read what is new: counters that retention does not set back"),
    FLAG("--verify", struct request, verify,
         "verify the log, too; the result is kept with the checkpoint"),
    TEXT("--key", "FILE", struct request, key,
         "the verification key; not on the host that writes the log", .needs = "--verify"),
    FLAG("--head", struct request, head,
         "with number and hash of the last record, which is a head that is kept outside the host"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* ---- what is kept ---------------------------------------------------------------------------- */

/* A text of the file into an array of the struct; false: it does not fit. */
static bool take_text(const char *text, char *to, size_t size)
{
    return (size_t)snprintf(to, size, "%s", text) < size;
}

static bool take_calls(const json_t *list, struct metrics *metrics)
{
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        const char *decision, *reason, *provider;
        struct metrics_calls calls = {.count = 0};
        json_int_t count = -1;
        if (json_unpack((json_t *)item, "{s:s, s:s, s:s, s:I!}", "decision", &decision, "reason",
                        &reason, "provider", &provider, "count", &count) != 0 ||
            count < 0 || !take_text(decision, calls.decision, sizeof(calls.decision)) ||
            !take_text(reason, calls.reason, sizeof(calls.reason)) ||
            !take_text(provider, calls.provider, sizeof(calls.provider))) {
            return false;
        }
        calls.count = (uint64_t)count;
        metrics_add_calls(metrics, &calls);
    }
    return json_is_array(list);
}

static bool take_losses(const json_t *list, struct metrics *metrics)
{
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        const char *sink, *cause;
        struct metrics_loss loss = {.count = 0};
        json_int_t count = -1;
        if (json_unpack((json_t *)item, "{s:s, s:s, s:I!}", "sink", &sink, "cause", &cause, "count",
                        &count) != 0 ||
            count < 0 || !take_text(sink, loss.sink, sizeof(loss.sink)) ||
            !take_text(cause, loss.cause, sizeof(loss.cause))) {
            return false;
        }
        loss.count = (uint64_t)count;
        metrics_add_loss(metrics, &loss);
    }
    return json_is_array(list);
}

/* Of the last verification and the last record. */
static bool take_rest(const json_t *json, struct metrics *metrics)
{
    const char *answer, *chain, *hash;
    int keyed = 0;
    json_int_t alarms, losses, verified, records, broken, sequence, time;

    if (json_unpack((json_t *)json,
                    "{s:I, s:I, s:{s:s, s:s, s:I, s:I!}, s:{s:s, s:b, s:I, s:I, s:I!}}", "records",
                    &records, "malformed", &broken, "head", "chain", &chain, "hash", &hash,
                    "sequence", &sequence, "time", &time, "verify", "answer", &answer, "keyed",
                    &keyed, "alarms", &alarms, "losses", &losses, "time", &verified) != 0 ||
        !take_text(answer, metrics->verify.answer, sizeof(metrics->verify.answer)) ||
        !take_text(chain, metrics->chain, sizeof(metrics->chain)) ||
        !take_text(hash, metrics->hash, sizeof(metrics->hash))) {
        return false;
    }
    metrics->records = (uint64_t)records;
    metrics->broken = (uint64_t)broken;
    metrics->sequence = (uint64_t)sequence;
    metrics->time = time;
    metrics->verify.keyed = keyed != 0;
    metrics->verify.alarms = (uint64_t)alarms;
    metrics->verify.losses = (uint64_t)losses;
    metrics->verify.time = verified;
    return true;
}

static bool take_metrics(const json_t *json, struct metrics *metrics)
{
    return take_rest(json, metrics) && take_calls(json_object_get(json, "calls"), metrics) &&
           take_losses(json_object_get(json, "lost"), metrics);
}

/* The counts, and with them the place that they are of. */
static int load(struct request *request, struct log_reader *reader)
{
    json_t *json = NULL;

    if (request->checkpoint == NULL) {
        return CLI_YES;
    }
    read_keep_marks(reader);
    int status = checkpoint_load_file(request->checkpoint, &json);
    if (status != CLI_YES || json == NULL) {
        return status;
    }
    const json_t *version = json_object_get(json, "miguard-metrics");
    bool good = json_is_integer(version) && json_integer_value(version) == 1 &&
                take_metrics(json_object_get(json, "counts"), request->metrics) &&
                checkpoint_take(json_object_get(json, "checkpoint"), reader, &request->place);
    json_decref(json);
    return good ? CLI_YES : checkpoint_refuse(request->checkpoint);
}

/* A new reference; NULL out of memory. Texts of records are UTF-8 as record_parse() has them. */
static json_t *metrics_json(const struct metrics *metrics)
{
    json_t *calls = json_array(), *losses = json_array();
    const struct metrics_verify *verify = &metrics->verify;

    for (size_t i = 0; i < metrics->call_count; i++) {
        const struct metrics_calls *one = &metrics->calls[i];
        char *provider = valid_utf8(one->provider), *reason = valid_utf8(one->reason);
        json_array_append_new(calls, json_pack("{s:s, s:s, s:s, s:I}", "decision", one->decision,
                                               "reason", reason, "provider", provider, "count",
                                               (json_int_t)one->count));
        free(provider);
        free(reason);
    }
    for (size_t i = 0; i < metrics->loss_count; i++) {
        const struct metrics_loss *one = &metrics->losses[i];
        json_array_append_new(losses, json_pack("{s:s, s:s, s:I}", "sink", one->sink, "cause",
                                                one->cause, "count", (json_int_t)one->count));
    }
    if (json_array_size(calls) != metrics->call_count ||
        json_array_size(losses) != metrics->loss_count) {
        json_decref(calls);
        json_decref(losses);
        return NULL;
    }
    return json_pack(
        "{s:I, s:I, s:o, s:o, s:{s:s, s:s, s:I, s:I}, s:{s:s, s:b, s:I, s:I, s:I}}", "records",
        (json_int_t)metrics->records, "malformed", (json_int_t)metrics->broken, "calls", calls,
        "lost", losses, "head", "chain", metrics->chain, "hash", metrics->hash, "sequence",
        (json_int_t)metrics->sequence, "time", (json_int_t)metrics->time, "verify", "answer",
        verify->answer, "keyed", verify->keyed, "alarms", (json_int_t)verify->alarms, "losses",
        (json_int_t)verify->losses, "time", (json_int_t)verify->time);
}

static int save(const struct request *request, const struct log_reader *reader)
{
    if (request->checkpoint == NULL) {
        return CLI_YES;
    }
    return checkpoint_save_file(request->checkpoint,
                                json_pack("{s:i, s:o, s:o}", "miguard-metrics", 1, "checkpoint",
                                          checkpoint_json(reader, &request->place), "counts",
                                          metrics_json(request->metrics)));
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A verification that could not be made leaves what the last one found, with its time. */
static int verify(const struct command_line *line, struct request *request)
{
    struct metrics_verify *result = &request->metrics->verify;
    enum verification_answer answer;
    struct verify_report report;

    if (!request->verify) {
        return CLI_YES;
    }
    int status = verification_of(line, &request->files, request->key, &answer, &report);
    if (status == CLI_YES) {
        *result = (struct metrics_verify){.keyed = request->key != NULL,
                                          .alarms = report.by_severity[VERIFY_ALARM],
                                          .losses = report.by_severity[VERIFY_LOSS],
                                          .time = audit_now()};
        (void)take_text(verification_words[answer], result->answer, sizeof(result->answer));
        verify_release(&report);
    }
    return status;
}

static int write_out(const struct request *request)
{
    struct text text = TEXT_EMPTY;

    if (request->json) {
        json_t *json = metrics_json(request->metrics);
        bool printed = json != NULL && print_json(stdout, json);
        json_decref(json);
        return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
    }
    metrics_write(&text, request->metrics, request->head);
    int status = text.failed                 ? complain(CLI_UNABLE, "out of memory")
                 : request->textfile != NULL ? replace_file(request->textfile, &text, 0644)
                                             : review_print(text.data, text.length);
    text_release(&text);
    return status;
}

/* Nothing is written after an interruption: the counts would be those of a part. */
static int count(const struct command_line *line, struct request *request,
                 struct log_reader *reader)
{
    struct record record;
    struct read_place place;
    int status = load(request, reader);

    if (status != CLI_YES) {
        return status;
    }
    while (audit_next(reader, &request->walk, &record, &place)) {
        checkpoint_note(&request->place, &record);
        metrics_add(request->metrics, &record);
    }
    request->metrics->broken += request->walk.broken;
    if (audit_interrupted() || request->walk.failed) {
        return audit_finish(&request->walk, CLI_UNABLE);
    }
    int verified = verify(line, request);
    status = write_out(request);
    if (status == CLI_YES) {
        status = save(request, reader);
    }
    return audit_finish(&request->walk, status == CLI_YES ? verified : status);
}

/* The collector reads no other names, and would miss the file without a word. */
static int check_request(const struct command_line *line, const struct request *request)
{
    const char *dot = request->textfile != NULL ? strrchr(request->textfile, '.') : NULL;

    if (request->textfile != NULL && (dot == NULL || strcmp(dot, ".prom") != 0)) {
        return wrong_usage(line, "--textfile %s: the name must end in .prom", request->textfile);
    }
    for (size_t i = 0; request->checkpoint != NULL && i < request->files.count; i++) {
        if (strcmp(request->files.items[i], "-") == 0) {
            return wrong_usage(line, "--checkpoint needs files; standard input cannot be found "
                                     "again");
        }
    }
    return CLI_YES;
}

static int run_metrics(const struct command_line *line)
{
    struct request request = {0};
    struct log_reader *reader = NULL;
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = check_request(line, &request);
        request.metrics = calloc(1, sizeof(*request.metrics));
        if (status == CLI_YES && request.metrics == NULL) {
            status = complain(CLI_UNABLE, "out of memory");
        }
        if (status == CLI_YES) {
            status = audit_open_logs(&request.files, READ_BY_TIME, &reader);
        }
        if (status == CLI_YES) {
            status = count(line, &request, reader);
        }
    }
    read_close(reader);
    free(request.metrics);
    word_list_release(&request.files);
    return status;
}

COMMAND(audit, metrics) = {
    .about = "Prints counts of the log in the text format of Prometheus: calls by decision, reason "
             "and provider, records that were lost, the last record, and with --verify whether the "
             "log is intact.",
    .notes = "Each quarter of an hour, for the node exporter:\n"
             "\n"
             "    miguard audit metrics --checkpoint /var/lib/miguard/metrics.json \\\n"
             "        --textfile /var/lib/prometheus/node-exporter/miguard.prom",
    .exits = "Exit status: 0 done, whatever a verification found; 2 wrong usage; 3 something could "
             "not be read, verified or written.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(options),
    .run = run_metrics,
};
