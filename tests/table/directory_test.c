/* SPDX-License-Identifier: MIT */
/*
 * The directory that users and groups come from, misbehaving: each place where a person gives a
 * user or group x what may be given x how the directory behaves. Then entries that are long, odd or
 * not what was asked for, what is left of a call's time when the directory is slow, and what goes
 * on when it never answers.
 *
 * The test runs itself again in a mount namespace of its own, with files and nsswitch.conf(5) of
 * its own and the module of tests/support/nss. Each trial is a child process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <nss.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/record_names.h"
#include "base/alloc.h"
#include "identity/directory.h"
#include "miguard.h"
#include "policy/draft.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"
#include "switch/target.h"

#define FOLDER "/run/miguard-directory-test"

enum { TEXT = 4096 };

static unsigned passed, failed, skipped;
static bool wrong;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            wrong = true;                                                                          \
        }                                                                                          \
    } while (0)

/* ---- the stage ------------------------------------------------------------------------------ */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return (fd < 0 || close(fd) == 0) && written;
}

static const char users_file[] = "root:x:0:0:root:/:/bin/sh\n"
                                 "nobody:x:65534:65534::/:/bin/false\n"
                                 "local4242:x:4242:65534::/:/bin/false\n"
                                 "5000-5005:x:5000:65534::/:/bin/false\n"
                                 "+33:x:5033:65534::/:/bin/false\n";

/* A line of 2 MB stands before the last group. */
static bool write_groups(void)
{
    static char text[2 * 1024 * 1024 + 4096];
    size_t length = (size_t)snprintf(
        text, sizeof(text), "root:x:0:\nnogroup:x:65534:\nlocal4343:x:4343:\nlong:x:4299:");

    while (length < 2 * 1024 * 1024) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "member%zu,", length);
    }
    snprintf(text + length, sizeof(text) - length, "last\nsmall:x:4300:\n");
    return write_file(FOLDER "/group", text);
}

static bool set_stage(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0 && mkdir(FOLDER, 0755) == 0 &&
           write_file(FOLDER "/passwd", users_file) && write_groups() &&
           write_file(FOLDER "/nsswitch.conf", "passwd: files mgtest\ngroup: files mgtest\n") &&
           write_file(FOLDER "/mode", "0 1 0\n") &&
           mount(FOLDER "/passwd", "/etc/passwd", NULL, MS_BIND, NULL) == 0 &&
           mount(FOLDER "/group", "/etc/group", NULL, MS_BIND, NULL) == 0 &&
           mount(FOLDER "/nsswitch.conf", "/etc/nsswitch.conf", NULL, MS_BIND, NULL) == 0;
}

static void behave(int error, enum nss_status status, int milliseconds)
{
    char text[64];
    snprintf(text, sizeof(text), "%d %d %d\n", error, (int)status, milliseconds);
    MUST(write_file(FOLDER "/mode", text));
}

static const char *out_folder(void)
{
    return getenv("OUT") != NULL ? getenv("OUT") : "build";
}

/* ---- the places ----------------------------------------------------------------------------- */

struct outcome {
    bool found;
    uint32_t id;
    char said[TEXT]; /* when not */
};

static void note_target(enum miguard_status status, struct miguard_target *target,
                        const struct miguard_error *error, struct outcome *outcome)
{
    outcome->found = status == MIGUARD_OK;
    if (outcome->found) {
        outcome->id = target->identity.uid[0];
        miguard_target_free(target);
    } else {
        snprintf(outcome->said, TEXT, "%s: %s (errno %d)", miguard_status_name(status),
                 error->detail, error->system_errno);
    }
}

static void target_user(const char *text, struct outcome *outcome)
{
    struct miguard_target *target = NULL;
    struct miguard_error error = {.status = MIGUARD_OK};
    enum miguard_status status = miguard_target_user(text, &target, &error);
    note_target(status, target, &error, outcome);
}

static void groups_of_user(const char *text, struct outcome *outcome)
{
    const struct miguard_groups groups = {.choice = MIGUARD_GROUPS_OF_USER, .user = text};
    struct miguard_target *target = NULL;
    struct miguard_error error = {.status = MIGUARD_OK};
    enum miguard_status status = miguard_target_ids(1, 1, &groups, &target, &error);
    note_target(status, target, &error, outcome);
    outcome->id = 0; /* the ids are those that were given */
}

__attribute__((format(printf, 3, 4))) static void
load_policy(uint32_t (*id_of)(const struct policy_draft *), struct outcome *outcome,
            const char *format, ...)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    char policy[TEXT];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(policy, sizeof(policy), format, arguments);
    va_end(arguments);
    outcome->found = draft_load_text("test", policy, (size_t)length, &draft, &errors) == MIGUARD_OK;
    if (outcome->found) {
        outcome->id = id_of(draft);
        draft_free(draft);
    } else if (errors.count > 0) {
        snprintf(outcome->said, TEXT, "%s", errors.items[0].message);
    }
    diagnostics_release(&errors);
}

static uint32_t rule_user(const struct policy_draft *draft)
{
    return draft->rules[0].match.users.items[0].first;
}

static uint32_t rule_group(const struct policy_draft *draft)
{
    return draft->rules[0].match.groups.items[0].first;
}

static uint32_t test_user(const struct policy_draft *draft)
{
    return draft->tests[0].opened_as.uid;
}

#define RULE "version: 1\nrules:\n  - name: r\n    match: {%s: [\"%s\"]}\n    decision: deny\n"

static void policy_user(const char *text, struct outcome *outcome)
{
    load_policy(rule_user, outcome, RULE, "user", text);
}

static void policy_group(const char *text, struct outcome *outcome)
{
    load_policy(rule_group, outcome, RULE, "group", text);
}

static void policy_test(const char *text, struct outcome *outcome)
{
    load_policy(test_user, outcome,
                "version: 1\ntests:\n  - name: t\n    given: {opened-as: {user: \"%s\"}, "
                "operation: GetInstance}\n    expect: {decision: allow}\n",
                text);
}

