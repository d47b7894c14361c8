/* SPDX-License-Identifier: MIT */
/*
 * That a child of fork(2) finds no lock of the libraries held by a thread that it does not have.
 *
 * A round of all that the libraries do is made on a thread of its own. Each place where it takes a
 * lock, or waits, is one row: the thread stops there, with the lock held, while the main thread
 * forks, and the child makes a round of its own, which must end. What the thread stopped with is
 * also what the child must be refused: the session, the server and the context of its parent.
 *
 * The same with a child of clone(2), which runs no handlers. There the lock is found held: the
 * process is stuck, is refused what is new, too, and does not hang. Where no lock was held it goes
 * on as after fork(2).
 *
 * The second part reads the sources: each lock that they declare is in a table below, either as
 * registered (base/fork.h) or with the reason why it need not be. A new one is in neither.
 */
#include <dlfcn.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fork.h"
#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/host.h"
#include "miguard/switch.h"
#include "support/log.h"

enum { MOST_PLACES = 400, HELD_MS = 10, CHILD_SECONDS = 60 };

static int passed, failed;

static void check(const char *name, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s\n", name);
    }
}

/* ---- stopping where a lock is taken ---------------------------------------------------------- */

static __thread bool is_watched;        /* the thread that makes rounds, and those it makes */
static const void *places[MOST_PLACES]; /* found in the first round */
static _Atomic unsigned place_count;
static const void *_Atomic stop_at; /* one of these; NULL: only look */
static atomic_bool stopped, looking;

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void note_place(const void *place)
{
    for (unsigned i = 0; i < place_count; i++) {
        if (places[i] == place) {
            return;
        }
    }
    if (place_count < MOST_PLACES) {
        places[place_count++] = place;
    }
}

__attribute__((unused)) static void come_to(const void *place)
{
    static atomic_flag list = ATOMIC_FLAG_INIT;

    if (atomic_load(&looking) && is_watched) {
        while (atomic_flag_test_and_set(&list)) {
        }
        note_place(place);
        atomic_flag_clear(&list);
    }
    if (place == atomic_load(&stop_at) && is_watched && !atomic_exchange(&stopped, true)) {
        sleep_ms(HELD_MS);
    }
}

#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL) {                                                                            \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                 \
    }

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_lock)
    int error = real(mutex);
    come_to(__builtin_return_address(0));
    return error;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_trylock)
    int error = real(mutex);
    if (error == 0) {
        come_to(__builtin_return_address(0));
    }
    return error;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    REAL(pthread_cond_wait)
    come_to(__builtin_return_address(0));
    return real(cond, mutex);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    REAL(pthread_cond_timedwait)
    come_to(__builtin_return_address(0));
    return real(cond, mutex, until);
}

/* A thread of the library's own is watched, too. */
struct begin {
    void *(*function)(void *);
    void *argument;
};

