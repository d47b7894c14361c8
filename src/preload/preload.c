/* SPDX-License-Identifier: MIT */
/*
 * libmiguard-preload.so: guards the providers of a host whose files may not be touched.
 *
 * LD_PRELOAD puts it before the C library, and its dlsym(3) in place of that one's. A host that
 * looks up MI_Main in a library gets a stub (stub_for), which calls the provider's MI_Main and
 * wraps its module. Everything else goes on to the C library.
 *
 * dlopen(3) is left alone: it searches for a library by who calls it (RUNPATH, the namespace of
 * dlmopen(3)), and would take this file for the caller. dlsym(3) does the same for RTLD_NEXT and
 * RTLD_DEFAULT, so the entry is a jump that leaves the caller's return address in place, and no
 * call: in assembly, since no C compiler promises one.
 *
 * libmiguard is loaded when the first MI_Main is called, and not by what the host's other programs
 * inherit with its environment. Where it cannot be loaded the provider is not either.
 */
#include <MI.h>

/* Another C library gives no way to its own dlsym from here. */
#ifdef __GLIBC__

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/notice.h"

/* MI_Mains of one process at one time. The stubs are code, and the number is in it. */
#define PRELOAD_STUBS      1024
#define PRELOAD_TEXT(n)    #n
#define PRELOAD_NUMBER(n)  PRELOAD_TEXT(n)
#define PRELOAD_HIDDEN     __attribute__((visibility("hidden"), used))
#define PRELOAD_STUB_BYTES 16

typedef void *(*lookup_function)(void *handle, const char *name);
typedef MI_Module *(*wrap_function)(MI_Server *server, MI_Module *module);

/* By the assembly below. */
PRELOAD_HIDDEN lookup_function preload_target(void *handle, const char *name);
PRELOAD_HIDDEN MI_Module *preload_main(MI_Server *server, unsigned stub);
extern __attribute__((visibility("hidden"))) const unsigned char preload_stubs[];

/* ---- the entry and the stubs ------------------------------------------------------------------
 */

/* dlsym keeps its arguments, asks preload_target() where to go on, and goes there. Stub n puts n
 * behind the one argument of MI_Main and goes on to preload_main(). */
#if defined(__x86_64__)
__asm__(".text\n"
        ".globl dlsym\n"
        ".type dlsym,@function\n"
        "dlsym:\n"
        ".cfi_startproc\n"
        "    endbr64\n"
        "    pushq %rdi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "    pushq %rsi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "    subq $8, %rsp\n"
        ".cfi_adjust_cfa_offset 8\n"
        "    call preload_target\n"
        "    addq $8, %rsp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "    popq %rsi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "    popq %rdi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "    jmp *%rax\n"
        ".cfi_endproc\n"
        ".size dlsym, .-dlsym\n"
        ".balign 16\n"
        ".hidden preload_stubs\n"
        "preload_stubs:\n"
        ".set number, 0\n"
        ".rept " PRELOAD_NUMBER(PRELOAD_STUBS) "\n"
                                               "    endbr64\n"
                                               "    movl $number, %esi\n"
                                               "    jmp preload_main\n"
                                               ".balign 16\n"
                                               ".set number, number + 1\n"
                                               ".endr\n");
#else /* aarch64 */
__asm__(".text\n"
        ".globl dlsym\n"
        ".type dlsym,%function\n"
        "dlsym:\n"
        ".cfi_startproc\n"
        "    hint #34\n" /* bti c */
        "    stp x29, x30, [sp, #-32]!\n"
        ".cfi_adjust_cfa_offset 32\n"
        ".cfi_rel_offset x29, 0\n"
        ".cfi_rel_offset x30, 8\n"
        "    stp x0, x1, [sp, #16]\n"
        "    bl preload_target\n"
        "    mov x16, x0\n"
        "    ldp x0, x1, [sp, #16]\n"
        "    ldp x29, x30, [sp], #32\n"
        ".cfi_restore x29\n"
        ".cfi_restore x30\n"
        ".cfi_adjust_cfa_offset -32\n"
        "    br x16\n"
        ".cfi_endproc\n"
        ".size dlsym, .-dlsym\n"
        ".balign 16\n"
        ".hidden preload_stubs\n"
        "preload_stubs:\n"
        ".set number, 0\n"
        ".rept " PRELOAD_NUMBER(PRELOAD_STUBS) "\n"
                                               "    hint #34\n"
                                               "    mov w1, #number\n"
                                               "    b preload_main\n"
                                               ".balign 16\n"
                                               ".set number, number + 1\n"
                                               ".endr\n");
