/* SPDX-License-Identifier: MIT */
/*
 * Sets up the guard of the process and changes it: policy, log, watch and gate; by the program, at
 * the first use, by a reload, and around a drop. Has the public functions of miguard/guard.h.
 *
 * Each way in does the same: load() reads and compiles a policy without the lock where it can,
 * close_policy_gate() closes its gate, install() puts policy and log in force, set_watch() starts
 * or ends the watching thread. The ways in: guard_enter() -> set_up_default() at the first use,
 * miguard_configure(), miguard_reload(), and before_drop() with after_drop(). A step that fails
 * leaves the former policy in force.
 */
#include "miguard/guard.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/notice.h"
#include "base/pin.h"
#include "base/process.h"
#include "gate/gate.h"
#include "guard/process_guard.h"
#include "policy/watch.h"
#include "switch/copy.h"
#include "switch/switch.h"

enum { LONGEST_WINDOW = 3600 }; /* seconds, as in policies */

static struct fork_once start_once = FORK_ONCE_INIT;

FORK_OWNER(start_owner, .rank = FORK_ONCE, .lock = &start_once.lock);

static void after_drop(void);
static void before_drop(void);

/* Once in a process; a forked child inherits the hooks. */
static void register_hooks(void)
{
    static const struct drop_pause pause = {before_drop, after_drop};
    drop_set_pause(DROP_PAUSER_GUARD, &pause);
    observe_all();
}

/* Before anything that leaves a pointer into the library. */
static void start(void)
{
    (void)pin_in_memory(); /* without it sessions are refused (copy_claim) */
    fork_do_once(&start_once, register_hooks);
}

/* ---- a loaded policy --------------------------------------------------------------------- */

/* A policy that was read and is not in force yet. Zeroed: nothing is loaded. */
struct loaded {
    struct policy_draft *draft; /* holds the settings beside the policy */
    const struct policy *policy;
    bool closed_gate;  /* while the policy came into force */
    struct text files; /* for the record */
};

/* Also for a zeroed one, and for one whose parts install() took over. */
static void release_loaded(struct loaded *loaded)
{
    policy_release(loaded->policy);
    draft_free(loaded->draft);
    text_release(&loaded->files);
}

/* The compiled policy and the list of its files, with blanks between them. */
static enum miguard_status compile_loaded(struct loaded *loaded)
{
    const struct policy_draft *draft = loaded->draft;

    for (uint32_t i = 0; i < draft->file_count; i++) {
        text_format(&loaded->files, "%s%s", i == 0 ? "" : " ", draft->files[i]);
    }
    return loaded->files.failed ? MIGUARD_NO_MEMORY : policy_compile(draft, &loaded->policy);
}

/* The first error in full, and the number of errors. */
static enum miguard_status report_errors(const struct diagnostics *errors,
                                         struct miguard_error *reterr)
{
    if (errors->count == 0) {
        return error_set(reterr, MIGUARD_BAD_POLICY, 0, "policy", "the policy cannot be read");
    }
    const struct diagnostic *first = &errors->items[0];
    if (first->line == 0) { /* the file as a whole */
        return error_set(reterr, MIGUARD_BAD_POLICY, 0, "policy", "%s: %s (errors: %zu)",
                         first->file, first->message, errors->errors);
    }
    return error_set(reterr, MIGUARD_BAD_POLICY, 0, "policy", "%s:%u:%u: %s (errors: %zu)",
                     first->file, first->line, first->column, first->message, errors->errors);
}

/* *ret_findings holds the errors, for the record. On a failure nothing is loaded and *ret_loaded is
 * zeroed. */
static enum miguard_status load(const char *path, struct loaded *ret_loaded,
                                struct text *ret_findings, struct miguard_error *reterr)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;

    memset(ret_loaded, 0, sizeof(*ret_loaded));
    enum miguard_status status =
        draft_load(&path, path != NULL ? 1 : 0, DRAFT_TRUST_ALL, &ret_loaded->draft, &errors);
    if (status == MIGUARD_OK) {
        status = compile_loaded(ret_loaded);
        if (status != MIGUARD_OK) {
            error_set(reterr, status, 0, "policy", NULL);
        }
    } else if (status == MIGUARD_BAD_POLICY) {
        report_errors(&errors, reterr);
        diagnostics_write(&errors, ret_findings);
    } else {
        error_set(reterr, status, 0, "policy", NULL);
    }
    diagnostics_release(&errors);
    if (status != MIGUARD_OK) {
        release_loaded(ret_loaded);
        memset(ret_loaded, 0, sizeof(*ret_loaded));
    }
    return status;
}

