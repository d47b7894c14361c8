/* SPDX-License-Identifier: MIT */
/*
 * A host that runs without descriptors 0 to 2, and reads from 0 or prints to 1 all the same: at no
 * moment does it meet a file of the library there, not even one that is read and closed at once.
 * What it took from the policy or from /proc would be missing in the library's own reading.
 *
 * A tracer stops the host at the entry and the exit of each system call and looks at what the three
 * numbers are. Free is right, and so is a descriptor that can be neither read nor written (O_PATH).
 * What the C library opens for itself is not looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

static struct shared {
    volatile int step; /* the one that is under way, or -1 */
} * shared;

static char policy[] = "/run/miguard-test-XXXXXX";

/* ---- what the host does --------------------------------------------------------------------- */

static struct stub_host *host;
static MI_Context *context;
static MI_Session session;
static struct miguard_target *target;

static bool configure(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    config.audit_file = log_path();
    config.policy = geteuid() == 0 ? policy : NULL;
    return miguard_configure(&config, NULL) == MIGUARD_OK;
}

static bool open_session(void)
{
    return miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
           MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
}

/* True when it is served. */
static bool use(MI_Session *used)
{
    MI_Operation operation = MI_OPERATION_NULL;
    unsigned long before = atomic_load(&host->reached);

    MI_Session_GetInstance(used, 0, NULL, "root/test", NULL, NULL, &operation);
    bool served = atomic_load(&host->reached) != before;
    MI_Operation_Close(&operation);
    return served;
}

static bool use_it(void)
{
    return use(&session);
}

static bool be_refused(void)
{
    MI_Session forged = session;
    forged.reserved2 ^= 1;
    return !use(&forged);
}

static bool reload(void)
{
    return miguard_reload(NULL) == MIGUARD_OK;
}

static bool switch_over_and_back(void)
{
    return miguard_switch_to(target, NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK;
}

static bool close_gate(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static int sockets[2];

static bool ask_peer(void)
{
    struct miguard_target *peer = NULL;
    int fd = -1;
    bool known = miguard_target_peer(sockets[0], &peer, NULL) == MIGUARD_OK &&
                 (miguard_target_peer_pidfd(peer, &fd, NULL) != MIGUARD_OK || fd >= 3);

    miguard_target_free(peer);
    return known;
}

static bool drop(void)
{
    return miguard_drop(target, NULL) == MIGUARD_OK;
}

static const struct {
    const char *name;
    bool (*act)(void);
    bool needs_root;
} steps[] = {
    {"configure", configure, false}, {"open a session", open_session, false},
    {"use it", use_it, false},       {"a refusal", be_refused, false},
    {"reload", reload, true},        {"a switch", switch_over_and_back, true},
    {"the gate", close_gate, true},  {"use it behind the gate", use_it, true},
    {"a peer", ask_peer, false},     {"the drop", drop, true},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* The exit status is the number of the step that failed, from 1. */
static int live_without_standard(void)
{
    static const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};

    host = stub_host_new();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 ||
        miguard_target_ids(12345, 12345, &none, &target, NULL) != MIGUARD_OK) {
        return STEPS + 1;
    }
    for (int fd = 0; fd < 3; fd++) {
        (void)close(fd);
    }
    for (int i = 0; i < STEPS; i++) {
        shared->step = i;
        if ((!steps[i].needs_root || geteuid() == 0) && !steps[i].act()) {
            return i + 1;
        }
    }
    shared->step = -1;
    return 0;
}

/* ---- the tracer ----------------------------------------------------------------------------- */

static unsigned long stops, found[STEPS];

static bool is_without_content(pid_t child, int fd)
{
    char path[64], line[128];
    unsigned flags = 0;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)child, fd);
    FILE *info = fopen(path, "re");
    while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
        (void)sscanf(line, "flags: %o", &flags);
    }
    if (info != NULL) {
        (void)fclose(info);
    }
    return info == NULL || (flags & O_PATH) != 0;
}

/* Of /proc, the log, the policy or a peer: the files of the C library lie elsewhere. */
static bool is_of_the_library(const char *file)
{
    return strncmp(file, "/proc/", 6) == 0 || strstr(file, "miguard") != NULL ||
           strstr(file, "pidfd") != NULL;
}

static void look(pid_t child)
{
    const int step = shared->step;
    char path[64], file[256];

    for (int fd = 0; fd < 3 && step >= 0; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)child, fd);
        ssize_t length = readlink(path, file, sizeof(file) - 1);
        file[length > 0 ? length : 0] = '\0';
        if (length > 0 && is_of_the_library(file) && !is_without_content(child, fd) &&
            found[step]++ == 0) {
            printf("%s: descriptor %d is %s\n", steps[step].name, fd, file);
        }
    }
    stops++;
}

enum { AT_SYSTEM_CALL = SIGTRAP | 0x80 };

static int trace(void)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(STEPS + 2);
        }
        (void)raise(SIGSTOP);
        _exit(live_without_standard());
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
        return -1;
    }
    for (long deliver = 0; ptrace(PTRACE_SYSCALL, child, NULL, deliver) == 0;) {
        if (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status)) {
            break;
        }
        deliver = WSTOPSIG(status) == AT_SYSTEM_CALL ? 0 : WSTOPSIG(status);
        look(child);
    }
    return status;
}

static bool write_policy(void)
{
    int fd = geteuid() == 0 ? mkstemp(policy) : -1;
    static const char text[] = "version: 1\n";

    if (fd < 0) {
        return geteuid() != 0;
    }
    bool written = write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;
    return close(fd) == 0 && written;
}

int main(void)
{
    unsigned passed = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || getenv("RUNNER") != NULL || RAW_HIDDEN_THREAD) {
        printf("skip: numbers below 3: needs ptrace(2), and no thread of a sanitizer\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (!write_policy()) {
        printf("0 passed, 1 failed\n");
        return 1;
    }
    shared->step = -1;
    (void)log_path(); /* of this process, which removes it */
    int status = trace();
    (void)unlink(policy);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || stops < 100) {
        printf("the host ended with %#x after %lu stops\n", status, stops);
        failed++;
    }
    for (int i = 0; i < STEPS; i++) {
        passed += found[i] == 0;
        failed += found[i] != 0;
    }
    printf("%lu stops\n%u passed, %u failed\n", stops, passed, failed);
    return failed == 0 ? 0 : 1;
}
