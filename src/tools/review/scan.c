/* SPDX-License-Identifier: MIT */
/*
 * Works through pieces of files in several threads, for read.c.
 *
 * scan_begin() puts a piece into the queue; work_loop() of each thread, and scan_wait() of the
 * caller, take pieces out and call look_through(), which reads the bytes (read_piece) and goes
 * through the lines (take_line), of which a search by time passes most (pass_by_time). A line
 * belongs to the piece in which it begins: the first one of a piece begins behind the first
 * newline, and the last is read to its end beyond the piece. So a piece needs nothing of the one
 * before it, and the order of work does not matter.
 *
 * pread(2) and not mmap(2): a file that is cut while it is read must not kill the reader (SIGBUS).
 */
#include "tools/review/scan.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/civil.h"
#include "model/record_limits.h"
#include "tools/review/record_expand.h"

/* LITTLE: the rest of most lines. */
enum { MOST_THREADS = 16, LITTLE = 4 * 1024, MORE = 64 * 1024 };

/* What one thread has for itself. */
struct worker {
    struct scan *scan;
    pthread_t thread;
    struct record_kinds *kinds;       /* NULL: every line is parsed by itself */
    struct record_expander *expander; /* of filter.write; NULL: nothing is remembered */
    struct record some;               /* the fields that are wanted; the others stay empty */
    struct record written;            /* those of filter.written */
    char *buffer;                     /* for its next piece; NULL: none yet */
    size_t capacity;
};

/* How far a second is written in a record: "2026-03-01T12:00:00". */
enum { SECOND_LENGTH = 19 };

struct scan {
    struct scan_filter filter;
    bool times;
    const char *literal; /* NULL: all lines are looked at */
    /* of scan_set_times(): */
    bool bounded;
    char start[SECOND_LENGTH + 1], end[SECOND_LENGTH + 1];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock: */
    struct scan_piece *first, **last; /* the queue */
    bool stop;
    /* the caller's: */
    struct scan_piece *unused;
    unsigned threads, wanted; /* that were started; and with the caller's, that may be */
    struct worker own, workers[MOST_THREADS];
};

/* ---- one piece -------------------------------------------------------------------------------
 */

/* More bytes behind those that there are, up to `most` of them. False when none came: at_end or
 * failed is set then. */
static bool read_more(struct scan_piece *piece, size_t most)
{
    ssize_t got;

    if (piece->end + most > piece->capacity) {
        char *larger = base_resize(piece->buffer, 1, piece->end + most);
        if (larger == NULL) {
            piece->failed = "out of memory";
            return false;
        }
        piece->buffer = larger;
        piece->capacity = piece->end + most;
    }
    do {
        got =
            pread(piece->fd, piece->buffer + piece->end, most, (off_t)(piece->start + piece->end));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        piece->failed = strerrordesc_np(errno);
        return false;
    }
    piece->end += (size_t)got;
    piece->at_end = got == 0;
    return got > 0;
}

/* All bytes of the piece itself and the one before, where a newline begins a line here; and then to
 * the end of the last line that begins here, unless that is too long. Nothing is read later, since
 * the buffer may move then. */
static bool read_piece(struct scan_piece *piece)
{
    size_t size = (size_t)(piece->to - piece->from), searched, more = LITTLE;

    piece->start = piece->from > 0 ? piece->from - 1 : 0;
    size += piece->from > 0;
    while (piece->end < size && read_more(piece, size + more - piece->end)) {
    }
    if (piece->end < size) {
        return piece->failed == NULL;
    }
    searched = size - 1;
    while (memchr(piece->buffer + searched, '\n', piece->end - searched) == NULL) {
        searched = piece->end;
        if (piece->end - size > RECORD_MAX_LINE || !read_more(piece, more)) {
            return piece->failed == NULL;
        }
        more = MORE;
    }
    return true;
}

