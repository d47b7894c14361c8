/* SPDX-License-Identifier: MIT */
/*
 * The `miguard` command as a user meets it: arguments in; exit status, stdout and stderr out.
 *
 * In a command line $P is the folder of the example providers, $T a folder of the test's own, $S
 * this process; words are separated by blanks. NULL expects nothing in particular, "" expects the
 * stream to be empty.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/output_fits.h"

enum { OUTPUT = 65536, MAX_WORDS = 32 };

struct row {
    const char *command;
    int status;
    const char *out, *err;
    bool needs_root;
};

struct output {
    int status;
    char out[OUTPUT], err[OUTPUT];
};

static char folder[] = "/tmp/miguard-cli-test.XXXXXX";

static const char *out_folder(void)
{
    const char *out = getenv("OUT");

    return out != NULL ? out : "build";
}

/* ---- running it ----------------------------------------------------------------------------- */

static void expand(const char *command, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0'; /* the command may be empty */
    for (; *command != '\0'; command++) {
        char variable = command[0] == '$' ? command[1] : '\0';
        int length;
        if (variable == 'P') {
            length = snprintf(text + at, size - at, "%s/providers", out_folder());
        } else if (variable == 'T') {
            length = snprintf(text + at, size - at, "%s", folder);
        } else if (variable == 'S') {
            length = snprintf(text + at, size - at, "%d", (int)getpid());
        } else {
            variable = '\0';
            length = snprintf(text + at, size - at, "%c", *command);
        }
        at += (size_t)length;
        ck_assert_uint_lt(at, size);
        command += variable != '\0';
    }
}

