/* SPDX-License-Identifier: MIT */
/*
 * `miguard policy` as an administrator meets it: arguments in; exit status, stdout and stderr out.
 *
 * In a command line $T is a folder of the test's own with the files below in it; words are
 * separated by blanks. NULL expects nothing in particular, "" expects the stream to be empty. A
 * test that runs from the top of the sources finds the shipped policies in policy/.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/output_fits.h"

enum { OUTPUT = 65536, MAX_WORDS = 40 };

struct row {
    const char *command;
    int status;
    const char *out, *err;
};

struct output {
    int status;
    char out[OUTPUT], err[OUTPUT];
};

static char folder[] = "/tmp/miguard-policy-test.XXXXXX";

/* ---- the files ------------------------------------------------------------------------------ */

#define V "version: 1\n"

#define RECORD(number, action, reason, decision, rest)                                             \
    "{\"@timestamp\":\"2026-03-01T12:00:0" number ".000000Z\",\"message\":\"m\","                  \
    "\"rule\":{\"name\":\"old-rule\"},\"miguard\":{\"format\":2," rest                             \
    ",\"provider\":\"web.so\",\"decision\":\"" decision                                            \
    "\"},\"event\":{\"id\":\"00000000000000aa-" number "\",\"sequence\":" number                   \
    ",\"action\":\"" action "\",\"reason\":\"" reason "\"}}\n"
#define BOUND(more) "\"cred\":{\"bound\":{\"uid\":1,\"gid\":1,\"groups\":[1]}" more "}"
#define CALL(operation, class)                                                                     \
    "\"operation\":\"" operation "\",\"namespace\":\"root/x\",\"class\":\"" class "\","

