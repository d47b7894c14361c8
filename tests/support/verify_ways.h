/* SPDX-License-Identifier: MIT */
/* A log verified by one thread and by several, which must find the same. */
#ifndef SUPPORT_VERIFY_WAYS_H
#define SUPPORT_VERIFY_WAYS_H

#include "tools/review/verify.h"

/* As verify_log(), which is called with the request as it is, and then with three threads and
 * pieces that cut through lines. Aborts with both reports where they differ. */
enum miguard_status verify_both_ways(const struct verify_request *request,
                                     struct verify_report *ret_report,
                                     struct miguard_error *reterr);

#endif
