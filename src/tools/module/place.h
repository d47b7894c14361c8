/* SPDX-License-Identifier: MIT */
/*
 * Puts files into a host's folder so that each name always leads to a whole file: before, after,
 * and if the machine goes down in between.
 *
 * False: problem has the step and the reason, without the path; what the file was before is still
 * there.
 */
#ifndef TOOLS_MODULE_PLACE_H
#define TOOLS_MODULE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum { PLACE_PROBLEM = 160 };

/* Writes a new file at path, with the owner, group and permissions of `like` (without write
 * permission for others than the owner). replace: it takes the place of the file that is there;
 * else there must be none. */
bool place_file(const char *path, const void *bytes, size_t size, const struct stat *like,
                bool replace, char problem[PLACE_PROBLEM]);

/* A second name for the file at path, which must be the one that `expected` describes. A name that
 * leads to it already stays; one that leads to another file is replaced only with replace. */
bool place_second_name(const char *path, const char *name, const struct stat *expected,
                       bool replace, char problem[PLACE_PROBLEM]);

/* Moves the file at from to path, in place of what is there. */
bool place_back(const char *from, const char *path, char problem[PLACE_PROBLEM]);

/* Removes the file. */
bool place_removed(const char *path, char problem[PLACE_PROBLEM]);

#endif
