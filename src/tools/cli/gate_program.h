/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_CLI_GATE_PROGRAM_H
#define TOOLS_CLI_GATE_PROGRAM_H

#include <linux/filter.h>
#include <stddef.h>

/* Instruction `at` of a filter program as text. What it is compared with is called LIBRARY for the
 * address of the library's instruction and COOKIE for the random word. */
void gate_program_line(const struct sock_filter *program, unsigned at, char *line, size_t size);

#endif
