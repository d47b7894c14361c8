/* SPDX-License-Identifier: MIT */
/*
 * Finds and reads the files of a collected store, for fleet.c. A store may have more files than a
 * process may have descriptors, so one is open at a time. A packed file cannot be read at a place:
 * it is unpacked into one temporary file first.
 */
#include "tools/review/fleet_files.h"
#include "base/alloc.h"
#include "base/text.h"
#include "base/write.h"
#include "tools/review/fleet_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum miguard_status no_memory(struct miguard_error *reterr)
{
    return error_set(reterr, MIGUARD_NO_MEMORY, 0, "fleet", NULL);
}

/* With errno. */
static enum miguard_status failed(const char *step, const char *name, struct miguard_error *reterr)
{
    int error = errno;

    return error_set(reterr, error == ENOENT ? MIGUARD_NOT_FOUND : MIGUARD_SYSTEM, error, step,
                     "%s: %s", name, strerror(error));
}

/* ---- which files ---------------------------------------------------------------------------- */

/* Where the search is. root is the length of the name that was given. */
struct search {
    struct fleet_files *files;
    size_t root;
    struct miguard_error *reterr;
};

/* "STORE/web1/audit.log" has the folder web1; "STORE/audit.log" has none. */
static void note_folder(struct fleet_file *file, size_t root)
{
    const char *at = file->name + root;

    at += strspn(at, "/");
    const char *end = strchr(at, '/');
    if (end != NULL && root > 0) {
        file->folder = at;
        file->folder_length = (size_t)(end - at);
    }
}

static enum miguard_status add_file(const struct search *search, const char *name,
                                    const struct stat *status)
{
    struct fleet_files *files = search->files;

    if (files->count == FLEET_FILES_MOST) {
        return error_set(search->reterr, MIGUARD_LIMIT, 0, "fleet", "there are too many files");
    }
    /* Doubles: a store may have many. */
    if ((files->count & (files->count - 1)) == 0) {
        struct fleet_file *list =
            base_resize(files->list, files->count == 0 ? 1 : 2 * files->count, sizeof(*list));
        if (list == NULL) {
            return no_memory(search->reterr);
        }
        files->list = list;
    }
    struct fleet_file file = {
        .name = base_copy_text(name), .device = status->st_dev, .inode = status->st_ino};
    if (file.name == NULL) {
        return no_memory(search->reterr);
    }
    note_folder(&file, search->root);
    files->list[files->count++] = file;
    return MIGUARD_OK;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum miguard_status search_folder(const struct search *search, const char *name,
                                         unsigned depth);

/* A file or a folder; anything else is passed over. One that is gone again was rotated. */
static enum miguard_status search_name(const struct search *search, const char *name,
                                       unsigned depth)
{
    struct stat status;

    if (fstatat(AT_FDCWD, name, &status, depth > 0 ? AT_SYMLINK_NOFOLLOW : 0) != 0) {
        return errno == ENOENT && depth > 0 ? MIGUARD_OK : failed("open", name, search->reterr);
    }
    if (S_ISDIR(status.st_mode)) {
        return search_folder(search, name, depth);
    }
    return S_ISREG(status.st_mode) ? add_file(search, name, &status) : MIGUARD_OK;
}

static enum miguard_status search_folder(const struct search *search, const char *name,
                                         unsigned depth)
{
    struct dirent **entries = NULL;
    enum miguard_status status = MIGUARD_OK;

    if (depth == FLEET_DEPTH) {
        return error_set(search->reterr, MIGUARD_LIMIT, 0, "fleet", "%s: lies too deep", name);
    }
    int count = scandir(name, &entries, not_hidden, alphasort);
    if (count < 0) {
        return failed("open", name, search->reterr);
    }
    for (int i = 0; i < count; i++) {
        struct text path = TEXT_EMPTY;
        text_format(&path, "%s/%s", name, entries[i]->d_name);
        free(entries[i]);
        if (status == MIGUARD_OK) {
            status =
                path.failed ? no_memory(search->reterr) : search_name(search, path.data, depth + 1);
        }
        text_release(&path);
    }
    free(entries);
    return status;
}

enum miguard_status fleet_files_find(const char *const *places, size_t count,
                                     struct fleet_files *ret_files, struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;

    /* lines.c takes the beginning of a descriptor for that of a file, and looks for packed data. */
    *ret_files = (struct fleet_files){.spool = -1, .spool_size = UNPACK_MAGIC, .open = {.fd = -1}};
    for (size_t i = 0; i < count && status == MIGUARD_OK; i++) {
        const struct search search = {ret_files, strlen(places[i]), reterr};
        status = search_name(&search, places[i], 0);
    }
    return status;
}

/* Files of one folder stand together. What they have in common is the way to the folder, too. */
size_t fleet_files_first(const struct fleet_files *files, size_t file)
{
    const struct fleet_file *at = &files->list[file];
    size_t length = (size_t)(at->folder - at->name) + at->folder_length;

    while (file > 0) {
        const struct fleet_file *before = &files->list[file - 1];
        if (before->folder == NULL ||
            (size_t)(before->folder - before->name) + before->folder_length != length ||
            memcmp(before->name, at->name, length) != 0) {
            break;
        }
        file--;
    }
    return file;
}

static void close_open(struct fleet_files *files)
{
    if (files->open.fd >= 0) {
        close(files->open.fd);
    }
    files->open.fd = -1;
}

void fleet_files_release(struct fleet_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        base_free(files->list[i].name);
    }
    base_free(files->list);
    close_open(files);
    if (files->spool >= 0) {
        close(files->spool);
    }
    *files = (struct fleet_files){.spool = -1, .open = {.fd = -1}};
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The file that was listed, and no other that has its name now. A rotation meanwhile is the usual
 * cause, and the next try has the new names. */
static int open_listed(const struct fleet_file *file, struct miguard_error *reterr)
{
    struct stat status;
    int fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        failed("open", file->name, reterr);
        return -1;
    }
    if (fstat(fd, &status) != 0 || status.st_dev != file->device || status.st_ino != file->inode) {
        close(fd);
        error_set(reterr, MIGUARD_SYSTEM, ESTALE, "open",
                  "%s: another file has this name since it was listed; try again", file->name);
        return -1;
    }
    return fd;
}

