/* SPDX-License-Identifier: MIT */
/*
 * What the gate refuses unless the library makes the call (identity/change.h).
 *
 * The program has two parts. The first, written here, allows a call with one of the rules' numbers
 * when it comes from the library's one instruction with the cookie. The second is made by
 * libseccomp from the table below and knows neither: it refuses whatever reaches it. libseccomp has
 * no condition for the instruction pointer, and it cannot leak a cookie that it never gets.
 *
 * The first part checks the number before anything else. When the filter is loaded the kernel
 * determines once which numbers are allowed whatever the rest of the call is, and runs no filter
 * for those (seccomp_cache_prepare). Reading the instruction pointer first would end that for all
 * of them.
 *
 * An argument that the kernel takes as an int is compared in its lower half only, as the kernel
 * does: the upper half of the register may hold anything. Cookie and pointer are compared whole.
 *
 * What can change a thread from outside? capset(2) takes no other thread since Linux 2.6.24, and
 * glibc's setuid(3) makes each thread do the call itself. Only filters of seccomp(2) and Landlock
 * that are applied to all threads at once give the caller's no_new_privs to the others. A thread
 * that had it before the gate was closed could spread it in this way; hence these two forms are
 * refused where the gate was closed without no_new_privs. A provider may still put itself, thread
 * by thread, under filters of its own. That refusal never kills: libseccomp uses the same call to
 * find out whether the kernel knows the flag.
 *
 * io_uring changes no thread, but keeps credentials: those of a ring's creator, when a kernel
 * thread takes the requests, and those that were registered with it. With deny_io_uring the three
 * calls are refused. That never kills: programs use them to find out whether they may use io_uring.
 *
 * The gate of the bounding set is a filter of one row of the same table: the guard reads that set
 * by one call for each capability (identity/bounding.c), and no other component costs so much.
 */
#include "gate/gate_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/limit.h"
#include "base/reserve.h"
#include "base/write.h"
#include "identity/change.h"
#include "identity/kernel.h"

/* libseccomp takes these numbers from the kernel's headers: those before Linux 5.1 and 5.13 lack
 * them. They are the same on every machine. */
#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup    425
#define __NR_io_uring_enter    426
#define __NR_io_uring_register 427
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif

#define INT_MASK 0xFFFFFFFFu /* of a register of which the kernel uses the lower half */

/* clone(2): its first two arguments are swapped on s390. */
#if defined(__s390__)
#define CLONE_FLAGS_ARGUMENT 1
#else
#define CLONE_FLAGS_ARGUMENT 0
#endif

#ifndef CLONE_NEWUSER
#define CLONE_NEWUSER 0x10000000
#endif

/* Newer than some kernel headers: landlock_restrict_self(2) on all threads of the process. */
#define RESTRICT_SELF_TSYNC 8

/* A row with its system call and up to two conditions on its arguments, all of which must hold. */
struct rule {
    struct gate_row row;
    int number;
    unsigned conditions;
    struct scmp_arg_cmp when[2];
};

/* Conditions. IS compares as an int, HAS looks for one flag, IS_NOT compares the whole register: a
 * value that only looks like -1 in its lower half is refused, too. */
#define NO_ARGUMENT                                                                                \
    {                                                                                              \
        0, SCMP_CMP_EQ, 0, 0                                                                       \
    }
#define IS(argument, value)                                                                        \
    {                                                                                              \
        argument, SCMP_CMP_MASKED_EQ, INT_MASK, value                                              \
    }
#define HAS(argument, flag)                                                                        \
    {                                                                                              \
        argument, SCMP_CMP_MASKED_EQ, flag, flag                                                   \
    }
#define IS_NOT(argument, value)                                                                    \
    {                                                                                              \
        argument, SCMP_CMP_NE, value, 0                                                            \
    }