static void become_command(char *text, const char *out, const char *err)
{
    char program[512], *words[MAX_WORDS + 1] = {program}, *save = NULL;
    size_t count = 1;

    snprintf(program, sizeof(program), "%s/miguard", out_folder());
    for (char *word = strtok_r(text, " ", &save); word != NULL && count < MAX_WORDS;
         word = strtok_r(NULL, " ", &save)) {
        words[count++] = word;
    }
    int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (dup2(out_fd, STDOUT_FILENO) >= 0 && dup2(err_fd, STDERR_FILENO) >= 0) {
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

static void run(const char *command, struct output *ret_output)
{
    char text[2048], out[64], err[64];
    int status = 0;

    expand(command, text, sizeof(text));
    snprintf(out, sizeof(out), "%s/out", folder);
    snprintf(err, sizeof(err), "%s/err", folder);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become_command(text, out, err);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ret_output->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_text(out, ret_output->out);
    read_text(err, ret_output->err);
}

static void check_row(const struct row *row)
{
    static struct output output;

    if (row->needs_root && geteuid() != 0) {
        printf("skip: '%s': only root can become another user\n", row->command);
        return;
    }
    run(row->command, &output);
    ck_assert_msg(output.status == row->status && output_fits(output.out, row->out) &&
                      output_fits(output.err, row->err),
                  "miguard %s\n  exit %d, expected %d\n  stdout, expected '%s':\n%.2000s\n"
                  "  stderr, expected '%s':\n%.2000s",
                  row->command, output.status, row->status, row->out != NULL ? row->out : "*",
                  output.out, row->err != NULL ? row->err : "*", output.err);
}

/* ---- usage ---------------------------------------------------------------------------------- */

static const struct row usage[] = {
    {"", 2, "", "missing command; use doctor, gate, identity, policy, audit,", false},
    {"--help", 0, "usage: miguard COMMAND", "", false},
    {"--version", 0, "miguard 0.1.0", "", false},
    {"identity --help", 0, "usage: miguard identity COMMAND", "", false},
    {"identity show --help", 0, "usage: miguard identity show", "", false},
    {"run --help", 0, "usage: miguard run", "", false},
    {"idenity show", 2, "", "did you mean identity?", false},
    {"frobnicate", 2, "", "unknown command 'frobnicate'; use doctor, gate, identity,", false},
    {"--versoin", 2, "", "did you mean --version?", false},
    {"identity", 2, "", "missing command; use show or diff; see miguard identity --help", false},
    {"identity shwo", 2, "", "did you mean show?", false},
    {"identity show --josn", 2, "", "did you mean --json?", false},
    {"identity show --pid", 2, "", "--pid needs a value: N", false},
    {"identity show --pid abc", 2, "", "--pid 'abc' is not a process id", false},
    {"identity show --pid 0", 2, "", "--pid '0' is not a process id", false},
    {"identity show --pid 1 --tid 1", 2, "", "not both", false},
    {"identity show 1", 2, "", "unexpected argument '1'", false},
    {"identity diff 1", 2, "", "two process", false},
    {"identity diff 1 2 3", 2, "", "two process", false},
    {"identity diff 1 x", 2, "", "'x' is not a process or thread id", false},
    {"help", 0, "usage: miguard COMMAND", "", false},
    {"help identity diff", 0, "usage: miguard identity diff", "", false},
    {"identity help diff", 0, "usage: miguard identity diff", "", false},
    {"help idenity", 2, "", "did you mean identity?", false},
    {"run", 2, "", "the operation is missing; use get, enumerate, ", false},
    {"run get", 2, "", "the namespace is missing", false},
    {"run get root/test", 2, "", "the class is missing", false},
    {"run invoke root/test MG_File", 2, "", "the method is missing", false},
    {"run get root/test MG_File Path=/", 2, "", "--module is required", false},
    {"run enumarate root/test MG_File", 2, "", "did you mean enumerate?", false},
    {"run --modul $P/file.so get root/test MG_File", 2, "", "did you mean --module?", false},
    {"run --module $P/file.so get root/test MG_File Path", 2, "", "not KEY=VALUE", false},
    {"run --module $P/file.so get root/test MG_File --key Path=/", 2, "", "for invoke", false},
    {"run query root/test", 2, "", "the query is missing", false},
    {"run associators root/test", 2, "", "the class is missing", false},
    {"run subscribe root/test", 2, "", "the query or class of indications is missing", false},
    {"run --module $P/ticker.so subscribe root/test MG_Tick Number=1", 2, "", "takes no Number=1",
     false},
    {"run --module $P/ticker.so enumerate root/test MG_Source --count 1", 2, "",
     "--count is for subscribe", false},
    {"run class root/test", 2, "", "the class is missing", false},
    {"run classes", 2, "", "the namespace is missing", false},
    {"run test-connection", 2, "", "the namespace is missing", false},
    {"run asociators root/test MG_Tree", 2, "", "did you mean associators?", false},
    {"run --module $P/orchard.so list root/test MG_Tree Name=x", 2, "", "list takes no Name=x",
     false},
    {"run --module $P/orchard.so test-connection root/test Name=x", 2, "",
     "test-connection takes no Name=x", false},
    {"run --module $P/orchard.so get root/test MG_Tree --role Tree", 2, "",
     "for associators and references", false},
    {"run --module $P/orchard.so references root/test MG_Tree --association MG_Bears", 2, "",
     "for associators", false},
    {"run --module $P/orchard.so classes root/test --language CQL", 2, "", "for query", false},
    {"run --module", 2, "", "--module needs a value: FILE", false},
    {"run --module $P/orchard.so enumerate root/test MG_Tree --input x", 2, "",
     "enumerate takes no --input", false},
    {"run --module $P/orchard.so list root/test --table", 0, "MG_Tree   MG_Plant\n", "", false},
    {"run --module $P/orchard.so classes root/test --table", 0,
     "MG_Tree   MG_Plant    4           0\n", "", false},
    {"run --module $P/orchard.so class root/test MG_Bears --table", 0,
     "Tree     MG_Tree REF   key\n", "", false},
    {"run --module $P/orchard.so enumerate root/test MG_Tree --table --json", 2, "", "not both",
     false},
    {"run --module $P/orchard.so get root/test MG_Tree --flag ful-rtti", 2, "",
     "did you mean full-rtti?", false},
    {"run --module $P/orchard.so get root/test MG_Tree --flag zzz", 2, "", "use no-rtti, ", false},
    {"run --module $P/orchard.so get root/test MG_Tree --timeout 0", 2, "", "from 1 to 864000",
     false},
    {"run --module $P/orchard.so get root/test MG_Tree --option x", 2, "", "not KEY=VALUE", false},
};

START_TEST(usage_row)
{
    check_row(&usage[_i]);
}
END_TEST

/* As --help lists them: a new one is tested without a line here. */
START_TEST(each_help_fits_a_terminal)
{
    char commands[64][32];
    static struct output output;
    size_t count = 0;

    run("--help", &output);
    for (char *line = strtok(output.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *end = strstr(line, "   ");
        if (strncmp(line, "  ", 2) == 0 && line[2] >= 'a' && end != NULL && count < 64) {
            snprintf(commands[count++], sizeof(commands[0]), "%.*s", (int)(end - line - 2),
                     line + 2);
        }
    }
    ck_assert_uint_ge(count, 20);
    for (size_t i = 0; i < count; i++) {
        char arguments[64], first[64];
        snprintf(arguments, sizeof(arguments), "%.31s --help", commands[i]);
        snprintf(first, sizeof(first), "usage: miguard %.31s", commands[i]);
        run(arguments, &output);
        ck_assert_int_eq(output.status, 0);
        ck_assert_msg(strncmp(output.out, first, strlen(first)) == 0, "%s", output.out);
        for (char *line = strtok(output.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            ck_assert_msg(strlen(line) <= 80, "%s: %s", arguments, line);
        }
    }
}
END_TEST

/* ---- identity ------------------------------------------------------------------------------- */

static const struct row identity[] = {
    {"identity show", 0, "ruid", "", false},
    {"identity show", 0, "cap-bounding", "", false},
    {"identity show --json", 0, "{\"ruid\":{\"id\":", "", false},
    {"identity show --pid $S", 0, "fsuid", "", false},
    {"identity show --tid $S --json", 0, "\"groups\":[", "", false},
    {"identity show --pid=$S", 0, "fsuid", "", false},
    {"identity show --pid 1073741823", 3, "", "NOT_FOUND", false},
    {"identity diff $S $S", 0, "the same", "securebits", false},
    {"identity diff $S $S --json", 0, "{\"same\":true,\"different\":{}", "", false},
    {"identity diff $S 1073741823", 3, "", "NOT_FOUND", false},
};

START_TEST(identity_row)
{
    check_row(&identity[_i]);
}
END_TEST

/* A child that has set no_new_privs differs from this process in that and in nothing else. */
START_TEST(identity_of_another)
{
    static struct output output;
    char command[128], byte = 0;
    int ends[2];

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) {
        printf("skip: identity diff: this process has no_new_privs itself\n");
        return;
    }
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        (void)!write(ends[1], "", 1);
        pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    snprintf(command, sizeof(command), "identity diff $S %d --json", (int)child);
    run(command, &output);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(output.status, 1);
    ck_assert_msg(strstr(output.out, "\"different\":{\"no-new-privs\":[\"") != NULL &&
                      strstr(output.out, "]},\"unknown\":[\"securebits\"]}") != NULL,
                  "%s", output.out);
}
END_TEST

/* ---- run ------------------------------------------------------------------------------------ */

#define FILE_RUN    "run --audit $T/audit.jsonl --module $P/file.so "
#define ACCOUNT_RUN "run --audit $T/audit.jsonl --module $P/account.so "
#define ORCHARD_RUN "run --audit $T/audit.jsonl --module $P/orchard.so "
#define TICKER_RUN  "run --audit $T/audit.jsonl --module $P/ticker.so "
#define ACT_RUN     "run --audit $T/audit.jsonl --module $P/file.so --module $P/impersonator.so "

static const struct row requests[] = {
    {FILE_RUN "get root/test MG_File Path=/etc/passwd", 0, "instance of MG_File {\n    Path = \"",
     "", false},
    {FILE_RUN "get root/test MG_File Path=/etc/passwd", 0, "Owner = \"root\";", "", false},
    {FILE_RUN "--json get root/test MG_File Path=/etc/passwd", 0, "{\"Path\":\"/etc/passwd\"", "",
     false},
    {FILE_RUN "get root/test MG_File Path=/nonexistent", 1, "", "NOT_FOUND (6)", false},
    {FILE_RUN "get root/test MG_File Path=/nonexistent --json", 1, "",
     "{\"result\":6,\"name\":\"NOT_FOUND\"", false},
    {FILE_RUN "get root/test MG_File Path=relative", 1, "", "INVALID_PARAMETER (4)", false},
    {FILE_RUN "get root/test MG_File", 1, "", "NO_SUCH_PROPERTY", false},
    {FILE_RUN "get root/test MG_File Path=/proc", 1, "", "NOT_SUPPORTED (7)", false},
    {FILE_RUN "get root/test MG_Nothing Path=/", 1, "", "INVALID_CLASS (5)", false},
    {FILE_RUN "enumerate root/test MG_File", 1, "", "NOT_SUPPORTED (7)", false},

    {ORCHARD_RUN "get root/test MG_Tree Name=odd", 0, "    Height = NULL /* NaN */;\n", "", false},
    {ORCHARD_RUN "get root/test MG_Tree Name=odd", 0,
     "    Planted = \"2026**31**0000.000000+000\";", "", false},
    {ORCHARD_RUN "get root/test MG_Tree Name=odd --json", 0, "\"Height\":\"NaN\",", "", false},
    {ORCHARD_RUN "get root/test MG_Tree Name=odd --json", 0,
     "\"Planted\":\"2026**31**0000.000000+000\"", "", false},
    {ORCHARD_RUN "get root/test MG_Tree Name=apple", 0,
     "    Height = 4.5;\n    Planted = \"20190330090000.000000+060\";\n    Kind = NULL;\n", "",
     false},
    {ORCHARD_RUN "list root/test", 0, "MG_Plant\nMG_Tree\nMG_Fruit\nMG_Bears\n", "", false},
    {ORCHARD_RUN "list root/test MG_Plant", 0, "MG_Tree\nMG_Fruit\n", "", false},
    {ORCHARD_RUN "list root/test MG_Plum", 1, "", "INVALID_CLASS (5)", false},
    {ORCHARD_RUN "class root/test MG_Tree", 0,
     "class MG_Tree : MG_Plant {\n    [Key]\n    string Name;\n    real64 Height;\n"
     "    datetime Planted;\n    string Kind = \"tree\";\n};\n",
     "", false},
    {ORCHARD_RUN "class root/test MG_Fruit", 0, "    [Description(\"in grams\")]\n", "", false},
    {ORCHARD_RUN "class root/test MG_Bears --json", 0,
     "{\"name\":\"Tree\",\"type\":\"REF\",\"array\":false,\"key\":true,\"class\":\"MG_Tree\"}", "",
     false},
    {ORCHARD_RUN "class root/test MG_Plum", 1, "", "INVALID_CLASS (5)", false},
    {ORCHARD_RUN "class root/test MG_Bears", 0, "[Association]\nclass MG_Bears {", "", false},
    {ORCHARD_RUN "class root/test MG_Plant", 0, "[Abstract]\nclass MG_Plant {", "", false},
    {"run --module $P/ticker.so class root/test MG_Tick", 0, "[Indication]\nclass MG_Tick {", "",
     false},
    {"run --module $P/impersonator.so class root/test MG_Impersonator", 0,
     "uint32 Act([In] string Name, ", "", false},
    {ORCHARD_RUN "get root/test MG_Tree Nam=oak", 1, "",
     "MG_Tree has no property 'Nam', did you mean Name?", false},
    {ORCHARD_RUN "get root/test MG_Tree Nam=oak", 1, "", "the key Name of MG_Tree has no value",
     false},
    {ORCHARD_RUN "get root/test MG_Tree height=5", 1, "", "the key Name of MG_Tree has no value",
     false},
    {ORCHARD_RUN "get root/test MG_Tre Name=oak", 1, "",
     "root/test has no class 'MG_Tre', did you mean MG_Tree?", false},
    {"run --module $P/file.so create root/test MG_File Path=/x Modified=2026", 1, "",
     "Modified is a datetime: \"yyyymmdd", false},
    {"run --module $P/file.so create root/test MG_File Path=/x Content=300", 1, "",
     "Content is a list, each uint8: a number from 0 to 255", false},
    {ORCHARD_RUN "get root/test MG_Bears Tree=oak Fruit=acorn", 1, "",
     "Tree is a reference: ", false},
    {ORCHARD_RUN "enumerate root/test Tree", 1, "", "root/test has no class 'Tree'", false},
    {ORCHARD_RUN "get root/test MG_Tre Name=oak --json", 1, "",
     "{\"result\":5,\"name\":\"INVALID_CLASS\",\"message\":null,\"details\":null}\n", false},
    {"run --module $P/impersonator.so invoke root/test MG_Impersonator Akt", 1, "",
     "MG_Impersonator has no method 'Akt', did you mean Act?", false},
    {ORCHARD_RUN "classes root/test MG_Plant", 0, "class MG_Fruit : MG_Plant {", "", false},
    {ORCHARD_RUN "test-connection root/test", 0, "", "", false},
    {ORCHARD_RUN "get root/test MG_Tree --input /nonexistent", 3, "", "No such file", false},
    {ORCHARD_RUN "get root/test MG_Tree --input /", 3, "", "Is a directory", false},
    {ORCHARD_RUN "get root/test MG_Tree Name=oak --timeout 9 --flag full-rtti --flag "
                 "polymorphism-shallow --option x=y",
     0, "instance", "", false},
    {ORCHARD_RUN "query root/test SELECT\t*\tFROM\tMG_Fruit\tWHERE\tWeight>170", 0,
     "instance of MG_Fruit {\n    Name = \"pippin\";\n    Weight = 190;\n};\n", "", false},
    {ORCHARD_RUN "query root/test SELECT\tName\tFROM\tMG_Fruit\tWHERE\tWeight=5 --json", 0,
     "{\"Name\":\"acorn\",\"Weight\":null}", "", false},
    {ORCHARD_RUN "query root/test SELECT\t*\tFROM\tMG_Fruit\tWHERE\tSize=1", 1, "",
     "INVALID_QUERY (15)", false},
    {ORCHARD_RUN "query root/test SELECT\t*\tFROM\tMG_Fruit --language SQL", 1, "",
     "QUERY_LANGUAGE_NOT_SUPPORTED (14)", false},
    {ORCHARD_RUN "associators root/test MG_Tree Name=oak", 0, "Name = \"acorn\";", "", false},
    {ORCHARD_RUN "associators root/test MG_Fruit Name=gala --result-class MG_Tree --role Fruit "
                 "--result-role Tree --association MG_Bears",
     0, "Name = \"apple\";", "", false},
    {ORCHARD_RUN "associators root/test MG_Fruit Name=gala --result-role Fruit", 0, "", "", false},
    {ORCHARD_RUN "associators root/test MG_Fruit", 1, "", "NO_SUCH_PROPERTY", false},
    {ORCHARD_RUN "references root/test MG_Tree Name=oak --result-class MG_Bears --role Tree", 0,
     "Since = 1920;", "", false},
    {TICKER_RUN "subscribe root/test MG_Tick --count 3", 0, "};\ninstance of MG_Tick {\n", "",
     false},
    {TICKER_RUN "subscribe root/test SELECT\t*\tFROM\tMG_Tick\tWHERE\tNumber=5 --json --count 1", 0,
     "{\"Number\":5}\n", "", false},
    {TICKER_RUN "subscribe root/test MG_Tick --table --count 2", 0, "Number\n", "", false},
    {TICKER_RUN "subscribe root/test MG_Tick --timeout 1", 0, "instance of MG_Tick", "", false},
    {TICKER_RUN "subscribe root/test MG_Tick --timeout 1 --count 100000", 1, "instance of MG_Tick",
     " of 100000 indications came\n", false},
    {TICKER_RUN "--as nobody subscribe root/test MG_Tick --count 1", 0, "instance of MG_Tick", "",
     true},
    {TICKER_RUN "subscribe root/test MG_Tock --count 1", 1, "", "INVALID_CLASS (5)", false},
    {TICKER_RUN "subscribe root/test MG_Source --count 1", 1, "", "INVALID_QUERY (15)", false},
    {TICKER_RUN "get root/test MG_Source Name=x --timeout 1", 1, "", "FAILED (1)", false},
    {ACCOUNT_RUN "enumerate root/test MG_Principal", 0, "instance of MG_UserAccount {", "", false},
    {ACCOUNT_RUN "enumerate root/test MG_Principal", 0, "instance of MG_GroupAccount {", "", false},
    {ACCOUNT_RUN "enumerate root/test MG_UserAccount --json", 0, "{\"Name\":\"root\",\"Uid\":0", "",
     false},
    {ACCOUNT_RUN "get root/test MG_UserAccount Name=root", 0, "Groups = {0", "", false},
    {ACCOUNT_RUN "get root/test MG_GroupAccount name=root", 0, "Gid = 0;", "", false},
    {ACCOUNT_RUN "get root/test MG_UserAccount Name=no-such-user", 1, "", "NOT_FOUND", false},
    {ACCOUNT_RUN "create root/test MG_UserAccount Name=x", 1, "", "NOT_SUPPORTED", false},
    {ACCOUNT_RUN "modify root/test MG_UserAccount Name=root Uid=1", 1, "", "NOT_SUPPORTED", false},
    {ACCOUNT_RUN "modify root/test MG_UserAccount Name=root Uid=many", 1, "", "TYPE_MISMATCH",
     false},
    {ACCOUNT_RUN "modify root/test MG_UserAccount Name=root Groups[]=1", 1, "", "NOT_SUPPORTED",
     false},
    {ACCOUNT_RUN "modify root/test MG_UserAccount Name=root Groups=1 Groups=2", 1, "",
     "NOT_SUPPORTED", false},

    {ACT_RUN "enumerate root/test MG_Impersonator", 0, "Name = \"setfsuid\";", "", false},
    {ACT_RUN "get root/test MG_Impersonator Name=setfsuid", 0, "MustBeRefused = TRUE;", "", false},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=right-use", 0, "Refused = FALSE;", "",
     false},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=keep-caps", 0, "Refused = TRUE;", "",
     false},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=keep-caps --json", 0,
     "\"ResultName\":\"ACCESS_DENIED\"", "", false},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=no-such-act", 1, "", "INVALID_PARAMETER",
     false},
    {ACT_RUN "invoke root/test MG_Impersonator NoSuchMethod", 1, "", "METHOD_NOT_FOUND (17)",
     false},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=setfsuid", 0, "Refused = TRUE;", "", true},

    {ACT_RUN "--trace invoke root/test MG_Impersonator Act Name=setfsuid", 0, "Refused = TRUE;",
     "identity-mismatch; different: fsuid", true},
    {ACT_RUN "--trace invoke root/test MG_Impersonator Act Name=right-use", 0, "Refused = FALSE;",
     "GetInstance root/test MG_File by impersonator.so, session ", false},
    {ACT_RUN "--trace --json invoke root/test MG_Impersonator Act Name=keep-caps", 0,
     "\"ResultName\":\"ACCESS_DENIED\"", "{\"trace\":{\"time_ns\":", false},

    {FILE_RUN "get root/test MG_File Path=/etc/shadow", 0, "ServedAsUid = 0;", "", true},
    {FILE_RUN "--as nobody get root/test MG_File Path=/etc/shadow", 1, "", "ACCESS_DENIED (2)",
     true},
    {FILE_RUN "--as nobody get root/test MG_File Path=/etc/passwd", 0, "ServedAsUid = 65534;", "",
     true},
    {FILE_RUN "--as=nobody --json get root/test MG_File Path=/etc/shadow", 1, "",
     "\"name\":\"ACCESS_DENIED\"", true},
    {ACT_RUN "--as nobody invoke root/test MG_Impersonator Act Name=right-use", 0,
     "Before = \"uid 65534/", "", true},
    {ACT_RUN "--client nobody invoke root/test MG_Impersonator Act Name=right-use-as-client", 0,
     "ServedAsUid = 65534;", "", true},
    {ACT_RUN "--as nobody invoke root/test MG_Impersonator Act Name=right-use-as-client", 0,
     "ServedAsUid = 65534;", "", true},
    {ACT_RUN "--client root --as nobody invoke root/test MG_Impersonator Act "
             "Name=right-use-as-client",
     0, "ServedAsUid = 0;", "", true},
    {ACT_RUN "invoke root/test MG_Impersonator Act Name=right-use-as-client", 0,
     "Message = \"skip: the session was opened without a client", "", false},
    {FILE_RUN "--client no-such-user get root/test MG_File Path=/", 3, "", "NOT_FOUND", false},
    {FILE_RUN "--as no-such-user get root/test MG_File Path=/", 3, "", "NOT_FOUND", false},

    {"run --audit $T/audit.jsonl --module $P/nothing.so get root/test MG_File Path=/", 3, "",
     "nothing.so", false},
    {"run --audit $T/audit.jsonl --module /etc/passwd get root/test MG_File Path=/", 3, "",
     "BAD_MODULE", false},
    {"run --audit $T/audit.jsonl --module nothing.so get root/test MG_File Path=/", 3, "",
     "nothing.so", false},
    {"run --audit /nonexistent/x/audit.jsonl --module $P/file.so get root/test MG_File Path=/", 3,
     "", "--audit", false},
};

