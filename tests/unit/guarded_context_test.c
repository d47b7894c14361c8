/* SPDX-License-Identifier: MIT */
/* The host's tests once more with every module behind the guard: to who uses a session rightly, the
 * guard must not show. */
#include "miguard.h"
#include "support/log.h"

#define TEST_WRAP      miguard_wrap_module
#define TEST_PREPARE() log_start_once()

#include "host_context_test.c"
