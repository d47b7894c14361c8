/* SPDX-License-Identifier: MIT */
/*
 * Users and groups as the system knows them: the one place that asks NSS (nsswitch.conf(5)), and
 * the one place that says what a name of digits is.
 *
 * An answer is one of three that must not be confused: there is such an entry, there is none, or
 * nobody could be asked. glibc tells the last two apart by the error: getpwnam_r(3) and its kin
 * give 0 without an entry when the last service said that there is none, and an errno, ENOENT of a
 * socket among them, when that service could not say.
 */
#ifndef IDENTITY_DIRECTORY_H
#define IDENTITY_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity/cut.h"

/* Zero is no answer. */
enum directory_result {
    DIRECTORY_FAILED,    /* could not be asked: entry.error says why, never 0 */
    DIRECTORY_FOUND,     /* an entry */
    DIRECTORY_NONE,      /* there is no such entry */
    DIRECTORY_AMBIGUOUS, /* the digits are one entry's name and another's id */
    DIRECTORY_TOO_LARGE, /* an entry, or one on the way to it, is beyond DIRECTORY_LARGEST */
    DIRECTORY_NO_MEMORY,
};

enum directory_kind { DIRECTORY_USER, DIRECTORY_GROUP };

/* The longest line of a group that is read: a million members. */
enum { DIRECTORY_LARGEST = 32 * 1024 * 1024 };

/* A name of LOGIN_NAME_MAX is whole; a longer one is cut and marked (identity/cut.h). */
enum { DIRECTORY_MAX_NAME = 256, DIRECTORY_NAME = CUT_SIZE(DIRECTORY_MAX_NAME) };

struct directory_entry {
    char *name;   /* NULL where there is none; released with directory_release() */
    uint32_t id;  /* uid or gid */
    uint32_t gid; /* of a user: the primary group */
    int error;    /* of DIRECTORY_FAILED */
};

/*
 * How long an answer may be waited for, in milliseconds; DIRECTORY_FOREVER asks on the calling
 * thread. Otherwise a thread of its own asks, which is left behind when it is not back in time:
 * then the answer is DIRECTORY_FAILED with ETIMEDOUT. Only so many may be left behind, then the
 * answer is EAGAIN at once.
 */
enum { DIRECTORY_FOREVER = -1 };

/* How many threads of this process are asking or left behind. */
unsigned directory_threads(void);

/* ret_entry is filled with FOUND; with FAILED its error is. Else untouched. */
enum directory_result directory_by_name(enum directory_kind kind, const char *name, int wait,
                                        struct directory_entry *ret_entry);
enum directory_result directory_by_id(enum directory_kind kind, uint32_t id, int wait,
                                      struct directory_entry *ret_entry);
void directory_release(struct directory_entry *entry);

/* The name of an id into a buffer, cut where it is too long. */
enum directory_result directory_name(enum directory_kind kind, uint32_t id, int wait,
                                     char name[DIRECTORY_NAME]);

/* The groups that a login of this user has, its primary one among them, ascending; to be freed with
 * base_free(). With FAILED *ret_error says why. */
enum directory_result directory_groups(const struct directory_entry *user, int wait,
                                       gid_t **ret_groups, uint32_t *ret_count, int *ret_error);

/* ---- names and ids ----------------------------------------------------------------------------
 */

/*
 * The rule for each place where a person gives a user or a group, be it in a policy, its tests, on
 * a command line or in a call:
 *
 *     +1000    is the id 1000; the directory is not asked what is called so
 *     1000     is the id 1000; where an entry of another id has that name it is refused
 *     else     is a name
 *
 * An id is decimal, without zeros before it, and less than 4294967295.
 */
enum directory_text {
    DIRECTORY_TEXT_NAME,
    DIRECTORY_TEXT_ID,           /* "+1000" */
    DIRECTORY_TEXT_DIGITS,       /* "1000" */
    DIRECTORY_TEXT_LEADING_ZERO, /* these three are wrong whatever the directory says */
    DIRECTORY_TEXT_TOO_LARGE,
    DIRECTORY_TEXT_NOBODY, /* 4294967295, which is -1 */
};

/* The id of that many digits, or which of the last three they are. */
enum directory_text directory_read_id(const char *digits, size_t length, uint32_t *ret_id);

enum directory_text directory_read_text(const char *text, uint32_t *ret_id);

/* Whether the id may be meant by its digits alone: FOUND when an entry of that very id is called
 * so, NONE when none is; AMBIGUOUS, then ret_entry is the one that is called so. */
enum directory_result directory_check_digits(enum directory_kind kind, uint32_t id, int wait,
                                             struct directory_entry *ret_entry);

#endif
