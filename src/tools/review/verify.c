/* SPDX-License-Identifier: MIT */
/*
 * Verifies a whole log: finds its files, walks each and draws the verdict, for `miguard audit
 * verify`.
 *
 * verify_log() opens every file of the log before it reads the first (list_all), since rotation
 * renames and removes files meanwhile, and sorts them. read_all() gives the lines of each file to
 * verify_walk.c, which knows the chain. At the end of the last file read_one() lists again and
 * waits a little: a log that is being written is the usual case. All errors of reading end the
 * work; whatever is wrong with the log itself is a finding.
 */
#include "tools/review/verify.h"
#include "base/alloc.h"
#include "tools/review/files.h"
#include "tools/review/scan.h"
#include "tools/review/verify_lines.h"
#include "tools/review/verify_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Each bound stops a loop that a busy writer, or one who wants to keep the verifier busy, could
     * lead on forever. */
    LISTINGS = 20, /* until two of them are the same */
    ROUNDS = 100,  /* files that a log is rotated to while it is read */
    WAIT_MS = 10,
    PROGRESS_LINES = 4096,
};

/* A file is kept open from its listing on: rotation and retention change names, not what is open.
 */
struct source {
    int fd;
    size_t name; /* in the report */
    dev_t device;
    ino_t inode;
    uint64_t size;
    uint64_t chain_id, sequence; /* of its first record; 0: none was found */
    int64_t time;
};

/* A file with a name of the log's and no record of it: a notice, reported at the end. */
struct stray {
    size_t name; /* in the report */
    const char *why;
};

/* What is open, and where the report of it goes. */
struct sources {
    const struct verify_request *request;
    struct verify_report *report;
    struct source *list;
    size_t count;
    struct stray *strays;
    size_t stray_count;
    struct miguard_error *reterr;
};

/* ---- which files ---------------------------------------------------------------------------- */

/*
 * Rotation may rename, pack and remove files at any moment. Files are therefore opened while they
 * are listed, and the listing is repeated until it finds nothing new. From then on only descriptors
 * are used.
 */

/* Names belong to the report and stay. */
static void close_sources(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        close(sources->list[i].fd);
    }
    base_free(sources->list);
    base_free(sources->strays);
    sources->list = NULL;
    sources->strays = NULL;
    sources->count = sources->stray_count = 0;
}

/* Findings point to these names, so they live as long as the report. False out of memory. */
static bool add_name(struct verify_report *report, const char *name)
{
    char **names = base_resize(report->names, report->name_count + 1, sizeof(*names));

    if (names == NULL) {
        return false;
    }
    report->names = names;
    names[report->name_count] = base_copy_text(name);
    if (names[report->name_count] == NULL) {
        return false;
    }
    report->name_count++;
    return true;
}

/* The first record that is one, near the beginning of the file. Broken lines before it are passed
 * over, 100 at the most; a file without one has sequence 0 and stands last. errno is that of the
 * failure. */
static enum miguard_status look_at_first(struct source *source)
{
    struct lines lines;
    struct item item;
    const char *line;
    size_t length, offset;
    enum lines_result result = LINES_LINE;

    if (!lines_open(source->fd, &lines)) {
        lines_close(&lines);
        return MIGUARD_NO_MEMORY;
    }
    for (int i = 0; i < 100 && source->sequence == 0; i++) {
        result = lines_next(&lines, &line, &length);
        if (result != LINES_LINE && result != LINES_TOO_LONG) {
            break;
        }
        if (result == LINES_LINE && record_parse(line, length, &item.record, &offset) == NULL) {
            item_read(line, length, &item);
            source->chain_id = item.chained ? item.chain_id : 0;
            if (!record_number(&item.record, RECORD_SEQUENCE, &source->sequence)) {
                source->sequence = 0;
            }
            source->time = item.time;
        }
    }
    lines_close(&lines);
    return result != LINES_FAILED ? MIGUARD_OK
           : errno == ENOMEM      ? MIGUARD_NO_MEMORY
                                  : MIGUARD_SYSTEM;
}

