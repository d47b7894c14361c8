/* SPDX-License-Identifier: MIT */
/* Reads the identity of other threads, and what is recorded beside an identity: for people and for
 * the audit log, never for a decision. miguard_identity_read() reads /proc/TID/status into one
 * buffer (read_status), takes its lines apart (parse_status), and adds the two components that have
 * files of their own (read_links). What stays unread is missing from `known`. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/process.h"
#include "identity/identity.h"
#include "identity/kernel.h"
#include "identity/read.h"

enum { STATUS_SIZE = 1024 * 1024 }; /* 65,536 groups of up to 11 characters, and the rest */

/* The rest of the line that starts with name, or NULL. */
static const char *status_line(const char *status, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = status; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            return line + length + 1;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return NULL;
}

/* Four ids of a "Uid" or "Gid" line; NULL is a missing line. */
static bool parse_ids(const char *line, uint32_t ids[IDENTITY_IDS])
{
    for (size_t i = 0; i < IDENTITY_IDS; i++) {
        char *end = NULL;
        if (line == NULL) {
            return false;
        }
        unsigned long value = strtoul(line, &end, 10);
        if (end == line) {
            return false;
        }
        ids[i] = (uint32_t)value;
        line = end;
    }
    return true;
}

/* Ends at the first character that does not start a number: the end of the line. */
static enum miguard_status parse_groups(const char *line, struct miguard_identity *identity)
{
    uint32_t count = 0;

    identity->groups = base_alloc(IDENTITY_MAX_GROUPS, sizeof(gid_t));
    if (identity->groups == NULL) {
        return MIGUARD_NO_MEMORY;
    }
    while (line != NULL && count < IDENTITY_MAX_GROUPS) {
        line += strspn(line, " \t");
        if (*line < '0' || *line > '9') {
            break;
        }
        char *end = NULL;
        identity->groups[count++] = (gid_t)strtoul(line, &end, 10);
        line = end;
    }
    identity->group_count = identity_sort_groups(identity->groups, count);
    return MIGUARD_OK;
}

/* False when a set is missing: /proc is then not that of a Linux since 4.3, which added CapAmb. */
static bool parse_caps(const char *status, struct miguard_identity *identity)
{
    static const char *const names[IDENTITY_CAP_SETS] = {"CapEff", "CapPrm", "CapInh", "CapAmb",
                                                         "CapBnd"};
    for (size_t i = 0; i < IDENTITY_CAP_SETS; i++) {
        const char *line = status_line(status, names[i]);
        if (line == NULL) {
            return false;
        }
        identity->cap[i] = strtoull(line, NULL, 16);
    }
    return true;
}

_Static_assert(COMPONENTS_SHOWN_AS_WORD == 1, "of the words, NoNewPrivs is read here");

/* Fills in what the file shows, and marks it as known. The thread may change while the kernel
 * writes the file; no decision uses it. */
static enum miguard_status parse_status(const char *status, struct miguard_identity *identity)
{
    uint64_t unused = 0;

    if (!parse_ids(status_line(status, "Uid"), identity->uid) ||
        !parse_ids(status_line(status, "Gid"), identity->gid) || !parse_caps(status, identity)) {
        return MIGUARD_UNREADABLE;
    }
    const char *no_new_privs = status_line(status, "NoNewPrivs");
    identity->no_new_privs = no_new_privs != NULL && strtoul(no_new_privs, NULL, 10) != 0;
    identity->known = COMPONENTS_IN_STATUS; /* read_links() adds its own */
    /* The number of capabilities is the same for every thread of this kernel. */
    if (!read_bounding(0, &unused, &identity->cap_count)) {
        identity->cap_count = 64;
    }
    return parse_groups(status_line(status, "Groups"), identity);
}

/* The namespace of another user's thread can be read only with ptrace(2) access (namespaces(7)), so
 * a failure leaves the component unknown and is not an error. */
static void read_links(pid_t tid, struct miguard_identity *identity)
{
    char path[64], text[IDENTITY_MAX_LABEL];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)tid);
    long length = identity_kernel.readlink(path, text, sizeof(text) - 1);
    text[length > 0 ? length : 0] = '\0';
    if (length > 0 && sscanf(text, "user:[%lu]", &identity->user_namespace) == 1) {
        identity->known |= MIGUARD_COMPONENT_USER_NAMESPACE;
    }
    snprintf(path, sizeof(path), "/proc/%d/attr/current", (int)tid);
    length = read_proc_file(path, text, sizeof(text));
    if (length > 0) {
        text[strcspn(text, "\n")] = '\0';
        identity->lsm_label = base_copy_text(text);
    }
    if (length > 0 ? identity->lsm_label != NULL : length == -EINVAL || length == -ENOENT) {
        identity->known |= MIGUARD_COMPONENT_LSM_LABEL;
    }
}