/* A condition narrows a rule to some calls; most rules have no condition. */
#define ALWAYS(call, why)                                                                          \
    {                                                                                              \
        {#call, "", why, false, false, false, false, false}, SCMP_SYS(call), 0,                    \
        {                                                                                          \
            NO_ARGUMENT, NO_ARGUMENT                                                               \
        }                                                                                          \
    }
#define WHEN(call, text, why, ...)                                                                 \
    {                                                                                              \
        {#call, text, why, false, false, false, false, false}, SCMP_SYS(call), 1,                  \
        {                                                                                          \
            __VA_ARGS__, NO_ARGUMENT                                                               \
        }                                                                                          \
    }
#define PRCTL(option, why) WHEN(prctl, #option, why, IS(0, option))
#define SPREADS(call, text, ...)                                                                   \
    {                                                                                              \
        {#call, text, "can bring no-new-privs to other threads", false, true, true, false, false}, \
            SCMP_SYS(call), 1,                                                                     \
        {                                                                                          \
            __VA_ARGS__, NO_ARGUMENT                                                               \
        }                                                                                          \
    }

#define URING(call)                                                                                \
    {                                                                                              \
        {#call, "", "requests under kept credentials", false, true, false, true, false},           \
            SCMP_SYS(call), 0,                                                                     \
        {                                                                                          \
            NO_ARGUMENT, NO_ARGUMENT                                                               \
        }                                                                                          \
    }

static const struct rule rules[] = {
    ALWAYS(setuid, "ruid, euid, suid, fsuid"),
    ALWAYS(setgid, "rgid, egid, sgid, fsgid"),
    ALWAYS(setreuid, "ruid, euid, suid, fsuid"),
    ALWAYS(setregid, "rgid, egid, sgid, fsgid"),
    ALWAYS(setresuid, "ruid, euid, suid, fsuid"),
    ALWAYS(setresgid, "rgid, egid, sgid, fsgid"),
    ALWAYS(setgroups, "groups"),
    /* An id of -1 only reads. It is allowed when it is written as 32 bits. */
    WHEN(setfsuid, "any id but -1, which reads", "fsuid", IS_NOT(0, INT_MASK)),
    WHEN(setfsgid, "any id but -1, which reads", "fsgid", IS_NOT(0, INT_MASK)),
#ifdef __NR_setuid32 /* where the calls without 32 take ids of 16 bits */
    ALWAYS(setuid32, "ruid, euid, suid, fsuid"),
    ALWAYS(setgid32, "rgid, egid, sgid, fsgid"),
    ALWAYS(setreuid32, "ruid, euid, suid, fsuid"),
    ALWAYS(setregid32, "rgid, egid, sgid, fsgid"),
    ALWAYS(setresuid32, "ruid, euid, suid, fsuid"),
    ALWAYS(setresgid32, "rgid, egid, sgid, fsgid"),
    ALWAYS(setgroups32, "groups"),
    WHEN(setfsuid32, "any id but -1, which reads", "fsuid", IS_NOT(0, INT_MASK)),
    WHEN(setfsgid32, "any id but -1, which reads", "fsgid", IS_NOT(0, INT_MASK)),
#endif
    ALWAYS(capset, "cap-effective, cap-permitted, cap-inheritable"),
    PRCTL(PR_SET_KEEPCAPS, "securebits"),
    PRCTL(PR_SET_SECUREBITS, "securebits"),
    {{"prctl", "PR_CAPBSET_DROP", "cap-bounding", false, false, false, false, true},
     SCMP_SYS(prctl),
     1,
     {IS(0, PR_CAPBSET_DROP), NO_ARGUMENT}},
    {{"prctl", "PR_CAP_AMBIENT but for PR_CAP_AMBIENT_IS_SET", "cap-ambient", false, false, false,
      false, false},
     SCMP_SYS(prctl),
     2,
     {IS(0, PR_CAP_AMBIENT), IS_NOT(1, PR_CAP_AMBIENT_IS_SET)}},
    {{"prctl", "PR_SET_NO_NEW_PRIVS", "no-new-privs", false, false, true, false, false},
     SCMP_SYS(prctl),
     1,
     {IS(0, PR_SET_NO_NEW_PRIVS), NO_ARGUMENT}},
    SPREADS(seccomp, "SECCOMP_FILTER_FLAG_TSYNC", HAS(1, SECCOMP_FILTER_FLAG_TSYNC)),
    SPREADS(landlock_restrict_self, "LANDLOCK_RESTRICT_SELF_TSYNC", HAS(1, RESTRICT_SELF_TSYNC)),
    WHEN(unshare, "CLONE_NEWUSER", "user-namespace", HAS(0, CLONE_NEWUSER)),
    WHEN(setns, "CLONE_NEWUSER", "user-namespace", HAS(1, CLONE_NEWUSER)),
    /* 0 accepts any kind of namespace, and a filter cannot see which one the descriptor is. */
    WHEN(setns, "0: any kind", "user-namespace", IS(1, 0)),
    WHEN(clone, "CLONE_NEWUSER", "user-namespace of a child",
         HAS(CLONE_FLAGS_ARGUMENT, CLONE_NEWUSER)),
    /* Its flags are in memory, which a filter cannot read. glibc falls back to clone(2). */
    {{"clone3", "", "user-namespace of a child", true, true, false, false, false},
     SCMP_SYS(clone3),
     0,
     {NO_ARGUMENT, NO_ARGUMENT}},
    WHEN(keyctl, "KEYCTL_JOIN_SESSION_KEYRING", "session keyring",
         IS(0, KEYCTL_JOIN_SESSION_KEYRING)),
    WHEN(keyctl, "KEYCTL_SESSION_TO_PARENT", "session keyring of the parent",
         IS(0, KEYCTL_SESSION_TO_PARENT)),
    URING(io_uring_setup),
    URING(io_uring_enter),
    URING(io_uring_register),
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

const struct gate_row *gate_filter_row(size_t index)
{
    return index < RULES ? &rules[index].row : NULL;
}

static bool is_of_bounding(const struct gate_filter *filter)
{
    return (filter->bits & GATE_OF_BOUNDING) != 0;
}

bool gate_filter_has(const struct gate_filter *filter, const struct gate_row *row)
{
    if (is_of_bounding(filter)) {
        return row->of_bounding;
    }
    return !(row->only_privileged && filter->no_new_privs) &&
           !(row->only_uring && (filter->bits & GATE_DENIES_URING) == 0);
}

/* What the kernel does with a refused call: kill wins over report. */
static uint32_t refusal(const struct gate_filter *filter)
{
    return (filter->bits & GATE_KILLS) != 0     ? SCMP_ACT_KILL_PROCESS
           : (filter->bits & GATE_REPORTS) != 0 ? SCMP_ACT_TRAP
                                                : SCMP_ACT_ERRNO(EPERM);
}

/* 0, or a negative errno of libseccomp. A rule that is not in this filter adds nothing. */
static int add_rule(scmp_filter_ctx context, const struct gate_filter *filter,
                    const struct rule *rule)
{
    if (!gate_filter_has(filter, &rule->row)) {
        return 0;
    }
    if (rule->row.refused_anyway) {
        return seccomp_rule_add_array(context, SCMP_ACT_ERRNO(ENOSYS), rule->number, 0, NULL);
    }
    uint32_t action = rule->row.never_kills ? SCMP_ACT_ERRNO(EPERM) : refusal(filter);
    return seccomp_rule_add_array(context, action, rule->number, rule->conditions, rule->when);
}

/* Architectures whose calls this one's kernel takes, too. */
static const uint32_t other_architectures[] = {
#if defined(__x86_64__)
    SCMP_ARCH_X86, SCMP_ARCH_X32,
#elif defined(__aarch64__)
    SCMP_ARCH_ARM,
#endif
    SCMP_ARCH_NATIVE, /* ends the list: seccomp_init() has added it */
};

/* A gate that refuses one call must refuse it by each of its numbers, and no other call of those
 * architectures: libseccomp adds each rule for all of them. */
static int add_architectures(scmp_filter_ctx context)
{
    int result = 0;

    for (size_t i = 0; other_architectures[i] != SCMP_ARCH_NATIVE && result == 0; i++) {
        result = seccomp_arch_add(context, other_architectures[i]);
    }
    return result;
}

static int add_rules(scmp_filter_ctx context, const struct gate_filter *filter)
{
    /* The calls of another architecture have other numbers: all are refused, but for those of the
     * architectures that the program knows. */
    int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, refusal(filter));

    if (result == 0 && is_of_bounding(filter)) {
        result = add_architectures(context);
    }
    for (size_t i = 0; i < RULES && result == 0; i++) {
        result = add_rule(context, filter, &rules[i]);
    }
    return result;
}

/* ---- the first part ------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCHITECTURE 0
#endif

/* Words of struct seccomp_data; of a value of 64 bits the lower and the upper. */
#define NUMBER       offsetof(struct seccomp_data, nr)
#define ARCHITECTURE offsetof(struct seccomp_data, arch)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW(member)  offsetof(struct seccomp_data, member)
#define HIGH(member) (offsetof(struct seccomp_data, member) + 4)
#else
#define LOW(member)  (offsetof(struct seccomp_data, member) + 4)
#define HIGH(member) offsetof(struct seccomp_data, member)
#endif

enum { OWN_CALL = 16 /* instructions that write_own_call() writes */ };

_Static_assert(RULES + 1 <= UINT8_MAX, "a jump of a filter is at most 255 instructions");

/* The numbers of the filter's rules, each once; the library's own calls are among them. */
static unsigned own_numbers(const struct gate_filter *filter, int numbers[RULES])
{
    unsigned count = 0;

    for (size_t i = 0; i < RULES; i++) {
        unsigned at = 0;
        while (at < count && numbers[at] != rules[i].number) {
            at++;
        }
        if (at == count && rules[i].number >= 0 && !rules[i].row.refused_anyway &&
            !rules[i].row.only_uring && (!is_of_bounding(filter) || rules[i].row.of_bounding)) {
            numbers[count++] = rules[i].number;
        }
    }
    return count;
}

/* In instructions: the load of the number, a jump for each number, the jump past the rest, and the
 * comparison itself. */
static size_t first_part_length(const struct gate_filter *filter)
{
    int numbers[RULES];
    return 1 + own_numbers(filter, numbers) + 1 + OWN_CALL;
}

/* Continues after itself when the number is one of those, else at the second part. */
static struct sock_filter *write_numbers(struct sock_filter *at, const struct gate_filter *filter)
{
    int numbers[RULES];
    unsigned count = own_numbers(filter, numbers);

    *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER);
    for (unsigned i = 0; i < count; i++) {
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i],
                                             (uint8_t)(count - i), 0);
    }
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, OWN_CALL, 0, 0);
    return at;
}

