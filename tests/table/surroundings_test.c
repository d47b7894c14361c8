/* SPDX-License-Identifier: MIT */
/*
 * What belongs to the host and not to a call: umask, working folder, locale, the signals that are
 * blocked, pending and handled, and of functions that return nothing errno. Each public function
 * is called with what it is for, in a process of its own, and each void slot of the tables of MI.
 * The functions are found in the lists of what the libraries export, the void ones in the headers
 * as well: one that has no row here fails the test.
 *
 * The command is a process of its own; of its caller it has the open files, whose flags (a pipe
 * that no longer waits) it must leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/gate.h"
#include "miguard/home.h"
#include "miguard/host.h"
#include "miguard/shim.h"
#include "miguard/switch.h"
#include "support/entry_points.h"
#include "support/log.h"
#include "support/stub_host.h"

static unsigned passed, failed, skipped;

/* ---- what belongs to the host ---------------------------------------------------------------- */

struct surroundings {
    mode_t mask;
    char folder[512], locale[256];
    struct sigaction actions[65];
    sigset_t blocked, pending;
};

static void look(struct surroundings *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->mask = umask(0);
    (void)umask(ret->mask);
    if (getcwd(ret->folder, sizeof(ret->folder)) == NULL) {
        ret->folder[0] = '\0';
    }
    snprintf(ret->locale, sizeof(ret->locale), "%s", setlocale(LC_ALL, NULL));
    for (int number = 1; number <= 64; number++) {
        (void)sigaction(number, NULL, &ret->actions[number]);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &ret->blocked);
    (void)sigpending(&ret->pending);
}

/* What glibc sets for itself and shows (SA_RESTORER of <asm/signal.h>). */
enum { RESTORER = 0x04000000 };

/* NULL, or what differs. */
static const char *difference(const struct surroundings *a, const struct surroundings *b,
                              int documented)
{
    if (a->mask != b->mask) {
        return "the umask is changed";
    }
    if (strcmp(a->folder, b->folder) != 0) {
        return "the working folder is changed";
    }
    if (strcmp(a->locale, b->locale) != 0) {
        return "the locale is changed";
    }
    for (int number = 1; number <= 64; number++) {
        if (sigismember(&a->blocked, number) != sigismember(&b->blocked, number) ||
            sigismember(&a->pending, number) != sigismember(&b->pending, number)) {
            return "the blocked or pending signals are changed";
        }
        if (number != documented &&
            (a->actions[number].sa_handler != b->actions[number].sa_handler ||
             ((a->actions[number].sa_flags ^ b->actions[number].sa_flags) & ~RESTORER) != 0)) {
            return "what a signal does is changed";
        }
    }
    return NULL;
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* Made before a row begins. */
static struct stub_host *stub;
static struct miguard_identity *identity;
static struct miguard_target *target;
static struct miguard_host *server;
static struct scene scene;
static char text[4096];
static size_t length;

static struct miguard_host *new_server(void)
{
    const struct miguard_host_options options = {0};
    struct miguard_host *made = NULL;
    return miguard_host_new(&options, &made, NULL) == MIGUARD_OK ? made : NULL;
}

static bool prepare(void)
{
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_CLEAR};

    log_start();
    stub = stub_host_new();
    server = new_server();
    return scene_make(&scene) && server != NULL &&
           miguard_identity_capture(&identity, NULL) == MIGUARD_OK &&
           miguard_target_ids(geteuid() == 0 ? 12345 : geteuid(), getegid(), &none, &target,
                              NULL) == MIGUARD_OK;
}

static const char *load(void)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/providers/file.so",
             getenv("OUT") != NULL ? getenv("OUT") : "build");
    return path;
}

static MI_Module *empty_module(MI_Server *unused)
{
    static MI_SchemaDecl schema;
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};
    (void)unused;
    return &module;
}

static bool call_configure(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    config.audit_file = log_path();
    scene_end(&scene); /* not while a context is alive */
    return miguard_configure(&config, NULL) == MIGUARD_OK;
}

static bool call_reload(void)
{
    return miguard_reload(NULL) == MIGUARD_OK;
}

