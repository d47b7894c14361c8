/* SPDX-License-Identifier: MIT */
/*
 * miguard audit top: what is refused now, on a screen that renews itself.
 *
 * Each round reads the records of the last minutes, which lie at the end of the log, and sums them
 * up as a report does: so a figure here is one of `audit report --start`. The screen is that of the
 * alternate buffer, with the few sequences that every terminal of today has (ECMA-48), so nothing
 * else has to be installed; what stood on the terminal before comes back at the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "audit/encode.h"
#include "base/alloc.h"
#include "tools/cli/audit_review.h"
#include "tools/cli/commands.h"
#include "tools/cli/stop_wait.h"
#include "tools/review/report.h"

#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"

enum { MOST_ROWS = 200, MOST_COLUMNS = 400, LEAST_COLUMNS = 40 };

struct request {
    struct review review;
    uint64_t every, minutes; /* seconds; the span that is summed up */
    bool once;
    struct report *report;
    int64_t start; /* of the span, nanoseconds */
};

static const struct option_row options[] = {
    NUMBER("--every", "SECONDS", struct request, every, 1, 3600, "how often it is renewed",
           .preset = 2),
    NUMBER("--minutes", "N", struct request, minutes, 1, 10080, "the span that is summed up",
           .preset = 60),
    FLAG("--once", struct request, once,
         "print one screen and end; also where there is no terminal"),
};

/* ---- the records of the span ------------------------------------------------------------------
 */

static void take_facts(const void *context, struct record_expander *expander,
                       const struct record *record, struct text *text)
{
    (void)expander;
    (void)context;
    report_facts(record, text);
}

/* Narrowing leaves out parts of the log, and not each record. */
static int add(void *context, const struct record *line, const struct read_place *place,
               struct slice facts)
{
    struct request *request = context;
    struct report_facts taken;

    memcpy(&taken, facts.at, sizeof(taken));
    if (!taken.timed || taken.time < request->start) {
        return CLI_YES;
    }
    return report_add_facts(request->report, line, facts, place)
               ? CLI_YES
               : complain(CLI_UNABLE, "out of memory");
}

/* A new report each time: what has left the span must go. */
static int sum_up(struct request *request)
{
    const struct review_way way = {
        .write = take_facts, .fields = &report_fields, .function = add, .to = request};

    report_free(request->report);
    request->report = report_new();
    if (request->report == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    request->start = audit_now() - (int64_t)request->minutes * 60 * 1000000000;
    request->review.from = request->start;
    request->review.walk = (struct audit_walk){0};
    return review_texts(&request->review, &way);
}

/* ---- the screen -------------------------------------------------------------------------------
 */

/* Lines that fit; the rest is left out. */
struct screen {
    struct text text;
    unsigned rows, columns, row;
    bool terminal;
};

/* One line, cut at the width. Texts of records pass export_text() before, so that a byte that acts
 * on the terminal is not among them; columns are counted by characters (RFC 3629). */
static void put_line(struct screen *screen, const struct text *line)
{
    unsigned columns = 0;
    size_t length = 0;

    if (screen->row >= screen->rows) {
        return;
    }
    screen->row++;
    for (; length < line->length; length++) {
        bool begins = ((unsigned char)line->data[length] & 0xC0) != 0x80;
        if (begins && columns == screen->columns) {
            break;
        }
        columns += begins;
    }
    text_append_bytes(&screen->text, line->data, length);
    text_append(&screen->text, screen->terminal ? CLEAR_LINE "\r\n" : "\n");
    screen->text.failed = screen->text.failed || line->failed;
}

__attribute__((format(printf, 2, 3))) static void put(struct screen *screen, const char *format,
                                                      ...)
{
    struct text line = TEXT_EMPTY;
    char words[MOST_COLUMNS];
    va_list list;

    va_start(list, format);
    vsnprintf(words, sizeof(words), format, list);
    va_end(list);
    text_append(&line, words);
    put_line(screen, &line);
    text_release(&line);
}

/* The keys with the most refusals. */
static void put_list(struct screen *screen, const struct report *report, enum report_list list,
                     unsigned most)
{
    const struct report_keys *keys = &report->lists[list];
    uint32_t *order = base_alloc(REPORT_KEYS, sizeof(*order));
    uint32_t count = order == NULL ? 0 : report_order(keys, order);

    screen->text.failed = screen->text.failed || order == NULL;
    if (count > 0) {
        put(screen, "%s", "");
        put(screen, "%10s %10s  %s", "refused", "allowed", report_list_title(list));
    }
    for (uint32_t i = 0; i < count && i < most; i++) {
        const struct report_key *key = &keys->keys[order[i]];
        struct text line = TEXT_EMPTY;
        text_format(&line, "%10llu %10llu  ",
                    (unsigned long long)(key->count.refused + key->count.would),
                    (unsigned long long)key->count.allowed);
        export_string(&line, EXPORT_TERMINAL, key->text);
        put_line(screen, &line);
        text_release(&line);
    }
    base_free(order);
}

/* The span in as many columns, by eighths of a line of blocks. */
static void put_timeline(struct screen *screen, const struct request *request)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const struct report_timeline *timeline = &request->report->timeline;
    unsigned width = screen->columns < 120 ? screen->columns : 120;
    uint64_t columns[120] = {0}, most = 0;
    int64_t start = request->start / 1000000000, span = (int64_t)request->minutes * 60;
    struct text line = TEXT_EMPTY;

    for (uint32_t i = 0; i < timeline->count; i++) {
        int64_t at = timeline->buckets[i].start - start;
        int64_t column = at < 0 ? 0 : at * width / span;
        column = column >= width ? width - 1 : column;
        columns[column] += timeline->buckets[i].count.refused + timeline->buckets[i].count.would;
        most = columns[column] > most ? columns[column] : most;
    }
    for (unsigned i = 0; i < width; i++) {
        text_append(&line, blocks[most == 0 ? 0 : (columns[i] * 8 + most - 1) / most]);
    }
    put_line(screen, &line);
    text_release(&line);
}

