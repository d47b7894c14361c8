/* SPDX-License-Identifier: MIT */
/*
 * miguard policy bundle: one signed file of a set of policy files.
 *
 * The set is read as the guard reads it, merged (tools/policy/format.h), and the result must be the
 * same policy (prove_same()), without a warning, and with tests that pass. Only then is the secret
 * key opened. For the same files, serial and time the result is the same byte for byte, and so is
 * the signature.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli/commands.h"
#include "tools/cli/policy_bundle.h"
#include "tools/cli/replace_file.h"
#include "tools/cli/sign_open.h"
#include "tools/policy/format.h"
#include "tools/policy/lint.h"

struct request {
    struct word_list files;
    const char *key, *password_file, *output;
    uint64_t serial;
    bool without_tests, allow_warnings;
};

static const struct option_row options[] = {
    TEXT("--key", "FILE", struct request, key, "the secret key that signs: miguard key create",
         .required = true),
    TEXT("--password-file", "FILE", struct request, password_file,
         "the password of the key is its only line; without this it is asked for on the terminal"),
    NUMBER("--serial", "N", struct request, serial, 1, INT64_MAX,
           "a host takes no bundle with a lower one than it has", .noun = "serial number",
           .required = true),
    TEXT("--output", "FILE.yaml", struct request, output,
         "where the bundle goes, and FILE.yaml.minisig beside it (default: policy-N.yaml)"),
    FLAG("--allow-warnings", struct request, allow_warnings,
         "a policy with warnings is taken as well; they are printed"),
    FLAG("--without-tests", struct request, without_tests,
         "a policy without a test is taken as well"),
};

/* ---- the set, and one file of it ------------------------------------------------------------ */

/* The files of the set, as they were read for the second time: what was merged is compared with
 * what was read first. */
struct sources {
    struct format_source *items;
    size_t count;
};

static void release_sources(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free((char *)(uintptr_t)sources->items[i].text);
    }
    free(sources->items);
}