static bool call_guard_context(void)
{
    MI_Context *context = NULL;
    return miguard_guard_context(&stub->context, &context) == MI_RESULT_OK;
}

static bool call_local_session(void)
{
    MI_Session session = MI_SESSION_NULL;
    return miguard_get_local_session(scene.context, &session) == MI_RESULT_OK;
}

/* One that names no file: it is refused, and leaves nothing. */
static bool call_shim(void)
{
    static const struct miguard_shim shim = {.magic = MIGUARD_SHIM_MAGIC, .size = sizeof(shim)};
    void *state = NULL;

    MI_Module *module = miguard_shim_main(&shim, &state, NULL);
    errno = ENOTTY; /* the rest is the void function's */
    miguard_shim_end(&state);
    return module == NULL;
}

static bool call_wrap_module(void)
{
    MI_Server host_server = {0};
    return miguard_wrap_module(&host_server, empty_module(NULL)) != NULL;
}

static bool call_version(void)
{
    return miguard_version() != NULL;
}

static bool call_status_name(void)
{
    return miguard_status_name(MIGUARD_LIMIT) != NULL;
}

static bool call_status_text(void)
{
    return miguard_status_text(MIGUARD_LIMIT) != NULL;
}

static bool call_error_text(void)
{
    const struct miguard_error error = {MIGUARD_SYSTEM, EACCES, "open", ""};
    char sentence[MIGUARD_ERROR_TEXT_SIZE];

    return miguard_error_text(&error, sentence, sizeof(sentence)) > 0;
}

static bool call_component_name(void)
{
    return miguard_component_name(MIGUARD_COMPONENT_FSUID) != NULL;
}

static bool call_component_from_name(void)
{
    return miguard_component_from_name("fsuid") == MIGUARD_COMPONENT_FSUID;
}

static bool call_capture(void)
{
    struct miguard_identity *another = NULL;
    return miguard_identity_capture(&another, NULL) == MIGUARD_OK;
}

static bool call_read(void)
{
    struct miguard_identity *another = NULL;
    return miguard_identity_read(getpid(), &another, NULL) == MIGUARD_OK;
}

static bool call_compare(void)
{
    return miguard_identity_compare(identity, identity) == 0;
}

static bool call_known(void)
{
    return miguard_identity_known(identity) == MIGUARD_COMPONENTS_ALL;
}

static bool call_describe(void)
{
    return miguard_identity_describe(identity, text, sizeof(text), &length) == MIGUARD_OK;
}

static bool call_to_json(void)
{
    return miguard_identity_to_json(identity, text, sizeof(text), &length) == MIGUARD_OK;
}

static bool call_component_text(void)
{
    return miguard_identity_component_text(identity, MIGUARD_COMPONENT_FSUID, text, sizeof(text),
                                           &length) == MIGUARD_OK;
}

static bool call_identity_free(void)
{
    miguard_identity_free(identity);
    return true;
}

static bool call_target_user(void)
{
    struct miguard_target *another = NULL;
    return miguard_target_user("root", &another, NULL) == MIGUARD_OK;
}

static bool call_target_ids(void)
{
    const struct miguard_groups groups = {.choice = MIGUARD_GROUPS_OF_USER, .user = "root"};
    struct miguard_target *another = NULL;
    return miguard_target_ids(1, 1, &groups, &another, NULL) == MIGUARD_OK;
}

static bool call_target_peer(void)
{
    struct miguard_target *another = NULL;
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
           miguard_target_peer(pair[0], &another, NULL) == MIGUARD_OK;
}

static bool call_target_identity(void)
{
    struct miguard_target *another = NULL;
    return miguard_target_identity(identity, &another, NULL) == MIGUARD_OK;
}

static bool call_target_session(void)
{
    struct miguard_target *another = NULL;
    return miguard_target_session(&scene.session, &another, NULL) == MIGUARD_OK;
}

/* Without a source the host does not say who the client is. */
static bool call_context_client(void)
{
    struct miguard_target *client = NULL;
    enum miguard_status status = miguard_context_client(scene.context, &client, NULL);
    errno = ENOTTY; /* the rest is the void function's */
    miguard_set_client_source(NULL, NULL);
    return status == MIGUARD_NOT_SUPPORTED;
}

