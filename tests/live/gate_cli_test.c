/* SPDX-License-Identifier: MIT */
/* `miguard gate show`, `miguard doctor` and `miguard run --gate` as a user meets them. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT = 262144 };

static unsigned passed, failed;
static char output[OUTPUT];

static int run(const char *arguments)
{
    const char *out = getenv("OUT");
    char command[1024];

    snprintf(command, sizeof(command), "%s/miguard %s 2>&1", out != NULL ? out : "build",
             arguments);
    fflush(NULL);
    FILE *pipe = popen(command, "r");
    size_t length = pipe != NULL ? fread(output, 1, OUTPUT - 1, pipe) : 0;
    output[length] = '\0';
    int status = pipe != NULL ? pclose(pipe) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void expect(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n%s\n", what, output);
    }
}

static const struct row {
    const char *arguments;
    int status;
    const char *holds, *holds_not;
} rows[] = {
    {"gate show", 0, "PR_SET_SECUREBITS", "SIGSYS"},
    {"gate show", 0, "SECCOMP_FILTER_FLAG_TSYNC", "\033"},
    {"gate show --no-new-privs", 0, "setresuid", "TSYNC"},
    {"gate show --action kill", 0, "killed by SIGSYS", NULL},
    {"gate show --action=errno --scope=thread", 0, "EPERM", "SIGSYS"},
    {"gate show --report", 0, "EPERM, reported", NULL},
    {"gate show", 0, "setresuid", "io_uring"},
    {"gate show --deny-io-uring --action kill", 0, "io_uring_enter", NULL},
    {"gate show --deny-io-uring --json", 0, "\"io-uring\":\"deny\"", NULL},
    {"gate show --json", 0, "\"io-uring\":\"allow\"", "io_uring_setup"},
    {"gate show --bpf", 0, "COOKIE.high", "5ec2e7c0"},
    {"gate show --bpf", 0, "COOKIE.low", "dec00c1e"},
    {"gate show --bpf --action kill", 0, "answer kill process", "answer trap"},
    {"gate show --bpf --report", 0, "answer trap 0x6d67", "kill"},
    {"gate show --help", 0, "usage: miguard gate show", NULL},
    {"gate --help", 0, "usage: miguard gate COMMAND", NULL},
    {"gate", 2, "missing command; use show; see miguard gate --help", NULL},
    {"gate close", 2, "unknown command 'close'; use show", NULL},
    {"gate show process", 2, "unexpected argument", NULL},
    {"gate show --scope", 2, "needs a value", NULL},
    {"gate show --scope off", 2, "--scope 'off' is unknown; use thread, process or bounding", NULL},
    {"gate show --scope bounding", 0, "PR_CAPBSET_DROP", "setuid"},
    {"gate show --scope bounding --bpf", 0, "answer errno 3088", NULL},
    {"gate show --scope bounding --deny-io-uring", 2, "denies nothing else", NULL},
    {"gate show --action log", 2, "--action 'log' is unknown; use errno or kill", NULL},
    {"gate show --bfp", 2, "did you mean --bpf?", NULL},
    {"doctor --help", 0, "usage: miguard doctor", NULL},
    {"doctor now", 2, "unexpected argument", NULL},
    {"doctor --jsom", 2, "did you mean --json?", NULL},
    {"doctor --policy /nowhere/none.yaml", 1, "no ! policy", NULL},
    {"run --gate", 2, "needs a value", NULL},
    {"run --no-report get root/x C", 2, "--no-report needs --gate", NULL},
    {"run --gate off get root/x C", 2, "--gate 'off' is unknown; use thread or process", NULL},
};

static void check_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool good = run(rows[i].arguments) == rows[i].status &&
                    strstr(output, rows[i].holds) != NULL &&
                    (rows[i].holds_not == NULL || strstr(output, rows[i].holds_not) == NULL);
        expect(good, rows[i].arguments);
    }
}

static void check_gate_json(void)
{
    bool ran = run("gate show --json --bpf --scope thread --action kill") == 0;
    json_t *json = json_loads(output, 0, NULL);
    const char *scope = json_string_value(json_object_get(json, "scope"));
    const char *action = json_string_value(json_object_get(json, "action"));
    bool good = ran && scope != NULL && strcmp(scope, "thread") == 0 && action != NULL &&
                strcmp(action, "kill") == 0 &&
                json_array_size(json_object_get(json, "refused")) >= 20 &&
                json_array_size(json_object_get(json, "program")) > 50;
    expect(good, "gate show --json");
    json_decref(json);
}

static const json_t *finding(const json_t *json, const char *name)
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

static bool works(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(finding(json, name), "works"));
}

static bool complete(const json_t *item)
{
    static const char *const keys[] = {"name", "found", "why", "how"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *value = json_string_value(json_object_get(item, keys[i]));
        if (value == NULL || *value == '\0') {
            return false;
        }
    }
    return json_is_boolean(json_object_get(item, "works")) &&
           json_is_boolean(json_object_get(item, "needed"));
}

/* What it says must be so: what this test can try for itself, it compares. */
static void check_doctor(void)
{
    int status = run("doctor --json");
    json_t *json = json_loads(output, 0, NULL);
    bool all = json_array_size(json_object_get(json, "findings")) >= 25;
    size_t index;
    json_t *item;

    json_array_foreach(json_object_get(json, "findings"), index, item)
    {
        all = all && complete(item);
    }
    expect(all, "doctor --json: every finding is complete");
    expect(status == (json_is_true(json_object_get(json, "well")) ? 0 : 1),
           "doctor: the exit status is the answer");
    expect(works(json, "identity") && works(json, "wipe-on-fork"), "doctor: this process runs");
    expect(works(json, "syslog") == (access("/dev/log", F_OK) == 0) || geteuid() != 0,
           "doctor: syslog");
    expect(works(json, "proc-others") == (access("/proc/1/status", R_OK) == 0), "doctor: hidepid");
    expect(works(json, "switch") == (geteuid() == 0), "doctor: switch");
    expect(works(json, "libyaml") && works(json, "libseccomp"), "doctor: libraries");
    json_decref(json);
}