/* The command's output and errors. */
static int command(char said[TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int command(char said[TEXT], const char *format, ...)
{
    char line[TEXT], whole[TEXT + 512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    snprintf(whole, sizeof(whole), "%s/miguard %s 2>&1 </dev/null", out_folder(), line);
    FILE *output = popen(whole, "re");
    MUST(output != NULL);
    size_t length = output != NULL ? fread(said, 1, TEXT - 1, output) : 0;
    said[length] = '\0';
    int status = output != NULL ? pclose(output) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_as(const char *text, struct outcome *outcome)
{
    int status = command(outcome->said,
                         "run --audit %s --as '%s' --module %s/providers/file.so get root/test "
                         "MG_File Path=/etc/passwd",
                         log_path(), text, out_folder());
    const char *served = strstr(outcome->said, "ServedAsUid = ");
    outcome->found = status == 0 && served != NULL;
    if (outcome->found) {
        outcome->id = (uint32_t)strtoul(served + strlen("ServedAsUid = "), NULL, 10);
    }
}

static void explain(const char *text, struct outcome *outcome)
{
    MUST(write_file(FOLDER "/empty.yaml", "version: 1\n"));
    outcome->found = command(outcome->said,
                             "policy explain --policy " FOLDER
                             "/empty.yaml --opened-as '%s' --operation GetInstance",
                             text) == 0;
    outcome->id = 0;
}

static const struct place {
    const char *name;
    void (*ask)(const char *text, struct outcome *outcome);
    bool tells_id, needs_entry, needs_groups;
} places[] = {
    {"miguard_target_user()", target_user, true, true, true},
    {"the groups of a user", groups_of_user, false, true, true},
    {"a rule", policy_user, true, false, false},
    {"a policy's test", policy_test, true, true, true},
    {"policy explain --opened-as", explain, false, true, true},
    {"run --as", run_as, true, true, true},
};

/* ---- places x texts x behaviours ------------------------------------------------------------ */

static const struct behaviour {
    const char *name;
    int error;
    enum nss_status status;
} behaviours[] = {
    {"answers", 0, NSS_STATUS_SUCCESS},
    {"EAGAIN", EAGAIN, NSS_STATUS_TRYAGAIN},
    {"EIO", EIO, NSS_STATUS_UNAVAIL},
    {"ENOENT of its socket", ENOENT, NSS_STATUS_UNAVAIL},
    {"ECONNREFUSED", ECONNREFUSED, NSS_STATUS_UNAVAIL},
    {"ETIMEDOUT", ETIMEDOUT, NSS_STATUS_TRYAGAIN},
};

enum answer { IS, NOBODY, BOTH, MALFORMED };

static const struct given {
    const char *text;
    enum answer answer;
    uint32_t id;
    bool local; /* an id, which a rule may have without the directory */
} texts[] = {
    {"alice", IS, 80001, false},
    {"4242", BOTH, 0, false},
    {"+4242", IS, 4242, true},
    {"80005", IS, 80005, false},
    {"+80005", IS, 80005, true},
    {"80777", IS, 80777, false}, /* the user with the name 4242 */
    {"+80777", IS, 80777, true},
    {"nosuch", NOBODY, 0, false},
    {"04242", MALFORMED, 0, true},
    {"+04242", MALFORMED, 0, true},
    {"4294967295", MALFORMED, 0, true},
    {"4294967296", MALFORMED, 0, true},
    {"+4294967295", MALFORMED, 0, true},
    {"+18446744073709551616", MALFORMED, 0, true},
};

struct trial {
    const struct place *place;
    const struct given *text;
    const struct behaviour *behaviour;
};

static const char *expected_word(const struct trial *trial)
{
    bool down = trial->behaviour->error != 0;

    if (trial->text->answer == MALFORMED) {
        return "id";
    }
    if (down && (!trial->text->local || trial->place->needs_groups)) {
        return strerrordesc_np(trial->behaviour->error);
    }
    switch (trial->text->answer) {
    case NOBODY:
        return trial->place->needs_entry ? "user" : "unknown user";
    case BOTH:
        return "+4242";
    default:
        return NULL;
    }
}

static bool give_text(void *data)
{
    const struct trial *trial = data;
    const char *word = expected_word(trial);
    struct outcome outcome = {.found = false};

    behave(trial->behaviour->error, trial->behaviour->status, 0);
    trial->place->ask(trial->text->text, &outcome);
    MUST(outcome.found == (word == NULL));
    MUST(!outcome.found || !trial->place->tells_id || outcome.id == trial->text->id);
    MUST(word == NULL || strstr(outcome.said, word) != NULL);
    MUST(outcome.found || trial->behaviour->error == 0 ||
         (strstr(outcome.said, "there is no user") == NULL &&
          strstr(outcome.said, "unknown user") == NULL));
    if (wrong) {
        fprintf(stderr, "%s, \"%s\", %s: %s %u %s\n", trial->place->name, trial->text->text,
                trial->behaviour->name, outcome.found ? "found" : "refused", outcome.id,
                outcome.said);
    }
    return !wrong;
}

static void tell(bool good, const char *what, const char *how)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED: %s, %s\n", what, how);
}

static void check(const char *what, bool (*body)(void *), void *data)
{
    behave(0, NSS_STATUS_SUCCESS, 0);
    tell(raw_in_child(body, data), what, "");
}

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

static void try_all(void)
{
    for (size_t p = 0; p < LENGTH(places); p++) {
        for (size_t t = 0; t < LENGTH(texts); t++) {
            for (size_t b = 0; b < LENGTH(behaviours); b++) {
                struct trial trial = {&places[p], &texts[t], &behaviours[b]};
                char how[256];
                snprintf(how, sizeof(how), "\"%s\", the directory: %s", texts[t].text,
                         behaviours[b].name);
                tell(raw_in_child(give_text, &trial), places[p].name, how);
            }
        }
    }
}

/* ---- groups in a policy, and what looks like a range
 * --------------------------------------------- */

static bool give_groups(void *unused)
{
    static const struct {
        const char *text;
        bool found;
        uint32_t id;
        const char *said;
    } rows[] = {
        {"team", true, 80100, NULL},
        {"small", true, 4300, NULL},
        {"big", true, 80200, NULL},
        {"4343", false, 0, "+4343"},
        {"+4343", true, 4343, NULL},
        {"80300", true, 80300, NULL},
        {"4300", true, 4300, NULL},
        {"endless", false, 0, "longer than"},
        {"nosuch", false, 0, "unknown group"},
    };
    (void)unused;

    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct outcome outcome = {.found = false};
        policy_group(rows[i].text, &outcome);
        MUST(outcome.found == rows[i].found && outcome.id == rows[i].id);
        MUST(rows[i].said == NULL || strstr(outcome.said, rows[i].said) != NULL);
    }
    struct outcome outcome = {.found = false};
    policy_user("5000-5005", &outcome); /* a range, whoever is called so */
    MUST(outcome.found && outcome.id == 5000);
    policy_user("+33", &outcome); /* an id, whoever is called so */
    MUST(outcome.found && outcome.id == 33);
    return !wrong;
}

/* ---- what is asked -------------------------------------------------------------------------- */

static void begin_counting(void)
{
    MUST(write_file(FOLDER "/calls", ""));
}

/* Lines that begin with this. */
static unsigned count_questions(const char *start)
{
    FILE *file = fopen(FOLDER "/calls", "re");
    char line[512];
    unsigned count = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strncmp(line, start, strlen(start)) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

/* ---- one question --------------------------------------------------------------------------- */

static unsigned threads_now(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 ? (unsigned)status.st_nlink - 2 : 0;
}

static bool ask_odd_entries(void *unused)
{
    static const struct {
        enum directory_kind kind;
        uint32_t id;
        enum directory_result result;
        const char *name; /* or NULL */
        int error;
    } rows[] = {
        {DIRECTORY_USER, 80001, DIRECTORY_FOUND, "alice", 0},
        {DIRECTORY_USER, 80002, DIRECTORY_FOUND, "\xff\xfe", 0},
        {DIRECTORY_USER, 80003, DIRECTORY_FOUND, "ev\x1b[31mil\nx", 0},
        {DIRECTORY_USER, 80004, DIRECTORY_FAILED, NULL, EBADMSG},
        {DIRECTORY_USER, 80006, DIRECTORY_FAILED, NULL, EBADMSG},
        {DIRECTORY_USER, 80007, DIRECTORY_FAILED, NULL, EBADMSG},
        {DIRECTORY_USER, 80008, DIRECTORY_FAILED, NULL, EBADMSG},
        {DIRECTORY_USER, 80099, DIRECTORY_NONE, NULL, 0},
        {DIRECTORY_GROUP, 4299, DIRECTORY_FOUND, "long", 0},
        {DIRECTORY_GROUP, 4300, DIRECTORY_FOUND, "small", 0},
        {DIRECTORY_GROUP, 80200, DIRECTORY_FOUND, "big", 0},
        {DIRECTORY_GROUP, 80201, DIRECTORY_TOO_LARGE, NULL, 0},
        {DIRECTORY_GROUP, 80299, DIRECTORY_NONE, NULL, 0},
    };
    (void)unused;

    for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
        struct directory_entry entry = {0};
        size_t row = i / 2;
        errno = ENOTTY;
        enum directory_result result = directory_by_id(
            rows[row].kind, rows[row].id, i % 2 == 0 ? DIRECTORY_FOREVER : 10000, &entry);
        MUST(errno == ENOTTY && result == rows[row].result && entry.error == rows[row].error);
        MUST((entry.name == NULL) == (rows[row].name == NULL) &&
             (entry.name == NULL || strcmp(entry.name, rows[row].name) == 0));
        directory_release(&entry);
        MUST(RAW_HIDDEN_THREAD || threads_now() == 1);
    }
    return !wrong;
}

/* What a text is, before anybody is asked. */
static bool read_texts(void *unused)
{
    static const struct {
        const char *text;
        enum directory_text kind;
        uint32_t id;
    } rows[] = {
        {"", DIRECTORY_TEXT_NAME, 7},
        {"+", DIRECTORY_TEXT_NAME, 7},
        {"12ab", DIRECTORY_TEXT_NAME, 7},
        {"+12ab", DIRECTORY_TEXT_NAME, 7},
        {" 12", DIRECTORY_TEXT_NAME, 7},
        {"-1", DIRECTORY_TEXT_NAME, 7},
        {"0", DIRECTORY_TEXT_DIGITS, 0},
        {"+0", DIRECTORY_TEXT_ID, 0},
        {"4294967294", DIRECTORY_TEXT_DIGITS, 4294967294U},
        {"00", DIRECTORY_TEXT_LEADING_ZERO, 7},
        {"+01", DIRECTORY_TEXT_LEADING_ZERO, 7},
        {"4294967295", DIRECTORY_TEXT_MINUS_ONE, 7},
        {"4294967296", DIRECTORY_TEXT_TOO_LARGE, 7},
        {"+18446744073709551616", DIRECTORY_TEXT_TOO_LARGE, 7},
    };
    (void)unused;

    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint32_t id = 7; /* stays where the text is none */
        enum directory_text kind = directory_read_text(rows[i].text, &id);
        MUST(kind == rows[i].kind && id == rows[i].id);
    }
    return !wrong;
}

static bool ask_for_nobodies(void *unused)
{
    static const char *const names[] = {"minus", "minusgroup"};
    (void)unused;

    for (size_t i = 0; i < LENGTH(names); i++) {
        struct directory_entry entry = {0};
        MUST(directory_by_name(DIRECTORY_USER, names[i], DIRECTORY_FOREVER, &entry) ==
             DIRECTORY_FAILED);
        MUST(entry.error == EBADMSG && entry.name == NULL);
    }
    return !wrong;
}

/* A service that is interrupted again and again is asked so often, and no more. */
static bool ask_interrupted(void *unused)
{
    struct directory_entry entry = {0};
    (void)unused;

    begin_counting();
    behave(EINTR, NSS_STATUS_TRYAGAIN, 0);
    MUST(directory_by_id(DIRECTORY_USER, 80001, DIRECTORY_FOREVER, &entry) == DIRECTORY_FAILED);
    MUST(entry.error == EINTR && entry.name == NULL);
    MUST(count_questions("") == 16);
    return !wrong;
}

/* getgrouplist(3) says nothing of a service that could not be asked. */
static bool ask_groups(void *unused)
{
    struct directory_entry alice = {.name = (char[]){"alice"}, .gid = 80100};
    struct directory_entry crowd = {.name = (char[]){"crowd"}, .gid = 80100};
    gid_t *groups = NULL;
    uint32_t count = 0;
    int error = 0;
    (void)unused;

    MUST(directory_groups(&alice, DIRECTORY_FOREVER, &groups, &count, &error) == DIRECTORY_FOUND);
    MUST(count == 2 && groups[0] == 80100 && groups[1] == 80200);
    base_free(groups);
    MUST(directory_groups(&crowd, DIRECTORY_FOREVER, &groups, &count, &error) ==
         DIRECTORY_TOO_LARGE);
    for (size_t i = 1; i < LENGTH(behaviours); i++) {
        behave(behaviours[i].error, behaviours[i].status, 0);
        error = 0;
        MUST(directory_groups(&alice, DIRECTORY_FOREVER, &groups, &count, &error) ==
             DIRECTORY_FAILED);
        MUST(error == behaviours[i].error);
    }
    /* A service that fails before another one answers. */
    MUST(write_file(FOLDER "/mode", "5 -1 0 1\n"));
    MUST(directory_groups(&alice, DIRECTORY_FOREVER, &groups, &count, &error) == DIRECTORY_FAILED);
    MUST(error == EIO);
    /* A service that cannot tell, for the length of its entries, whether there is more. */
    MUST(write_file(FOLDER "/mode", "0 1 0 2\n"));
    MUST(directory_groups(&alice, DIRECTORY_FOREVER, &groups, &count, &error) ==
         DIRECTORY_TOO_LARGE);
    return !wrong;
}

/* Time that the library is to believe has passed. */
static _Atomic int64_t ahead_seconds;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE) {
        ret_time->tv_sec += atomic_load(&ahead_seconds);
    }
    return result;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool no_threads; /* pthread_create(3) fails */