static bool call_target_copy(void)
{
    struct miguard_target *copy = NULL, *thread = NULL;
    return miguard_target_copy(target, &copy, NULL) == MIGUARD_OK &&
           miguard_target_thread(&thread, NULL) == MIGUARD_OK;
}

/* The whole life of a binding of <miguard/guard.h>. */
static bool call_binding(void)
{
    static const char *const actions[] = {"read"};
    const struct miguard_use use = MIGUARD_USE(0, "/srv/data");
    struct miguard_front_end *front_end = NULL;
    struct miguard_binding *binding = NULL, *found = NULL;
    struct miguard_target *bound = NULL;
    struct miguard_refusal refusal;

    bool used =
        miguard_front_end_register("surroundings", actions, 1, &front_end, NULL) == MIGUARD_OK &&
        miguard_bind_target(front_end, target, "/srv", "one", &binding, &refusal) == MIGUARD_OK &&
        miguard_verify(binding, &use, &refusal) == MIGUARD_DENIED &&
        miguard_binding_identity(binding) != NULL;
    miguard_release(binding);
    used = used && miguard_bind(front_end, "/srv", "two", &binding, &refusal) == MIGUARD_OK &&
           miguard_verify(binding, &use, &refusal) == MIGUARD_OK &&
           miguard_verify_again(binding, &use, &refusal) == MIGUARD_OK &&
           miguard_target_binding(binding, &bound, NULL) == MIGUARD_OK &&
           miguard_binding_find(miguard_binding_number(binding), &found, &refusal) == MIGUARD_OK &&
           miguard_keep(found) == binding;
    errno = ENOTTY; /* the rest is the void functions' */
    miguard_revoke(binding);
    miguard_release(found);
    miguard_release(found);
    miguard_release(binding);
    return used;
}

static void look_away(void *data, const struct miguard_traced_call *call)
{
    (void)data;
    (void)call;
    errno = EXDEV;
}

static bool call_set_tracer(void)
{
    static const struct miguard_tracer tracer = {.crossed = look_away};

    miguard_set_tracer(&tracer);
    bool used = call_binding();
    miguard_set_tracer(NULL);
    return used;
}

/* Where the kernel cannot give a descriptor of the process, that is said. */
static bool call_peer_pidfd(void)
{
    struct miguard_target *peer = NULL;
    int pair[2], fd = -1;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
        miguard_target_peer(pair[0], &peer, NULL) != MIGUARD_OK) {
        return false;
    }
    enum miguard_status status = miguard_target_peer_pidfd(peer, &fd, NULL);
    return status == MIGUARD_OK || status == MIGUARD_NOT_SUPPORTED;
}

static bool call_target_describe(void)
{
    return miguard_target_describe(target, text, sizeof(text), &length) == MIGUARD_OK;
}

static bool call_target_to_json(void)
{
    return miguard_target_to_json(target, text, sizeof(text), &length) == MIGUARD_OK;
}

static bool call_target_values(void)
{
    struct miguard_groups groups;
    uid_t uid;
    gid_t gid;

    return miguard_target_uid(target, &uid) == MIGUARD_OK &&
           miguard_target_gid(target, &gid) == MIGUARD_OK &&
           miguard_target_groups(target, &groups) == MIGUARD_OK;
}

static void do_nothing(void *argument)
{
    (void)argument;
}

static bool call_as(void)
{
    return miguard_call_as(target, do_nothing, NULL, NULL) == MIGUARD_OK;
}

static bool call_keep_caps(void)
{
    return miguard_target_keep_caps(target, "cap_net_raw", NULL) == MIGUARD_OK;
}

static bool call_target_free(void)
{
    miguard_target_free(target);
    return true;
}

static bool call_switch_to(void)
{
    return miguard_switch_to(target, NULL) == MIGUARD_OK && miguard_switch_back(NULL) == MIGUARD_OK;
}

static bool call_switch_home(void)
{
    return miguard_switch_to(target, NULL) == MIGUARD_OK && miguard_switch_home(0) == 1 &&
           miguard_switch_depth() == 0;
}