/* Each failed comparison jumps to the second part, `left` instructions ahead. The cookie is written
 * last and in place, so that it is never copied. */
static struct sock_filter *write_own_call(struct sock_filter *at, const struct gate_filter *filter)
{
    const uint64_t from = identity_carry_address();
    const uint32_t words[][2] = {
        {LOW(instruction_pointer), (uint32_t)from},
        {HIGH(instruction_pointer), (uint32_t)(from >> 32)},
        {ARCHITECTURE, NATIVE_ARCHITECTURE},
        {LOW(args[5]), 0},
        {HIGH(args[5]), 0},
    };
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    struct sock_filter *const start = at;

    for (unsigned i = 0; i < WORDS; i++) {
        uint8_t left = (uint8_t)(OWN_CALL - 2 * (i + 1));
        *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, words[i][0]);
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[i][1], 0, left);
    }
    identity_cookie_write(&start[7].k, &start[9].k);
    /* The probe's answer, that there is a gate and which, goes to the library only. */
    *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER);
    *at++ =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SCMP_SYS(prctl), 0, 3);
    *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(args[0]));
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KERNEL_GATE_PROBE, 0, 1);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                         SECCOMP_RET_ERRNO | (GATE_ANSWER + filter->bits));
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return at;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* libseccomp writes a program to a descriptor only. The program is loaded by this library instead
 * of seccomp_load(), which does not report the thread to which the filter could not be applied.
 * Leaves space for the first part in front. */
