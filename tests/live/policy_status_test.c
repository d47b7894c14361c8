/* SPDX-License-Identifier: MIT */
/*
 * `miguard policy status` beside processes that really run: each is a child of this test with the
 * library in it, a policy of its own and one log for all, and does what it is told through a pipe.
 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "support/stub_host.h"

enum { OUTPUT = 65536 };

/* Below /run, since /tmp can be written by everybody and a policy there is refused. */
static char folder[] = "/run/miguard-status-test.XXXXXX";
static char log_name[64], output[OUTPUT];

#define V "version: 1\n"

static const char first_policy[] = V "rules: [{name: a, match: {class: A}, decision: deny}]\n";
static const char second_policy[] = V "rules: [{name: b, match: {class: B}, decision: deny}]\n";
static const char invalid_policy[] = V "rules: [{name: b, decison: deny}]\n";

static const char *path_in(const char *name)
{
    static char path[4][128];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[0]), "%s/%s", folder, name);
    return path[next];
}

static void write_policy(const char *name, const char *text)
{
    FILE *file = fopen(path_in(name), "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- processes with the library in them ------------------------------------------------------ */

struct process {
    pid_t pid;
    int orders, answers;
};

static struct process processes[4];
static unsigned process_count;

/* A request: that is when a forked child makes itself known. */
static void use_library(void)
{
    struct stub_host *host = stub_host_new();
    MI_Context *guarded = NULL;

    if (host == NULL || miguard_guard_context(&host->context, &guarded) != MI_RESULT_OK ||
        MI_Context_PostResult(guarded, MI_RESULT_OK) != MI_RESULT_OK) {
        abort();
    }
    stub_host_free(host);
}

static enum miguard_status obey(char order, const char *policy, struct miguard_error *reterr)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.policy = policy;
    config.audit_file = log_name;
    if (order == 'c') {
        return miguard_configure(&config, reterr);
    }
    if (order == 'r') {
        return miguard_reload(reterr);
    }
    use_library();
    return MIGUARD_OK;
}

/* A path that is longer than a record has it, or no UTF-8, to a copy of this program. */
static char copied[2048];

static void copy_program(const char *name, unsigned depth)
{
    char command[5000];

    snprintf(copied, sizeof(copied), "%s", folder);
    for (unsigned i = 0; i < depth; i++) {
        size_t length = strlen(copied);
        snprintf(copied + length, sizeof(copied) - length, "/%0200d", 0);
        ck_assert_int_eq(mkdir(copied, 0700), 0);
    }
    size_t length = strlen(copied);
    snprintf(copied + length, sizeof(copied) - length, "/%s", name);
    snprintf(command, sizeof(command), "cp /proc/%d/exe '%s'", (int)getpid(), copied);
    ck_assert_int_eq(system(command), 0);
}

/* Another program in the same process: this one again, or one that knows nothing of policies. */
static _Noreturn void become(char order, const char *policy, int orders, int answers)
{
    char from[16], to[16];

    (void)fcntl(orders, F_SETFD, 0);
    (void)fcntl(answers, F_SETFD, 0);
    snprintf(from, sizeof(from), "%d", orders);
    snprintf(to, sizeof(to), "%d", answers);
    if (order != 's') {
        execl(order == 'e' ? "/proc/self/exe" : copied, "served", "--serve", policy, log_name, from,
              to, (char *)NULL);
    } else {
        execlp("sleep", "sleep", "60", (char *)NULL);
    }
    _exit(1);
}

struct answer {
    enum miguard_status status;
    pid_t pid;
    struct miguard_error error;
};

static _Noreturn void serve(const char *name, const char *policy, int orders, int answers)
{
    char order;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strstr(folder, "XXXXXX") == NULL && chdir(folder) != 0) {
        _exit(1);
    }
    (void)prctl(PR_SET_NAME, name);
    while (read(orders, &order, 1) == 1) {
        if (order == 'e' || order == 's' || order == 'l' || order == 'n') {
            become(order, policy, orders, answers);
        }
        pid_t child = order == 'f' ? fork() : 0;
        if (order == 'f' && child == 0) { /* the child takes the orders, the parent waits */
            order = 'u';
        } else if (order == 'f') {
            (void)waitpid(child, NULL, 0);
            _exit(0);
        }
        struct answer answer = {.pid = getpid()};
        answer.status = obey(order, policy, &answer.error);
        if (write(answers, &answer, sizeof(answer)) != (ssize_t)sizeof(answer)) {
            _exit(1);
        }
    }
    _exit(0);
}

