#!/bin/sh
# SPDX-License-Identifier: MIT
# The archives in a plug-in that is unloaded while a thread that used it lives on: what glibc calls
# later (the destructor of a key, a thread, a handler of a signal or of fork(2)) must still be there.
# Each way to leave something behind is a plug-in of its own process.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
case $OUT in
build | build/clang) ;;
*)
    echo "skip: unload: what a sanitizer built needs its run-time library"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "skip: unload: needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
# In /run, as the folder of a policy must not be anybody's to write.
tmp=$(mktemp -d /run/miguard-unload-test.XXXXXX) || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM

cat >"$tmp/guard.c" <<'PLUG'
#define _GNU_SOURCE
#include <miguard.h>
#include <miguard/gate.h>
#include <miguard/switch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int use(const char *what);

static int configure(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    config.policy = getenv("UNLOAD_POLICY");
    config.audit_file = getenv("UNLOAD_LOG");
    return miguard_configure(&config, NULL);
}

/* The buffer for many groups is the thread's. */
static int groups(void)
{
    static unsigned list[1000];
    struct miguard_identity *identity = NULL;
    for (unsigned i = 0; i < 1000; i++) {
        list[i] = i + 1;
    }
    if (syscall(SYS_setgroups, 1000, list) != 0 ||
        miguard_identity_capture(&identity, NULL) != MIGUARD_OK) {
        return -1;
    }
    miguard_identity_free(identity);
    return 0;
}

static int change(void)
{
    const struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, 0, 0, 0};
    struct miguard_target *target = NULL;
    int status = miguard_target_ids(12345, 12345, &none, &target, NULL);
    if (status == MIGUARD_OK) {
        status = miguard_switch_to(target, NULL);
    }
    if (status == MIGUARD_OK) {
        status = miguard_switch_back(NULL);
    }
    miguard_target_free(target);
    return status;
}

static int report(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.report = 1;
    return miguard_gate_close(&options, NULL);
}

int use(const char *what)
{
    return strcmp(what, "groups") == 0   ? groups()
           : strcmp(what, "switch") == 0 ? change()
           : strcmp(what, "report") == 0 ? report()
           : strcmp(what, "watch") == 0  ? configure()
                                         : 0;
}
PLUG
cat >"$tmp/host.c" <<'PLUG'
#include <miguard/host.h>
#include <semaphore.h>
#include <string.h>

int use(const char *what);

static void serve(void *self, MI_Context *context, const MI_Char *name_space,
                  const MI_Char *class_name, const MI_PropertySet *set, MI_Boolean keys_only,
                  const MI_Filter *filter)
{
    (void)self, (void)name_space, (void)class_name, (void)set, (void)keys_only, (void)filter;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT provider = {.EnumerateInstances = serve};
static MI_Module module = {
    .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};

static MI_Module *main_of_module(MI_Server *server)
{
    (void)server;
    return &module;
}

static void MI_CALL on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                              MI_Boolean more, MI_Result result, const MI_Char *text,
                              const MI_Instance *details,
                              MI_Result(MI_CALL *acknowledge)(MI_Operation *))
{
    (void)operation, (void)instance, (void)result, (void)text, (void)details, (void)acknowledge;
    if (!more) {
        sem_post(context);
    }
}

int use(const char *what)
{
    static sem_t done;
    struct miguard_host *host = NULL;
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_OperationCallbacks callbacks = {.callbackContext = &done, .instanceResult = on_result};
    if (strcmp(what, "server") != 0) {
        return 0;
    }
    sem_init(&done, 0, 0);
    if (miguard_host_new(NULL, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, main_of_module, NULL, NULL) != MIGUARD_OK ||
        miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        return -1;
    }
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "T_Any", MI_FALSE, &callbacks,
                                  &operation);
    sem_wait(&done);
    MI_Operation_Close(&operation);
    miguard_host_free(host);
    return 0;
}
PLUG
cat >"$tmp/program.c" <<'PROGRAM'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*use)(const char *);
static const char *what;
static int answer = -1;
static sem_t used, unloaded;

static void *work(void *unused)
{
    answer = use(what);
    sem_post(&used);
    sem_wait(&unloaded);
    return unused;
}

/* What comes later, and would be there no more. */
static int later(void)
{
    if (strcmp(what, "report") == 0) {
        return setuid(65534) == -1 ? 0 : 1; /* SIGSYS, and the thread that tells of it */
    }
    if (strcmp(what, "watch") == 0) { /* the threads that watch and that keep the log */
        FILE *file = fopen(getenv("UNLOAD_POLICY"), "a");
        fputs("# changed\n", file);
        fclose(file);
        usleep(1500000);
    }
    return 0;
}

/* Arguments: the plug-in, what it is used for, whether it must stay in memory. */
int main(int argc, char **argv)
{
    pthread_t thread;
    int status = 0;
    void *plug = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (plug == NULL) {
        puts(dlerror());
        return 2;
    }
    *(void **)&use = dlsym(plug, "use");
    what = argv[2];
    sem_init(&used, 0, 0);
    sem_init(&unloaded, 0, 0);
    pthread_create(&thread, NULL, work, NULL);
    sem_wait(&used);
    int bad = answer != 0 || dlclose(plug) != 0 || later() != 0;
    bad |= (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) != NULL) != (strcmp(argv[3], "stays") == 0);
    sem_post(&unloaded);
    pthread_join(thread, NULL); /* its keys' destructors */
    pid_t child = fork();       /* the handlers of fork(2) */
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("answer %d, bad %d, child %d\n", answer, bad, status);
    return bad || status != 0;
}
PROGRAM
libs=$(pkg-config --libs libcap-ng libseccomp yaml-0.1 libsodium expat)
build() {
    $CC -Iinclude -fPIC -shared -o "$tmp/guard.so" "$tmp/guard.c" "$OUT/libmiguard.a" $libs \
        -pthread -Wl,--exclude-libs,ALL &&
        $CC -Iinclude -fPIC -shared -o "$tmp/host.so" "$tmp/host.c" "$OUT/libmiguard-host.a" \
            "$OUT/libmiguard.a" $libs -pthread -Wl,--exclude-libs,ALL &&
        $CC -o "$tmp/program" "$tmp/program.c" -ldl -pthread
}
printf 'version: 1\nwatch: true\n' >"$tmp/p.yaml"
UNLOAD_POLICY=$tmp/p.yaml UNLOAD_LOG=$tmp/a.jsonl
export UNLOAD_POLICY UNLOAD_LOG

. tests/support/check.sh
check "plug-ins with the archives build" build
check "loaded and not used: it goes" "$tmp/program" "$tmp/guard.so" nothing goes
check "a thread's buffer of groups" "$tmp/program" "$tmp/guard.so" groups stays
check "a thread's switches" "$tmp/program" "$tmp/guard.so" switch stays
check "the gate's handler and thread" "$tmp/program" "$tmp/guard.so" report stays
check "the threads of the log and the policy" "$tmp/program" "$tmp/guard.so" watch stays
check "the server, loaded and not used: it goes" "$tmp/program" "$tmp/host.so" nothing goes
check "the server's threads" "$tmp/program" "$tmp/host.so" server stays
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
