/* SPDX-License-Identifier: MIT */
/*
 * A drop of a process with a guarded gateway at work: the library's own threads, which no signal
 * reaches, are in nobody's way, none keeps what the others gave up, and decisions are still
 * recorded. And what of switches, drops and the gate is in the log.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit/audit.h"
#include "miguard.h"
#include "support/elsewhere.h"
#include "support/entry_points.h"
#include "support/log.h"
#include "support/raw.h"

enum { SOMEBODY = 54321, PATIENCE = 3000 }; /* times 10 ms */

static const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

/* Below /run, since /tmp can be written by everybody and a policy there is refused. */
static char folder[64], policy_file[128];

static int write_policy(const char *text)
{
    char fresh[160];

    snprintf(fresh, sizeof(fresh), "%s/fresh", folder);
    FILE *file = fopen(fresh, "w");
    EXPECT(file != NULL);
    fputs(text, file);
    EXPECT(fchmod(fileno(file), 0644) == 0);
    fclose(file);
    EXPECT(rename(fresh, policy_file) == 0);
    return 0;
}

static int configure(const char *policy)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    EXPECT(write_policy(policy) == 0);
    config.audit_file = log_path();
    config.policy = policy_file;
    config.repeat_window = 0;
    if (miguard_configure(&config, &error) != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", error.step, error.detail);
        return __LINE__;
    }
    /* Who this process becomes looks into the log. */
    char log_folder[300];
    snprintf(log_folder, sizeof(log_folder), "%s", log_path());
    *strrchr(log_folder, '/') = '\0';
    EXPECT(chmod(log_folder, 0755) == 0 && chmod(log_path(), 0644) == 0);
    return 0;
}

/* Made once in each process. */
static struct miguard_target *somebody(void)
{
    static struct miguard_target *target;

    if (target == NULL &&
        miguard_target_ids(SOMEBODY, SOMEBODY, &none, &target, NULL) != MIGUARD_OK) {
        return NULL;
    }
    return target;
}

/* ---- the threads of this process --------------------------------------------------------- */

/* How many block all signals but a few: those of the library, and none of the test's. When uid is
 * not -1, those that have another fsuid are counted as well. */
static int count_threads(bool muted, uid_t other_than)
{
    char path[300], line[256];
    int count = 0;
    DIR *all = opendir("/proc/self/task");

    for (const struct dirent *one; all != NULL && (one = readdir(all)) != NULL;) {
        unsigned long long blocked = 0;
        unsigned uid[4] = {0, 0, 0, 0};
        if (one->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", one->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
            (void)!sscanf(line, "SigBlk: %llx", &blocked);
            (void)!sscanf(line, "Uid: %u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]);
        }
        if (status != NULL) {
            fclose(status);
        }
        bool is_muted = (blocked >> (SIGTERM - 1) & 1) != 0;
        count += muted ? is_muted : uid[0] != other_than || uid[3] != other_than;
    }
    if (all != NULL) {
        closedir(all);
    }
    return count;
}

static bool has_muted(int least)
{
    for (int i = 0; i < PATIENCE && count_threads(true, 0) < least; i++) {
        usleep(10000);
    }
    return count_threads(true, 0) >= least;
}

static bool falls_to(int most)
{
    for (int i = 0; i < PATIENCE && count_threads(true, 0) > most; i++) {
        usleep(10000);
    }
    return count_threads(true, 0) == most;
}

static void *stand_by(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

static void *stand_deaf(void *unused)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return stand_by(unused);
}

static int start_threads(int count, void *(*body)(void *))
{
    pthread_t thread;

    for (int i = 0; i < count; i++) {
        EXPECT(pthread_create(&thread, NULL, body, NULL) == 0);
    }
    return 0;
}

static MI_Result use(struct scene *scene)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    MI_Session_EnumerateInstances(&scene->session, 0, NULL, "root/test", "C", MI_FALSE, NULL,
                                  &operation);
    MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    MI_Operation_Close(&operation);
    return result;
}

/* ---- the drop ------------------------------------------------------------------------------ */

/* Background thread, watching thread, the thread of the gate's report. */
#define ALL_THREADS                                                                                \
    "version: 1\nwatch: true\ngate: { scope: process, report: true }\n"                            \
    "defaults: { audit: [deny, open, use] }\n"

