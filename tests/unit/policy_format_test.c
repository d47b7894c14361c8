/* SPDX-License-Identifier: MIT */
/*
 * The canonical form: rows of what goes in and what comes out; that it is stable, means the same
 * and keeps every comment, for the rows and for files made at random.
 */
#include "tools/policy/format.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/policy/show.h"

#define V      "version: 1\n"
#define LONG16 "aaaaaaaaaaaaaaaa"

static const struct {
    const char *what, *in, *out; /* out NULL: the same */
} rows[] = {
    {"canonical already", V "defaults:\n  mode: enforce\n", NULL},
    {"keys in order", "watch: true\nversion: 1\ndefaults: {decision: deny, mode: enforce}\n",
     V "defaults:\n  mode: enforce\n  decision: deny\nwatch: true\n"},
    {"a match in one line",
     V "rules:\n- decision: deny\n  name: a\n  match:\n    class: X\n    user: 0\n",
     V "rules:\n  - name: a\n    match: {user: 0, class: X}\n    decision: deny\n"},
    {"a method behind its class",
     V "rules:\n- decision: deny\n  name: a\n  match: {operation: Invoke, method: M, class: X}\n"
       "tests:\n- {name: t, given: {method: M, opened-as: {user: 0}, operation: Invoke, class: X}, "
       "expect: {decision: deny}}\n",
     V "rules:\n  - name: a\n    match: {class: X, method: M, operation: Invoke}\n    decision: "
       "deny\n"
       "tests:\n  - name: t\n"
       "    given: {opened-as: {user: 0}, operation: Invoke, class: X, method: M}\n"
       "    expect: {decision: deny}\n"},
    {"a list in one line", V "compare:\n  - euid\n  - ruid\n", V "compare: [euid, ruid]\n"},
    {"a list that is too long",
     V "rules: [{name: a, decision: deny, match: {class: [" LONG16 "1, " LONG16 "2, " LONG16
       "3, " LONG16 "4, " LONG16 "5]}}]\n",
     V "rules:\n  - name: a\n    match:\n      class:\n        - " LONG16 "1\n        - " LONG16
       "2\n        - " LONG16 "3\n        - " LONG16 "4\n        - " LONG16
       "5\n    decision: deny\n"},
    {"quotes become double", V "rules: [{name: 'a b', decision: \"deny\"}]\n",
     V "rules:\n  - name: \"a b\"\n    decision: \"deny\"\n"},
    {"what a flow list would read otherwise",
     V "rules:\n  - name: a, b\n    decision: deny\n    match:\n      class: what?\n",
     V "rules:\n  - name: a, b\n    match: {class: \"what?\"}\n    decision: deny\n"},
    {"line ends and blanks", "version: 1   \nwatch:    true\n", V "watch: true\n"},
    {"several empty lines", "\n\n" V "\n\n\nwatch: true\n\n\n", V "\nwatch: true\n"},
    {"the order of lists stays", V "compare: [groups, euid]\n", V "compare: [groups, euid]\n"},
    {"a document mark", "---\n" V "...\n", V},

    /* comments */
    {"above the file", "# one\n\n# two\nwatch: true\nversion: 1\n",
     "# one\n\n" V "# two\nwatch: true\n"},
    {"below the file", V "# end\n\n# real end\n", V "# end\n\n# real end\n"},
    {"before and behind", V "rules:\n   # before\n   - name: a   # behind\n     decision: deny\n",
     V "rules:\n  # before\n  - name: a # behind\n    decision: deny\n"},
    {"behind a key", V "rules: # all\n  - name: a\n    decision: deny\n",
     V "rules: # all\n  - name: a\n    decision: deny\n"},
    {"behind a list", V "compare: [euid, ruid] # why\n", V "compare: [euid, ruid] # why\n"},
    {"behind a list that was several lines", V "compare: [euid,\n  ruid] # why\n",
     V "compare: [euid, ruid] # why\n"},
    {"within a list", V "compare: [euid, # this\n  # that\n  ruid]\n",
     V "compare:\n  - euid # this\n  # that\n  - ruid\n"},
    {"within a match",
     V "rules:\n  - name: a\n    decision: deny\n    match: {user: 0, # root\n"
       "      class: X}\n",
     V
     "rules:\n  - name: a\n    match:\n      user: 0 # root\n      class: X\n    decision: deny\n"},
    {"moving with its key", V "rules:\n  - decision: deny # no\n    # the name\n    name: a\n",
     V "rules:\n  # the name\n  - name: a\n    decision: deny # no\n"},
    {"behind a dash", V "rules:\n  - # dash\n    name: a\n    decision: deny\n",
     V "rules:\n  # dash\n  - name: a\n    decision: deny\n"},
    {"a rule that is commented out",
     V "rules:\n  - name: a\n    decision: deny\n#  - name: b\n  - name: c\n    decision: deny\n",
     V
     "rules:\n  - name: a\n    decision: deny\n  #  - name: b\n  - name: c\n    decision: deny\n"},
    {"a hash within a text", V "rules: [{name: \"a # b\", reason: c#d, decision: deny}]\n",
     V "rules:\n  - name: \"a # b\"\n    decision: deny\n    reason: c#d\n"},
    {"other letters",
     "# \xC3\xA4\xE2\x82\xAC\n" V "rules:\n- name: \xC3\xA4 # \xE2\x82\xAC\n"
     "  decision: deny\n",
     "# \xC3\xA4\xE2\x82\xAC\n" V
     "rules:\n  - name: \xC3\xA4 # \xE2\x82\xAC\n    decision: deny\n"},
};

