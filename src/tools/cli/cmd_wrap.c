/* SPDX-License-Identifier: MIT */
/*
 * miguard wrap: puts a shim in the place of a provider, or beside it; and its way back, miguard
 * unwrap.
 *
 * In place, the provider gets a second name (FILE.unguarded), and then the shim takes the first:
 * each step is one call to the kernel, so that a host that loads FILE meanwhile gets the one or the
 * other, whole. unwrap moves the provider back over the shim. What was done halfway is finished by
 * the same command.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/proof.h"
#include "tools/cli/commands.h"
#include "tools/cli/wrap.h"
#include "tools/module/place.h"

#include "base/alloc.h"

static const struct option_row wrap_options[] = {
    TEXT("--output", "FILE", struct wrap_request, output,
         "write the shim to FILE and leave the provider as it is; register FILE with the host",
         .excludes = "--all --check"),
    TEXT("--all", "DIR", struct wrap_request, folder, "every provider in DIR, not below it"),
    FLAG("--dry-run", struct wrap_request, dry_run, "say what would be done, and do nothing",
         .excludes = "--check"),
    FLAG("--again", struct wrap_request, again,
         "wrap anew what is wrapped: the provider as it is now is the one that is meant",
         .excludes = "--check"),
    FLAG("--check", struct wrap_request, check,
         "say of each FILE whether it is wrapped, around what, and whether that is still right"),
    FLAG("--json", struct wrap_request, json, "print one JSON object for each FILE",
         .needs = "--check"),
};

static const struct option_row unwrap_options[] = {
    TEXT("--all", "DIR", struct wrap_request, folder, "every shim in DIR, not below it"),
    FLAG("--dry-run", struct wrap_request, dry_run, "say what would be done, and do nothing"),
};

/* ---- the settings -----------------------------------------------------------------------------
 */

/* One wrap: the provider, and where the shim goes. */
struct wrap_plan {
    const char *provider;    /* the file that is proved now */
    char path[PATH_MAX];     /* where the shim will find it */
    char shim[PATH_MAX];     /* where the shim goes */
    bool in_place, replaces; /* the shim may take the place of a file */
};

/* The name in policies and records: that of the file, as before it was moved aside. */
static bool provider_name(const char *path, char ret_name[MIGUARD_SHIM_TEXT])
{
    const char *slash = strrchr(path, '/');
    int length = snprintf(ret_name, MIGUARD_SHIM_TEXT, "%s", slash != NULL ? slash + 1 : path);

    if (length < 0 || length >= MIGUARD_SHIM_TEXT) {
        return false;
    }
    if (wrap_is_aside(ret_name)) {
        ret_name[(size_t)length - strlen(MIGUARD_SHIM_ASIDE)] = '\0';
    }
    return true;
}

/* False: a name does not fit, or is one that /proc shows in another way (shim/mapping.c). */
static bool fill_settings(const struct wrap_plan *plan, const struct proof *proof,
                          struct miguard_shim *shim)
{
    *shim = (struct miguard_shim){.magic = MIGUARD_SHIM_MAGIC,
                                  .size = sizeof(*shim),
                                  .owner = proof->status.st_uid,
                                  .mode = proof->status.st_mode & 07777,
                                  .beside = plan->in_place};
    memcpy(shim->hash, proof->hash, sizeof(shim->hash));
    snprintf(shim->version, sizeof(shim->version), "%s", MIGUARD_VERSION);
    int length = snprintf(shim->path, sizeof(shim->path), "%s", plan->path);
    return length > 0 && (size_t)length < sizeof(shim->path) &&
           strpbrk(shim->path, "\n\\") == NULL && provider_name(plan->path, shim->provider);
}

/* The steps. problem has the reason of a failure. */
static bool put_shim(const struct wrap_request *request, const struct wrap_plan *plan,
                     const struct proof *proof, char problem[PLACE_PROBLEM])
{
    const struct shim_template own = wrap_template();
    struct miguard_shim shim;

    if (!fill_settings(plan, proof, &shim)) {
        snprintf(problem, PLACE_PROBLEM, "its path is too long, or has a line end or backslash");
        return false;
    }
    unsigned char *bytes = shim_make(&own, &shim);
    if (bytes == NULL) {
        snprintf(problem, PLACE_PROBLEM, "out of memory");
        return false;
    }
    bool good =
        !plan->in_place || strcmp(plan->provider, plan->path) == 0 ||
        place_second_name(plan->provider, plan->path, &proof->status, request->again, problem);
    good = good && place_file(plan->shim, bytes, own.size, &proof->status, plan->replaces, problem);
    base_free(bytes);
    return good;
}

