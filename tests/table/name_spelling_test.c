/* SPDX-License-Identifier: MIT */
/*
 * How a name is written must not matter: spellings x operations x rules, through the real gateway,
 * with a host that tells whether it was reached. For each row the same question goes to the policy
 * as `policy test` and `policy explain` ask it, and all must agree with a model that is as plain as
 * this: a name that could be either of two is refused when either is.
 */
#include <MI.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/stub_host.h"
#include "tools/policy/selftest.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define LONG32        "abcdefghijklmnopqrstuvwxyz012345"
#define LONG128       LONG32 LONG32 LONG32 LONG32

static unsigned passed, failed;

/* ---- spellings ------------------------------------------------------------------------------- */

enum meaning { SECRET, OTHER, EITHER, ABSENT };

struct spelling {
    const char *text;
    enum meaning meaning;
};

static const struct spelling spaces[] = {
    {"root/secret", SECRET},
    {"ROOT/Secret", SECRET},
    {"root\\secret", SECRET},
    {"/ROOT/secret", SECRET},
    {"\\root/secret", SECRET},
    {"root/secret/", SECRET},
    {"root/secret\\\\", SECRET},
    {"root//secret", SECRET},
    {"/ROOT\\/secret//", SECRET},
    {"root/open", OTHER},
    {"root", OTHER},
    {"root/secret/below", OTHER},
    {"root/secrets", OTHER},
    {"root/my-v1.0_a", OTHER},
    {NULL, EITHER},
    {"", EITHER},
    {"/", EITHER},
    {"root/./secret", EITHER},
    {"root/x/../secret", EITHER},
    {"//server/root/secret", EITHER},
    {"\\\\.\\root\\secret", EITHER},
    {" root/secret", EITHER},
    {"root/secret ", EITHER},
    {"root/ secret", EITHER},
    {"root/secret\t", EITHER},
    {"root/secret\n", EITHER},
    {"root/secret\x01", EITHER},
    {"root/secret.", EITHER},
    {"root/s\xC3\xA9"
     "cret",
     EITHER},
    {"root/secret\xFF", EITHER},
    {"root:secret", EITHER},
    {"root%2Fsecret", EITHER},
    {LONG128 "/" LONG128, EITHER},
};

static const struct spelling classes[] = {
    {"MG_File", SECRET},      {"mg_file", SECRET},
    {"MG_FILE", SECRET},      {"MG_Files", OTHER},
    {"MG_Fil", OTHER},        {"Base", OTHER},
    {NULL, ABSENT},           {"", ABSENT},
    {"MG-File", EITHER},      {"MG_File.", EITHER},
    {"root:MG_File", EITHER}, {"\xEF\xBC\xADG_File", EITHER},
    {"MG_File\xFF", EITHER},  {LONG128, EITHER},
    {"\"MG_File\"", EITHER},
};

/* In a query these are no part of the name, or none at all. */
static const struct spelling plain_classes[] = {
    {" MG_File", EITHER}, {"MG_File ", EITHER}, {"MG_File\n", EITHER}, {"MG_File,Base", EITHER}};

/* ---- operations ------------------------------------------------------------------------------ */

/* One way to name a class. */
struct way {
    const char *name;
    enum operation operation;
    bool optional; /* without the class the call is in order, and names no other */
    bool other;    /* the call also names the class Base */
    bool query, space;
    void (*start)(MI_Session *, const char *space, const char *class_name, MI_Operation *);
};

static MI_ClassDecl named_decl, base_decl;

static MI_Instance *instance_of(MI_ClassDecl *decl, const char *class_name)
{
    static MI_Instance instances[2];
    MI_Instance *instance = &instances[decl == &base_decl];

    decl->name = (MI_Char *)(uintptr_t)class_name;
    instance->classDecl = decl;
    return instance;
}

