/* SPDX-License-Identifier: MIT */
/* The one system call instruction and the cookie (change.h). Used by kernel.c for each change, and
 * by the gate. */
#include "identity/change.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Starts at 0, an even number, in each thread. A forked child inherits the value of the thread that
 * forked. */
__thread volatile uint64_t identity_change_count;
__thread volatile uint64_t identity_bounding_count;

/* In .bss and never exported: only the assembly below and the functions of this file refer to
 * it. */
union identity_cookie identity_cookie;

/* The halves are read and written one by one, so that no register that the compiler could spill
 * ever holds the whole word. */
static uint32_t half(unsigned which)
{
    return __atomic_load_n(&identity_cookie.half[which], __ATOMIC_RELAXED);
}

enum { HALVES = sizeof(identity_cookie.half) / sizeof(identity_cookie.half[0]) };

bool identity_has_cookie(void)
{
    bool drawn = false;
    for (unsigned i = 0; i < HALVES; i++) {
        drawn = drawn || half(i) != 0;
    }
    return drawn;
}

/* Drawn again in the unlikely case that all halves are 0, which means "not drawn". A failure clears
 * the first half, so that half a cookie is not left behind for a 64-bit word. */
bool identity_cookie_draw(void)
{
    while (!identity_has_cookie()) {
        for (unsigned i = 0; i < HALVES; i++) {
            uint32_t drawn = 0;
            if (getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn)) {
                __atomic_store_n(&identity_cookie.half[0], 0, __ATOMIC_RELAXED);
                return false;
            }
            __atomic_store_n(&identity_cookie.half[i], drawn, __ATOMIC_RELAXED);
        }
    }
    return true;
}

/* The filter compares 32 bits at a time (seccomp(2): BPF loads words), in the byte order of the
 * machine. */
void identity_cookie_write(volatile uint32_t *ret_low, volatile uint32_t *ret_high)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    *ret_low = half(0);
    *ret_high = HALVES > 1 ? half(HALVES - 1) : 0;
#else
    *ret_low = half(HALVES - 1);
    *ret_high = HALVES > 1 ? half(0) : 0;
#endif
}

/*
 * Whole functions in assembly, so that exactly one such instruction exists and the compiler can
 * neither copy it into a caller nor keep the cookie. The kernel preserves all registers but the
 * result and, on x86-64, rcx and r11.
 */
#if defined(__x86_64__) && defined(__LP64__)

#define FUNCTION(name)                                                                             \
    ".pushsection .text\n\t.p2align 4\n\t.globl " name "\n\t.hidden " name "\n\t.type " name       \
    ",@function\n" name ":\n\t.cfi_startproc\n\tendbr64\n\t"
#define END(name) "ret\n\t.cfi_endproc\n\t.size " name ", . - " name "\n\t.popsection\n"

__asm__(FUNCTION("identity_carry") /* number, a, b, c, d, e */
        "movq %rdi, %rax\n\t"
        "movq %rsi, %rdi\n\t"
        "movq %rdx, %rsi\n\t"
        "movq %rcx, %rdx\n\t"
        "movq %r8, %r10\n\t"
        "movq %r9, %r8\n\t"
        "movq identity_cookie(%rip), %r9\n\t"
        "syscall\n\t"
        ".globl identity_carry_return\n\t"
        ".hidden identity_carry_return\n"
        "identity_carry_return:\n\t"
        "xorl %r9d, %r9d\n\t" END("identity_carry"));

__asm__(FUNCTION("identity_carry_elsewhere") /* number, a, b, c, wrong */
        "movq %r8, %r9\n\t"
        "movq %rdi, %rax\n\t"
        "movq %rsi, %rdi\n\t"
        "movq %rdx, %rsi\n\t"
        "movq %rcx, %rdx\n\t"
        "xorl %r10d, %r10d\n\t"
        "xorl %r8d, %r8d\n\t"
        "xorq identity_cookie(%rip), %r9\n\t"
        "syscall\n\t"
        "xorl %r9d, %r9d\n\t" END("identity_carry_elsewhere"));

#elif defined(__aarch64__) && defined(__LP64__)

/* hint 34 is the landing pad of branch target identification; elsewhere it does nothing. */
#define FUNCTION(name)                                                                             \
    ".pushsection .text\n\t.p2align 4\n\t.globl " name "\n\t.hidden " name "\n\t.type " name       \
    ",%function\n" name ":\n\t.cfi_startproc\n\thint #34\n\t"
#define END(name) "ret\n\t.cfi_endproc\n\t.size " name ", . - " name "\n\t.popsection\n"

__asm__(FUNCTION("identity_carry") /* number, a, b, c, d, e */
        "mov x8, x0\n\t"
        "mov x0, x1\n\t"
        "mov x1, x2\n\t"
        "mov x2, x3\n\t"
        "mov x3, x4\n\t"
        "mov x4, x5\n\t"
        "adrp x5, identity_cookie\n\t"
        "ldr x5, [x5, :lo12:identity_cookie]\n\t"
        "svc #0\n\t"
        ".globl identity_carry_return\n\t"
        ".hidden identity_carry_return\n"
        "identity_carry_return:\n\t"
        "mov x5, xzr\n\t" END("identity_carry"));

__asm__(FUNCTION("identity_carry_elsewhere") /* number, a, b, c, wrong */
        "adrp x5, identity_cookie\n\t"
        "ldr x5, [x5, :lo12:identity_cookie]\n\t"
        "eor x5, x5, x4\n\t"
        "mov x8, x0\n\t"
        "mov x0, x1\n\t"
        "mov x1, x2\n\t"
        "mov x2, x3\n\t"
        "mov x3, xzr\n\t"
        "mov x4, xzr\n\t"
        "svc #0\n\t"
        "mov x5, xzr\n\t" END("identity_carry_elsewhere"));

#endif

#if IDENTITY_ONE_INSTRUCTION

/* The label after the one instruction: seccomp_data.instruction_pointer is the address of the
 * next. */
extern const char identity_carry_return[] __attribute__((visibility("hidden")));

uint64_t identity_carry_address(void)
{
    return (uint64_t)(uintptr_t)identity_carry_return;
}

#else /* no gate here, and so no cookie to carry */

/* Without the assembly, no instruction is distinguished from another; the calls work all the
 * same. */
long identity_carry(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                    unsigned long e)
{
    long result = syscall(number, a, b, c, d, e);
    return result == -1 ? -errno : result;
}

long identity_carry_elsewhere(long number, unsigned long a, unsigned long b, unsigned long c,
                              unsigned long wrong)
{
    (void)wrong;
    return identity_carry(number, a, b, c, 0, 0);
}

uint64_t identity_carry_address(void)
{
    return 0;
}

#endif
