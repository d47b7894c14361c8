/* SPDX-License-Identifier: MIT */
#include "identity/change.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread volatile uint64_t identity_change_count;

static atomic_ulong cookie;

unsigned long identity_cookie(void)
{
    return atomic_load_explicit(&cookie, memory_order_relaxed);
}

bool identity_cookie_draw(void)
{
    unsigned long drawn = 0, none = 0;

    if (identity_cookie() != 0) {
        return true;
    }
    while (drawn == 0) {
        if (getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn)) {
            return false;
        }
    }
    /* Two threads may draw; the first to store wins. */
    (void)atomic_compare_exchange_strong(&cookie, &none, drawn);
    return true;
}

/* The register is filled from memory and cleared within one piece of assembly, so that the compiler
 * cannot keep a copy. */
long identity_carry(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                    unsigned long e)
{
#if defined(__x86_64__) && defined(__LP64__)
    register unsigned long fourth __asm__("r10") = d;
    register unsigned long fifth __asm__("r8") = e;

    __asm__ volatile("movq %[cookie], %%r9\n\tsyscall\n\txorl %%r9d, %%r9d"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), [cookie] "m"(cookie)
                     : "rcx", "r9", "r11", "cc", "memory");
    return number;
#elif defined(__aarch64__) && defined(__LP64__)
    register long call __asm__("x8") = number;
    register unsigned long first __asm__("x0") = a;
    register unsigned long second __asm__("x1") = b;
    register unsigned long third __asm__("x2") = c;
    register unsigned long fourth __asm__("x3") = d;
    register unsigned long fifth __asm__("x4") = e;

    __asm__ volatile("ldr x5, %[cookie]\n\tsvc #0\n\tmov x5, xzr"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth),
                       "r"(fifth), [cookie] "m"(cookie)
                     : "x5", "cc", "memory");
    return (long)first;
#else
    /* The same way once more writes over what the first has left. */
    long result = syscall(number, a, b, c, d, e, identity_cookie());
    long error = errno;
    (void)syscall(SYS_gettid, a, b, c, d, e, 0UL);
    return result == -1 ? -error : result;
#endif
}