static void *begin_watched(void *argument)
{
    struct begin begin = *(struct begin *)argument;

    free(argument);
    is_watched = true;
    return begin.function(begin.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
    REAL(pthread_create)
    struct begin *begin = is_watched ? malloc(sizeof(*begin)) : NULL;

    if (begin == NULL) {
        return real(thread, attributes, function, argument);
    }
    *begin = (struct begin){function, argument};
    return real(thread, attributes, begin_watched, begin);
}
#define CAN_STOP true
#else
#define CAN_STOP false
#endif

/* ---- a round --------------------------------------------------------------------------------- */

static void serve(void *self, MI_Context *context, const MI_Char *name_space,
                  const MI_Char *class_name, const MI_PropertySet *set, MI_Boolean keys_only,
                  const MI_Filter *filter)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = NULL;

    (void)self, (void)name_space, (void)set, (void)keys_only, (void)filter;
    if (MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK) {
        MI_Session_TestConnection(&session, 0, NULL, &operation); /* left open: it is reaped */
    }
    if (MI_Context_NewDynamicInstance(context, class_name, 0, &instance) == MI_RESULT_OK) {
        (void)MI_Context_PostInstance(context, instance);
        MI_Instance_Delete(instance);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT provider = {.EnumerateInstances = serve};

static MI_Module *main_of_module(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};
    const MI_Char *name = NULL;

    (void)server->serverFT->GetSystemName(&name);
    return &module;
}

static void take_all(MI_Operation *operation)
{
    MI_Boolean more = MI_TRUE;

    while (more) {
        const MI_Instance *instance = NULL;
        MI_Result result = MI_RESULT_OK;
        if (MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL) !=
            MI_RESULT_OK) {
            break;
        }
    }
    (void)MI_Operation_Close(operation);
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

static void on_closed(void *context)
{
    sem_post(context);
}

static void use_server(struct miguard_host *host)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    sem_t done;
    MI_OperationCallbacks callbacks = {.callbackContext = &done, .instanceResult = on_result};

    sem_init(&done, 0, 0);
    if (miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        return;
    }
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "T_Any", MI_FALSE, NULL,
                                  &operation);
    take_all(&operation);
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", "T_Any", MI_FALSE, &callbacks,
                                  &operation);
    (void)MI_Operation_Cancel(&operation, MI_REASON_NONE);
    sem_wait(&done);
    (void)MI_Operation_Close(&operation);
    if (MI_Session_Close(&session, &done, on_closed) == MI_RESULT_OK) {
        sem_wait(&done);
    }
    sem_destroy(&done);
}

static void round_of_host(void)
{
    const struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    MI_Application application = MI_APPLICATION_NULL;
    MI_OperationOptions own = MI_OPERATIONOPTIONS_NULL;

    if (miguard_host_new(&options, &host, NULL) == MIGUARD_OK) {
        (void)!miguard_host_add(host, main_of_module, NULL, NULL);
        use_server(host);
        miguard_host_free(host);
    }
    if (MI_Application_Initialize(0, NULL, NULL, &application) == MI_RESULT_OK &&
        MI_Application_NewOperationOptions(&application, MI_FALSE, &own) == MI_RESULT_OK) {
        (void)MI_OperationOptions_SetTimeout(&own, NULL);
        MI_OperationOptions_Delete(&own);
    }
}

static struct miguard_target *nobody;

static void *stay_switched(void *argument)
{
    sem_t *turns = argument;

    bool switched = miguard_switch_to(nobody, NULL) == MIGUARD_OK;
    sem_post(&turns[0]);
    while (sem_wait(&turns[1]) != 0) { /* the signal of the drop */
    }
    if (switched) {
        (void)!miguard_switch_back(NULL);
    }
    return NULL;
}

/* A drop that every thread is asked for, and that one objects to. */
static void drop_in_vain(void)
{
    pthread_t thread;
    sem_t turns[2];

    sem_init(&turns[0], 0, 0);
    sem_init(&turns[1], 0, 0);
    if (nobody == NULL || pthread_create(&thread, NULL, stay_switched, turns) != 0) {
        return;
    }
    sem_wait(&turns[0]);
    if (miguard_drop(nobody, NULL) == MIGUARD_OK) {
        abort();
    }
    sem_post(&turns[1]);
    pthread_join(thread, NULL);
}

/* A front end of a daemon's own: both locks of its files. */
static void bind_and_release(void)
{
    static const char *const actions[] = {"read"};
    struct miguard_front_end *front_end = NULL;
    struct miguard_binding *binding = NULL;

    if (miguard_front_end_register("locks", actions, 1, &front_end, NULL) == MIGUARD_OK) {
        (void)!miguard_bind(front_end, "/srv", NULL, &binding, NULL);
        miguard_release(binding);
    }
}

/* Of a host's context that has no guard. */
static void ask_for_client(void)
{
    static const MI_Context context;
    struct miguard_target *client = NULL;

    miguard_set_client_source(miguard_host_context_client, NULL);
    (void)!miguard_context_client(&context, &client, NULL);
    miguard_target_free(client);
}