static int read_program(scmp_filter_ctx context, const struct gate_filter *filter, int fd,
                        struct sock_filter **ret_program, unsigned short *ret_length)
{
    struct write_signals signals;

    write_signals_hold(&signals);
    int result = seccomp_export_bpf(context, fd);
    write_signals_release(&signals,
                          result != 0 ? EFBIG : 0); /* libseccomp does not keep its errno */
    if (result != 0) {
        return result;
    }
    const size_t first = first_part_length(filter);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size % (off_t)sizeof(struct sock_filter) != 0 ||
        size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS - (off_t)first) {
        return -EBADMSG;
    }
    size_t count = (size_t)size / sizeof(struct sock_filter);
    struct sock_filter *program = base_alloc(first + count, sizeof(*program));
    if (program == NULL) {
        return -ENOMEM;
    }
    if (pread(fd, program + first, (size_t)size, 0) != size) {
        base_free(program);
        return -EIO;
    }
    *ret_program = program;
    *ret_length = (unsigned short)(first + count);
    return 0;
}

/* libseccomp gives a trap no data. The mark lets the handler distinguish it from other traps. */
static void mark_traps(struct sock_filter *program, unsigned short length)
{
    for (unsigned i = 0; i < length; i++) {
        if (program[i].code == (BPF_RET | BPF_K) && program[i].k == SECCOMP_RET_TRAP) {
            program[i].k |= GATE_TRAP_MARK;
        }
    }
}