START_TEST(request_row)
{
    check_row(&requests[_i]);
}
END_TEST

/* These depend on one another: the life of a file. */
static const struct row life[] = {
    {FILE_RUN "create root/test MG_File Path=$T/made Text=first", 0, "/made\";", "", false},
    {FILE_RUN "create root/test MG_File Path=$T/made Text=again", 1, "", "ALREADY_EXISTS (11)",
     false},
    {FILE_RUN "get root/test MG_File Path=$T/made", 0, "Text = \"first\";", "", false},
    {FILE_RUN "get root/test MG_File Path=$T/made", 0, "Content = {102, 105, 114, 115, 116};", "",
     false},
    {FILE_RUN "modify root/test MG_File Path=$T/made Text=second", 0, NULL, "", false},
    {FILE_RUN "get root/test MG_File Path=$T/made --json", 0, "\"Text\":\"second\"", "", false},
    {FILE_RUN "--as nobody get root/test MG_File Path=$T/made", 1, "", "ACCESS_DENIED", true},
    {FILE_RUN "--as nobody delete root/test MG_File Path=$T/made", 1, "", "ACCESS_DENIED", true},
    {FILE_RUN "delete root/test MG_File Path=$T/made", 0, "", "", false},
    {FILE_RUN "delete root/test MG_File Path=$T/made", 1, "", "NOT_FOUND (6)", false},
    {FILE_RUN "get root/test MG_File Path=$T/made", 1, "", "NOT_FOUND (6)", false},
};