/* Proves the provider, so that no shim is made that will refuse it. */
static int carry_out(const struct wrap_request *request, const struct wrap_plan *plan)
{
    char problem[PROOF_PROBLEM], failed[PLACE_PROBLEM];
    struct proof proof;

    if (proof_take_new(plan->provider, problem, &proof) != PROOF_GOOD) {
        return complain(CLI_NO, "%s is not wrapped: %s", plan->shim, problem);
    }
    bool good = request->dry_run || put_shim(request, plan, &proof, failed);
    proof_release(&proof);
    if (!good) {
        return complain(CLI_UNABLE, "%s is not wrapped: %s", plan->shim, failed);
    }
    return wrap_say(plan->shim, "%s; the provider is %s",
                    request->dry_run ? "would be wrapped" : "wrapped", plan->path);
}

/* ---- wrap -------------------------------------------------------------------------------------
 */

/* Another file has the name that the provider would get: an earlier one, which a package has
 * replaced under its shim. */
static int check_aside(const struct wrap_request *request, const struct wrap_plan *plan)
{
    struct stat there, provider;

    if (request->again || lstat(plan->path, &there) != 0 || stat(plan->provider, &provider) != 0 ||
        (there.st_dev == provider.st_dev && there.st_ino == provider.st_ino)) {
        return CLI_YES;
    }
    return complain(CLI_NO,
                    "%s is not wrapped: %s is there already, and is another file; an upgrade may "
                    "have replaced the shim; --again puts the new provider in its place",
                    plan->provider, plan->path);
}

/* In the provider's own place. */
static int wrap_in_place(const struct wrap_request *request, const struct wrap_target *target)
{
    struct wrap_plan plan = {.provider = target->path, .in_place = true, .replaces = true};

    snprintf(plan.shim, sizeof(plan.shim), "%s", target->path);
    if (!wrap_aside(target->path, plan.path)) {
        return complain(CLI_NO, "%s is not wrapped: its path is too long", target->path);
    }
    int status = check_aside(request, &plan);
    return status == CLI_YES ? carry_out(request, &plan) : status;
}

/* The folder of --output without links, as the host will name it. */
static bool output_path(const char *output, char ret_path[PATH_MAX])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(output, '/');
    const char *name = slash != NULL ? slash + 1 : output;
    int length =
        snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - output) + 1,
                 slash == NULL ? "." : output);
    char *real = length > 0 && (size_t)length < sizeof(folder) ? realpath(folder, NULL) : NULL;

    if (real == NULL || name[0] == '\0') {
        free(real);
        return false;
    }
    length = snprintf(ret_path, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    free(real);
    return length > 0 && length < PATH_MAX;
}

/* A file that is there is replaced only when it is a shim and --again was given. */
static int wrap_elsewhere(const struct wrap_request *request, const struct wrap_target *target)
{
    const struct shim_template own = wrap_template();
    struct wrap_plan plan = {.provider = target->path};
    struct shim_examined there;

    snprintf(plan.path, sizeof(plan.path), "%s", target->path);
    if (!output_path(request->output, plan.shim)) {
        return complain(CLI_UNABLE, "%s: %s", request->output, strerrordesc_np(errno));
    }
    shim_examine(plan.shim, &own, &there);
    plan.replaces = request->again && there.kind >= SHIM_KIND_SHIM;
    if (there.kind != SHIM_KIND_UNREADABLE && !plan.replaces) {
        return complain(CLI_NO, "%s is there already%s", plan.shim,
                        there.kind >= SHIM_KIND_SHIM ? "; --again replaces it" : "");
    }
    return carry_out(request, &plan);
}

/* It is in order, or --again makes it so: for the provider that it names, as that is now. */
static int wrap_shim(const struct wrap_request *request, const struct wrap_target *target)
{
    const struct miguard_shim *shim = &target->examined.shim;
    struct wrap_plan plan = {.provider = shim->path, .in_place = shim->beside != 0};
    char problem[PROOF_PROBLEM];
    struct proof proof;

    if (request->again) {
        plan.replaces = true;
        snprintf(plan.path, sizeof(plan.path), "%s", shim->path);
        snprintf(plan.shim, sizeof(plan.shim), "%s", target->path);
        return carry_out(request, &plan);
    }
    if (proof_take(shim, problem, &proof) != PROOF_GOOD) {
        return complain(CLI_NO,
                        "%s is wrapped already, and refuses to load: %s; --again wraps the "
                        "provider as it is now",
                        target->path, problem);
    }
    proof_release(&proof);
    return wrap_say(target->path, "wrapped already, by miguard %s; the provider is %s",
                    shim->version, shim->path);
}

static int wrap_one(const struct wrap_request *request, const struct wrap_target *target)
{
    switch (target->examined.kind) {
    case SHIM_KIND_SHIM:
        return wrap_shim(request, target);
    case SHIM_KIND_PROVIDER:
        if (wrap_is_aside(target->path) && request->output == NULL) {
            return complain(CLI_NO, "%s is the provider behind a shim; name the shim",
                            target->path);
        }
        return request->output != NULL ? wrap_elsewhere(request, target)
                                       : wrap_in_place(request, target);
    default:
        return complain(CLI_NO, "%s is no provider: %s", target->path, target->examined.problem);
    }
}

