/* SPDX-License-Identifier: MIT */
/*
 * What was registered, what of it is loaded, and who uses it: the lifetime of modules.
 *
 * The rule, in one place. A module is in use (`users`) by each operation that was planned with it,
 * until the operation is closed and destroyed, and by each of its contexts, until the last call
 * within it has returned. A module that is not in use, and of which no class provider is loaded,
 * may be unloaded: by idle.c after some time, or as soon as it was replaced. Nothing else keeps
 * its library mapped: instances and classes that clients have, and sessions, hold no pointer into
 * it (decl_copy.c).
 *
 * registry_enter() counts a use and then reads the state; unloading sets the state and then reads
 * the count. Each sees the other's write or is seen (memory_order_seq_cst). One that finds its
 * module unloaded waits until the loader's thread has loaded it again, with the credentials of the
 * program, and plans again: the declarations may be others.
 *
 * Planning reads a catalogue: an immutable list of modules, counted, so that no lock is held. The
 * memory of a module lives as long as a catalogue has it; its library need not be mapped.
 */
#include "host/server/host.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "host/object/object.h"

/* ---- catalogues -------------------------------------------------------------------------------
 */

static void hold(struct module *module)
{
    atomic_fetch_add_explicit(&module->references, 1, memory_order_relaxed);
}

/* Of the current modules; the caller holds the lock. NULL without memory. */
static struct catalogue *make_catalogue(const struct miguard_host *host)
{
    size_t count = 0;

    for (struct registration *at = host->registrations; at != NULL; at = at->next) {
        count += at->module != NULL;
    }
    struct catalogue *made = base_alloc(1, sizeof(*made) + count * sizeof(struct module *));
    if (made == NULL) {
        return NULL;
    }
    atomic_init(&made->references, 1);
    for (struct registration *at = host->registrations; at != NULL; at = at->next) {
        if (at->module != NULL) {
            hold(at->module);
            made->modules[made->count++] = at->module;
        }
    }
    return made;
}

struct catalogue *catalogue_acquire(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct catalogue *catalogue = host->catalogue;
    atomic_fetch_add_explicit(&catalogue->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&host->lock);
    return catalogue;
}

