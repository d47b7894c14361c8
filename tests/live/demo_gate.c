/* SPDX-License-Identifier: MIT */
#include "live/demo_gate.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "support/raw.h"
#include "support/record.h"

enum { STRAY = 65534, PATIENCE = 3000 /* times 10 ms */ };

static const char *const *words;
static struct demo_counts counts;

static void report(bool well, const char *what, const char *how)
{
    printf("%s %-22s %s\n", words[well ? 0 : 1], what, how);
    counts.passed += well;
    counts.failed += !well;
}

/* ---- the third party ----------------------------------------------------------------------- */

/* Not static: the record is to show their names. Each means to leave root for its own work. */
__attribute__((visibility("default"))) int third_party_setuid(void);
__attribute__((visibility("default"))) int third_party_raw(void);

__attribute__((noinline)) int third_party_setuid(void)
{
    int result = setuid(STRAY);
    __asm__ volatile("" : "+r"(result)); /* no tail call: the call site is here */
    return result;
}

__attribute__((noinline)) int third_party_raw(void)
{
    int result = (int)syscall(SYS_setresuid, STRAY, STRAY, STRAY);
    __asm__ volatile("" : "+r"(result));
    return result;
}

/* ---- two threads --------------------------------------------------------------------------- */

static pid_t other; /* a thread that does something else */

static void *wait_for_ever(void *ready)
{
    other = gettid();
    pthread_barrier_wait(ready);
    for (;;) {
        pause();
    }
    return NULL;
}

static bool start_other(void)
{
    static pthread_barrier_t ready;
    pthread_t thread;

    if (pthread_barrier_init(&ready, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, wait_for_ever, &ready) != 0) {
        return false;
    }
    pthread_barrier_wait(&ready);
    return true;
}

static unsigned euid_of(pid_t tid)
{
    char path[64], line[128];
    unsigned ruid = 0, euid = (unsigned)-1;

    snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL &&
           sscanf(line, "Uid: %u %u", &ruid, &euid) != 2) {
    }
    if (status != NULL) {
        fclose(status);
    }
    return euid;
}

static void try_stray(const char *what, int (*function)(void), bool refused)
{
    char how[128];
    unsigned before = euid_of(other), mine = euid_of(gettid());

    errno = 0;
    int result = function();
    int error = errno;
    unsigned after = euid_of(other), mine_after = euid_of(gettid());
    snprintf(how, sizeof(how), "this thread uid %u > %u, the other %u > %u: %s", mine, mine_after,
             before, after, result == 0 ? "done, and nothing stopped it" : strerrorname_np(error));
    report(refused ? result == -1 && error == EPERM && mine_after == mine && after == before
                   : result == 0 && mine_after == STRAY,
           what, how);
}

/* ---- what is in the log ---------------------------------------------------------------------- */

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static void show_record(const json_t *record, const char *by, bool *found)
{
    const json_t *own = json_object_get(record, "miguard");
    const json_t *site = json_object_get(own, "call_site");
    char how[256];

    if (*found || strcmp(text_in(json_object_get(record, "event"), "reason"), "gate") != 0 ||
        strcmp(text_in(site, "symbol"), by) != 0) {
        return;
    }
    const char *module = text_in(site, "module"), *slash = strrchr(module, '/');
    snprintf(how, sizeof(how), "%s in %s+0x%llx, %s", text_in(own, "attempt"),
             slash != NULL ? slash + 1 : module, strtoull(text_in(site, "offset"), NULL, 16), by);
    report(true, "the record", how);
    *found = true;
}

static bool find_record(const char *path, const char *by)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = fopen(path, "re");

    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *record = record_json(line, strlen(line));
        show_record(record, by, &found);
        json_decref(record);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* The gate tells on a thread of its own. */
static void show_who_tried(const char *path, const char *by)
{
    bool found = false;

    for (int i = 0; i < PATIENCE && !found; i++) {
        found = find_record(path, by);
        if (!found) {
            usleep(10000);
        }
    }
    if (!found) {
        report(false, "the record", "it does not say who tried");
    }
}

/* ---- the two acts ---------------------------------------------------------------------------- */

static void without_gate(const char *path)
{
    (void)path;
    try_stray("setuid(3)", third_party_setuid, false);
    printf("     ^ the hole: all threads of the process are another user now, sessions and all\n");
}

static void switch_on_purpose(void)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
    struct miguard_target *target = NULL;
    char how[96];

    unsigned there = 0;
    bool well = miguard_target_ids(STRAY, STRAY, &none, &target, NULL) == MIGUARD_OK &&
                miguard_switch_to(target, NULL) == MIGUARD_OK;
    there = euid_of(gettid());
    well = well && there == STRAY && euid_of(other) == 0 &&
           miguard_switch_back(NULL) == MIGUARD_OK && euid_of(gettid()) == 0;
    snprintf(how, sizeof(how), "this thread uid 0 > %u > %u, the other %u", there,
             euid_of(gettid()), euid_of(other));
    report(well, "miguard_switch_to()", how);
    miguard_target_free(target);
}

static void with_gate(const char *path)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    config.audit_file = path;
    options.report = !RAW_HIDDEN_THREAD; /* a sanitizer's thread blocks the signal of a report */
    if (miguard_configure(&config, &error) != MIGUARD_OK ||
        miguard_gate_close(&options, &error) != MIGUARD_OK) {
        report(false, error.step, error.detail);
        return;
    }
    try_stray("setuid(3)", third_party_setuid, true);
    try_stray("raw setresuid(2)", third_party_raw, true);
    if (options.report != 0) {
        show_who_tried(path, "third_party_setuid");
        show_who_tried(path, "third_party_raw");
    }
    switch_on_purpose();
}

/* The counts come back through the pipe. */
static void run_apart(void (*act)(const char *path), const char *path)
{
    struct demo_counts theirs = {0, 0, 0};
    int ends[2];

    fflush(NULL);
    pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child == 0) {
        counts = theirs;
        if (start_other()) {
            act(path);
        }
        fflush(NULL);
        (void)!write(ends[1], &counts, sizeof(counts));
        _exit(0);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs);
    close(ends[0]);
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    counts.passed += theirs.passed;
    counts.failed += theirs.failed + (told && theirs.passed + theirs.failed > 0 ? 0 : 1);
}

static void remove_log(char *path)
{
    char state[80];

    snprintf(state, sizeof(state), "%s.state", path);
    unlink(state);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

/* In a user namespace with one user there is nobody to become. */
static bool can_become(void)
{
    fflush(NULL);
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        _exit(raw_setresuid(STRAY, STRAY, STRAY) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

struct demo_counts demo_gate(const char *const line_words[3])
{
    char folder[] = "/tmp/miguard-demo.XXXXXX", path[64];

    words = line_words;
    printf("\nCode of a third party changes its identity\n");
    if (!can_become()) {
        printf("%s %-22s no other user to become here\n", words[2], "setuid(3)");
        counts.skipped++;
        return counts;
    }
    run_apart(without_gate, NULL);
    if (mkdtemp(folder) == NULL) {
        report(false, "mkdtemp", strerror(errno));
        return counts;
    }
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    printf("Behind the gate\n");
    run_apart(with_gate, path);
    remove_log(path);
    return counts;
}
