/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/review_line.h"
#include "tools/review/explain.h"

static const char *const actions[] = {
#define ACTION_NAME(NAME, name, allowed, refused, text) name,
    AUDIT_ACTION_MAP(ACTION_NAME)
#undef ACTION_NAME
};

static const char *const reasons[] = {
#define REASON_NAME(NAME, name, text) name,
    AUDIT_REASON_MAP(REASON_NAME)
#undef REASON_NAME
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static const struct explain_related none = {.searched = true};

static char *told(const struct review_line *facts, const struct explain_related *related)
{
    struct record record = review_record(facts);
    struct text text = TEXT_EMPTY;

    explain_write_text(&text, &record, related);
    ck_assert(!text.failed);
    for (size_t i = 0; i < text.length; i++) {
        ck_assert((unsigned char)text.data[i] >= 0x20 || text.data[i] == '\n');
    }
    return text.data;
}

static bool says(const char *text, const char *words)
{
    char flat[65536];
    size_t length = 0;

    /* as it would stand without line breaks */
    for (; *text != '\0' && length < sizeof(flat) - 1; text++) {
        bool blank = *text == ' ' || *text == '\n';
        if (!blank || (length > 0 && flat[length - 1] != ' ')) {
            flat[length++] = blank ? ' ' : *text;
        }
    }
    flat[length] = '\0';
    return strstr(flat, words) != NULL;
}

static void check_json(const struct review_line *facts)
{
    static const char *const needed[] = {"what", "when", "where", "to_do", "session", "record"};
    struct record record = review_record(facts);
    struct text text = TEXT_EMPTY;
    json_error_t error;

    explain_write_json(&text, &record, &none);
    ck_assert(!text.failed);
    json_t *json = json_loads(text.data, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        ck_assert_msg(json_object_get(json, needed[i]) != NULL, "%s", needed[i]);
    }
    json_decref(json);
    text_release(&text);
}

/* A refusal for whatever reason of whatever action has an advice, and each action a sentence. */
START_TEST(test_each_action_and_reason)
{
    for (enum audit_reason i = 0; i < AUDIT_REASON_COUNT; i++) {
        struct review_line facts = {.action = actions[_i], .reason = reasons[i]};
        struct record record = review_record(&facts);
        const char *step = NULL;
        uint32_t at = 0;
        char *text = told(&facts, &none);
        bool decision = export_is_decision(&record);

        bool client = strcmp(actions[_i], "session-open") == 0 &&
                      (i == AUDIT_REASON_CLIENT_GIVEN || i == AUDIT_REASON_CLIENT_DENIED);
        ck_assert(says(text, client ? "the client of its request was asked for"
                                    : export_action_text(&record)));
        ck_assert(says(text, decision ? "Refused: " : "Failed: "));
        if (i != AUDIT_REASON_NONE) {
            ck_assert(says(text, audit_reasons[i].text));
        }
        ck_assert_msg(!decision || i == AUDIT_REASON_IDENTITY_MATCH ||
                          explain_step(&record, &at, &step),
                      "%s %s", actions[_i], reasons[i]);
        ck_assert(step == NULL || says(text, step));
        check_json(&facts);
        free(text);
    }
}
END_TEST

START_TEST(test_each_component_has_a_step)
{
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        char mismatch[64];
        snprintf(mismatch, sizeof(mismatch), "[\"%s\"]",
                 miguard_component_name((miguard_components)1 << bit));
        struct review_line facts = {.mismatch = mismatch};
        struct record record = review_record(&facts);
        const char *step;
        uint32_t at = 0, steps = 0;
        while (explain_step(&record, &at, &step)) {
            steps++;
        }
        ck_assert_msg(steps == 2, "%s", mismatch);
    }
}
END_TEST

