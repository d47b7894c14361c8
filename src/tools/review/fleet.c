/* SPDX-License-Identifier: MIT */
/*
 * Verifies a collected store, for `miguard fleet verify`.
 *
 * read_store() goes through every file once and notes where each record lies (fleet_index.h).
 * judge_store() then gets the places by chain and number, reads each record again, and gives it to
 * one walk for each chain (verify_walk.h), as if it were the log of that host. compare_rows() says
 * what only a look at all hosts shows. Memory grows with the number of chains and never with that
 * of records.
 */
#include "tools/review/fleet.h"
#include "base/alloc.h"
#include "tools/review/fleet_clock.h"
#include "tools/review/fleet_files.h"
#include "tools/review/fleet_index.h"
#include "tools/review/record_like.h"
#include "tools/review/verify_walk.h"

#include <stdlib.h>
#include <string.h>

enum {
    PROGRESS_LINES = 4096,
    /* Different lines with one number: more than these are given to the walk without a look at
     * whether they came before. */
    SAME_NUMBER = 16,
    NAME_SIZE = 1024, /* more than a record keeps of a host's name */
};

const struct fleet_fact_words fleet_facts[FLEET_FACT_COUNT] = {
#define FACT_ROW(NAME, alarm, name, text) {alarm, name, text},
    FLEET_FACT_MAP(FACT_ROW)
#undef FACT_ROW
};

/* The chain at hand. */
struct chain_work {
    struct fleet_row *row; /* the last of the report's; NULL: no chain was begun */
    const struct fleet_key *key;
    struct verify_head *heads;
    size_t head_count;
    bool open; /* the walk is */
    struct verify_request request;
    struct walk walk;
    bool named;        /* a good record gave the host's name */
    uint64_t sequence; /* of the last entry; 0: none */
    unsigned char same[SAME_NUMBER][16];
    size_t same_count;       /* of the entries with this number */
    uint64_t file, farthest; /* where the last entries lay */
    size_t short_folder;     /* the first file in the folder of row->short_file */
};

/* All of one verification. */
struct fleet {
    const struct fleet_request *request;
    struct fleet_report *report;
    struct miguard_error *reterr;
    struct fleet_files files;
    struct fleet_index index;
    struct fleet_hosts hosts;
    struct chain_work work;
    char *line;                 /* RECORD_MAX_LINE */
    struct record_kinds *kinds; /* NULL: every line is parsed by itself */
    bool *key_met;
    uint64_t look_ahead, steps; /* what is left of them */
    size_t findings;            /* that are kept, of all rows */
    uint64_t done;              /* lines of the second pass */
};

static enum miguard_status no_memory(const struct fleet *fleet)
{
    return error_set(fleet->reterr, MIGUARD_NO_MEMORY, 0, "fleet", NULL);
}

/* Reading is one half of the work, judging the other. */
static enum miguard_status show_progress(const struct fleet *fleet, uint64_t done, uint64_t total)
{
    const struct fleet_request *request = fleet->request;

    if (request->progress == NULL || request->progress(request->context, done, total)) {
        return MIGUARD_OK;
    }
    return error_set(fleet->reterr, MIGUARD_BAD_STATE, 0, "fleet", "interrupted");
}

/* ---- reading the store ---------------------------------------------------------------------- */

/* A line that no chain can be charged with. Where it took the place of a record, the number of that
 * is missing in its chain. */
static void note_broken(struct fleet *fleet, size_t file, uint64_t line, const char *fault)
{
    struct fleet_report *report = fleet->report;

    if (report->kept_count == FLEET_BROKEN_KEPT) {
        return;
    }
    struct fleet_broken *broken = &report->kept[report->kept_count++];
    *broken = (struct fleet_broken){.file = fleet->files.list[file].name, .line = line};
    snprintf(broken->fault, sizeof(broken->fault), "%s", fault);
}

/* The record is whole: its place, and its host and time beside those of its neighbours. */
static enum miguard_status note_record(struct fleet *fleet, const struct item *item,
                                       struct fleet_entry *entry)
{
    static const struct chain_key none = {0};
    unsigned char digest[CHAIN_HASH_SIZE];
    char host[NAME_SIZE];

