/* SPDX-License-Identifier: MIT */
/*
 * Where a search or follow stopped, in a JSON file. Called by cmd_audit_search.c and
 * cmd_audit_follow.c.
 *
 * The JSON is read strictly: unknown members, wrong types and other versions make it "not a
 * checkpoint". Numbers are limited to what jansson's signed 64 bits hold, which no log reaches.
 *
 * A mark has the name, how far the file was read, and hashes of the first and last line: a file
 * that was rotated is found under its new name, and one that was cut or rewritten is noticed and
 * read from its start.
 */
#include "tools/cli/audit_checkpoint.h"
#include "base/hex.h"
#include "tools/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 2, HEX = READ_HASH * 2 + 1 };

/* A hash as text; hex has room for the NUL. */
static void to_hex(const unsigned char hash[READ_HASH], char hex[HEX])
{
    *hex_put_bytes(hex, hash, READ_HASH) = '\0';
}

/* Exactly as many digits as a hash has, in lower or upper case. */
static bool from_hex(const char *hex, unsigned char hash[READ_HASH])
{
    return strlen(hex) == HEX - 1 && hex_take_bytes(hex, HEX - 1, hash, READ_HASH);
}

/* ---- loading ----------------------------------------------------------------------------------
 */

/* One element of "files". A mark with a negative number or line 0 would make the reader seek
 * outside the file. */
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

/* "chains", which version 1 did not have. A chain is named by 16 hex digits, as in the log. */
static bool get_chains(json_t *chains, struct checkpoint *ret_before)
{
    json_t *item = NULL;
    size_t i = 0;

    if (chains == NULL) {
        return true; /* version 1 has none */
    }
    json_array_foreach(chains, i, item)
    {
        const char *chain = NULL;
        json_int_t sequence = 0;
        if (i == CHECKPOINT_CHAINS ||
            json_unpack(item, "{s:s, s:I!}", "chain", &chain, "sequence", &sequence) != 0 ||
            strlen(chain) != 16 || strspn(chain, "0123456789abcdef") != 16 || sequence < 1) {
            return false;
        }
        ret_before->before[i] = (struct family_place){.chain = strtoull(chain, NULL, 16),
                                                      .sequence = (uint64_t)sequence};
        ret_before->before_count = i + 1;
    }
    return json_is_array(chains);
}

/* The marks on the heap, and the chains in *ret_before. NULL when json is not a checkpoint (or
 * memory ran out, which jansson does not distinguish): the caller refuses it in both cases, since a
 * part of it would skip records. */
static struct read_mark *get_marks(const json_t *json, size_t *ret_count,
                                   struct checkpoint *ret_before)
{
    json_t *files = NULL, *item = NULL, *chains = NULL;
    json_int_t version = 0;
    size_t i = 0;

