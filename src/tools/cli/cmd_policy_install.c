/* SPDX-License-Identifier: MIT */
/*
 * miguard policy install: verifies a bundle and puts it into the policy of this machine.
 *
 * install() reads the bundle once and works on these bytes. Under the lock of the file that is
 * replaced (policy_swap.h) it looks at what is installed (judge_age()), stages both files, has the
 * policy checked with the other files of this machine, and puts them into place: the signature
 * first, the policy by one rename(2) behind it. A guard that reloads reads the old policy or the
 * new one at every moment. A crash between the two renames leaves the old policy beside the new
 * signature; the same call then ends the work.
 *
 * What is installed is judged by its signature: the trusted comment has its serial number. That is
 * proved by the keys as well (sign_verify_comment()), whatever policy lies beside it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/trust.h"
#include "tools/cli/commands.h"
#include "tools/cli/policy_bundle.h"
#include "tools/cli/policy_swap.h"
#include "tools/cli/sign_open.h"

#define BUNDLE_KEY  "/etc/miguard/bundle.pub"
#define BUNDLE_FILE POLICY_FOLDER "/50-bundle.yaml"

struct request {
    const char *file, *to;
    struct word_list keys;
    bool allow_older, is_unsigned, json;
};

static const struct option_row options[] = {
    LIST("--key", "PUB", struct request, keys,
         "a public key of which one must have signed (default: " BUNDLE_KEY ")"),
    TEXT("--to", "FILE", struct request, to,
         "the policy file that is replaced (default: " BUNDLE_FILE ")"),
    FLAG(
        "--allow-older", struct request, allow_older,
        "also a bundle with a lower serial number than the installed one, with the same number and "
        "other bytes, or without a signature in the place of one that has it"),
    FLAG("--unsigned", struct request, is_unsigned,
         "the file is not verified, and needs no signature", .excludes = "--key"),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* One installation. */
struct install {
    const struct request *request;
    struct sign_public *keys; /* on the heap */
    size_t key_count;
    struct bundle bundle;
    struct swap swap;
    char *signature, *staged_signature; /* beside the file that is replaced; on the heap */
    /* What the signature beside it says; has_installed: it is a good one. */
    bool has_installed;
    struct bundle_facts installed;
    bool is_same;               /* both files are there already */
    char hash[DRAFT_HASH_SIZE]; /* of the set with the bundle in it */
};

/* ---- keys ----------------------------------------------------------------------------------- */

/* Who can change the key decides what is installed, so it must be as trusted as a policy. */
static int load_key(const char *path, struct sign_public *ret_key)
{
    char problem[TRUST_PROBLEM], text[SIGN_FILE_MOST + 1];
    struct stat status;
    int fd = -1;
    ssize_t count = 1;
    size_t length = 0;
    enum trust_result opened = trust_open(path, TRUST_STRICT, problem, &fd, &status);

    if (opened != TRUST_OPENED) {
        return opened == TRUST_ABSENT ? complain(CLI_UNABLE, "%s: no such file", path)
                                      : complain(CLI_UNABLE, "%s", problem);
    }
    while (count > 0 && length < sizeof(text)) {
        count = read(fd, text + length, sizeof(text) - length);
        length += count > 0 ? (size_t)count : 0;
    }
    enum sign_result result = count < 0 ? SIGN_UNABLE : sign_public_read(text, length, ret_key);
    int error = errno;
    (void)close(fd);
    errno = error;
    return result == SIGN_GOOD ? CLI_YES : complain_sign(CLI_UNABLE, path, result);
}

/* Without a key nothing is installed: a machine that was set up without one does not take whatever
 * it is given. */