static bool append_spool(struct fleet_files *files, const char *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write_quietly(files->spool, bytes + done, length - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    files->spool_size += length;
    return true;
}

/* Behind what was unpacked before. fault: the rest is damaged. False and errno. */
static bool unpack_all(struct fleet_files *files, int fd, enum unpack_kind kind,
                       const char **ret_fault)
{
    enum { CHUNK = 64 * 1024 };
    struct unpack_file packed;
    ssize_t got = 1;
    char *buffer = base_alloc(1, CHUNK);

    if (buffer == NULL || !unpack_file_open(&packed, fd, kind)) {
        base_free(buffer);
        errno = ENOMEM;
        return false;
    }
    while (got > 0) {
        got = unpack_file_read(&packed, buffer, CHUNK);
        if (got > 0 && !append_spool(files, buffer, (size_t)got)) {
            got = -1;
        }
    }
    *ret_fault = packed.fault;
    int error = errno;
    unpack_file_close(&packed);
    base_free(buffer);
    errno = error;
    return got == 0;
}

/* The spool is a plain file to lines.c, and so the end of this file must be the end of the spool:
 * it is, until the next one is unpacked. */
static enum miguard_status open_packed(struct fleet_files *files, struct fleet_file *file, int fd,
                                       enum unpack_kind kind, struct lines *ret_lines,
                                       const char **ret_fault, struct miguard_error *reterr)
{
    if (files->spool < 0) {
        files->spool = fleet_temporary();
    }
    file->packed = true;
    file->spooled = files->spool_size;
    if (files->spool < 0 || lseek(files->spool, (off_t)files->spool_size, SEEK_SET) < 0 ||
        !unpack_all(files, fd, kind, ret_fault)) {
        return failed("unpack", file->name, reterr);
    }
    if (!lines_open(files->spool, ret_lines)) {
        return no_memory(reterr);
    }
    lines_skip(ret_lines, file->spooled, 0);
    return MIGUARD_OK;
}

enum miguard_status fleet_files_open(struct fleet_files *files, size_t at, struct lines *ret_lines,
                                     const char **ret_fault, struct miguard_error *reterr)
{
    struct fleet_file *file = &files->list[at];
    char magic[UNPACK_MAGIC];
    enum miguard_status status = MIGUARD_OK;

    *ret_fault = NULL;
    *ret_lines = (struct lines){0};
    int fd = open_listed(file, reterr);
    if (fd < 0) {
        return MIGUARD_SYSTEM;
    }
    ssize_t got = pread(fd, magic, sizeof(magic), 0);
    enum unpack_kind kind = got > 0 ? unpack_kind(magic, (size_t)got) : UNPACK_PLAIN;
    if (got < 0) {
        status = failed("read", file->name, reterr);
    } else if (kind != UNPACK_PLAIN) {
        status = open_packed(files, file, fd, kind, ret_lines, ret_fault, reterr);
    } else if (!lines_open(fd, ret_lines)) {
        status = no_memory(reterr);
    }
    close(fd);
    return status;
}

/* The descriptor that the bytes of this file come from. -1 with *reterr. */
static int descriptor_of(struct fleet_files *files, size_t at, struct miguard_error *reterr)
{
    if (files->list[at].packed) {
        return files->spool;
    }
    if (files->open.fd < 0 || files->open.file != at) {
        close_open(files);
        files->open.fd = open_listed(&files->list[at], reterr);
        files->open.file = at;
    }
    return files->open.fd;
}

enum miguard_status fleet_files_read(struct fleet_files *files, size_t at, uint64_t offset,
                                     size_t length, char *buffer, struct miguard_error *reterr)
{
    const struct fleet_file *file = &files->list[at];
    int fd = descriptor_of(files, at, reterr);

    if (fd < 0) {
        return MIGUARD_SYSTEM;
    }
    offset += file->packed ? file->spooled : 0;
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(fd, buffer + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? ESTALE : errno;
            return failed("read", file->name, reterr);
        }
        done += (size_t)got;
    }
    return MIGUARD_OK;
}
