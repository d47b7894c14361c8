/* SPDX-License-Identifier: MIT */
/*
 * Walks the records of a log one by one and finds each place where the chain does not hold, for
 * verify.c.
 *
 * walk_line() parses a line; walk_item() sorts it by its chain. A record whose hash fits goes to
 * walk_good(), which compares its number with the one that is expected: too high leaves a gap
 * (add_gap), too low fills one or is a duplicate. A record whose hash does not fit goes to
 * walk_misfit(). accept() makes a good record the last of its track. Records of the log about
 * itself (losses, rotation, a state set aside) explain gaps as far as they can be believed;
 * walk_finish() settles the rest and judges. Nothing is ever taken for right because it cannot be
 * checked: it is reported, or the verdict says UNPROVEN.
 */
#include "tools/review/verify_walk.h"
#include "base/alloc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* A loss is declared by one of the first records after it; others of the log's own, such as a
     * rotation, may come before it. */
    DECLARED_WITHIN = 8,
    /* An epoch may be this much longer: records of the log's own come between. */
    EPOCH_SLACK = 16,
    /* Records of several threads are made before they are put in order. */
    CLOCK_SLACK_SECONDS = 60,
};

/* For qsort_r(3). */
static int compare_heads(const void *a, const void *b, void *context)
{
    const struct verify_head *heads = context;
    uint64_t first = heads[*(const size_t *)a].sequence,
             second = heads[*(const size_t *)b].sequence;

    return (first > second) - (first < second);
}

/* A fleet may have many heads of one chain, and each record asks for its own. */
static void order_heads(struct walk *walk)
{
    const struct verify_request *request = walk->request;

    for (size_t i = 0; i < request->head_count; i++) {
        walk->head_order[i] = i;
    }
    if (request->head_count > 1) {
        qsort_r(walk->head_order, request->head_count, sizeof(*walk->head_order), compare_heads,
                (void *)(uintptr_t)request->heads);
    }
}

/* A request with a key knows the chain's id and its first number; without one the first record
 * decides. False out of memory: walk_close() frees what there is. */
bool walk_open(struct walk *walk, const struct verify_request *request,
               struct verify_report *report)
{
    *walk = (struct walk){.request = request,
                          .report = report,
                          .look_ahead = request->look_ahead,
                          .steps = request->steps,
                          .broken = FINDING_NONE,
                          .resealed = FINDING_NONE,
                          .first_foreign = FINDING_NONE,
                          .first_foreign_kind = VERIFY_KIND_COUNT};
    walk->met = base_alloc(request->head_count + 1, sizeof(*walk->met));
    walk->head_order = base_alloc(request->head_count + 1, sizeof(*walk->head_order));
    walk->state_count = request->state == NULL ? 0 : request->state_count + !request->state_count;
    walk->states = base_alloc(walk->state_count + 1, sizeof(*walk->states));
    if (request->key != NULL) {
        walk->main.id = chain_id_of_key(request->key);
        walk->main.next = 1;
        walk->at = (struct key_place){1, *request->key};
    }
    if (walk->head_order == NULL) {
        return false;
    }
    order_heads(walk);
    return findings_open(&walk->findings, report) && walk->met != NULL && walk->states != NULL;
}

/* Keys are cleared from memory. */
void walk_close(struct walk *walk)
{
    findings_close(&walk->findings);
    keys_forget(walk);
    base_free(walk->met);
    base_free(walk->head_order);
    base_free(walk->states);
    sodium_memzero(walk, sizeof(*walk));
}

/* name must live as long as the report. */
void walk_file(struct walk *walk, const char *name)
{
    walk->file = name;
    walk->line = 0;
    walk->file_begins = true;
}

/* Cut where it does not fit. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = 0;

    while (length < size - 1 && from[length] != '\0') {
        to[length] = from[length];
        length++;
    }
    to[length] = '\0';
}

/* ---- findings ------------------------------------------------------------------------------- */

/* A finding at the line at hand. first and last 0 make a count of 1. */
static struct verify_finding here(const struct walk *walk, enum verify_kind kind, uint64_t first,
                                  uint64_t last, int64_t time)
{
    return (struct verify_finding){.kind = kind,
                                   .file = walk->file,
                                   .line = walk->line,
                                   .first = first,
                                   .last = last,
                                   .count = last - first + 1,
                                   .time = time};
}

/* One finding for each record, without joining neighbours. */
static int report_item(struct walk *walk, enum verify_kind kind, const struct item *item)
{
    struct verify_finding finding = here(walk, kind, item->sequence, item->sequence, item->time);
    return finding_add(&walk->findings, &finding);
}

/* One line after the other of the same kind are one finding. */
static int report_run(struct walk *walk, enum verify_kind kind, uint64_t sequence, int64_t time)
{
    struct verify_finding finding = here(walk, kind, sequence, sequence, time);
    return finding_extend(&walk->findings, &finding);
}

/* ---- lines that are no good ----------------------------------------------------------------- */

/*
 * A line whose hash does not fit, or that is no record, stands in the place of one: it takes the
 * next number (take_slot), so that the records behind it are not reported as well. When a good
 * record then has one of those numbers, the lines had been put in, and give_back_slots() turns
 * their findings.
 */

