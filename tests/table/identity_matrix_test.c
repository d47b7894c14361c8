/* SPDX-License-Identifier: MIT */
/*
 * The identity matrix: each compared component changed alone, in both directions, on every guarded
 * function, synchronous and asynchronous, by the same thread and by another one; through MI, and
 * through <miguard/guard.h> with as many actions (support/fronts.h). Both count the same.
 *
 * Each row of `changes` says how a real thread is made to differ in one component and nothing
 * else. Each situation runs in a child process of its own, since many changes cannot be undone. In
 * each, every function of tests/support/entry_points.c is called: it must be refused, reach nobody,
 * and leave a record that names just that component; then the same functions are called under the
 * right identity and must be let through.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "support/fronts.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/userns.h"

enum { SOMEBODY = 12345 }; /* a uid and gid that nobody has */

/* ---- raw changes of the calling thread --------------------------------------------------- */

struct caps {
    uint64_t effective, permitted, inheritable;
};

static bool caps_get(struct caps *caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    caps->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    caps->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    caps->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    return true;
}

static bool caps_set(const struct caps *caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
        {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
         (uint32_t)(caps->inheritable >> 32)}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool set_uids(uid_t real, uid_t effective, uid_t saved)
{
    struct caps caps;
    return caps_get(&caps) && syscall(SYS_setresuid, real, effective, saved) == 0 &&
           caps_set(&caps);
}

/* The effective id takes the fs id along, and with it the effective capabilities: both back. */
static bool set_euid_alone(uid_t uid)
{
    struct caps caps;
    if (!caps_get(&caps) || syscall(SYS_setresuid, -1, uid, -1) != 0 || !caps_set(&caps)) {
        return false;
    }
    syscall(SYS_setfsuid, 0);
    return caps_set(&caps) && syscall(SYS_setfsuid, -1) == 0;
}

static bool set_fsuid_alone(uid_t uid)
{
    struct caps caps;
    if (!caps_get(&caps)) {
        return false;
    }
    syscall(SYS_setfsuid, uid);
    return caps_set(&caps) && (uid_t)syscall(SYS_setfsuid, -1) == uid;
}

static bool set_egid_alone(gid_t gid)
{
    if (syscall(SYS_setresgid, -1, gid, -1) != 0) {
        return false;
    }
    syscall(SYS_setfsgid, 0);
    return syscall(SYS_setfsgid, -1) == 0;
}

static bool change_cap(size_t offset, unsigned capability, bool on)
{
    struct caps caps;
    if (!caps_get(&caps)) {
        return false;
    }
    uint64_t *set = (uint64_t *)(void *)((char *)&caps + offset);
    *set = on ? *set | (uint64_t)1 << capability : *set & ~((uint64_t)1 << capability);
    return caps_set(&caps);
}

/* ---- the table --------------------------------------------------------------------------- */

static bool nothing(void)
{
    return true;
}

/* clang-format off */
#define UID(name, r, e, s) \
    static bool name##_there(void) { return set_uids((uid_t)(r), (uid_t)(e), (uid_t)(s)); }
#define DO(name, expression) static bool name(void) { return expression; }

UID(ruid, SOMEBODY, -1, -1)          DO(ruid_back, set_uids(0, (uid_t)-1, (uid_t)-1))
DO(euid_there, set_euid_alone(SOMEBODY)) DO(euid_back, set_euid_alone(0))
UID(suid, -1, -1, SOMEBODY)          DO(suid_back, set_uids((uid_t)-1, (uid_t)-1, 0))
DO(fsuid_there, set_fsuid_alone(SOMEBODY)) DO(fsuid_back, set_fsuid_alone(0))
DO(rgid_there, syscall(SYS_setresgid, SOMEBODY, -1, -1) == 0)
DO(rgid_back, syscall(SYS_setresgid, 0, -1, -1) == 0)
DO(egid_there, set_egid_alone(SOMEBODY)) DO(egid_back, set_egid_alone(0))
DO(sgid_there, syscall(SYS_setresgid, -1, -1, SOMEBODY) == 0)
DO(sgid_back, syscall(SYS_setresgid, -1, -1, 0) == 0)
DO(fsgid_there, (syscall(SYS_setfsgid, SOMEBODY), syscall(SYS_setfsgid, -1) == SOMEBODY))
DO(fsgid_back, (syscall(SYS_setfsgid, 0), syscall(SYS_setfsgid, -1) == 0))

static const gid_t two_groups[] = {4, 27}, three_groups[] = {4, 27, SOMEBODY};
DO(groups_base, syscall(SYS_setgroups, 2, two_groups) == 0)
DO(group_added, syscall(SYS_setgroups, 3, three_groups) == 0)
DO(group_removed, syscall(SYS_setgroups, 1, two_groups) == 0)
DO(groups_back, syscall(SYS_setgroups, 2, two_groups) == 0)

#define EFFECTIVE offsetof(struct caps, effective)
#define PERMITTED offsetof(struct caps, permitted)
#define INHERITABLE offsetof(struct caps, inheritable)
DO(effective_there, change_cap(EFFECTIVE, CAP_SYS_TIME, false))
DO(effective_back, change_cap(EFFECTIVE, CAP_SYS_TIME, true))
DO(permitted_base, change_cap(EFFECTIVE, CAP_SYS_TIME, false))
DO(permitted_there, change_cap(PERMITTED, CAP_SYS_TIME, false))
DO(inheritable_there, change_cap(INHERITABLE, CAP_SYS_TIME, true))
DO(inheritable_back, change_cap(INHERITABLE, CAP_SYS_TIME, false))
DO(ambient_base, change_cap(INHERITABLE, CAP_SYS_TIME, true))
DO(ambient_there, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_TIME, 0, 0) == 0)
DO(ambient_back, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SYS_TIME, 0, 0) == 0)
DO(bounding_there, syscall(SYS_prctl, PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) == 0)
DO(bounding_last, syscall(SYS_prctl, PR_CAPBSET_DROP, CAP_CHECKPOINT_RESTORE, 0, 0, 0) == 0)
DO(securebits_there, syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0)
DO(securebits_back, syscall(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0) == 0)
DO(keepcaps_there, syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0)
DO(keepcaps_back, syscall(SYS_prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0)
DO(no_new_privs_there, syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)

static const struct change {
    const char *component;
    const char *how;
    bool (*base)(void);
    bool (*there)(void);
    bool (*back)(void); /* NULL: the kernel knows no way back */
} changes[] = {
    {"ruid",            "real uid only",              nothing,        ruid_there,         ruid_back},
    {"euid",            "effective uid only",         nothing,        euid_there,         euid_back},
    {"suid",            "saved uid only",             nothing,        suid_there,         suid_back},
    {"fsuid",           "setfsuid",                   nothing,        fsuid_there,        fsuid_back},
    {"rgid",            "real gid only",              nothing,        rgid_there,         rgid_back},
    {"egid",            "effective gid only",         nothing,        egid_there,         egid_back},
    {"sgid",            "saved gid only",             nothing,        sgid_there,         sgid_back},
    {"fsgid",           "setfsgid",                   nothing,        fsgid_there,        fsgid_back},
    {"groups",          "one group added",            groups_base,    group_added,        groups_back},
    {"groups",          "one group removed",          groups_base,    group_removed,      groups_back},
    {"cap-effective",   "one capability lowered",     nothing,        effective_there,    effective_back},
    {"cap-permitted",   "one capability given up",    permitted_base, permitted_there,    NULL},
    {"cap-inheritable", "one capability added",       nothing,        inheritable_there,  inheritable_back},
    {"cap-ambient",     "one capability raised",      ambient_base,   ambient_there,      ambient_back},
    {"cap-bounding",    "one capability dropped",     nothing,        bounding_there,     NULL},
    {"cap-bounding",    "the last one dropped",       nothing,        bounding_last,      NULL},
    {"securebits",      "no-setuid-fixup set",        nothing,        securebits_there,   securebits_back},
    {"securebits",      "keep-caps set",              nothing,        keepcaps_there,     keepcaps_back},
    {"no-new-privs",    "set",                        nothing,        no_new_privs_there, NULL},
};
/* clang-format on */

/* ---- counting across processes ----------------------------------------------------------- */

static struct counts {
    unsigned passed, failed;
} * counts;

static char audit_path[64];

/* Through which front end the situations are run. */
static const struct front *front;

static void verdict(bool passed, const struct change *change, const char *situation,
                    const struct entry_point *entry, const char *what)
{
    if (passed) {
        counts->passed++;
        return;
    }
    counts->failed++;
    printf("FAIL %s: %s (%s), %s, %s %s: %s\n", front->name, change->component, change->how,
           situation, entry != NULL ? entry->name : "",
           entry == NULL              ? ""
           : entry->way == ENTRY_SYNC ? "sync"
                                      : "async",
           what);
    fflush(stdout);
}

/* ---- the refusals' records --------------------------------------------------------------- */

/* How many refusal records there are whose mismatch set is exactly this component. */
static unsigned records_naming(const char *component)
{
    FILE *file = fopen(audit_path, "r");
    char *line = NULL;
    size_t size = 0;
    unsigned found = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *record = json_loads(line, 0, NULL);
        json_t *mismatch = json_object_get(json_object_get(record, "miguard"), "mismatch");
        const char *reason =
            json_string_value(json_object_get(json_object_get(record, "event"), "reason"));
        if (json_array_size(mismatch) == 1 && reason != NULL &&
            strcmp(reason, "identity-mismatch") == 0 &&
            strcmp(json_string_value(json_array_get(mismatch, 0)), component) == 0) {
            found++;
        }
        json_decref(record);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* ---- one situation ----------------------------------------------------------------------- */

static void expect_refusals(struct scene *scene, const struct change *change, const char *situation)
{
    unsigned before = records_naming(change->component);

    for (unsigned i = 0; i < entry_point_count; i++) {
        const struct entry_point *entry = &entry_points[i];
        unsigned long reached = atomic_load(&scene->host->reached);
        int final_callbacks = 0;
        MI_Result result = front->call(scene, i, &final_callbacks);
        verdict(result == MI_RESULT_ACCESS_DENIED, change, situation, entry, "was not refused");
        verdict(atomic_load(&scene->host->reached) == reached, change, situation, entry,
                "reached the host");
        verdict(final_callbacks == (front->completes(i) ? 1 : 0), change, situation, entry,
                "did not call back as often as it must");
    }
    verdict(records_naming(change->component) - before == entry_point_count, change, situation,
            NULL, "not every refusal is recorded with just this component");
}

static void expect_service(struct scene *scene, const struct change *change, const char *situation)
{
    for (unsigned i = 0; i < entry_point_count; i++) {
        const struct entry_point *entry = &entry_points[i];
        unsigned long reached = atomic_load(&scene->host->reached);
        int final_callbacks = 0;
        MI_Result result = front->call(scene, i, &final_callbacks);
        verdict(result == front->served(i), change, situation, entry, "was not served");
        verdict((atomic_load(&scene->host->reached) > reached) == front->reaches(i), change,
                situation, entry, "did not reach the host as it must");
    }
}

static bool prepare(const struct change *change, const char *situation)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    config.audit_file = audit_path;
    config.repeat_window = 0;
    bool ready = miguard_configure(&config, NULL) == MIGUARD_OK && change->base();
    if (!ready) {
        verdict(false, change, situation, NULL, "the situation could not be made");
    }
    return ready;
}

/* What the other thread of a situation does. */
struct other {
    const struct change *change;
    const char *situation;
    struct scene *scene;
    bool changed, makes, uses, may;
};

static void *other_thread(void *argument)
{
    struct other *other = argument;

    if (other->changed && !other->change->there()) {
        verdict(false, other->change, other->situation, NULL, "the change could not be made");
        return NULL;
    }
    if (other->makes && !front->make(other->scene)) {
        verdict(false, other->change, other->situation, NULL, "no session was given");
        return NULL;
    }
    if (other->uses && other->may) {
        expect_service(other->scene, other->change, other->situation);
    } else if (other->uses) {
        expect_refusals(other->scene, other->change, other->situation);
    }
    return other;
}

static bool run_other(struct other other)
{
    pthread_t thread;
    void *result = NULL;
    return pthread_create(&thread, NULL, other_thread, &other) == 0 &&
           pthread_join(thread, &result) == 0 && result != NULL;
}

static void same_thread_there(const struct change *change, const char *situation)
{
    struct scene scene;
    if (!front->make(&scene) || !change->there()) {
        verdict(false, change, situation, NULL, "the situation could not be made");
        return;
    }
    expect_refusals(&scene, change, situation);
    if (change->back != NULL && change->back()) {
        expect_service(&scene, change, situation);
    }
    front->end(&scene);
}

static void same_thread_back(const struct change *change, const char *situation)
{
    struct scene scene;
    if (change->back == NULL) {
        return;
    }
    if (!change->there() || !front->make(&scene) || !change->back()) {
        verdict(false, change, situation, NULL, "the situation could not be made");
        return;
    }
    expect_refusals(&scene, change, situation);
    front->end(&scene);
}

static void other_thread_differs(const struct change *change, const char *situation)
{
    struct scene scene;
    bool made = front->make(&scene);
    struct other other = {change, situation, &scene, true, false, true, false};
    if (!made || !run_other(other)) {
        verdict(false, change, situation, NULL, "the situation could not be made");
        return;
    }
    expect_service(&scene, change, situation);
    front->end(&scene);
}

static void other_thread_took_it(const struct change *change, const char *situation)
{
    struct scene scene;
    struct other other = {change, situation, &scene, true, true, false, false};
    if (run_other(other)) {
        expect_refusals(&scene, change, situation);
        front->end(&scene);
    }
}

static void other_thread_is_the_same(const struct change *change, const char *situation)
{
    struct scene scene;
    bool made = front->make(&scene);
    struct other other = {change, situation, &scene, false, false, true, true};
    if (!made || !run_other(other)) {
        verdict(false, change, situation, NULL, "the situation could not be made");
        return;
    }
    front->end(&scene);
}

static void changed_takes_and_uses(const struct change *change, const char *situation)
{
    struct scene scene;
    struct other other = {change, situation, &scene, true, true, true, true};
    if (run_other(other)) {
        front->end(&scene);
    }
}

static const struct {
    const char *name;
    void (*run)(const struct change *change, const char *situation);
} situations[] = {
    {"taken, then changed, used by the same thread", same_thread_there},
    {"changed, taken, changed back, used by the same thread", same_thread_back},
    {"taken by one thread, used by another that changed", other_thread_differs},
    {"taken by another thread that changed, used by this one", other_thread_took_it},
    {"taken by one thread, used by another that is the same", other_thread_is_the_same},
    {"taken and used by a thread that changed", changed_takes_and_uses},
};

/* ---- the user namespace, which only a process with one thread can change ----------------- */

static bool write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content);
    if (fd >= 0) {
        close(fd);
    }
    return written;
}