/* A policy that does not come into force: why, with all findings. audit may be NULL. */
static void record_refused(struct audit *audit, const struct text *findings)
{
    const struct audit_event event = {
        .action = AUDIT_ACTION_POLICY_REFUSED,
        .denied = true,
        .policy_detail =
            findings->length > 0 && !findings->failed ? findings->data : "out of memory",
        .policy_path = process_guard.policy_path,
    };
    if (audit != NULL) {
        (void)!audit_write(audit, &event);
    }
}

/* For a record. The built-in policy has no file, and so no hash. */
static const char *hash_of(const char *hash)
{
    return hash[0] != '\0' ? hash : NULL;
}

/* The caller holds the lock. Records which policy is in force: `miguard policy status` reads that
 * from the log. */
static void record_load(void)
{
    const struct in_force *in_force = &process_guard.in_force;
    bool built_in = in_force->files.length == 0 || in_force->files.failed;
    const struct audit_event event = {
        .action = AUDIT_ACTION_POLICY_LOAD,
        .policy_detail = built_in ? "the built-in" : in_force->files.data,
        .policy_hash = hash_of(in_force->hash),
        .policy_path = process_guard.policy_path,
    };
    if (process_guard.guard.audit != NULL) {
        (void)!audit_write(process_guard.guard.audit, &event);
    }
    process_guard.in_force.recorded_in = process_epoch();
}

/* ---- the gate ------------------------------------------------------------------------------ */

/* What a gate of this scope refuses, as an order of the scopes. */
static unsigned width_of(enum miguard_gate_scope scope)
{
    return scope == MIGUARD_GATE_PROCESS    ? 3
           : scope == MIGUARD_GATE_THREAD   ? 2
           : scope == MIGUARD_GATE_BOUNDING ? 1
                                            : 0;
}

/* The caller holds the lock. Called before a policy comes into force: without its gate it does not.
 * A gate that the policy does not want any more stays closed; the record says so. Sets closed_gate
 * when this call closed one, for the record after the policy is in force. */
static enum miguard_status close_policy_gate(struct loaded *loaded, struct miguard_error *reterr)
{
    const struct miguard_gate_options *wanted = &loaded->draft->settings.gate;

    if (width_of(miguard_gate_state().scope) > width_of(wanted->scope)) {
        text_append(&loaded->files, loaded->files.length == 0 ? "the built-in; " : "; ");
        text_append(&loaded->files, "the gate stays closed, since it cannot be opened again");
    }
    return wanted->scope == MIGUARD_GATE_PROCESS || wanted->scope == MIGUARD_GATE_BOUNDING
               ? gate_close(wanted, &loaded->closed_gate, reterr)
               : MIGUARD_OK;
}

/* The caller holds the lock. Read without the lock by guard_close_thread(), hence one atomic
 * word. */
static void set_thread_gate(const struct miguard_gate_options *wanted)
{
    unsigned gate = wanted->scope != MIGUARD_GATE_THREAD
                        ? 0U
                        : 1U | (unsigned)wanted->action * 2U | (wanted->report != 0 ? 4U : 0U) |
                              (wanted->deny_io_uring != 0 ? 8U : 0U);
    atomic_store(&process_guard.guard.thread_gate, gate);
}

/* A gate that the policy closes is recorded under that policy. */
static void record_gate(struct guard *guard, const struct miguard_gate_options *options)
{
    observe_gate_closed(guard, &(struct gate_note){.status = MIGUARD_OK, .options = options});
}

/* Recorded once for each thread, until it has its gate. Otherwise each session that the thread asks
 * for meanwhile would write the same record. */
