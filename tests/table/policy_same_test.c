/* SPDX-License-Identifier: MIT */
/*
 * The answers of one policy to one call, asked in four ways, are the same: `miguard policy explain`
 * (policy_explain()), the tests of a policy (selftest_run()), the decision (policy_decide()), and a
 * real call through the gateway by a thread that is who the question says. 10,000 random policies
 * and calls; SEED=n begins elsewhere.
 *
 * The record of the call has all that the policy was asked: decided again (`miguard policy replay`)
 * the same policy says the same, and another one what it says to the call itself.
 *
 * A question that cannot occur is refused by the reader of tests, and is not asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"
#include "tools/policy/selftest.h"
#include "tools/review/replay.h"

enum { OTHER = 12345, CASES = 10000, QUICK_CASES = 1500, EMULATED_CASES = 300 };

/* ---- chance ---------------------------------------------------------------------------------- */

static uint64_t state;

/* xorshift64* */
static uint32_t below(uint32_t limit)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1Du) >> 33) % limit;
}

#define ONE_OF(list) (list)[below(sizeof(list) / sizeof((list)[0]))]

/* ---- a policy -------------------------------------------------------------------------------- */

static const char *const spaces[] = {"root/cimv2", "ROOT/cimv2", "root", "other"};
static const char *const space_globs[] = {"root/*", "root/cimv2", "\"*\"", "other", "root/c?mv2"};
static const char *const classes[] = {"Web_Page", "web_page", "CIM_Disk"};
static const char *const class_globs[] = {"\"Web_*\"", "CIM_Disk", "\"*\"", "\"*_d*\""};
static const char *const methods[] = {"Stop", "start"};
static const char *const method_globs[] = {"Stop", "\"*\"", "s*"};
static const char *const users[] = {"0", "12345", "12340-12350", "[0, 12345]"};
static const char *const mismatches[] = {
    "all", "[euid, fsuid]", "groups", "securebits",
    "[ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid, groups, cap-effective, cap-permitted]"};
static const char *const operations[] = {"read",
                                         "session",
                                         "[session, read]",
                                         "invoke",
                                         "GetInstance",
                                         "write",
                                         "[Invoke, take-in]",
                                         "take-in",
                                         "GetLocalSession",
                                         "[GetClass, SessionClose]",
                                         "OperationClose"};
static const char *const all_groups[] = {"\"0\"", "[\"0\", \"+12345\"]", "[0-9, \"0\"]",
                                         "[\"0\", \"+65534\"]"};
static const char *const user_names[] = {"root", "\"r*\"", "\"*\"", "[\"svc-*\", nobody]"};
static const char *const group_names[] = {"root", "\"?oot\"", "\"*\"", "\"ops-*\""};
static const char *const whens[] = {
    "{from: 2025-01-01}", "{until: 2025-01-01}", "{hours: \"00:00-24:00\"}",
    "{days: [mon, tue, wed, thu, fri, sat, sun], until: 2199-12-31}"};
static const char *const hosts[] = {"\"*\"", "\"?*\"", "no-such-host"};
static const char *const exceptions[] = {"{user: 12345}",
                                         "{as-user: 12345}",
                                         "{class: \"Web_*\"}",
                                         "{namespace: root/*}",
                                         "{operation: read}",
                                         "{method: Stop, as-user: 12345}",
                                         "{capability: CAP_KILL}",
                                         "{as-capability: CAP_KILL}",
                                         "{operation: [write, session]}",
                                         "{when: {until: 2025-01-01}}",
                                         "{user-name: \"svc-*\"}",
                                         "{group-name: \"ro*\"}",
                                         "{all-groups: [0-9, \"+12345\"]}",
                                         "{as-all-groups: 0-9}",
                                         "{host: \"n*\"}"};
static const char *const decisions[] = {"allow", "deny"};

static void add_key(struct text *text, const char **between, const char *key, const char *value)
{
    text_format(text, "%s%s: %s", *between, key, value);
    *between = ", ";
}

