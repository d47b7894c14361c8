/* SPDX-License-Identifier: MIT */
/*
 * Appending: with each record what is due before it (seals, rotation, a report about the space);
 * called by log.c. Locking is in file_lock.c, opening in file_open.c.
 *
 * A record is one write(2) at the end of the file, under the lock; then the head says that it is
 * there. In between, a kill leaves a record that the head does not know: repair.c takes it over.
 *
 * space.c, rotate.c and state_aside.c say which record of the log's own is due. Only this file
 * appends it.
 */
#include "audit/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "audit/file/file_internal.h"
#include "model/record_fields.h"
#include "model/record_limits.h"

/* ---- one record ------------------------------------------------------------------------------ */

/* A record that reports what the file lacks clears what is pending in the same step. */
static void set_head(struct log_file *file, const struct audit_event *event,
                     const unsigned char hash[CHAIN_HASH_SIZE], size_t length)
{
    static const struct state_loss nothing;
    struct log_state *state = &file->state;
    struct state_head *head = state_begin(state);
    int64_t now = head->epoch_records == 0 ? audit_now() : 0; /* of use for the first one alone */

    file_advance(head, hash, length, event->action == AUDIT_ACTION_AUDIT_SEAL, now);
    atomic_store(&file->written, head->sequence);
    if (event->action == AUDIT_ACTION_RECORDS_LOST && event->lost != NULL &&
        strcmp(event->lost->sink, "file") == 0) {
        struct state_head next;
        memcpy(&next, head, sizeof(next));
        state_commit_all(state, &next, &nothing, state->lost_total);
        chain_key_wipe(&next.key);
        return;
    }
    state_commit(state);
}

/* Builds the line with its newline; the hash in hex follows it in the same buffer, for the other
 * sinks. */
static bool make_line(struct log_file *file, const struct file_record *record, struct text *line,
                      unsigned char ret_hash[CHAIN_HASH_SIZE], size_t *ret_length)
{
    const struct state_head *head = state_head(&file->state);
    const struct state_order order =
        file_order_next(&file->state, head, record->body, record->body_length);
    const bool is_due = (head->sequence + 1) % RECORD_ORDER_EVERY == 0;
    char hex[CHAIN_HEX_SIZE];
    struct audit_place place = {.sequence = head->sequence + 1,
                                .chain_id = head->chain_id,
                                .epoch = head->epoch,
                                .previous = hex,
                                .repeats = record->repeats,
                                .first = record->first,
                                .last = record->last,
                                .since = is_due ? order.since : 0,
                                .late_ms = (order.late + 999) / 1000};

    line->length = 0;
    line->failed = false;
    chain_hex(head->hash, hex);
    text_append_bytes(line, record->body, record->body_length);
    audit_encode_tail(line, record->event, record->id, &place);
    if (line->failed) {
        return false;
    }
    chain_hash(&head->key, line->data, line->length, ret_hash);
    file_order_keep(&file->state, head, &order, ret_hash);
    chain_hex(ret_hash, hex);
    text_append(line, hex);
    text_append(line, AUDIT_LINE_END "\n");
    *ret_length = line->length;
    text_append_bytes(line, hex, sizeof(hex));
    return !line->failed;
}

/* Writes the record at the end, where there must be room. */
static bool write_record(struct log_file *file, struct batch *batch,
                         const struct file_record *record, enum audit_loss *ret_loss)
{
    unsigned char hash[CHAIN_HASH_SIZE];
    struct text *line = &batch->line;
    size_t length = 0;

    if (!make_line(file, record, line, hash, &length)) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    if (length > RECORD_MAX_LINE) {
        *ret_loss = AUDIT_LOSS_TOO_LARGE;
        return false;
    }
    if (!file_write(file, line->data, length, ret_loss)) {
        return false;
    }
    set_head(file, record->event, hash, length);
    line->length = length - 1;
    line->data[length - 1] = '\0';
    const struct sink_record placed = {.line = line->data,
                                       .length = length - 1,
                                       .event = record->event,
                                       .id = record->id,
                                       .sequence = state_head(&file->state)->sequence,
                                       .hash = line->data + length,
                                       .repeats = record->repeats};
    batch_add_placed(batch, &placed);
    return true;
}

/* ---- records of the log's own ---------------------------------------------------------------- */

/* One about the log itself. It may use the room that is kept for these, and no further record is
 * due because of it. */
static bool append_own(struct log_file *file, struct batch *batch, const struct audit_event *event,
                       enum audit_loss *ret_loss)
{
    char id[AUDIT_ID_SIZE] = "";

    text_clear(&file->own_body);
    stamp_encode(file->process, event, &file->own_body, id);
    if (file->own_body.failed) {
        *ret_loss = AUDIT_LOSS_NO_MEMORY;
        return false;
    }
    const struct file_record record = {.event = event,
                                       .body = file->own_body.data,
                                       .body_length = file->own_body.length,
                                       .id = id,
                                       .repeats = 1};
    const size_t length = record.body_length + FILE_TAIL_LENGTH;
    file_allocate_ahead(file, length, true, NULL);
    return file_make_room(file, length, true, NULL, ret_loss) &&
           write_record(file, batch, &record, ret_loss);
}

/* A state that was set aside. */
static bool append_aside(struct log_file *file, struct batch *batch, enum audit_loss *ret_loss)
{
    struct aside_due due;

    if (!file_aside_is_due(file, &due)) {
        return true;
    }
    const struct audit_event event = {.action = AUDIT_ACTION_STATE_SET_ASIDE,
                                      .set_aside = &due.facts};
    if (!append_own(file, batch, &event, ret_loss)) {
        return false;
    }
    file_aside_reported(file);
    return true;
}

