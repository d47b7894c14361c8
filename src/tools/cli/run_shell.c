/* SPDX-License-Identifier: MIT */
/*
 * miguard run --shell: requests line by line, on one host or by one server.
 *
 * run_shell() reads a line, splits it, and either does what one of its own words says (rows), or
 * makes the request: the same words as those of the command, without the namespace. Each request
 * has a session of its own. SIGINT ends the request that runs, and not the shell.
 */
#include "tools/cli/run_shell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/run_once.h"
#include "tools/cli/shell_choices.h"
#include "tools/cli/shell_edit.h"
#include "tools/cli/shell_words.h"

/* Seconds that a completion may take: no key ends it. */
enum { CHOICE_SECONDS = 5 };

struct shell {
    const struct run_request *command;
    struct miguard_host *host;
    struct pollfd interrupt;
    char *name_space, *as_user; /* NULL: none */
    char **name_spaces;         /* those that were used, ended with NULL; they own name_space */
    size_t name_space_count;
    bool ended;
};

static int out_of_memory(void)
{
    return complain(CLI_UNABLE, "out of memory");
}

/* ---- its own words ----------------------------------------------------------------------------
 */

/* Makes it the current one, and keeps it for completion. */
static int use_name_space(struct shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->name_space_count; i++) {
        if (strcasecmp(shell->name_spaces[i], name) == 0) {
            shell->name_space = shell->name_spaces[i];
            return CLI_YES;
        }
    }
    char **list = realloc(shell->name_spaces, (shell->name_space_count + 2) * sizeof(*list));
    if (list == NULL) {
        return out_of_memory();
    }
    shell->name_spaces = list;
    list[shell->name_space_count] = strdup(name);
    if (list[shell->name_space_count] == NULL) {
        return out_of_memory();
    }
    shell->name_space = list[shell->name_space_count++];
    list[shell->name_space_count] = NULL;
    return CLI_YES;
}

static int do_use(struct shell *shell, const char *name)
{
    if (name == NULL || *name == '\0') {
        return complain(CLI_USAGE, "use: the namespace is missing");
    }
    return use_name_space(shell, name);
}

/* Whether there is such a user is said by the next request, which is when it is looked up. */
static int do_as(struct shell *shell, const char *user)
{
    char *copy = user == NULL ? NULL : strdup(user);

    if (user != NULL && copy == NULL) {
        return out_of_memory();
    }
    if (shell->command->connect != NULL) {
        free(copy);
        return complain(CLI_USAGE, "as: the server knows you by the socket");
    }
    free(shell->as_user);
    shell->as_user = copy;
    return CLI_YES;
}

static int do_quit(struct shell *shell, const char *word)
{
    (void)word;
    shell->ended = true;
    return CLI_YES;
}

static int do_help(struct shell *shell, const char *word)
{
    static const char text[] =
        "get CLASS KEY=VALUE...           delete CLASS KEY=VALUE...\n"
        "create CLASS KEY=VALUE...        modify CLASS KEY=VALUE...\n"
        "enumerate CLASS                  query \"SELECT ...\"\n"
        "invoke CLASS METHOD KEY=VALUE... (--key KEY=VALUE: of the instance)\n"
        "associators CLASS KEY=VALUE...   references CLASS KEY=VALUE...\n"
        "class CLASS                      classes [CLASS]\n"
        "list [CLASS]                     subscribe CLASS or \"SELECT ...\"\n"
        "test-connection\n"
        "\n"
        "use NAMESPACE                    where the requests go\n"
        "as [USER]                        make them as USER; without one, as yourself\n"
        "quit, exit, or the end of input\n"
        "\n"
        "Options of a request are those of miguard run: --json, --table, --timeout SECONDS,\n"
        "--input FILE and more. '...' and \"...\" keep blanks; # begins a comment. The Tab key\n"
        "completes; ^C ends a request that runs.\n";

    (void)shell;
    (void)word;
    fputs(text, stdout);
    return CLI_YES;
}

/* One for each of shell_own_words. */
static const struct {
    const char *name;
    bool takes_word;
    int (*run)(struct shell *shell, const char *word); /* NULL: there is no word */
} rows[] = {
    {"as", true, do_as},      {"exit", false, do_quit}, {"help", true, do_help},
    {"quit", false, do_quit}, {"use", true, do_use},
};

/* False: the line is a request. */
static bool do_own(struct shell *shell, const struct shell_words *words, int *ret_status)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(words->list[0], rows[i].name) == 0) {
            size_t most = rows[i].takes_word ? 2 : 1;
            *ret_status = words->count > most ? complain(CLI_USAGE, "%s: what is '%s'?",
                                                         rows[i].name, words->list[most])
                                              : rows[i].run(shell, words->list[1]);
            return true;
        }
    }
    return false;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

/* An interrupt that came before counts for nothing. */
static void drop_interrupts(const struct shell *shell)
{
    char bytes[1024];

    while (read(shell->interrupt.fd, bytes, sizeof(bytes)) > 0) {
    }
}

static int ask(const struct shell *shell, const struct run_request *defaults, char **words,
               size_t count, struct pollfd end)
{
    struct run_request request = {.hosting = RUN_HOSTING_INIT};
    int status = run_request_read_line(words, (int)count, defaults, shell->name_space, &request);

    if (status == CLI_YES) {
        request.as_user = shell->as_user;
        status = run_once(&request, shell->host, end);
    }
    run_request_release(&request);
    return status;
}