static const struct {
    struct review_line facts;
    const char *words;
} sentences[] = {
    {{0},
     "Refused: GetInstance of class MG_File in namespace root/cimv2, asked for by provider "
     "libweb.so (a session was used)."},
    {{.operation = "Invoke", .method = "Terminate"},
     "Refused: Invoke of method Terminate of class MG_File in namespace root/cimv2"},
    {{.in_miguard = ",\"keys\":[\"Name=x\",\"Id=4\"],\"keys_omitted\":2"},
     "(a session was used). Its instance is Name=x, Id=4, and 2 more keys."},
    {{.operation = "upload",
      .class_name = "",
      .name_space = "",
      .provider = "fileserver",
      .in_miguard = ",\"resource\":\"/srv/a\",\"object\":\"inode\\u001b 17\""},
     "Refused: upload of resource /srv/a, asked for by provider fileserver (a session was used). "
     "Its object is inode\\x001B 17."},
    {{.operation = "upload"}, "behind each request."},
    {{.operation = "Bind", .reason = "limit-reached"}, "Release bindings whose objects are closed"},
    {{.operation = "Action", .reason = "handle-stale"}, "keep a reference (miguard_keep())"},
    {{.operation = "stat", .reason = "name-invalid"}, "longer than 4095 bytes"},
    {{.operation = "stat", .reason = "handle-forged"}, "run the program under AddressSanitizer"},
    {{.operation = "GetLocalSession", .reason = "limit-reached"}, "Close operations when"},
    {{.in_miguard = ",\"keys\":[\"Name=a\\u001b[2J\"]"}, "Its instance is Name=a\\x001B[2J."},
    {{.would_deny = true}, "Let pass, though it would be refused: GetInstance"},
    {{.would_deny = true}, "Mend the provider before you set mode: enforce."},
    {{.allowed = true, .reason = "identity-match", .mismatch = ""}, "Allowed: GetInstance"},
    {{0}, "2026-03-01 12:00:00.000000 UTC on host h."},
    {{.repeats = 41, .on_top = ""}, "The same was refused 41 times."},
    {{0}, "Process 77 /usr/bin/x, thread 78 \"t\"; the call site is not known."},
    {{.in_miguard = ",\"call_site\":{\"module\":\"/m.so\",\"offset\":\"00000000000001ff\","
                    "\"symbol\":\"f\"}"},
     "; called from /m.so+0x00000000000001ff in f."},
    {{.user = 5}, "The session belongs to uid 5, group 0; it is session 00000000000000bb"},
    {{.as_user = 6}, "The call was made as uid 6, group 100."},
    {{.reason = "identity-mismatch"},
     "identity-mismatch: the session was taken under another identity."},
    {{.reason = "later"}, "later: this version does not know that reason."},
    {{.action = "later"}, "this version does not know what happened"},
    {{0}, "No rule allows a call whose identity differs in these components"},
    {{.on_top = ",\"rule\":{\"name\":\"r1\",\"reference\":\"/p.yaml:3:5\",\"description\":\"so\"}"},
     "Rule \"r1\" at /p.yaml:3:5: so."},
    {{.mismatch = "", .reason = "handle-stale"}, "No rule was asked: this is decided before"},
    {{.mismatch = "",
      .reason = "policy",
      .on_top = ",\"rule\":{\"name\":\"default\",\"reference\":\"/p.yaml:2:3\"}"},
     "No rule applied; the default decided, at /p.yaml:2:3."},
    {{.action = "audit-rotate",
      .allowed = true,
      .in_miguard = ",\"rotated\":{\"previous\":\"a.jsonl.7\",\"removed_files\":0,"
                    "\"removed_through\":0,\"beyond\":4711}"},
     "The file before is longer than the policy allows, by 4711 bytes."},
    {{.action = "audit-rotate",
      .allowed = true,
      .in_miguard = ",\"rotated\":{\"previous\":\"a.jsonl.7\",\"removed_files\":0,"
                    "\"removed_through\":0,\"stray_files\":2,\"stray\":\"a.jsonl.9\"}"},
     "none of the log's: 2, the first is a.jsonl.9. Nothing was done to them."},
    {{.action = "records-lost",
      .allowed = true,
      .in_miguard = ",\"lost\":{\"sink\":\"file\",\"count\":12,\"cause\":\"no-space\","
                    "\"first\":\"2026-03-01T11:00:00.000000Z\","
                    "\"last\":\"2026-03-01T11:30:00.000000Z\",\"total\":20}"},
     "12 records are missing in the sink file, from 2026-03-01 11:00:00.000000 UTC to 2026-03-01 "
     "11:30:00.000000 UTC. Cause: no-space, the disk, a quota or a limit on the size of files left "
     "no room. Since the log was made 20 were lost."},
    {{.action = "policy-refused", .in_miguard = ",\"policy\":{\"detail\":\"f:1:2: bad\"}"},
     "Policy: f:1:2: bad."},
    {{.action = "policy-load",
      .allowed = true,
      .in_miguard = ",\"policy\":{\"detail\":\"f\",\"hash\":\"6ab1\"}"},
     "Policy: f. Its hash is 6ab1."},
    {{.action = "audit-start", .allowed = true, .in_miguard = ",\"policy\":{\"hash\":\"6ab1\"}"},
     "The hash of the policy is 6ab1."},
    {{.in_miguard = ",\"last_switch\":{\"module\":\"/usr/lib/libweb.so\",\"offset\":\"2a\","
                    "\"symbol\":\"serve\",\"time\":\"2026-03-01T11:59:58.000000Z\"}"},
     "The last switch on this thread was made at /usr/lib/libweb.so+0x2a in serve, 2026-03-01"},
    {{.action = "gate", .reason = "gate", .in_miguard = ",\"attempt\":\"setresuid(4711, -1, -1)\""},
     "setresuid(4711, -1, -1)."},
    {{.action = "switch", .reason = "none", .operation = "", .allowed = true},
     "Done: a thread was to change its identity."},
    {{.action = "switch", .reason = "none", .allowed = true}, "The thread was uid 0, group 0."},
    {{.action = "drop", .reason = "none", .allowed = true, .as_user = 7},
     "The thread is now uid 7, group 100."},
    {{.class_name = "a\\u001b[2Jb"}, "of class a\\x001B[2Jb in"},
};