/* A process that may not do something is told so. */
static void check_doctor_less(void)
{
    if (geteuid() != 0 || system("command -v setpriv >/dev/null 2>&1") != 0) {
        printf("skip: doctor with less: needs root and setpriv\n");
        return;
    }
    char command[256];
    const char *out = getenv("OUT");
    snprintf(command, sizeof(command),
             "setpriv --bounding-set -sys_admin,-setuid --inh-caps -all %s/miguard doctor --json",
             out != NULL ? out : "build");
    FILE *pipe = popen(command, "r");
    size_t length = pipe != NULL ? fread(output, 1, OUTPUT - 1, pipe) : 0;
    output[length] = '\0';
    (void)pclose(pipe);
    json_t *json = json_loads(output, 0, NULL);
    expect(!works(json, "cap-sys-admin") && !works(json, "seccomp-privileged") &&
               !works(json, "cap-setuid") && !works(json, "switch") && works(json, "cap-setgid"),
           "doctor without CAP_SYS_ADMIN and CAP_SETUID");
    json_decref(json);
}

static bool gate_works(void)
{
    (void)run("doctor --json");
    json_t *json = json_loads(output, 0, NULL);
    bool yes = works(json, "gate");
    json_decref(json);
    return yes;
}

/* The example provider that switches by raw calls cannot any more; the library's way works. */
static void check_run(void)
{
    const char *out = getenv("OUT");
    char folder[] = "/tmp/miguard-gate-test-XXXXXX", arguments[512];

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        snprintf(arguments, sizeof(arguments),
                 "run --gate %s%s --audit %s/a.jsonl --module %s/providers/file.so get root/x "
                 "MG_File Path=/etc/passwd",
                 i == 0 ? "process" : "thread", geteuid() == 0 ? " --as nobody" : "", folder,
                 out != NULL ? out : "build");
        expect(run(arguments) == 0 && strstr(output, "/etc/passwd") != NULL, arguments);
    }
    snprintf(arguments, sizeof(arguments), "%s/a.jsonl", folder);
    unlink(arguments);
    rmdir(folder);
}

