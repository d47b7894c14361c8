/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at each allocation of a load in turn: it answers NO_MEMORY and says so in the
 * errors, no draft comes out, nothing leaks, and the same load succeeds when there is memory again.
 *
 * What libyaml and the name service allocate themselves is not counted.
 */
#include "support/failing_alloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/draft.h"

/* ---- what is tried --------------------------------------------------------------------------- */

static char folder[] = "/tmp/policy-fault-XXXXXX";
static char *good, *bad;

static const char bad_start[] = "version: 3\n"
                                "wach: true\n"
                                "defaults: { mode: x, audit: [] }\n"
                                "compare: [euid, x]\n"
                                "audit: { sinks: [ { file: { path: x } } ] }\n"
                                "rules:\n";

static const char good_start[] =
    "version: 1\n"
    "defaults: { mode: enforce, audit: [deny, use] }\n"
    "audit: { sinks: [ { file: { path: /a/b } } ] }\n"
    "tests:\n"
    "  - name: t\n"
    "    given: { opened-as: { user: root }, used-as: { user: 4000000000, group: root, groups: "
    "[root, 5] }, operation: Invoke, provider: x, namespace: y, class: z }\n"
    "    expect: { decision: deny, mismatch: [euid], rule: r0 }\n"
    "rules:\n";

/* So many rules that every array grows and every arena has several blocks. */
static char *make_policy(const char *start, bool is_good)
{
    char *text = malloc(DRAFT_MAX_FILE), *end = text + sprintf(text, "%s", start);
    for (int i = 0; i < 100; i++) {
        end += sprintf(end,
                       "  - name: r%d\n"
                       "    match: { user: [root, %d, %s], group: root, class: [A*, 'B'], "
                       "capability: CAP_KILL, operation: Invoke, mismatch: euid }\n"
                       "    decision: deny\n"
                       "    reason: why not\n",
                       i, i,
                       is_good      ? "5-6"
                       : i % 2 == 0 ? "6-5"
                                    : "no-such-user");
    }
    return text;
}

static enum miguard_status try_good(struct policy_draft **draft, struct diagnostics *errors)
{
    return draft_load_text("p.yaml", good, strlen(good), draft, errors);
}

static enum miguard_status try_bad(struct policy_draft **draft, struct diagnostics *errors)
{
    return draft_load_text("p.yaml", bad, strlen(bad), draft, errors);
}

static enum miguard_status try_syntax(struct policy_draft **draft, struct diagnostics *errors)
{
    return draft_load_text("p.yaml", "version: 1\na: [", 15, draft, errors);
}

static enum miguard_status try_folder(struct policy_draft **draft, struct diagnostics *errors)
{
    const char *paths[] = {folder};
    return draft_load(paths, 1, DRAFT_TRUST_NONE, draft, errors);
}

static enum miguard_status try_untrusted(struct policy_draft **draft, struct diagnostics *errors)
{
    const char *paths[] = {folder};
    return draft_load(paths, 1, DRAFT_TRUST_ALL, draft, errors);
}

static enum miguard_status try_absent(struct policy_draft **draft, struct diagnostics *errors)
{
    const char *paths[] = {"/no/such/file", "/dev/null"};
    return draft_load(paths, 2, DRAFT_TRUST_NONE, draft, errors);
}

static enum miguard_status try_built_in(struct policy_draft **draft, struct diagnostics *errors)
{
    enum miguard_status status = draft_builtin(draft);
    errors->failed = status == MIGUARD_NO_MEMORY;
    return status;
}

static const struct {
    const char *name;
    enum miguard_status (*load)(struct policy_draft **, struct diagnostics *);
    enum miguard_status status; /* when there is memory */
} tries[] = {
    {"a good policy", try_good, MIGUARD_OK},
    {"one of many errors", try_bad, MIGUARD_BAD_POLICY},
    {"a syntax error", try_syntax, MIGUARD_BAD_POLICY},
    {"a folder", try_folder, MIGUARD_OK},
    {"an untrusted folder", try_untrusted, MIGUARD_BAD_POLICY},
    {"absent and no file", try_absent, MIGUARD_BAD_POLICY},
    {"the built-in policy", try_built_in, MIGUARD_OK},
};

/* ---- trying ---------------------------------------------------------------------------------- */

static unsigned passed, failures;

static void check(bool good_so, const char *name, long at, const char *what)
{
    if (good_so) {
        passed++;
        return;
    }
    failures++;
    printf("%s, allocation %ld%s: %s\n", name, at, keeps_failing ? " and all after it" : "", what);
}

/* A thread that asked the directory gives its share of the question back after its answer was
 * taken: on a busy machine, after the load has ended. */
static bool all_comes_back(void)
{
    for (int i = 0; i < 5000 && outstanding != 0; i++) {
        (void)usleep(1000);
    }
    return outstanding == 0;
}

/* One load in which allocation number `at` fails; false when there was none so late. */
static bool try_once(size_t which, long at)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *untouched = (void *)&errors, *draft = untouched;
    const char *name = tries[which].name;

    failed = false;
    countdown = at;
    enum miguard_status status = tries[which].load(&draft, &errors);
    bool hit = failed;
    countdown = -1;
    if (hit) {
        check(status == MIGUARD_NO_MEMORY, name, at, "the status is not NO_MEMORY");
        check(errors.failed, name, at, "the errors do not say that memory ran out");
        check(draft == untouched, name, at, "a draft came out");
        struct text text = TEXT_EMPTY;
        diagnostics_write(&errors, &text);
        check(text.data != NULL && strstr(text.data, "error: out of memory") != NULL, name, at,
              "the text does not say that memory ran out");
        text_release(&text);
    } else {
        check(status == tries[which].status, name, at, "another status with enough memory");
        check(!errors.failed, name, at, "the errors say that memory ran out");
        if (draft != untouched) {
            draft_free(draft);
        }
    }
    diagnostics_release(&errors);
    check(all_comes_back(), name, at, "memory leaked");
    outstanding = 0;
    return hit;
}

/* The messages themselves, written without memory. */
static void try_writing(void)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    struct text text = TEXT_EMPTY;

    check(try_bad(&draft, &errors) == MIGUARD_BAD_POLICY, "writing", 0, "no errors");
    for (long at = 0;; at++) {
        failed = false;
        countdown = at;
        diagnostics_write(&errors, &text);
        countdown = -1;
        check(text.failed == failed, "writing", at, "the text does not say that it is not whole");
        text_release(&text);
        if (!failed) {
            break;
        }
    }
    diagnostics_release(&errors);
    check(outstanding == 0, "writing", 0, "memory leaked");
}

static void make_folder(void)
{
    char path[64];
    static const char *const names[] = {"a.yaml", "README"};
    if (mkdtemp(folder) == NULL) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "w");
        fputs(good, file);
        fclose(file);
    }
}

static void remove_folder(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/a.yaml", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/README", folder);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    countdown = -1;
    good = make_policy(good_start, true);
    bad = make_policy(bad_start, false);
    make_folder();
    for (int all_after = 0; all_after < 2; all_after++) {
        keeps_failing = all_after != 0;
        for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
            long at = 0;
            while (try_once(i, at)) {
                at++;
            }
            printf("%s: %ld allocations\n", tries[i].name, at);
        }
    }
    keeps_failing = false;
    try_writing();
    remove_folder();
    free(good);
    free(bad);
    printf("%u passed, %u failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