/* Enters a new user namespace with every id mapped to itself and the capabilities of before, so
 * that nothing but the namespace differs. The maps are written by a child that stayed outside. */
static bool enter_namespace(void)
{
    static const char map[] = "0 0 4294967295";
    struct caps caps;
    int go[2], status = 0;
    char path[64], ready = 0;
    pid_t self = getpid();

    if (!caps_get(&caps) || pipe(go) != 0) {
        return false;
    }
    unsigned long long bounding = 0;
    for (unsigned i = 0; i < 64; i++) {
        bounding |= prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 ? 1ull << i : 0;
    }
    pid_t writer = fork();
    if (writer == 0) {
        bool mapped = read(go[0], &ready, 1) == 1;
        snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)self);
        mapped = mapped && write_file(path, map);
        snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)self);
        _exit(mapped && write_file(path, map) ? 0 : 1);
    }
    if (writer < 0 || !userns_enter() || write(go[1], "x", 1) != 1 ||
        waitpid(writer, &status, 0) != writer || status != 0) {
        return false;
    }
    for (unsigned i = 0; i < 64; i++) {
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 && (bounding >> i & 1) == 0) {
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
        }
    }
    return caps_set(&caps);
}

static void *do_nothing(void *argument)
{
    return argument;
}

/* A second thread comes and goes. The kernel counts a joined one for a moment; a record that is
 * written in it would find a process with threads and start the log's own, which stays. */
