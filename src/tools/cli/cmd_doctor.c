/* SPDX-License-Identifier: MIT */
/*
 * miguard doctor: what works on this machine, found out by trying.
 *
 * look_at_all() goes through the parts; each look_at_...() adds findings with add() or tried() and
 * judges them. The policy comes first, since it says what is needed: the gate, the sinks and the
 * log. Nothing here decides by version numbers or configuration, only by what a try found
 * (doctor.h).
 *
 * The result is for two readers. An administrator sees three lines for what does not work, and an
 * exclamation mark where the policy in force needs it. A program gets the same as JSON, and the
 * exit status: 1 only where something that is needed is missing, so that a machine without the
 * optional parts is not reported as broken.
 */
#include "tools/cli/commands.h"
#include "tools/cli/doctor.h"
#include "tools/cli/log_place.h"
#include "tools/cli/policy_in_force.h"
#include "tools/cli/policy_open.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yaml.h>

#include "identity/identity.h"

struct request {
    const char *policy;
    bool json;
};

static const struct option_row options[] = {
    TEXT("--policy", "FILE|DIR", struct request, policy,
         "the policy, in place of $MIGUARD_POLICY and that in /etc/miguard"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* ---- what was found ------------------------------------------------------------------------ */

/* One line of the result. */
struct finding {
    const char *name;
    /* needed: the policy in force, or the guard itself, cannot do without. */
    bool works, needed;
    /* What the try found, for people; cut where it does not fit. */
    char found[384];
    /* What it is for, and how to get it where it does not work. */
    const char *why, *how;
    char advice[192]; /* behind how, where it depends on what was found */
};

/* More than all look_at_...() functions add together. */
enum { MAX_FINDINGS = 40 };

/* All findings, and what the policy needs. */
struct report {
    struct finding list[MAX_FINDINGS];
    unsigned count;
    struct miguard_gate_options gate; /* of the policy */
    char log[PATH_MAX];
    bool own_log; /* no policy's, but of the user who runs this */
    struct sink_settings sinks[SINK_KIND_COUNT];
    /* The policy has a sink of this kind. */
    bool wanted[SINK_KIND_COUNT];
    char sink_path[SINK_KIND_COUNT][128]; /* of a socket that the policy names, or "" */
};

/* A finding that is not judged yet; why and how are static. */
static struct finding *add(struct report *report, const char *name, const char *why,
                           const char *how)
{
    struct finding *finding = &report->list[report->count++];

    *finding = (struct finding){.name = name, .why = why, .how = how};
    return finding;
}

static void judge(struct finding *finding, bool works, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The result of a finding, with the text that explains it. A later call replaces an earlier one. */
static void judge(struct finding *finding, bool works, const char *format, ...)
{
    va_list list;

    finding->works = works;
    va_start(list, format);
    vsnprintf(finding->found, sizeof(finding->found), format, list);
    va_end(list);
}

/* A try that failed says what failed, then why: the error, or the signal that killed the child. A
 * child that is killed has met a filter that kills, which no error number could say. */
static void judge_attempt(struct finding *finding, const struct attempt *found)
{
    const char *text = found->error != 0 ? strerrordesc_np(found->error) : "tried";
    const char *between = found->detail[0] != '\0' ? ": " : "";

    if (found->error == 0) {
        judge(finding, true, "%s", text);
    } else if (found->killed_by != 0) {
        judge(finding, false, "%s%sthe child that tried it was killed by signal %d (%s)",
              found->detail, between, found->killed_by, strsignal(found->killed_by));
    } else {
        judge(finding, false, "%s%s%s", found->detail, between, text);
    }
}

/* A finding that is judged by one try. */
static struct finding *tried(struct report *report, const char *name, struct attempt found,
                             const char *why, const char *how)
{
    struct finding *finding = add(report, name, why, how);

    judge_attempt(finding, &found);
    return finding;
}

/* Replaces the general advice by one that fits what was found. */
__attribute__((format(printf, 2, 3))) static void advise(struct finding *finding,
                                                         const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(finding->advice, sizeof(finding->advice), format, list);
    va_end(list);
    finding->how = finding->advice;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/*
 * Whether every component of an identity can be read: without that no session is given out
 * (needed). An id that the user namespace does not map cannot be proved, and /proc must be mounted,
 * which the advice then says. The second finding is about speed only: a label of a security module
 * can change without a system call that a gate sees, so every guarded call reads it.
 */
static void look_at_identity(struct report *report)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error = {0};
    struct finding *finding = add(report, "identity", "without it no session is given out",
                                  "no sandbox around this that denies or hides what is named");

    finding->needed = true;
    bool captured = miguard_identity_capture(&identity, &error) == MIGUARD_OK;
    judge(finding, captured, "%s%s%s", captured ? "every component can be read" : error.step,
          captured ? "" : ": ", captured ? "" : error.detail);
    if (error.status == MIGUARD_UNPROVABLE) {
        advise(finding, "map this id in the user namespace, in /proc/PID/uid_map or gid_map");
    } else if (!captured && access("/proc/self/status", F_OK) != 0) {
        advise(finding, "mount proc on /proc");
    }
    finding = add(report, "label-free",
                  "a security label can change without a system call that a gate sees: where one "
                  "is in force every guarded call reads it, and the gate saves no time",
                  "nothing needs to be done: the guard works either way, only slower");
    if (captured && identity->lsm_label != NULL) {
        judge(finding, false, "this thread has the label %s", identity->lsm_label);
    } else {
        judge(finding, captured, "no security module gives labels");
    }
    miguard_identity_free(identity);
}

/* Effective, and of use: a capability that is effective is also tried, since a sandbox may deny the
 * call that it is for. */
static void judge_capability(struct finding *finding, unsigned number)
{
    if (!has_capability(number)) {
        judge(finding, false, "not effective");
        return;
    }
    struct attempt found = try_capability(number);
    if (found.error == 0) {
        judge(finding, true, "effective, tried");
        return;
    }
    judge(finding, false, "effective, but %s: %s", found.detail,
          found.killed_by != 0 ? "killed" : strerrordesc_np(found.error));
    advise(finding, "the capability is there; a sandbox around this must let %s through",
           found.detail);
}

/* CAP_AUDIT_WRITE is needed where the policy sends records to the kernel. */
static void look_at_capabilities(struct report *report)
{
    static const struct {
        unsigned number;
        const char *name, *why;
    } wanted[] = {
        {CAP_SETUID, "cap-setuid", "to switch to another user"},
        {CAP_SETGID, "cap-setgid", "to switch to another group, and to set the supplementary ones"},
        {CAP_SETPCAP, "cap-setpcap", "to drop the bounding set and set securebits"},
        {CAP_SYS_ADMIN, "cap-sys-admin", "to close the gate without no_new_privs"},
        {CAP_AUDIT_WRITE, "cap-audit-write", "to send records to the kernel's audit system"},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct finding *finding = add(report, wanted[i].name, wanted[i].why,
                                      "run as root, or give the capability to the service "
                                      "(systemd: AmbientCapabilities=)");
        judge_capability(finding, wanted[i].number);
        finding->needed = wanted[i].number == CAP_AUDIT_WRITE && report->wanted[SINK_KERNEL];
    }
}

/* A try of a filter. A user who may load one and is refused all the same meets a filter from
 * outside the library; the advice then names the call that it denies. */
static struct finding *tried_filter(struct report *report, const char *name, struct attempt found,
                                    const char *why, const char *how)
{
    struct finding *finding = tried(report, name, found, why, how);
    bool refused = found.error == EPERM || found.error == EACCES;

    if (refused && (strcmp(name, "seccomp-privileged") != 0 || has_capability(CAP_SYS_ADMIN))) {
        advise(finding, "a sandbox around this denies %s: let it through",
               found.detail[0] != '\0' && strstr(found.detail, "capset") != NULL ? "capset(2)"
                                                                                 : "seccomp(2)");
    }
    return finding;
}

/* First whether a filter can be loaded at all, with and without privileges and over all threads;
 * then each action that a gate may use; then whether this process could keep credentials in a ring;
 * and at the end the gate of the policy itself, which is needed if the policy has one. */
static void look_at_seccomp(struct report *report)
{
    static const char kernel[] = "a kernel with CONFIG_SECCOMP_FILTER, and no sandbox around this "
                                 "that refuses seccomp(2)";

    (void)tried_filter(report, "seccomp", try_filter(), "the gate is a seccomp filter", kernel);
    (void)tried_filter(report, "seccomp-unprivileged", try_unprivileged_filter(),
                       "the gate without CAP_SYS_ADMIN, under no_new_privs", kernel);
    (void)tried_filter(report, "seccomp-privileged", try_privileged_filter(),
                       "the gate without no_new_privs, which is a compared component",
                       "CAP_SYS_ADMIN in the user namespace");
    (void)tried_filter(report, "seccomp-tsync", try_filter_on_threads(),
                       "gate: { scope: process } beside running threads", "Linux 3.17 or later");
    (void)tried_filter(report, "seccomp-errno", try_action(SECCOMP_RET_ERRNO),
                       "gate: { action: errno }", kernel);
    (void)tried_filter(report, "seccomp-kill", try_action(SECCOMP_RET_KILL_PROCESS),
                       "gate: { action: kill }", "Linux 4.14 or later");
    (void)tried_filter(report, "seccomp-trap", try_action(SECCOMP_RET_TRAP),
                       "gate: { report: true }", kernel);
    struct finding *ring =
        add(report, "io-uring-free",
            "a ring serves requests with credentials that it keeps, past each switch and drop",
            "gate: { scope: process, io-uring: deny }, or sysctl kernel.io_uring_disabled=2");
    struct attempt found = try_io_uring();
    judge(ring, found.error != 0, "%s",
          found.error == 0 ? "tried: this process could keep its own"
                           : strerrordesc_np(found.error));
    struct finding *gate = tried_filter(
        report, "gate", try_gate(&report->gate),
        "changes of credentials past the library are refused, and the guard needs no system "
        "call",
        kernel);
    gate->needed = report->gate.scope != MIGUARD_GATE_OFF;
}

/* Names what is missing or denied, not what is there: capabilities, then ids of the user namespace,
 * then calls. */
static void advise_switch(struct finding *finding)
{
    char denied[160];
    uint32_t unused;

    if (!has_capability(CAP_SETUID) || !has_capability(CAP_SETGID)) {
        advise(finding, "%s%s%s", has_capability(CAP_SETUID) ? "" : "CAP_SETUID",
               has_capability(CAP_SETUID) || has_capability(CAP_SETGID) ? "" : " and ",
               has_capability(CAP_SETGID) ? "" : "CAP_SETGID");
        return;
    }
    if (access("/proc/self/uid_map", F_OK) == 0 &&
        (!find_other_id("/proc/self/uid_map", geteuid(), &unused) ||
         !find_other_id("/proc/self/gid_map", getegid(), &unused))) {
        advise(finding, "a user namespace that maps more than one user and group");
        return;
    }
    find_denied_calls(denied, sizeof(denied));
    if (denied[0] != '\0') {
        advise(finding, "a sandbox around this denies %s: let it through", denied);
    }
}

/* /proc/1/status belongs to root: what hidepid (proc(5)) hides, it hides there. */
static void look_at_processes_of_others(struct report *report)
{
    struct attempt found = try_read("/proc/1/status");
    struct finding *finding =
        add(report, "proc-others", "miguard identity show of other users' processes",
            "mount proc without hidepid=1 or 2, or run as root");

    judge(finding, found.error == 0, "/proc/1/status%s%s", found.error == 0 ? " can be read" : ": ",
          found.error == 0 ? "" : strerrordesc_np(found.error));
    if (found.error != 0 && access("/proc/self/status", F_OK) != 0) {
        advise(finding, "mount proc on /proc");
    }
}

/* What depends on the kernel alone: pages that are wiped in a forked child, without which no
 * session is given out; /proc of other users; a switch to another user and back; user namespaces,
 * which are reported although nothing needs them. */
static void look_at_system(struct report *report)
{
    struct utsname system;
    struct finding *finding = tried(
        report, "wipe-on-fork", try_wipe_on_fork(), "a session must be worthless in a forked child",
        "Linux 4.14 or later, and no emulator or sandbox that only says yes to "
        "MADV_WIPEONFORK");

    finding->needed = true;
    if (finding->works && uname(&system) == 0) {
        judge(finding, true, "tried by a fork, Linux %s %s", system.release, system.machine);
    }
    look_at_processes_of_others(report);
    finding = tried(report, "switch", try_switch(), "providers that become another user",
                    "what the step that failed needs");
    if (!finding->works) {
        advise_switch(finding);
    }
    (void)tried(report, "user-namespaces", try_user_namespace(),
                "trying things out without root; nothing of miguard needs them",
                "sysctl user.max_user_namespaces above 0, and a distribution that allows them");
}

/* A sink that the policy has is needed, also one whose failure only counts: what is lost there is
 * nowhere, where it is the only one. */
static void judge_sink(const struct report *report, struct finding *finding, enum sink_kind kind)
{
    char found[sizeof(finding->found)];

    finding->needed = report->wanted[kind];
    if (!finding->needed || finding->works) {
        return;
    }
    snprintf(found, sizeof(found), "%s", finding->found);
    judge(finding, false, "%.150s; the policy sends records there, and %s", found,
          report->sinks[kind].failure_denies ? "gives out no session without (on-failure: deny)"
                                             : "goes on without (on-failure: count)");
}

/* A socket without permission and one without a reader need different things: a right, or a
 * daemon. */
static void advise_socket(struct finding *finding, const struct attempt *found, const char *daemon,
                          const char *path)
{
    if (found->error == EACCES || found->error == EPERM) {
        advise(finding, "permission for this user to write to %s", path);
    } else {
        advise(finding, "%s that reads %s", daemon, path);
    }
}

/* The kernel's audit system. ECONNREFUSED is what it answers to other namespaces. */
static void look_at_audit(struct report *report)
{
    struct attempt found = try_audit_netlink(report->wanted[SINK_KERNEL]);
    struct finding *finding =
        tried(report, "audit-netlink", found, sink_kinds[SINK_KERNEL].purpose,
              "a kernel with CONFIG_AUDIT, and no sandbox that denies its socket");

    if (found.error == ECONNREFUSED) {
        advise(finding, "not from within a container: the kernel listens to the first user and "
                        "network namespace only");
    } else if (found.error == EPERM) {
        advise(finding, "CAP_AUDIT_WRITE");
    }
    judge_sink(report, finding, SINK_KERNEL);
}

/* A sink with a socket needs no more than its row; one without has a function of its own, as
 * look_at_audit(), or is not looked at. The file has its place at the end (look_at_log). */
static void look_at_sinks(struct report *report)
{
    look_at_audit(report);
    for (enum sink_kind kind = 0; kind < SINK_KIND_COUNT; kind++) {
        const struct sink_kind_words *row = &sink_kinds[kind];
        const char *given = report->sink_path[kind];
        const char *path = *given != '\0' ? given : row->socket;
        if (row->transport == SINK_NO_SOCKET) {
            continue;
        }
        struct attempt found = try_socket(path, row->transport == SINK_DATAGRAM_OR_STREAM);
        struct finding *finding = tried(report, row->name, found, row->purpose, row->daemon);
        advise_socket(finding, &found, row->daemon, path);
        judge_sink(report, finding, kind);
    }
}

/* dlopen(3) by the name that the library itself uses, so that the same file is found or missed. A
 * version is printed where the library can report one. */
static void look_at_library(struct report *report, const char *name, const char *file,
                            const char *version, const char *why)
{
    struct finding *finding = add(report, name, why, "install its run-time package");
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    judge(finding, library != NULL, "%s %s%s%s", file, library != NULL ? "loads" : "does not load",
          version[0] != '\0' ? ", version " : "", version);
    if (library != NULL) {
        dlclose(library);
    }
}

/* Versions are asked of the libraries that are linked. */
static void look_at_libraries(struct report *report)
{
    const struct scmp_version *seccomp = seccomp_version();
    char version[32] = "";

    if (seccomp != NULL) {
        snprintf(version, sizeof(version), "%u.%u.%u", seccomp->major, seccomp->minor,
                 seccomp->micro);
    }
    look_at_library(report, "libseccomp", "libseccomp.so.2", version, "the gate");
    look_at_library(report, "libyaml", "libyaml-0.so.2", yaml_get_version_string(), "policy files");
    look_at_library(report, "libcap-ng", "libcap-ng.so.0", "", "names of capabilities");
    look_at_library(report, "libsodium", "libsodium.so.23", "", "the chain of audit records");
}

/* The log that run and audit of this user mean; "" when the policy keeps no file. */
static void note_log(struct report *report, const struct sink_settings *sink)
{
    char *place = log_place(sink->path, false, &report->own_log);

    snprintf(report->log, sizeof(report->log), "%s", place != NULL ? place : sink->path);
    free(place);
}

/* Which kinds of sinks the policy has, where they are, and what happens when they fail. The texts
 * are copied, since the draft of the policy is freed before they are used. */
static void note_sinks(struct report *report, const struct draft_settings *settings)
{
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const struct sink_settings *sink = &settings->sinks[i].settings;
        report->wanted[sink->kind] = true;
        report->sinks[sink->kind] = *sink;
        if (sink->kind == SINK_FILE) {
            note_log(report, sink);
        } else if (sink->path != NULL) {
            snprintf(report->sink_path[sink->kind], sizeof(report->sink_path[0]), "%s", sink->path);
        }
    }
    report->sinks[SINK_FILE].path = report->log;
}

/* Read with the trust that the library asks for, so that a file with the wrong owner shows. What
 * the policy needs (gate, sinks, log) is noted for the later parts. The first error stands for all:
 * `miguard policy check` shows the others. */
static void look_at_policy(struct report *report, const char *path)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    struct finding *finding = add(report, "policy", "with a broken one no session is given out",
                                  "see miguard policy check");

    finding->needed = true;
    if (draft_load(&path, path != NULL ? 1 : 0, DRAFT_TRUST_ALL, &draft, &errors) == MIGUARD_OK) {
        judge(finding, true, "%u files, %u rules%s", draft->file_count, draft->rule_count,
              draft->file_count == 0 ? ": the built-in one" : "");
        report->gate = draft->settings.gate;
        note_sinks(report, &draft->settings);
        draft_free(draft);
    } else if (errors.count > 0) {
        judge(finding, false, "%s:%u: %s", errors.items[0].file, errors.items[0].line,
              errors.items[0].message);
    } else {
        judge(finding, false, "it cannot be read");
    }
    diagnostics_release(&errors);
}

/* The log that a policy or this user has, or the built-in place, where a broken policy is recorded.
 * The error texts of the library name the place already; EPERM and EIO are its own stand-ins and
 * would only confuse. */
static void look_at_log(struct report *report)
{
    static const struct sink_settings built_in = SINK_FILE_DEFAULT(AUDIT_DEFAULT_FILE);

    if (report->sinks[SINK_FILE].path == NULL) { /* where a broken policy is recorded */
        report->sinks[SINK_FILE] = built_in;
        note_log(report, &built_in);
        report->sinks[SINK_FILE].path = report->log;
    } else if (!report->wanted[SINK_FILE]) {
        return;
    }
    struct attempt error = try_log(&report->sinks[SINK_FILE], report->own_log);
    struct finding *finding = add(
        report, "audit-log", "a decision that cannot be recorded is a refusal",
        "a folder of root or of this user, mode 0755 or stricter, as all above it or sticky (chmod "
        "+t), with room in it; or another path in the policy");

    finding->needed = true;
    judge(finding, error.error == 0, "%.100s: %.240s%s%s", report->log,
          error.error == 0 ? "a record can be written" : error.detail,
          error.error == 0 || error.error == EPERM || error.error == EIO ? "" : ": ",
          error.error == 0 || error.error == EPERM || error.error == EIO
              ? ""
              : strerrordesc_np(error.error));
}

/* Which set running processes have, by the log that they write to. Without a log there is nothing
 * to say. */
static void look_at_processes(struct report *report)
{
    struct policy_status status;

    if (report->log[0] == '\0' || access(report->log, F_OK) != 0) {
        return;
    }
    struct finding *finding =
        add(report, "policy-in-force",
            "a process decides by the set that it loaded, not by what the disk has",
            "see miguard policy status; miguard_reload(), or watch: true in the policy");
    if (policy_status_read_log(report->log, &status) != CLI_YES) {
        judge(finding, false, "%.120s cannot be read to its end", report->log);
    } else if (status.walk.broken > 0) {
        judge(finding, false, "%.120s has malformed lines", report->log);
    } else if (status.behind == 0) {
        judge(finding, true, "%zu running processes, all with the set of the disk", status.count);
    } else {
        judge(finding, false, "%zu of %zu running processes have another set than the disk",
              status.behind, status.count);
    }
    policy_status_release(&status);
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Three lines for what does not work: what was found, what it is for, how to get it. */
static void print_text(const struct report *report)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct finding *finding = &report->list[i];
        bool missing = finding->needed && !finding->works;
        printf("%-3s%c %-22s", finding->works ? "yes" : "no", missing ? '!' : ' ', finding->name);
        print_safe(stdout, finding->found, false);
        printf("\n     for: %s\n", finding->why);
        if (!finding->works) {
            printf("     get: %s\n", finding->how);
        }
    }
}

