/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a policy: never a crash, a leak, a hang, a draft with an error or none without one.
 * A draft that comes out is read to its last byte.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink; /* so that no reading is optimised away */

static void touch(const char *text)
{
    sink += text == NULL ? 0 : strlen(text);
}

static void touch_ranges(const struct draft_range *ranges, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        touch(ranges[i].text);
        if (ranges[i].first > ranges[i].last || ranges[i].last == UINT32_MAX) {
            abort();
        }
    }
}

static void touch_globs(const struct draft_glob *globs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        touch(globs[i].text);
        sink += draft_glob_matches(globs[i].text, "root/CIMv2", true);
        sink += draft_glob_matches(globs[i].text, globs[i].text, false);
    }
}

static void touch_rule(const struct draft_rule *rule)
{
    const struct draft_match *match = &rule->match;

    if (rule->name[0] == '\0' || rule->place.line == 0) {
        abort();
    }
    touch(rule->reason);
    touch_ranges(match->users, match->user_count);
    touch_ranges(match->as_users, match->as_user_count);
    touch_ranges(match->groups, match->group_count);
    touch_ranges(match->as_groups, match->as_group_count);
    touch_globs(match->providers, match->provider_count);
    touch_globs(match->namespaces, match->namespace_count);
    touch_globs(match->classes, match->class_count);
}

static void touch_test(const struct draft_test *test)
{
    touch(test->name);
    touch(test->provider);
    touch(test->name_space);
    for (int i = 0; i < CIM_CLASSES; i++) {
        touch(test->class_names[i]);
    }
    touch(test->expect_rule);
    touch(test->opened_as.text);
    for (uint32_t i = 0; i < test->opened_as.group_count; i++) {
        sink += test->opened_as.groups[i];
    }
    for (uint32_t i = 0; i < test->used_as.group_count; i++) {
        sink += test->used_as.groups[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_draft *draft = NULL;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    enum miguard_status status =
        draft_load_text("fuzz.yaml", (const char *)data, size, &draft, &errors);

    if ((status == MIGUARD_OK) != (errors.errors == 0) ||
        (status == MIGUARD_OK) != (draft != NULL)) {
        abort();
    }
    diagnostics_write(&errors, &text);
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] < 0x20 && text.data[i] != '\n') {
            abort(); /* a control character reached the terminal */
        }
    }
    if (draft != NULL) {
        for (uint32_t i = 0; i < draft->rule_count; i++) {
            touch_rule(&draft->rules[i]);
        }
        for (uint32_t i = 0; i < draft->test_count; i++) {
            touch_test(&draft->tests[i]);
        }
    }
    text_release(&text);
    diagnostics_release(&errors);
    draft_free(draft);
    return 0;
}
