/* SPDX-License-Identifier: MIT */
/*
 * The sinks and the real daemons: rsyslogd, systemd-journald and auditd, started by the test on
 * sockets, folders and a mount namespace of its own, stopped and started again; what they wrote is
 * read back with their own tools.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/audit.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/sink/sink_fields.h"
#include "support/kernel_audit.h"
#include "support/raw.h"
#include "support/sink_record.h"

#define CLASS "a]b \"c\" \\d"

static char folder[64], output[1 << 20];
static struct sink *sink;
static const struct sink_ops *ops;
static enum audit_loss loss;
static pid_t daemon_pid = -1;

/* ---- helpers -------------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

__attribute__((format(printf, 2, 3))) static void put_file(const char *name, const char *format,
                                                           ...)
{
    va_list arguments;
    FILE *file = fopen(in_folder(name), "we");

    ck_assert_ptr_nonnull(file);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(fclose(file), 0);
}

/* What the command prints on stdout, in output. */
__attribute__((format(printf, 1, 2))) static const char *run(const char *format, ...)
{
    char command[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(output, 1, sizeof(output) - 1, pipe);
    output[length] = '\0';
    pclose(pipe);
    return output;
}

/* Asks again for 20 s at most, as daemons write when they like. */
static bool comes(const char *command, const char *word)
{
    for (int i = 0; i < 400; i++) {
        if (strstr(run("%s", command), word) != NULL) {
            return true;
        }
        usleep(50000);
    }
    return false;
}

static bool installed(const char *program)
{
    if (access(program, F_OK) == 0) {
        return true;
    }
    printf("skip: %s: not installed\n", strrchr(program, '/') + 1);
    return false;
}

/* Ends with this process. */
static void start(const char *const *arguments)
{
    daemon_pid = fork();
    ck_assert_int_ge(daemon_pid, 0);
    if (daemon_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(null, 1);
        dup2(open(in_folder("daemon.err"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), 2);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
}

static void stop(void)
{
    int status;

    if (daemon_pid > 0) {
        kill(daemon_pid, SIGTERM);
        waitpid(daemon_pid, &status, 0);
        daemon_pid = -1;
    }
}

static void wait_for_file(const char *path)
{
    for (int i = 0; i < 400 && access(path, F_OK) != 0; i++) {
        usleep(50000);
    }
    ck_assert_msg(access(path, F_OK) == 0, "%s does not come: %s", path,
                  run("cat %s", in_folder("daemon.err")));
}

static void open_sink(const struct sink_ops *wanted, const char *path)
{
    struct sink_settings settings = {
        .kind = wanted->kind, .path = path, .facility = 10, .enterprise = 32473};
    struct miguard_error error = {0};

    ops = wanted;
    ck_assert_msg(ops->open(&settings, &sink, &error) == MIGUARD_OK, "%s", error.detail);
}

/* Names are cut, but whom the session belongs to is told in full: by `size` bytes of groups. */
static bool write_large(size_t size, uint64_t sequence)
{
    struct miguard_identity bound = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};
    struct audit_event event = refusal("Large");
    struct made_record made;

    bound.group_count = (uint32_t)(size / 2); /* each an id and a comma at least */
    bound.groups = calloc(bound.group_count, sizeof(gid_t));
    ck_assert_ptr_nonnull(bound.groups);
    event.bound = &bound;
    make_record(&made, event, sequence);
    bool written = ops->write(sink, &made.record, &loss);
    free_record(&made);
    free(bound.groups);
    return written;
}

static bool write_class(const char *class_name, uint64_t sequence)
{
    struct made_record made;

    make_record(&made, refusal(class_name), sequence);
    bool written = ops->write(sink, &made.record, &loss);
    free_record(&made);
    return written;
}

/* Check cannot print what is as long as some of these. */
static void check_class(const json_t *record, const char *class_name)
{
    const char *found =
        json_string_value(json_object_get(json_object_get(record, "miguard"), "class"));

    ck_assert_msg(found != NULL && strcmp(found, class_name) == 0, "%zu bytes instead of %zu",
                  found == NULL ? 0 : strlen(found), strlen(class_name));
}

/* A daemon that has its socket may need a moment until it listens. */
static bool write_soon(const char *class_name, uint64_t sequence)
{
    for (int i = 0; i < 400; i++) {
        if (write_class(class_name, sequence)) {
            return true;
        }
        usleep(50000);
    }
    return false;
}

static void set_up(void)
{
    strcpy(folder, "/tmp/miguard-daemons-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    sink = NULL;
}

static void tear_down(void)
{
    if (sink != NULL) {
        ops->close(sink);
        sink = NULL;
    }
    stop();
    run("rm -rf '%s'", folder);
}

/* ---- rsyslogd ---------------------------------------------------------------------------- */

/* UseSpecialParser="off" is the one setting that RFC 5424 needs on a local socket. */
static void configure_rsyslog(bool special_parser)
{
    put_file(
        "rsyslog.conf",
        "global(workDirectory=\"%s\")\n"
        "module(load=\"imuxsock\" SysSock.Use=\"off\")\n"
        "input(type=\"imuxsock\" Socket=\"%s/log\"%s)\n"
        "template(name=\"t\" type=\"string\" string=\"%%hostname%%|%%app-name%%|%%procid%%|"
        "%%msgid%%|%%syslogfacility-text%%|%%syslogseverity-text%%|%%timereported:::date-rfc3339"
        "%%|%%structured-data%%|%%syslogtag%%|%%msg%%\\n\")\n"
        "*.* action(type=\"omfile\" file=\"%s/out\" template=\"t\")\n",
        folder, folder, special_parser ? "" : " UseSpecialParser=\"off\"", folder);
}

static void start_rsyslog(void)
{
    static char config[128], pid_file[128];

    snprintf(config, sizeof(config), "%s", in_folder("rsyslog.conf"));
    snprintf(pid_file, sizeof(pid_file), "%s", in_folder("rsyslog.pid"));
    start((const char *const[]){"/usr/sbin/rsyslogd", "-n", "-f", config, "-i", pid_file, NULL});
    wait_for_file(in_folder("log"));
}

START_TEST(rsyslogd_parses_every_field)
{
    char command[160], wanted[256];

    if (!installed("/usr/sbin/rsyslogd")) {
        return;
    }
    configure_rsyslog(false);
    start_rsyslog();
    open_sink(&sink_syslog, in_folder("log"));
    snprintf(command, sizeof(command), "cat %s/out 2>/dev/null", folder);
    ck_assert(write_soon(CLASS, 1));
    ck_assert(comes(command, "\n"));
    snprintf(wanted, sizeof(wanted), "host.example|miguard|%d|MG101E|authpriv|warning|", getpid());
    ck_assert_msg(strstr(output, wanted) == output, "%s", output);
    ck_assert_ptr_nonnull(
        strstr(output, "|[miguard@32473 code=\"MG101E\" id=\"0000000000001234-1\""));
    ck_assert_ptr_nonnull(strstr(output, " class=\"a\\]b \\\"c\\\" \\\\d\""));
    const char *json = strstr(output, "|{\"@timestamp\":\"");
    ck_assert_ptr_nonnull(json);
    json_t *record = json_loads(json + 1, 0, NULL);
    ck_assert_ptr_nonnull(record);
    check_class(record, CLASS);
    json_decref(record);
}
END_TEST

/* As Debian configures it: the version is taken for the tag, and all that follows is the message.
 */
START_TEST(rsyslogd_as_it_comes_keeps_the_record)
{
    char command[160];

    if (!installed("/usr/sbin/rsyslogd")) {
        return;
    }
    configure_rsyslog(true);
    start_rsyslog();
    open_sink(&sink_syslog, in_folder("log"));
    snprintf(command, sizeof(command), "cat %s/out 2>/dev/null", folder);
    ck_assert(write_soon(CLASS, 1));
    ck_assert(comes(command, "\n"));
    ck_assert_ptr_nonnull(strstr(output, "|1|-|-|authpriv|warning|"));
    ck_assert_ptr_nonnull(strstr(output, "[miguard@32473 code=\"MG101E\""));
    ck_assert_ptr_nonnull(strstr(output, SINK_TEST_HASH "\"}}"));
}
END_TEST

START_TEST(rsyslogd_gets_long_records_whole)
{
    char command[160], *joined = calloc(1, 1 << 18);

    if (!installed("/usr/sbin/rsyslogd")) {
        free(joined);
        return;
    }
    configure_rsyslog(false);
    start_rsyslog();
    open_sink(&sink_syslog, in_folder("log"));
    ck_assert(write_soon("First", 1));
    ck_assert(write_large(20000, 2));
    ck_assert(write_class("Last", 3));
    snprintf(command, sizeof(command), "cat %s/out 2>/dev/null", folder);
    ck_assert(comes(command, " class=\"Last\""));
    unsigned part = 0, parts = 0, number = 0;
    for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *at = strstr(line, " part=\"");
        if (at != NULL) {
            ck_assert_int_eq(sscanf(at, " part=\"%u/%u\"", &number, &parts), 2);
            ck_assert_uint_eq(number, ++part);
            strcat(joined, strrchr(line, '|') + 1);
        }
    }
    ck_assert_uint_gt(parts, 2);
    ck_assert_uint_eq(part, parts);
    json_t *record = json_loads(joined, 0, NULL);
    ck_assert_ptr_nonnull(record);
    check_class(record, "Large");
    json_decref(record);
    free(joined);
}
END_TEST

START_TEST(rsyslogd_stopped_and_started_again)
{
    char command[160];

    if (!installed("/usr/sbin/rsyslogd")) {
        return;
    }
    configure_rsyslog(false);
    start_rsyslog();
    open_sink(&sink_syslog, in_folder("log"));
    snprintf(command, sizeof(command), "cat %s/out 2>/dev/null", folder);
    ck_assert(write_soon("Before", 1));
    ck_assert(comes(command, "class=\"Before\""));
    stop();
    ck_assert(!write_class("While", 2));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    start_rsyslog();
    ck_assert(write_soon("After", 3));
    ck_assert(comes(command, "class=\"After\""));
    ck_assert_ptr_null(strstr(output, "class=\"While\""));
}
END_TEST

/* ---- systemd-journald -------------------------------------------------------------------- */

#define JOURNALCTL "journalctl -D /run/log/journal -q -o json --all "

/* False with the reason printed. The mounts end with this process. */
static bool hide_the_machines_journal(void)
{
    if (!installed("/lib/systemd/systemd-journald") || !installed("/usr/bin/journalctl")) {
        return false;
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0 ||
        mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755") != 0) {
        printf("skip: systemd-journald: a mount namespace of its own: %s\n", strerror(errno));
        return false;
    }
    ck_assert_int_eq(mkdir("/run/systemd", 0755), 0);
    ck_assert_int_eq(mkdir("/run/systemd/journal", 0755), 0);
    ck_assert_int_eq(mkdir("/run/log", 0755), 0);
    ck_assert_int_eq(mkdir("/run/log/journal", 0755), 0);
    return true;
}

static void start_journald(void)
{
    start((const char *const[]){"/lib/systemd/systemd-journald", NULL});
    wait_for_file("/run/systemd/journal/socket");
}

static void check_entry(const char *line)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"PRIORITY", "4"},
        {"SYSLOG_IDENTIFIER", "miguard"},
        {"SYSLOG_FACILITY", "10"},
        {"MIGUARD_ACTION", "session-use"},
        {"MIGUARD_DECISION", "deny"},
        {"MIGUARD_CLASS", CLASS},
        {"MIGUARD_SEQUENCE", "1"},
        {"MIGUARD_HASH", SINK_TEST_HASH},
        {"MIGUARD_CURRENT_USER_ID", "65534"},
        {"_TRANSPORT", "journal"},
    };
    json_t *entry = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);

    ck_assert_ptr_nonnull(entry);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *value = json_string_value(json_object_get(entry, rows[i].name));
        ck_assert_msg(value != NULL && strcmp(value, rows[i].value) == 0, "%s is %s", rows[i].name,
                      value);
    }
    json_t *record =
        json_loads(json_string_value(json_object_get(entry, "MIGUARD_RECORD")), 0, NULL);
    ck_assert_ptr_nonnull(record);
    json_decref(record);
    json_decref(entry);
}

