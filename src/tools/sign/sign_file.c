/* SPDX-License-Identifier: MIT */
/* Reads keys, signatures and passwords from files, and makes such files. A secret that others can
 * read is not used: who read it can sign, too. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/sign/sign.h"

/* All of a small file. is_secret: for its owner alone. O_NONBLOCK: a pipe without a writer would
 * wait for ever, and is refused behind it. */
static enum sign_result read_whole(const char *path, bool is_secret,
                                   char buffer[SIGN_FILE_MOST + 1], size_t *ret_length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum sign_result result = SIGN_UNABLE;
    struct stat status;
    size_t length = 0;
    ssize_t count = 1;

    if (fd < 0 || fstat(fd, &status) < 0) {
        result = SIGN_UNABLE;
    } else if (!S_ISREG(status.st_mode)) {
        result = SIGN_MALFORMED;
    } else if (is_secret && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        result = SIGN_EXPOSED;
    } else {
        while (length <= SIGN_FILE_MOST && count != 0 && (count > 0 || errno == EINTR)) {
            count = read(fd, buffer + length, SIGN_FILE_MOST + 1 - length);
            length += count > 0 ? (size_t)count : 0;
        }
        result = count < 0 ? SIGN_UNABLE : length > SIGN_FILE_MOST ? SIGN_MALFORMED : SIGN_GOOD;
    }
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = error;
    *ret_length = length;
    return result;
}

enum sign_result sign_public_load(const char *path, struct sign_public *ret_key)
{
    char text[SIGN_FILE_MOST + 1];
    size_t length;
    enum sign_result result = read_whole(path, false, text, &length);

    return result == SIGN_GOOD ? sign_public_read(text, length, ret_key) : result;
}

enum sign_result sign_load(const char *path, struct sign_signature *ret_signature)
{
    char text[SIGN_FILE_MOST + 1];
    size_t length;
    enum sign_result result = read_whole(path, false, text, &length);

    return result == SIGN_GOOD ? sign_read(text, length, ret_signature) : result;
}

enum sign_result sign_secret_load(const char *path, const char *password, size_t length,
                                  struct sign_secret *ret_secret)
{
    char text[SIGN_FILE_MOST + 1];
    size_t text_length;
    enum sign_result result = read_whole(path, true, text, &text_length);

    if (result == SIGN_GOOD) {
        result = sign_secret_read(text, text_length, password, length, ret_secret);
    }
    int error = errno;
    sodium_memzero(text, sizeof(text));
    errno = error;
    return result;
}

enum sign_result sign_password_load(const char *path, char ret_password[SIGN_PASSWORD_MOST + 1],
                                    size_t *ret_length)
{
    char text[SIGN_FILE_MOST + 1];
    size_t length;
    enum sign_result result = read_whole(path, true, text, &length);

    if (result == SIGN_GOOD) {
        size_t taken = length > 0 && text[length - 1] == '\n' ? length - 1 : length;
        bool good = taken > 0 && taken <= SIGN_PASSWORD_MOST && memchr(text, '\0', taken) == NULL &&
                    memchr(text, '\n', taken) == NULL;
        result = good ? SIGN_GOOD : SIGN_MALFORMED;
        *ret_length = good ? taken : 0;
        memcpy(ret_password, text, *ret_length);
        ret_password[*ret_length] = '\0';
    }
    int error = errno;
    sodium_memzero(text, sizeof(text));
    errno = error;
    return result;
}

/* EXCL: neither a file that is there nor one behind a link is written to. */
bool sign_make_file(const char *path, const char *bytes, size_t length, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t at = 0;
    ssize_t count = 1;

    if (fd < 0) {
        return false;
    }
    while (at < length && (count >= 0 || errno == EINTR)) {
        count = write(fd, bytes + at, length - at);
        at += count > 0 ? (size_t)count : 0;
    }
    bool good = at == length && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int error = errno;
    good = close(fd) == 0 && good;
    if (!good) {
        (void)unlink(path);
        errno = error;
    }
    return good;
}
