/* SPDX-License-Identifier: MIT */
/*
 * `miguard doctor` where something is missing, denied or a lie: each line says what is so, and the
 * advice names what is missing and not what is there. Each row runs the command in a child that was
 * put into those conditions.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT = 131072, CANNOT = 77 };

static unsigned passed, failed, skipped;
static char output[OUTPUT], folder[64], command[PATH_MAX + 16];

/* ---- conditions ------------------------------------------------------------------------------ */

/* Answers false where this machine cannot have them. */
typedef bool (*condition)(const char *argument);

static bool load(scmp_filter_ctx filter)
{
    bool loaded = filter != NULL && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return loaded;
}

static bool deny(const char *call)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(call), 0) ==
               0 &&
           load(filter);
}

/* As emulators and some sandboxes do: 0, and nothing done. */
static bool lie_about_wiping(const char *unused)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    (void)unused;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(madvise), 1,
                            SCMP_A2(SCMP_CMP_EQ, MADV_WIPEONFORK, 0)) == 0 &&
           load(filter);
}

/* Actions are said to be there, and are not. */
static bool allow_no_filter(const char *unused)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    (void)unused;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(seccomp), 1,
                            SCMP_A0(SCMP_CMP_EQ, 1 /* SECCOMP_SET_MODE_FILTER */, 0)) == 0 &&
           load(filter);
}

static bool own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool cover(const char *place)
{
    return own_mounts() && mount("none", place, "tmpfs", 0, "mode=755") == 0;
}

static bool without_map(const char *unused)
{
    (void)unused;
    return unshare(CLONE_NEWUSER) == 0;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        _exit(CANNOT);
    }
}

/* Root, and nobody else. */
static bool one_id(const char *unused)
{
    char map[32];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    (void)unused;
    if (unshare(CLONE_NEWUSER) != 0) {
        return false;
    }
    put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", uid);
    put("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", gid);
    put("/proc/self/gid_map", map);
    return true;
}

/* Somebody listened, and went. */
static bool stale_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    (void)unlink(address.sun_path);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return bound;
}

static bool listener(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    (void)unlink(address.sun_path);
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 4) == 0;
}

static bool run_shell(const char *format)
{
    char text[512];

    snprintf(text, sizeof(text), format, folder);
    return system(text) == 0;
}

static bool without_capability(const char *name)
{
    return prctl(PR_CAPBSET_DROP, atoi(name), 0, 0, 0) == 0;
}

