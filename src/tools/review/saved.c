/* SPDX-License-Identifier: MIT */
/*
 * Reads saved queries. $MIGUARD_QUERIES names the folder, alone; else it is that of the user, then
 * /etc/miguard/queries, and then come those that are built in: the first one with the name is
 * taken.
 *
 * A file has one option a line, as on the command line but without the shell's quoting: what stands
 * behind the name and a blank or "=" is the value. A query is data: nothing in it is run, and a
 * name is no path, so a script may pass on one that it was given.
 */
#include "tools/review/saved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { SAVED_SIZE = 64 * 1024, SAVED_LINE = 4096, SAVED_MOST = 1024 };

static const struct {
    const char *name, *text;
} built_in[] = {
    {"refusals", "# all calls that were refused\n--decision deny\n"},
    {"would-deny", "# what permissive mode let pass\n--decision would-deny\n"},
    {"mismatches", "# sessions used under another identity\n--reason identity-mismatch\n"},
    {"forged", "# handles that were never given out, or inherited through a fork\n"
               "--reason handle-forged\n--reason handle-inherited\n"},
    {"gate", "# changes of credentials that the gate stopped, or a gate that failed\n"
             "--not\n--decision allow\n--reason gate\n--reason gate-failed\n--reason io-uring\n"},
    {"policy", "# policies that came into force or were refused\n"
               "--action policy-load\n--action policy-refused\n"},
    {"losses", "# records that are missing, space that ran out, a state that was damaged\n"
               "--action records-lost\n--action audit-space\n--action audit-state-set-aside\n"},
};

enum { BUILT_IN = sizeof(built_in) / sizeof(built_in[0]) };

/* ---- where they are ------------------------------------------------------------------------- */

/* The environment is not believed in a set-id program. How many there are; each on the heap. */
static size_t list_folders(char *ret_folders[SAVED_FOLDERS])
{
    const char *given = secure_getenv("MIGUARD_QUERIES");
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    size_t count = 0;
    int length = -1;

    if (given != NULL && given[0] != '\0') {
        ret_folders[0] = strdup(given);
        return ret_folders[0] != NULL;
    }
    if (config != NULL && config[0] == '/') {
        length = asprintf(&ret_folders[0], "%s/miguard/queries", config);
    } else if (home != NULL && home[0] == '/') {
        length = asprintf(&ret_folders[0], "%s/.config/miguard/queries", home);
    }
    count += length > 0;
    ret_folders[count] = strdup("/etc/miguard/queries");
    return count + (ret_folders[count] != NULL);
}

static void free_folders(char *folders[SAVED_FOLDERS], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(folders[i]);
    }
}

/* Letters, digits, - and _ alone: it cannot lead out of the folder. */
static bool good_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return length > 0 && length < SAVED_NAME && name[length] == '\0';
}

/* The whole file on the heap, with a zero behind it. NULL and errno; EFBIG for one that is no query
 * by its size. Not a pipe, which could be waited for without end. */