static int drops(const void *unused)
{
    struct scene scene;
    struct miguard_error error = {0};
    (void)unused;

    EXPECT(configure(ALL_THREADS) == 0);
    EXPECT(start_threads(2, stand_by) == 0);
    EXPECT(scene_make(&scene));
    EXPECT(use(&scene) == MI_RESULT_OK);
    EXPECT(has_muted(3));
    enum miguard_status status = miguard_drop(somebody(), &error);
    if (status != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", error.step, error.detail);
    }
    EXPECT(status == MIGUARD_OK);
    EXPECT(log_count("drop", "none") == 0); /* nobody asked for it */
    /* The session of before is refused, and that is recorded by who is somebody else now. */
    long before = log_count("session-use", "identity-mismatch");
    EXPECT(use(&scene) == MI_RESULT_ACCESS_DENIED);
    EXPECT(log_count("session-use", "identity-mismatch") > before);
    EXPECT(strstr(log_last("miguard.last_switch.module"), "drop_gateway_test") != NULL);
    /* No thread of anybody's kept what was given up; those that came back have nothing more. */
    EXPECT(count_threads(false, SOMEBODY) == 0);
    EXPECT(has_muted(2)); /* watch and report; the background thread would be of no use any more */
    EXPECT(syscall(SYS_setgid, 0) == -1 && errno == EPERM);
    for (int i = 0; i < PATIENCE && log_count("gate", "gate") == 0; i++) {
        usleep(10000);
    }
    EXPECT(log_count("gate", "gate") == 1);
    return 0;
}

/* A drop that fails leaves all as it was, the library's threads as well. */
static int fails(const void *unused)
{
    struct scene scene;
    struct miguard_error error = {0};
    (void)unused;

    EXPECT(configure(ALL_THREADS) == 0);
    EXPECT(start_threads(1, stand_by) == 0);
    EXPECT(start_threads(1, stand_deaf) == 0);
    EXPECT(scene_make(&scene));
    EXPECT(use(&scene) == MI_RESULT_OK);
    EXPECT(has_muted(4));
    EXPECT(miguard_drop(somebody(), &error) == MIGUARD_BAD_STATE);
    EXPECT(log_count("drop", "switch-failed") == 1);
    EXPECT(strstr(log_last("miguard.attempt"), "did not answer") != NULL);
    EXPECT(use(&scene) == MI_RESULT_OK);
    EXPECT(has_muted(4));
    long loads = log_count("policy-load", NULL);
    EXPECT(write_policy(ALL_THREADS) == 0);
    for (int i = 0; i < PATIENCE && log_count("policy-load", NULL) == loads; i++) {
        usleep(10000);
    }
    EXPECT(log_count("policy-load", NULL) > loads);
    return 0;
}

/* Between pause and resume the log has no thread and starts none, whoever writes. */
static int pauses(const void *unused)
{
    const struct sink_settings file = SINK_FILE_DEFAULT(log_path());
    const struct audit_settings settings = {.sinks = &file, .sink_count = 1};
    const struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE};
    struct audit *audit = NULL;
    (void)unused;

    EXPECT(start_threads(1, stand_by) == 0);
    usleep(100000);
    const int others = count_threads(true, 0); /* a sanitizer's */
    EXPECT(audit_open(&settings, &audit, NULL) == MIGUARD_OK);
    EXPECT(audit_write(audit, &event) == MIGUARD_OK);
    EXPECT(has_muted(others + 1));
    audit_pause(audit);
    EXPECT(falls_to(others)); /* one that asks the directory is not waited for long */
    usleep(1100000);          /* the background thread is tried once a second */
    EXPECT(audit_write(audit, &event) == MIGUARD_OK);
    EXPECT(count_threads(true, 0) == others);
    audit_resume(audit);
    EXPECT(audit_write(audit, &event) == MIGUARD_OK);
    EXPECT(has_muted(others + 1));
    audit_close(audit);
    EXPECT(falls_to(others)); /* a thread that looks a name up ends by itself, and soon */
    return 0;
}

/* ---- the records ----------------------------------------------------------------------------- */

static int switch_twice(struct miguard_target *target)
{
    EXPECT(miguard_switch_to(target, NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED);
    return 0;
}

static int by_default(const void *unused)
{
    (void)unused;
    EXPECT(configure("version: 1\n") == 0);
    EXPECT(switch_twice(somebody()) == 0);
    EXPECT(log_count("switch", NULL) == 0);
    EXPECT(log_count("restore", NULL) == 1 && log_count("restore", "switch-failed") == 1);
    EXPECT(strcmp(log_last("event.code"), "MG201E") == 0);
    return 0;
}

static int asked_for(const void *unused)
{
    (void)unused;
    EXPECT(configure("version: 1\ndefaults: { audit: [switch] }\n") == 0);
    EXPECT(miguard_switch_to(somebody(), NULL) == MIGUARD_OK);
    EXPECT(log_count("switch", "none") == 1);
    EXPECT(log_mentions("cap-bounding") == 1); /* of after, in full */
    EXPECT(strcmp(log_last("user.id"), "0") == 0);
    EXPECT(strcmp(log_last("process.user.id"), "54321") == 0);
    EXPECT(strstr(log_last("miguard.call_site.module"), "drop_gateway_test") != NULL);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_OK);
    EXPECT(log_count("restore", "none") == 1);
    EXPECT(strcmp(log_last("user.id"), "54321") == 0);
    EXPECT(strcmp(log_last("process.user.id"), "0") == 0);
    EXPECT(miguard_switch_back(NULL) == MIGUARD_NOT_SWITCHED); /* deny is not asked for */
    EXPECT(log_count("restore", NULL) == 1);
    EXPECT(miguard_drop(somebody(), NULL) == MIGUARD_OK);
    EXPECT(log_count("drop", "none") == 1);
    EXPECT(strcmp(log_last("process.user.id"), "54321") == 0);
    return 0;
}

