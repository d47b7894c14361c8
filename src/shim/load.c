/* SPDX-License-Identifier: MIT */
/*
 * The two functions of a shim (miguard/shim.h).
 *
 * miguard_shim_main() maps the provider once for each mapped shim (load_provider) and calls its
 * MI_Main() whenever the host calls the shim's. Both run the provider's code, so both stand between
 * watch_begin() and watch_end(), which compare who the thread is. No lock is held: two threads that
 * load one shim at once both map the file, which is the same library to glibc, and one gives its
 * count back.
 */
#include "miguard/shim.h"

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/notice.h"
#include "base/pin.h"
#include "gateway/gateway.h"
#include "guard/guard.h"
#include "identity/identity.h"
#include "miguard.h"
#include "shim/mapping.h"
#include "shim/proof.h"

/* A mapped provider; what *state of the shim points to. */
struct shim_loaded {
    void *library;
    MI_MainFunction main_function;
    MI_Module *_Atomic module; /* what it gave last */
};

/* One load on its way: why it failed. */
struct shim_load {
    const struct miguard_shim *shim;
    bool sound; /* its settings */
    char problem[PROOF_PROBLEM];
};

__attribute__((format(printf, 2, 3))) static void load_failed(struct shim_load *load,
                                                              const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(load->problem, sizeof(load->problem), format, arguments);
    va_end(arguments);
}

/* ---- who the thread is ------------------------------------------------------------------------
 */

/* A thread that is switched already has no home, and is compared without a way back. */
struct watch {
    struct miguard_home *home;
    struct miguard_identity *before;
};

static void watch_release(struct watch *watch)
{
    miguard_home_free(watch->home);
    miguard_identity_free(watch->before);
}

/* False: it cannot be read, and so the code could change it unseen. */
static bool watch_begin(struct watch *watch, struct shim_load *load)
{
    struct miguard_error error;

    if (miguard_home_capture(&watch->home, &error) == MIGUARD_OK ||
        (error.status == MIGUARD_BAD_STATE &&
         miguard_identity_capture(&watch->before, &error) == MIGUARD_OK)) {
        return true;
    }
    load_failed(load, "%s: the identity of this thread cannot be read: %s %s", load->shim->path,
                miguard_status_text(error.status), error.detail);
    return false;
}

/* In what the thread differs from before; *ret_back: and it was brought back. */
static miguard_components watch_differing(const struct watch *watch, bool *ret_back)
{
    struct miguard_identity *now = NULL;
    miguard_components found = 0;
    unsigned switches = 0;

    *ret_back = true;
    if (watch->home != NULL) {
        *ret_back = miguard_home_return(watch->home, &found, &switches, NULL) == MIGUARD_OK;
        return !*ret_back && found == 0 ? MIGUARD_COMPONENTS_ALL : found;
    }
    *ret_back = false;
    found = miguard_identity_capture(&now, NULL) == MIGUARD_OK
                ? miguard_identity_compare(watch->before, now)
                : MIGUARD_COMPONENTS_ALL;
    miguard_identity_free(now);
    return found;
}

/* False: the provider's code changed who the thread is. A constructor that did so ran under the
 * identity of the host, with whatever that may do, and would do so at each load. */
static bool watch_end(const struct watch *watch, struct shim_load *load)
{
    bool back;
    miguard_components differing = watch_differing(watch, &back);
    char names[IDENTITY_NAMES_SIZE];

    if (differing == 0) {
        return true;
    }
    identity_components_names(differing, names);
    load_failed(load, "%s: its code changed the identity of the thread that loads it (%s); %s",
                load->shim->path, names,
                back ? "the thread was brought back"
                     : "the thread cannot be brought back and stays another");
    return false;
}

/* ---- mapping ----------------------------------------------------------------------------------
 */

/* RTLD_NOW: a symbol that is missing is found here and not in a request. RTLD_LOCAL: every provider
 * defines MI_Main. */
static bool map_provider(struct shim_load *load, const struct proof *proof, void **ret_library)
{
    void *library = dlopen(load->shim->path, RTLD_NOW | RTLD_LOCAL);
    struct link_map *map = NULL;

    if (library == NULL) {
        const char *why = dlerror();
        load_failed(load, "%s", why != NULL ? why : load->shim->path);
        return false;
    }
    *ret_library = library;
    if (!proof_still(proof, load->shim->path)) {
        load_failed(load, "%s: it was replaced while it was loaded", load->shim->path);
        return false;
    }
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || !mapping_is_of(map->l_ld, proof->fd)) {
        load_failed(load,
                    "%s: the process has another file of this name mapped, from before; restart it",
                    load->shim->path);
        return false;
    }
    return true;
}

/* The MI_Main that the host would have found. */
static bool find_main(struct shim_load *load, struct shim_loaded *loaded)
{
    void *symbol = dlsym(loaded->library, "MI_Main");

    if (symbol == NULL) {
        load_failed(load, "%s: it has no MI_Main", load->shim->path);
        return false;
    }
    /* POSIX (dlsym) requires this conversion to work; ISO C has no cast for it. */
    memcpy(&loaded->main_function, &symbol, sizeof(symbol));
    return true;
}

/* The module is forgotten before it is unmapped: another one may then lie at its address. */
static void free_loaded(struct shim_loaded *loaded)
{
    if (loaded == NULL) {
        return;
    }
    wrapped_module_forget(atomic_load(&loaded->module));
    if (loaded->library != NULL) {
        (void)dlclose(loaded->library);
    }
    base_free(loaded);
}

/* All of a load but the call of MI_Main. NULL: load says why, and nothing is left. */
static struct shim_loaded *load_proved(struct shim_load *load, const struct proof *proof)
{
    struct watch watch ON_LEAVING(watch_release) = {0};
    struct shim_loaded *loaded = base_alloc(1, sizeof(*loaded));

