/* SPDX-License-Identifier: MIT */
#include "cli/audit_checkpoint.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, HEX = READ_HASH * 2 + 1 };

static void to_hex(const unsigned char hash[READ_HASH], char hex[HEX])
{
    for (size_t i = 0; i < READ_HASH; i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
}

static bool from_hex(const char *hex, unsigned char hash[READ_HASH])
{
    if (strlen(hex) != HEX - 1 || strspn(hex, "0123456789abcdef") != HEX - 1) {
        return false;
    }
    for (size_t i = 0; i < READ_HASH; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        hash[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return true;
}

/* ---- loading ----------------------------------------------------------------------------------
 */

static bool get_mark(json_t *item, struct read_mark *ret_mark)
{
    const char *name = NULL, *first = NULL, *last = NULL;
    json_int_t offset = -1, length = -1, line = 0;

    if (json_unpack(item, "{s:s, s:s, s:s, s:I, s:I, s:I!}", "name", &name, "first", &first, "last",
                    &last, "offset", &offset, "length", &length, "line", &line) != 0 ||
        offset < 0 || length < 0 || line < 1) {
        return false;
    }
    ret_mark->offset = (uint64_t)offset;
    ret_mark->length = (uint64_t)length;
    ret_mark->line = (uint64_t)line;
    return from_hex(first, ret_mark->first) && from_hex(last, ret_mark->last);
}

/* NULL when json is no checkpoint (or memory ran out, which jansson does not tell apart). */
static struct read_mark *get_marks(json_t *json, size_t *ret_count)
{
    json_t *files = NULL, *item = NULL;
    json_int_t version = 0;
    size_t i = 0;

    if (json_unpack(json, "{s:I, s:o!}", "miguard-checkpoint", &version, "files", &files) != 0 ||
        version != VERSION || !json_is_array(files)) {
        return NULL;
    }
    struct read_mark *marks = calloc(json_array_size(files) + 1, sizeof(*marks));
    json_array_foreach(files, i, item)
    {
        if (marks == NULL || !get_mark(item, &marks[i])) {
            free(marks);
            return NULL;
        }
    }
    *ret_count = i;
    return marks;
}

static void resume(struct log_reader *reader, const struct read_mark *marks, size_t count)
{
    for (size_t i = 0; read_name(reader, i) != NULL; i++) {
        if (read_resume(reader, i, marks, count) == READ_CHANGED) {
            complain(CLI_NO,
                     "%s: it was cut or rewritten since the checkpoint, and is read from its "
                     "beginning; miguard audit verify tells more",
                     read_name(reader, i));
        }
    }
}

int checkpoint_load(const char *path, struct log_reader *reader)
{
    json_error_t error = {0};
    size_t count = 0;

    read_keep_marks(reader);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT ? CLI_YES : complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    json_t *json = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    struct read_mark *marks = get_marks(json, &count);
    json_decref(json);
    if (marks == NULL) {
        return complain(CLI_UNABLE,
                        "%s: this is no checkpoint, or a damaged one%s%s; remove it to search from "
                        "the beginning",
                        path, error.text[0] != '\0' ? ": " : "", error.text);
    }
    resume(reader, marks, count);
    free(marks);
    return CLI_YES;
}

/* ---- saving -----------------------------------------------------------------------------------
 */

static json_t *mark_json(const char *name, const struct read_mark *mark)
{
    char first[HEX], last[HEX], *valid = valid_utf8(name);

    to_hex(mark->first, first);
    to_hex(mark->last, last);
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "name", valid, "first", first,
                             "last", last, "offset", (json_int_t)mark->offset, "length",
                             (json_int_t)mark->length, "line", (json_int_t)mark->line);
    free(valid);
    return json;
}

static json_t *marks_json(const struct log_reader *reader)
{
    json_t *files = json_array();
    struct read_mark mark;

    for (size_t i = 0; read_name(reader, i) != NULL; i++) {
        if (read_mark(reader, i, &mark) &&
            json_array_append_new(files, mark_json(read_name(reader, i), &mark)) != 0) {
            json_decref(files);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "miguard-checkpoint", VERSION, "files", files);
}

static bool write_whole(int descriptor, const char *text)
{
    FILE *file = fdopen(descriptor, "w");

    if (file == NULL) {
        close(descriptor);
        return false;
    }
    bool good = fprintf(file, "%s\n", text) > 0 && fflush(file) == 0 && fsync(descriptor) == 0;
    int error = errno;
    good = fclose(file) == 0 && good;
    errno = error;
    return good;
}

int checkpoint_save(const char *path, const struct log_reader *reader)
{
    char *temporary = NULL;
    json_t *json = marks_json(reader);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);

    json_decref(json);
    if (text == NULL || asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        free(text);
        return complain(CLI_UNABLE, "out of memory");
    }
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    bool good = descriptor >= 0 && write_whole(descriptor, text) && rename(temporary, path) == 0;
    int status = good ? CLI_YES
                      : complain(CLI_UNABLE, "%s: the checkpoint cannot be written: %s", path,
                                 strerror(errno));
    if (descriptor >= 0 && !good) {
        unlink(temporary);
    }
    free(temporary);
    free(text);
    return status;
}