static void round_of_library(bool gate)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    static MI_Module modules[2];
    static MI_Server server;
    static atomic_uint turn;
    MI_Module *module = &modules[atomic_fetch_add(&turn, 1) % 2];

    *module = (MI_Module){
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};
    (void)!miguard_wrap_module(&server, module);
    (void)!miguard_reload(NULL);
    bind_and_release();
    ask_for_client();
    if (nobody != NULL && miguard_switch_to(nobody, NULL) == MIGUARD_OK) {
        (void)!miguard_switch_back(NULL);
    }
    if (gate) {
        options.scope = MIGUARD_GATE_THREAD;
        options.report = 1;
        (void)!miguard_gate_close(&options, NULL);
    }
}

static void *one_round(void *unused)
{
    is_watched = true;
    round_of_library(false);
    round_of_host();
    /* It waits two seconds for threads of the host that block its signal. Who has been stopped, and
     * so forked beside, has no place in it to come to. */
    if (!atomic_load(&stopped)) {
        drop_in_vain();
    }
    round_of_library(true);
    is_watched = false;
    return unused;
}

/* ---- the rows -------------------------------------------------------------------------------- */

/* Made before each fork, in the parent. */
static struct {
    struct miguard_host *host;
    MI_Session client;
    MI_Context *context; /* of a request that does not end */
    MI_Session local;
    MI_OperationOptions options;
    atomic_bool kept; /* context and local are there */
} inherited;

static void keep_context(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name, const MI_PropertySet *set, MI_Boolean keys_only,
                         const MI_Filter *filter)
{
    (void)self, (void)name_space, (void)class_name, (void)set, (void)keys_only, (void)filter;
    inherited.context = context;
    if (MI_Context_GetLocalSession(context, &inherited.local) != MI_RESULT_OK) {
        abort();
    }
    atomic_store(&inherited.kept, true);
}

static MI_Module *main_of_keeper(MI_Server *server)
{
    static const MI_ProviderFT keeper = {.EnumerateInstances = keep_context};
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &keeper};

    (void)server;
    return &module;
}

/* A handler of fork(3) that was there before the library's, and so runs in the child while the
 * library's locks are held: it is refused, and does not wait for them. */
static void early_handler(void)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    if (!atomic_load(&inherited.kept)) {
        return;
    }
    alarm(CHILD_SECONDS);
    MI_Session_TestConnection(&inherited.local, 0, NULL, &operation);
    (void)MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    if (result != MI_RESULT_INVALID_PARAMETER) {
        _exit(6);
    }
}

static void register_early(void)
{
    (void)pthread_atfork(NULL, NULL, early_handler);
}

/* Runs before all constructors. */
__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = register_early;

static void make_inherited(void)
{
    const struct miguard_host_options options = {.wrap = miguard_wrap_module};
    MI_Application application = MI_APPLICATION_NULL;
    static MI_Operation operation = MI_OPERATION_NULL;

    if (miguard_host_new(&options, &inherited.host, NULL) != MIGUARD_OK ||
        miguard_host_add(inherited.host, main_of_keeper, NULL, NULL) != MIGUARD_OK ||
        miguard_host_session(inherited.host, &inherited.client, NULL) != MIGUARD_OK ||
        MI_Application_Initialize(0, NULL, NULL, &application) != MI_RESULT_OK ||
        MI_Application_NewOperationOptions(&application, MI_FALSE, &inherited.options) !=
            MI_RESULT_OK) {
        abort();
    }
    MI_Session_EnumerateInstances(&inherited.client, 0, NULL, "root/test", "T_Any", MI_FALSE, NULL,
                                  &operation);
    /* The provider is called on a thread of its own. */
    for (int i = 0; i < 30000 && !atomic_load(&inherited.kept); i++) {
        sleep_ms(1);
    }
    if (!atomic_load(&inherited.kept)) {
        abort();
    }
}