/* Switched in between, so that the way home has something to do. */
static bool call_home(void)
{
    struct miguard_home *home = NULL;
    miguard_components found = 0;
    unsigned switches = 0;

    bool returned = miguard_home_capture(&home, NULL) == MIGUARD_OK &&
                    miguard_switch_to(target, NULL) == MIGUARD_OK &&
                    miguard_home_check(home, NULL) != MIGUARD_OK &&
                    miguard_home_return(home, &found, &switches, NULL) == MIGUARD_OK &&
                    found != 0 && switches == 1;
    errno = ENOTTY; /* the rest is the void function's */
    miguard_home_free(home);
    return returned;
}

static bool call_scope(void)
{
    enum miguard_status status = MIGUARD_BAD_STATE;
    struct miguard_scope scope = miguard_scope_enter(target, &status, NULL);

    errno = ENOTTY; /* the rest is the void function's */
    miguard_scope_leave(&scope);
    return status == MIGUARD_OK;
}

static bool call_drop(void)
{
    return miguard_drop(target, NULL) == MIGUARD_OK;
}

static bool call_gate_close(void)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.report = 1;
    return miguard_gate_close(&options, NULL) == MIGUARD_OK;
}

static bool call_gate_state(void)
{
    return miguard_gate_state().scope == MIGUARD_GATE_OFF;
}

static bool call_host_new(void)
{
    return new_server() != NULL;
}

static bool call_host_load(void)
{
    return miguard_host_load(server, load(), "root/test", NULL) == MIGUARD_OK;
}

static bool call_host_add(void)
{
    return miguard_host_add(server, empty_module, "root/test", NULL) == MIGUARD_OK;
}

static bool call_host_session(void)
{
    MI_Session session = MI_SESSION_NULL;
    return miguard_host_session(server, &session, NULL) == MIGUARD_OK;
}

/* A context that is none of the server's has no client. */
static bool call_host_clients(void)
{
    const struct miguard_host_clients clients = MIGUARD_HOST_CLIENTS;
    MI_Session session = MI_SESSION_NULL;
    struct miguard_target *client = NULL;

    return miguard_host_set_clients(server, &clients, NULL) == MIGUARD_OK &&
           miguard_host_session_for(server, target, &session, NULL) == MIGUARD_OK &&
           miguard_host_context_client(server, &scene.host->context, &client, NULL) ==
               MIGUARD_NOT_SUPPORTED;
}

static bool call_host_calls(void)
{
    return miguard_host_provider_calls(server) == 0;
}

static bool call_host_free(void)
{
    miguard_host_free(server);
    return true;
}

static bool call_application(void)
{
    MI_Application application = MI_APPLICATION_NULL;
    return MI_Application_InitializeV1(0, NULL, NULL, &application) == MI_RESULT_OK &&
           MI_Application_Close(&application) == MI_RESULT_OK;
}

static bool call_client_table(void)
{
    return mi_clientFT_V1 != NULL;
}

/* ---- slots of tables ------------------------------------------------------------------------- */

/* All 15 of a session, and what the guard's operations do with them. */
static bool call_guarded_session(void)
{
    bool all = true;

    for (unsigned i = 0; i < entry_point_count; i++) {
        int callbacks = 0;
        errno = ENOTTY;
        (void)!entry_points[i].call(&scene, &callbacks);
        if (errno != ENOTTY) {
            fprintf(stderr, "%s leaves errno %d\n", entry_points[i].name, errno);
            all = false;
        }
    }
    errno = ENOTTY;
    return all;
}

static bool call_operation_options(void)
{
    MI_Application application = MI_APPLICATION_NULL;
    MI_OperationOptions options = MI_OPERATIONOPTIONS_NULL;

    if (MI_Application_Initialize(0, NULL, NULL, &application) != MI_RESULT_OK ||
        MI_Application_NewOperationOptions(&application, MI_FALSE, &options) != MI_RESULT_OK) {
        return false;
    }
    errno = ENOTTY;
    MI_OperationOptions_Delete(&options);
    return true;
}

static bool call_destination_options(void)
{
    MI_Application application = MI_APPLICATION_NULL;
    MI_DestinationOptions options = MI_DESTINATIONOPTIONS_NULL;

    if (MI_Application_Initialize(0, NULL, NULL, &application) != MI_RESULT_OK ||
        MI_Application_NewDestinationOptions(&application, &options) != MI_RESULT_OK) {
        return false;
    }
    errno = ENOTTY;
    MI_DestinationOptions_Delete(&options);
    return true;
}