START_TEST(test_sentences)
{
    setenv("TZ", "UTC", 1);
    char *text = told(&sentences[_i].facts, &none);
    ck_assert_msg(says(text, sentences[_i].words), "%s", text);
    free(text);
}
END_TEST

/* ---- what differed ---------------------------------------------------------------------------*/

static const struct {
    const char *component, *bound, *current, *in_miguard, *words;
} changes[] = {
    {"euid", "{\"id\":0}", "{\"id\":5}", NULL, "0 -> 5"},
    {"euid", "{\"id\":0,\"name\":\"root\"}", "{\"id\":5}", NULL, "root (0) -> 5"},
    {"groups", "[{\"id\":9},{\"id\":4},{\"id\":27}]", "[{\"id\":27},{\"id\":100}]", NULL,
     "lost 4, 9; gained 100"},
    {"groups", "[]", "[{\"id\":1}]", NULL, "lost none; gained 1"},
    {"groups", "[{\"id\":10},{\"id\":9}]", "[{\"id\":9}]", NULL, "lost 10; gained none"},
    {"groups", "[{\"id\":100},{\"id\":9},{\"id\":10}]", "[]", NULL, "lost 9, 10, 100; gained none"},
    {"cap-effective", "[\"CAP_A\",\"CAP_B\"]", "[\"CAP_B\",\"CAP_C\"]", NULL,
     "lost CAP_A; gained CAP_C"},
    {"cap-effective",
     "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"A\",\"B\",\"C\",\"D\",\"E\"]", "[]",
     NULL, "lost 1, 2, 3, 4, 5, 6, 7, 8, 9, A, B, C and 2 more; gained none"},
    {"securebits", "[]", "[\"keep-caps\"]", NULL, "lost none; gained keep-caps"},
    {"no-new-privs", "false", "true", NULL, "no -> yes"},
    {"user-namespace", "4026531837", "4026532000", NULL, "4026531837 -> 4026532000"},
    {"lsm-label", "null", "\"a<b>\"", NULL, "none -> a<b>"},
    {"lsm-label", "\"x\"", "null", NULL, "x -> none"},
    {"euid", "{\"id\":3}", "{\"id\":3}", NULL,
     "differed when it was compared; when the record was written it was 3"},
    {"euid", "{\"id\":3}", "{\"id\":4}", ",\"unreadable\":[\"suid\",\"euid\"]",
     "could not be read, so it proves nothing"},
    {"fsuid", NULL, NULL, NULL, "its values are not in the record"},
};

