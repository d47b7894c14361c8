/* SPDX-License-Identifier: MIT */
/*
 * The wrapped modules of the process, by the place that their Load functions know. A host keeps
 * pointers to a module until it has unloaded it; then the place is free for another one, since the
 * library of the provider may be unmapped.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "gateway/wrapped.h"

pthread_mutex_t wrapped_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    struct wrapped_module **modules;
    unsigned count, room;
} places;

FORK_OWNER(places_owner, .rank = FORK_MODULES, .lock = &wrapped_lock);

struct wrapped_module *wrapped_at(unsigned place)
{
    ENTRY_UNCANCELLED;
    pthread_mutex_lock(&wrapped_lock);
    struct wrapped_module *module = places.modules[place];
    pthread_mutex_unlock(&wrapped_lock);
    return module;
}

struct wrapped_module *wrapped_find(const MI_Module *module)
{
    for (unsigned place = 0; place < places.count; place++) {
        struct wrapped_module *wrapped = places.modules[place];
        if (wrapped == NULL) {
            continue;
        }
        bool same = wrapped->original == module && !wrapped->finished &&
                    memcmp(&wrapped->source, module, sizeof(*module)) == 0;
        if (same || &wrapped->module == module) {
            return wrapped;
        }
    }
    return NULL;
}

static bool grow(void)
{
    unsigned room = places.room == 0 ? 16 : places.room * 2;
    struct wrapped_module **grown = base_resize(places.modules, room, sizeof(*grown));

    if (grown != NULL) {
        places.modules = grown;
        places.room = room;
    }
    return grown != NULL;
}

bool wrapped_find_place(unsigned *ret_place)
{
    unsigned place = 0;

    while (place < places.count && places.modules[place] != NULL &&
           !places.modules[place]->finished) {
        place++;
    }
    if (place == places.count) {
        if (places.count == places.room && !grow()) {
            return false;
        }
        places.modules[places.count++] = NULL;
    }
    wrapped_free(places.modules[place]);
    places.modules[place] = NULL;
    *ret_place = place;
    return true;
}

void wrapped_put(unsigned place, struct wrapped_module *module)
{
    places.modules[place] = module;
}

void wrapped_free(struct wrapped_module *module)
{
    if (module != NULL) {
        base_free(module->tables);
        base_free(module->classes);
        base_free(module->class_list);
        base_free(module->methods);
        base_free(module->method_lists);
        base_free(module->sorted_methods);
        base_free(module);
    }
}

/* A module that was never loaded, as a tool does that only reads declarations, would keep its
 * place. */
void wrapped_module_forget(const MI_Module *original)
{
    pthread_mutex_lock(&wrapped_lock);
    for (unsigned place = 0; place < places.count; place++) {
        struct wrapped_module *wrapped = places.modules[place];
        if (wrapped != NULL && wrapped->original == original && wrapped->loads == NULL) {
            wrapped->finished = true;
        }
    }
    pthread_mutex_unlock(&wrapped_lock);
}
