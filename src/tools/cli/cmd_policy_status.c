/* SPDX-License-Identifier: MIT */
/*
 * miguard policy status: which set each running process has in force.
 *
 * policy_in_force.c reads the log and compares; this file selects and prints.
 *
 * A process is named by its pid, its executable and the entity id of its records, since a pid is
 * used again. "certain" says whether the process that has the pid now is the one that wrote the
 * records; where that cannot be proved the text says so, and a program finds it in the JSON.
 */
#include "tools/cli/commands.h"
#include "tools/cli/policy_in_force.h"
#include "tools/cli/policy_open.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/review/export_text.h"

/* Which logs and which process. */
struct request {
    struct word_list logs;
    uint64_t pid; /* 0: every process */
    bool json;
};

static const struct option_row options[] = {
    NUMBER("--pid", "PID", struct request, pid, 1, INT32_MAX, "only this process",
           .noun = "process id"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

static const struct {
    const char *word, *text;
} on_disk[] = {
#define ON_DISK_WORDS(NAME, word, text) [ON_DISK_##NAME] = {word, text},
    ON_DISK_MAP(ON_DISK_WORDS)
#undef ON_DISK_WORDS
};

/* --pid: only that process, if it is there. The count of those that are behind is made anew. */
static void select_pid(struct policy_status *status, uint64_t pid)
{
    size_t kept = 0;

    status->behind = 0;
    for (size_t i = 0; i < status->count; i++) {
        const struct policy_process entry = status->list[i];
        if ((uint64_t)entry.process->pid == pid) {
            status->list[kept++] = entry;
            status->behind += policy_process_is_behind(&entry);
        }
    }
    status->count = kept;
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Local time. */
static void say_time(int64_t time)
{
    struct text text = TEXT_EMPTY;

    export_time(&text, time, false);
    fputs(text.failed ? "(out of memory)" : text.data, stdout);
    text_release(&text);
}

/* One line with a label. */
static void say(const char *label, const char *value)
{
    printf("    %-9s", label);
    print_safe(stdout, value, false);
    putchar('\n');
}

/* The errors of the set that the process refused, as the log has them. */
static void say_refused(const struct in_force_process *process)
{
    printf("    refused  at ");
    say_time(process->refused_at);
    printf(" another set:\n");
    print_lines(stdout, process->refused != NULL ? process->refused : "");
}

/* One process: what it has in force and since when, by which files and hash; what the disk has now;
 * and the set that it refused, if it did. Names and paths come from the log and are made safe for a
 * terminal. */
static void say_process(const struct policy_process *entry)
{
    const struct in_force_process *process = entry->process;

    print_safe(stdout, process->name != NULL ? process->name : "a process", false);
    printf(" (%d)%s: ", (int)process->pid,
           process->certain ? "" : ", which may be another process of that number");
    if (process->known) {
        printf("in force since ");
        say_time(process->since);
        putchar('\n');
        say("policy", process->files != NULL ? process->files : "");
        say("hash", process->hash != NULL ? process->hash : "none: it is built in");
    } else {
        printf("no load is on record\n");
    }
    say("on disk", on_disk[entry->on_disk].text);
    if (entry->on_disk == ON_DISK_OTHER) {
        say("", entry->disk_hash[0] != '\0' ? entry->disk_hash : "none: the built-in");
    }
    if (process->refused_at != 0) {
        say_refused(process);
    }
}

/* ---- for programs ---------------------------------------------------------------------------- */

/* UTC, or null for 0; NULL out of memory. */
static json_t *time_json(int64_t time)
{
    struct text text = TEXT_EMPTY;

    export_utc(&text, time);
    json_t *json = time == 0 ? json_null() : text.failed ? NULL : json_string(text.data);
    text_release(&text);
    return json;
}

/* A string, or null; NULL out of memory. */
static json_t *text_json(const char *value)
{
    char *valid = value != NULL ? valid_utf8(value) : NULL;
    json_t *json = value == NULL ? json_null() : valid == NULL ? NULL : json_string(valid);

    free(valid);
    return json;
}

/* One object with the same content as the text. json_pack() makes NULL of it when a part is NULL,
 * so a process never appears with a part missing. */
static json_t *process_json(const struct policy_process *entry)
{
    const struct in_force_process *process = entry->process;
    const char *disk_hash = entry->disk_hash[0] != '\0' ? entry->disk_hash : NULL;
    char entity[17];

    snprintf(entity, sizeof(entity), "%016llx", (unsigned long long)process->entity);
    json_t *refused = process->refused_at == 0
                          ? json_null()
                          : json_pack("{s:o, s:o}", "time", time_json(process->refused_at),
                                      "detail", text_json(process->refused));
    return json_pack("{s:I, s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:{s:s, s:o}, s:o}", "pid",
                     (json_int_t)process->pid, "entity_id", entity, "name",
                     text_json(process->name), "executable", text_json(process->executable),
                     "certain", process->certain, "since", time_json(process->since), "hash",
                     text_json(process->hash), "policy", text_json(process->files), "path",
                     text_json(process->path), "disk", "state", on_disk[entry->on_disk].word,
                     "hash", text_json(disk_hash), "refused", refused);
}

/* A process that could not be made into JSON is an error, not left out. */
static int print_status_json(const struct policy_status *status, bool current)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->count; i++) {
        json_array_append_new(list, process_json(&status->list[i]));
    }
    json_t *json = json_pack("{s:b, s:o}", "current", current, "processes", list);
    bool printed =
        json != NULL && json_array_size(list) == status->count && print_json(stdout, json);
    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* ---- the command ----------------------------------------------------------------------------- */

/* The answer is that of policy_status_answer(), whatever the form. */
static int print_status(const struct policy_status *status, bool json)
{
    int answer = policy_status_answer(status);

    if (json) {
        int printed = print_status_json(status, answer == CLI_YES);
        return printed != CLI_YES ? printed : answer;
    }
    for (size_t i = 0; i < status->count; i++) {
        say_process(&status->list[i]);
    }
    return status->count > 0 ? answer
                             : complain(CLI_NO, "no process that still runs is in the log");
}

/* Reads, selects, prints. */
static int ask_log(const struct request *request)
{
    struct policy_status status;
    int result = policy_status_read(&request->logs, &status);

    if (result == CLI_YES) {
        if (request->pid != 0) {
            select_pid(&status, request->pid);
        }
        result = print_status(&status, request->json);
    }
    policy_status_release(&status);
    return result;
}

/* Logs are operands here, since the processes of several logs may be asked about at once. */
static int run_status(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = ask_log(&request);
    }
    word_list_release(&request.logs);
    return status;
}

COMMAND(policy, status) = {
    .about = "Prints for each running process which policy it has in force, since when, by hash, "
             "and whether the disk has another by now. It is read from the log of the policy in "
             "force, or from each LOG.",
    .exits =
        "Exit status: 0 every process is up to date; 1 one is not, or the log has no process; 2 "
        "wrong usage; 3 a log cannot be read.",
    .operand = OPERANDS("[LOG]...", struct request, logs),
    OPTIONS(options),
    .run = run_status,
};
