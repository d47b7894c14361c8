/* SPDX-License-Identifier: MIT */
/*
 * Sums records up in bounded memory, for `miguard audit report`. html.c and report_write.c write
 * it.
 *
 * report_add() asks report_facts.c what a record counts as, and report_add_facts() counts it under
 * each list, in the timeline (report_timeline.c) and, for refusals, losses, space and policies,
 * keeps its line in a ring. A list is a hash table for finding a key and a heap whose first element
 * is the key that makes room next. Everything is bounded; see report.h for what that costs.
 */
#include "tools/review/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Twice as many as keys, so that chains stay short. NONE ends a chain. */
enum { BUCKETS = 4096, NONE = UINT32_MAX };

static const struct {
    const char *name, *title, *head;
    /* Indexed by enum report_list. */
} lists[] = {
#define LIST_ROW(NAME, name, title, head) [REPORT_##NAME] = {name, title, head},
    REPORT_LIST_MAP(LIST_ROW)
#undef LIST_ROW
};

const char *report_list_name(enum report_list list)
{
    return lists[list].name;
}

const char *report_list_title(enum report_list list)
{
    return lists[list].title;
}

const char *report_list_head(enum report_list list)
{
    return lists[list].head;
}

/* Sums of 64 bits do not overflow in the life of a log. */
static void add_count(struct report_count *to, const struct report_count *from)
{
    to->refused += from->refused;
    to->would += from->would;
    to->allowed += from->allowed;
    to->other += from->other;
}

/* ---- a list of keys --------------------------------------------------------------------------*/

/*
 * Space-Saving, as report.h says. The heap orders keys by refusals and then by all events, so that
 * what makes room is what a reader would miss least.
 */

/* Less weight makes room first: refusals are what a report is for. */
static bool lighter(const struct report_key *a, const struct report_key *b)
{
    uint64_t refused_a = a->count.refused + a->count.would + a->before.refused + a->before.would;
    uint64_t refused_b = b->count.refused + b->count.would + b->before.refused + b->before.would;

    if (refused_a != refused_b) {
        return refused_a < refused_b;
    }
    return report_sum(&a->count) + report_sum(&a->before) <
           report_sum(&b->count) + report_sum(&b->before);
}

/* Keeps the place of the key in step with the heap. */
static void put(struct report_keys *keys, uint32_t place, uint32_t key)
{
    keys->heap[place] = key;
    keys->keys[key].place = place;
}

/* After a key has become lighter than its parent. */
static void sift_up(struct report_keys *keys, uint32_t place)
{
    uint32_t key = keys->heap[place];

    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!lighter(&keys->keys[key], &keys->keys[keys->heap[parent]])) {
            break;
        }
        put(keys, place, keys->heap[parent]);
        place = parent;
    }
    put(keys, place, key);
}

/* After a key has become heavier than a child: the usual case, since counts only grow. */
static void sift_down(struct report_keys *keys, uint32_t place)
{
    uint32_t key = keys->heap[place];

    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= keys->count) {
            break;
        }
        if (child + 1 < keys->count &&
            lighter(&keys->keys[keys->heap[child + 1]], &keys->keys[keys->heap[child]])) {
            child++;
        }
        if (!lighter(&keys->keys[keys->heap[child]], &keys->keys[key])) {
            break;
        }
        put(keys, place, keys->heap[child]);
        place = child;
    }
    put(keys, place, key);
}

/* Taken at the first key of a list, since most logs leave several lists empty. False out of memory;
 * may be called again then. */
static bool keys_ready(struct report_keys *keys)
{
    if (keys->heap != NULL) {
        return true;
    }
    base_free(keys->keys);
    base_free(keys->buckets);
    keys->keys = base_alloc(REPORT_KEYS, sizeof(*keys->keys));
    keys->buckets = base_alloc(BUCKETS, sizeof(*keys->buckets));
    keys->heap = keys->keys == NULL || keys->buckets == NULL
                     ? NULL
                     : base_alloc(REPORT_KEYS, sizeof(*keys->heap));
    if (keys->heap == NULL) {
        return false;
    }
    /* NONE in every bucket. */
    memset(keys->buckets, 0xFF, BUCKETS * sizeof(*keys->buckets));
    return true;
}