static bool full(const char *place)
{
    char path[128], filler[160];

    snprintf(path, sizeof(path), "%s/%s", folder, place);
    if (!own_mounts() || (mkdir(path, 0755) != 0 && errno != EEXIST) ||
        mount("none", path, "tmpfs", 0, "mode=755,size=4096") != 0) {
        return false;
    }
    snprintf(filler, sizeof(filler), "head -c 4096 /dev/zero >%s/filler", path);
    return system(filler) == 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct row {
    const char *what;
    condition condition;
    const char *argument;
    const char *policy; /* %s: the folder of the test */
    const char *line;
    bool works, needed;
    const char *found, *how, *how_not; /* texts in them; NULL: any */
    bool in_userns;                    /* needs no more than the machine lets anybody have */
} rows[] = {
    /* With the uids the kernel gives a user all that it is to have: there is nothing to set. */
    {"capset denied, the switch", deny, "capset", NULL, "switch", true, false, NULL, NULL, NULL,
     false},
    {"capset denied, the capability", deny, "capset", NULL, "cap-setuid", true, false, NULL, NULL,
     NULL, false},
    {"setresuid denied, the switch", deny, "setresuid", NULL, "switch", false, false, "setresuid",
     "denies setresuid(2)", "CAP_SET", false},
    {"setresuid denied, the capability", deny, "setresuid", NULL, "cap-setuid", false, false,
     "effective, but setresuid(2): Operation not permitted", "must let setresuid(2) through",
     "AmbientCapabilities", false},
    {"setgroups denied, the switch", deny, "setgroups", NULL, "switch", false, false, "setgroups",
     "denies setgroups(2)", "CAP_SET", false},
    {"setgroups denied, the capability", deny, "setgroups", NULL, "cap-setgid", false, false,
     "effective, but setgroups(2)", "must let setgroups(2) through", NULL, false},
    {"no CAP_SETUID", without_capability, "7", NULL, "switch", false, false, NULL, "CAP_SETUID",
     "CAP_SETGID", false},
    {"no CAP_SETUID, the capability", without_capability, "7", NULL, "cap-setuid", false, false,
     "not effective", "AmbientCapabilities", NULL, false},
    {"no CAP_SETGID", without_capability, "6", NULL, "switch", false, false, NULL, "CAP_SETGID",
     "CAP_SETUID", false},
    {"the only id of a namespace", one_id, NULL, NULL, "switch", false, false, "no other id",
     "maps more than one user", "CAP_SET", true},
    {"the only id, filters without privilege", one_id, NULL, NULL, "seccomp-unprivileged", true,
     false, NULL, NULL, NULL, true},
    {"a namespace without a map", without_map, NULL, NULL, "identity", false, true, "unmapped id",
     "uid_map", "/proc,", true},
    {"no /proc, the identity", cover, "/proc", NULL, "identity", false, true, "cannot be read",
     "mount proc on /proc", NULL, false},
    {"no /proc, others", cover, "/proc", NULL, "proc-others", false, false, "No such file",
     "mount proc on /proc", "hidepid", false},
    {"madvise lies", lie_about_wiping, NULL, NULL, "wipe-on-fork", false, true,
     "answered 0, and nothing was wiped", "emulator or sandbox", NULL, true},
    {"madvise denied", deny, "madvise", NULL, "wipe-on-fork", false, true,
     "madvise(2): Operation not permitted", NULL, NULL, true},
    {"no filter may be loaded, errno", allow_no_filter, NULL, NULL, "seccomp-errno", false, false,
     "Permission denied", "denies seccomp(2)", NULL, true},
    {"no filter may be loaded, kill", allow_no_filter, NULL, NULL, "seccomp-kill", false, false,
     NULL, NULL, NULL, true},
    {"no filter may be loaded, trap", allow_no_filter, NULL, NULL, "seccomp-trap", false, false,
     NULL, NULL, NULL, true},
    {"no filter may be loaded, with privilege", allow_no_filter, NULL, NULL, "seccomp-privileged",
     false, false, NULL, "denies seccomp(2)", "CAP_SYS_ADMIN", false},
    {"no filter may be loaded, the capability", allow_no_filter, NULL, NULL, "cap-sys-admin", false,
     false, "effective, but seccomp(2)", "must let seccomp(2) through", "root", false},
    {"no filter without privilege", without_capability, "21", NULL, "seccomp-privileged", false,
     false, NULL, "CAP_SYS_ADMIN", "sandbox", false},
    {"no filter may be loaded, a gate in the policy", allow_no_filter, NULL,
     "gate: { scope: process }\n", "gate", false, true, NULL, NULL, NULL, false},
    {"a gate that kills", NULL, NULL, "gate: { scope: thread, action: kill }\n", "gate", true, true,
     "tried", NULL, NULL, false},
    {"a gate that reports", NULL, NULL, "gate: { scope: process, report: true }\n", "gate", true,
     true, "tried", NULL, NULL, false},
    {"no journal", cover, "/run", "audit: { sinks: [ { journald: {} } ] }\n", "journald", false,
     true, "goes on without (on-failure: count)", "systemd-journald", NULL, false},
    {"no journal, and it must be", cover, "/run",
     "audit: { sinks: [ { journald: { on-failure: deny } } ] }\n", "journald", false, true,
     "gives out no session without", "systemd-journald", NULL, false},
    {"no journal, nobody wants it", cover, "/run", NULL, "journald", false, false, "No such file",
     NULL, NULL, false},
    {"nobody at a socket any more", stale_socket, "gone",
     "audit: { sinks: [ { syslog: { socket: %s/gone } } ] }\n", "syslog", false, true,
     "Connection refused", "/gone", "/dev/log", false},
    {"a socket of lines", listener, "lines",
     "audit: { sinks: [ { syslog: { socket: %s/lines } } ] }\n", "syslog", true, true, "tried",
     NULL, NULL, false},
    {"the kernel's audit without its capability", without_capability, "29",
     "audit: { sinks: [ { audit: {} } ] }\n", "cap-audit-write", false, true, "not effective", NULL,
     NULL, false},
    {"the kernel's audit without its capability, the sink", without_capability, "29",
     "audit: { sinks: [ { audit: {} } ] }\n", "audit-netlink", false, true, NULL, "CAP_AUDIT_WRITE",
     NULL, false},
    {"a log folder that is missing", run_shell, "true",
     "audit: { sinks: [ { file: { path: %s/new/a.jsonl } } ] }\n", "audit-log", true, true,
     "a record can be written", NULL, NULL, false},
    {"a log folder that is missing below one that is", run_shell, "true",
     "audit: { sinks: [ { file: { path: %s/none/new/a.jsonl } } ] }\n", "audit-log", false, true,
     "/none, in which its folder would be made: No such file", NULL, NULL, false},
    {"a log folder that is missing where others write", run_shell, "mkdir -p -m 1777 %s/open",
     "audit: { sinks: [ { file: { path: %s/open/new/a.jsonl } } ] }\n", "audit-log", false, true,
     "/open: the folder is writable by", NULL, NULL, false},
    {"a log folder that is missing where a group writes", run_shell,
     "mkdir -p %1$s/group && chmod 775 %1$s/group",
     "audit: { sinks: [ { file: { path: %s/group/new/a.jsonl } } ] }\n", "audit-log", false, true,
     "or chmod +t and make the log's folder yourself", NULL, NULL, false},
    {"a log folder below one that a group writes, as /var/log", run_shell,
     "mkdir -p %1$s/group2/log && chmod 775 %1$s/group2",
     "audit: { sinks: [ { file: { path: %s/group2/log/a.jsonl } } ] }\n", "audit-log", false, true,
     "or chmod +t and make the log's folder yourself", NULL, NULL, false},
    {"the same with what it says", run_shell,
     "mkdir -p %1$s/group3/log && chmod 775 %1$s/group3 && chmod +t %1$s/group3",
     "audit: { sinks: [ { file: { path: %s/group3/log/a.jsonl } } ] }\n", "audit-log", true, true,
     "a record can be written", NULL, NULL, false},
    {"a log folder behind a link", run_shell, "mkdir -p %1$s/real && ln -sfn real %1$s/link",
     "audit: { sinks: [ { file: { path: %s/link/new/a.jsonl } } ] }\n", "audit-log", false, true,
     "symbolic link", NULL, NULL, false},
    {"a log folder that others write", run_shell, "mkdir -p %1$s/open2 && chmod 777 %1$s/open2",
     "audit: { sinks: [ { file: { path: %s/open2/a.jsonl } } ] }\n", "audit-log", false, true,
     "/open2: the folder is writable by", NULL, NULL, false},
    {"a log that is a folder", run_shell, "mkdir -p %1$s/log1/a.jsonl",
     "audit: { sinks: [ { file: { path: %s/log1/a.jsonl } } ] }\n", "audit-log", false, true,
     "a.jsonl", NULL, NULL, false},
    {"a log that others write", run_shell,
     "mkdir -p %1$s/log2 && touch %1$s/log2/a.jsonl && chmod 666 %1$s/log2/a.jsonl",
     "audit: { sinks: [ { file: { path: %s/log2/a.jsonl } } ] }\n", "audit-log", false, true,
     "is writable by others", NULL, NULL, false},
    {"a log with a damaged state", run_shell,
     "mkdir -p %1$s/log3 && head -c 5000 /dev/urandom >%1$s/log3/a.jsonl.state",
     "audit: { sinks: [ { file: { path: %s/log3/a.jsonl } } ] }\n", "audit-log", false, true,
     "state", NULL, NULL, false},
    {"a log without the key that the policy wants", run_shell, "mkdir -p %1$s/log4",
     "audit: { sinks: [ { file: { path: %s/log4/a.jsonl, chain: required } } ] }\n", "audit-log",
     false, true, "wants a chain with a key", NULL, NULL, false},
    {"a full disk", full, "disk", "audit: { sinks: [ { file: { path: %s/disk/a.jsonl } } ] }\n",
     "audit-log", false, true, "No space left", NULL, NULL, false},
    {"a broken policy", NULL, NULL, "rules: 7\n", "policy", false, true, "p.yaml:2", NULL, NULL,
     false},
};

/* ---- running --------------------------------------------------------------------------------- */

static void in_conditions(const struct row *row, const char *policy, int to)
{
    if (row->condition != NULL && !row->condition(row->argument)) {
        _exit(CANNOT);
    }
    dup2(to, STDOUT_FILENO);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    execl(command, command, "doctor", "--json", policy != NULL ? "--policy" : NULL, policy, NULL);
    _exit(CANNOT);
}

/* The exit status, with what was printed in output. */
static int run_row(const struct row *row, const char *policy)
{
    int ends[2], status = 0;
    size_t length = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        abort();
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        in_conditions(row, policy, ends[1]);
    }
    close(ends[1]);
    for (ssize_t more = 1; more > 0 && length < OUTPUT - 1; length += (size_t)more) {
        more = read(ends[0], output + length, OUTPUT - 1 - length);
        more = more < 0 ? 0 : more;
    }
    output[length] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static const json_t *find(const json_t *json, const char *name)
{
    size_t index;
    json_t *item;

    json_array_foreach(json_object_get(json, "findings"), index, item)
    {
        const char *found = json_string_value(json_object_get(item, "name"));
        if (found != NULL && strcmp(found, name) == 0) {
            return item;
        }
    }
    return NULL;
}

static bool holds(const json_t *item, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(item, key));
    return text == NULL || (value != NULL && strstr(value, text) != NULL);
}