static const struct {
    const char *name, *text;
} files[] = {
    {"calls.jsonl",
     RECORD("1", "session-use", "identity-match", "allow",
            CALL("GetInstance", "A") BOUND(",\"differs\":{}"))
         RECORD("2", "session-use", "identity-match", "allow",
                CALL("GetInstance", "B") "\"repeat\":{\"count\":7}," BOUND(""))
             RECORD("3", "session-use", "identity-mismatch", "deny",
                    CALL("GetInstance", "B") "\"mismatch\":[\"euid\",\"no-new-privs\"]," BOUND(
                        ",\"differs\":{\"uid\":[1,0,1,1],\"no-new-privs\":true}"))
                 RECORD("4", "session-use", "handle-stale", "deny",
                        CALL("GetInstance", "B") BOUND(""))
                     RECORD("5", "session-open", "client-given", "allow",
                            "\"operation\":\"ContextCall\"," BOUND(""))},
    {"cut.jsonl",
     RECORD("1", "session-use", "identity-match", "allow",
            CALL("GetInstance", "A") "\"resource\":\"/srv/aaaa...[2000 bytes "
                                     "#0123456789abcdef0123456789abcdef]\"," BOUND(""))},
    {"no-b.yaml",
     V "rules:\n"
       "  - {name: no-b, match: {class: B}, decision: deny, reason: not B}\n"
       "  - {name: euid-may, match: {class: B, as-user: root,\n"
       "                             mismatch: [euid, no-new-privs]}, decision: allow}\n"
       "clients: [{provider: \"*\", may: nothing}]\n"},
    {"no-b-on-trial.yaml",
     V "defaults: {mode: permissive}\n"
       "rules: [{name: no-b, match: {class: B, user: \"+1\"}, decision: deny}]\n"},
    {"groups.yaml", V "rules: [{name: group-77, match: {group: \"+77\"}, decision: deny}]\n"
                      "tests:\n"
                      "  - name: more than the user has\n"
                      "    given:\n"
                      "      opened-as: {user: \"+1\", group: \"+4\", groups: [],\n"
                      "                  add-capabilities: [CAP_KILL, CAP_CHOWN],\n"
                      "                  drop-capabilities: CAP_KILL}\n"
                      "      used-as: {user: \"+1\", group: \"+4\", groups: []}\n"
                      "      operation: SessionClose\n"
                      "    expect: {decision: deny, mismatch: [cap-effective, cap-permitted]}\n"},
    {"who.yaml",
     V "defaults: {decision: deny}\nrules:\n"
       "  - {name: no-b, match: {class: B}, decision: deny}\n"
       "  - {name: sessions, match: {user: \"+1\", operation: session}, decision: allow}\n"
       "  - {name: reads, match: {group: \"+77\", operation: [GetInstance, GetClass],\n"
       "                          provider: \"web*\"}, decision: allow}\n"
       "  - {name: kills, match: {capability: CAP_KILL, operation: Invoke},\n"
       "     decision: deny, mode: permissive}\n"
       "  - {name: uploads, match: {user: \"+1\", action: upload}, decision: allow}\n"
       "  - {name: no-more, decision: deny}\n"
       "  - {name: lent, match: {user: \"+1\", as-user: root, mismatch: all},\n"
       "     decision: allow}\n"},
    {"not.yaml", V "\nrules:\n"
                   "  - name: reads\n"
                   "    match: {operation: GetInstance, not: {class: [B, \"S*\"], user: \"+2\"}}\n"
                   "    decision: deny\n"},
    {"when.yaml", V "\nrules:\n"
                    "  - name: by-day\n"
                    "    match: {host: \"WEB*\", when: {days: [mon, fri], hours: \"08:00-18:00\",\n"
                    "            from: 2026-03-01, until: 2026-12-31, zone: \"-01:00\"}}\n"
                    "    decision: deny\n"
                    "  - name: by-night\n"
                    "    match: {host: night, when: {hours: \"22:00-06:00\"}}\n"
                    "    decision: deny\n"
                    "tests:\n"
                    "  - name: on Monday\n"
                    "    given: {opened-as: {user: root}, operation: SessionClose, host: web1,\n"
                    "            at: \"2026-03-02T18:59:59Z\"}\n"
                    "    expect: {decision: deny, rule: by-day}\n"
                    "  - name: whenever that is\n"
                    "    given: {opened-as: {user: root}, operation: SessionClose, host: web1}\n"
                    "    expect: {decision: deny, rule: by-day}\n"},
    {"roll-out.yaml", V "\ndefaults:\n  permissive: \"new*.so\"\n  on-mismatch: revoke\n\nrules:\n"
                        "  - name: a\n"
                        "    match: {operation: SessionClose}\n"
                        "    decision: deny\n"},
    {"lists/10-one.yaml",
     V "rules:\n"
       "  - {name: a, match: {user: [$staff, \"+9\"], class: $secret}, decision: deny}\n"
       "lists:\n"
       "  staff: [\"+1\", \"+2\"]\n"
       "  secret: [\"S*\"]\n"},
    {"lists/20-two.yaml", V "rules:\n"
                            "  - {name: b, match: {user: $staff, not: {class: [$secret, B]}}, "
                            "decision: deny}\n"},
    {"lists-tidy.yaml", V "\nlists:\n  secret: [\"S*\"]\n\nrules:\n  - name: a\n"
                          "    match: {class: $secret}\n    decision: deny\n"},
    {"old.yaml", V "defaults: {decision: deny}\nrules:\n"
                   "  - {name: one, match: {user: root}, decision: allow}\n"
                   "  - {name: two, match: {class: A}, decision: deny}\n"
                   "  - {name: three, match: {class: C}, decision: deny}\n"},
    {"same-as-old.yaml", "# other words\n" V "defaults:\n  decision: deny\nrules:\n"
                         "  - {name: one, match: {user: \"+0\"}, decision: allow}\n"
                         "  - {name: two, match: {class: [A]}, decision: deny}\n"
                         "  - {name: three, match: {class: C}, decision: deny}\n"},
    {"newer.yaml", V "rules:\n"
                     "  - {name: three, match: {class: C}, decision: deny}\n"
                     "  - {name: one, match: {user: [root, \"+1\"]}, decision: deny}\n"
                     "  - {name: four, match: {class: C}, decision: deny}\n"},
    {"good.yaml", V "rules:\n"
                    "  - name: no-methods\n"
                    "    match: {user: daemon, operation: Invoke}\n"
                    "    decision: deny\n"
                    "    reason: only look\n"
                    "  - name: late\n"
                    "    match: {user: root, mismatch: no-new-privs}\n"
                    "    decision: allow\n"
                    "tests:\n"
                    "  - name: daemon calls nothing\n"
                    "    given: {opened-as: {user: daemon}, operation: Invoke}\n"
                    "    expect: {decision: deny, rule: no-methods}\n"
                    "  - name: root does\n"
                    "    given: {opened-as: {user: root}, operation: Invoke}\n"
                    "    expect: {decision: allow, rule: default}\n"},
    {"failing.yaml", V "tests:\n"
                       "  - name: root is refused\n"
                       "    given: {opened-as: {user: root}, operation: Invoke}\n"
                       "    expect: {decision: deny}\n"},
    {"broken.yaml", V "rules:\n"
                      "  - name: a\n"
                      "    decison: deny\n"
                      "    match: {user: no-such-user-here, operation: Invok}\n"},
    {"syntax.yaml", V "rules: [\n"},
    {"trial.yaml", V "defaults: {mode: permissive, on-mismatch: revoke}\n"
                     "rules: [{name: trial, match: {operation: Invoke}, decision: deny}]\n"},
    {"shadow.yaml", V "rules:\n"
                      "  - {name: all, decision: deny}\n"
                      "  - {name: some, match: {user: root}, decision: allow}\n"},
    {"untidy.yaml", "watch:    true # yes\n# about\nversion: 1\n"},
    {"hostile.yaml", V "rules: [{name: \"a\\u001b[31mb\", decision: deny}]\n"},
    {"names.yaml", V "rules:\n"
                     "  - {name: no-b, match: {class: B}, decision: deny}\n"
                     "  - {name: no-secret, match: {namespace: root/secret}, decision: deny}\n"},
    {"methods.yaml", V "rules:\n"
                       "  - name: no-kill\n"
                       "    match: {class: A, method: \"Kill*\", operation: Invoke}\n"
                       "    decision: deny\n"
                       "tests:\n"
                       "  - name: kill\n"
                       "    given: {opened-as: {user: root}, operation: Invoke, namespace: x,\n"
                       "            class: A, method: killAll}\n"
                       "    expect: {decision: deny, rule: no-kill}\n"
                       "  - name: start\n"
                       "    given: {opened-as: {user: root}, operation: Invoke, namespace: x,\n"
                       "            class: A, method: Start}\n"
                       "    expect: {decision: allow, rule: default}\n"},
    {"own.yaml", V "\nrules:\n"
                   "  - name: no-uploads\n"
                   "    match: {resource: \"/srv/*\", action: [upload, \"admin.*\"]}\n"
                   "    decision: deny\n\n"
                   "tests:\n"
                   "  - name: below /srv\n"
                   "    given: {opened-as: {user: root}, action: admin.x, resource: /srv/a}\n"
                   "    expect: {decision: deny, rule: no-uploads}\n"
                   "  - name: elsewhere\n"
                   "    given: {opened-as: {user: root}, action: upload, resource: /tmp/a}\n"
                   "    expect: {decision: allow, rule: default}\n"},
    {"clients.yaml", V "clients:\n"
                       "  - {provider: files.so, may: impersonate}\n"
                       "  - {provider: [\"log*\", \"it's.so\"], may: identify}\n"
                       "  - {provider: old.so, may: nothing}\n"},
    {"open-clients.yaml", V "clients: [{provider: \"*\", may: impersonate}]\n"},
    {"c/10-one.yaml", V "clients: [{provider: a.so, may: nothing}]\n"},
    {"c/20-two.yaml",
     V "clients: [{provider: a.so, may: identify}, {provider: b.so, may: identify}]\n"},
    {"d/10-one.yaml", V "watch: true\nrules: [{name: first, match: {class: A}, decision: deny}]\n"},
    {"d/20-two.yaml",
     V "watch: false\nrules: [{name: second, match: {class: B}, decision: deny}]\n"},
};