static void record_put_off(struct guard *guard, const struct gate_note *note)
{
    static __thread bool recorded __attribute__((tls_model("initial-exec")));

    if (!recorded) {
        recorded = true;
        observe_gate_closed(guard, note);
    }
}

/*
 * A thread that is switched, or serves a callback under its session's identity, cannot get its gate
 * now: that is postponed until the thread asks for a session under its own identity. Until then its
 * sessions are compared in full at each call, as without a gate. Refusing them would take a working
 * provider's sessions away for a gate that only prevents earlier what the guard detects.
 */
enum miguard_status guard_close_thread(struct guard *guard)
{
    unsigned gate = atomic_load(&guard->thread_gate);
    struct miguard_gate_options wanted = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_error error = {.status = MIGUARD_OK};
    bool closed = false;

    if (copy_claim(NULL) != MIGUARD_OK) {
        return MIGUARD_NOT_SUPPORTED;
    }
    if (gate == 0 || gate_on_thread()) { /* not wanted, or closed already */
        return MIGUARD_OK;
    }
    wanted.scope = MIGUARD_GATE_THREAD;
    wanted.action = (gate & 2) != 0 ? MIGUARD_GATE_KILL : MIGUARD_GATE_ERRNO;
    wanted.report = (gate & 4) != 0;
    wanted.deny_io_uring = (gate & 8) != 0;
    enum miguard_status status = gate_close(&wanted, &closed, &error);
    if (closed) {
        record_gate(guard, &wanted);
    }
    if (status == MIGUARD_OK || status == MIGUARD_NO_MEMORY) {
        return status;
    }
    const struct gate_note note = {.status = status, .error = &error, .options = &wanted};
    if (switch_is_busy()) {
        record_put_off(guard, &note);
        return MIGUARD_OK;
    }
    observe_gate_closed(guard, &note);
    return MIGUARD_BAD_STATE;
}

/* A policy that does not come into force because of its gate. */
static void record_no_gate(struct audit *audit, const struct miguard_error *error)
{
    struct text detail = TEXT_EMPTY;

    text_format(&detail, "the gate cannot be closed: %s: %s", error->step,
                error->detail[0] != '\0' ? error->detail : miguard_status_text(error->status));
    record_refused(audit, &detail);
    text_release(&detail);
}

/* ---- setting up -------------------------------------------------------------------------- */

/* On the watching thread. A reload that fails is recorded by reload(); the watch goes on. */
static bool on_change(void)
{
    (void)!miguard_reload(NULL);
    return true; /* watch_stop() ends the thread, also from within */
}

/* The caller holds the lock. Without a watching thread a policy changes only by
 * miguard_reload(). */
static void start_watching(bool missed)
{
    static const char *const standard[] = {POLICY_FILE, POLICY_FOLDER};
    const char *const given[] = {process_guard.policy_path};
    bool is_standard = process_guard.policy_path == NULL;

    if (watch_start(is_standard ? standard : given, is_standard ? 2 : 1, on_change, missed,
                    &process_guard.watch) != MIGUARD_OK) {
        process_guard.watch = NULL;
    }
}

/* The caller holds the lock. During a drop only the wish is noted; after_drop() carries it out. */
static void set_watch(bool wanted)
{
    process_guard.watch_wanted = wanted;
    if (process_guard.paused || wanted == (process_guard.watch != NULL)) {
        return;
    }
    if (wanted) {
        start_watching(false);
    } else {
        watch_stop(process_guard.watch);
        process_guard.watch = NULL;
    }
}

/* The caller holds the lock. The thread stayed with the parent of a fork: a child that serves
 * requests starts its own, which also reads what changed in between. */
static void watch_in_child(void)
{
    if (process_guard.watch != NULL && !watch_is_ours(process_guard.watch)) {
        watch_stop(process_guard.watch);
        process_guard.watch = NULL;
        start_watching(true);
    }
}

/* ---- a drop ------------------------------------------------------------------------------ */

/* The watching thread may wait for the lock, so it is joined without it. The lock is then held
 * until the drop is over: the guard is not changed and no fork happens while its threads are ended.
 */
