/* SPDX-License-Identifier: MIT */
/*
 * Finds the fields that are named on the command line, by their paths in the record
 * (model/record_fields.h), with or without the first part where that is miguard or event.
 */
#include "tools/cli/audit_fields.h"

#include <string.h>

#include "tools/cli/cli.h"

/* The first row is not a field. */
static bool is_named(enum record_field field, const char *name, size_t length)
{
    static const char *const prefixes[] = {"", "miguard.", "event."};
    const char *path = record_fields[field].path;

    for (size_t i = 0; path != NULL && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t skip = strlen(prefixes[i]);
        if (strncmp(path, prefixes[i], skip) == 0 && strlen(path) == skip + length &&
            memcmp(path + skip, name, length) == 0) {
            return true;
        }
    }
    return false;
}

int audit_field_find(const struct command_line *line, const char *option, const char *name,
                     size_t length, enum record_field *ret_field)
{
    const char *nearest = NULL;
    char given[64];

    snprintf(given, sizeof(given), "%.*s", (int)(length < sizeof(given) ? length : 0), name);
    for (enum record_field i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (is_named(i, name, length)) {
            *ret_field = i;
            return CLI_YES;
        }
        if (record_fields[i].path != NULL) {
            nearest = nearer_word(given, nearest, record_fields[i].path);
        }
    }
    return nearest != NULL
               ? wrong_usage(line, "%s '%s' is no field; did you mean %s?", option, given, nearest)
               : wrong_usage(line,
                             "%s '%s' is no field; they are those of "
                             "miguard-audit-record(5), such as user.name",
                             option, given);
}

int audit_fields_read(const struct command_line *line, const char *names,
                      struct audit_fields *ret_fields)
{
    ret_fields->count = 0;
    while (names != NULL && *names != '\0') {
        size_t length = strcspn(names, ",");
        if (ret_fields->count == AUDIT_FIELDS_MOST) {
            return wrong_usage(line, "--fields: more than %d fields", AUDIT_FIELDS_MOST);
        }
        int status = audit_field_find(line, "--fields", names, length,
                                      &ret_fields->list[ret_fields->count++]);
        if (status != CLI_YES) {
            return status;
        }
        names += length + (names[length] == ',');
    }
    return CLI_YES;
}