static int count_refusals(void)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    struct miguard_error error = {0};
    int refused = 0;

    refused +=
        MI_Context_GetLocalSession(inherited.context, &session) == MI_RESULT_INVALID_PARAMETER;
    MI_Session_TestConnection(&inherited.local, 0, NULL, &operation);
    (void)MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    refused += result == MI_RESULT_INVALID_PARAMETER;
    refused += miguard_host_session(inherited.host, &session, &error) == MIGUARD_BAD_STATE;
    refused += miguard_host_add(inherited.host, main_of_keeper, NULL, NULL) == MIGUARD_BAD_STATE;
    refused += miguard_host_load(inherited.host, "/x", NULL, NULL) == MIGUARD_BAD_STATE;
    refused += MI_Session_Close(&inherited.client, NULL, NULL) == MI_RESULT_INVALID_PARAMETER;
    refused +=
        MI_OperationOptions_SetTimeout(&inherited.options, NULL) == MI_RESULT_INVALID_PARAMETER;
    miguard_host_free(inherited.host); /* does nothing, and does not wait */
    return refused;
}

enum { REFUSALS = 7, STUCK = 40 };

static void in_child(void)
{
    int refused = 0;

    alarm(CHILD_SECONDS);
    refused = count_refusals();
    round_of_library(false);
    round_of_host();
    if (nobody != NULL && miguard_drop(nobody, NULL) != MIGUARD_OK) {
        _exit(2);
    }
    round_of_library(true);
    _exit(refused == REFUSALS ? 0 : 3);
}

/* As _Fork(3) and programs that call the kernel themselves: no handler runs. */
static pid_t by_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* What is new is refused in a process that is stuck, and in its children. */
static bool all_refused(void)
{
    static const char *const actions[] = {"read"};
    struct miguard_gate_options gate = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_front_end *front_end = NULL;
    MI_Server server = {0};
    MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .dynamicProviderFT = &provider};

    gate.scope = MIGUARD_GATE_THREAD;
    return miguard_gate_close(&gate, NULL) == MIGUARD_BAD_STATE &&
           miguard_reload(NULL) == MIGUARD_BAD_STATE &&
           miguard_front_end_register("stuck", actions, 1, &front_end, NULL) == MIGUARD_BAD_STATE &&
           miguard_wrap_module(&server, &module) == NULL &&
           (nobody == NULL || (miguard_switch_to(nobody, NULL) == MIGUARD_BAD_STATE &&
                               miguard_drop(nobody, NULL) == MIGUARD_BAD_STATE));
}

static bool is_stuck(void)
{
    struct miguard_host *host = NULL;
    struct miguard_error error = {0};

    return miguard_host_new(NULL, &host, &error) == MIGUARD_BAD_STATE &&
           strstr(error.detail, "clone(2)") != NULL;
}

/* An owner's handler: not for what may be half changed. */
static bool handler_ran;

static void note_handler(void)
{
    handler_ran = true;
}

FORK_OWNER(noting, .rank = FORK_ONCE, .in_child = note_handler);

static void in_cloned_child(void)
{
    int status = 0;

    alarm(CHILD_SECONDS);
    if (count_refusals() != REFUSALS) {
        _exit(3);
    }
    bool stuck = is_stuck();
    if (stuck == handler_ran) {
        _exit(5);
    }
    if (!stuck) {
        _exit(0);
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(is_stuck() && all_refused() ? 0 : 1);
    }
    (void)waitpid(child, &status, 0);
    _exit(all_refused() && status == 0 ? STUCK : 4);
}

static off_t log_size(void)
{
    struct stat status;

    return stat(log_path(), &status) == 0 ? status.st_size : 0;
}

/* Whether the log has a record of that process from there on: before, another process may have had
 * its number. */