/* NONE when the list does not have it. */
static uint32_t find_key(const struct report_keys *keys, uint64_t hash, const char *text)
{
    uint32_t at = keys->buckets[hash % BUCKETS];

    while (at != NONE && (keys->keys[at].hash != hash || strcmp(keys->keys[at].text, text) != 0)) {
        at = keys->keys[at].next;
    }
    return at;
}

/* The key is in its bucket: it would not end otherwise. */
static void unlink_key(struct report_keys *keys, uint32_t key)
{
    uint32_t *link = &keys->buckets[keys->keys[key].hash % BUCKETS];

    while (*link != key) {
        link = &keys->keys[*link].next;
    }
    *link = keys->keys[key].next;
}

/* The heap, which nothing needed before. */
static void fill_heap(struct report_keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        put(keys, i, i);
    }
    for (uint32_t i = keys->count / 2; i-- > 0;) {
        sift_down(keys, i);
    }
    keys->full = true;
}

/* Takes the lightest out. Its place in the heap is kept. */
static uint32_t make_room(struct report_keys *keys, struct report_count *ret_before)
{
    if (!keys->full) {
        fill_heap(keys);
    }
    uint32_t key = keys->heap[0];
    struct report_key *old = &keys->keys[key];
    *ret_before = old->count;
    add_count(&keys->others, &old->count);
    add_count(ret_before, &old->before);
    keys->removed++;
    unlink_key(keys, key);
    base_free(old->text);
    return key;
}

/* Room for one more: a new place, or that of the lightest. text belongs to the list from now on. */
static uint32_t take_place(struct report_keys *keys, char *text, uint64_t hash)
{
    struct report_count before = {0};
    uint32_t key = keys->count < REPORT_KEYS ? keys->count++ : make_room(keys, &before);

    keys->keys[key] = (struct report_key){.text = text,
                                          .hash = hash,
                                          .before = before,
                                          .first = INT64_MAX,
                                          .last = INT64_MIN,
                                          .place = keys->full ? keys->keys[key].place : 0,
                                          .next = keys->buckets[hash % BUCKETS]};
    keys->buckets[hash % BUCKETS] = key;
    return key;
}

/* The key is found or takes a place, then counted and moved in the heap. False out of memory. */
static bool keys_add(struct report_keys *keys, uint64_t hash, const char *text,
                     const struct report_facts *facts)
{
    const struct report_count *count = &facts->count;

    if (!keys_ready(keys)) {
        return false;
    }
    uint32_t key = find_key(keys, hash, text);
    if (key == NONE) {
        char *copy = base_copy_text(text);
        if (copy == NULL) {
            return false;
        }
        key = take_place(keys, copy, hash);
    }
    struct report_key *counted = &keys->keys[key];
    add_count(&counted->count, count);
    if (facts->timed) {
        counted->first = facts->time < counted->first ? facts->time : counted->first;
        counted->last = facts->time > counted->last ? facts->time : counted->last;
    }
    /* A new key may be lighter than its parent, a counted one heavier than its children; one of the
     * two does nothing. */
    if (keys->full) {
        sift_up(keys, keys->keys[key].place);
        sift_down(keys, keys->keys[key].place);
    }
    return true;
}

/* Safe for a list that was never used. */
static void keys_release(struct report_keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        base_free(keys->keys[i].text);
    }
    base_free(keys->keys);
    base_free(keys->buckets);
    base_free(keys->heap);
}

/* For qsort_r(3): most refusals first. Names decide last, so that the order does not depend on the
 * log's. */
