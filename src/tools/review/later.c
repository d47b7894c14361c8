/* SPDX-License-Identifier: MIT */
/*
 * Looks up a name that a record lacks, at the time of reading. export_text.c asks for it.
 *
 * Only a record of this host is completed, and a name that was looked up is never written back.
 * Both keep a report from claiming what the log does not say. State below is under one
 * lock, since several threads read a log.
 */
#include "tools/review/later.h"

#include <pthread.h>
#include <string.h>
#include <sys/utsname.h>

static const struct {
    enum record_field id, name;
    enum directory_kind kind;
    /* The ids that a record may have without a name. kind says in which database the name is. */
} pairs[] = {
    {RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_REAL_USER_ID, RECORD_CURRENT_REAL_USER_NAME, DIRECTORY_USER},
    {RECORD_CURRENT_SAVED_USER_ID, RECORD_CURRENT_SAVED_USER_NAME, DIRECTORY_USER},
    {RECORD_BOUND_GROUP_ID, RECORD_BOUND_GROUP_NAME, DIRECTORY_GROUP},
    {RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME, DIRECTORY_GROUP},
};

/* A slot holds one id; another id with the same remainder replaces it and only costs a second
 * question. */
enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]), SLOTS = 256 };

/* *ret_kind is left as it is for a field that is not an id. */
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

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct utsname host;

/* One reading has one answer for all records, and no system call for each of them. */
static void ask_host(void)
{
    if (uname(&host) != 0) {
        host.nodename[0] = '\0';
    }
}

/* By the node name, which is what the writer put into the record. An id of another host may belong
 * to a different person there. */
static bool is_of_this_host(const struct record *record)
{
    pthread_once(&once, ask_host);
    return host.nodename[0] != '\0' && record_is(record, RECORD_HOST, host.nodename);
}

/* Without asking the directory: query.c looks a name up once and then needs only this. */
bool later_lacks_name(const struct record *record, enum record_field id)
{
    enum directory_kind kind;
    enum record_field name = later_name_field(id, &kind);

    return name != RECORD_FIELD_COUNT && record->field[id].at != NULL &&
           record->field[name].at == NULL && is_of_this_host(record);
}

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;

/* What was asked before: a log has few ids and many records. */
static struct later {
    bool asked;
    uint32_t id;
    char name[DIRECTORY_NAME]; /* "": not known */
} known[2][SLOTS];
/* The directory did not answer once within LATER_WAIT: a report over many ids would otherwise wait
 * for each. */
static bool silent;

/* A failure is remembered like an unknown name, so that one report does not mix both answers for an
 * id. */
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

/* The kind is the first index of known[]: user 0 and group 0 are different entries. */
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
    pthread_mutex_lock(&asking);
    if (!later->asked || later->id != number) {
        ask(later, kind, (uint32_t)number);
    }
    memcpy(name, later->name, DIRECTORY_NAME);
    pthread_mutex_unlock(&asking);
    return name[0] != '\0';
}
