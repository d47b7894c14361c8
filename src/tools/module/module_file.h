/* SPDX-License-Identifier: MIT */
/*
 * The file of a provider library in memory, for what reads it without running it.
 */
#ifndef TOOLS_MODULE_MODULE_FILE_H
#define TOOLS_MODULE_MODULE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Bytes of a library that is read, and of a message. */
enum { MODULE_FILE_MOST = 512 << 20, MODULE_FILE_PROBLEM = 160 };

struct module_file {
    unsigned char *bytes;
    size_t size;
    struct stat status; /* of the descriptor that was read */
};

/* Reads a regular file, following links. Anything else is refused without waiting for it. False:
 * problem has the reason, without the path; nothing is to be released. */
bool module_file_read(const char *path, struct module_file *ret_file,
                      char problem[MODULE_FILE_PROBLEM]);

/* The same from a descriptor, whatever its offset is, which stays open. */
bool module_file_read_fd(int fd, struct module_file *ret_file, char problem[MODULE_FILE_PROBLEM]);

/* Frees the bytes; {0} is allowed. */
void module_file_release(struct module_file *file);

#endif
