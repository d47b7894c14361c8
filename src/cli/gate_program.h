/* SPDX-License-Identifier: MIT */
#ifndef CLI_GATE_PROGRAM_H
#define CLI_GATE_PROGRAM_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* Instruction `at` of a filter program as text; halves of the cookie are called so. */
void gate_program_line(const struct sock_filter *program, unsigned at, uint64_t cookie, char *line,
                       size_t size);

#endif