static struct miguard_error last; /* of the last order */

static enum miguard_status order(struct process *process, char what)
{
    struct answer answer = {.status = MIGUARD_SYSTEM};

    ck_assert_int_eq(write(process->orders, &what, 1), 1);
    ck_assert_int_eq(read(process->answers, &answer, sizeof(answer)), sizeof(answer));
    process->pid = answer.pid;
    last = answer.error;
    return answer.status;
}

/* With the policy of this name in force. */
static struct process *begin(const char *policy)
{
    struct process *process = &processes[process_count++];
    int orders[2], answers[2];

    ck_assert_int_eq(pipe2(orders, O_CLOEXEC) | pipe2(answers, O_CLOEXEC), 0);
    process->pid = fork();
    ck_assert_int_ge(process->pid, 0);
    if (process->pid == 0) {
        for (unsigned i = 0; i + 1 < process_count; i++) { /* or the others never see their end */
            close(processes[i].orders);
            close(processes[i].answers);
        }
        close(orders[1]);
        close(answers[0]);
        serve("served", policy, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    process->orders = orders[1];
    process->answers = answers[0];
    enum miguard_status status = order(process, 'c');
    ck_assert_msg(status == MIGUARD_OK, "%d: %s: %s", (int)status, last.step, last.detail);
    return process;
}

static void finish(struct process *process)
{
    close(process->orders);
    close(process->answers);
    (void)waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int ask(const char *options)
{
    char command[512];
    const char *out = getenv("OUT");

    snprintf(command, sizeof(command), "%s/miguard policy status %s 2>&1 %s",
             out != NULL ? out : "build", log_name, options);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(output, 1, sizeof(output) - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static json_t *ask_json(int expected)
{
    ck_assert_int_eq(ask("--json 2>/dev/null"), expected);
    json_t *json = json_loads(output, 0, NULL);
    ck_assert_msg(json != NULL, "no JSON: %s", output);
    return json;
}

/* The member at path ("disk.state") of the process with this pid. */
static const json_t *member(const json_t *json, pid_t pid, const char *name)
{
    const json_t *list = json_object_get(json, "processes"), *process;
    size_t index;

    json_array_foreach(list, index, process)
    {
        if (json_integer_value(json_object_get(process, "pid")) == pid) {
            const char *dot = strchr(name, '.');
            char outer[16] = "";
            if (dot == NULL) {
                return json_object_get(process, name);
            }
            snprintf(outer, sizeof(outer), "%.*s", (int)(dot - name), name);
            return json_object_get(json_object_get(process, outer), dot + 1);
        }
    }
    ck_abort_msg("process %d is not told: %s", (int)pid, output);
    return NULL;
}

static void expect(const json_t *json, const struct process *process, const char *name,
                   const char *value)
{
    const char *found = json_string_value(member(json, process->pid, name));

    ck_assert_msg(found == NULL ? value == NULL : value != NULL && strcmp(found, value) == 0,
                  "%s is %s, not %s, in %s", name, found ? found : "null", value ? value : "null",
                  output);
}

/* What anybody can compute with coreutils. */
static const char *hash_of(const char *files)
{
    static char hash[2][65];
    static unsigned next;
    char command[512];

    next = (next + 1) % 2;
    snprintf(command, sizeof(command), "cd %s && sha256sum %s | cut -c1-64 | sha256sum", folder,
             files);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(hash[next], sizeof(hash[0]), pipe));
    ck_assert_int_eq(pclose(pipe), 0);
    return hash[next];
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void set_up(void)
{
    memcpy(strrchr(folder, '.') + 1, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(log_name, sizeof(log_name), "%s/log", folder);
    process_count = 0;
    write_policy("one.yaml", first_policy);
}

static void tear_down(void)
{
    char command[128];

    for (unsigned i = 0; i < process_count; i++) {
        if (processes[i].pid != 0) {
            finish(&processes[i]);
        }
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_process_has_what_the_disk_has)
{
    struct process *process = begin(path_in("one.yaml"));
    json_t *json = ask_json(0);

    expect(json, process, "hash", hash_of("one.yaml"));
    expect(json, process, "disk.state", "same");
    expect(json, process, "policy", path_in("one.yaml"));
    expect(json, process, "path", path_in("one.yaml"));
    ck_assert(json_is_true(json_object_get(json, "current")));
    ck_assert(json_is_true(member(json, process->pid, "certain")));
    ck_assert(json_is_null(member(json, process->pid, "refused")));
    json_decref(json);
    ck_assert_int_eq(ask(""), 0);
    ck_assert_ptr_nonnull(strstr(output, hash_of("one.yaml")));
    ck_assert_ptr_nonnull(strstr(output, "    on disk  the same\n"));
}
END_TEST

START_TEST(a_changed_disk_is_told_until_the_reload)
{
    struct process *process = begin(path_in("one.yaml"));
    char before[65];

    snprintf(before, sizeof(before), "%s", hash_of("one.yaml"));
    write_policy("one.yaml", second_policy);
    json_t *json = ask_json(1);
    expect(json, process, "hash", before);
    expect(json, process, "disk.state", "other");
    expect(json, process, "disk.hash", hash_of("one.yaml"));
    json_decref(json);
    ck_assert_int_eq(order(process, 'r'), MIGUARD_OK);
    json = ask_json(0);
    expect(json, process, "hash", hash_of("one.yaml"));
    json_decref(json);
}
END_TEST

START_TEST(a_refused_set_is_told_until_one_is_loaded)
{
    struct process *process = begin(path_in("one.yaml"));

    write_policy("one.yaml", invalid_policy);
    ck_assert_int_ne(order(process, 'r'), MIGUARD_OK);
    json_t *json = ask_json(1);
    expect(json, process, "disk.state", "invalid");
    const char *detail = json_string_value(member(json, process->pid, "refused.detail"));
    ck_assert_ptr_nonnull(detail);
    ck_assert_ptr_nonnull(strstr(detail, "decison"));
    json_decref(json);
    ck_assert_int_eq(ask(""), 1);
    ck_assert_ptr_nonnull(strstr(output, "    refused  at "));
    write_policy("one.yaml", first_policy); /* mended, but nobody has loaded it */
    json_decref(ask_json(1));
    ck_assert_int_eq(order(process, 'r'), MIGUARD_OK);
    json_decref(ask_json(0));
}
END_TEST

START_TEST(the_same_set_again_is_in_force_since_the_first_time)
{
    struct process *process = begin(path_in("one.yaml"));
    json_t *first = ask_json(0);

    usleep(20000);
    ck_assert_int_eq(order(process, 'r'), MIGUARD_OK);
    json_t *second = ask_json(0);
    expect(second, process, "since", json_string_value(member(first, process->pid, "since")));
    write_policy("one.yaml", second_policy);
    ck_assert_int_eq(order(process, 'r'), MIGUARD_OK);
    json_t *third = ask_json(0);
    ck_assert_str_gt(json_string_value(member(third, process->pid, "since")),
                     json_string_value(member(first, process->pid, "since")));
    json_decref(first);
    json_decref(second);
    json_decref(third);
}
END_TEST

START_TEST(each_process_is_compared_with_its_own_place)
{
    write_policy("two.yaml", second_policy);
    struct process *one = begin(path_in("one.yaml")), *two = begin("two.yaml"); /* relative */
    json_t *json = ask_json(0);
    char pid[32];

    expect(json, one, "hash", hash_of("one.yaml"));
    expect(json, two, "hash", hash_of("two.yaml"));
    expect(json, two, "disk.state", "same");
    json_decref(json);
    write_policy("two.yaml", first_policy);
    json_decref(ask_json(1));
    snprintf(pid, sizeof(pid), "--pid %d", (int)one->pid);
    ck_assert_int_eq(ask(pid), 0);
    snprintf(pid, sizeof(pid), "--pid %d", (int)two->pid);
    ck_assert_int_eq(ask(pid), 1);
}
END_TEST

START_TEST(a_folder_has_a_hash_over_its_files)
{
    char name[128];

    ck_assert_int_eq(mkdir(path_in("d"), 0700), 0);
    write_policy("d/10.yaml", first_policy);
    write_policy("d/20.yaml", second_policy);
    snprintf(name, sizeof(name), "%s", path_in("d"));
    struct process *process = begin(name);
    json_t *json = ask_json(0);
    expect(json, process, "hash", hash_of("d/10.yaml d/20.yaml"));
    json_decref(json);
    write_policy("d/15.yaml", V);
    json = ask_json(1);
    expect(json, process, "disk.state", "other");
    json_decref(json);
}
END_TEST

/* The child has a record of its own from its first request on. */
START_TEST(a_forked_child_has_its_parents_set)
{
    struct process *process = begin(path_in("one.yaml"));
    pid_t parent = process->pid;

    ck_assert_int_eq(order(process, 'f'), MIGUARD_OK);
    ck_assert_int_ne(process->pid, parent);
    json_t *json = ask_json(0);
    expect(json, process, "hash", hash_of("one.yaml"));
    expect(json, process, "policy", path_in("one.yaml"));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "processes")), 2);
    json_decref(json);
}
END_TEST

/* execve(2) keeps the pid and the start of the process. */
START_TEST(the_program_that_a_process_runs_is_told)
{
    struct process *process = begin(path_in("one.yaml"));

    ck_assert_int_eq(write(process->orders, "e", 1), 1);
    write_policy("one.yaml", second_policy);
    ck_assert_int_eq(order(process, 'c'), MIGUARD_OK);
    json_t *json = ask_json(0);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "processes")), 1);
    expect(json, process, "hash", hash_of("one.yaml"));
    json_decref(json);

    ck_assert_int_eq(write(process->orders, "s", 1), 1);
    for (int i = 0; i < 100 && ask("") == 0; i++) { /* until it has become the other one */
        usleep(20000);
    }
    ck_assert_int_eq(ask(""), 1);
    ck_assert_int_eq(kill(process->pid, 0), 0); /* it is still there */
    (void)kill(process->pid, SIGKILL);
}
END_TEST

/* _i: a path that is too long, and one with a byte that is no UTF-8. */
START_TEST(a_path_that_the_record_has_not_whole)
{
    copy_program(_i == 0 ? "served" : "served\xff", _i == 0 ? 6 : 0);
    struct process *process = begin(path_in("one.yaml"));
    ck_assert_int_eq(write(process->orders, _i == 0 ? "l" : "n", 1), 1);
    ck_assert_int_eq(order(process, 'c'), MIGUARD_OK);
    json_t *json = ask_json(0);
    expect(json, process, "hash", hash_of("one.yaml"));
    json_decref(json);
}
END_TEST

START_TEST(a_policy_whose_path_is_not_whole_is_not_compared)
{
    write_policy("two\xff.yaml", first_policy);
    struct process *process = begin(path_in("two\xff.yaml"));
    json_t *json = ask_json(1);

    expect(json, process, "disk.state", "unreadable");
    json_decref(json);
}
END_TEST

START_TEST(a_process_that_ended_is_not_told)
{
    struct process *process = begin(path_in("one.yaml"));

    (void)kill(process->pid, SIGKILL);
    while (ask("") == 0) { /* a zombie is no running process */
        usleep(20000);
    }
    finish(process);
    ck_assert_int_eq(ask(""), 1);
    ck_assert_ptr_nonnull(strstr(output, "no process that still runs is in the log"));
    json_t *json = ask_json(1);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "processes")), 0);
    json_decref(json);
}
END_TEST