static _Atomic unsigned threads_started;

/* In place of the C library's. */
int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    }
    atomic_fetch_add(&threads_started, 1);
    return no_threads ? EAGAIN : real(ret_thread, attributes, run, argument);
}

/* Wakes of one thread by another, through syscall(2) as in identity/directory.c; in place of the C
 * library's. */
static atomic_uint wakes;

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    va_list list;
    long argument[6];

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    }
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        argument[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_futex && argument[1] == FUTEX_WAKE_PRIVATE) {
        atomic_fetch_add(&wakes, 1);
    }
    return real(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                argument[5]);
}

/* What was never started is not left behind. */
static bool ask_without_threads(void *unused)
{
    struct directory_entry entry = {0};
    (void)unused;

    no_threads = true;
    for (int i = 0; i < 20; i++) {
        entry.error = 0;
        MUST(directory_by_id(DIRECTORY_USER, 80001, 20, &entry) == DIRECTORY_FAILED);
        MUST(entry.error == EAGAIN && directory_threads() == 0);
    }
    no_threads = false;
    MUST(directory_by_id(DIRECTORY_USER, 80001, 10000, &entry) == DIRECTORY_FOUND);
    directory_release(&entry);
    return !wrong;
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
    (void)number;
    handled = handled + 1;
}

