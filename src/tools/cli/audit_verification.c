/* SPDX-License-Identifier: MIT */
/*
 * Verifies a log for the commands that say whether it is intact.
 *
 * The order: the key is read first, then the state beside each log, and the log last, so that what
 * a writer adds meanwhile is behind the head of the state. verify_log() does the work; this file
 * reads its inputs and shows progress.
 */
#include "tools/cli/audit_verification.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file/family.h"
#include "audit/file/file.h"
#include "base/clock.h"
#include "tools/cli/audit_open.h"
#include "tools/review/scan.h"

/* ---- what is read before the log ------------------------------------------------------------ */

/* The number of bytes, at most size; -1 and errno. A key may come through a pipe in pieces. */
static ssize_t read_up_to(int fd, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)length;
        }
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* The text is wiped before it is freed: it holds the key. */
static bool parse_key_file(int fd, struct chain_key *ret_key, bool *ret_good)
{
    enum { ROOM = 64 * 1024 };
    char *text = malloc(ROOM);
    ssize_t length = text != NULL ? read_up_to(fd, text, ROOM) : -1;
    int error = errno;

    *ret_good = length >= 0 && chain_key_parse(text, (size_t)length, ret_key);
    if (text != NULL) {
        sodium_memzero(text, ROOM);
    }
    free(text);
    errno = error;
    return length >= 0;
}

/* Who has the key can forge the log, so others must not be able to read it; an access list that
 * lets them widens the bits of the group, too (acl(5)). Pipes have no such mode. */