START_TEST(journald_has_every_field)
{
    if (!hide_the_machines_journal()) {
        return;
    }
    start_journald();
    open_sink(&sink_journald, NULL);
    ck_assert(write_soon(CLASS, 1));
    ck_assert(comes(JOURNALCTL "MIGUARD_SEQUENCE=1", "MIGUARD_HASH"));
    check_entry(output);
    ck_assert(write_large(100000, 2)); /* through a memfd */
    ck_assert(comes(JOURNALCTL "MIGUARD_SEQUENCE=2", "Large"));
}
END_TEST

START_TEST(journald_stopped_and_started_again)
{
    if (!hide_the_machines_journal()) {
        return;
    }
    open_sink(&sink_journald, NULL);
    ck_assert(!write_class("Early", 1));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    start_journald();
    ck_assert(write_soon("Before", 2));
    ck_assert(comes(JOURNALCTL "MIGUARD_SEQUENCE=2", "Before"));
    stop();
    ck_assert(!write_class("While", 3));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    start_journald();
    ck_assert(write_soon("After", 4));
    ck_assert(comes(JOURNALCTL "MIGUARD_SEQUENCE=4", "After"));
    ck_assert_ptr_null(strstr(run(JOURNALCTL), "While"));
}
END_TEST

/* ---- auditd ---------------------------------------------------------------------------------- */

