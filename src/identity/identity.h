/* SPDX-License-Identifier: MIT */
/*
 * The identity of one thread, as the library holds it.
 *
 * Two ways to examine the calling thread: identity_capture() reads everything and keeps it;
 * identity_check() reads what a guarded call needs, compares it with a kept identity and keeps
 * nothing.
 */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "identity/component.h"
#include "identity/cut.h"
#include "miguard/identity.h"

/* Places in uid[] and gid[]: real, effective, saved and file system id, as proc(5) orders them. */
enum { IDENTITY_R, IDENTITY_E, IDENTITY_S, IDENTITY_FS, IDENTITY_IDS };

enum {
    /* Places in cap[]. The first three are what capget(2) gives; the other two take one prctl(2)
     * for each capability. */
    IDENTITY_CAP_EFFECTIVE,
    IDENTITY_CAP_PERMITTED,
    IDENTITY_CAP_INHERITABLE,
    IDENTITY_CAP_AMBIENT,
    IDENTITY_CAP_BOUNDING,
    IDENTITY_CAP_SETS
};

enum {
    IDENTITY_MAX_GROUPS = 65536, /* NGROUPS_MAX of Linux */
    IDENTITY_TRIES = 4,          /* captures that may be torn before the caller is refused */
    IDENTITY_MAX_LABEL = 4096,   /* a page: what /proc/thread-self/attr/current can give */
};

/* The names of the effective user, or of all groups, as the directory had them once. Zero is not
 * known; known and a count of 0 is an id without a name. */
struct identity_names {
    bool known;
    uint32_t count;
    char *texts; /* one after the other, each with its NUL */
};

/*
 * tag distinguishes an identity from zeroed memory: without it nothing is known and nothing is
 * equal (invariant 1). The order of uid[], gid[] and cap[] is the order of the component bits.
 */
struct miguard_identity {
    uint64_t tag;
    miguard_components known;
    uid_t uid[IDENTITY_IDS];
    gid_t gid[IDENTITY_IDS];
    uint32_t group_count;
    gid_t *groups; /* ascending, without duplicates */
    uint64_t cap[IDENTITY_CAP_SETS];
    uint32_t cap_count; /* capabilities the kernel knows: the bounding set takes that many calls */
#define IDENTITY_WORD(NAME, shape, member, ...) COMPONENT_IF_WORD_##shape(uint32_t member;)
    COMPONENT_MAP(IDENTITY_WORD)
#undef IDENTITY_WORD
    uint64_t user_namespace;                       /* inode number of the namespace in nsfs */
    char *lsm_label;                               /* NULL where no active LSM has labels */
    struct identity_names user_names, group_names; /* asked for by identity_ask_names() alone */
};

#define IDENTITY_TAG 0x6D69677561726431u /* "miguard1" */

/* Whether it was filled in by a capture, a copy or a read. NULL is invalid. Looks at the tag
 * alone. */
bool identity_valid(const struct miguard_identity *identity);

/* Captures every component of the calling thread into *ret_identity, which need not be
 * initialised and is zeroed on failure. Release with identity_release(). Errors as
 * miguard_identity_capture(). */
MIGUARD_CHECKED enum miguard_status identity_capture(struct miguard_identity *ret_identity,
                                                     struct miguard_error *reterr);

/* The same for records only, never for a decision: without the one witness that changes the thread
 * for a moment (witness.h). */
MIGUARD_CHECKED enum miguard_status
identity_capture_to_record(struct miguard_identity *ret_identity);

/* Frees what the identity points to and zeroes it, so that it is no longer valid. Not the struct
 * itself, which the caller owns. Also for a zeroed one. */
void identity_release(struct miguard_identity *identity);

/* Asks the directory for the names, all on one thread and within IDENTITY_NAMES_WAIT. What is not
 * answered, is no UTF-8, or would be more than IDENTITY_MAX_NAMED groups, stays not known. identity
 * is valid and has no names yet. */