/* The number that the line at hand would have, if it stands for a record of the log. 0: no good
 * record yet, so there is no place to count from. What was last known to be sound is kept for
 * crash_can_take(). */
static uint64_t take_slot(struct track *track)
{
    if (!track->seen) {
        return 0;
    }
    if (track->suspect == 0) {
        track->suspect = track->next;
        track->sound = track->sequence;
        track->sound_epoch = track->epoch;
        memcpy(track->sound_boot, track->boot, sizeof(track->boot));
    }
    return track->next++;
}

/* A good record has the number that lines before it took: those were put in between. Only findings
 * of the suspect run can have those numbers, as all before it are lower. */
static void give_back_slots(struct walk *walk, struct track *track, uint64_t from)
{
    for (int i = walk->findings.used - 1; i >= 0; i--) {
        struct verify_finding *finding = finding_at(&walk->findings, i);
        if (finding == NULL || finding->first < from || finding->first >= track->next) {
            continue;
        }
        if (finding->kind == VERIFY_EDITED) {
            finding_turn(&walk->findings, i, VERIFY_EDITED, VERIFY_INSERTED);
        } else if (finding->kind == VERIFY_BROKEN) {
            finding->first = finding->last = 0;
        }
    }
    track->next = from;
}

/* A broken line takes a number for now: a writer that was killed leaves one, and the next
 * records-lost record counts it. */
void walk_broken(struct walk *walk, const char *fault)
{
    uint64_t slot = take_slot(&walk->main);
    struct verify_finding finding = here(walk, VERIFY_BROKEN, slot, slot, 0);

    finding.count = 1;
    copy_text(finding.detail, sizeof(finding.detail), fault);
    int number = finding_extend(&walk->findings, &finding);
    if (walk->broken_lines == 0 || number != walk->broken) {
        walk->broken = number;
        walk->broken_lines = 0;
        walk->broken_after = walk->main.sequence;
    }
    walk->broken_lines++;
}

/* Not at the place of a line: the file was not read. */
void walk_stray(struct walk *walk, const char *name, const char *why)
{
    struct verify_finding finding = {.kind = VERIFY_STRAY, .file = name, .count = 1};

    copy_text(finding.detail, sizeof(finding.detail), why);
    finding_add(&walk->findings, &finding);
}

/* Edited, unless a later key fits: then it was written again by a person who holds that key.
 * take_slot() keeps the numbers behind it right in both cases. */
static void walk_misfit(struct walk *walk, struct track *track, const struct item *item)
{
    uint64_t later = 0;

    if (track == &walk->main && walk->request->key != NULL && item->epoch != 0) {
        later = keys_find_later(walk, item);
    }
    uint64_t slot = take_slot(track);
    if (later == 0) {
        struct verify_finding finding = here(walk, VERIFY_EDITED, slot != 0 ? slot : item->sequence,
                                             slot != 0 ? slot : item->sequence, item->time);
        finding.said = item->sequence;
        finding_add(&walk->findings, &finding);
        return;
    }
    int number = report_run(walk, VERIFY_RESEALED, item->sequence, item->time);
    struct verify_finding *finding = finding_at(&walk->findings, number);
    if (finding != NULL && finding->key == 0) {
        finding->key = later;
    }
    if (walk->resealed == FINDING_NONE) {
        walk->resealed = number;
    }
}

/* ---- numbers that are missing --------------------------------------------------------------- */

/*
 * A gap is reported at the record that shows it, as an alarm. Later records may take it back: one
 * that was only out of its place (fill_gap), a records-lost record that declares it (explain_gaps),
 * or retention (settle_gaps). What nothing explains stays.
 */

/* Beyond WALK_GAPS the finding stays as it is: it can no longer be explained, which errs to the
 * alarm. */
static void add_gap(struct walk *walk, enum verify_kind kind, uint64_t first, uint64_t last,
                    const struct item *item)
{
    struct verify_finding finding = here(walk, kind, first, last, item->time);
    int number = finding_add(&walk->findings, &finding);

    if (walk->gap_count < WALK_GAPS) {
        walk->gaps[walk->gap_count++] = (struct gap){first, last, item->sequence, kind, number};
    }
}

/* The finding is about these numbers alone. */
static void narrow(struct walk *walk, int number, uint64_t first, uint64_t last)
{
    struct verify_finding *finding = finding_at(&walk->findings, number);

    if (finding != NULL) {
        finding->first = first;
        finding->last = last;
        finding->count = last - first + 1;
    }
}

/*
 * Numbers are missing between two good records, and lines that were edited stand there, too: which
 * number is that of which line? What the lines say themselves is not proved. It is believed where
 * it can be: each has a higher number than the one before, and all lie in between. Otherwise they
 * are the first of these numbers, as take_slot() gave them. Both count the same.
 */

/* The finding of the edited line that has this number for now; FINDING_NONE: no line has. */
static int edited_at(struct walk *walk, uint64_t slot)
{
    for (int i = walk->findings.used - 1; i >= 0; i--) {
        const struct verify_finding *finding = finding_at(&walk->findings, i);
        if (finding != NULL && finding->kind == VERIFY_EDITED && finding->first == slot) {
            return i;
        }
        if (finding != NULL && finding->kind == VERIFY_EDITED && finding->first < slot) {
            break;
        }
    }
    return FINDING_NONE;
}