static bool is_right(const struct row *row, int status)
{
    json_t *json = json_loads(output, 0, NULL);
    const json_t *item = find(json, row->line);
    bool missing = row->needed && !row->works;

    bool right = item != NULL && json_is_true(json_object_get(item, "works")) == row->works &&
                 json_is_true(json_object_get(item, "needed")) == row->needed &&
                 holds(item, "found", row->found) && holds(item, "how", row->how) &&
                 (row->how_not == NULL || !holds(item, "how", row->how_not)) &&
                 status == (json_is_true(json_object_get(json, "well")) ? 0 : 1) &&
                 (!missing || status == 1);
    if (!right) {
        char *text = json_dumps(item, JSON_COMPACT);
        printf("FAIL %s: exit %d, %s\n", row->what, status, text != NULL ? text : output);
        free(text);
    }
    json_decref(json);
    return right;
}

static void check_row(const struct row *row)
{
    char path[96], text[512];
    int length = snprintf(text, sizeof(text), "version: 1\n");

    if (geteuid() != 0 && !row->in_userns) {
        printf("skip: doctor, %s: needs root\n", row->what);
        skipped++;
        return;
    }
    snprintf(path, sizeof(path), "%s/p.yaml", folder);
    if (row->policy != NULL) {
        snprintf(text + length, sizeof(text) - (size_t)length, row->policy, folder);
        put(path, text);
    }
    int status = run_row(row, row->policy != NULL ? path : NULL);
    if (status == CANNOT) {
        printf("skip: doctor, %s: this machine cannot have it\n", row->what);
        skipped++;
        return;
    }
    bool right = is_right(row, status);
    passed += right;
    failed += !right;
}