#endif

/* ---- the C library's own ----------------------------------------------------------------------
 */

static void *no_symbol(void *handle, const char *name)
{
    (void)handle, (void)name;
    notice("libmiguard-preload.so does not find dlsym of the C library");
    return NULL;
}

/* By its version, since dlsym(3) is what is asked for: of glibc 2.34 and later, or of the first for
 * this machine. It may be asked before any constructor has run. */
static lookup_function own_dlsym(void)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"};
    static _Atomic(lookup_function) known;
    lookup_function function = atomic_load(&known);

    for (size_t i = 0; function == NULL && i < sizeof(versions) / sizeof(versions[0]); i++) {
        void *symbol = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
        memcpy(&function, &symbol, sizeof(symbol));
    }
    function = function != NULL ? function : no_symbol;
    atomic_store(&known, function);
    return function;
}

/* ---- stubs ------------------------------------------------------------------------------------
 */

/* The MI_Main behind each stub; NULL: free. */
static _Atomic(void *) behind[PRELOAD_STUBS];

static void *stub_address(unsigned stub)
{
    return (void *)(uintptr_t)(preload_stubs + (size_t)stub * PRELOAD_STUB_BYTES);
}

/* The stub that has the function already. The address of a library that was unmapped may be another
 * one's by now: a stub is for an address, whatever lies there. */
static void *known_stub(const void *function)
{
    for (unsigned i = 0; i < PRELOAD_STUBS; i++) {
        if (atomic_load(&behind[i]) == function) {
            return stub_address(i);
        }
    }
    return NULL;
}

/* Takes a stub that is free, or one whose library is no longer mapped. Two threads that ask for one
 * function may get a stub each, which are the same to a host. */
static void *new_stub(void *function)
{
    Dl_info info;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < PRELOAD_STUBS; i++) {
            void *old = atomic_load(&behind[i]);
            bool takes = pass == 0 ? old == NULL : dladdr(old, &info) == 0;
            if (takes && atomic_compare_exchange_strong(&behind[i], &old, function)) {
                return stub_address(i);
            }
        }
    }
    notice("a provider is not loaded: more than " PRELOAD_NUMBER(
        PRELOAD_STUBS) " are in this process behind libmiguard-preload.so");
    return NULL;
}

/* dlsym(3) for MI_Main. A library without one answers as it does without us. */
static void *lookup_main(void *handle, const char *name)
{
    void *function = own_dlsym()(handle, name);

    if (function == NULL) {
        return NULL;
    }
    void *stub = known_stub(function);
    return stub != NULL ? stub : new_stub(function);
}

/* RTLD_NEXT depends on the caller, which only the jump keeps; no host looks for a provider so.
 * Calls nothing for another name: a library that stands in front of the C library looks its
 * functions up by dlsym(3), inside of them and before main(). */
lookup_function preload_target(void *handle, const char *name)
{
    return handle != RTLD_NEXT && name != NULL && strcmp(name, "MI_Main") == 0 ? lookup_main
                                                                               : own_dlsym();
}

/* ---- the call ---------------------------------------------------------------------------------
 */

/* NULL after a notice. The library stays: dlopen(3) counts, and it is linked with -z nodelete. */
static wrap_function load_guard(void)
{
    static _Atomic(wrap_function) known;
    wrap_function wrap = atomic_load(&known);
    char line[512];

    if (wrap != NULL) {
        return wrap;
    }
    void *library = dlopen("libmiguard.so." MIGUARD_SOVERSION, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library != NULL ? own_dlsym()(library, "miguard_wrap_module") : NULL;
    if (symbol == NULL) {
        const char *why = dlerror();
        snprintf(line, sizeof(line), "a provider is not loaded, since it cannot be guarded: %s",
                 why != NULL ? why : "miguard_wrap_module is missing");
        notice(line);
        return NULL;
    }
    memcpy(&wrap, &symbol, sizeof(symbol));
    atomic_store(&known, wrap);
    return wrap;
}

/* The guard is there before any code of the provider's MI_Main runs. */
MI_Module *preload_main(MI_Server *server, unsigned stub)
{
    void *symbol = atomic_load(&behind[stub]);
    wrap_function wrap = load_guard();
    MI_MainFunction function = NULL;

    if (wrap == NULL || symbol == NULL) {
        return NULL;
    }
    memcpy(&function, &symbol, sizeof(symbol));
    MI_Module *module = function(server);
    return module != NULL ? wrap(server, module) : NULL;
}

#endif /* __GLIBC__ */
