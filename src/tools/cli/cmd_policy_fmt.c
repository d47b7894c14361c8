/* SPDX-License-Identifier: MIT */
/*
 * miguard policy fmt: the canonical form. A file is formatted only when it is in order, and written
 * back only when the result is read as the very same policy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/cmd_policy.h"
#include "tools/policy/format.h"

struct request {
    const char **files;
    int file_count;
    bool check, write, help;
};

static const char *const known[] = {"--check", "-w", "--help", NULL};

static int parse(int count, char **list, struct request *request)
{
    struct arguments arguments = {
        .count = count, .list = list, .command = "miguard policy fmt", .known = known};

    request->files = calloc((size_t)count + 1, sizeof(*request->files));
    if (request->files == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    while (arguments_next(&arguments)) {
        if (arguments.operand != NULL) {
            request->files[request->file_count++] = arguments.operand;
        } else if (arguments_is(&arguments, "--check")) {
            request->check = true;
        } else if (arguments_is(&arguments, "-w")) {
            request->write = true;
        } else if (arguments_is(&arguments, "--help") || arguments_is(&arguments, "-h")) {
            request->help = true;
        } else {
            return arguments_unknown(&arguments);
        }
    }
    if (request->check && request->write) {
        return complain(CLI_USAGE, "miguard policy fmt: --check or -w, not both");
    }
    if (request->write && request->file_count == 0 && !request->help) {
        return complain(CLI_USAGE, "miguard policy fmt: -w needs a file to write to");
    }
    return CLI_YES;
}

/* ---- one file ------------------------------------------------------------------------------- */

/* Reads both, which must be the same policy. */
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

static int format_source(const char *name, const char *source, size_t length,
                         struct text *formatted)
{
    struct diagnostics findings = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;

    /* First as a policy: its errors are told better there. */
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

/* Owner, mode and content, durable before the name leads to it. */
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
    bool same = status == CLI_YES && length == formatted.length &&
                memcmp(source, formatted.data, length) == 0;
    if (status == CLI_YES && request->check && !same) {
        print_safe(stdout, path, false);
        puts(": not in the canonical form");
        status = CLI_NO;
    } else if (status == CLI_YES && request->write && !same) {
        status = replace(path, &formatted);
    } else if (status == CLI_YES && !request->check && !request->write) {
        fwrite(formatted.data, 1, formatted.length, stdout);
    }
    text_release(&formatted);
    free(source);
    return status;
}

int policy_fmt(int count, char **arguments)
{
    struct request request = {0};
    int worst = parse(count, arguments, &request);

    if (worst == CLI_YES && request.help) {
        fputs(policy_help, stdout);
    } else if (worst == CLI_YES && request.file_count == 0) {
        worst = format_one(&request, "-");
    } else if (worst == CLI_YES) {
        for (int i = 0; i < request.file_count; i++) {
            int status = format_one(&request, request.files[i]);
            worst = status > worst ? status : worst;
        }
    }
    free(request.files);
    return worst;
}
