/* SPDX-License-Identifier: MIT */
/*
 * The walk over matching records, for report, suggest and export.
 *
 * A command with a struct review in its request parses with REVIEWS(), calls review_walk() with a
 * function for each record, prints with review_print(), and ends with audit_finish() and
 * review_release().
 */
#include "tools/cli/audit_review.h"

#include <errno.h>
#include <string.h>

/* The walk holds nothing. */
void review_release(struct review *review)
{
    conditions_release(&review->conditions);
    word_list_release(&review->files);
}

/* Opens what is asked for, and leaves out what cannot match. */
static int open_review(const struct review *review, const struct scan_filter *filter,
                       struct log_reader **ret_reader)
{
    struct narrow_bounds bounds;
    bool narrowed;
    int status = audit_open_logs(&review->files, READ_BY_TIME, ret_reader);

    if (status == CLI_YES) {
        status = audit_read_only(*ret_reader, filter);
    }
    if (status == CLI_YES && !review->whole) {
        query_bounds(review->conditions.query, &bounds);
        bounds.start = review->from > bounds.start ? review->from : bounds.start;
        status = audit_narrow(*ret_reader, &bounds, &narrowed);
    }
    return status;
}

/* For review_texts(): both halves of a filter have one context. */
struct writing {
    const struct query *query;
    const struct review_way *way;
};

static bool writing_matches(const void *context, const struct record *record)
{
    const struct writing *writing = context;
    return query_matches(writing->query, record);
}

static void writing_write(const void *context, struct record_expander *expander,
                          const struct record *record, struct text *text)
{
    const struct writing *writing = context;
    writing->way->write(writing->way->context, expander, record, text);
}

/* What write() makes of a record is handed to function beside its line. Both conditions and write()
 * are asked in the threads of the reader. */
int review_texts(struct review *review, const struct review_way *way)
{
    const struct writing writing = {review->conditions.query, way};
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;

    struct scan_filter filter = conditions_filter(&review->conditions);
    filter.context = &writing;
    filter.matches = writing_matches;
    filter.write = writing_write;
    filter.written = way->fields;
    int status = open_review(review, &filter, &reader);
    while (status == CLI_YES && audit_next(reader, &review->walk, &record, &place)) {
        status = way->function(way->to, &record, &place, read_text(reader));
    }
    read_close(reader);
    return status;
}

/* Errors of lines are counted in review->walk and reported at the end; they do not end the walk. */
int review_walk(struct review *review, review_record function, void *context)
{
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;

    const struct scan_filter filter = conditions_filter(&review->conditions);
    int status = open_review(review, &filter, &reader);
    while (status == CLI_YES && audit_next(reader, &review->walk, &record, &place)) {
        status = function(context, &record, &place);
    }
    read_close(reader);
    return status;
}

/* Flushed at once, so that a full disk or a closed pipe is found while the exit status can still
 * say so. */
int review_print(const char *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, stdout) != length || fflush(stdout) != 0) {
        return complain(CLI_UNABLE, "standard output cannot be written: %s",
                        strerrordesc_np(errno));
    }
    return CLI_YES;
}