static void add_rule(struct text *text, unsigned number)
{
    const char *between = "";

    text_format(text, "  - name: r%u\n    match: {", number);
    if (below(3) == 0) {
        add_key(text, &between, "user", ONE_OF(users));
    }
    if (below(4) == 0) {
        add_key(text, &between, "namespace", ONE_OF(space_globs));
    }
    if (below(4) == 0) {
        add_key(text, &between, "class", ONE_OF(class_globs));
    }
    if (below(8) == 0) {
        add_key(text, &between, "method", ONE_OF(method_globs));
    }
    if (below(2) == 0) {
        add_key(text, &between, "operation", ONE_OF(operations));
    }
    if (below(3) == 0) {
        add_key(text, &between, "mismatch", ONE_OF(mismatches));
    }
    if (below(8) == 0) {
        add_key(text, &between, "when", ONE_OF(whens));
    }
    if (below(8) == 0) {
        add_key(text, &between, "user-name", ONE_OF(user_names));
    }
    if (below(12) == 0) {
        add_key(text, &between, "group-name", ONE_OF(group_names));
    }
    if (below(6) == 0) {
        add_key(text, &between, "all-groups", ONE_OF(all_groups));
    }
    if (below(12) == 0) {
        add_key(text, &between, "as-all-groups", ONE_OF(all_groups));
    }
    if (below(8) == 0) {
        add_key(text, &between, "host", ONE_OF(hosts));
    }
    if (below(4) == 0) {
        add_key(text, &between, "not", ONE_OF(exceptions));
    }
    if (below(8) == 0 || between[0] == '\0') {
        add_key(text, &between, "provider", "\"*\"");
    }
    text_format(text, "}\n    decision: %s\n", ONE_OF(decisions));
}

static void make_policy(struct text *text)
{
    unsigned rules = 1 + below(6);

    text_format(text, "version: 1\ndefaults: {decision: %s, audit: [deny, open, use]}\n",
                ONE_OF(decisions));
    if (below(3) == 0) {
        text_append(text, "compare: [euid, egid, fsuid, fsgid, groups, cap-effective]\n");
    }
    text_format(text, "audit: {sinks: [{file: {path: %s, sync: none}}]}\nrules:\n", log_path());
    for (unsigned i = 0; i < rules; i++) {
        add_rule(text, i);
    }
}

/* ---- a call ---------------------------------------------------------------------------------- */

/* Who uses the session; who opens it is root. */
static struct call {
    enum operation operation;
    const char *name_space, *class_name, *method; /* NULL: it has none */
    bool by_other;
} call;

static const enum operation asked[] = {
    OPERATION_GET_LOCAL_SESSION,
    OPERATION_GET_LOCAL_SESSION,
    OPERATION_ENUMERATE_INSTANCES,
    OPERATION_GET_CLASS,
    OPERATION_INVOKE,
    OPERATION_TEST_CONNECTION,
    OPERATION_SESSION_CLOSE,
    OPERATION_GET_APPLICATION,
};

static void make_call(void)
{
    unsigned carries;

    memset(&call, 0, sizeof(call));
    call.operation = ONE_OF(asked);
    carries = operation_carries(call.operation);
    call.name_space = (carries & CARRIES_NAMESPACE) != 0 ? ONE_OF(spaces) : NULL;
    call.class_name = (carries & CARRIES_CLASS) != 0 ? ONE_OF(classes) : NULL;
    call.method = (carries & CARRIES_METHOD) != 0 ? ONE_OF(methods) : NULL;
    call.by_other = !operation_opens(call.operation) && below(3) == 0;
}

/* As the one test of the policy. The groups are those of this process, since a test's subject has
 * what is written. */
