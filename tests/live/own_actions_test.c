/* SPDX-License-Identifier: MIT */
/*
 * A daemon's own actions from one end to the other: a policy file names them, the guard decides
 * about them, the log has them, and the command finds, explains and suggests them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miguard/guard.h"
#include "support/log.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { READ, UPLOAD, DELETE };
static const char *const actions[] = {"read", "upload", "admin.delete"};

/* Below /run, since /tmp can be written by everybody and a policy there is refused. */
static char folder[64], policy_file[128];

static const char policy[] =
    "version: 1\n"
    "defaults: {decision: deny, audit: [deny, open, use]}\n"
    "rules:\n"
    "  - name: no-secrets\n"
    "    match: {resource: \"*/secret/*\"}\n"
    "    decision: deny\n"
    "  - name: connections\n"
    "    match: {operation: Bind}\n"
    "    decision: allow\n"
    "  - name: reading\n"
    "    match: {provider: fileserver, action: read}\n"
    "    decision: allow\n"
    "  - name: sharing\n"
    "    match: {action: [upload, \"move.*\"], resource: \"/srv/shared/*\"}\n"
    "    decision: allow\n";

static struct miguard_front_end *front;
static struct miguard_refusal refusal;

static void set_up(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    snprintf(folder, sizeof(folder), "/run/miguard-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(policy_file, sizeof(policy_file), "%s/miguard.yaml", folder);
    FILE *file = fopen(policy_file, "w");
    ck_assert_ptr_nonnull(file);
    fputs(policy, file);
    ck_assert_int_eq(fchmod(fileno(file), 0644), 0);
    fclose(file);
    log_remove();
    config.audit_file = log_path();
    config.policy = policy_file;
    config.repeat_window = 0;
    ck_assert_msg(miguard_configure(&config, &error) == MIGUARD_OK, "%s: %s", error.step,
                  error.detail);
    ck_assert_int_eq(
        miguard_front_end_register("fileserver", actions, LENGTH(actions), &front, &error),
        MIGUARD_OK);
}

static void tear_down(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    log_remove();
}

static struct miguard_binding *bind_connection(void)
{
    struct miguard_binding *binding = NULL;

    ck_assert_int_eq(miguard_bind(front, NULL, "connection 7", &binding, &refusal), MIGUARD_OK);
    return binding;
}

/* ---- what is decided and recorded ------------------------------------------------------------ */

static const struct {
    uint32_t action;
    const char *resource, *object;
    const char *rule;   /* that decides; it denies where there is a reason */
    const char *reason; /* NULL: allowed */
    const char *recorded_resource;
} uses[] = {
    {READ, "/etc/motd", NULL, "reading", NULL, "/etc/motd"},
    {READ, NULL, NULL, "reading", NULL, ""},
    {READ, "/srv/secret/x", NULL, "no-secrets", "policy", "/srv/secret/x"},
    {UPLOAD, "/srv/shared/x", "request 4", "sharing", NULL, "/srv/shared/x"},
    {UPLOAD, "/srv/shared", NULL, "default", "policy", "/srv/shared"},
    {UPLOAD, "/SRV/shared/x", NULL, "default", "policy", "/SRV/shared/x"},
    {DELETE, "/srv/shared/x", NULL, "default", "policy", "/srv/shared/x"},
    /* no rule can tell what it is: the strictest of those that may apply */
    {READ, "/etc/\xFF", NULL, "no-secrets", "name-invalid", "/etc/\xEF\xBF\xBD"},
    {UPLOAD, "/srv/shared/\xC0\xAF", NULL, "no-secrets", "name-invalid",
     "/srv/shared/\xEF\xBF\xBD\xEF\xBF\xBD"},
};

START_TEST(a_use_is_decided_and_recorded)
{
    struct miguard_binding *binding = bind_connection();
    const struct miguard_use use = {sizeof(use), uses[_i].action, uses[_i].resource,
                                    uses[_i].object};
    enum miguard_status status = miguard_verify(binding, &use, &refusal);

    ck_assert_int_eq(status, uses[_i].reason == NULL ? MIGUARD_OK : MIGUARD_DENIED);
    ck_assert_int_ge(log_count("session-use", uses[_i].reason), 1);
    ck_assert_str_eq(log_last("miguard.operation"), actions[uses[_i].action]);
    ck_assert_str_eq(log_last("miguard.provider"), "fileserver");
    ck_assert_str_eq(log_last("miguard.resource"), uses[_i].recorded_resource);
    ck_assert_str_eq(log_last("miguard.object"),
                     uses[_i].object != NULL ? uses[_i].object : "connection 7");
    ck_assert_str_eq(log_last("rule.name"), uses[_i].rule);
    miguard_release(binding);
}
END_TEST

START_TEST(a_binding_is_asked_with_its_resource)
{
    struct miguard_binding *binding = NULL;

    ck_assert_int_eq(miguard_bind(front, "/srv/secret/a", "connection 8", &binding, &refusal),
                     MIGUARD_DENIED);
    ck_assert_str_eq(log_last("miguard.operation"), "Bind");
    ck_assert_str_eq(log_last("miguard.resource"), "/srv/secret/a");
    ck_assert_str_eq(log_last("rule.name"), "no-secrets");
    ck_assert_int_eq(log_count("session-open", "policy"), 1);
}
END_TEST

/* ---- what the command says of it ------------------------------------------------------------- */

/* $M is the command, $L the log, $P the policy. */
static int sh(const char *command, char output[8192])
{
    char line[1024], path[512];

    snprintf(path, sizeof(path), "%s/miguard", getenv("OUT") != NULL ? getenv("OUT") : "build");
    setenv("M", path, 1);
    setenv("L", log_path(), 1);
    setenv("P", policy_file, 1);
    snprintf(line, sizeof(line), "{ %s\n} 2>&1", command);
    FILE *stream = popen(line, "re");
    ck_assert_ptr_nonnull(stream);
    size_t length = fread(output, 1, 8191, stream);
    output[length] = '\0';
    int status = pclose(stream);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
    const char *command;
    int status;
    const char *says;
} commands[] = {
    {"$M audit search --count --operation upload $L", 0, "2\n"},
    {"$M audit search --count --operation 'admin.*' --decision deny $L", 0, "1\n"},
    {"$M audit search --count --resource '/srv/shared/*' $L", 0, "2\n"},
    {"$M audit search --count --object 'connection 7' --operation bind $L", 0, "1\n"},
    {"$M audit search --count --operation download $L", 1, "0\n"},
    {"$M audit search --operation upload --decision deny $L", 0, "upload  /etc/motd  "},
    {"$M audit explain $($M audit search --format json --operation admin.delete $L | "
     "sed 's/.*\"id\":\"\\([0-9a-f]*-[0-9]*\\)\".*/\\1/') $L",
     0, "Refused: admin.delete of resource /srv/shared/a, asked for by"},
    {"$M audit report $L", 0, "/srv/shared/a"},
    {"$M audit suggest $L", 0, "resource: [\"/srv/shared/a\"]"},
    {"$M audit suggest $L | $M policy check -", 0, "ok: 2 rules"},
    {"$M audit export --format ocsf $L | grep -c '\"uid\":\"connection 7\"'", 0, "4\n"},
    {"$M policy explain --policy $P --opened-as root --provider fileserver --action upload "
     "--resource /srv/shared/a",
     0, "allow, by rule sharing"},
    {"$M policy explain --policy $P --opened-as root --provider fileserver --action upload "
     "--resource /etc/motd",
     1, "deny, by default"},
    {"$M audit verify $L", 0, ""},
};

/* One session of a client, seen from outside. */
START_TEST(the_command_knows_it)
{
    struct miguard_binding *binding = bind_connection();
    const struct miguard_use shared = MIGUARD_USE(UPLOAD, "/srv/shared/a");
    const struct miguard_use elsewhere = MIGUARD_USE(UPLOAD, "/etc/motd");
    const struct miguard_use deleting = MIGUARD_USE(DELETE, "/srv/shared/a");
    char output[8192];

    ck_assert_int_eq(miguard_verify(binding, &shared, &refusal), MIGUARD_OK);
    ck_assert_int_eq(miguard_verify(binding, &elsewhere, &refusal), MIGUARD_DENIED);
    ck_assert_int_eq(miguard_verify(binding, &deleting, &refusal), MIGUARD_DENIED);
    for (int i = 0; i < LENGTH(commands); i++) {
        int status = sh(commands[i].command, output);
        ck_assert_msg(status == commands[i].status && strstr(output, commands[i].says) != NULL,
                      "%s\n  exit %d, expected %d\n%s", commands[i].command, status,
                      commands[i].status, output);
    }
    miguard_release(binding);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        printf("skip: own actions: a policy in force needs files of root\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    Suite *suite = suite_create("own actions");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 120); /* many commands */
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_use_is_decided_and_recorded, 0, LENGTH(uses));
    tcase_add_test(tests, a_binding_is_asked_with_its_resource);
    tcase_add_test(tests, the_command_knows_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