/* NULL: out of memory, and failed is set. */
static struct scan_item *add_item(const struct scan *scan, struct scan_piece *piece, size_t at,
                                  size_t length)
{
    size_t entry_size = scan->filter.entry_size;

    if (piece->count == piece->room) {
        size_t room = piece->room == 0 ? 64 : 2 * piece->room;
        struct scan_item *larger = base_resize(piece->items, room, sizeof(*larger));
        if (larger == NULL) {
            piece->failed = "out of memory";
            return NULL;
        }
        piece->items = larger;
        char *entries = entry_size == 0 ? NULL : base_resize(piece->entries, room, entry_size);
        if (entry_size != 0 && entries == NULL) {
            piece->failed = "out of memory";
            return NULL;
        }
        piece->entries = entries;
        piece->room = room;
    }
    struct scan_item *item = &piece->items[piece->count++];
    *item =
        (struct scan_item){.at = at, .length = length, .line = piece->lines, .time = piece->time};
    return item;
}

static const struct record_fields_wanted time_field = {.list = {RECORD_TIMESTAMP}, .count = 1};

/* The merge needs the time of every record, wanted or not. */
static void note_time(const struct scan *scan, struct scan_piece *piece,
                      const struct record *record)
{
    int64_t time;

    if (scan->times && record_time(record, RECORD_TIMESTAMP, &time) && time > piece->time) {
        piece->time = time;
    }
}

/* A record that is wanted, with the fields that write() asks for. */
static void take_record(const struct worker *worker, struct scan_piece *piece,
                        const struct record *record)
{
    const struct scan *scan = worker->scan;
    struct scan_item *item =
        add_item(scan, piece, (size_t)(record->line - piece->buffer), record->length);

    if (item != NULL && scan->filter.write != NULL) {
        item->text = piece->texts.length;
        scan->filter.write(scan->filter.context, worker->expander, record, &piece->texts);
        item->text_length = piece->texts.length - item->text;
        if (piece->texts.failed) {
            piece->count--; /* it has no text, and is not given out */
            piece->failed = "out of memory";
        }
    }
}

/* Of a line that is like another: whether the record is wanted. Most have the same bytes as one
 * before in all fields that the filter looks at, and the answer is known. */
static bool like_matches(struct worker *worker, struct scan_piece *piece)
{
    enum { UNKNOWN, NO, YES };
    const struct scan_filter *filter = &worker->scan->filter;
    uint8_t *answer = record_like_answer(worker->kinds);

    if (worker->scan->times) {
        record_like_some(worker->kinds, &time_field, &worker->some);
        note_time(worker->scan, piece, &worker->some);
    }
    if (answer != NULL && *answer != UNKNOWN) {
        return *answer == YES;
    }
    record_like_some(worker->kinds, &filter->wanted, &worker->some);
    bool wanted = filter->matches(filter->context, &worker->some);
    if (answer != NULL) {
        *answer = wanted ? YES : NO;
    }
    return wanted;
}

/* The same of a line that is like another. */
static void take_like(struct worker *worker, struct scan_piece *piece)
{
    const struct scan_filter *filter = &worker->scan->filter;
    struct record all;

    if (filter->write != NULL && filter->written != NULL) {
        record_like_some(worker->kinds, filter->written, &worker->written);
        take_record(worker, piece, &worker->written);
    } else {
        record_like_all(worker->kinds, &all);
        take_record(worker, piece, &all);
    }
}

/* ---- lines of other times ---------------------------------------------------------------------
 */

/*
 * The time stands first in a record, and is written so that the bytes of two seconds compare as the
 * seconds do. So most lines that a search by time has to pass need a look at few bytes.
 *
 * A merge goes by the highest time of the records so far. Of those before the start none counts,
 * since what is wanted is younger. Those behind the end do, but only a whole record has a time: the
 * line with the highest one is remembered, and parsed where the time is asked for.
 */

static const char time_first[] = "{\"@timestamp\":\"";
enum { TIME_AT = sizeof(time_first) - 1 };

/* Length of "2026-03-01T12:00:00.123456Z" at `at`, 0 for another form. A leap second is written as
 * one of the minute before, and is of the next. */
static size_t time_length(const char *at, size_t most)
{
    size_t length = SECOND_LENGTH;

    if (most <= SECOND_LENGTH || at[10] != 'T' || at[SECOND_LENGTH - 2] == '6') {
        return 0;
    }
    if (at[length] == '.') {
        do {
            length++;
        } while (length < most && at[length] >= '0' && at[length] <= '9');
    }
    return length + 1 < most && at[length] == 'Z' && at[length + 1] == '"' ? length + 1 : 0;
}