static void before_drop(void)
{
    pthread_mutex_lock(&process_guard.lock);
    guard_shut();
    struct policy_watch *watch = process_guard.watch;
    process_guard.watch = NULL;
    process_guard.paused = true;
    pthread_mutex_unlock(&process_guard.lock);
    watch_end(watch);
    pthread_mutex_lock(&process_guard.lock);
    guard_is_dropping = true;
    if (process_guard.guard.audit != NULL) {
        audit_pause(process_guard.guard.audit);
    }
}

/* In the reverse order of before_drop(), whose lock is held until here. */
static void after_drop(void)
{
    if (process_guard.guard.audit != NULL) {
        audit_resume(process_guard.guard.audit);
    }
    process_guard.paused = false;
    set_watch(process_guard.watch_wanted);
    guard_is_dropping = false;
    pthread_mutex_unlock(&process_guard.lock);
}

/* The caller holds the lock. Takes over audit and the policy; returns the old log to close. */
static struct audit *install(struct audit *audit, struct loaded *loaded, uint64_t number)
{
    struct audit *old = process_guard.guard.audit;

    process_guard.read_in_force = number;
    if (audit != old) { /* else sessions may read it without the lock */
        process_guard.guard.audit = audit;
    }
    store_set(&process_guard.guard.store, loaded->policy);
    gate_set_home_components(policy_compared(loaded->policy));
    set_thread_gate(&loaded->draft->settings.gate);
    text_release(&process_guard.in_force.files);
    process_guard.in_force.files = loaded->files;
    loaded->files = (struct text)TEXT_EMPTY;
    memcpy(process_guard.in_force.hash, loaded->draft->hash, sizeof(process_guard.in_force.hash));
    record_load();
    if (loaded->closed_gate) {
        record_gate(&process_guard.guard, &loaded->draft->settings.gate);
    }
    return old;
}

/* The configured file replaces the path of the policy's file sink, or is a file sink beside the
 * policy's others. The caller closes *ret_audit. config decides where it says something, and the
 * policy's settings otherwise. */
static enum miguard_status open_log(const struct miguard_config *config,
                                    const struct policy_draft *draft, struct audit **ret_audit,
                                    struct miguard_error *reterr)
{
    const struct draft_settings *settings = &draft->settings;
    const char *configured = config->audit_file;
    struct sink_settings sinks[SINK_KIND_COUNT + 1] = {SINK_FILE_DEFAULT(configured)};
    struct audit_settings audit = {.sinks = sinks,
                                   .repeat_seconds = settings->repeat_seconds,
                                   .policy_hash = hash_of(draft->hash)};

    if (config->repeat_window >= 0) {
        audit.repeat_seconds = (uint32_t)config->repeat_window;
    }
    audit.sink_count = configured != NULL ? 1 : 0;
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const struct sink_settings *sink = &settings->sinks[i].settings;
        if (sink->kind == SINK_FILE && configured != NULL) {
            sinks[0] = *sink;
            sinks[0].path = configured;
        } else {
            sinks[audit.sink_count++] = *sink;
        }
    }
    return audit_open(&audit, ret_audit, reterr);
}

/* The log while the policy cannot be read. */
static enum miguard_status open_default_log(struct audit **ret_audit)
{
    const struct sink_settings file = SINK_FILE_DEFAULT(AUDIT_DEFAULT_FILE);
    const struct audit_settings settings = {
        .sinks = &file, .sink_count = 1, .repeat_seconds = AUDIT_REPEAT_SECONDS};

    return audit_open(&settings, ret_audit, NULL);
}

/* The caller holds the lock. Keeps why the set-up failed, and shows it once where an administrator
 * looks: no record can say it while there is no log. It is shown again when it is something else,
 * and in a forked child. */
static void keep_why_not(enum audit_reason reason, const char *what, const char *why)
{
    char text[REFUSAL_REASON];

    snprintf(text, sizeof(text), "%s: %s", what, why);
    bool known = process_guard.why_not_shown_in == process_epoch() &&
                 strcmp(text, process_guard.why_not) == 0;
    process_guard.why_not_reason = reason;
    memcpy(process_guard.why_not, text, sizeof(text));
    process_guard.why_not_shown_in = process_epoch();
    if (!known) {
        char line[REFUSAL_REASON + 64];
        snprintf(line, sizeof(line), "every session is refused: %s", text);
        notice(line);
    }
}

