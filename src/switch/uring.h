/* SPDX-License-Identifier: MIT */
/*
 * Threads that the kernel makes for io_uring(7), in the process whose ring it is.
 *
 * With IORING_SETUP_SQPOLL a kernel thread takes requests out of memory, without a system call that
 * a filter could see, and serves them with the credentials that the ring's maker had when it made
 * the ring (io_uring/sqpoll.c: io_sq_offload_create() keeps them, io_sq_thread() takes them on),
 * whoever wrote the request. Workers (iou-wrk-) run what would block, each request with the
 * credentials of who submitted it (io_uring/io_uring.c: io_prep_async_work()).
 *
 * Both are members of the thread group since Linux 5.12, with PF_IO_WORKER among the flags of
 * proc_pid_stat(5); before they were kernel threads that nothing here shows. They block every
 * signal and run no code of the program.
 */
#ifndef SWITCH_URING_H
#define SWITCH_URING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { URING_NAME_SIZE = 32, URING_HARMLESS = 256 };

/* Whether this thread of the process is one of these, and its name. Allocates nothing. */
bool uring_is_thread(pid_t tid, char ret_name[URING_NAME_SIZE]);

/* One that polls, or 0: none is seen. harmless, zeroed at first, keeps which threads were found to
 * be none, so that they need not be looked at again; that misses one that got the number of a
 * thread that has ended. NULL: all are looked at. Thread safe. */
pid_t uring_find_poller(_Atomic pid_t harmless[URING_HARMLESS]);

#endif