#define WAY(function, slot, ...)                                                                   \
    static void function(MI_Session *session, const char *space, const char *named,                \
                         MI_Operation *operation)                                                  \
    {                                                                                              \
        MI_Instance *keys = instance_of(&named_decl, named);                                       \
        MI_Instance *base = instance_of(&base_decl, "Base");                                       \
        char query[512];                                                                           \
        snprintf(query, sizeof(query), "SELECT * FROM %s", named != NULL ? named : "");            \
        (void)keys, (void)base;                                                                    \
        MI_Session_##slot(session, 0, NULL, space, __VA_ARGS__, NULL, operation);                  \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
WAY(get, GetInstance, keys)
WAY(modify, ModifyInstance, keys)
WAY(create, CreateInstance, keys)
WAY(delete, DeleteInstance, keys)
WAY(invoke, Invoke, named, "Do", NULL, NULL)
WAY(invoke_on, Invoke, NULL, "Do", keys, NULL)
WAY(invoke_both, Invoke, named, "Do", base, NULL)
WAY(invoke_on_both, Invoke, "Base", "Do", keys, NULL)
WAY(enumerate, EnumerateInstances, named, MI_FALSE)
WAY(query, QueryInstances, "WQL", query)
WAY(associator, AssociatorInstances, keys, NULL, "", NULL, NULL, MI_FALSE)
WAY(associator_by, AssociatorInstances, base, named, NULL, NULL, NULL, MI_FALSE)
WAY(associator_to, AssociatorInstances, base, NULL, named, NULL, NULL, MI_FALSE)
WAY(reference, ReferenceInstances, keys, NULL, NULL, MI_FALSE)
WAY(reference_by, ReferenceInstances, base, named, NULL, MI_FALSE)
WAY(subscribe, Subscribe, "CQL", query, NULL)
WAY(get_class, GetClass, named)
WAY(enumerate_classes, EnumerateClasses, named, MI_FALSE)
#pragma GCC diagnostic pop

static void test_connection(MI_Session *session, const char *space, const char *named,
                            MI_Operation *operation)
{
    (void)space, (void)named;
    MI_Session_TestConnection(session, 0, NULL, operation);
}

static const struct way ways[] = {
    {"GetInstance", OPERATION_GET_INSTANCE, false, false, false, true, get},
    {"ModifyInstance", OPERATION_MODIFY_INSTANCE, false, false, false, true, modify},
    {"CreateInstance", OPERATION_CREATE_INSTANCE, false, false, false, true, create},
    {"DeleteInstance", OPERATION_DELETE_INSTANCE, false, false, false, true, delete},
    {"Invoke class", OPERATION_INVOKE, false, false, false, true, invoke},
    {"Invoke instance", OPERATION_INVOKE, false, false, false, true, invoke_on},
    {"Invoke class, Base", OPERATION_INVOKE, true, true, false, true, invoke_both},
    {"Invoke Base, instance", OPERATION_INVOKE, false, true, false, true, invoke_on_both},
    {"EnumerateInstances", OPERATION_ENUMERATE_INSTANCES, false, false, false, true, enumerate},
    {"QueryInstances", OPERATION_QUERY_INSTANCES, false, false, true, true, query},
    {"Associators key", OPERATION_ASSOCIATOR_INSTANCES, false, false, false, true, associator},
    {"Associators by", OPERATION_ASSOCIATOR_INSTANCES, true, true, false, true, associator_by},
    {"Associators to", OPERATION_ASSOCIATOR_INSTANCES, true, true, false, true, associator_to},
    {"References key", OPERATION_REFERENCE_INSTANCES, false, false, false, true, reference},
    {"References by", OPERATION_REFERENCE_INSTANCES, true, true, false, true, reference_by},
    {"Subscribe", OPERATION_SUBSCRIBE, false, false, true, true, subscribe},
    {"GetClass", OPERATION_GET_CLASS, false, false, false, true, get_class},
    {"EnumerateClasses", OPERATION_ENUMERATE_CLASSES, true, false, false, true, enumerate_classes},
    {"TestConnection", OPERATION_TEST_CONNECTION, true, false, false, false, test_connection},
};

/* ---- rules and the model --------------------------------------------------------------------- */

/* What is so of one call, once every name is known for certain. */
struct world {
    enum operation operation;
    bool secret_space, secret_class;
    bool any_space, base; /* a namespace is named; the class is Base */
};

static bool allow_all(const struct world *w)
{
    return w != NULL;
}

static bool deny_space(const struct world *w)
{
    return !w->secret_space;
}

static bool deny_class(const struct world *w)
{
    return !w->secret_class;
}

static bool deny_both(const struct world *w)
{
    return !(w->secret_space && w->secret_class);
}

static bool deny_invoke(const struct world *w)
{
    return !(w->secret_class && w->operation == OPERATION_INVOKE);
}

static bool only_space(const struct world *w)
{
    return w->secret_space;
}

static bool only_class(const struct world *w)
{
    return w->secret_class || w->base;
}

static bool all_but_space(const struct world *w)
{
    return !w->secret_space || w->base;
}

/* Refusals are not recorded: a hundred thousand records would be what takes the time. */
#define RULES(list) "version: 1\ndefaults: {audit: open}\nrules:\n" list
#define OPEN        "  - {name: open, match: {operation: GetLocalSession}, decision: allow}\n"
#define DENYING     "version: 1\ndefaults: {audit: open, decision: deny}\nrules:\n" OPEN

static const struct rules {
    const char *name, *text;
    bool (*allows)(const struct world *);
} policies[] = {
    {"none", "version: 1\n", allow_all},
    {"deny namespace", RULES("  - {name: n, match: {namespace: root/secret}, decision: deny}\n"),
     deny_space},
    {"deny namespace, other case",
     RULES("  - {name: n, match: {namespace: [elsewhere, Root/SECRET]}, decision: deny}\n"),
     deny_space},
    {"deny namespace, pattern",
     RULES("  - {name: n, match: {namespace: \"root/?ecret\"}, decision: deny}\n"), deny_space},
    {"deny class", RULES("  - {name: c, match: {class: MG_File}, decision: deny}\n"), deny_class},
    {"deny class, pattern", RULES("  - {name: c, match: {class: \"mg_f?le\"}, decision: deny}\n"),
     deny_class},
    {"deny both",
     RULES("  - {name: b, match: {class: MG_File, namespace: root/secret}, decision: deny}\n"),
     deny_both},
    {"deny class in Invoke",
     RULES("  - {name: i, match: {class: MG_File, operation: Invoke}, decision: deny}\n"),
     deny_invoke},
    {"allow namespace", DENYING "  - {name: n, match: {namespace: root/secret}, decision: allow}\n",
     only_space},
    {"allow class", DENYING "  - {name: c, match: {class: [MG_File, Base]}, decision: allow}\n",
     only_class},
    {"allow class, each by its own",
     DENYING "  - {name: c, match: {class: MG_File}, decision: allow}\n"
             "  - {name: d, match: {class: Base}, decision: allow}\n",
     only_class},
    {"allow class, deny namespace",
     RULES("  - {name: c, match: {class: Base}, decision: allow}\n"
           "  - {name: n, match: {namespace: root/secret}, decision: deny}\n"),
     all_but_space},
    {"all is allowed before",
     RULES("  - {name: all, match: {user: 0-4294967294}, decision: allow}\n"
           "  - {name: c, match: {class: MG_File}, decision: deny}\n"
           "  - {name: n, match: {namespace: root/secret}, decision: deny}\n"),
     allow_all},
    {"permissive",
     RULES("  - {name: c, match: {class: MG_File}, mode: permissive, decision: deny}\n"
           "  - {name: n, match: {namespace: root/secret}, mode: permissive, decision: deny}\n"),
     allow_all},
    {"names decide on the record only",
     RULES("  - {name: c, match: {class: MG_File}, audit: always, decision: allow}\n"), allow_all},
};

static bool allows_class(const struct rules *rules, struct world world, enum meaning class_meaning)
{
    bool could_be_secret = class_meaning == SECRET || class_meaning == EITHER;
    bool could_be_other = class_meaning != SECRET;
    bool allowed = true;

    if (could_be_secret) {
        world.secret_class = true;
        world.base = false;
        allowed = allowed && rules->allows(&world);
    }
    if (could_be_other) {
        world.secret_class = false;
        world.base = false;
        allowed = allowed && (class_meaning == OTHER || rules->allows(&world));
    }
    return allowed;
}

static bool allows(const struct rules *rules, const struct way *way, enum meaning space,
                   const struct spelling *class_name, enum meaning class_meaning)
{
    bool allowed = true;

    for (int secret = 0; secret < 2; secret++) {
        struct world world = {.operation = way->operation, .secret_space = secret};
        if (way->space && ((secret && space == OTHER) || (!secret && space == SECRET))) {
            continue; /* cannot be */
        }
        if (!way->space && secret) {
            continue;
        }
        if (class_meaning == OTHER) {
            world.base = class_name->text != NULL && strcmp(class_name->text, "Base") == 0;
            allowed = allowed && rules->allows(&world);
        } else if (class_meaning != ABSENT || !way->other) {
            allowed = allowed && allows_class(rules, world, class_meaning);
        }
        if (way->other) {
            world.secret_class = false;
            world.base = true;
            allowed = allowed && rules->allows(&world);
        }
    }
    return allowed;
}

/* ---- a row ------------------------------------------------------------------------------------
 */

struct session {
    struct stub_host *host;
    MI_Context *context;
    MI_Session session;
    const struct policy *policy;
};

/* In force without a file: nobody need own a folder for it. */
static const struct policy *compile(const char *text)
{
    struct policy_draft *draft = NULL;
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    const struct policy *policy = NULL;

    if (draft_load_text("p.yaml", text, strlen(text), &draft, &errors) != MIGUARD_OK ||
        policy_compile(draft, &policy) != MIGUARD_OK) {
        printf("%s\n%s\n", text, errors.count > 0 ? errors.items[0].message : "");
        abort();
    }
    draft_free(draft);
    diagnostics_release(&errors);
    return policy;
}

static void begin(struct session *session, const char *text)
{
    struct guard *guard = guard_enter();

    memset(session, 0, sizeof(*session));
    session->policy = compile(text);
    store_set(&guard->store, session->policy);
    guard_leave(guard);
    session->host = stub_host_new();
    if (miguard_guard_context(&session->host->context, &session->context) != MI_RESULT_OK ||
        MI_Context_GetLocalSession(session->context, &session->session) != MI_RESULT_OK) {
        abort();
    }
}

static void end(struct session *session)
{
    MI_Context_PostResult(session->context, MI_RESULT_OK);
    stub_host_free(session->host);
    policy_release(session->policy);
}

static bool reaches(struct session *session, const struct way *way, const char *space,
                    const char *class_name)
{
    MI_Operation operation = MI_OPERATION_NULL;
    unsigned long before = session->host->reached;

    session->host->name_space = "none";
    way->start(&session->session, space, class_name, &operation);
    bool reached = session->host->reached != before;
    MI_Operation_Close(&operation);
    return reached;
}

/* As tests and `policy explain` ask: names as they are written there. */
static bool policy_allows(const struct session *session, const struct way *way, const char *space,
                          const char *class_name)
{
    struct draft_test test = {.operation = way->operation,
                              .opened_as = {.uid = 1, .gid = 1},
                              .provider = "",
                              .name_space = way->space && space != NULL ? space : ""};
    struct selftest_question question;
    const char *named =
        class_name != NULL && way->operation != OPERATION_TEST_CONNECTION ? class_name : "";

    test.class_names[0] = way->other && *named == '\0' ? "Base" : named;
    test.class_names[1] = way->other ? "Base" : "";
    test.class_names[2] = "";
    if (selftest_ask(&test, session->policy, &question) != MIGUARD_OK) {
        abort();
    }
    struct policy_verdict decided = policy_decide(session->policy, &question.call);
    struct policy_verdict told = policy_explain(session->policy, &question.call, NULL, NULL);
    selftest_question_release(&question);
    if (decided.decision != told.decision || decided.rule_index != told.rule_index) {
        abort();
    }
    return decided.decision == POLICY_ALLOW;
}

/* What the host must have been given: the normal form, unless nobody could read it. */
static bool host_space_good(const struct session *session, const struct way *way,
                            const struct spelling *space)
{
    const char *given = session->host->name_space;

    if (!way->space) {
        return given == NULL;
    }
    if (space->meaning == EITHER) {
        return given == space->text;
    }
    return given != NULL && strpbrk(given, "\\") == NULL && strstr(given, "//") == NULL &&
           given[0] != '/' && given[strlen(given) - 1] != '/' &&
           (space->meaning == SECRET) == (strcasecmp(given, "root/secret") == 0);
}

static void check(struct session *session, const struct rules *rules, const struct way *way,
                  const struct spelling *space, const struct spelling *class_name)
{
    enum meaning meaning = class_name->meaning;

    if (way->operation == OPERATION_TEST_CONNECTION) {
        meaning = ABSENT;
    } else if (meaning == ABSENT && !way->optional) {
        meaning = EITHER;
    }
    bool hidden = meaning == EITHER && class_name->meaning == ABSENT && way->other;
    bool expected = allows(rules, way, space->meaning, class_name, meaning);
    bool reached = reaches(session, way, space->text, class_name->text);
    bool asked = policy_allows(session, way, space->text, class_name->text);
    bool good = reached == expected && (hidden || asked == expected) &&
                (!reached || host_space_good(session, way, space));

    passed += good;
    failed += !good;
    if (!good && failed < 20) {
        printf(
            "%s, %s, namespace '%s', class '%s': expected %s, %s the host (as '%s'), explain %s\n",
            rules->name, way->name, space->text, class_name->text, expected ? "allow" : "deny",
            reached ? "reached" : "did not reach", session->host->name_space,
            asked ? "allow" : "deny");
    }
}

static void check_rules(const struct rules *rules)
{
    struct session session;

    begin(&session, rules->text);
    for (size_t i = 0; i < LENGTH(ways); i++) {
        for (size_t j = 0; j < LENGTH(spaces); j++) {
            for (size_t k = 0; k < LENGTH(classes); k++) {
                check(&session, rules, &ways[i], &spaces[j], &classes[k]);
            }
            for (size_t k = 0; k < LENGTH(plain_classes) && !ways[i].query; k++) {
                check(&session, rules, &ways[i], &spaces[j], &plain_classes[k]);
            }
        }
    }
    end(&session);
}

/* ---- random spellings --------------------------------------------------------------------------
 */

static uint64_t state = 1;

static uint32_t below(uint32_t limit)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % limit);
}

