/* SPDX-License-Identifier: MIT */
/* What a provider module says of itself, for `miguard module info`. */
#ifndef TOOLS_CLI_MODULE_FACTS_H
#define TOOLS_CLI_MODULE_FACTS_H

#include <MI.h>
#include <jansson.h>
#include <stdbool.h>

/* The module as one object: version, flags, classes with their properties and methods. Reads what
 * the module's pointers lead to, which may end the process: called in a child. NULL: out of
 * memory. */
json_t *module_facts(const MI_Module *module);

/*
 * Loads the file in a child, calls its MI_Main() as a registration tool does, with no server, and
 * gets the facts from there: whatever its code does is done to the child. An object with the member
 * "module", and "changes" where loading changed the identity of the thread; or with "error", which
 * says in a sentence why there is no module. NULL: out of memory, or no process could be made.
 */
json_t *module_load_facts(const char *path);

#endif
