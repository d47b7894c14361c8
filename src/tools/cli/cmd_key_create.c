/* SPDX-License-Identifier: MIT */
/*
 * miguard key create: a pair of keys in the files of minisign(1), to sign bundles of policies and
 * lists of heads.
 *
 * Neither file is ever overwritten: a secret key that is gone cannot be made again. The secret file
 * comes first, and is removed when the public one cannot be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/commands.h"
#include "tools/cli/sign_open.h"

struct request {
    const char *name, *password_file;
    bool no_password;
};

static const struct option_row options[] = {
    TEXT("--password-file", "FILE", struct request, password_file,
         "the password is its only line; without this it is asked for on the terminal",
         .excludes = "--no-password"),
    FLAG("--no-password", struct request, no_password,
         "the secret key is not encrypted: who can read NAME.key can sign"),
};

/* The folder has both names on the disk. An error is that of the files, which are durable; only
 * their names may be lost by a crash. */
static void flush_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(folder);
}

static int make_files(const char *secret_path, const char *public_path, const char *secret_text,
                      const struct text *public_text)
{
    if (!sign_make_file(secret_path, secret_text, strlen(secret_text), 0600)) {
        return complain(errno == EEXIST ? CLI_NO : CLI_UNABLE, "%s: %s", secret_path,
                        errno == EEXIST ? "exists; it is never overwritten" : strerror(errno));
    }
    if (!sign_make_file(public_path, public_text->data, public_text->length, 0644)) {
        int error = errno;
        (void)unlink(secret_path);
        return complain(error == EEXIST ? CLI_NO : CLI_UNABLE, "%s: %s", public_path,
                        error == EEXIST ? "exists; it is never overwritten" : strerror(error));
    }
    flush_folder(secret_path);
    return CLI_YES;
}

/* Encrypts and writes; the text of the secret is wiped. */
static int write_pair(const struct request *request, const struct password *password,
                      const char *secret_path, const char *public_path)
{
    struct sign_secret secret;
    struct sign_public public_key;
    struct text public_text = TEXT_EMPTY;
    char secret_text[SIGN_SECRET_TEXT], id[SIGN_ID_TEXT];
    int status = CLI_YES;

    sign_make_keys(&secret, &public_key);
    sign_public_write(&public_key, &public_text);
    if (public_text.failed ||
        !sign_secret_write(&secret, request->no_password ? NULL : password->text, password->length,
                           secret_text)) {
        status = complain(CLI_UNABLE, "out of memory; to encrypt a key takes up to 1 GiB");
    }
    sign_wipe(&secret);
    if (status == CLI_YES) {
        status = make_files(secret_path, public_path, secret_text, &public_text);
    }
    sodium_memzero(secret_text, sizeof(secret_text));
    text_release(&public_text);
    if (status == CLI_YES) {
        sign_id_text(public_key.id, id);
        printf("key %s: keep ", id);
        print_safe(stdout, secret_path, false);
        fputs(" secret, give out ", stdout);
        print_safe(stdout, public_path, false);
        putchar('\n');
    }
    return status;
}

/* Looked at before a password is asked for; make_files() is what counts. */
static int refuse_existing(const char *secret_path, const char *public_path)
{
    const char *there = access(secret_path, F_OK) == 0   ? secret_path
                        : access(public_path, F_OK) == 0 ? public_path
                                                         : NULL;

    return there == NULL ? CLI_YES : complain(CLI_NO, "%s: exists; it is never overwritten", there);
}

static int create(const struct request *request)
{
    struct password password = {.length = 0};
    char *secret_path = NULL, *public_path = NULL;
    int status = CLI_YES;

    if (!sign_begin()) {
        return complain(CLI_UNABLE, "no random numbers");
    }
    if (asprintf(&secret_path, "%s.key", request->name) < 0 ||
        asprintf(&public_path, "%s.pub", request->name) < 0) {
        status = complain(CLI_UNABLE, "out of memory");
    } else {
        status = refuse_existing(secret_path, public_path);
    }
    if (status == CLI_YES && !request->no_password) {
        status = password_read(request->password_file, secret_path, true, &password);
    }
    if (status == CLI_YES) {
        status = write_pair(request, &password, secret_path, public_path);
    }
    password_wipe(&password);
    free(secret_path);
    free(public_path);
    return status;
}

static int run_create(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    return request.name == NULL || request.name[0] == '\0' ? wrong_usage(line, "NAME is missing")
                                                           : create(&request);
}

COMMAND(key, create) = {
    .about = "Makes a pair of keys: NAME.key, which signs and is encrypted with a password, and "
             "NAME.pub, which verifies. Neither may exist. minisign(1) reads both.",
    .exits = "Exit status: 0 made; 1 one of the files exists; 2 wrong usage; 3 it could not be "
             "done.",
    .operand = OPERAND("NAME", struct request, name),
    OPTIONS(options),
    .run = run_create,
};
