/* SPDX-License-Identifier: MIT */
/*
 * A guest in a process with small limits: each operation of the libraries, in a child for each
 * value of each limit, set before the first call or between two, and for the size of files also as
 * one that another thread lowers after the library has looked. An operation may fail; the process
 * may not die of a signal, and neither its umask, folder, locale, signal dispositions, blocked or
 * pending signals nor the limit itself may be changed by it. Each record that was made is in the
 * log or counted as lost. Then the signals that a write must leave to their receivers, and where
 * in the libraries something is written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/core.h"
#include "audit/file/file_internal.h"
#include "base/write.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "miguard/switch.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { CHILD_SECONDS = 60, SERVED = 1, REFUSED = 2, CHANGED = 3 };

static int passed, failed;

/* What the children reached, so that only ever stop everything, or nothing,
 * are seen. */
static struct {
    unsigned served, refused, requests;
    uint64_t made, lost, written, all_lost; /* records: of this row, then of all rows */
    uint64_t waiting; /* counted as lost by a process that could not reach the state of the log */
} * counts;

/* ---- a limit that is lowered after the library has looked ------------------------------------ */

static bool lying;

/* In place of the C library's. */
int getrlimit(__rlimit_resource_t kind, struct rlimit *ret_limit)
{
    if (lying && kind == RLIMIT_FSIZE) {
        *ret_limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
        return 0;
    }
    return prlimit(0, kind, NULL, ret_limit);
}

/* ---- what is recorded ------------------------------------------------------------------------ */

/* The linker puts these in the place of the functions (the Makefile has their names), so that each
 * record is counted where it is made. The log of the row alone: there may be a default one. */
enum miguard_status __real_audit_open(const struct audit_settings *settings,
                                      struct audit **ret_audit, struct miguard_error *reterr);
enum miguard_status __wrap_audit_open(const struct audit_settings *settings,
                                      struct audit **ret_audit, struct miguard_error *reterr);
enum miguard_status __real_audit_write(struct audit *audit, const struct audit_event *event);
enum miguard_status __wrap_audit_write(struct audit *audit, const struct audit_event *event);
enum miguard_status __real_audit_write_id(struct audit *audit, const struct audit_event *event,
                                          char ret_id[AUDIT_ID_SIZE]);
enum miguard_status __wrap_audit_write_id(struct audit *audit, const struct audit_event *event,
                                          char ret_id[AUDIT_ID_SIZE]);
void __real_audit_close(struct audit *audit);
void __wrap_audit_close(struct audit *audit);
void __real_losses_destroy(struct losses *losses);
void __wrap_losses_destroy(struct losses *losses);

static struct audit *ours[2]; /* a new one is open before the old one is closed */
static bool ours_is_opened;   /* or closed: its losses are being destroyed */

static uint64_t waiting(const struct losses *losses)
{
    uint64_t all = 0;

    for (int cause = 0; cause < AUDIT_LOSS_COUNT; cause++) {
        all += losses->kinds[SINK_FILE].by_cause[cause];
    }
    return all;
}

static bool is_ours(const struct audit *audit)
{
    return audit != NULL && (audit == ours[0] || audit == ours[1]);
}

enum miguard_status __wrap_audit_open(const struct audit_settings *settings,
                                      struct audit **ret_audit, struct miguard_error *reterr)
{
    struct miguard_error error = {.status = MIGUARD_OK};
    const char *path = settings->sink_count > 0 ? settings->sinks[0].path : NULL;

    ours_is_opened = path != NULL && strcmp(path, log_path()) == 0;
    enum miguard_status status = __real_audit_open(settings, ret_audit, &error);
    if (ours_is_opened) {
        if (status == MIGUARD_OK) {
            ours[ours[0] != NULL] = *ret_audit;
        }
        /* audit-start, which may be the first that is lost */
        counts->made +=
            status == MIGUARD_OK ||
            (status == MIGUARD_AUDIT_FAILED && strstr(error.detail, "first record cannot") != NULL);
    }
    ours_is_opened = false;
    if (reterr != NULL) {
        *reterr = error;
    }
    return status;
}

enum miguard_status __wrap_audit_write(struct audit *audit, const struct audit_event *event)
{
    counts->made += is_ours(audit);
    return __real_audit_write(audit, event);
}

