/* SPDX-License-Identifier: MIT */
/*
 * Threads that the kernel creates for io_uring(7), in the process that owns the ring.
 *
 * With IORING_SETUP_SQPOLL a kernel thread takes requests from memory, without a system call that a
 * filter could see, and serves them with the credentials that the ring's creator had at that time
 * (io_uring/sqpoll.c: io_sq_offload_create() keeps them, io_sq_thread() adopts them), regardless of
 * who wrote the request. Workers (iou-wrk-) run what would block, each request with the credentials
 * of its submitter (io_uring/io_uring.c: io_prep_async_work()).
 *
 * Both are members of the thread group since Linux 5.12, with PF_IO_WORKER among the flags of
 * proc_pid_stat(5); before that they were kernel threads, which are not detected here. They block
 * every signal and run no code of the program.
 */
#ifndef SWITCH_URING_H
#define SWITCH_URING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* A name has at most 15 bytes for user threads; kernel names may be longer (proc_pid_stat(5)).
 * URING_HARMLESS: remembered threads, by their number modulo this. */
enum { URING_NAME_SIZE = 32, URING_HARMLESS = 256 };

/* Whether this thread of the process is an io_uring thread, and its name. Allocates nothing. */
bool uring_is_thread(pid_t tid, char ret_name[URING_NAME_SIZE]);

/* A thread that polls, or 0. harmless, zeroed at first, remembers threads that do not poll, so that
 * they need not be read again; a new poller that reuses the number of an ended thread is then
 * missed. NULL: all are read. Thread safe. */
pid_t uring_find_poller(_Atomic pid_t harmless[URING_HARMLESS]);

#endif