/* The line is of another time: it is passed. */
static bool pass_by_time(const struct scan *scan, struct scan_piece *piece, const char *line,
                         size_t length)
{
    int64_t time = 0;

    if (length <= TIME_AT || memcmp(line, time_first, TIME_AT) != 0) {
        return false;
    }
    const char *at = line + TIME_AT;
    size_t size = time_length(at, length - TIME_AT);
    bool behind = size > 0 && memcmp(at, scan->end, SECOND_LENGTH) > 0;
    if (size == 0 || (!behind && memcmp(at, scan->start, SECOND_LENGTH) >= 0)) {
        return false;
    }
    if (behind && scan->times && record_parse_time(at, size, &time) && time > piece->time &&
        time > piece->passed_time) {
        piece->passed_time = time;
        piece->passed_at = (size_t)(line - piece->buffer);
        piece->passed_length = length;
    }
    piece->records++;
    return true;
}

/* All lines up to this one, when the one with the highest time was no record. */
static void note_passed_times(struct worker *worker, struct scan_piece *piece, size_t end)
{
    struct record record;
    size_t fault;

    for (size_t at = piece->first_line; at < end && piece->start + at < piece->to;) {
        const char *newline = memchr(piece->buffer + at, '\n', end - at);
        size_t length = (newline != NULL ? (size_t)(newline - piece->buffer) : end) - at;
        if (length <= RECORD_MAX_LINE &&
            record_parse_like(worker->kinds, piece->buffer + at, length, &record, &fault) == NULL) {
            note_time(worker->scan, piece, &record);
        }
        at += length + 1;
    }
}

/* piece->time becomes what it would be, had the lines before `end` been parsed. */
static void settle_time(struct worker *worker, struct scan_piece *piece, size_t end)
{
    struct record record;
    size_t fault;

    if (piece->passed_time == INT64_MIN) {
        return;
    }
    if (record_parse_like(worker->kinds, piece->buffer + piece->passed_at, piece->passed_length,
                          &record, &fault) == NULL) {
        note_time(worker->scan, piece, &record);
    } else {
        note_passed_times(worker, piece, end);
    }
    piece->passed_time = INT64_MIN;
}

/* Beyond what a record can have: no bound. */
static void write_second(int64_t time, const char *none, char text[SECOND_LENGTH + 1])
{
    const int64_t second = time / 1000000000;
    struct civil_date date = civil_date((uint64_t)second / 86400);
    unsigned of_day = (unsigned)(second % 86400);
    char whole[64];

    if (time <= 0 || date.year > 2261) {
        memcpy(text, none, SECOND_LENGTH + 1);
        return;
    }
    snprintf(whole, sizeof(whole), "%04u-%02u-%02uT%02u:%02u:%02u", date.year, date.month, date.day,
             of_day / 3600, of_day / 60 % 60, of_day % 60);
    memcpy(text, whole, SECOND_LENGTH + 1);
}

void scan_set_times(struct scan *scan, int64_t start, int64_t end)
{
    scan->bounded = scan->filter.line == NULL && (start != INT64_MIN || end != INT64_MAX);
    write_second(start, "0000-00-00T00:00:00", scan->start);
    write_second(end, "9999-99-99T99:99:99", scan->end);
}

/* ---- all lines --------------------------------------------------------------------------------
 */

/* Of a line that is like another only the fields that the filter asks for are looked up, until it
 * is known that the record is wanted. */