/* Of the lines between two good records, of which end is the second one. */
static bool believes_numbers(struct walk *walk, const struct track *track, uint64_t end)
{
    uint64_t before = track->suspect - 1;

    if (track->suspect == 0 || track->next - track->suspect > VERIFY_KEEP) {
        return false;
    }
    for (uint64_t slot = track->suspect; slot < track->next; slot++) {
        const struct verify_finding *finding = finding_at(&walk->findings, edited_at(walk, slot));
        if (finding == NULL || finding->said <= before || finding->said >= end) {
            return false;
        }
        before = finding->said;
    }
    return true;
}

/* From the last one on, so that no finding has the number of another one meanwhile. */
static void add_gaps_between(struct walk *walk, enum verify_kind kind, const struct track *track,
                             const struct item *item)
{
    uint64_t end = item->sequence;

    for (uint64_t slot = track->next; slot-- > track->suspect;) {
        int number = edited_at(walk, slot);
        uint64_t said = finding_at(&walk->findings, number)->said;
        narrow(walk, number, said, said);
        if (said + 1 < end) {
            add_gap(walk, kind, said + 1, end - 1, item);
        }
        end = said;
    }
    if (track->suspect < end) {
        add_gap(walk, kind, track->suspect, end - 1, item);
    }
}

/* The order of gaps has no meaning. */
static void remove_gap(struct walk *walk, size_t at)
{
    walk->gaps[at] = walk->gaps[--walk->gap_count];
}

/* Is another piece of the same finding still missing? A gap that a late record split has two pieces
 * with one finding. */
static bool has_more_gaps(const struct walk *walk, const struct gap *gap, size_t except)
{
    for (size_t i = 0; i < walk->gap_count; i++) {
        if (i != except && walk->gaps[i].finding == gap->finding &&
            walk->gaps[i].born == gap->born) {
            return true;
        }
    }
    return false;
}

/* A record that was missing stands further behind. True when it was. */
static bool fill_gap(struct walk *walk, uint64_t sequence)
{
    for (size_t i = 0; i < walk->gap_count; i++) {
        struct gap *gap = &walk->gaps[i];
        if (sequence < gap->first || sequence > gap->last) {
            continue;
        }
        struct gap behind = *gap;
        behind.first = sequence + 1;
        bool splits = gap->first < sequence && sequence < gap->last;
        if (splits && walk->gap_count == WALK_GAPS) {
            return true; /* no room for two: the gap stays whole, and so does its alarm */
        }
        gap->last = sequence - 1;
        /* It was the last number of the gap. */
        if (gap->first > gap->last && behind.first > behind.last) {
            struct gap filled = *gap;
            bool whole = !has_more_gaps(walk, gap, i);
            remove_gap(walk, i);
            if (whole) {
                finding_turn(&walk->findings, filled.finding, filled.kind, VERIFY_REORDERED);
            }
        } else if (gap->first > gap->last) {
            *gap = behind;
        } else if (splits) {
            walk->gaps[walk->gap_count++] = behind;
        }
        return true;
    }
    return false;
}

/* ---- losses that the log declares ----------------------------------------------------------- */

/*
 * A crash may take records that were not on the disk yet, and the next writer says so. An intruder
 * who holds the key in use can say so as well, to cover a cut. crash_can_take() therefore believes
 * no more than a crash can do; everything beyond is FALSE_LOSS.
 */

/* How many of one cause, from the object "causes", which record.h has no field for. A string cannot
 * hold these bytes, since its quotes are escaped. */