/* By device and inode: rotation may show one file under two names. */
static bool is_known(const struct sources *sources, const struct stat *status)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i].device == status->st_dev && sources->list[i].inode == status->st_ino) {
            return true;
        }
    }
    return false;
}

/* reterr says it; the report made so far is released by verify_log(). */
static enum miguard_status no_memory(struct sources *sources)
{
    return error_set(sources->reterr, MIGUARD_NO_MEMORY, 0, "verify", NULL);
}

/*
 * *ret_new counts files that were not known. One that is gone again was rotated or removed: the
 * next listing has what became of it. O_NONBLOCK: the open of a FIFO in the place of a log must not
 * wait. The descriptor lies in the list from the moment that it is known to be new, so
 * close_sources() closes it.
 */
static enum miguard_status add_file(struct sources *sources, const char *name, size_t *ret_new)
{
    struct stat status;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        ++*ret_new;
        return MIGUARD_OK;
    }
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        int error = fd < 0 ? errno : EINVAL;
        if (fd >= 0) {
            close(fd);
        }
        return error_set(sources->reterr, MIGUARD_SYSTEM, error, "open", "%s: %s", name,
                         error == EINVAL ? "it is not a regular file" : strerror(error));
    }
    if (is_known(sources, &status)) {
        close(fd);
        return MIGUARD_OK;
    }
    struct source *list = base_resize(sources->list, sources->count + 1, sizeof(*list));
    if (list == NULL || !add_name(sources->report, name)) {
        sources->list = list != NULL ? list : sources->list;
        close(fd);
        return no_memory(sources);
    }
    sources->list = list;
    list[sources->count++] = (struct source){.fd = fd,
                                             .name = sources->report->name_count - 1,
                                             .device = status.st_dev,
                                             .inode = status.st_ino,
                                             .size = (uint64_t)status.st_size};
    ++*ret_new;
    enum miguard_status looked = look_at_first(&list[sources->count - 1]);
    return looked == MIGUARD_OK
               ? looked
               : error_set(sources->reterr, looked, errno, "read", "%s: %s", name, strerror(errno));
}

/* 0 without a key: log_parts_find() then takes the one of the state or of the current file. */
static uint64_t own_chain(const struct sources *sources)
{
    return sources->request->key != NULL ? chain_id_of_key(sources->request->key) : 0;
}

/* While gzip(1) or zstd(1) work there are NAME.3 and NAME.3.gz: the packed one is not complete, or
 * the same once more. Any other copy is read, and reported as what it is. Leaving a twin out hides
 * nothing: the plain file has all of it. */
static bool is_twin(const struct log_parts *parts, size_t at)
{
    const struct log_part *part = &parts->list[at];

    for (size_t i = 0; i < parts->count && part->packed; i++) {
        if (!parts->list[i].packed && !parts->list[i].current &&
            parts->list[i].number == part->number) {
            return true;
        }
    }
    return false;
}

/* A folder is listed more than once; each stray is reported once. */
static bool note_strays(struct sources *sources, const struct log_parts *parts)
{
    for (size_t i = parts->count; i < parts->count + parts->strays; i++) {
        const struct log_part *part = &parts->list[i];
        bool known = false;
        for (size_t j = 0; j < sources->stray_count; j++) {
            known |= strcmp(sources->report->names[sources->strays[j].name], part->name) == 0;
        }
        if (known) {
            continue;
        }
        struct stray *list = base_resize(sources->strays, sources->stray_count + 1, sizeof(*list));
        sources->strays = list != NULL ? list : sources->strays;
        if (list == NULL || !add_name(sources->report, part->name)) {
            return false;
        }
        list[sources->stray_count++] =
            (struct stray){.name = sources->report->name_count - 1, .why = part->stray};
    }
    return true;
}

/* Every log of the request. Files that were added before keep their descriptor, whatever their name
 * is now. */
static enum miguard_status list_once(struct sources *sources, size_t *ret_new)
{
    enum miguard_status status = MIGUARD_OK;

