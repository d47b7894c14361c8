/* SPDX-License-Identifier: MIT */
/*
 * miguard audit alert: hands on what is new and matches.
 *
 * A round reads what came since the checkpoint and sends one alert for all that matched, however
 * many they are: a flood of refusals must not become a flood of mail. The checkpoint is saved when
 * the alert was taken, so a failed delivery is tried again in the next round, with what came since:
 * an alert may come twice, but is not lost.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tools/cli/audit_checkpoint.h"
#include "tools/cli/audit_open.h"
#include "tools/cli/audit_query.h"
#include "tools/cli/audit_text.h"
#include "tools/cli/commands.h"
#include "tools/cli/deliver.h"
#include "tools/cli/stop_wait.h"

struct request {
    struct conditions conditions;
    struct word_list files;
    const char *checkpoint, *exec, *webhook, *mail, *every;
    uint64_t most;
    unsigned seconds; /* of --every; 0: one round */
    /* Of the round: */
    uint64_t found;
    struct audit_last kept; /* the latest */
};

static const struct option_row options[] = {
    TEXT(
        "--checkpoint", "FILE", struct request, checkpoint,
        "begin behind what the last alert with this FILE has read, and note there how far this one "
        "came; one for each alert",
        .required = true),
    TEXT("--exec", "PROGRAM", struct request, exec,
         "run PROGRAM, an absolute path, with the alert as JSON on its standard input",
         .excludes = "--webhook --mail"),
    TEXT(
        "--webhook", "URL", struct request, webhook,
        "post the alert as JSON, with curl; @FILE: the address is in FILE, where others cannot see "
        "it",
        .excludes = "--mail"),
    TEXT("--mail", "ADDRESS", struct request, mail, "send the alert as text, with sendmail"),
    TEXT("--every", "TIME", struct request, every,
         "go on, and look again after this time: 30s, 5m, 1h; else once, for a timer"),
    NUMBER("--records", "N", struct request, most, 1, 1000,
           "how many records an alert has, the latest; the others are counted", .preset = 20),
};

/* ---- arguments ------------------------------------------------------------------------------- */