static void add_test(struct text *text, bool allowed)
{
    gid_t groups[512];
    int count = getgroups(512, groups);

    text_append(text, "tests:\n  - name: t\n    given:\n      opened-as: {user: \"0\", group: 0, "
                      "groups: [");
    for (int i = 0; i < count; i++) {
        text_format(text, "%s\"%u\"", i == 0 ? "" : ", ", (unsigned)groups[i]);
    }
    text_append(text, "]}\n");
    if (call.by_other) {
        text_format(text, "      used-as: {user: \"%d\", group: \"%d\", groups: []}\n", OTHER,
                    OTHER);
    }
    text_format(text, "      operation: %s\n      at: \"2026-03-01T12:00:00Z\"\n",
                operation_name(call.operation));
    if (call.name_space != NULL) {
        text_format(text, "      namespace: %s\n      class: %s\n", call.name_space,
                    call.class_name);
    }
    if (call.method != NULL) {
        text_format(text, "      method: %s\n", call.method);
    }
    text_format(text, "    expect: {decision: %s}\n", allowed ? "allow" : "deny");
}

/* ---- asked of the policy --------------------------------------------------------------------- */

static void ignore(void *context, uint32_t index, const char *name, const char *source,
                   const char *why_not)
{
    (void)context, (void)index, (void)name, (void)source, (void)why_not;
}

/* What the rules decide. False: one of the three ways differs. */
static bool ask_policy(const char *policy_text, bool *ret_allowed, char rule[64])
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY, findings = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    struct policy_draft *draft = NULL;
    const struct policy *policy = NULL;
    struct selftest_question question;
    struct selftest_result result = {0};

    text_append(&text, policy_text);
    add_test(&text, true);
    if (draft_load_text("case", text.data, text.length, &draft, &errors) != MIGUARD_OK ||
        policy_compile(draft, &policy) != MIGUARD_OK ||
        selftest_ask(&draft->tests[0], policy, &question) != MIGUARD_OK ||
        selftest_run(draft, policy, &result, &findings) != MIGUARD_OK) {
        printf("%s\n%s\n", text.data, errors.count > 0 ? errors.items[0].message : "?");
        return false;
    }
    struct policy_verdict decided = policy_decide(policy, &question.call);
    struct policy_verdict explained = policy_explain(policy, &question.call, ignore, NULL);
    *ret_allowed = decided.decision == POLICY_ALLOW;
    snprintf(rule, 64, "%s", decided.rule);
    bool same = explained.decision == decided.decision &&
                strcmp(explained.rule, decided.rule) == 0 && (result.passed == 1) == *ret_allowed &&
                result.passed + result.failed == 1;
    selftest_question_release(&question);
    selftest_release(&result);
    policy_release(policy);
    draft_free(draft);
    text_release(&text);
    diagnostics_release(&errors);
    diagnostics_release(&findings);
    return same;
}

/* ---- asked of the guard ---------------------------------------------------------------------- */

static char folder[] = "/run/miguard-same-test-XXXXXX", policy_file[64];

static struct stub_host *host;

/* What the guard did. A policy that gives no session answers nothing about its use. */
static struct outcome {
    bool had_session, allowed;
    char message[1024];
} outcome;

static void note_message(MI_Operation *operation)
{
    const MI_Instance *instance = NULL;
    const MI_Class *class = NULL;
    const MI_Char *text = NULL;
    MI_Boolean more;
    MI_Result result = MI_RESULT_OK;

    if (call.operation == OPERATION_GET_CLASS) {
        (void)MI_Operation_GetClass(operation, &class, &more, &result, &text, NULL);
    } else {
        (void)MI_Operation_GetInstance(operation, &instance, &more, &result, &text, NULL);
    }
    snprintf(outcome.message, sizeof(outcome.message), "%s", text != NULL ? text : "");
}

/* Whether the call reached the host, or for those that the guard answers itself its answer. The
 * operation is left to the end of the context. */
