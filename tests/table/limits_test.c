/* SPDX-License-Identifier: MIT */
/*
 * A guest in a process with small limits: each operation of the libraries, in a child for each
 * value of each limit, set before the first call or between two. An operation may fail; the process
 * may not die of a signal, and neither its umask, folder, signal dispositions, blocked signals nor
 * the limit itself may be changed by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "miguard/switch.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { CHILD_SECONDS = 20, SERVED = 1, REFUSED = 2, CHANGED = 3 };

static int passed, failed;

/* What the children reached, so that only ever stop everything, or nothing,
 * are seen. */
static struct {
    unsigned served, refused;
} * counts;

/* ---- what belongs to the host ---------------------------------------------------------------- */

struct surroundings {
    mode_t mask;
    char folder[512];
    struct sigaction actions[65];
    sigset_t blocked;
    struct rlimit limit;
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
    (void)getrlimit(kind, &ret->limit);
}

static bool same(const struct surroundings *a, const struct surroundings *b)
{
    bool good = a->mask == b->mask && strcmp(a->folder, b->folder) == 0 &&
                memcmp(&a->limit, &b->limit, sizeof(a->limit)) == 0;

    for (int number = 1; number <= 64; number++) {
        good = good && a->actions[number].sa_handler == b->actions[number].sa_handler &&
               sigismember(&a->blocked, number) == sigismember(&b->blocked, number);
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
    struct miguard_target *target = NULL;
    uid_t before = geteuid();

    if (before != 0 || miguard_target_ids(12345, 12345, NULL, &target, NULL) != MIGUARD_OK) {
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

static void host_server(void)
{
    const struct miguard_host_options options = {0};
    struct miguard_host *server = NULL;

    if (miguard_host_new(&options, &server, NULL) == MIGUARD_OK) {
        miguard_host_free(server);
    }
}

/* ---- a row ----------------------------------------------------------------------------------- */

struct row {
    const char *name;
    __rlimit_resource_t kind;
    rlim_t value;
    bool above; /* value is on top of what is mapped, for RLIMIT_AS */
    bool later; /* lowered when the log and a session are there already */
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

    (void)getrlimit(row->kind, &limit);
    limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
    if (setrlimit(row->kind, &limit) != 0) {
        _exit(CHANGED);
    }
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
    host_server();
    (void)close_gate();
    (void)start();
    look(&after, row->kind);
    if (!same(&before, &after)) {
        _exit(CHANGED);
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

static void try_row(const struct row *row)
{
    int status = 0;

    log_remove();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(CHILD_SECONDS);
        run(row);
    }
    (void)waitpid(child, &status, 0);
    const char *wrong = verdict(status);
    passed += wrong == NULL;
    failed += wrong != NULL;
    if (wrong != NULL) {
        printf("FAILED: %s %llu%s: %s\n", row->name, (unsigned long long)row->value,
               row->later ? ", lowered later" : "", wrong);
    } else {
        counts->served += WEXITSTATUS(status) == SERVED;
        counts->refused += WEXITSTATUS(status) == REFUSED;
    }
}

static void try_both(const char *name, __rlimit_resource_t kind, rlim_t value, bool above)
{
    for (int later = 0; later < 2; later++) {
        try_row(&(struct row){name, kind, value, above, later != 0});
    }
}

int main(void)
{
    static const rlim_t sizes[] = {0,     1,      511,    4095,   4096,   4097,   16384,
                                   65536, 262144, 397663, 397664, 397665, 524288, 1048576};
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) {
        return 1;
    }
    (void)log_path();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        try_both("RLIMIT_FSIZE", RLIMIT_FSIZE, sizes[i], false);
    }
    for (rlim_t value = 0; value < 24; value++) {
        try_both("RLIMIT_NOFILE", RLIMIT_NOFILE, value, false);
    }
    for (rlim_t value = 0; value < 24; value++) {
        try_both("RLIMIT_AS", RLIMIT_AS, value * value * 16384, true);
    }
    for (rlim_t value = 0; value <= 65536; value = value == 0 ? 4096 : value * 2) {
        try_both("RLIMIT_MEMLOCK", RLIMIT_MEMLOCK, value, false);
    }
    for (rlim_t value = 0; value < 4; value++) {
        try_both("RLIMIT_NPROC", RLIMIT_NPROC, value, false);
    }
    printf("%u children were served, %u refused\n", counts->served, counts->refused);
    if (counts->served == 0 || counts->refused == 0) {
        printf("FAILED: the limits are too small or too large to tell anything\n");
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
