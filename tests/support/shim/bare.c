/* SPDX-License-Identifier: MIT */
/* The least that a host is, without miguard: whether the MI_Main of the library gives a module. */
#include <MI.h>
#include <dlfcn.h>
#include <string.h>

int main(int count, char **arguments)
{
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library != NULL ? dlsym(library, "MI_Main") : NULL;
    MI_MainFunction function = NULL;

    if (symbol == NULL) {
        return 2;
    }
    memcpy(&function, &symbol, sizeof(symbol));
    return function(NULL) != NULL ? 0 : 1;
}