void catalogue_release(struct catalogue *catalogue)
{
    if (catalogue == NULL ||
        atomic_fetch_sub_explicit(&catalogue->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < catalogue->count; i++) {
        module_release(catalogue->modules[i]);
    }
    base_free(catalogue);
}

bool registry_init(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->catalogue = make_catalogue(host);
    pthread_mutex_unlock(&host->lock);
    return host->catalogue != NULL;
}

/* ---- one module takes the place of another ----------------------------------------------------
 */

void registry_retire(struct module *module)
{
    struct miguard_host *host = module->host;

    module->retired = true;
    module->next = host->retired;
    host->retired = module;
    pthread_cond_signal(&host->idle);
}

void registry_unretire(struct module *module)
{
    struct module **link = &module->host->retired;

    while (*link != module) {
        link = &(*link)->next;
    }
    *link = module->next;
    module_release(module);
}

/* The caller holds the lock. */
static void note_attempt(struct registration *registration)
{
    registration->loading = false;
    registration->attempts++;
    pthread_cond_broadcast(&registration->host->changed);
}

/* Makes the module the current one of its registration, and takes over its reference; false
 * without memory, and then nothing has changed. The attempt ends under the same lock: else a module
 * that was unloaded again at once would look like one that could not be loaded. */
static bool publish(struct module *module)
{
    struct registration *registration = module->registration;
    struct miguard_host *host = registration->host;
    struct module *old = registration->module;

    registration->module = module;
    struct catalogue *fresh = make_catalogue(host);
    if (fresh == NULL) {
        registration->module = old;
        return false;
    }
    atomic_store(&module->state, MODULE_LOADED);
    catalogue_release(host->catalogue);
    host->catalogue = fresh;
    if (old != NULL && atomic_load(&old->state) != MODULE_UNLOADED) {
        registry_retire(old);
    } else {
        module_release(old);
    }
    note_attempt(registration);
    pthread_cond_signal(&host->idle);
    return true;
}

bool registry_file_of(struct miguard_host *host, const void *library, struct module_file *ret_file)
{
    const struct module *found = NULL;

    pthread_mutex_lock(&host->lock);
    for (struct registration *at = host->registrations; at != NULL; at = at->next) {
        found = at->module != NULL && at->module->library == library ? at->module : found;
    }
    for (struct module *at = host->retired; at != NULL; at = at->next) {
        found = at->library == library ? at : found;
    }
    if (found != NULL) {
        *ret_file = found->file;
    }
    pthread_mutex_unlock(&host->lock);
    return found != NULL;
}

/* ---- loading ----------------------------------------------------------------------------------
 */

/* One that failed, also where a library ends the thread in its Load; NULL is ignored. */
static void end_attempt(struct registration *const *registration)
{
    if (*registration != NULL) {
        pthread_mutex_t *lock = &(*registration)->host->lock;
        pthread_mutex_lock(lock);
        note_attempt(*registration);
        pthread_mutex_unlock(lock);
    }
}

/* On this thread. The caller has set `loading`, and nothing else loads it. */
static enum miguard_status load_now(struct registration *registration, struct miguard_error *reterr)
{
    struct registration *loading ON_LEAVING(end_attempt) = registration;
    struct miguard_host *host = registration->host;
    struct module *module = NULL;

    enum miguard_status status = module_make(loading, &module, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    pthread_mutex_lock(&host->lock);
    bool published = publish(module);
    pthread_mutex_unlock(&host->lock);
    if (published) {
        loading = NULL;
    } else {
        module_unload(module);
        module_discard(module);
        status = error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    return status;
}

static void *load_again(void *argument)
{
    ENTRY_UNCANCELLED;
    struct registration *registration = argument;
    struct miguard_host *host = registration->host;

    (void)load_now(registration, NULL);
    host_release(host);
    return NULL;
}

/* The first that a request waits for; the caller holds the lock. */
static struct registration *next_wanted(struct miguard_host *host)
{
    struct registration *at = host->registrations;

    while (at != NULL && !(at->wanted && !at->loading)) {
        at = at->next;
    }
    return at;
}

/* A thread for each, since a Load may make requests to other modules. */
static void begin_load(struct registration *registration)
{
    struct miguard_host *host = registration->host;

    registration->wanted = false;
    registration->loading = true;
    registration->loader_known = false;
    host->references++;
    pthread_mutex_unlock(&host->lock);
    if (!host_thread(load_again, registration)) {
        end_attempt(&registration);
        host_release(host);
    }
    pthread_mutex_lock(&host->lock);
}

/* It has the credentials of the program, and so have the threads that it makes: a thread of a
 * client could not give them to a Load. */
static void *loader(void *argument)
{
    ENTRY_UNCANCELLED;
    struct miguard_host *host = argument;

    pthread_mutex_lock(&host->lock);
    while (!host->idle_ending) {
        struct registration *registration = next_wanted(host);
        if (registration != NULL) {
            begin_load(registration);
        } else {
            pthread_cond_wait(&host->wanted, &host->lock);
        }
    }
    host->loader_running = false;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

bool registry_start_loader(struct miguard_host *host)
{
    if (!host->loader_running) {
        host->loader_running = host_thread(loader, host);
    }
    return host->loader_running;
}

/* ---- uses -------------------------------------------------------------------------------------
 */

void registry_leave(struct module *module)
{
    atomic_store_explicit(&module->last_used, clock_now_ms(), memory_order_relaxed);
    atomic_fetch_sub(&module->users, 1);
}

/* Whether this thread is the one that loads or unloads: it would wait for itself. */
static bool is_own_wait(const struct registration *registration)
{
    if (registration->loading) {
        return registration->loader_known && pthread_equal(registration->loader, pthread_self());
    }
    return atomic_load(&registration->module->state) == MODULE_UNLOADING &&
           pthread_equal(registration->module->unloader, pthread_self());
}

/* One wait for a change; the caller holds the lock. */
static MI_Result await_step(struct registration *registration, const struct timespec *deadline)
{
    struct miguard_host *host = registration->host;
    int state = atomic_load(&registration->module->state);

    if (host->unloading) {
        return MI_RESULT_SERVER_IS_SHUTTING_DOWN;
    }
    if (state == MODULE_BROKEN || is_own_wait(registration)) {
        return MI_RESULT_FAILED;
    }
    if (state == MODULE_UNLOADED && !registration->loading && !registration->wanted) {
        registration->wanted = true;
        pthread_cond_signal(&host->wanted);
    }
    bool in_time = pthread_cond_timedwait(&host->changed, &host->lock, deadline) != ETIMEDOUT;
    return in_time ? MI_RESULT_OK : MI_RESULT_FAILED;
}

/* With OK it is loaded, and is not unloaded until registry_end_wait(). */
static MI_Result await_loaded(struct registration *registration)
{
    struct miguard_host *host = registration->host;
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);
    MI_Result result = MI_RESULT_OK;

    pthread_mutex_lock(&host->lock);
    registration->waiting++;
    uint32_t attempts = registration->attempts;
    while (result == MI_RESULT_OK && atomic_load(&registration->module->state) != MODULE_LOADED) {
        result = registration->attempts != attempts ? MI_RESULT_FAILED
                                                    : await_step(registration, &deadline);
    }
    if (result != MI_RESULT_OK) {
        registration->waiting--;
    }
    pthread_mutex_unlock(&host->lock);
    return result;
}

MI_Result registry_enter(struct module *module, struct registration **ret_awaited)
{
    *ret_awaited = NULL;
    atomic_fetch_add(&module->users, 1);
    if (atomic_load(&module->state) == MODULE_LOADED) {
        return MI_RESULT_OK;
    }
    atomic_fetch_sub(&module->users, 1);
    MI_Result result = await_loaded(module->registration);
    *ret_awaited = result == MI_RESULT_OK ? module->registration : NULL;
    return result == MI_RESULT_OK ? MI_RESULT_FAILED : result;
}

void registry_end_wait(struct registration *registration)
{
    if (registration != NULL) {
        pthread_mutex_lock(&registration->host->lock);
        registration->waiting--;
        pthread_mutex_unlock(&registration->host->lock);
    }
}

/* ---- registrations ----------------------------------------------------------------------------
 */

static void free_registration(struct registration *registration)
{
    base_free(registration->path);
    base_free(registration->name_space);
    base_free(registration);
}

/* "*" is the way to say "every namespace" in a configuration. NULL without memory. */
static struct registration *new_registration(struct miguard_host *host, const char *path,
                                             MI_MainFunction main_function, const char *name_space)
{
    bool everywhere = name_space == NULL || strcmp(name_space, "*") == 0;
    struct registration *made = base_alloc(1, sizeof(*made));

    if (made == NULL) {
        return NULL;
    }
    made->host = host;
    made->main_function = main_function;
    made->path = base_copy_text(path);
    made->name_space = everywhere ? NULL : base_copy_text(name_space);
    if ((made->path == NULL && path != NULL) || (made->name_space == NULL && !everywhere)) {
        free_registration(made);
        return NULL;
    }
    return made;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The registration of this file in this namespace, or NULL. A function is registered anew each
 * time. The caller holds the lock. */
static struct registration *find_registration(const struct miguard_host *host,
                                              const struct registration *like)
{
    struct registration *at = host->registrations;

    while (at != NULL && !(like->path != NULL && same_text(at->path, like->path) &&
                           (same_text(at->name_space, like->name_space) ||
                            decl_name_equal(at->name_space, like->name_space)))) {
        at = at->next;
    }
    return at;
}

/* At the end: the order of registration decides which module serves a class that two know. */
static void append_registration(struct miguard_host *host, struct registration *registration)
{
    struct registration **end = &host->registrations;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = registration;
}

/* One that was never loaded; modules of it that must stay are not asked for it any more. */
static void remove_registration(struct registration *registration)
{
    struct miguard_host *host = registration->host;

    pthread_mutex_lock(&host->lock);
    struct registration **link = &host->registrations;
    while (*link != registration) {
        link = &(*link)->next;
    }
    *link = registration->next;
    pthread_mutex_unlock(&host->lock);
    free_registration(registration);
}

/* Finds the registration or lists `made`, and takes it for loading on this thread; the caller
 * holds the lock. NULL when another thread loads it for too long. */
static struct registration *claim(struct miguard_host *host, struct registration *made)
{
    struct timespec deadline = clock_after_ms(host->options.load_timeout_ms);
    struct registration *found = find_registration(host, made);

    while (found != NULL && found->loading) {
        if (pthread_cond_timedwait(&host->changed, &host->lock, &deadline) == ETIMEDOUT) {
            return NULL;
        }
        found = find_registration(host, made);
    }
    if (found == NULL) {
        append_registration(host, made);
        found = made;
    }
    found->loading = true;
    found->loader = pthread_self();
    found->loader_known = true;
    return found;
}

/* Whether the file that is registered again is the one that is loaded. The caller has claimed it,
 * so that the module stays the current one. */
static bool is_loaded_already(const struct registration *registration)
{
    const struct module *module = registration->module;

    return module != NULL && atomic_load(&module->state) == MODULE_LOADED &&
           !atomic_load(&module->abandoned) && module_is_current(module, registration->path);
}

enum miguard_status registry_add(struct miguard_host *host, const char *path,
                                 MI_MainFunction main_function, const char *name_space,
                                 struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;
    struct registration *made = new_registration(host, path, main_function, name_space);

    if (made == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "module", NULL);
    }
    pthread_mutex_lock(&host->lock);
    struct registration *registration = claim(host, made);
    pthread_mutex_unlock(&host->lock);
    if (registration != made) {
        free_registration(made);
    }
    if (registration == NULL) {
        return error_set(reterr, MIGUARD_BAD_STATE, ETIMEDOUT, "host load",
                         "another thread loads %s", path);
    }
    if (is_loaded_already(registration)) {
        end_attempt(&registration);
        return MIGUARD_OK;
    }
    status = load_now(registration, reterr);
    if (status != MIGUARD_OK && registration->module == NULL) {
        remove_registration(registration);
    }
    return status;
}

/* ---- the end of the host ----------------------------------------------------------------------
 */

/* Of the last registration that has one, or else one that was replaced. */
static struct module *last_loaded(const struct miguard_host *host)
{
    struct module *last = NULL;

    for (struct registration *at = host->registrations; at != NULL; at = at->next) {
        if (at->module != NULL && atomic_load(&at->module->state) == MODULE_LOADED) {
            last = at->module;
        }
    }
    for (struct module *at = host->retired; at != NULL && last == NULL; at = at->next) {
        last = atomic_load(&at->state) == MODULE_LOADED ? at : NULL;
    }
    return last;
}

bool registry_unload_last(struct miguard_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct module *module = last_loaded(host);
    if (module != NULL) {
        module->unloader = pthread_self();
        atomic_store(&module->state, MODULE_UNLOADING);
    }
    pthread_mutex_unlock(&host->lock);
    if (module == NULL) {
        return false;
    }
    module_unload(module);
    atomic_store(&module->state, MODULE_BROKEN); /* its library is unmapped in registry_free() */
    return true;
}

/* All, with `used` those that a request runs in. */
void registry_abandon(struct miguard_host *host, bool used)
{
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->catalogue->count; i++) {
        module_abandon(host->catalogue->modules[i], used);
    }
    for (struct module *at = host->retired; at != NULL; at = at->next) {
        module_abandon(at, used);
    }
    pthread_mutex_unlock(&host->lock);
}

/* In the reverse order of registration. */
static void free_last(struct miguard_host *host)
{
    struct registration **link = &host->registrations;

    while ((*link)->next != NULL) {
        link = &(*link)->next;
    }
    struct registration *last = *link;
    *link = NULL;
    if (last->module != NULL) {
        (void)module_unmap(last->module);
        module_release(last->module);
    }
    free_registration(last);
}

void registry_free(struct miguard_host *host)
{
    catalogue_release(host->catalogue);
    while (host->registrations != NULL) {
        free_last(host);
    }
    while (host->retired != NULL) {
        struct module *first = host->retired;
        (void)module_unmap(first);
        registry_unretire(first);
    }
}
