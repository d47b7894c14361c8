/* SPDX-License-Identifier: MIT */
/*
 * Reads the file of a provider library.
 *
 * Into memory of its own and not by mmap(2): a file that is cut off meanwhile would end the command
 * by SIGBUS, and what was proved about the bytes must stay true of them.
 */
#include "tools/module/module_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* For errno. False. */
static bool problem_of_call(char problem[MODULE_FILE_PROBLEM], const char *call)
{
    snprintf(problem, MODULE_FILE_PROBLEM, "%s: %s", call, strerrordesc_np(errno));
    return false;
}

/* All size bytes from the beginning. A file that became shorter is an error. */
static bool read_bytes(int fd, unsigned char *bytes, size_t size, char problem[MODULE_FILE_PROBLEM])
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, bytes + done, size - done, (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return problem_of_call(problem, "read");
        }
        if (got == 0) {
            snprintf(problem, MODULE_FILE_PROBLEM, "it became shorter while it was read");
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

bool module_file_read_fd(int fd, struct module_file *ret_file, char problem[MODULE_FILE_PROBLEM])
{
    struct module_file file = {0};

    if (fstat(fd, &file.status) != 0) {
        return problem_of_call(problem, "fstat");
    }
    if (!S_ISREG(file.status.st_mode)) {
        snprintf(problem, MODULE_FILE_PROBLEM, "it is no regular file");
        return false;
    }
    if (file.status.st_size > MODULE_FILE_MOST) {
        snprintf(problem, MODULE_FILE_PROBLEM, "it is larger than %d MiB", MODULE_FILE_MOST >> 20);
        return false;
    }
    file.size = (size_t)file.status.st_size;
    file.bytes = base_alloc(file.size + 1, 1);
    if (file.bytes == NULL) {
        snprintf(problem, MODULE_FILE_PROBLEM, "out of memory");
        return false;
    }
    if (!read_bytes(fd, file.bytes, file.size, problem)) {
        base_free(file.bytes);
        return false;
    }
    *ret_file = file;
    return true;
}

/* O_NONBLOCK: a FIFO is opened and refused, not waited for. */
bool module_file_read(const char *path, struct module_file *ret_file,
                      char problem[MODULE_FILE_PROBLEM])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return problem_of_call(problem, "open");
    }
    bool good = module_file_read_fd(fd, ret_file, problem);
    close(fd);
    return good;
}

void module_file_release(struct module_file *file)
{
    base_free(file->bytes);
    *file = (struct module_file){0};
}