/* False with the reason printed. */
static bool may_use_audit(void)
{
    if (!installed("/usr/sbin/auditd") || !installed("/usr/sbin/ausearch")) {
        return false;
    }
    const char *why = kernel_audit_taken();
    if (why != NULL) {
        printf("skip: auditd: %s\n", why);
    }
    return why == NULL;
}

static void start_auditd(void)
{
    static char etc[128];
    struct audit_status status = {0};

    snprintf(etc, sizeof(etc), "%s", in_folder("etc"));
    (void)mkdir(etc, 0750);
    (void)mkdir(in_folder("etc/plugins.d"), 0750);
    put_file("etc/auditd.conf",
             "local_events = yes\nwrite_logs = yes\nlog_file = %s/audit.log\nlog_group = root\n"
             "log_format = RAW\nflush = SYNC\nmax_log_file = 8\nnum_logs = 2\n"
             "max_log_file_action = IGNORE\nname_format = NONE\nspace_left = 2\n"
             "space_left_action = IGNORE\nadmin_space_left = 1\nadmin_space_left_action = IGNORE\n"
             "disk_full_action = IGNORE\ndisk_error_action = IGNORE\nplugin_dir = %s/plugins.d\n",
             folder, etc);
    ck_assert_int_eq(chmod(in_folder("etc/auditd.conf"), 0640), 0);
    start((const char *const[]){"/usr/sbin/auditd", "-n", "-c", etc, NULL});
    for (int i = 0; i < 200 && status.pid == 0; i++) {
        usleep(50000);
        ck_assert_int_eq(kernel_audit_ask(&status), 0);
    }
    ck_assert_msg(status.pid != 0, "auditd does not start: %s",
                  run("cat %s", in_folder("daemon.err")));
}

