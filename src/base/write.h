/* SPDX-License-Identifier: MIT */
/*
 * Writing without a signal to the program that the library is a guest in.
 *
 * A call that meets RLIMIT_FSIZE sends SIGXFSZ, and one that finds no reader SIGPIPE (signal(7));
 * both end a process. Looking at the limit first (limit.h) is not enough: another thread, or
 * prlimit(2) from outside, may lower it before the call. So both signals are blocked in this thread
 * around each call, and the one that the call has sent is taken back before they are unblocked: the
 * kernel sends it to the thread that made the call, and the error says which it is. One that was
 * waiting before, or that came from elsewhere meanwhile, stays for its receiver.
 *
 * Two system calls more for each write, three or four where the signals are blocked already.
 * Sockets do without, by MSG_NOSIGNAL.
 */
#ifndef BASE_WRITE_H
#define BASE_WRITE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct write_signals {
    sigset_t before; /* the thread's mask */
    bool held;
    bool waiting[2]; /* SIGXFSZ, SIGPIPE: one was pending for the thread already */
};

/* Around calls that another library makes. error: the errno of the call that failed, or 0; EFBIG
 * where it is not known. */
void write_signals_hold(struct write_signals *ret_signals);
void write_signals_release(struct write_signals *signals, int error);

/* As the calls of the same name, without a signal. */
ssize_t write_quietly(int fd, const void *bytes, size_t length);
int ftruncate_quietly(int fd, off_t size);
int fallocate_quietly(int fd, int mode, off_t offset, off_t length);
int posix_fallocate_quietly(int fd, off_t offset, off_t length); /* gives the error number */

#endif