static void write_files(void)
{
    char path[256];

    static const char *const folders[] = {"c", "d", "lists"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        FILE *file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(files[i].text, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(chmod(path, 0644), 0);
    }
}

/* ---- running it ----------------------------------------------------------------------------- */

static void expand(const char *command, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0'; /* the command may be empty */
    for (; *command != '\0'; command++) {
        bool variable = command[0] == '$' && command[1] == 'T';
        int length = variable ? snprintf(text + at, size - at, "%s", folder)
                              : snprintf(text + at, size - at, "%c", *command);
        at += (size_t)length;
        ck_assert_uint_lt(at, size);
        command += variable;
    }
}

static void become_command(char *text, const char *in, const char *out, const char *err)
{
    const char *build = getenv("OUT");
    char program[512], *words[MAX_WORDS + 1] = {program}, *save = NULL;
    size_t count = 1;

    snprintf(program, sizeof(program), "%s/miguard", build != NULL ? build : "build");
    for (char *word = strtok_r(text, " ", &save); word != NULL && count < MAX_WORDS;
         word = strtok_r(NULL, " ", &save)) {
        words[count++] = word;
    }
    int in_fd = open(in, O_RDONLY | O_CLOEXEC);
    int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
        dup2(err_fd, STDERR_FILENO) >= 0) {
        execv(program, words);
    }
    _exit(127);
}

static void read_text(const char *path, char text[OUTPUT])
{
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
}

/* Standard input is the untidy file. */
static void run(const char *command, struct output *ret_output)
{
    char text[2048], in[64], out[64], err[64];
    int status = 0;

    write_files();
    expand(command, text, sizeof(text));
    snprintf(in, sizeof(in), "%s/untidy.yaml", folder);
    snprintf(out, sizeof(out), "%s/out", folder);
    snprintf(err, sizeof(err), "%s/err", folder);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become_command(text, in, out, err);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ret_output->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_text(out, ret_output->out);
    read_text(err, ret_output->err);
}

static void check_row(const struct row *row)
{
    static struct output output;

    run(row->command, &output);
    ck_assert_msg(output.status == row->status && output_fits(output.out, row->out) &&
                      output_fits(output.err, row->err),
                  "miguard %s\n  exit %d, expected %d\n  stdout, expected '%s':\n%.2000s\n"
                  "  stderr, expected '%s':\n%.2000s",
                  row->command, output.status, row->status, row->out != NULL ? row->out : "*",
                  output.out, row->err != NULL ? row->err : "*", output.err);
}

/* ---- the rows ------------------------------------------------------------------------------- */

#define SHIPPED                                                                                    \
    "policy/default.yaml policy/hardened.yaml policy/permissive.yaml policy/web-operators.yaml"
#define CLIENT  "policy explain --client --policy "
#define EXPLAIN "policy explain --policy $T/good.yaml "
#define METHODS                                                                                    \
    "policy explain --policy $T/methods.yaml --opened-as root --operation Invoke --namespace x "   \
    "--class A --method "
#define OWN   "policy explain --policy $T/own.yaml --opened-as root "
#define NAMES "policy explain --policy $T/names.yaml --opened-as root --operation "