static unsigned count_of(const char *text)
{
    unsigned count = 0;

    for (const char *at = output; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        count++;
    }
    return count;
}

/* Changes of credentials by the impersonator are refused, and recorded or not as the options say:
 * all of them, with the place of each, also those just before the module is unloaded. */
static void check_report(const char *options, bool recorded)
{
    const char *out = getenv("OUT");
    char folder[] = "/run/miguard-gate-test-XXXXXX", arguments[512];

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(arguments, sizeof(arguments), "%s/p.yaml", folder);
    FILE *file = fopen(arguments, "w");
    if (file == NULL) {
        abort();
    }
    fputs("version: 1\naudit: { repeat-window: off }\n", file); /* each has a record of its own */
    fclose(file);
    snprintf(arguments, sizeof(arguments),
             "run %s --policy %s/p.yaml --audit %s/a.jsonl --module %s/providers/impersonator.so "
             "invoke root/test MG_Impersonator Act Name=setfsuid",
             options, folder, folder, out != NULL ? out : "build");
    expect(run(arguments) == 0, options);
    snprintf(arguments, sizeof(arguments), "audit search --decision deny --format json %s/a.jsonl",
             folder);
    (void)run(arguments);
    const unsigned strays = count_of("\"action\":\"gate\"");
    expect(strays == (recorded ? 13U : 0U), options);
    expect(strays == count_of("impersonator.so\",\"offset\":"), "each has its call site");
    snprintf(arguments, sizeof(arguments), "rm -rf %s", folder);
    expect(system(arguments) == 0, "rm");
}

static void check_reports(void)
{
    for (int i = 0; i < 3; i++) { /* what is written too late would be missing in some */
        check_report("--gate process", true);
    }
    check_report("--gate thread", true);
    check_report("--report", true);
    check_report("--report --gate thread", true);
    check_report("--gate process --no-report", false);
    check_report("--gate thread --no-report", false);
}

/* The gate of a policy is shown, kept by fmt, and asked for by the doctor. */
static void check_policy(void)
{
    char folder[] = "/tmp/miguard-gate-test-XXXXXX", path[64], arguments[256];

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/p.yaml", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        abort();
    }
    fprintf(file,
            "version: 1\ngate: { scope: thread, action: kill, report: true, io-uring: deny }\n");
    fclose(file);
    snprintf(arguments, sizeof(arguments), "policy show --policy %s", path);
    expect(run(arguments) == 0 && strstr(output, "gate:\n  scope: thread ") != NULL &&
               strstr(output, "\n  action: kill ") != NULL &&
               strstr(output, "\n  report: true ") != NULL &&
               strstr(output, "\n  io-uring: deny ") != NULL &&
               strstr(output, "p.yaml:2\n") != NULL,
           "policy show");
    snprintf(arguments, sizeof(arguments), "policy show --json --policy %s 2>/dev/null", path);
    expect(run(arguments) == 0 &&
               strstr(output, "\"gate\":{\"scope\":{\"value\":\"thread\",") != NULL,
           "policy show --json");
    snprintf(arguments, sizeof(arguments), "policy fmt %s", path);
    expect(run(arguments) == 0 && strstr(output, "action: kill") != NULL, "policy fmt");
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_rows();
    check_gate_json();
    check_doctor();
    check_doctor_less();
    check_policy();
    if (gate_works()) {
        check_run();
    }
    if (gate_works() && geteuid() == 0) {
        check_reports();
    } else {
        printf("skip: run --gate and what it records: needs seccomp filters, and root\n");
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
