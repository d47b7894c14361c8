/* SPDX-License-Identifier: MIT */
/* The reads that capture.c and check.c share. Each returns false when the kernel gave no answer. */
#ifndef IDENTITY_READ_H
#define IDENTITY_READ_H

#include "identity/identity.h"

/* Real, effective and saved ids into places IDENTITY_R to IDENTITY_S. */
bool read_uids(uid_t ids[IDENTITY_IDS - 1]);
bool read_gids(gid_t ids[IDENTITY_IDS - 1]);
/* The id that file access is decided by. Changes nothing. */
bool read_fsuid(uid_t *ret_id);
bool read_fsgid(gid_t *ret_id);

/* Effective, permitted and inheritable into the first three places of cap. The others stay. */
bool read_caps(uint64_t cap[IDENTITY_CAP_SETS]);

/* The bounding set by one prctl(2) per capability. expected_count 0 finds out their number; else
 * exactly that many must exist. */
bool read_bounding(uint32_t expected_count, uint64_t *ret_set, uint32_t *ret_count);

/* count is the result of read_bounding(). An empty inheritable set proves an empty ambient set
 * (capabilities(7)), so then no call is made. */
bool read_ambient(uint64_t inheritable, uint32_t count, uint64_t *ret_set);

/* bool read_securebits(uint32_t *ret_word) and so on: one for each component of one word. */
#define READ_WORD(NAME, shape, member, ...)                                                        \
    COMPONENT_IF_WORD_##shape(bool read_##member(uint32_t *ret_word);)
COMPONENT_MAP(READ_WORD)
#undef READ_WORD

/* The inode number of the thread's user namespace; never 0. */
bool read_user_namespace(uint64_t *ret_inode);

/* The supplementary groups as the kernel returns them: in small when they fit, else in a buffer
 * that belongs to this thread and lives until its next read. NULL when they cannot be read. */
enum { READ_SMALL_GROUPS = 256 };
gid_t *read_groups(gid_t small[READ_SMALL_GROUPS], uint32_t *ret_count);

/* The same into the caller's buffer of IDENTITY_MAX_GROUPS. Allocates nothing. */
bool read_groups_into(gid_t *groups, uint32_t *ret_count);

/* The LSM label into buffer: its length, 0 when no LSM has labels, negative when it is not
 * readable. */
long read_lsm_label(char *buffer, size_t size);

/* A whole small file of /proc: its length, terminated with NUL, or a negative errno (-EFBIG when it
 * does not fit). */
long read_proc_file(const char *path, char *buffer, size_t size);

#endif