static void take_line(struct worker *worker, struct scan_piece *piece, size_t at, size_t length,
                      bool finished, bool like)
{
    const struct scan_filter *filter = &worker->scan->filter;
    const char *line = piece->buffer + at, *fault;
    struct record all;
    size_t fault_at = 0;

    piece->lines++;
    if (filter->line != NULL) {
        struct scan_item *entry = add_item(worker->scan, piece, at, length);
        if (entry != NULL) {
            entry->finished = finished;
            filter->line(filter->context, worker->kinds, line, length,
                         piece->entries + (piece->count - 1) * filter->entry_size);
        }
        return;
    }
    if (worker->scan->bounded && pass_by_time(worker->scan, piece, line, length)) {
        return;
    }
    settle_time(worker, piece, at);
    if (like || record_like(worker->kinds, line, length)) {
        piece->records++;
        if (like_matches(worker, piece)) {
            take_like(worker, piece);
        }
        return;
    }
    if ((fault = record_parse_new(worker->kinds, line, length, &all, &fault_at)) == NULL) {
        piece->records++;
        note_time(worker->scan, piece, &all);
        if (filter->matches(filter->context, &all)) {
            take_record(worker, piece, &all);
        }
        return;
    }
    struct scan_item *item = add_item(worker->scan, piece, at, length);
    if (item != NULL) {
        item->fault = fault;
        item->fault_at = fault_at;
        item->finished = finished;
    }
}

/* Its rest is passed over by the pieces behind, in which no line begins. */
static void take_long_line(const struct scan *scan, struct scan_piece *piece, size_t at)
{
    piece->lines++;
    struct scan_item *item = add_item(scan, piece, at, 0);
    if (item != NULL) {
        item->fault = "a line longer than 1 MiB";
        item->too_long = item->finished = true;
    }
}

/* The newline that ends the line; NULL without one. *ret_like: the line is like one before,
 * which was seen without looking for the newline. Not where lines are passed by their time, or
 * given to the caller. */
static const char *line_end(struct worker *worker, const struct scan_piece *piece, size_t at,
                            bool *ret_like)
{
    const struct scan *scan = worker->scan;
    const char *line = piece->buffer + at;
    const size_t left = piece->end - at;
    size_t length;

    *ret_like = !scan->bounded && scan->filter.line == NULL &&
                record_like_next(worker->kinds, line, left, &length);
    return *ret_like ? line + length : memchr(line, '\n', left);
}

/* newline: behind the line at `at`; NULL: the file ends in it, or it is too long to be read. */
static void take_one(struct worker *worker, struct scan_piece *piece, size_t at,
                     const char *newline, bool like)
{
    const size_t length = (newline != NULL ? (size_t)(newline - piece->buffer) : piece->end) - at;

    if (length > RECORD_MAX_LINE) {
        settle_time(worker, piece, at);
        take_long_line(worker->scan, piece, at);
    } else if (newline != NULL || length > 0) {
        take_line(worker, piece, at, length, newline != NULL, like);
    }
}

/* Lines that begin before piece->to. */
static void take_lines(struct worker *worker, struct scan_piece *piece, size_t at)
{
    bool like;

    piece->first_line = at;
    while (piece->failed == NULL && piece->start + at < piece->to) {
        const char *newline = line_end(worker, piece, at, &like);
        take_one(worker, piece, at, newline, like);
        if (newline == NULL) {
            return;
        }
        at = (size_t)(newline - piece->buffer) + 1;
    }
}

/* ---- lines that hold a text --------------------------------------------------------------------
 */

/*
 * Of bytes that no escape but a \u can stand for, a value has the bytes themselves, or a \u stands
 * in its line. A line with neither needs no parser.
 */

/* The next place of the text, or the end. */
static const char *find_text(const char *at, const char *end, const char *text, size_t length)
{
    const char *found = memmem(at, (size_t)(end - at), text, length);

    return found != NULL ? found : end;
}

/* The next \u, or the end: of two bytes memchr(3) finds the first sooner than memmem(3) both. */
static const char *find_escape(const char *at, const char *end)
{
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL && at + 1 < end && at[1] != 'u') {
        at++;
    }
    return at != NULL ? at : end;
}