static int by_weight(const void *a, const void *b, void *context)
{
    const struct report_keys *keys = context;
    const struct report_key *one = &keys->keys[*(const uint32_t *)a];
    const struct report_key *two = &keys->keys[*(const uint32_t *)b];
    uint64_t refused_one = one->count.refused + one->count.would;
    uint64_t refused_two = two->count.refused + two->count.would;
    uint64_t all_one = report_sum(&one->count), all_two = report_sum(&two->count);

    if (refused_one != refused_two) {
        return refused_one > refused_two ? -1 : 1;
    }
    if (all_one != all_two) {
        return all_one > all_two ? -1 : 1;
    }
    return strcmp(one->text, two->text);
}

/* Sorts places and not keys, so the report itself does not change. */
uint32_t report_order(const struct report_keys *keys, uint32_t *ret_order)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        ret_order[i] = i;
    }
    qsort_r(ret_order, keys->count, sizeof(*ret_order), by_weight, (void *)(uintptr_t)keys);
    return keys->count;
}

/* ---- the latest lines ------------------------------------------------------------------------*/

/* The line without what is inside the braces of its two identities, which can be long. The two are
 * in the order of the line, whichever comes first. */
static void append_shortened(struct text *text, const struct record *record)
{
    const struct slice *one = &record->field[RECORD_CRED_BOUND];
    const struct slice *two = &record->field[RECORD_CRED_CURRENT];
    size_t at = 0;

    if (one->at != NULL && two->at != NULL && two->at < one->at) {
        const struct slice *swapped = one;
        one = two;
        two = swapped;
    }
    for (int i = 0; i < 2; i++) {
        const struct slice *cred = i == 0 ? one : two;
        if (cred->at != NULL && cred->at[0] == '{') {
            text_append_bytes(text, record->line + at, (size_t)(cred->at - record->line) - at);
            text_append(text, "{}");
            at = (size_t)(cred->at - record->line) + cred->length;
        }
    }
    text_append_bytes(text, record->line + at, record->length - at);
}

/* The oldest line makes room. A line that is too long even without its credentials is kept as {},
 * so that the count of the ring agrees with the records. */
static bool ring_add(struct report_ring *ring, uint32_t size, const struct record *record)
{
    if (ring->lines == NULL) {
        ring->lines = base_alloc(size, sizeof(*ring->lines));
        ring->size = size;
    }
    if (ring->lines == NULL) {
        return false;
    }
    struct text *line = &ring->lines[ring->next];
    text_clear(line); /* its memory is used again: most lines are of one length */
    if (record->length <= REPORT_LINE) {
        text_append_bytes(line, record->line, record->length);
    } else {
        append_shortened(line, record);
    }
    if (line->length > REPORT_LINE) { /* whatever that is, no writer of ours wrote it */
        text_release(line);
        text_append(line, "{}");
    }
    if (line->failed) {
        return false;
    }
    ring->next = (ring->next + 1) % ring->size;
    ring->seen++;
    return true;
}

/* The lines and the array. */
static void ring_release(struct report_ring *ring)
{
    for (uint32_t i = 0; ring->lines != NULL && i < ring->size; i++) {
        text_release(&ring->lines[i]);
    }
    base_free(ring->lines);
}

/* ---- losses ----------------------------------------------------------------------------------*/

/*
 * A records-lost record has a main cause and may have a count for each. The counts are added by
 * sink and cause; what no cause claims goes to the main one.
 */

/* By sink and cause; at most REPORT_LOSSES pairs, the last of which takes the rest. */
static void add_loss(struct report *report, const struct record *record, const char *cause,
                     uint64_t count)
{
    struct report_loss loss = {.count = count};
    uint32_t i = 0;

    record_text(record, RECORD_LOST_SINK, loss.sink, sizeof(loss.sink));
    snprintf(loss.cause, sizeof(loss.cause), "%s", cause);
    while (i < report->loss_count && (strcmp(report->losses[i].sink, loss.sink) != 0 ||
                                      strcmp(report->losses[i].cause, loss.cause) != 0)) {
        i++;
    }
    if (i == report->loss_count && report->loss_count < REPORT_LOSSES - 1) {
        report->losses[report->loss_count++] = loss;
    } else if (i == report->loss_count) { /* more than there are: the last takes them all */
        snprintf(report->losses[REPORT_LOSSES - 1].cause, sizeof(loss.cause), "others");
        report->losses[REPORT_LOSSES - 1].count += count;
        report->loss_count = REPORT_LOSSES;
    } else {
        report->losses[i].count += count;
    }
}