/* A number with s, m or h, from a second to a day. */
static bool read_every(const char *text, unsigned *ret_seconds)
{
    static const struct {
        char unit;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char *end = NULL;
    unsigned long number = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;

    for (size_t i = 0; number > 0 && number <= 86400 && i < 3; i++) {
        if (end[0] == units[i].unit && end[1] == '\0' && number * units[i].seconds <= 86400) {
            *ret_seconds = (unsigned)number * units[i].seconds;
            return true;
        }
    }
    return false;
}

/* An address that is no option and no second header. */
static bool good_address(const char *address)
{
    for (const char *at = address; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return address[0] != '\0' && address[0] != '-';
}

static int check_request(const struct command_line *line, struct request *request)
{
    if (request->exec == NULL && request->webhook == NULL && request->mail == NULL) {
        return wrong_usage(line, "where to? give --exec, --webhook or --mail");
    }
    if (request->exec != NULL && request->exec[0] != '/') {
        return wrong_usage(line, "--exec %s: the path must be absolute", request->exec);
    }
    if (request->mail != NULL && !good_address(request->mail)) {
        return wrong_usage(line, "--mail '%s' is not an address", request->mail);
    }
    if (request->every != NULL && !read_every(request->every, &request->seconds)) {
        return wrong_usage(line, "--every '%s' is not a time from 1s to 24h", request->every);
    }
    if (request->conditions.given.length == 0) {
        return wrong_usage(line,
                           "on what? give --saved NAME or other conditions; see miguard audit "
                           "queries");
    }
    for (size_t i = 0; i < request->files.count; i++) {
        if (strcmp(request->files.items[i], "-") == 0) {
            return wrong_usage(line, "an alert needs files; standard input cannot be found again");
        }
    }
    return CLI_YES;
}

/* ---- the alert ------------------------------------------------------------------------------- */

/* Records as JSON lines, without the last newline's element: each a string of its own form. */
static json_t *records_json(const struct request *request)
{
    struct audit_output output = {.format = AUDIT_JSON};
    json_t *list = json_array();
    char *text = NULL, *save = NULL;
    size_t size = 0;

    output.stream = open_memstream(&text, &size);
    if (output.stream == NULL) {
        json_decref(list);
        return NULL;
    }
    audit_last_write(&request->kept, &output);
    if (fclose(output.stream) != 0) {
        json_decref(list);
        list = NULL;
    }
    for (char *line = list == NULL ? NULL : strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        json_array_append_new(list, json_loads(line, JSON_ALLOW_NUL, NULL));
    }
    free(text);
    return list;
}

/* On the heap; NULL out of memory. */
static char *alert_json(const struct request *request)
{
    struct utsname host;
    char *query = valid_utf8(request->conditions.given.data);

    (void)uname(&host);
    json_t *json = json_pack("{s:s, s:s, s:I, s:o}", "query", query, "host", host.nodename, "count",
                             (json_int_t)request->found, "records", records_json(request));
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(json);
    free(query);
    return text;
}

/* Headers, an empty line, and the records as search prints them. What comes from the log is below
 * the headers, and made safe for a terminal. */
static char *alert_text(const struct request *request)
{
    struct audit_output output = {.format = AUDIT_TEXT};
    struct utsname host;
    char *text = NULL;
    size_t size = 0;

    (void)uname(&host);
    output.stream = open_memstream(&text, &size);
    if (output.stream == NULL) {
        return NULL;
    }
    fprintf(output.stream, "To: %s\nSubject: miguard: %llu records on %s\n", request->mail,
            (unsigned long long)request->found, host.nodename);
    fputs("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
          "Auto-Submitted: auto-generated\n\n",
          output.stream);
    print_safe(output.stream, request->conditions.given.data, false);
    fprintf(output.stream, "\n%llu records; the latest %zu:\n\n",
            (unsigned long long)request->found, request->kept.count);
    audit_last_write(&request->kept, &output);
    if (fclose(output.stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int send_alert(const struct request *request)
{
    const char *const program[] = {request->exec, NULL};
    char *text = request->mail != NULL ? alert_text(request) : alert_json(request);

    if (text == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = request->mail != NULL      ? deliver_mail(request->mail, text, strlen(text))
                 : request->webhook != NULL ? deliver_webhook(request->webhook, text, strlen(text))
                                            : deliver_exec(program, text, strlen(text));
    free(text);
    return status;
}

/* ---- a round --------------------------------------------------------------------------------- */

/* CLI_YES: an alert was sent; CLI_NO: nothing new matched. */
static int look(struct request *request, struct log_reader *reader)
{
    struct checkpoint place = {0};
    struct audit_walk walk = {0};
    struct record record;
    struct read_place at;
    int status = checkpoint_load(request->checkpoint, reader, &place);

    while (status == CLI_YES && audit_next(reader, &walk, &record, &at)) {
        checkpoint_note(&place, &record);
        if (query_matches(request->conditions.query, &record)) {
            request->found++;
            status = audit_last_add(&request->kept, &record)
                         ? CLI_YES
                         : complain(CLI_UNABLE, "out of memory");
        }
    }
    if (status != CLI_YES || audit_interrupted() || walk.failed) {
        return audit_finish(&walk, CLI_UNABLE);
    }
    status = request->found > 0 ? send_alert(request) : CLI_NO;
    if (status != CLI_UNABLE && checkpoint_save(request->checkpoint, reader, &place) != CLI_YES) {
        return CLI_UNABLE;
    }
    return audit_finish(&walk, status);
}

/* The log is opened anew: it may have been rotated. */
static int make_round(struct request *request)
{
    struct log_reader *reader = NULL;
    int status = CLI_UNABLE;

    request->found = 0;
    if (!audit_last_begin(&request->kept, (size_t)request->most)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (audit_open_logs(&request->files, READ_BY_TIME, &reader) == CLI_YES) {
        status = look(request, reader);
    }
    read_close(reader);
    audit_last_release(&request->kept);
    return status;
}

/* A round that fails is complained about, and the next one tries again. */
static int make_rounds(struct request *request)
{
    int status = make_round(request);

    while (request->seconds > 0 &&
           stop_wait(-1, request->seconds, audit_interrupted) == STOP_WAIT_TIME) {
        status = make_round(request);
    }
    return status;
}

static int run_alert(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        status = check_request(line, &request);
        status = status == CLI_YES ? make_rounds(&request) : status;
    }
    conditions_release(&request.conditions);
    word_list_release(&request.files);
    return status;
}

COMMAND(audit, alert) = {
    .about = "Sends one alert for all records that match QUERY and came since the last alert: to a "
             "program, to an address of the web or by mail. The first one begins at the beginning "
             "of the log.",
    .notes = "An alert that is not taken is tried again the next time: it may come twice, and is "
             "never dropped. For systemd there are miguard-alert@.service and .timer, where the "
             "name behind @ is that of a saved query.",
    .exits = "Exit status: 0 an alert was sent, 1 nothing new matched, 2 wrong usage, 3 something "
             "could not be read, or the alert was not taken.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(options),
    QUERY(struct request, conditions),
    .run = run_alert,
};
