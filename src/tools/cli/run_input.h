/* SPDX-License-Identifier: MIT */
/* Instances from JSON, for `miguard run --input` (run_input.c). */
#ifndef TOOLS_CLI_RUN_INPUT_H
#define TOOLS_CLI_RUN_INPUT_H

#include <MI.h>
#include <jansson.h>

/* The name of the class of an embedded object or a reference. */
#define RUN_INPUT_CLASS "__CLASS"

/* The object in a file, or on standard input for "-". CLI_YES, or the exit status after a message.
 * The caller releases *ret_object. */
int run_input_read(const char *path, json_t **ret_object);

/*
 * Adds each member of object to instance, which application made. Scalars become texts and arrays
 * of scalars arrays of texts, which the host converts to the declared type; null is NULL; an object
 * is an embedded instance or a reference, whose class __CLASS names. CLI_YES, or the exit status
 * after a message that names the member.
 */
int run_input_add(MI_Application *application, json_t *object, MI_Instance *instance);

#endif