enum miguard_status __wrap_audit_write_id(struct audit *audit, const struct audit_event *event,
                                          char ret_id[AUDIT_ID_SIZE])
{
    counts->made += is_ours(audit);
    return __real_audit_write_id(audit, event, ret_id);
}

void __wrap_audit_close(struct audit *audit)
{
    bool closes = is_ours(audit);

    /* audit-stop, of a process that has something to say */
    counts->made += closes && (audit->pool.written > 0 || audit->losses.noted > 0);
    ours_is_opened = closes;
    __real_audit_close(audit);
    ours_is_opened = false;
    if (closes) {
        ours[audit == ours[1]] = NULL;
    }
}

void __wrap_losses_destroy(struct losses *losses)
{
    counts->waiting += ours_is_opened ? waiting(losses) : 0;
    __real_losses_destroy(losses);
}

/* What the log writes of its own accord, which is not made by an operation. */
static bool is_own(const char *line)
{
    static const char *const own[] = {"\"records-lost\"", "\"audit-seal\"", "\"audit-rotate\"",
                                      "\"audit-space\""};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        char action[64];
        snprintf(action, sizeof(action), "\"action\":%s", own[i]);
        if (strstr(line, action) != NULL) {
            return true;
        }
    }
    return false;
}

static uint64_t written_in(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    uint64_t count = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        count += !is_own(line);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static uint64_t written(void)
{
    char folder[512], path[1024];
    uint64_t count = 0;

    snprintf(folder, sizeof(folder), "%s", log_path());
    *strrchr(folder, '/') = '\0';
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (strncmp(entry->d_name, "audit.jsonl", 11) == 0 &&
            strstr(entry->d_name, "state") == NULL) {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            count += written_in(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return count;
}

/* As the state of the log has it, for all sinks. */
static uint64_t counted(void)
{
    struct log_state state = {0};
    enum state_damage damage;
    uint64_t all = 0;
    char name[512];

    snprintf(name, sizeof(name), "%s.state", log_path());
    if (state_open(AT_FDCWD, name, log_path(), &state, &damage, NULL) != MIGUARD_OK) {
        return 0;
    }
    for (int cause = 0; cause < AUDIT_LOSS_COUNT; cause++) {
        all += state.lost_total[cause];
    }
    state_close(&state);
    return all;
}

/* ---- what belongs to the host ---------------------------------------------------------------- */

struct surroundings {
    mode_t mask;
    char folder[512];
    struct sigaction actions[65];
    sigset_t blocked, pending;
    struct rlimit limit;
    char locale[128];
};

static void look(struct surroundings *ret, __rlimit_resource_t kind)
{
    memset(ret, 0, sizeof(*ret));
    ret->mask = umask(0);
    (void)umask(ret->mask);
    if (getcwd(ret->folder, sizeof(ret->folder)) == NULL) {
        ret->folder[0] = '\0';
    }
    for (int number = 1; number <= 64; number++) {
        (void)sigaction(number, NULL, &ret->actions[number]);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &ret->blocked);
    (void)sigpending(&ret->pending);
    (void)prlimit(0, kind, NULL, &ret->limit);
    snprintf(ret->locale, sizeof(ret->locale), "%s", setlocale(LC_ALL, NULL));
}

static bool same(const struct surroundings *a, const struct surroundings *b)
{
    bool good = a->mask == b->mask && strcmp(a->folder, b->folder) == 0 &&
                memcmp(&a->limit, &b->limit, sizeof(a->limit)) == 0 &&
                strcmp(a->locale, b->locale) == 0;

    for (int number = 1; number <= 64; number++) {
        good = good && a->actions[number].sa_handler == b->actions[number].sa_handler &&
               a->actions[number].sa_flags == b->actions[number].sa_flags &&
               sigismember(&a->blocked, number) == sigismember(&b->blocked, number) &&
               sigismember(&a->pending, number) == sigismember(&b->pending, number);
    }
    return good;
}

/* ---- the operations -------------------------------------------------------------------------- */

static bool start(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.audit_file = log_path();
    config.repeat_window = 0;
    return miguard_configure(&config, NULL) == MIGUARD_OK;
}

static bool serve(struct stub_host *host)
{
    MI_Context *context = NULL;
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;

    if (miguard_guard_context(&host->context, &context) != MI_RESULT_OK) {
        return false;
    }
    bool opened = MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
    unsigned long reached = atomic_load(&host->reached);
    MI_Session_TestConnection(&session, 0, NULL, &operation);
    bool served = opened && atomic_load(&host->reached) > reached;
    if (opened) {
        MI_Session forged = session;
        MI_Operation refused = MI_OPERATION_NULL;
        forged.reserved2 ^= 1;
        MI_Session_TestConnection(&forged, 0, NULL, &refused);
    }
    (void)!MI_Context_PostResult(context, MI_RESULT_OK);
    return served;
}

static bool switch_around(void)
{
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};
    struct miguard_target *target = NULL;
    uid_t before = geteuid();

    if (before != 0 || miguard_target_ids(12345, 12345, &none, &target, NULL) != MIGUARD_OK) {
        return false;
    }
    bool switched = miguard_switch_to(target, NULL) == MIGUARD_OK;
    bool back = !switched || miguard_switch_back(NULL) == MIGUARD_OK;
    miguard_target_free(target);
    return switched && back && geteuid() == before;
}

/* Of this thread, which may do without: its filter is made with a file in memory. */
static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;

    options.scope = MIGUARD_GATE_THREAD;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

/* ---- a request through the embedded host ------------------------------------------------------
 */

struct thing {
    MI_Instance instance;
    MI_ConstStringField Name;
};

static const MI_PropertyDecl thing_name = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                           .code = ('n' << 16) | ('e' << 8) | 4,
                                           .name = "Name",
                                           .type = MI_STRING,
                                           .offset = offsetof(struct thing, Name),
                                           .origin = "L_Thing",
                                           .propagator = "L_Thing"};
static const MI_PropertyDecl *const thing_properties[] = {&thing_name};
static const MI_SchemaDecl thing_schema;
static bool reached; /* the provider, and it was given a session */

/* Asks its host on the client's behalf, as a provider does that needs another's instances. */
static void get_thing(void *self, MI_Context *given, const MI_Char *name_space,
                      const MI_Char *class_name, const MI_Instance *name,
                      const MI_PropertySet *properties)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;

    (void)self, (void)name_space, (void)class_name, (void)properties;
    MI_Result result = MI_Context_GetLocalSession(given, &session);
    if (result == MI_RESULT_OK) {
        reached = true;
        MI_Session_TestConnection(&session, 0, NULL, &operation);
        (void)!MI_Operation_Close(&operation);
        result = MI_Context_PostInstance(given, name);
    }
    (void)!MI_Context_PostResult(given, result);
}

