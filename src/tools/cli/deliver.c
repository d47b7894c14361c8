/* SPDX-License-Identifier: MIT */
/*
 * Hands an alert to other programs. miguard audit alert calls it.
 *
 * Everything goes through run_program(): no shell is involved, so no text can become a command, and
 * the input is a file in memory, so a program that reads nothing cannot block this one. The folders
 * of curl and sendmail are fixed: alerts are sent by root, whose PATH may be another's.
 */
#include "tools/cli/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/cli/cli.h"

extern char **environ;

/* ---- running a program ----------------------------------------------------------------------- */

/* A file in memory with the text, to be read from its beginning; -1 and errno. */
static int input_of(const char *text, size_t length)
{
    int fd = memfd_create("alert", MFD_CLOEXEC);

    while (fd >= 0 && length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        text += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Until the program ends, or has to be killed. False: it was killed. */
static bool wait_for(pid_t child, int *ret_status)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int64_t end = clock_now_ms() + DELIVER_SECONDS * 1000;

    while (waitpid(child, ret_status, WNOHANG) == 0) {
        if (clock_now_ms() > end) {
            kill(child, SIGKILL);
            waitpid(child, ret_status, 0);
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

/* extra: a second input, as descriptor 3; -1: none. */
static int run_program(const char *const *arguments, int input, int extra)
{
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = 0;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (error == 0 && extra >= 0) {
        error = posix_spawn_file_actions_adddup2(&actions, extra, 3);
    }
    if (error == 0) {
        error = posix_spawn(&child, arguments[0], &actions, NULL,
                            (char *const *)(uintptr_t)arguments, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return complain(CLI_UNABLE, "%s: %s", arguments[0], strerrordesc_np(error));
    }
    if (!wait_for(child, &status)) {
        return complain(CLI_UNABLE, "%s: it did not end within %d seconds", arguments[0],
                        DELIVER_SECONDS);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return CLI_YES;
    }
    return WIFEXITED(status)
               ? complain(CLI_UNABLE, "%s: exit status %d", arguments[0], WEXITSTATUS(status))
               : complain(CLI_UNABLE, "%s: ended by signal %d", arguments[0], WTERMSIG(status));
}

int deliver_exec(const char *const *arguments, const char *text, size_t length)
{
    int input = input_of(text, length);

    if (input < 0) {
        return complain(CLI_UNABLE, "the alert cannot be held: %s", strerrordesc_np(errno));
    }
    int status = run_program(arguments, input, -1);
    close(input);
    return status;
}

/* ---- the web --------------------------------------------------------------------------------- */

/* The first that is there; NULL: no one is. */
static const char *find_program(const char *const *paths)
{
    while (*paths != NULL && access(*paths, X_OK) != 0) {
        paths++;
    }
    return *paths;
}

/* The address itself, or the first line of the file behind @. */
static bool read_url(const char *given, char *url, size_t size)
{
    if (given[0] != '@') {
        return (size_t)snprintf(url, size, "%s", given) < size;
    }
    FILE *file = fopen(given + 1, "re");
    bool read = file != NULL && fgets(url, (int)size, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (!read) {
        return false;
    }
    url[strcspn(url, "\r\n")] = '\0';
    return true;
}

/* Only what cannot end the quotes of curl's configuration. */
static bool is_url(const char *url)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return false;
    }
    for (; *url != '\0'; url++) {
        if (*url <= ' ' || *url > '~' || strchr("\"\\", *url) != NULL) {
            return false;
        }
    }
    return true;
}

/* curl reads the address from its standard input and the text from descriptor 3. */
int deliver_webhook(const char *given, const char *text, size_t length)
{
    static const char *const paths[] = {"/usr/bin/curl", "/bin/curl", "/usr/local/bin/curl", NULL};
    char url[4096] = "", config[4200];
    const char *curl = find_program(paths);

    if (!read_url(given, url, sizeof(url))) {
        return complain(CLI_UNABLE, "--webhook: the address cannot be read");
    }
    if (!is_url(url)) {
        return complain(CLI_UNABLE, "--webhook: the address is not one of http or https");
    }
    if (curl == NULL) {
        return complain(CLI_UNABLE, "--webhook needs curl(1), which is not installed");
    }
    const char *const arguments[] = {curl,
                                     "--disable",
                                     "--config",
                                     "-",
                                     "--fail",
                                     "--silent",
                                     "--show-error",
                                     "--output",
                                     "/dev/null",
                                     "--max-time",
                                     "30",
                                     "--header",
                                     "Content-Type: application/json",
                                     "--data-binary",
                                     "@/dev/fd/3",
                                     NULL};
    int size = snprintf(config, sizeof(config), "url = \"%s\"\n", url);
    int input = input_of(config, (size_t)size), data = input_of(text, length);
    int status = input < 0 || data < 0
                     ? complain(CLI_UNABLE, "the alert cannot be held: %s", strerrordesc_np(errno))
                     : run_program(arguments, input, data);
    if (input >= 0) {
        close(input);
    }
    if (data >= 0) {
        close(data);
    }
    return status;
}

/* ---- mail ------------------------------------------------------------------------------------ */

int deliver_mail(const char *address, const char *text, size_t length)
{
    static const char *const paths[] = {"/usr/sbin/sendmail", "/usr/lib/sendmail", NULL};
    const char *given = secure_getenv("MIGUARD_SENDMAIL"); /* another program of that interface */
    const char *sendmail = given != NULL && given[0] == '/' ? given : find_program(paths);

    if (sendmail == NULL) {
        return complain(CLI_UNABLE, "--mail needs sendmail(8), which is not installed");
    }
    const char *const arguments[] = {sendmail, "-i", "--", address, NULL};
    return deliver_exec(arguments, text, length);
}
