/* SPDX-License-Identifier: MIT */
/* Reads keys and passwords for the commands that sign and verify: `miguard key`, `policy bundle`,
 * `fleet heads`. */
#include "tools/cli/sign_open.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int complain_sign(enum cli_exit status, const char *path, enum sign_result result)
{
    return complain(status, "%s: %s", path,
                    result == SIGN_UNABLE ? strerrordesc_np(errno) : sign_result_text(result));
}

/* ---- passwords ------------------------------------------------------------------------------ */

void password_wipe(struct password *password)
{
    sodium_memzero(password, sizeof(*password));
}

/* The signals that would leave the terminal without its echo: they are blocked, end the question,
 * and take effect when the echo is back. */
static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static void hold_signals(sigset_t *ret_before)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        sigaddset(&set, held[i]);
    }
    sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* Waits until a byte can be read; false when a signal came. */
static bool wait_for_byte(int fd)
{
    enum { STEP_MS = 100 };
    struct pollfd one = {.fd = fd, .events = POLLIN};
    sigset_t pending;

    for (;;) {
        if (poll(&one, 1, STEP_MS) > 0) {
            return true;
        }
        sigpending(&pending);
        for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
            if (sigismember(&pending, held[i]) == 1) {
                return false;
            }
        }
    }
}

/* A line without its end, byte by byte: what follows it is the next reader's. Longer than a
 * password may be: 0. */
static size_t read_line(int fd, char *text)
{
    size_t length = 0;
    char byte;

    for (;;) {
        if (!wait_for_byte(fd)) {
            length = 0;
            break;
        }
        ssize_t count = read(fd, &byte, 1);
        if (count <= 0 || byte == '\n') {
            break;
        }
        if (length < SIGN_PASSWORD_MOST) {
            text[length] = byte;
        }
        length++;
    }
    length = length > SIGN_PASSWORD_MOST ? 0 : length;
    text[length] = '\0';
    return length;
}

/* Without the echo; false for no password, one that is too long, or an interruption. */
static bool ask(int terminal, const char *prompt, struct password *ret_password)
{
    struct termios before, silent;
    sigset_t signals;

    if (tcgetattr(terminal, &before) < 0) {
        return false;
    }
    hold_signals(&signals);
    silent = before;
    silent.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK | ECHONL);
    (void)tcsetattr(terminal, TCSAFLUSH, &silent);
    (void)dprintf(terminal, "%s: ", prompt);
    ret_password->length = read_line(terminal, ret_password->text);
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    (void)dprintf(terminal, "\n");
    sigprocmask(SIG_SETMASK, &signals, NULL);
    return ret_password->length > 0;
}

static int ask_on_terminal(const char *what, bool is_new, struct password *ret_password)
{
    struct password again = {.length = 0};
    char prompt[256];
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (terminal < 0) {
        return complain(CLI_UNABLE,
                        "the password of %s cannot be asked for without a terminal; "
                        "use --password-file",
                        what);
    }
    (void)snprintf(prompt, sizeof(prompt), "Password of %s", what);
    bool good = ask(terminal, prompt, ret_password), same = true;
    if (good && is_new) {
        same = ask(terminal, "Again", &again) && again.length == ret_password->length &&
               sodium_memcmp(again.text, ret_password->text, again.length) == 0;
        password_wipe(&again);
    }
    (void)close(terminal);
    return !good   ? complain(CLI_UNABLE, "no password, or one that is too long")
           : !same ? complain(CLI_UNABLE, "the two passwords differ")
                   : CLI_YES;
}

int password_read(const char *file, const char *what, bool is_new, struct password *ret_password)
{
    ret_password->length = 0;
    if (file == NULL) {
        return ask_on_terminal(what, is_new, ret_password);
    }
    enum sign_result result = sign_password_load(file, ret_password->text, &ret_password->length);
    return result == SIGN_GOOD ? CLI_YES
           : result == SIGN_MALFORMED
               ? complain(CLI_UNABLE, "%s: not a password: one line of 1 to %d bytes", file,
                          SIGN_PASSWORD_MOST)
               : complain_sign(CLI_UNABLE, file, result);
}

/* ---- keys ----------------------------------------------------------------------------------- */

int sign_open_secret(const char *path, const char *password_file, struct sign_secret *ret_secret)
{
    struct password password = {.length = 0};

    if (!sign_begin()) {
        return complain(CLI_UNABLE, "no random numbers");
    }
    enum sign_result result = sign_secret_load(path, NULL, 0, ret_secret);
    int status = CLI_YES;
    if (result == SIGN_LOCKED) {
        status = password_read(password_file, path, false, &password);
        if (status == CLI_YES) {
            result = sign_secret_load(path, password.text, password.length, ret_secret);
        }
        password_wipe(&password);
    }
    return status != CLI_YES     ? status
           : result == SIGN_GOOD ? CLI_YES
                                 : complain_sign(CLI_UNABLE, path, result);
}

int sign_open_public(const struct word_list *files, struct sign_public **ret_keys)
{
    struct sign_public *keys = calloc(files->count + 1, sizeof(*keys));
    int status = sign_begin() && keys != NULL ? CLI_YES : complain(CLI_UNABLE, "out of memory");

    for (size_t i = 0; status == CLI_YES && i < files->count; i++) {
        enum sign_result result = sign_public_load(files->items[i], &keys[i]);
        if (result != SIGN_GOOD) {
            status = complain_sign(CLI_UNABLE, files->items[i], result);
        }
    }
    if (status != CLI_YES) {
        free(keys);
        keys = NULL;
    }
    *ret_keys = keys;
    return status;
}
