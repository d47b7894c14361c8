/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_CLI_RUN_TRACE_H
#define TOOLS_CLI_RUN_TRACE_H

#include <stdbool.h>

/* From now on each call that crosses the guard is a line on stderr: for people, or a JSON object
 * with the one member "trace". Once in a process. */
void run_trace_begin(bool json);
/* No further lines. */
void run_trace_end(void);

#endif