static void some_spelling(char text[64])
{
    static const char *const pieces[] = {"root", "secret", "ROOT", "seCret",  "/",
                                         "\\",   "//",     ".",    "..",      " ",
                                         "x",    "\t",     "-",    "\xC3\xA9"};
    static const char *const starts[] = {"", "root/secret", "root", "/ROOT", "root/"};
    size_t length = (size_t)snprintf(text, 64, "%s", starts[below(LENGTH(starts))]);

    for (uint32_t i = below(5); i > 0; i--) {
        length += (size_t)snprintf(text + length, 64 - length, "%s",
                                   pieces[below(below(3) == 0 ? LENGTH(pieces) : 7)]);
    }
}

/* The rules of cim_name.h, in another way: split, look at each part, put together again. */
static enum meaning meaning_of(const char *written)
{
    static const char *const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-.";
    char copy[64], whole[64] = "", *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", written);
    if (strspn(written, "/\\") > 1) {
        return EITHER;
    }
    for (char *part = strtok_r(copy, "/\\", &rest); part != NULL;
         part = strtok_r(NULL, "/\\", &rest)) {
        if (part[strspn(part, good)] != '\0' || part[0] == '.' || part[strlen(part) - 1] == '.') {
            return EITHER;
        }
        strcat(whole, "/");
        strcat(whole, part);
    }
    return whole[0] == '\0' ? EITHER : strcasecmp(whole + 1, "root/secret") == 0 ? SECRET : OTHER;
}