/* The first record of a file that is not the first of its log. */
static bool append_rotated(struct log_file *file, struct batch *batch, enum audit_loss *ret_loss)
{
    struct rotated_due due;

    if (!file_begins_rotated(file, &due, ret_loss)) {
        return false;
    }
    if (!due.some) {
        return true;
    }
    const struct audit_event event = {.action = AUDIT_ACTION_AUDIT_ROTATE, .rotated = &due.facts};
    if (!append_own(file, batch, &event, ret_loss)) {
        return false;
    }
    file_rotation_reported(file);
    return true;
}

/* A report that could not be written is tried with the next record: the step stays as it was. */
static void append_space(struct log_file *file, struct batch *batch, const struct space_due *due)
{
    enum audit_loss ignored;

    if (!due->some) {
        return;
    }
    const struct audit_event event = {.action = AUDIT_ACTION_AUDIT_SPACE, .space = &due->facts};
    if (append_own(file, batch, &event, &ignored)) {
        file_space_reported(file, due);
    }
}

/* A record about the space comes before the first record that is lost. */
static bool make_room(struct log_file *file, struct batch *batch, size_t length, bool may_use_tail,
                      enum audit_loss *ret_loss)
{
    struct space_due ahead = {.some = false}, flooded = {.some = false};

    file_allocate_ahead(file, length, may_use_tail, &ahead);
    append_space(file, batch, &ahead);
    bool made = file_make_room(file, length, may_use_tail, &flooded, ret_loss);
    append_space(file, batch, &flooded);
    return made;
}

/* ---- epochs ---------------------------------------------------------------------------------- */

/* With a seal the page with the next key is flushed, so that the key on disk is at most an epoch
 * old. No thread waits for it: what the disk has can only be too old, which repair.c handles. */
static bool seal_is_due(const struct log_file *file, int64_t now)
{
    const struct state_head *head = state_head(&file->state);
    const int64_t longest = (int64_t)CHAIN_EPOCH_SECONDS * 1000000000;

    return head->key.present && head->epoch_records != 0 &&
           (head->epoch_records >= CHAIN_EPOCH_RECORDS || now - head->epoch_start >= longest);
}

/* SYNC_FILE_RANGE_WRITE starts the write-back of the first page, which holds the heads, and does
 * not wait (sync_file_range(2)). The descriptor is proved first: its number may be the program's by
 * now. */
static void seal_if_due(struct log_file *file, struct batch *batch, int64_t now)
{
    enum { SEAL = 4096 }; /* more than it ever is */
    enum audit_loss ignored;

    if (!seal_is_due(file, now)) {
        return;
    }
    const struct audit_event seal = {.action = AUDIT_ACTION_AUDIT_SEAL};
    file_rotate_if_due(file, SEAL, now); /* the seal counts, too */
    if (!append_rotated(file, batch, &ignored)) {
        return;
    }
    if (append_own(file, batch, &seal, &ignored) &&
        file_mark_holds(file->state.fd, &file->state.mark)) {
        sync_file_range(file->state.fd, 0, 4096, SYNC_FILE_RANGE_WRITE);
    }
    (void)state_prove(&file->state);
}

/* ---- appending ------------------------------------------------------------------------------- */

/* What a process does with the identity that opened the log, before it takes another. */
static bool is_a_beginning(const struct audit_event *event)
{
    return event->action == AUDIT_ACTION_AUDIT_START || event->action == AUDIT_ACTION_SESSION_OPEN;
}

/* These may use the room that is kept back for reports of losses. */
static bool is_about_the_log(const struct audit_event *event)
{
    return event->action == AUDIT_ACTION_RECORDS_LOST || event->action == AUDIT_ACTION_AUDIT_STOP;
}

/* In the order of the file: a state that was set aside, a seal, the beginning of a rotated file, a
 * report about the space, and the record. Where the first of these, or the beginning of a file,
 * cannot be written, the record is not written either. */
bool file_append(struct log_file *file, struct batch *batch, const struct file_record *record,
                 enum audit_loss *ret_loss)
{
    size_t length = record->body_length + FILE_TAIL_LENGTH;
    const int64_t now = batch->now;

    if (length > RECORD_MAX_LINE) {
        *ret_loss = AUDIT_LOSS_TOO_LARGE;
        return false;
    }
    if (!append_aside(file, batch, ret_loss)) {
        return false;
    }
    seal_if_due(file, batch, now);
    size_t ahead = is_a_beginning(record->event) ? file_rotate_ahead(file) : 0;
    file_rotate_if_due(file, length > ahead ? length : ahead, now);
    return append_rotated(file, batch, ret_loss) &&
           make_room(file, batch, length, is_about_the_log(record->event), ret_loss) &&
           write_record(file, batch, record, ret_loss);
}

/* A round of the background thread. It tries a rotation that failed before, whatever failed it. */
void file_maintain(struct log_file *file, struct batch *batch)
{
    unsigned asked = file_begin_round(file);
    enum audit_loss ignored;

    if (file_lock_whole(file, &ignored)) {
        int64_t now = audit_now();
        file->rotation_failed = false;
        (void)!append_aside(file, batch, &ignored);
        seal_if_due(file, batch, now);
        file_rotate_if_due(file, atomic_exchange(&file->early, false) ? file_rotate_ahead(file) : 0,
                           now);
        if (!append_rotated(file, batch, &ignored)) {
            file->rotation_failed = true; /* the next record begins it */
        }
        file_unlock(file);
    }
    file_end_round(file, asked);
}
