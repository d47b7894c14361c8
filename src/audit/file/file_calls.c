/* SPDX-License-Identifier: MIT */
/* The system calls of the log file, as one table that a fault test can replace at link time. Calls
 * that can fail in no way that matters, as lseek(2) and munmap(2), are made directly. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/descriptor.h"
#include "base/write.h"

/* Calls that RLIMIT_FSIZE could answer with SIGXFSZ are those of base/write.h, which raise no
 * signal. */
const struct file_calls file_calls = {
    .openat = descriptor_open,
    .close = close,
    .pread = pread,
    .write = write_quietly,
    .ftruncate = ftruncate_quietly,
    .fallocate = fallocate_quietly,
    .posix_fallocate = posix_fallocate_quietly,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .syncfs = syncfs,
    .fstat = fstat,
    .fstatat = fstatat,
    .fstatvfs = fstatvfs,
    .fchmod = fchmod,
    .fchown = fchown,
    .linkat = linkat,
    .renameat = renameat,
    .unlinkat = unlinkat,
    .mkdirat = mkdirat,
    .dup3 = dup3,
    .flock = flock,
    .getrlimit = getrlimit,
    .mmap = mmap,
    .getdents = getdents64,
};