/* ---- unwrap -----------------------------------------------------------------------------------
 */

/* wrap was interrupted after its first step: the second name goes. */
static int unwrap_provider(const struct wrap_request *request, const struct wrap_target *target)
{
    char aside[PATH_MAX], problem[PLACE_PROBLEM];
    struct stat there, own;

    if (target->of_folder && wrap_aside(target->path, aside) && lstat(aside, &there) != 0) {
        return CLI_YES;
    }
    if (!wrap_aside(target->path, aside) || lstat(aside, &there) != 0 ||
        stat(target->path, &own) != 0 || there.st_dev != own.st_dev || there.st_ino != own.st_ino) {
        return complain(CLI_NO, "%s is not wrapped", target->path);
    }
    if (!request->dry_run && !place_removed(aside, problem)) {
        return complain(CLI_UNABLE, "%s: %s", aside, problem);
    }
    return wrap_say(target->path, "%s", request->dry_run ? "would be unwrapped" : "unwrapped");
}

/* A shim elsewhere is removed; its provider is where it was. */
static int unwrap_elsewhere(const struct wrap_request *request, const struct wrap_target *target)
{
    char problem[PLACE_PROBLEM];

    if (!request->dry_run && !place_removed(target->path, problem)) {
        return complain(CLI_UNABLE, "%s: %s", target->path, problem);
    }
    return wrap_say(target->path, "%s; register %s with the host again",
                    request->dry_run ? "would be removed" : "removed", target->examined.shim.path);
}

/* Whatever the provider is by now, it is moved back: undoing is always possible. */
static int unwrap_shim(const struct wrap_request *request, const struct wrap_target *target)
{
    const struct miguard_shim *shim = &target->examined.shim;
    char aside[PATH_MAX], problem[PLACE_PROBLEM];
    struct stat there;

    if (shim->beside == 0) {
        return unwrap_elsewhere(request, target);
    }
    if (!wrap_aside(target->path, aside) || strcmp(aside, shim->path) != 0) {
        return complain(CLI_NO, "%s was moved: its provider is %s; move the shim back beside it",
                        target->path, shim->path);
    }
    if (lstat(aside, &there) != 0 || !S_ISREG(there.st_mode)) {
        return complain(CLI_NO, "%s stays: %s is not there", target->path, aside);
    }
    if (!request->dry_run && !place_back(aside, target->path, problem)) {
        return complain(CLI_UNABLE, "%s: %s", target->path, problem);
    }
    return wrap_say(target->path, "%s", request->dry_run ? "would be unwrapped" : "unwrapped");
}

static int unwrap_one(const struct wrap_request *request, const struct wrap_target *target)
{
    switch (target->examined.kind) {
    case SHIM_KIND_SHIM:
        return unwrap_shim(request, target);
    case SHIM_KIND_PROVIDER:
        return unwrap_provider(request, target);
    default:
        return complain(CLI_NO, "%s: %s", target->path, target->examined.problem);
    }
}

/* ---- both -------------------------------------------------------------------------------------
 */

/* Files or a folder, and one output for one file. */
static int answer(const struct command_line *line, const struct wrap_request *request,
                  wrap_action action)
{
    if ((request->files.count == 0) == (request->folder == NULL)) {
        return wrong_usage(line, "name each FILE, or a folder with --all");
    }
    if (request->output != NULL && request->files.count != 1) {
        return wrong_usage(line, "--output takes one FILE");
    }
    return wrap_each(request, request->check ? wrap_check : action);
}

static int run_action(const struct command_line *line, wrap_action action)
{
    struct wrap_request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = answer(line, &request, action);
    }
    word_list_release(&request.files);
    return status;
}

static int run_wrap(const struct command_line *line)
{
    return run_action(line, wrap_one);
}

static int run_unwrap(const struct command_line *line)
{
    return run_action(line, unwrap_one);
}

COMMAND(miguard, wrap) = {
    .about = "Puts a shim in the place of each provider FILE: a library that proves the provider, "
             "loads it and guards it, for providers that cannot be compiled again. The provider "
             "itself becomes FILE" MIGUARD_SHIM_ASIDE "; miguard unwrap undoes that. None of its "
             "code is run. See miguard-wrap(1).",
    .exits = "Exit status: 0 wrapped, or with --check in order; 1 not wrapped, or refused; 2 wrong "
             "usage; 3 it could not be done.",
    .operand = OPERANDS("[FILE]...", struct wrap_request, files),
    OPTIONS(wrap_options),
    .run = run_wrap,
};

COMMAND(miguard, unwrap) = {
    .about = "Moves the provider behind each shim FILE back into its place, or removes a shim that "
             "was made with --output.",
    .exits = "Exit status: 0 done; 1 it is not wrapped, or its provider is not there; 2 wrong "
             "usage; 3 it could not be done.",
    .operand = OPERANDS("[FILE]...", struct wrap_request, files),
    OPTIONS(unwrap_options),
    .run = run_unwrap,
};