static const MI_ProviderFT thing_provider = {.GetInstance = get_thing};
static const MI_ClassDecl thing_class = {.flags = MI_FLAG_CLASS,
                                         .code = ('l' << 16) | ('g' << 8) | 7,
                                         .name = "L_Thing",
                                         .properties = thing_properties,
                                         .numProperties = 1,
                                         .size = sizeof(struct thing),
                                         .schema = &thing_schema,
                                         .providerFT = &thing_provider};
static const MI_ClassDecl *const thing_classes[] = {&thing_class};
static const MI_SchemaDecl thing_schema = {.classDecls = thing_classes, .numClassDecls = 1};

static MI_Module *MI_MAIN_CALL thing_main(MI_Server *server)
{
    static MI_Module module = {.version = MI_VERSION,
                               .charSize = sizeof(MI_Char),
                               .schemaDecl = (MI_SchemaDecl *)(uintptr_t)&thing_schema};

    (void)server;
    return &module;
}

static bool ask_for_a_thing(MI_Session *session, MI_Instance *name)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL, *details = NULL;
    const MI_Char *message = NULL;
    MI_Result result = MI_RESULT_FAILED;
    MI_Boolean more = MI_TRUE;
    bool got = false;

    MI_Session_GetInstance(session, 0, NULL, "root/test", name, NULL, &operation);
    while (more && MI_Operation_GetInstance(&operation, &instance, &more, &result, &message,
                                            &details) == MI_RESULT_OK) {
        got = got || instance != NULL;
    }
    (void)!MI_Operation_Close(&operation);
    return got && result == MI_RESULT_OK;
}