    chain_hash(&none, item->record.line, item->record.length, digest);
    memcpy(entry->of.record.digest, digest, sizeof(entry->of.record.digest));
    entry->chain = item->chain_id;
    entry->sequence = item->sequence;
    entry->length = (uint32_t)item->record.length;
    record_text(&item->record, RECORD_HOST, host, sizeof(host));
    if (!fleet_hosts_see(&fleet->hosts, host, item->time)) {
        return no_memory(fleet);
    }
    return fleet_index_add(&fleet->index, entry, fleet->reterr);
}

/* at: of the line in its file. A collector may have put a head before the record. */
static enum miguard_status read_line(struct fleet *fleet, size_t file, uint64_t at, uint64_t number,
                                     const char *line, size_t length)
{
    size_t start = fleet_record_start(line, length), offset;
    struct item item = {0};
    const char *fault =
        record_parse_like(fleet->kinds, line + start, length - start, &item.record, &offset);

    fleet->report->lines++;
    if (fault != NULL) {
        fleet->report->broken++;
        note_broken(fleet, file, number, fault);
        return MIGUARD_OK;
    }
    item_read(line + start, length - start, &item);
    if (!item.chained) {
        fleet->report->unchained++;
        note_broken(fleet, file, number, "the record has no place in a chain");
        return MIGUARD_OK;
    }
    struct fleet_entry entry = {.file = (uint32_t)file,
                                .of.record = {.offset = at + start, .line = number}};
    return note_record(fleet, &item, &entry);
}

/* What has no newline may be in the middle of being written; a whole record counts all the same. */
static enum miguard_status read_rest(struct fleet *fleet, size_t file, const struct lines *lines,
                                     uint64_t at, const char *line, size_t length)
{
    size_t start = fleet_record_start(line, length), offset;
    struct record record;

    if (lines->skipping ||
        record_parse_like(fleet->kinds, line + start, length - start, &record, &offset) != NULL) {
        fleet->report->unfinished++;
        return MIGUARD_OK;
    }
    return read_line(fleet, file, at, lines->line + 1, line, length);
}

/* A damaged packed file ends where the damage is. */
static enum miguard_status read_lines(struct fleet *fleet, size_t file, struct lines *lines,
                                      const char *fault)
{
    uint64_t from = fleet->files.list[file].packed ? fleet->files.list[file].spooled : 0;
    enum miguard_status status = MIGUARD_OK;
    const char *line;
    size_t length;

    while (status == MIGUARD_OK) {
        enum lines_result result = lines_next(lines, &line, &length);
        if (result == LINES_LINE) {
            status =
                read_line(fleet, file, lines->bytes - length - 1 - from, lines->line, line, length);
        } else if (result == LINES_TOO_LONG) {
            fleet->report->lines++;
            fleet->report->broken++;
            note_broken(fleet, file, lines->line, "the line is too long");
        } else if (result == LINES_FAILED) {
            return error_set(fleet->reterr, MIGUARD_SYSTEM, 0, "read", "%s: cannot be read",
                             fleet->files.list[file].name);
        } else {
            status = result == LINES_REST
                         ? read_rest(fleet, file, lines, lines->bytes - from, line, length)
                         : MIGUARD_OK;
            break;
        }
        if (status == MIGUARD_OK && lines->line % PROGRESS_LINES == 0) {
            status = show_progress(fleet, file, 2 * fleet->files.count);
        }
    }
    if (fault != NULL) {
        fleet->report->broken++;
        note_broken(fleet, file, lines->line + 1, fault);
    }
    fleet->report->bytes += lines->bytes - from;
    return status;
}

/* In the order of their names. */
static enum miguard_status read_store(struct fleet *fleet)
{
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < fleet->files.count && status == MIGUARD_OK; i++) {
        struct lines lines;
        const char *fault;
        status = fleet_files_open(&fleet->files, i, &lines, &fault, fleet->reterr);
        fleet_hosts_file(&fleet->hosts, i + 1);
        if (status == MIGUARD_OK) {
            status = read_lines(fleet, i, &lines, fault);
        }
        lines_close(&lines);
    }
    fleet->report->files = fleet->files.count;
    return status;
}