/* In the order of what says most; the sentence around it says what failed. */
static const char *error_reason(const struct miguard_error *error)
{
    return error->detail[0] != '\0' ? error->detail : miguard_status_text(error->status);
}

/* The caller holds the lock. Takes over audit. Without its gate the policy is not in force; the log
 * is, for the refusals. */
static void install_default(struct audit *audit, struct loaded *loaded)
{
    struct miguard_error error = {0};

    if (close_policy_gate(loaded, &error) == MIGUARD_OK) {
        audit_close(install(audit, loaded, ++process_guard.read_last));
        process_guard.configured = true;
        process_guard.why_not[0] = '\0';
        set_watch(loaded->draft->settings.watch);
        return;
    }
    keep_why_not(AUDIT_REASON_GATE_FAILED, "the gate of the policy cannot be closed",
                 error_reason(&error));
    struct audit *old = process_guard.guard.audit;
    process_guard.guard.audit = audit;
    audit_close(old);
    record_no_gate(audit, &error);
}

/*
 * The caller holds the lock. A set-up that fails is tried again a second later, not with each
 * context: in between nothing is handed out. A broken policy is recorded in the log of the built-in
 * policy.
 */
static void set_up_default(void)
{
    static const struct miguard_config policy_only = MIGUARD_CONFIG_INIT;
    struct timespec now = {0, 0};
    struct loaded loaded;
    struct text findings = TEXT_EMPTY;
    struct miguard_error error = {0};
    struct audit *audit = NULL;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (process_guard.configured || now.tv_sec == process_guard.tried) {
        return;
    }
    process_guard.tried = now.tv_sec;
    enum miguard_status status = load(NULL, &loaded, &findings, &error);
    if (status != MIGUARD_OK) {
        keep_why_not(AUDIT_REASON_NO_POLICY, "the policy cannot be used", error_reason(&error));
        if (process_guard.guard.audit == NULL &&
            open_default_log(&process_guard.guard.audit) == MIGUARD_OK) {
            record_refused(process_guard.guard.audit, &findings);
        }
    } else if (open_log(&policy_only, loaded.draft, &audit, &error) != MIGUARD_OK) {
        keep_why_not(AUDIT_REASON_AUDIT_FAILED, "the audit log cannot be opened",
                     error_reason(&error));
    } else {
        install_default(audit, &loaded);
    }
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* the directory may have taken long */
    process_guard.tried = now.tv_sec;
    release_loaded(&loaded);
    text_release(&findings);
}

/* Sets up at the first use of a process and records the policy at the first use of a forked child.
 * From then on guard_enter_open() finds that done. */
static void enter_locked(void)
{
    if (process_is_stuck()) {
        guard_add_user();
        return;
    }
    start();
    pthread_mutex_lock(&process_guard.lock);
    set_up_default();
    if (process_guard.configured && process_guard.in_force.recorded_in != process_epoch()) {
        record_load(); /* a forked child is a process of its own in the log */
    }
    watch_in_child();
    guard_add_user();
    if (process_guard.configured) {
        guard_open();
    }
    if (process_guard.guard.audit != NULL) {
        audit_offer(process_guard.guard.audit);
    }
    pthread_mutex_unlock(&process_guard.lock);
}

/* A guard that is open has a log, which is not replaced while there are users. */
struct guard *guard_enter(void)
{
    if (guard_enter_open()) {
        audit_offer(process_guard.guard.audit);
    } else {
        enter_locked();
    }
    return &process_guard.guard;
}

/* The caller holds the lock. Takes over *path when it returns OK. *path and *audit then hold the
 * old ones. */