static __attribute__((noinline)) long third_party(void)
{
    long result = syscall(SYS_setresuid, 4711, -1, -1);
    __asm__ volatile("" : "+r"(result)); /* no tail call */
    return result;
}

static int gate_closed(const void *unused)
{
    char tid[32];
    (void)unused;

    EXPECT(configure("version: 1\ngate: { scope: process, report: true }\n") == 0);
    EXPECT(log_count("gate", "none") == 1);
    EXPECT(strstr(log_last("miguard.attempt"), "the process") != NULL);
    EXPECT(third_party() == -1 && errno == EPERM);
    for (int i = 0; i < PATIENCE && log_count("gate", "gate") == 0; i++) {
        usleep(10000);
    }
    EXPECT(log_count("gate", "gate") == 1);
    EXPECT(strcmp(log_last("miguard.attempt"), "setresuid(4711, -1, -1)") == 0);
    EXPECT(strstr(log_last("miguard.call_site.module"), "drop_gateway_test") != NULL);
    /* Without a name, which the thread that writes the record has. The first thread has the id of
     * the process. */
    snprintf(tid, sizeof(tid), "\"thread\":{\"id\":%d,\"name\":\"\"}", gettid());
    if (gettid() == getpid()) {
        strcpy(tid, "\"thread\":{\"name\":\"\"}");
    }
    EXPECT(log_mentions(tid) == 1);
    struct miguard_gate_options other = MIGUARD_GATE_OPTIONS_INIT;
    EXPECT(miguard_gate_close(&other, NULL) == MIGUARD_BAD_STATE);
    EXPECT(log_count("gate", "gate-failed") == 1);
    EXPECT(switch_twice(somebody()) == 0); /* the library's own way is open */
    return 0;
}

/* glibc makes each thread call, those of the library as well, which must not be killed by it. */
static int broadcast(const void *unused)
{
    struct scene scene;
    (void)unused;

    EXPECT(configure(ALL_THREADS) == 0);
    EXPECT(start_threads(1, stand_by) == 0);
    EXPECT(scene_make(&scene) && use(&scene) == MI_RESULT_OK && has_muted(3));
    EXPECT(setuid(SOMEBODY) == -1 && errno == EPERM);
    EXPECT(count_threads(false, 0) == 0);
    return 0;
}

static const struct {
    const char *what;
    int (*body)(const void *);
    bool all_threads; /* a sanitizer's own thread, which blocks all signals, stands against it */
    bool gate;
} bodies[] = {
    {"a drop with all threads of the library", drops, true, true},
    {"a drop that fails", fails, false, true},
    {"a pause of the log", pauses, false, true},
    {"switches, by default", by_default, false, false},
    {"switches, where asked for", asked_for, true, false},
    {"the gate", gate_closed, false, true},
    {"setuid(3) under the gate", broadcast, true, true},
};

static bool can_close(void *unused)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    (void)unused;
    options.scope = MIGUARD_GATE_PROCESS;
    enum miguard_status status = miguard_gate_close(&options, NULL);
    return status != MIGUARD_NOT_SUPPORTED && status != MIGUARD_NOT_PERMITTED;
}

START_TEST(each_body)
{
    if (!is_root(bodies[_i].what)) {
        return;
    }
    if (bodies[_i].all_threads && RAW_HIDDEN_THREAD) {
        printf("skip: %s: the sanitizer's own thread blocks all signals\n", bodies[_i].what);
        return;
    }
    if (bodies[_i].gate && !raw_in_child(can_close, NULL)) { /* valgrind knows no seccomp(2) */
        printf("skip: %s: no seccomp filter can be had here\n", bodies[_i].what);
        return;
    }
    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    log_remove();
    int status = in_child(bodies[_i].body, NULL);
    unlink(policy_file);
    rmdir(folder);
    log_remove();
    ck_assert_msg(status == 0, "%s: status %#x", bodies[_i].what, status);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drop_gateway");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, each_body, 0, (int)(sizeof(bodies) / sizeof(bodies[0])));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