    *ret_new = 0;
    for (size_t i = 0; i < sources->request->log_count && status == MIGUARD_OK; i++) {
        struct log_parts parts = {0};
        status =
            log_parts_find(sources->request->logs[i], own_chain(sources), &parts, sources->reterr);
        for (size_t j = 0; j < parts.count && status == MIGUARD_OK; j++) {
            if (!is_twin(&parts, j)) {
                status = add_file(sources, parts.list[j].name, ret_new);
            }
        }
        if (status == MIGUARD_OK && !note_strays(sources, &parts)) {
            status = no_memory(sources);
        }
        log_parts_release(&parts);
    }
    return status;
}

/*
 * A folder that is being rotated may show a file under two names or under none. When a listing
 * shows nothing new, the one before missed nothing: the current file was in it, and so those that
 * had that name before had their new names already. After LISTINGS without rest it goes on with
 * what it has: a file that is missing shows as a gap, never as an intact log.
 */
static enum miguard_status list_settled(struct sources *sources)
{
    size_t fresh = 1;
    enum miguard_status status = MIGUARD_OK;

    for (int i = 0; i < LISTINGS && fresh > 0 && status == MIGUARD_OK; i++) {
        status = list_once(sources, &fresh);
    }
    return status;
}

/* An empty list is NOT_FOUND and not an intact log. */
static enum miguard_status list_all(struct sources *sources)
{
    enum miguard_status status = list_settled(sources);

    if (status == MIGUARD_OK && sources->count == 0) {
        return error_set(sources->reterr, MIGUARD_NOT_FOUND, ENOENT, "open", "there is no file");
    }
    return status;
}

/* When the chain of a file began, as far as the files show. INT64_MAX when no file of the list
 * begins with that chain. */
static int64_t chain_start(const struct sources *sources, uint64_t chain_id)
{
    uint64_t lowest = UINT64_MAX;
    int64_t time = INT64_MAX;

    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = &sources->list[i];
        if (source->chain_id == chain_id && source->sequence < lowest) {
            lowest = source->sequence;
            time = source->time;
        }
    }
    return time;
}

/* The own chain first, so that what another chain brings is judged against it; then chains by their
 * age. Files without a record stand last. */
static bool comes_before(const struct sources *sources, const struct source *a,
                         const struct source *b)
{
    uint64_t own = own_chain(sources);

    if (a->sequence == 0 || b->sequence == 0) {
        return b->sequence == 0 && a->sequence != 0;
    }
    if (a->chain_id == b->chain_id) {
        return a->sequence < b->sequence;
    }
    if (own != 0 && (a->chain_id == own || b->chain_id == own)) {
        return a->chain_id == own;
    }
    return chain_start(sources, a->chain_id) < chain_start(sources, b->chain_id);
}

/* Few files, and those with the same number must stay in the order given. Insertion sort is stable;
 * qsort(3) is not. */