/* False: out of memory, or stdout cannot be written. */
static int print_as_json(const struct report *report, bool well)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < report->count; i++) {
        const struct finding *finding = &report->list[i];
        char *found = valid_utf8(finding->found);
        json_array_append_new(list,
                              json_pack("{s:s, s:b, s:b, s:s?, s:s, s:s}", "name", finding->name,
                                        "works", finding->works, "needed", finding->needed, "found",
                                        found, "why", finding->why, "how", finding->how));
        free(found);
    }
    json_t *json = json_pack("{s:b, s:o}", "well", well, "findings", list);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    return printed;
}

/* The order of the output. */
static void look_at_all(struct report *report, const char *policy)
{
    look_at_policy(report, policy);
    look_at_log(report);
    look_at_processes(report);
    look_at_identity(report);
    look_at_system(report);
    look_at_sinks(report);
    look_at_capabilities(report);
    look_at_seccomp(report);
    look_at_libraries(report);
}

/* The report is static because of its size. CLI_NO when something that is needed does not work. */
static int run_doctor(const struct command_line *line)
{
    struct request request = {0};
    static struct report report = {.gate = MIGUARD_GATE_OPTIONS_INIT};
    int status = CLI_YES;

    report.gate.scope = MIGUARD_GATE_OFF;
    if (!command_parse(line, &request, &status)) {
        return status;
    }
    look_at_all(&report, policy_path(request.policy));
    bool well = true;
    for (unsigned i = 0; i < report.count; i++) {
        well = well && (report.list[i].works || !report.list[i].needed);
    }
    if (!request.json) {
        print_text(&report);
    } else if (!print_as_json(&report, well)) {
        return complain(CLI_UNABLE, "out of memory");
    }
    return well ? CLI_YES : CLI_NO;
}

COMMAND(miguard, doctor) = {
    .about = "Tries, in child processes, what the library may be asked for on this machine and as "
             "this user, and says for each whether it works, why it matters and how to get it. "
             "Nothing is changed. A line with ! is needed by the policy in force and missing.",
    .exits = "Exit status: 0 all that the policy needs is there, 1 something is not, 2 wrong "
             "usage, 3 it could not be found out.",
    OPTIONS(options),
    .run = run_doctor,
};
