/* SPDX-License-Identifier: MIT */
/*
 * Lines from a person or a script.
 *
 * On a terminal libedit edits the line, keeps what was typed and asks for completions. It is loaded
 * by dlopen(3), since no other command needs it, and it reads no ~/.editrc: the command may be
 * root's. Without it, and where standard input is no terminal, lines are read plainly.
 *
 * SIGINT is blocked in all threads, and comes by a descriptor. While libedit edits, the terminal
 * makes no signal of ^C (ISIG is off, termios(3)); the key drops the line. While a request runs,
 * the terminal is as before, and ^C is the signal that ends the request.
 */
#include "tools/cli/shell_edit.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/cli.h"

/* Bytes of a line; what was kept of earlier ones. */
enum { LINE_BYTES = 1 << 16, KEPT_LINES = 1000, CHUNK = 4096 };

#ifdef HAVE_LIBEDIT
#include <dlfcn.h>
#include <histedit.h>

/* Functions of libedit that are used. */
#define FUNCTION_MAP(X)                                                                            \
    X(el_init)                                                                                     \
    X(el_end)                                                                                      \
    X(el_gets)                                                                                     \
    X(el_set)                                                                                      \
    X(el_wset)                                                                                     \
    X(el_line)                                                                                     \
    X(el_insertstr)                                                                                \
    X(el_deletestr)                                                                                \
    X(history_init)                                                                                \
    X(history)                                                                                     \
    X(history_end)

struct editor {
#define FUNCTION_MEMBER(name) __typeof__(name) *name;
    FUNCTION_MAP(FUNCTION_MEMBER)
#undef FUNCTION_MEMBER
    EditLine *line;
    History *kept; /* lines */
};
#else
struct editor {
    char none;
};
#endif

struct shell_edit {
    shell_complete *complete;
    void *context;
    int interrupt;
    bool terminal;
    struct editor *editor; /* NULL: lines are read plainly */
    const char *prompt;    /* of the line that is being read */
    bool dropped;
    char chunk[CHUNK]; /* read and not used yet, of plain lines */
    size_t at, length;
};

static void *out_of_memory(void)
{
    complain(CLI_UNABLE, "out of memory");
    return NULL;
}

/* ---- plain lines ------------------------------------------------------------------------------
 */

/* More bytes. */
static enum shell_read read_chunk(struct shell_edit *edit)
{
    struct pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = edit->interrupt, .events = POLLIN}};

    while (poll(events, 2, -1) < 0) {
        if (errno != EINTR) {
            complain(CLI_UNABLE, "poll: %s", strerror(errno));
            return SHELL_READ_FAILED;
        }
    }
    if (events[1].revents != 0) {
        return SHELL_READ_DROPPED;
    }
    ssize_t got = read(STDIN_FILENO, edit->chunk, sizeof(edit->chunk));
    if (got < 0) {
        complain(CLI_UNABLE, "standard input cannot be read: %s", strerror(errno));
        return SHELL_READ_FAILED;
    }
    edit->at = 0;
    edit->length = (size_t)got;
    return got == 0 ? SHELL_READ_END : SHELL_READ_LINE;
}

/* Takes bytes up to the end of the line into text, which has *length of them. True: it was there.
 */
static bool take_bytes(struct shell_edit *edit, char *text, size_t *length)
{
    while (edit->at < edit->length) {
        char c = edit->chunk[edit->at++];
        if (c == '\n') {
            return true;
        }
        if (*length < LINE_BYTES) {
            text[*length] = c;
        }
        *length += 1;
    }
    return false;
}

/* text has room for LINE_BYTES and one. A last line needs no end. */
static enum shell_read read_bytes(struct shell_edit *edit, char *text, size_t *ret_length)
{
    while (!take_bytes(edit, text, ret_length)) {
        enum shell_read read = read_chunk(edit);
        if (read == SHELL_READ_END && *ret_length > 0) {
            return SHELL_READ_LINE;
        }
        if (read != SHELL_READ_LINE) {
            return read;
        }
    }
    return SHELL_READ_LINE;
}