/* The log is all that is asked: another number in it is another process. */
static void alter(const char *expression)
{
    char command[256];

    snprintf(command, sizeof(command), "sed -i -E '%s' %s", expression, log_name);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(the_same_number_is_not_the_same_process)
{
    struct process *process = begin(path_in("one.yaml"));

    /* It began at another time: the clock may have been set, so it is told, and as what it is. */
    alter("s/\"start\":\"20[0-9]*-/\"start\":\"1999-/");
    json_t *json = ask_json(0);
    ck_assert(json_is_false(member(json, process->pid, "certain")));
    json_decref(json);
    ck_assert_int_eq(ask(""), 0);
    ck_assert_ptr_nonnull(strstr(output, "may be another process"));
    /* And is another program: it is over. */
    alter("s|\"executable\":\"[^\"]*\"|\"executable\":\"/usr/bin/other\"|");
    ck_assert_int_eq(ask(""), 1);
}
END_TEST

START_TEST(another_boot_is_over)
{
    (void)begin(path_in("one.yaml"));
    alter("s/(\"boot\":\\{\"id\":\")./\\1x/");
    ck_assert_int_eq(ask(""), 1);
    ck_assert_ptr_nonnull(strstr(output, "no process that still runs"));
}
END_TEST

START_TEST(a_load_that_is_in_no_file_is_said_to_be_unknown)
{
    struct process *process = begin(path_in("one.yaml"));

    alter("/\"policy-load\"/d");
    json_t *json = ask_json(1);
    expect(json, process, "disk.state", "unknown");
    expect(json, process, "hash", NULL);
    json_decref(json);
    ck_assert_int_eq(ask(""), 1);
    ck_assert_ptr_nonnull(strstr(output, "no load is on record"));
}
END_TEST

START_TEST(doctor_counts_the_processes_that_are_behind)
{
    char command[512], policy[256];
    const char *out = getenv("OUT");

    snprintf(policy, sizeof(policy), V "audit: {sinks: [{file: {path: %s}}]}\n", log_name);
    write_policy("doctor.yaml", policy);
    (void)begin(path_in("one.yaml"));
    struct process *other = begin(path_in("doctor.yaml"));
    for (int behind = 0; behind < 2; behind++) {
        snprintf(command, sizeof(command), "%s/miguard doctor --policy %s | grep -A1 in-force",
                 out != NULL ? out : "build", path_in("doctor.yaml"));
        FILE *pipe = popen(command, "re");
        ck_assert_ptr_nonnull(pipe);
        output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
        ck_assert_int_eq(pclose(pipe), 0);
        ck_assert_msg(strstr(output, behind == 0 ? "2 running processes, all with the set"
                                                 : "1 of 2 running processes have another") != NULL,
                      "%s", output);
        write_policy("one.yaml", second_policy);
    }
    finish(other);
}
END_TEST

/* The line may have been the load of another set. */
START_TEST(a_line_that_cannot_be_read_is_no_yes)
{
    (void)begin(path_in("one.yaml"));
    ck_assert_int_eq(ask(""), 0);
    alter("$ a no record");
    ck_assert_int_eq(ask(""), 3);
    json_t *json = ask_json(3);
    ck_assert(json_is_false(json_object_get(json, "current")));
    json_decref(json);
    write_policy("one.yaml", second_policy); /* that is no, whatever the line says */
    ck_assert_int_eq(ask(""), 1);
}
END_TEST

START_TEST(the_command_line_is_checked)
{
    static const char *const wrong[] = {"--pid 0",  "--pid x", "--pid",
                                        "--pid -1", "--jsno",  "--pid 4294967296"};

    (void)begin(path_in("one.yaml"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_msg(ask(wrong[i]) == 2, "%s: %s", wrong[i], output);
    }
    ck_assert_int_eq(ask("--help"), 0);
    ck_assert_ptr_nonnull(strstr(output, "miguard policy status"));
    ck_assert_int_eq(ask("--pid 1"), 1); /* runs, and is not in the log */
    ck_assert_int_eq(ask(path_in("none")), 3);
}
END_TEST

int main(int count, char **arguments)
{
    if (count == 6 && strcmp(arguments[1], "--serve") == 0) {
        snprintf(log_name, sizeof(log_name), "%s", arguments[3]);
        serve("served", arguments[2], atoi(arguments[4]), atoi(arguments[5]));
    }
    Suite *suite = suite_create("policy_status");
    TCase *tests = tcase_create("status");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_process_has_what_the_disk_has);
    tcase_add_test(tests, a_changed_disk_is_told_until_the_reload);
    tcase_add_test(tests, a_refused_set_is_told_until_one_is_loaded);
    tcase_add_test(tests, the_same_set_again_is_in_force_since_the_first_time);
    tcase_add_test(tests, each_process_is_compared_with_its_own_place);
    tcase_add_test(tests, a_folder_has_a_hash_over_its_files);
    tcase_add_test(tests, a_forked_child_has_its_parents_set);
    tcase_add_test(tests, the_program_that_a_process_runs_is_told);
    tcase_add_loop_test(tests, a_path_that_the_record_has_not_whole, 0, 2);
    tcase_add_test(tests, a_policy_whose_path_is_not_whole_is_not_compared);
    tcase_add_test(tests, a_process_that_ended_is_not_told);
    tcase_add_test(tests, the_same_number_is_not_the_same_process);
    tcase_add_test(tests, another_boot_is_over);
    tcase_add_test(tests, a_load_that_is_in_no_file_is_said_to_be_unknown);
    tcase_add_test(tests, a_line_that_cannot_be_read_is_no_yes);
    tcase_add_test(tests, doctor_counts_the_processes_that_are_behind);
    tcase_add_test(tests, the_command_line_is_checked);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