static void make_real_call(MI_Session *session)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Application application = MI_APPLICATION_NULL;
    unsigned long before = host->reached;

    switch (call.operation) {
    case OPERATION_ENUMERATE_INSTANCES:
        MI_Session_EnumerateInstances(session, 0, NULL, call.name_space, call.class_name, MI_FALSE,
                                      NULL, &operation);
        break;
    case OPERATION_GET_CLASS:
        MI_Session_GetClass(session, 0, NULL, call.name_space, call.class_name, NULL, &operation);
        break;
    case OPERATION_INVOKE:
        MI_Session_Invoke(session, 0, NULL, call.name_space, call.class_name, call.method, NULL,
                          NULL, NULL, &operation);
        break;
    case OPERATION_TEST_CONNECTION:
        MI_Session_TestConnection(session, 0, NULL, &operation);
        break;
    case OPERATION_SESSION_CLOSE: /* never closes anything: what is told apart is why */
        outcome.allowed = MI_Session_Close(session, NULL, NULL) == MI_RESULT_INVALID_PARAMETER;
        return;
    case OPERATION_GET_APPLICATION:
        outcome.allowed = MI_Session_GetApplication(session, &application) == MI_RESULT_OK;
        return;
    default:
        abort();
    }
    outcome.allowed = host->reached > before;
    if (!outcome.allowed) {
        note_message(&operation);
    }
}

/* On a thread of its own, which may become another user for good. */
static void act(void *data)
{
    MI_Context *context = data;
    MI_Session session = MI_SESSION_NULL;

    memset(&outcome, 0, sizeof(outcome));
    outcome.had_session = MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
    if (call.operation == OPERATION_GET_LOCAL_SESSION) {
        outcome.allowed = outcome.had_session;
    } else if (outcome.had_session) {
        if (call.by_other && !raw_become(OTHER, OTHER)) {
            abort();
        }
        make_real_call(&session);
    }
}

static bool write_policy(const char *text)
{
    FILE *file = fopen(policy_file, "w");
    return file != NULL && fputs(text, file) >= 0 && fchmod(fileno(file), 0644) == 0 &&
           fclose(file) == 0;
}

/* An operation that the case before left open may be ended by a thread of its own. */
static bool configure(const struct miguard_config *config, struct miguard_error *reterr)
{
    const struct timespec pause = {0, 10 * 1000 * 1000};
    enum miguard_status status = MIGUARD_BAD_STATE;

    for (int i = 0; i < 500 && status == MIGUARD_BAD_STATE; i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
        }
        status = miguard_configure(config, reterr);
    }
    return status == MIGUARD_OK;
}

/* False: it could not be asked. */
static bool ask_guard(const char *policy_text)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    MI_Context *context = NULL;

    config.audit_file = log_path();
    config.policy = policy_file;
    config.repeat_window = 3600;
    if (!write_policy(policy_text) || !configure(&config, &error) ||
        miguard_guard_context(&host->context, &context) != MI_RESULT_OK) {
        printf("%s %s\n%s", error.step, error.detail, policy_text);
        return false;
    }
    raw_on_thread(act, context);
    MI_Context_PostResult(context, MI_RESULT_OK);
    return true;
}

/* ---- asked of the records ---------------------------------------------------------------------
 */

static unsigned replayed, changed;

/* The policy, and what it says to the call; NULL after a message. */
static const struct policy *compile(const char *policy_text, enum call_end *ret_end)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct text text = TEXT_EMPTY;
    struct policy_draft *draft = NULL;
    const struct policy *policy = NULL;
    struct selftest_question question;

    text_append(&text, policy_text);
    add_test(&text, true);
    if (draft_load_text("case", text.data, text.length, &draft, &errors) == MIGUARD_OK &&
        policy_compile(draft, &policy) == MIGUARD_OK &&
        selftest_ask(&draft->tests[0], policy, &question) == MIGUARD_OK) {
        const struct policy_verdict verdict = policy_decide(policy, &question.call);
        *ret_end = record_call_end_of(&verdict);
        selftest_question_release(&question);
    }
    draft_free(draft);
    text_release(&text);
    diagnostics_release(&errors);
    return policy;
}