START_TEST(test_changes)
{
    char bound[512] = "", current[512] = "";
    struct text text = TEXT_EMPTY;

    if (changes[_i].bound != NULL) {
        snprintf(bound, sizeof(bound), "\"%s\":%s", changes[_i].component, changes[_i].bound);
        snprintf(current, sizeof(current), "\"%s\":%s", changes[_i].component, changes[_i].current);
    }
    struct record record = review_record(&(struct review_line){
        .bound = bound, .current = current, .in_miguard = changes[_i].in_miguard});
    explain_change(&text, EXPORT_TERMINAL, &record, changes[_i].component);
    ck_assert_str_eq(text.data, changes[_i].words);
    text_release(&text);
}
END_TEST

/* A hostile record must not make the comparison of its groups take for ever. */
START_TEST(test_many_groups)
{
    static char bound[50000], current[50000];
    struct text text = TEXT_EMPTY;
    size_t a = (size_t)snprintf(bound, sizeof(bound), "\"groups\":[{\"id\":7}");
    size_t b = (size_t)snprintf(current, sizeof(current), "\"groups\":[{\"id\":7}");

    for (unsigned i = 0; a < 49000; i++) {
        a += (size_t)snprintf(bound + a, sizeof(bound) - a, ",{\"id\":%u}", 100000 + 2 * i);
        b += (size_t)snprintf(current + b, sizeof(current) - b, ",{\"id\":%u}", 100001 + 2 * i);
    }
    strcpy(bound + a, "]");
    strcpy(current + b, "]");
    struct record record = review_record(&(struct review_line){.bound = bound, .current = current});
    explain_change(&text, EXPORT_TERMINAL, &record, "groups");
    ck_assert_ptr_nonnull(strstr(text.data, "lost 100000, 100002"));
    ck_assert_ptr_nonnull(strstr(text.data, " more; gained 100001, 100003"));
    text_release(&text);
}
END_TEST

START_TEST(test_related)
{
    struct explain_related related = {.searched = true, .others = 9, .other_refused = 40};

    setenv("TZ", "UTC", 1);
    text_append(&related.open, review_line(&(struct review_line){
                                   .action = "session-open", .allowed = true, .sequence = 3}));
    char *text = told(&(struct review_line){.sequence = 8}, &related);
    ck_assert_msg(says(text, "The session was opened at 2026-03-01 12:00:00.000000 UTC by provider "
                             "libweb.so as uid 0: record 00000000000000aa-3. Other records of the "
                             "session: 9, with 40 refused calls."),
                  "%s", text);
    ck_assert(says(text, "Record 00000000000000aa-8, number 8 in its log, code MG101E"));
    free(text);
    text_release(&related.open);
    related.searched = false;
    text = told(&(struct review_line){.sequence = 8}, &related);
    ck_assert(says(text, "Not looked for: standard input can be read only once."));
    free(text);
    text = told(&(struct review_line){.sequence = 8}, &none);
    ck_assert(says(text, "The record of the session's opening is not in these files"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit explain");
    TCase *tests = tcase_create("explain");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_each_action_and_reason, 0, ACTIONS);
    tcase_add_test(tests, test_each_component_has_a_step);
    tcase_add_loop_test(tests, test_sentences, 0, sizeof(sentences) / sizeof(sentences[0]));
    tcase_add_loop_test(tests, test_changes, 0, sizeof(changes) / sizeof(changes[0]));
    tcase_add_test(tests, test_many_groups);
    tcase_add_test(tests, test_related);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
