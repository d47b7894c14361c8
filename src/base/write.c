/* SPDX-License-Identifier: MIT */
/* Writes without SIGXFSZ and SIGPIPE (write.h). Called by the audit log for its file, state and
 * pipes. */
#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"

static int signal_of(int error)
{
    return error == EFBIG ? SIGXFSZ : error == EPIPE ? SIGPIPE : 0;
}

/* The siginfo of a signal that the kernel sends to the thread for its own call, as send_sig() fills
 * it in. kill(2) from within the process looks the same, but is queued for the process, and the
 * thread's queue is read first; tgkill(2) has its own code. */
static bool is_of_the_call(const siginfo_t *info)
{
    return info->si_code == SI_KERNEL || (info->si_code == SI_USER && info->si_pid == getpid());
}

/* Consumes the signal of the failed call; one from elsewhere is queued again. The raw call: glibc's
 * sigtimedwait(3) reports SI_TKILL as SI_USER. */
static void take_back(int number)
{
    const struct timespec now = {0, 0};
    const uint64_t mask = (uint64_t)1 << (number - 1);
    siginfo_t info;

    if (syscall(SYS_rt_sigtimedwait, &mask, &info, &now, sizeof(mask)) == number &&
        !is_of_the_call(&info)) {
        (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), number, &info);
    }
}

/* Whether one is pending for this thread: sigpending(2) also shows those of the process. Without
 * /proc one is assumed, and it stays. */
static bool is_thread_pending(int number)
{
    char text[4096];
    int fd = descriptor_open(AT_FDCWD, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0) {
        (void)close(fd);
    }
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, "\nSigPnd:");
    return line == NULL ||
           (strtoull(line + strlen("\nSigPnd:"), NULL, 16) >> (number - 1) & 1) != 0;
}

/* A signal that was not blocked cannot be pending: it would have been delivered. */
static bool is_waiting(const sigset_t *before, int number)
{
    sigset_t pending;

    return sigismember(before, number) == 1 && sigpending(&pending) == 0 &&
           sigismember(&pending, number) == 1 && is_thread_pending(number);
}

/* The raw call: pthread_sigmask(3) unblocks glibc's own two signals, also where a mask that was
 * read with them is set again. In a switch or while a gate is closed they are blocked on purpose.
 * The kernel's mask is the first 64 bits of a sigset_t. */
static bool set_mask(int how, const sigset_t *set, sigset_t *ret_before)
{
    return syscall(SYS_rt_sigprocmask, how, set, ret_before, sizeof(uint64_t)) == 0;
}

/* Between write_signals_muted() and its end, of a thread whose program blocks neither signal. */
static __thread bool muted __attribute__((tls_model("initial-exec")));

void write_signals_muted(const sigset_t *before)
{
    muted =
        before != NULL && sigismember(before, SIGXFSZ) == 0 && sigismember(before, SIGPIPE) == 0;
}

void write_signals_hold(struct write_signals *ret_signals)
{
    sigset_t both;

    if (muted) {
        *ret_signals = (struct write_signals){.ours = true};
        return;
    }
    sigemptyset(&both);
    sigaddset(&both, SIGXFSZ);
    sigaddset(&both, SIGPIPE);
    sigemptyset(&ret_signals->before);
    ret_signals->held = set_mask(SIG_BLOCK, &both, &ret_signals->before);
    ret_signals->ours = ret_signals->held;
    ret_signals->waiting[0] = is_waiting(&ret_signals->before, SIGXFSZ);
    ret_signals->waiting[1] = is_waiting(&ret_signals->before, SIGPIPE);
}

void write_signals_release(struct write_signals *signals, int error)
{
    int before = errno, number = signal_of(error);

    if (signals->ours && number != 0 && !signals->waiting[number == SIGPIPE]) {
        take_back(number);
    }
    if (signals->held) {
        (void)set_mask(SIG_SETMASK, &signals->before, NULL);
    }
    errno = before;
}

ssize_t write_quietly(int fd, const void *bytes, size_t length)
{
    struct write_signals signals;

    write_signals_hold(&signals);
    ssize_t result = write(fd, bytes, length);
    write_signals_release(&signals, result < 0 ? errno : 0);
    return result;
}

int ftruncate_quietly(int fd, off_t size)
{
    struct write_signals signals;

    write_signals_hold(&signals);
    int result = ftruncate(fd, size);
    write_signals_release(&signals, result < 0 ? errno : 0);
    return result;
}

int fallocate_quietly(int fd, int mode, off_t offset, off_t length)
{
    struct write_signals signals;

    write_signals_hold(&signals);
    int result = fallocate(fd, mode, offset, length);
    write_signals_release(&signals, result < 0 ? errno : 0);
    return result;
}

int posix_fallocate_quietly(int fd, off_t offset, off_t length)
{
    struct write_signals signals;

    write_signals_hold(&signals);
    int error = posix_fallocate(fd, offset, length);
    write_signals_release(&signals, error);
    return error;
}
