/* SPDX-License-Identifier: MIT */
/*
 * Keys and passwords of signatures, as the commands get them: from files and from the terminal.
 * tools/sign/sign.h has the formats.
 */
#ifndef TOOLS_CLI_SIGN_OPEN_H
#define TOOLS_CLI_SIGN_OPEN_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/sign/sign.h"

struct password {
    char text[SIGN_PASSWORD_MOST + 1];
    size_t length;
};

/* The first and only line of file; with NULL it is asked for on the terminal, without being shown,
 * and twice when it is new. what: "the key fleet.key". CLI_YES; CLI_UNABLE after a message. Wiped
 * by password_wipe() in either case. */
int password_read(const char *file, const char *what, bool is_new, struct password *ret_password);
void password_wipe(struct password *password);

/* A secret key. The password is read, from password_file or the terminal, only when the key needs
 * one. CLI_YES; CLI_UNABLE after a message. The caller wipes it: sign_wipe(). */
int sign_open_secret(const char *path, const char *password_file, struct sign_secret *ret_secret);

/* The public keys of these files, freed by the caller: free(3). CLI_YES; CLI_UNABLE after a
 * message, and *ret_keys is NULL. */
int sign_open_public(const struct word_list *files, struct sign_public **ret_keys);

/* A message for what a function of sign.h answered about path. Gives status. */
int complain_sign(enum cli_exit status, const char *path, enum sign_result result);

#endif
