/* SPDX-License-Identifier: MIT */
/*
 * miguard policy verify-bundle: whether a bundle is whole, signed by a key of the site, and passes
 * its tests here. It changes nothing; `miguard policy install` verifies by the same functions.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_bundle.h"
#include "tools/cli/sign_open.h"

struct request {
    const char *file;
    struct word_list keys;
    bool json;
};

static const struct option_row options[] = {
    LIST("--key", "PUB", struct request, keys,
         "a public key of which one must have signed; may be given more than once",
         .required = true),
    FLAG("--json", struct request, json, "print one JSON object"),
};

/* What is not known, since the signature is not good, is null. */
static int print_verified_json(const struct bundle *bundle)
{
    bool known = bundle->facts.hash[0] != '\0';
    char *path = valid_utf8(bundle->path), *name = valid_utf8(bundle->facts.name);
    char id[SIGN_ID_TEXT];

    sign_id_text(bundle->key.id, id);
    json_t *json = json_pack(
        "{s:s?, s:b, s:s, s:s?, s:o, s:o, s:s?, s:s?, s:I, s:{s:I, s:I}, s:o}", "bundle", path,
        "ok", bundle->reason == BUNDLE_GOOD, "reason", bundle_reason_word(bundle->reason), "name",
        known ? name : NULL, "serial",
        known ? json_integer((json_int_t)bundle->facts.serial) : json_null(), "time",
        known ? json_integer((json_int_t)bundle->facts.time) : json_null(), "hash",
        known ? bundle->facts.hash : NULL, "key", known ? id : NULL, "rules",
        (json_int_t)(bundle->set.draft == NULL ? 0 : bundle->set.draft->rule_count), "tests",
        "passed", (json_int_t)bundle->set.tested.passed, "failed",
        (json_int_t)bundle->set.tested.failed, "findings", findings_json(&bundle->set.findings));
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    free(path);
    free(name);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

static void print_verified_text(const struct bundle *bundle)
{
    char id[SIGN_ID_TEXT];

    print_findings(stderr, &bundle->set.findings);
    print_safe(stdout, bundle->path, false);
    if (bundle->reason != BUNDLE_GOOD) {
        printf(": refused: %s\n", bundle_reason_text(bundle->reason));
        return;
    }
    sign_id_text(bundle->key.id, id);
    fputs(": good: ", stdout);
    print_safe(stdout, bundle->facts.name, false);
    printf(", serial %llu, signed by %s at %lld, %u rules, %u tests passed, hash %s\n",
           (unsigned long long)bundle->facts.serial, id, (long long)bundle->facts.time,
           bundle->set.draft->rule_count, bundle->set.tested.passed, bundle->facts.hash);
}

/* A file whose signature is not good is not read as a policy. */
static int verify(const struct request *request)
{
    struct sign_public *keys = NULL;
    struct bundle bundle = {.path = NULL};
    int status = sign_open_public(&request->keys, &keys);

    if (status == CLI_YES) {
        status = bundle_read(request->file, &bundle);
    }
    if (status == CLI_YES) {
        bundle_verify(&bundle, keys, request->keys.count);
        status = bundle.reason == BUNDLE_GOOD ? bundle_test(&bundle) : CLI_YES;
    }
    if (status == CLI_YES && request->json) {
        status = print_verified_json(&bundle);
    } else if (status == CLI_YES) {
        print_verified_text(&bundle);
    }
    if (status == CLI_YES && bundle.reason != BUNDLE_GOOD) {
        status = CLI_NO;
    }
    bundle_release(&bundle);
    free(keys);
    return status;
}

static int run_verify_bundle(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = request.file == NULL || strcmp(request.file, "-") == 0
                     ? wrong_usage(line, "which FILE.yaml? FILE.yaml.minisig lies beside it")
                     : verify(&request);
    }
    word_list_release(&request.keys);
    return status;
}

COMMAND(policy, verify_bundle) = {
    .about = "Verifies FILE.yaml by FILE.yaml.minisig, reads it as a policy and runs its tests.",
    .exits =
        "Exit status: 0 good; 1 not signed, changed, by another key, or its tests fail; 2 wrong "
        "usage; 3 a file cannot be read.",
    .operand = OPERAND("FILE.yaml", struct request, file),
    OPTIONS(options),
    .run = run_verify_bundle,
};
