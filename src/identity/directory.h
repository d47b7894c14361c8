/* SPDX-License-Identifier: MIT */
/*
 * Users and groups as the system knows them: the one place that asks NSS (nsswitch.conf(5)), and
 * the one place that defines what a name of digits means.
 *
 * An answer is one of three that must not be confused: the entry exists, it does not exist, or the
 * service could not be asked. glibc separates the last two by the error: getpwnam_r(3) and its
 * siblings return 0 without an entry when the last service said that it does not exist, and an
 * errno, ENOENT of a socket among them, when that service could not answer.
 */
#ifndef IDENTITY_DIRECTORY_H
#define IDENTITY_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "identity/cut.h"

/* Zero is not an answer. */
enum directory_result {
    DIRECTORY_FAILED,    /* could not be asked: entry.error says why, never 0 */
    DIRECTORY_FOUND,     /* an entry */
    DIRECTORY_NONE,      /* there is no such entry */
    DIRECTORY_AMBIGUOUS, /* the digits are one entry's name and another's id */
    DIRECTORY_TOO_LARGE, /* an entry, or one before it, exceeds DIRECTORY_LARGEST */
    DIRECTORY_NO_MEMORY,
};

enum directory_kind { DIRECTORY_USER, DIRECTORY_GROUP };

/* The longest line of a group that is read: a million members. */
enum { DIRECTORY_LARGEST = 32 * 1024 * 1024 };

/* A name of LOGIN_NAME_MAX is kept whole; a longer one is cut and marked (identity/cut.h). */
enum { DIRECTORY_MAX_NAME = 256, DIRECTORY_NAME = CUT_SIZE(DIRECTORY_MAX_NAME) };

struct directory_entry {
    char *name;   /* or NULL; released with directory_release() */
    uint32_t id;  /* uid or gid */
    uint32_t gid; /* of a user: the primary group */
    int error;    /* of DIRECTORY_FAILED */
};

/*
 * How long to wait for an answer, in milliseconds; DIRECTORY_FOREVER asks on the calling thread.
 * Otherwise a separate thread asks and is left behind when it does not answer in time: then the
 * result is DIRECTORY_FAILED with ETIMEDOUT. The number of such threads is limited; beyond it the
 * result is EAGAIN at once.
 */
enum { DIRECTORY_FOREVER = -1 };

/*
 * Who has several questions: one thread asks them, and all answers together may take the one time,
 * in which what the caller does in between does not count. The thread starts with the first
 * question. After one that is not answered in time all others have the same result, and are not
 * asked. An asker belongs to one thread; directory_end() must be called, and ends the thread.
 */
struct directory_asker {
    bool forever;          /* no thread: DIRECTORY_FOREVER */
    bool late;             /* a question was not answered in time */
    bool was_alone;        /* the process had one thread when the asker's was started */
    int64_t left;          /* of the time, nanoseconds */
    struct asking *asking; /* its thread, or NULL */
};

void directory_begin(struct directory_asker *asker, int wait);
void directory_end(struct directory_asker *asker);

/* As those without an asker below. */
enum directory_result directory_ask_name(struct directory_asker *asker, enum directory_kind kind,
                                         const char *name, struct directory_entry *ret_entry);
enum directory_result directory_ask_id(struct directory_asker *asker, enum directory_kind kind,
                                       uint32_t id, struct directory_entry *ret_entry);
enum directory_result directory_ask_digits(struct directory_asker *asker, enum directory_kind kind,
                                           uint32_t id, struct directory_entry *ret_entry);
enum directory_result directory_ask_groups(struct directory_asker *asker,
                                           const struct directory_entry *user, gid_t **ret_groups,
                                           uint32_t *ret_count, int *ret_error);

/* One of a list of questions, as to directory_ask_name(), and for digits to directory_ask_digits().
 */
struct directory_question {
    enum directory_kind kind;
    const char *name; /* the caller's */
    enum directory_result result;
    struct directory_entry entry; /* to be released after FOUND and AMBIGUOUS */
};

/* All of them, one after the other, handed to the thread at once: each hand-over is two switches
 * between threads, and on a busy machine each of these waits for its turn. When the time is over
 * those that were answered have their answers, and the rest failed with ETIMEDOUT. */
void directory_ask_names(struct directory_asker *asker, struct directory_question *questions,
                         uint32_t count);

/* How many threads of this process are asking or left behind. */
unsigned directory_threads(void);

/* FOUND fills ret_entry, FAILED sets its error; otherwise it is untouched. */
enum directory_result directory_by_name(enum directory_kind kind, const char *name, int wait,
                                        struct directory_entry *ret_entry);
enum directory_result directory_by_id(enum directory_kind kind, uint32_t id, int wait,
                                      struct directory_entry *ret_entry);
void directory_release(struct directory_entry *entry);

/* The name of an id into a buffer, cut where it is too long. */
enum directory_result directory_name(enum directory_kind kind, uint32_t id, int wait,
                                     char name[DIRECTORY_NAME]);

/* The name in passwd(5) or group(5) of this machine that is nearest to an unknown one, for the
 * error about it; false when no name is near. Other services are not asked: listing them may take
 * minutes. */
bool directory_nearest(enum directory_kind kind, const char *unknown, char name[DIRECTORY_NAME]);

/* The groups that a login of this user gets, including the primary one, ascending; free them with
 * base_free(). With FAILED *ret_error has the reason. */
enum directory_result directory_groups(const struct directory_entry *user, int wait,
                                       gid_t **ret_groups, uint32_t *ret_count, int *ret_error);

/* ---- names and ids ----------------------------------------------------------------------------
 */

/*
 * The rule for each place where a person names a user or a group, be it in a policy, its tests, on
 * a command line or in a call:
 *
 *     +1000    is the id 1000; the directory is not asked for that name
 *     1000     is the id 1000; it is refused where an entry with another id has that name
 *     other    is a name
 *
 * An id is decimal, without leading zeros, and less than 4294967295.
 */
enum directory_text {
    DIRECTORY_TEXT_NAME,
    DIRECTORY_TEXT_ID,           /* "+1000" */
    DIRECTORY_TEXT_DIGITS,       /* "1000" */
    DIRECTORY_TEXT_LEADING_ZERO, /* these three are invalid whatever the directory says */
    DIRECTORY_TEXT_TOO_LARGE,
    DIRECTORY_TEXT_MINUS_ONE, /* 4294967295, which is -1 */
};

/* The id of that many digits, or which of the last three errors they are. */
enum directory_text directory_read_id(const char *digits, size_t length, uint32_t *ret_id);

enum directory_text directory_read_text(const char *text, uint32_t *ret_id);

/* Whether digits alone may mean the id: FOUND when the entry of that id has them as its name, NONE
 * when no entry has. AMBIGUOUS: an entry with another id has, and ret_entry is that entry. */
enum directory_result directory_check_digits(enum directory_kind kind, uint32_t id, int wait,
                                             struct directory_entry *ret_entry);

#endif