static void check_random(const struct rules *rules, unsigned count)
{
    unsigned seen[3] = {0, 0, 0};
    struct session session;

    begin(&session, rules->text);
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        some_spelling(text);
        const struct spelling space = {text, meaning_of(text)};
        check(&session, rules, &ways[below(LENGTH(ways))], &space,
              &classes[below(LENGTH(classes))]);
        seen[space.meaning]++;
    }
    end(&session);
    printf("%s: %u random spellings of the secret namespace, %u of others, %u unreadable\n",
           rules->name, seen[SECRET], seen[OTHER], seen[EITHER]);
    failed += seen[SECRET] == 0 || seen[OTHER] == 0 || seen[EITHER] == 0;
}

/* ---- the uses that follow -----------------------------------------------------------------------
 */

static void expect(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("failed: %s\n", what);
    }
}

static MI_Result result_of_get(struct session *session, const char *space, const char *class_name)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    MI_Session_EnumerateInstances(&session->session, 0, NULL, space, class_name, MI_FALSE, NULL,
                                  &operation);
    MI_Result answer = MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    MI_Operation_Close(&operation);
    return answer != MI_RESULT_OK ? answer : result;
}

#define SPACE_200 "root/" LONG32 LONG32 LONG32 LONG32 LONG32 LONG32 "abc"
#define CLASS_120 "MG_" LONG32 LONG32 LONG32 "abcdefghijklmnopqrstu"