static bool had_second_thread(void)
{
    struct stat tasks;
    pthread_t thread;

    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        return false;
    }
    for (int i = 0; i < 1000; i++) {
        if (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3) { /* ".", ".." and one */
            return true;
        }
        usleep(1000);
    }
    return false;
}

static void namespace_changes(const struct change *change, const char *situation, bool had_thread,
                              bool nested)
{
    struct scene scene;

    if (nested && !enter_namespace()) {
        verdict(false, change, situation, NULL, "no user namespace could be made");
        return;
    }
    if (!front->make(&scene)) {
        verdict(false, change, situation, NULL, "no session was given");
        return;
    }
    expect_service(&scene, change, situation);
    front->end(&scene);
    if (had_thread && !had_second_thread()) {
        verdict(false, change, situation, NULL, "no thread could be made");
        return;
    }
    if (!front->make(&scene) || !enter_namespace()) {
        verdict(false, change, situation, NULL, "no user namespace could be made");
        return;
    }
    expect_refusals(&scene, change, situation);
}

/* ---- running ----------------------------------------------------------------------------- */

static void in_child(const struct change *change, const char *situation,
                     void (*run)(const struct change *, const char *))
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        snprintf(audit_path, sizeof(audit_path), "%s", log_path());
        if (prepare(change, situation)) {
            run(change, situation);
        }
        log_remove();
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        verdict(false, change, situation, NULL, "the child process did not come to its end");
        printf("  wait status 0x%x\n", (unsigned)status);
    }
}