static enum shell_read read_plain(struct shell_edit *edit, char **ret_line)
{
    char *text = malloc(LINE_BYTES + 1);
    size_t length = 0;

    if (text == NULL) {
        out_of_memory();
        return SHELL_READ_FAILED;
    }
    if (edit->terminal) {
        fputs(edit->prompt, stdout);
        fflush(stdout);
    }
    enum shell_read read = read_bytes(edit, text, &length);
    if (read != SHELL_READ_LINE) {
        free(text);
        return read;
    }
    text[length < LINE_BYTES ? length : LINE_BYTES] = '\0';
    if (length > LINE_BYTES || memchr(text, '\0', length) != NULL) {
        complain(CLI_USAGE,
                 length > LINE_BYTES ? "a line has at most %d bytes"
                                     : "a line of at most %d bytes has a NUL",
                 LINE_BYTES);
        free(text);
        return SHELL_READ_BAD;
    }
    *ret_line = text;
    return SHELL_READ_LINE;
}

/* ---- libedit ----------------------------------------------------------------------------------
 */

#ifdef HAVE_LIBEDIT
/* Its callbacks get the EditLine alone, and el_get() is a function that was loaded: the one shell
 * of the process. */
static struct shell_edit *edited;

static char *give_prompt(EditLine *line)
{
    (void)line;
    return (char *)(uintptr_t)edited->prompt;
}

/* ^C: the line ends, and is dropped. */
static unsigned char drop_line(EditLine *line, int key)
{
    (void)line;
    (void)key;
    edited->dropped = true;
    return CC_NEWLINE;
}

/* How far all choices are the same. */
static size_t common_length(const struct shell_choices *choices)
{
    size_t length = strlen(choices->list[0]);

    for (size_t i = 1; i < choices->count; i++) {
        size_t same = 0;
        while (same < length && choices->list[i][same] == choices->list[0][same]) {
            same++;
        }
        length = same;
    }
    return length;
}

static void print_choices(const struct shell_choices *choices)
{
    putchar('\n');
    for (size_t i = 0; i < choices->count; i++) {
        print_safe(stdout, choices->list[i], false);
        fputs(i + 1 < choices->count ? "  " : "\n", stdout);
    }
    fflush(stdout);
}

/* In place of what was typed, since its letters may be of the other case. A value follows behind
 * =, so that no blank does. */
static void put_choice(EditLine *line, const struct shell_choices *choices, size_t length)
{
    char *text = strndup(choices->list[0], length);

    if (text == NULL) {
        return;
    }
    edited->editor->el_deletestr(line, (int)choices->typed);
    edited->editor->el_insertstr(line, text);
    if (choices->count == 1 && text[length - 1] != '=') {
        edited->editor->el_insertstr(line, " ");
    }
    free(text);
}

/* Tab. */
static unsigned char complete_word(EditLine *line, int key)
{
    const LineInfo *info = edited->editor->el_line(line);
    struct shell_choices choices = {0};
    unsigned char answer = CC_REFRESH_BEEP;

    (void)key;
    edited->complete(edited->context, info->buffer, (size_t)(info->cursor - info->buffer),
                     &choices);
    size_t length = choices.count > 0 ? common_length(&choices) : 0;
    if (choices.count == 1 || length > choices.typed) {
        put_choice(line, &choices, length);
        answer = CC_REFRESH;
    } else if (choices.count > 1) {
        print_choices(&choices);
        answer = CC_REDISPLAY;
    }
    for (size_t i = 0; i < choices.count; i++) {
        free(choices.list[i]);
    }
    free(choices.list);
    return answer;
}

/* NULL: there is no libedit, or it lacks a function. It stays loaded. */
static struct editor *load_editor(void)
{
    void *library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
    struct editor *editor = library == NULL ? NULL : calloc(1, sizeof(*editor));