/* ---- the rows -------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    bool (*call)(void);
    bool is_void, needs_root;
    int documented; /* a signal whose action it may set: miguard-gate(7) */
} rows[] = {
    {"miguard_configure", call_configure, false, false, 0},
    {"miguard_reload", call_reload, false, false, 0},
    {"miguard_guard_context", call_guard_context, false, false, 0},
    {"miguard_get_local_session", call_local_session, false, false, 0},
    {"miguard_wrap_module", call_wrap_module, false, false, 0},
    {"miguard_shim_main", call_shim, false, false, 0},
    {"miguard_shim_end", call_shim, true, false, 0},
    {"miguard_version", call_version, false, false, 0},
    {"miguard_status_name", call_status_name, false, false, 0},
    {"miguard_status_text", call_status_text, false, false, 0},
    {"miguard_error_text", call_error_text, false, false, 0},
    {"miguard_component_name", call_component_name, false, false, 0},
    {"miguard_component_from_name", call_component_from_name, false, false, 0},
    {"miguard_identity_capture", call_capture, false, false, 0},
    {"miguard_identity_read", call_read, false, false, 0},
    {"miguard_identity_compare", call_compare, false, false, 0},
    {"miguard_identity_known", call_known, false, false, 0},
    {"miguard_identity_describe", call_describe, false, false, 0},
    {"miguard_identity_to_json", call_to_json, false, false, 0},
    {"miguard_identity_component_text", call_component_text, false, false, 0},
    {"miguard_identity_free", call_identity_free, true, false, 0},
    {"miguard_target_user", call_target_user, false, false, 0},
    {"miguard_target_ids", call_target_ids, false, false, 0},
    {"miguard_target_peer", call_target_peer, false, false, 0},
    {"miguard_target_identity", call_target_identity, false, false, 0},
    {"miguard_target_session", call_target_session, false, false, 0},
    {"miguard_context_client", call_context_client, false, false, 0},
    {"miguard_set_client_source", call_context_client, true, false, 0},
    {"miguard_target_copy", call_target_copy, false, true, 0},
    {"miguard_target_thread", call_target_copy, false, true, 0},
    {"miguard_front_end_register", call_binding, false, true, 0},
    {"miguard_bind", call_binding, false, true, 0},
    {"miguard_bind_target", call_binding, false, true, 0},
    {"miguard_verify", call_binding, false, true, 0},
    {"miguard_verify_again", call_binding, false, true, 0},
    {"miguard_keep", call_binding, false, true, 0},
    {"miguard_binding_number", call_binding, false, true, 0},
    {"miguard_binding_find", call_binding, false, true, 0},
    {"miguard_binding_identity", call_binding, false, true, 0},
    {"miguard_target_binding", call_binding, false, true, 0},
    {"miguard_revoke", call_binding, true, true, 0},
    {"miguard_release", call_binding, true, true, 0},
    {"miguard_set_tracer", call_set_tracer, true, true, 0},
    {"miguard_target_keep_caps", call_keep_caps, false, false, 0},
    {"miguard_target_peer_pidfd", call_peer_pidfd, false, false, 0},
    {"miguard_target_describe", call_target_describe, false, false, 0},
    {"miguard_target_to_json", call_target_to_json, false, false, 0},
    {"miguard_target_uid", call_target_values, false, false, 0},
    {"miguard_target_gid", call_target_values, false, false, 0},
    {"miguard_target_groups", call_target_values, false, false, 0},
    {"miguard_target_free", call_target_free, true, false, 0},
    {"miguard_switch_to", call_switch_to, false, true, 0},
    {"miguard_switch_back", call_switch_to, false, true, 0},
    {"miguard_switch_home", call_switch_home, false, true, 0},
    {"miguard_switch_depth", call_switch_home, false, true, 0},
    {"miguard_call_as", call_as, false, true, 0},
    {"miguard_home_capture", call_home, false, true, 0},
    {"miguard_home_check", call_home, false, true, 0},
    {"miguard_home_return", call_home, false, true, 0},
    {"miguard_home_free", call_home, true, true, 0},
    {"miguard_scope_enter", call_scope, false, true, 0},
    {"miguard_scope_leave", call_scope, true, true, 0},
    {"miguard_drop", call_drop, false, true, 0},
    {"miguard_gate_close", call_gate_close, false, false, SIGSYS},
    {"miguard_gate_state", call_gate_state, false, false, 0},
    {"miguard_host_new", call_host_new, false, false, 0},
    {"miguard_host_load", call_host_load, false, false, 0},
    {"miguard_host_add", call_host_add, false, false, 0},
    {"miguard_host_session", call_host_session, false, false, 0},
    {"miguard_host_set_clients", call_host_clients, false, true, 0},
    {"miguard_host_session_for", call_host_clients, false, true, 0},
    {"miguard_host_context_client", call_host_clients, false, true, 0},
    {"miguard_host_provider_calls", call_host_calls, false, false, 0},
    {"miguard_host_free", call_host_free, true, false, 0},
    {"MI_Application_InitializeV1", call_application, false, false, 0},
    {"mi_clientFT_V1", call_client_table, false, false, 0},
    /* and of tables */
    {"MI_Session", call_guarded_session, true, false, 0},
    {"MI_OperationOptions", call_operation_options, true, false, 0},
    {"MI_DestinationOptions", call_destination_options, true, false, 0},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void tell(const char *name, const char *wrong)
{
    passed += wrong == NULL;
    failed += wrong != NULL;
    if (wrong != NULL) {
        printf("FAILED: %s: %s\n", name, wrong);
    }
}

/* A handler, a mask, a umask and a locale that are nobody's default. */
static void take_own_ways(void)
{
    sigset_t some;

    (void)umask(027);
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    sigaddset(&some, SIGWINCH);
    (void)pthread_sigmask(SIG_BLOCK, &some, NULL);
    (void)raise(SIGUSR2);
    (void)(setlocale(LC_ALL, "C.UTF-8") != NULL || setlocale(LC_ALL, "POSIX") != NULL);
}

static const char *run(const struct row *row)
{
    struct surroundings before, after;

    (void)alarm(60);
    if (!prepare()) {
        return "it could not be prepared";
    }
    take_own_ways();
    look(&before);
    errno = ENOTTY;
    bool done = row->call();
    int error = errno;
    look(&after);
    if (!done) {
        return "it did not do what it should";
    }
    return row->is_void && error != ENOTTY ? "errno is changed"
                                           : difference(&before, &after, row->documented);
}

static void try_row(const struct row *row)
{
    int ends[2], status = 0;
    char said[256] = "";

    if (row->needs_root && geteuid() != 0) {
        printf("skip: %s: needs root\n", row->name);
        skipped++;
        return;
    }
    if (pipe(ends) != 0) {
        abort();
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        const char *wrong = run(row);
        (void)!write(ends[1], wrong, wrong != NULL ? strlen(wrong) : 0);
        _exit(0);
    }
    close(ends[1]);
    (void)!read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    (void)waitpid(child, &status, 0);
    tell(row->name, status != 0 ? "it ended by itself" : said[0] != '\0' ? said : NULL);
}

/* ---- that none is missing -------------------------------------------------------------------- */

static void look_for_exports(const char *list)
{
    FILE *file = fopen(list, "re");
    char name[128];

    tell(list, file != NULL ? NULL : "run from the top folder");
    while (file != NULL && fscanf(file, "%127s", name) == 1) {
        tell(name, find(name) != NULL ? NULL : "is exported, and has no row here");
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* Of a line as "MIGUARD_API void NAME(", also where it is broken behind void. */
static unsigned look_for_void_functions(const char *header)
{
    FILE *file = fopen(header, "re");
    char *all = NULL, name[128];
    size_t size = 0;
    unsigned count = 0;

    if (file == NULL || getdelim(&all, &size, '\0', file) < 0) {
        tell(header, "it cannot be read");
        return 0;
    }
    for (char *at = all; (at = strstr(at, "MIGUARD_API")) != NULL; at++) {
        if (sscanf(at, "MIGUARD_API void %127[A-Za-z0-9_]", name) != 1) {
            continue;
        }
        const struct row *row = find(name);
        tell(name, row != NULL && row->is_void ? NULL : "returns nothing, and has no row for that");
        count++;
    }
    free(all);
    fclose(file);
    return count;
}

/* The structures with slots that return nothing; those that a program implements itself (what a
 * provider or a client hands in) are its own. */
static void look_for_void_slots(void)
{
    static const char *const own[] = {"_MI_OperationCallbacks", "_MI_ApplicationCallbacks",
                                      "_MI_SessionCallbacks", "_MI_HostedProviderFT"};
    FILE *file = fopen("include/MI.h", "re");
    char line[512], inside[128] = "", name[160];
    unsigned count = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "struct %127[A-Za-z0-9_] {", name) == 1 && strchr(line, '{') != NULL) {
            strcpy(inside, name);
        }
        if (strncmp(line, "    void (*", 11) != 0) {
            continue;
        }
        bool theirs = false;
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
            theirs = theirs || strcmp(inside, own[i]) == 0;
        }
        size_t end = strlen(inside);
        snprintf(name, sizeof(name), "%.*s", (int)(end > 3 ? end - 3 : 0), inside + 1);
        const struct row *row = find(name);
        count++;
        if (!theirs && (row == NULL || !row->is_void)) {
            tell(inside, "has a slot that returns nothing, and no row here");
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    tell("include/MI.h", count >= 15 ? NULL : "its void slots were not found");
}

static void look_for_all(void)
{
    static const char *const headers[] = {"include/miguard.h",        "include/miguard/gate.h",
                                          "include/miguard/host.h",   "include/miguard/identity.h",
                                          "include/miguard/status.h", "include/miguard/switch.h",
                                          "include/miguard/guard.h",  "include/miguard/home.h"};
    unsigned count = 0;

    look_for_exports("tests/data/exports-miguard.txt");
    look_for_exports("tests/data/exports-miguard-host.txt");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        count += look_for_void_functions(headers[i]);
    }
    tell("the headers", count >= 4 ? NULL : "their void functions were not found");
    look_for_void_slots();
}

