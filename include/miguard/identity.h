/* SPDX-License-Identifier: MIT */
/*
 * What a thread is: the credentials of credentials(7) and capabilities(7) as one value that can be
 * captured, compared and described.
 *
 * An identity always describes one thread. It comes from the kernel: the raw system calls and
 * /proc/thread-self, never from an argument, the environment or glibc's process-wide wrappers.
 */
#ifndef MIGUARD_IDENTITY_H
#define MIGUARD_IDENTITY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The compared components: X(bit, NAME, "name"). The name is the one used in policy files, audit
 * records and on the command line; the bit is the one in a miguard_components set.
 */
#define MIGUARD_COMPONENT_MAP(X)                                                                   \
    X(0, RUID, "ruid")                                                                             \
    X(1, EUID, "euid")                                                                             \
    X(2, SUID, "suid")                                                                             \
    X(3, FSUID, "fsuid")                                                                           \
    X(4, RGID, "rgid")                                                                             \
    X(5, EGID, "egid")                                                                             \
    X(6, SGID, "sgid")                                                                             \
    X(7, FSGID, "fsgid")                                                                           \
    X(8, GROUPS, "groups")                                                                         \
    X(9, CAP_EFFECTIVE, "cap-effective")                                                           \
    X(10, CAP_PERMITTED, "cap-permitted")                                                          \
    X(11, CAP_INHERITABLE, "cap-inheritable")                                                      \
    X(12, CAP_AMBIENT, "cap-ambient")                                                              \
    X(13, CAP_BOUNDING, "cap-bounding")                                                            \
    X(14, SECUREBITS, "securebits")                                                                \
    X(15, NO_NEW_PRIVS, "no-new-privs")                                                            \
    X(16, USER_NAMESPACE, "user-namespace")                                                        \
    X(17, LSM_LABEL, "lsm-label")

typedef uint32_t miguard_components;

enum {
#define MIGUARD_COMPONENT_ENUM(bit, NAME, name) MIGUARD_COMPONENT_##NAME = 1 << (bit),
    MIGUARD_COMPONENT_MAP(MIGUARD_COMPONENT_ENUM)
#undef MIGUARD_COMPONENT_ENUM
#define MIGUARD_COMPONENT_ONE(bit, NAME, name) +1
        MIGUARD_COMPONENT_COUNT = 0 MIGUARD_COMPONENT_MAP(MIGUARD_COMPONENT_ONE),
#undef MIGUARD_COMPONENT_ONE
    MIGUARD_COMPONENTS_ALL = (1 << MIGUARD_COMPONENT_COUNT) - 1
};

struct miguard_identity;

/*
 * Captures the identity of the calling thread, every component of it.
 *
 * The caller owns the result and releases it with miguard_identity_free(). A capture that changes
 * while it is taken (another thread called a glibc setxid function) is repeated, up to four times.
 *
 * Errors: INVALID_ARGUMENT (ret_identity is NULL), NO_MEMORY, UNREADABLE (a component cannot be
 * read: /proc is not mounted, a sandbox refuses the call), TORN, UNPROVABLE (an id is shown as the
 * overflow id because this user namespace does not map it). *ret_identity is untouched on failure.
 *
 * Thread safe. Not async-signal safe: it allocates.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_identity_capture(struct miguard_identity **ret_identity, struct miguard_error *reterr);

/*
 * Reads the identity of another thread from /proc/TID: for inspection by a person only; no decision
 * is ever based on it. A component that /proc does not show (securebits) is not in
 * miguard_identity_known(). tid may be a process id and then names its main thread.
 *
 * Errors: INVALID_ARGUMENT, NO_MEMORY, NOT_FOUND (no such thread), UNREADABLE.
 * Thread safe. Source: proc(5).
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_identity_read(pid_t tid, struct miguard_identity **ret_identity,
                      struct miguard_error *reterr);

/* Releases an identity. NULL is allowed. */
MIGUARD_API void miguard_identity_free(struct miguard_identity *identity);

/*
 * The set of components in which two identities differ; 0 means that they are equal.
 *
 * A NULL or zeroed identity differs from everything, itself included, in all components. A
 * component that one of the two does not know differs. Groups compare as sets.
 * Thread safe, async-signal safe.
 */
MIGUARD_API MIGUARD_CHECKED miguard_components
miguard_identity_compare(const struct miguard_identity *a, const struct miguard_identity *b);

/* The components that were read; all of them for a captured identity, none for NULL. */
MIGUARD_API miguard_components miguard_identity_known(const struct miguard_identity *identity);

/*
 * Writes the identity as text (one "name: value" per line, user and group names beside the numbers)
 * or as one JSON object (component names as keys) into buffer, always terminated with NUL when size
 * > 0. *ret_length is the length of the whole text without the NUL, as snprintf(3) counts.
 *
 * Errors: INVALID_ARGUMENT, NO_MEMORY. A text that does not fit is cut and OK is returned: compare
 * *ret_length with size. Thread safe; looks names up through NSS.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_identity_describe(const struct miguard_identity *identity, char *buffer, size_t size,
                          size_t *ret_length);
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_identity_to_json(const struct miguard_identity *identity, char *buffer, size_t size,
                         size_t *ret_length);

/* One component's value as text, in the form of miguard_identity_describe(). Same errors. */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_identity_component_text(const struct miguard_identity *identity,
                                miguard_components component, char *buffer, size_t size,
                                size_t *ret_length);

/* The name of a single component ("fsuid"), or NULL when component is not exactly one known bit. */
MIGUARD_API const char *miguard_component_name(miguard_components component);

/* The component of that name, or 0 for an unknown name. */
MIGUARD_API miguard_components miguard_component_from_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif
