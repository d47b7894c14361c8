/* SPDX-License-Identifier: MIT */
/* Tag and object have the same name in kernel.c, so both become this file's own. */
#define identity_kernel support_kernel_table
#include "../../src/identity/kernel.c"
#undef identity_kernel

struct identity_kernel;
const struct identity_kernel *support_real_kernel(void);

/* The same members in the same order: it is the same declaration. */
const struct identity_kernel *support_real_kernel(void)
{
    return (const struct identity_kernel *)(const void *)&support_kernel_table;
}
