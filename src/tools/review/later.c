/* SPDX-License-Identifier: MIT */
/* Looks up a name that a record lacks, at the time of reading. export_text.c asks for it. */
#include "tools/review/later.h"

#include <string.h>
#include <sys/utsname.h>

static const struct {
    enum record_field id, name;
    enum directory_kind kind;
} pairs[] = {
    {RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_REAL_USER_ID, RECORD_CURRENT_REAL_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_SAVED_USER_ID, RECORD_CURRENT_SAVED_USER_NAME, DIRECTORY_USER},
    {RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME, DIRECTORY_GROUP},
    {RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME, DIRECTORY_GROUP},
};

enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]), SLOTS = 256 };

enum record_field later_name_field(enum record_field id, enum directory_kind *ret_kind)
{
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].id == id) {
            *ret_kind = pairs[i].kind;
            return pairs[i].name;
        }
    }
    return RECORD_FIELD_COUNT;
}

static bool is_of_this_host(const struct record *record)
{
    struct utsname host;
    return uname(&host) == 0 && record_is(record, RECORD_HOST, host.nodename);
}

bool later_lacks_name(const struct record *record, enum record_field id)
{
    enum directory_kind kind;
    enum record_field name = later_name_field(id, &kind);

    return name != RECORD_FIELD_COUNT && record->field[id].at != NULL &&
           record->field[name].at == NULL && is_of_this_host(record);
}

/* What was asked before: a log has few ids and many records. */
static struct later {
    bool asked;
    uint32_t id;
    char name[DIRECTORY_NAME]; /* "": not known */
} known[2][SLOTS];
static bool silent;

static void ask(struct later *later, enum directory_kind kind, uint32_t id)
{
    struct directory_entry entry = {0};

    *later = (struct later){.asked = true, .id = id};
    if (silent) {
        return;
    }
    switch (directory_by_id(kind, id, LATER_WAIT, &entry)) {
    case DIRECTORY_FOUND:
        (void)cut_text(entry.name, DIRECTORY_MAX_NAME, later->name);
        break;
    case DIRECTORY_FAILED:
        silent = true;
        break;
    default:
        break;
    }
    directory_release(&entry);
}

bool later_name(const struct record *record, enum record_field id, char name[DIRECTORY_NAME])
{
    enum directory_kind kind = DIRECTORY_USER;
    uint64_t number = 0;

    if (!later_lacks_name(record, id) || !record_number(record, id, &number) ||
        number > UINT32_MAX) {
        return false;
    }
    (void)later_name_field(id, &kind);
    struct later *later = &known[kind][number % SLOTS];
    if (!later->asked || later->id != number) {
        ask(later, kind, (uint32_t)number);
    }
    memcpy(name, later->name, DIRECTORY_NAME);
    return name[0] != '\0';
}