static int read_sources(const struct policy_draft *draft, struct sources *sources)
{
    sources->items = calloc(draft->file_count + 1, sizeof(*sources->items));
    if (sources->items == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    for (uint32_t i = 0; i < draft->file_count; i++) {
        struct format_source *item = &sources->items[i];
        item->name = draft->files[i];
        item->text = read_policy_source(item->name, &item->length);
        if (item->text == NULL) {
            return CLI_UNABLE;
        }
        sources->count++;
    }
    return CLI_YES;
}

/* Without trust: the set is work on another machine than those that it is for. */
static int load_set(const struct request *request, struct policy_set *set)
{
    enum miguard_status status = draft_load(request->files.items, request->files.count,
                                            DRAFT_TRUST_NONE, &set->draft, &set->findings);

    if (status == MIGUARD_BAD_POLICY) {
        print_findings(stderr, &set->findings);
        return CLI_NO;
    }
    if (status != MIGUARD_OK) {
        return complain(CLI_UNABLE, "%s", miguard_status_text(status));
    }
    return set->draft->file_count > 0 ? CLI_YES : complain(CLI_UNABLE, "there is no policy file");
}

static int merge(const struct policy_draft *draft, const char *name, struct text *ret_text)
{
    struct diagnostics findings = DIAGNOSTICS_EMPTY;
    struct sources sources = {.count = 0};
    int status = read_sources(draft, &sources);

    if (status == CLI_YES) {
        enum miguard_status merged =
            format_merge(sources.items, sources.count, name, ret_text, &findings);
        print_findings(stderr, &findings);
        status = merged == MIGUARD_OK           ? CLI_YES
                 : merged == MIGUARD_BAD_POLICY ? CLI_NO
                                                : complain(CLI_UNABLE, "out of memory");
    }
    diagnostics_release(&findings);
    release_sources(&sources);
    return status;
}

/* ---- proofs --------------------------------------------------------------------------------- */

/* What a policy says does not depend on where it says that. */
static void drop_places(json_t *json)
{
    const char *key;
    json_t *member;
    size_t index;

    (void)json_object_del(json, "source");
    (void)json_object_del(json, "files");
    json_object_foreach(json, key, member)
    {
        drop_places(member);
    }
    json_array_foreach(json, index, member)
    {
        drop_places(member);
    }
}

/* In all that decides, and in what `policy show --json` prints but for the places: two comparisons
 * that know nothing of each other. */
static int prove_same(const struct policy_draft *set, const struct policy_draft *bundle)
{
    json_t *before = policy_json(set), *after = policy_json(bundle);
    int status = before != NULL && after != NULL ? CLI_YES : complain(CLI_UNABLE, "out of memory");

    if (status == CLI_YES) {
        drop_places(before);
        drop_places(after);
        if (!format_same(set, bundle) || !json_equal(before, after)) {
            status =
                complain(CLI_UNABLE, "not bundled: the one file would mean something else than "
                                     "the set (please report this)");
        }
    }
    json_decref(before);
    json_decref(after);
    return status;
}

/* As `policy check --strict`, and with a test that passes: what many hosts will run shows that it
 * does what it should. */
static int check_bundle(const struct request *request, struct policy_set *bundle)
{
    int status = policy_set_test(bundle);

    if (status != CLI_YES) {
        return status;
    }
    lint_draft(bundle->draft, &bundle->tested, &bundle->findings);
    print_findings(stderr, &bundle->findings);
    if (bundle->findings.failed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (bundle->findings.errors > 0 ||
        (bundle->findings.warnings > 0 && !request->allow_warnings)) {
        return complain(CLI_NO, "not bundled: the policy is not in order");
    }
    if (bundle->tested.passed == 0 && !request->without_tests) {
        return complain(CLI_NO, "not bundled: the policy has no test; write one, or use "
                                "--without-tests");
    }
    return CLI_YES;
}

/* ---- signing -------------------------------------------------------------------------------- */

/* SOURCE_DATE_EPOCH (reproducible-builds.org), else now. */
static int find_time(int64_t *ret_time)
{
    const char *given = secure_getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;

    if (given == NULL || given[0] == '\0') {
        *ret_time = time(NULL);
        return CLI_YES;
    }
    errno = 0;
    *ret_time = strtoll(given, &end, 10);
    return given[0] >= '0' && given[0] <= '9' && *end == '\0' && errno == 0
               ? CLI_YES
               : complain(CLI_USAGE, "SOURCE_DATE_EPOCH is not a number of seconds");
}

static const char *name_of(const char *output)
{
    const char *slash = strrchr(output, '/');

    return slash == NULL ? output : slash + 1;
}

/* Looked at before all else: it must be a name that a policy folder takes. */
static int check_name(const char *output)
{
    size_t length = strlen(name_of(output));

    return length > 5 && strcmp(output + strlen(output) - 5, ".yaml") == 0 &&
                   name_of(output)[0] != '.' && length < sizeof(((struct bundle_facts *)NULL)->name)
               ? CLI_YES
               : complain(CLI_USAGE,
                          "--output: %s: a policy's name ends in \".yaml\" and does not "
                          "begin with a dot",
                          output);
}

static int make_facts(const struct request *request, const char *output, const char *hash,
                      struct bundle_facts *facts)
{
    (void)snprintf(facts->name, sizeof(facts->name), "%s", name_of(output));
    memcpy(facts->hash, hash, DRAFT_HASH_SIZE);
    facts->serial = request->serial;
    return find_time(&facts->time);
}

static int sign(const struct request *request, const struct bundle_facts *facts,
                const struct text *text, struct text *signature)
{
    struct sign_secret secret;
    uint8_t digest[SIGN_DIGEST];
    char comment[SIGN_TRUSTED_MOST];
    int status = sign_open_secret(request->key, request->password_file, &secret);

    if (status != CLI_YES) {
        return status;
    }
    sign_digest(text->data, text->length, digest);
    bool made = bundle_comment(facts, comment) && sign_write(&secret, digest, comment, signature);
    sign_wipe(&secret);
    return made ? CLI_YES : complain(CLI_UNABLE, "%s: cannot be named in a comment", facts->name);
}

/* The signature first: a file that was replaced alone would be one that is not signed. */
static int write_both(const char *output, const struct text *text, const struct text *signature)
{
    char *path = bundle_signature_path(output);
    int status =
        path == NULL ? complain(CLI_UNABLE, "out of memory") : replace_file(path, signature, 0644);

    free(path);
    return status == CLI_YES ? replace_file(output, text, 0644) : status;
}

static int put_out(const struct request *request, const char *output, const struct text *text,
                   const struct policy_set *bundle)
{
    struct bundle_facts facts = {.serial = 0};
    struct text signature = TEXT_EMPTY;
    int status = make_facts(request, output, bundle->draft->hash, &facts);

    if (status == CLI_YES) {
        status = sign(request, &facts, text, &signature);
    }
    if (status == CLI_YES) {
        status = write_both(output, text, &signature);
    }
    if (status == CLI_YES) {
        print_safe(stdout, output, false);
        printf(": serial %llu, %u rules, %u tests passed, hash %s\n",
               (unsigned long long)facts.serial, bundle->draft->rule_count, bundle->tested.passed,
               facts.hash);
    }
    text_release(&signature);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int make_bundle(const struct request *request, const char *output)
{
    struct policy_set set = {.label = "the set"}, bundle = {.label = output};
    struct text text = TEXT_EMPTY;
    int status = load_set(request, &set);

    if (status == CLI_YES) {
        status = merge(set.draft, output, &text);
    }
    if (status == CLI_YES) {
        enum miguard_status read =
            draft_load_text(output, text.data, text.length, &bundle.draft, &bundle.findings);
        if (read == MIGUARD_OK) {
            read = policy_compile(bundle.draft, &bundle.policy);
        } else {
            print_findings(stderr, &bundle.findings);
        }
        status = read == MIGUARD_OK           ? prove_same(set.draft, bundle.draft)
                 : read == MIGUARD_BAD_POLICY ? CLI_NO
                                              : complain(CLI_UNABLE, "out of memory");
    }
    if (status == CLI_YES) {
        status = check_bundle(request, &bundle);
    }
    if (status == CLI_YES) {
        status = put_out(request, output, &text, &bundle);
    }
    text_release(&text);
    policy_set_release(&bundle);
    policy_set_release(&set);
    return status;
}

static int run_bundle(const struct command_line *line)
{
    struct request request = {0};
    char made[64];
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        (void)snprintf(made, sizeof(made), "policy-%llu.yaml", (unsigned long long)request.serial);
        const char *output = request.output != NULL ? request.output : made;
        status = check_name(output);
        status = status == CLI_YES ? make_bundle(&request, output) : status;
    }
    word_list_release(&request.files);
    return status;
}

COMMAND(policy, bundle) = {
    .about =
        "Makes one signed file of the policy files FILE, or of the *.yaml in DIR, for `miguard "
        "policy install` on other machines. They are read one after the other as the parts of "
        "one policy. Nothing is written unless the policy is in order, without a warning, and "
        "all its tests pass. Without FILE it is " POLICY_FILE " and " POLICY_FOLDER "/*.yaml.",
    .exits =
        "Exit status: 0 made; 1 the policy is not in order, or has no test; 2 wrong usage; 3 it "
        "could not be done.",
    .operand = OPERANDS("[FILE|DIR]...", struct request, files),
    OPTIONS(options),
    .run = run_bundle,
};