static void stop_auditd(void)
{
    struct audit_status status = {.pid = 1};

    stop();
    for (int i = 0; i < 200 && status.pid != 0; i++) {
        ck_assert_int_eq(kernel_audit_ask(&status), 0);
        usleep(20000);
    }
}

/* It makes a thread of its own, which ThreadSanitizer allows no child. */
static void write_from_child(const char *command)
{
#ifndef RAW_HAS_HIDDEN_THREAD
    int status;

    pid_t child = fork();
    if (child == 0) {
        bool written = write_class("Child", 4);
        ops->close(sink);
        _exit(written ? 0 : 1);
    }
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    ck_assert(comes(command, "class=\"Child\""));
#else
    (void)command;
#endif
}

START_TEST(auditd_has_the_records)
{
    char command[256];

    if (!may_use_audit()) {
        return;
    }
    start_auditd();
    open_sink(&sink_kernel_audit, NULL);
    snprintf(command, sizeof(command), "ausearch -if %s/audit.log -m TRUSTED_APP -i 2>&1", folder);
    ck_assert(write_class("Plain", 1));
    ck_assert(comes(command, "class=Plain"));
    ck_assert_msg(strstr(output, "op=session-use") != NULL, "%s", output);
    ck_assert_ptr_nonnull(strstr(output, "hash=" SINK_TEST_HASH));
    ck_assert_ptr_nonnull(strstr(output, "id=0000000000001234-1"));
    ck_assert_ptr_nonnull(strstr(output, "res=failed"));
    ck_assert(write_class("a' res=success \"b\"", 2));
    snprintf(command, sizeof(command), "ausearch -if %s/audit.log -m TRUSTED_APP -sv no --raw 2>&1",
             folder);
    ck_assert_msg(comes(command, "class=6127207265733D7375636365737320226222 "), "%s", output);
    /* The thread of the sink has the capability, the calling thread has not. */
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 65534, -1), 0);
    bool written = write_class("Switched", 3);
    ck_assert_int_eq(syscall(SYS_setresuid, -1, 0, -1), 0);
    ck_assert(written);
    ck_assert(comes(command, "class=\"Switched\""));
    write_from_child(command);
    stop_auditd();
}
END_TEST

