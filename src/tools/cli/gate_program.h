/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_CLI_GATE_PROGRAM_H
#define TOOLS_CLI_GATE_PROGRAM_H

#include <linux/filter.h>
#include <stddef.h>

/*
 * Instruction `at` of a filter program as text, cut to size. What it is compared with is called
 * LIBRARY for the address of the library's instruction and COOKIE for the random word: both differ
 * in each process, so their values would say nothing. The instruction before it is read too, for
 * what it loads.
 */
void gate_program_line(const struct sock_filter *program, unsigned at, char *line, size_t size);

#endif
