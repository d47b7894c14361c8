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

static void touch_ranges(const struct draft_ranges *ranges)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        touch(ranges->items[i].text);
        if (ranges->items[i].first > ranges->items[i].last || ranges->items[i].last == UINT32_MAX) {
            abort();
        }
    }
}

static void touch_members(const struct draft_ranges *members)
{
    touch_ranges(members);
}

static void touch_globs(const struct draft_globs *globs)
{
    for (uint32_t i = 0; i < globs->count; i++) {
        touch(globs->items[i].text);
        sink += draft_glob_matches(globs->items[i].text, "root/CIMv2", true);
        sink += draft_glob_matches(globs->items[i].text, globs->items[i].text, false);
    }
}

static void touch_names(const struct draft_globs *globs)
{
    touch_globs(globs);
}

static void touch_capabilities(const uint64_t *capabilities)
{
    sink += *capabilities != 0;
}

/* No rule can say Action. */
static void touch_operations(const uint32_t *operations)
{
    if ((*operations >> OPERATION_ACTION & 1) != 0) {
        abort();
    }
}

static void touch_times(const struct draft_times *times)
{
    if (times->days >= 1 << 7 || times->first > 1440 || times->last > 1440 ||
        (times->has_hours && times->first == times->last) ||
        (times->until != 0 && times->from >= times->until)) {
        abort();
    }
}

static void touch_components(const miguard_components *components)
{
    if ((*components & ~(miguard_components)MIGUARD_COMPONENTS_ALL) != 0) {
        abort();
    }
}

static void touch_rule(const struct draft_rule *rule)
{
    if (rule->name[0] == '\0' || rule->place.line == 0) {
        abort();
    }
    touch(rule->reason);
#define TOUCH_KEY(member, key, shape, ...) touch_##shape(&rule->match.member);
    MATCH_KEY_MAP(TOUCH_KEY)
#undef TOUCH_KEY
    if (rule->match.except != NULL) {
#define TOUCH_KEY(member, key, shape, ...) touch_##shape(&rule->match.except->member);
        MATCH_KEY_MAP(TOUCH_KEY)
#undef TOUCH_KEY
    }
}

static void touch_test(const struct draft_test *test)
{
    touch(test->name);
#define TOUCH_FACT(member, key) touch(test->member);
    MATCH_FACT_MAP(TOUCH_FACT)
#undef TOUCH_FACT
    if ((test->operation == OPERATION_ACTION) != action_name_valid(test->action)) {
        abort(); /* an own action has a name, and no operation of MI has one of these */
    }
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