/* Nothing that was tried is still there. */
static void check_nothing_left(void)
{
    char text[640];

    snprintf(text, sizeof(text),
             "[ -z \"$(find %1$s -name '.miguard*')\" ] && [ ! -e %1$s/new ] && "
             "[ ! -e %1$s/real/new ] && [ -z \"$(find %1$s -name '*.state' ! -path '*/log3/*')\" ]",
             folder);
    bool right = system(text) == 0;
    passed += right;
    failed += !right;
    printf("%s", right ? "" : "FAIL something was left behind\n");
}

/* A policy may not lie below /tmp. */
static void prepare(void)
{
    const char *out = getenv("OUT");
    char place[PATH_MAX];

    if (realpath(out != NULL ? out : "build", place) == NULL) {
        abort();
    }
    snprintf(command, sizeof(command), "%s/miguard", place);
    setenv("LD_LIBRARY_PATH", place, 1); /* $ORIGIN needs /proc */
    unsetenv("MIGUARD_POLICY");
    snprintf(folder, sizeof(folder), "/var/tmp/miguard-doctor-XXXXXX");
    if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("none", "/mnt", "tmpfs", 0, "mode=755") == 0) {
        snprintf(folder, sizeof(folder), "/mnt/miguard-doctor-XXXXXX");
    }
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        abort();
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i]);
    }
    if (geteuid() == 0) {
        check_nothing_left();
    }
    (void)run_shell("rm -rf %s");
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
