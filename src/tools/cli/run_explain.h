/* SPDX-License-Identifier: MIT */
/* Why a request failed (run_explain.c), for `miguard run` and `miguard serve`. */
#ifndef TOOLS_CLI_RUN_EXPLAIN_H
#define TOOLS_CLI_RUN_EXPLAIN_H

#include <MI.h>

#include "tools/cli/run_request.h"

/* Says on complain()'s stream which class, property, key or method is unknown or missing, after the
 * result. Nothing for other results and with --json, whose answer is one object. */
void run_explain(const struct run_request *request, MI_Session *session, MI_Result result);

#endif