/* step names the function of libseccomp; result is its negative errno. */
static enum miguard_status filter_error(int result, const char *step, struct miguard_error *reterr)
{
    return error_set(reterr, result == -ENOMEM ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM, -result, step,
                     "%s", strerrordesc_np(-result));
}

/* The calls of libseccomp, which needs the memory of a reserve. */
static enum miguard_status build(const struct gate_filter *filter, struct sock_filter **ret_program,
                                 unsigned short *ret_length, struct miguard_error *reterr)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (context == NULL) {
        return filter_error(-ENOMEM, "seccomp_init", reterr);
    }
    int result = add_rules(context, filter);
    if (result != 0) {
        seccomp_release(context);
        return filter_error(result, "seccomp_rule_add", reterr);
    }
    struct descriptor_low low;

    descriptor_take_low(&low); /* no output to 0, 1 or 2 may get into the program */
    int fd = limit_allows_file(BPF_MAXINSNS * sizeof(struct sock_filter))
                 ? memfd_create("miguard-gate", MFD_CLOEXEC)
                 : -1;
    descriptor_give_low(&low);
    if (fd < 0) {
        result = -errno;
        seccomp_release(context);
        return filter_error(result, "memfd_create", reterr);
    }
    result = read_program(context, filter, fd, ret_program, ret_length);
    close(fd);
    seccomp_release(context);
    return result == 0 ? MIGUARD_OK : filter_error(result, "seccomp_export_bpf", reterr);
}

/* libseccomp 2.5.4 needs up to 42 KB at a time and 88 KB in all, in blocks of less than 1 KB. Two
 * of these fit into a piece of the reserve, which is more than both. */
enum miguard_status gate_filter_build(const struct gate_filter *filter,
                                      struct sock_filter **ret_program, unsigned short *ret_length,
                                      struct miguard_error *reterr)
{
    struct reserve reserve;

    if (!reserve_take(&reserve)) {
        return filter_error(-ENOMEM, "memory for libseccomp", reterr);
    }
    enum miguard_status status = build(filter, ret_program, ret_length, reterr);
    reserve_end(&reserve);
    if (status != MIGUARD_OK) {
        return status;
    }
    mark_traps(*ret_program, *ret_length);
    (void)write_own_call(write_numbers(*ret_program, filter), filter);
    return MIGUARD_OK;
}

void gate_filter_free(struct sock_filter *program, unsigned short length)
{
    if (program != NULL) {
        explicit_bzero(program, length * sizeof(*program));
        base_free(program);
    }
}
