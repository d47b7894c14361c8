/* SPDX-License-Identifier: MIT */
/* What miguard wrap, its --check and miguard unwrap share (wrap_files.c). */
#ifndef TOOLS_CLI_WRAP_H
#define TOOLS_CLI_WRAP_H

#include <limits.h>

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/module/shim_file.h"

struct wrap_request {
    struct word_list files;
    const char *output, *folder;
    bool check, dry_run, again, json;
};

/* A file that a request is about: its name without links, and what it is. */
struct wrap_target {
    char path[PATH_MAX];
    struct shim_examined examined;
    bool of_folder; /* found in --all DIR: a file without MI_Main is passed over */
};

/* Does one thing to one file; gives the exit status. */
typedef int (*wrap_action)(const struct wrap_request *request, const struct wrap_target *target);

/* Calls action for each file of the request, in the order of their names where it is a folder. The
 * worst exit status. CLI_NO, after a message, where a folder has no provider. */
int wrap_each(const struct wrap_request *request, wrap_action action);

/* The name of the provider behind a shim that takes its place: path with the suffix. False: it is
 * too long. */
bool wrap_aside(const char *path, char ret_aside[PATH_MAX]);

/* Whether the name has the suffix: the file is the provider behind a shim. */
bool wrap_is_aside(const char *path);

/* "FILE: text" on stdout. CLI_YES. */
int wrap_say(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --check: one file (wrap_check.c). */
int wrap_check(const struct wrap_request *request, const struct wrap_target *target);

/* The template of this command. */
struct shim_template wrap_template(void);

#endif