/* The rules see the whole name in every use, not what a log would keep of it. */
static void check_later_uses(void)
{
    struct session session;

    begin(&session, RULES("  - {name: g, match: {namespace: " SPACE_200
                          ", operation: OperationGetInstance}, decision: deny}\n"));
    expect(result_of_get(&session, SPACE_200, "A") == MI_RESULT_ACCESS_DENIED,
           "a long namespace is denied in Get");
    expect(result_of_get(&session, SPACE_200 "d", "A") == MI_RESULT_OK, "a longer one is not");
    expect(result_of_get(&session, "\\" SPACE_200 "/", "A") == MI_RESULT_ACCESS_DENIED,
           "and however it is written");
    end(&session);
    begin(&session, DENYING "  - {name: c, match: {class: " CLASS_120 "}, decision: allow}\n");
    expect(result_of_get(&session, "root", CLASS_120) == MI_RESULT_OK, "a long class is allowed");
    expect(result_of_get(&session, "root", CLASS_120 "v") == MI_RESULT_ACCESS_DENIED,
           "a longer one is not");
    end(&session);
    begin(&session, RULES("  - {name: g, match: {class: B, operation: OperationGetInstance}, "
                          "decision: deny}\n"));
    expect(result_of_get(&session, "root", " B") == MI_RESULT_ACCESS_DENIED,
           "an unreadable class stays so");
    expect(result_of_get(&session, " root", "A") == MI_RESULT_OK, "and matters where it is asked");
    end(&session);
}

