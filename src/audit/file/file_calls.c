/* SPDX-License-Identifier: MIT */
/* The system calls of the log file, as one table that a fault test can replace at link time. Calls
 * that can fail in no way that matters, as lseek(2) and munmap(2), are made directly. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/descriptor.h"
#include "base/write.h"

/* struct statx and its mask, for C libraries and kernel headers that do not have them. */
struct looked {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, blocks, attributes_mask, times[8];
    uint32_t own_major, own_minor, major, minor;
    uint64_t rest[14];
};
_Static_assert(sizeof(struct looked) == 256, "as the kernel fills it");
enum {
    LOOK_TYPE = 1,
    LOOK_MODE = 2,
    LOOK_LINKS = 4,
    LOOK_UID = 8,
    LOOK_INODE = 256,
    LOOK_SIZE = 512
};

/*
 * What proves a descriptor, by statx(2) without the times. Since Linux 6.13 a file whose times were
 * asked for gets exact ones with its next change ("multigrain timestamps"), so that fstat(2) before
 * each write(2) makes each of them change the inode, which costs half as much again as the write.
 */
static int look(int fd, struct stat *ret_status)
{
    enum { MASK = LOOK_TYPE | LOOK_MODE | LOOK_LINKS | LOOK_UID | LOOK_INODE | LOOK_SIZE };
    struct looked looked;

    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, MASK, &looked) != 0 ||
        (looked.mask & MASK) != MASK) {
        return fstat(fd, ret_status); /* not in this kernel, or forbidden by a filter */
    }
    *ret_status = (struct stat){.st_dev = makedev(looked.major, looked.minor),
                                .st_ino = looked.inode,
                                .st_mode = looked.mode,
                                .st_nlink = looked.links,
                                .st_uid = looked.uid,
                                .st_size = (off_t)looked.size};
    return 0;
}

/* FIONREAD of a regular file is for the kernel to answer, not for the file system (ioctl(2)). */
static int left(int fd, int *ret_bytes)
{
    return ioctl(fd, FIONREAD, ret_bytes);
}

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
    .look = look,
    .left = left,
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