/* True when the instance came through the guard. */
static bool host_request(struct miguard_host *server)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Application application = MI_APPLICATION_NULL;
    MI_Instance *name = NULL;
    MI_Value value = {.string = (MI_Char *)(uintptr_t) "one"};
    bool served = false;

    if (miguard_host_session(server, &session, NULL) != MIGUARD_OK) {
        return false;
    }
    if (MI_Application_Initialize(0, NULL, NULL, &application) == MI_RESULT_OK) {
        if (MI_Application_NewInstance(&application, "L_Thing", NULL, &name) == MI_RESULT_OK) {
            served = MI_Instance_AddElement(name, "Name", &value, MI_STRING, MI_FLAG_KEY) ==
                         MI_RESULT_OK &&
                     ask_for_a_thing(&session, name);
            (void)!MI_Instance_Delete(name);
        }
        (void)!MI_Application_Close(&application);
    }
    (void)!MI_Session_Close(&session, NULL, NULL);
    return served;
}

static bool host_server(void)
{
    const struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *server = NULL;
    bool served = false;

    if (miguard_host_new(&options, &server, NULL) == MIGUARD_OK) {
        reached = false;
        if (miguard_host_add(server, thing_main, NULL, NULL) == MIGUARD_OK) {
            served = host_request(server);
        }
        miguard_host_free(server);
    }
    if (served && !reached) {
        _exit(CHANGED); /* an answer that no provider gave */
    }
    return served;
}

/* ---- a row ----------------------------------------------------------------------------------- */

struct row {
    const char *name;
    __rlimit_resource_t kind;
    rlim_t value;
    bool above;  /* value is on top of what is mapped, for RLIMIT_AS */
    bool later;  /* lowered when the log and a session are there already */
    bool unseen; /* lowered after the library has looked, each time */
};

static rlim_t mapped(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        (void)!fscanf(file, "%lu", &pages);
        fclose(file);
    }
    return (rlim_t)pages * 4096;
}

static void lower(const struct row *row)
{
    rlim_t value = row->value + (row->above ? mapped() : 0);
    struct rlimit limit = {value, RLIM_INFINITY};

    (void)prlimit(0, row->kind, NULL, &limit);
    limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
    if (setrlimit(row->kind, &limit) != 0) {
        _exit(CHANGED);
    }
    lying = row->unseen;
}

/* Everything that a provider may come to, several times, and with a rotation between. */
static _Noreturn void run(const struct row *row)
{
    struct surroundings before, after;
    struct stub_host *host = stub_host_new();
    unsigned served = 0;

    if (row->later && (!start() || !serve(host))) {
        _exit(CHANGED);
    }
    lower(row);
    look(&before, row->kind);
    (void)(row->later || start());
    for (int i = 0; i < 8; i++) {
        served += serve(host);
        (void)switch_around();
        (void)!miguard_reload(NULL);
    }
    counts->requests += host_server();
    (void)close_gate();
    (void)start();
    look(&after, row->kind);
    if (!same(&before, &after)) {
        _exit(CHANGED);
    }
    for (int i = 0; i < 2; i++) {
        counts->waiting += ours[i] != NULL ? waiting(&ours[i]->losses) : 0;
    }
    _exit(served > 0 ? SERVED : REFUSED);
}

static const char *verdict(int status)
{
    static char text[64];

    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
        return text;
    }
    switch (WEXITSTATUS(status)) {
    case SERVED:
    case REFUSED:
        return NULL;
    case CHANGED:
        return "something of the host's is changed";
    default:
        return "it ended by itself";
    }
}

/* NULL, or what is wrong with the account of the row. */
static const char *account(void)
{
    static char text[160];
    uint64_t in = written(), lost = counted() + counts->waiting;

    counts->written += in;
    counts->all_lost += lost;
    if (in + lost == counts->made) {
        return NULL;
    }
    snprintf(text, sizeof(text), "%llu records were made: %llu are written, %llu counted as lost",
             (unsigned long long)counts->made, (unsigned long long)in, (unsigned long long)lost);
    return text;
}

static void note(const char *name, unsigned long long value, const char *how, const char *wrong)
{
    passed += wrong == NULL;
    failed += wrong != NULL;
    if (wrong != NULL) {
        printf("FAILED: %s %llu%s: %s\n", name, value, how, wrong);
    }
}