static const struct row rows[] = {
    /* usage */
    {"policy", 2, "",
     "missing command; use check, show, explain, who, replay, diff, test, edit, fmt, "},
    {"policy stat", 2, "", "did you mean status?"},
    {"policy --help", 0, "usage: miguard policy COMMAND", ""},
    {"policy check --help", 0, "usage: miguard policy check", ""},
    {"policy check $T/broken.yaml --help", 0, "usage: miguard policy check", ""},
    {"policy show --help", 0, "usage: miguard policy show", ""},
    {"policy explain --help", 0, "usage: miguard policy explain", ""},
    {"policy test --help", 0, "usage: miguard policy test", ""},
    {"policy fmt --help", 0, "usage: miguard policy fmt", ""},
    {"policy replay --help", 0, "usage: miguard policy replay", ""},
    {"policy edit --help", 0, "usage: miguard policy edit", ""},
    {"policy diff --help", 0, "usage: miguard policy diff", ""},
    {"policy chekc", 2, "", "did you mean check?"},
    {"policy frobnicate", 2, "",
     "use check, show, explain, who, replay, diff, test, edit, fmt, status, bundle, install or "
     "verify-bundle"},
    {"polcy check", 2, "", "did you mean policy?"},
    {"policy check --strcit", 2, "", "did you mean --strict?"},
    {"policy test --strict", 2, "",
     "unknown option --strict; use --coverage, --threshold, --json or --help;"},
    {"policy test --threshold 50", 2, "", "needs --coverage"},
    {"policy test --coverage --threshold 101", 2, "", "is not a percentage from 0 to 100"},
    {"policy test --coverage --threshold x", 2, "", "is not a percentage from 0 to 100"},
    {"policy show $T/good.yaml", 2, "", "unexpected argument"},
    {"policy show --policy", 2, "", "--policy needs a value"},
    {"policy explain", 2, "", "--opened-as is required"},
    {"policy explain --opened-as root", 2, "", "--operation is required"},
    {"policy explain x", 2, "", "--opened-as is required"},
    {"policy fmt -w", 2, "", "--write needs a FILE"},
    {"policy fmt --check -w $T/good.yaml", 2, "", "not both"},

    /* check */
    {"policy check " SHIPPED, 0, "policy/web-operators.yaml: ok: 6 rules, 10 tests passed", NULL},
    {"policy check $T/good.yaml", 0, "ok: 2 rules, 2 tests passed", "no test reaches rule 'late'"},
    {"policy check $T/good.yaml --strict", 1, "not ok: 2 rules", NULL},
    {"policy check $T/failing.yaml", 1, "0 tests passed, 1 failed",
     "failing.yaml:3:5: error: test 'root is refused': expected decision deny, got allow"},
    {"policy check $T/broken.yaml", 1, "errors", "broken.yaml:4:5: error: "},
    {"policy check $T/broken.yaml", 1, "errors", "did you mean \"decision\"?"},
    {"policy check $T/broken.yaml", 1, "errors", "no-such-user-here"},
    {"policy check $T/broken.yaml", 1, "errors", "did you mean \"Invoke\"?"},
    {"policy check $T/syntax.yaml", 1, NULL, "syntax.yaml:"},
    {"policy check $T/shadow.yaml", 0, NULL, "rule 'some' is never reached: 'all' ("},
    {"policy check $T/broken.yaml $T/good.yaml", 1, "good.yaml: ok", NULL},
    {"policy check $T/nothing.yaml", 3, "", "No such file"},
    {"policy check $T/nothing.yaml $T/broken.yaml", 3, "broken.yaml", "No such file"},
    {"policy check $T/d", 0, "/d: ok: 2 rules", NULL},
    {"policy check -", 0, "<stdin>: ok: 0 rules", ""},
    {"policy check $T/good.yaml --json", 0, "\"ok\":true,\"errors\":0", ""},
    {"policy check $T/failing.yaml --json", 1, "\"severity\":\"error\"", ""},
    {"policy check $T/syntax.yaml --json", 1, "\"ok\":false", ""},

    /* test */
    {"policy test --coverage --threshold 100 " SHIPPED, 0,
     "hardened.yaml: 12 passed, 0 failed; "
     "100% of 4 rules and the default",
     NULL},
    {"policy test $T/good.yaml", 0, "2 passed, 0 failed\n", NULL},
    {"policy test $T/good.yaml --coverage", 1, "66% of 2 rules", NULL},
    {"policy test $T/good.yaml --json", 0,
     "\"ok\":true,\"passed\":2,\"failed\":0,\"coverage\":66,\"not_reached\":[\"late\"],", NULL},
    {"policy test $T/broken.yaml --json", 1, "\"ok\":false,\"passed\":0,", NULL},
    {"policy test $T/shadow.yaml --coverage --json", 1, "\"ok\":false", NULL},
    {"policy test $T/good.yaml --coverage", 1, "not reached: late (", NULL},
    {"policy test $T/good.yaml --coverage --threshold=66", 0, "66% of 2 rules", NULL},
    {"policy test $T/good.yaml --coverage --threshold=67", 1, "66% of 2 rules", NULL},
    {"policy test $T/shadow.yaml --coverage --threshold 0", 0, "not reached: the default", NULL},
    {"policy test $T/failing.yaml", 1, "0 passed, 1 failed", "expected decision deny, got allow"},
    {"policy test $T/broken.yaml", 1, "", "error"},

    /* show */
    {"policy show --policy $T/good.yaml", 0, "decision: allow", NULL},
    {"policy show --policy $T/good.yaml", 0, "# built-in", NULL},
    {"policy show --policy $T/good.yaml", 0, "good.yaml:3\n", NULL},
    {"policy show --policy $T/d", 0, "20-two.yaml:2", NULL},
    {"policy show --policy $T/d", 0, "watch: false", NULL},
    {"policy show --policy $T/d", 0, "- name: second", NULL},
    {"policy show --policy $T/good.yaml --json", 0, "\"user\":[{\"text\":\"daemon\",\"first\":1",
     NULL},
    {"policy show --policy $T/broken.yaml", 1, "", "error"},
    {"policy show --policy $T/nothing.yaml", 3, "", "No such file"},

    /* explain */
    {EXPLAIN "--opened-as daemon --operation Invoke", 1, "deny, by rule no-methods (", NULL},
    {EXPLAIN "--opened-as daemon --operation Invoke", 1, ": only look\n", NULL},
    {EXPLAIN "--opened-as daemon --operation Invoke", 1, "* no-methods (", NULL},
    {EXPLAIN "--opened-as root --operation Invoke", 0, "- no-methods (", NULL},
    {EXPLAIN "--opened-as root --operation Invoke", 0, "the identity is the same", NULL},
    {EXPLAIN "--opened-as root --operation Invoke", 0, "allow, by default (built-in)", NULL},
    {EXPLAIN "--opened-as root --used-as daemon --operation Invoke", 1, "differs in: ruid, euid",
     NULL},
    {EXPLAIN "--opened-as root --used-as root --drop-cap CAP_KILL --operation Invoke", 1,
     "differs in: cap-effective, cap-permitted\n", NULL},
    {EXPLAIN "--opened-as 0 --drop-cap CAP_KILL --drop-cap CAP_CHOWN --operation Invoke", 1,
     "differs in: cap-effective, cap-permitted\n", NULL},
    {EXPLAIN "--opened-as no-such-user-here --operation Invoke", 2, "", "no-such-user-here"},
    {EXPLAIN "--opened-as root --operation Invok", 2, "", "did you mean \"Invoke\"?"},
    {EXPLAIN "--opened-as root --operation Invoke --drop-cap CAP_KIL", 2, "", "CAP_KILL"},
    {"policy explain --policy $T/broken.yaml --opened-as root --operation Invoke", 3, "",
     "has errors"},
    {"policy explain --policy $T/trial.yaml --opened-as root --operation Invoke", 0,
     "deny, by rule trial", NULL},
    {"policy explain --policy $T/trial.yaml --opened-as root --operation Invoke", 0,
     "mode is permissive", NULL},
    {EXPLAIN "--opened-as daemon --operation Invoke --json", 1, "\"decision\":\"deny\"", NULL},
    {EXPLAIN "--opened-as root --operation Invoke --json", 0, "\"tried\":[{\"rule\":\"no-methods\"",
     NULL},
    {"policy explain --policy policy/web-operators.yaml --opened-as www-data --operation Invoke "
     "--namespace root/cimv2 --class web_worker --provider libweb1.so",
     0, "rule web-restarts-services", NULL},

    /* the client of a request */
    {CLIENT "$T/clients.yaml --provider files.so", 0, "impersonate: the provider may learn", NULL},
    {CLIENT "$T/clients.yaml --provider files.so", 0, "clients.yaml:3:", NULL},
    {CLIENT "$T/clients.yaml --provider logger.so", 0, "identify: the provider may learn", NULL},
    {CLIENT "$T/clients.yaml --provider old.so", 1, "nothing: the provider does not learn", NULL},
    {CLIENT "$T/clients.yaml --provider new.so", 1, "no entry of clients names this provider",
     NULL},
    {CLIENT "$T/good.yaml --provider new.so", 0, "impersonate: ", NULL},
    {CLIENT "$T/good.yaml --provider new.so", 0, "by default (built-in)", NULL},
    {CLIENT "$T/c --provider a.so", 1, "c/10-one.yaml:2:", NULL},
    {CLIENT "$T/c --provider b.so", 0, "c/20-two.yaml:2:", NULL},
    {CLIENT "$T/clients.yaml --provider files.so --json", 0,
     "{\"may\":\"impersonate\",\"allowed\":true,\"rule\":\"clients\"", NULL},
    {CLIENT "$T/clients.yaml --provider new.so --json", 1, "\"may\":\"nothing\"", NULL},
    {CLIENT "$T/broken.yaml --provider files.so", 3, "", "has errors"},
    {"policy explain --client", 2, "", "--client needs --provider"},
    {"policy explain --client --provider x --opened-as root", 2, "", "not both"},
    {"policy explain --client --provider x --operation Invoke", 2, "", "not both"},
    {"policy check $T/clients.yaml", 0, "ok: 0 rules", NULL},
    {"policy check --strict $T/open-clients.yaml", 1, "not ok", "every provider may impersonate"},
    {"policy check --strict $T/c", 1, "not ok", "the entry for 'a.so' is never reached"},
    {"policy show --policy $T/clients.yaml", 0, "  - provider: [log*, \"it's.so\"]", NULL},
    {"policy show --policy $T/clients.yaml", 0, "    may: identify", NULL},
    {"policy show --policy $T/clients.yaml --json", 0,
     "{\"provider\":[\"old.so\"],\"may\":\"nothing\",\"source\":", NULL},
    {"policy show --policy $T/good.yaml --json", 0, "\"rules\":[", NULL},

    {"policy test $T/methods.yaml", 0, "2 passed, 0 failed", NULL},
    {"policy check $T/methods.yaml", 0, "ok: 1 rule, 2 tests passed", NULL},
    {"policy show --policy $T/methods.yaml", 0, "      method: [Kill*]", NULL},
    {"policy show --policy $T/methods.yaml", 0, "  keys: all ", NULL},
    {"policy show --policy $T/methods.yaml --json", 0, "\"method\":[\"Kill*\"]", NULL},
    {METHODS "Start", 0, "- no-kill (", NULL},
    {METHODS "Start", 0, "its method does not match", NULL},
    {METHODS "KILL", 1, "deny, by rule no-kill (", NULL},
    {METHODS "Kill-", 1, "it may apply: the call's method cannot be read", NULL},
    {METHODS "Kill-", 1, "a name of the call is missing or cannot be read", NULL},
    {OWN "--action upload --resource /srv/x", 1, "deny, by rule no-uploads (", NULL},
    {OWN "--action upload --resource /tmp/x", 0, "its resource does not match", NULL},
    {OWN "--action Upload --resource /srv/x", 0, "its action does not match", NULL},
    {OWN "--action upload", 0, "its resource asks for one, and the call has none", NULL},
    {OWN "--operation GetClass --namespace x --class A", 0, "allow, by default", NULL},
    {OWN "--action Bind", 0, "allow, by default", NULL},
    {OWN "--action upload --operation Action --resource /srv/x --json", 1, "\"decision\":\"deny\"",
     NULL},
    {OWN "--action upload --operation Invoke", 2, "", "is of the operation Action, not Invoke"},
    {OWN "--operation Action", 2, "", "the operation Action has no other name"},
    {OWN "--action up*load", 2, "", "no action has the name"},
    {OWN "--resource /srv/x", 2, "", "--operation is required"},
    {"policy check $T/own.yaml", 0, "ok: 1 rule, 2 tests passed", NULL},
    {"policy test $T/own.yaml --coverage", 0, "100% of 1 rule", NULL},
    {"policy show --policy $T/own.yaml", 0, "      resource: [/srv/*]", NULL},
    {"policy show --policy $T/own.yaml", 0, "      action: [upload, admin.*]", NULL},
    {"policy show --policy $T/own.yaml --json", 0, "\"action\":[\"upload\",\"admin.*\"]", NULL},
    {"policy fmt --check $T/own.yaml", 0, "", ""},
    {NAMES "GetClass --namespace root/open --class A", 0, "allow, by default", NULL},
    {NAMES "GetClass --namespace \\ROOT\\secret\\ --class A", 1, "deny, by rule no-secret", NULL},
    {NAMES "GetClass --namespace root/./secret --class A", 1, "deny, by rule no-secret (", NULL},
    {NAMES "GetClass --namespace root/./secret --class A", 1,
     "is missing or cannot be read with certainty", NULL},
    {NAMES "GetClass --namespace root/open --json", 1, "\"name-invalid\":true", NULL},
    {NAMES "Subscribe --namespace root/open --class A --class b", 1, "this is for b\n", NULL},
    {NAMES "Invoke --namespace x --class A --class B --class C --class D", 2, "",
     "a call names 3 classes at most"},

    /* run takes a policy too, and only one that is in order */
    {"run --policy", 2, "", "--policy needs a value"},
    {"run --audit $T/audit.jsonl --policy $T/broken.yaml --module $T/none.so get root/test A B=1",
     3, "", "the policy cannot be used"},

    /* fmt */
    {"policy fmt --check " SHIPPED, 0, "", ""},
    {"policy fmt $T/untidy.yaml", 0, "# about\nversion: 1\nwatch: true # yes\n", ""},
    {"policy fmt", 0, "# about\nversion: 1\nwatch: true # yes\n", ""},
    {"policy fmt -", 0, "# about\nversion: 1\nwatch: true # yes\n", ""},
    {"policy fmt --check $T/untidy.yaml", 1, "untidy.yaml: not in the canonical form", ""},
    {"policy fmt --check $T/good.yaml", 0, "", ""},
    {"policy fmt $T/broken.yaml", 1, "", "error"},
    {"policy fmt $T/nothing.yaml", 3, "", "No such file"},
    /* a recorded call */
    {"policy explain --policy $T/no-b.yaml --record 00000000000000aa-2 $T/calls.jsonl", 1,
     "recorded: allowed, by old-rule\nthe identity is the same\n* no-b", NULL},
    {"policy explain --policy $T/no-b.yaml --record 00000000000000aa-2 $T/calls.jsonl", 1,
     "deny, by rule no-b (", NULL},
    {"policy explain --policy $T/no-b.yaml --record #3 $T/calls.jsonl", 0,
     "recorded: refused, by old-rule\ndiffers in: euid, no-new-privs\n", NULL},
    {"policy explain --policy $T/no-b.yaml --record #3 $T/calls.jsonl", 0,
     "allow, by rule euid-may (", NULL},
    {"policy explain --policy $T/no-b.yaml --record #1 --json $T/calls.jsonl", 0,
     "\"decision\":\"allow\"", NULL},
    {"policy explain --policy $T/no-b.yaml --record #5 $T/calls.jsonl", 1, "nothing: ", NULL},
    {"policy explain --policy $T/no-b.yaml --record #4 $T/calls.jsonl", 3, "",
     "no rule is asked about such an event"},
    {"policy explain --policy $T/no-b.yaml --record #1 $T/cut.jsonl", 3, "",
     "does not have all that a rule may ask"},
    {"policy explain --record 00000000000000aa $T/calls.jsonl", 3, "", "no such record"},
    {"policy explain --record #x $T/calls.jsonl", 2, "", "--record"},
    {"policy explain --record #1 --opened-as root $T/calls.jsonl", 2, "", "not both"},
    {"policy explain --opened-as root --operation Invoke $T/calls.jsonl", 2, "",
     "LOG needs --record"},
    {"policy explain --record #1 --policy $T/broken.yaml $T/calls.jsonl", 3, "", "has errors"},
    /* what else differs */
    {"policy explain --policy $T/good.yaml --opened-as root --operation Invoke --namespace x "
     "--class A --method m --mismatch no-new-privs",
     0, "allow, by rule late", NULL},
    {"policy explain --policy $T/good.yaml --opened-as root --operation Invoke --namespace x "
     "--class A --method m --mismatch no-new-priv",
     2, "", "did you mean \"no-new-privs\"?"},
    {"policy explain --policy $T/groups.yaml --opened-as +1 --operation GetLocalSession", 0, NULL,
     NULL},
    {"policy explain --policy $T/groups.yaml --opened-as +1 --group +4 --group +77 --operation "
     "GetLocalSession",
     1, "by rule group-77", NULL},
    {"policy explain --policy $T/groups.yaml --opened-as +1 --group +77 --used-as +1 --used-group "
     "+4 --operation SessionClose",
     1, "differs in: rgid, egid, sgid, fsgid, groups\n", NULL},
    {"policy explain --opened-as +1 --used-group +4 --operation SessionClose", 2, "",
     "--used-group needs --used-as"},
    {"policy explain --policy $T/groups.yaml --opened-as +1 --add-cap CAP_SYS_ADMIN --operation "
     "SessionClose",
     1, "differs in: cap-effective, cap-permitted\n", NULL},
    {"policy explain --policy $T/groups.yaml --opened-as +1 --add-cap CAP_SYS_ADMI --operation "
     "SessionClose",
     2, "", "did you mean \"CAP_SYS_ADMIN\"?"},
    {"policy test $T/groups.yaml", 0, "1 passed, 0 failed", NULL},

/* when, host */
#define AT(time, host)                                                                             \
    "policy explain --policy $T/when.yaml --opened-as root --operation SessionClose --host " host  \
    " --at " time
    {AT("2026-03-02T09:00:00Z", "web1.example"), 1, "deny, by rule by-day", NULL},
    {AT("2026-03-02T08:59:59Z", "web1"), 0, "its when does not have this time", NULL},
    {AT("2026-03-02T18:59:59Z", "Web"), 1, "deny, by rule by-day", NULL},
    {AT("2026-03-02T19:00:00Z", "web1"), 0, "its when does not have this time", NULL},
    {AT("2026-03-03T12:00:00Z", "web1"), 0, "its when does not have this time", NULL},
    {AT("2026-02-27T12:00:00Z", "web1"), 0, "its when does not have this time", NULL},
    {AT("2027-01-01T12:00:00Z", "web1"), 0, "its when does not have this time", NULL},
    {AT("2026-03-02T10:00:00+01:00", "web1"), 1, "deny, by rule by-day", NULL},
    {AT("2026-03-02T12:00:00Z", "db1"), 0, "its host does not match", NULL},
    {AT("2026-03-02T22:00Z", "night"), 1, "deny, by rule by-night", NULL},
    {AT("2026-03-02T05:59:59Z", "night"), 1, "deny, by rule by-night", NULL},
    {AT("2026-03-02T06:00:00Z", "night"), 0, "allow, by default", NULL},
    {AT("2026-02-30T06:00:00Z", "night"), 2, "", "is not a time; write it as in"},
    {AT("1999-02-03T06:00:00Z", "night"), 2, "", "is not a time; write it as in"},
    {"policy test $T/when.yaml", 0, "2 passed, 0 failed", NULL},
    {"policy fmt --check $T/when.yaml", 1, NULL, NULL},
    {"policy show --policy $T/when.yaml", 0,
     "      when: {days: [mon, fri], hours: \"08:00-18:00\", from: \"2026-03-01\", "
     "until: \"2026-12-31\", zone: \"-01:00\"} ",
     NULL},
    {"policy show --json --policy $T/when.yaml", 0, "\"when\":\"{hours: ", NULL},
    {"policy who root --policy $T/when.yaml", 0, NULL, NULL},
    {"policy explain --record #1 --at 2026-03-02T06:00:00Z", 2, "", "not both"},

/* one provider is rolled out */
#define ROLL "policy explain --policy $T/roll-out.yaml --opened-as root --operation SessionClose "
    {ROLL "--provider new1.so", 0, "deny, by rule a (", NULL},
    {ROLL "--provider new1.so", 0, "let through all the same: mode is permissive", NULL},
    {ROLL "--provider new1.so --mismatch groups", 0, "session was taken under another", NULL},
    {ROLL "--provider old.so", 1, "deny, by rule a (", NULL},
    {ROLL, 1, "deny, by rule a (", NULL},
    {ROLL "--provider old.so --mismatch groups", 1, "the session is over", NULL},
    {"policy show --policy $T/roll-out.yaml", 0, "\n  permissive: [new*.so] ", NULL},
    {"policy show --json --policy $T/roll-out.yaml", 0, "\"permissive\":{\"value\":[\"new*.so\"]",
     NULL},
    {"policy fmt --check $T/roll-out.yaml", 0, "", ""},
    {"policy diff $T/roll-out.yaml $T/not.yaml", 1, "~ defaults.permissive: new*.so -> (absent)\n",
     ""},
    {"policy who root --policy $T/roll-out.yaml", 0,
     "what is denied to these providers is let pass (permissive): new*.so\n", NULL},
    {"policy who root --json --policy $T/roll-out.yaml", 0, "\"permissive\":[\"new*.so\"]", NULL},

    /* lists */
    {"policy show --policy $T/lists", 0, "\n      user: [\"+1\", \"+2\", \"+9\"] ", NULL},
    {"policy show --policy $T/lists", 0, "\n        class: [S*, B] ", NULL},
    {"policy check $T/lists/20-two.yaml", 1, NULL, "unknown list \"$staff\"; give it under lists:"},
    {"policy fmt --check $T/lists-tidy.yaml", 0, "", ""},
    {"policy explain --policy $T/lists --opened-as +2 --group +1 --operation GetInstance --class x "
     "--namespace x",
     1, "deny, by rule b (", NULL},
    {"policy explain --policy $T/lists --opened-as +9 --group +1 --operation GetInstance --class x "
     "--namespace x",
     0, "allow, by default", NULL},
    {"policy explain --policy $T/lists --opened-as +9 --group +1 --operation GetInstance --class "
     "sx "
     "--namespace x",
     1, "deny, by rule a (", NULL},

    /* not */
    {"policy explain --policy $T/not.yaml --opened-as +1 --group +1 --operation GetInstance "
     "--namespace x --class A",
     1, "deny, by rule reads", NULL},
    {"policy explain --policy $T/not.yaml --opened-as +1 --group +1 --operation GetInstance "
     "--namespace x --class secret",
     0, "its not excepts this class, or it is not known", NULL},
    {"policy explain --policy $T/not.yaml --opened-as +2 --group +1 --operation GetInstance "
     "--namespace x --class A",
     0, "its not excepts this user, or it is not known", NULL},
    {"policy explain --policy $T/not.yaml --opened-as +1 --group +1 --operation GetInstance "
     "--namespace x",
     1, "strictest of the rules that may apply decides", NULL},
    {"policy show --policy $T/not.yaml", 0, "\n      not:\n        user: [\"+2\"]", NULL},
    {"policy show --policy $T/not.yaml --json", 0, "\"not\":{\"user\":[{\"text\":\"+2\",", NULL},
    {"policy fmt $T/not.yaml", 0, "not: {user: \"+2\", class: [B, \"S*\"]}}\n", ""},
    {"policy who --policy $T/not.yaml +1 --group +1", 0,
     "\n    deny if not: {user: +2; class: B, S*}\n", NULL},
    {"policy who --policy $T/not.yaml +2 --group +1", 0,
     "Bind,\n  own actions\n    allow, by default", NULL},
    {"policy diff $T/not.yaml $T/old.yaml", 1, "- rule reads", ""},

    /* who */
    {"policy who --help", 0, "usage: miguard policy who", ""},
    {"policy who", 2, "", "which user?"},
    {"policy who no-such-user-here", 2, "", "unknown user"},
    {"policy who +4000000000", 2, "", "give the group as well"},
    {"policy who --policy $T/broken.yaml root", 3, "", "has errors"},
    {"policy who --policy $T/who.yaml +1 --group +1", 0,
     "in sessions of its own:\n  GetLocalSession, SessionClose, GetApplication, TestConnection\n"
     "    allow, by sessions (",
     NULL},
    {"policy who --policy $T/who.yaml +1 --group +1", 0,
     "\n  own actions\n    allow if action: upload\n        by uploads (", NULL},
    {"policy who --policy $T/who.yaml +1 --group +1", 0, "\n    deny, by no-more (", NULL},
    {"policy who --policy $T/who.yaml +1 --group +1", 0,
     "\nrefused:\n  GetInstance, ModifyInstance, ", NULL},
    {"policy who --policy $T/who.yaml +1 --group +1", 0,
     "\n"
     "in sessions of its own that another identity uses:\n"
     "    allow if as-user: root; mismatch: ruid, ",
     NULL},
    {"policy who --policy $T/who.yaml +1 --group +77", 0,
     "\n  GetInstance, GetClass\n    deny if class: B\n        by no-b (", NULL},
    {"policy who --policy $T/who.yaml +1 --group +77", 0,
     "\n    allow if provider: web*\n        by reads (", NULL},
    {"policy who --policy $T/who.yaml +1 --group +77 --add-cap CAP_KILL", 0,
     "\n    let pass (permissive), by kills (", NULL},
    {"policy who --policy $T/who.yaml +2 --group +2", 1, "refused:\n  GetLocalSession, ", NULL},
    {"policy who --policy $T/who.yaml root --json", 0,
     "\"borrowed\":[{\"decision\":\"allow\",\"rule\":\"lent\",", NULL},

    /* replay */
    {"policy replay", 2, "", "which policy?"},
    {"policy replay $T/no-b.yaml $T/calls.jsonl", 0,
     "         7 calls  allowed -> refused, by no-b (", ""},
    {"policy replay $T/no-b.yaml $T/calls.jsonl", 0,
     "\n                  before by old-rule; one of them: 00000000000000aa-2\n", ""},
    {"policy replay $T/no-b.yaml $T/calls.jsonl", 0,
     "         1 call   refused -> allowed, by euid-may (", ""},
    {"policy replay $T/no-b.yaml $T/calls.jsonl", 0,
     "9 of 10 recorded calls change, 8 of them to a refusal\n", ""},
    {"policy replay --strict $T/no-b.yaml $T/calls.jsonl", 1, "8 of them to a refusal\n", ""},
    {"policy replay --strict --class A $T/no-b.yaml $T/calls.jsonl", 0,
     "0 of 1 recorded calls change, 0 of them to a refusal\n", ""},
    {"policy replay --strict $T/no-b-on-trial.yaml $T/calls.jsonl", 0,
     "7 calls  allowed -> let pass (permissive), by no-b (", ""},
    {"policy replay --strict $T/no-b.yaml $T/cut.jsonl", 3,
     "left out: 1 record that does not have all that a rule may ask\n", ""},
    {"policy replay $T/no-b.yaml $T/cut.jsonl", 0, "0 of 0 recorded calls change", ""},
    {"policy replay --strict $T/no-b.yaml $T/no-such.jsonl", 3, "", "no-such.jsonl"},
    {"policy replay --strict $T/good.yaml $T/good.yaml", 3, NULL, "good.yaml:1:"},
    {"policy replay $T/broken.yaml $T/calls.jsonl", 3, "", "has errors: nothing can be said"},
    {"policy replay --json $T/no-b.yaml $T/calls.jsonl", 0,
     "{\"records\":4,\"calls\":10,\"changed\":9,\"refused\":8,\"changes\":[{\"calls\":7,", ""},

    /* diff */
    {"policy diff $T/old.yaml", 2, "", "two policies are needed"},
    {"policy diff $T/old.yaml $T/broken.yaml", 3, "", "has errors"},
    {"policy diff $T/old.yaml $T/same-as-old.yaml", 0, "", ""},
    {"policy diff --json $T/old.yaml $T/same-as-old.yaml", 0, "{\"same\":true,", ""},
    {"policy diff $T/old.yaml $T/newer.yaml", 1, "~ defaults.decision: deny -> allow\n- rule two (",
     ""},
    {"policy diff $T/old.yaml $T/newer.yaml", 1, "\n+ rule four (", ""},
    {"policy diff $T/old.yaml $T/newer.yaml", 1,
     "    match.user: root -> root, +1\n    decision: allow -> deny\n", ""},
    {"policy diff $T/old.yaml $T/newer.yaml", 1, "\n^ rule three stands first\n", ""},
    {"policy diff --json $T/old.yaml $T/newer.yaml", 1,
     "\"moved\":[{\"rule\":\"three\",\"behind\":null}]", ""},
    {"policy diff $T/no-b.yaml $T/no-b-on-trial.yaml $T/calls.jsonl", 1,
     "7 calls  refused -> let pass (permissive), by no-b (", ""},
    {"policy diff $T/old.yaml $T/same-as-old.yaml $T/calls.jsonl", 0,
     "0 of 10 recorded calls change", ""},
    {"policy diff $T/old.yaml $T/same-as-old.yaml $T/good.yaml", 0, NULL, "good.yaml:1:"},
};