    if (json_unpack((json_t *)json, "{s:I, s:o, s?o!}", "miguard-checkpoint", &version, "files",
                    &files, "chains", &chains) != 0 ||
        version < 1 || version > VERSION || !json_is_array(files) ||
        !get_chains(chains, ret_before)) {
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

/* Sets each file to its mark, by the hashes of its first and last line and not by its name: a
 * rotated file is found under its new one. */
static void resume(struct log_reader *reader, const struct read_mark *marks, size_t count)
{
    for (size_t i = 0; read_name(reader, i) != NULL; i++) {
        if (read_resume(reader, i, marks, count) == READ_CHANGED) {
            complain(CLI_NO,
                     "%s: it was cut or rewritten since the checkpoint, and is read from its "
                     "beginning; see miguard audit verify",
                     read_name(reader, i));
        }
    }
}

/* CLI_YES with *ret_json, NULL for text that is not JSON; CLI_NO without such a file; CLI_UNABLE
 * after a message. */
static int load_json(const char *path, json_t **ret_json, json_error_t *ret_error)
{
    FILE *file = fopen(path, "re");

    *ret_json = NULL;
    *ret_error = (json_error_t){0};
    if (file == NULL) {
        return errno == ENOENT ? CLI_NO : complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    *ret_json = json_loadf(file, JSON_REJECT_DUPLICATES, ret_error);
    fclose(file);
    return CLI_YES;
}

/* Refused rather than replaced: the file may be another one that was named by mistake. */
static int no_checkpoint(const char *path, const json_error_t *error)
{
    return complain(CLI_UNABLE,
                    "%s: not a checkpoint, or a damaged one%s%s; remove it to begin at the "
                    "beginning",
                    path, error->text[0] != '\0' ? ": " : "", error->text);
}

/* The place is checked as strictly as the marks of a search: a chain of 16 digits and a number from
 * 1. */
int checkpoint_load_place(const char *path, struct family_place *ret_place)
{
    const char *chain = NULL;
    json_int_t version = 0, sequence = 0;
    json_error_t error;
    json_t *json = NULL;
    int status = load_json(path, &json, &error);

    if (status != CLI_YES) {
        return status == CLI_NO ? CLI_YES : status;
    }
    bool good = json_unpack(json, "{s:I, s:s, s:I!}", "miguard-follow-checkpoint", &version,
                            "chain", &chain, "sequence", &sequence) == 0 &&
                version == 1 && strlen(chain) == 16 && strspn(chain, "0123456789abcdef") == 16 &&
                sequence >= 1;
    if (good) {
        *ret_place = (struct family_place){.chain = strtoull(chain, NULL, 16),
                                           .sequence = (uint64_t)sequence};
    }
    json_decref(json);
    return good ? CLI_YES : no_checkpoint(path, &error);
}

/* Marks are kept from here on even without a checkpoint, since checkpoint_save() will need them. */
int checkpoint_load(const char *path, struct log_reader *reader, struct checkpoint *ret_before)
{
    json_error_t error;
    json_t *json = NULL;
    size_t count = 0;

    read_keep_marks(reader);
    int status = load_json(path, &json, &error);
    if (status != CLI_YES) {
        return status == CLI_NO ? CLI_YES : status;
    }
    struct read_mark *marks = get_marks(json, &count, ret_before);
    json_decref(json);
    if (marks == NULL) {
        return no_checkpoint(path, &error);
    }
    resume(reader, marks, count);
    free(marks);
    return CLI_YES;
}

bool checkpoint_take(const json_t *json, struct log_reader *reader, struct checkpoint *ret_before)
{
    size_t count = 0;
    struct read_mark *marks = json == NULL ? NULL : get_marks(json, &count, ret_before);

    if (marks != NULL) {
        resume(reader, marks, count);
    }
    free(marks);
    return marks != NULL;
}

int checkpoint_refuse(const char *path)
{
    const json_error_t error = {0};

    return no_checkpoint(path, &error);
}

int checkpoint_load_file(const char *path, json_t **ret_json)
{
    json_error_t error;
    int status = load_json(path, ret_json, &error);

    if (status == CLI_YES && *ret_json == NULL) {
        return no_checkpoint(path, &error);
    }
    return status == CLI_NO ? CLI_YES : status;
}

/* ---- saving -----------------------------------------------------------------------------------
 */

/* One element of "files"; a name that is not UTF-8 is only for people, so it may be changed. */
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

/* The furthest record of each chain, of this search and the ones before: a search of older files
 * must not move the place back. A chain that this search has not met keeps its place, as long as
 * there is room. */
static json_t *chains_json(const struct checkpoint *checkpoint)
{
    json_t *chains = json_array();
    char hex[24];

    for (size_t i = 0; i < checkpoint->now_count; i++) {
        uint64_t last = checkpoint->now[i].highest;
        for (size_t j = 0; j < checkpoint->before_count; j++) {
            if (checkpoint->before[j].chain == checkpoint->now[i].chain &&
                checkpoint->before[j].sequence > last) {
                last = checkpoint->before[j].sequence;
            }
        }
        snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)checkpoint->now[i].chain);
        json_array_append_new(chains,
                              json_pack("{s:s, s:I}", "chain", hex, "sequence", (json_int_t)last));
    }
    for (size_t j = 0; j < checkpoint->before_count; j++) {
        bool again = false;
        for (size_t i = 0; i < checkpoint->now_count; i++) {
            again |= checkpoint->now[i].chain == checkpoint->before[j].chain;
        }
        if (!again && json_array_size(chains) < CHECKPOINT_CHAINS) {
            snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)checkpoint->before[j].chain);
            json_array_append_new(chains, json_pack("{s:s, s:I}", "chain", hex, "sequence",
                                                    (json_int_t)checkpoint->before[j].sequence));
        }
    }
    return chains;
}

