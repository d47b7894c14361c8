/* SPDX-License-Identifier: MIT */
/* Names of fields on the command line: --fields and --sort. */
#ifndef TOOLS_CLI_AUDIT_FIELDS_H
#define TOOLS_CLI_AUDIT_FIELDS_H

#include "model/record_fields.h"
#include "tools/cli/options.h"

enum { AUDIT_FIELDS_MOST = 64 };

/* In the order in which they were given. */
struct audit_fields {
    enum record_field list[AUDIT_FIELDS_MOST];
    size_t count; /* 0: not asked for */
};

/* The field of that name, of length bytes: its path in the JSON, "user.name", or without "miguard."
 * or "event.", "provider". CLI_YES, or CLI_USAGE after a message with the nearest name. */
int audit_field_find(const struct command_line *line, const char *option, const char *name,
                     size_t length, enum record_field *ret_field);
/* Names with commas between them; NULL: no fields. CLI_YES, or CLI_USAGE after a message. */
int audit_fields_read(const struct command_line *line, const char *names,
                      struct audit_fields *ret_fields);

#endif
