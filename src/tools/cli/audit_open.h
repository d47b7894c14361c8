/* SPDX-License-Identifier: MIT */
/* What the `miguard audit` commands share: which log is meant, opening it, walking through it. */
#ifndef TOOLS_CLI_AUDIT_OPEN_H
#define TOOLS_CLI_AUDIT_OPEN_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/review/read.h"

/* The path of the log of the policy in force ($MIGUARD_POLICY, else the standard places, else the
 * built-in path) or of this user's own (log_place.h), for reading. On the heap, freed by the
 * caller; NULL after a message. */
char *audit_default_log(void);
char *audit_log_to_begin(void); /* the one that `miguard run` writes; its folders are made */

/*
 * Opens the files given, "-" for standard input; without one, the log of the policy in force with
 * its rotated files. Every reader of logs goes through this, so that FILE... means the same
 * everywhere. CLI_YES, or the exit status after a message. *ret_reader is closed with read_close(),
 * which takes NULL too.
 */
int audit_open_logs(const struct word_list *files, enum read_order order,
                    struct log_reader **ret_reader);

/* The same of one log with its rotated files. Files beside it that do not belong to it are reported
 * and left out. */
int audit_open_log(const char *log, enum read_order order, struct log_reader **ret_reader);

/* Before the first audit_next(): only what the filter wants is given out, see read_only(). CLI_YES,
 * or CLI_UNABLE after a message. */
int audit_read_only(struct log_reader *reader, const struct scan_filter *filter);

/* The option of commands that need not read all of a log. */
#define AUDIT_WHOLE(T, member)                                                                     \
    FLAG("--whole", T, member,                                                                     \
         "read all of the log: by default the parts that cannot match by number and time are "     \
         "passed over, which relies on the order in which it was written")
/* After audit_read_only(): leaves out what cannot match, see read_narrow(). CLI_YES, or CLI_UNABLE
 * after a message. */
int audit_narrow(struct log_reader *reader, const struct narrow_bounds *bounds, bool *ret_narrowed);

/* One walk through a reader: what went wrong on the way, and how far it is. Start from {0}; it
 * holds no memory. */
struct audit_walk {
    uint64_t broken; /* lines */
    uint64_t records;
    bool failed;   /* READ_FAILED was met and complained about */
    bool terminal; /* progress is shown; asked once, since it is a system call */
    /* Nanoseconds of the monotonic clock: when the walk began, and when the progress line was last
     * drawn. */
    int64_t started, shown;
};

/* The next record, borrowed from the reader until the next call. Complains about each broken line
 * (file:line: what is wrong), counts them, and shows progress on a terminal when the work takes
 * longer than a second. False at the end, or after SIGINT, which the first call catches. */
bool audit_next(struct log_reader *reader, struct audit_walk *walk, struct record *ret_record,
                struct read_place *ret_place);

/* Before something is printed: takes the progress line away. */
void audit_hide_progress(struct audit_walk *walk);

/* SIGINT came since the first audit_next(). The result is then a part, and must not be printed as
 * if it were the whole. */
bool audit_interrupted(void);

/* At the end: removes the progress line, sums up broken lines on stderr, and gives the exit status:
 * status, or CLI_UNABLE after SIGINT, when a file could not be read to its end, or when the answer
 * is no and broken lines may hide a yes. */
int audit_finish(struct audit_walk *walk, int status);

#endif
