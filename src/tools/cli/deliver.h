/* SPDX-License-Identifier: MIT */
/* How an alert leaves this process: to a program, an address of the web, or by mail. */
#ifndef TOOLS_CLI_DELIVER_H
#define TOOLS_CLI_DELIVER_H

#include <stdbool.h>
#include <stddef.h>

/* A program that takes longer is killed, and the delivery has failed. */
enum { DELIVER_SECONDS = 60 };

/* Runs arguments[0], an absolute path, without a shell and with text as its standard input. What
 * comes from the log is in the text alone, never in an argument or the environment. CLI_YES when it
 * ended with 0, else CLI_UNABLE after a message. */
int deliver_exec(const char *const *arguments, const char *text, size_t length);
/* Posts text as JSON with curl(1). url: http or https, or @FILE with the address in its first line,
 * since every user can see the arguments of a process (proc(5)). */
int deliver_webhook(const char *url, const char *text, size_t length);
/* Hands text, which begins with its headers, to sendmail(8). */
int deliver_mail(const char *address, const char *text, size_t length);

#endif