START_TEST(auditd_stopped_and_started_again)
{
    struct sink_settings settings = {.kind = SINK_KERNEL};
    struct miguard_error error = {0};
    char command[256];

    if (!may_use_audit()) {
        return;
    }
    kernel_audit_enable(0);
    struct sink *none = NULL;
    ck_assert_int_eq(sink_kernel_audit.open(&settings, &none, &error), MIGUARD_NOT_SUPPORTED);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(error.detail, "auditing is off"));
    start_auditd();
    open_sink(&sink_kernel_audit, NULL);
    snprintf(command, sizeof(command), "ausearch -if %s/audit.log -m TRUSTED_APP --raw 2>&1",
             folder);
    ck_assert(write_class("Before", 1));
    ck_assert(comes(command, "class=\"Before\""));
    stop_auditd();
    ck_assert(!write_class("While", 2));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    start_auditd();
    kernel_audit_enable(0); /* the kernel would confirm it and drop it */
    ck_assert(!write_class("Off", 3));
    ck_assert_int_eq(loss, AUDIT_LOSS_UNREACHABLE);
    kernel_audit_enable(1);
    ck_assert(write_class("After", 4));
    ck_assert(comes(command, "class=\"After\""));
    ck_assert_ptr_null(strstr(output, "While"));
    ck_assert_ptr_null(strstr(output, "class=\"Off\""));
    stop_auditd();
}
END_TEST

int main(void)
{
    /* Here, so that also a test that failed leaves the machine as it was. */
    const char *why = kernel_audit_taken();
    Suite *suite = suite_create("audit daemons");
    TCase *cases = tcase_create("daemons");

    setvbuf(stdout, NULL, _IONBF, 0);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, rsyslogd_parses_every_field);
    tcase_add_test(cases, rsyslogd_as_it_comes_keeps_the_record);
    tcase_add_test(cases, rsyslogd_gets_long_records_whole);
    tcase_add_test(cases, rsyslogd_stopped_and_started_again);
    tcase_add_test(cases, journald_has_every_field);
    tcase_add_test(cases, journald_stopped_and_started_again);
    tcase_add_test(cases, auditd_has_the_records);
    tcase_add_test(cases, auditd_stopped_and_started_again);
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (why == NULL) {
        kernel_audit_restore();
    }
    return failed == 0 ? 0 : 1;
}