START_TEST(policy_row)
{
    check_row(&rows[_i]);
}
END_TEST

/* ---- others --------------------------------------------------------------------------------- */

/* Rewritten by renaming, with the mode it had; what is in order already is not touched. */
START_TEST(fmt_writes)
{
    static struct output output;
    char path[128], text[OUTPUT];
    struct stat before, after;

    run("policy check -", &output); /* makes the files */
    snprintf(path, sizeof(path), "%s/untidy.yaml", folder);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(stat(path, &before), 0);
    pid_t child = fork();
    if (child == 0) {
        char words[512];
        snprintf(words, sizeof(words), "policy fmt -w %s %s", path, path);
        become_command(words, "/dev/null", "/dev/null", "/dev/null");
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    read_text(path, text);
    ck_assert_str_eq(text, "# about\nversion: 1\nwatch: true # yes\n");
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(after.st_mode, before.st_mode);
    ck_assert_uint_eq(after.st_uid, before.st_uid);
    ck_assert_uint_ne(after.st_ino, before.st_ino);
}
END_TEST

/* Who else may write a file is a warning when it is named, and counts with --strict. */
START_TEST(trust)
{
    static struct output output;
    char path[128];

    run("policy check -", &output);
    snprintf(path, sizeof(path), "%s/d/10-one.yaml", folder);
    ck_assert_int_eq(chmod(path, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        char words[256], err[128];
        snprintf(words, sizeof(words), "policy check %s", path);
        snprintf(err, sizeof(err), "%s/err", folder);
        become_command(words, "/dev/null", "/dev/null", err);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    snprintf(path, sizeof(path), "%s/err", folder);
    read_text(path, output.err);
    ck_assert_msg(strstr(output.err, "warning: ") != NULL && strstr(output.err, "writable") != NULL,
                  "%s", output.err);
}
END_TEST

/* --policy stands before the environment, which stands before the standard places. */
START_TEST(environment)
{
    static struct output output;
    char path[128];

    snprintf(path, sizeof(path), "%s/good.yaml", folder);
    setenv("MIGUARD_POLICY", path, 1);
    run("policy show", &output);
    ck_assert_ptr_nonnull(strstr(output.out, "no-methods"));
    run("policy check", &output);
    ck_assert_ptr_nonnull(strstr(output.out, "good.yaml: ok"));
    run("policy show --policy $T/trial.yaml", &output);
    ck_assert_ptr_null(strstr(output.out, "no-methods"));
    unsetenv("MIGUARD_POLICY");
}
END_TEST

/* What a file holds reaches no terminal as an escape, whatever comes of it. */
START_TEST(hostile_text)
{
    static const char *const commands[] = {
        "policy check $T/hostile.yaml",         "policy check --json $T/hostile.yaml",
        "policy show --policy $T/hostile.yaml", "policy test --coverage $T/hostile.yaml",
        "policy fmt $T/hostile.yaml",           "policy show --json --policy $T/hostile.yaml",
    };
    static struct output output;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        run(commands[i], &output);
        ck_assert_msg(strchr(output.out, '\033') == NULL && strchr(output.err, '\033') == NULL,
                      "%s:\n%s%s", commands[i], output.out, output.err);
    }
}
END_TEST

START_TEST(json_is_json)
{
    static const char *const commands[] = {
        "policy check --json $T/good.yaml",
        "policy check --json $T/broken.yaml",
        "policy show --json --policy policy/hardened.yaml",
        EXPLAIN "--opened-as root --operation Invoke --json",
    };
    static struct output output;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        run(commands[i], &output);
        json_t *json = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(json_is_object(json), "%s:\n%s", commands[i], output.out);
        json_decref(json);
    }
}
END_TEST

/* ---- all of it ------------------------------------------------------------------------------ */

static void clean_up(void)
{
    char path[256];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/c", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/d", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/out", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/err", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    unlink(path);
    rmdir(folder);
}

static Suite *suite(void)
{
    Suite *policy = suite_create("policy cli");
    TCase *cases = tcase_create("policy");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, policy_row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, fmt_writes);
    tcase_add_test(cases, trust);
    tcase_add_test(cases, environment);
    tcase_add_test(cases, hostile_text);
    tcase_add_test(cases, json_is_json);
    suite_add_tcase(policy, cases);
    return policy;
}

int main(void)
{
    umask(022);
    unsetenv("MIGUARD_POLICY");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0) {
        perror("mkdtemp");
        return 1;
    }
    SRunner *runner = srunner_create(suite());
    setvbuf(stdout, NULL, _IOLBF, 0); /* a forked test must not print our buffer again */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    clean_up();
    return failed == 0 ? 0 : 1;
}
