/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "miguard/status.h"

/* Fills *reterr when it is not NULL and returns status, so that a failure takes one line where it
 * happens. format may be NULL. Does not allocate. */
enum miguard_status error_set(struct miguard_error *reterr, enum miguard_status status,
                              int system_errno, const char *step, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
