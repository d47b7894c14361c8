/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file.h"
#include "base/clock.h"
#include "tools/cli/cmd_audit.h"
#include "tools/review/export_text.h"
#include "tools/review/verify.h"

static const char help[] =
    "usage: miguard audit verify [--key FILE] [--head SEQ:HASH]... [--strict] [--json] [FILE]...\n"
    "\n"
    "Reads each FILE with the files that were rotated from it; without FILE, the log of the\n"
    "policy in force. The files may come in any order and be compressed with gzip. A log that is\n"
    "being written can be verified.\n"
    "\n"
    "--key FILE        the verification key that miguard audit init printed; - is standard input\n"
    "--head SEQ:HASH   record SEQ must be there and have this hash, and so everything before it "
    "is\n"
    "                  as it was when somebody took a note of it; may be given several times\n"
    "--strict          losses that the log itself declares (a crash, a full disk) are a failure, "
    "too\n"
    "--json            the result as one JSON object\n"
    "\n"
    "Without --key, a chain that has a key can be checked for gaps and order only, and the answer\n"
    "is that nobody can tell. That the end of a log is there is proved only by a head that was "
    "kept\n"
    "outside the host; the state beside the log, if it may be read, shows a careless cut.\n"
    "\n"
    "Exit status: 0 intact; 1 tampered with, or --strict and records were lost; 2 wrong usage;\n"
    "3 it cannot be told, or not be read.\n";

static const char *const options[] = {"--key", "--head", "--strict", "--json", "--help", NULL};

struct command {
    const char **files;
    size_t file_count;
    const char *key_file;
    struct verify_head *heads;
    size_t head_count;
    bool strict, json, help;
    struct chain_key key;
    struct state_head *states; /* of the logs that have one that may be read */
    size_t state_count;
    bool every_state;
    char *default_log;
    char no_state[256];     /* why every_state is false */
    int64_t started, shown; /* milliseconds; shown 0: no progress line is on the terminal */
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool parse_head(const char *text, struct verify_head *ret_head)
{
    char *end = NULL;

    errno = 0;
    unsigned long long sequence = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || sequence == 0 || *end != ':' ||
        !chain_parse_hex(end + 1, strlen(end + 1), ret_head->hash)) {
        return false;
    }
    ret_head->sequence = sequence;
    return true;
}

static int add_head(struct command *command, const char *text)
{
    if (text == NULL || parse_head(text, &command->heads[command->head_count])) {
        command->head_count += text != NULL;
        return CLI_YES;
    }
    return complain(CLI_USAGE, "'%s' is no head: the number of a record, a colon and 64 hex digits",
                    text);
}

static bool flag(struct arguments *arguments, const char *option, bool *ret_flag)
{
    if (!arguments_is(arguments, option)) {
        return false;
    }
    return *ret_flag = true;
}

