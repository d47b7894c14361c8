/* SPDX-License-Identifier: MIT */
/* Instances from MOF or JSON, for `miguard run --input` (run_input.c, run_json.c, run_mof.c). */
#ifndef TOOLS_CLI_RUN_INPUT_H
#define TOOLS_CLI_RUN_INPUT_H

#include <MI.h>
#include <jansson.h>
#include <stddef.h>

#include "host/mof/mof.h"

/* The name of the class of an embedded object or a reference in JSON. */
#define RUN_INPUT_CLASS "__CLASS"

/* Bytes of a file, and levels of objects. The host refuses more than it can hold itself; this keeps
 * a device that never ends, and the recursion here, in bounds. */
enum { RUN_INPUT_BYTES = 64 << 20, RUN_INPUT_LEVELS = 32 };

/* What was read: one of the two. */
struct run_input {
    const char *name;         /* for messages; borrowed */
    json_t *json;             /* an object */
    struct mof_document *mof; /* at least one instance; the last one is meant */
};

/* Reads a file, or standard input for "-". CLI_YES, or the exit status after a message. Released
 * with run_input_release() in either case. */
int run_input_read(const char *path, struct run_input *ret_input);

/* The bytes of it, on the heap, at most RUN_INPUT_BYTES and one. */
int run_input_bytes(const char *path, char **ret_text, size_t *ret_length);

/* The same for a text that is there. */
int run_input_take(const char *name, const char *text, size_t length, struct run_input *ret_input);

/* Zeroes it; zero is allowed. */
void run_input_release(struct run_input *input);

/* Where the types of the elements are: a class, or the parameters of its method. The host converts
 * texts to them; to know them here gives errors a place, and distinguishes a reference from a
 * string. */
struct run_shape {
    MI_Session *session;
    const char *name_space, *class_name;
    const char *method; /* NULL: the properties of the class */
};

/* (run_mof.c) The declaration of a class, asked of the server, or NULL. The caller
 * deletes it. */
MI_Class *run_class_new(const struct run_shape *shape, const char *class_name);

/* What a value of a scalar type looks like in MOF: "uint8: a number from 0 to 255". */
const char *run_type_text(MI_Type type);

/*
 * Adds what was read to instance, which application made. Scalars become texts and arrays of
 * scalars arrays of texts, which the host converts to the declared type; null is NULL. CLI_YES, or
 * the exit status after a message that names the place.
 */
int run_input_add(MI_Application *application, const struct run_shape *shape,
                  const struct run_input *input, MI_Instance *instance);

/* The two that run_input_add() chooses from. */
int run_json_add(MI_Application *application, json_t *object, MI_Instance *instance);
int run_mof_add(MI_Application *application, const struct run_shape *shape,
                const struct run_input *input, MI_Instance *instance);

#endif
