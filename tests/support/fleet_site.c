/* SPDX-License-Identifier: MIT */
/* Machines of a fleet in namespaces; called by tests of the recipes of policy/fleet. */
#include "support/fleet_site.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "support/chain_log.h"

enum { MACHINES_MOST = 64, SPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET };

char site_folder[64], site_out[SITE_OUTPUT];
unsigned site_passed, site_failed;
static pid_t holders[MACHINES_MOST];
static unsigned machine_count;

void site_need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        exit(3);
    }
}

void site_check(const char *what, bool good)
{
    site_passed += good;
    site_failed += !good;
    if (!good) {
        printf("FAIL: %s\n%.3000s\n", what, site_out);
    }
}

int site_shell(const char *command)
{
    char line[12288];

    site_need((size_t)snprintf(line, sizeof(line), "{ %s\n} >out 2>&1 </dev/null", command) <
                  sizeof(line),
              command);
    int status = system(line);
    FILE *file = fopen("out", "re");
    site_need(file != NULL, "out");
    site_out[fread(site_out, 1, SITE_OUTPUT - 1, file)] = '\0';
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int site_shellf(const char *format, ...)
{
    char command[8192];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    site_need(length >= 0 && (size_t)length < sizeof(command), format);
    return site_shell(command);
}

void site_nap(unsigned milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

double site_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- the folder ------------------------------------------------------------------------------ */

bool site_possible(void)
{
    return geteuid() == 0 && system("command -v ip nsenter unshare >/dev/null && unshare -mun sh "
                                    "-c 'ip link add mgtest type veth peer name mgpeer' "
                                    "2>/dev/null") == 0;
}

void site_open(const char *prefix)
{
    char path[4200];
    const char *build = getenv("OUT");
    char *whole = realpath(build != NULL ? build : "build", NULL);

    site_need(whole != NULL && chain_init(), "build");
    snprintf(path, sizeof(path), "%s/miguard", whole);
    setenv("M", path, 1);
    setenv("LC_ALL", "C", 1);
    free(whole);
    snprintf(site_folder, sizeof(site_folder), "/tmp/miguard-%s-XXXXXX", prefix);
    site_need(mkdtemp(site_folder) != NULL && chdir(site_folder) == 0, site_folder);
    site_need(mkdir("keys", 0700) == 0, "keys");
}

void site_close(void)
{
    char command[128];

    for (unsigned i = 0; i < machine_count; i++) {
        site_end(&holders[i], SIGKILL);
    }
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", site_folder);
    site_need(system(command) == 0, command);
}

/* ---- machines -------------------------------------------------------------------------------- */

/* Mounts and names are of this process alone from here on. The identity of a machine is its own,
 * too, since daemons put it into what they send. */
static bool become_machine(const char *name)
{
    char path[200], id[40];
    static const char *const places[][2] = {
        {"lib", "/var/lib"}, {"log", "/var/log"}, {"run", "/run"}};

    if (unshare(SPACES) != 0 || sethostname(name, strlen(name)) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/%s/machine-id", site_folder, name);
    snprintf(id, sizeof(id), "%032x\n", (unsigned)getpid());
    chain_log_append(path, id, strlen(id));
    if (access("/etc/machine-id", F_OK) == 0 &&
        mount(path, "/etc/machine-id", NULL, MS_BIND, NULL) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s/%s", site_folder, name, places[i][0]);
        if (mount(path, places[i][1], NULL, MS_BIND, NULL) != 0) {
            return false;
        }
    }
    return system("ip link set lo up") == 0;
}

void site_machine_start(struct site_machine *machine, const char *name)
{
    int ends[2];
    char ready = 0;

    site_need(machine_count < MACHINES_MOST, "machines");
    snprintf(machine->name, sizeof(machine->name), "%s", name);
    site_need(
        site_shellf("mkdir -p %s/lib/rsyslog %s/log/miguard %s/run/miguard", name, name, name) == 0,
        name);
    site_need(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    machine->holder = fork();
    site_need(machine->holder >= 0, "fork");
    if (machine->holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (become_machine(name) && write(ends[1], "r", 1) == 1) {
            for (;;) {
                pause();
            }
        }
        _exit(3);
    }
    close(ends[1]);
    holders[machine_count++] = machine->holder;
    site_need(read(ends[0], &ready, 1) == 1, name);
    close(ends[0]);
}

void site_link(const struct site_machine *to, const struct site_machine *machine, unsigned device,
               unsigned n)
{
    site_need(site_shellf("ip link add dev mg%u netns %d type veth peer name eth%u netns %d && "
                          "nsenter -t %d -n sh -c 'ip addr add 10.77.%u.1/30 dev mg%u && ip link "
                          "set mg%u up' && nsenter -t %d -n sh -c 'ip addr add 10.77.%u.2/30 dev "
                          "eth%u && ip link set eth%u up'",
                          n, (int)to->holder, device, (int)machine->holder, (int)to->holder, n, n,
                          n, (int)machine->holder, n, device, device) == 0,
              site_out);
}

void site_link_set(const struct site_machine *machine, unsigned device, bool up)
{
    site_need(site_shellf("nsenter -t %d -n ip link set eth%u %s", (int)machine->holder, device,
                          up ? "up" : "down") == 0,
              site_out);
}

void site_enter(const struct site_machine *machine)
{
    static const char *const names[] = {"uts", "net", "mnt"};
    int fds[3];
    char path[64];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)machine->holder, names[i]);
        fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (size_t i = 0; i < 3; i++) {
        if (setns(fds[i], 0) != 0) {
            fprintf(stderr, "%s: %s: %s\n", machine->name, names[i], strerror(errno));
            _exit(3);
        }
        close(fds[i]);
    }
    if (chdir(site_folder) != 0) { /* setns(2) went to the root of the mounts */
        _exit(3);
    }
}

pid_t site_start(const struct site_machine *machine, const char *log, const char *command)
{
    pid_t child = fork();

    site_need(child >= 0, "fork");
    if (child == 0) {
        site_enter(machine);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    return child;
}

void site_end(pid_t *process, int number)
{
    if (*process > 0) {
        kill(*process, number);
        waitpid(*process, NULL, 0);
    }
    *process = 0;
}

/* ---- records --------------------------------------------------------------------------------- */

unsigned long *site_shared(size_t count)
{
    void *memory = mmap(NULL, count * sizeof(unsigned long), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    site_need(memory != MAP_FAILED, "mmap");
    return memory;
}

pid_t site_write(const struct site_machine *machine, const struct audit_settings *settings,
                 unsigned long count, unsigned pause, unsigned long *acknowledged)
{
    struct audit *audit = NULL;
    struct miguard_error error = {0};
    pid_t child = fork();

    site_need(child >= 0, "fork");
    if (child != 0) {
        return child;
    }
    site_enter(machine);
    if (audit_open(settings, &audit, &error) != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", machine->name, error.detail);
        _exit(3);
    }
    for (unsigned long n = 0; n < count; n++) {
        struct audit_event event = chain_log_event(3 * n + 1);
        if (audit_write(audit, &event) != MIGUARD_OK) {
            _exit(4);
        }
        ++*acknowledged;
        if (pause > 0 && n % 50 == 0) {
            site_nap(pause);
        }
    }
    audit_close(audit);
    _exit(0);
}

void site_log(const struct site_machine *machine, const char *path)
{
    char text[CHAIN_KEY_TEXT_SIZE], name[128], whole[256];
    struct chain_key key;

    chain_key_new(&key);
    chain_key_text(&key, text);
    snprintf(name, sizeof(name), "keys/%s.key", machine->name);
    chain_log_append(name, text, strlen(text));
    snprintf(whole, sizeof(whole), "%s/%s", site_folder, path);
    site_need(chmod(name, 0600) == 0 &&
                  file_init(whole, &key, FILE_EARLIER_REFUSE, NULL, NULL) == MIGUARD_OK,
              whole);
}

/* ---- beside a transport without us ------------------------------------------------------------
 */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double site_compare(site_side *side, unsigned pairs, unsigned long records, const char *without)
{
    double ratios[32], lags[2] = {0}, taken[2] = {0};
    char lines[128];

    site_need(pairs >= 1 && pairs <= 32, "PAIRS: 1 to 32");
    for (unsigned i = 0; i < pairs; i++) {
        double lag[2];
        double ours = side(2 * i, NULL, &lag[0]);
        snprintf(lines, sizeof(lines), "side%u.example/log/miguard/audit.log", 2 * i);
        double plain = side(2 * i + 1, lines, &lag[1]);
        ratios[i] = plain / ours;
        taken[0] += ours, taken[1] += plain, lags[0] += lag[0], lags[1] += lag[1];
    }
    qsort(ratios, pairs, sizeof(ratios[0]), compare_doubles);
    printf("# throughput against %s, %lu records, %u pairs: %.2f (%.2f to %.2f); %.0f and %.0f "
           "records in a second; behind the last record %.2f s and %.2f s\n",
           without, records, pairs, ratios[pairs / 2], ratios[0], ratios[pairs - 1],
           pairs * (double)records / taken[0], pairs * (double)records / taken[1], lags[0] / pairs,
           lags[1] / pairs);
    return ratios[pairs / 2];
}