static const struct change user_namespace = {"user-namespace", "unshare(CLONE_NEWUSER)", nothing,
                                             nothing, NULL};

static void namespace_plain(const struct change *change, const char *situation)
{
    namespace_changes(change, situation, false, false);
}

static void namespace_after_thread(const struct change *change, const char *situation)
{
    namespace_changes(change, situation, true, false);
}

static void namespace_nested(const struct change *change, const char *situation)
{
    namespace_changes(change, situation, false, true);
}

static bool can_enter_namespace(void *unused)
{
    (void)unused;
    return enter_namespace();
}

/* How many were skipped. */
static unsigned namespace_situations(void)
{
#ifdef RAW_HAS_HIDDEN_THREAD
    printf("skip: user-namespace: the sanitizer's own thread keeps the kernel from changing it\n");
    (void)user_namespace;
    (void)namespace_plain;
    (void)namespace_after_thread;
    (void)namespace_nested;
    (void)can_enter_namespace;
    return 1;
#else
    if (!raw_in_child(can_enter_namespace, NULL)) {
        printf("skip: user-namespace: this machine lets nobody make one\n");
        return 1;
    }
    in_child(&user_namespace, "taken, then moved to a new namespace", namespace_plain);
    in_child(&user_namespace, "the same after a second thread came and went",
             namespace_after_thread);
    in_child(&user_namespace, "taken in a namespace, then moved to one below it", namespace_nested);
    return 0;
#endif
}

