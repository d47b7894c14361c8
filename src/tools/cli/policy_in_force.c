/* SPDX-License-Identifier: MIT */
/*
 * Which policy each running process has, from the records of the log. `policy status` and
 * `doctor` call it.
 *
 * read_all() walks through the records, which in_force_add() turns into what each process has, and
 * compare_all() reads for each process the policy that it would load now.
 *
 * A process is behind when a reload would give it another set, when its set on the disk has errors
 * or cannot be read, or when it refused a newer set. Each of these is for an administrator to look
 * at; only "the same" counts as up to date.
 */
#include "tools/cli/policy_in_force.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/draft.h"

/* The policy file of a process, as seen from here. A relative path is the process's: it is looked
 * up from its working directory (proc(5), /proc/PID/cwd). On the heap; NULL when that cannot be
 * read, or the record does not have the path whole. */
static char *path_of(const struct in_force_process *process)
{
    char link[32], *path = NULL, folder[4096];

    if (!in_force_is_whole(process->path)) {
        return NULL;
    }
    if (process->path[0] == '/') {
        return strdup(process->path);
    }
    snprintf(link, sizeof(link), "/proc/%d/cwd", (int)process->pid);
    ssize_t length = readlink(link, folder, sizeof(folder) - 1);
    if (length <= 0) {
        return NULL;
    }
    folder[length] = '\0';
    return asprintf(&path, "%s/%s", folder, process->path) < 0 ? NULL : path;
}

/* The built-in policy has no hash; "" stands for it on both sides. */
static bool same_hash(const char *hash, const char *in_force)
{
    return strcmp(hash, in_force != NULL ? in_force : "") == 0;
}

/* What a reload would give. Read with the trust that the library asks for: what it would refuse is
 * not what comes next. A process without a load on record is UNKNOWN. */
static enum on_disk compare(const struct in_force_process *process, char ret_hash[DRAFT_HASH_SIZE])
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    char *path = process->path != NULL ? path_of(process) : NULL;
    enum on_disk found = ON_DISK_UNREADABLE;

    ret_hash[0] = '\0';
    if (process->path == NULL || path != NULL) {
        const char *given = path;
        enum miguard_status status =
            draft_load(&given, path != NULL ? 1 : 0, DRAFT_TRUST_ALL, &draft, &errors);
        if (status == MIGUARD_OK) {
            memcpy(ret_hash, draft->hash, DRAFT_HASH_SIZE);
            found = same_hash(ret_hash, process->hash) ? ON_DISK_SAME : ON_DISK_OTHER;
        } else if (status == MIGUARD_BAD_POLICY) {
            found = ON_DISK_INVALID;
        }
    }
    draft_free(draft);
    diagnostics_release(&errors);
    free(path);
    return process->known ? found : ON_DISK_UNKNOWN;
}

/* What is not known counts as behind. */
bool policy_process_is_behind(const struct policy_process *entry)
{
    return entry->on_disk != ON_DISK_SAME || entry->process->refused_at != 0;
}

/* Reads for each process what it would load now; the list is as long as that of the processes.
 * CLI_YES, or CLI_UNABLE after a message. Two processes with one policy read it twice, which keeps
 * them independent. */
static int compare_all(struct policy_status *status)
{
    struct in_force_process *list = in_force_list(status->in_force, &status->count);

    status->list = calloc(status->count + 1, sizeof(*status->list));
    if (status->list == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < status->count; i++) {
        struct policy_process *entry = &status->list[i];
        entry->process = &list[i];
        entry->on_disk = compare(&list[i], entry->disk_hash);
        status->behind += policy_process_is_behind(entry);
    }
    return CLI_YES;
}

/* A log that was not read to its end does not say what is in force. */
static int read_records(struct policy_status *status, struct log_reader *reader)
{
    struct record record;
    struct read_place place;

    while (audit_next(reader, &status->walk, &record, &place)) {
        if (!in_force_add(status->in_force, &record)) {
            return complain(CLI_UNABLE, "out of memory");
        }
    }
    return audit_finish(&status->walk, CLI_YES);
}

/* The common part of both readers. Closes the reader. opened: the result of opening it. */
static int read_all(struct policy_status *status, int opened, struct log_reader *reader)
{
    int result = opened;

    memset(status, 0, sizeof(*status));
    if (opened == CLI_YES) {
        status->in_force = in_force_new();
        result = status->in_force == NULL ? complain(CLI_UNABLE, "out of memory")
                                          : read_records(status, reader);
    }
    read_close(reader);
    return result == CLI_YES ? compare_all(status) : result;
}

/* The records are needed in the order of time: the last load counts. */
int policy_status_read(const struct word_list *logs, struct policy_status *ret_status)
{
    struct log_reader *reader = NULL;
    int opened = audit_open_logs(logs, READ_BY_TIME, &reader);

    return read_all(ret_status, opened, reader);
}

/* For doctor, which knows the log already. */
int policy_status_read_log(const char *log, struct policy_status *ret_status)
{
    struct log_reader *reader = NULL;
    int opened = audit_open_log(log, READ_BY_TIME, &reader);

    return read_all(ret_status, opened, reader);
}

/* A broken line hides only a change for the worse, so it turns a yes into "not known" and leaves a
 * no. */
int policy_status_answer(const struct policy_status *status)
{
    if (status->count == 0 || status->behind > 0) {
        return CLI_NO;
    }
    return status->walk.broken > 0 ? CLI_UNABLE : CLI_YES;
}

/* The processes belong to in_force. */
void policy_status_release(struct policy_status *status)
{
    free(status->list);
    in_force_free(status->in_force);
}
