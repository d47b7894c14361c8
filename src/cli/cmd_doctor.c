/* SPDX-License-Identifier: MIT */
/* miguard doctor: what works on this machine, found out by trying. */
#include "cli/cmd_policy.h"
#include "cli/doctor.h"
#include "cli/log_place.h"
#include "cli/policy_in_force.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yaml.h>

#include "identity/identity.h"

static const char help[] =
    "usage: miguard doctor [OPTION]...\n"
    "\n"
    "Tries, in child processes, what the library may be asked for on this machine and as this\n"
    "user, and tells for each whether it works, why it matters and how to get it. Nothing is\n"
    "changed. A line with ! is needed by the policy in force and missing.\n"
    "\n"
    "  --policy FILE|DIR  the policy, in place of $MIGUARD_POLICY and that in /etc/miguard\n"
    "  --json             one JSON object\n"
    "  --help             this text\n"
    "\n"
    "Exit status: 0 all that the policy needs is there, 1 something is not, 2 wrong usage,\n"
    "3 it could not be found out.\n";

static const char *const known[] = {"--policy", "--json", "--help", NULL};

struct request {
    const char *policy;
    bool json, help;
};

/* ---- what was found ------------------------------------------------------------------------ */

struct finding {
    const char *name;
    bool works, needed;
    char found[192];
    const char *why, *how;
};

enum { MAX_FINDINGS = 40 };

struct report {
    struct finding list[MAX_FINDINGS];
    unsigned count;
    bool gate_needed;
    char log[512];
    bool own_log; /* no policy's, but of the user who runs this */
};

static struct finding *add(struct report *report, const char *name, const char *why,
                           const char *how)
{
    struct finding *finding = &report->list[report->count++];

    *finding = (struct finding){.name = name, .why = why, .how = how};
    return finding;
}

static void judge(struct finding *finding, bool works, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void judge(struct finding *finding, bool works, const char *format, ...)
{
    va_list list;

    finding->works = works;
    va_start(list, format);
    vsnprintf(finding->found, sizeof(finding->found), format, list);
    va_end(list);
}

/* A try that answered an errno. */
static struct finding *tried(struct report *report, const char *name, int error, const char *why,
                             const char *how)
{
    struct finding *finding = add(report, name, why, how);

    if (error == EOWNERDEAD) {
        judge(finding, false, "the child that tried it was killed");
    } else {
        judge(finding, error == 0, "%s", error == 0 ? "tried" : strerrordesc_np(error));
    }
    return finding;
}

/* ---- the parts ------------------------------------------------------------------------------- */

static void look_at_identity(struct report *report)
{
    struct miguard_identity *identity = NULL;
    struct miguard_error error = {0};
    struct finding *finding =
        add(report, "identity", "without it no session is given out",
            "mount proc on /proc, without a sandbox that hides /proc/thread-self");

    finding->needed = true;
    bool captured = miguard_identity_capture(&identity, &error) == MIGUARD_OK;
    judge(finding, captured, "%s%s%s", captured ? "every component can be read" : error.step,
          captured ? "" : ": ", captured ? "" : error.detail);
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
    struct miguard_identity identity;
    bool captured = identity_capture(&identity, NULL) == MIGUARD_OK;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct finding *finding = add(report, wanted[i].name, wanted[i].why,
                                      "run as root, or give the capability to the service "
                                      "(systemd: AmbientCapabilities=)");
        bool has = captured && (identity.cap[IDENTITY_CAP_EFFECTIVE] >> wanted[i].number & 1) != 0;
        judge(finding, has, "%s", has ? "effective" : "not effective");
    }
    if (captured) {
        identity_release(&identity);
    }
}

static void look_at_seccomp(struct report *report)
{
    static const char kernel[] = "a kernel with CONFIG_SECCOMP_FILTER, and no sandbox around this "
                                 "that refuses seccomp(2)";

    (void)tried(report, "seccomp", try_filter(), "the gate is a seccomp filter", kernel);
    (void)tried(report, "seccomp-unprivileged", try_unprivileged_filter(),
                "the gate without CAP_SYS_ADMIN, under no_new_privs", kernel);
    (void)tried(report, "seccomp-privileged", try_privileged_filter(),
                "the gate without no_new_privs, which is a compared component",
                "CAP_SYS_ADMIN in the user namespace");
    (void)tried(report, "seccomp-tsync", try_filter_on_threads(),
                "gate: { scope: process } beside running threads", "Linux 3.17 or later");
    (void)tried(report, "seccomp-errno", try_action(SECCOMP_RET_ERRNO), "gate: { action: errno }",
                kernel);
    (void)tried(report, "seccomp-kill", try_action(SECCOMP_RET_KILL_PROCESS),
                "gate: { action: kill }", "Linux 4.14 or later");
    (void)tried(report, "seccomp-trap", try_action(SECCOMP_RET_TRAP), "gate: { report: yes }",
                kernel);
    struct finding *ring =
        add(report, "io-uring-free",
            "a ring serves requests with credentials that it keeps, past each switch and drop",
            "gate: { scope: process, io-uring: deny }, or sysctl kernel.io_uring_disabled=2");
    int error = try_io_uring();
    judge(ring, error != 0, "%s",
          error == 0 ? "tried: this process could keep its own" : strerrordesc_np(error));
    struct finding *gate =
        tried(report, "gate", try_gate(),
              "changes of credentials past the library are refused, and the guard needs no system "
              "call",
              kernel);
    gate->needed = report->gate_needed;
}

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

