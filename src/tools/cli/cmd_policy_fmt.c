/* SPDX-License-Identifier: MIT */
/*
 * miguard policy fmt: the canonical form. A file is formatted only when it is in order, and written
 * back only when the result is read as the very same policy.
 *
 * format_one() reads a file, format_source() formats it and compares the result with it, and
 * put_formatted() prints, checks or writes back.
 *
 * A file is replaced by rename(2), with its owner and mode, so that a guard that reloads meanwhile
 * reads the old policy or the new one. A link is followed first: the file that it leads to is
 * replaced, and the link stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_open.h"
#include "tools/policy/format.h"

struct request {
    struct word_list files;
    /* They exclude each other; without both the text is printed. */
    bool check, write;
};

static const struct option_row options[] = {
    FLAG("--check", struct request, check, "only print which are not in it"),
    FLAG("--write", struct request, write, "write each FILE back", .brief = "-w",
         .excludes = "--check"),
};

/* ---- one file ------------------------------------------------------------------------------- */

/* Reads both texts, which must be the same policy: the formatter must never change what a file
 * means. MIGUARD_BAD_POLICY with a finding when they differ. */
static enum miguard_status compare(const char *name, const char *source, size_t length,
                                   const struct text *formatted, struct diagnostics *findings)
{
    struct policy_draft *before = NULL, *after = NULL;
    enum miguard_status status = draft_load_text(name, source, length, &before, findings);

    if (status == MIGUARD_OK) {
        status = draft_load_text(name, formatted->data, formatted->length, &after, findings);
    }
    if (status == MIGUARD_OK && !format_same(before, after)) {
        struct policy_place place = {name, 0, 0};
        diagnostic_add(findings, DIAGNOSTIC_ERROR, &place, NULL, 0,
                       "not formatted: the result would mean something else (please report this)");
        status = MIGUARD_BAD_POLICY;
    }
    draft_free(before);
    draft_free(after);
    return status;
}

/* Formats and proves the result: the text is read as a policy first, formatted, and read again
 * (compare()). CLI_YES with the text in *formatted; CLI_NO after its findings; CLI_UNABLE after a
 * message. */
static int format_source(const char *name, const char *source, size_t length,
                         struct text *formatted)
{
    struct diagnostics findings = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;

    /* First as a policy: its errors are reported better there. */
    enum miguard_status status = draft_load_text(name, source, length, &draft, &findings);
    draft_free(draft);
    if (status == MIGUARD_OK) {
        status = format_policy(name, source, length, formatted, &findings);
    }
    if (status == MIGUARD_OK) {
        status = compare(name, source, length, formatted, &findings);
    }
    print_findings(stderr, &findings);
    diagnostics_release(&findings);
    if (status == MIGUARD_OK || status == MIGUARD_BAD_POLICY) {
        return status == MIGUARD_OK ? CLI_YES : CLI_NO;
    }
    return complain(CLI_UNABLE, "%s: %s", name, miguard_status_text(status));
}

/* Owner, mode and content, durable before the name leads to it (fsync(2)). The owner first, since
 * fchown(2) clears set-id bits of the mode. */
static bool fill(int fd, const struct stat *old, const struct text *text)
{
    size_t written = 0;

    if (fchown(fd, old->st_uid, old->st_gid) < 0 || fchmod(fd, old->st_mode & 07777) < 0) {
        return false;
    }
    while (written < text->length) {
        ssize_t count = write(fd, text->data + written, text->length - written);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        written += count > 0 ? (size_t)count : 0;
    }
    return fsync(fd) == 0;
}

/* By a file beside it and rename(2): a reader sees the old policy or the new one, and a crash
 * leaves one of them. CLI_YES, or CLI_UNABLE after a message; the temporary file is then
 * removed. */
static int replace(const char *path, const struct text *text)
{
    char *file = realpath(path, NULL), *other = NULL;
    struct stat old;
    int fd = -1;

    /* Where path is a link, what it leads to is replaced. The dot keeps a half-written file from
     * being read as a part of the policy. */
    if (file != NULL && stat(file, &old) == 0) {
        const char *slash = strrchr(file, '/');
        if (asprintf(&other, "%.*s/.%s.XXXXXX", (int)(slash - file), file, slash + 1) < 0) {
            other = NULL;
        }
        fd = other == NULL ? -1 : mkostemp(other, O_CLOEXEC);
    }
    bool done = fd >= 0 && fill(fd, &old, text) && rename(other, file) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (fd >= 0 && !done) {
        unlink(other);
    }
    free(other);
    free(file);
    return done ? CLI_YES
                : complain(CLI_UNABLE, "%s: it cannot be replaced: %s", path, strerror(error));
}

/* What --check or --write asks for, else the text on stdout. same: the file is in the form already
 * and stays untouched. */
static int put_formatted(const struct request *request, const char *path,
                         const struct text *formatted, bool same)
{
    if (request->check && !same) {
        print_safe(stdout, path, false);
        puts(": not in the canonical form");
        return CLI_NO;
    }
    if (request->write && !same) {
        return replace(path, formatted);
    }
    if (!request->check && !request->write) {
        fwrite(formatted->data, 1, formatted->length, stdout);
    }
    return CLI_YES;
}

/* "-" is standard input. */
static int format_one(const struct request *request, const char *path)
{
    struct text formatted = TEXT_EMPTY;
    size_t length = 0;
    char *source = read_policy_source(path, &length);

    if (source == NULL) {
        return CLI_UNABLE;
    }
    int status =
        format_source(strcmp(path, "-") == 0 ? "<stdin>" : path, source, length, &formatted);
    if (status == CLI_YES) {
        bool same = length == formatted.length && memcmp(source, formatted.data, length) == 0;
        status = put_formatted(request, path, &formatted, same);
    }
    text_release(&formatted);
    free(source);
    return status;
}

/* Standard input without files; else the worst status counts. */
static int format_all(const struct request *request)
{
    int worst = CLI_YES;

    if (request->files.count == 0) {
        return format_one(request, "-");
    }
    for (size_t i = 0; i < request->files.count; i++) {
        int status = format_one(request, request->files.items[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

/* Standard input cannot be written back. */
static int run_fmt(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.write && request.files.count == 0
                     ? wrong_usage(line, "--write needs a FILE")
                     : format_all(&request);
    }
    word_list_release(&request.files);
    return status;
}

COMMAND(policy, fmt) = {
    .about = "Prints each FILE, or standard input, in its canonical form.",
    .exits = "Exit status: 0 done, in the form; 1 a file has errors or is not in the form; 2 wrong "
             "usage; 3 a file cannot be read or written.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(options),
    .run = run_fmt,
};