/* ---- the command ----------------------------------------------------------------------------- */

static const char *const commands[] = {
    "--version",
    "doctor",
    "gate show",
    "identity show",
    "policy show",
    "policy status",
    "audit search",
    "audit report",
    "audit verify",
    "audit suggest",
    "audit export --format ecs",
    "run --help",
    "policy test /none",
    "audit explain last",
};

static void try_command(const char *command)
{
    int output[2], input[2];
    static char said[1 << 16];
    char line[1024], path[600];

    if (pipe(output) != 0 || pipe(input) != 0) {
        abort();
    }
    int flags[2] = {fcntl(output[1], F_GETFL), fcntl(input[0], F_GETFL)};
    snprintf(path, sizeof(path), "%s/miguard", getenv("OUT") != NULL ? getenv("OUT") : "build");
    snprintf(line, sizeof(line), "exec %s %s", path, command);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(60);
        (void)!(dup2(output[1], 1) == 1 && dup2(output[1], 2) == 2 && dup2(input[0], 0) == 0);
        close(output[0]), close(output[1]), close(input[0]), close(input[1]);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(input[1]);
    int kept = dup(output[1]), status = 0;
    close(output[1]);
    const char *wrong = NULL;
    /* It may say more than a pipe holds: the default log of this machine can be large. */
    (void)fcntl(output[0], F_SETFL, O_NONBLOCK);
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (read(output[0], said, sizeof(said)) <= 0) {
            usleep(1000);
        }
    }
    wrong = !WIFEXITED(status) || WEXITSTATUS(status) > 3 ? "it ended by itself" : wrong;
    wrong = fcntl(kept, F_GETFL) != flags[0] || fcntl(input[0], F_GETFL) != flags[1]
                ? "the flags of its standard files are changed"
                : wrong;
    close(kept), close(output[0]), close(input[0]);
    tell(command, wrong);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    look_for_all();
    for (size_t i = 0; i < ROWS; i++) {
        try_row(&rows[i]);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        try_command(commands[i]);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