/* ---- heads from another channel ------------------------------------------------------------- */

static enum miguard_status read_head_lines(struct fleet *fleet, struct lines *lines,
                                           const char *name)
{
    enum miguard_status status = MIGUARD_OK;
    const char *line;
    size_t length;

    while (status == MIGUARD_OK) {
        enum lines_result result = lines_next(lines, &line, &length);
        struct fleet_entry entry = {0};
        struct verify_head head = {0};
        if (result == LINES_FAILED) {
            return error_set(fleet->reterr, MIGUARD_SYSTEM, 0, "read", "%s: cannot be read", name);
        }
        if (result != LINES_LINE && result != LINES_REST && result != LINES_TOO_LONG) {
            break;
        }
        if (result != LINES_TOO_LONG && fleet_head_read(line, length, &entry.chain, &head)) {
            entry.sequence = head.sequence;
            memcpy(entry.of.head, head.hash, sizeof(head.hash));
            fleet->report->heads++;
            status = fleet_index_add(&fleet->index, &entry, fleet->reterr);
        }
        if (result == LINES_REST) {
            break;
        }
    }
    return status;
}

/* Lines without a head are others' and passed over: the channel may carry more than ours. */
static enum miguard_status read_heads(struct fleet *fleet)
{
    const struct fleet_request *request = fleet->request;
    struct fleet_files files;
    enum miguard_status status =
        fleet_files_find(request->heads, request->head_count, &files, fleet->reterr);

    for (size_t i = 0; i < files.count && status == MIGUARD_OK; i++) {
        struct lines lines;
        const char *fault;
        status = fleet_files_open(&files, i, &lines, &fault, fleet->reterr);
        if (status == MIGUARD_OK) {
            status = read_head_lines(fleet, &lines, files.list[i].name);
        }
        lines_close(&lines);
    }
    fleet_files_release(&files);
    return status;
}

/* ---- one chain ------------------------------------------------------------------------------ */

/* A key may be there more than once. */
static const struct fleet_key *key_of(struct fleet *fleet, uint64_t chain)
{
    const struct fleet_key *key = NULL;

    for (size_t i = 0; i < fleet->request->key_count; i++) {
        if (chain_id_of_key(&fleet->request->keys[i].key) == chain) {
            fleet->key_met[i] = true;
            key = key == NULL ? &fleet->request->keys[i] : key;
        }
    }
    return key;
}

/* NULL out of memory. The rows before may move, so none of them is held. */
static struct fleet_row *add_row(struct fleet *fleet, uint64_t chain)
{
    struct fleet_report *report = fleet->report;

    if ((report->row_count & (report->row_count - 1)) == 0) {
        size_t room = report->row_count == 0 ? 1 : 2 * report->row_count;
        struct fleet_row *rows = base_resize(report->rows, room, sizeof(*rows));
        if (rows == NULL) {
            return NULL;
        }
        report->rows = rows;
    }
    report->rows[report->row_count] = (struct fleet_row){.chain = chain};
    return &report->rows[report->row_count++];
}

static enum miguard_status begin_chain(struct fleet *fleet, uint64_t chain)
{
    struct chain_work *work = &fleet->work;
    struct verify_head *heads = work->heads;

    *work = (struct chain_work){.heads = heads, .row = add_row(fleet, chain)};
    if (heads == NULL) {
        work->heads = base_alloc(FLEET_HEADS_MOST, sizeof(*work->heads));
    }
    work->key = key_of(fleet, chain);
    return work->row != NULL && work->heads != NULL ? MIGUARD_OK : no_memory(fleet);
}

/* Each covers all before it, so that every second one may go; never the last. They come by number.
 */
static void add_head(struct chain_work *work, const struct fleet_entry *entry)
{
    const struct verify_head *last =
        work->head_count > 0 ? &work->heads[work->head_count - 1] : NULL;

    work->row->heads++;
    if (last != NULL && last->sequence == entry->sequence &&
        chain_hash_equal(last->hash, entry->of.head)) {
        return;
    }
    if (work->head_count == FLEET_HEADS_MOST) {
        for (size_t i = 0; i < FLEET_HEADS_MOST / 2; i++) {
            work->heads[i] = work->heads[2 * i + 1];
        }
        work->head_count = FLEET_HEADS_MOST / 2;
    }
    struct verify_head *head = &work->heads[work->head_count++];
    head->sequence = entry->sequence;
    memcpy(head->hash, entry->of.head, sizeof(head->hash));
}