/* For a completion: what goes wrong is not said, and nothing is offered. */
static char *ask_quietly(void *context, const char *const *words, int count)
{
    struct shell *shell = context;
    struct run_request defaults = {.hosting = RUN_HOSTING_INIT,
                                   .connect = shell->command->connect,
                                   .client = shell->command->client,
                                   .timeout = CHOICE_SECONDS};
    char *text = NULL, *complaints = NULL, *copy[8];
    size_t length = 0, complained = 0;
    int status = CLI_UNABLE;

    memcpy(copy, words, (size_t)count * sizeof(*copy)); /* they are not changed */
    defaults.out = open_memstream(&text, &length);
    defaults.err = open_memstream(&complaints, &complained);
    if (defaults.out != NULL && defaults.err != NULL) {
        complain_on(defaults.err);
        status = ask(shell, &defaults, copy, (size_t)count, (struct pollfd){.fd = -1});
        complain_on(NULL);
    }
    if (defaults.err != NULL) {
        fclose(defaults.err);
    }
    if ((defaults.out == NULL || fclose(defaults.out) != 0 || status != CLI_YES) && text != NULL) {
        free(text);
        text = NULL;
    }
    free(complaints);
    return text;
}

static void complete(void *context, const char *line, size_t length,
                     struct shell_choices *ret_choices)
{
    static const char *const none[] = {NULL};
    struct shell *shell = context;
    const char *const *name_spaces =
        shell->name_spaces == NULL ? none : (const char *const *)shell->name_spaces;
    const struct shell_source source = {shell, ask_quietly, name_spaces};

    shell_choices(&source, line, length, ret_choices);
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static int split(const char *line, struct shell_words *ret_words)
{
    size_t place = 0;

    switch (shell_words_split(line, strlen(line), ret_words, &place)) {
    case SHELL_SPLIT_GOOD:
        return CLI_YES;
    case SHELL_SPLIT_QUOTE:
        return complain(CLI_USAGE, "the quotation that begins at byte %zu has no end", place + 1);
    case SHELL_SPLIT_BACKSLASH:
        return complain(CLI_USAGE, "the line ends with a backslash, which stands for nothing");
    case SHELL_SPLIT_MEMORY:
        break;
    }
    return out_of_memory();
}

static int do_line(struct shell *shell, const char *line)
{
    struct shell_words words = {0};
    int status = split(line, &words);

    if (status == CLI_YES && words.count > 0 && !do_own(shell, &words, &status)) {
        drop_interrupts(shell);
        status = ask(shell, shell->command, words.list, words.count, shell->interrupt);
    }
    shell_words_release(&words);
    if (fflush(stdout) != 0) {
        shell->ended = true; /* there is no reader for the answers */
        return complain(CLI_UNABLE, "the answer cannot be written");
    }
    return status;
}

/* "root/test> ", and with a user "root/test (as alice)> ", safe for a terminal. NULL out of memory.
 */
static char *make_prompt(const struct shell *shell)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);

    if (memory == NULL) {
        return NULL;
    }
    print_safe(memory, shell->name_space != NULL ? shell->name_space : "(no namespace)", false);
    if (shell->as_user != NULL) {
        fputs(" (as ", memory);
        print_safe(memory, shell->as_user, false);
        fputc(')', memory);
    }
    fputs("> ", memory);
    fclose(memory);
    return text;
}

static enum shell_read read_line(struct shell *shell, struct shell_edit *edit, char **ret_line)
{
    char *prompt = make_prompt(shell);

    if (prompt == NULL) {
        out_of_memory();
        return SHELL_READ_FAILED;
    }
    drop_interrupts(shell);
    enum shell_read read = shell_edit_line(edit, prompt, ret_line);
    free(prompt);
    return read;
}

/* One line. For a script the line that was not done has its number, since the message is that of
 * its request. */
static int next_line(struct shell *shell, struct shell_edit *edit, size_t number)
{
    char *line = NULL;
    int status = CLI_YES;

    switch (read_line(shell, edit, &line)) {
    case SHELL_READ_LINE:
        status = do_line(shell, line);
        free(line);
        break;
    case SHELL_READ_BAD:
        status = CLI_USAGE;
        break;
    case SHELL_READ_DROPPED:
        if (shell_edit_is_terminal(edit)) {
            fputc('\n', stdout);
            return CLI_YES;
        }
        shell->ended = true; /* of a script ^C is the end */
        return CLI_NO;
    case SHELL_READ_END:
        shell->ended = true;
        return CLI_YES;
    case SHELL_READ_FAILED:
        shell->ended = true;
        return CLI_UNABLE;
    }
    return status == CLI_YES || shell_edit_is_terminal(edit)
               ? status
               : complain((enum cli_exit)status, "line %zu was not done", number);
}

static int read_all(struct shell *shell, struct shell_edit *edit)
{
    int worst = CLI_YES;

    for (size_t number = 1; !shell->ended; number++) {
        int status = next_line(shell, edit, number);
        worst = status > worst ? status : worst;
    }
    return shell_edit_is_terminal(edit) ? CLI_YES : worst;
}

int run_shell(const struct run_request *command, struct miguard_host *host, struct pollfd interrupt)
{
    struct shell shell = {.command = command, .host = host, .interrupt = interrupt};
    struct shell_edit *edit = shell_edit_new(complete, &shell, interrupt.fd);
    int status = edit == NULL ? CLI_UNABLE : CLI_YES;

    if (status == CLI_YES && command->name_space != NULL) {
        status = use_name_space(&shell, command->name_space);
    }
    if (status == CLI_YES && command->as_user != NULL) {
        status = do_as(&shell, command->as_user);
    }
    if (status == CLI_YES) {
        status = read_all(&shell, edit);
    }
    shell_edit_free(edit);
    for (size_t i = 0; i < shell.name_space_count; i++) {
        free(shell.name_spaces[i]);
    }
    free(shell.name_spaces);
    free(shell.as_user);
    return status;
}
