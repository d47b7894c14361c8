/* SPDX-License-Identifier: MIT */
/*
 * Writes without raising a signal in the host program.
 *
 * A call that exceeds RLIMIT_FSIZE raises SIGXFSZ, and one without a reader SIGPIPE (signal(7));
 * both end a process. Checking the limit first (limit.h) is not enough: another thread, or
 * prlimit(2) from outside, may lower it before the call. So both signals are blocked in this thread
 * around each call, and the one that the call raised is consumed before they are unblocked: the
 * kernel sends it to the thread that made the call, and the error says which it is. A signal that
 * was pending before, or that came from elsewhere meanwhile, stays for its receiver.
 *
 * The cost is two more system calls for each write, three or four where the signals are blocked
 * already, and none between write_signals_muted() and its end. Sockets use MSG_NOSIGNAL instead.
 */
#ifndef BASE_WRITE_H
#define BASE_WRITE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct write_signals {
    sigset_t before; /* the thread's mask */
    bool held;       /* the mask is to be set back */
    bool ours;       /* both were blocked, by us or before */
    bool waiting[2]; /* SIGXFSZ, SIGPIPE: already pending for the thread before */
};

/* Around calls that another library makes. error: the errno of the failed call, or 0; EFBIG where
 * it is not known. */
void write_signals_hold(struct write_signals *ret_signals);
void write_signals_release(struct write_signals *signals, int error);

/* For this thread: all signals are blocked (process_mute()), and before is the mask that the
 * program had. NULL ends it, before the mask is set back. A program that blocks neither of the two
 * signals has none pending, so that nothing is asked and nothing set around each call. */
void write_signals_muted(const sigset_t *before);

/* As the calls of the same name, without a signal. */
ssize_t write_quietly(int fd, const void *bytes, size_t length);
int ftruncate_quietly(int fd, off_t size);
int fallocate_quietly(int fd, int mode, off_t offset, off_t length);
int posix_fallocate_quietly(int fd, off_t offset, off_t length); /* returns the error number */

#endif