static int parse(int count, char **list, struct command *command)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard audit verify", .known = options};
    const char *head = NULL;
    int status = CLI_YES;

    command->files = calloc((size_t)count + 1, sizeof(*command->files));
    command->heads = calloc((size_t)count + 1, sizeof(*command->heads));
    if (command->files == NULL || command->heads == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (status == CLI_YES && arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            command->files[command->file_count++] = arguments.operand;
        } else if (arguments_value(&arguments, "--head", &head)) {
            status = add_head(command, head);
        } else if (!arguments_value(&arguments, "--key", &command->key_file) &&
                   !flag(&arguments, "--strict", &command->strict) &&
                   !flag(&arguments, "--json", &command->json) &&
                   !flag(&arguments, "--help", &command->help) &&
                   !flag(&arguments, "-h", &command->help)) {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : status;
}

/* ---- what is read before the log ------------------------------------------------------------ */

static ssize_t read_up_to(int fd, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)length;
        }
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static int read_key(struct command *command)
{
    static char text[64 * 1024];
    const char *name = command->key_file;

    if (name == NULL) {
        return CLI_YES;
    }
    bool standard = strcmp(name, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t length = fd < 0 ? -1 : read_up_to(fd, text, sizeof(text));
    int error = errno;
    if (!standard && fd >= 0) {
        close(fd);
    }
    if (length < 0) {
        return complain(CLI_UNABLE, "%s: %s", name, strerror(error));
    }
    bool good = chain_key_parse(text, (size_t)length, &command->key);
    sodium_memzero(text, sizeof(text));
    return good ? CLI_YES
                : complain(CLI_USAGE,
                           "%s: it is no verification key: one line, " CHAIN_KEY_PREFIX
                           " and 64 hex digits, as miguard audit init printed it",
                           name);
}

static int choose_files(struct command *command)
{
    if (command->file_count > 0) {
        return CLI_YES;
    }
    command->default_log = audit_default_log();
    command->files[0] = command->default_log;
    command->file_count = command->default_log != NULL;
    return command->default_log != NULL ? CLI_YES : CLI_UNABLE;
}

static void miss_state(struct command *command, const char *why)
{
    if (command->every_state) {
        command->every_state = false;
        snprintf(command->no_state, sizeof(command->no_state), "%s", why);
    }
}

/* A rotated file or a second name that is given by itself has the state of its log, which is among
 * those of the others. */
static bool has_state(const struct command *command, const char *name)
{
    struct family_place place = {0};
    bool known = family_read_first(AT_FDCWD, name, &place);

    for (size_t i = 0; i < command->state_count && known; i++) {
        if (command->states[i].chain_id == place.chain) {
            return true;
        }
    }
    return command->file_count == 1 && command->state_count == 1;
}

/* Before the files: what a writer adds meanwhile comes behind this head and is not missing. The
 * state does not have to be there, but whoever reads the answer has to know that it was not. */
static int read_states(struct command *command)
{
    command->states = calloc(command->file_count + 1, sizeof(*command->states));
    if (command->states == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < command->file_count; i++) {
        struct miguard_error error = {0};
        struct state_head *state = &command->states[command->state_count];
        enum miguard_status status = file_read_head(command->files[i], state, &error);
        chain_key_wipe(&state->key);
        command->state_count += status == MIGUARD_OK;
        if (status != MIGUARD_OK && status != MIGUARD_NOT_FOUND) {
            miss_state(command,
                       error.detail[0] != '\0' ? error.detail : miguard_status_text(status));
        }
    }
    for (size_t i = 0; i < command->file_count; i++) {
        if (!has_state(command, command->files[i])) {
            miss_state(command, "there is none");
        }
    }
    return CLI_YES;
}

/* ---- progress ------------------------------------------------------------------------------- */

static bool progress(void *context, uint64_t done, uint64_t total)
{
    struct command *command = context;
    int64_t now = clock_now_ms();

    if (now - command->started < 1000 || now - command->shown < 200 || total == 0 ||
        !isatty(STDERR_FILENO)) {
        return true;
    }
    command->shown = now;
    fprintf(stderr, "\r\033[Kverifying: %3.0f %% of %.0f MiB",
            100.0 * (double)(done < total ? done : total) / (double)total,
            (double)total / (1024.0 * 1024.0));
    return true;
}

static void end_progress(const struct command *command)
{
    if (command->shown != 0) {
        fputs("\r\033[K", stderr);
    }
}

/* ---- as text -------------------------------------------------------------------------------- */

enum { TIME_SIZE = 40 };

static void time_text(int64_t time, char text[TIME_SIZE])
{
    struct tm utc = {0};
    time_t seconds = (time_t)(time / INT64_C(1000000000));

    gmtime_r(&seconds, &utc);
    strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static const char *const severities[] = {"notice", "loss", "alarm"};

static bool print_finding(const struct verify_finding *finding)
{
    struct text text = TEXT_EMPTY;
    char stamp[TIME_SIZE];

    verify_describe(finding, &text);
    if (text.failed) {
        text_release(&text);
        return false;
    }
    if (finding->file != NULL) {
        print_safe(stdout, finding->file, false);
        printf(":%" PRIu64 ": ", finding->line);
    }
    printf("%s: %s: ", severities[verify_kind_severity(finding->kind)],
           verify_kind_name(finding->kind));
    print_safe(stdout, text.data, false);
    if (finding->time != 0) {
        time_text(finding->time, stamp);
        printf(" [%s]", stamp);
    }
    putchar('\n');
    text_release(&text);
    return true;
}

/* A log of somebody else's would fill the screen: VERIFY_KEEP findings are told, all counted. */
static void print_not_kept(const struct verify_report *report)
{
    uint64_t all = report->by_severity[VERIFY_NOTICE] + report->by_severity[VERIFY_LOSS] +
                   report->by_severity[VERIFY_ALARM];
    const char *comma = ": ";

    if (all <= report->finding_count) {
        return;
    }
    printf("and %" PRIu64 " more; in all", all - report->finding_count);
    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        if (report->count[i] > 0) {
            printf("%s%" PRIu64 " %s", comma, report->count[i], verify_kind_name(i));
            comma = ", ";
        }
    }
    putchar('\n');
}

static void print_verdict(const struct verify_report *report)
{
    if (report->verdict == VERIFY_TAMPERED) {
        char text[EXPORT_NUMBER];
        printf("tampered with: %s alarm%s in ",
               export_number(report->by_severity[VERIFY_ALARM], text),
               report->by_severity[VERIFY_ALARM] == 1 ? "" : "s");
    } else if (report->verdict == VERIFY_UNPROVEN && report->records > 0) {
        printf("cannot tell: the key is needed. Numbers and links fit, what the records say is "
               "unproven: ");
    } else if (report->verdict == VERIFY_UNPROVEN) {
        printf("cannot tell: ");
    } else if (report->keyed) {
        printf("intact: ");
    } else {
        printf("intact, but without a key: who can write the file can make it anew: ");
    }
}

static void print_span(const struct verify_report *report)
{
    char number[EXPORT_NUMBER], first[EXPORT_NUMBER], last[EXPORT_NUMBER], hash[CHAIN_HEX_SIZE];

    printf("%s record%s, ", export_number(report->records, number),
           report->records == 1 ? "" : "s");
    if (report->records == 0) {
        printf("%s file%s\n", export_number(report->files, number), report->files == 1 ? "" : "s");
        return;
    }
    chain_hex(report->head, hash);
    printf("sequence %s to %s, ", export_number(report->first, first),
           export_number(report->last, last));
    printf("%s file%s, chain %016" PRIx64 ", head %" PRIu64 ":%s",
           export_number(report->files, number), report->files == 1 ? "" : "s", report->chain_id,
           report->last, hash);
    puts(report->verdict == VERIFY_INTACT ? " (keep it outside this host)" : "");
}

static bool print_text(const struct command *command, const struct verify_report *report)
{
    char number[EXPORT_NUMBER];
    bool good = true;

    for (size_t i = 0; i < report->finding_count && good; i++) {
        good = print_finding(&report->findings[i]);
    }
    print_not_kept(report);
    print_verdict(report);
    print_span(report);
    if (report->lost > 0) {
        printf("%s record%s declared as lost by the log itself\n",
               export_number(report->lost, number), report->lost == 1 ? " is" : "s are");
    }
    if (report->anchored > 0) {
        printf("the head of record %s is the one that was kept\n",
               export_number(report->anchored, number));
    }
    if (!command->every_state && report->anchored < report->last) {
        fputs("miguard: the state of the log was not consulted: ", stderr);
        print_safe(stderr, command->no_state, false);
        fputs("; whether its end is missing shows only with --head\n", stderr);
    }
    return good;
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static json_t *finding_json(const struct verify_finding *finding)
{
    struct text text = TEXT_EMPTY;
    char stamp[TIME_SIZE] = "";
    char *file = finding->file == NULL ? NULL : valid_utf8(finding->file);

    verify_describe(finding, &text);
    if (finding->time != 0) {
        time_text(finding->time, stamp);
    }
    char *message = text.failed ? NULL : valid_utf8(text.data);
    json_t *json = json_pack(
        "{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:s?, s:s}", "kind", verify_kind_name(finding->kind),
        "severity", severities[verify_kind_severity(finding->kind)], "file", file, "line",
        (json_int_t)finding->line, "first", (json_int_t)finding->first, "last",
        (json_int_t)finding->last, "count", (json_int_t)finding->count, "time",
        stamp[0] != '\0' ? stamp : NULL, "message", message != NULL ? message : "");
    free(message);
    free(file);
    text_release(&text);
    return json;
}

static bool print_report_json(const struct command *command, const struct verify_report *report)
{
    static const char *const verdicts[] = {"intact", "tampered", "unproven"};
    char hash[CHAIN_HEX_SIZE], head[96] = "", chain[24];
    json_t *findings = json_array();

    for (size_t i = 0; i < report->finding_count; i++) {
        if (json_array_append_new(findings, finding_json(&report->findings[i])) != 0) {
            json_decref(findings);
            return false;
        }
    }
    chain_hex(report->head, hash);
    if (report->records > 0) {
        snprintf(head, sizeof(head), "%" PRIu64 ":%s", report->last, hash);
    }
    snprintf(chain, sizeof(chain), "%016" PRIx64, report->chain_id);
    json_t *json = json_pack(
        "{s:s, s:b, s:b, s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, "
        "s:o}",
        "verdict", verdicts[report->verdict], "keyed", report->keyed, "proven", report->proven,
        "chain", chain, "records", (json_int_t)report->records, "first", (json_int_t)report->first,
        "last", (json_int_t)report->last, "head", head, "files", (json_int_t)report->files, "bytes",
        (json_int_t)report->bytes, "lost", (json_int_t)report->lost, "removed_through",
        (json_int_t)report->removed_through, "anchored", (json_int_t)report->anchored,
        "state_consulted", command->every_state, "alarms",
        (json_int_t)report->by_severity[VERIFY_ALARM], "losses",
        (json_int_t)report->by_severity[VERIFY_LOSS], "notices",
        (json_int_t)report->by_severity[VERIFY_NOTICE], "findings", findings);
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    return printed;
}

/* ---- all ------------------------------------------------------------------------------------ */

static int answer(const struct command *command, const struct verify_report *report)
{
    bool printed = command->json ? print_report_json(command, report) : print_text(command, report);

    if (!printed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (report->verdict == VERIFY_TAMPERED ||
        (command->strict && report->by_severity[VERIFY_LOSS] > 0)) {
        return CLI_NO;
    }
    return report->verdict == VERIFY_INTACT ? CLI_YES : CLI_UNABLE;
}

static int verify(struct command *command)
{
    struct verify_request request = {
        .logs = command->files,
        .log_count = command->file_count,
        .key = command->key_file != NULL ? &command->key : NULL,
        .heads = command->heads,
        .head_count = command->head_count,
        .look_ahead = VERIFY_LOOK_AHEAD,
        .steps = VERIFY_STEPS,
        .waits = VERIFY_WAITS,
        .progress = progress,
        .context = command,
    };
    struct verify_report report;
    struct miguard_error error = {0};

    if (read_states(command) != CLI_YES) {
        return CLI_UNABLE;
    }
    request.state = command->state_count > 0 ? command->states : NULL;
    request.state_count = command->state_count;
    command->started = clock_now_ms();
    enum miguard_status status = verify_log(&request, &report, &error);
    end_progress(command);
    if (status != MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "miguard audit verify", &error);
    }
    int answered = answer(command, &report);
    verify_release(&report);
    return answered;
}

int audit_verify(int count, char **arguments)
{
    struct command command = {.every_state = true};
    int status = parse(count, arguments, &command);

    if (status == CLI_YES && command.help) {
        fputs(help, stdout);
    } else if (status == CLI_YES) {
        status = read_key(&command);
        status = status == CLI_YES ? choose_files(&command) : status;
        status = status == CLI_YES ? verify(&command) : status;
    }
    chain_key_wipe(&command.key);
    free(command.default_log);
    free(command.states);
    free(command.heads);
    free(command.files);
    return status;
}
