/* SPDX-License-Identifier: MIT */
/*
 * The files of a collected store: every regular file below the folders that are named, whatever
 * its name, plain or packed. They are read once from front to end, and later record by record.
 */
#ifndef TOOLS_REVIEW_FLEET_FILES_H
#define TOOLS_REVIEW_FLEET_FILES_H

#include <sys/types.h>

#include "base/error.h"
#include "tools/review/verify_lines.h"

/* DEPTH: of folders below one that is named. */
enum { FLEET_DEPTH = 16, FLEET_FILES_MOST = 1 << 24 };

struct fleet_file {
    char *name;
    const char *folder; /* in name: the folder right below the one that was named; NULL: it lies
                         * in that itself */
    size_t folder_length;
    size_t owner; /* of the first file in a folder: the row of its host, from 1; 0: none yet */
    bool packed;
    uint64_t spooled; /* where its bytes begin in the spool, when it is packed */
    dev_t device;
    ino_t inode;
};

struct fleet_files {
    struct fleet_file *list;
    size_t count;
    int spool; /* packed files, unpacked one behind the other; -1: there are none */
    uint64_t spool_size;
    struct {
        size_t file;
        int fd;
    } open; /* the one that a record was last read from; fd -1: none */
};

/* In the order of their names. Names that begin with a dot and symbolic links are passed over,
 * since a link could show a file twice or lead out of the store. Errors: NOT_FOUND, SYSTEM,
 * NO_MEMORY, LIMIT (folders that lie too deep). fleet_files_release() in any case. */
MIGUARD_CHECKED enum miguard_status fleet_files_find(const char *const *places, size_t count,
                                                     struct fleet_files *ret_files,
                                                     struct miguard_error *reterr);
void fleet_files_release(struct fleet_files *files);

/* Opens one for lines_next(). A packed one is unpacked into the spool as far as it goes, and *ret_
 * fault says what is wrong behind that (NULL: nothing). The descriptor of *ret_lines is its own. */
MIGUARD_CHECKED enum miguard_status fleet_files_open(struct fleet_files *files, size_t file,
                                                     struct lines *ret_lines,
                                                     const char **ret_fault,
                                                     struct miguard_error *reterr);

/* The first file in the folder of this one, which has one. */
size_t fleet_files_first(const struct fleet_files *files, size_t file);

/* Exactly length bytes. Errors: SYSTEM, also when the file is no longer the one that was read. */
MIGUARD_CHECKED enum miguard_status fleet_files_read(struct fleet_files *files, size_t file,
                                                     uint64_t offset, size_t length, char *buffer,
                                                     struct miguard_error *reterr);

#endif
