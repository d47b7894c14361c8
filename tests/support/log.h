/* SPDX-License-Identifier: MIT */
/* Looking into an audit log. */
#ifndef SUPPORT_LOG_H
#define SUPPORT_LOG_H

#include <stdbool.h>

/* A path for a log of this process, in a folder of its own; the file does not exist. The folder is
 * removed at the end of the process, with all that is in it. */
const char *log_path(void);

/* Configures the gateway to a fresh log at log_path(). Aborts when that fails. */
void log_start(void);

/* The same with a window in which identical refusals are counted, as in miguard_config. */
void log_start_with(int repeat_window);
void log_remove(void);

/* log_start() the first time that this process asks. */
void log_start_once(void);

/* How many records have this event.action and event.reason (NULL matches any). Every line is
 * checked; one that is no record by the schema counts as -1000000. */
long log_count(const char *action, const char *reason);

/* How many lines hold this text. In the rotated files, too. Parses nothing:
 * for logs of many records. */
long log_mentions(const char *text);

/* The value of a string at path ("miguard.operation") in the last record; "" when there is none.
 * The buffer is static. */
const char *log_last(const char *path);

#endif
