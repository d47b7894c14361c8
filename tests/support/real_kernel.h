/* SPDX-License-Identifier: MIT */
/*
 * The library's own table of system calls under another name, for a fault test that puts its own
 * in its place and passes on what it does not fail.
 */
#ifndef SUPPORT_REAL_KERNEL_H
#define SUPPORT_REAL_KERNEL_H

#include "identity/kernel.h"

const struct identity_kernel *support_real_kernel(void);
#define real_kernel (*support_real_kernel())

#endif