/* The host's signals are not for a thread that was left behind. */
static bool signals_stay_away(void *unused)
{
    const struct sigaction action = {.sa_handler = handle};
    struct directory_entry entry = {0};
    sigset_t one, pending;
    (void)unused;

    behave(0, NSS_STATUS_SUCCESS, 1000000);
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(directory_by_id(DIRECTORY_USER, 80001, 20, &entry) == DIRECTORY_FAILED);
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    MUST(pthread_sigmask(SIG_BLOCK, &one, NULL) == 0 && kill(getpid(), SIGUSR1) == 0);
    usleep(100000);
    MUST(handled == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    return !wrong;
}

/* A child has none of its parent's threads, and may leave as many behind. */
static bool child_begins_anew(void)
{
    struct directory_entry entry = {0};
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        bool none = directory_threads() == 0;
        behave(0, NSS_STATUS_SUCCESS, 0);
        _exit(none && directory_by_id(DIRECTORY_USER, 80001, 10000, &entry) == DIRECTORY_FOUND &&
                      directory_threads() == 0
                  ? 0
                  : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

/* So many may be left behind, then nobody is asked. */
static bool ask_the_silent(void *unused)
{
    struct directory_entry entry = {0};
    (void)unused;

    behave(0, NSS_STATUS_SUCCESS, 1000000);
    for (int i = 0; i < 20; i++) {
        int64_t begin = now_ms();
        MUST(directory_by_id(DIRECTORY_USER, 80001, 20, &entry) == DIRECTORY_FAILED);
        MUST(entry.error == (i < 16 ? ETIMEDOUT : EAGAIN) && now_ms() - begin < 1000);
    }
    MUST(directory_threads() == 16 && child_begins_anew());
    return !wrong;
}

/* ---- thousands of tests --------------------------------------------------------------------- */

/* What stands behind the thread in each line, sorted: equal ones side by side. */
static unsigned count_repeated(unsigned *ret_questions)
{
    FILE *lines =
        popen("cut -d' ' -f2- " FOLDER "/calls | grep -v miguard-no-such-group | sort", "re");
    char line[512], before[512] = "";
    unsigned repeated = 0;

    *ret_questions = 0;
    while (lines != NULL && fgets(line, sizeof(line), lines) != NULL) {
        repeated += strcmp(line, before) == 0;
        (*ret_questions)++;
        strcpy(before, line);
    }
    MUST(lines != NULL && pclose(lines) == 0);
    return repeated;
}

enum { FILES = 8, TESTS_EACH = 512, USERS = 16, IDS = 4 };

/* 4,096 tests about 16 users, of whom 4 are also given by their id. */
static bool write_tests(void)
{
    static char policy[65536];
    bool written = mkdir(FOLDER "/policy.d", 0755) == 0;

    for (int f = 0; f < FILES; f++) {
        char path[64];
        size_t end = (size_t)snprintf(policy, sizeof(policy), "version: 1\ntests:\n");
        for (int t = 0; t < TESTS_EACH; t++) {
            const int user = t % 2 == 0 ? t / 2 % USERS : 90000 + t / 2 % IDS;
            end += (size_t)snprintf(policy + end, sizeof(policy) - end,
                                    " - {name: t%d-%d, given: {opened-as: {user: %s%d}, operation: "
                                    "GetInstance}, expect: {decision: allow}}\n",
                                    f, t, t % 2 == 0 ? "many" : "", user);
        }
        snprintf(path, sizeof(path), FOLDER "/policy.d/%d.yaml", f);
        written = written && end < sizeof(policy) && write_file(path, policy);
    }
    return written;
}

/* With a millisecond for each answer, five seconds would not do for each test by itself. */
static bool users_are_asked_once(void *unused)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {.status = MIGUARD_OK};
    unsigned questions = 0;
    (void)unused;

    MUST(write_tests());
    config.audit_file = log_path();
    config.policy = FOLDER "/policy.d";
    begin_counting();
    behave(0, NSS_STATUS_SUCCESS, 1);
    MUST(miguard_configure(&config, &error) == MIGUARD_OK);
    MUST(count_repeated(&questions) == 0);
    /* A name, then its groups; of digits whether they are a name, and whose id they are. */
    MUST(questions >= 2 * USERS + 2 * IDS && questions < 2 * USERS + 2 * IDS + 8);
    if (wrong) {
        fprintf(stderr, "%u questions, %u again: %s\n", questions, count_repeated(&questions),
                error.detail);
    }
    return !wrong;
}

/* ---- thousands of numbers ------------------------------------------------------------------- */

enum { RULES = 4, NUMBERS = 250 };

/* Each number may be a name, so each is a question; then a user, and a group. */
static enum miguard_status load_numbers(struct diagnostics *errors)
{
    static char policy[65536];
    struct policy_draft *draft = NULL;
    size_t end = (size_t)snprintf(policy, sizeof(policy), "version: 1\nrules:\n");

    for (int i = 0; i < RULES * NUMBERS; i++) {
        if (i % NUMBERS == 0) {
            end += (size_t)snprintf(policy + end, sizeof(policy) - end,
                                    "  - name: r%d\n    decision: deny\n"
                                    "    match:\n      group: team\n      user:\n      - alice\n"
                                    "      - 1000-1999\n      - +33\n", /* not asked */
                                    i);
        }
        end += (size_t)snprintf(policy + end, sizeof(policy) - end, "      - %d\n", 100000 + i);
    }
    const enum miguard_status status = draft_load_text("test", policy, end, &draft, errors);
    if (status == MIGUARD_OK) {
        MUST(draft->rule_count == RULES && draft->rules[0].match.users.count == NUMBERS + 3);
        draft_free(draft);
    }
    return status;
}

static bool one_thread_asks_all(void *unused)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    (void)unused;

    begin_counting();
    atomic_store(&threads_started, 0);
    atomic_store(&wakes, 0);
    MUST(load_numbers(&errors) == MIGUARD_OK && errors.count == 0);
    MUST(atomic_load(&wakes) <= 2); /* all in one list: the answers, and the end */
    MUST(atomic_load(&threads_started) == 1 && count_questions("") == RULES * NUMBERS + 2);
    MUST(RAW_HIDDEN_THREAD || threads_now() == 1);
    for (int i = 0; i < 1000 && directory_threads() > 0; i++) {
        usleep(10000);
    }
    MUST(directory_threads() == 0);
    if (wrong) {
        fprintf(stderr, "%u threads, %u questions\n", atomic_load(&threads_started),
                count_questions(""));
    }
    diagnostics_release(&errors);
    return !wrong;
}

/* 5 seconds for all of them (miguard-policy(5)), and not one thread for each is left behind. */
static bool numbers_of_the_silent(void *unused)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    const int64_t start = now_ms();
    (void)unused;

    behave(0, NSS_STATUS_SUCCESS, 1000000);
    MUST(load_numbers(&errors) == MIGUARD_BAD_POLICY);
    MUST(now_ms() - start >= 4900 && now_ms() - start < 30000);
    MUST(errors.count > 0 && directory_threads() == 1);
    for (size_t i = 0; i < errors.count; i++) {
        if (strstr(errors.items[i].message, strerrordesc_np(ETIMEDOUT)) == NULL) {
            fprintf(stderr, "%s\n", errors.items[i].message);
            MUST(false);
            break;
        }
    }
    diagnostics_release(&errors);
    return !wrong;
}

/* A slow one: what is answered in time is of use, and no policy comes out of half the answers. */
static bool numbers_of_the_slow(void *unused)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    const int64_t start = now_ms();
    (void)unused;

    behave(0, NSS_STATUS_SUCCESS, 50);
    MUST(load_numbers(&errors) == MIGUARD_BAD_POLICY);
    MUST(now_ms() - start >= 4900 && now_ms() - start < 30000 && errors.count > 0);
    for (int i = 0; i < 1000 && directory_threads() > 0; i++) {
        usleep(10000); /* the late one ends with its answer */
    }
    MUST(directory_threads() == 0);
    diagnostics_release(&errors);
    return !wrong;
}