/* An instance whose class only the host could find out, and none at all. */
static void check_hidden_class(void)
{
    static MI_Instance hidden;
    struct session session;
    MI_Operation operation = MI_OPERATION_NULL;

    begin(&session, RULES("  - {name: c, match: {class: MG_File}, decision: deny}\n"));
    MI_Session_GetInstance(&session.session, 0, NULL, "root", &hidden, NULL, &operation);
    MI_Operation_Close(&operation);
    MI_Session_GetInstance(&session.session, 0, NULL, "root", NULL, NULL, &operation);
    MI_Operation_Close(&operation);
    MI_Session_Invoke(&session.session, 0, NULL, "root", "Base", "Do", &hidden, NULL, NULL,
                      &operation);
    MI_Operation_Close(&operation);
    MI_Session_AssociatorInstances(&session.session, 0, NULL, "root", &hidden, "A", "B", NULL, NULL,
                                   MI_FALSE, NULL, &operation);
    MI_Operation_Close(&operation);
    MI_Session_QueryInstances(&session.session, 0, NULL, "root", NULL, "SELECT * FROM A", NULL,
                              &operation);
    MI_Operation_Close(&operation);
    MI_Session_QueryInstances(&session.session, 0, NULL, "root", "WQL", NULL, NULL, &operation);
    MI_Operation_Close(&operation);
    expect(session.host->reached == 0, "no class that is hidden reaches the host");
    end(&session);
}

/* ---- methods ------------------------------------------------------------------------------------
 */

static const struct spelling methods[] = {
    {"Kill", SECRET},
    {"KILL", SECRET},
    {"kill", SECRET},
    {"Kills", OTHER},
    {"Kil", OTHER},
    {"_Kill", OTHER},
    {"Kill ", EITHER},
    {" Kill", EITHER},
    {"Kill\n", EITHER},
    {"Kill()", EITHER},
    {"MG_File.Kill", EITHER},
    {"Ki-ll", EITHER},
    {"\xEF\xBC\xABill", EITHER},
    {"Kill\xFF", EITHER},
    {"1", EITHER},
    {LONG128, EITHER},
    {"", EITHER},
    {NULL, EITHER},
};

static const struct {
    const char *text;
    bool secret, other; /* what is allowed */
} method_rules[] = {
    {RULES("  - {name: m, match: {method: Kill}, decision: deny}\n"), false, true},
    {RULES("  - {name: m, match: {method: \"k?LL\", operation: Invoke}, decision: deny}\n"), false,
     true},
    {RULES("  - {name: m, match: {method: Kill, class: MG_File, namespace: root/open},\n"
           "     decision: deny}\n"),
     false, true},
    {DENYING "  - {name: m, match: {method: \"KIL*L\"}, decision: allow}\n", true, false},
    {RULES("  - {name: m, match: {method: Kill, class: Other}, decision: deny}\n"), true, true},
    {RULES("  - {name: m, match: {method: Kill, operation: GetInstance}, decision: deny}\n"), true,
     true},
    {RULES("  - {name: m, match: {method: Kill}, audit: always, decision: allow}\n"), true, true},
};