/* miguard.lost.causes stands behind miguard.lost.cause; where it does not, cause speaks for all.
 * record.h has no field for an object of unknown members. The slice ends at the next known field;
 * export_member() stops at the closing brace. */
static struct slice causes_of(const struct record *record)
{
    static const char name[] = "\"causes\":{";
    const struct slice *cause = &record->field[RECORD_LOST_CAUSE];
    const struct slice *first = &record->field[RECORD_LOST_FIRST];

    if (cause->at == NULL || first->at == NULL || first->at < cause->at) {
        return (struct slice){NULL, 0};
    }
    const char *from = cause->at + cause->length;
    const char *at = memmem(from, (size_t)(first->at - from), name, sizeof(name) - 1);
    if (at == NULL) {
        return (struct slice){NULL, 0};
    }
    /* To its opening brace. */
    at += sizeof(name) - 2;
    return (struct slice){at, (size_t)(first->at - at)};
}

/* Gives the count of the record. The counts of causes are believed up to that, so that a forged
 * record cannot make them differ. */
static uint64_t add_losses(struct report *report, const struct record *record)
{
    struct slice causes = causes_of(record), name, value;
    uint64_t count = 0, reported = 0;
    char cause[32], digits[24];

    if (!record_number(record, RECORD_LOST_COUNT, &count)) {
        return 0;
    }
    for (size_t at = 0; export_member(&causes, &at, &name, &value);) {
        slice_text(&name, cause, sizeof(cause));
        slice_text(&value, digits, sizeof(digits));
        uint64_t some = strtoull(digits, NULL, 10);
        some = some > count - reported ? count - reported : some;
        reported += some;
        add_loss(report, record, cause, some);
    }
    if (reported < count) {
        record_text(record, RECORD_LOST_CAUSE, cause, sizeof(cause));
        add_loss(report, record, cause[0] != '\0' ? cause : "not reported", count - reported);
    }
    report->lost += count;
    report->loss_records++;
    return count;
}

/* ---- a record --------------------------------------------------------------------------------*/

/* Keeps the line, when it is of a kind that the report shows one by one. */
static bool add_line(struct report *report, enum report_shown shown, const struct record *record)
{
    switch (shown) {
    case REPORT_SHOWN_REFUSAL:
        report->refusal_records++;
        return ring_add(&report->refusals, REPORT_REFUSALS, record);
    case REPORT_SHOWN_LOSS:
        return ring_add(&report->gaps, REPORT_MARKS, record);
    case REPORT_SHOWN_SPACE:
        return ring_add(&report->spaces, REPORT_MARKS, record);
    case REPORT_SHOWN_POLICY:
        return ring_add(&report->policies, REPORT_MARKS, record);
    default:
        return true;
    }
}

/* A record without a time is counted everywhere but in the timeline. */
static bool add_time(struct report *report, const struct report_facts *facts, uint64_t lost)
{
    if (!facts->timed) {
        report->untimed++;
        return true;
    }
    report->first = facts->time < report->first ? facts->time : report->first;
    report->last = facts->time > report->last ? facts->time : report->last;
    return report_time_add(&report->timeline, facts->time / 1000000000, &facts->count, lost);
}

/* A timeline of its own for each of the first hosts; a log of one host needs none. */
static bool add_host(struct report *report, const char *name, const struct report_facts *facts)
{
    uint32_t i = 0;

    while (i < report->host_count && strcmp(report->hosts[i].name, name) != 0) {
        i++;
    }
    if (i == REPORT_HOSTS || !facts->timed) {
        return true;
    }
    if (i == report->host_count) {
        report->hosts[i].name = base_copy_text(name);
        if (report->hosts[i].name == NULL) {
            return false;
        }
        report->host_count++;
    }
    return report_time_add(&report->hosts[i].timeline, facts->time / 1000000000, &facts->count, 0);
}

