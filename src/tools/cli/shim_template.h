/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_CLI_SHIM_TEMPLATE_H
#define TOOLS_CLI_SHIM_TEMPLATE_H

#include <stddef.h>

/* The bytes of a shim whose settings are empty (src/shim/template). */
const unsigned char *shim_template(size_t *ret_size);

#endif