/* ---- checking ------------------------------------------------------------------------------- */

static struct policy_draft *load(const char *source)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    struct text text = TEXT_EMPTY;

    if (draft_load_text("test", source, strlen(source), &draft, &errors) != MIGUARD_OK) {
        diagnostics_write(&errors, &text);
        ck_abort_msg("%s\n%s", source, text.data);
    }
    diagnostics_release(&errors);
    return draft;
}

static void format(const char *source, struct text *ret_text)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;

    enum miguard_status status = format_policy("test", source, strlen(source), ret_text, &errors);
    ck_assert_msg(status == MIGUARD_OK, "%s\n%s", source,
                  errors.count > 0 ? errors.items[0].message : "no memory");
    ck_assert_uint_eq(errors.count, 0);
}

/* Formats it, which must mean the same and stay as it is when it is formatted again. */
static void check_format(const char *source, struct text *ret_text)
{
    struct text again = TEXT_EMPTY;

    format(source, ret_text);
    format(ret_text->data, &again);
    ck_assert_str_eq(ret_text->data, again.data);
    struct policy_draft *before = load(source), *after = load(ret_text->data);
    ck_assert_msg(format_same(before, after), "%s\nbecame\n%s", source, ret_text->data);
    draft_free(before);
    draft_free(after);
    text_release(&again);
}

START_TEST(format_row)
{
    struct text text = TEXT_EMPTY;

    check_format(rows[_i].in, &text);
    ck_assert_msg(strcmp(text.data, rows[_i].out == NULL ? rows[_i].in : rows[_i].out) == 0,
                  "%s: expected\n%s\ngot\n%s", rows[_i].what,
                  rows[_i].out == NULL ? rows[_i].in : rows[_i].out, text.data);
    text_release(&text);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------ */

static const char *const refused[] = {
    "",
    "# nothing\n",
    "text\n",
    "[a, b]\n",
    "a: [b\n",
    "a: &x b\n",
    "a: *x\n",
    "a: !!str b\n",
    "? {a: b}\n: c\n",
    "a: b\n---\nc: d\n",
    "a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: n}}}}}}}}}}}}\n",
};

START_TEST(refused_row)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;

    ck_assert_int_eq(format_policy("test", refused[_i], strlen(refused[_i]), &text, &errors),
                     MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 1);
    ck_assert_uint_eq(text.length, 0);
    diagnostics_release(&errors);
}
END_TEST

/* ---- what differs --------------------------------------------------------------------------- */

/* No two of these are the same policy. */
static const char *const different[] = {
    V,
    V "watch: true\n",
    V "gate: {scope: thread}\n",
    V "gate: {scope: process}\n",
    V "gate: {action: kill}\n",
    V "gate: {report: true}\n",
    V "gate: {io-uring: deny}\n",
    V "defaults: {audit: [deny, switch]}\n",
    V "defaults: {mode: permissive}\n",
    V "defaults: {on-mismatch: revoke}\n",
    V "audit: {keys: names}\n",
    V "audit: {keys: none}\n",
    V "compare: [euid]\n",
    V "clients: [{provider: a.so, may: identify}]\n",
    V "clients: [{provider: a.so, may: impersonate}]\n",
    V "clients: [{provider: [a.so, b.so], may: identify}]\n",
    V "rules: [{name: a, decision: deny}]\n",
    V "rules: [{name: b, decision: deny}]\n",
    V "rules: [{name: a, decision: allow}]\n",
    V "rules: [{name: a, decision: deny, reason: x}]\n",
    V "rules: [{name: a, decision: deny, audit: never}]\n",
    V "rules: [{name: a, decision: deny, match: {class: A}}]\n",
    V "rules: [{name: a, decision: deny, match: {class: [A, B]}}]\n",
    V "rules: [{name: a, decision: deny, match: {class: [B, A]}}]\n",
    V "rules: [{name: a, decision: deny, match: {method: A}}]\n",
    V "rules: [{name: a, decision: deny, match: {method: [A, B]}}]\n",
    V "rules: [{name: a, decision: deny, match: {user: 0}}]\n",
    V "rules: [{name: a, decision: deny, match: {user: 0-1}}]\n",
    V "rules: [{name: a, decision: deny, match: {operation: Invoke}}]\n",
    V "rules: [{name: a, decision: deny, match: {mismatch: euid}}]\n",
    V "tests: [{name: t, given: {opened-as: {user: root, groups: []}, operation: Invoke}, expect: "
      "{decision: deny}}]\n",
    V "tests: [{name: t, given: {opened-as: {user: root, groups: [1]}, operation: Invoke}, expect: "
      "{decision: deny}}]\n",
    V "tests: [{name: t, given: {opened-as: {user: root, groups: []}, operation: Invoke}, expect: "
      "{decision: allow}}]\n",
    V "tests: [{name: t, given: {opened-as: {user: root, groups: []}, operation: Invoke, "
      "method: A}, expect: {decision: deny}}]\n",
};

