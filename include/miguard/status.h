/* SPDX-License-Identifier: MIT */
/*
 * The result of every miguard function that does not return an MI_Result.
 *
 * The list below is the only place where a status is named: the enum, miguard_status_name(),
 * miguard_status_text() and the table in libmiguard(3) all come from it.
 */
#ifndef MIGUARD_STATUS_H
#define MIGUARD_STATUS_H

#if defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ < 8
#error "miguard needs pointers of 64 bits: build it for x86-64 or aarch64, not for 32 bits."
#endif

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MIGUARD_API     __attribute__((visibility("default")))
#define MIGUARD_CHECKED __attribute__((warn_unused_result))
#else
#define MIGUARD_API
#define MIGUARD_CHECKED
#endif

/* X(number, NAME, text) */
#define MIGUARD_STATUS_MAP(X)                                                                      \
    X(0, OK, "success")                                                                            \
    X(1, INVALID_ARGUMENT, "an argument is missing or out of range")                               \
    X(2, NO_MEMORY, "out of memory")                                                               \
    X(3, SYSTEM, "a system call failed")                                                           \
    X(4, UNREADABLE, "a part of the identity cannot be read")                                      \
    X(5, TORN, "the identity kept changing while it was read")                                     \
    X(6, UNPROVABLE, "an id is not mapped in this user namespace and proves nothing")              \
    X(7, NOT_FOUND, "no such user, group, process, file or symbol")                                \
    X(8, NOT_PERMITTED, "the kernel refused the change")                                           \
    X(9, NOT_VERIFIED, "the kernel reports another identity than was asked for")                   \
    X(10, TOO_DEEP, "switches are nested too deeply")                                              \
    X(11, NOT_SWITCHED, "there is no switch to undo on this thread")                               \
    X(12, LIMIT, "a documented limit is reached")                                                  \
    X(13, BAD_STATE, "the object is not in a state that allows this")                              \
    X(14, NOT_SUPPORTED, "not supported here")                                                     \
    X(15, BAD_MODULE, "the file is not a usable provider module")                                  \
    X(16, AUDIT_FAILED, "the audit record could not be written")                                   \
    X(17, BAD_POLICY, "a policy file has errors")                                                  \
    X(18, DENIED, "the identity or the policy does not allow it")                                  \
    X(19, BAD_HANDLE, "the handle is stale, forged or inherited through a fork")

enum miguard_status {
#define MIGUARD_STATUS_ENUM(number, name, text) MIGUARD_##name = number,
    MIGUARD_STATUS_MAP(MIGUARD_STATUS_ENUM)
#undef MIGUARD_STATUS_ENUM
};

/*
 * Where and why a call failed. A caller passes one, or NULL. It is written only on failure.
 */
struct miguard_error {
    enum miguard_status status;
    int system_errno; /* errno of the failed system call, or 0 */
    char step[64];    /* the step that failed, such as "setresuid" or "read-back of groups" */
    char detail[192]; /* what is wrong and what would be right, for a person; may be empty */
};

/* Holds any sentence of miguard_error_text(). */
#define MIGUARD_ERROR_TEXT_SIZE 512

/*
 * A failure as one sentence for a person: what went wrong, at which step, and why, such as "the
 * kernel refused the change (NOT_PERMITTED): setresuid: Operation not permitted". NULL is taken for
 * a status without an error, "success (OK)".
 *
 * Copies into buffer as snprintf(3) does and returns the whole length in bytes; buffer may be NULL
 * when size is 0. Cut at a whole character. Thread safe. Not async-signal safe.
 */
MIGUARD_API size_t miguard_error_text(const struct miguard_error *error, char *buffer, size_t size);

/* The name without its prefix ("NO_MEMORY") and the text. Never NULL, also for an unknown number.
 * Thread safe and async-signal safe. */
MIGUARD_API const char *miguard_status_name(enum miguard_status status);
MIGUARD_API const char *miguard_status_text(enum miguard_status status);

#ifdef __cplusplus
}
#endif

#endif