static bool has_records(pid_t process, off_t from)
{
    char *line = NULL, pid[32];
    size_t size = 0;
    bool found = false;
    FILE *file = fopen(log_path(), "re");

    snprintf(pid, sizeof(pid), "\"pid\":%d,", (int)process);
    if (file != NULL) {
        (void)fseeko(file, from, SEEK_SET);
    }
    while (!found && file != NULL && getline(&line, &size, file) > 0) {
        found = strstr(line, pid) != NULL;
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* How the child ended: 0 as it should. */
static int fork_while_stopped_at(const void *place, bool clones)
{
    pthread_t thread;
    int status = 0;

    atomic_store(&stopped, false);
    atomic_store(&stop_at, place);
    if (pthread_create(&thread, NULL, one_round, NULL) != 0) {
        abort();
    }
    for (int i = 0; i < 2000 && !atomic_load(&stopped); i++) {
        sleep_ms(1);
    }
    if (clones) {
        sleep_ms(HELD_MS / 2); /* the others may be in malloc(3), whose locks the child inherits */
    }
    const off_t before = log_size();
    pid_t child = clones ? by_clone() : fork();
    if (child == 0) {
        (clones ? in_cloned_child : in_child)();
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    pthread_join(thread, NULL);
    atomic_store(&stop_at, NULL);
    if (clones) {
        check("a clone has records, but not one that is stuck",
              has_records(child, before) == (status == 0));
    }
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    return WTERMSIG(status);
}

static void tell_place(const void *place, int answer)
{
    Dl_info info = {0};

    (void)dladdr(place, &info);
    printf("FAILED: a lock or wait at %s+0x%zx (%s): the child answers %d%s\n",
           info.dli_sname != NULL ? info.dli_sname : "?",
           (size_t)((uintptr_t)place - (uintptr_t)info.dli_fbase), "offset in the program", answer,
           answer == 14 ? ", it hung" : "");
}

static void try_place(const void *place, int answer, int right)
{
    passed += answer == right;
    failed += answer != right;
    if (answer != right) {
        tell_place(place, answer);
    }
}

static void test_places(void)
{
    pthread_t thread;

    atomic_store(&looking, true);
    for (int i = 0; i < 2; i++) { /* the second finds what the first has set up */
        if (pthread_create(&thread, NULL, one_round, NULL) != 0) {
            abort();
        }
        pthread_join(thread, NULL);
    }
    atomic_store(&looking, false);
    check("the round comes to at least 60 places", atomic_load(&place_count) >= 60);
    unsigned reached = 0, stuck = 0;
    for (unsigned i = 0; i < atomic_load(&place_count); i++) {
        try_place(places[i], fork_while_stopped_at(places[i], false), 0);
        if (atomic_load(&stopped)) {
            int answer = fork_while_stopped_at(places[i], true);
            stuck += answer == STUCK;
            reached++;
            try_place(places[i], answer, answer == STUCK ? STUCK : 0);
        }
    }
    printf("places: %u found, %u stopped at, %u clones stuck\n", atomic_load(&place_count), reached,
           stuck);
    check("a lock that is held is found in a clone", !CAN_STOP || stuck > 20);
}

/* ---- the sources ----------------------------------------------------------------------------- */

static const struct lock {
    const char *file;        /* below src/ */
    const char *declaration; /* begins so */
    const char *why;         /* it is free in a child; what begins with a point is how the file
                                registers it */
} locks[] = {
    {"base/fork.h", "pthread_mutex_t lock;", "of a fork_once: each of these is in this table"},
    {"base/process.c", "static struct fork_once page_once", ".lock = &page_once.lock"},
    {"base/slots.c", "_Alignas(CACHE_LINE) pthread_mutex_t lock;",
     ".before = lock_all, .after = unlock_all"},
    {"base/slots.c", "static pthread_mutex_t growth_lock",
     ".before = lock_all, .after = unlock_all"},
    {"identity/read.c", "static struct fork_once large_once", ".lock = &large_once.lock"},
    {"switch/drop.c", "static pthread_mutex_t drop_lock", ".lock = &drop_lock"},
    {"gate/gate.c", "static pthread_mutex_t close_lock", ".lock = &close_lock"},
    {"gate/gate_report.c", "static sem_t written", "made anew when a child begins to report"},
    {"gate/gate_report.c", "pthread_mutex_t lock;", ".lock = &reporter.lock"},
    {"switch/switch.c", "static struct fork_once stack_once", ".lock = &stack_once.lock"},
    {"policy/policy.h", "pthread_mutex_t lock;", "of a store: guard.c has the one, registered"},
    {"guard/guard.c", ".guard = {.store = ", ".lock = &process_guard.guard.store.lock"},
    {"guard/process_guard.h", "pthread_mutex_t lock;",
     "of the one guard: guard.c has it, registered"},
    {"guard/guard.c", ".lock = PTHREAD_MUTEX_INITIALIZER,", ".lock = &process_guard.lock"},
    {"core/core.c", "static struct fork_once start_once", ".lock = &start_once.lock"},
    {"core/records.c", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"guard/front_end.c", "static pthread_mutex_t front_ends_lock", ".lock = &front_ends_lock"},
    {"guard/setup.c", "static struct fork_once start_once", ".lock = &start_once.lock"},
    {"gateway/objects.h", "pthread_mutex_t lock;         /* the list and ended",
     "of a guarded context, whose handle is refused in a child"},
    {"gateway/client.c", "static pthread_mutex_t source_lock", ".lock = &source_lock"},
    {"gateway/context_index.c", "pthread_mutex_t lock;",
     ".before = lock_shards, .after = unlock_shards"},
    {"gateway/context_space.c", "pthread_mutex_t lock;", ".lock = &space.lock"},
    {"gateway/host_refusal.c", "pthread_mutex_t lock;", ".lock = &given.lock"},
    {"gateway/left_open.c", "pthread_mutex_t lock;", ".lock = &left.lock"},
    {"gateway/wrapped_places.c", "pthread_mutex_t wrapped_lock =", ".lock = &wrapped_lock"},
    {"audit/core.h", "pthread_mutex_t lock;          /* taken", "audit_lock(), by guard.c"},
    {"audit/background.h", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"audit/core.h", "pthread_mutex_t process_lock;", "audit_lock(), by guard.c"},
    {"audit/file/file_internal.h", "pthread_mutex_t mutex;",
     "between processes; only held with `local`, which audit_lock() takes"},
    {"audit/file/file_internal.h", "pthread_mutex_t local;", "audit_lock(), by guard.c"},
    {"audit/file/file_internal.h", "pthread_mutex_t sync_lock;", "audit_lock(), by guard.c"},
    {"audit/file/file_internal.h", "pthread_mutex_t background_lock;", "audit_lock(), by guard.c"},
    {"audit/file/file_internal.h", "pthread_cond_t background_asked, background_answered;",
     "made anew by audit_unlock()"},
    {"audit/sink/kernel_audit.c", "pthread_mutex_t lock;",
     "made anew in a child; else only held with the sink's, which audit_lock() takes"},
    {"audit/sink/kernel_audit.c", "pthread_cond_t asked, answered;", "made anew in a child"},
    {"audit/log_store.h", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"audit/log_store.h", "pthread_mutex_t background_lock;", "audit_lock(), by guard.c"},
    {"audit/log_store.h", "pthread_cond_t background_call;", "made anew by audit_unlock()"},
    {"audit/loss.h", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"audit/memory.h", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"audit/record_names.c", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"audit/batch.h", "pthread_mutex_t lock;", "audit_lock(), by guard.c"},
    {"policy/watch.c", "pthread_mutex_t lock;", "a child does not take it: it knows the epoch"},
    {"policy/watch.c", "pthread_cond_t news;", "the same"},
    {"host/server/client_table.c", "static pthread_mutex_t client_lock", ".lock = &client_lock"},
    {"host/server/context.c", "pthread_mutex_t lock;", ".lock = &pool.lock"},
    {"host/server/server_table.c", "static struct fork_once name_once", ".lock = &name_once.lock"},
    {"host/server/host.h", "pthread_mutex_t lock;",
     "of a server, context, session or operation, each of "
     "which is refused in a child"},
    {"host/server/host.h", "pthread_mutex_t lock; /* for", "the same"},
    {"host/server/host.h", "pthread_cond_t changed;", "the same"},
    {"host/server/host.h", "pthread_cond_t idle;", "the same"},
    {"host/server/host.h", "pthread_cond_t wanted; /* for", "the same"},
    {"host/server/host.h", "pthread_mutex_t subscription_lock;", "of a server's provider"},
};

enum { LOCKS = sizeof(locks) / sizeof(locks[0]) };

static bool seen[LOCKS];

/* What may hold a thread up that waits for another one. */
static const char *const kinds[] = {
    "pthread_mutex_t ",
    "pthread_cond_t ",
    "pthread_rwlock_t ",
    "pthread_spinlock_t ",
    "pthread_barrier_t ",
    "pthread_once_t ",
    "sem_t ",
    "mtx_t ",
    "cnd_t ",
    "once_flag ",
    "struct fork_once ",
};

/* A line that makes one: not a comment, a parameter, a pointer or a declaration of another file's.
 */
static bool declares(const char *line)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *found = strstr(line, kinds[i]);
        if (found == NULL || (found != line && found[-1] != ' ')) {
            continue;
        }
        const char *name = found + strlen(kinds[i]);
        return strpbrk(name, ";=") != NULL && *name != '*' &&
               strcspn(line, "(") > strcspn(line, ";=") && strncmp(line, "extern ", 7) != 0 &&
               strncmp(line, "/*", 2) != 0 && *line != '*';
    }
    return false;
}

static bool is_known(const char *file, const char *line)
{
    bool known = false;

    for (size_t i = 0; i < LOCKS; i++) {
        if (strcmp(locks[i].file, file) == 0 &&
            strncmp(line, locks[i].declaration, strlen(locks[i].declaration)) == 0) {
            seen[i] = true;
            known = true;
        }
    }
    return known;
}

/* How the file registers each of its locks, in one line or two. */
static void check_owners(const char *name, const char *text)
{
    for (size_t i = 0; i < LOCKS; i++) {
        if (strcmp(locks[i].file, name) != 0 || locks[i].why[0] != '.') {
            continue;
        }
        const char *owner = strstr(text, "FORK_OWNER(");
        bool found = false;
        for (; owner != NULL && !found; owner = strstr(owner + 1, "FORK_OWNER(")) {
            const char *end = strstr(owner, ";");
            const char *how = strstr(owner, locks[i].why);
            size_t length = strlen(locks[i].why);
            found = how != NULL && end != NULL && how < end && strchr(",)", how[length]) != NULL;
        }
        passed += found;
        failed += !found;
        if (!found) {
            printf("FAILED: %s does not register %s\n", name, locks[i].declaration);
        }
    }
}

static unsigned read_source(const char *path)
{
    static char text[1 << 20];
    char line[512];
    unsigned found = 0;
    FILE *file = fopen(path, "r");
    size_t length = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);

    text[length] = '\0';
    check_owners(path + 4, text);
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        const char *start = at + strspn(at, " ");
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(start, "\n"), start);
        bool known = is_known(path + 4, line), wanted = declares(line);
        found += wanted;
        failed += wanted && !known;
        if (wanted && !known) {
            printf("FAILED: who says that a forked child finds this free? %s: %s\n", path, line);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static unsigned sources_found;

/* The command is a program of its own, which forks before it has threads. */
static int read_library_source(const char *path, const struct stat *status, int type,
                               struct FTW *where)
{
    (void)status;
    if (type == FTW_F && strncmp(path, "src/tools/", strlen("src/tools/")) != 0 &&
        path[where->base] != '.') {
        sources_found += read_source(path);
    }
    return 0;
}

static void test_sources(void)
{
    check("the sources can be walked", nftw("src", read_library_source, 16, FTW_PHYS) == 0);
    check("run from the top folder", sources_found >= LOCKS / 2);
    for (size_t i = 0; i < LOCKS; i++) {
        if (!seen[i]) {
            failed++;
            printf("FAILED: this lock is gone: %s: %s\n", locks[i].file, locks[i].declaration);
        }
    }
}

int main(void)
{
    int skipped = 0;

    test_sources();
    if (!CAN_STOP) {
        printf("skip: fork at each lock: a sanitizer has its own definitions of what is stopped\n");
        skipped++;
    } else {
        const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};
        log_start();
        if (geteuid() != 0) {
            printf("skip: switch and drop: need root\n");
            skipped++;
        } else if (miguard_target_ids(2001, 2001, &none, &nobody, NULL) != MIGUARD_OK) {
            abort();
        }
        make_inherited();
        test_places();
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    fflush(stdout);
    log_remove();
    _exit(failed != 0);
}