/* A file without a mark, which has no whole line yet, is left out and read from its start next
 * time. */
static json_t *marks_json(const struct log_reader *reader, const struct checkpoint *checkpoint)
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
    return json_pack("{s:i, s:o, s:o}", "miguard-checkpoint", VERSION, "files", files, "chains",
                     chains_json(checkpoint));
}

/* Takes over descriptor. On the disk before the name leads to it: rename(2) alone does not order
 * the two (fsync(2)). */
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

/* Takes over json; NULL is "out of memory". The temporary file is in the same folder, since
 * rename(2) does not cross file systems, and mkostemp(3) makes it readable by its owner alone. */
static int save_json(const char *path, json_t *json)
{
    char *temporary = NULL;
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

json_t *checkpoint_json(const struct log_reader *reader, const struct checkpoint *checkpoint)
{
    return marks_json(reader, checkpoint);
}

int checkpoint_save_file(const char *path, json_t *json)
{
    return save_json(path, json);
}

/* marks_json() gives NULL without memory, which save_json() reports. */
int checkpoint_save(const char *path, const struct log_reader *reader,
                    const struct checkpoint *checkpoint)
{
    return save_json(path, marks_json(reader, checkpoint));
}

/* The member that names the version also distinguishes the two kinds of checkpoint: neither command
 * reads the other's. */
int checkpoint_save_place(const char *path, const struct family_place *place)
{
    char hex[24];

    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)place->chain);
    return save_json(path, json_pack("{s:i, s:s, s:I}", "miguard-follow-checkpoint", 1, "chain",
                                     hex, "sequence", (json_int_t)place->sequence));
}

/* ---- what was removed in between --------------------------------------------------------------
 */

/* The entry of this chain, added when it is new; NULL when there is no room. lowest begins at the
 * highest number, so that the first record sets it. */
static struct checkpoint_chain *chain_of(struct checkpoint *checkpoint, uint64_t chain)
{
    for (size_t i = 0; i < checkpoint->now_count; i++) {
        if (checkpoint->now[i].chain == chain) {
            return &checkpoint->now[i];
        }
    }
    if (checkpoint->now_count == CHECKPOINT_CHAINS) {
        return NULL;
    }
    struct checkpoint_chain *added = &checkpoint->now[checkpoint->now_count++];
    *added = (struct checkpoint_chain){.chain = chain, .lowest = UINT64_MAX};
    return added;
}

/* A record of the log about retention names the last one that it removed; a number that is not
 * below its own cannot be true and is ignored. */
void checkpoint_note(struct checkpoint *checkpoint, const struct record *record)
{
    struct family_place place;
    uint64_t removed = 0;

    if (!family_line(record->line, record->length, &place)) {
        return;
    }
    struct checkpoint_chain *chain = chain_of(checkpoint, place.chain);
    if (chain == NULL) {
        return;
    }
    chain->lowest = place.sequence < chain->lowest ? place.sequence : chain->lowest;
    chain->highest = place.sequence > chain->highest ? place.sequence : chain->highest;
    if (record_number(record, RECORD_REMOVED_THROUGH, &removed) &&
        removed > chain->removed_through && removed < place.sequence) {
        chain->removed_through = removed;
    }
}

/* A gap lies between the last record before and the first one now. `at` counts down over all
 * pairs. */
bool checkpoint_gap(const struct checkpoint *checkpoint, size_t at, struct checkpoint_gap *ret_gap)
{
    for (size_t i = 0; i < checkpoint->before_count; i++) {
        const struct family_place *before = &checkpoint->before[i];
        for (size_t j = 0; j < checkpoint->now_count; j++) {
            const struct checkpoint_chain *now = &checkpoint->now[j];
            if (now->chain != before->chain || now->lowest <= before->sequence + 1 || at-- > 0) {
                continue;
            }
            *ret_gap =
                (struct checkpoint_gap){.chain = before->chain,
                                        .first = before->sequence + 1,
                                        .last = now->lowest - 1,
                                        .retention = now->removed_through >= now->lowest - 1};
            return true;
        }
    }
    return false;
}
