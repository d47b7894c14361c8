/* SPDX-License-Identifier: MIT */
/*
 * ECS 9: the names of a record are ECS already. What is added is related.*, the lists of all users,
 * hosts and hashes of an event, so that one search finds a user in whatever role:
 * https://www.elastic.co/docs/reference/ecs/ecs-related
 *
 * The log itself has no such lists: they would repeat what stands beside them.
 */
#include "tools/review/export_ecs.h"

#include <string.h>

#include "tools/review/export_text.h"

/* "All the user names or other user identifiers seen on the event." */
static const enum record_field users[] = {
    RECORD_BOUND_USER_ID,         RECORD_BOUND_USER_NAME,         RECORD_CURRENT_USER_ID,
    RECORD_CURRENT_USER_NAME,     RECORD_CURRENT_REAL_USER_ID,    RECORD_CURRENT_REAL_USER_NAME,
    RECORD_CURRENT_SAVED_USER_ID, RECORD_CURRENT_SAVED_USER_NAME, RECORD_LOGINUID,
};
static const enum record_field hosts[] = {RECORD_HOST};
static const enum record_field hashes[] = {RECORD_HASH, RECORD_POLICY_HASH};

enum { MOST_FIELDS = sizeof(users) / sizeof(users[0]), VALUE = 512 };

/* The login user id is a number in the record and a keyword here. Longer values than a name or hash
 * can have are left out rather than cut: a part would match what it is not. */
static void write_list(struct text *text, const char *name, const struct record *record,
                       const enum record_field *fields, size_t count)
{
    char values[MOST_FIELDS][VALUE];
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t length = record_text(record, fields[i], values[kept], VALUE), same = 0;
        while (same < kept && strcmp(values[same], values[kept]) != 0) {
            same++;
        }
        kept += length > 0 && length < VALUE && same == kept;
    }
    if (kept == 0) {
        return;
    }
    text_json_open(text, name, '[');
    for (size_t i = 0; i < kept; i++) {
        text_json_string(text, NULL, values[i]);
    }
    text_json_close(text, ']');
}

/* Up to the brace that ends the record; a comma is due behind any member. */
static void copy_members(struct text *text, const struct record *record)
{
    static const char blanks[] = " \t\r\n";
    size_t length = record->length;

    while (record->line[length - 1] != '}') {
        length--;
    }
    for (length--; strchr(blanks, record->line[length - 1]) != NULL;) {
        length--;
    }
    text_append_bytes(text, record->line, length);
    text->comma = record->line[length - 1] != '{';
}

void export_ecs(struct text *text, const struct record *record)
{
    copy_members(text, record);
    text_json_open(text, "related", '{');
    write_list(text, "user", record, users, sizeof(users) / sizeof(users[0]));
    write_list(text, "hosts", record, hosts, sizeof(hosts) / sizeof(hosts[0]));
    write_list(text, "hash", record, hashes, sizeof(hashes) / sizeof(hashes[0]));
    text_json_close(text, '}');
    text_append(text, "}");
}