static void try_row(const struct row *row)
{
    int status = 0;

    log_remove();
    (void)log_path();
    counts->made = counts->waiting = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(CHILD_SECONDS);
        run(row);
    }
    (void)waitpid(child, &status, 0);
    const char *wrong = verdict(status);
    wrong = wrong == NULL ? account() : wrong;
    counts->served += wrong == NULL && WEXITSTATUS(status) == SERVED;
    counts->refused += wrong == NULL && WEXITSTATUS(status) == REFUSED;
    note(row->name, row->value,
         row->unseen  ? ", lowered unseen"
         : row->later ? ", lowered later"
                      : "",
         wrong);
}

static void try_both(const char *name, __rlimit_resource_t kind, rlim_t value, bool above)
{
    for (int later = 0; later < 2; later++) {
        try_row(&(struct row){name, kind, value, above, later != 0, false});
        if (kind == RLIMIT_FSIZE) {
            try_row(&(struct row){name, kind, value, above, later != 0, true});
        }
    }
}

/* ---- signals that are another's -------------------------------------------------------------- */

enum sender { NOBODY, THREAD, PROCESS, OWN_CALL, SENDERS };

static enum sender during;
static int signal_sent;
static volatile sig_atomic_t delivered;

static void send_signal(enum sender sender, int number)
{
    if (sender == THREAD) {
        (void)raise(number);
    } else if (sender == PROCESS) {
        (void)kill(getpid(), number);
    }
}

/* In place of the C library's: what another thread does meanwhile. */
ssize_t write(int fd, const void *bytes, size_t length)
{
    enum sender sender = during;

    during = NOBODY;
    send_signal(sender, signal_sent);
    return syscall(SYS_write, fd, bytes, length);
}

static void deliver(int number)
{
    (void)number;
    delivered = delivered + 1;
}

static int try_write(int fd)
{
    return write_quietly(fd, "x", 1) == 1 ? 0 : errno;
}

static int try_truncate(int fd)
{
    return ftruncate_quietly(fd, 1) == 0 ? 0 : errno;
}

static int try_fallocate(int fd)
{
    return fallocate_quietly(fd, 0, 0, 1) == 0 ? 0 : errno;
}

static int try_posix_fallocate(int fd)
{
    return posix_fallocate_quietly(fd, 0, 1);
}

struct signal_row {
    const char *name;
    int (*call)(int fd);
    int error; /* EFBIG: of a file; EPIPE: of a pipe that nobody reads */
};

static const struct signal_row signal_rows[] = {
    {"write(2) at a limit", try_write, EFBIG},
    {"ftruncate(2) at a limit", try_truncate, EFBIG},
    {"fallocate(2) at a limit", try_fallocate, EFBIG},
    {"posix_fallocate(3) at a limit", try_posix_fallocate, EFBIG},
    {"write(2) to a pipe without reader", try_write, EPIPE},
};

static int make_target(int error)
{
    const struct rlimit none = {0, RLIM_INFINITY};
    int pipes[2];

    if (error == EFBIG) {
        return setrlimit(RLIMIT_FSIZE, &none) == 0 ? memfd_create("limits", MFD_CLOEXEC) : -1;
    }
    return pipe(pipes) == 0 && close(pipes[0]) == 0 ? pipes[1] : -1;
}

/* The host gets what was sent to it, once, and nothing of the call's. */
static _Noreturn void call_with_signals(const struct signal_row *row, enum sender before,
                                        enum sender meanwhile, bool blocked)
{
    const struct sigaction action = {.sa_handler = deliver};
    int expected = (before != NOBODY) + (meanwhile != NOBODY), target = make_target(row->error);
    sigset_t one, mask, after;

    signal_sent = row->error == EFBIG ? SIGXFSZ : SIGPIPE;
    sigemptyset(&one);
    sigaddset(&one, signal_sent);
    if (target < 0 || sigaction(signal_sent, &action, NULL) != 0) {
        _exit(1);
    }
    (void)pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &one, NULL);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (before == OWN_CALL) { /* of the host's, which blocks the signal for it */
        (void)!(row->error == EFBIG ? (long)ftruncate(target, 1)
                                    : syscall(SYS_write, target, "x", 1));
    }
    send_signal(before, signal_sent);
    during = meanwhile;
    bool failed_rightly = row->call(target) == row->error;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    bool kept = sigismember(&mask, signal_sent) == sigismember(&after, signal_sent);
    /* One for the thread and one for the process are two. */
    for (int i = 0; i < 2; i++) {
        (void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    }
    _exit(failed_rightly && kept && delivered == expected ? 0 : 1);
}