START_TEST(same_only_when_same)
{
    size_t count = sizeof(different) / sizeof(different[0]);

    for (size_t i = 0; i < count; i++) {
        struct policy_draft *a = load(different[i]);
        for (size_t k = 0; k < count; k++) {
            struct policy_draft *b = load(different[k]);
            ck_assert_msg(format_same(a, b) == (i == k), "%s%s", different[i], different[k]);
            draft_free(b);
        }
        draft_free(a);
    }
}
END_TEST

/* What show prints is a policy that means the same, tests aside. */
START_TEST(shown_is_the_same)
{
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]) - 4; i++) {
        struct policy_draft *draft = load(different[i]);
        struct text text = TEXT_EMPTY;
        show_yaml(draft, &text);
        struct policy_draft *again = load(text.data);
        ck_assert_msg(format_same(draft, again), "%s\nshown as\n%s", different[i], text.data);
        draft_free(again);
        draft_free(draft);
        text_release(&text);
    }
}
END_TEST

/* ---- at random ------------------------------------------------------------------------------ */

static unsigned long seed;

static unsigned roll(unsigned below)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % below;
}

static unsigned comment_count;

/* Now and then a comment, an empty line or neither, before the next line. */
static void random_lines(struct text *text, unsigned indent)
{
    while (roll(4) == 0) {
        if (roll(3) == 0) {
            text_append(text, "\n");
        } else {
            text_format(text, "%*s# c%u\n", (int)roll(indent + 3), "", comment_count++);
        }
    }
}

static void random_end(struct text *text)
{
    if (roll(4) == 0) {
        text_format(text, "%*s# c%u", (int)roll(3) + 1, "", comment_count++);
    }
    text_append(text, "\n");
}

static void random_list(struct text *text, const char *const *words, unsigned count,
                        unsigned indent)
{
    unsigned first = roll(count), many = roll(count) + 1;

    if (roll(2) == 0) {
        random_end(text);
        for (unsigned i = 0; i < many; i++) {
            random_lines(text, indent);
            text_format(text, "%*s- %s", (int)indent, "", words[(first + i) % count]);
            random_end(text);
        }
        return;
    }
    text_append(text, " [");
    for (unsigned i = 0; i < many; i++) {
        text_format(text, "%s%s", i > 0 ? "," : "", words[(first + i) % count]);
        if (roll(8) == 0) {
            text_format(text, " # c%u\n%*s", comment_count++, (int)indent, "");
        }
    }
    text_append(text, "]");
    random_end(text);
}

static void random_rule(struct text *text, unsigned number)
{
    static const char *const classes[] = {"A",
                                          "\"B*\"",
                                          "'C, D'",
                                          "Eeeeeeeeeeeeeeeeeeeeeeeeee",
                                          "\"#F\"",
                                          "G#",
                                          "Hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"};
    static const char *const operations[] = {"Invoke", "GetInstance", "GetClass", "Subscribe"};
    unsigned order = roll(2);

    random_lines(text, 2);
    text_format(text, order == 0 ? "  - name: r%u" : "  - decision: deny", number);
    random_end(text);
    random_lines(text, 4);
    text_append(text, "    match:");
    random_end(text);
    random_lines(text, 6);
    text_append(text, "      provider:");
    random_list(text, classes, 7, 8);
    random_lines(text, 6);
    text_append(text, "      operation:");
    random_list(text, operations, 4, 6);
    random_lines(text, 4);
    text_format(text, order == 0 ? "    decision: deny" : "    name: r%u", number);
    random_end(text);
}

static unsigned count_comments(const char *text)
{
    unsigned count = 0;
    char word[16];

    for (unsigned i = 0; i < comment_count; i++) {
        snprintf(word, sizeof(word), "# c%u\n", i);
        count += strstr(text, word) != NULL;
    }
    return count;
}