/* The time of an asker is that of its answers, and one time for all of them. */
static bool answers_share_one_time(void *unused)
{
    enum { TIME_MS = 30000 };
    struct directory_asker asker;
    struct directory_entry entry = {0};
    (void)unused;

    directory_begin(&asker, TIME_MS);
    for (int i = 0; i < 4; i++) {
        atomic_fetch_add(&ahead_seconds, TIME_MS / 1000); /* the caller was busy */
        MUST(directory_ask_id(&asker, DIRECTORY_USER, 80001, &entry) == DIRECTORY_FOUND);
        directory_release(&entry);
    }
    directory_end(&asker);
    directory_begin(&asker, 1000);
    behave(0, NSS_STATUS_SUCCESS, 400);
    begin_counting();
    unsigned found = 0;
    for (int i = 0; i < 10; i++) {
        found += directory_ask_id(&asker, DIRECTORY_USER, 80001, &entry) == DIRECTORY_FOUND;
        MUST(entry.error == 0 || entry.error == ETIMEDOUT);
        directory_release(&entry);
    }
    directory_end(&asker);
    MUST(found <= 2 && count_questions("") == found + 1);
    return !wrong;
}

/* Each name of a list has the answer that it has by itself. */
static bool a_list_has_each_answer(void *unused)
{
    static const char *const names[] = {"alice", "nosuch", "80001",     "80002", "minus",
                                        "root",  "alice",  "local4242", "4242",  "0"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    struct directory_question list[COUNT];
    struct directory_asker asker;
    (void)unused;

    behave(0, NSS_STATUS_SUCCESS, 0);
    for (int wait = DIRECTORY_FOREVER; wait <= 30000; wait += 30000 - DIRECTORY_FOREVER) {
        for (int kind = 0; kind < 2; kind++) {
            for (int i = 0; i < COUNT; i++) {
                list[i] = (struct directory_question){
                    .kind = kind == 0 ? DIRECTORY_USER : DIRECTORY_GROUP, .name = names[i]};
            }
            directory_begin(&asker, wait);
            directory_ask_names(&asker, list, COUNT);
            directory_ask_names(&asker, list, 0);
            directory_end(&asker);
            for (int i = 0; i < COUNT; i++) {
                struct directory_entry entry = {0};
                uint32_t id;
                enum directory_result result =
                    directory_read_text(names[i], &id) == DIRECTORY_TEXT_DIGITS
                        ? directory_check_digits(list[i].kind, id, DIRECTORY_FOREVER, &entry)
                        : directory_by_name(list[i].kind, names[i], DIRECTORY_FOREVER, &entry);
                MUST(list[i].result == result && list[i].entry.id == entry.id &&
                     list[i].entry.gid == entry.gid && list[i].entry.error == entry.error);
                MUST((entry.name == NULL) == (list[i].entry.name == NULL) &&
                     (entry.name == NULL || strcmp(entry.name, list[i].entry.name) == 0));
                directory_release(&entry);
                directory_release(&list[i].entry);
            }
        }
    }
    return !wrong;
}

/* What was answered in time is of use, what was not says so, and nobody asks the rest. */
static bool a_list_is_late(void *unused)
{
    enum { COUNT = 10 };
    struct directory_question list[COUNT];
    struct directory_asker asker;
    int found = 0;
    (void)unused;

    for (int i = 0; i < COUNT; i++) {
        list[i] = (struct directory_question){.kind = DIRECTORY_USER, .name = "alice"};
    }
    behave(0, NSS_STATUS_SUCCESS, 400);
    begin_counting();
    directory_begin(&asker, 1000);
    directory_ask_names(&asker, list, COUNT);
    directory_end(&asker);
    MUST(directory_threads() == 1);
    while (found < COUNT && list[found].result == DIRECTORY_FOUND) {
        MUST(list[found].entry.id == 80001 && strcmp(list[found].entry.name, "alice") == 0);
        directory_release(&list[found].entry);
        found++;
    }
    for (int i = found; i < COUNT; i++) {
        MUST(list[i].result == DIRECTORY_FAILED && list[i].entry.error == ETIMEDOUT);
    }
    for (int i = 0; i < 1000 && directory_threads() > 0; i++) {
        usleep(10000);
    }
    MUST(found >= 1 && found <= 2 && count_questions("") <= (unsigned)found + 2);
    MUST(directory_threads() == 0);
    return !wrong;
}

/* ---- a provider's call ---------------------------------------------------------------------- */

static struct stub_host *host;
static MI_Context *context;

static void next_request(void)
{
    host = stub_host_new();
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
}

static void begin(void)
{
    log_start();
    next_request();
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Microseconds of one session. */
static int64_t open_session(void)
{
    MI_Session session = MI_SESSION_NULL;
    int64_t start = nanoseconds();
    MUST(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    return (nanoseconds() - start) / 1000;
}

/* The real ids alone: the thread is still who opened the log, and a session is another's. */
static bool become(uid_t uid, gid_t gid)
{
    return raw_setresgid(gid, (gid_t)-1, (gid_t)-1) && raw_setresuid(uid, (uid_t)-1, (uid_t)-1);
}

static bool be_root(void)
{
    return become(0, 0);
}

static void *idle(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        usleep(1000);
    }
    return NULL;
}

/* Nanoseconds that the kernel let this thread wait for a processor: what others take of a busy
 * machine is not the library's. 0 where the kernel does not count. */
static int64_t crowded_out(void)
{
    long long run = 0, waited = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");

    if (file == NULL || fscanf(file, "%lld %lld", &run, &waited) != 2) {
        waited = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return waited;
}

/* Microseconds of one session of this id, as somebody of whom nothing is known. */
static int64_t time_session(uid_t uid)
{
    MUST(become(uid, 80100));
    int64_t waited = crowded_out();
    int64_t took = open_session();
    took -= (crowded_out() - waited) / 1000;
    MUST(be_root());
    return took;
}

static int compare_times(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return first < second ? -1 : first > second;
}

enum { SESSIONS = 20, ALLOWED = 5000 };

/* Of ids from first on, ascending. */
static void time_sessions(uid_t first, int64_t times[SESSIONS])
{
    for (uid_t i = 0; i < SESSIONS; i++) {
        times[i] = time_session(first + i);
    }
    qsort(times, SESSIONS, sizeof(times[0]), compare_times);
}

/* With two threads, or one. */
static bool sessions_are_quick(void *data)
{
    const bool *threads = data;
    atomic_bool stop = false;
    int64_t quick[SESSIONS], slow[SESSIONS];
    char thread_id[32];
    pthread_t thread;

    if (*threads) {
        MUST(pthread_create(&thread, NULL, idle, &stop) == 0);
    }
    begin();
    begin_counting();
    (void)time_session(69999); /* the first makes what the others find */
    time_sessions(70000, quick);
    behave(0, NSS_STATUS_SUCCESS, 3000);
    atomic_fetch_add(&ahead_seconds, NAMES_SECONDS + NAMES_DISTRUST + 1);
    time_sessions(80001, slow);
    MUST(slow[SESSIONS - 1] < quick[SESSIONS / 2] + ALLOWED);
    /* The proof beside the time: another thread asks the directory, or nobody. */
    snprintf(thread_id, sizeof(thread_id), "%ld ", (long)syscall(SYS_gettid));
    for (int i = 0; i < 1000 && count_questions("") == 0; i++) {
        usleep(10000); /* the thread that asks is on its way */
    }
    MUST(count_questions("") > 0 && count_questions(thread_id) == 0);
    MUST(log_mentions("\"real_user\":{\"id\":\"80001\"") > 0 && log_mentions("\"alice\"") == 0);
    if (wrong) {
        fprintf(stderr, "quick %lld, slowest %lld us; %u questions, %u by the guarded thread\n",
                (long long)quick[SESSIONS / 2], (long long)slow[SESSIONS - 1], count_questions(""),
                count_questions(thread_id));
    }
    atomic_store(&stop, true);
    return !wrong;
}

static bool has_names(void)
{
    return log_mentions("\"name\":\"alice\"") > 0 &&
           log_mentions("{\"id\":\"0\",\"name\":\"root\"") > 0;
}

static void write_some_records(bool (*change)(void))
{
    for (int i = 0; i < 50 && !has_names(); i++) {
        next_request();
        MUST(change());
        (void)open_session();
        MUST(raw_setresuid(0, 0, (uid_t)-1));
        usleep(10000);
        atomic_fetch_add(&ahead_seconds, NAMES_DISTRUST + 1); /* after a moment in vain */
    }
}

static bool as_alice(void)
{
    return become(80001, 0);
}

static bool switched_to_alice(void)
{
    return raw_setresuid((uid_t)-1, 80001, (uid_t)-1);
}

static bool names_are_written(void *data)
{
    const bool *threads = data;
    atomic_bool stop = false;
    pthread_t thread;

    if (*threads) {
        MUST(pthread_create(&thread, NULL, idle, &stop) == 0);
    }
    begin();
    write_some_records(*threads ? switched_to_alice : as_alice);
    MUST(has_names());
    atomic_store(&stop, true);
    return !wrong;
}

/* A name that the directory no longer has for the id. */
static bool names_grow_old(void *data)
{
    const bool *threads = data;
    atomic_bool stop = false;
    char users[1024];
    pthread_t thread;

    if (*threads) {
        MUST(pthread_create(&thread, NULL, idle, &stop) == 0);
    }
    begin();
    for (int i = 0; i < 50 && log_mentions("\"local4242\"") == 0; i++) {
        next_request();
        MUST(become(4242, 0));
        (void)open_session();
        MUST(be_root());
        usleep(10000);
        atomic_fetch_add(&ahead_seconds, NAMES_DISTRUST + 1);
    }
    MUST(log_mentions("\"local4242\"") > 0);
    snprintf(users, sizeof(users), "%s", users_file);
    memcpy(strstr(users, "local4242"), "other4242", strlen("other4242"));
    MUST(write_file(FOLDER "/passwd", users));
    atomic_fetch_add(&ahead_seconds, NAMES_SECONDS + 1);
    long before = log_mentions("\"local4242\""), records = log_mentions("\"id\":\"4242\"");
    for (int i = 0; i < 20; i++) {
        next_request();
        MUST(become(4242, 0));
        (void)open_session();
        MUST(be_root());
        usleep(5000);
    }
    MUST(log_mentions("\"id\":\"4242\"") == records + 20);
    MUST(log_mentions("\"local4242\"") == before);
    MUST(write_file(FOLDER "/passwd", users_file));
    atomic_store(&stop, true);
    return !wrong;
}

static atomic_uint thread_counts; /* looks at how many threads there are */

/* In place of the C library's. */
int stat(const char *restrict path, struct stat *restrict ret_status)
{
    if (strcmp(path, "/proc/self/task") == 0) {
        atomic_fetch_add(&thread_counts, 1);
    }
    return fstatat(AT_FDCWD, path, ret_status, 0);
}

/* A name that does not come is not asked for with each record: whether a thread may be started is
 * looked at once in a second. */
static bool late_names_cost_no_calls(void *unused)
{
    enum { RECORDS = 50, MOST = 10 };
    (void)unused;

    begin();
    behave(0, NSS_STATUS_SUCCESS, 3000);
    (void)time_session(80000); /* in vain */
    unsigned before = atomic_load(&thread_counts);
    for (uid_t i = 1; i <= RECORDS; i++) {
        (void)time_session(80000 + i);
    }
    MUST(atomic_load(&thread_counts) - before < MOST);
    atomic_fetch_add(&ahead_seconds, 2);
    before = atomic_load(&thread_counts);
    (void)time_session(80000 + RECORDS + 1);
    MUST(atomic_load(&thread_counts) - before == 2); /* for names, and for the log's thread */
    return !wrong;
}

/* A thread that was started by a switched one would have its identity for as long as the directory
 * takes; and a process with one thread has one again when it has its answer. */
static bool one_thread_stays_alone(void *unused)
{
    (void)unused;
    begin();
    write_some_records(switched_to_alice);
    MUST(log_mentions("\"name\":\"alice\"") == 0);
    write_some_records(as_alice);
    MUST(log_mentions("\"name\":\"alice\"") > 0);
    for (int i = 0; i < 200 && !RAW_HIDDEN_THREAD && threads_now() > 1; i++) {
        usleep(10000); /* one that was not waited for */
    }
    MUST(RAW_HIDDEN_THREAD || threads_now() == 1);
    return !wrong;
}

/* ---- who reads the log
 * ---------------------------------------------------------------------------- */

/* There the id may be anybody's. */
static void read_of_another_host(void)
{
    char line[TEXT], said[TEXT];

    snprintf(line, sizeof(line),
             "sed 's/\"host\":{\"name\":\"[^\"]*\"/\"host\":{\"name\":\"elsewhere\"/' %s >" FOLDER
             "/elsewhere.jsonl",
             log_path());
    FILE *output = popen(line, "re");
    MUST(output != NULL && pclose(output) == 0);
    behave(0, NSS_STATUS_SUCCESS, 0);
    (void)command(said, "audit search --any-user 80001 " FOLDER "/elsewhere.jsonl");
    MUST(strstr(said, "  80001  ") != NULL && strstr(said, "alice") == NULL);
    (void)command(said, "audit search --any-user alice --count " FOLDER "/elsewhere.jsonl");
    MUST(strstr(said, "0\n") != NULL);
}

static bool readers_fill_in(void *unused)
{
    static const struct {
        const char *arguments, *said; /* what is said when the directory answers, */
        const char *silent;           /* and when it does not; NULL: the same */
    } rows[] = {
        {"search --any-user alice --count", "1\n", "0\n"},
        {"search --any-user 'al*' --count", "1\n", "0\n"},
        {"search --any-user 80001 --count", "1\n", NULL},
        {"search --any-user +80001 --count", "1\n", NULL},
        {"search --any-user 4242 --count", "0\n", NULL}, /* the name of one who has a record */
        {"search --any-user +4242 --count", "0\n", NULL},
        {"search --any-user 80777 --count", "1\n", NULL},
        {"search --any-user 04242 --count", "is not an id", NULL},
        {"search --group team --count", "2\n", "0\n"},
        {"search --bound-user nosuch --count", "0\n", NULL},
        {"search --any-user 80001", "  alice (80001, looked up now)  ", "  80001  "},
        {"report", "alice (80001)", "80001"},
    };
    char said[TEXT];
    (void)unused;

    begin();
    behave(EIO, NSS_STATUS_UNAVAIL, 0);
    MUST(raw_setresgid((gid_t)-1, 80100, (gid_t)-1) && raw_setresuid((uid_t)-1, 80001, 0));
    (void)open_session();
    MUST(be_root());
    MUST(raw_setresuid(0, 0, 0) && raw_setresuid((uid_t)-1, 80777, 0));
    (void)open_session();
    MUST(raw_setresuid(0, 0, 0) && raw_setresgid(0, 0, 0));
    for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
        bool answers = i % 2 == 0;
        const char *expected =
            answers || rows[i / 2].silent == NULL ? rows[i / 2].said : rows[i / 2].silent;
        behave(answers ? 0 : EIO, answers ? NSS_STATUS_SUCCESS : NSS_STATUS_UNAVAIL, 0);
        (void)command(said, "audit %s %s", rows[i / 2].arguments, log_path());
        MUST(strstr(said, expected) != NULL);
        if (strstr(said, expected) == NULL) {
            fprintf(stderr, "%s: %s\n", rows[i / 2].arguments, said);
        }
    }
    read_of_another_host();
    return !wrong;
}

/* ---- a directory that never answers
 * --------------------------------------------------------------- */

static bool forks(void)
{
    pid_t child = fork();

    if (child == 0) {
        MI_Context *own = NULL;
        MI_Session session = MI_SESSION_NULL;
        struct stub_host *child_host = stub_host_new();
        int64_t start = now_ms();
        _exit(miguard_guard_context(&child_host->context, &own) == MI_RESULT_OK &&
                      MI_Context_GetLocalSession(own, &session) == MI_RESULT_OK &&
                      now_ms() - start < 1000
                  ? 0
                  : 1);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void *reload(void *unused)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    MUST(miguard_reload(&error) == MIGUARD_BAD_POLICY);
    MUST(strstr(error.detail, strerrordesc_np(ETIMEDOUT)) != NULL);
    return unused;
}

static bool nothing_hangs(void *data)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    pthread_t thread;
    (void)data;

    MUST(write_file(FOLDER "/policy.yaml", "version: 1\n"));
    config.audit_file = log_path();
    config.policy = FOLDER "/policy.yaml";
    MUST(miguard_configure(&config, NULL) == MIGUARD_OK);
    host = stub_host_new();
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    behave(0, NSS_STATUS_SUCCESS, 1000000);
    MUST(write_file(FOLDER "/policy.yaml", "version: 1\nrules:\n  - {name: r, match: {user: "
                                           "alice}, decision: deny}\n"));
    int64_t start = now_ms();
    MUST(pthread_create(&thread, NULL, reload, NULL) == 0);
    usleep(200000);
    int64_t middle = now_ms();
    MUST(open_session() < 1000000); /* while it is being reloaded */
    MUST(forks());
    MUST(now_ms() - middle < 1000);
    MUST(pthread_join(thread, NULL) == 0 && now_ms() - start < 8000);
    MUST(become(80001, 80100));
    (void)open_session();
    MUST(be_root());
    MUST(forks());
    MUST(MI_Context_PostResult(context, MI_RESULT_OK) == MI_RESULT_OK);
    start = now_ms();
    config.policy = NULL;
    MUST(write_file(FOLDER "/policy.yaml", "version: 1\n"));
    config.policy = FOLDER "/policy.yaml";
    MUST(miguard_configure(&config, NULL) == MIGUARD_OK); /* closes the log */
    MUST(now_ms() - start < 1000);
    return !wrong;
}

/* ---- who runs it
 * ---------------------------------------------------------------------------------- */

static int skip(const char *why)
{
    printf("skip: users and groups of a test's own: %s\n0 passed, 0 failed, 1 skipped\n", why);
    return 0;
}

static int go_on_stage(void)
{
    char library[PATH_MAX], module[PATH_MAX];

    snprintf(library, sizeof(library), "%s/tests/nss", out_folder());
    if (geteuid() != 0) {
        return skip("needs root");
    }
    if (realpath(library, module) == NULL) {
        return skip("the module was not built");
    }
    if (unshare(CLONE_NEWNS) != 0 || !set_stage()) {
        return skip(strerrordesc_np(errno));
    }
    setenv("LD_LIBRARY_PATH", module, 1);
    setenv("MGTEST_MODE", FOLDER "/mode", 1);
    setenv("MGTEST_CALLS", FOLDER "/calls", 1);
    execl("/proc/self/exe", "directory_test", NULL);
    return skip(strerrordesc_np(errno));
}

/* ---- names for patterns, asked when a session is opened ---------------------------------------
 */

enum { SILENT = 1000000 /* milliseconds */ };

static bool ask_account_names(void *data)
{
    static const struct {
        uid_t uid;
        int error, milliseconds;
        const char *name; /* NULL: not known; "": it has none */
    } rows[] = {
        {80001, 0, 0, "alice"}, {80777, 0, 0, "4242"},    {80010, 0, 0, ""},
        {80002, 0, 0, NULL},    {80004, 0, 0, NULL},      {80006, 0, 0, NULL},
        {80001, EIO, 0, NULL},  {80001, 0, SILENT, NULL},
    };
    static gid_t many[IDENTITY_MAX_NAMED], failing[] = {80100, 80201};
    (void)data;

    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct miguard_identity who = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};
        who.uid[IDENTITY_E] = rows[i].uid;
        who.gid[IDENTITY_E] = 80100;
        behave(rows[i].error, rows[i].error != 0 ? NSS_STATUS_UNAVAIL : NSS_STATUS_SUCCESS,
               rows[i].milliseconds);
        int64_t start = now_ms();
        identity_ask_names(&who, true, true);
        MUST(now_ms() - start < IDENTITY_NAMES_WAIT + 30000);
        MUST(who.user_names.known == (rows[i].name != NULL));
        if (rows[i].name != NULL) {
            MUST(who.user_names.count == (rows[i].name[0] != '\0' ? 1u : 0u));
            MUST(who.user_names.count == 0 || strcmp(who.user_names.texts, rows[i].name) == 0);
        }
        bool answers = rows[i].error == 0 && rows[i].milliseconds == 0;
        MUST(who.group_names.known == answers);
        MUST(!answers ||
             (who.group_names.count == 1 && strcmp(who.group_names.texts, "team") == 0));
        identity_release(&who);
    }
    behave(0, NSS_STATUS_SUCCESS, 0);
    struct miguard_identity who = {.tag = IDENTITY_TAG, .known = MIGUARD_COMPONENTS_ALL};
    who.gid[IDENTITY_E] = 80100;
    who.groups = many;
    who.group_count = LENGTH(many);
    identity_ask_names(&who, true, true);
    MUST(who.user_names.known && !who.group_names.known); /* too many */
    base_free(who.user_names.texts);
    who.groups = failing;
    who.group_count = 2;
    identity_ask_names(&who, false, true);
    MUST(!who.group_names.known); /* the entry of one is too long */
    return !wrong;
}