static bool open_to_others(int fd, unsigned *ret_mode)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    *ret_mode = status.st_mode & 07777;
    return (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

/* The key comes from a file or standard input, and not from the command line, which every user can
 * read in /proc (proc(5)). A file that is not a key is
 * wrong usage; one that cannot be read, or that others can read, is CLI_UNABLE: 1 would say that
 * the log was tampered with. */
int verification_load_key(const struct command_line *line, const char *name,
                          struct chain_key *ret_key)
{
    bool good = false;

    bool standard = strcmp(name, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return complain(CLI_UNABLE, "%s: %s", name, strerror(errno));
    }
    unsigned mode = 0;
    if (open_to_others(fd, &mode)) {
        if (!standard) {
            close(fd);
        }
        return complain(CLI_UNABLE,
                        "%s: is open to others than its owner (mode %04o; right is 0600): who has "
                        "the key can forge the log",
                        name, mode);
    }
    bool read = parse_key_file(fd, ret_key, &good);
    int error = errno;
    if (!standard) {
        close(fd);
    }
    if (!read) {
        return complain(CLI_UNABLE, "%s: %s", name, strerror(error));
    }
    return good ? CLI_YES
                : wrong_usage(line,
                              "%s: not a verification key: one line, " CHAIN_KEY_PREFIX
                              " and 64 hex digits, as miguard audit init printed it",
                              name);
}

/* Without --key there is nothing to read. */
int verification_read_key(const struct command_line *line, struct verification *verification)
{
    return verification->key_file == NULL
               ? CLI_YES
               : verification_load_key(line, verification->key_file, &verification->key);
}

/* Without FILE, the log of the policy in force. */
static int choose_files(struct verification *verification)
{
    if (verification->files.count > 0) {
        return CLI_YES;
    }
    verification->default_log = audit_default_log();
    if (verification->default_log == NULL) {
        return CLI_UNABLE;
    }
    verification->files.items = calloc(1, sizeof(*verification->files.items));
    if (verification->files.items == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    verification->files.items[0] = verification->default_log;
    verification->files.count = 1;
    return CLI_YES;
}

/* Keeps the first reason only. */
static void miss_state(struct verification *verification, const char *why)
{
    if (verification->every_state) {
        verification->every_state = false;
        snprintf(verification->no_state, sizeof(verification->no_state), "%s", why);
    }
}

/* A rotated file or a second name that is given by itself has the state of its log, which is among
 * those of the others. */
static bool has_state(const struct verification *verification, const char *name)
{
    struct family_place place = {0};
    bool known = family_read_first(AT_FDCWD, name, &place);

    for (size_t i = 0; i < verification->state_count && known; i++) {
        if (verification->states[i].chain_id == place.chain) {
            return true;
        }
    }
    return verification->files.count == 1 && verification->state_count == 1;
}

/*
 * Before the files: what a writer adds meanwhile comes behind this head and is not missing. The
 * state may be missing, but the reader of the answer has to know that it was. Its key is wiped at
 * once: the state proves the end of the log, and the key that is needed for the rest must come from
 * another host.
 */
static int read_states(struct verification *verification)
{
    verification->states = calloc(verification->files.count + 1, sizeof(*verification->states));
    if (verification->states == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < verification->files.count; i++) {
        struct miguard_error error = {0};
        struct state_head *state = &verification->states[verification->state_count];
        enum miguard_status status = file_read_head(verification->files.items[i], state, &error);
        chain_key_wipe(&state->key);
        verification->state_count += status == MIGUARD_OK;
        if (status != MIGUARD_OK && status != MIGUARD_NOT_FOUND) {
            miss_state(verification,
                       error.detail[0] != '\0' ? error.detail : miguard_status_text(status));
        }
    }
    for (size_t i = 0; i < verification->files.count; i++) {
        if (!has_state(verification, verification->files.items[i])) {
            miss_state(verification, "it is missing");
        }
    }
    return CLI_YES;
}

/* ---- progress ------------------------------------------------------------------------------- */

/* Called by verify_log(). True: go on. */
static bool progress(void *context, uint64_t done, uint64_t total)
{
    struct verification *verification = context;
    int64_t now = clock_now_ms();

    if (now - verification->started < 1000 || now - verification->shown < 200 || total == 0 ||
        !isatty(STDERR_FILENO)) {
        return true;
    }
    verification->shown = now;
    fprintf(stderr, "\r\033[Kverifying: %3.0f %% of %.0f MiB",
            100.0 * (double)(done < total ? done : total) / (double)total,
            (double)total / (1024.0 * 1024.0));
    return true;
}

/* Removes the line, if one was shown. */
static void end_progress(const struct verification *verification)
{
    if (verification->shown != 0) {
        fputs("\r\033[K", stderr);
    }
}

/* ---- the verification ----------------------------------------------------------------------- */

/* The states are read before the log, for the reason given at read_states(). The limits
 * (look_ahead, steps, waits) are those that verify_log() is made for: a log that is being written
 * may rotate while it is read. */
int verification_run(struct verification *verification, struct verify_report *ret_report)
{
    struct miguard_error error = {0};

    if (choose_files(verification) != CLI_YES || read_states(verification) != CLI_YES) {
        return CLI_UNABLE;
    }
    const struct verify_request request = {
        .logs = verification->files.items,
        .log_count = verification->files.count,
        .key = verification->key_file != NULL ? &verification->key : NULL,
        .state = verification->state_count > 0 ? verification->states : NULL,
        .state_count = verification->state_count,
        .heads = verification->heads,
        .head_count = verification->head_count,
        .look_ahead = VERIFY_LOOK_AHEAD,
        .steps = VERIFY_STEPS,
        .waits = VERIFY_WAITS,
        .progress = progress,
        .context = verification,
        .threads = scan_processors(),
    };
    verification->started = clock_now_ms();
    enum miguard_status status = verify_log(&request, ret_report, &error);
    end_progress(verification);
    return status == MIGUARD_OK ? CLI_YES
                                : complain_error(CLI_UNABLE, "miguard audit verify", &error);
}

/* A copy of a log whose tail was cut is as sound as the whole: only the state of the log, which
 * knows its last record, or a head from elsewhere can miss what is not there. */
bool verification_end_proven(const struct verification *verification,
                             const struct verify_report *report)
{
    return verification->every_state || report->anchored > 0;
}

enum verification_answer verification_answer(const struct verification *verification,
                                             const struct verify_report *report)
{
    switch (report->verdict) {
    case VERIFY_INTACT:
        return verification_end_proven(verification, report) ? VERIFICATION_INTACT
                                                             : VERIFICATION_INTACT_SO_FAR;
    case VERIFY_TAMPERED:
        return VERIFICATION_TAMPERED;
    default:
        return VERIFICATION_UNPROVEN;
    }
}

const char *const verification_words[] = {"intact", "intact-so-far", "tampered", "unproven"};

int verification_of(const struct command_line *line, const struct word_list *files, const char *key,
                    enum verification_answer *ret_answer, struct verify_report *ret_report)
{
    struct verification verification = {.every_state = true, .key_file = key};

    if (files->count > 0) {
        verification.files.items = calloc(files->count, sizeof(*verification.files.items));
        verification.files.count = verification.files.items != NULL ? files->count : 0;
    }
    for (size_t i = 0; i < verification.files.count; i++) {
        verification.files.items[i] = files->items[i];
    }
    int status = verification.files.count < files->count
                     ? complain(CLI_UNABLE, "out of memory")
                     : verification_read_key(line, &verification);
    if (status == CLI_YES) {
        status = verification_run(&verification, ret_report);
    }
    if (status == CLI_YES) {
        *ret_answer = verification_answer(&verification, ret_report);
    }
    verification_release(&verification);
    return status;
}

void verification_release(struct verification *verification)
{
    chain_key_wipe(&verification->key);
    free(verification->default_log);
    free(verification->states);
    free(verification->heads);
    word_list_release(&verification->heads_given);
    word_list_release(&verification->files);
}