static void look_at_system(struct report *report)
{
    struct utsname system;
    struct finding *finding =
        tried(report, "wipe-on-fork", try_wipe_on_fork(),
              "a session must be worthless in a forked child", "Linux 4.14 or later");

    finding->needed = true;
    if (finding->works && uname(&system) == 0) {
        judge(finding, true, "tried, Linux %s %s", system.release, system.machine);
    }
    finding = add(report, "proc-others", "miguard identity show of other users' processes",
                  "mount proc without hidepid=1 or 2, or run as root");
    judge(finding, readable("/proc/1/status"), "/proc/1/status is %s",
          readable("/proc/1/status") ? "readable" : "not readable (hidepid?)");
    (void)tried(report, "switch", try_switch(), "providers that become another user",
                "CAP_SETUID and CAP_SETGID");
    (void)tried(report, "user-namespaces", try_user_namespace(),
                "trying things out without root; nothing of miguard needs them",
                "sysctl user.max_user_namespaces above 0, and a distribution that allows them");
    (void)tried(report, "audit-netlink", try_audit_netlink(), "records in the kernel's audit log",
                "a kernel with CONFIG_AUDIT, and not from within a container's namespaces");
    (void)tried(report, "syslog", try_socket("/dev/log"), "records to syslog",
                "a syslog daemon that reads /dev/log");
    (void)tried(report, "journald", try_socket("/run/systemd/journal/socket"),
                "records to the journal", "systemd-journald");
}

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
static void note_log(struct report *report, const struct draft_settings *settings)
{
    const struct sink_settings *sink = log_sink(settings);
    char *place = sink != NULL ? log_place(sink->path, false, &report->own_log) : NULL;

    snprintf(report->log, sizeof(report->log), "%s",
             place != NULL  ? place
             : sink != NULL ? sink->path
                            : "");
    free(place);
}

static void look_at_policy(struct report *report, const char *path)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    struct finding *finding = add(report, "policy", "with a broken one no session is given out",
                                  "miguard policy check tells what is wrong, and where");

    finding->needed = true;
    snprintf(report->log, sizeof(report->log), "%s", AUDIT_DEFAULT_FILE);
    if (draft_load(&path, path != NULL ? 1 : 0, DRAFT_TRUST_ALL, &draft, &errors) == MIGUARD_OK) {
        judge(finding, true, "%u files, %u rules%s", draft->file_count, draft->rule_count,
              draft->file_count == 0 ? ": the built-in one" : "");
        report->gate_needed = draft->settings.gate.scope != MIGUARD_GATE_OFF;
        note_log(report, &draft->settings);
        draft_free(draft);
    } else if (errors.count > 0) {
        judge(finding, false, "%s:%u: %s", errors.items[0].file, errors.items[0].line,
              errors.items[0].message);
    } else {
        judge(finding, false, "it cannot be read");
    }
    diagnostics_release(&errors);
}

static void look_at_log(struct report *report)
{
    if (report->log[0] == '\0') {
        return;
    }
    int error = try_append(report->log, report->own_log);
    struct finding *finding =
        tried(report, "audit-log", error, "a decision that cannot be recorded is a refusal",
              "a folder of root or of this user, mode 0755 or stricter; or "
              "another path in the policy");

    finding->needed = true;
    judge(finding, error == 0, "%.120s: %s", report->log,
          error == 0       ? "can be appended to"
          : error == EXDEV ? "others may write its folder"
                           : strerrordesc_np(error));
}

/* Which set running processes have, by the log that they write to. */
static void look_at_processes(struct report *report)
{
    struct policy_status status;

    if (report->log[0] == '\0' || access(report->log, F_OK) != 0) {
        return;
    }
    struct finding *finding =
        add(report, "policy-in-force",
            "a process decides by the set that it loaded, not by what the disk has",
            "miguard policy status tells which; miguard_reload(), or watch: true in the policy");
    if (policy_status_read_log(report->log, &status) != CLI_YES) {
        judge(finding, false, "%.120s cannot be read to its end", report->log);
    } else if (status.behind == 0) {
        judge(finding, true, "%zu running processes, all with the set of the disk", status.count);
    } else {
        judge(finding, false, "%zu of %zu running processes have another set than the disk",
              status.behind, status.count);
    }
    policy_status_release(&status);
}

/* ---- output ---------------------------------------------------------------------------------- */

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

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard doctor", .known = known};

    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            return complain(CLI_USAGE, "miguard doctor: '%s' is too much", arguments.operand);
        }
        if (arguments_is(&arguments, "--json")) {
            request->json = true;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            request->help = true;
        } else if (!arguments_value(&arguments, "--policy", &request->policy)) {
            return arguments_unknown(&arguments);
        }
    }
    return arguments.failed ? CLI_USAGE : CLI_YES;
}

int cmd_doctor(int count, char **arguments)
{
    struct request request = {0};
    struct report report = {.count = 0};
    int status = parse(count, arguments, &request);

    if (status != CLI_YES) {
        return status;
    }
    if (request.help) {
        fputs(help, stdout);
        return CLI_YES;
    }
    look_at_policy(&report, policy_path(request.policy));
    look_at_log(&report);
    look_at_processes(&report);
    look_at_identity(&report);
    look_at_system(&report);
    look_at_capabilities(&report);
    look_at_seccomp(&report);
    look_at_libraries(&report);
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