static int load_keys(const struct request *request, struct install *install)
{
    static const char *const standard[] = {BUNDLE_KEY};
    size_t count = request->keys.count > 0 ? request->keys.count : 1;
    const char *const *paths =
        request->keys.count > 0 ? (const char *const *)request->keys.items : standard;
    int status = CLI_YES;

    if (!sign_begin()) {
        return complain(CLI_UNABLE, "no random numbers");
    }
    if (request->is_unsigned) {
        return CLI_YES;
    }
    if (request->keys.count == 0 && access(BUNDLE_KEY, F_OK) != 0 && errno == ENOENT) {
        return complain(CLI_NO, "refused: no key to verify it by: put one at " BUNDLE_KEY
                                ", give --key, or --unsigned");
    }
    install->keys = calloc(count, sizeof(*install->keys));
    if (install->keys == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (; status == CLI_YES && install->key_count < count; install->key_count++) {
        status = load_key(paths[install->key_count], &install->keys[install->key_count]);
    }
    return status;
}

/* ---- what is installed ---------------------------------------------------------------------- */

/* The signature beside the file. One that is missing or broken is reported, and no bar: it cannot
 * say which serial number it was for. */
static int read_installed(struct install *install)
{
    struct sign_signature read;
    enum sign_result result = sign_load(install->signature, &read);
    size_t index;

    if (result == SIGN_UNABLE && errno == ENOENT) {
        if (!install->swap.is_new) {
            complain(CLI_YES, "%s: has no signature beside it: how old it is is not known",
                     install->swap.file);
        }
        return CLI_YES;
    }
    if (result == SIGN_UNABLE) {
        return complain_sign(CLI_UNABLE, install->signature, result);
    }
    if (result == SIGN_GOOD && install->key_count > 0) {
        result = sign_verify_comment(&read, install->keys, install->key_count, &index);
    }
    install->has_installed =
        result == SIGN_GOOD && bundle_comment_read(read.trusted, &install->installed);
    if (!install->has_installed) {
        complain(CLI_YES, "%s: %s: how old the installed policy is is not known",
                 install->signature,
                 result == SIGN_GOOD ? "not the signature of a bundle" : sign_result_text(result));
    }
    return CLI_YES;
}

/* An old bundle was good once, so its signature is; who sends it must not bring back its holes. */
static int judge_age(const struct install *install)
{
    const struct bundle_facts *new = &install->bundle.facts, *old = &install->installed;

    if (!install->has_installed || install->request->allow_older) {
        return CLI_YES;
    }
    if (install->request->is_unsigned) {
        return complain(CLI_NO,
                        "refused: a signed bundle, serial %llu, is installed; see "
                        "--allow-older",
                        (unsigned long long)old->serial);
    }
    if (new->serial < old->serial) {
        return complain(CLI_NO,
                        "refused: serial %llu is older than the installed %llu; see "
                        "--allow-older",
                        (unsigned long long)new->serial, (unsigned long long)old->serial);
    }
    if (new->serial == old->serial && strcmp(new->hash, old->hash) != 0) {
        return complain(CLI_NO,
                        "refused: another bundle with the same serial %llu is installed; "
                        "see --allow-older",
                        (unsigned long long)old->serial);
    }
    return CLI_YES;
}

/* ---- putting it there ----------------------------------------------------------------------- */

static struct text text_of(const struct bundle *bundle)
{
    return (struct text){.data = bundle->bytes, .length = bundle->length};
}

/* Both are durable before the first name changes. */
static int stage_both(const struct install *install)
{
    struct text bytes = text_of(&install->bundle);
    int status = swap_stage(&install->swap, &bytes);

    if (status == CLI_YES && !install->request->is_unsigned &&
        !swap_write_beside(install->staged_signature, &install->bundle.signature, NULL)) {
        status = complain(CLI_UNABLE, "%s: %s", install->staged_signature, strerror(errno));
    }
    return status;
}

/* The signature first: a policy whose signature is not there could not be judged by the next
 * installation. One that was not verified leaves none behind, which would be another's. */
static int put_both(struct install *install)
{
    const char *signature = install->signature;

    if (!install->request->is_unsigned && (rename(install->staged_signature, signature) < 0)) {
        return complain(CLI_UNABLE, "%s: %s", signature, strerror(errno));
    }
    if (!install->request->is_unsigned) {
        swap_flush_folder(signature);
    }
    int status = swap_put(&install->swap, NULL);
    if (status == CLI_YES && install->request->is_unsigned && unlink(signature) < 0 &&
        errno != ENOENT) {
        status = complain(CLI_UNABLE, "%s: %s", signature, strerror(errno));
    }
    return status;
}

/* With the other files of this machine; all tests, theirs too. */
static int check_here(struct install *install)
{
    int status = swap_check(&install->swap, install->hash);

    return status == CLI_YES     ? CLI_YES
           : status == CLI_NO    ? complain(CLI_NO, "refused: a test fails with the other files of "
                                                       "this machine")
           : status == CLI_USAGE ? complain(CLI_NO, "refused: the policy has errors with the other "
                                                    "files of this machine")
                                 : status;
}

static int install_locked(struct install *install)
{
    struct text bytes = text_of(&install->bundle);
    int status = install->signature != NULL && install->staged_signature != NULL
                     ? read_installed(install)
                     : complain(CLI_UNABLE, "out of memory");

    if (status == CLI_YES) {
        status = judge_age(install);
    }
    install->is_same = !install->swap.is_new && swap_same_bytes(&install->swap.before, &bytes);
    if (status == CLI_YES) {
        status = stage_both(install);
    }
    if (status == CLI_YES) {
        status = check_here(install);
    }
    if (status == CLI_YES) {
        status = put_both(install);
    }
    if (install->staged_signature != NULL) {
        (void)unlink(install->staged_signature); /* where it was not put */
    }
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int verify_bundle(struct install *install)
{
    struct bundle *bundle = &install->bundle;

    if (install->request->is_unsigned) {
        return CLI_YES;
    }
    bundle_verify(bundle, install->keys, install->key_count);
    return bundle->reason == BUNDLE_GOOD ? CLI_YES
                                         : complain(CLI_NO, "refused: %s: %s", bundle->path,
                                                    bundle_reason_text(bundle->reason));
}

static int print_installed(const struct install *install)
{
    const struct bundle_facts *facts = &install->bundle.facts;
    bool is_signed = !install->request->is_unsigned;

    if (!install->request->json) {
        print_safe(stdout, install->swap.file, false);
        printf(": %s", install->is_same ? "is up to date" : "is installed");
        if (is_signed) {
            printf(", serial %llu", (unsigned long long)facts->serial);
        }
        printf("; the policy has hash %s\n", install->hash);
        return CLI_YES;
    }
    char *file = valid_utf8(install->swap.file);
    json_t *json = json_pack(
        "{s:s?, s:b, s:o, s:o, s:s?, s:s}", "file", file, "changed", !install->is_same, "serial",
        is_signed ? json_integer((json_int_t)facts->serial) : json_null(), "previous-serial",
        install->has_installed ? json_integer((json_int_t)install->installed.serial) : json_null(),
        "bundle-hash", is_signed ? facts->hash : NULL, "policy-hash", install->hash);
    bool printed = json != NULL && print_json(stdout, json);
    json_decref(json);
    free(file);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* A bundle that is not good is refused before the lock is taken. */
static int install_bundle(const struct request *request)
{
    struct install install = {.request = request, .swap.lock_fd = -1};
    int status = load_keys(request, &install);

    if (status == CLI_YES) {
        status = bundle_read(request->file, &install.bundle);
    }
    if (status == CLI_YES) {
        status = verify_bundle(&install);
    }
    if (status == CLI_YES) {
        status = swap_begin(request->to != NULL ? request->to : BUNDLE_FILE, &install.swap);
    }
    if (status == CLI_YES) {
        install.signature = bundle_signature_path(install.swap.file);
        install.staged_signature = swap_beside(install.swap.file, ".minisig.new");
        status = install_locked(&install);
    }
    if (status == CLI_YES) {
        status = print_installed(&install);
    }
    swap_end(&install.swap);
    bundle_release(&install.bundle);
    free(install.signature);
    free(install.staged_signature);
    free(install.keys);
    return status;
}

static int run_install(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.file == NULL || strcmp(request.file, "-") == 0
                     ? wrong_usage(line, "which FILE.yaml? FILE.yaml.minisig lies beside it")
                     : install_bundle(&request);
    }
    word_list_release(&request.keys);
    return status;
}

COMMAND(policy, install) = {
    .about = "Verifies the bundle FILE.yaml by FILE.yaml.minisig and puts both into the policy of "
             "this machine, where FILE.yaml is checked with the other files and all tests are run "
             "before. A process that has the policy in force reads the old one or the new one, "
             "never a part.",
    .exits = "Exit status: 0 installed, or it was; 1 refused; 2 wrong usage; 3 it could not be "
             "done. Unless 0, the policy is as it was.",
    .operand = OPERAND("FILE.yaml", struct request, file),
    OPTIONS(options),
    .run = run_install,
};