static void make_screen(struct screen *screen, const struct request *request)
{
    const struct report *report = request->report;
    struct text head = TEXT_EMPTY;

    text_append(&head, "miguard audit top  ");
    export_time(&head, audit_now(), false);
    text_format(&head, "  last %llu minutes%s", (unsigned long long)request->minutes,
                screen->terminal ? "  q: end" : "");
    put_line(screen, &head);
    text_release(&head);
    put(screen, "refused %llu  would be refused %llu  allowed %llu  lost %llu  records %llu",
        (unsigned long long)report->events.refused, (unsigned long long)report->events.would,
        (unsigned long long)report->events.allowed, (unsigned long long)report->lost,
        (unsigned long long)report->records);
    put_timeline(screen, request);
    put_list(screen, report, REPORT_REASON, 6);
    put_list(screen, report, REPORT_PROVIDER, 6);
    put_list(screen, report, REPORT_PAIR, 6);
    put_list(screen, report, REPORT_HOST_USER, 4);
    put_list(screen, report, REPORT_RULE, 4);
}

static int show(const struct request *request, bool terminal)
{
    struct screen screen = {.text = TEXT_EMPTY, .rows = MOST_ROWS, .columns = 100};
    struct winsize size;

    screen.terminal = terminal;
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1) {
        screen.rows = size.ws_row - 1;
        screen.columns = size.ws_col < LEAST_COLUMNS ? LEAST_COLUMNS : size.ws_col;
    }
    text_append(&screen.text, terminal ? SCREEN_HOME : "");
    make_screen(&screen, request);
    text_append(&screen.text, terminal ? CLEAR_BELOW : "");
    int status = screen.text.failed ? complain(CLI_UNABLE, "out of memory")
                                    : review_print(screen.text.data, screen.text.length);
    text_release(&screen.text);
    return status;
}

/* ---- the terminal -----------------------------------------------------------------------------
 */

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

/* Keys come one by one and are not shown; ISIG stays, so that Ctrl-C works. */
static bool take_terminal(struct termios *ret_before)
{
    struct termios quiet;

    if (tcgetattr(STDIN_FILENO, ret_before) != 0) {
        return false;
    }
    quiet = *ret_before;
    quiet.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
}

/* SIGINT while the log was read is that of audit_next(). */
static bool is_stopped(void)
{
    return stopped != 0 || audit_interrupted();
}

/* False: the user wants to end. */
static bool wait_for_key(uint64_t seconds, bool keys)
{
    char key = 0;

    switch (stop_wait(keys ? STDIN_FILENO : -1, seconds, is_stopped)) {
    case STOP_WAIT_INPUT:
        return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
    case STOP_WAIT_TIME:
        return true;
    case STOP_WAIT_STOPPED:
        break;
    }
    return false;
}

/* What stood on the terminal comes back on every way out that a program has. */
static int show_again_and_again(struct request *request)
{
    const struct sigaction action = {.sa_handler = on_stop};
    struct termios before;
    bool keys = take_terminal(&before);

    int status = review_print(SCREEN_BEGIN, sizeof(SCREEN_BEGIN) - 1);
    while (status == CLI_YES && stopped == 0) {
        status = sum_up(request);
        sigaction(SIGINT, &action, NULL); /* reading has its own */
        sigaction(SIGTERM, &action, NULL);
        status = status == CLI_YES ? show(request, true) : status;
        if (status == CLI_YES && !wait_for_key(request->every, keys)) {
            break;
        }
    }
    (void)review_print(SCREEN_END, sizeof(SCREEN_END) - 1);
    if (keys) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    return status;
}

static int run_top(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (!conditions_begin(&request.review.conditions)) {
        return CLI_UNABLE;
    }
    if (command_parse(line, &request, &status)) {
        if (request.once || isatty(STDOUT_FILENO) == 0) {
            status = sum_up(&request);
            status = status == CLI_YES ? show(&request, false) : status;
            status = audit_finish(&request.review.walk, status);
        } else {
            status = show_again_and_again(&request);
        }
    }
    report_free(request.report);
    review_release(&request.review);
    return status;
}

COMMAND(audit, top) = {
    .about = "Shows what is refused now, and to whom, by which provider and rule, on a screen that "
             "renews itself; q ends it. The figures are those of a report over the last minutes.",
    .exits = "Exit status: 0 ended by the user, or one screen was printed; 2 wrong usage; 3 "
             "something could not be read.",
    REVIEWS(struct request),
    OPTIONS(options),
    .run = run_top,
};