/* Lines that begin before piece->to and hold the text, or an escape. */
static void take_lines_with(struct worker *worker, struct scan_piece *piece, size_t first)
{
    const char *literal = worker->scan->literal, *end = piece->buffer + piece->end;
    const char *line = piece->buffer + first, *newline = line;
    const size_t length = strlen(literal);
    const char *text = find_text(line, end, literal, length), *escape = find_escape(line, end);

    while (piece->failed == NULL && newline != NULL && (text < end || escape < end)) {
        const char *at = text < escape ? text : escape;
        const char *before = memrchr(line, '\n', (size_t)(at - line));
        line = before != NULL ? before + 1 : line;
        if (piece->start + (size_t)(line - piece->buffer) >= piece->to) {
            return;
        }
        newline = memchr(at, '\n', (size_t)(end - at));
        take_one(worker, piece, (size_t)(line - piece->buffer), newline, false);
        line = newline != NULL ? newline + 1 : end;
        text = text < line ? find_text(line, end, literal, length) : text;
        escape = escape < line ? find_escape(line, end) : escape;
    }
}

/* A thread fills the same buffer again where no item points into it. It lies in the cache of the
 * thread's processor; the one that came with the piece may lie in another's. */
static void swap_buffers(struct worker *worker, struct scan_piece *piece)
{
    char *buffer = piece->buffer;
    size_t capacity = piece->capacity;

    piece->buffer = worker->buffer;
    piece->capacity = worker->capacity;
    worker->buffer = buffer;
    worker->capacity = capacity;
}

/* Everything that is known of a piece comes from its bytes alone. */
static void look_through(struct worker *worker, struct scan_piece *piece)
{
    size_t at = 0;

    if (!read_piece(piece)) {
        return;
    }
    if (piece->from > 0) {
        const char *newline = memchr(piece->buffer, '\n', piece->end);
        if (newline == NULL) {
            return;
        }
        at = (size_t)(newline + 1 - piece->buffer);
    }
    if (worker->scan->literal != NULL) {
        take_lines_with(worker, piece, at);
    } else {
        take_lines(worker, piece, at);
    }
    settle_time(worker, piece, piece->end);
}

/* ---- threads ---------------------------------------------------------------------------------
 */

/* Under the lock; NULL: nothing waits. */
static struct scan_piece *take_waiting(struct scan *scan)
{
    struct scan_piece *piece = scan->first;

    if (piece != NULL) {
        scan->first = piece->next;
        scan->last = scan->first == NULL ? &scan->first : scan->last;
        piece->state = SCAN_BUSY;
    }
    return piece;
}

/* Under the lock, which is released for the work. */
static void work_on(struct worker *worker, struct scan_piece *piece)
{
    struct scan *scan = worker->scan;

    pthread_mutex_unlock(&scan->lock);
    swap_buffers(worker, piece);
    look_through(worker, piece);
    if (piece->count == 0) {
        swap_buffers(worker, piece);
    }
    pthread_mutex_lock(&scan->lock);
    piece->state = SCAN_DONE;
    pthread_cond_broadcast(&scan->changed);
}

static void *work_loop(void *argument)
{
    struct worker *worker = argument;
    struct scan *scan = worker->scan;

    pthread_mutex_lock(&scan->lock);
    while (!scan->stop) {
        struct scan_piece *piece = take_waiting(scan);
        if (piece != NULL) {
            work_on(worker, piece);
        } else {
            pthread_cond_wait(&scan->changed, &scan->lock);
        }
    }
    pthread_mutex_unlock(&scan->lock);
    return NULL;
}

static void end_worker(struct worker *worker)
{
    record_kinds_free(worker->kinds);
    record_expander_free(worker->expander);
    base_free(worker->buffer);
}

static void begin_worker(struct worker *worker, struct scan *scan)
{
    *worker = (struct worker){.scan = scan, .kinds = record_kinds_new()};
    worker->expander = scan->filter.write != NULL ? record_expander_new() : NULL;
    record_kinds_watch(worker->kinds, &scan->filter.wanted);
}

/* Signals go to the caller's thread, which looks for them between records. A thread that cannot be
 * started is done without. */
static void start_threads(struct scan *scan)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (scan->threads + 1 < scan->wanted && scan->threads < MOST_THREADS) {
        struct worker *worker = &scan->workers[scan->threads];
        begin_worker(worker, scan);
        if (pthread_create(&worker->thread, NULL, work_loop, worker) != 0) {
            end_worker(worker);
            break;
        }
        scan->threads++;
    }
    scan->wanted = scan->threads + 1;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The text that lines are passed without; NULL where that may not be done. */
