/* SPDX-License-Identifier: MIT */
/*
 * The files that miguard wrap and unwrap are about: those that are named, or the providers of a
 * folder.
 *
 * wrap_each() finds the name without links and looks at the file before it calls the action. In a
 * folder only regular files count: a link beside its file would be the same one twice.
 */
#include "tools/cli/wrap.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/cli/shim_template.h"

struct shim_template wrap_template(void)
{
    struct shim_template own;

    own.bytes = shim_template(&own.size);
    return own;
}

bool wrap_aside(const char *path, char ret_aside[PATH_MAX])
{
    int length = snprintf(ret_aside, PATH_MAX, "%s%s", path, MIGUARD_SHIM_ASIDE);

    return length > 0 && length < PATH_MAX;
}

bool wrap_is_aside(const char *path)
{
    size_t length = strlen(path), suffix = strlen(MIGUARD_SHIM_ASIDE);

    return length > suffix && strcmp(path + length - suffix, MIGUARD_SHIM_ASIDE) == 0;
}

int wrap_say(const char *path, const char *format, ...)
{
    char text[2 * PATH_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_safe(stdout, path, false);
    fputs(": ", stdout);
    print_safe(stdout, text, false);
    putchar('\n');
    return CLI_YES;
}

/* The name without links, so that a shim takes the place of a file and not of a link to it. */
static int one_file(const struct wrap_request *request, const char *path, bool of_folder,
                    wrap_action action)
{
    const struct shim_template own = wrap_template();
    struct wrap_target target = {.of_folder = of_folder};

    if (realpath(path, target.path) == NULL) {
        return complain(CLI_UNABLE, "%s: %s", path, strerrordesc_np(errno));
    }
    shim_examine(target.path, &own, &target.examined);
    if (target.examined.kind == SHIM_KIND_UNREADABLE) {
        return complain(CLI_UNABLE, "%s: %s", path, target.examined.problem);
    }
    return action(request, &target);
}

/* ---- the providers of a folder ----------------------------------------------------------------
 */

static bool is_regular(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The action for a file of the folder; what cannot be a provider is not even read. *found counts
 * providers and shims. */
static int folder_file(const struct wrap_request *request, const char *name, wrap_action action,
                       unsigned *found)
{
    const struct shim_template own = wrap_template();
    struct shim_examined examined;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", request->folder, name);

    if (length < 0 || (size_t)length >= sizeof(path) || !is_regular(path) || wrap_is_aside(path)) {
        return CLI_YES;
    }
    shim_examine(path, &own, &examined);
    if (examined.kind == SHIM_KIND_OTHER) {
        return CLI_YES;
    }
    (*found)++;
    return one_file(request, path, true, action);
}

static int each_of_folder(const struct wrap_request *request, wrap_action action)
{
    struct dirent **names = NULL;
    unsigned found = 0;
    int worst = CLI_YES, count = scandir(request->folder, &names, NULL, alphasort);

    if (count < 0) {
        return complain(CLI_UNABLE, "%s: %s", request->folder, strerrordesc_np(errno));
    }
    for (int i = 0; i < count; i++) {
        int status = folder_file(request, names[i]->d_name, action, &found);
        worst = status > worst ? status : worst;
        free(names[i]);
    }
    free(names);
    return found > 0 ? worst
                     : complain(CLI_NO, "%s: no file in it has an MI_Main", request->folder);
}

int wrap_each(const struct wrap_request *request, wrap_action action)
{
    int worst = CLI_YES;

    if (request->folder != NULL) {
        return each_of_folder(request, action);
    }
    for (size_t i = 0; i < request->files.count; i++) {
        int status = one_file(request, request->files.items[i], false, action);
        worst = status > worst ? status : worst;
    }
    return worst;
}
