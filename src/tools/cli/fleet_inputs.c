/* SPDX-License-Identifier: MIT */
/*
 * Reads keys and heads and has a store verified, for `miguard fleet verify` and `fleet heads`.
 *
 * A signed list is copied first, and the copy is looked at and used: between the two nothing else
 * can come into its place.
 */
#include "tools/cli/fleet_inputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/write.h"
#include "tools/cli/audit_verification.h"
#include "tools/cli/sign_open.h"
#include "tools/review/fleet_index.h"

/* ---- keys ----------------------------------------------------------------------------------- */

/* "web1.key" stands for the host web1. */
static char *host_of_key(const char *name)
{
    size_t length = strlen(name);
    char *host = base_copy_text(name);

    if (host != NULL && length > 4 && strcmp(host + length - 4, ".key") == 0) {
        host[length - 4] = '\0';
    }
    return host;
}

static int add_key(const struct command_line *line, struct fleet_inputs *inputs, const char *name)
{
    struct fleet_key *list = base_resize(inputs->key_list, inputs->key_count + 1, sizeof(*list));
    struct text path = TEXT_EMPTY;

    inputs->key_list = list != NULL ? list : inputs->key_list;
    text_format(&path, "%s/%s", inputs->keys, name);
    char *host = host_of_key(name);
    if (list == NULL || path.failed || host == NULL) {
        base_free(host);
        text_release(&path);
        return complain(CLI_UNABLE, "out of memory");
    }
    list[inputs->key_count] = (struct fleet_key){.name = host};
    int status = verification_load_key(line, path.data, &list[inputs->key_count++].key);
    text_release(&path);
    return status;
}

/* Every file of the folder must be a key: a damaged one must not pass for one that was not given.
 */
static int read_keys(const struct command_line *line, struct fleet_inputs *inputs)
{
    int status = CLI_YES;

    if (inputs->keys == NULL) {
        return CLI_YES;
    }
    DIR *folder = opendir(inputs->keys);
    if (folder == NULL) {
        return complain(CLI_UNABLE, "%s: %s", inputs->keys, strerror(errno));
    }
    for (struct dirent *entry; status == CLI_YES && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            status = add_key(line, inputs, entry->d_name);
        }
    }
    closedir(folder);
    inputs->fleet.keys = inputs->key_list;
    inputs->fleet.key_count = inputs->key_count;
    return status;
}

/* ---- signed lists --------------------------------------------------------------------------- */

/* To the end. False and errno. */
static bool copy_bytes(int from, int to)
{
    char buffer[65536];
    ssize_t got;

    while ((got = read(from, buffer, sizeof(buffer))) != 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write_quietly(to, buffer + done, (size_t)(got - done));
            if (written < 0) {
                return false;
            }
            done += written;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
    }
    return lseek(to, 0, SEEK_SET) == 0;
}

/* A copy without a name; -1 after a message. */
static int copy_list(const char *path)
{
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), to = from >= 0 ? fleet_temporary() : -1;

    if (from < 0 || to < 0 || !copy_bytes(from, to)) {
        complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
        if (to >= 0) {
            close(to);
        }
        to = -1;
    }
    if (from >= 0) {
        close(from);
    }
    return to;
}