    if (editor == NULL) {
        return NULL;
    }
#define FUNCTION_FIND(name)                                                                        \
    *(void **)&editor->name = dlsym(library, #name);                                               \
    if (editor->name == NULL) {                                                                    \
        free(editor);                                                                              \
        return NULL;                                                                               \
    }
    FUNCTION_MAP(FUNCTION_FIND)
#undef FUNCTION_FIND
    return editor;
}

static void configure_editor(struct editor *editor)
{
    HistEvent event;

    editor->history(editor->kept, &event, H_SETSIZE, KEPT_LINES);
    editor->history(editor->kept, &event, H_SETUNIQUE, 1);
    editor->el_set(editor->line, EL_HIST, editor->history, editor->kept);
    editor->el_set(editor->line, EL_EDITOR, "emacs");
    editor->el_set(editor->line, EL_PROMPT, give_prompt);
    /* Wide: el_set() would make copies of these that it never frees. */
    editor->el_wset(editor->line, EL_ADDFN, L"drop-line", L"drop this line", drop_line);
    editor->el_wset(editor->line, EL_ADDFN, L"complete-word", L"complete this word", complete_word);
    editor->el_set(editor->line, EL_BIND, "^C", "drop-line", NULL);
    editor->el_set(editor->line, EL_BIND, "^I", "complete-word", NULL);
    editor->el_set(editor->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    editor->el_set(editor->line, EL_SETTY, "-d", "-isig", NULL);
}

static void free_editor(struct editor *editor)
{
    if (editor != NULL) {
        if (editor->line != NULL) {
            editor->el_end(editor->line);
        }
        if (editor->kept != NULL) {
            editor->history_end(editor->kept);
        }
        free(editor);
    }
}

/* NULL: lines are read plainly. */
static struct editor *new_editor(void)
{
    struct editor *editor = load_editor();

    if (editor == NULL) {
        return NULL;
    }
    setlocale(LC_CTYPE, ""); /* libedit reads characters */
    editor->line = editor->el_init("miguard", stdin, stdout, stderr);
    editor->kept = editor->history_init();
    if (editor->line == NULL || editor->kept == NULL) {
        free_editor(editor);
        return NULL;
    }
    configure_editor(editor);
    return editor;
}

static enum shell_read read_edited(struct shell_edit *edit, char **ret_line)
{
    struct editor *editor = edit->editor;
    HistEvent event;
    int count = 0;

    edited = edit;
    edit->dropped = false;
    /* Before the prompt, which el_gets() prints first: who sees it may type ^C at once, and where
     * that were a signal still, it would not be read. */
    editor->el_set(editor->line, EL_PREP_TERM, 1);
    const char *text = editor->el_gets(editor->line, &count);
    if (edit->dropped) {
        return SHELL_READ_DROPPED;
    }
    if (text == NULL || count <= 0) {
        putchar('\n');
        return SHELL_READ_END;
    }
    if (strspn(text, " \t\r\n") < (size_t)count) {
        editor->history(editor->kept, &event, H_ENTER, text);
    }
    *ret_line = strndup(text, strcspn(text, "\n"));
    if (*ret_line == NULL) {
        out_of_memory();
        return SHELL_READ_FAILED;
    }
    return SHELL_READ_LINE;
}
#else
static struct editor *new_editor(void)
{
    return NULL;
}

static void free_editor(struct editor *editor)
{
    (void)editor;
}

static enum shell_read read_edited(struct shell_edit *edit, char **ret_line)
{
    return read_plain(edit, ret_line);
}
#endif

/* ---- for the shell --------------------------------------------------------------------------- */

struct shell_edit *shell_edit_new(shell_complete *complete, void *context, int interrupt)
{
    struct shell_edit *edit = calloc(1, sizeof(*edit));

    if (edit == NULL) {
        return out_of_memory();
    }
    edit->complete = complete;
    edit->context = context;
    edit->interrupt = interrupt;
    edit->terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    edit->editor = edit->terminal ? new_editor() : NULL;
    return edit;
}

bool shell_edit_is_terminal(const struct shell_edit *edit)
{
    return edit->terminal;
}

enum shell_read shell_edit_line(struct shell_edit *edit, const char *prompt, char **ret_line)
{
    edit->prompt = prompt;
    return edit->editor != NULL ? read_edited(edit, ret_line) : read_plain(edit, ret_line);
}

void shell_edit_free(struct shell_edit *edit)
{
    if (edit != NULL) {
        free_editor(edit->editor);
        free(edit);
    }
}