#define ALLOWS                                                                                     \
    "version: 1\ndefaults: {decision: deny}\nrules:\n  - {name: r, match: {%s}, decision: "        \
    "allow}\n"
#define DENIES "version: 1\nrules:\n  - {name: r, match: {%s}, decision: deny}\n"

/* A session for alice, or another. */
static const struct named_trial {
    const char *policy, *match;
    uid_t uid;
    int error, milliseconds;
    const char *reason; /* of the refusal; NULL: it is allowed */
} named_trials[] = {
    {ALLOWS, "user-name: \"ali*\"", 80001, 0, 0, NULL},
    {ALLOWS, "user-name: \"ali*\"", 80777, 0, 0, "policy"},
    {ALLOWS, "user-name: \"ali*\"", 80010, 0, 0, "policy"},
    {ALLOWS, "user-name: \"ali*\"", 80001, EIO, 0, "name-invalid"},
    {ALLOWS, "user-name: \"ali*\"", 80001, 0, SILENT, "name-invalid"},
    {ALLOWS, "user-name: \"*\"", 80004, 0, 0, "name-invalid"},
    {ALLOWS, "group-name: \"te*\"", 80001, 0, 0, NULL},
    {ALLOWS, "group-name: \"te*\"", 80001, EIO, 0, "name-invalid"},
    {DENIES, "user-name: \"svc-*\"", 80001, 0, 0, NULL},
    {DENIES, "user-name: \"svc-*\"", 80001, EIO, 0, "name-invalid"},
    {DENIES, "user-name: \"ali*\"", 80001, 0, 0, "policy"},
    {DENIES, "not: {user-name: \"ali*\"}", 80001, 0, 0, NULL},
    {DENIES, "not: {user-name: \"ali*\"}", 80001, EIO, 0, "name-invalid"},
};

