/* SPDX-License-Identifier: MIT */
/* Compiles where the C library has getdents64(2) as glibc does since 2.30. */
#include <dirent.h>
#include <sys/types.h>

ssize_t (*probe(void))(int fd, void *buffer, size_t size);

ssize_t (*probe(void))(int fd, void *buffer, size_t size)
{
    return getdents64;
}