static uint64_t lost_by(const struct item *item, enum audit_loss cause)
{
    static const char object[] = "\"causes\":{";
    const struct record *record = &item->record;
    const char *end = record->line + record->length;
    const char *at = memmem(record->line, record->length, object, sizeof(object) - 1);
    const char *name = audit_losses[cause].name;
    size_t length = strlen(name);
    uint64_t number = 0;

    const char *close =
        at != NULL ? memchr(at + sizeof(object) - 1, '}', (size_t)(end - at) - sizeof(object) + 1)
                   : NULL;
    if (close == NULL) {
        return 0;
    }
    at = memmem(at, (size_t)(close - at), name, length);
    if (at == NULL || at[-1] != '"' || at + length + 2 > close) {
        return 0;
    }
    for (at += length + 2; at < close && *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number;
}

/* What a records-lost record says: how many, which numbers, why. */
struct declared {
    uint64_t count, first, last;
    char detail[64];
};

/* Numbers that make no range count as not given. */
static void read_declared(const struct item *item, struct declared *ret_declared)
{
    const struct record *record = &item->record;

    *ret_declared = (struct declared){0};
    record_number(record, RECORD_LOST_COUNT, &ret_declared->count);
    if (!record_number(record, RECORD_LOST_FIRST_SEQUENCE, &ret_declared->first) ||
        !record_number(record, RECORD_LOST_LAST_SEQUENCE, &ret_declared->last) ||
        ret_declared->first > ret_declared->last) {
        ret_declared->first = ret_declared->last = 0;
    }
    record_text(record, RECORD_LOST_CAUSE, ret_declared->detail, sizeof(ret_declared->detail));
}

/* Nothing for a finding that is not kept. */
static void set_detail(struct walk *walk, int number, const char *detail)
{
    struct verify_finding *finding = finding_at(&walk->findings, number);

    if (finding != NULL) {
        copy_text(finding->detail, sizeof(finding->detail), detail);
    }
}

/* The boot before the gap and now. Without a reboot the page cache was not lost, so a crash took
 * nothing. */
static bool same_boot(const struct track *track)
{
    return track->sound_boot[0] != '\0' &&
           memcmp(track->sound_boot, track->boot, sizeof(track->boot)) == 0;
}

/* What a crash can take: records that were not on the disk yet, when the system went down. Each
 * seal brings the log to the disk, so at most one epoch. A larger declared loss means that someone
 * held the key in use and is covering up a cut. */
static bool crash_can_take(const struct track *track, const struct item *item,
                           const struct declared *declared)
{
    return declared->first > track->sound && !same_boot(track) &&
           (item->epoch == 0 || (declared->last - declared->first < CHAIN_EPOCH_RECORDS &&
                                 item->epoch <= track->sound_epoch + 1));
}

/*
 * The gap is of another kind than it seemed, and settled. Its finding turns only with the last
 * piece of it: a finding that is turned twice would be counted off twice, and take the alarm of
 * another one with it.
 */
static void settle_gap(struct walk *walk, size_t at, enum verify_kind kind, const char *detail)
{
    struct gap gap = walk->gaps[at];
    int number = gap.finding;

    if (has_more_gaps(walk, &gap, at)) {
        struct verify_finding piece = here(walk, kind, gap.first, gap.last, 0);
        number = finding_add(&walk->findings, &piece);
    } else {
        finding_turn(&walk->findings, number, gap.kind, kind);
        narrow(walk, number, gap.first, gap.last);
    }
    set_detail(walk, number, detail);
    remove_gap(walk, at);
}

/* Turns what is missing and declared; true when something was. Only gaps that lie wholly inside of
 * the declared range: a record cannot explain away more than it declares. */
static bool explain_gaps(struct walk *walk, const struct item *item,
                         const struct declared *declared, enum verify_kind kind)
{
    bool any = false;

    for (size_t i = walk->gap_count; i-- > 0;) {
        struct gap gap = walk->gaps[i];
        if (gap.first < declared->first || gap.last > declared->last || item->sequence < gap.born ||
            item->sequence - gap.born > DECLARED_WITHIN) {
            continue;
        }
        settle_gap(walk, i, kind, declared->detail);
        any = true;
    }
    return any;
}

/* A writer that is killed inside of write(2) leaves a torn line, and the next writer counts it.
 * More broken lines than were counted stay an alarm. */
static bool explain_broken(struct walk *walk, const struct item *item, uint64_t count)
{
    if (walk->broken_lines == 0 || walk->broken_lines > count ||
        item->sequence - walk->broken_after > DECLARED_WITHIN + walk->broken_lines + count) {
        return false;
    }
    finding_turn(&walk->findings, walk->broken, VERIFY_BROKEN, VERIFY_LOST);
    set_detail(walk, walk->broken, "a record was torn when its writer went down");
    walk->broken_lines = 0;
    return true;
}

/* Where no gap shows what was lost, the declaration is a finding by itself. */
static void report_loss(struct walk *walk, enum verify_kind kind, const struct item *item,
                        const struct declared *declared)
{
    struct verify_finding finding = here(walk, kind, declared->first, declared->last, item->time);

    /* A record without a count, or with 0, still says that something was lost. */
    finding.count = declared->count != 0 ? declared->count : 1;
    set_detail(walk, finding_add(&walk->findings, &finding), declared->detail);
}

/* A loss of another sink says nothing about this file. A writer that noticed a cut is believed at
 * once: that is an alarm by itself. */
static void walk_lost(struct walk *walk, struct track *track, const struct item *item)
{
    struct declared declared;
    enum verify_kind kind = VERIFY_LOST;

    read_declared(item, &declared);
    if (!record_is(&item->record, RECORD_LOST_SINK, "file")) {
        copy_text(declared.detail, sizeof(declared.detail), "by another sink");
        declared.first = declared.last = 0;
        report_loss(walk, kind, item, &declared);
        return;
    }
    walk->report->lost += declared.count;
    bool cut = lost_by(item, AUDIT_LOSS_CUT) > 0;
    uint64_t crash = lost_by(item, AUDIT_LOSS_CRASH);
    if (cut) {
        kind = VERIFY_NOTICED_CUT;
    } else if (declared.first != 0 && !crash_can_take(track, item, &declared)) {
        kind = VERIFY_FALSE_LOSS;
    }
    bool explained = explain_broken(walk, item, lost_by(item, AUDIT_LOSS_KILLED) + crash);
    if (declared.first != 0 && explain_gaps(walk, item, &declared, kind)) {
        explained = true;
    }
    if (!explained || kind == VERIFY_NOTICED_CUT) {
        if (!(explained && walk->report->count[kind] > 0)) {
            report_loss(walk, kind, item, &declared);
        }
    }
}

/* ---- a good record -------------------------------------------------------------------------- */

/*
 * Its hash fits the key of its number, or the chain has no key. That proves its bytes and not its
 * place: epoch, clock, heads and the hash of the record before are compared here.
 */

/* An epoch ends with a seal, and the next one has the next number (audit/chain.h). An epoch that
 * goes on for too long means that seals were taken out. */
static void check_epoch(struct walk *walk, struct track *track, const struct item *item)
{
    /* Only the very next record shows whether an epoch ended where it should. */
    bool follows = track->seen && track->sequence + 1 == item->sequence;
    bool good = item->epoch >= track->epoch;

    if (follows && item->epoch != 0) {
        good = item->epoch == track->epoch + (track->sealed ? 1 : 0);
    } else if (item->sequence == 1) {
        good = item->epoch <= 1;
    }
    if (track->seen && (item->epoch == 0) != (track->epoch == 0)) {
        good = false;
    }
    bool begins = !track->seen || item->epoch != track->epoch;
    track->epoch_records = begins ? 1 : track->epoch_records + 1;
    if (!good || (item->epoch != 0 && track->epoch_records == CHAIN_EPOCH_RECORDS + EPOCH_SLACK)) {
        report_item(walk, VERIFY_EPOCH, item);
    }
}

/* A record may be as old as the run of refusals that it counts. A notice only: clocks are set. */
static void check_clock(struct walk *walk, const struct track *track, const struct item *item)
{
    const int64_t slack = (int64_t)CLOCK_SLACK_SECONDS * 1000000000;
    uint64_t repeats = 1;

    if (item->time + slack < track->time &&
        (!record_number(&item->record, RECORD_REPEATS, &repeats) || repeats <= 1)) {
        report_item(walk, VERIFY_CLOCK, item);
    }
}

/* The place in head_order of the first head with this number or a later one. */
static size_t first_head(const struct walk *walk, uint64_t sequence)
{
    size_t from = 0, to = walk->request->head_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (walk->request->heads[walk->head_order[middle]].sequence < sequence) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

/* Heads that were kept elsewhere, and the states beside the log: the record with that number must
 * have that hash. On a foreign track a head counts as met only when it fits. */
static void check_heads(struct walk *walk, const struct track *track, const struct item *item)
{
    const struct verify_request *request = walk->request;

    for (size_t at = first_head(walk, item->sequence); at < request->head_count; at++) {
        size_t i = walk->head_order[at];
        const struct verify_head *head = &request->heads[i];
        if (head->sequence != item->sequence) {
            break;
        }
        if (track != &walk->main && walk->met[i]) {
            continue;
        }
        bool same = chain_hash_equal(head->hash, item->hash);
        walk->met[i] |= same || track == &walk->main;
        if (same && walk->report->anchored < head->sequence) {
            walk->report->anchored = head->sequence;
        } else if (!same && track == &walk->main) {
            report_item(walk, VERIFY_HEAD, item);
        }
    }
    for (size_t i = 0; i < walk->state_count; i++) {
        const struct state_head *state = &request->state[i];
        if (state->chain_id != track->id || state->sequence != item->sequence) {
            continue;
        }
        walk->states[i].met = true;
        if (!chain_hash_equal(state->hash, item->hash)) {
            report_item(walk, VERIFY_HEAD, item);
        }
    }
}

/* A new state with the old key is worth a notice; one without is a loss, and from there on nothing
 * is proved (verify.h). */
static void walk_set_aside(struct walk *walk, const struct item *item)
{
    bool kept = record_is(&item->record, RECORD_STATE_KEY, "kept");
    int number = report_item(walk, kept ? VERIFY_STATE_KEPT : VERIFY_SET_ASIDE, item);
    struct verify_finding *finding = finding_at(&walk->findings, number);

    if (finding != NULL) {
        record_text(&item->record, RECORD_STATE_FILE, finding->detail, sizeof(finding->detail));
    }
    if (!kept) {
        walk->report->set_aside = item->sequence;
        walk->report->key_lost |= record_is(&item->record, RECORD_STATE_KEY, "lost");
    }
}

/* By the action: the writer begins a log anew behind a damaged state with this record. */
static bool is_set_aside(const struct item *item)
{
    return record_is(&item->record, RECORD_ACTION, "audit-state-set-aside");
}

/* What the log says about itself. Retention is believed for numbers before the record that declares
 * it, and no further. */
static void read_own(struct walk *walk, struct track *track, const struct item *item)
{
    uint64_t removed;

    if (is_set_aside(item)) {
        walk_set_aside(walk, item);
    }

    track->sealed = record_is(&item->record, RECORD_ACTION, "audit-seal");
    if (record_is(&item->record, RECORD_ACTION, "records-lost")) {
        walk_lost(walk, track, item);
    } else if (track == &walk->main && record_is(&item->record, RECORD_ACTION, "audit-rotate") &&
               record_number(&item->record, RECORD_REMOVED_THROUGH, &removed) &&
               removed > walk->report->removed_through && removed < item->sequence) {
        walk->report->removed_through = removed;
    }
}

/* The record is the track's last good one from now on. Everything that later records are compared
 * with is taken here and nowhere else. */
static void accept(struct walk *walk, struct track *track, const struct item *item)
{
    bool breaks = track->seen && track->sequence + 1 != item->sequence && track->suspect == 0;

    if (breaks) {
        track->sound = track->sequence;
        track->sound_epoch = track->epoch;
        memcpy(track->sound_boot, track->boot, sizeof(track->boot));
    }
    check_epoch(walk, track, item);
    check_clock(walk, track, item);
    memset(track->boot, 0, sizeof(track->boot));
    record_text(&item->record, RECORD_BOOT, track->boot, sizeof(track->boot));
    track->seen = true;
    track->sequence = item->sequence;
    memcpy(track->hash, item->hash, sizeof(track->hash));
    track->epoch = item->epoch;
    track->time = item->time;
    track->file = walk->file;
    track->line = walk->line;
    track->suspect = 0;
    track->next = item->sequence + 1;
    check_heads(walk, track, item);
    read_own(walk, track, item);
    walk->file_begins = false;
    if (track == &walk->main) {
        walk->resealed = FINDING_NONE;
        walk->report->records++;
        walk->report->first = walk->report->first != 0 ? walk->report->first : item->sequence;
    }
}

/* The record before has a hash that fits it, but this one was written after another. The record
 * before is named, not this one. The first record of a chain must follow nothing: 0 in all
 * bytes. */
static void check_previous(struct walk *walk, const struct track *track, const struct item *item)
{
    static const unsigned char none[CHAIN_HASH_SIZE];
    const unsigned char *expected = item->sequence == 1 ? none : track->hash;

    if ((item->sequence != 1 && (!track->seen || track->sequence + 1 != item->sequence)) ||
        chain_hash_equal(expected, item->previous)) {
        return;
    }
    struct verify_finding finding =
        here(walk, VERIFY_REPLACED, track->sequence, track->sequence, track->time);
    if (item->sequence == 1) {
        finding.first = finding.last = 1;
    } else {
        finding.file = track->file;
        finding.line = track->line;
    }
    finding_add(&walk->findings, &finding);
}

/* A gap behind the last good record is of the kind that its place suggests: the beginning, between
 * two files, or inside of one. */
static void walk_good(struct walk *walk, struct track *track, const struct item *item)
{
    uint64_t sequence = item->sequence;

    if (track->suspect != 0 && sequence >= track->suspect && sequence < track->next) {
        give_back_slots(walk, track, sequence);
    }
    if (sequence < track->next) {
        if (!fill_gap(walk, sequence)) {
            report_run(walk, VERIFY_DUPLICATED, sequence, item->time);
        }
        return;
    }
    if (sequence > track->next && track->next != 0) {
        enum verify_kind kind = !track->seen && walk->request->partial ? VERIFY_BEFORE
                                : !track->seen                         ? VERIFY_MISSING_START
                                : walk->file_begins                    ? VERIFY_MISSING_FILE
                                                                       : VERIFY_DELETED;
        if (believes_numbers(walk, track, sequence)) {
            add_gaps_between(walk, kind, track, item);
        } else {
            add_gap(walk, kind, track->next, sequence - 1, item);
        }
    }
    check_previous(walk, track, item);
    accept(walk, track, item);
}

/* ---- any record ----------------------------------------------------------------------------- */

/*
 * Two tracks are kept: main for the log's chain, other for the last foreign one. Each record goes
 * to the track of its chain id, and there to walk_good() or walk_misfit().
 */

/* Without a key the number of a record can be changed unseen; its predecessor shows it. The first
 * record after a crash may follow the last that is left. The number is hashed as well, but without
 * a key anyone can make a hash. */
static bool renumbered(const struct track *track, const struct item *item)
{
    return track->seen && !record_is(&item->record, RECORD_ACTION, "records-lost") &&
           item->sequence != track->sequence + 1 && chain_hash_equal(track->hash, item->previous);
}

/* With a key: by the key of its number. Without: as much as can be checked. */
static bool item_fits(struct walk *walk, const struct track *track, const struct item *item)
{
    if (track == &walk->main && walk->request->key != NULL) {
        return keys_fit(walk, item);
    }
    if (renumbered(track, item)) {
        return false;
    }
    if (item->epoch != 0) {
        return true; /* not provable without the key */
    }
    return item_fits_plain(item);
}

/* A writer that finds a log without its state goes on with the numbers, and reports a loss. Only
 * such a record may begin a track behind another chain; any other is foreign. */
static bool begins_chain(const struct item *item)
{
    static const unsigned char none[CHAIN_HASH_SIZE];

    return item->sequence == 1 || is_set_aside(item) ||
           (chain_hash_equal(none, item->previous) &&
            record_is(&item->record, RECORD_ACTION, "records-lost"));
}

/* A state was set aside with its key: the new chain begins behind the last record of the log's,
 * which it names. Anything else is reported as a restart. */
static bool goes_on_without_key(const struct track *track, const struct item *item)
{
    return is_set_aside(item) && record_is(&item->record, RECORD_STATE_KEY, "lost") &&
           item->epoch == 0 && track->seen && track->suspect == 0 &&
           item->sequence == track->sequence + 1 && chain_hash_equal(track->hash, item->previous);
}

/* How far the chain of a state went is still asked when others came behind it. states[i].behind
 * keeps the track that walk->other is about to lose. */
static void put_aside(struct walk *walk, const struct track *track)
{
    for (size_t i = 0; i < walk->state_count && track->seen; i++) {
        if (walk->request->state[i].chain_id == track->id) {
            walk->states[i].behind = *track;
        }
    }
}

/* A record of another chain than the log's. It takes a number of the main chain all the same: it
 * may stand in the place of a record. Only the last foreign chain is tracked. */
static void walk_foreign(struct walk *walk, struct item *item)
{
    struct track *other = &walk->other;
    enum verify_kind kind = VERIFY_FOREIGN;
    int number = FINDING_NONE;

    if (other->id != item->chain_id) {
        bool goes_on = goes_on_without_key(&walk->main, item);
        put_aside(walk, other);
        *other = (struct track){.id = item->chain_id, .restarted = goes_on || begins_chain(item)};
        kind = other->restarted ? VERIFY_RESTARTED : VERIFY_FOREIGN;
        number = goes_on ? FINDING_NONE : report_item(walk, kind, item);
    } else if (!other->restarted) {
        number = report_run(walk, kind, item->sequence, item->time);
    }
    if (walk->first_foreign_kind == VERIFY_KIND_COUNT) {
        walk->first_foreign = number;
        walk->first_foreign_kind = kind;
    }
    take_slot(&walk->main);
    if (item_fits(walk, other, item)) {
        walk_good(walk, other, item);
    } else {
        walk_misfit(walk, other, item);
    }
}

/* A record without a key in a chain that has one is never good: anyone can make its hash. */
static void walk_item(struct walk *walk, struct item *item)
{
    if (walk->main.id == 0) {
        walk->main.id = item->chain_id; /* no key: the log is what it begins as */
        walk->main.next = 1;
    }
    if (item->chain_id != walk->main.id) {
        walk_foreign(walk, item);
        return;
    }
    if (walk->request->key != NULL && item->epoch == 0) {
        take_slot(&walk->main);
        report_run(walk, VERIFY_UNKEYED, item->sequence, item->time);
        return;
    }
    walk->report->keyed |= item->epoch != 0;
    if (item_fits(walk, &walk->main, item)) {
        walk_good(walk, &walk->main, item);
    } else {
        walk_misfit(walk, &walk->main, item);
    }
}

/* A record that has only a part of what the chain needs was edited; one that has nothing of it was
 * never chained. */
void walk_scanned(struct walk *walk, const char *fault, struct item *item)
{
    if (fault != NULL) {
        walk_broken(walk, fault);
        return;
    }
    if (item->chained) {
        walk_item(walk, item);
        return;
    }
    bool once =
        item->record.field[RECORD_CHAIN].at != NULL || item->record.field[RECORD_HASH].at != NULL;
    uint64_t slot = take_slot(&walk->main);
    struct verify_finding finding =
        here(walk, once ? VERIFY_EDITED : VERIFY_UNCHAINED, slot, slot, item->time);
    finding.count = 1;
    finding_extend(&walk->findings, &finding);
}

/* For a line by itself: its hash is made when it is needed. */
void walk_line(struct walk *walk, const char *line, size_t length)
{
    struct item item = {0};
    size_t offset = 0;
    const char *fault = record_parse(line, length, &item.record, &offset);

    if (fault == NULL) {
        item_read(line, length, &item);
    }
    walk_scanned(walk, fault, &item);
}

/* ---- the end -------------------------------------------------------------------------------- */

/*
 * What is missing at the end shows only against something that was kept: the state beside the log,
 * and heads from elsewhere. The verdict follows from the counts by severity.
 */

/* NULL: no good record of its chain was met. The state may be of the chain before the last one. */
static const struct track *state_track(const struct walk *walk, size_t state)
{
    uint64_t id = walk->request->state[state].chain_id;
    const struct track *behind = &walk->states[state].behind;

    return id == walk->main.id    ? &walk->main
           : id == walk->other.id ? &walk->other
           : behind->seen         ? behind
                                  : NULL;
}

/* The number that the chain of this state has come to; 0: no record of it. */
static uint64_t reached(const struct walk *walk, size_t state)
{
    const struct track *track = state_track(walk, state);
    return track != NULL ? track->sequence : 0;
}

/* Asked at the end of the last file only, to decide whether waiting could help. */
bool walk_wants_more(const struct walk *walk)
{
    for (size_t i = 0; i < walk->state_count; i++) {
        if (reached(walk, i) < walk->request->state[i].sequence) {
            return true;
        }
    }
    for (size_t i = 0; i < walk->gap_count; i++) {
        const struct gap *gap = &walk->gaps[i];
        if (gap->kind != VERIFY_DELETED && gap->last > walk->report->removed_through) {
            return true;
        }
    }
    return walk->broken_lines != 0 && walk->broken_after == walk->main.sequence;
}

/* Removed honestly, and so nothing to be alarmed about. A gap inside of a file (DELETED) is never
 * retention's: that removes whole files. */
static void settle_gaps(struct walk *walk)
{
    uint64_t removed = walk->report->removed_through;

    for (size_t i = walk->gap_count; i-- > 0;) {
        struct gap *gap = &walk->gaps[i];
        if (gap->kind == VERIFY_DELETED || gap->first > removed) {
            continue;
        }
        if (gap->last <= removed) {
            settle_gap(walk, i, VERIFY_REMOVED, "");
        } else if (!has_more_gaps(walk, gap, i)) {
            gap->first = removed + 1;
            narrow(walk, gap->finding, gap->first, gap->last);
        }
    }
}

/* The place behind the last record. There is no line there; the last good one is named. */
static struct verify_finding at_end(const struct walk *walk, const struct track *track,
                                    enum verify_kind kind, uint64_t first, uint64_t last)
{
    struct verify_finding finding = here(walk, kind, first, last, 0);

    finding.file = track->file;
    finding.line = track->line;
    finding.time = track->time;
    return finding;
}

/* A head that was kept outside and not met: what it names was cut from the end, or another record
 * stands there. */
static void check_head(struct walk *walk, const struct verify_head *head)
{
    const struct track *track = &walk->main;
    struct verify_finding finding =
        at_end(walk, track, VERIFY_CUT, track->sequence + 1, head->sequence);

    if (head->sequence <= walk->report->removed_through) {
        return; /* and reported as removed */
    }
    if (head->sequence <= track->sequence) {
        finding.kind = VERIFY_HEAD;
        finding.first = finding.last = head->sequence;
        finding.count = 1;
        finding.file = NULL;
        finding.line = 0;
    }
    finding_add(&walk->findings, &finding);
}

/* Were records lost that the state knows of because the system went down, and no writer came since?
 * Not when the last record there is was written since the system came up. Both boots must be known:
 * an unknown one proves no crash. */
static bool went_down(const struct track *track, const struct state_head *state,
                      const char *boot_now)
{
    return track->sequence >= state->synced && track->boot[0] != '\0' && boot_now[0] != '\0' &&
           strcmp(track->boot, boot_now) != 0;
}

/* The state beside the log knows a higher number than the files have: a crash at best, a cut
 * otherwise. */
static void check_state(struct walk *walk, size_t at, const char *boot_now)
{
    const struct state_head *state = &walk->request->state[at];
    static const struct track none;

    if (state->sequence == 0 || walk->states[at].met || reached(walk, at) >= state->sequence) {
        return;
    }
    const struct track *track = state_track(walk, at);
    track = track != NULL ? track : &none;
    enum verify_kind kind = went_down(track, state, boot_now) ? VERIFY_LOST_TAIL : VERIFY_CUT;
    struct verify_finding finding = at_end(walk, track, kind, track->sequence + 1, state->sequence);
    finding_add(&walk->findings, &finding);
}

/* What was cut before the state was set aside nothing shows but a head from outside. */
static bool behind_set_aside(const struct verify_report *report)
{
    return report->key_lost || report->anchored + 1 < report->set_aside;
}

/* Alarms decide first. INTACT needs every hash checked and a beginning that can be trusted. */
static void judge(struct walk *walk)
{
    struct verify_report *report = walk->report;
    const struct track *track = &walk->main;

    report->chain_id = track->id;
    report->last = track->sequence;
    report->proven = track->seen && (!report->keyed || walk->request->key != NULL);
    memcpy(report->head, track->hash, sizeof(report->head));
    report->verdict = report->by_severity[VERIFY_ALARM] > 0         ? VERIFY_TAMPERED
                      : report->proven && !behind_set_aside(report) ? VERIFY_INTACT
                                                                    : VERIFY_UNPROVEN;
}

/* RESEALED records with no good one behind them were written behind a cut: they turn into
 * CONTINUED. */
void walk_finish(struct walk *walk, bool unfinished, const char *boot_now)
{
    if (unfinished) {
        struct verify_finding finding = here(walk, VERIFY_UNFINISHED, 0, 0, 0);
        finding.line++;
        finding_add(&walk->findings, &finding);
    }
    /* No record of the key's chain: the key is that of another log. */
    if (walk->request->key != NULL && !walk->main.seen &&
        walk->first_foreign_kind != VERIFY_KIND_COUNT) {
        finding_turn(&walk->findings, walk->first_foreign, walk->first_foreign_kind,
                     VERIFY_WRONG_KEY);
    }
    for (int i = walk->resealed; i >= 0 && i < walk->findings.used; i++) {
        struct verify_finding *finding = finding_at(&walk->findings, i);
        if (finding != NULL && finding->kind == VERIFY_RESEALED) {
            finding_turn(&walk->findings, i, VERIFY_RESEALED, VERIFY_CONTINUED);
        }
    }
    settle_gaps(walk);
    for (size_t i = 0; i < walk->request->head_count; i++) {
        if (!walk->met[i]) {
            check_head(walk, &walk->request->heads[i]);
        }
    }
    for (size_t i = 0; i < walk->state_count; i++) {
        check_state(walk, i, boot_now);
    }
    judge(walk);
    findings_finish(&walk->findings);
}