/* A setting and the rules from number first on, with comments at every place. */
static void random_file(struct text *source, bool has_watch, unsigned first, unsigned rules)
{
    random_lines(source, 0);
    if (has_watch) {
        text_append(source, "watch: true");
        random_end(source);
        random_lines(source, 0);
    }
    text_append(source, "rules:");
    random_end(source);
    for (unsigned k = 0; k < rules; k++) {
        random_rule(source, first + k);
    }
    random_lines(source, 0);
    text_append(source, "version: 1");
    random_end(source);
    random_lines(source, 0);
}

START_TEST(random_files)
{
    unsigned rounds = getenv("QUICK") != NULL ? 100 : 1000;

    seed = 1;
    for (unsigned i = 0; i < rounds; i++) {
        struct text source = TEXT_EMPTY, text = TEXT_EMPTY;
        unsigned rules = roll(3) + 1;
        comment_count = 0;
        random_file(&source, true, 0, rules);
        check_format(source.data, &text);
        ck_assert_msg(count_comments(text.data) == comment_count, "%s\nbecame\n%s", source.data,
                      text.data);
        text_release(&source);
        text_release(&text);
    }
}
END_TEST

/* ---- several files as one ------------------------------------------------------------------- */

/* The policy that the files are together, as the loader reads them. */
static struct policy_draft *load_files(const struct text *files, size_t count)
{
    char names[3][32];
    const char *paths[3];
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;

    for (size_t i = 0; i < count; i++) {
        strcpy(names[i], "/tmp/miguard-merge.XXXXXX");
        int fd = mkstemp(names[i]);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, files[i].data, files[i].length), (ssize_t)files[i].length);
        close(fd);
        paths[i] = names[i];
    }
    ck_assert_int_eq(draft_load(paths, count, DRAFT_TRUST_NONE, &draft, &errors), MIGUARD_OK);
    for (size_t i = 0; i < count; i++) {
        unlink(names[i]);
    }
    diagnostics_release(&errors);
    return draft;
}

static void check_merge(const struct text *files, size_t count, struct text *merged)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct format_source sources[3] = {0};

    for (size_t i = 0; i < count; i++) {
        sources[i] = (struct format_source){"part", files[i].data, files[i].length};
    }
    ck_assert_int_eq(format_merge(sources, count, "merged", merged, &errors), MIGUARD_OK);
    diagnostics_release(&errors);
    struct policy_draft *set = load_files(files, count), *one = load(merged->data);
    ck_assert_msg(format_same(set, one), "merged:\n%s", merged->data);
    draft_free(set);
    draft_free(one);
}

/* No comment is lost where no setting is replaced. */
START_TEST(random_merges)
{
    unsigned rounds = getenv("QUICK") != NULL ? 60 : 600;

    seed = 2;
    for (unsigned i = 0; i < rounds; i++) {
        struct text files[3] = {TEXT_EMPTY, TEXT_EMPTY, TEXT_EMPTY}, merged = TEXT_EMPTY;
        unsigned count = roll(3) + 1, first = 0;
        comment_count = 0;
        for (unsigned k = 0; k < count; k++) {
            unsigned rules = roll(3) + 1;
            random_file(&files[k], k == 0, first, rules);
            first += rules;
        }
        check_merge(files, count, &merged);
        ck_assert_msg(count_comments(merged.data) == comment_count, "%s%s%s\nbecame\n%s",
                      files[0].data, count > 1 ? files[1].data : "", count > 2 ? files[2].data : "",
                      merged.data);
        for (unsigned k = 0; k < 3; k++) {
            text_release(&files[k]);
        }
        text_release(&merged);
    }
}
END_TEST

/* Each of the policies that differ, behind each other one that it can stand behind. */
START_TEST(merges_of_what_differs)
{
    size_t count = sizeof(different) / sizeof(different[0]);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            const char *both[] = {different[i], different[k]};
            struct text files[2] = {TEXT_EMPTY, TEXT_EMPTY}, merged = TEXT_EMPTY;
            bool rules = strstr(both[0], "rules:") != NULL && strstr(both[1], "rules:") != NULL;
            if (rules) { /* names are unique */
                continue;
            }
            text_append(&files[0], both[0]);
            text_append(&files[1], both[1]);
            check_merge(files, 2, &merged);
            text_release(&files[0]);
            text_release(&files[1]);
            text_release(&merged);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy format");
    TCase *cases = tcase_create("format");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, format_row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_loop_test(cases, refused_row, 0, (int)(sizeof(refused) / sizeof(refused[0])));
    tcase_add_test(cases, same_only_when_same);
    tcase_add_test(cases, shown_is_the_same);
    tcase_add_test(cases, random_files);
    tcase_add_test(cases, random_merges);
    tcase_add_test(cases, merges_of_what_differs);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