static bool lsm_keeps_labels(void)
{
    char label[8];
    int fd = open("/proc/thread-self/attr/current", O_RDONLY | O_CLOEXEC);
    bool readable = fd >= 0 && read(fd, label, sizeof(label)) > 0;
    if (fd >= 0) {
        close(fd);
    }
    return readable;
}

/* Every change in every situation; returns how many situations were skipped. */
static unsigned run_front(const struct front *through)
{
    front = through;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        for (size_t k = 0; k < sizeof(situations) / sizeof(situations[0]); k++) {
            in_child(&changes[i], situations[k].name, situations[k].run);
        }
    }
    return namespace_situations();
}

int main(void)
{
    unsigned skipped = 0, before = 0, made[FRONTS] = {0};

    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) {
        return 1;
    }
    if (geteuid() != 0) {
        printf("skip: the identity matrix changes real credentials and needs root\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    for (int i = 0; i < FRONTS; i++) {
        skipped += run_front(&fronts[i]);
        made[i] = counts->passed + counts->failed - before;
        before = counts->passed + counts->failed;
        printf("through %s: %u checks\n", front->name, made[i]);
    }
    if (made[FRONT_MI] != made[FRONT_BINDING]) {
        printf("FAIL the two front ends do not count the same\n");
        counts->failed++;
    }
    if (!lsm_keeps_labels()) {
        printf("skip: lsm-label: no LSM of this kernel keeps a label for threads\n");
        skipped++;
    }
    printf("%u passed, %u failed, %u skipped\n", counts->passed, counts->failed, skipped);
    return counts->failed == 0 ? 0 : 1;
}
