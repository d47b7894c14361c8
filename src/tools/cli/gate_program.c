/* SPDX-License-Identifier: MIT */
/*
 * A program of classic BPF as text, as far as seccomp(2) has it: one line an instruction, its
 * number in front, jumps to numbers.
 *
 * The text is for people who check what a gate does: it names the fields of struct seccomp_data,
 * the errors and the targets of jumps, so that the program can be read against the table of
 * `miguard gate show`. Values that differ in each process are named, not printed.
 */
#include "tools/cli/gate_program.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A filter loads 32 bits at a time (seccomp(2)), so a field of 64 is loaded in halves, at its
 * offset or 4 behind. */
static bool is_half_of(uint32_t offset, size_t field)
{
    return offset == field || offset == field + 4;
}

/* All fields of 64 bits are at multiples of 8; which half comes first depends on the byte order of
 * this machine. */
static const char *half_name(uint32_t offset)
{
    const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
    return offset % 8 == low ? "low" : "high";
}

/* What lies at an offset of struct seccomp_data. */
static void field_name(uint32_t offset, char *name, size_t size)
{
    if (offset == offsetof(struct seccomp_data, nr)) {
        snprintf(name, size, "number");
    } else if (offset == offsetof(struct seccomp_data, arch)) {
        snprintf(name, size, "architecture");
    } else if (is_half_of(offset, offsetof(struct seccomp_data, instruction_pointer))) {
        snprintf(name, size, "instruction.%s", half_name(offset));
    } else if (offset >= offsetof(struct seccomp_data, args)) {
        unsigned at = offset - (unsigned)offsetof(struct seccomp_data, args);
        snprintf(name, size, "argument%u.%s", at / 8, half_name(offset));
    } else {
        snprintf(name, size, "data[%u]", offset);
    }
}

/* What a value is compared with says what it stands for: the address and the cookie are each
 * process's own. */
static void value_name(uint32_t value, uint32_t loaded, char *name, size_t size)
{
    if (is_half_of(loaded, offsetof(struct seccomp_data, instruction_pointer))) {
        snprintf(name, size, "LIBRARY.%s", half_name(loaded));
    } else if (is_half_of(loaded, offsetof(struct seccomp_data, args[5]))) {
        snprintf(name, size, "COOKIE.%s", half_name(loaded));
    } else {
        snprintf(name, size, "%#x", value);
    }
}

/* The action in words, with its data where that has a meaning: the errno, or the number that the
 * handler of SIGSYS gets. */
static void answer_name(uint32_t value, char *name, size_t size)
{
    uint32_t data = value & SECCOMP_RET_DATA;

    switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        snprintf(name, size, "allow");
        break;
    case SECCOMP_RET_ERRNO:
        snprintf(name, size, "errno %u", data);
        break;
    case SECCOMP_RET_KILL_PROCESS:
        snprintf(name, size, "kill process");
        break;
    case SECCOMP_RET_TRAP:
        snprintf(name, size, "trap %#x", data);
        break;
    default:
        snprintf(name, size, "%#x", value);
        break;
    }
}

/* The jumps that classic BPF has; "?" for what the filter does not use. */
static const char *comparison(uint16_t code)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return "==";
    case BPF_JGT:
        return ">";
    case BPF_JGE:
        return ">=";
    case BPF_JSET:
        return "&";
    default:
        return "?";
    }
}

/* One instruction: load, and, jump, answer. Jumps of classic BPF count from the next instruction;
 * the text has the numbers of the lines. An instruction that no gate uses is printed as numbers, so
 * that nothing is left out. */
void gate_program_line(const struct sock_filter *program, unsigned at, char *line, size_t size)
{
    const struct sock_filter *instruction = &program[at];
    uint32_t loaded = at > 0 && BPF_CLASS(instruction[-1].code) == BPF_LD ? instruction[-1].k : 0;
    char value[32];

    switch (BPF_CLASS(instruction->code)) {
    case BPF_LD:
        field_name(instruction->k, value, sizeof(value));
        snprintf(line, size, "load %s", value);
        break;
    case BPF_ALU:
        snprintf(line, size, "and %#x", instruction->k);
        break;
    case BPF_RET:
        answer_name(instruction->k, value, sizeof(value));
        snprintf(line, size, "answer %s", value);
        break;
    case BPF_JMP:
        value_name(instruction->k, loaded, value, sizeof(value));
        if (BPF_OP(instruction->code) == BPF_JA) {
            snprintf(line, size, "go to %u", at + 1 + instruction->k);
        } else {
            snprintf(line, size, "if %s %s go to %u else %u", comparison(instruction->code), value,
                     at + 1 + instruction->jt, at + 1 + instruction->jf);
        }
        break;
    default:
        snprintf(line, size, "code %#x, %#x", instruction->code, instruction->k);
        break;
    }
}