static char *read_file(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text = fd >= 0 ? base_alloc(1, SAVED_SIZE + 1) : NULL;
    size_t length = 0;
    ssize_t got = 1;

    while (text != NULL && length <= SAVED_SIZE && got > 0) {
        got = read(fd, text + length, SAVED_SIZE + 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    int error = fd < 0                ? errno
                : text == NULL        ? ENOMEM
                : got < 0             ? errno
                : length > SAVED_SIZE ? EFBIG
                                      : 0;
    if (error == 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        error = EINVAL;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (error != 0) {
        base_free(text);
        errno = error;
        return NULL;
    }
    text[length] = '\0';
    return text;
}

/* ---- reading ---------------------------------------------------------------------------------*/

struct saved_reader {
    saved_line line;
    void *context;
};

/* One line without blanks around it: the name, and what stands behind it. */
static enum miguard_status add_line(const struct saved_reader *reader, char *line,
                                    struct miguard_error *reterr)
{
    char *value = line + strcspn(line, " \t=");

    if (*value != '\0') {
        *value++ = '\0';
        value += strspn(value, " \t");
    }
    return reader->line(reader->context, line, *value != '\0' ? value : NULL, reterr);
}

static enum miguard_status add_lines(const struct saved_reader *reader, const char *place,
                                     const char *text, struct miguard_error *reterr)
{
    enum miguard_status status = MIGUARD_OK;
    struct miguard_error error = {0};
    char line[SAVED_LINE];
    unsigned number = 0;

    while (*text != '\0' && status == MIGUARD_OK) {
        size_t length = strcspn(text, "\n"), begin = strspn(text, " \t\r"), end = length;
        while (end > begin && strchr(" \t\r", text[end - 1]) != NULL) {
            end--;
        }
        number++;
        if (begin < end && text[begin] != '#') {
            snprintf(line, sizeof(line), "%.*s", (int)(end - begin), text + begin);
            status = end - begin < sizeof(line) ? add_line(reader, line, &error)
                                                : error_set(&error, MIGUARD_INVALID_ARGUMENT, 0,
                                                            "saved", "the line is too long");
        }
        text += length + (text[length] == '\n');
    }
    if (status == MIGUARD_OK) {
        status = reader->line(reader->context, NULL, NULL, &error);
    }
    return status == MIGUARD_OK ? status
                                : error_set(reterr, status, 0, "saved", "%s:%u: %s%s%s", place,
                                            number, error.step[0] == '-' ? error.step : "",
                                            error.step[0] == '-' ? " " : "", error.detail);
}

/* Of the user, then of the system. NOT_FOUND: in no folder. */
static enum miguard_status read_saved_file(const char *name, const struct saved_reader *reader,
                                           struct miguard_error *reterr)
{
    char *folders[SAVED_FOLDERS], *path = NULL;
    size_t count = list_folders(folders);
    enum miguard_status status = MIGUARD_NOT_FOUND;

    for (size_t i = 0; i < count && status == MIGUARD_NOT_FOUND; i++) {
        if (asprintf(&path, "%s/%s.query", folders[i], name) < 0) {
            status = error_set(reterr, MIGUARD_NO_MEMORY, 0, "saved", NULL);
            break;
        }
        char *text = read_file(path);
        if (text != NULL) {
            status = add_lines(reader, path, text, reterr);
        } else if (errno != ENOENT && errno != ENOTDIR) {
            status = error_set(reterr, errno == ENOMEM ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM, errno,
                               "saved", "%s: %s", path, strerrordesc_np(errno));
        }
        base_free(text);
        free(path);
    }
    free_folders(folders, count);
    return status;
}

enum miguard_status saved_read(const char *name, saved_line line, void *context,
                               struct miguard_error *reterr)
{
    const struct saved_reader reader = {line, context};

    if (!good_name(name)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "saved",
                         "'%.60s' is not a name; those are of letters, digits, - and _", name);
    }
    enum miguard_status status = read_saved_file(name, &reader, reterr);
    if (status != MIGUARD_NOT_FOUND) {
        return status;
    }
    for (size_t i = 0; i < BUILT_IN; i++) {
        if (strcmp(built_in[i].name, name) == 0) {
            return add_lines(&reader, "built in", built_in[i].text, reterr);
        }
    }
    return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "saved",
                     "'%s' is no saved query; see miguard audit queries", name);
}

/* ---- which there are ------------------------------------------------------------------------ */

struct saved_found {
    struct saved_query *list;
    size_t count;
};

/* Takes over place and text. The first of a name stays. */
static bool add_found(struct saved_found *found, const char *name, char *place, char *text)
{
    bool known = found->count == SAVED_MOST;

    for (size_t i = 0; i < found->count; i++) {
        known = known || strcmp(found->list[i].name, name) == 0;
    }
    if (known || place == NULL || text == NULL) {
        free(place);
        free(text);
        return known;
    }
    struct saved_query *added = &found->list[found->count++];
    snprintf(added->name, sizeof(added->name), "%s", name);
    added->place = place;
    added->text = text;
    return true;
}

/* A file NAME.query that can be read. */
static bool add_entry(struct saved_found *found, const char *folder, const char *entry)
{
    const char *dot = strrchr(entry, '.');
    char name[SAVED_NAME], *path = NULL;

    if (dot == NULL || strcmp(dot, ".query") != 0 || (size_t)(dot - entry) >= sizeof(name)) {
        return true;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(dot - entry), entry);
    if (!good_name(name)) {
        return true;
    }
    if (asprintf(&path, "%s/%s", folder, entry) < 0) {
        return false;
    }
    char *text = read_file(path);
    if (text == NULL) {
        free(path);
        return errno != ENOMEM;
    }
    char *copy = strdup(text);
    base_free(text);
    return add_found(found, name, path, copy);
}

static bool add_folder(struct saved_found *found, const char *folder)
{
    DIR *directory = opendir(folder);
    bool good = true;

    for (struct dirent *entry; good && directory != NULL && (entry = readdir(directory)) != NULL;) {
        good = add_entry(found, folder, entry->d_name);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return good;
}

static int by_name(const void *a, const void *b)
{
    const struct saved_query *one = a, *other = b;

    return strcmp(one->name, other->name);
}

bool saved_list(struct saved_query **ret_list, size_t *ret_count)
{
    struct saved_found found = {.list = calloc(SAVED_MOST, sizeof(*found.list))};
    char *folders[SAVED_FOLDERS];
    size_t count = list_folders(folders);
    bool good = found.list != NULL;

    for (size_t i = 0; i < count && good; i++) {
        good = add_folder(&found, folders[i]);
    }
    for (size_t i = 0; i < BUILT_IN && good; i++) {
        good = add_found(&found, built_in[i].name, strdup("built in"), strdup(built_in[i].text));
    }
    free_folders(folders, count);
    if (!good) {
        saved_release(found.list, found.count);
        return false;
    }
    qsort(found.list, found.count, sizeof(*found.list), by_name);
    *ret_list = found.list;
    *ret_count = found.count;
    return true;
}

void saved_release(struct saved_query *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].place);
        free(list[i].text);
    }
    free(list);
}