static void try_signals(void)
{
    for (size_t i = 0; i < sizeof(signal_rows) / sizeof(signal_rows[0]); i++) {
        const struct signal_row *row = &signal_rows[i];
        for (int way = 0; way < 2 * SENDERS * SENDERS; way++) {
            enum sender before = (enum sender)(way / 2 % SENDERS);
            enum sender meanwhile = (enum sender)(way / 2 / SENDERS);
            bool blocked = way % 2 != 0;
            int status = 0;
            /* Not two of the same: the kernel makes one of them. Nor during a call that is not
             * this test's to interrupt. */
            if ((before != NOBODY && (!blocked || meanwhile != NOBODY)) ||
                (meanwhile != NOBODY && row->call != try_write) || meanwhile == OWN_CALL) {
                continue;
            }
            pid_t child = fork();
            if (child == 0) {
                call_with_signals(row, before, meanwhile, blocked);
            }
            (void)waitpid(child, &status, 0);
            note(row->name, (unsigned long long)way,
                 blocked ? ", the signal blocked" : ", the signal not blocked",
                 status == 0 ? NULL : "the host has lost a signal, or got one of the library's");
        }
    }
}

/* ---- where something is written -------------------------------------------------------------- */

static const char writers[] =
    "(^|[^A-Za-z0-9_.>])(write|pwrite|writev|pwritev|ftruncate|truncate|fallocate|posix_fallocate|"
    "copy_file_range|sendfile|splice|tee|vmsplice|dprintf|fwrite|fputs|fprintf|seccomp_export_bpf)"
    "\\(";
static const char senders[] = "(^|[^A-Za-z0-9_.>])(send|sendto|sendmsg|sendmmsg)\\(";

static char *read_source(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

/* Blanks in the place of comments. */
static void blank_comments(char *text)
{
    for (char *start = text; (start = strstr(start, "/*")) != NULL;) {
        char *end = strstr(start, "*/");
        end = end != NULL ? end + 2 : start + strlen(start);
        memset(start, ' ', (size_t)(end - start));
    }
}

static const char *look_into(const char *path, regex_t *writer, regex_t *sender, unsigned *found)
{
    char *text = read_source(path);
    const char *wrong = text == NULL ? "it cannot be read" : NULL;
    bool holds = text != NULL && strstr(text, "write_signals_hold(") != NULL;
    regmatch_t match[1];

    if (text != NULL) {
        blank_comments(text);
    }
    for (char *at = text; at != NULL && regexec(writer, at, 1, match, 0) == 0; at += match->rm_eo) {
        wrong = holds ? wrong : "a write that base/write.h does not stand before";
        (*found)++;
    }
    for (char *at = text; at != NULL && regexec(sender, at, 1, match, 0) == 0; at += match->rm_eo) {
        const char *end = strchr(at + match->rm_eo, ';'), *flag = strstr(at, "MSG_NOSIGNAL");
        wrong = flag == NULL || end == NULL || flag > end ? "no MSG_NOSIGNAL" : wrong;
        (*found)++;
    }
    free(text);
    return wrong;
}

/* In what a host loads: not the command, nor what it alone uses. */
static void look_for_writers(void)
{
    regex_t writer, sender;
    unsigned found = 0;

    if (regcomp(&writer, writers, REG_EXTENDED | REG_NEWLINE) != 0 ||
        regcomp(&sender, senders, REG_EXTENDED | REG_NEWLINE) != 0) {
        abort();
    }
    FILE *list = popen("find src -path src/tools -prune -o -name '*.[ch]' -print", "re");
    char line[512];
    while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        note(line, 0, "", look_into(line, &writer, &sender, &found));
    }
    if (list != NULL) {
        (void)pclose(list);
    }
    note("writes found", found, "", found >= 7 ? NULL : "run from the top folder");
    regfree(&writer);
    regfree(&sender);
}

/* ---- the command ----------------------------------------------------------------------------- */

static const char *out_folder(void)
{
    return getenv("OUT") != NULL ? getenv("OUT") : "build";
}

