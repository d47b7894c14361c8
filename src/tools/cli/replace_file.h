/* SPDX-License-Identifier: MIT */
/* Replacing a file at once, so that who reads it sees the old one or the new one. */
#ifndef TOOLS_CLI_REPLACE_FILE_H
#define TOOLS_CLI_REPLACE_FILE_H

#include "base/text.h"

/* mode: 0600, or what others need to read it. CLI_YES, or CLI_UNABLE after a message; the old file
 * is then as it was. */
int replace_file(const char *path, const struct text *page, unsigned mode);

#endif