    if (loaded == NULL) {
        load_failed(load, "out of memory");
        return NULL;
    }
    if (!watch_begin(&watch, load)) {
        base_free(loaded);
        return NULL;
    }
    bool good = map_provider(load, proof, &loaded->library);
    /* Asked after a failure, too: constructors may have run. */
    good = watch_end(&watch, load) && good;
    if (!good || !find_main(load, loaded)) {
        free_loaded(loaded);
        return NULL;
    }
    return loaded;
}

static struct shim_loaded *load_provider(struct shim_load *load)
{
    struct proof proof ON_LEAVING(proof_release) = {.fd = -1};

    if (proof_take(load->shim, load->problem, &proof) != PROOF_GOOD) {
        return NULL;
    }
    return load_proved(load, &proof);
}

/* What is mapped for this shim; mapped by the first that asks. */
static struct shim_loaded *find_loaded(struct shim_load *load, void *_Atomic *state)
{
    struct shim_loaded *loaded = atomic_load(state);
    void *expected = NULL;

    if (loaded != NULL) {
        return loaded;
    }
    loaded = load_provider(load);
    if (loaded != NULL && !atomic_compare_exchange_strong(state, &expected, loaded)) {
        free_loaded(loaded);
        loaded = expected;
    }
    return loaded;
}

/* ---- the module ------------------------------------------------------------------------------
 */

/* Another major version may have other layouts; a newer minor one has only more slots, and what the
 * provider gets are the library's tables (gateway/wrapped_module.c). charSize differs in a module
 * that was built for wide characters. */
static bool module_usable(struct shim_load *load, const MI_Module *module)
{
    if (module == NULL) {
        load_failed(load, "%s: its MI_Main returned NULL", load->shim->path);
    } else if (module->version >> 16 > MI_MAJOR) {
        load_failed(load, "%s: it is of version %u.%u.%u of the API, newer than miguard",
                    load->shim->path, module->version >> 16, module->version >> 8 & 0xFF,
                    module->version & 0xFF);
    } else if (module->charSize != sizeof(MI_Char)) {
        load_failed(load, "%s: its characters have %u bytes, and those of this host %zu",
                    load->shim->path, module->charSize, sizeof(MI_Char));
    } else {
        return true;
    }
    return false;
}

/* NULL: load says why. */
static MI_Module *call_main(struct shim_load *load, struct shim_loaded *loaded, MI_Server *server)
{
    struct watch watch ON_LEAVING(watch_release) = {0};

    if (!watch_begin(&watch, load)) {
        return NULL;
    }
    MI_Module *module = loaded->main_function(server);
    if (!watch_end(&watch, load) || !module_usable(load, module)) {
        return NULL;
    }
    atomic_store(&loaded->module, module);
    MI_Module *wrapped = miguard_wrap_module(server, module);
    if (wrapped == NULL) {
        load_failed(load,
                    "%s: its module cannot be wrapped: a declaration is NULL, or out of memory",
                    load->shim->path);
    }
    return wrapped;
}

/* ---- the two functions ------------------------------------------------------------------------
 */

/* The shim's own file: settings lie in it. */
static const char *shim_path(const struct miguard_shim *shim)
{
    Dl_info info;

    return dladdr(shim, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "a shim";
}

/* NULL. A host says at most that a provider was not loaded, and not why. */
static MI_Module *say_refused(const struct shim_load *load, struct guard *guard)
{
    const char *provider = load->sound ? load->shim->provider : "";
    char line[sizeof(load->problem) + PATH_MAX];

    snprintf(line, sizeof(line), "%s is not loaded: %s", shim_path(load->shim), load->problem);
    notice(line);
    guard_note_module(guard, provider, true, load->problem);
    return NULL;
}

/* Everything between the first look at the settings and the answer. */
static MI_Module *load_and_wrap(struct shim_load *load, void *_Atomic *state, MI_Server *server)
{
    load->sound = proof_settings_sound(load->shim, sizeof(*load->shim));
    if (!load->sound) {
        load_failed(load, "it is no complete shim; make it with miguard wrap");
        return NULL;
    }
    struct shim_loaded *loaded = find_loaded(load, state);
    return loaded != NULL ? call_main(load, loaded, server) : NULL;
}

static void leave_guard(struct guard **guard)
{
    guard_leave(*guard);
}

/* exit(3) runs what was registered here before it runs the destructors of libraries. */
static atomic_bool process_ends;

static void note_end(void)
{
    atomic_store(&process_ends, true);
}

/* Once; a forked child inherits it. Another thread may go on before it is done: that matters at the
 * end of the process only. */
static void watch_the_end(void)
{
    static atomic_bool watched;

    if (!atomic_exchange(&watched, true)) {
        (void)pin_in_memory();
        (void)atexit(note_end);
    }
}

MI_Module *miguard_shim_main(const struct miguard_shim *shim, void **state, MI_Server *server)
{
    ENTRY_UNCANCELLED;
    struct shim_load load = {.shim = shim};

    if (shim == NULL || state == NULL) {
        return NULL;
    }
    watch_the_end();
    /* Before the provider's code runs: it may leave this process without the right to open the log.
     */
    struct guard *guard ON_LEAVING(leave_guard) = guard_enter();
    MI_Module *module = load_and_wrap(&load, (void *_Atomic *)state, server);
    if (module == NULL) {
        return say_refused(&load, guard);
    }
    guard_note_module(guard, shim->provider, false, shim->path);
    return module;
}

void miguard_shim_end(void **state)
{
    ENTRY_UNCANCELLED;

    if (state != NULL && !atomic_load(&process_ends)) {
        free_loaded(atomic_exchange((void *_Atomic *)state, NULL));
    }
}
