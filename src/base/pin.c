/* SPDX-License-Identifier: MIT */
/* Keeps the library in memory. Called before the first handler, thread, key or callback that points
 * into it (pin.h). */
#include "base/pin.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>

#ifdef __GLIBC__ /* RTLD_DL_LINKMAP is not a macro */

/* An empty name is the program itself, which is never unloaded. */
bool pin_in_memory(void)
{
    static atomic_bool pinned; /* its address also identifies the object */
    struct link_map *map = NULL;
    Dl_info info;

    if (atomic_load(&pinned)) {
        return true;
    }
    if (dladdr1((const void *)&pinned, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        return false;
    }
    if (map->l_name[0] == '\0' ||
        dlopen(map->l_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != NULL) {
        atomic_store(&pinned, true);
    }
    return atomic_load(&pinned);
}

#else /* musl, whose dlclose(3) unloads nothing */

bool pin_in_memory(void)
{
    return true;
}

#endif