static void sort(struct sources *sources, size_t from)
{
    for (size_t i = from + 1; i < sources->count; i++) {
        struct source source = sources->list[i];
        size_t at = i;
        for (; at > from && comes_before(sources, &source, &sources->list[at - 1]); at--) {
            sources->list[at] = sources->list[at - 1];
        }
        sources->list[at] = source;
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

/*
 * Each file is read to what is its end at present. For the last one that is not final: its writer
 * may be in the middle of a record, or may just have begun another file.
 */

/* Where read_all() is. */
struct reading {
    struct walk *walk;
    struct sources *sources;
    struct lines lines;
    uint64_t done; /* bytes of files that are finished */
    /* The last line of the file at hand has no newline. */
    bool unfinished;
    unsigned rounds; /* listings since */
};

/* The progress function asked for it; no verdict is given on a part. */
static enum miguard_status stopped(struct sources *sources)
{
    return error_set(sources->reterr, MIGUARD_BAD_STATE, EINTR, "verify", "interrupted");
}

/* The size of all files as they lie on the disk, which a growing one may exceed. */
static bool goes_on(const struct reading *reading)
{
    const struct verify_request *request = reading->sources->request;
    uint64_t total = 0;

    if (request->progress == NULL) {
        return true;
    }
    for (size_t i = 0; i < reading->sources->count; i++) {
        total += reading->sources->list[i].size;
    }
    return request->progress(request->context, reading->done + lines_read(&reading->lines), total);
}

/* ---- in pieces ------------------------------------------------------------------------------ */

/*
 * What a file held when it was listed is read in pieces (scan.h): threads, or the caller's alone,
 * parse and hash, and the walk goes through the results in their order. It ends at the last newline
 * that was there, at a line that is too long, or where the file is shorter than it was; the rest is
 * read line by line.
 */

/* PIECE: for a thread at once. WORTH: a file of fewer pieces is read sooner than threads start and
 * kinds of lines are learnt. */
enum { PIECE = 256 * 1024, WORTH = 4, MOST_AHEAD = 32 };

/* What a thread makes of a line. */
struct scanned {
    const char *fault;
    struct item item;
};

static void scan_line(const void *context, struct record_kinds *kinds, const char *line,
                      size_t length, void *ret_entry)
{
    struct scanned *scanned = ret_entry;
    scanned->fault = item_scan(context, kinds, line, length, &scanned->item);
}

/* A packed file begins otherwise than a record. */
static bool is_plain(int fd)
{
    char magic[UNPACK_MAGIC];
    ssize_t got = pread(fd, magic, sizeof(magic), 0);

    return got == (ssize_t)sizeof(magic) && unpack_kind(magic, sizeof(magic)) == UNPACK_PLAIN;
}

/* How far a file was read in pieces. */
struct ahead {
    uint64_t bytes, lines;
    bool ends;
};

/* Lines in their order, up to one that the threads leave to read_lines(). */
static void walk_piece(struct walk *walk, const struct scan_piece *piece, struct ahead *ahead)
{
    for (size_t i = 0; i < piece->count; i++) {
        const struct scan_item *item = &piece->items[i];
        struct scanned *scanned = (struct scanned *)(void *)piece->entries + i;
        if (item->too_long || !item->finished) {
            ahead->ends = true;
            return;
        }
        walk->line = ++ahead->lines;
        walk_scanned(walk, scanned->fault, &scanned->item);
        ahead->bytes = piece->start + item->at + item->length + 1;
    }
    ahead->ends = ahead->ends || piece->at_end;
}

/* The pieces of one file that were begun, in a ring. */
struct pieces {
    struct scan *scan;
    struct scan_piece *ring[MOST_AHEAD];
    uint64_t begun, walked; /* how many */
    int fd;
    uint64_t size, piece;
};

/* As many as the threads have use for. False out of memory. */
static bool begin_pieces(struct pieces *pieces, unsigned threads)
{
    uint64_t most = 2 * threads + 1 < MOST_AHEAD ? 2 * threads + 1 : MOST_AHEAD;

    while (pieces->begun < pieces->walked + most && pieces->begun * pieces->piece < pieces->size) {
        uint64_t from = pieces->begun * pieces->piece;
        uint64_t to = from + pieces->piece < pieces->size ? from + pieces->piece : pieces->size;
        struct scan_piece *piece = scan_begin(pieces->scan, pieces->fd, from, to);
        if (piece == NULL) {
            return false;
        }
        pieces->ring[pieces->begun++ % MOST_AHEAD] = piece;
    }
    return true;
}

/* A piece that could not be read is left to read_lines(), which reports it. */
static enum miguard_status walk_pieces(struct reading *reading, struct pieces *pieces,
                                       struct ahead *ahead)
{
    struct walk *walk = reading->walk;

    while (!ahead->ends) {
        if (!keys_extend(walk) || !begin_pieces(pieces, reading->sources->request->threads)) {
            return no_memory(reading->sources);
        }
        if (pieces->walked == pieces->begun) {
            return MIGUARD_OK;
        }
        struct scan_piece *piece = pieces->ring[pieces->walked % MOST_AHEAD];
        scan_wait(pieces->scan, piece);
        walk_piece(walk, piece, ahead);
        ahead->ends = ahead->ends || piece->failed != NULL;
        pieces->walked++;
        scan_give_back(pieces->scan, piece);
        reading->lines.taken = ahead->bytes;
        if (!goes_on(reading)) {
            return stopped(reading->sources);
        }
    }
    return MIGUARD_OK;
}

/* lines is open, and goes on behind what was read here. */
static enum miguard_status read_ahead(struct reading *reading, const struct source *source)
{
    const struct verify_request *request = reading->sources->request;
    const struct scan_filter filter = {
        .context = reading->walk, .line = scan_line, .entry_size = sizeof(struct scanned)};
    struct pieces pieces = {.fd = source->fd,
                            .size = source->size,
                            .piece = request->piece != 0 ? request->piece : PIECE};
    struct ahead ahead = {0};

    if (source->size < WORTH * pieces.piece || !is_plain(source->fd)) {
        return MIGUARD_OK;
    }
    pieces.scan = scan_new(&filter, request->threads, false);
    if (pieces.scan == NULL) {
        return no_memory(reading->sources);
    }
    enum miguard_status status = walk_pieces(reading, &pieces, &ahead);
    scan_free(pieces.scan);
    for (; pieces.walked < pieces.begun; pieces.walked++) {
        scan_free_piece(pieces.ring[pieces.walked % MOST_AHEAD]);
    }
    lines_skip(&reading->lines, ahead.bytes, ahead.lines);
    return status;
}

/* ---- line by line --------------------------------------------------------------------------- */

/* To what is the end at present. A damaged packed file ends here: what stands behind the damage
 * cannot be read, and the next file shows what is missing. */
static enum miguard_status read_lines(struct reading *reading, const char *name)
{
    struct walk *walk = reading->walk;
    const char *line;
    size_t length;

    for (;;) {
        enum lines_result result = lines_next(&reading->lines, &line, &length);
        reading->unfinished = result == LINES_REST;
        if (result == LINES_REST || result == LINES_END) {
            return MIGUARD_OK;
        }
        if (result == LINES_FAILED) {
            return error_set(reading->sources->reterr,
                             errno == ENOMEM ? MIGUARD_NO_MEMORY : MIGUARD_SYSTEM, errno, "read",
                             "%s: %s", name, strerror(errno));
        }
        walk->line = result == LINES_DAMAGED ? reading->lines.line + 1 : reading->lines.line;
        if (result == LINES_DAMAGED) {
            walk_broken(walk, reading->lines.fault);
            return MIGUARD_OK;
        }
        if (result == LINES_TOO_LONG) {
            walk_broken(walk, "the line is too long");
        } else {
            walk_line(walk, line, length);
        }
        if (reading->lines.line % PROGRESS_LINES == 0 && !goes_on(reading)) {
            return stopped(reading->sources);
        }
    }
}

/* A whole record may lack nothing but its newline; anything else that lacks it is no record. last:
 * of the last file, where a line may be in the middle of being written and is no finding yet. */
static void read_rest(struct reading *reading, bool last)
{
    struct walk *walk = reading->walk;
    struct record record;
    const char *line;
    size_t length, offset;

    if (!reading->unfinished || lines_next(&reading->lines, &line, &length) != LINES_REST) {
        return;
    }
    bool whole = !reading->lines.skipping && record_parse(line, length, &record, &offset) == NULL;
    if (!whole && last) {
        return;
    }
    reading->unfinished = false;
    walk->line = reading->lines.line + 1;
    if (whole) {
        walk_line(walk, line, length);
    } else {
        walk_broken(walk, "the line is not finished");
    }
}

/* Short, and by a clock that cannot be set. */
static void wait_for_writer(void)
{
    struct timespec time = {.tv_nsec = WAIT_MS * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Files that the log was rotated to since it was listed. Kept are files with later numbers than the
 * last one read. */
static enum miguard_status list_newer(struct sources *sources)
{
    size_t before = sources->count;
    enum miguard_status status = list_settled(sources);

    for (size_t i = before; i < sources->count && status == MIGUARD_OK;) {
        /* Others are copies of what was read, such as one that was compressed in the meantime. */
        if (sources->list[i].sequence <= sources->list[before - 1].sequence) {
            close(sources->list[i].fd);
            sources->list[i] = sources->list[--sources->count];
        } else {
            i++;
        }
    }
    sort(sources, before);
    return status;
}

/* *ret_last: no newer file came while it was read. For the last file it waits for what
 * walk_wants_more() misses, `waits` times 10 ms at the most. */
static enum miguard_status read_one(struct reading *reading, size_t index, bool *ret_last)
{
    struct sources *sources = reading->sources;
    const char *name = sources->report->names[sources->list[index].name];

    if (!lines_open(sources->list[index].fd, &reading->lines)) {
        return no_memory(sources);
    }
    walk_file(reading->walk, name);
    enum miguard_status status = read_ahead(reading, &sources->list[index]);
    if (status == MIGUARD_OK) {
        status = read_lines(reading, name);
    }
    unsigned waits = sources->request->waits;
    /* Only at the end of the last file, as far as is known. */
    while (status == MIGUARD_OK && index + 1 == sources->count) {
        if (reading->rounds++ < ROUNDS) {
            status = list_newer(sources);
        }
        if (status != MIGUARD_OK || index + 1 < sources->count || !walk_wants_more(reading->walk) ||
            waits-- == 0) {
            break;
        }
        wait_for_writer();
        lines_again(&reading->lines);
        status = read_lines(reading, name);
    }
    if (status == MIGUARD_OK && index + 1 < sources->count) {
        lines_again(&reading->lines); /* it was the current one until a moment ago */
        status = read_lines(reading, name);
    }
    *ret_last = index + 1 == sources->count;
    if (status == MIGUARD_OK) {
        read_rest(reading, *ret_last);
    }
    sources->report->bytes += reading->lines.bytes;
    reading->done += sources->list[index].size;
    return status;
}

/* The boot of the system at present; "" when it cannot be read. A loss at the end is honest only if
 * the system went down since (went_down() in verify_walk.c). */
static void read_boot(char boot[WALK_BOOT])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot, 0, WALK_BOOT);
    ssize_t got = fd >= 0 ? read(fd, boot, WALK_BOOT - 1) : 0;
    if (fd >= 0) {
        close(fd);
    }
    while (got > 0 && boot[got - 1] == '\n') {
        boot[--got] = '\0';
    }
}

/* Each file from its first byte to its end, then strays, then what only the end can show. */
static enum miguard_status read_all(struct walk *walk, struct sources *sources)
{
    struct reading reading = {.walk = walk, .sources = sources};
    enum miguard_status status = MIGUARD_OK;
    bool last = false;
    char boot[WALK_BOOT];

    for (size_t i = 0; i < sources->count && status == MIGUARD_OK; i++) {
        status = read_one(&reading, i, &last);
        lines_close(&reading.lines);
    }
    if (status == MIGUARD_OK) {
        read_boot(boot);
        sources->report->files = sources->count;
        for (size_t i = 0; i < sources->stray_count; i++) {
            walk_stray(walk, sources->report->names[sources->strays[i].name],
                       sources->strays[i].why);
        }
        walk_finish(walk, reading.unfinished, boot);
    }
    return status;
}

/* The walk holds keys, and walk_close() clears it. *ret_report is written only on success. */
enum miguard_status verify_log(const struct verify_request *request,
                               struct verify_report *ret_report, struct miguard_error *reterr)
{
    struct verify_report report = {0};
    struct sources sources = {.request = request, .report = &report, .reterr = reterr};

    if (request == NULL || ret_report == NULL || request->log_count == 0 ||
        (request->key != NULL && !request->key->present)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "verify", NULL);
    }
    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", NULL);
    }
    struct walk *walk = base_alloc(1, sizeof(*walk));
    enum miguard_status status = list_all(&sources);
    if (status == MIGUARD_OK && (walk == NULL || !walk_open(walk, request, &report))) {
        status = no_memory(&sources);
    }
    if (status == MIGUARD_OK) {
        sort(&sources, 0);
        status = read_all(walk, &sources);
    }
    close_sources(&sources);
    if (walk != NULL) {
        walk_close(walk);
        base_free(walk);
    }
    if (status == MIGUARD_OK) {
        *ret_report = report;
    } else {
        verify_release(&report);
    }
    return status;
}
