/* SPDX-License-Identifier: MIT */
/*
 * Which log this user writes and reads: that of the policy, or one in the home directory.
 *
 * log_place() decides: the policy's log for root and for users who can write it, else the user's
 * own; for reading also the policy's where only that can be read. The checks are made with the
 * effective ids, as the later opening is.
 */
#include "tools/cli/log_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first one; a policy has at most one sink of each kind. */
const struct sink_settings *log_sink(const struct draft_settings *settings)
{
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        if (settings->sinks[i].settings.kind == SINK_FILE) {
            return &settings->sinks[i].settings;
        }
    }
    return NULL;
}

/* With the effective ids, unlike access(2): this may be a set-id program, and files are opened with
 * those. */
static bool may(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* The folder of path, or NULL and errno. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* The library makes a log and its folder, but no folder above that. */
static bool may_make(const char *path)
{
    char *folder = folder_of(path);
    char *above = folder != NULL && !may(folder, F_OK) ? folder_of(folder) : NULL;
    bool can = folder != NULL && may(above != NULL ? above : folder, W_OK | X_OK);

    free(above);
    free(folder);
    return can;
}

/* Root writes anywhere. Others need the file, or a place to make it. */
static bool may_write(const char *path)
{
    return geteuid() == 0 || (may(path, F_OK) ? may(path, R_OK | W_OK) : may_make(path));
}

/* The environment is not believed in a set-id program. */
static char *own_place(void)
{
    const char *state = secure_getenv("XDG_STATE_HOME");
    const char *home = secure_getenv("HOME");
    char *path = NULL;
    int length = -1;

    if (state != NULL && state[0] == '/') {
        length = asprintf(&path, "%s/miguard/audit.jsonl", state);
    } else if (home != NULL && home[0] == '/') {
        length = asprintf(&path, "%s/.local/state/miguard/audit.jsonl", home);
    } else {
        errno = ENOENT;
    }
    return length < 0 ? NULL : path;
}

/* A reader without a log of its own falls back to the policy's, if it can read that; a writer never
 * does. Without a home directory it is NULL with ENOENT. */
char *log_place(const char *of_policy, bool reads, bool *ret_own)
{
    *ret_own = false;
    if (may_write(of_policy)) {
        return strdup(of_policy);
    }
    char *own = own_place();
    if (reads && (own == NULL || !may(own, F_OK)) && may(of_policy, R_OK)) {
        free(own);
        return strdup(of_policy);
    }
    *ret_own = own != NULL;
    return own;
}

/* Existing folders are left as they are: the library checks them when it opens the log. */
bool log_place_make(const char *path)
{
    char part[PATH_MAX];

    if (strlen(path) >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(part, path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return false;
        }
        *slash = '/';
    }
    return true;
}