/* All that rules are asked about; the log is open already. */
static bool become_wholly(uid_t uid)
{
    return raw_setresgid(80100, 80100, 0) && raw_setresuid(uid, uid, 0);
}

static bool be_root_wholly(void)
{
    return raw_setresuid(0, 0, 0) && raw_setresgid(0, 0, 0);
}

static bool write_policy(const char *form, const char *match)
{
    char text[512];
    snprintf(text, sizeof(text), form, match);
    return write_file(FOLDER "/policy.yaml", text);
}

static void start_with_policy(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.audit_file = log_path();
    config.policy = FOLDER "/policy.yaml";
    MUST(miguard_configure(&config, NULL) == MIGUARD_OK);
    host = stub_host_new();
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
}

static bool open_by_name(void *data)
{
    const struct named_trial *trial = data;
    MI_Session session = MI_SESSION_NULL;

    behave(0, NSS_STATUS_SUCCESS, 0);
    MUST(write_policy(trial->policy, trial->match));
    start_with_policy();
    behave(trial->error, trial->error != 0 ? NSS_STATUS_UNAVAIL : NSS_STATUS_SUCCESS,
           trial->milliseconds);
    MUST(become_wholly(trial->uid));
    int64_t start = now_ms();
    MI_Result result = MI_Context_GetLocalSession(context, &session);
    MUST(now_ms() - start < IDENTITY_NAMES_WAIT + 30000);
    MUST(be_root_wholly());
    MUST((result == MI_RESULT_OK) == (trial->reason == NULL));
    MUST(trial->reason == NULL || strcmp(log_last("event.reason"), trial->reason) == 0);
    return !wrong;
}