/* A state that was set aside with its key: this chain goes on with the numbers of another one, and
 * names that one's last record. compare_rows() looks for it. */
static bool begins_behind(const struct item *item)
{
    return record_is(&item->record, RECORD_ACTION, "audit-state-set-aside") && item->sequence > 1;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* item: the first record; NULL: there is no record. */
static enum miguard_status open_walk(struct fleet *fleet, const struct item *item)
{
    struct chain_work *work = &fleet->work;
    struct fleet_row *row = work->row;

    if (item != NULL && begins_behind(item)) {
        row->follows = item->sequence - 1;
        memcpy(row->follows_hash, item->previous, sizeof(row->follows_hash));
    }
    row->partial = fleet->request->partial || row->follows != 0;
    row->missing = row->partial ? 0 : row->missing; /* the first record has been counted */
    work->request =
        (struct verify_request){.key = work->key != NULL ? &work->key->key : NULL,
                                .heads = work->heads,
                                .head_count = work->head_count,
                                .look_ahead = least(fleet->look_ahead, VERIFY_LOOK_AHEAD),
                                .steps = least(fleet->steps, VERIFY_STEPS),
                                .partial = row->partial};
    work->open = true;
    return walk_open(&work->walk, &work->request, &row->report) ? MIGUARD_OK : no_memory(fleet);
}

/* ---- one record ----------------------------------------------------------------------------- */

/* The same bytes under the same number came before. */
static bool is_duplicate(struct chain_work *work, const struct fleet_entry *entry)
{
    const unsigned char *digest = entry->of.record.digest;

    for (size_t i = 0; i < work->same_count; i++) {
        if (memcmp(work->same[i], digest, sizeof(work->same[i])) == 0) {
            return true;
        }
    }
    if (work->same_count < SAME_NUMBER) {
        memcpy(work->same[work->same_count++], digest, sizeof(work->same[0]));
    }
    return false;
}

/* Of the first line of each number. The order of files says nothing about the order in which they
 * were written. */
static void note_order(struct chain_work *work, const struct fleet_entry *entry)
{
    uint64_t offset = entry->of.record.offset;

    if (work->sequence != 0 && work->file == entry->file && offset < work->farthest) {
        work->row->first_reordered =
            work->row->reordered++ == 0 ? entry->sequence : work->row->first_reordered;
    } else {
        work->file = entry->file;
        work->farthest = offset;
    }
}

static void note_number(struct chain_work *work, const struct fleet_entry *entry)
{
    if (work->sequence == entry->sequence) {
        return;
    }
    work->row->missing += entry->sequence - work->sequence - 1;
    note_order(work, entry);
    work->sequence = entry->sequence;
    work->same_count = 0;
}

/* "web1" is the folder of web1.example.org, and the other way round. */
static bool is_folder_of(const char *folder, size_t length, const char *host)
{
    size_t least = strlen(host) < length ? strlen(host) : length;

    return memcmp(folder, host, least) == 0 && (least == length || folder[least] == '.') &&
           (host[least] == '\0' || host[least] == '.');
}

/* Also of a line that came before: what one host sends of another is not its own. */
static void note_folder(struct fleet *fleet, const struct fleet_entry *entry, const char *host)
{
    struct chain_work *work = &fleet->work;
    struct fleet_row *row = work->row;
    const struct fleet_file *file = &fleet->files.list[entry->file];

    if (!fleet->request->by_folder || file->folder == NULL) {
        return;
    }
    if (!is_folder_of(file->folder, file->folder_length, host)) {
        row->facts |= FLEET_FOREIGN_HOST;
        row->foreign_file = row->foreign++ == 0 ? file->name : row->foreign_file;
    } else if (row->short_file == NULL && file->folder_length < strlen(host)) {
        row->short_file = file->name;
        work->short_folder = fleet_files_first(&fleet->files, entry->file);
    }
}

/* web1.a and web1.b have the folder web1 where rsyslogd sends only the first part of names. Each is
 * proved by its key, but who sent what does not show any more. */
static void claim_folder(struct fleet *fleet)
{
    struct fleet_row *rows = fleet->report->rows, *row = fleet->work.row;

    if (row->short_file == NULL) {
        return;
    }
    size_t *owner = &fleet->files.list[fleet->work.short_folder].owner;
    if (*owner == 0) {
        *owner = (size_t)(row - rows) + 1;
        return;
    }
    struct fleet_row *other = &rows[*owner - 1];
    if (!is_folder_of(other->host, strlen(other->host), row->host)) {
        other->facts |= FLEET_SHARED_FOLDER;
        row->facts |= FLEET_SHARED_FOLDER;
    }
}

/* The name of a good record counts; until there is one, that of any. */
static bool note_host(struct fleet *fleet, const struct fleet_entry *entry,
                      const struct record *record, bool good)
{
    struct chain_work *work = &fleet->work;
    struct fleet_row *row = work->row;
    char host[NAME_SIZE];

    record_text(record, RECORD_HOST, host, sizeof(host));
    if (row->host == NULL || (good && !work->named && strcmp(row->host, host) != 0)) {
        base_free(row->host);
        row->host = base_copy_text(host);
    } else if (good && strcmp(row->host, host) != 0) {
        row->facts |= FLEET_RENAMED;
    }
    work->named |= good;
    if (row->host != NULL) {
        note_folder(fleet, entry, host);
    }
    return row->host != NULL;
}

/* What the walk took for a good record moves its count on. */
static enum miguard_status judge_record(struct fleet *fleet, const struct fleet_entry *entry,
                                        struct item *item)
{
    struct chain_work *work = &fleet->work;
    struct fleet_row *row = work->row;
    uint64_t before = row->report.records;

    work->walk.file = fleet->files.list[entry->file].name;
    work->walk.line = entry->of.record.line;
    walk_scanned(&work->walk, NULL, item);
    bool good = row->report.records > before;
    if (good && item->time != 0) {
        row->first_time = row->first_time != 0 ? row->first_time : item->time;
        row->last_time = item->time > row->last_time ? item->time : row->last_time;
    }
    row->report.bytes += item->record.length + 1;
    return note_host(fleet, entry, &item->record, good) ? MIGUARD_OK : no_memory(fleet);
}

/* Read once more. A file that grew is as it was up to here; anything else means that it was changed
 * under our hands, which is no finding and no answer. */
static enum miguard_status take_record(struct fleet *fleet, const struct fleet_entry *entry)
{
    struct chain_work *work = &fleet->work;
    struct item item = {0};
    size_t offset;

    note_number(work, entry);
    if (is_duplicate(work, entry)) {
        work->row->duplicates++;
        note_folder(fleet, entry, work->row->host);
        return MIGUARD_OK;
    }
    enum miguard_status status =
        fleet_files_read(&fleet->files, entry->file, entry->of.record.offset, entry->length,
                         fleet->line, fleet->reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    const char *fault =
        record_parse_like(fleet->kinds, fleet->line, entry->length, &item.record, &offset);
    if (fault == NULL) {
        item_read(fleet->line, entry->length, &item);
    }
    if (fault != NULL || !item.chained || item.chain_id != entry->chain ||
        item.sequence != entry->sequence) {
        return error_set(fleet->reterr, MIGUARD_SYSTEM, 0, "read", "%s: was changed meanwhile",
                         fleet->files.list[entry->file].name);
    }
    if (!work->open) {
        status = open_walk(fleet, &item);
    }
    return status == MIGUARD_OK ? judge_record(fleet, entry, &item) : status;
}

/* ---- the end of a chain --------------------------------------------------------------------- */

/* The list has room for many; what a row keeps is what there is, and all rows together no more than
 * FLEET_FINDINGS_MOST. All are counted. */
static void shrink_findings(struct fleet *fleet, struct verify_report *report)
{
    size_t room = FLEET_FINDINGS_MOST - fleet->findings;

    if (report->finding_count > room) {
        report->finding_count = room;
    }
    if (report->finding_count == 0) {
        base_free(report->findings);
        report->findings = NULL;
        return;
    }
    struct verify_finding *less =
        base_resize(report->findings, report->finding_count, sizeof(*less));
    report->findings = less != NULL ? less : report->findings;
    fleet->findings += report->finding_count;
}

/* Numbers behind the last one that a head names, and those that retention took at the beginning. */
static void settle_missing(struct chain_work *work)
{
    struct fleet_row *row = work->row;
    const struct verify_report *report = &row->report;
    uint64_t first = report->first != 0 ? report->first - 1 : 0;
    uint64_t removed = report->removed_through < first ? report->removed_through : first;
    uint64_t last = work->head_count > 0 ? work->heads[work->head_count - 1].sequence : 0;

    if (!row->partial) {
        row->missing -= removed < row->missing ? removed : row->missing;
    }
    row->missing += last > work->sequence ? last - work->sequence : 0;
}

/* A chain of which there are heads only is walked all the same: everything of it was cut. */
static enum miguard_status end_chain(struct fleet *fleet)
{
    struct chain_work *work = &fleet->work;
    struct fleet_row *row = work->row;
    enum miguard_status status = MIGUARD_OK;

    if (row == NULL) {
        return MIGUARD_OK;
    }
    if (!work->open) {
        status = open_walk(fleet, NULL);
        row->facts |= FLEET_NEVER_HEARD;
    }
    if (status == MIGUARD_OK) {
        fleet->look_ahead -= work->request.look_ahead - work->walk.look_ahead;
        fleet->steps -= work->request.steps - work->walk.steps;
        walk_finish(&work->walk, false, "");
        shrink_findings(fleet, &row->report);
        settle_missing(work);
    }
    walk_close(&work->walk);
    work->open = false;
    row->facts |= row->report.keyed && work->key == NULL ? FLEET_NO_KEY : 0;
    row->facts |= row->report.anchored == 0 ? FLEET_NO_HEAD : 0;
    row->facts |= row->report.count[VERIFY_DUPLICATED] > 0 ? FLEET_WENT_BACK : 0;
    claim_folder(fleet);
    work->row = NULL;
    return status;
}

/* Chain by chain: heads first, then records by number. */
static enum miguard_status judge_store(struct fleet *fleet)
{
    struct fleet_entry entry = {0};
    enum miguard_status status;
    bool end = false;

    for (;;) {
        status = fleet_index_next(&fleet->index, &entry, &end, fleet->reterr);
        if (status != MIGUARD_OK || end) {
            break;
        }
        if (fleet->work.row == NULL || fleet->work.row->chain != entry.chain) {
            status = end_chain(fleet);
            status = status == MIGUARD_OK ? begin_chain(fleet, entry.chain) : status;
        }
        if (status == MIGUARD_OK && entry.length == 0) {
            add_head(&fleet->work, &entry);
        } else if (status == MIGUARD_OK) {
            status = take_record(fleet, &entry);
        }
        if (status == MIGUARD_OK && ++fleet->done % PROGRESS_LINES == 0) {
            uint64_t all = fleet->report->lines + fleet->report->heads + 1;
            status = show_progress(fleet, all + fleet->done, 2 * all);
        }
        if (status != MIGUARD_OK) {
            break;
        }
    }
    return status == MIGUARD_OK ? end_chain(fleet) : status;
}

/* ---- all hosts ------------------------------------------------------------------------------ */

/* For qsort(3): by host, then by age. */
static int compare_rows_for_sort(const void *a, const void *b)
{
    const struct fleet_row *first = a, *second = b;
    int order = strcmp(first->host, second->host);

    if (order != 0) {
        return order;
    }
    order = (first->first_time > second->first_time) - (first->first_time < second->first_time);
    return order != 0 ? order : (first->chain > second->chain) - (first->chain < second->chain);
}

static bool ends_with_key(const struct fleet_row *row)
{
    return row->report.keyed && (row->facts & FLEET_NO_KEY) == 0;
}

/* Is there a chain of this host that ends where this one says that it goes on? */
static bool is_followed(const struct fleet_row *rows, size_t count, const struct fleet_row *row)
{
    for (size_t i = 0; i < count; i++) {
        if (&rows[i] != row && rows[i].report.last == row->follows &&
            chain_hash_equal(rows[i].report.head, row->follows_hash)) {
            return true;
        }
    }
    return false;
}

/* A host whose log was removed begins a new chain. One with a key that is known was begun by the
 * administrator, who put the key there; any other may be by one who wants the old one forgotten. */
static void look_for_restart(const struct fleet_row *rows, size_t count, struct fleet_row *row)
{
    bool later = false;

    for (size_t i = 0; i < count; i++) {
        later |=
            &rows[i] != row && rows[i].report.records > 0 && rows[i].last_time <= row->first_time;
    }
    if (row->follows != 0) {
        row->facts |= is_followed(rows, count, row) ? 0 : FLEET_RESTARTED;
    } else if (later && !ends_with_key(row)) {
        row->facts |= FLEET_RESTARTED;
    }
}

/* The rows of one host. */
static void compare_host(const struct fleet *fleet, struct fleet_row *rows, size_t count)
{
    const struct fleet_request *request = fleet->request;
    int64_t offset = fleet_host_offset(&fleet->hosts, rows[0].host);
    struct fleet_row *newest = &rows[0];

    for (size_t i = 0; i < count; i++) {
        newest = rows[i].last_time > newest->last_time ? &rows[i] : newest;
        look_for_restart(rows, count, &rows[i]);
    }
    if (newest->last_time - request->now > request->slack) {
        offset = newest->last_time - request->now;
    }
    if (newest->report.records > 0 && offset != 0) {
        newest->offset = offset;
        newest->facts |= offset > 0 ? FLEET_CLOCK_AHEAD : FLEET_CLOCK_BEHIND;
    }
    if (newest->report.records > 0 && request->silent > 0 &&
        newest->last_time < request->now - request->silent) {
        newest->facts |= FLEET_SILENT;
    }
}

static void compare_rows(const struct fleet *fleet)
{
    struct fleet_row *rows = fleet->report->rows;
    size_t count = fleet->report->row_count;

    if (count > 1) {
        qsort(rows, count, sizeof(*rows), compare_rows_for_sort);
    }
    for (size_t from = 0, to = 0; from < count; from = to) {
        while (to < count && strcmp(rows[to].host, rows[from].host) == 0) {
            to++;
        }
        compare_host(fleet, &rows[from], to - from);
    }
}

/* A key that no record needed: the host with its name has another chain, or nothing came. */
static enum miguard_status take_unmet_key(struct fleet *fleet, const struct fleet_key *key)
{
    struct fleet_report *report = fleet->report;
    bool known = false;

    for (size_t i = 0; i < report->row_count; i++) {
        struct fleet_row *row = &report->rows[i];
        if (is_folder_of(key->name, strlen(key->name), row->host) && !ends_with_key(row)) {
            row->facts |= FLEET_WRONG_KEY;
            known = true;
        }
    }
    if (known) {
        return MIGUARD_OK;
    }
    struct fleet_row *row = add_row(fleet, chain_id_of_key(&key->key));
    if (row == NULL) {
        return no_memory(fleet);
    }
    row->host = base_copy_text(key->name);
    row->facts = FLEET_NEVER_HEARD | FLEET_NO_HEAD;
    row->report.verdict = VERIFY_UNPROVEN;
    return row->host != NULL ? MIGUARD_OK : no_memory(fleet);
}

/* Every row has a host's name from here on: "" where only heads came, or its key's. */
static enum miguard_status name_rows(struct fleet *fleet)
{
    struct fleet_report *report = fleet->report;
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < report->row_count; i++) {
        struct fleet_row *row = &report->rows[i];
        const struct fleet_key *key = row->host == NULL ? key_of(fleet, row->chain) : NULL;
        if (row->host == NULL) {
            row->host = base_copy_text(key != NULL ? key->name : "");
        }
        if (row->host == NULL) {
            return no_memory(fleet);
        }
    }
    for (size_t i = 0; i < fleet->request->key_count && status == MIGUARD_OK; i++) {
        if (!fleet->key_met[i]) {
            status = take_unmet_key(fleet, &fleet->request->keys[i]);
        }
    }
    return status;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* The names of files go to the report, which points to them. */
static enum miguard_status hand_over_names(struct fleet *fleet)
{
    struct fleet_report *report = fleet->report;

    report->names = base_alloc(fleet->files.count + 1, sizeof(*report->names));
    if (report->names == NULL) {
        return no_memory(fleet);
    }
    for (size_t i = 0; i < fleet->files.count; i++) {
        report->names[report->name_count++] = fleet->files.list[i].name;
        fleet->files.list[i].name = NULL;
    }
    return MIGUARD_OK;
}

static enum miguard_status run(struct fleet *fleet)
{
    const struct fleet_request *request = fleet->request;
    enum miguard_status status = fleet_index_open(&fleet->index, request->run, fleet->reterr);

    fleet->key_met = base_alloc(request->key_count + 1, sizeof(*fleet->key_met));
    fleet->line = base_alloc(1, RECORD_MAX_LINE);
    fleet->kinds = record_kinds_new();
    fleet->hosts.slack = request->slack;
    fleet->look_ahead = request->look_ahead != 0 ? request->look_ahead : FLEET_LOOK_AHEAD;
    fleet->steps = request->steps != 0 ? request->steps : FLEET_STEPS;
    if (status == MIGUARD_OK && (fleet->key_met == NULL || fleet->line == NULL)) {
        status = no_memory(fleet);
    }
    /* Heads first: what comes meanwhile lies behind them, and nothing of it is missed. */
    status = status == MIGUARD_OK ? read_heads(fleet) : status;
    if (status == MIGUARD_OK) {
        status =
            fleet_files_find(request->places, request->place_count, &fleet->files, fleet->reterr);
    }
    status = status == MIGUARD_OK ? read_store(fleet) : status;
    status = status == MIGUARD_OK ? judge_store(fleet) : status;
    status = status == MIGUARD_OK ? name_rows(fleet) : status;
    if (status == MIGUARD_OK) {
        compare_rows(fleet);
        status = hand_over_names(fleet);
    }
    return status;
}

enum miguard_status fleet_verify(const struct fleet_request *request,
                                 struct fleet_report *ret_report, struct miguard_error *reterr)
{
    struct fleet_report report = {0};

    if (request == NULL || ret_report == NULL || request->place_count == 0) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "fleet", NULL);
    }
    if (!chain_init()) {
        return error_set(reterr, MIGUARD_SYSTEM, 0, "sodium_init", NULL);
    }
    struct fleet *fleet = base_alloc(1, sizeof(*fleet));
    if (fleet == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "fleet", NULL);
    }
    *fleet = (struct fleet){.request = request,
                            .report = &report,
                            .reterr = reterr,
                            .files = {.spool = -1, .open = {.fd = -1}},
                            .index = {.file = -1}};
    enum miguard_status status = run(fleet);
    if (fleet->work.open) {
        walk_close(&fleet->work.walk);
    }
    base_free(fleet->work.heads);
    base_free(fleet->line);
    record_kinds_free(fleet->kinds);
    base_free(fleet->key_met);
    fleet_index_close(&fleet->index);
    fleet_hosts_release(&fleet->hosts);
    if (status == MIGUARD_OK) {
        *ret_report = report;
    } else {
        fleet_release(&report);
    }
    fleet_files_release(&fleet->files);
    base_free(fleet);
    return status;
}

void fleet_release(struct fleet_report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        verify_release(&report->rows[i].report);
        base_free(report->rows[i].host);
    }
    for (size_t i = 0; i < report->name_count; i++) {
        base_free(report->names[i]);
    }
    base_free(report->names);
    base_free(report->rows);
    *report = (struct fleet_report){0};
}

bool fleet_row_alarms(const struct fleet_row *row)
{
    for (unsigned i = 0; i < FLEET_FACT_COUNT; i++) {
        if (fleet_facts[i].alarm && (row->facts & 1u << i) != 0) {
            return true;
        }
    }
    return row->report.by_severity[VERIFY_ALARM] > 0;
}

bool fleet_row_proven(const struct fleet_row *row)
{
    return row->report.verdict == VERIFY_INTACT && (row->facts & FLEET_NO_HEAD) == 0;
}