enum { IDENTITY_NAMES_WAIT = 2000 /* milliseconds */, IDENTITY_MAX_NAMED = 256 };
void identity_ask_names(struct miguard_identity *identity, bool users, bool groups);

/* An independent copy without names, released with identity_release(). NO_MEMORY leaves
 * *ret_identity zeroed. from must be valid. */
MIGUARD_CHECKED enum miguard_status identity_copy(const struct miguard_identity *from,
                                                  struct miguard_identity *ret_identity);

/*
 * The guard's check of the calling thread: the components of `compared` in which it differs from
 * bound, 0 for a match. A component that cannot be read counts as different and is reported in
 * *ret_unreadable (may be NULL). An invalid bound identity differs in everything.
 *
 * Allocates nothing unless the thread has more than 256 supplementary groups, and then once for
 * each thread.
 */
MIGUARD_CHECKED miguard_components identity_check(const struct miguard_identity *bound,
                                                  miguard_components compared,
                                                  miguard_components *ret_unreadable);

/* What a filter of this library refuses to the rest of the program on the calling thread. A check
 * may rely on it: who passes it has asked the kernel (gate/gate.h). */
enum identity_gate {
    IDENTITY_UNGATED,
    IDENTITY_BOUNDING_KEPT, /* PR_CAPBSET_DROP */
    IDENTITY_GATED,         /* every change, that of the user namespace among them */
};

/* The same on such a thread. */
MIGUARD_CHECKED miguard_components identity_check_gated(const struct miguard_identity *bound,
                                                        miguard_components compared,
                                                        enum identity_gate gate,
                                                        miguard_components *ret_unreadable);

/* Whether this thread leads its thread group: no other thread can ever change the user namespace of
 * a process (check.c). */
bool identity_thread_is_leader(void);

/* Sorts and removes duplicates in place; returns the new count. Does not allocate. */
uint32_t identity_sort_groups(gid_t *groups, uint32_t count);

/* A component set as "euid, groups". */
void identity_components_text(struct text *text, miguard_components components);

/* The same into a buffer, cut to fit. Does not allocate; async-signal safe. */
enum { IDENTITY_NAMES_SIZE = 160 };
void identity_components_names(miguard_components components, char names[IDENTITY_NAMES_SIZE]);

/* One component as text and as JSON, in the form that a whole identity has it; the JSON under a
 * name of the caller's, with user and group names. */
void identity_component_text(struct text *text, const struct miguard_identity *identity,
                             miguard_components component);
void identity_component_json(struct text *text, const char *name,
                             const struct miguard_identity *identity, miguard_components component);

/* As JSON: one member per component, without the enclosing braces. names: resolves user and group
 * names through NSS. */
void identity_write_json(struct text *text, const struct miguard_identity *identity, bool names);

/* What is recorded beside an identity and does not belong to it. An unreadable value stays "not
 * known": these are facts for a person, never for a decision. */
struct identity_process {
    pid_t pid;
    uint32_t loginuid;     /* UINT32_MAX: not set */
    uint64_t start_time;   /* in clock ticks since boot, proc(5) field 22 of stat */
    char executable[4096]; /* never cut: the kernel's limit; "" when it cannot be read */
};
/* Fills all members of the calling process. Neither allocates nor locks, and cannot fail: see
 * above. */
void identity_read_process(struct identity_process *ret_process);

/* Whether a process with this pid still runs: a zombie does not. *ret_start is its start_time, or 0
 * when its /proc cannot be read. */
bool identity_process_runs(pid_t pid, uint64_t *ret_start);

/* The same for the calling thread. The kernel cuts its name to 15 bytes (PR_SET_NAME of
 * prctl(2)). */
struct identity_thread {
    pid_t tid;
    char name[16];           /* comm */
    int32_t session_keyring; /* 0: none or not readable */
};
void identity_read_thread(struct identity_thread *ret_thread);

#endif
