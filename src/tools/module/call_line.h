/* SPDX-License-Identifier: MIT */
/*
 * Which function and line of source a call site of a record is, by the debug information in the
 * module's file.
 *
 * The record says which file, and the file may be anybody's. So it is read in a child process that
 * has no privileges, limits for time and memory, and a filter of system calls by which it can read
 * that file, allocate, and answer.
 */
#ifndef TOOLS_MODULE_CALL_LINE_H
#define TOOLS_MODULE_CALL_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum { CALL_LINE_SIZE = 1024 };

/*
 * offset is from where the module was loaded, build the first eight bytes of its build id. Where
 * that is 0, since the record does not have it, the file must not have changed since `recorded`, in
 * seconds since 1970.
 * *text becomes "FUNCTION at FILE:LINE", or less where less is known; it is from outside: for a
 * terminal it must be made safe. False where nothing can be said: the file is not there or is
 * another one now, it has no symbols, libdw is not installed or was not there to build with.
 */
bool call_line_find(const char *module, uint64_t offset, uint64_t build, int64_t recorded,
                    char text[CALL_LINE_SIZE]);

#endif