START_TEST(life_of_a_file)
{
    for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++) {
        check_row(&life[i]);
    }
}
END_TEST

/* A file's name and content are the world's: neither may reach the terminal as an escape. */
START_TEST(hostile_text)
{
    static const char hostile[] = "\033[31m\xC2\x9B\xE2\x80\xAE\xFF";
    static struct output output;
    char path[128], command[256];

    snprintf(path, sizeof(path), "%s/%s", folder, hostile);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    snprintf(command, sizeof(command), FILE_RUN "get root/test MG_File Path=%s", path);
    for (int json = 0; json < 2; json++) {
        run(command, &output);
        ck_assert_int_eq(output.status, 0);
        ck_assert_msg(strpbrk(output.out, "\033\xFF\x9B") == NULL &&
                          strstr(output.out, "\xE2\x80\xAE") == NULL,
                      "%s", output.out);
        ck_assert_ptr_nonnull(strstr(output.out, "\xEF\xBF\xBD"));
        strcat(command, " --json");
    }
    json_t *parsed = json_loads(output.out, 0, NULL);
    ck_assert_ptr_nonnull(json_object_get(parsed, "Path"));
    json_decref(parsed);
    unlink(path);
}
END_TEST

/* Each line of --json is an object of its own. */
START_TEST(json_lines)
{
    static struct output output;
    char *save = NULL;
    unsigned count = 0;

    run(ACCOUNT_RUN "enumerate root/test MG_Principal --json", &output);
    ck_assert_int_eq(output.status, 0);
    for (char *line = strtok_r(output.out, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        json_t *parsed = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(json_is_object(parsed), "%s", line);
        json_decref(parsed);
        count++;
    }
    ck_assert_uint_gt(count, 2);
}
END_TEST

/* Who is not root gets a log of one's own, in a folder that nobody else can read. */
START_TEST(private_log)
{
    static struct output output;
    char path[128];

    if (geteuid() == 0) {
        printf("skip: the private audit log: only without root\n");
        return;
    }
    setenv("XDG_STATE_HOME", folder, 1);
    run("run --module $P/file.so get root/test MG_File Path=/etc/passwd", &output);
    ck_assert_msg(output.status == 0, "%s", output.err);
    snprintf(path, sizeof(path), "%s/miguard/audit.jsonl", folder);
    ck_assert_int_eq(access(path, R_OK), 0);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}
END_TEST

/* ---- run --input ---------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int status;
    const char *out, *err;
} inputs[] = {
    {"{\"Name\": \"apple\"}", 0, "    Height = 4.5;", ""},
    {"{\"name\": \"apple\", \"Height\": 1, \"Planted\": \"20190330090000.000000+060\"}", 0,
     "    Height = 4.5;", ""},
    {"{\"Name\": \"apple\", \"Height\": null, \"__CLASS\": \"MG_Tree\"}", 0, "instance", ""},
    {"{\"Name\": null}", 1, "", "NO_SUCH_PROPERTY"},
    {"{}", 1, "", "NO_SUCH_PROPERTY"},
    {"{\"Name\": \"apple\", \"Colour\": 1}", 0, "instance", ""},
    {"{\"Name\": \"apple\", \"Height\": true}", 1, "", "TYPE_MISMATCH"},
    {"{\"Name\": [\"apple\"]}", 1, "", "TYPE_MISMATCH"},
    {"{\"Name\": [\"apple\", 7, 1.5, false]}", 1, "", "TYPE_MISMATCH"},
    {"{\"Name\": []}", 1, "", "TYPE_MISMATCH"},
    {"{\"Name\": {\"__CLASS\": \"MG_Tree\", \"Name\": \"apple\"}}", 1, "", "TYPE_MISMATCH"},
    {"{\"Name\": [{\"__CLASS\": \"MG_Tree\"}, {\"__CLASS\": \"MG_Tree\"}]}", 1, "",
     "TYPE_MISMATCH"},
    {"{\"Name\": {\"Name\": \"apple\"}}", 2, "", "Name: an object needs its class as \"__CLASS\""},
    {"{\"Name\": [\"apple\", {}]}", 2, "", "Name[1]: not a text, number or truth value"},
    {"{\"Name\": [{\"__CLASS\": \"MG_Tree\"}, 1]}", 2, "", "Name[1]: not an object"},
    {"{\"Name\": [[1]]}", 2, "", "Name[0]: not a text"},
    {"{\"Name\": [null]}", 2, "", "Name[0]: not a text"},
    {"{\"Name\": \"a\", \"Name\": \"b\"}", 2, "", "in.json:1:20: no JSON object: duplicate"},
    {"{\"Name\": \"a\", \"name\": \"b\"}", 2, "", "name: "},
    {"{\"\": 1}", 2, "", ": "},
    {"{\"Name\": 99999999999999999999}", 2, "", "too big integer"},
    {"{\"Name\": \"\\u0000\"}", 2, "", "no JSON object"},
    {"{\"Name\": \"\xff\"}", 2, "", "no JSON object"},
    {"{\"Name\": \"apple\"", 2, "", "no JSON object"},
    {"{\"Name\": \"apple\"} x", 2, "", "no JSON object"},
    {"[1]", 2, "", "an object {\"NAME\": VALUE, ...} is needed"},
    {"", 2, "", "no JSON object"},
};

static void write_input(const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/in.json", folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void expect_input(const char *text, const char *more, int status, const char *out,
                         const char *err)
{
    static struct output output;
    char command[256];

    write_input(text);
    snprintf(command, sizeof(command), ORCHARD_RUN "get root/test %s --input $T/in.json", more);
    run(command, &output);
    ck_assert_msg(output.status == status && strstr(output.out, out) != NULL &&
                      strstr(output.err, err) != NULL,
                  "%s: %d: %s%s", text, output.status, output.out, output.err);
}

START_TEST(json_input)
{
    expect_input(inputs[_i].text, "MG_Tree", inputs[_i].status, inputs[_i].out, inputs[_i].err);
}
END_TEST

/* A reference is an object, and what --json prints can be given again. */
START_TEST(json_input_of_objects)
{
    static struct output output;
    char *nested = calloc(1, 4096);

    expect_input("{\"Tree\": {\"__CLASS\": \"MG_Tree\", \"Name\": \"oak\"}, \"Fruit\": "
                 "{\"__CLASS\": \"MG_Fruit\", \"Name\": \"acorn\"}}",
                 "MG_Bears", 0, "Since = 1920;", "");
    expect_input("{\"Tree\": {\"__CLASS\": \"MG_Fruit\", \"Name\": \"oak\"}}", "MG_Bears", 1, "",
                 "TYPE_MISMATCH");
    run(ORCHARD_RUN "get root/test MG_Tree Name=oak --json", &output);
    ck_assert_int_eq(output.status, 0);
    expect_input(output.out, "MG_Tree", 0, "Height = 21;", "");
    ck_assert_ptr_nonnull(nested);
    for (int i = 0; i < 40; i++) {
        strcat(nested, "{\"__CLASS\": \"MG_Tree\", \"Name\": ");
    }
    strcat(nested, "1");
    for (int i = 0; i < 40; i++) {
        strcat(nested, "}");
    }
    expect_input(nested, "MG_Tree", 2, "", "Name: objects are nested more than 32 deep");
    free(nested);
}
END_TEST

/* ---- run --input of MOF --------------------------------------------------------------------- */

#define TREE(properties) "instance of MG_Tree { " properties "};"

static const struct {
    const char *text, *class_name;
    int status;
    const char *out, *err;
} mof_inputs[] = {
    {TREE("Name = \"oak\";"), "MG_Tree", 0, "Height = 21;", ""},
    {"// which\n INSTANCE OF mg_tree { name = \"o\" /* a */ \"ak\"; height = 0x15; Planted = "
     "\"20190330090000.000000+060\"; Kind = NULL; };",
     "MG_Tree", 0, "Height = 21;", ""},
    {"instance of MG_Bears { Tree = \"MG_Tree.Name=\\\"oak\\\"\"; Fruit = instance of MG_Fruit { "
     "Name = \"acorn\"; }; };",
     "MG_Bears", 0, "Since = 1920;", ""},
    {"instance of MG_Tree as $t { Name = \"oak\"; };\ninstance of MG_Fruit as $f { Name = "
     "\"acorn\"; };\ninstance of MG_Bears { Tree = $t; Fruit = $f; };",
     "MG_Bears", 0, "Since = 1920;", ""},

    {TREE("Name = \"oak\"") "", "MG_Tree", 2, "", "in.json:1:35: ';' is needed behind the value"},
    {TREE("Name = 5;"), "MG_Tree", 2, "", "in.json:1:30: Name is a string\n"},
    {TREE("Name = {\"oak\"};"), "MG_Tree", 2, "", "1:30: Name is one value, and no array"},
    {TREE("\nHeight = \"x\";"), "MG_Tree", 2, "", "in.json:2:10: Height is a real64: a number\n"},
    {TREE("Planted = \"2019\";"), "MG_Tree", 2, "", "1:33: Planted is a datetime: \"yyyymmdd"},
    {TREE("Wood = 5;"), "MG_Tree", 2, "", "in.json:1:23: MG_Tree has no property Wood\n"},
    {"instance of MG_Fruit { Weight = 4294967296; };", "MG_Fruit", 2, "",
     "1:33: Weight is a uint32: a number from 0 to 4294967295\n"},
    {"instance of MG_Bears { Tree = \"MG_Tree.Wood=5\"; };", "MG_Bears", 2, "",
     "1:31: the path, at its character 9: MG_Tree has no property Wood\n"},
    {"instance of MG_Bears { Tree = \"MG_Tree.Name\"; };", "MG_Bears", 2, "",
     "1:31: the path, at its character 13: '=' is needed"},
    {TREE("Name = \"oak\";"), "MG_Fruit", 2, "",
     "in.json:1:1: an instance of MG_Fruit is needed, not of MG_Tree\n"},
    {TREE("") TREE(""), "MG_Tree", 2, "", "1:1: one instance is needed; others before it need"},
    {"// nothing", "MG_Tree", 2, "", "'instance of CLASS { ... };' is needed"},
    {"class MG_Tree { };", "MG_Tree", 2, "", "1:1: only instances are read"},
    {"instance of MG_Nothing { x = 1; };", "MG_Nothing", 1, "", "INVALID_CLASS (5)"},
};

START_TEST(mof_input)
{
    expect_input(mof_inputs[_i].text, mof_inputs[_i].class_name, mof_inputs[_i].status,
                 mof_inputs[_i].out, mof_inputs[_i].err);
}
END_TEST

/* What is printed can be given again, and parameters are an instance of any name. */
START_TEST(mof_input_of_output)
{
    static struct output output;

    expect_input("{\"Tree\": {\"__CLASS\": \"MG_Tree\", \"Name\": \"oak\"}, \"Fruit\": "
                 "{\"__CLASS\": \"MG_Fruit\", \"Name\": \"acorn\"}}",
                 "MG_Bears", 0, "Since = 1920;", "");
    run(ORCHARD_RUN "get root/test MG_Bears --input $T/in.json", &output);
    ck_assert_int_eq(output.status, 0);
    expect_input(output.out, "MG_Bears", 0, "Since = 1920;", "");
    write_input("instance of Parameters { Name = \"right-use\"; };");
    run(ACT_RUN "invoke root/test MG_Impersonator Act --input $T/in.json", &output);
    ck_assert_msg(output.status == 0 && strstr(output.out, "Refused = FALSE;") != NULL, "%s",
                  output.err);
    write_input("instance of Parameters { Nam = \"right-use\"; };");
    run(ACT_RUN "invoke root/test MG_Impersonator Act --input $T/in.json", &output);
    ck_assert_msg(output.status == 2 && strstr(output.err, ":1:26: Act has no parameter Nam\n"),
                  "%s", output.err);
}
END_TEST

/* ---- run subscribe -------------------------------------------------------------------------- */

/* A subscription ends well by either signal, with what came before it on stdout. The signal is sent
 * once something has come, so that the command surely waits for it. */
START_TEST(subscription_ends_by_signal)
{
    static char text[OUTPUT];
    const int signal_sent = _i == 0 ? SIGINT : SIGTERM;
    char command[256], out[64], err[64];
    int status = 0;

    expand(TICKER_RUN "subscribe root/test MG_Tick", command, sizeof(command));
    snprintf(out, sizeof(out), "%s/out", folder);
    snprintf(err, sizeof(err), "%s/err", folder);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become_command(command, out, err);
    }
    text[0] = '\0';
    for (int tries = 0; tries < 3000 && strstr(text, "};\n") == NULL; tries++) {
        usleep(10000);
        if (access(out, R_OK) == 0) {
            read_text(out, text);
        }
    }
    ck_assert_int_eq(kill(child, signal_sent), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    ck_assert_ptr_nonnull(strstr(text, "instance of MG_Tick {\n    Number = "));
    read_text(err, text);
    ck_assert_str_eq(text, "");
}
END_TEST

/* ---- run --table ---------------------------------------------------------------------------- */

/* A property without a value has no column; another class has a table of its own. */
START_TEST(table_of_instances)
{
    static struct output output;

    run(ORCHARD_RUN "enumerate root/test MG_Plant --table", &output);
    ck_assert_msg(output.status == 0, "%s", output.err);
    ck_assert_str_eq(output.out, "Name   Height  Planted\n"
                                 "apple  4.5     20190330090000.000000+060\n"
                                 "oak    21      18901102000000.000000+000\n"
                                 "odd    nan     2026**31**0000.000000+000\n"
                                 "\n"
                                 "Name    Weight\n"
                                 "acorn   5\n"
                                 "gala    160\n"
                                 "pippin  190\n");
    run(ORCHARD_RUN "enumerate root/test MG_Bears --table", &output);
    ck_assert_ptr_nonnull(strstr(output.out, "MG_Tree.Name=\"oak\"    MG_Fruit.Name=\"acorn\""));
}
END_TEST

/* More rows than are kept back for the width of the columns, and none. */
START_TEST(table_of_many)
{
    static struct output output;
    size_t lines = 0;

    run(ACCOUNT_RUN "enumerate root/test MG_Principal --table", &output);
    ck_assert_msg(output.status == 0, "%s", output.err);
    for (const char *at = output.out; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    ck_assert_uint_gt(lines, 5);
    run(ORCHARD_RUN "query root/test SELECT\t*\tFROM\tMG_Fruit\tWHERE\tWeight>999 --table",
        &output);
    ck_assert_int_eq(output.status, 0);
    ck_assert_str_eq(output.out, "");
}
END_TEST

/* ---- all of it ------------------------------------------------------------------------------ */

static void clean_up(void)
{
    static const char *const names[] = {"out", "err", "audit.jsonl", "made", "in.json"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *suite(void)
{
    Suite *cli = suite_create("cli");
    TCase *rows = tcase_create("rows");
    TCase *others = tcase_create("others");

    tcase_set_timeout(rows, 60);
    tcase_add_loop_test(rows, usage_row, 0, ROWS(usage));
    tcase_add_test(rows, each_help_fits_a_terminal);
    tcase_add_loop_test(rows, identity_row, 0, ROWS(identity));
    tcase_add_loop_test(rows, request_row, 0, ROWS(requests));
    tcase_set_timeout(others, 120);
    tcase_add_test(others, identity_of_another);
    tcase_add_test(others, life_of_a_file);
    tcase_add_test(others, hostile_text);
    tcase_add_test(others, json_lines);
    tcase_add_loop_test(others, json_input, 0, ROWS(inputs));
    tcase_add_test(others, json_input_of_objects);
    tcase_add_loop_test(others, mof_input, 0, ROWS(mof_inputs));
    tcase_add_test(others, mof_input_of_output);
    tcase_add_loop_test(others, subscription_ends_by_signal, 0, 2);
    tcase_add_test(others, table_of_instances);
    tcase_add_test(others, table_of_many);
    tcase_add_test(others, private_log);
    suite_add_tcase(cli, rows);
    suite_add_tcase(cli, others);
    return cli;
}

int main(void)
{
    if (mkdtemp(folder) == NULL) {
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