/* NOT_FOUND when the thread has ended, also between opening and reading (ESRCH). */
static enum miguard_status read_status(pid_t tid, char *status, struct miguard_error *reterr)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    long length = read_proc_file(path, status, STATUS_SIZE);
    if (length == -ENOENT || length == -ESRCH) {
        return error_set(reterr, MIGUARD_NOT_FOUND, (int)-length, "read", "no thread %d", (int)tid);
    }
    if (length <= 0) {
        return error_set(reterr, MIGUARD_UNREADABLE, (int)-length, "read", "%s", path);
    }
    return MIGUARD_OK;
}

enum miguard_status miguard_identity_read(pid_t tid, struct miguard_identity **ret_identity,
                                          struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    if (ret_identity == NULL || tid <= 0) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "read",
                         "a thread id is a positive number");
    }
    struct miguard_identity *identity = base_alloc(1, sizeof(*identity));
    char *status_text = base_alloc(STATUS_SIZE, 1);
    enum miguard_status status = identity == NULL || status_text == NULL
                                     ? error_set(reterr, MIGUARD_NO_MEMORY, 0, "read", NULL)
                                     : read_status(tid, status_text, reterr);
    if (status == MIGUARD_OK) {
        status = parse_status(status_text, identity);
        if (status == MIGUARD_NO_MEMORY) {
            error_set(reterr, status, 0, "read", NULL);
        } else if (status != MIGUARD_OK) {
            error_set(reterr, status, 0, "read", "/proc/%d/status is not as proc(5) says",
                      (int)tid);
        }
    }
    base_free(status_text);
    if (status != MIGUARD_OK) {
        miguard_identity_free(identity);
        return status;
    }
    read_links(tid, identity);
    identity->tag = IDENTITY_TAG;
    *ret_identity = identity;
    return MIGUARD_OK;
}

/* Field 22 of /proc/PID/stat. The second field is the name in parentheses and may hold any
 * character, so counting starts after the last parenthesis. */
static uint64_t parse_start_time(const char *stat)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

bool identity_process_runs(pid_t pid, uint64_t *ret_start)
{
    char path[32], text[1024];

    *ret_start = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_proc_file(path, text, sizeof(text)) <= 0) {
        return kill(pid, 0) == 0 || errno == EPERM; /* /proc may be hidden or not mounted */
    }
    const char *name_end = strrchr(text, ')');
    *ret_start = parse_start_time(text);
    return name_end == NULL || strchr("ZXx", name_end[1] == ' ' ? name_end[2] : ' ') == NULL;
}

/* Each value that cannot be read keeps its "not known": -1 for the login uid, 0 for the start. */
void identity_read_process(struct identity_process *ret_process)
{
    char text[1024];

    memset(ret_process, 0, sizeof(*ret_process));
    ret_process->pid = (pid_t)identity_kernel.getpid();
    ret_process->loginuid = UINT32_MAX;
    if (read_proc_file("/proc/self/loginuid", text, sizeof(text)) > 0) {
        ret_process->loginuid = (uint32_t)strtoul(text, NULL, 10);
    }
    if (read_proc_file("/proc/self/stat", text, sizeof(text)) > 0) {
        ret_process->start_time = parse_start_time(text);
    }
    long length = identity_kernel.readlink("/proc/self/exe", ret_process->executable,
                                           sizeof(ret_process->executable) - 1);
    ret_process->executable[length > 0 ? length : 0] = '\0';
}

/* The number of a thread stays the same in one process. A forked child has another epoch and the
 * memory of the thread that forked, whose number is not the child's. */
static pid_t own_thread_id(void)
{
    static __thread struct {
        uint64_t epoch; /* 0: nothing is known */
        pid_t tid;
    } known __attribute__((tls_model("initial-exec")));
    uint64_t epoch = process_epoch();

    if (epoch == 0 || known.epoch != epoch) {
        known.tid = (pid_t)identity_kernel.gettid();
        known.epoch = epoch;
    }
    return known.tid;
}

/* Name and keyring are read each time: a thread may take others at any time. */
void identity_read_thread(struct identity_thread *ret_thread)
{
    memset(ret_thread, 0, sizeof(*ret_thread));
    ret_thread->tid = own_thread_id();
    if (identity_kernel.prctl(PR_GET_NAME, (unsigned long)ret_thread->name, 0, 0, 0) != 0) {
        ret_thread->name[0] = '\0';
    }
    long keyring = identity_kernel.session_keyring();
    ret_thread->session_keyring = keyring > 0 ? (int32_t)keyring : 0;
}
