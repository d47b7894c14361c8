/* SPDX-License-Identifier: MIT */
/*
 * How far the records of a file are out of the order of their times: one of RECORD_ORDER_EVERY says
 * it of all up to itself, so that the end of a file says it for all of them, also in a copy. A
 * reader that looks for a time knows by it where it need not look (tools/review/narrow.h).
 *
 * A record gets its time before it gets the log's lock, and one that counts repeats waits for the
 * end of a window. So one may be older than one before it, by as much as its writer was kept
 * waiting, or the clock was set back.
 *
 * What is known up to a record lies in the state beside that record's hash, and counts where the
 * head has the same hash, whatever happened in between: behind a record of a program that keeps no
 * order, behind one that a repair did not see, and in a new file, it begins anew with the next
 * record, which is then the first one that is counted in (`since`). So nothing is said of records
 * that were not seen. There are two of them, as there are two heads: the one that counts stays as
 * it is until the next record stands in the file.
 */
#include <string.h>

#include "audit/file/file_internal.h"

_Static_assert(STATE_KEPT > 11000, "a body with two identities of root fits");

/* As bytes: no slot is at an address of a number. */
static unsigned char *place_of(const struct log_state *state, int at)
{
    struct state_repeat *last = &state->shared->repeats[STATE_REPEATS - 1];

    return (unsigned char *)last->body + STATE_KEPT + (size_t)at * sizeof(struct state_order);
}

/* A hash is as good as random, so that memory of any other content does not pass. */
static uint64_t check_of(const struct state_order *order)
{
    static const uint64_t factors[] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xff51afd7ed558ccd),
                                       UINT64_C(0xc4ceb9fe1a85ec53), UINT64_C(0x2545f4914f6cdd1d),
                                       UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xa0761d6478bd642f),
                                       UINT64_C(0xe7037ed1a0b428db)};
    uint64_t words[offsetof(struct state_order, check) / sizeof(uint64_t)], sum = 1;

    _Static_assert(sizeof(words) == sizeof(factors), "one for each word");
    memcpy(words, order, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        sum += words[i] * factors[i];
    }
    return sum;
}

static uint64_t first_bits(const unsigned char hash[CHAIN_HASH_SIZE])
{
    uint64_t bits;

    memcpy(&bits, hash, sizeof(bits));
    return bits;
}

/* The one of the two that says what is known up to the head's record, of its file. False: none. */
static bool find(const struct log_state *state, const struct state_head *head,
                 struct state_order *ret_order)
{
    for (int i = 0; i < STATE_ORDERS; i++) {
        memcpy(ret_order, place_of(state, i), sizeof(*ret_order));
        if (ret_order->record == first_bits(head->hash) &&
            ret_order->check == check_of(ret_order) && ret_order->since > head->file_after) {
            return true;
        }
    }
    return false;
}

/* By so many microseconds the one time is older; false: one of them is no time. */
static bool how_late(const char *highest, const char *text, uint64_t *ret_late)
{
    int64_t one, other;

    if (!audit_time_parse(highest, &one) || !audit_time_parse(text, &other)) {
        return false;
    }
    *ret_late = (uint64_t)(one - other);
    return true;
}

/* The time is that of the text, which readers compare. Most are in order, and need no more than to
 * be compared. */
struct state_order file_order_next(const struct log_state *state, const struct state_head *head,
                                   const char *line, size_t length)
{
    const char *text = audit_time_text(line, length);
    struct state_order order;
    uint64_t late = 0;

    if (text == NULL) {
        return (struct state_order){.since = 0};
    }
    if (!find(state, head, &order)) {
        order = (struct state_order){.since = head->sequence + 1};
    }
    const int compared = memcmp(text, order.highest, AUDIT_TIME_LENGTH);
    if (compared > 0) {
        memcpy(order.highest, text, AUDIT_TIME_LENGTH);
    } else if (compared < 0 && !how_late(order.highest, text, &late)) {
        return (struct state_order){.since = 0};
    }
    order.late = late > order.late ? late : order.late;
    return order;
}

/* In the place of the one that does not count. Not over a body of a program that keeps longer
 * ones. */
void file_order_keep(struct log_state *state, const struct state_head *head,
                     const struct state_order *order, const unsigned char hash[CHAIN_HASH_SIZE])
{
    const struct state_repeat *last = &state->shared->repeats[STATE_REPEATS - 1];
    struct state_order next = *order;
    uint64_t record;

    if (order->since == 0 || (last->key[0] != 0 && last->body_length > STATE_KEPT)) {
        return;
    }
    next.record = first_bits(hash);
    next.check = check_of(&next);
    memcpy(&record, place_of(state, 0), sizeof(record));
    memcpy(place_of(state, record == first_bits(head->hash) ? 1 : 0), &next, sizeof(next));
}