static enum miguard_status reconfigure(char **path, struct audit **audit, struct loaded *loaded,
                                       struct miguard_error *reterr)
{
    guard_shut(); /* the next user opens it again */
    if (guard_has_users()) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "configure",
                         "a guarded context is alive; configure before the first request");
    }
    enum miguard_status status = close_policy_gate(loaded, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    set_watch(false);
    char *old = process_guard.policy_path;
    process_guard.policy_path = *path;
    *path = old;
    *audit = install(*audit, loaded, ++process_guard.read_last);
    process_guard.configured = true;
    process_guard.why_not[0] = '\0';
    set_watch(loaded->draft->settings.watch);
    return MIGUARD_OK;
}

/* Reads the policy and opens the log before the lock is taken: both may take long. */
enum miguard_status miguard_configure(const struct miguard_config *config,
                                      struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    struct loaded loaded = {0};
    struct text findings = TEXT_EMPTY;
    struct audit *audit = NULL;

    enum miguard_status claimed = copy_claim(reterr);
    if (claimed != MIGUARD_OK) {
        return claimed;
    }
    if (config == NULL || config->size != sizeof(struct miguard_config)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "configure",
                         "start from MIGUARD_CONFIG_INIT");
    }
    if (config->repeat_window < -1 || config->repeat_window > LONGEST_WINDOW) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "configure",
                         "repeat_window is %d; right would be -1 (the policy's) or 0 to %d seconds",
                         config->repeat_window, LONGEST_WINDOW);
    }
    start();
    char *path = base_copy_text(config->policy);
    if (config->policy != NULL && path == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "configure", NULL);
    }
    enum miguard_status status = load(path, &loaded, &findings, reterr);
    if (status == MIGUARD_OK) {
        status = open_log(config, loaded.draft, &audit, reterr);
    }
    if (status == MIGUARD_OK) {
        pthread_mutex_lock(&process_guard.lock);
        status = reconfigure(&path, &audit, &loaded, reterr);
        pthread_mutex_unlock(&process_guard.lock);
    }
    audit_close(audit); /* the old log, or the one that was not installed */
    base_free(path);
    release_loaded(&loaded);
    text_release(&findings);
    return status;
}

/* The caller holds the lock. */
static enum miguard_status install_reload(struct loaded *loaded, uint64_t number,
                                          struct miguard_error *reterr)
{
    struct miguard_error error = {0};

    if (number < process_guard.read_in_force) { /* a newer policy is in force */
        return MIGUARD_OK;
    }
    enum miguard_status status = close_policy_gate(loaded, &error);
    if (status != MIGUARD_OK) {
        record_no_gate(process_guard.guard.audit, &error);
        if (reterr != NULL) {
            *reterr = error;
        }
        return status;
    }
    (void)install(process_guard.guard.audit, loaded, number);
    set_watch(loaded->draft->settings.watch);
    return MIGUARD_OK;
}

/* The path is copied under the lock and the files are read without it (process_guard.h, read_last).
 * What cannot be read is recorded, and the policy in force stays. */
static enum miguard_status reload(struct miguard_error *reterr)
{
    struct loaded loaded;
    struct text findings = TEXT_EMPTY;

    pthread_mutex_lock(&process_guard.lock);
    bool configured = process_guard.configured;
    uint64_t number = ++process_guard.read_last;
    char *path = base_copy_text(process_guard.policy_path);
    bool no_memory = process_guard.policy_path != NULL && path == NULL;
    pthread_mutex_unlock(&process_guard.lock);
    if (!configured || no_memory) {
        return error_set(reterr, no_memory ? MIGUARD_NO_MEMORY : MIGUARD_BAD_STATE, 0, "reload",
                         "nothing is set up yet");
    }
    enum miguard_status status = load(path, &loaded, &findings, reterr);
    pthread_mutex_lock(&process_guard.lock);
    if (status == MIGUARD_OK) {
        status = install_reload(&loaded, number, reterr);
    } else {
        record_refused(process_guard.guard.audit, &findings);
    }
    pthread_mutex_unlock(&process_guard.lock);
    base_free(path);
    release_loaded(&loaded);
    text_release(&findings);
    return status;
}

enum miguard_status miguard_reload(struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;
    return process_is_stuck() ? error_set(reterr, MIGUARD_BAD_STATE, 0, "reload", PROCESS_STUCK)
                              : reload(reterr);
}

const char *miguard_version(void)
{
    return MIGUARD_VERSION;
}