static bool method_reaches(struct session *session, const char *method)
{
    MI_Operation operation = MI_OPERATION_NULL;
    unsigned long before = session->host->reached;

    MI_Session_Invoke(&session->session, 0, NULL, "root/open", "MG_File", method, NULL, NULL, NULL,
                      &operation);
    bool reached = session->host->reached != before;
    MI_Operation_Close(&operation);
    return reached;
}

static bool method_allowed(const struct session *session, const char *method)
{
    const struct draft_test test = {.operation = OPERATION_INVOKE,
                                    .opened_as = {.uid = 1, .gid = 1},
                                    .provider = "",
                                    .name_space = "root/open",
                                    .class_names = {"MG_File", "", ""},
                                    .method = method != NULL ? method : ""};
    struct selftest_question question;

    if (selftest_ask(&test, session->policy, &question) != MIGUARD_OK) {
        abort();
    }
    struct policy_verdict decided = policy_decide(session->policy, &question.call);
    struct policy_verdict told = policy_explain(session->policy, &question.call, NULL, NULL);
    selftest_question_release(&question);
    return decided.decision == POLICY_ALLOW && told.decision == POLICY_ALLOW;
}

/* Also of what follows: the rules see the method in each use of the operation. */
static void check_later_method(void)
{
    struct session session;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    begin(&session, RULES("  - {name: g, match: {method: Kill, operation: OperationGetInstance}, "
                          "decision: deny}\n"));
    for (int other = 0; other < 2; other++) {
        MI_Operation operation = MI_OPERATION_NULL;
        MI_Session_Invoke(&session.session, 0, NULL, "root", "A", other ? "Kills" : "kill", NULL,
                          NULL, NULL, &operation);
        MI_Result answer =
            MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
        expect(answer == (other ? MI_RESULT_OK : MI_RESULT_ACCESS_DENIED),
               "a use is decided by the method that began it");
        MI_Operation_Close(&operation);
    }
    end(&session);
}

static void check_methods(void)
{
    for (size_t i = 0; i < LENGTH(method_rules); i++) {
        struct session session;
        begin(&session, method_rules[i].text);
        for (size_t k = 0; k < LENGTH(methods); k++) {
            bool could = (methods[k].meaning == OTHER || method_rules[i].secret) &&
                         (methods[k].meaning == SECRET || method_rules[i].other);
            bool reached = method_reaches(&session, methods[k].text);
            bool good = reached == could && method_allowed(&session, methods[k].text) == could;
            passed += good;
            failed += !good;
            if (!good) {
                printf("method '%s' by %s: %s the host\n", methods[k].text, method_rules[i].text,
                       reached ? "reached" : "did not reach");
            }
        }
        end(&session);
    }
}

/* ---- what is recorded ---------------------------------------------------------------------------
 */

static void check_records(void)
{
    struct session session;
    MI_Operation operation = MI_OPERATION_NULL;

    begin(&session, "version: 1\nrules:\n"
                    "  - {name: c, match: {class: MG_File}, decision: deny}\n");
    associator_by(&session.session, "\\root\\open", "mg_file", &operation);
    MI_Operation_Close(&operation);
    expect(strcmp(log_last("event.reason"), "policy") == 0 &&
               strcmp(log_last("miguard.class"), "mg_file") == 0 &&
               strcmp(log_last("miguard.namespace"), "root/open") == 0,
           "the record has the class that decided, and the namespace in its normal form");
    long before = log_count("session-use", "name-invalid");
    enumerate(&session.session, "root/open", "MG_File ", &operation);
    MI_Operation_Close(&operation);
    expect(log_count("session-use", "name-invalid") == before + 1 &&
               strcmp(log_last("miguard.class"), "MG_File ") == 0 &&
               strcmp(log_last("rule.name"), "c") == 0,
           "a name that cannot be read is recorded as it was written, with the rule in doubt");
    end(&session);
}

int main(void)
{
    bool quick = getenv("QUICK") != NULL;

    log_start_with(0);
    check_records();
    for (size_t i = 0; i < LENGTH(policies); i++) {
        check_rules(&policies[i]);
    }
    for (size_t i = 1; i < LENGTH(policies); i++) {
        check_random(&policies[i], quick ? 500 : 2000); /* of each, 28,000 */
    }
    check_later_uses();
    check_hidden_class();
    check_methods();
    check_later_method();
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