/* A signature that is not right is a no, and not "not known": the list is not what was signed. */
static int check_list(const char *path, int fd, const struct sign_public *keys, size_t count)
{
    struct sign_signature signature;
    uint8_t digest[SIGN_DIGEST];
    char *name = NULL;
    size_t index;

    if (asprintf(&name, "%s.minisig", path) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    enum sign_result result = sign_load(name, &signature);
    int status = result == SIGN_GOOD ? CLI_YES : complain_sign(CLI_UNABLE, name, result);
    free(name);
    if (status != CLI_YES) {
        return status;
    }
    result = sign_digest_fd(fd, digest);
    if (result == SIGN_GOOD) {
        result = sign_verify(&signature, digest, keys, count, &index);
    }
    return result == SIGN_GOOD     ? CLI_YES
           : result == SIGN_UNABLE ? complain_sign(CLI_UNABLE, path, result)
                                   : complain_sign(CLI_NO, path, result);
}

static int take_list(struct fleet_inputs *inputs, const char *path, const struct sign_public *keys)
{
    size_t at = inputs->copy_count;
    int fd = copy_list(path);

    if (fd < 0) {
        return CLI_UNABLE;
    }
    inputs->copies[at] = fd;
    inputs->copy_count++;
    if (asprintf(&inputs->copy_names[at], "/proc/self/fd/%d", fd) < 0) {
        inputs->copy_names[at] = NULL;
        return complain(CLI_UNABLE, "out of memory");
    }
    return check_list(path, fd, keys, inputs->signed_by.count);
}

static int take_lists(struct fleet_inputs *inputs)
{
    struct sign_public *keys = NULL;
    size_t count = inputs->heads.count;
    int status = sign_begin() ? sign_open_public(&inputs->signed_by, &keys)
                              : complain(CLI_UNABLE, "no random numbers");

    inputs->copies = calloc(count + 1, sizeof(*inputs->copies));
    inputs->copy_names = calloc(count + 1, sizeof(*inputs->copy_names));
    if (status == CLI_YES && (inputs->copies == NULL || inputs->copy_names == NULL)) {
        status = complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < count && status == CLI_YES; i++) {
        status = take_list(inputs, inputs->heads.items[i], keys);
    }
    free(keys);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* Called by fleet_verify(). True: go on. */
static bool progress(void *context, uint64_t done, uint64_t total)
{
    struct fleet_inputs *inputs = context;
    int64_t now = clock_now_ms();

    if (now - inputs->started < 1000 || now - inputs->shown < 200 || total == 0 ||
        !isatty(STDERR_FILENO)) {
        return true;
    }
    inputs->shown = now;
    fprintf(stderr, "\r\033[Kverifying: %3.0f %%", 100.0 * (double)done / (double)total);
    return true;
}

int fleet_inputs_verify(const struct command_line *line, struct fleet_inputs *inputs,
                        struct fleet_report *ret_report)
{
    struct fleet_request *fleet = &inputs->fleet;
    struct miguard_error error = {0};

    if (inputs->places.count == 0) {
        return wrong_usage(line, "FOLDER is missing");
    }
    int status = read_keys(line, inputs);
    if (status == CLI_YES && inputs->signed_by.count > 0) {
        status = take_lists(inputs);
    }
    if (status != CLI_YES) {
        return status;
    }
    fleet->places = inputs->places.items;
    fleet->place_count = inputs->places.count;
    fleet->heads =
        inputs->copy_count > 0 ? (const char *const *)inputs->copy_names : inputs->heads.items;
    fleet->head_count = inputs->heads.count;
    fleet->progress = progress;
    fleet->context = inputs;
    inputs->started = clock_now_ms();
    enum miguard_status verified = fleet_verify(fleet, ret_report, &error);
    fputs(inputs->shown != 0 ? "\r\033[K" : "", stderr);
    return verified == MIGUARD_OK ? CLI_YES : complain_error(CLI_UNABLE, line->name, &error);
}

void fleet_inputs_release(struct fleet_inputs *inputs)
{
    for (size_t i = 0; i < inputs->key_count; i++) {
        chain_key_wipe(&inputs->key_list[i].key);
        base_free((void *)(uintptr_t)inputs->key_list[i].name);
    }
    for (size_t i = 0; i < inputs->copy_count; i++) {
        close(inputs->copies[i]);
        free(inputs->copy_names[i]);
    }
    base_free(inputs->key_list);
    free(inputs->copies);
    free(inputs->copy_names);
    word_list_release(&inputs->places);
    word_list_release(&inputs->heads);
    word_list_release(&inputs->signed_by);
}
