/* SPDX-License-Identifier: MIT */
/* The log of libmiguard-core: a function of the program's. */
#ifndef CORE_RECORDS_H
#define CORE_RECORDS_H

#include <stdint.h>

#include "audit/audit.h"
#include "miguard/core.h"

/* The one log of the process; record and data as in struct miguard_core_config. Called once. */
struct audit *records_open(miguard_record_function record, void *data);

/* How many records were lost. Async-signal safe. */
uint64_t records_lost(void);

#endif