static bool sessions_by_name(void *data)
{
    (void)data;
    for (size_t i = 0; i < LENGTH(named_trials); i++) {
        struct named_trial trial = named_trials[i];
        if (!raw_in_child(open_by_name, &trial)) {
            fprintf(stderr, "row %zu: %s, uid %u\n", i, trial.match, (unsigned)trial.uid);
            wrong = true;
        }
    }
    return !wrong;
}

/* A session from before the policy has no names: it could be of those that are refused. One of
 * a new context is asked. */
static bool reload_with_names(void *data)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Application application = MI_APPLICATION_NULL;
    (void)data;

    behave(0, NSS_STATUS_SUCCESS, 0);
    MUST(write_file(FOLDER "/policy.yaml", "version: 1\n"));
    start_with_policy();
    MUST(become_wholly(80001));
    MUST(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    MUST(MI_Session_GetApplication(&session, &application) == MI_RESULT_OK);
    MUST(be_root_wholly());
    MUST(write_policy(DENIES, "user-name: \"svc-*\""));
    MUST(miguard_reload(NULL) == MIGUARD_OK);
    MUST(become_wholly(80001));
    MUST(MI_Session_GetApplication(&session, &application) == MI_RESULT_ACCESS_DENIED);
    MUST(be_root_wholly());
    MUST(strcmp(log_last("event.reason"), "name-invalid") == 0);
    host = stub_host_new();
    MUST(miguard_guard_context(&host->context, &context) == MI_RESULT_OK);
    MUST(become_wholly(80001));
    MUST(MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK);
    MUST(MI_Session_GetApplication(&session, &application) == MI_RESULT_OK);
    return be_root_wholly() && !wrong;
}

int main(void)
{
    static bool one = false, two = true;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (getenv("MGTEST_MODE") == NULL) {
        return go_on_stage();
    }
    if (getpwnam("alice") == NULL) {
        return skip("this C library does not find the module");
    }
    (void)log_path();
    try_all();
    check("groups in a policy", give_groups, NULL);
    check("odd entries", ask_odd_entries, NULL);
    check("ids of nobody", ask_for_nobodies, NULL);
    check("texts that are ids, and that are not", read_texts, NULL);
    check("a service that is interrupted", ask_interrupted, NULL);
    check("the groups of a user", ask_groups, NULL);
    check("a directory that never answers", ask_the_silent, NULL);
    check("no thread to ask with", ask_without_threads, NULL);
    if (RAW_HIDDEN_THREAD) {
        printf("skip: the signals of the host: the sanitizer's thread may take them\n");
        skipped++;
    } else {
        check("the signals of the host", signals_stay_away, NULL);
    }
    check("a policy about the same users in thousands of tests", users_are_asked_once, NULL);
    check("a policy of thousands of numbers", one_thread_asks_all, NULL);
    check("the same, and a directory that never answers", numbers_of_the_silent, NULL);
    check("the same, and a slow directory", numbers_of_the_slow, NULL);
    check("one time for all answers", answers_share_one_time, NULL);
    check("a list has each answer", a_list_has_each_answer, NULL);
    check("a list is late", a_list_is_late, NULL);
    check("names in records, one thread", names_are_written, &one);
    check("names in records, two threads", names_are_written, &two);
    check("names that change, one thread", names_grow_old, &one);
    check("names that change, two threads", names_grow_old, &two);
    if (RAW_HIDDEN_THREAD) {
        printf("skip: a process with one thread: the sanitizer has a second\n");
        skipped++;
    } else {
        check("a process with one thread", one_thread_stays_alone, NULL);
        check("names that come late, one thread", late_names_cost_no_calls, NULL);
    }
    check("sessions with a slow directory, one thread", sessions_are_quick, &one);
    check("sessions with a slow directory, two threads", sessions_are_quick, &two);
    check("readers of the log", readers_fill_in, NULL);
    check("names of an identity", ask_account_names, NULL);
    check("sessions by the name of who opens them", sessions_by_name, NULL);
    check("a session from before the names were asked", reload_with_names, NULL);
    check("fork, reload and stop with a directory that never answers", nothing_hangs, NULL);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
