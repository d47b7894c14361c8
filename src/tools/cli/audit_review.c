/* SPDX-License-Identifier: MIT */
#include "tools/cli/audit_review.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_help(const struct arguments *arguments)
{
    return strcmp(arguments->option, "--help") == 0 || strcmp(arguments->option, "-h") == 0;
}

static void remember(struct review *review, char **list, int from, int to)
{
    for (int i = from; i < to; i++) {
        text_append(&review->asked, review->asked.length == 0 ? "" : " ");
        text_append(&review->asked, list[i]);
    }
}

static int read_argument(struct review *review, struct arguments *arguments, review_option option,
                         void *context)
{
    int status = CLI_YES, before = arguments->at - 1;

    if (arguments->operand != NULL) {
        review->files[review->file_count++] = arguments->operand;
        return CLI_YES;
    }
    if (is_help(arguments)) {
        review->help = true;
        return CLI_YES;
    }
    if (option(arguments, context)) {
        return CLI_YES;
    }
    if (!query_argument(arguments, review->query, &status)) {
        return arguments_unknown(arguments);
    }
    remember(review, arguments->list, before, arguments->at);
    return status;
}

int review_parse(struct review *review, int count, char **list, const char *const *own,
                 review_option option, void *context)
{
    int status = CLI_YES;

    review->query = query_new();
    review->known = query_known(own);
    review->files = calloc((size_t)count + 1, sizeof(*review->files));
    if (review->query == NULL || review->known == NULL || review->files == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    struct arguments arguments = {
        .count = count, .list = list, .command = review->command, .known = review->known};
    while (status == CLI_YES && arguments_next(&arguments)) {
        status = read_argument(review, &arguments, option, context);
    }
    return arguments.failed ? CLI_USAGE : status;
}

void review_release(struct review *review)
{
    query_free(review->query);
    free(review->known);
    free(review->files);
    text_release(&review->asked);
}

int review_walk(struct review *review, review_record function, void *context)
{
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;

    int status = audit_open_logs(review->files, review->file_count, READ_BY_TIME, &reader);
    if (status != CLI_YES) {
        return status;
    }
    while (status == CLI_YES && audit_next(reader, &review->walk, &record, &place)) {
        if (query_matches(review->query, &record)) {
            status = function(context, &record, &place);
        }
    }
    read_close(reader);
    return status;
}

int review_print(const char *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, stdout) != length || fflush(stdout) != 0) {
        return complain(CLI_UNABLE, "standard output cannot be written: %s",
                        strerrordesc_np(errno));
    }
    return CLI_YES;
}

int review_number(const char *command, const char *option, const char *text, unsigned most,
                  unsigned *ret_number)
{
    char *end = NULL;

    if (text == NULL) {
        return CLI_YES;
    }
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0 ||
        number > most) {
        return complain(CLI_USAGE, "%s: %s '%s' is no number from 1 to %u", command, option, text,
                        most);
    }
    *ret_number = (unsigned)number;
    return CLI_YES;
}