/* Each prints to a file, and some write one of their own. */
static const char *const commands[] = {
    "--help",
    "doctor",
    "gate show",
    "identity show",
    "policy show --policy %s/policy.yaml",
    "policy fmt -w %s/policy.yaml",
    "audit search %s/audit.jsonl",
    "audit export --format ecs %s/audit.jsonl",
    "audit report --html %s/page.html %s/audit.jsonl",
    "audit verify %s/audit.jsonl",
    "audit init --no-key %s/other.jsonl",
    "run --audit %s/third.jsonl --module " /* and the folder of the build */,
};

/* With "%s" replaced. */
static void fill_in(const char *command, const char *folder, char line[2048])
{
    int length = snprintf(line, 2048, "exec %s/miguard ", out_folder());

    for (const char *at = command; *at != '\0';) {
        bool place = strncmp(at, "%s", 2) == 0;
        length += snprintf(line + length, 2048 - (size_t)length, "%.*s",
                           place ? (int)strlen(folder) : 1, place ? folder : at);
        at += place ? 2 : 1;
    }
    if (strstr(command, "--module") != NULL) {
        length +=
            snprintf(line + length, 2048 - (size_t)length,
                     "%s/providers/file.so get root/test MG_File Path=/etc/passwd", out_folder());
    }
    snprintf(line + length, 2048 - (size_t)length, " >%s/out 2>%s/err </dev/null", folder, folder);
}

static void try_command(const char *command, const char *folder, rlim_t size)
{
    const struct rlimit limit = {size, size};
    char line[2048];
    int status = 0;

    fill_in(command, folder, line);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(60);
        if (setrlimit(RLIMIT_FSIZE, &limit) == 0) {
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        }
        _exit(127);
    }
    (void)waitpid(child, &status, 0);
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) < 126;
    note(command, size, " bytes a file", ended ? NULL : "a signal ended it, or it did not run");
}

static void try_commands(void)
{
    static const rlim_t sizes[] = {0, 1, 512, 8192};
    char folder[512], path[600];
    struct stub_host *host = stub_host_new();

    log_remove();
    if (!start() || !serve(host)) {
        note("the log for the command", 0, "", "it cannot be made");
        return;
    }
    snprintf(folder, sizeof(folder), "%s", log_path());
    *strrchr(folder, '/') = '\0';
    snprintf(path, sizeof(path), "%s/policy.yaml", folder);
    FILE *policy = fopen(path, "we");
    if (policy == NULL || fputs("version: 1\nrules: []\n", policy) < 0 || fclose(policy) != 0) {
        note("the policy for the command", 0, "", "it cannot be made");
        return;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
            try_command(commands[i], folder, sizes[size]);
        }
    }
}

static void try_limits(void)
{
    static const rlim_t sizes[] = {0,     1,      511,    4095,   4096,   4097,   16384,
                                   65536, 262144, 397663, 397664, 397665, 524288, 1048576};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        try_both("RLIMIT_FSIZE", RLIMIT_FSIZE, sizes[i], false);
    }
    for (rlim_t value = 0; value < 24; value++) {
        try_both("RLIMIT_NOFILE", RLIMIT_NOFILE, value, false);
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("skip: RLIMIT_AS: a sanitizer ends a process whose memory is limited\n");
#else
    for (rlim_t value = 0; value < 24; value++) {
        try_both("RLIMIT_AS", RLIMIT_AS, value * value * 16384, true);
    }
#endif
    for (rlim_t value = 0; value <= 65536; value = value == 0 ? 4096 : value * 2) {
        try_both("RLIMIT_MEMLOCK", RLIMIT_MEMLOCK, value, false);
    }
    for (rlim_t value = 0; value < 4; value++) {
        try_both("RLIMIT_NPROC", RLIMIT_NPROC, value, false);
    }
}

int main(void)
{
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) {
        return 1;
    }
    try_limits();
    printf("%u children were served, %u refused; %u requests through the host; %llu records "
           "written, %llu lost and counted\n",
           counts->served, counts->refused, counts->requests, (unsigned long long)counts->written,
           (unsigned long long)counts->all_lost);
    if (counts->served == 0 || counts->refused == 0 || counts->requests == 0 ||
        counts->all_lost == 0) {
        printf("FAILED: the limits are too small or too large to tell anything\n");
        failed++;
    }
    try_signals();
    look_for_writers();
    try_commands();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