/* One record: by the policy that made it, which changes nothing, and by the other. */
static bool replay_line(const char *line, size_t length, const struct policy *same,
                        const struct policy *other, enum call_end end)
{
    struct replay again = {.after = same}, anew = {.after = other};
    struct record record;
    size_t fault;

    bool good = record_parse(line, length, &record, &fault) == NULL &&
                replay_add(&again, &record) && replay_add(&anew, &record) && again.changed == 0 &&
                (again.unknown == 0 || policy_asks_names(same));
    bool is_call = record_is(&record, RECORD_OPERATION, operation_name(call.operation));
    if (good && again.records == 1 && is_call && anew.unknown == 0) {
        bool changes = anew.count == 1;
        enum call_end before =
            record_is(&record, RECORD_DECISION, "allow") ? CALL_ALLOWED : CALL_REFUSED;
        good = changes ? anew.groups[0].after == end && before != end : before == end;
        changed += changes;
    }
    replayed += (unsigned)again.records;
    if (!good) {
        printf("the record is decided otherwise: %.*s\n", (int)length, line);
    }
    replay_release(&again);
    replay_release(&anew);
    return good;
}

/* The records since the last case. */
static bool ask_records(const char *policy_text)
{
    static long offset;
    enum call_end end = CALL_ENDS;
    struct text other_text = TEXT_EMPTY;
    FILE *file = fopen(log_path(), "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    make_policy(&other_text);
    const struct policy *same = compile(policy_text, &end);
    const struct policy *other = compile(other_text.data, &end);
    bool good = file != NULL && same != NULL && other != NULL && fseek(file, offset, 0) == 0;
    while (good && (length = getline(&line, &size, file)) > 1) {
        good = replay_line(line, (size_t)length - 1, same, other, end);
    }
    if (file != NULL) {
        offset = ftell(file);
        fclose(file);
    }
    free(line);
    policy_release(same);
    policy_release(other);
    text_release(&other_text);
    return good;
}

/* ---- the cases ------------------------------------------------------------------------------- */

static unsigned uses, allowed_count, without_session;

/* The rule of a refusal stands in its message. */
static bool same_rule(const char *rule)
{
    char wanted[96];

    snprintf(wanted, sizeof(wanted), "rule \"%s\" at ", rule);
    return outcome.message[0] == '\0' || strstr(outcome.message, wanted) != NULL;
}

static bool check_case(uint64_t seed)
{
    struct text text = TEXT_EMPTY;
    char rule[64] = "";
    bool allowed = false;

    state = seed * 0x9E3779B97F4A7C15u + 1;
    make_policy(&text);
    make_call();
    bool good =
        ask_policy(text.data, &allowed, rule) && ask_guard(text.data) && ask_records(text.data);
    if (good && (outcome.had_session || call.operation == OPERATION_GET_LOCAL_SESSION)) {
        good = outcome.allowed == allowed && same_rule(rule);
        uses++;
        allowed_count += allowed;
    } else {
        without_session++;
    }
    if (!good) {
        printf("SEED=%llu: %s%s: the policy says %s by %s, the guard %s: %s\n%s\n",
               (unsigned long long)seed, operation_name(call.operation),
               call.by_other ? " by another user" : "", allowed ? "allow" : "deny", rule,
               outcome.allowed ? "allow" : "deny", outcome.message, text.data);
    }
    text_release(&text);
    return good;
}

int main(void)
{
    const char *from = getenv("SEED");
    uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 1;
    unsigned count = getenv("EMULATED") != NULL ? EMULATED_CASES
                     : getenv("QUICK") != NULL  ? QUICK_CASES
                                                : CASES;
    unsigned passed = 0, failed = 0;

    if (geteuid() != 0) {
        printf("skip: policy_same_test: becoming another user needs root\n0 passed, 0 failed, 1 "
               "skipped\n");
        return 0;
    }
    host = stub_host_new();
    if (host == NULL || mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        perror(folder);
        return 1;
    }
    snprintf(policy_file, sizeof(policy_file), "%s/p.yaml", folder);
    for (unsigned i = 0; i < count && failed < 10; i++) {
        bool good = check_case(first + i);
        *(good ? &passed : &failed) += 1;
    }
    unlink(policy_file);
    rmdir(folder);
    printf(
        "%u calls asked, %u allowed; %u had no session; %u records decided again, %u otherwise\n",
        uses, allowed_count, without_session, replayed, changed);
    if (failed == 0 && (replayed < count / 2 || changed == 0)) {
        puts("hardly a record was decided again");
        failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