static const char *usable_literal(const struct scan_filter *filter, bool times)
{
    static const char plain[] = "0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *text = filter->literal;

    return text == NULL || times || filter->line != NULL || text[strspn(text, plain)] != '\0'
               ? NULL
               : text;
}

struct scan *scan_new(const struct scan_filter *filter, unsigned threads, bool times)
{
    struct scan *scan = base_alloc(1, sizeof(*scan));

    if (scan == NULL) {
        return NULL;
    }
    scan->filter = *filter;
    scan->times = times;
    scan->literal = usable_literal(filter, times);
    scan->last = &scan->first;
    pthread_mutex_init(&scan->lock, NULL);
    pthread_cond_init(&scan->changed, NULL);
    scan->wanted = threads;
    begin_worker(&scan->own, scan);
    return scan;
}

void scan_set_threads(struct scan *scan, unsigned threads)
{
    scan->wanted = threads;
}

/* Not while a thread may work on it. */
void scan_free_piece(struct scan_piece *piece)
{
    base_free(piece->buffer);
    base_free(piece->items);
    base_free(piece->entries);
    text_release(&piece->texts);
    base_free(piece);
}

void scan_free(struct scan *scan)
{
    if (scan == NULL) {
        return;
    }
    pthread_mutex_lock(&scan->lock);
    scan->stop = true;
    pthread_cond_broadcast(&scan->changed);
    pthread_mutex_unlock(&scan->lock);
    for (unsigned i = 0; i < scan->threads; i++) {
        pthread_join(scan->workers[i].thread, NULL);
        end_worker(&scan->workers[i]);
    }
    while (scan->unused != NULL) {
        struct scan_piece *next = scan->unused->next;
        scan_free_piece(scan->unused);
        scan->unused = next;
    }
    end_worker(&scan->own);
    pthread_cond_destroy(&scan->changed);
    pthread_mutex_destroy(&scan->lock);
    base_free(scan);
}

/* ---- the caller ------------------------------------------------------------------------------
 */

/* Its memory stays, but for the results. */
static void make_anew(struct scan_piece *piece, int fd, uint64_t from, uint64_t to)
{
    struct text texts = piece->texts;

    text_clear(&texts);
    *piece = (struct scan_piece){.fd = fd,
                                 .from = from,
                                 .to = to,
                                 .state = SCAN_WAITING,
                                 .buffer = piece->buffer,
                                 .capacity = piece->capacity,
                                 .items = piece->items,
                                 .entries = piece->entries,
                                 .room = piece->room,
                                 .texts = texts,
                                 .time = INT64_MIN,
                                 .passed_time = INT64_MIN};
}

struct scan_piece *scan_begin(struct scan *scan, int fd, uint64_t from, uint64_t to)
{
    struct scan_piece *piece = scan->unused;

    if (piece != NULL) {
        scan->unused = piece->next;
    } else if ((piece = base_alloc(1, sizeof(*piece))) == NULL) {
        return NULL;
    }
    if (scan->threads + 1 < scan->wanted) {
        start_threads(scan);
    }
    make_anew(piece, fd, from, to);
    pthread_mutex_lock(&scan->lock);
    *scan->last = piece;
    scan->last = &piece->next;
    pthread_cond_signal(&scan->changed);
    pthread_mutex_unlock(&scan->lock);
    return piece;
}

/* The oldest piece first, which is the one that is waited for unless a thread has it. */
void scan_wait(struct scan *scan, struct scan_piece *piece)
{
    pthread_mutex_lock(&scan->lock);
    while (piece->state != SCAN_DONE) {
        struct scan_piece *other = take_waiting(scan);
        if (other != NULL) {
            work_on(&scan->own, other);
        } else {
            pthread_cond_wait(&scan->changed, &scan->lock);
        }
    }
    pthread_mutex_unlock(&scan->lock);
}

void scan_give_back(struct scan *scan, struct scan_piece *piece)
{
    piece->next = scan->unused;
    scan->unused = piece;
}

unsigned scan_processors(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > MOST_THREADS ? MOST_THREADS : count < 1 ? 1 : (unsigned)count;
}
