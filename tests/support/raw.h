/* SPDX-License-Identifier: MIT */
/* Raw, per-thread changes of credentials, and running a piece of a test on a thread of its own. */
#ifndef SUPPORT_RAW_H
#define SUPPORT_RAW_H

#include <stdbool.h>
#include <sys/types.h>

/* ThreadSanitizer runs a thread of its own, and the kernel lets only a process with one thread into
 * a new user namespace. */
#if defined(__SANITIZE_THREAD__)
#define RAW_HAS_HIDDEN_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RAW_HAS_HIDDEN_THREAD 1
#endif
#endif

/* The same where both branches are to be compiled. */
#ifdef RAW_HAS_HIDDEN_THREAD
#define RAW_HIDDEN_THREAD true
#else
#define RAW_HIDDEN_THREAD false
#endif

/* -1 leaves an id as it is. */
bool raw_setresuid(uid_t real, uid_t effective, uid_t saved);
bool raw_setresgid(gid_t real, gid_t effective, gid_t saved);
bool raw_setfsuid(uid_t uid);
bool raw_setgroups(size_t count, const gid_t *groups);

/* Becomes uid and gid wholly: no groups, no capabilities, no way back. */
bool raw_become(uid_t uid, gid_t gid);

/* Runs function(data) on a new thread and waits for it. Aborts when no thread can be had. */
void raw_on_thread(void (*function)(void *data), void *data);

/* Calls function() in a handler of a signal that is delivered to this thread, as whatever comes in
 * between two instructions is. The signal is SIGSYS, which the library never blocks. */
void raw_in_handler(void (*function)(void));

/* Ends a forked child, in place of _exit(2). */
_Noreturn void raw_end_child(bool passed);

/* Waits for such a child; true when it passed. */
bool raw_child_passed(pid_t child);

/* Runs function(data) in a forked child; true when it returned true there. */
bool raw_in_child(bool (*function)(void *data), void *data);

#endif