/* Each key behind the head of the facts. */
static bool add_keys(struct report *report, struct slice slice, const struct report_facts *facts)
{
    const char *at = slice.at + sizeof(struct report_facts), *end = slice.at + slice.length;
    struct report_fact_key key;

    for (; at < end; at += key.size) {
        memcpy(&key, at, sizeof(key));
        at += sizeof(key);
        if (!keys_add(&report->lists[key.list], key.hash, at, facts) ||
            (key.list == REPORT_HOST && !add_host(report, at, facts))) {
            return false;
        }
    }
    return true;
}

/* The file is the one key that is not of the record. */
static bool add_file(struct report *report, const char *file, const struct report_facts *facts)
{
    struct text key = TEXT_EMPTY;
    size_t length = strlen(file);
    uint64_t hash = report_hash(file, length);

    if (length <= REPORT_KEY_LENGTH) {
        return length == 0 || keys_add(&report->lists[REPORT_FILE], hash, file, facts);
    }
    text_append_bytes(&key, file, REPORT_KEY_LENGTH - 32);
    text_format(&key, "... #%016llx", (unsigned long long)hash);
    bool added = !key.failed && keys_add(&report->lists[REPORT_FILE], hash, key.data, facts);
    text_release(&key);
    return added;
}

/* The few lines whose other fields are needed are parsed again. */
static bool add_shown(struct report *report, enum report_shown shown, const struct record *line,
                      uint64_t *ret_lost)
{
    struct record record = *line;
    size_t fault;

    if (shown == REPORT_SHOWN_LOSS || line->length > REPORT_LINE) {
        (void)record_parse(line->line, line->length, &record, &fault);
    }
    *ret_lost = shown == REPORT_SHOWN_LOSS ? add_losses(report, &record) : 0;
    return add_line(report, shown, &record);
}

/* Every event goes into the totals first: they are right even when a list is full. A loss is summed
 * up before its record is counted, since the timeline shows both. */
bool report_add_facts(struct report *report, const struct record *line, struct slice slice,
                      const struct read_place *place)
{
    struct report_facts facts;
    uint64_t lost = 0;

    memcpy(&facts, slice.at, sizeof(facts)); /* it need not be aligned */
    report->records++;
    add_count(&report->events, &facts.count);
    return (facts.shown == REPORT_SHOWN_NONE || add_shown(report, facts.shown, line, &lost)) &&
           add_file(report, place->file, &facts) && add_keys(report, slice, &facts) &&
           add_time(report, &facts, lost);
}

bool report_add(struct report *report, const struct record *record, const struct read_place *place)
{
    text_clear(&report->facts);
    report_facts(record, &report->facts);
    return !report->facts.failed &&
           report_add_facts(report, record,
                            (struct slice){report->facts.data, report->facts.length}, place);
}

/* first > last means that no record had a time. */
struct report *report_new(void)
{
    struct report *report = base_alloc(1, sizeof(*report));

    if (report != NULL) {
        report->first = INT64_MAX;
        report->last = INT64_MIN;
    }
    return report;
}

/* Lists that were never used are zeroed. */
void report_free(struct report *report)
{
    if (report == NULL) {
        return;
    }
    for (enum report_list i = 0; i < REPORT_LISTS; i++) {
        keys_release(&report->lists[i]);
    }
    ring_release(&report->refusals);
    ring_release(&report->gaps);
    ring_release(&report->spaces);
    ring_release(&report->policies);
    base_free(report->timeline.buckets);
    for (uint32_t i = 0; i < report->host_count; i++) {
        base_free(report->hosts[i].name);
        base_free(report->hosts[i].timeline.buckets);
    }
    text_release(&report->facts);
    base_free(report);
}
